// Opening Arrow IPC files: footer, schema, where record batches lie.

import CKernels
import CLZ4
import CZstd
import Columnar
import Diagnostics

/// The footer of a file, and the headers of its batches. Immutable.
final class ArrowFile: Sendable {
    struct Block: Sendable {
        var offset: Int
        var metadataByteCount: Int
        var bodyByteCount: Int
        var rowCount = 0
    }

    private static let tailByteCount = 64 << 10

    let identity: FileIdentity
    let store: any FileStore
    let columns: [ArrowColumn]
    let batches: [Block]
    private let dictionaries: [Block]

    static func corrupted(_ what: String) -> QueryError { QueryError(.dataCorrupted, "invalid Arrow file: \(what)") }

    init(_ identity: FileIdentity, in store: any FileStore) throws {
        self.identity = identity
        self.store = store
        var file = try store.open(identity)
        do {
            let size = identity.byteCount
            guard size >= 24 else { throw ArrowFile.corrupted("it is too short") }
            // Of a server's file the end comes as a whole, and then the heads of all batches at the same time.
            if file.isRemote { file = try PrefetchedFile(file, [max(0, size - ArrowFile.tailByteCount)..<size]) }
            let tail = try ArrowFile.bytes(file, size - 10, 10)
            guard tail[4...].elementsEqual("ARROW1".utf8) else {
                throw ArrowFile.corrupted("it does not end with ARROW1")
            }
            let count = Int(tail[0]) | Int(tail[1]) << 8 | Int(tail[2]) << 16 | Int(tail[3]) << 24
            guard count > 0, count <= size - 18 else { throw ArrowFile.corrupted("the footer is longer than the file") }
            let footer = try FlatTable(root: ArrowFile.bytes(file, size - 10 - count, count))
            guard let schema = try footer.table(1) else { throw FlatTable.broken() }
            columns = try ArrowSchema.columns(schema)
            func blocks(_ slot: Int) throws -> [Block] {
                try footer.structs(slot, wordCount: 3).map { words in
                    let block = Block(
                        offset: Int(words[0]), metadataByteCount: Int(Int32(truncatingIfNeeded: words[1])),
                        bodyByteCount: Int(words[2]))
                    guard block.offset >= 8, block.metadataByteCount >= 8, block.bodyByteCount >= 0,
                        block.offset <= size,
                        block.metadataByteCount <= size - block.offset,
                        block.bodyByteCount <= size - block.offset - block.metadataByteCount
                    else { throw ArrowFile.corrupted("a batch lies outside of the file") }
                    return block
                }
            }
            dictionaries = try blocks(2)
            let found = try blocks(3)
            if file.isRemote {
                file = try PrefetchedFile(
                    file, found.map { $0.offset..<$0.offset + min($0.metadataByteCount, ArrowFile.tailByteCount) })
            }
            batches = try found.map { block in
                var block = block
                let count = Int(try ArrowFile.header(file, block, kind: 3).integer(0, Int64.self))
                guard count >= 0, count <= 1 << 40 else {
                    throw ArrowFile.corrupted("a batch has an impossible length")
                }
                block.rowCount = count
                return block
            }
        } catch var error as QueryError {
            if error.object == nil {
                error.object = identity.path
                error.detail = "File: \(identity.path)."
            }
            throw error
        }
    }

