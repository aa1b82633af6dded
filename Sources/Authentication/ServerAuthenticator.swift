// Users that may change while a server runs: those of the configuration, which is read again, and those that statements make.

import Coordination
import Diagnostics
import Frontends
import Synchronization

/// Asks whoever is in charge now. Sessions that stand stay; whoever comes next is held against the new users.
package final class ServerAuthenticator: Authenticator, AccountAuthority {
    private struct State {
        /// Of the configuration; `nil` if it names no users.
        var configured: UserDirectory?
        /// `nil`: the store that keeps them was not read yet.
        var accounts: [UserAccount]?
        var inCharge: any Authenticator = UnsettledAuthenticator()
        /// Without users, but with the salts of names that nobody has.
        private let nobody = UserDirectory(verifiers: [:])

        init(configured: UserDirectory?) { self.configured = configured }

        mutating func settle() {
            if let configured {
                inCharge = configured.adding(accounts ?? [])
            } else if let accounts {
                inCharge = accounts.isEmpty ? OpenAuthenticator() : nobody.adding(accounts)
            } else {
                inCharge = UnsettledAuthenticator()
            }
        }
    }
    private let state: Mutex<State>

    package init(configured: UserDirectory?) {
        var first = State(configured: configured)
        first.settle()
        state = Mutex(first)
    }

    /// The configuration was read again.
    package func replace(configured: UserDirectory?) {
        state.withLock { state in
            state.configured = configured
            state.settle()
        }
    }

    private var inCharge: any Authenticator { state.withLock { $0.inCharge } }

    // MARK: Who is let in

    package var anonymousUser: String? { inCharge.anonymousUser }
    package func authenticate(user: String, password: String?) async throws {
        try await inCharge.authenticate(user: user, password: password)
    }
    package func user(token: String) -> String? { inCharge.user(token: token) }
    package func verifier(user: String) throws -> SCRAMVerifier? { try inCharge.verifier(user: user) }
    package func isAdministrator(_ user: String) -> Bool { inCharge.isAdministrator(user) }

    // MARK: What statements ask

    package var configuredUsers: [UserFacts] { state.withLock { $0.configured }?.facts ?? [] }

    package func verifier(ofPassword text: String) throws -> String {
        if SCRAMVerifier.isVerifier(text) {
            guard let verifier = SCRAMVerifier(text) else {
                throw QueryError(
                    .invalidParameterValue, "the verifier of the password is malformed",
                    hint: "Its form is SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY.")
            }
            return verifier.text
        }
        if text.hasPrefix("md5"), text.utf8.count == 35 {
            throw QueryError.notSupported("an MD5 password", hint: "SCRAM-SHA-256 is.")
        }
        guard SCRAMVerifier.takes(password: text) else {
            throw QueryError(
                .invalidParameterValue, "a password with other than printable ASCII characters is not taken in plain",
                hint: "psql's \\password makes a verifier of it.")
        }
        return SCRAMVerifier(password: text).text
    }

    package func take(_ accounts: [UserAccount]) {
        state.withLock { state in
            state.accounts = accounts
            state.settle()
        }
    }
}

/// Lets nobody in: whether there are users is not known, so nobody can be taken at their word.
private struct UnsettledAuthenticator: Authenticator {
    private static let error = QueryError(
        .cannotConnectNow, "the users of this server are not known yet: its state store was not read",
        hint: "Users of the configuration file are let in without it; state.store: none goes without a store.")
    let anonymousUser: String? = nil
    func authenticate(user: String, password: String?) async throws { throw Self.error }
    func user(token: String) -> String? { nil }
    func verifier(user: String) throws -> SCRAMVerifier? { throw Self.error }
    func isAdministrator(_ user: String) -> Bool { false }
}
