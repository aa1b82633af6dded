// Viewers of live events and what they are sent. Queries never wait for a viewer, and the engine is looked at only while
// there is one.

import Coordination
import Diagnostics
import Synchronization

/// Whose queries a viewer sees.
enum EventScope: Hashable, Sendable {
    case everything
    case user(String)

    func includes(_ owner: String) -> Bool {
        switch self {
        case .everything: true
        case .user(let user): user == owner
        }
    }
}

/// Thread-safe.
final class EventHub: Sendable {
    /// Between two looks at the cluster.
    private static let pause = Duration.milliseconds(250)

    fileprivate struct Viewer {
        let scope: EventScope
        /// `nil`: nobody was asked.
        let user: String?
        var messages: AsyncStream<[UInt8]>.Continuation
        /// Told when it is cut off; its connection may be stuck in a write.
        var onCut: @Sendable () -> Void
        /// The query that it looks at.
        var watched: QueryID?
        var needsSnapshot = true
    }
    fileprivate struct State {
        /// What viewers know, by what they may know.
        var feeds: [EventScope: EventFeed] = [:]
        var viewers: [Int: Viewer] = [:]
        /// Viewers that were cut off because of who they are.
        var strangers: Set<Int> = []
        var nextNumber = 0
        var endedNumber: UInt64 = 0
        var second: Int64 = .min
        var isLooking = false
        var isShutDown = false
        var looker: Task<Void, Never>?
    }

    private let engine: QueryEngine
    private let connectionCount: @Sendable () -> Int
    private let limits: HTTPLimits
    private let state = Mutex(State())

    init(engine: QueryEngine, limits: HTTPLimits, connectionCount: @escaping @Sendable () -> Int) {
        self.engine = engine
        self.limits = limits
        self.connectionCount = connectionCount
    }

    var isShutDown: Bool { state.withLock { $0.isShutDown } }
    var viewerCount: Int { state.withLock { $0.viewers.count } }

    // MARK: - Viewers

    /// What a new viewer is sent, a snapshot first; the stream ends when it has let too much wait, which `onCut` is told of.
    /// `nil`: there are too many viewers.
    func add(
        _ scope: EventScope = .everything, user: String? = nil, onCut: @escaping @Sendable () -> Void
    ) -> (number: Int, messages: AsyncStream<[UInt8]>)? {
        let (stream, continuation) = AsyncStream<[UInt8]>.makeStream(
            bufferingPolicy: .bufferingOldest(limits.viewerQueueMax))
        let number = state.withLock { state -> Int? in
            guard state.viewers.count < limits.viewerCountMax, !state.isShutDown else { return nil }
            state.nextNumber += 1
            state.viewers[state.nextNumber] = Viewer(
                scope: scope, user: user, messages: continuation, onCut: onCut)
            return state.nextNumber
        }
        guard let number else { return nil }
        lookIfNeeded()
        return (number, stream)
    }

    func remove(_ number: Int) {
        let viewer = state.withLock { state in
            state.strangers.remove(number)
            return state.viewers.removeValue(forKey: number)
        }
        viewer?.messages.finish()
    }

    /// Whether a viewer was cut off because its user is no more, or may see less than it does.
    func isStranger(_ number: Int) -> Bool { state.withLock { $0.strangers.contains(number) } }

    /// A message of a viewer: it asks for a snapshot, or looks at a query.
    func receive(_ bytes: [UInt8], from number: Int) throws {
        let message = try JSONValue.parse(bytes)
        switch message["type"]?.text {
        case "resync": state.withLock { $0.viewers[number]?.needsSnapshot = true }
        case "watch":
            guard let query = message["query"]?.text else { throw Self.notUnderstood }
            state.withLock { $0.viewers[number]?.watched = QueryID(query) }
        case "unwatch": state.withLock { $0.viewers[number]?.watched = nil }
        default: throw Self.notUnderstood
        }
    }

    private static let notUnderstood = QueryError(
        .protocolViolation, "the message is not understood",
        hint: "Messages are {\"type\":\"resync\"}, {\"type\":\"watch\",\"query\":ID} and {\"type\":\"unwatch\"}.")

    func shutdown() {
        let (viewers, looker) = state.withLock { state in
            state.isShutDown = true
            defer { state.viewers = [:] }
            return (Array(state.viewers.values), state.looker)
        }
        looker?.cancel()
        for viewer in viewers { viewer.messages.finish() }
    }

    // MARK: - Looking

    private func lookIfNeeded() {
        state.withLock { state in
            guard !state.isLooking, !state.isShutDown else { return }
            state.isLooking = true
            state.looker = Task { await self.look() }
        }
    }

    /// Looks and tells until there is no viewer.
    private func look() async {
        while true {
            cutStrangers()
            tell()
            do { try await Task.sleep(for: Self.pause) } catch { break }
            let isDone = state.withLock { state in
                if state.viewers.isEmpty { state.isLooking = false }
                return state.viewers.isEmpty
            }
            if isDone { return }
        }
        state.withLock { $0.isLooking = false }
    }

