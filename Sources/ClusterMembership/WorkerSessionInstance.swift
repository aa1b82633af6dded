// The worker's side of membership: find the coordinator, register, keep the lease, come back after a failure.

import Diagnostics

/// Something that happened, as the shell reports it to `WorkerSessionInstance`.
package enum WorkerSessionEvent: Sendable, Hashable {
    case start
    /// The stream that `WorkerSessionDirective.dial` asked for is open.
    case dialed(SessionID)
    case dialFailed(SessionID, message: String)
    /// Where coordinators are at the moment, as `WorkerSessionDirective.discover` asked; empty: nobody knows.
    case discovered([String])
    case registered(SessionID, Registration)
    case refused(SessionID, RegistrationRefusal)
    case acknowledged(SessionID, HeartbeatAcknowledgement)
    case closed(SessionID)
    /// The process was asked to leave (a signal, an operator); nil: the usual deadline.
    case drainRequested(within: Duration?)
    /// While draining: no task and no unread output is left.
    case workFinished
    case tick
}

/// Something that the worker's shell shall do.
package enum WorkerSessionDirective: Sendable, Hashable {
    /// Open a stream to a coordinator and report `dialed` or `dialFailed` under this number.
    case dial(SessionID, address: String)
    /// Find out where coordinators are and report `discovered`; dialling goes on meanwhile with what is known.
    case discover
    case register(SessionID, WorkerDescription)
    /// Send a heartbeat with the load of this moment.
    case heartbeat(SessionID, sequence: UInt64)
    case announceDrain(SessionID, within: Duration)
    case goodbye(SessionID)
    case close(SessionID)
    /// The worker may take tasks and commit, under this registration.
    case leaseGained(Registration)
    /// Take no new task and refuse commits until the lease is back; what runs goes on.
    case leaseLost
    /// Draining has begun: take no new task.
    case stopAccepting
    /// Abort every task and drop every output: the coordinator has given this life of the worker up.
    case abandonWork
    /// From now on the worker registers under this incarnation.
    case incarnationChanged(Incarnation)
    /// The session is over and nothing more will come; nil: left in good order.
    case finished(RegistrationRefusal?)
}

