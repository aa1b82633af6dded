// Casts among dates, times, timestamps and intervals.

import Columnar
import Diagnostics

struct TemporalCast {
    let cast: FlatCast
    init(cast: FlatCast) { self.cast = cast }

    private var zone: TimeZoneData { TimeZoneData.named(cast.context.timeZone) ?? .utc }

    func run() throws -> Vector {
        switch (cast.source.type, cast.target) {
        case (.date, .timestamp):
            return try cast.map(
                { (day: Int32, failed: inout UInt8) in DateArithmetic.timestamp(ofDay: day, &failed) },
                error: { _, _ in QueryError(.datetimeFieldOverflow, "date out of range for timestamp") })
        case (.date, .timestampTZ):
            let zone = zone
            return try cast.map(
                { (day: Int32, failed: inout UInt8) in
                    zone.moment(ofLocal: DateArithmetic.timestamp(ofDay: day, &failed))
                },
                error: { _, _ in QueryError(.datetimeFieldOverflow, "date out of range for timestamp") })
        case (.timestamp, .date): return try mapMoments { TemporalCast.day(of: $0) }
        case (.timestampTZ, .date):
            let zone = zone
            return try mapMoments { TemporalCast.day(of: zone.localTime(of: $0)) }
        case (.timestamp, .time): return try mapMoments { CivilCalendar.split($0).microseconds }
        case (.timestampTZ, .time):
            let zone = zone
            return try mapMoments { CivilCalendar.split(zone.localTime(of: $0)).microseconds }
        case (.timestamp, .timestampTZ):
            let zone = zone
            return try mapMoments { zone.moment(ofLocal: $0) }
        case (.timestampTZ, .timestamp):
            let zone = zone
            return try mapMoments { zone.localTime(of: $0) }
        case (.time, .timeTZ):
            // The offset that the session's zone has today.
            let settings = cast.context.textSettings
            let zone = settings.timeZone
            let day = Int64(CivilCalendar.split(zone.localTime(of: settings.now)).day)
            return try mapMoments { (time: Int64) -> Int64 in
                let local = day &* CivilCalendar.microsecondsPerDay &+ time
                return TimeTZValue(time: time, offset: Int((local &- zone.moment(ofLocal: local)) / 1_000_000)).packed
            }
        case (.timeTZ, .time): return try mapMoments { TimeTZValue(packed: $0).time }
        case (.timestampTZ, .timeTZ):
            let zone = zone
            return try mapMoments { (moment: Int64) -> Int64 in
                TimeTZValue(
                    time: CivilCalendar.split(zone.localTime(of: moment)).microseconds, offset: zone.offset(at: moment)
                ).packed
            }
        case (.time, .interval): return try mapMoments { IntervalValue(microseconds: $0) }
        case (.interval, .time):
            return try cast.map(
                { (x: IntervalValue, _) -> Int64 in
                    let rest = x.microseconds % CivilCalendar.microsecondsPerDay
                    return rest < 0 ? rest &+ CivilCalendar.microsecondsPerDay : rest
                }, error: { _, _ in Casting.outOfRange(.time) })
        default:
            throw QueryError(
                .cannotCoerce,
                "cannot cast type \(TypeConversion.displayName(cast.source.type)) to \(TypeConversion.displayName(cast.target))"
            )
        }
    }

    @inline(__always)
    private func mapMoments<R>(_ op: (Int64) -> R) throws -> Vector {
        try cast.map({ (x: Int64, _) in op(x) }, error: { _, _ in Casting.outOfRange(cast.target) })
    }

    static func day(of timestamp: Int64) -> Int32 {
        if timestamp == CivilCalendar.timestampInfinity { return CivilCalendar.dateInfinity }
        if timestamp == CivilCalendar.timestampMinusInfinity { return CivilCalendar.dateMinusInfinity }
        return Int32(truncatingIfNeeded: CivilCalendar.split(timestamp).day)
    }
}
