// Users that may change while a server runs.

import Frontends
import Synchronization

/// Asks whoever is in charge now. Sessions that stand stay; whoever comes next is held against the new users.
package final class ReloadableAuthenticator: Authenticator {
    private let current: Mutex<any Authenticator>

    package init(_ first: any Authenticator) { current = Mutex(first) }

    package func replace(with next: any Authenticator) { current.withLock { $0 = next } }

    private var inCharge: any Authenticator { current.withLock { $0 } }

    package var anonymousUser: String? { inCharge.anonymousUser }
    package func authenticate(user: String, password: String?) async throws {
        try await inCharge.authenticate(user: user, password: password)
    }
    package func user(token: String) -> String? { inCharge.user(token: token) }
    package func verifier(user: String) -> SCRAMVerifier? { inCharge.verifier(user: user) }
    package func isAdministrator(_ user: String) -> Bool { inCharge.isAdministrator(user) }
}
