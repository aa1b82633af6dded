// AT TIME ZONE: moments, local times and times of day moved between zones.

import Columnar
import Diagnostics

enum TimeZoneFunctions {
    /// A zone as AT TIME ZONE takes it: an abbreviation, a name, or a POSIX specification. Errors: 22023.
    static func zone(_ name: String) throws -> TimeZoneData {
        switch TimeZoneAbbreviation.named(name) {
        case .fixed(let seconds)?: return .fixed(seconds: seconds)
        case .dynamic(let zone)?: return zone
        case nil: break
        }
        guard let zone = TimeZoneData.named(name) else {
            throw QueryError(.invalidParameterValue, "time zone \"\(name)\" not recognized")
        }
        return zone
    }

    /// A zone as functions take it that make moments: numbers need a sign, and are hours east. Errors: 22023.
    private static func writtenZone(_ name: String) throws -> TimeZoneData {
        switch name.utf8.first {
        case let first? where first >= UInt8(ascii: "0") && first <= UInt8(ascii: "9"):
            throw QueryError(
                .invalidParameterValue, "invalid input syntax for type numeric time zone: \"\(name)\"",
                hint: "Numeric time zones must have \"-\" or \"+\" as first character.")
        case UInt8(ascii: "+")?, UInt8(ascii: "-")?:
            do {
                return try TimeZoneData.displaced(name)
            } catch DateTimeFailure.displacement {
                throw QueryError(.invalidParameterValue, "numeric time zone \"\(name)\" out of range")
            } catch {
                return try zone(name)
            }
        default: return try zone(name)
        }
    }

    /// A zone by an interval east of Greenwich.
    private static func zone(_ interval: IntervalValue) throws -> TimeZoneData {
        if interval.months != 0 || interval.days != 0 {
            throw QueryError(
                .invalidParameterValue, "interval time zone must not include months or days")
        }
        return .fixed(seconds: Int(interval.microseconds / 1_000_000))
    }

    static func register(in registry: FunctionRegistry) {
        for type in [DataType.timestamp, .timestampTZ] {
            let toMoment = type == .timestamp
            let documentation = FunctionDocumentation(
                "Date and time",
                toMoment ? "The moment of a local time in a zone." : "The local time of a moment in a zone.",
                example: toMoment ? "timezone('America/Denver', timestamp '2001-02-16 20:38:40')" : nil,
                result: toMoment ? "2001-02-17 03:38:40+00" : nil)
            registry.scalar(
                "timezone", [.text, .exact(type)], toMoment ? .timestampTZ : .timestamp, canFail: true, documentation
            ) { arguments, result, count, _ in
                let names = ViewColumn(arguments[0])
                return try shifted(arguments, result, count, toMoment: toMoment) { try zone(names.string($0)) }
            }
            registry.scalar(
                "timezone", [.interval, .exact(type)], toMoment ? .timestampTZ : .timestamp, canFail: true,
                FunctionDocumentation("Date and time", documentation.text)
            ) { arguments, result, count, _ in
                let intervals = ValueColumn<IntervalValue>(arguments[0])
                return try shifted(arguments, result, count, toMoment: toMoment) { try zone(intervals[$0]) }
            }
        }
        registry.scalar(
            "make_timestamptz", [.int32, .int32, .int32, .int32, .int32, .float64, .text], .timestampTZ, canFail: true,
            FunctionDocumentation(
                "Date and time", "A moment from its parts in a zone.",
                example: "make_timestamptz(2013, 7, 15, 8, 15, 23.5, 'America/New_York')",
                result: "2013-07-15 12:15:23.5+00")
        ) { arguments, result, count, _ in
            let parts = arguments[..<5].map { ValueColumn<Int32>($0) }
            let seconds = ValueColumn<Double>(arguments[5])
            let names = ViewColumn(arguments[6])
            return try DateTimeFunctions.rows(arguments, result, count) { row -> Int64 in
                let day = try DateTimeFunctions.day(Int(parts[0][row]), Int(parts[1][row]), Int(parts[2][row]))
                let time = try DateTimeFunctions.time(parts[3][row], parts[4][row], seconds[row])
                return try writtenZone(names.string(row)).moment(
                    ofLocal: Int64(day) &* CivilCalendar.microsecondsPerDay &+ time)
            }
        }
        let text = "The same time of day under the offset of another zone."
        registry.scalar(
            "timezone", [.text, .timeTZ], .timeTZ, volatility: .stable, canFail: true,
            FunctionDocumentation(
                "Date and time", text, example: "timezone('+05:30', timetz '12:00+00')", result: "06:30:00-05:30")
        ) { arguments, result, count, context in
            let names = ViewColumn(arguments[0])
            return try shiftedTimes(arguments, result, count, context) { try zone(names.string($0)) }
        }
        registry.scalar(
            "timezone", [.interval, .timeTZ], .timeTZ, canFail: true, FunctionDocumentation("Date and time", text)
        ) { arguments, result, count, context in
            let intervals = ValueColumn<IntervalValue>(arguments[0])
            return try shiftedTimes(arguments, result, count, context) { try zone(intervals[$0]) }
        }
    }

    @inline(__always)
    private static func shifted(
        _ arguments: [Vector], _ result: DataType, _ count: Int, toMoment: Bool,
        _ zoneOfRow: (Int) throws -> TimeZoneData
    ) throws -> Vector {
        let times = ValueColumn<Int64>(arguments[1])
        let constant = arguments[0].encoding == .constant && !arguments[0].isNull(0) ? try zoneOfRow(0) : nil
        return try DateTimeFunctions.rows(arguments, result, count) { row -> Int64 in
            let zone = try constant ?? zoneOfRow(row)
            let moved = toMoment ? zone.moment(ofLocal: times[row]) : zone.localTime(of: times[row])
            if times[row] != .max, times[row] != .min, !CivilCalendar.isValidTimestamp(moved) {
                throw QueryError(.datetimeFieldOverflow, "timestamp out of range")
            }
            return moved
        }
    }

    @inline(__always)
    private static func shiftedTimes(
        _ arguments: [Vector], _ result: DataType, _ count: Int, _ context: EvaluationContext,
        _ zoneOfRow: (Int) throws -> TimeZoneData
    ) throws -> Vector {
        let times = ValueColumn<Int64>(arguments[1])
        let constant = arguments[0].encoding == .constant && !arguments[0].isNull(0) ? try zoneOfRow(0) : nil
        return try DateTimeFunctions.rows(arguments, result, count) { row -> Int64 in
            let offset = try (constant ?? zoneOfRow(row)).offset(at: context.statementTimestamp)
            return TimeTZValue(packed: times[row]).shifted(toOffset: offset).packed
        }
    }
}
