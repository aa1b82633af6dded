// How a NestedLoopJoin node becomes pipelines.

import Diagnostics
import QueryPlan

extension PipelineBuilder {
    func compileNestedLoopJoin(_ node: PhysicalNode, _ plan: NestedLoopJoinNode) throws -> OpenPipeline {
        throw QueryError.notSupported("a nested-loop join")
    }
}
