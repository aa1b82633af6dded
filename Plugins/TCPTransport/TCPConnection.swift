// The reader's side of a connection: many channels to one node, opened as they are asked for.

import Columnar
import ConnectionSecurity
import Diagnostics
import NIOCore
import NIOPosix
import Synchronization
import Transport
import WireCodec

/// A connection that is dialled when it is made. One that breaks while channels are open is dialled again, and the channels go
/// on where they were; a peer that refuses, is not back in time, or never answers, is lost. After that the connection stays failed: the
/// transport makes another one.
final class TCPConnection: Sendable {
    private struct Reading {
        var channel: ExchangeChannel
        var receiver: ChannelReceiver
        /// Closed while there was no connection over which to say so.
        var isClosed = false
    }
    private struct State {
        /// Stands, and the peer was told of all channels.
        var channel: (any Channel)?
        /// What is to be sent once the peer was told of all channels; `nil` unless that is being done.
        var backlog: [ByteBuffer]?
        /// Counts the connections made: what comes from an earlier one does not count any more.
        var dial = 0
        /// Whether the peer has ever answered.
        var hasGreeted = false
        /// Until when a connection that has broken may stand again.
        var resumeUntil: NIODeadline?
        var redialCount = 0
        var failure: QueryError?
        var nextKey: UInt32 = 1
        var readings: [UInt32: Reading] = [:]
    }

    /// How often a connection is dialled again that has broken before the peer's first answer.
    private static let greetingRedialMax = 3

    let endpoint: Endpoint
    private let options: TCPOptions
    private let group: any EventLoopGroup
    private let state = Mutex(State())

    init(to endpoint: Endpoint, options: TCPOptions, group: any EventLoopGroup) {
        self.endpoint = endpoint
        self.options = options
        self.group = group
        dial(0)
    }

