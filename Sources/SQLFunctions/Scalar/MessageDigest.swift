// MD5 (RFC 1321), and text encodings of bytes.

import Diagnostics
import Glibc

enum MessageDigest {
    private static let shifts: [UInt32] = [
        7, 12, 17, 22, 7, 12, 17, 22, 7, 12, 17, 22, 7, 12, 17, 22, 5, 9, 14, 20, 5, 9, 14, 20, 5, 9, 14, 20, 5, 9, 14,
        20,
        4, 11, 16, 23, 4, 11, 16, 23, 4, 11, 16, 23, 4, 11, 16, 23, 6, 10, 15, 21, 6, 10, 15, 21, 6, 10, 15, 21, 6, 10,
        15, 21,
    ]
    private static let sines: [UInt32] = (0..<64).map { UInt32(abs(sin(Double($0 + 1))) * 4_294_967_296) }

    static func md5(_ message: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var padded = Array(message)
        padded.append(0x80)
        while padded.count % 64 != 56 { padded.append(0) }
        withUnsafeBytes(of: UInt64(message.count * 8).littleEndian) { padded.append(contentsOf: $0) }
        var a0: UInt32 = 0x6745_2301
        var b0: UInt32 = 0xEFCD_AB89
        var c0: UInt32 = 0x98BA_DCFE
        var d0: UInt32 = 0x1032_5476
        padded.withUnsafeBytes { bytes in
            for block in stride(from: 0, to: bytes.count, by: 64) {
                var (a, b, c, d) = (a0, b0, c0, d0)
                for step in 0..<64 {
                    var mixed: UInt32
                    let word: Int
                    switch step / 16 {
                    case 0: (mixed, word) = ((b & c) | (~b & d), step)
                    case 1: (mixed, word) = ((d & b) | (~d & c), (5 * step + 1) % 16)
                    case 2: (mixed, word) = (b ^ c ^ d, (3 * step + 5) % 16)
                    default: (mixed, word) = (c ^ (b | ~d), (7 * step) % 16)
                    }
                    mixed =
                        mixed &+ a &+ sines[step]
                        &+ bytes.loadUnaligned(fromByteOffset: block + word * 4, as: UInt32.self)
                    (a, d, c) = (d, c, b)
                    b = b &+ (mixed << shifts[step] | mixed >> (32 - shifts[step]))
                }
                a0 = a0 &+ a
                b0 = b0 &+ b
                c0 = c0 &+ c
                d0 = d0 &+ d
            }
        }
        var digest: [UInt8] = []
        for word in [a0, b0, c0, d0] { withUnsafeBytes(of: word.littleEndian) { digest.append(contentsOf: $0) } }
        return digest
    }
}

/// hex, base64 and escape.
enum BinaryText {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private static func unknown(_ format: String) -> QueryError {
        QueryError(.invalidParameterValue, "unrecognized encoding: \"\(format)\"")
    }

    static func encode(_ bytes: UnsafeBufferPointer<UInt8>, format: String, into output: inout [UInt8]) throws {
        switch format.lowercased() {
        case "hex":
            for byte in bytes {
                for nibble in [byte >> 4, byte & 15] { output.append(nibble < 10 ? 0x30 + nibble : 0x57 + nibble) }
            }
        case "base64":
            var line = 0
            for start in stride(from: 0, to: bytes.count, by: 3) {
                if line == 76 {
                    output.append(0x0A)
                    line = 0
                }
                let count = min(3, bytes.count - start)
                var group: UInt32 = 0
                for index in 0..<3 { group = group << 8 | (index < count ? UInt32(bytes[start + index]) : 0) }
                for index in 0..<4 {
                    output.append(index <= count ? alphabet[Int(group >> UInt32(18 - index * 6) & 63)] : 0x3D)
                }
                line += 4
            }
        case "escape":
            for byte in bytes {
                if byte == 0 || byte >= 0x80 {
                    output.append(0x5C)
                    for shift: UInt8 in [6, 3, 0] { output.append(0x30 + (byte >> shift & 7)) }
                } else {
                    if byte == 0x5C { output.append(0x5C) }
                    output.append(byte)
                }
            }
        default: throw unknown(format)
        }
    }

    static func decode(_ text: UnsafeBufferPointer<UInt8>, format: String, into output: inout [UInt8]) throws {
        switch format.lowercased() {
        case "hex":
            var high: UInt8?
            for byte in text where !(byte == 0x20 || (byte >= 0x09 && byte <= 0x0D)) {
                guard let value = nibble(byte) else {
                    throw QueryError(
                        .invalidParameterValue,
                        "invalid hexadecimal digit: \"\(String(decoding: [byte], as: UTF8.self))\"")
                }
                if let first = high {
                    output.append(first << 4 | value)
                    high = nil
                } else {
                    high = value
                }
            }
            if high != nil {
                throw QueryError(.invalidParameterValue, "invalid hexadecimal data: odd number of digits")
            }
        case "base64":
            var group: UInt32 = 0
            var bits = 0
            for byte in text where !(byte == 0x20 || (byte >= 0x09 && byte <= 0x0D)) && byte != 0x3D {
                guard let value = alphabet.firstIndex(of: byte) else {
                    throw QueryError(
                        .invalidParameterValue,
                        "invalid symbol \"\(String(decoding: [byte], as: UTF8.self))\" found while decoding base64 sequence"
                    )
                }
                group = group << 6 | UInt32(value)
                bits += 6
                if bits >= 8 {
                    bits -= 8
                    output.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
                }
            }
        case "escape":
            var at = 0
            while at < text.count {
                if text[at] != 0x5C {
                    output.append(text[at])
                    at += 1
                } else if at + 3 < text.count, text[at + 1] &- 0x30 <= 3, text[at + 2] &- 0x30 <= 7,
                    text[at + 3] &- 0x30 <= 7
                {
                    output.append((text[at + 1] & 3) << 6 | (text[at + 2] & 7) << 3 | text[at + 3] & 7)
                    at += 4
                } else if at + 1 < text.count, text[at + 1] == 0x5C {
                    output.append(0x5C)
                    at += 2
                } else {
                    throw QueryError(.invalidTextRepresentation, "invalid input syntax for type bytea")
                }
            }
        default: throw unknown(format)
        }
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}
