// Numbers of JSON values: decimal, exact, with the digits that they were written with.

import Diagnostics

/// 0.DIGITS · 10^exponent, shown with `scale` digits behind the point. Zero has no digits and exponent 0.
package struct JSONNumber: Hashable, Sendable {
    package var isNegative: Bool
    package var exponent: Int
    package var scale: Int
    /// Values 0…9, without zeros at either end.
    package var digits: [UInt8]

    /// Digits in front of the point and behind it that numeric can have.
    static let exponentMax = 131_072
    static let scaleMax = 16_383

    init(isNegative: Bool, exponent: Int, scale: Int, digits: [UInt8]) {
        self.isNegative = isNegative
        self.exponent = exponent
        self.scale = scale
        self.digits = digits
    }

    /// From digits that may have zeros at their ends. Error: 22003.
    package init(checking isNegative: Bool, exponent: Int, scale: Int, digits: [UInt8]) throws {
        self.init(isNegative: isNegative, exponent: exponent, scale: scale, digits: digits)
        trim()
        if self.exponent > JSONNumber.exponentMax || scale > JSONNumber.scaleMax { throw JSONNumber.overflow }
    }

    private mutating func trim() {
        while digits.last == 0 { digits.removeLast() }
        let zeros = digits.prefix { $0 == 0 }.count
        digits.removeFirst(zeros)
        exponent -= zeros
        if digits.isEmpty {
            exponent = 0
            isNegative = false
        }
    }

    static let overflow = QueryError(.numericValueOutOfRange, "value overflows numeric format")

    package init(_ integer: Int64) {
        self.init(decimal: Int128(integer), scale: 0)
    }

    /// An unscaled value with a scale, as columns of type numeric have it.
    package init(decimal: Int128, scale: Int) {
        var digits: [UInt8] = []
        var rest = decimal.magnitude
        while rest > 0 {
            digits.append(UInt8(rest % 10))
            rest /= 10
        }
        digits.reverse()
        self.init(isNegative: decimal < 0, exponent: digits.count - scale, scale: scale, digits: digits)
        trim()
    }

    /// A number as JSON's grammar has it. Error: 22003 beyond 131,072 digits in front of the point or 16,383 behind it.
    package init(text: UnsafeBufferPointer<UInt8>) throws {
        var index = 0
        var isNegative = false
        if index < text.count, text[index] == 0x2D || text[index] == 0x2B {
            isNegative = text[index] == 0x2D
            index += 1
        }
        var digits: [UInt8] = []
        digits.reserveCapacity(text.count)
        var before = 0
        var scale = 0
        var isFraction = false
        while index < text.count {
            let byte = text[index]
            if byte == 0x2E {
                isFraction = true
            } else if byte &- 0x30 <= 9 {
                digits.append(byte &- 0x30)
                if isFraction { scale += 1 } else { before += 1 }
            } else {
                break
            }
            index += 1
        }
        var power = 0
        if index < text.count {
            index += 1
            var powerIsNegative = false
            if index < text.count, text[index] == 0x2D || text[index] == 0x2B {
                powerIsNegative = text[index] == 0x2D
                index += 1
            }
            while index < text.count {
                power = power * 10 + Int(text[index] &- 0x30)
                if power >= Int(Int32.max) / 2 { throw JSONNumber.overflow }
                index += 1
            }
            if powerIsNegative { power = -power }
        }
        try self.init(checking: isNegative, exponent: before + power, scale: max(0, scale - power), digits: digits)
    }

    /// The digits that a float's shortest text has. `nil` for NaN and infinities.
    package init?(_ value: Double) {
        guard value.isFinite else { return nil }
        var text: [UInt8] = []
        NumericText.append(value, into: &text)
        guard let number = text.withUnsafeBufferPointer({ try? JSONNumber(text: $0) }) else { return nil }
        self = number
    }

    package var isZero: Bool { digits.isEmpty }

    /// Digits behind the point that the value needs.
    package var scaleMin: Int { max(0, digits.count - exponent) }

    /// The value, if it is an integer of 64 bits; its scale does not matter.
    package var exactInteger: Int64? {
        guard digits.count <= exponent, exponent <= 19 else { return digits.isEmpty ? 0 : nil }
        var value: Int64 = 0
        for position in 0..<exponent {
            let digit = position < digits.count ? Int64(digits[position]) : 0
            let (product, overflow1) = value.multipliedReportingOverflow(by: 10)
            // Counted downwards: the least integer has no positive counterpart.
            let (next, overflow2) = product.subtractingReportingOverflow(digit)
            if overflow1 || overflow2 { return nil }
            value = next
        }
        if isNegative { return value }
        return value == Int64.min ? nil : -value
    }

    /// The nearest integer, halves away from zero, if it has 64 bits.
    package var roundedInteger: Int64? {
        if scaleMin == 0 { return exactInteger }
        guard let value = whole.exactInteger else { return nil }
        let isUp = exponent >= 0 && exponent < digits.count && digits[exponent] >= 5
        if !isUp { return value }
        let (result, overflow) = value.addingReportingOverflow(isNegative ? -1 : 1)
        return overflow ? nil : result
    }

    /// The digits in front of the point.
    private var whole: JSONNumber {
        var result = JSONNumber(
            isNegative: isNegative, exponent: max(0, exponent), scale: 0,
            digits: exponent > 0 ? Array(digits.prefix(exponent)) : [])
        result.trim()
        return result
    }

    /// Without what stands behind the point, if that is an integer of 64 bits.
    package var truncatedInteger: Int64? { whole.exactInteger }

    package var absolute: JSONNumber {
        var result = self
        result.isNegative = false
        return result
    }

    /// The largest integer that is not greater.
    package var floor: JSONNumber { isNegative && scaleMin > 0 ? whole.farther(isNegative: true) : whole }

    /// The least integer that is not less.
    package var ceiling: JSONNumber { !isNegative && scaleMin > 0 ? whole.farther(isNegative: false) : whole }

    /// An integer with a magnitude greater by one.
    private func farther(isNegative: Bool) -> JSONNumber {
        var places = [UInt8](repeating: 0, count: exponent + 1)
        for (index, digit) in digits.enumerated() { places[index + 1] = digit }
        var index = places.count - 1
        while index > 0, places[index] == 9 {
            places[index] = 0
            index -= 1
        }
        places[index] += 1
        var result = JSONNumber(isNegative: isNegative, exponent: exponent + 1, scale: 0, digits: places)
        result.trim()
        return result
    }

    /// Appends the number as numeric shows it.
    package func append(to text: inout [UInt8]) {
        if isNegative { text.append(0x2D) }
        if exponent <= 0 { text.append(0x30) }
        var position = 0
        while position < exponent {
            text.append(position < digits.count ? 0x30 + digits[position] : 0x30)
            position += 1
        }
        guard scale > 0 else { return }
        text.append(0x2E)
        for index in 0..<scale {
            let place = exponent + index
            text.append(place >= 0 && place < digits.count ? 0x30 + digits[place] : 0x30)
        }
    }

    package var text: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    package static func compare(_ a: JSONNumber, _ b: JSONNumber) -> Int {
        let signA = a.isZero ? 0 : a.isNegative ? -1 : 1
        let signB = b.isZero ? 0 : b.isNegative ? -1 : 1
        if signA != signB { return signA - signB }
        return signA * compareMagnitudes(a, b)
    }

    static func compareMagnitudes(_ a: JSONNumber, _ b: JSONNumber) -> Int {
        if a.exponent != b.exponent { return a.exponent < b.exponent ? -1 : 1 }
        for (x, y) in zip(a.digits, b.digits) where x != y { return x < y ? -1 : 1 }
        return a.digits.count < b.digits.count ? -1 : a.digits.count > b.digits.count ? 1 : 0
    }
}
