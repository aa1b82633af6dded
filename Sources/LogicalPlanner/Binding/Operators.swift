// Operators: comparisons, arithmetic, row comparisons, BETWEEN, IN, LIKE, IS.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

extension StatementBinder {
    static let comparisonNames: Set<String> = ["=", "<>", "<", "<=", ">", ">="]

    func operand(_ syntax: SyntaxExpression, _ scope: Scope) throws -> Operand {
        Operand(expression: try bind(syntax, scope), position: syntax.position)
    }

    /// A call of a scalar function or operator, resolved and with its arguments cast; folded if it is constant.
    func callScalar(_ name: String, _ arguments: [Operand], at position: SourcePosition) throws -> Expression {
        let resolved = try registry.resolveScalar(
            name, arguments.map(\.type), literals: arguments.map(\.expression.literal), at: position)
        var converted: [Expression] = []
        for (argument, type) in zip(arguments, resolved.parameterTypes) {
            let exact = exactLiteral(argument.expression, as: type)
            converted.append(try exact ?? convert(argument.expression, to: type, at: argument.position))
        }
        let function = resolved.function
        let call = Expression.call(
            ScalarCall(
                name: function.name, arguments: converted, type: resolved.resultType, volatility: function.volatility,
                isStrict: function.isStrict,
                canFail: function.mayFail(resolved.parameterTypes, literals: converted.map(\.literal))))
        let isConstant = function.volatility == .immutable && converted.allSatisfy(\.isLiteral)
        return isConstant ? fold(call) : call
    }

    // MARK: - Binary operators

    /// A chain such as `1 + 2 + 3` leans to the left; its spine is walked in a loop.
    func bindBinary(_ syntax: SyntaxExpression, _ scope: Scope) throws -> Expression {
        var spine: [(name: OperatorName, right: SyntaxExpression, position: SourcePosition)] = []
        var leftmost = syntax
        while case .binary(let name, let left, let right) = leftmost.kind {
            spine.append((name, right, leftmost.position))
            leftmost = left
        }
        // The innermost operator may compare rows; its left operand is then no scalar.
        var left: Operand
        let first = spine.removeLast()
        left = Operand(
            expression: try bindBinary(first.name, leftmost, first.right, scope, at: first.position),
            position: first.position)
        for link in spine.reversed() {
            let right = try operand(link.right, scope)
            let result = try binary(link.name, left, right, at: link.position)
            left = Operand(expression: result, position: link.position)
        }
        return left.expression
    }

    private func bindBinary(
        _ name: OperatorName, _ left: SyntaxExpression, _ right: SyntaxExpression, _ scope: Scope,
        at position: SourcePosition
    ) throws -> Expression {
        if let leftFields = left.rowFields, Self.comparisonNames.contains(name.symbol) {
            if case .scalarQuery(let query) = right.kind {
                return try bindRowQueryComparison(leftFields, name.symbol, query, scope, at: position)
            }
            if let rightFields = right.rowFields {
                return try rowComparison(
                    name.symbol, rowOperands(leftFields, scope), rowOperands(rightFields, scope), at: position)
            }
        }
        return try binary(name, operand(left, scope), operand(right, scope), at: position)
    }

    func binary(_ name: OperatorName, _ left: Operand, _ right: Operand, at position: SourcePosition) throws
        -> Expression
    {
        if let schema = name.schema, schema != "pg_catalog" {
            throw QueryError(
                .undefinedFunction, "operator does not exist: \(schema).\(name.symbol)", at: position,
                object: name.symbol)
        }
        var left = left
        if Self.patternOperators.contains(name.symbol) { left = try padded(left, at: position) }
        switch name.symbol {
        case "=", "<>", "<", "<=", ">", ">=": return try comparison(name.symbol, left, right, at: position)
        case "!~~": return .not(try callScalar("~~", [left, right], at: position))
        case "!~~*": return .not(try callScalar("~~*", [left, right], at: position))
        case "!~" where registry.scalarOverloads("!~").isEmpty:
            return .not(try callScalar("~", [left, right], at: position))
        case "!~*" where registry.scalarOverloads("!~*").isEmpty:
            return .not(try callScalar("~*", [left, right], at: position))
        default: return try callScalar(name.symbol, [left, right], at: position)
        }
    }

    private static let patternOperators: Set<String> = ["~~", "~~*", "!~~", "!~~*", "~", "~*", "!~", "!~*"]

    func comparison(_ name: String, _ left: Operand, _ right: Operand, at position: SourcePosition) throws
        -> Expression
    {
        var (first, second) = try align(left, right, comparison: name, at: position)
        if first.type.recordFields != nil { (first, second) = (try orderKey(first), try orderKey(second)) }
        if first.type == .json {
            throw QueryError(
                .undefinedFunction, "operator does not exist: json \(name) json", at: position, object: name)
        }
        let result = Expression.comparison(name, first, second)
        return first.isLiteral && second.isLiteral ? fold(result) : result
    }

    // MARK: - Rows

