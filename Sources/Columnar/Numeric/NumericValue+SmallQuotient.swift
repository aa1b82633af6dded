// Division of numbers that fit 128 bits, without the arrays of magnitudes: averages are finished by it, group by group.

extension NumericValue {
    /// What `quotient` gives for an unscaled value and a positive divisor, if it and the steps to it fit 128 bits.
    package static func smallQuotient(_ unscaled: Int128, scale: Int, by divisor: Int64) -> (
        unscaled: Int128, scale: Int
    )? {
        guard divisor > 0, scale >= 0, scale <= 38 else { return nil }
        let (x, y) = (leadingGroup(unscaled.magnitude, scale), leadingGroup(UInt128(divisor.magnitude), 0))
        var weight = x.weight - y.weight
        if x.value <= y.value { weight -= 1 }
        let resultScale = min(resultScaleMax, max(significantDigitsMin - weight * 4, scale, 0))
        let shift = resultScale - scale
        guard shift <= 38 else { return nil }
        let (scaled, overflow) = unscaled.magnitude.multipliedReportingOverflow(by: UInt128(PowerOfTen.value(shift)))
        guard !overflow else { return nil }
        let (quotient, rest) = scaled.quotientAndRemainder(dividingBy: UInt128(divisor.magnitude))
        // Halves go away from zero.
        let rounded = quotient + (rest >= UInt128(divisor.magnitude) - rest ? 1 : 0)
        guard rounded < 1 << 126 else { return nil }
        return (unscaled < 0 ? 0 - Int128(rounded) : Int128(rounded), resultScale)
    }

    /// As `leadingGroup` of a value with this magnitude.
    private static func leadingGroup(_ magnitude: UInt128, _ scale: Int) -> (weight: Int, value: Int) {
        if magnitude == 0 { return (0, 0) }
        // 1233 / 4096 is a little less than the decimal logarithm of 2.
        var digits = ((128 - magnitude.leadingZeroBitCount) * 1233) >> 12
        if digits > 38 || magnitude >= UInt128(PowerOfTen.value(digits)) { digits += 1 }
        let exponent = digits - 1 - scale
        let weight = exponent >= 0 ? exponent / 4 : -((3 - exponent) / 4)
        let wanted = exponent - weight * 4 + 1
        if digits > wanted { return (weight, Int(magnitude / UInt128(PowerOfTen.value(digits - wanted)))) }
        return (weight, Int(magnitude * UInt128(PowerOfTen.value(wanted - digits))))
    }
}
