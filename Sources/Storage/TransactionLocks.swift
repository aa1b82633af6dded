// Locks of transactions on tables and rows, with the detection of deadlocks.

import Diagnostics
import Synchronization

/// Locks by name, held to the end of the transaction. Transactions that change only rows of a table share its lock and lock
/// the rows; whoever changes the table itself, or keys that must be unique, has it alone. Readers never wait.
package final class TransactionLocks: Sendable {
    package enum Mode: Sendable { case shared, exclusive }

    fileprivate enum Target {
        case object(String, Mode)
        /// The end of a transaction that holds a row.
        case end(of: UInt64)
    }
    fileprivate struct Waiter {
        var transaction: UInt64
        var number: Int
        var target: Target
        var continuation: CheckedContinuation<Void, any Error>
    }
    fileprivate struct State {
        var holders: [String: [UInt64: Mode]] = [:]
        /// Owners of rows by table.
        var rows: [String: [Int64: UInt64]] = [:]
        var rowsHeld: [UInt64: [String: [Int64]]] = [:]
        /// In the order in which they came; a transaction waits for one thing at most.
        var waiters: [Waiter] = []
        var lastNumber = 0
        /// Waits that were cancelled before they began.
        var cancelled: Set<Int> = []
    }
    private let state = Mutex(State())

    package init() {}

    /// Waits until the lock is the transaction's; true if it had to wait. 40P01 instead of a wait that cannot end.
    package func acquire(_ name: String, _ mode: Mode = .exclusive, for transaction: StorageTransaction) async throws
        -> Bool
    {
        let isFree = state.withLock { $0.take(name, mode, for: transaction.id) }
        if isFree { return false }
        try await wait(for: .object(name, mode), transaction.id)
        return true
    }

    /// Takes rows of a table, all of them or none: if another transaction holds one, waits for that one's end and answers
    /// true; what the rows are must then be found out again.
    package func acquireRows(_ rows: Set<Int64>, of table: String, for transaction: StorageTransaction) async throws
        -> Bool
    {
        let id = transaction.id
        let owner = state.withLock { state -> UInt64? in
            if state.holders[table]?[id] == .exclusive { return nil }
            let known = state.rows[table] ?? [:]
            if !known.isEmpty {
                for row in rows { if let owner = known[row], owner != id { return owner } }
            }
            for row in rows where state.rows[table, default: [:]].updateValue(id, forKey: row) == nil {
                state.rowsHeld[id, default: [:]][table, default: []].append(row)
            }
            return nil
        }
        guard let owner else { return false }
        try await wait(for: .end(of: owner), id)
        return true
    }

    private func wait(for target: Target, _ id: UInt64) async throws {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome = state.withLock { state -> Result<Void, any Error>? in
                    if state.cancelled.remove(number) != nil { return .failure(Self.cancelledError) }
                    if state.grant(target, to: id) { return .success(()) }
                    if state.leadsBack(from: target, to: id) {
                        return .failure(
                            QueryError(
                                SQLState("40P01"), "deadlock detected",
                                detail: "Another transaction that holds the lock waits for this one."))
                    }
                    state.waiters.append(
                        Waiter(transaction: id, number: number, target: target, continuation: continuation))
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                guard let index = state.waiters.firstIndex(where: { $0.number == number }) else {
                    state.cancelled.insert(number)
                    return nil
                }
                return state.waiters.remove(at: index)
            }
            waiter?.continuation.resume(throwing: Self.cancelledError)
        }
        state.withLock { state in _ = state.cancelled.remove(number) }
    }

    private static let cancelledError = QueryError(.queryCanceled, "canceling statement due to user request")

    /// Gives up every lock of the transaction; those who wait get what has become free, in the order in which they came.
    package func releaseAll(of transaction: StorageTransaction) {
        let id = transaction.id
        let woken = state.withLock { state -> [Waiter] in
            state.forget(id)
            var woken: [Waiter] = []
            var left: [Waiter] = []
            for waiter in state.waiters {
                if state.grant(waiter.target, to: waiter.transaction) {
                    woken.append(waiter)
                } else {
                    left.append(waiter)
                }
            }
            state.waiters = left
            return woken
        }
        for waiter in woken { waiter.continuation.resume() }
    }
}

extension TransactionLocks.State {
    /// Transactions that keep another from a lock.
    private func blockers(_ name: String, _ mode: TransactionLocks.Mode, of id: UInt64) -> [UInt64] {
        (holders[name] ?? [:]).compactMap { holder, held in
            holder != id && (mode == .exclusive || held == .exclusive) ? holder : nil
        }
    }

    private func blockers(_ target: TransactionLocks.Target, of id: UInt64) -> [UInt64] {
        switch target {
        case .object(let name, let mode): blockers(name, mode, of: id)
        case .end(let owner): [owner]
        }
    }

    fileprivate mutating func take(_ name: String, _ mode: TransactionLocks.Mode, for id: UInt64) -> Bool {
        if let held = holders[name]?[id], held == .exclusive || mode == .shared { return true }
        guard blockers(name, mode, of: id).isEmpty else { return false }
        holders[name, default: [:]][id] = mode
        return true
    }

    /// Gives a waiter what it waits for, if it is free.
    fileprivate mutating func grant(_ target: TransactionLocks.Target, to id: UInt64) -> Bool {
        switch target {
        case .object(let name, let mode): take(name, mode, for: id)
        case .end(let owner): rowsHeld[owner] == nil
        }
    }

    fileprivate mutating func forget(_ id: UInt64) {
        for (name, held) in holders where held[id] != nil {
            holders[name] = held.count == 1 ? nil : held.filter { $0.key != id }
        }
        for (table, held) in rowsHeld.removeValue(forKey: id) ?? [:] {
            for row in held { rows[table]?[row] = nil }
            if rows[table]?.isEmpty == true { rows[table] = nil }
        }
    }

    /// Whether a wait would end in a circle.
    fileprivate func leadsBack(from target: TransactionLocks.Target, to id: UInt64) -> Bool {
        var pending = blockers(target, of: id)
        var seen: Set<UInt64> = []
        while let next = pending.popLast() {
            if next == id { return true }
            guard seen.insert(next).inserted, let waiter = waiters.first(where: { $0.transaction == next }) else {
                continue
            }
            pending += blockers(waiter.target, of: next)
        }
        return false
    }
}
