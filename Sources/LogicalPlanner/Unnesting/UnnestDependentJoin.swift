// One dependent join becomes a plain one: by moving correlated predicates into its condition, by grouping an aggregate by
// its correlation keys, or in general by computing the right side for every combination of outer values at once.

import Columnar
import Diagnostics
import QueryPlan

struct UnnestDependentJoin {
    let ids: ColumnIDGenerator

    /// Copies of sources may double with each level of nesting: a plan of more columns than this is given up.
    private static let columnCountMax = 200_000

    /// The same rows, and the same columns, without dependence on the left.
    func apply(_ join: LogicalJoin) throws -> LogicalPlan {
        guard ids.position < Self.columnCountMax else {
            throw QueryError(
                .statementTooComplex, "statement too complex", detail: "Correlated sub-queries nest too deeply.")
        }
        let outer = join.right.outerColumns.intersection(join.left.columnSet)
        var join = join
        join.isDependent = !outer.isEmpty
        if outer.isEmpty { return .join(join) }
        switch join.kind {
        case .right, .full, .rightSemi, .rightAnti:
            throw QueryError(
                .invalidColumnReference, "the combining JOIN type must be INNER or LEFT for a LATERAL reference")
        default: break
        }
        if let plan = try computeOnLeft(join) { return plan }
        if join.kind == .inner, join.right.givesExactlyOneRow {
            let condition = join.condition
            (join.kind, join.condition) = (.left, .true)
            return try apply(join).filtered(condition.conjuncts)
        }
        if let plan = try hoistPredicates(join, outer) { return plan }
        if let plan = try groupAggregate(join, outer) { return plan }
        return try pushDomain(join, outer)
    }

    // MARK: Right sides that only compute something for each row

    /// Projections, filters and table functions over nothing else than the left row need no join.
    private func computeOnLeft(_ join: LogicalJoin) throws -> LogicalPlan? {
        let isTotal = join.condition == .true && join.right.givesExactlyOneRow
        switch join.kind {
        case .inner: break
        case .left, .single: if !isTotal && !join.right.isTableFunctionOverOneRow { return nil }
        default: return nil
        }
        switch join.right {
        case .project(let node) where join.kind == .inner || isTotal:
            let below = try apply(
                LogicalJoin(
                    kind: .inner, condition: .true, left: join.left, right: node.input, isDependent: true))
            let left = join.left.columns
            let project = LogicalPlan.project(
                LogicalProject(
                    columns: left + node.columns, expressions: left.map(\.reference) + node.expressions, input: below))
            return project.filtered(join.condition.conjuncts)
        case .filter(let node) where join.kind == .inner:
            let below = try apply(
                LogicalJoin(
                    kind: .inner, condition: .true, left: join.left, right: node.input, isDependent: true))
            return below.filtered(node.predicate.conjuncts + join.condition.conjuncts)
        case .values where join.right.isOneRow: return join.left.filtered(join.condition.conjuncts)
        case .tableFunction(var node) where node.input.isOneRow:
            if join.kind != .inner {
                if join.condition != .true || join.kind == .single { return nil }
                node.isOuter = true
            }
            node.input = join.left
            return LogicalPlan.tableFunction(node).filtered(join.condition.conjuncts)
        default: return nil
        }
    }

    // MARK: Correlated predicates that can move up

    private func hoistPredicates(_ join: LogicalJoin, _ outer: ColumnSet) throws -> LogicalPlan? {
        var right = join.right
        switch join.kind {
        case .semi, .anti, .mark: if case .distinct(let node) = right, node.keys == nil { right = node.input }
        default: break
        }
        var hoisted: [Expression] = []
        guard let plan = hoist(right, outer, &hoisted) else { return nil }
        var result = join
        result.isDependent = false
        result.right = plan
        result.condition = combined(join, hoisted)
        if join.kind == .anti { result.isNullAware = false }
        let wanted = LogicalPlan.join(join).columns
        return LogicalPlan.join(result).restoring(wanted)
    }

    /// The join's condition together with predicates that were part of the right side: unknown is false in those, but a
    /// match in the condition of a null-aware anti join.
    private func combined(_ join: LogicalJoin, _ predicates: [Expression]) -> Expression {
        if join.kind == .anti, join.isNullAware {
            return .conjunction(predicates + [.coalesce([join.condition, .true], type: .boolean)])
        }
        return .conjunction([join.condition] + predicates)
    }

