// Reading intervals: PostgreSQL's words, the standard's fields, and ISO 8601.

/// A unit of an interval's text.
enum IntervalUnit {
    case microsecond, millisecond, second, minute, hour, day, week, month, year, decade, century, millennium

    /// By a word or abbreviation in lower case. Ten characters decide.
    init?(_ word: String) {
        switch word.prefix(10) {
        case "us", "usec", "usecond", "useconds", "usecs", "microsecon", "microsecond": self = .microsecond
        case "ms", "msec", "msecond", "mseconds", "msecs", "millisecon": self = .millisecond
        case "s", "sec", "second", "seconds", "secs": self = .second
        case "m", "min", "mins", "minute", "minutes": self = .minute
        case "h", "hour", "hours", "hr", "hrs": self = .hour
        case "d", "day", "days": self = .day
        case "w", "week", "weeks": self = .week
        case "mon", "mons", "month", "months": self = .month
        case "y", "year", "years", "yr", "yrs": self = .year
        case "dec", "decs", "decade", "decades": self = .decade
        case "c", "cent", "century", "centuries": self = .century
        case "mil", "mils", "millennia", "millennium": self = .millennium
        default: return nil
        }
    }
}

/// The sum of an interval's fields while they are read.
struct IntervalSum {
    private struct Parts: OptionSet {
        var rawValue: UInt32
        static let year = Parts(rawValue: 1), month = Parts(rawValue: 2), day = Parts(rawValue: 4)
        static let hour = Parts(rawValue: 8), minute = Parts(rawValue: 16), second = Parts(rawValue: 32)
        static let millisecond = Parts(rawValue: 64), microsecond = Parts(rawValue: 128), week = Parts(rawValue: 256)
        static let decade = Parts(rawValue: 512), century = Parts(rawValue: 1024), millennium = Parts(rawValue: 2048)
        static let time: Parts = [.hour, .minute, .second, .millisecond, .microsecond]
    }

    private var years: Int32 = 0
    private var months: Int32 = 0
    private var days: Int32 = 0
    private var microseconds: Int64 = 0

    /// `nil` if the months do not fit.
    var value: IntervalValue? {
        guard let total = Int32(exactly: Int64(years) * 12 + Int64(months)) else { return nil }
        return IntervalValue(months: total, days: days, microseconds: microseconds)
    }

    // MARK: Addition

    private func added<T: FixedWidthInteger>(_ sum: T, _ value: Int64, _ factor: Int64 = 1) throws(DateTimeFailure) -> T
    {
        let (product, overflow) = value.multipliedReportingOverflow(by: factor)
        guard !overflow, let part = T(exactly: product) else { throw .range }
        let (total, carry) = sum.addingReportingOverflow(part)
        if carry { throw .range }
        return total
    }

    private mutating func addFraction(_ fraction: Double, of microsecondCount: Int64) throws(DateTimeFailure) {
        if fraction == 0 { return }
        let product = fraction * Double(microsecondCount)
        var whole = Int64(product)
        let rest = product - Double(whole)
        if rest > 0.5 { whole += 1 } else if rest < -0.5 { whole -= 1 }
        microseconds = try added(microseconds, whole)
    }

    private mutating func addFractionOfDays(_ fraction: Double, _ dayCount: Double) throws(DateTimeFailure) {
        if fraction == 0 { return }
        let product = fraction * dayCount
        let whole = Int64(product)
        days = try added(days, whole)
        try addFraction(product - Double(whole), of: CivilCalendar.microsecondsPerDay)
    }

    private mutating func add(_ value: Int64, _ fraction: Double, _ unit: IntervalUnit) throws(DateTimeFailure) {
        func time(_ factor: Int64) throws(DateTimeFailure) {
            microseconds = try added(microseconds, value, factor)
            try addFraction(fraction, of: factor)
        }
        func years(_ factor: Int64) throws(DateTimeFailure) {
            self.years = try added(self.years, value, factor)
            months = try added(months, Int64((fraction * Double(factor) * 12).rounded(.toNearestOrEven)))
        }
        switch unit {
        case .microsecond: try time(1)
        case .millisecond: try time(1_000)
        case .second: try time(1_000_000)
        case .minute: try time(60_000_000)
        case .hour: try time(3_600_000_000)
        case .day:
            days = try added(days, value)
            try addFraction(fraction, of: CivilCalendar.microsecondsPerDay)
        case .week:
            days = try added(days, value, 7)
            try addFractionOfDays(fraction, 7)
        case .month:
            months = try added(months, value)
            try addFractionOfDays(fraction, 30)
        case .year: try years(1)
        case .decade: try years(10)
        case .century: try years(100)
        case .millennium: try years(1000)
        }
    }

