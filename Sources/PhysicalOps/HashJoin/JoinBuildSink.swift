// The build side of a hash join: rows are collected by every driver on its own, then put together and hashed.

import CKernels
import Columnar
import Diagnostics
import QueryPlan
import Synchronization

/// All build rows, one flat vector a stored column. Immutable once made.
final class JoinStore: Sendable {
    let columns: [Vector]
    let rowCount: Int
    /// Whether a key column has a NULL where NULL does not equal NULL.
    let hasNullKeys: Bool

    init(columns: [Vector], rowCount: Int, hasNullKeys: Bool) {
        self.columns = columns
        self.rowCount = rowCount
        self.hasNullKeys = hasNullKeys
    }
}

/// Collects the right input of a join.
final class JoinBuildSink: SinkFactory, Sendable {
    private struct State {
        var parts: [JoinBuildPart] = []
    }
    private let node: PhysicalNode
    private let shared: JoinShared
    private let state = Mutex(State())
    private let assembly = Mutex<JoinAssembly?>(nil)

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
            let made = try JoinAssembly(
                parts: parts, layout: shared.layout, memory: shared.task.memory(for: node))
            assembly.withLock { $0 = made }
            return shared.layout.storedTypes.indices.map { column in { made.assemble(column) } }
        case 1:
            guard let made = assembly.withLock({ $0 }) else { throw QueryError.internalError("the join has no rows") }
            let store = try made.finish()
            assembly.withLock { $0 = nil }
            shared.store = store
            if shared.tracksMatches {
                let flags = Buffer(byteCount: max(1, store.rowCount))
                memset(flags.base, 0, max(1, store.rowCount))
                shared.matched = flags
            }
            let table = try JoinTable.make(
                store: store, layout: shared.layout, memory: shared.task.memory(for: node))
            shared.table = table
            let tasks = table.insertTasks(threads: shared.task.threads)
            return tasks + filterTasks(store, table)
        default: return []
        }
    }

    /// Publishes what the scans of the probe side can use, beside the building of the table.
    private func filterTasks(_ store: JoinStore, _ table: JoinTable) -> [FinalizeTask] {
        shared.filters.map { key, filter in
            { [shared] in
                let column = store.columns[shared.layout.keyPositions[key]]
                filter.publish(RuntimeFilter.Content.make(column: column, rowCount: store.rowCount))
            }
        }
    }

    func release(failed: Bool) {
        state.withLock { $0.parts = [] }
        assembly.withLock { $0 = nil }
        shared.table = nil
        shared.store = nil
        shared.matched = nil
    }
}

/// What one driver has collected: dense flat vectors by chunk. Strings lie in its own heap.
final class JoinBuildPart: @unchecked Sendable {
    // Filled by one driver, then handed over under the sink's lock.
    var chunks: [[Vector]] = []
    var chunkCounts: [Int] = []
    var rowCount = 0
    let heap = StringHeap(chunkByteCount: 256 << 10)
    var byteCount = 0
    var hasNullKeys = false
    let reservation: MemoryReservation

    init(reservation: MemoryReservation) { self.reservation = reservation }
}

private final class JoinBuildOperator: PushOperator {
    private let layout: JoinLayout
    private let part: JoinBuildPart
    private let computed: [RowExpression]
    private let handOver: (JoinBuildPart) -> Void
    /// Keys whose NULLs match nothing: such rows need not be kept unless the join gives build rows without a match.
    private let strictKeys: [Int]
    private let dropsNullKeys: Bool

