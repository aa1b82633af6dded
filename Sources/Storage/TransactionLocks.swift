// Exclusive locks of transactions on tables and other objects, with the detection of deadlocks.

import Diagnostics
import Synchronization

/// Locks by name. A transaction that changes a table holds its lock to the end, so there is one writer for each table and
/// readers never wait.
package final class TransactionLocks: Sendable {
    fileprivate struct Waiter {
        var transaction: UInt64
        var number: Int
        var continuation: CheckedContinuation<Void, any Error>
    }
    fileprivate struct State {
        var owners: [String: UInt64] = [:]
        var waiters: [String: [Waiter]] = [:]
        /// What each waiting transaction waits for: at most one lock.
        var waitsFor: [UInt64: String] = [:]
        var lastNumber = 0
        /// Waits that were cancelled before they began.
        var cancelled: Set<Int> = []
    }
    private let state = Mutex(State())

    package init() {}

    /// Waits until the lock is the transaction's; true if it had to wait. 40P01 instead of a wait that cannot end.
    package func acquire(_ name: String, for transaction: StorageTransaction) async throws -> Bool {
        let id = transaction.id
        let number = state.withLock { state -> Int? in
            if state.owners[name] == id { return nil }
            if state.owners[name] == nil {
                state.owners[name] = id
                return nil
            }
            state.lastNumber += 1
            return state.lastNumber
        }
        guard let number else { return false }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome = state.withLock { state -> Result<Void, any Error>? in
                    guard let owner = state.owners[name] else {
                        state.owners[name] = id
                        return .success(())
                    }
                    if state.cancelled.remove(number) != nil { return .failure(Self.cancelledError) }
                    if state.leads(from: owner, to: id) {
                        return .failure(
                            QueryError(
                                SQLState("40P01"), "deadlock detected",
                                detail: "Another transaction that holds the lock waits for this one."))
                    }
                    state.waitsFor[id] = name
                    state.waiters[name, default: []].append(
                        Waiter(transaction: id, number: number, continuation: continuation))
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                guard let index = state.waiters[name]?.firstIndex(where: { $0.number == number }) else {
                    if state.owners[name] != id { state.cancelled.insert(number) }
                    return nil
                }
                state.waitsFor[id] = nil
                return state.waiters[name]?.remove(at: index)
            }
            waiter?.continuation.resume(throwing: Self.cancelledError)
        }
        return true
    }

    private static let cancelledError = QueryError(.queryCanceled, "canceling statement due to user request")

    /// Gives up every lock of the transaction; the first who waits gets each.
    package func releaseAll(of transaction: StorageTransaction) {
        let woken = state.withLock { state -> [Waiter] in
            var woken: [Waiter] = []
            for (name, owner) in state.owners where owner == transaction.id {
                if state.waiters[name]?.isEmpty == false, let next = state.waiters[name]?.removeFirst() {
                    state.owners[name] = next.transaction
                    state.waitsFor[next.transaction] = nil
                    woken.append(next)
                } else {
                    state.owners[name] = nil
                    state.waiters[name] = nil
                }
            }
            return woken
        }
        for waiter in woken { waiter.continuation.resume() }
    }
}

extension TransactionLocks.State {
    /// Whether waiting chains lead from one transaction to another.
    fileprivate func leads(from start: UInt64, to end: UInt64) -> Bool {
        var current = start
        for _ in 0...waitsFor.count {
            if current == end { return true }
            guard let lock = waitsFor[current], let owner = owners[lock] else { return false }
            current = owner
        }
        return false
    }
}
