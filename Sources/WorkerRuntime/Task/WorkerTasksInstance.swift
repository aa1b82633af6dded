// Which task attempts a worker holds, which it takes and which it ends by itself, as a value without clock and threads.
//
// Nobody has to tell a worker that a task has become useless: to follow a query's states is the sign that somebody wants
// its tasks. A query that nobody follows for a while is ended here, whether its cancel was lost, its coordinator is gone,
// or its tasks came late.

import ClusterMembership
import Diagnostics
import Transport

/// Figures of a worker's housekeeping.
package struct WorkerTasksOptions: Sendable, Hashable {
    /// How long the tasks of a query live that nobody follows.
    package var unwatchedLimit: Duration = .seconds(30)
    /// How long an attempt that was given up is remembered, so that a late request does not start it.
    package var releasedMemory: Duration = .seconds(120)
    package init() {}
}

package enum WorkerTasksEvent: Sendable {
    case ended(TaskAttemptID, TaskStatus)
    /// A scan of the attempt needs more splits.
    case wishes(TaskAttemptID, SplitWish)
    /// They have come.
    case granted(TaskAttemptID, SplitWish)
    /// The attempts and their output are not wanted any more.
    case release([TaskAttemptID], reason: QueryError)
    case watched(QueryID)
    case unwatched(QueryID)
    /// Whether new tasks are taken: not while draining, nor without a lease.
    case accepts(Bool)
    /// The coordinator has given this life of the worker up.
    case abandon(QueryError)
    case tick
}

package enum WorkerTasksDirective: Sendable {
    /// Stop the attempt and drop its output. Its `ended` still comes.
    case stop(TaskAttemptID, reason: QueryError)
    /// Forget its output; it runs no more.
    case dropOutput(TaskAttemptID, reason: QueryError)
    /// Somebody follows the query: tell the state.
    case tell(TaskStatus)
}

