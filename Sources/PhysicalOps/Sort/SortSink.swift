// Collecting and ordering the rows of a sort.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization

/// What the operators of one sort share. The gate behind the sink orders the accesses to `result`, hence unchecked.
final class SortShared: @unchecked Sendable {
    let layout: SortLayout
    let task: TaskContext
    /// `nil` if there is no key.
    let threshold: SortThreshold?
    var result: SortResult?
    /// Sorted runs on disk, if the rows did not fit: then they are the result.
    private let spilled = Mutex<[SpilledRun]>([])

    init(layout: SortLayout, task: TaskContext) {
        self.layout = layout
        self.task = task
        threshold = layout.plan.keys.first.map { SortThreshold($0) }
    }

    var spilledRuns: [any SpillFile] { spilled.withLock { $0.map(\.file) } }
    func addRun(_ file: any SpillFile) { spilled.withLock { [run = SpilledRun(file: file)] in $0.append(run) } }
    func dropRuns() { spilled.withLock { $0 = [] } }

    /// Sorts the rows of a part and writes them to a run. Returns the run's bytes. The part is of no use afterwards.
    func spill(_ part: RowPart, budget: SpillBudget) throws -> Int {
        let store = try RowAssembly(parts: [part], types: layout.storedTypes, memory: nil).finishWhole()
        let sort = RowSort(
            layout.plan.keys, keys: layout.keyPositions.map { store.columns[$0] }, rowCount: store.rowCount)
        let run = sort.sorted(from: 0, count: store.rowCount)
        let file = try budget.makeFile(types: layout.storedTypes)
        let all = Array(layout.storedTypes.indices)
        let buffer = Buffer(byteCount: Batch.standardRowCount * 4)
        let rows = buffer.base.assumingMemoryBound(to: UInt32.self)
        var position = 0
        while position < run.count {
            try task.checkCancellation()
            let count = min(Batch.standardRowCount, run.count - position)
            for index in 0..<count { rows[index] = run.entries[position + index].row }
            try file.append(store.batch(rows, count: count, columns: all))
            position += count
        }
        try file.seal()
        addRun(file)
        return file.byteCount
    }
}

/// Written by a driver, read by the one that merges: never by two at a time, hence unchecked.
private struct SpilledRun: @unchecked Sendable {
    let file: any SpillFile
}

/// The sorted rows.
struct SortResult {
    let store: RowStore
    let order: SortRun
    let sort: RowSort
}

final class SortSink: SinkFactory, Sendable {
    private struct State {
        var parts: [RowPart] = []
        var assembly: RowAssembly?
        var sort: RowSort?
        var runs: [SortRun] = []
    }
    private let node: PhysicalNode
    private let shared: SortShared
    private let state: UncheckedState

    /// Guarded by the lock; sorts hold vectors, which are immutable by then.
    private final class UncheckedState: @unchecked Sendable {
        private let lock = Mutex(())
        private var state = State()
        func with<T>(_ body: (inout State) throws -> T) rethrows -> T {
            try lock.withLock { _ in try body(&state) }
        }
    }

    init(node: PhysicalNode, shared: SortShared) {
        self.node = node
        self.shared = shared
        state = UncheckedState()
    }

    func makeSink(driver: DriverContext) throws -> PushOperator {
        try SortCollector(node: node, shared: shared, driver: driver) { [state] part in
            state.with { $0.parts.append(part) }
        }
    }

    func finalize(phase: Int) throws -> [FinalizeTask] {
        if !shared.spilledRuns.isEmpty {
            // What other drivers still have goes the same way; the runs are merged while they are read.
            let parts = state.with { state in
                defer { state.parts = [] }
                return state.parts.filter { $0.rowCount > 0 }
            }
            let budget = SpillBudget(shared.task)
            return parts.map { part in { [shared] in _ = try shared.spill(part, budget: budget) } }
        }
        switch phase {
        case 0:
            let assembly = try state.with { state in
                defer { state.parts = [] }
                let made = try RowAssembly(
                    parts: state.parts, types: shared.layout.storedTypes, memory: shared.task.memory(for: node))
                state.assembly = made
                return made
            }
            return shared.layout.storedTypes.indices.map { column in { assembly.assemble(column) } }
        case 1:
            let store = try state.with { state in
                defer { state.assembly = nil }
                guard let assembly = state.assembly else { throw QueryError.internalError("the sort has no rows") }
                return try assembly.finish()
            }
            let sort = RowSort(
                shared.layout.plan.keys, keys: shared.layout.keyPositions.map { store.columns[$0] },
                rowCount: store.rowCount)
            state.with { $0.sort = sort }
            shared.result = SortResult(store: store, order: SortRun(count: 0), sort: sort)
            let runCount = store.rowCount < 20_000 ? 1 : shared.task.threads
            let size = (store.rowCount + runCount - 1) / max(1, runCount)
            return (0..<runCount).map { index in
                { [state, shared] in
                    guard let result = shared.result else { return }
                    let start = min(store.rowCount, index * size)
                    let run = result.sort.sorted(from: start, count: min(size, store.rowCount - start))
                    state.with { $0.runs.append(run) }
                }
            }
        case 2:
            guard let result = shared.result else { return [] }
            let runs = state.with { state in
                defer { state.runs = [] }
                return state.runs
            }
            shared.result = SortResult(store: result.store, order: result.sort.merged(runs), sort: result.sort)
            return []
        default: return []
        }
    }

