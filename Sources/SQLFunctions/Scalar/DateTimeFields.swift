// extract, date_part, date_trunc: fields of dates, times and intervals.

import Columnar
import Diagnostics
import QueryPlan

/// A field of a date or time.
enum DateTimeUnit: String, CaseIterable, Sendable {
    case microseconds, milliseconds, second, minute, hour, day, week, month, quarter, year, decade, century, millennium
    case dow, isodow, doy, isoyear, epoch, julian, timezone
    case timezoneHour = "timezone_hour"
    case timezoneMinute = "timezone_minute"

    init?(named text: String) {
        let name = text.lowercased()
        switch name {
        case "us", "usec", "usecs", "microsecond": self = .microseconds
        case "ms", "msec", "msecs", "millisecond": self = .milliseconds
        case "s", "sec", "secs", "seconds": self = .second
        case "m", "min", "mins", "minutes": self = .minute
        case "h", "hr", "hrs", "hours": self = .hour
        case "d", "days": self = .day
        case "w", "weeks": self = .week
        case "mon", "mons", "months": self = .month
        case "qtr": self = .quarter
        case "y", "yr", "yrs", "years": self = .year
        case "dec", "decs", "decades": self = .decade
        case "c", "cent", "centuries": self = .century
        case "mil", "mils", "millennia": self = .millennium
        case "j", "jd": self = .julian
        default:
            guard let field = DateTimeUnit(rawValue: name) else { return nil }
            self = field
        }
    }

    /// Whether the field of an infinite moment is infinite too; others have none.
    var growsWithTime: Bool {
        switch self {
        case .year, .decade, .century, .millennium, .isoyear, .epoch, .julian: true
        default: false
        }
    }

    /// Whether values have a fraction.
    var hasFraction: Bool {
        switch self {
        case .second, .milliseconds, .epoch, .julian: true
        default: false
        }
    }
}

enum DateTimeFields {
    static let wholeType = DataType.decimal(precision: 18, scale: 0)
    /// Where the field is not known before the query runs.
    private static let openType = DataType.decimal(precision: 38, scale: 6)

    /// The type of a field's values, with PostgreSQL's digits behind the point.
    private static func resultType(_ field: DateTimeUnit, _ type: DataType) -> DataType {
        switch field {
        case .second: .decimal(precision: 18, scale: 6)
        case .milliseconds: .decimal(precision: 18, scale: 3)
        case .epoch: type == .date ? wholeType : .decimal(precision: 20, scale: 6)
        case .julian: type == .date ? wholeType : .decimal(precision: 38, scale: julianScale)
        default: wholeType
        }
    }
    private static let julianScale = 20

    static func register(in registry: FunctionRegistry) {
        let types: [DataType] = [.date, .timestamp, .timestampTZ, .time, .timeTZ, .interval]
        for type in types {
            let volatility: Volatility = type == .timestampTZ ? .stable : .immutable
            let isTimestamp = type == .timestamp
            registry.scalar(
                "extract", [.text, .exact(type)], typed: { _ in openType }, volatility: volatility, canFail: true,
                literalResultType: { _, literals in
                    guard let text = literals.first??.text, let field = DateTimeUnit(named: text) else { return nil }
                    // An infinite number has no fixed scale: only a constant is known to have an infinite field.
                    if literals.count > 1, let value = literals[1], isInfinite(value, type), field.growsWithTime {
                        return .anyNumeric
                    }
                    return resultType(field, type)
                },
                FunctionDocumentation(
                    "Date and time", "A field of a date, time or interval, as a number.",
                    example: isTimestamp ? "extract('hour', timestamp '2001-02-16 20:38:40')" : nil,
                    result: isTimestamp ? "20" : nil)
            ) { arguments, result, count, context in try extract(arguments, type, result, count, context) }
            registry.scalar(
                "date_part", [.text, .exact(type)], .float64, volatility: volatility, canFail: true,
                FunctionDocumentation(
                    "Date and time", "A field of a date, time or interval, as a float.",
                    example: isTimestamp ? "date_part('hour', timestamp '2001-02-16 20:38:40')" : nil,
                    result: isTimestamp ? "20" : nil)
            ) { arguments, result, count, context in try part(arguments, type, result, count, context) }
        }
        registerTruncation(in: registry)
    }

    private static func isInfinite(_ value: ScalarValue, _ type: DataType) -> Bool {
        guard case .integer(let number) = value else { return false }
        switch type {
        case .date: return number == Int64(Int32.max) || number == Int64(Int32.min)
        case .timestamp, .timestampTZ: return number == .max || number == .min
        default: return false
        }
    }

