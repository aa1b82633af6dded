// Our values as protocol messages and back.

import ClusterMembership
import Diagnostics
import Foundation
import Transport

extension Martlet_V1_TaskAttempt {
    init(_ attempt: TaskAttemptID) {
        self.init()
        query = attempt.query.text
        queryAttempt = UInt32(clamping: attempt.queryAttempt)
        stage = UInt32(clamping: attempt.stage.number)
        partition = UInt32(clamping: attempt.partition)
        self.attempt = UInt32(clamping: attempt.attempt)
    }

    var value: TaskAttemptID {
        TaskAttemptID(
            query: QueryID(query), queryAttempt: Int(queryAttempt), stage: StageID(Int(stage)),
            partition: Int(partition), attempt: Int(attempt))
    }
}

extension Duration {
    init(wire nanoseconds: UInt64) { self = .nanoseconds(Int64(clamping: nanoseconds)) }
    var wire: UInt64 { UInt64(clamping: wholeNanoseconds) }
}

extension Martlet_V1_WorkerMessage {
    init(_ message: WorkerMessage) {
        self.init()
        switch message {
        case .register(let description): register = Martlet_V1_Register(description)
        case .heartbeat(let sequence, let load):
            var heartbeat = Martlet_V1_Heartbeat()
            heartbeat.sequence = sequence
            heartbeat.runningTasks = UInt32(clamping: load.runningTasks)
            heartbeat.memoryFreeBytes = load.memoryFreeBytes
            heartbeat.diskFreeBytes = load.diskFreeBytes
            heartbeat.attemptsDigest = load.attemptsDigest
            heartbeat.processorNs = load.processorNanoseconds
            heartbeat.residentBytes = load.residentBytes
            heartbeat.take(load.meters)
            self.heartbeat = heartbeat
        case .drain(let within):
            var drain = Martlet_V1_Drain()
            drain.withinNs = within.wire
            self.drain = drain
        case .goodbye: goodbye = Martlet_V1_Goodbye()
        }
    }

    /// Nil for a kind that this version does not know.
    var value: WorkerMessage? {
        switch kind {
        case .register(let register): return .register(register.value)
        case .heartbeat(let heartbeat):
            return .heartbeat(
                sequence: heartbeat.sequence,
                HeartbeatLoad(
                    runningTasks: Int(heartbeat.runningTasks), memoryFreeBytes: heartbeat.memoryFreeBytes,
                    diskFreeBytes: heartbeat.diskFreeBytes, attemptsDigest: heartbeat.attemptsDigest,
                    processorNanoseconds: heartbeat.processorNs, residentBytes: heartbeat.residentBytes,
                    meters: heartbeat.meters))
        case .drain(let drain): return .drain(within: Duration(wire: drain.withinNs))
        case .goodbye: return .goodbye
        case nil: return nil
        }
    }
}

extension Martlet_V1_Heartbeat {
    mutating func take(_ reading: MeterReading) {
        exchangeReaderWaitNs = reading.exchangeReaderWaitNanoseconds
        exchangeWriterWaitNs = reading.exchangeWriterWaitNanoseconds
        exchangeCreditWaitNs = reading.exchangeCreditWaitNanoseconds
        heldSpillBytes = UInt64(clamping: reading.heldSpillBytes)
        orphanedSpillBytes = UInt64(clamping: reading.orphanedSpillBytes)
        storeRequests = reading.storeRequests.sorted { $0.key < $1.key }.map { catalog, histogram in
            var message = Martlet_V1_StoreRequests()
            message.catalog = catalog
            message.counts = histogram.counts
            message.seconds = histogram.sum
            return message
        }
    }

