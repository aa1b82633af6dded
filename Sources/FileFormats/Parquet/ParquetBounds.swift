// What statistics say about the values of a column chunk or a page.

import Columnar
import Diagnostics

/// Bounds of a column's values over some rows. Bounds may be wider than the values.
package struct ColumnBounds: Sendable {
    package var minimum: ScalarValue?
    package var maximum: ScalarValue?
    package var nullCount: Int?
    package var rowCount: Int
    package init(minimum: ScalarValue? = nil, maximum: ScalarValue? = nil, nullCount: Int? = nil, rowCount: Int) {
        self.minimum = minimum
        self.maximum = maximum
        self.nullCount = nullCount
        self.rowCount = rowCount
    }
}

extension ParquetColumn {
    /// The bounds that a chunk's statistics give.
    func bounds(_ chunk: ParquetColumnChunk) -> ColumnBounds {
        let statistics = chunk.statistics
        var minimum = statistics.minimum
        var maximum = statistics.maximum
        // Old statistics compare bytes as signed, which is right for signed numbers only.
        if minimum == nil && maximum == nil && !isUnsigned && physical != .byteArray && physical != .fixedByteArray {
            minimum = statistics.oldMinimum
            maximum = statistics.oldMaximum
        }
        var nullCount = statistics.nullCount
        if !isNullable { nullCount = 0 }
        if let count = nullCount, count < 0 || count > chunk.valueCount { nullCount = nil }
        return ColumnBounds(
            minimum: minimum.flatMap { bound($0, isLower: true) },
            maximum: maximum.flatMap { bound($0, isLower: false) }, nullCount: nullCount, rowCount: chunk.valueCount)
    }

    /// One bound from its plain bytes; `nil` if it is of no use.
    func bound(_ bytes: [UInt8], isLower: Bool) -> ScalarValue? {
        switch conversion {
        // No order is defined for these.
        case .int96ToTimestamp, .fixedToInterval: return nil
        // Comparisons of json are not bytewise; uuid and float16 are rarely filtered by range.
        case .fixedToUUID, .float16ToFloat: return nil
        case .bytesToView, .fixedToView: return type == .json || type == .jsonb ? nil : .bytes(bytes)
        case .bytesToDecimal64, .bytesToDecimal128:
            return bytes.withUnsafeBufferPointer { pointer in
                pointer.baseAddress.flatMap { PlainValues.bigEndian($0, pointer.count) }.map { .decimal($0) }
            }
        case .booleanBits: return bytes.count == 1 ? .boolean(bytes[0] & 1 != 0) : nil
        default: break
        }
        guard bytes.count == physical.width(typeLength: typeLength) else { return nil }
        let source = Buffer(byteCount: bytes.count)
        bytes.withUnsafeBytes { source.base.copyMemory(from: $0.baseAddress!, byteCount: bytes.count) }
        let vector = Vector(flat: type, capacity: 1)
        do {
            try PlainValues.convert(
                self, source.base.assumingMemoryBound(to: UInt8.self), byteCount: bytes.count, count: 1,
                into: vector.data)
        } catch {
            return nil
        }
        let value = vector.value(at: 0)
        if case .float(let number) = value {
            if number.isNaN { return nil }
            // Either zero may hide behind the other.
            if number == 0 { return .float(isLower ? -0.0 : 0.0) }
        }
        return value
    }
}

/// Order of two values of the same type; `nil` if it is not known here.
package enum ScalarOrder {
    package static func compare(_ a: ScalarValue, _ b: ScalarValue) -> Int? {
        switch (a, b) {
        case (.integer(let x), .integer(let y)): return x < y ? -1 : x == y ? 0 : 1
        case (.decimal(let x), .decimal(let y)): return x < y ? -1 : x == y ? 0 : 1
        case (.float(let x), .float(let y)):
            if x.isNaN || y.isNaN { return nil }
            return x < y ? -1 : x == y ? 0 : 1
        case (.boolean(let x), .boolean(let y)): return x == y ? 0 : x ? 1 : -1
        case (.bytes(let x), .bytes(let y)):
            if x == y { return 0 }
            return x.lexicographicallyPrecedes(y) ? -1 : 1
        default: return nil
        }
    }
}
