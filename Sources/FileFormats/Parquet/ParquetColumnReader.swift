// Reads one column chunk: pages in, vectors of any number of rows out.

import CKernels
import CZlib
import Columnar
import Diagnostics

/// The cursor of a column chunk. Rows are skipped lazily: a page whose rows are all skipped is never decompressed.
/// Confined to the reader of its row group.
final class ParquetColumnReader {
    /// How the current page gives its values.
    private enum Form {
        /// Dictionary codes in `codes`.
        case codes
        /// Values in the column's layout, from `values` on.
        case values
        /// Length-prefixed byte arrays from `bytes` on.
        case byteArrays
    }

    let column: ParquetColumn
    private let chunk: ParquetColumnChunk
    private let input: ChunkInput
    private let decompressor: Decompressor
    private let width: Int

    /// Rows whose pages have not begun.
    private var chunkRowsLeft: Int
    /// Rows that the next read passes over first.
    private var pendingSkip = 0

    private var header: PageHeader?
    private var isPageLoaded = false
    private var pageRowsLeft = 0
    /// The next row within the page.
    private var pageRow = 0
    private var form = Form.values
    /// One bit a row of the page; `nil` if none is null.
    private var pageValidity: Buffer?

    private var codes: HybridDecoder
    private var values: UnsafeMutableRawPointer
    private var valuesLeft = 0
    private var bytes: UnsafePointer<UInt8>
    private var bytesEnd: UnsafePointer<UInt8>
    /// What keeps the page's values alive.
    private var pageOwner: Buffer
    private var pageHeap: StringHeap?
    /// The page's byte arrays are text, and not all of it is ASCII.
    private var needsTextCheck = false

    /// Where the dictionary is kept for other readers.
    private let cacheKey: DecodedCache.Key?
    /// The entries of the dictionary: one object as long as the reader lives.
    private(set) var dictionary: Vector?
    /// Fewer entries than rows by far, so that work per entry is less than work per row.
    private var isDictionaryUseful = false

    private var pagePool = BufferPool()
    private var vectorPool = BufferPool()
    private let scratch: Buffer
    private let held: Buffer

    var bytesRead: Int { input.bytesRead }

    /// - Parameters:
    ///   - known: the chunk's dictionary, if it was decoded before; then `input` begins behind it.
    ///   - cacheKey: where to keep the dictionary otherwise.
    init(
        _ column: ParquetColumn, _ chunk: ParquetColumnChunk, input: ChunkInput, scratch shared: ParquetScratch,
        known: Vector? = nil, cacheKey: DecodedCache.Key? = nil
    ) {
        self.cacheKey = cacheKey
        self.column = column
        self.chunk = chunk
        self.input = input
        decompressor = shared.decompressor
        width = column.type.physical.width
        chunkRowsLeft = chunk.valueCount
        // Codes or values of one batch before nulls are spread among them.
        scratch = shared.buffers.take(Batch.standardRowCount * 16 + 64)
        held = Buffer(byteCount: 32)
        pageOwner = scratch
        textOwner = scratch
        values = scratch.base
        bytes = UnsafePointer(scratch.base.assumingMemoryBound(to: UInt8.self))
        bytesEnd = bytes
        codes = HybridDecoder(bytes, end: bytes, width: 0, scratch: held.base.assumingMemoryBound(to: UInt32.self))
        if let known { use(known) }
    }

    // MARK: Rows

    /// Passes over rows.
    func skip(_ rows: Int) { pendingSkip &+= rows }

