// MemoryStorage: tables held in the memory of the coordinator's process.
//
//   MemoryBackend   schemas and tables, committed and of open transactions
//   MemoryChanges   what an open transaction changed
//   MemoryTable     one version of a table; MemoryWriter makes the next one, MemoryReader reads it
//   MemoryBatch     rows with their numbers
//   KeyIndex        keys, which must be unique, and their rows; KeyLookup answers predicates by them

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

/// All schemas with their tables. A value: a transaction's copy costs nothing until it is changed.
struct MemoryCatalogue: Sendable {
    var schemas: [String: [String: MemoryTable]] = ["public": [:]]
}

/// A catalogue of tables in memory.
package final class MemoryBackend: TransactionalBackend {
    private struct State {
        var committed = MemoryCatalogue()
        var open: [UInt64: MemoryChanges] = [:]
    }
    private let state = Mutex(State())

    package init() {}

    package var isCoordinatorOnly: Bool { true }

    // MARK: What a statement sees

    private func catalogue() -> MemoryCatalogue {
        guard let scope = StorageScope.current else { return state.withLock { $0.committed } }
        var result = scope.snapshot.value(of: self) { state.withLock { $0.committed } }
        state.withLock { state in
            guard var changes = state.open[scope.transaction.id] else { return }
            changes.rebase(onto: result)
            state.open[scope.transaction.id] = changes
            changes.apply(to: &result)
        }
        return result
    }

    package func schemaNames() async throws -> [String] { catalogue().schemas.keys.sorted() }

    package func tableNames(schema: String) async throws -> [String] {
        catalogue().schemas[schema]?.keys.sorted() ?? []
    }

    package func table(schema: String, name: String) async throws -> (any TableProvider)? {
        catalogue().schemas[schema]?[name]
    }

    // MARK: Changes

    /// Changes the newest state: the transaction's own on top of what is committed, or without a transaction the committed
    /// one itself.
    private func change<Result: Sendable>(
        _ scope: StorageScope?, _ body: (MemoryCatalogue, inout MemoryChanges) throws -> Result
    ) throws -> Result {
        if let scope { scope.transaction.join(self) }
        return try state.withLock { state in
            var changes = scope.flatMap { state.open[$0.transaction.id] } ?? MemoryChanges()
            var current = state.committed
            changes.rebase(onto: current)
            changes.apply(to: &current)
            let result = try body(current, &changes)
            if let scope {
                state.open[scope.transaction.id] = changes
            } else {
                changes.apply(to: &state.committed)
            }
            return result
        }
    }

    fileprivate func changeTable(
        _ schema: String, _ name: String, _ scope: StorageScope?, _ body: (MemoryTable) throws -> MemoryOutcome
    ) throws {
        try change(scope) { current, changes in
            guard let table = current.schemas[schema]?[name] else { throw Self.noTable(name) }
            let path = MemoryChanges.Path(schema: schema, name: name)
            switch try body(table) {
            case .replaced(let next): changes.tables[path] = .some(MemoryChange(table: next))
            case .changed(let next, let deleted, let inserted):
                // A table that the transaction has not touched before is the committed one.
                let before =
                    changes.tables[path].flatMap { $0 }
                    ?? MemoryChange(table: table, difference: MemoryChange.Difference(base: table))
                changes.tables[path] = .some(before.adding(next, deleted: deleted, inserted: inserted))
            }
        }
    }

    package func createTable(schema: String, name: String, columns: [Field]) async throws {
        try await createTable(schema: schema, name: name, definition: TableDefinition(Schema(columns)))
    }

    package func createTable(schema: String, name: String, definition: TableDefinition) async throws {
        var seen: Set<String> = []
        for column in definition.columns where !seen.insert(column.field.name).inserted {
            throw QueryError(
                .duplicateColumn, "column \"\(column.field.name)\" specified more than once",
                object: column.field.name)
        }
        try change(StorageScope.current) { current, changes in
            guard let tables = current.schemas[schema] else { throw Self.noSchema(schema) }
            guard tables[name] == nil else { throw Self.duplicate(name) }
            let place = MemoryPlace(backend: self, schema: schema, name: name)
            changes.tables[.init(schema: schema, name: name)] = .some(
                MemoryChange(table: MemoryTable(place: place, definition: definition)))
        }
    }

    package func dropTable(schema: String, name: String) async throws {
        try change(StorageScope.current) { current, changes in
            guard current.schemas[schema]?[name] != nil else {
                throw QueryError(.undefinedTable, "table \"\(name)\" does not exist", object: name)
            }
            changes.tables[.init(schema: schema, name: name)] = .some(nil)
        }
    }

    package func makeReplacement(schema: String, name: String, definition: TableDefinition) async throws
        -> any TableWriter
    {
        guard let table = catalogue().schemas[schema]?[name] else { throw Self.noTable(name) }
        return MemoryWriter(table, mode: .replace(definition), scope: StorageScope.current)
    }

    package func changeDefinition(schema: String, name: String, to definition: TableDefinition) async throws {
        try changeTable(schema, name, StorageScope.current) { table in
            guard table.schema.types == definition.schema.types else {
                throw QueryError.internalError("a change of types without a change of rows")
            }
            for (index, column) in definition.columns.enumerated()
            where !column.field.isNullable && table.rows.facts.columns[index].nullCount > 0 {
                throw QueryError(
                    .notNullViolation,
                    "column \"\(column.field.name)\" of relation \"\(name)\" contains null values",
                    object: column.field.name)
            }
            var rows = table.rows
            rows.indexes = try definition.keys.map { key in
                do {
                    return try KeyIndex().adding(rows.batches, key, of: definition, isAlive: { _ in false })
                } catch var error as QueryError where error.state == .uniqueViolation {
                    error.message = "could not create unique index \"\(key.name)\""
                    error.detail = error.detail?.replacingSuffix(" already exists.", with: " is duplicated.")
                    throw error
                }
            }
            return .replaced(MemoryTable(place: table.place, definition: definition, rows: rows))
        }
    }

    package func moveTable(schema: String, name: String, toSchema: String, toName: String) async throws {
        try change(StorageScope.current) { current, changes in
            guard let table = current.schemas[schema]?[name] else { throw Self.noTable(name) }
            guard let target = current.schemas[toSchema] else { throw Self.noSchema(toSchema) }
            guard target[toName] == nil else { throw Self.duplicate(toName) }
            let place = MemoryPlace(backend: self, schema: toSchema, name: toName)
            changes.tables[.init(schema: schema, name: name)] = .some(nil)
            changes.tables[.init(schema: toSchema, name: toName)] = .some(
                MemoryChange(table: MemoryTable(place: place, definition: table.definition, rows: table.rows)))
        }
    }

    package func createSchema(_ name: String) async throws {
        try change(StorageScope.current) { current, changes in
            guard current.schemas[name] == nil else {
                throw QueryError(.duplicateSchema, "schema \"\(name)\" already exists", object: name)
            }
            changes.schemas[name] = true
        }
    }

    package func dropSchema(_ name: String) async throws {
        try change(StorageScope.current) { current, changes in
            guard let tables = current.schemas[name] else { throw Self.noSchema(name) }
            guard tables.isEmpty else {
                throw QueryError(
                    .dependentObjectsStillExist, "cannot drop schema \(name) because other objects depend on it",
                    detail: "Tables: \(tables.keys.sorted().joined(separator: ", ")).", object: name)
            }
            // That its tables are gone stays known: the transaction may make the schema anew.
            changes.schemas[name] = false
        }
    }

    private static func noSchema(_ name: String) -> QueryError {
        QueryError(.invalidSchemaName, "schema \"\(name)\" does not exist", object: name)
    }
    private static func noTable(_ name: String) -> QueryError {
        QueryError(.undefinedTable, "relation \"\(name)\" does not exist", object: name)
    }
    private static func duplicate(_ name: String) -> QueryError {
        QueryError(.duplicateTable, "relation \"\(name)\" already exists", object: name)
    }

    // MARK: Transactions

    package func commit(_ transaction: StorageTransaction) {
        state.withLock { state in
            guard var changes = state.open.removeValue(forKey: transaction.id) else { return }
            changes.rebase(onto: state.committed)
            changes.apply(to: &state.committed)
        }
    }

    package func rollback(_ transaction: StorageTransaction) {
        state.withLock { state in _ = state.open.removeValue(forKey: transaction.id) }
    }

    package func checkpoint(_ transaction: StorageTransaction) -> any Sendable {
        state.withLock { $0.open[transaction.id] ?? MemoryChanges() }
    }

    package func restore(_ transaction: StorageTransaction, to checkpoint: (any Sendable)?) {
        state.withLock { $0.open[transaction.id] = checkpoint as? MemoryChanges }
    }
}

/// Where a table is: how writers reach the newest version.
final class MemoryPlace: Sendable {
    private let backend: MemoryBackend
    let schema: String
    let name: String

    init(backend: MemoryBackend, schema: String, name: String) {
        self.backend = backend
        self.schema = schema
        self.name = name
    }

    func change(_ scope: StorageScope?, _ body: (MemoryTable) throws -> MemoryOutcome) throws {
        try backend.changeTable(schema, name, scope, body)
    }
}

extension String {
    fileprivate func replacingSuffix(_ suffix: String, with other: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) + other : self
    }
}
