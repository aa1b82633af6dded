// Servers and clients of gRPC, set up for streams that live as long as a node.

import Diagnostics
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import NIOCore
import Synchronization
import Transport

typealias GRPCNodeClient = GRPCClient<HTTP2ClientTransport.Posix>

/// A server that runs until it is stopped.
final class GRPCNodeServer: Sendable {
    let endpoint: Endpoint
    private let serving: Task<Void, Never>
    private let beginShutdown: @Sendable () -> Void

    /// Starts serving; returns once the port is bound. `loop`: what the services' code runs on; `nil`: any thread.
    static func start(
        on endpoint: Endpoint, services: [any RegistrableRPCService], options: GRPCOptions,
        security: GRPCPortSecurity, loop: ControlLoop? = nil
    ) async throws -> GRPCNodeServer {
        var config = HTTP2ServerTransport.Posix.Config.defaults
        config.http2.targetWindowSize = options.windowByteCount
        config.http2.maxFrameSize = 1 << 20
        config.rpc.maxRequestPayloadSize = options.messageByteLimit
        config.connection.maxIdleTime = nil
        config.connection.keepalive = .init(
            time: options.keepAliveInterval, timeout: options.keepAliveTimeout,
            clientBehavior: .init(minPingIntervalWithoutCalls: options.keepAliveInterval / 2, allowWithoutCalls: true))
        let answersPings = options.answersPings
        config.channelDebuggingCallbacks.onAcceptTCPConnection = { channel in
            channel.eventLoop.makeCompletedFuture {
                if answersPings {
                    try channel.pipeline.syncOperations.addHandler(PingAnswerer(), position: .first)
                }
                // In front of everything: the others see what was encrypted.
                try security.prepare(channel)
            }
        }
        let address = try await GRPCAddress.resolve(endpoint)
        let transport = HTTP2ServerTransport.Posix(
            address: address, transportSecurity: .plaintext, config: config,
            eventLoopGroup: loop?.group ?? .singletonMultiThreadedEventLoopGroup)
        let server = GRPCServer(transport: transport, services: services)
        let failure = Mutex<(any Error)?>(nil)
        let serving = Task {
            do {
                // Inherited by all tasks within.
                try await withTaskExecutorPreference(loop) { try await server.serve() }
            } catch {
                failure.withLock { $0 = error }
            }
        }
        do {
            let bound = try await transport.listeningAddress
            let port = bound.ipv4?.port ?? bound.ipv6?.port ?? endpoint.port
            return GRPCNodeServer(
                endpoint: Endpoint(host: endpoint.host, port: port), serving: serving,
                beginShutdown: { server.beginGracefulShutdown() })
        } catch {
            serving.cancel()
            let cause = failure.withLock { $0 } ?? error
            throw QueryError(
                .ioError, "could not listen on \(endpoint)", detail: String(describing: cause),
                object: endpoint.description)
        }
    }

    private init(
        endpoint: Endpoint, serving: Task<Void, Never>, beginShutdown: @escaping @Sendable () -> Void
    ) {
        self.endpoint = endpoint
        self.serving = serving
        self.beginShutdown = beginShutdown
    }

    /// Ends all calls and stops listening. Peers are first told to open no more streams and get a moment to hear it: a
    /// stream that reaches a server whose tasks are cancelled has nobody to take it, which HTTP/2's channels do not bear.
    func stop() async {
        beginShutdown()
        let deadline = Task { [serving] in
            try? await Task.sleep(for: .milliseconds(300))
            serving.cancel()
        }
        await serving.value
        deadline.cancel()
    }
}

enum GRPCAddress {
    /// The address to bind; names are looked up.
    static func resolve(_ endpoint: Endpoint) async throws -> GRPCNIOTransportHTTP2Posix.SocketAddress {
        if endpoint.host.contains(":") { return .ipv6(host: endpoint.host, port: endpoint.port) }
        if isIPv4(endpoint.host) { return .ipv4(host: endpoint.host, port: endpoint.port) }
        switch endpoint.host {
        case "localhost": return .ipv4(host: "127.0.0.1", port: endpoint.port)
        default:
            throw QueryError(
                .configurationFileError, "\"\(endpoint.host)\" is not an address to listen on",
                hint: "Give an IP address, or 0.0.0.0 for all.")
        }
    }

    static func isIPv4(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }

    static func client(_ endpoint: Endpoint, options: GRPCOptions, loop: ControlLoop?) throws -> GRPCNodeClient {
        var config = HTTP2ClientTransport.Posix.Config.defaults
        config.http2.targetWindowSize = options.windowByteCount
        config.http2.maxFrameSize = 1 << 20
        config.connection.maxIdleTime = nil
        config.connection.keepalive = .init(
            time: options.keepAliveInterval, timeout: options.keepAliveTimeout, allowWithoutCalls: true)
        config.backoff.initial = .milliseconds(200)
        config.backoff.max = .seconds(5)
        if let security = options.security {
            config.channelDebuggingCallbacks.onCreateTCPConnection = { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        try security.makeClientHandler(), position: .first)
                }
            }
        }
        let target: any ResolvableTarget =
            if endpoint.host.contains(":") {
                .ipv6(address: endpoint.host, port: endpoint.port)
            } else if isIPv4(endpoint.host) {
                .ipv4(address: endpoint.host, port: endpoint.port)
            } else {
                .dns(host: endpoint.host, port: endpoint.port)
            }
        return GRPCClient(
            transport: try HTTP2ClientTransport.Posix(
                target: target, transportSecurity: .plaintext, config: config,
                eventLoopGroup: loop?.group ?? .singletonMultiThreadedEventLoopGroup))
    }
}

/// A client with the task that runs its connections.
final class GRPCNodeConnection: Sendable {
    let endpoint: Endpoint
    let client: GRPCNodeClient
    private let running: Task<Void, Never>

    /// `loop`: what runs the connections; `nil`: any thread.
    init(to endpoint: Endpoint, options: GRPCOptions, loop: ControlLoop? = nil) throws {
        self.endpoint = endpoint
        let client = try GRPCAddress.client(endpoint, options: options, loop: loop)
        self.client = client
        running = Task {
            // It ends when it is cancelled; calls report their failures themselves.
            try? await withTaskExecutorPreference(loop) { try await client.runConnections() }
        }
    }

    /// Ends all calls.
    func close() { running.cancel() }

    deinit { running.cancel() }
}

extension CallOptions {
    /// A call that fails at once when the peer cannot be reached.
    static func failingFast(timeout: Duration? = nil) -> CallOptions {
        var options = CallOptions.defaults
        options.waitForReady = false
        options.timeout = timeout
        return options
    }
}
