// The shell of one query in the simulation: it does with the scheduler's directives what the engine's shell does, and
// plays the client.

import ClusterMembership
import Coordination
import Diagnostics
import Transport

final class SimulatedQuery {
    let number: Int
    let id: QueryID
    let plan: SimulatedPlan
    unowned let cluster: SimulatedCluster
    let isSmall: Bool
    var scheduler: QuerySchedulerInstance
    /// Workers that the first attempt used: later ones use no more.
    private var plannedCount = 0
    private var armedFor: MonotonicInstant?
    /// Tasks of each attempt by worker, with the worker's life.
    private var watched: Set<Int> = []
    private var nextKey = 0
    private var resultReader: SimulatedReader?
    private var readAttempt = 0
    /// Rows of the attempt that is being read, not seen by the client yet.
    private var held: [UInt64] = []
    /// Rows that the client has seen.
    private var seen: [UInt64] = []
    private var seenAttempts: Set<Int> = []
    private var isReleased = false
    private let holdBackRows: Int
    private(set) var isOver = false
    private(set) var isComplete = false
    private(set) var endedAt: MonotonicInstant?
    private var isRefused = false
    /// Workers that it has brought down.
    var deaths = 0
    private var lastVersions: [TaskAttemptID: Int] = [:]

    init(number: Int, plan: SimulatedPlan, cluster: SimulatedCluster, isSmall: Bool, seed: UInt64) {
        self.number = number
        self.plan = plan
        self.cluster = cluster
        self.isSmall = isSmall
        id = QueryID("q\(number)")
        holdBackRows = seed % 4 == 0 ? 3 : .max
        scheduler = QuerySchedulerInstance(query: id, seed: seed)
    }

    // MARK: - Beginning

    func begin() {
        cluster.kernel.note("\(id) comes")
        let request = AdmissionRequest(query: id, session: number, isSmall: isSmall, memoryByteCount: 1)
        if cluster.scenario.mutation == .ignoresAdmission {
            _ = cluster.admission.request(request, now: cluster.kernel.now)
            return feed(.start)
        }
        cluster.carryOut(cluster.admission.request(request, now: cluster.kernel.now))
        armAdmission()
    }

    private func armAdmission() {
        guard let due = cluster.admission.nextDeadline else { return }
        cluster.kernel.at(due) { self.cluster.carryOut(self.cluster.admission.tick(now: self.cluster.kernel.now)) }
    }

    func refuse(_ error: QueryError) {
        isRefused = true
        end()
    }

    func cancel() { feed(.cancel(QueryError(.queryCanceled, "canceling statement due to user request"))) }

    // MARK: - Events

    func feed(_ event: SchedulerEvent) {
        let before = scheduler.state
        for directive in scheduler.handle(event, now: cluster.kernel.now) { carryOut(directive) }
        if scheduler.state != before {
            cluster.kernel.note("\(id).\(scheduler.queryAttempt) \(before)→\(scheduler.state)")
        }
        check()
        arm()
    }

    private func arm() {
        if cluster.scenario.mutation == .forgetsDeadlines { return }
        guard let due = scheduler.nextDeadline else { return }
        if let armedFor, armedFor <= due { return }
        armedFor = due
        cluster.kernel.at(due) {
            if self.armedFor == due { self.armedFor = nil }
            self.feed(.tick(clientWaits: true))
        }
    }

    /// What must hold after every step.
    private func check() {
        let isWaiting = scheduler.state == .queued
        if !scheduler.state.isTerminal, !isWaiting, scheduler.nextDeadline == nil {
            cluster.violate("I8", "\(id) is \(scheduler.state) without a deadline")
        }
        if scheduler.state.isTerminal, scheduler.unconfirmedWorkers.isEmpty != (scheduler.nextDeadline == nil) {
            cluster.violate("I8", "\(id) has ended and still waits for something")
        }
        if scheduler.budget.total >= scheduler.options.totalAttemptLimit {
            cluster.violate("I11", "\(id) was tried \(scheduler.budget.total) times")
        }
        var tasks: Set<[Int]> = []
        for attempt in scheduler.selectedAttempts
        where !tasks.insert([attempt.stage.number, attempt.partition]).inserted
            || attempt.queryAttempt != scheduler.queryAttempt
        {
            cluster.violate("I1", "\(attempt) is selected beside another attempt")
        }
        cluster.checkAdmission()
    }

