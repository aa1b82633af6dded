// to_char of moments and intervals.

import Columnar
import Diagnostics

/// The parts of a moment or an interval, as templates name them.
struct MomentParts {
    /// Astronomical; of an interval, its years.
    var year = 0
    var month = 0
    var day = 0
    var hour = 0
    var minute = 0
    var second = 0
    var microseconds = 0
    var weekday = 0
    var dayOfYear = 0
    /// Seconds east of Greenwich.
    var offset = 0
    var abbreviation = ""
    var isInterval = false

    init(moment: Int64, zone: TimeZoneData?) {
        offset = zone?.offset(at: moment) ?? 0
        abbreviation = zone?.abbreviation(at: moment) ?? ""
        let (number, time) = CivilCalendar.split(moment &+ Int64(offset) * 1_000_000)
        (year, month, day) = CivilCalendar.civil(number)
        weekday = CivilCalendar.dayOfWeek(number)
        dayOfYear = CivilCalendar.dayOfYear(number)
        setTime(time)
    }

    init(interval: IntervalValue) {
        isInterval = true
        (year, month, day) = (Int(interval.months / 12), Int(interval.months % 12), Int(interval.days))
        dayOfYear = Int(interval.months) * 30 + Int(interval.days)
        setTime(interval.microseconds)
    }

    private mutating func setTime(_ time: Int64) {
        hour = Int(time / 3_600_000_000)
        minute = Int(time / 60_000_000 % 60)
        second = Int(time / 1_000_000 % 60)
        microseconds = Int(time % 1_000_000)
    }

    /// The Julian day, also where an interval's month is none of the calendar.
    var julian: Int {
        var y = year
        var m = month
        if m > 2 {
            m += 1
            y += 4800
        } else {
            m += 13
            y += 4799
        }
        let century = y / 100
        return y * 365 - 32_167 + y / 4 - century + century / 4 + 7834 * m / 256 + day
    }
    var dayNumber: Int { julian - CivilCalendar.julianDayOfEpoch }

    /// A year as it is written: 1 BC for year 0.
    func shown(_ year: Int) -> Int { isInterval || year > 0 ? year : 1 - year }
}

enum DateWriter {
    static func append(_ node: DateTemplate.Node, _ parts: MomentParts, _ output: inout [UInt8]) throws {
        guard case .pattern(let pattern) = node else {
            if let scalar = node.scalar { output.append(contentsOf: String(scalar).utf8) }
            return
        }
        let start = output.count
        if try write(pattern, parts, &output) { ordinal(pattern, start, &output) }
    }

    private static func ordinal(_ pattern: DateTemplate.Pattern, _ start: Int, _ output: inout [UInt8]) {
        if pattern.ordinal == .none || output.count == start { return }
        let suffix = DateTemplate.ordinalSuffix(output[start...])
        output.append(contentsOf: (pattern.ordinal == .upper ? suffix.uppercased() : suffix).utf8)
    }

    private static func append(_ value: Int, _ width: Int, _ output: inout [UInt8]) {
        // A sign counts for the width of numbers below zero as well as in front of them.
        if value < 0 { output.append(0x2D) }
        NumericText.appendDigits(UInt64(value.magnitude), minimum: max(1, value < 0 ? width - 1 : width), into: &output)
    }

    private static func cased(_ text: String, _ letterCase: DateTemplate.LetterCase) -> String {
        switch letterCase {
        case .upper: text.uppercased()
        case .capitalised: text
        case .lower: text.lowercased()
        }
    }

    private static func word(
        _ text: String, _ pattern: DateTemplate.Pattern, width: Int = 0, _ output: inout [UInt8]
    ) {
        let shown = cased(text, pattern.letterCase)
        output.append(contentsOf: shown.utf8)
        let isPadded = !pattern.isCompact && !pattern.isLocalised && shown.utf8.count < width
        if isPadded { output.append(contentsOf: repeatElement(0x20, count: width - shown.utf8.count)) }
    }

