// Bit strings as text. A value is carried as its digits, one byte each: they compare, hash and print as PostgreSQL's do.

import Diagnostics

package enum BitText {
    /// Reads digits, after an optional `b`, or hexadecimal digits after an `x`. Errors: 22P02.
    package static func parse(_ text: UnsafeBufferPointer<UInt8>) throws -> [UInt8] {
        var digits: [UInt8] = []
        var rest = text[...]
        var isHexadecimal = false
        if let first = rest.first {
            isHexadecimal = first | 0x20 == 0x78
            if isHexadecimal || first | 0x20 == 0x62 { rest = rest.dropFirst() }
        }
        digits.reserveCapacity(rest.count * (isHexadecimal ? 4 : 1))
        for byte in rest {
            if isHexadecimal {
                guard let nibble = ByteText.nibble(byte) else { throw invalidDigit(byte, "hexadecimal") }
                for bit in [3, 2, 1, 0] as [UInt8] { digits.append(0x30 + (UInt8(nibble) >> bit & 1)) }
            } else {
                guard byte == 0x30 || byte == 0x31 else { throw invalidDigit(byte, "binary") }
                digits.append(byte)
            }
        }
        return digits
    }

    private static func invalidDigit(_ byte: UInt8, _ kind: String) -> QueryError {
        QueryError(
            .invalidTextRepresentation,
            "\"\(String(decoding: [byte], as: UTF8.self))\" is not a valid \(kind) digit")
    }

    /// Reads a value of a type, which must have its length. Errors: 22P02, 22026, 22001.
    package static func parse(_ text: UnsafeBufferPointer<UInt8>, as type: DataType) throws -> [UInt8] {
        let digits = try parse(text)
        try check(digits.count, type)
        return digits
    }

    /// Whether so many bits fit the type without being cut or filled.
    package static func fits(_ count: Int, _ type: DataType) -> Bool {
        switch type {
        case .bit(let length?): count == length
        case .varbit(let length?): count <= length
        default: true
        }
    }

    package static func check(_ count: Int, _ type: DataType) throws {
        if fits(count, type) { return }
        if case .bit(let length?) = type {
            throw QueryError(
                SQLState("22026"), "bit string length \(count) does not match type bit(\(length))")
        }
        throw QueryError(.stringDataRightTruncation, "bit string too long for type \(type.sqlName)")
    }

    /// The bits in bytes, the first bit highest, the last byte filled with zeros.
    package static func packed(_ digits: some Collection<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity((digits.count + 7) / 8)
        for (index, digit) in digits.enumerated() {
            if index % 8 == 0 { bytes.append(0) }
            if digit == 0x31 { bytes[index / 8] |= 0x80 >> UInt8(index % 8) }
        }
        return bytes
    }

    /// The digits of the first `count` bits of bytes.
    package static func unpacked(_ bytes: ArraySlice<UInt8>, count: Int) -> [UInt8] {
        (0..<count).map { 0x30 + (bytes[bytes.startIndex + $0 / 8] >> UInt8(7 - $0 % 8) & 1) }
    }
}
