// The pool's shell: a lock around the state machine, a clock, and threads that open and close connections.

import Diagnostics
import Dispatch
import Synchronization

/// The connections to one database from this process.
package final class ConnectionPool: Sendable {
    private struct State {
        var instance: PoolInstance
        var connections: [ConnectionID: PostgresConnection] = [:]
        var requests: [RequestID: Request] = [:]
        var lastRequest = 0
        var isTicking = false
    }
    /// A thread that waits. The result is written once, before the signal.
    private final class Request: Sendable {
        let signal = DispatchSemaphore(value: 0)
        let result = Mutex<Result<PostgresConnection, QueryError>?>(nil)

        func resolve(_ value: Result<PostgresConnection, QueryError>) {
            result.withLock { $0 = value }
            signal.signal()
        }
    }

    private let options: PostgresOptions
    private let state: Mutex<State>
    private let start = ContinuousClock.now
    /// Threads for everything that waits for the server and must not keep a cooperative one.
    private let threads = DispatchQueue(label: "postgres", attributes: .concurrent)
    private static let tickMilliseconds = 250

    init(_ options: PostgresOptions) {
        self.options = options
        state = Mutex(State(instance: PoolInstance(options.pool)))
        if options.pool.minimum > 0 { feed(.tick) }
    }

    package var counters: PoolInstance.Counters { state.withLock { $0.instance.counters } }
    package var connectionCount: Int { state.withLock { $0.instance.connectionCount } }
    package var lentCount: Int { state.withLock { $0.instance.lentCount } }

    package func close() { feed(.closed) }

    private var now: Int {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
    }

    // MARK: Borrowing

    /// A connection for the caller alone, to be given back by `release`. Keeps the thread waiting.
    /// Errors: 53300 if all stay in use, 08001 and others if none can be opened, and the end of the statement.
    func acquire(_ purpose: PoolInstance.Purpose = .work) throws -> PostgresConnection {
        let request = Request()
        let id = state.withLock { state in
            state.lastRequest += 1
            let id = RequestID(number: state.lastRequest)
            state.requests[id] = request
            return id
        }
        feed(.requested(id, purpose))
        let interruption = Interruption.current
        if request.signal.wait(timeout: .now() + .milliseconds(1)) != .success {
            Interruption.whileBlocked {
                while request.signal.wait(timeout: .now() + .milliseconds(20)) != .success {
                    guard interruption?.isRequested == true else { continue }
                    feed(.withdrawn(id))
                    let isLate = state.withLock { $0.requests.removeValue(forKey: id) == nil }
                    // It came just now.
                    if isLate { request.signal.wait() }
                    return
                }
            }
        }
        switch request.result.withLock({ $0 }) {
        case .success(let connection):
            if interruption?.isRequested == true {
                release(connection)
                try interruption?.check()
            }
            return connection
        case .failure(let error): throw error
        case nil:
            try interruption?.check()
            throw QueryError(.queryCanceled, "canceling statement due to user request")
        }
    }

    /// Takes a connection back; one that is in the middle of something is closed.
    func release(_ connection: PostgresConnection) {
        feed(.returned(connection.id, isUsable: connection.isAtRest))
    }

    /// Ends what the connection was in the middle of, on another thread.
    func releaseLater(_ connection: PostgresConnection) {
        threads.async { [self] in
            connection.rollBack()
            release(connection)
        }
    }

    /// Runs blocking work on a thread of its own.
    func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        let interruption = Interruption.current
        return try await withCheckedThrowingContinuation { continuation in
            threads.async {
                continuation.resume(
                    with: Result { try Interruption.$current.withValue(interruption) { try body() } })
            }
        }
    }

    /// Work with a connection from a task.
    func withConnection<Value: Sendable>(_ body: @escaping @Sendable (PostgresConnection) throws -> Value) async throws
        -> Value
    {
        try await onThread { [self] in
            let connection = try acquire()
            defer { release(connection) }
            return try body(connection)
        }
    }

    // MARK: The state machine

    private func feed(_ event: PoolInstance.Event) {
        var resolved: [(Request, Result<PostgresConnection, QueryError>)] = []
        var closed: [PostgresConnection] = []
        var checks: [(PostgresConnection, Bool)] = []
        var opens: [ConnectionID] = []
        let starts = state.withLock { state -> Bool in
            for directive in state.instance.handle(event, now: now) {
                switch directive {
                case .open(let id): opens.append(id)
                case .close(let id): if let known = state.connections.removeValue(forKey: id) { closed.append(known) }
                case .check(let id, let isDeep): if let known = state.connections[id] { checks.append((known, isDeep)) }
                case .lend(let id, let requestID):
                    guard let connection = state.connections[id],
                        let request = state.requests.removeValue(forKey: requestID)
                    else { continue }
                    resolved.append((request, .success(connection)))
                case .refuse(let requestID, let refusal):
                    guard let request = state.requests.removeValue(forKey: requestID) else { continue }
                    resolved.append((request, .failure(error(refusal))))
                }
            }
            let isBusy = state.instance.connectionCount > 0 || state.instance.waitingCount > 0
            let starts = isBusy && !state.isTicking
            if starts { state.isTicking = true }
            return starts
        }
        for (request, result) in resolved { request.resolve(result) }
        for id in opens { threads.async { [weak self] in self?.open(id) } }
        for connection in closed { threads.async { connection.finish() } }
        for (connection, isDeep) in checks {
            if isDeep {
                threads.async { [weak self] in
                    self?.feed(.checked(connection.id, isUsable: connection.answers()))
                }
            } else {
                feed(.checked(connection.id, isUsable: connection.isAlive))
            }
        }
        if starts { scheduleTick() }
    }

    private func open(_ id: ConnectionID) {
        do {
            let connection = try PostgresConnection(id: id, options)
            state.withLock { $0.connections[id] = connection }
            feed(.opened(id))
        } catch {
            feed(.openFailed(id, QueryError.wrapping(error)))
        }
    }

    private func scheduleTick() {
        threads.asyncAfter(deadline: .now() + .milliseconds(Self.tickMilliseconds)) { [weak self] in
            guard let self else { return }
            let goesOn = self.state.withLock { state in
                let isBusy = state.instance.connectionCount > 0 || state.instance.waitingCount > 0
                if !isBusy { state.isTicking = false }
                return isBusy
            }
            guard goesOn else { return }
            self.feed(.tick)
            self.scheduleTick()
        }
    }

    private func error(_ refusal: PoolRefusal) -> QueryError {
        switch refusal {
        case .closed: QueryError(.adminShutdown, "catalog \"\(options.name)\" is closed")
        case .timedOut(let maximum):
            QueryError(
                .tooManyConnections, "all \(maximum) connections of catalog \"\(options.name)\" stayed in use",
                hint: "Its keys pool-maximum and pool-wait-timeout say how many there are and how long a scan waits.")
        case .failed(let error): error
        }
    }
}
