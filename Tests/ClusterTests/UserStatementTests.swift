// Users that statements make, on real servers: who may, who is let in afterwards, what outlives a crash, and what is shown nowhere.

import Authentication
import Diagnostics
import EngineTestSupport
import Foundation
import Frontends
import Testing

@Suite("Users by statement", .serialized)
struct UserStatementTests {
    private let directory: String

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("users-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory + "/data", withIntermediateDirectories: true)
    }

    /// A server over the directory, whose log goes to a file there.
    private func start(_ environment: [String: String] = [:]) throws -> ServerProcess {
        try ServerProcess(
            [
                "standalone", "--pg-port", "0", "--grpc-port", "0", "--http-port", "0", "--threads", "1", "--data",
                directory + "/data",
            ], wrapper: ["/bin/sh", "-c", "exec \"$@\" 2>>\(directory)/log", "sh"],
            environment: environment.merging(["MARTLET_LOG_LEVEL": "trace"]) { mine, _ in mine })
    }

    private static func port(_ server: ServerProcess, _ name: String = "postgres") throws -> Int {
        try #require((server.addresses[name] ?? "").split(separator: ":").last.flatMap { Int($0) })
    }

    private static func session(_ server: ServerProcess, _ user: String, _ password: String = "") throws -> RawSocket {
        let socket = try RawSocket(port: try port(server))
        _ = try socket.logIn(user: user, password: password)
        return socket
    }

    /// The SQLSTATE with which a user is turned away; `nil` if the user is let in.
    private static func refusal(_ server: ServerProcess, _ user: String, _ password: String) -> String? {
        do {
            _ = try session(server, user, password)
            return nil
        } catch { return (error as? QueryError)?.state.code ?? "\(error)" }
    }

