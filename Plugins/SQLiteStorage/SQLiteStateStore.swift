// A coordinator's state in a database file of its own.

import Diagnostics
import EngineConfiguration
import StateStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

// Methods of the store have the names of these.
private func createFile(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 { open(path, flags, mode) }
private func closeFile(_ descriptor: Int32) { close(descriptor) }

/// The file is made if it is not there. Every batch of changes is one transaction.
package final class SQLiteStateStore: StateStore {
    private let shelf: ConnectionShelf
    private let path: String

    package init(path: String) throws {
        self.path = path
        let section = ConfigurationSection(name: "state", values: ["path": path, "create": "true"])
        shelf = ConnectionShelf(try SQLiteOptions(section))
    }

    package var place: String { "sqlite \(path)" }

    /// Verifiers of passwords are in it: the file is its owner's alone, and those beside it follow.
    private func restrictAccess() {
        let descriptor = createFile(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        // A file that is there is not opened: closing it would give up the locks of this process.
        if descriptor >= 0 { closeFile(descriptor) } else { chmod(path, 0o600) }
    }

    package func open() async throws {
        restrictAccess()
        let place = self.place
        try await transaction { connection in
            var version = Int(try connection.value("PRAGMA user_version").integer ?? 0)
            for step in try StateLayout.steps(after: version, place: place) {
                for statement in step { try connection.run(statement.replacing("$", with: "")) }
                version += 1
                try connection.run("PRAGMA user_version = \(version)")
            }
        }
    }

    package func apply(_ changes: [StateChange]) async throws {
        try await transaction { try Self.apply(changes, $0) }
    }

    private static func apply(_ changes: [StateChange], _ connection: SQLiteConnection) throws {
        for step in changes.flatMap(StateLayout.statements) {
            _ = try connection.rows(
                step.text.replacing("$", with: ""), step.parameters.map { $0.map { .text($0) } ?? .null })
        }
    }

    package func apply(_ changes: [StateChange], at revision: Int64) async throws -> Int64? {
        try await transaction { connection in
            let lock = StateLayout.revisionLockText.replacing("$", with: "")
            if try connection.rows(lock, [.text("\(revision)")]).isEmpty { return nil }
            try Self.apply(changes, connection)
            return try Self.revision(connection)
        }
    }

    package func revision() async throws -> Int64 { try await shelf.withConnection { try Self.revision($0) } }

    private static func revision(_ connection: SQLiteConnection) throws -> Int64 {
        let value = try connection.value(StateLayout.revisionText.replacing("$", with: ""))
        guard let number = value.integer else { throw QueryError(.dataCorrupted, "the state store has no revision") }
        return number
    }

    package func entries(_ kind: StateEntry.Kind) async throws -> [StateEntry] {
        try await rows(StateLayout.entriesText, kind.rawValue).compactMap { row in
            guard let name = row[0], let value = row[1] else { return nil }
            return StateEntry(kind, name, value)
        }
    }

    package func history(limit: Int) async throws -> [QueryHistoryEntry] {
        try await rows(StateLayout.historyText, "\(limit)").compactMap(StateLayout.query)
    }

    package func close() { shelf.close() }

    private func rows(_ text: String, _ parameter: String) async throws -> [[String?]] {
        try await shelf.withConnection { connection in
            try connection.rows(text.replacing("$", with: ""), [.text(parameter)]).map { row in
                row.map { value in
                    switch value {
                    case .integer(let number): "\(number)"
                    case .text(let text): text
                    default: nil
                    }
                }
            }
        }
    }

    private func transaction<Value: Sendable>(
        _ body: @escaping @Sendable (SQLiteConnection) throws -> Value
    ) async throws -> Value {
        try await shelf.withConnection { connection in
            try connection.run("BEGIN IMMEDIATE")
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
