// A session on a server: it lives as long as the handshake's call, which stays open until the link is closed.

import Coordination
import Diagnostics
import FileFormats
import Frontends
import GRPCCore
import Synchronization

/// Thread-safe.
final class FlightLink: Sendable {
    private struct State {
        var isLost = false
        var isClosed = false
        var holding: Task<Void, Never>?
    }

    let channel: FlightChannel
    /// Whether the channel ends with the link.
    private let ownsChannel: Bool
    /// What the server said at the beginning.
    let greeting: Metadata
    let number: Int
    let version: String
    private let authorization: Metadata
    private let state: Mutex<State>
    private let end: AsyncStream<Never>.Continuation

    static let lost = QueryError(.connectionFailure, "the connection to the server was lost")

    /// Connects to the server of an address. Errors: 08006, and what the server says.
    static func open(_ address: ServerAddress) async throws -> FlightLink {
        let isEncrypted = try ServerProbe.isEncrypted(address)
        // Whoever listens in could read it, and nobody has said that this is well.
        if !isEncrypted, address.encryption == .prefer, address.password != nil, !address.isThisMachine {
            throw QueryError(
                .connectionFailure, "the server does not encrypt connections, and the password would be readable",
                hint: "sslmode=disable sends it anyway.")
        }
        let channel = try FlightChannel(address, isEncrypted: isEncrypted)
        do { return try await attach(to: channel, address, ownsChannel: true) } catch {
            channel.close()
            throw error
        }
    }

    /// Begins a session on a channel that is there.
    static func attach(
        to channel: FlightChannel, _ address: ServerAddress, ownsChannel: Bool = false
    ) async throws -> FlightLink {
        let (ending, end) = AsyncStream<Never>.makeStream()
        let beginning = Beginning()
        let holding = Task {
            do {
                try await channel.handshake(request(address), until: ending) { beginning.succeed($0) }
                beginning.fail(lost)
            } catch {
                beginning.fail(error)
            }
        }
        do {
            let greeting = try await beginning.greeting()
            let link = FlightLink(channel, ownsChannel, greeting, holding, end)
            beginning.onEnd { [weak link] in link?.noteLoss() }
            return link
        } catch {
            end.finish()
            holding.cancel()
            throw explained(queryError(error), address)
        }
    }

    private init(
        _ channel: FlightChannel, _ ownsChannel: Bool, _ greeting: Metadata, _ holding: Task<Void, Never>,
        _ end: AsyncStream<Never>.Continuation
    ) {
        self.channel = channel
        self.ownsChannel = ownsChannel
        self.greeting = greeting
        self.end = end
        number = greeting.first(SessionMetadata.sessionKey).flatMap { Int($0) } ?? 0
        version = greeting.first(SessionMetadata.versionKey) ?? ""
        authorization = ["authorization": "\(greeting.first("authorization") ?? "")"]
        state = Mutex(State(holding: holding))
    }

    private static func request(_ address: ServerAddress) -> Metadata {
        let proof = Array("\(address.user):\(address.password ?? "")".utf8)
        var metadata: Metadata = [
            "authorization": "Basic \(Base64Text.encode(proof))",
            SessionMetadata.attachKey: "1",
        ]
        // Values of headers are ASCII.
        func text(_ value: String) -> String { value.filter { $0.isASCII && $0 >= " " } }
        metadata.addString(text(address.applicationName), forKey: SessionMetadata.applicationKey)
        metadata.addString(text(address.database), forKey: SessionMetadata.databaseKey)
        return metadata
    }

    private static func explained(_ error: QueryError, _ address: ServerAddress) -> QueryError {
        var error = error
        if error.state == .invalidPassword, address.password == nil {
            error.message = "the server asks for a password"
            error.hint = "Give it by the variable PGPASSWORD or in the address."
        } else if error.state == .connectionFailure {
            error.message = "\(address.host):\(address.port) does not answer as a server of Flight SQL does"
            error.hint =
                address.encryption == .disable
                ? "The gRPC port is asked for; perhaps the server takes encrypted connections only."
                : "The gRPC port is asked for; postgresql://… speaks PostgreSQL's protocol."
        }
        return error
    }

