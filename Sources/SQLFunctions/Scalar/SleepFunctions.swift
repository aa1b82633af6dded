// Functions that let time pass: pg_sleep and its like.

import Columnar
import Diagnostics

enum SleepFunctions {
    /// Longer than anybody waits, and far from where clocks overflow.
    private static let secondsMax = 1e9

    static func register(in registry: FunctionRegistry) {
        func text(_ text: String, _ example: String? = nil) -> FunctionDocumentation {
            FunctionDocumentation("Date and time", text, example: example, result: example == nil ? nil : "")
        }
        registry.scalar(
            "pg_sleep", [.float64], .text, volatility: .volatile, canFail: true,
            text("Waits so many seconds, for each row.", "pg_sleep(0.001)")
        ) { arguments, type, count, _ in
            let seconds = ValueColumn<Double>(arguments[0])
            return try waits(arguments, type, count) { seconds[$0] }
        }
        registry.scalar(
            "pg_sleep_for", [.interval], .text, volatility: .volatile, canFail: true,
            text("Waits as long as the interval from now on.", "pg_sleep_for('1 millisecond')")
        ) { arguments, type, count, context in
            let intervals = ValueColumn<IntervalValue>(arguments[0])
            let zone = TimeZoneData.named(context.timeZone) ?? .utc
            return try waits(arguments, type, count) { row in
                let now = DateTimeFunctions.clock()
                var failed: UInt8 = 0
                let end = DateArithmetic.sum(now, intervals[row], in: zone, &failed)
                if failed != 0 { throw QueryError(.datetimeFieldOverflow, "timestamp out of range") }
                return seconds(from: now, to: end)
            }
        }
        registry.scalar(
            "pg_sleep_until", [.timestampTZ], .text, volatility: .volatile, canFail: true,
            text("Waits until the moment has come.", "pg_sleep_until('2020-01-01')")
        ) { arguments, type, count, _ in
            let moments = ValueColumn<Int64>(arguments[0])
            return try waits(arguments, type, count) { seconds(from: DateTimeFunctions.clock(), to: moments[$0]) }
        }
    }

    private static func seconds(from start: Int64, to end: Int64) -> Double { (Double(end) - Double(start)) / 1e6 }

    /// An empty text for each row, after its time.
    private static func waits(
        _ arguments: [Vector], _ type: DataType, _ count: Int, _ seconds: (Int) throws -> Double
    ) throws -> Vector {
        for row in 0..<count where !arguments[0].isNull(row) {
            let time = try seconds(row)
            // NaN does not wait.
            guard time > 0 else { continue }
            try Interruption.wait(until: .now + .seconds(min(time, secondsMax)))
        }
        return .constant(.string(""), type: type, count: count)
    }
}
