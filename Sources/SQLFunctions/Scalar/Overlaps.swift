// OVERLAPS: whether two periods have a moment in common.

import Columnar
import Diagnostics

enum OverlapsFunctions {
    static func register(in registry: FunctionRegistry) {
        for type in [DataType.time, .timeTZ, .timestamp, .timestampTZ] {
            registerVariants(type, in: registry)
        }
    }

    private static func registerVariants(_ type: DataType, in registry: FunctionRegistry) {
        let endTypes: [DataType] = type == .timeTZ ? [type] : [type, .interval]
        for firstEnd in endTypes {
            for secondEnd in endTypes {
                let isPlain = type == .time && firstEnd == type && secondEnd == type
                registry.scalar(
                    "overlaps", [.exact(type), .exact(firstEnd), .exact(type), .exact(secondEnd)], .boolean,
                    volatility: type == .timestampTZ ? .stable : .immutable, isStrict: false, canFail: true,
                    FunctionDocumentation(
                        "Date and time", "Whether two periods, each given by its ends or its length, overlap.",
                        example: isPlain ? "(time '11:00', time '12:00') OVERLAPS (time '11:30', time '13:00')" : nil,
                        result: isPlain ? "t" : nil)
                ) { arguments, result, count, context in
                    let ends = [arguments[0], arguments[2]].enumerated().map { index, start in
                        (start: start, end: arguments[index * 2 + 1])
                    }
                    let output = Vector(flat: result, capacity: count)
                    for row in 0..<count {
                        let first = try period(ends[0].start, ends[0].end, row, type, context)
                        let second = try period(ends[1].start, ends[1].end, row, type, context)
                        let answer = overlaps(first, second)
                        output.values(UInt8.self)[row] = answer == true ? 1 : 0
                        if answer == nil { Validity.setNull(output.ensureValidity(), row) }
                    }
                    return output
                }
            }
        }
    }

    private typealias Period = (start: Int64?, end: Int64?)

    private static func period(
        _ start: Vector, _ end: Vector, _ row: Int, _ type: DataType, _ context: EvaluationContext
    ) throws -> Period {
        func moment(_ vector: Vector) -> Int64? {
            if vector.isNull(row) { return nil }
            let (base, index) = vector.position(row)
            return base.values(Int64.self)[index]
        }
        let from = moment(start)
        guard end.type == .interval else { return (from, moment(end)) }
        guard let from, !end.isNull(row) else { return (from, nil) }
        let (base, index) = end.position(row)
        let length = base.values(IntervalValue.self)[index]
        if type == .time {
            var sum =
                (from &+ length.microseconds % CivilCalendar.microsecondsPerDay) % CivilCalendar.microsecondsPerDay
            if sum < 0 { sum &+= CivilCalendar.microsecondsPerDay }
            return (from, sum)
        }
        let zone = type == .timestampTZ ? context.textSettings.timeZone : .utc
        guard let local = CivilCalendar.add(length, to: zone.localTime(of: from)) else {
            throw QueryError(.datetimeFieldOverflow, "timestamp out of range")
        }
        return (from, zone.moment(ofLocal: local))
    }

    /// The standard's rule, with ends in any order; `nil` where an unknown end leaves the answer open.
    private static func overlaps(_ first: Period, _ second: Period) -> Bool? {
        // With an end unknown, the known one starts the period.
        func ordered(_ period: Period) -> (start: Int64, end: Int64?)? {
            guard let start = period.start else {
                guard let end = period.end else { return nil }
                return (start: end, end: nil)
            }
            guard let end = period.end else { return (start: start, end: nil) }
            return (start: min(start, end), end: max(start, end))
        }
        guard let a = ordered(first), let b = ordered(second) else { return nil }
        func follows(_ early: (start: Int64, end: Int64?), _ late: (start: Int64, end: Int64?)) -> Bool? {
            guard let end = early.end else { return nil }
            if late.start < end { return true }
            return late.end == nil ? nil : false
        }
        if a.start > b.start { return follows(b, a) }
        if a.start < b.start { return follows(a, b) }
        // Periods that start together share that moment.
        return a.end == nil || b.end == nil ? nil : true
    }
}
