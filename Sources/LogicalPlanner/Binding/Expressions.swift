// Scalar expressions: from syntax to bound, typed expressions.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

extension StatementBinder {
    func bind(_ syntax: SyntaxExpression, _ scope: Scope) throws -> Expression {
        try nested(at: syntax.position) { try bindKind(syntax, scope) }
    }

    func bindCondition(_ syntax: SyntaxExpression, _ scope: Scope, construct: String) throws -> Expression {
        fold(try coerceToBoolean(operand(syntax, scope), construct: construct))
    }

    private func bindKind(_ syntax: SyntaxExpression, _ scope: Scope) throws -> Expression {
        let position = syntax.position
        switch syntax.kind {
        case .literal(let literal): return bindLiteral(literal)
        case .typedLiteral(let type, let text): return try bindTypedLiteral(type, text, at: position)
        case .column(let parts): return try resolveColumn(parts, scope, at: position)
        case .parameter(let number): return try bindParameter(number, at: position)
        case .binary: return try bindBinary(syntax, scope)
        case .and(let operands): return try bindLogical(operands, isAnd: true, scope)
        case .or(let operands): return try bindLogical(operands, isAnd: false, scope)
        case .not(let operand):
            return .not(try coerceToBoolean(self.operand(operand, scope), construct: "NOT"))
        case .function(let call): return try bindFunction(call, scope, at: position)
        case .cast(let operand, let type, let kind): return try bindCast(operand, type, kind, scope, at: position)
        case .caseWhen(let expression): return try bindCase(expression, scope, at: position)
        default: return try bindPredicate(syntax, scope)
        }
    }

    private func bindPredicate(_ syntax: SyntaxExpression, _ scope: Scope) throws -> Expression {
        let position = syntax.position
        switch syntax.kind {
        case .isNull(let operand, let negated): return try bindIsNull(operand, negated: negated, scope)
        case .isTruth(let operand, let value, let negated):
            return try bindIsTruth(operand, value, negated: negated, scope)
        case .isDistinct(let left, let right, let negated):
            return try bindIsDistinct(left, right, negated: negated, scope, at: position)
        case .between(let predicate): return try bindBetween(predicate, scope, at: position)
        case .inList(let operand, let list, let negated):
            return try bindInList(operand, list, negated: negated, scope, at: position)
        case .like(let predicate): return try bindLike(predicate, scope, at: position)
        case .inQuery(let operand, let query, let negated):
            let test = try bindQuantified(operand, "=", isAny: true, query, scope, at: position)
            return negated ? .not(test) : test
        case .quantified(let comparison): return try bindQuantified(comparison, scope, at: position)
        case .exists(let query): return try bindExists(query, scope)
        case .scalarQuery(let query): return try bindScalarQuery(query, scope, at: position)
        case .arrayQuery(let query): return try bindArrayQuery(query, scope, at: position)
        default: return try bindSpecial(syntax, scope)
        }
    }

    private func bindSpecial(_ syntax: SyntaxExpression, _ scope: Scope) throws -> Expression {
        let position = syntax.position
        switch syntax.kind {
        case .unary(let name, let operand): return try bindUnary(name, operand, scope, at: position)
        case .coalesce(let operands):
            let outer = scope.conditional
            scope.conditional = outer ?? "COALESCE"
            defer { scope.conditional = outer }
            let bound = try operands.map { try operand($0, scope) }
            let (expressions, type) = try unify(bound, construct: "COALESCE", isShown: scope.aggregateDepth == 0)
            return expressions.count == 1 ? expressions[0] : .coalesce(expressions, type: type)
        case .nullIf(let left, let right): return try bindNullIf(left, right, scope, at: position)
        case .greatest(let operands): return try bindExtreme("greatest", operands, scope, at: position)
        case .least(let operands): return try bindExtreme("least", operands, scope, at: position)
        case .grouping(let arguments): return try bindGrouping(arguments, scope, at: position)
        case .sessionValue(let value, let precision):
            let bound = try bindSessionValue(value, at: position)
            guard let precision else { return bound }
            return try limited(bound, bound.type, TemporalModifier(precision: precision), at: position)
        case .atTimeZone(let value, let zone):
            // PostgreSQL's function takes the zone first.
            return try callScalar("timezone", [operand(zone, scope), operand(value, scope)], at: position)
        case .collate(let operand, let collation):
            return try bindCollate(operand, collation, scope, at: position)
        case .array(let elements): return try bindArray(elements, elementType: nil, scope, at: position)
        case .subscripts(let operand, let subscripts):
            return try bindSubscripts(operand, subscripts, scope, at: position)
        case .row(let fields, _): return try bindRow(fields, scope)
        case .field(let record, let name): return try bindField(record, name, scope, at: position)
        case .star(let qualifier) where !qualifier.isEmpty:
            guard let row = try wholeRow(qualifier[...], scope, at: position) else {
                throw missingRelation(qualifier[...], at: position)
            }
            return row
        case .star: throw QueryError(.syntaxError, "\"*\" is not allowed here", at: position)
        case .defaultValue: throw QueryError(.syntaxError, "DEFAULT is not allowed in this context", at: position)
        default: throw QueryError.notSupported("this expression", at: position)
        }
    }

