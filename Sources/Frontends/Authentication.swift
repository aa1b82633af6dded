// Who a client is: front ends ask an authenticator with what their protocols got from the client.

import Diagnostics

/// Decides whether a client is who it says.
package protocol Authenticator: Sendable {
    /// Whether a client that says nothing of itself is let in, and as whom; `nil` if it is not.
    var anonymousUser: String? { get }
    /// Checks a name with its password; `nil`: the client gave none. Errors: 28P01, 28000.
    func authenticate(user: String, password: String?) async throws
    /// Whose token it is; `nil` if it is nobody's.
    func user(token: String) -> String?
    /// What a proof by SCRAM is held against; `nil` if names are taken without a proof. A name that nobody has gets a
    /// verifier, too, which no password fits: a client cannot find out which names there are. 57P03 while users are not known.
    func verifier(user: String) throws -> SCRAMVerifier?
    /// Whether the user may see and stop what others run.
    func isAdministrator(_ user: String) -> Bool
}

/// Lets every name in with any password: there are no users configured.
package struct OpenAuthenticator: Authenticator {
    package let anonymousUser: String? = "martlet"
    package init() {}
    package func authenticate(user: String, password: String?) async throws {
        guard !user.isEmpty else { throw QueryError(.invalidAuthorization, "no user name was given") }
    }
    package func user(token: String) -> String? { nil }
    package func verifier(user: String) -> SCRAMVerifier? { nil }
    /// There is nobody to tell from others.
    package func isAdministrator(_ user: String) -> Bool { true }
}

/// Name and password of HTTP's Basic scheme, or a bearer's token.
package enum HeaderCredentials: Sendable {
    case basic(user: String, password: String)
    case token(String)

    /// Reads the value of an Authorization header. 28000 for what is no such value.
    package init(header: String) throws {
        let words = header.split(separator: " ", maxSplits: 1).map(String.init)
        switch (words.first?.lowercased(), words.last) {
        case ("bearer", let token?) where words.count == 2: self = .token(token)
        case ("basic", let encoded?) where words.count == 2:
            guard let bytes = Base64Text.decode(encoded), let text = String(validating: bytes, as: UTF8.self),
                let colon = text.firstIndex(of: ":")
            else { throw QueryError(.invalidAuthorization, "the client's credentials are malformed") }
            self = .basic(user: String(text[..<colon]), password: String(text[text.index(after: colon)...]))
        default:
            throw QueryError(
                .invalidAuthorization, "the client's way to say who it is is not known",
                hint: "Basic and Bearer are.")
        }
    }
}
