// One viewer of live events: a WebSocket (RFC 6455).

import Diagnostics
import NIOCore
import NIOWebSocket
import Synchronization

struct ViewerConnection: Sendable {
    typealias Channel = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>
    private typealias Outbound = NIOAsyncChannelOutboundWriter<WebSocketFrame>

    let hub: EventHub
    let scope: EventScope
    let user: String?
    private static let pingPause = Duration.seconds(20)
    /// A viewer of whom nothing was heard for so long, no answer to a ping either, is gone.
    private static let silenceMax = Duration.seconds(50)
    /// So long a viewer that is cut off has to take the message that says so.
    private static let partingTime = TimeAmount.seconds(5)
    static let frameByteCountMax = 16 << 10

    func run(_ channel: Channel) async throws {
        let connection = channel.channel
        let heard = LastHeard()
        try await channel.executeThenClose { inbound, outbound in
            let viewer = hub.add(scope, user: user) {
                connection.eventLoop.scheduleTask(in: Self.partingTime) { connection.close(promise: nil) }
            }
            guard let (number, messages) = viewer else {
                return try await Self.close(outbound, .unexpectedServerError, "there are too many viewers")
            }
            defer { hub.remove(number) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await receive(inbound, outbound, number, heard) }
                group.addTask {
                    for await message in messages { try await Self.send(outbound, message) }
                    if hub.isShutDown { return try await Self.close(outbound, .goingAway, "the server stops") }
                    let isStranger = hub.isStranger(number)
                    try await Self.close(
                        outbound, .policyViolation,
                        isStranger ? "the user may not see this any more" : "the viewer reads too slowly")
                }
                group.addTask {
                    while true {
                        try await Task.sleep(for: Self.pingPause)
                        guard heard.age < Self.silenceMax else { return }
                        try await outbound.write(WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer()))
                    }
                }
                defer { group.cancelAll() }
                try await group.next()
            }
        }
    }

    private func receive(
        _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>, _ outbound: Outbound, _ number: Int, _ heard: LastHeard
    ) async throws {
        for try await frame in inbound {
            heard.note()
            switch frame.opcode {
            case .ping:
                var data = frame.unmaskedData
                try await outbound.write(
                    WebSocketFrame(fin: true, opcode: .pong, data: data.readSlice(length: data.readableBytes) ?? data))
            case .text where frame.fin:
                do {
                    try hub.receive(Array(frame.unmaskedData.readableBytesView), from: number)
                } catch {
                    let failure = JSONWriter.document { writer in
                        writer.member("type", "error")
                        writer.object("error") { ErrorResponse.write(QueryError.wrapping(error), &$0) }
                    }
                    try await Self.send(outbound, failure)
                }
            case .connectionClose:
                var data = frame.unmaskedData
                let code = data.readWebSocketErrorCode() ?? .normalClosure
                return try await Self.close(outbound, code, "")
            case .pong: continue
            default: return try await Self.close(outbound, .unacceptableData, "messages are single frames of text")
            }
        }
    }

    private static func send(_ outbound: Outbound, _ message: [UInt8]) async throws {
        try await outbound.write(WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(bytes: message)))
    }

    private static func close(_ outbound: Outbound, _ code: WebSocketErrorCode, _ reason: String) async throws {
        var data = ByteBuffer()
        data.write(webSocketErrorCode: code)
        data.writeString(reason)
        try await outbound.write(WebSocketFrame(fin: true, opcode: .connectionClose, data: data))
    }
}

/// When a viewer's last frame came. Thread-safe.
private final class LastHeard: Sendable {
    private let time = Mutex(ContinuousClock.now)
    var age: Duration { time.withLock { ContinuousClock.now - $0 } }
    func note() { time.withLock { $0 = ContinuousClock.now } }
}
