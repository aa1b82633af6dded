// From a staged column to the bytes of its chunk: dictionary page, data pages, and what footer and page index say of them.

import Columnar
import Diagnostics

/// A page as the page index lists it; offsets count from the beginning of the row group until the group has its place.
struct WrittenPage {
    var offset: Int
    /// With its header.
    var byteCount: Int
    var firstRow: Int
    var valueCount: Int
    var nullCount: Int
    var bounds: StagedBounds
}

/// What the footer says about a chunk that was written.
struct WrittenChunk {
    var valueCount = 0
    var uncompressedByteCount = 0
    var compressedByteCount = 0
    var dictionaryOffset: Int?
    var dataOffset = 0
    var nullCount = 0
    var dictionaryPageCount = 0
    var plainPageCount = 0
    var bounds = StagedBounds.none
    var pages: [WrittenPage] = []
    /// Offset and length in the file; set when the footer is written.
    var columnIndex: (offset: Int, byteCount: Int)?
    var offsetIndex: (offset: Int, byteCount: Int)?

    mutating func move(by offset: Int) {
        if let known = dictionaryOffset { dictionaryOffset = known + offset }
        dataOffset += offset
        for index in pages.indices { pages[index].offset += offset }
    }
}

struct ColumnChunkEncoder {
    let compressor: PageCompressor
    private let page = GrowingBytes()
    private let packedPage = GrowingBytes()

    init(_ compressor: PageCompressor) { self.compressor = compressor }

    /// Appends the chunk of a finished stage to `output`.
    func encode(_ stage: ColumnStage, into output: GrowingBytes) throws -> WrittenChunk {
        var chunk = WrittenChunk()
        chunk.valueCount = stage.rowCount
        let hasDictionary = stage.pages.contains { $0.isDictionary }
        if hasDictionary {
            chunk.dictionaryOffset = output.count
            page.removeAll()
            stage.appendDictionary(to: page)
            try writePage(.dictionary, stage.type.field.name, &chunk, output) { header in
                header.structure(7) {
                    $0.int32(1, stage.entryCount)
                    $0.int32(2, ParquetEncoding.plain.rawValue)
                }
            }
        }
        chunk.dataOffset = output.count
        let entries = stage.entryCount
        let width = max(1, Int.bitWidth - max(0, entries - 1).leadingZeroBitCount)
        for staged in stage.pages {
            page.removeAll()
            page.append(stage.levels.base + staged.levels.lowerBound, count: staged.levels.count)
            appendValues(staged, stage, width)
            let offset = output.count
            let encoding = staged.isDictionary ? ParquetEncoding.rleDictionary : .plain
            try writePage(.data, stage.type.field.name, &chunk, output) { header in
                header.structure(5) {
                    $0.int32(1, staged.rowCount)
                    $0.int32(2, encoding.rawValue)
                    $0.int32(3, ParquetEncoding.rle.rawValue)
                    $0.int32(4, ParquetEncoding.rle.rawValue)
                }
            }
            if staged.isDictionary { chunk.dictionaryPageCount += 1 } else { chunk.plainPageCount += 1 }
            chunk.nullCount += staged.nullCount
            chunk.bounds = chunk.bounds.union(staged.bounds, stage.type.order)
            chunk.pages.append(
                WrittenPage(
                    offset: offset, byteCount: output.count - offset, firstRow: staged.firstRow,
                    valueCount: staged.valueCount, nullCount: staged.nullCount, bounds: staged.bounds))
        }
        return chunk
    }

    private func appendValues(_ staged: StagedPage, _ stage: ColumnStage, _ width: Int) {
        if staged.isDictionary {
            page.append(UInt8(width))
            pack(
                stage.codes.base.assumingMemoryBound(to: UInt32.self) + staged.firstCode, staged.valueCount, width)
        } else if stage.type.layout == .bits {
            let source = (stage.plain.base + staged.plain.lowerBound).assumingMemoryBound(to: UInt8.self)
            let room = page.room((staged.valueCount + 7) / 8).assumingMemoryBound(to: UInt8.self)
            var index = 0
            while index < staged.valueCount {
                var bits: UInt8 = 0
                for bit in 0..<min(8, staged.valueCount - index) { bits |= (source[index + bit] & 1) << UInt8(bit) }
                room[index / 8] = bits
                index += 8
            }
            page.advance((staged.valueCount + 7) / 8)
        } else {
            page.append(stage.plain.base + staged.plain.lowerBound, count: staged.plain.count)
        }
    }

    /// Codes as one run: repeated if all are the same, packed otherwise.
    private func pack(_ codes: UnsafePointer<UInt32>, _ count: Int, _ width: Int) {
        if count == 0 { return }
        var isConstant = true
        var index = 1
        while index < count && isConstant {
            isConstant = codes[index] == codes[0]
            index &+= 1
        }
        if isConstant {
            page.append(varint: count << 1)
            var value = codes[0]
            for _ in 0..<((width + 7) / 8) {
                page.append(UInt8(truncatingIfNeeded: value))
                value >>= 8
            }
            return
        }
        let groups = (count + 7) / 8
        page.append(varint: groups << 1 | 1)
        let byteCount = groups * width
        let target = page.room(byteCount + 16)
        var pending: UInt64 = 0
        var bits = 0
        var at = 0
        index = 0
        while index < count {
            let code = UInt64(codes[index])
            pending |= code &<< UInt64(truncatingIfNeeded: bits)
            bits &+= width
            if bits >= 64 {
                target.storeBytes(of: pending.littleEndian, toByteOffset: at, as: UInt64.self)
                at &+= 8
                bits &-= 64
                // A code of which nothing is left shifts by all of its bits.
                pending = bits == 0 ? 0 : code &>> UInt64(truncatingIfNeeded: width &- bits)
            }
            index &+= 1
        }
        while at < byteCount {
            target.storeBytes(of: pending.littleEndian, toByteOffset: at, as: UInt64.self)
            pending = 0
            at &+= 8
        }
        page.advance(byteCount)
    }

    private func writePage(
        _ kind: PageHeader.Kind, _ column: String, _ chunk: inout WrittenChunk, _ output: GrowingBytes,
        _ details: (inout ThriftWriter) -> Void
    ) throws {
        guard page.count < 1 << 30 else {
            throw QueryError(.programLimitExceeded, "a page of column \"\(column)\" is too long for a Parquet file")
        }
        let packed = packedPage
        packed.removeAll()
        let count = try compressor.compress(page.base, count: page.count, into: packed)
        var writer = ThriftWriter()
        writer.element {
            $0.int32(1, kind.rawValue)
            $0.int32(2, page.count)
            $0.int32(3, count)
            $0.int32(4, Int(Int32(bitPattern: PageCompressor.checksum(packed.base, count: count))))
            details(&$0)
        }
        output.append(writer.bytes)
        output.append(packed.base, count: count)
        chunk.uncompressedByteCount += writer.bytes.count + page.count
        chunk.compressedByteCount += writer.bytes.count + count
    }
}
