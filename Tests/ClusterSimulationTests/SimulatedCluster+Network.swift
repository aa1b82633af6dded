// The network between nodes: session streams, calls that get lost, repeated or late, and nodes that die, stop or return.

import ClusterMembership
import Coordination
import Diagnostics
import Transport
import WorkerRuntime

extension SimulatedCluster {
    private func delay() -> Duration { .nanoseconds(network.between(200_000, 3_000_000)) }

    /// Runs something on a worker's process if that life of it still exists; a process that stands still does it later.
    func onWorker(_ worker: SimulatedWorker, _ life: Int, _ body: @escaping () -> Void) {
        guard worker.isAlive, worker.life == life else { return }
        if worker.isPaused { return worker.held.append { if worker.life == life { body() } } }
        body()
    }

    // MARK: - Session streams

    func dial(_ worker: SimulatedWorker, _ session: SessionID, _ address: String) {
        let life = worker.life
        let isDeposed = address != SimulatedWorker.coordinators[0]
        if isDeposed, deposed == nil {
            return kernel.after(.milliseconds(1)) { self.feed(worker, life, .closed(session)) }
        }
        // A dial into a cut goes nowhere; the worker's own deadline ends it.
        guard !cutOff.contains(worker.index) else { return }
        nextStream += 1
        let stream = nextStream
        worker.streams[session] = stream
        openStreams[stream] = OpenStream(worker: worker.index, life: life, session: session, isDeposed: isDeposed)
        kernel.after(.milliseconds(1)) { self.feed(worker, life, .dialed(session)) }
    }

    /// Delivers over a stream, which keeps its order; what was sent into a cut is gone.
    private func transmit(_ stream: UInt64, _ action: @escaping () -> Void) {
        guard let owner = openStreams[stream], !cutOff.contains(owner.worker) else { return }
        var time = kernel.now + delay()
        if let last = lastDelivery[stream] { time = max(time, last + .nanoseconds(1)) }
        lastDelivery[stream] = time
        kernel.at(time) { if self.openStreams[stream] != nil { action() } }
    }

    func toCoordinator(
        _ worker: SimulatedWorker, _ session: SessionID, _ event: @escaping (SessionID) -> MembershipEvent
    ) {
        guard let stream = worker.streams[session] else { return }
        let isDeposed = openStreams[stream]?.isDeposed == true
        transmit(stream) {
            if isDeposed {
                self.feedDeposed(event(SessionID(stream)))
            } else {
                self.feedMembership(event(SessionID(stream)))
            }
        }
    }

    func reply(_ session: SessionID, _ event: @escaping (SessionID) -> WorkerSessionEvent) {
        guard let owner = openStreams[session.number] else { return }
        let worker = workers[owner.worker]
        transmit(session.number) { self.feed(worker, owner.life, event(owner.session)) }
    }

    func closeStream(_ stream: UInt64, tellsWorker: Bool) {
        guard let owner = openStreams.removeValue(forKey: stream) else { return }
        lastDelivery[stream] = nil
        // Nobody notices the end of a connection over a cut.
        if cutOff.contains(owner.worker) { return }
        kernel.after(.milliseconds(1)) {
            let event = MembershipEvent.streamClosed(SessionID(stream))
            if owner.isDeposed { self.feedDeposed(event) } else { self.feedMembership(event) }
        }
        let worker = workers[owner.worker]
        if tellsWorker {
            kernel.after(.milliseconds(1)) { self.feed(worker, owner.life, .closed(owner.session)) }
        }
    }

    // MARK: - Calls

    /// A call of the coordinator to a worker. `serve` runs there, perhaps more than once; `answer` here, at most once: with
    /// what `serve` gave, or with an error when no answer came within ten seconds.
    func call(
        _ index: Int, _ serve: @escaping (SimulatedWorker) -> QueryError?, answer: @escaping (QueryError?) -> Void
    ) {
        let worker = workers[index]
        var isAnswered = false
        func answerOnce(_ error: QueryError?) {
            guard !isAnswered else { return }
            isAnswered = true
            answer(error)
        }
        let unreachable = QueryError(.workerLost, "worker w\(index) cannot be reached")
        guard worker.isAlive else { return kernel.after(.milliseconds(500)) { answerOnce(unreachable) } }
        kernel.after(.seconds(10)) { answerOnce(unreachable) }
        func deliver(after span: Duration, answers: Bool) {
            let life = worker.life
            kernel.after(span) {
                guard !self.cutOff.contains(index) else { return }
                // A process that came back at the same address takes the call of an earlier one.
                let target = worker.isAlive ? worker.life : life
                self.onWorker(worker, target) {
                    let result = serve(worker)
                    guard answers, !self.cutOff.contains(index) else { return }
                    self.kernel.after(self.delay()) { answerOnce(result) }
                }
            }
        }
        if !isCalm, network.chance(scenario.lostCalls) { return fired("lost call") }
        var isReplyLost = false
        if !isCalm, network.chance(scenario.lostReplies) {
            fired("lost reply")
            isReplyLost = true
        }
        var span = delay()
        if !isCalm, network.chance(scenario.slowCalls) {
            fired("slow call")
            span = .milliseconds(network.below(60_000))
        }
        deliver(after: span, answers: !isReplyLost)
        if !isCalm, network.chance(scenario.repeatedCalls) {
            fired("repeated call")
            deliver(after: span + .milliseconds(network.below(20_000)), answers: false)
        }
    }

