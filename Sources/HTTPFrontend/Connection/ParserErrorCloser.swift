// Ends connections whose bytes are no HTTP. They were answered with status 400 by then, or are in the middle of a response.

import NIOCore
import NIOHTTP1

/// Nothing that follows on such a connection can be read, so nobody may hold it open. Used on its event loop only.
final class ParserErrorCloser: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    /// Time for the client to read the answer: a connection that is closed with bytes unread loses it.
    private static let partingTime = TimeAmount.seconds(1)

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError else { return context.fireErrorCaught(error) }
        let channel = context.channel
        context.close(mode: .output, promise: nil)
        context.eventLoop.scheduleTask(in: Self.partingTime) { channel.close(promise: nil) }
        context.fireErrorCaught(error)
    }
}
