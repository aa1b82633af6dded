// Sub-queries within expressions.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

extension StatementBinder {
    func bindExists(_ query: Query, _ scope: Scope) throws -> Expression {
        let bound = try bindQuery(query, parent: scope, commonTables: scope.commonTables)
        return .subquery(SubqueryExpression(kind: .exists, plan: bound.plan, type: .boolean))
    }

    func bindScalarQuery(_ query: Query, _ scope: Scope, at position: SourcePosition) throws -> Expression {
        let bound = try bindSettledQuery(query, parent: scope, commonTables: scope.commonTables)
        guard bound.columns.count == 1 else {
            throw QueryError(.syntaxError, "subquery must return only one column", at: position)
        }
        return .subquery(SubqueryExpression(kind: .scalar, plan: bound.plan, type: bound.columns[0].type))
    }

    func bindArrayQuery(_ query: Query, _ scope: Scope, at position: SourcePosition) throws -> Expression {
        let bound = try bindSettledQuery(query, parent: scope, commonTables: scope.commonTables)
        guard bound.columns.count == 1 else {
            throw QueryError(.syntaxError, "subquery must return only one column", at: position)
        }
        return .subquery(SubqueryExpression(kind: .array, plan: bound.plan, type: bound.columns[0].type.arrayType))
    }

    /// `needle op ANY (query)`; IN is `= ANY`.
    func bindQuantified(
        _ needle: SyntaxExpression, _ name: String, isAny: Bool, _ query: Query, _ scope: Scope,
        at position: SourcePosition
    ) throws -> Expression {
        let needles = try needle.rowFields.map { try rowOperands($0, scope) } ?? [operand(needle, scope)]
        let bound = try bindQuery(query, parent: scope, commonTables: scope.commonTables)
        return try quantified(needles, name, isAny: isAny, bound, at: position)
    }

    func bindQuantified(_ syntax: QuantifiedComparison, _ scope: Scope, at position: SourcePosition) throws
        -> Expression
    {
        let isAny = syntax.quantifier == .any
        var name = syntax.comparison.symbol
        var isNegated = false
        var isAnyInside = isAny
        // NOT LIKE ANY is NOT (LIKE ALL), and the other way round.
        if name == "!~~" || name == "!~~*" {
            name.removeFirst()
            isNegated = true
            isAnyInside = !isAny
        }
        let result: Expression
        switch syntax.right {
        case .query(let query):
            result = try bindQuantified(syntax.left, name, isAny: isAnyInside, query, scope, at: position)
        case .array(let array):
            result = try bindQuantifiedArray(syntax.left, name, isAny: isAnyInside, array, scope, at: position)
        }
        return isNegated ? .not(result) : result
    }

    /// `needle op ANY (array)`: element by element for a constructor, a function for comparisons, else over the array
    /// unnested.
    private func bindQuantifiedArray(
        _ needle: SyntaxExpression, _ name: String, isAny: Bool, _ array: SyntaxExpression, _ scope: Scope,
        at position: SourcePosition
    ) throws -> Expression {
        if case .array(let elements) = array.kind, !elements.isEmpty {
            if name == "=", isAny {
                return try bindInList(needle, elements, negated: false, scope, at: position)
            }
            let tests = try elements.map { element in
                try binary(OperatorName(name), operand(needle, scope), operand(element, scope), at: position)
            }
            guard tests.allSatisfy({ $0.type == .boolean }) else {
                throw QueryError(
                    .wrongObjectType, "op ANY/ALL (array) requires operator to yield boolean", at: position)
            }
            return isAny ? Self.disjunction(tests) : .conjunction(tests)
        }
        let value = try operand(needle, scope)
        var list = try operand(array, scope)
        if list.type == .unknown {
            let element = value.type == .unknown ? DataType.text : value.type.withoutModifiers
            list.expression = try convert(list.expression, to: .array(element), at: list.position)
        }
        guard list.type.elementType != nil else {
            throw QueryError(
                .wrongObjectType, "op ANY/ALL (array) requires array on right side", at: array.position)
        }
        if let function = ArrayQuantifiers.functionName(name, isAny: isAny), !list.type.holdsRecords {
            return try compareElements(value, name, function, list, at: position)
        }
        let call = try tableFunctionCall("unnest", [list], at: array.position)
        let columns = call.fields.map { ids.column("element", $0.type) }
        let plan = LogicalPlan.tableFunction(
            LogicalTableFunction(
                name: call.name, arguments: call.arguments, columns: columns,
                input: .values(LogicalValues(columns: [], rows: [[]]))))
        let bound = BoundQuery(plan: plan, columns: columns.map { ScopeColumn($0) })
        let test = try quantified([value], name, isAny: isAny, bound, at: position)
        // Without an array there is no answer, which differs from an array without elements.
        if case .literal(let array, _) = list.expression { return array == .null ? .null(.boolean) : test }
        return .conditional(
            [ConditionalBranch(condition: .isNull(list.expression), result: .null(.boolean))], otherwise: test,
            type: .boolean)
    }

