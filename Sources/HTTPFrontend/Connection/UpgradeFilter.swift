// Lets only those requests ask for a WebSocket that will get one; the others are answered as if they had not asked.

import NIOCore
import NIOHTTP1

/// Stands before the handler that upgrades, which does not go on with a request that it was asked to upgrade and does not.
/// Looks at the first request of a connection, then leaves. Used on its event loop only.
final class UpgradeFilter: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    static let path = "/v1/events"
    private let origins: OriginPolicy

    private let hasEvents: Bool

    init(origins: OriginPolicy, hasEvents: Bool) {
        self.origins = origins
        self.hasEvents = hasEvents
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
        if !isTaken(head) { head.headers.remove(name: "upgrade") }
        context.fireChannelRead(wrapInboundOut(.head(head)))
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    private func isTaken(_ head: HTTPRequestHead) -> Bool {
        hasEvents && head.method == .GET && head.uri.prefix { $0 != "?" } == Self.path
            && head.headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
            && head.headers["sec-websocket-version"] == ["13"] && head.headers["sec-websocket-key"].count == 1
            && origins.accepts(host: head.headers.first(name: "host"), origin: head.headers.first(name: "origin"))
    }
}
