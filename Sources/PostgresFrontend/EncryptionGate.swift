// TLS on a connection: the client asks for it before its first message, and everything that follows is encrypted.

import ConnectionSecurity
import NIOCore
import Synchronization

/// Whether a connection's bytes are encrypted; set on its event loop before the first of them is handed on.
final class EncryptionState: Sendable {
    private let flag = Atomic<Bool>(false)
    var isEncrypted: Bool { flag.load(ordering: .acquiring) }
    func set() { flag.store(true, ordering: .releasing) }
}

/// Stands before everything else on a new connection and answers requests for encryption; then leaves. Used on its event
/// loop only. Bytes that come in plain behind a request for TLS end the connection: somebody between client and server could
/// have put them there, and they must not pass for what the client sent encrypted.
final class EncryptionGate: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let requestByteCount = 8
    private static let tlsRequest: UInt32 = 80_877_103
    private static let otherRequest: UInt32 = 80_877_104

    private let encryption: ServerSecurity
    private let state: EncryptionState
    private var bytes = ByteBuffer()
    private var hasRefused = false
    private var isDone = false

    init(encryption: ServerSecurity, state: EncryptionState) {
        self.encryption = encryption
        self.state = state
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return context.fireChannelRead(data) }
        var more = unwrapInboundIn(data)
        bytes.writeBuffer(&more)
        guard let length = bytes.getInteger(at: bytes.readerIndex, as: UInt32.self) else { return }
        guard length == Self.requestByteCount else { return leave(context) }
        guard let code = bytes.getInteger(at: bytes.readerIndex + 4, as: UInt32.self) else { return }
        switch code {
        case Self.tlsRequest:
            guard bytes.readableBytes == Self.requestByteCount else { return context.close(promise: nil) }
            isDone = true
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: [UInt8(ascii: "S")])), promise: nil)
            do {
                // Behind the answer, which is the last that goes out in plain.
                try context.pipeline.syncOperations.addHandler(
                    encryption.makeHandler(), position: .first)
            } catch { return context.close(promise: nil) }
            state.set()
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        case Self.otherRequest where !hasRefused:
            hasRefused = true
            guard bytes.readableBytes == Self.requestByteCount else { return context.close(promise: nil) }
            bytes.clear()
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: [UInt8(ascii: "N")])), promise: nil)
        default: leave(context)
        }
    }

    /// Hands on what came.
    private func leave(_ context: ChannelHandlerContext) {
        isDone = true
        context.fireChannelRead(wrapInboundOut(bytes))
        context.fireChannelReadComplete()
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}
