// Plain values and their conversion to the layouts of SQL types.

import Columnar
import Diagnostics

/// Conversion of many plain values at once.
enum PlainValues {
    /// Converts `count` values from `source` into `target`, in the layout of the column's type. Views point into the source,
    /// which must be pinned and padded. Throws if the bytes do not suffice.
    static func convert(
        _ column: ParquetColumn, _ source: UnsafePointer<UInt8>, byteCount: Int, count: Int,
        into target: UnsafeMutableRawPointer
    ) throws {
        let raw = UnsafeRawPointer(source)
        if let width = column.physical.width(typeLength: column.typeLength) {
            guard count <= byteCount / width else { throw tooShort() }
        }
        switch column.conversion {
        case .identity: target.copyMemory(from: raw, byteCount: count * column.type.physical.width)
        case .booleanBits:
            guard count <= byteCount * 8 else { throw tooShort() }
            expandBits(raw, target.assumingMemoryBound(to: UInt8.self), count)
        case .int32ToInt16: map(raw, target, count, Int32.self) { Int16(truncatingIfNeeded: $0) }
        case .int32ToInt64: map(raw, target, count, Int32.self) { Int64($0) }
        case .uint32ToInt64: map(raw, target, count, UInt32.self) { Int64($0) }
        case .int32ToInt128: map(raw, target, count, Int32.self) { Int128($0) }
        case .int64ToInt128: map(raw, target, count, Int64.self) { Int128($0) }
        case .uint64ToInt128: map(raw, target, count, UInt64.self) { Int128($0) }
        case .int32Times1000: map(raw, target, count, Int32.self) { Int64($0) &* 1000 }
        case .int64Times1000: try timesThousand(raw, target.assumingMemoryBound(to: Int64.self), count)
        case .int64Over1000:
            map(raw, target, count, Int64.self) { value -> Int64 in
                let quotient = value / 1000
                return quotient &- (value % 1000 < 0 ? 1 : 0)
            }
        case .int96ToTimestamp: try timestamps(raw, target.assumingMemoryBound(to: Int64.self), count)
        case .float16ToFloat: map(raw, target, count, UInt16.self) { float(half: $0) }
        case .fixedToDecimal64, .fixedToDecimal128:
            try fixedDecimals(column, source, count, target, isNarrow: column.conversion == .fixedToDecimal64)
        case .fixedToView:
            let views = target.assumingMemoryBound(to: StringView.self)
            var index = 0
            while index < count {
                views[index] = StringView(padded: source + index &* column.typeLength, count: column.typeLength)
                index &+= 1
            }
        case .fixedToUUID:
            let values = target.assumingMemoryBound(to: UUIDValue.self)
            var index = 0
            while index < count {
                values[index] = UUIDValue(
                    high: (raw + index &* 16).loadUnaligned(as: UInt64.self).bigEndian,
                    low: (raw + index &* 16 + 8).loadUnaligned(as: UInt64.self).bigEndian)
                index &+= 1
            }
        case .fixedToInterval:
            let values = target.assumingMemoryBound(to: IntervalValue.self)
            var index = 0
            while index < count {
                let at = raw + index &* 12
                values[index] = IntervalValue(
                    months: Int32(bitPattern: at.loadUnaligned(as: UInt32.self)),
                    days: Int32(bitPattern: (at + 4).loadUnaligned(as: UInt32.self)),
                    microseconds: Int64((at + 8).loadUnaligned(as: UInt32.self)) &* 1000)
                index &+= 1
            }
        case .bytesToView:
            var cursor = source
            try views(&cursor, end: source + byteCount, into: target.assumingMemoryBound(to: StringView.self), count)
        case .bytesToDecimal64, .bytesToDecimal128:
            try byteArrayDecimals(
                source, byteCount, count, target, isNarrow: column.conversion == .bytesToDecimal64)
        }
    }

    static func tooShort() -> QueryError { .corrupted("a page ends too early") }

    @inline(__always)
    private static func map<Source, Target>(
        _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ count: Int, _: Source.Type,
        _ transform: (Source) -> Target
    ) where Source: BitwiseCopyable {
        let values = target.assumingMemoryBound(to: Target.self)
        let stride = MemoryLayout<Source>.stride
        var index = 0
        while index < count {
            values[index] = transform(source.loadUnaligned(fromByteOffset: index &* stride, as: Source.self))
            index &+= 1
        }
    }

    static func expandBits(_ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<UInt8>, _ count: Int) {
        let bytes = source.assumingMemoryBound(to: UInt8.self)
        var index = 0
        while index < count {
            target[index] = (bytes[index &>> 3] &>> UInt8(truncatingIfNeeded: index & 7)) & 1
            index &+= 1
        }
    }

    private static func timesThousand(
        _ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Int64>, _ count: Int
    ) throws {
        var hasOverflow = false
        var index = 0
        while index < count {
            let value = source.loadUnaligned(fromByteOffset: index &* 8, as: Int64.self)
            let (result, overflow) = value.multipliedReportingOverflow(by: 1000)
            target[index] = result
            hasOverflow = hasOverflow || overflow
            index &+= 1
        }
        if hasOverflow { throw QueryError(.datetimeFieldOverflow, "timestamp out of range") }
    }

    /// Nanoseconds of the day (8 bytes), then the Julian day (4 bytes).
    private static func timestamps(
        _ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Int64>, _ count: Int
    ) throws {
        var index = 0
        while index < count {
            let nanoseconds = source.loadUnaligned(fromByteOffset: index &* 12, as: Int64.self)
            let day = Int64(source.loadUnaligned(fromByteOffset: index &* 12 &+ 8, as: Int32.self)) &- 2_440_588
            // A 32-bit day fits in 64-bit microseconds.
            let (sum, overflow) = (day &* 86_400_000_000).addingReportingOverflow(
                nanoseconds / 1000 &- (nanoseconds % 1000 < 0 ? 1 : 0))
            if overflow { throw QueryError(.datetimeFieldOverflow, "timestamp out of range") }
            target[index] = sum
            index &+= 1
        }
    }

