// Where a server is and as whom to connect, as people write it.

import Diagnostics

/// What is spoken with a server.
package enum ServerProtocol: Hashable, Sendable {
    /// Arrow Flight SQL, with a server of this project.
    case flightSQL
    /// PostgreSQL's, with any server that speaks it.
    case postgres

    package var standardPort: Int { self == .flightSQL ? 50_051 : 5433 }
}

package struct ServerAddress: Hashable, Sendable {
    package var speaks: ServerProtocol
    package var host: String
    package var port: Int
    package var user: String
    package var database: String
    package var password: String?
    package var applicationName = "martlet sql"
    package var encryption = EncryptionMode.prefer
    /// File with the certificates of the authorities that are trusted, in PEM; `nil`: the system's.
    package var authorityPath: String?

    package static func standard(_ speaks: ServerProtocol) -> ServerAddress {
        ServerAddress(
            host: "127.0.0.1", port: speaks.standardPort, user: "martlet", database: "martlet", speaks: speaks)
    }

    package init(
        host: String, port: Int, user: String, database: String, password: String? = nil,
        speaks: ServerProtocol = .postgres
    ) {
        self.speaks = speaks
        self.host = host
        self.port = port
        self.user = user
        self.database = database
        self.password = password
    }

    /// `HOST`, `HOST:PORT`, `[::1]:PORT`, `martlet://USER:PASSWORD@HOST:PORT/DATABASE` or the same with `postgresql://`, which
    /// is for PostgreSQL's protocol; what is left out is that of the defaults, but for the port of another protocol.
    package init(_ text: String, defaults: ServerAddress) throws {
        self = defaults
        var rest = text[...]
        func wrong(_ reason: String) -> QueryError {
            QueryError(
                .invalidParameterValue, "\"\(text)\" is no address of a server: \(reason)",
                hint: "HOST:PORT, martlet://USER@HOST:PORT/DATABASE or postgresql://USER@HOST:PORT/DATABASE")
        }
        for scheme in ["postgresql://", "postgres://", "martlet://"] where rest.hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
            let named = scheme == "martlet://" ? ServerProtocol.flightSQL : .postgres
            if named != speaks {
                speaks = named
                port = named.standardPort
            }
            if let question = rest.firstIndex(of: "?") {
                try take(parameters: rest[rest.index(after: question)...], wrong)
                rest = rest[..<question]
            }
            if let slash = rest.firstIndex(of: "/") {
                let name = Self.decoded(rest[rest.index(after: slash)...])
                if !name.isEmpty { database = name }
                rest = rest[..<slash]
            }
            if let at = rest.lastIndex(of: "@") {
                let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                user = Self.decoded(parts[0])
                if parts.count > 1 { password = Self.decoded(parts[1]) }
                rest = rest[rest.index(after: at)...]
            }
            break
        }
        if rest.contains("://") { throw wrong("the scheme is unknown") }
        if rest.first == "[" {
            guard let close = rest.firstIndex(of: "]") else { throw wrong("a bracket is open") }
            host = String(rest[rest.index(after: rest.startIndex)..<close])
            rest = rest[rest.index(after: close)...]
        } else {
            let end = rest.firstIndex(of: ":") ?? rest.endIndex
            if end != rest.startIndex { host = String(rest[..<end]) }
            rest = rest[end...]
        }
        guard !rest.isEmpty else { return }
        guard rest.first == ":", let number = Int(rest.dropFirst()), (1...65_535).contains(number) else {
            throw wrong("the port is no number between 1 and 65535")
        }
        port = number
    }

    /// Whether what is sent there leaves this machine.
    package var isThisMachine: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }

    /// `sslmode=…&sslrootcert=…`; others are for other programs.
    private mutating func take(parameters: Substring, _ wrong: (String) -> QueryError) throws {
        for pair in parameters.split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = sides.count > 1 ? Self.decoded(sides[1]) : ""
            switch sides[0] {
            case "sslmode": try set(encryption: value, wrong)
            case "sslrootcert": authorityPath = value.isEmpty || value == "system" ? nil : value
            default: break
            }
        }
    }

    private mutating func set(encryption text: String, _ wrong: (String) -> QueryError) throws {
        // What PostgreSQL's clients do if the server wants it so, and else not.
        guard let mode = text == "allow" ? .prefer : EncryptionMode(rawValue: text) else {
            throw wrong("sslmode is one of \(EncryptionMode.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        encryption = mode
    }

    /// What the variables PGSSLMODE and PGSSLROOTCERT say.
    package mutating func takeEncryption(from variables: [String: String]) throws {
        if let mode = variables["PGSSLMODE"], !mode.isEmpty {
            try set(encryption: mode) { QueryError(.invalidParameterValue, "PGSSLMODE: \($0)") }
        }
        if let path = variables["PGSSLROOTCERT"], !path.isEmpty { authorityPath = path == "system" ? nil : path }
    }

    /// `%20` and its like.
    private static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
