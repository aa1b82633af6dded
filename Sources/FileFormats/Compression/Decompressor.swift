// Decompression of whole blocks in every codec that Parquet files use.

import CBrotli
import CLZ4
import CZlib
import CZstd
import Columnar
import Diagnostics
import Glibc

/// Codecs by their number in Parquet's metadata.
enum CompressionCodec: Int, Sendable {
    case uncompressed = 0, snappy, gzip, lzo, brotli, lz4, zstd, lz4Raw
}

/// Decompresses blocks of known size. Keeps the codecs' contexts; confined to its reader.
final class Decompressor {
    private var zstd: OpaquePointer?

    deinit { ZSTD_freeDCtx(zstd) }

    /// Decompresses `count` bytes into exactly `capacity` bytes. Both buffers have `Buffer.padding` behind them.
    func decompress(
        _ codec: CompressionCodec, _ source: UnsafeRawPointer, count: Int, into target: UnsafeMutableRawPointer,
        capacity: Int
    ) throws {
        let isGood: Bool
        switch codec {
        case .uncompressed:
            isGood = count == capacity
            if isGood { memcpy(target, source, count) }
        case .snappy: isGood = Snappy.decompress(source, count: count, into: target, capacity: capacity)
        case .gzip: isGood = inflate(source, count, target, capacity)
        case .zstd:
            if zstd == nil { zstd = ZSTD_createDCtx() }
            isGood = ZSTD_decompressDCtx(zstd, target, capacity, source, count) == capacity
        case .lz4Raw: isGood = lz4Block(source, count, target, capacity)
        case .lz4: isGood = lz4Hadoop(source, count, target, capacity) || lz4Block(source, count, target, capacity)
        case .brotli:
            var decoded = capacity
            let result = BrotliDecoderDecompress(
                count, source.assumingMemoryBound(to: UInt8.self), &decoded, target.assumingMemoryBound(to: UInt8.self))
            isGood = result == BROTLI_DECODER_RESULT_SUCCESS && decoded == capacity
        case .lzo: throw QueryError.notSupported("the LZO compression of Parquet files")
        }
        if !isGood { throw QueryError.corrupted("a page cannot be decompressed (\(codec))") }
    }

    /// zlib and gzip, with any number of members.
    private func inflate(
        _ source: UnsafeRawPointer, _ count: Int, _ target: UnsafeMutableRawPointer, _ capacity: Int
    ) -> Bool {
        var stream = z_stream()
        guard inflateInit2_(&stream, 15 + 32, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return false
        }
        defer { inflateEnd(&stream) }
        stream.next_in = UnsafeMutablePointer(mutating: source.assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(count)
        stream.next_out = target.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(capacity)
        while true {
            let result = CZlib.inflate(&stream, Z_FINISH)
            guard result == Z_STREAM_END else { return false }
            if stream.avail_in == 0 || stream.avail_out == 0 { break }
            guard inflateReset(&stream) == Z_OK else { return false }
        }
        return stream.avail_out == 0
    }

    private func lz4Block(
        _ source: UnsafeRawPointer, _ count: Int, _ target: UnsafeMutableRawPointer, _ capacity: Int
    ) -> Bool {
        Int(
            LZ4_decompress_safe(
                source.assumingMemoryBound(to: CChar.self), target.assumingMemoryBound(to: CChar.self), Int32(count),
                Int32(capacity))) == capacity
    }

    /// Hadoop's framing: blocks with the decompressed and the compressed size in front, big-endian.
    private func lz4Hadoop(
        _ source: UnsafeRawPointer, _ count: Int, _ target: UnsafeMutableRawPointer, _ capacity: Int
    ) -> Bool {
        var read = 0
        var written = 0
        while count - read >= 8 {
            let plain = Int(UInt32(bigEndian: (source + read).loadUnaligned(as: UInt32.self)))
            let packed = Int(UInt32(bigEndian: (source + read + 4).loadUnaligned(as: UInt32.self)))
            read += 8
            guard packed <= count - read, plain <= capacity - written else { return false }
            guard lz4Block(source + read, packed, target + written, plain) else { return false }
            read += packed
            written += plain
        }
        return read == count && written == capacity
    }
}
