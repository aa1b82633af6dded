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

    private convenience init(fixed offset: Int, name: String) {
        self.init(name: name, transitions: [], typeOfTransition: [], types: [(offset, name)], rule: nil)
    }

    private static let cache = Mutex<[String: TimeZoneData]>([:])

    /// A zone by its name in the system's database, in any case, or by a POSIX specification such as `EST5EDT` or
    /// `<+02>-2`; `nil` if it is neither.
    package static func named(_ name: String) -> TimeZoneData? {
        let key = name.lowercased()
        switch key {
        case "utc", "etc/utc": return utc
        default: break
        }
        if let zone = cache.withLock({ $0[key] }) { return zone }
        guard let zone = load(name) ?? specified(name) else { return nil }
        cache.withLock { $0[key] = zone }
        return zone
    }

    /// A zone as SET TIME ZONE takes it: a name, or hours east of Greenwich.
    package static func session(_ text: String) -> TimeZoneData? {
        let trimmed = text.filter { $0 != " " }
        if let hours = Double(trimmed), hours.isFinite, abs(hours) < 168 { return fixed(seconds: Int(hours * 3600)) }
        return named(text)
    }

    /// A zone with a fixed offset, under the POSIX name that says so: `<-08>+08`.
    package static func fixed(seconds: Int) -> TimeZoneData {
        func text(_ signs: (String, String)) -> String {
            let magnitude = abs(seconds)
            func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
            var result = (seconds < 0 ? signs.0 : signs.1) + two(magnitude / 3600)
            if magnitude % 3600 != 0 { result += ":" + two(magnitude / 60 % 60) }
            if magnitude % 60 != 0 { result += ":" + two(magnitude % 60) }
            return result
        }
        let abbreviation = text(("-", "+"))
        return TimeZoneData(
            name: "<\(abbreviation)>\(text(("+", "-")))", transitions: [], typeOfTransition: [],
            types: [(seconds, abbreviation)], rule: nil)
    }

    /// A zone by a POSIX specification alone. Without rules for summer time those of the United States hold.
    private static func specified(_ name: String) -> TimeZoneData? {
        let upper = name.uppercased()
        guard let rule = PosixRule(upper) ?? PosixRule(upper + ",M3.2.0,M11.1.0") else { return nil }
        if !rule.hasDaylight { return fixedRule(rule, name: upper) }
        return TimeZoneData(
            name: upper, transitions: [], typeOfTransition: [], types: [rule.standard], rule: rule)
    }

    private static func fixedRule(_ rule: PosixRule, name: String) -> TimeZoneData {
        TimeZoneData(name: name, transitions: [], typeOfTransition: [], types: [rule.standard], rule: nil)
    }

    /// A zone by hours, minutes and seconds east of Greenwich behind a sign.
    package static func displaced(_ text: String) throws(DateTimeFailure) -> TimeZoneData {
        .fixed(seconds: try DateTimeReader.offset(Array(text.utf8)[...]))
    }

    /// The offset if it never changes.
    package var fixedOffset: Int? { transitions.isEmpty && rule == nil ? types[0].offset : nil }

    /// Seconds east that an abbreviation means in this zone at a local time: those of its latest use up to then, of its
    /// first use after, or of the zone itself where it was never used.
    package func offset(ofAbbreviation abbreviation: String, atLocal local: Int64) -> Int {
        let moment = self.moment(ofLocal: local)
        let wanted = abbreviation.uppercased()
        let now = floorSeconds(moment)
        var result: Int?
        for (index, time) in transitions.enumerated() {
            let type = types[Int(typeOfTransition[index])]
            if type.abbreviation != wanted { continue }
            if time <= now || result == nil { result = type.offset }
            if time > now { break }
        }
        if let rule, rule.hasDaylight || result == nil {
            for type in [rule.standard, rule.daylight].compactMap({ $0 })
            where type.abbreviation == wanted && (transitions.last ?? now) <= now { result = type.offset }
        }
        return result ?? offset(at: moment)
    }

    private static func load(_ name: String) -> TimeZoneData? {
        let isSafe = name.utf8.allSatisfy { byte in
            ASCII.isDigit(byte) || ASCII.isLetter(byte) || byte == 0x2F || byte == 0x5F || byte == 0x2D || byte == 0x2B
        }
        guard isSafe, !name.isEmpty, !name.hasPrefix("/") else { return nil }
        let root = "/usr/share/zoneinfo/"
        if let bytes = contents(root + name), let zone = parse(bytes, name: name) { return zone }
        // Names are matched without regard to case, directory by directory.
        var path = ""
        for part in name.split(separator: "/", omittingEmptySubsequences: false) {
            guard let entry = entry(root + path, like: part.lowercased()) else { return nil }
            path += (path.isEmpty ? "" : "/") + entry
        }
        return contents(root + path).flatMap { parse($0, name: path) }
    }

    private static func entry(_ directory: String, like name: String) -> String? {
        guard let stream = opendir(directory) else { return nil }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let text = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if text.lowercased() == name { return text }
        }
        return nil
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
    private(set) var standard: (offset: Int, abbreviation: String)
    private(set) var daylight: (offset: Int, abbreviation: String)?
    var hasDaylight: Bool { daylight != nil }
    private var start: Change?
    private var end: Change?

    init?(_ text: String) {
        var rest = Substring(text)
        let name = PosixRule.name(&rest) ?? ""
        guard let offset = PosixRule.offset(&rest), abs(offset) < 168 * 3600 else { return nil }
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
        guard text.contains(where: \.isNumber) else { return nil }
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
