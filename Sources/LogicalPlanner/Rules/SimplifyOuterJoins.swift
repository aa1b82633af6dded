// Outer joins whose NULL-extended rows are thrown away above become inner joins.

import QueryPlan

/// Passes down the columns whose NULLs no row survives. Right joins are turned round, so that later rules know left ones
/// only; a single join whose right side cannot give two rows for one is a left join.
struct SimplifyOuterJoins: LogicalRule {
    func apply(_ plan: LogicalPlan, _ environment: RuleEnvironment) throws -> LogicalPlan {
        simplify(plan, rejected: ColumnSet())
    }

    private func simplify(_ plan: LogicalPlan, rejected: ColumnSet) -> LogicalPlan {
        switch plan {
        case .filter(var node):
            node.input = simplify(node.input, rejected: rejected.union(node.predicate.rejectedNulls))
            return .filter(node)
        case .project(var node):
            var below = ColumnSet()
            for (column, expression) in zip(node.columns, node.expressions) where rejected.contains(column.id) {
                expression.collectStrictColumns(into: &below)
            }
            node.input = simplify(node.input, rejected: below)
            return .project(node)
        case .aggregate(var node):
            var below = ColumnSet()
            for (index, column) in node.groupColumns.enumerated()
            where rejected.contains(column.id) && node.groupingSets.allSatisfy({ $0.contains(index) }) {
                node.groups[index].collectStrictColumns(into: &below)
            }
            node.input = simplify(node.input, rejected: below)
            return .aggregate(node)
        case .sort(var node):
            node.input = simplify(node.input, rejected: rejected)
            return .sort(node)
        case .join(let node): return simplify(node, rejected: rejected)
        default: return plan.mapInputs { simplify($0, rejected: ColumnSet()) }
        }
    }

    private func simplify(_ node: LogicalJoin, rejected: ColumnSet) -> LogicalPlan {
        var node = node
        if node.kind == .right {
            (node.left, node.right) = (node.right, node.left)
            node.kind = .left
        }
        if node.kind == .full {
            let isLeftKept = rejected.isDisjoint(with: node.left.columnSet)
            let isRightKept = rejected.isDisjoint(with: node.right.columnSet)
            switch (isLeftKept, isRightKept) {
            case (false, false): node.kind = .inner
            case (false, true): node.kind = .left
            case (true, false):
                (node.left, node.right) = (node.right, node.left)
                node.kind = .left
            case (true, true): break
            }
        }
        if node.kind == .single, isUnique(node.right, in: node.condition, left: node.left) { node.kind = .left }
        if node.kind == .left {
            if !rejected.isDisjoint(with: node.right.columnSet) {
                node.kind = .inner
            } else if node.condition == .true, node.right.givesExactlyOneRow {
                node.kind = .inner
            }
        }
        let own = node.condition.rejectedNulls
        switch node.kind {
        case .inner, .semi:
            node.left = simplify(node.left, rejected: rejected.union(own))
            node.right = simplify(node.right, rejected: node.kind == .semi ? own : rejected.union(own))
        case .full, .right, .rightSemi, .rightAnti:
            node.left = simplify(node.left, rejected: ColumnSet())
            node.right = simplify(node.right, rejected: ColumnSet())
        case .left, .anti, .mark, .single:
            node.left = simplify(node.left, rejected: rejected)
            node.right = simplify(node.right, rejected: node.isNullAware ? ColumnSet() : own)
        }
        return .join(node)
    }

    /// Whether the condition finds at most one row of the plan: an equality for every group column of an aggregate.
    private func isUnique(_ plan: LogicalPlan, in condition: Expression, left: LogicalPlan) -> Bool {
        if plan.givesAtMostOneRow { return true }
        switch plan {
        case .filter(let node): return isUnique(node.input, in: condition, left: left)
        case .project(let node):
            var names: [ColumnID: Expression] = [:]
            for (column, expression) in zip(node.columns, node.expressions) where expression.asColumn != nil {
                names[column.id] = expression
            }
            return isUnique(node.input, in: condition.substituting(names), left: left)
        case .aggregate(let node):
            guard node.groupingSets.count == 1 else { return false }
            let leftColumns = left.columnSet
            var tied = ColumnSet()
            for conjunct in condition.conjuncts {
                guard let (a, b, _) = conjunct.asEquality else { continue }
                for (x, y) in [(a, b), (b, a)] where y.columnSet.isSubset(of: leftColumns) {
                    if let id = x.asColumn { tied.insert(id) }
                }
            }
            return ColumnSet(node.groupColumns).isSubset(of: tied)
        default: return false
        }
    }
}

extension Expression {
    /// Columns of which a NULL makes the expression NULL.
    func collectStrictColumns(into set: inout ColumnSet) {
        switch self {
        case .column(let id, _): set.insert(id)
        case .call(let call):
            if call.isStrict { for argument in call.arguments { argument.collectStrictColumns(into: &set) } }
        case .cast(let operand, _, .strict), .not(let operand), .inList(let operand, _):
            operand.collectStrictColumns(into: &set)
        default: break
        }
    }

    /// Columns of which a NULL keeps the predicate from being true.
    var rejectedNulls: ColumnSet {
        var set = ColumnSet()
        switch self {
        case .and(let operands): for operand in operands { set.formUnion(operand.rejectedNulls) }
        case .or(let operands):
            guard let first = operands.first else { return set }
            set = operands.dropFirst().reduce(first.rejectedNulls) { $0.intersection($1.rejectedNulls) }
        case .not(.isNull(let operand)): operand.collectStrictColumns(into: &set)
        default: collectStrictColumns(into: &set)
        }
        return set
    }
}
