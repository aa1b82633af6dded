// What binding gives: statements whose names and types are resolved, as plain data for the coordinator.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

/// A statement after binding.
package indirect enum BoundStatement: Sendable {
    /// `plan.columns` are the result's columns, named `outputNames`; no type is `unknown`.
    case query(LogicalPlan, outputNames: [String], outputTypes: [DataType])
    case explain(BoundStatement, ExplainOptions)

    case createTable(BoundTable)
    case alterTable(BoundAlteration)
    /// Only names change.
    case alterView(BoundAlteration)
    case createIndex(BoundIndex)
    case sequence(BoundSequenceChange)
    case defineType(BoundTypeChange, tag: String)
    /// No text: the comment is removed.
    case comment(CommentTarget, String?)
    /// IF EXISTS met nothing.
    case nothing(tag: String, missing: String)
    /// The plan's columns have the order and types of `columns`.
    case createTableAs(
        name: TableName, plan: LogicalPlan, columns: [TableColumn], ifNotExists: Bool, withData: Bool)
    case createView(name: TableName, ViewDefinition, columns: [Field], orReplace: Bool, isTemporary: Bool)
    /// The plan's columns have the order and types of `columns`.
    case createMaterializedView(
        name: TableName, ViewDefinition, plan: LogicalPlan, columns: [Field], ifNotExists: Bool)
    case refresh(TableName, withData: Bool)
    case createSchema(catalog: String, schema: String, ifNotExists: Bool)
    /// Names that exist; with IF EXISTS the missing ones are left out. For a schema `table` is empty.
    /// `missing` are names that IF EXISTS lets pass.
    case drop(DropKind, names: [TableName], missing: [String], ifExists: Bool, cascade: Bool)

    /// The plan's root is a `LogicalWrite`; its one row is the number of rows.
    case insert(LogicalPlan)
    case modify(BoundModification)
    /// A query or a modification whose WITH clause changes rows, too.
    case withChanges([BoundStep], BoundStatement)
    case copyTo(LogicalPlan, outputNames: [String], outputTypes: [DataType], CopyTarget, CopyOptions)
    /// The client or file supplies text for `columns` of the table, in this order.
    case copyFrom(table: TableName, columns: [Field], CopyTarget, CopyOptions, condition: String?)
    case truncate([TableName], restartsIdentity: Bool, cascade: Bool)

    /// No values: back to the default.
    case setVariable(name: String, values: [String], isLocal: Bool)
    /// `nil`: all settings.
    case resetVariable(name: String?)
    /// `nil`: all settings.
    case showVariable(name: String?)
    case showTables(catalog: String, schema: String?, all: Bool)
    case showSchemas
    case showDatabases
    case showFunctions
    /// DESCRIBE, SHOW COLUMNS.
    case describe(columns: [Field])

    case prepare(name: String, parameterTypes: [DataType], statement: Statement)
    /// Arguments are constants; they are cast to the statement's parameter types when it runs.
    case execute(name: String, arguments: [QueryPlan.Expression])
    /// `nil`: all.
    case deallocate(name: String?)
    case discard(Discard)
    case transaction(TransactionStatement)
    /// No tables: all.
    case analyze([TableName])
    /// There is nothing to clean up; statistics may be wanted.
    case vacuum([TableName], analyzes: Bool)

    case declareCursor(name: String, plan: LogicalPlan, outputNames: [String], outputTypes: [DataType], DeclareCursor)
    case fetch(Fetch)
    case closeCursor(name: String?)
    case listen(channel: String)
    case unlisten(channel: String?)
    case notify(channel: String, payload: String)
    case drainWorker(name: String)
    /// Values that sessions begin with, of one user or of all. No name: all settings; no value: as if none had been set.
    case alterDefaults(user: String?, name: String?, value: String?)
    case user(UserStatement)
}

/// A statement together with what binding found out about it.
package struct BindingResult: Sendable {
    package var statement: BoundStatement
    /// Types of the parameters `$1`… in order.
    package var parameterTypes: [DataType]
    /// Continues the plan's column identities; the optimiser draws from it.
    package var columnIDs: ColumnIDGenerator
    /// What columns of times and intervals are known to be cut to.
    package var columnModifiers: [ColumnID: TemporalModifier]
    /// The tables that the statement reads or writes, views resolved.
    package var tables: [TableName]
    /// The catalogue as the statement sees it, if it asks for it.
    package var catalogFacts: (any CatalogFacts)?
}

package enum DropKind: String, Hashable, Sendable {
    case table, view, schema, index, sequence
    case materializedView = "materialized view"
}

package enum TransactionStatement: Hashable, Sendable {
    case begin([TransactionMode], isStart: Bool)
    case commit(andChain: Bool)
    case rollback(andChain: Bool)
    case savepoint(String)
    case release(String)
    case rollbackTo(String)
    case setModes([TransactionMode], forSession: Bool)
}

package struct ExplainOptions: Hashable, Sendable {
    package enum Format: String, Hashable, Sendable { case text, json }
    package var analyze = false
    package var verbose = false
    package var costs = true
    package var timing = true
    package var summary = true
    package var format = Format.text
    package init() {}
}

/// Where COPY reads from or writes to.
package enum CopyTarget: Hashable, Sendable {
    case file(String)
    case client
}

package struct CopyOptions: Hashable, Sendable {
    /// `text`, `csv`, `binary`, `parquet` or `json`.
    package var format = "text"
    /// The options as written, by lower-case name; an option without a value is "true".
    package var options: [String: String] = [:]
    package init() {}
}

/// What a session brings to binding.
package struct BindingSession: Sendable {
    /// One element of the search path.
    package struct PathEntry: Hashable, Sendable {
        package var catalog: String
        package var schema: String
        package init(catalog: String, schema: String) {
            self.catalog = catalog
            self.schema = schema
        }
    }
    /// In order; new objects go into the first.
    package var searchPath: [PathEntry]
    /// Types of parameters as far as the client gave them; `nil` and beyond its end: inferred.
    package var parameterTypes: [DataType?]
    package var timeZone: String
    package var textStyle: TextStyle
    /// Microseconds since 1970 UTC.
    package var statementTimestamp: Int64
    package var user: String
    package var database: String
    /// Current values of settings by name, for `current_setting`.
    package var settings: [String: String]
    /// What `version()` gives.
    package var version: String
    /// The schema of the session's temporary tables; `pg_temp` in names.
    package var temporarySchema = "pg_temp"
    /// What `pg_backend_pid()` gives.
    package var processNumber = 0
    /// Reads the catalogue, for statements that ask for it.
    package var loadCatalogFacts: (@Sendable () async throws -> any CatalogFacts)?
    /// The catalogue, once it was read.
    package var catalogFacts: (any CatalogFacts)?

    package init(
        searchPath: [PathEntry], parameterTypes: [DataType?] = [], timeZone: String = "UTC",
        textStyle: TextStyle = TextStyle(),
        statementTimestamp: Int64 = 0, user: String = "martlet", database: String = "martlet",
        settings: [String: String] = [:], version: String = "PostgreSQL 15.0 (Martlet)"
    ) {
        self.searchPath = searchPath
        self.parameterTypes = parameterTypes
        self.timeZone = timeZone
        self.textStyle = textStyle
        self.statementTimestamp = statementTimestamp
        self.user = user
        self.database = database
        self.settings = settings
        self.version = version
    }
}
