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
        try await prepared.create(name, definition) {
            try await prepareTable(schema: schema, name: name, definition: definition)
        }
    }

    package func prepareTable(schema: String, name: String, definition: TableDefinition) async throws {
        let root = try writableRoot(schema)
        let fields = try FileTableDefinition.fields(definition)
        try FileTableDefinition.checkName(name)
        guard try await table(schema: schema, name: name) == nil else { throw PreparedFileTables.taken(name) }
        let directory = root.appending(name + "/")
        let made = PreparedFileTable(schema: Schema(fields)) { [self] in
            let commitment = ObjectTableCommit(try opened().tables, table: directory, name: name, isNew: true)
            return S3TableWriter(
                try TableFileWriter(commitment, fields: fields) { [prepared] in if $0 { prepared.remove(name) } })
        }
        try prepared.add(made, name)
    }

    /// The version that says so is the drop; the files go after it, and what stays of them is never read.
    package func dropTable(schema: String, name: String) async throws {
        if prepared.remove(name) { return }
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
