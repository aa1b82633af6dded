// Reads what ByteWriter wrote. Every length is checked against what is left before anything is allocated.

import Diagnostics

/// Reads the plan format. Any input gives a value or an error of state XX001, never a crash.
package struct ByteReader {
    /// Levels of nesting that are taken; a stack frame of the recursive readers costs about two kilobytes.
    package static let depthMax = 500

    private let bytes: [UInt8]
    private var offset = 0
    private var depth = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package var left: Int { bytes.count - offset }
    package var isAtEnd: Bool { offset == bytes.count }

    package mutating func byte() throws(QueryError) -> UInt8 {
        guard offset < bytes.count else { throw .corrupt("it ends too early") }
        let value = bytes[offset]
        offset += 1
        return value
    }

    package mutating func flag() throws(QueryError) -> Bool {
        switch try byte() {
        case 0: return false
        case 1: return true
        default: throw .corrupt("a flag is neither 0 nor 1")
        }
    }

    package mutating func unsigned() throws(QueryError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let group = try byte()
            // The tenth group holds one bit.
            if shift == 63, group > 1 { throw .corrupt("a number is too large") }
            value |= UInt64(group & 0x7f) &<< shift
            if group < 0x80 { return value }
            shift += 7
            if shift > 63 { throw .corrupt("a number is too long") }
        }
    }

    package mutating func signed() throws(QueryError) -> Int64 {
        let folded = try unsigned()
        return Int64(bitPattern: folded &>> 1) ^ (0 &- Int64(bitPattern: folded & 1))
    }

    package mutating func int() throws(QueryError) -> Int {
        Int(try signed())
    }

    package mutating func fixed<T: FixedWidthInteger>(_: T.Type = T.self) throws(QueryError) -> T {
        let size = MemoryLayout<T>.size
        guard left >= size else { throw .corrupt("it ends too early") }
        var value: T = 0
        withUnsafeMutableBytes(of: &value) { target in
            bytes.withUnsafeBytes {
                target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + size]))
            }
        }
        offset += size
        return T(littleEndian: value)
    }

    package mutating func double() throws(QueryError) -> Double {
        Double(bitPattern: try fixed(UInt64.self))
    }

    /// A count of elements that take at least one byte each.
    package mutating func count() throws(QueryError) -> Int {
        let value = try unsigned()
        guard value <= UInt64(left) else { throw .corrupt("a length exceeds the data") }
        return Int(value)
    }

    package mutating func data() throws(QueryError) -> [UInt8] {
        let size = try count()
        let value = Array(bytes[offset..<offset + size])
        offset += size
        return value
    }

    package mutating func string() throws(QueryError) -> String {
        guard let value = String(validating: try data(), as: UTF8.self) else {
            throw .corrupt("a string is not UTF-8")
        }
        return value
    }

    package mutating func list<T>(
        _ read: (inout ByteReader) throws(QueryError) -> T
    ) throws(QueryError) -> [T] {
        let size = try count()
        var values: [T] = []
        values.reserveCapacity(min(size, 1024))
        for _ in 0..<size { values.append(try read(&self)) }
        return values
    }

    package mutating func optional<T>(
        _ read: (inout ByteReader) throws(QueryError) -> T
    ) throws(QueryError) -> T? {
        try flag() ? try read(&self) : nil
    }

    package mutating func nested<T>(
        _ read: (inout ByteReader) throws(QueryError) -> T
    ) throws(QueryError) -> T {
        depth += 1
        guard depth <= ByteReader.depthMax else { throw .corrupt("it is nested too deeply") }
        let value = try read(&self)
        depth -= 1
        return value
    }

    /// The value of an enumeration by its raw byte.
    package mutating func choice<T: RawRepresentable>(_: T.Type = T.self) throws(QueryError) -> T
    where T.RawValue == UInt8 {
        guard let value = T(rawValue: try byte()) else { throw .corrupt("an unknown \(T.self)") }
        return value
    }

    package func finish() throws(QueryError) {
        guard isAtEnd else { throw .corrupt("\(left) bytes too many") }
    }
}