package struct WorkerTasksInstance: Sendable {
    private struct Entry: Sendable {
        var status: TaskStatus
        /// Started by this process, which needs no following to remember its tasks.
        var isLocal: Bool
        /// Was told to stop; forgotten once it has ended.
        var isReleased = false
    }

    private struct Query: Sendable {
        var watchers = 0
        /// Attempts held of it, local ones left out.
        var attempts = 0
        /// Set while there are attempts and no watchers.
        var unwatchedSince: MonotonicInstant?
        /// The highest attempt of the query that was started here.
        var queryAttempt = 0
    }

    package let options: WorkerTasksOptions
    private var entries: [TaskAttemptID: Entry] = [:]
    private var queries: [QueryID: Query] = [:]
    /// Attempts that were given up, oldest first.
    private var released: [(attempt: TaskAttemptID, at: MonotonicInstant)] = []
    private var releasedAttempts: Set<TaskAttemptID> = []
    private var isAccepting: Bool

    /// `isAccepting`: false for a worker that has to register first.
    package init(options: WorkerTasksOptions = WorkerTasksOptions(), isAccepting: Bool = true) {
        self.options = options
        self.isAccepting = isAccepting
    }

    // MARK: - What is held

    package var runningCount: Int { entries.values.count { $0.status.state == .running } }
    package func runsTasks(of query: QueryID) -> Bool {
        entries.contains { $0.key.query == query && $0.value.status.state == .running }
    }
    package var heldCount: Int { entries.count }
    package var attempts: [TaskAttemptID] { entries.keys.sorted { $0.description < $1.description } }
    package func status(_ attempt: TaskAttemptID) -> TaskStatus? { entries[attempt]?.status }
    package func isReleased(_ attempt: TaskAttemptID) -> Bool { entries[attempt]?.isReleased ?? true }
    package func statuses(of query: QueryID) -> [TaskStatus] {
        entries.values.filter { $0.status.attempt.query == query }.map(\.status)
            .sorted { $0.attempt.description < $1.attempt.description }
    }

    package var nextDeadline: MonotonicInstant? {
        var due = released.first.map { $0.at + options.releasedMemory }
        for query in queries.values {
            guard let since = query.unwatchedSince else { continue }
            let end = since + options.unwatchedLimit
            due = due.map { min($0, end) } ?? end
        }
        return due
    }

    // MARK: - Starting

    package enum Admission: Sendable {
        case begin
        /// A repeated request.
        case known
        case refused(QueryError)
    }

    package mutating func admit(
        _ attempt: TaskAttemptID, workerName: String, isLocal: Bool, now: MonotonicInstant
    ) -> Admission {
        if entries[attempt] != nil { return .known }
        if releasedAttempts.contains(attempt) { return .refused(Self.cancelled) }
        guard isAccepting else {
            return .refused(QueryError(.cannotConnectNow, "worker \"\(workerName)\" is shutting down"))
        }
        if let known = queries[attempt.query], attempt.queryAttempt < known.queryAttempt {
            return .refused(Self.cancelled)
        }
        entries[attempt] = Entry(
            status: TaskStatus(attempt: attempt, version: 0, state: .running), isLocal: isLocal)
        guard !isLocal else { return .begin }
        var query = queries[attempt.query] ?? Query()
        query.attempts += 1
        query.queryAttempt = max(query.queryAttempt, attempt.queryAttempt)
        if query.watchers == 0, query.unwatchedSince == nil { query.unwatchedSince = now }
        queries[attempt.query] = query
        return .begin
    }

    /// Notes that a running task has come further. `nil` if it runs no more.
    package mutating func progressed(_ attempt: TaskAttemptID) -> TaskStatus? {
        guard var entry = entries[attempt], entry.status.state == .running else { return nil }
        entry.status.version += 1
        entries[attempt] = entry
        return entry.status
    }

    // MARK: - Events

    package mutating func handle(_ event: WorkerTasksEvent, now: MonotonicInstant) -> [WorkerTasksDirective] {
        var directives: [WorkerTasksDirective] = []
        switch event {
        case .ended(let attempt, let status):
            end(attempt, status, &directives)
        case .wishes(let attempt, let wish):
            guard var entry = entries[attempt], entry.status.state == .running else { break }
            entry.status.version += 1
            entry.status.wishes.removeAll { $0.node == wish.node }
            entry.status.wishes.append(wish)
            entries[attempt] = entry
            directives.append(.tell(entry.status))
        case .granted(let attempt, let wish):
            entries[attempt]?.status.wishes.removeAll { $0 == wish }
        case .release(let attempts, let reason):
            for attempt in attempts { release(attempt, reason, now, &directives) }
        case .watched(let id):
            queries[id, default: Query()].watchers += 1
            queries[id]?.unwatchedSince = nil
        case .unwatched(let id):
            guard var query = queries[id] else { break }
            query.watchers = max(0, query.watchers - 1)
            if query.watchers == 0, query.attempts > 0 { query.unwatchedSince = now }
            queries[id] = query
            forgetIfUnused(id)
        case .accepts(let accepts):
            isAccepting = accepts
        case .abandon(let reason):
            for attempt in attempts { release(attempt, reason, now, &directives) }
        case .tick:
            tick(now, &directives)
        }
        return directives
    }

    private mutating func end(
        _ attempt: TaskAttemptID, _ status: TaskStatus, _ directives: inout [WorkerTasksDirective]
    ) {
        guard var entry = entries[attempt], entry.status.state == .running else { return }
        var status = status
        status.version = entry.status.version + 1
        entry.status = status
        directives.append(.tell(status))
        if entry.isReleased { forget(attempt) } else { entries[attempt] = entry }
    }

    private mutating func release(
        _ attempt: TaskAttemptID, _ reason: QueryError, _ now: MonotonicInstant,
        _ directives: inout [WorkerTasksDirective]
    ) {
        if releasedAttempts.insert(attempt).inserted { released.append((attempt, now)) }
        guard let entry = entries[attempt] else {
            // It may have left output although it has been forgotten; readers that come late get the reason.
            directives.append(.dropOutput(attempt, reason: reason))
            return
        }
        if entry.status.state == .running {
            entries[attempt]?.isReleased = true
            directives.append(.stop(attempt, reason: reason))
        } else {
            forget(attempt)
            directives.append(.dropOutput(attempt, reason: reason))
        }
    }

    private mutating func forget(_ attempt: TaskAttemptID) {
        guard let entry = entries.removeValue(forKey: attempt), !entry.isLocal else { return }
        queries[attempt.query]?.attempts -= 1
        forgetIfUnused(attempt.query)
    }

    private mutating func forgetIfUnused(_ id: QueryID) {
        guard let query = queries[id], query.attempts <= 0 else { return }
        queries[id]?.unwatchedSince = nil
        if query.watchers == 0 { queries[id] = nil }
    }

    private mutating func tick(_ now: MonotonicInstant, _ directives: inout [WorkerTasksDirective]) {
        var forgotten = 0
        while forgotten < released.count, now >= released[forgotten].at + options.releasedMemory {
            releasedAttempts.remove(released[forgotten].attempt)
            forgotten += 1
        }
        released.removeFirst(forgotten)
        let orphans = queries.filter { entry in
            entry.value.unwatchedSince.map { now >= $0 + options.unwatchedLimit } ?? false
        }
        for id in orphans.keys.sorted(by: { $0.text < $1.text }) {
            queries[id]?.unwatchedSince = now
            let reason = QueryError(.workerLost, "nobody has followed the query for a while")
            for status in statuses(of: id) where entries[status.attempt]?.isLocal == false {
                release(status.attempt, reason, now, &directives)
            }
        }
    }

    package static let cancelled = QueryError(.queryCanceled, "canceling statement due to user request")
}
