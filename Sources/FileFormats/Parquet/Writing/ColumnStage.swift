// The values of one column of a row group, kept as codes or plain bytes until the group goes out.
//
// A column begins with a dictionary and leaves it, for the rest of the row group, as soon as it does not pay. Batches are
// taken apart at once: what the stage holds is about what the file will hold before compression, and no batch is kept.

import Columnar
import Diagnostics

/// A data page whose rows are complete.
struct StagedPage {
    var firstRow = 0
    var rowCount = 0
    var nullCount = 0
    var valueCount = 0
    /// Values are codes, from this one of the stage on; otherwise `plain` says where they lie.
    var isDictionary = false
    var firstCode = 0
    var plain = 0..<0
    /// Where the definition levels lie, encoded.
    var levels = 0..<0
    var bounds = StagedBounds.none
}

final class ColumnStage {
    static let pageRowCountMax = 20_000
    static let pageByteCountMax = 1 << 20
    private static let dictionaryByteCountMax = 1 << 20
    /// So many entries are always taken.
    private static let trialEntryCount = 16_384
    /// A dictionary that does not pay in the end is given up if its values do not take more than this.
    private static let rewrittenByteCountMax = 8 << 20

    let type: ParquetColumnType
    private(set) var rowCount = 0
    private(set) var pages: [StagedPage] = []
    /// UInt32 each.
    let codes = GrowingBytes()
    let plain = GrowingBytes()
    let levels = GrowingBytes(capacity: 512)
    private(set) var narrow = IntegerDictionary<UInt32>()
    private(set) var wide = IntegerDictionary<UInt64>()
    private(set) var strings = StringDictionary()
    private(set) var takesCodes: Bool

    private var page = StagedPage()
    private let pageValidity = Validity.make(rows: ColumnStage.pageRowCountMax, valid: false)
    private let scratch = GrowingBytes()
    /// The codes here for the entries of the dictionary vector that came last.
    private var map: (source: Vector, codes: [UInt32])?
    private static let unmapped = UInt32.max
    private static let mappedToNull = UInt32.max - 1

    init(_ type: ParquetColumnType) {
        self.type = type
        takesCodes = type.layout != .bits && type.layout != .fixed
    }

    /// Empties the stage for the next row group.
    func reset() {
        rowCount = 0
        pages = []
        codes.shrink(to: 4 << 20)
        plain.shrink(to: 4 << 20)
        levels.removeAll()
        narrow = IntegerDictionary()
        wide = IntegerDictionary()
        strings = StringDictionary()
        takesCodes = type.layout != .bits && type.layout != .fixed
        page = StagedPage()
        map = nil
    }

    /// About the memory it takes.
    /// Memory that it keeps.
    var heldByteCount: Int { codes.capacity + plain.capacity + levels.capacity + dictionaryByteCount }
    var byteCount: Int { codes.count + plain.count + levels.count + dictionaryByteCount }

    var entryCount: Int {
        switch type.layout {
        case .four: narrow.count
        case .eight: wide.count
        default: strings.count
        }
    }
    private var dictionaryByteCount: Int { type.layout == .bytes ? strings.plainByteCount : entryCount * type.width }

    // MARK: Rows

    func append(_ vector: Vector) throws {
        if vector.encoding == .dictionary, takesCodes, let entries = vector.dictionary {
            let isKnown = map?.source === entries
            if isKnown || entries.count <= vector.count * 4 { return try appendCodes(vector, entries) }
        }
        let flat = try type.prepared(vector.flattened())
        var start = 0
        while start < flat.count {
            let wanted = min(flat.count - start, ColumnStage.pageRowCountMax - page.rowCount)
            let taken = appendValues(flat, start, wanted)
            if let validity = flat.validity {
                note(validity, start, taken)
            } else {
                BitRange.set(validityWords, page.rowCount, count: taken)
                page.rowCount += taken
                page.valueCount += taken
            }
            start += taken
            closePageIfFull()
        }
        try checkNulls()
    }

    private var validityWords: UnsafeMutablePointer<UInt64> { pageValidity.base.assumingMemoryBound(to: UInt64.self) }

