// A window operator whose rows do not fit into memory: they are on disk by the hash of their partition keys, and read again
// some partitions at a time.

import Columnar
import Diagnostics
import Storage

extension WindowShared {
    /// Without partition keys all rows are one partition.
    var canSpill: Bool { budget.canSpill && !layout.partitions.isEmpty }

    func partitionKeys(_ columns: [Vector]) -> [Vector] { layout.partitions.map { columns[$0] } }

    func makePartitions(level: Int) -> SpilledPartitions {
        SpilledPartitions(types: layout.storedTypes, level: level, budget: budget)
    }

    /// Spills what `write` appends, by the keys that it is given.
    func spill(_ write: (SpilledPartitions, ([Vector]) -> [Vector]) throws -> Void) throws {
        let partitions = makePartitions(level: 0)
        try write(partitions, partitionKeys)
        _ = try partitions.seal()
        spilled.add(partitions)
    }
}

/// One driver's reader of spilled rows. A partition of the files that does not fit is divided by further bits of the hash.
final class SpilledWindowReader {
    private struct Work {
        let level: Int
        let files: [any SpillFile]
        /// Dividing it before has brought nothing: nearly all rows are of one partition.
        var isIndivisible = false

        var rowCount: Int { files.reduce(0) { $0 + $1.rowCount } }
    }

    private let shared: WindowShared
    private let memory: OperatorMemory
    private let counters: OperatorCounters
    private let nextPartition: () -> Int
    private let reservation: MemoryReservation
    private var works: [Work] = []
    // The rows in memory, and which of their parts comes next.
    private var store: RowStore?
    private var partitioner: WindowPartitioner?
    private var part = 0

    init(
        shared: WindowShared, memory: OperatorMemory, counters: OperatorCounters, nextPartition: @escaping () -> Int
    ) {
        self.shared = shared
        self.memory = memory
        self.counters = counters
        self.nextPartition = nextPartition
        reservation = MemoryReservation(memory)
    }

    /// The next partitions, sorted; `nil` when there are none left.
    func next() throws -> WindowPart? {
        while true {
            if let store, let partitioner, part < partitioner.partCount {
                defer { part += 1 }
                if let block = partitioner.sortedBlock(part, of: store, shared.layout) {
                    return WindowPart(store: store, block: block)
                }
                continue
            }
            (store, partitioner) = (nil, nil)
            guard let work = nextWork() else { return nil }
            if work.rowCount > 0 { try load(work) }
        }
    }

    private func nextWork() -> Work? {
        if let work = works.popLast() { return work }
        let partition = nextPartition()
        guard partition < SpilledPartitions.partitionCount else { return nil }
        return Work(level: 0, files: shared.spilled.take(partition))
    }

    private func load(_ work: Work) throws {
        let rows = RowPart(memory: memory)
        let mayDivide = !work.isIndivisible && work.level + 1 < SpilledPartitions.levelCount
        var rest = try work.files.map { try $0.read() }
        while let reader = rest.last {
            guard let batch = try reader.next() else {
                rest.removeLast()
                continue
            }
            try shared.task.checkCancellation()
            let columns = batch.densified().columns
            if !mayDivide {
                try rows.append(columns, count: batch.rowCount)
            } else if try rows.append(columns, count: batch.rowCount, within: shared.budget) {
                return try divide(work, rows, rest)
            }
        }
        let store = try RowAssembly(parts: [rows], types: shared.layout.storedTypes, memory: memory).finishWhole()
        try reservation.resize(to: WindowPartitioner.byteCount(rows: store.rowCount))
        let partitioner = WindowPartitioner(keys: shared.partitionKeys(store.columns), rowCount: store.rowCount)
        for task in partitioner.hashTasks() { try task() }
        for task in partitioner.scatterTasks() { try task() }
        self.store = store
        self.partitioner = partitioner
        part = 0
    }

    /// Writes the rows again, by other bits of the hash.
    private func divide(_ work: Work, _ rows: RowPart, _ rest: [any BatchReader]) throws {
        let partitions = shared.makePartitions(level: work.level + 1)
        try partitions.append(rows, task: shared.task, keys: shared.partitionKeys)
        for reader in rest {
            while let batch = try reader.next() {
                try shared.task.checkCancellation()
                let columns = batch.densified().columns
                try partitions.append(columns, keys: shared.partitionKeys(columns), count: batch.rowCount)
            }
        }
        counters.metrics.spilledBytes += try partitions.seal()
        let rowCount = work.rowCount
        for partition in 0..<SpilledPartitions.partitionCount {
            guard let file = partitions.take(partition) else { continue }
            var inner = Work(level: work.level + 1, files: [file])
            inner.isIndivisible = file.rowCount > rowCount - rowCount / 8
            works.append(inner)
        }
    }
}
