// Errors: state and position of each, hints for misspelt keywords.

import Diagnostics
import Testing

@testable import SQLParser

@Suite("Errors")
struct ErrorTests {
    @Test(
        "Syntax errors have state 42601 and point at the token",
        arguments: [
            ("SELEC 1", 0), ("SELECT 1 +", 10), ("SELECT FROM WHERE", 12), ("SELECT (1", 9), ("SELECT 1)", 8),
            ("SELECT a FROM", 13), ("SELECT 'ä', ,", 12), ("SELECT * FROM t WHERE", 21), ("SELECT 'abc", 7),
            ("SELECT \"abc", 7), ("SELECT \"\"", 7), ("SELECT /* x", 7), ("SELECT $a$ x", 7), ("SELECT 123abc", 7),
            ("SELECT 1 FROM t ORDER a", 22), ("INSERT t VALUES (1)", 7), ("CREATE TABL t (a int)", 7),
            ("DROP TABLE", 10), ("SELECT a.b.", 11), ("SELECT 1 2", 9), ("SELECT CASE a END", 14),
            ("SELECT a FROM t LIMIT 1, 2", 23), ("SELECT CAST(a int)", 14), ("SELECT f(a,)", 11), ("@", 0),
            ("SELECT 1; SELEC 2", 10), ("(SELECT 1 ORDER BY 1) ORDER BY 1", 22), ("SELECT DISTINCT FROM t", 16),
            ("SELECT a FROM (t)", 16), ("SELECT 1 a b", 11), ("SELECT 1 FROM t JOIN u", 22), ("SELECT a < b < c", 13),
            ("SELECT EXISTS (1)", 15), ("UPDATE t SET", 12), ("SELECT #", 8), ("SELECT $1a", 7), ("SELECT a b.c", 10),
            ("EXPLAIN EXPLAIN SELECT 1", 8), ("WITH x AS SELECT 1 SELECT 2", 10), ("SELECT {1}", 7),
            ("SELECT a FROM t FETCH FIRST 1 ROW WITH TIES", 16), ("SELECT U&'\\00zz'", 10),
            ("SELECT 1 FROM a.b.c.d", 14), ("SELECT * FROM t WHERE a IN ()", 28), ("COPY (SELECT 1) FROM STDIN", 16),
            ("INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 1", 25), ("SELECT left", 11),
            ("SELECT 1 FROM f(1) 'x'", 19),
        ])
    func syntax(_ sql: String, _ offset: Int) throws {
        let error = try #require(parseError(sql))
        #expect(error.state == .syntaxError)
        #expect(error.position?.offset == offset)
    }

    @Test(
        "Constructs that are understood but not supported have state 0A000",
        arguments: [
            "CREATE FUNCTION f() RETURNS int AS 'x'", "DROP FUNCTION f",
            "GRANT x TO y",
            "REVOKE x FROM y", "WITH x AS (MERGE INTO t USING u ON a WHEN MATCHED THEN DELETE) SELECT 1", "DO 'x'",
            "CALL f()",
            "REINDEX TABLE t",
            "CLUSTER t", "CHECKPOINT", "LOAD 'x'",
            "SELECT xmlparse(document 'x')", "SELECT a IS DOCUMENT",
            "PREPARE TRANSACTION 'x'",
            "COMMIT PREPARED 'x'", "SET CONSTRAINTS ALL DEFERRED",
            "DELETE FROM t WHERE CURRENT OF c",
            "CREATE TABLE t (a int) PARTITION BY RANGE (a)",
            "CREATE TABLE t (a int) INHERITS (u)", "ALTER TABLE t ENABLE TRIGGER x",
            "IMPORT FOREIGN SCHEMA s FROM SERVER x INTO y",
            "SELECT treat(a AS b)", "ALTER INDEX i RENAME TO j",
        ])
    func unsupported(_ sql: String) throws {
        let error = try #require(parseError(sql))
        #expect(error.state == .featureNotSupported)
        #expect(error.position != nil)
    }

    @Test(
        "Other states",
        arguments: [
            (#"SELECT E'\u00'"#, SQLState.invalidEscapeSequence), (#"SELECT E'\xff'"#, .characterNotInRepertoire),
            (#"SELECT E'\000'"#, .characterNotInRepertoire), ("SELECT $99999", .undefinedParameter),
            ("SELECT sum(a) OVER (ROWS UNBOUNDED FOLLOWING)", .windowingError),
            ("SELECT sum(a) OVER (ROWS BETWEEN CURRENT ROW AND 1 PRECEDING)", .windowingError),
            ("SELECT sum(a) OVER (ROWS BETWEEN 1 FOLLOWING AND CURRENT ROW)", .windowingError),
        ])
    func otherStates(_ sql: String, _ state: SQLState) throws {
        #expect(try #require(parseError(sql)).state == state)
    }

    @Test(
        "A misspelt keyword gives a hint",
        arguments: [
            ("SELEC 1", "SELECT"), ("SELCT 1", "SELECT"), ("INSRET INTO t VALUES (1)", "INSERT"),
            ("UPDTE t SET a = 1", "UPDATE"),
            ("SELECT a FORM t", "FROM"), ("SELECT a FROM t WHRE a = 1", "WHERE"),
            ("SELECT a FROM t GRUOP BY a", "GROUP"),
            ("SELECT a FROM t ODER BY a", "ORDER"), ("SELECT a FROM t LIMT 1", "LIMIT"),
            ("CREATE TABEL t (a int)", "TABLE"),
        ])
    func hints(_ sql: String, _ keyword: String) throws {
        let error = try #require(parseError(sql))
        #expect(error.state == .syntaxError)
        #expect(error.hint?.contains(keyword) == true, "\(error)")
    }

    @Test("No hint where no keyword is near")
    func noHint() throws {
        #expect(try #require(parseError("frobnicate the table")).hint == nil)
        #expect(try #require(parseError("SELECT 1 +")).hint == nil)
    }

    @Test("Every prefix of a statement gives a tree or an error with a position in the text")
    func prefixes() {
        for sql in tpchQueries + StatementTests.queries.map(\.0) + StatementTests.others.map(\.0) {
            let scalars = Array(sql.unicodeScalars)
            for length in 0..<scalars.count {
                var prefix = ""
                prefix.unicodeScalars.append(contentsOf: scalars[..<length])
                guard let error = parseError(prefix) else { continue }
                #expect(error.position.map { $0.offset <= length } == true, "\(prefix)")
                #expect(
                    error.state == .syntaxError || error.state == .featureNotSupported
                        || error.state == .windowingError, "\(prefix): \(error)")
            }
        }
    }
}
