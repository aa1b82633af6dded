// Reading dates, times and timestamps: every spelling that PostgreSQL takes, by the same order of decisions.

import Diagnostics

/// Why a text is no date or time.
package enum DateTimeFailure: Error {
    /// 22007.
    case syntax
    /// 22008.
    case range
    /// 22008 where another order of day and month may be meant.
    case order
    /// 22009.
    case displacement
    /// 22015.
    case interval
    /// 22023.
    case zone(String)
}

/// What a text says about a moment. One value reads one text.
struct DateTimeReader {
    struct Parts: OptionSet {
        var rawValue: UInt32
        static let year = Parts(rawValue: 1), month = Parts(rawValue: 2), day = Parts(rawValue: 4)
        static let hour = Parts(rawValue: 8), minute = Parts(rawValue: 16), second = Parts(rawValue: 32)
        static let fraction = Parts(rawValue: 64), zone = Parts(rawValue: 128), dayOfYear = Parts(rawValue: 256)
        static let era = Parts(rawValue: 512), halfDay = Parts(rawValue: 1024), weekday = Parts(rawValue: 2048)
        static let summerTime = Parts(rawValue: 4096), special = Parts(rawValue: 8192)
        static let date: Parts = [.year, .month, .day]
        static let seconds: Parts = [.second, .fraction]
        static let time: Parts = [.hour, .minute, .second, .fraction]
    }
    private enum Label { case unit(DateTimeWord.Label), time }

    let settings: TextSettings
    /// Whether only a time of day is wanted.
    let isTimeOnly: Bool

    private(set) var found: Parts = []
    private(set) var special: DateTimeWord.Special?
    private var year = 0
    private var month = 0
    private var day = 0
    private var dayOfYear = 0
    private var hour = 0
    private var minute = 0
    private var second = 0
    private var microseconds = 0
    /// Seconds east of Greenwich.
    private var offset = 0
    private var namedZone: TimeZoneData?
    private var dynamicAbbreviation: (name: String, zone: TimeZoneData)?
    private var isShortYear = false
    private var isBC = false
    private var isJulian = false
    private var hasMonthName = false
    private var isAfternoon: Bool?

    init(settings: TextSettings, isTimeOnly: Bool) {
        self.settings = settings
        self.isTimeOnly = isTimeOnly
    }

    /// Days since 1970 of the date that was read.
    var dayNumber: Int { CivilCalendar.days(year: year, month: month, day: day) }
    /// Microseconds since midnight.
    var timeOfDay: Int64 {
        Int64((hour * 60 + minute) * 60 + second) * CivilCalendar.microsecondsPerSecond + Int64(microseconds)
    }
    /// Whether the calendar reaches to the date.
    var isValidDay: Bool {
        (year > -4713 || (year == -4713 && month >= 11)) && (year < 5_874_898 || (year == 5_874_898 && month < 6))
    }

    // MARK: - The loop over fields

    mutating func read(_ text: UnsafeBufferPointer<UInt8>) throws(DateTimeFailure) {
        guard let fields = DateTimeField.split(text) else { throw .syntax }
        var label: Label?
        for (index, field) in fields.enumerated() {
            var parts: Parts = []
            switch field.kind {
            case .date: parts = try readDateField(field, index, fields, &label)
            case .time:
                if let given = label {
                    guard case .time = given else { throw .syntax }
                    label = nil
                }
                parts = try readClock(field.text[...])
                if !isTimeOnly, timeOverflows { throw .range }
            case .signed:
                offset = try Self.offset(field.text[...])
                parts = .zone
            case .number: parts = try readNumberField(field, index, fields, &label)
            case .word, .signedWord:
                guard let read = try readWord(field, index, fields, &label) else { continue }
                parts = read
            }
            if !parts.isDisjoint(with: found) { throw .syntax }
            found.formUnion(parts)
        }
        try finish()
    }

