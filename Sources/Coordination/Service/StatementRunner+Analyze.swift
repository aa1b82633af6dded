// ANALYZE, which counts the different values of a table's columns for the planner, and COMMENT ON.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLFunctions
import Storage

extension StatementRunner {
    /// Without tables: all tables that are kept in memory. Files and generated tables are analysed by their names.
    func analyze(_ tables: [TableName]) async throws -> StatementResult {
        let catalog = session.engine.catalog
        var names = tables
        if names.isEmpty {
            for catalogName in catalog.catalogNames {
                guard let backend = catalog.backend(catalogName), backend.isCoordinatorOnly else { continue }
                for schema in try await backend.schemaNames() {
                    for table in try await backend.tableNames(schema: schema) {
                        names.append(TableName(catalog: catalogName, schema: schema, table: table))
                    }
                }
            }
        }
        for name in names where name.catalog != Catalog.systemCatalog { try await analyze(name) }
        return StatementResult(tag: "ANALYZE")
    }

    /// Rows that were deleted are gone as soon as no transaction sees them, so that only statistics are left to be done.
    func vacuum(_ tables: [TableName], analyzes: Bool) async throws -> StatementResult {
        if session.transactionStatus != .idle {
            throw QueryError(.activeSQLTransaction, "VACUUM cannot run inside a transaction block")
        }
        if analyzes { _ = try await analyze(tables) }
        return StatementResult(tag: "VACUUM")
    }

    /// One aggregation over all columns that can be counted.
    private func analyze(_ name: TableName) async throws {
        let table = try await session.engine.catalog.table(name)
        let columns = table.schema.fields.map {
            PlanColumn(id: ids.next(), name: $0.name, type: $0.type, isNullable: $0.isNullable)
        }
        var calls: [AggregateCall] = []
        var ordinals: [Int] = []
        for (ordinal, column) in columns.enumerated() {
            guard let resolved = try? session.engine.registry.resolveAggregate("approx_count_distinct", [column.type])
            else { continue }
            calls.append(
                AggregateCall(name: "approx_count_distinct", arguments: [column.reference], type: resolved.resultType))
            ordinals.append(ordinal)
        }
        guard !calls.isEmpty else { return }
        let results = calls.map {
            PlanColumn(id: ids.next(), name: "distinct", type: $0.type, isNullable: true)
        }
        let scan = LogicalPlan.scan(LogicalScan(table: name, columns: columns, ordinals: Array(columns.indices)))
        let plan = LogicalPlan.aggregate(
            LogicalAggregate(
                groupColumns: [], groups: [], groupingSets: [[]], aggregateColumns: results, aggregates: calls,
                input: scan))
        let execution = try await start(plan)
        var counts = [Double?](repeating: nil, count: columns.count)
        while let batch = try await execution.rows.next() {
            for (position, ordinal) in ordinals.enumerated() where batch.rowCount > 0 {
                if case .integer(let count) = batch.column(position).value(at: 0) { counts[ordinal] = Double(count) }
            }
        }
        await execution.waitForEnd()
        session.engine.catalog.setDistinctCounts(counts, of: name)
    }

    // MARK: - COMMENT

    func comment(_ target: CommentTarget, _ text: String?) async throws -> StatementResult {
        switch target {
        case .relation, .column, .constraint: break
        case .schema(_, let name):
            var isKnown = Catalog.systemSchemas.contains(name)
            for catalogName in catalog.catalogNames where !isKnown {
                isKnown = try await catalog.backend(catalogName)?.schemaNames().contains(name) ?? false
            }
            guard isKnown else {
                throw QueryError(.invalidSchemaName, "schema \"\(name)\" does not exist", object: name)
            }
        case .database(let name):
            guard name == session.database || catalog.catalogNames.contains(name) else {
                throw QueryError(.invalidCatalogName, "database \"\(name)\" does not exist", object: name)
            }
        }
        catalog.change { $0.comments[target] = .some(text.flatMap { $0.isEmpty ? nil : $0 }) }
        return StatementResult(tag: "COMMENT")
    }
}
