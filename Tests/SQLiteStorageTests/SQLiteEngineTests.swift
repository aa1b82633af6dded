// Whole statements over a database file, beside the same over a table in memory.

import Diagnostics
import EngineTestSupport
import Foundation
import StoreServers
import Testing

@Suite(.serialized) struct SQLiteEngineTests {
    private static let facts = """
        CREATE TABLE facts (n INTEGER PRIMARY KEY, a INT, b TEXT, c TEXT COLLATE NOCASE, d REAL, e DECIMAL(8,2), f DATE,
            g DATETIME, i BOOLEAN, j UUID, k BLOB, l VARCHAR(20), m SMALLINT);
        WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 3000)
        INSERT INTO facts SELECT n, nullif(n % 7, 6),
            CASE n % 9 WHEN 0 THEN 'a' WHEN 1 THEN 'B' WHEN 2 THEN 'ä' WHEN 3 THEN 'Z' WHEN 4 THEN 'b' WHEN 5 THEN 'a_c'
                WHEN 6 THEN NULL WHEN 7 THEN '' ELSE 'a*[b?' END,
            CASE n % 4 WHEN 0 THEN 'x' WHEN 1 THEN 'X' WHEN 2 THEN 'y' END,
            CASE n % 6 WHEN 0 THEN 0.1 WHEN 1 THEN -1e300 WHEN 2 THEN 0 WHEN 3 THEN 1.5 WHEN 4 THEN 9e999 END,
            CASE n % 5 WHEN 0 THEN 1.1 WHEN 1 THEN 2.25 WHEN 2 THEN -3 WHEN 3 THEN 0.3 END,
            CASE n % 4 WHEN 0 THEN '2024-01-01' WHEN 1 THEN 'infinity' WHEN 2 THEN '1999-12-31' END,
            datetime('2024-01-01', n || ' hours'), CASE n % 3 WHEN 0 THEN 1 WHEN 1 THEN 0 END,
            CASE n % 2 WHEN 0 THEN '6f6b1c1e-0000-4444-8888-0123456789ab' END,
            CASE n % 3 WHEN 0 THEN x'01' WHEN 1 THEN x'' ELSE x'ff' END, 'text ' || (n % 10), n % 11 FROM s;
        CREATE INDEX facts_a ON facts (a); CREATE INDEX facts_c ON facts (c);
        """

    private static let conditions = [
        "a = 5", "a <> 5", "a < 3", "5 >= a", "a IN (1, 2, NULL)", "a NOT IN (1, 2)", "a IS NULL", "a IS NOT NULL",
        "NOT (a > 3)", "a BETWEEN 2 AND 4 OR b = 'B'", "b = 'a'", "b < 'b'", "b >= 'Z'", "b LIKE 'a%'",
        "b LIKE '%\\_%'", "b NOT LIKE '_'", "b LIKE 'a*[b?'", "b LIKE 'A%'", "b IN ('a', 'ä')", "b ~ '^a'", "b = ''",
        "c = 'x'", "c > 'X'", "c IN ('X', 'y')", "c LIKE 'x'", "c <> 'x'", "d > 1.5", "d = 0.1", "d < 0", "d = 0",
        "d = 'Infinity'", "e = 1.10", "e > 1", "e IN (1.1, 2.25)", "e = 0.3", "e < 0.300001", "e * 2 = 0.6",
        "f >= date '2024-01-01'", "f = 'infinity'", "f < date '2000-01-01'", "f IS NULL",
        "g < timestamp '2024-01-01 12:00'", "g = timestamp '2024-01-02'", "i", "NOT i", "i IS NULL", "i = false",
        "j = '6f6b1c1e-0000-4444-8888-0123456789ab'", "k = '\\x01'", "k < '\\xff'", "a + 1 = 6",
        "a = 5 AND length(b) = 1", "a IS DISTINCT FROM 5", "b IS NOT DISTINCT FROM NULL", "a::smallint = 5",
        "a = 1.5", "a < 1.5", "m = 3", "m > 1000", "m::int = 4", "l = 'text 3'", "l > 'text 5' AND n < 100",
        "n = 77", "n > 2990", "n IN (1, 5000)", "b < c", "a < m", "a = 5 OR a IS NULL AND b IS NULL",
        "upper(b) = 'A' OR a = 1",
    ]

