// Replaces expressions throughout a physical plan: parameters of a plan that is kept become the values of one execution.

import Columnar

extension PhysicalPlan {
    /// The plan with every expression in it replaced.
    package func mapExpressions(_ transform: (Expression) throws -> Expression) rethrows -> PhysicalPlan {
        PhysicalPlan(
            stages: try stages.map { stage in
                var stage = stage
                stage.root = try stage.root.mapExpressions(transform)
                return stage
            })
    }
}

extension PhysicalNode {
    fileprivate func mapExpressions(_ transform: (Expression) throws -> Expression) rethrows -> PhysicalNode {
        var copy = self
        copy.kind = try kind.mapExpressions(transform)
        return copy
    }
}

extension PhysicalNode.Kind {
    fileprivate func mapExpressions(_ transform: (Expression) throws -> Expression) rethrows -> Self {
        switch self {
        case .scan(var node):
            node.predicates = try node.predicates.map(transform)
            node.storeQuery = try node.storeQuery?.mapExpressions(transform)
            return .scan(node)
        case .values(var node):
            node.rows = try node.rows.map { try $0.map(transform) }
            return .values(node)
        case .filter(var node):
            node.predicate = try transform(node.predicate)
            node.input = try node.input.mapExpressions(transform)
            return .filter(node)
        case .project(var node):
            node.expressions = try node.expressions.map(transform)
            node.input = try node.input.mapExpressions(transform)
            return .project(node)
        case .aggregate(var node):
            node.groups = try node.groups.map(transform)
            node.aggregates = try node.aggregates.map { try $0.mapExpressions(transform) }
            node.input = try node.input.mapExpressions(transform)
            return .aggregate(node)
        case .hashJoin(var node):
            node.leftKeys = try node.leftKeys.map(transform)
            node.rightKeys = try node.rightKeys.map(transform)
            node.residual = try node.residual.map(transform)
            node.left = try node.left.mapExpressions(transform)
            node.right = try node.right.mapExpressions(transform)
            return .hashJoin(node)
        case .nestedLoopJoin(var node):
            node.condition = try transform(node.condition)
            node.left = try node.left.mapExpressions(transform)
            node.right = try node.right.mapExpressions(transform)
            return .nestedLoopJoin(node)
        case .sort(var node):
            node.keys = try node.keys.map { try $0.mapExpression(transform) }
            node.input = try node.input.mapExpressions(transform)
            return .sort(node)
        case .limit(var node):
            node.input = try node.input.mapExpressions(transform)
            return .limit(node)
        case .union(var node):
            node.inputs = try node.inputs.map { try $0.mapExpressions(transform) }
            return .union(node)
        case .window(var node):
            node.partitions = try node.partitions.map(transform)
            node.ordering = try node.ordering.map { try $0.mapExpression(transform) }
            node.calls = try node.calls.map { try $0.mapExpressions(transform) }
            node.input = try node.input.mapExpressions(transform)
            return .window(node)
        case .tableFunction(var node):
            node.arguments = try node.arguments.map(transform)
            node.input = try node.input.mapExpressions(transform)
            return .tableFunction(node)
        case .recursive(var node):
            node.base = try node.base.mapExpressions(transform)
            node.step = try node.step.mapExpressions(transform)
            return .recursive(node)
        case .write(var node):
            node.input = try node.input.mapExpressions(transform)
            return .write(node)
        case .exchangeSource(var node):
            node.mergeKeys = try node.mergeKeys.map { try $0.mapExpression(transform) }
            return .exchangeSource(node)
        case .workingTable: return self
        }
    }
}