    /// The sign of an infinite value, 0 for finite ones.
    @inline(__always)
    private static func infinity(_ vector: Vector, _ row: Int, _ type: DataType) -> Int {
        switch type {
        case .date:
            let day = vector.values(Int32.self)[row]
            return day == .max ? 1 : day == .min ? -1 : 0
        case .timestamp, .timestampTZ:
            let moment = vector.values(Int64.self)[row]
            return moment == .max ? 1 : moment == .min ? -1 : 0
        default: return 0
        }
    }

    /// Calls `body` with the field, vector and index of every row whose arguments are not null.
    @inline(__always)
    private static func eachRow(
        _ arguments: [Vector], _ type: DataType, _ count: Int, _ body: (Int, DateTimeUnit, Vector, Int) throws -> Void
    ) throws {
        let names = ViewColumn(arguments[0])
        let constant =
            arguments[0].encoding == .constant && !arguments[0].isNull(0) ? try field(names.string(0), type) : nil
        for row in 0..<count {
            if arguments[0].isNull(row) || arguments[1].isNull(row) { continue }
            let (vector, index) = arguments[1].position(row)
            try body(row, constant ?? field(names.string(row), type), vector, index)
        }
    }

    private static func extract(
        _ arguments: [Vector], _ type: DataType, _ result: DataType, _ count: Int, _ context: EvaluationContext
    ) throws -> Vector {
        if result.isNumericBlob, count > 0 {
            // Chosen for an infinite constant: every row has its sign.
            let (vector, index) = arguments[1].position(0)
            let value: NumericValue = infinity(vector, index, type) > 0 ? .infinity : .minusInfinity
            return .constant(.bytes(NumericBlob.bytes(value)), type: result, count: count)
        }
        let zone = type == .timestampTZ ? context.textSettings.timeZone : .utc
        let output = Vector(flat: result, capacity: count)
        output.data.initializeMemory(as: UInt8.self, repeating: 0, count: count * result.physical.width)
        let isWide = result.physical == .int128
        try eachRow(arguments, type, count) { row, field, vector, index in
            if infinity(vector, index, type) != 0 {
                if field.growsWithTime {
                    throw QueryError.notSupported("an infinite number as the field of an infinite date or time")
                }
                Validity.setNull(output.ensureValidity(), row)
                return
            }
            var failed: UInt8 = 0
            let value: Int128
            if field == .julian, type != .date {
                guard result.scale == julianScale else {
                    throw QueryError.notSupported("a Julian day where the field is not a constant")
                }
                value = try julian(vector.values(Int64.self)[index], type == .timestampTZ ? zone : nil, type)
            } else {
                let scale: Int64 = result.scale == 0 ? 1 : 1_000_000
                let number = read(vector, index, type, field, zone, scale, &failed)
                if failed != 0 { throw unsupported(field, type) }
                value = Int128(result.scale == 3 ? number / 1000 : number)
            }
            if isWide {
                output.values(Int128.self)[row] = value
            } else {
                output.values(Int64.self)[row] = Int64(truncatingIfNeeded: value)
            }
        }
        return output
    }

    private static func part(
        _ arguments: [Vector], _ type: DataType, _ result: DataType, _ count: Int, _ context: EvaluationContext
    ) throws -> Vector {
        let zone = type == .timestampTZ ? context.textSettings.timeZone : .utc
        let output = Vector(flat: result, capacity: count)
        let target = output.values(Double.self)
        target.update(repeating: 0, count: count)
        try eachRow(arguments, type, count) { row, field, vector, index in
            let sign = infinity(vector, index, type)
            if sign != 0 {
                if field.growsWithTime {
                    target[row] = sign > 0 ? .infinity : -.infinity
                } else {
                    Validity.setNull(output.ensureValidity(), row)
                }
                return
            }
            if field == .julian, type == .timestamp || type == .timestampTZ {
                let (day, rest) = CivilCalendar.split(zone.localTime(of: vector.values(Int64.self)[index]))
                target[row] =
                    Double(day + CivilCalendar.julianDayOfEpoch) + Double(rest)
                    / Double(CivilCalendar.microsecondsPerDay)
                return
            }
            var failed: UInt8 = 0
            let isFraction = field.hasFraction && type != .date
            let value = read(vector, index, type, field, zone, isFraction ? 1_000_000 : 1, &failed)
            if failed != 0 { throw unsupported(field, type) }
            target[row] = isFraction ? Double(value) / 1_000_000 : Double(value)
        }
        return output
    }