    /// Text is ordered by its bytes, which is what the collations of standard C are.
    private func bindCollate(
        _ operand: SyntaxExpression, _ collation: ObjectName, _ scope: Scope, at position: SourcePosition
    ) throws -> Expression {
        let name = collation.last
        let value = try bind(operand, scope)
        guard value.type.isString || value.type.elementType?.isString == true else {
            throw QueryError(
                .datatypeMismatch,
                "collations are not supported by type \(TypeConversion.displayName(value.type))", at: position)
        }
        if ["C", "POSIX", "default", "ucs_basic", "und-x-icu"].contains(name) { return value }
        if name.contains("_") || name.contains("-x-") {
            throw QueryError.notSupported("collation \"\(name)\"", at: collation.position)
        }
        throw QueryError(
            .undefinedObject, "collation \"\(name)\" for encoding \"UTF8\" does not exist", at: collation.position,
            object: name)
    }

    private func bindUnary(
        _ name: OperatorName, _ syntax: SyntaxExpression, _ scope: Scope, at position: SourcePosition
    ) throws -> Expression {
        let bound = try operand(syntax, scope)
        if name.symbol == "+", bound.type.isNumeric { return bound.expression }
        return try callScalar(name.symbol, [bound], at: position)
    }

    // MARK: - Conditional expressions

    private func bindCase(_ syntax: CaseExpression, _ scope: Scope, at position: SourcePosition) throws -> Expression {
        let outer = scope.conditional
        scope.conditional = outer ?? "CASE"
        defer { scope.conditional = outer }
        var conditions: [Expression] = []
        var results: [Operand] = []
        var subject = try syntax.operand.map { try operand($0, scope) }
        for (index, branch) in syntax.branches.enumerated() {
            if let subjectSyntax = syntax.operand, var known = subject {
                if index > 0, known.expression.hasSubquery { known = try operand(subjectSyntax, scope) }
                if case .parameter(let number, .unknown) = known.expression, let type = parameterTypes[number] {
                    known = Operand(expression: .parameter(number, type), position: known.position)
                }
                subject = known
                conditions.append(try comparison("=", known, operand(branch.when, scope), at: branch.when.position))
            } else {
                conditions.append(try coerceToBoolean(operand(branch.when, scope), construct: "CASE/WHEN"))
            }
            results.append(try operand(branch.then, scope))
        }
        let otherwise = try syntax.otherwise.map { try operand($0, scope) }
        results.append(otherwise ?? Operand(expression: .null(.unknown), position: position))
        let (values, type) = try unify(results, construct: "CASE", isShown: scope.aggregateDepth == 0)
        let branches = zip(conditions, values).map { ConditionalBranch(condition: $0, result: $1) }
        // Only a constant is folded here: GROUP BY compares expressions as they are written.
        let result = Expression.conditional(branches, otherwise: values[values.count - 1], type: type)
        let folded = fold(result)
        return folded.isLiteral ? folded : result
    }

