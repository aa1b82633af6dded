// Simplification of expressions: calls over literals become literals, connectives lose what cannot matter, and casts of
// columns in comparisons move to the literal.

import Columnar
import Diagnostics
import QueryPlan

package enum ConstantFolder {
    /// The simplest expression of the same meaning. Errors of folded calls leave the call as it is, so that they are raised
    /// only if it is evaluated. Works on logical and on physical expressions.
    package static func fold(
        _ expression: Expression, registry: FunctionRegistry, context: EvaluationContext = EvaluationContext()
    ) throws -> Expression {
        expression.rewritten { step($0, registry: registry, context: context) }
    }

    private static func step(_ expression: Expression, registry: FunctionRegistry, context: EvaluationContext)
        -> Expression
    {
        switch expression {
        case .and(let operands): return connective(operands, isAnd: true)
        case .or(let operands): return connective(operands, isAnd: false)
        case .not(let operand): return negation(operand)
        case .isNull(.literal(let value, _)): return value.isNull ? .true : .false
        case .inList(.literal, _): return evaluated(expression, registry, context)
        case .coalesce(let operands, let type): return coalesce(operands, type)
        case .conditional(let branches, let otherwise, let type): return conditional(branches, otherwise, type)
        case .cast(let operand, let type, let kind): return cast(operand, type, kind, registry, context)
        case .call(let call):
            if call.isStrict, call.volatility != .volatile,
                call.arguments.contains(where: { $0.literal?.isNull == true })
            {
                return .null(call.type)
            }
            if call.volatility == .immutable, call.arguments.allSatisfy(\.isLiteral) {
                return evaluated(expression, registry, context)
            }
            return ComparisonSimplifier.simplify(call) ?? expression
        default: return expression
        }
    }

    /// The value of an expression over literals, or the expression itself when evaluation fails.
    private static func evaluated(
        _ expression: Expression, _ registry: FunctionRegistry, _ context: EvaluationContext
    ) -> Expression {
        guard let evaluator = try? ExpressionEvaluator([expression], registry: registry, context: context),
            let result = try? evaluator.evaluate(Batch(columns: [], rowCount: 1)), let vector = result.first
        else { return expression }
        return .literal(vector.value(at: 0), expression.type)
    }

    private static func connective(_ operands: [Expression], isAnd: Bool) -> Expression {
        let absorbing = isAnd ? Expression.false : .true
        let neutral = isAnd ? Expression.true : .false
        var distinct = DistinctExpressions()
        for operand in operands {
            // Nested connectives of the same kind are one.
            let parts: [Expression]
            switch (operand, isAnd) {
            case (.and(let inner), true), (.or(let inner), false): parts = inner
            default: parts = [operand]
            }
            for part in parts {
                if part == absorbing { return absorbing }
                if part != neutral { distinct.append(part) }
            }
        }
        let kept = distinct.expressions
        if kept.isEmpty { return neutral }
        if kept.count == 1 { return kept[0] }
        return isAnd ? .and(kept) : .or(kept)
    }

    private static let negations = [
        "=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "~~": "!~~", "!~~": "~~",
        "~~*": "!~~*", "!~~*": "~~*", "~": "!~", "!~": "~", "~*": "!~*", "!~*": "~*",
        "is distinct from": "is not distinct from", "is not distinct from": "is distinct from",
    ]

    private static func negation(_ operand: Expression) -> Expression {
        switch operand {
        case .literal(.boolean(let value), _): return value ? .false : .true
        case .literal(.null, _): return .null(.boolean)
        case .not(let inner): return inner
        case .call(var call):
            guard call.arguments.count == 2, let name = negations[call.name] else { return .not(operand) }
            call.name = name
            return .call(call)
        default: return .not(operand)
        }
    }

    private static func coalesce(_ operands: [Expression], _ type: DataType) -> Expression {
        var kept: [Expression] = []
        for operand in operands {
            guard let literal = operand.literal else {
                kept.append(operand)
                continue
            }
            if literal.isNull { continue }
            kept.append(operand)
            break
        }
        if kept.isEmpty { return .null(type) }
        if kept.count == 1, kept[0].type == type { return kept[0] }
        return .coalesce(kept, type: type)
    }

    private static func conditional(_ branches: [ConditionalBranch], _ otherwise: Expression, _ type: DataType)
        -> Expression
    {
        var kept: [ConditionalBranch] = []
        for branch in branches {
            if let literal = branch.condition.literal {
                if literal != .boolean(true) { continue }
                if kept.isEmpty, branch.result.type == type { return branch.result }
                return .conditional(kept, otherwise: branch.result, type: type)
            }
            kept.append(branch)
        }
        if kept.isEmpty, otherwise.type == type { return otherwise }
        return .conditional(kept, otherwise: otherwise, type: type)
    }

    private static func cast(
        _ operand: Expression, _ type: DataType, _ kind: Expression.CastKind, _ registry: FunctionRegistry,
        _ context: EvaluationContext
    ) -> Expression {
        if operand.type == type { return operand }
        let original = Expression.cast(operand, to: type, kind: kind)
        guard let value = operand.literal else { return original }
        if value.isNull { return .null(type) }
        guard Casting.isImmutable(from: operand.type, to: type, value: value) else { return original }
        return evaluated(original, registry, context)
    }
}