    private func note(_ validity: UnsafeMutablePointer<UInt64>, _ start: Int, _ count: Int) {
        BitRange.copy(validity, start, to: validityWords, page.rowCount, count: count)
        let valid = BitRange.count(validity, start, count: count)
        page.rowCount += count
        page.valueCount += valid
        page.nullCount += count - valid
    }

    private func checkNulls() throws {
        guard !type.field.isNullable, page.nullCount > 0 || (pages.last?.nullCount ?? 0) > 0 else { return }
        throw QueryError.internalError("a null in column \"\(type.field.name)\", which has none")
    }

    private func closePageIfFull() {
        if takesCodes {
            let entries = entryCount
            let isPoor = entries > ColumnStage.trialEntryCount && entries * 2 > codes.count / 4
            if isPoor || dictionaryByteCount > ColumnStage.dictionaryByteCountMax {
                closePage()
                takesCodes = false
                map = nil
                return
            }
        }
        if page.rowCount == ColumnStage.pageRowCountMax
            || (!takesCodes && plain.count - page.plain.lowerBound >= ColumnStage.pageByteCountMax)
        {
            closePage()
        }
    }

    /// Appends the values of up to `count` rows that are not null; how many rows it took.
    private func appendValues(_ flat: Vector, _ start: Int, _ count: Int) -> Int {
        let validity = flat.validity
        switch type.layout {
        case .bits: append(flat.values(UInt8.self), validity, start, count, to: plain)
        case .four:
            let source = flat.values(UInt32.self)
            if takesCodes {
                encode(source, validity, start, count, narrow)
            } else {
                append(source, validity, start, count, to: plain)
            }
        case .eight:
            let source = flat.values(UInt64.self)
            if takesCodes {
                encode(source, validity, start, count, wide)
            } else {
                append(source, validity, start, count, to: plain)
            }
        case .fixed:
            let width = type.typeLength
            var target = plain.room(count * width)
            let first = target
            for row in start..<(start + count) where validity.map({ Validity.isValid($0, row) }) ?? true {
                target.copyMemory(from: flat.data + row * width, byteCount: width)
                target += width
            }
            plain.advance(target - first)
        case .bytes: return takesCodes ? encodeStrings(flat, start, count) : appendStrings(flat, start, count)
        }
        return count
    }

    @inline(__always)
    private func append<T: FixedWidthInteger & BitwiseCopyable>(
        _ source: UnsafeMutablePointer<T>, _ validity: UnsafeMutablePointer<UInt64>?, _ start: Int, _ count: Int,
        to bytes: GrowingBytes
    ) {
        let room = bytes.room(count * MemoryLayout<T>.size)
        guard let validity else {
            room.copyMemory(from: source + start, byteCount: count * MemoryLayout<T>.size)
            return bytes.advance(count * MemoryLayout<T>.size)
        }
        var done = 0
        var index = 0
        while index < count {
            // Plain bytes of strings lie before: values need not be aligned.
            room.storeBytes(of: source[start &+ index], toByteOffset: done &* MemoryLayout<T>.size, as: T.self)
            done &+= Validity.isValid(validity, start &+ index) ? 1 : 0
            index &+= 1
        }
        bytes.advance(done * MemoryLayout<T>.size)
    }

    @inline(__always)
    private func encode<T: FixedWidthInteger & BitwiseCopyable>(
        _ source: UnsafeMutablePointer<T>, _ validity: UnsafeMutablePointer<UInt64>?, _ start: Int, _ count: Int,
        _ dictionary: IntegerDictionary<T>
    ) {
        var values = UnsafePointer(source + start)
        var valueCount = count
        if validity != nil {
            scratch.removeAll()
            append(source, validity, start, count, to: scratch)
            values = UnsafePointer(scratch.base.assumingMemoryBound(to: T.self))
            valueCount = scratch.count / MemoryLayout<T>.size
        }
        let target = codes.room(valueCount * 4).assumingMemoryBound(to: UInt32.self)
        dictionary.encode(values, count: valueCount, into: target)
        codes.advance(valueCount * 4)
    }

