// A server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677): messages in, messages out.

import Diagnostics
import Frontends

/// One exchange. The caller knows the user from its own protocol; the name within the exchange is not looked at, as in
/// PostgreSQL, whose clients leave it empty.
package struct SCRAMServerInstance: Sendable {
    package static let mechanism = "SCRAM-SHA-256"
    package static let nonceByteCount = 18

    private enum Phase {
        case first
        case final(header: String, authenticated: String, nonce: String)
        case ended
    }

    private let verifier: SCRAMVerifier
    private let serverNonce: String
    private var phase = Phase.first

    /// With a nonce of its own.
    package init(verifier: SCRAMVerifier) {
        self.init(verifier: verifier, nonce: Base64Text.encode(RandomBytes.make(Self.nonceByteCount)))
    }

    /// `nonce`: printable characters without a comma, never twice the same.
    package init(verifier: SCRAMVerifier, nonce: String) {
        self.verifier = verifier
        serverNonce = nonce
    }

    package enum Step: Sendable, Equatable {
        case challenge([UInt8])
        /// The proof is right; the server's own proof goes back.
        case success([UInt8])
        /// The proof is wrong.
        case failure
    }

    /// Takes the client's next message. 08P01 for one that is malformed.
    package mutating func handle(_ bytes: [UInt8]) throws -> Step {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Self.malformed }
        switch phase {
        case .first:
            phase = .ended
            return try handleFirst(text)
        case .final(let header, let authenticated, let nonce):
            phase = .ended
            return try handleFinal(text, header: header, authenticated: authenticated, nonce: nonce)
        case .ended: throw Self.malformed
        }
    }

    private static let malformed = QueryError(.protocolViolation, "malformed SCRAM message")

    /// `n,,n=NAME,r=NONCE`: whether the channel is bound, whom to act as, then the message that is authenticated.
    private mutating func handleFirst(_ text: String) throws -> Step {
        let parts = text.split(separator: ",", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw Self.malformed }
        switch parts[0] {
        case "n", "y": break
        case _ where parts[0].hasPrefix("p="):
            throw QueryError(.protocolViolation, "the client asks for channel binding, which was not offered")
        default: throw Self.malformed
        }
        guard parts[1].isEmpty else {
            throw QueryError.notSupported("an authorization identity in SCRAM")
        }
        let bare = parts[2]
        let attributes = bare.split(separator: ",", omittingEmptySubsequences: false)
        // Extensions that must be understood begin with m.
        guard attributes.count >= 2, attributes[0].hasPrefix("n="), attributes[1].hasPrefix("r=") else {
            throw Self.malformed
        }
        let clientNonce = attributes[1].dropFirst(2)
        guard !clientNonce.isEmpty, clientNonce.utf8.allSatisfy({ $0 >= 0x21 && $0 <= 0x7E }) else {
            throw Self.malformed
        }
        let nonce = String(clientNonce) + serverNonce
        let answer = "r=\(nonce),s=\(Base64Text.encode(verifier.salt)),i=\(verifier.iterationCount)"
        phase = .final(
            header: "\(parts[0]),,", authenticated: "\(bare),\(answer)", nonce: nonce)
        return .challenge(Array(answer.utf8))
    }

    /// `c=HEADER,r=NONCE,p=PROOF`.
    private func handleFinal(_ text: String, header: String, authenticated: String, nonce: String) throws -> Step {
        guard let comma = text.utf8.lastIndex(of: UInt8(ascii: ",")) else { throw Self.malformed }
        let withoutProof = text[..<comma]
        let last = text[text.utf8.index(after: comma)...]
        let attributes = withoutProof.split(separator: ",", omittingEmptySubsequences: false)
        guard attributes.count >= 2, attributes[0].hasPrefix("c="), attributes[1].hasPrefix("r="),
            last.hasPrefix("p="), let proof = Base64Text.decode(String(last.dropFirst(2))),
            proof.count == SCRAMVerifier.keyByteCount
        else { throw Self.malformed }
        // The header comes again so that nobody between can have changed it.
        guard attributes[0].dropFirst(2) == Base64Text.encode(Array(header.utf8)), attributes[1].dropFirst(2) == nonce
        else { throw Self.malformed }
        let message = "\(authenticated),\(withoutProof)"
        let signature = SCRAMVerifier.code(message, key: verifier.storedKey)
        let clientKey = zip(proof, signature).map { $0 ^ $1 }
        guard ConstantTime.isEqual(SCRAMVerifier.hash(clientKey), verifier.storedKey) else { return .failure }
        let own = SCRAMVerifier.code(message, key: verifier.serverKey)
        return .success(Array("v=\(Base64Text.encode(own))".utf8))
    }
}
