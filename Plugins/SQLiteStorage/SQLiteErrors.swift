// Result codes of the library as errors of the engine.

import CSQLite
import Diagnostics

enum SQLiteErrors {
    static let lockNotAvailable = SQLState("55P03")
    private static let dependent = SQLState("2BP01")

    /// The error that the connection's last call ended with. `object` is the catalogue's name.
    static func last(_ handle: OpaquePointer?, code: Int32, catalog: String, path: String) -> QueryError {
        let extended = handle.map { sqlite3_extended_errcode($0) } ?? code
        let text = handle.flatMap { sqlite3_errmsg($0) }.map { String(cString: $0) }
        let message = text ?? String(cString: sqlite3_errstr(code))
        return error(extended & 0xFF == code & 0xFF ? extended : code, message, catalog: catalog, path: path)
    }

    static func error(_ code: Int32, _ message: String, catalog: String, path: String) -> QueryError {
        func make(_ state: SQLState, _ text: String, hint: String? = nil) -> QueryError {
            QueryError(state, text, detail: "SQLite says: \(message).", hint: hint, object: catalog)
        }
        switch code & 0xFF {
        case SQLITE_BUSY:
            if code == busySnapshot {
                return make(.serializationFailure, "could not serialize access due to concurrent update")
            }
            return make(
                lockNotAvailable, "the database file \"\(path)\" stayed locked",
                hint: "The key busy-timeout of catalog \"\(catalog)\" says how long a statement waits.")
        case SQLITE_LOCKED: return make(lockNotAvailable, "a table of the database file \"\(path)\" is locked")
        case SQLITE_INTERRUPT:
            return Interruption.current?.error
                ?? QueryError(.queryCanceled, "canceling statement due to user request")
        case SQLITE_CONSTRAINT: return constraint(code, message)
        case SQLITE_NOTADB:
            return make(.dataCorrupted, "the file \"\(path)\" is not a database of SQLite")
        case SQLITE_CORRUPT: return make(.dataCorrupted, "the database file \"\(path)\" is damaged")
        case SQLITE_CANTOPEN: return make(.undefinedFile, "the database file \"\(path)\" cannot be opened")
        case SQLITE_READONLY: return make(.readOnlySQLTransaction, "the database file \"\(path)\" is not writable")
        case SQLITE_PERM, SQLITE_AUTH: return make(.insufficientPrivilege, "the database file \"\(path)\" is protected")
        case SQLITE_FULL: return make(.diskFull, "there is no room for the database file \"\(path)\"")
        case SQLITE_NOMEM: return make(.outOfMemory, "SQLite has no memory left")
        case SQLITE_TOOBIG: return make(.programLimitExceeded, "a value is too large for SQLite")
        case SQLITE_SCHEMA: return make(.serializationFailure, "the tables of \"\(path)\" were changed meanwhile")
        case SQLITE_MISMATCH: return make(.datatypeMismatch, "a value has the wrong type for its column")
        case SQLITE_IOERR: return make(.ioError, "could not read or write the database file \"\(path)\"")
        case SQLITE_ERROR:
            if message.hasPrefix("no such table") { return make(.undefinedTable, message) }
            if message.hasPrefix("no such column") { return make(.undefinedColumn, message) }
            return QueryError(.internalError, "SQLite refused a statement: \(message)", object: catalog)
        default: return make(.ioError, "the database file \"\(path)\" gave error \(code)")
        }
    }

    private static let busySnapshot = SQLITE_BUSY | (2 << 8)
    private static let checkViolated = SQLITE_CONSTRAINT | (1 << 8)
    private static let referenceViolated = SQLITE_CONSTRAINT | (3 << 8)
    private static let nullViolated = SQLITE_CONSTRAINT | (5 << 8)
    private static let primaryViolated = SQLITE_CONSTRAINT | (6 << 8)
    private static let uniqueViolated = SQLITE_CONSTRAINT | (8 << 8)
    private static let rowViolated = SQLITE_CONSTRAINT | (10 << 8)
    private static let typeViolated = SQLITE_CONSTRAINT | (12 << 8)

    /// The message names the columns behind a colon.
    private static func constraint(_ code: Int32, _ message: String) -> QueryError {
        let subject = message.firstIndex(of: ":").map { String(message[message.index($0, offsetBy: 2)...]) } ?? message
        switch code {
        case uniqueViolated, primaryViolated, rowViolated:
            return QueryError(
                .uniqueViolation, "duplicate key value violates a unique constraint on \(subject)", object: subject)
        case nullViolated:
            return QueryError(
                .notNullViolation, "null value in column \(subject) violates not-null constraint", object: subject)
        case referenceViolated:
            return QueryError(.foreignKeyViolation, "a row that other rows refer to is not there")
        case checkViolated:
            return QueryError(.checkViolation, "a row violates check constraint \(subject)", object: subject)
        case typeViolated:
            return QueryError(.datatypeMismatch, "a value does not have the type of its column: \(subject)")
        default: return QueryError(.checkViolation, "a row is refused by the database: \(message)")
        }
    }
}
