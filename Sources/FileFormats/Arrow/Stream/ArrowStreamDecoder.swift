// Messages of Arrow's stream format as batches: the schema first, dictionaries and record batches behind it.

import Columnar
import Diagnostics

/// Decodes the messages of one stream in their order. Confined to its stream.
package struct ArrowStreamDecoder {
    private var columns: [ArrowColumn]?
    private var dictionaries: [Int64: Vector] = [:]

    package init() {}

    /// Columns of the stream; `nil` before its schema has come.
    package var fields: [Field]? { columns?.map(\.field) }

    /// The columns with the numbers and modifiers that their SQL types have in PostgreSQL's catalogue, where the schema says
    /// them. Values of a type that Arrow has not are text.
    package var catalogTypes: [(field: Field, number: Int, modifier: Int)?]? {
        columns?.map { column in
            let parts = column.catalogType?.split(separator: ":") ?? []
            guard parts.count == 2, let number = Int(parts[0]), let modifier = Int(parts[1]) else { return nil }
            return (column.field, number, modifier)
        }
    }

    /// Takes a message: its flat buffer without a length in front, and its body. Returns the rows of a record batch.
    package mutating func decode(header bytes: [UInt8], body: [UInt8]) throws -> Batch? {
        do { return try decodeMessage(bytes, body) } catch var error as QueryError {
            // The messages of files are the same, and so are their faults.
            if error.state == .dataCorrupted { error.message = "the peer sent an invalid Arrow message" }
            throw error
        }
    }

    private mutating func decodeMessage(_ bytes: [UInt8], _ body: [UInt8]) throws -> Batch? {
        let message = try FlatTable(root: bytes)
        guard let header = try message.table(2) else { throw FlatTable.broken() }
        switch try message.integer(1, UInt8.self) {
        case 1:
            let decoded = try ArrowSchema.columns(header)
            if let unsupported = decoded.lazy.compactMap(\.unsupported).first {
                throw QueryError.notSupported(unsupported)
            }
            columns = decoded
            return nil
        case 2:
            try addDictionary(header, body)
            return nil
        case 3:
            guard let columns else { throw QueryError(.dataCorrupted, "rows before their schema") }
            return try rows(ArrowBatch(header, Self.block(body), ArrowBody(bytes: body)), columns)
        default: throw QueryError.notSupported("an Arrow message that is neither schema nor rows")
        }
    }

    private static func block(_ body: [UInt8]) -> ArrowFile.Block {
        ArrowFile.Block(offset: 0, metadataByteCount: 0, bodyByteCount: body.count)
    }

    private mutating func addDictionary(_ header: FlatTable, _ body: [UInt8]) throws {
        let number = try header.integer(0, Int64.self)
        guard try header.integer(2, UInt8.self) == 0 else {
            throw QueryError.notSupported("Arrow dictionaries that grow")
        }
        guard let data = try header.table(1), var column = columns?.first(where: { $0.dictionary == number }) else {
            throw QueryError(.dataCorrupted, "a dictionary of no column")
        }
        (column.dictionary, column.index, column.firstNode, column.firstBuffer) = (nil, nil, 0, 0)
        dictionaries[number] = try ArrowBatch(data, Self.block(body), ArrowBody(bytes: body)).vector(column)
    }

    private func rows(_ batch: ArrowBatch, _ columns: [ArrowColumn]) throws -> Batch {
        guard batch.rowCount <= ArrowStreamDecoder.rowCountMax else {
            throw QueryError(.programLimitExceeded, "a record batch of \(batch.rowCount) rows is too large")
        }
        let vectors = try columns.map { column in
            let dictionary = try column.dictionary.map { number in
                guard let found = dictionaries[number] else {
                    throw QueryError(.dataCorrupted, "a dictionary is missing")
                }
                return found
            }
            return try batch.vector(column, dictionary: dictionary)
        }
        return Batch(columns: vectors, rowCount: batch.rowCount)
    }

    /// A column of nulls has no bytes, so its number of rows must not be believed beyond this.
    private static let rowCountMax = 1 << 24
}

/// The body of a message.
private struct ArrowBody: ArrowBodySource {
    let bytes: [UInt8]

    func read(into target: UnsafeMutableRawPointer, count: Int, at offset: Int) throws {
        guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else {
            throw FlatTable.broken()
        }
        bytes.withUnsafeBytes { source in
            if count > 0, let start = source.baseAddress { target.copyMemory(from: start + offset, byteCount: count) }
        }
    }
}
