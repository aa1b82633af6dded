// Servers with users and with TLS as real processes: who is let in, and whom clients find.

import Authentication
import Diagnostics
import EngineTestSupport
import Foundation
import Frontends
import Testing

@Suite("Users and encryption", .serialized)
struct SecurityTests {
    private static let users = [
        "MARTLET_USERS_ANNA_PASSWORD": "correct horse", "MARTLET_USERS_ANNA_TOKEN": "anna-token",
        "MARTLET_USERS_BEN_PASSWORD": SCRAMVerifier(password: "battery").text,
    ]

    private static func start(_ environment: [String: String], _ arguments: [String] = []) throws -> ServerProcess {
        try ServerProcess(
            ["standalone", "--pg-port", "0", "--grpc-port", "0", "--http-port", "0"] + arguments,
            environment: environment)
    }

    private static func port(_ server: ServerProcess, _ name: String = "postgres") throws -> Int {
        try #require((server.addresses[name] ?? "").split(separator: ":").last.flatMap { Int($0) })
    }

    private static func connect(_ server: ServerProcess, _ user: String, _ password: String?) throws -> ServerConnection
    {
        try ServerConnection(
            ServerAddress(
                host: "127.0.0.1", port: try port(server), user: user, database: "martlet", password: password),
            makeProof: { SCRAMClientInstance(password: $0) })
    }

    private static func state(_ body: () throws -> Void) -> SQLState? {
        do {
            try body()
            return nil
        } catch { return (error as? QueryError)?.state }
    }

    @Test("the right password opens a session of the user; others do not")
    func passwords() async throws {
        let server = try Self.start(Self.users)
        defer { _ = server.terminate() }
        for (user, password) in [("anna", "correct horse"), ("ben", "battery")] {
            let connection = try Self.connect(server, user, password)
            var text: [UInt8] = []
            try await connection.run("SELECT session_user") { event in
                if case .rows(let batch) = event { batch.append(0, 0, into: &text) }
            }
            #expect(String(decoding: text, as: UTF8.self) == user)
            connection.close()
        }
        for (user, password) in [("anna", "battery"), ("ben", "correct horse"), ("carl", "battery"), ("anna", "")] {
            #expect(Self.state { _ = try Self.connect(server, user, password) } == .invalidPassword)
        }
        #expect(Self.state { _ = try Self.connect(server, "anna", nil) } == .invalidPassword)
        #expect(server.isRunning)
    }

    @Test("a server without users does not listen for other machines")
    func openServers() throws {
        #expect(throws: QueryError.self) { _ = try Self.start([:], ["--host", "0.0.0.0"]) }
        let allowed = try Self.start(["MARTLET_SERVER_ALLOW_UNAUTHENTICATED": "true"], ["--host", "0.0.0.0"])
        _ = allowed.terminate()
        let withUsers = try Self.start(Self.users, ["--host", "0.0.0.0"])
        _ = withUsers.terminate()
    }

    @Test("statements before a proof end the connection")
    func statementsBeforeTheProof() throws {
        let server = try Self.start(Self.users)
        defer { _ = server.terminate() }
        let startup: [UInt8] = [0, 3, 0, 0] + Array("user\0anna\0\0".utf8)
        let query = Array("SELECT 1\0".utf8)
        let answer = try Self.exchange(
            port: try Self.port(server),
            Self.message(nil, startup) + Self.message("Q", query))
        let text = String(decoding: answer, as: UTF8.self)
        #expect(text.contains("SCRAM-SHA-256"))
        #expect(text.contains("08P01"))
        #expect(!text.contains("SELECT 1"))
    }

    @Test("a client that proves nothing goes when its time is over")
    func timeToProve() async throws {
        let server = try Self.start(Self.users.merging(["MARTLET_SERVER_AUTHENTICATION_TIMEOUT": "500ms"]) { $1 })
        defer { _ = server.terminate() }
        let port = try Self.port(server)
        let clock = ContinuousClock()
        for bytes in [[], Self.message(nil, [0, 3, 0, 0] + Array("user\0anna\0\0".utf8))] {
            let duration = try clock.measure { _ = try Self.exchange(port: port, bytes) }
            // Left alone, the exchange takes ten seconds.
            #expect(duration < .seconds(9))
        }
        let connection = try Self.connect(server, "anna", "correct horse")
        try await Task.sleep(for: .milliseconds(1500))
        try await connection.run("SELECT 1") { _ in }
        connection.close()
    }

    @Test("TLS: psql connects with it, and only with it where it is required")
    func encryption() throws {
        guard let psql = Self.program("psql"), let openssl = Self.program("openssl") else { return }
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
            "martlet-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let certificate = directory.appendingPathComponent("certificate.pem").path
        let key = directory.appendingPathComponent("key.pem").path
        let made = try Self.run(
            openssl,
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            ])
        try #require(made.status == 0)
        let server = try Self.start(
            Self.users.merging([
                "MARTLET_TLS_CERTIFICATE": certificate, "MARTLET_TLS_KEY": key, "MARTLET_TLS_REQUIRED": "true",
            ]) { $1 })
        defer { _ = server.terminate() }
        let port = try Self.port(server)
        func connect(_ options: String, password: String = "correct horse") throws -> (status: Int32, text: String) {
            try Self.run(
                psql,
                [
                    "-XAt", "host=127.0.0.1 port=\(port) user=anna dbname=martlet gssencmode=disable \(options)", "-c",
                    "SELECT sum(n) FROM generate_series(1, 100000) AS g(n)",
                ], environment: ["PGPASSWORD": password])
        }
        for options in [
            "sslmode=require", "sslmode=prefer", "sslmode=verify-full sslrootcert=\(certificate)",
            "sslmode=require channel_binding=disable",
        ] {
            let answer = try connect(options)
            #expect(answer.status == 0)
            #expect(answer.text == "5000050000\n")
        }
        let plain = try connect("sslmode=disable")
        #expect(plain.status != 0)
        #expect(plain.text.contains("without encryption"))
        #expect(try connect("sslmode=require", password: "wrong").text.contains("password authentication failed"))
        // Bytes behind the request that were sent in plain are not taken for encrypted ones.
        let request: [UInt8] = [0, 0, 0, 8, 4, 0xD2, 0x16, 0x2F]
        let stuffed = try Self.exchange(
            port: port, request + Self.message(nil, [0, 3, 0, 0] + Array("user\0anna\0\0".utf8)))
        #expect(stuffed.isEmpty)
    }

    @Test("settings of TLS that cannot work end the program")
    func unusableFiles() {
        for environment in [
            ["MARTLET_TLS_CERTIFICATE": "/nonexistent", "MARTLET_TLS_KEY": "/nonexistent"],
            ["MARTLET_TLS_CERTIFICATE": "/nonexistent"], ["MARTLET_TLS_REQUIRED": "true"],
        ] {
            #expect(throws: QueryError.self) { _ = try Self.start(environment) }
        }
    }

    // MARK: - Means

    private static func message(_ type: Character?, _ body: [UInt8]) -> [UInt8] {
        let length = UInt32(body.count + 4)
        let head = (type?.asciiValue).map { [$0] } ?? []
        return head
            + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) } + body
    }

    /// Sends bytes and reads until the server closes the connection, at most ten seconds.
    private static func exchange(port: Int, _ bytes: [UInt8]) throws -> [UInt8] {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(code == 0)
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count <= 0 { return result }
            result += buffer[..<count]
        }
    }

    private static func program(_ name: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    private static func run(
        _ program: String, _ arguments: [String], environment: [String: String] = [:]
    ) throws -> (status: Int32, text: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
    }
}
