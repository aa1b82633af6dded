// One client: carries out what the protocol's state machine says, on a session of the engine.

import Columnar
import Coordination
import Diagnostics
import Logging
import NIOCore
import Synchronization

/// Where a connection writes; waits while the client does not keep up.
protocol ConnectionOutput: Sendable {
    func write(_ bytes: [UInt8]) async throws
}

/// Confined to the task that runs it; `session` may be used for cancelling from anywhere.
final class PostgresConnection {
    /// A bound statement with its parameters, and the result once it has been started.
    private final class Portal {
        let statement: PreparedStatement
        let parameters: [ScalarValue]
        let formats: [Int16]
        var result: StatementResult?
        /// Of a named portal with rows: FETCH and MOVE may have taken some of them.
        var cursor: Cursor?
        /// Rows that were fetched and not yet sent.
        var rest: Batch?
        var isAtEnd = false

        init(statement: PreparedStatement, parameters: [ScalarValue], formats: [Int16]) {
            self.statement = statement
            self.parameters = parameters
            self.formats = formats
        }
    }

    /// Bytes after which rows are handed to the network.
    private static let flushByteCount = 64 << 10

    private let server: PostgresServer
    private let output: any ConnectionOutput
    private var instance = ProtocolInstance()
    private var writer = BackendWriter()
    private let rows = RowEncoder()
    private var session: Session?
    private let key: ConnectionKey
    /// What the client proves its name by, until it has, and how the session then begins.
    private var exchange: PasswordExchange?
    private var awaitingParameters: [StartupParameter] = []
    /// The unnamed one; those with names are the session's, so that SQL knows them, too.
    private var unnamedStatement: PreparedStatement?
    private var portals: [String: Portal] = [:]
    /// Gives the client's next message while a statement waits for data; `nil` at the end of the connection.
    private let nextMessage: () async throws -> FrontendMessage?
    /// Settings that changed and that the client is to be told of.
    private let changes = ChangedSettings()

    /// Whether what is read now was encrypted on its way.
    private let isEncrypted: () -> Bool
    /// The session's number.
    private let number: UInt64
    /// Called when the session is ended, from anywhere.
    private let onTermination: @Sendable () -> Void
    /// What the client has text in now; `nil`: UTF-8.
    private(set) var encoding: ClientEncoding?

    init(
        server: PostgresServer, key: ConnectionKey, number: UInt64, output: any ConnectionOutput,
        isEncrypted: @escaping () -> Bool, onTermination: @escaping @Sendable () -> Void,
        nextMessage: @escaping () async throws -> FrontendMessage? = { nil }
    ) {
        self.isEncrypted = isEncrypted
        self.number = number
        self.onTermination = onTermination
        self.nextMessage = nextMessage
        self.server = server
        self.key = key
        self.output = output
    }

    /// Whether the client has a session, and so may take up the server's resources.
    var hasSession: Bool { session != nil }

    /// Handles one message. Returns whether the connection goes on; throws when the client is gone.
    func handle(_ message: FrontendMessage) async throws -> Bool {
        for directive in instance.handle(message) {
            switch directive {
            case .close:
                try await flush()
                return false
            case .start(let parameters, let unknownOptions, let negotiates):
                if negotiates { writer.negotiateProtocolVersion(unknownOptions: unknownOptions) }
                try begin(parameters)
                try await flush()
            case .prove(let bytes):
                try prove(bytes)
                try await flush()
            default: try await carryOut(directive)
            }
        }
        return true
    }

    /// Tells the client of an error after which nothing can be understood any more.
    func abort(_ error: QueryError) async {
        writer.error(error, severity: "FATAL")
        try? await flush()
    }

    func end() {
        for portal in portals.values { portal.result?.cancel() }
        session?.close()
        server.removeSession(key)
    }

    private func flush() async throws {
        let bytes = writer.take()
        if !bytes.isEmpty { try await output.write(bytes) }
    }

    private func requireSession() throws -> Session {
        guard let session else { throw QueryError.internalError("a message before the session") }
        return session
    }

