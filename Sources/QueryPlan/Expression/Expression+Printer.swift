// Expressions as text in SQL-like form, for EXPLAIN, messages and golden tests.

import Columnar

/// Prints expressions. Columns appear as `name#number`, or `#number` when their name is not known.
package struct ExpressionPrinter {
    /// Names of columns by identity.
    package var names: [ColumnID: String]
    /// Names of input columns by position, for physical expressions; positions beyond it appear as `@position`.
    package var inputNames: [String]
    /// Sub-query plans in the order in which they were met; the printer of plans shows them below the node.
    package var subqueries: [LogicalPlan] = []

    package init(names: [ColumnID: String] = [:], inputNames: [String] = []) {
        self.names = names
        self.inputNames = inputNames
    }

    package func text(_ id: ColumnID) -> String { (names[id] ?? "") + id.description }

    package mutating func text(_ expression: Expression) -> String { text(expression, isNested: false) }

    package mutating func list(_ expressions: [Expression]) -> String {
        expressions.map { text($0) }.joined(separator: ", ")
    }

    package mutating func text(_ key: SortKey) -> String {
        var result = text(key.expression)
        if key.isDescending { result += " desc" }
        if key.nullsFirst != key.isDescending { result += key.nullsFirst ? " nulls first" : " nulls last" }
        return result
    }

    package mutating func list(_ keys: [SortKey]) -> String { keys.map { text($0) }.joined(separator: ", ") }

    package mutating func text(_ call: AggregateCall) -> String {
        var inside = call.isDistinct ? "distinct " : ""
        inside += call.arguments.isEmpty && call.name == "count" ? "*" : list(call.arguments)
        if !call.ordering.isEmpty { inside += (inside.isEmpty ? "order by " : " order by ") + list(call.ordering) }
        var result = "\(call.name)(\(inside))"
        if let filter = call.filter { result += " filter (where \(text(filter)))" }
        return result
    }

    package mutating func text(_ call: WindowCall) -> String {
        let inside = call.arguments.isEmpty && call.name == "count" ? "*" : list(call.arguments)
        var result = "\(call.name)(\(inside))"
        if let filter = call.filter { result += " filter (where \(text(filter)))" }
        if call.ignoresNulls { result += " ignore nulls" }
        if call.frame != WindowFrame() { result += " " + text(call.frame) }
        return result
    }

    package mutating func text(_ frame: WindowFrame) -> String {
        var result = "\(frame.unit) between \(text(frame.start, isStart: true)) and \(text(frame.end, isStart: false))"
        switch frame.exclusion {
        case .none: break
        case .currentRow: result += " exclude current row"
        case .group: result += " exclude group"
        case .ties: result += " exclude ties"
        }
        return result
    }

    private mutating func text(_ bound: FrameBound, isStart: Bool) -> String {
        switch bound {
        case .unboundedPreceding: "unbounded preceding"
        case .unboundedFollowing: "unbounded following"
        case .currentRow: "current row"
        case .preceding(let distance): text(distance, isNested: true) + " preceding"
        case .following(let distance): text(distance, isNested: true) + " following"
        }
    }

    private mutating func text(_ expression: Expression, isNested: Bool) -> String {
        func wrapped(_ text: String) -> String { isNested ? "(\(text))" : text }
        switch expression {
        case .column(let id, _): return text(id)
        case .input(let index, _): return index < inputNames.count ? inputNames[index] : "@\(index)"
        case .literal(let value, let type): return value.sqlText(type)
        case .parameter(let index, _): return "$\(index + 1)"
        case .call(let call):
            let isOperator = call.name.unicodeScalars.allSatisfy { "+-*/%^<>=~!@#&|?".unicodeScalars.contains($0) }
            if isOperator, call.arguments.count == 2 {
                let left = text(call.arguments[0], isNested: true)
                return wrapped("\(left) \(call.name) \(text(call.arguments[1], isNested: true))")
            }
            if isOperator, call.arguments.count == 1 {
                return wrapped("\(call.name) \(text(call.arguments[0], isNested: true))")
            }
            return "\(call.name)(\(list(call.arguments)))"
        case .cast(let operand, let type, let kind):
            return "\(kind == .lenient ? "try_cast" : "cast")(\(text(operand)) as \(type.sqlName))"
        case .conditional(let branches, let otherwise, _):
            var result = "case"
            for branch in branches { result += " when \(text(branch.condition)) then \(text(branch.result))" }
            if otherwise.literal != .null { result += " else \(text(otherwise))" }
            return result + " end"
        case .and(let operands): return wrapped(joined(operands, " and "))
        case .or(let operands): return wrapped(joined(operands, " or "))
        case .not(.isNull(let operand)): return wrapped("\(text(operand, isNested: true)) is not null")
        case .not(let operand): return wrapped("not \(text(operand, isNested: true))")
        case .isNull(let operand): return wrapped("\(text(operand, isNested: true)) is null")
        case .inList(let operand, let values):
            let list = values.map { $0.sqlText(operand.type) }.joined(separator: ", ")
            return wrapped("\(text(operand, isNested: true)) in (\(list))")
        case .coalesce(let operands, _): return "coalesce(\(list(operands)))"
        case .subquery(let subquery): return text(subquery, isNested: isNested)
        }
    }

    private mutating func joined(_ operands: [Expression], _ separator: String) -> String {
        operands.map { text($0, isNested: true) }.joined(separator: separator)
    }

    private mutating func text(_ subquery: SubqueryExpression, isNested: Bool) -> String {
        subqueries.append(subquery.plan)
        let name = "subquery \(subqueries.count)"
        func quantified(_ needles: [Expression], _ comparison: String, _ word: String) -> String {
            let left = needles.count == 1 ? text(needles[0], isNested: true) : "(\(list(needles)))"
            let result = "\(left) \(comparison) \(word) (\(name))"
            return isNested ? "(\(result))" : result
        }
        switch subquery.kind {
        case .scalar: return "(\(name))"
        case .exists: return "exists (\(name))"
        case .array: return "array(\(name))"
        case .any(let needles, let comparison): return quantified(needles, comparison, "any")
        case .all(let needles, let comparison): return quantified(needles, comparison, "all")
        }
    }
}

