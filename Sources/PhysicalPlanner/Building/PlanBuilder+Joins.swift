// Joins: hash or nested loop, which side is built, and whether a side is broadcast or both are partitioned.

import Columnar
import Diagnostics
import QueryPlan

/// A join between choosing its parts and making its operator.
private struct JoinParts {
    var kind: JoinKind
    var left: Relation
    var right: Relation
    var keys: [(left: Expression, right: Expression, nullsAreEqual: Bool)]
    var residual: [Expression]
    var isNullAware: Bool
    var isBroadcast = false

    /// The same join with the sides exchanged, if there is one.
    var exchanged: JoinParts? {
        guard !isNullAware, let kind = kind.exchanged else { return nil }
        return JoinParts(
            kind: kind, left: right, right: left, keys: keys.map { ($0.right, $0.left, $0.nullsAreEqual) },
            residual: residual, isNullAware: false)
    }
}

extension JoinKind {
    /// The kind that gives the same rows when left and right are exchanged.
    fileprivate var exchanged: JoinKind? {
        switch self {
        case .inner: .inner
        case .full: .full
        case .left: .right
        case .right: .left
        case .semi: .rightSemi
        case .anti: .rightAnti
        case .rightSemi: .semi
        case .rightAnti: .anti
        case .mark, .single: nil
        }
    }

    /// Whether a side's rows only say that there is a match.
    fileprivate var asksLeft: Bool { self == .rightSemi || self == .rightAnti }
    fileprivate var asksRight: Bool { self == .semi || self == .anti }

    /// Whether the right rows may be the same in every task: none of them is given out by itself.
    fileprivate var allowsBroadcast: Bool {
        switch self {
        case .inner, .left, .semi, .anti, .mark, .single: true
        case .right, .full, .rightSemi, .rightAnti: false
        }
    }
}

extension PlanBuilder {
    func build(_ node: LogicalJoin, _ plan: LogicalPlan, required: ColumnSet) throws -> Relation {
        if node.isDependent { throw QueryError.internalError("a dependent join was not decorrelated") }
        if let stored = try storeJoin(plan, required: required) { return stored }
        var needed = required
        node.condition.collectColumns(into: &needed)
        let left = try build(node.left, required: needed)
        let right = try build(node.right, required: needed)
        let rowCount = estimator.rowCount(of: plan, inputs: [left.rowCount, right.rowCount])
        var parts = JoinParts(kind: node.kind, left: left, right: right, keys: [], residual: [], isNullAware: false)
        splitCondition(node, into: &parts)
        var columns = plan.columns
        if parts.keys.isEmpty {
            return try nestedLoop(
                parts, mark: node.markColumn, isNullAware: node.isNullAware, needed: needed, rowCount: rowCount)
        }
        chooseBuildSide(&parts)
        try distribute(&parts, needed: needed)
        columns = outputColumns(parts, mark: node.markColumn)
        let inputColumns = parts.left.columns + parts.right.columns
        let kept = columns.indices.filter { required.contains(columns[$0].id) }
        let join = HashJoinNode(
            kind: parts.kind, leftKeys: try parts.keys.map { try bind($0.left, parts.left.columns) },
            rightKeys: try parts.keys.map { try bind($0.right, parts.right.columns) },
            nullsAreEqual: parts.keys.map(\.nullsAreEqual),
            residual: parts.residual.isEmpty ? nil : try bind(.conjunction(parts.residual), inputColumns),
            isNullAware: parts.isNullAware, outputColumns: kept, isBroadcast: parts.isBroadcast,
            left: parts.left.node, right: parts.right.node)
        let output = kept.map { columns[$0] }
        return Relation(
            node: makeNode(.hashJoin(join), columns: output, rowCount: rowCount), columns: output,
            distribution: distribution(of: parts))
    }

    /// Finds the keys: equalities between an expression of the left and one of the right.
    private func splitCondition(_ node: LogicalJoin, into parts: inout JoinParts) {
        let (leftColumns, rightColumns) = (ColumnSet(parts.left.columns), ColumnSet(parts.right.columns))
        for conjunct in node.condition.conjuncts {
            if let (a, b, nullsAreEqual) = conjunct.asEquality, !conjunct.isVolatile {
                let (aColumns, bColumns) = (a.columnSet, b.columnSet)
                if !aColumns.isEmpty, !bColumns.isEmpty {
                    if aColumns.isSubset(of: leftColumns), bColumns.isSubset(of: rightColumns) {
                        parts.keys.append((a, b, nullsAreEqual))
                        continue
                    }
                    if aColumns.isSubset(of: rightColumns), bColumns.isSubset(of: leftColumns) {
                        parts.keys.append((b, a, nullsAreEqual))
                        continue
                    }
                }
            }
            parts.residual.append(conjunct)
        }
        guard node.isNullAware else { return }
        // The hash join knows what an unknown comparison means if there is one key and nothing else. Otherwise the
        // condition is tried row by row, with "unknown" written out for NOT IN.
        if parts.keys.count == 1, parts.residual.isEmpty, !parts.keys[0].nullsAreEqual {
            parts.isNullAware = true
        } else {
            parts.keys = []
            parts.residual =
                node.kind == .anti ? [.coalesce([node.condition, .true], type: .boolean)] : [node.condition]
        }
    }