    private static func part(_ unit: IntervalUnit, hasFraction: Bool) -> Parts {
        switch unit {
        case .microsecond: .microsecond
        case .millisecond: .millisecond
        case .second: hasFraction ? [.second, .millisecond, .microsecond] : .second
        case .minute: .minute
        case .hour: .hour
        case .day: .day
        case .week: .week
        case .month: .month
        case .year: .year
        case .decade: .decade
        case .century: .century
        case .millennium: .millennium
        }
    }

    // MARK: Words

    /// Reads from the end, so that a unit is known before its number.
    mutating func readWords(
        _ text: UnsafeBufferPointer<UInt8>, qualifier: IntervalQualifier?, style: TextStyle
    ) throws(DateTimeFailure) {
        guard let fields = DateTimeField.split(text) else { throw .syntax }
        // In the standard's style one sign in front is for all fields.
        let isAllNegative =
            style.intervalFormat == .sqlStandard && fields.first?.text.first == 0x2D
            && !fields.dropFirst().contains { $0.text.first == 0x2D || $0.text.first == 0x2B }
        var unit: IntervalUnit?
        var seen: Parts = []
        var isAgo = false
        for field in fields.reversed() {
            var parts: Parts = []
            switch field.kind {
            case .time:
                try addClock(field.text[...], qualifier, isNegative: isAllNegative)
                parts = .time
                unit = .day
            case .signed:
                if let isRead = try? addSignedClock(field.text, qualifier), isRead {
                    parts = .time
                    unit = .day
                } else {
                    parts = try addNumber(field.text, &unit, qualifier, isAllNegative)
                }
            case .date, .number: parts = try addNumber(field.text, &unit, qualifier, isAllNegative)
            case .word, .signedWord:
                let word = field.string
                if word == "ago" {
                    isAgo = true
                    unit = nil
                } else if let found = IntervalUnit(word) {
                    unit = found
                } else if case .ignored? = DateTimeWord(word) {
                    continue
                } else {
                    throw .syntax
                }
            }
            if !parts.isDisjoint(with: seen) { throw .syntax }
            seen.formUnion(parts)
        }
        if seen.isEmpty { throw .syntax }
        if isAgo { try negate() }
    }

    private mutating func negate() throws(DateTimeFailure) {
        guard years != .min, months != .min, days != .min, microseconds != .min else { throw .range }
        (years, months, days, microseconds) = (-years, -months, -days, -microseconds)
    }

    private mutating func addClock(
        _ text: ArraySlice<UInt8>, _ qualifier: IntervalQualifier?, isNegative: Bool
    ) throws(DateTimeFailure) {
        let clock = try Clock(text, minuteFirst: qualifier == .minuteToSecond)
        var total: Int64 = try added(0, Int64(clock.hours), 3_600_000_000)
        total = try added(total, Int64(clock.minutes) * 60_000_000 + Int64(clock.seconds) * 1_000_000)
        total = try added(total, Int64(clock.microseconds))
        microseconds = try added(microseconds, isNegative ? -total : total)
    }

    private mutating func addSignedClock(_ text: [UInt8], _ qualifier: IntervalQualifier?) throws(DateTimeFailure)
        -> Bool
    {
        guard text.dropFirst().contains(0x3A) else { return false }
        try addClock(text.dropFirst(), qualifier, isNegative: text.first == 0x2D)
        return true
    }

    private mutating func addNumber(
        _ text: [UInt8], _ pending: inout IntervalUnit?, _ qualifier: IntervalQualifier?, _ isNegative: Bool
    ) throws(DateTimeFailure) -> Parts {
        var unit = pending ?? qualifier?.lastUnit ?? .second
        let number = LeadingInteger(text[...], wide: true)
        guard var value = number.value.map({ Int64($0) }) else { throw .range }
        let rest = text.dropFirst(number.length)
        var fraction = 0.0
        let hasSign = text.first == 0x2D
        if rest.first == 0x2D {
            // years-months
            let second = LeadingInteger(rest.dropFirst())
            guard let monthCount = second.value, (0..<12).contains(monthCount) else { throw .range }
            guard rest.count == second.length + 1 else { throw .syntax }
            unit = .month
            value = try added(Int64(0), value, 12)
            value = try added(value, Int64(hasSign ? -monthCount : monthCount))
        } else if rest.first == 0x2E {
            if rest.count > 1 {
                guard let part = Double(String(decoding: "0".utf8 + rest, as: UTF8.self)) else { throw .syntax }
                fraction = hasSign ? -part : part
            }
        } else if !rest.isEmpty {
            throw .syntax
        }
        if isNegative {
            if value > 0 { value = -value }
            if fraction > 0 { fraction = -fraction }
        }
        pending = unit
        try add(value, fraction, unit)
        return Self.part(unit, hasFraction: fraction != 0)
    }

