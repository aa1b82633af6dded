// What JSON needs of the binder beyond functions: subscripts of jsonb, arguments by name, VARIADIC arrays, and rows with a
// column definition list.

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

    // MARK: - Arguments

    /// The functions with optional arguments that may be given by name, and what these stand for when they are not given.
    private static let namedParameters: [String: [(name: String, value: Literal?)]] = {
        let set: [(name: String, value: Literal?)] = [("jsonb_in", nil), ("path", nil), ("replacement", nil)]
        let path: [(name: String, value: Literal?)] = [
            ("target", nil), ("path", nil), ("vars", .string("{}")), ("silent", .boolean(false)),
        ]
        var result = [
            "jsonb_set": set + [("create_if_missing", .boolean(true))],
            "jsonb_set_lax": set + [
                ("create_if_missing", .boolean(true)), ("null_value_treatment", .string("use_json_null")),
            ],
            "jsonb_insert": set + [("insert_after", .boolean(false))],
        ]
        for name in ["exists", "match", "query", "query_array", "query_first"] {
            result["jsonb_path_\(name)"] = path
            result["jsonb_path_\(name)_tz"] = path
        }
        return result
    }()

    /// The call with arguments by name put in their places and those between them filled in; others as they are.
    func positional(_ name: String, _ call: FunctionCall, at position: SourcePosition) throws -> FunctionCall {
        guard let first = call.arguments.firstIndex(where: { $0.name != nil }),
            let parameters = Self.namedParameters[name]
        else { return call }
        var values: [SyntaxExpression?] = call.arguments[..<first].map(\.value)
        for argument in call.arguments[first...] {
            guard let label = argument.name, let index = parameters.firstIndex(where: { $0.name == label }),
                index >= values.count || values[index] == nil
            else {
                throw QueryError(
                    .undefinedFunction, "function \(name) has no such argument", at: argument.value.position)
            }
            while values.count <= index { values.append(nil) }
            values[index] = argument.value
        }
        var result = call
        result.arguments = try values.enumerated().map { index, value in
            if let value { return FunctionArgument(value: value) }
            guard index < parameters.count, let literal = parameters[index].value else {
                throw QueryError(.undefinedFunction, "function \(name) lacks an argument", at: position)
            }
            return FunctionArgument(value: SyntaxExpression(.literal(literal), at: position))
        }
        return result
    }

    /// A call whose last argument is a VARIADIC array, for the functions of JSON that take one.
    func bindVariadicJSON(_ name: String, _ call: FunctionCall, _ scope: Scope, at position: SourcePosition) throws
        -> Expression?
    {
        let forms = [
            "json_build_array": "json_build_array_variadic", "jsonb_build_array": "json_build_array_variadic",
            "json_build_object": "json_build_object_variadic", "jsonb_build_object": "jsonb_build_object_variadic",
            "json_extract_path": "#>", "jsonb_extract_path": "#>",
            "json_extract_path_text": "#>>", "jsonb_extract_path_text": "#>>",
        ]
        guard let form = forms[name], call.arguments.last?.isVariadic == true,
            !call.arguments.dropLast().contains(where: \.isVariadic),
            call.arguments.count == (form.hasPrefix("#") ? 2 : 1)
        else { return nil }
        var arguments = try call.arguments.map { try operand($0.value, scope) }
        if form.hasPrefix("#") {
            let type: DataType = name.hasPrefix("jsonb") ? .jsonb : .json
            arguments[0].expression = try coerce(arguments[0].expression, to: type, at: arguments[0].position)
        }
        let result = try callScalar(form, arguments, at: position)
        if name == "jsonb_build_array" { return try convert(result, to: .jsonb, at: position) }
        return result
    }

    // MARK: - Aggregates

    /// The arguments of an aggregate, and the aggregate to call. Aggregates do not know the session, so values whose
    /// text depends on it become JSON before.
    func independentOfSession(_ name: String, _ arguments: [Operand]) throws -> (name: String, arguments: [Operand]) {
        let isBinary = name.hasPrefix("jsonb")
        switch name {
        case "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg": break
        default: return (name, arguments)
        }
        guard let last = arguments.last, last.type.dependsOnSession else { return (name, arguments) }
        var arguments = arguments
        let value = try callScalar(isBinary ? "to_jsonb" : "to_json", [last], at: last.position)
        // A NULL is a value, too.
        let null = Expression.literal(.bytes(isBinary ? [0] : Array("null".utf8)), value.type)
        arguments[arguments.count - 1].expression = .coalesce([value, null], type: value.type)
        let isSplit = name == "json_agg" && (last.type.elementType != nil || last.type.recordFields != nil)
        return (isSplit ? "json_agg_rows" : name, arguments)
    }

    /// 42804 for to_json of a literal that has no type.
    func checkJSONArgument(_ name: String, _ arguments: [Operand], at position: SourcePosition) throws {
        guard name == "to_json" || name == "to_jsonb", arguments.count == 1, arguments[0].type == .unknown,
            arguments[0].expression.isLiteral
        else { return }
        throw QueryError(
            .datatypeMismatch, "could not determine polymorphic type because input has type unknown", at: position)
    }

    /// 42883 where rows are compared and a column is json.
    func checkComparable(_ type: DataType, at position: SourcePosition) throws {
        if type == .json {
            throw QueryError(
                .undefinedFunction, "could not identify an equality operator for type json", at: position)
        }
    }

    // MARK: - Rows

    static let recordFunctions: Set<String> = [
        "json_to_record", "jsonb_to_record", "json_to_recordset", "jsonb_to_recordset",
    ]

    /// `json_to_recordset(…) AS t (a int, b text)`: the columns are members of JSON objects.
    func bindJSONRecords(
        _ syntax: SyntaxTableFunction, alias: TableAlias?, _ scope: Scope, at position: SourcePosition
    ) throws -> FromItem {
        let member = syntax.members[0]
        let definitions = syntax.columnDefinitions.isEmpty ? member.columnDefinitions : syntax.columnDefinitions
        guard syntax.members.count == 1, case .function(let call) = member.expression.kind, call.over == nil else {
            throw QueryError.notSupported("a column definition list among several functions", at: position)
        }
        let name = try functionName(call.name)
        guard Self.recordFunctions.contains(name), call.arguments.count == 1 else {
            throw QueryError.notSupported("a column definition list for function \(name)", at: position)
        }
        let type: DataType = name.hasPrefix("jsonb") ? .jsonb : .json
        let given = try operand(call.arguments[0].value, scope)
        let argument = try coerce(given.expression, to: type, at: given.position)
        var source = argument
        var input = Self.unitPlan
        var ordinality: PlanColumn?
        if name.hasSuffix("set") {
            let element = ids.column("value", type)
            ordinality = syntax.withOrdinality ? ids.column("ordinality", .int64, isNullable: false) : nil
            input = .tableFunction(
                LogicalTableFunction(
                    name: "\(name) objects", arguments: [argument], columns: [element], ordinalityColumn: ordinality,
                    input: Self.unitPlan))
            source = element.reference
        }
        var columns: [PlanColumn] = []
        var expressions: [Expression] = []
        for definition in definitions {
            let named = try resolveType(definition.type)
            if named.modifier?.qualifier != nil {
                throw QueryError.notSupported("an interval with fields here", at: definition.type.position)
            }
            let column = ids.column(definition.name.text, named.type)
            columns.append(column)
            columnModifiers[column.id] = named.columnModifier
            var member = Expression.call(
                ScalarCall(
                    name: "json member as", arguments: [source, .literal(.string(definition.name.text), .text)],
                    type: named.type, volatility: .stable))
            if let modifier = named.modifier {
                member = try limited(member, named.type, modifier, at: definition.type.position)
            }
            member = try limitedFields(of: member, named.fieldModifiers, at: definition.type.position)
            expressions.append(
                try named.userType.map { try typed(member, userType: $0, at: definition.type.position) } ?? member)
        }
        if syntax.withOrdinality {
            let column = ids.column("ordinality", .int64, isNullable: false)
            columns.append(column)
            expressions.append(ordinality?.reference ?? .literal(.integer(1), .int64))
        }
        let plan = LogicalPlan.project(LogicalProject(columns: columns, expressions: expressions, input: input))
        return try item(
            BoundQuery(plan: plan, columns: columns.map { ScopeColumn($0) }), name: name, table: nil, alias: alias,
            at: position)
    }
}

extension DataType {
    /// Whether the text of values depends on the session: on its zone or one of its styles.
    fileprivate var dependsOnSession: Bool {
        switch self {
        case .timestampTZ, .interval, .bytea: true
        case .array(let element): element.dependsOnSession
        case .record(let fields): fields.contains { $0.type.dependsOnSession }
        default: false
        }
    }
}
