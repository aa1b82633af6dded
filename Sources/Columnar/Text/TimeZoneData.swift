// Time zones from the system's zoneinfo files (RFC 8536), with the POSIX rule for times behind the last transition.

import Diagnostics
import Glibc
import Synchronization

/// One time zone: offsets from UTC over time.
package final class TimeZoneData: Sendable {
    package let name: String
    /// Seconds since 1970 UTC, ascending, and the index of the local time type from then on.
    private let transitions: [Int64]
    private let typeOfTransition: [UInt8]
    private let types: [(offset: Int, abbreviation: String)]
    private let rule: PosixRule?

    package static let utc = TimeZoneData(fixed: 0, name: "UTC")

    private init(
        name: String, transitions: [Int64], typeOfTransition: [UInt8], types: [(offset: Int, abbreviation: String)],
        rule: PosixRule?
    ) {
        self.name = name
        self.transitions = transitions
        self.typeOfTransition = typeOfTransition
        self.types = types
        self.rule = rule
    }

    /// A zone with a fixed offset in seconds east of Greenwich.
    package convenience init(fixed offset: Int, name: String) {
        self.init(name: name, transitions: [], typeOfTransition: [], types: [(offset, name)], rule: nil)
    }

    private static let cache = Mutex<[String: TimeZoneData]>([:])

    /// A zone by IANA name, "UTC", or an offset such as "+02", "-05:30"; `nil` if there is none.
    package static func named(_ name: String) -> TimeZoneData? {
        switch name.uppercased() {
        case "UTC", "Z", "GMT", "ZULU", "UCT", "ETC/UTC": return utc
        default: break
        }
        if let zone = cache.withLock({ $0[name] }) { return zone }
        guard let zone = fixedOffset(name) ?? load(name) else { return nil }
        cache.withLock { $0[name] = zone }
        return zone
    }

    /// Abbreviations that PostgreSQL knows without a file, in seconds east.
    package static func abbreviationOffset(_ text: String) -> Int? {
        switch text.uppercased() {
        case "UTC", "GMT", "Z", "ZULU", "WET", "UT": 0
        case "CET", "BST", "WEST", "MET": 3600
        case "CEST", "EET", "SAST", "MEST": 7200
        case "EEST", "MSK": 10800
        case "IST": 7200
        case "JST", "KST": 32400
        case "AEST": 36000
        case "AEDT": 39600
        case "EST", "CDT": -18000
        case "EDT": -14400
        case "CST", "MDT": -21600
        case "MST", "PDT": -25200
        case "PST": -28800
        case "HST": -36000
        default: nil
        }
    }

    private static func fixedOffset(_ name: String) -> TimeZoneData? {
        if let offset = abbreviationOffset(name), offset != 0, !name.contains("/") {
            return TimeZoneData(fixed: offset, name: name.uppercased())
        }
        guard let first = name.utf8.first, first == 0x2B || first == 0x2D else { return nil }
        let parts = name.dropFirst().split(separator: ":").map { Int($0) }
        guard !parts.isEmpty, parts.count <= 3, parts.allSatisfy({ $0 != nil }) else { return nil }
        var seconds = 0
        var unit = 3600
        for part in parts {
            seconds += (part ?? 0) * unit
            unit /= 60
        }
        guard seconds < 16 * 3600 else { return nil }
        return TimeZoneData(fixed: first == 0x2D ? -seconds : seconds, name: name)
    }

    private static func load(_ name: String) -> TimeZoneData? {
        let isSafe = name.utf8.allSatisfy { byte in
            (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5A) || (byte >= 0x61 && byte <= 0x7A)
                || byte == 0x2F || byte == 0x5F || byte == 0x2D || byte == 0x2B
        }
        guard isSafe, !name.isEmpty, !name.hasPrefix("/"), !name.contains("..") else { return nil }
        // Names are matched without regard to case: try as written, then with capitals after separators.
        for candidate in [name, capitalised(name), name.uppercased()] {
            if let bytes = contents("/usr/share/zoneinfo/" + candidate), let zone = parse(bytes, name: candidate) {
                return zone
            }
        }
        return nil
    }

    private static func capitalised(_ name: String) -> String {
        var result = ""
        var atStart = true
        for character in name {
            result += atStart ? character.uppercased() : character.lowercased()
            atStart = character == "/" || character == "_" || character == "-"
        }
        return result
    }

    private static func contents(_ path: String) -> [UInt8]? {
        guard let file = fopen(path, "rb") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 18)
        let count = fread(&bytes, 1, bytes.count, file)
        guard count > 44 else { return nil }
        return Array(bytes[..<count])
    }

    private static func parse(_ bytes: [UInt8], name: String) -> TimeZoneData? {
        func number(_ at: Int, _ width: Int) -> Int64 {
            guard at + width <= bytes.count else { return 0 }
            var value: Int64 = bytes[at] >= 0x80 ? -1 : 0
            for index in 0..<width { value = value << 8 | Int64(bytes[at + index]) }
            return value
        }
        guard bytes.count > 44, bytes[0] == 0x54, bytes[1] == 0x5A, bytes[2] == 0x69, bytes[3] == 0x66 else {
            return nil
        }
        func counts(_ at: Int) -> [Int] { (0..<6).map { Int(number(at + 20 + $0 * 4, 4)) } }
        var header = 0
        var width = 4
        if bytes[4] >= 0x32 {
            // The second block repeats the first with 64-bit times.
            let c = counts(0)
            header = 44 + c[3] * 5 + c[4] * 6 + c[5] + c[2] * 8 + c[1] + c[0]
            width = 8
        }
        guard header + 44 <= bytes.count else { return nil }
        let c = counts(header)
        let (utcCount, standardCount, leapCount, timeCount, typeCount, characterCount) = (
            c[0], c[1], c[2], c[3], c[4], c[5]
        )
        var at = header + 44
        let end =
            at + timeCount * (width + 1) + typeCount * 6 + characterCount + leapCount * (width + 4) + standardCount
            + utcCount
        guard end <= bytes.count, typeCount > 0 else { return nil }
        let times = (0..<timeCount).map { number(at + $0 * width, width) }
        at += timeCount * width
        let indexes = Array(bytes[at..<(at + timeCount)])
        at += timeCount
        let names = at + typeCount * 6
        let types = (0..<typeCount).map { index -> (offset: Int, abbreviation: String) in
            let base = at + index * 6
            var stop = names + Int(bytes[base + 5])
            let start = stop
            while stop < bytes.count && bytes[stop] != 0 { stop += 1 }
            return (Int(number(base, 4)), String(decoding: bytes[start..<stop], as: UTF8.self))
        }
        guard indexes.allSatisfy({ Int($0) < typeCount }) else { return nil }
        let footer = end < bytes.count ? String(decoding: bytes[end...], as: UTF8.self) : ""
        return TimeZoneData(
            name: name, transitions: times, typeOfTransition: indexes, types: types,
            rule: PosixRule(footer.filter { $0 != "\n" }))
    }

    private func local(at seconds: Int64) -> (offset: Int, abbreviation: String) {
        guard let last = transitions.last else { return rule?.local(at: seconds) ?? types[0] }
        if seconds >= last, let rule { return rule.local(at: seconds) }
        var low = 0
        var high = transitions.count
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle] <= seconds { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? types[0] : types[Int(typeOfTransition[low - 1])]
    }

    /// Seconds east of Greenwich at a moment (microseconds since 1970 UTC).
    package func offset(at utc: Int64) -> Int { local(at: floorSeconds(utc)).offset }
    package func abbreviation(at utc: Int64) -> String { local(at: floorSeconds(utc)).abbreviation }

    /// Local time of a moment, both in microseconds. Infinity stays.
    package func localTime(of utc: Int64) -> Int64 {
        if utc == CivilCalendar.timestampInfinity || utc == CivilCalendar.timestampMinusInfinity { return utc }
        return utc &+ Int64(offset(at: utc)) &* CivilCalendar.microsecondsPerSecond
    }

    /// The moment of a local time. In a gap or an overlap the standard-time reading is taken, as PostgreSQL does.
    package func moment(ofLocal local: Int64) -> Int64 {
        if local == CivilCalendar.timestampInfinity || local == CivilCalendar.timestampMinusInfinity { return local }
        if transitions.isEmpty && rule == nil {
            return local &- Int64(types[0].offset) &* CivilCalendar.microsecondsPerSecond
        }
        let day = CivilCalendar.microsecondsPerDay
        let before = offset(at: local &- day)
        let after = offset(at: local &+ day)
        let first = local &- Int64(before) &* CivilCalendar.microsecondsPerSecond
        if before == after { return first }
        let second = local &- Int64(after) &* CivilCalendar.microsecondsPerSecond
        let firstHolds = offset(at: first) == before
        let secondHolds = offset(at: second) == after
        if firstHolds && secondHolds { return before < after ? first : second }
        if firstHolds { return first }
        if secondHolds { return second }
        return before < after ? first : second
    }

    private func floorSeconds(_ microseconds: Int64) -> Int64 {
        microseconds >= 0 ? microseconds / 1_000_000 : (microseconds - 999_999) / 1_000_000
    }
}

