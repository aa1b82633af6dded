// Accounting of memory: a tree of pools with limits, and the share of one operator.
//
// A worker's pool is the root, below it one for each query, below that one for each operator. What operators hold and could
// write to disk is counted as revocable. When the root has no room, whoever arbitrates asks for some of it, or ends a query.

import Diagnostics
import Synchronization

/// Decides what happens when the root of a tree has no room left.
package protocol MemoryArbitration: AnyObject, Sendable {
    /// `member`, a pool right below the root, needs `count` bytes. Returns when it is worth another try; throws 53200 when the
    /// request is refused. With `mayWait` the calling thread may be kept for a while, without it memory of others is only
    /// asked for and the request is refused.
    func makeRoom(_ count: Int, for member: MemoryPool, mayWait: Bool) throws
}

/// A budget of bytes, perhaps part of a larger one. Thread-safe.
package final class MemoryPool: Sendable {
    package let name: String
    package let limit: Int
    private let parent: MemoryPool?
    private let arbitration: WeakArbitration
    private let reserved = Atomic<Int>(0)
    private let peak = Atomic<Int>(0)
    private let revocable = Atomic<Int>(0)
    private let revocations = Atomic<Int>(0)

    package init(
        name: String, limit: Int = .max, parent: MemoryPool? = nil, arbitration: (any MemoryArbitration)? = nil
    ) {
        self.name = name
        self.limit = limit
        self.parent = parent
        self.arbitration = WeakArbitration(arbitration)
    }

    package var reservedByteCount: Int { reserved.load(ordering: .relaxed) }
    package var peakByteCount: Int { peak.load(ordering: .relaxed) }
    /// What of it operators could write to disk now.
    package var revocableByteCount: Int { max(0, revocable.load(ordering: .relaxed)) }
    /// Counts how often the pool's operators were asked to give memory back.
    package var revocationCount: Int { revocations.load(ordering: .relaxed) }

    /// Asks the operators of the pool to write to disk what they can.
    package func requestRevocation() { revocations.wrappingAdd(1, ordering: .relaxed) }

    /// Takes `count` bytes, or throws 53200 that names `requester`. With `mayWait` the thread may be kept until others have
    /// given memory back.
    package func reserve(_ count: Int, for requester: String, mayWait: Bool = false) throws {
        try reserve(count, for: requester, member: nil, mayWait: mayWait)
    }

    private func reserve(_ count: Int, for requester: String, member: MemoryPool?, mayWait: Bool) throws {
        while !take(count) {
            let arbitration = count <= limit ? arbitration.value : nil
            guard let arbitration, let member else {
                throw QueryError(
                    .outOfMemory, "out of memory",
                    detail:
                        "\(requester) asked for \(count) bytes; \(name) has \(reservedByteCount) of \(limit) in use",
                    hint: "Raise the memory limit, or make the query smaller.")
            }
            try arbitration.makeRoom(count, for: member, mayWait: mayWait)
        }
        do {
            try parent?.reserve(count, for: requester, member: self, mayWait: mayWait)
        } catch {
            reserved.wrappingSubtract(count, ordering: .relaxed)
            throw error
        }
    }

    /// Never passes the limit, not for a moment.
    private func take(_ count: Int) -> Bool {
        var seen = reserved.load(ordering: .relaxed)
        while true {
            let (sum, overflow) = seen.addingReportingOverflow(count)
            if overflow || sum > limit { return false }
            let (exchanged, original) = reserved.compareExchange(expected: seen, desired: sum, ordering: .relaxed)
            if exchanged {
                raisePeak(sum)
                return true
            }
            seen = original
        }
    }

    package func release(_ count: Int) {
        reserved.wrappingSubtract(count, ordering: .relaxed)
        parent?.release(count)
    }

    fileprivate func addRevocable(_ count: Int) {
        revocable.wrappingAdd(count, ordering: .relaxed)
        parent?.addRevocable(count)
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

/// The arbiter owns what the pool belongs to, not the other way round.
private struct WeakArbitration: @unchecked Sendable {
    // Set once; reading a weak reference is safe from any thread.
    private(set) weak var value: (any MemoryArbitration)?
    init(_ value: (any MemoryArbitration)?) { self.value = value }
}

/// What one plan node of a task holds, over all of its drivers. Thread-safe. Everything still held is given back when the
/// task ends, whatever way it ends; what structures that live on release later is not counted twice.
package final class OperatorMemory: Sendable {
    private struct Account {
        var held = 0
        var revocable = 0
        var isClosed = false
    }
    private let query: MemoryPool
    private let pool: MemoryPool
    private let requester: String
    private let account = Mutex(Account())

    init(parent: MemoryPool, requester: String) {
        self.requester = requester
        query = parent
        pool = MemoryPool(name: parent.name, parent: parent)
    }

    package var peakByteCount: Int { pool.peakByteCount }
    /// Counts how often the query was asked to give memory back.
    var revocationCount: Int { query.revocationCount }

    /// May keep the thread waiting unless `mayWait` is false.
    package func reserve(_ count: Int, mayWait: Bool = true) throws {
        // Not under the lock: who waits here may wait for what others of the operator give back.
        try pool.reserve(count, for: requester, mayWait: mayWait)
        let isClosed = account.withLock { account in
            if !account.isClosed { account.held += count }
            return account.isClosed
        }
        if isClosed { pool.release(count) }
    }

    package func release(_ count: Int) {
        account.withLock { account in
            guard !account.isClosed else { return }
            account.held -= count
            pool.release(count)
        }
    }

    fileprivate func addRevocable(_ count: Int) {
        account.withLock { account in
            guard !account.isClosed else { return }
            account.revocable += count
            pool.addRevocable(count)
        }
    }

    /// Gives everything back; at the end of the task.
    func releaseAll() {
        account.withLock { account in
            if account.isClosed { return }
            account.isClosed = true
            pool.release(account.held)
            pool.addRevocable(-account.revocable)
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
    /// Bytes of it that are counted as revocable.
    private var revocable = 0
    private var answeredRevocations: Int

    package init(_ memory: OperatorMemory) {
        self.memory = memory
        answeredRevocations = memory.revocationCount
    }

    deinit {
        if revocable > 0 { memory.addRevocable(-revocable) }
        if held > 0 { memory.release(held) }
    }

    /// Says that the structure now has `count` bytes. Throws 53200 when there are none left.
    @inline(__always)
    package func resize(to count: Int) throws {
        if count > held || count < held - 4 * MemoryReservation.step { try adjust(count, mayWait: true) }
    }

    /// The same for a structure that its operator could write to disk now, which is better than to wait.
    @inline(__always)
    package func resize(revocableTo count: Int) throws {
        if count > held || count < held - 4 * MemoryReservation.step { try adjust(count, mayWait: false) }
        if revocable != held { setRevocable(held) }
    }

    /// Gives back everything beyond `count` bytes: what was written to disk is wanted elsewhere.
    package func shrink(to count: Int) {
        let step = MemoryReservation.firstStep
        let wanted = (count + step - 1) / step * step
        guard wanted < held else { return }
        memory.release(held - wanted)
        held = wanted
        if revocable > wanted { setRevocable(wanted) }
    }

    /// From now on the structure is needed as it is.
    package func keep() { if revocable > 0 { setRevocable(0) } }

    /// Whether memory was asked for since the last time that this was asked.
    package func takeRevocation() -> Bool {
        let requested = memory.revocationCount
        defer { answeredRevocations = requested }
        return requested != answeredRevocations
    }

    private func setRevocable(_ count: Int) {
        memory.addRevocable(count - revocable)
        revocable = count
    }

    private func adjust(_ count: Int, mayWait: Bool) throws {
        let step = count < MemoryReservation.step ? MemoryReservation.firstStep : MemoryReservation.step
        let wanted = (count + step - 1) / step * step
        if wanted > held {
            try memory.reserve(wanted - held, mayWait: mayWait)
        } else {
            memory.release(held - wanted)
            if revocable > wanted { setRevocable(wanted) }
        }
        held = wanted
    }
}
