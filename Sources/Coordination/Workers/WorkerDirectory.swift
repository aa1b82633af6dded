// Coordination leads queries from text to rows. This file: which workers there are, and how to reach them.
//
//   Workers/      the shell around membership: sessions, connections, who may get tasks
//   Scheduling/   a query's stages as tasks on workers: the state machine and its shell
//   Query/        the life of a query and its record
//   Service/      sessions and statements: what front ends talk to

import ClusterMembership
import Diagnostics
import Logging
import Synchronization
import Transport
import WireCodec

/// A worker that tasks can be given to.
package struct WorkerHandle: Sendable {
    package var id: WorkerID
    package var incarnation: Incarnation
    /// Where its output is fetched, and by which transport.
    package var exchange: Endpoint
    package var exchangeTransport: String
    package var connection: any WorkerConnection
    /// Set for a worker of this process, which is called instead of written to.
    package var local: LocalTasks?

    package init(
        id: WorkerID, incarnation: Incarnation, exchange: Endpoint, exchangeTransport: String,
        connection: any WorkerConnection, local: LocalTasks? = nil
    ) {
        self.id = id
        self.incarnation = incarnation
        self.exchange = exchange
        self.exchangeTransport = exchangeTransport
        self.connection = connection
        self.local = local
    }
}

/// The tasks of a worker in this process: handed over as they are, without messages, threads or time-outs in between.
package struct LocalTasks: Sendable {
    package typealias Start =
        @Sendable (TaskDescriptor, _ isSimple: Bool, _ onEnd: @escaping @Sendable (TaskStatus) -> Void) async throws ->
        Void
    /// Returns when the task runs, or when it is over if it is simple; `onEnd` is called once, with its last state, from any
    /// thread. Throws its refusal.
    package var start: Start
    /// Stops the attempts and forgets their output.
    package var release: @Sendable ([TaskAttemptID]) -> Void
    /// The running tasks of a query with what their operators have done so far.
    package var progress: @Sendable (QueryID) -> [TaskStatus]
    package var capacity: LocalCapacity

    package init(
        start: @escaping Start, release: @escaping @Sendable ([TaskAttemptID]) -> Void,
        progress: @escaping @Sendable (QueryID) -> [TaskStatus] = { _ in [] },
        capacity: LocalCapacity = LocalCapacity(slots: 0, memoryBytes: 0, load: { HeartbeatLoad() })
    ) {
        self.start = start
        self.release = release
        self.progress = progress
        self.capacity = capacity
    }
}

/// What a worker of this process has and uses; others say so when they register and with their heartbeats.
package struct LocalCapacity: Sendable {
    package var slots: Int
    package var memoryBytes: Int64
    package var load: @Sendable () -> HeartbeatLoad
    package init(slots: Int, memoryBytes: Int64, load: @escaping @Sendable () -> HeartbeatLoad) {
        self.slots = slots
        self.memoryBytes = memoryBytes
        self.load = load
    }
}

/// What queries are told of workers.
package enum WorkerNotice: Sendable {
    case lost(WorkerID)
    /// It left in good order: what it had finished was fetched.
    case left(WorkerID)
    /// Its drain ends soon.
    case leaves(WorkerID)
    /// A life of it crashed while it ran this query.
    case blames(WorkerID, Incarnation, QueryID)
    /// A new life of it has registered.
    case returned(WorkerID)
}

/// What is shown of a worker.
package struct WorkerSummary: Sendable {
    package var id: WorkerID
    package var incarnation: Incarnation
    package var state: String
    package var controlAddress: String
    package var exchangeAddress: String
    package var runningTasks: Int
    package var slots: Int
    package var memoryBytes: Int64
    package var load: HeartbeatLoad
    /// The program's version there.
    package var version: String
    /// How long it has been in its state, and without a heartbeat; `nil` for workers of this process.
    package var stateAge: Duration?
    package var silence: Duration?
}