    private func carryOut(_ directive: ProtocolDirective) async throws {
        switch directive {
        case .refuseEncryption:
            writer.refuseEncryption()
            try await flush()
        case .cancel(let process, let secret): server.cancel(ConnectionKey(process: process, secret: secret))
        case .runSimple(let sql): try await offLoop { try await runSimple(sql) }
        case .sync:
            closePortalsOfEndedTransaction()
            try await ready()
        case .flush: try await flush()
        case .fail(let error, let isReadyAfterwards):
            session?.noteFailure()
            writer.error(error)
            if isReadyAfterwards { try await ready() }
        case .abort(let error): writer.error(error, severity: "FATAL")
        case .close, .start, .prove: break
        case .parse, .bind, .describeStatement, .describePortal, .execute, .closeStatement, .closePortal:
            do { try await carryOutExtended(directive) } catch let failure as ClientGone { throw failure } catch {
                session?.noteFailure()
                if session?.isTerminated == true { throw Session.terminatedError }
                reportChanges()
                writer.error(QueryError.wrapping(error))
                instance.extendedMessageFailed()
                try await flush()
            }
        }
    }

    // MARK: - Start

    /// Errors end the connection.
    private func begin(_ parameters: [StartupParameter]) throws {
        if server.requiresEncryption, !isEncrypted() {
            throw QueryError(
                .invalidAuthorization, "connections without encryption are not taken", hint: "Use sslmode=require.")
        }
        let user = parameters.last { $0.name == "user" }?.value ?? ""
        guard let verifier = try server.authenticator.verifier(user: user) else { return try start(parameters) }
        exchange = PasswordExchange(user: user, verifier: verifier)
        awaitingParameters = parameters
        instance.authenticationBegan()
        writer.authenticationSASL(mechanisms: PasswordExchange.mechanisms)
    }

    /// Errors end the connection.
    private func prove(_ bytes: [UInt8]) throws {
        guard var current = exchange else { throw QueryError.internalError("a proof that nobody asked for") }
        exchange = nil
        switch try current.handle(bytes) {
        case .goesOn(let data):
            writer.authenticationSASLContinue(data)
            exchange = current
        case .isProven(let data):
            writer.authenticationSASLFinal(data)
            instance.authenticated()
            try start(awaitingParameters)
            awaitingParameters = []
        }
    }

    /// Errors end the connection.
    private func start(_ parameters: [StartupParameter]) throws {
        func value(_ name: String) -> String? { parameters.last { $0.name == name }?.value }
        let user = value("user") ?? ""
        let session = server.engine.makeSession(
            user: user, database: value("database").flatMap { $0.isEmpty ? nil : $0 } ?? user,
            applicationName: value("application_name") ?? "", number: number)
        self.session = session
        session.onTermination(onTermination)
        session.copyChannel = ConnectionCopyChannel(self)
        var settings = parameters.filter {
            !["user", "database", "application_name", "options", "replication"].contains($0.name)
        }
        settings += StartupOptions.parse(value("options") ?? "")
        var refused: [QueryError] = []
        for setting in settings {
            do { try session.changeSetting(setting.name, to: setting.value) } catch {
                // Text that both sides read differently is worse than none.
                if SessionSettings.canonicalName(setting.name) == "client_encoding" { throw error }
                refused.append(QueryError.wrapping(error))
            }
        }
        session.beginWithSettings()
        takeEncoding()
        session.onSettingChange { [changes] name, value in changes.append(name, value) }
        writer.authenticationOk()
        for definition in SessionSettings.definitions where definition.isReported {
            let name = SessionSettings.reportedName(definition.name)
            writer.parameterStatus(
                name, definition.name == "session_authorization" ? user : session.settings[definition.name])
        }
        writer.backendKeyData(process: key.process, secret: key.secret)
        for error in refused { writer.notice(error) }
        server.addSession(session, key)
        writer.readyForQuery("I")
    }

    private func ready() async throws {
        reportChanges()
        let status: Character
        switch session?.transactionStatus ?? .idle {
        case .idle: status = "I"
        case .inTransaction: status = "T"
        case .failed: status = "E"
        }
        writer.readyForQuery(status)
        try await flush()
    }