    /// `(a, b) op (c, d)`: equality field by field, order lexicographic.
    func rowComparison(_ name: String, _ left: [Operand], _ right: [Operand], at position: SourcePosition) throws
        -> Expression
    {
        guard left.count == right.count else {
            throw QueryError(.syntaxError, "unequal number of entries in row expressions", at: position)
        }
        guard !left.isEmpty else { throw QueryError.notSupported("comparing empty rows", at: position) }
        let pairs = Array(zip(left, right))
        switch name {
        case "=": return .conjunction(try pairs.map { try comparison("=", $0.0, $0.1, at: position) })
        case "<>": return Self.disjunction(try pairs.map { try comparison("<>", $0.0, $0.1, at: position) })
        default:
            // a < c OR (a = c AND (b < d OR …)); the last field decides with the operator itself.
            let strict = String(name.prefix(1))
            var result = try comparison(name, pairs[pairs.count - 1].0, pairs[pairs.count - 1].1, at: position)
            for pair in pairs.dropLast().reversed() {
                let less = try comparison(strict, pair.0, pair.1, at: position)
                let equal = try comparison("=", pair.0, pair.1, at: position)
                result = .or([less, .conjunction([equal, result])])
            }
            return result
        }
    }

    static func disjunction(_ operands: [Expression]) -> Expression {
        operands.count == 1 ? operands[0] : .or(operands)
    }

    // MARK: - Predicates

    func bindLogical(_ operands: [SyntaxExpression], isAnd: Bool, _ scope: Scope) throws -> Expression {
        var bound: [Expression] = []
        for syntax in operands {
            bound.append(try coerceToBoolean(operand(syntax, scope), construct: isAnd ? "AND" : "OR"))
        }
        return isAnd ? .and(bound.flatMap(Self.andOperands)) : .or(bound)
    }

    private static func andOperands(_ expression: Expression) -> [Expression] {
        if case .and(let operands) = expression { operands } else { [expression] }
    }

    func bindIsNull(_ syntax: SyntaxExpression, negated: Bool, _ scope: Scope) throws -> Expression {
        if let fields = syntax.rowFields {
            // A row is null if all fields are, and not null if all fields are not.
            let tests = try rowOperands(fields, scope).map { field -> Expression in
                let test = Expression.isNull(try settled(field.expression, at: field.position))
                return negated ? .not(test) : test
            }
            return .conjunction(tests)
        }
        let value = try settled(bind(syntax, scope), at: syntax.position)
        if let fields = value.type.recordFields { return nullTest(of: value, fields, negated: negated) }
        let test = Expression.isNull(value)
        return negated ? .not(test) : test
    }

    func bindIsTruth(_ syntax: SyntaxExpression, _ value: TruthValue, negated: Bool, _ scope: Scope) throws
        -> Expression
    {
        let construct = "IS \(negated ? "NOT " : "")\(value.rawValue.uppercased())"
        let bound = try coerceToBoolean(operand(syntax, scope), construct: construct)
        let test: Expression
        switch value {
        case .true: test = .coalesce([bound, .false], type: .boolean)
        case .false: test = .coalesce([.not(bound), .false], type: .boolean)
        case .unknown: test = .isNull(bound)
        }
        return negated ? .not(test) : test
    }

    func bindIsDistinct(
        _ left: SyntaxExpression, _ right: SyntaxExpression, negated: Bool, _ scope: Scope, at position: SourcePosition
    ) throws -> Expression {
        if let leftFields = left.rowFields, let rightFields = right.rowFields {
            guard leftFields.count == rightFields.count else {
                throw QueryError(.syntaxError, "unequal number of entries in row expressions", at: position)
            }
            let tests = try zip(leftFields, rightFields).map {
                try bindIsDistinct($0, $1, negated: true, scope, at: position)
            }
            return negated ? .conjunction(tests) : .not(.conjunction(tests))
        }
        var (first, second) = try align(
            operand(left, scope), operand(right, scope), comparison: "IS DISTINCT FROM", at: position)
        if first.type.recordFields != nil { (first, second) = (try orderKey(first), try orderKey(second)) }
        let same: Expression
        if first.literal == .null {
            same = .isNull(second)
        } else if second.literal == .null {
            same = .isNull(first)
        } else if !registry.scalarOverloads("is not distinct from").isEmpty {
            same = .call(
                ScalarCall(
                    name: "is not distinct from", arguments: [first, second], type: .boolean, isStrict: false,
                    canFail: false))
        } else {
            let bothNull = Expression.and([.isNull(first), .isNull(second)])
            same = .coalesce([.comparison("=", first, second), bothNull], type: .boolean)
        }
        return negated ? same : .not(same)
    }

