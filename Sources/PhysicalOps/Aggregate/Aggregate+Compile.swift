// How an aggregate node becomes pipelines.

import Diagnostics
import QueryPlan

extension PipelineBuilder {
    func compileAggregate(_ node: PhysicalNode, _ plan: AggregateNode) throws -> OpenPipeline {
        throw QueryError.notSupported("aggregation")
    }
}
