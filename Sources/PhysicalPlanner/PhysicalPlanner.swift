// PhysicalPlanner turns a decorrelated logical plan into operators over positions, cut into stages.
//
//   PhysicalPlanner      the entry point and its options
//   Building/            one family of operators a file: logical node in, operators out
//   Distribution/        how rows are spread over tasks, and the exchanges between stages

import Columnar
import Diagnostics
import PlanStatistics
import QueryPlan
import SQLFunctions
import Storage

/// What the planner must know about the place where the query will run.
package struct PlannerOptions: Sendable {
    /// Tasks of a stage that runs on all workers. With 1 the plan has no exchange, except for data that only the
    /// coordinator has.
    package var workerCount: Int
    package var threadsPerWorker: Int
    /// Whether the workers live in the coordinator's process and so can read what only it has.
    package var coordinatorIsWorker: Bool
    /// A build side is sent to every worker only if it is expected to take no more than this.
    package var broadcastByteLimit: Double
    /// A build side that is made of tables of no more rows together is made by every worker on its own.
    package var replicationRowLimit: Double
    /// Groups up to this number are brought together in one task instead of being spread over the workers.
    package var singleTaskGroupLimit: Double
    /// Where set, joins between tasks go this way whatever it costs.
    package var joinDistribution: ExecutionVariation.JoinDistribution?
    /// Leaves parameters in the plan, to be replaced by values before it runs. Without it a parameter is an error.
    package var keepsParameters: Bool

    package init(
        workerCount: Int = 1, threadsPerWorker: Int = 1, coordinatorIsWorker: Bool = true,
        broadcastByteLimit: Double = 256 * 1_048_576, replicationRowLimit: Double = 20_000,
        singleTaskGroupLimit: Double = 10_000,
        joinDistribution: ExecutionVariation.JoinDistribution? = nil, keepsParameters: Bool = false
    ) {
        self.keepsParameters = keepsParameters
        self.workerCount = max(1, workerCount)
        self.threadsPerWorker = max(1, threadsPerWorker)
        self.coordinatorIsWorker = coordinatorIsWorker
        self.broadcastByteLimit = broadcastByteLimit
        self.replicationRowLimit = replicationRowLimit
        self.singleTaskGroupLimit = singleTaskGroupLimit
        self.joinDistribution = joinDistribution
    }
}

/// Plans one query at a time; holds nothing between queries.
package struct PhysicalPlanner: Sendable {
    package var registry: FunctionRegistry
    package var options: PlannerOptions
    package var catalog: Catalog

    package init(registry: FunctionRegistry, options: PlannerOptions = PlannerOptions(), catalog: Catalog) {
        self.registry = registry
        self.options = options
        self.catalog = catalog
    }

    /// Stages for an optimised plan. `snapshot` saves a second look at the catalogue when the optimiser had one already.
    package func plan(_ logical: LogicalPlan, snapshot: StatisticsSnapshot? = nil) async throws -> PhysicalPlan {
        let known: StatisticsSnapshot
        if let snapshot {
            known = snapshot
        } else {
            known = try await StatisticsSnapshot.load(for: logical, from: catalog)
        }
        return try Self.plan(logical, registry: registry, options: options, snapshot: known)
    }

    /// The same without a catalogue.
    package static func plan(
        _ logical: LogicalPlan, registry: FunctionRegistry, options: PlannerOptions, snapshot: StatisticsSnapshot
    ) throws -> PhysicalPlan {
        let builder = PlanBuilder(registry: registry, options: options, snapshot: snapshot, plan: logical)
        return try builder.finish(logical)
    }
}
