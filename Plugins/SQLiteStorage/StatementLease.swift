// What a statement has found out about a file: its tables, and the one state of it that all scans read.

import Diagnostics
import Storage
import Synchronization

/// Connections whose read transactions all see one state of the file.
///
/// SQLite has no way to give a read transaction the state of another one in the builds that systems have. But a connection
/// without a transaction can be asked whether anybody has committed since it was last asked (`PRAGMA data_version`). So one
/// such connection, the witness, is asked before the first read transaction begins and again once it has begun: if the
/// answers are the same, nobody committed in between, and the transaction sees what the first answer stood for. Further
/// transactions are opened the same way, later too: as long as the witness gives the same answer there is only one
/// committed state that they can see. Once the answer differs no more connections are added; the scans share those that
/// there are, statement by statement within the same transaction. Where the file has a rollback journal the first
/// transaction's lock keeps everybody from committing, and the answer stays the same by itself.
final class ReadLease: Sendable {
    private struct State {
        var connections: [SQLiteConnection]
        /// The witness's answer that stands for the state; `nil` if it is not known or has passed.
        var version: Int64?
        var next = 0
        var hasEnded = false
    }
    let number: UInt64
    private let shelf: ConnectionShelf
    private let options: SQLiteOptions
    private let witness: SQLiteConnection
    private let state: Mutex<State>
    private static let lastNumber = Atomic<UInt64>(0)
    /// Commits that may come between before a lease makes do with one connection.
    private static let attemptCount = 20
    /// A witness that does not get an answer at once counts as one whose answer differs.
    private static let witnessMilliseconds = 20

    /// Blocks.
    init(_ shelf: ConnectionShelf, _ options: SQLiteOptions) throws {
        number = Self.lastNumber.wrappingAdd(1, ordering: .relaxed).newValue
        self.shelf = shelf
        self.options = options
        witness = try shelf.take()
        var first: SQLiteConnection?
        var version: Int64?
        do {
            for _ in 0..<Self.attemptCount {
                let before = try Self.version(witness)
                let connection = try Self.begin(shelf)
                let after = try? Self.version(witness)
                if let first { shelf.put(first) }
                first = connection
                if after == before {
                    version = before
                    break
                }
                try Interruption.check()
            }
        } catch {
            if let first { shelf.put(first) }
            shelf.put(witness)
            throw error
        }
        state = Mutex(State(connections: first.map { [$0] } ?? [], version: version))
    }

    deinit {
        end()
        shelf.put(witness)
    }

    /// A connection that has begun to read.
    private static func begin(_ shelf: ConnectionShelf) throws -> SQLiteConnection {
        let connection = try shelf.take()
        do {
            connection.followInterruption()
            try connection.run("BEGIN")
            try connection.run("SELECT count(*) FROM sqlite_schema")
        } catch {
            shelf.put(connection)
            throw error
        }
        return connection
    }

    private static func version(_ witness: SQLiteConnection) throws -> Int64 {
        try witness.value("PRAGMA data_version").integer ?? -1
    }

    /// Up to so many connections, if nobody has committed since.
    func grow(to count: Int) {
        state.withLock { state in
            guard !state.hasEnded, let version = state.version else { return }
            let wanted = min(count, options.readerCountMax)
            while state.connections.count < wanted {
                let added = witness.withPatience(Self.witnessMilliseconds) { () -> SQLiteConnection? in
                    guard let connection = try? Self.begin(shelf) else { return nil }
                    if let now = try? Self.version(witness), now == version { return connection }
                    shelf.put(connection)
                    return nil
                }
                guard let added else { return }
                state.connections.append(added)
            }
        }
    }

    /// The connection for another reader; several readers may get the same.
    func connection() throws -> SQLiteConnection {
        let found = state.withLock { state -> SQLiteConnection? in
            guard !state.hasEnded, !state.connections.isEmpty else { return nil }
            state.next = (state.next + 1) % state.connections.count
            return state.connections[state.next]
        }
        guard let found else { throw Self.passed(options) }
        return found
    }

    /// Whether what was read is what is there now. Asked by writers that have the file's lock: nobody commits meanwhile.
    func isCurrent() -> Bool {
        state.withLock { state in
            guard let version = state.version else { return false }
            return witness.withPatience(Self.witnessMilliseconds) { (try? Self.version(witness)) == version }
        }
    }

    /// Lets the state go: a writer of the same statement, all of whose rows have been read, needs the file for itself.
    func end() {
        let connections = state.withLock { state in
            defer { state.connections = [] }
            state.hasEnded = true
            return state.connections
        }
        for connection in connections {
            // A reader that was not read to its end may hold it.
            connection.lock.withLock { _ in shelf.put(connection) }
        }
    }

    static func passed(_ options: SQLiteOptions) -> QueryError {
        QueryError(
            .serializationFailure, "the state of catalog \"\(options.name)\" that the statement reads has passed",
            hint: "Run the statement again.", object: options.name)
    }
}

/// The tables and the lease of one statement, or of a transaction block that keeps its snapshot.
final class StatementView: Sendable {
    private struct State {
        var tables: [String: SQLiteTable] = [:]
        var lease: ReadLease?
        var session: WriteSession?
    }
    private let state = Mutex(State())

    init() {}

    /// `nil` outside of statements.
    static func current(_ backend: SQLiteBackend) -> StatementView? {
        StorageScope.current?.snapshot.value(of: backend) { StatementView() }
    }

    func table(_ name: String) -> SQLiteTable? { state.withLock { $0.tables[name] } }
    func keep(_ table: SQLiteTable, _ name: String) { state.withLock { $0.tables[name] = table } }

    /// After the statement has changed tables itself.
    func forget() { state.withLock { $0.tables = [:] } }
    func forget(_ name: String) { state.withLock { $0.tables[name] = nil } }

    /// The lease, if something was read.
    var knownLease: ReadLease? { state.withLock { $0.lease } }

    func lease(_ backend: SQLiteBackend) async throws -> ReadLease {
        if let lease = knownLease { return lease }
        let made = try await backend.shelf.onThread { try ReadLease(backend.shelf, backend.options) }
        backend.note(made)
        return state.withLock { state in
            if let other = state.lease { return other }
            state.lease = made
            return made
        }
    }

    /// What all writers of the statement write through.
    func session(_ backend: SQLiteBackend) -> WriteSession {
        state.withLock { state in
            if let known = state.session, known.isOpen { return known }
            let made = WriteSession(backend, self)
            state.session = made
            return made
        }
    }
}
