// The least and the greatest value of a page, as far as statistics keep them.

import Columnar
import Glibc

/// Bounds in the form in which pages are put together to chunks.
enum StagedBounds {
    /// No value, or a type without order.
    case none
    /// Values without usable bounds: NaN, or strings that cannot be cut.
    case unusable
    case integers(Int64, Int64)
    case doubles(Double, Double)
    /// `isExact`: neither of them is cut.
    case bytes([UInt8], [UInt8], isExact: Bool)
}

extension StagedBounds {
    /// Bytes of a bound at most.
    static let byteCountMax = 64

    func union(_ other: StagedBounds, _ order: ParquetColumnType.Order) -> StagedBounds {
        switch (self, other) {
        case (.unusable, _), (_, .unusable): return .unusable
        case (.none, let known), (let known, .none): return known
        case (.integers(let a, let b), .integers(let c, let d)): return .integers(min(a, c), max(b, d))
        case (.doubles(let a, let b), .doubles(let c, let d)): return .doubles(min(a, c), max(b, d))
        case (.bytes(let a, let b, let isExact), .bytes(let c, let d, let isOtherExact)):
            let isSigned = order == .signedBytes
            func precedes(_ x: [UInt8], _ y: [UInt8]) -> Bool {
                x.withUnsafeBytes { x in y.withUnsafeBytes { y in StagedBounds.compare(x, y, isSigned: isSigned) < 0 } }
            }
            return .bytes(precedes(c, a) ? c : a, precedes(b, d) ? d : b, isExact: isExact && isOtherExact)
        default: return .unusable
        }
    }