    /// Days with the fraction of the day in twenty digits, rounded.
    private static func julian(_ moment: Int64, _ zone: TimeZoneData?, _ type: DataType) throws -> Int128 {
        if type != .timestamp && type != .timestampTZ { throw unsupported(.julian, type) }
        let (day, rest) = CivilCalendar.split(zone?.localTime(of: moment) ?? moment)
        let unit = PowerOfTen.value(julianScale)
        let microseconds = Int128(CivilCalendar.microsecondsPerDay)
        return Int128(day + CivilCalendar.julianDayOfEpoch) * unit
            + (Int128(rest) * unit + microseconds / 2) / microseconds
    }

    private static func field(_ name: String, _ type: DataType) throws -> DateTimeUnit {
        guard let field = DateTimeUnit(named: name) else {
            throw QueryError(.invalidParameterValue, "unit \"\(name)\" not recognized for type \(type.sqlName)")
        }
        return field
    }

    /// Fields that are no precision are not known to date_trunc at all.
    private static func notTruncated(_ field: DateTimeUnit, _ type: DataType) -> QueryError {
        switch field {
        case .dow, .isodow, .doy, .isoyear, .epoch, .julian:
            QueryError(
                .invalidParameterValue, "unit \"\(field.rawValue)\" not recognized for type \(type.sqlName)")
        default: unsupported(field, type)
        }
    }

    private static func unsupported(_ field: DateTimeUnit, _ type: DataType) -> QueryError {
        QueryError(.featureNotSupported, "unit \"\(field.rawValue)\" not supported for type \(type.sqlName)")
    }

    /// Value × scale of a field in a row.
    private static func read(
        _ vector: Vector, _ row: Int, _ type: DataType, _ field: DateTimeUnit, _ zone: TimeZoneData, _ scale: Int64,
        _ failed: inout UInt8
    ) -> Int64 {
        switch type {
        case .date: return fromDay(Int(vector.values(Int32.self)[row]), field, scale, &failed)
        case .time: return fromTime(vector.values(Int64.self)[row], field, scale, &failed)
        case .timeTZ:
            let time = TimeTZValue(packed: vector.values(Int64.self)[row])
            switch field {
            case .timezone: return Int64(time.offset) &* scale
            case .timezoneHour: return Int64(time.offset / 3600) &* scale
            case .timezoneMinute: return Int64(time.offset / 60 % 60) &* scale
            case .epoch: return scale == 1 ? time.utc / 1_000_000 : time.utc
            default: return fromTime(time.time, field, scale, &failed)
            }
        case .interval: return fromInterval(vector.values(IntervalValue.self)[row], field, scale, &failed)
        default:
            return fromTimestamp(
                vector.values(Int64.self)[row], type == .timestampTZ ? zone : nil, field, scale, &failed)
        }
    }

    private static func fromDay(_ day: Int, _ field: DateTimeUnit, _ scale: Int64, _ failed: inout UInt8) -> Int64 {
        let date = CivilCalendar.civil(day)
        let year = date.year > 0 ? date.year : date.year - 1
        let value: Int
        switch field {
        case .day: value = date.day
        case .month: value = date.month
        case .quarter: value = (date.month - 1) / 3 + 1
        case .year: value = year
        case .decade: value = date.year >= 0 ? date.year / 10 : -((8 - (date.year - 1)) / 10)
        case .century: value = year > 0 ? (year + 99) / 100 : -((99 - (year - 1)) / 100)
        case .millennium: value = year > 0 ? (year + 999) / 1000 : -((999 - (year - 1)) / 1000)
        case .week: value = CivilCalendar.isoWeek(day).week
        case .isoyear:
            let isoYear = CivilCalendar.isoWeek(day).year
            value = isoYear > 0 ? isoYear : isoYear - 1
        case .dow: value = CivilCalendar.dayOfWeek(day)
        case .isodow: value = (CivilCalendar.dayOfWeek(day) + 6) % 7 + 1
        case .doy: value = CivilCalendar.dayOfYear(day)
        case .epoch: value = day * 86_400
        case .julian: value = day + 2_440_588
        default:
            failed |= 1
            return 0
        }
        return Int64(value) &* scale
    }

