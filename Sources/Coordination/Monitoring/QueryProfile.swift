// Everything that is known of one query, put together for people: its plan with what the operators did, stages, tasks.

import ClusterMembership
import Diagnostics
import QueryPlan
import Transport

package struct QueryProfile: Sendable {
    /// Sums over the tasks of the attempt that counts.
    package struct Operator: Sendable {
        package var node: Int
        package var stage: Int
        package var name: String
        package var description: String
        package var estimatedRowCount: Double?
        /// Operators of the same stage that it takes rows from.
        package var inputs: [Int]
        /// The stage whose rows it takes, for an exchange.
        package var sourceStage: Int?
        package var hasRun = false
        package var rowsIn = 0
        package var rowsOut = 0
        package var nanoseconds = 0
        package var memoryBytesPeak = 0
        package var spilledBytes = 0
        package var bytesRead = 0
    }

    package struct Stage: Sendable {
        package var number: Int
        package var placement: String
        /// How its rows are spread over the tasks of the stage that reads it; empty for the result.
        package var partitioning: String
        package var root: Int
        package var runtimeFilters: [String]
    }

    package var record: QueryRecord
    package var chronicle: QueryChronicle
    package var operators: [Operator]
    package var stages: [Stage]
    package var queuedReason: String?
    package var queuePosition: Int?

    init(record: QueryRecord, plan: PhysicalPlan?, chronicle: QueryChronicle) {
        self.record = record
        self.chronicle = chronicle
        operators = []
        stages = []
        for stage in plan?.stages ?? [] {
            stages.append(
                Stage(
                    number: stage.id.number, placement: PhysicalPlanPrinter.place(stage),
                    partitioning: stage.id.number == 0 ? "" : PhysicalPlanPrinter.partitioning(stage),
                    root: stage.root.id, runtimeFilters: PhysicalPlanPrinter.filters(stage)))
            add(stage.root, of: stage.id.number)
        }
        addMetrics()
    }

    private mutating func add(_ node: PhysicalNode, of stage: Int) {
        let description = PhysicalPlanPrinter.description(node)
        var source: Int?
        if case .exchangeSource(let exchange) = node.kind { source = exchange.stage.number }
        operators.append(
            Operator(
                node: node.id, stage: stage, name: String(description.prefix { $0 != " " }),
                description: description,
                estimatedRowCount: node.estimatedRowCount.isFinite ? node.estimatedRowCount : nil,
                inputs: node.inputs.map(\.id), sourceStage: source))
        for input in node.inputs { add(input, of: stage) }
    }

    private mutating func addMetrics() {
        let last = chronicle.tasks.last?.attempt.queryAttempt ?? 0
        let places = Dictionary(operators.enumerated().map { ($0.element.node, $0.offset) }) { first, _ in first }
        for task in chronicle.tasks where task.attempt.queryAttempt == last {
            for metric in task.metrics {
                guard let place = places[metric.node] else { continue }
                operators[place].hasRun = true
                operators[place].rowsIn += metric.rowsIn
                operators[place].rowsOut += metric.rowsOut
                operators[place].nanoseconds += metric.nanoseconds
                operators[place].memoryBytesPeak += metric.memoryBytesPeak
                operators[place].spilledBytes += metric.spilledBytes
                operators[place].bytesRead += metric.bytesRead
            }
        }
    }
}
