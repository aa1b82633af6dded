// SELECT: its clauses in the order in which they take effect.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

/// An item of the SELECT list, or a hidden one that only ORDER BY or DISTINCT ON needs.
struct SelectOutput {
    var expression: Expression
    var name: String
    /// `nil` for an item that `*` stands for.
    var syntax: SyntaxExpression?
    var position: SourcePosition
    var isHidden = false
}

/// A SELECT while it is bound.
struct SelectBinding {
    var core: SelectCore
    var scope: Scope
    var state: SelectState
    var plan: LogicalPlan
    var outputs: [SelectOutput] = []
    /// ORDER BY as indexes into `outputs`.
    var ordering: [(output: Int, item: SortItem)] = []
    /// DISTINCT ON as indexes into `outputs`.
    var distinctOn: [Int]?
    var having: Expression?
    var qualify: Expression?
    var grouping: GroupingClause?
    /// Functions in the SELECT list that the grouping is by: they run before it.
    var earlySetReturning: [SelectState.SetReturning] = []

    var visibleCount: Int { outputs.lazy.filter { !$0.isHidden }.count }
}

extension StatementBinder {
    /// `clauses`: the query whose ORDER BY and LIMIT belong to this SELECT.
    func bindSelect(_ core: SelectCore, clauses: Query?, parent: Scope?, commonTables: CommonTableScope?) throws
        -> BoundQuery
    {
        let state = SelectState()
        let scope = Scope(parent: parent, commonTables: commonTables, select: state, clause: .fromClause)
        var select = SelectBinding(core: core, scope: scope, state: state, plan: try bindFrom(core.from, scope))
        if let condition = core.whereClause {
            scope.clause = .whereClause
            let predicate = try bindCondition(condition, scope, construct: "WHERE")
            if predicate != .true { select.plan = .filter(LogicalFilter(predicate: predicate, input: select.plan)) }
        }
        try declareWindows(core.windows, state)
        scope.clause = .select
        try bindItems(&select)
        if let groupBy = core.groupBy { try bindGroupBy(groupBy, &select) }
        if let condition = core.having {
            scope.clause = .having
            select.having = try bindCondition(condition, scope, construct: "HAVING")
        }
        if let condition = core.qualify {
            scope.clause = .qualify
            for output in select.outputs { state.aliases[output.name] = output.expression }
            select.qualify = try bindCondition(condition, scope, construct: "QUALIFY")
        }
        try bindOrderBy(clauses?.orderBy ?? [], &select)
        try bindDistinctOn(&select)

        try planGrouping(&select)
        planWindows(&select)
        if let qualify = select.qualify {
            select.plan = .filter(LogicalFilter(predicate: qualify, input: select.plan))
        }
        planSetReturning(&select, state.setReturning)
        return try planOutput(&select, clauses)
    }

    private func declareWindows(_ windows: [NamedWindow], _ state: SelectState) throws {
        for window in windows {
            guard state.namedWindows[window.name.text] == nil else {
                throw QueryError(
                    .windowingError, "window \"\(window.name)\" is already defined", at: window.name.position)
            }
            state.namedWindows[window.name.text] = try inherited(window.specification, state.namedWindows)
        }
    }

    // MARK: - The SELECT list

    func bindItems(_ select: inout SelectBinding) throws {
        for item in select.core.items {
            switch item.kind {
            case .expression(let syntax, let alias):
                select.outputs.append(
                    SelectOutput(
                        expression: try bind(syntax, select.scope), name: alias?.text ?? outputName(syntax),
                        syntax: syntax, position: syntax.position))
            case .star(let star): select.outputs += try expand(star, select, at: item.position)
            case .fieldStar(let record): select.outputs += try fieldOutputs(record, select.scope, at: item.position)
            }
        }
        if select.outputs.count > 1_664 {
            throw QueryError(
                .tooManyColumns, "target lists can have at most 1664 entries", at: select.core.position)
        }
        // Where rows are compared or ordered, literals without type are text.
        let isCompared: Bool
        if case .all = select.core.distinct { isCompared = false } else { isCompared = true }
        if isCompared {
            for index in select.outputs.indices {
                select.outputs[index].expression = try settled(
                    select.outputs[index].expression, at: select.outputs[index].position)
                if case .distinct = select.core.distinct {
                    try checkComparable(
                        select.outputs[index].expression.type, at: select.outputs[index].position)
                }
            }
        }
    }

