// Who a client is: front ends ask an authenticator with what their protocols got from the client.

import Diagnostics

/// Decides whether a client is who it says.
package protocol Authenticator: Sendable {
    /// Whether a client that says nothing of itself is let in, and as whom; `nil` if it is not.
    var anonymousUser: String? { get }
    /// Checks a name with its password; `nil`: the client gave none. Errors: 28P01, 28000.
    func authenticate(user: String, password: String?) async throws
}

/// Lets every name in with any password: there are no users configured.
package struct OpenAuthenticator: Authenticator {
    package let anonymousUser: String? = "martlet"
    package init() {}
    package func authenticate(user: String, password: String?) async throws {
        guard !user.isEmpty else { throw QueryError(.invalidAuthorization, "no user name was given") }
    }
}
