// Aggregates over distinct values become a grouping by the values and a plain aggregate above it.

import Columnar
import QueryPlan

/// count(distinct x) by g is count(x) by g over the groups (g, x). This needs all calls of the node to be over the same
/// distinct arguments, or not to care about duplicates; other nodes keep their distinct calls.
struct SplitDistinctAggregates: LogicalRule {
    func apply(_ plan: LogicalPlan, _ environment: RuleEnvironment) throws -> LogicalPlan {
        plan.rewritten { node in
            guard case .aggregate(let aggregate) = node else { return node }
            return split(aggregate, environment.ids) ?? node
        }
    }

    private func split(_ node: LogicalAggregate, _ ids: ColumnIDGenerator) -> LogicalPlan? {
        guard node.groupingSets == [Array(node.groups.indices)],
            let first = node.aggregates.first(where: \.isDistinct), !first.arguments.isEmpty
        else { return nil }
        for call in node.aggregates {
            let ignoresDuplicates = ["min", "max", "bool_and", "bool_or", "every"].contains(call.name)
            let isFitting =
                (call.isDistinct || ignoresDuplicates) && call.arguments == first.arguments && call.filter == nil
                && call.ordering.isEmpty
            if !isFitting { return nil }
        }
        let values = first.arguments.map { ids.column("value", $0.type) }
        let keys = ids.copies(of: node.groupColumns)
        let inner = LogicalAggregate(
            groupColumns: keys + values, groups: node.groups + first.arguments, aggregateColumns: [], aggregates: [],
            input: node.input)
        var outer = node
        outer.groups = keys.map(\.reference)
        outer.aggregates = node.aggregates.map { call in
            var plain = call
            plain.isDistinct = false
            plain.arguments = values.map(\.reference)
            return plain
        }
        outer.input = .aggregate(inner)
        return .aggregate(outer)
    }
}