    /// The next `rows` rows (at most `Batch.standardRowCount`). With `prefersDictionary` they come as dictionary codes when
    /// that is useful. Rows outside of `selection` may come as zeros.
    func read(_ rows: Int, selection: Selection?, prefersDictionary: Bool) throws -> Vector {
        try settle()
        if form == .values && pageValidity == nil && pageRowsLeft >= rows { return slice(rows) }
        var codeBuffer: Buffer?
        var flat: Buffer?
        var validity: Buffer?
        var owners: [any AnyObject] = []
        var done = 0
        while done < rows {
            if done > 0 { try settle() }
            let count = min(pageRowsLeft, rows &- done)
            if form == .codes && flat == nil && prefersDictionary && isDictionaryUseful {
                if codeBuffer == nil { codeBuffer = vectorPool.take(rows * 4) }
                let target = codeBuffer.unsafelyUnwrapped.base.assumingMemoryBound(to: UInt32.self) + done
                try readCodes(count, into: target)
            } else {
                if flat == nil {
                    let buffer = vectorPool.take(rows * width)
                    if let codeBuffer, let dictionary {
                        gather(codeBuffer.base.assumingMemoryBound(to: UInt32.self), done, dictionary, buffer.base)
                        if width == 16 { owners += [dictionary] as [any AnyObject] }
                    }
                    flat = buffer
                }
                let target = flat.unsafelyUnwrapped.base + done &* width
                let sparse = count == rows ? selection : nil
                try readFlat(count, into: target, selection: sparse)
                pin(&owners)
            }
            if let pageValidity {
                if validity == nil {
                    validity = Validity.make(rows: rows, valid: false)
                    BitRange.set(words(validity), 0, count: done)
                }
                BitRange.copy(pageValidity.base, pageRow, to: words(validity), done, count: count)
            } else if validity != nil {
                BitRange.set(words(validity), done, count: count)
            }
            pageRow &+= count
            pageRowsLeft &-= count
            done &+= count
        }
        if let flat {
            return Vector(
                type: column.type, encoding: .flat, count: rows, data: flat.base, dataOwner: flat, validity: validity,
                pinned: owners)
        }
        guard let codeBuffer, let dictionary else { throw QueryError.internalError("a window without rows") }
        return Vector(codes: codeBuffer, count: rows, dictionary: dictionary, validity: validity)
    }

    @inline(__always)
    private func words(_ buffer: Buffer?) -> UnsafeMutablePointer<UInt64> {
        buffer.unsafelyUnwrapped.base.assumingMemoryBound(to: UInt64.self)
    }

    /// Values of the page as they lie there.
    private func slice(_ rows: Int) -> Vector {
        var pinned: [any AnyObject] = []
        if column.type.physical == .view { pin(&pinned) }
        let vector = Vector(
            type: column.type, encoding: .flat, count: rows, data: values, dataOwner: pageOwner, pinned: pinned)
        values += rows &* width
        valuesLeft &-= rows
        pageRow &+= rows
        pageRowsLeft &-= rows
        return vector
    }

    /// Adds what the bytes of the current page's strings lie in.
    private func pin(_ owners: inout [any AnyObject]) {
        guard column.type.physical == .view else { return }
        if form == .codes {
            if let dictionary { owners.append(dictionary) }
            return
        }
        if let pageHeap {
            owners += pageHeap.buffers as [any AnyObject]
        } else {
            owners.append(textOwner)
        }
    }

    /// The page's bytes that views point into.
    private var textOwner: Buffer

    /// Codes of the next rows of the page; null rows get code 0.
    private func readCodes(_ rows: Int, into target: UnsafeMutablePointer<UInt32>) throws {
        guard let dictionary else { throw QueryError.corrupted("a page needs a dictionary that is not there") }
        if let pageValidity {
            let packed = scratch.base.assumingMemoryBound(to: UInt32.self)
            let count = BitRange.count(pageValidity.base, pageRow, count: rows)
            try decodeCodes(count, into: packed, entryCount: dictionary.count)
            BitRange.spread(packed, to: target, bits: pageValidity.base, bit: pageRow, count: rows)
        } else {
            try decodeCodes(rows, into: target, entryCount: dictionary.count)
        }
    }

    private func decodeCodes(_ count: Int, into target: UnsafeMutablePointer<UInt32>, entryCount: Int) throws {
        guard codes.decode(into: target, count: count) else { throw PlainValues.tooShort() }
        var largest: UInt32 = 0
        var index = 0
        while index < count {
            largest = max(largest, target[index])
            index &+= 1
        }
        guard count == 0 || Int(largest) < entryCount else {
            throw QueryError.corrupted("a page points beyond its dictionary")
        }
    }

