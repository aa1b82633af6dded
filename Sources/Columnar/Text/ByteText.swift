// Text of bytea, both ways: hexadecimal and escaped.

import Diagnostics

package enum ByteText {
    @inline(__always)
    package static func appendHex(_ byte: UInt8, into text: inout [UInt8]) {
        let (high, low) = (byte >> 4, byte & 15)
        text.append(high < 10 ? 0x30 + high : 0x57 + high)
        text.append(low < 10 ? 0x30 + low : 0x57 + low)
    }

    package static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    package static func append(
        _ bytes: UnsafeBufferPointer<UInt8>, format: TextStyle.ByteFormat, into text: inout [UInt8]
    ) {
        switch format {
        case .hex:
            text.append(contentsOf: [0x5C, 0x78])
            for byte in bytes { appendHex(byte, into: &text) }
        case .escape: appendEscaped(bytes, into: &text)
        }
    }

    /// Printable bytes as they are, a backslash twice, others as three octal digits.
    package static func appendEscaped(_ bytes: UnsafeBufferPointer<UInt8>, into text: inout [UInt8]) {
        for byte in bytes {
            if byte == 0x5C {
                text.append(contentsOf: [0x5C, 0x5C])
            } else if byte < 0x20 || byte > 0x7E {
                text.append(contentsOf: [0x5C, 0x30 + (byte >> 6), 0x30 + (byte >> 3 & 7), 0x30 + (byte & 7)])
            } else {
                text.append(byte)
            }
        }
    }

    /// Errors: 22023 for wrong hexadecimal digits, 22P02 for wrong escapes.
    package static func parse(_ text: UnsafeBufferPointer<UInt8>) throws -> [UInt8] {
        if text.count >= 2, text[0] == 0x5C, text[1] == 0x78 {
            return try parseHex(UnsafeBufferPointer(rebasing: text[2...]))
        }
        return try parseEscaped(text)
    }

    package static func parseHex(_ text: UnsafeBufferPointer<UInt8>) throws -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count / 2)
        var high: UInt8?
        for (index, byte) in text.enumerated() {
            // Blanks may stand between bytes, not within.
            if high == nil, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { continue }
            guard let value = nibble(byte) else {
                let rest = UnsafeBufferPointer(rebasing: text[index...])
                let character = String(decoding: rest.prefix(4), as: UTF8.self).prefix(1)
                throw QueryError(.invalidParameterValue, "invalid hexadecimal digit: \"\(character)\"")
            }
            if let first = high {
                result.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        if high != nil { throw QueryError(.invalidParameterValue, "invalid hexadecimal data: odd number of digits") }
        return result
    }

    package static func parseEscaped(_ text: UnsafeBufferPointer<UInt8>) throws -> [UInt8] {
        var result: [UInt8] = []
        var at = 0
        while at < text.count {
            if text[at] != 0x5C {
                result.append(text[at])
                at += 1
            } else if at + 1 < text.count, text[at + 1] == 0x5C {
                result.append(0x5C)
                at += 2
            } else if at + 3 < text.count, text[at + 1] &- 0x30 <= 3, text[at + 2] &- 0x30 <= 7,
                text[at + 3] &- 0x30 <= 7
            {
                result.append((text[at + 1] & 3) << 6 | (text[at + 2] & 7) << 3 | (text[at + 3] & 7))
                at += 4
            } else {
                throw QueryError(.invalidTextRepresentation, "invalid input syntax for type bytea")
            }
        }
        return result
    }
}
