// Tables of files that were opened before: by the files that they were opened from, and in the running statement.

import Storage
import Synchronization

/// Tables opened so far, by name, with the files that they were opened from.
package final class OpenTables: Sendable {
    private struct Entry {
        var files: [FileIdentity]
        var table: any TableProvider
    }
    private static let countMax = 1000
    private let state = Mutex<[String: Entry]>([:])

    package init() {}

    /// The table if it was opened from exactly these files, else what `open` makes.
    package func table(
        _ name: String, files: [FileIdentity], open: () throws -> any TableProvider
    ) throws -> any TableProvider {
        if let entry = state.withLock({ $0[name] }), entry.files == files { return entry.table }
        let table = try open()
        state.withLock { state in
            if state.count >= OpenTables.countMax { state.removeAll() }
            state[name] = Entry(files: files, table: table)
        }
        return table
    }
}

/// Tables that the running statement (or a transaction that keeps its snapshot) has found already: it reads one version of
/// their files, and looks for them once.
package final class StatementTables: Sendable {
    private struct State {
        var tables: [String: any TableProvider] = [:]
        /// The statement writes files itself.
        var isOff = false
    }
    private let state = Mutex(State())

    private init() {}

    /// The tables of `backend` that belong to what runs now; `nil` outside of statements.
    package static func current(_ backend: AnyObject) -> StatementTables? {
        StorageScope.current?.snapshot.value(of: backend) { StatementTables() }
    }

    package subscript(name: String) -> (any TableProvider)? { state.withLock { $0.tables[name] } }

    package func keep(_ table: any TableProvider, _ name: String) {
        state.withLock { if !$0.isOff { $0.tables[name] = table } }
    }

    /// From now on files are looked at each time.
    package func turnOff() { state.withLock { $0 = State(tables: [:], isOff: true) } }
}