    private static func bytes(_ file: any ReadableFile, _ offset: Int, _ count: Int) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            if let base = buffer.baseAddress { try file.read(into: base, count: count, at: offset) }
            filled = count
        }
    }

    /// The header of a message of the given kind.
    static func header(_ file: any ReadableFile, _ block: Block, kind: UInt8) throws -> FlatTable {
        var bytes = try bytes(file, block.offset, block.metadataByteCount)
        // Before format 0.15 there was no mark in front of the length.
        bytes.removeFirst(bytes.prefix(4).allSatisfy { $0 == 255 } ? 8 : 4)
        let message = try FlatTable(root: bytes)
        guard try message.integer(1, UInt8.self) == kind, let header = try message.table(2) else {
            throw ArrowFile.corrupted("a message is of another kind than the footer says")
        }
        return header
    }

    /// The dictionary with this number as a flat vector.
    func dictionary(_ number: Int64, of column: ArrowColumn, _ file: any ReadableFile) throws -> Vector {
        var found: Vector?
        for block in dictionaries {
            let header = try ArrowFile.header(file, block, kind: 2)
            guard try header.integer(0, Int64.self) == number, let data = try header.table(1) else { continue }
            guard found == nil, try header.integer(2, UInt8.self) == 0 else {
                throw QueryError.notSupported("an Arrow file whose dictionaries grow")
            }
            var values = column
            (values.dictionary, values.index, values.firstNode, values.firstBuffer) = (nil, nil, 0, 0)
            found = try ArrowBatch(data, block, ArrowFileBody(file: file)).vector(values)
        }
        guard let found else { throw ArrowFile.corrupted("a dictionary is missing") }
        return found
    }
}

/// Where the bodies of batches are read from.
protocol ArrowBodySource {
    func read(into target: UnsafeMutableRawPointer, count: Int, at offset: Int) throws
}

/// Bodies that lie in a file.
struct ArrowFileBody: ArrowBodySource {
    let file: any ReadableFile

    func read(into target: UnsafeMutableRawPointer, count: Int, at offset: Int) throws {
        try file.read(into: target, count: count, at: offset)
    }
}

/// One record batch: its buffers, read and decompressed as they are asked for. Confined to its reader.
struct ArrowBatch {
    /// The largest buffer that is accepted, decompressed.
    private static let byteCountMax: Int64 = 1 << 31

    let rowCount: Int
    private let nodes: [[Int64]]
    private let buffers: [[Int64]]
    private let codec: UInt8?
    private let bodyOffset: Int
    private let bodyByteCount: Int
    private let source: any ArrowBodySource

    init(_ header: FlatTable, _ block: ArrowFile.Block, _ source: any ArrowBodySource) throws {
        rowCount = Int(try header.integer(0, Int64.self))
        nodes = try header.structs(1, wordCount: 2)
        buffers = try header.structs(2, wordCount: 2)
        codec = try header.table(3).map { try $0.integer(0, UInt8.self) }
        bodyOffset = block.offset + block.metadataByteCount
        bodyByteCount = block.bodyByteCount
        self.source = source
        guard rowCount >= 0, rowCount <= 1 << 32 else { throw ArrowFile.corrupted("a batch has an impossible length") }
    }

    /// Bytes of buffers read so far are the batch's; for metrics.
    var byteCount: Int { bodyByteCount }

    /// A buffer of at least `needed` bytes.
    private func buffer(_ index: Int, atLeast needed: Int) throws -> (memory: Buffer, count: Int) {
        guard index < buffers.count else { throw ArrowFile.corrupted("a batch has too few buffers") }
        let offset = Int(buffers[index][0])
        let count = Int(buffers[index][1])
        guard offset >= 0, count >= 0, offset <= bodyByteCount, count <= bodyByteCount - offset else {
            throw ArrowFile.corrupted("a buffer lies outside of its batch")
        }
        var memory = Buffer(byteCount: max(1, count))
        try source.read(into: memory.base, count: count, at: bodyOffset + offset)
        var filled = count
        if let codec, count > 0 {
            guard count >= 8 else { throw ArrowFile.corrupted("a buffer is too short") }
            let length = Int64(littleEndian: memory.base.loadUnaligned(as: Int64.self))
            if length == -1 {
                filled = count - 8
                let plain = Buffer(byteCount: max(1, filled))
                plain.base.copyMemory(from: memory.base + 8, byteCount: filled)
                memory = plain
            } else {
                guard length >= 0, length <= ArrowBatch.byteCountMax else {
                    throw ArrowFile.corrupted("a buffer has an impossible length")
                }
                filled = Int(length)
                let plain = Buffer(byteCount: max(1, filled))
                guard ArrowBatch.decompress(codec, memory.base + 8, count - 8, plain.base, filled) else {
                    throw ArrowFile.corrupted("a buffer cannot be decompressed")
                }
                memory = plain
            }
        }
        guard filled >= needed else { throw ArrowFile.corrupted("a buffer is too short") }
        return (memory, filled)
    }

