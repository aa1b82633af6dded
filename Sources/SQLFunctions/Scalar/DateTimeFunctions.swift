// Clocks, constructors, age, and conversions between zones.

import Columnar
import Diagnostics
import Glibc
import QueryPlan

enum DateTimeFunctions {
    private static func text(_ text: String, _ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation
    {
        FunctionDocumentation("Date and time", text, example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        registerClocks(in: registry)
        registerConstructors(in: registry)
        registerAge(in: registry)
        registerJustification(in: registry)
        TimeZoneFunctions.register(in: registry)
    }

    /// The system's clock in microseconds since 1970 UTC.
    package static func clock() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    private static func registerClocks(in registry: FunctionRegistry) {
        for name in ["now", "current_timestamp", "transaction_timestamp", "statement_timestamp"] {
            registry.scalar(name, [], .timestampTZ, volatility: .stable, text("When the statement began.")) {
                _, type, count, context in
                .constant(.integer(context.statementTimestamp), type: type, count: count)
            }
        }
        @Sendable func local(_ context: EvaluationContext) -> Int64 {
            context.textSettings.timeZone.localTime(of: context.statementTimestamp)
        }
        registry.scalar("current_date", [], .date, volatility: .stable, text("Today in the session's zone.")) {
            _, type, count, context in
            .constant(.integer(Int64(CivilCalendar.split(local(context)).day)), type: type, count: count)
        }
        registry.scalar(
            "localtimestamp", [], .timestamp, volatility: .stable,
            text("When the statement began, in the session's zone.")
        ) {
            _, type, count, context in .constant(.integer(local(context)), type: type, count: count)
        }
        registry.scalar("localtime", [], .time, volatility: .stable, text("The time of day in the session's zone.")) {
            _, type, count, context in
            .constant(.integer(CivilCalendar.split(local(context)).microseconds), type: type, count: count)
        }
        registry.scalar("clock_timestamp", [], .timestampTZ, volatility: .volatile, text("The clock's time now.")) {
            _, type, count, _ in .constant(.integer(clock()), type: type, count: count)
        }
    }

    // MARK: Constructors

    private static func registerConstructors(in registry: FunctionRegistry) {
        registry.scalar(
            "make_date", [.int32, .int32, .int32], .date, canFail: true,
            text("A date from year, month and day.", "make_date(2013, 7, 15)", "2013-07-15")
        ) { arguments, type, count, _ in
            let parts = arguments.map { ValueColumn<Int32>($0) }
            return try rows(arguments, type, count) { row in
                Int32(truncatingIfNeeded: try day(Int(parts[0][row]), Int(parts[1][row]), Int(parts[2][row])))
            }
        }
        registry.scalar(
            "make_time", [.int32, .int32, .float64], .time, canFail: true,
            text("A time of day from hour, minute and seconds.", "make_time(8, 15, 23.5)", "08:15:23.5")
        ) { arguments, type, count, _ in
            let (hours, minutes, seconds) = (
                ValueColumn<Int32>(arguments[0]), ValueColumn<Int32>(arguments[1]), ValueColumn<Double>(arguments[2])
            )
            return try rows(arguments, type, count) { row in try time(hours[row], minutes[row], seconds[row]) }
        }
        for type in [DataType.timestamp, .timestampTZ] {
            let isLocal = type == .timestampTZ
            registry.scalar(
                isLocal ? "make_timestamptz" : "make_timestamp", [.int32, .int32, .int32, .int32, .int32, .float64],
                type,
                volatility: isLocal ? .stable : .immutable, canFail: true,
                text(
                    "A moment from its parts.", isLocal ? nil : "make_timestamp(2013, 7, 15, 8, 15, 23.5)",
                    isLocal ? nil : "2013-07-15 08:15:23.5")
            ) { arguments, type, count, context in
                let parts = arguments[..<5].map { ValueColumn<Int32>($0) }
                let seconds = ValueColumn<Double>(arguments[5])
                let zone = context.textSettings.timeZone
                return try rows(arguments, type, count) { row -> Int64 in
                    let day = try day(Int(parts[0][row]), Int(parts[1][row]), Int(parts[2][row]))
                    let local =
                        Int64(day) * CivilCalendar.microsecondsPerDay
                        + (try time(parts[3][row], parts[4][row], seconds[row]))
                    return isLocal ? zone.moment(ofLocal: local) : local
                }
            }
        }
        registry.scalar(
            "make_interval", [.int32, .int32, .int32, .int32, .int32, .int32, .float64], .interval, canFail: true,
            text(
                "An interval from years, months, weeks, days, hours, minutes and seconds.",
                "make_interval(0, 0, 0, 10, 0, 0, 0)", "10 days")
        ) { arguments, type, count, _ in
            let parts = arguments[..<6].map { ValueColumn<Int32>($0) }
            let seconds = ValueColumn<Double>(arguments[6])
            return try rows(arguments, type, count) { row -> IntervalValue in
                let months = Int64(parts[0][row]) * 12 + Int64(parts[1][row])
                let days = Int64(parts[2][row]) * 7 + Int64(parts[3][row])
                let rest = (seconds[row] * 1e6).rounded()
                guard let m = Int32(exactly: months), let d = Int32(exactly: days), let fraction = Int64(exactly: rest)
                else {
                    throw DateArithmetic.outOfRange("interval")
                }
                return IntervalValue(
                    months: m, days: d,
                    microseconds: Int64(parts[4][row]) * 3_600_000_000 + Int64(parts[5][row]) * 60_000_000 + fraction)
            }
        }
        registry.scalar(
            "to_timestamp", [.float64], .timestampTZ, canFail: true,
            text("The moment so many seconds after 1970.", "to_timestamp(1284352323)", "2010-09-13 04:32:03+00")
        ) { arguments, type, count, _ in
            let seconds = ValueColumn<Double>(arguments[0])
            return try rows(arguments, type, count) { row -> Int64 in
                let second = seconds[row]
                if second.isNaN { throw QueryError(.datetimeFieldOverflow, "timestamp cannot be NaN") }
                if second.isInfinite { return second > 0 ? Int64.max : Int64.min }
                guard let value = Int64(exactly: (second * 1e6).rounded(.toNearestOrEven)),
                    CivilCalendar.isValidTimestamp(value)
                else {
                    throw QueryError(.datetimeFieldOverflow, "timestamp out of range: \"\(second)\"")
                }
                return value
            }
        }
        for type in [DataType.date, .timestamp, .timestampTZ, .interval] {
            registry.scalar(
                "isfinite", [.exact(type)], .boolean,
                text(
                    "Whether the value is not infinite.", type == .date ? "isfinite(date '2001-02-16')" : nil,
                    type == .date ? "t" : nil)
            ) { arguments, result, count, _ in
                switch type {
                case .interval: .constant(.boolean(true), type: .boolean, count: count)
                case .date:
                    Kernel.unary(arguments, result, count) { (day: Int32) in flag(day != Int32.max && day != Int32.min)
                    }
                default:
                    Kernel.unary(arguments, result, count) { (time: Int64) in
                        flag(time != Int64.max && time != Int64.min)
                    }
                }
            }
        }
    }

    /// A value for every row whose arguments are not null.
    @inline(__always)
    static func rows<R>(_ arguments: [Vector], _ type: DataType, _ count: Int, _ body: (Int) throws -> R) throws
        -> Vector
    {
        let result = Vector(flat: type, capacity: count)
        let target = result.values(R.self)
        let mayHaveNulls = arguments.contains { $0.mayHaveNulls }
        var row = 0
        while row < count {
            if mayHaveNulls && !ValidityMask.isValid(arguments, row) {
                (result.data + row &* type.physical.width).initializeMemory(
                    as: UInt8.self, repeating: 0, count: type.physical.width)
            } else {
                target[row] = try body(row)
            }
            row &+= 1
        }
        return result
    }

    static func day(_ year: Int, _ month: Int, _ day: Int) throws -> Int {
        let astronomical = year < 0 ? year + 1 : year
        guard year != 0, month >= 1, month <= 12, day >= 1,
            abs(year) < 5_874_898, day <= CivilCalendar.dayCount(year: astronomical, month: month)
        else {
            func two(_ value: Int) -> String { value >= 0 && value < 10 ? "0\(value)" : "\(value)" }
            throw QueryError(
                .datetimeFieldOverflow, "date field value out of range: \(year)-\(two(month))-\(two(day))")
        }
        return CivilCalendar.days(year: astronomical, month: month, day: day)
    }

    static func time(_ hour: Int32, _ minute: Int32, _ seconds: Double) throws -> Int64 {
        let microseconds = (seconds * 1e6).rounded(.toNearestOrEven)
        guard hour >= 0, hour <= 24, minute >= 0, minute < 60, seconds >= 0, seconds <= 60,
            Int64(hour) * 3_600_000_000 + Int64(minute) * 60_000_000 + Int64(microseconds)
                <= CivilCalendar.microsecondsPerDay
        else {
            throw QueryError(.datetimeFieldOverflow, "time field value out of range: \(hour):\(minute):\(seconds)")
        }
        return Int64(hour) * 3_600_000_000 + Int64(minute) * 60_000_000 + Int64(microseconds)
    }

    // MARK: Age

    private static func registerAge(in registry: FunctionRegistry) {
        for type in [DataType.timestamp, .timestampTZ] {
            let isLocal = type == .timestampTZ
            registry.scalar(
                "age", [.exact(type), .exact(type)], .interval, volatility: isLocal ? .stable : .immutable,
                canFail: true,
                text(
                    "Time between two moments in years, months, days and less.",
                    isLocal ? nil : "age(timestamp '2001-04-10', timestamp '1957-06-13')",
                    isLocal ? nil : "43 years 9 mons 27 days")
            ) { arguments, result, count, context in
                let zone = isLocal ? context.textSettings.timeZone : .utc
                let (a, b) = (ValueColumn<Int64>(arguments[0]), ValueColumn<Int64>(arguments[1]))
                return try rows(arguments, result, count) { row in
                    try age(zone.localTime(of: a[row]), zone.localTime(of: b[row]))
                }
            }
            registry.scalar(
                "age", [.exact(type)], .interval, volatility: .stable, canFail: true,
                text("Time since a moment, up to midnight today.")
            ) {
                arguments, result, count, context in
                let zone = context.textSettings.timeZone
                let today = CivilCalendar.split(zone.localTime(of: context.statementTimestamp)).day
                let midnight = Int64(today) * CivilCalendar.microsecondsPerDay
                let moments = ValueColumn<Int64>(arguments[0])
                return try rows(arguments, result, count) { row in
                    try age(midnight, isLocal ? zone.localTime(of: moments[row]) : moments[row])
                }
            }
        }
    }

    private static func age(_ a: Int64, _ b: Int64) throws -> IntervalValue {
        if [a, b].contains(.max) || [a, b].contains(.min) {
            throw QueryError.notSupported("the age of an infinite timestamp")
        }
        let isNegative = a < b
        let (late, early) = isNegative ? (b, a) : (a, b)
        let (lateDay, lateTime) = CivilCalendar.split(late)
        let (earlyDay, earlyTime) = CivilCalendar.split(early)
        let x = CivilCalendar.civil(lateDay)
        let y = CivilCalendar.civil(earlyDay)
        var months = (x.year - y.year) * 12 + x.month - y.month
        var days = x.day - y.day
        var time = lateTime - earlyTime
        if time < 0 {
            time += CivilCalendar.microsecondsPerDay
            days -= 1
        }
        if days < 0 {
            // The borrowed month is the one of the earlier date.
            days += CivilCalendar.dayCount(year: y.year, month: y.month)
            months -= 1
        }
        let sign = isNegative ? -1 : 1
        return IntervalValue(
            months: Int32(truncatingIfNeeded: months * sign), days: Int32(truncatingIfNeeded: days * sign),
            microseconds: time * Int64(sign))
    }

    private static func registerJustification(in registry: FunctionRegistry) {
        let functions: [(String, Bool, Bool, String, String)] = [
            ("justify_days", false, true, "justify_days(interval '35 days')", "1 mon 5 days"),
            ("justify_hours", true, false, "justify_hours(interval '27 hours')", "1 day 03:00:00"),
            ("justify_interval", true, true, "justify_interval(interval '1 mon -1 hour')", "29 days 23:00:00"),
        ]
        for (name, hours, days, example, result) in functions {
            registry.scalar(
                name, [.interval], .interval, canFail: true,
                text("The interval with full days and months carried over.", example, result)
            ) { arguments, type, count, _ in
                try Kernel.checkedUnary(arguments, type, count) { (x: IntervalValue, failed: inout UInt8) in
                    justified(x, hours: hours, days: days, &failed)
                } error: { _ in
                    DateArithmetic.outOfRange("interval")
                }
            }
        }
    }

    private static func justified(
        _ x: IntervalValue, hours: Bool, days: Bool, _ failed: inout UInt8
    ) -> IntervalValue {
        var months = Int64(x.months)
        var day = Int64(x.days)
        var time = x.microseconds
        let full = CivilCalendar.microsecondsPerDay
        if hours {
            day += time / full
            time %= full
        }
        if days {
            months += day / 30
            day %= 30
        }
        if days && hours {
            if months > 0 && (day < 0 || (day == 0 && time < 0)) {
                day += 30; months -= 1
            } else if months < 0 && (day > 0 || (day == 0 && time > 0)) {
                day -= 30; months += 1
            }
        } else if days {
            if months > 0 && day < 0 { day += 30; months -= 1 } else if months < 0 && day > 0 { day -= 30; months += 1 }
        }
        if hours {
            if day > 0 && time < 0 { time += full; day -= 1 } else if day < 0 && time > 0 { time -= full; day += 1 }
        }
        failed |=
            flag(Int64(Int32(truncatingIfNeeded: months)) != months)
            | flag(Int64(Int32(truncatingIfNeeded: day)) != day)
        return IntervalValue(
            months: Int32(truncatingIfNeeded: months), days: Int32(truncatingIfNeeded: day), microseconds: time)
    }
}
