// The general unnesting: the dependent side is computed for all values of the outer columns at once. These values, the
// domain, are pushed down to where they are used; every operator on the way keeps the rows of different values apart.

import Columnar
import Diagnostics
import QueryPlan

/// After "Unnesting Arbitrary Queries" (Neumann and Kemper, BTW 2015). Where an equality ties an outer column to a column
/// of the dependent side, that column takes the domain's place; its rows may then be for values that the outer side does
/// not have, which the final join leaves out.
struct DomainPushDown {
    let ids: ColumnIDGenerator
    /// The outer columns that the dependent side refers to.
    let outer: [PlanColumn]
    /// The plan that has the outer columns.
    let source: LogicalPlan
    /// Working tables whose rows carry the outer values, in columns behind their own.
    var carriers: Set<Int> = []

    init(ids: ColumnIDGenerator, outer: [PlanColumn], source: LogicalPlan) {
        self.ids = ids
        self.outer = outer
        self.source = source
    }

    /// A plan with a key column for every outer column.
    struct Pushed {
        var plan: LogicalPlan
        var keys: [ColumnID: Key]

        struct Key {
            var column: PlanColumn
            /// A column of the dependent side: NULL in it matches nothing.
            var isOwn: Bool
        }

        func substitute(_ expression: Expression) -> Expression {
            expression.substituting(keys.mapValues { $0.column.reference })
        }

        func key(_ column: PlanColumn) -> PlanColumn { keys[column.id]?.column ?? column }

        /// The plan without rows that match no outer value, for operators behind which nobody knows whose a key is.
        var matching: LogicalPlan {
            let nullable = keys.sorted { $0.key < $1.key }.map(\.value).filter { $0.isOwn && $0.column.isNullable }
            return plan.filtered(nullable.map { .not(.isNull($0.column.reference)) })
        }

        /// The predicate that ties the rows to an outer value.
        func equality(_ value: Expression, _ column: PlanColumn) -> Expression {
            guard let key = keys[column.id] else { return .true }
            let isPlain = key.isOwn || !column.isNullable
            return isPlain
                ? .comparison("=", value, key.column.reference) : .nullSafeEquality(value, key.column.reference)
        }
    }

    private var outerSet: ColumnSet { ColumnSet(outer) }

    private func isCorrelated(_ plan: LogicalPlan) -> Bool {
        !plan.outerColumns.isDisjoint(with: outerSet) || readsCarrier(plan)
    }

    private func readsCarrier(_ plan: LogicalPlan) -> Bool {
        if carriers.isEmpty { return false }
        if case .workingTable(let node) = plan { return carriers.contains(node.workingTable) }
        return plan.inputs.contains(where: readsCarrier)
    }

    private func isCorrelated(_ expression: Expression) -> Bool { !expression.columnSet.isDisjoint(with: outerSet) }

    /// The distinct values of the outer columns.
    private func domain() -> Pushed {
        let (copy, renamed) = source.valuesSource(for: outerSet).refreshed(ids)
        let columns = ids.copies(of: outer)
        let groups = outer.map { (renamed[$0.id] ?? $0).reference }
        let plan = LogicalPlan.aggregate(
            LogicalAggregate(
                groupColumns: columns, groups: groups, aggregateColumns: [], aggregates: [], input: copy))
        var keys: [ColumnID: Pushed.Key] = [:]
        for (column, key) in zip(outer, columns) { keys[column.id] = .init(column: key, isOwn: false) }
        return Pushed(plan: plan, keys: keys)
    }

