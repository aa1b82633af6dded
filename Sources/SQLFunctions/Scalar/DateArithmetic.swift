// Sums, differences and multiples of dates, times and intervals.

import Columnar
import Diagnostics
import QueryPlan

enum DateArithmetic {
    static func outOfRange(_ what: String) -> QueryError { QueryError(.datetimeFieldOverflow, "\(what) out of range") }

    private static func documentation(_ text: String, _ example: String? = nil, _ result: String? = nil)
        -> FunctionDocumentation
    {
        FunctionDocumentation("Date and time", text, example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        registerDates(in: registry)
        registerTimestamps(in: registry)
        registerIntervals(in: registry)
        registerTimes(in: registry)
    }

    /// Registers `a op b` and, for sums, `b op a`.
    private static func sum(
        _ registry: FunctionRegistry, _ a: ParameterType, _ b: ParameterType, _ result: DataType, canFail: Bool = true,
        _ documentation: FunctionDocumentation,
        _ kernel: @escaping @Sendable (Vector, Vector, Int, EvaluationContext) throws -> Vector
    ) {
        registry.scalar("+", [a, b], result, canFail: canFail, documentation) { arguments, _, count, context in
            try kernel(arguments[0], arguments[1], count, context)
        }
        if a != b {
            registry.scalar(
                "+", [b, a], result, canFail: canFail, FunctionDocumentation(documentation.category, documentation.text)
            ) {
                arguments, _, count, context in try kernel(arguments[1], arguments[0], count, context)
            }
        }
    }

    @inline(__always) private static func isFinite(_ day: Int32) -> Bool {
        day != CivilCalendar.dateInfinity && day != CivilCalendar.dateMinusInfinity
    }

    /// Midnight of a day in microseconds; sets `failed` beyond what a timestamp holds.
    @inline(__always) static func timestamp(ofDay day: Int32, _ failed: inout UInt8) -> Int64 {
        if day == CivilCalendar.dateInfinity { return CivilCalendar.timestampInfinity }
        if day == CivilCalendar.dateMinusInfinity { return CivilCalendar.timestampMinusInfinity }
        failed |= flag(Int(day) > CivilCalendar.lastTimestampDay)
        return Int64(day) &* CivilCalendar.microsecondsPerDay
    }

    private static func registerDates(in registry: FunctionRegistry) {
        sum(
            registry, .date, .int32, .date, documentation("Adds days to a date.", "date '2001-09-28' + 7", "2001-10-05")
        ) {
            days, number, count, _ in
            try Kernel.checkedBinary(days, number, .date, count) {
                (day: Int32, number: Int32, failed: inout UInt8) -> Int32 in
                shifted(day, Int64(number), &failed)
            } error: { _ in
                outOfRange("date")
            }
        }
        registry.scalar(
            "-", [.date, .int32], .date, canFail: true,
            documentation("Subtracts days from a date.", "date '2001-10-01' - 7", "2001-09-24")
        ) { arguments, type, count, _ in
            try Kernel.checkedBinary(arguments[0], arguments[1], type, count) {
                (day: Int32, number: Int32, failed: inout UInt8) -> Int32 in
                shifted(day, 0 &- Int64(number), &failed)
            } error: { _ in
                outOfRange("date")
            }
        }
        registry.scalar(
            "-", [.date, .date], .int32, canFail: true,
            documentation("Days between two dates.", "date '2001-10-01' - date '2001-09-28'", "3")
        ) { arguments, type, count, _ in
            try Kernel.checkedBinary(arguments[0], arguments[1], type, count) {
                (a: Int32, b: Int32, failed: inout UInt8) -> Int32 in
                failed |= flag(!isFinite(a)) | flag(!isFinite(b))
                return a &- b
            } error: { _ in
                QueryError(.datetimeFieldOverflow, "cannot subtract infinite dates")
            }
        }
        sum(
            registry, .date, .interval, .timestamp,
            documentation("Adds an interval to a date.", "date '2001-09-28' + interval '1 hour'", "2001-09-28 01:00:00")
        ) { days, intervals, count, _ in
            try Kernel.checkedBinary(days, intervals, .timestamp, count) {
                (day: Int32, interval: IntervalValue, failed: inout UInt8) -> Int64 in
                add(interval, to: timestamp(ofDay: day, &failed), &failed)
            } error: { _ in
                outOfRange("timestamp")
            }
        }
        registry.scalar(
            "-", [.date, .interval], .timestamp, canFail: true,
            documentation(
                "Subtracts an interval from a date.", "date '1998-12-01' - interval '90 days'", "1998-09-02 00:00:00")
        ) { arguments, type, count, _ in
            try Kernel.checkedBinary(arguments[0], arguments[1], type, count) {
                (day: Int32, interval: IntervalValue, failed: inout UInt8) -> Int64 in
                add(negated(interval, &failed), to: timestamp(ofDay: day, &failed), &failed)
            } error: { _ in
                outOfRange("timestamp")
            }
        }
        sum(
            registry, .date, .time, .timestamp,
            documentation("A date at a time of day.", "date '2001-09-28' + time '03:00'", "2001-09-28 03:00:00")
        ) {
            days, times, count, _ in
            try Kernel.checkedBinary(days, times, .timestamp, count) {
                (day: Int32, time: Int64, failed: inout UInt8) -> Int64 in
                isFinite(day) ? timestamp(ofDay: day, &failed) &+ time : timestamp(ofDay: day, &failed)
            } error: { _ in
                outOfRange("timestamp")
            }
        }
    }

    @inline(__always) private static func shifted(_ day: Int32, _ number: Int64, _ failed: inout UInt8) -> Int32 {
        if !isFinite(day) { return day }
        let sum = Int64(day) &+ number
        failed |= flag(sum < Int64(CivilCalendar.firstDay)) | flag(sum > Int64(CivilCalendar.lastDateDay))
        return Int32(truncatingIfNeeded: sum)
    }

    @inline(__always) static func negated(_ interval: IntervalValue, _ failed: inout UInt8) -> IntervalValue {
        failed |= flag(interval.months == .min) | flag(interval.days == .min) | flag(interval.microseconds == .min)
        return IntervalValue(
            months: 0 &- interval.months, days: 0 &- interval.days, microseconds: 0 &- interval.microseconds)
    }

    @inline(__always) static func add(_ interval: IntervalValue, to timestamp: Int64, _ failed: inout UInt8) -> Int64 {
        guard let sum = CivilCalendar.add(interval, to: timestamp) else {
            failed |= 1
            return 0
        }
        return sum
    }

    private static func registerTimestamps(in registry: FunctionRegistry) {
        sum(
            registry, .timestamp, .interval, .timestamp,
            documentation(
                "Adds an interval.", "timestamp '2001-09-28 01:00' + interval '23 hours'", "2001-09-29 00:00:00")
        ) { times, intervals, count, _ in
            try Kernel.checkedBinary(times, intervals, .timestamp, count) {
                (time: Int64, interval: IntervalValue, failed: inout UInt8) -> Int64 in
                add(interval, to: time, &failed)
            } error: { _ in
                outOfRange("timestamp")
            }
        }
        registry.scalar(
            "-", [.timestamp, .interval], .timestamp, canFail: true,
            documentation(
                "Subtracts an interval.", "timestamp '2001-09-28 23:00' - interval '23 hours'", "2001-09-28 00:00:00")
        ) { arguments, type, count, _ in
            try Kernel.checkedBinary(arguments[0], arguments[1], type, count) {
                (time: Int64, interval: IntervalValue, failed: inout UInt8) -> Int64 in
                add(negated(interval, &failed), to: time, &failed)
            } error: { _ in
                outOfRange("timestamp")
            }
        }
        sum(registry, .timestampTZ, .interval, .timestampTZ, documentation("Adds an interval, in the session's zone."))
        {
            times, intervals, count, context in try zoned(times, intervals, count, context, subtracts: false)
        }
        registry.scalar(
            "-", [.timestampTZ, .interval], .timestampTZ, volatility: .stable, canFail: true,
            documentation("Subtracts an interval, in the session's zone.")
        ) { arguments, _, count, context in try zoned(arguments[0], arguments[1], count, context, subtracts: true) }
        for type in [DataType.timestamp, .timestampTZ] {
            registry.scalar(
                "-", [.exact(type), .exact(type)], .interval, canFail: true,
                documentation(
                    "Time between two moments, in days and less.",
                    type == .timestamp ? "timestamp '2001-09-29 03:00' - timestamp '2001-07-27 12:00'" : nil,
                    type == .timestamp ? "63 days 15:00:00" : nil)
            ) { arguments, type, count, _ in
                try Kernel.checkedBinary(arguments[0], arguments[1], type, count) {
                    (a: Int64, b: Int64, failed: inout UInt8) -> IntervalValue in
                    let (difference, overflow) = a.subtractingReportingOverflow(b)
                    failed |= flag(overflow) | flag(a == .max) | flag(a == .min) | flag(b == .max) | flag(b == .min)
                    let day = CivilCalendar.microsecondsPerDay
                    return IntervalValue(
                        days: Int32(truncatingIfNeeded: difference / day), microseconds: difference % day)
                } error: { _ in
                    QueryError(.datetimeFieldOverflow, "cannot subtract infinite timestamps")
                }
            }
        }
    }

    private static func zoned(
        _ times: Vector, _ intervals: Vector, _ count: Int, _ context: EvaluationContext, subtracts: Bool
    ) throws -> Vector {
        let zone = TimeZoneData.named(context.timeZone) ?? .utc
        return try Kernel.checkedBinary(times, intervals, .timestampTZ, count) {
            (time: Int64, interval: IntervalValue, failed: inout UInt8) -> Int64 in
            sum(time, subtracts ? negated(interval, &failed) : interval, in: zone, &failed)
        } error: { _ in
            outOfRange("timestamp")
        }
    }

    /// A moment and an interval: months and days by the zone's calendar, then the exact time.
    static func sum(_ time: Int64, _ interval: IntervalValue, in zone: TimeZoneData, _ failed: inout UInt8) -> Int64 {
        var step = interval
        let microseconds = step.microseconds
        var moment = time
        if step.months != 0 || step.days != 0 {
            step.microseconds = 0
            moment = zone.moment(ofLocal: add(step, to: zone.localTime(of: time), &failed))
        }
        return add(IntervalValue(microseconds: microseconds), to: moment, &failed)
    }

    /// The interval at a share of the way from one to another; `nil` if it is out of range.
    static func interpolated(_ from: IntervalValue, _ to: IntervalValue, _ share: Double) -> IntervalValue? {
        var failed: UInt8 = 0
        let way = multiplied(sum(to, negated(from, &failed), &failed), share, &failed)
        let result = sum(way, from, &failed)
        return failed == 0 ? result : nil
    }

    /// A fraction of an interval; `nil` if it is out of range.
    static func quotient(_ interval: IntervalValue, _ divisor: Double) -> IntervalValue? {
        var failed: UInt8 = 0
        let result = multiplied(interval, 1 / divisor, divisor: divisor, &failed)
        return failed == 0 ? result : nil
    }

    private static func sum(_ a: IntervalValue, _ b: IntervalValue, _ failed: inout UInt8) -> IntervalValue {
        let (months, overflow1) = a.months.addingReportingOverflow(b.months)
        let (days, overflow2) = a.days.addingReportingOverflow(b.days)
        let (microseconds, overflow3) = a.microseconds.addingReportingOverflow(b.microseconds)
        failed |= flag(overflow1) | flag(overflow2) | flag(overflow3)
        return IntervalValue(months: months, days: days, microseconds: microseconds)
    }

    private static func registerIntervals(in registry: FunctionRegistry) {
        for (name, sign, text) in [("+", Int64(1), "Sum of intervals."), ("-", -1, "Difference of intervals.")] {
            registry.scalar(
                name, [.interval, .interval], .interval, canFail: true,
                documentation(
                    text, "interval '1 day' \(name) interval '1 hour'",
                    name == "+" ? "1 day 01:00:00" : "1 day -01:00:00")
            ) { arguments, type, count, _ in
                try Kernel.checkedBinary(arguments[0], arguments[1], type, count) {
                    (a: IntervalValue, b: IntervalValue, failed: inout UInt8) -> IntervalValue in
                    let months = Int64(a.months) &+ Int64(b.months) &* sign
                    let days = Int64(a.days) &+ Int64(b.days) &* sign
                    let (microseconds, overflow) =
                        sign > 0
                        ? a.microseconds.addingReportingOverflow(b.microseconds)
                        : a.microseconds.subtractingReportingOverflow(b.microseconds)
                    failed |=
                        flag(overflow) | flag(months != Int64(Int32(truncatingIfNeeded: months)))
                        | flag(days != Int64(Int32(truncatingIfNeeded: days)))
                    return IntervalValue(
                        months: Int32(truncatingIfNeeded: months), days: Int32(truncatingIfNeeded: days),
                        microseconds: microseconds)
                } error: { _ in
                    outOfRange("interval")
                }
            }
        }
        registry.scalar(
            "-", [.interval], .interval, canFail: true, documentation("Negation.", "- interval '1 day'", "-1 days")
        ) {
            arguments, type, count, _ in
            try Kernel.checkedUnary(arguments, type, count) { (x: IntervalValue, failed: inout UInt8) in
                negated(x, &failed)
            } error: { _ in
                outOfRange("interval")
            }
        }
        for swapped in [false, true] {
            registry.scalar(
                "*", swapped ? [.float64, .interval] : [.interval, .float64], .interval, canFail: true,
                documentation(
                    "Multiple of an interval.", swapped ? "2 * interval '1 day'" : "interval '1 hour' * 3.5",
                    swapped ? "2 days" : "03:30:00")
            ) { arguments, type, count, _ in
                try Kernel.checkedBinary(arguments[swapped ? 1 : 0], arguments[swapped ? 0 : 1], type, count) {
                    (x: IntervalValue, factor: Double, failed: inout UInt8) -> IntervalValue in
                    multiplied(x, factor, &failed)
                } error: { _ in
                    outOfRange("interval")
                }
            }
        }
        registry.scalar(
            "/", [.interval, .float64], .interval, canFail: true,
            documentation("Fraction of an interval.", "interval '1 hour' / 1.5", "00:40:00")
        ) { arguments, type, count, _ in
            try Kernel.checkedBinary(arguments[0], arguments[1], type, count) {
                (x: IntervalValue, divisor: Double, failed: inout UInt8) -> IntervalValue in
                if divisor == 0 {
                    failed |= 2
                    return x
                }
                return multiplied(x, 1 / divisor, divisor: divisor, &failed)
            } error: {
                $0 & 2 != 0 ? QueryError(.divisionByZero, "division by zero") : outOfRange("interval")
            }
        }
    }

    /// Fractions of months become days of a month of 30, fractions of days become time.
    private static func multiplied(
        _ x: IntervalValue, _ factor: Double, divisor: Double? = nil, _ failed: inout UInt8
    ) -> IntervalValue {
        func scaled(_ value: Double) -> Double { divisor.map { value / $0 } ?? value * factor }
        let months = scaled(Double(x.months))
        let days = scaled(Double(x.days))
        let microseconds = scaled(Double(x.microseconds))
        let wholeMonths = months.rounded(.towardZero)
        let daysOfMonths = roundedToMillionths((months - wholeMonths) * 30)
        let wholeDays = days.rounded(.towardZero)
        var extraDays = daysOfMonths.rounded(.towardZero)
        var secondsOfDays = roundedToMillionths((days - wholeDays + daysOfMonths - extraDays) * 86_400)
        if abs(secondsOfDays) >= 86_400 {
            let carried = (secondsOfDays / 86_400).rounded(.towardZero)
            extraDays += carried
            secondsOfDays -= carried * 86_400
        }
        let total = (microseconds + secondsOfDays * 1_000_000).rounded(.toNearestOrEven)
        guard let m = Int32(exactly: wholeMonths), let d = Int32(exactly: wholeDays + extraDays),
            let u = Int64(exactly: total)
        else {
            failed |= 1
            return x
        }
        return IntervalValue(months: m, days: d, microseconds: u)
    }

    /// Each part is rounded by itself before the parts are added, as PostgreSQL does it: the last digit depends on that.
    private static func roundedToMillionths(_ value: Double) -> Double {
        (value * 1_000_000).rounded(.toNearestOrEven) / 1_000_000
    }

    private static func registerTimes(in registry: FunctionRegistry) {
        sum(
            registry, .time, .interval, .time, canFail: false,
            documentation(
                "Adds an interval to a time of day, modulo 24 hours.", "time '01:00' + interval '3 hours'", "04:00:00")
        ) { times, intervals, count, _ in
            Kernel.binary(times, intervals, .time, count) { (time: Int64, interval: IntervalValue) -> Int64 in
                wrapped(time &+ interval.microseconds % CivilCalendar.microsecondsPerDay)
            }
        }
        registry.scalar(
            "-", [.time, .interval], .time,
            documentation("Subtracts an interval from a time of day.", "time '05:00' - interval '2 hours'", "03:00:00")
        ) { arguments, type, count, _ in
            Kernel.binary(arguments[0], arguments[1], type, count) { (time: Int64, interval: IntervalValue) -> Int64 in
                wrapped(time &- interval.microseconds % CivilCalendar.microsecondsPerDay)
            }
        }
        registry.scalar(
            "-", [.time, .time], .interval,
            documentation("Time between times of day.", "time '05:00' - time '03:00'", "02:00:00")
        ) { arguments, type, count, _ in
            Kernel.binary(arguments[0], arguments[1], type, count) { (a: Int64, b: Int64) in
                IntervalValue(microseconds: a &- b)
            }
        }
    }

    private static func wrapped(_ time: Int64) -> Int64 {
        let day = CivilCalendar.microsecondsPerDay
        let rest = time % day
        return rest < 0 ? rest &+ day : rest
    }
}
