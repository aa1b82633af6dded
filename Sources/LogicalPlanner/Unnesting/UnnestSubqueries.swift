// Sub-queries in expressions become joins, and joins whose right side depends on the left become plain ones.
//
//   UnnestSubqueries         this file: finds sub-queries and says which join each one is
//   UnnestDependentJoin      removes the dependence of one join, the simple cases first
//   DomainPushDown           the general case

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions

/// Replaces every sub-query and every dependent join. Afterwards no plan is evaluated once per row of another.
///
/// After T. Neumann and A. Kemper, "Unnesting Arbitrary Queries", BTW 2015.
struct UnnestSubqueries: LogicalRule {
    func apply(_ plan: LogicalPlan, _ environment: RuleEnvironment) throws -> LogicalPlan {
        try SubqueryExpander(ids: environment.ids, registry: environment.registry).expand(plan)
    }
}

struct SubqueryExpander {
    let ids: ColumnIDGenerator
    let registry: FunctionRegistry

    private var unnesting: UnnestDependentJoin { UnnestDependentJoin(ids: ids) }

    func expand(_ plan: LogicalPlan) throws -> LogicalPlan {
        var plan = try plan.mapInputs(expand)
        if case .join(let node) = plan {
            plan = try expandJoin(node)
            if case .join(let node) = plan, node.isDependent { return try unnesting.apply(node) }
            return plan
        }
        guard plan.expressions.contains(where: \.containsSubquery) else { return plan }
        switch plan {
        case .filter(let node): return try expandFilter(node)
        case .values(let node): return try expandValues(node)
        case .limit: throw QueryError.notSupported("a sub-query in LIMIT or OFFSET")
        case .scan, .setOperation, .recursive, .workingTable, .write, .join, .shared, .sharedRead: return plan
        case .project, .aggregate, .sort, .distinct, .window, .tableFunction:
            return try expandOperands(plan)
        }
    }

    /// Sub-queries in a node's expressions become columns of its input.
    private func expandOperands(_ plan: LogicalPlan) throws -> LogicalPlan {
        let wanted = plan.columns
        var input = plan.inputs[0]
        // A DISTINCT over all columns must not see the added ones; DISTINCT ON sees only its keys.
        let rewritten = try plan.mapExpressions { try replaceSubqueries(in: $0, &input, isNullSensitive: true) }
        return rewritten.mapInputs { _ in input }.restoring(wanted)
    }

    private func expandFilter(_ node: LogicalFilter) throws -> LogicalPlan {
        let wanted = node.input.columns
        let conjuncts = node.predicate.conjuncts
        var input = node.input.filtered(conjuncts.filter { !$0.containsSubquery })
        var rest: [Expression] = []
        for conjunct in conjuncts where conjunct.containsSubquery {
            if let joined = try joinForConjunct(conjunct, input) {
                input = joined
            } else {
                rest.append(try replaceSubqueries(in: conjunct, &input, isNullSensitive: false))
            }
        }
        return input.filtered(rest).restoring(wanted)
    }

    private func expandValues(_ node: LogicalValues) throws -> LogicalPlan {
        var parts: [LogicalPlan] = []
        for row in node.rows {
            let columns = ids.copies(of: node.columns)
            parts.append(try expand(.project(LogicalProject(columns: columns, expressions: row, input: .oneRow))))
        }
        var result = parts[0]
        for (index, part) in parts.enumerated().dropFirst() {
            let columns = index == parts.count - 1 ? node.columns : ids.copies(of: node.columns)
            result = .setOperation(
                LogicalSetOperation(
                    kind: .union, keepsDuplicates: true, columns: columns, left: result, right: part))
        }
        if parts.count == 1 {
            return .project(
                LogicalProject(
                    columns: node.columns, expressions: result.columns.map(\.reference), input: result))
        }
        return result
    }

