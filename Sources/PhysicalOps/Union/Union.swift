// UNION ALL: the pipelines of all inputs end in the same place.

import Columnar
import Diagnostics
import QueryPlan

extension PipelineBuilder {
    func compileUnion(_ node: PhysicalNode, _ union: UnionNode) throws -> OpenPipeline {
        guard let first = union.inputs.first else {
            return OpenPipeline(source: BatchListSourceFactory(node: node, batches: []))
        }
        var open = try compile(first)
        for input in union.inputs.dropFirst() { open.union(try compile(input)) }
        open.append(PassFactory(node: node))
        return open
    }
}

/// Counts the rows of a UNION ALL.
private final class PassFactory: OperatorFactory {
    let node: PhysicalNode
    init(node: PhysicalNode) { self.node = node }
    func makeOperator(downstream: PushOperator, driver: DriverContext) throws -> PushOperator {
        PassOperator(node: node, downstream: downstream, driver: driver)
    }
}

private final class PassOperator: PushOperator {
    override func process(_ batch: Batch) throws { try emit(batch) }
}
