// Modifiers of the types of times and intervals: timestamp(3), interval day to second(2). Whoever makes a value of such a
// type cuts it here; columns and results are of the plain type, and what they were declared with goes beside it.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

extension IntervalQualifier {
    init(_ fields: IntervalFields) {
        self =
            switch fields {
            case .year: .year
            case .month: .month
            case .day: .day
            case .hour: .hour
            case .minute: .minute
            case .second: .second
            case .yearToMonth: .yearToMonth
            case .dayToHour: .dayToHour
            case .dayToMinute: .dayToMinute
            case .dayToSecond: .dayToSecond
            case .hourToMinute: .hourToMinute
            case .hourToSecond: .hourToSecond
            case .minuteToSecond: .minuteToSecond
            }
    }
}

extension StatementBinder {
    // MARK: - Cutting values

    /// A cast to a type with a modifier: the cast to the type, then the cut.
    func cast(
        _ operand: Operand, to named: NamedType, _ modifier: TemporalModifier, kind: Expression.CastKind,
        at position: SourcePosition
    ) throws -> Expression {
        if let read = try intervalRead(operand, named.type, modifier, kind) { return read }
        let value = try explicitCast(operand, to: NamedType(type: named.type), kind: kind, at: position)
        return try limited(value, named.type, modifier, at: position)
    }

    /// An untyped literal as an interval: the fields say what a bare number means, so they count when the text is read.
    func intervalRead(
        _ operand: Operand, _ type: DataType, _ modifier: TemporalModifier, _ kind: Expression.CastKind = .strict
    ) throws -> Expression? {
        guard let qualifier = modifier.qualifier, type == .interval,
            case .literal(let value, .unknown) = operand.expression
        else { return nil }
        guard let text = value.text else { return .null(.interval) }
        do {
            let interval = try Array(text.utf8).withUnsafeBufferPointer {
                try IntervalText.parse($0, qualifier: qualifier, style: session.textStyle)
            }
            return .literal(.interval(modifier.applied(to: interval)), .interval)
        } catch let error as QueryError {
            if kind == .lenient { return .null(.interval) }
            throw error.located(at: operand.position)
        }
    }

    /// A value of the type, or of arrays of it, cut to the modifier.
    func limited(
        _ value: Expression, _ type: DataType, _ modifier: TemporalModifier, at position: SourcePosition?
    ) throws -> Expression {
        let function: String
        switch type.elementType ?? type {
        case .time: function = "time"
        case .timeTZ: function = "timetz"
        case .timestamp: function = "timestamp"
        case .timestampTZ: function = "timestamptz"
        case .interval: function = "interval"
        default: return value
        }
        if value.literal == .null || temporalModifier(of: value) == modifier { return value }
        let number = Expression.literal(.integer(modifier.catalogNumber(for: type)), .int32)
        // Strict and without failure, as the functions of the registry are.
        return fold(.call(ScalarCall(name: function, arguments: [value, number], type: value.type, canFail: false)))
    }

    /// A record whose fields are cut to the modifiers that they were declared with.
    func limitedFields(
        of value: Expression, _ modifiers: [TemporalModifier?], at position: SourcePosition?
    ) throws -> Expression {
        guard modifiers.contains(where: { $0 != nil }), let fields = value.type.recordFields,
            value.literal != .null
        else { return value }
        if value.isVolatile {
            throw QueryError.notSupported(
                "a volatile expression as a value of a type with fields of a precision", at: position)
        }
        let parts = try modifiers.enumerated().map { index, modifier -> Expression in
            let part = field(index, of: value, fields)
            return try modifier.map { try limited(part, fields[index].type, $0, at: position) } ?? part
        }
        let record = recordOf(parts, type: value.type)
        if case .call(let call) = value, call.name == "row" { return record }
        return .conditional(
            [ConditionalBranch(condition: .isNull(value), result: .null(value.type))], otherwise: record,
            type: value.type)
    }

    // MARK: - What is known of a value

    /// The modifier that all values of an expression are known to be cut to.
    func temporalModifier(of expression: Expression) -> TemporalModifier? {
        guard (expression.type.elementType ?? expression.type).isTemporal else { return nil }
        switch expression {
        case .column(let id, _): return columnModifiers[id]
        case .call(let call): return temporalModifier(of: call)
        case .coalesce(let operands, _): return sharedModifier(operands)
        case .conditional(let branches, let otherwise, _): return sharedModifier(branches.map(\.result) + [otherwise])
        case .subquery(let subquery) where subquery.kind == .scalar:
            return subquery.plan.columns.first.flatMap { columnModifiers[$0.id] }
        default: return nil
        }
    }

    private func temporalModifier(of call: ScalarCall) -> TemporalModifier? {
        switch call.name {
        case "time", "timetz", "timestamp", "timestamptz", "interval":
            guard call.arguments.count == 2, case .literal(.integer(let number), .int32) = call.arguments[1] else {
                return nil
            }
            return call.type.elementType ?? call.type == .interval
                ? TemporalModifier(catalogNumber: number) : TemporalModifier(precision: Int(number))
        case "greatest", "least": return sharedModifier(call.arguments)
        default: return nil
        }
    }

    private func sharedModifier(_ expressions: [Expression]) -> TemporalModifier? {
        let modifiers = expressions.map { temporalModifier(of: $0) }
        guard let first = modifiers.first, modifiers.allSatisfy({ $0 == first }) else { return nil }
        return first
    }

    /// The modifier of an item of a SELECT. A constant shows it in its syntax alone.
    func temporalModifier(of output: SelectOutput) throws -> TemporalModifier? {
        let expression = output.expression
        guard expression.isLiteral, (expression.type.elementType ?? expression.type).isTemporal else {
            return temporalModifier(of: expression)
        }
        switch output.syntax?.kind {
        case .cast(_, let name, _)?, .typedLiteral(let name, _)?:
            let named = try resolveType(name)
            return named.userType == nil ? named.modifier : nil
        default: return nil
        }
    }

    /// Notes for columns with new identities what their sources were declared with.
    func copyModifiers(from sources: [PlanColumn], to columns: [PlanColumn]) {
        if columnModifiers.isEmpty { return }
        for (source, column) in zip(sources, columns) { columnModifiers[column.id] = columnModifiers[source.id] }
    }

    /// The rows of a recursive query's step go through the columns of its base, whatever these are declared with.
    func refuseOtherModifier(
        _ base: ScopeColumn, _ step: ScopeColumn, _ number: Int, of name: String, at position: SourcePosition
    ) throws {
        guard let modifier = columnModifiers[base.id], columnModifiers[step.id] != modifier else { return }
        let declared = Field(name: base.name, type: base.type, modifier: modifier).typeName
        throw QueryError(
            .datatypeMismatch,
            "recursive query \"\(name)\" column \(number) has type \(declared) in non-recursive term but type "
                + "\(TypeConversion.displayName(base.type)) overall",
            hint: "Cast the output of the non-recursive term to the correct type.", at: position)
    }

    // MARK: - Declared columns

    /// The modifier of a domain's base type, or of that of the domain that it is over.
    func temporalModifier(ofUserType identifier: Int64) -> TemporalModifier? {
        guard let (_, type) = userType(identifier), case .domain(let domain) = type.kind else { return nil }
        return domain.modifier ?? domain.parent.flatMap { temporalModifier(ofUserType: $0) }
    }
}
