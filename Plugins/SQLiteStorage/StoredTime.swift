// Dates and times as SQLite keeps them: texts as ISO 8601 has them, in the forms that its own functions understand. Nothing
// else is read, so that a text means one moment and the order of dates is that of their texts.

import Columnar
import Diagnostics

enum StoredTime {
    enum Failure: Error {
        /// Not of the form, or no such day.
        case form
        /// A zone in a column of times without one.
        case zone
        /// Digits beyond the microsecond.
        case precision

        var state: SQLState { self == .form ? .invalidDatetimeFormat : .datatypeMismatch }
        var hint: String? {
            switch self {
            case .form: "Dates look like 2024-01-31, times like 23:59:59.999999."
            case .zone: "Declare the column as TIMESTAMPTZ to read times with a zone."
            case .precision: "Times are kept to the microsecond."
            }
        }
    }

    // MARK: Reading

    static func date(_ text: UnsafeBufferPointer<UInt8>) throws(Failure) -> Int32 {
        if let day = DateTimeText.fastDate(text) { return Int32(truncatingIfNeeded: day) }
        if let isPositive = infinity(text) {
            return isPositive ? CivilCalendar.dateInfinity : CivilCalendar.dateMinusInfinity
        }
        throw .form
    }

    static func time(_ text: UnsafeBufferPointer<UInt8>) throws(Failure) -> Int64 {
        var rest = text[...]
        let time = try clock(&rest)
        guard rest.isEmpty else { throw .form }
        return time
    }

    /// Microseconds since 1970. A text without a zone is UTC, as SQLite's functions have it.
    static func timestamp(_ text: UnsafeBufferPointer<UInt8>, hasZone: Bool) throws(Failure) -> Int64 {
        guard text.count >= 10, let day = DateTimeText.fastDate(UnsafeBufferPointer(rebasing: text[..<10])) else {
            guard let isPositive = infinity(text) else { throw .form }
            return isPositive ? CivilCalendar.timestampInfinity : CivilCalendar.timestampMinusInfinity
        }
        var moment = Int64(day) * CivilCalendar.microsecondsPerDay
        var rest = text[10...]
        guard let separator = rest.first else { return moment }
        guard separator == 0x20 || separator == 0x54 else { throw .form }
        rest = rest.dropFirst()
        let time = try clock(&rest)
        guard time < CivilCalendar.microsecondsPerDay else { throw .form }
        moment += time
        if rest.isEmpty { return moment }
        let offset = try zone(rest)
        guard hasZone else { throw .zone }
        return moment - Int64(offset) * 1_000_000
    }

    private static func infinity(_ text: UnsafeBufferPointer<UInt8>) -> Bool? {
        if text.elementsEqual("infinity".utf8) { return true }
        return text.elementsEqual("-infinity".utf8) ? false : nil
    }

    private static func two(_ text: inout Slice<UnsafeBufferPointer<UInt8>>) throws(Failure) -> Int64 {
        guard text.count >= 2 else { throw .form }
        let (high, low) = (text[text.startIndex] &- 0x30, text[text.startIndex + 1] &- 0x30)
        guard high <= 9, low <= 9 else { throw .form }
        text = text.dropFirst(2)
        return Int64(high) * 10 + Int64(low)
    }

    /// HH:MM, HH:MM:SS or HH:MM:SS.F…
    private static func clock(_ text: inout Slice<UnsafeBufferPointer<UInt8>>) throws(Failure) -> Int64 {
        let hour = try two(&text)
        guard text.first == 0x3A else { throw .form }
        text = text.dropFirst()
        let minute = try two(&text)
        var second: Int64 = 0
        var fraction: Int64 = 0
        if text.first == 0x3A {
            text = text.dropFirst()
            second = try two(&text)
            if text.first == 0x2E {
                text = text.dropFirst()
                var place: Int64 = 100_000
                var count = 0
                while let digit = text.first.map({ $0 &- 0x30 }), digit <= 9 {
                    if place == 0, digit != 0 { throw .precision }
                    fraction += Int64(digit) * place
                    place /= 10
                    count += 1
                    text = text.dropFirst()
                }
                guard count > 0 else { throw .form }
            }
        }
        guard minute < 60, second < 60, hour < 24 || hour == 24 && minute + second + fraction == 0 else { throw .form }
        return ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction
    }

    /// Z, +HH, +HH:MM or +HHMM, in seconds to the east.
    private static func zone(_ source: Slice<UnsafeBufferPointer<UInt8>>) throws(Failure) -> Int {
        var text = source
        if text.count == 1, text.first == 0x5A || text.first == 0x7A { return 0 }
        guard let sign = text.first, sign == 0x2B || sign == 0x2D else { throw .form }
        text = text.dropFirst()
        let hour = try two(&text)
        var minute: Int64 = 0
        if !text.isEmpty {
            if text.first == 0x3A { text = text.dropFirst() }
            minute = try two(&text)
        }
        guard text.isEmpty, hour <= 15, minute < 60 else { throw .form }
        let seconds = Int(hour * 60 + minute) * 60
        return sign == 0x2D ? -seconds : seconds
    }

    // MARK: Writing

    private static func outOfRange(_ what: String) -> QueryError {
        QueryError(
            .datetimeFieldOverflow, "\(what) cannot be kept in a table of SQLite",
            detail: "Its forms of dates have years from 1 to 9999.")
    }

    static func text(date days: Int32) throws -> [UInt8] {
        var text: [UInt8] = []
        DateTimeText.appendDate(days, into: &text)
        if days == CivilCalendar.dateInfinity || days == CivilCalendar.dateMinusInfinity { return text }
        guard text.count == 10 else { throw outOfRange("the date \(String(decoding: text, as: UTF8.self))") }
        return text
    }

    static func text(time: Int64) -> [UInt8] {
        var text: [UInt8] = []
        DateTimeText.appendTime(time, into: &text)
        return text
    }

    static func text(timestamp: Int64, hasZone: Bool) throws -> [UInt8] {
        var text: [UInt8] = []
        if hasZone {
            DateTimeText.appendTimestampTZ(timestamp, zone: .utc, into: &text)
        } else {
            DateTimeText.appendTimestamp(timestamp, into: &text)
        }
        let isInfinite =
            timestamp == CivilCalendar.timestampInfinity || timestamp == CivilCalendar.timestampMinusInfinity
        guard isInfinite || text.count > 10 && text[10] == 0x20 && text.last != 0x43 else {
            throw outOfRange("the time \(String(decoding: text, as: UTF8.self))")
        }
        return text
    }
}