    func push(_ plan: LogicalPlan) throws -> Pushed {
        guard isCorrelated(plan) else {
            var pushed = domain()
            if !plan.isOneRow {
                pushed.plan = .join(LogicalJoin(kind: .inner, condition: .true, left: pushed.plan, right: plan))
            }
            return pushed
        }
        switch plan {
        case .filter(let node): return try push(node)
        case .project(let node):
            var pushed = try push(node.input)
            let keys = outer.map { pushed.key($0) }
            let made = ColumnSet(node.columns)
            let added = keys.uniqued.filter { !made.contains($0.id) }
            pushed.plan = .project(
                LogicalProject(
                    columns: node.columns + added,
                    expressions: node.expressions.map(pushed.substitute) + added.map(\.reference),
                    input: pushed.plan))
            return pushed
        case .aggregate(let node): return try push(node)
        case .join(let node): return try push(node)
        case .sort(var node):
            var pushed = try push(node.input)
            node.keys = node.keys.map { $0.mapExpression(pushed.substitute) }
            node.input = pushed.plan
            pushed.plan = .sort(node)
            return pushed
        case .limit(let node): return try push(node)
        case .distinct(var node):
            var pushed = try push(node.input)
            if let keys = node.keys {
                node.keys = keys.map(pushed.substitute) + outer.map { pushed.key($0).reference }
                node.ordering = node.ordering.map { $0.mapExpression(pushed.substitute) }
            } else {
                let wanted = ColumnSet(node.input.columns)
                let keys = outer.map { pushed.key($0) }.uniqued.filter { !wanted.contains($0.id) }
                pushed.plan = pushed.plan.restoring(node.input.columns + keys)
            }
            node.input = pushed.plan
            pushed.plan = .distinct(node)
            return pushed
        case .setOperation(let node): return try push(node)
        case .window(var node):
            var pushed = try push(node.input)
            node.partitions = node.partitions.map(pushed.substitute) + outer.map { pushed.key($0).reference }
            node.ordering = node.ordering.map { $0.mapExpression(pushed.substitute) }
            node.calls = node.calls.map { $0.mapExpressions(pushed.substitute) }
            node.input = pushed.plan
            pushed.plan = .window(node)
            return pushed
        case .tableFunction(var node):
            var pushed = try push(node.input)
            node.arguments = node.arguments.map(pushed.substitute)
            node.input = pushed.plan
            pushed.plan = .tableFunction(node)
            return pushed
        case .values(let node): return try push(node)
        case .recursive(let node): return try push(node)
        case .workingTable(var node):
            let columns = ids.copies(of: outer)
            node.columns += columns
            return Pushed(plan: .workingTable(node), keys: keys(columns))
        case .scan, .write, .shared, .sharedRead:
            throw QueryError.internalError("a leaf cannot be correlated")
        }
    }

    private func push(_ node: LogicalFilter) throws -> Pushed {
        if isCorrelated(node.input) {
            if case .filter(let below) = node.input {
                return try push(
                    LogicalFilter(
                        predicate: .conjunction([below.predicate, node.predicate]), input: below.input))
            }
            var pushed = try push(node.input)
            pushed.plan = pushed.plan.filtered(pushed.substitute(node.predicate).conjuncts)
            return pushed
        }
        let conjuncts = node.predicate.conjuncts
        if let own = ownKeys(conjuncts, node.input) {
            let rest = conjuncts.map(own.substitute).filter { conjunct in
                // What was an equality with the outer column compares a column with itself now.
                guard let (a, b, _) = conjunct.asEquality else { return true }
                return a != b
            }
            return Pushed(plan: own.plan.filtered(rest), keys: own.keys)
        }
        var pushed = domain()
        pushed.plan = .join(
            LogicalJoin(
                kind: .inner, condition: pushed.substitute(node.predicate), left: pushed.plan, right: node.input))
        return pushed
    }

    /// Columns of the dependent side that are equal to all the outer columns, if there are.
    private func ownKeys(_ conjuncts: [Expression], _ input: LogicalPlan) -> Pushed? {
        let inner = input.columnSet
        let columns = input.columns
        var keys: [ColumnID: Pushed.Key] = [:]
        for conjunct in conjuncts {
            guard case (let a, let b, false)? = conjunct.asEquality, !conjunct.isVolatile else { continue }
            for (outside, inside) in [(a, b), (b, a)] {
                guard let id = outside.asColumn, outerSet.contains(id), keys[id] == nil, let own = inside.asColumn,
                    inner.contains(own), let column = columns.first(where: { $0.id == own })
                else { continue }
                keys[id] = .init(column: column, isOwn: true)
            }
        }
        guard keys.count == outer.count else { return nil }
        return Pushed(plan: input, keys: keys)
    }

