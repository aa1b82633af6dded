// One numeric of any size: sign, coefficient and display scale, or a special value.

import Diagnostics

/// Precision and scale of `numeric(p, s)`. The scale may be negative or larger than the precision.
package struct NumericModifier: Hashable, Sendable {
    package static let precisionMax = 1_000
    package static let scaleMax = 1_000
    package var precision: Int
    package var scale: Int
    package init(precision: Int, scale: Int) {
        self.precision = precision
        self.scale = scale
    }
}

/// A value of type numeric as PostgreSQL has it: ±magnitude × 10^-scale, where the scale is also the number of fraction
/// digits that are shown; or not a number, or infinite. There is no negative zero.
package struct NumericValue: Sendable {
    package enum Kind: UInt8, Sendable { case finite, nan, infinity, minusInfinity }

    /// Digits in front of the point, digits behind it.
    package static let wholeDigitsMax = 131_072
    package static let scaleMax = 16_383

    package var kind: Kind
    package private(set) var isNegative: Bool
    package private(set) var magnitude: Magnitude
    package private(set) var scale: Int

    private init(kind: Kind) {
        self.kind = kind
        isNegative = false
        magnitude = .zero
        scale = 0
    }

    package init(isNegative: Bool = false, _ magnitude: Magnitude, scale: Int) {
        kind = .finite
        self.isNegative = isNegative && !magnitude.isZero
        self.magnitude = magnitude
        self.scale = scale
    }

    package init(_ unscaled: Int128, scale: Int) {
        self.init(isNegative: unscaled < 0, Magnitude(unscaled.magnitude), scale: scale)
    }
    package init(_ value: Int64) { self.init(Int128(value), scale: 0) }

    package static let nan = NumericValue(kind: .nan)
    package static let infinity = NumericValue(kind: .infinity)
    package static let minusInfinity = NumericValue(kind: .minusInfinity)
    package static let zero = NumericValue(Int128(0), scale: 0)
    package static let one = NumericValue(Int128(1), scale: 0)

    package var isFinite: Bool { kind == .finite }
    package var isNaN: Bool { kind == .nan }
    package var isInfinite: Bool { kind == .infinity || kind == .minusInfinity }
    package var isZero: Bool { kind == .finite && magnitude.isZero }
    /// -1, 0 or 1; NaN has 0.
    package var signum: Int {
        switch kind {
        case .finite: magnitude.isZero ? 0 : isNegative ? -1 : 1
        case .nan: 0
        case .infinity: 1
        case .minusInfinity: -1
        }
    }

    package static let overflow = QueryError(.numericValueOutOfRange, "value overflows numeric format")

    /// The value if it has no more digits than the type allows; 22003 otherwise.
    package func checked() throws(QueryError) -> NumericValue {
        guard kind == .finite else { return self }
        // Bits first: counting digits is only needed near the limit.
        if magnitude.bitWidth > (NumericValue.wholeDigitsMax + scale) * 3,
            magnitude.digitCount - scale > NumericValue.wholeDigitsMax
        {
            throw NumericValue.overflow
        }
        return self
    }

    // MARK: Scale

    /// The value shown with another number of fraction digits, rounded half away from zero.
    package func rounded(toScale target: Int) -> NumericValue {
        guard kind == .finite, target != scale else { return self }
        if target > scale {
            return NumericValue(isNegative: isNegative, magnitude.timesPowerOfTen(target - scale), scale: target)
        }
        let shown = max(0, target)
        let drop = scale - target
        if magnitude.digitCount < drop { return NumericValue(.zero, scale: shown) }
        let quotient = magnitude.dividedRounding(by: .powerOfTen(drop))
        return NumericValue(isNegative: isNegative, quotient.timesPowerOfTen(shown - target), scale: shown)
    }

    /// The value cut to another number of fraction digits.
    package func truncated(toScale target: Int) -> NumericValue {
        guard kind == .finite, target < scale else { return rounded(toScale: target) }
        let shown = max(0, target)
        let drop = scale - target
        if magnitude.digitCount <= drop - 1 { return NumericValue(.zero, scale: shown) }
        let quotient = magnitude.dividedBy(.powerOfTen(drop)).quotient
        return NumericValue(isNegative: isNegative, quotient.timesPowerOfTen(shown - target), scale: shown)
    }

    /// The largest whole number that is not greater.
    package var floor: NumericValue {
        let whole = truncated(toScale: 0)
        return isNegative && NumericValue.compare(whole, self) != 0 ? NumericValue.difference(whole, .one) : whole
    }
    /// The smallest whole number that is not less.
    package var ceiling: NumericValue {
        let whole = truncated(toScale: 0)
        return kind == .finite && !isNegative && NumericValue.compare(whole, self) != 0
            ? NumericValue.sum(whole, .one) : whole
    }

    /// The smallest scale that shows the value exactly.
    package var scaleMin: Int {
        guard kind == .finite else { return 0 }
        return scale - magnitude.withoutTrailingZeros(limit: scale).count
    }

    package var withoutTrailingZeros: NumericValue {
        guard kind == .finite, scale > 0 else { return self }
        let (value, count) = magnitude.withoutTrailingZeros(limit: scale)
        return NumericValue(isNegative: isNegative, value, scale: scale - count)
    }

    /// The value within `numeric(p, s)`: rounded to its scale, 22003 if it has too many digits.
    package func constrained(to modifier: NumericModifier) throws(QueryError) -> NumericValue {
        switch kind {
        case .nan: return self
        case .infinity, .minusInfinity:
            throw QueryError(
                .numericValueOutOfRange, "numeric field overflow",
                detail:
                    "A field with precision \(modifier.precision), scale \(modifier.scale) cannot hold an infinite value."
            )
        case .finite: break
        }
        let result = rounded(toScale: modifier.scale)
        let digits = result.magnitude.digitCount - result.scale
        let digitsMax = modifier.precision - modifier.scale
        if !result.isZero, digits > digitsMax {
            throw QueryError(
                .numericValueOutOfRange, "numeric field overflow",
                detail:
                    "A field with precision \(modifier.precision), scale \(modifier.scale) must round to an absolute "
                    + "value less than \(digitsMax == 0 ? "1" : "10^\(digitsMax)").")
        }
        return result
    }

    // MARK: Order

    /// PostgreSQL's order: NaN is the largest value and equal to itself.
    package static func compare(_ a: NumericValue, _ b: NumericValue) -> Int {
        func rank(_ value: NumericValue) -> Int {
            switch value.kind {
            case .minusInfinity: 0
            case .finite: 1
            case .infinity: 2
            case .nan: 3
            }
        }
        let (rankA, rankB) = (rank(a), rank(b))
        if rankA != rankB || rankA != 1 { return rankA - rankB }
        let (signA, signB) = (a.signum, b.signum)
        if signA != signB { return signA < signB ? -1 : 1 }
        if signA == 0 { return 0 }
        let (x, y) = aligned(a, b)
        let order = Magnitude.compare(x, y)
        return signA < 0 ? -order : order
    }

    /// Both magnitudes at the larger scale.
    private static func aligned(_ a: NumericValue, _ b: NumericValue) -> (Magnitude, Magnitude) {
        if a.scale == b.scale { return (a.magnitude, b.magnitude) }
        return a.scale > b.scale
            ? (a.magnitude, b.magnitude.timesPowerOfTen(a.scale - b.scale))
            : (a.magnitude.timesPowerOfTen(b.scale - a.scale), b.magnitude)
    }

    // MARK: Arithmetic

    package var negated: NumericValue {
        switch kind {
        case .finite: NumericValue(isNegative: !isNegative, magnitude, scale: scale)
        case .nan: self
        case .infinity: .minusInfinity
        case .minusInfinity: .infinity
        }
    }
    package var absolute: NumericValue { signum < 0 ? negated : self }

    package static func sum(_ a: NumericValue, _ b: NumericValue) -> NumericValue {
        guard a.kind == .finite, b.kind == .finite else {
            if a.isNaN || b.isNaN { return .nan }
            if a.isInfinite && b.isInfinite { return a.kind == b.kind ? a : .nan }
            return a.isInfinite ? a : b
        }
        let (x, y) = aligned(a, b)
        let scale = max(a.scale, b.scale)
        if a.isNegative == b.isNegative { return NumericValue(isNegative: a.isNegative, x + y, scale: scale) }
        let order = Magnitude.compare(x, y)
        if order == 0 { return NumericValue(.zero, scale: scale) }
        return order > 0
            ? NumericValue(isNegative: a.isNegative, x - y, scale: scale)
            : NumericValue(isNegative: b.isNegative, y - x, scale: scale)
    }

    package static func difference(_ a: NumericValue, _ b: NumericValue) -> NumericValue { sum(a, b.negated) }

    package static func product(_ a: NumericValue, _ b: NumericValue) -> NumericValue {
        guard a.kind == .finite, b.kind == .finite else {
            let sign = a.signum * b.signum
            return a.isNaN || b.isNaN || sign == 0 ? .nan : sign > 0 ? .infinity : .minusInfinity
        }
        let exact = NumericValue(
            isNegative: a.isNegative != b.isNegative, a.magnitude * b.magnitude, scale: a.scale + b.scale)
        return exact.scale > scaleMax ? exact.rounded(toScale: scaleMax) : exact
    }

    /// The quotient rounded to `scale` digits; the divisor must be finite and not zero, the dividend finite.
    package static func finiteQuotient(_ a: NumericValue, _ b: NumericValue, scale: Int) -> NumericValue {
        let shift = scale - a.scale + b.scale
        let isNegative = a.isNegative != b.isNegative
        if shift >= 0 {
            let quotient = a.magnitude.timesPowerOfTen(shift).dividedRounding(by: b.magnitude)
            return NumericValue(isNegative: isNegative, quotient, scale: scale)
        }
        let quotient = a.magnitude.dividedRounding(by: b.magnitude.timesPowerOfTen(-shift))
        return NumericValue(isNegative: isNegative, quotient, scale: scale)
    }

    /// a / b with as many digits as PostgreSQL gives.
    package static func quotient(_ a: NumericValue, _ b: NumericValue) throws(QueryError) -> NumericValue {
        if a.isNaN || b.isNaN { return .nan }
        if b.isZero { throw QueryError(.divisionByZero, "division by zero") }
        if a.isInfinite { return b.isInfinite ? .nan : a.signum == b.signum ? .infinity : .minusInfinity }
        if b.isInfinite { return .zero }
        return finiteQuotient(a, b, scale: quotientScale(a, b))
    }

    /// The remainder with the dividend's sign.
    package static func remainder(_ a: NumericValue, _ b: NumericValue) throws(QueryError) -> NumericValue {
        if a.isNaN || b.isNaN { return .nan }
        if b.isZero { throw QueryError(.divisionByZero, "division by zero") }
        if a.isInfinite { return .nan }
        if b.isInfinite { return a }
        let (x, y) = aligned(a, b)
        return NumericValue(isNegative: a.isNegative, x.dividedBy(y).remainder, scale: max(a.scale, b.scale))
    }

    /// The whole part of a / b.
    package static func wholeQuotient(_ a: NumericValue, _ b: NumericValue) throws(QueryError) -> NumericValue {
        if a.isNaN || b.isNaN { return .nan }
        if b.isZero { throw QueryError(.divisionByZero, "division by zero") }
        if a.isInfinite { return b.isInfinite ? .nan : a.signum == b.signum ? .infinity : .minusInfinity }
        if b.isInfinite { return .zero }
        let (x, y) = aligned(a, b)
        return NumericValue(isNegative: a.isNegative != b.isNegative, x.dividedBy(y).quotient, scale: 0)
    }

    // MARK: Result scales

    /// Fraction digits that inexact results have at most.
    package static let resultScaleMax = 1_000
    /// Significant digits that inexact results have at least, counted in whole groups of four.
    package static let significantDigitsMin = 16

    /// Exponent of the leading decimal digit; 0 for zero.
    package var leadingExponent: Int { magnitude.isZero ? 0 : magnitude.digitCount - 1 - scale }

    /// The leading group of decimal digits aligned to powers of 10,000: its exponent in groups, and its value.
    package var leadingGroup: (weight: Int, value: Int) {
        if magnitude.isZero { return (0, 0) }
        let exponent = leadingExponent
        let weight = exponent >= 0 ? exponent / 4 : -((3 - exponent) / 4)
        return (weight, Int(truncatingIfNeeded: leading(digits: exponent - weight * 4 + 1)))
    }

    /// The first `count` (up to 18) decimal digits as a number; zeros are added if there are fewer.
    package func leading(digits count: Int) -> Int64 {
        let own = magnitude.digitCount
        let kept =
            own > count
            ? magnitude.dividedBy(.powerOfTen(own - count)).quotient : magnitude.timesPowerOfTen(count - own)
        return Int64(truncatingIfNeeded: kept.small ?? 0)
    }

    /// Fraction digits of a quotient: at least 16 significant digits by the leading groups of both, and not fewer than the
    /// operands have.
    package static func quotientScale(_ a: NumericValue, _ b: NumericValue) -> Int {
        let (x, y) = (a.leadingGroup, b.leadingGroup)
        var weight = x.weight - y.weight
        if x.value <= y.value { weight -= 1 }
        return min(resultScaleMax, max(significantDigitsMin - weight * 4, a.scale, b.scale, 0))
    }

    // MARK: Other numbers

    /// The nearest whole number, halves away from zero, if it fits 64 bits.
    package var int64: Int64? {
        guard kind == .finite else { return nil }
        let whole = rounded(toScale: 0)
        guard let small = whole.magnitude.small else { return nil }
        if whole.isNegative { return small <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- Int128(small)) : nil }
        return Int64(exactly: small)
    }

    /// The unscaled value at a scale, rounded half away from zero, if it has at most `precision` (up to 38) digits.
    package func unscaled(precision: Int, scale: Int) -> Int128? {
        guard kind == .finite else { return nil }
        let value = rounded(toScale: scale)
        guard let small = value.magnitude.small, small < UInt128(PowerOfTen.value(precision)) else { return nil }
        return value.isNegative ? 0 - Int128(small) : Int128(small)
    }

    /// The nearest double; beyond its range infinite.
    package var double: Double {
        switch kind {
        case .nan: return .nan
        case .infinity: return .infinity
        case .minusInfinity: return -.infinity
        case .finite: break
        }
        if let small = magnitude.small, small < 1 << 53, scale <= 22 {
            let value = Double(UInt64(truncatingIfNeeded: small)) / NumericValue.exactPowers[scale]
            return isNegative ? -value : value
        }
        var text: [UInt8] = []
        if isNegative { text.append(0x2D) }
        magnitude.appendDigits(minimum: 1, into: &text)
        return Double(String(decoding: text, as: UTF8.self) + "e-\(scale)") ?? .nan
    }

    private static let exactPowers: [Double] = (0...22).map { exponent in
        var result = 1.0
        for _ in 0..<exponent { result *= 10 }
        return result
    }

    /// A double by its first 15 significant digits, as casts have it (a float by 6).
    package init(_ value: Double, significantDigits: Int) {
        if !value.isFinite {
            self = value.isNaN ? .nan : value > 0 ? .infinity : .minusInfinity
            return
        }
        if value == 0 {
            self = .zero
            return
        }
        self = NumericValue.rounding(value, to: significantDigits)
    }

    private static func rounding(_ value: Double, to digits: Int) -> NumericValue {
        // A double is an odd number times a power of two, and so has an exact decimal form.
        let exponent = Int(value.exponent) - 52
        let significand = Magnitude(UInt64(value.significandBitPattern) | (value.isNormal ? 1 << 52 : 0))
        let power = value.isNormal ? exponent : -1_074
        let exact =
            power >= 0
            ? NumericValue(isNegative: value < 0, significand.shifted(left: power), scale: 0)
            : NumericValue(isNegative: value < 0, significand * powerOfFive(-power), scale: -power)
        let kept = digits - 1 - exact.leadingExponent
        // Ties go to the even digit here, as printing does; they need more bits than any double has beyond 15 digits.
        let rounded = exact.roundedToEven(toScale: kept)
        return rounded.withoutTrailingZeros
    }

    private static func powerOfFive(_ exponent: Int) -> Magnitude {
        if exponent <= 27 {
            var result: UInt64 = 1
            for _ in 0..<exponent { result *= 5 }
            return Magnitude(result)
        }
        let half = powerOfFive(exponent / 2)
        return exponent % 2 == 0 ? half * half : half * half * 5
    }

    private func roundedToEven(toScale target: Int) -> NumericValue {
        if target >= scale { return self }
        let drop = scale - target
        let (quotient, remainder) = magnitude.dividedBy(.powerOfTen(drop))
        let order = Magnitude.compare(remainder + remainder, .powerOfTen(drop))
        let result = order > 0 || (order == 0 && quotient.isOdd) ? quotient + .one : quotient
        return target >= 0
            ? NumericValue(isNegative: isNegative, result, scale: target)
            : NumericValue(isNegative: isNegative, result.timesPowerOfTen(-target), scale: 0)
    }
}