    /// Sub-queries in join conditions: an inner join filters afterwards; otherwise a sub-query becomes a column of the side
    /// that it depends on.
    private func expandJoin(_ node: LogicalJoin) throws -> LogicalPlan {
        guard node.condition.containsSubquery else { return .join(node) }
        let wanted = LogicalPlan.join(node).columns
        var join = node
        let nested = node.condition.conjuncts.filter(\.containsSubquery)
        join.condition = .conjunction(node.condition.conjuncts.filter { !$0.containsSubquery })
        if node.kind == .inner {
            let below = join.isDependent ? try unnesting.apply(join) : .join(join)
            return try expandFilter(LogicalFilter(predicate: .conjunction(nested), input: below))
        }
        let isOverBoth = nested.contains { conjunct in
            let columns = conjunct.columnSet
            return !columns.isDisjoint(with: node.left.columnSet) && !columns.isDisjoint(with: node.right.columnSet)
        }
        if isOverBoth, node.kind == .right, !node.isDependent {
            var mirrored = node
            (mirrored.kind, mirrored.left, mirrored.right) = (.left, node.right, node.left)
            return try expandJoin(mirrored).restoring(wanted)
        }
        if isOverBoth, node.kind == .anti, !node.isNullAware {
            // The right side is what the condition leaves of it for each row of the left.
            join.condition = .true
            join.right = try expandFilter(LogicalFilter(predicate: node.condition, input: node.right))
            join.isDependent = true
            return try unnesting.apply(join).restoring(wanted)
        }
        for conjunct in nested {
            let isRightOnly = conjunct.columnSet.isDisjoint(with: join.left.columnSet)
            if isRightOnly, node.kind == .left || node.kind == .semi {
                join.right = try expandFilter(LogicalFilter(predicate: conjunct, input: join.right))
            } else {
                let condition = try replaceSubqueries(in: conjunct, ofSidesOf: &join)
                join.condition = .conjunction([join.condition, condition])
            }
        }
        let plan = join.isDependent ? try unnesting.apply(join) : .join(join)
        return plan.restoring(wanted)
    }

    /// The condition with a column of one of the sides in place of each sub-query. One over both sides is computed for all
    /// pairs of a right row and the left values that it depends on; the condition then asks for the left row's own values.
    private func replaceSubqueries(in condition: Expression, ofSidesOf join: inout LogicalJoin) throws -> Expression {
        guard condition.containsSubquery else { return condition }
        guard case .subquery = condition else {
            return try condition.mapChildren { try replaceSubqueries(in: $0, ofSidesOf: &join) }
        }
        let columns = condition.columnSet
        if columns.isDisjoint(with: join.right.columnSet) {
            return try replaceSubqueries(in: condition, &join.left, isNullSensitive: true)
        }
        if columns.isDisjoint(with: join.left.columnSet), !join.isDependent {
            return try replaceSubqueries(in: condition, &join.right, isNullSensitive: true)
        }
        guard join.kind == .left || join.kind == .semi, !join.isDependent else {
            throw QueryError.notSupported("a sub-query over both sides of a RIGHT, FULL or LATERAL JOIN's condition")
        }
        return try valueOverPairs(of: condition, &join)
    }

    private func valueOverPairs(of subquery: Expression, _ join: inout LogicalJoin) throws -> Expression {
        let columns = subquery.columnSet
        let needed = join.left.columns.filter { columns.contains($0.id) }
        let (source, renamed) = join.left.refreshed(ids)
        let values = LogicalPlan.aggregate(
            LogicalAggregate(
                groupColumns: needed, groups: needed.map { (renamed[$0.id] ?? $0).reference }, aggregateColumns: [],
                aggregates: [], input: source))
        let right = join.right.columns
        var pairs = LogicalPlan.join(LogicalJoin(kind: .inner, condition: .true, left: values, right: join.right))
        let value = try replaceSubqueries(in: subquery, &pairs, isNullSensitive: true)
        let result = ids.column("value", subquery.type)
        // The pairs carry columns of the left side: all of them get new identities, but the right side's keep theirs above.
        let (plan, made) = LogicalPlan.project(
            LogicalProject(
                columns: needed + right + [result], expressions: (needed + right).map(\.reference) + [value],
                input: pairs)
        ).refreshed(ids)
        let keys = needed.map { made[$0.id] ?? $0 }
        let own = made[result.id] ?? result
        join.right = .project(
            LogicalProject(
                columns: right + keys + [own],
                expressions: right.map { (made[$0.id] ?? $0).reference } + keys.map(\.reference) + [own.reference],
                input: plan))
        let ties = zip(needed, keys).map { Expression.nullSafeEquality($0.reference, $1.reference) }
        join.condition = .conjunction([join.condition] + ties)
        return own.reference
    }

    // MARK: Sub-queries as conditions