    private var timeOverflows: Bool {
        hour < 0 || hour > 24 || minute < 0 || minute > 59 || second < 0 || second > 60 || microseconds < 0
            || microseconds > 1_000_000 || timeOfDay > CivilCalendar.microsecondsPerDay
    }

    /// Fields that count as read: beside a time alone, a date is not looked for.
    private var known: Parts { isTimeOnly ? found.union(.date) : found }

    private mutating func finish() throws(DateTimeFailure) {
        try validateDate()
        if let isAfternoon {
            if hour > 12 { throw .range }
            if isAfternoon { if hour != 12 { hour += 12 } } else if hour == 12 { hour = 0 }
        }
        if isTimeOnly {
            if timeOverflows { throw .range }
            guard found.isSuperset(of: .time) else { throw .syntax }
        } else if special == nil || special == .now {
            guard found.isSuperset(of: .date) else { throw .syntax }
        }
        if found.contains(.summerTime), namedZone != nil || !found.contains(.zone) { throw .syntax }
        if isTimeOnly { try resolveZoneOfTime() }
    }

    // MARK: - Zones

    /// The moment of the date and time read, in microseconds since 1970 UTC; `nil` beyond the range of timestamps.
    func moment() -> Int64? {
        guard let local = local() else { return nil }
        return Self.valid(local, shiftedBy: offset(atLocal: local))
    }

    func localMoment() -> Int64? { local().flatMap { Self.valid($0, shiftedBy: 0) } }

    private func local() -> Int64? {
        guard isValidDay else { return nil }
        let (product, overflow) = Int64(dayNumber).multipliedReportingOverflow(by: CivilCalendar.microsecondsPerDay)
        let (sum, carry) = product.addingReportingOverflow(timeOfDay)
        return overflow || carry ? nil : sum
    }

    private static func valid(_ local: Int64, shiftedBy offset: Int) -> Int64? {
        let (moment, overflow) = local.subtractingReportingOverflow(Int64(offset) * 1_000_000)
        return overflow || !CivilCalendar.isValidTimestamp(moment) ? nil : moment
    }

    private func offset(atLocal local: Int64) -> Int {
        if let namedZone { return Self.offset(of: namedZone, atLocal: local) }
        if let dynamic = dynamicAbbreviation {
            return dynamic.zone.offset(ofAbbreviation: dynamic.name, atLocal: local)
        }
        return found.contains(.zone) ? offset : Self.offset(of: settings.timeZone, atLocal: local)
    }

    private static func offset(of zone: TimeZoneData, atLocal local: Int64) -> Int {
        Int((local &- zone.moment(ofLocal: local)) / 1_000_000)
    }

    /// Seconds east of a time of day without a date: of today where the zone's offset changes.
    private(set) var timeOffset = 0
    private mutating func resolveZoneOfTime() throws(DateTimeFailure) {
        let hasDate = found.isSuperset(of: .date)
        let today = CivilCalendar.split(settings.timeZone.localTime(of: settings.now)).day
        let local = Int64(hasDate ? dayNumber : today) * CivilCalendar.microsecondsPerDay + timeOfDay
        if let namedZone, namedZone.fixedOffset == nil, !hasDate { throw .syntax }
        // An offset that depends on the day needs all of it, or nothing: then it is today.
        let dependsOnDay = namedZone == nil && (dynamicAbbreviation != nil || !found.contains(.zone))
        if dependsOnDay, !hasDate, !found.isDisjoint(with: .date) { throw .syntax }
        timeOffset = offset(atLocal: local)
    }

