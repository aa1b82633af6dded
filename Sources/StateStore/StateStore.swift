// StateStore is the interface of what keeps a coordinator's own state over its end: names, settings, users, history.
//
//   StateStore         a store; plug-ins make them
//   StateEntry         a named text of one of several kinds
//   QueryHistoryEntry  a query that has ended
//   StateLayout        the steps from one layout of a store to the next (StateLayout.swift)

import Diagnostics

/// Keeps state. All methods may be called at any time and from any task; a store that is away throws, and works again when it
/// is back. What `apply` has returned from is kept whatever happens to the process.
package protocol StateStore: AnyObject, Sendable {
    /// For people: the kind of store and where it is, without secrets.
    var place: String { get }
    /// Makes the layout, or brings an older one up to date. Refuses a layout of a later version (ME004).
    func open() async throws
    /// All changes or none, in their order. Applying the same changes once more changes nothing.
    func apply(_ changes: [StateChange]) async throws
    /// The same, if the store's entries are those of a revision; gives their new one. `nil`: somebody else has changed them, and
    /// nothing was done.
    func apply(_ changes: [StateChange], at revision: Int64) async throws -> Int64?
    /// Grows with every change of entries, whoever makes it. Of entries that are read afterwards it is never ahead.
    func revision() async throws -> Int64
    /// The entries of a kind, by name.
    func entries(_ kind: StateEntry.Kind) async throws -> [StateEntry]
    /// The queries that ended last, newest first.
    func history(limit: Int) async throws -> [QueryHistoryEntry]
    func close()
}

/// A named text.
package struct StateEntry: Hashable, Sendable {
    /// What no two entries of a store have in common.
    package struct Key: Hashable, Sendable {
        package var kind: Kind
        package var name: String
        package init(_ kind: Kind, _ name: String) {
            self.kind = kind
            self.name = name
        }
    }
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// A catalogue that was added while the engine ran: its section as text.
        case catalog
        /// A view: the statement that makes it.
        case view
        /// A setting for all sessions.
        case setting
        /// A user: the verifier of the password, never the password.
        case user
    }
    package var kind: Kind
    package var name: String
    package var value: String
    package var key: Key { Key(kind, name) }
    package init(_ kind: Kind, _ name: String, _ value: String) {
        self.kind = kind
        self.name = name
        self.value = value
    }
}

package enum StateChange: Hashable, Sendable {
    case put(StateEntry)
    case remove(StateEntry.Kind, name: String)
    case query(QueryHistoryEntry)
    /// Forgets all but the last queries.
    case trimHistory(keeping: Int)

    /// The entry that changes, if one does.
    package var key: StateEntry.Key? {
        switch self {
        case .put(let entry): entry.key
        case .remove(let kind, let name): StateEntry.Key(kind, name)
        case .query, .trimHistory: nil
        }
    }
}

/// A query that has ended, well or not.
package struct QueryHistoryEntry: Hashable, Sendable {
    package var id: String
    package var sql: String
    package var user: String
    /// As `system.queries` shows it.
    package var state: String
    /// Microseconds since 1970 UTC.
    package var startedAt: Int64
    package var durationMicroseconds: Int64
    package var rowCount: Int64
    package var errorCode: String?
    package var errorMessage: String?
    package var attemptCount: Int64
    package var session: Int64
    package var processorNanoseconds: Int64
    package var memoryBytesPeak: Int64
    package var spilledBytes: Int64
    package var bytesRead: Int64
    /// The physical plan with what its operators did, as text; `nil` for queries that failed before they had one.
    package var plan: String?
    /// The same for machines, as JSON.
    package var profile: String?

    package init(
        id: String, sql: String, user: String, state: String, startedAt: Int64, durationMicroseconds: Int64,
        rowCount: Int64 = 0, errorCode: String? = nil, errorMessage: String? = nil, attemptCount: Int64 = 0,
        session: Int64 = 0, processorNanoseconds: Int64 = 0, memoryBytesPeak: Int64 = 0, spilledBytes: Int64 = 0,
        bytesRead: Int64 = 0, plan: String? = nil, profile: String? = nil
    ) {
        self.id = id
        self.sql = sql
        self.user = user
        self.state = state
        self.startedAt = startedAt
        self.durationMicroseconds = durationMicroseconds
        self.rowCount = rowCount
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.attemptCount = attemptCount
        self.session = session
        self.processorNanoseconds = processorNanoseconds
        self.memoryBytesPeak = memoryBytesPeak
        self.spilledBytes = spilledBytes
        self.bytesRead = bytesRead
        self.plan = plan
        self.profile = profile
    }
}
