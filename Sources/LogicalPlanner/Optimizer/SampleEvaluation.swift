// Predicates over samples of tables, for estimates.

import Columnar
import Diagnostics
import PlanStatistics
import QueryPlan
import SQLFunctions

/// Evaluates with the statement's registry and context, as the query itself will.
package struct SampleEvaluation: SamplePredicates {
    private let registry: FunctionRegistry
    private let context: EvaluationContext

    package init(registry: FunctionRegistry, context: EvaluationContext) {
        self.registry = registry
        self.context = context
    }

    package func select(_ predicate: QueryPlan.Expression, from batches: [Batch]) throws -> [Selection?] {
        let evaluator = try ExpressionEvaluator([predicate], registry: registry, context: context)
        return try batches.map { try evaluator.select($0) }
    }
}
