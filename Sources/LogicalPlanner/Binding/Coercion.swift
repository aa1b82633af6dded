// Conversions between types: casts, the types of operands that must agree, and constant folding.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

/// A bound expression and the place it was written at.
struct Operand {
    var expression: Expression
    var position: SourcePosition
    var type: DataType { expression.type }
}

extension StatementBinder {
    // MARK: - Casts

    /// The expression as a value of `type`, whether or not such a cast is allowed here.
    func convert(
        _ expression: Expression, to type: DataType, kind: Expression.CastKind = .strict, at position: SourcePosition?
    ) throws -> Expression {
        if expression.type == type { return expression }
        switch expression {
        case .parameter(let index, .unknown): return fixParameter(index, type)
        case .literal: return try castLiteral(expression, to: type, kind: kind, at: position)
        default: return .cast(expression, to: type, kind: kind)
        }
    }

    /// The expression as a value of `type`, if PostgreSQL allows that cast in the context.
    func coerce(
        _ expression: Expression, to type: DataType, context: TypeConversion.Context = .implicit,
        at position: SourcePosition?
    ) throws -> Expression {
        if expression.type == type { return expression }
        guard TypeConversion.canCast(from: expression.type, to: type, context: context) else {
            let from = TypeConversion.displayName(expression.type)
            throw QueryError(
                .cannotCoerce, "cannot cast type \(from) to \(TypeConversion.displayName(type))", at: position)
        }
        if context == .implicit, let exact = exactLiteral(expression, as: type) { return exact }
        return try convert(expression, to: type, at: position)
    }

    /// CAST and `::`.
    func explicitCast(
        _ operand: Operand, to named: NamedType, kind: Expression.CastKind, at position: SourcePosition
    ) throws -> Expression {
        if let modifier = named.modifier { return try cast(operand, to: named, modifier, kind: kind, at: position) }
        var target = named.type
        if named.isUnconstrainedNumeric { target = unconstrainedNumeric(for: operand.expression) }
        if case .parameter(let index, .unknown) = operand.expression { return fixParameter(index, target) }
        if operand.type == target {
            // Values of a plain type may have any digits, even if these have not.
            let isPlain = named.modifier == nil && temporalModifier(of: operand.expression) != nil
            return isPlain ? .cast(operand.expression, to: target, kind: kind) : operand.expression
        }
        guard TypeConversion.canCast(from: operand.type, to: target, context: .explicit) else {
            let names = (TypeConversion.displayName(operand.type), TypeConversion.displayName(target))
            throw QueryError(.cannotCoerce, "cannot cast type \(names.0) to \(names.1)", at: position)
        }
        if operand.expression.isLiteral {
            // An untyped literal is read at once; any other cast of a constant may be in a branch that never runs.
            if operand.type == .unknown {
                return try castLiteral(operand.expression, to: target, kind: kind, at: operand.position)
            }
            return fold(.cast(operand.expression, to: target, kind: kind))
        }
        return .cast(operand.expression, to: target, kind: kind)
    }

    /// What `numeric` without modifiers means for a value: enough digits for all of its type's values.
    private func unconstrainedNumeric(for expression: Expression) -> DataType {
        if expression.type.isDecimal { return expression.type }
        if case .literal(let value, let type) = expression {
            if type.isInteger, case .integer(let integer) = value {
                return TypeConversion.minimalDecimal(Int128(integer), scale: 0)
            }
            if type == .unknown || type == .text, let text = value.text,
                case .literal(_, let numeric)? = Self.number(text.filter { $0 != " " })
            {
                return numeric
            }
        }
        return expression.type.isInteger ? TypeConversion.decimalType(of: expression.type) : .anyNumeric
    }

    /// An expression whose type is still open becomes text.
    func settled(_ expression: Expression, at position: SourcePosition?) throws -> Expression {
        expression.type == .unknown ? try convert(expression, to: .text, at: position) : expression
    }

    /// An operand of AND, WHERE and the like.
    func coerceToBoolean(_ operand: Operand, construct: String) throws -> Expression {
        if operand.type == .boolean { return operand.expression }
        guard operand.type == .unknown else {
            throw QueryError(
                .datatypeMismatch,
                "argument of \(construct) must be type boolean, not type \(TypeConversion.displayName(operand.type))",
                at: operand.position)
        }
        return try convert(operand.expression, to: .boolean, at: operand.position)
    }

    // MARK: - Common types

    /// Operands of CASE, COALESCE, VALUES and so on as values of their common type; 42804 if there is none. Decimals of
    /// different scales become numerics, each with its own scale, unless nobody sees the scale (`isShown` is false): within
    /// comparisons and the arguments of aggregates.
    func unify(_ operands: [Operand], construct: String, isShown: Bool = true) throws
        -> (expressions: [Expression], type: DataType)
    {
        let type =
            isShown ? try shownType(operands, construct: construct) : try commonType(operands, construct: construct)
        let expressions = try operands.map { operand in
            if let exact = exactLiteral(operand.expression, as: type) { return exact }
            return try convert(operand.expression, to: type, at: operand.position)
        }
        return (expressions, type)
    }

    /// The common type under which every operand's values look as they do on their own.
    func shownType(_ operands: [Operand], construct: String) throws -> DataType {
        let type = try commonType(operands, construct: construct)
        guard type.isDecimal else { return type }
        let scales = operands.filter { $0.type != .unknown && $0.expression.literal != .null }.map(\.type.scale)
        return !Set(scales).isSubset(of: [type.scale])
            || operands.contains { $0.type == .unknown && $0.expression.literal != .null }
            ? .anyNumeric : type
    }

