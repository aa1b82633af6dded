// Carries a coordinator's state to its store, beside the queries and never in their way.

import Diagnostics
import Logging
import QueryPlan
import StateStore
import Synchronization

/// Queries that have ended wait in a queue of bounded length until the store has taken them. While the store is away they are
/// kept and tried again; when the queue is full, further ones are dropped and counted. Nobody who runs a query waits for any of
/// this. What a statement changes is written before the statement is answered (`write`).
package final class StateKeeper: Sendable {
    package struct Options: Sendable {
        package var queueCountMax: Int
        package var historyCountMax: Int
        /// How often the store is asked whether others have changed it.
        package var followInterval: Duration
        package init(
            queueCountMax: Int = 1_000, historyCountMax: Int = 10_000, followInterval: Duration = .seconds(1)
        ) {
            self.queueCountMax = queueCountMax
            self.historyCountMax = historyCountMax
            self.followInterval = followInterval
        }
    }

    /// What `system.state_store` shows.
    package struct Summary: Sendable {
        package var place: String
        package var isAway: Bool
        package var queuedCount: Int
        package var writtenCount: Int
        package var droppedCount: Int
        /// How often the store was written to, and for how long all together.
        package var writeCount = 0
        package var writingTime = Duration.zero
        package var lastError: QueryError?
    }

    /// A query that has ended; made into texts only when it is written.
    private struct Item: Sendable {
        var record: QueryRecord
        var course: QueryCourse?
    }
    private struct State {
        var queue: [Item] = []
        /// Taken by the writer and not yet acknowledged.
        var underWayCount = 0
        var writtenCount = 0
        var droppedCount = 0
        var writeCount = 0
        var writingTime = Duration.zero
        var sinceTrim = 0
        var isOpen = false
        /// Takes over what others have changed.
        var taker: (@Sendable (StateDifference) async -> Void)?
        /// The entries that the store has as far as is known here, and of which revision they are; `nil` before they were read.
        var known: [StateEntry.Key: String] = [:]
        var revision: Int64?
        var lastError: QueryError?
        var waiter: CheckedContinuation<Void, Never>?
        var isStopped = false
        /// What is queued has waited long enough for others to go with it.
        var isDue = false
        var isTimerSet = false

        /// Queries wait a moment for the next ones: to write each by itself costs as much as a small one takes.
        var hasWork: Bool { isDue ? !queue.isEmpty : queue.count >= StateKeeper.batchCountMax }
    }

    private let store: any StateStore
    private let options: Options
    private let logger: Logger
    private let state = Mutex(State())
    /// Whoever finds the store closed opens it, one after the other.
    private let openings = ChangeQueue()
    private static let batchCountMax = 100
    private static let queriesPerTrim = 500
    private static let gatheringTime = Duration.milliseconds(200)
    private static let pauseFirst = Duration.milliseconds(200)
    private static let pauseMax = Duration.seconds(30)

    package init(_ store: any StateStore, options: Options, logger: Logger) {
        self.store = store
        self.options = options
        self.logger = logger
    }

    package var summary: Summary {
        state.withLock { state in
            Summary(
                place: store.place, isAway: !state.isOpen || state.lastError != nil,
                queuedCount: state.queue.count + state.underWayCount, writtenCount: state.writtenCount,
                droppedCount: state.droppedCount, writeCount: state.writeCount, writingTime: state.writingTime,
                lastError: state.lastError)
        }
    }

    // MARK: Giving

    /// A query has ended.
    package func note(_ record: QueryRecord, _ course: QueryCourse?) {
        let (waiter, setsTimer) = state.withLock { state -> (CheckedContinuation<Void, Never>?, Bool) in
            guard !state.isStopped else { return (nil, false) }
            guard state.queue.count + state.underWayCount < options.queueCountMax else {
                state.droppedCount += 1
                return (nil, false)
            }
            state.queue.append(Item(record: record, course: course))
            guard state.hasWork else {
                defer { state.isTimerSet = true }
                return (nil, !state.isTimerSet)
            }
            defer { state.waiter = nil }
            return (state.waiter, false)
        }
        waiter?.resume()
        guard setsTimer else { return }
        Task { [weak self] in
            try? await Task.sleep(for: Self.gatheringTime)
            self?.flush()
        }
    }

    /// What is queued is written now.
    private func flush() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.isTimerSet = false
            state.isDue = !state.queue.isEmpty
            guard state.hasWork else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Writes all changes of entries or none, now. What this has returned from is kept whatever happens to the process. If others
    /// have changed the store since it was read here, nothing is written, and that is taken over and returned. 58030 if the
    /// store is away. Not to be called twice at a time, nor with `follow`.
    func write(_ changes: [StateChange]) async throws -> StateDifference? {
        if changes.isEmpty { return nil }
        return try await failing {
            try await openIfClosed()
            guard let revision = state.withLock({ $0.revision }) else {
                throw QueryError.internalError("the state store was not read")
            }
            let next = try await timed { try await store.apply(changes, at: revision) }
            guard let next else { return try await takeOver() }
            state.withLock { state in
                for change in changes {
                    switch change {
                    case .put(let entry): state.known[entry.key] = entry.value
                    case .remove(let kind, let name): state.known[StateEntry.Key(kind, name)] = nil
                    case .query, .trimHistory: break
                    }
                }
                state.revision = next
                state.writtenCount += changes.count
                state.lastError = nil
            }
            return nil
        }
    }

    private func timed<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        let started = ContinuousClock.now
        defer {
            let time = ContinuousClock.now - started
            state.withLock { state in
                state.writeCount += 1
                state.writingTime += time
            }
        }
        return try await body()
    }

    /// Whether what the store has was taken over. Before that nobody knows what a change is a change of.
    var isRestored: Bool { state.withLock { $0.revision != nil } }

    // MARK: Following others

    var followInterval: Duration { options.followInterval }
    var isStopped: Bool { state.withLock { $0.isStopped } }

    /// Takes over what others have changed, if they have. 58030 if the store is away.
    func follow() async throws {
        try await failing {
            try await openIfClosed()
            let revision = try await store.revision()
            if state.withLock({ $0.revision }) != revision { _ = try await takeOver() }
            state.withLock { state in
                if let error = state.lastError, !Self.isRefusal(error) { state.lastError = nil }
            }
        }
    }

    private func takeOver() async throws -> StateDifference {
        // Entries that are younger than the revision are read once more the next time.
        let revision = try await store.revision()
        var entries: [StateEntry] = []
        for kind in StateEntry.Kind.allCases { entries += try await store.entries(kind) }
        let (known, before, taker) = state.withLock { ($0.known, $0.revision, $0.taker) }
        var difference = StateDifference(from: known, to: entries)
        difference.isFirst = before == nil
        difference.isRewound = before.map { $0 > revision } ?? false
        if difference.isRewound {
            logger.error("the state store is an older one than it was", metadata: ["store": "\(store.place)"])
        }
        await taker?(difference)
        state.withLock { state in
            state.known = Dictionary(entries.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
            state.revision = revision
        }
        return difference
    }

    /// Opens the store and takes over what it has, if that is still to be done. 58030 if the store is away.
    func prepare() async throws { try await failing { try await openIfClosed() } }

    private func failing<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch {
            let error = QueryError.wrapping(error)
            if !Self.isRefusal(error) {
                note(error)
                state.withLock { $0.isOpen = false }
            }
            throw QueryError(
                .ioError, "the state store has not taken the change", detail: error.message,
                hint: "The view system.state_store tells how the store does. What only reads goes on.", cause: error)
        }
    }

    // MARK: Writing

    /// Opens the store and gives the queries that ended last, newest first; none if the store is away. `taker` gets the
    /// entries of the store as soon as it can be read, now, or when the store is back, and what others change of them later.
    package func open(
        historyLimit: Int, taker: @escaping @Sendable (StateDifference) async -> Void = { _ in }
    ) async -> [QueryHistoryEntry] {
        state.withLock { $0.taker = taker }
        do {
            try await store.open()
            let history = try await store.history(limit: historyLimit)
            try await restore()
            state.withLock { $0.isOpen = true }
            return history
        } catch {
            note(QueryError.wrapping(error))
            return []
        }
    }

    private func openIfClosed() async throws {
        if state.withLock({ $0.isOpen }) { return }
        try await openings.run { [self] in
            if state.withLock({ $0.isOpen }) { return }
            try await store.open()
            try await restore()
            state.withLock { $0.isOpen = true }
        }
    }

    /// Before anything is written: what the store has is never younger than what is here.
    private func restore() async throws {
        if !isRestored { _ = try await takeOver() }
    }

    /// Writes until the task is cancelled.
    package func run() async {
        var pause = Self.pauseFirst
        while !Task.isCancelled {
            await waitForWork()
            if state.withLock({ $0.isStopped }) { return }
            let items = state.withLock { state -> [Item] in
                let count = min(Self.batchCountMax, state.queue.count)
                let items = Array(state.queue.prefix(count))
                state.queue.removeFirst(count)
                state.isDue = !state.queue.isEmpty
                state.underWayCount = count
                return items
            }
            do {
                try await openIfClosed()
                try await writeHistory(items.map { .query(QueryHistoryEntry($0.record, $0.course)) })
                pause = Self.pauseFirst
            } catch {
                note(QueryError.wrapping(error))
                state.withLock { state in
                    state.queue.insert(contentsOf: items, at: 0)
                    state.isDue = true
                    state.underWayCount = 0
                    // Whoever comes back may have been emptied.
                    state.isOpen = false
                }
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, Self.pauseMax)
            }
        }
    }

    /// All together; if the store does not like that, one after the other, without those that it refuses by themselves.
    private func writeHistory(_ changes: [StateChange]) async throws {
        var refusedCount = 0
        do { try await timed { try await store.apply(changes) } } catch let error as QueryError
            where Self.isRefusal(error)
        {
            for change in changes {
                do { try await store.apply([change]) } catch let error as QueryError where Self.isRefusal(error) {
                    refusedCount += 1
                    note(error)
                }
            }
        }
        let trims = state.withLock { state -> Bool in
            state.underWayCount = 0
            state.writtenCount += changes.count - refusedCount
            state.droppedCount += refusedCount
            state.sinceTrim += changes.count
            if refusedCount == 0 { state.lastError = nil }
            guard state.sinceTrim >= Self.queriesPerTrim else { return false }
            state.sinceTrim = 0
            return true
        }
        if trims { try? await store.apply([.trimHistory(keeping: options.historyCountMax)]) }
    }

    /// Whether the store cannot take this change, today or tomorrow: data that it has no place for.
    private static func isRefusal(_ error: QueryError) -> Bool {
        ["22", "23", "54"].contains(String(error.state.code.prefix(2)))
    }

    private func waitForWork() async {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state -> Bool in
                if state.hasWork || state.isStopped { return true }
                state.waiter = continuation
                return false
            }
            if isReady { continuation.resume() }
        }
    }

    private func note(_ error: QueryError) {
        let isNew = state.withLock { state in
            defer { state.lastError = error }
            return state.lastError?.state != error.state
        }
        if isNew {
            logger.warning("the state store is away", metadata: ["store": "\(store.place)", "error": "\(error)"])
        }
    }

    /// Waits for what is queued, no longer than that, and takes nothing more.
    package func stop(within limit: Duration) async {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            let summary = self.summary
            if summary.queuedCount == 0 || summary.isAway { break }
            flush()
            try? await Task.sleep(for: .milliseconds(10))
        }
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.isStopped = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
        store.close()
    }
}

