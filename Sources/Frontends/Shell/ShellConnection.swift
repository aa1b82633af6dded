// Where the shell's statements run: an engine in this process, or a server.

import Columnar
import Coordination
import Diagnostics

/// What a statement gives the shell, in this order: notices, perhaps columns and rows, the end.
package enum ShellEvent {
    case notice(QueryError)
    case columns([ResultColumn])
    case rows(ResultRows)
    case done(tag: String)
}

package protocol ShellConnection: AnyObject, Sendable {
    /// One line that says what the shell is connected to.
    var summary: String { get }
    /// Runs the statements of a text. An error ends it.
    func run(_ sql: String, onEvent: (ShellEvent) throws -> Void) async throws
    /// Stops what runs; may be called from anywhere.
    func cancel()
    func close()
}

/// A session of the engine in this process.
package final class EmbeddedConnection: ShellConnection {
    private let session: Session

    package init(session: Session) { self.session = session }

    package var summary: String { "Connected to the embedded engine, Martlet \(EngineVersion.version)." }

    package func run(_ sql: String, onEvent: (ShellEvent) throws -> Void) async throws {
        try await session.run(sql) { result in
            do {
                for notice in result.notices { try onEvent(.notice(notice)) }
                if let fields = result.fields {
                    try onEvent(.columns(fields.map { ResultColumn($0) }))
                    var settings = session.settings.textSettings
                    settings.objectNames = result.objectNames
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
    package func close() {}
}