    func commonType(_ operands: [Operand], construct: String) throws -> DataType {
        let hasDecimal = operands.contains { $0.type.isDecimal }
        // Beside decimals an integer literal counts with its own digits, not with those of its type.
        let types = operands.map { operand -> DataType in
            if hasDecimal, case .literal(.integer(let value), let type) = operand.expression, type.isInteger {
                return TypeConversion.minimalDecimal(Int128(value), scale: 0)
            }
            return operand.type
        }
        if let common = TypeConversion.commonType(types) { return widened(common, operands) }
        // Find the first operand that does not go with those before it, for the message.
        for count in 1...types.count where TypeConversion.commonType(Array(types.prefix(count))) == nil {
            let before = TypeConversion.commonType(Array(types.prefix(count - 1))) ?? .unknown
            let names = (TypeConversion.displayName(before), TypeConversion.displayName(types[count - 1]))
            throw QueryError(
                .datatypeMismatch, "\(construct) types \(names.0) and \(names.1) cannot be matched",
                at: operands[count - 1].position)
        }
        throw QueryError(.datatypeMismatch, "\(construct) types cannot be matched", at: operands.first?.position)
    }

    /// A literal without type is not cut to the length that the others' type has.
    private func widened(_ type: DataType, _ operands: [Operand]) -> DataType {
        let lengths = operands.compactMap { operand in
            operand.type == .unknown ? operand.expression.literal?.text?.unicodeScalars.count : nil
        }
        guard let longest = lengths.max() else { return type }
        switch type {
        case .varchar: return .varchar(length: nil)
        case .char(let length): return .char(length: max(length, longest))
        case .bit: return .bit(length: nil)
        case .varbit: return .varbit(length: nil)
        default: return type
        }
    }

    /// Both sides of a comparison as values of one type. A literal takes the other side's type where that loses nothing,
    /// so that columns are compared as they are stored.
    func align(_ left: Operand, _ right: Operand, comparison: String, at position: SourcePosition) throws
        -> (Expression, Expression)
    {
        if left.type == right.type {
            if left.type != .unknown { return (left.expression, right.expression) }
            return (
                try convert(left.expression, to: .text, at: left.position),
                try convert(right.expression, to: .text, at: right.position)
            )
        }
        if left.type == .unknown {
            let adapted = try adapt(left, to: right.type)
            return try align(
                Operand(expression: adapted, position: left.position), right, comparison: comparison, at: position)
        }
        if right.type == .unknown {
            let adapted = try adapt(right, to: left.type)
            return try align(
                left, Operand(expression: adapted, position: right.position), comparison: comparison, at: position)
        }
        if !left.expression.isLiteral, let exact = exactLiteral(right.expression, as: left.type) {
            return (left.expression, exact)
        }
        if !right.expression.isLiteral, let exact = exactLiteral(left.expression, as: right.type) {
            return (exact, right.expression)
        }
        if left.type.recordFields != nil, right.type.recordFields != nil {
            let type = try recordComparisonType(left, right, comparison, at: position)
            return (
                try convert(left.expression, to: type, at: left.position),
                try convert(right.expression, to: type, at: right.position)
            )
        }
        guard let common = comparisonType(left, right) else {
            let names = (TypeConversion.displayName(left.type), TypeConversion.displayName(right.type))
            throw QueryError(
                .undefinedFunction, "operator does not exist: \(names.0) \(comparison) \(names.1)",
                hint:
                    "No operator matches the given name and argument types. You might need to add explicit type casts.",
                at: position, object: comparison)
        }
        return (
            try exactLiteral(left.expression, as: common) ?? convert(left.expression, to: common, at: left.position),
            try exactLiteral(right.expression, as: common) ?? convert(right.expression, to: common, at: right.position)
        )
    }

    /// A literal or parameter without type as an operand beside a value of `type`.
    private func adapt(_ operand: Operand, to type: DataType) throws -> Expression {
        switch (operand.expression, type) {
        case (.literal(let value, _), _) where type.isString && type != .name && value != .null:
            // The other side's length says nothing about this value.
            if case .char = type, let text = value.text {
                return .literal(.string(String(text.reversed().drop { $0 == " " }.reversed())), type)
            }
            return .literal(value, type)
        case (.literal(let value, _), .decimal) where value != .null:
            // Keep all digits: the other side's scale is no limit.
            if let text = value.text, let number = Self.number(text.filter { $0 != " " }) { return number }
            return try convert(operand.expression, to: .anyNumeric, at: operand.position)
        case (.parameter, _): return try convert(operand.expression, to: type.withoutModifiers, at: operand.position)
        default: return try convert(operand.expression, to: type, at: operand.position)
        }
    }

    private func comparisonType(_ left: Operand, _ right: Operand) -> DataType? {
        // A real beside another numeric is compared in double precision.
        if left.type.isNumeric, right.type.isNumeric, left.type == .float32 || right.type == .float32 {
            return .float64
        }
        // Nothing of a text may be cut off to make a name of it.
        if left.type.isString, right.type.isString, left.type == .name || right.type == .name { return .text }
        return try? commonType([left, right], construct: "comparison")
    }

    // MARK: - Folding

    var evaluationContext: EvaluationContext {
        EvaluationContext(
            statementTimestamp: session.statementTimestamp, timeZone: session.timeZone, textStyle: session.textStyle,
            catalogFacts: session.catalogFacts)
    }

    /// The constant that an expression of constants amounts to. One that raises an error is left as it is: the error is
    /// due only if the expression is evaluated.
    func fold(_ expression: Expression) -> Expression {
        (try? ConstantFolder.fold(expression, registry: registry, context: evaluationContext)) ?? expression
    }
}
