// Which web pages may speak to the server through their visitors' browsers.
//
// Connections need not be authenticated, and a browser sends credentials that it knows by itself, so a page from elsewhere
// must not be able to run statements by way of a browser that can reach the server: requests that a browser sends for a page carry the page's origin, and a name that a page's owner
// made point here is not one of the server's.

import Diagnostics

struct OriginPolicy: Sendable {
    /// Whether the server listens for this machine only: then only names of this machine lead to it.
    let isLocal: Bool
    /// Further origins, as `https://host:port`.
    let allowed: Set<String>

    init(host: String, allowed: [String] = []) {
        isLocal = Self.localNames.contains(host.lowercased())
        self.allowed = Set(allowed.map { $0.lowercased() })
    }

    private static let localNames: Set<String> = ["localhost", "127.0.0.1", "::1", "[::1]"]

    func check(_ request: HTTPRequest) throws {
        guard accepts(host: request.headers.first(name: "host"), origin: request.headers.first(name: "origin")) else {
            throw HTTPFailure(
                .forbidden,
                QueryError(
                    .insufficientPrivilege, "requests from this origin are not answered",
                    hint: "coordinator.http-origins names further origins."))
        }
    }

    func accepts(host: String?, origin: String?) -> Bool {
        let host = host?.lowercased()
        if let origin = origin?.lowercased(), allowed.contains(origin) { return true }
        if isLocal, let host, !Self.localNames.contains(Self.name(host)), !allowed.contains("http://\(host)"),
            !allowed.contains("https://\(host)")
        {
            return false
        }
        guard let origin = origin?.lowercased() else { return true }
        guard let host, let separator = origin.firstRange(of: "://") else { return false }
        return origin[separator.upperBound...] == host
    }

    private static func name(_ host: String) -> String {
        if host.hasPrefix("[") { return host.firstIndex(of: "]").map { String(host[...$0]) } ?? host }
        return String(host.prefix { $0 != ":" })
    }
}
