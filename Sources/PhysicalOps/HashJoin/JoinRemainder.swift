// What a join gives when every probe row has been seen: the build rows of right, full, right semi and right anti joins by
// whether they matched, or, if the build side did not fit into memory, the join of what both sides have spilled.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Synchronization

final class JoinRemainderFactory: SourceFactory, Sendable {
    private let node: PhysicalNode
    private let shared: JoinShared
    private let cursor = Atomic<Int>(0)
    private static let morselRowCount = 65_536

    init(node: PhysicalNode, shared: JoinShared) {
        self.node = node
        self.shared = shared
    }

    var isEmpty: Bool { !shared.spill.isActive && shared.build?.matched == nil }

    var maximumDrivers: Int {
        if shared.spill.isActive { return SpilledPartitions.partitionCount }
        return max(1, (shared.build?.store.rowCount ?? 0) / JoinRemainderFactory.morselRowCount)
    }

    func makeSource(driver: DriverContext) throws -> any BatchSource {
        let counters = driver.makeCounters(for: node)
        if shared.spill.isActive {
            return try SpilledJoinSource(node: node, counters: counters, shared: shared, driver: driver) { [self] in
                cursor.wrappingAdd(1, ordering: .relaxed).oldValue
            }
        }
        guard let build = shared.build else { throw QueryError.internalError("the join has no build side") }
        return UnmatchedSource(counters: counters, layout: shared.layout, build: build) { [self] in
            let start = cursor.wrappingAdd(JoinRemainderFactory.morselRowCount, ordering: .relaxed).oldValue
            return start..<start + JoinRemainderFactory.morselRowCount
        }
    }
}

/// Build rows by their flags.
private final class UnmatchedSource: BatchSource {
    let counters: OperatorCounters
    private let build: JoinBuild
    private let output: JoinOutput
    /// 1: rows that matched are given (right semi), 0: those that did not.
    private let wanted: UInt8
    private let nextMorsel: () -> Range<Int>
    private var row = 0
    private var end = 0

    init(
        counters: OperatorCounters, layout: JoinLayout, build: JoinBuild, nextMorsel: @escaping () -> Range<Int>
    ) {
        self.counters = counters
        self.build = build
        self.nextMorsel = nextMorsel
        output = JoinOutput(layout: layout, store: build.store)
        wanted = layout.kind == .rightSemi ? 1 : 0
    }

    func next(wake: @escaping @Sendable () -> Void) throws -> SourceEvent {
        guard let flags = build.matched?.base.assumingMemoryBound(to: UInt8.self) else { return .finished }
        let picked = Buffer(byteCount: (Batch.standardRowCount + 1) * 4)
        let rows = picked.base.assumingMemoryBound(to: UInt32.self)
        var count = 0
        while count < Batch.standardRowCount {
            if row >= end {
                let morsel = nextMorsel()
                if morsel.lowerBound >= build.store.rowCount { break }
                row = morsel.lowerBound
                end = min(build.store.rowCount, morsel.upperBound)
            }
            while row < end && count < Batch.standardRowCount {
                rows[count] = UInt32(truncatingIfNeeded: row)
                count &+= Int(unsafeBitCast(flags[row] == wanted, to: UInt8.self))
                row &+= 1
            }
        }
        return count == 0 ? .finished : .batch(output.stored(rows, count: count))
    }
}

/// Joins what was spilled, partition by partition: the build rows of one are read into memory, then its probe rows are
/// looked up. A partition that does not fit is divided by further bits of the hash, as in hybrid hash joins (DeWitt et
/// al., "Implementation Techniques for Main Memory Database Systems", 1984).
private final class SpilledJoinSource: BatchSource {
    /// One partition of both sides, from all drivers.
    private struct Work {
        let level: Int
        let build: [any SpillFile]
        let probe: [any SpillFile]
        /// Dividing it before has brought nothing: nearly all rows have the same key.
        var isIndivisible = false

        var buildRowCount: Int { build.reduce(0) { $0 + $1.rowCount } }
        var probeRowCount: Int { probe.reduce(0) { $0 + $1.rowCount } }
    }

    let counters: OperatorCounters
    private let node: PhysicalNode
    private let shared: JoinShared
    private let layout: JoinLayout
    /// Counters of the inner operators stay with them: their rows are this source's.
    private let innerDriver: DriverContext
    private let collector: BatchCollector
    private let nextPartition: () -> Int
    private let probeTypes: [DataType]
    private let probeKeys: [RowExpression]
    private var works: [Work] = []
    // The partition that is being joined.
    private var build: JoinBuild?
    private var probe: JoinProbeOperator?
    private var readers: [any BatchReader] = []
    private var unmatched: UnmatchedSource?

    init(
        node: PhysicalNode, counters: OperatorCounters, shared: JoinShared, driver: DriverContext,
        nextPartition: @escaping () -> Int
    ) throws {
        self.node = node
        self.counters = counters
        self.shared = shared
        self.nextPartition = nextPartition
        layout = shared.layout
        innerDriver = DriverContext(task: driver.task, index: driver.index, wake: driver.wake)
        collector = BatchCollector(driver: innerDriver)
        probeTypes = layout.plan.left.output.types
        probeKeys = try shared.spill.makeProbeKeys()
    }

