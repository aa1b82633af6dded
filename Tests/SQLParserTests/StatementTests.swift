// Queries and statements: every construct parses, and its print parses to the same tree.

import Diagnostics
import Testing

@testable import SQLParser

@Suite("Statements")
struct StatementTests {
    /// The text and what it prints as; nil where it prints as it stands.
    static let queries: [(String, String?)] = [
        ("SELECT", nil), ("SELECT 1", nil), ("select a, b as c, d e from t", "SELECT a, b AS c, d AS e FROM t"),
        ("SELECT * FROM t", nil), ("SELECT t.*, s.t.* FROM t", nil), ("SELECT (a).* FROM t", nil),
        ("SELECT * EXCLUDE (a, b) REPLACE (a + 1 AS c) RENAME (d AS e) FROM t", nil),
        ("SELECT * EXCLUDE a FROM t", "SELECT * EXCLUDE (a) FROM t"), ("SELECT t.* EXCLUDE (a) FROM t", nil),
        ("SELECT DISTINCT a FROM t", nil), ("SELECT DISTINCT ON (a, b) c FROM t", nil),
        ("SELECT ALL a FROM t", "SELECT a FROM t"),
        ("SELECT 1 AS select", "SELECT 1 AS \"select\""), ("SELECT 1 select", "SELECT 1 AS \"select\""),
        ("SELECT a \"B c\"", "SELECT a AS \"B c\""),
        ("SELECT 1 AS year", nil), ("SELECT 1 value", "SELECT 1 AS value"), ("SELECT 'a' AS \"x\"", "SELECT 'a' AS x"),
        ("SELECT a FROM t WHERE b GROUP BY c HAVING d ORDER BY e LIMIT 1 OFFSET 2", nil),
        (
            "SELECT a FROM t ORDER BY a OFFSET 2 ROWS FETCH FIRST 3 ROWS ONLY",
            "SELECT a FROM t ORDER BY a LIMIT 3 OFFSET 2"
        ),
        ("SELECT a FROM t ORDER BY a FETCH FIRST 3 ROWS WITH TIES", nil), ("SELECT a FROM t ORDER BY ALL DESC", nil),
        ("SELECT a FETCH NEXT ROW ONLY", "SELECT a LIMIT 1"),
        ("SELECT a LIMIT ALL", "SELECT a"), ("SELECT a LIMIT NULL", nil), ("SELECT a LIMIT 1 + 1", nil),
        ("SELECT a OFFSET $1", nil),
        ("SELECT a FROM t ORDER BY 1 ASC NULLS FIRST, b DESC, c USING >", nil),
        ("SELECT a FROM t FOR UPDATE OF t NOWAIT FOR SHARE SKIP LOCKED", nil),
        ("SELECT a FROM t FOR NO KEY UPDATE", nil),
        ("SELECT a FROM t GROUP BY ROLLUP (a, (b, c)), CUBE (d), GROUPING SETS ((a, b), c, (), ROLLUP (d))", nil),
        ("SELECT a FROM t GROUP BY DISTINCT a, ()", nil), ("SELECT a FROM t GROUP BY ALL", nil),
        ("SELECT a FROM t GROUP BY (a, b), (c)", "SELECT a FROM t GROUP BY (a, b), c"),
        ("SELECT a FROM t GROUP BY ALL a", "SELECT a FROM t GROUP BY a"),
        ("SELECT a FROM t GROUP BY GROUPING SETS (GROUPING SETS (a), b)", nil),
        ("SELECT a, sum(b) OVER w FROM t WINDOW w AS (PARTITION BY a), v AS (w ORDER BY b)", nil),
        ("SELECT a FROM t QUALIFY row_number() OVER (ORDER BY a) = 1", nil),
        ("SELECT a FROM t x QUALIFY b", "SELECT a FROM t AS x QUALIFY b"),
        ("FROM t", "SELECT * FROM t"), ("FROM t SELECT a WHERE b", "SELECT a FROM t WHERE b"),
        ("VALUES (1, 'a'), (2, DEFAULT)", nil), ("TABLE t", nil), ("TABLE s.t ORDER BY 1", nil),
        ("VALUES (1) ORDER BY 1 LIMIT 1", nil),
        // Set operations
        ("SELECT 1 UNION SELECT 2 UNION ALL SELECT 3", nil), ("SELECT 1 UNION SELECT 2 INTERSECT SELECT 3", nil),
        ("(SELECT 1 UNION SELECT 2) INTERSECT SELECT 3", nil), ("SELECT 1 EXCEPT (SELECT 2 EXCEPT SELECT 3)", nil),
        ("SELECT 1 UNION DISTINCT SELECT 2", "SELECT 1 UNION SELECT 2"),
        ("(SELECT 1) UNION (SELECT 2)", "SELECT 1 UNION SELECT 2"),
        ("(SELECT 1 LIMIT 1) UNION (SELECT 2 ORDER BY 1) ORDER BY 1", nil),
        ("SELECT 1 UNION ALL BY NAME SELECT 2", nil),
        ("(SELECT 1)", "SELECT 1"), ("((SELECT 1) ORDER BY 1)", "SELECT 1 ORDER BY 1"),
        ("(SELECT a LIMIT 1) ORDER BY a", "SELECT a ORDER BY a LIMIT 1"),
        ("WITH x AS (SELECT 1) (SELECT 2) UNION SELECT 3", "WITH x AS (SELECT 1) SELECT 2 UNION SELECT 3"),
        ("SELECT 1 UNION (WITH x AS (SELECT 1) SELECT 2)", nil), ("VALUES (1) EXCEPT TABLE t", nil),
        // WITH
        ("WITH x AS (SELECT 1), y (a, b) AS MATERIALIZED (SELECT 2), z AS NOT MATERIALIZED (VALUES (1)) SELECT 3", nil),
        ("WITH RECURSIVE r (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < 10) SELECT n FROM r", nil),
        // FROM
        ("SELECT 1 FROM a, b AS c, s.d AS e (x, y), c.s.t", nil), ("SELECT 1 FROM ONLY t AS x", nil),
        ("SELECT 1 FROM t x(a)", "SELECT 1 FROM t AS x (a)"),
        ("SELECT 1 FROM 'data/*.parquet' AS f", nil), ("SELECT 1 FROM (SELECT 2) AS x, LATERAL (SELECT x.a) AS y", nil),
        ("SELECT 1 FROM (SELECT 2)", nil), ("SELECT 1 FROM (VALUES (1, 2), (3, 4)) AS v (a, b)", nil),
        ("FROM VALUES (1) v(a)", "SELECT * FROM (VALUES (1)) AS v (a)"),
        ("SELECT 1 FROM ((SELECT 1) UNION (SELECT 2)) AS x", "SELECT 1 FROM (SELECT 1 UNION SELECT 2) AS x"),
        ("SELECT 1 FROM f(1) AS x, LATERAL g(x.a) WITH ORDINALITY AS y (a, b)", nil),
        ("SELECT 1 FROM generate_series(1, 10)", nil),
        ("SELECT 1 FROM f() AS x (a int, b text)", nil), ("SELECT 1 FROM f() AS (a int)", nil),
        ("SELECT 1 FROM f() x (a)", "SELECT 1 FROM f() AS x (a)"),
        ("SELECT 1 FROM ROWS FROM (f(1), g(2) AS (a int)) WITH ORDINALITY AS x", nil),
        ("SELECT 1 FROM CURRENT_DATE AS d, COALESCE(1, 2) AS c, CAST(1 AS int) AS i", nil),
        ("SELECT 1 FROM s.f(1) AS x", nil), ("SELECT 1 FROM unnest(ARRAY[1, 2]) WITH ORDINALITY", nil),
        ("SELECT 1 FROM t TABLESAMPLE bernoulli (10) REPEATABLE (1)", nil),
        ("SELECT 1 FROM t AS x TABLESAMPLE system (10)", nil),
        // Joins
        ("SELECT 1 FROM a JOIN b ON x = y", nil),
        ("SELECT 1 FROM a INNER JOIN b USING (x, y)", "SELECT 1 FROM a JOIN b USING (x, y)"),
        ("SELECT 1 FROM a LEFT OUTER JOIN b ON x", "SELECT 1 FROM a LEFT JOIN b ON x"),
        ("SELECT 1 FROM a RIGHT JOIN b ON x FULL JOIN c ON y", nil),
        ("SELECT 1 FROM a CROSS JOIN b NATURAL JOIN c NATURAL LEFT JOIN d", nil),
        ("SELECT 1 FROM a SEMI JOIN b ON x ANTI JOIN c USING (y)", nil),
        ("SELECT 1 FROM a LEFT SEMI JOIN b ON x", "SELECT 1 FROM a SEMI JOIN b ON x"),
        ("SELECT 1 FROM a JOIN b USING (x) AS j", nil),
        ("SELECT 1 FROM a JOIN b JOIN c ON x ON y", "SELECT 1 FROM a JOIN (b JOIN c ON x) ON y"),
        ("SELECT 1 FROM a JOIN (b JOIN c ON x) ON y", nil),
        ("SELECT 1 FROM (a JOIN b ON x) AS j (c, d)", nil),
        ("SELECT 1 FROM ((a CROSS JOIN b) CROSS JOIN c)", "SELECT 1 FROM a CROSS JOIN b CROSS JOIN c"),
        ("SELECT 1 FROM ((SELECT 1) AS x CROSS JOIN b)", "SELECT 1 FROM (SELECT 1) AS x CROSS JOIN b"),
        ("SELECT 1 FROM a AS \"semi\" CROSS JOIN b", nil),
        ("SELECT 1 FROM a, b LEFT JOIN LATERAL (SELECT 1) AS c ON TRUE", nil),
    ]

