// Users of a configuration: where their secrets come from, what is refused, and that names cannot be found out.

import Diagnostics
import EngineConfiguration
import Frontends
import Testing

@testable import Authentication

private func directory(
    _ variables: [String: String], files: [String: String] = [:]
) throws -> UserDirectory? {
    try UserDirectory(
        EngineConfiguration(file: nil, environment: variables, flags: []),
        read: { path in
            guard let text = files[path] else { throw QueryError(.configurationFileError, "there is no file \(path)") }
            return text
        }, variable: { variables[$0] })
}
private func failure(_ body: () async throws -> Void) async -> QueryError? {
    do {
        try await body()
        return nil
    } catch { return error as? QueryError }
}

@Suite struct UserDirectoryTests {
    @Test func withoutUsersThereIsNone() throws { #expect(try directory([:]) == nil) }

    @Test func passwordsComeFromThreePlaces() async throws {
        let verifier = SCRAMVerifier(password: "four")
        let users = try #require(
            try directory(
                [
                    "MARTLET_USERS_A_PASSWORD": "one", "MARTLET_USERS_B_PASSWORD_FILE": "/b",
                    "MARTLET_USERS_C_PASSWORD_VARIABLE": "SECRET_OF_C", "SECRET_OF_C": "three",
                    "MARTLET_USERS_D_D_PASSWORD": verifier.text,
                ], files: ["/b": "two\n"]))
        for (user, password) in [("a", "one"), ("b", "two"), ("c", "three"), ("d_d", "four")] {
            try await users.authenticate(user: user, password: password)
            // Also when it is known already.
            try await users.authenticate(user: user, password: password)
            for wrong in [password + "x", "", nil] {
                #expect(
                    await failure { try await users.authenticate(user: user, password: wrong) }?.state
                        == .invalidPassword)
            }
        }
        #expect(users.verifier(user: "d_d") == verifier)
        #expect(users.anonymousUser == nil)
    }

    @Test func unknownNamesLookLikeKnownOnes() async throws {
        let users = try #require(try directory(["MARTLET_USERS_A_PASSWORD": "one"]))
        let known = try #require(users.verifier(user: "a"))
        let unknown = try #require(users.verifier(user: "b"))
        #expect(unknown.iterationCount == known.iterationCount)
        #expect(unknown.salt.count == known.salt.count)
        #expect(users.verifier(user: "b")?.salt == unknown.salt)
        #expect(users.verifier(user: "c")?.salt != unknown.salt)
        let wrong = await failure { try await users.authenticate(user: "a", password: "x") }
        let nobody = await failure { try await users.authenticate(user: "b", password: "one") }
        #expect(wrong?.state == nobody?.state)
        #expect(wrong?.message.replacing("\"a\"", with: "\"b\"") == nobody?.message)
        #expect(wrong?.hint == nobody?.hint)
    }

    @Test func unknownNamesLookLikeTheVerifiersThatThereAre() throws {
        let verifier = SCRAMVerifier(password: "one", salt: [UInt8](repeating: 7, count: 24), iterationCount: 5000)
        let users = UserDirectory(verifiers: ["a": verifier])
        let unknown = try #require(users.verifier(user: "b"))
        #expect(unknown.iterationCount == 5000)
        #expect(unknown.salt.count == 24)
        #expect(unknown.salt != verifier.salt)
    }

    @Test func tokens() async throws {
        let users = try #require(
            try directory(
                [
                    "MARTLET_USERS_A_TOKEN": "first", "MARTLET_USERS_B_TOKEN_FILE": "/t",
                    "MARTLET_USERS_B_PASSWORD": "p",
                ], files: ["/t": "second\r\n"]))
        #expect(users.user(token: "first") == "a")
        #expect(users.user(token: "second") == "b")
        #expect(users.user(token: "third") == nil)
        // Without a password there is none that fits.
        #expect(await failure { try await users.authenticate(user: "a", password: "first") }?.state == .invalidPassword)
    }

    @Test(arguments: [
        ["MARTLET_USERS_A_PASSWORD": ""], ["MARTLET_USERS_A_PASSWORD": "SCRAM-SHA-256$secret"],
        ["MARTLET_USERS_A_PASSWORD": "secret\u{E4}"], ["MARTLET_USERS_A_PASSWORD_VARIABLE": "NONE"],
        ["MARTLET_USERS_A_PASSWORD": "secret", "MARTLET_USERS_A_PASSWORD_FILE": "/a"],
        ["MARTLET_USERS_A_TOKEN": "a secret"], ["MARTLET_USERS_A_TOKEN": "secret", "MARTLET_USERS_B_TOKEN": "secret"],
        ["MARTLET_USERS_A_PASSWORD_FILE": "/missing"], ["MARTLET_USERS_A_COLOUR": "blue"],
    ])
    func refused(_ variables: [String: String]) async {
        let error = await failure { _ = try directory(variables, files: ["/a": "x"]) }
        #expect(error?.state == .configurationFileError)
        #expect(error?.message.contains("secret") != true)
        #expect(error?.hint?.contains("secret") != true)
    }

    @Test func secretsAreNotListed() throws {
        let configuration = try EngineConfiguration(
            file: nil,
            environment: [
                "MARTLET_USERS_A_PASSWORD": "hush", "MARTLET_USERS_A_TOKEN": "hush",
                "MARTLET_USERS_B_PASSWORD_FILE": "/b",
            ], flags: [])
        let entries = configuration.entries.filter { $0.name.hasPrefix("users.") }
        #expect(entries.map(\.name) == ["users.a.password", "users.a.token", "users.b.password-file"])
        #expect(entries.map(\.value) == ["(hidden)", "(hidden)", "/b"])
    }

    @Test func headers() throws {
        func credentials(_ header: String) -> String? {
            switch try? HeaderCredentials(header: header) {
            case .basic(let user, let password)?: "\(user)/\(password)"
            case .token(let token)?: "token \(token)"
            case nil: nil
            }
        }
        #expect(credentials("Basic " + Base64Text.encode(Array("a:b:c".utf8))) == "a/b:c")
        #expect(credentials("bearer xyz") == "token xyz")
        for header in ["", "Basic", "Basic ?", "Basic " + Base64Text.encode(Array("ab".utf8)), "Digest x", "Bearer"] {
            #expect(credentials(header) == nil)
        }
    }
}
