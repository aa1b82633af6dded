// Attacks by users against what belongs to administrators, and against each other's passwords.

import Diagnostics
import Foundation
import Frontends
import Testing

extension SecurityListTests {
    /// The body of the answer to a statement of the administrator.
    private static func byChief(_ bench: SecurityBench, _ sql: String) throws -> String {
        try bench.request("POST", "/v1/query", ["Content-Type: text/plain"], body: sql, token: "chief-token").body
    }

    private static func refusal(_ bench: SecurityBench, _ user: String, _ password: String) -> String? {
        do {
            _ = try bench.session(user, password)
            return nil
        } catch { return (error as? QueryError)?.state.code ?? "\(error)" }
    }

    static let users: [SecurityCase] = [
        SecurityCase("users made, changed and dropped by somebody who is no administrator") { bench async throws in
            for sql in [
                "CREATE USER eve PASSWORD 'x'", "CREATE ROLE eve LOGIN SUPERUSER PASSWORD 'x'",
                "ALTER USER ben PASSWORD 'x'", "ALTER USER anna SUPERUSER", "ALTER ROLE CURRENT_USER SUPERUSER",
                "ALTER USER nobody PASSWORD 'x'", "ALTER USER ben RENAME TO eve", "DROP USER ben",
                "DROP ROLE IF EXISTS nobody",
            ] { #expect(try bench.state(sql) == "42501", "\(sql)") }
        },
        SecurityCase("settings of others, by somebody who is no administrator") { bench async throws in
            for sql in [
                "ALTER SYSTEM SET statement_timeout = 1", "ALTER SYSTEM RESET ALL",
                "ALTER ROLE ben SET statement_timeout = 1", "ALTER USER chief RESET ALL",
            ] { #expect(try bench.state(sql) == "42501", "\(sql)") }
        },
        SecurityCase("another name taken on by settings") { bench async throws in
            let session = try bench.session()
            for sql in ["SET SESSION AUTHORIZATION chief", "SET ROLE chief", "SET is_superuser = on"] {
                session.send(RawSocket.message("Q", Array(sql.utf8) + [0]))
                _ = session.readMessages()
            }
            session.send(RawSocket.message("Q", Array("ALTER SYSTEM SET statement_timeout = 1\0".utf8)))
            #expect(session.readMessages().state == "42501")
        },
        SecurityCase("users of the configuration changed by an administrator's statements") { bench async throws in
            for sql in [
                "ALTER USER anna PASSWORD 'x'", "DROP USER anna", "ALTER USER chief NOSUPERUSER",
                "ALTER USER ben RENAME TO anna",
            ] { #expect(try byChief(bench, sql).contains("42501"), "\(sql)") }
            #expect(refusal(bench, "anna", "correct horse") == nil)
        },
        SecurityCase("a user that is made, gets another password, and goes") { bench async throws in
            #expect(try !byChief(bench, "CREATE USER eve PASSWORD 'first words'").contains("error"))
            #expect(refusal(bench, "eve", "first words") == nil)
            for wrong in ["", "other words", "first words "] { #expect(refusal(bench, "eve", wrong) == "28P01") }
            #expect(try !byChief(bench, "ALTER USER eve PASSWORD 'other words'").contains("error"))
            #expect(refusal(bench, "eve", "first words") == "28P01")
            #expect(refusal(bench, "eve", "other words") == nil)
            let encoded = Data("eve:other words".utf8).base64EncodedString()
            func status() throws -> Int {
                try bench.request("GET", "/v1/version", ["Authorization: Basic \(encoded)"], token: nil).status
            }
            #expect(try status() == 200)
            #expect(try !byChief(bench, "DROP USER eve").contains("error"))
            #expect(refusal(bench, "eve", "other words") == "28P01")
            #expect(try status() == 401)
        },
        SecurityCase("live events of a user that goes, and of one that is no administrator any more") {
            bench async throws in
            for (options, change) in [("", "DROP USER mia"), (" SUPERUSER", "ALTER USER mia NOSUPERUSER")] {
                #expect(try !byChief(bench, "CREATE USER mia PASSWORD 'some words'\(options)").contains("error"))
                let encoded = Data("mia:some words".utf8).base64EncodedString()
                let socket = try bench.socket("http", seconds: 30)
                socket.send(upgrade(["Origin: http://localhost", "Authorization: Basic \(encoded)"]))
                #expect(socket.read(until: "\r\n\r\n").contains(" 101 "))
                #expect(try !byChief(bench, change).contains("error"))
                #expect(socket.readAll().isClosed, "\(change)")
            }
            #expect(try !byChief(bench, "DROP USER mia").contains("error"))
        },
        SecurityCase("a user without a password") { bench async throws in
            #expect(try !byChief(bench, "CREATE USER mallory").contains("error"))
            #expect(refusal(bench, "mallory", "") == "28P01")
            #expect(try !byChief(bench, "DROP USER mallory").contains("error"))
        },
        SecurityCase("passwords and verifiers in the catalogue") { bench async throws in
            let verifier = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$"
            for sql in [
                "SELECT * FROM pg_authid", "SELECT * FROM pg_shadow", "SELECT * FROM pg_roles", "SELECT * FROM pg_user",
                "SELECT * FROM system.users",
            ] {
                let body = try byChief(bench, sql)
                #expect(!body.contains("SCRAM") && !body.contains("horse") && !body.contains("token"), "\(sql)")
                #expect(body.contains("anna"), "\(sql)")
            }
            #expect(try byChief(bench, "CREATE USER eve PASSWORD '\(verifier)'").contains("22023"))
        },
        SecurityCase("statements on users hidden in others") { bench async throws in
            for sql in [
                "PREPARE p AS CREATE USER eve PASSWORD 'x'", "EXPLAIN CREATE USER eve PASSWORD 'x'",
                "SELECT 1; CREATE USER eve PASSWORD 'x'", "BEGIN; CREATE USER eve PASSWORD 'x'",
                "DECLARE c CURSOR FOR CREATE USER eve PASSWORD 'x'",
            ] { #expect(try bench.state(sql) != nil, "\(sql)") }
            #expect(refusal(bench, "eve", "x") == "28P01")
        },
    ]
}
