// Listens for PostgreSQL clients, and knows which connection runs which session.

import Columnar
import ConnectionSecurity
import Coordination
import Diagnostics
import Frontends
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Transport

/// What a client shows to cancel a query of another connection.
struct ConnectionKey: Hashable, Sendable {
    var process: Int32
    var secret: Int32
}

package struct PostgresServerOptions: Sendable {
    package var connectionCountMax: Int
    package var messageByteCountMax: Int
    package var authenticator: any Authenticator = OpenAuthenticator()
    /// Time for a client to begin its session.
    package var authenticationLimit = Duration.seconds(60)
    /// `nil`: no TLS.
    package var encryption: ServerSecurity?
    package var requiresEncryption = false
    package init(connectionCountMax: Int = 500, messageByteCountMax: Int = 64 << 20) {
        self.connectionCountMax = connectionCountMax
        self.messageByteCountMax = messageByteCountMax
    }
}

package final class PostgresServer: Sendable {
    private struct State {
        var sessions: [ConnectionKey: Session] = [:]
        var channels: [Int32: any Channel] = [:]
        var listener: (any Channel)?
        var isShutDown = false
    }

    let engine: QueryEngine
    var authenticator: any Authenticator { options.authenticator }
    var requiresEncryption: Bool { options.requiresEncryption }
    private let options: PostgresServerOptions
    private let logger: Logger
    private let connectionLimit: Atomic<Int>
    private let state = Mutex(State())

    private init(engine: QueryEngine, options: PostgresServerOptions, logger: Logger) {
        self.engine = engine
        self.options = options
        self.logger = logger
        connectionLimit = Atomic(options.connectionCountMax)
    }

    /// Another limit for connections that come from now on.
    package func change(connectionCountMax: Int) { connectionLimit.store(connectionCountMax, ordering: .relaxed) }

    /// Listens. Port 0 is any free one; the endpoint says which.
    package static func start(
        engine: QueryEngine, on endpoint: Endpoint, options: PostgresServerOptions, group: any EventLoopGroup,
        logger: Logger
    ) async throws -> (server: PostgresServer, endpoint: Endpoint) {
        let server = PostgresServer(engine: engine, options: options, logger: logger)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(ChannelOptions.backlog, value: 256)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try server.accept(channel) }
            }
        let listener: any Channel
        do { listener = try await bootstrap.bind(host: endpoint.host, port: endpoint.port).get() } catch {
            throw QueryError(
                .connectionFailure, "could not listen for PostgreSQL clients on \(endpoint): \(error)", cause: error)
        }
        server.state.withLock { $0.listener = listener }
        return (server, Endpoint(host: endpoint.host, port: listener.localAddress?.port ?? endpoint.port))
    }

    package var connectionCount: Int { state.withLock { $0.channels.count } }

    /// Takes no more clients and closes the connections.
    package func shutdown() async {
        let (listener, channels) = state.withLock { state in
            state.isShutDown = true
            return (state.listener, Array(state.channels.values))
        }
        try? await listener?.close()
        for channel in channels { try? await channel.close() }
    }

    // MARK: - Sessions

    func addSession(_ session: Session, _ key: ConnectionKey) { state.withLock { $0.sessions[key] = session } }
    func removeSession(_ key: ConnectionKey) { state.withLock { _ = $0.sessions.removeValue(forKey: key) } }
    func cancel(_ key: ConnectionKey) { state.withLock { $0.sessions[key] }?.cancelCurrent() }

    // MARK: - Connections

    /// Sets up a new connection; runs on its event loop.
    private func accept(_ channel: any Channel) throws {
        // What the client is told as its process is what `pg_backend_pid()` gives.
        let number = Session.nextNumber()
        let process = Int32(truncatingIfNeeded: number)
        let (count, isShutDown) = state.withLock { state in
            state.channels[process] = channel
            return (state.channels.count, state.isShutDown)
        }
        let key = ConnectionKey(process: process, secret: Int32.random(in: .min ... .max))
        channel.closeFuture.whenComplete { [self] _ in
            state.withLock { state in
                _ = state.channels.removeValue(forKey: process)
                return state.sessions[key]
            }?.cancelCurrent()
        }
        let encryption = EncryptionState()
        if let tls = options.encryption {
            try channel.pipeline.syncOperations.addHandler(EncryptionGate(encryption: tls, state: encryption))
        }
        // A client that has no session by then goes, so that nobody holds a connection without a name.
        let hurry = channel.eventLoop.scheduleTask(
            in: .nanoseconds(options.authenticationLimit.wholeNanoseconds)
        ) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in hurry.cancel() }
        // Elements are what was read at once, some ten thousand bytes each.
        let wrapped = try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
            wrappingChannelSynchronously: channel,
            configuration: .init(backPressureStrategy: .init(lowWatermark: 2, highWatermark: 16)))
        let isRefused = isShutDown || count > connectionLimit.load(ordering: .relaxed)
        Task(executorPreference: EventLoopTaskExecutor(channel.eventLoop)) {
            await self.serve(wrapped, key, number, isRefused: isRefused, encryption, onSession: { hurry.cancel() })
        }
    }

    private func serve(
        _ channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>, _ key: ConnectionKey, _ number: UInt64, isRefused: Bool,
        _ encryption: EncryptionState, onSession: @Sendable () -> Void
    ) async {
        do {
            try await channel.executeThenClose { inbound, outbound in
                let messages = MessageSource(inbound, messageByteCountMax: options.messageByteCountMax)
                let presence = ConnectionPresence(channel.channel)
                let connection = PostgresConnection(
                    server: self, key: key, number: number,
                    output: ChannelOutput(channel: channel.channel, writer: outbound),
                    isEncrypted: { encryption.isEncrypted }, onTermination: { presence.endSession() },
                    nextMessage: {
                        try presence.pause()
                        let message = try await messages.next()
                        return presence.begin() ? message : nil
                    })
                defer { connection.end() }
                do {
                    while let message = try await messages.next() {
                        guard presence.begin() else { return }
                        if isRefused, case .startup = message {
                            await connection.abort(QueryError(.tooManyConnections, "sorry, too many clients already"))
                            return
                        }
                        guard try await connection.handle(message) else { return }
                        if !messages.isTrusted, connection.hasSession {
                            messages.trust()
                            onSession()
                        }
                        messages.encoding = connection.encoding
                        try presence.pause()
                    }
                } catch let error as QueryError {
                    await connection.abort(error)
                }
            }
        } catch {
            logger.debug("connection ended", metadata: ["error": "\(error)"])
        }
    }
}

