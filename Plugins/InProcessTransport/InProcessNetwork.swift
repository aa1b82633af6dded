// The endpoints of one process: who serves output, tasks and sessions where.

import Diagnostics
import Synchronization
import Transport

/// A network of its own, without sockets. Endpoints are labels; port 0 asks for a free number.
package final class InProcessNetwork: Sendable {
    /// The network of nodes that are configured without another.
    package static let shared = InProcessNetwork()

    /// One served output, with the readers that hold streams of it.
    final class ServedExchange: Sendable {
        let source: any ExchangeSource
        let readers = Mutex(ReaderTable())
        init(_ source: any ExchangeSource) { self.source = source }

        struct ReaderTable {
            var isClosed = false
            var nextKey = 0
            var readers: [Int: InProcessReader] = [:]
        }
    }

    final class ServedWorker: Sendable {
        let service: any WorkerService
        let tasks = TaskRegistry()
        init(_ service: any WorkerService) { self.service = service }
    }

    final class ServedCoordinator: Sendable {
        let service: any WorkerSessionService
        let tasks = TaskRegistry()
        init(_ service: any WorkerSessionService) { self.service = service }
    }

    private struct State {
        var nextPort = 1
        var exchanges: [Endpoint: ServedExchange] = [:]
        var workers: [Endpoint: ServedWorker] = [:]
        var coordinators: [Endpoint: ServedCoordinator] = [:]
    }
    private let state = Mutex(State())

    package init() {}

    private func resolve(_ endpoint: Endpoint, in state: inout State) -> Endpoint {
        if endpoint.port != 0 { return endpoint }
        var resolved = endpoint
        resolved.port = state.nextPort
        state.nextPort += 1
        return resolved
    }

    private func inUse(_ endpoint: Endpoint) -> QueryError {
        QueryError(.ioError, "endpoint \(endpoint) is in use")
    }

    func add(_ served: ServedExchange, at endpoint: Endpoint) throws -> Endpoint {
        try state.withLock { state in
            let resolved = resolve(endpoint, in: &state)
            guard state.exchanges[resolved] == nil else { throw inUse(resolved) }
            state.exchanges[resolved] = served
            return resolved
        }
    }

    func add(_ served: ServedWorker, at endpoint: Endpoint) throws -> Endpoint {
        try state.withLock { state in
            let resolved = resolve(endpoint, in: &state)
            guard state.workers[resolved] == nil else { throw inUse(resolved) }
            state.workers[resolved] = served
            return resolved
        }
    }

    func add(_ served: ServedCoordinator, at endpoint: Endpoint) throws -> Endpoint {
        try state.withLock { state in
            let resolved = resolve(endpoint, in: &state)
            guard state.coordinators[resolved] == nil else { throw inUse(resolved) }
            state.coordinators[resolved] = served
            return resolved
        }
    }

    func exchange(at endpoint: Endpoint) -> ServedExchange? { state.withLock { $0.exchanges[endpoint] } }
    func worker(at endpoint: Endpoint) -> ServedWorker? { state.withLock { $0.workers[endpoint] } }
    func coordinator(at endpoint: Endpoint) -> ServedCoordinator? { state.withLock { $0.coordinators[endpoint] } }

    func removeExchange(at endpoint: Endpoint) { _ = state.withLock { $0.exchanges.removeValue(forKey: endpoint) } }
    func removeWorker(at endpoint: Endpoint) { _ = state.withLock { $0.workers.removeValue(forKey: endpoint) } }
    func removeCoordinator(at endpoint: Endpoint) {
        _ = state.withLock { $0.coordinators.removeValue(forKey: endpoint) }
    }
}

/// What runs on behalf of a served endpoint and must be stopped with it.
final class TaskRegistry: Sendable {
    private struct State {
        var isClosed = false
        var nextKey = 0
        var cancellations: [Int: @Sendable () -> Void] = [:]
    }
    private let state = Mutex(State())

    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Runs `cancel` when the registry closes; nil when it is closed already.
    func add(_ cancel: @escaping @Sendable () -> Void) -> Int? {
        state.withLock { state in
            if state.isClosed { return nil }
            state.nextKey += 1
            state.cancellations[state.nextKey] = cancel
            return state.nextKey
        }
    }

    func remove(_ key: Int) { state.withLock { $0.cancellations[key] = nil } }

    func close() {
        let pending = state.withLock { state in
            state.isClosed = true
            let all = state.cancellations
            state.cancellations = [:]
            return all
        }
        for key in pending.keys.sorted() { pending[key]?() }
    }
}
