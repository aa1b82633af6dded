// LIMIT and OFFSET over rows in the order in which they come.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization

extension PipelineBuilder {
    func compileLimit(_ node: PhysicalNode, _ limit: LimitNode) throws -> OpenPipeline {
        let open = try compile(limit.input)
        open.append(LimitFactory(node: node, limit: limit))
        return open
    }
}

/// Counts the rows of all drivers: a row belongs to the result if its number lies behind the offset and within the limit.
private final class LimitFactory: OperatorFactory {
    let node: PhysicalNode
    let offset: Int
    /// The number of the row behind the last one.
    let end: Int
    let flag = StopFlag()
    let cursor = Atomic<Int>(0)

    init(node: PhysicalNode, limit: LimitNode) {
        self.node = node
        offset = max(0, limit.offset)
        let (sum, overflow) = offset.addingReportingOverflow(max(0, limit.limit ?? .max))
        end = overflow ? .max : sum
        if end == offset { flag.raise() }
    }

    var stopFlag: StopFlag? { flag }

    func makeOperator(downstream: PushOperator, driver: DriverContext) throws -> PushOperator {
        LimitOperator(factory: self, downstream: downstream, driver: driver)
    }
}

private final class LimitOperator: PushOperator {
    private let factory: LimitFactory

    init(factory: LimitFactory, downstream: PushOperator, driver: DriverContext) {
        self.factory = factory
        super.init(node: factory.node, downstream: downstream, driver: driver)
    }

    override func process(_ batch: Batch) throws {
        if factory.flag.isRaised { return }
        let count = batch.rowCount
        let (first, last) = factory.cursor.wrappingAdd(count, ordering: .relaxed)
        if last >= factory.end { factory.flag.raise() }
        let from = max(first, factory.offset)
        let to = min(last, factory.end)
        if from < to { try emit(batch.slice(from - first, to - from)) }
    }
}
