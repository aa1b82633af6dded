// GROUP BY: grouping sets, and what the other clauses mean after grouping.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

/// A bound GROUP BY clause.
struct GroupingClause {
    var expressions: [Expression] = []
    var names: [String] = []
    /// Indexes into `expressions`.
    var sets: [[Int]] = [[]]
}

extension StatementBinder {
    private static let groupingSetsMax = 4_096

    func bindGroupBy(_ syntax: GroupByClause, _ select: inout SelectBinding) throws {
        select.scope.clause = .groupBy
        var clause = GroupingClause()
        if syntax.isAll {
            let computed = Set(select.state.aggregates.map(\.column.id) + select.state.windows.map(\.column.id))
            var all: [Int] = []
            for output in select.outputs where output.expression.columns.isDisjoint(with: computed) {
                if output.expression.isLiteral { continue }
                all.append(add(try settled(output.expression, at: output.position), output.name, &clause))
            }
            clause.sets = [Self.deduplicated(all)]
        } else {
            for element in syntax.elements {
                let sets = try groupingSets(element, &clause, &select)
                guard clause.sets.count * sets.count <= Self.groupingSetsMax else {
                    throw tooManySets(at: syntax.position)
                }
                clause.sets = clause.sets.flatMap { left in sets.map { Self.deduplicated(left + $0) } }
            }
            if syntax.isDistinct {
                var seen: Set<Set<Int>> = []
                clause.sets = clause.sets.filter { seen.insert(Set($0)).inserted }
            }
        }
        // A grouping by a set-returning function of the SELECT list calls it first.
        let groupColumns = clause.expressions.reduce(into: Set<ColumnID>()) { $0.formUnion($1.columns) }
        var early = select.state.setReturning.filter { $0.gives(groupColumns) }
        if !early.isEmpty {
            let needed = early.reduce(into: Set<ColumnID>()) { set, function in
                function.arguments.forEach { set.formUnion($0.columns) }
            }
            early = select.state.setReturning.filter {
                $0.gives(groupColumns) || $0.gives(needed)
            }
            let earlyIDs = Set(early.flatMap(\.columns).map(\.id))
            select.state.setReturning.removeAll { $0.gives(earlyIDs) }
            select.earlySetReturning = early
        }
        select.grouping = clause
    }

    private func tooManySets(at position: SourcePosition) -> QueryError {
        QueryError(
            .statementTooComplex, "too many grouping sets present (maximum \(Self.groupingSetsMax))", at: position)
    }

    private static func deduplicated(_ set: [Int]) -> [Int] {
        var seen: Set<Int> = []
        return set.filter { seen.insert($0).inserted }
    }

    private func add(_ expression: Expression, _ name: String, _ clause: inout GroupingClause) -> Int {
        if let index = clause.expressions.firstIndex(of: expression) { return index }
        clause.expressions.append(expression)
        clause.names.append(name)
        return clause.expressions.count - 1
    }

    /// The grouping sets that one element stands for.
    private func groupingSets(
        _ element: GroupingElement, _ clause: inout GroupingClause, _ select: inout SelectBinding
    ) throws -> [[Int]] {
        switch element {
        case .expression(let syntax):
            if let fields = syntax.rowFields { return [try indexes(fields, &clause, &select)] }
            return [[try groupIndex(syntax, &clause, &select)]]
        case .set(let expressions): return [try indexes(expressions, &clause, &select)]
        case .empty: return [[]]
        case .rollup(let members):
            let parts = try members.map { try indexes($0, &clause, &select) }
            return stride(from: parts.count, through: 0, by: -1).map { parts.prefix($0).flatMap { $0 } }
        case .cube(let members):
            guard members.count <= 12 else {
                throw QueryError(
                    .tooManyColumns, "CUBE is limited to 12 elements", at: members.first?.first?.position)
            }
            let parts = try members.map { try indexes($0, &clause, &select) }
            // From the full set down: bit k of the mask leaves out the k-th member from the right.
            return (0..<(1 << parts.count)).map { mask in
                parts.indices.filter { mask >> (parts.count - 1 - $0) & 1 == 0 }.flatMap { parts[$0] }
            }
        case .groupingSets(let elements):
            var result: [[Int]] = []
            for inner in elements { result += try groupingSets(inner, &clause, &select) }
            guard result.count <= Self.groupingSetsMax else { throw tooManySets(at: select.core.position) }
            return result
        }
    }

    private func indexes(
        _ expressions: [SyntaxExpression], _ clause: inout GroupingClause, _ select: inout SelectBinding
    ) throws -> [Int] {
        var result: [Int] = []
        for syntax in expressions { result.append(try groupIndex(syntax, &clause, &select)) }
        return result
    }

