// What a statement has found out about a database: its tables, and the snapshot that all its scans read.

import Diagnostics
import Storage
import Synchronization

/// A transaction on the server whose snapshot others read under, for as long as somebody holds this object.
final class StatementLease: Sendable {
    let snapshot: String
    private let connection: PostgresConnection
    private let pool: ConnectionPool

    /// Blocks.
    init(_ pool: ConnectionPool) throws {
        let connection = try pool.acquire(.snapshot)
        do {
            let rows = try connection.rows(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_catalog.pg_export_snapshot()")
            guard let name = rows.first?.first ?? nil else {
                throw QueryError.internalError("the server exported no snapshot")
            }
            snapshot = name
        } catch {
            pool.releaseLater(connection)
            throw error
        }
        self.connection = connection
        self.pool = pool
    }

    deinit { pool.releaseLater(connection) }
}

/// The tables and the snapshot of one statement, or of a transaction block that keeps its snapshot.
final class StatementView: Sendable {
    private struct Name: Hashable {
        var schema: String
        var name: String
    }
    private struct State {
        var tables: [Name: PostgresTable] = [:]
        var lease: StatementLease?
    }
    private let state = Mutex(State())

    init() {}

    /// `nil` outside of statements.
    static func current(_ backend: PostgresBackend) -> StatementView? {
        StorageScope.current?.snapshot.value(of: backend) { StatementView() }
    }

    func table(_ schema: String, _ name: String) -> PostgresTable? {
        state.withLock { $0.tables[Name(schema: schema, name: name)] }
    }

    func keep(_ table: PostgresTable) {
        state.withLock { $0.tables[Name(schema: table.description.schema, name: table.description.name)] = table }
    }

    /// After the statement has changed tables itself.
    func forget() { state.withLock { $0.tables = [:] } }

    func lease(_ pool: ConnectionPool) async throws -> StatementLease {
        if let lease = state.withLock({ $0.lease }) { return lease }
        let made = try await pool.onThread { try StatementLease(pool) }
        return state.withLock { state in
            if let other = state.lease { return other }
            state.lease = made
            return made
        }
    }
}
