// Text of intervals, both ways: PostgreSQL's verbose input, ISO 8601 input, and its `postgres` output style.

import Diagnostics

package enum IntervalText {
    /// The field that a bare number means.
    package enum Unit: UInt8, Sendable { case year, month, day, hour, minute, second }

    // MARK: Output

    package static func append(_ value: IntervalValue, into text: inout [UInt8]) {
        let start = text.count
        var isNegativeBefore = false
        func part(_ number: Int32, _ unit: String, _ text: inout [UInt8]) {
            if number == 0 { return }
            if text.count > start { text.append(0x20) }
            if isNegativeBefore && number > 0 { text.append(0x2B) }
            NumericText.append(Int64(number), into: &text)
            text.append(0x20)
            text.append(contentsOf: unit.utf8)
            if number != 1 { text.append(0x73) }
            isNegativeBefore = number < 0
        }
        part(value.months / 12, "year", &text)
        part(value.months % 12, "mon", &text)
        part(value.days, "day", &text)
        if text.count > start && value.microseconds == 0 { return }
        if text.count > start { text.append(0x20) }
        if value.microseconds < 0 { text.append(0x2D) } else if isNegativeBefore { text.append(0x2B) }
        let magnitude = value.microseconds.magnitude
        let seconds = magnitude / 1_000_000
        NumericText.appendDigits(seconds / 3600, minimum: 2, into: &text)
        text.append(0x3A)
        NumericText.appendDigits(seconds / 60 % 60, minimum: 2, into: &text)
        text.append(0x3A)
        NumericText.appendDigits(seconds % 60, minimum: 2, into: &text)
        DateTimeText.appendFraction(Int64(magnitude % 1_000_000), into: &text)
    }

    // MARK: Input

    private struct Sum {
        var months: Double = 0
        var wholeMonths: Int64 = 0
        var days: Int64 = 0
        var microseconds: Int64 = 0

        /// Adds `whole` and `fraction` of a unit; fractions spill into smaller units as PostgreSQL's do.
        mutating func add(_ whole: Int64, _ fraction: Double, _ unit: String) -> Bool {
            switch unit {
            case "microsecond", "us", "usec", "microsec", "usecs": return addMicroseconds(whole, fraction, 1)
            case "millisecond", "ms", "msec", "millisec", "msecs": return addMicroseconds(whole, fraction, 1_000)
            case "second", "s", "sec", "secs": return addMicroseconds(whole, fraction, 1_000_000)
            case "minute", "m", "min", "mins": return addMicroseconds(whole, fraction, 60_000_000)
            case "hour", "h", "hr", "hrs": return addMicroseconds(whole, fraction, 3_600_000_000)
            case "day", "d": return addDays(whole, fraction)
            case "week", "w": return addDays(whole * 7, fraction * 7)
            case "month", "mon", "mons": return addMonths(whole, fraction)
            case "year", "y", "yr", "yrs": return addMonths(whole * 12, (fraction * 12).rounded(), keepsFraction: false)
            case "decade", "dec", "decs":
                return addMonths(whole * 120, (fraction * 120).rounded(), keepsFraction: false)
            case "century", "c", "cent", "centurie":
                return addMonths(whole * 1200, (fraction * 1200).rounded(), keepsFraction: false)
            case "millennium", "mil", "mils", "millennia":
                return addMonths(whole * 12_000, (fraction * 12_000).rounded(), keepsFraction: false)
            default: return false
            }
        }
        private mutating func addMicroseconds(_ whole: Int64, _ fraction: Double, _ factor: Int64) -> Bool {
            microseconds &+= whole &* factor &+ Int64((fraction * Double(factor)).rounded())
            return true
        }
        private mutating func addDays(_ whole: Int64, _ fraction: Double) -> Bool {
            let extra = Int64(fraction)
            days &+= whole &+ extra
            microseconds &+= Int64(((fraction - Double(extra)) * 86_400_000_000).rounded())
            return true
        }
        private mutating func addMonths(_ whole: Int64, _ fraction: Double, keepsFraction: Bool = true) -> Bool {
            if keepsFraction {
                wholeMonths &+= whole
                return addDays(0, fraction * 30)
            }
            wholeMonths &+= whole &+ Int64(fraction)
            return true
        }
    }

    /// Reads an interval; a number without a unit means `unit`, seconds as a rule. `nil` is a syntax error.
    package static func parse(_ text: UnsafeBufferPointer<UInt8>, unit: Unit = .second) -> IntervalValue? {
        let string = String(decoding: NumericText.trimmed(text), as: UTF8.self).lowercased()
        if string.hasPrefix("p") { return parseISO(string) }
        var tokens = tokens(string)
        guard !tokens.isEmpty else { return nil }
        var isNegated = false
        if tokens.last == "ago" {
            isNegated = true
            tokens.removeLast()
        }
        if tokens.first == "@" { tokens.removeFirst() }
        guard !tokens.isEmpty else { return nil }
        var sum = Sum()
        var index = 0
        while index < tokens.count {
            let token = tokens[index]
            if token.dropFirst().contains(":") {
                guard let time = clock(token) else { return nil }
                sum.microseconds &+= time
                index += 1
            } else if let (years, months) = yearMonth(token) {
                sum.wholeMonths &+= years * 12 + months
                index += 1
            } else if let (whole, fraction) = number(token) {
                if index + 1 < tokens.count, let name = tokens[index + 1].first, name.isLetter {
                    guard sum.add(whole, fraction, singular(tokens[index + 1])) else { return nil }
                    index += 2
                } else if index + 1 < tokens.count, tokens[index + 1].contains(":") {
                    // "1 12:30" is days and a time.
                    guard sum.add(whole, fraction, "day") else { return nil }
                    index += 1
                } else {
                    guard sum.add(whole, fraction, "\(unit)") else { return nil }
                    index += 1
                }
            } else {
                return nil
            }
        }
        return finish(sum, isNegated: isNegated)
    }

    private static func finish(_ sum: Sum, isNegated: Bool) -> IntervalValue? {
        guard let months = Int32(exactly: sum.wholeMonths), let days = Int32(exactly: sum.days) else { return nil }
        if isNegated { return IntervalValue(months: 0 &- months, days: 0 &- days, microseconds: 0 &- sum.microseconds) }
        return IntervalValue(months: months, days: days, microseconds: sum.microseconds)
    }

    private static func singular(_ name: String) -> String {
        name.count > 3 && name.hasSuffix("s") ? String(name.dropLast()) : name == "days" ? "day" : name
    }

    private static func tokens(_ text: String) -> [String] {
        var result: [String] = []
        var current = ""
        var currentIsWord = false
        for character in text {
            if character == " " || character == "," || character == "\t" || character == "\n" {
                if !current.isEmpty { result.append(current) }
                current = ""
                continue
            }
            let isWord = character.isLetter
            // "3days": a word behind digits starts a token of its own.
            if !current.isEmpty && isWord != currentIsWord {
                result.append(current)
                current = ""
            }
            currentIsWord = isWord
            current.append(character)
        }
        if !current.isEmpty { result.append(current) }
        return result
    }

    private static func number(_ text: String) -> (Int64, Double)? {
        let pieces = text.split(separator: ".", omittingEmptySubsequences: false)
        guard pieces.count <= 2 else { return nil }
        let isNegative = text.hasPrefix("-")
        let wholeText = pieces[0].drop { $0 == "+" || $0 == "-" }
        guard let whole = wholeText.isEmpty && pieces.count == 2 ? 0 : Int64(wholeText) else { return nil }
        var fraction = 0.0
        if pieces.count == 2, !pieces[1].isEmpty {
            guard pieces[1].allSatisfy(\.isNumber), let value = Double("0." + pieces[1]) else { return nil }
            fraction = value
        }
        return isNegative ? (-whole, -fraction) : (whole, fraction)
    }

    private static func yearMonth(_ text: String) -> (Int64, Int64)? {
        let isNegative = text.hasPrefix("-")
        let body = text.drop { $0 == "+" || $0 == "-" }
        let pieces = body.split(separator: "-", omittingEmptySubsequences: false)
        guard pieces.count == 2, let years = Int64(pieces[0]), let months = Int64(pieces[1]), months < 12 else {
            return nil
        }
        return isNegative ? (-years, -months) : (years, months)
    }

    /// [-]h:mm[:ss[.f]] in microseconds.
    private static func clock(_ text: String) -> Int64? {
        let isNegative = text.hasPrefix("-")
        let pieces = text.drop { $0 == "+" || $0 == "-" }.split(separator: ":", omittingEmptySubsequences: false)
        guard pieces.count == 2 || pieces.count == 3, let hours = Int64(pieces[0]) else { return nil }
        var total: Int64
        if pieces.count == 2, pieces[1].contains(".") {
            // mm:ss.f
            guard let seconds = try? DateTimeText.secondsAndFraction(pieces[1]) else { return nil }
            guard let sum = scaledSum(hours, 60_000_000, seconds) else { return nil }
            total = sum
        } else {
            guard let minutes = Int64(pieces[1]), (0..<60).contains(minutes),
                let seconds = pieces.count == 3 ? try? DateTimeText.secondsAndFraction(pieces[2]) : 0,
                seconds <= 60_000_000
            else { return nil }
            guard let sum = scaledSum(hours, 3_600_000_000, minutes * 60_000_000 + seconds) else { return nil }
            total = sum
        }
        if isNegative { total = 0 &- total }
        return total
    }

    /// `value * factor + rest`, or `nil` when that is out of range.
    private static func scaledSum(_ value: Int64, _ factor: Int64, _ rest: Int64) -> Int64? {
        let (product, overflow) = value.multipliedReportingOverflow(by: factor)
        let (sum, carry) = product.addingReportingOverflow(rest)
        return overflow || carry ? nil : sum
    }

    private static func parseISO(_ text: String) -> IntervalValue? {
        var sum = Sum()
        var inTime = false
        var current = ""
        for character in text.dropFirst() {
            if character == "t" {
                inTime = true
            } else if character.isLetter {
                guard let (whole, fraction) = number(current) else { return nil }
                let unit: String
                switch character {
                case "y": unit = "year"
                case "m": unit = inTime ? "minute" : "month"
                case "w": unit = "week"
                case "d": unit = "day"
                case "h": unit = "hour"
                case "s": unit = "second"
                default: return nil
                }
                guard sum.add(whole, fraction, unit) else { return nil }
                current = ""
            } else {
                current.append(character)
            }
        }
        return current.isEmpty && text.count > 1 ? finish(sum, isNegated: false) : nil
    }
}
