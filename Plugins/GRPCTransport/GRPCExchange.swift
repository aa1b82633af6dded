// The exchange transport over gRPC: one stream to each node, many channels in it.

import Columnar
import Diagnostics
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Synchronization
import Transport
import WireCodec

/// The exchange transport "grpc".
package final class GRPCExchange: ExchangeTransport {
    private struct State {
        var isClosed = false
        var servers: [GRPCNodeServer] = []
        var connections: [Endpoint: GRPCExchangeConnection] = [:]
    }

    private let options: GRPCOptions
    private let state = Mutex(State())

    package init(options: GRPCOptions = GRPCOptions()) { self.options = options }

    package func serve(_ source: any ExchangeSource, on endpoint: Endpoint) async throws -> Endpoint {
        let server = try await GRPCNodeServer.start(
            on: endpoint,
            services: [
                ExchangeServer(source: source, options: options),
                HealthServer(services: [Martlet_V1_Exchange.descriptor.fullyQualifiedService]),
            ], options: options, security: options.security.map { .nodes($0) } ?? .plain)
        let isClosed = state.withLock { state in
            if !state.isClosed { state.servers.append(server) }
            return state.isClosed
        }
        if isClosed { await server.stop() }
        return server.endpoint
    }

    package func openReader(
        _ channel: ExchangeChannel, at endpoint: Endpoint, fund: (any CreditFund)?
    ) -> any ExchangeReader {
        // A connection may fail between the look and the opening; the second try dials afresh.
        for _ in 0..<2 {
            if let receiver = connection(to: endpoint)?.open(channel, fund) { return receiver }
        }
        let receiver = ChannelReceiver(window: options.creditByteCount, grant: { _, _ in }, whenClosed: {})
        receiver.failed(
            QueryError(.exchangeFailed, "could not connect to \(endpoint)", object: endpoint.description))
        return receiver
    }

    package func shutdown() async {
        let all = state.withLock { state in
            let all = state
            state = State(isClosed: true)
            return all
        }
        for connection in all.connections.values {
            connection.fail(QueryError(.exchangeFailed, "this node is shutting down"))
        }
        for server in all.servers { await server.stop() }
    }

    private func connection(to endpoint: Endpoint) -> GRPCExchangeConnection? {
        state.withLock { state in
            if state.isClosed { return nil }
            if let known = state.connections[endpoint], !known.isFailed { return known }
            guard let made = try? GRPCExchangeConnection(to: endpoint, options: options) else { return nil }
            state.connections[endpoint] = made
            made.start()
            return made
        }
    }
}

/// The reader's side of a stream.
final class GRPCExchangeConnection: Sendable {
    private struct State {
        var failure: QueryError?
        var nextKey: UInt32 = 1
        var receivers: [UInt32: ChannelReceiver] = [:]
        var running: Task<Void, Never>?
    }

    private let connection: GRPCNodeConnection
    private let options: GRPCOptions
    private let state = Mutex(State())
    private let outgoing: AsyncStream<Martlet_V1_ReaderMessage>
    private let continuation: AsyncStream<Martlet_V1_ReaderMessage>.Continuation

    init(to endpoint: Endpoint, options: GRPCOptions) throws {
        connection = try GRPCNodeConnection(to: endpoint, options: options)
        self.options = options
        (outgoing, continuation) = AsyncStream.makeStream()
    }

    func start() {
        let running = Task { [weak self, connection, outgoing] in
            let ending: QueryError
            do {
                try await Martlet_V1_Exchange.Client(wrapping: connection.client).stream(
                    options: .failingFast(),
                    requestProducer: { writer in
                        for await message in outgoing { try await writer.write(message) }
                    },
                    onResponse: { [weak self] response in
                        for try await message in response.messages { self?.handle(message) }
                    })
                ending = QueryError(
                    .exchangeFailed, "lost the connection to \(connection.endpoint)",
                    detail: "The peer has ended the stream.", object: connection.endpoint.description)
            } catch {
                ending = GRPCErrors.queryError(error, peer: connection.endpoint, lost: .exchangeFailed)
            }
            self?.fail(ending)
        }
        state.withLock { $0.running = running }
    }

    var isFailed: Bool { state.withLock { $0.failure != nil } }

    /// Opens the reading end of a channel; nil when the stream has failed already.
    func open(_ channel: ExchangeChannel, _ fund: (any CreditFund)?) -> ChannelReceiver? {
        let key: UInt32? = state.withLock { state in
            if state.failure != nil { return nil }
            defer { state.nextKey += 1 }
            return state.nextKey
        }
        guard let key else { return nil }
        let continuation = continuation
        let receiver = ChannelReceiver(
            window: options.creditByteCount, fund: fund,
            grant: { byteCount, _ in
                var message = Martlet_V1_ReaderMessage()
                message.channel = key
                message.credit.bytes = UInt64(byteCount)
                continuation.yield(message)
            },
            whenClosed: { [weak self] in
                _ = self?.state.withLock { $0.receivers.removeValue(forKey: key) }
                var message = Martlet_V1_ReaderMessage()
                message.channel = key
                message.close = Martlet_V1_CloseChannel()
                continuation.yield(message)
            })
        if receiver.failure != nil { return receiver }
        let failure = state.withLock { state in
            if state.failure == nil { state.receivers[key] = receiver }
            return state.failure
        }
        if let failure {
            receiver.failed(failure)
            return receiver
        }
        var message = Martlet_V1_ReaderMessage()
        message.channel = key
        message.open.producer = Martlet_V1_TaskAttempt(channel.producer)
        message.open.partition = UInt32(clamping: channel.partition)
        message.open.creditBytes = UInt64(receiver.window)
        continuation.yield(message)
        return receiver
    }

