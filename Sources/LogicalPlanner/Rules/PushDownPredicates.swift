// Predicates move down to where their columns come from, and into scans.

import Columnar
import QueryPlan

/// One pass from the top. A predicate that may fail stays above the filters that were below it, since those may guard it;
/// it moves through joins, and stands as a filter on top of the scan's own predicates.
struct PushDownPredicates: LogicalRule {
    func apply(_ plan: LogicalPlan, _ environment: RuleEnvironment) throws -> LogicalPlan { push(plan, []) }

    /// The plan's rows for which all predicates are true.
    func push(_ plan: LogicalPlan, _ predicates: [Expression]) -> LogicalPlan {
        switch plan {
        case .scan(var node):
            var above: [Expression] = []
            for predicate in predicates {
                // What stands behind a failing predicate must not be asked before what stands in front of it only if
                // it fails itself; others may go first.
                if predicate.canFail || predicate.isVolatile || predicate.columnSet.isEmpty {
                    above.append(predicate)
                } else if !node.predicates.contains(predicate) {
                    node.predicates.append(predicate)
                }
            }
            return LogicalPlan.scan(node).filtered(above)
        case .filter(let node): return push(node.input, node.predicate.conjuncts + predicates)
        case .project(let node): return push(node, predicates)
        case .aggregate(let node): return push(node, predicates)
        case .join(let node): return push(node, predicates)
        case .sort(var node):
            node.input = push(node.input, predicates)
            return .sort(node)
        case .distinct(var node):
            let (below, above) = predicates.split { predicate in
                guard let keys = node.keys else { return !predicate.isVolatile }
                return predicate.columnSet.isSubset(of: ColumnSet(keys.compactMap(\.asColumn))) && !predicate.isVolatile
            }
            node.input = push(node.input, below)
            return LogicalPlan.distinct(node).filtered(above)
        case .setOperation(var node):
            let (below, above) = predicates.split { !$0.isVolatile }
            node.left = push(node.left, rename(below, from: node.columns, to: node.left.columns))
            node.right = push(node.right, rename(below, from: node.columns, to: node.right.columns))
            return LogicalPlan.setOperation(node).filtered(above)
        case .window(var node):
            let keys = ColumnSet(node.partitions.compactMap(\.asColumn))
            let (below, above) = predicates.split {
                let columns = $0.columnSet
                return !columns.isEmpty && columns.isSubset(of: keys) && !$0.isVolatile && !$0.canFail
            }
            node.input = push(node.input, below)
            return LogicalPlan.window(node).filtered(above)
        case .tableFunction(var node):
            let own = node.input.columnSet
            let (below, above) = predicates.split { $0.columnSet.isSubset(of: own) && !$0.isVolatile }
            node.input = push(node.input, below)
            return LogicalPlan.tableFunction(node).filtered(above)
        case .values, .limit, .recursive, .workingTable, .write, .shared, .sharedRead:
            return plan.mapInputs { push($0, []) }.filtered(predicates)
        }
    }

    private func rename(_ predicates: [Expression], from: [PlanColumn], to: [PlanColumn]) -> [Expression] {
        if predicates.isEmpty { return [] }
        var names: [ColumnID: Expression] = [:]
        for (old, new) in zip(from, to) { names[old.id] = new.reference }
        return predicates.map { $0.substituting(names) }
    }

    private func push(_ node: LogicalProject, _ predicates: [Expression]) -> LogicalPlan {
        var node = node
        var values: [ColumnID: Expression] = [:]
        var fixed = ColumnSet()
        for (column, expression) in zip(node.columns, node.expressions) {
            if expression.isVolatile { fixed.insert(column.id) } else { values[column.id] = expression }
        }
        let (below, above) = predicates.split { $0.columnSet.isDisjoint(with: fixed) && !$0.isVolatile }
        node.input = push(node.input, below.map { $0.substituting(values) })
        return LogicalPlan.project(node).filtered(above)
    }

    private func push(_ node: LogicalAggregate, _ predicates: [Expression]) -> LogicalPlan {
        var node = node
        var values: [ColumnID: Expression] = [:]
        var keys = ColumnSet()
        for (index, column) in node.groupColumns.enumerated()
        where !node.groups[index].isVolatile && node.groupingSets.allSatisfy({ $0.contains(index) }) {
            values[column.id] = node.groups[index]
            keys.insert(column.id)
        }
        let (below, above) = predicates.split {
            let columns = $0.columnSet
            return !columns.isEmpty && columns.isSubset(of: keys) && !$0.isVolatile
        }
        node.input = push(node.input, below.map { $0.substituting(values) })
        return LogicalPlan.aggregate(node).filtered(above)
    }

    // MARK: Joins

