// How a HashJoin node becomes pipelines.

import Diagnostics
import QueryPlan

extension PipelineBuilder {
    func compileHashJoin(_ node: PhysicalNode, _ plan: HashJoinNode) throws -> OpenPipeline {
        throw QueryError.notSupported("a hash join")
    }
}
