// Expressions as operators use them: one instance a driver.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions

/// Several expressions over the columns of the same batches; parts that they share are evaluated once. Confined to one
/// driver.
package final class RowExpressions {
    package let types: [DataType]
    /// All expressions are columns: nothing is evaluated.
    private let columns: [Int]?
    private let evaluator: ExpressionEvaluator?

    package init(_ expressions: [Expression], task: TaskContext) throws {
        types = expressions.map(\.type)
        let inputs = expressions.compactMap { expression -> Int? in
            if case .input(let index, _) = expression { index } else { nil }
        }
        if inputs.count == expressions.count {
            columns = inputs
            evaluator = nil
        } else {
            columns = nil
            evaluator = try ExpressionEvaluator(
                expressions, registry: task.environment.registry, context: task.environment.evaluationContext)
        }
    }

    package var count: Int { types.count }

    /// For each expression the values of all live rows: a dense vector in any encoding.
    package func evaluate(_ batch: Batch) throws -> [Vector] {
        if let columns { return columns.map { batch.column($0) } }
        return try evaluator.unsafelyUnwrapped.evaluate(batch)
    }
}

/// An expression over the columns of batches. Confined to one driver.
package final class RowExpression {
    private let expressions: RowExpressions

    package init(_ expression: Expression, task: TaskContext) throws {
        expressions = try RowExpressions([expression], task: task)
    }

    package var type: DataType { expressions.types[0] }

    /// The value of every live row: a dense vector in any encoding.
    package func evaluate(_ batch: Batch) throws -> Vector { try expressions.evaluate(batch)[0] }
}

/// A predicate over the columns of batches. Confined to one driver.
package final class RowPredicate {
    private let evaluator: ExpressionEvaluator

    package init(_ expression: Expression, task: TaskContext) throws {
        evaluator = try ExpressionEvaluator(
            [expression], registry: task.environment.registry, context: task.environment.evaluationContext)
    }

    /// The live rows for which the predicate is true; `nil` means all of them.
    package func select(_ batch: Batch) throws -> Selection? { try evaluator.select(batch) }
}
