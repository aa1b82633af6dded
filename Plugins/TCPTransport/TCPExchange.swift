// The transport: serves this node's output and keeps one connection to every node that it reads from.

import ConnectionSecurity
import Diagnostics
import NIOCore
import NIOPosix
import Synchronization
import Transport
import WireCodec

/// The exchange transport "tcp".
package final class TCPExchange: ExchangeTransport {
    /// Large reads: a frame of 256 KiB should take few system calls.
    static var receiveAllocator: any RecvByteBufferAllocator {
        AdaptiveRecvByteBufferAllocator(minimum: 4 << 10, initial: 64 << 10, maximum: 512 << 10)
    }

    private struct State {
        var isClosed = false
        var listeners: [any Channel] = []
        var accepted: [ObjectIdentifier: any Channel] = [:]
        var served: [ServedChannels] = []
        var connections: [Endpoint: TCPConnection] = [:]
    }

    private let options: TCPOptions
    private let group: any EventLoopGroup
    private let state = Mutex(State())

    package init(options: TCPOptions = TCPOptions(), group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton)
    {
        self.options = options
        self.group = group
    }

    package func serve(_ source: any ExchangeSource, on endpoint: Endpoint) async throws -> Endpoint {
        let options = options
        let served = ServedChannels()
        let listener: any Channel
        do {
            listener = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 256)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelOption(.recvAllocator, value: Self.receiveAllocator)
                .childChannelOption(
                    .writeBufferWaterMark,
                    value: ChannelOptions.Types.WriteBufferWaterMark(low: 512 << 10, high: 2 << 20)
                )
                .childChannelInitializer { [weak self] channel in
                    channel.eventLoop.makeCompletedFuture {
                        guard let self, self.accept(channel) else { throw ChannelError.ioOnClosedChannel }
                        if let security = options.security {
                            try channel.pipeline.syncOperations.addHandler(security.makeServerHandler(.everybody))
                        }
                        try channel.pipeline.syncOperations.addHandlers(
                            FlushGatherer(), TCPServingHandler(source: source, options: options, served: served))
                    }
                }
                .bind(host: endpoint.host, port: endpoint.port)
                .get()
        } catch {
            throw QueryError(
                .ioError, "could not listen on \(endpoint)", detail: String(describing: error),
                object: endpoint.description)
        }
        let isClosed = state.withLock { state in
            if !state.isClosed {
                state.listeners.append(listener)
                state.served.append(served)
            }
            return state.isClosed
        }
        if isClosed { try? await listener.close() }
        return Endpoint(host: endpoint.host, port: listener.localAddress?.port ?? endpoint.port)
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
        for listener in all.listeners { try? await listener.close() }
        for served in all.served { served.shutdown() }
        for channel in all.accepted.values { channel.close(promise: nil) }
        for connection in all.connections.values {
            connection.fail(QueryError(.exchangeFailed, "this node is shutting down"), tellsPeer: true)
        }
    }

    private func connection(to endpoint: Endpoint) -> TCPConnection? {
        state.withLock { state in
            if state.isClosed { return nil }
            if let known = state.connections[endpoint], !known.isFailed { return known }
            let made = TCPConnection(to: endpoint, options: options, group: group)
            state.connections[endpoint] = made
            return made
        }
    }

    /// Remembers an accepted connection so that `shutdown` can end it.
    private func accept(_ channel: any Channel) -> Bool {
        let key = ObjectIdentifier(channel)
        let isOpen = state.withLock { state in
            if !state.isClosed { state.accepted[key] = channel }
            return !state.isClosed
        }
        guard isOpen else { return false }
        channel.closeFuture.whenComplete { [weak self] _ in
            _ = self?.state.withLock { $0.accepted.removeValue(forKey: key) }
        }
        return true
    }
}
