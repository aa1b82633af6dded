// Tables of an object store: read as those of a directory, made, filled and dropped by versions.

import Columnar
import Diagnostics
import FileFormats
import QueryPlan
import Storage
import Synchronization

/// A table of files on a server: what waits for the server waits on other threads than the statement's.
final class S3Table: TableProvider {
    private let backend: S3Backend
    private let table: any TableProvider
    private let directory: ObjectPath?
    private let name: String

    /// - Parameter directory: the prefix of a table that has versions; others are not written.
    init(_ backend: S3Backend, _ table: any TableProvider, of directory: ObjectPath?, name: String) {
        self.backend = backend
        self.table = table
        self.directory = directory
        self.name = name
    }

    var schema: Schema { table.schema }
    var definition: TableDefinition { table.definition }
    var startsReadersEarly: Bool { true }

    func statistics() async throws -> TableStatistics {
        try await offloaded { [table] in try await table.statistics() }
    }

    func splits(for request: ScanRequest) async throws -> [Split] {
        try await offloaded { [table] in try await table.splits(for: request) }
    }

    func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        try table.makeReader(for: split, request: request, context: context)
    }

    func makeWriter() async throws -> any TableWriter {
        try backend.checkWritable()
        guard let directory else {
            throw QueryError.notSupported(
                "adding rows to \"\(name)\", whose files were not written as a table",
                hint: "Tables that CREATE TABLE has made in this catalog are written; COPY writes single files.")
        }
        StatementTables.current(backend)?.turnOff()
        let commitment = ObjectTableCommit(try backend.opened().tables, table: directory, name: name, isNew: false)
        return S3TableWriter(try TableFileWriter(commitment, fields: schema.fields.map(\.ofFile)))
    }
}

extension Field {
    /// Files of one table may be written by anyone: their columns may have nulls.
    fileprivate var ofFile: Field {
        var result = self
        result.isNullable = true
        result.modifier = nil
        return result
    }
}

/// Commits on a thread that may wait.
private final class S3TableWriter: PartitionedTableWriter {
    private let writer: TableFileWriter

    init(_ writer: TableFileWriter) { self.writer = writer }

    var acceptsParts: Bool { writer.acceptsParts }
    var heldByteCount: Int { writer.heldByteCount }
    func makePart() throws -> any TableWriterPart { try writer.makePart() }
    func write(_ batch: Batch) throws { try writer.write(batch) }
    func commit() throws { try writer.commit() }
    func abort() { writer.abort() }

    func finish() async throws {
        // The caller waits for the end and does nothing else with the writer.
        nonisolated(unsafe) let writer = self.writer
        try await offloaded { try writer.commit() }
    }
}

/// A table that only the statement which makes it knows.
final class PreparedObjectTable: TableProvider {
    let schema: Schema
    private let backend: S3Backend
    private let directory: ObjectPath
    private let name: String
    /// The statement's transaction.
    private let owner = StorageScope.current?.transaction.id

    var isVisible: Bool { StorageScope.current?.transaction.id == owner }

    init(_ backend: S3Backend, schema: Schema, directory: ObjectPath, name: String) {
        self.backend = backend
        self.schema = schema
        self.directory = directory
        self.name = name
    }

    func splits(for request: ScanRequest) async throws -> [Split] { [] }
    func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        throw QueryError.internalError("a table is read before it is there")
    }
    func makeWriter() async throws -> any TableWriter {
        let commitment = ObjectTableCommit(try backend.opened().tables, table: directory, name: name, isNew: true)
        return S3TableWriter(
            try TableFileWriter(commitment, fields: schema.fields) { [backend, name] isCommitted in
                if isCommitted { backend.prepared.withLock { _ = $0.removeValue(forKey: name) } }
            })
    }
}

extension S3Backend {
    func checkWritable() throws {
        guard try opened().options.isWritable else {
            throw QueryError(
                .insufficientPrivilege, "tables of this catalog are not written", hint: "Set its key writable to true.")
        }
    }

    /// The root, for statements that change tables.
    private func writableRoot(_ schema: String) throws -> ObjectPath {
        guard let root = try opened().options.root else {
            throw QueryError.notSupported(
                "tables in a catalogue of paths", hint: "A catalog of type s3 with the key root has tables.")
        }
        guard schema == S3Backend.schema else {
            throw QueryError(.invalidSchemaName, "schema \"\(schema)\" does not exist", object: schema)
        }
        try checkWritable()
        return root
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
        defer { prepared.withLock { _ = $0.removeValue(forKey: name) } }
        guard let table = prepared.withLock({ $0[name] }) else {
            throw QueryError.internalError("a prepared table is gone")
        }
        // A file without rows says what the columns are.
        try await table.makeWriter().finish()
    }

    package func prepareTable(schema: String, name: String, definition: TableDefinition) async throws {
        let root = try writableRoot(schema)
        guard definition.isPlain else {
            throw QueryError.notSupported("defaults and constraints of tables in this catalogue")
        }
        guard !name.isEmpty, name == name.lowercased(), !name.contains("/"), !name.hasPrefix("."), !name.hasPrefix("_"),
            name.utf8.count <= 200
        else {
            throw QueryError(
                SQLState("42602"), "\"\(name)\" cannot be the name of a table of files",
                hint: "Use lower case letters, digits and underscores.", object: name)
        }
        let taken = QueryError(.duplicateTable, "relation \"\(name)\" already exists", object: name)
        guard try await table(schema: schema, name: name) == nil else { throw taken }
        // Character types of the query become text, the only one that files have.
        let fields = definition.schema.fields.map { field in
            var field = field.ofFile
            if field.type.isString { field.type = .text }
            return field
        }
        let made = PreparedObjectTable(
            self, schema: Schema(fields), directory: root.appending(name + "/"), name: name)
        try prepared.withLock { tables in
            guard tables[name] == nil else { throw taken }
            tables[name] = made
        }
    }

    /// The version that says so is the drop; the files go after it, and what stays of them is never read.
    package func dropTable(schema: String, name: String) async throws {
        if prepared.withLock({ $0.removeValue(forKey: name) }) != nil { return }
        let root = try writableRoot(schema)
        StatementTables.current(self)?.turnOff()
        try await offloaded { [self] in
            let opened = try opened()
            guard let found = try S3Listing(opened).table(root, name) else {
                throw QueryError(.undefinedTable, "table \"\(name)\" does not exist", object: name)
            }
            guard let directory = found.manifested else {
                throw QueryError.notSupported("DROP TABLE of files that were not written as a table")
            }
            let removed = Mutex<[ObjectPath]>([])
            try opened.tables.commit(directory) { current in
                guard let current, !current.isDropped else {
                    throw QueryError(.undefinedTable, "table \"\(name)\" does not exist", object: name)
                }
                removed.withLock { $0 = current.entries.map { directory.appending($0.name) } }
                return (true, [])
            }
            try? opened.store.delete(removed.withLock { $0 })
        }
    }
}
