// HTTPFrontend serves HTTP/1.1: statements and their rows, what the cluster does, live events, and the dashboard.
//
//   HTTPServer   the listener and what its connections share
//   Connection/  requests and responses of one connection, limits, compression, origins
//   Routing/     the table of routes, and its description as OpenAPI
//   Routes/      what is answered
//   Events/      live events over WebSocket
//   JSON/        documents in and out
//   Dashboard/   the web page, in TypeScript; `make dashboard` bundles it

import ConnectionSecurity
import Coordination
import Diagnostics
import Frontends
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import Synchronization
import Transport

package struct HTTPServerOptions: Sendable {
    package var limits = HTTPLimits()
    /// Origins of web pages, besides the server's own, that may speak to it.
    package var origins: [String] = []
    /// Where the dashboard's files are; `nil`: near the program.
    package var dashboardDirectory: String?
    package var authenticator: any Authenticator = OpenAuthenticator()
    /// `nil`: no TLS. With it a client may still come in plain unless it is required.
    package var encryption: ServerSecurity?
    package var requiresEncryption = false
    /// What other parts of the program count.
    package var counters: [MetricCounter] = []
    package init() {}
}

package final class HTTPServer: Sendable {
    private enum Negotiated: Sendable {
        case http(NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>)
        case viewer(ViewerConnection.Channel)
    }
    private struct State {
        var listener: (any Channel)?
        var connections: [ObjectIdentifier: Task<Void, Never>] = [:]
        var background: [Task<Void, Never>] = []
        var isShutDown = false
    }

    private let limits: HTTPLimits
    private let origins: OriginPolicy
    private let identification: ClientIdentification
    private let encryption: ServerSecurity?
    private let requiresEncryption: Bool
    private let hub: EventHub
    private let jobs: QueryJobs
    private let connection: HTTPConnection
    private let count: ConnectionCount
    private let state = Mutex(State())
    private let logger: Logger
    private let lag: EventLoopLag

    private init(
        engine: QueryEngine, host: String, options: HTTPServerOptions, logger: Logger,
        connectionCount: @escaping @Sendable () -> Int
    ) {
        self.logger = logger
        limits = options.limits
        origins = OriginPolicy(host: host, allowed: options.origins)
        let hub = EventHub(engine: engine, limits: options.limits, connectionCount: connectionCount)
        let jobs = QueryJobs(engine: engine)
        let count = ConnectionCount()
        self.hub = hub
        self.jobs = jobs
        self.count = count
        let lag = EventLoopLag()
        self.lag = lag
        var metrics = MetricsText(
            engine: engine, connectionCount: connectionCount, httpConnectionCount: { count.value },
            viewerCount: { hub.viewerCount }, counters: options.counters)
        metrics.eventLoopLag = { lag.highest }
        let identification = ClientIdentification(authenticator: options.authenticator)
        self.identification = identification
        encryption = options.encryption
        requiresEncryption = options.requiresEncryption
        let router = APIRoutes(engine: engine, jobs: jobs, metrics: metrics).router(
            files: DashboardFiles(directory: options.dashboardDirectory))
        connection = HTTPConnection(
            router: router, origins: origins, identification: identification,
            requiresEncryption: options.requiresEncryption, limits: options.limits, logger: logger)
    }

    /// Listens. Port 0 is any free one; the endpoint says which. `connectionCount` gives the PostgreSQL clients that are
    /// connected now.
    package static func start(
        engine: QueryEngine, on endpoint: Endpoint, options: HTTPServerOptions = HTTPServerOptions(),
        group: any EventLoopGroup, logger: Logger, connectionCount: @escaping @Sendable () -> Int = { 0 }
    ) async throws -> (server: HTTPServer, endpoint: Endpoint) {
        let server = HTTPServer(
            engine: engine, host: endpoint.host, options: options, logger: logger, connectionCount: connectionCount)
        server.lag.start(on: group)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(ChannelOptions.backlog, value: 256)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try server.accept(channel) }
            }
        let channel: any Channel
        do { channel = try await bootstrap.bind(host: endpoint.host, port: endpoint.port).get() } catch {
            throw QueryError(
                .connectionFailure, "could not listen for HTTP clients on \(endpoint): \(error)", cause: error)
        }
        server.state.withLock { state in
            state.listener = channel
            state.background = [Task { await server.jobs.run() }, Task { await engine.monitor.run() }]
        }
        return (server, Endpoint(host: endpoint.host, port: channel.localAddress?.port ?? endpoint.port))
    }

    package func shutdown() async {
        let (listener, tasks) = state.withLock { state in
            state.isShutDown = true
            return (state.listener, state.background + Array(state.connections.values))
        }
        try? await listener?.close()
        lag.stop()
        hub.shutdown()
        jobs.shutdown()
        for task in tasks { task.cancel() }
    }

    // MARK: - Connections

    /// On the connection's event loop: HTTP, or a WebSocket for the one path that has one.
    private func accept(_ channel: any Channel) throws {
        guard count.enter(limits.connectionCountMax) else {
            channel.close(promise: nil)
            return
        }
        channel.closeFuture.whenComplete { [count] _ in count.leave() }
        // Until the first request's head is there nothing else looks at the time.
        let hurry = channel.eventLoop.scheduleTask(in: limits.idle) { channel.close(promise: nil) }
        let upgrader = NIOTypedWebSocketServerUpgrader<Negotiated>(
            maxFrameSize: ViewerConnection.frameByteCountMax,
            // The filter has let through only what is to be upgraded.
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(HTTPHeaders()) },
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    .viewer(try ViewerConnection.Channel(wrappingChannelSynchronously: channel))
                }
            })
        let negotiated = try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
            configuration: .init(
                upgradeConfiguration: NIOTypedHTTPServerUpgradeConfiguration(
                    upgraders: [upgrader],
                    notUpgradingCompletionHandler: { [limits] channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHandler(ConnectionGuard(limits: limits))
                            return .http(
                                try NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>(
                                    wrappingChannelSynchronously: channel))
                        }
                    })))
        let handlers = channel.pipeline.syncOperations
        let upgrading = try handlers.handler(type: NIOTypedHTTPServerUpgradeHandler<Negotiated>.self)
        try handlers.addHandler(ParserErrorCloser(), position: .before(upgrading))
        let facts = ConnectionFacts()
        try handlers.addHandler(
            UpgradeFilter(
                origins: origins, identification: identification, requiresEncryption: requiresEncryption, facts: facts),
            position: .before(upgrading))
        if let encryption {
            // Clients in plain get on so far as to be told why they get no further.
            try handlers.addHandler(
                SecurityGate(
                    allowsPlain: true, onOutcome: { facts.isEncrypted = $0 == .encrypted },
                    makeHandler: { encryption.makeHandler() }), position: .first)
        }
        negotiated.whenComplete { result in
            hurry.cancel()
            switch result {
            case .success(let connection): self.serve(connection, channel, facts)
            case .failure: channel.close(promise: nil)
            }
        }
    }

    private func serve(_ negotiated: Negotiated, _ channel: any Channel, _ facts: ConnectionFacts) {
        let task = Task {
            switch negotiated {
            case .http(let channel): await connection.run(channel, facts)
            case .viewer(let channel):
                do { try await ViewerConnection(hub: hub, scope: facts.scope, user: facts.user).run(channel) } catch {
                    logger.debug("a viewer of events has gone", metadata: ["error": "\(error)"])
                }
            }
        }
        let key = ObjectIdentifier(channel)
        let isShutDown = state.withLock { state in
            state.connections[key] = task
            return state.isShutDown
        }
        if isShutDown { task.cancel() }
        // A client that goes while its query runs ends the query.
        channel.closeFuture.whenComplete { _ in
            task.cancel()
            _ = self.state.withLock { $0.connections.removeValue(forKey: key) }
        }
    }
}

/// Thread-safe.
private final class ConnectionCount: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .relaxed) }

    /// `false`: there are so many already. Then `leave` is not to be called.
    func enter(_ limit: Int) -> Bool {
        if count.wrappingAdd(1, ordering: .relaxed).newValue <= limit { return true }
        leave()
        return false
    }

    func leave() { count.wrappingSubtract(1, ordering: .relaxed) }
}