    /// An ordinal, a column of FROM, the name of an item, or an expression.
    private func groupIndex(
        _ syntax: SyntaxExpression, _ clause: inout GroupingClause, _ select: inout SelectBinding
    ) throws -> Int {
        var output = try ordinal(syntax, "GROUP BY", select)
        if output == nil, case .column(let parts) = syntax.kind, parts.count == 1,
            !select.scope.namespace.columns.contains(where: { $0.name == parts[0] })
        {
            output = try namedOutput(parts[0], "GROUP BY", select, at: syntax.position)
        }
        if output == nil {
            output = select.outputs.firstIndex { $0.syntax == syntax }
            if output != nil, observesNames { _ = try bind(syntax, select.scope) }
        }
        let expression: Expression
        let name: String
        if let output {
            expression = try settled(select.outputs[output].expression, at: syntax.position)
            select.outputs[output].expression = expression
            name = select.outputs[output].name
        } else {
            expression = try settled(bind(syntax, select.scope), at: syntax.position)
            name = outputName(syntax)
        }
        let used = expression.columns
        if select.state.aggregates.contains(where: { used.contains($0.column.id) })
            || select.state.groupings.contains(where: { used.contains($0.column.id) })
        {
            throw QueryError(
                .groupingError, "aggregate functions are not allowed in GROUP BY", at: syntax.position)
        }
        if select.state.windows.contains(where: { used.contains($0.column.id) }) {
            throw QueryError(
                .windowingError, "window functions are not allowed in GROUP BY", at: syntax.position)
        }
        if expression.type == .json {
            throw QueryError(
                .undefinedFunction, "could not identify an equality operator for type json", at: syntax.position)
        }
        return add(expression, name, &clause)
    }

    // MARK: - Planning

    /// The aggregate node, and all later clauses in terms of its output; HAVING on top.
    func planGrouping(_ select: inout SelectBinding) throws {
        let state = select.state
        guard
            select.grouping != nil || select.having != nil || !state.aggregates.isEmpty || !state.groupings.isEmpty
        else { return }
        let clause = select.grouping ?? GroupingClause()
        planSetReturning(&select, select.earlySetReturning)

        let inputColumns = select.plan.columns
        let isPlain = clause.sets.count == 1 && clause.sets[0].count == clause.expressions.count
        var groupColumns: [PlanColumn] = []
        var replacements: [Expression: Expression] = [:]
        for (expression, name) in zip(clause.expressions, clause.names) {
            let column: PlanColumn
            if isPlain, case .column(let id, _) = expression, let known = inputColumns.first(where: { $0.id == id }) {
                column = known
            } else {
                column = ids.column(name, expression.type)
            }
            groupColumns.append(column)
            // An equal literal elsewhere is just that value; only grouping sets make it differ.
            if isPlain, expression.isLiteral { continue }
            replacements[expression] = column.reference
        }
        // Within a CASE or a call a key stands in its folded form, unless that is another key.
        for (expression, column) in zip(clause.expressions, groupColumns) where replacements[expression] != nil {
            let folded = fold(expression)
            if !folded.isLiteral, replacements[folded] == nil { replacements[folded] = column.reference }
        }
        let setIndex = clause.sets.count > 1 ? ids.column("grouping set", .int32, isNullable: false) : nil
        for grouping in state.groupings {
            replacements[grouping.column.reference] = try groupingValue(grouping, clause, setIndex)
        }
        let nullability = Nullability(inputColumns)
        let aggregateColumns = state.aggregates.map { aggregate in
            var column = aggregate.column
            column.isNullable = aggregate.call.name != "count"
            return column
        }
        if isPlain {
            for index in groupColumns.indices {
                groupColumns[index].isNullable = nullability.isNullable(clause.expressions[index])
            }
        }
        let rewriter = GroupingRewriter(
            replacements: replacements, ungrouped: Set(inputColumns.map(\.id)), uses: state.columnUses)
        try checkDirectArguments(state.directArguments, rewriter, isPlain: isPlain)
        select.plan = .aggregate(
            LogicalAggregate(
                groupColumns: groupColumns, groups: clause.expressions, groupingSets: isPlain ? nil : clause.sets,
                setIndexColumn: setIndex, aggregateColumns: aggregateColumns,
                aggregates: state.aggregates.map(\.call), input: select.plan))
        try rewrite(&select, rewriter)
        if let having = select.having, having != .true {
            select.plan = .filter(LogicalFilter(predicate: having, input: select.plan))
        }
    }

