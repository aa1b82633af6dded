// What a worker says about itself: once when it registers, then shortly with every heartbeat.

import Diagnostics

/// The content of a registration. It stays as it is for one incarnation of the worker.
package struct WorkerDescription: Sendable, Hashable {
    package var worker: WorkerID
    package var incarnation: Incarnation
    /// The cluster that the worker means to join; another cluster's coordinator refuses it.
    package var clusterID: String
    /// Host and port where the worker takes control calls.
    package var controlAddress: String
    /// Host and port where other workers fetch this worker's output.
    package var exchangeAddress: String
    /// The lowest and highest version of plan and wire format that the worker understands.
    package var protocolMinimum: Int
    package var protocolMaximum: Int
    /// The version of the program, for people.
    package var build: String
    /// The failure domain: a rack, a data centre; empty when unknown.
    package var zone: String
    /// Free labels, sorted by name.
    package var labels: [Label]
    package var memoryBytes: Int64
    /// How many tasks the worker runs at once.
    package var slots: Int
    package var diskBytes: Int64
    /// Earlier lives of the worker that ended by a crash, as far as no coordinator was told of them yet.
    package var crashes: [WorkerCrash]

    /// One label of a worker.
    package struct Label: Sendable, Hashable {
        package var name: String
        package var value: String
        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(
        worker: WorkerID, incarnation: Incarnation, clusterID: String, controlAddress: String,
        exchangeAddress: String, protocolMinimum: Int = 1, protocolMaximum: Int = 1, build: String = "",
        zone: String = "", labels: [Label] = [], memoryBytes: Int64 = 0, slots: Int = 1, diskBytes: Int64 = 0,
        crashes: [WorkerCrash] = []
    ) {
        self.worker = worker
        self.incarnation = incarnation
        self.clusterID = clusterID
        self.controlAddress = controlAddress
        self.exchangeAddress = exchangeAddress
        self.protocolMinimum = protocolMinimum
        self.protocolMaximum = protocolMaximum
        self.build = build
        self.zone = zone
        self.labels = labels.sorted { $0.name < $1.name }
        self.memoryBytes = memoryBytes
        self.slots = slots
        self.diskBytes = diskBytes
        self.crashes = crashes
    }
}

/// A life of a worker that ended by a trap or a bad access, and the query that the failing thread was running.
package struct WorkerCrash: Sendable, Hashable {
    package var incarnation: Incarnation
    /// The text of the query's identifier.
    package var query: String
    package init(incarnation: Incarnation, query: String) {
        self.incarnation = incarnation
        self.query = query
    }
}

/// What a worker reports with every heartbeat.
package struct HeartbeatLoad: Sendable, Hashable {
    package var runningTasks: Int
    package var memoryFreeBytes: Int64
    package var diskFreeBytes: Int64
    /// A digest of the attempts that the worker holds; the coordinator compares it with its own list.
    package var attemptsDigest: UInt64
    /// Processor time of the worker's process since it began; 0 from workers that do not say.
    package var processorNanoseconds: UInt64
    /// Memory of the worker's process, operators' and all other; 0 from workers that do not say.
    package var residentBytes: Int64
    /// What the worker's process has waited for, and holds on disk.
    package var meters: MeterReading

    package init(
        runningTasks: Int = 0, memoryFreeBytes: Int64 = 0, diskFreeBytes: Int64 = 0, attemptsDigest: UInt64 = 0,
        processorNanoseconds: UInt64 = 0, residentBytes: Int64 = 0, meters: MeterReading = MeterReading()
    ) {
        self.meters = meters
        self.processorNanoseconds = processorNanoseconds
        self.residentBytes = residentBytes
        self.runningTasks = runningTasks
        self.memoryFreeBytes = memoryFreeBytes
        self.diskFreeBytes = diskFreeBytes
        self.attemptsDigest = attemptsDigest
    }
}

/// The coordinator's answer to an accepted registration.
package struct Registration: Sendable, Hashable {
    /// The term of the coordinator; a worker obeys no lower one.
    package var epoch: UInt64
    /// How long the worker may act after it *sent* a heartbeat that was acknowledged.
    package var lease: Duration
    package var heartbeatInterval: Duration
    /// The version of plan and wire format that both sides will speak.
    package var protocolVersion: Int
    /// True when the coordinator had not given up this incarnation, so its tasks and outputs still count.
    package var resumed: Bool

    package init(
        epoch: UInt64, lease: Duration, heartbeatInterval: Duration, protocolVersion: Int = 1, resumed: Bool = false
    ) {
        self.epoch = epoch
        self.lease = lease
        self.heartbeatInterval = heartbeatInterval
        self.protocolVersion = protocolVersion
        self.resumed = resumed
    }
}

/// Why a coordinator does not take a worker, and when the worker may try again (nil: never with this registration).
package struct RegistrationRefusal: Error, Sendable, Hashable {
    package enum Reason: String, Sendable, Hashable, CaseIterable {
        /// The worker names another cluster.
        case wrongCluster
        /// The ranges of understood versions do not meet.
        case versionMismatch
        /// A younger life of the same worker is known.
        case staleIncarnation
        /// This incarnation was declared lost: its work has been given to others. A new incarnation is welcome.
        case incarnationLost
        /// The cluster holds as many workers as it may.
        case tooManyWorkers
        /// This node does not lead; `leaderHint` may name the one that does.
        case notLeader
        /// The coordinator is shutting down.
        case shuttingDown
    }

    package var reason: Reason
    package var message: String
    package var retryAfter: Duration?
    package var leaderHint: String?

    package init(_ reason: Reason, _ message: String, retryAfter: Duration? = nil, leaderHint: String? = nil) {
        self.reason = reason
        self.message = message
        self.retryAfter = retryAfter
        self.leaderHint = leaderHint
    }
}

/// The coordinator's answer to a heartbeat.
package struct HeartbeatAcknowledgement: Sendable, Hashable {
    package var sequence: UInt64
    /// Set when the worker shall stop taking tasks and leave within this time.
    package var drainWithin: Duration?

    package init(sequence: UInt64, drainWithin: Duration? = nil) {
        self.sequence = sequence
        self.drainWithin = drainWithin
    }
}
