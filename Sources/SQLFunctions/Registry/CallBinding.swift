// From a name and arguments to a bound call: resolution, casts of the arguments, and flags of the call.

import Columnar
import Diagnostics
import QueryPlan

extension FunctionRegistry {
    /// A call of a scalar function or operator with its arguments cast to what the chosen overload takes. Casts of
    /// literals are carried out. Errors: those of `resolveScalar`, and of literals that do not fit their type.
    package func call(_ name: String, _ arguments: [Expression], at position: SourcePosition? = nil) throws
        -> Expression
    {
        let literals = arguments.map(\.literal)
        let resolved = try resolveScalar(name, arguments.map(\.type), literals: literals, at: position)
        var converted: [Expression] = []
        for (argument, type) in zip(arguments, resolved.parameterTypes) {
            converted.append(try convert(argument, to: type, at: position))
        }
        if FunctionRegistry.comparisons.contains(name), converted.count == 2 { alignDecimals(&converted) }
        let types = converted.map(\.type)
        return .call(
            ScalarCall(
                name: name, arguments: converted, type: resolved.resultType, volatility: resolved.function.volatility,
                isStrict: resolved.function.isStrict,
                canFail: resolved.function.mayFail(types, literals: converted.map(\.literal))))
    }

    private static let comparisons: Set<String> = ["=", "<>", "<", "<=", ">", ">="]

    /// A strict cast; of a literal, its value. Nothing happens when the type is the same.
    package func convert(
        _ expression: Expression, to type: DataType, at position: SourcePosition? = nil,
        context: EvaluationContext = EvaluationContext()
    ) throws -> Expression {
        if expression.type == type { return expression }
        guard let value = expression.literal else { return .cast(expression, to: type, kind: .strict) }
        // What the session's zone or clock decides waits for execution.
        if !Casting.isImmutable(from: expression.type, to: type, value: value) {
            return .cast(expression, to: type, kind: .strict)
        }
        do {
            return .literal(try Casting.cast(value, from: expression.type, to: type, context: context), type)
        } catch let error as QueryError {
            throw error.located(at: position)
        }
    }

    /// A literal compared with a decimal takes the decimal's type when it fits exactly: the comparison then is one of
    /// integers, and statistics can be used for it.
    private func alignDecimals(_ operands: inout [Expression]) {
        for (literal, other) in [(0, 1), (1, 0)] {
            guard case .literal(.decimal(let value), let type) = operands[literal], !operands[other].isLiteral,
                case .decimal(let precision, let scale) = operands[other].type
            else { continue }
            var unscaled = value
            if type.scale < scale {
                let (product, overflow) = value.multipliedReportingOverflow(by: PowerOfTen.value(scale - type.scale))
                if overflow { continue }
                unscaled = product
            } else if type.scale > scale {
                let divisor = PowerOfTen.value(type.scale - scale)
                if value % divisor != 0 { continue }
                unscaled = value / divisor
            }
            guard PowerOfTen.fits(unscaled, precision: precision) else { continue }
            operands[literal] = .literal(.decimal(unscaled), operands[other].type)
        }
    }
}