    private func expand(_ star: StarItem, _ select: SelectBinding, at position: SourcePosition) throws
        -> [SelectOutput]
    {
        var columns: [ScopeColumn]
        var relationName: String?
        if star.qualifier.isEmpty {
            if select.core.from.isEmpty {
                throw QueryError(.syntaxError, "SELECT * with no tables specified is not valid", at: position)
            }
            columns = select.scope.namespace.columns
        } else {
            guard let (relation, _) = try findRelation(star.qualifier[...], select.scope, at: position) else {
                throw missingRelation(star.qualifier[...], at: position)
            }
            columns = relation.columns
            relationName = relation.name
        }
        func check(_ name: Identifier, _ clause: String) throws {
            if columns.contains(where: { $0.name == name.text }) { return }
            throw QueryError(
                .undefinedColumn, "column \"\(name)\" in \(clause) list does not exist", at: name.position,
                object: name.text)
        }
        try star.exclude.forEach { try check($0, "EXCLUDE") }
        try star.replace.forEach { try check($0.column, "REPLACE") }
        try star.rename.forEach { try check($0.column, "RENAME") }
        let excluded = Set(star.exclude.map(\.text))
        columns.removeAll { excluded.contains($0.name) }
        return try columns.map { column in
            let renaming = star.rename.first { $0.column.text == column.name }
            let name = renaming?.name.text ?? column.name
            if let replacement = star.replace.first(where: { $0.column.text == column.name }) {
                return SelectOutput(
                    expression: try bind(replacement.expression, select.scope), name: name,
                    syntax: replacement.expression, position: replacement.expression.position)
            }
            let relation =
                relationName
                ?? select.scope.namespace.relations.first { $0.columns.contains { $0.id == column.id } }?.name
            let full = relation.map { $0.isEmpty ? column.name : "\($0).\(column.name)" } ?? column.name
            select.state.columnUses.append(.init(id: column.id, position: position, name: full))
            return SelectOutput(expression: column.reference, name: name, syntax: nil, position: position)
        }
    }

    // MARK: - ORDER BY, DISTINCT ON

    private func bindOrderBy(_ items: [SortItem], _ select: inout SelectBinding) throws {
        guard !items.isEmpty else { return }
        select.scope.clause = .orderBy
        var isDistinct = false
        if case .distinct = select.core.distinct { isDistinct = true }
        for item in items {
            if item.isEveryColumn {
                for index in select.outputs.indices where !select.outputs[index].isHidden {
                    select.outputs[index].expression = try settled(
                        select.outputs[index].expression, at: item.expression.position)
                    select.ordering.append((index, item))
                }
                continue
            }
            let index = try outputIndex(item.expression, "ORDER BY", &select)
            if select.outputs[index].isHidden, isDistinct {
                throw QueryError(
                    .invalidColumnReference,
                    "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
                    at: item.expression.position)
            }
            _ = try sortKey(item, select.outputs[index].expression)
            select.ordering.append((index, item))
        }
    }

    /// The item that an ORDER BY or DISTINCT ON expression means: an ordinal, a name, an equal expression, or a new
    /// hidden item.
    private func outputIndex(_ syntax: SyntaxExpression, _ clause: String, _ select: inout SelectBinding) throws -> Int
    {
        func settle(_ index: Int) throws -> Int {
            select.outputs[index].expression = try settled(
                select.outputs[index].expression, at: select.outputs[index].position)
            return index
        }
        if let ordinal = try ordinal(syntax, clause, select) { return try settle(ordinal) }
        if case .column(let parts) = syntax.kind, parts.count == 1,
            let index = try namedOutput(parts[0], clause, select, at: syntax.position)
        {
            return try settle(index)
        }
        if let index = select.outputs.firstIndex(where: { $0.syntax == syntax }) {
            if observesNames { _ = try bind(syntax, select.scope) }
            return try settle(index)
        }
        let expression = try settled(bind(syntax, select.scope), at: syntax.position)
        if let index = select.outputs.firstIndex(where: { $0.expression == expression }) { return index }
        select.outputs.append(
            SelectOutput(
                expression: expression, name: outputName(syntax), syntax: syntax, position: syntax.position,
                isHidden: true))
        return select.outputs.count - 1
    }