    /// A conjunct that is a sub-query as a whole only chooses rows: a semi or an anti join.
    private func joinForConjunct(_ conjunct: Expression, _ input: LogicalPlan) throws -> LogicalPlan? {
        var (isNegated, expression) = (false, conjunct)
        while case .not(let operand) = expression { (isNegated, expression) = (!isNegated, operand) }
        guard case .subquery(let subquery) = expression else { return nil }
        var input = input
        switch subquery.kind {
        case .scalar, .array: return nil
        case .exists:
            let plan = try expand(subquery.plan).withoutRowDetails
            return try join(isNegated ? .anti : .semi, input, plan, on: .true)
        case .any(let needles, let comparison):
            let plan = try expand(subquery.plan).withoutOrder
            let needles = try needles.map { try replaceSubqueries(in: $0, &input, isNullSensitive: true) }
            let condition = try quantified(needles, comparison, plan.columns)
            if !isNegated { return try join(.semi, input, plan, on: condition) }
            return try join(.anti, input, plan, on: condition, isNullAware: true)
        case .all(let needles, let comparison):
            let plan = try expand(subquery.plan).withoutOrder
            let needles = try needles.map { try replaceSubqueries(in: $0, &input, isNullSensitive: true) }
            let condition = negated(try quantified(needles, comparison, plan.columns))
            if isNegated { return try join(.semi, input, plan, on: condition) }
            return try join(.anti, input, plan, on: condition, isNullAware: true)
        }
    }

    private func join(
        _ kind: JoinKind, _ left: LogicalPlan, _ right: LogicalPlan, on condition: Expression,
        mark: PlanColumn? = nil, isNullAware: Bool = false
    ) throws -> LogicalPlan {
        let isDependent = !right.outerColumns.isDisjoint(with: left.columnSet)
        // Unknown only matters where something can be NULL.
        let isAware = isNullAware && mayBeUnknown(condition, left.columns + right.columns)
        let join = LogicalJoin(
            kind: kind, condition: condition, left: left, right: right, isDependent: isDependent, markColumn: mark,
            isNullAware: isAware)
        return isDependent ? try unnesting.apply(join) : .join(join)
    }

    /// Whether a comparison of columns may be NULL.
    private func mayBeUnknown(_ condition: Expression, _ columns: [PlanColumn]) -> Bool {
        switch condition {
        case .column(let id, _): columns.first { $0.id == id }?.isNullable ?? true
        case .literal(let value, _): value.isNull
        case .and(let operands), .or(let operands): operands.contains { mayBeUnknown($0, columns) }
        case .not(let operand), .cast(let operand, _, .strict): mayBeUnknown(operand, columns)
        case .call(let call):
            condition.asComparison == nil || call.arguments.contains { mayBeUnknown($0, columns) }
        default: true
        }
    }

    /// `needles op row` for one row of the sub-query.
    private func quantified(_ needles: [Expression], _ comparison: String, _ columns: [PlanColumn]) throws -> Expression
    {
        guard needles.count == columns.count else {
            throw QueryError(
                .syntaxError,
                needles.count < columns.count
                    ? "subquery has too many columns" : "subquery has too few columns")
        }
        let parts = zip(needles, columns).map { needle, column -> Expression in
            .call(
                ScalarCall(
                    name: comparison, arguments: [needle, column.reference], type: .boolean,
                    canFail: Expression.negatedComparison(comparison) == nil))
        }
        if parts.count == 1 { return parts[0] }
        switch comparison {
        case "=": return .and(parts)
        case "<>": return .or(parts)
        default: throw QueryError.notSupported("comparing rows with \(comparison) ANY or ALL")
        }
    }

    private func negated(_ condition: Expression) -> Expression {
        switch condition {
        case .call(var call):
            guard let name = Expression.negatedComparison(call.name) else { return .not(condition) }
            call.name = name
            return .call(call)
        case .and(let operands): return .or(operands.map(negated))
        case .or(let operands): return .and(operands.map(negated))
        default: return .not(condition)
        }
    }

    // MARK: Sub-queries as values

