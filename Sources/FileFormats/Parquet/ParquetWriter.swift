// Writes rows as a Parquet file: row groups of dictionary or plain pages, with statistics.

import Columnar
import Diagnostics
import Storage

/// Writes one file; it appears when `commit` is called. Options: `compression` (snappy, zstd, none), `row_group_size`.
package final class ParquetWriter: TableWriter {
    private static let magic: [UInt8] = Array("PAR1".utf8)

    private let file: OutputFile
    private let fields: [Field]
    private let codec: CompressionCodec
    /// Settled when the first rows are written.
    private var columns: [ColumnChunkWriter] = []
    private let rowGroupRowCount: Int
    private var pending: [[Vector]]
    private var pendingRowCount = 0
    private var groups: [(rowCount: Int, chunks: [WrittenChunk])] = []
    private var rowCount = 0

    package init(path: String, options: [String: String], columns fields: [Field]) throws {
        var codec = CompressionCodec.snappy
        var rows = 122_880
        for (key, value) in options {
            switch key {
            case "format": break
            case "compression", "codec":
                switch value.lowercased() {
                case "snappy": codec = .snappy
                case "zstd": codec = .zstd
                case "none", "uncompressed": codec = .uncompressed
                default: throw QueryError.notSupported("writing Parquet files with the compression \"\(value)\"")
                }
            case "row_group_size":
                guard let count = Int(value), (1...16_777_216).contains(count) else {
                    throw QueryError(
                        .invalidParameterValue, "invalid value for option \"row_group_size\": \"\(value)\"", object: key
                    )
                }
                rows = count
            default: throw QueryError(.syntaxError, "option \"\(key)\" not recognized", object: key)
            }
        }
        guard !fields.isEmpty else { throw QueryError.notSupported("writing a Parquet file without columns") }
        rowGroupRowCount = rows
        self.fields = fields
        self.codec = codec
        for field in fields where !field.type.isNumericBlob { _ = try ParquetColumnType(field) }
        pending = fields.map { _ in [] }
        file = try OutputFile(path: path)
        try file.append(ParquetWriter.magic)
    }

    package func write(_ batch: Batch) throws {
        var start = 0
        while start < batch.rowCount {
            let count = min(batch.rowCount - start, rowGroupRowCount - pendingRowCount)
            let part = batch.slice(start, count)
            for index in fields.indices {
                let column = part.column(index)
                guard column.physical == fields[index].type.physical else {
                    throw QueryError.internalError(
                        "a column of type \(column.type.sqlName) for \(fields[index].type.sqlName)")
                }
                pending[index].append(column)
            }
            pendingRowCount += count
            start += count
            if pendingRowCount == rowGroupRowCount { try flush() }
        }
    }

    private func flush() throws {
        guard pendingRowCount > 0 else { return }
        var chunks: [WrittenChunk] = []
        try settleColumns()
        for index in columns.indices {
            if fields[index].type.isNumericBlob {
                pending[index] = try NumericColumn.decimals(pending[index], as: columns[index].field)
            }
            chunks.append(try columns[index].write(pending[index], to: file))
            pending[index] = []
        }
        groups.append((pendingRowCount, chunks))
        rowCount += pendingRowCount
        pendingRowCount = 0
    }

    /// Decides how columns are written: those of type numeric by the values of the first row group.
    private func settleColumns() throws {
        if !columns.isEmpty { return }
        columns = try zip(fields, pending).map { field, vectors in
            var field = field
            if field.type.isNumericBlob { field.type = try NumericColumn.decimalType(of: vectors, named: field.name) }
            return ColumnChunkWriter(field: field, type: try ParquetColumnType(field), codec: codec)
        }
    }

    package func commit() throws {
        try flush()
        try settleColumns()
        let footer = footer()
        try file.append(footer)
        var length: [UInt8] = []
        ColumnChunkWriter.append(UInt32(footer.count), to: &length)
        try file.append(length + ParquetWriter.magic)
        try file.commit()
    }

    package func abort() { file.abort() }

    // MARK: Footer

    private func footer() -> [UInt8] {
        var writer = ThriftWriter()
        writer.element { footer in
            footer.int32(1, 2)
            // The root, then the columns.
            footer.structures(2, [nil] + columns.map(Optional.some)) { element, column in
                guard let column else {
                    element.string(4, "schema")
                    element.int32(5, columns.count)
                    return
                }
                ParquetWriter.schemaElement(&element, column)
            }
            footer.int64(3, rowCount)
            footer.structures(4, groups) { group, written in
                group.structures(1, Array(zip(columns, written.chunks))) { chunk, part in
                    chunk.int64(2, 0)
                    chunk.structure(3) { ParquetWriter.columnMetadata(&$0, part.0, part.1) }
                }
                group.int64(2, written.chunks.reduce(0) { $0 + $1.uncompressedByteCount })
                group.int64(3, written.rowCount)
            }
            footer.string(6, "martlet")
            // Bounds are ordered as the types are.
            footer.structures(7, columns) { order, _ in order.structure(1) { _ in } }
        }
        return writer.bytes
    }

    private static func schemaElement(_ element: inout ThriftWriter, _ column: ColumnChunkWriter) {
        let type = column.field.type
        element.int32(1, column.type.physical.rawValue)
        if column.type.typeLength > 0 { element.int32(2, column.type.typeLength) }
        element.int32(3, column.field.isNullable ? 1 : 0)
        element.string(4, column.field.name)
        let converted: Int? =
            switch type {
            case .unknown, .text, .varchar, .char, .name, .internalChar: 0
            case .decimal: 5
            case .date: 6
            case .time: 8
            case .timestampTZ: 10
            case .int8, .int16: 16
            case .json, .jsonb: 19
            default: nil
            }
        if let converted { element.int32(6, converted) }
        if case .decimal(let precision, let scale) = type {
            element.int32(7, scale)
            element.int32(8, precision)
        }
        /// A time unit: microseconds.
        func microseconds(_ writer: inout ThriftWriter, isUTC: Bool) {
            writer.boolean(1, isUTC)
            writer.structure(2) { $0.structure(2) { _ in } }
        }
        switch type {
        case .unknown, .text, .varchar, .char, .name, .internalChar: element.structure(10) { $0.structure(1) { _ in } }
        case .decimal(let precision, let scale):
            element.structure(10) {
                $0.structure(5) {
                    $0.int32(1, scale)
                    $0.int32(2, precision)
                }
            }
        case .date: element.structure(10) { $0.structure(6) { _ in } }
        case .time: element.structure(10) { $0.structure(7) { microseconds(&$0, isUTC: false) } }
        case .timestamp: element.structure(10) { $0.structure(8) { microseconds(&$0, isUTC: false) } }
        case .timestampTZ: element.structure(10) { $0.structure(8) { microseconds(&$0, isUTC: true) } }
        case .int8, .int16:
            element.structure(10) {
                $0.structure(10) {
                    $0.int8(1, 16)
                    $0.boolean(2, true)
                }
            }
        case .json, .jsonb: element.structure(10) { $0.structure(12) { _ in } }
        case .uuid: element.structure(10) { $0.structure(14) { _ in } }
        default: break
        }
    }

    private static func columnMetadata(
        _ writer: inout ThriftWriter, _ column: ColumnChunkWriter, _ chunk: WrittenChunk
    ) {
        let encoding = chunk.isDictionary ? ParquetEncoding.rleDictionary : .plain
        writer.int32(1, column.type.physical.rawValue)
        writer.integers(
            2,
            chunk.isDictionary
                ? [ParquetEncoding.plain, .rle, .rleDictionary].map(\.rawValue)
                : [ParquetEncoding.plain, .rle].map(\.rawValue))
        writer.strings(3, [column.field.name])
        writer.int32(4, column.codec.rawValue)
        writer.int64(5, chunk.valueCount)
        writer.int64(6, chunk.uncompressedByteCount)
        writer.int64(7, chunk.compressedByteCount)
        writer.int64(9, chunk.dataOffset)
        if let offset = chunk.dictionaryOffset { writer.int64(11, offset) }
        writer.structure(12) {
            $0.int64(3, chunk.nullCount)
            if let maximum = chunk.maximum { $0.binary(5, maximum) }
            if let minimum = chunk.minimum { $0.binary(6, minimum) }
        }
        writer.structures(13, [encoding]) { statistics, encoding in
            statistics.int32(1, PageHeader.Kind.data.rawValue)
            statistics.int32(2, encoding.rawValue)
            statistics.int32(3, chunk.dataPageCount)
        }
    }
}
