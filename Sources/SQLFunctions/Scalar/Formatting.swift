// to_char, to_date, to_timestamp, to_number: templates as PostgreSQL's, for the patterns in common use.

import Columnar
import Diagnostics

/// A date-and-time template cut into patterns and fixed text.
struct DateTemplate {
    enum Piece: Equatable {
        case pattern(String, fill: Bool, ordinal: Ordinal)
        case text(String)
    }
    enum Ordinal: Equatable { case none, lower, upper }

    private static let patterns = [
        "HH24", "HH12", "SSSSS", "SSSS", "Y,YYY", "YYYY", "IYYY", "MONTH", "Month", "month", "A.M.", "P.M.", "a.m.",
        "p.m.", "B.C.",
        "A.D.", "MI", "SS", "MS", "US", "HH", "YYY", "IYY", "IDDD", "DDD", "DAY", "Day", "day", "MON", "Mon", "mon",
        "TZH", "TZM",
        "YY", "IY", "IW", "WW", "CC", "DD", "DY", "Dy", "dy", "ID", "MM", "RM", "rm", "AM", "PM", "am", "pm", "BC",
        "AD", "bc", "ad",
        "TZ", "tz", "OF", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "Y", "I", "W", "D", "J", "Q",
    ]

    let pieces: [Piece]

    init(_ template: String) {
        var pieces: [Piece] = []
        var rest = Substring(template)
        var literal = ""
        func flush() {
            if !literal.isEmpty { pieces.append(.text(literal)) }
            literal = ""
        }
        while let first = rest.first {
            if first == "\"" {
                rest = rest.dropFirst()
                while let character = rest.first, character != "\"" {
                    if character == "\\" { rest = rest.dropFirst() }
                    if let next = rest.first { literal.append(next) }
                    rest = rest.dropFirst()
                }
                rest = rest.dropFirst()
                continue
            }
            var body = rest
            var fill = true
            if body.hasPrefix("FM") {
                fill = false
                body = body.dropFirst(2)
            } else if body.hasPrefix("TM") {
                body = body.dropFirst(2)
            } else if body.hasPrefix("FX") {
                rest = rest.dropFirst(2)
                continue
            }
            if let pattern = DateTemplate.match(body) {
                flush()
                body = body.dropFirst(pattern.count)
                var ordinal = Ordinal.none
                if body.hasPrefix("th") { ordinal = .lower } else if body.hasPrefix("TH") { ordinal = .upper }
                if ordinal != .none { body = body.dropFirst(2) }
                pieces.append(.pattern(pattern, fill: fill, ordinal: ordinal))
                rest = body
            } else {
                literal.append(first)
                rest = rest.dropFirst()
            }
        }
        if !literal.isEmpty { pieces.append(.text(literal)) }
        self.pieces = pieces
    }

    private static func match(_ text: Substring) -> String? {
        for pattern in patterns where text.hasPrefix(pattern) { return pattern }
        // Numeric patterns are the same in lower case.
        let upper = text.prefix(5).uppercased()
        for pattern in patterns where upper.hasPrefix(pattern) && pattern == pattern.uppercased() {
            switch pattern {
            case "MONTH", "DAY", "DY", "MON", "AM", "PM", "BC", "AD", "TZ", "RM", "A.M.", "P.M.", "B.C.", "A.D.":
                continue
            default: return pattern
            }
        }
        return nil
    }
}

/// A moment's parts, as templates name them.
private struct MomentParts {
    var day = 0
    var year = 1970
    var month = 1
    var dayOfMonth = 1
    var time: Int64 = 0
    var offset = 0
    var abbreviation = ""
    /// Intervals have no calendar.
    var isInterval = false
    var dayOfYear = 1
}

