// Pruning: whether a predicate can be true for any row of a chunk, as far as bounds tell.

import Columnar
import Diagnostics
import QueryPlan

/// Decides by bounds. Every doubt counts as "may match".
package enum Pruning {
    /// Whether some row may satisfy `predicate`; `bounds` gives what is known of an input position.
    package static func mayMatch(_ predicate: Expression, _ bounds: (Int) -> ColumnBounds?) -> Bool {
        switch predicate {
        case .literal(.boolean(let value), _): return value
        case .literal(.null, .boolean): return false
        case .and(let operands): return operands.allSatisfy { mayMatch($0, bounds) }
        case .or(let operands): return operands.contains { mayMatch($0, bounds) }
        case .isNull(.input(let position, _)):
            guard let nullCount = bounds(position)?.nullCount else { return true }
            return nullCount > 0
        case .not(.isNull(.input(let position, _))):
            guard let column = bounds(position), let nullCount = column.nullCount else { return true }
            return nullCount < column.rowCount
        case .input(let position, .boolean): return compare(position, "=", .boolean(true), bounds)
        case .not(.input(let position, .boolean)): return compare(position, "=", .boolean(false), bounds)
        case .inList(let needle, let values):
            guard let column = column(needle) else { return true }
            return values.contains { compare(column.position, "=", $0, bounds) }
        default:
            guard let (name, left, right) = predicate.asComparison else { return true }
            if let column = column(left), let value = literal(right, as: column.type) {
                return compare(column.position, name, value, bounds)
            }
            if let column = column(right), let value = literal(left, as: column.type) {
                return compare(column.position, mirrored[name] ?? "", value, bounds)
            }
            return true
        }
    }

    private static let mirrored = ["=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="]

    /// The column that an operand is, looking through casts that keep value and order.
    private static func column(_ expression: Expression) -> (position: Int, type: DataType)? {
        switch expression {
        case .input(let position, let type):
            // Trailing blanks make the order of character(n) another one.
            if case .char = type { return nil }
            return (position, type)
        case .cast(let operand, let type, _):
            guard let inner = column(operand) else { return nil }
            let isWidening =
                inner.type.isInteger && type.isInteger && inner.type.physical.width <= type.physical.width
            return isWidening || (isText(inner.type) && isText(type)) ? (inner.position, type) : nil
        default: return nil
        }
    }

    /// Text without a length limit: casts between these change nothing.
    private static func isText(_ type: DataType) -> Bool {
        switch type {
        case .text, .varchar(length: nil), .unknown: true
        default: false
        }
    }

    /// The literal's value if it has the column's layout and meaning.
    private static func literal(_ expression: Expression, as type: DataType) -> ScalarValue? {
        switch expression {
        case .literal(let value, let own):
            guard own.comparesByBytes else { return nil }
            let isSame =
                own == type || (own.isInteger && type.isInteger) || (own.isString && type.isString)
                || (own.isFloat && type.isFloat) || (own.isDecimal && type.isDecimal && own.scale == type.scale)
            return isSame ? value : nil
        case .cast(let operand, let target, _) where isText(target): return literal(operand, as: type)
        default: return nil
        }
    }

    private static func compare(
        _ position: Int, _ name: String, _ value: ScalarValue, _ bounds: (Int) -> ColumnBounds?
    ) -> Bool {
        if value.isNull { return false }
        guard let column = bounds(position) else { return true }
        if let nullCount = column.nullCount, nullCount == column.rowCount { return false }
        // NaN is larger than every number, and no statistics tell of it.
        if case .float(let number) = value, number.isNaN { return true }
        let isFloat = if case .float = value { true } else { false }
        let low = column.minimum.flatMap { ScalarOrder.compare($0, value) }
        let high = column.maximum.flatMap { ScalarOrder.compare($0, value) }
        switch name {
        case "=": return (low ?? 0) <= 0 && (high ?? 0) >= 0
        case "<": return (low ?? -1) < 0
        case "<=": return (low ?? -1) <= 0
        case ">": return isFloat || (high ?? 1) > 0
        case ">=": return isFloat || (high ?? 1) >= 0
        default: return true
        }
    }
}
