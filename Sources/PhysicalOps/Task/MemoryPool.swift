// Accounting of memory: pools with limits, and the share of one operator.
//
// An operator that can give memory back (spill) will register with the pool, which asks the largest such operator before
// it refuses: `reserve` is the one place where that has to be added, and it may be called from any driver thread.

import Diagnostics
import Synchronization

/// A budget of bytes, perhaps part of a larger one. Thread-safe.
package final class MemoryPool: Sendable {
    package let name: String
    package let limit: Int
    private let parent: MemoryPool?
    private let reserved = Atomic<Int>(0)
    private let peak = Atomic<Int>(0)

    package init(name: String, limit: Int = .max, parent: MemoryPool? = nil) {
        self.name = name
        self.limit = limit
        self.parent = parent
    }

    package var reservedByteCount: Int { reserved.load(ordering: .relaxed) }
    package var peakByteCount: Int { peak.load(ordering: .relaxed) }

    /// Takes `count` bytes, or throws 53200 that names `requester`.
    package func reserve(_ count: Int, for requester: String) throws {
        let now = reserved.wrappingAdd(count, ordering: .relaxed).newValue
        if now > limit {
            reserved.wrappingSubtract(count, ordering: .relaxed)
            throw QueryError(
                .outOfMemory, "out of memory",
                detail: "\(requester) asked for \(count) bytes; \(name) has \(now - count) of \(limit) in use",
                hint: "Raise the memory limit, or make the query smaller.")
        }
        do {
            try parent?.reserve(count, for: requester)
        } catch {
            reserved.wrappingSubtract(count, ordering: .relaxed)
            throw error
        }
        raisePeak(now)
    }

    package func release(_ count: Int) {
        reserved.wrappingSubtract(count, ordering: .relaxed)
        parent?.release(count)
    }

    private func raisePeak(_ value: Int) {
        var seen = peak.load(ordering: .relaxed)
        while seen < value {
            let (exchanged, original) = peak.compareExchange(expected: seen, desired: value, ordering: .relaxed)
            if exchanged { return }
            seen = original
        }
    }
}

/// What one plan node of a task holds, over all of its drivers. Thread-safe. Everything still held is given back when the
/// task ends, whatever way it ends; what structures that live on release later is not counted twice.
package final class OperatorMemory: Sendable {
    private let pool: MemoryPool
    private let requester: String
    private let isClosed = Mutex(false)

    init(parent: MemoryPool, requester: String) {
        self.requester = requester
        pool = MemoryPool(name: parent.name, parent: parent)
    }

    package var peakByteCount: Int { pool.peakByteCount }

    package func reserve(_ count: Int) throws {
        try isClosed.withLock { isClosed in
            if !isClosed { try pool.reserve(count, for: requester) }
        }
    }

    package func release(_ count: Int) {
        isClosed.withLock { isClosed in
            if !isClosed { pool.release(count) }
        }
    }

    /// Gives everything back; at the end of the task.
    func releaseAll() {
        isClosed.withLock { isClosed in
            if isClosed { return }
            isClosed = true
            pool.release(pool.reservedByteCount)
        }
    }
}

/// The share of one driver or one data structure: keeps the node's account in step with a size that changes often, in
/// steps of a quarter of a mebibyte, smaller ones at first. Confined to one thread at a time.
package final class MemoryReservation {
    private static let step = 256 << 10
    private static let firstStep = 16 << 10
    private let memory: OperatorMemory
    private var held = 0

    package init(_ memory: OperatorMemory) { self.memory = memory }

    deinit { if held > 0 { memory.release(held) } }

    /// Says that the structure now has `count` bytes. Throws 53200 when there are none left.
    @inline(__always)
    package func resize(to count: Int) throws {
        if count > held || count < held - 4 * MemoryReservation.step { try adjust(count) }
    }

    private func adjust(_ count: Int) throws {
        let step = count < MemoryReservation.step ? MemoryReservation.firstStep : MemoryReservation.step
        let wanted = (count + step - 1) / step * step
        if wanted > held {
            try memory.reserve(wanted - held)
        } else {
            memory.release(held - wanted)
        }
        held = wanted
    }
}
