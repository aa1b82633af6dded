// Which queries run and which have ended lately: what system tables, the HTTP API and the dashboard show.

import Diagnostics
import QueryPlan
import Synchronization
import Transport

package struct QueryRecord: Sendable {
    package enum State: String, Sendable, CaseIterable { case queued, running, finished, failed, cancelled }
    package var id: QueryID
    package var sql: String
    package var user: String
    package var state: State
    /// Microseconds since 1970 UTC.
    package var startedAt: Int64
    /// Filled when the query has ended.
    package var durationMicroseconds: Int64?
    package var rowCount: Int
    package var error: QueryError?
    /// How often it was tried; filled when the query has ended.
    package var attemptCount = 0
    /// The number of its session, as `pg_backend_pid()` gives it.
    package var session = 0
    /// Sums over its operators; filled when the query has ended.
    package var usage = QueryUsage()
    /// The trace that it belongs to; `nil` if it belongs to none.
    package var trace: TraceContext?

    /// It has ended with an error.
    mutating func fail(_ error: QueryError) {
        self.error = error
        state = error.state == .queryCanceled ? .cancelled : .failed
    }
}

/// What a query used, over all of its tasks.
package struct QueryUsage: Sendable, Hashable {
    package var processorNanoseconds = 0
    /// The sum of what its operators held at most, on all workers.
    package var memoryBytesPeak = 0
    package var spilledBytes = 0
    package var bytesRead = 0

    package init() {}
    package init(_ metrics: [OperatorMetrics]) {
        for metric in metrics {
            processorNanoseconds += metric.nanoseconds
            memoryBytesPeak += metric.memoryBytesPeak
            spilledBytes += metric.spilledBytes
            bytesRead += metric.bytesRead
        }
    }
}

