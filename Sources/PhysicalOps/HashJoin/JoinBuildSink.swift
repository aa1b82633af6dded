// The build side of a hash join: rows are collected by every driver on its own, then put together and hashed.

import CKernels
import Columnar
import Diagnostics
import QueryPlan
import Synchronization

/// Collects the right input of a join.
final class JoinBuildSink: SinkFactory, Sendable {
    private struct State {
        var parts: [RowPart] = []
    }
    private let node: PhysicalNode
    private let shared: JoinShared
    private let state = Mutex(State())
    private let assembly = Mutex<RowAssembly?>(nil)

    init(node: PhysicalNode, shared: JoinShared) {
        self.node = node
        self.shared = shared
    }

    func makeSink(driver: DriverContext) throws -> PushOperator {
        try JoinBuildOperator(node: node, shared: shared, driver: driver) { [self] part in
            state.withLock { $0.parts.append(part) }
        }
    }

    func finalize(phase: Int) throws -> [FinalizeTask] {
        switch phase {
        case 0:
            let parts = state.withLock { state in
                defer { state.parts = [] }
                return state.parts
            }
            do {
                if shared.spill.isActive { return spillTasks(parts) }
                let made = try RowAssembly(parts: parts, types: shared.layout.storedTypes, memory: shared.memory)
                assembly.withLock { $0 = made }
                // Without any column there is still the next phase to come to.
                if shared.layout.storedTypes.isEmpty { return [{}] }
                return shared.layout.storedTypes.indices.map { column in { made.assemble(column) } }
            } catch let error as QueryError where error.state == .outOfMemory && shared.spill.isPossible {
                return spillTasks(parts)
            }
        case 1:
            if shared.spill.isActive { return [] }
            guard let made = assembly.withLock({ $0 }) else { throw QueryError.internalError("the join has no rows") }
            let store = try made.finish()
            assembly.withLock { $0 = nil }
            do {
                let build = try JoinBuild(store: store, layout: shared.layout, memory: shared.memory)
                shared.build = build
                return build.table.insertTasks(threads: shared.task.threads) + filterTasks(build)
            } catch let error as QueryError where error.state == .outOfMemory && shared.spill.isPossible {
                shared.spill.build.activate()
                for filter in shared.stageFilters { publish(.everything, to: filter) }
                return [{ [shared] in try shared.spill.addBuild(store) }]
            }
        default: return []
        }
    }

    /// The rows that are still in memory go to disk as well: no partition is in two places.
    private func spillTasks(_ parts: [RowPart]) -> [FinalizeTask] {
        shared.spill.build.activate()
        for filter in shared.stageFilters { publish(.everything, to: filter) }
        var tasks: [FinalizeTask] = [{}]
        for part in parts where part.rowCount > 0 { tasks.append { [shared] in try shared.spill.addBuild(part) } }
        return tasks
    }

    /// Publishes what the scans of the probe side can use, beside the building of the table.
    private func filterTasks(_ build: JoinBuild) -> [FinalizeTask] {
        let store = build.store
        let local = shared.filters.map { key, filter -> FinalizeTask in
            { [shared] in
                let column = store.columns[shared.layout.keyPositions[key]]
                filter.publish(
                    RuntimeFilter.Content.make(column: column, rowCount: store.rowCount),
                    keys: RuntimeFilter.fewKeys(column, rowCount: store.rowCount))
            }
        }
        let stageRowCount = max(store.rowCount, Int(min(1e9, shared.layout.plan.right.estimatedRowCount)))
        let distant = shared.stageFilters.map { filter -> FinalizeTask in
            { [self] in
                let column = store.columns[shared.layout.keyPositions[filter.key]]
                publish(
                    RuntimeFilter.Content.make(
                        column: column, rowCount: store.rowCount, stageRowCount: stageRowCount), to: filter)
            }
        }
        return local + distant
    }

    /// Bytes of one filter's messages to all tasks of the scan's stage.
    private static let stageFilterByteCountMax = 32 << 20

    private func publish(_ content: RuntimeFilter.Content, to filter: StageFilter) {
        let environment = shared.task.environment
        let readerCount = max(1, environment.readerCount(of: filter))
        environment.publish(
            StageFilterPart.batches(
                content, byteCountMax: max(64 << 10, JoinBuildSink.stageFilterByteCountMax / readerCount)), to: filter)
    }

    func release(failed: Bool) {
        state.withLock { $0.parts = [] }
        assembly.withLock { $0 = nil }
        shared.build = nil
        shared.spill.drop()
    }
}

private final class JoinBuildOperator: PushOperator {
    private let layout: JoinLayout
    private let shared: JoinShared
    private var part: RowPart
    /// What went to disk.
    private var spilled: SpilledPartitions?
    private let computed: [RowExpression]
    private let handOver: (RowPart) -> Void
    /// Keys whose NULLs match nothing: such rows need not be kept unless the join gives build rows without a match.
    private let strictKeys: [Int]
    private let dropsNullKeys: Bool