extension ScalarValue {
    /// The value as a SQL literal of the type: numbers and truth values bare, everything else quoted.
    package func sqlText(_ type: DataType) -> String {
        switch self {
        case .null: return "null"
        case .boolean(let value): return value ? "true" : "false"
        case .integer(let value):
            switch type {
            case .date: return "date '\(CivilText.date(value))'"
            case .time: return "time '\(CivilText.time(value))'"
            case .timestamp, .timestampTZ:
                let days = value.flooredQuotient(86_400_000_000)
                let time = CivilText.time(value - days * 86_400_000_000)
                return type == .timestamp
                    ? "timestamp '\(CivilText.date(days)) \(time)'"
                    : "timestamptz '\(CivilText.date(days)) \(time)+00'"
            case .decimal(_, let scale): return Self.decimalText(Int128(value), scale: scale)
            default: return String(value)
            }
        case .decimal(let unscaled): return Self.decimalText(unscaled, scale: type.scale)
        case .float(let value): return value.description
        case .bytes(let bytes):
            switch type {
            case .bytea: return "'\\x" + bytes.map(Self.hexadecimal).joined() + "'"
            case .numeric:
                let value = NumericBlob.value(bytes)
                return value.isFinite ? value.text : "'\(value.text)'::numeric"
            case .array, .record, .indexVector: return "\(type.sqlName) value of \(bytes.count) bytes"
            default:
                let text = String(decoding: bytes, as: UTF8.self)
                return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
            }
        case .interval(let value):
            var parts: [String] = []
            if value.months != 0 { parts.append("\(value.months) months") }
            if value.days != 0 { parts.append("\(value.days) days") }
            if value.microseconds != 0 || parts.isEmpty {
                let sign = value.microseconds < 0 ? "-" : ""
                parts.append(sign + CivilText.time(Int64(clamping: value.microseconds.magnitude)))
            }
            return "interval '" + parts.joined(separator: " ") + "'"
        case .uuid(let value):
            var digits: [String] = []
            for word in [value.high, value.low] {
                for shift in stride(from: 56, through: 0, by: -8) {
                    digits.append(Self.hexadecimal(UInt8(truncatingIfNeeded: word >> UInt64(shift))))
                }
            }
            let groups = [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { digits[$0].joined() }
            return "uuid '" + groups.joined(separator: "-") + "'"
        }
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
    }

    private static func decimalText(_ unscaled: Int128, scale: Int) -> String {
        guard scale > 0 else { return String(unscaled) }
        var digits = String(unscaled.magnitude)
        if digits.count <= scale { digits = String(repeating: "0", count: scale + 1 - digits.count) + digits }
        return (unscaled < 0 ? "-" : "") + digits.dropLast(scale) + "." + digits.suffix(scale)
    }
}

/// Calendar texts of the proleptic Gregorian calendar; for printing plans only.
private enum CivilText {
    /// Days since 1970-01-01 as year-month-day, by Howard Hinnant's era arithmetic.
    static func date(_ days: Int64) -> String {
        let (shifted, overflow) = days.addingReportingOverflow(719_468)
        if overflow || shifted.magnitude > 1 << 50 { return days < 0 ? "-infinity" : "infinity" }
        let era = shifted.flooredQuotient(146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthIndex + 2) / 5 + 1
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    }

    /// Microseconds as hours:minutes:seconds, with a fraction if there is one.
    static func time(_ microseconds: Int64) -> String {
        let seconds = microseconds / 1_000_000
        let fraction = microseconds % 1_000_000
        let clock = "\(padded(seconds / 3_600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
        if fraction == 0 { return clock }
        var digits = padded(fraction, 6)
        while digits.last == "0" { digits.removeLast() }
        return clock + "." + digits
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value.magnitude)
        let zeros = String(repeating: "0", count: max(0, width - digits.count))
        return (value < 0 ? "-" : "") + zeros + digits
    }
}

extension Int64 {
    /// Quotient rounded down, for a positive divisor.
    fileprivate func flooredQuotient(_ divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
