// TABLESAMPLE: a filter that keeps each row with the wanted probability.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

extension StatementBinder {
    /// The rows of a table that a sample keeps. With REPEATABLE the choice is a function of the row's values and the seed, so
    /// that it is the same however the table is divided; rows that are equal are kept or left out together.
    func sampled(_ item: FromItem, _ sample: TableSample, _ reference: TableReference, _ scope: Scope) throws
        -> FromItem
    {
        try checkSampled(reference, scope)
        let method = sample.method.last.lowercased()
        guard method == "bernoulli" || method == "system" else {
            throw QueryError(
                .undefinedObject, "tablesample method \(method) does not exist", at: sample.method.position,
                object: method)
        }
        let state = SQLState("2202H")
        guard let argument = sample.arguments.first, sample.arguments.count == 1 else {
            throw QueryError(
                state, "tablesample method \(method) requires 1 argument, not \(sample.arguments.count)",
                at: sample.method.position)
        }
        let percentage = try number(argument, "TABLESAMPLE", state, scope)
        guard percentage >= 0, percentage <= 100 else {
            throw QueryError(state, "sample percentage must be between 0 and 100", at: argument.position)
        }
        let seed = try sample.repeatable.map { try number($0, "TABLESAMPLE REPEATABLE", SQLState("2202G"), scope) }
        let share: Expression
        if let seed {
            let arguments =
                [Expression.literal(.float(seed), .float64)] + item.namespace.columns.map(\.reference)
            share = .call(
                ScalarCall(name: "row sample", arguments: arguments, type: .float64, isStrict: false, canFail: false))
        } else {
            share = try callScalar("random", [], at: sample.method.position)
        }
        var result = item
        let test = Expression.comparison("<", share, .literal(.float(percentage / 100), .float64))
        result.plan = .filter(LogicalFilter(predicate: test, input: item.plan))
        return result
    }

    /// Only tables can be sampled.
    private func checkSampled(_ reference: TableReference, _ scope: Scope) throws {
        if case .table(let name, _) = reference.kind {
            let isCommonTable = name.parts.count == 1 && scope.commonTables?.find(name.parts[0]) != nil
            if !isCommonTable, case .table = try relation(name) { return }
        }
        if case .file = reference.kind { return }
        throw QueryError.notSupported(
            "TABLESAMPLE of anything but a table", at: reference.sample?.method.position ?? reference.position)
    }

    private func number(
        _ syntax: SyntaxExpression, _ clause: String, _ state: SQLState, _ scope: Scope
    ) throws -> Double {
        let place = Scope(
            parent: scope.parent, commonTables: scope.commonTables, select: nil, clause: .constant)
        let value = fold(try coerce(bind(syntax, place), to: .float64, context: .assignment, at: syntax.position))
        switch value.literal {
        case .float(let number)?: return number
        case .null?: throw QueryError(state, "\(clause) parameter cannot be null", at: syntax.position)
        default: throw QueryError.notSupported("\(clause) of an expression", at: syntax.position)
        }
    }
}