    func release(failed: Bool) {
        state.with { $0 = State() }
        shared.result = nil
        shared.dropRuns()
    }
}

/// Collects one driver's rows. With a small limit it keeps few: rows behind the threshold are dropped when they come, and
/// whenever many have gathered only the first ones stay.
private final class SortCollector: PushOperator {
    private let layout: SortLayout
    private let shared: SortShared
    private var part: RowPart
    private let memory: OperatorMemory
    private let budget: SpillBudget
    private let computed: [RowExpression]
    private let encoder: SortPrefixEncoder
    private let handOver: (RowPart) -> Void
    private let gathered: BatchAccumulator?
    private let keptRowCount: Int
    /// Rows that may gather. Few at first: as soon as there is a threshold, rows behind it need not be read.
    private var pruneRowCount: Int
    private static let pruneRowCountMin = 256
    private let pruneRowCountMax: Int
    private var prefixBuffer = Buffer(byteCount: Batch.standardRowCount * 8)

    init(node: PhysicalNode, shared: SortShared, driver: DriverContext, handOver: @escaping (RowPart) -> Void) throws {
        layout = shared.layout
        self.shared = shared
        self.handOver = handOver
        memory = shared.task.memory(for: node)
        part = RowPart(memory: memory)
        budget = SpillBudget(shared.task)
        computed = try shared.layout.computedKeys.map {
            try RowExpression(shared.layout.plan.keys[$0].expression, task: shared.task)
        }
        encoder = SortPrefixEncoder(shared.layout.plan.keys)
        keptRowCount = shared.layout.keptRowCount ?? 0
        pruneRowCountMax = min(Batch.rowCountMax - Batch.standardRowCount, max(4 * keptRowCount, 8192))
        pruneRowCount = min(pruneRowCountMax, max(2 * keptRowCount, SortCollector.pruneRowCountMin))
        gathered = shared.layout.keptRowCount.map { _ in
            BatchAccumulator(types: shared.layout.storedTypes, capacity: 8192)
        }
        super.init(node: node, downstream: nil, driver: driver)
    }

    override func process(_ batch: Batch) throws {
        var columns = (0..<layout.outputCount).map { batch.column($0) }
        for expression in computed { columns.append(try expression.evaluate(batch)) }
        guard let gathered else {
            if try part.append(columns, count: batch.rowCount, within: budget) { try spill() }
            return
        }
        if keptRowCount == 0 { return }
        let whole = Batch(columns: columns, rowCount: batch.rowCount)
        let threshold = shared.threshold?.value ?? .max
        if threshold == .max {
            gathered.append(whole)
        } else {
            let rows = belowThreshold(columns, count: batch.rowCount, threshold)
            if rows.count > 0 { gathered.append(whole, rows: rows.rows, count: rows.count) }
        }
        if gathered.rowCount >= pruneRowCount { prune(gathered) }
    }

    override func revoke() throws {
        if gathered == nil, budget.isWorthSpilling(part.byteCount) { try spill() }
    }

    private func spill() throws {
        counters.metrics.spilledBytes += try shared.spill(part, budget: budget)
        part = RowPart(memory: memory)
    }

    private func belowThreshold(_ columns: [Vector], count: Int, _ threshold: UInt64) -> Selection {
        if prefixBuffer.byteCount < count * 8 { prefixBuffer = Buffer(byteCount: count * 8) }
        let prefixes = prefixBuffer.base.assumingMemoryBound(to: UInt64.self)
        encoder.encode(layout.keyPositions.map { columns[$0].flattened() }, count: count, into: prefixes)
        let selection = Selection(capacity: count)
        selection.count = SortPrefixEncoder.select(prefixes, count: count, upTo: threshold, into: selection.rows)
        return selection
    }

    /// Keeps the first rows of those gathered.
    private func prune(_ gathered: BatchAccumulator) {
        let batch = gathered.take()
        let keys = layout.keyPositions.map { batch.columns[$0].flattened() }
        let sort = RowSort(layout.plan.keys, keys: keys, rowCount: batch.rowCount)
        let run = sort.sorted(from: 0, count: batch.rowCount)
        let rows = Selection(capacity: keptRowCount)
        rows.count = min(keptRowCount, run.count)
        for index in 0..<rows.count { rows.rows[index] = UInt16(truncatingIfNeeded: run.entries[index].row) }
        if run.count >= keptRowCount {
            // Prefixes of the sort are made for these rows; those of the encoder mean the same to all drivers.
            var prefix: UInt64 = 0
            encoder.encode(keys, from: Int(run.entries[keptRowCount - 1].row), count: 1, into: &prefix)
            shared.threshold?.lower(to: prefix)
        }
        pruneRowCount = min(pruneRowCountMax, 2 * pruneRowCount)
        gathered.append(batch, rows: rows.rows, count: rows.count)
    }

    override func finishInput() throws {
        if let gathered, gathered.rowCount > 0 {
            if gathered.rowCount > keptRowCount { prune(gathered) }
            let batch = gathered.take()
            try part.append(batch.columns, count: batch.rowCount)
        }
        part.keep()
        handOver(part)
    }
}
