// Closes connections whose clients let the server wait: idle ones, slow requests, responses that nobody reads.

import NIOCore
import NIOHTTP1

/// How long clients may take, and how much they may send.
package struct HTTPLimits: Sendable {
    /// From the connection's begin, or the last response, to the end of the next request's head.
    package var idle: TimeAmount = .seconds(60)
    /// Between two pieces of a request's body.
    package var bodyPause: TimeAmount = .seconds(20)
    /// As long a client may not read while there is something for it.
    package var writeStall: TimeAmount = .seconds(30)
    package var bodyByteCountMax = 16 << 20
    package var connectionCountMax = 1000
    /// Messages that wait for a viewer of events; a viewer that lets more wait is cut off.
    package var viewerQueueMax = 64
    package var viewerCountMax = 200
    package init() {}
}

/// Stands right before the handler that answers; used on its event loop only.
final class ConnectionGuard: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let limits: HTTPLimits
    private var request: Scheduled<Void>?
    private var stall: Scheduled<Void>?

    init(limits: HTTPLimits) { self.limits = limits }

    private func close(_ context: ChannelHandlerContext, after time: TimeAmount) -> Scheduled<Void> {
        let channel = context.channel
        return context.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        request?.cancel()
        switch unwrapInboundIn(data) {
        case .head, .body: request = close(context, after: limits.bodyPause)
        case .end: request = nil
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) {
            request?.cancel()
            request = close(context, after: limits.idle)
        }
        context.write(data, promise: promise)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        stall?.cancel()
        stall = context.channel.isWritable ? nil : close(context, after: limits.writeStall)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        request?.cancel()
        stall?.cancel()
        context.fireChannelInactive()
    }
}
