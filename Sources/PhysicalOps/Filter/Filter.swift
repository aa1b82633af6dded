// Filter: keeps the rows for which a predicate is true.

import Columnar
import Diagnostics
import QueryPlan

extension PipelineBuilder {
    func compileFilter(_ node: PhysicalNode, _ filter: FilterNode) throws -> OpenPipeline {
        let open = try compile(filter.input)
        open.append(FilterFactory(node: node, predicate: filter.predicate))
        return open
    }
}

private final class FilterFactory: OperatorFactory {
    let node: PhysicalNode
    let predicate: Expression
    init(node: PhysicalNode, predicate: Expression) {
        self.node = node
        self.predicate = predicate
    }

    func makeOperator(downstream: PushOperator, driver: DriverContext) throws -> PushOperator {
        FilterOperator(
            node: node, predicate: try RowPredicate(predicate, task: driver.task), downstream: downstream,
            driver: driver)
    }
}

private final class FilterOperator: PushOperator {
    private let predicate: RowPredicate

    init(node: PhysicalNode, predicate: RowPredicate, downstream: PushOperator, driver: DriverContext) {
        self.predicate = predicate
        super.init(node: node, downstream: downstream, driver: driver)
    }

    override func process(_ batch: Batch) throws {
        guard let selection = try predicate.select(batch) else { return try emit(batch) }
        if selection.count > 0 { try emit(batch.selecting(selection)) }
    }
}