    /// The expression with a column of the input in place of each sub-query. Where NULL and FALSE are the same to the
    /// reader of the value, as in a filter's OR, marks need not tell them apart.
    ///
    /// `reached` holds for the rows for which the expression is evaluated at all: a sub-query in a branch of CASE must not
    /// fail for the others.
    private func replaceSubqueries(
        in expression: Expression, _ input: inout LogicalPlan, isNullSensitive: Bool, reached: Expression = .true
    ) throws -> Expression {
        guard expression.containsSubquery else { return expression }
        switch expression {
        case .subquery(let subquery):
            return try value(of: subquery, &input, isNullSensitive: isNullSensitive, reached: reached)
        case .and(let operands):
            return .and(
                try guarded(operands, &input, isNullSensitive, reached) { .coalesce([$0, .true], type: .boolean) })
        case .or(let operands):
            return .or(
                try guarded(operands, &input, isNullSensitive, reached) {
                    .not(.coalesce([$0, .false], type: .boolean))
                })
        case .coalesce(let operands, let type):
            return .coalesce(try guarded(operands, &input, true, reached) { .isNull($0) }, type: type)
        case .conditional(let branches, let otherwise, let type):
            var reached = reached
            var result: [ConditionalBranch] = []
            for branch in branches {
                let condition = try replaceSubqueries(
                    in: branch.condition, &input, isNullSensitive: true, reached: reached)
                let isTrue = Expression.coalesce([condition, .false], type: .boolean)
                let value = try replaceSubqueries(
                    in: branch.result, &input, isNullSensitive: true, reached: also(reached, isTrue))
                result.append(ConditionalBranch(condition: condition, result: value))
                reached = also(reached, .not(isTrue))
            }
            let last = try replaceSubqueries(in: otherwise, &input, isNullSensitive: true, reached: reached)
            return .conditional(result, otherwise: last, type: type)
        default:
            return try expression.mapChildren {
                try replaceSubqueries(in: $0, &input, isNullSensitive: true, reached: reached)
            }
        }
    }

    /// Operands of which each is evaluated only if those before it leave the result open.
    private func guarded(
        _ operands: [Expression], _ input: inout LogicalPlan, _ isNullSensitive: Bool, _ reached: Expression,
        _ isOpen: (Expression) -> Expression
    ) throws -> [Expression] {
        var reached = reached
        var result: [Expression] = []
        for operand in operands {
            let replaced = try replaceSubqueries(
                in: operand, &input, isNullSensitive: isNullSensitive, reached: reached)
            result.append(replaced)
            reached = also(reached, isOpen(replaced))
        }
        return result
    }

    /// Both conditions; a volatile one would not say the same a second time and is left out.
    private func also(_ first: Expression, _ second: Expression) -> Expression {
        second.isVolatile ? first : .conjunction([first, second])
    }

    private func value(
        of subquery: SubqueryExpression, _ input: inout LogicalPlan, isNullSensitive: Bool, reached: Expression
    ) throws -> Expression {
        let plan = try expand(subquery.plan)
        switch subquery.kind {
        case .scalar:
            let inner = plan.withoutOrder
            // The sub-query's column may be one of the input's, passed through: the value needs its own identity.
            let column = ids.column(inner.columns[0].name, subquery.type)
            let value = LogicalPlan.project(
                LogicalProject(
                    columns: [column], expressions: [inner.columns[0].reference], input: inner))
            let kind: JoinKind =
                inner.outerColumns.isDisjoint(with: input.columnSet) && inner.givesExactlyOneRow
                ? .inner : inner.givesAtMostOneRow ? .left : .single
            // Only a sub-query that may give too many rows can fail for a row that does not ask for it.
            input = try join(kind, input, value, on: kind == .single ? reached : .true)
            return column.reference
        case .exists:
            let column = ids.column("exists", .boolean, isNullable: false)
            input = try join(.mark, input, plan.withoutRowDetails, on: .true, mark: column)
            return column.reference
        case .any(let needles, let comparison):
            let needles = try needles.map { try replaceSubqueries(in: $0, &input, isNullSensitive: true) }
            return try mark(&input, plan.withoutOrder, isNullSensitive) { try quantified(needles, comparison, $0) }
        case .all(let needles, let comparison):
            let needles = try needles.map { try replaceSubqueries(in: $0, &input, isNullSensitive: true) }
            return .not(try mark(&input, plan.withoutOrder, true) { negated(try quantified(needles, comparison, $0)) })
        case .array: return try array(of: plan, type: subquery.type, &input)
        }
    }

