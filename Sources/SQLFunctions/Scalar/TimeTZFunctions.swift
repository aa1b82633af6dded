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
        registerPrecision(in: registry)
    }

    // MARK: Precision

    private static func registerPrecision(in registry: FunctionRegistry) {
        for (name, type) in [
            ("time", DataType.time), ("timestamp", .timestamp), ("timestamptz", .timestampTZ), ("timetz", .timeTZ),
        ] {
            registry.scalar(
                name, [.exact(type), .int32], type, text("The value with so many digits of the second.")
            ) { arguments, result, count, _ in
                Kernel.binary(arguments[0], arguments[1], result, count) { (value: Int64, digits: Int32) -> Int64 in
                    if type == .timeTZ {
                        let time = TimeTZValue(packed: value)
                        return TimeTZValue(
                            time: TimePrecision.rounded(time.time, to: Int(digits)), offset: time.offset
                        ).packed
                    }
                    return TimePrecision.rounded(value, to: Int(digits))
                }
            }
        }
        registry.scalar(
            "interval", [.interval, .int32], .interval,
            text("The interval cut to the fields and digits of a type's modifier.")
        ) { arguments, result, count, _ in
            Kernel.binary(arguments[0], arguments[1], result, count) {
                (value: IntervalValue, modifier: Int32) -> IntervalValue in
                IntervalModifier(encoded: modifier).applied(to: value)
            }
        }
    }
}

/// What an interval's type was declared with: fields, and digits of the second.
package struct IntervalModifier: Sendable {
    package var qualifier: IntervalQualifier?
    package var precision: Int?

    package init(qualifier: IntervalQualifier?, precision: Int?) {
        self.qualifier = qualifier
        self.precision = precision
    }

    /// As one number: the field above, the digits in the low four bits.
    package var encoded: Int32 {
        Int32(qualifier.map { Int($0.rawValue) + 1 } ?? 0) << 4 | Int32(precision ?? 15)
    }
    init(encoded: Int32) {
        let field = encoded >> 4
        qualifier = field > 0 && field < 256 ? IntervalQualifier(rawValue: UInt8(field - 1)) : nil
        precision = encoded & 15 <= 6 ? Int(encoded & 15) : nil
    }

    package func applied(to value: IntervalValue) -> IntervalValue {
        var result = qualifier.map { IntervalText.adjusted(value, to: $0) } ?? value
        if let precision { result.microseconds = TimePrecision.rounded(result.microseconds, to: precision) }
        return result
    }
}
