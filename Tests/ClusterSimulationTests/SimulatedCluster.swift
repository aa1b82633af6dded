// A whole cluster under virtual time: the real state machines of membership, scheduling, admission and task housekeeping,
// with shells around them that send over a network that fails.
//
//   Kernel               time and order
//   Scenario             sizes, faults, mutations
//   SimulatedCluster     nodes, membership, the coordinator's directory
//   SimulatedCluster+Deposed    a coordinator of an earlier term
//   SimulatedCluster+Network    calls, streams, partitions
//   SimulatedCluster+Tasks      tasks on workers and the exchange between them
//   SimulatedQuery       the shell of one query
//   Invariants           what must hold after every step

import ClusterMembership
import Coordination
import Diagnostics
import Transport
import WorkerRuntime

final class SimulatedCluster {
    let scenario: Scenario
    let kernel: Kernel
    var membership: MembershipInstance
    var admission: AdmissionInstance
    var workers: [SimulatedWorker] = []
    var queries: [SimulatedQuery] = []
    var network: SimulationRandom
    var faults: SimulationRandom
    var placement: SimulationRandom
    /// Nothing passes between the coordinator and these workers.
    var cutOff: Set<Int> = []
    /// Nothing passes between these pairs of workers.
    var cutPairs: Set<[Int]> = []
    /// Whether faults still happen.
    var isCalm = false
    struct OpenStream {
        var worker: Int
        /// Of the worker's process.
        var life: Int
        var session: SessionID
        /// Whether it goes to the coordinator of the earlier term.
        var isDeposed: Bool
    }
    var openStreams: [UInt64: OpenStream] = [:]
    /// A coordinator of an earlier term, while it is reachable.
    var deposed: MembershipInstance?
    var deposedTick: MonotonicInstant?
    var lastDelivery: [UInt64: MonotonicInstant] = [:]
    var nextStream: UInt64 = 0
    var coordinatorTick: MonotonicInstant?
    var firedFaults: [String: Int] = [:]
    var violations: [Violation] = []
    /// When a worker's lease ended, for work that it must not take.
    var detectionTimes: [Duration] = []
    var killedAt: [WorkerID: MonotonicInstant] = [:]
    var allReaders: [SimulatedReader] = []
    /// What to call when a stream of task states breaks.
    var breaks: [WatchKey: () -> Void] = [:]

    init(seed: UInt64, scenario: Scenario) throws {
        self.scenario = scenario
        kernel = Kernel(seed: seed)
        network = SimulationRandom(seed: seed, stream: 2)
        faults = SimulationRandom(seed: seed, stream: 3)
        placement = SimulationRandom(seed: seed, stream: 4)
        membership = MembershipInstance(
            options: MembershipOptions().scaled(forWorkers: scenario.workers), clusterID: "test", epoch: Self.epoch)
        var options = AdmissionOptions()
        options.runningMax = scenario.runningMax
        admission = AdmissionInstance(options: options)
        for index in 0..<scenario.workers {
            let worker = try SimulatedWorker(index: index, incarnation: 1, hasDeposed: scenario.hasDeposed)
            workers.append(worker)
            let life = worker.life
            kernel.after(.milliseconds(index % 97)) { self.feed(worker, life, .start) }
            housekeep(worker, life)
        }
    }

    func violate(_ invariant: String, _ text: String) {
        violations.append(Violation(invariant: invariant, text: "\(text) at \(kernel.now)"))
        kernel.note("VIOLATION \(invariant) \(text)")
    }

    func fired(_ fault: String) { firedFaults[fault, default: 0] += 1 }

    // MARK: - Running

    /// Runs the whole scenario. Violations are in `violations`.
    func run() {
        scheduleQueries()
        scheduleFaults()
        let end = kernel.now + .seconds(scenario.seconds)
        kernel.run(until: end) { self.violations.isEmpty }
        guard violations.isEmpty else { return }
        calmDown()
        let limit = kernel.now + .seconds(scenario.calmSeconds)
        kernel.run(until: limit) { self.violations.isEmpty && !self.isDone }
        guard violations.isEmpty else { return }
        for query in queries where !query.isOver {
            violate("I9", "query \(query.number) is \(query.scheduler.state) long after the last fault")
        }
        // The slowest call takes a minute to arrive, and what it starts then lives half a minute unwatched.
        kernel.run(until: kernel.now + .seconds(100)) { self.violations.isEmpty }
        if violations.isEmpty { checkNothingLeft() }
    }

    var isDone: Bool { queries.allSatisfy(\.isOver) }

    /// Faults stop; every worker that is gone comes back.
    private func calmDown() {
        isCalm = true
        cutOff = []
        cutPairs = []
        endDeposed()
        for worker in workers {
            if worker.isPaused { resume(worker) }
            if !worker.isAlive || worker.session.isFinished { restart(worker) }
        }
        kernel.note("calm")
    }

    private func scheduleQueries() {
        var random = SimulationRandom(seed: network.next(), stream: 9)
        for number in 0..<scenario.queries {
            var plan = SimulatedPlan(
                stageCount: 1 + random.below(4), splitCount: 1 + random.below(12), rowsPerSplit: random.below(9),
                seed: random.next(), pieceMilliseconds: random.between(1, 400))
            let start = Duration.milliseconds(2000 + random.below(scenario.seconds * 700))
            let isCancelled = random.chance(scenario.cancels)
            let cancelAfter = Duration.milliseconds(random.below(4000))
            let isSmall = random.chance(0.3)
            let seed = random.next()
            if scenario.poison > 0, random.chance(scenario.poison) {
                plan.poisonedSplit = random.below(plan.splitCount)
            }
            kernel.after(start) { [plan] in
                let query = SimulatedQuery(number: number, plan: plan, cluster: self, isSmall: isSmall, seed: seed)
                self.queries.append(query)
                query.begin()
                if isCancelled { self.kernel.after(cancelAfter) { query.cancel() } }
            }
        }
    }

