// Casts among integers, floats, decimals and booleans.

import Columnar
import Diagnostics

struct NumericCast {
    let cast: FlatCast
    private var from: DataType { cast.source.type }
    private var target: DataType { cast.target }

    init(cast: FlatCast) { self.cast = cast }

    func run() throws -> Vector {
        if case .decimal(_, let scale) = from {
            return cast.source.physical == .int64
                ? try fromDecimal(Int64.self, scale) : try fromDecimal(Int128.self, scale)
        }
        switch cast.source.physical {
        case .boolean: return try fromInteger(UInt8.self)
        case .int8: return try fromInteger(Int8.self)
        case .int16: return try fromInteger(Int16.self)
        case .int32: return try fromInteger(Int32.self)
        case .int64: return try fromInteger(Int64.self)
        case .float32: return try fromFloat(Float.self)
        case .float64: return try fromFloat(Double.self)
        default: throw QueryError.internalError("a numeric cast of \(from.sqlName)")
        }
    }

    private func overflow() -> QueryError {
        if case .decimal(let precision, let scale) = target {
            return TextFormat.decimalOverflow(precision: precision, scale: scale)
        }
        return Casting.outOfRange(target)
    }

    // MARK: From integers

    @inline(__always)
    private func fromInteger<A: FixedWidthInteger>(_: A.Type) throws -> Vector {
        switch target {
        case .boolean: return try cast.map({ (x: A, _) in flag(x != 0) }, error: { _, _ in overflow() })
        case .int8: return try narrow(A.self, Int8.self)
        case .int16: return try narrow(A.self, Int16.self)
        case .int32: return try narrow(A.self, Int32.self)
        case .int64: return try narrow(A.self, Int64.self)
        case .float32:
            return try cast.map({ (x: A, _) in Float(Int64(truncatingIfNeeded: x)) }, error: { _, _ in overflow() })
        case .float64:
            return try cast.map({ (x: A, _) in Double(Int64(truncatingIfNeeded: x)) }, error: { _, _ in overflow() })
        case .decimal(let precision, let scale):
            let bound = PowerOfTen.value(precision - scale)
            if target.physical == .int64 {
                let factor = PowerOfTen.int64(scale)
                let limit = Int64(truncatingIfNeeded: bound)
                return try cast.map(
                    { (x: A, failed: inout UInt8) -> Int64 in
                        let value = Int64(truncatingIfNeeded: x)
                        failed |= flag(value >= limit) | flag(value <= 0 &- limit)
                        return value &* factor
                    }, error: { _, _ in overflow() })
            }
            let factor = PowerOfTen.value(scale)
            return try cast.map(
                { (x: A, failed: inout UInt8) -> Int128 in
                    let value = Int128(truncatingIfNeeded: x)
                    failed |= flag(value >= bound) | flag(value <= 0 &- bound)
                    return value &* factor
                }, error: { _, _ in overflow() })
        default: throw QueryError.internalError("a numeric cast to \(target.sqlName)")
        }
    }

    @inline(__always)
    private func narrow<A: FixedWidthInteger, R: FixedWidthInteger>(_: A.Type, _: R.Type) throws -> Vector {
        try cast.map(
            { (x: A, failed: inout UInt8) -> R in
                let value = R(truncatingIfNeeded: x)
                failed |= flag(A(truncatingIfNeeded: value) != x)
                return value
            }, error: { _, _ in overflow() })
    }

    // MARK: From floats

    @inline(__always)
    private func fromFloat<A: BinaryFloatingPoint>(_: A.Type) throws -> Vector {
        switch target {
        case .float32:
            return try cast.map(
                { (x: A, failed: inout UInt8) -> Float in
                    let value = Float(x)
                    failed |= flag(value.isInfinite) & flag(x.isFinite)
                    failed |= (flag(value == 0) & flag(x != 0)) &* 2
                    return value
                },
                error: { _, bits in
                    QueryError(
                        .numericValueOutOfRange, "value out of range: \(bits & 2 != 0 ? "underflow" : "overflow")")
                })
        case .float64: return try cast.map({ (x: A, _) in Double(x) }, error: { _, _ in overflow() })
        case .int8: return try rounded(A.self, Int8.self)
        case .int16: return try rounded(A.self, Int16.self)
        case .int32: return try rounded(A.self, Int32.self)
        case .int64: return try rounded(A.self, Int64.self)
        case .decimal(let precision, let scale):
            let digits = A.self == Float.self ? 6 : 15
            if target.physical == .int64 {
                return try cast.map(
                    { (x: A, failed: inout UInt8) -> Int64 in
                        Int64(truncatingIfNeeded: NumericCast.decimal(Double(x), digits, precision, scale, &failed))
                    }, error: { value, _ in unrepresentable(Double(value)) })
            }
            return try cast.map(
                { (x: A, failed: inout UInt8) -> Int128 in
                    NumericCast.decimal(Double(x), digits, precision, scale, &failed)
                }, error: { value, _ in unrepresentable(Double(value)) })
        default: throw QueryError.internalError("a numeric cast to \(target.sqlName)")
        }
    }

    private func unrepresentable(_ value: Double) -> QueryError {
        if value.isFinite { return overflow() }
        return QueryError(.featureNotSupported, "cannot convert \(value.isNaN ? "NaN" : "infinity") to numeric")
    }

    /// Rounds half to even, as the processor does.
    @inline(__always)
    private func rounded<A: BinaryFloatingPoint, R: FixedWidthInteger>(_: A.Type, _: R.Type) throws -> Vector {
        try cast.map(
            { (x: A, failed: inout UInt8) -> R in
                guard let value = R(exactly: x.rounded(.toNearestOrEven)) else {
                    failed |= 1
                    return 0
                }
                return value
            }, error: { _, _ in overflow() })
    }