    init(
        node: PhysicalNode, shared: JoinShared, driver: DriverContext, handOver: @escaping (RowPart) -> Void
    ) throws {
        let layout = shared.layout
        self.layout = layout
        self.shared = shared
        self.handOver = handOver
        part = RowPart(memory: shared.memory)
        computed = try layout.computedKeys.map { try RowExpression(layout.plan.rightKeys[$0], task: shared.task) }
        strictKeys = layout.keyPositions.indices.filter { !layout.plan.nullsAreEqual[$0] }.map {
            layout.keyPositions[$0]
        }
        switch layout.kind {
        case .inner, .left, .semi, .rightSemi, .single: dropsNullKeys = true
        case .anti, .mark: dropsNullKeys = !layout.plan.isNullAware
        case .right, .full, .rightAnti: dropsNullKeys = false
        }
        super.init(node: node, downstream: nil, driver: driver)
    }

    override func process(_ batch: Batch) throws {
        var columns = layout.keptColumns.map { batch.column($0) }
        for expression in computed { columns.append(try expression.evaluate(batch)) }
        var count = batch.rowCount
        if strictKeys.contains(where: { columns[$0].mayHaveNulls }) {
            let rows = Selection(capacity: count)
            for row in 0..<count where !strictKeys.contains(where: { columns[$0].isNull(row) }) {
                rows.rows[rows.count] = UInt16(truncatingIfNeeded: row)
                rows.count += 1
            }
            if rows.count < count {
                if dropsNullKeys {
                    columns = columns.map { $0.gathered(rows) }
                    count = rows.count
                }
            }
        }
        if layout.plan.isNullAware { shared.spill.noteKeys(columns, count: count) }
        guard shared.spill.isPossible else { return try part.append(columns, count: count) }
        if let spilled {
            try spilled.append(columns, keys: shared.spill.buildKeys(columns), count: count)
        } else if try part.append(columns, count: count, within: shared.spill.budget) {
            try spill()
        }
    }

    override func revoke() throws {
        guard shared.spill.isPossible, spilled == nil, shared.spill.budget.isWorthSpilling(part.byteCount) else {
            return
        }
        try spill()
    }

    private func spill() throws {
        shared.spill.build.activate()
        let partitions = shared.spill.makeBuildPartitions()
        try partitions.append(part, task: driver.task, keys: shared.spill.buildKeys)
        spilled = partitions
        part = RowPart(memory: shared.memory)
    }

    override func finishInput() throws {
        if let spilled {
            counters.metrics.spilledBytes += try spilled.seal()
            shared.spill.build.add(spilled)
        }
        part.keep()
        handOver(part)
    }
}

extension RuntimeFilter {
    /// The keys themselves, of types whose equal values are equal bits.
    fileprivate static func fewKeys(_ column: Vector, rowCount: Int) -> [ScalarValue]? {
        guard rowCount > 0, rowCount <= keyCountMax else { return nil }
        switch column.type {
        case .text, .varchar, .uuid: break
        default: if !isIntegerLike(column.type) { return nil }
        }
        return Array(Set((0..<rowCount).map { column.value(at: $0) }.filter { !$0.isNull }))
    }
}

extension RuntimeFilter.Content {
    /// What is worth saying about a key column. With `stageRowCount`, other tasks have rows as well, in all about that
    /// many, and what they say is put together.
    static func make(column: Vector, rowCount: Int, stageRowCount: Int? = nil) -> RuntimeFilter.Content {
        if rowCount == 0 { return .nothing }
        let expectedCount = stageRowCount ?? rowCount
        guard RuntimeFilter.isIntegerLike(column.type) else {
            // All tasks make filters of one size; where there are many more rows than expected it would be full.
            guard expectedCount <= 4_000_000, rowCount / 2 <= expectedCount else { return .everything }
            let hashes = Buffer(byteCount: rowCount * 8)
            defer { withExtendedLifetime(hashes) {} }
            let values = hashes.base.assumingMemoryBound(to: UInt64.self)
            Hashing.hash(column, into: values, combining: false)
            let bloom = BloomFilter(expectedCount: expectedCount)
            var row = 0
            while row < rowCount {
                bloom.insert(values[row])
                row &+= 1
            }
            return .hashes(bloom)
        }
        let keys = Buffer(byteCount: rowCount * 8)
        defer { withExtendedLifetime(keys) {} }
        let values = keys.base.assumingMemoryBound(to: Int64.self)
        loadIntegers(column, count: rowCount, into: values)
        let validity = column.validity
        var minimum = Int64.max
        var maximum = Int64.min
        var row = 0
        while row < rowCount {
            if validity.map({ Validity.isValid($0, row) }) ?? true {
                minimum = min(minimum, values[row])
                maximum = max(maximum, values[row])
            }
            row &+= 1
        }
        if minimum > maximum { return .nothing }
        // A bitmap that is nearly full tells no more than the bounds.
        let span = UInt64(bitPattern: maximum &- minimum)
        guard span / 2 > UInt64(expectedCount) || expectedCount < 1024,
            let set = IntegerSet(minimum: minimum, maximum: maximum)
        else { return .integers(minimum: minimum, maximum: maximum, set: nil) }
        row = 0
        while row < rowCount {
            if validity.map({ Validity.isValid($0, row) }) ?? true { set.insert(values[row]) }
            row &+= 1
        }
        return .integers(minimum: minimum, maximum: maximum, set: set)
    }
}