    init(
        node: PhysicalNode, shared: JoinShared, driver: DriverContext, handOver: @escaping (JoinBuildPart) -> Void
    ) throws {
        let layout = shared.layout
        self.layout = layout
        self.handOver = handOver
        part = JoinBuildPart(reservation: MemoryReservation(shared.task.memory(for: node)))
        computed = try layout.computedKeys.map { try RowExpression(layout.plan.rightKeys[$0], task: shared.task) }
        strictKeys = layout.keyPositions.indices.filter { !layout.plan.nullsAreEqual[$0] }.map { layout.keyPositions[$0] }
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
                part.hasNullKeys = true
                if dropsNullKeys {
                    columns = columns.map { $0.gathered(rows) }
                    count = rows.count
                }
            }
        }
        if count == 0 { return }
        var stored: [Vector] = []
        stored.reserveCapacity(columns.count)
        for column in columns {
            let flat = column.flattened()
            stored.append(flat.physical == .view ? copyStrings(flat) : flat)
            part.byteCount += count * flat.physical.width
        }
        part.chunks.append(stored)
        part.chunkCounts.append(count)
        part.rowCount += count
        try part.reservation.resize(to: part.byteCount + part.heap.byteCount)
    }

    /// Long strings move into the part's heap, so that the join does not keep whole pages alive.
    private func copyStrings(_ vector: Vector) -> Vector {
        let result = Vector(flat: vector.type, capacity: vector.count)
        let source = vector.views
        let target = result.views
        var row = 0
        while row < vector.count {
            let view = source[row]
            if view.isInline {
                target[row] = view
            } else if vector.isNull(row) {
                target[row] = StringView()
            } else {
                target[row] = part.heap.copy(view)
            }
            row &+= 1
        }
        result.validity = vector.validity
        result.validityOwner = vector.validityOwner
        return result
    }

    override func finishInput() throws { handOver(part) }
}

/// Puts the parts of all drivers together, column by column, in parallel.
final class JoinAssembly: @unchecked Sendable {
    // Tasks write different columns; the phases order the rest.
    private let parts: [JoinBuildPart]
    private let layout: JoinLayout
    private let rowCount: Int
    private let reservation: MemoryReservation
    private var columns: [Vector?]
    private let columnsLock = Mutex(())

    init(parts: [JoinBuildPart], layout: JoinLayout, memory: OperatorMemory) throws {
        self.parts = parts
        self.layout = layout
        let rows = parts.reduce(0) { $0 + $1.rowCount }
        guard rows < Int(UInt32.max) - 1 else {
            throw QueryError(
                .programLimitExceeded, "the build side of a join has more than 4 billion rows on one worker")
        }
        rowCount = rows
        columns = [Vector?](repeating: nil, count: layout.storedTypes.count)
        reservation = MemoryReservation(memory)
        try reservation.resize(to: layout.storedTypes.reduce(0) { $0 + $1.physical.width } * rows)
    }

    func assemble(_ column: Int) {
        let type = layout.storedTypes[column]
        let width = type.physical.width
        let result = Vector(flat: type, capacity: rowCount)
        var offset = 0
        var owners: [any AnyObject] = []
        for part in parts {
            for (chunk, count) in zip(part.chunks, part.chunkCounts) {
                let source = chunk[column]
                (result.data + offset * width).copyMemory(from: source.data, byteCount: count * width)
                if let validity = source.validity {
                    let words = result.ensureValidity()
                    var row = 0
                    while row < count {
                        if !Validity.isValid(validity, row) { Validity.setNull(words, offset &+ row) }
                        row &+= 1
                    }
                }
                offset += count
            }
            if type.physical == .view { owners += part.heap.buffers as [any AnyObject] }
        }
        result.pinned = owners
        columnsLock.withLock { _ in columns[column] = result }
    }

    func finish() throws -> JoinStore {
        let made = columns.compactMap { $0 }
        guard made.count == columns.count else { throw QueryError.internalError("a column of the join was not assembled") }
        return JoinStore(columns: made, rowCount: rowCount, hasNullKeys: parts.contains { $0.hasNullKeys })
    }
}

extension RuntimeFilter.Content {
    /// What is worth saying about a key column.
    static func make(column: Vector, rowCount: Int) -> RuntimeFilter.Content {
        if rowCount == 0 { return .nothing }
        guard RuntimeFilter.isIntegerLike(column.type) else {
            guard rowCount <= 4_000_000 else { return .everything }
            let hashes = Buffer(byteCount: rowCount * 8)
            let values = hashes.base.assumingMemoryBound(to: UInt64.self)
            Hashing.hash(column, into: values, combining: false)
            let bloom = BloomFilter(expectedCount: rowCount)
            var row = 0
            while row < rowCount {
                bloom.insert(values[row])
                row &+= 1
            }
            return .hashes(bloom)
        }
        let keys = Buffer(byteCount: rowCount * 8)
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
        guard span / 2 > UInt64(rowCount) || rowCount < 1024, let set = IntegerSet(minimum: minimum, maximum: maximum)
        else { return .integers(minimum: minimum, maximum: maximum, set: nil) }
        row = 0
        while row < rowCount {
            if validity.map({ Validity.isValid($0, row) }) ?? true { set.insert(values[row]) }
            row &+= 1
        }
        return .integers(minimum: minimum, maximum: maximum, set: set)
    }
}