    /// Values of the next rows of the page in the column's layout; null rows become zero.
    private func readFlat(_ rows: Int, into target: UnsafeMutableRawPointer, selection: Selection?) throws {
        let count = pageValidity.map { BitRange.count($0.base, pageRow, count: rows) } ?? rows
        switch form {
        case .codes:
            guard let dictionary else { throw QueryError.corrupted("a page needs a dictionary that is not there") }
            // The scratch buffer holds the codes in its second half and packed codes in its first.
            let packed = scratch.base.assumingMemoryBound(to: UInt32.self)
            try decodeCodes(count, into: packed, entryCount: dictionary.count)
            if let pageValidity {
                let spread = packed + Batch.standardRowCount
                BitRange.spread(packed, to: spread, bits: pageValidity.base, bit: pageRow, count: rows)
                gather(spread, rows, dictionary, target)
            } else if let selection, selection.count &* 2 < rows {
                gather(packed, rows, dictionary, target, selection)
            } else {
                gather(packed, rows, dictionary, target)
            }
        case .values:
            guard count <= valuesLeft else { throw PlainValues.tooShort() }
            if let pageValidity {
                BitRange.spread(values, to: target, width: width, bits: pageValidity.base, bit: pageRow, count: rows)
            } else {
                target.copyMemory(from: values, byteCount: rows &* width)
            }
            values += count &* width
            valuesLeft &-= count
        case .byteArrays:
            if let pageValidity {
                let views = scratch.base.assumingMemoryBound(to: StringView.self)
                try PlainValues.views(&bytes, end: bytesEnd, into: views, count)
                if needsTextCheck { try checkText(views, count) }
                BitRange.spread(views, to: target, width: 16, bits: pageValidity.base, bit: pageRow, count: rows)
            } else {
                let views = target.assumingMemoryBound(to: StringView.self)
                try PlainValues.views(&bytes, end: bytesEnd, into: views, rows)
                if needsTextCheck { try checkText(views, rows) }
            }
        }
    }

    private func gather(
        _ codes: UnsafePointer<UInt32>, _ count: Int, _ dictionary: Vector, _ target: UnsafeMutableRawPointer
    ) {
        switch width {
        case 1: DictionaryGather.all(codes, count, dictionary.values(UInt8.self), target)
        case 2: DictionaryGather.all(codes, count, dictionary.values(UInt16.self), target)
        case 4: DictionaryGather.all(codes, count, dictionary.values(UInt32.self), target)
        case 8: DictionaryGather.all(codes, count, dictionary.values(UInt64.self), target)
        default: DictionaryGather.all(codes, count, dictionary.values(SIMD2<UInt64>.self), target)
        }
    }

    /// Only the selected rows; the others become zero.
    private func gather(
        _ codes: UnsafePointer<UInt32>, _ count: Int, _ dictionary: Vector, _ target: UnsafeMutableRawPointer,
        _ selection: Selection
    ) {
        target.initializeMemory(as: UInt8.self, repeating: 0, count: count &* width)
        switch width {
        case 1: DictionaryGather.some(codes, selection, dictionary.values(UInt8.self), target)
        case 2: DictionaryGather.some(codes, selection, dictionary.values(UInt16.self), target)
        case 4: DictionaryGather.some(codes, selection, dictionary.values(UInt32.self), target)
        case 8: DictionaryGather.some(codes, selection, dictionary.values(UInt64.self), target)
        default: DictionaryGather.some(codes, selection, dictionary.values(SIMD2<UInt64>.self), target)
        }
    }

    // MARK: Pages

    /// Brings the reader to a loaded page with rows left, behind the rows to be skipped.
    private func settle() throws {
        while true {
            if pageRowsLeft == 0 { try nextHeader() }
            if pendingSkip >= pageRowsLeft {
                pendingSkip &-= pageRowsLeft
                if !isPageLoaded { input.advance(header.unsafelyUnwrapped.compressedByteCount) }
                pageRowsLeft = 0
                continue
            }
            if !isPageLoaded { try loadPage() }
            if pendingSkip > 0 {
                try skipInPage(pendingSkip)
                pendingSkip = 0
            }
            return
        }
    }

