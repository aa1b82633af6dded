// Decimals in byte arrays of one length: big-endian, of any width, most of them wider than their values need.

import Columnar
import Diagnostics
import Testing

@testable import FileFormats

@Suite struct FixedDecimalTests {
    private func column(_ length: Int) -> ParquetColumn {
        ParquetColumn(
            name: "d", type: .decimal(precision: 15, scale: 2), isNullable: false, leaf: 0, physical: .fixedByteArray,
            typeLength: length, conversion: .fixedToDecimal64, isUnsigned: false, unsupported: nil)
    }

    private func converted(_ values: [Int128], length: Int) throws -> [Int64] {
        let source = Buffer(byteCount: values.count * length)
        let bytes = source.base.assumingMemoryBound(to: UInt8.self)
        for (index, value) in values.enumerated() {
            for place in 0..<length {
                let shift = Int128(8 * (length - 1 - place))
                bytes[index * length + place] = UInt8(truncatingIfNeeded: shift < 128 ? value >> shift : value >> 127)
            }
        }
        let target = Buffer(byteCount: values.count * 8)
        try PlainValues.convert(
            column(length), UnsafePointer(bytes), byteCount: values.count * length, count: values.count,
            into: target.base)
        return withExtendedLifetime(source) {
            (0..<values.count).map { target.base.load(fromByteOffset: $0 * 8, as: Int64.self) }
        }
    }

    @Test(arguments: 1...18) func everyWidth(length: Int) throws {
        let bits = min(63, 8 * length - 1)
        let limit = Int128(1) << Int128(bits)
        var values: [Int128] = [0, 1, -1, limit - 1, -limit, limit / 3, -limit / 7]
        values += (0..<500).map { ($0 * 7_919 - 250_000) % limit }
        #expect(try converted(values, length: length).map { Int128($0) } == values)
    }

    @Test(arguments: 9...18) func whatDoesNotFitIsAnError(length: Int) throws {
        for value in [Int128(1) << 63, -(Int128(1) << 63) - 1, Int128(1) << Int128(min(126, 8 * length - 2))] {
            #expect(throws: QueryError.self) { try converted([5, value, -5], length: length) }
        }
    }
}
