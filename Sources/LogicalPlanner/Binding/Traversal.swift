// SEARCH and CYCLE of recursive queries: hidden columns that each round hands on to the next.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

/// The columns that SEARCH and CYCLE add to a recursive query.
struct RecursiveTraversal {
    struct Search {
        var isBreadthFirst: Bool
        /// Indexes of the query's own columns.
        var columns: [Int]
    }
    struct Cycle {
        var columns: [Int]
        var value: Expression
        var defaultValue: Expression
    }
    var search: Search?
    var cycle: Cycle?
    /// The added columns as the base term makes them: the sequence, then the mark and the path.
    var columns: [PlanColumn] = []
    var baseExpressions: [Expression] = []

    /// The base term with the added columns behind its own.
    func base(_ query: BoundQuery) -> BoundQuery {
        let own = query.columns.map { PlanColumn(id: $0.id, name: $0.name, type: $0.type) }
        return BoundQuery(
            plan: .project(
                LogicalProject(
                    columns: own + columns, expressions: own.map(\.reference) + baseExpressions, input: query.plan)),
            columns: query.columns)
    }

    /// The recursive term, which carries the working table's added columns, with the new values of them.
    func step(_ query: BoundQuery, _ before: [PlanColumn], _ binder: StatementBinder) throws -> BoundQuery {
        let own = query.columns.map { PlanColumn(id: $0.id, name: $0.name, type: $0.type) }
        func call(_ name: String, _ arguments: [Expression], _ type: DataType, isStrict: Bool = false) -> Expression {
            .call(ScalarCall(name: name, arguments: arguments, type: type, isStrict: isStrict, canFail: false))
        }
        var plan = query.plan
        var expressions: [Expression] = []
        var place = 0
        if let search {
            let sequence = before[place].reference
            let fields = search.columns.map { own[$0].reference }
            if search.isBreadthFirst, case .record(let types) = sequence.type {
                let depth = call(
                    "+",
                    [
                        call(
                            "record field", [sequence, .literal(.integer(0), .int32)], .int64, isStrict: true),
                        .literal(.integer(1), .int64),
                    ], .int64, isStrict: true)
                expressions.append(binder.recordOf([depth] + fields, type: .record(types)))
            } else {
                expressions.append(appended(sequence, fields, call, binder))
            }
            place += 1
        }
        if let cycle {
            let (mark, path) = (before[place].reference, before[place + 1].reference)
            // A row that closed a cycle leads nowhere.
            plan = .filter(LogicalFilter(predicate: .comparison("<>", mark, cycle.value), input: plan))
            let fields = cycle.columns.map { own[$0].reference }
            let row = binder.recordOf(fields, type: path.type.elementType ?? .record([]))
            let isKnown = call("= any", [row, path], .boolean)
            expressions.append(
                .conditional(
                    [ConditionalBranch(condition: isKnown, result: cycle.value)], otherwise: cycle.defaultValue,
                    type: mark.type))
            expressions.append(appended(path, fields, call, binder))
        }
        let made = before.map { binder.ids.column($0.name, $0.type) }
        return BoundQuery(
            plan: .project(
                LogicalProject(
                    columns: own + made, expressions: own.map(\.reference) + expressions, input: plan)),
            columns: query.columns)
    }

    private func appended(
        _ array: Expression, _ fields: [Expression], _ call: (String, [Expression], DataType, Bool) -> Expression,
        _ binder: StatementBinder
    ) -> Expression {
        let row = binder.recordOf(fields, type: array.type.elementType ?? .record([]))
        return call("array_append", [array, row], array.type, false)
    }
}

