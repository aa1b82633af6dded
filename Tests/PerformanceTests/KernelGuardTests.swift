// Bounds on the time of hot paths, so generous that only a lost specialisation breaks them: a kernel that becomes generic code
// through witness tables, or takes a value for each row, is thirty to a hundred times as slow. `make bench-smoke` runs them
// with nothing else; docs/performance.md says how to look closer.

import Diagnostics
import EngineTestSupport
import Foundation
import Testing

@Suite(.serialized) struct KernelGuardTests {
    /// A statement over `rows` rows that may take `bound` nanoseconds for each of them, on one thread.
    struct Guard: Sendable, CustomTestStringConvertible {
        var name: String
        var bound: Double
        var sql: String
        var rows = KernelGuardTests.rowCount
        var testDescription: String { name }
    }

    private static let rowCount = 1_000_000

    static let guards = [
        Guard(name: "filter", bound: 20, sql: "SELECT count(*) FROM facts WHERE a < 500 AND b <> 7"),
        Guard(
            name: "decimal arithmetic", bound: 60, sql: "SELECT sum(price * (1 - discount) * (1 + discount)) FROM facts"
        ),
        Guard(name: "float arithmetic", bound: 40, sql: "SELECT sum(f * 2.5e0 + f / 3e0) FROM facts"),
        Guard(name: "LIKE", bound: 200, sql: "SELECT count(*) FROM facts WHERE t LIKE '%77%9%'"),
        Guard(name: "text functions", bound: 500, sql: "SELECT max(upper(substring(t, 3, 8))) FROM facts"),
        Guard(
            name: "dates", bound: 150, sql: "SELECT sum(extract(year FROM d)) FROM facts WHERE d > DATE '1995-06-01'"),
        Guard(
            name: "CASE", bound: 100,
            sql: "SELECT sum(CASE WHEN a < 300 THEN b WHEN a < 600 THEN 2 * b ELSE 0 END) FROM facts"),
        Guard(name: "casts", bound: 400, sql: "SELECT sum(CAST(CAST(a AS text) AS bigint)) FROM facts"),
        Guard(
            name: "one small key", bound: 80, sql: "SELECT max(s) FROM (SELECT a, sum(b) AS s FROM facts GROUP BY a) x"),
        Guard(
            name: "one large key", bound: 500, sql: "SELECT max(s) FROM (SELECT k, sum(b) AS s FROM facts GROUP BY k) x"
        ),
        Guard(
            name: "text key", bound: 400, sql: "SELECT max(c) FROM (SELECT t, count(*) AS c FROM facts GROUP BY t) x"),
        Guard(
            name: "four keys", bound: 800,
            sql: "SELECT count(*) FROM (SELECT a, b, t, d FROM facts GROUP BY a, b, t, d) x"),
        Guard(
            name: "distinct counts", bound: 500,
            sql: "SELECT max(c) FROM (SELECT b, count(DISTINCT k) AS c FROM facts GROUP BY b) x"),
        Guard(
            name: "join by integers", bound: 250,
            sql: "SELECT sum(x.b) FROM facts x JOIN facts y ON x.k = y.k WHERE y.a < 500"),
        Guard(
            name: "join by text", bound: 500,
            sql: "SELECT count(*) FROM facts x JOIN (SELECT DISTINCT t FROM facts) y ON x.t = y.t"),
        Guard(
            name: "sort", bound: 1_000,
            sql: "SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY f, t) AS n FROM facts) x"),
        Guard(name: "first rows", bound: 100, sql: "SELECT f, t FROM facts ORDER BY f, t LIMIT 10"),
        Guard(
            name: "window", bound: 1_500,
            sql: "SELECT max(s) FROM (SELECT sum(b) OVER (PARTITION BY a ORDER BY f) AS s FROM facts) x"),
        Guard(
            name: "reading Parquet", bound: 150,
            sql: "SELECT sum(a), sum(price), max(t), max(d) FROM '$DIRECTORY/facts.parquet'"),
        Guard(
            name: "reading CSV", bound: 1_500,
            sql: "SELECT sum(a), sum(price), max(t), max(d) FROM '$DIRECTORY/facts.csv'"),
    ]

    private static let tables = """
        CREATE TABLE facts AS SELECT i AS k, (i * 7919) % 1000 AS a, i % 50 AS b, ((i * 104729) % 1000003)::float8 AS f,
            'Customer#' || lpad(((i * 31) % 20000)::text, 9, '0') AS t, DATE '1992-01-01' + ((i * 13) % 2500)::int AS d,
            (((i * 17) % 100000) / 100)::decimal(12, 2) AS price, ((i % 11)::decimal(4, 2) / 100)::decimal(4, 2) AS discount
        FROM generate_series(1, \(rowCount)::bigint) AS g(i);
        COPY facts TO '$DIRECTORY/facts.parquet';
        COPY facts TO '$DIRECTORY/facts.csv' (FORMAT csv, HEADER)
        """

    @Test func hotPathsKeepTheirSpeed() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "martlet-guards-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        func placed(_ sql: String) -> String { sql.replacing("$DIRECTORY", with: directory.path) }

        let engine = try await TestEngine.start(threads: 1, localRowLimit: .max)
        _ = try await engine.query(placed(Self.tables))
        for check in Self.guards {
            var best = Double.infinity
            for _ in 0..<3 {
                let start = ContinuousClock.now
                _ = try await engine.query(placed(check.sql))
                best = min(best, (ContinuousClock.now - start) / .nanoseconds(1))
            }
            let cost = best / Double(check.rows)
            let name = check.name.padding(toLength: 20, withPad: " ", startingAt: 0)
            print("guard: \(name) \(String(format: "%8.1f", cost)) of at most \(Int(check.bound)) ns a row")
            #expect(cost < check.bound, "\(check.name): \(cost) ns a row")
        }
        await engine.shutdown()
    }

    /// The same rows through the exchange: encoded, checked, decoded, merged.
    @Test func exchangesKeepTheirSpeed() async throws {
        let engine = try await TestEngine.start(workers: 2, threads: 1)
        _ = try await engine.query(
            "CREATE TABLE facts AS SELECT i AS k, i % 50 AS b, 'Customer#' || i AS t FROM generate_series(1, 1000000) AS g(i)"
        )
        var best = Double.infinity
        for _ in 0..<3 {
            let start = ContinuousClock.now
            _ = try await engine.query("SELECT max(c) FROM (SELECT k, t, count(*) AS c FROM facts GROUP BY k, t) x")
            best = min(best, (ContinuousClock.now - start) / .nanoseconds(1) / 1e6)
        }
        print("guard: exchange by keys      \(String(format: "%8.1f", best)) of at most 2000 ns a row")
        #expect(best < 2000)
        await engine.shutdown()
    }
}
