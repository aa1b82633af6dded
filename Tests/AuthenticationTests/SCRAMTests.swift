// SCRAM-SHA-256: published exchanges, verifiers of PostgreSQL, wrong proofs, malformed messages.

import Diagnostics
import Frontends
import Testing

@testable import Authentication

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
private func state(_ body: () throws -> Void) -> SQLState? {
    do {
        try body()
        return nil
    } catch { return (error as? QueryError)?.state }
}

/// The exchange that RFC 7677, section 3 gives.
private enum Published {
    static let nonce = "rOprNGfwEbeRWgbNEkqO"
    static let serverNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    static let salt = "W22ZaJ0SNY7soEsUEjb6gQ=="
    static let clientFirst = "n,,n=user,r=\(nonce)"
    static let serverFirst = "r=\(nonce)\(serverNonce),s=\(salt),i=4096"
    static let clientFinal =
        "c=biws,r=\(nonce)\(serverNonce),p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    static let serverFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

    static func verifier() throws -> SCRAMVerifier {
        SCRAMVerifier(
            password: "pencil", salt: try #require(Base64Text.decode(salt)), iterationCount: 4096)
    }
    static func server() throws -> SCRAMServerInstance {
        SCRAMServerInstance(verifier: try verifier(), nonce: serverNonce)
    }
}

@Suite struct SCRAMTests {
    @Test func publishedExchange() throws {
        var server = try Published.server()
        #expect(try server.handle(bytes(Published.clientFirst)) == .challenge(bytes(Published.serverFirst)))
        #expect(try server.handle(bytes(Published.clientFinal)) == .success(bytes(Published.serverFinal)))
        #expect(state { _ = try server.handle(bytes(Published.clientFinal)) } == .protocolViolation)
    }

    @Test func publishedExchangeAsClient() throws {
        var client = SCRAMClientInstance(user: "user", password: "pencil", nonce: Published.nonce)
        #expect(text(client.first) == Published.clientFirst)
        #expect(text(try client.answer(bytes(Published.serverFirst))) == Published.clientFinal)
        try client.check(bytes(Published.serverFinal))
        #expect(state { try client.check(bytes("v=AAAA")) } == .invalidAuthorization)
        #expect(state { try client.check([]) } == .invalidAuthorization)
    }

    /// PBKDF2-HMAC-SHA-256 by the verifier that PostgreSQL made of a password.
    @Test func verifierOfPostgreSQL() throws {
        let made = """
            SCRAM-SHA-256$4096:5URGoKKTNuNpJCJuSYYMoQ==$KpPzC0mkLnMK6gSho2NzS0J0aPB1yj+3Tovm5x3h3AQ=:\
            wrfd25oOsrvLBk9UEii0ZX8BpNhDd56QTNUqkGG35Kg=
            """
        let verifier = try #require(SCRAMVerifier(made))
        #expect(verifier.text == made)
        #expect(
            SCRAMVerifier(password: "pencil", salt: verifier.salt, iterationCount: verifier.iterationCount) == verifier)
        #expect(verifier.matches(password: "pencil"))
        #expect(!verifier.matches(password: "Pencil"))
        #expect(!verifier.matches(password: ""))
    }

    @Test func ownExchange() throws {
        for (given, isRight) in [("secret", true), ("Secret", false), ("", false)] {
            var server = SCRAMServerInstance(verifier: SCRAMVerifier(password: "secret"))
            var client = SCRAMClientInstance(password: given)
            guard case .challenge(let challenge) = try server.handle(client.first) else {
                Issue.record("no challenge")
                return
            }
            switch try server.handle(try client.answer(challenge)) {
            case .success(let final):
                #expect(isRight)
                try client.check(final)
            case .failure: #expect(!isRight)
            case .challenge: Issue.record("a second challenge")
            }
        }
    }

    @Test func noncesAndSaltsDiffer() {
        let first = SCRAMVerifier(password: "secret")
        #expect(first.salt != SCRAMVerifier(password: "secret").salt)
        #expect(first.salt.count == 16)
        #expect(first.iterationCount == 4096)
        #expect(SCRAMClientInstance(password: "a").first != SCRAMClientInstance(password: "a").first)
    }

