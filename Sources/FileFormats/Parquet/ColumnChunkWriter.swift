// Writes one column of a row group: a dictionary if it pays, and data pages with levels.

import CSnappy
import CZstd
import Columnar
import Diagnostics

/// Plain values of a type, and what the schema says about them.
struct ParquetColumnType {
    let physical: ParquetPhysicalType
    let typeLength: Int

    /// How a type is written; throws for types that cannot be.
    init(_ field: Field) throws {
        switch field.type {
        case .boolean: (physical, typeLength) = (.boolean, 0)
        case .int8, .int16, .int32, .date: (physical, typeLength) = (.int32, 0)
        case .int64, .time, .timestamp, .timestampTZ, .oid: (physical, typeLength) = (.int64, 0)
        case .float32: (physical, typeLength) = (.float, 0)
        case .float64: (physical, typeLength) = (.double, 0)
        case .decimal:
            (physical, typeLength) = field.type.physical == .int64 ? (.int64, 0) : (.fixedByteArray, 16)
        case .uuid: (physical, typeLength) = (.fixedByteArray, 16)
        case .unknown, .text, .varchar, .char, .bytea, .json, .jsonb, .name, .internalChar:
            (physical, typeLength) = (.byteArray, 0)
        case .interval, .timeTZ, .array, .record, .numeric, .jsonpath, .registered, .indexVector,
            .bit, .varbit, .range, .enumeration:
            throw QueryError.notSupported("writing a column of type \(field.type.sqlName) to a Parquet file")
        }
    }
}

/// What the footer says about a chunk that was written.
struct WrittenChunk {
    var valueCount = 0
    var uncompressedByteCount = 0
    var compressedByteCount = 0
    var dictionaryOffset: Int?
    var dataOffset = 0
    var dataPageCount = 0
    var nullCount = 0
    var minimum: [UInt8]?
    var maximum: [UInt8]?
    var isDictionary: Bool { dictionaryOffset != nil }
}

/// Collects the values of a column as dictionary codes as long as that pays, and writes them out as pages.
struct ColumnChunkWriter {
    private static let pageRowCount = 20_000
    private static let dictionaryByteCountMax = 1 << 20
    /// Bounds of strings longer than this are left out of the statistics.
    private static let boundByteCountMax = 64

    let field: Field
    let type: ParquetColumnType
    let codec: CompressionCodec

    /// Writes the rows of `vectors`, in order, to `file`.
    func write(_ vectors: [Vector], to file: OutputFile) throws -> WrittenChunk {
        let flat = vectors.map { JSONText.shown($0).flattened() }
        var chunk = WrittenChunk()
        chunk.valueCount = flat.reduce(0) { $0 + $1.count }
        let validity = field.isNullable ? levels(flat, chunk.valueCount) : nil
        chunk.nullCount =
            validity.map { chunk.valueCount - Validity.validCount(words($0), rows: chunk.valueCount) } ?? 0
        (chunk.minimum, chunk.maximum) = bounds(flat)
        if let (entries, codes) = dictionary(flat) {
            chunk.dictionaryOffset = file.byteCount
            try writePage(entries.bytes, &chunk, file) { header in
                header.structure(7) {
                    $0.int32(1, entries.count)
                    $0.int32(2, ParquetEncoding.plain.rawValue)
                }
            }
            chunk.dataOffset = file.byteCount
            let width = entries.count <= 1 ? 0 : Int.bitWidth - (entries.count - 1).leadingZeroBitCount
            try writePages(chunk.valueCount, validity, &chunk, file, .rleDictionary) { range, target in
                target.append(UInt8(width))
                ColumnChunkWriter.pack(codes[range], width, into: &target)
            }
            return chunk
        }
        chunk.dataOffset = file.byteCount
        var cursor = PlainCursor(vectors: flat)
        try writePages(chunk.valueCount, validity, &chunk, file, .plain) { range, target in
            cursor.append(range.count, type, into: &target)
        }
        return chunk
    }

    private func words(_ buffer: Buffer) -> UnsafeMutablePointer<UInt64> {
        buffer.base.assumingMemoryBound(to: UInt64.self)
    }

    /// One bit a row: not null.
    private func levels(_ vectors: [Vector], _ count: Int) -> Buffer {
        let result = Validity.make(rows: count, valid: false)
        var row = 0
        for vector in vectors {
            if let validity = vector.validity {
                BitRange.copy(validity, 0, to: words(result), row, count: vector.count)
            } else {
                BitRange.set(words(result), row, count: vector.count)
            }
            row += vector.count
        }
        return result
    }

