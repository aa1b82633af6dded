// Servers with users and with TLS as real processes: who is let in, and whom clients find.

import Authentication
import Diagnostics
import EngineTestSupport
import Foundation
import Testing

@testable import Frontends

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

    @Test("sessions of others are ended and stopped by administrators only")
    func sessionsOfOthers() async throws {
        let server = try Self.start(
            Self.users.merging([
                "MARTLET_USERS_CLARA_PASSWORD": "staple", "MARTLET_USERS_CLARA_ADMINISTRATOR": "true",
            ]) { $1 })
        defer { _ = server.terminate() }
        func value(_ connection: ServerConnection, _ sql: String) async throws -> String {
            var text: [UInt8] = []
            try await connection.run(sql) { event in
                if case .rows(let batch) = event { batch.append(0, 0, into: &text) }
            }
            return String(decoding: text, as: UTF8.self)
        }
        func state(_ connection: ServerConnection, _ sql: String) async -> SQLState? {
            do {
                _ = try await value(connection, sql)
                return nil
            } catch { return (error as? QueryError)?.state }
        }
        let anna = try Self.connect(server, "anna", "correct horse")
        let other = try Self.connect(server, "anna", "correct horse")
        let ben = try Self.connect(server, "ben", "battery")
        let clara = try Self.connect(server, "clara", "staple")
        let number = try await value(anna, "SELECT pg_backend_pid()")
        #expect(await state(ben, "SELECT pg_terminate_backend(\(number))") == .insufficientPrivilege)
        #expect(await state(ben, "SELECT pg_cancel_backend(\(number))") == .insufficientPrivilege)
        #expect(try await value(clara, "SELECT pg_cancel_backend(\(number))") == "t")
        #expect(try await value(anna, "SELECT 1") == "1")
        #expect(try await value(other, "SELECT pg_terminate_backend(\(number))") == "t")
        #expect(await state(anna, "SELECT 1") != nil)
        let last = try await value(ben, "SELECT pg_backend_pid()")
        #expect(try await value(clara, "SELECT pg_terminate_backend(\(last))") == "t")
        #expect(await state(ben, "SELECT 1") != nil)
        let left = "SELECT count(*) FROM pg_stat_activity WHERE pid IN (\(number), \(last))"
        #expect(try await value(other, left) == "0")
        for connection in [other, clara] { connection.close() }
    }

    @Test("a server without users does not listen for other machines")
    func openServers() throws {
        #expect(throws: QueryError.self) { _ = try Self.start([:], ["--host", "0.0.0.0"]) }
        let allowed = try Self.start(["MARTLET_SERVER_ALLOW_UNAUTHENTICATED": "true"], ["--host", "0.0.0.0"])
        _ = allowed.terminate()
        // Users do not tell who may join as a worker.
        #expect(throws: QueryError.self) { _ = try Self.start(Self.users, ["--host", "0.0.0.0"]) }
        let withUsers = try Self.start(
            Self.users.merging(["MARTLET_CLUSTER_ALLOW_UNAUTHENTICATED": "true"]) { $1 }, ["--host", "0.0.0.0"])
        _ = withUsers.terminate()
        let (directory, files) = try Self.certificates()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let withCertificates = try Self.start(
            Self.users.merging(files("coordinator")) { $1 }, ["--host", "0.0.0.0"])
        _ = withCertificates.terminate()
        #expect(throws: QueryError.self) {
            _ = try ServerProcess(["worker", "--join", "127.0.0.1:1", "--grpc-port", "0", "--host", "0.0.0.0"])
        }
    }

    /// Certificates that `martlet certs` makes, and the variables that give a node its own.
    private static func certificates() throws -> (directory: String, files: (String) -> [String: String]) {
        let directory =
            FileManager.default.temporaryDirectory.appendingPathComponent("martlet-certs-\(UUID().uuidString)").path
        let program = try #require(ServerProcess.program)
        let made = try run(program.path, ["certs", directory, "--node", "coordinator", "--node", "worker"])
        try #require(made.status == 0, "\(made.text)")
        return (
            directory,
            { name in
                [
                    "MARTLET_CLUSTER_TLS_CERTIFICATE": "\(directory)/\(name).pem",
                    "MARTLET_CLUSTER_TLS_KEY": "\(directory)/\(name).key",
                    "MARTLET_CLUSTER_TLS_AUTHORITY": "\(directory)/authority.pem",
                ]
            }
        )
    }

    @Test("martlet certs signs further nodes, replaces none unasked, and keeps keys to their owner")
    func certificateFiles() throws {
        let (directory, _) = try Self.certificates()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let program = try #require(ServerProcess.program).path
        let authority = try String(contentsOfFile: directory + "/authority.pem", encoding: .utf8)
        #expect(try Self.run(program, ["certs", directory, "--node", "more", "--host", "10.0.0.1"]).status == 0)
        #expect(try String(contentsOfFile: directory + "/authority.pem", encoding: .utf8) == authority)
        #expect(try Self.run(program, ["certs", directory, "--node", "more"]).status != 0)
        #expect(try Self.run(program, ["certs", directory, "--node", "more", "--force"]).status == 0)
        #expect(try Self.run(program, ["certs", directory, "--node", "../more"]).status != 0)
        for name in ["authority.key", "coordinator.key", "more.key"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(directory)/\(name)")
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        }
        if let openssl = Self.program("openssl") {
            let verified = try Self.run(
                openssl, ["verify", "-CAfile", "\(directory)/authority.pem", "\(directory)/more.pem"])
            #expect(verified.status == 0)
        }
    }

    @Test("a cluster with certificates answers, and takes no worker without")
    func clusterWithCertificates() async throws {
        let (directory, files) = try Self.certificates()
        let (foreign, foreignFiles) = try Self.certificates()
        defer { for path in [directory, foreign] { try? FileManager.default.removeItem(atPath: path) } }
        let cluster = try ProcessCluster(
            workers: 2, environment: files("coordinator"), workerEnvironment: files("worker"))
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(2)
        let sql = "SELECT count(*) FROM tpch.tiny.lineitem l JOIN tpch.tiny.orders o ON l_orderkey = o_orderkey"
        #expect(try await cluster.connect().run(sql) == [["60175"]])
        let join = try #require(cluster.coordinator.addresses["grpc"])
        for environment in [[:], foreignFiles("worker")] {
            let stranger = try ServerProcess(
                ["worker", "--join", join, "--grpc-port", "0", "--id", "stranger"], environment: environment)
            defer { stranger.kill() }
            try await Task.sleep(for: .seconds(2))
            #expect(stranger.isRunning)
        }
        let names = try await cluster.connect().run("SELECT worker_id FROM system.workers")
        #expect(!names.contains(["stranger"]) && names.count >= 2)
        // A worker with certificates does not join a coordinator without.
        let open = try ProcessCluster(workers: 0)
        defer { open.shutdown() }
        let careful = try ServerProcess(
            [
                "worker", "--join", try #require(open.coordinator.addresses["grpc"]), "--grpc-port", "0", "--id",
                "careful",
            ],
            environment: files("worker"))
        defer { careful.kill() }
        try await Task.sleep(for: .seconds(2))
        #expect(
            try await open.connect().run("SELECT count(*) FROM system.workers WHERE worker_id = 'careful'") == [["0"]])
    }

    @Test("on the port that nodes and clients share, clients see the server's certificate and nodes the cluster's")
    func certificateForClients() async throws {
        let (directory, files) = try Self.certificates()
        let (other, _) = try Self.certificates()
        defer { for path in [directory, other] { try? FileManager.default.removeItem(atPath: path) } }
        let tls = [
            "MARTLET_TLS_CERTIFICATE": "\(other)/coordinator.pem", "MARTLET_TLS_KEY": "\(other)/coordinator.key",
        ]
        let cluster = try ProcessCluster(
            workers: 1, environment: files("coordinator").merging(tls) { $1 }, workerEnvironment: files("worker"))
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(1)
        #expect(try await cluster.connect().run("SELECT count(*) FROM tpch.tiny.orders") == [["15000"]])
        let grpc = try Self.port(cluster.coordinator, "grpc")
        let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0"
        #expect(try Self.encrypted(grpc, preface, other + "/authority.pem", count: 9).utf8.count >= 9)
        #expect(
            Self.state { _ = try Self.encrypted(grpc, preface, directory + "/authority.pem", count: 9) }
                == .connectionFailure)
        let http = try Self.port(cluster.coordinator, "http")
        let request = RawResponse.request("GET", "/v1/version")
        #expect(try Self.encrypted(http, request, other + "/authority.pem").contains(" 200 "))
    }

    @Test("TLS on every port, by the shell too; in plain it goes no further where it is required")
    func encryptionOnEveryPort() async throws {
        let (directory, _) = try Self.certificates()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let tls = [
            "MARTLET_TLS_CERTIFICATE": "\(directory)/coordinator.pem",
            "MARTLET_TLS_KEY": "\(directory)/coordinator.key",
        ]
        for isRequired in [false, true] {
            let server = try Self.start(
                Self.users.merging(tls) { $1 }.merging(["MARTLET_TLS_REQUIRED": "\(isRequired)"]) { $1 })
            defer { _ = server.terminate() }
            func connect(_ mode: EncryptionMode, _ authority: String?, host: String = "127.0.0.1") throws -> String {
                var address = ServerAddress(
                    host: host, port: try Self.port(server), user: "anna", database: "martlet",
                    password: "correct horse")
                address.encryption = mode
                address.authorityPath = authority
                let connection = try ServerConnection(address, makeProof: { SCRAMClientInstance(password: $0) })
                defer { connection.close() }
                return connection.summary
            }
            let authority = directory + "/authority.pem"
            for mode in [EncryptionMode.prefer, .require, .verifyAuthority, .verifyFull] {
                #expect(try connect(mode, authority).contains("TLS"))
            }
            #expect(try connect(.verifyFull, authority, host: "localhost").contains("TLS"))
            // Not of a known authority.
            #expect(Self.state { _ = try connect(.verifyFull, nil) } == .connectionFailure)
            #expect(Self.state { _ = try connect(.verifyAuthority, nil) } == .connectionFailure)
            if isRequired {
                #expect(Self.state { _ = try connect(.disable, nil) } == .invalidAuthorization)
            } else {
                #expect(try !connect(.disable, nil).contains("TLS"))
            }

            // The shell, by Flight SQL: 2 is a connection that failed.
            for mode in ["disable", "prefer", "require", "verify-ca", "verify-full"] {
                let status = try Self.shell(server, "sslmode=\(mode)&sslrootcert=\(authority)")
                #expect(status == (isRequired && mode == "disable" ? 2 : 0), "\(mode)")
            }
            #expect(try Self.shell(server, "sslmode=verify-full") == 2)

            let http = try Self.port(server, "http")
            let request = RawResponse.request("GET", "/v1/version", ["Authorization: Bearer anna-token"])
            #expect(try Self.encrypted(http, request, authority).contains(" 200 "))
            #expect(try RawResponse.get(port: http, request).status == (isRequired ? 426 : 200))
            #expect(try RawResponse.get(port: http, RawResponse.request("GET", "/healthz")).status == 200)

            let grpc = try Self.port(server, "grpc")
            let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0"
            let plain = try RawSocket(port: grpc)
            plain.send(preface)
            #expect(plain.read(9).count == (isRequired ? 0 : 9))
            #expect(try Self.encrypted(grpc, preface, authority, count: 9).utf8.count >= 9)
            try Self.checkOldVersions(server)
        }
    }

    /// How the shell ends that asks for a row at the gRPC port.
    private static func shell(_ server: ServerProcess, _ parameters: String) throws -> Int32 {
        let process = Process()
        process.executableURL = try #require(ServerProcess.program)
        let address = "martlet://anna:correct%20horse@localhost:\(try port(server, "grpc"))?\(parameters)"
        process.arguments = ["sql", "--connect", address, "-c", "SELECT 1"]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// TLS 1.1, SSL 3 and what is no handshake get an alert or nothing.
    private static func checkOldVersions(_ server: ServerProcess) throws {
        func hello(_ version: UInt8) -> [UInt8] {
            let random = [UInt8](repeating: 7, count: 32)
            let body = [3, version] + random + [0, 0, 4, 0, 0x2F, 0, 0x35, 1, 0]
            let handshake = [1, 0, 0, UInt8(body.count)] + body
            return [22, 3, min(version, 1), 0, UInt8(handshake.count)] + handshake
        }
        for name in ["http", "grpc"] {
            for bytes in [hello(0), hello(1), hello(2), [22, 3, 1, 0xFF, 0xFF] + [UInt8](repeating: 0, count: 100)] {
                let socket = try RawSocket(port: try port(server, name))
                socket.send(bytes)
                socket.endSending()
                let (answer, isClosed) = socket.readAll()
                // 21 is an alert; a handshake that goes on would be 22.
                #expect(isClosed && answer.first != 22, "\(name)")
            }
        }
    }

    /// What comes back over TLS: so many bytes, or all until the end.
    private static func encrypted(_ port: Int, _ text: String, _ authority: String, count: Int = .max) throws -> String
    {
        let socket = try RawSocket(port: port)
        return try socket.withDescriptor { descriptor in
            let connection = try EncryptedSocket(
                descriptor, host: "127.0.0.1", mode: .verifyFull, authorityPath: authority)
            let bytes = Array(text.utf8)
            #expect(bytes.withUnsafeBytes { connection.write($0) } == bytes.count)
            var all: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            while all.count < count {
                let got = connection.read(&buffer)
                guard got > 0 else { break }
                all += buffer[..<got]
            }
            return String(decoding: all, as: UTF8.self)
        }
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
