// Groups on disk: keys and exported states, by partition of the hash, so that equal groups can be brought together again
// one partition at a time.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import Synchronization

/// What one driver has spilled of one grouping set. Written by the driver; then each partition is read by the one driver
/// that merges it, hence unchecked.
final class SpilledGroups: @unchecked Sendable {
    /// Each covers a run of the partitions of `GroupRowStore`.
    static let partitionCount = 32
    private static let rowPartitions = GroupRowStore.partitionCount / partitionCount

    private let plan: AggregatePlan
    private let types: [DataType]
    private let budget: SpillBudget
    private let lock = Mutex(())
    private var files: [(any SpillFile)?]

    init(plan: AggregatePlan, index: Int, budget: SpillBudget) {
        self.plan = plan
        self.budget = budget
        types = plan.layouts[index].types + plan.calls.flatMap(\.executor.exportedTypes)
        files = [(any SpillFile)?](repeating: nil, count: SpilledGroups.partitionCount)
    }

    /// The partitions of a table's rows that belong to a partition of the files.
    static func rowPartitions(of partition: Int) -> Range<Int> {
        partition * rowPartitions..<(partition + 1) * rowPartitions
    }

    /// Writes all groups of a table and empties it.
    func write(_ table: GroupTable, checkCancellation: () throws -> Void) throws {
        table.partition()
        for partition in 0..<SpilledGroups.partitionCount {
            try checkCancellation()
            for rowPartition in SpilledGroups.rowPartitions(of: partition) {
                try table.store.forEachChunk(partition: rowPartition) { rows, count in
                    var columns = table.readKeys(rows, count: count)
                    for (executor, offset) in zip(table.layout.executors, table.layout.stateOffsets) {
                        columns += try executor.export(rows, offset: offset, count: count)
                    }
                    try file(partition).append(Batch(columns: columns, rowCount: count))
                }
            }
        }
        table.removeAll()
    }

    /// Ends the writing. Returns the bytes on disk.
    func seal() throws -> Int {
        for file in files { try file?.seal() }
        return files.reduce(0) { $0 + ($1?.byteCount ?? 0) }
    }

    private func file(_ partition: Int) throws -> any SpillFile {
        if let file = files[partition] { return file }
        let file = try budget.makeFile(types: types)
        files[partition] = file
        return file
    }

    /// Adds the groups of a partition to a set, and drops them here.
    func merge(partition: Int, into set: GroupSet) throws {
        let file = lock.withLock { _ in
            defer { files[partition] = nil }
            return Confined(files[partition])
        }
        guard let reader = try file.value?.read() else { return }
        while let batch = try reader.next() {
            try AggregateInput.forEachChunk(batch) { try set.merge(exported: $0) }
        }
    }
}

extension AggregatePlan {
    /// Whether groups can leave memory and come back: every state can be exported, and no call keeps rows.
    var canSpill: Bool { !hasCollectedCalls && calls.allSatisfy { !$0.executor.exportedTypes.isEmpty } }
}