extension StatementBinder {
    /// What SEARCH and CYCLE of a recursive query ask for; `nil` if there is neither.
    func bindTraversal(_ definition: CommonTableExpression, _ base: BoundQuery) throws -> RecursiveTraversal? {
        if definition.search == nil, definition.cycle == nil { return nil }
        var result = RecursiveTraversal()
        var names = Set(base.columns.map(\.name))
        func claim(_ name: Identifier, _ what: String) throws {
            guard names.insert(name.text).inserted else {
                throw QueryError(
                    base.columns.contains { $0.name == name.text } ? .ambiguousColumn : .syntaxError,
                    "\(what) column name \"\(name)\" already used in WITH query column list", at: name.position,
                    object: name.text)
            }
        }
        func record(_ indexes: [Int], depth: Bool = false) -> Expression {
            let own = indexes.map { base.columns[$0] }
            let fields =
                (depth ? [Field(name: "*DEPTH*", type: .int64)] : [])
                + own.map {
                    Field(name: $0.name, type: $0.type)
                }
            let zero = depth ? [Expression.literal(.integer(0), .int64)] : []
            return recordOf(zero + own.map(\.reference), type: .record(fields))
        }
        func list(_ element: Expression) -> Expression {
            .call(
                ScalarCall(
                    name: "array", arguments: [element], type: .array(element.type), isStrict: false, canFail: false))
        }
        func add(_ name: Identifier, _ value: Expression) {
            result.columns.append(ids.column(name.text, value.type))
            result.baseExpressions.append(value)
        }
        if let search = definition.search {
            let indexes = try traversalColumns(search.columns, base, "search")
            try claim(search.sequence, "search sequence")
            result.search = .init(isBreadthFirst: search.isBreadthFirst, columns: indexes)
            add(search.sequence, search.isBreadthFirst ? record(indexes, depth: true) : list(record(indexes)))
        }
        if let cycle = definition.cycle {
            let indexes = try traversalColumns(cycle.columns, base, "cycle")
            try claim(cycle.mark, "cycle mark")
            try claim(cycle.path, "cycle path")
            let (value, defaultValue) = try markValues(cycle)
            result.cycle = .init(columns: indexes, value: value, defaultValue: defaultValue)
            add(cycle.mark, defaultValue)
            add(cycle.path, list(record(indexes)))
        }
        return result
    }

    private func traversalColumns(_ names: [Identifier], _ base: BoundQuery, _ what: String) throws -> [Int] {
        var result: [Int] = []
        for name in names {
            guard let index = base.columns.firstIndex(where: { $0.name == name.text }) else {
                throw QueryError(
                    .syntaxError, "\(what) column \"\(name)\" not in WITH query column list", at: name.position,
                    object: name.text)
            }
            guard !result.contains(index) else {
                throw QueryError(
                    SQLState("42701"), "\(what) column \"\(name)\" specified more than once", at: name.position,
                    object: name.text)
            }
            result.append(index)
        }
        return result
    }

    private func markValues(_ cycle: CycleClause) throws -> (Expression, Expression) {
        guard let value = cycle.value, let other = cycle.defaultValue else { return (.true, .false) }
        let scope = Scope(parent: nil, commonTables: nil, select: nil, clause: .constant)
        let (expressions, _) = try unify(
            [operand(value, scope), operand(other, scope)], construct: "CYCLE")
        return (expressions[0], expressions[1])
    }

    /// The recursive term with the working table's hidden columns behind its own.
    func carrying(_ hidden: [PlanColumn], _ step: BoundQuery, at position: SourcePosition) throws -> BoundQuery {
        let wanted = Set(hidden.map(\.id))
        let own = step.columns.map { PlanColumn(id: $0.id, name: $0.name, type: $0.type) }
        if case .project(var node) = step.plan, wanted.isSubset(of: node.input.columnIDs) {
            node.columns += hidden
            node.expressions += hidden.map(\.reference)
            return BoundQuery(plan: .project(node), columns: step.columns)
        }
        guard wanted.isSubset(of: step.plan.columnIDs) else {
            throw QueryError.notSupported(
                "SEARCH or CYCLE where the recursive term does more than choose and join rows", at: position)
        }
        let columns = own + hidden
        return BoundQuery(
            plan: .project(
                LogicalProject(columns: columns, expressions: columns.map(\.reference), input: step.plan)),
            columns: step.columns)
    }
}
