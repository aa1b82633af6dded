// A cluster of membership state machines under virtual time: one coordinator, many workers, a network that delays and
// loses. Single-threaded and seeded, so a run repeats itself exactly.

import ClusterMembership
import Diagnostics

/// A small seeded generator (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
    mutating func fraction() -> Double { Double(next() >> 11) / 9_007_199_254_740_992.0 }
}

final class VirtualCluster {
    enum Message {
        case toCoordinator(MembershipEvent)
        case toWorker(Int, WorkerSessionEvent)
        case coordinatorTick
        case workerTick(Int)
    }

    struct Scheduled {
        var time: MonotonicInstant
        var order: UInt64
        var message: Message
        /// Messages of a stream die with it.
        var stream: UInt64?
    }

    final class Node {
        var session: WorkerSessionInstance
        var isAlive = true
        /// While true nothing passes between this worker and the coordinator, and nobody notices a closed stream.
        var isPartitioned = false
        /// The worker's own session number → the global stream number.
        var streams: [SessionID: UInt64] = [:]
        var directives: [WorkerSessionDirective] = []
        var nextTick: MonotonicInstant?
        init(_ session: WorkerSessionInstance) { self.session = session }
    }

    var now = MonotonicInstant.zero
    var coordinator: MembershipInstance
    var nodes: [Node] = []
    var transitions: [(time: MonotonicInstant, change: WorkerTransition)] = []
    var evacuations: [WorkerID] = []
    private(set) var blames: [(worker: WorkerID, crash: WorkerCrash)] = []
    var refusals: [RegistrationRefusal] = []
    var delay: ClosedRange<Int64> = 200_000...2_000_000
    var lossRate = 0.0
    /// FNV-1a over every transition; equal for equal runs.
    var digest: UInt64 = 0xcbf2_9ce4_8422_2325
    var eventCount = 0

    private var random: SeededGenerator
    private var heap: [Scheduled] = []
    private var order: UInt64 = 0
    private var nextStream: UInt64 = 0
    private var openStreams: [UInt64: (node: Int, session: SessionID)] = [:]
    private var lastDelivery: [UInt64: MonotonicInstant] = [:]
    private var coordinatorTick: MonotonicInstant?

    init(workers: Int, options: MembershipOptions = MembershipOptions(), seed: UInt64 = 1) throws {
        coordinator = MembershipInstance(options: options, clusterID: "test")
        random = SeededGenerator(state: seed)
        for index in 0..<workers { try addWorker(index) }
    }

    static func describe(_ index: Int, incarnation: UInt64 = 1, cluster: String = "test") -> WorkerDescription {
        WorkerDescription(
            worker: WorkerID("w\(index)"), incarnation: Incarnation(incarnation), clusterID: cluster,
            controlAddress: "w\(index):1", exchangeAddress: "w\(index):2")
    }

    func addWorker(_ index: Int) throws {
        let session = try WorkerSessionInstance(description: Self.describe(index), coordinators: ["c0"])
        nodes.append(Node(session))
        send(.toWorker(nodes.count - 1, .start), after: .milliseconds(index % 50))
    }

    /// The process dies: its stream is reset, which the coordinator sees at once.
    func kill(_ index: Int) {
        nodes[index].isAlive = false
        for (stream, owner) in openStreams.sorted(by: { $0.key < $1.key }) where owner.node == index {
            closeStream(stream, notifyWorker: false)
        }
    }

    func restart(_ index: Int, incarnation: UInt64) throws {
        let session = try WorkerSessionInstance(
            description: Self.describe(index, incarnation: incarnation), coordinators: ["c0"])
        let node = Node(session)
        nodes[index] = node
        send(.toWorker(index, .start), after: .milliseconds(1))
    }

    func resetStream(of index: Int) {
        for (stream, owner) in openStreams.sorted(by: { $0.key < $1.key }) where owner.node == index {
            closeStream(stream, notifyWorker: true)
        }
    }

    func post(_ event: MembershipEvent) { send(.toCoordinator(event), after: .zero) }
    func post(_ event: WorkerSessionEvent, to index: Int) { send(.toWorker(index, event), after: .zero) }

    func state(_ index: Int) -> WorkerState? { coordinator.worker(WorkerID("w\(index)"))?.state }

    func run(for span: Duration) {
        let end = now + span
        while let first = heap.first, first.time <= end {
            pop()
            now = max(now, first.time)
            eventCount += 1
            deliver(first)
        }
        now = end
    }

    // MARK: Kernel

    private func send(_ message: Message, after span: Duration, stream: UInt64? = nil) {
        var time = now + span
        if let stream {
            // A stream keeps its order.
            if let last = lastDelivery[stream] { time = max(time, last) }
            lastDelivery[stream] = time
        }
        order += 1
        push(Scheduled(time: time, order: order, message: message, stream: stream))
    }

    private func transmit(_ message: Message, stream: UInt64) {
        guard let owner = openStreams[stream], !nodes[owner.node].isPartitioned else { return }
        if lossRate > 0, random.fraction() < lossRate { return }
        let span = Int64.random(in: delay, using: &random)
        send(message, after: .nanoseconds(span), stream: stream)
    }

