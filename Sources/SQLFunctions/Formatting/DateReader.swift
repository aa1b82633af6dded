// to_date and to_timestamp: a text read by a template.

import Columnar
import Diagnostics

/// Reads texts by one template.
struct DateReader {
    /// What a text gave.
    struct Moment {
        var day: Int
        var time: Int64
        /// Seconds east of Greenwich, if the template asks for them.
        var offset: Int?
        /// Digits of the fraction that the template asks for.
        var fractionDigits: Int?
    }

    private let text: String
    private let nodes: [DateTemplate.Node]
    private var rest: ArraySlice<Unicode.Scalar>

    private var values: [Slot: Int] = [:]
    private var convention = DateTemplate.Field.Convention.none
    private var isHalfDayClock = false
    private var yearDigits = 0
    private var zoneSign = 0
    private var fractionDigits: Int?
    private var isExact = false
    /// SQL/JSON's rules: separators are those of the template, and nothing may remain.
    private var isStandard = false
    /// Blanks and separators passed over beyond those of the template.
    private var extraSkipped = 0

    private enum Slot {
        case hour, afternoon, minute, second, secondOfDay, weekday, day, dayOfYear, month, milliseconds, year, era, week
        case weekOfMonth, century, julian, microseconds, zoneHours, zoneMinutes
    }

    private init(_ text: String, _ template: DateTemplate) {
        self.text = text
        nodes = template.nodes
        rest = Array(text.unicodeScalars)[...]
    }

    /// Errors: 22007 for a text that does not fit, 22008 for values out of range, 0A000 for patterns of output only.
    static func read(_ text: String, _ template: DateTemplate) throws -> Moment {
        var reader = DateReader(text, template)
        try reader.readFields()
        return try reader.moment()
    }

    /// Reads by SQL/JSON's stricter rules. Errors: as `read`, and 22007 for separators and lengths that differ.
    static func readStandard(_ text: String, _ template: DateTemplate) throws -> Moment {
        for node in template.nodes {
            if case .separator(let scalar) = node, !"-./,':; ".unicodeScalars.contains(scalar) {
                throw QueryError(.invalidDatetimeFormat, "invalid datetime format separator: \"\(scalar)\"")
            }
        }
        var reader = DateReader(text, template)
        reader.isExact = true
        reader.isStandard = true
        try reader.readFields()
        return try reader.moment()
    }

    // MARK: Fields

    private mutating func skipSpaces() {
        while let next = rest.first, DateTemplate.isSpace(next) {
            rest = rest.dropFirst()
            extraSkipped += 1
        }
    }

    private mutating func readFields() throws {
        for (index, node) in nodes.enumerated() {
            if rest.isEmpty {
                if isStandard {
                    throw QueryError(.invalidDatetimeFormat, "input string is too short for datetime format")
                }
                return
            }
            if !isExact {
                if case .pattern(let pattern) = node {
                    if case .exact = pattern.field {} else { skipSpaces() }
                } else if index == 0 {
                    skipSpaces()
                }
            }
            switch node {
            case .space, .separator:
                if isExact {
                    if isStandard, let wanted = node.scalar, rest.first != wanted {
                        throw QueryError(.invalidDatetimeFormat, "unmatched format separator \"\(wanted)\"")
                    }
                    rest = rest.dropFirst()
                    continue
                }
                extraSkipped -= 1
                if let next = rest.first, DateTemplate.isSpace(next) || DateTemplate.isSeparator(next) {
                    rest = rest.dropFirst()
                    extraSkipped += 1
                }
            case .character(let wanted) where isStandard:
                guard rest.first == wanted else {
                    throw QueryError(.invalidDatetimeFormat, "unmatched format character \"\(wanted)\"")
                }
                rest = rest.dropFirst()
            case .character:
                if !isExact, extraSkipped > 0 { extraSkipped -= 1 } else { rest = rest.dropFirst() }
            case .pattern(let pattern):
                try take(pattern.field.convention)
                try read(pattern, index)
                if !isExact {
                    extraSkipped = 0
                    skipSpaces()
                }
            }
        }
        if isStandard, rest.contains(where: { !DateTemplate.isSpace($0) }) {
            throw QueryError(
                .invalidDatetimeFormat, "trailing characters remain in input string after datetime format")
        }
    }

