// Whole queries over a real server: types there and back, pushed conditions against plain scans, changes, TPC-H.

import Diagnostics
import EmbeddedCluster
import EngineTestSupport
import Foundation
import PostgresStorage
import StateStoreConformance
import StoreServers
import Testing

/// An engine with the server as the catalogue "pg".
func startEngine(_ server: PostgresServer, workers: Int = 1, values: [String: String] = [:]) async throws -> TestEngine
{
    try await TestEngine.start(
        workers: workers, catalogs: [("pg", "postgres", server.values(values))], plugins: [PostgresStoragePlugin()])
}

/// The state of the error that a statement ends with.
func state(_ engine: TestEngine, _ sql: String) async -> String {
    do {
        _ = try await engine.query(sql)
        return "none"
    } catch let error as QueryError {
        return error.state.code
    } catch { return "other" }
}

@Suite(.enabled(if: PostgresServer.programs != nil, Comment(rawValue: PostgresServer.reason)), .serialized)
struct PostgresEngineTests {
    static let types = """
        CREATE TABLE types (a int2, b int4, c int8, d float4, e float8, f numeric(10,2), g numeric(38,10), h numeric,
            i text, j varchar(10), k char(5), l bytea, m bool, n date, o time, p timestamp, q timestamptz, r interval,
            s uuid, t json, u jsonb, v int[], w text[][], x timetz, y bit(5), z varbit, aa numeric(5,-2),
            ab numeric(50,3), ac name, ad oid);
        INSERT INTO types VALUES (1, 2, 3, 1.5, 2.25, 123.45, 1234567890123456789012345678.0123456789, 12345.678900,
            'hällo wörld, a text that is long', 'vc', 'ab', '\\x00ff10', true, '2024-02-29', '12:34:56.789',
            '2024-02-29 12:34:56.123456', '2024-02-29 12:34:56.123456+02', '1 year 2 mons 3 days 04:05:06.7',
            '6f6b1c1e-0000-4444-8888-0123456789ab', '{"a": [1,2]}', '{"b": {"c": 1.50}}', '{1,NULL,3}',
            '{{a,b},{c,NULL}}', '12:00:00+05:30', '10101', '1101', 12345, 123456789012345678901234567890.123, 'nm',
            4000000000),
            (-1, -2, -3, 'nan', '-infinity', -0.01, -0.0000000001, 'NaN', '', '', '', '', false, 'infinity', '24:00',
            '-infinity', 'infinity', '-1 mon', '00000000-0000-0000-0000-000000000000', '1', 'null', '{}',
            '[2:3]={x,y}', '00:00-12', '00000', '', -99900, -1, '', 0);
        INSERT INTO types (a) VALUES (NULL);
        INSERT INTO types (h) VALUES (0.00), (1e50), (-1e-30), ('infinity'), ('-infinity'), (100000000), (0.0001),
            (123456789.123456789012345678901234567890123456789), (9999), (10000), (1e131071);
        INSERT INTO types (f, g) VALUES (99999999.99, 9999999999999999999999999999.9999999999), (0, 0), (-5, 1e-10);
        """

    @Test func typesThereAndBack() async throws {
        let server = try PostgresServer()
        server.psql(Self.types)
        let engine = try await startEngine(server)
        _ = try await engine.query("CREATE TABLE pg.public.copied AS SELECT * FROM pg.types")
        let columns = ["a", "c", "d", "e", "f", "g", "h", "i", "k", "l", "p", "q", "r", "v", "w", "x", "y", "aa", "ab"]
        let difference =
            "SELECT count(*) FROM (SELECT t::text FROM types t EXCEPT SELECT t::text FROM copied t) d"
        #expect(server.psql(difference) == "0")
        #expect(server.psql("SELECT count(*) FROM copied") == server.psql("SELECT count(*) FROM types"))
        // What the engine shows is what the server shows.
        for column in columns {
            let shown = try await engine.query("SELECT \(column)::text FROM pg.types").map { $0[0] ?? "NULL" }.sorted()
            let known = (server.psql("SET timezone = 'UTC'; SELECT coalesce(\(column)::text, 'NULL') FROM types") ?? "")
                .split(separator: "\n", omittingEmptySubsequences: false).map(String.init).sorted()
            #expect(shown == known, "column \(column)")
        }
        await engine.shutdown()
    }

