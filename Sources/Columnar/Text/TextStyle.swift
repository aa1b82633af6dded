// The settings of a session that decide how values look as text: DateStyle, IntervalStyle and the like.

/// How values are written and how ambiguous dates are read. Plain data that travels with a query.
package struct TextStyle: Hashable, Sendable {
    package enum DateFormat: UInt8, Sendable { case iso, sql, postgres, german }
    /// Which of three numbers of a date comes first.
    package enum DateOrder: UInt8, Sendable { case monthDayYear, dayMonthYear, yearMonthDay }
    package enum IntervalFormat: UInt8, Sendable { case postgres, postgresVerbose, sqlStandard, iso8601 }
    package enum ByteFormat: UInt8, Sendable { case hex, escape }

    package var dateFormat = DateFormat.iso
    package var dateOrder = DateOrder.monthDayYear
    package var intervalFormat = IntervalFormat.postgres
    package var byteFormat = ByteFormat.hex
    /// Above 0: the shortest text that reads back as the same number. Otherwise added to the type's safe digits.
    package var extraFloatDigits = 1

    package init() {}

    // MARK: Settings

    /// Takes words of a DateStyle over, as `SET datestyle` does; `false` if the list is no such style.
    package mutating func apply(dateStyle text: String) -> Bool {
        var format: DateFormat?
        var order: DateOrder?
        var impliedOrder: DateOrder?
        for part in text.split(separator: ",") {
            let word = part.filter { $0 != " " && $0 != "\t" }.lowercased()
            func set<T: Equatable>(_ slot: inout T?, _ value: T) -> Bool {
                if let old = slot, old != value { return false }
                slot = value
                return true
            }
            let isConsistent: Bool
            switch word {
            case "iso": isConsistent = set(&format, .iso)
            case "sql": isConsistent = set(&format, .sql)
            case _ where word.hasPrefix("postgres"): isConsistent = set(&format, .postgres)
            case "german":
                isConsistent = set(&format, .german)
                impliedOrder = .dayMonthYear
            case "ymd": isConsistent = set(&order, .yearMonthDay)
            case "dmy": isConsistent = set(&order, .dayMonthYear)
            case _ where word.hasPrefix("euro"): isConsistent = set(&order, .dayMonthYear)
            case "mdy", "us": isConsistent = set(&order, .monthDayYear)
            case _ where word.hasPrefix("noneuro"): isConsistent = set(&order, .monthDayYear)
            case "default":
                isConsistent = true
                if format == nil { format = .iso }
                impliedOrder = .monthDayYear
            default: isConsistent = false
            }
            if !isConsistent { return false }
        }
        dateFormat = format ?? dateFormat
        dateOrder = order ?? impliedOrder ?? dateOrder
        return true
    }

    /// The style as SHOW prints it.
    package var dateStyleText: String {
        let format =
            switch dateFormat {
            case .iso: "ISO"
            case .sql: "SQL"
            case .postgres: "Postgres"
            case .german: "German"
            }
        let order =
            switch dateOrder {
            case .monthDayYear: "MDY"
            case .dayMonthYear: "DMY"
            case .yearMonthDay: "YMD"
            }
        return "\(format), \(order)"
    }

    package static func intervalFormat(named name: String) -> IntervalFormat? {
        switch name.lowercased() {
        case "postgres": .postgres
        case "postgres_verbose": .postgresVerbose
        case "sql_standard": .sqlStandard
        case "iso_8601": .iso8601
        default: nil
        }
    }

    package static func byteFormat(named name: String) -> ByteFormat? {
        switch name.lowercased() {
        case "hex": .hex
        case "escape": .escape
        default: nil
        }
    }

    // MARK: Bytes

    /// One byte a setting, for the wire.
    package var bytes: [UInt8] {
        [
            dateFormat.rawValue, dateOrder.rawValue, intervalFormat.rawValue, byteFormat.rawValue,
            UInt8(bitPattern: Int8(clamping: extraFloatDigits)),
        ]
    }

    /// `nil` if the bytes are no style.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 5, let dateFormat = DateFormat(rawValue: bytes[0]),
            let dateOrder = DateOrder(rawValue: bytes[1]), let intervalFormat = IntervalFormat(rawValue: bytes[2]),
            let byteFormat = ByteFormat(rawValue: bytes[3])
        else { return nil }
        self.dateFormat = dateFormat
        self.dateOrder = dateOrder
        self.intervalFormat = intervalFormat
        self.byteFormat = byteFormat
        extraFloatDigits = Int(Int8(bitPattern: bytes[4]))
    }
}
