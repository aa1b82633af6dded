// How a Window node becomes pipelines.

import Diagnostics
import QueryPlan

extension PipelineBuilder {
    func compileWindow(_ node: PhysicalNode, _ plan: WindowNode) throws -> OpenPipeline {
        throw QueryError.notSupported("a window")
    }
}
