// Control between nodes of one process: the worker's service is called directly; a session is two streams.

import Diagnostics
import Synchronization
import Transport

/// The control transport "inprocess".
package final class InProcessControl: ControlTransport {
    private let network: InProcessNetwork
    private struct State {
        var coordinators: [(endpoint: Endpoint, served: InProcessNetwork.ServedCoordinator)] = []
        var workers: [(endpoint: Endpoint, served: InProcessNetwork.ServedWorker)] = []
    }
    private let state = Mutex(State())
    /// Sessions that this node has opened.
    private let sessions = TaskRegistry()

    package init(network: InProcessNetwork = .shared) { self.network = network }

    package func serveCoordinator(_ service: any WorkerSessionService, on endpoint: Endpoint) async throws -> Endpoint {
        let served = InProcessNetwork.ServedCoordinator(service)
        let resolved = try network.add(served, at: endpoint)
        state.withLock { $0.coordinators.append((resolved, served)) }
        return resolved
    }

    package func serveWorker(_ service: any WorkerService, on endpoint: Endpoint) async throws -> Endpoint {
        let served = InProcessNetwork.ServedWorker(service)
        let resolved = try network.add(served, at: endpoint)
        state.withLock { $0.workers.append((resolved, served)) }
        return resolved
    }

    package func connect(toWorker endpoint: Endpoint) async throws -> any WorkerConnection {
        guard let served = network.worker(at: endpoint) else { throw Self.unreachable(endpoint) }
        return InProcessWorkerConnection(served: served, endpoint: endpoint)
    }

    package func openSession(
        withCoordinator endpoint: Endpoint, outgoing: AsyncStream<WorkerMessage>,
        receive: @escaping @Sendable (CoordinatorMessage) async -> Void
    ) async throws {
        guard let served = network.coordinator(at: endpoint) else { throw Self.unreachable(endpoint) }
        let (incoming, continuation) = AsyncThrowingStream<WorkerMessage, any Error>.makeStream()
        let lost = QueryError(.connectionFailure, "the coordinator at \(endpoint) has left")
        let session = Task {
            // The session ends when the coordinator's side has returned; the pump then has nobody to write to.
            let pump = Task {
                for await message in outgoing { continuation.yield(message) }
                continuation.finish()
            }
            await served.service.session(incoming: incoming) { message in
                if Task.isCancelled { throw lost }
                await receive(message)
            }
            continuation.finish()
            pump.cancel()
        }
        let stop: @Sendable () -> Void = {
            continuation.finish(throwing: lost)
            session.cancel()
        }
        guard let coordinatorKey = served.tasks.add(stop) else {
            stop()
            throw lost
        }
        let ownKey = sessions.add(stop)
        if ownKey == nil { stop() }
        await withTaskCancellationHandler {
            await session.value
        } onCancel: {
            stop()
        }
        served.tasks.remove(coordinatorKey)
        if let ownKey { sessions.remove(ownKey) }
        if served.tasks.isClosed { throw lost }
    }

    package func shutdown() async {
        let all = state.withLock { state in
            let all = state
            state = State()
            return all
        }
        for (endpoint, served) in all.coordinators {
            network.removeCoordinator(at: endpoint)
            served.tasks.close()
        }
        for (endpoint, served) in all.workers {
            network.removeWorker(at: endpoint)
            served.tasks.close()
        }
        sessions.close()
    }

    private static func unreachable(_ endpoint: Endpoint) -> QueryError {
        QueryError(
            .connectionFailure, "could not connect to \(endpoint)", detail: "No node of this process serves there.",
            object: endpoint.description)
    }
}

/// The coordinator's way to a worker of the same process.
final class InProcessWorkerConnection: WorkerConnection {
    private let served: InProcessNetwork.ServedWorker
    private let endpoint: Endpoint
    private let calls = TaskRegistry()

    init(served: InProcessNetwork.ServedWorker, endpoint: Endpoint) {
        self.served = served
        self.endpoint = endpoint
    }

    private var lost: QueryError {
        QueryError(.workerLost, "the worker at \(endpoint) has left", object: endpoint.description)
    }

    private func checkOpen() throws {
        if served.tasks.isClosed || calls.isClosed { throw lost }
    }

    func startTask(_ attempt: TaskAttemptID, descriptor: [UInt8]) async throws {
        try checkOpen()
        try await served.service.startTask(attempt, descriptor: descriptor)
    }

    func cancelTasks(_ attempts: [TaskAttemptID]) async throws {
        try checkOpen()
        await served.service.cancelTasks(attempts)
    }

    func addSplits(_ grant: SplitGrant) async throws {
        try checkOpen()
        try await served.service.addSplits(grant)
    }

    func taskStatuses(query: QueryID) -> AsyncThrowingStream<TaskStatus, any Error> {
        let (statuses, continuation) = AsyncThrowingStream<TaskStatus, any Error>.makeStream()
        let lost = lost
        let pump = Task { [served] in
            do {
                for try await status in served.service.taskStatuses(query: query) { continuation.yield(status) }
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
        let stop: @Sendable () -> Void = {
            continuation.finish(throwing: lost)
            pump.cancel()
        }
        let served = served
        let calls = calls
        let servedKey = served.tasks.add(stop)
        let ownKey = calls.add(stop)
        if servedKey == nil || ownKey == nil { stop() }
        continuation.onTermination = { _ in
            if let servedKey { served.tasks.remove(servedKey) }
            if let ownKey { calls.remove(ownKey) }
            pump.cancel()
        }
        return statuses
    }

    func ping() async throws { try checkOpen() }

    func close() async { calls.close() }
}