    /// Direct arguments of ordered-set aggregates are computed with the input's rows: right where a group has one value.
    private func checkDirectArguments(
        _ arguments: [SelectState.DirectArgument], _ rewriter: GroupingRewriter, isPlain: Bool
    ) throws {
        for argument in arguments {
            do {
                var own = rewriter
                own.uses = argument.uses
                _ = try own.rewrite(argument.expression)
            } catch var error as QueryError {
                error.detail = "Direct arguments of an ordered-set aggregate must use only grouped columns."
                throw error
            }
            if !isPlain {
                throw QueryError.notSupported(
                    "a column in a direct argument of an ordered-set aggregate over grouping sets",
                    at: argument.position)
            }
        }
    }

    private func rewrite(_ select: inout SelectBinding, _ rewriter: GroupingRewriter) throws {
        for index in select.outputs.indices {
            select.outputs[index].expression = try rewriter.rewrite(select.outputs[index].expression)
        }
        select.having = try select.having.map(rewriter.rewrite)
        select.qualify = try select.qualify.map(rewriter.rewrite)
        for index in select.state.windows.indices {
            var window = select.state.windows[index]
            window.call = try window.call.mapExpressions(rewriter.rewrite)
            window.partitions = try window.partitions.map(rewriter.rewrite)
            window.ordering = try window.ordering.map { try $0.mapExpression(rewriter.rewrite) }
            select.state.windows[index] = window
        }
        for index in select.state.setReturning.indices {
            let arguments = select.state.setReturning[index].arguments
            select.state.setReturning[index].arguments = try arguments.map(rewriter.rewrite)
        }
    }

    /// GROUPING(…): a bit for each argument, 1 where the row's grouping set leaves it out.
    private func groupingValue(
        _ grouping: SelectState.Grouping, _ clause: GroupingClause, _ setIndex: PlanColumn?
    ) throws -> Expression {
        let indexes = try grouping.arguments.map { argument in
            guard let index = clause.expressions.firstIndex(of: argument) else {
                throw QueryError(
                    .groupingError, "arguments to GROUPING must be grouping expressions of the associated query level",
                    at: grouping.position)
            }
            return index
        }
        var setsByValue: [Int64: [ScalarValue]] = [:]
        for (number, set) in clause.sets.enumerated() {
            var value: Int64 = 0
            for index in indexes { value = value << 1 | (set.contains(index) ? 0 : 1) }
            setsByValue[value, default: []].append(.integer(Int64(number)))
        }
        let values = setsByValue.keys.sorted()
        guard let setIndex, values.count > 1 else {
            return .literal(.integer(values.first ?? 0), .int32)
        }
        let branches = values.dropLast().map { value in
            ConditionalBranch(
                condition: .inList(setIndex.reference, setsByValue[value] ?? []),
                result: .literal(.integer(value), .int32))
        }
        return .conditional(branches, otherwise: .literal(.integer(values[values.count - 1]), .int32), type: .int32)
    }
}

/// Rewrites expressions over a grouping's input into expressions over its output.
struct GroupingRewriter {
    var replacements: [Expression: Expression]
    /// Columns of the input; one that is left after replacing is an error.
    var ungrouped: Set<ColumnID>
    var uses: [SelectState.ColumnUse]

    func rewrite(_ expression: Expression) throws -> Expression { try rewrite(expression, inSubquery: false) }

    private func rewrite(_ expression: Expression, inSubquery: Bool) throws -> Expression {
        if let replacement = replacements[expression] { return replacement }
        switch expression {
        case .column(let id, _):
            if ungrouped.contains(id) { throw ungroupedColumn(id, inSubquery: inSubquery) }
            return expression
        case .subquery(var subquery):
            if !subquery.plan.freeColumns.isDisjoint(with: ungrouped) {
                subquery.plan = try rewrite(subquery.plan)
            }
            return try Expression.subquery(subquery).mapChildren { try rewrite($0, inSubquery: inSubquery) }
        default: return try expression.mapChildren { try rewrite($0, inSubquery: inSubquery) }
        }
    }

    private func rewrite(_ plan: LogicalPlan) throws -> LogicalPlan {
        try plan.mapInputs(rewrite).mapExpressions { try rewrite($0, inSubquery: true) }
    }

    private func ungroupedColumn(_ id: ColumnID, inSubquery: Bool) -> QueryError {
        let use = uses.first { $0.id == id }
        let name = use?.name ?? id.description
        return QueryError(
            .groupingError,
            inSubquery
                ? "subquery uses ungrouped column \"\(name)\" from outer query"
                : "column \"\(name)\" must appear in the GROUP BY clause or be used in an aggregate function",
            at: use?.position, object: name)
    }
}
