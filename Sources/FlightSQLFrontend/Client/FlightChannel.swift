// Flight's calls from the client's side, over one connection of gRPC.

import Diagnostics
import FileFormats
import Frontends
import GRPCCore
import GRPCNIOTransportHTTP2Posix

/// Thread-safe.
final class FlightChannel: Sendable {
    let isEncrypted: Bool
    private let client: GRPCClient<HTTP2ClientTransport.Posix>
    private let running: Task<Void, Never>

    /// HTTP/2 flow-control window: so much of a result is on its way before the reader has taken it.
    private static let windowByteCount = 8 << 20

    /// Record batches are as large as the server makes them; a call fails at once when the server is gone.
    private static let options: CallOptions = {
        var options = CallOptions.defaults
        options.waitForReady = false
        options.maxRequestMessageBytes = 1 << 30
        options.maxResponseMessageBytes = 1 << 30
        return options
    }()

    init(_ address: ServerAddress, isEncrypted: Bool) throws {
        self.isEncrypted = isEncrypted
        var config = HTTP2ClientTransport.Posix.Config.defaults
        config.http2.targetWindowSize = Self.windowByteCount
        config.http2.maxFrameSize = 1 << 20
        config.connection.maxIdleTime = nil
        let isIPv4 =
            address.host.split(separator: ".", omittingEmptySubsequences: false).count == 4
            && address.host.allSatisfy { $0.isNumber || $0 == "." }
        let target: any ResolvableTarget =
            if address.host.contains(":") {
                .ipv6(address: address.host, port: address.port)
            } else if isIPv4 {
                .ipv4(address: address.host, port: address.port)
            } else {
                .dns(host: address.host, port: address.port)
            }
        let client = GRPCClient(
            transport: try HTTP2ClientTransport.Posix(
                target: target, transportSecurity: isEncrypted ? Self.security(address) : .plaintext, config: config))
        self.client = client
        running = Task {
            // It ends when it is closed; calls report their failures themselves.
            try? await client.runConnections()
        }
    }

    private static func security(_ address: ServerAddress) -> HTTP2ClientTransport.Posix.TransportSecurity {
        .tls { tls in
            tls.serverCertificateVerification =
                switch address.encryption {
                case .verifyFull: .fullVerification
                case .verifyAuthority: .noHostnameVerification
                default: .noVerification
                }
            if let path = address.authorityPath {
                tls.trustRoots = .certificates([.file(path: path, format: .pem)])
            }
        }
    }

    deinit { close() }

    /// Calls that have ended on this side are told to the server; then the connection goes.
    func close() { client.beginGracefulShutdown() }

    private static func method(_ name: String) -> MethodDescriptor {
        MethodDescriptor(fullyQualifiedService: "arrow.flight.protocol.FlightService", method: name)
    }

    // MARK: - Calls

    /// Stays open until `ending` ends, or the server ends it. `onGreeting` gets what the server says first.
    func handshake(
        _ metadata: Metadata, until ending: AsyncStream<Never>, onGreeting: @escaping @Sendable (Metadata) -> Void
    ) async throws {
        let request = StreamingClientRequest<HandshakeMessage>(metadata: metadata) { _ in
            for await _ in ending {}
        }
        try await client.bidirectionalStreaming(
            request: request, descriptor: Self.method("Handshake"),
            serializer: OutgoingMessageCoding<HandshakeMessage>(),
            deserializer: IncomingMessageCoding<HandshakeMessage>(), options: Self.options
        ) { response in
            let contents = try response.accepted.get()
            onGreeting(contents.metadata)
            for try await _ in contents.bodyParts {}
        }
    }

    func get(
        _ ticket: FlightTicket, _ metadata: Metadata, onData: @escaping @Sendable (FlightData) throws -> Void
    ) async throws -> Metadata {
        try await client.serverStreaming(
            request: ClientRequest(message: ticket, metadata: metadata), descriptor: Self.method("DoGet"),
            serializer: OutgoingMessageCoding<FlightTicket>(), deserializer: IncomingMessageCoding<FlightData>(),
            options: Self.options
        ) { response in
            try await Self.read(response, onData)
        }
    }

    func put(
        _ metadata: Metadata, _ produce: @escaping @Sendable (RPCWriter<FlightData>) async throws -> Void
    ) async throws -> Metadata {
        try await client.bidirectionalStreaming(
            request: StreamingClientRequest(metadata: metadata, producer: produce), descriptor: Self.method("DoPut"),
            serializer: OutgoingMessageCoding<FlightData>(), deserializer: IncomingMessageCoding<PutResult>(),
            options: Self.options
        ) { response in
            try await Self.read(response) { _ in }
        }
    }

    func act(_ action: FlightAction, _ metadata: Metadata) async throws {
        _ = try await client.serverStreaming(
            request: ClientRequest(message: action, metadata: metadata), descriptor: Self.method("DoAction"),
            serializer: OutgoingMessageCoding<FlightAction>(),
            deserializer: IncomingMessageCoding<FlightActionResult>(), options: Self.options
        ) { response in
            try await Self.read(response) { _ in }
        }
    }

    /// Every message of an answer; the trailers.
    private static func read<Message: Sendable>(
        _ response: StreamingClientResponse<Message>, _ onMessage: (Message) throws -> Void
    ) async throws -> Metadata {
        let contents = try response.accepted.get()
        var trailers = Metadata()
        for try await part in contents.bodyParts {
            switch part {
            case .message(let message): try onMessage(message)
            case .trailingMetadata(let metadata): trailers = metadata
            }
        }
        return trailers
    }
}

extension FlightData {
    /// A message of its own, when the encoder goes on.
    init(copying message: ArrowMessage) {
        let byteCount = message.bodyByteCount
        let body = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            buffer.initialize(repeating: 0)
            count = byteCount
            if let start = buffer.baseAddress { message.copyBody(to: UnsafeMutableRawPointer(start)) }
        }
        self.init(header: message.header, body: body)
    }
}