    static let others: [(String, String?)] = [
        ("EXPLAIN SELECT 1", nil), ("EXPLAIN ANALYZE VERBOSE SELECT 1", "EXPLAIN (\"analyze\", \"verbose\") SELECT 1"),
        (
            "EXPLAIN (ANALYZE, FORMAT json, costs off) SELECT 1",
            "EXPLAIN (\"analyze\", format 'json', costs 'off') SELECT 1"
        ),
        ("EXPLAIN (SELECT 1)", "EXPLAIN SELECT 1"), ("EXPLAIN INSERT INTO t VALUES (1)", nil),
        ("INSERT INTO t VALUES (1, DEFAULT)", nil), ("INSERT INTO s.t AS x (a, b) SELECT 1, 2", nil),
        ("INSERT INTO t DEFAULT VALUES", nil),
        ("INSERT INTO t (SELECT 1)", "INSERT INTO t SELECT 1"),
        ("INSERT INTO t (a) OVERRIDING USER VALUE VALUES (1) RETURNING a AS b, *", nil),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", nil),
        ("INSERT INTO t VALUES (1) ON CONFLICT (a) WHERE b DO UPDATE SET c = excluded.c, (d, e) = (1, 2) WHERE f", nil),
        ("INSERT INTO t VALUES (1) ON CONFLICT ON CONSTRAINT k DO NOTHING RETURNING *", nil),
        ("WITH x AS (SELECT 1) INSERT INTO t SELECT 2", nil),
        ("UPDATE t SET a = 1, b = DEFAULT WHERE c", nil),
        (
            "UPDATE ONLY t x SET (a, b) = (SELECT 1, 2) FROM u, v WHERE w RETURNING a",
            "UPDATE ONLY t AS x SET (a, b) = (SELECT 1, 2) FROM u, v WHERE w RETURNING a"
        ),
        ("WITH x AS (SELECT 1) UPDATE t SET a = 1", nil), ("DELETE FROM t", nil),
        ("DELETE FROM t AS x USING u WHERE x.a = u.a RETURNING *", nil),
        ("WITH x AS (SELECT 1) DELETE FROM t", nil),
        ("TRUNCATE TABLE a, ONLY b RESTART IDENTITY CASCADE", "TRUNCATE a, b RESTART IDENTITY CASCADE"),
        ("COPY t FROM STDIN", nil),
        ("COPY t (a, b) FROM 'x.csv' WITH (format 'csv', header 'true', delimiter '|')", nil),
        (
            "COPY t TO STDOUT CSV HEADER DELIMITER AS ';' NULL 'x' FORCE QUOTE *",
            "COPY t TO STDOUT WITH (format 'csv', header 'true', delimiter ';', \"null\" 'x', force_quote *)"
        ),
        ("COPY (SELECT 1) TO 'x.parquet' (FORMAT parquet)", "COPY (SELECT 1) TO 'x.parquet' WITH (format 'parquet')"),
        ("COPY t FROM STDIN WITH BINARY", "COPY t FROM STDIN WITH (format 'binary')"),
        ("COPY t FROM STDIN WITH (force_not_null ('a', 'b')) WHERE a > 1", nil), ("COPY t TO PROGRAM 'cat'", nil),
        ("COPY BINARY t TO 'x'", "COPY t TO 'x' WITH (format 'binary')"),
        ("CREATE TABLE t (a int, b text NOT NULL DEFAULT 'x' PRIMARY KEY, c numeric(5, 2) CHECK (c > 0))", nil),
        (
            "CREATE TABLE IF NOT EXISTS s.t (a int REFERENCES u (b) ON DELETE CASCADE ON UPDATE SET NULL, CONSTRAINT k UNIQUE (a), FOREIGN KEY (a) REFERENCES v)",
            nil
        ),
        (
            "CREATE TEMP TABLE t (a int UNIQUE NULL, PRIMARY KEY (a), CHECK (a > 0)) ON COMMIT DROP",
            "CREATE TEMPORARY TABLE t (a int UNIQUE NULL, PRIMARY KEY (a), CHECK (a > 0)) ON COMMIT DROP"
        ),
        (
            "CREATE TABLE t (a int GENERATED ALWAYS AS (b + 1) STORED, b int GENERATED BY DEFAULT AS IDENTITY, LIKE u INCLUDING ALL)",
            nil
        ),
        ("CREATE OR REPLACE TABLE t AS SELECT 1", nil),
        (
            "CREATE TABLE t (a, b) WITH (fillfactor = 70) AS SELECT 1, 2 WITH NO DATA",
            "CREATE TABLE t (a, b) WITH (fillfactor 70) AS SELECT 1, 2 WITH NO DATA"
        ),
        ("CREATE TABLE t ()", nil), ("CREATE UNLOGGED TABLE t (a text COLLATE \"C\" CONSTRAINT n NOT NULL)", nil),
        ("SELECT a INTO TEMP x FROM t", "CREATE TEMPORARY TABLE x AS SELECT a FROM t"),
        (
            "CREATE TABLE t (a int DEFAULT (1 + 1), b int DEFAULT 1 + 1 NOT NULL)",
            "CREATE TABLE t (a int DEFAULT (1 + 1), b int DEFAULT (1 + 1) NOT NULL)"
        ),
        ("CREATE VIEW v AS SELECT 1", nil),
        (
            "CREATE OR REPLACE TEMP VIEW s.v (a, b) WITH (security_barrier) AS SELECT 1, 2 WITH CHECK OPTION",
            "CREATE OR REPLACE TEMPORARY VIEW s.v (a, b) WITH (security_barrier) AS SELECT 1, 2 WITH CASCADED CHECK OPTION"
        ),
        (
            "CREATE RECURSIVE VIEW v (n) AS SELECT 1",
            "CREATE VIEW v (n) AS WITH RECURSIVE v (n) AS (SELECT 1) SELECT n FROM v"
        ), ("CREATE VIEW IF NOT EXISTS v AS VALUES (1)", nil),
        ("CREATE SCHEMA s", nil), ("CREATE SCHEMA IF NOT EXISTS s AUTHORIZATION u", nil),
        ("CREATE SCHEMA AUTHORIZATION u", nil),
        ("DROP TABLE a, s.b", nil), ("DROP VIEW IF EXISTS v CASCADE", nil), ("DROP SCHEMA s RESTRICT", "DROP SCHEMA s"),
        (
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int DEFAULT 1, DROP COLUMN IF EXISTS b CASCADE, ALTER COLUMN c TYPE text USING c::text",
            nil
        ),
        (
            "ALTER TABLE IF EXISTS t ALTER a SET DEFAULT 1, ALTER a DROP DEFAULT, ALTER a SET NOT NULL, ALTER a DROP NOT NULL",
            "ALTER TABLE IF EXISTS t ALTER COLUMN a SET DEFAULT 1, ALTER COLUMN a DROP DEFAULT, ALTER COLUMN a SET NOT NULL, ALTER COLUMN a DROP NOT NULL"
        ),
        ("ALTER TABLE t RENAME TO u", nil), ("ALTER TABLE t RENAME a TO b", "ALTER TABLE t RENAME COLUMN a TO b"),
        ("ALTER VIEW v SET SCHEMA s", nil),
        ("ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0), DROP CONSTRAINT IF EXISTS l, OWNER TO u", nil),
        ("COMMENT ON TABLE t IS 'x'", nil), ("COMMENT ON COLUMN s.t.a IS NULL", nil),
        ("SHOW search_path", nil), ("SHOW ALL", nil), ("SHOW TABLES", nil), ("SHOW ALL TABLES FROM s", nil),
        ("SHOW FUNCTIONS", nil), ("SHOW SCHEMAS", nil), ("SHOW DATABASES", nil),
        ("SHOW COLUMNS FROM t", nil), ("SHOW TIME ZONE", "SHOW timezone"),
        ("SHOW TRANSACTION ISOLATION LEVEL", "SHOW transaction_isolation"), ("SHOW my.setting", nil),
        ("SET search_path TO a, 'b'", "SET search_path TO 'a', 'b'"), ("SET LOCAL x = 1.5", "SET LOCAL x TO 1.5"),
        ("SET SESSION x TO DEFAULT", "SET x TO DEFAULT"), ("SET my.x = on", "SET my.x TO 'on'"),
        ("SET TIME ZONE 'UTC'", "SET timezone TO 'UTC'"), ("SET TIME ZONE -5", "SET timezone TO -5"),
        ("SET TIME ZONE LOCAL", "SET timezone TO DEFAULT"), ("SET NAMES 'utf8'", "SET client_encoding TO 'utf8'"),
        ("SET SCHEMA 's'", "SET search_path TO 's'"), ("SET ROLE x", "SET role TO 'x'"),
        ("SET SESSION AUTHORIZATION DEFAULT", "SET session_authorization TO DEFAULT"),
        ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", nil),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE NOT DEFERRABLE",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE, NOT DEFERRABLE"
        ),
        ("RESET x", nil), ("RESET ALL", nil), ("RESET TIME ZONE", "RESET timezone"), ("DISCARD ALL", nil),
        ("DISCARD TEMP", "DISCARD TEMPORARY"),
        ("BEGIN", nil), ("BEGIN WORK", "BEGIN"), ("BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE", nil),
        ("START TRANSACTION READ WRITE", "START TRANSACTION READ WRITE"),
        ("COMMIT", nil), ("END TRANSACTION", "COMMIT"), ("COMMIT AND CHAIN", nil), ("ROLLBACK", nil),
        ("ABORT AND NO CHAIN", "ROLLBACK"), ("SAVEPOINT s", nil),
        ("RELEASE s", "RELEASE SAVEPOINT s"), ("ROLLBACK TO s", "ROLLBACK TO SAVEPOINT s"),
        ("ROLLBACK WORK TO SAVEPOINT s", "ROLLBACK TO SAVEPOINT s"),
        ("PREPARE p AS SELECT $1", nil), ("PREPARE p (int, text[]) AS INSERT INTO t VALUES ($1, $2)", nil),
        ("EXECUTE p", nil), ("EXECUTE p (1, 'a')", nil),
        ("DEALLOCATE p", nil), ("DEALLOCATE PREPARE p", "DEALLOCATE p"), ("DEALLOCATE ALL", nil),
        ("DECLARE c CURSOR FOR SELECT 1", nil),
        (
            "DECLARE c BINARY INSENSITIVE NO SCROLL CURSOR WITH HOLD FOR SELECT 1",
            "DECLARE c BINARY NO SCROLL CURSOR WITH HOLD FOR SELECT 1"
        ),
        ("FETCH c", "FETCH FORWARD 1 FROM c"), ("FETCH ALL FROM c", "FETCH FORWARD ALL FROM c"),
        ("FETCH 5 IN c", "FETCH FORWARD 5 FROM c"), ("FETCH NEXT c", "FETCH FORWARD 1 FROM c"),
        ("FETCH PRIOR FROM c", "FETCH BACKWARD 1 FROM c"), ("FETCH LAST FROM c", "FETCH ABSOLUTE -1 FROM c"),
        ("FETCH RELATIVE -2 FROM c", nil), ("MOVE BACKWARD ALL FROM c", nil), ("FETCH FORWARD 3 FROM c", nil),
        ("CLOSE c", nil), ("CLOSE ALL", nil), ("ANALYZE", nil), ("ANALYZE VERBOSE t (a, b), u", nil),
        ("DESCRIBE t", nil), ("DESCRIBE SELECT 1", nil), ("DESCRIBE 'x.parquet'", "DESCRIBE SELECT * FROM 'x.parquet'"),
        ("SUMMARIZE t", nil),
        ("LISTEN c", nil), ("UNLISTEN *", nil), ("UNLISTEN c", nil), ("NOTIFY c, 'x'", nil),
        ("LOCK TABLE t IN ACCESS SHARE MODE NOWAIT", nil), ("LOCK t", "LOCK TABLE t"),
    ]

    @Test("Queries", arguments: StatementTests.queries)
    func query(_ sql: String, _ expected: String?) throws {
        try check(sql, expected)
        // The same text as a subquery, in a view and in FROM.
        guard case .query(let query) = try parseOne(sql) else { return }
        #expect(try StatementParser.parseExpression("(\(sql))").kind == .scalarQuery(query))
        #expect(try StatementParser.parseQuery(SyntaxPrinter.text(of: query)) == query)
        if !sql.contains("DEFAULT") { try check("SELECT 1 FROM (\(expected ?? sql)) AS q", nil) }
    }

    @Test("Other statements", arguments: StatementTests.others)
    func other(_ sql: String, _ expected: String?) throws { try check(sql, expected) }

    private func check(_ sql: String, _ expected: String?) throws {
        let tree = try parseOne(sql)
        let text = SyntaxPrinter.text(of: tree)
        #expect(text == expected ?? sql)
        #expect(try parseOne(text) == tree)
    }

    @Test("A text holds any number of statements, with their ranges")
    func severalStatements() throws {
        let sql = ";; SELECT 1 ; -- nothing\n SELECT 'ä;' ;/* a /* b */ c */; BEGIN"
        let statements = try StatementParser.parse(sql)
        let utf8 = Array(sql.utf8)
        #expect(
            statements.map { String(decoding: utf8[$0.byteRange], as: UTF8.self) } == [
                "SELECT 1", "SELECT 'ä;'", "BEGIN",
            ])
        #expect(statements.map(\.position.offset) == [3, 26, 58])
        #expect(try StatementParser.parse("").isEmpty)
        #expect(try StatementParser.parse(" -- x").isEmpty)
    }

    @Test("The queries of TPC-H parse")
    func tpch() throws {
        for sql in tpchQueries {
            let tree = try parseOne(sql)
            #expect(try parseOne(SyntaxPrinter.text(of: tree)) == tree)
        }
    }

    @Test("Type names of their own parse")
    func typeNames() throws {
        #expect(
            SyntaxPrinter.text(of: try StatementParser.parseTypeName("TIMESTAMP (3) WITH TIME ZONE[]"))
                == "timestamptz(3)[]")
        #expect(throws: QueryError.self) { try StatementParser.parseTypeName("int int") }
    }
}
