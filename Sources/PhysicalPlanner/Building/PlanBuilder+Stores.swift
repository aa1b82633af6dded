// Parts of a query that the store of a table computes itself.

import QueryPlan
import Storage

extension PlanBuilder {
    /// One row per group, computed by the store, if it computes just the same.
    func storeAggregate(_ node: LogicalAggregate, columns: [PlanColumn], rowCount: Double) throws -> Relation? {
        guard case .scan(let scan) = node.input, node.groupingSets == [Array(node.groups.indices)],
            let store = estimator.snapshot.stores[scan.table]
        else { return nil }
        let source = scanSource(scan, node.groups + node.aggregates.flatMap(\.expressions))
        let query = StoreQuery(
            predicates: try scan.predicates.map { try bind($0, source.columns) },
            grouping: StoreQuery.Grouping(
                groups: try node.groups.map { try bind($0, source.columns) },
                aggregates: try node.aggregates.map { try $0.mapExpressions { try bind($0, source.columns) } }))
        guard store.absorbs(query, projection: source.ordinals) else { return nil }
        return storeScan(scan, source.ordinals, query, columns: columns, rowCount: rowCount)
    }

    /// The first rows of a table by an order, or any of them, chosen by the store.
    func storeRows(_ scan: LogicalScan, _ keys: [SortKey], limit: Int, required: ColumnSet, rowCount: Double) throws
        -> Relation?
    {
        guard let store = estimator.snapshot.stores[scan.table] else { return nil }
        var needed = required
        for key in keys { key.expression.collectColumns(into: &needed) }
        for predicate in scan.predicates { predicate.collectColumns(into: &needed) }
        let kept = scan.columns.indices.filter { needed.contains(scan.columns[$0].id) }
        let (columns, ordinals) = (kept.map { scan.columns[$0] }, kept.map { scan.ordinals[$0] })
        let query = StoreQuery(
            predicates: try scan.predicates.map { try bind($0, columns) }, ordering: try bind(keys, columns),
            limit: limit
        )
        guard store.absorbs(query, projection: ordinals) else { return nil }
        return storeScan(scan, ordinals, query, columns: columns, rowCount: min(rowCount, Double(limit)))
    }

    private func scanSource(_ scan: LogicalScan, _ expressions: [Expression]) -> (
        columns: [PlanColumn], ordinals: [Int]
    ) {
        var needed = ColumnSet()
        for expression in expressions + scan.predicates { expression.collectColumns(into: &needed) }
        let kept = scan.columns.indices.filter { needed.contains(scan.columns[$0].id) }
        return (kept.map { scan.columns[$0] }, kept.map { scan.ordinals[$0] })
    }

    private func storeScan(
        _ scan: LogicalScan, _ ordinals: [Int], _ query: StoreQuery, columns: [PlanColumn], rowCount: Double
    ) -> Relation {
        let node = ScanNode(table: scan.table, projection: ordinals, limit: query.limit, storeQuery: query)
        let physical = makeNode(.scan(node), columns: columns, rowCount: rowCount)
        return placed(scan.table, physical, columns: columns)
            ?? Relation(node: physical, columns: columns, distribution: .single(.worker))
    }
}
