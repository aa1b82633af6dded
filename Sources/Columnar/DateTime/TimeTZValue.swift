// A time of day with its offset, packed so that integers compare as PostgreSQL compares such times.

/// Time of day and offset of `time with time zone` in 64 bits: the time at Greenwich in the high bits, the offset in the
/// low ones. Equal, less and hash of the integer are those of the type.
package struct TimeTZValue: Hashable, Sendable {
    private static let zoneBits: Int64 = 17
    private static let zoneBias: Int64 = 1 << 16

    package let packed: Int64

    package init(packed: Int64) { self.packed = packed }

    /// Microseconds since local midnight, and seconds east of Greenwich.
    package init(time: Int64, offset: Int) {
        packed = ((time &- Int64(offset) &* 1_000_000) << Self.zoneBits) | (Self.zoneBias &- Int64(offset))
    }

    package var offset: Int { Int(Self.zoneBias &- (packed & ((1 << Self.zoneBits) - 1))) }
    package var time: Int64 { utc &+ Int64(offset) &* 1_000_000 }
    /// Microseconds since midnight at Greenwich; may lie outside of the day.
    package var utc: Int64 { packed >> Self.zoneBits }

    /// The same moment of the day under another offset.
    package func shifted(toOffset offset: Int) -> TimeTZValue {
        var time = (utc &+ Int64(offset) &* 1_000_000) % CivilCalendar.microsecondsPerDay
        if time < 0 { time &+= CivilCalendar.microsecondsPerDay }
        return TimeTZValue(time: time, offset: offset)
    }
}