    // MARK: Pages

    /// Splits the rows into pages; `values` appends the values that are not null, by their positions among those.
    private func writePages(
        _ rowCount: Int, _ validity: Buffer?, _ chunk: inout WrittenChunk, _ file: OutputFile,
        _ encoding: ParquetEncoding, _ values: (Range<Int>, inout [UInt8]) -> Void
    ) throws {
        var row = 0
        var value = 0
        while row < rowCount {
            let rows = min(ColumnChunkWriter.pageRowCount, rowCount - row)
            var page: [UInt8] = []
            var count = rows
            if let validity {
                count = BitRange.count(validity.base, row, count: rows)
                let packed = Validity.make(rows: rows, valid: false)
                BitRange.copy(validity.base, row, to: words(packed), 0, count: rows)
                let groups = (rows + 7) / 8
                var run: [UInt8] = []
                ColumnChunkWriter.append(varint: groups << 1 | 1, to: &run)
                run.append(contentsOf: UnsafeRawBufferPointer(start: packed.base, count: groups))
                ColumnChunkWriter.append(UInt32(run.count), to: &page)
                page.append(contentsOf: run)
            }
            values(value..<(value + count), &page)
            try writePage(page, &chunk, file) { header in
                header.structure(5) {
                    $0.int32(1, rows)
                    $0.int32(2, encoding.rawValue)
                    $0.int32(3, ParquetEncoding.rle.rawValue)
                    $0.int32(4, ParquetEncoding.rle.rawValue)
                }
            }
            row += rows
            value += count
            chunk.dataPageCount += 1
        }
    }

    private func writePage(
        _ page: [UInt8], _ chunk: inout WrittenChunk, _ file: OutputFile, _ details: (inout ThriftWriter) -> Void
    ) throws {
        guard page.count < 1 << 30 else {
            throw QueryError(.programLimitExceeded, "a page of column \"\(field.name)\" is too long for a Parquet file")
        }
        let packed = try compress(page)
        var writer = ThriftWriter()
        let isDictionary = chunk.dictionaryOffset == file.byteCount
        writer.element {
            $0.int32(1, (isDictionary ? PageHeader.Kind.dictionary : .data).rawValue)
            $0.int32(2, page.count)
            $0.int32(3, packed.count)
            details(&$0)
        }
        try file.append(writer.bytes)
        try file.append(packed)
        chunk.uncompressedByteCount += writer.bytes.count + page.count
        chunk.compressedByteCount += writer.bytes.count + packed.count
    }

    private func compress(_ page: [UInt8]) throws -> [UInt8] {
        switch codec {
        case .snappy:
            var count = snappy_max_compressed_length(page.count)
            let packed = [UInt8](unsafeUninitializedCapacity: count) { target, filled in
                let isGood = page.withUnsafeBytes { source in
                    snappy_compress(
                        source.baseAddress?.assumingMemoryBound(to: CChar.self), source.count,
                        UnsafeMutableRawPointer(target.baseAddress!).assumingMemoryBound(to: CChar.self), &count)
                        == SNAPPY_OK
                }
                filled = isGood ? count : 0
            }
            guard !packed.isEmpty else { throw QueryError.internalError("a page cannot be compressed") }
            return packed
        case .zstd:
            let bound = ZSTD_compressBound(page.count)
            let packed = [UInt8](unsafeUninitializedCapacity: bound) { target, filled in
                let count = page.withUnsafeBytes {
                    ZSTD_compress(target.baseAddress, bound, $0.baseAddress, $0.count, 1)
                }
                filled = ZSTD_isError(count) == 0 ? count : 0
            }
            guard !packed.isEmpty else { throw QueryError.internalError("a page cannot be compressed") }
            return packed
        default: return page
        }
    }