    /// `+hh`, `+hhmm`, `+hh:mm`, `+hh:mm:ss` in seconds east.
    static func offset(_ text: ArraySlice<UInt8>) throws(DateTimeFailure) -> Int {
        guard let sign = text.first, sign == 0x2B || sign == 0x2D else { throw .syntax }
        var rest = text.dropFirst()
        func next() throws(DateTimeFailure) -> Int {
            let number = LeadingInteger(rest)
            rest = rest.dropFirst(number.length)
            guard let value = number.value else { throw .displacement }
            return value
        }
        var hours = try next()
        var minutes = 0
        var seconds = 0
        if rest.first == 0x3A {
            rest = rest.dropFirst()
            minutes = try next()
            if rest.first == 0x3A {
                rest = rest.dropFirst()
                seconds = try next()
            }
        } else if rest.isEmpty, text.count > 3 {
            minutes = hours % 100
            hours /= 100
        }
        guard (0...15).contains(hours), (0..<60).contains(minutes), (0..<60).contains(seconds) else {
            throw .displacement
        }
        guard rest.isEmpty else { throw .syntax }
        let total = (hours * 60 + minutes) * 60 + seconds
        return sign == 0x2D ? -total : total
    }

    // MARK: - Joined fields

    private mutating func readDateField(
        _ field: DateTimeField, _ index: Int, _ fields: [DateTimeField], _ label: inout Label?
    ) throws(DateTimeFailure) -> Parts {
        if case .unit(.julian)? = label {
            label = nil
            let number = LeadingInteger(field.text[...])
            guard let value = number.value, value >= 0 else { throw .range }
            setJulian(value)
            offset = try Self.offset(field.text.dropFirst(number.length))
            return [.year, .month, .day, .hour, .minute, .second, .fraction, .zone]
        }
        let isDateExpected: Bool
        if isTimeOnly {
            isDateExpected =
                label == nil && index == 0 && fields.count >= 2
                && (fields[fields.count - 1].kind == .date || fields[1].kind == .time)
        } else {
            isDateExpected = label == nil && !found.isSuperset(of: [.month, .day])
        }
        if isDateExpected { return try readDate(field.text) }
        if field.startsWithDigit || label != nil {
            if let given = label {
                guard case .time = given else { throw .syntax }
                label = nil
            }
            // A run-together time with an offset behind it: hhmmss-zz.
            guard !found.isSuperset(of: .time), let dash = field.text.firstIndex(of: 0x2D) else { throw .syntax }
            offset = try Self.offset(field.text[dash...])
            return try readRunTogether(Array(field.text[..<dash]), known).union(.zone)
        }
        guard let zone = TimeZoneData.named(field.string) else { throw .zone(field.string) }
        namedZone = zone
        return .zone
    }

    private mutating func setJulian(_ number: Int) {
        (year, month, day) = CivilCalendar.civil(number - CivilCalendar.julianDayOfEpoch)
        isJulian = true
    }

    /// Three numbers, one of them perhaps the name of a month.
    private mutating func readDate(_ text: [UInt8]) throws(DateTimeFailure) -> Parts {
        var pieces: [ArraySlice<UInt8>] = []
        var at = 0
        while at < text.count {
            while at < text.count, !ASCII.isDigit(text[at]), !ASCII.isLetter(text[at]) { at += 1 }
            if at == text.count { throw .syntax }
            let start = at
            if ASCII.isDigit(text[at]) {
                while at < text.count, ASCII.isDigit(text[at]) { at += 1 }
            } else {
                while at < text.count, ASCII.isLetter(text[at]) { at += 1 }
            }
            pieces.append(text[start..<at])
            if at < text.count { at += 1 }
        }
        var parts: Parts = []
        var seen = known.subtracting(isTimeOnly ? .date : [])
        for piece in pieces where ASCII.isLetter(piece[piece.startIndex]) {
            switch DateTimeWord(String(decoding: piece, as: UTF8.self)) {
            case .ignored?: continue
            case .month(let number)?:
                if seen.contains(.month) { throw .syntax }
                month = number
                hasMonthName = true
                seen.insert(.month)
                parts.insert(.month)
            default: throw .syntax
            }
        }
        for piece in pieces where ASCII.isDigit(piece[piece.startIndex]) {
            let read = try readNumber(Array(piece), seen)
            if !read.isDisjoint(with: seen) { throw .syntax }
            seen.formUnion(read)
            parts.formUnion(read)
        }
        guard seen.subtracting([.dayOfYear, .zone]) == .date else { throw .syntax }
        return parts
    }