    @Test func columnsOfOtherTypesAreRefusedOnlyWhenRead() async throws {
        let server = try PostgresServer()
        server.psql(
            """
            CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN small AS int CHECK (value < 10);
            CREATE TABLE odd (a int, b inet, c mood, d small, e numeric(6,2));
            INSERT INTO odd VALUES (1, '10.0.0.1', 'happy', 3, 'NaN')
            """)
        let engine = try await startEngine(server)
        #expect(try await engine.query("SELECT a, d FROM pg.odd") == [["1", "3"]])
        #expect(try await engine.query("SELECT count(*) FROM pg.odd") == [["1"]])
        #expect(await state(engine, "SELECT b FROM pg.odd") == "0A000")
        #expect(await state(engine, "SELECT * FROM pg.odd") == "0A000")
        // A NaN that the column's type has no place for here.
        #expect(await state(engine, "SELECT e FROM pg.odd") == "0A000")
        await engine.shutdown()
    }

    private static let facts = """
        CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE TABLE facts (n int, a int, b text COLLATE "en-x-icu", c char(4), d float8, e numeric(8,2), f date,
            g timestamp, h timestamptz, i bool, j uuid, k bytea, m text COLLATE blind);
        INSERT INTO facts SELECT n, nullif(n % 7, 6), (ARRAY['a','B','ä','Z','b','a_c',NULL,'','ab'])[n % 9 + 1],
            (ARRAY['x','y','x y',NULL,E'x\\t'])[n % 5 + 1],
            (ARRAY['NaN','-0','0','1.5','2','-Infinity',NULL]::float8[])[n % 7 + 1],
            (ARRAY[1.1, 2.25, -3, NULL])[n % 4 + 1],
            (ARRAY['2024-01-01','infinity','1999-12-31',NULL]::date[])[n % 4 + 1],
            timestamp '2024-01-01' + n * interval '1 hour', timestamptz '2023-12-31 23:00+00' + n % 3 * interval '1 day',
            (ARRAY[true, false, NULL])[n % 3 + 1],
            (ARRAY['6f6b1c1e-0000-4444-8888-0123456789ab','00000000-0000-0000-0000-000000000000']::uuid[])[n % 2 + 1],
            (ARRAY['\\x01','\\x','\\xff']::bytea[])[n % 3 + 1], (ARRAY['a','A','b','B'])[n % 4 + 1]
        FROM generate_series(1, 3000) n;
        CREATE INDEX ON facts (a); ANALYZE facts
        """

    /// Conditions over the columns of `facts`, pushed and not.
    private static let conditions = [
        "a = 5", "a <> 5", "a < 3", "5 >= a", "a IN (1, 2, NULL)", "a IS NULL", "a IS NOT NULL", "NOT (a > 3)",
        "a BETWEEN 2 AND 4 OR b = 'B'", "b = 'a'", "b < 'b'", "b >= 'Z'", "b LIKE 'a%'", "b LIKE '%\\_%'",
        "b NOT LIKE '_'", "b IN ('a', 'ä')", "b ~ '^a'", "c = 'x'", "c = 'x '", "c < 'y'", "c LIKE 'x%'", "d > 1.5",
        "d = 'NaN'", "d < 'NaN'", "d = 0", "e = 1.10", "e > 1", "e IN (1.1, 2.25)", "f >= date '2024-01-01'",
        "f = 'infinity'", "g < timestamp '2024-01-01 12:00'", "h = timestamptz '2024-01-01 00:00+01'", "i", "NOT i",
        "i IS NULL", "j = '6f6b1c1e-0000-4444-8888-0123456789ab'", "k = '\\x01'", "a + 1 = 6",
        "a = 5 AND length(b) = 1",
        "a IS DISTINCT FROM 5", "b IS NOT DISTINCT FROM NULL", "a::bigint = 5", "e = 1.1::numeric", "m = 'A'",
        "m = 'a'",
        "m < 'b'", "m LIKE 'a'", "a = 5 OR a IS NULL AND b IS NULL", "upper(b) = 'A' OR a = 1",
    ]

