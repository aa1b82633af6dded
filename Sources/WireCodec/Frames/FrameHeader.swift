// The header of an exchange frame: 64 bytes, little-endian, covered by the checksum together with the payload.
//
//   0  u32  magic "MXF1"
//   4  u16  version of the frame format
//   6  u8   flags: 1 = the message goes on in the next frame; 2 = it began in an earlier one
//   7  u8   compression of the payload
//   8  u32  rows that end in this frame
//  12  u32  bytes of the payload as it travels
//  16  u64  bytes of the payload uncompressed
//  24  u64  sequence number in its channel, from 0
//  32  u64  XXH64 of the payload, seeded with the XXH64 of bytes 0..<32 and 40..<64
//  40  24 bytes of zero
//
// The payload is one or more messages (`BatchEncoding`), or a piece of a message larger than a frame.

import CXXHash
import Columnar
import Diagnostics

/// How a payload is compressed. Raw values are part of the format.
package enum FrameCompression: UInt8, Sendable, Hashable, CaseIterable {
    case none, lz4, zstd, zlib

    /// The name that configuration uses.
    package init?(name: String) {
        switch name {
        case "none": self = .none
        case "lz4": self = .lz4
        case "zstd": self = .zstd
        case "zlib": self = .zlib
        default: return nil
        }
    }
}

/// Limits of frames.
package struct FrameOptions: Sendable, Hashable {
    /// A frame is sent when it has grown to this size.
    package var targetByteCount = 256 << 10
    /// No frame is larger, header included; what does not fit goes on in the next one.
    package var maximumByteCount = 1 << 20
    package var compression: FrameCompression = .none

    package init(compression: FrameCompression = .none) { self.compression = compression }

    /// The largest message that is put together from fragments.
    package static let messageByteLimit = 1 << 31
}

struct FrameHeader {
    static let byteCount = 64
    static let magic: UInt32 = 0x3146_584d

    var isContinued = false
    var isContinuation = false
    var compression: FrameCompression = .none
    var rowCount = 0
    var payloadByteCount = 0
    var rawByteCount = 0
    var sequence: UInt64 = 0

    /// Writes the header in front of the payload, which must be complete.
    func write(to base: UnsafeMutableRawPointer) {
        base.initializeMemory(as: UInt8.self, repeating: 0, count: FrameHeader.byteCount)
        base.storeBytes(of: FrameHeader.magic.littleEndian, as: UInt32.self)
        base.storeBytes(of: UInt16(WireVersion.frame).littleEndian, toByteOffset: 4, as: UInt16.self)
        base.storeBytes(of: (isContinued ? 1 : 0) | (isContinuation ? 2 : 0), toByteOffset: 6, as: UInt8.self)
        base.storeBytes(of: compression.rawValue, toByteOffset: 7, as: UInt8.self)
        base.storeBytes(of: UInt32(rowCount).littleEndian, toByteOffset: 8, as: UInt32.self)
        base.storeBytes(of: UInt32(payloadByteCount).littleEndian, toByteOffset: 12, as: UInt32.self)
        base.storeBytes(of: UInt64(rawByteCount).littleEndian, toByteOffset: 16, as: UInt64.self)
        base.storeBytes(of: sequence.littleEndian, toByteOffset: 24, as: UInt64.self)
        let checksum = FrameHeader.checksum(base, payloadByteCount: payloadByteCount)
        base.storeBytes(of: checksum.littleEndian, toByteOffset: 32, as: UInt64.self)
    }

    /// Reads and checks the header and the checksum of a whole frame.
    init(reading base: UnsafeRawPointer, byteCount: Int) throws(QueryError) {
        guard byteCount >= FrameHeader.byteCount else { throw .corrupt("a frame is shorter than its header") }
        guard UInt32(littleEndian: base.load(as: UInt32.self)) == FrameHeader.magic else {
            throw .corrupt("a frame does not begin with its mark")
        }
        let payload = Int(UInt32(littleEndian: base.load(fromByteOffset: 12, as: UInt32.self)))
        guard payload == byteCount - FrameHeader.byteCount else { throw .corrupt("a frame has a wrong length") }
        // The checksum before anything else: a damaged version must not look like a newer peer.
        let checksum = UInt64(littleEndian: base.load(fromByteOffset: 32, as: UInt64.self))
        guard checksum == FrameHeader.checksum(base, payloadByteCount: payload) else {
            throw .corrupt("the checksum of a frame does not match")
        }
        let version = Int(UInt16(littleEndian: base.load(fromByteOffset: 4, as: UInt16.self)))
        guard version == WireVersion.frame else {
            throw QueryError(
                .versionMismatch, "the frame has version \(version), this node reads version \(WireVersion.frame)")
        }
        let flags = base.load(fromByteOffset: 6, as: UInt8.self)
        guard flags < 4, let compression = FrameCompression(rawValue: base.load(fromByteOffset: 7, as: UInt8.self))
        else { throw .corrupt("a frame has unknown flags or an unknown compression") }
        isContinued = flags & 1 != 0
        isContinuation = flags & 2 != 0
        self.compression = compression
        rowCount = Int(UInt32(littleEndian: base.load(fromByteOffset: 8, as: UInt32.self)))
        payloadByteCount = payload
        let raw = UInt64(littleEndian: base.load(fromByteOffset: 16, as: UInt64.self))
        guard raw <= UInt64(FrameOptions.messageByteLimit) else { throw .corrupt("a frame claims too many bytes") }
        rawByteCount = Int(raw)
        sequence = UInt64(littleEndian: base.load(fromByteOffset: 24, as: UInt64.self))
        if compression == .none, rawByteCount != payloadByteCount {
            throw .corrupt("a frame has a wrong length")
        }
    }

    init() {}

    private static func checksum(_ base: UnsafeRawPointer, payloadByteCount: Int) -> UInt64 {
        let seed = XXH64(base, 32, XXH64(base + 40, 24, 0))
        return XXH64(base + byteCount, payloadByteCount, seed)
    }
}
