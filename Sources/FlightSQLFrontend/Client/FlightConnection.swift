// The shell's connection to a server, over Arrow Flight SQL: rows come as record batches and stay columns.
//
//   FlightConnection   statements, results, cancelling
//   FlightLink         one session on a server: how it begins, how long it lives
//   FlightChannel      calls of Flight over gRPC

import Columnar
import Coordination
import Diagnostics
import FileFormats
import Frontends
import GRPCCore
import Synchronization

/// Statements run one after the other, on a thread of the connection's own: whoever takes rows may block it. `cancel` may come
/// from any thread.
package final class FlightConnection: ShellConnection {
    private struct State {
        var link: FlightLink
        var transaction = TransactionStatus.idle
        var settings = TextSettings()
        var running: RunningStatement?
        var observer: FlightConnection?
    }

    private let serverAddress: ServerAddress
    private let thread = BlockingThread()
    private let state: Mutex<State>
    /// How long after a request to stop it is made again, if the statement still runs: it may have come before the statement.
    private static let cancelPauses: [Duration] = [.zero, .milliseconds(20), .milliseconds(200), .seconds(2)]

    package static func open(_ address: ServerAddress) async throws -> FlightConnection {
        FlightConnection(address, try await FlightLink.open(address))
    }

    private init(_ address: ServerAddress, _ link: FlightLink) {
        serverAddress = address
        state = Mutex(State(link: link))
        take(link.greeting)
    }

    deinit { close() }

    private var link: FlightLink { state.withLock { $0.link } }

    package var address: ServerAddress? { serverAddress }
    package var isEmbedded: Bool { false }
    package var isMartlet: Bool { !link.version.isEmpty }
    package var isLost: Bool { link.isLost }
    package var transactionStatus: TransactionStatus { state.withLock { $0.transaction } }
    package var sessionNumber: Int { link.number }

    package var summary: String {
        "Connected to \(serverAddress.host):\(serverAddress.port) as \(serverAddress.user), "
            + "database \(serverAddress.database), server Martlet \(link.version), by Flight SQL"
            + (link.channel.isEncrypted ? " with TLS." : ".")
    }

    package func reconnect() async throws {
        close()
        let link = try await FlightLink.open(serverAddress)
        state.withLock { $0.link = link }
        take(link.greeting)
    }

    /// A session of its own on the same channel.
    package func observer() async throws -> any ShellConnection {
        if let known = state.withLock({ $0.observer }), !known.isLost { return known }
        var address = serverAddress
        address.applicationName += ", observer"
        let opened = FlightConnection(address, try await FlightLink.attach(to: link.channel, address))
        state.withLock { $0.observer = opened }
        return opened
    }

    package func close() {
        let (link, observer) = state.withLock { state in
            defer { state.observer = nil }
            return (state.link, state.observer)
        }
        observer?.close()
        link.close()
    }

    package func cancel() {
        let (link, running) = state.withLock { ($0.link, $0.running) }
        guard let running else { return }
        running.cancel()
        Task {
            for pause in Self.cancelPauses {
                try? await Task.sleep(for: pause)
                guard running.isGoingOn else { return }
                try? await link.cancel()
            }
        }
    }

    // MARK: - Statements

    package func run(_ sql: String, input: CopyInput?, onEvent: (ShellEvent) throws -> Void) async throws {
        let link = self.link
        guard !link.isLost else { throw FlightLink.lost }
        try await withoutActuallyEscaping(onEvent) { onEvent in
            let running = RunningStatement(onEvent) { [weak self] in self?.cancel() }
            state.withLock { $0.running = running }
            defer {
                running.end()
                state.withLock { $0.running = nil }
            }
            do {
                try await withTaskExecutorPreference(thread) {
                    if let input {
                        try await self.send(sql, input, link, running)
                    } else {
                        try await self.fetch(sql, link, running)
                    }
                }
            } catch {
                throw running.failure ?? note(error, link)
            }
            if let failure = running.failure { throw failure }
        }
    }

    /// What trailers say of the session.
    private func take(_ metadata: Metadata) {
        var values = SessionSettings()
        for name in SessionMetadata.settingNames {
            if let value = metadata.first(SessionMetadata.settingKey(name)) { _ = try? values.set(name, to: value) }
        }
        let settings = values.textSettings
        state.withLock { state in
            switch metadata.first(SessionMetadata.transactionKey) {
            case "open": state.transaction = .inTransaction
            case "failed": state.transaction = .failed
            case "idle": state.transaction = .idle
            default: return
            }
            state.settings = settings
        }
    }

    /// The error of a call as the engine's, with what it says of the session.
    private func note(_ error: any Error, _ link: FlightLink) -> QueryError {
        if let error = error as? RPCError { take(error.metadata) }
        let error = link.queryError(error)
        // Whose session is ended has no other use for the link.
        if error.state == .adminShutdown { link.noteLoss() }
        if link.isLost { state.withLock { $0.transaction = .idle } }
        return error
    }

    /// Notices, and the tag that the trailers end with.
    private func finish(_ trailers: Metadata, _ running: RunningStatement) -> String {
        take(trailers)
        for bytes in trailers[binaryValues: SessionMetadata.noticeKey] {
            if let notice = try? ErrorMessage(wire: bytes) { running.deliver(.notice(notice.error)) }
        }
        return trailers.first(SessionMetadata.tagKey) ?? ""
    }

    private func fetch(_ sql: String, _ link: FlightLink, _ running: RunningStatement) async throws {
        let rows = FlightRows(settings: state.withLock { $0.settings })
        let end = try await link.get(sql) { data in try rows.take(data, running) }
        running.deliver(.done(tag: finish(end, running)))
    }

    private func send(
        _ sql: String, _ input: CopyInput, _ link: FlightLink, _ running: RunningStatement
    ) async throws {
        let descriptor = FlightDescriptor(command: FlightCommand.statementBytes(sql, isUpdate: true))
        let trailers = try await link.put { writer in
            let encoder = ArrowStreamEncoder([CopyPieces.field], as: .plain, settings: TextSettings())
            try await writer.write(
                FlightData(descriptor: descriptor, header: ArrowMessage.schema(encoder.fields).header))
            while !running.isCancelled {
                let piece: [UInt8]?
                do { piece = try input.next() } catch {
                    // What goes wrong on this side ends the statement there.
                    running.fail(error)
                    throw error
                }
                guard let piece else { return }
                _ = try encoder.append(CopyPieces.batch(piece), from: 0)
                if let message = encoder.take() { try await writer.write(FlightData(copying: message)) }
            }
        }
        running.deliver(.done(tag: finish(trailers, running)))
    }
}