    private func bindNullIf(
        _ left: SyntaxExpression, _ right: SyntaxExpression, _ scope: Scope, at position: SourcePosition
    ) throws -> Expression {
        var first = try operand(left, scope)
        let second = try operand(right, scope)
        if let promoted = Self.promoted(first.type, comparedWith: second.type) {
            first.expression = try convert(first.expression, to: promoted, at: left.position)
        }
        if !registry.scalarOverloads("nullif").isEmpty {
            let (a, b) = try align(first, second, comparison: "=", at: position)
            let call = try callScalar(
                "nullif",
                [Operand(expression: a, position: left.position), Operand(expression: b, position: right.position)],
                at: position)
            // The result has the type that the first operand has on the left of "=".
            let type = first.type == .unknown ? call.type : first.type
            return try convert(call, to: type, at: position)
        }
        let test = try comparison("=", first, second, at: position)
        let again = first.expression.hasSubquery ? try operand(left, scope) : first
        let value = try settled(again.expression, at: left.position)
        return fold(
            .conditional(
                [ConditionalBranch(condition: test, result: .null(value.type))], otherwise: value, type: value.type))
    }

    /// What a number becomes on the left of "=" if the right side has a wider kind of number; `nil` if it stays.
    private static func promoted(_ left: DataType, comparedWith right: DataType) -> DataType? {
        switch (left, right) {
        case (.decimal, .float32), (.decimal, .float64), (.numeric, .float32), (.numeric, .float64): .float64
        case (_, .float32) where left.isInteger, (_, .float64) where left.isInteger: .float64
        case (_, .decimal) where left.isInteger, (_, .numeric) where left.isInteger: .numeric(nil)
        default: nil
        }
    }

    private func bindExtreme(
        _ name: String, _ operands: [SyntaxExpression], _ scope: Scope, at position: SourcePosition
    ) throws -> Expression {
        let bound = try operands.map { try operand($0, scope) }
        let (expressions, _) = try unify(bound, construct: name.uppercased(), isShown: scope.aggregateDepth == 0)
        let arguments = zip(expressions, bound).map { Operand(expression: $0, position: $1.position) }
        return try callScalar(name, arguments, at: position)
    }

    // MARK: - Casts

    private func bindCast(
        _ syntax: SyntaxExpression, _ type: TypeName, _ kind: CastSyntax, _ scope: Scope, at position: SourcePosition
    ) throws -> Expression {
        let castKind: Expression.CastKind = kind == .tryCast ? .lenient : .strict
        let named = try resolveType(type)
        if let identifier = named.userType {
            var plain = named
            plain.userType = nil
            let value = try castToBase(syntax, plain, castKind, scope, at: position)
            return try typed(value, userType: identifier, at: position)
        }
        let value = try castToBase(syntax, named, castKind, scope, type: type, at: position)
        return try limitedFields(of: value, named.fieldModifiers, at: position)
    }

    private func castToBase(
        _ syntax: SyntaxExpression, _ named: NamedType, _ castKind: Expression.CastKind, _ scope: Scope,
        type: TypeName? = nil, at position: SourcePosition
    ) throws -> Expression {
        if case .array(let elements) = syntax.kind, case .array(let element) = named.type {
            let array = try bindArray(elements, elementType: element, scope, at: syntax.position)
            return try explicitCast(
                Operand(expression: array, position: syntax.position), to: named, kind: castKind, at: position)
        }
        if case .literal(.string(let text)) = syntax.kind, let type, type.intervalFields != nil {
            return try bindTypedLiteral(type, text, at: syntax.position)
        }
        return try explicitCast(operand(syntax, scope), to: named, kind: castKind, at: position)
    }

    // MARK: - Arrays

    /// `elementType`: what a cast around the constructor asks for.
    private func bindArray(
        _ elements: [SyntaxExpression], elementType: DataType?, _ scope: Scope, at position: SourcePosition
    ) throws -> Expression {
        if elements.isEmpty {
            guard let elementType else {
                throw QueryError(
                    .indeterminateDatatype, "cannot determine type of empty array",
                    hint: "Explicitly cast to the desired type, for example ARRAY[]::integer[].", at: position)
            }
            return try castLiteral(
                .literal(.string("{}"), .unknown), to: .array(elementType), kind: .strict, at: position)
        }
        var operands = try elements.map { element -> Operand in
            if case .array(let inner) = element.kind, elementType != nil {
                return Operand(
                    expression: try bindArray(inner, elementType: elementType, scope, at: element.position),
                    position: element.position)
            }
            return try operand(element, scope)
        }
        if let elementType {
            let hasArrays = operands.contains { $0.type.elementType != nil }
            let elementType = hasArrays ? DataType.array(elementType) : elementType
            operands = try operands.map {
                Operand(
                    expression: try explicitCast($0, to: NamedType(type: elementType), kind: .strict, at: $0.position),
                    position: $0.position)
            }
        } else {
            let (expressions, _) = try unify(operands, construct: "ARRAY")
            operands = zip(expressions, operands).map { Operand(expression: $0, position: $1.position) }
        }
        if let type = operands.first?.type, case .array = type {
            return try callScalar("array of arrays", operands, at: position)
        }
        return try callScalar("array", operands, at: position)
    }