    // MARK: - Faults

    func scheduleFaults() {
        scheduleDeposed()
        func plan(_ rate: Double, _ action: @escaping (SimulatedWorker) -> Void) {
            for worker in workers {
                var expected = rate
                while expected > 0 {
                    if faults.chance(min(1, expected)) {
                        let time = Duration.milliseconds(1000 + faults.below(scenario.seconds * 1000))
                        kernel.after(time) { if !self.isCalm { action(worker) } }
                    }
                    expected -= 1
                }
            }
        }
        plan(scenario.crashes) { worker in
            guard worker.isAlive else { return }
            self.fired("crash")
            self.crash(worker)
            self.kernel.after(.milliseconds(self.faults.below(20_000))) { if !worker.isAlive { self.restart(worker) } }
        }
        plan(scenario.pauses) { worker in
            guard worker.isAlive, !worker.isPaused else { return }
            self.fired("pause")
            worker.isPaused = true
            self.kernel.note("\(worker.id) stands still")
            self.kernel.after(.milliseconds(500 + self.faults.below(20_000))) { self.resume(worker) }
        }
        plan(scenario.partitions) { worker in
            guard self.cutOff.insert(worker.index).inserted else { return }
            self.fired("partition")
            self.kernel.note("\(worker.id) cut off")
            self.kernel.after(.milliseconds(500 + self.faults.below(30_000))) {
                self.cutOff.remove(worker.index)
                self.kernel.note("\(worker.id) reachable again")
            }
        }
        plan(scenario.pairPartitions) { worker in
            let other = self.faults.below(self.workers.count)
            guard other != worker.index else { return }
            let pair = [min(other, worker.index), max(other, worker.index)]
            guard self.cutPairs.insert(pair).inserted else { return }
            self.fired("pair partition")
            self.kernel.note("pair \(pair) cut")
            self.kernel.after(.milliseconds(500 + self.faults.below(30_000))) { self.cutPairs.remove(pair) }
        }
        plan(scenario.resets) { worker in
            self.fired("reset")
            for (stream, owner) in self.openStreams.sorted(by: { $0.key < $1.key }) where owner.worker == worker.index {
                self.closeStream(stream, tellsWorker: true)
            }
            self.resetExchange(worker)
            self.breakWatches(worker)
        }
        plan(scenario.drains) { worker in
            guard worker.isAlive else { return }
            self.fired("drain")
            self.feed(worker, worker.life, .drainRequested(within: nil))
        }
    }

    /// The process dies; its connections are reset, which is seen at once unless the link is cut.
    func crash(_ worker: SimulatedWorker) {
        kernel.note("\(worker.id) dies")
        killedAt[worker.id] = kernel.now
        end(worker)
    }

    /// The process is gone, with everything that it held.
    func end(_ worker: SimulatedWorker) {
        worker.isAlive = false
        worker.isPaused = false
        worker.held = []
        for (stream, owner) in openStreams.sorted(by: { $0.key < $1.key }) where owner.worker == worker.index {
            closeStream(stream, tellsWorker: false)
        }
        resetExchange(worker)
        for task in worker.running.values { task.isStopped = true }
        worker.running = [:]
        worker.tasks = WorkerTasksInstance(isAccepting: scenario.mutation == .acceptsWithoutLease)
        breakWatches(worker)
    }

    func restart(_ worker: SimulatedWorker) {
        if worker.isAlive { end(worker) }
        worker.life += 1
        worker.isAlive = true
        worker.nextTick = nil
        worker.streams = [:]
        worker.seenEpoch = 0
        // Incarnations are times of start: far above what a worker that fenced itself counts up to.
        let incarnation = UInt64(worker.life) * 1000
        do {
            worker.session = try SimulatedWorker.session(
                worker.index, incarnation, crashes: worker.crashNotes, hasDeposed: scenario.hasDeposed)
            worker.crashNotes = []
        } catch {
            return violate("harness", "\(error)")
        }
        kernel.note("\(worker.id) starts, life \(worker.life)")
        feed(worker, worker.life, .start)
        let life = worker.life
        housekeep(worker, life)
    }

    func resume(_ worker: SimulatedWorker) {
        guard worker.isPaused else { return }
        worker.isPaused = false
        kernel.note("\(worker.id) goes on")
        let held = worker.held
        worker.held = []
        // Time has passed for the process too: its timers ring before it looks at what has come.
        feed(worker, worker.life, .tick)
        feedTasks(worker, .tick)
        for action in held { action() }
    }
}
