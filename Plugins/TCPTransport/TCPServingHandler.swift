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
        let sender: ChannelSender
        /// A pump is under way or waits in the loop's queue.
        var isScheduled = false
        init(_ sender: ChannelSender) { self.sender = sender }
    }

    private let source: any ExchangeSource
    private let options: TCPOptions
    private var assembler = TCPMessageAssembler()
    private var channels: [UInt32: Served] = [:]
    /// Channels that wait for the socket.
    private var unwritten: [UInt32] = []
    private var hasGreeted = false
    private var context: ChannelHandlerContext?

    init(source: any ExchangeSource, options: TCPOptions) {
        self.source = source
        self.options = options
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        do {
            while let message = try assembler.next(&buffer) { try handle(message, context) }
        } catch {
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let all = channels
        channels = [:]
        for key in all.keys.sorted() { all[key]?.sender.close() }
        context.fireChannelInactive()
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
            var writer = ByteWriter()
            writer.unsigned(TCPEnvelope.version)
            send(.hello, body: writer.bytes, context)
            if try reader.unsigned() != TCPEnvelope.version { context.close(promise: nil) }
        case .open:
            let channel = ExchangeChannel(producer: try reader.attempt(), partition: try reader.position())
            let credit = try reader.position()
            guard channels[message.channel] == nil else {
                throw QueryError(.protocolViolation, "a channel is opened twice")
            }
            let sender = ChannelSender(
                stream: source.openStream(channel), credit: credit, options: options.frames)
            channels[message.channel] = Served(sender)
            schedule(message.channel)
        case .credit:
            guard let served = channels[message.channel] else { return }
            served.sender.grant(try reader.position())
            schedule(message.channel)
        case .close:
            channels.removeValue(forKey: message.channel)?.sender.close()
        case .ping:
            send(.pong, body: [], context)
        case .pong, .frame, .end, .fault:
            throw QueryError(.protocolViolation, "a reader has sent a producer's message")
        }
    }

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
        guard let served = channels[key], let context else { return }
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
            let step = served.sender.next { [weak self] in
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
                channels[key] = nil
                send(.end, channel: key, body: writer.bytes, context)
                return
            case .fault(let error):
                channels[key] = nil
                send(.fault, channel: key, body: ErrorCodec.encode(error), context)
                return
            case .closed:
                channels[key] = nil
                return
            }
        }
    }
}
