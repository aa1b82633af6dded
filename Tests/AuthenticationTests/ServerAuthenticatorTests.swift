// Who is let in while users come and go: before the store is read, without users, with the first one, beside the configuration's.

import Coordination
import Diagnostics
import Frontends
import Testing

@testable import Authentication

@Suite struct ServerAuthenticatorTests {
    private func state(_ body: () async throws -> Void) async -> SQLState? {
        do {
            try await body()
            return nil
        } catch { return (error as? QueryError)?.state }
    }

    private func account(_ name: String, _ password: String?, isAdministrator: Bool = false) -> UserAccount {
        UserAccount(
            name: name, verifier: password.map { SCRAMVerifier(password: $0).text }, isAdministrator: isAdministrator)
    }

    @Test func nobodyIsLetInBeforeTheStoreIsRead() async throws {
        let users = ServerAuthenticator(configured: nil)
        #expect(users.anonymousUser == nil && !users.isAdministrator("anna"))
        #expect(await state { try await users.authenticate(user: "anna", password: "x") } == .cannotConnectNow)
        #expect(await state { _ = try users.verifier(user: "anna") } == .cannotConnectNow)
        users.take([])
        #expect(users.anonymousUser != nil && users.isAdministrator("anna"))
        #expect(try users.verifier(user: "anna") == nil)
        // The configuration's are known without it.
        let configured = ServerAuthenticator(
            configured: UserDirectory(verifiers: ["anna": SCRAMVerifier(password: "one")]))
        try await configured.authenticate(user: "anna", password: "one")
        #expect(await state { try await configured.authenticate(user: "ben", password: "x") } == .invalidPassword)
    }

    @Test func usersComeAndGo() async throws {
        let users = ServerAuthenticator(configured: nil)
        users.take([account("anna", "one", isAdministrator: true), account("ben", nil)])
        try await users.authenticate(user: "anna", password: "one")
        let salt = try users.verifier(user: "nobody")?.salt
        for (name, password) in [("anna", "two"), ("ben", ""), ("nobody", "one")] {
            #expect(await state { try await users.authenticate(user: name, password: password) } == .invalidPassword)
        }
        #expect(users.isAdministrator("anna") && !users.isAdministrator("ben"))
        users.take([account("anna", "two"), account("ben", "three", isAdministrator: true)])
        #expect(await state { try await users.authenticate(user: "anna", password: "one") } == .invalidPassword)
        try await users.authenticate(user: "anna", password: "two")
        try await users.authenticate(user: "ben", password: "three")
        #expect(!users.isAdministrator("anna") && users.isAdministrator("ben"))
        // Names that nobody has keep looking the same.
        #expect(try users.verifier(user: "nobody")?.salt == salt)
    }

    @Test func theConfigurationGoesBefore() async throws {
        let users = ServerAuthenticator(
            configured: UserDirectory(
                verifiers: ["anna": SCRAMVerifier(password: "one")], tokens: ["token": "tom"], administrators: ["tom"]))
        users.take([account("anna", "two", isAdministrator: true), account("tom", "three"), account("ben", "four")])
        try await users.authenticate(user: "anna", password: "one")
        try await users.authenticate(user: "ben", password: "four")
        #expect(await state { try await users.authenticate(user: "anna", password: "two") } == .invalidPassword)
        #expect(await state { try await users.authenticate(user: "tom", password: "three") } == .invalidPassword)
        #expect(users.user(token: "token") == "tom" && users.isAdministrator("tom") && !users.isAdministrator("anna"))
        #expect(users.configuredUsers.map(\.name) == ["anna", "tom"])
        users.replace(configured: nil)
        try await users.authenticate(user: "anna", password: "two")
        #expect(users.user(token: "token") == nil && users.isAdministrator("anna"))
    }

    @Test func whatIsKeptOfPasswords() async throws {
        let users = ServerAuthenticator(configured: nil)
        let verifier = SCRAMVerifier(password: "one").text
        #expect(try users.verifier(ofPassword: verifier) == verifier)
        let made = try #require(SCRAMVerifier(try users.verifier(ofPassword: "two")))
        #expect(made.matches(password: "two") && !made.matches(password: "one"))
        #expect(await state { _ = try users.verifier(ofPassword: "SCRAM-SHA-256$x") } == .invalidParameterValue)
        #expect(await state { _ = try users.verifier(ofPassword: "zwölf") } == .invalidParameterValue)
        #expect(
            await state { _ = try users.verifier(ofPassword: "md5" + String(repeating: "0", count: 32)) }
                == .featureNotSupported)
        #expect(!"\(account("anna", "one"))".contains("SCRAM"))
    }
}
