// Cancels that must reach every worker: told again until confirmed. What stays unconfirmed ends by the worker's own
// housekeeping, because nobody watches its tasks any more.

import ClusterMembership
import Diagnostics

extension QuerySchedulerInstance {
    /// One worker that has to forget the tasks of one attempt.
    struct ReleaseRecord: Sendable {
        var worker: WorkerID
        var queryAttempt: Int
        var attempts: [TaskAttemptID]
        var repeats = 0
        var deadline: MonotonicInstant
    }

    /// Workers that have not confirmed yet that they dropped their tasks.
    package var unconfirmedWorkers: [WorkerID] { releases.map(\.worker) }

    /// Tells every worker of the current attempt to drop its tasks.
    mutating func release(_ now: MonotonicInstant, _ directives: inout [SchedulerDirective]) {
        var order: [WorkerID] = []
        var byWorker: [WorkerID: [TaskAttemptID]] = [:]
        // A lost worker has nobody left to tell.
        for record in attempts where record.state != .lost {
            let worker = record.assignment.worker
            if byWorker[worker] == nil { order.append(worker) }
            byWorker[worker, default: []].append(record.assignment.attempt)
        }
        for worker in order {
            let record = ReleaseRecord(
                worker: worker, queryAttempt: queryAttempt, attempts: byWorker[worker] ?? [],
                deadline: now + options.cancelLimit)
            releases.append(record)
            directives.append(.cancelTasks(worker, queryAttempt: queryAttempt, record.attempts))
        }
    }

    mutating func confirmRelease(_ worker: WorkerID, _ number: Int) {
        releases.removeAll { $0.worker == worker && $0.queryAttempt == number }
    }

    mutating func expireReleases(_ now: MonotonicInstant, _ directives: inout [SchedulerDirective]) {
        for index in releases.indices where now >= releases[index].deadline {
            releases[index].repeats += 1
            guard releases[index].repeats <= options.cancelRepeatLimit else { continue }
            releases[index].deadline = now + options.cancelLimit
            directives.append(
                .cancelTasks(
                    releases[index].worker, queryAttempt: releases[index].queryAttempt, releases[index].attempts))
        }
        releases.removeAll { $0.repeats > options.cancelRepeatLimit }
    }
}