    // MARK: - Numbers

    private mutating func readNumberField(
        _ field: DateTimeField, _ index: Int, _ fields: [DateTimeField], _ label: inout Label?
    ) throws(DateTimeFailure) -> Parts {
        if let given = label {
            label = nil
            return try readLabelled(field, given)
        }
        let length = field.text.count
        if isTimeOnly {
            if let point = field.pointAt {
                if index == 0, fields.count >= 2, fields[fields.count - 1].kind == .date {
                    return try readDate(field.text)
                }
                guard point > 2 else { throw .syntax }
                return try readRunTogether(field.text, known)
            }
            return length > 4 ? try readRunTogether(field.text, known) : try readNumber(field.text, known)
        }
        if let point = field.pointAt {
            if found.isDisjoint(with: .date) { return try readDate(field.text) }
            if point > 2 { return try readRunTogether(field.text, known) }
        } else if length >= 6, found.isDisjoint(with: .date) || found.isDisjoint(with: .time) {
            return try readRunTogether(field.text, known)
        }
        return try readNumber(field.text, known)
    }

    /// A number behind a word that says what it is.
    private mutating func readLabelled(_ field: DateTimeField, _ label: Label) throws(DateTimeFailure) -> Parts {
        let number = LeadingInteger(field.text[...])
        guard let value = number.value else { throw .range }
        let rest = field.text.dropFirst(number.length)
        let hasFraction = rest.first == 0x2E
        if !hasFraction, !rest.isEmpty { throw .syntax }
        guard case .unit(let unit) = label else {
            let parts = try readRunTogether(field.text, known.union(.date))
            guard parts == .time else { throw .syntax }
            return parts
        }
        if hasFraction, unit != .julian, unit != .second { throw .syntax }
        switch unit {
        case .year:
            year = value
            return .year
        case .month:
            // Behind an hour, M means minutes.
            if found.isSuperset(of: [.month, .hour]) {
                minute = value
                return .minute
            }
            month = value
            return .month
        case .day:
            day = value
            return .day
        case .hour:
            hour = value
            return .hour
        case .minute:
            minute = value
            return .minute
        case .second:
            second = value
            guard hasFraction else { return .second }
            microseconds = try Self.fraction(rest)
            return .seconds
        case .julian:
            guard value >= 0 else { throw .range }
            setJulian(value)
            guard hasFraction else { return .date }
            guard let part = Double(String(decoding: "0".utf8 + rest, as: UTF8.self)) else { throw .syntax }
            let total = Int((part * Double(CivilCalendar.microsecondsPerDay)).rounded(.towardZero))
            (hour, minute) = (total / 3_600_000_000, total / 60_000_000 % 60)
            (second, microseconds) = (total / 1_000_000 % 60, total % 1_000_000)
            return Parts.date.union(.time)
        case .other: throw .syntax
        }
    }

    /// One number of a date, or a time behind a date: what it is follows from what has been found before.
    private mutating func readNumber(_ text: [UInt8], _ seen: Parts) throws(DateTimeFailure) -> Parts {
        let number = LeadingInteger(text[...])
        guard let value = number.value else { throw .range }
        guard number.length > 0 else { throw .syntax }
        let rest = text.dropFirst(number.length)
        if rest.first == 0x2E {
            if number.length > 2 { return try readRunTogether(text, seen.union(.date)) }
            microseconds = try Self.fraction(rest)
        } else if !rest.isEmpty {
            throw .syntax
        }
        let length = text.count
        let date = seen.intersection(.date)
        if length == 3, date == .year, (1...366).contains(value) {
            dayOfYear = value
            return [.dayOfYear, .month, .day]
        }
        let order = settings.style.dateOrder
        var part: Parts
        switch date {
        case []: part = length >= 3 || order == .yearMonthDay ? .year : order == .dayMonthYear ? .day : .month
        case .year: part = .month
        case .month: part = hasMonthName && (length >= 3 || order == .yearMonthDay) ? .year : .day
        case [.year, .month]:
            if hasMonthName, length >= 3, isShortYear {
                // The first number was the day after all.
                (day, year) = (year, value)
                isShortYear = false
                return .day
            }
            part = .day
        case .day: part = .month
        case [.month, .day]: part = .year
        case .date: return try readRunTogether(text, seen)
        default: throw .syntax
        }
        switch part {
        case .year:
            year = value
            isShortYear = length <= 2
        case .month: month = value
        default:
            part = .day
            day = value
        }
        return part
    }

