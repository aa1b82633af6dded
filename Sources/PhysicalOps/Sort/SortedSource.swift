// Gives the rows of a finished sort in order.

import Columnar
import Diagnostics
import QueryPlan

final class SortedSourceFactory: SourceFactory, Sendable {
    private let node: PhysicalNode
    private let shared: SortShared

    init(node: PhysicalNode, shared: SortShared) {
        self.node = node
        self.shared = shared
    }

    /// One: the order is the point.
    var maximumDrivers: Int { 1 }

    func makeSource(driver: DriverContext) throws -> any BatchSource {
        guard let result = shared.result else { throw QueryError.internalError("the sort is read before it is done") }
        return SortedSource(counters: driver.makeCounters(for: node), layout: shared.layout, result: result)
    }
}

private final class SortedSource: BatchSource {
    let counters: OperatorCounters
    private let result: SortResult
    private let columns: [Int]
    private var position: Int
    private let end: Int

    init(counters: OperatorCounters, layout: SortLayout, result: SortResult) {
        self.counters = counters
        self.result = result
        columns = Array(0..<layout.outputCount)
        let count = result.order.count
        position = min(count, max(0, layout.plan.offset))
        guard let limit = layout.plan.limit, limit < count - position else {
            end = count
            return
        }
        var end = position + max(0, limit)
        if layout.plan.withTies && end > position {
            let entries = result.order.entries
            while end < count && result.sort.ties(entries[end - 1], entries[end]) { end += 1 }
        }
        self.end = end
    }

    func next(wake: @escaping @Sendable () -> Void) throws -> SourceEvent {
        let count = min(Batch.standardRowCount, end - position)
        if count <= 0 { return .finished }
        let buffer = Buffer(byteCount: count * 4)
        let rows = buffer.base.assumingMemoryBound(to: UInt32.self)
        let entries = result.order.entries + position
        for index in 0..<count { rows[index] = entries[index].row }
        position += count
        return .batch(result.store.batch(rows, count: count, columns: columns))
    }
}