    /// Plain bytes of both, as statistics have them.
    func plain(_ order: ParquetColumnType.Order) -> (minimum: [UInt8], maximum: [UInt8], isExact: Bool)? {
        func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
            withUnsafeBytes(of: value.littleEndian) { Array($0) }
        }
        switch (self, order) {
        case (.integers(let low, let high), .boolean): return ([UInt8(low)], [UInt8(high)], true)
        case (.integers(let low, let high), .int32):
            return (bytes(Int32(truncatingIfNeeded: low)), bytes(Int32(truncatingIfNeeded: high)), true)
        case (.integers(let low, let high), _): return (bytes(low), bytes(high), true)
        case (.doubles(let low, let high), _):
            // Either zero may hide behind the other.
            let (low, high) = (low == 0 ? -0.0 : low, high == 0 ? 0.0 : high)
            if case .float = order { return (bytes(Float(low).bitPattern), bytes(Float(high).bitPattern), true) }
            return (bytes(low.bitPattern), bytes(high.bitPattern), true)
        case (.bytes(let low, let high, let isExact), _): return (low, high, isExact)
        default: return nil
        }
    }

    static func compare(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, isSigned: Bool) -> Int {
        if isSigned, let x = a.first, let y = b.first, (x ^ y) & 0x80 != 0 { return x & 0x80 != 0 ? -1 : 1 }
        let common = min(a.count, b.count)
        if common > 0, let x = a.baseAddress, let y = b.baseAddress {
            let result = memcmp(x, y, common)
            if result != 0 { return Int(result) }
        }
        return a.count - b.count
    }

    /// Long bounds are cut: the lower one becomes smaller, the upper one larger. Texts stay valid UTF-8.
    static func strings(_ low: UnsafeRawBufferPointer, _ high: UnsafeRawBufferPointer, isText: Bool) -> StagedBounds {
        func cut(_ bytes: UnsafeRawBufferPointer) -> ArraySlice<UInt8> {
            var count = byteCountMax
            while isText, count > 0, bytes[count] & 0xC0 == 0x80 { count -= 1 }
            return Array(bytes[0..<count])[...]
        }
        let lower = low.count <= byteCountMax ? Array(low) : Array(cut(low))
        if high.count <= byteCountMax { return .bytes(lower, Array(high), isExact: low.count <= byteCountMax) }
        var upper = cut(high)
        let largest: UInt8 = isText ? 0x7E : 0xFE
        while let last = upper.last {
            if last <= largest {
                upper[upper.endIndex - 1] = last + 1
                return .bytes(lower, Array(upper), isExact: false)
            }
            upper.removeLast()
        }
        return .unusable
    }

    // MARK: From values

    @inline(__always)
    static func integers<T: FixedWidthInteger & SignedInteger>(_ count: Int, _ value: (Int) -> T) -> StagedBounds {
        if count == 0 { return .none }
        var low = value(0)
        var high = low
        var index = 1
        while index < count {
            let next = value(index)
            low = min(low, next)
            high = max(high, next)
            index &+= 1
        }
        return .integers(Int64(low), Int64(high))
    }

    @inline(__always)
    static func doubles<T: BinaryFloatingPoint>(_ count: Int, _ value: (Int) -> T) -> StagedBounds {
        if count == 0 { return .none }
        var low = value(0)
        var high = low
        var hasNaN = low.isNaN
        var index = 1
        while index < count {
            let next = value(index)
            hasNaN = hasNaN || next != next
            low = next < low ? next : low
            high = next > high ? next : high
            index &+= 1
        }
        return hasNaN ? .unusable : .doubles(Double(low), Double(high))
    }

    /// Plain byte arrays of which the first length lies at `base`.
    static func byteArrays(_ base: UnsafeRawPointer, count: Int, isText: Bool) -> StagedBounds {
        if count == 0 { return .none }
        func value(_ at: UnsafeRawPointer) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(start: at + 4, count: Int(at.loadUnaligned(as: UInt32.self)))
        }
        var low = value(base)
        var high = low
        var at = base + 4 + low.count
        for _ in 1..<count {
            let next = value(at)
            if compare(next, low, isSigned: false) < 0 {
                low = next
            } else if compare(high, next, isSigned: false) < 0 {
                high = next
            }
            at += 4 + next.count
        }
        return strings(low, high, isText: isText)
    }

    /// Values of one width that compare as bytes.
    static func fixed(_ base: UnsafeRawPointer, count: Int, width: Int, isSigned: Bool) -> StagedBounds {
        if count == 0 { return .none }
        var low = UnsafeRawBufferPointer(start: base, count: width)
        var high = low
        for index in 1..<max(1, count) {
            let next = UnsafeRawBufferPointer(start: base + index * width, count: width)
            if compare(next, low, isSigned: isSigned) < 0 { low = next }
            if compare(high, next, isSigned: isSigned) < 0 { high = next }
        }
        return .bytes(Array(low), Array(high), isExact: true)
    }

    /// Strings of a dictionary by their codes: each entry is compared once.
    static func strings(
        _ codes: UnsafePointer<UInt32>, count: Int, entries: [StringView], isText: Bool
    ) -> StagedBounds {
        if count == 0 { return .none }
        var used = [UInt64](repeating: 0, count: Validity.wordCount(entries.count))
        used.withUnsafeMutableBufferPointer { used in
            for index in 0..<count {
                let code = Int(codes[index])
                used[code &>> 6] |= 1 &<< UInt64(truncatingIfNeeded: code & 63)
            }
        }
        return entries.withUnsafeBufferPointer { entries in
            guard let base = entries.baseAddress else { return .none }
            var low = base + Int(codes[0])
            var high = low
            for (number, word) in used.enumerated() {
                var rest = word
                while rest != 0 {
                    let entry = base + (number * 64 + rest.trailingZeroBitCount)
                    rest &= rest &- 1
                    if StringView.compare(entry, low) < 0 { low = entry }
                    if StringView.compare(high, entry) < 0 { high = entry }
                }
            }
            func bytes(_ view: UnsafePointer<StringView>) -> UnsafeRawBufferPointer {
                UnsafeRawBufferPointer(start: StringView.bytes(at: view), count: view.pointee.count)
            }
            return strings(bytes(low), bytes(high), isText: isText)
        }
    }
}
