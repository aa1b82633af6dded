// The coordinator's side of membership: registrations, leases, suspicion, drains.

import Diagnostics

/// Keeps the list of workers. Deterministic: the same events at the same times give the same directives in the same
/// order. The shell serialises all calls.
package struct MembershipInstance: Sendable {
    package let options: MembershipOptions
    package let clusterID: String
    /// The coordinator's term.
    package let epoch: UInt64

    /// Sorted by worker id, one record for each: its newest incarnation.
    var records: [WorkerRecord] = []
    /// Which worker a stream belongs to. Looked up, never iterated.
    private var workersBySession: [SessionID: WorkerID] = [:]
    /// Losses by silence or missing redial are put off until then.
    private var frozenUntil: MonotonicInstant?
    private var frozenSince: MonotonicInstant?
    /// When workers fell silent, oldest first, within the window of mass suspicion.
    private var recentSilences: [(worker: WorkerID, at: MonotonicInstant)] = []
    private var expectedTick: MonotonicInstant?
    /// How suspicious workers were when their heartbeats came, for metrics: what lies near the threshold says that it is too
    /// low for this network.
    package private(set) var suspicions = Histogram(bounds: [0.001, 0.01, 0.1, 0.5, 1, 2, 4, 8, 16])

    package init(options: MembershipOptions = MembershipOptions(), clusterID: String, epoch: UInt64 = 1) {
        self.options = options
        self.clusterID = clusterID
        self.epoch = epoch
    }

    // MARK: Queries

    /// All known workers, those that left included, sorted by id.
    package var workers: [WorkerRecord] { records }

    /// Workers that may get new work, sorted by id.
    package var activeWorkers: [WorkerRecord] { records.filter { $0.state.takesWork } }

    /// The same, or, if there is none, those in quarantine: a worker with a stain is better than none.
    package var placeableWorkers: [WorkerRecord] {
        let active = activeWorkers
        return active.isEmpty ? records.filter { $0.state == .quarantined } : active
    }

    package func worker(_ id: WorkerID) -> WorkerRecord? {
        position(of: id).map { records[$0] }
    }

    package func worker(of session: SessionID) -> WorkerID? { workersBySession[session] }

    /// True while losses are put off because the fault may lie with this node.
    package func isFrozen(now: MonotonicInstant) -> Bool { frozenUntil.map { now < $0 } ?? false }

    /// When `tick` is due; nil when there is nothing to wait for. It may come early: a heartbeat moves the deadlines of its
    /// worker later, and only a tick looks at all workers anew.
    package private(set) var nextDeadline: MonotonicInstant?

    private mutating func renewDeadline() {
        nextDeadline = records.compactMap { deadline(of: $0) }.min()
    }

    private mutating func advanceDeadline(for worker: WorkerID?) {
        guard let worker, let index = position(of: worker), let due = deadline(of: records[index]) else { return }
        nextDeadline = nextDeadline.map { min($0, due) } ?? due
    }

    /// The worker that an event is about; only its deadlines can come nearer.
    private func subject(of event: MembershipEvent) -> WorkerID? {
        switch event {
        case .register(_, let description): description.worker
        case .heartbeat(let session, _, _), .streamClosed(let session), .goodbye(let session):
            workersBySession[session]
        case .drain(let worker, _), .fetchFailed(_, let worker), .strike(let worker), .probed(let worker, _, _): worker
        case .tick: nil
        }
    }

    // MARK: Events

    package mutating func handle(_ event: MembershipEvent, now: MonotonicInstant) -> [MembershipDirective] {
        var directives: [MembershipDirective] = []
        let subject = subject(of: event)
        switch event {
        case .register(let session, let description):
            register(session, description, now, &directives)
        case .heartbeat(let session, let sequence, let load):
            heartbeat(session, sequence, load, now, &directives)
        case .streamClosed(let session):
            streamClosed(session, now, &directives)
        case .drain(let worker, let within):
            drain(worker, within, now, &directives)
        case .goodbye(let session):
            goodbye(session, now, &directives)
        case .fetchFailed(let reporter, let worker):
            fetchFailed(reporter, worker, now, &directives)
        case .strike(let worker):
            if let index = position(of: worker) { strike(index, now, &directives) }
        case .probed(let worker, let incarnation, let alive):
            probed(worker, incarnation, alive)
        case .tick:
            tick(now, &directives)
            renewDeadline()
        }
        advanceDeadline(for: subject)
        expectedTick = nextDeadline
        return directives
    }

    private mutating func register(
        _ session: SessionID, _ description: WorkerDescription, _ now: MonotonicInstant,
        _ directives: inout [MembershipDirective]
    ) {
        if let refusal = refusal(for: description) {
            directives.append(.refuse(session, refusal))
            return
        }
        let version = min(options.protocolMaximum, description.protocolMaximum)
        if let index = position(of: description.worker) {
            let known = records[index]
            if known.incarnation == description.incarnation, known.state.isLive {
                resume(index, session, description, now, &directives)
                directives.append(.accept(session, registration(version: version, resumed: true)))
                return
            }
            if known.state.isLive {
                transition(index, to: .lost, .newerIncarnation, now, &directives)
            }
            let past = records[index]
            records[index] = fresh(description, session, now)
            records[index].strikes = past.strikes
            records[index].quarantineCount = past.quarantineCount
            if past.state == .lost { records[index].correctionUntil = past.correctionUntil }
        } else {
            records.insert(fresh(description, session, now), at: insertionPoint(of: description.worker))
        }
        workersBySession[session] = description.worker
        for crash in description.crashes { directives.append(.blame(description.worker, crash)) }
        directives.append(
            .stateChanged(
                WorkerTransition(
                    worker: description.worker, incarnation: description.incarnation, from: nil, to: .joining,
                    cause: .registered)))
        directives.append(.accept(session, registration(version: version, resumed: false)))
    }

    private func refusal(for description: WorkerDescription) -> RegistrationRefusal? {
        if description.clusterID != clusterID {
            return RegistrationRefusal(
                .wrongCluster, "this is cluster \"\(clusterID)\", not \"\(description.clusterID)\"")
        }
        let newest = min(options.protocolMaximum, description.protocolMaximum)
        if newest < max(options.protocolMinimum, description.protocolMinimum) {
            return RegistrationRefusal(
                .versionMismatch,
                "the coordinator speaks versions \(options.protocolMinimum) to \(options.protocolMaximum), the worker "
                    + "\(description.protocolMinimum) to \(description.protocolMaximum)")
        }
        if let index = position(of: description.worker) {
            let known = records[index]
            if description.incarnation < known.incarnation {
                return RegistrationRefusal(
                    .staleIncarnation, "incarnation \(known.incarnation) of this worker is known")
            }
            if description.incarnation == known.incarnation, !known.state.isLive {
                return RegistrationRefusal(
                    .incarnationLost, "incarnation \(known.incarnation) of this worker was given up",
                    retryAfter: .zero)
            }
        } else if records.count >= options.maximumWorkers {
            return RegistrationRefusal(
                .tooManyWorkers, "the cluster holds \(records.count) workers, its limit", retryAfter: .seconds(30))
        }
        return nil
    }

    private func registration(version: Int, resumed: Bool) -> Registration {
        Registration(
            epoch: epoch, lease: options.workerLease, heartbeatInterval: options.heartbeatInterval,
            protocolVersion: version, resumed: resumed)
    }

    private func fresh(_ description: WorkerDescription, _ session: SessionID, _ now: MonotonicInstant)
        -> WorkerRecord
    {
        WorkerRecord(
            description: description, state: .joining, stateSince: now, registeredAt: now, session: session,
            detector: FailureDetector(options: options, now: now))
    }

    /// The same incarnation on a new stream: it keeps its tasks and its drain.
    private mutating func resume(
        _ index: Int, _ session: SessionID, _ description: WorkerDescription, _ now: MonotonicInstant,
        _ directives: inout [MembershipDirective]
    ) {
        if let old = records[index].session, old != session {
            workersBySession[old] = nil
            directives.append(.closeSession(old))
        }
        records[index].description = description
        records[index].session = session
        records[index].redialUntil = nil
        records[index].probedAlive = false
        workersBySession[session] = description.worker
        records[index].detector.heartbeat(now: now)
        if records[index].state == .suspect { transition(index, to: .active, .registered, now, &directives) }
    }

    private mutating func heartbeat(
        _ session: SessionID, _ sequence: UInt64, _ load: HeartbeatLoad, _ now: MonotonicInstant,
        _ directives: inout [MembershipDirective]
    ) {
        guard let index = live(session) else {
            directives.append(.closeSession(session))
            return
        }
        suspicions.record(records[index].suspicion(now: now))
        records[index].detector.heartbeat(now: now)
        records[index].load = load
        switch records[index].state {
        case .joining, .suspect:
            // A new life does not end a quarantine.
            if records[index].correctionUntil.map({ $0 > now }) ?? false {
                transition(index, to: .quarantined, .strikes, now, &directives)
            } else {
                transition(index, to: .active, .heartbeat, now, &directives)
            }
        case .active, .quarantined, .probation, .draining, .drained, .lost: break
        }
        let drain = records[index].drainUntil.map { max(.zero, $0.since(now)) }
        directives.append(.acknowledge(session, HeartbeatAcknowledgement(sequence: sequence, drainWithin: drain)))
    }

    private mutating func streamClosed(
        _ session: SessionID, _ now: MonotonicInstant, _ directives: inout [MembershipDirective]
    ) {
        let index = live(session)
        workersBySession[session] = nil
        guard let index else { return }
        records[index].session = nil
        records[index].probedAlive = false
        records[index].redialUntil = now + options.redialGrace
        switch records[index].state {
        case .joining, .active, .probation: transition(index, to: .suspect, .streamClosed, now, &directives)
        case .suspect, .quarantined, .draining, .drained, .lost: break
        }
        directives.append(probe(index))
    }

    private mutating func drain(
        _ worker: WorkerID, _ within: Duration?, _ now: MonotonicInstant, _ directives: inout [MembershipDirective]
    ) {
        guard let index = position(of: worker), records[index].state.isLive else { return }
        let end = now + (within ?? options.drainDeadline)
        records[index].drainUntil = records[index].drainUntil.map { min($0, end) } ?? end
        guard records[index].state != .draining else { return }
        transition(index, to: .draining, .drainRequested, now, &directives)
    }

    private mutating func goodbye(
        _ session: SessionID, _ now: MonotonicInstant, _ directives: inout [MembershipDirective]
    ) {
        guard let index = live(session) else { return }
        transition(index, to: .drained, .goodbye, now, &directives)
        directives.append(.closeSession(session))
    }

    /// Two reporters within five seconds make a worker suspect; a probe then tells whether only a link has failed.
    private mutating func fetchFailed(
        _ reporter: WorkerID, _ worker: WorkerID, _ now: MonotonicInstant,
        _ directives: inout [MembershipDirective]
    ) {
        guard let index = position(of: worker), records[index].state.isLive else { return }
        var reports = records[index].failedFetches.filter {
            $0.reporter != reporter && now.since($0.time) <= .seconds(5)
        }
        reports.append(WorkerRecord.FetchFailure(reporter: reporter, time: now))
        records[index].failedFetches = reports
        guard reports.count >= 2 else { return }
        records[index].failedFetches = []
        if records[index].state.takesWork {
            transition(index, to: .suspect, .peersReportFailures, now, &directives)
        }
        directives.append(probe(index))
    }

    private mutating func probed(_ worker: WorkerID, _ incarnation: Incarnation, _ alive: Bool) {
        guard let index = position(of: worker), records[index].incarnation == incarnation else { return }
        records[index].probedAlive = alive
    }

    // MARK: Time

    private mutating func tick(_ now: MonotonicInstant, _ directives: inout [MembershipDirective]) {
        // The tick that ends a freeze must act, or a node that is always late would never give anyone up.
        if let end = frozenUntil, now >= end {
            frozenUntil = nil
            frozenSince = nil
        } else {
            noticeOwnLag(now)
        }
        var departed = false
        for index in records.indices {
            if records[index].state.isLive {
                expire(index, now, &directives)
            } else if now >= records[index].stateSince + options.departedRetention {
                departed = true
            }
        }
        if departed {
            records.removeAll { !$0.state.isLive && now >= $0.stateSince + options.departedRetention }
        }
    }

    private mutating func expire(
        _ index: Int, _ now: MonotonicInstant, _ directives: inout [MembershipDirective]
    ) {
        let record = records[index]
        if let end = record.drainUntil, record.state == .draining {
            if !record.evacuated, now >= end - options.evacuationLead {
                records[index].evacuated = true
                directives.append(.evacuate(record.worker, record.incarnation))
            }
            if now >= end + options.leaseMargin {
                give(up: index, as: .drained, .drainDeadline, now, &directives)
                return
            }
        }
        correct(index, now, &directives)
        if record.state.takesWork, records[index].state.takesWork, now >= record.detector.suspectAt {
            noticeSilence(of: records[index].description.worker, now)
            transition(index, to: .suspect, .silence, now, &directives)
            directives.append(probe(index))
        }
        guard !isFrozen(now: now) else { return }
        if let redialUntil = record.redialUntil, now >= redialUntil, !record.probedAlive {
            give(up: index, as: .lost, .noRedial, now, &directives)
        } else if now >= record.lastHeartbeat + options.coordinatorLease {
            give(up: index, as: .lost, .leaseExpired, now, &directives)
        }
    }

    private mutating func give(
        up index: Int, as state: WorkerState, _ cause: WorkerStateCause, _ now: MonotonicInstant,
        _ directives: inout [MembershipDirective]
    ) {
        let session = records[index].session
        transition(index, to: state, cause, now, &directives)
        if let session { directives.append(.closeSession(session)) }
        if state == .lost { strike(index, now, &directives) }
    }

    // MARK: Strikes

    private mutating func strike(
        _ index: Int, _ now: MonotonicInstant, _ directives: inout [MembershipDirective]
    ) {
        records[index].strikes.removeAll { now.since($0) > options.strikeWindow }
        records[index].strikes.append(now)
        let state = records[index].state
        guard state == .probation || records[index].strikes.count >= options.strikeLimit else { return }
        guard state == .active || state == .probation || state == .suspect || state == .lost else { return }
        records[index].strikes = []
        let doublings = min(records[index].quarantineCount, 16)
        records[index].quarantineCount += 1
        let span = min(options.quarantineMaximum, options.quarantineInitial * (1 << doublings))
        records[index].correctionUntil = now + span
        if state != .lost { transition(index, to: .quarantined, .strikes, now, &directives) }
    }

    /// Ends quarantine and probation when their time has come.
    private mutating func correct(
        _ index: Int, _ now: MonotonicInstant, _ directives: inout [MembershipDirective]
    ) {
        guard let end = records[index].correctionUntil, now >= end else { return }
        switch records[index].state {
        case .quarantined:
            records[index].correctionUntil = now + options.probation
            transition(index, to: .probation, .quarantineOver, now, &directives)
        case .probation:
            records[index].correctionUntil = nil
            records[index].quarantineCount = 0
            transition(index, to: .active, .probationPassed, now, &directives)
        case .joining, .active, .suspect, .draining, .drained, .lost:
            records[index].correctionUntil = nil
        }
    }

    /// A tick that comes late means that this node was held up, and heartbeats may wait unread behind it: put losses
    /// off until they have been read.
    private mutating func noticeOwnLag(_ now: MonotonicInstant) {
        guard let expectedTick else { return }
        let lag = now.since(expectedTick)
        guard lag > options.lagTolerance else { return }
        freeze(for: lag * 2, now)
    }

    private mutating func noticeSilence(of worker: WorkerID, _ now: MonotonicInstant) {
        recentSilences.removeAll { now.since($0.at) > options.massSuspicionWindow }
        recentSilences.append((worker, now))
        let live = records.reduce(into: 0) { $0 += $1.state.isLive ? 1 : 0 }
        let limit = max(Double(options.massSuspicionMinimum), options.massSuspicionShare * Double(live))
        // All of a few at once are no coincidence either.
        let isEverybody = live >= 2 && Set(recentSilences.map(\.worker)).count >= live
        if isEverybody || Double(recentSilences.count) > limit { freeze(for: options.maximumFreeze, now) }
    }

    /// A freeze may grow while it lasts, but never beyond its maximum from where it began.
    private mutating func freeze(for span: Duration, _ now: MonotonicInstant) {
        let start = frozenSince ?? now
        frozenSince = start
        let end = min(now + span, start + options.maximumFreeze)
        frozenUntil = frozenUntil.map { max($0, end) } ?? end
    }

    private func deadline(of record: WorkerRecord) -> MonotonicInstant? {
        guard record.state.isLive else { return record.stateSince + options.departedRetention }
        var due = record.lastHeartbeat + options.coordinatorLease
        if let redialUntil = record.redialUntil, !record.probedAlive { due = min(due, redialUntil) }
        if let frozenUntil { due = max(due, frozenUntil) }
        if record.state.takesWork { due = min(due, record.detector.suspectAt) }
        if let end = record.correctionUntil { due = min(due, end) }
        if record.state == .draining, let end = record.drainUntil {
            due = min(due, record.evacuated ? end + options.leaseMargin : end - options.evacuationLead)
        }
        return due
    }

    // MARK: Records

    private mutating func transition(
        _ index: Int, to state: WorkerState, _ cause: WorkerStateCause, _ now: MonotonicInstant,
        _ directives: inout [MembershipDirective]
    ) {
        let from = records[index].state
        assert(from.mayBecome(state), "a worker cannot go from \(from) to \(state)")
        records[index].state = state
        records[index].stateSince = now
        if !state.isLive, let session = records[index].session {
            workersBySession[session] = nil
            records[index].session = nil
        }
        directives.append(
            .stateChanged(
                WorkerTransition(
                    worker: records[index].worker, incarnation: records[index].incarnation, from: from, to: state,
                    cause: cause)))
    }

    private func probe(_ index: Int) -> MembershipDirective {
        .probe(
            records[index].worker, records[index].incarnation, address: records[index].description.controlAddress)
    }

    /// The live record whose current stream this is.
    private func live(_ session: SessionID) -> Int? {
        guard let worker = workersBySession[session], let index = position(of: worker),
            records[index].session == session, records[index].state.isLive
        else { return nil }
        return index
    }

    private func position(of worker: WorkerID) -> Int? {
        let index = insertionPoint(of: worker)
        return index < records.count && records[index].worker == worker ? index : nil
    }

    private func insertionPoint(of worker: WorkerID) -> Int {
        var low = 0
        var high = records.count
        while low < high {
            let middle = (low + high) / 2
            if records[middle].worker < worker { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
