// Which queries run and which wait, as a value without clock and threads.
//
// A query gets its slot and its memory in one step, or waits: there is no moment at which limits are passed because reports
// come late. Who waits is served in order; small queries have a few slots to themselves, so that they do not wait behind
// large ones.

import ClusterMembership
import Diagnostics

/// Limits of the coordinator; 0 is none.
package struct AdmissionOptions: Sendable, Hashable {
    /// Queries that run at the same time.
    package var runningMax = 100
    /// Queries that wait at the same time; further ones are refused.
    package var queuedMax = 1000
    /// Memory that running queries reserve on one worker together.
    package var memoryByteMax = 0
    package var queueLimit: Duration = .seconds(300)
    /// Slots beyond `runningMax` that only small queries get, as a part of it.
    package var smallShare = 0.1

    package init() {}

    var smallSlots: Int { runningMax == 0 ? 0 : max(1, Int(Double(runningMax) * smallShare)) }
}

/// What a query needs.
package struct AdmissionRequest: Sendable, Hashable {
    package var query: QueryID
    /// Queries of one session nest: one that starts while another of the session runs shares its slot, or a session could
    /// wait for itself.
    package var session: Int
    package var isSmall: Bool
    /// On each worker.
    package var memoryByteCount: Int
    package init(query: QueryID, session: Int, isSmall: Bool, memoryByteCount: Int) {
        self.query = query
        self.session = session
        self.isSmall = isSmall
        self.memoryByteCount = memoryByteCount
    }
}

/// Why a query waits.
package enum QueuedReason: String, Sendable, Hashable, CaseIterable {
    case concurrency
    case memory
}

package enum AdmissionDirective: Sendable {
    case admit(QueryID)
    case refuse(QueryID, QueryError)
}

package struct AdmissionInstance: Sendable {
    package private(set) var options: AdmissionOptions
    private struct Running: Sendable {
        var request: AdmissionRequest
        /// Whether it has a slot of its own.
        var hasSlot: Bool
    }
    private struct Waiting: Sendable {
        var request: AdmissionRequest
        var deadline: MonotonicInstant
    }
    private var running: [QueryID: Running] = [:]
    /// Running queries of each session.
    private var sessions: [Int: Int] = [:]
    /// In the order of their coming.
    private var waiting: [Waiting] = []
    package private(set) var slotCount = 0 { didSet { slotPeak = max(slotPeak, slotCount) } }
    package private(set) var memoryByteCount = 0 { didSet { memoryPeak = max(memoryPeak, memoryByteCount) } }
    /// The most that there ever was.
    package private(set) var slotPeak = 0
    package private(set) var memoryPeak = 0
    package private(set) var queuedPeak = 0

    package init(options: AdmissionOptions) { self.options = options }

    package var runningCount: Int { running.count }
    package func isRunning(_ query: QueryID) -> Bool { running[query] != nil }
    package var queuedCount: Int { waiting.count }
    package var nextDeadline: MonotonicInstant? { waiting.map(\.deadline).min() }

    /// Why a query waits, and how many wait before it.
    package func reason(_ query: QueryID) -> (reason: QueuedReason, position: Int)? {
        guard let index = waiting.firstIndex(where: { $0.request.query == query }) else { return nil }
        let reason = obstacle(waiting[index].request) ?? .concurrency
        return (reason, index)
    }

    // MARK: - Events

    package mutating func request(_ request: AdmissionRequest, now: MonotonicInstant) -> [AdmissionDirective] {
        let shares = (sessions[request.session] ?? 0) > 0
        // Nobody overtakes those who wait, but for the small ones.
        let mayPass = request.isSmall ? !waiting.contains { $0.request.isSmall } : waiting.isEmpty
        if shares || (mayPass && obstacle(request) == nil) {
            admit(request, shares: shares)
            return [.admit(request.query)]
        }
        guard options.queuedMax == 0 || waiting.count < options.queuedMax else {
            return [
                .refuse(
                    request.query,
                    QueryError(
                        .configurationLimitExceeded, "too many queries wait already",
                        detail: "\(waiting.count) queries wait for one of \(options.runningMax) places.",
                        hint: "Try again later."))
            ]
        }
        waiting.append(Waiting(request: request, deadline: now + options.queueLimit))
        queuedPeak = max(queuedPeak, waiting.count)
        return []
    }

    /// The query has ended, or is not wanted any more.
    package mutating func leave(_ query: QueryID) -> [AdmissionDirective] {
        if let entry = running.removeValue(forKey: query) {
            if entry.hasSlot { slotCount -= 1 }
            memoryByteCount -= entry.request.memoryByteCount
            let left = (sessions[entry.request.session] ?? 1) - 1
            sessions[entry.request.session] = left > 0 ? left : nil
        } else {
            waiting.removeAll { $0.request.query == query }
        }
        return advance()
    }

    /// The limits have changed; queries that run or wait already are not sent away.
    package mutating func change(to options: AdmissionOptions) -> [AdmissionDirective] {
        self.options = options
        return advance()
    }

    package mutating func tick(now: MonotonicInstant) -> [AdmissionDirective] {
        var directives: [AdmissionDirective] = []
        for entry in waiting where now >= entry.deadline {
            let reason = obstacle(entry.request) ?? .concurrency
            directives.append(
                .refuse(
                    entry.request.query,
                    QueryError(
                        .configurationLimitExceeded,
                        "the query has waited for \(options.queueLimit.components.seconds) seconds without a place",
                        detail: "It waited for: \(reason.rawValue).")))
        }
        waiting.removeAll { now >= $0.deadline }
        return directives + advance()
    }

    // MARK: - Places

    private func obstacle(_ request: AdmissionRequest) -> QueuedReason? {
        if options.runningMax > 0 {
            let slots = options.runningMax + (request.isSmall ? options.smallSlots : 0)
            if slotCount >= slots { return .concurrency }
        }
        // A query that is larger than all memory runs alone.
        if options.memoryByteMax > 0, memoryByteCount > 0,
            memoryByteCount + request.memoryByteCount > options.memoryByteMax
        {
            return .memory
        }
        return nil
    }

    private mutating func admit(_ request: AdmissionRequest, shares: Bool) {
        running[request.query] = Running(request: request, hasSlot: !shares)
        sessions[request.session, default: 0] += 1
        if !shares { slotCount += 1 }
        memoryByteCount += request.memoryByteCount
    }

    private mutating func advance() -> [AdmissionDirective] {
        var directives: [AdmissionDirective] = []
        var isBlocked = false
        var index = 0
        while index < waiting.count {
            let request = waiting[index].request
            if (isBlocked && !request.isSmall) || obstacle(request) != nil {
                // The first that cannot go holds back those behind it, or a large one would wait for ever.
                isBlocked = true
                index += 1
                continue
            }
            admit(request, shares: false)
            directives.append(.admit(request.query))
            waiting.remove(at: index)
        }
        return directives
    }
}
