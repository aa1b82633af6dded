// Collects the rows of a window operator, and spreads them by partition or sorts them as a whole.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization

final class WindowSink: SinkFactory, Sendable {
    /// What the steps of `finalize` hand on. Guarded by the lock; what lies in it is immutable by then.
    private final class State: @unchecked Sendable {
        private let lock = Mutex(())
        var parts: [RowPart] = []
        var assembly: RowAssembly?
        var sort: RowSort?
        var runs: [SortRun] = []
        func with<T>(_ body: (State) throws -> T) rethrows -> T { try lock.withLock { _ in try body(self) } }
    }
    private let node: PhysicalNode
    private let shared: WindowShared
    private let state = State()

    init(node: PhysicalNode, shared: WindowShared) {
        self.node = node
        self.shared = shared
    }

    var metricsNode: Int? { node.id }

    func makeSink(driver: DriverContext) throws -> PushOperator {
        try WindowCollector(node: node, shared: shared, driver: driver) { [state] part in
            state.with { $0.parts.append(part) }
        }
    }

    func finalize(phase: Int) throws -> [FinalizeTask] {
        let layout = shared.layout
        switch phase {
        case 0:
            let parts = state.with { state in
                defer { state.parts = [] }
                return state.parts
            }
            do {
                if shared.spilled.isActive { return spillTasks(parts) }
                let assembly = try RowAssembly(
                    parts: parts, types: layout.storedTypes, memory: shared.task.memory(for: node))
                state.with { $0.assembly = assembly }
                // Rows without columns are counted all the same: a step without tasks would be the last.
                let tasks = layout.storedTypes.indices.map { column -> FinalizeTask in { assembly.assemble(column) } }
                return tasks.isEmpty ? [{}] : tasks
            } catch let error as QueryError where error.state == .outOfMemory && shared.canSpill {
                return spillTasks(parts)
            }
        case 1 where !shared.spilled.isActive:
            shared.store = try state.with { state in
                defer { state.assembly = nil }
                guard let assembly = state.assembly else { throw QueryError.internalError("the window has no rows") }
                return try assembly.finish()
            }
        default: break
        }
        guard let store = shared.store else { return [] }
        return layout.partitions.isEmpty ? sortTasks(phase, store) : try partitionTasks(phase, store)
    }

    /// The rows that are still in memory go to disk as well: no partition is in two places.
    private func spillTasks(_ parts: [RowPart]) -> [FinalizeTask] {
        shared.spilled.activate()
        var tasks: [FinalizeTask] = [{}]
        for part in parts where part.rowCount > 0 {
            tasks.append { [shared] in try shared.spill { try $0.append(part, task: shared.task, keys: $1) } }
        }
        return tasks
    }

    /// Whole partitions by the hash of their keys; they are sorted when they are read.
    private func partitionTasks(_ phase: Int, _ store: RowStore) throws -> [FinalizeTask] {
        switch phase {
        case 1:
            let reservation = MemoryReservation(shared.task.memory(for: node))
            do {
                try reservation.resize(to: WindowPartitioner.byteCount(rows: store.rowCount))
            } catch let error as QueryError where error.state == .outOfMemory && shared.canSpill {
                shared.spilled.activate()
                shared.store = nil
                return [{ [shared] in try shared.spill { try $0.append(store, task: shared.task, keys: $1) } }]
            }
            shared.reservation = reservation
            let partitioner = WindowPartitioner(
                keys: shared.layout.partitions.map { store.columns[$0] }, rowCount: store.rowCount)
            shared.partitioner = partitioner
            return partitioner.hashTasks()
        case 2: return shared.partitioner?.scatterTasks() ?? []
        default: return []
        }
    }

    /// One partition: runs that are sorted in parallel, and merged.
    private func sortTasks(_ phase: Int, _ store: RowStore) -> [FinalizeTask] {
        let layout = shared.layout
        switch phase {
        case 1:
            let sort = RowSort(
                layout.plan.ordering, keys: layout.ordering.map { store.columns[$0] }, rowCount: store.rowCount)
            let runCount = store.rowCount < 20_000 ? 1 : shared.task.threads
            let size = (store.rowCount + runCount - 1) / max(1, runCount)
            state.with { $0.sort = sort }
            return (0..<runCount).map { index in
                { [state] in
                    guard let sort = state.with({ $0.sort }) else { return }
                    let start = min(store.rowCount, index * size)
                    let run = sort.sorted(from: start, count: min(size, store.rowCount - start))
                    state.with { $0.runs.append(run) }
                }
            }
        case 2:
            let (sort, runs) = state.with { state in
                defer { (state.sort, state.runs) = (nil, []) }
                return (state.sort, state.runs)
            }
            guard let sort else { return [] }
            shared.whole = Self.block(sort.merged(runs), sort)
            return []
        default: return []
        }
    }

    private static func block(_ run: SortRun, _ sort: RowSort) -> WindowBlock {
        let block = WindowBlock(count: run.count)
        let entries = run.entries
        for index in 0..<run.count {
            block.rows[index] = entries[index].row
            block.tiesWithPrevious[index] = index > 0 && sort.ties(entries[index - 1], entries[index]) ? 1 : 0
        }
        block.bounds = run.count > 0 ? [0, run.count] : [0]
        return block
    }

    func release(failed: Bool) {
        state.with { state in
            state.parts = []
            state.assembly = nil
            (state.sort, state.runs) = (nil, [])
        }
        shared.drop()
    }
}

private final class WindowCollector: PushOperator {
    private let layout: WindowLayout
    private let shared: WindowShared
    private let memory: OperatorMemory
    private var part: RowPart
    /// What went to disk.
    private var spilled: SpilledPartitions?
    private let computed: RowExpressions
    private let handOver: (RowPart) -> Void

    init(node: PhysicalNode, shared: WindowShared, driver: DriverContext, handOver: @escaping (RowPart) -> Void) throws
    {
        layout = shared.layout
        self.shared = shared
        memory = shared.task.memory(for: node)
        part = RowPart(memory: memory)
        computed = try RowExpressions(shared.layout.computed, task: shared.task)
        self.handOver = handOver
        super.init(node: node, downstream: nil, driver: driver)
    }

    override func process(_ batch: Batch) throws {
        var columns = (0..<layout.inputCount).map { batch.column($0) }
        columns += try computed.evaluate(batch)
        guard shared.canSpill else { return try part.append(columns, count: batch.rowCount) }
        if let spilled {
            try spilled.append(columns, keys: shared.partitionKeys(columns), count: batch.rowCount)
        } else if try part.append(columns, count: batch.rowCount, within: shared.budget) {
            try spill()
        }
    }

    override func revoke() throws {
        guard shared.canSpill, spilled == nil, shared.budget.isWorthSpilling(part.byteCount) else { return }
        try spill()
    }

    private func spill() throws {
        shared.spilled.activate()
        let partitions = shared.makePartitions(level: 0)
        try partitions.append(part, task: shared.task, keys: shared.partitionKeys)
        spilled = partitions
        part = RowPart(memory: memory)
    }

    override func finishInput() throws {
        if let spilled {
            counters.metrics.spilledBytes += try spilled.seal()
            shared.spilled.add(spilled)
        }
        part.keep()
        handOver(part)
    }
}
