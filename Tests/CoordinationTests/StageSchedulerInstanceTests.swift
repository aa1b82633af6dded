// The scheduler of one query, event by event, under a clock of its own.

import Coordination
import Diagnostics
import Testing
import Transport

@Suite("Stage scheduler")
struct StageSchedulerInstanceTests {
    private let query = QueryID("q")
    private func attempt(_ stage: Int, _ partition: Int) -> TaskAttemptID {
        TaskAttemptID(query: query, stage: StageID(stage), partition: partition)
    }
    private func makeScheduler() -> StageSchedulerInstance {
        StageSchedulerInstance(assignments: [
            TaskAssignment(attempt: attempt(1, 0), worker: WorkerID("a")),
            TaskAssignment(attempt: attempt(1, 1), worker: WorkerID("b")),
            TaskAssignment(attempt: attempt(0, 0), worker: WorkerID("a")),
        ])
    }
    private func status(_ stage: Int, _ partition: Int, _ version: Int, _ state: TaskState, _ error: QueryError? = nil)
        -> SchedulerEvent
    {
        .status(TaskStatus(attempt: attempt(stage, partition), version: version, state: state, error: error))
    }

    private struct Outcome {
        var started: [TaskAttemptID] = []
        var cancelled: [WorkerID: [TaskAttemptID]] = [:]
        var errors: [SQLState] = []
        var isFinished = false

        init(_ directives: [SchedulerDirective]) {
            for directive in directives {
                switch directive {
                case .startTask(let assignment): started.append(assignment.attempt)
                case .cancelTasks(let worker, let attempts): cancelled[worker, default: []] += attempts
                case .fail(let error): errors.append(error.state)
                case .finished: isFinished = true
                }
            }
        }
    }

    private func running() -> StageSchedulerInstance {
        var scheduler = makeScheduler()
        _ = scheduler.handle(.start, now: 0)
        for (stage, partition) in [(1, 0), (1, 1), (0, 0)] {
            _ = scheduler.handle(.accepted(attempt(stage, partition)), now: 1)
        }
        return scheduler
    }

    @Test("all tasks start together, producers first")
    func start() {
        var scheduler = makeScheduler()
        let outcome = Outcome(scheduler.handle(.start, now: 0))
        #expect(outcome.started == [attempt(1, 0), attempt(1, 1), attempt(0, 0)])
        #expect(scheduler.state == .starting)
        #expect(scheduler.nextDeadline == StageSchedulerInstance.launchNanoseconds)
        #expect(Outcome(scheduler.handle(.start, now: 1)).started.isEmpty)
    }

    @Test("the query runs when every task was accepted, and then has no launch deadline")
    func accepted() {
        let scheduler = running()
        #expect(scheduler.state == .running)
        #expect(scheduler.nextDeadline == nil)
    }

    @Test("a task that nobody accepts ends the query")
    func launchDeadline() {
        var scheduler = makeScheduler()
        _ = scheduler.handle(.start, now: 0)
        _ = scheduler.handle(.accepted(attempt(1, 0)), now: 5)
        #expect(Outcome(scheduler.handle(.tick, now: 6)).errors.isEmpty)
        let outcome = Outcome(scheduler.handle(.tick, now: StageSchedulerInstance.launchNanoseconds))
        #expect(outcome.errors == [.workerLost])
        #expect(outcome.isFinished)
    }

    @Test("the first error ends the query once and cancels every task")
    func firstError() {
        var scheduler = running()
        let outcome = Outcome(
            scheduler.handle(status(1, 1, 1, .failed, QueryError(.divisionByZero, "division by zero")), now: 2))
        #expect(outcome.errors == [.divisionByZero])
        #expect(outcome.cancelled == [WorkerID("a"): [attempt(1, 0), attempt(0, 0)], WorkerID("b"): [attempt(1, 1)]])
        #expect(outcome.isFinished)
        let later = Outcome(
            scheduler.handle(status(1, 0, 1, .failed, QueryError(.internalError, "later")), now: 3)
                + scheduler.handle(.workerLost(WorkerID("a")), now: 4))
        #expect(later.errors.isEmpty && !later.isFinished)
        #expect(scheduler.failure?.state == .divisionByZero)
    }

    @Test("older versions of a status are ignored")
    func staleStatus() {
        var scheduler = running()
        _ = scheduler.handle(status(1, 0, 5, .finished), now: 2)
        let outcome = Outcome(
            scheduler.handle(status(1, 0, 4, .failed, QueryError(.internalError, "stale")), now: 3))
        #expect(outcome.errors.isEmpty)
        #expect(scheduler.state == .running)
    }

    @Test("a lost worker ends only queries that have tasks there")
    func workerLost() {
        var scheduler = running()
        #expect(Outcome(scheduler.handle(.workerLost(WorkerID("c")), now: 2)).errors.isEmpty)
        #expect(Outcome(scheduler.handle(.workerLost(WorkerID("b")), now: 3)).errors == [.workerLost])
    }

    @Test("after the last row it waits a moment for final states, then finishes")
    func finishing() {
        var scheduler = running()
        #expect(!Outcome(scheduler.handle(.resultFinished, now: 10)).isFinished)
        #expect(scheduler.state == .finishing)
        _ = scheduler.handle(status(1, 0, 1, .finished), now: 11)
        _ = scheduler.handle(status(1, 1, 1, .finished), now: 12)
        let outcome = Outcome(scheduler.handle(status(0, 0, 1, .finished), now: 13))
        #expect(outcome.isFinished && outcome.errors.isEmpty)
        #expect(outcome.cancelled.count == 2)
    }

    @Test("final states that never come do not keep the query")
    func finishDeadline() {
        var scheduler = running()
        _ = scheduler.handle(.resultFinished, now: 10)
        let deadline = 10 + StageSchedulerInstance.finishNanoseconds
        #expect(!Outcome(scheduler.handle(.tick, now: deadline - 1)).isFinished)
        #expect(Outcome(scheduler.handle(.tick, now: deadline)).isFinished)
        #expect(scheduler.failure == nil)
    }

    @Test("a worker that is lost after the last row does no harm")
    func lostWhileFinishing() {
        var scheduler = running()
        _ = scheduler.handle(.resultFinished, now: 10)
        #expect(Outcome(scheduler.handle(.workerLost(WorkerID("a")), now: 11)).errors.isEmpty)
    }

    @Test("cancelling ends the query from every state", arguments: [false, true])
    func cancel(isRunning: Bool) {
        var scheduler = isRunning ? running() : makeScheduler()
        if !isRunning { _ = scheduler.handle(.start, now: 0) }
        let outcome = Outcome(scheduler.handle(.cancel(QueryError(.queryCanceled, "cancel")), now: 2))
        #expect(outcome.errors == [.queryCanceled] && outcome.isFinished)
        #expect(scheduler.state == .failed)
    }
}
