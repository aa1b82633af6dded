// SET column[1] = …, INSERT INTO … (column.field): values of columns with parts of them replaced.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

/// Values by ordinal, as SET and lists of columns give them. Parts of a column are assigned one after the other; its domain
/// looks at what comes of all of them.
struct AssignedValues {
    /// Values of their columns' types, domains included.
    private var whole: [Int: Expression] = [:]
    private var parts: [Int: (value: Expression, fieldCount: Int, position: SourcePosition)] = [:]

    private var claimed: [Int: Bool] = [:]

    /// Whether a column may be assigned: once as a whole, or any number of parts of it.
    mutating func claim(_ ordinal: Int, isPart: Bool) -> Bool {
        if let known = claimed[ordinal] { return known && isPart }
        claimed[ordinal] = isPart
        return true
    }

    mutating func set(_ ordinal: Int, to value: Expression) { whole[ordinal] = value }

    /// Fields of elements read the value that they are a part of, so expressions double with each of them.
    private static let elementFieldCountMax = 8

    mutating func set(
        _ target: AssignmentTarget, of ordinal: Int, over original: Expression, to value: Expression,
        _ binder: StatementBinder, _ scope: Scope
    ) throws {
        var part = parts[ordinal] ?? (original, 0, target.column.position)
        if target.steps.count > 1 {
            part.fieldCount += 1
            if part.fieldCount > Self.elementFieldCountMax {
                throw QueryError.notSupported(
                    "more than \(Self.elementFieldCountMax) assignments to fields within one column",
                    at: target.column.position)
            }
        }
        part.value = try binder.replacing(target.steps[...], of: part.value, by: value, scope, at: part.position)
        parts[ordinal] = part
    }

    /// All values, once everything is assigned.
    func finished(_ target: ModificationTarget, _ binder: StatementBinder) throws -> [Int: Expression] {
        var result = whole
        for (ordinal, part) in parts {
            result[ordinal] = try binder.assigned(
                Operand(expression: part.value, position: part.position), to: target.definition.columns[ordinal])
        }
        return result
    }
}

extension StatementBinder {
    /// What the steps behind a column lead to, under the name by which errors call it.
    func part(of target: AssignmentTarget, in type: DataType) throws -> Field {
        var result = Field(name: target.column.text, type: type)
        for step in target.steps {
            switch step {
            case .field(let label):
                guard let fields = result.type.recordFields else {
                    throw QueryError(
                        .datatypeMismatch,
                        "cannot assign to field \"\(label)\" of column \"\(result.name)\" because its type "
                            + "\(TypeConversion.displayName(result.type)) is not a composite type", at: label.position)
                }
                guard let field = fields.first(where: { $0.name == label.text }) else {
                    throw QueryError(
                        .undefinedColumn,
                        "cannot assign to field \"\(label)\" of column \"\(result.name)\" because there is no such "
                            + "column in data type \(TypeConversion.displayName(result.type))", at: label.position)
                }
                result = Field(name: label.text, type: field.type)
            case .subscripts(let subscripts):
                if result.type == .jsonb { continue }
                guard let element = result.type.elementType else {
                    throw QueryError(
                        .datatypeMismatch,
                        "cannot subscript type \(TypeConversion.displayName(result.type)) because it does not support "
                            + "subscripting", at: target.column.position)
                }
                if !subscripts.containsSlice { result.type = element }
            }
        }
        return result
    }

    /// A value for a part of a column.
    func assigned(_ syntax: SyntaxExpression, to target: AssignmentTarget, _ part: Field, _ scope: Scope) throws
        -> Expression
    {
        if case .defaultValue = syntax.kind { throw refusedDefault(target) }
        return try assigned(operand(syntax, scope), to: target, part)
    }