    static func append(varint value: Int, to target: inout [UInt8]) {
        var rest = value
        while rest >= 128 {
            target.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        target.append(UInt8(rest))
    }

    static func append<T: FixedWidthInteger>(_ value: T, to target: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { target.append(contentsOf: $0) }
    }

    /// Codes as one run: repeated if there is only one, packed otherwise.
    private static func pack(_ codes: ArraySlice<UInt32>, _ width: Int, into target: inout [UInt8]) {
        if width == 0 {
            append(varint: codes.count << 1, to: &target)
            return
        }
        let groups = (codes.count + 7) / 8
        append(varint: groups << 1 | 1, to: &target)
        var pending: UInt64 = 0
        var pendingBits = 0
        for code in codes {
            pending |= UInt64(code) << UInt64(pendingBits)
            pendingBits += width
            while pendingBits >= 8 {
                target.append(UInt8(truncatingIfNeeded: pending))
                pending >>= 8
                pendingBits -= 8
            }
        }
        var padding = groups * 8 * width - codes.count * width + pendingBits
        while padding > 0 {
            target.append(UInt8(truncatingIfNeeded: pending))
            pending = 0
            padding -= 8
        }
    }

    // MARK: Dictionary

    private struct Entries {
        var bytes: [UInt8] = []
        var count = 0
    }

    /// The distinct values and the code of each value that is not null; `nil` if there are too many to pay.
    private func dictionary(_ vectors: [Vector]) -> (Entries, [UInt32])? {
        let layout = field.type.physical
        guard layout == .view || layout == .int32 || layout == .int64 || layout == .float64 else { return nil }
        let total = vectors.reduce(0) { $0 + $1.count }
        let entryMax = max(16, total / 3)
        var entries = Entries()
        var codes: [UInt32] = []
        codes.reserveCapacity(total)
        // Open addressing; slots hold code + 1, and the values lie beside.
        var slots = [UInt32](repeating: 0, count: 1024)
        var hashes: [UInt64] = []
        var places: [(vector: Int, row: Int)] = []
        for (number, vector) in vectors.enumerated() {
            let hashed = Buffer(byteCount: max(1, vector.count) * 8)
            let rowHashes = hashed.base.assumingMemoryBound(to: UInt64.self)
            Hashing.hash(vector, into: rowHashes, combining: false)
            for row in 0..<vector.count {
                if let validity = vector.validity, !Validity.isValid(validity, row) { continue }
                let hash = rowHashes[row]
                var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
                var found: UInt32?
                while slots[slot] != 0 {
                    let code = slots[slot] - 1
                    let place = places[Int(code)]
                    if hashes[Int(code)] == hash, isSame(vectors[place.vector], place.row, vector, row) {
                        found = code
                        break
                    }
                    slot = (slot + 1) & (slots.count - 1)
                }
                if let found {
                    codes.append(found)
                    continue
                }
                guard entries.count < entryMax, entries.bytes.count < ColumnChunkWriter.dictionaryByteCountMax else {
                    return nil
                }
                let code = UInt32(entries.count)
                slots[slot] = code + 1
                hashes.append(hash)
                places.append((number, row))
                PlainCursor.append(vector, row, type, into: &entries.bytes)
                entries.count += 1
                codes.append(code)
                if entries.count * 2 > slots.count {
                    slots = [UInt32](repeating: 0, count: slots.count * 2)
                    for (index, hash) in hashes.enumerated() {
                        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
                        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
                        slots[slot] = UInt32(index) + 1
                    }
                }
            }
        }
        return entries.count > 0 ? (entries, codes) : nil
    }

    /// Equal in every bit: zeros of both signs stay apart.
    private func isSame(_ a: Vector, _ rowA: Int, _ b: Vector, _ rowB: Int) -> Bool {
        switch a.physical {
        case .view: StringView.equal(a.views[rowA], b.views[rowB])
        case .int32: a.values(UInt32.self)[rowA] == b.values(UInt32.self)[rowB]
        default: a.values(UInt64.self)[rowA] == b.values(UInt64.self)[rowB]
        }
    }

    // MARK: Statistics

    private func bounds(_ vectors: [Vector]) -> ([UInt8]?, [UInt8]?) {
        var low: (Vector, Int)?
        var high: (Vector, Int)?
        for vector in vectors {
            for row in 0..<vector.count {
                if let validity = vector.validity, !Validity.isValid(validity, row) { continue }
                guard let isBelow = precedes(vector, row, low), let isAbove = precedes(high, vector, row) else {
                    return (nil, nil)
                }
                if isBelow { low = (vector, row) }
                if isAbove { high = (vector, row) }
            }
        }
        guard let low, let high else { return (nil, nil) }
        let bytes = [low, high].map { place -> [UInt8] in
            var bytes: [UInt8] = []
            PlainCursor.append(place.0, place.1, type, into: &bytes)
            if type.physical == .byteArray { bytes.removeFirst(4) }
            return bytes
        }
        if bytes.contains(where: { $0.count > ColumnChunkWriter.boundByteCountMax }) { return (nil, nil) }
        return (bytes[0], bytes[1])
    }

    private func precedes(_ vector: Vector, _ row: Int, _ other: (Vector, Int)?) -> Bool? {
        guard let other else { return isOrdered(vector, row) ? true : nil }
        return compare(vector, row, other.0, other.1).map { $0 < 0 }
    }
    private func precedes(_ other: (Vector, Int)?, _ vector: Vector, _ row: Int) -> Bool? {
        guard let other else { return isOrdered(vector, row) ? true : nil }
        return compare(other.0, other.1, vector, row).map { $0 < 0 }
    }

    /// NaN has no place in bounds, and some types have no order there.
    private func isOrdered(_ vector: Vector, _ row: Int) -> Bool { compare(vector, row, vector, row) != nil }

    private func compare(_ a: Vector, _ rowA: Int, _ b: Vector, _ rowB: Int) -> Int? {
        func order<T: Comparable>(_ x: T, _ y: T) -> Int? { x < y ? -1 : x == y ? 0 : x > y ? 1 : nil }
        switch a.physical {
        case .boolean: return order(a.values(UInt8.self)[rowA], b.values(UInt8.self)[rowB])
        case .int8: return order(a.values(Int8.self)[rowA], b.values(Int8.self)[rowB])
        case .int16: return order(a.values(Int16.self)[rowA], b.values(Int16.self)[rowB])
        case .int32: return order(a.values(Int32.self)[rowA], b.values(Int32.self)[rowB])
        case .int64: return order(a.values(Int64.self)[rowA], b.values(Int64.self)[rowB])
        case .int128: return order(a.values(Int128.self)[rowA], b.values(Int128.self)[rowB])
        case .float32: return order(a.values(Float.self)[rowA], b.values(Float.self)[rowB])
        case .float64: return order(a.values(Double.self)[rowA], b.values(Double.self)[rowB])
        case .view:
            return field.type == .json || field.type == .jsonb
                ? nil : StringView.compare(a.views + rowA, b.views + rowB)
        case .interval, .uuid: return nil
        }
    }
}

/// Gives the values of vectors that are not null as plain bytes, from front to back.
struct PlainCursor {
    private let vectors: [Vector]
    private var vector = 0
    private var row = 0
    init(vectors: [Vector]) { self.vectors = vectors }