    func ordinal(_ syntax: SyntaxExpression, _ clause: String, _ select: SelectBinding) throws -> Int? {
        guard case .literal(let literal) = syntax.kind else { return nil }
        guard case .integer(let number) = literal else {
            throw QueryError(.syntaxError, "non-integer constant in \(clause)", at: syntax.position)
        }
        guard number >= 1, number <= select.visibleCount else {
            throw QueryError(
                .invalidColumnReference, "\(clause) position \(number) is not in select list", at: syntax.position)
        }
        return Int(number) - 1
    }

    /// The visible item of that name; 42702 if several differ.
    func namedOutput(
        _ name: String, _ clause: String, _ select: SelectBinding, at position: SourcePosition
    ) throws -> Int? {
        var found: Int?
        for (index, output) in select.outputs.enumerated() where !output.isHidden && output.name == name {
            if let known = found, select.outputs[known].expression != output.expression {
                throw QueryError(.ambiguousColumn, "\(clause) \"\(name)\" is ambiguous", at: position, object: name)
            }
            found = found ?? index
        }
        return found
    }

    private func bindDistinctOn(_ select: inout SelectBinding) throws {
        guard case .on(let keys) = select.core.distinct else { return }
        select.scope.clause = .distinctOn
        var indexes: [Int] = []
        for key in keys {
            let index = try outputIndex(key, "DISTINCT ON", &select)
            if !indexes.contains(index) { indexes.append(index) }
        }
        // The keys must be what the rows are ordered by first.
        var seen: Set<Int> = []
        for entry in select.ordering {
            if indexes.contains(entry.output) {
                seen.insert(entry.output)
            } else if seen.count < indexes.count {
                throw QueryError(
                    .invalidColumnReference,
                    "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
                    at: entry.item.expression.position)
            }
        }
        select.distinctOn = indexes
    }

    // MARK: - Windows and set-returning functions

    /// One node for each partitioning and ordering, in the order in which they were written.
    private func planWindows(_ select: inout SelectBinding) {
        var nodes: [LogicalWindow] = []
        for window in select.state.windows {
            let index = nodes.firstIndex { $0.partitions == window.partitions && $0.ordering == window.ordering }
            if let index {
                nodes[index].columns.append(window.column)
                nodes[index].calls.append(window.call)
            } else {
                nodes.append(
                    LogicalWindow(
                        partitions: window.partitions, ordering: window.ordering, columns: [window.column],
                        calls: [window.call], input: Self.unitPlan))
            }
        }
        for var node in nodes {
            node.input = select.plan
            select.plan = .window(node)
        }
    }

    /// Functions that do not depend on each other run side by side.
    func planSetReturning(_ select: inout SelectBinding, _ functions: [SelectState.SetReturning]) {
        var rest = functions
        while !rest.isEmpty {
            let open = Set(rest.flatMap(\.columns).map(\.id))
            let ready = rest.filter { function in
                function.arguments.allSatisfy { $0.columns.isDisjoint(with: open) }
            }
            // Arguments are bound before the call itself, so some function is always ready.
            if ready.isEmpty { return }
            rest.removeAll { function in ready.contains { $0.columns == function.columns } }
            let calls = ready.map {
                TableFunctionCall(name: $0.name, arguments: $0.arguments, columns: $0.columns)
            }
            if calls.count == 1 {
                select.plan = .tableFunction(
                    LogicalTableFunction(
                        name: calls[0].name, arguments: calls[0].arguments, columns: calls[0].columns,
                        input: select.plan))
            } else {
                let rows = rowsFrom(calls, nil)
                let isDependent = !rows.freeColumns.isEmpty
                select.plan = join(.inner, select.plan, rows, on: .true, isDependent: isDependent)
            }
        }
    }

    // MARK: - Output

