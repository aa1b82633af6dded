// Lets only those requests ask for a WebSocket that will get one; the others are answered as if they had not asked.

import NIOCore
import NIOHTTP1

/// Stands before the handler that upgrades, which does not go on with a request that it was asked to upgrade and does not.
/// Looks at the first request of a connection, then leaves; what comes while the sender's credentials are checked waits.
/// Used on its event loop only, hence unchecked.
final class UpgradeFilter: ChannelInboundHandler, RemovableChannelHandler, @unchecked Sendable {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    static let path = "/v1/events"
    private let origins: OriginPolicy

    private let identification: ClientIdentification
    private let requiresEncryption: Bool
    private let facts: ConnectionFacts
    private var waiting: [HTTPServerRequestPart] = []
    private var isAsking = false

    init(
        origins: OriginPolicy, identification: ClientIdentification, requiresEncryption: Bool, facts: ConnectionFacts
    ) {
        self.origins = origins
        self.identification = identification
        self.requiresEncryption = requiresEncryption
        self.facts = facts
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if isAsking { return waiting.append(part) }
        guard case .head(let head) = part else { return context.fireChannelRead(data) }
        guard isTaken(head), identification.isRequired else { return pass(head, isTaken(head), context) }
        isAsking = true
        let loop = context.eventLoop
        let bound = NIOLoopBound(context, eventLoop: loop)
        Task { [identification] in
            // Who is refused is answered like any other request.
            let viewer: (user: String, scope: EventScope)?
            let isLetIn: Bool
            do { (viewer, isLetIn) = (try await identification.viewer(head.headers), true) } catch {
                (viewer, isLetIn) = (nil, false)
            }
            loop.execute {
                if let viewer { (self.facts.user, self.facts.scope) = viewer }
                self.pass(head, isLetIn, bound.value)
            }
        }
    }

    private func pass(_ head: HTTPRequestHead, _ isUpgraded: Bool, _ context: ChannelHandlerContext) {
        var head = head
        if !isUpgraded { head.headers.remove(name: "upgrade") }
        context.fireChannelRead(wrapInboundOut(.head(head)))
        for part in waiting { context.fireChannelRead(wrapInboundOut(part)) }
        if !waiting.isEmpty { context.fireChannelReadComplete() }
        waiting = []
        isAsking = false
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    private func isTaken(_ head: HTTPRequestHead) -> Bool {
        (facts.isEncrypted || !requiresEncryption) && head.method == .GET && head.uri.prefix { $0 != "?" } == Self.path
            && head.headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
            && head.headers["sec-websocket-version"] == ["13"] && head.headers["sec-websocket-key"].count == 1
            && origins.accepts(host: head.headers.first(name: "host"), origin: head.headers.first(name: "origin"))
    }
}
