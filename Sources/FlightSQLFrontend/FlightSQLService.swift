// FlightSQLFrontend serves Arrow Flight SQL: statements by gRPC, rows as Arrow's record batches.
//
//   FlightSQLService   the service as a gRPC server takes it, and who a call comes from
//   Protocol/          messages, commands, errors
//   State/             what is kept between calls
//   Calls/             what is answered
//   Client/            the shell's connection, which is the other side of the same protocol

import Coordination
import Diagnostics
import Frontends
import GRPCCore
import Logging
import Synchronization

package struct FlightSQLOptions: Sendable {
    package var limits = FlightLimits()
    package init() {}
}

/// Flight's service over one engine.
package final class FlightSQLService: RegistrableRPCService {
    typealias State = FlightStateInstance<FlightSession, FlightStatement, FlightTicketContent>

    let engine: QueryEngine
    private let authenticator: any Authenticator
    private let logger: Logger
    private let start = ContinuousClock.now
    private let state: Mutex<State>
    /// Streams that are being read, by their tickets.
    let streams = RunningStreams()

    package init(
        engine: QueryEngine, authenticator: any Authenticator = OpenAuthenticator(),
        options: FlightSQLOptions = FlightSQLOptions(), logger: Logger
    ) {
        self.engine = engine
        self.authenticator = authenticator
        self.logger = logger
        state = Mutex(State(limits: options.limits))
    }

    /// Ends what has outlived its time; until its task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(5))
            let now = self.now
            let expired = state.withLock { $0.expire(at: now) }
            for ticket in expired.tickets { ticket.drop() }
            for session in expired.sessions { session.close() }
            for session in expired.transactions {
                logger.info("a transaction without statements is rolled back", metadata: ["user": "\(session.user)"])
                _ = try? await session.exclusively { try await session.run("ROLLBACK") }
            }
        }
    }

    package func shutdown() {
        for session in state.withLock({ $0.closeAll() }) { session.close() }
    }

    var now: Duration { ContinuousClock.now - start }

    func withState<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
        try state.withLock { try body(&$0) }
    }

    // MARK: - Who calls

    /// Makes a session for the client of a handshake, and its token.
    func openSession(metadata: Metadata, payload: [UInt8]?) async throws -> (token: String, session: FlightSession) {
        let user: String
        if let credentials = try Credentials(metadata) {
            switch credentials {
            case .basic(let name, let password):
                try await authenticator.authenticate(user: name, password: password)
                user = name
            case .token(let token):
                guard let name = authenticator.user(token: token) else {
                    throw QueryError(
                        .invalidAuthorization, "a handshake needs a name and a password, or the token of a user")
                }
                user = name
            }
        } else if let payload, !payload.isEmpty, let basic = try? BasicCredentials(wire: payload), !basic.user.isEmpty {
            try await authenticator.authenticate(user: basic.user, password: basic.password)
            user = basic.user
        } else {
            user = try anonymousUser()
        }
        let token = FlightHandle.random().description
        return (token, try open(.token(token), user: user, metadata))
    }

    private func anonymousUser() throws -> String {
        guard let user = authenticator.anonymousUser else {
            throw QueryError(
                .invalidAuthorization, "no credentials were given",
                hint: "Send a handshake with a user name and a password first.")
        }
        return user
    }

    private func open(_ key: FlightSessionKey, user: String, _ metadata: Metadata) throws -> FlightSession {
        let application = metadata.first(SessionMetadata.applicationKey) ?? metadata.first("user-agent") ?? "flight-sql"
        let database = metadata.first(SessionMetadata.databaseKey) ?? "martlet"
        let session = FlightSession(
            key: key, user: user,
            session: engine.makeSession(user: user, database: database, applicationName: application),
            isAttached: metadata.first(SessionMetadata.attachKey) != nil)
        let now = self.now
        do {
            try withState { try $0.open(key, user: user, session, at: now) }
        } catch {
            session.close()
            throw error
        }
        // The client's next call finds no session, or begins another.
        session.session.onTermination { [weak self, weak session] in
            if let self, let session { close(session) }
        }
        return session
    }

    /// The session of a call. A call without a token has the session of its connection.
    private func session(_ metadata: Metadata, peer: String) async throws -> FlightSession {
        let key: FlightSessionKey
        let user: String
        switch try Credentials(metadata) {
        case .token(let token)?:
            if let name = authenticator.user(token: token) {
                (key, user) = (.peer(peer, user: name), name)
            } else {
                (key, user) = (.token(token), "")
            }
        case .basic(let name, let password)?:
            try await authenticator.authenticate(user: name, password: password)
            (key, user) = (.peer(peer, user: name), name)
        case nil:
            user = try anonymousUser()
            key = .peer(peer, user: user)
        }
        let now = self.now
        if let session = withState({ $0.beginCall(key, at: now) }) { return session }
        guard case .peer = key else { throw State.noSession }
        let session = try open(key, user: user, metadata)
        _ = withState { $0.beginCall(key, at: now) }
        return session
    }

    /// Runs a call within its session; errors become statuses. The metadata are for the call's end.
    func call<Result>(
        _ metadata: Metadata, _ context: ServerContext, _ body: (FlightSession) async throws -> Result
    ) async throws -> (result: Result, trailers: Metadata) {
        let report = CallReport()
        var attached: FlightSession?
        do {
            let session = try await session(metadata, peer: context.remotePeer)
            if session.isAttached { attached = session }
            defer {
                let now = self.now
                withState { $0.endCall(session.key, at: now) }
            }
            // The client's trace, which queries that the call starts become a part of.
            let trace = metadata[stringValues: "traceparent"].first { _ in true }.flatMap {
                TraceContext(traceparent: $0)
            }
            let result = try await CallReport.$current.withValue(attached == nil ? nil : report) {
                guard let trace else { return try await body(session) }
                return try await TraceContext.$current.withValue(trace) { try await body(session) }
            }
            return (result, attached == nil ? [:] : report.metadata(session.session))
        } catch {
            guard let attached else { throw FlightErrors.rpcError(error) }
            throw FlightErrors.rpcError(error, reporting: report.metadata(attached.session))
        }
    }

    /// Keeps the session of a client that stays: until the client ends the call or goes, or the session is ended.
    func hold(_ session: FlightSession, _ messages: RPCAsyncSequence<HandshakeMessage, any Error>) async {
        let began = now
        guard withState({ $0.beginCall(session.key, at: began) }) != nil else { return }
        await withRPCCancellationHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    do { for try await _ in messages {} } catch { return }
                }
                group.addTask { await session.waitForEnd() }
                await group.next()
                group.cancelAll()
            }
        } onCancelRPC: {
            session.close()
        }
        close(session)
    }
}

