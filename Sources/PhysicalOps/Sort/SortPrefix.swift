// Sort keys as 64-bit numbers whose order is the rows' order, as far as 64 bits reach.

import Columnar
import QueryPlan

/// Encodes rows of key vectors. From the top bit down, for each key: one bit for NULL, then the value made unsigned, inverted
/// for descending keys. A key that does not fit is cut, and those behind it are left out: then equal prefixes do not mean
/// equal rows.
struct SortPrefixEncoder: Sendable {
    private struct Key: Sendable {
        let physical: PhysicalType
        let isNumeric: Bool
        let isDescending: Bool
        let nullsFirst: Bool
        /// The value's bits and how many of them, from the top, are taken.
        let bits: Int
        let taken: Int
        /// Distance of the lowest taken bit from the bottom of the prefix.
        let shift: Int
        /// Without it NULL is the value 0.
        let hasNullBit: Bool
        /// What integers count from: the smallest of them, if they are known.
        let base: Int64?
    }

    /// What is known of a key's values.
    struct Knowledge: Sendable {
        /// NULL is told apart already, or does not occur.
        var hasNoNulls = false
        /// Bounds of integers.
        var range: ClosedRange<Int64>?
    }

    /// What of the sort keys the prefix says.
    enum Coverage: Sendable, Equatable {
        /// All: rows with equal prefixes are equal.
        case everything
        /// The keys before this one.
        case keys(before: Int)
        /// The keys before this one, whether it is NULL, and so many of its leading bytes.
        case leadingBytes(ofKey: Int, count: Int)
        /// The keys before this one, whether it is NULL, and some of its bits.
        case leadingBits(ofKey: Int)
    }

    private let keys: [Key]
    let coverage: Coverage
    /// Whether rows with equal prefixes are equal in all keys.
    var isExact: Bool { coverage == .everything }
    /// Bits from the top that tell anything; those below are zero.
    let usedBits: Int

    /// - Parameter knowledge: by key; nothing is known of those that are missing.
    init(_ sortKeys: [SortKey], knowledge: [Knowledge] = []) {
        var keys: [Key] = []
        var left = 64
        var coverage = Coverage.everything
        for (index, sortKey) in sortKeys.enumerated() {
            let known = index < knowledge.count ? knowledge[index] : Knowledge()
            let nullBits = known.hasNoNulls ? 0 : 1
            guard left > nullBits else {
                coverage = .keys(before: index)
                break
            }
            let type = sortKey.expression.type
            let physical = type.physical
            var (bits, isLossless) = SortPrefixEncoder.width(type)
            if let range = known.range {
                bits = 64 - UInt64(bitPattern: range.upperBound &- range.lowerBound).leadingZeroBitCount
            }
            let taken = min(bits, left - nullBits)
            keys.append(
                Key(
                    physical: physical, isNumeric: type.isNumericBlob, isDescending: sortKey.isDescending,
                    nullsFirst: sortKey.nullsFirst, bits: bits, taken: taken, shift: left - nullBits - taken,
                    hasNullBit: nullBits == 1, base: known.range?.lowerBound))
            left -= nullBits + taken
            if type.ordersByBytes {
                coverage = .leadingBytes(ofKey: index, count: taken / 8)
                break
            }
            if taken < bits || !isLossless {
                coverage = .leadingBits(ofKey: index)
                break
            }
        }
        self.keys = keys
        self.coverage = coverage
        usedBits = 64 - left
    }

    /// What the rows say of their keys.
    static func knowledge(of vectors: [Vector], from start: Int, count: Int) -> [Knowledge] {
        vectors.map { vector in
            let range: ClosedRange<Int64>? =
                switch vector.physical {
                case .int8: bounds(vector.values(Int8.self) + start, vector, start, count)
                case .int16: bounds(vector.values(Int16.self) + start, vector, start, count)
                case .int32: bounds(vector.values(Int32.self) + start, vector, start, count)
                case .int64: bounds(vector.values(Int64.self) + start, vector, start, count)
                case .boolean, .int128, .float32, .float64, .interval, .uuid, .view: nil
                }
            return Knowledge(hasNoNulls: vector.validity == nil, range: range)
        }
    }