    /// Users come and go by statements, by the configuration and on other coordinators, so they are looked at each time.
    private func cutStrangers() {
        let users = engine.users.facts
        guard !users.isEmpty else { return }
        let isAdministrator = Dictionary(users.map { ($0.name, $0.isAdministrator) }, uniquingKeysWith: { $0 || $1 })
        cut(
            state.withLock { state in
                state.viewers.compactMap { number, viewer in
                    let rank = viewer.user.flatMap { isAdministrator[$0] }
                    if rank == true || rank == false && viewer.scope != .everything { return nil }
                    state.strangers.insert(number)
                    return state.viewers.removeValue(forKey: number)
                }
            })
    }

    private func tell() {
        let workers = engine.directory.summaries().map { (summary: $0, latest: engine.monitor.samples(of: $0.id).last) }
        let (endedNumber, second) = state.withLock { ($0.endedNumber, $0.second) }
        let changes = engine.queries.changes(after: endedNumber, limit: EventFeed.endedCountMax)
        let samples = engine.queries.activity(after: second)
        let counts = engine.queries.counts
        let connections = connectionCount()
        func view(_ scope: EventScope, ended: [QueryRecord], samples: [ActivitySample]) -> ClusterView {
            let running = changes.running.filter { scope.includes($0.user) }
            return ClusterView(
                workers: workers, running: running, ended: ended.filter { scope.includes($0.user) }, samples: samples,
                totals: ClusterView.Totals(
                    running: running.count { $0.state == .running }, queued: running.count { $0.state == .queued },
                    started: counts.started, failed: counts.failed, connections: connections))
        }
        let (deltas, watched) = state.withLock { state in
            state.endedNumber = changes.number
            if let last = samples.last { state.second = last.second }
            let scopes = Set(state.viewers.values.map(\.scope))
            state.feeds = state.feeds.filter { scopes.contains($0.key) }
            let deltas = scopes.map { scope in
                (
                    scope,
                    state.feeds[scope, default: EventFeed()].delta(view(scope, ended: changes.ended, samples: samples))
                )
            }
            return (deltas, Set(state.viewers.values.compactMap(\.watched)))
        }
        for case (let scope, let delta?) in deltas { send(delta) { !$0.needsSnapshot && $0.scope == scope } }
        let beginners = state.withLock { Set($0.viewers.values.filter(\.needsSnapshot).map(\.scope)) }
        if !beginners.isEmpty {
            var ended = engine.queries.changes(after: 0, limit: EventFeed.endedCountMax).ended
            ended.removeAll { query in changes.running.contains { $0.id == query.id } }
            let all = engine.queries.activity()
            for scope in beginners {
                let view = view(scope, ended: ended, samples: all)
                sendSnapshots(scope) { $0.snapshot(view, version: EngineVersion.version) }
            }
        }
        for query in watched { tell(query) }
    }

    /// A query's course, to those who look at it: as long as it runs, and once more.
    private func tell(_ query: QueryID) {
        guard let profile = engine.profile(query) else { return }
        let document = JSONWriter.document { writer in
            writer.member("type", "query")
            writer.object("query") { StatusDocuments.write(profile, &$0) }
        }
        send(document) { $0.watched == query && $0.scope.includes(profile.record.user) }
        guard profile.record.durationMicroseconds != nil else { return }
        state.withLock { state in
            for number in state.viewers.keys where state.viewers[number]?.watched == query {
                state.viewers[number]?.watched = nil
            }
        }
    }

    private func send(_ message: [UInt8], to isMeant: (Viewer) -> Bool) {
        cut(state.withLock { $0.send(message, to: isMeant) })
    }

    /// Viewers that have come since the last delta have no feed yet: they wait for the next look.
    private func sendSnapshots(_ scope: EventScope, _ make: (EventFeed) -> [UInt8]) {
        cut(
            state.withLock { state in
                guard let feed = state.feeds[scope] else { return [] }
                let slow = state.send(make(feed)) { $0.needsSnapshot && $0.scope == scope }
                for (number, viewer) in state.viewers where viewer.scope == scope {
                    state.viewers[number]?.needsSnapshot = false
                }
                return slow
            })
    }

    private func cut(_ viewers: [Viewer]) {
        for viewer in viewers {
            viewer.messages.finish()
            viewer.onCut()
        }
    }
}

extension EventHub.State {
    /// Queues a message; gives the viewers that let too much wait, which are none any more.
    fileprivate mutating func send(
        _ message: [UInt8], to isMeant: (EventHub.Viewer) -> Bool
    ) -> [EventHub.Viewer] {
        var slow: [EventHub.Viewer] = []
        for (number, viewer) in viewers where isMeant(viewer) {
            if case .dropped = viewer.messages.yield(message) {
                viewers[number] = nil
                slow.append(viewer)
            }
        }
        return slow
    }
}
