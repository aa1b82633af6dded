// Look-ups by key: rows that equalities on all columns of a key leave, found by the key's index.

import Columnar
import QueryPlan
import Storage

/// Finds rows by the predicates of a scan. It only narrows: readers apply all predicates to what it finds, so a form that is
/// not understood costs time and nothing else.
struct KeyLookup {
    /// Keys that are looked up at most; longer lists are scanned for.
    private static let keyCountMax = 64

    /// Rows of one batch, ascending.
    struct Part {
        var batch: Int
        var rows: [Int]
    }

    private let table: MemoryTable
    /// Values by the ordinal of the column that must have one of them.
    private var values: [Int: [ScalarValue]] = [:]

    /// The predicates are over positions of the projection.
    init(_ table: MemoryTable, _ projection: [Int], _ predicates: [Expression]) {
        self.table = table
        if table.definition.keys.isEmpty { return }
        for predicate in predicates.flatMap(\.conjuncts) { note(predicate, projection) }
    }

    /// The rows that may fulfil the predicates, in the order of the table; `nil` if the predicates leave a key open.
    var parts: [Part]? {
        if values.isEmpty { return nil }
        for (number, key) in table.definition.keys.enumerated() {
            guard let index = table.rows.indexes[number], let keys = keys(key) else { continue }
            let numbers = keys.compactMap { index.lastRow($0) }
            if numbers.isEmpty { return [] }
            let directory = table.directory
            var found: [Int: [Int]] = [:]
            for number in numbers {
                guard let place = directory.place(of: number) else { continue }
                found[place.batch, default: []].append(place.row)
            }
            return found.sorted { $0.key < $1.key }.map { Part(batch: $0.key, rows: $0.value.sorted()) }
        }
        return nil
    }

    /// Every combination of the values of a key's columns, each once.
    private func keys(_ key: UniqueKey) -> [RowKey]? {
        var combinations: [[ScalarValue]] = [[]]
        for ordinal in key.columns {
            guard let values = values[ordinal] else { return nil }
            if combinations.count * values.count > Self.keyCountMax { return nil }
            combinations = combinations.flatMap { known in values.map { known + [$0] } }
        }
        let types = key.columns.map { table.schema.types[$0] }
        if combinations.count == 1 { return [RowKey(combinations[0], types: types)] }
        return Array(Set(combinations.map { RowKey($0, types: types) }))
    }

    // MARK: - Predicates

    private mutating func note(_ predicate: Expression, _ projection: [Int]) {
        if case .inList(let needle, let list) = predicate {
            guard list.count <= Self.keyCountMax, let column = column(needle, projection) else { return }
            return restrict(column, to: list.filter { !$0.isNull }.map { ($0, needle.type) })
        }
        guard let (name, left, right) = predicate.asComparison, name == "=" else { return }
        if let column = column(left, projection), case .literal(let value, let type) = right, !value.isNull {
            restrict(column, to: [(value, type)])
        } else if let column = column(right, projection), case .literal(let value, let type) = left, !value.isNull {
            restrict(column, to: [(value, type)])
        }
    }

    private mutating func restrict(_ column: ComparedColumn, to literals: [(ScalarValue, DataType)]) {
        var found: [ScalarValue] = []
        for (value, type) in literals {
            switch column.stored(value, type) {
            case .value(let stored): found.append(stored)
            case .none: break
            case .unknown: return
            }
        }
        // Two conditions on one column: the shorter list holds what both allow.
        if let known = values[column.ordinal], known.count <= found.count { return }
        values[column.ordinal] = found
    }

    private func column(_ expression: Expression, _ projection: [Int]) -> ComparedColumn? {
        var operand = expression
        if case .cast(let inner, _, _) = expression { operand = inner }
        guard case .input(let position, let type) = operand, projection.indices.contains(position),
            table.schema.fields.indices.contains(projection[position])
        else { return nil }
        return ComparedColumn(ordinal: projection[position], own: type, compared: expression.type)
    }
}

/// A column, and the type as which a predicate compares it.
private struct ComparedColumn {
    var ordinal: Int
    var own: DataType
    var compared: DataType

    enum Stored {
        /// Just the rows with this value are equal to the literal.
        case value(ScalarValue)
        /// No row can be.
        case none
        case unknown
    }

    /// The column's value that equals a literal. The comparison must lose nothing of the column's values: a cast that rounds
    /// or cuts makes other rows equal, too, and one that may fail has to be tried on every row.
    func stored(_ literal: ScalarValue, _ type: DataType) -> Stored {
        switch own {
        case .int16, .int32, .int64, .decimal: return number(literal, type)
        case .float32: return compared.isFloat && type.isFloat ? .value(literal) : .unknown
        case .float64: return compared == .float64 && type.isFloat ? .value(literal) : .unknown
        case .text, .varchar:
            switch (compared == own, compared) {
            case (true, _), (_, .text), (_, .varchar(length: nil)):
                return Self.isText(type) ? .value(literal) : .unknown
            default: return .unknown
            }
        case .char(let length):
            // Trailing blanks do not count, as long as both sides are of the type.
            guard case .char(let comparedLength) = compared, comparedLength >= length, case .char = type else {
                return .unknown
            }
            return .value(literal)
        case .numeric:
            return (compared == own || compared == .anyNumeric) && type.isNumericBlob ? .value(literal) : .unknown
        case .boolean, .date, .time, .timestamp, .timestampTZ, .interval, .uuid, .bytea:
            return compared == own && type == own ? .value(literal) : .unknown
        default: return .unknown
        }
    }

    private static func isText(_ type: DataType) -> Bool {
        switch type {
        case .text, .varchar, .unknown: true
        default: false
        }
    }

    /// Whether every value of the column is one of the compared type.
    private var keepsNumbers: Bool {
        if compared == own || compared == .anyNumeric { return true }
        if own.isInteger, compared.isInteger { return compared.physical.width >= own.physical.width }
        guard case .decimal(let precision, let scale) = compared else { return false }
        switch own {
        case .int16: return precision - scale >= 5
        case .int32: return precision - scale >= 10
        case .int64: return precision - scale >= 19
        case .decimal(let ownPrecision, let ownScale):
            return scale >= ownScale && precision - scale >= ownPrecision - ownScale
        default: return false
        }
    }

    /// Integers and decimals compared as integers or exact numbers.
    private func number(_ literal: ScalarValue, _ type: DataType) -> Stored {
        guard keepsNumbers else { return .unknown }
        var (value, scale): (Int128, Int)
        switch literal {
        case .integer(let integer) where type.isInteger: (value, scale) = (Int128(integer), 0)
        case .decimal(let unscaled): (value, scale) = (unscaled, type.scaleOrZero)
        case .bytes(let bytes) where type.isNumericBlob:
            var text: [UInt8] = []
            NumericBlob.value(bytes).append(into: &text)
            guard let parsed = NumericText.parseDecimal(text) else { return .unknown }
            (value, scale) = parsed
        default: return .unknown
        }
        let wanted = own.scaleOrZero
        while scale > wanted {
            guard value % 10 == 0 else { return .none }
            value /= 10
            scale -= 1
        }
        while scale < wanted {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            if overflow { return .none }
            value = product
            scale += 1
        }
        if own.isDecimal { return .value(.decimal(value)) }
        return Int64(exactly: value).map { .value(.integer($0)) } ?? .none
    }
}

extension DataType {
    fileprivate var scaleOrZero: Int { if case .decimal(_, let scale) = self { scale } else { 0 } }
}
