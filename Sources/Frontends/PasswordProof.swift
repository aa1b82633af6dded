// How the shell proves to a server that it has a password.

/// One exchange with a server. The implementation needs hash functions, which programs without the network do not link.
package protocol PasswordProof: Sendable {
    /// As SASL names it.
    var mechanism: String { get }
    var first: [UInt8] { get }
    mutating func answer(_ challenge: [UInt8]) throws -> [UInt8]
    /// Throws if the server cannot prove that it knows the password's verifier.
    func check(_ final: [UInt8]) throws
}