    private func push(_ node: LogicalJoin, _ predicates: [Expression]) -> LogicalPlan {
        var node = node
        let left = node.left.columnSet
        let right = node.right.columnSet
        switch node.kind {
        case .inner: return pushThroughInnerJoins(.join(node), predicates)
        case .left, .single:
            let (below, above) = predicates.split { $0.columnSet.isSubset(of: left) && !$0.isVolatile }
            let (own, rest) = node.condition.conjuncts.split { conjunct in
                node.kind == .left && conjunct.columnSet.isSubset(of: right) && !conjunct.isVolatile
                    && !conjunct.columnSet.isEmpty
            }
            node.condition = .conjunction(rest)
            node.right = push(node.right, own + InferredPredicates.transferred(below, across: rest, to: right))
            node.left = push(node.left, below)
            return LogicalPlan.join(node).filtered(above)
        case .semi, .anti, .mark:
            let (below, above) = predicates.split { $0.columnSet.isSubset(of: left) && !$0.isVolatile }
            var (toLeft, toRight, rest): ([Expression], [Expression], [Expression]) = (below, [], [])
            for conjunct in node.condition.conjuncts {
                let columns = conjunct.columnSet
                if columns.isEmpty || conjunct.isVolatile || node.isNullAware {
                    rest.append(conjunct)
                } else if columns.isSubset(of: right) {
                    toRight.append(conjunct)
                } else if node.kind == .semi, columns.isSubset(of: left) {
                    toLeft.append(conjunct)
                } else {
                    rest.append(conjunct)
                }
            }
            node.condition = .conjunction(rest)
            if !node.isNullAware { toRight += InferredPredicates.transferred(toLeft, across: rest, to: right) }
            if node.kind == .semi { toLeft += InferredPredicates.transferred(toRight, across: rest, to: left) }
            node.left = push(node.left, toLeft)
            node.right = push(node.right, toRight)
            return LogicalPlan.join(node).filtered(above)
        case .right, .full, .rightSemi, .rightAnti:
            node.left = push(node.left, [])
            node.right = push(node.right, [])
            return LogicalPlan.join(node).filtered(predicates)
        }
    }

    private func pushThroughInnerJoins(_ plan: LogicalPlan, _ predicates: [Expression]) -> LogicalPlan {
        var region = InnerJoinRegion()
        region.add(plan)
        var conjuncts = (region.conjuncts + predicates.map { $0.substituting(region.renamed) })
        conjuncts = InferredPredicates.inferred(conjuncts, leaves: region.leaves.map(\.columnSet))

        if region.leaves.count > 1 {
            // A row without columns changes nothing.
            let others = region.leaves.filter { !$0.isOneRow }
            region.leaves = others.isEmpty ? [.oneRow] : others
        }
        var pushed: [[Expression]] = region.leaves.map { _ in [] }
        var between: [Expression] = []
        var above: [Expression] = []
        let columns = region.leaves.map(\.columnSet)
        for conjunct in conjuncts {
            let own = conjunct.columnSet
            if own.isEmpty || conjunct.isVolatile {
                above.append(conjunct)
            } else if let index = columns.firstIndex(where: { own.isSubset(of: $0) }) {
                if !pushed[index].contains(conjunct) { pushed[index].append(conjunct) }
            } else {
                between.append(conjunct)
            }
        }
        var leaves = region.leaves
        for index in leaves.indices { leaves[index] = push(leaves[index], pushed[index]) }
        // A predicate stands at the first join that has all its columns; the order is chosen by ReorderJoins.
        var result = leaves[0]
        var available = columns[0]
        for index in leaves.indices.dropFirst() {
            available.formUnion(columns[index])
            let (ready, later) = between.split { $0.columnSet.isSubset(of: available) }
            between = later
            result = .join(
                LogicalJoin(
                    kind: .inner, condition: .conjunction(ready), left: result, right: leaves[index]))
        }
        result = result.filtered(between + above)
        if region.renamed.isEmpty { return result }
        let wanted = plan.columns
        return .project(
            LogicalProject(
                columns: wanted, expressions: wanted.map { $0.reference.substituting(region.renamed) }, input: result))
    }
}

/// Inner joins that follow directly on one another, with the filters and renamings between them.
struct InnerJoinRegion {
    var leaves: [LogicalPlan] = []
    var conjuncts: [Expression] = []
    /// Columns that a projection in the region gave another identity.
    var renamed: [ColumnID: Expression] = [:]

    mutating func add(_ plan: LogicalPlan) {
        switch plan {
        case .join(let node) where node.kind == .inner && !node.isDependent:
            add(node.left)
            add(node.right)
            conjuncts += node.condition.conjuncts.map { $0.substituting(renamed) }
        case .filter(let node) where !node.predicate.isVolatile && node.input.isRegionNode:
            add(node.input)
            conjuncts += node.predicate.conjuncts.map { $0.substituting(renamed) }
        case .project(let node)
        where node.input.isRegionNode && node.expressions.allSatisfy({ $0.asColumn != nil }):
            add(node.input)
            for (column, expression) in zip(node.columns, node.expressions) where expression.asColumn != column.id {
                renamed[column.id] = expression.substituting(renamed)
            }
        default: leaves.append(plan)
        }
    }
}

extension LogicalPlan {
    /// Whether an inner join lies below filters and projections.
    fileprivate var isRegionNode: Bool {
        switch self {
        case .join(let node): node.kind == .inner && !node.isDependent
        case .filter(let node): node.input.isRegionNode
        case .project(let node): node.input.isRegionNode
        default: false
        }
    }
}

extension Array {
    /// The elements for which the condition holds, and the others.
    func split(_ condition: (Element) -> Bool) -> (matching: [Element], others: [Element]) {
        var (matching, others): ([Element], [Element]) = ([], [])
        for element in self { if condition(element) { matching.append(element) } else { others.append(element) } }
        return (matching, others)
    }
}
