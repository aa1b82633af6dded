// Transactions as back ends see them: what a statement reads, where its changes go, and what becomes of them.

import Diagnostics
import Synchronization

/// Something whose changes can be taken back. Changes made while `StorageScope.current` names a transaction are seen by that
/// transaction alone until `commit`.
package protocol TransactionParticipant: AnyObject, Sendable {
    /// Makes the transaction's changes visible to all, at once. Does not fail: what could go wrong was checked before.
    func commit(_ transaction: StorageTransaction)
    /// Forgets the transaction's changes.
    func rollback(_ transaction: StorageTransaction)
    /// What the transaction has changed so far, to be brought back by `restore`.
    func checkpoint(_ transaction: StorageTransaction) -> any Sendable
    /// Back to an earlier checkpoint; `nil`: to the beginning.
    func restore(_ transaction: StorageTransaction, to checkpoint: (any Sendable)?)
}

/// A back end that takes part in transaction blocks; a write to any other is refused there.
package protocol TransactionalBackend: StorageBackend, TransactionParticipant {}

/// One transaction of a session, from BEGIN to COMMIT or for a single statement.
package final class StorageTransaction: Sendable {
    private struct State {
        var participants: [any TransactionParticipant] = []
    }
    package let id: UInt64
    package let isReadOnly: Bool
    private let state = Mutex(State())
    private static let lastID = Atomic<UInt64>(0)

    /// Of the transaction that began last.
    package static var latestID: UInt64 { lastID.load(ordering: .relaxed) }

    package init(isReadOnly: Bool = false) {
        id = Self.lastID.wrappingAdd(1, ordering: .relaxed).newValue
        self.isReadOnly = isReadOnly
    }

    /// Called by a back end with the first change.
    package func join(_ backend: any TransactionParticipant) {
        state.withLock { state in
            if !state.participants.contains(where: { $0 === backend }) { state.participants.append(backend) }
        }
    }

    /// Whether nothing has been changed so far.
    package var isEmpty: Bool { state.withLock { $0.participants.isEmpty } }

    package func commit() {
        let participants = takeParticipants()
        if participants.isEmpty { return }
        for participant in participants { participant.commit(self) }
        Self.commits.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }

    private static let commits = Atomic<UInt64>(0)
    /// How many transactions have changed something; a snapshot is up to date while this stays the same.
    package static var commitCount: UInt64 { commits.load(ordering: .sequentiallyConsistent) }

    package func rollback() {
        for backend in takeParticipants() { backend.rollback(self) }
    }

    private func takeParticipants() -> [any TransactionParticipant] {
        state.withLock { state in
            defer { state.participants = [] }
            return state.participants
        }
    }

    /// A point to come back to.
    package struct Checkpoint: Sendable {
        fileprivate var parts: [(backend: any TransactionParticipant, checkpoint: any Sendable)]
    }

    package func checkpoint() -> Checkpoint {
        let participants = state.withLock { $0.participants }
        return Checkpoint(parts: participants.map { ($0, $0.checkpoint(self)) })
    }

    package func restore(_ checkpoint: Checkpoint) {
        for backend in state.withLock({ $0.participants }) {
            backend.restore(self, to: checkpoint.parts.first { $0.backend === backend }?.checkpoint)
        }
    }
}

/// The committed state of back ends, fixed when a statement (or a transaction of a higher isolation level) first looks.
package final class StorageSnapshot: Sendable {
    private let values = Mutex<[ObjectIdentifier: any Sendable]>([:])
    package init() {}

    /// Looks anew from now on.
    package func renew() { values.withLock { $0 = [:] } }

    /// What `make` gave when it was first asked for this back end.
    package func value<Value: Sendable>(of backend: AnyObject, _ make: () -> Value) -> Value {
        values.withLock { values in
            if let known = values[ObjectIdentifier(backend)] as? Value { return known }
            let made = make()
            values[ObjectIdentifier(backend)] = made
            return made
        }
    }
}

/// What the running statement reads and in whose name it changes things. Travels with the tasks of the coordinator's
/// process; without it a back end shows what is committed, and changes take effect at once.
package struct StorageScope: Sendable {
    @TaskLocal package static var current: StorageScope?
    package var transaction: StorageTransaction
    package var snapshot: StorageSnapshot
    package init(transaction: StorageTransaction, snapshot: StorageSnapshot = StorageSnapshot()) {
        self.transaction = transaction
        self.snapshot = snapshot
    }
}
