// Roots, powers, exponentials and logarithms of numerics, with as many digits as PostgreSQL gives.

import Columnar
import Diagnostics
import Glibc
import Synchronization

/// Computed in fixed point: an integer times 10^-digits, with some digits more than the result shows.
enum NumericMath {
    private static let guardDigits = 12
    /// Beyond ± this times ln 10 or so, exponentials have no digits that could be shown.
    private static let exponentMax = 2_000.0

    private static func resultScale(_ weight: Int, _ operands: Int...) -> Int {
        let wanted = max(NumericValue.significantDigitsMin - weight, operands.max() ?? 0, 0)
        return min(wanted, NumericValue.resultScaleMax)
    }

    private static func complexResult() -> QueryError {
        QueryError(
            .invalidArgumentForPowerFunction, "a negative number raised to a non-integer power yields a complex result")
    }

    // MARK: Square root

    static func squareRoot(_ x: NumericValue) throws -> NumericValue {
        switch x.kind {
        case .nan, .infinity: return x
        default:
            if x.signum < 0 {
                throw QueryError(
                    .invalidArgumentForPowerFunction, "cannot take square root of a negative number")
            }
        }
        // Half of the digits in front of the point, counted in groups of four.
        let weight = (x.leadingGroup.weight + 1) * 2 - 1
        return squareRoot(x, scale: resultScale(weight, x.scale))
    }

    /// The root of a value that is not negative, rounded to `scale` digits.
    static func squareRoot(_ x: NumericValue, scale: Int) -> NumericValue {
        // √(m · 10^-s) = √(m · 10^(2d - s)) · 10^-d
        let shift = 2 * (scale + 1) - x.scale
        let scaled =
            shift >= 0 ? x.magnitude.timesPowerOfTen(shift) : x.magnitude.dividedBy(.powerOfTen(-shift)).quotient
        let root = NumericValue(scaled.squareRoot, scale: scale + 1)
        return root.rounded(toScale: scale)
    }

    // MARK: Exponential

    static func exponential(_ x: NumericValue) throws -> NumericValue {
        switch x.kind {
        case .nan, .infinity: return x
        case .minusInfinity: return .zero
        case .finite: break
        }
        let weight = max(-exponentMax, min(exponentMax, x.double * 0.434294481903252))
        return try exponential(x, scale: resultScale(Int(weight), x.scale))
    }

    static func exponential(_ x: NumericValue, scale: Int) throws -> NumericValue {
        let estimate = x.double
        if abs(estimate) >= exponentMax * 3 {
            if estimate > 0 { throw NumericValue.overflow }
            return NumericValue(.zero, scale: scale)
        }
        let digits = scale + guardDigits + max(0, Int(estimate * 0.4343)) + 8
        let one = Magnitude.powerOfTen(digits)
        // Halved until it is below 2^-8; the result is squared as often.
        let halvings = max(0, 9 + Int(log2(max(1e-3, abs(estimate))).rounded(.up)))
        let fixed = x.absolute.rounded(toScale: digits).magnitude.shifted(right: halvings)
        var sum = one + fixed
        var term = fixed
        var index: UInt64 = 2
        while !term.isZero {
            try Interruption.check()
            term = (term * fixed).dividedBy(one).quotient.dividedByLimb(index).quotient
            sum = sum + term
            index += 1
        }
        for _ in 0..<halvings {
            try Interruption.check()
            sum = (sum * sum).dividedBy(one).quotient
        }
        if x.signum < 0 { sum = (one * one).dividedBy(sum).quotient }
        return NumericValue(sum, scale: digits).rounded(toScale: scale)
    }

    // MARK: Logarithms

    static func naturalLogarithm(_ x: NumericValue) throws -> NumericValue {
        if x.isNaN { return x }
        try requirePositive(x)
        if x.isInfinite { return x }
        return try naturalLogarithm(x, scale: resultScale(logarithmWeight(x), x.scale))
    }

