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
            if type.type.elementType != nil {
                throw QueryError.notSupported("an array among the columns of \(name)", at: definition.name.position)
            }
            let isJSON = type.type == .json || type.type == .jsonb
            let key = Expression.literal(.string(definition.name.text), .text)
            let value = try callScalar(
                isJSON ? "->" : "->>",
                [source, key].map { Operand(expression: $0, position: definition.name.position) }, at: position)
            let converted = try explicitCast(
                Operand(expression: value, position: definition.name.position), to: type, kind: .strict, at: position)
            rows.columns.append(ids.column(definition.name.text, converted.type))
            rows.expressions.append(converted)
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
