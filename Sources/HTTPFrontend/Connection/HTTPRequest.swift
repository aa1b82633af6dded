// A request as routes see it.

import Diagnostics
import NIOHTTP1

struct HTTPRequest: Sendable {
    var method: HTTPMethod
    /// Percent-decoded.
    var path: [String]
    /// Percent-decoded, in their order.
    var query: [(name: String, value: String)]
    var headers: HTTPHeaders
    var body: [UInt8] = []
    /// Values of the route's variables.
    var variables: [String: String] = [:]
    /// Who has proved to be its sender; `nil` if nobody needs to.
    var user: String?
    /// Whether the sender may see and stop what others run.
    var isAdministrator = false

    init(_ head: HTTPRequestHead) throws {
        method = head.method
        headers = head.headers
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = try parts[0].split(separator: "/").map { try Self.decoded($0, plusIsSpace: false) }
        query = try (parts.count > 1 ? parts[1] : "").split(separator: "&").map { pair in
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (
                try Self.decoded(sides[0], plusIsSpace: true),
                sides.count > 1 ? try Self.decoded(sides[1], plusIsSpace: true) : ""
            )
        }
    }

    /// Whether the sender may see and stop what a user has run.
    func maySee(_ owner: String) -> Bool { user == nil || isAdministrator || user == owner }

    /// Whether the sender is a person before a browser.
    var isForPage: Bool {
        method == .GET && headers[canonicalForm: "accept"].contains { $0.hasPrefix("text/html") }
    }

    func parameter(_ name: String) -> String? { query.last { $0.name == name }?.value }

    /// A number among the parameters; throws if it is none, or outside of the range.
    func integer(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
        guard let text = parameter(name) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw QueryError(
                .invalidParameterValue, "invalid value for parameter \"\(name)\": \"\(text)\"",
                hint: "It is a number from \(range.lowerBound) to \(range.upperBound).")
        }
        return value
    }

    /// Whether the client takes gzip.
    var acceptsGzip: Bool {
        headers[canonicalForm: "accept-encoding"].contains { item in
            let parts = item.split(separator: ";").map { $0.filter { $0 != " " } }
            guard parts.first == "gzip" || parts.first == "*" else { return false }
            return !parts.dropFirst().contains { $0 == "q=0" || $0 == "q=0.0" || $0 == "q=0.00" || $0 == "q=0.000" }
        }
    }

    private static func decoded(_ text: Substring, plusIsSpace: Bool) throws -> String {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else {
            return String(text)
        }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                let digits = rest.prefix(2)
                guard digits.count == 2, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16) else {
                    throw QueryError(.protocolViolation, "the address is not percent-encoded as it should be")
                }
                bytes.append(value)
                rest = rest.dropFirst(2)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(0x20)
            default: bytes.append(byte)
            }
        }
        guard let result = String(validating: bytes, as: UTF8.self) else {
            throw QueryError(SQLState("22021"), "invalid byte sequence for encoding \"UTF8\"")
        }
        return result
    }
}
