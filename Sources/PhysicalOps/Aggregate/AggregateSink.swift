// Aggregation as a breaker: every driver collects groups of its own, which are merged when all rows are in.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization

/// The drivers' group sets, and how they are merged: small ones into one table on the spot, large ones partition by
/// partition while they are read. Guarded by `lock` while drivers add theirs; read-only after `finalize`.
final class AggregateSinkFactory: SinkFactory, @unchecked Sendable {
    /// Groups of one driver from which on rows are partitioned: what the second-level cache holds, roughly.
    static let partitionedGroupCount = 1 << 16
    /// Slots of a driver's table at most, if the table is partitioned.
    static let slotCountMax = 1 << 18
    /// Rows that are looked up before looking up is given up, where nearly all groups are expected to have one row.
    static let trialRowCount = 8 << 10
    /// Groups a row from which on looking up does not pay.
    static let distinctShareMax = 0.9

    let plan: AggregatePlan
    let task: TaskContext
    private let lock = Mutex(())
    /// By set, then one a driver.
    private var locals: [[GroupSet]]
    private var spilled: [[SpilledGroups]]
    private var reservations: [MemoryReservation] = []
    /// By set.
    private(set) var results: [AggregateResult] = []

    init(plan: AggregatePlan, task: TaskContext) {
        self.plan = plan
        self.task = task
        locals = plan.sets.map { _ in [] }
        spilled = locals.map { _ in [] }
    }

    var metricsNode: Int? { plan.node.id }

    func makeSink(driver: DriverContext) throws -> PushOperator { try AggregateSink(factory: self, driver: driver) }

    /// Takes over a driver's sets with the memory that they are booked on.
    func add(_ sets: [GroupSet], spilled files: [SpilledGroups?], reservation: MemoryReservation) {
        lock.withLock { _ in
            reservations.append(reservation)
            for (index, file) in files.enumerated() { if let file { spilled[index].append(file) } }
            for set in sets { locals[set.index].append(set) }
        }
    }

    func finalize(phase: Int) throws -> [FinalizeTask] {
        if phase > 0 { return [] }
        var tasks: [FinalizeTask] = []
        for index in plan.sets.indices {
            let sets = locals[index].sorted { $0.groupCount > $1.groupCount }
            locals[index] = []
            let filled = sets.filter { $0.groupCount > 0 }
            let result = AggregateResult(plan: plan, index: index)
            results.append(result)
            if !spilled[index].isEmpty {
                result.setSpilled(spilled[index], keeping: filled)
                spilled[index] = []
                for set in filled { tasks.append { [set = Confined(set)] in set.value.table?.partition() } }
                continue
            }
            let total = filled.reduce(0) { $0 + $1.groupCount }
            let isPartitioned = filled.contains {
                $0.table?.store.partitionCount ?? 1 > 1 || $0.table?.hasDuplicates ?? false
            }
            let canPartition = !plan.hasCollectedCalls && !plan.layouts[index].types.isEmpty
            if filled.count == 1 && !(filled[0].table?.hasDuplicates ?? false) {
                try filled[0].settleCollections()
                result.setWhole(filled[0])
            } else if canPartition && (isPartitioned || total > AggregateSinkFactory.partitionedGroupCount) {
                result.setPartitioned(filled)
                for set in filled where set.table?.store.partitionCount == 1 {
                    tasks.append { [set = Confined(set)] in set.value.table?.partition() }
                }
            } else if let target = filled.first {
                for other in filled.dropFirst() { try target.absorb(other) }
                try target.settleCollections()
                result.setWhole(target, keeping: filled)
            }
        }
        return tasks
    }

    func release(failed: Bool) {
        lock.withLock { _ in
            locals = plan.sets.map { _ in [] }
            spilled = plan.sets.map { _ in [] }
            results = []
            reservations = []
        }
    }
}

/// Hands an object that is used by one thread at a time to another thread.
struct Confined<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}

/// One driver's side.
private final class AggregateSink: PushOperator {
    private let factory: AggregateSinkFactory
    private let input: AggregateInput
    private let sets: [GroupSet]
    private let reservation: MemoryReservation
    private let canPartition: Bool
    private let budget: SpillBudget
    private let canSpill: Bool
    private var spilled: [SpilledGroups?]
    /// By set: rows and groups when the table last lost its slots, and whether look-ups are left out since.
    private var appends: [Bool]
    private var lookUpStart: [(rows: Int, groups: Int)]
    /// Whether the planner expects many groups, and hardly any with two rows.
    private let expectsDistinctRows: Bool