    @Test(arguments: [1, 3]) func pushedConditionsKeepTheSameRows(workers: Int) async throws {
        let file = try DatabaseFile(Self.facts)
        let engine = try await file.engine(workers: workers, ["split-rows": "1000"])
        _ = try await engine.query("CREATE TABLE plain AS SELECT * FROM lite.facts")
        for condition in Self.conditions {
            let pushed = try await engine.query("SELECT n FROM lite.facts WHERE \(condition) ORDER BY n")
            let plain = try await engine.query("SELECT n FROM plain WHERE \(condition) ORDER BY n")
            #expect(pushed == plain, "\(condition)")
            let counts = "SELECT count(*), sum(n), max(b), min(f) FROM"
            #expect(
                try await engine.query("\(counts) lite.facts WHERE \(condition)")
                    == engine.query("\(counts) plain WHERE \(condition)"), "\(condition)")
        }
        await engine.shutdown()
    }

    private static let computed: [(list: String, rest: String, isStored: Bool)] = [
        ("count(*), count(b), sum(a), min(a), max(f), min(b), max(b), sum(n), sum(m)", "", true),
        ("a, count(*), sum(n), min(e)", "GROUP BY a ORDER BY a", true),
        ("b, i, sum(n)", "WHERE a < 4 GROUP BY b, i HAVING count(*) > 3 ORDER BY b NULLS FIRST, i", true),
        ("c, count(*)", "GROUP BY c ORDER BY c", true),
        ("e, max(f)", "GROUP BY e ORDER BY e", true),
        ("g, count(*)", "WHERE n < 50 GROUP BY g ORDER BY g", false),
        ("sum(d)", "WHERE d > 1 AND d < 3", false), ("sum(e), avg(a)", "", false),
        ("count(DISTINCT a), sum(a) FILTER (WHERE i)", "", false),
        ("a, count(*)", "WHERE length(b) = 1 GROUP BY a ORDER BY a", false),
        ("count(*)", "WHERE n < 0", true), ("sum(a)", "WHERE n < 0 GROUP BY b", true),
        ("sum(n), max(c)", "WHERE n < 0", true), ("n, b", "ORDER BY b DESC, n LIMIT 7", true),
        ("n, a", "WHERE a > 2 ORDER BY a NULLS FIRST, n DESC LIMIT 5 OFFSET 3", true),
        ("n, d", "ORDER BY d, n LIMIT 20", true), ("n", "WHERE b ~ 'a' ORDER BY n LIMIT 3", false),
        ("n, c", "ORDER BY c, n LIMIT 9", true), ("n, g", "ORDER BY g LIMIT 3", false),
    ]

    @Test(arguments: [1, 3]) func whatTheFileComputesIsTheSame(workers: Int) async throws {
        let file = try DatabaseFile(Self.facts)
        let engine = try await file.engine(workers: workers, ["split-rows": "1000"])
        _ = try await engine.query("CREATE TABLE plain AS SELECT * FROM lite.facts")
        for (list, rest, isStored) in Self.computed {
            let sql = "SELECT \(list) FROM lite.facts \(rest)"
            #expect(try await engine.query(sql) == engine.query("SELECT \(list) FROM plain \(rest)"), "\(sql)")
            let plan = try await engine.query("EXPLAIN \(sql)").map { $0[0] ?? "" }
            #expect(plan.contains { $0.contains("StoreScan") } == isStored, "\(plan.joined(separator: "\n"))")
        }
        await engine.shutdown()
    }

    @Test func sumsBeyondSixtyFourBits() async throws {
        let file = try DatabaseFile(
            "CREATE TABLE t (x BIGINT); INSERT INTO t VALUES (9223372036854775807), (9223372036854775807), (NULL)")
        let engine = try await file.engine()
        #expect(try await engine.query("SELECT sum(x) FROM lite.t") == [["18446744073709551614"]])
        try file.run("DELETE FROM t; INSERT INTO t VALUES (-9223372036854775808), (-9223372036854775808), (-1)")
        #expect(try await engine.query("SELECT sum(x) FROM lite.t") == [["-18446744073709551617"]])
        await engine.shutdown()
    }

    // MARK: Values that do not fit

    private static let misfits: [(declared: String, value: String, state: String)] = [
        ("INT", "'abc'", "42804"), ("INT", "1.5", "42804"), ("SMALLINT", "40000", "22003"),
        ("INT4", "3000000000", "22003"),
        ("INT", "x'00'", "42804"), ("REAL", "'x'", "42804"), ("BOOLEAN", "2", "22003"), ("BOOLEAN", "'true'", "42804"),
        ("DECIMAL(5,2)", "1.005", "42804"), ("DECIMAL(5,2)", "1000", "22003"), ("DECIMAL(5,2)", "'x'", "42804"),
        ("TEXT", "x'61'", "42804"), ("TEXT", "CAST(x'ff' AS TEXT)", "22021"),
        ("TEXT", "CAST(x'610062' AS TEXT)", "22021"),
        ("VARCHAR(3)", "'abcd'", "22001"), ("CHAR(3)", "'abcd'", "22001"), ("BLOB", "'a'", "42804"),
        ("DATE", "'2024-1-5'", "22007"), ("DATE", "'2024-02-30'", "22007"), ("DATE", "20240105", "42804"),
        ("DATETIME", "'now'", "22007"), ("DATETIME", "'2024-01-01 00:00:00Z'", "42804"),
        ("DATETIME", "1704067200", "42804"), ("DATETIME", "'2024-01-01 00:00:00.0000001'", "42804"),
        ("TIME", "'25:00'", "22007"), ("UUID", "'x'", "22P02"), ("UUID", "x'00'", "42804"),
        ("JSON TEXT", "'{'", "22P02"),
        ("FLOAT4", "0.1", "42804"), ("NUMERIC", "'x'", "22P02"), ("", "x'00'", "42804"),
    ]

    /// Never another value, and the error says where it is.
    @Test func valuesThatDoNotFitAreNamed() async throws {
        for (declared, value, state) in Self.misfits {
            let file = try DatabaseFile(
                "CREATE TABLE t (id INTEGER PRIMARY KEY, v \(declared)); INSERT INTO t VALUES (16, NULL), (17, \(value))"
            )
            let engine = try await file.engine()
            let error = await failure(engine, "SELECT v FROM lite.t")
            #expect(error?.state.code == state, "\(declared) \(value): \(String(describing: error))")
            #expect(error?.object == "v" && error?.detail?.contains("rowid 17") == true, "\(declared) \(value)")
            #expect(try await engine.query("SELECT v IS NULL FROM lite.t WHERE id = 16") == [["t"]])
            #expect(try await engine.query("SELECT count(*) FROM lite.t") == [["2"]])
            await engine.shutdown()
        }
    }

    /// Conditions and aggregates that SQLite computes do not pass over such values in silence.
    @Test func valuesThatDoNotFitAreErrorsBelowConditionsToo() async throws {
        let file = try DatabaseFile(
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY, n INT, d DATE, s TEXT, b BOOLEAN);
            INSERT INTO t VALUES (1, 1, '2024-01-01', 'a', 1), (2, 'two', '2024-1-2', x'61', 7);
            CREATE INDEX t_n ON t (n)
            """)
        let engine = try await file.engine()
        for rest in [
            "WHERE n < 5", "WHERE n = 1", "WHERE NOT (n < 5)", "WHERE n IN (1, 2)", "WHERE d < '2024-02-01'",
            "WHERE d = '2024-01-01'", "WHERE s = 'a'", "WHERE s LIKE 'a%'", "WHERE b", "WHERE NOT b",
            "WHERE n = 1 OR d = '2024-01-01'",
        ] {
            for list in ["id, n", "count(*)", "max(id)"] {
                #expect(await state(engine, "SELECT \(list) FROM lite.t \(rest)") != "none", "\(list) \(rest)")
            }
        }
        for list in ["count(n)", "sum(n)", "min(n)", "max(d)", "count(s)", "n, count(*)"] {
            let rest = list.contains(",") ? "GROUP BY n" : ""
            #expect(await state(engine, "SELECT \(list) FROM lite.t \(rest)") != "none", "\(list)")
        }
        #expect(await state(engine, "SELECT id FROM lite.t ORDER BY n LIMIT 1") != "none")
        #expect(await state(engine, "SELECT id FROM lite.t ORDER BY d DESC LIMIT 1") != "none")
        await engine.shutdown()
    }

    @Test func valuesThatFitAreReadAsTheyAre() async throws {
        let file = try DatabaseFile(
            """
            CREATE TABLE t (a INT, b BOOL, c DECIMAL(10,2), d NUMERIC, e STRING, f, g DATETIME, h TIMESTAMPTZ, i UUID, j TIME,
                k CHAR(5), l FLOAT4, m "UNSIGNED BIG INT", n CLOB);
            INSERT INTO t VALUES (9007199254740993, 1, 1.10, 12345678901, 'x', 1.5, '2024-01-01T10:00', '2024-01-01 10:00:00+02:00',
                x'6f6b1c1e000044448888012345678900', '10:11', 'ab  ', 1.5, 3, 'n'), (NULL, 0, -0.01, 1e20, '007', 7, '2024-01-01',
                '2024-01-01 10:00Z', '6F6B1C1E-0000-4444-8888-012345678900', '10:11:12.5', '', 0.25, 4, '');
            """)
        let engine = try await file.engine()
        #expect(
            try await engine.query("SELECT * FROM lite.t ORDER BY m") == [
                [
                    "9007199254740993", "t", "1.10", "12345678901", "x", "1.5", "2024-01-01 10:00:00",
                    "2024-01-01 08:00:00+00", "6f6b1c1e-0000-4444-8888-012345678900", "10:11:00", "ab   ", "1.5", "3",
                    "n",
                ],
                [
                    nil, "f", "-0.01", "100000000000000000000", "7", "7", "2024-01-01 00:00:00",
                    "2024-01-01 10:00:00+00", "6f6b1c1e-0000-4444-8888-012345678900", "10:11:12.5", "     ", "0.25",
                    "4", "",
                ],
            ])
        await engine.shutdown()
    }

    /// What SQLite would store as something else is refused.
    @Test func valuesThatWouldChangeAreNotWritten() async throws {
        let file = try DatabaseFile(
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY, d DECIMAL(20,4), r REAL, s STRING, j JSON, day DATE, ts TIMESTAMP);
            """)
        let engine = try await file.engine()
        for assignment in [
            "d) VALUES (1234567890123456.7891", "r) VALUES ('NaN'", "s) VALUES ('007'", "s) VALUES ('1e3'",
            "j) VALUES ('1.50'", "day) VALUES ('10000-01-01'", "ts) VALUES ('0044-03-15 BC'",
        ] {
            let error = await failure(engine, "INSERT INTO lite.t (\(assignment))")
            #expect(error != nil && error?.state != .internalError, "\(assignment): \(String(describing: error))")
        }
        #expect(try await engine.query("SELECT count(*) FROM lite.t") == [["0"]])
        _ = try await engine.query(
            "INSERT INTO lite.t (d, r, s, j) VALUES (1234567890123456, 'Infinity', '7', '12'), (0.0001, 1e-300, 'x', '[1.50]')"
        )
        #expect(
            try await engine.query("SELECT d, r, s, j FROM lite.t ORDER BY id") == [
                ["1234567890123456.0000", "Infinity", "7", "12"], ["0.0001", "1e-300", "x", "[1.50]"],
            ])
        await engine.shutdown()
    }

    // MARK: Changes

    @Test(arguments: ["wal", "delete"]) func changes(journal: String) async throws {
        let file = try DatabaseFile(
            """
            PRAGMA journal_mode = \(journal);
            CREATE TABLE parent (id INTEGER PRIMARY KEY, t TEXT UNIQUE);
            CREATE TABLE child (id INT REFERENCES parent(id) ON DELETE CASCADE, CHECK (id < 1000));
            CREATE TABLE made (id INTEGER PRIMARY KEY, a INT, b INT GENERATED ALWAYS AS (a * 2), c TEXT DEFAULT 'none',
                s TEXT DEFAULT CURRENT_TIMESTAMP);
            CREATE VIEW v AS SELECT id, t FROM parent;
            """)
        let engine = try await file.engine()
        _ = try await engine.query("INSERT INTO lite.parent VALUES (1, 'one'), (2, 'two'), (3, NULL)")
        _ = try await engine.query("INSERT INTO lite.child SELECT id FROM lite.parent")
        _ = try await engine.query("UPDATE lite.parent SET t = t || '!' WHERE id < 3")
        #expect(try file.run("SELECT group_concat(id || coalesce(t, '-'), ' ') FROM parent") == [["1one! 2two! 3-"]])
        _ = try await engine.query("DELETE FROM lite.parent WHERE t LIKE 'one%'")
        #expect(try file.run("SELECT count(*) FROM child") == [["2"]])
        #expect(await state(engine, "INSERT INTO lite.parent VALUES (100, 'x'), (3, 'y')") == "23505")
        #expect(await state(engine, "INSERT INTO lite.parent VALUES (100, 'x'), (101, 'x')") == "23505")
        #expect(await state(engine, "INSERT INTO lite.child VALUES (77)") == "23503")
        #expect(await state(engine, "INSERT INTO lite.child VALUES (7777)") == "23514")
        #expect(try file.run("SELECT count(*) FROM parent") == [["2"]])
        // Rows without a number get one; what SQLite made cannot be given back.
        _ = try await engine.query("INSERT INTO lite.parent (t) VALUES ('four')")
        #expect(try await engine.query("SELECT id FROM lite.parent WHERE t = 'four'") == [["4"]])
        #expect(await state(engine, "INSERT INTO lite.parent (t) VALUES ('five') RETURNING id") == "0A000")
        _ = try await engine.query("INSERT INTO lite.parent SELECT id + 100, t || '+' FROM lite.parent")
        #expect(try file.run("SELECT count(*) FROM parent") == [["6"]])
        _ = try await engine.query(
            "MERGE INTO lite.parent p USING (VALUES (4, 'IV'), (6, 'VI'), (3, NULL)) AS s(id, t) ON p.id = s.id "
                + "WHEN MATCHED AND s.t IS NULL THEN DELETE WHEN MATCHED THEN UPDATE SET t = s.t "
                + "WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.t)")
        #expect(
            try file.run("SELECT group_concat(id || coalesce(t, '-'), ' ') FROM parent WHERE id < 100")
                == [["2two! 4IV 6VI"]])
        // A statement that changes two tables changes both or none.
        _ = try await engine.query(
            "WITH gone AS (DELETE FROM lite.parent WHERE id > 100 RETURNING id) INSERT INTO lite.made (id, a, s) SELECT id, 1, '' FROM gone"
        )
        #expect(try file.run("SELECT count(*), min(b) FROM made") == [["3", "2"]])
        #expect(
            await state(
                engine,
                "WITH gone AS (DELETE FROM lite.parent WHERE id = 2 RETURNING id) INSERT INTO lite.made (id, a, s) SELECT 102, 1, '' FROM gone"
            ) == "23505")
        #expect(try file.run("SELECT count(*) FROM parent WHERE id = 2") == [["1"]])
        #expect(await state(engine, "INSERT INTO lite.made (a) VALUES (1)") == "0A000")
        #expect(await state(engine, "UPDATE lite.v SET t = 'x'") != "none")
        #expect(await state(engine, "BEGIN; DELETE FROM lite.parent") == "0A000")
        #expect(
            await state(engine, "BEGIN READ ONLY; SELECT * FROM lite.v; SELECT count(*) FROM lite.parent") == "none")
        await engine.shutdown()
    }

    @Test func tablesAreMade() async throws {
        let file = try DatabaseFile()
        let engine = try await file.engine(["create": "true"])
        #expect(await state(engine, "SELECT * FROM lite.t") == "42P01")
        _ = try await engine.query(
            "CREATE TABLE lite.public.t (id bigint PRIMARY KEY, n int DEFAULT 5, t text NOT NULL DEFAULT 'x', u varchar(3) UNIQUE)"
        )
        _ = try await engine.query("INSERT INTO lite.t (id, u) VALUES (1, 'a')")
        #expect(try await engine.query("SELECT * FROM lite.t") == [["1", "5", "x", "a"]])
        #expect(await state(engine, "CREATE TABLE lite.public.T (a int)") == "42P07")
        #expect(await state(engine, "CREATE TABLE lite.public.c (a int CHECK (a > 0))") == "0A000")
        #expect(await state(engine, "CREATE TABLE lite.public.c (a int[])") == "0A000")
        #expect(await state(engine, "CREATE TABLE lite.public.c (a int DEFAULT random())") == "0A000")
        // Rows that cannot be made leave no table behind.
        #expect(
            await state(engine, "CREATE TABLE lite.public.c AS SELECT 1 / (3 - i) AS x FROM generate_series(1, 5) i")
                == "22012")
        #expect(try file.run("SELECT count(*) FROM sqlite_schema WHERE name = 'c'") == [["0"]])
        _ = try await engine.query(
            "CREATE TABLE lite.public.c AS SELECT i, i::text AS t FROM generate_series(1, 50000) i")
        #expect(
            try await engine.query("SELECT count(*), sum(i), max(length(t)) FROM lite.c") == [
                ["50000", "1250025000", "5"]
            ])
        _ = try await engine.query("CREATE TABLE lite.public.none AS SELECT 1 AS x WHERE false")
        #expect(try await engine.query("SELECT count(*) FROM lite.none") == [["0"]])
        _ = try await engine.query("DROP TABLE lite.public.c")
        #expect(await state(engine, "SELECT * FROM lite.c") == "42P01")
        #expect(try file.run("PRAGMA journal_mode") == [["wal"]])
        await engine.shutdown()
    }

    @Test func tpch() async throws {
        let file = try DatabaseFile()
        let engine = try await file.engine(["create": "true", "split-rows": "5000"])
        try await TPCHQueries.fill(engine) { "lite.public.\($0)" }
        let cluster = try await file.engine(workers: 3, ["split-rows": "5000"])
        for engine in [engine, cluster] {
            let failures = try await TPCHQueries.failures(engine, searchPath: "public")
            #expect(failures.isEmpty, "\(failures.joined(separator: "\n"))")
            await engine.shutdown()
        }
    }
}
