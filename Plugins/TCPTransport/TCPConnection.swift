// The reader's side of a connection: many channels to one node, opened as they are asked for.

import Columnar
import Diagnostics
import NIOCore
import NIOPosix
import Synchronization
import Transport
import WireCodec

/// A connection that is dialled when it is made. After a failure it stays failed: the transport makes another one.
final class TCPConnection: Sendable {
    private struct State {
        var channel: (any Channel)?
        var failure: QueryError?
        var nextKey: UInt32 = 1
        var receivers: [UInt32: ChannelReceiver] = [:]
        /// Messages written before the connection stands.
        var backlog: [ByteBuffer] = []
    }

    let endpoint: Endpoint
    private let options: TCPOptions
    private let state = Mutex(State())

    init(to endpoint: Endpoint, options: TCPOptions, group: any EventLoopGroup) {
        self.endpoint = endpoint
        self.options = options
        ClientBootstrap(group: group)
            .connectTimeout(options.connectDeadline)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.recvAllocator, value: TCPExchange.receiveAllocator)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        TCPReadingHandler(connection: self, options: options))
                }
            }
            .connect(host: endpoint.host, port: endpoint.port)
            .whenComplete { result in
                switch result {
                case .success(let channel): self.connected(channel)
                case .failure(let error):
                    self.fail(
                        QueryError(
                            .exchangeFailed, "could not connect to \(endpoint)", detail: String(describing: error),
                            object: endpoint.description))
                }
            }
    }

    var isFailed: Bool { state.withLock { $0.failure != nil } }

    /// Opens the reading end of a channel; nil when the connection has failed already.
    func open(_ channel: ExchangeChannel) -> ChannelReceiver? {
        let key: UInt32? = state.withLock { state in
            if state.failure != nil { return nil }
            defer { state.nextKey += 1 }
            return state.nextKey
        }
        guard let key else { return nil }
        let receiver = ChannelReceiver(
            window: options.creditByteCount,
            grant: { [weak self] byteCount in
                var writer = ByteWriter()
                writer.int(byteCount)
                self?.send(.credit, channel: key, body: writer.bytes)
            },
            whenClosed: { [weak self] in
                guard let self else { return }
                _ = self.state.withLock { $0.receivers.removeValue(forKey: key) }
                self.send(.close, channel: key, body: [])
            })
        let failure = state.withLock { state in
            if state.failure == nil { state.receivers[key] = receiver }
            return state.failure
        }
        if let failure {
            receiver.failed(failure)
            return receiver
        }
        var writer = ByteWriter()
        writer.attempt(channel.producer)
        writer.int(channel.partition)
        writer.int(options.creditByteCount)
        send(.open, channel: key, body: writer.bytes)
        return receiver
    }

    /// Ends the connection; every open channel fails with `error`.
    func fail(_ error: QueryError) {
        let (channel, receivers) = state.withLock { state in
            let taken = (state.channel, state.receivers)
            if state.failure == nil { state.failure = error }
            state.channel = nil
            state.receivers = [:]
            state.backlog = []
            return taken
        }
        channel?.close(promise: nil)
        for key in receivers.keys.sorted() { receivers[key]?.failed(error) }
    }

    func lost(_ detail: String) -> QueryError {
        QueryError(
            .exchangeFailed, "lost the connection to \(endpoint)", detail: detail, object: endpoint.description)
    }

    private func connected(_ channel: any Channel) {
        let backlog: [ByteBuffer]? = state.withLock { state in
            if state.failure != nil { return nil }
            let backlog = state.backlog
            state.backlog = []
            return backlog
        }
        guard let backlog else {
            channel.close(promise: nil)
            return
        }
        // The greeting comes first, then what has been waiting; only then do others write to the channel themselves.
        var writer = ByteWriter()
        writer.unsigned(TCPEnvelope.version)
        var greeting = channel.allocator.buffer(capacity: 64)
        TCPEnvelope.write(.hello, body: writer.bytes, to: &greeting)
        channel.write(greeting, promise: nil)
        for buffer in backlog { channel.write(buffer, promise: nil) }
        let isFailed = state.withLock { state in
            for buffer in state.backlog { channel.write(buffer, promise: nil) }
            state.backlog = []
            if state.failure == nil { state.channel = channel }
            return state.failure != nil
        }
        if isFailed { channel.close(promise: nil) } else { channel.flush() }
    }

    private func send(_ kind: TCPEnvelope.Kind, channel key: UInt32, body: [UInt8]) {
        var buffer = ByteBufferAllocator().buffer(capacity: TCPEnvelope.byteCount + body.count)
        TCPEnvelope.write(kind, channel: key, body: body, to: &buffer)
        let channel: (any Channel)? = state.withLock { state in
            if state.channel == nil, state.failure == nil { state.backlog.append(buffer) }
            return state.channel
        }
        channel?.writeAndFlush(buffer, promise: nil)
    }

    // MARK: The handler

    fileprivate func handle(_ message: TCPMessageAssembler.Message) throws(QueryError) {
        var reader = message.reader(exceptFor: .frame)
        switch message.kind {
        case .hello:
            let version = try reader.unsigned()
            guard version == TCPEnvelope.version else {
                throw QueryError(
                    .versionMismatch,
                    "the node at \(endpoint) speaks version \(version) of the exchange protocol, this one version \(TCPEnvelope.version)"
                )
            }
        case .frame:
            receiver(message.channel)?.received(message.body, byteCount: message.bodyByteCount)
        case .end:
            let frames = try reader.position()
            let rows = try reader.position()
            take(message.channel)?.ended(frames: frames, rows: rows)
        case .fault:
            take(message.channel)?.failed(
                ErrorCodec.decode(Array(UnsafeRawBufferPointer(start: message.body.base, count: message.bodyByteCount)))
            )
        case .pong:
            break
        case .open, .credit, .close, .ping:
            throw QueryError(.exchangeFailed, "the node at \(endpoint) has sent a reader's message")
        }
    }

    /// Late messages of closed channels find no receiver, which is no error.
    private func receiver(_ key: UInt32) -> ChannelReceiver? { state.withLock { $0.receivers[key] } }
    private func take(_ key: UInt32) -> ChannelReceiver? {
        state.withLock { $0.receivers.removeValue(forKey: key) }
    }
}