/// Whether a connection handles a message or awaits one, and whether its session was ended: then either the message's answer
/// says so, or whoever ended it.
private final class ConnectionPresence: Sendable {
    /// A statement that cannot be stopped, or a client that takes nothing, has so long.
    private static let graceSeconds: Int64 = 5
    private struct State {
        var isBusy = false
        var isEnded = false
    }
    private let state = Mutex(State())
    private let channel: any Channel

    init(_ channel: any Channel) { self.channel = channel }

    /// A message begins; false if the client was told that it is of no use.
    func begin() -> Bool {
        state.withLock { state in
            state.isBusy = !state.isEnded
            return state.isBusy
        }
    }

    /// A message was handled. 57P01 if the session was ended meanwhile.
    func pause() throws {
        let isEnded = state.withLock { state in
            state.isBusy = false
            return state.isEnded
        }
        if isEnded { throw Session.terminatedError }
    }

    func endSession() {
        let isBusy = state.withLock { state in
            state.isEnded = true
            return state.isBusy
        }
        guard !isBusy else {
            channel.eventLoop.scheduleTask(in: .seconds(Self.graceSeconds)) { [channel] in channel.close(promise: nil) }
            return
        }
        var writer = BackendWriter()
        writer.error(Session.terminatedError, severity: "FATAL")
        channel.writeAndFlush(ByteBuffer(bytes: writer.take())).whenComplete { [channel] _ in
            channel.close(promise: nil)
        }
    }
}

/// The client's messages, one after the other. Confined to the connection's task.
private final class MessageSource {
    private var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private var framing: MessageFraming
    /// Bytes that came and make no message yet.
    private var bytes = ByteBuffer()

    init(_ stream: NIOAsyncChannelInboundStream<ByteBuffer>, messageByteCountMax: Int) {
        iterator = stream.makeAsyncIterator()
        framing = MessageFraming(messageByteCountMax: messageByteCountMax)
    }

    /// What the client has text in from the next message on; `nil`: UTF-8.
    var encoding: ClientEncoding? {
        get { framing.encoding }
        set { framing.encoding = newValue }
    }
    var isTrusted: Bool { framing.isTrusted }
    /// From now on messages may have their full length.
    func trust() { framing.isTrusted = true }

    /// `nil` at the end of the connection; what is left of a message then is of no use.
    func next() async throws -> FrontendMessage? {
        while true {
            if let message = try framing.next(&bytes) { return message }
            guard var more = try await iterator.next() else { return nil }
            if bytes.readableBytes == 0 {
                bytes = more
            } else {
                bytes.discardReadBytes()
                bytes.writeBuffer(&more)
            }
        }
    }
}

/// Writes to a channel; an error means that the client is gone.
private struct ChannelOutput: ConnectionOutput {
    let channel: any Channel
    let writer: NIOAsyncChannelOutboundWriter<ByteBuffer>

    func write(_ bytes: [UInt8]) async throws {
        // While the client keeps up nothing waits in the writer, so this cannot overtake it. Elsewhere than on the loop the
        // channel would learn too late that it is full. A client that has gone shows when its next message is read.
        if channel.eventLoop.inEventLoop, channel.isWritable {
            return channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
        }
        do { try await writer.write(ByteBuffer(bytes: bytes)) } catch { throw ClientGone() }
    }
}