    private func carryOut(_ directive: SchedulerDirective) {
        switch directive {
        case .place(let queryAttempt, let avoiding): place(queryAttempt, avoiding)
        case .openResult(let queryAttempt): openResult(queryAttempt)
        case .startTask(let assignment): start(assignment)
        case .cancelTasks(let worker, let queryAttempt, let attempts): cancelTasks(worker, queryAttempt, attempts)
        case .dropResult: dropResult()
        case .reportFailedFetch(let reporter, let worker):
            cluster.kernel.after(.zero) {
                self.cluster.feedMembership(.fetchFailed(reporter: reporter, worker: worker))
            }
        case .strike(let worker): cluster.kernel.after(.zero) { self.cluster.feedMembership(.strike(worker)) }
        case .fail(let error):
            if RetryClass(error) == .never, scheduler.queryAttempt > 0, error.state == .divisionByZero {
                cluster.kernel.note("\(id) failed by itself in attempt \(scheduler.queryAttempt)")
            }
            cluster.kernel.note("\(id) fails: \(error.state) \(error.message)")
        case .finished: end()
        case .settled: break
        }
    }

    // MARK: - Attempts

    private var layout: [TaskAttemptID: (worker: Int, task: SimulatedTask)] = [:]
    private var resultTask: TaskAttemptID?

    private func place(_ queryAttempt: Int, _ avoiding: [WorkerID]) {
        guard !isOver, scheduler.queryAttempt == queryAttempt else { return }
        let all = cluster.available
        let fit = all.filter { !avoiding.contains(WorkerID("w\($0)")) }
        var chosen = fit.isEmpty ? all : fit
        guard !chosen.isEmpty else {
            return cluster.kernel.after(.milliseconds(50)) { self.place(queryAttempt, avoiding) }
        }
        if plannedCount == 0 { plannedCount = min(chosen.count, 1 + Int(plan.seed % 8)) }
        chosen = Array(chosen.prefix(plannedCount))
        for worker in chosen { cluster.checkOffer(worker) }

        func tasks(_ stage: Int) -> [(attempt: TaskAttemptID, worker: Int)] {
            let workers = stage == 0 ? [chosen[Int(plan.seed / 8) % chosen.count]] : chosen
            return workers.enumerated().map { partition, worker in
                (
                    TaskAttemptID(query: id, queryAttempt: queryAttempt, stage: StageID(stage), partition: partition),
                    worker
                )
            }
        }
        layout = [:]
        var assignments: [TaskAssignment] = []
        for stage in (0..<plan.stageCount).reversed() {
            let own = tasks(stage)
            let isScan = stage == plan.stageCount - 1
            for (partition, entry) in own.enumerated() {
                let splits = isScan ? (0..<plan.splitCount).filter { $0 % own.count == partition } : []
                let task = SimulatedTask(
                    attempt: entry.attempt, plan: plan, splits: splits, sources: isScan ? [] : tasks(stage + 1),
                    partitions: stage <= 1 ? 1 : chosen.count)
                layout[entry.attempt] = (entry.worker, task)
                assignments.append(TaskAssignment(attempt: entry.attempt, worker: WorkerID("w\(entry.worker)")))
            }
        }
        resultTask = tasks(0).first?.attempt
        let addresses = Dictionary(uniqueKeysWithValues: Set(chosen).map { ("w\($0):2", WorkerID("w\($0)")) })
        for worker in Set(chosen).sorted() where watched.insert(worker).inserted { follow(worker) }
        feed(
            .placed(
                queryAttempt: queryAttempt, QueryPlacement(assignments: assignments, workersByAddress: addresses)))
    }

    private func follow(_ worker: Int) {
        guard !isOver else { return }
        nextKey += 1
        let key = nextKey
        cluster.watch(
            worker, id, key, isWanted: { !self.isOver },
            onStatus: { status in if !self.isOver { self.take(status) } },
            onBreak: { self.cluster.kernel.after(.milliseconds(100)) { self.follow(worker) } })
        keys.append((worker, key))
    }
    private var keys: [(worker: Int, key: Int)] = []

    private func take(_ status: TaskStatus) {
        if let last = lastVersions[status.attempt], status.version < last, status.state == .running {
            // Allowed on the wire, ignored by the scheduler.
            cluster.kernel.note("an old state of \(status.attempt)")
        }
        lastVersions[status.attempt] = max(status.version, lastVersions[status.attempt] ?? 0)
        feed(.status(status))
    }

