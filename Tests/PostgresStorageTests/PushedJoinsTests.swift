// Joins that the server computes: the same rows as the engine's, and only where that is less work.

import EngineTestSupport
import Foundation
import StoreServers
import Testing

@Suite(.enabled(if: PostgresServer.programs != nil, Comment(rawValue: PostgresServer.reason)), .serialized)
struct PushedJoinsTests {
    /// A few rows of every type, NULLs among them, and many to look up in.
    private static let tables = """
        CREATE COLLATION other (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE TABLE few AS SELECT i AS id, i % 50 AS k, nullif(i * 7 % 40, 3) AS n, (i % 90)::numeric(8,2) / 4 AS v,
            nullif('text ' || i % 60, 'text 5') AS t, ('c' || i % 30)::char(6) AS c, DATE '2024-01-01' + i % 20 AS d,
            CASE i % 10 WHEN 0 THEN 'NaN' WHEN 1 THEN '-0' ELSE (i % 30)::text END::float8 AS f
            FROM generate_series(1, 300) i;
        CREATE TABLE many (id int8 PRIMARY KEY, few_id int4, n int4, v numeric(10,4), t text COLLATE other,
            c varchar(10), d date, f float8, w numeric(6,2));
        INSERT INTO many SELECT i, i % 20000, nullif(i % 5000, 3), (i % 10000)::numeric / 4, 'Text ' || i % 8000,
            'c' || i % 9000, DATE '2024-01-01' + i % 9000,
            CASE i % 10000 WHEN 0 THEN 'NaN' WHEN 1 THEN '0' ELSE (i % 10000)::text END::float8, i % 1000 / 8.0
            FROM generate_series(1, 60000) i;
        CREATE INDEX ON many (few_id); CREATE INDEX ON many (n); CREATE INDEX ON many (v);
        CREATE INDEX ON many (t); CREATE INDEX ON many (c); CREATE INDEX ON many (d); CREATE INDEX ON many (f);
        ANALYZE
        """

    /// Queries, and whether one statement of the server may answer the join.
    private static let queries: [(text: String, isJoined: Bool)] = [
        ("SELECT f.id, m.id, m.w FROM few f JOIN many m ON m.few_id = f.id", true),
        ("SELECT f.id, m.id FROM few f JOIN many m ON m.n = f.n WHERE f.k < 20", true),
        ("SELECT f.id, m.id, f.v, m.v FROM few f JOIN many m ON m.v = f.v AND f.k = 7", false),
        ("SELECT f.id, m.id FROM few f JOIN many m ON m.f = f.f AND f.k < 5", true),
        ("SELECT f.id, f.d FROM few f WHERE EXISTS (SELECT FROM many m WHERE m.few_id = f.id AND m.w > 60)", true),
        (
            "SELECT f.id FROM few f WHERE NOT EXISTS (SELECT FROM many m WHERE m.few_id = f.id AND m.w <> f.v)", true
        ),
        ("SELECT f.id FROM few f WHERE NOT EXISTS (SELECT FROM many m WHERE m.n = f.n)", true),
        ("SELECT f.id FROM few f WHERE f.n NOT IN (SELECT m.n FROM many m WHERE m.n < 20)", false),
        ("SELECT f.k, count(*), sum(m.w * f.v), max(m.d) FROM few f JOIN many m ON m.few_id = f.id GROUP BY f.k", true),
        ("SELECT f.id + m.id AS s, f.v * m.w AS p FROM few f JOIN many m ON m.few_id = f.id WHERE f.k < 20", true),
        ("SELECT count(*) FROM few f JOIN many m ON m.few_id = f.id", true),
        (
            "SELECT f.id, m.id, g.id FROM few f JOIN many m ON m.few_id = f.id JOIN few g ON g.id = m.few_id + 0 "
                + "WHERE f.k = 3", true
        ),
        ("SELECT f.id, m.id FROM few f LEFT JOIN many m ON m.few_id = f.id WHERE f.k = 3", true),
        ("SELECT f.id, m.id, m.w FROM few f LEFT JOIN many m ON m.n = f.n AND m.w > f.v AND f.k > 9", true),
        ("SELECT f.id, m.id FROM many m RIGHT JOIN few f ON m.few_id = f.id AND f.k < 45", true),
        ("SELECT f.id FROM few f LEFT JOIN many m ON m.n = f.n AND m.w > 100 WHERE m.w IS NULL", true),
        (
            "SELECT f.id, m.id, g.id FROM few f LEFT JOIN many m ON m.n = f.n LEFT JOIN few g ON g.k = m.n "
                + "WHERE f.k < 4 AND (g.id IS NULL OR g.id > 100)", true
        ),
        (
            "SELECT f.id, x.s FROM few f LEFT JOIN (SELECT m.few_id, coalesce(m.n, -1) AS s FROM many m "
                + "WHERE m.w > 60) x ON x.few_id = f.id", false
        ),
        (
            "SELECT f.k, count(*), count(m.id), sum(m.w) FROM few f LEFT JOIN many m ON m.n = f.n AND m.w < 50 "
                + "GROUP BY f.k", true
        ),
        (
            "SELECT f.id, m.id FROM few f LEFT JOIN many m ON m.few_id = f.id AND m.w < 9 WHERE f.k = 3 AND "
                + "EXISTS (SELECT FROM many o WHERE o.n = f.n)", true
        ),
        ("SELECT f.id, m.id FROM few f JOIN many m ON m.few_id = f.id AND random() >= 0 WHERE f.k = 3", true),
        ("SELECT f.id, m.id FROM few f JOIN many m ON lower(m.t) = f.t WHERE f.k = 3", false),
        ("SELECT f.id, m.id FROM few f JOIN many m ON m.t = f.t", false),
        ("SELECT f.id, m.id FROM few f JOIN many m ON m.c = f.c AND m.few_id = f.id", true),
        ("SELECT a.id, b.id FROM many a JOIN many b ON a.id = b.id", false),
    ]

