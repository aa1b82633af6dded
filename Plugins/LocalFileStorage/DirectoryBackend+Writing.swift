// Tables of a directory that are made, filled and dropped. Each statement's rows are one Parquet file, which comes into its
// place by one rename: a reader sees all of them or none, and what a process that was killed leaves is never listed.

import Columnar
import Diagnostics
import FileFormats
import Glibc
import Storage
import Synchronization

/// Tables that CREATE TABLE AS has announced and not yet filled, by name.
final class PreparedTables: Sendable {
    private let tables = Mutex<[String: PreparedTable]>([:])

    subscript(name: String) -> PreparedTable? { tables.withLock { $0[name] } }

    func add(_ table: PreparedTable, _ name: String) throws {
        try tables.withLock { tables in
            guard tables[name] == nil else {
                throw QueryError(.duplicateTable, "relation \"\(name)\" already exists", object: name)
            }
            tables[name] = table
        }
    }

    @discardableResult
    func remove(_ name: String) -> Bool { tables.withLock { $0.removeValue(forKey: name) != nil } }
}

/// A table that only the statement which makes it knows.
final class PreparedTable: TableProvider {
    let schema: Schema
    private let path: String
    private let onEnd: @Sendable () -> Void
    /// The statement's transaction.
    private let owner = StorageScope.current?.transaction.id

    /// Whether the running statement is the one that makes it.
    var isVisible: Bool { StorageScope.current?.transaction.id == owner }

    init(schema: Schema, path: String, onEnd: @escaping @Sendable () -> Void) {
        self.schema = schema
        self.path = path
        self.onEnd = onEnd
    }

    func splits(for request: ScanRequest) async throws -> [Split] { [] }
    func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        throw QueryError.internalError("a table is read before it is there")
    }
    func makeWriter() async throws -> any TableWriter {
        try TableFileWriter(NewDirectoryCommit(path: path), fields: schema.fields) { [onEnd] in
            if $0 { onEnd() }
        }
    }
}

extension Field {
    /// Files of one table may be written by anyone: their columns may have nulls.
    fileprivate var nullable: Field {
        var result = self
        result.isNullable = true
        result.modifier = nil
        return result
    }
}

/// A table of files to which rows can be added.
final class AppendableTable: TableProvider {
    private let table: any TableProvider
    private let makeTarget: @Sendable () throws -> String
    private let turnOff: @Sendable () -> Void

    init(
        _ table: any TableProvider, makeTarget: @escaping @Sendable () throws -> String,
        turnOff: @escaping @Sendable () -> Void
    ) {
        self.table = table
        self.makeTarget = makeTarget
        self.turnOff = turnOff
    }

    var schema: Schema { table.schema }
    var definition: TableDefinition { table.definition }
    var allowsSampling: Bool { table.allowsSampling }
    func statistics() async throws -> TableStatistics { try await table.statistics() }
    func splits(for request: ScanRequest) async throws -> [Split] { try await table.splits(for: request) }
    func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        try table.makeReader(for: split, request: request, context: context)
    }
    func makeWriter() async throws -> any TableWriter {
        let target = try makeTarget()
        return try TableFileWriter(AppendedFileCommit(target: target), fields: schema.fields.map(\.nullable)) {
            [turnOff] isCommitted in if isCommitted { turnOff() }
        }
    }
}

extension DirectoryBackend {
    private func checkWritable(_ schema: String) throws {
        guard schema == DirectoryBackend.schema else {
            throw QueryError(.invalidSchemaName, "schema \"\(schema)\" does not exist", object: schema)
        }
        guard isWritable else {
            throw QueryError(
                .insufficientPrivilege, "tables of the directory \"\(directory)\" are not written here",
                hint:
                    "A catalogue with a directory is written with the key writable: true, the directory of --data on a "
                    + "server if it lies below server.file-roots.")
        }
    }

