// The order of joins, by cost.

import Columnar
import PlanStatistics
import QueryPlan

/// Finds the groups of joins whose order is free — inner joins, and the semi, anti and left joins between them — and
/// computes each in the cheapest order that the estimates show. Aggregates that are joined by their group columns are
/// computed for the groups only that a much smaller input of the same group asks for.
struct ReorderJoins: LogicalRule {
    func apply(_ plan: LogicalPlan, _ environment: RuleEnvironment) throws -> LogicalPlan {
        JoinOrderer(ids: environment.ids, estimator: environment.estimator).reorder(plan)
    }
}

private struct JoinOrderer {
    let ids: ColumnIDGenerator
    let estimator: CardinalityEstimator

    func reorder(_ plan: LogicalPlan) -> LogicalPlan {
        if case .shared(var node) = plan {
            node.definition = reorder(node.definition)
            estimator.learn(node, rowCount: estimator.rowCount(node.definition))
            node.input = reorder(node.input)
            return .shared(node)
        }
        guard plan.startsJoinGroup else { return plan.mapInputs(reorder) }
        var group = JoinGroup()
        group.add(plan)
        if group.hasConflict {
            group = JoinGroup(keepsLeftJoins: true)
            group.add(plan)
        }
        guard group.inputs.count > 1, group.inputs.count <= 64 else { return plan.mapInputs(reorder) }
        if let shared = SharedAggregates.share(
            group.inputs.map(\.plan), isFixed: group.inputs.map { $0.kind != .inner })
        {
            // With an input less, everything begins anew, predicates of single inputs included.
            var all = group.conjuncts
            for (index, input) in shared.enumerated() {
                guard let input else { continue }
                group.inputs[index].plan = input
                group.inputs[index].columns = input.columnSet
                let (own, others) = all.split {
                    let columns = $0.columnSet
                    return group.inputs[index].kind == .inner && !columns.isEmpty
                        && columns.isSubset(of: input.columnSet)
                }
                group.inputs[index].plan = input.filtered(own)
                all = others
            }
            group.conjuncts = all
            group.inputs = group.inputs.indices.filter { shared[$0] != nil }.map { group.inputs[$0] }
            if group.inputs.count == 1 { return reorder(group.inputs[0].plan).filtered(all) }
        }
        reduceAggregates(&group)
        for index in group.inputs.indices {
            group.inputs[index].plan = reorder(group.inputs[index].plan)
            group.inputs[index].rowCount = estimator.rowCount(group.inputs[index].plan)
        }
        var graph = JoinGraph(inputs: group.inputs, conjuncts: group.conjuncts, estimator: estimator)
        for (index, equalities) in graph.equalitiesWithinInputs().enumerated() where !equalities.isEmpty {
            group.inputs[index].plan = group.inputs[index].plan.filtered(equalities)
        }
        if graph.equalitiesWithinInputs().contains(where: { !$0.isEmpty }) {
            graph = JoinGraph(inputs: group.inputs, conjuncts: group.conjuncts, estimator: estimator)
        }
        return graph.solve()
    }

    // MARK: Aggregates

    /// Where an aggregate is joined by a group column with an input that has few of its values, the aggregate's input is
    /// restricted to these by a semi join with a copy of that input.
    private func reduceAggregates(_ group: inout JoinGroup) {
        guard group.inputs.contains(where: { $0.plan.aggregateBelow != nil }) else { return }
        var equal = EquivalenceClasses()
        for conjunct in group.conjuncts { equal.add(conjunct) }
        for input in group.inputs where input.kind != .anti { for conjunct in input.condition { equal.add(conjunct) } }
        for index in group.inputs.indices {
            guard let aggregate = group.inputs[index].plan.aggregateBelow, aggregate.groupingSets.count == 1,
                group.inputs[index].kind == .inner || group.inputs[index].kind == .left
            else { continue }
            let names = group.inputs[index].plan.renamings
            let inputRowCount = estimator.rowCount(aggregate.input)
            var best: (group: Int, source: Int, column: Expression, rowCount: Double)?
            for (position, column) in aggregate.groupColumns.enumerated() {
                guard let members = equal.members(of: names[column.id] ?? column.id) else { continue }
                let values = estimator.groupCount([aggregate.groups[position]], rowCount: inputRowCount)
                for member in members {
                    guard member.type == column.type,
                        let source = group.inputs.firstIndex(where: { $0.columns.contains(member.id) }),
                        source != index,
                        group.inputs[source].kind == .inner || group.inputs[source].kind == .semi,
                        group.inputs[source].plan.isCheapToRepeat
                    else { continue }
                    let rowCount = estimator.rowCount(group.inputs[source].plan)
                    let isWorthwhile =
                        rowCount < 0.3 * values && rowCount < 0.3 * inputRowCount && inputRowCount > 5_000
                    if isWorthwhile, rowCount < best?.rowCount ?? .infinity {
                        best = (position, source, .column(member.id, member.type), rowCount)
                    }
                }
            }
            guard let best else { continue }
            let (copy, renamed) = group.inputs[best.source].plan.refreshed(ids)
            guard let id = best.column.asColumn, let key = renamed[id] else { continue }
            group.inputs[index].plan = group.inputs[index].plan.mapAggregate { aggregate in
                var reduced = aggregate
                reduced.input = .join(
                    LogicalJoin(
                        kind: .semi, condition: .comparison("=", aggregate.groups[best.group], key.reference),
                        left: aggregate.input, right: copy))
                return reduced
            }
        }
    }
}

