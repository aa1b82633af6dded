// Compression of one payload with the system's codecs.

import CLZ4
import CZlib
import CZstd
import Columnar
import Diagnostics

enum FrameCompressor {
    /// Compresses into `target`, which has room for `capacity` bytes; nil when the result would not fit.
    static func compress(
        _ source: UnsafeRawPointer, count: Int, with compression: FrameCompression,
        into target: UnsafeMutableRawPointer, capacity: Int
    ) -> Int? {
        switch compression {
        case .none:
            return nil
        case .lz4:
            let size = LZ4_compress_default(
                source.assumingMemoryBound(to: CChar.self), target.assumingMemoryBound(to: CChar.self),
                Int32(count), Int32(capacity))
            return size > 0 ? Int(size) : nil
        case .zstd:
            let size = ZSTD_compress(target, capacity, source, count, 1)
            return ZSTD_isError(size) == 0 ? size : nil
        case .zlib:
            var size = uLong(capacity)
            let status = compress2(
                target.assumingMemoryBound(to: UInt8.self), &size, source.assumingMemoryBound(to: UInt8.self),
                uLong(count), 1)
            return status == Z_OK ? Int(size) : nil
        }
    }

    /// Expands to exactly `rawCount` bytes, or throws.
    static func expand(
        _ source: UnsafeRawPointer, count: Int, with compression: FrameCompression,
        into target: UnsafeMutableRawPointer, rawCount: Int
    ) throws(QueryError) {
        let size: Int
        switch compression {
        case .none:
            size = count
            target.copyMemory(from: source, byteCount: min(count, rawCount))
        case .lz4:
            size = Int(
                LZ4_decompress_safe(
                    source.assumingMemoryBound(to: CChar.self), target.assumingMemoryBound(to: CChar.self),
                    Int32(count), Int32(rawCount)))
        case .zstd:
            let result = ZSTD_decompress(target, rawCount, source, count)
            size = ZSTD_isError(result) == 0 ? result : -1
        case .zlib:
            var result = uLong(rawCount)
            let status = uncompress(
                target.assumingMemoryBound(to: UInt8.self), &result, source.assumingMemoryBound(to: UInt8.self),
                uLong(count))
            size = status == Z_OK ? Int(result) : -1
        }
        guard size == rawCount else { throw .corrupt("a frame cannot be decompressed") }
    }
}
