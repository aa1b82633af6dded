// How a Recursive node becomes pipelines.

import Diagnostics
import QueryPlan

extension PipelineBuilder {
    func compileRecursive(_ node: PhysicalNode, _ plan: RecursiveNode) throws -> OpenPipeline {
        throw QueryError.notSupported("recursion")
    }
}
