// What operators do: checking a configuration and an installation, and changing a configuration while a server runs.

import Authentication
import Diagnostics
import EngineTestSupport
import Foundation
import Frontends
import Testing

@Suite("Operations", .serialized)
struct OperationsTests {
    private let directory: String

    init() throws {
        directory =
            FileManager.default.temporaryDirectory.appendingPathComponent("martlet-operations-\(UUID().uuidString)")
            .path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    private func write(_ text: String, _ name: String = "martlet.yaml") throws -> String {
        let path = "\(directory)/\(name)"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    private static func run(_ arguments: [String], _ environment: [String: String] = [:]) throws -> (Int32, String) {
        let process = Process()
        process.executableURL = ServerProcess.program
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

    private static func objects(_ text: String) throws -> [[String: Any]] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]], "\(text)")
    }

    @Test("config check says everything that is wrong, and where, and no secret")
    func configurationCheck() throws {
        let path = try write(
            """
            # A file with faults.
            host: 127.0.0.1
            threads: many
            coordinator:
              pg-port: 99999
              http-prt: 8080
            users:
              anna:
                pasword: hunter2
            """)
        let (status, text) = try Self.run(
            ["config", "check", "--config", path, "--threads=-1"],
            [
                "MARTLET_LOG_LEVEL": "loud", "MARTLET_NOTHING": "1",
            ])
        #expect(status == 1)
        for part in [
            "line 3: ", "line 5: ", "line 6: ", "line 9: ", "MARTLET_LOG_LEVEL", "MARTLET_NOTHING", "--threads",
            "http-port",
        ] { #expect(text.contains(part), "\(part) in \(text)") }
        #expect(!text.contains("hunter2"))

        let (jsonStatus, json) = try Self.run(["config", "check", "--config", path, "--output", "json"])
        #expect(jsonStatus == 1)
        let problems = try Self.objects(json)
        #expect(problems.count == 4)
        #expect(problems.compactMap { $0["key"] as? String }.contains("coordinator.http-prt"))
        #expect(problems.allSatisfy { ($0["place"] as? String)?.contains("line") == true })
    }

    @Test("config check looks at what keys make together")
    func combinations() throws {
        for (text, part) in [
            ("tls:\n  required: true\n", "tls.required"), ("tls:\n  certificate: /none\n  key: /none\n", "/none"),
            ("host: 0.0.0.0\n", "0.0.0.0"), ("catalogs:\n  a:\n    type: nothing\n", "nothing"),
            ("catalogs:\n  a:\n    type: sqlite\n    pth: x\n", "pth"), ("catalogs:\n  a:\n    path: x\n", "type"),
            ("cluster:\n  tls:\n    key: /none\n", "cluster.tls"),
            ("users:\n  a:\n    password-file: /none\n", "/none"),
            ("trace:\n  endpoint: nowhere\n", "trace.endpoint"),
            ("trace:\n  endpoint: http://a\n  share: 2\n", "trace.share"), ("a: &b c\n", "line 1"),
            ("{\"a\": ", "line 1"),
        ] {
            let (status, answer) = try Self.run(["config", "check", "--config", try write(text)])
            #expect(status == 1 && answer.contains(part), "\(text): \(answer)")
        }
        let good = try write("host: 127.0.0.1\nusers:\n  a:\n    password: secret words\n")
        let (status, answer) = try Self.run(["config", "check", "--config", good])
        #expect(status == 0 && !answer.contains("secret"), "\(answer)")
    }

    @Test("the doctor finds what is wrong and says what to do")
    func doctor() throws {
        func findings(_ arguments: [String], _ environment: [String: String] = [:]) throws -> (Int32, [String: String])
        {
            let (status, text) = try Self.run(["doctor", "--output", "json"] + arguments, environment)
            var statuses: [String: String] = [:]
            for finding in try Self.objects(text) {
                let subject = try #require(finding["subject"] as? String)
                let state = try #require(finding["status"] as? String)
                if state != "ok" { #expect((finding["hint"] as? String)?.isEmpty == false, "\(finding)") }
                if statuses[subject] != "error" { statuses[subject] = state }
            }
            return (status, statuses)
        }
        let free = ["--pg-port", "0", "--grpc-port", "0", "--http-port", "0"]
        let (healthy, all) = try findings(free + ["--data", directory])
        #expect(healthy == 0, "\(all)")
        for subject in [
            "configuration", "data", "spill-directory", "memory-limit", "open files", "clock", "coordinator.pg-port",
        ] {
            #expect(all[subject] != nil, "\(subject)")
        }

        let listener = try TraceReceiver()
        defer { listener.stop() }
        let sick = try write(
            """
            spill-directory: /nonexistent
            memory-limit: 100TiB
            catalogs:
              away:
                type: postgres
                dsn: postgres://nobody@127.0.0.1:9/none
                connect-timeout: 1s
            """)
        let (status, wrong) = try findings(
            [
                "--config", sick, "--pg-port", "\(listener.port)", "--grpc-port", "0", "--http-port", "0", "--join",
                "127.0.0.1:9",
            ])
        #expect(status == 1)
        for subject in ["spill-directory", "memory-limit", "catalogs.away", "coordinator.pg-port", "worker.join"] {
            #expect(wrong[subject] == "error", "\(subject): \(wrong)")
        }
    }

    @Test("the doctor reads certificates")
    func certificates() throws {
        let (made, _) = try Self.run(["certs", directory + "/certs", "--node", "n", "--days", "5"])
        #expect(made == 0)
        let certs = directory + "/certs"
        let (status, text) = try Self.run(
            ["doctor", "--pg-port", "0", "--grpc-port", "0", "--http-port", "0"],
            [
                "MARTLET_CLUSTER_TLS_CERTIFICATE": certs + "/n.pem", "MARTLET_CLUSTER_TLS_KEY": certs + "/n.key",
                "MARTLET_CLUSTER_TLS_AUTHORITY": certs + "/authority.pem",
            ])
        #expect(status == 0 && text.contains("expires in"), "\(text)")
    }

    @Test("SIGHUP opens, changes and closes catalogues; one with a fault stays what it was")
    func catalogues() async throws {
        for (name, value) in [("a", 1), ("b", 2)] {
            try FileManager.default.createDirectory(atPath: "\(directory)/\(name)", withIntermediateDirectories: true)
            _ = try write("x\n\(value)\n", "\(name)/t.csv")
        }
        func text(_ entries: String...) -> String { "catalogs:\n" + entries.map { "  \($0)\n" }.joined() }
        func entry(_ name: String, _ place: String) -> String {
            "\(name):\n    type: file\n    directory: \(directory)/\(place)"
        }
        let path = try write(text(entry("first", "a"), entry("gone", "b")))
        let log = directory + "/log"
        let server = try ServerProcess(
            ["standalone", "--pg-port", "0", "--grpc-port", "0", "--http-port", "0", "--config", path],
            wrapper: ["/bin/sh", "-c", "exec \"$@\" 2>>\(log)", "sh"])
        defer { _ = server.terminate() }
        let port = try #require(server.addresses["postgres"]?.split(separator: ":").last.flatMap { Int($0) })
        func session() throws -> RawSocket {
            let socket = try RawSocket(port: port)
            _ = try socket.logIn(user: "anna", password: "")
            return socket
        }
        let (running, block, fresh) = (try session(), try session(), try session())
        var reloadCount = 0
        func reload(_ text: String) async throws {
            _ = try write(text)
            reloadCount += 1
            kill(server.identifier, SIGHUP)
            let deadline = Date().addingTimeInterval(30)
            func count() -> Int {
                ((try? String(contentsOfFile: log, encoding: .utf8)) ?? "").components(
                    separatedBy: "the configuration was read again"
                ).count - 1
            }
            while count() < reloadCount, Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
            #expect(count() == reloadCount)
        }
        #expect(fresh.run("SELECT f.x, g.x FROM first.public.t f, gone.public.t g").rows == ["1|2"])
        #expect(fresh.run("PREPARE p AS SELECT x FROM first.public.t").state == nil)
        for _ in 0..<3 { #expect(fresh.run("EXECUTE p").rows == ["1"]) }
        let sql = "SELECT t.x FROM first.public.t, generate_series(1, 300000) AS g(n)"
        #expect(running.run("BEGIN; DECLARE c CURSOR FOR \(sql); FETCH 1 FROM c").rows == ["1"])
        #expect(block.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT x FROM first.public.t").rows == ["1"])

        try await reload(text(entry("first", "b"), entry("more", "a")))
        #expect(fresh.run("SELECT f.x, m.x FROM first.public.t f, more.public.t m").rows == ["2|1"])
        #expect(fresh.run("EXECUTE p").rows == ["2"])
        #expect(fresh.run("SELECT x FROM gone.public.t").state != nil)
        #expect(fresh.run("SELECT datname FROM pg_database WHERE datname IN ('gone', 'more')").rows == ["more"])
        // What runs keeps what it began with.
        let rest = running.run("FETCH ALL FROM c; COMMIT")
        #expect(rest.state == nil && rest.rows.count == 299_999 && Set(rest.rows) == ["1"])
        #expect(block.run("SELECT f.x, g.x FROM first.public.t f, gone.public.t g").rows == ["1|2"])
        #expect(block.run("COMMIT; SELECT x FROM first.public.t").rows == ["2"])

        // Faults of single entries; the rest is taken over.
        try await reload(
            text(
                "first:\n    type: nothing", "more:\n    directory: \(directory)/b", entry("third", "a"),
                "fourth:\n    type: sqlite\n    pth: x"))
        #expect(
            fresh.run("SELECT f.x, m.x, t.x FROM first.public.t f, more.public.t m, third.public.t t").rows
                == ["2|1|1"])
        #expect(fresh.run("SELECT datname FROM pg_database WHERE datname = 'fourth'").rows == [])
        let lines = try String(contentsOfFile: log, encoding: .utf8)
        #expect(lines.components(separatedBy: "its new entry is wrong").count == 3)
        #expect(lines.contains("a new catalogue cannot be opened"))
        try await reload(text(entry("first", "a")))
        #expect(fresh.run("SELECT x FROM first.public.t").rows == ["1"])
        #expect(fresh.run("CREATE TABLE stays (x integer); SELECT x FROM more.public.t").state != nil)
    }

    @Test("SIGHUP takes over users and limits, and nothing of a configuration with a fault")
    func reload() async throws {
        func text(_ password: String, _ connections: Int, _ more: String = "") -> String {
            "users:\n  anna:\n    password: \(password)\nserver:\n  max-connections: \(connections)\n\(more)"
        }
        let path = try write(text("first words", 100))
        let server = try ServerProcess([
            "standalone", "--pg-port", "0", "--grpc-port", "0", "--http-port", "0", "--config", path,
        ])
        defer { _ = server.terminate() }
        let port = try #require(server.addresses["postgres"]?.split(separator: ":").last.flatMap { Int($0) })
        func opens(_ password: String) -> Bool {
            do {
                _ = try RawSocket(port: port).logIn(user: "anna", password: password)
                return true
            } catch { return false }
        }
        func reload(until isDone: () -> Bool) async throws {
            kill(server.identifier, SIGHUP)
            let deadline = Date().addingTimeInterval(30)
            while !isDone(), Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
            #expect(isDone())
        }
        let standing = try RawSocket(port: port)
        _ = try standing.logIn(user: "anna", password: "first words")
        #expect(!opens("second words"))

        _ = try write(text("second words", 100))
        try await reload { opens("second words") }
        #expect(!opens("first words"))
        standing.send(RawSocket.message("Q", Array("SELECT 1\0".utf8)))
        #expect(standing.readMessages().state == nil)

        // The fault is further down; what stands before it is not taken over either.
        _ = try write(text("third words", 100, "threads: many\n"))
        kill(server.identifier, SIGHUP)
        _ = try write(text("second words", 1))
        try await reload { !opens("second words") }
        #expect(!opens("third words"))
        _ = try write(text("fourth words", 100))
        try await reload { opens("fourth words") }
        #expect(server.isRunning)
    }
}
