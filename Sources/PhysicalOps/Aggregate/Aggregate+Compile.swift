// How an aggregate node becomes pipelines.

import Columnar
import Diagnostics
import QueryPlan

extension PipelineBuilder {
    func compileAggregate(_ node: PhysicalNode, _ aggregate: AggregateNode) throws -> OpenPipeline {
        if let (inner, outer) = splitDistinct(node, aggregate) {
            guard case .aggregate(let innerPlan) = inner.kind, case .aggregate(let outerPlan) = outer.kind else {
                throw QueryError.internalError("a split aggregate is not one")
            }
            let input = try compileBreaker(inner, innerPlan, input: compile(aggregate.input))
            return try compileBreaker(outer, outerPlan, input: input)
        }
        let input = try compile(aggregate.input)
        if aggregate.mode == .partial {
            let plan = try AggregatePlan(node: node, plan: aggregate, registry: environment.registry)
            input.append(PartialAggregateFactory(plan: plan))
            return input
        }
        return try compileBreaker(node, aggregate, input: input)
    }

    private func compileBreaker(_ node: PhysicalNode, _ aggregate: AggregateNode, input: OpenPipeline) throws
        -> OpenPipeline
    {
        let plan = try AggregatePlan(node: node, plan: aggregate, registry: environment.registry)
        let sink = AggregateSinkFactory(plan: plan, task: task)
        let gate = close(input, with: sink)
        return OpenPipeline(source: AggregateSourceFactory(sink: sink), after: [gate])
    }

    /// If all calls are DISTINCT over the same arguments: first the distinct (groups, arguments), then the calls over
    /// them. Both steps run in parallel, which rows kept within groups would not.
    private func splitDistinct(_ node: PhysicalNode, _ aggregate: AggregateNode) -> (PhysicalNode, PhysicalNode)? {
        guard aggregate.mode == .single, aggregate.groupingSets == [Array(aggregate.groups.indices)],
            let first = aggregate.aggregates.first, !first.arguments.isEmpty,
            aggregate.aggregates.allSatisfy({
                $0.isDistinct && $0.arguments == first.arguments && $0.ordering.isEmpty && $0.filter == nil
            })
        else { return nil }
        let keys = aggregate.groups + first.arguments
        let fields = keys.enumerated().map { Field(name: "key\($0.offset)", type: $0.element.type) }
        let inner = PhysicalNode(
            // Not a node of the plan: its id is none of theirs.
            id: -2 - node.id,
            kind: .aggregate(
                AggregateNode(
                    mode: .single, groups: keys, groupingSets: [Array(keys.indices)], aggregates: [],
                    input: aggregate.input)),
            output: Schema(fields), estimatedRowCount: aggregate.input.estimatedRowCount)
        let groups = aggregate.groups.enumerated().map { Expression.input($0.offset, $0.element.type) }
        let arguments = first.arguments.enumerated().map {
            Expression.input(aggregate.groups.count + $0.offset, $0.element.type)
        }
        let calls = aggregate.aggregates.map { call in
            var call = call
            call.isDistinct = false
            call.arguments = arguments
            return call
        }
        let outer = PhysicalNode(
            id: node.id,
            kind: .aggregate(
                AggregateNode(
                    mode: .single, groups: groups, groupingSets: aggregate.groupingSets, aggregates: calls,
                    input: inner)),
            output: node.output, estimatedRowCount: node.estimatedRowCount)
        return (inner, outer)
    }
}