    static func float(half: UInt16) -> Float {
        let sign = UInt32(half & 0x8000) &<< 16
        let exponent = UInt32(half &>> 10) & 31
        let fraction = UInt32(half & 1023)
        if exponent == 0 {
            let magnitude = Float(fraction) * 0x1p-24
            return sign != 0 ? -magnitude : magnitude
        }
        if exponent == 31 { return Float(bitPattern: sign | 0x7F80_0000 | fraction &<< 13) }
        return Float(bitPattern: sign | (exponent &+ 112) &<< 23 | fraction &<< 13)
    }

    /// A big-endian two's complement number of any length; `nil` if it does not fit 128 bits.
    @inline(__always)
    static func bigEndian(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int128? {
        if count == 0 { return 0 }
        var start = 0
        let fill: UInt8 = bytes[0] & 0x80 != 0 ? 0xFF : 0
        while count &- start > 16 {
            if bytes[start] != fill || (bytes[start &+ 1] ^ fill) & 0x80 != 0 { return nil }
            start &+= 1
        }
        var value: Int128 = fill != 0 ? -1 : 0
        while start < count {
            value = value &<< 8 | Int128(truncatingIfNeeded: bytes[start])
            start &+= 1
        }
        return value
    }

    private static func outOfRange() -> QueryError {
        QueryError(.numericValueOutOfRange, "a decimal in a Parquet file has more digits than its type allows")
    }

    private static func fixedDecimals(
        _ column: ParquetColumn, _ source: UnsafePointer<UInt8>, _ count: Int, _ target: UnsafeMutableRawPointer,
        isNarrow: Bool
    ) throws {
        let length = column.typeLength
        var index = 0
        if isNarrow, length > 0, length <= 16 {
            // Whole words are read, past the value's end: pages have padding behind them.
            let raw = UnsafeRawPointer(source)
            let values = target.assumingMemoryBound(to: Int64.self)
            var excess: Int64 = 0
            if length <= 8 {
                let shift = Int64(64 - 8 * length)
                while index < count {
                    let word = (raw + index &* length).loadUnaligned(as: UInt64.self).bigEndian
                    values[index] = Int64(bitPattern: word) &>> shift
                    index &+= 1
                }
            } else {
                let shift = UInt64(128 - 8 * length)
                while index < count {
                    let at = raw + index &* length
                    let high = Int64(bitPattern: at.loadUnaligned(as: UInt64.self).bigEndian)
                    let low = (at + 8).loadUnaligned(as: UInt64.self).bigEndian
                    // The lowest 64 bits of the value, and those above them.
                    let value = Int64(
                        bitPattern: shift == 0 ? low : low &>> shift | UInt64(bitPattern: high) &<< (64 &- shift))
                    excess |= (high &>> Int64(shift)) ^ (value &>> 63)
                    values[index] = value
                    index &+= 1
                }
            }
            guard excess == 0 else { throw outOfRange() }
            return
        }
        while index < count {
            guard let value = bigEndian(source + index &* length, length) else { throw outOfRange() }
            if isNarrow {
                let narrow = Int64(truncatingIfNeeded: value)
                guard Int128(narrow) == value else { throw outOfRange() }
                target.assumingMemoryBound(to: Int64.self)[index] = narrow
            } else {
                target.assumingMemoryBound(to: Int128.self)[index] = value
            }
            index &+= 1
        }
    }

    private static func byteArrayDecimals(
        _ source: UnsafePointer<UInt8>, _ byteCount: Int, _ count: Int, _ target: UnsafeMutableRawPointer,
        isNarrow: Bool
    ) throws {
        var cursor = source
        let end = source + byteCount
        var index = 0
        while index < count {
            guard end - cursor >= 4 else { throw tooShort() }
            let length = Int(UnsafeRawPointer(cursor).loadUnaligned(as: UInt32.self))
            cursor += 4
            guard length <= end - cursor else { throw tooShort() }
            guard let value = bigEndian(cursor, length) else { throw outOfRange() }
            cursor += length
            if isNarrow {
                let narrow = Int64(truncatingIfNeeded: value)
                guard Int128(narrow) == value else { throw outOfRange() }
                target.assumingMemoryBound(to: Int64.self)[index] = narrow
            } else {
                target.assumingMemoryBound(to: Int128.self)[index] = value
            }
            index &+= 1
        }
    }

    /// Views of length-prefixed byte arrays; moves the cursor behind them.
    static func views(
        _ cursor: inout UnsafePointer<UInt8>, end: UnsafePointer<UInt8>, into target: UnsafeMutablePointer<StringView>,
        _ count: Int
    ) throws {
        var at = cursor
        var index = 0
        while index < count {
            // Reading the length may run into the padding; then the check of the rest fails.
            let length = Int(UnsafeRawPointer(at).loadUnaligned(as: UInt32.self))
            at += 4
            guard length <= end - at else { throw tooShort() }
            target[index] = StringView(padded: at, count: length)
            at += length
            index &+= 1
        }
        cursor = at
    }

    /// Passes over length-prefixed byte arrays.
    static func skipBytes(_ cursor: inout UnsafePointer<UInt8>, end: UnsafePointer<UInt8>, _ count: Int) throws {
        var at = cursor
        var index = 0
        while index < count {
            let length = Int(UnsafeRawPointer(at).loadUnaligned(as: UInt32.self))
            at += 4
            guard length <= end - at else { throw tooShort() }
            at += length
            index &+= 1
        }
        cursor = at
    }
}
