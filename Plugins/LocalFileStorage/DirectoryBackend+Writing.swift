// Tables of a directory that are made, filled and dropped. Each statement's rows are one Parquet file, which comes into its
// place by one rename: a reader sees all of them or none, and what a process that was killed leaves is never listed.

import Columnar
import Diagnostics
import FileFormats
import Glibc
import Storage
import Synchronization

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
        return try TableFileWriter(AppendedFileCommit(target: target), fields: schema.fields.map(\.ofFile)) {
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

    package func createTable(schema: String, name: String, columns: [Field]) async throws {
        try await createTable(schema: schema, name: name, definition: TableDefinition(Schema(columns)))
    }

    package func createTable(schema: String, name: String, definition: TableDefinition) async throws {
        try await prepared.create(name, definition) {
            try await prepareTable(schema: schema, name: name, definition: definition)
        }
    }

    package func prepareTable(schema: String, name: String, definition: TableDefinition) async throws {
        try checkWritable(schema)
        let fields = try FileTableDefinition.fields(definition)
        try FileTableDefinition.checkName(name)
        guard try sources(of: name)[name] == nil, !prepared.contains(name) else { throw PreparedFileTables.taken(name) }
        let path = directory + "/" + name
        let table = PreparedFileTable(schema: Schema(fields)) { [prepared] in
            try TableFileWriter(NewDirectoryCommit(path: path), fields: fields) { if $0 { prepared.remove(name) } }
        }
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
