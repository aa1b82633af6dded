// What JSON needs of the binder beyond functions: subscripts of jsonb.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

extension StatementBinder {
    /// `value['key']` and `value[0]`: a step of a path each.
    func bindJSONSubscript(
        _ value: Operand, _ item: Subscript, _ scope: Scope, at position: SourcePosition
    ) throws -> Operand {
        guard case .index(let syntax) = item else {
            throw QueryError(.datatypeMismatch, "jsonb subscript does not support slices", at: position)
        }
        var step = try operand(syntax, scope)
        guard step.type == .unknown || step.type.isString || step.type.isInteger else {
            throw QueryError(
                .datatypeMismatch, "subscript type \(TypeConversion.displayName(step.type)) is not supported",
                hint: "jsonb subscript must be coercible to either integer or text.", at: step.position)
        }
        step.expression = try convert(step.expression, to: .text, at: step.position)
        let result = try callScalar("jsonb_subscript", [value, step], at: position)
        return Operand(expression: result, position: position)
    }
}