    private static func bounds<T: FixedWidthInteger & SignedInteger>(
        _ values: UnsafePointer<T>, _ vector: Vector, _ start: Int, _ count: Int
    ) -> ClosedRange<Int64>? {
        var low = T.max
        var high = T.min
        var row = 0
        while row < count {
            if vector.validity.map({ Validity.isValid($0, start &+ row) }) ?? true {
                low = min(low, values[row])
                high = max(high, values[row])
            }
            row &+= 1
        }
        return low <= high ? Int64(low)...Int64(high) : nil
    }

    private static func width(_ type: DataType) -> (bits: Int, isLossless: Bool) {
        // The order of arrays is not that of their bytes: the prefix only tells NULL from the rest.
        if type.elementType != nil { return (0, false) }
        return switch type.physical {
        case .boolean: (1, true)
        case .int8: (8, true)
        case .int16: (16, true)
        case .int32: (32, true)
        case .int64: (64, true)
        case .float32: (32, true)
        case .float64: (64, true)
        case .int128, .interval, .uuid, .view: (64, false)
        }
    }

    /// `vectors[i]` is the i-th key, flat. Rows `start ..< start + count` are encoded.
    func encode(_ vectors: [Vector], from start: Int = 0, count: Int, into prefixes: UnsafeMutablePointer<UInt64>) {
        prefixes.update(repeating: 0, count: count)
        for (index, key) in keys.enumerated() { add(key, vectors[index], start, count, prefixes) }
    }

    private func add(
        _ key: Key, _ vector: Vector, _ start: Int, _ count: Int, _ prefixes: UnsafeMutablePointer<UInt64>
    ) {
        switch key.physical {
        case .int8, .int16, .int32, .int64:
            if let base = key.base { return addDistances(key, base, vector, start, count, prefixes) }
            switch key.physical {
            case .int8: addIntegers(key, vector.values(Int8.self) + start, vector, start, count, prefixes)
            case .int16: addIntegers(key, vector.values(Int16.self) + start, vector, start, count, prefixes)
            case .int32: addIntegers(key, vector.values(Int32.self) + start, vector, start, count, prefixes)
            default: addIntegers(key, vector.values(Int64.self) + start, vector, start, count, prefixes)
            }
        case .boolean: addIntegers(key, vector.values(UInt8.self) + start, vector, start, count, prefixes)
        case .float32:
            let values = vector.values(Float.self) + start
            put(key, vector, start, count, prefixes) { row in
                let value = values[row].isNaN ? Float.nan : values[row] == 0 ? 0 : values[row]
                let bits = value.bitPattern
                return UInt64(bits & 0x8000_0000 != 0 ? ~bits : bits | 0x8000_0000)
            }
        case .float64:
            let values = vector.values(Double.self) + start
            put(key, vector, start, count, prefixes) { row in
                let value = values[row].isNaN ? Double.nan : values[row] == 0 ? 0 : values[row]
                let bits = value.bitPattern
                return bits & (1 << 63) != 0 ? ~bits : bits | 1 << 63
            }
        case .int128:
            let values = vector.values(Int128.self) + start
            put(key, vector, start, count, prefixes) { row in
                UInt64(bitPattern: Int64(clamping: values[row])) ^ (1 << 63)
            }
        case .interval:
            let values = vector.values(IntervalValue.self) + start
            put(key, vector, start, count, prefixes) { row in
                UInt64(bitPattern: Int64(clamping: values[row].comparisonMicroseconds)) ^ (1 << 63)
            }
        case .uuid:
            let values = vector.values(UUIDValue.self) + start
            put(key, vector, start, count, prefixes) { row in values[row].high }
        case .view where key.isNumeric:
            let views = vector.views + start
            put(key, vector, start, count, prefixes) { row in NumericBlob.sortPrefix(views + row) }
        case .view where key.bits == 0: put(key, vector, start, count, prefixes) { _ in 0 }
        case .view:
            // What other than bytes decides about has no prefix: all rows are equal so far.
            if !ViewKind(vector.type).isBytes { return put(key, vector, start, count, prefixes) { _ in 0 } }
            let views = vector.views + start
            put(key, vector, start, count, prefixes) { row in SortPrefixEncoder.leadingBytes(views + row) }
        }
    }

