// Authentication: users, and how they prove who they are.
//
//   UserDirectory          names, verifiers and tokens; what front ends ask (this file)
//   ServerAuthenticator    users that change while a server runs: of the configuration, and those that statements make
//   SCRAMVerifier+Keys     verifiers from passwords
//   SCRAMServerInstance    the exchange of SCRAM-SHA-256, as a state machine without input and output
//   SCRAMClientInstance    its other side, for the shell

import Coordination
import Crypto
import Diagnostics
import EngineConfiguration
import Frontends
import Synchronization

/// Users with passwords, kept as verifiers.
package final class UserDirectory: Authenticator {
    private let verifiers: [String: SCRAMVerifier]
    /// By the tokens' hashes: how long a look-up takes says nothing of a token.
    private let tokens: [[UInt8]: String]
    private let administrators: Set<String>
    /// Makes salts for names that nobody has, the same ones each time.
    private let secret: [UInt8]
    private let mockKey: [UInt8]
    /// What challenges for such names look like: as the most elaborate one of a user.
    private let mockIterationCount: Int
    private let mockSaltByteCount: Int
    /// Passwords that were right, as codes with a key of this process: deriving keys for each request takes long.
    private let known = Mutex<[String: [UInt8]]>([:])

    package let anonymousUser: String? = nil

    package convenience init(
        verifiers: [String: SCRAMVerifier], tokens: [String: String] = [:], administrators: Set<String> = []
    ) {
        self.init(
            verifiers: verifiers,
            hashedTokens: Dictionary(
                tokens.map { (SCRAMVerifier.hash(Array($0.key.utf8)), $0.value) },
                uniquingKeysWith: { first, _ in first }
            ), administrators: administrators, secret: RandomBytes.make(32),
            mockKey: RandomBytes.make(SCRAMVerifier.keyByteCount))
    }

    private init(
        verifiers: [String: SCRAMVerifier], hashedTokens: [[UInt8]: String], administrators: Set<String>,
        secret: [UInt8], mockKey: [UInt8]
    ) {
        self.verifiers = verifiers
        self.administrators = administrators
        self.secret = secret
        self.mockKey = mockKey
        tokens = hashedTokens
        let form = verifiers.values.max { ($0.iterationCount, $0.salt.count) < ($1.iterationCount, $1.salt.count) }
        mockIterationCount = form?.iterationCount ?? SCRAMVerifier.defaultIterationCount
        mockSaltByteCount = min(form?.salt.count ?? SCRAMVerifier.saltByteCount, SCRAMVerifier.keyByteCount)
    }

    /// The directory with these users too, without those of the same names; names that nobody has keep their salts.
    func adding(_ accounts: [UserAccount]) -> UserDirectory {
        let own = Set(verifiers.keys).union(tokens.values)
        let new = accounts.filter { !own.contains($0.name) }
        var verifiers = self.verifiers
        for account in new {
            if let verifier = account.verifier.flatMap({ SCRAMVerifier($0) }) { verifiers[account.name] = verifier }
        }
        return UserDirectory(
            verifiers: verifiers, hashedTokens: tokens,
            administrators: administrators.union(new.filter(\.isAdministrator).map(\.name)), secret: secret,
            mockKey: mockKey)
    }

    /// What everybody may know of the users.
    var facts: [UserFacts] {
        Set(verifiers.keys).union(tokens.values).sorted().map {
            UserFacts(name: $0, canLogIn: true, isAdministrator: administrators.contains($0), isConfigured: true)
        }
    }

    package func verifier(user: String) -> SCRAMVerifier? { verifiers[user] ?? mock(user) }

    /// No password leads to its stored key.
    private func mock(_ user: String) -> SCRAMVerifier {
        let salt = SCRAMVerifier.code(user, key: secret).prefix(mockSaltByteCount)
        return SCRAMVerifier(
            iterationCount: mockIterationCount, salt: Array(salt), storedKey: mockKey, serverKey: mockKey)
    }

    package func authenticate(user: String, password: String?) async throws {
        guard let password, isRight(user, password) else { throw Self.failure(user: user) }
    }

    private func isRight(_ user: String, _ password: String) -> Bool {
        let code = SCRAMVerifier.code(password, key: secret)
        if let known = known.withLock({ $0[user] }), ConstantTime.isEqual(known, code) { return true }
        let isRight = (verifiers[user] ?? mock(user)).matches(password: password)
        guard isRight, verifiers[user] != nil else { return false }
        known.withLock { $0[user] = code }
        return true
    }

    package func user(token: String) -> String? { tokens[SCRAMVerifier.hash(Array(token.utf8))] }

    package func isAdministrator(_ user: String) -> Bool { administrators.contains(user) }

    /// The same for a wrong password and for a name that nobody has.
    package static func failure(user: String) -> QueryError {
        QueryError(.invalidPassword, "password authentication failed for user \"\(user)\"")
    }
}

