// Writes rows as an Arrow IPC file: record batches whose buffers may be compressed.

import CLZ4
import CZstd
import Columnar
import Diagnostics
import Storage

/// Writes one file; it appears when `commit` is called. Option: `compression` (lz4, zstd, none).
package final class ArrowWriter: TableWriter {
    fileprivate enum Codec: UInt8 { case lz4 = 0, zstd }
    private struct Block {
        var offset: Int
        var metadataByteCount: Int
        var bodyByteCount: Int
    }
    /// Record batches have so many rows, or fewer where their values are long.
    private static let rowCountMax = 65_536
    private static let byteCountMax = 64 << 20
    private static let magic: [UInt8] = Array("ARROW1".utf8)

    private let file: any FileSink
    private var fields: [Field]
    private let codec: Codec?
    /// Of columns that are written as text; `nil` for the others.
    private let texts: [ParquetColumnType?]
    private var pending: [[Vector]]
    private var pendingRowCount = 0
    private var pendingByteCount = 0
    private var blocks: [Block] = []
    private var hasBegun = false

    package convenience init(
        path: String, options: [String: String], columns: [Field], in store: any FileStore = LocalFiles.shared
    ) throws {
        try self.init(options: options, columns: columns) { try store.makeFile(path: path) }
    }

    package init(options: [String: String], columns: [Field], open: () throws -> any FileSink) throws {
        var codec: Codec?
        for (key, value) in options where key != "format" {
            guard key == "compression" else {
                throw QueryError(.syntaxError, "option \"\(key)\" not recognized", object: key)
            }
            switch value.lowercased() {
            case "none", "uncompressed": break
            case "lz4", "lz4_frame": codec = .lz4
            case "zstd": codec = .zstd
            default:
                throw QueryError(
                    .invalidParameterValue, "invalid value for option \"compression\": \"\(value)\"",
                    hint: "Known compressions of Arrow files: lz4, zstd, none.", object: key)
            }
        }
        self.codec = codec
        fields = columns
        texts = try columns.map { field in
            switch field.type {
            case .jsonb, .enumeration, .timeTZ, .bit, .varbit, .range, .jsonpath: return try ParquetColumnType(field)
            case .array, .record, .registered, .indexVector:
                throw QueryError(
                    .featureNotSupported, "a column of type \(field.type.sqlName) cannot be written to an Arrow file",
                    hint: "Convert column \"\(field.name)\" to text or by to_jsonb.", object: field.name)
            default: return nil
            }
        }
        guard !columns.isEmpty else { throw QueryError.notSupported("writing an Arrow file without columns") }
        pending = columns.map { _ in [] }
        file = try open()
    }

    package var heldByteCount: Int { pendingByteCount + file.heldByteCount }

    package func write(_ batch: Batch) throws {
        var start = 0
        while start < batch.rowCount {
            let count = min(batch.rowCount - start, ArrowWriter.rowCountMax - pendingRowCount)
            let part = batch.slice(start, count)
            for index in fields.indices {
                let flat = part.column(index).flattened()
                pending[index].append(try texts[index]?.prepared(flat) ?? flat)
            }
            pendingRowCount += count
            pendingByteCount += part.estimatedByteCount
            start += count
            if pendingRowCount == ArrowWriter.rowCountMax || pendingByteCount >= ArrowWriter.byteCountMax {
                try flush()
            }
        }
    }

    /// The schema's message. Columns of type numeric get their scale from the first rows.
    private func begin() throws {
        if hasBegun { return }
        hasBegun = true
        for index in fields.indices where fields[index].type.isNumericBlob {
            fields[index].type = try NumericColumn.decimalType(of: pending[index], named: fields[index].name)
        }
        try file.append(ArrowWriter.magic + [0, 0])
        var builder = FlatBufferBuilder()
        let schema = ArrowSchema.write(fields, &builder)
        _ = try append(message: &builder, header: schema, kind: 1, bodyByteCount: 0)
    }

    /// Writes a message's metadata; the bytes that it takes with its length in front.
    private func append(
        message builder: inout FlatBufferBuilder, header: FlatBufferBuilder.Offset, kind: UInt8, bodyByteCount: Int
    ) throws -> Int {
        let message = builder.table {
            $0.field(3, Int64(bodyByteCount))
            $0.field(2, header)
            $0.field(0, Int16(4))
            $0.field(1, kind)
        }
        var bytes = builder.finish(message)
        while bytes.count % 8 != 0 { bytes.append(0) }
        let prefix = [UInt32.max, UInt32(bytes.count)].flatMap { withUnsafeBytes(of: $0.littleEndian) { Array($0) } }
        try file.append(prefix + bytes)
        return prefix.count + bytes.count
    }

    private func flush() throws {
        guard pendingRowCount > 0 else { return }
        try begin()
        var body = ArrowBody(codec: codec)
        var nodes: [[Int64]] = []
        for (index, field) in fields.enumerated() {
            var vectors = pending[index]
            pending[index] = []
            if case .numeric? = vectors.first?.type { vectors = try NumericColumn.decimals(vectors, as: field) }
            let nullCount = vectors.reduce(0) { count, vector in
                count + (vector.validity.map { vector.count - Validity.validCount($0, rows: vector.count) } ?? 0)
            }
            nodes.append([Int64(pendingRowCount), Int64(nullCount)])
            try body.append(vectors, field, rowCount: pendingRowCount, nullCount: nullCount)
        }
        var builder = FlatBufferBuilder()
        let nodeVector = builder.vector(ofStructs: nodes)
        let bufferVector = builder.vector(ofStructs: body.buffers)
        let compression = codec.map { codec in
            builder.table {
                $0.field(0, codec.rawValue)
                $0.field(1, UInt8(0))
            }
        }
        let batch = builder.table {
            $0.field(0, Int64(pendingRowCount))
            $0.field(1, nodeVector)
            $0.field(2, bufferVector)
            if let compression { $0.field(3, compression) }
        }
        let offset = file.byteCount
        let metadata = try append(message: &builder, header: batch, kind: 3, bodyByteCount: body.bytes.count)
        try file.append(UnsafeRawBufferPointer(start: body.bytes.base, count: body.bytes.count))
        blocks.append(Block(offset: offset, metadataByteCount: metadata, bodyByteCount: body.bytes.count))
        pendingRowCount = 0
        pendingByteCount = 0
    }

    package func commit() throws {
        try flush()
        try begin()
        try file.append([255, 255, 255, 255, 0, 0, 0, 0])
        var builder = FlatBufferBuilder()
        let schema = ArrowSchema.write(fields, &builder)
        let dictionaries = builder.vector(ofStructs: [])
        let batches = builder.vector(
            ofStructs: blocks.map { [Int64($0.offset), Int64($0.metadataByteCount), Int64($0.bodyByteCount)] })
        let footer = builder.table {
            $0.field(1, schema)
            $0.field(2, dictionaries)
            $0.field(3, batches)
            $0.field(0, Int16(4))
        }
        let bytes = builder.finish(footer)
        try file.append(bytes + withUnsafeBytes(of: Int32(bytes.count).littleEndian) { Array($0) } + ArrowWriter.magic)
        try file.commit()
    }

    package func abort() { file.abort() }
}