/// Drives `MembershipInstance`: feeds it with sessions and time, carries out what it says, and keeps a connection to every
/// worker that may get tasks.
package final class WorkerDirectory: WorkerSessionService, Sendable {
    private struct Session: Sendable {
        var send: @Sendable (CoordinatorMessage) async throws -> Void
        var close: @Sendable () -> Void
    }

    private struct State {
        var membership: MembershipInstance
        var lostCount = 0
        var falseSuspectCount = 0
        var sessions: [SessionID: Session] = [:]
        var nextSession: UInt64 = 1
        var connections: [WorkerID: WorkerHandle] = [:]
        /// Workers of this process: always there, without a session.
        var local: [WorkerHandle] = []
        /// Runs what only this process can do.
        var coordinatorWorker: WorkerHandle?
        var listeners: [Int: @Sendable (WorkerNotice) -> Void] = [:]
        var nextListener = 0
        var arrivals: [CheckedContinuation<Void, Never>] = []
        var isShutDown = false
    }

    private let state: Mutex<State>
    private let transport: (any ControlTransport)?
    private let logger: Logger
    private let start = ContinuousClock.now
    /// Finished tasks that workers are to be told of.
    let releases: TaskReleases

    package init(membership: MembershipInstance, transport: (any ControlTransport)?, logger: Logger) {
        state = Mutex(State(membership: membership))
        releases = TaskReleases(logger: logger)
        self.transport = transport
        self.logger = logger
    }

    private var now: MonotonicInstant {
        let elapsed = (ContinuousClock.now - start).components
        return MonotonicInstant(nanoseconds: elapsed.seconds * 1_000_000_000 + elapsed.attoseconds / 1_000_000_000)
    }

    // MARK: - Workers of this process

    package func addLocalWorker(_ handle: WorkerHandle) { state.withLock { $0.local.append(handle) } }
    package func setCoordinatorWorker(_ handle: WorkerHandle) { state.withLock { $0.coordinatorWorker = handle } }
    package var coordinatorWorker: WorkerHandle? { state.withLock { $0.coordinatorWorker } }

    /// Workers that new tasks may be given to, sorted by id.
    package var available: [WorkerHandle] {
        state.withLock { state in
            let active = state.membership.placeableWorkers.compactMap { state.connections[$0.worker] }
            return (state.local + active).sorted { $0.id < $1.id }
        }
    }

    /// Whether all of these workers live in this process, so that they can read what only it has.
    package func areLocal(_ workers: [WorkerHandle]) -> Bool {
        state.withLock { state in
            let local = state.local + [state.coordinatorWorker].compactMap { $0 }
            return workers.allSatisfy { worker in local.contains { $0.id == worker.id } }
        }
    }

    /// Workers that were given up, and those that were suspected of having gone and had not, since the start.
    package var failureCounts: (lost: Int, falselySuspected: Int) {
        state.withLock { ($0.lostCount, $0.falseSuspectCount) }
    }

    /// φ of workers when their heartbeats came.
    package var suspicions: Histogram { state.withLock { $0.membership.suspicions } }

    package func summaries() -> [WorkerSummary] {
        state.withLock { state in
            let local = state.local.map { worker in
                let capacity = worker.local?.capacity
                let load = capacity?.load() ?? HeartbeatLoad()
                return WorkerSummary(
                    id: worker.id, incarnation: worker.incarnation, state: "active", controlAddress: "local",
                    exchangeAddress: worker.exchange.description, runningTasks: load.runningTasks,
                    slots: capacity?.slots ?? 0, memoryBytes: capacity?.memoryBytes ?? 0, load: load,
                    version: EngineVersion.version)
            }
            let now = self.now
            let registered = state.membership.workers.map {
                WorkerSummary(
                    id: $0.worker, incarnation: $0.incarnation, state: $0.state.rawValue,
                    controlAddress: $0.description.controlAddress, exchangeAddress: $0.description.exchangeAddress,
                    runningTasks: $0.load.runningTasks, slots: $0.description.slots,
                    memoryBytes: $0.description.memoryBytes, load: $0.load, version: $0.description.build,
                    stateAge: now.since($0.stateSince),
                    silence: now.since($0.lastHeartbeat))
            }
            return local + registered
        }
    }

    /// Waits until there is a worker, at most `duration`.
    package func waitForWorkers(upTo duration: Duration) async throws -> [WorkerHandle] {
        let deadline = ContinuousClock.now + duration
        while true {
            let workers = available
            if !workers.isEmpty { return workers }
            if ContinuousClock.now >= deadline {
                throw QueryError(
                    .noWorkers, "no worker is available",
                    hint: "Start one with: martlet worker --join HOST:PORT (the coordinator's gRPC address).")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Calls `listener` when a worker goes, until `removeListener`.
    package func addListener(_ listener: @escaping @Sendable (WorkerNotice) -> Void) -> Int {
        state.withLock { state in
            state.nextListener += 1
            state.listeners[state.nextListener] = listener
            return state.nextListener
        }
    }
    package func removeListener(_ id: Int) { state.withLock { $0.listeners[id] = nil } }

    private func notify(_ notice: WorkerNotice) {
        let listeners = state.withLock { state in state.listeners.sorted { $0.key < $1.key }.map(\.value) }
        for listener in listeners { listener(notice) }
    }

    // MARK: - Sessions

    package func session(
        incoming: AsyncThrowingStream<WorkerMessage, any Error>,
        send: @escaping @Sendable (CoordinatorMessage) async throws -> Void
    ) async {
        let (closing, close) = AsyncStream<Never>.makeStream()
        let id = state.withLock { state -> SessionID in
            let id = SessionID(state.nextSession)
            state.nextSession += 1
            state.sessions[id] = Session(send: send, close: { close.finish() })
            return id
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    for try await message in incoming { await self.receive(message, session: id) }
                } catch {
                    self.logger.info("worker session ended", metadata: ["session": "\(id)", "error": "\(error)"])
                }
            }
            group.addTask { for await _ in closing {} }
            await group.next()
            group.cancelAll()
        }
        _ = state.withLock { $0.sessions.removeValue(forKey: id) }
        await feed(.streamClosed(id))
    }

    private func receive(_ message: WorkerMessage, session: SessionID) async {
        switch message {
        case .register(let description): await feed(.register(session, description))
        case .heartbeat(let sequence, let load): await feed(.heartbeat(session, sequence: sequence, load))
        case .drain(let within):
            guard let worker = state.withLock({ $0.membership.worker(of: session) }) else { return }
            await feed(.drain(worker, within: within))
        case .goodbye: await feed(.goodbye(session))
        }
    }

    /// Asks a worker to leave when its tasks have ended.
    package func drain(_ worker: WorkerID, within: Duration? = nil) async { await feed(.drain(worker, within: within)) }

    /// A task could not fetch output from a worker: evidence against it.
    package func reportFailedFetch(reporter: WorkerID, worker: WorkerID) async {
        await feed(.fetchFailed(reporter: reporter, worker: worker))
    }

    /// A worker did not answer, or failed without a cause in the statement.
    package func reportStrike(_ worker: WorkerID) async { await feed(.strike(worker)) }

    private func feed(_ event: MembershipEvent) async {
        let directives = state.withLock { $0.membership.handle(event, now: now) }
        for directive in directives { await carryOut(directive) }
    }

    private func carryOut(_ directive: MembershipDirective) async {
        switch directive {
        case .accept(let session, let registration): await send(.registered(registration), to: session)
        case .refuse(let session, let refusal):
            await send(.refused(refusal), to: session)
            closeSession(session)
        case .acknowledge(let session, let acknowledgement): await send(.acknowledged(acknowledgement), to: session)
        case .closeSession(let session): closeSession(session)
        case .probe(let worker, let incarnation, let address): probe(worker, incarnation, address)
        case .stateChanged(let transition): await apply(transition)
        case .blame(let worker, let crash):
            logger.error("a query crashed the worker", metadata: ["worker": "\(worker)", "query": "\(crash.query)"])
            notify(.blames(worker, crash.incarnation, QueryID(crash.query)))
        case .evacuate(let worker, _):
            logger.warning("the worker's drain ends soon", metadata: ["worker": "\(worker)"])
            notify(.leaves(worker))
        }
    }

    private func send(_ message: CoordinatorMessage, to session: SessionID) async {
        guard let send = state.withLock({ $0.sessions[session]?.send }) else { return }
        do {
            try await send(message)
        } catch {
            logger.info("cannot answer a worker", metadata: ["session": "\(session)", "error": "\(error)"])
            closeSession(session)
        }
    }

    private func closeSession(_ session: SessionID) { state.withLock { $0.sessions[session]?.close }?() }

    private func probe(_ worker: WorkerID, _ incarnation: Incarnation, _ address: String) {
        Task {
            var isAlive = false
            if let connection = state.withLock({ $0.connections[worker]?.connection }) {
                isAlive = await withDeadline(.seconds(1)) { try await connection.ping() }
            }
            await feed(.probed(worker, incarnation, alive: isAlive))
        }
    }

    private func apply(_ transition: WorkerTransition) async {
        logger.info(
            "worker changed state",
            metadata: [
                "worker": "\(transition.worker)", "from": "\(transition.from?.rawValue ?? "-")",
                "to": "\(transition.to.rawValue)", "cause": "\(transition.cause.rawValue)",
            ])
        state.withLock { state in
            if transition.to == .lost { state.lostCount += 1 }
            if transition.from == .suspect, transition.to == .active { state.falseSuspectCount += 1 }
        }
        switch transition.to {
        case .joining:
            await connect(transition.worker)
            notify(.returned(transition.worker))
        case .active:
            if state.withLock({ $0.connections[transition.worker] == nil }) { await connect(transition.worker) }
        case .lost: await disconnect(transition.worker, .lost(transition.worker))
        case .drained where transition.cause == .goodbye:
            // The last states of its tasks are still on their way.
            let handle = state.withLock { $0.connections[transition.worker] }
            Task {
                try? await Task.sleep(for: .milliseconds(500))
                let isSame = self.state.withLock { $0.connections[transition.worker] }?.incarnation
                guard handle == nil || isSame == handle?.incarnation else { return }
                await self.disconnect(transition.worker, .left(transition.worker))
            }
        case .drained: await disconnect(transition.worker, .lost(transition.worker))
        case .suspect, .draining, .quarantined, .probation: break
        }
    }

    private func connect(_ worker: WorkerID) async {
        guard let transport, let record = state.withLock({ $0.membership.worker(worker) }),
            let control = Endpoint(record.description.controlAddress),
            let (exchangeTransport, exchange) = Endpoint.withTransport(record.description.exchangeAddress)
        else {
            logger.error("the worker gave addresses that cannot be read", metadata: ["worker": "\(worker)"])
            return
        }
        do {
            let connection = try await transport.connect(toWorker: control)
            let handle = WorkerHandle(
                id: worker, incarnation: record.incarnation, exchange: exchange, exchangeTransport: exchangeTransport,
                connection: connection)
            let old = state.withLock { $0.connections.updateValue(handle, forKey: worker) }
            await old?.connection.close()
        } catch {
            logger.error("cannot connect to the worker", metadata: ["worker": "\(worker)", "error": "\(error)"])
        }
    }

    private func disconnect(_ worker: WorkerID, _ notice: WorkerNotice) async {
        let handle = state.withLock { $0.connections.removeValue(forKey: worker) }
        notify(notice)
        await handle?.connection.close()
    }

    // MARK: - Time

    /// Runs until cancelled: feeds time into membership.
    package func run() async {
        while !Task.isCancelled {
            let deadline = state.withLock { $0.membership.nextDeadline }
            let wait =
                deadline.map { max(.milliseconds(5), min(.milliseconds(250), $0.since(now))) } ?? .milliseconds(250)
            do { try await Task.sleep(for: wait) } catch { return }
            await feed(.tick)
        }
    }

    /// Closes every session and connection.
    package func shutdown() async {
        let (sessions, handles) = state.withLock { state in
            state.isShutDown = true
            defer { state.connections = [:] }
            return (Array(state.sessions.values), Array(state.connections.values))
        }
        for session in sessions { session.close() }
        for handle in handles { await handle.connection.close() }
    }
}

/// Whether `operation` succeeds within `duration`.
private func withDeadline(_ duration: Duration, _ operation: @escaping @Sendable () async throws -> Void) async -> Bool
{
    await withTaskGroup(of: Bool.self) { group in
        group.addTask {
            do {
                try await operation()
                return true
            } catch { return false }
        }
        group.addTask {
            try? await Task.sleep(for: duration)
            return false
        }
        let first = await group.next() ?? false
        group.cancelAll()
        return first
    }
}

extension Endpoint {
    /// Reads `TRANSPORT://HOST:PORT`, the form of exchange addresses.
    package static func withTransport(_ text: String) -> (transport: String, endpoint: Endpoint)? {
        guard let range = text.firstRange(of: "://"), let endpoint = Endpoint(String(text[range.upperBound...])) else {
            return nil
        }
        return (String(text[..<range.lowerBound]), endpoint)
    }
}
