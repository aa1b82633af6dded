// Conditions as SQL: only those that mean exactly the same to SQLite and to the engine.
//
// A column of SQLite may hold values of other classes than its type says, and a condition compares them in its own way: a
// text is greater than every number. So that no such row is passed over in silence, each condition is joined by OR with one
// that finds the values which the engine would refuse; the reader then refuses them.

import Columnar
import QueryPlan

/// SQL with its parameters.
struct ScanCondition: Hashable {
    var text: String
    var values: [SQLiteValue] = []
    /// Ordinals of the columns whose values are not guaranteed.
    var doubtful: Set<Int> = []
}

/// Writes expressions over the columns of a table. `nil` is for what SQLite might see otherwise: it stays with the engine.
struct PredicateText {
    let table: TableDescription
    /// Ordinals by position of `input`.
    let projection: [Int]

    /// Conditions that together keep at least the rows that all of `predicates` keep.
    func conditions(_ predicates: [Expression]) -> [ScanCondition] {
        var result: [ScanCondition] = []
        for predicate in predicates.flatMap(\.conjuncts) {
            if let condition = guarded(predicate), !result.contains(condition) { result.append(condition) }
        }
        return result
    }

    /// The condition, or that a value is not what its column's type says.
    func guarded(_ expression: Expression) -> ScanCondition? {
        guard table.kind == .table, var result = condition(expression) else { return nil }
        let guards = result.doubtful.sorted().compactMap { misfit($0, isForIndexes: true) }
        if !guards.isEmpty { result.text = "(\(result.text) OR \(guards.joined(separator: " OR ")))" }
        return result
    }

    /// What is true for values of the column that are no values of its type, and false or NULL for all others. With
    /// `isForIndexes` only those are found that conditions could pass over, in a form that indexes answer.
    func misfit(_ ordinal: Int, isForIndexes: Bool = false) -> String? {
        let column = table.columns[ordinal]
        if column.isGuaranteed, !column.isConstrained { return nil }
        let name = SQLText.name(column.name)
        switch Family(column) {
        case .integer:
            return isForIndexes ? "\(name) >= ''" : "typeof(\(name)) NOT IN ('integer', 'null')"
        case .number: return isForIndexes ? "\(name) >= ''" : "typeof(\(name)) NOT IN ('integer', 'real', 'null')"
        case .text: return isForIndexes ? "\(name) >= x''" : "typeof(\(name)) NOT IN ('text', 'null')"
        case .bytes: return "typeof(\(name)) NOT IN ('blob', 'null')"
        case .boolean: return "\(name) NOT IN (0, 1)"
        case .date:
            return "(\(name) NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' "
                + "AND \(name) NOT IN ('infinity', '-infinity') OR typeof(\(name)) NOT IN ('text', 'null'))"
        case nil: return nil
        }
    }

    // MARK: Conditions

    private func condition(_ expression: Expression) -> ScanCondition? {
        switch expression {
        case .literal(.boolean(let value), _): return ScanCondition(text: value ? "1" : "0")
        case .input(_, .boolean):
            guard let operand = operand(expression), operand.family == .boolean else { return nil }
            return ScanCondition(text: "\(operand.text) = 1", doubtful: operand.doubtful)
        case .and(let operands): return joined(operands, " AND ")
        case .or(let operands): return joined(operands, " OR ")
        case .not(let operand):
            guard var result = condition(operand) else { return nil }
            result.text = "NOT (\(result.text))"
            return result
        case .isNull(let operand):
            guard case .input(let position, _) = operand, let ordinal = ordinal(position) else { return nil }
            return ScanCondition(text: "\(SQLText.name(table.columns[ordinal].name)) IS NULL")
        case .inList(let needle, let values):
            guard let left = operand(needle), !values.isEmpty, values.count <= Self.listMaximum else { return nil }
            var result = ScanCondition(text: "", values: left.values, doubtful: left.doubtful)
            for value in values {
                guard let bound = Self.bound(value, needle.type, left.family) else { return nil }
                result.values.append(bound)
            }
            result.text = "\(left.comparedText) IN (\(values.map { _ in "?" }.joined(separator: ", ")))"
            return result
        case .call(let call) where call.arguments.count == 2:
            return comparison(call.name, call.arguments[0], call.arguments[1])
        default: return nil
        }
    }

