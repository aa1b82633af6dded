// Templates of dates and times, cut into the nodes that to_char writes and to_date reads.

/// A date-and-time template.
struct DateTemplate: Sendable {
    /// What a pattern stands for; `raw` of text patterns says nothing of their letters' case.
    enum Field: Sendable {
        case meridiem(isDotted: Bool), era(isDotted: Bool)
        case century, dayName, dayNameShort, dayOfYear, dayOfMonth, dayOfWeek
        case isoDayOfYear, isoDayOfWeek, isoWeek, isoYear(digits: Int)
        case fraction(digits: Int), milliseconds, microseconds
        case hour12, hour24, minute, second, secondOfDay
        case julian, month, monthName, monthNameShort, monthRoman
        case quarter, weekOfYear, weekOfMonth
        case year(digits: Int), yearWithComma
        case zone, zoneHours, zoneMinutes, offset
        /// FX: from here on input follows the template exactly.
        case exact

        /// Whether its text consists of digits.
        var isDigits: Bool {
            switch self {
            case .meridiem, .era, .dayName, .dayNameShort, .monthName, .monthNameShort, .monthRoman, .zone, .zoneHours,
                .offset, .exact:
                false
            default: true
            }
        }

        var isDate: Bool {
            switch self {
            case .era, .century, .dayName, .dayNameShort, .dayOfYear, .dayOfMonth, .dayOfWeek, .isoDayOfYear,
                .isoDayOfWeek, .isoWeek, .isoYear, .julian, .month, .monthName, .monthNameShort, .monthRoman, .quarter,
                .weekOfYear, .weekOfMonth, .year, .yearWithComma:
                true
            default: false
            }
        }
        var isTime: Bool {
            switch self {
            case .meridiem, .fraction, .milliseconds, .microseconds, .hour12, .hour24, .minute, .second, .secondOfDay:
                true
            default: false
            }
        }
        var isZone: Bool {
            switch self {
            case .zone, .zoneHours, .zoneMinutes, .offset: true
            default: false
            }
        }

        enum Convention { case none, gregorian, iso }
        var convention: Convention {
            switch self {
            case .isoDayOfYear, .isoDayOfWeek, .isoWeek, .isoYear: .iso
            case .dayOfYear, .dayOfMonth, .dayOfWeek, .month, .monthName, .monthNameShort, .monthRoman, .weekOfYear,
                .weekOfMonth, .year, .yearWithComma:
                .gregorian
            default: .none
            }
        }
    }
    enum LetterCase: Sendable { case upper, capitalised, lower }
    enum Ordinal: Sendable { case none, upper, lower }

    struct Pattern: Sendable {
        var field: Field
        var name: String
        var letterCase: LetterCase
        /// FM: no padding.
        var isCompact = false
        /// TM: names of the locale, which is C.
        var isLocalised = false
        var ordinal = Ordinal.none
    }

    enum Node: Sendable {
        case pattern(Pattern)
        /// A blank.
        case space(Unicode.Scalar)
        /// A printable character that is neither letter nor digit.
        case separator(Unicode.Scalar)
        /// Any other character, and all between quotes.
        case character(Unicode.Scalar)

        var scalar: Unicode.Scalar? {
            switch self {
            case .pattern: nil
            case .space(let scalar), .separator(let scalar), .character(let scalar): scalar
            }
        }
    }

    let nodes: [Node]

    init(_ template: String) {
        var nodes: [Node] = []
        let text = Array(template.unicodeScalars)
        var at = 0
        func has(_ word: String) -> Bool {
            var index = at
            for scalar in word.unicodeScalars {
                guard index < text.count, text[index] == scalar else { return false }
                index += 1
            }
            return true
        }
        while at < text.count {
            var isCompact = false
            var isLocalised = false
            if has("FM") || has("fm") {
                isCompact = true
                at += 2
            } else if has("TM") || has("tm") {
                isLocalised = true
                at += 2
            }
            if at >= text.count { break }
            if var pattern = Self.pattern(at: at, in: text) {
                at += pattern.name.unicodeScalars.count
                pattern.isCompact = isCompact
                pattern.isLocalised = isLocalised
                if has("TH") || has("th") {
                    pattern.ordinal = has("TH") ? .upper : .lower
                    at += 2
                } else if has("SP") {
                    at += 2
                }
                nodes.append(.pattern(pattern))
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
            let scalar = text[at]
            at += 1
            if Self.isSeparator(scalar) {
                nodes.append(.separator(scalar))
            } else if Self.isSpace(scalar) {
                nodes.append(.space(scalar))
            } else {
                nodes.append(.character(scalar))
            }
        }
        self.nodes = nodes
    }

    /// Whether some pattern is of a kind.
    func contains(_ kind: (Field) -> Bool) -> Bool {
        nodes.contains { if case .pattern(let pattern) = $0 { kind(pattern.field) } else { false } }
    }

    static func isSeparator(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value > 0x20 && scalar.value < 0x7F && !scalar.properties.isAlphabetic
            && !(scalar.value >= 0x30 && scalar.value <= 0x39)
    }
    static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar == " " || (scalar.value >= 0x09 && scalar.value <= 0x0D)
    }