    private func start(_ assignment: TaskAssignment) {
        guard let entry = layout[assignment.attempt] else {
            return cluster.violate("harness", "a task without a place")
        }
        func send(_ tries: Int) {
            cluster.call(entry.worker) { worker in
                // A repeated request gets a task of its own if the first one is gone.
                let task = SimulatedTask(
                    attempt: entry.task.attempt, plan: entry.task.plan, splits: entry.task.splits,
                    sources: entry.task.sources, partitions: entry.task.outputs.count)
                return self.cluster.startTask(worker, task)
            } answer: { error in
                if let error, error.state == .workerLost, tries < 3, !self.isOver {
                    return self.cluster.kernel.after(.milliseconds(100)) { send(tries + 1) }
                }
                self.feed(error.map { .refused(assignment.attempt, $0) } ?? .accepted(assignment.attempt))
            }
        }
        send(0)
    }

    private func cancelTasks(_ worker: WorkerID, _ queryAttempt: Int, _ attempts: [TaskAttemptID]) {
        guard let index = Int(worker.text.dropFirst()) else { return }
        let reason = QueryError(.queryCanceled, "canceling statement due to user request")
        cluster.call(index) { node in
            self.cluster.feedTasks(node, .release(attempts, reason: reason))
            return nil
        } answer: { error in
            if error == nil { self.feed(.cancelConfirmed(worker, queryAttempt: queryAttempt)) }
        }
    }

    // MARK: - The result

    private func openResult(_ queryAttempt: Int) {
        guard let producer = resultTask, let worker = layout[producer]?.worker else { return }
        resultReader?.isOver = true
        readAttempt = queryAttempt
        let reader = SimulatedReader(
            producer: producer, worker: worker, partition: 0, node: -1,
            onRows: { rows in
                // The result stage's own rows come as they are.
                self.takeRows(rows, queryAttempt)
            },
            onEnd: { self.finishResult(queryAttempt) },
            onFailure: { error in
                if !self.isOver { self.feed(.resultFailed(queryAttempt: queryAttempt, error)) }
            })
        resultReader = reader
        cluster.read(reader)
    }

    private func takeRows(_ rows: [UInt64], _ queryAttempt: Int) {
        guard !isOver, queryAttempt == readAttempt else { return }
        held += rows
        if !isReleased, held.count > holdBackRows, scheduler.isCurrent(queryAttempt) {
            feed(.rowsReleased(queryAttempt: queryAttempt))
            isReleased = true
        }
        if isReleased { give(queryAttempt) }
    }

    private func give(_ queryAttempt: Int) {
        guard !held.isEmpty else { return }
        seen += held
        held = []
        seenAttempts.insert(queryAttempt)
        if seenAttempts.count > 1 { cluster.violate("I15", "\(id) gave rows of two attempts") }
    }

    private func finishResult(_ queryAttempt: Int) {
        guard !isOver, queryAttempt == readAttempt, scheduler.isCurrent(queryAttempt) else { return }
        isReleased = true
        isComplete = true
        give(queryAttempt)
        let sum = seen.reduce(0, &+)
        let expected = plan.expected
        if sum != expected.sum || seen.count != expected.count {
            cluster.violate("I2", "\(id) gave \(seen.count) rows, \(expected.count) are right")
        }
        feed(.resultFinished(queryAttempt: queryAttempt))
    }

    private func dropResult() {
        if isReleased { cluster.violate("I3", "\(id) is tried again although rows were seen") }
        resultReader?.isOver = true
        if cluster.scenario.mutation != .selectsTwoAttempts { held = [] }
    }

    // MARK: - The end

    private func end() {
        guard !isOver else { return }
        isOver = true
        endedAt = cluster.kernel.now
        resultReader?.isOver = true
        for (worker, key) in keys { cluster.unwatch(worker, id, key) }
        if plan.poisonedSplit != nil, scheduler.state == .finished {
            cluster.violate("I2", "\(id) finished although no worker can read all of it")
        }
        if scheduler.state == .finished, !isComplete {
            cluster.violate("I2", "\(id) finished without its rows")
        }
        cluster.carryOut(cluster.admission.leave(id))
    }
}
