// MemoryStorage: tables held in the memory of the coordinator's process.

import Columnar
import Diagnostics
import EngineConfiguration
import PluginHost
import QueryPlan
import Storage
import Synchronization

/// The plug-in "memory". It has no keys.
package struct MemoryStoragePlugin: EnginePlugin {
    package let name = "memory"
    package init() {}

    package func makeStorageBackend(_ section: ConfigurationSection) throws -> (any StorageBackend)? {
        try section.checkKeys(["type"])
        return MemoryBackend()
    }
}

/// A catalogue of tables in memory.
package final class MemoryBackend: StorageBackend {
    private let state = Mutex<[String: [String: MemoryTable]]>(["public": [:]])

    package init() {}

    package var isCoordinatorOnly: Bool { true }

    package func schemaNames() async throws -> [String] { state.withLock { $0.keys.sorted() } }

    package func tableNames(schema: String) async throws -> [String] {
        state.withLock { $0[schema]?.keys.sorted() ?? [] }
    }

    package func table(schema: String, name: String) async throws -> (any TableProvider)? {
        state.withLock { $0[schema]?[name] }
    }

    package func createTable(schema: String, name: String, columns: [Field]) async throws {
        var seen: Set<String> = []
        for column in columns where !seen.insert(column.name).inserted {
            throw QueryError(
                .duplicateColumn, "column \"\(column.name)\" specified more than once", object: column.name)
        }
        try state.withLock { state in
            guard state[schema] != nil else { throw MemoryBackend.noSchema(schema) }
            guard state[schema]?[name] == nil else {
                throw QueryError(.duplicateTable, "relation \"\(name)\" already exists", object: name)
            }
            state[schema]?[name] = MemoryTable(name: name, schema: Schema(columns))
        }
    }

    package func dropTable(schema: String, name: String) async throws {
        try state.withLock { state in
            guard let table = state[schema]?.removeValue(forKey: name) else {
                throw QueryError(.undefinedTable, "table \"\(name)\" does not exist", object: name)
            }
            table.drop()
        }
    }

    package func createSchema(_ name: String) async throws {
        try state.withLock { state in
            guard state[name] == nil else {
                throw QueryError(.duplicateSchema, "schema \"\(name)\" already exists", object: name)
            }
            state[name] = [:]
        }
    }

    package func dropSchema(_ name: String) async throws {
        try state.withLock { state in
            guard let tables = state[name] else { throw MemoryBackend.noSchema(name) }
            guard tables.isEmpty else {
                throw QueryError(
                    SQLState("2BP01"), "cannot drop schema \"\(name)\" because other objects depend on it",
                    detail: "Tables: \(tables.keys.sorted().joined(separator: ", ")).", object: name)
            }
            state[name] = nil
        }
    }

    private static func noSchema(_ name: String) -> QueryError {
        QueryError(.invalidSchemaName, "schema \"\(name)\" does not exist", object: name)
    }
}