    /// Writes one pattern; `true` for numbers, which may take an ordinal's ending.
    private static func write(
        _ pattern: DateTemplate.Pattern, _ parts: MomentParts, _ output: inout [UInt8]
    ) throws -> Bool {
        func number(_ value: Int, _ width: Int, sign: Int? = nil) {
            let isNegative = (sign ?? value) < 0
            append(value, pattern.isCompact ? 0 : isNegative ? width + 1 : width, &output)
        }
        func needsCalendar() throws {
            if parts.isInterval {
                throw QueryError(
                    .invalidDatetimeFormat, "invalid format specification for an interval value",
                    hint: "Intervals are not tied to specific calendar dates.")
            }
        }
        func year(_ value: Int, _ digits: Int, sign: Int? = nil) {
            let shown = parts.shown(value)
            switch digits {
            case 4: number(shown, 4, sign: sign ?? shown)
            case 3: number(shown % 1000, 3, sign: sign ?? shown)
            case 2: number(shown % 100, 2, sign: sign ?? shown)
            default: append(shown % 10, 1, &output)
            }
        }
        switch pattern.field {
        case .meridiem(let isDotted):
            let isAfternoon = parts.hour % 24 >= 12
            word(isDotted ? (isAfternoon ? "p.m." : "a.m.") : (isAfternoon ? "pm" : "am"), pattern, &output)
            return false
        case .era(let isDotted):
            try needsCalendar()
            word(isDotted ? (parts.year <= 0 ? "b.c." : "a.d.") : (parts.year <= 0 ? "bc" : "ad"), pattern, &output)
            return false
        case .hour12: number(parts.hour % 12 == 0 ? 12 : parts.hour % 12, 2, sign: parts.hour)
        case .hour24: number(parts.hour, 2)
        case .minute: number(parts.minute, 2)
        case .second: number(parts.second, 2)
        case .milliseconds: append(parts.microseconds / 1000, 3, &output)
        case .microseconds: append(parts.microseconds, 6, &output)
        case .fraction(let digits):
            var value = parts.microseconds
            for _ in digits..<6 { value /= 10 }
            append(value, digits, &output)
        case .secondOfDay: append((parts.hour * 60 + parts.minute) * 60 + parts.second, 1, &output)
        case .zone:
            try needsCalendar()
            output.append(
                contentsOf: (pattern.letterCase == .lower ? parts.abbreviation.lowercased() : parts.abbreviation).utf8)
            return false
        case .zoneHours:
            try needsCalendar()
            output.append(parts.offset >= 0 ? 0x2B : 0x2D)
            append(abs(parts.offset) / 3600, 2, &output)
            return false
        case .zoneMinutes:
            try needsCalendar()
            append(abs(parts.offset) % 3600 / 60, 2, &output)
            return false
        case .offset:
            try needsCalendar()
            output.append(parts.offset >= 0 ? 0x2B : 0x2D)
            append(abs(parts.offset) / 3600, pattern.isCompact ? 0 : 2, &output)
            if abs(parts.offset) % 3600 != 0 {
                output.append(0x3A)
                append(abs(parts.offset) % 3600 / 60, 2, &output)
            }
            return false
        case .monthName:
            try needsCalendar()
            word(DateTemplate.monthNames[parts.month - 1], pattern, width: 9, &output)
            return false
        case .monthNameShort:
            try needsCalendar()
            word(String(DateTemplate.monthNames[parts.month - 1].prefix(3)), pattern, &output)
            return false
        case .dayName:
            try needsCalendar()
            word(DateTemplate.dayNames[parts.weekday], pattern, width: 9, &output)
            return false
        case .dayNameShort:
            try needsCalendar()
            word(String(DateTemplate.dayNames[parts.weekday].prefix(3)), pattern, &output)
            return false
        case .monthRoman:
            if parts.month == 0 && parts.year == 0 { return false }
            let month = parts.month == 0 ? (parts.year >= 0 ? 12 : 1) : parts.month < 0 ? 13 + parts.month : parts.month
            word(DateTemplate.romans[month - 1], pattern, width: 4, &output)
            return false
        case .month: number(parts.month, 2)
        case .dayOfYear: append(parts.dayOfYear, pattern.isCompact ? 0 : 3, &output)
        case .isoDayOfYear:
            let monday = isoStart(CivilCalendar.isoWeek(parts.dayNumber).year)
            append(parts.dayNumber - monday + 1, pattern.isCompact ? 0 : 3, &output)
        case .dayOfMonth: append(parts.day, pattern.isCompact ? 0 : 2, &output)
        case .dayOfWeek:
            try needsCalendar()
            append(parts.weekday + 1, 1, &output)
        case .isoDayOfWeek:
            try needsCalendar()
            append(parts.weekday == 0 ? 7 : parts.weekday, 1, &output)
        case .weekOfYear: append((parts.dayOfYear - 1) / 7 + 1, pattern.isCompact ? 0 : 2, &output)
        case .isoWeek: append(CivilCalendar.isoWeek(parts.dayNumber).week, pattern.isCompact ? 0 : 2, &output)
        case .quarter:
            if parts.month == 0 { return false }
            append((parts.month - 1) / 3 + 1, 1, &output)
        case .century:
            let century =
                parts.isInterval
                ? parts.year / 100 : parts.year > 0 ? (parts.year - 1) / 100 + 1 : parts.year / 100 - 1
            number(century, 2)
        case .yearWithComma:
            let shown = parts.shown(parts.year)
            append(shown / 1000, 1, &output)
            output.append(0x2C)
            append(shown - shown / 1000 * 1000, 3, &output)
        case .year(let digits): year(parts.year, digits)
        case .isoYear(let digits):
            // The ISO year of an interval has room for a sign if the interval's own year has one.
            year(CivilCalendar.isoWeek(parts.dayNumber).year, digits, sign: parts.isInterval ? parts.year : nil)
        case .weekOfMonth: append((parts.day - 1) / 7 + 1, 1, &output)
        case .julian: append(parts.julian, 1, &output)
        case .exact: return false
        }
        return true
    }

    /// The Monday that an ISO year begins with, in days since 1970.
    static func isoStart(_ year: Int) -> Int {
        let fourth = CivilCalendar.days(year: year, month: 1, day: 4)
        return fourth - (CivilCalendar.dayOfWeek(fourth) + 6) % 7
    }
}
