// CREATE and REFRESH of materialized views.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLParser
import Storage

extension StatementRunner {
    func createMaterializedView(
        _ name: TableName, _ view: ViewDefinition, _ plan: LogicalPlan, _ columns: [Field], ifNotExists: Bool
    ) async throws -> StatementResult {
        if try await exists(name) { return try skipExisting(name, ifNotExists, tag: "CREATE MATERIALIZED VIEW") }
        let isPopulated = view.materialization?.isPopulated ?? false
        let result = try await createTableAs(
            name, plan,
            columns.enumerated().map { index, field in
                TableColumn(
                    field: field, userType: index < view.columnUserTypes.count ? view.columnUserTypes[index] : nil)
            }, withData: isPopulated)
        var stored = view
        stored.columnTypes = columns.map(\.type)
        catalog.setView(stored, for: name)
        return isPopulated ? result : StatementResult(tag: "CREATE MATERIALIZED VIEW")
    }

    /// Computes the view's query anew and puts its rows in place of the old ones.
    func refresh(_ name: TableName, withData: Bool) async throws -> StatementResult {
        guard var view = catalog.view(name), view.materialization != nil else {
            throw QueryError(.undefinedTable, "relation \"\(name.table)\" does not exist", object: name.table)
        }
        let definition = try await catalog.table(name).definition
        let writer = try await backend(name.catalog).makeReplacement(
            schema: name.schema, name: name.table, definition: definition)
        do {
            if withData { try await fill(writer, with: view.query, name) }
            try writer.commit()
        } catch {
            writer.abort()
            throw error
        }
        catalog.forget(name)
        view.materialization = ViewDefinition.Materialization(isPopulated: withData)
        catalog.setView(view, for: name)
        return StatementResult(tag: "REFRESH MATERIALIZED VIEW")
    }

    private func fill(_ writer: any TableWriter, with text: String, _ name: TableName) async throws {
        let query = try StatementParser.parseQuery(text)
        let bound = try await session.bindInScope(.query(query), parameterTypes: [])
        guard case .query(let plan, _, _) = bound.statement else {
            throw QueryError.internalError("a view that is no query")
        }
        let runner = StatementRunner(session: session, sql: text, context: context, ids: bound.columnIDs)
        let execution = try await runner.start(plan)
        do {
            while let batch = try await execution.rows.next() { try writer.write(batch.densified()) }
            await execution.waitForEnd()
        } catch {
            execution.cancel()
            throw error
        }
    }
}