/// The rule at the end of a zoneinfo file: `CET-1CEST,M3.5.0,M10.5.0/3`.
private struct PosixRule {
    private struct Change {
        enum Day { case monthWeek(month: Int, week: Int, weekday: Int), julian(Int), zeroBased(Int) }
        var day: Day
        var seconds: Int
    }
    private var standard: (offset: Int, abbreviation: String)
    private var daylight: (offset: Int, abbreviation: String)?
    private var start: Change?
    private var end: Change?

    init?(_ text: String) {
        var rest = Substring(text)
        guard let name = PosixRule.name(&rest), let offset = PosixRule.offset(&rest) else { return nil }
        standard = (-offset, name)
        guard !rest.isEmpty else { return }
        guard let daylightName = PosixRule.name(&rest) else { return nil }
        let daylightOffset = rest.first == "," ? offset - 3600 : (PosixRule.offset(&rest) ?? offset - 3600)
        daylight = (-daylightOffset, daylightName)
        let parts = rest.split(separator: ",")
        guard parts.count == 2, let start = PosixRule.change(parts[0]), let end = PosixRule.change(parts[1]) else {
            return nil
        }
        self.start = start
        self.end = end
    }

    private static func name(_ rest: inout Substring) -> String? {
        if rest.first == "<" {
            guard let close = rest.firstIndex(of: ">") else { return nil }
            let name = String(rest[rest.index(after: rest.startIndex)..<close])
            rest = rest[rest.index(after: close)...]
            return name
        }
        let name = rest.prefix { $0.isLetter }
        rest = rest.dropFirst(name.count)
        return name.isEmpty ? nil : String(name)
    }

