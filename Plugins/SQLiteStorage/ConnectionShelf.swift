// The connections to a file that nobody uses at the moment, and threads for what may wait for locks.

import Diagnostics
import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Opens connections and keeps a few of them. Thread-safe.
final class ConnectionShelf: Sendable {
    private struct State {
        var idle: [SQLiteConnection] = []
        var isClosed = false
        var hasSwitchedJournal = false
    }
    private let options: SQLiteOptions
    private let state = Mutex(State())
    private let threads = DispatchQueue(label: "sqlite", attributes: .concurrent)
    private static let idleCountMax = 8

    init(_ options: SQLiteOptions) { self.options = options }

    func close() {
        let idle = state.withLock { state in
            defer { state.idle = [] }
            state.isClosed = true
            return state.idle
        }
        _ = idle
    }

    /// Whether there is a file under the name.
    var exists: Bool { access(options.path, F_OK) == 0 }

    /// A connection for the caller alone, to be given back by `put`. Blocks.
    func take() throws -> SQLiteConnection {
        while let known = state.withLock({ $0.idle.popLast() }) {
            known.startUse()
            // Another file may have come in its place.
            if known.isFilePresent { return known }
        }
        return try open()
    }

    /// Takes a connection back; what it was in the middle of is rolled back.
    func put(_ connection: SQLiteConnection) {
        connection.startUse()
        connection.rollBack()
        if connection.isInTransaction || connection.hasStatements || !connection.isFilePresent { return }
        state.withLock { state in
            if !state.isClosed, state.idle.count < Self.idleCountMax { state.idle.append(connection) }
        }
    }

    private func open() throws -> SQLiteConnection {
        let isNew = options.makesFile && !exists
        if !isNew, !exists {
            throw QueryError(
                .undefinedFile, "the database file \"\(options.path)\" does not exist",
                hint: "With create = true a catalogue of type sqlite makes its file.", object: options.path)
        }
        let connection = try SQLiteConnection(options, makesFile: isNew)
        // Memory of a file that somebody else makes shorter must not be touched.
        try connection.run("PRAGMA mmap_size = 0")
        try connection.run("PRAGMA cell_size_check = ON")
        try connection.run("PRAGMA foreign_keys = ON")
        let switches = state.withLock { state in
            defer { if !options.isReadOnly { state.hasSwitchedJournal = true } }
            return options.switchesJournal && !options.isReadOnly && !state.hasSwitchedJournal
        }
        if isNew || switches { try connection.run("PRAGMA journal_mode = WAL") }
        return connection
    }

    // MARK: Threads

    /// Runs work that may wait for locks on a thread of its own.
    func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        let interruption = Interruption.current
        return try await withCheckedThrowingContinuation { continuation in
            threads.async {
                continuation.resume(
                    with: Result { try Interruption.$current.withValue(interruption) { try body() } })
            }
        }
    }

    /// Work with a connection from a task. The statement's cancel interrupts it.
    func withConnection<Value: Sendable>(_ body: @escaping @Sendable (SQLiteConnection) throws -> Value) async throws
        -> Value
    {
        try await onThread { [self] in
            let connection = try take()
            connection.followInterruption()
            defer { put(connection) }
            return try body(connection)
        }
    }
}
