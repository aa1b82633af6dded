// CommandStatementIngest: rows of Arrow become rows of a table that is there or made for them.

import Columnar
import Coordination
import Diagnostics
import FileFormats

extension FlightSQLService {
    /// The number of rows that were added. Drivers name no transaction here, so it is the session's.
    func ingest(_ command: IngestCommand, _ stream: PutStream, _ session: FlightSession) async throws -> Int64 {
        if command.transaction != nil { try checkTransaction(command.transaction, session) }
        guard !command.table.isEmpty else {
            throw QueryError(.invalidParameterValue, "the command names no table")
        }
        if let catalog = command.catalog, !catalog.isEmpty, catalog != session.session.database {
            throw QueryError.notSupported("rows for catalog \"\(catalog)\"", hint: "Name the catalogue as the schema.")
        }
        guard let fields = try await stream.fields() else {
            throw QueryError(.protocolViolation, "the rows came without their schema")
        }
        guard !fields.isEmpty else { throw QueryError.notSupported("rows without columns") }
        let definition = IngestTable(command, fields)
        return try await session.exclusively {
            try await self.atomically(session, isNeeded: true) {
                for statement in try await definition.preparation(session) { _ = try await session.run(statement) }
                let channel = IngestChannel(stream, settings: session.exactTextSettings)
                return try await session.run(definition.copyStatement, copyData: channel)
            }
        }
    }
}

/// The table of an ingestion, and the statements that make it.
private struct IngestTable {
    let command: IngestCommand
    let fields: [Field]

    init(_ command: IngestCommand, _ fields: [Field]) {
        self.command = command
        self.fields = fields
    }

    private static func quoted(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    private var name: String {
        let schema = command.isTemporary ? nil : command.schema.flatMap { $0.isEmpty ? nil : $0 }
        return (schema.map { Self.quoted($0) + "." } ?? "") + Self.quoted(command.table)
    }

    var copyStatement: String {
        "COPY \(name) (\(fields.map { Self.quoted($0.name) }.joined(separator: ", "))) FROM STDIN"
    }

    private var createStatement: String {
        let columns = fields.map { "\(Self.quoted($0.name)) \($0.type.sqlName)" }.joined(separator: ", ")
        return "CREATE \(command.isTemporary ? "TEMPORARY " : "")TABLE \(name) (\(columns))"
    }

    /// Statements to run first.
    func preparation(_ session: FlightSession) async throws -> [String] {
        let exists = try await isThere(session)
        if exists {
            switch command.ifThere {
            case .append: return []
            case .replace: return ["DROP TABLE \(name)", createStatement]
            case .fail, .unspecified:
                throw QueryError(
                    .duplicateTable, "relation \"\(command.table)\" already exists", object: command.table)
            }
        }
        guard command.ifMissing == .create else {
            throw QueryError(.undefinedTable, "relation \"\(command.table)\" does not exist", object: command.table)
        }
        return [createStatement]
    }

    private func isThere(_ session: FlightSession) async throws -> Bool {
        let prepared = try await session.session.prepare("SELECT to_regclass($1::text) IS NOT NULL")
        let result = try await session.session.execute(prepared, parameters: [.bytes(Array(name.utf8))])
        let batches = try await result.collect()
        return batches.first.map { $0.column(0).value(at: 0) == .boolean(true) } ?? false
    }
}

/// Gives the rows of a DoPut to COPY, as its lines. Used by the task of the call only.
private final class IngestChannel: CopyChannel, @unchecked Sendable {
    private let stream: PutStream
    private let settings: TextSettings
    private var batch: Batch?
    private var row = 0
    private static let pieceByteCount = 256 << 10

    init(_ stream: PutStream, settings: TextSettings) {
        self.stream = stream
        self.settings = settings
    }

    func beginInput(columnCount: Int) async throws {}

    func next() async throws -> [UInt8]? {
        if batch == nil {
            batch = try await stream.next()
            row = 0
        }
        guard let batch else { return nil }
        var piece: [UInt8] = []
        piece.reserveCapacity(Self.pieceByteCount + 4096)
        var text: [UInt8] = []
        while row < batch.rowCount, piece.count < Self.pieceByteCount {
            for index in 0..<batch.columnCount {
                if index > 0 { piece.append(UInt8(ascii: "\t")) }
                let vector = batch.columns[index]
                if vector.isNull(row) {
                    piece.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "N")])
                } else {
                    text.removeAll(keepingCapacity: true)
                    TextFormat.append(vector, row: row, settings: settings, into: &text)
                    Self.escape(text, into: &piece)
                }
            }
            piece.append(UInt8(ascii: "\n"))
            row += 1
        }
        if row == batch.rowCount { self.batch = nil }
        return piece
    }

    private static func escape(_ text: [UInt8], into piece: inout [UInt8]) {
        for byte in text {
            switch byte {
            case UInt8(ascii: "\\"): piece.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "\\")])
            case UInt8(ascii: "\n"): piece.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "n")])
            case UInt8(ascii: "\r"): piece.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "r")])
            case UInt8(ascii: "\t"): piece.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "t")])
            default: piece.append(byte)
            }
        }
    }
}
