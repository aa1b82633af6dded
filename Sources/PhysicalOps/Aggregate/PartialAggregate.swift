// Partial aggregation: a streaming operator that shrinks its input before it crosses the network, where that pays.

import Columnar
import Diagnostics
import QueryPlan

final class PartialAggregateFactory: OperatorFactory {
    let plan: AggregatePlan
    init(plan: AggregatePlan) { self.plan = plan }

    func makeOperator(downstream: PushOperator, driver: DriverContext) throws -> PushOperator {
        try PartialAggregate(plan: plan, downstream: downstream, driver: driver)
    }
}

/// Collects groups up to a number that the cache holds, gives their states and starts again. When the first rows hardly
/// share groups it stops collecting: each row passes as a group of its own. When memory is short it gives what it has.
private final class PartialAggregate: PushOperator {
    private static let groupCountMax = 1 << 16
    private static let sampleRows = 100_000
    /// Groups a row above which collecting is given up.
    private static let distinctShareMax = 0.85

    private let plan: AggregatePlan
    private let input: AggregateInput
    private var sets: [GroupSet]
    private var passes: [Bool]
    /// Distinct numbers of one column go on as they come.
    private var seen: SeenIntegers?
    private var seenCounts = (rows: 0, given: 0)
    private let reservation: MemoryReservation
    private let rows: UnsafeMutablePointer<UnsafeMutableRawPointer>
    /// The sets that are being given, and how far.
    private var giving: [GroupSet] = []
    private var cursor = GroupRowStore.Cursor()

    init(plan: AggregatePlan, downstream: PushOperator, driver: DriverContext) throws {
        self.plan = plan
        input = try AggregateInput(plan, task: driver.task)
        sets = plan.sets.indices.map { GroupSet(plan: plan, index: $0) }
        passes = plan.sets.map { _ in false }
        reservation = MemoryReservation(driver.task.memory(for: plan.node))
        rows = .allocate(capacity: GroupTable.chunkRows)
        if plan.calls.isEmpty, plan.sets == [[0]], SeenIntegers.takes(plan.groupTypes[0]) { seen = SeenIntegers() }
        super.init(node: plan.node, downstream: downstream, driver: driver)
    }

    deinit { rows.deallocate() }

    override func process(_ batch: Batch) throws {
        try AggregateInput.forEachChunk(batch) { chunk in
            try input.evaluate(chunk)
            if try giveNewNumbers() { return }
            for index in sets.indices where plan.derived.parent(of: index) == nil {
                if passes[index] { try pass(index) } else { try collect(index) }
            }
        }
        let byteCount = (sets + giving).reduce(seen?.byteCount ?? 0) { $0 + $1.byteCount }
        do {
            try reservation.resize(to: byteCount)
        } catch let error as QueryError where error.state == .outOfMemory {
            if seen != nil {
                // What has come before may go on again.
                seen = nil
                passes[0] = true
                return try reservation.resize(to: 0)
            }
            // Others have the memory: what has been collected goes on now, in more rows than it might have.
            try giveAll()
            if giving.isEmpty, byteCount > SpillBudget.keptByteCountMin { throw error }
        }
    }

    /// Gives the rows of numbers that have not come before. `false`: the groups are to be collected.
    private func giveNewNumbers() throws -> Bool {
        guard let seen else { return false }
        guard let selection = seen.select(input.keyVectors[0], count: input.count) else {
            self.seen = nil
            return false
        }
        seenCounts.rows += input.count
        seenCounts.given += selection.count
        if seenCounts.rows >= PartialAggregate.sampleRows,
            Double(seenCounts.given) > PartialAggregate.distinctShareMax * Double(seenCounts.rows)
        {
            self.seen = nil
            passes[0] = true
        }
        guard selection.count > 0 else { return true }
        let columns = plan.outputColumns(set: 0, keys: input.keyVectors, results: [], count: input.count)
        try emit(Batch(columns: columns, rowCount: input.count).selecting(selection))
        return true
    }

    private func giveAll() throws {
        for index in sets.indices where plan.derived.parent(of: index) == nil { try derive(from: sets[index]) }
        for index in plan.derived.order { try derive(from: sets[index]) }
        for index in sets.indices where sets[index].table != nil && sets[index].groupCount > 0 {
            giving.append(sets[index])
            sets[index] = GroupSet(plan: plan, index: index)
        }
        hasPendingOutput = !giving.isEmpty
    }

    private func collect(_ index: Int) throws {
        try sets[index].add(input)
        try giveIfLarge(index)
    }

    /// Hands a set's groups to the sets that follow from it.
    private func derive(from set: GroupSet) throws {
        for index in plan.derived.order where plan.derived.parent(of: index) == set.index {
            try sets[index].addGroups(of: set)
            try giveIfLarge(index)
        }
    }

    private func giveIfLarge(_ index: Int) throws {
        let set = sets[index]
        guard set.table != nil, set.groupCount >= PartialAggregate.groupCountMax else { return }
        if set.rowsSeen >= PartialAggregate.sampleRows || set.groupCount >= PartialAggregate.groupCountMax {
            passes[index] = Double(set.groupCount) > PartialAggregate.distinctShareMax * Double(set.rowsSeen)
        }
        try derive(from: set)
        giving.append(set)
        sets[index] = GroupSet(plan: plan, index: index)
        // It will be as large again; growing to that size by doubling moves every group several times.
        if !passes[index] { sets[index].table?.reserve(PartialAggregate.groupCountMax + GroupTable.chunkRows) }
        hasPendingOutput = true
    }

    /// Gives the rows as they are, as states of one row.
    private func pass(_ index: Int) throws {
        let set = sets[index]
        guard let table = set.table else { return try set.add(input) }
        if plan.calls.isEmpty, plan.derived.isEmpty {
            let keys = plan.sets[index].map { input.keyVectors[$0] }
            let columns = plan.outputColumns(set: index, keys: keys, results: [], count: input.count)
            return try emit(Batch(columns: columns, rowCount: input.count))
        }
        try set.append(input)
        try derive(from: set)
        let keys = plan.sets[index].map { input.keyVectors[$0] }
        try emit(try set.output(table.groups, keys: keys, count: input.count))
        table.removeAll()
    }

    override func resume() throws {
        guard let set = giving.first, let table = set.table else {
            hasPendingOutput = false
            return
        }
        let count = table.store.next(partition: 0, &cursor, into: rows, limit: Batch.standardRowCount)
        if count > 0 {
            try emit(try set.output(rows, count: count))
        } else {
            giving.removeFirst()
            cursor = GroupRowStore.Cursor()
            hasPendingOutput = !giving.isEmpty
        }
    }

    override func finishInput() throws {
        try giveAll()
        let singles = sets.filter { $0.table == nil }
        sets = []
        cursor = GroupRowStore.Cursor()
        while !giving.isEmpty { try resume() }
        hasPendingOutput = false
        // A set without keys has its row even if nothing came.
        for set in singles { try emit(try set.singleOutput()) }
    }
}