    @Test(arguments: [
        "", "n", "n,", "n,,", "n,,n=user", "n,,r=abc", "n,,n=user,r=", "n,,n=user,r=a b", "x,,n=user,r=abc",
        "n,,m=ext,n=user,r=abc", "y,,n=,x=abc", "p=tls-unique,,n=user,r=abc", "\u{0}",
    ])
    func malformedFirstMessages(_ message: String) throws {
        var server = try Published.server()
        #expect(state { _ = try server.handle(bytes(message)) } == .protocolViolation)
        // It is over then.
        #expect(state { _ = try server.handle(bytes(Published.clientFirst)) } == .protocolViolation)
    }

    @Test func actingForOthersIsNotSupported() throws {
        var server = try Published.server()
        #expect(state { _ = try server.handle(bytes("n,a=root,n=user,r=abc")) } == .featureNotSupported)
    }

    @Test func malformedFinalMessages() throws {
        let nonce = Published.nonce + Published.serverNonce
        let proof = "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        for message in [
            "", "c=biws", "c=biws,r=\(nonce)", "c=biws,r=\(nonce),\(proof)x", "c=biws,r=\(nonce),p=AAAA",
            "c=biws,r=\(nonce),p=", "c=eSws,r=\(nonce),\(proof)", "c=biws,r=\(Published.nonce),\(proof)",
            "r=\(nonce),c=biws,\(proof)", "c=biws,\(proof)", "\(proof),c=biws,r=\(nonce)",
        ] {
            var server = try Published.server()
            _ = try server.handle(bytes(Published.clientFirst))
            #expect(state { _ = try server.handle(bytes(message)) } == .protocolViolation, "\(message)")
        }
        var server = try Published.server()
        _ = try server.handle(bytes(Published.clientFirst))
        #expect(state { _ = try server.handle([0xFF, 0xFE]) } == .protocolViolation)
    }

    @Test func everyBitOfTheProofCounts() throws {
        let nonce = Published.nonce + Published.serverNonce
        let proof = try #require(Base64Text.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="))
        for bit in 0..<(proof.count * 8) {
            var changed = proof
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            var server = try Published.server()
            _ = try server.handle(bytes(Published.clientFirst))
            let message = "c=biws,r=\(nonce),p=\(Base64Text.encode(changed))"
            #expect(try server.handle(bytes(message)) == .failure)
        }
    }

    @Test(arguments: [
        "", "r=other,s=AAAA,i=4096", "r=abc,s=AAAA,i=4096", "r=abcdef,s=!,i=4096", "r=abcdef,s=AAAA,i=0",
        "r=abcdef,s=AAAA,i=999999999", "r=abcdef,s=AAAA", "m=x,r=abcdef,s=AAAA,i=4096",
    ])
    func clientsRefuseMalformedChallenges(_ challenge: String) {
        var client = SCRAMClientInstance(user: "", password: "x", nonce: "abc")
        #expect(state { _ = try client.answer(bytes(challenge)) } == .protocolViolation)
    }

    @Test(arguments: [
        "", "secret", "SCRAM-SHA-256$", "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA", "SCRAM-SHA-256$0:AAAA$AAAA",
        "SCRAM-SHA-256$x:AAAA$AAAA:AAAA", "md5d41d8cd98f00b204e9800998ecf8427e",
    ])
    func malformedVerifiers(_ text: String) { #expect(SCRAMVerifier(text) == nil) }

    @Test func printingShowsNoKeys() {
        let verifier = SCRAMVerifier(password: "secret")
        var dump = ""
        Swift.dump(verifier, to: &dump)
        for printed in ["\(verifier)", String(reflecting: verifier), dump] {
            #expect(!printed.contains("\(verifier.storedKey[0]), \(verifier.storedKey[1])"))
            #expect(!printed.contains(Base64Text.encode(verifier.storedKey)))
        }
    }

    @Test(arguments: [("", ""), ("dTpw", "u:p"), ("YQ==", "a"), ("YWI=", "ab"), ("YWI", "ab")])
    func base64(_ encoded: String, _ text: String) {
        #expect(Base64Text.decode(encoded) == Array(text.utf8))
        #expect(Base64Text.encode(Array(text.utf8)).hasPrefix(encoded))
    }
}
