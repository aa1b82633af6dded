// What a server keeps of a password: enough to check a proof, too little to make one.

import Diagnostics

/// The verifier of a password for SCRAM-SHA-256 (RFC 5802, RFC 7677).
package struct SCRAMVerifier: Sendable, Hashable {
    package static let keyByteCount = 32

    package var iterationCount: Int
    package var salt: [UInt8]
    package var storedKey: [UInt8]
    package var serverKey: [UInt8]

    package init(iterationCount: Int, salt: [UInt8], storedKey: [UInt8], serverKey: [UInt8]) {
        self.iterationCount = iterationCount
        self.salt = salt
        self.storedKey = storedKey
        self.serverKey = serverKey
    }

    private static let prefix = "SCRAM-SHA-256$"

    /// Whether a text is meant as a verifier and not as a password.
    package static func isVerifier(_ text: String) -> Bool { text.hasPrefix(prefix) }

    /// Reads `SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY`, as PostgreSQL shows it in `pg_authid`; `nil` if the text has
    /// another form.
    package init?(_ text: String) {
        guard SCRAMVerifier.isVerifier(text) else { return nil }
        let parts = text.dropFirst(SCRAMVerifier.prefix.count).split(
            separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        let first = parts[0].split(separator: ":", omittingEmptySubsequences: false)
        let second = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        guard first.count == 2, second.count == 2, let count = Int(first[0]), (1...10_000_000).contains(count),
            let salt = Base64Text.decode(String(first[1])), !salt.isEmpty,
            let storedKey = Base64Text.decode(String(second[0])), storedKey.count == SCRAMVerifier.keyByteCount,
            let serverKey = Base64Text.decode(String(second[1])), serverKey.count == SCRAMVerifier.keyByteCount
        else { return nil }
        self.init(iterationCount: count, salt: salt, storedKey: storedKey, serverKey: serverKey)
    }

    /// In the form that `init(_:)` reads.
    package var text: String {
        "\(SCRAMVerifier.prefix)\(iterationCount):\(Base64Text.encode(salt))$"
            + "\(Base64Text.encode(storedKey)):\(Base64Text.encode(serverKey))"
    }
}

/// Printing one by accident, in a log or a test's message, shows no key.
extension SCRAMVerifier: CustomStringConvertible, CustomReflectable {
    package var description: String { "SCRAM verifier" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