    private func reportChanges() {
        for (name, value) in changes.take() {
            if name == "client_encoding" { takeEncoding() }
            writer.parameterStatus(name, value)
        }
    }

    private func takeEncoding() {
        encoding = session?.settings.clientEncoding
        writer.encoding = encoding
        rows.encoding = encoding
    }

    // MARK: - Simple queries

    private func runSimple(_ sql: String) async throws {
        let session = try requireSession()
        // A simple query drops the unnamed statement and portal.
        unnamedStatement = nil
        closePortal("")
        var isEmpty = true
        do {
            try await session.run(sql) { result in
                isEmpty = false
                for notice in result.notices { writer.notice(notice) }
                if let copy = result.copyWriter {
                    try await sendCopy(result, copy, session)
                } else if let fields = result.fields {
                    writer.rowDescription(fields, formats: [])
                    try await sendAll(result, fields: fields, session: session)
                }
                reportChanges()
                writer.commandComplete(result.tag)
            }
            if isEmpty { writer.emptyQueryResponse() }
        } catch {
            let wrapped = QueryError.wrapping(error)
            if let gone = wrapped.cause as? ClientGone { throw gone }
            if session.isTerminated { throw Session.terminatedError }
            reportChanges()
            writer.error(wrapped)
        }
        closePortalsOfEndedTransaction()
        try await ready()
    }

    private func sendAll(_ result: StatementResult, fields: [Field], session: Session) async throws {
        let isBinary = [Bool](repeating: false, count: fields.count)
        do {
            while let batch = try await result.next() {
                try await send(batch, isBinary: isBinary, settings: textSettings(session, result))
            }
        } catch {
            result.cancel()
            throw error
        }
    }

    private func sendCopy(_ result: StatementResult, _ copy: CopyWriter, _ session: Session) async throws {
        writer.copyResponse(isInput: false, columnCount: copy.columnCount)
        if let header = try copy.headerLine() { writer.copyData(header) }
        let settings = textSettings(session, result)
        do {
            while let batch = try await result.next() {
                try await rows.copyData(batch, copy, settings: settings, send)
            }
        } catch {
            result.cancel()
            throw error
        }
        writer.copyDone()
    }

    // MARK: - COPY from the client

    fileprivate func beginCopyInput(columnCount: Int) async throws {
        writer.copyResponse(isInput: true, columnCount: columnCount)
        try await flush()
    }

    fileprivate func nextCopyData() async throws -> [UInt8]? {
        while true {
            guard let message = try await nextMessage() else {
                throw QueryError(.connectionFailure, "the client went away during COPY", cause: ClientGone())
            }
            switch message {
            case .copyData(let bytes): return bytes
            case .copyDone: return nil
            case .copyFail(let reason):
                throw QueryError(.queryCanceled, "COPY from stdin failed: \(reason)")
            case .flush, .sync: continue
            case .unreadable(let error, _): throw error
            case .terminate:
                throw QueryError(.connectionFailure, "the client went away during COPY", cause: ClientGone())
            default:
                throw QueryError(.protocolViolation, "unexpected message during COPY from stdin")
            }
        }
    }

    private func textSettings(_ session: Session, _ result: StatementResult? = nil) -> TextSettings {
        var settings = session.settings.textSettings
        settings.objectNames = result?.objectNames
        return settings
    }

    private func send(_ batch: Batch, isBinary: [Bool], settings: TextSettings) async throws {
        try await rows.dataRows(batch, isBinary: isBinary, settings: settings, send)
    }

    /// Sends messages behind those that wait; small ones wait, too.
    private func send(_ messages: [UInt8]) async throws {
        if writer.bytes.count + messages.count < Self.flushByteCount {
            messages.withUnsafeBytes { writer.append($0) }
        } else {
            try await flush()
            try await output.write(messages)
        }
    }

    // MARK: - Extended queries

