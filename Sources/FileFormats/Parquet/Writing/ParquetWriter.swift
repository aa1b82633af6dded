// Writes rows as a Parquet file: row groups of dictionary and plain pages with checksums, statistics and the page index.
//
//   ParquetColumnType   how a type is written
//   ColumnStage         the values of a column until their row group is complete
//   ColumnChunkEncoder  pages
//   ParquetFooter       metadata
//
// Several threads may write: each fills row groups of its own, and the file takes them as they are complete.

import Columnar
import Diagnostics
import Storage
import Synchronization

/// Writes one file; it appears when `commit` is called. Options: `compression` (snappy, zstd, gzip, lz4_raw, none),
/// `compression_level`, `row_group_size` (rows), `row_group_size_bytes`.
package final class ParquetWriter: PartitionedTableWriter {
    private static let magic: [UInt8] = Array("PAR1".utf8)
    package static let optionNames: Set<String> = [
        "compression", "codec", "compression_level", "row_group_size", "row_group_size_bytes",
    ]

    private let output: ParquetOutput
    private var own: ParquetPart?

    package convenience init(
        path: String, options: [String: String], columns fields: [Field], in store: any FileStore = LocalFiles.shared
    ) throws {
        try self.init(options: options, columns: fields) { try store.makeFile(path: path) }
    }

    package init(options: [String: String], columns fields: [Field], open: () throws -> any FileSink) throws {
        var rows = 122_880
        var bytes = 128 << 20
        func positive(_ key: String, _ value: String, _ range: ClosedRange<Int>) throws -> Int {
            guard let count = Int(value), range.contains(count) else {
                throw QueryError(
                    .invalidParameterValue, "invalid value for option \"\(key)\": \"\(value)\"", object: key)
            }
            return count
        }
        for (key, value) in options where key != "format" {
            switch key {
            case "compression", "codec", "compression_level": break
            case "row_group_size": rows = try positive(key, value, 1...16_777_216)
            case "row_group_size_bytes": bytes = try positive(key, value, 1...(1 << 30))
            default: throw QueryError(.syntaxError, "option \"\(key)\" not recognized", object: key)
            }
        }
        let (codec, level) = try PageCompressor.choose(
            options["compression"] ?? options["codec"] ?? "snappy", level: options["compression_level"])
        guard !fields.isEmpty else { throw QueryError.notSupported("writing a Parquet file without columns") }
        var seen: Set<String> = []
        for field in fields where !seen.insert(field.name).inserted {
            throw QueryError(
                .duplicateColumn, "column \"\(field.name)\" appears twice in a Parquet file",
                hint: "Give the columns different names.", object: field.name)
        }
        for field in fields where !field.type.isNumericBlob { _ = try ParquetColumnType(field) }
        output = ParquetOutput(
            fields: fields, codec: codec, level: level, rowCountMax: rows, byteCountMax: bytes, file: try open())
        try output.begin(ParquetWriter.magic)
    }

    /// The scale of a numeric column is settled by the first rows, which should be the same ones whoever is faster.
    package var acceptsParts: Bool { !output.fields.contains { $0.type.isNumericBlob } }

    package func makePart() throws -> any TableWriterPart { ParquetPart(output) }

    package func write(_ batch: Batch) throws {
        let part = own ?? ParquetPart(output)
        own = part
        try part.write(batch)
    }

    package func commit() throws {
        try own?.finish()
        try output.commit(ParquetWriter.magic)
    }

    package func abort() { output.abort() }

    package var heldByteCount: Int { (own?.heldByteCount ?? 0) + output.heldByteCount }
}

/// The file that parts give their row groups to.
private final class ParquetOutput: Sendable {
    private struct State {
        var groups: [ParquetFooter.Group] = []
        var types: [ParquetColumnType]?
    }
    let fields: [Field]
    let codec: CompressionCodec
    let level: Int
    let rowCountMax: Int
    let byteCountMax: Int
    private let state: Mutex<State>
    /// Used under the lock of `state`, or by the writer's owner when no part is left.
    nonisolated(unsafe) private let file: any FileSink

    init(fields: [Field], codec: CompressionCodec, level: Int, rowCountMax: Int, byteCountMax: Int, file: any FileSink)
    {
        self.fields = fields
        self.codec = codec
        self.level = level
        self.rowCountMax = rowCountMax
        self.byteCountMax = byteCountMax
        self.file = file
        state = Mutex(State())
    }

