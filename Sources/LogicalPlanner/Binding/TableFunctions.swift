// Functions in FROM, and several set-returning functions side by side.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

/// A table function with bound arguments.
struct TableFunctionCall {
    var name: String
    var arguments: [Expression]
    var columns: [PlanColumn]
    /// Not a table function but a value; `arguments` is that one expression.
    var isScalar = false
    /// What the function gives where `columns` are the fields of it.
    var record: PlanColumn?
}

extension StatementBinder {
    /// `scope` sees the items to the left: functions are always LATERAL.
    func bindTableFunction(
        _ syntax: SyntaxTableFunction, alias: TableAlias?, _ scope: Scope, at position: SourcePosition
    ) throws -> FromItem {
        if let member = syntax.members.first, syntax.members.count == 1,
            !syntax.columnDefinitions.isEmpty || !member.columnDefinitions.isEmpty,
            case .function(let call) = member.expression.kind, call.over == nil,
            Self.recordFunctions.contains(try functionName(call.name))
        {
            return try bindJSONRecords(syntax, alias: alias, scope, at: position)
        }
        if let item = try bindRecordFunction(syntax, alias: alias, scope, at: position) { return item }
        var calls: [TableFunctionCall] = []
        for member in syntax.members { calls += try bindMember(member.expression, scope) }
        let name = calls.first?.name ?? ""
        let ordinality = syntax.withOrdinality ? ids.column("ordinality", .int64, isNullable: false) : nil
        let plan: LogicalPlan
        if calls.count == 1, let call = calls.first {
            plan = singleFunction(call, ordinality)
        } else {
            plan = rowsFrom(calls, ordinality)
        }
        var columns = calls.flatMap(\.columns).map { ScopeColumn($0) }
        // The only column of a function is named like the function's alias.
        let isValue = columns.count == 1 && calls.allSatisfy { $0.record == nil }
        if isValue, let alias = alias?.name, columns[0].name == name { columns[0].name = alias.text }
        if let ordinality { columns.append(ScopeColumn(ordinality)) }
        var result = try item(
            BoundQuery(plan: plan, columns: columns), name: name, table: nil, alias: alias, at: position,
            isScalar: isValue && ordinality == nil)
        // The row of a function that gives plain values is the value.
        if isValue, ordinality == nil { result.namespace.relations[0].row = result.namespace.columns[0] }
        return result
    }

    private func singleFunction(_ call: TableFunctionCall, _ ordinality: PlanColumn?) -> LogicalPlan {
        if call.isScalar {
            let column = ordinality.map { [$0] } ?? []
            return .project(
                LogicalProject(
                    columns: call.columns + column,
                    expressions: call.arguments + column.map { _ in .literal(.integer(1), .int64) },
                    input: Self.unitPlan))
        }
        let plan = LogicalPlan.tableFunction(
            LogicalTableFunction(
                name: call.name, arguments: call.arguments, columns: call.record.map { [$0] } ?? call.columns,
                ordinalityColumn: ordinality, input: Self.unitPlan))
        guard let record = call.record, let fields = record.type.recordFields else { return plan }
        let passed = ordinality.map { [$0] } ?? []
        return .project(
            LogicalProject(
                columns: call.columns + passed,
                expressions: fields.indices.map { field($0, of: record.reference, fields) } + passed.map(\.reference),
                input: plan))
    }

    /// One function of ROWS FROM; `unnest` of several arrays counts as several.
    private func bindMember(_ syntax: SyntaxExpression, _ scope: Scope) throws -> [TableFunctionCall] {
        guard case .function(let written) = syntax.kind, written.over == nil else {
            return [try scalarMember(syntax, name: outputName(syntax), scope)]
        }
        let name = try functionName(written.name)
        let call = try positional(name, written, at: syntax.position)
        if registry.tableOverloads(name).isEmpty { return [try scalarMember(syntax, name: name, scope)] }
        let arguments = try call.arguments.map { argument in
            if argument.name != nil {
                throw QueryError.notSupported("named arguments", at: argument.value.position)
            }
            return try operand(argument.value, scope)
        }
        if name == "unnest", arguments.count > 1 {
            return try arguments.map { try tableCall(name, [$0], at: syntax.position) }
        }
        return [try tableCall(name, arguments, at: syntax.position)]
    }

    private func tableCall(_ name: String, _ arguments: [Operand], at position: SourcePosition) throws
        -> TableFunctionCall
    {
        let bound = try tableFunctionCall(name, arguments, at: position)
        let columns = bound.fields.map { ids.column($0.name, $0.type, isNullable: $0.isNullable) }
        guard columns.count == 1, let fields = columns[0].type.recordFields else {
            return TableFunctionCall(name: bound.name, arguments: bound.arguments, columns: columns)
        }
        // In FROM the elements of an array of records are rows.
        var call = TableFunctionCall(
            name: bound.name, arguments: bound.arguments, columns: fields.map { ids.column($0.name, $0.type) })
        call.record = columns[0]
        return call
    }

    /// A function of one value in FROM is a table of one row.
    private func scalarMember(_ syntax: SyntaxExpression, name: String, _ scope: Scope) throws -> TableFunctionCall {
        let value = try settled(bind(syntax, scope), at: syntax.position)
        var call = TableFunctionCall(name: name, arguments: [value], columns: [ids.column(name, value.type)])
        call.isScalar = true
        return call
    }

    /// Functions side by side: their n-th rows form a row, filled up with NULLs. Joined on their row numbers.
    func rowsFrom(_ calls: [TableFunctionCall], _ ordinality: PlanColumn?) -> LogicalPlan {
        var result: (plan: LogicalPlan, number: PlanColumn)?
        for (index, call) in calls.enumerated() {
            let number = ids.column("ordinality", .int64)
            let plan = singleFunction(call, number)
            guard let before = result else {
                result = (plan, number)
                continue
            }
            let joined = LogicalPlan.join(
                LogicalJoin(
                    kind: .full, condition: .comparison("=", before.number.reference, number.reference),
                    left: before.plan, right: plan))
            let isLast = index == calls.count - 1
            let merged = isLast ? ordinality ?? ids.column("ordinality", .int64) : ids.column("ordinality", .int64)
            let passed = joined.columns.filter { $0.id != before.number.id && $0.id != number.id }
            let coalesced = Expression.coalesce([before.number.reference, number.reference], type: .int64)
            result = (
                .project(
                    LogicalProject(
                        columns: passed + (isLast && ordinality == nil ? [] : [merged]),
                        expressions: passed.map(\.reference) + (isLast && ordinality == nil ? [] : [coalesced]),
                        input: joined)), merged
            )
        }
        return result?.plan ?? Self.unitPlan
    }
}
