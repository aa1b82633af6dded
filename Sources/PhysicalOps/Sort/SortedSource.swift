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
        let runs = shared.spilledRuns
        if !runs.isEmpty { return try MergedRunsSource(node: node, shared: shared, runs: runs, driver: driver) }
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

/// Merges the runs that a sort has spilled.
private final class MergedRunsSource: BatchSource {
    let counters: OperatorCounters
    private let merge: MergeSource
    private let layout: SortLayout
    private let comparator: RowComparator
    private let columns: [Int]
    /// Rows to leave out, and rows to give, from here on.
    private var skipped: Int
    private var wanted: Int
    /// Keys of the last row that was given, while rows that tie with it are still wanted.
    private var last: (keys: RowKeys, row: Int)?

    init(node: PhysicalNode, shared: SortShared, runs: [any SpillFile], driver: DriverContext) throws {
        layout = shared.layout
        counters = driver.makeCounters(for: node)
        let plan = shared.layout.plan
        let keys = zip(plan.keys, shared.layout.keyPositions).map { key, position in
            var key = key
            key.expression = .input(position, key.expression.type)
            return key
        }
        comparator = RowComparator(keys)
        merge = MergeSource(
            counters: OperatorCounters(node: -1, name: "merge"), types: shared.layout.storedTypes,
            readers: try runs.map { try SpilledRunReader($0) }, keys: keys,
            expressions: try RowExpressions(keys.map(\.expression), task: shared.task))
        columns = Array(0..<shared.layout.outputCount)
        skipped = max(0, plan.offset)
        wanted = plan.limit.map { max(0, $0) } ?? .max
    }

    func next(wake: @escaping @Sendable () -> Void) throws -> SourceEvent {
        while wanted > 0 || last != nil {
            let event = try merge.next(wake: wake)
            guard case .batch(let batch) = event else { return event }
            let start = min(skipped, batch.rowCount)
            skipped -= start
            let left = batch.rowCount - start
            if left == 0 { continue }
            let count = wanted > 0 ? min(left, wanted) : 0
            if wanted != .max { wanted -= count }
            let given = count + (wanted == 0 && layout.plan.withTies ? ties(batch, from: start + count) : 0)
            if given == 0 { return .finished }
            let rows = given == batch.rowCount ? batch : batch.slice(start, given).densified()
            return .batch(Batch(columns: columns.map { rows.columns[$0] }, rowCount: given))
        }
        return .finished
    }

    /// Rows of the batch from `start` on that tie with the last row before them.
    private func ties(_ batch: Batch, from start: Int) -> Int {
        let keys = RowKeys(layout.keyPositions.map { batch.columns[$0].flattened() })
        guard let (lastKeys, lastRow) = start > 0 ? (keys, start - 1) : last else { return 0 }
        var row = start
        while row < batch.rowCount, comparator.compare(lastKeys, lastRow, keys, row) == 0 { row += 1 }
        last = row == batch.rowCount ? (keys, row - 1) : nil
        return row - start
    }
}
