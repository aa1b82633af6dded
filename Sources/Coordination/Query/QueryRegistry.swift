// Which queries run and which have ended lately: what system tables, the HTTP API and the dashboard show.

import Diagnostics
import Synchronization

package struct QueryRecord: Sendable {
    package enum State: String, Sendable { case queued, running, finished, failed, cancelled }
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

    /// It has ended with an error.
    mutating func fail(_ error: QueryError) {
        self.error = error
        state = error.state == .queryCanceled ? .cancelled : .failed
    }
}

/// Thread-safe. Keeps the last `historyCountMax` ended queries in memory.
package final class QueryRegistry: Sendable {
    package static let historyCountMax = 1000
    private struct State {
        var running: [QueryID: (record: QueryRecord, execution: QueryExecution?)] = [:]
        var ended: [QueryRecord] = []
        var startedCount = 0
        var failedCount = 0

        mutating func noteEnd(_ record: QueryRecord) {
            if record.error != nil { failedCount += 1 }
            ended.append(record)
            if ended.count > QueryRegistry.historyCountMax { ended.removeFirst(QueryRegistry.historyCountMax / 4) }
        }
    }
    private let state = Mutex(State())

    package init() {}

    func begin(_ record: QueryRecord) {
        state.withLock { state in
            state.running[record.id] = (record, nil)
            state.startedCount += 1
        }
    }

    /// A query that began and ended at once.
    func add(_ record: QueryRecord) {
        state.withLock { state in
            state.startedCount += 1
            state.noteEnd(record)
        }
    }

    /// The query has got its place and is about to run.
    func attach(_ execution: QueryExecution) {
        state.withLock { state in
            state.running[execution.query]?.execution = execution
            state.running[execution.query]?.record.state = .running
        }
    }

    func end(_ id: QueryID, at now: Int64, rowCount: Int, error: QueryError?) {
        state.withLock { state in
            guard let entry = state.running.removeValue(forKey: id) else { return }
            var record = entry.record
            record.attemptCount = entry.execution.map { $0.progress.queryAttempt + 1 } ?? 0
            record.durationMicroseconds = now - record.startedAt
            record.rowCount = rowCount
            record.state = .finished
            if let error { record.fail(error) }
            state.noteEnd(record)
        }
    }

    /// Running ones first, then the ended ones, newest first.
    package func records() -> [QueryRecord] {
        state.withLock { state in
            let running = state.running.values.map { entry in
                var record = entry.record
                record.attemptCount = entry.execution.map { $0.progress.queryAttempt + 1 } ?? 0
                return record
            }
            return running.sorted { $0.startedAt > $1.startedAt } + state.ended.reversed()
        }
    }

    /// The executions of running queries.
    func executions() -> [QueryExecution] { state.withLock { $0.running.values.compactMap(\.execution) } }

    package var counts: (running: Int, started: Int, failed: Int) {
        state.withLock { ($0.running.count, $0.startedCount, $0.failedCount) }
    }

    /// Cancels a running query; `false` if there is none of that id.
    package func cancel(_ id: QueryID) -> Bool {
        guard let entry = state.withLock({ $0.running[id] }) else { return false }
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
