// When what happened to a query: its states, its tasks and why it was tried again. Fed with what its scheduler is fed with.

import ClusterMembership
import Diagnostics
import Transport

/// The course of one query. A value: whoever has one has it as it was at a moment.
package struct QueryChronicle: Sendable {
    package struct StateChange: Sendable, Hashable {
        package var state: QueryState
        /// Microseconds since 1970 UTC, as all times here.
        package var at: Int64
    }

    package struct TaskEntry: Sendable {
        package var attempt: TaskAttemptID
        package var worker: WorkerID
        package var state: AttemptState
        package var offeredAt: Int64
        package var startedAt: Int64?
        package var endedAt: Int64?
        package var error: QueryError?
        /// By operator; complete once the task has ended.
        package var metrics: [OperatorMetrics] = []
    }

    package struct Retry: Sendable {
        /// The attempt that was given up, from 0.
        package var queryAttempt: Int
        package var at: Int64
        package var error: QueryError
    }

    package private(set) var changes: [StateChange] = []
    /// Of all attempts, in the order of launch.
    package private(set) var tasks: [TaskEntry] = []
    package private(set) var retries: [Retry] = []

    /// Takes note of an event after the scheduler has handled it.
    mutating func note(_ event: SchedulerEvent, _ scheduler: QuerySchedulerInstance, at now: Int64) {
        switch event {
        case .placed(let number, let placement):
            guard number == scheduler.queryAttempt else { break }
            for assignment in placement.assignments {
                tasks.append(
                    TaskEntry(
                        attempt: assignment.attempt, worker: assignment.worker, state: .offered, offeredAt: now))
            }
        case .accepted(let attempt): if let index = index(of: attempt) { start(index, now) }
        case .refused(let attempt, let error):
            guard let index = index(of: attempt), tasks[index].endedAt == nil else { break }
            tasks[index].endedAt = now
            tasks[index].error = error
        case .status(let status): if let index = index(of: status.attempt) { take(status, index, now) }
        default: break
        }
        guard scheduler.state != changes.last?.state else { return }
        changes.append(StateChange(state: scheduler.state, at: now))
        if scheduler.state == .retrying {
            let lost = QueryError(.workerLost, "a worker that ran tasks of the query has gone")
            retries.append(
                Retry(queryAttempt: scheduler.queryAttempt, at: now, error: Self.error(of: event) ?? lost))
        }
        if scheduler.state == .retrying || scheduler.state.isTerminal { close(scheduler, now) }
    }

    /// Takes what the operators of running tasks have done so far.
    mutating func take(progress: [TaskStatus]) {
        for status in progress {
            if let index = index(of: status.attempt), tasks[index].endedAt == nil {
                tasks[index].metrics = status.metrics
            }
        }
    }

    /// Takes the states that the scheduler knows for the tasks of its attempt.
    mutating func takeStates(_ scheduler: QuerySchedulerInstance) {
        for (assignment, state) in scheduler.taskStates {
            if let index = index(of: assignment.attempt) { tasks[index].state = state }
        }
    }

    private mutating func close(_ scheduler: QuerySchedulerInstance, _ now: Int64) {
        takeStates(scheduler)
        for index in tasks.indices where tasks[index].endedAt == nil { tasks[index].endedAt = now }
    }

    private mutating func start(_ index: Int, _ now: Int64) {
        if tasks[index].startedAt == nil { tasks[index].startedAt = now }
        if tasks[index].state == .offered { tasks[index].state = .running }
    }

    private mutating func take(_ status: TaskStatus, _ index: Int, _ now: Int64) {
        start(index, now)
        if !status.metrics.isEmpty { tasks[index].metrics = status.metrics }
        guard status.state != .running, tasks[index].endedAt == nil else { return }
        tasks[index].endedAt = now
        tasks[index].error = status.error
        switch status.state {
        case .running: break
        case .finished: tasks[index].state = .flushing
        case .failed: tasks[index].state = .failed
        case .cancelled: tasks[index].state = .cancelled
        }
    }

    private func index(of attempt: TaskAttemptID) -> Int? {
        // All are of one query: its text need not be compared.
        tasks.lastIndex {
            $0.attempt.partition == attempt.partition && $0.attempt.stage == attempt.stage
                && $0.attempt.queryAttempt == attempt.queryAttempt
        }
    }

    private static func error(of event: SchedulerEvent) -> QueryError? {
        switch event {
        case .refused(_, let error), .placementFailed(_, let error), .resultFailed(_, let error): error
        case .status(let status): status.error
        case .workerLost(let worker), .workerLeft(let worker):
            QueryError(.workerLost, "worker \"\(worker)\" was lost while it worked on the query")
        case .workerLeaves(let worker): QueryError(.cannotConnectNow, "worker \"\(worker)\" is leaving")
        default: nil
        }
    }
}
