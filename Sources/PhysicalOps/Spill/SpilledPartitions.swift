// Rows on disk by the hash of their keys: equal keys are in the same partition, of both sides of a join.
//
//   SpilledPartitions  what one driver has written
//   SpilledInput       what all drivers have written of one input

import Columnar
import Diagnostics
import Storage
import Synchronization

/// Rows that one driver has written. Each partition is read later by the one driver that takes it, hence unchecked.
final class SpilledPartitions: @unchecked Sendable {
    static let partitionCount = 32
    /// Partitions of partitions, at most: the hash has no more bits that hash tables do not use as well.
    static let levelCount = 4
    /// Rows that are gathered for a partition before they are written.
    private static let gatheredRowCount = 512

    /// 0 for rows that come from a pipeline, one more for each time that a partition was divided.
    let level: Int
    private let types: [DataType]
    private let budget: SpillBudget
    private var gathered: [BatchAccumulator?]
    private let lock = Mutex(())
    private var files: [(any SpillFile)?]
    private var hashBuffer = Buffer(byteCount: Batch.standardRowCount * 8)

    init(types: [DataType], level: Int, budget: SpillBudget) {
        self.types = types
        self.level = level
        self.budget = budget
        gathered = [BatchAccumulator?](repeating: nil, count: SpilledPartitions.partitionCount)
        files = [(any SpillFile)?](repeating: nil, count: SpilledPartitions.partitionCount)
    }

    /// Adds dense rows. `keys` are vectors of the same rows.
    func append(_ columns: [Vector], keys: [Vector], count: Int) throws {
        if count == 0 { return }
        if hashBuffer.byteCount < count * 8 { hashBuffer = Buffer(byteCount: count * 8) }
        let hashes = hashBuffer.base.assumingMemoryBound(to: UInt64.self)
        for (index, key) in keys.enumerated() { Hashing.hash(key, into: hashes, combining: index > 0) }
        // Rows in the order of their partitions: a counting sort.
        let shift = UInt64(24 + 5 * level)
        var ends = [Int](repeating: 0, count: SpilledPartitions.partitionCount)
        for row in 0..<count { ends[Int(truncatingIfNeeded: (hashes[row] &>> shift) & 31)] += 1 }
        let counts = ends
        var start = 0
        for partition in ends.indices {
            ends[partition] = start
            start += counts[partition]
        }
        let sorted = Selection(capacity: count)
        for row in 0..<count {
            let partition = Int(truncatingIfNeeded: (hashes[row] &>> shift) & 31)
            sorted.rows[ends[partition]] = UInt16(truncatingIfNeeded: row)
            ends[partition] += 1
        }
        let batch = Batch(columns: columns, rowCount: count)
        for partition in counts.indices where counts[partition] > 0 {
            let first = ends[partition] - counts[partition]
            try append(batch, rows: sorted.rows + first, count: counts[partition], to: partition)
        }
    }

    private func append(_ batch: Batch, rows: UnsafePointer<UInt16>, count: Int, to partition: Int) throws {
        let accumulator: BatchAccumulator
        if let existing = gathered[partition] {
            accumulator = existing
        } else {
            accumulator = BatchAccumulator(types: types, capacity: SpilledPartitions.gatheredRowCount)
            gathered[partition] = accumulator
        }
        accumulator.append(batch, rows: rows, count: count)
        if accumulator.rowCount >= SpilledPartitions.gatheredRowCount { try flush(partition) }
    }

    private func flush(_ partition: Int) throws {
        guard let accumulator = gathered[partition], accumulator.rowCount > 0 else { return }
        let file: any SpillFile
        if let existing = files[partition] {
            file = existing
        } else {
            file = try budget.makeFile(types: types)
            files[partition] = file
        }
        try file.append(accumulator.take())
    }

    /// Ends the writing. Returns the bytes on disk.
    func seal() throws -> Int {
        var bytes = 0
        for partition in files.indices {
            try flush(partition)
            gathered[partition] = nil
            try files[partition]?.seal()
            bytes += files[partition]?.byteCount ?? 0
        }
        return bytes
    }

    /// Hands a partition over to its reader; `nil` if it has no rows.
    func take(_ partition: Int) -> (any SpillFile)? {
        lock.withLock { _ in
            defer { files[partition] = nil }
            return Confined(files[partition])
        }.value
    }

    // MARK: - Rows that were kept until now

    /// Writes the rows of a part, which is of no use afterwards. `keys` picks the key columns of its rows.
    func append(_ part: RowPart, task: TaskContext, keys: ([Vector]) -> [Vector]) throws {
        try part.drain { columns, count in
            try task.checkCancellation()
            try append(columns, keys: keys(columns), count: count)
        }
    }

    func append(_ store: RowStore, task: TaskContext, keys: ([Vector]) -> [Vector]) throws {
        let all = Array(store.columns.indices)
        let buffer = Buffer(byteCount: Batch.standardRowCount * 4)
        let rows = buffer.base.assumingMemoryBound(to: UInt32.self)
        var position = 0
        while position < store.rowCount {
            try task.checkCancellation()
            let count = min(Batch.standardRowCount, store.rowCount - position)
            for index in 0..<count { rows[index] = UInt32(truncatingIfNeeded: position + index) }
            let columns = store.batch(rows, count: count, columns: all).columns
            try append(columns, keys: keys(columns), count: count)
            position += count
        }
    }
}

/// One input of an operator, as far as its drivers have spilled it. Thread-safe.
final class SpilledInput: Sendable {
    private let drivers = Mutex<[SpilledPartitions]>([])
    private let active = Atomic<Bool>(false)

    /// Whether the input is on disk rather than in memory. Settled before anything that waits for the input starts.
    var isActive: Bool { active.load(ordering: .acquiring) }

    func activate() { active.store(true, ordering: .releasing) }

    /// Takes over what a driver has written and sealed.
    func add(_ partitions: SpilledPartitions) { drivers.withLock { $0.append(partitions) } }

    /// A partition's rows, from all drivers.
    func take(_ partition: Int) -> [any SpillFile] {
        let drivers = drivers.withLock { $0 }
        return drivers.compactMap { $0.take(partition) }
    }

    func drop() { drivers.withLock { $0 = [] } }
}
