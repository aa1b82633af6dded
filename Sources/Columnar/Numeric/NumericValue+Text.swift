// Text of numerics, both ways.

extension NumericValue {
    package func append(into text: inout [UInt8]) {
        switch kind {
        case .nan: text.append(contentsOf: "NaN".utf8)
        case .infinity: text.append(contentsOf: "Infinity".utf8)
        case .minusInfinity: text.append(contentsOf: "-Infinity".utf8)
        case .finite:
            if isNegative { text.append(0x2D) }
            magnitude.appendDigits(minimum: scale + 1, into: &text)
            if scale > 0 { text.insert(0x2E, at: text.count - scale) }
        }
    }

    package var text: String {
        var bytes: [UInt8] = []
        append(into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Reads digits with an optional sign, point and exponent, `NaN`, or `[+-]inf[inity]`; blanks around are allowed.
    package static func parse(_ text: UnsafeBufferPointer<UInt8>) throws(NumericText.Failure) -> NumericValue {
        let text = NumericText.trimmed(text)
        var at = 0
        var isNegative = false
        if at < text.count, text[at] == 0x2D || text[at] == 0x2B {
            isNegative = text[at] == 0x2D
            at += 1
        }
        if at < text.count, text[at] | 0x20 == 0x6E || text[at] | 0x20 == 0x69 {
            return try special(text, from: at, isNegative)
        }
        let start = at
        var digitCount = 0
        var fraction = 0
        var sawPoint = false
        while at < text.count {
            if text[at] == 0x2E, !sawPoint {
                sawPoint = true
            } else if text[at] &- 0x30 <= 9 {
                digitCount += 1
                if sawPoint { fraction += 1 }
            } else {
                break
            }
            at += 1
        }
        if digitCount == 0 { throw .syntax }
        let digits = text[start..<at]
        var exponent = 0
        if at < text.count, text[at] | 0x20 == 0x65 {
            at += 1
            let value = try NumericText.parseInteger(UnsafeBufferPointer(rebasing: text[at...]))
            guard value.magnitude <= 1 << 30 else { throw .range }
            exponent = Int(value)
            at = text.count
        }
        if at < text.count { throw .syntax }
        let scale = fraction - exponent
        if scale > scaleMax { throw .range }
        // The number of digits is bounded before any arithmetic on them.
        var leadingZeros = 0
        for byte in digits {
            if byte != 0x30, byte != 0x2E { break }
            if byte == 0x30 { leadingZeros += 1 }
        }
        if digitCount - leadingZeros - scale > wholeDigitsMax, leadingZeros < digitCount { throw .range }
        let magnitude = Magnitude.parse(digits)
        return scale >= 0
            ? NumericValue(isNegative: isNegative, magnitude, scale: scale)
            : NumericValue(isNegative: isNegative, magnitude.timesPowerOfTen(-scale), scale: 0)
    }

    private static func special(_ text: UnsafeBufferPointer<UInt8>, from start: Int, _ isNegative: Bool)
        throws(NumericText.Failure) -> NumericValue
    {
        switch String(decoding: text[start...], as: UTF8.self).lowercased() {
        case "nan" where start == 0: return .nan
        case "inf", "infinity": return isNegative ? .minusInfinity : .infinity
        default: throw .syntax
        }
    }

    /// Reads text in the program's own form; for literals and files.
    package init?(_ text: String) {
        var text = text
        guard let value = text.withUTF8({ try? NumericValue.parse($0) }) else { return nil }
        self = value
    }
}