    private func encodeStrings(_ flat: Vector, _ start: Int, _ count: Int) -> Int {
        let target = codes.room(count * 4).assumingMemoryBound(to: UInt32.self)
        var done = 0
        var row = start
        while row < start + count {
            if flat.validity.map({ Validity.isValid($0, row) }) ?? true {
                let view = flat.views + row
                target[done] = strings.code(view.pointee, hash: Hashing.hash(view))
                done &+= 1
            }
            row &+= 1
            if strings.plainByteCount > ColumnStage.dictionaryByteCountMax { break }
        }
        codes.advance(done * 4)
        return row - start
    }

    private func appendStrings(_ flat: Vector, _ start: Int, _ count: Int) -> Int {
        let end = page.plain.lowerBound + ColumnStage.pageByteCountMax
        var row = start
        while row < start + count && plain.count < end {
            if flat.validity.map({ Validity.isValid($0, row) }) ?? true {
                ColumnStage.append(flat.views + row, to: plain)
            }
            row &+= 1
        }
        return row - start
    }

    @inline(__always)
    private static func append(_ view: UnsafePointer<StringView>, to bytes: GrowingBytes) {
        let count = view.pointee.count
        let room = bytes.room(count &+ 4)
        room.storeBytes(of: UInt32(truncatingIfNeeded: count).littleEndian, as: UInt32.self)
        (room + 4).copyMemory(from: StringView.bytes(at: view), byteCount: count)
        bytes.advance(count &+ 4)
    }

    // MARK: Dictionary vectors

    /// Each entry that is used gets its code once; rows are looked up.
    private func appendCodes(_ vector: Vector, _ entries: Vector) throws {
        if map?.source !== entries {
            map = (entries, [UInt32](repeating: ColumnStage.unmapped, count: entries.count))
        }
        var known = map?.codes ?? []
        // One owner, so that writing does not copy.
        map = nil
        var prepared: Vector?
        var start = 0
        while start < vector.count {
            let count = min(vector.count - start, ColumnStage.pageRowCountMax - page.rowCount)
            let target = codes.room(count * 4).assumingMemoryBound(to: UInt32.self)
            var done = 0
            var index = 0
            while index < count {
                let row = start &+ index
                let isValid = vector.validity.map { Validity.isValid($0, row) } ?? true
                if isValid {
                    let entry = Int(vector.codes[row])
                    var code = known[entry]
                    if code == ColumnStage.unmapped {
                        let source = try prepared ?? type.prepared(entries)
                        prepared = source
                        code = entryCode(source, entry)
                        known[entry] = code
                    }
                    if code != ColumnStage.mappedToNull {
                        target[done] = code
                        done &+= 1
                        Validity.setValid(validityWords, page.rowCount &+ index)
                    }
                }
                index &+= 1
            }
            codes.advance(done * 4)
            page.rowCount += count
            page.valueCount += done
            page.nullCount += count - done
            start += count
            if page.rowCount == ColumnStage.pageRowCountMax { closePage() }
        }
        map = (entries, known)
        closePageIfFull()
        try checkNulls()
    }

    private func entryCode(_ entries: Vector, _ index: Int) -> UInt32 {
        if let validity = entries.validity, !Validity.isValid(validity, index) { return ColumnStage.mappedToNull }
        switch type.layout {
        case .four: return narrow.code(entries.values(UInt32.self)[index])
        case .eight: return wide.code(entries.values(UInt64.self)[index])
        default: return strings.code(entries.views[index], hash: Hashing.hash(entries.views + index))
        }
    }

    // MARK: Pages

    private func closePage() {
        guard page.rowCount > 0 else { return }
        page.firstRow = rowCount
        page.isDictionary = takesCodes
        if takesCodes {
            page.plain = plain.count..<plain.count
        } else {
            page.plain = page.plain.lowerBound..<plain.count
        }
        if type.field.isNullable { encodeLevels() }
        page.bounds = bounds(page)
        rowCount += page.rowCount
        pages.append(page)
        validityWords.update(repeating: 0, count: Validity.wordCount(page.rowCount))
        var next = StagedPage()
        next.firstCode = codes.count / 4
        next.plain = plain.count..<plain.count
        page = next
    }