    @Test("the first user, those that follow, and what each of them may")
    func usersAndRights() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let server = try start()
        defer { server.kill() }
        let anybody = try Self.session(server, "anybody")
        for (sql, state) in [
            // Nobody could log in then.
            ("CREATE USER anna", "55006"), ("CREATE USER anna PASSWORD 'secret-one' NOSUPERUSER", "55006"),
            ("CREATE USER anna PASSWORD ''", "55006"),
            ("CREATE USER pg_anna PASSWORD 'secret-one'", "42939"),
            ("CREATE USER public PASSWORD 'secret-one'", "42939"),
            ("CREATE USER anna PASSWORD 'SCRAM-SHA-256$secret-one'", "22023"),
            ("CREATE USER anna PASSWORD 'md50123456789abcdef0123456789abcdef'", "0A000"),
            ("CREATE USER anna PASSWORD 'sécret-one'", "22023"),
            ("BEGIN; CREATE USER anna PASSWORD 'secret-one'", "25001"), ("ROLLBACK", nil),
            ("SELECT 1; CREATE USER anna PASSWORD 'secret-one'", "25001"),
            ("CREATE USER anna PASSWORD 'secret-one'", nil),
            // Whoever was let in before stays, and may nothing special any more.
            ("SELECT 1", nil), ("CREATE USER carl PASSWORD 'secret-two'", "42501"),
            ("ALTER SYSTEM SET work_mem = '8MB'", "42501"),
        ] as [(String, String?)] { #expect(anybody.run(sql).state == state, "\(sql)") }
        #expect(Self.refusal(server, "anybody", "") == "28P01")
        #expect(Self.refusal(server, "anna", "secret-two") == "28P01")

        let anna = try Self.session(server, "anna", "secret-one")
        let verifier = SCRAMVerifier(password: "secret-three").text
        for (sql, state) in [
            ("CREATE ROLE ben LOGIN ENCRYPTED PASSWORD '\(verifier)'", nil),
            ("CREATE USER anna PASSWORD 'x'", "42710"), ("CREATE ROLE group_of_users", "0A000"),
            ("CREATE USER x VALID UNTIL '2030-01-01'", "0A000"), ("CREATE USER x PASSWORD secret-two", "42601"),
            ("DROP USER anna", "55006"), ("ALTER USER anna NOSUPERUSER", "55006"),
            ("ALTER USER anna PASSWORD NULL", "55006"), ("ALTER USER anna RENAME TO hanna", "0A000"),
            ("DROP USER nobody", "42704"), ("DROP USER IF EXISTS nobody, nobody_else", nil),
            ("ALTER USER nobody PASSWORD 'x'", "42704"), ("ALTER SYSTEM SET work_mem = '8MB'", nil),
            ("ALTER ROLE ben SET work_mem = '9MB'", nil),
        ] as [(String, String?)] { #expect(anna.run(sql).state == state, "\(sql)") }
        #expect(anna.run("SHOW is_superuser").rows == ["on"])

        let ben = try Self.session(server, "ben", "secret-three")
        #expect(ben.run("SHOW work_mem; SHOW is_superuser").rows == ["9MB", "off"])
        for (sql, state) in [
            ("CREATE USER carl PASSWORD 'x'", "42501"), ("ALTER USER anna PASSWORD 'x'", "42501"),
            ("ALTER USER ben SUPERUSER", "42501"), ("DROP USER anna", "42501"), ("DROP USER ben", "42501"),
            ("ALTER SYSTEM SET work_mem = '1MB'", "42501"), ("ALTER SYSTEM RESET ALL", "42501"),
            ("ALTER ROLE anna SET work_mem = '1MB'", "42501"), ("ALTER ROLE ben SET work_mem = '7MB'", nil),
            ("ALTER USER CURRENT_USER PASSWORD 'secret-four'", nil),
        ] as [(String, String?)] { #expect(ben.run(sql).state == state, "\(sql)") }
        #expect(Self.refusal(server, "ben", "secret-three") == "28P01")
        #expect(Self.refusal(server, "ben", "secret-four") == nil)

        let names = "anna|t,ben|f"
        for sql in [
            "SELECT rolname, rolsuper FROM pg_roles ORDER BY 1", "SELECT rolname, rolsuper FROM pg_authid ORDER BY 1",
            "SELECT usename, usesuper FROM pg_user ORDER BY 1", "SELECT usename, usesuper FROM pg_shadow ORDER BY 1",
            "SELECT user_name, is_administrator FROM system.users ORDER BY 1",
        ] { #expect(ben.run(sql).rows.joined(separator: ",") == names, "\(sql)") }
        let numbers = "SELECT r.oid = u.usesysid AND r.oid = a.oid AND pg_get_userbyid(r.oid) = r.rolname "
        let joins = "FROM pg_roles r JOIN pg_user u ON u.usename = r.rolname JOIN pg_authid a ON a.rolname = r.rolname"
        #expect(ben.run(numbers + joins).rows == ["t", "t"])

        #expect(anna.run("ALTER ROLE ben RENAME TO bert").state == nil)
        #expect(Self.refusal(server, "ben", "secret-four") == "28P01")
        let bert = try Self.session(server, "bert", "secret-four")
        #expect(bert.run("SHOW work_mem").rows == ["7MB"])
        #expect(anna.run("DROP USER bert").state == nil)
        #expect(Self.refusal(server, "bert", "secret-four") == "28P01")
        #expect(bert.run("SELECT 1").state == nil)
    }

    @Test("what was answered outlives a crash, on every port")
    func crash() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let first = try start()
        let anna = try Self.session(first, "anna")
        for sql in [
            "CREATE USER anna PASSWORD 'secret-one'", "CREATE USER ben PASSWORD 'secret-two'",
            "CREATE VIEW kept AS SELECT 7 AS x", "CREATE VIEW dropped AS SELECT 8 AS x",
            "ALTER SYSTEM SET work_mem = '11MB'",
            "BEGIN; CREATE VIEW in_block AS SELECT 9 AS x; COMMIT", "DROP VIEW dropped",
        ] { #expect(anna.run(sql).state == nil, "\(sql)") }
        first.kill()

        let second = try start()
        #expect(Self.refusal(second, "anybody", "") == "28P01")
        let again = try Self.session(second, "anna", "secret-one")
        #expect(again.run("SELECT a.x, b.x FROM kept a, in_block b; SHOW work_mem").rows == ["7|9", "11MB"])
        #expect(again.run("SELECT x FROM dropped").state == "42P01")
        #expect(again.run("ALTER USER ben PASSWORD 'secret-three'").state == nil)
        second.kill()

        let third = try start()
        defer { third.kill() }
        #expect(Self.refusal(third, "ben", "secret-two") == "28P01")
        #expect(Self.refusal(third, "ben", "secret-three") == nil)
        let http = try Self.port(third, "http")
        for (password, status) in [("secret-three", 200), ("secret-two", 401)] {
            let encoded = Data("ben:\(password)".utf8).base64EncodedString()
            let answer = try RawResponse.get(
                port: http, RawResponse.request("GET", "/v1/version", ["Authorization: Basic \(encoded)"]))
            #expect(answer.status == status)
        }
        #expect(try RawResponse.get(port: http, RawResponse.request("GET", "/v1/version")).status == 401)
        // A password is nowhere: not in the log at its most talkative, the store, the history or the profiles.
        let admin = try Self.session(third, "anna", "secret-one")
        let encoded = Data("anna:secret-one".utf8).base64EncodedString()
        for sql in [
            "ALTER USER ben PASSWORD 'secret-four'; SELECT 1", "ALTER USER ben PASWORD 'secret-five'",
            "ALTER USER ben PASSWORD 'secret-six' NONSENSE", "CREATE USER ben PASSWORD 'secret-seven'",
        ] {
            _ = admin.run(sql)
            _ = try RawResponse.get(
                port: http,
                RawResponse.request("POST", "/v1/query", ["Authorization: Basic \(encoded)"], body: sql))
        }
        _ = admin.run("SELECT 'a mark of the test'")
        let history =
            admin.run("SELECT query, error_message FROM system.queries").rows.joined()
            + admin.run("SELECT query FROM pg_stat_activity").rows.joined()
            + admin.run("SELECT * FROM pg_authid a, pg_shadow s").rows.joined()
        #expect(history.contains("a mark of the test"))
        var shown = Array(history.utf8)
        for path in ["/v1/queries?limit=1000", "/v1/cluster", "/metrics"] {
            shown += Array(
                try RawResponse.get(
                    port: http, RawResponse.request("GET", path, ["Authorization: Basic \(encoded)"])
                ).body.utf8)
        }
        for name in ["log", "data/.martlet/state.db", "data/.martlet/state.db-wal"] {
            shown += FileManager.default.contents(atPath: "\(directory)/\(name)") ?? Data()
        }
        #expect(shown.count > 10_000)
        #expect(!String(decoding: shown, as: UTF8.self).contains("secret-"))
    }

    @Test("users of the configuration and of statements beside each other")
    func configuredUsers() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let alone = ["MARTLET_USERS_ANNA_PASSWORD": "secret-one"]
        do {
            let server = try start(alone)
            defer { server.kill() }
            // Whoever is alone is the administrator.
            let anna = try Self.session(server, "anna", "secret-one")
            for (sql, state) in [
                ("CREATE USER ben PASSWORD 'secret-two'", nil), ("CREATE USER carl", nil),
                ("CREATE USER anna PASSWORD 'x'", "42710"), ("ALTER USER anna PASSWORD 'x'", "42501"),
                ("DROP USER anna", "42501"), ("ALTER USER anna RENAME TO b", "42501"),
                ("ALTER USER ben RENAME TO anna", "42710"),
            ] as [(String, String?)] { #expect(anna.run(sql).state == state, "\(sql)") }
            #expect(Self.refusal(server, "ben", "secret-two") == nil)
            #expect(Self.refusal(server, "carl", "") == "28P01")
            #expect(
                anna.run("SELECT user_name, source, can_log_in FROM system.users ORDER BY 1").rows
                    == ["anna|configuration|t", "ben|statement|t", "carl|statement|f"])
        }
        // The configuration goes before; of several users none is an administrator unless it says so.
        let server = try start(
            alone.merging(["MARTLET_USERS_BEN_PASSWORD": "secret-three"]) { $1 })
        defer { server.kill() }
        #expect(Self.refusal(server, "ben", "secret-two") == "28P01")
        let ben = try Self.session(server, "ben", "secret-three")
        #expect(ben.run("CREATE USER dora PASSWORD 'x'").state == "42501")
        #expect(try Self.session(server, "anna", "secret-one").run("DROP USER carl").state == "42501")
    }

    @Test("without a store there are no users to make; a store that cannot be read lets nobody in")
    func stores() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let server = try start(["MARTLET_STATE_STORE": "none"])
        defer { server.kill() }
        let anybody = try Self.session(server, "anybody")
        #expect(anybody.run("CREATE USER anna PASSWORD 'secret-one'").state == "55000")
        #expect(anybody.run("CREATE VIEW v AS SELECT 1 AS x; ALTER SYSTEM SET work_mem = '8MB'").state == "25001")
        #expect(anybody.run("CREATE VIEW v AS SELECT 1 AS x").state == nil)
        // Nobody knows whether it had users.
        let away = try start(["MARTLET_STATE_STORE": "postgres", "MARTLET_STATE_DSN": "postgres://a@127.0.0.1:9/none"])
        defer { away.kill() }
        #expect(Self.refusal(away, "anybody", "") == "57P03")
        let http = try RawResponse.get(
            port: try Self.port(away, "http"), RawResponse.request("GET", "/v1/version", []))
        #expect(http.status == 401)
        let known = try start([
            "MARTLET_STATE_STORE": "postgres", "MARTLET_STATE_DSN": "postgres://a@127.0.0.1:9/none",
            "MARTLET_USERS_ANNA_PASSWORD": "secret-one",
        ])
        defer { known.kill() }
        let anna = try Self.session(known, "anna", "secret-one")
        #expect(anna.run("CREATE USER ben PASSWORD 'secret-two'").state == "58030")
        #expect(anna.run("SELECT count(*) FROM tpch.tiny.nation").rows == ["25"])
        #expect(Self.refusal(known, "ben", "secret-two") == "28P01")
    }

    @Test("psql: \\password sends a verifier, \\du lists the users")
    func psql() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = "/usr/lib/postgresql/15/bin/psql"
        guard FileManager.default.isExecutableFile(atPath: path) else { return }
        let server = try start(["MARTLET_USERS_ANNA_PASSWORD": "secret-one"])
        defer { server.kill() }
        let port = try Self.port(server)
        func psql(_ command: String, input: String = "") throws -> (status: Int32, text: String) {
            let process = Process()
            // Without a terminal psql reads passwords from its input.
            process.executableURL = URL(fileURLWithPath: "/usr/bin/setsid")
            process.arguments = [
                "--wait", path, "-X", "-At", "-h", "127.0.0.1", "-p", "\(port)", "-U", "anna", "-d", "martlet", "-c",
                command,
            ]
            process.environment = ["PGPASSWORD": "secret-one", "PATH": "/usr/bin:/bin"]
            let (output, standardInput) = (Pipe(), Pipe())
            process.standardOutput = output
            process.standardError = output
            process.standardInput = standardInput
            try process.run()
            standardInput.fileHandleForWriting.write(Data(input.utf8))
            try standardInput.fileHandleForWriting.close()
            let bytes = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
        }
        #expect(try psql("CREATE USER ben").text.contains("CREATE ROLE"))
        let changed = try psql("\\password ben", input: "schön secret\nschön secret\n")
        #expect(changed.status == 0, "\(changed.text)")
        #expect(Self.refusal(server, "ben", "schön secret") == nil)
        let listed = try psql("\\du")
        #expect(listed.text.contains("anna|Superuser") && listed.text.contains("ben|"), "\(listed.text)")
    }
}