    private func skipInPage(_ rows: Int) throws {
        let count = pageValidity.map { BitRange.count($0.base, pageRow, count: rows) } ?? rows
        switch form {
        case .codes: guard codes.skip(count) else { throw PlainValues.tooShort() }
        case .values:
            guard count <= valuesLeft else { throw PlainValues.tooShort() }
            values += count &* width
            valuesLeft &-= count
        case .byteArrays: try PlainValues.skipBytes(&bytes, end: bytesEnd, count)
        }
        pageRow &+= rows
        pageRowsLeft &-= rows
    }

    /// Reads headers up to the next data page with rows; loads the dictionary when it comes.
    private func nextHeader() throws {
        while true {
            guard chunkRowsLeft > 0 else { throw QueryError.corrupted("a column has too few pages") }
            let header = try parseHeader()
            guard header.compressedByteCount <= input.remaining else {
                throw QueryError.corrupted("a page is longer than its column")
            }
            switch header.kind {
            case .index: input.advance(header.compressedByteCount)
            case .dictionary:
                guard dictionary == nil else { throw QueryError.corrupted("a column has two dictionaries") }
                try loadDictionary(header)
            case .data, .dataV2:
                guard header.valueCount <= chunkRowsLeft else {
                    throw QueryError.corrupted("a page has more rows than its column")
                }
                if header.valueCount == 0 {
                    input.advance(header.compressedByteCount)
                    continue
                }
                chunkRowsLeft -= header.valueCount
                self.header = header
                isPageLoaded = false
                pageRowsLeft = header.valueCount
                pageRow = 0
                return
            }
        }
    }

    private func parseHeader() throws -> PageHeader {
        try input.ensure(512)
        guard input.available > 0 else { throw QueryError.corrupted("a column has too few pages") }
        while true {
            var reader = ThriftReader(input.pointer, count: input.available)
            do {
                let header = try PageHeader(&reader)
                input.advance(input.available - reader.remaining)
                return header
            } catch {
                // Headers with long statistics may not be there as a whole.
                let available = input.available
                guard available < input.remaining, available < 16 << 20 else { throw error }
                try input.ensure(available * 2)
            }
        }
    }

    /// The page's bytes, decompressed; padded, aligned, owned by the result.
    private func pageBytes(_ header: PageHeader) throws -> Buffer {
        try input.ensure(header.compressedByteCount)
        let source = input.pointer
        if let checksum = header.checksum {
            let actual = crc32(0, source.assumingMemoryBound(to: UInt8.self), UInt32(header.compressedByteCount))
            guard UInt32(truncatingIfNeeded: actual) == checksum else {
                throw QueryError.corrupted("the checksum of a page is wrong")
            }
        }
        // Levels of a page of version 2 lie uncompressed in front.
        let levels = header.kind == .dataV2 ? header.definitionByteCount + header.repetitionByteCount : 0
        guard levels <= header.compressedByteCount, levels <= header.uncompressedByteCount else {
            throw QueryError.corrupted("the levels of a page are longer than the page")
        }
        let target = pagePool.take(max(64, header.uncompressedByteCount))
        if levels > 0 { target.base.copyMemory(from: source, byteCount: levels) }
        let packed = header.compressedByteCount - levels
        let plain = header.uncompressedByteCount - levels
        if plain > 0 || packed > 0 {
            let codec = header.isCompressed ? chunk.codec : .uncompressed
            // Nothing may be left of a page of nulls.
            if plain > 0 || codec == .uncompressed {
                try decompressor.decompress(
                    codec, source + levels, count: packed, into: target.base + levels, capacity: plain)
            }
        }
        input.advance(header.compressedByteCount)
        return target
    }

