// Statements on users: their forms, and that a password is printed nowhere.

import Diagnostics
import Testing

@testable import SQLParser

@Suite("Statements on users")
struct UserStatementTests {

    private func state(_ sql: String) -> SQLState? {
        do {
            _ = try StatementParser.parse(sql)
            return nil
        } catch { return (error as? QueryError)?.state }
    }

    @Test func forms() throws {
        for (sql, wanted) in [
            ("CREATE USER a", "CREATE USER a"), ("create role \"B c\" login", "CREATE USER \"B c\""),
            (
                "CREATE USER a WITH ENCRYPTED PASSWORD 'hush' SUPERUSER INHERIT NOREPLICATION",
                "CREATE USER a SUPERUSER PASSWORD '********'"
            ),
            (
                "CREATE ROLE a PASSWORD 'hush' NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT LOGIN",
                "CREATE USER a NOSUPERUSER PASSWORD '********'"
            ),
            ("ALTER ROLE a PASSWORD NULL", "ALTER USER a PASSWORD NULL"),
            ("ALTER USER CURRENT_USER PASSWORD 'hush'", "ALTER USER CURRENT_USER PASSWORD '********'"),
            ("ALTER USER a RENAME TO b", "ALTER USER a RENAME TO b"), ("DROP ROLE a, b", "DROP USER a, b"),
            ("DROP USER IF EXISTS a", "DROP USER IF EXISTS a"),
            ("ALTER USER a SET x.y = 1", "ALTER ROLE a SET x.y TO 1"),
        ] { #expect(try SQLParserTests.printed(sql) == wanted, "\(sql)") }
        let statement = try #require(try StatementParser.parse("CREATE USER a PASSWORD 'hush'").first?.statement)
        var dumped = ""
        dump(statement, to: &dumped)
        #expect(!dumped.contains("hush") && !"\(statement)".contains("hush"))
        guard case .user(let user) = statement, case .create(let options) = user.action else {
            Issue.record("another statement")
            return
        }
        #expect(options.password == .text(SecretText("hush")))
    }

    @Test func errors() {
        for (sql, state) in [
            ("CREATE USER", SQLState.syntaxError), ("CREATE USER a PASSWORD", .syntaxError),
            ("CREATE USER a PASSWORD hush", .syntaxError), ("CREATE USER a NONSENSE", .syntaxError),
            ("CREATE USER a PASSWORD 'x' PASSWORD 'y'", .syntaxError),
            ("CREATE USER a SUPERUSER NOSUPERUSER", .syntaxError),
            ("CREATE OR REPLACE USER a", .featureNotSupported), ("CREATE USER CURRENT_USER", .invalidParameterValue),
            ("CREATE ROLE a", .featureNotSupported), ("CREATE USER a NOLOGIN", .featureNotSupported),
            ("CREATE USER a VALID UNTIL 'infinity'", .featureNotSupported),
            ("CREATE USER a IN ROLE b", .featureNotSupported),
            ("CREATE USER a CONNECTION LIMIT 3", .featureNotSupported),
            ("CREATE USER a UNENCRYPTED PASSWORD 'x'", .featureNotSupported),
            ("ALTER USER a NOLOGIN", .featureNotSupported),
            ("ALTER USER a IN DATABASE b SET x.y = 1", .featureNotSupported),
            ("ALTER ROLE ALL SET x.y = 1", .featureNotSupported),
            ("ALTER USER a RENAME b", .syntaxError), ("DROP USER", .syntaxError), ("DROP USER a CASCADE", .syntaxError),
        ] { #expect(self.state(sql) == state, "\(sql)") }
    }
}
