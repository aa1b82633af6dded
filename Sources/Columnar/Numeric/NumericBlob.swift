// Numerics as bytes, carried by views.

/// Layout, little endian: u16 header, then the coefficient without zero bytes on top. Header: bits 0…13 the display scale,
/// bit 14 the sign, bit 15 set for special values, whose number (0 NaN, 1 infinity, 2 minus infinity) stands in the low bits.
/// Coefficients of up to 80 bits (24 digits) lie within the view. Any bytes can be read; none at all are zero.
///
/// Equal values may differ in their bytes: 1.5 and 1.50 have different scales. Whoever compares or hashes views asks
/// `ViewKind` how.
package enum NumericBlob {
    private static let negativeBit: UInt16 = 1 << 14
    private static let specialBit: UInt16 = 1 << 15
    private static let scaleMask: UInt16 = (1 << 14) - 1
    /// Coefficients below this are inline.
    private static let inlineBound: UInt128 = 1 << 80

    // MARK: Reading

    /// Unscaled value and scale, for finite values whose coefficient has less than 127 bits.
    @inline(__always)
    package static func small(_ view: UnsafePointer<StringView>) -> (unscaled: Int128, scale: Int)? {
        let count = view.pointee.count
        let header: UInt16
        let coefficient: UInt128
        if count <= StringView.inlineByteCountMax {
            // Inline views are zero-padded.
            header = UInt16(truncatingIfNeeded: view.pointee.head &>> 32)
            coefficient = UInt128(view.pointee.head &>> 48) | UInt128(view.pointee.tail) &<< 16
        } else {
            guard count <= 17 else { return nil }
            let bytes = UnsafeRawPointer(view.pointee.pointer)
            header = bytes.loadUnaligned(as: UInt16.self)
            var value: UInt128 = 0
            withUnsafeMutableBytes(of: &value) {
                $0.copyMemory(from: UnsafeRawBufferPointer(start: bytes + 2, count: count &- 2))
            }
            coefficient = value
        }
        if header & specialBit != 0 { return nil }
        let value = Int128(truncatingIfNeeded: coefficient)
        return (header & negativeBit != 0 ? 0 &- value : value, Int(header & scaleMask))
    }

    package static func value(_ view: UnsafePointer<StringView>) -> NumericValue {
        if let (unscaled, scale) = small(view) { return NumericValue(unscaled, scale: scale) }
        return value(StringView.bytes(at: view), count: view.pointee.count)
    }

    package static func value(_ bytes: [UInt8]) -> NumericValue {
        bytes.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { value($0, count: buffer.count) } ?? .zero
        }
    }

    private static func value(_ bytes: UnsafePointer<UInt8>, count: Int) -> NumericValue {
        guard count >= 2 else { return .zero }
        let header = UInt16(bytes[0]) | UInt16(bytes[1]) << 8
        if header & specialBit != 0 {
            switch header & 3 {
            case 1: return .infinity
            case 2: return .minusInfinity
            default: return .nan
            }
        }
        var limbs = [UInt64](repeating: 0, count: (count - 2 + 7) / 8)
        for index in 2..<count { limbs[(index - 2) / 8] |= UInt64(bytes[index]) << UInt64((index - 2) % 8 * 8) }
        return NumericValue(
            isNegative: header & negativeBit != 0, Magnitude(limbs: limbs), scale: Int(header & scaleMask))
    }

    // MARK: Writing

    /// A finite value of at most 38 digits.
    @inline(__always)
    package static func view(_ unscaled: Int128, scale: Int, heap: StringHeap) -> StringView {
        let magnitude = unscaled.magnitude
        if let view = inlineView(magnitude, isNegative: unscaled < 0, scale: scale) { return view }
        return wide(magnitude, UInt16(truncatingIfNeeded: scale) | (unscaled < 0 ? negativeBit : 0), heap)
    }

    /// A finite value whose coefficient lies within the view; `nil` for larger ones.
    @inline(__always)
    package static func inlineView(_ magnitude: UInt128, isNegative: Bool, scale: Int) -> StringView? {
        guard magnitude < inlineBound else { return nil }
        let header = UInt16(truncatingIfNeeded: scale) | (isNegative ? negativeBit : 0)
        let count = 2 &+ (128 &- magnitude.leadingZeroBitCount &+ 7) / 8
        return StringView(
            head: UInt64(truncatingIfNeeded: count) | UInt64(header) &<< 32
                | UInt64(truncatingIfNeeded: magnitude) &<< 48,
            tail: UInt64(truncatingIfNeeded: magnitude &>> 16))
    }

    @inline(never)
    private static func wide(_ magnitude: UInt128, _ header: UInt16, _ heap: StringHeap) -> StringView {
        let count = (128 - magnitude.leadingZeroBitCount + 7) / 8
        let target = heap.reserve(2 + count)
        target[0] = UInt8(truncatingIfNeeded: header)
        target[1] = UInt8(truncatingIfNeeded: header >> 8)
        for index in 0..<count { target[2 + index] = UInt8(truncatingIfNeeded: magnitude >> UInt128(index * 8)) }
        return StringView(target, count: 2 + count)
    }

    package static func view(_ value: NumericValue, heap: StringHeap) -> StringView {
        if value.kind == .finite, let small = value.magnitude.small, small < 1 << 126 {
            return view(value.isNegative ? 0 - Int128(small) : Int128(small), scale: value.scale, heap: heap)
        }
        return bytes(value).withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { heap.copy($0, count: buffer.count) } ?? StringView()
        }
    }

    package static func bytes(_ value: NumericValue) -> [UInt8] {
        let header: UInt16
        switch value.kind {
        case .finite: header = UInt16(truncatingIfNeeded: value.scale) | (value.isNegative ? negativeBit : 0)
        case .nan: header = specialBit
        case .infinity: header = specialBit | 1
        case .minusInfinity: header = specialBit | 2
        }
        var bytes = [UInt8(truncatingIfNeeded: header), UInt8(truncatingIfNeeded: header >> 8)]
        bytes.reserveCapacity(2 + value.magnitude.limbs.count * 8)
        for limb in value.magnitude.limbs {
            for shift in 0..<UInt64(8) { bytes.append(UInt8(truncatingIfNeeded: limb >> (shift * 8))) }
        }
        while bytes.count > 2, bytes[bytes.count - 1] == 0 { bytes.removeLast() }
        return bytes
    }

    // MARK: Comparing

    /// 64 bits whose order is that of the values, as far as 13 digits tell: sign, exponent, leading digits.
    package static func sortPrefix(_ view: UnsafePointer<StringView>) -> UInt64 {
        let value = value(view)
        let magnitude: UInt64
        switch value.kind {
        case .nan: return .max
        case .infinity, .minusInfinity: magnitude = (1 << 63) - (1 << 44)
        case .finite:
            if value.isZero { return 1 << 63 }
            // Exponents reach from -16,383 to 131,071.
            magnitude =
                UInt64(value.leadingExponent + 16_384) << 44 | UInt64(truncatingIfNeeded: value.leading(digits: 13))
        }
        return value.signum < 0 ? ~(1 << 63 | magnitude) : 1 << 63 | magnitude
    }

    package static func compare(_ a: UnsafePointer<StringView>, _ b: UnsafePointer<StringView>) -> Int {
        if let x = small(a), let y = small(b) {
            if x.scale == y.scale { return x.unscaled < y.unscaled ? -1 : x.unscaled == y.unscaled ? 0 : 1 }
            // Scaled to the larger scale, as long as 128 bits hold it.
            let difference = x.scale - y.scale
            if difference.magnitude <= 38 {
                let factor = PowerOfTen.value(Int(difference.magnitude))
                if difference < 0 {
                    let (scaled, overflow) = x.unscaled.multipliedReportingOverflow(by: factor)
                    if !overflow { return scaled < y.unscaled ? -1 : scaled == y.unscaled ? 0 : 1 }
                } else {
                    let (scaled, overflow) = y.unscaled.multipliedReportingOverflow(by: factor)
                    if !overflow { return x.unscaled < scaled ? -1 : x.unscaled == scaled ? 0 : 1 }
                }
            }
        }
        return NumericValue.compare(value(a), value(b))
    }

    package static func equal(_ a: UnsafePointer<StringView>, _ b: UnsafePointer<StringView>) -> Bool {
        StringView.equal(a.pointee, b.pointee) || compare(a, b) == 0
    }

    /// Equal values have equal hashes whatever their scales are.
    package static func hash(_ view: UnsafePointer<StringView>) -> UInt64 {
        guard let (unscaled, scale) = small(view) else { return hash(value(view).withoutTrailingZeros) }
        var (value, left) = (unscaled, unscaled == 0 ? 0 : scale)
        if let narrow = Int64(exactly: value) {
            var rest = narrow
            while left > 0, rest % 10 == 0 {
                rest /= 10
                left &-= 1
            }
            value = Int128(rest)
        } else {
            while left > 0, value % 10 == 0 {
                value /= 10
                left &-= 1
            }
        }
        return Hashing.combine(Hashing.hash(value), UInt64(truncatingIfNeeded: left))
    }

    /// As above, for values that were too long for it before their zeros were dropped.
    private static func hash(_ plain: NumericValue) -> UInt64 {
        if plain.kind == .finite, let small = plain.magnitude.small, small < 1 << 126 {
            let unscaled = plain.isNegative ? 0 - Int128(small) : Int128(small)
            return Hashing.combine(Hashing.hash(unscaled), UInt64(truncatingIfNeeded: plain.scale))
        }
        return bytes(plain).withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { Hashing.hash(bytes: $0, count: buffer.count) } ?? 0
        }
    }
}