    /// The hash table is built on the smaller side.
    private func chooseBuildSide(_ parts: inout JoinParts) {
        guard let exchanged = parts.exchanged else { return }
        let (left, right) = (parts.left.rowCount, parts.right.rowCount)
        // Kinds that must remember which build rows matched cost a little more.
        let factor =
            switch parts.kind {
            case .inner, .full: 1.0
            case .left, .semi, .anti: 0.7
            case .right, .rightSemi, .rightAnti: 1.4
            case .mark, .single: 0.0
            }
        if left < right * factor { parts = exchanged }
    }

    private func outputColumns(_ parts: JoinParts, mark: PlanColumn?) -> [PlanColumn] {
        let (left, right) = (parts.left.columns, parts.right.columns)
        switch parts.kind {
        case .inner: return left + right
        case .left, .single: return left + right.map(\.nullable)
        case .right: return left.map(\.nullable) + right
        case .full: return (left + right).map(\.nullable)
        case .semi, .anti: return left
        case .rightSemi, .rightAnti: return right
        case .mark: return left + (mark.map { [$0] } ?? [])
        }
    }

    private func nestedLoop(
        _ parts: JoinParts, mark: PlanColumn?, isNullAware: Bool, needed: ColumnSet, rowCount: Double
    ) throws -> Relation {
        var parts = parts
        switch parts.kind {
        case .right: parts = parts.exchanged ?? parts
        case .inner: if parts.left.rowCount < parts.right.rowCount { parts = parts.exchanged ?? parts }
        default: break
        }
        parts.right = prune(parts.right, to: needed)
        switch (parts.left.distribution, parts.right.distribution) {
        case (.single, .single): break
        case (.partitioned, _) where parts.kind.allowsBroadcast:
            parts.right = broadcast(parts.right)
            parts.isBroadcast = true
        case (.single, .partitioned) where parts.kind == .inner:
            let left = parts.left
            parts.left = parts.right
            parts.right = broadcast(prune(left, to: needed))
            parts.isBroadcast = true
        default:
            parts.left = gathered(parts.left, required: needed)
            parts.right = gathered(parts.right)
        }
        let columns = outputColumns(parts, mark: mark)
        var predicate = Expression.conjunction(parts.residual)
        if parts.kind == .mark, !isNullAware { predicate = .coalesce([predicate, .false], type: .boolean) }
        let condition = try bind(predicate, parts.left.columns + parts.right.columns)
        let join = NestedLoopJoinNode(
            kind: parts.kind, condition: condition, left: parts.left.node, right: parts.right.node)
        return Relation(
            node: makeNode(.nestedLoopJoin(join), columns: columns, rowCount: rowCount), columns: columns,
            distribution: distribution(of: parts))
    }

    // MARK: Distribution

    /// Brings the sides together: rows with equal keys in one task, or the build side in all of them.
    private func distribute(_ parts: inout JoinParts, needed: ColumnSet) throws {
        if parts.left.distribution.isSingle, parts.right.distribution.isSingle { return }
        let leftBytes = parts.left.rowCount * estimator.byteCount(parts.left.columns)
        let rightBytes = parts.right.rowCount * estimator.byteCount(parts.right.columns)
        let workers = Double(options.workerCount)
        func isPlaced(_ relation: Relation, _ keys: [Expression]) -> [Int]? {
            relation.distribution.hash.flatMap { Self.keyOrder($0, keys) }
        }
        let leftOrder = isPlaced(parts.left, parts.keys.map(\.left))
        let rightOrder = isPlaced(parts.right, parts.keys.map(\.right))
        var partitionCost = (leftOrder == nil ? leftBytes : 0) + (rightOrder == nil ? rightBytes : 0)
        if let leftOrder, let rightOrder, leftOrder != rightOrder { partitionCost = min(leftBytes, rightBytes) }
        // Sent to every worker, and built there as a whole.
        let broadcastCost = rightBytes * workers
        if parts.kind.allowsBroadcast {
            let isFitting =
                options.joinDistribution.map { $0 == .broadcast }
                ?? (rightBytes <= options.broadcastByteLimit && broadcastCost <= partitionCost)
            if parts.isNullAware || (isFitting && !parts.left.distribution.isSingle) {
                if parts.left.distribution.isSingle {
                    parts.right = gathered(parts.right, required: needed)
                } else {
                    parts.right = broadcast(prune(parts.right, to: needed))
                    parts.isBroadcast = true
                }
                return
            }
        }
        try partition(&parts, leftOrder: leftOrder, rightOrder: rightOrder, needed: needed)
    }

