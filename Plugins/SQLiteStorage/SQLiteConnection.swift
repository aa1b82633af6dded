// One connection of the library. Confined to one thread at a time: whoever shares one takes its lock.

import CSQLite
import Diagnostics
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A value of one of SQLite's five storage classes.
enum SQLiteValue: Hashable, Sendable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])

    var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    var string: String? { if case .text(let value) = self { value } else { nil } }
}

/// Not for several threads at once; readers that share one take `lock` for each batch. An interruption may come from anywhere.
final class SQLiteConnection: @unchecked Sendable {
    let handle: OpaquePointer
    let options: SQLiteOptions
    /// Of those who read through the same connection.
    let lock = Mutex(())
    private struct Life {
        var isOpen = true
        /// Counts those who have had the connection.
        var use = 0
    }
    private let life = Mutex(Life())
    private let patience: Patience

    /// How long the library may wait for a lock; looked at while it waits, on the connection's thread.
    private final class Patience {
        var milliseconds: Int
        var start = ContinuousClock.now
        init(_ milliseconds: Int) { self.milliseconds = milliseconds }

        /// Called with how often it was called for the same lock.
        func wait(_ count: Int) -> Bool {
            if count == 0 { start = .now }
            let left = Duration.milliseconds(milliseconds) - (ContinuousClock.now - start)
            if left <= .zero || Interruption.current?.isRequested == true { return false }
            usleep(UInt32(min(20, 1 + count)) * 1000)
            return true
        }
    }

    /// Opens the file. Nothing is read of it before the first statement.
    init(_ options: SQLiteOptions, makesFile: Bool) throws {
        self.options = options
        patience = Patience(options.busyMilliseconds)
        var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE
        flags |= options.isReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE
        if makesFile { flags |= SQLITE_OPEN_CREATE }
        var made: OpaquePointer?
        let code = sqlite3_open_v2(options.path, &made, flags, nil)
        guard code == SQLITE_OK, let made else {
            let error = SQLiteErrors.last(made, code: code, catalog: options.name, path: options.path)
            sqlite3_close_v2(made)
            throw error
        }
        handle = made
        sqlite3_extended_result_codes(made, 1)
        martlet_sqlite_harden(made)
        sqlite3_busy_handler(
            made,
            { context, count in
                guard let context else { return 0 }
                return Unmanaged<Patience>.fromOpaque(context).takeUnretainedValue().wait(Int(count)) ? 1 : 0
            }, Unmanaged.passUnretained(patience).toOpaque())
    }

    deinit { close() }

    private func close() {
        let wasOpen = life.withLock { life in
            defer { life.isOpen = false }
            return life.isOpen
        }
        if wasOpen { sqlite3_close_v2(handle) }
    }

    /// Whoever takes the connection from now on is another user: what ended the one before is none of its business.
    func startUse() { life.withLock { $0.use += 1 } }

    /// What runs on the connection ends with an error when its statement is to stop.
    func followInterruption() {
        guard let interruption = Interruption.current else { return }
        let use = life.withLock { $0.use }
        interruption.onRequest { [weak self] _ in self?.interrupt(use) }
    }

    private func interrupt(_ use: Int) {
        life.withLock { if $0.isOpen, $0.use == use { sqlite3_interrupt(handle) } }
    }

    /// Waits for locks no longer than that while `body` runs.
    func withPatience<Value>(_ milliseconds: Int, _ body: () throws -> Value) rethrows -> Value {
        let before = patience.milliseconds
        patience.milliseconds = milliseconds
        defer { patience.milliseconds = before }
        return try body()
    }

    /// Whether the file under its name is still the one that is open.
    var isFilePresent: Bool {
        var hasMoved: Int32 = 0
        let code = sqlite3_file_control(handle, "main", SQLITE_FCNTL_HAS_MOVED, &hasMoved)
        return code != SQLITE_OK || hasMoved == 0
    }

    /// Whether a statement is not ended yet: somebody may still use it.
    var hasStatements: Bool { sqlite3_next_stmt(handle, nil) != nil }

    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    // MARK: Statements

    func error(_ code: Int32) -> QueryError {
        SQLiteErrors.last(handle, code: code, catalog: options.name, path: options.path)
    }

    func prepare(_ sql: String) throws -> SQLiteStatement { try SQLiteStatement(self, sql) }

    /// Runs one statement without parameters; its rows are passed over.
    func run(_ sql: String) throws {
        let statement = try prepare(sql)
        while try statement.step() {}
    }

    func rows(_ sql: String, _ parameters: [SQLiteValue] = []) throws -> [[SQLiteValue]] {
        let statement = try prepare(sql)
        try statement.bind(parameters)
        var rows: [[SQLiteValue]] = []
        while try statement.step() { rows.append((0..<statement.columnCount).map { statement.value(Int32($0)) }) }
        return rows
    }

    func value(_ sql: String, _ parameters: [SQLiteValue] = []) throws -> SQLiteValue {
        try rows(sql, parameters).first?.first ?? .null
    }

    /// Ends a transaction, if there is one.
    func rollBack() {
        if isInTransaction { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
    }
}

/// A prepared statement. Ends with the object, on the connection's thread.
final class SQLiteStatement {
    let connection: SQLiteConnection
    let handle: OpaquePointer

    init(_ connection: SQLiteConnection, _ sql: String) throws {
        self.connection = connection
        var made: OpaquePointer?
        let code = sqlite3_prepare_v2(connection.handle, sql, -1, &made, nil)
        guard code == SQLITE_OK, let made else { throw connection.error(code) }
        handle = made
    }

    deinit { sqlite3_finalize(handle) }

    var columnCount: Int { Int(sqlite3_column_count(handle)) }

    /// Whether there is a row.
    func step() throws -> Bool {
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        if code == SQLITE_DONE { return false }
        throw connection.error(code)
    }

    func reset() { sqlite3_reset(handle) }

    func bind(_ values: [SQLiteValue]) throws {
        for (index, value) in values.enumerated() {
            let place = Int32(index + 1)
            let code: Int32
            switch value {
            case .null: code = sqlite3_bind_null(handle, place)
            case .integer(let number): code = sqlite3_bind_int64(handle, place, number)
            case .real(let number): code = sqlite3_bind_double(handle, place, number)
            case .text(let text):
                var text = text
                code = text.withUTF8 { bytes in
                    withUnsafePointer(to: UInt8(0)) { empty in
                        martlet_sqlite_bind_text_copy(handle, place, bytes.baseAddress ?? empty, UInt64(bytes.count))
                    }
                }
            case .blob(let blob):
                code = blob.withUnsafeBufferPointer { bytes in
                    withUnsafePointer(to: UInt8(0)) { empty in
                        martlet_sqlite_bind_blob_copy(handle, place, bytes.baseAddress ?? empty, UInt64(bytes.count))
                    }
                }
            }
            guard code == SQLITE_OK else { throw connection.error(code) }
        }
    }

    func value(_ column: Int32) -> SQLiteValue {
        switch sqlite3_column_type(handle, column) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(handle, column))
        case SQLITE_FLOAT: return .real(sqlite3_column_double(handle, column))
        case SQLITE_TEXT:
            guard let text = sqlite3_column_text(handle, column) else { return .text("") }
            let count = Int(sqlite3_column_bytes(handle, column))
            return .text(String(decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self))
        case SQLITE_BLOB:
            guard let bytes = sqlite3_column_blob(handle, column) else { return .blob([]) }
            let count = Int(sqlite3_column_bytes(handle, column))
            return .blob(Array(UnsafeRawBufferPointer(start: bytes, count: count)))
        default: return .null
        }
    }
}