    private func planOutput(_ select: inout SelectBinding, _ clauses: Query?) throws -> BoundQuery {
        let nullability = Nullability(select.plan.columns)
        var columns: [PlanColumn] = []
        // A column of the input keeps its identity; a second use of it or an outer column gets one of its own.
        var passable = select.plan.columnIDs
        for output in select.outputs {
            if case .column(let id, let type) = output.expression, passable.remove(id) != nil {
                columns.append(
                    PlanColumn(
                        id: id, name: output.name, type: type,
                        isNullable: nullability.isNullable(output.expression)))
            } else {
                columns.append(
                    ids.column(
                        output.name, output.expression.type, isNullable: nullability.isNullable(output.expression)))
                columnModifiers[columns[columns.count - 1].id] = try temporalModifier(of: output)
            }
        }
        var plan = projected(select.plan, columns, select.outputs.map(\.expression))
        let keys = try select.ordering.map { try sortKey($0.item, columns[$0.output].reference) }
        switch select.core.distinct {
        case .all: break
        case .distinct: plan = .distinct(LogicalDistinct(input: plan))
        case .on:
            let distinctKeys = (select.distinctOn ?? []).map { columns[$0].reference }
            plan = .distinct(LogicalDistinct(keys: distinctKeys, ordering: keys, input: plan))
        }
        if !keys.isEmpty { plan = .sort(LogicalSort(keys: keys, input: plan)) }
        if let clauses { plan = try bindLimit(clauses, over: plan) }
        if select.visibleCount < columns.count {
            columns = zip(columns, select.outputs).filter { !$1.isHidden }.map(\.0)
            plan = .project(LogicalProject(columns: columns, expressions: columns.map(\.reference), input: plan))
        }
        let visible = select.outputs.filter { !$0.isHidden }
        return BoundQuery(
            plan: plan,
            columns: try zip(columns, visible).map { column, output in
                var result = ScopeColumn(name: output.name, id: column.id, type: column.type)
                result.userType = try declaredUserType(output, select.scope)
                return result
            })
    }

    /// A column of a domain or composite type stays one, and a cast makes one.
    private func declaredUserType(_ output: SelectOutput, _ scope: Scope) throws -> Int64? {
        if catalog.objects.types.isEmpty { return nil }
        if let syntax = output.syntax { return try declaredUserType(syntax, scope) }
        guard case .column(let id, _) = output.expression else { return nil }
        return scope.namespace.columns.first { $0.id == id }?.userType
    }

    /// A projection, unless it would pass on exactly what there is.
    func projected(_ plan: LogicalPlan, _ columns: [PlanColumn], _ expressions: [Expression]) -> LogicalPlan {
        let input = plan.columns
        let isIdentity =
            input.count == columns.count
            && zip(input, zip(columns, expressions)).allSatisfy { $0.id == $1.0.id && $1.1 == $0.reference }
        if isIdentity { return plan }
        return .project(LogicalProject(columns: columns, expressions: expressions, input: plan))
    }
}

extension SortItem {
    /// ORDER BY ALL.
    var isEveryColumn: Bool { if case .star(let qualifier) = expression.kind { qualifier.isEmpty } else { false } }
}

/// Whether expressions over given columns can be NULL; errs towards "can".
struct Nullability {
    private var notNull: Set<ColumnID>

    init(_ columns: [PlanColumn]) {
        notNull = Set(columns.lazy.filter { !$0.isNullable }.map(\.id))
    }

    func isNullable(_ expression: Expression) -> Bool {
        switch expression {
        case .column(let id, _): !notNull.contains(id)
        case .literal(let value, _): value == .null
        case .isNull: false
        case .not(let operand): isNullable(operand)
        case .and(let operands), .or(let operands): operands.contains(where: isNullable)
        case .coalesce(let operands, _): operands.allSatisfy(isNullable)
        case .inList(let operand, let values): isNullable(operand) || values.contains(.null)
        case .cast(let operand, _, .strict): isNullable(operand)
        case .call where expression.asComparison != nil: expression.children.contains(where: isNullable)
        case .subquery(let subquery): subquery.kind != .exists
        case .conditional(let branches, let otherwise, _):
            isNullable(otherwise) || branches.contains { isNullable($0.result) }
        case .input, .parameter, .cast, .call: true
        }
    }
}
