// Joins of tables of one store, taken apart, and what it would cost to let the store do them.

import QueryPlan
import Storage

/// A tree of joins over tables of one catalogue, as all combinations of rows under conditions.
struct StoreTree {
    struct Restriction {
        var isNegated: Bool
        var scans: [LogicalScan]
        var predicates: [Expression]
    }
    /// The right side of an outer join.
    struct Extension {
        var scans: [LogicalScan]
        var predicates: [Expression]
    }
    var scans: [LogicalScan]
    /// Conditions of the joins, over extended rows; those of the scans stay there.
    var predicates: [Expression] = []
    /// In their order.
    var extensions: [Extension] = []
    var restrictions: [Restriction] = []
    /// Columns that projections compute, over columns of the scans.
    var definitions: [ColumnID: Expression] = [:]
    var cost: StoreCost

    var isJoin: Bool { scans.count > 1 || !extensions.isEmpty || !restrictions.isEmpty }

    /// The table, if there is nothing else.
    var onlyScan: LogicalScan? { isJoin ? nil : scans.first }

    /// The expression over columns of the scans.
    func resolved(_ expression: Expression) -> Expression {
        if definitions.isEmpty { return expression }
        return expression.rewritten { part in
            if case .column(let id, _) = part, let definition = definitions[id] { return definition }
            return part
        }
    }
}

/// What rows cost on their way, in about a microsecond. The numbers are those of a server beside the engine.
struct StoreCost {
    /// A row that is read one after the other, one that a hash join takes in, and a row that crosses to the engine.
    static let reading = 0.1
    static let hashing = 0.2
    static let moving = 1.0
    /// A look-up in an index, and a row found by it: those of a primary key's first columns tend to lie together.
    static let lookUp = 4.0
    static let findingScattered = 1.5
    static let findingTogether = 0.2
    /// A row of a scan that is tested with the keys of a join.
    static let testing = 0.15
    /// The share of the engine's way that the store's must stay below.
    static let advantage = 0.9

    var rowCount: Double
    /// Of all rows in the store, without their way to the engine.
    var inStore: Double
    /// Of all rows in the engine, and how many cross for that.
    var inEngine: Double
    var movedCount: Double
    /// Several keys at once are taken for independent by a server: it expects too few rows then, and looks others up for each of
    /// them where a hash join would be less work.
    var isUnderestimated = false

    /// Whether the store should do it, if so many rows of the result cross.
    func favorsStore(resultCount: Double) -> Bool {
        inStore + resultCount * Self.moving < Self.advantage * inEngine && resultCount <= movedCount
    }
}

extension PlanBuilder {
    /// The plan as a tree of joins; `nil` if it is more than that, or its tables lie in several places.
    func storeTree(_ plan: LogicalPlan) -> StoreTree? {
        switch plan {
        case .scan(let scan):
            guard estimator.snapshot.stores[scan.table] != nil else { return nil }
            let rowCount = estimator.rowCount(of: plan, inputs: [])
            let read = tableRowCount(scan) * StoreCost.reading
            return StoreTree(
                scans: [scan],
                cost: StoreCost(
                    rowCount: rowCount, inStore: read, inEngine: read + rowCount * StoreCost.moving,
                    movedCount: rowCount))
        case .filter(let node):
            guard var tree = storeTree(node.input), Self.isMovable(node.predicate) else { return nil }
            tree.predicates += node.predicate.conjuncts.map(tree.resolved)
            tree.cost.rowCount = estimator.rowCount(of: plan, inputs: [tree.cost.rowCount])
            return tree
        case .project(let node):
            guard var tree = storeTree(node.input), node.expressions.allSatisfy(Self.isMovable) else { return nil }
            tree.cost.rowCount = estimator.rowCount(of: plan, inputs: [tree.cost.rowCount])
            for (column, expression) in zip(node.columns, node.expressions) where expression.asColumn != column.id {
                tree.definitions[column.id] = tree.resolved(expression)
            }
            return tree
        case .join(let node): return storeTree(node, plan)
        default: return nil
        }
    }