    @Test(arguments: [1, 3]) func pushedConditionsKeepTheSameRows(workers: Int) async throws {
        let server = try PostgresServer()
        server.psql(Self.facts)
        let engine = try await startEngine(server, workers: workers, values: ["split-size": "32kB"])
        _ = try await engine.query("CREATE TABLE plain AS SELECT * FROM pg.facts")
        for condition in Self.conditions {
            let pushed = try await engine.query("SELECT n FROM pg.facts WHERE \(condition) ORDER BY n")
            let plain = try await engine.query("SELECT n FROM plain WHERE \(condition) ORDER BY n")
            #expect(pushed == plain, "\(condition)")
        }
        await engine.shutdown()
    }

    /// What stands between SELECT and FROM, and what behind the table; whether the server computes it.
    private static let computed: [(list: String, rest: String, isStored: Bool)] = [
        ("count(*), count(b), sum(a), min(a), max(f), sum(e), avg(a), avg(e), min(b), max(b)", "", true),
        ("a, count(*), sum(n), avg(n), min(g)", "GROUP BY a ORDER BY a", true),
        ("b, i, sum(e)", "WHERE a < 4 GROUP BY b, i HAVING count(*) > 3 ORDER BY b NULLS FIRST, i", true),
        ("j, max(e)", "GROUP BY j ORDER BY j", true),
        ("c, count(*)", "GROUP BY c ORDER BY c", true),
        ("m, count(*)", "GROUP BY m ORDER BY m", false),
        ("sum(d)", "WHERE d > 0 AND d < 3", false),
        ("count(DISTINCT a), sum(a) FILTER (WHERE i)", "", false),
        ("a, count(*)", "WHERE length(b) = 1 GROUP BY a ORDER BY a", false),
        ("count(*)", "WHERE n < 0", true),
        ("sum(a)", "WHERE n < 0 GROUP BY b", true),
        ("n, b", "ORDER BY b DESC, n LIMIT 7", true),
        ("n, a", "WHERE a > 2 ORDER BY a NULLS FIRST, n DESC LIMIT 5 OFFSET 3", true),
        ("n, d", "ORDER BY d, n LIMIT 20", true),
        ("n", "WHERE b ~ 'a' ORDER BY n LIMIT 3", false),
        ("n, a", "ORDER BY a + 1, n LIMIT 3", false),
        ("c, n", "WHERE c IS NOT NULL ORDER BY c, n LIMIT 9", true),
        ("m, n", "ORDER BY m, n LIMIT 5", true),
    ]

