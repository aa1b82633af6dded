// Text of intervals: the four styles of output, and the types' qualifiers.

import Diagnostics

/// The fields of an interval's qualifier: `interval year to month`, `interval day to second`, ….
package enum IntervalQualifier: UInt8, Sendable, CaseIterable {
    case year, month, day, hour, minute, second
    case yearToMonth, dayToHour, dayToMinute, dayToSecond, hourToMinute, hourToSecond, minuteToSecond

    /// The unit of a number at the end that has none.
    var lastUnit: IntervalUnit {
        switch self {
        case .year: .year
        case .month, .yearToMonth: .month
        case .day: .day
        case .hour, .dayToHour: .hour
        case .minute, .dayToMinute, .hourToMinute: .minute
        case .second, .dayToSecond, .hourToSecond, .minuteToSecond: .second
        }
    }
}

package enum IntervalText {
    private struct Parts {
        var years: Int64
        var months: Int64
        var days: Int64
        var hours: Int64
        var minutes: Int64
        var seconds: Int64
        var microseconds: Int64

        init(_ value: IntervalValue) {
            (years, months) = (Int64(value.months / 12), Int64(value.months % 12))
            days = Int64(value.days)
            hours = value.microseconds / 3_600_000_000
            minutes = value.microseconds / 60_000_000 % 60
            seconds = value.microseconds / 1_000_000 % 60
            microseconds = value.microseconds % 1_000_000
        }
        var all: [Int64] { [years, months, days, hours, minutes, seconds, microseconds] }
        var isTimeNegative: Bool { hours < 0 || minutes < 0 || seconds < 0 || microseconds < 0 }
        var hasTime: Bool { hours != 0 || minutes != 0 || seconds != 0 || microseconds != 0 }
    }

    // MARK: Output

    package static func append(
        _ value: IntervalValue, format: TextStyle.IntervalFormat = .postgres, into text: inout [UInt8]
    ) {
        let parts = Parts(value)
        switch format {
        case .postgres: appendPlain(parts, into: &text)
        case .postgresVerbose: appendVerbose(parts, into: &text)
        case .sqlStandard: appendStandard(parts, into: &text)
        case .iso8601: appendISO(parts, into: &text)
        }
    }

    private static func appendNumber(_ value: Int64, into text: inout [UInt8]) {
        NumericText.append(value, into: &text)
    }

    /// Seconds with their fraction, without sign.
    private static func appendSeconds(_ parts: Parts, minimum: Int, into text: inout [UInt8]) {
        NumericText.appendDigits(parts.seconds.magnitude, minimum: minimum, into: &text)
        DateTimeText.appendFraction(Int64(parts.microseconds.magnitude), into: &text)
    }

    private static func appendPlain(_ parts: Parts, into text: inout [UInt8]) {
        let start = text.count
        var isNegativeBefore = false
        func part(_ number: Int64, _ unit: String, _ text: inout [UInt8]) {
            if number == 0 { return }
            if text.count > start { text.append(0x20) }
            if isNegativeBefore && number > 0 { text.append(0x2B) }
            appendNumber(number, into: &text)
            text.append(0x20)
            text.append(contentsOf: unit.utf8)
            if number != 1 { text.append(0x73) }
            isNegativeBefore = number < 0
        }
        part(parts.years, "year", &text)
        part(parts.months, "mon", &text)
        part(parts.days, "day", &text)
        if text.count > start && !parts.hasTime { return }
        if text.count > start { text.append(0x20) }
        if parts.isTimeNegative { text.append(0x2D) } else if isNegativeBefore { text.append(0x2B) }
        NumericText.appendDigits(parts.hours.magnitude, minimum: 2, into: &text)
        text.append(0x3A)
        NumericText.appendDigits(parts.minutes.magnitude, minimum: 2, into: &text)
        text.append(0x3A)
        appendSeconds(parts, minimum: 2, into: &text)
    }

    private static func appendVerbose(_ parts: Parts, into text: inout [UInt8]) {
        text.append(0x40)
        var isAgo = false
        var isZero = true
        func part(_ number: Int64, _ unit: String, _ text: inout [UInt8]) {
            if number == 0 { return }
            var number = number
            if isZero {
                isAgo = number < 0
                number = abs(number)
            } else if isAgo {
                number = 0 - number
            }
            isZero = false
            text.append(0x20)
            appendNumber(number, into: &text)
            text.append(contentsOf: (number == 1 ? " \(unit)" : " \(unit)s").utf8)
        }
        part(parts.years, "year", &text)
        part(parts.months, "mon", &text)
        part(parts.days, "day", &text)
        part(parts.hours, "hour", &text)
        part(parts.minutes, "min", &text)
        if parts.seconds != 0 || parts.microseconds != 0 {
            text.append(0x20)
            let isNegative = parts.seconds < 0 || parts.microseconds < 0
            if isZero { isAgo = isNegative } else if isNegative != isAgo { text.append(0x2D) }
            isZero = false
            appendSeconds(parts, minimum: 1, into: &text)
            text.append(contentsOf: " sec".utf8)
            if parts.seconds.magnitude != 1 || parts.microseconds != 0 { text.append(0x73) }
        }
        if isZero { text.append(contentsOf: " 0".utf8) }
        if isAgo { text.append(contentsOf: " ago".utf8) }
    }

    private static func appendStandard(_ parts: Parts, into text: inout [UInt8]) {
        let hasNegative = parts.all.contains { $0 < 0 }
        let hasPositive = parts.all.contains { $0 > 0 }
        let hasMonths = parts.years != 0 || parts.months != 0
        let isStandard = !(hasNegative && hasPositive) && !(hasMonths && (parts.days != 0 || parts.hasTime))
        func sign(_ isNegative: Bool, _ text: inout [UInt8]) { text.append(isNegative ? 0x2D : 0x2B) }
        func plain(_ value: Int64, minimum: Int = 1, _ text: inout [UInt8]) {
            NumericText.appendDigits(value.magnitude, minimum: minimum, into: &text)
        }
        func months(_ text: inout [UInt8]) {
            plain(parts.years, &text)
            text.append(0x2D)
            plain(parts.months, &text)
        }
        func time(_ text: inout [UInt8]) {
            plain(parts.hours, &text)
            text.append(0x3A)
            plain(parts.minutes, minimum: 2, &text)
            text.append(0x3A)
            appendSeconds(parts, minimum: 2, into: &text)
        }
        if !hasNegative && !hasPositive { return text.append(0x30) }
        if !isStandard {
            // Every part has its sign, so that nothing is ambiguous.
            sign(parts.years < 0 || parts.months < 0, &text)
            months(&text)
            text.append(0x20)
            sign(parts.days < 0, &text)
            plain(parts.days, &text)
            text.append(0x20)
            sign(parts.isTimeNegative, &text)
            return time(&text)
        }
        if hasNegative { text.append(0x2D) }
        if hasMonths { return months(&text) }
        if parts.days != 0 {
            plain(parts.days, &text)
            text.append(0x20)
        }
        time(&text)
    }

    private static func appendISO(_ parts: Parts, into text: inout [UInt8]) {
        if parts.all.allSatisfy({ $0 == 0 }) { return text.append(contentsOf: "PT0S".utf8) }
        func part(_ number: Int64, _ unit: UInt8, _ text: inout [UInt8]) {
            if number == 0 { return }
            appendNumber(number, into: &text)
            text.append(unit)
        }
        text.append(0x50)
        part(parts.years, 0x59, &text)
        part(parts.months, 0x4D, &text)
        part(parts.days, 0x44, &text)
        if !parts.hasTime { return }
        text.append(0x54)
        part(parts.hours, 0x48, &text)
        part(parts.minutes, 0x4D, &text)
        if parts.seconds == 0 && parts.microseconds == 0 { return }
        if parts.seconds < 0 || parts.microseconds < 0 { text.append(0x2D) }
        appendSeconds(parts, minimum: 1, into: &text)
        text.append(0x53)
    }

    // MARK: Input

    /// Reads an interval, in words or ISO 8601. Errors: 22007, 22008, 22015.
    package static func parse(
        _ text: UnsafeBufferPointer<UInt8>, qualifier: IntervalQualifier? = nil, style: TextStyle = TextStyle()
    ) throws -> IntervalValue {
        let sum: IntervalSum
        do throws(DateTimeFailure) {
            sum = try read(text, qualifier, style)
        } catch .range {
            throw DateTimeText.error(.interval, text, .interval)
        } catch {
            throw DateTimeText.error(error, text, .interval)
        }
        guard let value = sum.value else { throw QueryError(.datetimeFieldOverflow, "interval out of range") }
        return value
    }

    private static func read(
        _ text: UnsafeBufferPointer<UInt8>, _ qualifier: IntervalQualifier?, _ style: TextStyle
    ) throws(DateTimeFailure) -> IntervalSum {
        var sum = IntervalSum()
        do throws(DateTimeFailure) {
            try sum.readWords(text, qualifier: qualifier, style: style)
        } catch .syntax {
            sum = IntervalSum()
            try sum.readISO(Array(text))
        }
        return sum
    }

    /// Cuts a value to the fields of a qualifier.
    package static func adjusted(_ value: IntervalValue, to qualifier: IntervalQualifier) -> IntervalValue {
        func time(_ unit: Int64) -> IntervalValue {
            IntervalValue(months: value.months, days: value.days, microseconds: value.microseconds / unit * unit)
        }
        switch qualifier {
        case .year: return IntervalValue(months: value.months / 12 * 12)
        case .month, .yearToMonth: return IntervalValue(months: value.months)
        case .day: return IntervalValue(months: value.months, days: value.days)
        case .hour, .dayToHour: return time(3_600_000_000)
        case .minute, .dayToMinute, .hourToMinute: return time(60_000_000)
        case .second, .dayToSecond, .hourToSecond, .minuteToSecond: return value
        }
    }
}
