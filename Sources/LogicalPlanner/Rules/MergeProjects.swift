// Stacked projections become one; projections that change nothing vanish.

import QueryPlan

struct MergeProjects: LogicalRule {
    func apply(_ plan: LogicalPlan, _ environment: RuleEnvironment) throws -> LogicalPlan {
        merge(plan, isPinned: true)
    }

    private func merge(_ plan: LogicalPlan, isPinned: Bool) -> LogicalPlan {
        let areInputsPinned = plan.readsByPosition
        let merged = plan.mapInputs { merge($0, isPinned: areInputsPinned) }
        guard case .project(var node) = merged else { return merged }
        while case .project(let inner) = node.input, canSubstitute(inner, into: node) {
            var values: [ColumnID: Expression] = [:]
            for (column, expression) in zip(inner.columns, inner.expressions) { values[column.id] = expression }
            node.expressions = node.expressions.map { $0.substituting(values) }
            node.input = inner.input
        }
        // Columns by identity: who reads them does not see whether there are more, or in which order.
        let isIdentity = zip(node.columns, node.expressions).allSatisfy { $1.asColumn == $0.id }
        return isIdentity && !isPinned ? node.input : .project(node)
    }

    /// Nothing may be computed more often than before.
    private func canSubstitute(_ inner: LogicalProject, into outer: LogicalProject) -> Bool {
        var computed = ColumnSet()
        for (column, expression) in zip(inner.columns, inner.expressions) {
            if expression.asColumn == nil, !expression.isLiteral {
                if expression.isVolatile { return false }
                computed.insert(column.id)
            }
        }
        if computed.isEmpty { return true }
        var seen = ColumnSet()
        var isRepeated = false
        for expression in outer.expressions {
            expression.visit {
                guard case .column(let id, _) = $0, computed.contains(id) else { return }
                if seen.contains(id) { isRepeated = true }
                seen.insert(id)
            }
        }
        return !isRepeated
    }
}
