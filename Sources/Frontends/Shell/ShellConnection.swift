// Where the shell's statements run: an engine in this process, or a server.

import Columnar
import Coordination
import Diagnostics
import Synchronization

/// What a statement gives the shell, in this order: notices, perhaps columns and rows, the end.
package enum ShellEvent {
    case notice(QueryError)
    case columns([ResultColumn])
    case rows(ResultRows)
    /// Lines of COPY TO STDOUT.
    case copyData([UInt8])
    case done(tag: String)
}

/// Opens a connection to a server, by the protocol that its address names.
package typealias ServerConnector = @Sendable (ServerAddress) async throws -> any ShellConnection

package protocol ShellConnection: AnyObject, Sendable {
    /// One line that says what the shell is connected to.
    var summary: String { get }
    /// Whether statements see the files that the shell sees.
    var isEmbedded: Bool { get }
    /// Whether it is the engine of this project, with its system tables and statements.
    var isMartlet: Bool { get }
    var transactionStatus: TransactionStatus { get }
    /// The session's number there, as `pg_backend_pid()` gives it.
    var sessionNumber: Int { get }
    /// Where the server is; `nil` if there is none.
    var address: ServerAddress? { get }
    /// Whether the other side is gone.
    var isLost: Bool { get }
    /// Runs the statements of a text. An error ends it. COPY FROM STDIN reads the input.
    func run(_ sql: String, input: CopyInput?, onEvent: (ShellEvent) throws -> Void) async throws
    /// Stops what runs; may be called from anywhere.
    func cancel()
    /// Another session of the same place, to ask about what runs in this one. The same one each time.
    func observer() async throws -> any ShellConnection
    /// Begins a new session in place of a lost one.
    func reconnect() async throws
    func close()
}

extension ShellConnection {
    package func run(_ sql: String, onEvent: (ShellEvent) throws -> Void) async throws {
        try await run(sql, input: nil, onEvent: onEvent)
    }

    /// The rows of a query as texts; NULL is an empty one.
    package func texts(_ sql: String) async throws -> [[String]] {
        var columnCount = 0
        var result: [[String]] = []
        try await run(sql) { event in
            switch event {
            case .columns(let columns): columnCount = columns.count
            case .rows(let rows):
                for row in 0..<rows.rowCount {
                    result.append(
                        (0..<columnCount).map { column in
                            guard !rows.isNull(row, column) else { return "" }
                            var text: [UInt8] = []
                            rows.append(row, column, into: &text)
                            return String(decoding: text, as: UTF8.self)
                        })
                }
            case .notice, .done, .copyData: break
            }
        }
        return result
    }
}

/// A session of the engine in this process.
package final class EmbeddedConnection: ShellConnection {
    private let engine: QueryEngine
    private let applicationName: String
    /// Another one when the first was ended.
    private let current: Mutex<Session>
    private var session: Session { current.withLock { $0 } }

    package init(engine: QueryEngine, applicationName: String = "martlet sql") {
        self.engine = engine
        self.applicationName = applicationName
        current = Mutex(engine.makeSession(applicationName: applicationName))
    }

    package var summary: String { "Connected to the embedded engine, Martlet \(EngineVersion.version)." }
    package var isEmbedded: Bool { true }
    package var address: ServerAddress? { nil }
    package var isMartlet: Bool { true }
    /// A statement can end the session that it runs in.
    package var isLost: Bool { session.isTerminated }
    package var transactionStatus: TransactionStatus { session.transactionStatus }
    package var sessionNumber: Int { Int(truncatingIfNeeded: session.number) }

    package func run(_ sql: String, input: CopyInput?, onEvent: (ShellEvent) throws -> Void) async throws {
        let session = self.session
        session.copyChannel = CopyInputChannel(input: input)
        try await session.run(sql) { result in
            do {
                for notice in result.notices { try onEvent(.notice(notice)) }
                var settings = session.settings.textSettings
                settings.objectNames = result.objectNames
                if let copy = result.copyWriter {
                    if let header = try copy.headerLine() { try onEvent(.copyData(header)) }
                    while let batch = try await result.next() {
                        try onEvent(.copyData(try copy.lines(of: batch, settings: settings)))
                    }
                } else if let fields = result.fields {
                    try onEvent(.columns(fields.map { ResultColumn($0) }))
                    while let batch = try await result.next() {
                        try onEvent(.rows(ResultRows(batch, settings: settings)))
                    }
                }
                try onEvent(.done(tag: result.tag))
            } catch {
                result.cancel()
                throw error
            }
        }
    }

    package func cancel() { session.cancelCurrent() }
    package func observer() async throws -> any ShellConnection {
        EmbeddedConnection(engine: engine, applicationName: "martlet sql, observer")
    }
    package func reconnect() async throws {
        let new = engine.makeSession(applicationName: applicationName)
        let old = current.withLock { session in
            defer { session = new }
            return session
        }
        old.close()
    }
    package func close() {}
}

/// Gives COPY FROM STDIN the data of this side, if there are any.
package struct CopyInputChannel: CopyChannel {
    private let input: CopyInput?
    package init(input: CopyInput?) { self.input = input }

    package func beginInput(columnCount: Int) async throws {
        guard input != nil else { throw CopyInput.missing }
    }
    package func next() async throws -> [UInt8]? { try input?.next() }
}

extension CopyInput {
    package static let missing = QueryError(
        .badCopyFileFormat, "there are no data for COPY FROM STDIN",
        hint: "Use \\copy, or put the lines behind the statement and \\. at their end.")
}