    @Test(arguments: [1, 3]) func whatTheServerComputesIsTheSame(workers: Int) async throws {
        let server = try PostgresServer()
        server.psql(Self.facts)
        let engine = try await startEngine(server, workers: workers, values: ["split-size": "32kB"])
        _ = try await engine.query("CREATE TABLE plain AS SELECT * FROM pg.facts")
        for (list, rest, isStored) in Self.computed {
            let sql = "SELECT \(list) FROM pg.facts \(rest)"
            #expect(try await engine.query(sql) == engine.query("SELECT \(list) FROM plain \(rest)"), "\(sql)")
            let plan = try await engine.query("EXPLAIN \(sql)").map { $0[0] ?? "" }
            #expect(plan.contains { $0.contains("StoreScan") } == isStored, "\(plan.joined(separator: "\n"))")
            #expect(plan.contains { $0.contains("Store: SELECT ") })
        }
        #expect(
            try await engine.query("SELECT count(*) FROM (SELECT n FROM pg.facts WHERE a = 1 LIMIT 10) t") == [["10"]])
        await engine.shutdown()
    }

    @Test func changes() async throws {
        let server = try PostgresServer()
        server.psql(
            """
            CREATE TABLE parent (id int PRIMARY KEY, t text);
            CREATE TABLE child (id int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
            CREATE TABLE made (id int GENERATED ALWAYS AS IDENTITY, a int, b int GENERATED ALWAYS AS (a * 2) STORED,
                c text DEFAULT 'none', s serial);
            """)
        let engine = try await startEngine(server)
        _ = try await engine.query("INSERT INTO pg.parent VALUES (1, 'one'), (2, 'two'), (3, NULL)")
        server.psql("INSERT INTO child SELECT id FROM parent")
        // An update is one to the server: references stay.
        _ = try await engine.query("UPDATE pg.parent SET t = t || '!', id = id + 10 WHERE id < 3")
        #expect(
            server.psql("SELECT string_agg(id || coalesce(t, '-'), ' ' ORDER BY id) FROM parent") == "3- 11one! 12two!")
        #expect(server.psql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM child") == "3 11 12")
        _ = try await engine.query("DELETE FROM pg.parent WHERE t LIKE 'one%'")
        #expect(server.psql("SELECT count(*) FROM child") == "2")
        #expect(await state(engine, "INSERT INTO pg.parent VALUES (100, 'x'), (3, 'y')") == "23505")
        #expect(server.psql("SELECT count(*) FROM parent") == "2")
        #expect(await state(engine, "INSERT INTO pg.child VALUES (77)") == "23503")
        #expect(
            try await engine.query("INSERT INTO pg.parent VALUES (5, 'five') RETURNING id, t") == [["5", "five"]])
        _ = try await engine.query(
            "MERGE INTO pg.parent p USING (VALUES (5, 'V'), (6, 'VI'), (3, NULL)) AS s(id, t) ON p.id = s.id "
                + "WHEN MATCHED AND s.t IS NULL THEN DELETE WHEN MATCHED THEN UPDATE SET t = s.t "
                + "WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.t)")
        #expect(server.psql("SELECT string_agg(id || t, ' ' ORDER BY id) FROM parent") == "5V 6VI 12two!")
        // Values that only the server has.
        #expect(await state(engine, "INSERT INTO pg.made (a) VALUES (1)") == "0A000")
        #expect(await state(engine, "INSERT INTO pg.made (id, a, s) VALUES (7, 1, 1)") == "428C9")
        _ = try await engine.query("INSERT INTO pg.made (id, a, s) OVERRIDING SYSTEM VALUE VALUES (7, 21, 1)")
        #expect(server.psql("SELECT id || ' ' || a || ' ' || b || ' ' || c FROM made") == "7 21 42 none")
        #expect(
            await state(
                engine, "INSERT INTO pg.made (id, a, s) OVERRIDING SYSTEM VALUE VALUES (8, 1, 2) RETURNING b")
                == "0A000")
        _ = try await engine.query("UPDATE pg.made SET a = 5")
        #expect(server.psql("SELECT id || ' ' || a || ' ' || b FROM made") == "7 5 10")
        // A block holds what others cannot take part in.
        #expect(await state(engine, "BEGIN; DELETE FROM pg.parent") == "0A000")
        await engine.shutdown()
    }

    /// Statements that read and write the same database find their connections, however few there are.
    @Test(arguments: [2, 3, 4]) func readingAndWritingWithFewConnections(maximum: Int) async throws {
        let server = try PostgresServer()
        server.psql(
            "CREATE TABLE s AS SELECT i, repeat('x', 100) AS t FROM generate_series(1, 20000) i; CREATE TABLE d (i int, t text)"
        )
        let values = ["pool-maximum": "\(maximum)", "pool-wait-timeout": "20s", "split-size": "64kB"]
        let engine = try await startEngine(server, values: values)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { _ = try await engine.query("INSERT INTO pg.d SELECT * FROM pg.s") } }
            try await group.waitForAll()
        }
        #expect(server.psql("SELECT count(*), sum(i) FROM d") == "80000|800040000")
        _ = try await engine.query("UPDATE pg.d SET t = 'y' WHERE i < 10")
        _ = try await engine.query("CREATE TABLE pg.public.c AS SELECT * FROM pg.s WHERE i <= 100")
        #expect(server.psql("SELECT (SELECT count(*) FROM d WHERE t = 'y'), (SELECT count(*) FROM c)") == "36|100")
        await engine.shutdown()
    }

    @Test func definitionsArePassedOn() async throws {
        let server = try PostgresServer()
        let engine = try await startEngine(server)
        _ = try await engine.query(
            """
            CREATE TABLE pg.public.p (id int PRIMARY KEY, n int DEFAULT 5 CHECK (n > 0), t text DEFAULT 'it''s',
                at timestamptz DEFAULT now(), CONSTRAINT big CHECK (n < 100 OR t IS NULL))
            """)
        _ = try await engine.query("CREATE TABLE pg.public.c (id int REFERENCES pg.public.p (id) ON DELETE CASCADE)")
        _ = try await engine.query("INSERT INTO pg.p (id) VALUES (1)")
        #expect(server.psql("SELECT n, t, at IS NOT NULL FROM p") == "5|it's|t")
        server.psql("INSERT INTO p (id) VALUES (2)")
        #expect(server.psql("SELECT n, t FROM p WHERE id = 2") == "5|it's")
        #expect(await state(engine, "INSERT INTO pg.p (id, n) VALUES (3, -1)") == "23514")
        #expect(await state(engine, "INSERT INTO pg.p (id, n) VALUES (3, 100)") == "23514")
        #expect(await state(engine, "INSERT INTO pg.c VALUES (9)") == "23503")
        _ = try await engine.query("INSERT INTO pg.c VALUES (1)")
        _ = try await engine.query("DELETE FROM pg.p WHERE id = 1")
        #expect(server.psql("SELECT count(*) FROM c") == "0")
        await engine.shutdown()
    }

    @Test func stateStore() async throws {
        let server = try PostgresServer()
        let dsn = "postgres://postgres@127.0.0.1:\(server.port)/postgres"
        try await StateStoreConformance.check { try PostgresStateStore(dsn: dsn) }
        server.psql("INSERT INTO martlet_state.layout VALUES (99)")
        await #expect(throws: QueryError.self) { try await PostgresStateStore(dsn: dsn).open() }
        server.stop()
        await #expect(throws: QueryError.self) { try await PostgresStateStore(dsn: dsn).open() }
    }

    @Test func stateOutlivesTheEngine() async throws {
        let server = try PostgresServer.shared()
        server.psql("CREATE DATABASE state")
        let state = StateConfiguration(
            type: "postgres", values: ["dsn": "postgres://postgres@127.0.0.1:\(server.port)/state"])
        let failures = try await StateScenario.failures(state, plugin: PostgresStoragePlugin())
        #expect(failures.isEmpty, "\(failures.joined(separator: "\n"))")
    }

    @Test func stateIsSharedByEngines() async throws {
        let server = try PostgresServer.shared()
        server.psql("CREATE DATABASE shared_state")
        let state = StateConfiguration(
            type: "postgres", values: ["dsn": "postgres://postgres@127.0.0.1:\(server.port)/shared_state"])
        let failures = try await SharedStateScenario.failures(state, plugin: PostgresStoragePlugin())
        #expect(failures.isEmpty, "\(failures.joined(separator: "\n"))")
        // Requests are counted by catalogue; the store's is "state".
        #expect(ProcessMeters.reading.storeRequests["state"].map { $0.count > 0 && $0.sum > 0 } == true)
    }

    @Test func statementsReadOneSnapshot() async throws {
        let server = try PostgresServer()
        server.psql("CREATE TABLE s AS SELECT i FROM generate_series(1, 20000) i")
        let engine = try await startEngine(server, values: ["split-size": "8kB"])
        let stop = Date().addingTimeInterval(2)
        async let changing: Void = Task.detached {
            while Date() < stop { server.psql("BEGIN; DELETE FROM s WHERE i = 1; INSERT INTO s VALUES (1); COMMIT") }
        }.value
        while Date() < stop {
            #expect(try await engine.query("SELECT count(*), sum(i) FROM pg.s") == [["20000", "200010000"]])
            #expect(
                try await engine.query("SELECT count(*) FROM pg.s a JOIN pg.s b ON a.i = b.i WHERE a.i = 1") == [["1"]])
        }
        await changing
        await engine.shutdown()
    }

    @Test func tpch() async throws {
        let server = try PostgresServer()
        let engine = try await startEngine(server, workers: 1, values: ["split-size": "256kB"])
        server.psql("CREATE SCHEMA h")
        try await TPCHQueries.fill(engine) { "pg.h.\($0)" }
        server.psql("ANALYZE")
        let cluster = try await startEngine(server, workers: 3, values: ["pool-maximum": "6"])
        for engine in [engine, cluster] {
            let failures = try await TPCHQueries.failures(engine, searchPath: "h")
            #expect(failures.isEmpty, "\(failures.joined(separator: "\n"))")
            await engine.shutdown()
        }
    }
}
