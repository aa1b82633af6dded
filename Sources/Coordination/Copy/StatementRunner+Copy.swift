// COPY: rows as text from the client or a file into a table, and from a query to the client.
//
// What is read goes into a table of its own first and from there, by INSERT, to where it belongs: defaults, generated
// columns, constraints and the condition of WHERE are those of every other statement, and an error anywhere leaves nothing.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLParser
import Storage

/// A client that can send and take the data of COPY.
package protocol CopyChannel: Sendable {
    /// Tells the client to send rows of that many columns, as text.
    func beginInput(columnCount: Int) async throws
    /// The next piece of data; `nil` when the client is done. Throws if the client gives up.
    func next() async throws -> [UInt8]?
}

extension StatementRunner {
    /// The binder has put the write on top of the plan for a file.
    func copyTo(
        _ plan: LogicalPlan, _ fields: [Field], _ target: CopyTarget, _ options: CopyOptions
    ) async throws -> StatementResult {
        if case .file = target { return StatementResult(tag: "COPY \(try await runWrite(plan))") }
        guard session.copyChannel != nil else {
            throw QueryError.notSupported("COPY TO STDOUT on this connection")
        }
        let format = try CopyFormat(options, isFrom: false, encoding: session.settings.clientEncoding)
        let writer = try CopyWriter(format, fields: fields)
        let execution = try await start(plan)
        return StatementResult(
            fields: fields, execution: execution, copyWriter: writer, objectNames: context.catalogFacts
        ) { "COPY \($0)" }
    }

    func copyFrom(
        _ table: TableName, _ columns: [Field], _ target: CopyTarget, _ options: CopyOptions, condition: String?
    ) async throws -> StatementResult {
        let names = columns.map { SyntaxPrinter.identifier($0.name) }.joined(separator: ", ")
        let into = Self.name(table) + (columns.isEmpty ? "" : " (\(names))")
        let filter = condition.map { " WHERE \($0)" } ?? ""
        if case .file(let path) = target, ["parquet", "json", "arrow"].contains(options.format) {
            let source = SyntaxPrinter.stringLiteral(path)
            // Members of JSON have names and no order.
            let values = options.format == "json" && !columns.isEmpty ? names : "*"
            return try await copied(
                "INSERT INTO \(into) OVERRIDING SYSTEM VALUE SELECT \(values) FROM \(source)\(filter)")
        }
        let parser = try CopyParser(
            CopyFormat(options, isFrom: true, encoding: session.settings.clientEncoding), table: table.table,
            columns: try await catalog.table(table).schema.fields.map(\.name), fields: columns,
            settings: context.textSettings)
        try await read(target, into: parser, columnCount: columns.count)
        let batches = try parser.finish()
        if columns.isEmpty {
            guard parser.rowCount > 0 else { return StatementResult(tag: "COPY 0") }
            let rows = "SELECT FROM generate_series(1, \(parser.rowCount))"
            return try await copied("INSERT INTO \(Self.name(table)) \(rows)")
        }
        let staging = try await stage(batches, columns)
        let result = try await copied(
            "INSERT INTO \(into) OVERRIDING SYSTEM VALUE SELECT \(names) FROM \(Self.name(staging)) AS "
                + "\(SyntaxPrinter.identifier(table.table))\(filter)")
        try await backend(staging.catalog).dropTable(schema: staging.schema, name: staging.table)
        return result
    }

    private func copied(_ sql: String) async throws -> StatementResult {
        let result = try await session.executeWithin(sql)
        let count = result.tag.split(separator: " ").last ?? "0"
        return StatementResult(tag: "COPY \(count)")
    }

    private func read(_ target: CopyTarget, into parser: CopyParser, columnCount: Int) async throws {
        switch target {
        case .client:
            guard let channel = session.copyChannel else {
                throw QueryError.notSupported("COPY FROM STDIN on this connection")
            }
            try await channel.beginInput(columnCount: columnCount)
            while let bytes = try await channel.next() { try parser.feed(bytes) }
        case .file(let path):
            let reader = try catalog.fileBackend(for: path, as: (any FileReadingBackend).self).backend
            let file = try reader.openFile(path: path)
            while let bytes = try file.next() {
                try Task.checkCancellation()
                try parser.feed(bytes)
            }
        }
    }

    /// Puts the rows into a table that lives as long as the statement.
    private func stage(_ batches: [Batch], _ columns: [Field]) async throws -> TableName {
        let name = TableName(
            catalog: catalog.defaultCatalog, schema: session.temporarySchema, table: "rows of COPY \(ids.next())")
        try await makeTemporarySchema(for: name)
        let target = try backend(name.catalog)
        var fields = columns
        for index in fields.indices {
            fields[index].isNullable = true
            // The values are as they were read; the statement that inserts them cuts them.
            fields[index].modifier = nil
        }
        try await target.createTable(schema: name.schema, name: name.table, columns: fields)
        let writer = try await catalog.table(name).makeWriter()
        for batch in batches { try writer.write(batch) }
        try writer.commit()
        return name
    }

    private static func name(_ name: TableName) -> String {
        [name.catalog, name.schema, name.table].map { SyntaxPrinter.identifier($0) }.joined(separator: ".")
    }
}