/// Messages of a result as events. Confined to the call that brings them.
private final class FlightRows: @unchecked Sendable {
    private let settings: TextSettings
    private var decoder = ArrowStreamDecoder()
    private var hasColumns = false
    private var isCopy = false

    init(settings: TextSettings) { self.settings = settings }

    func take(_ data: FlightData, _ running: RunningStatement) throws {
        guard !data.header.isEmpty else { return }
        let batch = try decoder.decode(header: data.header, body: data.body)
        if !hasColumns, let fields = decoder.fields, let types = decoder.catalogTypes {
            hasColumns = true
            // Columns of other results say what type they are.
            isCopy = fields.count == 1 && types[0] == nil && fields[0].name == CopyPieces.field.name
            let columns = zip(fields, types).map { field, type in
                type.map { ResultColumn(name: field.name, postgresType: $0.number, modifier: $0.modifier) }
                    ?? ResultColumn(field)
            }
            if !isCopy { running.deliver(.columns(columns)) }
        }
        guard let batch, batch.rowCount > 0 else { return }
        guard isCopy else { return running.deliver(.rows(ResultRows(batch, settings: settings))) }
        guard batch.columnCount == 1, batch.column(0).type == .bytea else {
            throw QueryError(.protocolViolation, "the server sent data of COPY in an unknown form")
        }
        for row in 0..<batch.rowCount {
            if case .bytes(let piece) = batch.column(0).value(at: row) { running.deliver(.copyData(piece)) }
        }
    }
}

/// Who takes what a statement gives, and whether it is to stop. Events are delivered by one task at a time, while `run` waits.
private final class RunningStatement: @unchecked Sendable {
    private struct State {
        var isCancelled = false
        var isGoingOn = true
        var failure: (any Error)?
    }
    private let state = Mutex(State())
    /// Until the statement ends: whoever asks about it later must not keep it.
    private var onEvent: ((ShellEvent) throws -> Void)?
    private let stop: @Sendable () -> Void

    init(_ onEvent: @escaping (ShellEvent) throws -> Void, stop: @escaping @Sendable () -> Void) {
        self.onEvent = onEvent
        self.stop = stop
    }

    var isCancelled: Bool { state.withLock { $0.isCancelled } }
    var isGoingOn: Bool { state.withLock { $0.isGoingOn } }
    /// What went wrong on this side.
    var failure: (any Error)? { state.withLock { $0.failure } }

    func cancel() { state.withLock { $0.isCancelled = true } }
    func end() {
        onEvent = nil
        state.withLock { $0.isGoingOn = false }
    }
    func fail(_ error: any Error) { state.withLock { $0.failure = $0.failure ?? error } }

    /// After a failure on this side nothing more is delivered, and the server is asked to stop.
    func deliver(_ event: ShellEvent) {
        guard failure == nil else { return }
        do { try onEvent?(event) } catch {
            fail(error)
            stop()
        }
    }
}