    func begin(_ magic: [UInt8]) throws { try file.append(magic) }

    /// How columns are written: those of type numeric by the first values that there are.
    func types(_ pending: [[Vector]]) throws -> [ParquetColumnType] {
        try state.withLock { state in
            if let types = state.types { return types }
            let types = try zip(fields, pending).map { field, vectors in
                var field = field
                if field.type.isNumericBlob {
                    field.type = try NumericColumn.decimalType(of: vectors, named: field.name)
                }
                return try ParquetColumnType(field)
            }
            state.types = types
            return types
        }
    }

    func append(_ bytes: GrowingBytes, _ group: ParquetFooter.Group) throws {
        try state.withLock { state in
            var group = group
            for index in group.chunks.indices { group.chunks[index].move(by: file.byteCount) }
            try file.append(UnsafeRawBufferPointer(start: bytes.base, count: bytes.count))
            state.groups.append(group)
        }
    }

    func commit(_ magic: [UInt8]) throws {
        let types = try types(fields.map { _ in [] })
        try state.withLock { state in
            var footer = ParquetFooter(types: types, codec: codec, groups: state.groups)
            try file.append(footer.pageIndex(at: file.byteCount))
            let bytes = footer.bytes
            try file.append(bytes)
            try file.append(withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { Array($0) } + magic)
            try file.commit()
        }
    }

    func abort() { state.withLock { _ in file.abort() } }

    var heldByteCount: Int { state.withLock { _ in file.heldByteCount } }
}

/// Fills row groups. Confined to one thread.
private final class ParquetPart: TableWriterPart {
    private let output: ParquetOutput
    private var stages: [ColumnStage] = []
    /// Of numeric columns, until the row group is complete.
    private var pending: [[Vector]]
    private let hasNumeric: Bool
    private var pendingByteCount = 0
    private var rowCount = 0
    private let encoder: ColumnChunkEncoder
    private let encoded = GrowingBytes()

    init(_ output: ParquetOutput) {
        self.output = output
        pending = output.fields.map { _ in [] }
        hasNumeric = output.fields.contains { $0.type.isNumericBlob }
        encoder = ColumnChunkEncoder(PageCompressor(output.codec, level: output.level))
    }

    func write(_ batch: Batch) throws {
        var start = 0
        while start < batch.rowCount {
            let count = min(batch.rowCount - start, output.rowCountMax - rowCount)
            let part = batch.slice(start, count)
            for (index, field) in output.fields.enumerated() {
                let column = part.column(index)
                guard column.physical == field.type.physical else {
                    throw QueryError.internalError("a column of type \(column.type.sqlName) for \(field.type.sqlName)")
                }
                if hasNumeric { pending[index].append(column) }
            }
            if hasNumeric { pendingByteCount += part.estimatedByteCount }
            if !hasNumeric {
                if stages.isEmpty { stages = try output.types(pending).map { ColumnStage($0) } }
                for index in stages.indices { try stages[index].append(part.column(index)) }
            }
            rowCount += count
            start += count
            if rowCount == output.rowCountMax || byteCount >= output.byteCountMax { try flush() }
        }
    }

    /// Staged values, and the last row group's pages.
    var heldByteCount: Int {
        var result = encoded.capacity
        for stage in stages { result += stage.heldByteCount }
        if hasNumeric { result += pendingByteCount }
        return result
    }

    private var byteCount: Int {
        var result = stages.reduce(0) { $0 + $1.byteCount }
        if hasNumeric { result += rowCount * output.fields.count * 16 }
        return result
    }

    private func flush() throws {
        guard rowCount > 0 else { return }
        if hasNumeric { try stagePending() }
        pendingByteCount = 0
        encoded.removeAll()
        var chunks: [WrittenChunk] = []
        for stage in stages {
            stage.finish()
            chunks.append(try encoder.encode(stage, into: encoded))
            stage.reset()
        }
        try output.append(encoded, ParquetFooter.Group(rowCount: rowCount, chunks: chunks))
        rowCount = 0
    }

    private func stagePending() throws {
        let types = try output.types(pending)
        if stages.isEmpty { stages = types.map { ColumnStage($0) } }
        for index in stages.indices {
            var vectors = pending[index]
            pending[index] = []
            if output.fields[index].type.isNumericBlob {
                vectors = try NumericColumn.decimals(vectors, as: types[index].field)
            }
            for vector in vectors { try stages[index].append(vector) }
        }
    }

    func finish() throws { try flush() }
}
