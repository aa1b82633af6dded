// The producer's side of a connection: opens streams of the node's output and pumps frames within credit.

import Columnar
import Diagnostics
import NIOCore
import Transport
import WireCodec

/// One accepted connection. Confined to its event loop, hence unchecked.
final class TCPServingHandler: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Bytes that one channel sends before the others get their turn.
    private static let turnByteCount = 1 << 20

    private final class Served {
        let channel: ExchangeChannel
        /// `nil` until another connection has given it up.
        var sender: ChannelSender?
        /// A pump is under way or waits in the loop's queue.
        var isScheduled = false
        /// Closed by its reader before the sender had come.
        var isClosed = false
        init(_ channel: ExchangeChannel) { self.channel = channel }
    }

    /// What a reader wants to go on with.
    private struct Opening {
        var window: Int
        var frameCount: Int
        var limit: Int
        /// Counts the reader's connections: of two that want a channel the later one is meant.
        var dial: Int
    }

    private let source: any ExchangeSource
    private let options: TCPOptions
    private let served: ServedChannels
    private let number: Int
    private var assembler = TCPMessageAssembler()
    private var channels: [UInt32: Served] = [:]
    /// Senders that another connection is about to ask for: it has claimed them before this one broke.
    private var orphans: [ExchangeChannel: ServedSender] = [:]
    /// Channels whose senders are on their way here from another connection, and who has asked for them since.
    private var awaited: [ExchangeChannel: ServedChannels.Taker?] = [:]
    /// Channels that wait for the socket.
    private var unwritten: [UInt32] = []
    private var hasGreeted = false
    /// Ends a connection that is not greeted, nor encrypted, in time.
    private var hurry: Scheduled<Void>?
    private var context: ChannelHandlerContext?

    init(source: any ExchangeSource, options: TCPOptions, served: ServedChannels) {
        self.source = source
        self.options = options
        self.served = served
        number = served.makeNumber()
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let channel = context.channel
        hurry = context.eventLoop.scheduleTask(in: options.greetingLimit) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        hurry?.cancel()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard assembler.take(unwrapInboundIn(data)) else { return }
        do {
            while let message = try assembler.next() { try handle(message, context) }
        } catch {
            context.close(promise: nil)
        }
    }

    /// The reader may come back over another connection: its channels wait for it a while.
    func channelInactive(context: ChannelHandlerContext) {
        let all = channels
        channels = [:]
        for key in all.keys.sorted() {
            guard let entry = all[key], let sender = entry.sender else { continue }
            leave(entry.channel, ServedSender(value: sender), context.eventLoop)
        }
        context.fireChannelInactive()
    }

    /// Leaves a sender to whoever has claimed it already, or will.
    private func leave(_ channel: ExchangeChannel, _ sender: ServedSender, _ loop: any EventLoop) {
        let ticket = served.makeNumber()
        if served.leave(channel, sender, of: number, ticket: ticket) {
            loop.scheduleTask(in: options.returnLimit) { [served] in served.expire(channel, ticket: ticket) }
        } else {
            orphans[channel] = sender
            loop.scheduleTask(in: options.returnLimit) { self.orphans.removeValue(forKey: channel)?.value.close() }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard context.channel.isWritable else { return }
        let waiting = unwritten
        unwritten = []
        for key in waiting { schedule(key) }
    }

    private func handle(_ message: TCPMessageAssembler.Message, _ context: ChannelHandlerContext) throws {
        var reader = message.reader()
        guard hasGreeted || message.kind == .hello else {
            throw QueryError(.protocolViolation, "a connection does not begin with a greeting")
        }
        switch message.kind {
        case .hello:
            hasGreeted = true
            hurry?.cancel()
            var writer = ByteWriter()
            writer.unsigned(TCPEnvelope.version)
            send(.hello, body: writer.bytes, context)
            if try reader.unsigned() != TCPEnvelope.version { context.close(promise: nil) }
        case .open:
            let channel = ExchangeChannel(producer: try reader.attempt(), partition: try reader.position())
            let opening = Opening(
                window: try reader.position(), frameCount: try reader.position(), limit: try reader.position(),
                dial: try reader.position())
            guard channels[message.channel] == nil else {
                throw QueryError(.protocolViolation, "a channel is opened twice")
            }
            open(message.channel, channel, opening, context)
        case .credit:
            guard let sender = channels[message.channel]?.sender else { return }
            sender.raise(to: try reader.position())
            schedule(message.channel)
        case .close:
            guard let entry = channels[message.channel] else { return }
            entry.isClosed = true
            guard let sender = entry.sender else { return }
            end(message.channel)
            sender.close()
        case .ping:
            send(.pong, body: [], context)
        case .pong, .frame, .end, .fault:
            throw QueryError(.protocolViolation, "a reader has sent a producer's message")
        }
    }

    // MARK: Opening

    private func open(_ key: UInt32, _ channel: ExchangeChannel, _ opening: Opening, _ context: ChannelHandlerContext) {
        let entry = Served(channel)
        channels[key] = entry
        let loop = context.eventLoop
        let surrender: ServedChannels.Surrender = { [weak self] channel, taker in
            loop.execute {
                if let self { self.surrender(channel, to: taker) } else { taker(nil) }
            }
        }
        switch served.claim(channel, for: number, dial: opening.dial, surrender) {
        case .outdated: channels[key] = nil
        case .new: begin(key, nil, opening)
        case .sender(let sender): begin(key, sender, opening)
        case .elsewhere(let other):
            awaited[channel] = .some(nil)
            other(channel) { sender in
                loop.execute {
                    if let taker = self.awaited.removeValue(forKey: channel) ?? nil { return taker(sender) }
                    if self.channels[key] != nil { return self.begin(key, sender, opening) }
                    // This connection has broken as well.
                    if let sender { self.leave(channel, sender, loop) }
                }
            }
        }
    }

    /// Another connection of the same reader has come for it.
    private func surrender(_ channel: ExchangeChannel, to taker: @escaping ServedChannels.Taker) {
        if let orphan = orphans.removeValue(forKey: channel) { return taker(orphan) }
        let key = channels.first { $0.value.channel == channel }?.key
        let sender = key.flatMap { channels.removeValue(forKey: $0)?.sender }
        if awaited.keys.contains(channel) { return awaited[channel] = .some(taker) }
        taker(sender.map { ServedSender(value: $0) })
    }

    private func begin(_ key: UInt32, _ known: ServedSender?, _ opening: Opening) {
        guard let entry = channels[key], let context else {
            known?.value.close()
            return
        }
        var found = known?.value
        if found == nil, opening.frameCount == 0 {
            found = ChannelSender(
                stream: source.openStream(entry.channel), credit: opening.window, isResumable: true,
                options: options.frames)
        }
        guard let sender = found, sender.resume(from: opening.frameCount, limit: opening.limit) else {
            found?.close()
            end(key)
            let error = QueryError(
                .exchangeFailed, "the rows that a reader has not got yet are not there any more",
                detail: "Its connection had broken for too long.")
            return send(.fault, channel: key, body: ErrorCodec.encode(error), context)
        }
        entry.sender = sender
        if entry.isClosed {
            end(key)
            sender.close()
        } else {
            schedule(key)
        }
    }

    private func end(_ key: UInt32) {
        guard let entry = channels.removeValue(forKey: key) else { return }
        served.forget(entry.channel, of: number)
    }

    // MARK: Sending

    private func send(_ kind: TCPEnvelope.Kind, channel: UInt32 = 0, body: [UInt8], _ context: ChannelHandlerContext) {
        var buffer = context.channel.allocator.buffer(capacity: TCPEnvelope.byteCount + body.count)
        TCPEnvelope.write(kind, channel: channel, body: body, to: &buffer)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    /// Pumps a channel soon; safe to call often.
    private func schedule(_ key: UInt32) {
        guard let served = channels[key], !served.isScheduled, let context else { return }
        served.isScheduled = true
        context.eventLoop.execute { self.pump(key) }
    }

    private func pump(_ key: UInt32) {
        guard let served = channels[key], let sender = served.sender, let context else { return }
        served.isScheduled = false
        let loop = context.eventLoop
        var sent = 0
        defer { if sent > 0 { context.flush() } }
        while true {
            guard context.channel.isWritable else {
                unwritten.append(key)
                return
            }
            if sent >= Self.turnByteCount {
                schedule(key)
                return
            }
            let step = sender.next { [weak self] in
                guard let self else { return }
                loop.execute { self.schedule(key) }
            }
            switch step {
            case .frame(let frame):
                options.tamper?(UnsafeMutableRawBufferPointer(start: frame.buffer.base, count: frame.byteCount))
                var buffer = context.channel.allocator.buffer(capacity: TCPEnvelope.byteCount + frame.byteCount)
                TCPEnvelope.write(frame: frame.bytes, channel: key, to: &buffer)
                context.write(wrapOutboundOut(buffer), promise: nil)
                sent += frame.byteCount
            case .needsCredit, .pending:
                return
            case .end(let frames, let rows):
                var writer = ByteWriter()
                writer.int(frames)
                writer.int(rows)
                send(.end, channel: key, body: writer.bytes, context)
            case .fault(let error):
                send(.fault, channel: key, body: ErrorCodec.encode(error), context)
            case .closed:
                end(key)
                return
            }
        }
    }
}