    private static let listMaximum = 1000

    private func joined(_ operands: [Expression], _ separator: String) -> ScanCondition? {
        var result = ScanCondition(text: "")
        var texts: [String] = []
        for operand in operands {
            guard let part = condition(operand) else { return nil }
            texts.append(part.text)
            result.values += part.values
            result.doubtful.formUnion(part.doubtful)
        }
        guard !texts.isEmpty else { return nil }
        result.text = "(" + texts.joined(separator: separator) + ")"
        return result
    }

    private func comparison(_ name: String, _ left: Expression, _ right: Expression) -> ScanCondition? {
        let symbol: String
        switch name {
        case "=", "<>", "<", "<=", ">", ">=": symbol = name
        case Expression.nullSafeEqualityName: symbol = "IS"
        case Expression.nullSafeInequalityName: symbol = "IS NOT"
        case "~~", "!~~":
            guard let a = operand(left), a.family == .text, case .literal(let pattern, _) = right,
                let glob = pattern.text.flatMap(Self.glob)
            else { return nil }
            return ScanCondition(
                text: "\(a.text) \(name == "~~" ? "GLOB" : "NOT GLOB") ?", values: [.text(glob)], doubtful: a.doubtful)
        default: return nil
        }
        guard let a = operand(left, beside: right), let b = operand(right, beside: left), a.family == b.family else {
            return nil
        }
        return ScanCondition(
            text: "\(a.comparedText) \(symbol) \(b.comparedText)", values: a.values + b.values,
            doubtful: a.doubtful.union(b.doubtful))
    }

    /// LIKE's pattern as one of GLOB, which minds upper and lower case as LIKE does here. `nil` for a pattern that ends in
    /// an escape.
    static func glob(_ pattern: String) -> String? {
        var result = ""
        var isEscaped = false
        for character in pattern.unicodeScalars {
            switch character {
            case "\\" where !isEscaped:
                isEscaped = true
                continue
            case "%" where !isEscaped: result.unicodeScalars.append("*")
            case "_" where !isEscaped: result.unicodeScalars.append("?")
            case "*": result += "[*]"
            case "?": result += "[?]"
            case "[": result += "[[]"
            default: result.unicodeScalars.append(character)
            }
            isEscaped = false
        }
        return isEscaped ? nil : result
    }

    // MARK: Operands

    /// Columns that SQLite compares with each other as the engine does.
    enum Family: Hashable {
        case boolean, integer, number, text, bytes, date

        /// `nil` for columns whose order or equality is not that of their values.
        init?(_ column: TableDescription.Column) {
            switch (column.type.codec, column.type.affinity) {
            case (.boolean, .numeric), (.boolean, .integer): self = .boolean
            case (.integer, .integer): self = .integer
            case (.float64, .real): self = .number
            case (.decimal(let precision, _), .numeric) where precision <= SQLiteType.exactDigits: self = .number
            case (.text, .text), (.limitedText(_, isPadded: false), .text): self = .text
            case (.bytes, .blob): self = .bytes
            case (.date, .numeric): self = .date
            default: return nil
            }
        }
    }

    private struct Operand {
        var text: String
        var family: Family
        var values: [SQLiteValue] = []
        var doubtful: Set<Int> = []
        var isByteOrdered = true
        var comparedText: String { isByteOrdered ? text : "\(text) COLLATE BINARY" }
    }

    func ordinal(_ position: Int) -> Int? {
        guard projection.indices.contains(position), table.columns.indices.contains(projection[position]) else {
            return nil
        }
        return projection[position]
    }

    /// A column that SQLite orders, groups and compares as the engine does.
    func comparable(_ expression: Expression) -> (ordinal: Int, text: String)? {
        guard table.kind == .table, case .input(let position, let type) = expression, let ordinal = ordinal(position),
            table.columns[ordinal].type.type == type, let operand = operand(expression)
        else { return nil }
        return (ordinal, operand.comparedText)
    }

