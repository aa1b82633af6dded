// Templates of numbers: what to_char writes and to_number reads.

import Diagnostics

/// A template of a number, with what its patterns say together.
struct NumberTemplate: Sendable {
    enum Pattern: Sendable, Equatable {
        case nine, zero, point, localePoint, comma, group, currency
        case roman(isUpper: Bool), ordinal(isUpper: Bool)
        case minus, plus, plusMinus
        /// B, FM, S, PR, V, EEEE: they act on the whole.
        case other
    }
    enum Node: Sendable {
        case pattern(Pattern)
        case character(Unicode.Scalar)
    }
    enum AnchoredSign: Sendable { case none, before, after }

    private(set) var nodes: [Node] = []
    /// Digits in front of the point and behind it, and those that V shifts by.
    private(set) var wholeDigits = 0
    private(set) var fractionDigits = 0
    private(set) var shiftDigits = 0
    private(set) var zeroStart = 0
    private(set) var zeroEnd = 0
    private(set) var anchoredSign = AnchoredSign.none
    private var digitsBeforeSign = 0
    private(set) var hasZero = false
    private(set) var hasPoint = false
    private(set) var isCompact = false
    private(set) var hasBrackets = false
    private(set) var hasMinus = false
    private(set) var hasPlus = false
    private(set) var isRoman = false
    private(set) var isShifted = false
    private(set) var isScientific = false
    private var isBlankForZero = false
    var hasAnchoredSign: Bool { anchoredSign != .none }
    /// The sign stands in front of all digits that there are.
    var signFollowsDigits: Bool { anchoredSign == .before && wholeDigits == digitsBeforeSign }

    /// Errors: 42601 for patterns that do not go together.
    init(_ template: String) throws {
        let text = Array(template.unicodeScalars)
        var at = 0
        func has(_ word: String) -> Bool {
            let count = word.utf8.count
            guard at + count <= text.count else { return false }
            let written = String(String.UnicodeScalarView(text[at..<(at + count)]))
            return written == word || written == word.lowercased()
        }
        while at < text.count {
            if let word = Self.words.first(where: has) {
                let isUpper = text[at].value < 0x61
                at += word.utf8.count
                nodes.append(.pattern(try add(word, isUpper)))
                continue
            }
            if text[at] == "\"" {
                at += 1
                while at < text.count {
                    if text[at] == "\"" {
                        at += 1
                        break
                    }
                    if text[at] == "\\" { at += 1 }
                    if at < text.count { nodes.append(.character(text[at])) }
                    at += 1
                }
                continue
            }
            if text[at] == "\\", at + 1 < text.count, text[at + 1] == "\"" { at += 1 }
            nodes.append(.character(text[at]))
            at += 1
        }
    }

    private static let words = [
        ",", ".", "0", "9", "B", "D", "EEEE", "FM", "G", "L", "MI", "PL", "PR", "RN", "SG", "SP", "S", "TH", "V",
    ]

    private mutating func add(_ word: String, _ isUpper: Bool) throws -> Pattern {
        func refuse(_ message: String, _ detail: String? = nil) -> QueryError {
            QueryError(.syntaxError, message, detail: detail)
        }
        if isScientific, word != "EEEE" { throw refuse("\"EEEE\" must be the last pattern used") }
        switch word {
        case "9", "0":
            if hasBrackets { throw refuse("\"\(word)\" must be ahead of \"PR\"") }
            if word == "9", isShifted {
                shiftDigits += 1
                return .nine
            }
            if word == "0" {
                if !hasZero, !hasPoint {
                    hasZero = true
                    zeroStart = wholeDigits + 1
                }
            }
            if hasPoint { fractionDigits += 1 } else { wholeDigits += 1 }
            if word == "0" { zeroEnd = wholeDigits + fractionDigits }
            return word == "9" ? .nine : .zero
        case "B":
            if wholeDigits == 0, fractionDigits == 0, !hasZero { isBlankForZero = true }
            return .other
        case ".", "D":
            if hasPoint { throw refuse("multiple decimal points") }
            if isShifted { throw refuse("cannot use \"V\" and decimal point together") }
            hasPoint = true
            return word == "." ? .point : .localePoint
        case "FM":
            isCompact = true
            return .other
        case "S":
            if hasAnchoredSign { throw refuse("cannot use \"S\" twice") }
            if hasPlus || hasMinus || hasBrackets {
                throw refuse("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together")
            }
            anchoredSign = hasPoint ? .after : .before
            digitsBeforeSign = wholeDigits
            return .other
        case "MI", "PL", "SG":
            if hasAnchoredSign { throw refuse("cannot use \"S\" and \"\(word)\" together") }
            if word != "PL" { hasMinus = true }
            if word != "MI" { hasPlus = true }
            return word == "MI" ? .minus : word == "PL" ? .plus : .plusMinus
        case "PR":
            if hasAnchoredSign || hasPlus || hasMinus {
                throw refuse("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together")
            }
            hasBrackets = true
            return .other
        case "RN":
            isRoman = true
            return .roman(isUpper: isUpper)
        case "V":
            if hasPoint { throw refuse("cannot use \"V\" and decimal point together") }
            isShifted = true
            return .other
        case "EEEE":
            if isScientific { throw refuse("cannot use \"EEEE\" twice") }
            if isBlankForZero || isCompact || hasAnchoredSign || hasBrackets || hasMinus || hasPlus || isRoman
                || isShifted
            {
                throw refuse(
                    "\"EEEE\" is incompatible with other formats",
                    "\"EEEE\" may only be used together with digit and decimal point patterns.")
            }
            isScientific = true
            return .other
        case "TH": return .ordinal(isUpper: isUpper)
        case ",": return .comma
        case "G": return .group
        case "L": return .currency
        default: return .other
        }
    }

    /// The number as a Roman numeral; 15 marks beyond 1 to 3999.
    static func roman(_ value: Int) -> String {
        guard (1...3999).contains(value) else { return String(repeating: "#", count: 15) }
        var rest = value
        var text = ""
        for (number, sign) in [
            (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"),
            (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
        ] {
            while rest >= number {
                text += sign
                rest -= number
            }
        }
        return text
    }
}
