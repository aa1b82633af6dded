// What a path's items are while it is evaluated.

import Columnar
import Diagnostics

/// An item: a JSON value, or a moment that `datetime()` made of one.
struct JSONPathValue {
    /// Lies in an argument or in the evaluator's heap.
    var node: JSONNode
    var moment: JSONPathMoment?

    init(_ node: JSONNode, moment: JSONPathMoment? = nil) {
        self.node = node
        self.moment = moment
    }

    var isArray: Bool { moment == nil && node.isArray }
    var isObject: Bool { moment == nil && node.isObject }
    var isContainer: Bool { moment == nil && node.isContainer }
    var isNumber: Bool { moment == nil && node.isNumber }
    var isString: Bool { moment == nil && node.isString }
    var typeName: String { moment?.kind.rawValue ?? node.typeName }
}

/// The items found so far; by reference, since every step of a path may add some.
final class JSONPathItems {
    var items: [JSONPathValue] = []
}

/// A date, a time or both, in SQL/JSON's five kinds.
struct JSONPathMoment {
    enum Kind: String {
        case date
        case time = "time without time zone"
        case timeWithZone = "time with time zone"
        case timestamp = "timestamp without time zone"
        case timestampWithZone = "timestamp with time zone"
        var hasZone: Bool { self == .timeWithZone || self == .timestampWithZone }
        var isTime: Bool { self == .time || self == .timeWithZone }
    }
    var kind: Kind
    /// Microseconds of the local time: since midnight or since 1970; dates are their midnights.
    var local: Int64
    /// Seconds east of Greenwich.
    var offset: Int = 0

    private static let dayMicroseconds: Int64 = 86_400_000_000

    /// A text in one of the ISO forms; `nil` for others.
    init?(_ source: UnsafeBufferPointer<UInt8>) {
        var scanner = Scanner(text: source)
        scanner.skipBlanks()
        var days: Int64?
        let start = scanner.at
        if let date = scanner.date() { days = date } else { scanner.at = start }
        var time: Int64?
        if days == nil {
            guard let value = scanner.time() else { return nil }
            time = value
        } else {
            let behind = scanner.at
            if scanner.separator(), let value = scanner.time() { time = value } else { scanner.at = behind }
        }
        var zone: Int?
        if time != nil { zone = scanner.zone() }
        scanner.skipBlanks()
        guard scanner.at == source.count else { return nil }
        offset = zone ?? 0
        switch (days, time) {
        case (let days?, nil): (kind, local) = (.date, days * JSONPathMoment.dayMicroseconds)
        case (nil, let time?): (kind, local) = (zone == nil ? .time : .timeWithZone, time)
        case (let days?, let time?):
            kind = zone == nil ? .timestamp : .timestampWithZone
            local = days * JSONPathMoment.dayMicroseconds + time
        case (nil, nil): return nil
        }
    }

    /// A text read by a template. The kind is what the template asks for. Errors: 22007, 22008.
    init(_ text: String, template: DateTemplate) throws {
        let moment = try DateReader.readStandard(text, template)
        let isDate = template.contains { $0.isDate }
        let isTime = template.contains { $0.isTime }
        let isZone = template.contains { $0.isZone }
        switch (isDate, isTime) {
        case (true, true): kind = isZone ? .timestampWithZone : .timestamp
        case (true, false):
            if isZone { throw QueryError(.invalidDatetimeFormat, "datetime format is zoned but not timed") }
            kind = .date
        case (false, true): kind = isZone ? .timeWithZone : .time
        case (false, false):
            throw QueryError(.invalidDatetimeFormat, "datetime format is not dated and not timed")
        }
        if isZone, moment.offset == nil {
            throw QueryError(.invalidDatetimeFormat, "missing time zone in input string for type \(kind.rawValue)")
        }
        var time = moment.time
        if let digits = moment.fractionDigits {
            var unit: Int64 = 1
            for _ in min(digits, 6)..<6 { unit *= 10 }
            time = (time + unit / 2) / unit * unit
        }
        local = (isDate ? Int64(moment.day) * JSONPathMoment.dayMicroseconds : 0) + (isTime ? time : 0)
        offset = moment.offset ?? 0
    }

    private struct Scanner {
        let text: UnsafeBufferPointer<UInt8>
        var at = 0