    var meters: MeterReading {
        let requests = storeRequests.compactMap { message -> (String, Histogram)? in
            Histogram(bounds: MeterReading.requestBounds, counts: message.counts, sum: message.seconds).map {
                (message.catalog, $0)
            }
        }
        return MeterReading(
            exchangeReaderWaitNanoseconds: exchangeReaderWaitNs, exchangeWriterWaitNanoseconds: exchangeWriterWaitNs,
            exchangeCreditWaitNanoseconds: exchangeCreditWaitNs, heldSpillBytes: Int(clamping: heldSpillBytes),
            orphanedSpillBytes: Int(clamping: orphanedSpillBytes),
            storeRequests: Dictionary(requests, uniquingKeysWith: { first, _ in first }))
    }
}

extension Martlet_V1_Register {
    init(_ description: WorkerDescription) {
        self.init()
        worker = description.worker.text
        incarnation = description.incarnation.value
        clusterID = description.clusterID
        controlAddress = description.controlAddress
        exchangeAddress = description.exchangeAddress
        protocolMinimum = UInt32(clamping: description.protocolMinimum)
        protocolMaximum = UInt32(clamping: description.protocolMaximum)
        build = description.build
        zone = description.zone
        labels = description.labels.map { label in
            var message = Martlet_V1_Label()
            message.name = label.name
            message.value = label.value
            return message
        }
        memoryBytes = description.memoryBytes
        slots = UInt32(clamping: description.slots)
        diskBytes = description.diskBytes
        crashes = description.crashes.map { crash in
            var message = Martlet_V1_Crash()
            message.incarnation = crash.incarnation.value
            message.query = crash.query
            return message
        }
    }

    var value: WorkerDescription {
        WorkerDescription(
            worker: WorkerID(worker), incarnation: Incarnation(incarnation), clusterID: clusterID,
            controlAddress: controlAddress, exchangeAddress: exchangeAddress, protocolMinimum: Int(protocolMinimum),
            protocolMaximum: Int(protocolMaximum), build: build, zone: zone,
            labels: labels.map { WorkerDescription.Label(name: $0.name, value: $0.value) }, memoryBytes: memoryBytes,
            slots: Int(slots), diskBytes: diskBytes,
            crashes: crashes.map { WorkerCrash(incarnation: Incarnation($0.incarnation), query: $0.query) })
    }
}

extension Martlet_V1_CoordinatorMessage {
    init(_ message: CoordinatorMessage) {
        self.init()
        switch message {
        case .registered(let registration):
            var registered = Martlet_V1_Registered()
            registered.epoch = registration.epoch
            registered.leaseNs = registration.lease.wire
            registered.heartbeatIntervalNs = registration.heartbeatInterval.wire
            registered.protocolVersion = UInt32(clamping: registration.protocolVersion)
            registered.resumed = registration.resumed
            self.registered = registered
        case .refused(let refusal):
            var refused = Martlet_V1_Refused()
            refused.reason = Martlet_V1_Refused.Reason(refusal.reason)
            refused.message = refusal.message
            if let retryAfter = refusal.retryAfter { refused.retryAfterNs = retryAfter.wire }
            if let hint = refusal.leaderHint { refused.leaderHint = hint }
            self.refused = refused
        case .acknowledged(let acknowledgement):
            var acknowledged = Martlet_V1_HeartbeatAck()
            acknowledged.sequence = acknowledgement.sequence
            if let within = acknowledgement.drainWithin { acknowledged.drainWithinNs = within.wire }
            self.acknowledged = acknowledged
        }
    }

    var value: CoordinatorMessage? {
        switch kind {
        case .registered(let registered):
            return .registered(
                Registration(
                    epoch: registered.epoch, lease: Duration(wire: registered.leaseNs),
                    heartbeatInterval: Duration(wire: registered.heartbeatIntervalNs),
                    protocolVersion: Int(registered.protocolVersion), resumed: registered.resumed))
        case .refused(let refused):
            return .refused(
                RegistrationRefusal(
                    refused.reason.value, refused.message,
                    retryAfter: refused.hasRetryAfterNs ? Duration(wire: refused.retryAfterNs) : nil,
                    leaderHint: refused.hasLeaderHint ? refused.leaderHint : nil))
        case .acknowledged(let acknowledged):
            return .acknowledged(
                HeartbeatAcknowledgement(
                    sequence: acknowledged.sequence,
                    drainWithin: acknowledged.hasDrainWithinNs ? Duration(wire: acknowledged.drainWithinNs) : nil))
        case nil: return nil
        }
    }
}

