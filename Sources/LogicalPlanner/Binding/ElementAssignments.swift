// SET column[1] = …, SET column.field = …: the column's value with a part of it replaced.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

extension Array where Element == Assignment.Step {
    /// The value `current` with the part that the steps lead to replaced.
    func assigned(
        _ value: SyntaxExpression, to current: Expression, _ name: String, _ binder: StatementBinder, _ scope: Scope,
        at position: SourcePosition
    ) throws -> Expression {
        try binder.replacing(self[...], of: current, by: value, name, scope, at: position)
    }
}

extension StatementBinder {
    fileprivate func replacing(
        _ steps: ArraySlice<Assignment.Step>, of current: Expression, by syntax: SyntaxExpression, _ name: String,
        _ scope: Scope, at position: SourcePosition
    ) throws -> Expression {
        guard let step = steps.first else {
            if case .defaultValue = syntax.kind {
                throw QueryError(
                    .featureNotSupported, "cannot set an array element to DEFAULT", at: syntax.position)
            }
            return try assigned(operand(syntax, scope), to: Field(name: name, type: current.type))
        }
        switch step {
        case .field(let label):
            guard let fields = current.type.recordFields else {
                throw QueryError(
                    .datatypeMismatch,
                    "cannot assign to field \"\(label)\" of column \"\(name)\" because its type "
                        + "\(TypeConversion.displayName(current.type)) is not a composite type", at: label.position)
            }
            guard let index = fields.firstIndex(where: { $0.name == label.text }) else {
                throw QueryError(
                    .undefinedColumn,
                    "cannot assign to field \"\(label)\" of column \"\(name)\" because there is no such column in "
                        + "data type \(TypeConversion.displayName(current.type))", at: label.position)
            }
            let part = try replacing(
                steps.dropFirst(), of: field(index, of: current, fields), by: syntax, label.text, scope, at: position)
            let values = fields.indices.map { $0 == index ? part : field($0, of: current, fields) }
            return recordOf(values, type: current.type)
        case .subscripts(let subscripts):
            if current.type == .jsonb, steps.count == 1 {
                return try assignedJSON(subscripts, of: current, by: syntax, scope, at: position)
            }
            guard let element = current.type.elementType else {
                throw QueryError(
                    .datatypeMismatch,
                    "cannot subscript type \(TypeConversion.displayName(current.type)) because it does not support "
                        + "subscripting", at: position)
            }
            return try assignedArray(
                subscripts, of: current, element, by: syntax, steps.dropFirst(), name, scope, at: position)
        }
    }

    private func assignedArray(
        _ subscripts: [Subscript], of current: Expression, _ element: DataType, by syntax: SyntaxExpression,
        _ rest: ArraySlice<Assignment.Step>, _ name: String, _ scope: Scope, at position: SourcePosition
    ) throws -> Expression {
        let isSlice = subscripts.contains { if case .slice = $0 { true } else { false } }
        if isSlice, !rest.isEmpty {
            throw QueryError.notSupported("assignment to fields of a slice", at: position)
        }
        func index(_ syntax: SyntaxExpression) throws -> Expression {
            try coerce(operand(syntax, scope).expression, to: .int32, context: .assignment, at: syntax.position)
        }
        // A bound that is not given is that of the array.
        let open = Expression.null(.int32)
        var bounds: [Expression] = []
        var given: [Bool] = []
        for item in subscripts {
            switch item {
            case .index(let syntax):
                if isSlice {
                    bounds.append(.literal(.integer(1), .int32))
                    given.append(true)
                }
                bounds.append(try index(syntax))
                given.append(true)
            case .slice(let lower, let upper):
                bounds += [try lower.map(index) ?? open, try upper.map(index) ?? open]
                given += [lower != nil, upper != nil]
            }
        }
        let value: Expression
        if isSlice {
            value = try assigned(operand(syntax, scope), to: Field(name: name, type: current.type))
        } else if rest.isEmpty {
            if case .defaultValue = syntax.kind {
                throw QueryError(.featureNotSupported, "cannot set an array element to DEFAULT", at: syntax.position)
            }
            value = try assigned(operand(syntax, scope), to: Field(name: name, type: element))
        } else {
            let part = try callScalar(
                "[]",
                ([current] + bounds).map { Operand(expression: $0, position: position) }, at: position)
            value = try replacing(rest, of: part, by: syntax, name, scope, at: position)
        }
        let flags = given.map { Expression.literal(.boolean($0), .boolean) }
        return .call(
            ScalarCall(
                name: isSlice ? "array slice assign" : "array assign",
                arguments: [current, value] + bounds + (isSlice ? flags : []), type: current.type, isStrict: false,
                canFail: true))
    }

    private func assignedJSON(
        _ subscripts: [Subscript], of current: Expression, by syntax: SyntaxExpression, _ scope: Scope,
        at position: SourcePosition
    ) throws -> Expression {
        var steps: [Expression] = []
        for item in subscripts {
            guard case .index(let syntax) = item else {
                throw QueryError(.datatypeMismatch, "jsonb subscript does not support slices", at: position)
            }
            let step = try operand(syntax, scope)
            guard step.type == .unknown || step.type.isString || step.type.isInteger else {
                throw QueryError(
                    .datatypeMismatch, "subscript type \(TypeConversion.displayName(step.type)) is not supported",
                    hint: "jsonb subscript must be coercible to either integer or text.", at: step.position)
            }
            steps.append(try convert(step.expression, to: .text, at: step.position))
        }
        let value = try assigned(operand(syntax, scope), to: Field(name: "value", type: .jsonb))
        let isFirstText = subscripts.first.map { item -> Bool in
            guard case .index(let syntax) = item, let bound = try? operand(syntax, scope) else { return false }
            return !bound.type.isInteger
        }
        return .call(
            ScalarCall(
                name: "jsonb assign",
                arguments: [current, value, .literal(.boolean(isFirstText ?? true), .boolean)] + steps, type: .jsonb,
                isStrict: false, canFail: true))
    }
}
