// The build rows of right, full, right semi and right anti joins, given when every probe row has been looked up.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization

final class UnmatchedFactory: SourceFactory, Sendable {
    private let node: PhysicalNode
    private let shared: JoinShared
    private let cursor = Atomic<Int>(0)

    init(node: PhysicalNode, shared: JoinShared) {
        self.node = node
        self.shared = shared
    }

    var maximumDrivers: Int { max(1, (shared.store?.rowCount ?? 0) / UnmatchedFactory.morselRowCount) }
    static let morselRowCount = 65_536

    func makeSource(driver: DriverContext) throws -> any BatchSource {
        guard let store = shared.store, let matched = shared.matched else {
            throw QueryError.internalError("the join has no build side")
        }
        return UnmatchedSource(
            counters: driver.makeCounters(for: node), layout: shared.layout, store: store, matched: matched
        ) { [self] in cursor.wrappingAdd(UnmatchedFactory.morselRowCount, ordering: .relaxed).oldValue }
    }
}

private final class UnmatchedSource: BatchSource {
    let counters: OperatorCounters
    private let store: RowStore
    private let matched: Buffer
    private let output: JoinOutput
    /// 1: rows that matched are given (right semi), 0: those that did not.
    private let wanted: UInt8
    private let nextMorsel: () -> Int
    private var row = 0
    private var end = 0

    init(
        counters: OperatorCounters, layout: JoinLayout, store: RowStore, matched: Buffer,
        nextMorsel: @escaping () -> Int
    ) {
        self.counters = counters
        self.store = store
        self.matched = matched
        self.nextMorsel = nextMorsel
        output = JoinOutput(layout: layout, store: store)
        wanted = layout.kind == .rightSemi ? 1 : 0
    }

    func next(wake: @escaping @Sendable () -> Void) throws -> SourceEvent {
        let flags = matched.base.assumingMemoryBound(to: UInt8.self)
        let picked = Buffer(byteCount: (Batch.standardRowCount + 1) * 4)
        let rows = picked.base.assumingMemoryBound(to: UInt32.self)
        var count = 0
        while count < Batch.standardRowCount {
            if row >= end {
                let start = nextMorsel()
                if start >= store.rowCount { break }
                row = start
                end = min(store.rowCount, start + UnmatchedFactory.morselRowCount)
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
