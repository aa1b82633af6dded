// Appends values to a byte array: little-endian, unsigned numbers as base-128 groups, signed ones folded first.

import Diagnostics

/// Writes the plan format. Nesting is counted, so that no writer makes what no reader takes.
package struct ByteWriter {
    package private(set) var bytes: [UInt8] = []
    private var depth = 0

    package init() {}

    package mutating func byte(_ value: UInt8) { bytes.append(value) }

    package mutating func flag(_ value: Bool) { bytes.append(value ? 1 : 0) }

    /// An unsigned number in groups of seven bits, low ones first.
    package mutating func unsigned(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// A signed number; small magnitudes take few bytes.
    package mutating func signed(_ value: Int64) {
        unsigned(UInt64(bitPattern: (value &<< 1) ^ (value &>> 63)))
    }

    package mutating func int(_ value: Int) { signed(Int64(value)) }

    package mutating func fixed<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func double(_ value: Double) { fixed(value.bitPattern) }

    package mutating func data(_ value: [UInt8]) {
        unsigned(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    package mutating func string(_ value: String) {
        unsigned(UInt64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    package mutating func list<T>(
        _ values: [T], _ write: (inout ByteWriter, T) throws(QueryError) -> Void
    ) throws(QueryError) {
        unsigned(UInt64(values.count))
        for value in values { try write(&self, value) }
    }

    package mutating func optional<T>(
        _ value: T?, _ write: (inout ByteWriter, T) throws(QueryError) -> Void
    ) throws(QueryError) {
        flag(value != nil)
        if let value { try write(&self, value) }
    }

    /// One level of nesting.
    package mutating func nested(_ write: (inout ByteWriter) throws(QueryError) -> Void) throws(QueryError) {
        depth += 1
        guard depth <= ByteReader.depthMax else {
            throw QueryError(
                .statementTooComplex, "the plan is nested deeper than \(ByteReader.depthMax) levels")
        }
        try write(&self)
        depth -= 1
    }
}