    /// log to base `b`.
    static func logarithm(_ b: NumericValue, _ x: NumericValue) throws -> NumericValue {
        if b.isNaN || x.isNaN { return .nan }
        try requirePositive(b)
        try requirePositive(x)
        if b.isInfinite { return x.isInfinite ? .nan : .zero }
        if x.isInfinite { return .infinity }
        let (baseWeight, weight) = (logarithmWeight(b), logarithmWeight(x))
        let scale = resultScale(weight - baseWeight, b.scale, x.scale)
        // Relative digits of both logarithms: those of the quotient and some more.
        let digits = scale + max(0, weight - baseWeight) + guardDigits
        let base = try naturalLogarithm(b, scale: max(0, digits - baseWeight))
        if base.isZero { throw QueryError(.divisionByZero, "division by zero") }
        let logarithm = try naturalLogarithm(x, scale: max(0, digits - weight))
        return NumericValue.finiteQuotient(logarithm, base, scale: scale)
    }

    private static func requirePositive(_ x: NumericValue) throws {
        if x.signum > 0 { return }
        throw QueryError(
            .invalidArgumentForLogarithm, "cannot take logarithm of \(x.signum < 0 ? "a negative number" : "zero")")
    }

    /// About the exponent of the leading digit of ln x.
    private static func logarithmWeight(_ x: NumericValue) -> Int {
        let near = NumericValue(9, scale: 1)
        let far = NumericValue(11, scale: 1)
        if NumericValue.compare(x, near) >= 0, NumericValue.compare(x, far) <= 0 {
            // ln(1 + d) is about d.
            let distance = NumericValue.difference(x, .one)
            if distance.isZero { return 0 }
            let group = distance.leadingGroup
            return group.weight * 4 + Int(log10(Double(group.value)))
        }
        let group = x.leadingGroup
        let digits = x.leading(digits: x.leadingExponent - group.weight * 4 + 5)
        let logarithm = log(Double(digits)) + Double(group.weight * 4 - 4) * 2.302585092994046
        return Int(log10(abs(logarithm)))
    }

    private static func naturalLogarithm(_ x: NumericValue, scale: Int) throws -> NumericValue {
        let digits = scale + guardDigits + 8
        // x = m · 10^k with m between 0.3 and 3.
        var exponent = x.leadingExponent
        if x.leading(digits: 2) > 31 { exponent += 1 }
        let mantissa = NumericValue(x.magnitude, scale: x.scale + exponent)
        let fixed =
            mantissa.scale >= 0
            ? mantissa.rounded(toScale: digits).magnitude
            : mantissa.magnitude.timesPowerOfTen(digits - mantissa.scale)
        var result = try fixedLogarithm(fixed, digits)
        if exponent != 0 {
            let tens = NumericValue(
                isNegative: exponent < 0, try logarithmOfTen(digits) * UInt64(exponent.magnitude), scale: digits)
            result = NumericValue.sum(result, tens)
        }
        return result.rounded(toScale: scale)
    }

    /// ln of m · 10^-digits: square roots bring it near 1, then 2 artanh((m - 1) / (m + 1)) as a series.
    private static func fixedLogarithm(_ m: Magnitude, _ digits: Int) throws -> NumericValue {
        let one = Magnitude.powerOfTen(digits)
        let near = Magnitude.powerOfTen(max(0, digits - 2))
        var m = m
        var roots = 0
        while true {
            let distance = m >= one ? m - one : one - m
            if distance < near { break }
            try Interruption.check()
            m = (m * one).squareRoot
            roots += 1
        }
        let isNegative = m < one
        let distance = isNegative ? one - m : m - one
        let y = (distance * one).dividedBy(m + one).quotient
        let square = (y * y).dividedBy(one).quotient
        var power = y
        var sum = y
        var index: UInt64 = 3
        while true {
            try Interruption.check()
            power = (power * square).dividedBy(one).quotient
            if power.isZero { break }
            sum = sum + power.dividedByLimb(index).quotient
            index += 2
        }
        return NumericValue(isNegative: isNegative, sum.shifted(left: roots + 1), scale: digits)
    }

    private static let tens = Mutex<[Int: Magnitude]>([:])

    private static func logarithmOfTen(_ digits: Int) throws -> Magnitude {
        if let known = tens.withLock({ $0[digits] }) { return known }
        let value = try fixedLogarithm(Magnitude.powerOfTen(digits + 1), digits).magnitude
        tens.withLock { if $0.count < 64 { $0[digits] = value } }
        return value
    }

    // MARK: Powers

