// Left joins of which only the rows without a match are wanted become anti joins.

import Columnar
import QueryPlan

/// `a LEFT JOIN b ON a.x = b.y WHERE b.y IS NULL`: a match would have made b.y other than NULL. Runs behind
/// PushDownPredicates, which brings the test down to its join.
struct FindAntiJoins: LogicalRule {
    func apply(_ plan: LogicalPlan, _ environment: RuleEnvironment) throws -> LogicalPlan {
        plan.rewritten { node in
            guard case .filter(let filter) = node, case .join(let join) = filter.input, join.kind == .left else {
                return node
            }
            return replace(join, filter.predicate.conjuncts) ?? node
        }
    }

    private func replace(_ join: LogicalJoin, _ conjuncts: [Expression]) -> LogicalPlan? {
        let right = join.right.columnSet
        // Columns that a match cannot have as NULL: those that the condition compares, and those that never are.
        var present = join.condition.rejectedNulls.intersection(right)
        for column in join.right.columns where !column.isNullable { present.insert(column.id) }
        let (tests, others) = conjuncts.split { conjunct in
            guard case .isNull(let operand) = conjunct, let id = operand.asColumn else { return false }
            return present.contains(id)
        }
        guard !tests.isEmpty else { return nil }
        let columns = LogicalPlan.join(join).columns
        let anti = LogicalPlan.join(
            LogicalJoin(kind: .anti, condition: join.condition, left: join.left, right: join.right))
        let padded = LogicalPlan.project(
            LogicalProject(
                columns: columns,
                expressions: columns.map { right.contains($0.id) ? .null($0.type) : $0.reference }, input: anti))
        return padded.filtered(others)
    }
}
