// Batches as the messages that carry rows: DataRow and CopyData. Columns are rendered one after the other, then rows are put
// together from them.

import Columnar
import Coordination

/// Encodes batches of one result after the other. Confined to the connection's task, so that its memory is used again.
final class RowEncoder {
    private var columns: [RenderedColumn] = []
    /// What the client has text in; `nil`: UTF-8.
    var encoding: ClientEncoding?

    /// Bytes of one piece, unless a single row has more.
    private static let pieceByteCount = 256 << 10

    private func rendered(
        _ batch: Batch, _ render: (RenderedColumn, Int, Vector) throws -> Void
    ) rethrows -> ArraySlice<RenderedColumn> {
        while columns.count < batch.columns.count { columns.append(RenderedColumn()) }
        for index in batch.columns.indices { try render(columns[index], index, batch.column(index)) }
        return columns[..<batch.columns.count]
    }

    // MARK: - DataRow

    /// DataRow messages of a batch, in pieces. `isBinary` has an element for each column.
    func dataRows(
        _ batch: Batch, isBinary: [Bool], settings: TextSettings, _ send: ([UInt8]) async throws -> Void
    ) async throws {
        let rowCount = batch.rowCount
        let columns = try rendered(batch) { column, index, vector in
            if isBinary[index] {
                try PostgresType.renderBinary(vector, rowCount: rowCount, encoding: encoding, into: column)
            } else {
                column.renderText(vector, rowCount: rowCount, settings: settings)
                if let encoding, !RenderedColumn.hasPlainText(vector.type) {
                    try column.recode(to: encoding, rowCount: rowCount)
                }
            }
        }
        try await sendInPieces(
            rowCount, columns, byteCount: Self.byteCount, write: { Self.dataRows(columns, $0, byteCount: $1) }, send)
    }

    /// Sends rows in pieces of about the same size. `byteCount` says what a row takes, `write` makes the bytes of several.
    private func sendInPieces(
        _ rowCount: Int, _ columns: ArraySlice<RenderedColumn>, byteCount: (ArraySlice<RenderedColumn>, Int) -> Int,
        write: (Range<Int>, Int) -> [UInt8], _ send: ([UInt8]) async throws -> Void
    ) async throws {
        var next = 0
        while next < rowCount {
            let first = next
            var size = 0
            while next < rowCount, next == first || size < Self.pieceByteCount {
                size += byteCount(columns, next)
                next += 1
            }
            try await send(write(first..<next, size))
        }
    }

    /// Type, length, number of columns, and the length of each.
    private static func byteCount(_ columns: ArraySlice<RenderedColumn>, _ row: Int) -> Int {
        var total = 7 + 4 * columns.count
        for column in columns { total += max(0, Int(column.counts[row])) }
        return total
    }

    private static func dataRows(_ columns: ArraySlice<RenderedColumn>, _ rows: Range<Int>, byteCount: Int) -> [UInt8] {
        Array(unsafeUninitializedCapacity: byteCount) { buffer, initializedCount in
            initializedCount = byteCount
            guard let base = buffer.baseAddress else { return }
            var at = UnsafeMutableRawPointer(base)
            for row in rows {
                let start = at
                at.storeBytes(of: UInt8(ascii: "D"), as: UInt8.self)
                (at + 5).storeBytes(of: Int16(truncatingIfNeeded: columns.count).bigEndian, as: Int16.self)
                at += 7
                for column in columns {
                    let count = column.counts[row]
                    at.storeBytes(of: count.bigEndian, as: Int32.self)
                    at += 4
                    guard count > 0 else { continue }
                    at.copyMemory(from: column.starts[row], byteCount: Int(count))
                    at += Int(count)
                }
                (start + 1).storeBytes(of: Int32(truncatingIfNeeded: at - start - 1).bigEndian, as: Int32.self)
            }
        }
    }

    // MARK: - CopyData

    /// CopyData messages of a batch, one for each row, in pieces.
    func copyData(
        _ batch: Batch, _ copy: CopyWriter, settings: TextSettings, _ send: ([UInt8]) async throws -> Void
    ) async throws {
        let rowCount = batch.rowCount
        let columns = try rendered(batch) { column, index, vector in
            column.renderText(vector, rowCount: rowCount, settings: settings)
            try copy.prepare(column, index: index, type: vector.type, rowCount: rowCount)
        }
        let delimiter = copy.lines.delimiter
        try await sendInPieces(
            rowCount, columns, byteCount: Self.lineByteCount,
            write: { Self.lines(columns, $0, delimiter: delimiter, byteCount: $1) }, send)
    }

    /// Type, length, values, and a byte behind each.
    private static func lineByteCount(_ columns: ArraySlice<RenderedColumn>, _ row: Int) -> Int {
        var total = 5 + max(1, columns.count)
        for column in columns { total += Int(column.counts[row]) }
        return total
    }

    private static func lines(
        _ columns: ArraySlice<RenderedColumn>, _ rows: Range<Int>, delimiter: UInt8, byteCount: Int
    ) -> [UInt8] {
        Array(unsafeUninitializedCapacity: byteCount) { buffer, initializedCount in
            initializedCount = byteCount
            guard let base = buffer.baseAddress else { return }
            var at = UnsafeMutableRawPointer(base)
            for row in rows {
                let start = at
                at.storeBytes(of: UInt8(ascii: "d"), as: UInt8.self)
                at += 5
                for column in columns {
                    let count = Int(column.counts[row])
                    if count > 0 { at.copyMemory(from: column.starts[row], byteCount: count) }
                    at.storeBytes(of: delimiter, toByteOffset: count, as: UInt8.self)
                    at += count + 1
                }
                // The line's end takes the place of its last delimiter.
                if columns.isEmpty { at += 1 }
                (at - 1).storeBytes(of: 10, as: UInt8.self)
                (start + 1).storeBytes(of: Int32(truncatingIfNeeded: at - start - 1).bigEndian, as: Int32.self)
            }
        }
    }
}