enum Formatting {
    private static func text(_ text: String, _ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation
    {
        FunctionDocumentation("Formatting", text, example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        for type in [DataType.timestamp, .timestampTZ, .interval] {
            registry.scalar(
                "to_char", [.exact(type), .text], .text, volatility: .stable, canFail: true,
                text(
                    "A date or time by a template.",
                    type == .timestamp ? "to_char(timestamp '2002-04-20 17:31:12.66', 'HH12:MI:SS')" : nil,
                    type == .timestamp ? "05:31:12" : nil)
            ) { arguments, result, count, context in
                let templates = ViewColumn(arguments[1])
                let zone = TimeZoneData.named(context.timeZone) ?? .utc
                let constant = arguments[1].encoding == .constant ? DateTemplate(templates.string(0)) : nil
                return try Kernel.text(arguments, result, count) { row, output in
                    let template = constant ?? DateTemplate(templates.string(row))
                    let (vector, index) = arguments[0].position(row)
                    let parts: MomentParts
                    switch type {
                    case .interval: parts = Self.parts(of: vector.values(IntervalValue.self)[index])
                    case .timestampTZ: parts = Self.parts(of: vector.values(Int64.self)[index], zone: zone)
                    default: parts = Self.parts(of: vector.values(Int64.self)[index], zone: nil)
                    }
                    for piece in template.pieces { try append(piece, parts, &output) }
                    return true
                }
            }
        }
        registerNumbers(in: registry)
        registerParsing(in: registry)
    }

    private static func parts(of moment: Int64, zone: TimeZoneData?) -> MomentParts {
        var parts = MomentParts()
        parts.offset = zone?.offset(at: moment) ?? 0
        parts.abbreviation = zone?.abbreviation(at: moment) ?? ""
        let (day, time) = CivilCalendar.split(moment &+ Int64(parts.offset) * 1_000_000)
        let civil = CivilCalendar.civil(day)
        parts.day = day
        (parts.year, parts.month, parts.dayOfMonth) = civil
        parts.time = time
        parts.dayOfYear = CivilCalendar.dayOfYear(day)
        return parts
    }

    private static func parts(of interval: IntervalValue) -> MomentParts {
        var parts = MomentParts()
        parts.isInterval = true
        parts.year = Int(interval.months / 12)
        parts.month = Int(interval.months % 12)
        parts.dayOfMonth = Int(interval.days)
        parts.dayOfYear = Int(interval.months) * 30 + Int(interval.days)
        parts.time = interval.microseconds
        return parts
    }

    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    private static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    private static let romans = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"]

    private static func append(_ piece: DateTemplate.Piece, _ parts: MomentParts, _ output: inout [UInt8]) throws {
        guard case .pattern(let pattern, let fill, let ordinal) = piece else {
            if case .text(let text) = piece { output.append(contentsOf: text.utf8) }
            return
        }
        func number(_ value: Int, _ width: Int) {
            let start = output.count
            if value < 0 { output.append(0x2D) }
            NumericText.appendDigits(UInt64(value.magnitude), minimum: fill ? width : 1, into: &output)
            if ordinal != .none {
                let suffix = ordinalSuffix(value.magnitude)
                output.append(contentsOf: (ordinal == .lower ? suffix : suffix.uppercased()).utf8)
            }
            _ = start
        }
        func word(_ text: String, _ width: Int) {
            output.append(contentsOf: text.utf8)
            if fill && text.utf8.count < width {
                output.append(contentsOf: repeatElement(0x20, count: width - text.utf8.count))
            }
        }
        func cased(_ text: String) -> String {
            pattern == pattern.uppercased()
                ? text.uppercased() : pattern == pattern.lowercased() ? text.lowercased() : text
        }
        func needsCalendar() throws {
            if parts.isInterval {
                throw QueryError(.invalidDatetimeFormat, "invalid format specification for an interval value")
            }
        }
        let hours = Int(parts.time / 3_600_000_000)
        let year = parts.year > 0 || parts.isInterval ? parts.year : 1 - parts.year
        let micros = Int(parts.time % 1_000_000)
        switch pattern {
        case "HH24": number(hours, 2)
        case "HH", "HH12": number(hours % 12 == 0 ? 12 : hours % 12, 2)
        case "MI": number(Int(parts.time / 60_000_000 % 60), 2)
        case "SS": number(Int(parts.time / 1_000_000 % 60), 2)
        case "MS", "FF3": number(micros / 1000, 3)
        case "US", "FF6": number(micros, 6)
        case "FF1": number(micros / 100_000, 1)
        case "FF2": number(micros / 10_000, 2)
        case "FF4": number(micros / 100, 4)
        case "FF5": number(micros / 10, 5)
        case "SSSS", "SSSSS": number(Int(parts.time / 1_000_000), 1)
        case "AM", "PM": word(hours % 24 >= 12 ? "PM" : "AM", 2)
        case "am", "pm": word(hours % 24 >= 12 ? "pm" : "am", 2)
        case "A.M.", "P.M.": word(hours % 24 >= 12 ? "P.M." : "A.M.", 4)
        case "a.m.", "p.m.": word(hours % 24 >= 12 ? "p.m." : "a.m.", 4)
        case "YYYY": number(year, 4)
        case "Y,YYY":
            number(year / 1000, 1)
            output.append(0x2C)
            NumericText.appendDigits(UInt64((year % 1000).magnitude), minimum: 3, into: &output)
        case "YYY": number(year % 1000, 3)
        case "YY": number(year % 100, 2)
        case "Y": number(year % 10, 1)
        case "IYYY": number(CivilCalendar.isoWeek(parts.day).year, 4)
        case "IYY": number(CivilCalendar.isoWeek(parts.day).year % 1000, 3)
        case "IY": number(CivilCalendar.isoWeek(parts.day).year % 100, 2)
        case "I": number(CivilCalendar.isoWeek(parts.day).year % 10, 1)
        case "BC", "AD", "bc", "ad": word(cased(parts.year > 0 ? "AD" : "BC"), 2)
        case "B.C.", "A.D.": word(parts.year > 0 ? "A.D." : "B.C.", 4)
        case "MM": number(parts.month, 2)
        case "MONTH", "Month", "month":
            try needsCalendar()
            word(cased(months[parts.month - 1]), 9)
        case "MON", "Mon", "mon":
            try needsCalendar()
            word(cased(String(months[parts.month - 1].prefix(3))), 3)
        case "RM", "rm":
            try needsCalendar()
            word(cased(romans[parts.month - 1]), 4)
        case "DD": number(parts.dayOfMonth, 2)
        case "DDD": number(parts.dayOfYear, 3)
        case "IDDD":
            let iso = CivilCalendar.isoWeek(parts.day)
            number((iso.week - 1) * 7 + (CivilCalendar.dayOfWeek(parts.day) + 6) % 7 + 1, 3)
        case "D": number(CivilCalendar.dayOfWeek(parts.day) + 1, 1)
        case "ID": number((CivilCalendar.dayOfWeek(parts.day) + 6) % 7 + 1, 1)
        case "DAY", "Day", "day":
            try needsCalendar()
            word(cased(days[CivilCalendar.dayOfWeek(parts.day)]), 9)
        case "DY", "Dy", "dy":
            try needsCalendar()
            word(cased(String(days[CivilCalendar.dayOfWeek(parts.day)].prefix(3))), 3)
        case "W": number((parts.dayOfMonth - 1) / 7 + 1, 1)
        case "WW": number((parts.dayOfYear - 1) / 7 + 1, 2)
        case "IW": number(CivilCalendar.isoWeek(parts.day).week, 2)
        case "Q": number((parts.month - 1) / 3 + 1, 1)
        case "CC": number((year + 99) / 100, 2)
        case "J": number(parts.day + 2_440_588, 1)
        case "TZ": output.append(contentsOf: parts.abbreviation.uppercased().utf8)
        case "tz": output.append(contentsOf: parts.abbreviation.lowercased().utf8)
        case "TZH", "OF":
            output.append(parts.offset < 0 ? 0x2D : 0x2B)
            NumericText.appendDigits(UInt64(parts.offset.magnitude / 3600), minimum: 2, into: &output)
            if pattern == "OF", parts.offset % 3600 != 0 {
                output.append(0x3A)
                NumericText.appendDigits(UInt64(parts.offset.magnitude / 60 % 60), minimum: 2, into: &output)
            }
        case "TZM": NumericText.appendDigits(UInt64(parts.offset.magnitude / 60 % 60), minimum: 2, into: &output)
        default: output.append(contentsOf: pattern.utf8)
        }
    }

    static func ordinalSuffix(_ value: UInt) -> String {
        if value / 10 % 10 == 1 { return "th" }
        switch value % 10 {
        case 1: return "st"
        case 2: return "nd"
        case 3: return "rd"
        default: return "th"
        }
    }

    // MARK: Numbers

    private static func registerNumbers(in registry: FunctionRegistry) {
        let documentation = text("A number by a template.", "to_char(125, '999')", " 125")
        for type in [ParameterType.int32, .int64, .float64] {
            registry.scalar("to_char", [type, .text], .text, canFail: true, documentation) {
                arguments, result, count, _ in
                let templates = ViewColumn(arguments[1])
                return try Kernel.text(arguments, result, count) { row, output in
                    let template = try NumberTemplate(templates.string(row))
                    switch arguments[0].value(at: row) {
                    case .integer(let value): template.append(Int128(value), scale: 0, &output)
                    case .float(let value):
                        // The digits of the shortest text are the digits of the number.
                        var digits: [UInt8] = []
                        NumericText.append(value, into: &digits)
                        let (unscaled, scale) = NumericText.parseDecimal(digits) ?? (0, 0)
                        template.append(unscaled, scale: scale, &output)
                    default: break
                    }
                    return true
                }
            }
        }
        registry.scalar("to_char", [.anyDecimal, .text], .text, canFail: true, documentation) {
            arguments, result, count, _ in
            let templates = ViewColumn(arguments[1])
            return try Kernel.text(arguments, result, count) { row, output in
                let template = try NumberTemplate(templates.string(row))
                if case .decimal(let value) = arguments[0].value(at: row) {
                    template.append(value, scale: arguments[0].type.scale, &output)
                }
                return true
            }
        }
        registry.scalar(
            "to_number", [.text, .text], .decimal(precision: 38, scale: 16), canFail: true,
            text("A number from a text by a template.")
        ) { arguments, result, count, _ in
            let texts = ViewColumn(arguments[0])
            return try DateTimeFunctions.rows(arguments, result, count) { row -> Int128 in
                let source = texts.string(row)
                let isNegative = source.contains("-") || source.contains("<")
                let kept = Array(source.utf8.filter { ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2E })
                guard
                    let value = try? kept.withUnsafeBufferPointer({
                        try NumericText.parseDecimal($0, precision: 38, scale: 16)
                    })
                else {
                    throw QueryError(.invalidTextRepresentation, "invalid input syntax for type numeric: \"\(source)\"")
                }
                return isNegative ? 0 - value : value
            }
        }
    }

    // MARK: Parsing

    private static func registerParsing(in registry: FunctionRegistry) {
        for (name, type) in [("to_date", DataType.date), ("to_timestamp", .timestampTZ)] {
            registry.scalar(
                name, [.text, .text], type, volatility: type == .date ? .immutable : .stable, canFail: true,
                text(
                    "A \(type == .date ? "date" : "moment") from a text by a template.",
                    type == .date ? "to_date('05 Dec 2000', 'DD Mon YYYY')" : nil, type == .date ? "2000-12-05" : nil)
            ) { arguments, result, count, context in
                let (texts, templates) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
                let zone = TimeZoneData.named(context.timeZone) ?? .utc
                if type == .date {
                    return try DateTimeFunctions.rows(arguments, result, count) { row -> Int32 in
                        let read = try DateReader.read(texts.string(row), DateTemplate(templates.string(row)))
                        guard read.day >= CivilCalendar.firstDay, read.day <= CivilCalendar.lastDateDay else {
                            throw DateArithmetic.outOfRange("date")
                        }
                        return Int32(truncatingIfNeeded: read.day)
                    }
                }
                return try DateTimeFunctions.rows(arguments, result, count) { row -> Int64 in
                    let moment = try DateReader.read(texts.string(row), DateTemplate(templates.string(row)))
                    guard moment.day >= CivilCalendar.firstDay, moment.day < CivilCalendar.lastTimestampDay else {
                        throw DateArithmetic.outOfRange("timestamp")
                    }
                    return zone.moment(ofLocal: Int64(moment.day) * CivilCalendar.microsecondsPerDay + moment.time)
                }
            }
        }
    }
}

/// Reads a text by a template.
private enum DateReader {
    static func read(_ text: String, _ template: DateTemplate) throws -> (day: Int, time: Int64) {
        var rest = Substring(text).drop { $0 == " " }
        var (year, month, day, dayOfYear) = (1, 1, 1, 0)
        var (hour, minute, second, micros, isAfternoon) = (0, 0, 0, 0, nil as Bool?)
        var julian: Int?
        var isBC = false
        func invalid(_ pattern: String) -> QueryError {
            QueryError(.invalidDatetimeFormat, "invalid value \"\(rest.prefix(10))\" for \"\(pattern)\"")
        }
        func number(_ pattern: String, _ width: Int) throws -> Int {
            let digits = rest.prefix(width).prefix { $0.isNumber }
            guard let value = Int(digits) else { throw invalid(pattern) }
            guard value <= Int(Int32.max) else {
                throw QueryError(
                    .datetimeFieldOverflow, "value for \"\(pattern)\" in source string is out of range",
                    detail: "Value must be in the range -2147483648 to 2147483647.")
            }
            rest = rest.dropFirst(digits.count)
            return value
        }
        func name(_ names: [String], _ pattern: String, _ isShort: Bool) throws -> Int {
            for (index, name) in names.enumerated() {
                let wanted = isShort ? String(name.prefix(3)) : name
                if rest.prefix(wanted.count).lowercased() == wanted.lowercased() {
                    rest = rest.dropFirst(wanted.count)
                    return index
                }
            }
            throw invalid(pattern)
        }
        let months = [
            "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
            "November", "December",
        ]
        let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
        for (index, piece) in template.pieces.enumerated() {
            guard case .pattern(let pattern, _, _) = piece else {
                guard case .text(let literal) = piece else { continue }
                for character in literal {
                    if character == " " {
                        rest = rest.drop { $0 == " " }
                    } else if let next = rest.first, !next.isNumber && !next.isLetter || next == character {
                        rest = rest.dropFirst()
                    }
                }
                continue
            }
            rest = rest.drop { $0 == " " }
            if rest.isEmpty { break }
            // A number in front of another number keeps to its width.
            var isFollowedByNumber = false
            if index + 1 < template.pieces.count, case .pattern = template.pieces[index + 1] {
                isFollowedByNumber = true
            }
            switch pattern.uppercased() {
            case "YYYY": year = try number(pattern, isFollowedByNumber ? 4 : rest.count)
            case "YYY", "YY", "Y":
                let value = try number(pattern, pattern.count)
                year =
                    value < 70 ? 2000 + value : value < 100 ? 1900 + value : value < 520 ? 2000 + value : 1000 + value
            case "MM": month = try number(pattern, 2)
            case "MONTH": month = try name(months, pattern, false) + 1
            case "MON": month = try name(months, pattern, true) + 1
            case "DAY": _ = try name(days, pattern, false)
            case "DY": _ = try name(days, pattern, true)
            case "DD": day = try number(pattern, 2)
            case "DDD": dayOfYear = try number(pattern, 3)
            case "HH24", "HH", "HH12": hour = try number(pattern, 2)
            case "MI": minute = try number(pattern, 2)
            case "SS": second = try number(pattern, 2)
            case "MS", "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
                let before = rest
                let width = pattern == "MS" ? 3 : 6
                var value = try number(pattern, width)
                for _ in (before.count - rest.count)..<6 { value *= 10 }
                micros = value
            case "AM", "PM", "A.M.", "P.M.":
                isAfternoon = rest.first.map { $0 == "p" || $0 == "P" }
                rest = rest.dropFirst(pattern.count)
            case "BC", "AD", "B.C.", "A.D.":
                isBC = rest.first.map { $0 == "b" || $0 == "B" } ?? false
                rest = rest.dropFirst(pattern.count)
            case "J": julian = try number(pattern, 9) - 2_440_588
            case "Q", "D", "ID", "W", "WW", "IW", "CC": _ = try number(pattern, 4)
            case "SSSS", "SSSSS": second = try number(pattern, 5)
            default: throw QueryError.notSupported("template pattern \(pattern) on input")
            }
        }
        if let isAfternoon {
            guard hour >= 1, hour <= 12 else {
                throw QueryError(.invalidDatetimeFormat, "hour \"\(hour)\" is invalid for the 12-hour clock")
            }
            hour = hour % 12 + (isAfternoon ? 12 : 0)
        }
        if isBC { year = 1 - year }
        guard month >= 1, month <= 12, day >= 1, day <= CivilCalendar.dayCount(year: year, month: month), hour < 24,
            minute < 60
        else { throw QueryError(.datetimeFieldOverflow, "date/time field value out of range: \"\(text)\"") }
        let number =
            julian
            ?? (dayOfYear > 0
                ? CivilCalendar.days(year: year, month: 1, day: 1) + dayOfYear - 1
                : CivilCalendar.days(year: year, month: month, day: day))
        return (
            number, Int64(hour) * 3_600_000_000 + Int64(minute) * 60_000_000 + Int64(second) * 1_000_000 + Int64(micros)
        )
    }
}

/// A numeric template: 9 and 0 for digits, point, group separators, signs, RN, th, V and EEEE are told apart.
struct NumberTemplate {
    private var whole: [Character] = []
    private var fraction: [Character] = []
    private var isFill = true
    private var sign: Character?
    private var signAtEnd = false
    private var isRoman: String?
    private var ordinal: String?
    private var prefix = ""
    private var suffix = ""
    private var hasPoint = false

    /// Errors: 0A000 for the patterns EEEE and V.
    init(_ template: String) throws {
        var rest = Substring(template)
        func take(_ text: String) -> Bool {
            guard rest.prefix(text.count).uppercased() == text else { return false }
            rest = rest.dropFirst(text.count)
            return true
        }
        var sawDigit = false
        while let character = rest.first {
            if take("FM") { isFill = false; continue }
            if rest.prefix(2).uppercased() == "RN" {
                isRoman = String(rest.prefix(2)); rest = rest.dropFirst(2); continue
            }
            if rest.prefix(2).lowercased() == "th" {
                ordinal = String(rest.prefix(2)); rest = rest.dropFirst(2); continue
            }
            if take("EEEE") || take("V") { throw QueryError.notSupported("template pattern EEEE or V") }
            if take("MI") { sign = "M"; signAtEnd = sawDigit; continue }
            if take("PL") { sign = "+"; signAtEnd = sawDigit; continue }
            if take("SG") || take("S") { sign = "S"; signAtEnd = sawDigit; continue }
            if take("PR") { sign = "<"; continue }
            if take("L") { continue }
            rest = rest.dropFirst()
            switch character {
            case "9", "0":
                sawDigit = true
                if hasPoint { fraction.append(character) } else { whole.append(character) }
            case ".", "D", "d": hasPoint = true
            case ",", "G", "g": if !hasPoint { whole.append(",") }
            case "\"":
                while let next = rest.first, next != "\"" {
                    if sawDigit { suffix.append(next) } else { prefix.append(next) }
                    rest = rest.dropFirst()
                }
                rest = rest.dropFirst()
            default: if sawDigit { suffix.append(character) } else { prefix.append(character) }
            }
        }
    }

    func append(_ value: Int128, scale: Int, _ output: inout [UInt8]) {
        if let isRoman { return appendRoman(value, scale, isRoman, &output) }
        let places = fraction.count
        let rounded = DecimalMath.rescaled(value, from: scale, to: places) ?? 0
        let isNegative = rounded < 0
        let unit = places <= 38 ? PowerOfTen.value(places) : 1
        var wholeDigits: [UInt8] = []
        let wholePart = rounded.magnitude / unit.magnitude
        NumericText.append(decimal: Int128(wholePart), scale: 0, into: &wholeDigits)
        let slots = whole.filter { $0 != "," }.count
        if wholePart == 0 && (whole.contains("9") && !whole.contains("0")) && slots > 0 && places > 0 {
            wholeDigits = []
        }
        let overflow = wholeDigits.count > slots
        // Zeros are forced from the first 0 of the template on.
        let firstZero = whole.firstIndex(of: "0").map { index in whole[..<index].filter { $0 != "," }.count } ?? Int.max
        var body = ""
        var position = 0
        var started = false
        for character in whole {
            if character == "," {
                if started { body.append(",") } else if isFill { body.append(" ") }
                continue
            }
            let index = position - (slots - wholeDigits.count)
            if overflow {
                body.append("#")
                started = true
            } else if index >= 0 {
                body.append(Character(Unicode.Scalar(wholeDigits[index])))
                started = true
            } else if position >= firstZero {
                body.append("0")
                started = true
            } else if isFill {
                body.append(" ")
            }
            position += 1
        }
        if hasPoint {
            body.append(".")
            var digits: [UInt8] = []
            NumericText.appendDigits(
                UInt64(truncatingIfNeeded: rounded.magnitude % unit.magnitude), minimum: max(1, places), into: &digits)
            if places == 0 { digits = [] }
            if !isFill {
                while digits.count > 0, digits.last == 0x30, fraction[digits.count - 1] == "9" { digits.removeLast() }
            }
            body += overflow ? String(repeating: "#", count: places) : String(decoding: digits, as: UTF8.self)
        }
        let blanks = body.prefix { $0 == " " }.count
        let core = body.dropFirst(blanks)
        let padding = String(repeating: " ", count: blanks)
        let text: String
        switch sign {
        case "M":
            text =
                signAtEnd
                ? padding + core + (isNegative ? "-" : isFill ? " " : "")
                : (isNegative ? "-" : isFill ? " " : "") + padding + core
        case "S":
            text = signAtEnd ? padding + core + (isNegative ? "-" : "+") : padding + (isNegative ? "-" : "+") + core
        case "+": text = padding + (isNegative ? "-" : isFill ? " " : "") + core + ""
        case "<":
            text = isNegative ? padding + "<" + core + ">" : (isFill ? " " : "") + padding + core + (isFill ? " " : "")
        default: text = padding + (isNegative ? "-" : isFill ? " " : "") + core
        }
        output.append(contentsOf: (prefix + text).utf8)
        if let ordinal, !isNegative, !hasPoint {
            let end = Formatting.ordinalSuffix(UInt(truncatingIfNeeded: wholePart))
            output.append(contentsOf: (ordinal == "TH" ? end.uppercased() : end).utf8)
        }
        output.append(contentsOf: suffix.utf8)
    }

    private func appendRoman(_ value: Int128, _ scale: Int, _ pattern: String, _ output: inout [UInt8]) {
        var rest = Int(truncatingIfNeeded: DecimalMath.rescaled(value, from: scale, to: 0) ?? 0)
        var text = ""
        if rest < 1 || rest > 3999 {
            text = String(repeating: "#", count: 15)
        } else {
            for (number, sign) in [
                (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"),
                (10, "X"), (9, "IX"),
                (5, "V"), (4, "IV"), (1, "I"),
            ] {
                while rest >= number {
                    text += sign
                    rest -= number
                }
            }
        }
        if pattern == "rn" { text = text.lowercased() }
        if isFill && text.count < 15 { text = String(repeating: " ", count: 15 - text.count) + text }
        output.append(contentsOf: text.utf8)
    }
}
