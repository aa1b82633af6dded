// COPY with the client: its data go as rows of one column of bytes, in both directions.

import Columnar
import Coordination
import Diagnostics
import Frontends

/// The rows of COPY TO STDOUT as pieces of its data.
struct CopyPieces: Sendable {
    static let field = Field(name: "copy_data", type: .bytea, isNullable: false)

    let writer: CopyWriter
    let settings: TextSettings

    /// The header's line, if the format has one.
    func first() throws -> Batch? { try writer.headerLine().map { Self.batch($0) } }

    func piece(_ batch: Batch) throws -> Batch { Self.batch(try writer.lines(of: batch, settings: settings)) }

    static func batch(_ bytes: [UInt8]) -> Batch { Batch.rows([[.bytes(bytes)]], types: [field.type]) }
}

/// Gives the rows of a DoPut to COPY FROM STDIN as they are. Used by the task of the call only.
final class CopyDataChannel: CopyChannel, @unchecked Sendable {
    private let stream: PutStream

    init(_ stream: PutStream) { self.stream = stream }

    func beginInput(columnCount: Int) async throws {
        // Nobody waits for data that other statements have no use for.
        guard let fields = try await stream.fields() else { throw CopyInput.missing }
        guard fields.count == 1, fields[0].type == .bytea || fields[0].type.isString else {
            throw QueryError(
                .badCopyFileFormat, "the data of COPY are rows of one column of bytes",
                hint: "To add rows with columns to a table, ingest them.")
        }
    }

    func next() async throws -> [UInt8]? {
        guard let batch = try await stream.next() else { return nil }
        var bytes: [UInt8] = []
        let vector = batch.columns[0]
        for row in 0..<batch.rowCount {
            guard case .bytes(let piece) = vector.value(at: row) else {
                throw QueryError(.badCopyFileFormat, "a row of the data of COPY is NULL")
            }
            bytes += piece
        }
        return bytes
    }
}
