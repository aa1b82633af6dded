// The proleptic Gregorian calendar on days and microseconds since 1970-01-01.

/// CivilCalendar arithmetic. Years are astronomical: 0 is 1 BC.
package enum CivilCalendar {
    package static let microsecondsPerSecond: Int64 = 1_000_000
    package static let microsecondsPerDay: Int64 = 86_400_000_000
    /// PostgreSQL's `infinity` and `-infinity`.
    package static let dateInfinity = Int32.max
    package static let dateMinusInfinity = Int32.min
    package static let timestampInfinity = Int64.max
    package static let timestampMinusInfinity = Int64.min
    /// 4713-11-24 BC, the first day that PostgreSQL knows.
    package static let firstDay = days(year: -4713, month: 11, day: 24)
    /// 5874897-12-31, the last day that PostgreSQL knows.
    package static let lastDateDay = days(year: 5_874_897, month: 12, day: 31)
    /// The last day of a timestamp in 64-bit microseconds.
    package static let lastTimestampDay = 106_751_990

    /// The Julian day number of 1970-01-01.
    package static let julianDayOfEpoch = 2_440_588
    private static let firstTimestamp = Int64(firstDay) * microsecondsPerDay

    /// Whether finite microseconds lie within the range of timestamps.
    package static func isValidTimestamp(_ moment: Int64) -> Bool {
        moment >= firstTimestamp && moment != timestampInfinity
    }

    /// Days since 1970-01-01 of a date (Howard Hinnant's algorithm).
    @inlinable package static func days(year: Int, month: Int, day: Int) -> Int {
        let y = month <= 2 ? year &- 1 : year
        let era = (y >= 0 ? y : y &- 399) / 400
        let yearOfEra = y &- era &* 400
        let dayOfYear = (153 &* (month &+ (month > 2 ? -3 : 9)) &+ 2) / 5 &+ day &- 1
        let dayOfEra = yearOfEra &* 365 &+ yearOfEra / 4 &- yearOfEra / 100 &+ dayOfYear
        return era &* 146_097 &+ dayOfEra &- 719_468
    }

    /// Year, month and day of a day number.
    @inlinable package static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let z = days &+ 719_468
        let era = (z >= 0 ? z : z &- 146_096) / 146_097
        let dayOfEra = z &- era &* 146_097
        let yearOfEra = (dayOfEra &- dayOfEra / 1460 &+ dayOfEra / 36_524 &- dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra &- (365 &* yearOfEra &+ yearOfEra / 4 &- yearOfEra / 100)
        let shifted = (5 &* dayOfYear &+ 2) / 153
        let day = dayOfYear &- (153 &* shifted &+ 2) / 5 &+ 1
        let month = shifted &+ (shifted < 10 ? 3 : -9)
        return (yearOfEra &+ era &* 400 &+ (month <= 2 ? 1 : 0), month, day)
    }

    package static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    package static func dayCount(year: Int, month: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Day number and microseconds within the day, rounding down.
    @inlinable package static func split(_ timestamp: Int64) -> (day: Int, microseconds: Int64) {
        var day = timestamp / 86_400_000_000
        var rest = timestamp &- day &* 86_400_000_000
        if rest < 0 {
            rest &+= 86_400_000_000
            day &-= 1
        }
        return (Int(day), rest)
    }

    /// 0 is Sunday.
    package static func dayOfWeek(_ day: Int) -> Int {
        let value = (day + 4) % 7
        return value < 0 ? value + 7 : value
    }

    package static func dayOfYear(_ day: Int) -> Int { day - days(year: civil(day).year, month: 1, day: 1) + 1 }

    /// ISO 8601 week and the year that it belongs to.
    package static func isoWeek(_ day: Int) -> (year: Int, week: Int) {
        let weekday = (dayOfWeek(day) + 6) % 7
        let thursday = day - weekday + 3
        let year = civil(thursday).year
        let first = days(year: year, month: 1, day: 1)
        return (year, (thursday - first) / 7 + 1)
    }

    /// Adds months to a date, with the day cut to the month's length.
    @inlinable package static func adding(months: Int, toDay day: Int) -> Int {
        let date = civil(day)
        let total = date.year &* 12 &+ date.month &- 1 &+ months
        var year = total / 12
        var month = total &- year &* 12
        if month < 0 {
            month &+= 12
            year &-= 1
        }
        return days(year: year, month: month &+ 1, day: min(date.day, dayCountInlinable(year, month &+ 1)))
    }

    @inlinable package static func dayCountInlinable(_ year: Int, _ month: Int) -> Int {
        if month == 2 { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28 }
        return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31
    }

    /// `timestamp + interval`: months, then days, then microseconds; `nil` on overflow. Infinity stays.
    package static func add(_ interval: IntervalValue, to timestamp: Int64) -> Int64? {
        if timestamp == timestampInfinity || timestamp == timestampMinusInfinity { return timestamp }
        var (day, rest) = split(timestamp)
        if interval.months != 0 { day = adding(months: Int(interval.months), toDay: day) }
        day += Int(interval.days)
        if day > lastTimestampDay || day < firstDay { return nil }
        let (sum, overflow) = rest.addingReportingOverflow(interval.microseconds)
        if overflow { return nil }
        rest = sum
        let (product, overflow2) = Int64(day).multipliedReportingOverflow(by: microsecondsPerDay)
        let (total, overflow3) = product.addingReportingOverflow(rest)
        if overflow2 || overflow3 || total < Int64(firstDay) * microsecondsPerDay || total == timestampInfinity {
            return nil
        }
        return total
    }
}
