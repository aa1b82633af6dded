// SQLiteStorage: the tables of a SQLite database file as a catalogue.
//
//   SQLiteStoragePlugin   what configuration selects as "sqlite", and its keys: SQLiteOptions
//   SQLiteBackend         tables and DDL
//   SQLiteConnection      one connection of the library; ConnectionShelf keeps those that nobody uses
//   ReadLease             connections that all see one state of the file, for the scans of a statement
//   TableDescription      what the file's schema says of a table; SQLiteType says what declared types are here
//   SQLiteTable           a table for the planner: statistics, splits, readers, writers
//   ScanText              the SELECT of a scan; PredicateText the conditions that mean the same on both sides
//   RowStage              rows as the library gives them; ColumnDecoder makes vectors of them, RowEncoder the reverse
//   SQLiteStateStore      a coordinator's own state in such a file
//   SQLiteReader, SQLiteWriter   a split; the rows of INSERT, UPDATE and DELETE, all of a statement in one WriteSession

import Columnar
import Diagnostics
import Dispatch
import EngineConfiguration
import PluginHost
import QueryPlan
import StateStore
import Storage
import Synchronization

/// The plug-in "sqlite".
package struct SQLiteStoragePlugin: EnginePlugin {
    package let name = "sqlite"
    package init() {}

    package var storageKeys: [ConfigurationKey] { SQLiteOptions.keys }

    package func makeStorageBackend(_ section: ConfigurationSection) throws -> (any StorageBackend)? {
        SQLiteBackend(try SQLiteOptions(section))
    }

    package func makeStateStore(_ section: ConfigurationSection) throws -> (any StateStore)? {
        try SQLiteStateStore(path: section.required("path"))
    }
}

/// A database file. It belongs to the coordinator's machine: scans and writes run in its process, so that all scans of a
/// statement can be held to one state of the file. It is opened when it is first needed.
package final class SQLiteBackend: StorageBackend {
    /// SQLite has no schemas within a file.
    static let schema = "public"

    let options: SQLiteOptions
    let shelf: ConnectionShelf
    private let leases = Mutex<[UInt64: WeakLease]>([:])
    private struct WeakLease {
        weak var lease: ReadLease?
    }

    package init(_ options: SQLiteOptions) {
        self.options = options
        shelf = ConnectionShelf(options)
    }

    deinit { shelf.close() }

    package var isCoordinatorOnly: Bool { true }

    // MARK: Names

    package func schemaNames() async throws -> [String] { [Self.schema] }

    package func tableNames(schema: String) async throws -> [String] {
        guard schema == Self.schema, shelf.exists else { return [] }
        return try await shelf.withConnection { try TableDescription.names($0) }
    }

    package func table(schema: String, name: String) async throws -> (any TableProvider)? {
        guard schema == Self.schema else { return nil }
        let view = StatementView.current(self)
        if let known = view?.table(name) { return known }
        // A file that is not made yet has no tables; one that should be there is an error.
        if options.makesFile, !shelf.exists { return nil }
        guard let found = try await shelf.withConnection({ try TableDescription.load($0, name: name) }) else {
            return nil
        }
        let table = SQLiteTable(self, found)
        view?.keep(table, name)
        return table
    }

    // MARK: DDL

    package func createTable(schema: String, name: String, columns: [Field]) async throws {
        try await createTable(schema: schema, name: name, definition: TableDefinition(Schema(columns)))
    }

    package func createTable(schema: String, name: String, definition: TableDefinition) async throws {
        let text = try checkedDefinition(schema, name, definition)
        try await change { connection in
            try Self.requireAbsent(connection, name)
            try connection.run(text)
        }
    }

    /// The table and its rows come in one transaction, when the writer of the rows commits.
    package func prepareTable(schema: String, name: String, definition: TableDefinition) async throws {
        guard let view = StatementView.current(self) else {
            return try await createTable(schema: schema, name: name, definition: definition)
        }
        let text = try checkedDefinition(schema, name, definition)
        if shelf.exists { try await shelf.withConnection { try Self.requireAbsent($0, name) } }
        view.keep(SQLiteTable(self, DefinitionText.description(name, definition), creation: text), name)
    }

    package func dropTable(schema: String, name: String) async throws {
        let view = StatementView.current(self)
        if let table = view?.table(name), table.creation != nil {
            view?.forget(name)
            return
        }
        guard schema == Self.schema, let table = try await table(schema: schema, name: name) as? SQLiteTable else {
            throw QueryError(.undefinedTable, "table \"\(name)\" does not exist", object: name)
        }
        let kind = table.description.kind == .view ? "VIEW" : "TABLE"
        let found = table.description.name
        try await change { try $0.run("DROP \(kind) \(SQLText.name(found))") }
    }

    private func checkedDefinition(_ schema: String, _ name: String, _ definition: TableDefinition) throws -> String {
        guard schema == Self.schema else {
            throw QueryError(
                .invalidSchemaName, "schema \"\(schema)\" does not exist",
                hint: "All tables of a catalogue of type sqlite are in the schema \(Self.schema).", object: schema)
        }
        return try DefinitionText.createTable(name, definition)
    }

    static func requireAbsent(_ connection: SQLiteConnection, _ name: String) throws {
        if try TableDescription.exists(connection, name: name) {
            throw QueryError(.duplicateTable, "relation \"\(name)\" already exists", object: name)
        }
    }

    private func change(_ body: @escaping @Sendable (SQLiteConnection) throws -> Void) async throws {
        try options.checkWritable()
        try await shelf.withConnection { connection in
            try connection.run("BEGIN IMMEDIATE")
            do {
                try body(connection)
                try connection.run("COMMIT")
            } catch {
                connection.rollBack()
                throw error
            }
        }
        StatementView.current(self)?.forget()
    }

    // MARK: Leases

    func note(_ lease: ReadLease) {
        leases.withLock { known in
            known = known.filter { $0.value.lease != nil }
            known[lease.number] = WeakLease(lease: lease)
        }
    }

    func lease(_ number: UInt64) -> ReadLease? { leases.withLock { $0[number]?.lease } }
}
