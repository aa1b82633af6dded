// Services that are not the transport's and share the coordinator's port with it.

import ConnectionSecurity
import GRPCCore
import Synchronization

/// Filled before the coordinator begins to serve.
package final class AddedServices: Sendable {
    private struct State {
        var services: [any RegistrableRPCService] = []
        var messageByteLimit = 0
        var security: ServerSecurity?
        var allowsPlain = true
    }
    private let state = Mutex(State())

    package init() {}

    /// Adds a service that takes messages of up to so many bytes.
    package func add(_ service: any RegistrableRPCService, messageByteLimit: Int) {
        state.withLock { state in
            state.services.append(service)
            state.messageByteLimit = max(state.messageByteLimit, messageByteLimit)
        }
    }

    /// TLS for the clients of these services; without `allowsPlain` nobody gets on without it.
    package func encrypt(_ security: ServerSecurity, allowsPlain: Bool) {
        state.withLock { state in
            state.security = security
            state.allowsPlain = allowsPlain
        }
    }

    var security: ServerSecurity? { state.withLock { $0.security } }
    var allowsPlain: Bool { state.withLock { $0.allowsPlain } }
    var all: [any RegistrableRPCService] { state.withLock { $0.services } }
    var messageByteLimit: Int { state.withLock { $0.messageByteLimit } }
}