    private func bindSubscripts(
        _ syntax: SyntaxExpression, _ subscripts: [Subscript], _ scope: Scope, at position: SourcePosition
    ) throws -> Expression {
        var value = try operand(syntax, scope)
        if value.type.elementType != nil {
            return try bindArraySubscripts(value, subscripts, scope, at: position)
        }
        for item in subscripts {
            guard value.type == .jsonb else {
                throw QueryError(
                    .datatypeMismatch,
                    "cannot subscript type \(TypeConversion.displayName(value.type)) because it does not support "
                        + "subscripting", at: syntax.position)
            }
            value = try bindJSONSubscript(value, item, scope, at: position)
        }
        return value.expression
    }

    /// All subscripts belong to the array: a slice among them makes slices of all, where `[n]` is `[1:n]`.
    private func bindArraySubscripts(
        _ array: Operand, _ subscripts: [Subscript], _ scope: Scope, at position: SourcePosition
    ) throws -> Expression {
        func bound(_ value: Int32) -> Operand {
            Operand(expression: .literal(.integer(Int64(value)), .int32), position: position)
        }
        let isSlice = subscripts.contains { if case .slice = $0 { true } else { false } }
        var arguments = [array]
        for item in subscripts {
            switch item {
            case .index(let index):
                if isSlice { arguments.append(bound(1)) }
                arguments.append(try subscriptOperand(index, of: array.type, scope))
            case .slice(let lower, let upper):
                // Bounds that are left out lie beyond those of any array.
                arguments.append(try lower.map { try subscriptOperand($0, of: array.type, scope) } ?? bound(.min))
                arguments.append(try upper.map { try subscriptOperand($0, of: array.type, scope) } ?? bound(.max))
            }
        }
        return try callScalar(isSlice ? "[:]" : "[]", arguments, at: position)
    }

    /// A subscript, counted from 1 also where the type counts from 0.
    private func subscriptOperand(_ syntax: SyntaxExpression, of type: DataType, _ scope: Scope) throws -> Operand {
        let written = try operand(syntax, scope)
        let subscriptValue = Operand(
            expression: try coerce(written.expression, to: .int32, context: .assignment, at: syntax.position),
            position: syntax.position)
        guard case .indexVector = type else { return subscriptValue }
        let one = Operand(expression: .literal(.integer(1), .int32), position: syntax.position)
        return Operand(
            expression: try callScalar("+", [subscriptValue, one], at: syntax.position), position: syntax.position)
    }

    // MARK: - Session values

    private func bindSessionValue(_ value: SessionValue, at position: SourcePosition) throws -> Expression {
        switch value {
        case .currentTimestamp: return try callScalar("now", [], at: position)
        case .currentDate: return .cast(try callScalar("now", [], at: position), to: .date, kind: .strict)
        case .localTimestamp: return .cast(try callScalar("now", [], at: position), to: .timestamp, kind: .strict)
        case .localTime: return .cast(try callScalar("now", [], at: position), to: .time, kind: .strict)
        case .currentTime: return .cast(try callScalar("now", [], at: position), to: .timeTZ, kind: .strict)
        case .currentRole, .currentUser, .sessionUser, .user: return .literal(.string(session.user), .name)
        case .currentCatalog: return .literal(.string(session.database), .name)
        case .currentSchema: return currentSchema
        }
    }

    var currentSchema: Expression {
        session.searchPath.first { $0.schema != session.temporarySchema }
            .map { .literal(.string($0.schema), .name) } ?? .null(.name)
    }
}
