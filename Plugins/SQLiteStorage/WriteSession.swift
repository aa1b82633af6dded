// The transaction that all writers of a statement write in.

import Diagnostics
import Synchronization

/// One transaction of the file for one statement: its tables change together or not at all. It begins with the first rows
/// that are sent and is committed when the last of its writers commits.
///
/// Rows that are deleted or updated were found in the state that the statement's lease keeps. The transaction holds the
/// file's lock for writers from its beginning on, so that nobody commits after the lease's witness has said that this state
/// is still the last one; if it is not, the statement must run again (40001).
///
/// Used by the threads of one statement, one after the other.
final class WriteSession: @unchecked Sendable {
    private let backend: SQLiteBackend
    private weak var view: StatementView?
    private var connection: SQLiteConnection?
    private var writerCount = 0
    private var finishedCount = 0
    private var hasFailed = false
    private var isDone = false
    private var hasChecked = false
    private var hasLog = false

    init(_ backend: SQLiteBackend, _ view: StatementView) {
        self.backend = backend
        self.view = view
    }

    deinit { if let connection { backend.shelf.put(connection) } }

    var isOpen: Bool { !isDone && !hasFailed }

    func register() { writerCount += 1 }

    /// The connection, in its transaction. `needsState`: rows of the lease's state are about to be changed.
    func open(needsState: Bool) throws -> SQLiteConnection {
        guard isOpen else { throw QueryError.internalError("a write after the end of its statement") }
        let made: SQLiteConnection
        if let connection {
            made = connection
        } else {
            made = try backend.shelf.take()
            do {
                made.followInterruption()
                hasLog = try made.value("PRAGMA journal_mode").string == "wal"
                // Without the log changed pages wait in memory for those who read.
                if !hasLog { try made.run("PRAGMA cache_spill = OFF") }
                try made.run("BEGIN IMMEDIATE")
            } catch {
                backend.shelf.put(made)
                throw error
            }
            connection = made
        }
        if needsState, !hasChecked {
            guard let lease = view?.knownLease, lease.isCurrent() else {
                throw QueryError(
                    .serializationFailure, "could not serialize access due to concurrent update",
                    detail: "The database file was changed since this statement read it.")
            }
            hasChecked = true
        }
        return made
    }

    /// One writer has sent all that it has.
    func finish() throws {
        guard isOpen else { throw QueryError.internalError("a commit after the end of its statement") }
        finishedCount += 1
        guard finishedCount == writerCount else { return }
        isDone = true
        guard let connection else { return }
        do {
            // Who reads the file without the log keeps it from changing; all rows of this statement have been read.
            if !hasLog { view?.knownLease?.end() }
            try connection.run("COMMIT")
        } catch {
            giveBack()
            throw error
        }
        giveBack()
        view?.forget()
    }

    /// One writer gives up: nothing of the statement stays.
    func abort() {
        guard !isDone else { return }
        hasFailed = true
        giveBack()
    }

    private func giveBack() {
        guard let connection else { return }
        self.connection = nil
        backend.shelf.put(connection)
    }
}