extension UserDirectory {
    /// The users that a configuration names; `nil` if it names none. `read` gives a file's text, `variable` one of the
    /// environment. Errors are F0000 and show no secret.
    package convenience init?(
        _ configuration: EngineConfiguration, read: (String) throws -> String, variable: (String) -> String?
    ) throws {
        let sections = configuration.users
        guard !sections.isEmpty else { return nil }
        var verifiers: [String: SCRAMVerifier] = [:]
        var tokens: [String: String] = [:]
        var administrators: Set<String> = []
        for section in sections {
            func refuse(_ what: String, hint: String? = nil) -> QueryError {
                let name = ConfigurationRegistry.userPrefix + section.name
                return QueryError(.configurationFileError, "\(name): \(what)", hint: hint, object: name)
            }
            /// The value of a key, by itself, in a file or in a variable.
            func secret(_ key: String) throws -> String? {
                var found: [String] = []
                if let value = section[key] { found.append(value) }
                if let path = section[key + "-file"] { found.append(withoutLineEnd(try read(path))) }
                if let name = section[key + "-variable"] {
                    guard let value = variable(name) else { throw refuse("there is no variable \(name)") }
                    found.append(value)
                }
                guard found.count <= 1 else { throw refuse("the \(key) is given more than once") }
                guard found.first != "" else { throw refuse("the \(key) is empty") }
                return found.first
            }
            if let text = section["administrator"] {
                guard let isOne = ConfigurationValue.boolean(text) else {
                    throw refuse("administrator must be true or false, not \"\(text)\"")
                }
                if isOne { administrators.insert(section.name) }
            }
            let password = try secret("password")
            let token = try secret("token")
            guard password != nil || token != nil else { throw refuse("there is neither a password nor a token") }
            if let password {
                if SCRAMVerifier.isVerifier(password) {
                    guard let verifier = SCRAMVerifier(password) else {
                        throw refuse(
                            "the verifier of the password is malformed",
                            hint: "Its form is SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY.")
                    }
                    verifiers[section.name] = verifier
                } else {
                    guard SCRAMVerifier.takes(password: password) else {
                        throw refuse(
                            "a password with other than printable ASCII characters is not taken in plain",
                            hint: "Give the verifier that PostgreSQL makes of it.")
                    }
                    verifiers[section.name] = SCRAMVerifier(password: password)
                }
            }
            if let token {
                guard token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                    throw refuse("the token has other than printable ASCII characters")
                }
                guard tokens.updateValue(section.name, forKey: token) == nil else {
                    throw refuse("the token is another user's, too")
                }
            }
        }
        // Whoever is alone need not be told from others.
        if sections.count == 1, sections[0]["administrator"] == nil { administrators = [sections[0].name] }
        self.init(verifiers: verifiers, tokens: tokens, administrators: administrators)
    }
}

/// Editors end files with an empty line that is no part of the secret.
private func withoutLineEnd(_ text: String) -> String {
    var text = Substring(text)
    while let last = text.unicodeScalars.last, last == "\n" || last == "\r" { text.unicodeScalars.removeLast() }
    return String(text)
}