    // MARK: Patterns

    /// Patterns in upper case, longer ones before their beginnings.
    private static let patterns: [(name: String, field: Field)] = [
        ("A.D.", .era(isDotted: true)), ("A.M.", .meridiem(isDotted: true)), ("AD", .era(isDotted: false)),
        ("AM", .meridiem(isDotted: false)), ("B.C.", .era(isDotted: true)), ("BC", .era(isDotted: false)),
        ("CC", .century), ("DAY", .dayName), ("DDD", .dayOfYear), ("DD", .dayOfMonth), ("DY", .dayNameShort),
        ("D", .dayOfWeek), ("FF1", .fraction(digits: 1)), ("FF2", .fraction(digits: 2)), ("FF3", .fraction(digits: 3)),
        ("FF4", .fraction(digits: 4)), ("FF5", .fraction(digits: 5)), ("FF6", .fraction(digits: 6)), ("FX", .exact),
        ("HH24", .hour24), ("HH12", .hour12), ("HH", .hour12), ("IDDD", .isoDayOfYear), ("ID", .isoDayOfWeek),
        ("IW", .isoWeek), ("IYYY", .isoYear(digits: 4)), ("IYY", .isoYear(digits: 3)), ("IY", .isoYear(digits: 2)),
        ("I", .isoYear(digits: 1)), ("J", .julian), ("MI", .minute), ("MM", .month), ("MONTH", .monthName),
        ("MON", .monthNameShort), ("MS", .milliseconds), ("OF", .offset), ("P.M.", .meridiem(isDotted: true)),
        ("PM", .meridiem(isDotted: false)), ("Q", .quarter), ("RM", .monthRoman), ("SSSSS", .secondOfDay),
        ("SSSS", .secondOfDay), ("SS", .second), ("TZH", .zoneHours), ("TZM", .zoneMinutes), ("TZ", .zone),
        ("US", .microseconds), ("WW", .weekOfYear), ("W", .weekOfMonth), ("Y,YYY", .yearWithComma),
        ("YYYY", .year(digits: 4)), ("YYY", .year(digits: 3)), ("YY", .year(digits: 2)), ("Y", .year(digits: 1)),
    ]

    private static func pattern(at start: Int, in text: [Unicode.Scalar]) -> Pattern? {
        for (name, field) in patterns {
            let length = name.utf8.count
            guard start + length <= text.count else { continue }
            let written = String(String.UnicodeScalarView(text[start..<(start + length)]))
            if written == name { return Pattern(field: field, name: written, letterCase: .upper) }
            if written == name.lowercased() { return Pattern(field: field, name: written, letterCase: .lower) }
            switch field {
            case .dayName, .dayNameShort, .monthName, .monthNameShort:
                if written == String(name.prefix(1)) + name.dropFirst().lowercased() {
                    return Pattern(field: field, name: written, letterCase: .capitalised)
                }
            default: break
            }
        }
        return nil
    }

    static let monthNames = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    static let dayNames = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    /// From January on.
    static let romans = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"]

    /// `st`, `nd`, `rd` or `th` behind a number's text.
    static func ordinalSuffix(_ digits: some BidirectionalCollection<UInt8>) -> String {
        guard let last = digits.last else { return "th" }
        if digits.dropLast().last == 0x31 { return "th" }
        switch last {
        case 0x31: return "st"
        case 0x32: return "nd"
        case 0x33: return "rd"
        default: return "th"
        }
    }
}
