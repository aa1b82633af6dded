// What goes in and out of the coordinator's membership state machine.

import Diagnostics

/// Something that happened, as the shell reports it to `MembershipInstance`.
package enum MembershipEvent: Sendable, Hashable {
    case register(SessionID, WorkerDescription)
    case heartbeat(SessionID, sequence: UInt64, HeartbeatLoad)
    case streamClosed(SessionID)
    /// An operator, or the worker itself through its session, wants the worker to leave; nil: the usual deadline.
    case drain(WorkerID, within: Duration?)
    /// The worker has no work left (or gives up) and leaves.
    case goodbye(SessionID)
    /// A node could not fetch output from this worker.
    case fetchFailed(reporter: WorkerID, worker: WorkerID)
    /// The worker failed in a way that says something about it: no answer, an error of its own.
    case strike(WorkerID)
    /// The answer to `MembershipDirective.probe`.
    case probed(WorkerID, Incarnation, alive: Bool)
    /// Nothing but the passing of time; due at `MembershipInstance.nextDeadline`.
    case tick
}

/// Something that the shell shall do.
package enum MembershipDirective: Sendable, Hashable {
    case accept(SessionID, Registration)
    case refuse(SessionID, RegistrationRefusal)
    case acknowledge(SessionID, HeartbeatAcknowledgement)
    /// End the stream: another one has taken its place, or its worker was given up.
    case closeSession(SessionID)
    /// Try to reach the worker at its control address and report `probed`; no answer counts as "not alive".
    case probe(WorkerID, Incarnation, address: String)
    /// The worker's state has changed; the scheduler wants to know.
    case stateChanged(WorkerTransition)
    /// An earlier life of this worker crashed while it ran something. Comes before the worker gets work again.
    case blame(WorkerID, WorkerCrash)
    /// The drain's end is near: start the remaining attempts of this worker elsewhere.
    case evacuate(WorkerID, Incarnation)
}

/// One change of a worker's state; `from` is nil when the incarnation is new.
package struct WorkerTransition: Sendable, Hashable {
    package var worker: WorkerID
    package var incarnation: Incarnation
    package var from: WorkerState?
    package var to: WorkerState
    package var cause: WorkerStateCause

    package init(
        worker: WorkerID, incarnation: Incarnation, from: WorkerState?, to: WorkerState, cause: WorkerStateCause
    ) {
        self.worker = worker
        self.incarnation = incarnation
        self.from = from
        self.to = to
        self.cause = cause
    }
}

/// A worker as the coordinator knows it.
package struct WorkerRecord: Sendable {
    package internal(set) var description: WorkerDescription
    package internal(set) var state: WorkerState
    package internal(set) var load = HeartbeatLoad()
    package internal(set) var stateSince: MonotonicInstant
    package internal(set) var registeredAt: MonotonicInstant
    /// The current stream, nil while there is none.
    package internal(set) var session: SessionID?

    var detector: FailureDetector
    /// Set while the stream is closed: the worker is lost at this time unless it dials again.
    var redialUntil: MonotonicInstant?
    /// Set when a probe after the stream's end succeeded: the process lives, so only the lease can end it.
    var probedAlive = false
    var drainUntil: MonotonicInstant?
    var evacuated = false
    /// Strikes within the window, newest last; kept over the worker's lives.
    var strikes: [MonotonicInstant] = []
    /// How often it was in quarantine.
    var quarantineCount = 0
    /// When quarantine or probation ends.
    var correctionUntil: MonotonicInstant?
    /// Reports of failed fetches within the window, newest last.
    var failedFetches: [FetchFailure] = []

    struct FetchFailure: Sendable {
        var reporter: WorkerID
        var time: MonotonicInstant
    }

    package var worker: WorkerID { description.worker }
    package var incarnation: Incarnation { description.incarnation }
    package var lastHeartbeat: MonotonicInstant { detector.lastHeartbeat }

    /// φ at `now`; for display.
    package func suspicion(now: MonotonicInstant) -> Double { detector.suspicion(now: now) }
}