    /// Ends the stream; every open channel fails with `error`.
    func fail(_ error: QueryError) {
        let (running, receivers) = state.withLock { state in
            let taken = (state.running, state.receivers)
            if state.failure == nil { state.failure = error }
            state.running = nil
            state.receivers = [:]
            return taken
        }
        continuation.finish()
        running?.cancel()
        connection.close()
        for key in receivers.keys.sorted() { receivers[key]?.failed(error) }
    }

    private func handle(_ message: Martlet_V1_ProducerMessage) {
        switch message.kind {
        case .frame(let data):
            guard let receiver = state.withLock({ $0.receivers[message.channel] }) else { return }
            let buffer = Buffer(byteCount: max(64, data.count))
            data.withUnsafeBytes { bytes in
                if let base = bytes.baseAddress { buffer.base.copyMemory(from: base, byteCount: bytes.count) }
            }
            receiver.received(buffer, byteCount: data.count)
        case .end(let end):
            take(message.channel)?.ended(frames: Int(clamping: end.frames), rows: Int(clamping: end.rows))
        case .fault(let info):
            take(message.channel)?.failed(GRPCErrors.error(info))
        case nil:
            take(message.channel)?.failed(
                QueryError(.versionMismatch, "the node at \(connection.endpoint) sends messages of another version"))
        }
    }

    private func take(_ key: UInt32) -> ChannelReceiver? {
        state.withLock { $0.receivers.removeValue(forKey: key) }
    }
}

/// The producer's side: every stream has one task that reads commands and one that owns the channels and writes.
struct ExchangeServer: Martlet_V1_Exchange.SimpleServiceProtocol {
    /// Bytes that one channel sends before the others get their turn.
    private static let turnByteCount = 1 << 20

    let source: any ExchangeSource
    let options: GRPCOptions

    private enum Command: Sendable {
        case message(Martlet_V1_ReaderMessage)
        /// A channel may have something to send.
        case ready(UInt32)
    }

    func stream(
        request: RPCAsyncSequence<Martlet_V1_ReaderMessage, any Error>,
        response: RPCWriter<Martlet_V1_ProducerMessage>, context: ServerContext
    ) async throws {
        let (commands, continuation) = AsyncStream<Command>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { continuation.finish() }
                for try await message in request { continuation.yield(.message(message)) }
            }
            group.addTask {
                try await Self.pump(commands, continuation, source, options, response)
            }
            // When the reader has gone, what is left to write has nobody to go to.
            do {
                try await group.next()
            } catch {
                group.cancelAll()
                throw error
            }
            group.cancelAll()
        }
    }

    private static func pump(
        _ commands: AsyncStream<Command>, _ continuation: AsyncStream<Command>.Continuation,
        _ source: any ExchangeSource, _ options: GRPCOptions, _ response: RPCWriter<Martlet_V1_ProducerMessage>
    ) async throws {
        var senders: [UInt32: ChannelSender] = [:]
        defer { for key in senders.keys.sorted() { senders[key]?.close() } }
        for await command in commands {
            let key: UInt32
            switch command {
            case .ready(let ready): key = ready
            case .message(let message):
                key = message.channel
                switch message.kind {
                case .open(let open):
                    guard senders[key] == nil else {
                        throw RPCError(code: .invalidArgument, message: "a channel is opened twice")
                    }
                    let channel = ExchangeChannel(producer: open.producer.value, partition: Int(open.partition))
                    senders[key] = ChannelSender(
                        stream: source.openStream(channel), credit: Int(clamping: open.creditBytes),
                        options: options.frames)
                case .credit(let credit): senders[key]?.grant(Int(clamping: credit.bytes))
                case .close: senders.removeValue(forKey: key)?.close()
                case nil: break
                }
            }
            guard let sender = senders[key] else { continue }
            let isDone = try await send(sender, key, continuation, options, response)
            if isDone { senders[key] = nil }
        }
    }

    /// Sends what the channel has, within its turn; true when the channel has ended.
    private static func send(
        _ sender: ChannelSender, _ key: UInt32, _ continuation: AsyncStream<Command>.Continuation,
        _ options: GRPCOptions, _ response: RPCWriter<Martlet_V1_ProducerMessage>
    ) async throws -> Bool {
        var sent = 0
        while sent < turnByteCount {
            var message = Martlet_V1_ProducerMessage()
            message.channel = key
            switch sender.next(wake: { continuation.yield(.ready(key)) }) {
            case .frame(let frame):
                options.tamper?(UnsafeMutableRawBufferPointer(start: frame.buffer.base, count: frame.byteCount))
                message.frame = Data(bytes: frame.buffer.base, count: frame.byteCount)
                try await response.write(message)
                sent += frame.byteCount
            case .needsCredit, .pending: return false
            case .end(let frames, let rows):
                message.end.frames = UInt64(frames)
                message.end.rows = UInt64(rows)
                try await response.write(message)
                return true
            case .fault(let error):
                message.fault = GRPCErrors.info(error)
                try await response.write(message)
                return true
            case .closed: return true
            }
        }
        continuation.yield(.ready(key))
        return false
    }
}