        mutating func skipBlanks() { while at < text.count, text[at] == 0x20 { at += 1 } }
        mutating func accept(_ byte: UInt8) -> Bool {
            guard at < text.count, text[at] == byte else { return false }
            at += 1
            return true
        }
        mutating func number(_ digitsMax: Int) -> Int? {
            var value = 0
            var count = 0
            while at < text.count, text[at] &- 0x30 <= 9, count < digitsMax {
                value = value * 10 + Int(text[at] &- 0x30)
                at += 1
                count += 1
            }
            return count == 0 ? nil : value
        }
        mutating func date() -> Int64? {
            let start = at
            guard number(4) != nil, accept(0x2D), number(2) != nil, accept(0x2D), number(2) != nil else { return nil }
            let part = UnsafeBufferPointer(rebasing: text[start..<at])
            guard case .integer(let days)? = try? TextFormat.parse(part, as: .date) else { return nil }
            return days
        }
        mutating func separator() -> Bool {
            if accept(0x54) || accept(0x74) { return true }
            let start = at
            skipBlanks()
            return at > start
        }
        mutating func time() -> Int64? {
            guard let hours = number(2), hours < 24, accept(0x3A), let minutes = number(2), minutes < 60, accept(0x3A),
                let seconds = number(2), seconds < 60
            else { return nil }
            var microseconds = 0
            if at < text.count, text[at] == 0x2E {
                at += 1
                var unit = 100_000
                var count = 0
                while at < text.count, text[at] &- 0x30 <= 9, count < 6 {
                    microseconds += Int(text[at] &- 0x30) * unit
                    unit /= 10
                    at += 1
                    count += 1
                }
                if count == 0 { return nil }
            }
            return Int64(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + microseconds)
        }
        mutating func zone() -> Int? {
            let start = at
            skipBlanks()
            guard at < text.count, text[at] == 0x2B || text[at] == 0x2D else {
                at = start
                return nil
            }
            let sign = text[at] == 0x2D ? -1 : 1
            at += 1
            guard let hours = number(2), hours < 16 else {
                at = start
                return nil
            }
            var minutes = 0
            if accept(0x3A) {
                guard let value = number(2), value < 60 else {
                    at = start
                    return nil
                }
                minutes = value
            }
            return sign * (hours * 60 + minutes) * 60
        }
    }

    func append(to text: inout [UInt8]) {
        switch kind {
        case .date: DateTimeText.appendDate(Int32(local / JSONPathMoment.dayMicroseconds), into: &text)
        case .time, .timeWithZone: DateTimeText.appendTime(local, into: &text)
        case .timestamp, .timestampWithZone:
            DateTimeText.appendTimestamp(local, into: &text)
            if let blank = text.firstIndex(of: 0x20) { text[blank] = 0x54 }
        }
        guard kind.hasZone else { return }
        text.append(offset < 0 ? 0x2D : 0x2B)
        let minutes = abs(offset) / 60
        for value in [minutes / 60, minutes % 60] {
            if text.last != 0x2B && text.last != 0x2D { text.append(0x3A) }
            text.append(contentsOf: [0x30 + UInt8(value / 10), 0x30 + UInt8(value % 10)])
        }
    }

    private var utc: Int64 { local - Int64(offset) * 1_000_000 }

    /// Negative, zero or positive; `nil` for kinds that do not compare. `zone` is the session's, where it may be used.
    /// Error: 0A000 when it is needed and may not.
    static func compare(_ a: JSONPathMoment, _ b: JSONPathMoment, zone: TimeZoneData?) throws -> Int? {
        if a.kind.isTime != b.kind.isTime { return nil }
        func order(_ x: Int64, _ y: Int64) -> Int { x < y ? -1 : x > y ? 1 : 0 }
        if a.kind.hasZone == b.kind.hasZone {
            if !a.kind.hasZone { return order(a.local, b.local) }
            let result = order(a.utc, b.utc)
            // Times of one moment differ by their zones, the western one being later.
            return result != 0 || !a.kind.isTime ? result : order(Int64(-a.offset), Int64(-b.offset))
        }
        let (plain, zoned) = a.kind.hasZone ? (b, a) : (a, b)
        guard let zone else {
            func name(_ kind: Kind) -> String {
                switch kind {
                case .date: "date"
                case .time: "time"
                case .timeWithZone: "timetz"
                case .timestamp: "timestamp"
                case .timestampWithZone: "timestamptz"
                }
            }
            throw QueryError(
                .featureNotSupported,
                "cannot convert value from \(name(plain.kind)) to \(name(zoned.kind)) without time zone usage",
                hint: "Use *_tz() function for time zone support.")
        }
        var converted = plain
        converted.kind = zoned.kind
        if plain.kind == .time {
            throw QueryError.notSupported("comparing a time with a time with time zone in a jsonpath")
        }
        let moment = zone.moment(ofLocal: plain.local)
        converted.offset = Int((plain.local - moment) / 1_000_000)
        return try a.kind.hasZone ? compare(a, converted, zone: zone) : compare(converted, b, zone: zone)
    }
}
