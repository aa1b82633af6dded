// A list of attacks against a server with users: each is refused as it should be, and the server goes on as before.

import Diagnostics
import EngineTestSupport
import Foundation
import Frontends
import Testing
import TransportConformance

/// One attack: what is done, and what must hold.
struct SecurityCase: Sendable, CustomTestStringConvertible {
    var name: String
    var attack: @Sendable (SecurityBench) async throws -> Void
    var testDescription: String { name }

    init(_ name: String, _ attack: @escaping @Sendable (SecurityBench) async throws -> Void) {
        self.name = name
        self.attack = attack
    }
}

/// The server that is attacked, with users anna and ben and an administrator, and a directory whose files statements may read.
final class SecurityBench: Sendable {
    let server: ServerProcess
    let directory: String
    /// Where the server gives rows to other nodes.
    let exchange: Int
    var roots: String { directory + "/roots" }

    static let users = [
        "MARTLET_USERS_ANNA_PASSWORD": "correct horse", "MARTLET_USERS_ANNA_TOKEN": "anna-token",
        "MARTLET_USERS_BEN_PASSWORD": "battery staple", "MARTLET_USERS_BEN_TOKEN": "ben-token",
        "MARTLET_USERS_CHIEF_TOKEN": "chief-token", "MARTLET_USERS_CHIEF_ADMINISTRATOR": "true",
    ]

    init(_ environment: [String: String] = [:]) throws {
        directory =
            FileManager.default.temporaryDirectory.appendingPathComponent("security-\(UUID().uuidString)").path
        let roots = directory + "/roots"
        try FileManager.default.createDirectory(atPath: roots, withIntermediateDirectories: true)
        try "a,b\n1,2\n".write(toFile: roots + "/inside.csv", atomically: true, encoding: .utf8)
        try "a,b\nsecret,2\n".write(toFile: directory + "/outside.csv", atomically: true, encoding: .utf8)
        try FileManager.default.createDirectory(atPath: roots + "-not", withIntermediateDirectories: true)
        try "a\n1\n".write(toFile: roots + "-not/file.csv", atomically: true, encoding: .utf8)
        try FileManager.default.createSymbolicLink(
            atPath: roots + "/link.csv", withDestinationPath: directory + "/outside.csv")
        try FileManager.default.createSymbolicLink(atPath: roots + "/up", withDestinationPath: directory)
        exchange = FaultProxy.freePort()
        server = try ServerProcess(
            ["standalone", "--pg-port", "0", "--grpc-port", "0", "--http-port", "0", "--threads", "2"],
            environment: Self.users.merging([
                "MARTLET_SERVER_FILE_ROOTS": roots, "MARTLET_SERVER_MAX_MESSAGE_SIZE": "1MiB",
                "MARTLET_SERVER_AUTHENTICATION_TIMEOUT": "10s",
                "MARTLET_COORDINATOR_EXCHANGE_PORT": String(exchange), "MARTLET_STATE_PATH": directory + "/state.db",
            ]) { $1 }.merging(environment) { $1 })
    }

    deinit {
        server.kill()
        try? FileManager.default.removeItem(atPath: directory)
    }

    func port(_ name: String) -> Int {
        (server.addresses[name] ?? "").split(separator: ":").last.flatMap { Int($0) } ?? 0
    }
    var postgres: Int { port("postgres") }
    var http: Int { port("http") }
    var grpc: Int { port("grpc") }

    func socket(_ name: String = "postgres", seconds: Int = 30) throws -> RawSocket {
        try RawSocket(port: port(name), seconds: seconds)
    }

    func session(_ user: String = "anna", _ password: String = "correct horse") throws -> RawSocket {
        let socket = try socket()
        _ = try socket.logIn(user: user, password: password)
        return socket
    }

    /// The SQLSTATE with which a statement of anna's fails; `nil` if it does not.
    func state(_ sql: String) throws -> String? {
        let session = try session()
        session.send(RawSocket.message("Q", Array(sql.utf8) + [0]))
        return session.readMessages(until: "ZGH").state
    }

    func request(
        _ method: String, _ path: String, _ headers: [String] = [], body: String = "", host: String = "localhost",
        token: String? = "anna-token"
    ) throws -> RawResponse {
        let credentials = token.map { ["Authorization: Bearer \($0)"] } ?? []
        return try RawResponse.get(
            port: http, RawResponse.request(method, path, credentials + headers, body: body, host: host))
    }

    /// Starts a query of a user that lasts until somebody cancels it, and waits until it runs; its id.
    func startLongQuery(token: String) async throws -> String {
        let started = try request(
            "POST", "/v1/queries", ["Content-Type: text/plain"],
            body: "SELECT count(*) FROM generate_series(1, 4000000000000) AS g(n)", token: token)
        let id = try #require(started.body.firstMatch(of: #/"id":\s*"([0-9a-f-]{36})"/#)?.1)
        for _ in 0..<600 {
            if try queryState(String(id), token: token) == "running" { return String(id) }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw QueryError(.internalError, "the query does not run: \(started.body)")
    }

    func queryState(_ id: String, token: String) throws -> String? {
        try request("GET", "/v1/queries/\(id)", token: token).body
            .firstMatch(of: #/"state":\s*"([a-z]+)"/#).map { String($0.1) }
    }

    /// That the server lives and answers on every port.
    func checkHealth(after name: String) throws {
        #expect(server.isRunning, "\(name): the server has ended")
        let session = try session("ben", "battery staple")
        session.send(RawSocket.message("Q", Array("SELECT 40 + 2\0".utf8)))
        #expect(session.readMessages().state == nil, "\(name): PostgreSQL")
        #expect(try request("GET", "/healthz", token: nil).status == 200, "\(name): HTTP")
        // The begin of HTTP/2 is answered with settings.
        let grpc = try socket("grpc")
        grpc.send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0])
        let answer = grpc.read(9)
        #expect(answer.count == 9 && answer[3] == 4, "\(name): gRPC")
    }
}

@Suite("A list of attacks", .serialized)
struct SecurityListTests {
    private static func run(_ cases: [SecurityCase], _ environment: [String: String] = [:]) async throws {
        let bench = try SecurityBench(environment)
        for attack in cases {
            do { try await attack.attack(bench) } catch { Issue.record("\(attack.name): \(error)") }
            try bench.checkHealth(after: attack.name)
        }
    }

    @Test("the list is long enough")
    func length() {
        let names = (Self.postgres + Self.files + Self.users + Self.http + Self.grpc + Self.exchange).map(\.name)
        #expect(names.count >= 60)
        #expect(Set(names).count == names.count)
    }

    @Test("against the PostgreSQL port") func postgresPort() async throws { try await Self.run(Self.postgres) }
    @Test("against files, by SQL") func sqlFiles() async throws { try await Self.run(Self.files) }
    @Test("against users, by SQL") func sqlUsers() async throws { try await Self.run(Self.users) }
    @Test("against the HTTP port") func httpPort() async throws { try await Self.run(Self.http) }
    @Test("against the gRPC port") func grpcPort() async throws { try await Self.run(Self.grpc) }
    @Test("against the exchange port") func exchangePort() async throws {
        try await Self.run(Self.exchange)
    }
}