    static func power(_ x: NumericValue, _ y: NumericValue) throws -> NumericValue {
        if x.isNaN { return y.isZero ? .one : .nan }
        if y.isNaN { return NumericValue.compare(x, .one) == 0 ? .one : .nan }
        let isWhole = y.isInfinite || y.scaleMin == 0
        if x.isZero, y.signum < 0 {
            throw QueryError(.invalidArgumentForPowerFunction, "zero raised to a negative power is undefined")
        }
        if x.signum < 0, !isWhole { throw complexResult() }
        if x.isInfinite || y.isInfinite { return infinitePower(x, y) }
        if isWhole, let exponent = y.int64, let exponent = Int32(exactly: exponent) {
            return try wholePower(x, Int(exponent))
        }
        if x.isZero { return NumericValue(.zero, scale: NumericValue.significantDigitsMin) }
        // A negative base has a whole exponent here, too large for the way above.
        let isNegative = x.signum < 0 && y.truncated(toScale: 0).magnitude.isOdd
        let base = x.absolute
        let rough = try NumericValue.product(naturalLogarithm(base, scale: max(0, 20 - logarithmWeight(base))), y)
            .double
        if abs(rough) > exponentMax * 3.01 {
            if rough > 0 { throw NumericValue.overflow }
            return NumericValue(.zero, scale: NumericValue.resultScaleMax)
        }
        let weight = Int(rough * 0.434294481903252)
        let scale = resultScale(weight, x.scale, y.scale)
        let digits = scale + max(0, weight) + guardDigits + max(0, y.leadingExponent)
        let logarithm = try NumericValue.product(naturalLogarithm(base, scale: digits), y)
        let result = try exponential(logarithm, scale: scale)
        return isNegative ? result.negated : result
    }

    private static func infinitePower(_ x: NumericValue, _ y: NumericValue) -> NumericValue {
        if NumericValue.compare(x, .one) == 0 || y.isZero { return .one }
        if x.isZero { return .zero }
        if y.isInfinite {
            let order = NumericValue.compare(x.absolute, .one)
            if order == 0 { return .one }
            return (order > 0) == (y.signum > 0) ? .infinity : .zero
        }
        if y.signum < 0 { return .zero }
        return x.signum < 0 && y.truncated(toScale: 0).magnitude.isOdd ? .minusInfinity : .infinity
    }

    private static func wholePower(_ x: NumericValue, _ exponent: Int) throws -> NumericValue {
        var weight = 0.0
        if !x.isZero {
            let digits = min(16, x.magnitude.digitCount)
            let leading = log10(Double(x.leading(digits: digits))) + Double(x.leadingExponent - digits + 1)
            weight = Double(exponent) * leading
        }
        if weight > Double(NumericValue.wholeDigitsMax) { throw NumericValue.overflow }
        // Whole exponents do not look at the result's size.
        let scale = resultScale(0, x.scale)
        if weight + 1 < -Double(scale) { return NumericValue(.zero, scale: scale) }
        switch exponent {
        case 0: return NumericValue.one.rounded(toScale: scale)
        case 1: return x.rounded(toScale: scale)
        case -1: return NumericValue.finiteQuotient(.one, x, scale: scale)
        default: break
        }
        if x.isZero { return NumericValue(.zero, scale: scale) }
        // Digits that the result shows, and some for the roundings on the way.
        let digits = max(0, scale + Int(weight)) + guardDigits + 2 * String(exponent.magnitude).count
        let power = try cutPower(x.absolute, exponent.magnitude, digits)
        let isNegative = x.isNegative && exponent % 2 != 0
        let result =
            exponent > 0
            ? power.rounded(toScale: scale) : NumericValue.finiteQuotient(.one, power, scale: scale)
        return try (isNegative ? result.negated : result).checked()
    }

    /// The power by repeated squaring, each step cut to so many digits. Its scale may be negative.
    private static func cutPower(_ x: NumericValue, _ exponent: UInt, _ digits: Int) throws -> NumericValue {
        func cut(_ value: NumericValue) -> NumericValue {
            let excess = value.magnitude.digitCount - digits
            if excess <= 0 { return value }
            return NumericValue(
                value.magnitude.dividedRounding(by: .powerOfTen(excess)), scale: value.scale - excess)
        }
        func times(_ a: NumericValue, _ b: NumericValue) -> NumericValue {
            cut(NumericValue(a.magnitude * b.magnitude, scale: a.scale + b.scale))
        }
        var result: NumericValue?
        var square = x
        var left = exponent
        while true {
            try Interruption.check()
            if left & 1 == 1 { result = result.map { times($0, square) } ?? square }
            left >>= 1
            if left == 0 { break }
            square = times(square, square)
        }
        return result ?? .one
    }
}