    private func dial(_ number: Int) {
        ClientBootstrap(group: group)
            .connectTimeout(options.connectDeadline)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.recvAllocator, value: TCPExchange.receiveAllocator)
            .channelInitializer { [options] channel in
                channel.eventLoop.makeCompletedFuture {
                    if let security = options.security {
                        try channel.pipeline.syncOperations.addHandler(try security.makeClientHandler())
                    }
                    try channel.pipeline.syncOperations.addHandlers(
                        FlushGatherer(), TCPReadingHandler(connection: self, dial: number, options: options))
                }
            }
            .connect(host: endpoint.host, port: endpoint.port)
            .whenComplete { result in
                switch result {
                case .success(let channel): self.connected(channel, number)
                case .failure(let error): self.notConnected(error, number)
                }
            }
    }

    var isFailed: Bool { state.withLock { $0.failure != nil } }

    /// Opens the reading end of a channel; nil when the connection has failed already.
    func open(_ channel: ExchangeChannel, _ fund: (any CreditFund)?) -> ChannelReceiver? {
        let key: UInt32? = state.withLock { state in
            if state.failure != nil { return nil }
            defer { state.nextKey += 1 }
            return state.nextKey
        }
        guard let key else { return nil }
        let receiver = ChannelReceiver(
            window: options.creditByteCount, fund: fund,
            grant: { [weak self] _, limit in
                var writer = ByteWriter()
                writer.int(limit)
                self?.send(.credit, channel: key, body: writer.bytes)
            },
            whenClosed: { [weak self] in self?.closed(key) })
        if receiver.failure != nil { return receiver }
        let reading = Reading(channel: channel, receiver: receiver)
        // In one step: either the peer is told now, or with all other channels once the connection stands.
        let (standing, buffer, failure) = state.withLock { state -> ((any Channel)?, ByteBuffer, QueryError?) in
            var buffer = ByteBuffer()
            if let failure = state.failure { return (nil, buffer, failure) }
            state.readings[key] = reading
            write(open: reading, key, state.dial, to: &buffer)
            state.backlog?.append(buffer)
            return (state.channel, buffer, nil)
        }
        if let failure { receiver.failed(failure) }
        standing?.writeAndFlush(buffer, promise: nil)
        return receiver
    }

    private func closed(_ key: UInt32) {
        let isTold = state.withLock { state in
            if state.channel != nil || state.backlog != nil {
                state.readings[key] = nil
                return true
            }
            state.readings[key]?.isClosed = true
            return false
        }
        if isTold { send(.close, channel: key, body: []) }
    }

    /// Ends the connection; every open channel fails with `error`. A peer that is told need not wait for its reader.
    func fail(_ error: QueryError, tellsPeer: Bool = false) {
        let (channel, readings) = state.withLock { state in
            let taken = (state.channel, state.readings)
            if state.failure == nil { state.failure = error }
            state.channel = nil
            state.backlog = nil
            state.readings = [:]
            state.dial += 1
            return taken
        }
        let keys = readings.keys.sorted()
        if let channel, !tellsPeer { channel.close(promise: nil) }
        if let channel, tellsPeer {
            var buffer = channel.allocator.buffer(capacity: TCPEnvelope.byteCount * keys.count)
            for key in keys { TCPEnvelope.write(.close, channel: key, to: &buffer) }
            channel.writeAndFlush(buffer).whenComplete { _ in channel.close(promise: nil) }
        }
        for key in keys { readings[key]?.receiver.failed(error) }
    }

    /// The connection with this number has broken: its channels go on over another one, if there can be one.
    fileprivate func broken(_ detail: String, _ dial: Int) {
        enum Next { case nothing, redial(number: Int, after: TimeAmount), giveUp }
        let now = NIODeadline.now()
        let next = state.withLock { state -> Next in
            guard state.failure == nil, state.dial == dial else { return .nothing }
            state.channel = nil
            state.backlog = nil
            state.dial += 1
            guard !state.readings.isEmpty else { return .giveUp }
            if state.resumeUntil == nil {
                state.resumeUntil = now + options.resumeLimit
                state.redialCount = 0
            }
            state.redialCount += 1
            // A peer that has never answered may speak something else, or be behind a door that is closed to this node.
            guard state.hasGreeted || state.redialCount <= Self.greetingRedialMax else { return .giveUp }
            guard let until = state.resumeUntil, now < until else { return .giveUp }
            // At once the first time, then ever more slowly.
            let pause = state.redialCount == 1 ? 0 : min(500, 10 << min(state.redialCount, 6))
            return .redial(number: state.dial, after: .milliseconds(Int64(pause)))
        }
        switch next {
        case .nothing: break
        case .giveUp: fail(lost(detail))
        case .redial(let number, let pause):
            group.next().scheduleTask(in: pause) { self.dial(number) }
        }
    }

    private func lost(_ detail: String) -> QueryError {
        QueryError(
            .exchangeFailed, "lost the connection to \(endpoint)", detail: detail, object: endpoint.description)
    }

    fileprivate func isCurrent(_ dial: Int) -> Bool { state.withLock { $0.dial == dial && $0.failure == nil } }

    private func notConnected(_ error: any Error, _ number: Int) {
        let isFirst = state.withLock { !$0.hasGreeted }
        guard isFirst || Self.isRefused(error) else { return broken(String(describing: error), number) }
        // Nobody listens there: the peer's process is gone.
        guard isCurrent(number) else { return }
        fail(
            QueryError(
                .exchangeFailed, "could not connect to \(endpoint)", detail: String(describing: error),
                object: endpoint.description))
    }

    private static func isRefused(_ error: any Error) -> Bool {
        guard let error = error as? NIOConnectionError, !error.connectionErrors.isEmpty else { return false }
        return error.connectionErrors.allSatisfy { ($0.error as? IOError)?.errnoCode == ECONNREFUSED }
    }

    private func connected(_ channel: any Channel, _ number: Int) {
        // The greeting comes first, then all channels; only then do others write to the connection themselves.
        var next = state.withLock { state -> ByteBuffer? in
            guard state.failure == nil, state.dial == number else { return nil }
            var writer = ByteWriter()
            writer.unsigned(TCPEnvelope.version)
            var buffer = ByteBuffer()
            TCPEnvelope.write(.hello, body: writer.bytes, to: &buffer)
            for key in state.readings.keys.sorted() {
                guard let reading = state.readings[key] else { continue }
                write(open: reading, key, number, to: &buffer)
                if reading.isClosed {
                    TCPEnvelope.write(.close, channel: key, to: &buffer)
                    state.readings[key] = nil
                }
            }
            state.backlog = []
            return buffer
        }
        while let buffer = next {
            channel.writeAndFlush(buffer, promise: nil)
            let (more, stands) = state.withLock { state -> (ByteBuffer?, Bool) in
                guard state.dial == number, var backlog = state.backlog else { return (nil, false) }
                if backlog.isEmpty {
                    state.backlog = nil
                    state.channel = channel
                    return (nil, true)
                }
                var joined = backlog.removeFirst()
                for var other in backlog { joined.writeBuffer(&other) }
                state.backlog = []
                return (joined, true)
            }
            if !stands { channel.close(promise: nil) }
            next = more
        }
        if !isCurrent(number) { channel.close(promise: nil) }
    }

    /// Body: attempt, partition, window, frames that have come, byte up to which the channel may go, number of the connection.
    private func write(open reading: Reading, _ key: UInt32, _ dial: Int, to buffer: inout ByteBuffer) {
        let resumption = reading.receiver.resumption ?? (0, reading.receiver.window)
        var writer = ByteWriter()
        writer.attempt(reading.channel.producer)
        writer.int(reading.channel.partition)
        writer.int(reading.receiver.window)
        writer.int(resumption.frameCount)
        writer.int(resumption.limit)
        writer.int(dial)
        TCPEnvelope.write(.open, channel: key, body: writer.bytes, to: &buffer)
    }

    /// Sends over the connection that stands. Without one nothing is lost: opening the channels again says it all.
    private func send(_ kind: TCPEnvelope.Kind, channel key: UInt32, body: [UInt8]) {
        var buffer = ByteBufferAllocator().buffer(capacity: TCPEnvelope.byteCount + body.count)
        TCPEnvelope.write(kind, channel: key, body: body, to: &buffer)
        let channel: (any Channel)? = state.withLock { state in
            state.backlog?.append(buffer)
            return state.channel
        }
        channel?.writeAndFlush(buffer, promise: nil)
    }

    // MARK: The handler

    fileprivate func handle(_ message: TCPMessageAssembler.Message, _ dial: Int) throws(QueryError) {
        guard isCurrent(dial) else { return }
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
            state.withLock { state in
                state.hasGreeted = true
                state.resumeUntil = nil
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
    private func receiver(_ key: UInt32) -> ChannelReceiver? { state.withLock { $0.readings[key]?.receiver } }

    /// The channel has ended. The producer keeps it until it knows that this was heard.
    private func take(_ key: UInt32) -> ChannelReceiver? {
        let reading = state.withLock { $0.readings.removeValue(forKey: key) }
        if reading != nil { send(.close, channel: key, body: []) }
        return reading?.receiver
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
    private let dial: Int
    private let options: TCPOptions
    private var assembler = TCPMessageAssembler()
    private var lastRead = NIODeadline.now()
    private var lastPing = NIODeadline.now()
    private var pings: RepeatedTask?

    init(connection: TCPConnection, dial: Int, options: TCPOptions) {
        self.connection = connection
        self.dial = dial
        self.options = options
    }

    func channelActive(context: ChannelHandlerContext) {
        lastRead = .now()
        lastPing = lastRead
        let channel = context.channel
        pings = context.eventLoop.scheduleRepeatedTask(initialDelay: options.pingInterval, delay: options.pingInterval)
        {
            [weak self] _ in self?.ping(channel)
        }
        context.fireChannelActive()
    }

    private func ping(_ channel: any Channel) {
        let now = NIODeadline.now()
        defer { lastPing = now }
        // A process that stood still itself has not listened either: what has come meanwhile is read first.
        if now - lastPing > options.pingInterval + options.pingInterval {
            lastRead = max(lastRead, now - options.pingInterval)
        }
        if now - lastRead > options.silenceLimit {
            // Whoever is silent over this connection is so over another one.
            guard connection.isCurrent(dial) else { return channel.close(promise: nil) }
            connection.fail(
                QueryError(
                    .exchangeFailed, "lost the connection to \(connection.endpoint)",
                    detail: "No sign of life for \(options.silenceLimit.nanoseconds / 1_000_000) ms.",
                    object: connection.endpoint.description))
            return
        }
        var buffer = channel.allocator.buffer(capacity: TCPEnvelope.byteCount)
        TCPEnvelope.write(.ping, to: &buffer)
        channel.writeAndFlush(buffer, promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastRead = .now()
        guard assembler.take(unwrapInboundIn(data)) else { return }
        do {
            while let message = try assembler.next() { try connection.handle(message, dial) }
        } catch {
            guard connection.isCurrent(dial) else { return context.close(promise: nil) }
            connection.fail(QueryError.wrapping(error))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        pings?.cancel()
        pings = nil
        connection.broken("The peer has closed it.", dial)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        connection.broken(String(describing: error), dial)
        context.close(promise: nil)
    }
}