/// Comparisons of a cast column with a literal, rewritten to compare the column itself: cheaper, and usable for
/// statistics of files.
enum ComparisonSimplifier {
    static func simplify(_ call: ScalarCall) -> Expression? {
        guard call.arguments.count == 2 else { return nil }
        switch call.name {
        case "=", "<>", "<", "<=", ">", ">=": break
        default: return nil
        }
        if case .cast(let column, let type, .strict) = call.arguments[0],
            case .literal(let value, type) = call.arguments[1]
        {
            return unwrapped(call.name, column, type, value)
        }
        if case .cast(let column, let type, .strict) = call.arguments[1],
            case .literal(let value, type) = call.arguments[0]
        {
            let mirrored = ["<": ">", "<=": ">=", ">": "<", ">=": "<="][call.name] ?? call.name
            return unwrapped(mirrored, column, type, value)
        }
        return nil
    }

    private static func unwrapped(_ name: String, _ column: Expression, _ type: DataType, _ value: ScalarValue)
        -> Expression?
    {
        guard !column.isLiteral else { return nil }
        switch (column.type, type, value) {
        case (.date, .timestamp, .integer(let moment)):
            if moment == CivilCalendar.timestampInfinity || moment == CivilCalendar.timestampMinusInfinity {
                return nil
            }
            let (day, rest) = CivilCalendar.split(moment)
            return bounded(name, column, floor: Int64(day), isExact: rest == 0, in: .date)
        case (_, _, .integer(let number)) where column.type.isInteger && type.isInteger:
            guard column.type.physical.width < type.physical.width, fits(number, column.type) else { return nil }
            return bounded(name, column, floor: number, isExact: true, in: column.type)
        case (_, .decimal(_, let scale), .decimal(let unscaled)) where column.type.isInteger:
            let divisor = PowerOfTen.value(scale)
            var floor = unscaled / divisor
            if unscaled % divisor < 0 { floor -= 1 }
            guard let number = Int64(exactly: floor), fits(number, column.type), fits(number + 1, column.type) else {
                return nil
            }
            return bounded(name, column, floor: number, isExact: unscaled % divisor == 0, in: column.type)
        default: return nil
        }
    }

    private static func fits(_ number: Int64, _ type: DataType) -> Bool {
        switch type {
        case .int8: number >= -127 && number <= 126
        case .int16: number > Int64(Int16.min) && number < Int64(Int16.max)
        case .int32: number > Int64(Int32.min) && number < Int64(Int32.max)
        default: number > Int64.min && number < Int64.max
        }
    }

    /// `column op x` where x lies at `floor` or strictly between it and the next value.
    private static func bounded(
        _ name: String, _ column: Expression, floor: Int64, isExact: Bool, in type: DataType
    ) -> Expression? {
        if isExact { return .comparison(name, column, .literal(.integer(floor), type)) }
        switch name {
        case "<", "<=": return .comparison("<=", column, .literal(.integer(floor), type))
        case ">", ">=": return .comparison(">", column, .literal(.integer(floor), type))
        default: return nil
        }
    }
}
