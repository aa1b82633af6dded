// A total over the same rows that it is joined with is computed from those rows.

import Columnar
import QueryPlan

/// `revenue = (select max(revenue) from r)`, where the query also reads `r`: the aggregate becomes a window call over the
/// rows of `r`, which are computed once then.
enum SharedAggregates {
    /// For inner joined inputs: the inputs with totals added as columns, `nil` for inputs that are not needed any more.
    /// No result: nothing is shared.
    static func share(_ inputs: [LogicalPlan], isFixed: [Bool]) -> [LogicalPlan?]? {
        var result: [LogicalPlan?] = inputs
        var isChanged = false
        for total in inputs.indices where !isFixed[total] {
            guard let (aggregate, projects) = scalarAggregate(inputs[total]) else { continue }
            for source in inputs.indices where source != total && !isFixed[source] {
                guard let plan = result[source], result[total] != nil else { continue }
                var names: [ColumnID: Expression] = [:]
                // Scans are cheaper to repeat than their rows are to keep.
                guard plan.isWorthSharing, PlanMatcher.match(aggregate.input, plan, &names) else { continue }
                result[source] = adding(aggregate, projects, names, to: plan)
                result[total] = nil
                isChanged = true
            }
        }
        return isChanged ? result : nil
    }

    private static func scalarAggregate(_ plan: LogicalPlan) -> (LogicalAggregate, [LogicalProject])? {
        var projects: [LogicalProject] = []
        var plan = plan
        while case .project(let node) = plan {
            projects.append(node)
            plan = node.input
        }
        guard case .aggregate(let aggregate) = plan, aggregate.groupingSets == [[]],
            aggregate.aggregates.allSatisfy({ !$0.isDistinct && $0.ordering.isEmpty })
        else { return nil }
        return (aggregate, projects)
    }

    private static func adding(
        _ aggregate: LogicalAggregate, _ projects: [LogicalProject], _ names: [ColumnID: Expression],
        to plan: LogicalPlan
    ) -> LogicalPlan {
        let frame = WindowFrame(unit: .rows, start: .unboundedPreceding, end: .unboundedFollowing)
        let calls = aggregate.aggregates.map { call in
            WindowCall(
                name: call.name, isAggregate: true, arguments: call.arguments.map { $0.substituting(names) },
                filter: call.filter?.substituting(names), frame: frame, type: call.type)
        }
        var result = LogicalPlan.window(
            LogicalWindow(
                partitions: [], ordering: [], columns: aggregate.aggregateColumns, calls: calls, input: plan))
        for project in projects.reversed() { result = result.adding(project.columns, project.expressions) }
        return result
    }
}

/// Compares plans that may differ in column identities only.
enum PlanMatcher {
    /// Whether both plans give the same rows; `names` gets the second plan's column for each of the first's.
    static func match(_ a: LogicalPlan, _ b: LogicalPlan, _ names: inout [ColumnID: Expression]) -> Bool {
        let (aInputs, bInputs) = (a.inputs, b.inputs)
        guard aInputs.count == bInputs.count else { return false }
        for (first, second) in zip(aInputs, bInputs) where !match(first, second, &names) { return false }
        switch (a, b) {
        case (.scan(let x), .scan(let y)):
            guard x.table == y.table, x.ordinals == y.ordinals else { return false }
            pair(x.columns, y.columns, &names)
            return same(x.predicates, y.predicates, names)
        case (.filter(let x), .filter(let y)): return same([x.predicate], [y.predicate], names)
        case (.project(let x), .project(let y)):
            guard same(x.expressions, y.expressions, names), !x.expressions.contains(where: \.isVolatile) else {
                return false
            }
            pair(x.columns, y.columns, &names)
            return true
        case (.aggregate(let x), .aggregate(let y)):
            guard x.groupingSets == y.groupingSets, same(x.groups, y.groups, names),
                x.aggregates.map({ $0.mapExpressions { $0.substituting(names) } }) == y.aggregates
            else { return false }
            pair(x.groupColumns, y.groupColumns, &names)
            pair(x.aggregateColumns, y.aggregateColumns, &names)
            return x.setIndexColumn == nil && y.setIndexColumn == nil
        case (.join(let x), .join(let y)):
            return x.kind == y.kind && x.kind != .mark && x.isNullAware == y.isNullAware
                && same([x.condition], [y.condition], names)
        case (.sharedRead(let x), .sharedRead(let y)):
            guard x.number == y.number else { return false }
            for (source, column) in zip(x.sources, x.columns) {
                guard let index = y.sources.firstIndex(of: source) else { return false }
                names[column.id] = y.columns[index].reference
            }
            return true
        default: return false
        }
    }

    private static func pair(_ a: [PlanColumn], _ b: [PlanColumn], _ names: inout [ColumnID: Expression]) {
        for (x, y) in zip(a, b) { names[x.id] = y.reference }
    }

    private static func same(_ a: [Expression], _ b: [Expression], _ names: [ColumnID: Expression]) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { $0.substituting(names) == $1 && !$1.isVolatile }
    }
}

extension LogicalPlan {
    fileprivate var isWorthSharing: Bool {
        switch self {
        case .aggregate, .join: true
        default: inputs.contains(where: \.isWorthSharing)
        }
    }
}