    /// Eight bytes from byte `offset` on, big-endian, zero-padded.
    @inline(__always)
    static func bytes(_ view: UnsafePointer<StringView>, from offset: Int) -> UInt64 {
        let left = view.pointee.count &- offset
        if left <= 0 { return 0 }
        let bytes = UnsafeRawPointer(StringView.bytes(at: view) + offset)
        if left >= 8 { return bytes.loadUnaligned(as: UInt64.self).bigEndian }
        var result: UInt64 = 0
        var index = 0
        while index < left {
            result |= UInt64(bytes.load(fromByteOffset: index, as: UInt8.self)) &<< UInt64(56 &- 8 &* index)
            index &+= 1
        }
        return result
    }

    /// The first eight bytes, big-endian, zero-padded.
    @inline(__always)
    private static func leadingBytes(_ view: UnsafePointer<StringView>) -> UInt64 {
        let prefix = UInt32(truncatingIfNeeded: view.pointee.head &>> 32).byteSwapped
        let following: UInt32
        if view.pointee.isInline {
            following = UInt32(truncatingIfNeeded: view.pointee.tail).byteSwapped
        } else {
            following = UnsafeRawPointer(view.pointee.pointer + 4).loadUnaligned(as: UInt32.self).byteSwapped
        }
        return UInt64(prefix) &<< 32 | UInt64(following)
    }

    @inline(__always)
    private func addIntegers<T: FixedWidthInteger>(
        _ key: Key, _ values: UnsafePointer<T>, _ vector: Vector, _ start: Int, _ count: Int,
        _ prefixes: UnsafeMutablePointer<UInt64>
    ) {
        // The sign bit is flipped, so that negative numbers come first.
        let flip: UInt64 = T.isSigned ? 1 &<< UInt64(T.bitWidth &- 1) : 0
        let mask: UInt64 = key.bits == 64 ? .max : (1 &<< UInt64(key.bits)) &- 1
        put(key, vector, start, count, prefixes) { row in (UInt64(truncatingIfNeeded: values[row]) & mask) ^ flip }
    }

    /// Integers as distances from the smallest one.
    private func addDistances(
        _ key: Key, _ base: Int64, _ vector: Vector, _ start: Int, _ count: Int,
        _ prefixes: UnsafeMutablePointer<UInt64>
    ) {
        func add<T: FixedWidthInteger & SignedInteger>(_ values: UnsafePointer<T>) {
            put(key, vector, start, count, prefixes) { row in
                UInt64(bitPattern: Int64(truncatingIfNeeded: values[row]) &- base)
            }
        }
        switch key.physical {
        case .int8: add(vector.values(Int8.self) + start)
        case .int16: add(vector.values(Int16.self) + start)
        case .int32: add(vector.values(Int32.self) + start)
        default: add(vector.values(Int64.self) + start)
        }
    }

    @inline(__always)
    private func put(
        _ key: Key, _ vector: Vector, _ start: Int, _ count: Int, _ prefixes: UnsafeMutablePointer<UInt64>,
        _ value: (Int) -> UInt64
    ) {
        let valueMask: UInt64 = key.bits == 64 ? .max : (1 &<< UInt64(key.bits)) &- 1
        let invert: UInt64 = key.isDescending ? valueMask : 0
        let cut = UInt64(key.bits - key.taken)
        let shift = UInt64(key.shift)
        let nullBit: UInt64 = key.hasNullBit ? 1 &<< UInt64(key.shift + key.taken) : 0
        let valid: UInt64 = key.nullsFirst ? nullBit : 0
        let null: UInt64 = key.nullsFirst ? 0 : nullBit
        if let validity = vector.validity {
            for row in 0..<count {
                if Validity.isValid(validity, start &+ row) {
                    prefixes[row] |= valid | ((value(row) ^ invert) &>> cut) &<< shift
                } else {
                    prefixes[row] |= null
                }
            }
        } else {
            var row = 0
            while row < count {
                prefixes[row] |= valid | ((value(row) ^ invert) &>> cut) &<< shift
                row &+= 1
            }
        }
    }
}

extension DataType {
    /// Whether values are ordered as their bytes are, the shorter one first.
    var ordersByBytes: Bool { physical == .view && elementType == nil && ViewKind(self).isBytes }
}