    /// A comparison with the elements of an array, which take the type that the comparison needs. Equality with one of
    /// several constants is an IN list.
    private func compareElements(
        _ value: Operand, _ name: String, _ function: String, _ list: Operand, at position: SourcePosition
    ) throws -> Expression {
        let element = ids.column("element", list.type.elementType ?? .text).reference
        let (needle, other) = try align(
            value, Operand(expression: element, position: list.position), comparison: name, at: position)
        let array = try convert(list.expression, to: .array(other.type), at: list.position)
        if function == "= any", !needle.isLiteral, case .literal(.bytes(let bytes), _) = array {
            let values = ArrayBlob.elements(bytes, elementType: other.type)
            if !values.isEmpty { return .inList(needle, values) }
        }
        return try callScalar(
            function,
            [
                Operand(expression: needle, position: value.position),
                Operand(expression: array, position: list.position),
            ], at: position)
    }

    private func quantified(
        _ needles: [Operand], _ name: String, isAny: Bool, _ query: BoundQuery, at position: SourcePosition
    ) throws -> Expression {
        var query = query
        guard needles.count == query.columns.count else {
            let word = needles.count < query.columns.count ? "many" : "few"
            throw QueryError(.syntaxError, "subquery has too \(word) columns", at: position)
        }
        if needles.count > 1, name != "=" || !isAny, !(name == "<>" && !isAny), Self.comparisonNames.contains(name) {
            return try rowQuantified(needles, name, isAny: isAny, settled(query), at: position)
        }
        var converted: [Expression] = []
        for (index, needle) in needles.enumerated() {
            let column = query.columns[index]
            if Self.comparisonNames.contains(name) {
                let right = Operand(expression: query.openExpression(index), position: position)
                let (left, other) = try align(needle, right, comparison: name, at: position)
                if left.type.recordFields != nil {
                    converted.append(try orderKey(left))
                    query = try orderKeyed(query, index, type: left.type, at: position)
                    continue
                }
                converted.append(left)
                query = try retyped(query, index, to: other.type, at: position)
            } else {
                let resolved = try registry.resolveScalar(name, [needle.type, column.type], at: position)
                guard resolved.resultType == .boolean else {
                    throw QueryError(
                        .wrongObjectType, "op ANY/ALL requires operator to yield boolean", at: position)
                }
                converted.append(
                    try convert(needle.expression, to: resolved.parameterTypes[0], at: needle.position))
                query = try retyped(query, index, to: resolved.parameterTypes[1], at: position)
            }
        }
        let kind: SubqueryExpression.Kind =
            isAny ? .any(needles: converted, comparison: name) : .all(needles: converted, comparison: name)
        return .subquery(SubqueryExpression(kind: kind, plan: query.plan, type: .boolean))
    }

    /// `(a, b) < ANY (query)`: each row of the query is compared within it, and the answers are quantified.
    private func rowQuantified(
        _ needles: [Operand], _ name: String, isAny: Bool, _ query: BoundQuery, at position: SourcePosition
    ) throws -> Expression {
        let right = query.columns.map { Operand(expression: $0.reference, position: position) }
        let test = try rowComparison(name, needles, right, at: position)
        let column = ids.column("result", .boolean)
        let plan = LogicalPlan.project(
            LogicalProject(columns: [column], expressions: [test], input: query.plan))
        let kind: SubqueryExpression.Kind =
            isAny ? .any(needles: [.true], comparison: "=") : .all(needles: [.true], comparison: "=")
        return .subquery(SubqueryExpression(kind: kind, plan: plan, type: .boolean))
    }

    /// `(a, b) = (SELECT …)` of at most one row. The query's row is compared inside it, so that it runs once.
    func bindRowQueryComparison(
        _ fields: [SyntaxExpression], _ name: String, _ query: Query, _ scope: Scope, at position: SourcePosition
    ) throws -> Expression {
        let left = try rowOperands(fields, scope)
        let bound = try bindSettledQuery(query, parent: scope, commonTables: scope.commonTables)
        guard bound.columns.count == left.count else {
            let word = left.count < bound.columns.count ? "many" : "few"
            throw QueryError(.syntaxError, "subquery has too \(word) columns", at: position)
        }
        let right = bound.columns.map { Operand(expression: $0.reference, position: position) }
        let test = try rowComparison(name, left, right, at: position)
        let column = ids.column("result", .boolean)
        let plan = LogicalPlan.project(
            LogicalProject(columns: [column], expressions: [test], input: bound.plan))
        return .subquery(SubqueryExpression(kind: .scalar, plan: plan, type: .boolean))
    }
}
