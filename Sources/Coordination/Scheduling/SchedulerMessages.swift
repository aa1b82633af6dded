// What goes in and out of a query's scheduler.

import ClusterMembership
import Diagnostics
import Transport

/// A task and the worker that runs it.
package struct TaskAssignment: Hashable, Sendable {
    package var attempt: TaskAttemptID
    package var worker: WorkerID
    package init(attempt: TaskAttemptID, worker: WorkerID) {
        self.attempt = attempt
        self.worker = worker
    }
}

/// One life of a worker.
struct WorkerLife: Hashable, Sendable {
    var worker: WorkerID
    var incarnation: Incarnation
}

/// Where an attempt of a query runs: its tasks in the order of launch, a stage before those that read it.
package struct QueryPlacement: Sendable {
    package var assignments: [TaskAssignment]
    /// Which worker answers at which exchange address: failed fetches name addresses.
    package var workersByAddress: [String: WorkerID]
    package init(assignments: [TaskAssignment], workersByAddress: [String: WorkerID] = [:]) {
        self.assignments = assignments
        self.workersByAddress = workersByAddress
    }
}

package enum SchedulerEvent: Sendable {
    /// The query was admitted.
    case start
    /// The answer to `place`.
    case placed(queryAttempt: Int, QueryPlacement)
    case placementFailed(queryAttempt: Int, QueryError)
    /// The worker has taken the task.
    case accepted(TaskAttemptID)
    /// The worker refused it, or could not be reached.
    case refused(TaskAttemptID, QueryError)
    case status(TaskStatus)
    case workerLost(WorkerID)
    /// The worker has gone in good order: what it had finished was fetched.
    case workerLeft(WorkerID)
    /// The worker leaves soon: what it holds is better moved while that is invisible.
    case workerLeaves(WorkerID)
    /// A life of the worker ended by a crash of a thread that was running this query.
    case blamed(WorkerID, Incarnation)
    /// A new life of the worker is there; what its last one had to say has been told before.
    case workerReturned(WorkerID)
    /// The client is about to get its first row of this attempt.
    case rowsReleased(queryAttempt: Int)
    /// The result was read to its end.
    case resultFinished(queryAttempt: Int)
    /// The result could not be read.
    case resultFailed(queryAttempt: Int, QueryError)
    /// The worker has confirmed that it dropped its tasks of this attempt.
    case cancelConfirmed(WorkerID, queryAttempt: Int)
    /// The client asked to stop or has gone.
    case cancel(QueryError)
    /// Time has passed; due at `nextDeadline`. `clientWaits`: the client asks for rows and gets none.
    case tick(clientWaits: Bool)
}

package enum SchedulerDirective: Sendable {
    /// Choose workers for this attempt, none of `avoiding` as long as others are there, and answer with `placed`.
    case place(queryAttempt: Int, avoiding: [WorkerID])
    /// Read the result of this attempt.
    case openResult(queryAttempt: Int)
    case startTask(TaskAssignment)
    /// Stop tasks and drop their output, whatever their state; answer with `cancelConfirmed`.
    case cancelTasks(WorkerID, queryAttempt: Int, [TaskAttemptID])
    /// Forget the rows that were held back: the attempt is given up.
    case dropResult(queryAttempt: Int)
    /// A worker could not be read by another: evidence for membership.
    case reportFailedFetch(reporter: WorkerID, worker: WorkerID)
    /// A worker did not answer, or failed without a cause in the statement: a strike against it.
    case strike(WorkerID)
    /// The query has failed: the result's reader gets the error.
    case fail(QueryError)
    /// The client's part is over.
    case finished
    /// Every worker that was told to stop has confirmed it, is gone, or was told often enough.
    case settled
}