extension Martlet_V1_Refused.Reason {
    init(_ reason: RegistrationRefusal.Reason) {
        switch reason {
        case .wrongCluster: self = .wrongCluster
        case .versionMismatch: self = .versionMismatch
        case .staleIncarnation: self = .staleIncarnation
        case .incarnationLost: self = .incarnationLost
        case .tooManyWorkers: self = .tooManyWorkers
        case .notLeader: self = .notLeader
        case .shuttingDown: self = .shuttingDown
        }
    }

    /// A reason that this version does not know is a refusal for good: it speaks another version.
    var value: RegistrationRefusal.Reason {
        switch self {
        case .wrongCluster: .wrongCluster
        case .versionMismatch, .unspecified, .UNRECOGNIZED: .versionMismatch
        case .staleIncarnation: .staleIncarnation
        case .incarnationLost: .incarnationLost
        case .tooManyWorkers: .tooManyWorkers
        case .notLeader: .notLeader
        case .shuttingDown: .shuttingDown
        }
    }
}

extension Martlet_V1_TaskStatusUpdate {
    init(_ status: TaskStatus) {
        self.init()
        attempt = Martlet_V1_TaskAttempt(status.attempt)
        version = UInt64(clamping: status.version)
        state =
            switch status.state {
            case .running: .running
            case .finished: .finished
            case .failed: .failed
            case .cancelled: .cancelled
            }
        if let error = status.error { self.error = GRPCErrors.info(error, textLimit: 256 << 10) }
        metrics = status.metrics.map { metric in
            var entry = Martlet_V1_OperatorMetricsEntry()
            entry.node = Int64(metric.node)
            entry.rowsIn = Int64(metric.rowsIn)
            entry.rowsOut = Int64(metric.rowsOut)
            entry.nanoseconds = Int64(metric.nanoseconds)
            entry.bytesRead = Int64(metric.bytesRead)
            entry.memoryBytesPeak = Int64(metric.memoryBytesPeak)
            entry.spilledBytes = Int64(metric.spilledBytes)
            return entry
        }
        wishes = status.wishes.map { wish in
            var entry = Martlet_V1_SplitWish()
            entry.node = Int64(wish.node)
            entry.number = Int64(wish.number)
            return entry
        }
    }

    func value() throws(QueryError) -> TaskStatus {
        let state: TaskState
        switch self.state {
        case .running: state = .running
        case .finished: state = .finished
        case .failed: state = .failed
        case .cancelled: state = .cancelled
        case .unspecified, .UNRECOGNIZED:
            throw QueryError(.versionMismatch, "a worker reports a task state that this node does not know")
        }
        return TaskStatus(
            attempt: attempt.value, version: Int(clamping: version), state: state,
            error: hasError ? GRPCErrors.error(error) : nil,
            metrics: metrics.map {
                OperatorMetrics(
                    node: Int($0.node), rowsIn: Int($0.rowsIn), rowsOut: Int($0.rowsOut),
                    nanoseconds: Int($0.nanoseconds), bytesRead: Int($0.bytesRead),
                    memoryBytesPeak: Int($0.memoryBytesPeak), spilledBytes: Int($0.spilledBytes))
            }, wishes: wishes.map { SplitWish(node: Int($0.node), number: Int($0.number)) })
    }
}

extension Martlet_V1_AddSplits {
    init(_ grant: SplitGrant) {
        self.init()
        attempt = Martlet_V1_TaskAttempt(grant.attempt)
        node = Int64(grant.node)
        number = Int64(grant.number)
        splits = Data(grant.splits)
        isLast = grant.isLast
    }

    var value: SplitGrant {
        SplitGrant(
            attempt: attempt.value, node: Int(node), number: Int(number), splits: Array(splits), isLast: isLast)
    }
}
