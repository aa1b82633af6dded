// Tells clients that speak TLS from those that do not, so that a port serves both.

import NIOCore
import NIOSSL

/// Whether a connection is encrypted. Used on the connection's event loop only.
package enum SecurityGateOutcome: Sendable { case encrypted, plain }

/// Stands before everything else on a new connection until its first byte has come: a client that speaks TLS begins with a
/// record of its handshake, and no other protocol of ours begins so. What the server writes before that waits, because
/// HTTP/2 speaks first. Used on its event loop only.
package final class SecurityGate: ChannelDuplexHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private static let handshakeRecord: UInt8 = 22

    private let makeHandler: () -> NIOSSLServerHandler
    private let allowsPlain: Bool
    private let onOutcome: (SecurityGateOutcome) -> Void
    private var isDecided = false
    private var isFlushNeeded = false
    private var written: [(NIOAny, EventLoopPromise<Void>?)] = []

    /// `onOutcome` is called before the first byte is handed on. A client in plain is cut off unless `allowsPlain`.
    package init(
        allowsPlain: Bool, onOutcome: @escaping (SecurityGateOutcome) -> Void = { _ in },
        makeHandler: @escaping () -> NIOSSLServerHandler
    ) {
        self.allowsPlain = allowsPlain
        self.makeHandler = makeHandler
        self.onOutcome = onOutcome
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDecided, let first = unwrapInboundIn(data).readableBytesView.first else {
            return context.fireChannelRead(data)
        }
        isDecided = true
        let isTLS = first == Self.handshakeRecord
        guard isTLS || allowsPlain else {
            drop(context, ChannelError.ioOnClosedChannel)
            return context.close(promise: nil)
        }
        onOutcome(isTLS ? .encrypted : .plain)
        if isTLS {
            do {
                try context.pipeline.syncOperations.addHandler(makeHandler(), position: .before(self))
            } catch {
                drop(context, error)
                return context.close(promise: nil)
            }
        }
        for (data, promise) in written { context.write(data, promise: promise) }
        written = []
        if isFlushNeeded { context.flush() }
        if isTLS {
            // From the pipeline's begin, so that the handler of TLS gets it.
            context.pipeline.syncOperations.fireChannelRead(data)
        } else {
            context.fireChannelRead(data)
        }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if isDecided { return context.write(data, promise: promise) }
        written.append((data, promise))
    }

    package func flush(context: ChannelHandlerContext) {
        if isDecided { return context.flush() }
        isFlushNeeded = true
    }

    package func channelInactive(context: ChannelHandlerContext) {
        drop(context, ChannelError.ioOnClosedChannel)
        context.fireChannelInactive()
    }

    private func drop(_ context: ChannelHandlerContext, _ error: any Error) {
        isDecided = true
        for (_, promise) in written { promise?.fail(error) }
        written = []
    }
}
