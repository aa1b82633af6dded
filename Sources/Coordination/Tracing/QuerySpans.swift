// The spans of a query that has ended: the query, its stages, their tasks, and the operators of the tasks.

import ClusterMembership
import Diagnostics
import Transport

/// A piece of a trace. Times are microseconds since 1970 UTC.
package struct TraceSpan: Sendable {
    package enum Value: Sendable, Hashable {
        case text(String)
        case integer(Int)
        case boolean(Bool)
    }
    package struct Event: Sendable {
        package var name: String
        package var at: Int64
        package var attributes: [(name: String, value: Value)] = []
    }

    package var id: String
    package var parentID: String?
    package var name: String
    /// Whether a client waits for it.
    package var isServer = false
    package var startedAt: Int64
    package var endedAt: Int64
    package var attributes: [(name: String, value: Value)] = []
    package var events: [Event] = []
    /// The message of the error that it ended with.
    package var error: String?
}

package struct QueryTrace: Sendable {
    package var context: TraceContext
    package var spans: [TraceSpan]

    /// `withText`: whether the query's span has the statement, in which there may be what is nobody's business.
    package init(
        context: TraceContext, record: QueryRecord, course: QueryCourse?, withText: Bool
    ) {
        self.context = context
        let end = record.startedAt + (record.durationMicroseconds ?? 0)
        var query = TraceSpan(
            id: TraceIdentifiers.span(), parentID: context.parentSpanID, name: "query", isServer: true,
            startedAt: record.startedAt, endedAt: end)
        query.attributes = [
            ("db.system.name", .text("martlet")), ("martlet.query.id", .text(record.id.text)),
            ("martlet.query.user", .text(record.user)), ("martlet.query.rows", .integer(record.rowCount)),
            ("martlet.query.attempts", .integer(record.attemptCount)),
            ("martlet.query.cpu_ns", .integer(record.usage.processorNanoseconds)),
            ("martlet.query.spilled_bytes", .integer(record.usage.spilledBytes)),
            ("martlet.query.read_bytes", .integer(record.usage.bytesRead)),
        ]
        if withText { query.attributes.append(("db.query.text", .text(record.sql))) }
        if let error = record.error {
            query.error = error.message
            query.attributes.append(("db.response.status_code", .text(error.state.code)))
        }
        spans = []
        guard let course else {
            spans = [query]
            return
        }
        for change in course.chronicle.changes {
            query.events.append(TraceSpan.Event(name: "\(change.state)", at: change.at))
        }
        for retry in course.chronicle.retries {
            query.events.append(
                TraceSpan.Event(
                    name: "retry", at: retry.at,
                    attributes: [
                        ("martlet.attempt", .integer(retry.queryAttempt)),
                        ("exception.message", .text(retry.error.message)),
                    ]))
        }
        spans = [query]
        addStages(of: query, QueryProfile(record: record, plan: course.plan, chronicle: course.chronicle), end)
    }

    private mutating func addStages(of query: TraceSpan, _ profile: QueryProfile, _ end: Int64) {
        let operators = Dictionary(profile.operators.map { ($0.node, $0) }) { first, _ in first }
        let attempts = Set(profile.chronicle.tasks.map(\.attempt.queryAttempt)).sorted()
        for attempt in attempts {
            for stage in profile.stages {
                let tasks = profile.chronicle.tasks.filter {
                    $0.attempt.queryAttempt == attempt && $0.attempt.stage.number == stage.number
                }
                guard let first = tasks.map(\.offeredAt).min() else { continue }
                let span = TraceSpan(
                    id: TraceIdentifiers.span(), parentID: query.id, name: "stage \(stage.number)", startedAt: first,
                    endedAt: max(first, tasks.map { $0.endedAt ?? end }.max() ?? end),
                    attributes: [
                        ("martlet.stage", .integer(stage.number)), ("martlet.attempt", .integer(attempt)),
                        ("martlet.stage.placement", .text(stage.placement)),
                        ("martlet.stage.partitioning", .text(stage.partitioning)),
                    ])
                spans.append(span)
                for task in tasks { add(task, of: span, operators, end) }
            }
        }
    }

    private mutating func add(
        _ task: QueryChronicle.TaskEntry, of stage: TraceSpan, _ operators: [Int: QueryProfile.Operator], _ end: Int64
    ) {
        let started = task.startedAt ?? task.offeredAt
        let ended = max(started, task.endedAt ?? end)
        var span = TraceSpan(
            id: TraceIdentifiers.span(), parentID: stage.id, name: "task \(task.attempt.partition)",
            startedAt: task.offeredAt, endedAt: max(task.offeredAt, ended),
            attributes: [
                ("martlet.worker", .text(task.worker.text)), ("martlet.partition", .integer(task.attempt.partition)),
                ("martlet.task.state", .text(task.state.rawValue)),
            ])
        span.error = task.error?.message
        spans.append(span)
        // Operators of a pipeline take turns on the task's threads: each is there for as long as the task is, and busy for a
        // part of that, which its attribute says.
        for metric in task.metrics {
            guard let known = operators[metric.node] else { continue }
            spans.append(
                TraceSpan(
                    id: TraceIdentifiers.span(), parentID: span.id, name: known.name, startedAt: started,
                    endedAt: ended,
                    attributes: [
                        ("martlet.operator", .integer(metric.node)),
                        ("martlet.operator.description", .text(known.description)),
                        ("martlet.operator.rows_in", .integer(metric.rowsIn)),
                        ("martlet.operator.rows", .integer(metric.rowsOut)),
                        ("martlet.operator.cpu_ns", .integer(metric.nanoseconds)),
                        ("martlet.operator.memory_bytes", .integer(metric.memoryBytesPeak)),
                        ("martlet.operator.spilled_bytes", .integer(metric.spilledBytes)),
                        ("martlet.operator.read_bytes", .integer(metric.bytesRead)),
                    ]))
        }
    }
}
