// The scheduler of one query, event by event, under a clock of its own.

import ClusterMembership
import Coordination
import Diagnostics
import Testing
import Transport

@Suite("Query scheduler")
struct QuerySchedulerInstanceTests {
    private let query = QueryID("q")
    private let options = SchedulerOptions()

    private func attempt(_ stage: Int, _ partition: Int, _ queryAttempt: Int = 0) -> TaskAttemptID {
        TaskAttemptID(query: query, queryAttempt: queryAttempt, stage: StageID(stage), partition: partition)
    }
    private func at(_ milliseconds: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: milliseconds * 1_000_000)
    }
    private func placement(_ queryAttempt: Int = 0, _ workers: [String] = ["a", "b"]) -> QueryPlacement {
        var assignments = workers.enumerated().map {
            TaskAssignment(attempt: attempt(1, $0.offset, queryAttempt), worker: WorkerID($0.element))
        }
        assignments.append(TaskAssignment(attempt: attempt(0, 0, queryAttempt), worker: WorkerID(workers[0])))
        return QueryPlacement(
            assignments: assignments,
            workersByAddress: Dictionary(uniqueKeysWithValues: workers.map { ("\($0):1", WorkerID($0)) }))
    }
    private func status(
        _ id: TaskAttemptID, _ version: Int, _ state: TaskState, _ error: QueryError? = nil
    ) -> SchedulerEvent {
        .status(TaskStatus(attempt: id, version: version, state: state, error: error))
    }

    private struct Outcome {
        var placed: [Int] = []
        var avoided: [WorkerID] = []
        var opened: [Int] = []
        var dropped: [Int] = []
        var started: [TaskAttemptID] = []
        var cancelled: [WorkerID: [TaskAttemptID]] = [:]
        var strikes: [WorkerID] = []
        var errors: [SQLState] = []
        var isFinished = false
        var isSettled = false

        init(_ directives: [SchedulerDirective]) {
            for directive in directives {
                switch directive {
                case .place(let number, let avoiding):
                    placed.append(number)
                    avoided = avoiding
                case .openResult(let number): opened.append(number)
                case .dropResult(let number): dropped.append(number)
                case .startTask(let assignment): started.append(assignment.attempt)
                case .cancelTasks(let worker, _, let attempts): cancelled[worker, default: []] += attempts
                case .strike(let worker): strikes.append(worker)
                case .reportFailedFetch: break
                case .fail(let error): errors.append(error.state)
                case .finished: isFinished = true
                case .settled: isSettled = true
                }
            }
        }
    }

    private func starting(isRepeatable: Bool = true, holdsBack: Bool = true) -> QuerySchedulerInstance {
        var scheduler = QuerySchedulerInstance(
            query: query, isRepeatable: isRepeatable, holdsBack: holdsBack, options: options, seed: 1)
        _ = scheduler.handle(.start, now: at(0))
        _ = scheduler.handle(.placed(queryAttempt: 0, placement()), now: at(0))
        return scheduler
    }
    private func accept(_ scheduler: inout QuerySchedulerInstance, _ queryAttempt: Int, at time: MonotonicInstant) {
        for (stage, partition) in [(1, 0), (1, 1), (0, 0)] {
            _ = scheduler.handle(.accepted(attempt(stage, partition, queryAttempt)), now: time)
        }
    }
    private func running(isRepeatable: Bool = true, holdsBack: Bool = true) -> QuerySchedulerInstance {
        var scheduler = starting(isRepeatable: isRepeatable, holdsBack: holdsBack)
        accept(&scheduler, 0, at: at(1))
        return scheduler
    }

    @Test("all tasks start together, producers first")
    func start() {
        var scheduler = QuerySchedulerInstance(query: query)
        #expect(Outcome(scheduler.handle(.start, now: at(0))).placed == [0])
        let outcome = Outcome(scheduler.handle(.placed(queryAttempt: 0, placement()), now: at(1)))
        #expect(outcome.started == [attempt(1, 0), attempt(1, 1), attempt(0, 0)])
        #expect(outcome.opened == [0])
        #expect(scheduler.state == .starting)
        #expect(scheduler.nextDeadline == at(1) + options.offerLimit)
        #expect(Outcome(scheduler.handle(.start, now: at(2))).placed.isEmpty)
        #expect(scheduler.stages.map(\.state) == [.ready, .ready])
    }

    @Test("the query runs when every task was accepted, and then has a deadline for progress")
    func accepted() {
        let scheduler = running()
        #expect(scheduler.state == .running)
        #expect(scheduler.nextDeadline == at(1) + options.progressLimit)
        #expect(scheduler.stages.map(\.state) == [.running, .running])
    }

    @Test("an error of the statement ends the query once and cancels every task")
    func firstError() {
        var scheduler = running()
        let error = QueryError(.divisionByZero, "division by zero")
        let outcome = Outcome(scheduler.handle(status(attempt(1, 1), 1, .failed, error), now: at(2)))
        #expect(outcome.errors == [.divisionByZero])
        #expect(outcome.cancelled == [WorkerID("a"): [attempt(1, 0), attempt(0, 0)], WorkerID("b"): [attempt(1, 1)]])
        #expect(outcome.isFinished && !outcome.isSettled)
        let later = Outcome(
            scheduler.handle(status(attempt(1, 0), 1, .failed, QueryError(.internalError, "later")), now: at(3))
                + scheduler.handle(.resultFailed(queryAttempt: 0, error), now: at(3)))
        #expect(later.errors.isEmpty && !later.isFinished)
        #expect(scheduler.failure?.state == .divisionByZero)
    }

    @Test("a lost worker makes the query start again, and the rows of the lost attempt are dropped")
    func lostWorker() {
        var scheduler = running()
        let lost = Outcome(scheduler.handle(.workerLost(WorkerID("b")), now: at(5)))
        #expect(lost.errors.isEmpty && lost.dropped == [0] && scheduler.state == .retrying)
        #expect(lost.cancelled.keys.sorted() == [WorkerID("a")])
        let again = Outcome(scheduler.handle(.tick(clientWaits: true), now: at(5)))
        #expect(again.placed == [1] && again.avoided == [WorkerID("b")])
        // What the first attempt still says is of no interest.
        #expect(Outcome(scheduler.handle(status(attempt(0, 0), 3, .finished), now: at(6))).started.isEmpty)
        #expect(Outcome(scheduler.handle(.placed(queryAttempt: 0, placement()), now: at(6))).started.isEmpty)
        let placed = Outcome(scheduler.handle(.placed(queryAttempt: 1, placement(1, ["a", "c"])), now: at(7)))
        #expect(placed.started == [attempt(1, 0, 1), attempt(1, 1, 1), attempt(0, 0, 1)] && placed.opened == [1])
        #expect(scheduler.stages.map(\.stageAttempt) == [1, 1])
    }

    @Test("a worker that the query does not use may go")
    func foreignWorker() {
        var scheduler = running()
        #expect(Outcome(scheduler.handle(.workerLost(WorkerID("c")), now: at(2))).dropped.isEmpty)
        #expect(scheduler.state == .running)
    }

    @Test("once the client has seen rows, the loss of a worker is an error")
    func lostAfterRelease() {
        var scheduler = running()
        _ = scheduler.handle(.rowsReleased(queryAttempt: 0), now: at(2))
        let outcome = Outcome(scheduler.handle(.workerLost(WorkerID("b")), now: at(3)))
        #expect(outcome.errors == [.workerLost] && outcome.isFinished)
    }

    @Test("a statement that writes is not repeated")
    func writes() {
        var scheduler = running(isRepeatable: false)
        #expect(Outcome(scheduler.handle(.workerLost(WorkerID("b")), now: at(3))).errors == [.workerLost])
    }

    @Test("failed fetches keep away from the worker that was not reached, four attempts in all")
    func failedFetches() {
        var scheduler = running()
        var time = at(10)
        for number in 0..<4 {
            let error = QueryError(.exchangeFailed, "lost the connection", object: "b:1")
            let outcome = Outcome(scheduler.handle(status(attempt(0, 0, number), 1, .failed, error), now: time))
            if number == 3 {
                #expect(outcome.errors == [.exchangeFailed] && outcome.isFinished)
                break
            }
            #expect(scheduler.state == .retrying)
            let pause = scheduler.nextDeadline.map { $0.since(time) } ?? .zero
            #expect(pause >= .milliseconds(250 << number) && pause <= .milliseconds(500 << number))
            time = time + pause
            let again = Outcome(scheduler.handle(.tick(clientWaits: true), now: time))
            #expect(again.placed == [number + 1] && again.avoided == [WorkerID("b")])
            _ = scheduler.handle(.placed(queryAttempt: number + 1, placement(number + 1)), now: time)
            accept(&scheduler, number + 1, at: time)
        }
    }

    @Test("losing workers does not use up the attempts that failures have")
    func manyLosses() {
        var scheduler = running()
        for number in 0..<20 {
            _ = scheduler.handle(.workerLost(WorkerID("b")), now: at(Int64(number)))
            _ = scheduler.handle(.workerReturned(WorkerID("b")), now: at(Int64(number)))
            _ = scheduler.handle(.tick(clientWaits: true), now: at(Int64(number)))
            _ = scheduler.handle(.placed(queryAttempt: number + 1, placement(number + 1)), now: at(Int64(number)))
        }
        #expect(scheduler.state == .starting && scheduler.queryAttempt == 20)
    }

    @Test("a worker that refuses because it leaves costs the query nothing but a moment")
    func refusal() {
        var scheduler = starting()
        let error = QueryError(.cannotConnectNow, "shutting down")
        let outcome = Outcome(scheduler.handle(.refused(attempt(1, 1), error), now: at(2)))
        #expect(outcome.errors.isEmpty && scheduler.state == .retrying)
        let again = Outcome(scheduler.handle(.tick(clientWaits: true), now: at(60)))
        #expect(again.placed == [1] && again.avoided == [WorkerID("b")])
    }

    @Test("a worker that does not answer an offer gets a strike, and the query starts elsewhere")
    func offerDeadline() {
        var scheduler = starting()
        _ = scheduler.handle(.accepted(attempt(1, 0)), now: at(5))
        _ = scheduler.handle(.accepted(attempt(0, 0)), now: at(5))
        #expect(Outcome(scheduler.handle(.tick(clientWaits: true), now: at(6))).strikes.isEmpty)
        let outcome = Outcome(scheduler.handle(.tick(clientWaits: true), now: at(0) + options.offerLimit))
        #expect(outcome.strikes == [WorkerID("b")] && outcome.errors.isEmpty && scheduler.state == .retrying)
    }

    @Test("no worker at all ends the query with ME002")
    func noWorkers() {
        var scheduler = running()
        _ = scheduler.handle(.workerLost(WorkerID("b")), now: at(5))
        _ = scheduler.handle(.tick(clientWaits: true), now: at(5))
        let outcome = Outcome(scheduler.handle(.tick(clientWaits: true), now: at(5) + options.noWorkersLimit))
        #expect(outcome.errors == [.noWorkers] && outcome.isFinished)
    }

    @Test("a query that two dying workers name is not offered a third time")
    func poison() {
        var scheduler = running()
        _ = scheduler.handle(.blamed(WorkerID("b"), Incarnation(1)), now: at(4))
        _ = scheduler.handle(.blamed(WorkerID("b"), Incarnation(1)), now: at(4))
        _ = scheduler.handle(.workerLost(WorkerID("b")), now: at(5))
        #expect(scheduler.state == .retrying)
        let outcome = Outcome(scheduler.handle(.blamed(WorkerID("b"), Incarnation(2)), now: at(6)))
        #expect(outcome.errors == [.poisonQuery] && outcome.isFinished)
    }

    @Test("a query that loses a second worker waits for what both have to say before it gets a third")
    func postMortem() {
        var scheduler = running()
        let first = Outcome(scheduler.handle(.workerLost(WorkerID("b")), now: at(5)))
        #expect(first.errors.isEmpty && scheduler.nextDeadline == at(5))
        _ = scheduler.handle(.tick(clientWaits: true), now: at(5))
        _ = scheduler.handle(.placed(queryAttempt: 1, placement(1, ["a"])), now: at(6))
        _ = scheduler.handle(.workerLost(WorkerID("a")), now: at(7))
        #expect(scheduler.state == .retrying)
        #expect(Outcome(scheduler.handle(.tick(clientWaits: true), now: at(8))).placed.isEmpty)
        _ = scheduler.handle(.workerReturned(WorkerID("b")), now: at(9))
        #expect(Outcome(scheduler.handle(.tick(clientWaits: true), now: at(9))).placed.isEmpty)
        // Nobody blames the query, so it goes on as soon as both are back.
        _ = scheduler.handle(.workerReturned(WorkerID("a")), now: at(10))
        #expect(Outcome(scheduler.handle(.tick(clientWaits: true), now: at(10))).placed == [2])
    }

    @Test("a query without progress is tried once more, then fails; a client that pauses does not count")
    func stalled() {
        var scheduler = running()
        let first = at(1) + options.progressLimit
        #expect(Outcome(scheduler.handle(.tick(clientWaits: false), now: first)).dropped.isEmpty)
        #expect(scheduler.state == .running)
        // A sign of progress brings the shorter limit back.
        _ = scheduler.handle(status(attempt(1, 0), 1, .running), now: first)
        let second = first + options.progressLimit
        #expect(Outcome(scheduler.handle(.tick(clientWaits: true), now: second)).dropped == [0])
        _ = scheduler.handle(.tick(clientWaits: true), now: second + .seconds(1))
        _ = scheduler.handle(.placed(queryAttempt: 1, placement(1)), now: second + .seconds(1))
        accept(&scheduler, 1, at: second + .seconds(1))
        let third = second + .seconds(1) + options.progressLimit
        #expect(Outcome(scheduler.handle(.tick(clientWaits: true), now: third)).errors == [.internalError])
    }

    @Test("older versions of a status are ignored")
    func staleStatus() {
        var scheduler = running()
        _ = scheduler.handle(status(attempt(1, 0), 5, .finished), now: at(2))
        let outcome = Outcome(
            scheduler.handle(status(attempt(1, 0), 4, .failed, QueryError(.divisionByZero, "stale")), now: at(3)))
        #expect(outcome.errors.isEmpty && scheduler.state == .running)
    }

    @Test("after the last row it waits a moment for final states, then finishes; every task has one selected attempt")
    func finishing() {
        var scheduler = running()
        _ = scheduler.handle(status(attempt(1, 0), 1, .finished), now: at(9))
        #expect(!Outcome(scheduler.handle(.resultFinished(queryAttempt: 0), now: at(10))).isFinished)
        #expect(scheduler.state == .finishing)
        _ = scheduler.handle(status(attempt(1, 1), 1, .finished), now: at(12))
        let outcome = Outcome(scheduler.handle(status(attempt(0, 0), 1, .finished), now: at(13)))
        #expect(outcome.isFinished && outcome.errors.isEmpty && outcome.cancelled.count == 2)
        #expect(scheduler.selectedAttempts == [attempt(1, 0), attempt(1, 1), attempt(0, 0)])
        #expect(scheduler.stages.map(\.state) == [.succeeded, .succeeded])
    }

    @Test("final states that never come do not keep the query; its producers are abandoned")
    func finishDeadline() {
        var scheduler = running()
        _ = scheduler.handle(.resultFinished(queryAttempt: 0), now: at(10))
        let deadline = at(10) + options.finishLimit
        #expect(Outcome(scheduler.handle(.tick(clientWaits: true), now: deadline)).isFinished)
        #expect(scheduler.failure == nil && scheduler.state == .finished)
        #expect(scheduler.stages.map(\.state) == [.abandoned, .abandoned])
    }

    @Test("what happens to workers and tasks after the last row does no harm")
    func lostWhileFinishing() {
        var scheduler = running()
        _ = scheduler.handle(.resultFinished(queryAttempt: 0), now: at(10))
        let late = QueryError(.exchangeFailed, "late")
        #expect(Outcome(scheduler.handle(.workerLost(WorkerID("a")), now: at(11))).errors.isEmpty)
        #expect(Outcome(scheduler.handle(status(attempt(1, 1), 2, .failed, late), now: at(11))).errors.isEmpty)
        _ = scheduler.handle(.tick(clientWaits: true), now: at(10) + options.finishLimit)
        #expect(scheduler.state == .finished)
    }

    @Test("the result of a given-up attempt is not the query's result")
    func staleResult() {
        var scheduler = running()
        _ = scheduler.handle(.workerLost(WorkerID("b")), now: at(5))
        #expect(!scheduler.isCurrent(0))
        _ = scheduler.handle(.resultFinished(queryAttempt: 0), now: at(6))
        _ = scheduler.handle(.rowsReleased(queryAttempt: 0), now: at(6))
        #expect(scheduler.state == .retrying && !scheduler.isReleased)
    }

    @Test("cancelling ends the query from every state, and is repeated until every worker has confirmed")
    func cancel() {
        let cancel = SchedulerEvent.cancel(QueryError(.queryCanceled, "cancel"))
        for start in 0..<4 {
            var scheduler = QuerySchedulerInstance(query: query, options: options, seed: 1)
            if start > 0 { scheduler = starting() }
            if start > 1 { accept(&scheduler, 0, at: at(1)) }
            if start > 2 { _ = scheduler.handle(.workerLost(WorkerID("b")), now: at(1)) }
            let outcome = Outcome(scheduler.handle(cancel, now: at(2)))
            #expect(outcome.errors == [.queryCanceled] && outcome.isFinished && scheduler.state == .cancelled)
            #expect(outcome.isSettled == (start == 0))
            guard start == 2 else { continue }
            #expect(scheduler.nextDeadline == at(2) + options.cancelLimit)
            #expect(!Outcome(scheduler.handle(.cancelConfirmed(WorkerID("a"), queryAttempt: 0), now: at(3))).isSettled)
            for repeats in 1...options.cancelRepeatLimit {
                let again = Outcome(
                    scheduler.handle(.tick(clientWaits: false), now: at(2) + options.cancelLimit * repeats))
                #expect(again.cancelled == [WorkerID("b"): [attempt(1, 1)]])
            }
            #expect(
                Outcome(scheduler.handle(.cancelConfirmed(WorkerID("b"), queryAttempt: 0), now: at(99_000))).isSettled)
            #expect(scheduler.nextDeadline == nil)
        }
    }

    @Test("a worker that never confirms is told four times, a lost one not at all")
    func unconfirmedCancel() {
        var scheduler = running()
        _ = scheduler.handle(.cancel(QueryError(.queryCanceled, "cancel")), now: at(0))
        _ = scheduler.handle(.workerLost(WorkerID("a")), now: at(1))
        #expect(scheduler.unconfirmedWorkers == [WorkerID("b")])
        var told = 1
        while let due = scheduler.nextDeadline {
            if !Outcome(scheduler.handle(.tick(clientWaits: false), now: due)).cancelled.isEmpty { told += 1 }
        }
        #expect(told == 4 && scheduler.isSettled)
    }

    @Test("before rows were seen a leaving worker's tasks move, afterwards they stay")
    func leavingWorker() {
        var scheduler = running()
        #expect(Outcome(scheduler.handle(.workerLeaves(WorkerID("b")), now: at(3))).dropped == [0])
        var released = running()
        _ = released.handle(.rowsReleased(queryAttempt: 0), now: at(2))
        #expect(Outcome(released.handle(.workerLeaves(WorkerID("b")), now: at(3))).errors.isEmpty)
        #expect(released.state == .running)
    }
}
