// The scheduler of one query as a state machine: which attempt of which task counts, when to try again, when it is over.
//
// All edges between stages are pipelined, so the tasks of a query start together and are repeated together: an attempt of
// the query is one region. As long as the client has seen no row of it, a failed attempt is given up and the next one
// begins, which nobody notices. Nothing here reads a clock, waits, or draws a random number that was not given to it.
//
//   QuerySchedulerInstance           events in, directives out; the states of the query
//   QuerySchedulerInstance+Tasks     attempts and stages of the current query attempt
//   QuerySchedulerInstance+Releases  cancels that must reach every worker

import ClusterMembership
import Diagnostics
import Transport

package struct QuerySchedulerInstance: Sendable {
    package let query: QueryID
    package let options: SchedulerOptions
    /// Whether another attempt gives the same effect: false for statements that write.
    package let isRepeatable: Bool
    /// Whether rows are kept from the client until `rowsReleased`.
    package let holdsBack: Bool

    package private(set) var state = QueryState.queued
    /// Counts the attempts of the query, from 0.
    package private(set) var queryAttempt = 0
    /// Whether the client has seen rows of the current attempt.
    package private(set) var isReleased: Bool
    package private(set) var failure: QueryError?
    package private(set) var budget: RetryBudget
    /// Metrics of the current attempt's tasks that have ended, in order of arrival.
    package internal(set) var metrics: [OperatorMetrics] = []

    var attempts: [AttemptRecord] = []
    var indexes: [TaskAttemptID: Int] = [:]
    var stageRecords: [StageRecord] = []
    var workersByAddress: [String: WorkerID] = [:]
    var releases: [ReleaseRecord] = []
    var hasSettled = false
    /// What the current attempt learnt about workers; the next one keeps away from them.
    var avoided: [WorkerID] = []
    /// Lives of workers that named this query as they ended.
    private var blamedBy: [WorkerLife] = []
    /// Workers that the query has lost and that have not come back, and until when they may.
    private var missing: [(worker: WorkerID, until: MonotonicInstant)] = []
    private var lossCount = 0
    private var random: SchedulerRandom
    /// The one deadline of the current state.
    private var stateDeadline: MonotonicInstant?

    /// Without `holdsBack` no failure can be repeated.
    package init(
        query: QueryID, isRepeatable: Bool = true, holdsBack: Bool = true,
        options: SchedulerOptions = SchedulerOptions(), seed: UInt64 = 0
    ) {
        self.query = query
        self.options = options
        self.isRepeatable = isRepeatable
        self.holdsBack = holdsBack
        isReleased = !holdsBack
        budget = RetryBudget(options: options)
        random = SchedulerRandom(seed: seed)
    }

    /// When `tick` is due; `nil` once there is nothing to wait for.
    package var nextDeadline: MonotonicInstant? {
        var due = stateDeadline
        for release in releases { due = due.map { min($0, release.deadline) } ?? release.deadline }
        return due
    }

    /// Whether nothing is left to do, for workers neither.
    package var isSettled: Bool { state.isTerminal && releases.isEmpty }

    // MARK: - Events

    package mutating func handle(_ event: SchedulerEvent, now: MonotonicInstant) -> [SchedulerDirective] {
        var directives: [SchedulerDirective] = []
        switch event {
        case .start:
            if state == .queued { begin(now, &directives) }
        case .placed(let number, let placement):
            place(number, placement, now, &directives)
        case .placementFailed(let number, let error):
            if state == .starting, number == queryAttempt { fail(error, now, &directives) }
        case .accepted(let attempt):
            accept(attempt, now)
        case .refused(let attempt, let error):
            refuse(attempt, error, now, &directives)
        case .status(let status):
            take(status, now, &directives)
        case .workerLost(let worker):
            lose(worker, now, &directives)
        case .workerLeft(let worker):
            notice(returned: worker, now)
            let isDone = attempts.allSatisfy {
                $0.assignment.worker != worker || ($0.state != .offered && $0.state != .running)
            }
            if isDone { releases.removeAll { $0.worker == worker } } else { lose(worker, now, &directives) }
        case .workerLeaves(let worker):
            moveAway(from: worker, now, &directives)
        case .blamed(let worker, let incarnation):
            blame(WorkerLife(worker: worker, incarnation: incarnation), now, &directives)
        case .workerReturned(let worker):
            notice(returned: worker, now)
        case .rowsReleased(let number):
            if isCurrent(number) { isReleased = true }
        case .resultFinished(let number):
            finishResult(number, now, &directives)
        case .resultFailed(let number, let error):
            if isCurrent(number) { recover(error, at: nil, now, &directives) }
        case .cancelConfirmed(let worker, let number):
            confirmRelease(worker, number)
        case .cancel(let error):
            fail(error, now, &directives)
        case .tick(let clientWaits):
            tick(clientWaits, now, &directives)
        }
        settle(&directives)
        return directives
    }

    /// Whether rows of this attempt may be given to the client.
    package func isCurrent(_ number: Int) -> Bool {
        number == queryAttempt && (state == .starting || state == .running)
    }

    private mutating func begin(_ now: MonotonicInstant, _ directives: inout [SchedulerDirective]) {
        transition(to: .starting)
        stateDeadline = now + options.noWorkersLimit
        directives.append(.place(queryAttempt: queryAttempt, avoiding: avoided))
    }

    private mutating func place(
        _ number: Int, _ placement: QueryPlacement, _ now: MonotonicInstant, _ directives: inout [SchedulerDirective]
    ) {
        guard state == .starting, number == queryAttempt, attempts.isEmpty else { return }
        stateDeadline = now + options.offerLimit
        directives.append(.openResult(queryAttempt: number))
        offer(placement, &directives)
    }

    private mutating func accept(_ attempt: TaskAttemptID, _ now: MonotonicInstant) {
        guard let index = indexes[attempt], attempts[index].state == .offered else { return }
        changeAttempt(index, to: .running)
        guard state == .starting, attempts.allSatisfy({ $0.state != .offered }) else { return }
        transition(to: .running)
        stateDeadline = now + options.progressLimit
    }

    private mutating func refuse(
        _ attempt: TaskAttemptID, _ error: QueryError, _ now: MonotonicInstant,
        _ directives: inout [SchedulerDirective]
    ) {
        guard let index = indexes[attempt] else { return }
        let isOffered = attempts[index].state == .offered
        guard isOffered || attempts[index].state == .running else { return }
        changeAttempt(index, to: isOffered && RetryClass(error) == .rejected ? .rejected : .failed)
        recover(error, at: attempts[index].assignment.worker, now, &directives)
    }

    private mutating func take(
        _ status: TaskStatus, _ now: MonotonicInstant, _ directives: inout [SchedulerDirective]
    ) {
        guard let index = indexes[status.attempt], status.version > attempts[index].version else { return }
        attempts[index].version = status.version
        if state == .running { stateDeadline = now + options.progressLimit }
        // A state can overtake the answer to the offer.
        if attempts[index].state == .offered { accept(status.attempt, now) }
        guard attempts[index].state == .running else { return }
        switch status.state {
        case .running: return
        case .finished:
            metrics += status.metrics
            changeAttempt(index, to: .flushing)
            if state == .finishing { completeAttempt(index) }
        case .failed:
            metrics += status.metrics
            changeAttempt(index, to: .failed)
            let error = status.error ?? .internalError("a task failed without an error")
            if state == .finishing { break }
            recover(error, at: attempts[index].assignment.worker, now, &directives)
        case .cancelled:
            changeAttempt(index, to: .cancelled)
            if state == .finishing { break }
            let error = QueryError(.workerLost, "worker \"\(attempts[index].assignment.worker)\" gave up its task")
            recover(error, at: attempts[index].assignment.worker, now, &directives)
        }
        finishIfEnded(now, &directives)
    }

    private mutating func lose(_ worker: WorkerID, _ now: MonotonicInstant, _ directives: inout [SchedulerDirective]) {
        releases.removeAll { $0.worker == worker }
        if holdsTasks(worker) { noteLoss(worker, now) }
        if state == .retrying, attempts.contains(where: { $0.assignment.worker == worker }) {
            // What the pause was to wait for has come.
            stateDeadline = max(now, postMortemEnd)
        }
        // Output that a finished task has not handed over is lost too, unless the result is complete already.
        guard state == .starting || state == .running, holdsTasks(worker) else { return }
        loseAttempts(of: worker)
        recover(
            QueryError(
                .workerLost, "worker \"\(worker)\" was lost while it worked on the query",
                hint: "The query can be run again on the workers that are left."),
            at: worker, now, &directives)
        if state == .retrying { stateDeadline = max(now, postMortemEnd) }
    }

    /// Until when the next attempt waits for lost workers to say what they died of: the first loss costs no time, and a query
    /// that brings its workers down is known as such before it gets a third one.
    private var postMortemEnd: MonotonicInstant {
        guard lossCount >= options.poisonLimit else { return .zero }
        return missing.map(\.until).max() ?? .zero
    }

    /// The worker is gone, or others take it for gone: connections break before membership has made up its mind.
    private mutating func noteLoss(_ worker: WorkerID, _ now: MonotonicInstant) {
        guard !missing.contains(where: { $0.worker == worker }) else { return }
        lossCount += 1
        missing.append((worker, now + options.postMortemLimit))
    }

    private mutating func notice(returned worker: WorkerID, _ now: MonotonicInstant) {
        missing.removeAll { $0.worker == worker }
        guard state == .retrying, lossCount >= options.poisonLimit, missing.isEmpty else { return }
        stateDeadline = now
    }

    private mutating func moveAway(
        from worker: WorkerID, _ now: MonotonicInstant, _ directives: inout [SchedulerDirective]
    ) {
        // Released rows stay with the attempt that made them: it has until the worker goes.
        guard state == .starting || state == .running, holdsTasks(worker), isRepeatable, !isReleased else { return }
        recover(QueryError(.cannotConnectNow, "worker \"\(worker)\" is leaving"), at: worker, now, &directives)
        if state == .retrying { stateDeadline = now }
    }

    private mutating func blame(
        _ life: WorkerLife, _ now: MonotonicInstant, _ directives: inout [SchedulerDirective]
    ) {
        guard !state.isTerminal, state != .finishing, !blamedBy.contains(life) else { return }
        blamedBy.append(life)
        guard blamedBy.count >= options.poisonLimit else { return }
        let names = blamedBy.map { "\"\($0.worker)\"" }.joined(separator: ", ")
        fail(
            QueryError(
                .poisonQuery, "the query has brought down \(blamedBy.count) workers and is not tried again",
                detail: "Workers that crashed while they ran it: \(names)."), now, &directives)
    }

    // MARK: - Trying again

    /// Another attempt if the failure allows it, otherwise the query's end. `worker`: where it was noticed; `nil`: at the
    /// reader of the result.
    private mutating func recover(
        _ error: QueryError, at worker: WorkerID?, _ now: MonotonicInstant, _ directives: inout [SchedulerDirective]
    ) {
        guard state == .starting || state == .running else { return }
        let cause = RetryClass(error)
        note(cause, error, at: worker, now, &directives)
        guard cause != .never, isRepeatable, !isReleased else { return fail(final(error, cause), now, &directives) }
        guard budget.spend(cause) else {
            var last = error
            last.detail = [error.detail, "The query was tried \(budget.total + 1) times."].compactMap { $0 }
                .joined(separator: " ")
            return fail(last, now, &directives)
        }
        retry(after: cause == .rejected ? .milliseconds(20) : budget.pause(random: &random), now, &directives)
    }

    private mutating func retry(
        after pause: Duration, _ now: MonotonicInstant, _ directives: inout [SchedulerDirective]
    ) {
        transition(to: .retrying)
        stateDeadline = max(now + pause, postMortemEnd)
        directives.append(.dropResult(queryAttempt: queryAttempt))
        giveUpAttempt(as: .rollingBack, now, &directives)
    }

    private mutating func startNextAttempt(_ now: MonotonicInstant, _ directives: inout [SchedulerDirective]) {
        queryAttempt += 1
        attempts = []
        indexes = [:]
        workersByAddress = [:]
        metrics = []
        let avoiding = avoided
        avoided = []
        transition(to: .starting)
        stateDeadline = now + options.noWorkersLimit
        directives.append(.place(queryAttempt: queryAttempt, avoiding: avoiding))
    }

    /// Remembers which worker the next attempt should do without, and tells membership.
    private mutating func note(
        _ cause: RetryClass, _ error: QueryError, at worker: WorkerID?, _ now: MonotonicInstant,
        _ directives: inout [SchedulerDirective]
    ) {
        switch cause {
        case .fetchFailed:
            guard let address = error.object, let producer = workersByAddress[address] else { break }
            avoid(producer)
            noteLoss(producer, now)
            if let worker, worker != producer {
                directives.append(.reportFailedFetch(reporter: worker, worker: producer))
            }
        case .internalError, .transientIO, .insufficientResources, .noAnswer:
            guard let worker else { break }
            avoid(worker)
            if cause != .insufficientResources { directives.append(.strike(worker)) }
        case .workerLost, .rejected, .dataCorruption:
            if let worker { avoid(worker) }
        case .never: break
        }
    }

    private mutating func avoid(_ worker: WorkerID) {
        if !avoided.contains(worker) { avoided.append(worker) }
    }

    /// The error as the client gets it when an attempt could have helped but must not be made.
    private func final(_ error: QueryError, _ cause: RetryClass) -> QueryError {
        guard cause != .never, holdsBack, isReleased || !isRepeatable else { return error }
        var error = error
        if error.hint == nil {
            error.hint =
                isRepeatable
                ? "Part of the result was sent already; the query can be run again."
                : "The statement writes, so it was not repeated."
        }
        return error
    }

    // MARK: - The end

    private mutating func finishResult(
        _ number: Int, _ now: MonotonicInstant, _ directives: inout [SchedulerDirective]
    ) {
        guard isCurrent(number) else { return }
        isReleased = true
        transition(to: .finishing)
        stateDeadline = now + options.finishLimit
        for index in attempts.indices where attempts[index].state == .flushing { completeAttempt(index) }
        finishIfEnded(now, &directives)
    }

    private mutating func finishIfEnded(_ now: MonotonicInstant, _ directives: inout [SchedulerDirective]) {
        guard state == .finishing, attempts.allSatisfy(\.state.isTerminal) else { return }
        finish(now, &directives)
    }

    private mutating func finish(_ now: MonotonicInstant, _ directives: inout [SchedulerDirective]) {
        transition(to: .finished)
        stateDeadline = nil
        giveUpAttempt(as: .abandoned, now, &directives)
        directives.append(.finished)
    }

    private mutating func fail(_ error: QueryError, _ now: MonotonicInstant, _ directives: inout [SchedulerDirective]) {
        guard !state.isTerminal else { return }
        transition(to: error.state == .queryCanceled ? .cancelled : .failed)
        stateDeadline = nil
        failure = error
        // The reader learns the cause before cancelled tasks tell it that they were cancelled.
        directives.append(.fail(error))
        giveUpAttempt(as: .failed, now, &directives)
        directives.append(.finished)
    }

    private mutating func settle(_ directives: inout [SchedulerDirective]) {
        guard isSettled, !hasSettled else { return }
        hasSettled = true
        directives.append(.settled)
    }

    // MARK: - Time

    private mutating func tick(
        _ clientWaits: Bool, _ now: MonotonicInstant, _ directives: inout [SchedulerDirective]
    ) {
        expireReleases(now, &directives)
        guard let deadline = stateDeadline, now >= deadline else { return }
        switch state {
        case .starting: expireStart(now, &directives)
        case .running:
            if clientWaits {
                recover(stall(after: options.progressLimit), at: nil, now, &directives)
            } else if now < deadline + (options.clientLimit - options.progressLimit) {
                // The client is the one who pauses: its own, longer limit counts.
                stateDeadline = deadline + (options.clientLimit - options.progressLimit)
            } else {
                fail(
                    QueryError(
                        .queryCanceled, "canceling statement because its client asked for no rows",
                        detail: "The limit is \(options.clientLimit.components.seconds) seconds."), now, &directives)
            }
        case .retrying: startNextAttempt(now, &directives)
        case .finishing: finish(now, &directives)
        case .queued, .finished, .failed, .cancelled: break
        }
    }

    private mutating func expireStart(_ now: MonotonicInstant, _ directives: inout [SchedulerDirective]) {
        guard !attempts.isEmpty else {
            return fail(
                QueryError(
                    .noWorkers, "no worker is available",
                    hint: "Start one with: martlet worker --join HOST:PORT (the coordinator's gRPC address)."),
                now, &directives)
        }
        let silent = attempts.filter { $0.state == .offered }.map(\.assignment.worker)
        for worker in silent {
            if !avoided.contains(worker) { directives.append(.strike(worker)) }
            avoid(worker)
        }
        let name = silent.first?.text ?? ""
        let error = QueryError(.workerLost, "worker \"\(name)\" did not accept its task in time")
        guard isRepeatable, !isReleased, budget.spend(.noAnswer) else { return fail(error, now, &directives) }
        retry(after: .milliseconds(20), now, &directives)
    }

    private func stall(after limit: Duration) -> QueryError {
        let running = attempts.filter { $0.state == .running }.map { "\($0.assignment.attempt)" }
        return QueryError(
            .internalError, "no task of the query has made progress for \(limit.components.seconds) seconds",
            detail: "Running: \(running.joined(separator: ", ")).")
    }

    private mutating func transition(to next: QueryState) {
        assert(state.mayBecome(next), "a query cannot go from \(state) to \(next)")
        state = next
    }
}