    private static func offset(_ rest: inout Substring) -> Int? {
        let text = rest.prefix { $0.isNumber || $0 == ":" || $0 == "-" || $0 == "+" }
        guard !text.isEmpty else { return nil }
        rest = rest.dropFirst(text.count)
        return seconds(text)
    }

    private static func seconds(_ text: Substring) -> Int? {
        let isNegative = text.first == "-"
        let parts = text.drop { $0 == "-" || $0 == "+" }.split(separator: ":").map { Int($0) }
        var total = 0
        var unit = 3600
        for part in parts {
            guard let part else { return nil }
            total += part * unit
            unit /= 60
        }
        return isNegative ? -total : total
    }

    private static func change(_ text: Substring) -> Change? {
        let halves = text.split(separator: "/")
        guard let first = halves.first else { return nil }
        let time = halves.count > 1 ? seconds(halves[1]) ?? 7200 : 7200
        if first.first == "M" {
            let numbers = first.dropFirst().split(separator: ".").compactMap { Int($0) }
            guard numbers.count == 3 else { return nil }
            return Change(day: .monthWeek(month: numbers[0], week: numbers[1], weekday: numbers[2]), seconds: time)
        }
        if first.first == "J" { return Int(first.dropFirst()).map { Change(day: .julian($0), seconds: time) } }
        return Int(first).map { Change(day: .zeroBased($0), seconds: time) }
    }

    private func localSeconds(_ change: Change, year: Int) -> Int64 {
        let day: Int
        switch change.day {
        case .monthWeek(let month, let week, let weekday):
            let first = CivilCalendar.days(year: year, month: month, day: 1)
            var candidate = first + (weekday - CivilCalendar.dayOfWeek(first) + 7) % 7 + (week - 1) * 7
            if candidate >= first + CivilCalendar.dayCount(year: year, month: month) { candidate -= 7 }
            day = candidate
        case .julian(let number):
            let leapDay = CivilCalendar.isLeap(year) && number >= 60 ? 1 : 0
            day = CivilCalendar.days(year: year, month: 1, day: 1) + number - 1 + leapDay
        case .zeroBased(let number): day = CivilCalendar.days(year: year, month: 1, day: 1) + number
        }
        return Int64(day) * 86_400 + Int64(change.seconds)
    }

    func local(at seconds: Int64) -> (offset: Int, abbreviation: String) {
        guard let daylight, let start, let end else { return standard }
        let year = CivilCalendar.civil(CivilCalendar.split(seconds * 1_000_000).day).year
        let from = localSeconds(start, year: year) - Int64(standard.offset)
        let to = localSeconds(end, year: year) - Int64(daylight.offset)
        let isDaylight = from < to ? seconds >= from && seconds < to : !(seconds >= to && seconds < from)
        return isDaylight ? daylight : standard
    }
}