    private func push(_ node: LogicalAggregate) throws -> Pushed {
        var pushed = try push(node.input)
        var aggregate = node
        aggregate.groups = node.groups.map(pushed.substitute)
        aggregate.aggregates = node.aggregates.map { $0.mapExpressions(pushed.substitute) }
        let first = aggregate.groups.count
        var keys: [ColumnID: Pushed.Key] = [:]
        for column in outer {
            let key = ids.column(column.name, column.type, isNullable: column.isNullable)
            aggregate.groups.append(pushed.key(column).reference)
            aggregate.groupColumns.append(key)
            keys[column.id] = .init(column: key, isOwn: pushed.keys[column.id]?.isOwn ?? false)
        }
        aggregate.groupingSets = node.groupingSets.map { $0 + Array(first..<aggregate.groups.count) }
        aggregate.input = pushed.plan
        guard let emptySet = node.groupingSets.firstIndex(of: []) else {
            return Pushed(plan: .aggregate(aggregate), keys: keys)
        }
        // The grand total has a row for every outer value, also where there is nothing to aggregate.
        var values: [Expression] = node.groupColumns.map(\.reference)
        var columns = node.groupColumns
        if let index = node.setIndexColumn {
            let fresh = ids.column(index.name, index.type)
            aggregate.setIndexColumn = fresh
            columns.append(index)
            values.append(
                .coalesce([fresh.reference, .literal(.integer(Int64(emptySet)), index.type)], type: index.type))
        }
        for index in node.aggregateColumns.indices {
            let column = node.aggregateColumns[index]
            columns.append(column)
            if let empty = node.aggregates[index].valueOfNoRows {
                let fresh = ids.column(column.name, column.type)
                aggregate.aggregateColumns[index] = fresh
                values.append(.coalesce([fresh.reference, empty], type: column.type))
            } else {
                values.append(column.reference)
            }
        }
        pushed = Pushed(plan: .aggregate(aggregate), keys: keys)
        let all = domain()
        let condition = Expression.conjunction(outer.map { pushed.equality(all.key($0).reference, $0) })
        let joined = LogicalPlan.join(
            LogicalJoin(kind: .left, condition: condition, left: all.plan, right: pushed.plan))
        let domainColumns = outer.map { all.key($0) }
        return Pushed(
            plan: .project(
                LogicalProject(
                    columns: columns + domainColumns, expressions: values + domainColumns.map(\.reference),
                    input: joined)),
            keys: all.keys)
    }

