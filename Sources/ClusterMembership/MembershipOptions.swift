// Every figure of membership and failure detection, with its default and the relations that must hold between them.

import Diagnostics

/// Settings of the coordinator's side.
package struct MembershipOptions: Sendable, Hashable {
    package var heartbeatInterval: Duration = .seconds(1)
    /// The lease as the worker counts it, from the moment it sent a heartbeat.
    package var workerLease: Duration = .seconds(8)
    /// What the coordinator adds, counting from the moment it received the heartbeat: the worker always gives up first.
    package var leaseMargin: Duration = .milliseconds(1500)
    /// How long a worker whose stream closed may take to dial again before it counts as lost.
    package var redialGrace: Duration = .seconds(1)
    /// Heartbeat intervals that the failure detector remembers for each worker.
    package var sampleCapacity = 200
    package var minimumDeviation: Duration = .milliseconds(100)
    /// Silence beyond the usual interval that is never held against a worker.
    package var acceptablePause: Duration = .seconds(2)
    /// Suspicion at and above which a worker gets no more work.
    package var suspicionThreshold = 8.0
    package var drainDeadline: Duration = .seconds(25)
    /// How long before the end of a drain the remaining attempts are moved to other workers.
    package var evacuationLead: Duration = .seconds(5)
    /// Lateness of the coordinator's own ticks from which it distrusts its view of the others.
    package var lagTolerance: Duration = .milliseconds(500)
    /// Share of live workers that, falling silent together, points at the coordinator's own network.
    package var massSuspicionShare = 0.3
    package var massSuspicionMinimum = 3
    package var massSuspicionWindow: Duration = .seconds(5)
    package var maximumFreeze: Duration = .seconds(30)
    /// So many strikes within the window send a worker into quarantine. Being lost counts as one.
    package var strikeLimit = 3
    package var strikeWindow: Duration = .seconds(60)
    /// The first quarantine; each further one is twice as long, up to the maximum.
    package var quarantineInitial: Duration = .seconds(60)
    package var quarantineMaximum: Duration = .seconds(1800)
    package var probation: Duration = .seconds(60)
    /// How long lost and drained workers stay in the list.
    package var departedRetention: Duration = .seconds(600)
    package var maximumWorkers = 10_000
    package var protocolMinimum = 1
    package var protocolMaximum = 1

    package init() {}

    /// The lease as the coordinator counts it.
    package var coordinatorLease: Duration { workerLease + leaseMargin }

    /// Throws `configurationFileError` when two figures contradict each other.
    package func validate() throws(QueryError) {
        func require(_ condition: Bool, _ message: String) throws(QueryError) {
            if !condition { throw QueryError(.configurationFileError, message) }
        }
        try require(heartbeatInterval > .zero, "the heartbeat interval must be positive")
        try require(workerLease > heartbeatInterval * 3, "the worker's lease must exceed three heartbeat intervals")
        try require(leaseMargin > .zero, "the coordinator's lease margin must be positive")
        try require(redialGrace < workerLease, "the redial grace must be shorter than the worker's lease")
        try require(evacuationLead < drainDeadline, "the evacuation lead must be shorter than the drain deadline")
        try require(strikeLimit >= 1, "the number of strikes must be positive")
        try require(
            quarantineInitial > .zero && quarantineMaximum >= quarantineInitial && probation > .zero,
            "quarantine and probation must be positive, and the longest quarantine not shorter than the first")
        try require(sampleCapacity >= 2, "the failure detector needs room for two samples or more")
        try require(suspicionThreshold > 0, "the suspicion threshold must be positive")
        try require(protocolMinimum <= protocolMaximum, "the range of protocol versions is empty")
        try require(maximumWorkers > 0, "the maximum number of workers must be positive")
    }

    /// The figures for a cluster of `workers` nodes: beyond a thousand the interval grows, so that heartbeats stay near
    /// a thousand or five thousand a second, and lease and pause grow with it.
    package func scaled(forWorkers workers: Int) -> MembershipOptions {
        guard workers > 1_000 else { return self }
        var copy = self
        let interval = Duration.nanoseconds(Int64(workers) * 1_000_000_000 / 5_000)
        copy.heartbeatInterval = max(heartbeatInterval, interval)
        copy.workerLease = max(workerLease, copy.heartbeatInterval * 3 + .seconds(5))
        copy.acceptablePause = max(acceptablePause, copy.heartbeatInterval * 2)
        return copy
    }
}

/// Settings of the worker's side.
package struct WorkerSessionOptions: Sendable, Hashable {
    package var dialDeadline: Duration = .seconds(3)
    package var registrationDeadline: Duration = .seconds(5)
    package var backoffInitial: Duration = .milliseconds(100)
    package var backoffMaximum: Duration = .seconds(5)
    /// How long a worker without lease keeps its tasks and outputs before it aborts them.
    package var orphanGrace: Duration = .seconds(60)
    package var drainDeadline: Duration = .seconds(25)

    package init() {}
}
