// Whole vectors of decimals: changes of scale and width.

import Columnar
import Diagnostics

enum DecimalVector {
    /// Both operands at the larger of their scales and in one layout, ready to compare or add.
    static func aligned(_ a: Vector, _ b: Vector) -> (Vector, Vector) {
        let scale = max(a.type.scale, b.type.scale)
        let x = scaledUp(a, to: scale)
        let y = scaledUp(b, to: scale)
        if x.physical == y.physical { return (x, y) }
        return (widened(x), widened(y))
    }

    private static func precision(_ type: DataType) -> Int {
        if case .decimal(let precision, _) = type { precision } else { 19 }
    }

    /// The values at a scale that is not smaller. The layout is wide when digits might not fit otherwise.
    static func scaledUp(_ vector: Vector, to scale: Int) -> Vector {
        let difference = scale - vector.type.scale
        if difference == 0 { return vector }
        var digits = precision(vector.type) + difference
        if vector.encoding == .constant, case .decimal(let value) = vector.value(at: 0) {
            // A constant needs only the digits that it has.
            let (product, overflow) = value.multipliedReportingOverflow(by: PowerOfTen.value(min(38, difference)))
            if !overflow {
                let type = TypeConversion.minimalDecimal(product, scale: scale)
                return .constant(
                    .decimal(product), type: .decimal(precision: precision(type), scale: scale), count: vector.count)
            }
        }
        digits = min(DataType.decimalPrecisionMax, digits)
        let type = DataType.decimal(precision: digits, scale: scale)
        let result = Vector(flat: type, capacity: vector.count)
        let factor = PowerOfTen.value(min(38, difference))
        let source = vector.flattened()
        let count = vector.count
        if type.physical == .int64 {
            let values = source.values(Int64.self)
            let target = result.values(Int64.self)
            let narrow = Int64(truncatingIfNeeded: factor)
            var row = 0
            while row < count {
                target[row] = values[row] &* narrow
                row &+= 1
            }
        } else {
            // Beyond 38 digits the value saturates: it keeps its order to everything that fits.
            let target = result.values(Int128.self)
            let bound = Int128.max
            for row in 0..<count {
                let value =
                    source.physical == .int64 ? Int128(source.values(Int64.self)[row]) : source.values(Int128.self)[row]
                let (product, overflow) = value.multipliedReportingOverflow(by: factor)
                target[row] = overflow ? (value < 0 ? 0 - bound : bound) : product
            }
        }
        result.validity = source.validity
        result.validityOwner = source.validityOwner
        return result
    }

    /// The same values in 128 bits.
    static func widened(_ vector: Vector) -> Vector {
        if vector.physical == .int128 { return vector }
        let type = DataType.decimal(precision: DataType.decimalPrecisionMax, scale: vector.type.scale)
        if vector.encoding == .constant { return .constant(vector.value(at: 0), type: type, count: vector.count) }
        let source = vector.flattened()
        let result = Vector(flat: type, capacity: vector.count)
        let values = source.values(Int64.self)
        let target = result.values(Int128.self)
        let count = vector.count
        var row = 0
        while row < count {
            target[row] = Int128(values[row])
            row &+= 1
        }
        result.validity = source.validity
        result.validityOwner = source.validityOwner
        return result
    }
}

/// One decimal at a time.
enum DecimalMath {
    /// Division by a positive divisor, rounded half away from zero.
    @inline(__always)
    static func roundedDivision(_ value: Int128, by divisor: Int128) -> Int128 {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        let magnitude = remainder < 0 ? 0 &- remainder : remainder
        if magnitude >= divisor &- magnitude { return value < 0 ? quotient &- 1 : quotient &+ 1 }
        return quotient
    }

    /// a × factor / b rounded half away from zero, with a 256-bit product; `nil` when it does not fit 38 digits.
    static func multiplyDivide(_ a: Int128, _ factor: Int128, _ b: Int128) -> Int128? {
        let isNegative = (a < 0) != (b < 0)
        let divisor = b.magnitude
        let (product, overflow) = a.magnitude.multipliedReportingOverflow(by: factor.magnitude)
        let quotient: UInt128
        let remainder: UInt128
        if overflow {
            let wide = a.magnitude.multipliedFullWidth(by: factor.magnitude)
            if wide.high >= divisor { return nil }
            (quotient, remainder) = divisor.dividingFullWidth(wide)
        } else {
            (quotient, remainder) = product.quotientAndRemainder(dividingBy: divisor)
        }
        let rounded = remainder >= divisor &- remainder ? quotient &+ 1 : quotient
        guard rounded < UInt128(PowerOfTen.value(38)) else { return nil }
        return isNegative ? 0 &- Int128(rounded) : Int128(rounded)
    }

    /// The value at another scale, rounded half away from zero; `nil` when it does not fit 38 digits.
    static func rescaled(_ value: Int128, from: Int, to: Int) -> Int128? {
        if from == to { return value }
        if to > from {
            if value == 0 { return 0 }
            if to - from > 38 { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: PowerOfTen.value(to - from))
            return overflow || !PowerOfTen.fits(product, precision: 38) ? nil : product
        }
        if from - to > 38 { return 0 }
        return roundedDivision(value, by: PowerOfTen.value(from - to))
    }

    /// Nearest double.
    static func double(_ value: Int128, scale: Int) -> Double {
        if value.magnitude < 1 << 53, scale <= 22 {
            return Double(Int64(truncatingIfNeeded: value)) / exactPowers[scale]
        }
        var text: [UInt8] = []
        NumericText.append(decimal: value, scale: scale, into: &text)
        return Double(String(decoding: text, as: UTF8.self)) ?? .nan
    }

    static let exactPowers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20,
        1e21, 1e22,
    ]
}
