// The descriptor of a task: everything that a worker needs to run one attempt.

import Diagnostics
import QueryPlan
import Storage

/// One task attempt of a stage, as plain data.
package struct TaskDescriptor: Hashable, Sendable {
    package var attempt: TaskAttemptID
    package var stage: PlanStage
    /// Tasks of the stage, this one included.
    package var taskCount: Int
    /// Partitions of the output: the number of tasks of the stage that reads it.
    package var outputPartitionCount: Int
    /// The splits of each scan in the stage that this task reads.
    package var scans: [ScanAssignment]
    /// Where the output of the stages that it reads lies.
    package var sources: [SourceAssignment]
    /// Microseconds since 1970 UTC at the start of the statement.
    package var statementTimestamp: Int64
    package var timeZone: String
    /// Further settings of the session, sorted by name.
    package var settings: [Setting]
    /// Memory of the query on this worker, bytes.
    package var memoryByteLimit: Int
    /// Driver threads that the task may use.
    package var threads: Int

    package struct ScanAssignment: Hashable, Sendable {
        /// The id of the scan's node.
        package var node: Int
        package var splits: [Split]
        package init(node: Int, splits: [Split]) {
            self.node = node
            self.splits = splits
        }
    }

    package struct SourceAssignment: Hashable, Sendable {
        package var stage: StageID
        /// The chosen attempt of every task of that stage, by partition.
        package var producers: [ProducerLocation]
        package init(stage: StageID, producers: [ProducerLocation]) {
            self.stage = stage
            self.producers = producers
        }
    }

    /// Where a producer's output is served; `transport` names the exchange transport.
    package struct ProducerLocation: Hashable, Sendable {
        package var attempt: TaskAttemptID
        package var worker: WorkerID
        package var transport: String
        package var host: String
        package var port: Int
        package init(attempt: TaskAttemptID, worker: WorkerID, transport: String, host: String, port: Int) {
            self.attempt = attempt
            self.worker = worker
            self.transport = transport
            self.host = host
            self.port = port
        }
    }

    package struct Setting: Hashable, Sendable {
        package var name: String
        package var value: String
        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(
        attempt: TaskAttemptID, stage: PlanStage, taskCount: Int, outputPartitionCount: Int,
        scans: [ScanAssignment] = [], sources: [SourceAssignment] = [], statementTimestamp: Int64 = 0,
        timeZone: String = "UTC", settings: [Setting] = [], memoryByteLimit: Int = 0, threads: Int = 0
    ) {
        self.attempt = attempt
        self.stage = stage
        self.taskCount = taskCount
        self.outputPartitionCount = outputPartitionCount
        self.scans = scans
        self.sources = sources
        self.statementTimestamp = statementTimestamp
        self.timeZone = timeZone
        self.settings = settings.sorted { $0.name < $1.name }
        self.memoryByteLimit = memoryByteLimit
        self.threads = threads
    }
}

/// Task descriptors as bytes.
package enum TaskCodec {
    package static func encode(_ task: TaskDescriptor) throws(QueryError) -> [UInt8] {
        var writer = ByteWriter()
        writer.unsigned(UInt64(WireVersion.plan))
        writer.attempt(task.attempt)
        try writer.stage(task.stage)
        writer.int(task.taskCount)
        writer.int(task.outputPartitionCount)
        try writer.list(task.scans) { (writer, scan) throws(QueryError) in
            writer.int(scan.node)
            try writer.list(scan.splits) { (writer, split) throws(QueryError) in writer.split(split) }
        }
        try writer.list(task.sources) { (writer, source) throws(QueryError) in
            writer.int(source.stage.number)
            try writer.list(source.producers) { (writer, producer) throws(QueryError) in
                writer.attempt(producer.attempt)
                writer.string(producer.worker.text)
                writer.string(producer.transport)
                writer.string(producer.host)
                writer.int(producer.port)
            }
        }
        writer.signed(task.statementTimestamp)
        writer.string(task.timeZone)
        try writer.list(task.settings) { (writer, setting) throws(QueryError) in
            writer.string(setting.name)
            writer.string(setting.value)
        }
        writer.int(task.memoryByteLimit)
        writer.int(task.threads)
        return writer.bytes
    }

    package static func decode(_ bytes: [UInt8]) throws(QueryError) -> TaskDescriptor {
        var reader = ByteReader(bytes)
        try reader.version()
        let attempt = try reader.attempt()
        let stage = try reader.stage()
        let taskCount = try reader.position()
        let outputPartitionCount = try reader.position()
        let scans = try reader.list { (reader) throws(QueryError) in
            TaskDescriptor.ScanAssignment(
                node: try reader.int(),
                splits: try reader.list { (reader) throws(QueryError) in try reader.split() })
        }
        let sources = try reader.list { (reader) throws(QueryError) in
            TaskDescriptor.SourceAssignment(
                stage: StageID(try reader.int()),
                producers: try reader.list { (reader) throws(QueryError) in
                    TaskDescriptor.ProducerLocation(
                        attempt: try reader.attempt(), worker: WorkerID(try reader.string()),
                        transport: try reader.string(), host: try reader.string(), port: try reader.position())
                })
        }
        let statementTimestamp = try reader.signed()
        let timeZone = try reader.string()
        let settings = try reader.list { (reader) throws(QueryError) in
            TaskDescriptor.Setting(name: try reader.string(), value: try reader.string())
        }
        let memoryByteLimit = try reader.position()
        let threads = try reader.position()
        try reader.finish()
        return TaskDescriptor(
            attempt: attempt, stage: stage, taskCount: taskCount, outputPartitionCount: outputPartitionCount,
            scans: scans, sources: sources, statementTimestamp: statementTimestamp, timeZone: timeZone,
            settings: settings, memoryByteLimit: memoryByteLimit, threads: threads)
    }
}

extension ByteWriter {
    package mutating func attempt(_ attempt: TaskAttemptID) {
        string(attempt.query.text)
        int(attempt.queryAttempt)
        int(attempt.stage.number)
        int(attempt.partition)
        int(attempt.attempt)
    }
}

extension ByteReader {
    package mutating func attempt() throws(QueryError) -> TaskAttemptID {
        TaskAttemptID(
            query: QueryID(try string()), queryAttempt: try position(), stage: StageID(try position()),
            partition: try position(), attempt: try position())
    }
}