    private static func decompress(
        _ codec: UInt8, _ source: UnsafeRawPointer, _ count: Int, _ target: UnsafeMutableRawPointer, _ capacity: Int
    ) -> Bool {
        if codec == 1 { return ZSTD_decompress(target, capacity, source, count) == capacity }
        guard codec == 0 else { return false }
        var context: OpaquePointer?
        guard LZ4F_isError(LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))) == 0 else { return false }
        defer { LZ4F_freeDecompressionContext(context) }
        var read = 0
        var written = 0
        while read < count {
            var room = capacity - written
            var taken = count - read
            let result = LZ4F_decompress(context, target + written, &room, source + read, &taken, nil)
            if LZ4F_isError(result) != 0 || (taken == 0 && room == 0) { return false }
            read += taken
            written += room
            if result == 0 { break }
        }
        return written == capacity
    }

    /// All rows of a column, flat or with codes into `dictionary`.
    func vector(_ column: ArrowColumn, dictionary: Vector? = nil) throws -> Vector {
        guard column.firstNode < nodes.count, Int(nodes[column.firstNode][0]) == rowCount else {
            throw ArrowFile.corrupted("column \"\(column.name)\" does not have the rows of its batch")
        }
        let nullCount = Int(nodes[column.firstNode][1])
        if case .null = column.layout { return Vector.constant(.null, type: column.type, count: rowCount) }
        var validity: Buffer?
        if nullCount != 0 {
            let (memory, count) = try buffer(column.firstBuffer, atLeast: 0)
            if count > 0 {
                guard count >= (rowCount + 7) / 8 else { throw ArrowFile.corrupted("a buffer is too short") }
                validity = memory
            }
        }
        let data = column.firstBuffer + 1
        let result: Vector
        if let dictionary, case .integer(let bits, let isSigned)? = column.index {
            result = try codes(data, bits, isSigned, validity, dictionary)
        } else {
            result = try values(column, data)
        }
        if let validity {
            result.validity = validity.base.assumingMemoryBound(to: UInt64.self)
            result.validityOwner = validity
            if result.physical == .view, result.encoding == .flat {
                for row in 0..<rowCount where result.isNull(row) { result.views[row] = StringView() }
            }
        }
        return result
    }

    private func codes(
        _ index: Int, _ bits: Int, _ isSigned: Bool, _ validity: Buffer?, _ dictionary: Vector
    ) throws -> Vector {
        let (source, _) = try buffer(index, atLeast: rowCount * bits / 8)
        let codes = Buffer(byteCount: max(4, rowCount * 4))
        let target = codes.base.assumingMemoryBound(to: UInt32.self)
        let words = validity?.base.assumingMemoryBound(to: UInt64.self)
        for row in 0..<rowCount {
            let value = ArrowBatch.integer(source.base, row, bits, isSigned)
            if let words, !Validity.isValid(words, row) {
                target[row] = 0
                continue
            }
            guard value >= 0, value < Int128(dictionary.count) else {
                throw ArrowFile.corrupted("a code lies outside of its dictionary")
            }
            target[row] = UInt32(truncatingIfNeeded: value)
        }
        // Codes of null rows must point somewhere.
        if dictionary.count == 0 { return Vector.constant(.null, type: dictionary.type, count: rowCount).flattened() }
        return Vector(codes: codes, count: rowCount, dictionary: dictionary)
    }

    @inline(__always)
    private static func integer(_ base: UnsafeRawPointer, _ row: Int, _ bits: Int, _ isSigned: Bool) -> Int128 {
        switch (bits, isSigned) {
        case (8, true): Int128(base.load(fromByteOffset: row, as: Int8.self))
        case (8, false): Int128(base.load(fromByteOffset: row, as: UInt8.self))
        case (16, true): Int128(base.load(fromByteOffset: row &* 2, as: Int16.self))
        case (16, false): Int128(base.load(fromByteOffset: row &* 2, as: UInt16.self))
        case (32, true): Int128(base.load(fromByteOffset: row &* 4, as: Int32.self))
        case (32, false): Int128(base.load(fromByteOffset: row &* 4, as: UInt32.self))
        case (_, true): Int128(base.load(fromByteOffset: row &* 8, as: Int64.self))
        case (_, false): Int128(base.load(fromByteOffset: row &* 8, as: UInt64.self))
        }
    }

    private func values(_ column: ArrowColumn, _ index: Int) throws -> Vector {
        let type = column.type
        let count = rowCount
        func filled(_ store: (Vector) -> Void) -> Vector {
            let vector = Vector(flat: type, capacity: count)
            store(vector)
            return vector
        }
        switch column.layout {
        case .null: return Vector.constant(.null, type: type, count: count)
        case .bits:
            let (source, _) = try buffer(index, atLeast: (count + 7) / 8)
            let words = source.base.assumingMemoryBound(to: UInt64.self)
            return filled { vector in
                for row in 0..<count { vector.values(UInt8.self)[row] = Validity.isValid(words, row) ? 1 : 0 }
            }
        case .plain:
            let (source, _) = try buffer(index, atLeast: count * type.physical.width)
            return Vector(type: type, encoding: .flat, count: count, data: source.base, dataOwner: source)
        case .integer(let bits, let isSigned):
            let (source, _) = try buffer(index, atLeast: count * bits / 8)
            return filled { vector in
                for row in 0..<count {
                    let value = ArrowBatch.integer(source.base, row, bits, isSigned)
                    switch vector.physical {
                    case .int16: vector.values(Int16.self)[row] = Int16(truncatingIfNeeded: value)
                    case .int32: vector.values(Int32.self)[row] = Int32(truncatingIfNeeded: value)
                    case .int64: vector.values(Int64.self)[row] = Int64(truncatingIfNeeded: value)
                    default: vector.values(Int128.self)[row] = value
                    }
                }
            }
        case .float16:
            let (source, _) = try buffer(index, atLeast: count * 2)
            return filled { vector in
                for row in 0..<count {
                    let bits = source.base.load(fromByteOffset: row * 2, as: UInt16.self)
                    vector.values(Float.self)[row] = PlainValues.float(half: bits)
                }
            }
        case .decimal(let bits):
            let (source, _) = try buffer(index, atLeast: count * bits / 8)
            return filled { vector in
                for row in 0..<count {
                    let value =
                        bits == 128
                        ? source.base.loadUnaligned(fromByteOffset: row * 16, as: Int128.self)
                        : ArrowBatch.integer(source.base, row, bits, true)
                    if vector.physical == .int64 {
                        vector.values(Int64.self)[row] = Int64(truncatingIfNeeded: value)
                    } else {
                        vector.values(Int128.self)[row] = value
                    }
                }
            }
        case .scaled(let bits, let multiplier, let divisor):
            let (source, _) = try buffer(index, atLeast: count * bits / 8)
            if bits == 64, multiplier == 1, divisor == 1 {
                return Vector(type: type, encoding: .flat, count: count, data: source.base, dataOwner: source)
            }
            return filled { vector in
                for row in 0..<count {
                    let value = Int64(truncatingIfNeeded: ArrowBatch.integer(source.base, row, bits, true))
                    let scaled = value.multipliedReportingOverflow(by: multiplier)
                    let whole = scaled.overflow ? (value < 0 ? Int64.min : .max) : scaled.partialValue
                    // Towards the past, as for times before 1970 too.
                    let result = whole >= 0 ? whole / divisor : ~(~whole / divisor)
                    if vector.physical == .int32 {
                        vector.values(Int32.self)[row] = Int32(clamping: result)
                    } else {
                        vector.values(Int64.self)[row] = result
                    }
                }
            }
        case .months, .daysAndMilliseconds, .monthsDaysNanoseconds:
            let width = column.layout == .months ? 4 : column.layout == .daysAndMilliseconds ? 8 : 16
            let (source, _) = try buffer(index, atLeast: count * width)
            return filled { vector in
                for row in 0..<count {
                    let at = UnsafeRawPointer(source.base) + row * width
                    let first = at.loadUnaligned(as: Int32.self)
                    var value = IntervalValue(months: first)
                    if width == 8 {
                        let milliseconds = at.loadUnaligned(fromByteOffset: 4, as: Int32.self)
                        value = IntervalValue(days: first, microseconds: Int64(milliseconds) * 1000)
                    } else if width == 16 {
                        value.days = at.loadUnaligned(fromByteOffset: 4, as: Int32.self)
                        value.microseconds = at.loadUnaligned(fromByteOffset: 8, as: Int64.self) / 1000
                    }
                    vector.values(IntervalValue.self)[row] = value
                }
            }
        case .uuid:
            let (source, _) = try buffer(index, atLeast: count * 16)
            return filled { vector in
                let words = source.base.assumingMemoryBound(to: UInt64.self)
                for row in 0..<count {
                    vector.values(UUIDValue.self)[row] = UUIDValue(
                        high: UInt64(bigEndian: words[row * 2]), low: UInt64(bigEndian: words[row * 2 + 1]))
                }
            }
        case .fixedBytes(let width):
            let (source, _) = try buffer(index, atLeast: count * width)
            let vector = filled { vector in
                let base = source.base.assumingMemoryBound(to: UInt8.self)
                for row in 0..<count { vector.views[row] = StringView(base + row * width, count: width) }
            }
            vector.pinned = [source]
            return vector
        case .bytes(let offsetBits): return try strings(column, index, offsetBits)
        case .views: throw QueryError.notSupported("Arrow's columns of views")
        }
    }

    private func strings(_ column: ArrowColumn, _ index: Int, _ offsetBits: Int) throws -> Vector {
        let vector = Vector(flat: column.type, capacity: rowCount)
        if rowCount == 0 { return vector }
        let (offsets, _) = try buffer(index, atLeast: (rowCount + 1) * offsetBits / 8)
        let (bytes, byteCount) = try buffer(index + 1, atLeast: 0)
        let base = bytes.base.assumingMemoryBound(to: UInt8.self)
        let isText = column.type != .bytea
        func offset(_ row: Int) -> Int {
            Int(truncatingIfNeeded: ArrowBatch.integer(offsets.base, row, offsetBits, true))
        }
        var start = offset(0)
        guard start >= 0, start <= byteCount else { throw ArrowFile.corrupted("a string lies outside of its buffer") }
        let first = start
        for row in 0..<rowCount {
            let end = offset(row + 1)
            guard end >= start, end <= byteCount else {
                throw ArrowFile.corrupted("a string lies outside of its buffer")
            }
            // A text that begins within a character cannot be one.
            if isText, end > start, base[start] & 0xC0 == 0x80 { throw ArrowBatch.invalidText(column) }
            vector.views[row] = StringView(base + start, count: end - start)
            start = end
        }
        if isText, ck_utf8_invalid(base + first, start - first) >= 0 {
            throw ArrowBatch.invalidText(column)
        }
        vector.pinned = [bytes]
        return vector
    }

    private static func invalidText(_ column: ArrowColumn) -> QueryError {
        QueryError(
            SQLState("22021"), "invalid byte sequence for encoding \"UTF8\" in column \"\(column.name)\"",
            object: column.name)
    }
}
