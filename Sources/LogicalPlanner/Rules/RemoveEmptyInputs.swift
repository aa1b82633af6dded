// What no row can come from goes: branches of a UNION that a predicate excludes, joins with nothing.

import Columnar
import QueryPlan

/// Folds predicates that became constant when they were pushed down, and removes what they leave empty. Runs behind
/// PushDownPredicates: `kind = 'web'` over a UNION of branches that name their kind is decided there, branch by branch.
/// What LIMIT 0 stands above never runs either, its volatile functions included.
struct RemoveEmptyInputs: LogicalRule {
    func apply(_ plan: LogicalPlan, _ environment: RuleEnvironment) throws -> LogicalPlan {
        let simplifier = ExpressionSimplifier(registry: environment.registry, context: environment.context)
        return plan.rewritten { node in
            switch node {
            case .filter(let filter):
                let isConstant = filter.predicate.conjuncts.contains { $0.columnSet.isEmpty && !$0.isVolatile }
                return Self.simplified(isConstant ? simplifier.simplify(node) : node)
            case .scan(let scan):
                return scan.predicates.contains(.false) ? .empty(scan.columns) : node
            default: return Self.simplified(node)
            }
        }
    }

    /// The node without inputs that have no rows.
    private static func simplified(_ plan: LogicalPlan) -> LogicalPlan {
        switch plan {
        case .filter(let node): return node.input.isEmptyRelation ? node.input : plan
        case .project(let node): return node.input.isEmptyRelation ? .empty(node.columns) : plan
        case .sort(let node): return node.input.isEmptyRelation ? node.input : plan
        case .limit(let node):
            return node.input.isEmptyRelation || (node.givesNothing && !node.input.changesTables)
                ? .empty(plan.columns) : plan
        case .distinct(let node): return node.input.isEmptyRelation ? node.input : plan
        case .window(let node): return node.input.isEmptyRelation ? .empty(plan.columns) : plan
        case .tableFunction(let node): return node.input.isEmptyRelation ? .empty(plan.columns) : plan
        case .aggregate(let node):
            // The empty grouping set has a row whatever the input.
            let isEmpty = node.input.isEmptyRelation && node.groupingSets.allSatisfy { !$0.isEmpty }
            return isEmpty ? .empty(plan.columns) : plan
        case .join(let node): return simplified(node)
        case .setOperation(let node) where node.kind == .union && node.keepsDuplicates:
            switch (node.left.isEmptyRelation, node.right.isEmptyRelation) {
            case (true, true): return .empty(node.columns)
            case (true, false): return renamed(node.right, as: node.columns)
            case (false, true): return renamed(node.left, as: node.columns)
            case (false, false): return plan
            }
        case .shared(let node):
            var isRead = false
            node.input.forEachSharedRead { if $0.number == node.number { isRead = true } }
            return isRead ? plan : node.input
        default: return plan
        }
    }

    private static func simplified(_ node: LogicalJoin) -> LogicalPlan {
        let plan = LogicalPlan.join(node)
        let (isLeftEmpty, isRightEmpty) = (node.left.isEmptyRelation, node.right.isEmptyRelation)
        guard isLeftEmpty || isRightEmpty else { return plan }
        switch node.kind {
        case .inner, .semi: return .empty(plan.columns)
        case .left, .single:
            if isLeftEmpty { return .empty(plan.columns) }
            let nulls = node.right.columns.map { Expression.null($0.type) }
            return .project(
                LogicalProject(
                    columns: plan.columns, expressions: node.left.columns.map(\.reference) + nulls, input: node.left))
        case .anti: return isLeftEmpty ? .empty(plan.columns) : node.left
        case .mark: return isLeftEmpty ? .empty(plan.columns) : plan
        case .right, .full, .rightSemi, .rightAnti:
            return isLeftEmpty && isRightEmpty ? .empty(plan.columns) : plan
        }
    }

    private static func renamed(_ plan: LogicalPlan, as columns: [PlanColumn]) -> LogicalPlan {
        .project(LogicalProject(columns: columns, expressions: plan.columns.map(\.reference), input: plan))
    }
}

extension LogicalPlan {
    /// A relation without rows.
    static func empty(_ columns: [PlanColumn]) -> LogicalPlan { .values(LogicalValues(columns: columns, rows: [])) }

    var isEmptyRelation: Bool {
        if case .values(let node) = self { node.rows.isEmpty } else { false }
    }

    /// Whether running it does more than giving rows.
    fileprivate var changesTables: Bool {
        if case .write = self { return true }
        return inputs.contains(where: \.changesTables)
    }
}

extension LogicalLimit {
    /// LIMIT 0. An offset that is not a plain number is left for the operator to refuse.
    fileprivate var givesNothing: Bool {
        guard count?.literal == .integer(0) else { return false }
        guard let offset else { return true }
        if case .integer(let rows)? = offset.literal { return rows >= 0 }
        return offset.literal == .null
    }
}