extension TCPMessageAssembler.Message {
    /// A reader over the body; over nothing when the kind is `kind`, whose body is not read this way.
    fileprivate func reader(exceptFor kind: TCPEnvelope.Kind) -> ByteReader {
        self.kind == kind ? ByteReader([]) : reader()
    }
}

/// Feeds a connection and watches that it is alive. Confined to its event loop, hence unchecked.
private final class TCPReadingHandler: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let connection: TCPConnection
    private let options: TCPOptions
    private var assembler = TCPMessageAssembler()
    private var lastRead = NIODeadline.now()
    private var pings: RepeatedTask?

    init(connection: TCPConnection, options: TCPOptions) {
        self.connection = connection
        self.options = options
    }

    func channelActive(context: ChannelHandlerContext) {
        lastRead = .now()
        let channel = context.channel
        pings = context.eventLoop.scheduleRepeatedTask(initialDelay: options.pingInterval, delay: options.pingInterval)
        {
            [weak self] _ in self?.ping(channel)
        }
        context.fireChannelActive()
    }

    private func ping(_ channel: any Channel) {
        if NIODeadline.now() - lastRead > options.silenceLimit {
            connection.fail(connection.lost("No sign of life for \(options.silenceLimit.nanoseconds / 1_000_000) ms."))
            return
        }
        var buffer = channel.allocator.buffer(capacity: TCPEnvelope.byteCount)
        TCPEnvelope.write(.ping, to: &buffer)
        channel.writeAndFlush(buffer, promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastRead = .now()
        var buffer = unwrapInboundIn(data)
        do {
            while let message = try assembler.next(&buffer) { try connection.handle(message) }
        } catch {
            connection.fail(QueryError.wrapping(error))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        pings?.cancel()
        pings = nil
        connection.fail(connection.lost("The peer has closed it."))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        connection.fail(connection.lost(String(describing: error)))
    }
}