    private func partition(_ parts: inout JoinParts, leftOrder: [Int]?, rightOrder: [Int]?, needed: ColumnSet) throws {
        if let leftOrder, leftOrder == rightOrder { return }
        var (left, leftKeys) = try materialize(parts.keys.map(\.left), in: parts.left)
        var (right, rightKeys) = try materialize(parts.keys.map(\.right), in: parts.right)
        for index in parts.keys.indices {
            parts.keys[index].left = .column(leftKeys[index], parts.keys[index].left.type)
            parts.keys[index].right = .column(rightKeys[index], parts.keys[index].right.type)
        }
        var all = needed
        for id in leftKeys + rightKeys { all.insert(id) }
        // A side that lies right already stays; the other follows the order of its keys.
        let order = leftOrder ?? rightOrder ?? Array(parts.keys.indices)
        leftKeys = order.map { leftKeys[$0] }
        rightKeys = order.map { rightKeys[$0] }
        if leftOrder == nil {
            left = prune(left, to: all)
            left = hashed(parts.kind.asksLeft ? reduced(left, parts, to: leftKeys) : left, by: leftKeys)
        }
        if rightOrder == nil || leftOrder != nil {
            right = prune(right, to: all)
            right = hashed(parts.kind.asksRight ? reduced(right, parts, to: rightKeys) : right, by: rightKeys)
        }
        parts.left = left
        parts.right = right
    }

    /// One row of each task for every key, of a side that is only asked whether it has a row, if that leaves much less to send
    /// and the keys are few enough to be told apart cheaply.
    private func reduced(_ relation: Relation, _ parts: JoinParts, to keys: [ColumnID]) -> Relation {
        guard parts.residual.isEmpty, relation.columns.count == keys.count, !relation.columns.isEmpty else {
            return relation
        }
        let groups = relation.columns.map(\.reference)
        let count = estimator.groupCount(groups, rowCount: relation.rowCount)
        guard count <= PlanBuilder.reducedKeyCountMax,
            count * Double(options.workerCount) <= relation.rowCount * PlanBuilder.reducedShareMax
        else { return relation }
        let node = AggregateNode(
            mode: .partial, groups: relation.columns.indices.map { .input($0, relation.columns[$0].type) },
            groupingSets: [Array(relation.columns.indices)], aggregates: [], input: relation.node)
        var result = relation
        result.node = makeNode(
            .aggregate(node), columns: relation.columns, rowCount: count * Double(options.workerCount))
        return result
    }

    /// Keys of a reduced side, and the share of its rows that may be left.
    private static let reducedKeyCountMax = 500_000.0
    private static let reducedShareMax = 0.3

    /// For each column of a hash, the join key that it is; `nil` if one is none.
    private static func keyOrder(_ hash: [ColumnSet], _ keys: [Expression]) -> [Int]? {
        var order: [Int] = []
        for set in hash {
            guard let index = keys.firstIndex(where: { $0.asColumn.map(set.contains) ?? false }) else { return nil }
            order.append(index)
        }
        return order.isEmpty ? nil : order
    }

    private func distribution(of parts: JoinParts) -> Distribution {
        switch (parts.left.distribution, parts.right.distribution) {
        case (.single(let a), .single(let b)): return .single(Distribution.merged(a, b))
        case (.partitioned, .partitioned):
            switch parts.kind {
            case .inner:
                return parts.left.distribution.mapped { set in
                    var all = set
                    for key in parts.keys {
                        if let a = key.left.asColumn, let b = key.right.asColumn {
                            if set.contains(a) { all.insert(b) }
                            if set.contains(b) { all.insert(a) }
                        }
                    }
                    return all
                }
            case .left, .semi, .anti, .mark, .single: return parts.left.distribution
            case .right, .rightSemi, .rightAnti: return parts.right.distribution
            // Rows without a match have NULL on one side, so neither side's keys place them.
            case .full: return .partitioned(.unknown)
            }
        default: return parts.left.distribution
        }
    }
}
