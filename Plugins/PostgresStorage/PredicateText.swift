// Conditions as SQL: only those that mean exactly the same to the server and to the engine.

import Columnar
import QueryPlan

/// Writes expressions over the columns of a table. `nil` is for what the server might see otherwise: it stays with the
/// engine.
struct PredicateText {
    let table: TableDescription
    /// Ordinals by position of `input`.
    let projection: [Int]

    /// Conditions that together keep at least the rows that all of `predicates` keep.
    func conditions(_ predicates: [Expression]) -> [String] {
        var result: [String] = []
        for predicate in predicates.flatMap(\.conjuncts) {
            if let text = condition(predicate), !result.contains(text) { result.append(text) }
        }
        return result
    }

    /// Whether the text says all of the predicate.
    func condition(_ expression: Expression) -> String? {
        switch expression {
        case .literal(.boolean(let value), _): return value ? "TRUE" : "FALSE"
        case .input(_, .boolean): return operand(expression)?.text
        case .and(let operands): return joined(operands, " AND ")
        case .or(let operands): return joined(operands, " OR ")
        case .not(let operand): return condition(operand).map { "NOT (\($0))" }
        case .isNull(let operand):
            guard case .input(let position, _) = operand, let column = column(position) else { return nil }
            return column.text + " IS NULL"
        case .inList(let needle, let values):
            guard let left = operand(needle), left.isComparable, !values.isEmpty, values.count <= Self.listMaximum
            else { return nil }
            let texts = values.map { SQLText.literal($0, Self.literalType(needle.type)) }
            if texts.contains(nil) { return nil }
            return "\(left.equalityText) IN (\(texts.compactMap { $0 }.joined(separator: ", ")))"
        case .call(let call) where call.arguments.count == 2:
            return comparison(call.name, call.arguments[0], call.arguments[1])
        default: return nil
        }
    }

    /// Longer lists cost the server more than they save.
    static let listMaximum = 1000

    private func joined(_ operands: [Expression], _ separator: String) -> String? {
        let texts = operands.map { condition($0) }
        if texts.isEmpty || texts.contains(nil) { return nil }
        return "(" + texts.compactMap { $0 }.joined(separator: separator) + ")"
    }

    private func comparison(_ name: String, _ left: Expression, _ right: Expression) -> String? {
        guard let a = operand(left), let b = operand(right) else { return nil }
        switch name {
        case "=", "<>", "<", "<=", ">", ">=", Expression.nullSafeEqualityName, Expression.nullSafeInequalityName:
            guard a.isComparable, b.isComparable, a.family == b.family else { return nil }
            let isOrder = name.hasPrefix("<") && name != "<>" || name.hasPrefix(">")
            var (x, y) = isOrder ? (a.orderText, b.orderText) : (a.equalityText, b.equalityText)
            // Of two columns with collations of their own the server would not know which to take.
            if let first = a.collation, let second = b.collation, first != second {
                (x, y) = ("\(a.text) COLLATE \"C\"", "\(b.text) COLLATE \"C\"")
            }
            return "\(x) \(name.uppercased()) \(y)"
        case "~~", "!~~":
            // The pattern must be known: what an escape at its end means is told when it is met.
            guard a.family == .text, case .literal(let pattern, _) = right, let text = pattern.text,
                !Self.endsInEscape(text), table.isUTF8
            else { return nil }
            return "\(a.equalityText) \(name == "~~" ? "LIKE" : "NOT LIKE") \(b.text)"
        default: return nil
        }
    }

    private static func endsInEscape(_ pattern: String) -> Bool {
        var count = 0
        for character in pattern.utf8.reversed() {
            guard character == UInt8(ascii: "\\") else { break }
            count += 1
        }
        return count % 2 == 1
    }

    // MARK: Operands

    /// Types within a family are compared by value, whichever of them they are.
    private enum Family {
        case boolean, integer, numeric, float32, float64, text, bytes, date, time, timestamp, timestampTZ, uuid, oid
    }

    private struct Operand {
        var text: String
        var family: Family
        var isComparable = true
        /// Of text columns.
        var isDeterministic = true
        var isByteOrdered = true
        /// Of columns of types that have one.
        var collation: UInt32?

        /// Where the collation could see two texts as equal that differ.
        var equalityText: String { isDeterministic ? text : "\(text) COLLATE \"C\"" }
        /// The engine orders text by its bytes.
        var orderText: String { isByteOrdered ? text : "\(text) COLLATE \"C\"" }
    }