    private mutating func take(_ wanted: DateTemplate.Field.Convention) throws {
        if wanted == .none { return }
        if convention != .none, convention != wanted {
            throw QueryError(
                .invalidDatetimeFormat, "invalid combination of date conventions",
                hint: "Do not mix Gregorian and ISO week date conventions in a formatting template.")
        }
        convention = wanted
    }

    private mutating func set(_ slot: Slot, _ value: Int, _ pattern: DateTemplate.Pattern) throws {
        if let old = values[slot], old != 0, old != value {
            throw QueryError(
                .invalidDatetimeFormat, "conflicting values for \"\(pattern.name)\" field in formatting string",
                detail: "This value contradicts a previous setting for the same field type.")
        }
        values[slot] = value
    }

    /// Whether what follows a node cannot be part of its number.
    private func isDelimited(_ index: Int, _ pattern: DateTemplate.Pattern) -> Bool {
        if pattern.ordinal != .none { return true }
        guard index + 1 < nodes.count else { return true }
        if case .pattern(let next) = nodes[index + 1] { return !next.field.isDigits }
        guard let scalar = nodes[index + 1].scalar else { return true }
        return !(scalar.value >= 0x30 && scalar.value <= 0x39)
    }

    private func shown(_ scalars: some Collection<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    /// A whole number; returns it and the characters used. `width` counts unless a delimiter follows.
    private mutating func number(_ pattern: DateTemplate.Pattern, _ width: Int, _ index: Int) throws -> (Int, Int) {
        let start = rest
        while let next = rest.first, DateTemplate.isSpace(next) { rest = rest.dropFirst() }
        func digits(_ text: ArraySlice<Unicode.Scalar>) -> (value: Int?, count: Int) {
            var index = text.startIndex
            var isNegative = false
            while index < text.endIndex, DateTemplate.isSpace(text[index]) { index += 1 }
            if index < text.endIndex, text[index] == "-" || text[index] == "+" {
                isNegative = text[index] == "-"
                index += 1
            }
            let first = index
            var value: Int? = 0
            while index < text.endIndex, text[index].value >= 0x30, text[index].value <= 0x39 {
                if let sum = value, sum < 1 << 40 {
                    value = sum * 10 + Int(text[index].value - 0x30)
                } else {
                    value = nil
                }
                index += 1
            }
            if index == first { return (0, 0) }
            return (value.map { isNegative ? -$0 : $0 }, index - text.startIndex)
        }
        let value: Int?
        if pattern.isCompact || isDelimited(index, pattern) {
            let (number, count) = digits(rest)
            value = number
            rest = count == 0 ? start : rest.dropFirst(count)
        } else {
            guard rest.count >= width else {
                throw QueryError(
                    .invalidDatetimeFormat, "source string too short for \"\(pattern.name)\" formatting field",
                    detail: "Field requires \(width) characters, but only \(rest.count) remain.",
                    hint: "If your source string is not fixed-width, try using the \"FM\" modifier.")
            }
            let copy = rest.prefix(width)
            let (number, count) = digits(copy)
            if count > 0, count < width {
                throw QueryError(
                    .invalidDatetimeFormat, "invalid value \"\(shown(copy))\" for \"\(pattern.name)\"",
                    detail: "Field requires \(width) characters, but only \(count) could be parsed.",
                    hint: "If your source string is not fixed-width, try using the \"FM\" modifier.")
            }
            value = number
            rest = count == 0 ? start : rest.dropFirst(count)
        }
        if rest.startIndex == start.startIndex {
            throw QueryError(
                .invalidDatetimeFormat, "invalid value \"\(shown(start.prefix(width)))\" for \"\(pattern.name)\"",
                detail: "Value must be an integer.")
        }
        guard let value, Int32(exactly: value) != nil else {
            throw QueryError(
                .datetimeFieldOverflow, "value for \"\(pattern.name)\" in source string is out of range",
                detail: "Value must be in the range -2147483648 to 2147483647.")
        }
        return (value, rest.startIndex - start.startIndex)
    }

    private mutating func integer(
        _ slot: Slot?, _ pattern: DateTemplate.Pattern, _ width: Int, _ index: Int
    ) throws {
        let (value, _) = try number(pattern, width, index)
        if let slot { try set(slot, value, pattern) }
        skipOrdinal(pattern)
    }

    private mutating func skipOrdinal(_ pattern: DateTemplate.Pattern) {
        if pattern.ordinal != .none { rest = rest.dropFirst(2) }
    }

    /// The index of the word that the text goes on with, in any case.
    private mutating func word(_ words: [String], _ pattern: DateTemplate.Pattern) throws -> Int {
        for (index, word) in words.enumerated() {
            let count = word.utf8.count
            if rest.count >= count, shown(rest.prefix(count)).lowercased() == word.lowercased() {
                rest = rest.dropFirst(count)
                return index
            }
        }
        throw QueryError(
            .invalidDatetimeFormat,
            "invalid value \"\(shown(rest.prefix { !DateTemplate.isSpace($0) }))\" for \"\(pattern.name)\"",
            detail: "The given value did not match any of the allowed values for this field.")
    }

    private mutating func read(_ pattern: DateTemplate.Pattern, _ index: Int) throws {
        let width = pattern.name.utf8.count
        switch pattern.field {
        case .exact: isExact = true
        case .meridiem(let isDotted):
            try set(.afternoon, word(isDotted ? ["a.m.", "p.m."] : ["am", "pm"], pattern), pattern)
            isHalfDayClock = true
        case .era(let isDotted): try set(.era, word(isDotted ? ["a.d.", "b.c."] : ["ad", "bc"], pattern), pattern)
        case .hour12:
            try integer(.hour, pattern, 2, index)
            isHalfDayClock = true
        case .hour24: try integer(.hour, pattern, 2, index)
        case .minute: try integer(.minute, pattern, 2, index)
        case .second: try integer(.second, pattern, 2, index)
        case .milliseconds:
            let (value, count) = try number(pattern, 3, index)
            try set(.milliseconds, value, pattern)
            values[.milliseconds] = value * (count == 1 ? 100 : count == 2 ? 10 : 1)
            skipOrdinal(pattern)
        case .microseconds, .fraction:
            var digits = 6
            if case .fraction(let count) = pattern.field {
                digits = count
                fractionDigits = count
            }
            let (value, count) = try number(pattern, digits, index)
            try set(.microseconds, value, pattern)
            var scaled = value
            if count < 6 { for _ in count..<6 { scaled *= 10 } }
            values[.microseconds] = scaled
            skipOrdinal(pattern)
        case .secondOfDay: try integer(.secondOfDay, pattern, width, index)
        case .zone, .offset:
            throw QueryError(
                .featureNotSupported, "formatting field \"\(pattern.name)\" is only supported in to_char")
        case .zoneHours:
            // A minus may have been passed over as a separator.
            if let next = rest.first, next == "+" || next == "-" || next == " " {
                zoneSign = next == "-" ? -1 : 1
                rest = rest.dropFirst()
            } else {
                let before = rest.startIndex - 1
                zoneSign = extraSkipped > 0 && before >= 0 && Array(text.unicodeScalars)[before] == "-" ? -1 : 1
            }
            try integer(.zoneHours, pattern, 2, index)
        case .zoneMinutes:
            if zoneSign == 0 { zoneSign = 1 }
            try integer(.zoneMinutes, pattern, 2, index)
        case .monthName: try set(.month, word(DateTemplate.monthNames, pattern) + 1, pattern)
        case .monthNameShort:
            try set(.month, word(DateTemplate.monthNames.map { String($0.prefix(3)) }, pattern) + 1, pattern)
        case .monthRoman:
            try set(.month, 12 - word(Array(DateTemplate.romans.reversed()), pattern), pattern)
        case .month: try integer(.month, pattern, 2, index)
        case .dayName: try set(.weekday, word(DateTemplate.dayNames, pattern) + 1, pattern)
        case .dayNameShort:
            try set(.weekday, word(DateTemplate.dayNames.map { String($0.prefix(3)) }, pattern) + 1, pattern)
        case .dayOfYear: try integer(.dayOfYear, pattern, width, index)
        case .isoDayOfYear: try integer(.dayOfYear, pattern, 3, index)
        case .dayOfMonth: try integer(.day, pattern, width, index)
        case .dayOfWeek: try integer(.weekday, pattern, width, index)
        case .isoDayOfWeek:
            let (value, _) = try number(pattern, 1, index)
            try set(.weekday, value, pattern)
            values[.weekday] = value >= 7 ? 1 : value + 1
            skipOrdinal(pattern)
        case .weekOfYear, .isoWeek: try integer(.week, pattern, width, index)
        case .quarter: try integer(nil, pattern, width, index)
        case .century: try integer(.century, pattern, width, index)
        case .yearWithComma: try readYearWithComma(pattern)
        case .year(let digits), .isoYear(let digits):
            let (value, count) = try number(pattern, width, index)
            try set(.year, value, pattern)
            if digits < 4, count < 4 { values[.year] = Self.nearestYear(value) }
            yearDigits = digits
            skipOrdinal(pattern)
        case .weekOfMonth: try integer(.weekOfMonth, pattern, width, index)
        case .julian: try integer(.julian, pattern, width, index)
        }
    }

    /// A short year in the century that brings it next to 2020.
    private static func nearestYear(_ year: Int) -> Int {
        year < 70 ? year + 2000 : year < 100 ? year + 1900 : year < 520 ? year + 2000 : year < 1000 ? year + 1000 : year
    }

    private mutating func readYearWithComma(_ pattern: DateTemplate.Pattern) throws {
        func isDigit(_ scalar: Unicode.Scalar) -> Bool { scalar.value >= 0x30 && scalar.value <= 0x39 }
        let thousands = rest.prefix(while: isDigit)
        let hundreds = rest.dropFirst(thousands.count + 1).prefix(3).prefix(while: isDigit)
        guard !thousands.isEmpty, !hundreds.isEmpty, rest.dropFirst(thousands.count).first == "," else {
            throw QueryError(.invalidDatetimeFormat, "invalid input string for \"Y,YYY\"")
        }
        guard let high = Int32(shown(thousands)), let low = Int32(shown(hundreds)), high < Int32.max / 1000 else {
            throw QueryError(.datetimeFieldOverflow, "value for \"Y,YYY\" in source string is out of range")
        }
        try set(.year, Int(high) * 1000 + Int(low), pattern)
        yearDigits = 4
        rest = rest.dropFirst(thousands.count + 1 + hundreds.count)
        skipOrdinal(pattern)
    }

    // MARK: The moment

    private func overflow() -> QueryError {
        QueryError(.datetimeFieldOverflow, "date/time field value out of range: \"\(text)\"")
    }

    private func moment() throws -> Moment {
        let time = try timeOfDay()
        let day = try dayNumber()
        var offset: Int?
        if zoneSign != 0 {
            let (hours, minutes) = (values[.zoneHours] ?? 0, values[.zoneMinutes] ?? 0)
            guard (0...15).contains(hours), (0..<60).contains(minutes) else {
                throw QueryError(SQLState("22009"), "time zone displacement out of range: \"\(text)\"")
            }
            offset = zoneSign * (hours * 60 + minutes) * 60
        }
        return Moment(day: day, time: time, offset: offset, fractionDigits: fractionDigits)
    }

    private func timeOfDay() throws -> Int64 {
        var (hour, minute, second) = (0, 0, 0)
        if let total = values[.secondOfDay], total != 0 {
            (hour, minute, second) = (total / 3600, total / 60 % 60, total % 60)
        }
        if let value = values[.second], value != 0 { second = value }
        if let value = values[.minute], value != 0 { minute = value }
        if let value = values[.hour], value != 0 { hour = value }
        if isHalfDayClock {
            guard (1...12).contains(hour) else {
                throw QueryError(
                    .invalidDatetimeFormat, "hour \"\(hour)\" is invalid for the 12-hour clock",
                    hint: "Use the 24-hour clock, or give an hour between 1 and 12.")
            }
            let isAfternoon = values[.afternoon] == 1
            if isAfternoon, hour < 12 { hour += 12 } else if !isAfternoon, hour == 12 { hour = 0 }
        }
        let microseconds = (values[.milliseconds] ?? 0) * 1000 + (values[.microseconds] ?? 0)
        guard (0..<24).contains(hour), (0..<60).contains(minute), (0..<60).contains(second),
            (0..<1_000_000).contains(microseconds)
        else { throw overflow() }
        return Int64((hour * 60 + minute) * 60 + second) * 1_000_000 + Int64(microseconds)
    }

    /// Fields that were not given are 0.
    private func value(_ slot: Slot) -> Int { values[slot] ?? 0 }

    /// The astronomical year; `nil` if neither year nor century is given.
    private func year() -> Int? {
        let isBC = value(.era) == 1
        var century = value(.century)
        if value(.year) != 0 {
            if century != 0, yearDigits <= 2 {
                if isBC { century = -century }
                let rest = value(.year) % 100
                if rest == 0 { return century * 100 + (century >= 0 ? 0 : 1) }
                return century >= 0 ? rest + (century - 1) * 100 : (century + 1) * 100 - rest + 1
            }
            let year = isBC ? -value(.year) : value(.year)
            return year < 0 ? year + 1 : year
        }
        if century == 0 { return nil }
        if isBC { century = -century }
        return century >= 0 ? (century - 1) * 100 + 1 : century * 100 + 1
    }

    private func dayNumber() throws -> Int {
        var year = self.year() ?? 0
        var (month, day) = (1, 1)
        var dayOfYear = value(.dayOfYear)
        if value(.julian) != 0 {
            (year, month, day) = CivilCalendar.civil(value(.julian) - CivilCalendar.julianDayOfEpoch)
        }
        if value(.week) != 0 {
            if convention == .iso {
                var number = DateWriter.isoStart(year) + (value(.week) - 1) * 7
                let weekday = value(.weekday)
                if weekday != 0 { number += weekday > 1 ? weekday - 2 : 6 }
                (year, month, day) = CivilCalendar.civil(number)
            } else {
                dayOfYear = (value(.week) - 1) * 7 + 1
            }
        }
        if value(.weekOfMonth) != 0 {
            day = (value(.weekOfMonth) - 1) * 7 + 1
        } else if value(.day) != 0 {
            day = value(.day)
        }
        if value(.month) != 0 { month = value(.month) }
        if dayOfYear != 0, month <= 1 || day <= 1 {
            if year == 0, value(.era) == 0 {
                throw QueryError(.invalidDatetimeFormat, "cannot calculate day of year without year information")
            }
            if convention == .iso {
                (year, month, day) = CivilCalendar.civil(DateWriter.isoStart(year) + dayOfYear - 1)
            } else {
                var found = 1
                var before = 0
                while found <= 12 {
                    let end = before + CivilCalendar.dayCount(year: year, month: found)
                    if dayOfYear <= end || found == 12 { break }
                    before = end
                    found += 1
                }
                if month <= 1 { month = found }
                if day <= 1 { day = dayOfYear - before }
            }
        }
        guard (1...12).contains(month), day >= 1, abs(year) < 10_000_000,
            day <= CivilCalendar.dayCount(year: year, month: month)
        else { throw overflow() }
        return CivilCalendar.days(year: year, month: month, day: day)
    }
}