    @Test(arguments: [1, 3]) func joinedRowsAreTheEngines(workers: Int) async throws {
        let server = try PostgresServer()
        server.psql(Self.tables)
        let engine = try await startEngine(server, workers: workers, values: ["split-size": "256kB"])
        for table in ["few", "many"] {
            _ = try await engine.query("CREATE TABLE plain_\(table) AS SELECT * FROM pg.\(table)")
        }
        for (query, isJoined) in Self.queries {
            func text(_ prefix: String) -> String {
                query.replacing(" few ", with: " \(prefix)few ").replacing(" many ", with: " \(prefix)many ")
            }
            let found = try await engine.query(text("pg.")).map { $0.map { $0 ?? "NULL" }.joined(separator: "|") }
            let wanted = try await engine.query(text("plain_")).map { $0.map { $0 ?? "NULL" }.joined(separator: "|") }
            #expect(found.sorted() == wanted.sorted(), "\(query)")
            let plan = try await engine.query("EXPLAIN " + text("pg.")).map { $0[0] ?? "" }
            let isSent = plan.contains {
                $0.contains("Store: ") && $0.contains("\"few\" t") && $0.contains("\"many\" t")
            }
            #expect(isSent == isJoined, "\(query): \(plan.joined(separator: "\n"))")
        }
        await engine.shutdown()
    }

    /// A table that another one takes the place of while a plan is kept is not read as if it were the first.
    @Test func tablesThatChangeAreSeen() async throws {
        let server = try PostgresServer()
        server.psql(Self.tables)
        let engine = try await startEngine(server)
        let connection = engine.makeConnection()
        _ = try await connection.run(
            "PREPARE q AS SELECT count(*), min(m.w) FROM pg.few f JOIN pg.many m ON m.few_id = f.id WHERE f.k = 3")
        let first = try await connection.run("EXECUTE q").map { $0.map { $0 ?? "" } }
        server.psql("ALTER TABLE many ALTER w TYPE numeric(9,3)")
        let second = try await connection.run("EXECUTE q").map { $0.map { $0 ?? "" } }
        #expect(first[0][0] == second[0][0])
        #expect(second[0][1].hasSuffix("0"), "\(second)")
        await engine.shutdown()
    }
}
