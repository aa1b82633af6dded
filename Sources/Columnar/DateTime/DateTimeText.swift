// Text of dates, times and timestamps, both ways.

import Diagnostics

package enum DateTimeText {
    // MARK: Output

    private static func appendTwo(_ value: Int, into text: inout [UInt8]) {
        text.append(UInt8(truncatingIfNeeded: value / 10) &+ 0x30)
        text.append(UInt8(truncatingIfNeeded: value % 10) &+ 0x30)
    }

    private static func appendYear(_ year: Int, into text: inout [UInt8]) {
        NumericText.appendDigits(UInt64(year <= 0 ? 1 - year : year), minimum: 4, into: &text)
    }

    /// The date without its era.
    private static func appendCivil(
        _ date: (year: Int, month: Int, day: Int), _ style: TextStyle, into text: inout [UInt8]
    ) {
        if style.dateFormat == .iso {
            appendYear(date.year, into: &text)
            text.append(0x2D)
            appendTwo(date.month, into: &text)
            text.append(0x2D)
            appendTwo(date.day, into: &text)
            return
        }
        let mark: UInt8 = style.dateFormat == .sql ? 0x2F : style.dateFormat == .german ? 0x2E : 0x2D
        let dayFirst = style.dateFormat == .german || style.dateOrder == .dayMonthYear
        appendTwo(dayFirst ? date.day : date.month, into: &text)
        text.append(mark)
        appendTwo(dayFirst ? date.month : date.day, into: &text)
        text.append(mark)
        appendYear(date.year, into: &text)
    }

    private static func appendEra(_ year: Int, into text: inout [UInt8]) {
        if year <= 0 { text.append(contentsOf: " BC".utf8) }
    }

    package static func appendDate(_ days: Int32, style: TextStyle = TextStyle(), into text: inout [UInt8]) {
        if days == CivilCalendar.dateInfinity { return text.append(contentsOf: "infinity".utf8) }
        if days == CivilCalendar.dateMinusInfinity { return text.append(contentsOf: "-infinity".utf8) }
        let date = CivilCalendar.civil(Int(days))
        appendCivil(date, style, into: &text)
        appendEra(date.year, into: &text)
    }

    package static func appendTime(_ microseconds: Int64, into text: inout [UInt8]) {
        let seconds = microseconds / 1_000_000
        appendTwo(Int(seconds / 3600), into: &text)
        text.append(0x3A)
        appendTwo(Int(seconds / 60 % 60), into: &text)
        text.append(0x3A)
        appendTwo(Int(seconds % 60), into: &text)
        appendFraction(microseconds % 1_000_000, into: &text)
    }

    static func appendFraction(_ microseconds: Int64, into text: inout [UInt8]) {
        if microseconds == 0 { return }
        text.append(0x2E)
        NumericText.appendDigits(UInt64(microseconds), minimum: 6, into: &text)
        while text[text.count - 1] == 0x30 { text.removeLast() }
    }

    package static func appendTimeTZ(_ value: TimeTZValue, into text: inout [UInt8]) {
        appendTime(value.time, into: &text)
        appendOffset(value.offset, into: &text)
    }

    /// `+hh`, with minutes and seconds where there are any.
    package static func appendOffset(_ offset: Int, into text: inout [UInt8]) {
        text.append(offset < 0 ? 0x2D : 0x2B)
        let magnitude = abs(offset)
        appendTwo(magnitude / 3600, into: &text)
        if magnitude % 3600 == 0 { return }
        text.append(0x3A)
        appendTwo(magnitude / 60 % 60, into: &text)
        if magnitude % 60 == 0 { return }
        text.append(0x3A)
        appendTwo(magnitude % 60, into: &text)
    }

    package static func appendTimestamp(_ value: Int64, style: TextStyle = TextStyle(), into text: inout [UInt8]) {
        if appendInfinity(value, into: &text) { return }
        appendMoment(value, style, zone: nil, into: &text)
    }

    package static func appendTimestampTZ(
        _ value: Int64, zone: TimeZoneData, style: TextStyle = TextStyle(), into text: inout [UInt8]
    ) {
        if appendInfinity(value, into: &text) { return }
        let offset = zone.offset(at: value)
        appendMoment(
            value &+ Int64(offset) * 1_000_000, style, zone: (offset, zone.abbreviation(at: value)), into: &text)
    }

    private static let monthNames = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    private static let dayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]

    private static func appendMoment(
        _ local: Int64, _ style: TextStyle, zone: (offset: Int, abbreviation: String)?, into text: inout [UInt8]
    ) {
        let (day, rest) = CivilCalendar.split(local)
        let date = CivilCalendar.civil(day)
        if style.dateFormat == .postgres {
            text.append(contentsOf: dayNames[CivilCalendar.dayOfWeek(day)].utf8)
            text.append(0x20)
            if style.dateOrder == .dayMonthYear {
                appendTwo(date.day, into: &text)
                text.append(0x20)
                text.append(contentsOf: monthNames[date.month - 1].utf8)
            } else {
                text.append(contentsOf: monthNames[date.month - 1].utf8)
                text.append(0x20)
                appendTwo(date.day, into: &text)
            }
            text.append(0x20)
            appendTime(rest, into: &text)
            text.append(0x20)
            appendYear(date.year, into: &text)
        } else {
            appendCivil(date, style, into: &text)
            text.append(0x20)
            appendTime(rest, into: &text)
        }
        if let zone {
            if style.dateFormat == .iso {
                appendOffset(zone.offset, into: &text)
            } else {
                text.append(0x20)
                text.append(contentsOf: zone.abbreviation.utf8)
            }
        }
        appendEra(date.year, into: &text)
    }

    private static func appendInfinity(_ value: Int64, into text: inout [UInt8]) -> Bool {
        if value == CivilCalendar.timestampInfinity {
            text.append(contentsOf: "infinity".utf8)
            return true
        }
        if value == CivilCalendar.timestampMinusInfinity {
            text.append(contentsOf: "-infinity".utf8)
            return true
        }
        return false
    }

    // MARK: Input

    /// The common form `YYYY-MM-DD`, with nothing around it.
    @inline(__always)
    package static func fastDate(_ text: UnsafeBufferPointer<UInt8>) -> Int? {
        guard text.count == 10, text[4] == 0x2D, text[7] == 0x2D else { return nil }
        var bad: UInt8 = 0
        @inline(__always) func digit(_ index: Int) -> Int {
            let value = text[index] &- 0x30
            bad |= value > 9 ? 1 : 0
            return Int(value)
        }
        let year = digit(0) &* 1000 &+ digit(1) &* 100 &+ digit(2) &* 10 &+ digit(3)
        let month = digit(5) &* 10 &+ digit(6)
        let day = digit(8) &* 10 &+ digit(9)
        guard bad == 0, month >= 1, month <= 12, day >= 1, year >= 1,
            day <= CivilCalendar.dayCount(year: year, month: month)
        else { return nil }
        return CivilCalendar.days(year: year, month: month, day: day)
    }

    package static func parseDate(_ text: UnsafeBufferPointer<UInt8>, settings: TextSettings) throws -> Int32 {
        if let day = fastDate(text) { return Int32(truncatingIfNeeded: day) }
        let reader = try read(text, .date, settings, isTimeOnly: false)
        switch reader.special {
        case .infinity?: return CivilCalendar.dateInfinity
        case .minusInfinity?: return CivilCalendar.dateMinusInfinity
        default: break
        }
        let day = reader.dayNumber
        guard reader.isValidDay, day >= CivilCalendar.firstDay, day <= CivilCalendar.lastDateDay else {
            throw QueryError(
                .datetimeFieldOverflow, "date out of range: \"\(String(decoding: text, as: UTF8.self))\"")
        }
        return Int32(day)
    }

    package static func parseTime(_ text: UnsafeBufferPointer<UInt8>, settings: TextSettings) throws -> Int64 {
        try read(text, .time, settings, isTimeOnly: true).timeOfDay
    }

    package static func parseTimeTZ(_ text: UnsafeBufferPointer<UInt8>, settings: TextSettings) throws -> TimeTZValue {
        let reader = try read(text, .timeTZ, settings, isTimeOnly: true)
        return TimeTZValue(time: reader.timeOfDay, offset: reader.timeOffset)
    }

    /// Microseconds since 1970, UTC for a timestamp with zone. Without one, a zone in the text is passed over.
    package static func parseTimestamp(
        _ text: UnsafeBufferPointer<UInt8>, as type: DataType, settings: TextSettings
    ) throws -> Int64 {
        if type == .timestamp, let day = fastDate(text) { return Int64(day) * CivilCalendar.microsecondsPerDay }
        let reader = try read(text, type, settings, isTimeOnly: false)
        switch reader.special {
        case .infinity?: return CivilCalendar.timestampInfinity
        case .minusInfinity?: return CivilCalendar.timestampMinusInfinity
        case .epoch?: return 0
        default: break
        }
        guard let value = type == .timestamp ? reader.localMoment() : reader.moment() else {
            throw QueryError(
                .datetimeFieldOverflow, "timestamp out of range: \"\(String(decoding: text, as: UTF8.self))\"")
        }
        return value
    }

    private static func read(
        _ text: UnsafeBufferPointer<UInt8>, _ type: DataType, _ settings: TextSettings, isTimeOnly: Bool
    ) throws -> DateTimeReader {
        var reader = DateTimeReader(settings: settings, isTimeOnly: isTimeOnly)
        do { try reader.read(text) } catch let failure { throw error(failure, text, type) }
        return reader
    }

    /// What a user is told about a text that cannot be read.
    package static func error(
        _ failure: DateTimeFailure, _ text: UnsafeBufferPointer<UInt8>, _ type: DataType
    ) -> QueryError {
        let shown = String(decoding: text, as: UTF8.self)
        switch failure {
        case .syntax:
            return QueryError(
                .invalidDatetimeFormat, "invalid input syntax for type \(type.sqlName): \"\(shown)\"")
        case .range:
            return QueryError(.datetimeFieldOverflow, "date/time field value out of range: \"\(shown)\"")
        case .order:
            return QueryError(
                .datetimeFieldOverflow, "date/time field value out of range: \"\(shown)\"",
                hint: "Perhaps you need a different \"datestyle\" setting.")
        case .displacement:
            return QueryError(SQLState("22009"), "time zone displacement out of range: \"\(shown)\"")
        case .interval:
            return QueryError(SQLState("22015"), "interval field value out of range: \"\(shown)\"")
        case .zone(let name):
            return QueryError(.invalidParameterValue, "time zone \"\(name)\" not recognized")
        }
    }
}
