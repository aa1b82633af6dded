// The bytes of one column chunk, read ahead in pieces.

import Columnar
import Diagnostics
import Storage

/// A window over a range of a file. Confined to its reader.
final class ChunkInput {
    private static let readAhead = 256 << 10

    private let file: any ReadableFile
    private var buffer: Buffer
    /// Bytes of the buffer that were passed already, and bytes that are there.
    private var start = 0
    private var filled = 0
    /// Where the byte behind the filled ones lies in the file.
    private var fileOffset: Int
    private let fileEnd: Int
    private(set) var bytesRead = 0

    init(_ file: any ReadableFile, offset: Int, byteCount: Int) {
        self.file = file
        fileOffset = offset
        fileEnd = offset + byteCount
        buffer = Buffer(byteCount: min(ChunkInput.readAhead, max(byteCount, 64)))
    }

    /// The same range when its bytes are in memory already, from byte `position` of `buffer` on.
    init(_ file: any ReadableFile, offset: Int, byteCount: Int, in buffer: Buffer, at position: Int) {
        self.file = file
        self.buffer = buffer
        start = position
        filled = position + byteCount
        fileEnd = offset + byteCount
        fileOffset = fileEnd
        bytesRead = byteCount
    }

    /// Column chunks that lie within so many bytes are read at once.
    private static let smallSpanMax = 256 << 10

    /// So many bytes of a row group are asked for at once; of a larger one each column comes in pieces.
    private static let fetchedByteCountMax = 32 << 20

    /// Chunks of a server's file, asked for together.
    private static func remoteInputs(
        _ file: any ReadableFile, _ ranges: [Range<Int>], share: Double, _ context: ScanContext
    ) throws -> [ChunkInput] {
        let held = HeldBytes(context)
        let total = ranges.reduce(0) { $0 + $1.count }
        guard share > 0.25, total <= fetchedByteCountMax else {
            return try ranges.map {
                ChunkInput(try ReadAhead(file, $0, held: held), offset: $0.lowerBound, byteCount: $0.count)
            }
        }
        try held.add(total)
        let fetches = try file.fetch(ranges)
        return zip(ranges, fetches).map { range, fetch in
            ChunkInput(
                ReadAhead(file, range, fetch: fetch, held: held), offset: range.lowerBound, byteCount: range.count)
        }
    }

    /// The inputs of several chunks of one row group, of whose rows a share is wanted.
    static func inputs(
        _ file: any ReadableFile, _ ranges: [Range<Int>], share: Double = 1, _ context: ScanContext
    ) throws -> [ChunkInput] {
        if file.isRemote { return try remoteInputs(file, ranges, share: share, context) }
        let start = ranges.map(\.lowerBound).min() ?? 0
        let end = ranges.map(\.upperBound).max() ?? 0
        guard ranges.count > 1, end - start <= smallSpanMax else {
            return ranges.map { ChunkInput(file, offset: $0.lowerBound, byteCount: $0.count) }
        }
        let buffer = Buffer(byteCount: end - start)
        try file.read(into: buffer.base, count: end - start, at: start)
        return ranges.map {
            ChunkInput(file, offset: $0.lowerBound, byteCount: $0.count, in: buffer, at: $0.lowerBound - start)
        }
    }

    var pointer: UnsafeRawPointer { UnsafeRawPointer(buffer.base + start) }
    /// Bytes that can be read at `pointer`.
    var available: Int { filled &- start }
    /// Where `pointer` lies in the file.
    var offset: Int { fileOffset &- available }
    /// Bytes up to the end of the chunk.
    var remaining: Int { available &+ fileEnd &- fileOffset }

    /// Makes `count` bytes available, or all that remain.
    func ensure(_ count: Int) throws {
        if available >= count { return }
        let wanted = min(count, remaining)
        if available >= wanted { return }
        if wanted > buffer.byteCount {
            let larger = Buffer(byteCount: max(wanted, ChunkInput.readAhead))
            larger.base.copyMemory(from: pointer, byteCount: available)
            buffer = larger
        } else if start > 0 {
            buffer.base.copyMemory(from: pointer, byteCount: available)
        }
        filled = available
        start = 0
        let more = min(buffer.byteCount - filled, fileEnd - fileOffset)
        try file.read(into: buffer.base + filled, count: more, at: fileOffset)
        filled += more
        fileOffset += more
        bytesRead += more
    }

    /// Passes over `count` bytes, available or not; at most what remains.
    func advance(_ count: Int) {
        if count <= available {
            start += count
        } else {
            fileOffset += count - available
            start = 0
            filled = 0
        }
    }
}

/// Buffers that are used again as soon as nobody else holds them. Confined to its reader.
struct BufferPool {
    private let keptMax: Int
    private var kept: [Buffer] = []

    init(keptMax: Int = 4) { self.keptMax = keptMax }

    /// A buffer of at least `byteCount` bytes that nobody reads.
    mutating func take(_ byteCount: Int) -> Buffer {
        var index = 0
        while index < kept.count {
            if kept[index].byteCount >= byteCount && isKnownUniquelyReferenced(&kept[index]) { return kept[index] }
            index &+= 1
        }
        let buffer = Buffer(byteCount: byteCount)
        if kept.count == keptMax { kept.removeFirst() }
        kept.append(buffer)
        return buffer
    }
}

/// What the readers of one scan pass on from row group to row group: with small files, making it anew costs more than
/// reading. Confined to its scan.
final class ParquetScratch {
    let decompressor = Decompressor()
    /// Column readers' room for one batch of codes or values.
    var buffers = BufferPool(keptMax: 32)

    /// That of the scan; made for its first reader.
    static func of(_ context: ScanContext) -> ParquetScratch {
        if let known = context.reusable as? ParquetScratch { return known }
        let made = ParquetScratch()
        context.reusable = made
        return made
    }
}