    mutating func append(_ count: Int, _ type: ParquetColumnType, into target: inout [UInt8]) {
        var left = count
        var bits: UInt8 = 0
        var bitCount: UInt8 = 0
        while left > 0 {
            let current = vectors[vector]
            while row < current.count && left > 0 {
                if current.validity.map({ Validity.isValid($0, row) }) ?? true {
                    left -= 1
                    if type.physical == .boolean {
                        bits |= current.values(UInt8.self)[row] << bitCount
                        bitCount += 1
                        if bitCount == 8 {
                            target.append(bits)
                            bits = 0
                            bitCount = 0
                        }
                    } else {
                        PlainCursor.append(current, row, type, into: &target)
                    }
                }
                row += 1
            }
            if row == current.count && vector + 1 < vectors.count {
                vector += 1
                row = 0
            }
        }
        if bitCount > 0 { target.append(bits) }
    }

    /// One value as plain bytes; a boolean as a byte.
    static func append(_ vector: Vector, _ row: Int, _ type: ParquetColumnType, into target: inout [UInt8]) {
        switch vector.physical {
        case .boolean: target.append(vector.values(UInt8.self)[row])
        case .int8: ColumnChunkWriter.append(Int32(vector.values(Int8.self)[row]), to: &target)
        case .int16: ColumnChunkWriter.append(Int32(vector.values(Int16.self)[row]), to: &target)
        case .int32, .float32: ColumnChunkWriter.append(vector.values(UInt32.self)[row], to: &target)
        case .int64, .float64: ColumnChunkWriter.append(vector.values(UInt64.self)[row], to: &target)
        case .int128:
            withUnsafeBytes(of: vector.values(Int128.self)[row].bigEndian) { target.append(contentsOf: $0) }
        case .uuid:
            let value = vector.values(UUIDValue.self)[row]
            ColumnChunkWriter.append(value.high.bigEndian, to: &target)
            ColumnChunkWriter.append(value.low.bigEndian, to: &target)
        case .view:
            let view = vector.views + row
            let count = view.pointee.count
            ColumnChunkWriter.append(UInt32(count), to: &target)
            target.append(contentsOf: UnsafeBufferPointer(start: StringView.bytes(at: view), count: count))
        case .interval: break
        }
    }
}