    private static func fromTime(_ time: Int64, _ field: DateTimeUnit, _ scale: Int64, _ failed: inout UInt8) -> Int64 {
        // With a fraction the scale is microseconds.
        switch field {
        case .microseconds: return time % 60_000_000 &* scale
        case .milliseconds: return scale == 1 ? time % 60_000_000 / 1000 : time % 60_000_000 &* 1000
        case .second: return scale == 1 ? time % 60_000_000 / 1_000_000 : time % 60_000_000
        case .minute: return time / 60_000_000 % 60 &* scale
        case .hour: return time / 3_600_000_000 &* scale
        case .epoch: return scale == 1 ? time / 1_000_000 : time
        default:
            failed |= 1
            return 0
        }
    }

    private static func fromTimestamp(
        _ moment: Int64, _ zone: TimeZoneData?, _ field: DateTimeUnit, _ scale: Int64, _ failed: inout UInt8
    ) -> Int64 {
        let offset = zone?.offset(at: moment) ?? 0
        switch field {
        case .epoch: return scale == 1 ? moment / 1_000_000 : moment
        case .timezone, .timezoneHour, .timezoneMinute:
            if zone == nil {
                failed |= 1
                return 0
            }
            let value = field == .timezone ? offset : field == .timezoneHour ? offset / 3600 : offset / 60 % 60
            return Int64(value) &* scale
        default: break
        }
        let (day, rest) = CivilCalendar.split(moment &+ Int64(offset) &* 1_000_000)
        switch field {
        case .microseconds, .milliseconds, .second, .minute, .hour: return fromTime(rest, field, scale, &failed)
        default: return fromDay(day, field, scale, &failed)
        }
    }

    private static func fromInterval(
        _ value: IntervalValue, _ field: DateTimeUnit, _ scale: Int64, _ failed: inout UInt8
    ) -> Int64 {
        let years = Int64(value.months / 12)
        switch field {
        case .microseconds, .milliseconds, .second, .minute: return fromTime(value.microseconds, field, scale, &failed)
        case .hour: return value.microseconds / 3_600_000_000 &* scale
        case .day: return Int64(value.days) &* scale
        case .month: return Int64(value.months % 12) &* scale
        case .quarter: return (Int64(value.months % 12) / 3 + 1) &* scale
        case .year: return years &* scale
        case .decade: return years / 10 &* scale
        case .century: return years / 100 &* scale
        case .millennium: return years / 1000 &* scale
        case .epoch:
            // A year counts 365.25 days here.
            let days = Int64(value.days) + Int64(value.months % 12) * 30
            let seconds = years * 31_557_600 + days * 86_400
            return scale == 1 ? seconds + value.microseconds / 1_000_000 : seconds &* 1_000_000 &+ value.microseconds
        default:
            failed |= 1
            return 0
        }
    }

    // MARK: Truncation