    /// The plan without its correlated predicates, which are collected; `nil` if it is correlated in another way too.
    private func hoist(_ plan: LogicalPlan, _ outer: ColumnSet, _ hoisted: inout [Expression]) -> LogicalPlan? {
        if plan.outerColumns.isDisjoint(with: outer) { return plan }
        switch plan {
        case .filter(let node):
            guard let input = hoist(node.input, outer, &hoisted) else { return nil }
            var local: [Expression] = []
            for conjunct in node.predicate.conjuncts {
                if conjunct.columnSet.isDisjoint(with: outer) {
                    local.append(conjunct)
                } else if conjunct.isVolatile {
                    return nil
                } else {
                    hoisted.append(conjunct)
                }
            }
            return input.filtered(local)
        case .project(var node):
            if node.expressions.contains(where: { !$0.columnSet.isDisjoint(with: outer) }) { return nil }
            var own: [Expression] = []
            guard let input = hoist(node.input, outer, &own) else { return nil }
            var needed = ColumnSet()
            for predicate in own { predicate.collectColumns(into: &needed) }
            let made = ColumnSet(node.columns)
            for column in input.columns where needed.contains(column.id) && !made.contains(column.id) {
                node.columns.append(column)
                node.expressions.append(column.reference)
            }
            node.input = input
            hoisted += own
            return .project(node)
        case .join(var node):
            switch node.kind {
            case .inner:
                var local: [Expression] = []
                for conjunct in node.condition.conjuncts {
                    if conjunct.columnSet.isDisjoint(with: outer) {
                        local.append(conjunct)
                    } else {
                        hoisted.append(conjunct)
                    }
                }
                guard let left = hoist(node.left, outer, &hoisted), let right = hoist(node.right, outer, &hoisted)
                else { return nil }
                node.left = left
                node.right = right
                node.condition = .conjunction(local)
                return .join(node)
            case .left, .semi, .anti, .mark, .single:
                guard node.condition.columnSet.isDisjoint(with: outer), node.right.outerColumns.isDisjoint(with: outer),
                    let left = hoist(node.left, outer, &hoisted)
                else { return nil }
                node.left = left
                return .join(node)
            default: return nil
            }
        case .sort(var node):
            guard node.keys.allSatisfy({ $0.expression.columnSet.isDisjoint(with: outer) }),
                let input = hoist(node.input, outer, &hoisted)
            else { return nil }
            node.input = input
            return .sort(node)
        case .tableFunction(var node):
            guard node.arguments.allSatisfy({ $0.columnSet.isDisjoint(with: outer) }),
                let input = hoist(node.input, outer, &hoisted)
            else { return nil }
            node.input = input
            return .tableFunction(node)
        default: return nil
        }
    }

    // MARK: Aggregates

