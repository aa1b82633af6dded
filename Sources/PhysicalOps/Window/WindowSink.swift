// Collects the rows of a window operator and sorts them by partition and order.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization

final class WindowSink: SinkFactory, Sendable {
    private let node: PhysicalNode
    private let shared: WindowShared
    private let parts = Mutex<[RowPart]>([])

    init(node: PhysicalNode, shared: WindowShared) {
        self.node = node
        self.shared = shared
    }

    func makeSink(driver: DriverContext) throws -> PushOperator {
        try WindowCollector(node: node, shared: shared, driver: driver) { [self] part in
            parts.withLock { $0.append(part) }
        }
    }

    func finalize(phase: Int) throws -> [FinalizeTask] {
        guard phase == 0 else { return [] }
        return [{ [self] in try sort() }]
    }

    private func sort() throws {
        let layout = shared.layout
        let collected = parts.withLock { parts in
            defer { parts = [] }
            return parts
        }
        let store = try RowAssembly(
            parts: collected, types: layout.storedTypes, memory: shared.task.memory(for: node)
        ).finishWhole()
        let sort = RowSort(layout.sortKeys, keys: layout.sortPositions.map { store.columns[$0] })
        let order = sort.sorted(from: 0, count: store.rowCount)
        shared.result = SortResult(store: store, order: order, sort: sort)
        shared.bounds = bounds(order, keys: layout.partitions.map { store.columns[$0] })
    }

    private func bounds(_ order: SortRun, keys: [Vector]) -> [Int] {
        var bounds = [0]
        let entries = order.entries
        if !keys.isEmpty {
            for index in stride(from: 1, to: order.count, by: 1)
            where !keys.allSatisfy({ equalValues($0, Int(entries[index - 1].row), $0, Int(entries[index].row), true) })
            {
                bounds.append(index)
            }
        }
        if order.count > 0 { bounds.append(order.count) }
        return bounds
    }

    func release(failed: Bool) {
        parts.withLock { $0 = [] }
        shared.result = nil
        shared.bounds = []
    }
}

private final class WindowCollector: PushOperator {
    private let layout: WindowLayout
    private let part: RowPart
    private let computed: RowExpressions
    private let handOver: (RowPart) -> Void

    init(node: PhysicalNode, shared: WindowShared, driver: DriverContext, handOver: @escaping (RowPart) -> Void) throws
    {
        layout = shared.layout
        part = RowPart(memory: shared.task.memory(for: node))
        computed = try RowExpressions(shared.layout.computed, task: shared.task)
        self.handOver = handOver
        super.init(node: node, downstream: nil, driver: driver)
    }

    override func process(_ batch: Batch) throws {
        var columns = (0..<layout.inputCount).map { batch.column($0) }
        columns += try computed.evaluate(batch)
        try part.append(columns, count: batch.rowCount)
    }

    override func finishInput() throws { handOver(part) }
}
