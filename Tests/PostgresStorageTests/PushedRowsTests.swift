// Rows that cross from the server, counted: no query may move more than the statements that it shows in EXPLAIN give when
// the server itself runs them.

import EngineTestSupport
import Foundation
import StoreServers
import Testing

@Suite(.enabled(if: PostgresServer.programs != nil, Comment(rawValue: PostgresServer.reason)), .serialized)
struct PushedRowsTests {
    private struct Scan {
        var table: String
        var fetched: Int
        var sent: String
    }

    /// The scans of a plan with what they fetched and the statement that they sent.
    private func scans(_ plan: [String]) throws -> [Scan] {
        var scans: [Scan] = []
        for (line, next) in zip(plan, plan.dropFirst()) {
            guard let store = next.range(of: "Store: ") else { continue }
            let fetched = line.range(of: "fetched=").map { line[$0.upperBound...].prefix { $0.isNumber } }
            scans.append(
                Scan(
                    table: line.trimmingCharacters(in: .whitespaces),
                    fetched: fetched.flatMap { Int($0) } ?? 0, sent: String(next[store.upperBound...])))
        }
        return scans
    }

    @Test(arguments: [1, 3]) func tpchMovesNoMoreThanItsStatements(workers: Int) async throws {
        let server = try PostgresServer()
        let engine = try await startEngine(server, workers: workers, values: ["split-size": "256kB"])
        server.psql("CREATE SCHEMA h")
        try await TPCHQueries.fill(engine) { "pg.h.\($0)" }
        server.psql("ANALYZE")
        let connection = engine.makeConnection()
        _ = try await connection.run("SET search_path = h")
        var known: [String: Int] = [:]
        var (moved, stored) = (0, 0)
        for number in 1...22 {
            let plan = try await connection.run("EXPLAIN ANALYZE " + TPCHQueries.text(number)).map { $0[0] ?? "" }
            let scans = try scans(plan)
            #expect(!scans.isEmpty, "query \(number): \(plan.joined(separator: "\n"))")
            for scan in scans {
                let count =
                    try known[scan.sent]
                    ?? #require(server.psql("SELECT count(*) FROM (\(scan.sent)) s").flatMap { Int($0) })
                known[scan.sent] = count
                #expect(scan.fetched <= count, "query \(number): \(scan)")
                moved += scan.fetched
                stored += count
            }
        }
        // What joins find out is sent too, so that even less comes.
        #expect(moved < stored * 3 / 4, "\(moved) of \(stored) rows")
        await engine.shutdown()
    }

    /// Few rows come where the server can do the work: each query with the most that may come.
    @Test func fewRowsCome() async throws {
        let server = try PostgresServer()
        server.psql(
            """
            CREATE TABLE facts AS SELECT i AS id, i % 1000 AS k, (i % 100)::numeric(8,2) AS v, i * 37 % 100000 AS far
            FROM generate_series(1, 50000) i;
            CREATE TABLE few AS SELECT i * 7919 % 100000 AS far, i * 13 AS wide FROM generate_series(1, 3000) i;
            ANALYZE
            """)
        let engine = try await startEngine(server, values: ["split-size": "256kB"])
        _ = try await engine.query("CREATE TABLE plain AS SELECT * FROM pg.facts")
        _ = try await engine.query("CREATE TABLE plain_few AS SELECT * FROM pg.few")
        let cases: [(query: String, most: Int)] = [
            ("SELECT count(*) FROM pg.facts", 1),
            ("SELECT k, sum(v * (1 - v) + 2) FROM pg.facts WHERE k < 10 GROUP BY k ORDER BY k", 10),
            ("SELECT sum(v * id) FROM pg.facts", 1),
            ("SELECT id FROM pg.facts ORDER BY far DESC, id LIMIT 10", 10),
            ("SELECT count(*) FROM pg.facts WHERE k = 5", 1),
            ("SELECT min(length(k::text)) FROM pg.facts WHERE k IN (1, 2)", 100),
            // A list of keys, and a bitmap.
            ("SELECT count(*), sum(f.id) FROM pg.facts f JOIN pg.few w ON f.far = w.far WHERE w.wide < 500", 200),
            ("SELECT count(*), sum(f.id) FROM pg.facts f JOIN pg.few w ON f.far = w.far", 6_000),
            // Of the groups only those that the join asks for.
            (
                "SELECT count(*), sum(s) FROM (SELECT far, sum(v) AS s FROM pg.facts GROUP BY far) g "
                    + "JOIN pg.few w ON g.far = w.far WHERE w.wide < 500", 200
            ),
        ]
        for (query, most) in cases {
            let plain = query.replacing("pg.facts", with: "plain").replacing("pg.few", with: "plain_few")
            #expect(try await engine.query(query) == engine.query(plain), "\(query)")
            let plan = try await engine.query("EXPLAIN ANALYZE " + query).map { $0[0] ?? "" }
            let fetched = try scans(plan).reduce(0) { $0 + $1.fetched }
            #expect(fetched > 0 && fetched <= most, "\(query): \(fetched)\n\(plan.joined(separator: "\n"))")
        }
        await engine.shutdown()
    }
}