    /// yymmdd, yyyymmdd, hhmm, hhmmss or hhmmss.ffffff.
    private mutating func readRunTogether(_ text: [UInt8], _ seen: Parts) throws(DateTimeFailure) -> Parts {
        var digits = text[...]
        func number(_ slice: ArraySlice<UInt8>) throws(DateTimeFailure) -> Int {
            let number = LeadingInteger(slice)
            guard let value = number.value else { throw .range }
            return value
        }
        if let point = text.firstIndex(of: 0x2E) {
            microseconds = try Self.fraction(text[point...])
            digits = text[..<point]
        } else if !seen.isSuperset(of: .date), digits.count >= 6 {
            day = try number(digits.suffix(2))
            month = try number(digits.dropLast(2).suffix(2))
            year = try number(digits.dropLast(4))
            if digits.count == 6 { isShortYear = true }
            return .date
        }
        if !seen.isSuperset(of: .time), digits.count == 6 || digits.count == 4 {
            hour = try number(digits.prefix(2))
            minute = try number(digits.dropFirst(2).prefix(2))
            second = digits.count == 6 ? try number(digits.suffix(2)) : 0
            return .time
        }
        throw .syntax
    }

    /// `.ffffff…` in microseconds, rounded.
    static func fraction(_ text: ArraySlice<UInt8>) throws(DateTimeFailure) -> Int {
        if text.count == 1 { return 0 }
        guard let value = Double(String(decoding: "0".utf8 + text, as: UTF8.self)) else { throw .syntax }
        return Int((value * 1_000_000).rounded(.toNearestOrEven))
    }

    /// h:mm, h:mm:ss, h:mm:ss.f and mm:ss.f.
    private mutating func readClock(_ text: ArraySlice<UInt8>) throws(DateTimeFailure) -> Parts {
        let clock = try Clock(text)
        guard let hours = Int32(exactly: clock.hours) else { throw .range }
        (hour, minute, second, microseconds) = (Int(hours), clock.minutes, clock.seconds, clock.microseconds)
        return .time
    }

    // MARK: - Words

    /// `nil` for words without meaning.
    private mutating func readWord(
        _ field: DateTimeField, _ index: Int, _ fields: [DateTimeField], _ label: inout Label?
    ) throws(DateTimeFailure) -> Parts? {
        let name = field.string
        switch TimeZoneAbbreviation.named(name) {
        case .fixed(let seconds)?:
            offset = seconds
            return .zone
        case .dynamic(let zone)?:
            dynamicAbbreviation = (name, zone)
            return .zone
        case nil: break
        }
        guard let word = DateTimeWord(name) else {
            guard let zone = TimeZoneData.named(name) else { throw .syntax }
            namedZone = zone
            return .zone
        }
        switch word {
        case .ignored: return nil
        case .special(let special): return try readSpecial(special)
        case .month(let number):
            if isTimeOnly { throw .syntax }
            var part = Parts.month
            if found.contains(.month), !hasMonthName, !found.contains(.day), (1...31).contains(month) {
                day = month
                part = .day
            }
            hasMonthName = true
            month = number
            return part
        case .weekday:
            if isTimeOnly { throw .syntax }
            return .weekday
        case .halfDay(let isAfternoon):
            self.isAfternoon = isAfternoon
            return .halfDay
        case .era(let isBC):
            self.isBC = isBC
            return .era
        case .label(let unit):
            label = .unit(unit)
            return []
        case .timeFollows:
            if !isTimeOnly, !found.isSuperset(of: .date) { throw .syntax }
            guard index + 1 < fields.count, [.number, .time, .date].contains(fields[index + 1].kind) else {
                throw .syntax
            }
            label = .time
            return []
        case .summerTime:
            offset += 3600
            return .summerTime
        }
    }

