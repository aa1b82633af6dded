// Bytes in sequence: a range of a file, or a gzip file while it is decompressed.

import CZlib
import Columnar
import Diagnostics

/// Gives bytes from front to back. Confined to its reader.
protocol ByteSource: AnyObject {
    /// Fills up to `count` bytes; 0 at the end.
    func read(into target: UnsafeMutableRawPointer, count: Int) throws -> Int
    /// Bytes read from the store so far.
    var bytesRead: Int { get }
}

/// A range of a file.
final class FileRangeSource: ByteSource {
    private let file: any ReadableFile
    private var offset: Int
    private let end: Int
    private(set) var bytesRead = 0

    init(_ file: any ReadableFile, _ range: Range<Int>, held: HeldBytes? = nil) throws {
        self.file = file.isRemote ? try ReadAhead(file, range, held: held) : file
        offset = range.lowerBound
        end = range.upperBound
    }

    func read(into target: UnsafeMutableRawPointer, count: Int) throws -> Int {
        let wanted = min(count, end - offset)
        if wanted <= 0 { return 0 }
        try file.read(into: target, count: wanted, at: offset)
        offset += wanted
        bytesRead += wanted
        return wanted
    }
}

/// A gzip file of any number of members.
final class GzipSource: ByteSource {
    private static let inputByteCount = 128 << 10

    private let path: String
    private let byteCount: Int
    private let source: FileRangeSource
    private let input = Buffer(byteCount: GzipSource.inputByteCount)
    private let stream: UnsafeMutablePointer<z_stream>
    private var isAtEnd = false
    var bytesRead: Int { source.bytesRead }

    init(_ file: any ReadableFile, held: HeldBytes? = nil) throws {
        path = file.identity.path
        byteCount = file.identity.byteCount
        source = try FileRangeSource(file, 0..<byteCount, held: held)
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard inflateInit2_(stream, 15 + 32, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            stream.deallocate()
            throw QueryError(.outOfMemory, "could not start to decompress \"\(path)\"")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    func read(into target: UnsafeMutableRawPointer, count: Int) throws -> Int {
        let wanted = min(count, 1 << 30)
        stream.pointee.next_out = target.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(wanted)
        while stream.pointee.avail_out > 0 && !isAtEnd {
            if stream.pointee.avail_in == 0 {
                let got = try source.read(into: input.base, count: GzipSource.inputByteCount)
                stream.pointee.next_in = input.base.assumingMemoryBound(to: UInt8.self)
                stream.pointee.avail_in = UInt32(got)
                if got == 0 { throw broken("it ends too early") }
            }
            switch inflate(stream, Z_NO_FLUSH) {
            case Z_OK: continue
            case Z_STREAM_END:
                let hasMore = stream.pointee.avail_in > 0 || source.bytesRead < byteCount
                if hasMore {
                    guard inflateReset(stream) == Z_OK else { throw broken("it cannot be decompressed") }
                } else {
                    isAtEnd = true
                }
            default: throw broken("it cannot be decompressed")
            }
        }
        return wanted - Int(stream.pointee.avail_out)
    }

    private func broken(_ what: String) -> QueryError {
        QueryError(
            .dataCorrupted, "invalid gzip file \"\(path)\": \(what)", object: path)
    }
}
