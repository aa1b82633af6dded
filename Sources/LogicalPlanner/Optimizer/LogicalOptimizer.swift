// The optimiser: rules over logical plans, applied one after the other. RuleSets.swift has their order.

import Columnar
import Diagnostics
import PlanStatistics
import QueryPlan
import SQLFunctions
import Storage

/// Rewrites a bound plan into an equivalent one that is cheap to run. Holds nothing between queries.
package struct LogicalOptimizer: Sendable {
    package var catalog: Catalog
    package var registry: FunctionRegistry
    /// The query's generator: the one that the binder used.
    package var ids: ColumnIDGenerator
    package var context: EvaluationContext

    package init(
        catalog: Catalog, registry: FunctionRegistry, ids: ColumnIDGenerator,
        context: EvaluationContext = EvaluationContext()
    ) {
        self.catalog = catalog
        self.registry = registry
        self.ids = ids
        self.context = context
    }

    /// The optimised plan; its columns are those of the given plan, in the same order.
    package func optimize(_ plan: LogicalPlan) async throws -> LogicalPlan {
        let predicates = SampleEvaluation(registry: registry, context: context)
        let snapshot = try await StatisticsSnapshot.load(for: plan, from: catalog, predicates: predicates)
        return try optimize(plan, snapshot: snapshot)
    }

    /// The same with statistics at hand, which the physical planner may use again.
    package func optimize(_ plan: LogicalPlan, snapshot: StatisticsSnapshot) throws -> LogicalPlan {
        try optimizeShared(plan, snapshot: snapshot)
    }

    /// The rules in their order.
    func applyRules(_ plan: LogicalPlan, _ ids: ColumnIDGenerator, _ snapshot: StatisticsSnapshot) throws -> LogicalPlan
    {
        let environment = RuleEnvironment(
            ids: ids, registry: registry, context: context, estimator: CardinalityEstimator(snapshot))
        var result = plan
        let disabled = context.variation.disabledRules
        for rule in RuleSets.standard where disabled.isEmpty || !disabled.contains(rule.name) {
            try Interruption.check()
            result = try rule.apply(result, environment)
        }
        return result.restoring(plan.columns)
    }
}

/// What rules may use; confined to the planning of one query.
final class RuleEnvironment {
    let ids: ColumnIDGenerator
    let registry: FunctionRegistry
    let context: EvaluationContext
    let estimator: CardinalityEstimator

    init(
        ids: ColumnIDGenerator, registry: FunctionRegistry, context: EvaluationContext, estimator: CardinalityEstimator
    ) {
        self.ids = ids
        self.registry = registry
        self.context = context
        self.estimator = estimator
    }
}

/// A rewriting of whole plans. Sub-query expressions are gone after the first rule.
protocol LogicalRule: Sendable {
    func apply(_ plan: LogicalPlan, _ environment: RuleEnvironment) throws -> LogicalPlan
}

extension LogicalRule {
    var name: String { String(describing: Self.self) }
}

extension LogicalPlan {
    /// The plan with exactly these columns in this order, which it gives among others.
    func restoring(_ wanted: [PlanColumn]) -> LogicalPlan {
        let own = columns
        if own.count == wanted.count, zip(own, wanted).allSatisfy({ $0.id == $1.id }) { return self }
        return .project(LogicalProject(columns: wanted, expressions: wanted.map(\.reference), input: self))
    }

    /// The plan behind a filter; none if there is nothing to filter by.
    func filtered(_ conjuncts: [Expression]) -> LogicalPlan {
        conjuncts.isEmpty ? self : .filter(LogicalFilter(predicate: .conjunction(conjuncts), input: self))
    }

    /// The plan with computed columns added.
    func adding(_ columns: [PlanColumn], _ expressions: [Expression]) -> LogicalPlan {
        if columns.isEmpty { return self }
        let own = self.columns
        return .project(
            LogicalProject(
                columns: own + columns, expressions: own.map(\.reference) + expressions, input: self))
    }

    /// One row without columns.
    static let oneRow = LogicalPlan.values(LogicalValues(columns: [], rows: [[]]))

    var isOneRow: Bool {
        if case .values(let values) = self { values.rows.count == 1 && values.columns.isEmpty } else { false }
    }

    /// Whether the plan gives at most one row whatever the data.
    var givesAtMostOneRow: Bool {
        switch self {
        case .values(let node): return node.rows.count <= 1
        case .aggregate(let node): return node.groupingSets == [[]]
        case .project(let node): return node.input.givesAtMostOneRow
        case .filter(let node): return node.input.givesAtMostOneRow
        case .sort(let node): return node.input.givesAtMostOneRow
        case .limit(let node):
            if !node.withTies, case .integer(let count)? = node.count?.literal, count <= 1 { return true }
            return node.input.givesAtMostOneRow
        case .write: return true
        case .sharedRead(let node): return node.givesAtMostOneRow
        default: return false
        }
    }

    /// Whether the plan gives exactly one row whatever the data.
    var givesExactlyOneRow: Bool {
        switch self {
        case .values(let node): return node.rows.count == 1
        case .aggregate(let node): return node.groupingSets == [[]]
        case .project(let node): return node.input.givesExactlyOneRow
        case .sort(let node): return node.input.givesExactlyOneRow
        case .sharedRead(let node): return node.givesExactlyOneRow
        default: return false
        }
    }
}