    func next(wake: @escaping @Sendable () -> Void) throws -> SourceEvent {
        while true {
            try shared.task.checkCancellation()
            if let batch = collector.take() { return .batch(batch) }
            if let probe {
                if probe.hasPendingOutput {
                    try probe.resumeTimed()
                } else if let batch = try nextProbeBatch() {
                    try probe.push(batch)
                } else {
                    try probe.finish()
                    self.probe = nil
                }
                continue
            }
            if let unmatched {
                let event = try unmatched.next(wake: wake)
                if case .batch = event { return event }
                self.unmatched = nil
            }
            build = nil
            guard let work = nextWork() else { return .finished }
            try start(work)
        }
    }

    private func nextWork() -> Work? {
        if let work = works.popLast() { return work }
        let partition = nextPartition()
        guard partition < SpilledPartitions.partitionCount else { return nil }
        return Work(level: 0, build: shared.spill.build.take(partition), probe: shared.spill.probe.take(partition))
    }

    private func start(_ work: Work) throws {
        if work.probeRowCount == 0 && !layout.tracksMatches { return }
        if work.buildRowCount == 0 && layout.kind.dropsUnmatchedLeftRows { return }
        let part = RowPart(memory: shared.memory)
        let mayDivide = !work.isIndivisible && work.level + 1 < SpilledPartitions.levelCount
        var rest = try work.build.map { try $0.read() }
        while let reader = rest.last {
            guard let batch = try reader.next() else {
                rest.removeLast()
                continue
            }
            try shared.task.checkCancellation()
            if !mayDivide {
                try part.append(batch.densified().columns, count: batch.rowCount)
            } else if try part.append(batch.densified().columns, count: batch.rowCount, within: shared.spill.budget) {
                return try divide(work, part, rest)
            }
        }
        let store = try RowAssembly(parts: [part], types: layout.storedTypes, memory: shared.memory).finishWhole()
        let build = try JoinBuild(
            store: store, layout: layout, memory: shared.memory, nulls: shared.spill.nullKeys)
        for task in build.table.insertTasks(threads: 1) { try task() }
        self.build = build
        probe = try JoinProbeOperator(
            node: node, layout: layout, build: build, downstream: collector, driver: innerDriver)
        readers = try work.probe.map { try $0.read() }
        if layout.tracksMatches {
            var isGiven = false
            unmatched = UnmatchedSource(counters: counters, layout: layout, build: build) {
                defer { isGiven = true }
                return isGiven ? store.rowCount..<store.rowCount : 0..<store.rowCount
            }
        }
    }

    /// Writes both sides again, by other bits of the hash.
    private func divide(_ work: Work, _ part: RowPart, _ rest: [any BatchReader]) throws {
        let spill = shared.spill
        let rowCount = work.buildRowCount
        let build = SpilledPartitions(types: layout.storedTypes, level: work.level + 1, budget: spill.budget)
        try build.append(part, task: shared.task, keys: spill.buildKeys)
        for reader in rest {
            while let batch = try reader.next() {
                try shared.task.checkCancellation()
                let columns = batch.densified().columns
                try build.append(columns, keys: spill.buildKeys(columns), count: batch.rowCount)
            }
        }
        let probe = SpilledPartitions(types: probeTypes, level: work.level + 1, budget: spill.budget)
        for file in work.probe {
            let reader = try file.read()
            while let batch = try reader.next() {
                try shared.task.checkCancellation()
                let keys = spill.partitionKeys(try probeKeys.map { try $0.evaluate(batch) })
                try probe.append(batch.densified().columns, keys: keys, count: batch.rowCount)
            }
        }
        counters.metrics.spilledBytes += try build.seal() + probe.seal()
        for partition in 0..<SpilledPartitions.partitionCount {
            let files = (build: build.take(partition), probe: probe.take(partition))
            var inner = Work(
                level: work.level + 1, build: files.build.map { [$0] } ?? [], probe: files.probe.map { [$0] } ?? [])
            inner.isIndivisible = inner.buildRowCount > rowCount - rowCount / 8
            works.append(inner)
        }
    }

    /// Partitions are written in small pieces: they are put together again to batches of the usual size.
    private func nextProbeBatch() throws -> Batch? {
        var gathered: BatchAccumulator?
        while let reader = readers.last {
            guard let batch = try reader.next() else {
                readers.removeLast()
                continue
            }
            if gathered == nil && batch.rowCount >= Batch.standardRowCount / 2 { return batch }
            let accumulator = gathered ?? BatchAccumulator(types: probeTypes)
            gathered = accumulator
            accumulator.append(batch)
            if accumulator.rowCount >= Batch.standardRowCount / 2 { break }
        }
        return gathered?.take()
    }

    func close() {
        probe = nil
        build = nil
        unmatched = nil
        readers = []
        works = []
    }
}

/// The end of a chain inside of a source: keeps what comes until the source gives it.
private final class BatchCollector: PushOperator {
    private var batches: [Batch] = []

    init(driver: DriverContext) { super.init(name: "collector", downstream: nil, driver: driver) }

    override func process(_ batch: Batch) throws { batches.append(batch) }

    func take() -> Batch? {
        if batches.isEmpty { return nil }
        return batches.removeFirst()
    }
}