    func bindBetween(_ predicate: BetweenPredicate, _ scope: Scope, at position: SourcePosition) throws -> Expression {
        // The operand stands in several comparisons; a sub-query in it is bound for each, so that their columns differ.
        func bounded(_ low: SyntaxExpression, _ high: SyntaxExpression) throws -> Expression {
            let lower: Expression
            let upper: Expression
            if let fields = predicate.value.rowFields, let lowFields = low.rowFields, let highFields = high.rowFields {
                let value = try rowOperands(fields, scope)
                lower = try rowComparison(">=", value, rowOperands(lowFields, scope), at: position)
                upper = try rowComparison("<=", value, rowOperands(highFields, scope), at: position)
            } else {
                let first = try operand(predicate.value, scope)
                let second = first.expression.hasSubquery ? try operand(predicate.value, scope) : first
                lower = try comparison(">=", first, operand(low, scope), at: position)
                // The first comparison may have settled the type of a parameter.
                let again = try refreshed(second)
                upper = try comparison("<=", again, operand(high, scope), at: position)
            }
            return .conjunction([lower, upper])
        }
        var result = try bounded(predicate.low, predicate.high)
        if predicate.symmetric {
            result = .or([result, try bounded(predicate.high, predicate.low)])
        }
        return predicate.negated ? .not(result) : result
    }

    /// A parameter with the type that it has by now.
    private func refreshed(_ operand: Operand) throws -> Operand {
        guard case .parameter(let index, .unknown) = operand.expression, let type = parameterTypes[index] else {
            return operand
        }
        return Operand(expression: .parameter(index, type), position: operand.position)
    }

    func bindInList(
        _ needle: SyntaxExpression, _ list: [SyntaxExpression], negated: Bool, _ scope: Scope,
        at position: SourcePosition
    ) throws -> Expression {
        let result: Expression
        if let fields = needle.rowFields {
            let value = try rowOperands(fields, scope)
            result = Self.disjunction(
                try list.map { item in
                    guard let itemFields = item.rowFields else {
                        return try comparison(
                            "=", operand(needle, scope), operand(item, scope), at: item.position)
                    }
                    return try rowComparison("=", value, rowOperands(itemFields, scope), at: item.position)
                })
        } else {
            let value = try operand(needle, scope)
            result = try inList(value, list.map { try operand($0, scope) }, at: position) {
                value.expression.hasSubquery ? try self.operand(needle, scope) : value
            }
        }
        return negated ? .not(result) : result
    }

    /// `again` gives the needle for each further comparison.
    private func inList(
        _ needle: Operand, _ items: [Operand], at position: SourcePosition, again: () throws -> Operand
    ) throws -> Expression {
        if items.allSatisfy(\.expression.isLiteral), !needle.expression.isLiteral {
            let pairs = try items.map { try align(needle, $0, comparison: "=", at: $0.position) }
            if let first = pairs.first, pairs.allSatisfy({ $0.0 == first.0 }) {
                return .inList(first.0, pairs.map { $0.1.literal ?? .null })
            }
            // Some literal needs a wider type than the needle's: all take the common one.
            let (expressions, _) = try unify([needle] + items, construct: "IN", isShown: false)
            if expressions.dropFirst().allSatisfy(\.isLiteral) {
                return .inList(expressions[0], expressions.dropFirst().map { $0.literal ?? .null })
            }
        }
        var needle = needle
        var items = items
        if needle.type == .unknown {
            // A needle without type takes the type that the list agrees on.
            let type = try commonType([needle] + items, construct: "IN")
            needle.expression = try convert(needle.expression, to: type, at: needle.position)
            items = try items.map {
                Operand(expression: try coerce($0.expression, to: type, at: $0.position), position: $0.position)
            }
        }
        var tests: [Expression] = []
        for (index, item) in items.enumerated() {
            tests.append(try comparison("=", index == 0 ? needle : again(), item, at: position))
        }
        return Self.disjunction(tests)
    }

    /// A value of type char(n) as patterns see it: with the blanks that fill it up.
    private func padded(_ operand: Operand, at position: SourcePosition) throws -> Operand {
        guard case .char(let length) = operand.type else { return operand }
        let text = Operand(expression: try convert(operand.expression, to: .text, at: position), position: position)
        let width = Operand(expression: .literal(.integer(Int64(length)), .int32), position: position)
        return Operand(expression: try callScalar("rpad", [text, width], at: position), position: position)
    }

    func bindLike(_ predicate: LikePredicate, _ scope: Scope, at position: SourcePosition) throws -> Expression {
        let value = try padded(operand(predicate.value, scope), at: position)
        var pattern = try operand(predicate.pattern, scope)
        let escape = try predicate.escape.map { [try operand($0, scope)] } ?? []
        let name: String
        switch predicate.kind {
        case .like, .ilike:
            name = predicate.kind == .like ? "~~" : "~~*"
            // ESCAPE brings the pattern into the form with the default escape character.
            if !escape.isEmpty {
                pattern.expression = try callScalar("like_escape", [pattern] + escape, at: position)
            }
        case .similarTo:
            name = "~"
            pattern.expression = try callScalar("similar_to_escape", [pattern] + escape, at: position)
        }
        let test = try callScalar(name, [value, pattern], at: position)
        return predicate.negated ? .not(test) : test
    }
}

extension SyntaxExpression {
    /// The fields of a row constructor.
    var rowFields: [SyntaxExpression]? { if case .row(let fields, _) = kind { fields } else { nil } }
}

extension QueryPlan.Expression {
    var hasSubquery: Bool { contains { if case .subquery = $0 { true } else { false } } }
}