/// Thread-safe. Keeps the last `historyCountMax` ended queries in memory, the youngest of them with their plans.
package final class QueryRegistry: Sendable {
    package static let historyCountMax = 1000
    /// Ended queries whose plan and tasks are kept.
    package static let profileCountMax = 256
    /// Of a statement's text so much is kept behind its end.
    fileprivate static let textByteCountMax = 64 << 10

    fileprivate struct Running {
        var record: QueryRecord
        var execution: QueryExecution?
        var interruption: Interruption?
    }
    fileprivate struct Ended {
        var record: QueryRecord
        /// Counts the ends of queries, from 1.
        var number: UInt64
        var course: (plan: PhysicalPlan, chronicle: QueryChronicle)?
        /// Of a query of an earlier process.
        var texts: QueryTexts?
    }
    fileprivate struct State {
        var running: [QueryID: Running] = [:]
        var ended: [Ended] = []
        /// Below it entries of `ended` have lost their courses.
        var firstCourse = 0
        var startedCount = 0
        var failedCount = 0
        var endedCount: UInt64 = 0
        var activity = ActivityHistory()
        var totals = QueryTotals()
        var observer: (@Sendable (QueryRecord, QueryCourse?) -> Void)?
        var traceObserver: (@Sendable (QueryRecord, QueryCourse?) -> Void)?
    }
    private let state = Mutex(State())

    package init() {}

    func begin(_ record: QueryRecord) {
        let interruption = Interruption.current
        state.withLock { state in
            state.running[record.id] = Running(record: record, interruption: interruption)
            state.startedCount += 1
            state.activity.noteStart()
        }
    }

    /// A query that began and ended at once.
    func add(_ record: QueryRecord) {
        let (dropped, observer, traces) = state.withLock { state in
            state.startedCount += 1
            state.activity.noteStart()
            return (state.noteEnd(record, course: nil), state.observer, state.traceObserver)
        }
        _ = dropped
        if record.trace != nil { traces?(record, nil) }
        // Look-ups that take microseconds are not worth a place in a store, unless they fail.
        if record.error != nil { observer?(record, nil) }
    }

    /// The query has got its place and is about to run.
    func attach(_ execution: QueryExecution) {
        state.withLock { state in
            state.running[execution.query]?.execution = execution
            state.running[execution.query]?.record.state = .running
            if let start = state.running[execution.query]?.record.startedAt {
                state.totals.queuedNanoseconds += max(0, QueryEngine.now - start) * 1000
            }
        }
    }

    /// A plan was made, in so much time.
    func notePlan(_ duration: Duration) {
        state.withLock { state in
            state.totals.planningNanoseconds += duration.wholeNanoseconds
            state.totals.plannedCount += 1
        }
    }

    package var totals: QueryTotals { state.withLock { $0.totals } }

    func end(_ id: QueryID, at now: Int64, rowCount: Int, error: QueryError?) {
        // What it drops is freed outside of the lock.
        let (dropped, notify) = state.withLock { state -> ([Ended], (() -> Void)?) in
            guard let entry = state.running.removeValue(forKey: id) else { return ([], nil) }
            var record = entry.record
            record.attemptCount = entry.execution.map { $0.progress.queryAttempt + 1 } ?? 0
            record.usage = QueryUsage(entry.execution?.metrics ?? [])
            record.durationMicroseconds = now - record.startedAt
            record.rowCount = rowCount
            record.state = .finished
            if let error { record.fail(error) }
            let course = entry.execution?.course
            state.totals.add(record, course?.chronicle)
            let dropped = state.noteEnd(record, course: course)
            let observer = state.observer
            let traces = record.trace == nil ? nil : state.traceObserver
            guard observer != nil || traces != nil, let last = state.ended.last?.record else { return (dropped, nil) }
            return (
                dropped,
                {
                    let course = course.map { QueryCourse(plan: $0.plan, chronicle: $0.chronicle) }
                    observer?(last, course)
                    traces?(last, course)
                }
            )
        }
        _ = dropped
        notify?()
    }

    /// Running ones first, then the ended ones, newest first.
    package func records() -> [QueryRecord] {
        state.withLock { state in
            let running = state.running.values.map(Self.record)
            return running.sorted { $0.startedAt > $1.startedAt } + state.ended.reversed().map(\.record)
        }
    }

    /// Those that run, newest first, and those that ended after the given number of ends, newest first; with the number
    /// to ask with the next time.
    package func changes(
        after number: UInt64, limit: Int
    ) -> (running: [QueryRecord], ended: [QueryRecord], number: UInt64) {
        state.withLock { state in
            let running = state.running.values.map(Self.record).sorted { $0.startedAt > $1.startedAt }
            var ended: [QueryRecord] = []
            for entry in state.ended.reversed() {
                guard entry.number > number, ended.count < limit else { break }
                ended.append(entry.record)
            }
            return (running, ended, state.endedCount)
        }
    }

    private static func record(_ entry: Running) -> QueryRecord {
        var record = entry.record
        record.attemptCount = entry.execution.map { $0.progress.queryAttempt + 1 } ?? 0
        return record
    }

    /// Everything about one query, running or ended; `nil` if none of that id is known.
    package func profile(_ id: QueryID) -> QueryProfile? {
        let (running, ended) = state.withLock { state in
            (state.running[id], state.ended.last { $0.record.id == id })
        }
        if let running {
            let course = running.execution?.liveCourse
            return QueryProfile(
                record: Self.record(running), plan: course?.plan, chronicle: course?.chronicle ?? QueryChronicle())
        }
        guard let ended else { return nil }
        return QueryProfile(
            record: ended.record, plan: ended.course?.plan, chronicle: ended.course?.chronicle ?? QueryChronicle())
    }

    /// Calls the observer with every query that ends from now on.
    package func observe(_ observer: @escaping @Sendable (QueryRecord, QueryCourse?) -> Void) {
        state.withLock { $0.observer = observer }
    }

    /// Calls the observer with every query that ends from now on and belongs to a trace.
    package func observeTraces(_ observer: @escaping @Sendable (QueryRecord, QueryCourse?) -> Void) {
        state.withLock { $0.traceObserver = observer }
    }

    /// Takes in queries of an earlier process, oldest first.
    package func restore(_ queries: [(record: QueryRecord, texts: QueryTexts?)]) {
        state.withLock { state in
            let known = Set(state.ended.map(\.record.id))
            let restored = queries.filter { !known.contains($0.record.id) }.suffix(Self.historyCountMax)
            state.endedCount += UInt64(restored.count)
            let first = state.endedCount - UInt64(restored.count + state.ended.count)
            var all = restored.map { Ended(record: $0.record, number: 0, course: nil, texts: $0.texts) } + state.ended
            for index in all.indices { all[index].number = first + UInt64(index) + 1 }
            state.firstCourse += restored.count
            state.ended = all
            _ = state.dropOldest()
        }
    }

    /// Plans of queries that have ended, as far as they are kept, newest first.
    package func texts() -> [(id: QueryID, texts: QueryTexts)] {
        let ended = state.withLock { $0.ended }
        return ended.reversed().compactMap { entry in
            if let texts = entry.texts { return (entry.record.id, texts) }
            return entry.course.map {
                (entry.record.id, QueryTexts(entry.record, QueryCourse(plan: $0.plan, chronicle: $0.chronicle)))
            }
        }
    }

    /// The executions of running queries.
    func executions() -> [QueryExecution] { state.withLock { $0.running.values.compactMap(\.execution) } }

    package var counts: (running: Int, started: Int, failed: Int) {
        state.withLock { ($0.running.count, $0.startedCount, $0.failedCount) }
    }

    // MARK: - Activity

    /// What was done second by second, oldest first.
    package func activity(after second: Int64 = .min) -> [ActivitySample] {
        state.withLock { $0.activity.samples(after: second) }
    }

    func closeSecond(_ second: Int64) {
        state.withLock { state in
            let queued = state.running.values.count { $0.record.state == .queued }
            state.activity.close(second: second, running: state.running.count - queued, queued: queued)
        }
    }

    // MARK: - Cancelling

    /// Whose query it is that waits or runs; `nil` if there is none of that id.
    func owner(_ id: QueryID) -> String? { state.withLock { $0.running[id]?.record.user } }

    /// The numbers of sessions that have a query.
    var runningSessions: Set<Int> { state.withLock { Set($0.running.values.map(\.record.session)) } }

    /// Cancels a query that waits or runs; `false` if there is none of that id.
    package func cancel(_ id: QueryID) -> Bool {
        guard let entry = state.withLock({ $0.running[id] }) else { return false }
        entry.interruption?.request(QueryError(.queryCanceled, "canceling statement due to user request"))
        entry.execution?.cancel()
        return true
    }

    /// Cancels what a session runs; `false` if that is nothing.
    package func cancel(session number: Int) -> Bool {
        let found = state.withLock { state in
            state.running.values.filter { $0.record.session == number && $0.execution != nil }.compactMap(\.execution)
        }
        for execution in found { execution.cancel() }
        return !found.isEmpty
    }

    package func cancelAll(_ error: QueryError) {
        for execution in state.withLock({ $0.running.values.compactMap(\.execution) }) { execution.cancel(error) }
    }
}

