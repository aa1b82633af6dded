// Which messages of a client are taken when: the protocol as a state machine without input and output.

import Diagnostics

/// What is to be done for a message, in order.
enum ProtocolDirective: Sendable, Equatable {
    case refuseEncryption
    case cancel(process: Int32, secret: Int32)
    /// Open a session and greet the client. Unknown protocol options are to be named, and a newer minor version.
    case start(parameters: [StartupParameter], unknownOptions: [String], negotiates: Bool)
    /// A message of the client about who it is; the shell calls `authenticated` when it knows.
    case prove([UInt8])
    case runSimple(String)
    case parse(name: String, sql: String, types: [Int32])
    case bind(BindMessage)
    case describeStatement(String)
    case describePortal(String)
    case execute(portal: String, rowLimit: Int)
    case closeStatement(String)
    case closePortal(String)
    /// End of a series of extended messages: portals of an ended transaction go, and the client is told the status.
    case sync
    case flush
    /// An error that leaves the connection usable, and then perhaps the status.
    case fail(QueryError, isReadyAfterwards: Bool)
    /// An error that ends the connection.
    case abort(QueryError)
    case close

    static func == (a: ProtocolDirective, b: ProtocolDirective) -> Bool {
        String(describing: a) == String(describing: b)
    }
}

/// One connection. After `start` the shell calls `authenticationBegan` unless it takes the client's word for its name; after
/// `execute` and its like fail, `extendedMessageFailed`.
struct ProtocolInstance: Sendable {
    private enum Phase { case starting, authenticating, ready, closed }
    private var phase = Phase.starting
    private var encryptionRequests = 0
    /// After an error in an extended message everything up to Sync is passed over.
    private(set) var isSkipping = false

    init() {}

    mutating func extendedMessageFailed() { isSkipping = true }
    mutating func authenticationBegan() { phase = .authenticating }
    mutating func authenticated() { phase = .ready }

    mutating func handle(_ message: FrontendMessage) -> [ProtocolDirective] {
        switch phase {
        case .starting: return handleStarting(message)
        case .authenticating:
            switch message {
            case .password(let bytes): return [.prove(bytes)]
            case .terminate:
                phase = .closed
                return [.close]
            default: return abort(MessageFraming.violation("a message of authentication was expected"))
            }
        case .ready: return handleReady(message)
        case .closed: return []
        }
    }

    private mutating func handleStarting(_ message: FrontendMessage) -> [ProtocolDirective] {
        switch message {
        case .sslRequest, .gssRequest:
            encryptionRequests += 1
            // One for each kind of encryption.
            guard encryptionRequests <= 2 else {
                return abort(MessageFraming.violation("too many requests for encryption"))
            }
            return [.refuseEncryption]
        case .cancelRequest(let process, let secret):
            phase = .closed
            return [.cancel(process: process, secret: secret), .close]
        case .startup(let minor, let parameters):
            guard parameters.contains(where: { $0.name == "user" && !$0.value.isEmpty }) else {
                return abort(
                    QueryError(SQLState("28000"), "no PostgreSQL user name specified in startup packet"))
            }
            if let replication = parameters.first(where: { $0.name == "replication" })?.value,
                !["false", "off", "no", "0"].contains(replication.lowercased())
            {
                return abort(QueryError.notSupported("replication"))
            }
            phase = .ready
            let unknown = parameters.map(\.name).filter { $0.hasPrefix("_pq_.") }
            return [
                .start(
                    parameters: parameters.filter { !$0.name.hasPrefix("_pq_.") }, unknownOptions: unknown,
                    negotiates: minor > 0 || !unknown.isEmpty)
            ]
        default: return abort(MessageFraming.violation("a startup message was expected"))
        }
    }

    private mutating func handleReady(_ message: FrontendMessage) -> [ProtocolDirective] {
        if isSkipping {
            switch message {
            case .sync: isSkipping = false
            case .terminate: break
            default: return []
            }
        }
        switch message {
        case .query(let sql): return [.runSimple(sql)]
        case .parse(let name, let sql, let types): return [.parse(name: name, sql: sql, types: types)]
        case .bind(let bind): return [.bind(bind)]
        case .describeStatement(let name): return [.describeStatement(name)]
        case .describePortal(let name): return [.describePortal(name)]
        case .execute(let portal, let limit): return [.execute(portal: portal, rowLimit: limit)]
        case .closeStatement(let name): return [.closeStatement(name)]
        case .closePortal(let name): return [.closePortal(name)]
        case .sync: return [.sync]
        case .flush: return [.flush]
        case .terminate:
            phase = .closed
            return [.close]
        case .unreadable(let error, let isExtended):
            isSkipping = isExtended
            return [.fail(error, isReadyAfterwards: !isExtended)]
        case .functionCall: return [.fail(QueryError.notSupported("function call messages"), isReadyAfterwards: true)]
        // Left over from a COPY that ended early.
        case .copyData, .copyDone, .copyFail: return []
        case .password, .sslRequest, .gssRequest, .cancelRequest, .startup:
            return abort(MessageFraming.violation("the message does not belong here"))
        }
    }

    private mutating func abort(_ error: QueryError) -> [ProtocolDirective] {
        phase = .closed
        return [.abort(error), .close]
    }
}
