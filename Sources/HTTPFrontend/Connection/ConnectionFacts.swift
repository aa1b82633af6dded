// What is known of a connection beside its requests.

import Synchronization

/// Thread-safe.
final class ConnectionFacts: Sendable {
    private struct State {
        var isEncrypted = false
        var scope = EventScope.everything
        var user: String?
    }
    private let state = Mutex(State())

    /// Whether the connection has TLS; set before its first request is read.
    var isEncrypted: Bool {
        get { state.withLock { $0.isEncrypted } }
        set { state.withLock { $0.isEncrypted = newValue } }
    }
    /// Who views events; `nil` if nobody is asked.
    var user: String? {
        get { state.withLock { $0.user } }
        set { state.withLock { $0.user = newValue } }
    }
    /// What a viewer of events may see.
    var scope: EventScope {
        get { state.withLock { $0.scope } }
        set { state.withLock { $0.scope = newValue } }
    }
}