    private func deliver(_ item: Scheduled) {
        if let stream = item.stream, openStreams[stream] == nil { return }
        switch item.message {
        case .toCoordinator(let event):
            carryOut(coordinator.handle(event, now: now))
        case .coordinatorTick:
            guard let due = coordinatorTick, due <= now else { return }
            coordinatorTick = nil
            carryOut(coordinator.handle(.tick, now: now))
        case .toWorker(let index, let event):
            guard nodes[index].isAlive else { return }
            carryOut(nodes[index].session.handle(event, now: now), for: index)
        case .workerTick(let index):
            guard nodes[index].isAlive, let due = nodes[index].nextTick, due <= now else { return }
            nodes[index].nextTick = nil
            carryOut(nodes[index].session.handle(.tick, now: now), for: index)
        }
    }

    private func carryOut(_ directives: [MembershipDirective]) {
        for directive in directives {
            switch directive {
            case .accept(let session, let registration):
                reply(session) { .registered($0, registration) }
            case .refuse(let session, let refusal):
                refusals.append(refusal)
                reply(session) { .refused($0, refusal) }
            case .acknowledge(let session, let acknowledgement):
                reply(session) { .acknowledged($0, acknowledgement) }
            case .closeSession(let session):
                closeStream(session.number, notifyWorker: true)
            case .probe(let worker, let incarnation, _):
                let index = Int(worker.text.dropFirst()) ?? 0
                let node = nodes[index]
                if node.isPartitioned { continue }
                send(
                    .toCoordinator(.probed(worker, incarnation, alive: node.isAlive)), after: .milliseconds(2))
            case .stateChanged(let change):
                transitions.append((now, change))
                for byte in "\(now.nanoseconds) \(change)".utf8 {
                    digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3
                }
            case .blame(let worker, let crash):
                blames.append((worker, crash))
            case .evacuate(let worker, _):
                evacuations.append(worker)
            }
        }
        guard let due = coordinator.nextDeadline else { return }
        if coordinatorTick.map({ due < $0 }) ?? true {
            coordinatorTick = due
            order += 1
            push(Scheduled(time: max(due, now), order: order, message: .coordinatorTick, stream: nil))
        }
    }

    private func reply(_ session: SessionID, _ event: (SessionID) -> WorkerSessionEvent) {
        guard let owner = openStreams[session.number] else { return }
        transmit(.toWorker(owner.node, event(owner.session)), stream: session.number)
    }

    private func carryOut(_ directives: [WorkerSessionDirective], for index: Int) {
        let node = nodes[index]
        node.directives += directives
        for directive in directives {
            switch directive {
            case .discover: break
            case .dial(let session, _):
                // A partitioned dial goes nowhere; the instance's own deadline ends it.
                if node.isPartitioned { continue }
                nextStream += 1
                node.streams[session] = nextStream
                openStreams[nextStream] = (index, session)
                send(.toWorker(index, .dialed(session)), after: .milliseconds(1))
            case .register(let session, let description):
                guard let stream = node.streams[session] else { continue }
                transmit(.toCoordinator(.register(SessionID(stream), description)), stream: stream)
            case .heartbeat(let session, let sequence):
                guard let stream = node.streams[session] else { continue }
                transmit(
                    .toCoordinator(.heartbeat(SessionID(stream), sequence: sequence, HeartbeatLoad())), stream: stream)
            case .announceDrain(let session, let within):
                guard let stream = node.streams[session] else { continue }
                transmit(.toCoordinator(.drain(node.session.description.worker, within: within)), stream: stream)
            case .goodbye(let session):
                guard let stream = node.streams[session] else { continue }
                // Carried before the close that follows it.
                carryOut(coordinator.handle(.goodbye(SessionID(stream)), now: now))
            case .close(let session):
                guard let stream = node.streams[session] else { continue }
                closeStream(stream, notifyWorker: false)
            case .leaseGained, .leaseLost, .stopAccepting, .abandonWork, .incarnationChanged, .finished:
                break
            }
        }
        guard let due = node.session.nextDeadline else { return }
        if node.nextTick.map({ due < $0 }) ?? true {
            node.nextTick = due
            order += 1
            push(Scheduled(time: max(due, now), order: order, message: .workerTick(index), stream: nil))
        }
    }

    private func closeStream(_ stream: UInt64, notifyWorker: Bool) {
        guard let owner = openStreams.removeValue(forKey: stream) else { return }
        lastDelivery[stream] = nil
        let node = nodes[owner.node]
        if node.isPartitioned { return }
        send(.toCoordinator(.streamClosed(SessionID(stream))), after: .milliseconds(1))
        if notifyWorker { send(.toWorker(owner.node, .closed(owner.session)), after: .milliseconds(1)) }
    }

    private static func precedes(_ a: Scheduled, _ b: Scheduled) -> Bool {
        a.time != b.time ? a.time < b.time : a.order < b.order
    }

    private func push(_ item: Scheduled) {
        heap.append(item)
        var child = heap.count - 1
        while child > 0, Self.precedes(heap[child], heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private func pop() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            let left = 2 * parent + 1
            guard left < heap.count else { return }
            let right = left + 1
            let child = right < heap.count && Self.precedes(heap[right], heap[left]) ? right : left
            guard Self.precedes(heap[child], heap[parent]) else { return }
            heap.swapAt(child, parent)
            parent = child
        }
    }
}