/// The body of a record batch: buffers one behind the other, aligned to 64 bytes.
private struct ArrowBody {
    let codec: ArrowWriter.Codec?
    let bytes = GrowingBytes(capacity: 1 << 20)
    /// Offset and length each.
    private(set) var buffers: [[Int64]] = []
    private let plain = GrowingBytes(capacity: 1 << 20)
    private let zstd: ZstandardContext?

    private final class ZstandardContext {
        let context = ZSTD_createCCtx()
        deinit { ZSTD_freeCCtx(context) }
    }

    init(codec: ArrowWriter.Codec?) {
        self.codec = codec
        zstd = codec == .zstd ? ZstandardContext() : nil
    }

    mutating func append(_ vectors: [Vector], _ field: Field, rowCount: Int, nullCount: Int) throws {
        plain.removeAll()
        if nullCount > 0 { bits(vectors, rowCount) { $0.validity } }
        try finishBuffer()
        switch field.type.physical {
        case .view: return try strings(vectors, field.name)
        case .boolean:
            let words = Validity.make(rows: rowCount, valid: false)
            let target = words.base.assumingMemoryBound(to: UInt64.self)
            var done = 0
            for vector in vectors {
                for row in 0..<vector.count where vector.values(UInt8.self)[row] != 0 {
                    Validity.setValid(target, done + row)
                }
                done += vector.count
            }
            plain.append(words.base, count: (rowCount + 7) / 8)
        default:
            // Enumerations are views of their labels by now, and their type has another layout.
            if vectors.first?.physical == .view { return try strings(vectors, field.name) }
            for vector in vectors { try append(values: vector, field) }
        }
        try finishBuffer()
    }