    /// A double as a decimal by its first `digits` significant digits.
    static func decimal(_ value: Double, _ digits: Int, _ precision: Int, _ scale: Int, _ failed: inout UInt8) -> Int128
    {
        if !value.isFinite {
            failed |= 1
            return 0
        }
        if value == 0 { return 0 }
        // Scale to an integer of `digits` digits, round, and scale to the target.
        let exponent = Int(floatExponent(value))
        var text: [UInt8] = []
        NumericText.append(value, into: &text)
        guard let (exact, exactScale) = NumericText.parseDecimal(text) else {
            failed |= 1
            return 0
        }
        var unscaled = exact
        var currentScale = exactScale
        let keptScale = digits - 1 - exponent
        if keptScale < currentScale {
            unscaled = DecimalMath.rescaled(unscaled, from: currentScale, to: max(0, keptScale)) ?? 0
            currentScale = max(0, keptScale)
        }
        guard let result = DecimalMath.rescaled(unscaled, from: currentScale, to: scale),
            PowerOfTen.fits(result, precision: precision)
        else {
            failed |= 1
            return 0
        }
        return result
    }

    private static func floatExponent(_ value: Double) -> Double {
        var exponent = 0
        var magnitude = value.magnitude
        while magnitude >= 10 {
            magnitude /= 10
            exponent += 1
        }
        while magnitude < 1 {
            magnitude *= 10
            exponent -= 1
        }
        return Double(exponent)
    }

    // MARK: From decimals

    @inline(__always)
    private func fromDecimal<A: FixedWidthInteger & SignedInteger>(_: A.Type, _ scale: Int) throws -> Vector {
        switch target {
        case .int8: return try decimalToInteger(A.self, Int8.self, scale)
        case .int16: return try decimalToInteger(A.self, Int16.self, scale)
        case .int32: return try decimalToInteger(A.self, Int32.self, scale)
        case .int64: return try decimalToInteger(A.self, Int64.self, scale)
        case .float32:
            return try cast.map(
                { (x: A, _) in
                    Float(DecimalMath.double(Int128(truncatingIfNeeded: x), scale: scale))
                }, error: { _, _ in overflow() })
        case .float64:
            if A.bitWidth == 64, scale <= 22 {
                // One correctly rounded division of exact operands, for all but very large values.
                let divisor = DecimalMath.exactPowers[scale]
                return try cast.map(
                    { (x: A, _) -> Double in
                        let value = Int64(truncatingIfNeeded: x)
                        if value.magnitude < 1 << 53 { return Double(value) / divisor }
                        return DecimalMath.double(Int128(value), scale: scale)
                    }, error: { _, _ in overflow() })
            }
            return try cast.map(
                { (x: A, _) in DecimalMath.double(Int128(truncatingIfNeeded: x), scale: scale) },
                error: { _, _ in overflow() })
        case .decimal(let precision, let newScale): return try rescale(A.self, scale, precision, newScale)
        case .boolean: throw QueryError(.cannotCoerce, "cannot cast type numeric to boolean")
        default: throw QueryError.internalError("a numeric cast to \(target.sqlName)")
        }
    }

    @inline(__always)
    private func decimalToInteger<A: FixedWidthInteger & SignedInteger, R: FixedWidthInteger>(
        _: A.Type, _: R.Type, _ scale: Int
    ) throws -> Vector {
        let divisor = PowerOfTen.value(scale)
        return try cast.map(
            { (x: A, failed: inout UInt8) -> R in
                let value = DecimalMath.roundedDivision(Int128(truncatingIfNeeded: x), by: divisor)
                let narrow = R(truncatingIfNeeded: value)
                failed |= flag(Int128(truncatingIfNeeded: narrow) != value)
                return narrow
            }, error: { _, _ in overflow() })
    }

    @inline(__always)
    private func rescale<A: FixedWidthInteger & SignedInteger>(
        _: A.Type, _ scale: Int, _ precision: Int, _ newScale: Int
    ) throws -> Vector {
        if scale == newScale, !Casting.canFail(from: from, to: target), target.physical == from.physical {
            return cast.source.retyped(target)
        }
        if newScale >= scale, !Casting.canFail(from: from, to: target) {
            if target.physical == .int64 {
                let factor = PowerOfTen.int64(newScale - scale)
                return try cast.map(
                    { (x: A, _) in Int64(truncatingIfNeeded: x) &* factor }, error: { _, _ in overflow() })
            }
            let factor = PowerOfTen.value(newScale - scale)
            return try cast.map({ (x: A, _) in Int128(truncatingIfNeeded: x) &* factor }, error: { _, _ in overflow() })
        }
        let bound = PowerOfTen.value(precision)
        func convert(_ value: Int128, _ failed: inout UInt8) -> Int128 {
            guard let result = DecimalMath.rescaled(value, from: scale, to: newScale) else {
                failed |= 1
                return 0
            }
            failed |= flag(result >= bound) | flag(result <= 0 &- bound)
            return result
        }
        if target.physical == .int64 {
            return try cast.map(
                { (x: A, failed: inout UInt8) in
                    Int64(truncatingIfNeeded: convert(Int128(truncatingIfNeeded: x), &failed))
                }, error: { _, _ in overflow() })
        }
        return try cast.map(
            { (x: A, failed: inout UInt8) in convert(Int128(truncatingIfNeeded: x), &failed) },
            error: { _, _ in overflow() })
    }
}