    init(factory: AggregateSinkFactory, driver: DriverContext) throws {
        self.factory = factory
        let plan = factory.plan
        input = try AggregateInput(plan, task: driver.task)
        canPartition = !plan.hasCollectedCalls
        let slotCountMax = canPartition ? AggregateSinkFactory.slotCountMax : Int.max
        sets = plan.sets.indices.map { GroupSet(plan: plan, index: $0, slotCountMax: slotCountMax) }
        reservation = MemoryReservation(driver.task.memory(for: plan.node))
        budget = SpillBudget(driver.task)
        canSpill = budget.canSpill && plan.canSpill && plan.sets.contains { !$0.isEmpty }
        spilled = sets.map { _ in nil }
        appends = sets.map { _ in false }
        lookUpStart = sets.map { _ in (0, 0) }
        let expectedGroups = plan.node.estimatedRowCount
        let expectedRows = plan.node.inputs.first?.estimatedRowCount ?? .infinity
        expectsDistinctRows =
            canPartition && plan.sets.count == 1
            && expectedGroups > Double(AggregateSinkFactory.partitionedGroupCount)
            && expectedGroups > AggregateSinkFactory.distinctShareMax * expectedRows
        if canPartition, !expectsDistinctRows, expectedGroups > Double(AggregateSinkFactory.partitionedGroupCount) {
            for set in sets where factory.plan.derived.parent(of: set.index) == nil {
                set.table?.reserve(AggregateSinkFactory.slotCountMax / 2)
            }
        }
        super.init(node: plan.node, downstream: nil, driver: driver)
    }

    override func process(_ batch: Batch) throws {
        try AggregateInput.forEachChunk(batch) { chunk in
            try input.evaluate(chunk)
            for (position, set) in sets.enumerated() where factory.plan.derived.parent(of: position) == nil {
                if appends[position] { try set.append(input) } else { try set.add(input) }
                if canPartition, set.groupCount > AggregateSinkFactory.partitionedGroupCount { grown(position, set) }
                if expectsDistinctRows, !appends[position] { tried(position, set) }
            }
        }
        let byteCount = sets.reduce(0) { $0 + $1.byteCount }
        if !canSpill {
            try reservation.resize(to: byteCount)
        } else if try budget.isExceeded(reservation, byteCount: byteCount) {
            try derive()
            try spill()
        }
    }

    override func revoke() throws {
        guard canSpill, budget.isWorthSpilling(sets.reduce(0, { $0 + $1.byteCount })) else { return }
        _ = reservation.takeRevocation()
        try derive()
        try spill()
    }

    /// Gives the groups so far to the sets that follow from others.
    private func derive() throws {
        for position in factory.plan.derived.order {
            guard let parent = factory.plan.derived.parent(of: position) else { continue }
            try driver.checkCancellation()
            try sets[position].addGroups(of: sets[parent])
        }
    }

    /// Writes the groups so far to disk and starts again.
    private func spill() throws {
        for (position, set) in sets.enumerated() {
            guard let table = set.table, table.groupCount > 0 else { continue }
            let target = spilled[position] ?? SpilledGroups(plan: factory.plan, index: set.index, budget: budget)
            spilled[position] = target
            try target.write(table) { try driver.checkCancellation() }
            lookUpStart[position] = (set.rowsSeen, 0)
        }
        reservation.shrink(to: sets.reduce(0) { $0 + $1.byteCount })
    }

    /// A table has outgrown the cache: partitions it, and stops looking for equal rows if hardly any are found.
    private func grown(_ position: Int, _ set: GroupSet) {
        guard let table = set.table, !appends[position] else { return }
        table.partition()
        let rows = set.rowsSeen - lookUpStart[position].rows
        if table.hasDuplicates && rows >= AggregateSinkFactory.slotCountMax {
            let groups = set.groupCount - lookUpStart[position].groups
            appends[position] = Double(groups) > AggregateSinkFactory.distinctShareMax * Double(rows)
            lookUpStart[position] = (set.rowsSeen, set.groupCount)
        }
    }

    /// The first rows bear the planner out: each row is a group of its own until the drivers' rows are merged.
    private func tried(_ position: Int, _ set: GroupSet) {
        let rows = set.rowsSeen - lookUpStart[position].rows
        guard rows >= AggregateSinkFactory.trialRowCount, let table = set.table else { return }
        let groups = set.groupCount - lookUpStart[position].groups
        if Double(groups) > 0.95 * Double(rows) {
            table.partition()
            appends[position] = true
        }
        lookUpStart[position] = (set.rowsSeen, set.groupCount)
    }

    override func finishInput() throws {
        if !factory.plan.derived.isEmpty {
            try derive()
            let byteCount = sets.reduce(0) { $0 + $1.byteCount }
            if !canSpill {
                try reservation.resize(to: byteCount)
            } else if try budget.isExceeded(reservation, byteCount: byteCount) {
                try spill()
            }
        }
        // What is left goes the same way: the memory is for reading the partitions again.
        if spilled.contains(where: { $0 != nil }) { try spill() }
        for groups in spilled { counters.metrics.spilledBytes += try groups?.seal() ?? 0 }
        reservation.keep()
        factory.add(sets, spilled: spilled, reservation: reservation)
    }
}