    /// A boolean that says whether a row fulfils the condition; NULL if it is unknown and that matters.
    private func mark(
        _ input: inout LogicalPlan, _ plan: LogicalPlan, _ isNullSensitive: Bool,
        _ condition: ([PlanColumn]) throws -> Expression
    ) throws -> Expression {
        let predicate = try condition(plan.columns)
        let isUnknownPossible = isNullSensitive && mayBeUnknown(predicate, input.columns + plan.columns)
        let isCorrelated = !plan.outerColumns.isDisjoint(with: input.columnSet)
        let column = ids.column("mark", .boolean, isNullable: isUnknownPossible)
        guard isUnknownPossible, isCorrelated || predicate.asComparison?.name != "=" else {
            input = try join(.mark, input, plan, on: predicate, mark: column, isNullAware: isUnknownPossible)
            return column.reference
        }
        // With more than one key, a second mark tells whether the condition is unknown for some row.
        let unknown = ids.column("unknown", .boolean, isNullable: false)
        let copy = plan.refreshed(ids).plan
        input = try join(.mark, input, plan, on: predicate, mark: column)
        input = try join(.mark, input, copy, on: .isNull(try condition(copy.columns)), mark: unknown)
        return .conditional(
            [
                ConditionalBranch(condition: column.reference, result: .true),
                ConditionalBranch(condition: unknown.reference, result: .null(.boolean)),
            ], otherwise: .false, type: .boolean)
    }

    /// The rows of a plan below its last projections, the value of `element` in their terms, and the keys of their order.
    private static func ordered(_ plan: LogicalPlan, _ element: Expression) -> (LogicalPlan, Expression, [SortKey]) {
        switch plan {
        case .sort(let sort): return (plan, element, sort.keys)
        case .limit(let limit):
            if case .sort(let sort) = limit.input { return (plan, element, sort.keys) }
        case .project(let project):
            let values = Dictionary(zip(project.columns.map(\.id), project.expressions)) { first, _ in first }
            let inner = element.rewritten { node in
                if case .column(let id, _) = node, let value = values[id] { return value }
                return node
            }
            let result = ordered(project.input, inner)
            if !result.2.isEmpty { return result }
        default: break
        }
        return (plan, element, [])
    }

    /// ARRAY(plan): an aggregate over the rows in their order; without rows it is the empty array, not NULL.
    private func array(of plan: LogicalPlan, type: DataType, _ input: inout LogicalPlan) throws -> Expression {
        let (plan, element, ordering) = Self.ordered(plan, plan.columns[0].reference)
        let column = ids.column("array", type)
        let call = AggregateCall(name: "array_agg", arguments: [element], ordering: ordering, type: type)
        let aggregate = LogicalPlan.aggregate(
            LogicalAggregate(
                groupColumns: [], groups: [], groupingSets: [[]], aggregateColumns: [column], aggregates: [call],
                input: ordering.isEmpty ? plan : plan.withoutOrder))
        input = try join(.left, input, aggregate, on: .true)
        return .coalesce([column.reference, .literal(.emptyArray, type)], type: type)
    }
}

extension Expression {
    static func negatedComparison(_ name: String) -> String? {
        switch name {
        case "=": "<>"
        case "<>": "="
        case "<": ">="
        case "<=": ">"
        case ">": "<="
        case ">=": "<"
        default: nil
        }
    }
}

extension ScalarValue {
    /// An array without elements, of any type.
    static let emptyArray = ScalarValue.bytes(ArrayBlob.encode([], elementType: .int32))
}

extension LogicalPlan {
    /// Without a sort at the top, where the order of rows does not matter.
    var withoutOrder: LogicalPlan {
        switch self {
        case .sort(let node): return node.input.withoutOrder
        case .project(var node):
            node.input = node.input.withoutOrder
            return .project(node)
        default: return self
        }
    }

    /// Only whether there are rows matters: no projection, order, duplicates or limit.
    var withoutRowDetails: LogicalPlan {
        switch self {
        case .sort(let node): return node.input.withoutRowDetails
        case .project(let node): return node.input.withoutRowDetails
        case .distinct(let node): return node.input.withoutRowDetails
        case .limit(let node):
            if node.offset == nil, case .integer(let count)? = node.count?.literal, count > 0 {
                return node.input.withoutRowDetails
            }
            return self
        default: return self
        }
    }
}