    private func carryOutExtended(_ directive: ProtocolDirective) async throws {
        switch directive {
        case .parse(let name, let sql, let types): try await offLoop { try await parse(name, sql, types) }
        case .bind(let message): try await bind(message)
        case .describeStatement(let name):
            let statement = try statement(name)
            writer.parameterDescription(statement.parameterTypes)
            if let fields = statement.fields { writer.rowDescription(fields, formats: []) } else { writer.noData() }
        case .describePortal(let name):
            if portals[name] == nil, let fields = session?.cursorFields(name) {
                return writer.rowDescription(fields, formats: [])
            }
            let portal = try portal(name)
            if let fields = portal.result?.fields ?? portal.statement.fields {
                writer.rowDescription(fields, formats: portal.formats)
            } else {
                writer.noData()
            }
        case .execute(let name, let limit):
            // Planning takes long, and so may what is planned anew each time.
            let portal = portals[name]
            if portal?.statement.keepsPlan ?? true {
                try await execute(name, limit: limit)
            } else {
                try await offLoop { try await execute(name, limit: limit) }
            }
        case .closeStatement(let name):
            if name.isEmpty { unnamedStatement = nil } else { session?.forget(name) }
            writer.closeComplete()
        case .closePortal(let name):
            closePortal(name)
            writer.closeComplete()
        default: break
        }
        if writer.bytes.count >= Self.flushByteCount { try await flush() }
    }

    private func statement(_ name: String) throws -> PreparedStatement {
        guard let statement = name.isEmpty ? unnamedStatement : session?.preparedStatement(name) else {
            let text =
                name.isEmpty
                ? "unnamed prepared statement does not exist" : "prepared statement \"\(name)\" does not exist"
            throw QueryError(.invalidSQLStatementName, text)
        }
        return statement
    }

    private func portal(_ name: String) throws -> Portal {
        guard let portal = portals[name] else { throw Self.missingPortal(name) }
        return portal
    }

    private static func missingPortal(_ name: String) -> QueryError {
        QueryError(.invalidCursorName, "portal \"\(name)\" does not exist")
    }

    private func closePortal(_ name: String) {
        portals.removeValue(forKey: name)?.result?.cancel()
        // A cursor of SQL, too, may be closed like this.
        if !name.isEmpty { session?.closeCursor(name) }
    }

    private func closePortalsOfEndedTransaction() {
        guard session?.transactionStatus == .idle else { return }
        for (name, portal) in portals {
            if !portal.isAtEnd { portal.result?.cancel() }
            if portal.cursor != nil { session?.closeCursor(name) }
        }
        portals.removeAll()
    }

    private func parse(_ name: String, _ sql: String, _ types: [Int32]) async throws {
        let session = try requireSession()
        if name.isEmpty {
            unnamedStatement = nil
        } else if session.preparedStatement(name) != nil {
            throw QueryError(.duplicatePreparedStatement, "prepared statement \"\(name)\" already exists")
        }
        let prepared = try await session.prepare(
            sql, parameterTypes: try types.map { try PostgresType.dataType($0) })
        if name.isEmpty { unnamedStatement = prepared } else { session.keep(prepared, as: name) }
        writer.parseComplete()
    }