    private func loadDictionary(_ header: PageHeader) throws {
        guard header.encoding == .plain || header.encoding == .plainDictionary else {
            throw QueryError.corrupted("a dictionary has an encoding that it cannot have")
        }
        let count = header.valueCount
        // Every entry takes at least a bit; byte arrays take at least four bytes.
        guard count <= header.uncompressedByteCount &* 8,
            column.type.physical != .view || column.physical != .byteArray
                || count <= header.uncompressedByteCount / 4
        else { throw PlainValues.tooShort() }
        let page = try pageBytes(header)
        let entries = Vector(flat: column.type, capacity: count)
        try PlainValues.convert(
            column, page.base.assumingMemoryBound(to: UInt8.self), byteCount: header.uncompressedByteCount,
            count: count,
            into: entries.data)
        entries.count = count
        if column.type.physical == .view {
            entries.pinned = [page]
            if isText && !isASCII(page, header.uncompressedByteCount) { try checkText(entries.views, count) }
        }
        use(entries)
        if let cacheKey { DecodedCache.shared.keep(.init(values: entries, end: input.offset), cacheKey) }
    }

    private func use(_ entries: Vector) {
        dictionary = entries
        isDictionaryUseful = entries.count <= 1024 || entries.count <= chunk.valueCount / 2
    }

    private func loadPage() throws {
        guard let header else { throw QueryError.internalError("a page without a header") }
        let page = try pageBytes(header)
        isPageLoaded = true
        pageHeap = nil
        var start = UnsafePointer(page.base.assumingMemoryBound(to: UInt8.self))
        let end = start + header.uncompressedByteCount
        try loadLevels(header, &start, end)
        let count = pageValidity.map { BitRange.count($0.base, 0, count: header.valueCount) } ?? header.valueCount
        try loadValues(header, page, start, end, count)
    }

    /// Reads the definition levels and moves `start` to the values.
    private func loadLevels(
        _ header: PageHeader, _ start: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>
    ) throws {
        pageValidity = nil
        var levels = start
        var levelsEnd = start
        if header.kind == .dataV2 {
            guard
                header.repetitionByteCount == 0
                    || header.repetitionByteCount + header.definitionByteCount <= end - start
            else { throw PlainValues.tooShort() }
            levels = start + header.repetitionByteCount
            levelsEnd = levels + header.definitionByteCount
            start = levelsEnd
            if !column.isNullable { return }
        } else {
            if !column.isNullable { return }
            if header.definitionEncoding == .bitPacked {
                levelsEnd = levels + (header.valueCount + 7) / 8
                guard levelsEnd <= end else { throw PlainValues.tooShort() }
            } else {
                guard end - start >= 4 else { throw PlainValues.tooShort() }
                let count = Int(UnsafeRawPointer(start).loadUnaligned(as: UInt32.self))
                guard count <= end - start - 4 else { throw PlainValues.tooShort() }
                levels = start + 4
                levelsEnd = levels + count
            }
            start = levelsEnd
        }
        let rows = header.valueCount
        let bits = Validity.make(rows: rows, valid: false)
        let words = bits.base.assumingMemoryBound(to: UInt64.self)
        if header.kind == .data && header.definitionEncoding == .bitPacked {
            HybridDecoder.decodeReversedBits(levels, into: words, count: rows)
        } else {
            guard HybridDecoder.decodeBits(levels, end: levelsEnd, into: words, count: rows) != nil else {
                throw QueryError.corrupted("the levels of a page are impossible")
            }
        }
        if BitRange.count(bits.base, 0, count: rows) < rows { pageValidity = bits }
    }

