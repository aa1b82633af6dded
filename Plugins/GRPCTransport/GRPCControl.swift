// The control transport: sessions of workers, and calls of coordinators.

import Diagnostics
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Synchronization
import Transport

/// The control transport "grpc".
package final class GRPCControl: ControlTransport {
    private struct State {
        var isClosed = false
        var servers: [GRPCNodeServer] = []
        var nextKey = 0
        /// Sessions that this node has opened.
        var sessions: [Int: GRPCNodeConnection] = [:]
    }

    private let options: GRPCOptions
    private let services: AddedServices
    private let state = Mutex(State())

    package init(options: GRPCOptions = GRPCOptions(), services: AddedServices = AddedServices()) {
        self.options = options
        self.services = services
    }

    package func serveCoordinator(_ service: any WorkerSessionService, on endpoint: Endpoint) async throws -> Endpoint {
        var options = self.options
        options.messageByteLimit = max(options.messageByteLimit, services.messageByteLimit)
        options.answersPings = !services.all.isEmpty
        return try await serve(
            [
                WorkerSessionServer(service: service, requiresNode: options.security != nil),
                HealthServer(services: [Martlet_V1_WorkerSession.descriptor.fullyQualifiedService]),
            ] + services.all, on: endpoint, options,
            .shared(options.security, services.security, allowsPlain: services.allowsPlain))
    }

    package func serveWorker(_ service: any WorkerService, on endpoint: Endpoint) async throws -> Endpoint {
        let loop = ControlLoop.next()
        return try await serve(
            [
                WorkerControlServer(service: service, loop: loop),
                HealthServer(services: [Martlet_V1_WorkerControl.descriptor.fullyQualifiedService]),
            ], on: endpoint, options, options.security.map { .nodes($0) } ?? .plain, loop: loop)
    }

    private func serve(
        _ services: [any RegistrableRPCService], on endpoint: Endpoint, _ options: GRPCOptions,
        _ security: GRPCPortSecurity, loop: ControlLoop? = nil
    ) async throws -> Endpoint {
        let server = try await GRPCNodeServer.start(
            on: endpoint, services: services, options: options, security: security, loop: loop)
        let isClosed = state.withLock { state in
            if !state.isClosed { state.servers.append(server) }
            return state.isClosed
        }
        if isClosed {
            await server.stop()
            throw QueryError(.cannotConnectNow, "this node is shutting down")
        }
        return server.endpoint
    }

    package func connect(toWorker endpoint: Endpoint) async throws -> any WorkerConnection {
        let loop = ControlLoop.next()
        let connection = GRPCWorkerConnection(
            try GRPCNodeConnection(to: endpoint, options: options, loop: loop), options: options, loop: loop)
        do {
            try await connection.ping()
        } catch {
            await connection.close()
            throw error
        }
        return connection
    }

    package func openSession(
        withCoordinator endpoint: Endpoint, outgoing: AsyncStream<WorkerMessage>,
        receive: @escaping @Sendable (CoordinatorMessage) async -> Void
    ) async throws {
        let connection = try GRPCNodeConnection(to: endpoint, options: options)
        let key: Int? = state.withLock { state in
            if state.isClosed { return nil }
            state.nextKey += 1
            state.sessions[state.nextKey] = connection
            return state.nextKey
        }
        guard let key else {
            connection.close()
            throw QueryError(.cannotConnectNow, "this node is shutting down")
        }
        defer {
            _ = state.withLock { $0.sessions.removeValue(forKey: key) }
            connection.close()
        }
        // A relay, because the messages go on when the stream that carries them has ended.
        let (relay, continuation) = AsyncStream<WorkerMessage>.makeStream()
        let pump = Task {
            for await message in outgoing { continuation.yield(message) }
            continuation.finish()
        }
        defer {
            continuation.finish()
            pump.cancel()
        }
        do {
            try await Martlet_V1_WorkerSession.Client(wrapping: connection.client).session(
                options: .failingFast(),
                requestProducer: { writer in
                    for await message in relay { try await writer.write(Martlet_V1_WorkerMessage(message)) }
                },
                onResponse: { response in
                    for try await message in response.messages {
                        if let value = message.value { await receive(value) }
                    }
                    continuation.finish()
                })
        } catch {
            throw GRPCErrors.queryError(error, peer: endpoint, lost: .connectionFailure)
        }
    }

    package func shutdown() async {
        let all = state.withLock { state in
            let all = state
            state = State(isClosed: true)
            return all
        }
        for key in all.sessions.keys.sorted() { all.sessions[key]?.close() }
        for server in all.servers { await server.stop() }
    }
}

/// The coordinator's way to one worker. All calls go over one stream, which is opened anew after it has failed.
final class GRPCWorkerConnection: WorkerConnection {
    /// A descriptor travels in pieces of this size.
    private static let chunkByteCount = 1 << 20

    private struct State {
        var link: GRPCWorkerLink?
        var isClosed = false
    }

    private let connection: GRPCNodeConnection
    private let options: GRPCOptions
    private let loop: ControlLoop
    private let state = Mutex(State())

    init(_ connection: GRPCNodeConnection, options: GRPCOptions, loop: ControlLoop) {
        self.connection = connection
        self.options = options
        self.loop = loop
    }

    var executor: (any TaskExecutor)? { loop }

    private func link() throws -> GRPCWorkerLink {
        try state.withLock { state in
            if state.isClosed { throw closed }
            if let link = state.link, !link.isFailed { return link }
            let link = GRPCWorkerLink(connection, callDeadline: options.callDeadline, loop: loop)
            state.link = link
            link.start()
            return link
        }
    }

    private var closed: QueryError {
        QueryError(.workerLost, "the connection to \(connection.endpoint) is closed")
    }

    func startTask(_ attempt: TaskAttemptID, descriptor: [UInt8]) async throws {
        try await startTasks([(attempt, descriptor)])
    }

    func startTasks(_ tasks: [(attempt: TaskAttemptID, descriptor: [UInt8])]) async throws {
        guard !tasks.isEmpty else { return }
        var chunks: [Martlet_V1_StartTaskChunk] = []
        for (attempt, descriptor) in tasks {
            var start = 0
            repeat {
                let end = min(start + Self.chunkByteCount, descriptor.count)
                var chunk = Martlet_V1_StartTaskChunk()
                if start == 0 { chunk.attempt = Martlet_V1_TaskAttempt(attempt) }
                chunk.descriptor = Data(descriptor[start..<end])
                chunks.append(chunk)
                start = end
            } while start < descriptor.count
        }
        chunks[chunks.count - 1].isLast = true
        try await link().call(chunks.map { .start($0) })
    }

    func cancelTasks(_ attempts: [TaskAttemptID]) async throws {
        var cancel = Martlet_V1_CancelTasks()
        cancel.attempts = attempts.map { Martlet_V1_TaskAttempt($0) }
        try await link().call([.cancel(cancel)])
    }

    func addSplits(_ grant: SplitGrant) async throws {
        try await link().call([.addSplits(Martlet_V1_AddSplits(grant))])
    }

    func taskStatuses(query: QueryID) -> AsyncThrowingStream<TaskStatus, any Error> {
        do {
            return try link().watch(query)
        } catch {
            return AsyncThrowingStream { $0.finish(throwing: error) }
        }
    }

    func ping() async throws { try await link().call([.ping(Martlet_V1_Ping())]) }

    func close() async {
        let link = state.withLock { state in
            state.isClosed = true
            defer { state.link = nil }
            return state.link
        }
        link?.fail(closed)
        connection.close()
    }
}