    private mutating func readSpecial(_ special: DateTimeWord.Special) throws(DateTimeFailure) -> Parts {
        let local = settings.timeZone.localTime(of: settings.now)
        let (today, time) = CivilCalendar.split(local)
        if isTimeOnly, special != .now, special != .allballs { throw .syntax }
        switch special {
        case .allballs:
            (hour, minute, second, microseconds, offset) = (0, 0, 0, 0, 0)
            return Parts.time.union(.zone)
        case .now:
            (hour, minute) = (Int(time / 3_600_000_000), Int(time / 60_000_000 % 60))
            (second, microseconds) = (Int(time / 1_000_000 % 60), Int(time % 1_000_000))
            if isTimeOnly { return .time }
            (year, month, day) = CivilCalendar.civil(today)
            isJulian = true
            offset = settings.timeZone.offset(at: settings.now)
            return Parts.date.union(.time).union(.zone)
        case .today, .tomorrow, .yesterday:
            (year, month, day) = CivilCalendar.civil(today + (special == .tomorrow ? 1 : special == .today ? 0 : -1))
            isJulian = true
            return .date
        case .epoch, .infinity, .minusInfinity:
            self.special = special
            (year, month, day) = (1970, 1, 1)
            return Parts.date.union(.time).union(.zone)
        }
    }

    // MARK: - Checks

    private mutating func validateDate() throws(DateTimeFailure) {
        if found.contains(.year), !isJulian {
            if isBC {
                if year <= 0 { throw .range }
                year = 1 - year
            } else if isShortYear {
                if year < 0 { throw .range }
                year += year < 70 ? 2000 : year < 100 ? 1900 : 0
            } else if year <= 0 {
                throw .range
            }
        }
        if found.contains(.dayOfYear) {
            (year, month, day) = CivilCalendar.civil(CivilCalendar.days(year: year, month: 1, day: 1) + dayOfYear - 1)
        }
        if found.contains(.month), !(1...12).contains(month) { throw .order }
        if found.contains(.day), !(1...31).contains(day) { throw .order }
        if found.isSuperset(of: .date), day > CivilCalendar.dayCount(year: year, month: month) { throw .range }
    }
}

/// h:mm[:ss[.f]], or mm:ss.f.
struct Clock {
    var hours: Int
    var minutes: Int
    var seconds = 0
    var microseconds = 0

    /// With `minuteFirst` two numbers are minutes and seconds.
    init(_ text: ArraySlice<UInt8>, minuteFirst: Bool = false) throws(DateTimeFailure) {
        var rest = text
        func next(wide: Bool = false) throws(DateTimeFailure) -> Int {
            let number = LeadingInteger(rest, wide: wide)
            rest = rest.dropFirst(number.length)
            guard let value = number.value else { throw .range }
            return value
        }
        hours = try next(wide: true)
        guard rest.first == 0x3A else { throw .syntax }
        rest = rest.dropFirst()
        minutes = try next()
        if rest.isEmpty {
            if minuteFirst { (hours, minutes, seconds) = (0, hours, minutes) }
        } else if rest.first == 0x2E {
            microseconds = try DateTimeReader.fraction(rest)
            (hours, minutes, seconds) = (0, hours, minutes)
        } else if rest.first == 0x3A {
            rest = rest.dropFirst()
            seconds = try next()
            if rest.first == 0x2E {
                microseconds = try DateTimeReader.fraction(rest)
            } else if !rest.isEmpty {
                throw .syntax
            }
        } else {
            throw .syntax
        }
        guard hours >= 0, (0...59).contains(minutes), (0...60).contains(seconds) else { throw .range }
    }
}
