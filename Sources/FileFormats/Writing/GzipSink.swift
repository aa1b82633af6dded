// Files that are packed while they are written.

import CZlib
import Columnar
import Diagnostics

/// Packs bytes as one gzip member on their way to another sink. Confined to its writer.
final class GzipSink: FileSink {
    private static let chunkByteCount = 64 << 10
    private let target: any FileSink
    private let stream: UnsafeMutablePointer<z_stream>
    private let chunk = Buffer(byteCount: GzipSink.chunkByteCount)
    private(set) var byteCount = 0
    var heldByteCount: Int { target.heldByteCount + (512 << 10) }

    init(_ target: any FileSink) throws {
        self.target = target
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let result = deflateInit2_(
            stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard result == Z_OK else {
            stream.deallocate()
            throw QueryError(.outOfMemory, "could not start to compress a file")
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        byteCount += bytes.count
        var rest = bytes
        while !rest.isEmpty {
            // zlib counts with 32 bits.
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
            try deflate(piece, Z_NO_FLUSH)
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(piece.count))
        }
    }

    private func deflate(_ bytes: UnsafeRawBufferPointer, _ flush: Int32) throws {
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(bytes.count)
        repeat {
            stream.pointee.next_out = chunk.base.assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_out = UInt32(GzipSink.chunkByteCount)
            guard CZlib.deflate(stream, flush) != Z_STREAM_ERROR else {
                throw QueryError.internalError("a file cannot be compressed")
            }
            let count = GzipSink.chunkByteCount - Int(stream.pointee.avail_out)
            try target.append(UnsafeRawBufferPointer(start: chunk.base, count: count))
        } while stream.pointee.avail_out == 0
    }

    func commit() throws {
        try deflate(UnsafeRawBufferPointer(start: nil, count: 0), Z_FINISH)
        try target.commit()
    }

    func abort() { target.abort() }

    /// The sink for a text file: packed if the option or the name's ending says so.
    static func sink(path: String, compression: String?, open: () throws -> any FileSink) throws -> any FileSink {
        switch compression?.lowercased() {
        case "gzip": return try GzipSink(open())
        case "none", "uncompressed": return try open()
        case nil: return path.hasSuffix(".gz") ? try GzipSink(open()) : try open()
        case let other?:
            throw QueryError(
                .invalidParameterValue, "invalid value for option \"compression\": \"\(other)\"",
                hint: "Text files are packed by gzip or not at all.", object: "compression")
        }
    }
}
