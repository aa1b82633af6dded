// A coordinator's state in a schema of a PostgreSQL database.

import Diagnostics
import EngineConfiguration
import StateStore

/// Several coordinators may have the same store: whoever comes first makes the layout, others wait for it.
package final class PostgresStateStore: StateStore {
    private let pool: ConnectionPool
    private static let schema = "martlet_state"
    /// Of the lock that makers of the layout take: any number of our own.
    private static let lockNumber = 0x6D61_7274

    package init(dsn: String) throws {
        let section = ConfigurationSection(
            name: "state",
            values: ["dsn": dsn, "pool-maximum": "2", "pool-wait-timeout": "10s", "statement-timeout": "20s"])
        pool = ConnectionPool(try PostgresOptions(section))
    }

    package var place: String { "postgres, schema \(Self.schema)" }

    package func open() async throws {
        let place = self.place
        try await transaction { connection in
            try connection.run("SELECT pg_catalog.pg_advisory_xact_lock(\(Self.lockNumber))")
            try connection.run("CREATE SCHEMA IF NOT EXISTS \(Self.schema)")
            try connection.run("CREATE TABLE IF NOT EXISTS \(Self.schema).layout (version bigint NOT NULL)")
            let found = try connection.rows("SELECT max(version) FROM \(Self.schema).layout")
            var version = found.first?.first.flatMap { $0 }.flatMap { Int($0) } ?? 0
            for step in try StateLayout.steps(after: version, place: place) {
                for statement in step { try connection.run(Self.text(statement)) }
                version += 1
                try connection.run("INSERT INTO \(Self.schema).layout VALUES (\(version))")
            }
        }
    }

    package func apply(_ changes: [StateChange]) async throws {
        try await transaction { connection in
            for step in changes.flatMap(StateLayout.statements) {
                _ = try connection.rows(Self.text(step.text), step.parameters)
            }
        }
    }

    package func apply(_ changes: [StateChange], at revision: Int64) async throws -> Int64? {
        try await transaction { connection in
            if try connection.rows(Self.text(StateLayout.revisionLockText), ["\(revision)"]).isEmpty { return nil }
            for step in changes.flatMap(StateLayout.statements) {
                _ = try connection.rows(Self.text(step.text), step.parameters)
            }
            return try Self.revision(connection)
        }
    }

    package func revision() async throws -> Int64 { try await pool.withConnection { try Self.revision($0) } }

    private static func revision(_ connection: PostgresConnection) throws -> Int64 {
        let rows = try connection.rows(text(StateLayout.revisionText))
        guard let number = rows.first?.first.flatMap({ $0 }).flatMap({ Int64($0) }) else {
            throw QueryError(.dataCorrupted, "the state store has no revision")
        }
        return number
    }

    package func entries(_ kind: StateEntry.Kind) async throws -> [StateEntry] {
        let rows = try await pool.withConnection {
            try $0.rows(
                Self.text(StateLayout.entriesText.replacing("ORDER BY name", with: "ORDER BY name COLLATE \"C\"")),
                [kind.rawValue])
        }
        return rows.compactMap { row in
            guard let name = row[0], let value = row[1] else { return nil }
            return StateEntry(kind, name, value)
        }
    }

    package func history(limit: Int) async throws -> [QueryHistoryEntry] {
        try await pool.withConnection { try $0.rows(Self.text(StateLayout.historyText), ["\(limit)"]) }
            .compactMap(StateLayout.query)
    }

    package func close() { pool.close() }

    /// Names of tables with their schema, parameters in this server's form.
    private static func text(_ text: String) -> String {
        text.replacing("$", with: "\(schema).").replacing("?", with: "$")
    }

    private func transaction<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws -> Value {
        try await pool.withConnection { connection in
            try connection.run("BEGIN")
            do {
                let value = try body(connection)
                try connection.run("COMMIT")
                return value
            } catch {
                connection.rollBack()
                throw error
            }
        }
    }
}
