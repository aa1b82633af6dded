// Functions in FROM whose columns the query names and types: json_to_record(x) AS t(a integer, b text).

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

extension StatementBinder {
    private static let jsonRecordFunctions: Set<String> = [
        "json_to_record", "jsonb_to_record", "json_to_recordset", "jsonb_to_recordset",
    ]

    /// A function with a column definition list; `nil` for one that has and needs none. Errors: 42601 for a list that is
    /// missing or out of place, 42804 for one that does not fit the function's rows.
    func bindRecordFunction(
        _ syntax: SyntaxTableFunction, alias: TableAlias?, _ scope: Scope, at position: SourcePosition
    ) throws -> FromItem? {
        let isDefined =
            !syntax.columnDefinitions.isEmpty || syntax.members.contains { !$0.columnDefinitions.isEmpty }
        guard syntax.members.count == 1, let member = syntax.members.first else {
            if isDefined { throw QueryError.notSupported("a column definition list within ROWS FROM", at: position) }
            return nil
        }
        guard case .function(let call) = member.expression.kind, call.over == nil else {
            if isDefined { throw misplacedDefinitions(at: position) }
            return nil
        }
        let name = try functionName(call.name)
        let isJSON = Self.jsonRecordFunctions.contains(name)
        if !isDefined, Self.populationFunctions.contains(name), call.arguments.count == 2 {
            return try bindPopulation(
                name, call, withOrdinality: syntax.withOrdinality, alias: alias, scope, at: position)
        }
        guard isDefined else {
            if !isJSON { return nil }
            throw QueryError(
                .syntaxError, "a column definition list is required for functions returning \"record\"", at: position)
        }
        guard isJSON || name == "unnest", call.arguments.count == 1 else { throw misplacedDefinitions(at: position) }
        let definitions = syntax.columnDefinitions.isEmpty ? member.columnDefinitions : syntax.columnDefinitions
        let argument = try operand(call.arguments[0].value, scope)
        let ordinality = syntax.withOrdinality ? ids.column("ordinality", .int64, isNullable: false) : nil
        let rows =
            try isJSON
            ? jsonRows(name, argument, definitions, ordinality, at: position)
            : recordRows(argument, definitions, ordinality, at: position)
        var columns = rows.columns
        var expressions = rows.expressions
        if let ordinality {
            columns.append(ordinality)
            expressions.append(rows.hasOrdinality ? ordinality.reference : .literal(.integer(1), .int64))
        }
        let plan = LogicalPlan.project(
            LogicalProject(columns: columns, expressions: expressions, input: rows.input))
        return try item(
            BoundQuery(plan: plan, columns: columns.map { ScopeColumn($0) }), name: name, table: nil, alias: alias,
            at: position)
    }

    private static let populationFunctions: Set<String> = [
        "json_populate_record", "jsonb_populate_record", "json_populate_recordset", "jsonb_populate_recordset",
    ]

    /// The fields of the records that json_populate_record and its kin give as columns.
    private func bindPopulation(
        _ name: String, _ call: FunctionCall, withOrdinality: Bool, alias: TableAlias?, _ scope: Scope,
        at position: SourcePosition
    ) throws -> FromItem {
        var arguments = try call.arguments.map { try operand($0.value, scope) }
        let userType = try declaredUserType(call.arguments[0].value, scope)
        let ordinality = withOrdinality ? ids.column("ordinality", .int64, isNullable: false) : nil
        let type: DataType = name.hasPrefix("jsonb") ? .jsonb : .json
        arguments[1].expression = try coerce(arguments[1].expression, to: type, at: arguments[1].position)
        let record: PlanColumn
        var input: LogicalPlan
        if name.hasSuffix("set") {
            let function = try tableFunctionCall(name, arguments, at: position)
            record = ids.column(name, function.fields[0].type)
            input = .tableFunction(
                LogicalTableFunction(
                    name: function.name, arguments: function.arguments, columns: [record],
                    ordinalityColumn: ordinality, input: Self.unitPlan))
        } else {
            let value = try callScalar(name, arguments, at: position)
            record = ids.column(name, value.type)
            input = .project(
                LogicalProject(columns: [record], expressions: [value], input: Self.unitPlan))
            if let ordinality {
                input = withColumn(ordinality, .literal(.integer(1), .int64), input)
            }
        }
        guard let fields = record.type.recordFields else { throw misplacedDefinitions(at: position) }
        let checked = try userType.map { try typed(record.reference, userType: $0, at: position) } ?? record.reference
        var columns = fields.map { ids.column($0.name, $0.type) }
        var expressions = fields.indices.map { field($0, of: checked, fields) }
        if let ordinality {
            columns.append(ids.column("ordinality", .int64, isNullable: false))
            expressions.append(ordinality.reference)
        }
        let plan = LogicalPlan.project(LogicalProject(columns: columns, expressions: expressions, input: input))
        return try item(
            BoundQuery(plan: plan, columns: columns.map { ScopeColumn($0) }), name: name, table: nil, alias: alias,
            at: position)
    }

