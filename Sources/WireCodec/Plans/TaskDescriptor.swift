// What a worker is told about a task: everything it needs to run it, as plain data.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Transport

/// A task as it travels to a worker.
package struct TaskDescriptor: Sendable {
    package var attempt: TaskAttemptID
    package var stage: PlanStage
    /// Tasks of the stage that reads this one's output.
    package var outputPartitionCount: Int
    /// Where the messages of runtime filters between stages go and come from, by the filter's number.
    package var filterRoutes: [Int: StageFilterRoute]
    /// For each stage that is read: its tasks, in order of their partitions.
    package var sources: [StageID: [TaskLocation]]
    /// This task's splits, by the scan's node id.
    package var splits: [Int: [Split]]
    /// Scans that may get more splits, which the task asks for.
    package var lateScans: Set<Int>
    /// The catalogues that the scans use, so that a worker needs no configuration of its own.
    package var catalogs: [CatalogDescriptor]
    /// Microseconds since 1970 UTC: the statement's `now()`.
    package var statementTimestamp: Int64
    package var timeZone: String
    package var textStyle: TextStyle
    /// Bytes that the query may use on one worker.
    package var memoryByteLimit: Int
    /// How the task departs from the usual; only what concerns running it travels.
    package var variation: ExecutionVariation

    package init(
        attempt: TaskAttemptID, stage: PlanStage, outputPartitionCount: Int,
        filterRoutes: [Int: StageFilterRoute] = [:], sources: [StageID: [TaskLocation]],
        splits: [Int: [Split]], lateScans: Set<Int> = [], catalogs: [CatalogDescriptor], statementTimestamp: Int64,
        timeZone: String,
        textStyle: TextStyle = TextStyle(), memoryByteLimit: Int,
        variation: ExecutionVariation = ExecutionVariation()
    ) {
        self.attempt = attempt
        self.stage = stage
        self.outputPartitionCount = outputPartitionCount
        self.filterRoutes = filterRoutes
        self.sources = sources
        self.splits = splits
        self.lateScans = lateScans
        self.catalogs = catalogs
        self.statementTimestamp = statementTimestamp
        self.timeZone = timeZone
        self.textStyle = textStyle
        self.memoryByteLimit = memoryByteLimit
        self.variation = variation
    }
}

/// How a filter's messages travel: as further partitions of the publishing tasks' output, one for each reading task.
package struct StageFilterRoute: Hashable, Sendable {
    /// The first of those partitions.
    package var firstPartition: Int
    package var readerCount: Int
    /// The publishing tasks; empty for these themselves.
    package var publishers: [TaskLocation]
    package init(firstPartition: Int, readerCount: Int, publishers: [TaskLocation]) {
        self.firstPartition = firstPartition
        self.readerCount = readerCount
        self.publishers = publishers
    }
}

/// Where a task's output can be fetched.
package struct TaskLocation: Hashable, Sendable {
    package var attempt: TaskAttemptID
    package var worker: WorkerID
    package var endpoint: Endpoint
    /// The exchange transport's name.
    package var transport: String
    package init(attempt: TaskAttemptID, worker: WorkerID, endpoint: Endpoint, transport: String) {
        self.attempt = attempt
        self.worker = worker
        self.endpoint = endpoint
        self.transport = transport
    }
}

/// A catalogue by its configuration: the same values open the same catalogue on every node.
package struct CatalogDescriptor: Hashable, Sendable {
    package var name: String
    /// The storage plug-in's name.
    package var type: String
    package var values: [String: String]
    package init(name: String, type: String, values: [String: String]) {
        self.name = name
        self.type = type
        self.values = values
    }
}

extension TaskDescriptor {
    /// Partitions of the output that hold messages of runtime filters.
    package var publishedHintCount: Int {
        stage.publishedFilters.reduce(0) { $0 + (filterRoutes[$1.number]?.readerCount ?? 0) }
    }
}
