// Parts of a query that the store of a table computes itself.

import QueryPlan
import Storage

extension PlanBuilder {
    /// The rows of a join of tables of one store, if it joins them just the same and fewer rows cross by that.
    func storeJoin(_ plan: LogicalPlan, required: ColumnSet) throws -> Relation? {
        guard let tree = try joinTree(plan), tree.cost.favorsStore(resultCount: tree.cost.rowCount) else { return nil }
        let wanted = plan.columns.filter { required.contains($0.id) }
        let expressions = wanted.map { tree.resolved($0.reference) }
        guard let (base, query, columns) = try joined(tree, expressions, grouping: nil) else { return nil }
        let scan = storeScan(base.scan, base.ordinals, query, columns: columns, rowCount: tree.cost.rowCount)
        if zip(wanted, expressions).allSatisfy({ $1.asColumn == $0.id }) { return scan }
        let bound = try expressions.map { try bind($0, scan.columns) }
        let physical = makeNode(
            .project(ProjectNode(expressions: bound, input: scan.node)), columns: wanted, rowCount: scan.rowCount)
        return Relation(node: physical, columns: wanted, distribution: scan.distribution)
    }

    /// One row per group of such a join.
    private func storeJoinAggregate(_ node: LogicalAggregate, columns: [PlanColumn], rowCount: Double) throws
        -> Relation?
    {
        guard node.groupingSets == [Array(node.groups.indices)], let tree = try joinTree(node.input),
            rowCount <= tree.cost.rowCount * Self.groupShareMax, tree.cost.favorsStore(resultCount: rowCount)
        else { return nil }
        let grouping = StoreQuery.Grouping(
            groups: node.groups.map(tree.resolved),
            aggregates: node.aggregates.map { $0.mapExpressions(tree.resolved) })
        let expressions = grouping.groups + grouping.aggregates.flatMap(\.expressions)
        guard let (base, query, _) = try joined(tree, expressions, grouping: grouping) else { return nil }
        return storeScan(base.scan, base.ordinals, query, columns: columns, rowCount: rowCount)
    }

    /// Groups of fewer rows than two are the engine's.
    private static let groupShareMax = 0.5

    private func joinTree(_ plan: LogicalPlan) throws -> StoreTree? {
        guard !estimator.snapshot.stores.isEmpty, !isInRecursion, let tree = storeTree(plan), tree.isJoin else {
            return nil
        }
        return tree
    }

    /// A query for the tree, if the store of the tables absorbs it, and the columns of its result without groups.
    private func joined(_ tree: StoreTree, _ expressions: [Expression], grouping: StoreQuery.Grouping?) throws
        -> (base: (scan: LogicalScan, ordinals: [Int]), query: StoreQuery, columns: [PlanColumn])?
    {
        let (extensions, restrictions) = (tree.extensions, tree.restrictions)
        let predicates = tree.scans.flatMap(\.predicates) + tree.predicates
        var needed = ColumnSet()
        for expression in expressions { expression.collectColumns(into: &needed) }
        let taken = needed
        for expression in predicates + extensions.flatMap(\.predicates) + restrictions.flatMap(\.predicates) {
            expression.collectColumns(into: &needed)
        }
        for scan in extensions.flatMap(\.scans) + restrictions.flatMap(\.scans) {
            for predicate in scan.predicates { predicate.collectColumns(into: &needed) }
        }
        var columns: [PlanColumn] = []
        /// The columns of a scan that take part: they follow those of the scans before.
        func take(_ scan: LogicalScan) -> [Int] {
            let kept = scan.columns.indices.filter { needed.contains(scan.columns[$0].id) }
            columns += kept.map { scan.columns[$0] }
            return kept.map { scan.ordinals[$0] }
        }
        func table(_ scan: LogicalScan) -> StoreQuery.Table? {
            let ordinals = take(scan)
            guard let text = estimator.snapshot.stores[scan.table]?.joinDescription(projection: ordinals) else {
                return nil
            }
            return StoreQuery.Table(name: scan.table, description: text, columnCount: ordinals.count)
        }
        let base = (scan: tree.scans[0], ordinals: take(tree.scans[0]))
        let tables = tree.scans.dropFirst().compactMap(table)
        var joins = StoreQuery.Joins(tables: tables, restrictions: [], output: [])
        for part in extensions {
            let start = columns.count
            joins.extensions.append(
                StoreQuery.Extension(
                    tables: part.scans.compactMap(table), predicates: part.scans.flatMap(\.predicates) + part.predicates
                ))
            for index in start..<columns.count { columns[index].isNullable = true }
        }
        // Those of restrictions follow, and are no part of the result.
        let output = columns.indices.filter { taken.contains(columns[$0].id) }
        if grouping == nil { joins.output = output }
        for restriction in restrictions {
            joins.restrictions.append(
                StoreQuery.Restriction(
                    isNegated: restriction.isNegated, tables: restriction.scans.compactMap(table),
                    predicates: restriction.scans.flatMap(\.predicates) + restriction.predicates))
        }
        let others = extensions.flatMap(\.scans) + restrictions.flatMap(\.scans)
        guard joins.allTables.count == tree.scans.count - 1 + others.count else { return nil }
        let query = try StoreQuery(joins: joins, predicates: predicates, grouping: grouping).mapExpressions {
            try bind($0, columns)
        }
        guard let store = estimator.snapshot.stores[base.scan.table], store.absorbs(query, projection: base.ordinals)
        else { return nil }
        return (base, query, output.map { columns[$0] })
    }

    /// One row per group, computed by the store, if it computes just the same.
    func storeAggregate(_ node: LogicalAggregate, columns: [PlanColumn], rowCount: Double) throws -> Relation? {
        guard case .scan(let scan) = node.input else {
            return try storeJoinAggregate(node, columns: columns, rowCount: rowCount)
        }
        guard node.groupingSets == [Array(node.groups.indices)],
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
