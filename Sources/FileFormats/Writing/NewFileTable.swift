// Tables of files that CREATE TABLE makes, wherever the files lie: what they may be, and the time before they are there.

import Columnar
import Diagnostics
import Storage
import Synchronization

/// What a definition becomes when files hold the table.
package enum FileTableDefinition {
    /// The columns of a table that a query fills: character types become text, the only one that files have.
    package static func fields(_ definition: TableDefinition) throws -> [Field] {
        guard definition.isPlain else {
            throw QueryError.notSupported("defaults and constraints of tables in this catalogue")
        }
        return definition.schema.fields.map { field in
            var field = field.ofFile
            if field.type.isString { field.type = .text }
            return field
        }
    }

    /// Refuses types that a statement names and files do not keep.
    package static func checkDeclaredTypes(_ definition: TableDefinition) throws {
        for field in definition.schema.fields {
            switch field.type {
            case .char, .varchar(length: _?):
                throw QueryError.notSupported(
                    "a column of type \(field.type.sqlName) in a table of files",
                    hint: "Use text: files keep no length.")
            default: break
            }
        }
    }

    /// Refuses names that could not be found again, or would be passed over.
    package static func checkName(_ name: String) throws {
        guard !name.isEmpty, name == name.lowercased(), !name.contains("/"), !name.hasPrefix("."), !name.hasPrefix("_"),
            name.utf8.count <= 200
        else {
            throw QueryError(
                SQLState("42602"), "\"\(name)\" cannot be the name of a table of files",
                hint: "Use lower case letters, digits and underscores.", object: name)
        }
    }
}

extension Field {
    /// Files of one table may be written by anyone: their columns may have nulls.
    package var ofFile: Field {
        var result = self
        result.isNullable = true
        result.modifier = nil
        return result
    }
}

/// A table that only the statement which makes it knows.
package final class PreparedFileTable: TableProvider {
    package let schema: Schema
    private let writer: @Sendable () throws -> any TableWriter
    /// The statement's transaction.
    private let owner = StorageScope.current?.transaction.id

    package init(schema: Schema, writer: @escaping @Sendable () throws -> any TableWriter) {
        self.schema = schema
        self.writer = writer
    }

    /// Whether the running statement is the one that makes it.
    fileprivate var isVisible: Bool { StorageScope.current?.transaction.id == owner }

    package func splits(for request: ScanRequest) async throws -> [Split] { [] }
    package func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        throw QueryError.internalError("a table is read before it is there")
    }
    package func makeWriter() async throws -> any TableWriter { try writer() }
}

/// Tables that CREATE TABLE AS has announced and not yet filled, by name.
package final class PreparedFileTables: Sendable {
    private let tables = Mutex<[String: PreparedFileTable]>([:])

    package init() {}

    package static func taken(_ name: String) -> QueryError {
        QueryError(.duplicateTable, "relation \"\(name)\" already exists", object: name)
    }

    package func contains(_ name: String) -> Bool { tables.withLock { $0[name] != nil } }

    /// The table if the running statement makes it.
    package func visible(_ name: String) -> PreparedFileTable? {
        let table = tables.withLock { $0[name] }
        return table?.isVisible == true ? table : nil
    }

    package func add(_ table: PreparedFileTable, _ name: String) throws {
        try tables.withLock { tables in
            guard tables[name] == nil else { throw Self.taken(name) }
            tables[name] = table
        }
    }

    @discardableResult
    package func remove(_ name: String) -> Bool { tables.withLock { $0.removeValue(forKey: name) != nil } }

    /// CREATE TABLE without rows: a table is prepared, a file without rows says what its columns are.
    package func create(_ name: String, _ definition: TableDefinition, prepare: () async throws -> Void) async throws {
        try FileTableDefinition.checkDeclaredTypes(definition)
        try await prepare()
        defer { remove(name) }
        guard let table = tables.withLock({ $0[name] }) else {
            throw QueryError.internalError("a prepared table is gone")
        }
        try await table.makeWriter().finish()
    }
}