    private func storeTree(_ node: LogicalJoin, _ plan: LogicalPlan) -> StoreTree? {
        guard !node.isDependent, !node.isNullAware, Self.isMovable(node.condition),
            var left = storeTree(node.left), let right = storeTree(node.right),
            left.scans[0].table.catalog == right.scans[0].table.catalog
        else { return nil }
        let rowCount = estimator.rowCount(of: plan, inputs: [left.cost.rowCount, right.cost.rowCount])
        let cost = storeCost(node, left, right, rowCount: rowCount)
        switch node.kind {
        case .inner:
            left.definitions.merge(right.definitions) { first, _ in first }
            left.scans += right.scans
            left.predicates += right.predicates + node.condition.conjuncts.map(left.resolved)
            left.extensions += right.extensions
            left.restrictions += right.restrictions
        case .left:
            // What is computed below the join is NULL where there is no row, whatever it would make of NULLs.
            guard right.restrictions.isEmpty, right.extensions.isEmpty, node.condition != .true,
                right.definitions.values.allSatisfy({ $0.asColumn != nil })
            else { return nil }
            left.definitions.merge(right.definitions) { first, _ in first }
            left.extensions.append(
                StoreTree.Extension(
                    scans: right.scans, predicates: right.predicates + node.condition.conjuncts.map(left.resolved)))
        case .semi, .anti:
            guard right.restrictions.isEmpty, right.extensions.isEmpty, node.condition != .true else { return nil }
            let definitions = left.definitions
            left.definitions.merge(right.definitions) { first, _ in first }
            let condition = node.condition.conjuncts.map(left.resolved)
            left.definitions = definitions
            left.restrictions.append(
                StoreTree.Restriction(
                    isNegated: node.kind == .anti, scans: right.scans, predicates: right.predicates + condition))
        default: return nil
        }
        left.cost = cost
        return left
    }

    private static func isMovable(_ expression: Expression) -> Bool {
        !expression.isVolatile && !expression.hasEffects && !expression.needsCoordinator
    }

    private func tableRowCount(_ scan: LogicalScan) -> Double {
        max(1, estimator.snapshot.tables[scan.table]?.rowCount ?? 10_000)
    }

    // MARK: Costs

    private func storeCost(_ node: LogicalJoin, _ left: StoreTree, _ right: StoreTree, rowCount: Double) -> StoreCost {
        let (a, b) = (left.cost, right.cost)
        var inStore = a.inStore + b.inStore + (a.rowCount + b.rowCount) * StoreCost.hashing
        // A server hashes for an outer join in one process, and keeps every row: the engine's readers do that together.
        if node.kind == .left { inStore = .infinity }
        if let found = lookUpCost(into: right, from: a, node.condition, rowCount: rowCount) {
            inStore = a.isUnderestimated ? found : min(inStore, found)
        }
        // A semi-join is an inner join with each row of the right once. All rows of the left are wanted of the others.
        if node.kind != .anti, node.kind != .left,
            let found = lookUpCost(into: left, from: b, node.condition, rowCount: rowCount)
        {
            inStore = b.isUnderestimated ? found : min(inStore, found)
        }
        // The engine builds the smaller side, and of the other one only rows with its keys cross.
        let probe = a.rowCount < b.rowCount ? right : left
        let probed = probe.cost.rowCount
        var crossing = probed
        let keyCount = node.condition.conjuncts.filter { $0.asEquality != nil }.count
        if keyCount > 0 {
            switch node.kind {
            case .inner: crossing = min(probed, rowCount)
            case .left where a.rowCount < b.rowCount: crossing = min(probed, rowCount)
            case .semi where a.rowCount >= b.rowCount: crossing = min(probed, rowCount)
            case .anti where a.rowCount >= b.rowCount, .left: break
            default: crossing = min(probed, min(a.rowCount, b.rowCount) * Self.matchesGuessed)
            }
        }
        let isRead = probe.onlyScan != nil
        let saved = isRead ? probed - crossing : 0
        return StoreCost(
            rowCount: rowCount, inStore: inStore,
            inEngine: a.inEngine + b.inEngine - saved * StoreCost.moving + (isRead ? probed * StoreCost.testing : 0),
            movedCount: a.movedCount + b.movedCount - saved,
            isUnderestimated: keyCount > 1 || a.isUnderestimated || b.isUnderestimated)
    }

    /// Rows with the same key on the side that only has to match.
    private static let matchesGuessed = 4.0

    /// What it costs to look the rows of a table up for those of the other side; `nil` if no index helps.
    private func lookUpCost(
        into tree: StoreTree, from other: StoreCost, _ condition: Expression, rowCount: Double
    ) -> Double? {
        guard let scan = tree.onlyScan, let store = estimator.snapshot.stores[scan.table] else { return nil }
        var keys: Set<Int> = []
        for case (let a, let b, _)? in condition.conjuncts.map(\.asEquality) {
            for side in [a, b] {
                guard let id = side.asColumn, let index = scan.columns.firstIndex(where: { $0.id == id }) else {
                    continue
                }
                keys.insert(scan.ordinals[index])
            }
        }
        guard let index = store.indexedColumns.first(where: { $0.first.map(keys.contains) ?? false }) else {
            return nil
        }
        // What the table's own conditions drop is found before.
        let found = max(rowCount, other.rowCount) * tableRowCount(scan) / max(1, tree.cost.rowCount)
        let isPrimary = store.definition.keys.contains { $0.kind == .primary && $0.columns.first == index.first }
        return other.inStore + other.rowCount * StoreCost.lookUp
            + min(found, tableRowCount(scan)) * (isPrimary ? StoreCost.findingTogether : StoreCost.findingScattered)
    }
}