    private func loadValues(
        _ header: PageHeader, _ page: Buffer, _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ count: Int
    ) throws {
        let byteCount = end - start
        textOwner = page
        switch header.encoding {
        case .plainDictionary, .rleDictionary:
            guard let dictionary, dictionary.count > 0 else {
                // Pages without values need no entries.
                guard count == 0 else { throw QueryError.corrupted("a page needs a dictionary that is not there") }
                setValues(page, page.base, 0)
                return
            }
            pageOwner = page
            form = .codes
            guard byteCount > 0, start.pointee <= 32 else { throw PlainValues.tooShort() }
            codes = HybridDecoder(start + 1, end: end, width: Int(start.pointee), scratch: heldCodes)
        case .plain:
            if column.conversion == .bytesToView {
                pageOwner = page
                form = .byteArrays
                needsTextCheck = isText && !isASCII(page, header.uncompressedByteCount)
                bytes = start
                bytesEnd = end
            } else if column.conversion == .identity {
                guard count <= byteCount / width else { throw PlainValues.tooShort() }
                setValues(page, UnsafeMutableRawPointer(mutating: start), count)
            } else {
                try convert(start, byteCount, count)
            }
        case .rle:
            guard column.physical == .boolean, byteCount >= 4 else { throw unexpected(header.encoding) }
            let length = Int(UnsafeRawPointer(start).loadUnaligned(as: UInt32.self))
            guard length <= byteCount - 4 else { throw PlainValues.tooShort() }
            let bits = Validity.make(rows: count, valid: false)
            let words = bits.base.assumingMemoryBound(to: UInt64.self)
            guard HybridDecoder.decodeBits(start + 4, end: start + 4 + length, into: words, count: count) != nil else {
                throw PlainValues.tooShort()
            }
            let target = pagePool.take(max(1, count))
            PlainValues.expandBits(bits.base, target.base.assumingMemoryBound(to: UInt8.self), count)
            setValues(target, target.base, count)
        case .deltaBinaryPacked: try loadDeltas(header, start, end, count)
        case .deltaLengthByteArray, .deltaByteArray: try loadDeltaStrings(header, page, start, end, count)
        case .byteStreamSplit:
            guard let plainWidth = column.physical.width(typeLength: column.typeLength) else {
                throw unexpected(header.encoding)
            }
            guard count <= byteCount / plainWidth else { throw PlainValues.tooShort() }
            let joined = pagePool.take(max(64, count * plainWidth))
            try DeltaDecoder.joinStreams(
                start, byteCount: byteCount, count: count, width: plainWidth,
                into: joined.base.assumingMemoryBound(to: UInt8.self))
            try usePlain(joined, count * plainWidth, count)
        case .bitPacked: throw unexpected(header.encoding)
        }
    }

    private var isText: Bool { column.type.isString || column.type == .json }

    private func isASCII(_ page: Buffer, _ byteCount: Int) -> Bool {
        ck_is_ascii(page.base.assumingMemoryBound(to: UInt8.self), byteCount) != 0
    }

    /// Text must be UTF-8: functions rely on it.
    private func checkText(_ views: UnsafePointer<StringView>, _ count: Int) throws {
        for index in 0..<count {
            guard ck_utf8_invalid(StringView.bytes(at: views + index), views[index].count) < 0 else {
                throw QueryError(
                    .characterNotInRepertoire,
                    "invalid byte sequence for encoding \"UTF8\" in column \"\(column.name)\"")
            }
        }
    }

    private var heldCodes: UnsafeMutablePointer<UInt32> { held.base.assumingMemoryBound(to: UInt32.self) }

    private func unexpected(_ encoding: ParquetEncoding) -> QueryError {
        .corrupted("column \"\(column.name)\" has the encoding \(encoding), which its type cannot have")
    }

    /// Values that lie in the column's layout in `owner`.
    private func setValues(_ owner: Buffer, _ start: UnsafeMutableRawPointer, _ count: Int) {
        form = .values
        pageOwner = owner
        values = start
        valuesLeft = count
        let misaligned = Int(bitPattern: start) & (width - 1)
        if misaligned != 0 {
            // Levels in front are of any length: values move down to where they are aligned.
            let aligned = start - misaligned
            aligned.copyMemory(from: start, byteCount: count * width)
            values = aligned
        }
    }

    /// Converts plain values of the whole page.
    private func convert(_ start: UnsafePointer<UInt8>, _ byteCount: Int, _ count: Int) throws {
        if let plainWidth = column.physical.width(typeLength: column.typeLength) {
            guard count <= byteCount / plainWidth else { throw PlainValues.tooShort() }
        } else {
            guard count <= byteCount * 8 else { throw PlainValues.tooShort() }
        }
        let target = pagePool.take(max(64, count * width))
        try PlainValues.convert(column, start, byteCount: byteCount, count: count, into: target.base)
        setValues(target, target.base, count)
    }

