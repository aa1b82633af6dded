// to_char of numbers: decimal digits put into a template.

import Columnar

/// Writes one number by a template.
struct NumberWriter {
    private let template: NumberTemplate
    /// Digits with their point, without sign.
    private let digits: [UInt8]
    private let isNegative: Bool
    /// Blanks in front of the digits, for the template's digits that the number does not have.
    private let blankCount: Int
    private var hasBrackets: Bool
    private var anchoredSign: NumberTemplate.AnchoredSign
    private let zeroStart: Int
    /// Index of the last digit that a compact template keeps.
    private var lastRelevant: Int?
    private var isSignWritten: Bool
    private var digitCount: Int
    private var current = 0
    private var position = 0
    private var hasWrittenDigit = false
    private var output: [UInt8] = []
    /// Where the text ends because a float has no more digits to give.
    private var cutAt: Int?

    /// The text of a number that is given by its digits, already rounded to the template's fraction.
    static func text(_ template: NumberTemplate, digits: [UInt8], isNegative: Bool, wholeDigits: Int) -> [UInt8] {
        var writer = NumberWriter(template, digits: digits, isNegative: isNegative, wholeDigits: wholeDigits)
        writer.run()
        return writer.cutAt.map { Array(writer.output[..<$0]) } ?? writer.output
    }

    private init(_ template: NumberTemplate, digits given: [UInt8], isNegative: Bool, wholeDigits: Int) {
        self.template = template
        self.isNegative = isNegative
        var digits = given
        var blankCount = 0
        if !template.isRoman {
            let length = given.firstIndex(of: 0x2E) ?? given.count
            if length < wholeDigits {
                blankCount = wholeDigits - length
            } else if length > wholeDigits {
                digits = [UInt8](repeating: 0x23, count: wholeDigits + template.fractionDigits + 1)
                digits[wholeDigits] = 0x2E
            }
        }
        self.digits = digits
        self.blankCount = blankCount
        hasBrackets = template.hasBrackets
        anchoredSign = template.anchoredSign
        zeroStart = max(0, template.zeroStart - 1)
        digitCount = template.fractionDigits + wholeDigits - 1
        if template.hasPlus || template.hasMinus {
            isSignWritten = !(template.hasPlus && !template.hasMinus)
        } else {
            if !isNegative, template.isCompact { hasBrackets = false }
            isSignWritten = !isNegative && template.isCompact && !template.hasAnchoredSign
            if template.signFollowsDigits { anchoredSign = .after }
        }
        if template.isCompact, template.hasPoint, let point = digits.firstIndex(of: 0x2E) {
            var last = point
            for index in point..<digits.count where index > point && digits[index] != 0x30 { last = index }
            if template.zeroEnd > blankCount {
                last = max(last, min(digits.count - 1, template.zeroEnd - blankCount))
            }
            lastRelevant = last
        }
        if !isSignWritten, blankCount == 0 { digitCount += 1 }
    }

    private var lastIsPoint: Bool { lastRelevant.map { digits[$0] == 0x2E } ?? false }
    /// The zero in front of a point that the template does not ask for.
    private var isLeadingZero: Bool {
        !template.hasZero && position == 0 && digits.first == 0x30 && template.fractionDigits != 0
    }

    private mutating func run() {
        for node in template.nodes {
            guard case .pattern(let pattern) = node else {
                if case .character(let scalar) = node { output.append(contentsOf: String(scalar).utf8) }
                continue
            }
            switch pattern {
            case .nine, .zero, .point, .localePoint: writeDigit(pattern)
            case .comma, .group:
                if hasWrittenDigit { output.append(0x2C) } else if !template.isCompact { output.append(0x20) }
            case .currency: output.append(0x20)
            case .roman(let isUpper):
                let text = isUpper ? digits : digits.map { $0 &- 0x41 <= 25 ? $0 | 0x20 : $0 }
                if !template.isCompact, text.count < 15 {
                    output.append(contentsOf: repeatElement(0x20, count: 15 - text.count))
                }
                output.append(contentsOf: text)
            case .ordinal(let isUpper):
                if template.isRoman || digits.first == 0x23 || isNegative || template.hasPoint { continue }
                let suffix = DateTemplate.ordinalSuffix(digits)
                output.append(contentsOf: (isUpper ? suffix.uppercased() : suffix).utf8)
            case .minus: if isNegative { output.append(0x2D) } else if !template.isCompact { output.append(0x20) }
            case .plus: if !isNegative { output.append(0x2B) } else if !template.isCompact { output.append(0x20) }
            case .plusMinus: output.append(isNegative ? 0x2D : 0x2B)
            case .other: continue
            }
        }
    }

    private mutating func writeSign() {
        if anchoredSign != .none {
            if anchoredSign == .before {
                output.append(isNegative ? 0x2D : 0x2B)
                isSignWritten = true
            }
            return
        }
        if hasBrackets {
            output.append(isNegative ? 0x3C : 0x20)
        } else if isNegative {
            output.append(0x2D)
        } else if !template.isCompact {
            output.append(0x20)
        }
        isSignWritten = true
    }

    private mutating func writeDigit(_ pattern: NumberTemplate.Pattern) {
        if template.isRoman { return }
        hasWrittenDigit = false
        if !isSignWritten, current >= blankCount || (template.hasZero && zeroStart == current),
            !isLeadingZero || lastIsPoint
        {
            writeSign()
        }
        if current < blankCount, zeroStart > current || !template.hasZero {
            if !template.isCompact { output.append(0x20) }
        } else if template.hasZero, current < blankCount, zeroStart <= current {
            output.append(0x30)
            hasWrittenDigit = true
        } else if position < digits.count {
            if digits[position] == 0x2E {
                if !lastIsPoint || template.isCompact { output.append(0x2E) }
            } else if let last = lastRelevant, position > last, pattern != .zero {
                // A compact template drops zeros at the end.
            } else if isLeadingZero {
                if !template.isCompact { output.append(0x20) } else if lastIsPoint { output.append(0x30) }
            } else {
                output.append(digits[position])
                hasWrittenDigit = true
            }
            position += 1
        } else if let last = lastRelevant, position > last, pattern != .zero {
            // Nothing is left.
        } else {
            cutAt = cutAt ?? output.count
            hasWrittenDigit = true
        }
        var end = digitCount + (blankCount > 0 ? 1 : 0) + (template.hasPoint ? 1 : 0)
        if let last = lastRelevant, last == position { end = current }
        if current + 1 == end {
            if isSignWritten, hasBrackets {
                output.append(isNegative ? 0x3E : 0x20)
            } else if anchoredSign == .after {
                output.append(isNegative ? 0x2D : 0x2B)
            }
        }
        current += 1
    }
}