    // MARK: - The coordinator's side of membership

    func feedMembership(_ event: MembershipEvent) {
        for directive in membership.handle(event, now: kernel.now) { carryOut(directive) }
        guard let due = membership.nextDeadline else { return }
        if coordinatorTick.map({ due < $0 }) ?? true {
            coordinatorTick = due
            kernel.at(due) {
                guard self.coordinatorTick == due else { return }
                self.coordinatorTick = nil
                self.feedMembership(.tick)
            }
        }
    }

    private func carryOut(_ directive: MembershipDirective) {
        switch directive {
        case .accept(let session, let registration): offer(session, registration)
        case .refuse(let session, let refusal): reply(session) { .refused($0, refusal) }
        case .acknowledge(let session, let acknowledgement): reply(session) { .acknowledged($0, acknowledgement) }
        case .closeSession(let session): closeStream(session.number, tellsWorker: true)
        case .probe(let worker, let incarnation, _):
            guard let index = Int(worker.text.dropFirst()) else { return }
            // A cut link and a process that stands still do not answer; a dead one refuses.
            let node = workers[index]
            let answers = node.isAlive && !node.isPaused && !cutOff.contains(index)
            let isSame = node.session.description.incarnation == incarnation
            kernel.after(answers || !node.isAlive ? .milliseconds(2) : .seconds(1)) {
                self.feedMembership(.probed(worker, incarnation, alive: answers && isSame))
            }
        case .stateChanged(let transition): changed(transition)
        case .blame(let worker, let crash):
            for query in queries where query.id.text == crash.query {
                query.feed(.blamed(worker, crash.incarnation))
            }
        case .evacuate(let worker, _): for query in queries { query.feed(.workerLeaves(worker)) }
        }
    }

    private func changed(_ transition: WorkerTransition) {
        kernel.note("\(transition.worker) \(transition.from?.rawValue ?? "-")→\(transition.to) \(transition.cause)")
        switch transition.to {
        case .joining: for query in queries { query.feed(.workerReturned(transition.worker)) }
        case .lost:
            if let killed = killedAt.removeValue(forKey: transition.worker) {
                detectionTimes.append(kernel.now.since(killed))
            }
            for query in queries { query.feed(.workerLost(transition.worker)) }
        case .drained:
            let worker = transition.worker
            if transition.cause == .goodbye {
                kernel.after(.milliseconds(500)) { for query in self.queries { query.feed(.workerLeft(worker)) } }
            } else {
                for query in queries { query.feed(.workerLost(worker)) }
            }
        default: break
        }
    }

    /// Workers that tasks may be given to, as the coordinator sees it.
    var available: [Int] {
        if scenario.mutation == .offersToSuspects {
            return membership.workers.filter(\.state.isLive).compactMap { Int($0.worker.text.dropFirst()) }
        }
        return membership.placeableWorkers.compactMap { Int($0.worker.text.dropFirst()) }
    }

    // MARK: - The worker's side of membership

    func feed(_ worker: SimulatedWorker, _ life: Int, _ event: WorkerSessionEvent) {
        onWorker(worker, life) {
            for directive in worker.session.handle(event, now: self.kernel.now) { self.carryOut(directive, worker) }
            self.armSession(worker)
        }
    }

    private func armSession(_ worker: SimulatedWorker) {
        guard let due = worker.session.nextDeadline else { return }
        if worker.nextTick.map({ due < $0 }) ?? true {
            worker.nextTick = due
            let life = worker.life
            kernel.at(due) {
                self.onWorker(worker, life) {
                    guard worker.nextTick == due else { return }
                    worker.nextTick = nil
                    self.feed(worker, life, .tick)
                }
            }
        }
    }

    private func carryOut(_ directive: WorkerSessionDirective, _ worker: SimulatedWorker) {
        let life = worker.life
        switch directive {
        case .discover: break
        case .dial(let session, let address): dial(worker, session, address)
        case .register(let session, let description):
            toCoordinator(worker, session) { .register($0, description) }
        case .heartbeat(let session, let sequence):
            let load = HeartbeatLoad(runningTasks: worker.tasks.runningCount)
            toCoordinator(worker, session) { .heartbeat($0, sequence: sequence, load) }
        case .announceDrain(let session, let within):
            toCoordinator(worker, session) { _ in .drain(worker.id, within: within) }
        case .goodbye(let session): toCoordinator(worker, session) { .goodbye($0) }
        case .close(let session):
            guard let stream = worker.streams[session] else { return }
            // What was sent before the end arrives before it.
            kernel.after(.milliseconds(5)) { self.closeStream(stream, tellsWorker: false) }
        case .leaseGained:
            checkEpoch(worker)
            feedTasks(worker, .accepts(!worker.session.isDraining))
        case .leaseLost: if scenario.mutation != .acceptsWithoutLease { feedTasks(worker, .accepts(false)) }
        case .stopAccepting: feedTasks(worker, .accepts(false))
        case .abandonWork: feedTasks(worker, .abandon(QueryError(.workerLost, "the worker lost its coordinator")))
        case .incarnationChanged: break
        case .finished:
            kernel.note("\(worker.id) left")
            end(worker)
            // Somebody starts it again after a while.
            kernel.after(.seconds(6)) { if worker.life == life { self.restart(worker) } }
        }
    }
}
