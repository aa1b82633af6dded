// Compresses a response while it is written.

import CZlib
import Diagnostics

/// A gzip stream (RFC 1952). Confined to the task that writes the response.
final class GzipEncoder {
    private var stream = z_stream()
    private var isOpen = false
    private var buffer = [UInt8](repeating: 0, count: 32 << 10)

    init() throws {
        // 31: the largest window, with the header and the checksum of gzip. Level 4 keeps up with a fast network.
        let code = deflateInit2_(
            &stream, 4, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else { throw QueryError(.outOfMemory, "there is no memory to compress a response") }
        isOpen = true
    }

    deinit { if isOpen { deflateEnd(&stream) } }

    /// What the bytes, and those that waited, are compressed. `isLast` ends the stream.
    func compress(_ bytes: [UInt8], isLast: Bool) throws -> [UInt8] {
        var result: [UInt8] = []
        var input = bytes
        try input.withUnsafeMutableBufferPointer { input in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            let mode = isLast ? Z_FINISH : Z_SYNC_FLUSH
            var code = Z_OK
            repeat {
                let produced = buffer.withUnsafeMutableBufferPointer { output in
                    stream.next_out = output.baseAddress
                    stream.avail_out = UInt32(output.count)
                    code = deflate(&stream, mode)
                    return output.count - Int(stream.avail_out)
                }
                guard code != Z_STREAM_ERROR else { throw QueryError.internalError("a response cannot be compressed") }
                result.append(contentsOf: buffer[..<produced])
            } while stream.avail_out == 0 && code != Z_STREAM_END
        }
        return result
    }

    static func compress(_ bytes: [UInt8]) throws -> [UInt8] { try GzipEncoder().compress(bytes, isLast: true) }
}