    private func bind(_ message: BindMessage) async throws {
        let session = try requireSession()
        let prepared = try statement(message.statement)
        guard message.parameters.count == prepared.parameterTypes.count else {
            throw QueryError(
                .protocolViolation,
                "bind message supplies \(message.parameters.count) parameters, but prepared statement "
                    + "\"\(message.statement)\" requires \(prepared.parameterTypes.count)")
        }
        guard message.parameterFormats.count <= 1 || message.parameterFormats.count == message.parameters.count else {
            throw MessageFraming.violation(
                "bind message has \(message.parameterFormats.count) parameter formats but \(message.parameters.count) parameters"
            )
        }
        if !message.portal.isEmpty, portals[message.portal] != nil || session.cursorFields(message.portal) != nil {
            throw QueryError(SQLState("42P03"), "portal \"\(message.portal)\" already exists")
        }
        var settings = textSettings(session)
        // The text may be a name.
        if prepared.parameterTypes.contains(where: { if case .registered = $0 { true } else { false } }) {
            settings.objectNames = try await session.objectNames()
        }
        let encoding = self.encoding
        let values = try message.parameters.enumerated().map { index, bytes -> ScalarValue in
            guard let bytes else { return .null }
            let type = prepared.parameterTypes[index]
            switch BackendWriter.format(message.parameterFormats, index) {
            case 0: return try PostgresType.value(text: bytes, as: type, settings: settings, encoding: encoding)
            case 1: return try PostgresType.value(binary: bytes, as: type, encoding: encoding)
            case let format: throw QueryError(.invalidParameterValue, "unsupported format code: \(format)")
            }
        }
        if let fields = prepared.fields {
            for (index, field) in fields.enumerated()
            where BackendWriter.format(message.resultFormats, index) == 1 && !PostgresType.hasBinaryForm(field.type) {
                throw QueryError.notSupported("the binary form of type \(field.type.sqlName)")
            }
        }
        closePortal(message.portal)
        let portal = Portal(statement: prepared, parameters: values, formats: message.resultFormats)
        if !message.portal.isEmpty, prepared.onlyReads {
            portal.cursor = try session.openPortal(message.portal, prepared, values)
        }
        portals[message.portal] = portal
        writer.bindComplete()
    }

    private func execute(_ name: String, limit: Int) async throws {
        let portal = try portal(name)
        let session = try requireSession()
        guard portal.statement.statement != nil else { return writer.emptyQueryResponse() }
        // CLOSE ended it.
        if portal.cursor?.isClosed == true { throw Self.missingPortal(name) }
        let result: StatementResult
        if let started = portal.result ?? portal.cursor?.result {
            result = started
        } else {
            result = try await session.execute(portal.statement, parameters: portal.parameters)
            portal.cursor?.start(result)
            for notice in result.notices { writer.notice(notice) }
        }
        portal.result = result
        if let copy = result.copyWriter {
            try await sendCopy(result, copy, session)
            portal.isAtEnd = true
            return writer.commandComplete(result.tag)
        }
        guard let fields = result.fields else {
            portal.isAtEnd = true
            reportChanges()
            return writer.commandComplete(result.tag)
        }
        let isBinary = fields.indices.map { BackendWriter.format(portal.formats, $0) == 1 }
        let settings = textSettings(session, result)
        var left = limit == 0 ? Int.max : limit
        while left > 0 {
            let next: Batch?
            if let cursor = portal.cursor {
                next = try await cursor.forward(left)
            } else if let rest = portal.rest {
                next = rest
            } else {
                next = try await result.next()
            }
            portal.rest = nil
            guard let batch = next else {
                portal.isAtEnd = true
                reportChanges()
                return writer.commandComplete(result.tag)
            }
            if batch.rowCount > left {
                portal.rest = batch.slice(left, batch.rowCount - left)
                try await send(batch.prefix(left), isBinary: isBinary, settings: settings)
                left = 0
            } else {
                try await send(batch, isBinary: isBinary, settings: settings)
                left -= batch.rowCount
            }
        }
        writer.portalSuspended()
    }
}

/// The data of COPY on a connection. A statement runs within the connection's own task, which waits for it, so nobody else
/// uses the connection meanwhile.
private final class ConnectionCopyChannel: CopyChannel, @unchecked Sendable {
    private weak var connection: PostgresConnection?
    init(_ connection: PostgresConnection) { self.connection = connection }

    func beginInput(columnCount: Int) async throws {
        try await connection?.beginCopyInput(columnCount: columnCount)
    }

    func next() async throws -> [UInt8]? { try await connection?.nextCopyData() }
}

/// The client does not take what is written.
struct ClientGone: Error {}

/// Settings changed by a statement, in order. Shared with the session, which calls from its own task.
private final class ChangedSettings: Sendable {
    private let state = Mutex<[(String, String)]>([])
    func append(_ name: String, _ value: String) { state.withLock { $0.append((name, value)) } }
    func take() -> [(String, String)] {
        state.withLock { state in
            defer { state = [] }
            return state
        }
    }
}