    private static func registerTruncation(in registry: FunctionRegistry) {
        func text(_ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation {
            FunctionDocumentation(
                "Date and time", "The value cut to a precision: hour, day, month, ….", example: example, result: result)
        }
        registry.scalar(
            "date_trunc", [.text, .timestamp], .timestamp, canFail: true,
            text("date_trunc('hour', timestamp '2001-02-16 20:38:40')", "2001-02-16 20:00:00")
        ) { arguments, type, count, _ in
            try truncate(arguments, type, count) { moment, field in truncated(moment, field) }
        }
        registry.scalar("date_trunc", [.text, .timestampTZ], .timestampTZ, volatility: .stable, canFail: true, text()) {
            arguments, type, count, context in
            let zone = context.textSettings.timeZone
            return try truncate(arguments, type, count) { moment, field in
                truncated(moment, field, in: zone)
            }
        }
        registry.scalar("date_trunc", [.text, .timestampTZ, .text], .timestampTZ, canFail: true, text()) {
            arguments, type, count, _ in
            let zones = ViewColumn(arguments[2])
            let constant =
                arguments[2].encoding == .constant && !arguments[2].isNull(0)
                ? try TimeZoneFunctions.zone(zones.string(0)) : nil
            return try truncateRows(arguments, type, count) { row, moment, field in
                let zone = try constant ?? TimeZoneFunctions.zone(zones.string(row))
                return truncated(moment, field, in: zone)
            }
        }
        registry.scalar(
            "date_trunc", [.text, .interval], .interval, canFail: true,
            text("date_trunc('hour', interval '2 days 3 hours 40 minutes 2 seconds')", "2 days 03:00:00")
        ) { arguments, type, count, _ in
            let names = ViewColumn(arguments[0])
            let values = ValueColumn<IntervalValue>(arguments[1])
            let result = Vector(flat: type, capacity: count)
            for row in 0..<count {
                result.values(IntervalValue.self)[row] = IntervalValue()
                if !ValidityMask.isValid(arguments, row) { continue }
                let field = try field(names.string(row), type)
                guard let value = truncated(values[row], field) else { throw notTruncated(field, type) }
                result.values(IntervalValue.self)[row] = value
            }
            return result
        }
    }

    private static func truncate(
        _ arguments: [Vector], _ type: DataType, _ count: Int, _ body: (Int64, DateTimeUnit) -> Int64?
    ) throws -> Vector {
        try truncateRows(arguments, type, count) { _, moment, field in body(moment, field) }
    }

    private static func truncateRows(
        _ arguments: [Vector], _ type: DataType, _ count: Int, _ body: (Int, Int64, DateTimeUnit) throws -> Int64?
    ) throws -> Vector {
        let names = ViewColumn(arguments[0])
        let values = ValueColumn<Int64>(arguments[1])
        let result = Vector(flat: type, capacity: count)
        let constant = arguments[0].encoding == .constant ? try field(names.string(0), type) : nil
        for row in 0..<count {
            result.values(Int64.self)[row] = 0
            if !ValidityMask.isValid(arguments, row) { continue }
            let field = try constant ?? field(names.string(row), type)
            guard let value = try body(row, values[row], field) else { throw notTruncated(field, type) }
            result.values(Int64.self)[row] = value
        }
        return result
    }

    /// Parts of a day are cut off at the zone's distance from UTC at the moment itself, which local time may not tell when
    /// clocks are set back; days and longer units begin at the distance that is in force there.
    private static func truncated(_ moment: Int64, _ field: DateTimeUnit, in zone: TimeZoneData) -> Int64? {
        let local = zone.localTime(of: moment)
        guard let cut = truncated(local, field) else { return nil }
        switch field {
        case .microseconds, .milliseconds, .second, .minute, .hour: return moment - (local - cut)
        default: return zone.moment(ofLocal: cut)
        }
    }

    private static func truncated(_ moment: Int64, _ field: DateTimeUnit) -> Int64? {
        if moment == CivilCalendar.timestampInfinity || moment == CivilCalendar.timestampMinusInfinity { return moment }
        let (day, rest) = CivilCalendar.split(moment)
        let date = CivilCalendar.civil(day)
        func start(_ year: Int, _ month: Int = 1) -> Int64 {
            Int64(CivilCalendar.days(year: year, month: month, day: 1)) * CivilCalendar.microsecondsPerDay
        }
        let midnight = Int64(day) * CivilCalendar.microsecondsPerDay
        switch field {
        case .microseconds: return moment
        case .milliseconds: return midnight + rest / 1000 * 1000
        case .second: return midnight + rest / 1_000_000 * 1_000_000
        case .minute: return midnight + rest / 60_000_000 * 60_000_000
        case .hour: return midnight + rest / 3_600_000_000 * 3_600_000_000
        case .day: return midnight
        case .week: return Int64(day - (CivilCalendar.dayOfWeek(day) + 6) % 7) * CivilCalendar.microsecondsPerDay
        case .month: return start(date.year, date.month)
        case .quarter: return start(date.year, (date.month - 1) / 3 * 3 + 1)
        case .year: return start(date.year)
        case .decade: return start(date.year >= 0 ? date.year / 10 * 10 : -((8 - (date.year - 1)) / 10) * 10)
        case .century:
            return start(date.year > 0 ? (date.year + 99) / 100 * 100 - 99 : -((99 - (date.year - 1)) / 100) * 100 + 1)
        case .millennium:
            return start(
                date.year > 0 ? (date.year + 999) / 1000 * 1000 - 999 : -((999 - (date.year - 1)) / 1000) * 1000 + 1)
        default: return nil
        }
    }

    private static func truncated(_ value: IntervalValue, _ field: DateTimeUnit) -> IntervalValue? {
        func time(_ unit: Int64) -> IntervalValue {
            IntervalValue(months: value.months, days: value.days, microseconds: value.microseconds / unit * unit)
        }
        func months(_ unit: Int32) -> IntervalValue { IntervalValue(months: value.months / unit * unit) }
        switch field {
        case .microseconds: return value
        case .milliseconds: return time(1000)
        case .second: return time(1_000_000)
        case .minute: return time(60_000_000)
        case .hour: return time(3_600_000_000)
        case .day: return IntervalValue(months: value.months, days: value.days)
        case .month: return months(1)
        case .quarter: return months(3)
        case .year: return months(12)
        case .decade: return months(120)
        case .century: return months(1200)
        case .millennium: return months(12_000)
        default: return nil
        }
    }
}