    /// Definition levels: one run if all are the same, bits otherwise.
    private func encodeLevels() {
        let start = levels.count
        levels.append(UInt32(0))
        if page.nullCount == 0 || page.valueCount == 0 {
            levels.append(varint: page.rowCount << 1)
            levels.append(UInt8(page.nullCount == 0 ? 1 : 0))
        } else {
            let groups = (page.rowCount + 7) / 8
            levels.append(varint: groups << 1 | 1)
            levels.append(pageValidity.base, count: groups)
        }
        let byteCount = UInt32(levels.count - start - 4)
        (levels.base + start).storeBytes(of: byteCount.littleEndian, as: UInt32.self)
        page.levels = start..<levels.count
    }

    private func bounds(_ page: StagedPage) -> StagedBounds {
        let count = page.valueCount
        let base = UnsafeRawPointer(plain.base + page.plain.lowerBound)
        if page.isDictionary {
            let codes = UnsafePointer(codes.base.assumingMemoryBound(to: UInt32.self) + page.firstCode)
            switch type.order {
            case .int32:
                let entries = narrow.entries
                return .integers(count) { Int32(bitPattern: entries[Int(codes[$0])]) }
            case .float:
                let entries = narrow.entries
                return .doubles(count) { Float(bitPattern: entries[Int(codes[$0])]) }
            case .int64:
                let entries = wide.entries
                return .integers(count) { Int64(bitPattern: entries[Int(codes[$0])]) }
            case .double:
                let entries = wide.entries
                return .doubles(count) { Double(bitPattern: entries[Int(codes[$0])]) }
            case .text, .bytes:
                return .strings(codes, count: count, entries: strings.entries, isText: type.order == .text)
            default: return .none
            }
        }
        switch type.order {
        case .boolean: return .integers(count) { base.load(fromByteOffset: $0, as: Int8.self) }
        case .int32: return .integers(count) { base.loadUnaligned(fromByteOffset: $0 &* 4, as: Int32.self) }
        case .int64: return .integers(count) { base.loadUnaligned(fromByteOffset: $0 &* 8, as: Int64.self) }
        case .float: return .doubles(count) { base.loadUnaligned(fromByteOffset: $0 &* 4, as: Float.self) }
        case .double: return .doubles(count) { base.loadUnaligned(fromByteOffset: $0 &* 8, as: Double.self) }
        case .bytes where type.layout == .fixed, .signedBytes:
            return .fixed(base, count: count, width: type.typeLength, isSigned: type.order == .signedBytes)
        case .text, .bytes: return .byteArrays(base, count: count, isText: type.order == .text)
        case .none: return .none
        }
    }

    /// Closes the last page. A dictionary that does not pay is replaced by plain values.
    func finish() {
        closePage()
        let values = codes.count / 4
        guard takesCodes, entryCount * 2 > values, values > 0 else { return }
        let codes = self.codes.base.assumingMemoryBound(to: UInt32.self)
        var byteCount = values * type.width
        if type.layout == .bytes {
            strings.entries.withUnsafeBufferPointer { entries in
                for index in 0..<values { byteCount += entries[Int(codes[index])].count + 4 }
            }
        }
        guard byteCount <= ColumnStage.rewrittenByteCountMax else { return }
        for index in pages.indices {
            let first = pages[index].firstCode
            let start = plain.count
            for code in first..<(first + pages[index].valueCount) {
                let entry = Int(codes[code])
                switch type.layout {
                case .four: plain.append(narrow.entries[entry])
                case .eight: plain.append(wide.entries[entry])
                default:
                    strings.entries.withUnsafeBufferPointer { entries in
                        if let base = entries.baseAddress { ColumnStage.append(base + entry, to: plain) }
                    }
                }
            }
            pages[index].isDictionary = false
            pages[index].plain = start..<plain.count
        }
        takesCodes = false
    }

    /// The plain values of the dictionary.
    func appendDictionary(to bytes: GrowingBytes) {
        switch type.layout {
        case .four: bytes.append(narrow.entries, count: narrow.count * 4)
        case .eight: bytes.append(wide.entries, count: wide.count * 8)
        default:
            strings.entries.withUnsafeBufferPointer { entries in
                guard let base = entries.baseAddress else { return }
                for index in 0..<entries.count { ColumnStage.append(base + index, to: bytes) }
            }
        }
    }
}
