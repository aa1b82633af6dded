// The end of a task's last pipeline: spreads rows over the partitions of the output.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization

/// Gives each driver a sink that partitions its rows.
final class OutputSinkFactory: SinkFactory {
    let output: any TaskOutput
    let partitioning: OutputPartitioning

    init(output: any TaskOutput, partitioning: OutputPartitioning) {
        self.output = output
        self.partitioning = partitioning
    }

    func makeSink(driver: DriverContext) throws -> PushOperator {
        let partitions = max(1, output.partitionCount)
        switch partitioning {
        case .hash(let columns) where partitions > 1:
            return HashPartitionSink(output: output, columns: columns, partitions: partitions, driver: driver)
        case .hash, .single: return WholeBatchSink(output: output, targets: .single, driver: driver)
        case .broadcast, .copies: return WholeBatchSink(output: output, targets: .all(partitions), driver: driver)
        case .roundRobin: return WholeBatchSink(output: output, targets: .turns(partitions), driver: driver)
        }
    }
}

/// Partition numbers of rows; the same on every node.
package enum HashPartitioning {
    /// The partition for a hash of all key columns. Mixes the hash again, so that within a partition the hashes that
    /// operators use are still evenly spread.
    @inline(__always)
    package static func partition(_ hash: UInt64, of count: UInt64) -> Int {
        let mixed = Hashing.mix(hash ^ 0x5851_F42D_4C95_7F2D) &>> 32
        return Int(truncatingIfNeeded: (mixed &* count) &>> 32)
    }

    /// Hashes of the given columns of the live rows.
    package static func hash(_ batch: Batch, columns: [Int], into hashes: UnsafeMutablePointer<UInt64>) {
        if columns.isEmpty { hashes.update(repeating: Hashing.nullHash, count: batch.rowCount) }
        for (position, column) in columns.enumerated() {
            Hashing.hash(batch.column(column), into: hashes, combining: position > 0)
        }
    }
}

/// A batch to itself and its consumers: batches are confined to one thread, so each receiver gets an object of its own.
private func share(_ batch: Batch) -> Batch { Batch(columns: batch.columns, rowCount: batch.rowCount) }

/// Sends whole batches to one partition, to all, or to each in turn. Small batches are collected first.
private final class WholeBatchSink: PushOperator {
    enum Targets {
        case single
        case all(Int)
        case turns(Int)
    }
    /// Batches of this many rows pass as they are.
    private static let passRows = Batch.standardRowCount / 2

    private let output: any TaskOutput
    private let targets: Targets
    private var accumulator: BatchAccumulator?
    private var turn: Int

    init(output: any TaskOutput, targets: Targets, driver: DriverContext) {
        self.output = output
        self.targets = targets
        turn = driver.index
        super.init(name: "output", downstream: nil, driver: driver)
    }

    override func isFull(wake: @escaping @Sendable () -> Void) -> Bool { output.isFull(wake: wake) }
    override var wantsMore: Bool { output.wantsMore }

    override func process(_ batch: Batch) throws {
        if batch.rowCount >= WholeBatchSink.passRows {
            flush()
            send(batch.densified())
            return
        }
        let collected = accumulator ?? BatchAccumulator(types: batch.columns.map(\.type))
        accumulator = collected
        collected.append(batch)
        if collected.rowCount >= Batch.standardRowCount { flush() }
    }

    override func finishInput() throws { flush() }

    private func flush() {
        guard let accumulator, accumulator.rowCount > 0 else { return }
        send(accumulator.take())
    }

    private func send(_ batch: Batch) {
        counters.metrics.rowsOut += batch.rowCount
        counters.metrics.batchesOut += 1
        switch targets {
        case .single: output.enqueue(batch, partition: 0)
        case .all(let count):
            for partition in 0..<count { output.enqueue(partition == 0 ? batch : share(batch), partition: partition) }
        case .turns(let count):
            output.enqueue(batch, partition: turn % count)
            turn += 1
        }
    }
}

/// Sends each row to the partition that its key columns hash to.
private final class HashPartitionSink: PushOperator {
    private let output: any TaskOutput
    private let columns: [Int]
    private let partitions: Int
    private var accumulators: [BatchAccumulator] = []
    private var hashes = Buffer(byteCount: Batch.standardRowCount * 8)
    /// Row numbers, ordered by partition, and where each partition's begin.
    private var rows = Buffer(byteCount: Batch.standardRowCount * 2)
    private var numbers = Buffer(byteCount: Batch.standardRowCount * 2)
    private let starts: Buffer

    init(output: any TaskOutput, columns: [Int], partitions: Int, driver: DriverContext) {
        self.output = output
        self.columns = columns
        self.partitions = partitions
        starts = Buffer(byteCount: (partitions + 1) * 8)
        super.init(name: "output", downstream: nil, driver: driver)
    }

    override func isFull(wake: @escaping @Sendable () -> Void) -> Bool { output.isFull(wake: wake) }
    override var wantsMore: Bool { output.wantsMore }

    override func process(_ batch: Batch) throws {
        if accumulators.isEmpty {
            let types = batch.columns.map(\.type)
            accumulators = (0..<partitions).map { _ in BatchAccumulator(types: types) }
        }
        order(batch)
        let start = starts.base.assumingMemoryBound(to: Int.self)
        let ordered = rows.base.assumingMemoryBound(to: UInt16.self)
        for partition in 0..<partitions {
            // After `order` each start is the end of its partition.
            let from = partition == 0 ? 0 : start[partition - 1]
            let count = start[partition] - from
            if count == 0 { continue }
            accumulators[partition].append(batch, rows: ordered + from, count: count)
            if accumulators[partition].rowCount >= Batch.standardRowCount { flush(partition) }
        }
    }

    /// Sorts the physical row numbers of the live rows by partition (counting sort).
    private func order(_ batch: Batch) {
        let count = batch.rowCount
        if hashes.byteCount < count * 8 {
            hashes = Buffer(byteCount: count * 8)
            rows = Buffer(byteCount: count * 2)
            numbers = Buffer(byteCount: count * 2)
        }
        let hash = hashes.base.assumingMemoryBound(to: UInt64.self)
        HashPartitioning.hash(batch, columns: columns, into: hash)
        let start = starts.base.assumingMemoryBound(to: Int.self)
        start.update(repeating: 0, count: partitions + 1)
        let number = numbers.base.assumingMemoryBound(to: UInt16.self)
        let partitionCount = UInt64(partitions)
        var row = 0
        while row < count {
            let partition = HashPartitioning.partition(hash[row], of: partitionCount)
            number[row] = UInt16(truncatingIfNeeded: partition)
            start[partition &+ 1] &+= 1
            row &+= 1
        }
        var partition = 0
        while partition < partitions {
            start[partition &+ 1] &+= start[partition]
            partition &+= 1
        }
        let ordered = rows.base.assumingMemoryBound(to: UInt16.self)
        let physical = batch.selection?.rows
        row = 0
        while row < count {
            let partition = Int(number[row])
            ordered[start[partition]] = physical.map { $0[row] } ?? UInt16(truncatingIfNeeded: row)
            start[partition] &+= 1
            row &+= 1
        }
    }

    override func finishInput() throws {
        for partition in accumulators.indices { flush(partition) }
    }

    private func flush(_ partition: Int) {
        let rowCount = accumulators[partition].rowCount
        if rowCount == 0 { return }
        counters.metrics.rowsOut += rowCount
        counters.metrics.batchesOut += 1
        output.enqueue(accumulators[partition].take(), partition: partition)
    }
}
