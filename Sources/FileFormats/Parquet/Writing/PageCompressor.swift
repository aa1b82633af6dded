// Compression of pages and buffers in the codecs that are written.

import CLZ4
import CSnappy
import CZlib
import CZstd
import Columnar
import Diagnostics

/// Compresses blocks; keeps the codec's context. Confined to its writer.
final class PageCompressor {
    let codec: CompressionCodec
    private let level: Int
    private var zstd: OpaquePointer?

    init(_ codec: CompressionCodec, level: Int) {
        self.codec = codec
        self.level = level
    }

    deinit { ZSTD_freeCCtx(zstd) }

    /// The codec that a file's writer is told, with its level.
    static func choose(_ name: String, level: String?) throws -> (codec: CompressionCodec, level: Int) {
        let codec: CompressionCodec
        switch name.lowercased() {
        case "snappy": codec = .snappy
        case "zstd": codec = .zstd
        case "gzip": codec = .gzip
        case "lz4", "lz4_raw": codec = .lz4Raw
        case "none", "uncompressed": codec = .uncompressed
        case "brotli", "lzo": throw QueryError.notSupported("writing Parquet files with the compression \"\(name)\"")
        default:
            throw QueryError(
                .invalidParameterValue, "invalid value for option \"compression\": \"\(name)\"",
                hint: "Known compressions: snappy, zstd, gzip, lz4_raw, none.", object: "compression")
        }
        guard let level else { return (codec, codec == .gzip ? 6 : 1) }
        let range = codec == .zstd ? 1...22 : codec == .gzip ? 1...9 : 0...0
        guard let number = Int(level), range.contains(number), range.upperBound > 0 else {
            throw QueryError(
                .invalidParameterValue, "invalid value for option \"compression_level\": \"\(level)\"",
                object: "compression_level")
        }
        return (codec, number)
    }

    /// Appends the compressed form of `count` bytes to `target`; the number of bytes that it takes.
    func compress(_ source: UnsafeRawPointer, count: Int, into target: GrowingBytes) throws -> Int {
        let written: Int
        switch codec {
        case .snappy:
            var size = snappy_max_compressed_length(count)
            let room = target.room(size).assumingMemoryBound(to: CChar.self)
            let isGood =
                snappy_compress(source.assumingMemoryBound(to: CChar.self), count, room, &size) == SNAPPY_OK
            written = isGood ? size : 0
        case .zstd:
            let bound = ZSTD_compressBound(count)
            if zstd == nil { zstd = ZSTD_createCCtx() }
            let size = ZSTD_compressCCtx(zstd, target.room(bound), bound, source, count, Int32(level))
            written = ZSTD_isError(size) == 0 ? size : 0
        case .lz4Raw:
            let bound = Int(LZ4_compressBound(Int32(count)))
            let size = LZ4_compress_default(
                source.assumingMemoryBound(to: CChar.self), target.room(bound).assumingMemoryBound(to: CChar.self),
                Int32(count), Int32(bound))
            written = Int(size)
        case .gzip: written = deflate(source, count, target)
        default:
            target.append(source, count: count)
            return count
        }
        guard written > 0 else { throw QueryError.internalError("a page cannot be compressed") }
        target.advance(written)
        return written
    }

    private func deflate(_ source: UnsafeRawPointer, _ count: Int, _ target: GrowingBytes) -> Int {
        var stream = z_stream()
        guard
            deflateInit2_(
                &stream, Int32(level), Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return 0 }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(count)))
        stream.next_in = UnsafeMutablePointer(mutating: source.assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(count)
        stream.next_out = target.room(bound).assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(bound)
        guard CZlib.deflate(&stream, Z_FINISH) == Z_STREAM_END else { return 0 }
        return bound - Int(stream.avail_out)
    }

    /// CRC-32 as page headers have it.
    static func checksum(_ bytes: UnsafeRawPointer, count: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: crc32(0, bytes.assumingMemoryBound(to: UInt8.self), UInt32(count)))
    }
}
