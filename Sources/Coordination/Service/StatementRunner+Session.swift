// Statements about the session and about what there is: SET, SHOW, DESCRIBE, DISCARD.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLParser
import Storage
import Synchronization
import SystemCatalog

extension StatementRunner {
    /// The worker gets no more tasks and leaves when those that it has are done.
    func drainWorker(_ name: String) async throws -> StatementResult {
        let id = WorkerID(name)
        guard let worker = engine.directory.summaries().first(where: { $0.id == id }) else {
            throw QueryError(.undefinedObject, "worker \"\(name)\" does not exist", object: name)
        }
        guard worker.controlAddress != "local" else {
            throw QueryError(
                .objectNotInPrerequisiteState, "worker \"\(name)\" is part of the coordinator's process")
        }
        await engine.directory.drain(id)
        return StatementResult(tag: "ALTER WORKER")
    }

    func runSessionStatement(_ statement: BoundStatement) async throws -> StatementResult {
        let catalog = session.engine.catalog
        switch statement {
        case .setVariable(let name, let values, let isLocal):
            if isLocal, !session.noteLocalSetting(name) {
                return StatementResult(
                    tag: "SET",
                    notices: [
                        QueryError(.noActiveSQLTransaction, "SET LOCAL can only be used in transaction blocks")
                    ])
            }
            try session.changeSetting(name, to: values.isEmpty ? nil : values.joined(separator: ", "))
            return StatementResult(tag: "SET")
        case .resetVariable(let name):
            if let name { try session.changeSetting(name, to: nil) } else { try session.resetSettings() }
            return StatementResult(tag: "RESET")
        case .showVariable(let name): return try show(name)
        case .showTables(let name, let schema, let all): return try await showTables(name, schema, all)
        case .showSchemas:
            var rows: [[String]] = []
            for name in catalog.catalogNames {
                for schema in try await catalog.backend(name)?.schemaNames() ?? [] { rows.append([name, schema]) }
            }
            return Self.table(["catalog_name", "schema_name"], rows, tag: "SHOW")
        case .showDatabases: return Self.table(["database_name"], catalog.catalogNames.map { [$0] }, tag: "SHOW")
        case .showFunctions:
            let rows = FunctionReference.entries(session.engine.registry).map {
                [$0.name, $0.kind, $0.arguments, $0.result, $0.text]
            }
            return Self.table(Session.functionColumns, rows, tag: "SHOW")
        case .describe(let columns):
            let rows = columns.map { [$0.name, $0.typeName, $0.isNullable ? "YES" : "NO"] }
            return Self.table(["column_name", "column_type", "null"], rows, tag: "SHOW")
        case .discard(let what):
            if what == .all, session.state.withLock({ $0.block != nil }) {
                throw QueryError(
                    .activeSQLTransaction, "DISCARD ALL cannot run inside a transaction block")
            }
            if what == .all || what == .temporary { try await dropTemporaryObjects() }
            session.state.withLock { state in
                if what == .all { state.prepared = [:] }
                if what == .all || what == .sequences { state.sequences = SequenceValues() }
            }
            if what == .all {
                session.closeCursors()
                try session.resetSettings()
            }
            let word = what == .temporary ? "TEMP" : what.rawValue.uppercased()
            return StatementResult(tag: "DISCARD \(word)")
        default: throw QueryError.internalError("not a session statement")
        }
    }

    private func show(_ name: String?) throws -> StatementResult {
        let settings = session.settings
        if let name {
            let value = try settings.value(name)
            return Self.table(
                [SessionSettings.reportedName(SessionSettings.canonicalName(name))], [[value]], tag: "SHOW")
        }
        let rows = SessionSettings.allDefinitions.map { [$0.name, settings[$0.name], $0.text] }
        return Self.table(["name", "setting", "description"], rows, tag: "SHOW")
    }

    private func showTables(_ name: String, _ schema: String?, _ all: Bool) async throws -> StatementResult {
        let catalog = session.engine.catalog
        var rows: [[String]] = []
        for catalogName in catalog.catalogNames where all || catalogName == name || schema == nil {
            guard let backend = catalog.backend(catalogName) else { continue }
            let schemas: [String]
            if let schema {
                schemas = [schema]
            } else {
                schemas = all ? try await backend.schemaNames() : session.settings.searchPath
            }
            for schemaName in schemas {
                for table in try await backend.tableNames(schema: schemaName) {
                    rows.append([catalogName, schemaName, table, "table"])
                }
            }
        }
        for (view, _) in catalog.views() { rows.append([view.catalog, view.schema, view.table, "view"]) }
        rows.sort { ($0[1], $0[2]) < ($1[1], $1[2]) }
        return Self.table(["catalog", "schema", "name", "type"], rows, tag: "SHOW")
    }

    /// A result of text columns.
    static func table(_ names: [String], _ rows: [[String]], tag: String) -> StatementResult {
        let fields = names.map { Field(name: $0, type: .text) }
        let batch = Batch.rows(rows.map { $0.map { ScalarValue.string($0) } }, types: fields.map(\.type))
        return StatementResult(fields: fields, batches: [batch], tag: tag)
    }
}

extension Session {
    /// Columns of SHOW FUNCTIONS.
    static let functionColumns = ["function_name", "kind", "arguments", "result", "description"]

    /// The columns that a bound statement gives, `nil` if it gives none.
    func resultFields(_ bound: BindingResult) throws -> [Field]? {
        try resultFields(bound.statement, bound.columnModifiers)
    }

    private func resultFields(
        _ statement: BoundStatement, _ modifiers: [ColumnID: TemporalModifier]
    ) throws -> [Field]? {
        switch statement {
        case .query(let plan, let names, let types): return StatementRunner.fields(names, types, plan, modifiers)
        case .explain(_, let options):
            return [Field(name: "QUERY PLAN", type: options.format.resultType, isNullable: false)]
        case .showVariable(.some(let name)):
            return [Field(name: SessionSettings.reportedName(SessionSettings.canonicalName(name)), type: .text)]
        case .showVariable(.none): return ["name", "setting", "description"].map { Field(name: $0, type: .text) }
        case .showTables: return ["catalog", "schema", "name", "type"].map { Field(name: $0, type: .text) }
        case .showSchemas: return ["catalog_name", "schema_name"].map { Field(name: $0, type: .text) }
        case .showDatabases: return [Field(name: "database_name", type: .text)]
        case .showFunctions: return Self.functionColumns.map { Field(name: $0, type: .text) }
        case .describe: return ["column_name", "column_type", "null"].map { Field(name: $0, type: .text) }
        case .execute(let name, _):
            return state.withLock { $0.prepared[name]?.fields }
        case .fetch(let fetch):
            if fetch.isMove { return nil }
            return cursorFields(fetch.cursor.text)
        case .withChanges(_, let main): return try resultFields(main, modifiers)
        case .modify(let modification):
            guard modification.returnsRows else { return nil }
            return zip(modification.returningNames, modification.returningTypes).map { Field(name: $0, type: $1) }
        default: return nil
        }
    }
}