/// Drives one worker's membership. Deterministic, as `MembershipInstance` is.
package struct WorkerSessionInstance: Sendable {
    private enum Phase: Sendable, Hashable {
        case idle
        case waiting(until: MonotonicInstant)
        case dialing(SessionID, until: MonotonicInstant)
        case registering(SessionID, until: MonotonicInstant)
        case joined(SessionID)
        case finished
    }

    private struct Outstanding: Sendable {
        var sequence: UInt64
        var sentAt: MonotonicInstant
    }

    package private(set) var description: WorkerDescription
    package let options: WorkerSessionOptions
    private var coordinators: [String]
    private let discovers: Bool

    private var phase: Phase = .idle
    private var nextSession: UInt64 = 0
    private var nextSequence: UInt64 = 0
    private var coordinatorIndex = 0
    /// Where the coordinator of last resort said that the leader is; tried before the list.
    private var leaderHint: String?
    private var failures = 0
    private var registration: Registration?
    private var registerSentAt: MonotonicInstant = .zero
    private var unacknowledged: [Outstanding] = []
    private var nextHeartbeat: MonotonicInstant = .zero
    /// The end of the current lease; nil while the worker holds none.
    package private(set) var leaseUntil: MonotonicInstant?
    /// While there is no lease: when the work of the lost lease is abandoned.
    private var orphanedUntil: MonotonicInstant?
    private var drainUntil: MonotonicInstant?
    private var workIsFinished = false

    /// `coordinators` are tried in turn; with `discovers` they are asked for before each round, without it there must be some.
    package init(
        description: WorkerDescription, coordinators: [String], discovers: Bool = false,
        options: WorkerSessionOptions = WorkerSessionOptions()
    ) throws(QueryError) {
        guard discovers || !coordinators.isEmpty else {
            throw QueryError(.configurationFileError, "a worker needs the address of a coordinator")
        }
        self.description = description
        self.coordinators = coordinators
        self.discovers = discovers
        self.options = options
    }

    // MARK: Queries

    /// True while tasks may be taken and results committed.
    package var holdsLease: Bool { leaseUntil != nil }
    package var isDraining: Bool { drainUntil != nil }
    package var isFinished: Bool { phase == .finished }
    /// The coordinator's term under the current registration.
    package var epoch: UInt64? { registration?.epoch }

    /// When `tick` is due at the latest; nil when the session is over or has not started.
    package var nextDeadline: MonotonicInstant? {
        var due: MonotonicInstant?
        func consider(_ candidate: MonotonicInstant?) {
            guard let candidate else { return }
            due = due.map { min($0, candidate) } ?? candidate
        }
        switch phase {
        case .idle, .finished: return nil
        case .waiting(let until), .dialing(_, let until), .registering(_, let until): consider(until)
        case .joined: consider(nextHeartbeat)
        }
        consider(leaseUntil)
        consider(orphanedUntil)
        consider(drainUntil)
        return due
    }

    // MARK: Events

    package mutating func handle(_ event: WorkerSessionEvent, now: MonotonicInstant) -> [WorkerSessionDirective] {
        var directives: [WorkerSessionDirective] = []
        if phase == .finished { return [] }
        switch event {
        case .start:
            if phase == .idle { dial(now, &directives) }
        case .dialed(let session):
            dialed(session, now, &directives)
        case .dialFailed(let session, _):
            if case .dialing(session, _) = phase { retry(now, &directives) }
        case .discovered(let addresses):
            discovered(addresses, now, &directives)
        case .registered(let session, let registration):
            registered(session, registration, now, &directives)
        case .refused(let session, let refusal):
            refused(session, refusal, now, &directives)
        case .acknowledged(let session, let acknowledgement):
            acknowledged(session, acknowledgement, now, &directives)
        case .closed(let session):
            closed(session, now, &directives)
        case .drainRequested(let within):
            drain(within ?? options.drainDeadline, announce: true, now, &directives)
        case .workFinished:
            workIsFinished = true
            leaveIfDrained(now, &directives)
        case .tick:
            tick(now, &directives)
        }
        return directives
    }

    private mutating func discovered(
        _ addresses: [String], _ now: MonotonicInstant, _ directives: inout [WorkerSessionDirective]
    ) {
        // Who knows nothing now may know something later: until then what was known counts.
        guard discovers, !addresses.isEmpty, addresses != coordinators else { return }
        let isFirst = coordinators.isEmpty
        coordinators = addresses
        coordinatorIndex = 0
        // The round for which they were asked for.
        if isFirst, case .waiting = phase { connect(now, &directives) }
    }

    private mutating func dial(_ now: MonotonicInstant, _ directives: inout [WorkerSessionDirective]) {
        let startsRound = coordinators.isEmpty || coordinatorIndex % coordinators.count == 0
        if discovers, startsRound, leaderHint == nil { directives.append(.discover) }
        if coordinators.isEmpty, leaderHint == nil { return retry(now, &directives) }
        connect(now, &directives)
    }

    private mutating func connect(_ now: MonotonicInstant, _ directives: inout [WorkerSessionDirective]) {
        nextSession += 1
        let session = SessionID(nextSession)
        let address = leaderHint ?? coordinators[coordinatorIndex % coordinators.count]
        phase = .dialing(session, until: now + options.dialDeadline)
        directives.append(.dial(session, address: address))
    }

    private mutating func dialed(
        _ session: SessionID, _ now: MonotonicInstant, _ directives: inout [WorkerSessionDirective]
    ) {
        guard case .dialing(session, _) = phase else {
            directives.append(.close(session))
            return
        }
        phase = .registering(session, until: now + options.registrationDeadline)
        registerSentAt = now
        directives.append(.register(session, description))
    }

    private mutating func registered(
        _ session: SessionID, _ registration: Registration, _ now: MonotonicInstant,
        _ directives: inout [WorkerSessionDirective]
    ) {
        guard case .registering(session, _) = phase else { return }
        if let known = self.registration, registration.epoch < known.epoch {
            // A leader of an earlier term that does not know yet that it has been replaced.
            directives.append(.close(session))
            retry(now, &directives)
            return
        }
        phase = .joined(session)
        failures = 0
        // Told once: a later life of this process has no part in them.
        description.crashes = []
        self.registration = registration
        unacknowledged = []
        leaseUntil = registerSentAt + registration.lease
        orphanedUntil = nil
        directives.append(.leaseGained(registration))
        if let drainUntil {
            directives.append(.announceDrain(session, within: max(.zero, drainUntil.since(now))))
        }
        sendHeartbeat(session, now, &directives)
        leaveIfDrained(now, &directives)
    }

    private mutating func refused(
        _ session: SessionID, _ refusal: RegistrationRefusal, _ now: MonotonicInstant,
        _ directives: inout [WorkerSessionDirective]
    ) {
        guard case .registering(session, _) = phase else { return }
        directives.append(.close(session))
        switch refusal.reason {
        case .incarnationLost:
            becomeNewIncarnation(&directives)
            phase = .waiting(until: now + (refusal.retryAfter ?? .zero))
        case .notLeader:
            leaderHint = refusal.leaderHint
            // A hint is followed at once, but not for ever in a circle.
            if leaderHint != nil, failures < 3 {
                failures += 1
                phase = .waiting(until: now)
            } else {
                retry(now, &directives)
            }
        case .tooManyWorkers, .shuttingDown:
            failures += 1
            phase = .waiting(until: now + (refusal.retryAfter ?? backoff()))
        case .wrongCluster, .versionMismatch, .staleIncarnation:
            finish(refusal, &directives)
        }
    }

    private mutating func acknowledged(
        _ session: SessionID, _ acknowledgement: HeartbeatAcknowledgement, _ now: MonotonicInstant,
        _ directives: inout [WorkerSessionDirective]
    ) {
        guard case .joined(session) = phase, let registration else { return }
        if let index = unacknowledged.firstIndex(where: { $0.sequence == acknowledgement.sequence }) {
            let until = unacknowledged[index].sentAt + registration.lease
            unacknowledged.removeSubrange(...index)
            if until > now {
                if leaseUntil == nil {
                    orphanedUntil = nil
                    directives.append(.leaseGained(registration))
                }
                leaseUntil = leaseUntil.map { max($0, until) } ?? until
            }
        }
        if let within = acknowledgement.drainWithin, drainUntil == nil {
            drain(within, announce: false, now, &directives)
        }
    }

    private mutating func closed(
        _ session: SessionID, _ now: MonotonicInstant, _ directives: inout [WorkerSessionDirective]
    ) {
        switch phase {
        case .joined(session):
            // The coordinator waits one second for this: dial again without delay.
            failures = 0
            dial(now, &directives)
        case .dialing(session, _), .registering(session, _):
            retry(now, &directives)
        default:
            break
        }
    }

    private mutating func drain(
        _ within: Duration, announce: Bool, _ now: MonotonicInstant, _ directives: inout [WorkerSessionDirective]
    ) {
        let end = now + within
        if let drainUntil {
            self.drainUntil = min(drainUntil, end)
            return
        }
        drainUntil = end
        directives.append(.stopAccepting)
        if announce, case .joined(let session) = phase {
            directives.append(.announceDrain(session, within: within))
        }
        leaveIfDrained(now, &directives)
    }

    private mutating func leaveIfDrained(_ now: MonotonicInstant, _ directives: inout [WorkerSessionDirective]) {
        guard isDraining, workIsFinished else { return }
        leave(&directives)
    }

    private mutating func leave(_ directives: inout [WorkerSessionDirective]) {
        switch phase {
        case .joined(let session):
            directives.append(.goodbye(session))
            directives.append(.close(session))
        case .dialing(let session, _), .registering(let session, _):
            directives.append(.close(session))
        case .idle, .waiting, .finished:
            break
        }
        finish(nil, &directives)
    }

    // MARK: Time

    private mutating func tick(_ now: MonotonicInstant, _ directives: inout [WorkerSessionDirective]) {
        if let end = drainUntil, now >= end {
            if !workIsFinished { directives.append(.abandonWork) }
            leave(&directives)
            return
        }
        if let end = leaseUntil, now >= end { loseLease(now, &directives) }
        if let end = orphanedUntil, now >= end {
            becomeNewIncarnation(&directives)
            // A registration under way still names the old incarnation.
            if case .registering(let session, _) = phase {
                directives.append(.close(session))
                dial(now, &directives)
            }
        }
        switch phase {
        case .waiting(let until):
            if now >= until { dial(now, &directives) }
        case .dialing(let session, let until), .registering(let session, let until):
            if now >= until {
                directives.append(.close(session))
                retry(now, &directives)
            }
        case .joined(let session):
            if now >= nextHeartbeat { sendHeartbeat(session, now, &directives) }
        case .idle, .finished:
            break
        }
    }

    /// The stream is of no use when nothing came back over it for a whole lease: close it and dial again.
    private mutating func loseLease(_ now: MonotonicInstant, _ directives: inout [WorkerSessionDirective]) {
        leaseUntil = nil
        orphanedUntil = now + options.orphanGrace
        directives.append(.leaseLost)
        if case .joined(let session) = phase {
            directives.append(.close(session))
            dial(now, &directives)
        }
    }

    private mutating func sendHeartbeat(
        _ session: SessionID, _ now: MonotonicInstant, _ directives: inout [WorkerSessionDirective]
    ) {
        guard let registration else { return }
        nextSequence += 1
        // Older heartbeats than a lease cannot extend it any more.
        unacknowledged.removeAll { $0.sentAt + registration.lease <= now }
        unacknowledged.append(Outstanding(sequence: nextSequence, sentAt: now))
        nextHeartbeat = now + registration.heartbeatInterval
        directives.append(.heartbeat(session, sequence: nextSequence))
    }

    /// Aborts the work of this life. The next registration is that of a new one.
    private mutating func becomeNewIncarnation(_ directives: inout [WorkerSessionDirective]) {
        orphanedUntil = nil
        if leaseUntil != nil {
            leaseUntil = nil
            directives.append(.leaseLost)
        }
        description.incarnation = Incarnation(description.incarnation.value &+ 1)
        directives.append(.abandonWork)
        directives.append(.incarnationChanged(description.incarnation))
    }

    private mutating func retry(_ now: MonotonicInstant, _ directives: inout [WorkerSessionDirective]) {
        leaderHint = nil
        coordinatorIndex += 1
        let delay = backoff()
        failures += 1
        phase = .waiting(until: now + delay)
    }

    /// Doubling delays, spread over the upper half by a hash of worker and attempt, so that a thousand workers do not
    /// come back in step. No random source: a simulation must repeat itself.
    private func backoff() -> Duration {
        let exponent = min(failures, 20)
        let full = min(options.backoffMaximum, options.backoffInitial * (1 << exponent))
        var mixed: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in description.worker.text.utf8 { mixed = (mixed ^ UInt64(byte)) &* 0x100_0000_01b3 }
        mixed = (mixed ^ (description.incarnation.value &+ UInt64(failures))) &* 0x9e37_79b9_7f4a_7c15
        let half = full.wholeNanoseconds / 2
        return .nanoseconds(half + Int64(mixed >> 33) % max(1, half))
    }

    private mutating func finish(_ refusal: RegistrationRefusal?, _ directives: inout [WorkerSessionDirective]) {
        phase = .finished
        if leaseUntil != nil {
            leaseUntil = nil
            directives.append(.leaseLost)
        }
        orphanedUntil = nil
        directives.append(.finished(refusal))
    }
}