    // MARK: - End

    var isLost: Bool { state.withLock { $0.isLost } }

    func noteLoss() { state.withLock { if !$0.isClosed { $0.isLost = true } } }

    /// The server hears of it and rolls back what is open.
    func close() {
        let wasClosed = state.withLock { state in
            defer { state.isClosed = true }
            return state.isClosed
        }
        guard !wasClosed else { return }
        end.finish()
        if ownsChannel { channel.close() }
    }

    // MARK: - Calls

    /// Runs a statement: every message of its result, and the trailers.
    func get(_ sql: String, onData: @escaping @Sendable (FlightData) throws -> Void) async throws -> Metadata {
        let command = FlightCommand.statementBytes(sql, isUpdate: false)
        return try await channel.get(FlightTicket(command), authorization, onData: onData)
    }

    func put(_ produce: @escaping @Sendable (RPCWriter<FlightData>) async throws -> Void) async throws -> Metadata {
        try await channel.put(authorization, produce)
    }

    /// Stops whatever the session runs.
    func cancel() async throws {
        let info = FlightInfo(schema: [], descriptor: FlightDescriptor(command: []), ticket: nil)
        var writer = ProtobufWriter()
        writer.message(1) { info.write(to: &$0) }
        try await channel.act(FlightAction(type: "CancelFlightInfo", body: writer.bytes), authorization)
    }

    // MARK: - Errors

    /// The engine's error of a call that has failed. A call that the server did not answer loses the session.
    func queryError(_ error: any Error) -> QueryError {
        let result = Self.queryError(error)
        if result.state == .connectionFailure, error is RPCError { noteLoss() }
        return result
    }

    static func queryError(_ error: any Error) -> QueryError {
        guard let error = error as? RPCError else {
            if error is RuntimeError { return lost }
            return QueryError.wrapping(error)
        }
        if let bytes = error.metadata[binaryValues: SessionMetadata.errorKey].first(where: { _ in true }),
            let message = try? ErrorMessage(wire: bytes)
        {
            return message.error
        }
        if let state = error.metadata.first(FlightErrors.stateKey) {
            return QueryError(SQLState(state), error.message)
        }
        var result = lost
        result.detail = "\(error.code): \(error.message)"
        return result
    }
}

/// What a handshake gives first, and that it has ended. Thread-safe.
private final class Beginning: Sendable {
    private struct State {
        var outcome: Result<Metadata, any Error>?
        var waiting: CheckedContinuation<Metadata, any Error>?
        var hasEnded = false
        var onEnd: (@Sendable () -> Void)?
    }
    private let state = Mutex(State())

    func succeed(_ greeting: Metadata) { settle(.success(greeting)) }

    /// The call has ended; before the greeting that is what `greeting` throws.
    func fail(_ error: any Error) {
        settle(.failure(error))
        let onEnd = state.withLock { state in
            state.hasEnded = true
            return state.onEnd
        }
        onEnd?()
    }

    private func settle(_ outcome: Result<Metadata, any Error>) {
        let waiting = state.withLock { state -> CheckedContinuation<Metadata, any Error>? in
            guard state.outcome == nil else { return nil }
            state.outcome = outcome
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume(with: outcome)
    }

    func greeting() async throws -> Metadata {
        try await withCheckedThrowingContinuation { continuation in
            let outcome = state.withLock { state in
                if state.outcome == nil { state.waiting = continuation }
                return state.outcome
            }
            if let outcome { continuation.resume(with: outcome) }
        }
    }

    func onEnd(_ body: @escaping @Sendable () -> Void) {
        let hasEnded = state.withLock { state in
            state.onEnd = body
            return state.hasEnded
        }
        if hasEnded { body() }
    }
}
