// Questions that rules and planners ask about expressions.

import Columnar

extension Expression {
    /// The registry's names of IS [NOT] DISTINCT FROM: comparisons that are never NULL.
    package static let nullSafeEqualityName = "is not distinct from"
    package static let nullSafeInequalityName = "is distinct from"

    /// `left IS NOT DISTINCT FROM right`, for operands of one type.
    package static func nullSafeEquality(_ left: Expression, _ right: Expression) -> Expression {
        .call(
            ScalarCall(
                name: nullSafeEqualityName, arguments: [left, right], type: .boolean, isStrict: false, canFail: false))
    }

    /// Operands of `=` or of IS NOT DISTINCT FROM.
    package var asEquality: (left: Expression, right: Expression, nullsAreEqual: Bool)? {
        guard case .call(let call) = self, call.arguments.count == 2 else { return nil }
        switch call.name {
        case "=": return (call.arguments[0], call.arguments[1], false)
        case Expression.nullSafeEqualityName: return (call.arguments[0], call.arguments[1], true)
        default: return nil
        }
    }

    /// The column, if the expression is nothing else.
    package var asColumn: ColumnID? { if case .column(let id, _) = self { id } else { nil } }

    /// Whether evaluation may raise an error for some input.
    package var canFail: Bool {
        switch self {
        case .column, .input, .literal, .parameter: return false
        case .call(let call): if call.canFail { return true }
        case .cast(let operand, let type, .strict): if !operand.type.converts(losslesslyTo: type) { return true }
        case .subquery: return true
        default: break
        }
        return children.contains { $0.canFail }
    }

    /// The expression with columns replaced; columns that are not in the table stay.
    package func substituting(_ replacements: [ColumnID: Expression]) -> Expression {
        if replacements.isEmpty { return self }
        return rewritten {
            if case .column(let id, _) = $0, let replacement = replacements[id] { return replacement }
            return $0
        }
    }
}

extension DataType {
    /// Whether every value of this type has its equal in the other, so that a cast cannot fail.
    package func converts(losslesslyTo other: DataType) -> Bool {
        if self == other { return true }
        switch (self, other) {
        case (.unknown, .text), (.unknown, .varchar(nil)): return true
        case (.varchar, .text), (.varchar, .varchar(nil)), (.text, .varchar(nil)), (.char, .text),
            (.char, .varchar(nil)):
            return true
        case (.int8, .int16), (.int8, .int32), (.int8, .int64), (.int16, .int32), (.int16, .int64), (.int32, .int64):
            return true
        case (.int8, .float64), (.int16, .float64), (.int32, .float64), (.int64, .float64), (.float32, .float64),
            (.int8, .float32), (.int16, .float32), (.int32, .float32), (.int64, .float32), (.decimal, .float64):
            return true
        case (.decimal(let fromPrecision, let fromScale), .decimal(let precision, let scale)):
            return scale >= fromScale && precision - scale >= fromPrecision - fromScale
        case (.numeric, .numeric(nil)), (.decimal, .numeric(nil)): return true
        case (_, .numeric(nil)) where isInteger: return true
        case (.int8, .decimal(let precision, let scale)): return precision - scale >= 3
        case (.int16, .decimal(let precision, let scale)): return precision - scale >= 5
        case (.int32, .decimal(let precision, let scale)): return precision - scale >= 10
        case (.int64, .decimal(let precision, let scale)): return precision - scale >= 19
        case (.date, .timestamp), (.date, .timestampTZ), (.timestamp, .timestampTZ), (.timestamp, .date): return true
        default: return other == .text
        }
    }
}
