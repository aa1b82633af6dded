// Which sessions there are: for those who look at them, stop what one runs, or end it.

import Diagnostics
import Synchronization

/// What others see of a session.
package struct SessionSummary: Sendable {
    package enum State: String, Sendable {
        case active, idle
        case idleInTransaction = "idle in transaction"
        case idleInFailedTransaction = "idle in transaction (aborted)"
    }
    /// As `pg_backend_pid()` gives it.
    package var number: Int
    package var user: String
    package var database: String
    package var applicationName: String
    package var state: State
    /// The statement that runs or ran last; empty before the first one.
    package var statement: String
    /// Microseconds since 1970 UTC, as are the other times.
    package var startedAt: Int64
    package var statementStartedAt: Int64?
    package var transactionStartedAt: Int64?
    package var stateChangedAt: Int64
}

/// Thread-safe. Keeps no session from ending.
package final class OpenSessions: Sendable {
    private struct Entry { weak var session: Session? }
    private let entries = Mutex<[UInt64: Entry]>([:])
    private let users: UserAccounts

    /// Administrators among the users may act on sessions and queries of others.
    init(users: UserAccounts) { self.users = users }

    func add(_ session: Session) { entries.withLock { $0[session.number] = Entry(session: session) } }
    func remove(_ number: UInt64) { entries.withLock { _ = $0.removeValue(forKey: number) } }

    /// Oldest first.
    package func summaries(runningSessions: Set<Int>) -> [SessionSummary] {
        sessions.map { $0.summary(hasRunningQuery: runningSessions.contains(Int(truncatingIfNeeded: $0.number))) }
    }

    /// A session may end with its last use here, so it is not asked for within the lock that its end takes.
    private var sessions: [Session] {
        let entries = self.entries.withLock { $0 }
        return entries.sorted { $0.key < $1.key }.compactMap(\.value.session)
    }

    /// The session of a number, if the user may act on it; `nil`: there is none. 42501.
    func session(_ number: Int64, for user: String, deed: String) throws -> Session? {
        guard number > 0 else { return nil }
        let entry = entries.withLock { $0[UInt64(number)] }
        guard let session = entry?.session else { return nil }
        try check(user, owner: session.user, deed: deed)
        return session
    }

    /// 42501 unless the user owns it or may act on what others own. `deed` ends the sentence "whose …".
    func check(_ user: String, owner: String, deed: String) throws {
        guard user == owner || users.isAdministrator(user) else {
            throw QueryError(.insufficientPrivilege, "must be an administrator or the user whose \(deed)")
        }
    }
}

extension Session {
    package static let terminatedError = QueryError(
        .adminShutdown, "terminating connection due to administrator command")

    /// Whether somebody ended the session: it runs no statement any more.
    package var isTerminated: Bool { state.withLock { $0.isTerminated } }

    /// Ends the session: what it runs fails with 57P01, and its client is told.
    package func terminate() {
        let (interruption, endWait, handler) = state.withLock { state in
            state.isTerminated = true
            state.isCancelled = true
            return (state.interruption, state.endLockWait, state.terminationHandler)
        }
        interruption.request(Self.terminatedError)
        endWait?()
        handler?()
    }

    /// What the front end does for a client whose session is ended; may be called from anywhere.
    package func onTermination(_ handler: @escaping @Sendable () -> Void) {
        state.withLock { $0.terminationHandler = handler }
    }

    func summary(hasRunningQuery: Bool) -> SessionSummary {
        state.withLock { state in
            let shown: SessionSummary.State
            switch state.transaction {
            case _ where hasRunningQuery || state.runningCount > 0: shown = .active
            case .idle: shown = .idle
            case .inTransaction: shown = .idleInTransaction
            case .failed: shown = .idleInFailedTransaction
            }
            return SessionSummary(
                number: Int(truncatingIfNeeded: number), user: user, database: database,
                applicationName: state.settings["application_name"], state: shown, statement: state.statement,
                startedAt: startedAt, statementStartedAt: state.statementStartedAt,
                transactionStartedAt: state.block?.startedAt ?? (shown == .active ? state.statementStartedAt : nil),
                stateChangedAt: shown == .active
                    ? state.statementStartedAt ?? startedAt : state.statementEndedAt ?? startedAt)
        }
    }
}
