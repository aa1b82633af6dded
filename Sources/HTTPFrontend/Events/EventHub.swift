// Viewers of live events and what they are sent. Queries never wait for a viewer, and the engine is looked at only while
// there is one.

import Coordination
import Diagnostics
import Synchronization

/// Thread-safe.
final class EventHub: Sendable {
    /// Between two looks at the cluster.
    private static let pause = Duration.milliseconds(250)

    fileprivate struct Viewer {
        var messages: AsyncStream<[UInt8]>.Continuation
        /// Told when it is cut off; its connection may be stuck in a write.
        var onCut: @Sendable () -> Void
        /// The query that it looks at.
        var watched: QueryID?
        var needsSnapshot = true
    }
    fileprivate struct State {
        var feed = EventFeed()
        var viewers: [Int: Viewer] = [:]
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
    func add(onCut: @escaping @Sendable () -> Void) -> (number: Int, messages: AsyncStream<[UInt8]>)? {
        let (stream, continuation) = AsyncStream<[UInt8]>.makeStream(
            bufferingPolicy: .bufferingOldest(limits.viewerQueueMax))
        let number = state.withLock { state -> Int? in
            guard state.viewers.count < limits.viewerCountMax, !state.isShutDown else { return nil }
            state.nextNumber += 1
            state.viewers[state.nextNumber] = Viewer(messages: continuation, onCut: onCut)
            return state.nextNumber
        }
        guard let number else { return nil }
        lookIfNeeded()
        return (number, stream)
    }

    func remove(_ number: Int) {
        let viewer = state.withLock { $0.viewers.removeValue(forKey: number) }
        viewer?.messages.finish()
    }

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

    private func tell() {
        let workers = engine.directory.summaries().map { (summary: $0, latest: engine.monitor.samples(of: $0.id).last) }
        let (endedNumber, second) = state.withLock { ($0.endedNumber, $0.second) }
        let changes = engine.queries.changes(after: endedNumber, limit: EventFeed.endedCountMax)
        let samples = engine.queries.activity(after: second)
        let counts = engine.queries.counts
        let totals = ClusterView.Totals(
            running: changes.running.count { $0.state == .running },
            queued: changes.running.count { $0.state == .queued }, started: counts.started, failed: counts.failed,
            connections: connectionCount())
        var view = ClusterView(
            workers: workers, running: changes.running, ended: changes.ended, samples: samples, totals: totals)
        let (delta, watched) = state.withLock { state in
            state.endedNumber = changes.number
            if let last = samples.last { state.second = last.second }
            return (state.feed.delta(view), Set(state.viewers.values.compactMap(\.watched)))
        }
        if let delta { send(delta) { !$0.needsSnapshot } }
        if state.withLock({ $0.viewers.values.contains(where: \.needsSnapshot) }) {
            view.ended = engine.queries.changes(after: 0, limit: EventFeed.endedCountMax).ended
            view.ended.removeAll { query in view.running.contains { $0.id == query.id } }
            view.samples = engine.queries.activity()
            sendSnapshots(state.withLock { $0.feed.snapshot(view, version: EngineVersion.version) })
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
        send(document) { $0.watched == query }
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

    private func sendSnapshots(_ snapshot: [UInt8]) {
        cut(
            state.withLock { state in
                let slow = state.send(snapshot) { $0.needsSnapshot }
                for number in state.viewers.keys { state.viewers[number]?.needsSnapshot = false }
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
