// What the engine tells of itself as JSON: the same pieces for the API and for the live events.

import Coordination
import Diagnostics
import Transport

enum StatusDocuments {
    // MARK: - Workers

    static func write(_ worker: WorkerSummary, latest: WorkerSample?, _ writer: inout JSONWriter) {
        writer.member("id", worker.id.text)
        // Larger than what every reader of JSON keeps exactly.
        writer.member("incarnation", "\(worker.incarnation.value)")
        writer.member("state", worker.state)
        writer.member("version", worker.version)
        writer.member("control", worker.controlAddress)
        writer.member("exchange", worker.exchangeAddress)
        writer.member("running_tasks", worker.runningTasks)
        writer.member("slots", worker.slots)
        writer.member("memory_bytes", worker.memoryBytes)
        writer.member("memory_used_bytes", max(0, worker.memoryBytes - worker.load.memoryFreeBytes))
        writer.member("resident_bytes", worker.load.residentBytes)
        let isGone = worker.state == "lost" || worker.state == "drained"
        writer.member("processors", isGone ? nil : latest?.processors.map { ($0 * 1000).rounded() / 1000 })
    }

    static func writeAges(_ worker: WorkerSummary, _ writer: inout JSONWriter) {
        writer.member("state_age_ms", worker.stateAge.map { $0.wholeNanoseconds / 1_000_000 })
        writer.member("silence_ms", worker.silence.map { $0.wholeNanoseconds / 1_000_000 })
    }

    static func write(_ sample: WorkerSample, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("second", sample.second)
            writer.member("processors", sample.processors.map { ($0 * 1000).rounded() / 1000 })
            writer.member("memory_used_bytes", sample.memoryUsedBytes)
            writer.member("resident_bytes", sample.residentBytes)
            writer.member("running_tasks", sample.runningTasks)
        }
    }

    // MARK: - The cluster

    static func write(_ sample: ActivitySample, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("second", sample.second)
            writer.member("started", sample.started)
            writer.member("finished", sample.finished)
            writer.member("failed", sample.failed)
            writer.member("running", sample.running)
            writer.member("queued", sample.queued)
            writer.member("median_us", sample.median)
            writer.member("p95_us", sample.percentile95)
            writer.member("p99_us", sample.percentile99)
        }
    }

    // MARK: - Queries

    /// `textCountMax`: characters of the statement that are shown.
    static func write(_ query: QueryRecord, textCountMax: Int = .max, _ writer: inout JSONWriter) {
        let text = textCountMax == .max ? query.sql : String(query.sql.prefix(textCountMax))
        writer.member("id", query.id.text)
        writer.member("state", query.state.rawValue)
        writer.member("user", query.user)
        writer.member("sql", text)
        writer.member("started_at_us", query.startedAt)
        writer.member("duration_us", query.durationMicroseconds)
        writer.member("row_count", query.durationMicroseconds == nil ? nil : query.rowCount)
        writer.member("attempts", query.attemptCount)
        writer.member("processor_ns", query.usage.processorNanoseconds)
        writer.member("memory_bytes", query.usage.memoryBytesPeak)
        writer.member("spilled_bytes", query.usage.spilledBytes)
        writer.member("read_bytes", query.usage.bytesRead)
        writer.key("error")
        if let error = query.error { writer.object { ErrorResponse.write(error, &$0) } } else { writer.null() }
    }

    static func write(_ profile: QueryProfile, _ writer: inout JSONWriter) {
        write(profile.record, &writer)
        writer.member("queued_reason", profile.queuedReason)
        writer.member("queue_position", profile.queuePosition)
        writer.array("timeline", profile.chronicle.changes) { writer, change in
            writer.object { writer in
                writer.member("state", change.state.rawValue)
                writer.member("at_us", change.at)
            }
        }
        writer.array("retries", profile.chronicle.retries) { writer, retry in
            writer.object { writer in
                writer.member("attempt", retry.queryAttempt)
                writer.member("at_us", retry.at)
                writer.object("error") { ErrorResponse.write(retry.error, &$0) }
            }
        }
        writer.array("stages", profile.stages) { writer, stage in
            writer.object { writer in
                writer.member("stage", stage.number)
                writer.member("placement", stage.placement)
                writer.member("partitioning", stage.partitioning)
                writer.member("root", stage.root)
                writer.array("runtime_filters", stage.runtimeFilters) { $0.value($1) }
            }
        }
        writer.array("operators", profile.operators) { write($1, &$0) }
        writer.array("tasks", profile.chronicle.tasks) { write($1, profile, &$0) }
    }

    private static func write(_ node: QueryProfile.Operator, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("node", node.node)
            writer.member("stage", node.stage)
            writer.member("name", node.name)
            writer.member("description", node.description)
            writer.member("estimated_rows", node.estimatedRowCount.map { min(1e18, max(0, $0)).rounded() })
            writer.array("inputs", node.inputs) { $0.value($1) }
            writer.member("source_stage", node.sourceStage)
            writer.member("has_run", node.hasRun)
            writer.member("rows_in", node.rowsIn)
            writer.member("rows", node.rowsOut)
            writer.member("time_ns", node.nanoseconds)
            writer.member("memory_bytes", node.memoryBytesPeak)
            writer.member("spilled_bytes", node.spilledBytes)
            writer.member("read_bytes", node.bytesRead)
        }
    }

    private static func write(_ task: QueryChronicle.TaskEntry, _ profile: QueryProfile, _ writer: inout JSONWriter) {
        let root = profile.stages.first { $0.number == task.attempt.stage.number }?.root
        let usage = QueryUsage(task.metrics)
        writer.object { writer in
            writer.member("attempt", task.attempt.queryAttempt)
            writer.member("stage", task.attempt.stage.number)
            writer.member("partition", task.attempt.partition)
            writer.member("worker", task.worker.text)
            writer.member("state", task.state.rawValue)
            writer.member("offered_at_us", task.offeredAt)
            writer.member("started_at_us", task.startedAt)
            writer.member("ended_at_us", task.endedAt)
            writer.member("rows", task.metrics.first { $0.node == root }?.rowsOut)
            writer.member("processor_ns", usage.processorNanoseconds)
            writer.member("memory_bytes", usage.memoryBytesPeak)
            writer.member("spilled_bytes", usage.spilledBytes)
            writer.member("read_bytes", usage.bytesRead)
            writer.key("error")
            if let error = task.error { writer.object { ErrorResponse.write(error, &$0) } } else { writer.null() }
        }
    }
}
