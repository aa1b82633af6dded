// ClusterMembership: who belongs to the cluster and who has failed, as value types without clock, I/O or randomness.
//
// `MembershipInstance` is the coordinator's side and `WorkerSessionInstance` the worker's. Each takes an event and the
// time and returns directives, in an order that depends on nothing else; a shell carries the directives out.

/// The states of a worker as the coordinator sees it.
package enum WorkerState: String, Sendable, Hashable, CaseIterable {
    /// Registered; its first heartbeat has not come yet.
    case joining
    /// Takes work.
    case active
    /// Silent for too long or its stream is closed: gets no new work, keeps what it has.
    case suspect
    /// Has failed too often: gets no new work for a while as long as others are there.
    case quarantined
    /// Back from quarantine: takes work, and one more failure sends it back for longer.
    case probation
    /// Gets no new work and will leave when it has none.
    case draining
    /// Left in good order.
    case drained
    /// Given up. Final for this incarnation.
    case lost

    /// The transitions that exist; all others are a defect.
    package func mayBecome(_ next: WorkerState) -> Bool {
        switch (self, next) {
        case (.joining, .active), (.joining, .suspect), (.joining, .draining), (.joining, .lost), (.joining, .drained),
            (.joining, .quarantined), (.active, .quarantined), (.suspect, .quarantined), (.probation, .quarantined),
            (.quarantined, .probation), (.probation, .active), (.probation, .suspect),
            (.quarantined, .draining), (.quarantined, .lost), (.quarantined, .drained),
            (.probation, .draining), (.probation, .lost), (.probation, .drained),
            (.active, .suspect), (.active, .draining), (.active, .lost), (.active, .drained),
            (.suspect, .active), (.suspect, .draining), (.suspect, .lost), (.suspect, .drained),
            (.draining, .drained), (.draining, .lost):
            return true
        default:
            return false
        }
    }

    /// False once the worker has left or was given up.
    package var isLive: Bool { self != .drained && self != .lost }

    /// Whether new work may be given to it.
    package var takesWork: Bool { self == .active || self == .probation }
}

/// Why a worker changed its state.
package enum WorkerStateCause: String, Sendable, Hashable, CaseIterable {
    case registered
    case heartbeat
    case silence
    case streamClosed
    case peersReportFailures
    case noRedial
    case leaseExpired
    case newerIncarnation
    case drainRequested
    case goodbye
    case drainDeadline
    case strikes
    case quarantineOver
    case probationPassed
}

/// One stream between a worker and the coordinator, numbered by the shell; never reused.
package struct SessionID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let number: UInt64
    package init(_ number: UInt64) { self.number = number }
    package var description: String { String(number) }
    package static func < (a: SessionID, b: SessionID) -> Bool { a.number < b.number }
}
