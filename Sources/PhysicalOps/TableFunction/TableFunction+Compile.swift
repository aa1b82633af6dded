// How a TableFunction node becomes pipelines.

import Diagnostics
import QueryPlan

extension PipelineBuilder {
    func compileTableFunction(_ node: PhysicalNode, _ plan: TableFunctionNode) throws -> OpenPipeline {
        throw QueryError.notSupported("a table function")
    }
}
