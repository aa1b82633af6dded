// Times of day with an offset: arithmetic; and the precision that types of times and intervals are declared with.

import Columnar
import Diagnostics

enum TimeTZFunctions {
    private static func text(_ text: String, _ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation
    {
        FunctionDocumentation("Date and time", text, example: example, result: result)
    }

    private static func moved(_ time: Int64, by microseconds: Int64) -> Int64 {
        let value = TimeTZValue(packed: time)
        var sum = (value.time &+ microseconds % CivilCalendar.microsecondsPerDay) % CivilCalendar.microsecondsPerDay
        if sum < 0 { sum &+= CivilCalendar.microsecondsPerDay }
        return TimeTZValue(time: sum, offset: value.offset).packed
    }

    static func register(in registry: FunctionRegistry) {
        for isSwapped in [false, true] {
            registry.scalar(
                "+", isSwapped ? [.interval, .timeTZ] : [.timeTZ, .interval], .timeTZ,
                text(
                    "Adds an interval to a time of day, modulo 24 hours.",
                    isSwapped ? nil : "timetz '23:00+01' + interval '3 hours'", isSwapped ? nil : "02:00:00+01")
            ) { arguments, type, count, _ in
                Kernel.binary(arguments[isSwapped ? 1 : 0], arguments[isSwapped ? 0 : 1], type, count) {
                    (time: Int64, interval: IntervalValue) -> Int64 in moved(time, by: interval.microseconds)
                }
            }
            registry.scalar(
                "+", isSwapped ? [.timeTZ, .date] : [.date, .timeTZ], .timestampTZ, canFail: true,
                text("The moment of a date at a time of day with its offset.")
            ) { arguments, type, count, _ in
                try Kernel.checkedBinary(arguments[isSwapped ? 1 : 0], arguments[isSwapped ? 0 : 1], type, count) {
                    (day: Int32, time: Int64, failed: inout UInt8) -> Int64 in
                    let midnight = DateArithmetic.timestamp(ofDay: day, &failed)
                    return day == .max || day == .min ? midnight : midnight &+ TimeTZValue(packed: time).utc
                } error: { _ in
                    QueryError(.datetimeFieldOverflow, "date out of range for timestamp")
                }
            }
        }
        registry.scalar(
            "-", [.timeTZ, .interval], .timeTZ,
            text("Subtracts an interval from a time of day.", "timetz '01:00+01' - interval '3 hours'", "22:00:00+01")
        ) { arguments, type, count, _ in
            Kernel.binary(arguments[0], arguments[1], type, count) {
                (time: Int64, interval: IntervalValue) -> Int64 in
                moved(time, by: 0 &- interval.microseconds % CivilCalendar.microsecondsPerDay)
            }
        }
        TemporalLimits.register(in: registry)
    }
}
