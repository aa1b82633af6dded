// Modifiers of the types of times and intervals: timestamp(3), interval day to second(2).

/// What a type of times or intervals was declared with: digits of the second, and the fields of an interval. Values with
/// and without it are of one `DataType`; whoever makes a value of a declared type cuts it.
package struct TemporalModifier: Hashable, Sendable {
    package var qualifier: IntervalQualifier?
    /// Digits behind the second's point, 0…6.
    package var precision: Int?

    package static let precisionMax = 6

    package init(qualifier: IntervalQualifier? = nil, precision: Int? = nil) {
        self.qualifier = qualifier
        self.precision = precision.map { min($0, Self.precisionMax) }
    }

    private static let everyField: Int64 = 0x7FFF
    private static let everyDigit: Int64 = 0xFFFF

    /// The modifier of an interval by its number in the catalogue: a mask of fields above sixteen bits of precision.
    package init(catalogNumber number: Int64) {
        let mask = number >> 16 & Self.everyField
        let digits = number & Self.everyDigit
        qualifier = IntervalQualifier.allCases.first { $0.fieldMask == mask }
        precision = digits == Self.everyDigit ? nil : Int(min(digits, Int64(Self.precisionMax)))
    }

    /// The number that the catalogue and the protocol have for it.
    package func catalogNumber(for type: DataType) -> Int64 {
        guard type.elementType ?? type == .interval else { return Int64(precision ?? -1) }
        return (qualifier?.fieldMask ?? Self.everyField) << 16 | (precision.map { Int64($0) } ?? Self.everyDigit)
    }

    /// The value as one of the declared type.
    package func applied(to value: IntervalValue) -> IntervalValue {
        var result = qualifier.map { IntervalText.adjusted(value, to: $0) } ?? value
        if let precision { result.microseconds = TimePrecision.rounded(result.microseconds, to: precision) }
        return result
    }

    /// What stands behind `interval`: ` day to second(2)`, `(3)`.
    var intervalSuffix: String {
        (qualifier.map { " " + $0.name } ?? "") + (precision.map { "(\($0))" } ?? "")
    }
}

extension IntervalQualifier {
    /// As SQL writes it.
    package var name: String {
        switch self {
        case .year: "year"
        case .month: "month"
        case .day: "day"
        case .hour: "hour"
        case .minute: "minute"
        case .second: "second"
        case .yearToMonth: "year to month"
        case .dayToHour: "day to hour"
        case .dayToMinute: "day to minute"
        case .dayToSecond: "day to second"
        case .hourToMinute: "hour to minute"
        case .hourToSecond: "hour to second"
        case .minuteToSecond: "minute to second"
        }
    }

    /// A bit for each field, at the positions that the catalogue's modifiers have for them.
    fileprivate var fieldMask: Int64 {
        let (month, year, day, hour, minute, second): (Int64, Int64, Int64, Int64, Int64, Int64) = (
            1 << 1, 1 << 2, 1 << 3, 1 << 10, 1 << 11, 1 << 12
        )
        return switch self {
        case .year: year
        case .month: month
        case .day: day
        case .hour: hour
        case .minute: minute
        case .second: second
        case .yearToMonth: year | month
        case .dayToHour: day | hour
        case .dayToMinute: day | hour | minute
        case .dayToSecond: day | hour | minute | second
        case .hourToMinute: hour | minute
        case .hourToSecond: hour | minute | second
        case .minuteToSecond: minute | second
        }
    }
}

package enum TimePrecision {
    /// 2000-01-01 in microseconds since 1970.
    private static let momentOrigin: Int64 = 946_684_800_000_000
    private static let units: [Int64] = [1_000_000, 100_000, 10_000, 1_000, 100, 10, 1]

    /// Microseconds rounded to so many digits of the second, half away from zero; infinity stays.
    @inline(__always)
    package static func rounded(_ microseconds: Int64, to digits: Int) -> Int64 {
        if microseconds == .max || microseconds == .min { return microseconds }
        let unit = units[max(0, min(6, digits))]
        let half = unit / 2
        return microseconds >= 0
            ? (microseconds &+ half) / unit &* unit : 0 &- (0 &- microseconds &+ half) / unit &* unit
    }
    /// A moment rounded likewise; halves go away from the year 2000.
    @inline(__always)
    package static func rounded(moment: Int64, to digits: Int) -> Int64 {
        if moment == .max || moment == .min { return moment }
        return rounded(moment &- momentOrigin, to: digits) &+ momentOrigin
    }
}
