// Verifiers from passwords: SCRAM's key derivation (RFC 5802, section 3), with SHA-256.

import Crypto
import Frontends

extension SCRAMVerifier {
    /// PostgreSQL's default, and the least that RFC 7677 allows.
    package static let defaultIterationCount = 4096
    package static let saltByteCount = 16

    /// Whether a password can be taken in plain: clients prepare other characters by Unicode's rules before they hash them.
    static func takes(password: String) -> Bool { password.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } }

    /// A verifier with a salt of its own.
    package init(password: String) {
        self.init(
            password: password, salt: RandomBytes.make(SCRAMVerifier.saltByteCount),
            iterationCount: SCRAMVerifier.defaultIterationCount)
    }

    package init(password: String, salt: [UInt8], iterationCount: Int) {
        let keys = Self.keys(password: password, salt: salt, iterationCount: iterationCount)
        self.init(
            iterationCount: iterationCount, salt: salt, storedKey: Self.hash(keys.client), serverKey: keys.server)
    }

    static func keys(password: String, salt: [UInt8], iterationCount: Int) -> (client: [UInt8], server: [UInt8]) {
        let salted = saltedPassword(password, salt: salt, iterationCount: iterationCount)
        return (code("Client Key", key: salted), code("Server Key", key: salted))
    }

    /// Whether the password is the one. Takes as long for a wrong one.
    package func matches(password: String) -> Bool {
        let candidate = SCRAMVerifier(password: password, salt: salt, iterationCount: iterationCount)
        return ConstantTime.isEqual(candidate.storedKey, storedKey)
    }

    /// PBKDF2 (RFC 8018) with one block of HMAC-SHA-256.
    private static func saltedPassword(_ password: String, salt: [UInt8], iterationCount: Int) -> [UInt8] {
        // Copies of a keyed code begin behind the key, which so is hashed once.
        let keyed = HMAC<SHA256>(key: SymmetricKey(data: Array(password.utf8)))
        var code = keyed
        code.update(data: salt + [0, 0, 0, 1])
        var block = Array(code.finalize())
        var result = block
        for _ in 1..<max(1, iterationCount) {
            var next = keyed
            next.update(data: block)
            block = Array(next.finalize())
            for index in result.indices { result[index] ^= block[index] }
        }
        return result
    }

    static func code(_ text: String, key: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: SymmetricKey(data: key)))
    }

    static func hash(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }
}

enum ConstantTime {
    /// Takes the same time wherever two texts of one length differ.
    static func isEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        var difference: UInt8 = 0
        for index in a.indices { difference |= a[index] ^ b[index] }
        return difference == 0
    }
}

enum RandomBytes {
    /// From the system's generator, which is fit for keys.
    static func make(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}
