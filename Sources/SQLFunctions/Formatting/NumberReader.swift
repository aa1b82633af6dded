// to_number: digits, point and sign picked out of a text by a template.

import Diagnostics

/// Reads one number by a template.
struct NumberReader {
    private let template: NumberTemplate
    private let input: [UInt8]
    private var at = 0
    private var sign: UInt8 = 0x20
    private var digits: [UInt8] = []
    private var wholeRead = 0
    private var fractionRead = 0
    private var hasPoint = false

    private init(_ template: NumberTemplate, _ input: [UInt8]) {
        self.template = template
        self.input = input
    }

    /// The number's text, as numeric input takes it, and the digits behind its point.
    static func read(_ input: [UInt8], _ template: NumberTemplate) throws -> (text: [UInt8], scale: Int) {
        if template.isScientific { throw QueryError.notSupported("\"EEEE\" for input") }
        if template.isRoman { throw QueryError.notSupported("\"RN\" for input") }
        var reader = NumberReader(template, input)
        reader.run()
        var digits = reader.digits
        if digits.last == 0x2E { digits.removeLast() }
        return ([reader.sign] + digits, reader.fractionRead)
    }

    private var isAtEnd: Bool { at >= input.count }
    private var next: UInt8 { at < input.count ? input[at] : 0 }
    private func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 <= 9 }

    private mutating func skipCharacter() {
        at += 1
        while at < input.count, input[at] & 0xC0 == 0x80 { at += 1 }
    }

    /// Passes over characters that cannot belong to a number.
    private mutating func skipOthers(_ count: Int) {
        for _ in 0..<count {
            if isAtEnd || isDigit(next) || [0x2E, 0x2C, 0x2B, 0x2D].contains(next) { return }
            skipCharacter()
        }
    }

    private mutating func run() {
        for node in template.nodes {
            if isAtEnd { break }
            guard case .pattern(let pattern) = node else {
                skipCharacter()
                continue
            }
            switch pattern {
            case .nine, .zero, .point, .localePoint:
                readDigit(pattern)
                at += 1
            case .comma, .group:
                // Compact templates leave separators to the digits.
                if !template.isCompact, next == 0x2C { at += 1 }
            case .currency: skipOthers(1)
            case .ordinal:
                if template.isRoman || template.hasPoint { continue }
                skipOthers(2)
            case .minus:
                if next == 0x2D {
                    sign = 0x2D
                    at += 1
                } else {
                    skipOthers(1)
                }
            case .plus:
                if next == 0x2B {
                    sign = 0x2B
                    at += 1
                } else {
                    skipOthers(1)
                }
            case .plusMinus:
                if next == 0x2D || next == 0x2B {
                    sign = next
                    at += 1
                } else {
                    skipOthers(1)
                }
            case .roman, .other: continue
            }
        }
    }

    /// Leaves `at` on the last byte used.
    private mutating func readDigit(_ pattern: NumberTemplate.Pattern) {
        if next == 0x20 { at += 1 }
        if isAtEnd { return }
        let isDigitPattern = pattern == .nine || pattern == .zero
        if sign == 0x20, isDigitPattern, wholeRead + fractionRead == 0 {
            if template.anchoredSign == .before {
                if next == 0x2D || next == 0x2B {
                    sign = next
                    at += 1
                }
            } else if next == 0x2D || (template.hasBrackets && next == 0x3C) {
                sign = 0x2D
                at += 1
            } else if next == 0x2B {
                sign = 0x2B
                at += 1
            }
        }
        if isAtEnd { return }
        var isRead = false
        if isDigit(next) {
            if hasPoint, fractionRead == template.fractionDigits { return }
            digits.append(next)
            if hasPoint { fractionRead += 1 } else { wholeRead += 1 }
            isRead = true
        } else if template.hasPoint, !hasPoint, next == 0x2E {
            digits.append(0x2E)
            hasPoint = true
            isRead = true
        }
        if isAtEnd || sign != 0x20 || wholeRead + fractionRead == 0 { return }
        if template.hasAnchoredSign {
            if isRead, at + 1 < input.count, !isDigit(input[at + 1]), input[at + 1] == 0x2D || input[at + 1] == 0x2B {
                at += 1
                sign = next
            }
        } else if !isRead, template.hasPlus || template.hasMinus, next == 0x2D || next == 0x2B {
            sign = next
        }
    }
}
