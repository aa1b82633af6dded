// The shell around a worker's membership: it dials coordinators, sends heartbeats and carries out what the state machine
// says.

import ClusterMembership
import Diagnostics
import Logging
import Synchronization
import Transport

/// Keeps one worker registered with a coordinator until it is told to leave.
package final class WorkerSession: Sendable {
    private struct Link: Sendable {
        var send: AsyncStream<WorkerMessage>.Continuation
        var task: Task<Void, Never>
    }
    private struct State {
        var instance: WorkerSessionInstance
        var links: [SessionID: Link] = [:]
        var refusal: RegistrationRefusal?
        var isOver = false
        var lastFailure: String?
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let worker: Worker
    private let transport: any ControlTransport
    private let discovery: any CoordinatorDiscovery
    private let logger: Logger
    private let state: Mutex<State>
    private let start = ContinuousClock.now

    package init(
        worker: Worker, instance: WorkerSessionInstance, transport: any ControlTransport,
        discovery: any CoordinatorDiscovery, logger: Logger
    ) {
        self.worker = worker
        self.transport = transport
        self.discovery = discovery
        self.logger = logger
        state = Mutex(State(instance: instance))
    }

    private var now: MonotonicInstant {
        let elapsed = (ContinuousClock.now - start).components
        return MonotonicInstant(nanoseconds: elapsed.seconds * 1_000_000_000 + elapsed.attoseconds / 1_000_000_000)
    }

    /// Whether the coordinator has taken the worker in.
    package var holdsLease: Bool { state.withLock { $0.instance.holdsLease } }

    /// Runs until the worker has left. Throws when a coordinator refused it for good.
    package func run() async throws {
        feed(.start)
        while !Task.isCancelled {
            let (deadline, isOver, isDraining) = state.withLock {
                ($0.instance.nextDeadline, $0.isOver, $0.instance.isDraining)
            }
            if isOver { break }
            if isDraining && worker.isIdle { feed(.workFinished) }
            let wait =
                deadline.map { max(.milliseconds(2), min(.milliseconds(200), $0.since(now))) } ?? .milliseconds(200)
            do { try await Task.sleep(for: wait) } catch { break }
            feed(.tick)
        }
        closeAll()
        if let refusal = state.withLock({ $0.refusal }) {
            throw QueryError(.connectionFailure, "the coordinator refused the worker: \(refusal.message)")
        }
    }

    /// Asks to leave: tasks that run are finished first, as far as the time allows.
    package func drain(within: Duration? = nil) { feed(.drainRequested(within: within)) }

    private func feed(_ event: WorkerSessionEvent) {
        let directives = state.withLock { $0.instance.handle(event, now: now) }
        for directive in directives { carryOut(directive) }
    }

    private func carryOut(_ directive: WorkerSessionDirective) {
        switch directive {
        case .discover: discover()
        case .dial(let session, let address): dial(session, address)
        case .register(let session, let description): send(.register(description), session)
        case .heartbeat(let session, let sequence):
            send(.heartbeat(sequence: sequence, worker.load), session)
        case .announceDrain(let session, let within): send(.drain(within: within), session)
        case .goodbye(let session): send(.goodbye, session)
        case .close(let session): close(session)
        case .leaseGained:
            worker.resumeAccepting()
            logger.info("registered with the coordinator")
        case .leaseLost:
            worker.stopAccepting()
            logger.warning("the lease has ended: no coordinator answers")
        case .stopAccepting: worker.stopAccepting()
        case .abandonWork:
            worker.abandonAll(QueryError(.workerLost, "the worker lost its coordinator"))
        case .incarnationChanged(let incarnation):
            logger.info("new incarnation", metadata: ["incarnation": "\(incarnation)"])
        case .finished(let refusal):
            state.withLock { state in
                state.refusal = refusal
                state.isOver = true
            }
        }
    }

    private func discover() {
        Task { [discovery, logger] in
            do {
                self.feed(.discovered(try await discovery.coordinators()))
            } catch {
                logger.warning("coordinators cannot be found", metadata: ["error": "\(error)"])
            }
        }
    }

    private func dial(_ session: SessionID, _ address: String) {
        guard let endpoint = Endpoint(address) else {
            return feed(.dialFailed(session, message: "the address \"\(address)\" cannot be read"))
        }
        let (stream, continuation) = AsyncStream<WorkerMessage>.makeStream()
        let task = Task { [transport, logger] in
            do {
                try await transport.openSession(withCoordinator: endpoint, outgoing: stream) { [weak self] message in
                    self?.receive(message, session)
                }
            } catch {
                let text = "\(error)"
                // Once for each reason: a worker tries for as long as it lives.
                let isNew = self.state.withLock { state in
                    defer { state.lastFailure = text }
                    return state.lastFailure != text && !Task.isCancelled
                }
                logger.log(
                    level: isNew ? .warning : .debug, "session failed",
                    metadata: ["coordinator": "\(endpoint)", "error": "\(text)"])
            }
            self.feed(.closed(session))
            self.feed(.dialFailed(session, message: "the session ended"))
        }
        state.withLock { $0.links[session] = Link(send: continuation, task: task) }
        // What is sent before the stream is open waits in it; a refused connection ends the session.
        feed(.dialed(session))
    }

    private func receive(_ message: CoordinatorMessage, _ session: SessionID) {
        switch message {
        case .registered(let registration): feed(.registered(session, registration))
        case .refused(let refusal): feed(.refused(session, refusal))
        case .acknowledged(let acknowledgement): feed(.acknowledged(session, acknowledgement))
        }
    }

    private func send(_ message: WorkerMessage, _ session: SessionID) {
        _ = state.withLock { $0.links[session]?.send }?.yield(message)
    }

    private func close(_ session: SessionID) {
        guard let link = state.withLock({ $0.links.removeValue(forKey: session) }) else { return }
        link.send.finish()
        // The stream's end tells the peer; a connection that hangs is cut.
        Task {
            try? await Task.sleep(for: .milliseconds(500))
            link.task.cancel()
        }
    }

    private func closeAll() {
        for session in state.withLock({ Array($0.links.keys) }) { close(session) }
    }
}
