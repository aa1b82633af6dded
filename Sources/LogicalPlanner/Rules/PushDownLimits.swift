// Limits without an order move to where fewer rows are then made.

import Columnar
import QueryPlan

/// A limit above a projection moves below it; above UNION ALL or a left join it is repeated below, where the inputs need
/// give no more rows than the limit and its offset.
struct PushDownLimits: LogicalRule {
    func apply(_ plan: LogicalPlan, _ environment: RuleEnvironment) throws -> LogicalPlan { push(plan) }

    private func push(_ plan: LogicalPlan) -> LogicalPlan {
        guard case .limit(var node) = plan, !node.withTies else { return plan.mapInputs(push) }
        switch node.input {
        case .project(var project) where !project.expressions.contains(where: \.isVolatile):
            node.input = project.input
            project.input = push(.limit(node))
            return .project(project)
        case .setOperation(var union) where union.kind == .union && union.keepsDuplicates:
            guard let enough = enough(node) else { return plan.mapInputs(push) }
            union.left = push(enough(union.left))
            union.right = push(enough(union.right))
            node.input = .setOperation(union)
            return .limit(node)
        case .join(var join) where join.kind == .left || join.kind == .mark || join.kind == .single:
            guard let enough = enough(node) else { return plan.mapInputs(push) }
            join.left = push(enough(join.left))
            join.right = push(join.right)
            node.input = .join(join)
            return .limit(node)
        default: return plan.mapInputs(push)
        }
    }

    /// A limit that leaves as many rows as the given one reads.
    private func enough(_ node: LogicalLimit) -> ((LogicalPlan) -> LogicalPlan)? {
        guard case .integer(let count)? = node.count?.literal else { return nil }
        var offset: Int64 = 0
        if let expression = node.offset, expression.literal != .null {
            guard case .integer(let value)? = expression.literal else { return nil }
            offset = value
        }
        let (sum, overflow) = count.addingReportingOverflow(offset)
        if overflow { return nil }
        return { .limit(LogicalLimit(count: .literal(.integer(sum), .int64), offset: nil, input: $0)) }
    }
}
