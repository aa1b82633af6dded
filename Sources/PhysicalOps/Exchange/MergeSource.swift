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
    var readsExchange: Bool { true }

    func makeSource(driver: DriverContext) throws -> any BatchSource {
        MergeSource(
            counters: driver.makeCounters(for: node), types: node.output.types, readers: readers, keys: keys,
            expressions: try RowExpressions(keys.map(\.expression), task: driver.task))
    }

    func close() { for reader in readers { reader.close() } }
}

/// A k-way merge over a tournament of the streams' next rows. Rows are taken in runs: as long as the winner stays in front
/// of the second best, found by galloping. Runs are only noted, and copied together, column by column.
final class MergeSource: BatchSource {
    private struct Stream {
        let reader: any ExchangeReader
        var batch: Batch?
        var keys = RowKeys([])
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
    /// What was taken of the streams' batches and is not in `result` yet.
    private var runs: [RowRun] = []
    private var runRowCount = 0
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
        while result.rowCount + runRowCount < Batch.standardRowCount {
            guard let winner = order.first else {
                copyRuns()
                return result.rowCount > 0 ? .batch(result.take()) : .finished
            }
            if streams[winner].batch == nil {
                // Its batch is used up: it must show its next row before anything else is decided.
                if try !fill(winner, wake: wake) {
                    copyRuns()
                    // What is there goes out first. The wake call may come in between: it is only a hint.
                    return result.rowCount > 0 ? .batch(result.take()) : .blocked
                }
                order.removeFirst()
                if !streams[winner].isFinished { insert(winner) }
                continue
            }
            takeRun(winner)
        }
        copyRuns()
        return .batch(result.take())
    }

    private func copyRuns() {
        if runs.isEmpty { return }
        result.append(streams.map(\.batch), runs: runs, count: runRowCount)
        runs.removeAll(keepingCapacity: true)
        runRowCount = 0
    }

    /// Gets the stream's next batch. Returns `false` if it has to wait.
    private func fill(_ index: Int, wake: @escaping @Sendable () -> Void) throws -> Bool {
        while true {
            switch try streams[index].reader.poll(wake: wake) {
            case .batch(let batch):
                if batch.isEmpty { continue }
                var dense = records.restored(batch).densified()
                // Streams have dictionaries of their own: rows of several of them together have none.
                if streams.count > 1 {
                    dense = Batch(columns: dense.columns.map { $0.flattened() }, rowCount: dense.rowCount)
                }
                streams[index].batch = dense
                streams[index].keys = RowKeys(try expressions.evaluate(dense).map { $0.flattened() })
                streams[index].row = 0
                return true
            case .pending: return false
            case .finished:
                streams[index].isFinished = true
                return true
            }
        }
    }

    /// Puts a stream at its place in the order, which is not before `first`; ties go to the earlier stream.
    private func insert(_ index: Int, from first: Int = 0) {
        var position = first
        let (keys, row) = (streams[index].keys, streams[index].row)
        while position < order.count {
            let other = order[position]
            let result = comparator.compare(keys, row, streams[other].keys, streams[other].row)
            if result < 0 || (result == 0 && index < other) { break }
            position += 1
        }
        order.insert(index, at: position)
    }

    /// Takes the winner's rows up to the second best's next one.
    private func takeRun(_ winner: Int) {
        guard let batch = streams[winner].batch else { return }
        let start = streams[winner].row
        let limit = min(batch.rowCount, start + Batch.standardRowCount - result.rowCount - runRowCount)
        let end = order.count < 2 ? limit : runEnd(winner, order[1], start: start, limit: limit)
        runs.append(RowRun(source: winner, start: start, count: end - start))
        runRowCount += end - start
        order.removeFirst()
        streams[winner].row = end
        if end == batch.rowCount {
            copyRuns()
            streams[winner].batch = nil
            order.insert(winner, at: 0)
        } else {
            // A run that does not end at the limit ends at the second best's row.
            insert(winner, from: end < limit ? 1 : 0)
        }
    }

    /// The first row from `start` on that does not come before the second best's, `limit` if there is none; at least one row
    /// is taken.
    private func runEnd(_ winner: Int, _ second: Int, start: Int, limit: Int) -> Int {
        let (keys, otherKeys, otherRow) = (streams[winner].keys, streams[second].keys, streams[second].row)
        func comesFirst(_ row: Int) -> Bool {
            let result = comparator.compare(keys, row, otherKeys, otherRow)
            return result < 0 || (result == 0 && winner < second)
        }
        var low = start + 1
        var high = limit
        var step = 1
        while low < high {
            let probe = min(low + step - 1, limit - 1)
            guard comesFirst(probe) else {
                high = probe
                break
            }
            low = probe + 1
            step *= 2
        }
        while low < high {
            let middle = (low + high) / 2
            if comesFirst(middle) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