    private func push(_ node: LogicalJoin) throws -> Pushed {
        let isConditionCorrelated = isCorrelated(node.condition)
        if node.kind == .inner, isConditionCorrelated {
            // As a filter, so that equalities with outer columns are found.
            var join = node
            join.condition = .conjunction(node.condition.conjuncts.filter { !isCorrelated($0) })
            return try push(
                LogicalFilter(
                    predicate: .conjunction(node.condition.conjuncts.filter(isCorrelated)), input: .join(join)))
        }
        let isLeft = isCorrelated(node.left)
        let isRight = isCorrelated(node.right)
        var join = node
        switch node.kind {
        case .inner where !isRight, .left where !isRight && !isConditionCorrelated,
            .semi where !isRight && !isConditionCorrelated, .anti where !isRight && !isConditionCorrelated,
            .mark where !isRight && !isConditionCorrelated, .single where !isRight && !isConditionCorrelated:
            var pushed = try push(node.left)
            join.left = pushed.plan
            pushed.plan = .join(join)
            return pushed
        case .inner where !isLeft, .right where !isLeft && !isConditionCorrelated:
            var pushed = try push(node.right)
            join.right = pushed.plan
            pushed.plan = .join(join)
            return pushed
        default: break
        }
        let left = try push(node.left)
        let right = try push(node.right)
        join.left = node.kind == .full ? left.matching : left.plan
        join.right = node.kind == .full ? right.matching : right.plan
        let ties = outer.map { right.equality(left.key($0).reference, $0) }
        let condition = (node.kind == .right ? right : left).substitute(node.condition)
        if node.kind == .anti, node.isNullAware {
            join.condition = .conjunction(ties + [.coalesce([condition, .true], type: .boolean)])
            join.isNullAware = false
        } else {
            join.condition = .conjunction(ties + [condition])
        }
        switch node.kind {
        case .right, .rightSemi, .rightAnti: return Pushed(plan: .join(join), keys: right.keys)
        case .full:
            let columns = ids.copies(of: outer)
            let values = outer.map {
                Expression.coalesce([left.key($0).reference, right.key($0).reference], type: $0.type)
            }
            var keys: [ColumnID: Pushed.Key] = [:]
            for (column, key) in zip(outer, columns) { keys[column.id] = .init(column: key, isOwn: false) }
            return Pushed(plan: LogicalPlan.join(join).adding(columns, values), keys: keys)
        default: return Pushed(plan: .join(join), keys: left.keys)
        }
    }

    /// A limit for each outer value: rows are numbered within it.
    private func push(_ node: LogicalLimit) throws -> Pushed {
        var ordering: [SortKey] = []
        var input = node.input
        // The numbering needs the order; projections between stand below it.
        if case .sort(let sort) = input {
            ordering = sort.keys
            input = sort.input
        } else if case .project(let project) = input, case .sort(let sort) = project.input {
            var below = project
            let made = ColumnSet(project.columns)
            var needed = ColumnSet()
            for key in sort.keys { key.expression.collectColumns(into: &needed) }
            for column in sort.input.columns where needed.contains(column.id) && !made.contains(column.id) {
                below.columns.append(column)
                below.expressions.append(column.reference)
            }
            below.input = sort.input
            ordering = sort.keys
            input = .project(below)
        }
        var pushed = try push(input)
        ordering = ordering.map { $0.mapExpression(pushed.substitute) }
        let number = ids.column("row_number", .int64, isNullable: false)
        let rank = ids.column("rank", .int64, isNullable: false)
        var columns = [number]
        var calls = [
            WindowCall(
                name: "row_number", isAggregate: false, arguments: [],
                frame: WindowFrame(), type: .int64)
        ]
        if node.withTies {
            columns.append(rank)
            calls.append(
                WindowCall(name: "rank", isAggregate: false, arguments: [], frame: WindowFrame(), type: .int64))
        }
        let window = LogicalPlan.window(
            LogicalWindow(
                partitions: outer.map { pushed.key($0).reference }, ordering: ordering, columns: columns, calls: calls,
                input: pushed.plan))
        var conditions: [Expression] = []
        let offset = node.offset.flatMap { $0.literal == .null ? nil : $0 }
        if let offset { conditions.append(.comparison(">", number.reference, offset)) }
        if let count = node.count, count.literal != .null {
            var last = count
            if let offset {
                if case .integer(let a)? = count.literal, case .integer(let b)? = offset.literal {
                    last = .literal(.integer(a &+ b), .int64)
                } else {
                    last = .call(ScalarCall(name: "+", arguments: [count, offset], type: .int64))
                }
            }
            conditions.append(.comparison("<=", (node.withTies ? rank : number).reference, last))
        }
        pushed.plan = window.filtered(conditions)
        return pushed
    }

    private func keys(_ columns: [PlanColumn]) -> [ColumnID: Pushed.Key] {
        var keys: [ColumnID: Pushed.Key] = [:]
        for (column, key) in zip(outer, columns) { keys[column.id] = .init(column: key, isOwn: false) }
        return keys
    }