    func assigned(_ value: Operand, to target: AssignmentTarget, _ part: Field) throws -> Expression {
        guard TypeConversion.canCast(from: value.type, to: part.type, context: .assignment) else {
            let names = (TypeConversion.displayName(part.type), TypeConversion.displayName(value.type))
            let isField = if case .field? = target.steps.last { true } else { false }
            throw QueryError(
                .datatypeMismatch,
                isField
                    ? "subfield \"\(part.name)\" is of type \(names.0) but expression is of type \(names.1)"
                    : "subscripted assignment to \"\(part.name)\" requires type \(names.0) but expression is of type "
                        + names.1,
                hint: "You will need to rewrite or cast the expression.", at: value.position, object: part.name)
        }
        return try assigned(value, to: part)
    }

    func refusedDefault(_ target: AssignmentTarget) -> QueryError {
        let isField = if case .field? = target.steps.first { true } else { false }
        return QueryError(
            .featureNotSupported,
            isField ? "cannot set a subfield to DEFAULT" : "cannot set an array element to DEFAULT",
            at: target.column.position)
    }

    /// `current` with the part that the steps lead to replaced by a value of its type. `part(of:in:)` has looked at the
    /// types.
    fileprivate func replacing(
        _ steps: ArraySlice<AssignmentTarget.Step>, of current: Expression, by value: Expression, _ scope: Scope,
        at position: SourcePosition
    ) throws -> Expression {
        switch steps.first {
        case nil: return value
        case .field(let label)?:
            guard let fields = current.type.recordFields,
                let index = fields.firstIndex(where: { $0.name == label.text })
            else { throw QueryError.internalError("a field of what is no record") }
            let rest = steps.dropFirst()
            let part =
                rest.isEmpty
                ? value
                : try replacing(rest, of: field(index, of: current, fields), by: value, scope, at: position)
            return replacingField(index, of: current, fields, by: part)
        case .subscripts(let subscripts)?:
            if current.type == .jsonb {
                return try assignedJSON(subscripts, of: current, by: value, scope, at: position)
            }
            return try assignedArray(subscripts, of: current, by: value, steps.dropFirst(), scope, at: position)
        }
    }

    /// Records whose fields are at hand are made of them; of others the function takes one copy.
    private func replacingField(_ index: Int, of current: Expression, _ fields: [Field], by part: Expression)
        -> Expression
    {
        let isAtHand =
            switch current {
            case .column, .literal: true
            case .call(let call): call.name == "row"
            default: false
            }
        if isAtHand {
            let values = fields.indices.map { $0 == index ? part : field($0, of: current, fields) }
            return recordOf(values, type: current.type)
        }
        return .call(
            ScalarCall(
                name: "record assign", arguments: [current, part, .literal(.integer(Int64(index)), .int32)],
                type: current.type, isStrict: false, canFail: false))
    }

    private func assignedArray(
        _ subscripts: [Subscript], of current: Expression, by value: Expression,
        _ rest: ArraySlice<AssignmentTarget.Step>, _ scope: Scope, at position: SourcePosition
    ) throws -> Expression {
        let isSlice = subscripts.containsSlice
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
        var value = value
        if !rest.isEmpty {
            let part = try callScalar(
                "[]", ([current] + bounds).map { Operand(expression: $0, position: position) }, at: position)
            value = try replacing(rest, of: part, by: value, scope, at: position)
        }
        let flags = given.map { Expression.literal(.boolean($0), .boolean) }
        return .call(
            ScalarCall(
                name: isSlice ? "array slice assign" : "array assign",
                arguments: [current, value] + bounds + (isSlice ? flags : []), type: current.type, isStrict: false,
                canFail: true))
    }

    private func assignedJSON(
        _ subscripts: [Subscript], of current: Expression, by value: Expression, _ scope: Scope,
        at position: SourcePosition
    ) throws -> Expression {
        var steps: [Expression] = []
        var isFirstText: Bool?
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
            if isFirstText == nil { isFirstText = !step.type.isInteger }
            steps.append(try convert(step.expression, to: .text, at: step.position))
        }
        return .call(
            ScalarCall(
                name: "jsonb assign",
                arguments: [current, value, .literal(.boolean(isFirstText ?? true), .boolean)] + steps, type: .jsonb,
                isStrict: false, canFail: true))
    }
}

extension [Subscript] {
    fileprivate var containsSlice: Bool { contains { if case .slice = $0 { true } else { false } } }
}
