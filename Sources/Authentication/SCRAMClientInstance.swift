// A client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677): for the shell, and for tests of the server's side.

import Crypto
import Diagnostics
import Frontends

/// One exchange: `first`, then `answer` to the challenge, then `check` of what the server proves itself by.
package struct SCRAMClientInstance: PasswordProof {
    private let password: String
    private let nonce: String
    private let bare: String
    private var serverProof: String?
    /// A server that asks for more could keep a client busy for hours.
    private static let iterationCountMax = 1_000_000

    package init(password: String) {
        self.init(
            user: "", password: password,
            nonce: Base64Text.encode(RandomBytes.make(SCRAMServerInstance.nonceByteCount)))
    }

    package init(user: String, password: String, nonce: String) {
        self.password = password
        self.nonce = nonce
        bare = "n=\(user),r=\(nonce)"
    }

    package var mechanism: String { SCRAMServerInstance.mechanism }
    package var first: [UInt8] { Array("n,,\(bare)".utf8) }

    package mutating func answer(_ challenge: [UInt8]) throws -> [UInt8] {
        let text = String(decoding: challenge, as: UTF8.self)
        let attributes = text.split(separator: ",", omittingEmptySubsequences: false)
        guard attributes.count >= 3, attributes[0].hasPrefix("r=\(nonce)"),
            attributes[0].utf8.count > nonce.utf8.count + 2, attributes[1].hasPrefix("s="),
            let salt = Base64Text.decode(String(attributes[1].dropFirst(2))), attributes[2].hasPrefix("i="),
            let count = Int(attributes[2].dropFirst(2)), (1...Self.iterationCountMax).contains(count)
        else { throw QueryError(.protocolViolation, "malformed SCRAM message of the server") }
        let keys = SCRAMVerifier.keys(password: password, salt: salt, iterationCount: count)
        let withoutProof = "c=\(Base64Text.encode(Array("n,,".utf8))),\(attributes[0])"
        let message = "\(bare),\(text),\(withoutProof)"
        let signature = SCRAMVerifier.code(message, key: SCRAMVerifier.hash(keys.client))
        let proof = zip(keys.client, signature).map { $0 ^ $1 }
        serverProof = "v=\(Base64Text.encode(SCRAMVerifier.code(message, key: keys.server)))"
        return Array("\(withoutProof),p=\(Base64Text.encode(proof))".utf8)
    }

    package func check(_ final: [UInt8]) throws {
        guard let serverProof, ConstantTime.isEqual(final, Array(serverProof.utf8)) else {
            throw QueryError(.invalidAuthorization, "the server does not know the password that it asked for")
        }
    }
}