    /// A key of an order in which the server and the engine put values alike.
    func orderText(_ expression: Expression) -> String? {
        guard case .input = expression, let operand = operand(expression) else { return nil }
        return operand.orderText
    }

    /// Sums, differences and products of exact numbers, where neither side rounds.
    func exactNumber(_ expression: Expression) -> String? {
        switch expression {
        case .input(let position, let type):
            guard let column = readable(position, type) else { return nil }
            switch type {
            case .decimal: return column.text
            case .int16, .int32, .int64: return column.text + "::numeric"
            default: return nil
            }
        case .literal(let value, .decimal(let precision, let scale)):
            return SQLText.literal(value, .decimal(precision: precision, scale: scale))
        case .cast(let inner, let type, .strict):
            return type.isDecimal && inner.type.converts(losslesslyTo: type) ? exactNumber(inner) : nil
        case .call(let call) where call.arguments.count == 2:
            guard case .decimal(_, let scale) = call.type, case .decimal(_, let left) = call.arguments[0].type,
                case .decimal(_, let right) = call.arguments[1].type
            else { return nil }
            switch call.name {
            case "+", "-": guard scale == max(left, right) else { return nil }
            case "*": guard scale == left + right else { return nil }
            default: return nil
            }
            guard let a = exactNumber(call.arguments[0]), let b = exactNumber(call.arguments[1]) else { return nil }
            return "(\(a) \(call.name) \(b))"
        default: return nil
        }
    }

    /// The column at a position of that type.
    func readable(_ position: Int, _ type: DataType) -> TableDescription.Column? {
        column(position).flatMap { $0.type?.type == type ? $0 : nil }
    }

    func column(_ position: Int) -> TableDescription.Column? {
        guard projection.indices.contains(position), table.columns.indices.contains(projection[position]) else {
            return nil
        }
        return table.columns[projection[position]]
    }

    private static func count(_ expression: Expression) -> Int32? {
        guard case .literal(.integer(let value), _) = expression, value >= 0 else { return nil }
        return Int32(exactly: value)
    }

    private static func family(_ type: DataType) -> Family? {
        switch type {
        case .boolean: .boolean
        case .int16, .int32, .int64: .integer
        case .decimal, .numeric: .numeric
        case .float32: .float32
        case .float64: .float64
        case .text, .varchar, .char: .text
        case .bytea: .bytes
        case .date: .date
        case .time: .time
        case .timestamp: .timestamp
        case .timestampTZ: .timestampTZ
        case .uuid: .uuid
        case .oid: .oid
        default: nil
        }
    }

    private static func literalType(_ type: DataType) -> DataType {
        switch type {
        case .varchar, .char: .text
        default: type
        }
    }

    private func operand(_ expression: Expression) -> Operand? {
        switch expression {
        case .input(let position, let type):
            guard let column = column(position), let known = column.type, known.type == type,
                let family = Self.family(type), family != .text || table.isUTF8
            else { return nil }
            var text = column.text
            // Without the blanks at its end, as the engine has it.
            if case .char = type { text += "::text" }
            return Operand(
                text: text, family: family, isDeterministic: column.isDeterministic,
                isByteOrdered: column.isByteOrdered && column.isDeterministic,
                collation: column.collation == 0 ? nil : column.collation)
        case .literal(let value, let type):
            guard let family = Self.family(type), family != .text || table.isUTF8,
                let text = SQLText.literal(value, Self.literalType(type))
            else { return nil }
            return Operand(text: text, family: family, isByteOrdered: true)
        case .call(let call) where call.name == "substring" && call.arguments.count == 3:
            guard var operand = operand(call.arguments[0]), operand.family == .text,
                let start = Self.count(call.arguments[1]), let length = Self.count(call.arguments[2]), start > 0
            else { return nil }
            operand.text = "substring(\(operand.text), \(start), \(length))"
            return operand
        case .cast(let inner, let type, .strict):
            // Casts that change nothing about the value.
            guard var operand = operand(inner), let family = Self.family(type) else { return nil }
            if operand.family == family, family != .text, inner.type.converts(losslesslyTo: type) { return operand }
            switch (operand.family, family) {
            case (.text, .text):
                guard type == .text || type == .varchar(length: nil) else { return nil }
                operand.text += "::text"
            case (.integer, .numeric) where inner.type.converts(losslesslyTo: type): operand.text += "::numeric"
            case (.date, .timestamp): operand.text += "::timestamp"
            default: return nil
            }
            operand.family = family
            // A date that has no timestamp is an error of the cast.
            if operand.family == .timestamp { return nil }
            return operand
        default: return nil
        }
    }
}