    /// A scalar aggregate: grouped by what ties its input to the outer row, and joined by that. What stands above the
    /// aggregate is computed behind the join, where missing groups are the empty ones.
    private func groupAggregate(_ join: LogicalJoin, _ outer: ColumnSet) throws -> LogicalPlan? {
        guard join.kind == .single || join.kind == .left, join.condition == .true else { return nil }
        var projects: [LogicalProject] = []
        var below = join.right
        while case .project(let node) = below {
            projects.append(node)
            below = node.input
        }
        guard case .aggregate(var aggregate) = below, aggregate.groupingSets == [[]], aggregate.groups.isEmpty,
            aggregate.aggregates.allSatisfy({ $0.expressions.allSatisfy { $0.columnSet.isDisjoint(with: outer) } })
        else { return nil }
        var conditions = groupByEqualities(&aggregate, outer)
        if conditions == nil {
            let columns = join.left.columns.filter { outer.contains($0.id) }
            let pushed = try DomainPushDown(ids: ids, outer: columns, source: join.left).push(aggregate.input)
            aggregate.input = pushed.plan
            conditions = columns.map { column in
                let key = ids.column(column.name, column.type, isNullable: column.isNullable)
                aggregate.groups.append(pushed.key(column).reference)
                aggregate.groupColumns.append(key)
                let isPlain = !column.isNullable || pushed.keys[column.id]?.isOwn == true
                return isPlain
                    ? .comparison("=", column.reference, key.reference)
                    : .nullSafeEquality(column.reference, key.reference)
            }
            aggregate.groupingSets = [Array(aggregate.groups.indices)]
        }
        guard let conditions else { return nil }
        let results = aggregate.aggregateColumns
        var values = results.map(\.reference)
        for index in results.indices {
            guard let empty = aggregate.aggregates[index].valueOfNoRows else { continue }
            let column = ids.column(results[index].name, results[index].type, isNullable: false)
            aggregate.aggregateColumns[index] = column
            values[index] = .coalesce([column.reference, empty], type: column.type)
        }
        var plan = LogicalPlan.join(
            LogicalJoin(
                kind: .left, condition: .conjunction(conditions), left: join.left, right: .aggregate(aggregate)))
        let left = join.left.columns
        if values != results.map(\.reference) {
            plan = .project(
                LogicalProject(
                    columns: left + results, expressions: left.map(\.reference) + values, input: plan))
        }
        // The projections may use outer columns: these are at hand behind the join.
        for project in projects.reversed() {
            plan = .project(
                LogicalProject(
                    columns: left + project.columns, expressions: left.map(\.reference) + project.expressions,
                    input: plan))
        }
        return plan.restoring(left + join.right.columns)
    }

    /// Groups the aggregate by the inner sides of equalities with outer columns, if nothing else correlates its input.
    /// Gives the equalities between outer columns and the new groups.
    private func groupByEqualities(_ aggregate: inout LogicalAggregate, _ outer: ColumnSet) -> [Expression]? {
        var hoisted: [Expression] = []
        guard let input = hoist(aggregate.input, outer, &hoisted) else { return nil }
        let inner = input.columnSet
        var grouped = aggregate
        var conditions: [Expression] = []
        for predicate in hoisted {
            guard case (let a, let b, false)? = predicate.asEquality else { return nil }
            let (aColumns, bColumns) = (a.columnSet, b.columnSet)
            let (outside, inside): (Expression, Expression)
            if aColumns.isSubset(of: outer), !bColumns.isEmpty, bColumns.isSubset(of: inner) {
                (outside, inside) = (a, b)
            } else if bColumns.isSubset(of: outer), !aColumns.isEmpty, aColumns.isSubset(of: inner) {
                (outside, inside) = (b, a)
            } else {
                return nil
            }
            if let known = grouped.groups.firstIndex(of: inside) {
                conditions.append(.comparison("=", outside, grouped.groupColumns[known].reference))
                continue
            }
            let name = inside.asColumn.flatMap { id in input.columns.first { $0.id == id }?.name } ?? "key"
            let key = ids.column(name, inside.type)
            grouped.groups.append(inside)
            grouped.groupColumns.append(key)
            conditions.append(.comparison("=", outside, key.reference))
        }
        grouped.groupingSets = [Array(grouped.groups.indices)]
        grouped.input = input
        aggregate = grouped
        return conditions
    }

    // MARK: The general case

    private func pushDomain(_ join: LogicalJoin, _ outer: ColumnSet) throws -> LogicalPlan {
        let columns = join.left.columns.filter { outer.contains($0.id) }
        let domain = DomainPushDown(ids: ids, outer: columns, source: join.left)
        let pushed = try domain.push(join.right)
        var result = join
        result.isDependent = false
        result.right = pushed.plan
        let keys = columns.map { column in pushed.equality(column.reference, column) }
        result.condition = combined(join, keys)
        if join.kind == .anti { result.isNullAware = false }
        return LogicalPlan.join(result).restoring(LogicalPlan.join(join).columns)
    }
}

extension AggregateCall {
    /// The result without any row, if it is not NULL.
    var valueOfNoRows: Expression? {
        switch name {
        case "count", "regr_count", "approx_count_distinct": .literal(.integer(0), type)
        default: nil
        }
    }
}

extension LogicalPlan {
    fileprivate var isTableFunctionOverOneRow: Bool {
        if case .tableFunction(let node) = self { node.input.isOneRow } else { false }
    }
}
