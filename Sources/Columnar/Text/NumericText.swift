// Text of numbers: integers, exact numerics and floats, both ways.

import Diagnostics
import Glibc

/// Powers of ten that fit an Int128, from 10^0 to 10^38.
package enum PowerOfTen {
    private static let table: [Int128] = {
        var result: [Int128] = [1]
        for _ in 0..<38 { result.append(result[result.count - 1] * 10) }
        return result
    }()
    /// 10^exponent for 0…38.
    package static func value(_ exponent: Int) -> Int128 { table[exponent] }
    /// 10^exponent for 0…18.
    package static func int64(_ exponent: Int) -> Int64 { Int64(truncatingIfNeeded: table[exponent]) }
    /// Whether a decimal's unscaled value has at most `precision` digits.
    package static func fits(_ value: Int128, precision: Int) -> Bool {
        let bound = table[min(38, precision)]
        return value < bound && value > 0 &- bound
    }
}

package enum NumericText {
    // MARK: Output

    package static func append(_ value: Int64, into text: inout [UInt8]) {
        if value < 0 { text.append(0x2D) }
        appendDigits(value.magnitude, minimum: 1, into: &text)
    }

    /// Decimal digits with leading zeros up to `minimum`.
    package static func appendDigits(_ value: UInt64, minimum: Int, into text: inout [UInt8]) {
        // 64 bits have at most 20 digits.
        let capacity = max(20, minimum)
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: capacity) { digits in
            var rest = value
            var at = capacity
            while rest >= 10 {
                let quotient = rest / 10
                at &-= 1
                digits[at] = UInt8(truncatingIfNeeded: rest &- quotient &* 10) &+ 0x30
                rest = quotient
            }
            at &-= 1
            digits[at] = UInt8(truncatingIfNeeded: rest) &+ 0x30
            while capacity - at < minimum {
                at &-= 1
                digits[at] = 0x30
            }
            text.append(contentsOf: UnsafeBufferPointer(rebasing: digits[at..<capacity]))
        }
    }

    private static func appendDigits(_ value: UInt128, minimum: Int, into text: inout [UInt8]) {
        if value <= UInt128(UInt64.max) {
            return appendDigits(UInt64(truncatingIfNeeded: value), minimum: minimum, into: &text)
        }
        let base: UInt128 = 1_000_000_000_000_000_000
        let (high, low) = value.quotientAndRemainder(dividingBy: base)
        appendDigits(high, minimum: max(1, minimum - 18), into: &text)
        appendDigits(UInt64(truncatingIfNeeded: low), minimum: 18, into: &text)
    }

    package static func append(decimal value: Int128, scale: Int, into text: inout [UInt8]) {
        if value < 0 { text.append(0x2D) }
        let magnitude = value.magnitude
        if scale == 0 { return appendDigits(magnitude, minimum: 1, into: &text) }
        let start = text.count
        appendDigits(magnitude, minimum: scale + 1, into: &text)
        text.insert(0x2E, at: max(start, text.count - scale))
    }

    /// Shortest text that reads back as the same number, in PostgreSQL's form.
    package static func append(_ value: Double, extraDigits: Int = 1, into text: inout [UInt8]) {
        if extraDigits <= 0 { return appendRounded(value, digits: max(1, 15 + extraDigits), into: &text) }
        if !value.isFinite { return appendSpecial(value.isNaN, value < 0, into: &text) }
        if value == 0 { return text.append(contentsOf: value.sign == .minus ? [0x2D, 0x30] : [0x30]) }
        appendShortest(value.description, exponentLimit: 15, into: &text)
    }

    package static func append(_ value: Float, extraDigits: Int = 1, into text: inout [UInt8]) {
        if extraDigits <= 0 { return appendRounded(Double(value), digits: max(1, 6 + extraDigits), into: &text) }
        if !value.isFinite { return appendSpecial(value.isNaN, value < 0, into: &text) }
        if value == 0 { return text.append(contentsOf: value.sign == .minus ? [0x2D, 0x30] : [0x30]) }
        appendShortest(value.description, exponentLimit: 6, into: &text)
    }

    /// Rounded to so many significant digits, as C's `%g` writes it.
    private static func appendRounded(_ value: Double, digits: Int, into text: inout [UInt8]) {
        if !value.isFinite { return appendSpecial(value.isNaN, value < 0, into: &text) }
        var buffer = [CChar](repeating: 0, count: 40)
        let count = withVaList([Int32(digits), value]) { vsnprintf(&buffer, buffer.count, "%.*g", $0) }
        for index in 0..<Int(count) { text.append(UInt8(bitPattern: buffer[index])) }
    }

    private static func appendSpecial(_ isNaN: Bool, _ isNegative: Bool, into text: inout [UInt8]) {
        text.append(contentsOf: (isNaN ? "NaN" : isNegative ? "-Infinity" : "Infinity").utf8)
    }

    /// Rewrites the standard library's shortest form ("12.5", "1e-07") in PostgreSQL's.
    private static func appendShortest(_ description: String, exponentLimit: Int, into text: inout [UInt8]) {
        var digits: [UInt8] = []
        digits.reserveCapacity(20)
        var pointAt = -1
        var exponent = 0
        var inExponent = false
        var exponentIsNegative = false
        for byte in description.utf8 {
            switch byte {
            case 0x2D:
                if inExponent { exponentIsNegative = true } else { text.append(0x2D) }
            case 0x2B: break
            case 0x2E: pointAt = digits.count
            case 0x65, 0x45: inExponent = true
            default:
                if inExponent { exponent = exponent * 10 + Int(byte - 0x30) } else { digits.append(byte) }
            }
        }
        if exponentIsNegative { exponent = -exponent }
        if pointAt < 0 { pointAt = digits.count }
        // Normalise to d.ddd × 10^decimalExponent.
        var leading = 0
        while leading < digits.count - 1 && digits[leading] == 0x30 { leading += 1 }
        digits.removeFirst(leading)
        while digits.count > 1 && digits[digits.count - 1] == 0x30 { digits.removeLast() }
        let decimalExponent = pointAt - leading - 1 + exponent
        if decimalExponent < -4 || decimalExponent >= exponentLimit {
            text.append(digits[0])
            if digits.count > 1 {
                text.append(0x2E)
                text.append(contentsOf: digits[1...])
            }
            text.append(0x65)
            text.append(decimalExponent < 0 ? 0x2D : 0x2B)
            appendDigits(UInt64(decimalExponent.magnitude), minimum: 2, into: &text)
        } else if decimalExponent < 0 {
            text.append(contentsOf: [0x30, 0x2E])
            for _ in 0..<(-decimalExponent - 1) { text.append(0x30) }
            text.append(contentsOf: digits)
        } else {
            for index in 0..<max(digits.count, decimalExponent + 1) {
                if index == decimalExponent + 1 { text.append(0x2E) }
                text.append(index < digits.count ? digits[index] : 0x30)
            }
        }
    }

    // MARK: Input

    /// Why a text is no number of the wanted kind.
    package enum Failure: Error { case syntax, range }

    @inline(__always)
    package static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }

    /// The text without blanks around it.
    package static func trimmed(_ text: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        var start = 0
        var end = text.count
        while start < end && isSpace(text[start]) { start &+= 1 }
        while end > start && isSpace(text[end &- 1]) { end &-= 1 }
        return UnsafeBufferPointer(rebasing: text[start..<end])
    }

    package static func parseInteger(_ text: UnsafeBufferPointer<UInt8>) throws(Failure) -> Int64 {
        let text = trimmed(text)
        var at = 0
        var isNegative = false
        if at < text.count, text[at] == 0x2D || text[at] == 0x2B {
            isNegative = text[at] == 0x2D
            at &+= 1
        }
        if at == text.count { throw .syntax }
        var magnitude: UInt64 = 0
        var overflow = false
        while at < text.count {
            let digit = text[at] &- 0x30
            if digit > 9 { throw .syntax }
            let (product, o1) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, o2) = product.addingReportingOverflow(UInt64(digit))
            overflow = overflow || o1 || o2
            magnitude = sum
            at &+= 1
        }
        if overflow || magnitude > UInt64(Int64.max) &+ (isNegative ? 1 : 0) { throw .range }
        return isNegative ? Int64(truncatingIfNeeded: 0 &- magnitude) : Int64(magnitude)
    }

    /// A number as digits: value = ±digits × 10^-scale; digits beyond the 38th of the fraction are rounded away.
    private struct Digits {
        var value: UInt128 = 0
        var scale = 0
        var isNegative = false
    }

    private static func parseDigits(_ text: UnsafeBufferPointer<UInt8>) throws(Failure) -> Digits {
        let text = trimmed(text)
        var result = Digits()
        var at = 0
        if at < text.count, text[at] == 0x2D || text[at] == 0x2B {
            result.isNegative = text[at] == 0x2D
            at &+= 1
        }
        var sawDigit = false
        var sawPoint = false
        var dropped = 0
        var roundUp = false
        while at < text.count {
            let byte = text[at]
            if byte == 0x2E {
                if sawPoint { throw .syntax }
                sawPoint = true
            } else if byte &- 0x30 <= 9 {
                sawDigit = true
                if result.value < 10_000_000_000_000_000_000_000_000_000_000_000_000 {
                    result.value = result.value &* 10 &+ UInt128(byte &- 0x30)
                    if sawPoint { result.scale &+= 1 }
                } else {
                    if dropped == 0 { roundUp = byte >= 0x35 }
                    dropped &+= 1
                    if sawPoint { result.scale &+= 1 }
                }
            } else {
                break
            }
            at &+= 1
        }
        if !sawDigit { throw .syntax }
        result.scale &-= dropped
        if roundUp { result.value &+= 1 }
        if at < text.count, text[at] == 0x65 || text[at] == 0x45 {
            let rest = UnsafeBufferPointer(rebasing: text[(at &+ 1)...])
            if rest.isEmpty || isSpace(rest[0]) { throw .syntax }
            let exponent: Int64
            do { exponent = try parseInteger(rest) } catch { throw error }
            if exponent > 100_000 || exponent < -100_000 { throw .range }
            result.scale &-= Int(exponent)
            at = text.count
        }
        if at < text.count { throw .syntax }
        return result
    }

    /// Exact value and scale of a numeric literal; `nil` when it is none or needs more than 38 digits.
    package static func parseDecimal(_ text: [UInt8]) -> (value: Int128, scale: Int)? {
        text.withUnsafeBufferPointer { buffer -> (value: Int128, scale: Int)? in
            guard var digits = try? parseDigits(buffer) else { return nil }
            while digits.scale < 0 {
                let (value, overflow) = digits.value.multipliedReportingOverflow(by: 10)
                if overflow { return nil }
                digits.value = value
                digits.scale += 1
            }
            while digits.scale > 38 {
                digits.value = (digits.value + 5) / 10
                digits.scale -= 1
            }
            guard digits.value < UInt128(PowerOfTen.value(38)) else { return nil }
            let value = Int128(digits.value)
            return (digits.isNegative ? -value : value, digits.scale)
        }
    }

    /// The unscaled value at `scale`, rounded half away from zero.
    package static func parseDecimal(_ text: UnsafeBufferPointer<UInt8>, precision: Int, scale: Int) throws(Failure)
        -> Int128
    {
        let digits = try parseDigits(text)
        var value = digits.value
        var difference = scale &- digits.scale
        if difference > 0 {
            if value != 0 {
                if difference > 38 { throw .range }
                let (product, overflow) = value.multipliedReportingOverflow(by: UInt128(PowerOfTen.value(difference)))
                if overflow { throw .range }
                value = product
            }
        } else if difference < 0 {
            if difference < -38 {
                value = 0
                difference = 0
            }
            let divisor = UInt128(PowerOfTen.value(0 &- difference))
            let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
            value = remainder >= divisor - remainder && difference != 0 ? quotient + 1 : quotient
        }
        if value >= UInt128(PowerOfTen.value(precision)) { throw .range }
        return digits.isNegative ? 0 &- Int128(value) : Int128(value)
    }

    private static let exactPowers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20,
        1e21, 1e22,
    ]

    package static func parseFloat(_ text: UnsafeBufferPointer<UInt8>) throws(Failure) -> Double {
        let text = trimmed(text)
        // Digits that fit 53 bits over a small power of ten are exact in one division.
        var at = 0
        var isNegative = false
        if at < text.count, text[at] == 0x2D || text[at] == 0x2B {
            isNegative = text[at] == 0x2D
            at &+= 1
        }
        var mantissa: UInt64 = 0
        var digits = 0
        var fraction = 0
        var sawPoint = false
        while at < text.count, digits <= 15 {
            let byte = text[at]
            if byte == 0x2E && !sawPoint {
                sawPoint = true
            } else if byte &- 0x30 <= 9 {
                mantissa = mantissa &* 10 &+ UInt64(byte &- 0x30)
                digits &+= 1
                if sawPoint { fraction &+= 1 }
            } else {
                break
            }
            at &+= 1
        }
        if at == text.count && digits > 0 && digits <= 15 {
            let value = Double(mantissa) / exactPowers[fraction]
            return isNegative ? -value : value
        }
        let string = String(decoding: text, as: UTF8.self)
        switch string.lowercased() {
        case "nan", "+nan", "-nan": return .nan
        case "infinity", "+infinity", "inf", "+inf": return .infinity
        case "-infinity", "-inf": return -.infinity
        default: break
        }
        // The standard library also reads hexadecimal floats and names; those are not SQL.
        var mantissaIsZero = true
        for byte in text {
            switch byte {
            case 0x31...0x39: mantissaIsZero = false
            case 0x30, 0x2E, 0x2B, 0x2D: break
            case 0x65, 0x45: break
            default: throw .syntax
            }
            if byte == 0x65 || byte == 0x45 { break }
        }
        guard let value = Double(string) else { throw .syntax }
        if value.isInfinite || (value == 0 && !mantissaIsZero && !isZeroText(text)) { throw .range }
        return value
    }

    private static func isZeroText(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        for byte in text {
            if byte == 0x65 || byte == 0x45 { return true }
            if byte >= 0x31 && byte <= 0x39 { return false }
        }
        return true
    }
}