/// Joins that follow directly on one another and whose order is free.
private struct JoinGroup {
    var inputs: [JoinInput] = []
    var conjuncts: [Expression] = []
    /// Left joins are inputs as a whole.
    var keepsLeftJoins = false

    mutating func add(_ plan: LogicalPlan) {
        switch plan {
        case .filter(let node) where node.input.startsJoinGroup && !node.predicate.isVolatile:
            add(node.input)
            conjuncts += node.predicate.conjuncts
        case .join(let node) where node.kind == .inner:
            add(node.left)
            add(node.right)
            conjuncts += node.condition.conjuncts
        case .join(let node)
        where (node.kind == .semi || node.kind == .anti || (node.kind == .left && !keepsLeftJoins))
            && !node.condition.columnSet.isDisjoint(with: node.left.columnSet):
            add(node.left)
            inputs.append(
                JoinInput(
                    plan: node.right, columns: node.right.columnSet, kind: node.kind,
                    condition: node.condition.conjuncts,
                    isNullAware: node.isNullAware))
        default: inputs.append(JoinInput(plan: plan, columns: plan.columnSet))
        }
    }

    /// Whether a predicate needs the columns of a left join's right side: it would have to wait for the end.
    var hasConflict: Bool {
        let outer = inputs.filter { $0.kind == .left }
        if outer.isEmpty { return false }
        return conjuncts.contains { conjunct in
            let columns = conjunct.columnSet
            let count = inputs.count { !$0.columns.isDisjoint(with: columns) }
            return count > 1 && outer.contains { !$0.columns.isDisjoint(with: columns) }
        }
    }
}

extension LogicalPlan {
    /// Whether a group of joins begins here, or below filters.
    fileprivate var startsJoinGroup: Bool {
        switch self {
        case .join(let node):
            switch node.kind {
            case .inner: return true
            case .semi, .anti, .left: return node.left.startsJoinGroup
            default: return false
            }
        case .filter(let node): return node.input.startsJoinGroup && !node.predicate.isVolatile
        default: return false
        }
    }

    /// The aggregate below projections and filters.
    fileprivate var aggregateBelow: LogicalAggregate? {
        switch self {
        case .aggregate(let node): node
        case .project(let node): node.input.aggregateBelow
        case .filter(let node): node.input.aggregateBelow
        default: nil
        }
    }

    /// For columns of the aggregate below: the names that projections give them.
    fileprivate var renamings: [ColumnID: ColumnID] {
        switch self {
        case .project(let node):
            let below = node.input.renamings
            var result: [ColumnID: ColumnID] = [:]
            for (column, expression) in zip(node.columns, node.expressions) {
                guard let id = expression.asColumn else { continue }
                result[id] = column.id
                for (old, new) in below where new == id { result[old] = column.id }
            }
            return result
        case .filter(let node): return node.input.renamings
        default: return [:]
        }
    }

    fileprivate func mapAggregate(_ transform: (LogicalAggregate) -> LogicalAggregate) -> LogicalPlan {
        switch self {
        case .aggregate(let node): .aggregate(transform(node))
        case .project, .filter: mapInputs { $0.mapAggregate(transform) }
        default: self
        }
    }

    /// A scan with filters and projections that give the same rows every time.
    fileprivate var isCheapToRepeat: Bool {
        switch self {
        case .scan: true
        case .filter(let node): !node.predicate.isVolatile && node.input.isCheapToRepeat
        case .project(let node): !node.expressions.contains(where: \.isVolatile) && node.input.isCheapToRepeat
        default: false
        }
    }
}
