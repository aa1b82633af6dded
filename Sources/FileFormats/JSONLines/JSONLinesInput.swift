// The lines of a range of a file.

import CKernels
import Columnar
import Diagnostics

/// Gives line after line. A range that does not begin at 0 begins behind the first line end in it or right before it; its last
/// line is the one that begins in it. Confined to its reader.
final class JSONLinesInput {
    private static let pieceByteCount = 1 << 20
    /// The longest line.
    private static let lineByteCountMax = 256 << 20

    private let source: any ByteSource
    private var buffer = Buffer(byteCount: JSONLinesInput.pieceByteCount)
    /// Where the next line begins in the buffer, and what is filled.
    private var start = 0
    private var filled = 0
    /// Where the buffer's first byte lies in the text of the file.
    private var bufferOffset: Int
    private let end: Int
    private var isAtEnd = false
    private var mustSkip: Bool

    var bytesRead: Int { source.bytesRead }

    /// - Parameters:
    ///   - range: of the file's bytes; of a compressed file it is everything.
    init(_ file: any ReadableFile, _ range: Range<Int>, held: HeldBytes? = nil) throws {
        if JSONLinesInput.isCompressed(file.identity) {
            source = try GzipSource(file, held: held)
            bufferOffset = 0
            end = .max
            mustSkip = false
        } else {
            // The byte in front says whether the first line is whole.
            mustSkip = range.lowerBound > 0
            bufferOffset = max(0, range.lowerBound - 1)
            // Of a server's file not much is asked for beyond the last line's beginning.
            source = try FileRangeSource(file, bufferOffset..<file.identity.byteCount, held: held)
            end = range.upperBound
        }
    }

    static func isCompressed(_ identity: FileIdentity) -> Bool { identity.path.hasSuffix(".gz") }

    /// The next line without its end, and where it begins in the file. The bytes stay until the next call; eight more may be
    /// read behind them.
    func next() throws -> (line: UnsafeBufferPointer<UInt8>, offset: Int)? {
        while true {
            if mustSkip {
                guard let end = try lineEnd() else { return nil }
                start = end + 1
                mustSkip = false
                continue
            }
            let offset = bufferOffset + start
            guard offset < end, let stop = try lineEnd() else { return nil }
            let bytes = UnsafePointer(buffer.base.assumingMemoryBound(to: UInt8.self)) + start
            let count = stop - start
            start = min(stop + 1, filled)
            if bufferOffset == 0, offset == 0, count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF {
                return (UnsafeBufferPointer(start: bytes + 3, count: count - 3), 3)
            }
            return (UnsafeBufferPointer(start: bytes, count: count), offset)
        }
    }

    /// Where the line that begins at `start` ends in the buffer; `nil` if there is no more.
    private func lineEnd() throws -> Int? {
        var searched = start
        while true {
            if searched < filled, let found = memchr(buffer.base + searched, 10, filled - searched) {
                return found - buffer.base
            }
            searched = filled
            if isAtEnd { return start < filled ? filled : nil }
            searched -= try fill()
        }
    }

    /// Reads more behind what is left of the buffer. Returns by how much its bytes moved down.
    private func fill() throws -> Int {
        let left = filled - start
        guard left < JSONLinesInput.lineByteCountMax else {
            throw QueryError(.programLimitExceeded, "a line of JSON is longer than 256 MB")
        }
        let target = left > buffer.byteCount / 2 ? Buffer(byteCount: buffer.byteCount * 2) : buffer
        target.base.copyMemory(from: buffer.base + start, byteCount: left)
        buffer = target
        bufferOffset += start
        let moved = start
        start = 0
        filled = left
        let got = try source.read(into: buffer.base + filled, count: buffer.byteCount - filled)
        filled += got
        isAtEnd = got == 0
        return moved
    }
}
