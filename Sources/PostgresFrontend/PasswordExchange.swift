// How a client proves its name: SASL's messages within PostgreSQL's protocol, with SCRAM-SHA-256 inside.

import Authentication
import Diagnostics
import Frontends

/// One client's proof.
struct PasswordExchange: Sendable {
    static let mechanisms = [SCRAMServerInstance.mechanism]

    enum Step: Sendable, Equatable {
        case goesOn([UInt8])
        case isProven([UInt8])
    }

    private let user: String
    private var scram: SCRAMServerInstance
    private var isFirst = true

    init(user: String, verifier: SCRAMVerifier) {
        self.init(user: user, SCRAMServerInstance(verifier: verifier))
    }

    init(user: String, _ scram: SCRAMServerInstance) {
        self.user = user
        self.scram = scram
    }

    /// Takes the body of a message. 28P01 for a wrong proof, 08P01 for what is none.
    mutating func handle(_ body: [UInt8]) throws -> Step {
        var data = body
        if isFirst {
            isFirst = false
            data = try Self.initialData(body)
        }
        switch try scram.handle(data) {
        case .challenge(let answer): return .goesOn(answer)
        case .success(let answer): return .isProven(answer)
        case .failure: throw UserDirectory.failure(user: user)
        }
    }

    /// The first message names the mechanism, then gives its data with their length.
    private static func initialData(_ body: [UInt8]) throws -> [UInt8] {
        guard let end = body.firstIndex(of: 0), body.count >= end + 5,
            let mechanism = String(validating: body[..<end], as: UTF8.self)
        else { throw MessageFraming.violation("malformed SASL message") }
        guard mechanisms.contains(mechanism) else {
            throw MessageFraming.violation("the client chose a mechanism of SASL that was not offered")
        }
        let length = body[(end + 1)..<(end + 5)].reduce(0) { $0 << 8 | Int($1) }
        let data = body[(end + 5)...]
        guard length == data.count else { throw MessageFraming.violation("malformed SASL message") }
        return Array(data)
    }
}
