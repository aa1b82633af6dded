// The scheduler of one query as a state machine: which task runs where, when the query is over, what failed it.
//
// All edges between stages are pipelined, so all tasks start together, readers' producers first. The first error ends the
// query; every way out cancels what may still run. Nothing here reads a clock or waits.

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

package enum SchedulerEvent: Sendable {
    case start
    /// The worker has taken the task.
    case accepted(TaskAttemptID)
    /// The worker refused it, or could not be reached.
    case refused(TaskAttemptID, QueryError)
    case status(TaskStatus)
    case workerLost(WorkerID)
    /// The client has read the result to its end.
    case resultFinished
    /// The result could not be read.
    case resultFailed(QueryError)
    /// The client asked to stop or has gone.
    case cancel(QueryError)
    /// Time has passed; due at `nextDeadline`.
    case tick
}

package enum SchedulerDirective: Sendable {
    case startTask(TaskAssignment)
    /// Stop tasks and drop their output, whatever their state.
    case cancelTasks(WorkerID, [TaskAttemptID])
    /// The query has failed: the result's reader gets the error.
    case fail(QueryError)
    /// Nothing is left to do.
    case finished
}

package struct StageSchedulerInstance: Sendable {
    package enum State: Sendable, Hashable { case planned, starting, running, finishing, finished, failed }

    private struct TaskRecord: Sendable {
        var assignment: TaskAssignment
        var isAccepted = false
        var version = -1
        var state = TaskState.running
    }

    package private(set) var state = State.planned
    /// In the order of launch.
    private var tasks: [TaskRecord]
    private var indexes: [TaskAttemptID: Int] = [:]

    /// Where every task runs and how far it is.
    package var taskStates: [(assignment: TaskAssignment, state: TaskState)] {
        tasks.map { ($0.assignment, $0.state) }
    }
    /// Metrics of tasks that have ended, in order of arrival.
    package private(set) var metrics: [OperatorMetrics] = []
    package private(set) var failure: QueryError?
    /// When the current state must be over, in nanoseconds of the shell's clock.
    package private(set) var nextDeadline: Int64?

    /// How long workers may take to accept all tasks.
    package static let launchNanoseconds: Int64 = 10_000_000_000
    /// How long final states are waited for after the last row.
    package static let finishNanoseconds: Int64 = 500_000_000

    /// `assignments` in the order of launch: a stage before those that read it.
    package init(assignments: [TaskAssignment]) {
        tasks = assignments.map { TaskRecord(assignment: $0) }
        for (index, assignment) in assignments.enumerated() { indexes[assignment.attempt] = index }
    }

    package mutating func handle(_ event: SchedulerEvent, now: Int64) -> [SchedulerDirective] {
        var directives: [SchedulerDirective] = []
        switch event {
        case .start:
            guard state == .planned else { break }
            state = .starting
            nextDeadline = now + Self.launchNanoseconds
            for task in tasks { directives.append(.startTask(task.assignment)) }
        case .accepted(let attempt):
            guard let index = indexes[attempt] else { break }
            tasks[index].isAccepted = true
            if state == .starting, tasks.allSatisfy(\.isAccepted) {
                state = .running
                nextDeadline = nil
            }
        case .refused(_, let error):
            fail(error, &directives)
        case .status(let status):
            take(status, &directives)
        case .workerLost(let worker):
            loseWorker(worker, &directives)
        case .resultFinished:
            guard state == .starting || state == .running else { break }
            state = .finishing
            nextDeadline = now + Self.finishNanoseconds
            finishIfEnded(&directives)
        case .resultFailed(let error), .cancel(let error):
            fail(error, &directives)
        case .tick:
            guard let deadline = nextDeadline, now >= deadline else { break }
            if state == .finishing { finish(&directives) }
            if state == .starting {
                let silent = tasks.first { !$0.isAccepted }?.assignment.worker.text ?? ""
                fail(QueryError(.workerLost, "worker \"\(silent)\" did not accept its task in time"), &directives)
            }
        }
        return directives
    }

    private mutating func take(_ status: TaskStatus, _ directives: inout [SchedulerDirective]) {
        guard let index = indexes[status.attempt], status.version > tasks[index].version else { return }
        tasks[index].version = status.version
        let wasRunning = tasks[index].state == .running
        tasks[index].state = status.state
        guard status.state != .running, wasRunning else { return }
        metrics += status.metrics
        if status.state == .failed {
            fail(status.error ?? .internalError("a task failed without an error"), &directives)
        }
        finishIfEnded(&directives)
    }

    private mutating func loseWorker(_ worker: WorkerID, _ directives: inout [SchedulerDirective]) {
        // Output that a finished task has not handed over is lost too, unless the result is complete already.
        guard state == .starting || state == .running, tasks.contains(where: { $0.assignment.worker == worker }) else {
            return
        }
        fail(
            QueryError(
                .workerLost, "worker \"\(worker)\" was lost while it worked on the query",
                hint: "The query can be run again on the workers that are left."), &directives)
    }

    private mutating func finishIfEnded(_ directives: inout [SchedulerDirective]) {
        if state == .finishing, tasks.allSatisfy({ $0.state != .running }) { finish(&directives) }
    }

    private mutating func finish(_ directives: inout [SchedulerDirective]) {
        state = .finished
        nextDeadline = nil
        cancelAll(&directives)
        directives.append(.finished)
    }

    private mutating func fail(_ error: QueryError, _ directives: inout [SchedulerDirective]) {
        guard state != .finished, state != .failed else { return }
        state = .failed
        nextDeadline = nil
        failure = error
        // The reader learns the cause before cancelled tasks tell it that they were cancelled.
        directives.append(.fail(error))
        cancelAll(&directives)
        directives.append(.finished)
    }

    /// Every worker is told about all its tasks, so that it forgets their output.
    private func cancelAll(_ directives: inout [SchedulerDirective]) {
        var order: [WorkerID] = []
        var byWorker: [WorkerID: [TaskAttemptID]] = [:]
        for task in tasks {
            if byWorker[task.assignment.worker] == nil { order.append(task.assignment.worker) }
            byWorker[task.assignment.worker, default: []].append(task.assignment.attempt)
        }
        for worker in order { directives.append(.cancelTasks(worker, byWorker[worker] ?? [])) }
    }
}
