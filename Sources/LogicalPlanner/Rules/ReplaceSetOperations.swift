// INTERSECT and EXCEPT become semi and anti joins, UNION becomes UNION ALL and a grouping.

import Columnar
import QueryPlan

/// Afterwards UNION ALL is the only set operation. Rows are compared as IS NOT DISTINCT FROM does; with ALL, the copies
/// of a row are numbered on both sides and compared with their numbers.
struct ReplaceSetOperations: LogicalRule {
    func apply(_ plan: LogicalPlan, _ environment: RuleEnvironment) throws -> LogicalPlan {
        plan.rewritten { node in
            guard case .setOperation(let operation) = node else { return node }
            return replace(operation, environment.ids)
        }
    }

    private func replace(_ node: LogicalSetOperation, _ ids: ColumnIDGenerator) -> LogicalPlan {
        if node.kind == .union {
            if node.keepsDuplicates { return .setOperation(node) }
            var all = node
            all.keepsDuplicates = true
            all.columns = ids.copies(of: node.columns)
            return grouped(.setOperation(all), as: node.columns)
        }
        let kind: JoinKind = node.kind == .intersect ? .semi : .anti
        guard node.keepsDuplicates else {
            let condition = equality(node.left.columns, node.right.columns)
            let join = LogicalPlan.join(
                LogicalJoin(kind: kind, condition: condition, left: node.left, right: node.right))
            return grouped(join, as: node.columns)
        }
        let (left, right) = (numbered(node.left, ids), numbered(node.right, ids))
        let join = LogicalPlan.join(
            LogicalJoin(
                kind: kind, condition: equality(left.columns, right.columns), left: left, right: right))
        return .project(
            LogicalProject(
                columns: node.columns, expressions: node.left.columns.map(\.reference), input: join))
    }

    private func grouped(_ plan: LogicalPlan, as columns: [PlanColumn]) -> LogicalPlan {
        .aggregate(
            LogicalAggregate(
                groupColumns: columns, groups: plan.columns.map(\.reference), aggregateColumns: [], aggregates: [],
                input: plan))
    }

    private func equality(_ left: [PlanColumn], _ right: [PlanColumn]) -> Expression {
        .conjunction(
            zip(left, right).map { a, b in
                a.isNullable || b.isNullable
                    ? .nullSafeEquality(a.reference, b.reference) : .comparison("=", a.reference, b.reference)
            })
    }

    private func numbered(_ plan: LogicalPlan, _ ids: ColumnIDGenerator) -> LogicalPlan {
        let call = WindowCall(name: "row_number", isAggregate: false, arguments: [], frame: WindowFrame(), type: .int64)
        return .window(
            LogicalWindow(
                partitions: plan.columns.map(\.reference), ordering: [],
                columns: [ids.column("row_number", .int64, isNullable: false)], calls: [call], input: plan))
    }
}
