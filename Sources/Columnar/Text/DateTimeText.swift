// Text of dates, times and timestamps, both ways, with PostgreSQL's leniency on input and its ISO style on output.

import Diagnostics

package enum DateTimeText {
    // MARK: Output

    private static func appendTwo(_ value: Int, into text: inout [UInt8]) {
        text.append(UInt8(truncatingIfNeeded: value / 10) &+ 0x30)
        text.append(UInt8(truncatingIfNeeded: value % 10) &+ 0x30)
    }

    private static func appendCivil(_ day: Int, into text: inout [UInt8]) -> Bool {
        let date = CivilCalendar.civil(day)
        let isBC = date.year <= 0
        NumericText.appendDigits(UInt64(isBC ? 1 - date.year : date.year), minimum: 4, into: &text)
        text.append(0x2D)
        appendTwo(date.month, into: &text)
        text.append(0x2D)
        appendTwo(date.day, into: &text)
        return isBC
    }

    package static func appendDate(_ days: Int32, into text: inout [UInt8]) {
        if days == CivilCalendar.dateInfinity { return text.append(contentsOf: "infinity".utf8) }
        if days == CivilCalendar.dateMinusInfinity { return text.append(contentsOf: "-infinity".utf8) }
        if appendCivil(Int(days), into: &text) { text.append(contentsOf: " BC".utf8) }
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

    package static func appendTimestamp(_ value: Int64, into text: inout [UInt8]) {
        if appendInfinity(value, into: &text) { return }
        let (day, rest) = CivilCalendar.split(value)
        let isBC = appendCivil(day, into: &text)
        text.append(0x20)
        appendTime(rest, into: &text)
        if isBC { text.append(contentsOf: " BC".utf8) }
    }

    package static func appendTimestampTZ(_ value: Int64, zone: TimeZoneData, into text: inout [UInt8]) {
        if appendInfinity(value, into: &text) { return }
        let offset = zone.offset(at: value)
        let (day, rest) = CivilCalendar.split(value &+ Int64(offset) * 1_000_000)
        let isBC = appendCivil(day, into: &text)
        text.append(0x20)
        appendTime(rest, into: &text)
        text.append(offset < 0 ? 0x2D : 0x2B)
        let magnitude = abs(offset)
        appendTwo(magnitude / 3600, into: &text)
        if magnitude % 3600 != 0 {
            text.append(0x3A)
            appendTwo(magnitude / 60 % 60, into: &text)
            if magnitude % 60 != 0 {
                text.append(0x3A)
                appendTwo(magnitude % 60, into: &text)
            }
        }
        if isBC { text.append(contentsOf: " BC".utf8) }
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

    package enum Failure: Error { case syntax, range, zone(String) }

    /// What was found in a text: a day, a time of day, and an offset or a zone.
    package struct Parts {
        package enum Special { case none, infinity, minusInfinity, now, today, tomorrow, yesterday, epoch }
        package var special = Special.none
        package var day: Int?
        /// Microseconds since midnight; 24:00:00 is allowed.
        package var time: Int64?
        /// Seconds east of Greenwich.
        package var offset: Int?
        package var zone: TimeZoneData?
    }

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

    package static func parseDate(_ text: UnsafeBufferPointer<UInt8>, now: Int64 = 0) throws(Failure) -> Int32 {
        if let day = fastDate(text) { return Int32(truncatingIfNeeded: day) }
        let parts = try parse(text)
        switch parts.special {
        case .infinity: return CivilCalendar.dateInfinity
        case .minusInfinity: return CivilCalendar.dateMinusInfinity
        case .now, .today: return Int32(CivilCalendar.split(now).day)
        case .tomorrow: return Int32(CivilCalendar.split(now).day + 1)
        case .yesterday: return Int32(CivilCalendar.split(now).day - 1)
        case .epoch: return 0
        case .none: break
        }
        guard let day = parts.day else { throw .syntax }
        guard day >= CivilCalendar.firstDay, day < Int(Int32.max) else { throw .range }
        return Int32(day)
    }

    package static func parseTime(_ text: UnsafeBufferPointer<UInt8>, now: Int64 = 0) throws(Failure) -> Int64 {
        let parts = try parse(text, timeOnly: true)
        if parts.special == .now { return CivilCalendar.split(now).microseconds }
        guard parts.special == .none, let time = parts.time else { throw .syntax }
        return time
    }

    /// Microseconds since 1970; a zone in the text is ignored.
    package static func parseTimestamp(_ text: UnsafeBufferPointer<UInt8>, now: Int64 = 0) throws(Failure) -> Int64 {
        if let day = fastDate(text) { return Int64(day) * CivilCalendar.microsecondsPerDay }
        let parts = try parse(text)
        return try timestamp(parts, now: now)
    }

    /// Microseconds since 1970 UTC; without a zone in the text, `zone` holds.
    package static func parseTimestampTZ(
        _ text: UnsafeBufferPointer<UInt8>, zone: TimeZoneData, now: Int64 = 0
    ) throws(Failure) -> Int64 {
        let parts = try parse(text)
        if parts.special == .now { return now }
        let local = try timestamp(parts, now: zone.localTime(of: now))
        if parts.special == .infinity || parts.special == .minusInfinity { return local }
        if parts.special == .epoch { return 0 }
        if let offset = parts.offset { return local - Int64(offset) * 1_000_000 }
        return (parts.zone ?? zone).moment(ofLocal: local)
    }

    private static func timestamp(_ parts: Parts, now: Int64) throws(Failure) -> Int64 {
        let day: Int
        switch parts.special {
        case .infinity: return CivilCalendar.timestampInfinity
        case .minusInfinity: return CivilCalendar.timestampMinusInfinity
        case .now: return now
        case .epoch: return 0
        case .today: day = CivilCalendar.split(now).day
        case .tomorrow: day = CivilCalendar.split(now).day + 1
        case .yesterday: day = CivilCalendar.split(now).day - 1
        case .none:
            guard let found = parts.day else { throw .syntax }
            day = found
        }
        guard day >= CivilCalendar.firstDay, day <= CivilCalendar.lastTimestampDay else { throw .range }
        return Int64(day) * CivilCalendar.microsecondsPerDay + (parts.time ?? 0)
    }

    package static func month(named text: String) -> Int? {
        guard text.utf8.count >= 3 else { return nil }
        let names = [
            "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
            "november",
            "december",
        ]
        if text == "sept" { return 9 }
        for (index, name) in names.enumerated() where text == name || text == name.prefix(3) { return index + 1 }
        return nil
    }

    private static func isWeekday(_ text: String) -> Bool {
        let names = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
        return names.contains { text == $0 || text == $0.prefix(3) }
            || ["tues", "thur", "thurs", "wednes"].contains(text)
    }

    private struct Field {
        var text: String
        var isWord: Bool
    }

    /// Cuts a text into words and runs of digits with their inner separators.
    private static func fields(_ text: UnsafeBufferPointer<UInt8>) throws(Failure) -> [Field] {
        var result: [Field] = []
        var at = 0
        let bytes = NumericText.trimmed(text)
        func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 <= 9 }
        func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 <= 25 }
        while at < bytes.count {
            let byte = bytes[at]
            let start = at
            if NumericText.isSpace(byte) || byte == 0x2C {
                at += 1
                continue
            }
            if isDigit(byte) {
                while at < bytes.count {
                    let next = bytes[at]
                    if isDigit(next) || next == 0x3A || next == 0x2E || next == 0x2F { at += 1; continue }
                    // A hyphen joins parts of a date; behind a time it begins an offset.
                    if next == 0x2D, !bytes[start..<at].contains(0x3A) { at += 1; continue }
                    // A month's name between hyphens: 08-Jan-1999.
                    if isLetter(next), at > start, bytes[at - 1] == 0x2D {
                        while at < bytes.count, isLetter(bytes[at]) { at += 1 }
                        continue
                    }
                    break
                }
                result.append(Field(text: String(decoding: bytes[start..<at], as: UTF8.self), isWord: false))
            } else if isLetter(byte) {
                while at < bytes.count, isLetter(bytes[at]) || bytes[at] == 0x2F || bytes[at] == 0x5F { at += 1 }
                result.append(
                    Field(text: String(decoding: bytes[start..<at], as: UTF8.self).lowercased(), isWord: true))
                // Names of zones keep their case; they are looked up without regard to it.
            } else if byte == 0x2B || byte == 0x2D {
                at += 1
                if at < bytes.count, isLetter(bytes[at]) {
                    while at < bytes.count, isLetter(bytes[at]) { at += 1 }
                    result.append(
                        Field(text: String(decoding: bytes[start..<at], as: UTF8.self).lowercased(), isWord: true))
                    continue
                }
                while at < bytes.count, isDigit(bytes[at]) || bytes[at] == 0x3A { at += 1 }
                if at == start + 1 { throw .syntax }
                result.append(Field(text: String(decoding: bytes[start..<at], as: UTF8.self), isWord: false))
            } else {
                throw .syntax
            }
        }
        return result
    }

    package static func parse(_ text: UnsafeBufferPointer<UInt8>, timeOnly: Bool = false) throws(Failure) -> Parts {
        var parts = Parts()
        var year: Int?
        var month: Int?
        var day: Int?
        var isBC = false
        var afternoon: Bool?
        var loose: [Int] = []
        let fields = try fields(text)
        guard !fields.isEmpty else { throw .syntax }
        for field in fields {
            if field.isWord {
                switch field.text {
                case "infinity", "inf", "+infinity", "+inf": parts.special = .infinity
                case "-infinity", "-inf": parts.special = .minusInfinity
                case "now": parts.special = .now
                case "today": parts.special = .today
                case "tomorrow": parts.special = .tomorrow
                case "yesterday": parts.special = .yesterday
                case "epoch": parts.special = .epoch
                case "allballs": parts.time = 0
                case "am": afternoon = false
                case "pm": afternoon = true
                case "bc": isBC = true
                case "ad", "t", "at", "on", "of": break
                default:
                    if let named = self.month(named: field.text) {
                        if month != nil { throw .syntax }
                        month = named
                    } else if isWeekday(field.text) {
                        continue
                    } else if let offset = TimeZoneData.abbreviationOffset(field.text) {
                        parts.offset = offset
                    } else if let zone = TimeZoneData.named(field.text) {
                        parts.zone = zone
                    } else {
                        if field.text.contains("/") { throw .zone(field.text) }
                        throw .syntax
                    }
                }
                continue
            }
            let first = field.text.utf8.first ?? 0
            if first == 0x2B || first == 0x2D {
                guard parts.time != nil || timeOnly || year != nil else { throw .syntax }
                parts.offset = try offset(field.text)
            } else if field.text.contains(":") {
                if parts.time != nil { throw .syntax }
                parts.time = try time(field.text)
            } else if field.text.contains("-") || field.text.contains("/")
                || field.text.filter({ $0 == "." }).count == 2
            {
                if year != nil { throw .syntax }
                (year, month, day) = try date(field.text, namedMonth: month)
            } else if field.text.contains(".") {
                // hhmmss.fff behind a date
                parts.time = try compactTime(field.text)
            } else {
                let digits = field.text.utf8.count
                guard let number = Int(field.text) else { throw .range }
                if timeOnly, digits == 6 || digits == 4 {
                    parts.time = try compactTime(field.text)
                } else if digits == 8, year == nil {
                    (year, month, day) = (number / 10_000, number / 100 % 100, number % 100)
                } else if digits == 6, year == nil, month == nil {
                    let two = number / 10_000
                    (year, month, day) = (two < 70 ? 2000 + two : 1900 + two, number / 100 % 100, number % 100)
                } else if digits == 6 || digits == 4, year != nil, parts.time == nil {
                    parts.time = try compactTime(field.text)
                } else {
                    loose.append(number)
                    if digits > 2, year == nil, month != nil || loose.count == 1 {
                        year = number
                        loose.removeLast()
                    }
                }
            }
        }
        // Numbers beside the name of a month: a day, then a year. Beside a time without colons: an hour.
        for number in loose {
            if month != nil, day == nil {
                day = number
            } else if month != nil, year == nil {
                year = number < 70 ? 2000 + number : number < 100 ? 1900 + number : number
            } else if afternoon != nil, parts.time == nil {
                guard number >= 1, number <= 12 else { throw .range }
                parts.time = Int64(number) * 3_600_000_000
            } else {
                throw .syntax
            }
        }
        if let afternoon, let time = parts.time {
            let hour = time / 3_600_000_000
            if hour > 12 { throw .range }
            parts.time = time + (afternoon ? (hour == 12 ? 0 : 12) : (hour == 12 ? -12 : 0)) * 3_600_000_000
        }
        if year != nil || month != nil || day != nil {
            guard var year, let month, let day else { throw .syntax }
            if isBC {
                if year <= 0 { throw .range }
                year = 1 - year
            } else if year == 0 {
                throw .range
            }
            guard month >= 1, month <= 12, day >= 1, day <= CivilCalendar.dayCount(year: year, month: month),
                year <= 5_874_897
            else { throw .range }
            parts.day = CivilCalendar.days(year: year, month: month, day: day)
        }
        return parts
    }

    private static func date(_ text: String, namedMonth: Int?) throws(Failure) -> (Int, Int, Int) {
        let pieces = text.split(whereSeparator: { $0 == "-" || $0 == "/" || $0 == "." })
        var numbers: [Int] = []
        var month = namedMonth
        for piece in pieces {
            if let number = Int(piece) {
                numbers.append(number)
            } else if let named = self.month(named: piece.lowercased()), month == nil {
                month = named
            } else {
                throw .syntax
            }
        }
        func fullYear(_ number: Int, _ text: Substring) -> Int {
            text.count > 2 ? number : number < 70 ? 2000 + number : number < 100 ? 1900 + number : number
        }
        if let month, numbers.count == 2 {
            // A number of more than two digits is the year, wherever it stands.
            let digitPieces = pieces.filter { Int($0) != nil }
            if digitPieces[0].count > 2 { return (numbers[0], month, numbers[1]) }
            return (fullYear(numbers[1], digitPieces[1]), month, numbers[0])
        }
        if numbers.count == 2, pieces[0].count >= 3, month == nil {
            // year and day of the year: 1999.008
            guard text.contains("."), pieces[1].count == 3 else { throw .syntax }
            let civil = CivilCalendar.civil(CivilCalendar.days(year: numbers[0], month: 1, day: 1) + numbers[1] - 1)
            return civil
        }
        guard numbers.count == 3 else { throw .syntax }
        if pieces[0].count > 2 { return (numbers[0], numbers[1], numbers[2]) }
        // The default order is month, day, year.
        return (fullYear(numbers[2], pieces[2]), numbers[0], numbers[1])
    }

    /// h:mm, h:mm:ss or h:mm:ss.ffffff in microseconds.
    private static func time(_ text: String) throws(Failure) -> Int64 {
        let pieces = text.split(separator: ":", omittingEmptySubsequences: false)
        guard pieces.count == 2 || pieces.count == 3, let hours = Int64(pieces[0]), let minutes = Int64(pieces[1])
        else {
            throw .syntax
        }
        let seconds = pieces.count == 3 ? try secondsAndFraction(pieces[2]) : 0
        return try combine(hours, minutes, seconds)
    }

    private static func combine(_ hours: Int64, _ minutes: Int64, _ microseconds: Int64) throws(Failure) -> Int64 {
        guard hours >= 0, hours <= 24, minutes >= 0, minutes < 60, microseconds <= 60_000_000 else { throw .range }
        let total = (hours * 60 + minutes) * 60_000_000 + microseconds
        guard total <= CivilCalendar.microsecondsPerDay else { throw .range }
        return total
    }

    private static func compactTime(_ text: String) throws(Failure) -> Int64 {
        let pieces = text.split(separator: ".")
        guard let whole = pieces.first, let number = Int64(whole) else { throw .syntax }
        if whole.count == 4, pieces.count == 1 { return try combine(number / 100, number % 100, 0) }
        guard whole.count == 6 else { throw .syntax }
        let fraction = pieces.count == 2 ? try secondsAndFraction("0." + pieces[1]) : 0
        return try combine(number / 10_000, number / 100 % 100, number % 100 * 1_000_000 + fraction)
    }

    /// Microseconds of "ss" or "ss.ffffff", rounded.
    static func secondsAndFraction(_ text: Substring) throws(Failure) -> Int64 {
        let pieces = text.split(separator: ".", omittingEmptySubsequences: false)
        guard pieces.count <= 2, let seconds = Int64(pieces[0].isEmpty ? "0" : pieces[0]), seconds >= 0 else {
            throw .syntax
        }
        guard pieces.count == 2, !pieces[1].isEmpty else { return seconds * 1_000_000 }
        var fraction: Int64 = 0
        var digits = 0
        for byte in pieces[1].utf8 {
            guard byte &- 0x30 <= 9 else { throw .syntax }
            if digits < 6 {
                fraction = fraction * 10 + Int64(byte - 0x30)
            } else if digits == 6, byte >= 0x35 {
                fraction += 1
            }
            digits += 1
        }
        while digits < 6 {
            fraction *= 10
            digits += 1
        }
        return seconds * 1_000_000 + fraction
    }

    private static func secondsAndFraction(_ text: String) throws(Failure) -> Int64 {
        try secondsAndFraction(Substring(text))
    }

    private static func offset(_ text: String) throws(Failure) -> Int {
        let isNegative = text.hasPrefix("-")
        let body = text.dropFirst()
        var seconds = 0
        if body.contains(":") {
            var unit = 3600
            for piece in body.split(separator: ":") {
                guard let number = Int(piece) else { throw .syntax }
                seconds += number * unit
                unit /= 60
            }
        } else {
            guard let number = Int(body) else { throw .syntax }
            seconds = body.count > 2 ? (number / 100) * 3600 + (number % 100) * 60 : number * 3600
        }
        guard seconds < 16 * 3600 else { throw .range }
        return isNegative ? -seconds : seconds
    }
}
