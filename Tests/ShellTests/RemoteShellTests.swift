// The shell on a server, over Flight SQL: it shows what it shows embedded, and what only a server can bring is borne.

import Foundation
import Testing

@Suite(.serialized, .timeLimit(.minutes(3))) struct RemoteShellTests {
    @Test("the same script gives the same text embedded, over Flight SQL and over PostgreSQL's protocol")
    func sameText() throws {
        let place = try Place()
        let script = place.path + "/script.sql"
        try ShellScript.everything.write(toFile: script, atomically: true, encoding: .utf8)
        let server = try ServedProgram()
        let flight = try #require(server.addresses["grpc"])
        let postgres = "postgresql://" + (try #require(server.addresses["postgres"]))
        let cleaning = ["-c", "DROP VIEW vv", "-c", "DROP TABLE t, tt", "-c", "DROP SEQUENCE seq"]
        for (format, addresses) in [("table", [flight, postgres]), ("json", [flight])] {
            let arguments = ["-f", script, "--on-error", "continue", "--format", format]
            let embedded = try ShellRun(arguments)
            #expect(embedded.status == 1 && embedded.output.contains("Infinity"))
            for address in addresses {
                let remote = try ShellRun(["--connect", address] + arguments)
                #expect(remote.difference(from: embedded) == nil, "\(format), \(address)")
                #expect(try ShellRun(["--connect", flight] + cleaning).status == 0)
            }
        }
    }

    @Test("so does every format, and both say the same of what goes wrong")
    func sameFormats() throws {
        let server = try ServedProgram()
        let flight = try #require(server.addresses["grpc"])
        let long = String(repeating: "äöü ", count: 400)
        for format in ["expanded", "csv", "tsv", "jsonl", "markdown", "html"] {
            let arguments =
                ["--format", format, "--on-error", "continue"]
                + [
                    "SELECT 1 AS a, NULL AS b, 'x|\"<&' AS c, 2.50 AS d, true AS e, ARRAY['a b', NULL] AS f, '{\"a\": 1}'::jsonb AS g",
                    "SELECT * FROM generate_series(1, 3)", "\\d tiny.region",
                    "SELECT '\(long)' AS \"\(long.prefix(20))\"",
                    "SELECT '\(long)'::int", "SELECT '\(long)' + nothing",
                ].flatMap { ["-c", $0] }
            let remote = try ShellRun(["--connect", flight] + arguments)
            #expect(remote.difference(from: try ShellRun(arguments)) == nil, "\(format)")
        }
    }

    @Test("files of rows have the same types and values")
    func sameFiles() throws {
        let place = try Place()
        let server = try ServedProgram()
        let flight = try #require(server.addresses["grpc"])
        let query = """
            SELECT (g % 1000)::smallint AS a, g AS b, g::bigint AS c, g / 4.0::real AS d, g::double precision AS e,
                (g / 7.0)::numeric(12, 4) AS f, g::text AS h, ('2024-01-01'::date + g) AS k, g % 2 = 0 AS v,
                timestamptz '2024-01-01 00:00:00+00' + g * interval '1 hour' AS n,
                CASE WHEN g % 3 = 0 THEN NULL ELSE g::varchar(9) END AS i
            FROM generate_series(1, 70000) AS s(g) ORDER BY g
            """
        for format in ["parquet", "arrow"] {
            var files: [Data] = []
            for (index, connection) in [[], ["--connect", flight]].enumerated() {
                let path = "\(place.path)/\(index).\(format)"
                let written = try ShellRun(connection + ["--format", format, "-c", "\\o \(path)", "-c", query])
                #expect(written.status == 0, "\(written.errors)")
                let read = try ShellRun([
                    "--format", "csv", "-c", "SELECT * FROM '\(path)' ORDER BY b", "-c",
                    "DESCRIBE SELECT * FROM '\(path)'",
                ])
                #expect(read.status == 0, "\(read.errors)")
                files.append(Data(read.output.utf8))
            }
            let isSame = files[0] == files[1]
            #expect(isSame, "\(format)")
            #expect(files[0].count > 1_000_000)
        }
    }

    @Test("files are copied to a server and back")
    func copies() throws {
        let place = try Place()
        let server = try ServedProgram()
        let connection = ["--connect", try #require(server.addresses["grpc"])]
        let lines = (1...200_000).map { "\($0),\"line \($0), with\"\"quotes\"\"\"" }.joined(separator: "\n") + "\n"
        try lines.write(toFile: place.path + "/in.csv", atomically: true, encoding: .utf8)
        let run = try ShellRun(
            connection + [
                "-c", "CREATE TABLE c (a int, b text)", "-c", "\\copy c FROM '\(place.path)/in.csv' CSV",
                "-c", "\\copy (SELECT * FROM c ORDER BY a) TO '\(place.path)/out.csv' (FORMAT csv, FORCE_QUOTE (b))",
            ])
        #expect(run.output == "CREATE TABLE\nCOPY 200000\nCOPY 200000\n", "\(run.errors)")
        let isSame = try String(contentsOfFile: place.path + "/out.csv", encoding: .utf8) == lines
        #expect(isSame)
        let piped = try ShellRun(connection + ["-c", "\\copy c FROM STDIN"], input: "7\tseven\n8\t\\N\n")
        #expect(piped.output == "COPY 2\n", "\(piped.errors)")
        // A statement that fails in the midst of its data, and data that end in the midst.
        let wrong = try ShellRun(
            connection + ["-c", "\\copy c FROM STDIN", "-c", "SELECT 1"],
            input: "x\ty\n" + String(repeating: "1\t2\n", count: 500_000))
        #expect(wrong.status == 1 && wrong.errors.contains("invalid input syntax"), "\(wrong.errors)")
        let unreadable = try ShellRun(
            connection + [
                "--on-error", "continue", "-c", "\\copy c FROM '\(place.path)'", "-c", "SELECT count(*) FROM c",
            ])
        #expect(unreadable.status == 1 && unreadable.errors.contains("could not read"), "\(unreadable.errors)")
        #expect(unreadable.output.contains("200002"))
    }

    @Test("exit codes say whether a statement or the connection failed")
    func exitCodes() throws {
        let server = try ServedProgram()
        let address = try #require(server.addresses["grpc"])
        #expect(try ShellRun(["--connect", address, "-c", "SELECT 1"]).status == 0)
        #expect(try ShellRun(["--connect", "martlet://\(address)?sslmode=disable", "-c", "SELECT 1"]).status == 0)
        #expect(try ShellRun(["--connect", address, "-c", "SELECT 1/0"]).status == 1)
        #expect(try ShellRun(["--connect", "martlet://\(address)?sslmode=require", "-c", "SELECT 1"]).status == 2)
        #expect(try ShellRun(["--connect", "127.0.0.1:1", "-c", "SELECT 1"]).status == 2)
        // Other services do not speak Flight SQL, and say so at once.
        for other in ["postgres", "http"] {
            let run = try ShellRun(["--connect", try #require(server.addresses[other]), "-c", "SELECT 1"])
            #expect(run.status == 2 && run.errors.contains("Flight SQL"), "\(run.errors)")
        }
        let ended = try ShellRun([
            "--connect", address, "-c", "SELECT pg_terminate_backend(pg_backend_pid())", "-c", "SELECT 2 AS two",
        ])
        #expect(ended.status == 2 && !ended.output.contains("two"))
    }

    @Test("Ctrl-C ends the query, the transaction fails, the session stays")
    func interruption() throws {
        let server = try ServedProgram()
        let shell = try Place().shell(["--connect", try #require(server.addresses["grpc"])])
        shell.type("SET statement_timeout = '1h'; BEGIN;" + enter)
        shell.waitForPrompt("martlet=*>")
        shell.type("SELECT count(*) FROM generate_series(1, 100000000000);" + enter)
        shell.wait(for: "running", seconds: 30)
        shell.type("\u{03}")
        shell.wait(for: "canceling statement due to user request", seconds: 30)
        shell.waitForPrompt("martlet=!>")
        shell.type("ROLLBACK; SHOW statement_timeout;" + enter)
        shell.wait(for: " 1h")
        shell.waitForPrompt()
        // Rows that are on their way, and a statement without any.
        shell.type("\\pset pager off" + enter + "\\o /dev/null" + enter)
        shell.type("SELECT g FROM generate_series(1, 100000000000) AS s(g);" + enter)
        shell.wait("the statement") { $0.text.contains("AS s(g)") && $0.cursorLine == "" }
        usleep(300_000)
        shell.type("\u{03}")
        shell.wait("the second end", until: { $0.text.components(separatedBy: "user request").count == 3 })
        shell.waitForPrompt()
        shell.type(
            "\\o" + enter + "CREATE TABLE much AS SELECT g FROM generate_series(1, 100000000000) AS s(g);" + enter)
        shell.wait(for: "running", seconds: 30)
        shell.type("\u{03}")
        shell.wait("the third end", until: { $0.text.components(separatedBy: "user request").count == 4 })
        shell.waitForPrompt()
        shell.type("SELECT 'still ' || 'here';" + enter)
        shell.wait(for: "still here")
    }

    @Test("progress, statistics, the pager and completion ask the server")
    func work() throws {
        let place = try Place()
        let server = try ServedProgram()
        let shell = try place.shell(
            ["--connect", try #require(server.addresses["grpc"])], rows: 12,
            environment: ["PAGER": "head -n 1 > /dev/null"])
        shell.type("SELECT sum(length(l_comment)) FROM sf100.lineitem;" + enter)
        shell.wait(seconds: 60, "how far it is") { screen in
            screen.visibleLines.contains { $0.hasPrefix("[") && $0.contains(" %") && $0.contains(" rows") }
        }
        shell.type("\u{03}")
        shell.wait(for: "canceling statement due to user request", seconds: 60)
        shell.waitForPrompt()
        shell.type("SELECT g FROM generate_series(1, 100000000000) AS s(g);" + enter)
        shell.wait("a prompt behind it", until: { $0.text.contains("s(g)") && $0.cursorLine == "martlet=>" })
        shell.type("\\stats on" + enter + "SELECT count(*) FROM tiny.lineitem;" + enter)
        shell.wait(for: "stage 0:", seconds: 30)
        shell.waitForPrompt()
        shell.type("\\plan SELECT count(*) FROM tiny.nation" + enter)
        shell.wait(for: "rows", seconds: 30)
        shell.waitForPrompt()
        shell.type("SELECT count(*) FROM tiny.cu\t;" + enter)
        shell.wait(for: "tiny.customer")
    }

    @Test("a session that was ended is begun anew, embedded and remote", arguments: [true, false])
    func endedSessions(isEmbedded: Bool) throws {
        let server = isEmbedded ? nil : try ServedProgram()
        let shell = try Place().shell(server.map { ["--connect", $0.addresses["grpc"] ?? ""] } ?? [])
        shell.type("CREATE TABLE kept (a int);" + enter)
        shell.waitForPrompt()
        shell.type("SELECT pg_terminate_backend(pg_backend_pid());" + enter)
        shell.wait("another session", until: { $0.text.contains("Connected again") && $0.cursorLine == "martlet=>" })
        shell.type("SELECT count(*) AS found FROM kept;" + enter)
        shell.wait(for: "found")
        shell.waitForPrompt()
    }

    @Test("a shell that is killed leaves no transaction behind")
    func killedShells() throws {
        let server = try ServedProgram()
        let connection = ["--connect", try #require(server.addresses["grpc"])]
        #expect(
            try ShellRun(connection + ["-c", "CREATE TABLE k (a int PRIMARY KEY)", "-c", "INSERT INTO k VALUES (1)"])
                .status == 0)
        var shell: PseudoTerminal? = try Place().shell(connection)
        shell?.type("BEGIN; UPDATE k SET a = 2;" + enter)
        shell?.waitForPrompt("martlet=*>")
        shell = nil
        // The row is free as soon as the server has seen the connection go.
        let run = try ShellRun(
            connection + ["-c", "SET lock_timeout = '30s'", "-c", "UPDATE k SET a = 3", "-c", "SELECT * FROM k"])
        #expect(run.status == 0 && run.output.contains("3"), "\(run.errors)")
    }

    @Test("client_encoding changes nothing of what is shown")
    func encodings() throws {
        let server = try ServedProgram()
        let addresses = server.addresses
        for address in [addresses["grpc"] ?? "", "postgresql://" + (addresses["postgres"] ?? "")] {
            let run = try ShellRun([
                "--connect", address, "--format", "csv", "-c", "SET client_encoding = 'LATIN1'", "-c",
                "SELECT 'Grüße' AS a",
            ])
            #expect(run.status == 0 && run.output == "a\nGrüße\n", "\(run)")
        }
    }
}
