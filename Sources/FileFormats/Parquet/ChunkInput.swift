// The bytes of one column chunk, read ahead in pieces.

import Columnar
import Diagnostics

/// A window over a range of a file. Confined to its reader.
final class ChunkInput {
    private static let readAhead = 256 << 10

    private let file: LocalFile
    private var buffer: Buffer
    /// Bytes of the buffer that were passed already, and bytes that are there.
    private var start = 0
    private var filled = 0
    /// Where the byte behind the filled ones lies in the file.
    private var fileOffset: Int
    private let fileEnd: Int
    private(set) var bytesRead = 0

    init(_ file: LocalFile, offset: Int, byteCount: Int) {
        self.file = file
        fileOffset = offset
        fileEnd = offset + byteCount
        buffer = Buffer(byteCount: min(ChunkInput.readAhead, max(byteCount, 64)))
    }

    var pointer: UnsafeRawPointer { UnsafeRawPointer(buffer.base + start) }
    /// Bytes that can be read at `pointer`.
    var available: Int { filled &- start }
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
    private static let keptMax = 4
    private var kept: [Buffer] = []

    /// A buffer of at least `byteCount` bytes that nobody reads.
    mutating func take(_ byteCount: Int) -> Buffer {
        var index = 0
        while index < kept.count {
            if kept[index].byteCount >= byteCount && isKnownUniquelyReferenced(&kept[index]) { return kept[index] }
            index &+= 1
        }
        let buffer = Buffer(byteCount: byteCount)
        if kept.count == BufferPool.keptMax { kept.removeFirst() }
        kept.append(buffer)
        return buffer
    }
}