    /// Where a new table goes; throws if there is one.
    private func placeOfNewTable(_ name: String, _ definition: TableDefinition) async throws -> String {
        guard definition.isPlain else {
            throw QueryError.notSupported("defaults and constraints of tables in this catalogue")
        }
        guard !name.isEmpty, name == name.lowercased(), !name.contains("/"), !name.hasPrefix("."), !name.hasPrefix("_"),
            name.utf8.count <= 200
        else {
            throw QueryError(
                SQLState("42602"), "\"\(name)\" cannot be the name of a directory of files",
                hint: "Use lower case letters, digits and underscores.", object: name)
        }
        guard try sources(of: name)[name] == nil, prepared[name] == nil else {
            throw QueryError(.duplicateTable, "relation \"\(name)\" already exists", object: name)
        }
        return directory + "/" + name
    }

    package func createTable(schema: String, name: String, columns: [Field]) async throws {
        try await createTable(schema: schema, name: name, definition: TableDefinition(Schema(columns)))
    }

    package func createTable(schema: String, name: String, definition: TableDefinition) async throws {
        for field in definition.schema.fields {
            switch field.type {
            case .char, .varchar(length: _?):
                throw QueryError.notSupported(
                    "a column of type \(field.type.sqlName) in a table of files",
                    hint: "Use text: files keep no length.")
            default: break
            }
        }
        try await prepareTable(schema: schema, name: name, definition: definition)
        defer { prepared.remove(name) }
        guard let table = prepared[name] else { throw QueryError.internalError("a prepared table is gone") }
        // A file without rows says what the columns are.
        try await table.makeWriter().commit()
    }

    package func prepareTable(schema: String, name: String, definition: TableDefinition) async throws {
        try checkWritable(schema)
        let path = try await placeOfNewTable(name, definition)
        // Character types of the query become text, the only one that files have.
        let fields = definition.schema.fields.map { field in
            var field = field.nullable
            if field.type.isString { field.type = .text }
            return field
        }
        let table = PreparedTable(schema: Schema(fields), path: path) { [prepared] in prepared.remove(name) }
        try prepared.add(table, name)
    }

    /// A prepared table is forgotten. Others vanish by one rename, or with their only file.
    package func dropTable(schema: String, name: String) async throws {
        if prepared.remove(name) { return }
        try checkWritable(schema)
        guard let source = try sources(of: name)[name] else {
            throw QueryError(.undefinedTable, "table \"\(name)\" does not exist", object: name)
        }
        StatementTables.current(self)?.turnOff()
        let parents = Set(source.paths.map { String($0[..<($0.lastIndex(of: "/") ?? $0.startIndex)]) })
        if parents.count == 1, let parent = parents.first, parent != directory {
            let hidden = "\(directory)/.\(name).dropped-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
            guard rename(parent, hidden) == 0 else { throw LocalFile.error("could not remove directory", parent) }
            StagedDirectory.remove(hidden)
            return
        }
        guard source.paths.count == 1, let path = source.paths.first else {
            throw QueryError.notSupported("DROP TABLE of several files that are not in a directory of their own")
        }
        guard unlink(path) == 0 else { throw LocalFile.error("could not remove file", path) }
    }

    /// The table with a way to add rows, if it is made of Parquet files and may be written.
    func appendable(_ table: any TableProvider, _ name: String, _ source: Source) -> any TableProvider {
        guard isWritable, source.format == .parquet, let first = source.paths.first else { return table }
        return AppendableTable(table) { [directory] in
            let parent = String(first[..<(first.lastIndex(of: "/") ?? first.startIndex)])
            var now = timespec()
            clock_gettime(CLOCK_REALTIME, &now)
            // Digits only: files "name-…" of the directory itself belong together by that.
            let number =
                "\(Int(now.tv_sec) * 1_000_000 + Int(now.tv_nsec) / 1000)\(UInt32.random(in: 100_000...999_999))"
            return parent == directory ? "\(parent)/\(name)-\(number).parquet" : "\(parent)/data-\(number).parquet"
        } turnOff: { [self] in
            StatementTables.current(self)?.turnOff()
        }
    }
}