extension QueryHistoryEntry {
    init(_ record: QueryRecord, _ course: QueryCourse?) {
        let texts = course.map { QueryTexts(record, $0) }
        self.init(
            id: record.id.text, sql: record.sql, user: record.user, state: record.state.rawValue,
            startedAt: record.startedAt, durationMicroseconds: record.durationMicroseconds ?? 0,
            rowCount: Int64(record.rowCount), errorCode: record.error?.state.code, errorMessage: record.error?.message,
            attemptCount: Int64(record.attemptCount), session: Int64(record.session),
            processorNanoseconds: Int64(record.usage.processorNanoseconds),
            memoryBytesPeak: Int64(record.usage.memoryBytesPeak), spilledBytes: Int64(record.usage.spilledBytes),
            bytesRead: Int64(record.usage.bytesRead), plan: texts?.plan, profile: texts?.profile)
    }

    /// The query as the registry keeps it.
    var record: QueryRecord {
        var record = QueryRecord(
            id: QueryID(id), sql: sql, user: user, state: QueryRecord.State(rawValue: state) ?? .failed,
            startedAt: startedAt, durationMicroseconds: durationMicroseconds, rowCount: Int(rowCount),
            error: errorCode.map { QueryError(SQLState($0), errorMessage ?? "") })
        record.attemptCount = Int(attemptCount)
        record.session = Int(session)
        record.usage.processorNanoseconds = Int(processorNanoseconds)
        record.usage.memoryBytesPeak = Int(memoryBytesPeak)
        record.usage.spilledBytes = Int(spilledBytes)
        record.usage.bytesRead = Int(bytesRead)
        return record
    }
}
