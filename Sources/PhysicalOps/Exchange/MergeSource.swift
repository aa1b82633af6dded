// Reads sorted streams of another stage and merges them into one.

import Columnar
import Diagnostics
import QueryPlan
import Transport

/// One driver merges; the order is the point of it.
final class MergeSourceFactory: SourceFactory {
    let node: PhysicalNode
    private let readers: [any ExchangeReader]
    private let keys: [SortKey]

    init(node: PhysicalNode, readers: [any ExchangeReader], keys: [SortKey]) {
        self.node = node
        self.readers = readers
        self.keys = keys
    }

    var maximumDrivers: Int { 1 }

    func makeSource(driver: DriverContext) throws -> any BatchSource {
        MergeSource(
            counters: driver.makeCounters(for: node), types: node.output.types, readers: readers, keys: keys,
            expressions: try RowExpressions(keys.map(\.expression), task: driver.task))
    }

    func close() { for reader in readers { reader.close() } }
}

/// A k-way merge over a tournament of the streams' next rows. Rows are taken in runs: as long as the winner stays in front
/// of the second best, found by galloping.
final class MergeSource: BatchSource {
    private struct Stream {
        let reader: any ExchangeReader
        var batch: Batch?
        var keys: [Vector] = []
        var row = 0
        var isFinished = false
    }

    let counters: OperatorCounters
    private var streams: [Stream]
    private let expressions: RowExpressions
    private let comparator: RowComparator
    private let result: BatchAccumulator
    private let records: RecordRestorer
    /// Streams that have a row, best first.
    private var order: [Int] = []
    private var hasStarted = false

    init(
        counters: OperatorCounters, types: [DataType], readers: [any ExchangeReader], keys: [SortKey],
        expressions: RowExpressions
    ) {
        self.counters = counters
        self.expressions = expressions
        streams = readers.map { Stream(reader: $0) }
        comparator = RowComparator(keys)
        result = BatchAccumulator(types: types)
        records = RecordRestorer(types)
    }

    func next(wake: @escaping @Sendable () -> Void) throws -> SourceEvent {
        if !hasStarted {
            for index in streams.indices where streams[index].batch == nil && !streams[index].isFinished {
                if try !fill(index, wake: wake) { return .blocked }
            }
            hasStarted = true
            for index in streams.indices where !streams[index].isFinished { insert(index) }
        }
        while result.rowCount < Batch.standardRowCount {
            guard let winner = order.first else {
                return result.rowCount > 0 ? .batch(result.take()) : .finished
            }
            if streams[winner].batch == nil {
                // Its batch is used up: it must show its next row before anything else is decided.
                if try !fill(winner, wake: wake) {
                    // What is there goes out first. The wake call may come in between: it is only a hint.
                    return result.rowCount > 0 ? .batch(result.take()) : .blocked
                }
                order.removeFirst()
                if !streams[winner].isFinished { insert(winner) }
                continue
            }
            takeRun(winner)
        }
        return .batch(result.take())
    }

    /// Gets the stream's next batch. Returns `false` if it has to wait.
    private func fill(_ index: Int, wake: @escaping @Sendable () -> Void) throws -> Bool {
        while true {
            switch try streams[index].reader.poll(wake: wake) {
            case .batch(let batch):
                if batch.isEmpty { continue }
                let dense = records.restored(batch).densified()
                streams[index].batch = dense
                streams[index].keys = try expressions.evaluate(dense).map { $0.flattened() }
                streams[index].row = 0
                return true
            case .pending: return false
            case .finished:
                streams[index].isFinished = true
                return true
            }
        }
    }

    /// Puts a stream at its place in the order; ties go to the earlier stream.
    private func insert(_ index: Int) {
        var position = 0
        while position < order.count {
            let other = order[position]
            let result = comparator.compare(
                streams[index].keys, streams[index].row, streams[other].keys, streams[other].row)
            if result < 0 || (result == 0 && index < other) { break }
            position += 1
        }
        order.insert(index, at: position)
    }

    /// Takes the winner's rows up to the second best's next one.
    private func takeRun(_ winner: Int) {
        guard let batch = streams[winner].batch else { return }
        let start = streams[winner].row
        let room = Batch.standardRowCount - result.rowCount
        let limit = min(batch.rowCount, start + room)
        let end = order.count < 2 ? limit : runEnd(winner, order[1], start: start, limit: limit)
        let rows = Selection(capacity: end - start)
        for offset in 0..<(end - start) { rows.rows[offset] = UInt16(truncatingIfNeeded: start + offset) }
        result.append(batch, rows: rows.rows, count: end - start)
        order.removeFirst()
        streams[winner].row = end
        if end == batch.rowCount {
            streams[winner].batch = nil
            order.insert(winner, at: 0)
        } else {
            insert(winner)
        }
    }

    /// The first row from `start` on that does not come before the second best's; at least one row is taken.
    private func runEnd(_ winner: Int, _ second: Int, start: Int, limit: Int) -> Int {
        func comesFirst(_ row: Int) -> Bool {
            let result = comparator.compare(streams[winner].keys, row, streams[second].keys, streams[second].row)
            return result < 0 || (result == 0 && winner < second)
        }
        var low = start + 1
        var step = 1
        while low + step <= limit && comesFirst(low + step - 1) {
            low += step
            step *= 2
        }
        var high = min(limit, low + step)
        while low < high {
            let middle = (low + high) / 2
            if comesFirst(middle) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
