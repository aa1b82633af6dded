// One write to the socket for the messages of one turn of the event loop.

import NIOCore

/// Puts a flush off to the end of the loop's turn: channels open, end and are closed in groups, each with a small message of
/// its own, and a system call costs more than all of them. Confined to its event loop, hence unchecked.
final class FlushGatherer: ChannelOutboundHandler, @unchecked Sendable {
    typealias OutboundIn = ByteBuffer

    private var isDue = false
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func flush(context: ChannelHandlerContext) {
        guard !isDue else { return }
        isDue = true
        context.eventLoop.execute { self.flushNow() }
    }

    /// What was written before goes out before.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        flushNow()
        context.close(mode: mode, promise: promise)
    }

    private func flushNow() {
        guard isDue, let context else { return }
        isDue = false
        context.flush()
    }
}