/// What a call's metadata says of its client.
enum Credentials {
    case basic(user: String, password: String)
    case token(String)

    init?(_ metadata: Metadata) throws {
        if let header = metadata[stringValues: "authorization"].first(where: { _ in true }) {
            switch try HeaderCredentials(header: header) {
            case .basic(let user, let password): self = .basic(user: user, password: password)
            case .token(let token): self = .token(token)
            }
            return
        }
        // What older clients send back of a handshake's payload.
        if let bytes = metadata[binaryValues: "auth-token-bin"].first(where: { _ in true }) {
            self = .token(String(decoding: bytes, as: UTF8.self))
            return
        }
        return nil
    }
}

/// Streams of rows that clients are reading.
final class RunningStreams: Sendable {
    final class Stream: Sendable {
        let result: StatementResult
        private let cancelled = Atomic<Bool>(false)
        init(_ result: StatementResult) { self.result = result }

        var isCancelled: Bool { cancelled.load(ordering: .relaxed) }
        func cancel() {
            cancelled.store(true, ordering: .relaxed)
            result.cancel()
        }
    }
    private let streams = Mutex<[FlightHandle: Stream]>([:])

    func add(_ handle: FlightHandle, _ stream: Stream) { streams.withLock { $0[handle] = stream } }
    func remove(_ handle: FlightHandle) { _ = streams.withLock { $0.removeValue(forKey: handle) } }

    /// Whether there was such a stream.
    func cancel(_ handle: FlightHandle) -> Bool {
        guard let stream = streams.withLock({ $0[handle] }) else { return false }
        stream.cancel()
        return true
    }
}