    /// Plain values in `buffer`, converted if need be.
    private func usePlain(_ buffer: Buffer, _ byteCount: Int, _ count: Int) throws {
        textOwner = buffer
        if column.conversion == .identity {
            setValues(buffer, buffer.base, count)
        } else {
            try convert(buffer.base.assumingMemoryBound(to: UInt8.self), byteCount, count)
        }
    }

    private func loadDeltas(
        _ header: PageHeader, _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ count: Int
    ) throws {
        let is32Bit = column.physical == .int32
        guard is32Bit || column.physical == .int64 else { throw unexpected(header.encoding) }
        let (decoded, _) = try DeltaDecoder.integers(start, end: end, expected: count, is32Bit: is32Bit)
        if is32Bit {
            let wide = decoded.base.assumingMemoryBound(to: Int64.self)
            let narrow = decoded.base.assumingMemoryBound(to: Int32.self)
            var index = 0
            while index < count {
                narrow[index] = Int32(truncatingIfNeeded: wide[index])
                index &+= 1
            }
        }
        try usePlain(decoded, count * (is32Bit ? 4 : 8), count)
    }

    private func loadDeltaStrings(
        _ header: PageHeader, _ page: Buffer, _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ count: Int
    ) throws {
        let isFixed = column.physical == .fixedByteArray && header.encoding == .deltaByteArray
        guard column.physical == .byteArray || isFixed else { throw unexpected(header.encoding) }
        guard count <= DeltaDecoder.valueCountMax else { throw QueryError.corrupted("a page has too many values") }
        let target = pagePool.take(max(64, count * 16))
        let views = target.base.assumingMemoryBound(to: StringView.self)
        if header.encoding == .deltaLengthByteArray {
            try DeltaDecoder.byteArrays(start, end: end, count: count, into: views)
        } else {
            let heap = StringHeap()
            try DeltaDecoder.prefixedByteArrays(start, end: end, count: count, heap: heap, into: views)
            pageHeap = heap
        }
        if column.type.physical == .view {
            if isText && !isASCII(page, header.uncompressedByteCount) { try checkText(views, count) }
            setValues(target, target.base, count)
            return
        }
        // Decimals, identifiers and the like: put the bytes together as plain values and convert those.
        var byteCount = 0
        for index in 0..<count { byteCount += views[index].count + (isFixed ? 0 : 4) }
        if isFixed && byteCount != count * column.typeLength { throw PlainValues.tooShort() }
        let plain = Buffer(byteCount: max(64, byteCount))
        var offset = 0
        for index in 0..<count {
            let length = views[index].count
            if !isFixed {
                (plain.base + offset).storeBytes(of: UInt32(length), as: UInt32.self)
                offset += 4
            }
            (plain.base + offset).copyMemory(from: StringView.bytes(at: views + index), byteCount: length)
            offset += length
        }
        pageHeap = nil
        try usePlain(plain, byteCount, count)
    }
}

/// Looking up dictionary entries.
enum DictionaryGather {
    @inline(__always)
    static func all<T>(
        _ codes: UnsafePointer<UInt32>, _ count: Int, _ entries: UnsafePointer<T>, _ target: UnsafeMutableRawPointer
    ) {
        let values = target.assumingMemoryBound(to: T.self)
        var index = 0
        while index < count {
            values[index] = entries[Int(truncatingIfNeeded: codes[index])]
            index &+= 1
        }
    }

    @inline(__always)
    static func some<T>(
        _ codes: UnsafePointer<UInt32>, _ selection: Selection, _ entries: UnsafePointer<T>,
        _ target: UnsafeMutableRawPointer
    ) {
        let values = target.assumingMemoryBound(to: T.self)
        let rows = selection.rows
        let count = selection.count
        var index = 0
        while index < count {
            let row = Int(rows[index])
            values[row] = entries[Int(truncatingIfNeeded: codes[row])]
            index &+= 1
        }
    }
}
