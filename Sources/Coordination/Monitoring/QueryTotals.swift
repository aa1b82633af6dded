// What all queries since the start have come to, for metrics.

import Diagnostics

/// Sums over queries.
package struct QueryTotals: Sendable {
    /// Time between the begin of queries and their places.
    package var queuedNanoseconds: Int64 = 0
    /// Time for which plans were made, and how many.
    package var planningNanoseconds: Int64 = 0
    package var plannedCount = 0
    package var spilledBytes = 0
    /// Attempts that were given up and made anew, by the SQLSTATE of the reason.
    package var retryCounts: [String: Int] = [:]
    /// Processor time of attempts that were given up, as far as their workers could tell.
    package var wastedNanoseconds = 0

    mutating func add(_ record: QueryRecord, _ chronicle: QueryChronicle?) {
        spilledBytes += record.usage.spilledBytes
        guard let chronicle, !chronicle.retries.isEmpty else { return }
        for retry in chronicle.retries { retryCounts[retry.error.state.code, default: 0] += 1 }
        let last = chronicle.tasks.map(\.attempt.queryAttempt).max() ?? 0
        for task in chronicle.tasks where task.attempt.queryAttempt < last {
            wastedNanoseconds += task.metrics.reduce(0) { $0 + $1.nanoseconds }
        }
    }
}