    // MARK: ISO 8601

    mutating func readISO(_ text: [UInt8]) throws(DateTimeFailure) {
        guard text.count >= 2, text[0] == 0x50 else { throw .syntax }
        var rest = text.dropFirst()
        var isDate = true
        var hasField = false
        while let first = rest.first {
            if first == 0x54 {
                isDate = false
                hasField = false
                rest = rest.dropFirst()
                continue
            }
            let digits = rest.prefix { ASCII.isDigit($0) || $0 == 0x2D }.count { ASCII.isDigit($0) }
            let (value, fraction) = try Self.number(&rest)
            let mark = rest.first
            rest = rest.dropFirst()
            switch (isDate, mark) {
            case (true, 0x59?): try add(value, fraction, .year)
            case (true, 0x4D?): try add(value, fraction, .month)
            case (true, 0x57?): try add(value, fraction, .week)
            case (true, 0x44?): try add(value, fraction, .day)
            case (true, 0x54?), (true, nil), (true, 0x2D?):
                if digits == 8, !hasField, mark != 0x2D {
                    try add(value / 10_000, 0, .year)
                    try add(value / 100 % 100, 0, .month)
                    try add(value % 100, fraction, .day)
                } else {
                    if hasField { throw .syntax }
                    try readExtended(value, fraction, mark, &rest, [.year, .month, .day], separator: 0x2D)
                }
                isDate = false
                hasField = false
                continue
            case (false, 0x48?): try add(value, fraction, .hour)
            case (false, 0x4D?): try add(value, fraction, .minute)
            case (false, 0x53?): try add(value, fraction, .second)
            case (false, nil) where digits == 6 && !hasField:
                try add(value / 10_000, 0, .hour)
                try add(value / 100 % 100, 0, .minute)
                try add(value % 100, fraction, .second)
            case (false, nil), (false, 0x3A?):
                if hasField { throw .syntax }
                try readExtended(value, fraction, mark, &rest, [.hour, .minute, .second], separator: 0x3A)
                return
            default: throw .syntax
            }
            hasField = true
        }
    }

    /// `yyyy-mm-dd` or `hh:mm:ss`, of which parts at the end may be missing.
    private mutating func readExtended(
        _ value: Int64, _ fraction: Double, _ mark: UInt8?, _ rest: inout ArraySlice<UInt8>, _ units: [IntervalUnit],
        separator: UInt8
    ) throws(DateTimeFailure) {
        try add(value, fraction, units[0])
        var mark = mark
        for unit in units.dropFirst() {
            guard let found = mark else { return }
            if found == 0x54, separator == 0x2D { return }
            guard found == separator else { throw .syntax }
            let (value, fraction) = try Self.number(&rest)
            try add(value, fraction, unit)
            mark = rest.first
            rest = rest.dropFirst()
        }
        if let mark, !(mark == 0x54 && separator == 0x2D) { throw .syntax }
    }

    /// A number with its sign, in whole part and fraction.
    private static func number(_ rest: inout ArraySlice<UInt8>) throws(DateTimeFailure) -> (Int64, Double) {
        guard let first = rest.first, ASCII.isDigit(first) || first == 0x2D || first == 0x2E else { throw .syntax }
        var end = rest.startIndex + (first == 0x2D ? 1 : 0)
        while end < rest.endIndex, ASCII.isDigit(rest[end]) || rest[end] == 0x2E { end += 1 }
        guard rest[..<end].contains(where: ASCII.isDigit) else { throw .syntax }
        guard
            let number = Double(String(decoding: rest[..<end], as: UTF8.self))
                ?? Double(
                    String(decoding: rest[..<end], as: UTF8.self) + "0")
        else { throw .syntax }
        guard abs(number) <= 1e15 else { throw .range }
        rest = rest[end...]
        let whole = number.rounded(.towardZero)
        return (Int64(whole), number - whole)
    }
}
