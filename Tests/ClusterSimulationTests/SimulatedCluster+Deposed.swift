// A coordinator of an earlier term that does not know yet that it was replaced: it takes workers that come to it. Those that
// have seen the later term must not stay.

import ClusterMembership

extension SimulatedCluster {
    /// Terms of the two coordinators.
    static let deposedEpoch: UInt64 = 1
    static let epoch: UInt64 = 2

    func scheduleDeposed() {
        guard scenario.hasDeposed else { return }
        kernel.after(.milliseconds(500 + faults.below(scenario.seconds * 600))) {
            guard !self.isCalm else { return }
            self.kernel.note("the deposed coordinator is reachable")
            self.deposed = MembershipInstance(clusterID: "test", epoch: Self.deposedEpoch)
            self.kernel.after(.milliseconds(1000 + self.faults.below(7000))) { self.endDeposed() }
        }
    }

    func endDeposed() {
        guard deposed != nil else { return }
        kernel.note("the deposed coordinator is gone")
        deposed = nil
        for (stream, owner) in openStreams.sorted(by: { $0.key < $1.key }) where owner.isDeposed {
            closeStream(stream, tellsWorker: true)
        }
    }

    func feedDeposed(_ event: MembershipEvent) {
        for directive in deposed?.handle(event, now: kernel.now) ?? [] {
            switch directive {
            case .accept(let session, let registration):
                fired("deposed coordinator")
                offer(session, registration)
            case .refuse(let session, let refusal): reply(session) { .refused($0, refusal) }
            case .acknowledge(let session, let acknowledgement): reply(session) { .acknowledged($0, acknowledgement) }
            case .closeSession(let session): closeStream(session.number, tellsWorker: true)
            // It has no queries.
            case .probe, .stateChanged, .blame, .evacuate: break
            }
        }
        guard let due = deposed?.nextDeadline, deposedTick.map({ due < $0 }) ?? true else { return }
        deposedTick = due
        kernel.at(due) {
            guard self.deposedTick == due else { return }
            self.deposedTick = nil
            self.feedDeposed(.tick)
        }
    }

    /// A coordinator accepts a worker; with the mutation the worker is not told of which term it is.
    func offer(_ session: SessionID, _ registration: Registration) {
        guard let owner = openStreams[session.number] else { return }
        let worker = workers[owner.worker]
        var told = registration
        if scenario.mutation == .acceptsOldEpochs { told.epoch = Self.epoch }
        reply(session) { session in
            worker.offeredEpoch = registration.epoch
            return .registered(session, told)
        }
    }

    /// I5: once a worker has had the lease of a term, none of an earlier one has any effect on it.
    func checkEpoch(_ worker: SimulatedWorker) {
        if worker.offeredEpoch < worker.seenEpoch {
            violate(
                "I5", "\(worker.id) took the lease of term \(worker.offeredEpoch) after that of \(worker.seenEpoch)")
        }
        worker.seenEpoch = max(worker.seenEpoch, worker.offeredEpoch)
    }
}