    private func bits(_ vectors: [Vector], _ rowCount: Int, _ source: (Vector) -> UnsafeMutablePointer<UInt64>?) {
        let words = Validity.make(rows: rowCount, valid: false)
        let target = words.base.assumingMemoryBound(to: UInt64.self)
        var done = 0
        for vector in vectors {
            if let validity = source(vector) {
                BitRange.copy(validity, 0, to: target, done, count: vector.count)
            } else {
                BitRange.set(target, done, count: vector.count)
            }
            done += vector.count
        }
        plain.append(words.base, count: (rowCount + 7) / 8)
    }

    private func append(values vector: Vector, _ field: Field) throws {
        let count = vector.count
        switch field.type {
        case .decimal where vector.physical == .int64:
            let target = plain.room(count * 16).assumingMemoryBound(to: Int128.self)
            for row in 0..<count { target[row] = Int128(vector.values(Int64.self)[row]) }
            plain.advance(count * 16)
        case .uuid:
            let target = plain.room(count * 16).assumingMemoryBound(to: UInt64.self)
            for row in 0..<count {
                let value = vector.values(UUIDValue.self)[row]
                target[row * 2] = value.high.bigEndian
                target[row * 2 + 1] = value.low.bigEndian
            }
            plain.advance(count * 16)
        case .interval:
            let target = plain.room(count * 16)
            for row in 0..<count {
                let value = vector.isNull(row) ? IntervalValue() : vector.values(IntervalValue.self)[row]
                target.storeBytes(of: value.months, toByteOffset: row * 16, as: Int32.self)
                target.storeBytes(of: value.days, toByteOffset: row * 16 + 4, as: Int32.self)
                let (nanoseconds, overflow) = value.microseconds.multipliedReportingOverflow(by: 1000)
                guard !overflow else {
                    throw QueryError(
                        .numericValueOutOfRange,
                        "an interval of column \"\(field.name)\" is too long for an Arrow file",
                        hint: "Convert the column to text.", object: field.name)
                }
                target.storeBytes(of: nanoseconds, toByteOffset: row * 16 + 8, as: Int64.self)
            }
            plain.advance(count * 16)
        default: plain.append(vector.data, count: count * vector.physical.width)
        }
    }

    private mutating func strings(_ vectors: [Vector], _ name: String) throws {
        var total = 0
        plain.append(Int32(0))
        for vector in vectors {
            for row in 0..<vector.count {
                if vector.validity.map({ Validity.isValid($0, row) }) ?? true { total += vector.views[row].count }
                guard total <= Int(Int32.max) else {
                    throw QueryError(
                        .programLimitExceeded, "the values of column \"\(name)\" are too long for an Arrow file",
                        object: name)
                }
                plain.append(Int32(total))
            }
        }
        try finishBuffer()
        for vector in vectors {
            for row in 0..<vector.count where vector.validity.map({ Validity.isValid($0, row) }) ?? true {
                let view = vector.views + row
                plain.append(StringView.bytes(at: view), count: view.pointee.count)
            }
        }
        try finishBuffer()
    }

    /// Moves what was collected into the body, compressed where that makes it shorter.
    private mutating func finishBuffer() throws {
        let start = bytes.count
        if plain.count > 0 {
            if codec == nil {
                bytes.append(plain.base, count: plain.count)
            } else if let packed = try packed() {
                bytes.append(Int64(plain.count))
                bytes.append(packed.base, count: packed.count)
            } else {
                bytes.append(Int64(-1))
                bytes.append(plain.base, count: plain.count)
            }
        }
        buffers.append([Int64(start), Int64(bytes.count - start)])
        while bytes.count % 64 != 0 { bytes.append(UInt8(0)) }
        plain.removeAll()
    }

    private func packed() throws -> GrowingBytes? {
        let target = GrowingBytes(capacity: plain.count)
        let written: Int
        switch codec {
        case .zstd:
            let bound = ZSTD_compressBound(plain.count)
            let count = ZSTD_compressCCtx(zstd?.context, target.room(bound), bound, plain.base, plain.count, 1)
            written = ZSTD_isError(count) == 0 ? count : 0
        default:
            let bound = LZ4F_compressFrameBound(plain.count, nil)
            let count = LZ4F_compressFrame(target.room(bound), bound, plain.base, plain.count, nil)
            written = LZ4F_isError(count) == 0 ? count : 0
        }
        guard written > 0 else { throw QueryError.internalError("a buffer cannot be compressed") }
        guard written < plain.count else { return nil }
        target.advance(written)
        return target
    }
}
