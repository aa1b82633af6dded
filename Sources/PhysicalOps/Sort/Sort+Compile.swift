// How a Sort node becomes pipelines.

import Diagnostics
import QueryPlan

extension PipelineBuilder {
    func compileSort(_ node: PhysicalNode, _ plan: SortNode) throws -> OpenPipeline {
        throw QueryError.notSupported("sorting")
    }
}
