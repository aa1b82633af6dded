// What functions about the catalogue ask: objects, definitions, comments and settings as one statement sees them.

import Columnar
import Diagnostics

/// An object's definition in SQL.
package enum CatalogDefinition: Hashable, Sendable {
    /// Without the parentheses that are not needed, and with lines of at most so many bytes where columns allow it.
    case view(isPretty: Bool, wrapColumn: Int?)
    case constraint
    /// The column counts from 1; 0 is the whole index.
    case index(column: Int)
    /// A function's parameters, or its result.
    case functionArguments, functionResult
}

/// Facts about the catalogue. They belong to one statement; statements that need them run where the catalogue is.
package protocol CatalogFacts: ObjectNames {
    /// Whether the name without a schema means the object; `nil` if there is no such object.
    func isVisible(_ identifier: Int64, _ kind: RegisteredKind) -> Bool?
    func exists(_ identifier: Int64, _ kind: RegisteredKind) -> Bool
    func definition(_ identifier: Int64, _ definition: CatalogDefinition) -> String?
    /// What changes a relation, or one of its columns, takes: 4 for UPDATE, 8 for INSERT and 16 for DELETE, added up.
    func changeEvents(ofRelation identifier: Int64, column: Int64?) -> Int64
    /// The comment on an object; `catalogRelation` names the relation that lists it, such as `pg_class`; column 0 is the
    /// object itself.
    func comment(on identifier: Int64, in catalogRelation: String?, column: Int64) -> String?
    /// The sequence behind a column of a table that is given by its name. Errors: 42P01, 42703.
    func sequence(ofColumn column: String, table text: String) throws -> String?
    /// Bytes that a relation occupies, if they are known.
    func byteCount(ofRelation identifier: Int64) -> Int64?
    func columnExists(_ name: String, relation identifier: Int64) -> Bool
    /// Bytes of all relations of a database; `nil` if there is none of that name.
    func byteCount(ofDatabase name: String) -> Int64?
    func databaseName(_ identifier: Int64) -> String?
    /// The number of the schema of the session's temporary tables, 0 if it has none.
    var temporarySchema: Int64 { get }
    /// Stops what a session runs, or a query by its id. Returns whether there was such a session or query. Errors: 42501.
    func cancel(session number: Int64) throws -> Bool
    func cancel(query identifier: String) throws -> Bool
    /// Ends a session. Returns whether there was one. Errors: 42501.
    func terminate(session number: Int64) throws -> Bool
    /// A setting of the session; `nil` if there is none of that name.
    func setting(_ name: String) -> String?
    /// Changes a setting of the session and gives its new value.
    func changeSetting(_ name: String, to value: String) throws -> String
}

extension EvaluationContext {
    /// The facts, which a statement that calls such a function always has.
    func facts() throws -> any CatalogFacts {
        guard let catalogFacts else { throw QueryError.internalError("the catalogue was not made ready") }
        return catalogFacts
    }
}
