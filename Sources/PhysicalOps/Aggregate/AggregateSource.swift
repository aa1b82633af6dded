// Reads the groups of an aggregation: whole tables in pieces, partitioned ones partition by partition.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization

/// The groups of one set, ready to be read by several drivers. Set up by one thread in `finalize`; `cursor` is guarded by
/// `lock`.
final class AggregateResult: @unchecked Sendable {
    enum Form {
        case empty
        case whole(GroupSet)
        /// The drivers' tables, every one partitioned; equal groups are in the same partition.
        case partitioned([GroupSet])
        /// The same with the larger part of the groups on disk.
        case spilled([SpilledGroups], [GroupSet])
    }

    private let plan: AggregatePlan
    private let index: Int
    private(set) var form = Form.empty
    /// Sets whose memory the keys of `form` lie in.
    private var kept: [GroupSet] = []
    private let lock = Mutex(())
    private var cursor = GroupRowStore.Cursor()
    private var partition = 0
    private var isSingleGiven = false

    init(plan: AggregatePlan, index: Int) {
        self.plan = plan
        self.index = index
    }

    func setWhole(_ set: GroupSet, keeping others: [GroupSet] = []) {
        form = .whole(set)
        kept = others
    }

    func setPartitioned(_ sets: [GroupSet]) { form = .partitioned(sets) }
    func setSpilled(_ files: [SpilledGroups], keeping sets: [GroupSet]) { form = .spilled(files, sets) }

    /// How many drivers find work.
    var parallelism: Int {
        switch form {
        case .empty: 0
        case .whole(let set): (set.groupCount + 4 * Batch.standardRowCount - 1) / (4 * Batch.standardRowCount)
        case .partitioned: GroupRowStore.partitionCount
        case .spilled: SpilledGroups.partitionCount
        }
    }

    /// The next rows of a whole table; 0 at the end.
    func nextRows(_ set: GroupSet, into rows: UnsafeMutablePointer<UnsafeMutableRawPointer>, limit: Int) -> Int {
        lock.withLock { _ in
            guard let store = set.table?.store else { return 0 }
            while partition < store.partitionCount {
                let count = store.next(partition: partition, &cursor, into: rows, limit: limit)
                if count > 0 { return count }
                partition += 1
                cursor = GroupRowStore.Cursor()
            }
            return 0
        }
    }

    /// Whether the caller is the one to give the only row of a set without keys.
    func takeSingle() -> Bool {
        lock.withLock { _ in
            defer { isSingleGiven = true }
            return !isSingleGiven
        }
    }

    func nextPartition() -> Int? {
        lock.withLock { _ in
            guard partition < parallelism else { return nil }
            defer { partition += 1 }
            return partition
        }
    }

    /// Merges one partition of all drivers' tables.
    func mergePartition(_ number: Int, of sets: [GroupSet]) throws -> GroupSet {
        let merged = GroupSet(plan: plan, index: index, copiesStrings: false)
        // Half of the rows, as a rule, are new groups; the table grows by itself if there are more.
        let rows = sets.reduce(0) { $0 + $1.groupCount } / GroupRowStore.partitionCount
        merged.table?.reserve(rows / 2)
        for set in sets {
            guard let table = set.table else { continue }
            try merged.absorb(table, partition: number)
            merged.borrow([table.heap])
            table.store.discard(partition: number)
        }
        return merged
    }

    /// Merges one partition of what was spilled and of what the drivers still had.
    func mergeSpilled(_ number: Int, _ files: [SpilledGroups], _ sets: [GroupSet]) throws -> GroupSet {
        let merged = GroupSet(plan: plan, index: index)
        for set in sets {
            guard let table = set.table else { continue }
            for partition in SpilledGroups.rowPartitions(of: number) {
                try merged.absorb(table, partition: partition)
                table.store.discard(partition: partition)
            }
        }
        for file in files { try file.merge(partition: number, into: merged) }
        return merged
    }
}

final class AggregateSourceFactory: SourceFactory {
    let sink: AggregateSinkFactory
    init(sink: AggregateSinkFactory) { self.sink = sink }

    var maximumDrivers: Int { max(1, sink.results.reduce(0) { $0 + $1.parallelism }) }

    func makeSource(driver: DriverContext) throws -> any BatchSource {
        AggregateSource(
            counters: driver.makeCounters(for: sink.plan.node), results: sink.results,
            reservation: MemoryReservation(driver.task.memory(for: sink.plan.node)))
    }
}

/// One driver's reader.
private final class AggregateSource: BatchSource {
    let counters: OperatorCounters
    private var results: ArraySlice<AggregateResult>
    private let reservation: MemoryReservation
    private let rows: UnsafeMutablePointer<UnsafeMutableRawPointer>
    /// The partition being read.
    private var merged: GroupSet?
    private var cursor = GroupRowStore.Cursor()

    init(counters: OperatorCounters, results: [AggregateResult], reservation: MemoryReservation) {
        self.counters = counters
        self.results = results[...]
        self.reservation = reservation
        rows = .allocate(capacity: Batch.standardRowCount)
    }

    deinit { rows.deallocate() }

    func next(wake: @escaping @Sendable () -> Void) throws -> SourceEvent {
        while let result = results.first {
            if let batch = try next(of: result) { return .batch(batch) }
            results.removeFirst()
        }
        return .finished
    }

    private func next(of result: AggregateResult) throws -> Batch? {
        switch result.form {
        case .empty: return nil
        case .whole(let set):
            if set.single != nil { return result.takeSingle() ? try set.singleOutput() : nil }
            let count = result.nextRows(set, into: rows, limit: Batch.standardRowCount)
            return count == 0 ? nil : try set.output(rows, count: count)
        case .partitioned(let sets):
            while true {
                if let batch = try nextMerged() { return batch }
                guard let partition = result.nextPartition() else { return nil }
                try take(try result.mergePartition(partition, of: sets))
            }
        case .spilled(let files, let sets):
            while true {
                if let batch = try nextMerged() { return batch }
                guard let partition = result.nextPartition() else { return nil }
                try take(try result.mergeSpilled(partition, files, sets))
            }
        }
    }

    private func take(_ set: GroupSet) throws {
        try reservation.resize(to: set.byteCount)
        merged = set
        cursor = GroupRowStore.Cursor()
    }

    /// The next rows of the partition being read.
    private func nextMerged() throws -> Batch? {
        guard let merged, let store = merged.table?.store else { return nil }
        let count = store.next(partition: 0, &cursor, into: rows, limit: Batch.standardRowCount)
        if count > 0 { return try merged.output(rows, count: count) }
        self.merged = nil
        return nil
    }
}