    private func misplacedDefinitions(at position: SourcePosition) -> QueryError {
        QueryError(
            .syntaxError, "a column definition list is only allowed for functions returning \"record\"", at: position)
    }

    /// The rows of a function before its columns are computed.
    private struct DefinedRows {
        var input: LogicalPlan
        var columns: [PlanColumn] = []
        var expressions: [Expression] = []
        var hasOrdinality = false
    }

    /// The keys of an object, or of each object of an array, as columns.
    private func jsonRows(
        _ name: String, _ argument: Operand, _ definitions: [SyntaxTableFunction.ColumnDefinition],
        _ ordinality: PlanColumn?, at position: SourcePosition
    ) throws -> DefinedRows {
        let isBinary = name.hasPrefix("jsonb")
        var source = try coerce(argument.expression, to: isBinary ? .jsonb : .json, at: argument.position)
        var rows = DefinedRows(input: Self.unitPlan)
        if name.hasSuffix("set") {
            let operand = Operand(expression: source, position: argument.position)
            let call = try tableFunctionCall(
                isBinary ? "jsonb_array_elements" : "json_array_elements", [operand], at: position)
            let element = ids.column("value", call.fields[0].type)
            rows.input = .tableFunction(
                LogicalTableFunction(
                    name: call.name, arguments: call.arguments, columns: [element], ordinalityColumn: ordinality,
                    input: Self.unitPlan))
            rows.hasOrdinality = true
            source = element.reference
        }
        for definition in definitions {
            let type = try resolveType(definition.type)
            let isJSON = type.type == .json || type.type == .jsonb
            let key = Expression.literal(.string(definition.name.text), .text)
            let value = try callScalar(
                isJSON ? "->" : "->>",
                [source, key].map { Operand(expression: $0, position: definition.name.position) }, at: position)
            let converted = try explicitCast(
                Operand(expression: value, position: definition.name.position), to: type, kind: .strict, at: position)
            let typed = try type.userType.map {
                try self.typed(converted, userType: $0, at: definition.name.position)
            }
            rows.columns.append(ids.column(definition.name.text, converted.type))
            rows.expressions.append(typed ?? converted)
        }
        return rows
    }

    /// The fields of the records of an array as columns.
    private func recordRows(
        _ argument: Operand, _ definitions: [SyntaxTableFunction.ColumnDefinition], _ ordinality: PlanColumn?,
        at position: SourcePosition
    ) throws -> DefinedRows {
        guard let fields = argument.type.elementType?.recordFields else { throw misplacedDefinitions(at: position) }
        let mismatch = QueryError(
            .datatypeMismatch, "function return row and query-specified return row do not match", at: position)
        guard fields.count == definitions.count else { throw mismatch }
        let call = try tableFunctionCall("unnest", [argument], at: position)
        let element = ids.column("unnest", call.fields[0].type)
        var rows = DefinedRows(
            input: .tableFunction(
                LogicalTableFunction(
                    name: call.name, arguments: call.arguments, columns: [element], ordinalityColumn: ordinality,
                    input: Self.unitPlan)), hasOrdinality: true)
        for (index, definition) in definitions.enumerated() {
            let type = try resolveType(definition.type).type
            guard type.withoutModifiers == fields[index].type.withoutModifiers else { throw mismatch }
            rows.columns.append(ids.column(definition.name.text, type))
            rows.expressions.append(
                try convert(field(index, of: element.reference, fields), to: type, at: definition.name.position))
        }
        return rows
    }
}
