// The course of a query as it is noted, and what was done second by second.

import ClusterMembership
import Diagnostics
import Testing
import Transport

@testable import Coordination

/// A scheduler and what is noted of it.
private struct Course {
    static let query = QueryID("q")
    var scheduler = QuerySchedulerInstance(query: query)
    var chronicle = QueryChronicle()

    mutating func happens(_ event: SchedulerEvent, at time: Int64) {
        _ = scheduler.handle(event, now: MonotonicInstant(nanoseconds: time * 1000))
        chronicle.note(event, scheduler, at: time)
    }

    /// Until its one task runs.
    static func running() -> Course {
        var course = Course()
        course.happens(.start, at: 1)
        course.happens(.placed(queryAttempt: 0, placement(0)), at: 2)
        course.happens(.accepted(attempt(0)), at: 3)
        return course
    }

    static func attempt(_ number: Int) -> TaskAttemptID {
        TaskAttemptID(query: query, queryAttempt: number, stage: StageID(0), partition: 0)
    }

    static func placement(_ number: Int) -> QueryPlacement {
        QueryPlacement(assignments: [TaskAssignment(attempt: attempt(number), worker: WorkerID("w\(number)"))])
    }
}

@Suite("Query chronicle")
struct QueryChronicleTests {
    @Test("states, tasks and metrics are noted with their times")
    func times() {
        var course = Course.running()
        let done = TaskStatus(
            attempt: Course.attempt(0), version: 1, state: .finished, metrics: [OperatorMetrics(node: 1, rowsOut: 7)])
        course.happens(.status(done), at: 5)
        course.happens(.resultFinished(queryAttempt: 0), at: 6)
        #expect(course.chronicle.changes.map(\.state) == [.starting, .running, .finished])
        #expect(course.chronicle.changes.map(\.at) == [1, 3, 6])
        let task = course.chronicle.tasks[0]
        #expect(task.offeredAt == 2 && task.startedAt == 3 && task.endedAt == 5)
        #expect(task.state == .selected && task.metrics.first?.rowsOut == 7)
    }

    @Test("an attempt that is given up stays, with its reason")
    func retry() {
        var course = Course.running()
        course.happens(.workerLost(WorkerID("w0")), at: 4)
        course.happens(.tick(clientWaits: true), at: 2_000_000)
        course.happens(.placed(queryAttempt: 1, Course.placement(1)), at: 2_000_001)
        let chronicle = course.chronicle
        #expect(chronicle.retries.count == 1 && chronicle.retries[0].error.state == .workerLost)
        #expect(chronicle.tasks.count == 2)
        #expect(chronicle.tasks[0].state == .lost && chronicle.tasks[0].endedAt == 4)
        #expect(chronicle.tasks[1].state == .offered && chronicle.tasks[1].worker == WorkerID("w1"))
    }

    @Test("what runs is told between, and not behind its end")
    func progress() {
        var course = Course.running()
        let running = TaskStatus(
            attempt: Course.attempt(0), version: 0, state: .running, metrics: [OperatorMetrics(node: 1, rowsOut: 3)])
        course.chronicle.take(progress: [running])
        #expect(course.chronicle.tasks[0].metrics.first?.rowsOut == 3)
        course.happens(.cancel(QueryError(.queryCanceled, "x")), at: 4)
        #expect(course.chronicle.tasks[0].state == .cancelled)
        var late = running
        late.metrics = []
        course.chronicle.take(progress: [late])
        #expect(course.chronicle.tasks[0].metrics.first?.rowsOut == 3)
    }
}

@Suite("Activity")
struct ActivityHistoryTests {
    @Test("quantiles are right up to the width of a bucket", arguments: [1, 10, 1000, 123_456, 10_000_000])
    func quantiles(scale: Int64) throws {
        var histogram = DurationHistogram()
        for value in 1...100 { histogram.add(Int64(value) * scale) }
        for (share, exact) in [(0.5, 50 * scale), (0.95, 95 * scale), (0.99, 99 * scale), (1.0, 100 * scale)] {
            let found = try #require(histogram.quantile(share))
            #expect(found >= exact && Double(found) <= Double(exact) * 1.13 + 1, "\(share): \(found), not \(exact)")
        }
        histogram.removeAll()
        #expect(histogram.quantile(0.5) == nil)
    }

    @Test("extremes have a bucket")
    func extremes() {
        var histogram = DurationHistogram()
        for value in [Int64.min, -1, 0, .max] { histogram.add(value) }
        #expect(histogram.total == 4)
        #expect(histogram.quantile(0.5) == 0)
    }

    @Test("seconds are closed, kept for a quarter of an hour, and given from any on")
    func seconds() {
        var history = ActivityHistory()
        history.noteStart()
        history.noteStart()
        history.noteEnd(microseconds: 100, failed: false)
        history.noteEnd(microseconds: 100, failed: true)
        history.close(second: 1, running: 3, queued: 1)
        #expect(history.samples()[0].started == 2 && history.samples()[0].failed == 1)
        #expect(history.samples()[0].median.map { $0 >= 100 && $0 <= 113 } == true)
        for second in 2...2000 { history.close(second: Int64(second), running: 0, queued: 0) }
        #expect(history.samples().count == ActivityHistory.sampleCountMax)
        #expect(history.samples(after: 1998).map(\.second) == [1999, 2000])
    }
}

@Suite("Query registry")
struct QueryRegistryTests {
    private func record(_ number: Int, sql: String = "SELECT 1") -> QueryRecord {
        QueryRecord(
            id: QueryID("q\(number)"), sql: sql, user: "u", state: .finished, startedAt: Int64(number),
            durationMicroseconds: 1, rowCount: 1)
    }

    @Test("the history is bounded, and changes are given from a number on")
    func history() {
        let registry = QueryRegistry()
        for number in 1...3000 { registry.add(record(number)) }
        #expect(registry.records().count <= QueryRegistry.historyCountMax)
        #expect(registry.records().first?.id == QueryID("q3000"))
        let changes = registry.changes(after: 2990, limit: 100)
        #expect(changes.number == 3000 && changes.ended.map(\.id.text) == (2991...3000).reversed().map { "q\($0)" })
        #expect(registry.changes(after: 0, limit: 5).ended.count == 5)
        #expect(registry.profile(QueryID("q3000")) != nil && registry.profile(QueryID("q1")) == nil)
    }

    @Test("long statements are cut once they have ended")
    func longText() {
        let registry = QueryRegistry()
        registry.add(record(1, sql: String(repeating: "é", count: 100_000)))
        #expect(registry.records()[0].sql.utf8.count <= 65_540)
    }
}