    /// A plan's columns with the keys behind them.
    private func withKeys(_ plan: LogicalPlan) throws -> LogicalPlan {
        let pushed = try push(plan)
        let columns = ids.copies(of: plan.columns) + ids.copies(of: outer)
        return .project(
            LogicalProject(
                columns: columns,
                expressions: plan.columns.map(\.reference) + outer.map { pushed.key($0).reference },
                input: pushed.matching))
    }

    private func push(_ node: LogicalSetOperation) throws -> Pushed {
        let keyColumns = ids.copies(of: outer)
        var result = node
        result.left = try withKeys(node.left)
        result.right = try withKeys(node.right)
        result.columns = node.columns + keyColumns
        return Pushed(plan: .setOperation(result), keys: keys(keyColumns))
    }

    /// One recursion for all outer values: rows of the working table know whose they are.
    private func push(_ node: LogicalRecursive) throws -> Pushed {
        let keyColumns = ids.copies(of: outer)
        var within = self
        within.carriers.insert(node.workingTable)
        var result = node
        result.base = try withKeys(node.base)
        result.step = try within.withKeys(node.step)
        result.columns = node.columns + keyColumns
        return Pushed(plan: .recursive(result), keys: keys(keyColumns))
    }

    /// Rows of expressions over outer columns: one projection of the domain for each row.
    private func push(_ node: LogicalValues) throws -> Pushed {
        func row(_ expressions: [Expression], _ columns: [PlanColumn]) -> Pushed {
            var pushed = domain()
            let keys = outer.map { pushed.key($0) }
            pushed.plan = .project(
                LogicalProject(
                    columns: columns + keys, expressions: expressions.map(pushed.substitute) + keys.map(\.reference),
                    input: pushed.plan))
            return pushed
        }
        var result = row(node.rows[0], node.rows.count == 1 ? node.columns : ids.copies(of: node.columns))
        for (index, expressions) in node.rows.enumerated().dropFirst() {
            let next = row(expressions, ids.copies(of: node.columns))
            let isLast = index == node.rows.count - 1
            let keyColumns = ids.copies(of: outer)
            result.plan = .setOperation(
                LogicalSetOperation(
                    kind: .union, keepsDuplicates: true,
                    columns: (isLast ? node.columns : ids.copies(of: node.columns)) + keyColumns, left: result.plan,
                    right: next.plan))
            for (column, key) in zip(outer, keyColumns) { result.keys[column.id] = .init(column: key, isOwn: false) }
        }
        return result
    }
}

extension [PlanColumn] {
    /// Each column once.
    fileprivate var uniqued: [PlanColumn] {
        var seen = ColumnSet()
        return filter { column in
            defer { seen.insert(column.id) }
            return !seen.contains(column.id)
        }
    }
}

extension LogicalPlan {
    /// A plan below this one, or itself, in which the columns have the same distinct values: operators that only add columns
    /// to rows are left out. Without that, each of several sub-queries beside each other would copy all those before it.
    fileprivate func valuesSource(for needed: ColumnSet) -> LogicalPlan {
        switch self {
        case .join(let node):
            let keepsLeft =
                switch node.kind {
                case .left, .single, .mark: true
                case .inner: node.condition == .true && node.right.givesExactlyOneRow
                default: false
                }
            guard keepsLeft, !node.isDependent, needed.isSubset(of: node.left.columnSet) else { return self }
            return node.left.valuesSource(for: needed)
        case .project(let node):
            let isPassedOn = zip(node.columns, node.expressions).allSatisfy { column, expression in
                !needed.contains(column.id) || expression.asColumn == column.id
            }
            return isPassedOn ? node.input.valuesSource(for: needed) : self
        case .window(let node):
            return needed.isSubset(of: node.input.columnSet) ? node.input.valuesSource(for: needed) : self
        case .sort(let node): return node.input.valuesSource(for: needed)
        default: return self
        }
    }
}
