// Statements that change the catalogue.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan
import Storage

extension StatementRunner {
    func runDefinition(_ statement: BoundStatement) async throws -> StatementResult {
        switch statement {
        case .createTable(let name, let columns, let ifNotExists):
            if try await exists(name) { return try skipExisting(name, ifNotExists, tag: "CREATE TABLE") }
            try await backend(name.catalog).createTable(schema: name.schema, name: name.table, columns: columns)
            return StatementResult(tag: "CREATE TABLE")
        case .createTableAs(let name, let plan, let columns, let ifNotExists, let withData):
            if try await exists(name) { return try skipExisting(name, ifNotExists, tag: "CREATE TABLE AS") }
            return try await createTableAs(name, plan, columns, withData: withData)
        case .createView(let name, let view, let orReplace):
            if session.engine.catalog.view(name) != nil && !orReplace {
                throw QueryError(.duplicateTable, "relation \"\(name.table)\" already exists", object: name.table)
            }
            session.engine.catalog.setView(view, for: name)
            return StatementResult(tag: "CREATE VIEW")
        case .createSchema(let catalog, let schema, let ifNotExists):
            let target = try backend(catalog)
            if try await target.schemaNames().contains(schema) {
                guard ifNotExists else {
                    throw QueryError(.duplicateSchema, "schema \"\(schema)\" already exists", object: schema)
                }
                return StatementResult(
                    tag: "CREATE SCHEMA",
                    notices: [QueryError(.duplicateSchema, "schema \"\(schema)\" already exists, skipping")])
            }
            try await target.createSchema(schema)
            return StatementResult(tag: "CREATE SCHEMA")
        case .drop(let kind, let names, let ifExists, let cascade):
            return try await drop(kind, names, ifExists: ifExists, cascade: cascade)
        case .truncate: throw QueryError.notSupported("TRUNCATE")
        default: throw QueryError.internalError("not a statement that changes the catalogue")
        }
    }

    private func backend(_ catalog: String) throws -> any StorageBackend {
        guard let backend = session.engine.catalog.backend(catalog) else {
            throw QueryError(.invalidCatalogName, "catalog \"\(catalog)\" does not exist", object: catalog)
        }
        return backend
    }

    private func exists(_ name: TableName) async throws -> Bool {
        if session.engine.catalog.view(name) != nil { return true }
        return try await backend(name.catalog).table(schema: name.schema, name: name.table) != nil
    }

    private func skipExisting(_ name: TableName, _ ifNotExists: Bool, tag: String) throws -> StatementResult {
        guard ifNotExists else {
            throw QueryError(.duplicateTable, "relation \"\(name.table)\" already exists", object: name.table)
        }
        return StatementResult(
            tag: tag, notices: [QueryError(.duplicateTable, "relation \"\(name.table)\" already exists, skipping")])
    }

    /// All or nothing: if the query fails, the table goes again.
    private func createTableAs(
        _ name: TableName, _ plan: LogicalPlan, _ columns: [Field], withData: Bool
    ) async throws -> StatementResult {
        let target = try backend(name.catalog)
        try await target.createTable(schema: name.schema, name: name.table, columns: columns)
        guard withData else { return StatementResult(tag: "CREATE TABLE AS") }
        let count = PlanColumn(id: ids.next(), name: "count", type: .int64, isNullable: false)
        let write = LogicalPlan.write(LogicalWrite(target: .insert(name), countColumn: count, input: plan))
        do {
            return StatementResult(tag: "SELECT \(try await runWrite(write))")
        } catch {
            try? await target.dropTable(schema: name.schema, name: name.table)
            throw error
        }
    }

    private func drop(
        _ kind: DropKind, _ names: [TableName], ifExists: Bool, cascade: Bool
    ) async throws -> StatementResult {
        for name in names {
            switch kind {
            case .table:
                try await backend(name.catalog).dropTable(schema: name.schema, name: name.table)
                session.engine.catalog.forget(name)
            case .view:
                session.engine.catalog.setView(nil, for: name)
                session.engine.catalog.forget(name)
            case .schema:
                let target = try backend(name.catalog)
                if ifExists, try await !target.schemaNames().contains(name.schema) { continue }
                let tables = try await target.tableNames(schema: name.schema)
                if !tables.isEmpty && !cascade {
                    throw QueryError(
                        SQLState("2BP01"), "cannot drop schema \(name.schema) because other objects depend on it",
                        hint: "Use DROP ... CASCADE to drop the dependent objects too.")
                }
                for table in tables { try await target.dropTable(schema: name.schema, name: table) }
                try await target.dropSchema(name.schema)
            }
        }
        return StatementResult(tag: "DROP \(kind.rawValue.uppercased())")
    }
}
