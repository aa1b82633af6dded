// PostgresStorage: the tables of a PostgreSQL database as a catalogue.
//
//   PostgresStoragePlugin  what configuration selects as "postgres", and its keys: PostgresOptions
//   PostgresBackend        schemas and tables, DDL
//   PoolInstance           which connections are open and who gets one; ConnectionPool does it
//   PostgresConnection     one connection of libpq, without waiting in it
//   StatementLease         the snapshot that all scans of a statement read
//   TableDescription       what the database knows of a table; PostgresTypes says what its types are here
//   PostgresTable          a table for the planner and the workers: statistics, splits, readers, writers
//   ScanText               the SELECT that a scan sends; PredicateText the conditions that mean the same on both sides
//   BinaryRows             rows of COPY's binary form; ColumnDecoder makes vectors of them, RowEncoder rows of vectors
//   PostgresStateStore     a coordinator's own state in such a database
//   PostgresReader, PostgresWriter   a split; the rows of INSERT, UPDATE and DELETE

import Columnar
import Diagnostics
import EngineConfiguration
import PluginHost
import QueryPlan
import StateStore
import Storage
import Synchronization

/// The plug-in "postgres".
package struct PostgresStoragePlugin: EnginePlugin {
    package let name = "postgres"
    package init() {}

    package var storageKeys: [ConfigurationKey] { PostgresOptions.keys }

    package func makeStorageBackend(_ section: ConfigurationSection) throws -> (any StorageBackend)? {
        PostgresBackend(try PostgresOptions(section))
    }

    package func makeStateStore(_ section: ConfigurationSection) throws -> (any StateStore)? {
        try PostgresStateStore(dsn: section["dsn"] ?? "")
    }
}

/// A database. Connections are opened when they are first needed: a server that is down makes no other catalogue wait.
package final class PostgresBackend: StorageBackend {
    let options: PostgresOptions
    package let pool: ConnectionPool

    package init(_ options: PostgresOptions) {
        self.options = options
        pool = ConnectionPool(options)
    }

    deinit { pool.close() }

    // MARK: Names

    package func schemaNames() async throws -> [String] {
        try await query(
            """
            SELECT nspname FROM pg_catalog.pg_namespace
            WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' ORDER BY nspname COLLATE "C"
            """
        ).compactMap { $0[0] }
    }

    package func tableNames(schema: String) async throws -> [String] {
        try await query(
            """
            SELECT relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY relname COLLATE "C"
            """, [schema]
        ).compactMap { $0[0] }
    }

    package func table(schema: String, name: String) async throws -> (any TableProvider)? {
        // The server's own relations are the engine's.
        if Catalog.systemSchemas.contains(schema) { return nil }
        let view = StatementView.current(self)
        if let known = view?.table(schema, name) { return known }
        let found = try await pool.withConnection { try TableDescription.load($0, schema: schema, name: name) }
        guard let found else { return nil }
        let table = PostgresTable(self, found)
        view?.keep(table)
        return table
    }

    // MARK: DDL

    package func createTable(schema: String, name: String, columns: [Field]) async throws {
        try await createTable(schema: schema, name: name, definition: TableDefinition(Schema(columns)))
    }

    package func createTable(schema: String, name: String, definition: TableDefinition) async throws {
        let text = try DefinitionText.createTable(catalog: options.name, schema: schema, name: name, definition)
        try await change(text)
    }

    package func dropTable(schema: String, name: String) async throws {
        guard let table = try await table(schema: schema, name: name) as? PostgresTable else {
            throw QueryError(.undefinedTable, "table \"\(name)\" does not exist", object: name)
        }
        try await change("DROP \(table.description.kind.dropName) \(SQLText.name(schema, name))")
    }

    package func createSchema(_ name: String) async throws { try await change("CREATE SCHEMA \(SQLText.name(name))") }
    package func dropSchema(_ name: String) async throws { try await change("DROP SCHEMA \(SQLText.name(name))") }

    // MARK: Tools

    func query(_ text: String, _ parameters: [String?] = []) async throws -> [[String?]] {
        try await pool.withConnection { try $0.rows(text, parameters) }
    }

    private func change(_ text: String) async throws {
        try options.checkWritable()
        try await pool.withConnection { try $0.run(text) }
        StatementView.current(self)?.forget()
    }
}
