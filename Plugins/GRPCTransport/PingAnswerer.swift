// Answers the pings of HTTP/2 clients in front of the HTTP/2 handler.

import NIOCore

/// Clients that measure the connection's bandwidth send a ping with nearly every piece of data that they get. The HTTP/2
/// handler takes more than a few hundred of them for an attack and closes the connection, whose streams of rows end with it. So
/// they are answered here, as long as the client takes the answers, and it sees the others only.
final class PingAnswerer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let prefaceByteCount = 24
    private static let headerByteCount = 9
    private static let pingByteCount = 17
    private static let pingType: UInt8 = 6
    private static let acknowledgement: UInt8 = 1

    /// Bytes until the next frame begins: of the preface, and then of the frame that is passed on.
    private var passing = PingAnswerer.prefaceByteCount
    /// The begin of a frame that is not yet known.
    private var held = ByteBuffer()
    /// Bytes that came while others were on their way: a write that fails makes NIO read all that is left before it closes the
    /// connection. They must not overtake.
    private var waiting: [ByteBuffer] = []
    private var isPassing = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        waiting.append(unwrapInboundIn(data))
        guard !isPassing else { return }
        isPassing = true
        while !waiting.isEmpty { read(waiting.removeFirst(), context) }
        isPassing = false
    }

    private func read(_ arrived: ByteBuffer, _ context: ChannelHandlerContext) {
        var bytes = arrived
        if held.readableBytes > 0 {
            held.writeBuffer(&bytes)
            bytes = held
            held = ByteBuffer()
        }
        // What is passed on begins here.
        var start = bytes.readerIndex
        var at = bytes.readerIndex
        while true {
            let skipped = min(passing, bytes.writerIndex - at)
            at += skipped
            passing -= skipped
            let left = bytes.writerIndex - at
            guard passing == 0, left > 0 else { break }
            guard left >= Self.headerByteCount, let frame = Frame(bytes, at: at) else {
                hold(bytes, from: at)
                break
            }
            guard frame.isPing, context.channel.isWritable else {
                passing = Self.headerByteCount + frame.byteCount
                continue
            }
            guard left >= Self.pingByteCount else {
                hold(bytes, from: at)
                break
            }
            pass(bytes, start..<at, context)
            answer(bytes, at: at, context)
            at += Self.pingByteCount
            start = at
        }
        pass(bytes, start..<at, context)
    }

    private func hold(_ bytes: ByteBuffer, from at: Int) {
        held = bytes.getSlice(at: at, length: bytes.writerIndex - at) ?? ByteBuffer()
    }

    private func pass(_ bytes: ByteBuffer, _ range: Range<Int>, _ context: ChannelHandlerContext) {
        guard !range.isEmpty, let slice = bytes.getSlice(at: range.lowerBound, length: range.count) else { return }
        context.fireChannelRead(wrapInboundOut(slice))
    }

    private func answer(_ bytes: ByteBuffer, at: Int, _ context: ChannelHandlerContext) {
        guard var content = bytes.getSlice(at: at + Self.headerByteCount, length: 8) else { return }
        var frame = context.channel.allocator.buffer(capacity: Self.pingByteCount)
        frame.writeBytes([0, 0, 8, Self.pingType, Self.acknowledgement, 0, 0, 0, 0])
        frame.writeBuffer(&content)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    /// The header of a frame.
    private struct Frame {
        var byteCount: Int
        var isPing: Bool

        init?(_ bytes: ByteBuffer, at: Int) {
            guard let high = bytes.getInteger(at: at, as: UInt8.self),
                let low = bytes.getInteger(at: at + 1, as: UInt16.self),
                let type = bytes.getInteger(at: at + 3, as: UInt8.self),
                let flags = bytes.getInteger(at: at + 4, as: UInt8.self)
            else { return nil }
            byteCount = Int(high) << 16 | Int(low)
            isPing = type == PingAnswerer.pingType && flags & PingAnswerer.acknowledgement == 0 && byteCount == 8
        }
    }
}