extension QueryRegistry.State {
    /// Gives what is beyond the limits, to be freed.
    fileprivate mutating func noteEnd(
        _ record: QueryRecord, course: (plan: PhysicalPlan, chronicle: QueryChronicle)?
    ) -> [QueryRegistry.Ended] {
        var record = record
        if record.error != nil { failedCount += 1 }
        activity.noteEnd(microseconds: record.durationMicroseconds ?? 0, failed: record.error != nil)
        let isLong = record.sql.utf8.count > QueryRegistry.textByteCountMax
        if isLong {
            record.sql = String(decoding: record.sql.utf8.prefix(QueryRegistry.textByteCountMax), as: UTF8.self)
        }
        endedCount += 1
        ended.append(QueryRegistry.Ended(record: record, number: endedCount, course: isLong ? nil : course))
        return dropOldest()
    }

    /// Takes away what is beyond the limits, and gives it to be freed.
    fileprivate mutating func dropOldest() -> [QueryRegistry.Ended] {
        var dropped: [QueryRegistry.Ended] = []
        while ended.count - firstCourse > QueryRegistry.profileCountMax {
            dropped.append(ended[firstCourse])
            ended[firstCourse].course = nil
            firstCourse += 1
        }
        if ended.count > QueryRegistry.historyCountMax {
            let count = QueryRegistry.historyCountMax / 4
            dropped += ended.prefix(count)
            ended.removeFirst(count)
            firstCourse = max(0, firstCourse - count)
        }
        return dropped
    }
}