    private func operand(_ expression: Expression, beside other: Expression? = nil) -> Operand? {
        switch expression {
        case .input(let position, let type):
            guard let ordinal = ordinal(position) else { return nil }
            let column = table.columns[ordinal]
            guard column.type.type == type, let family = Family(column), family != .text || table.isUTF8 else {
                return nil
            }
            return Operand(
                text: SQLText.name(column.name), family: family == .integer ? .number : family,
                doubtful: misfit(ordinal) == nil ? [] : [ordinal],
                isByteOrdered: family != .text || column.isByteOrdered)
        case .literal(let value, let type):
            guard let family = Self.family(type), let bound = Self.bound(value, type, family) else { return nil }
            return Operand(text: "?", family: family, values: [bound])
        case .cast(let inner, let type, .strict):
            // Casts that change nothing about the value.
            guard inner.type.converts(losslesslyTo: type), let operand = operand(inner) else { return nil }
            switch (inner.type, type) {
            case (.varchar, .text), (.varchar, .varchar(nil)), (.text, .varchar(nil)): return operand
            case (_, .int16), (_, .int32), (_, .int64): return inner.type.isInteger ? operand : nil
            case (_, .decimal), (_, .numeric(nil)): return inner.type.isInteger || inner.type.isDecimal ? operand : nil
            default: return nil
            }
        default: return nil
        }
    }

    private static func family(_ type: DataType) -> Family? {
        switch type {
        case .boolean: .boolean
        case .int16, .int32, .int64, .float64, .decimal, .numeric: .number
        case .text, .varchar: .text
        case .bytea: .bytes
        case .date: .date
        default: nil
        }
    }

    /// The literal as SQLite keeps such values; `nil` if it has none that is exactly the same.
    private static func bound(_ value: ScalarValue, _ type: DataType, _ family: Family) -> SQLiteValue? {
        switch (value, type) {
        case (.null, _): return .null
        case (.boolean(let flag), .boolean): return family == .boolean ? .integer(flag ? 1 : 0) : nil
        case (.integer(let number), .int16), (.integer(let number), .int32), (.integer(let number), .int64):
            return family == .number ? .integer(number) : nil
        case (.float(let number), .float64): return family == .number && !number.isNaN ? .real(number) : nil
        case (.decimal(let unscaled), .decimal(_, let scale)):
            return family == .number ? StoredNumber.exact(unscaled, scale: scale) : nil
        case (.bytes(let blob), .numeric):
            guard family == .number else { return nil }
            let number = NumericBlob.value(blob)
            guard let unscaled = number.unscaled(precision: DataType.decimalPrecisionMax, scale: number.scale) else {
                return nil
            }
            return StoredNumber.exact(unscaled, scale: number.scale)
        case (.bytes(let bytes), .text), (.bytes(let bytes), .varchar):
            guard family == .text, let text = String(validating: bytes, as: UTF8.self) else { return nil }
            return .text(text)
        case (.bytes(let bytes), .bytea): return family == .bytes ? .blob(bytes) : nil
        case (.integer(let days), .date):
            guard family == .date, let text = try? StoredTime.text(date: Int32(truncatingIfNeeded: days)) else {
                return nil
            }
            return .text(String(decoding: text, as: UTF8.self))
        default: return nil
        }
    }
}

extension TableDescription.Column {
    /// Whether the type says more than the class that SQLite guarantees.
    var isConstrained: Bool {
        switch type.codec {
        case .integer(let minimum, let maximum): minimum != .min || maximum != .max
        case .text, .bytes, .float64: false
        default: true
        }
    }
}

/// Decimals as SQLite's numbers.
enum StoredNumber {
    /// The number that stands for exactly this decimal; `nil` if there is none.
    static func exact(_ unscaled: Int128, scale: Int) -> SQLiteValue? {
        guard scale >= 0, scale <= DataType.decimalPrecisionMax else { return nil }
        var (value, scale) = (unscaled, scale)
        while scale > 0, value % 10 == 0 { (value, scale) = (value / 10, scale - 1) }
        if scale == 0 { return Int64(exactly: value).map { .integer($0) } }
        // Both are exact as doubles, and so the quotient is the double that is nearest to the decimal.
        guard value.magnitude <= 1_000_000_000_000_000, scale <= 22 else { return nil }
        return .real(Double(value) / Double(PowerOfTen.value(scale)))
    }
}
