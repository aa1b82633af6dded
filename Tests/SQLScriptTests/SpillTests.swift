// Queries with less memory than they would like: the same rows, by way of the disk.

import Diagnostics
import EngineTestSupport
import Foundation
import Testing

@Suite("Spilling")
struct SpillTests {
    private static let memoryByteLimit = 5 << 20

    /// Over 60,175 order lines, some 9 MB.
    private static let queries = [
        // Sorts: wide rows, ties, nulls, limits beyond what is kept in memory, ties at a limit.
        "SELECT * FROM tpch.tiny.lineitem ORDER BY l_comment, l_orderkey, l_linenumber",
        "SELECT l_orderkey, l_comment FROM tpch.tiny.lineitem ORDER BY l_shipdate DESC, l_orderkey, l_linenumber OFFSET 100",
        """
        SELECT l_orderkey, l_linenumber, l_comment FROM tpch.tiny.lineitem
        ORDER BY nullif(l_quantity, 10) DESC NULLS LAST, l_orderkey, l_linenumber LIMIT 50000 OFFSET 7000
        """,
        """
        SELECT l_quantity, l_comment FROM
          (SELECT l_quantity, min(l_comment) AS l_comment FROM tpch.tiny.lineitem GROUP BY l_orderkey, l_quantity) AS t
        ORDER BY l_quantity FETCH FIRST 20000 ROWS WITH TIES
        """,
        // Groups: many, with text keys, with states that own memory, grouping sets.
        "SELECT l_comment, count(*), sum(l_quantity), avg(l_discount) FROM tpch.tiny.lineitem GROUP BY l_comment",
        "SELECT l_orderkey, l_linenumber, max(l_comment), min(l_shipdate) FROM tpch.tiny.lineitem GROUP BY 1, 2",
        "SELECT DISTINCT l_partkey, l_suppkey, l_comment FROM tpch.tiny.lineitem",
        """
        SELECT l_orderkey, l_comment, count(*), sum(l_tax) FROM tpch.tiny.lineitem
        GROUP BY GROUPING SETS ((l_orderkey), (l_comment), ())
        """,
    ]

    /// Joins whose build side is about as large: every kind, keys of one and of several columns, text, NULL on both sides, a
    /// residual condition, and a key that most rows share.
    private static let joins = [
        """
        SELECT a.l_comment, b.* FROM tpch.tiny.lineitem AS a
        JOIN tpch.tiny.lineitem AS b ON a.l_orderkey = b.l_orderkey AND a.l_linenumber = b.l_linenumber
        """,
        """
        SELECT a.l_orderkey, a.l_linenumber, b.* FROM tpch.tiny.lineitem AS a
        LEFT JOIN (SELECT * FROM tpch.tiny.lineitem WHERE l_tax > 0.02) AS b
          ON a.l_comment = b.l_comment AND a.l_shipdate <= b.l_shipdate
        """,
        """
        SELECT a.l_linenumber, b.*
        FROM tpch.tiny.lineitem AS a
        RIGHT JOIN (SELECT * FROM tpch.tiny.lineitem WHERE l_tax > 0.01) AS b
          ON nullif(a.l_partkey, 7) = nullif(b.l_partkey, 5) AND a.l_suppkey = b.l_suppkey
        """,
        """
        SELECT a.*, b.l_orderkey, b.l_linenumber, b.l_comment
        FROM (SELECT * FROM tpch.tiny.lineitem WHERE l_quantity < 30) AS a
        FULL JOIN (SELECT * FROM tpch.tiny.lineitem WHERE l_quantity > 20) AS b
          ON a.l_comment = b.l_comment AND a.l_orderkey = b.l_orderkey
        """,
        """
        SELECT l_orderkey, l_comment FROM tpch.tiny.lineitem AS a WHERE EXISTS (
          SELECT FROM tpch.tiny.lineitem AS b
          WHERE b.l_comment = a.l_comment AND b.l_orderkey <> a.l_orderkey AND b.l_shipmode <> a.l_shipmode)
        """,
        """
        SELECT l_orderkey, l_comment FROM tpch.tiny.lineitem AS a WHERE NOT EXISTS (
          SELECT FROM tpch.tiny.lineitem AS b WHERE b.l_comment = a.l_comment AND b.l_orderkey <> a.l_orderkey)
        """,
        """
        SELECT l_orderkey, l_comment FROM tpch.tiny.lineitem WHERE l_comment NOT IN
          (SELECT l_comment || repeat('.', 30) FROM tpch.tiny.lineitem WHERE l_comment IS NOT NULL)
        """,
        """
        SELECT l_orderkey, l_linenumber, l_comment || 'x' IN (SELECT nullif(l_comment, '') || 'x'
          FROM tpch.tiny.lineitem WHERE l_quantity < 40) FROM tpch.tiny.lineitem
        """,
        """
        SELECT l_orderkey, l_linenumber, l_comment IN (SELECT CASE WHEN l_quantity < 40 THEN l_comment END
          FROM tpch.tiny.lineitem) FROM tpch.tiny.lineitem
        """,
        """
        SELECT l_orderkey, l_linenumber, CASE WHEN l_tax > 0 THEN l_comment END IN (
          SELECT CASE WHEN l_quantity < 40 THEN l_comment END FROM tpch.tiny.lineitem AS b
          WHERE b.l_suppkey = a.l_suppkey) FROM tpch.tiny.lineitem AS a
        """,
        """
        SELECT a.l_orderkey, a.l_linenumber, (SELECT b.l_comment FROM tpch.tiny.lineitem AS b
          WHERE b.l_orderkey = a.l_orderkey AND b.l_linenumber = a.l_linenumber + 1) FROM tpch.tiny.lineitem AS a
        """,
        """
        SELECT a.l_orderkey, a.l_linenumber, b.l_comment
        FROM (SELECT * FROM tpch.tiny.lineitem WHERE l_orderkey >= 10000 OR l_orderkey < 3) AS a
        LEFT JOIN tpch.tiny.lineitem AS b ON greatest(a.l_orderkey, 10000) = greatest(b.l_orderkey, 10000)
        """,
    ]

    /// Windows with many partitions, few large ones, text keys and running frames.
    private static let windows = [
        """
        SELECT l_orderkey, l_linenumber, l_comment, sum(l_quantity) OVER (PARTITION BY l_orderkey ORDER BY l_linenumber),
          rank() OVER (PARTITION BY l_suppkey ORDER BY l_extendedprice DESC, l_orderkey, l_linenumber)
        FROM tpch.tiny.lineitem
        """,
        """
        SELECT l_orderkey, l_linenumber, lag(l_comment) OVER (PARTITION BY l_comment ORDER BY l_orderkey, l_linenumber),
          count(*) OVER (PARTITION BY l_comment) FROM tpch.tiny.lineitem
        """,
        """
        SELECT l_orderkey, l_linenumber, l_comment, first_value(l_comment) OVER w, sum(l_tax) OVER w
        FROM tpch.tiny.lineitem WINDOW w AS (PARTITION BY nullif(l_partkey % 50, 7) ORDER BY l_orderkey, l_linenumber
          ROWS BETWEEN 3 PRECEDING AND 2 FOLLOWING)
        """,
    ]

    private static func directory() throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("spill-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    @Test("sorts and groups: the same rows with a fraction of the memory", arguments: [1, 3])
    func sortsAndGroups(workers: Int) async throws {
        try await compare(Self.queries, workers: workers, memoryByteLimit: Self.memoryByteLimit) { query in
            // Rows that tie in all keys may come in any order.
            query.contains("ORDER BY") && !query.contains("WITH TIES")
        }
    }

    @Test("joins: the same rows with a fraction of the memory", arguments: [1, 3])
    func joins(workers: Int) async throws {
        try await compare(Self.joins, workers: workers, memoryByteLimit: Self.memoryByteLimit)
    }

    @Test("windows: the same rows with a fraction of the memory", arguments: [1, 3])
    func windows(workers: Int) async throws {
        try await compare(Self.windows, workers: workers, memoryByteLimit: 4 << 20)
    }

    private func compare(
        _ queries: [String], workers: Int, memoryByteLimit: Int, isOrdered: (String) -> Bool = { _ in false }
    ) async throws {
        let directory = try Self.directory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let roomy = try await TestEngine.start(workers: 1)
        let tight = try await TestEngine.start(
            workers: workers, memoryByteLimit: memoryByteLimit, spillDirectory: directory)
        for query in queries {
            func rows(_ engine: TestEngine) async throws -> [String] {
                let rows = try await engine.query(query).map { $0.map { $0 ?? "NULL" }.joined(separator: "|") }
                return isOrdered(query) ? rows : rows.sorted()
            }
            do {
                let expected = try await rows(roomy)
                let actual = try await rows(tight)
                #expect(expected.count > 1_000, "\(query)")
                // A difference of arrays of this size takes minutes to describe.
                let difference = zip(expected, actual).first { $0 != $1 }
                #expect(expected.count == actual.count, "\(query)")
                #expect(difference == nil, "\(query)")
                // How far threads are when memory runs short differs from run to run.
                var hasSpilled = false
                for _ in 0..<5 where !hasSpilled {
                    let profile = try await tight.query("EXPLAIN ANALYZE " + query)
                    hasSpilled = profile.contains { $0[0]?.contains("spilled=") == true }
                }
                #expect(hasSpilled, "nothing was spilled: \(query)")
            } catch {
                Issue.record(error, "\(query)")
            }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
        await roomy.shutdown()
        await tight.shutdown()
    }

    @Test("without a place to spill to it is error 53200; the engine goes on")
    func nowhere() async throws {
        let engine = try await TestEngine.start(memoryByteLimit: Self.memoryByteLimit)
        for query in [Self.queries[0], Self.queries[4]] {
            await #expect { _ = try await engine.query(query) } throws: { ($0 as? QueryError)?.state == .outOfMemory }
        }
        #expect(try await engine.query("SELECT count(*) FROM tpch.tiny.lineitem") == [["60175"]])
        await engine.shutdown()
    }

    @Test("a join that one key fills, and a window of one partition, are error 53200; nothing is left")
    func indivisible() async throws {
        let directory = try Self.directory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let engine = try await TestEngine.start(memoryByteLimit: Self.memoryByteLimit, spillDirectory: directory)
        let queries = [
            """
            SELECT a.*, b.* FROM tpch.tiny.lineitem AS a
            FULL JOIN tpch.tiny.lineitem AS b ON a.l_orderkey * 0 = b.l_orderkey * 0
            """,
            "SELECT *, lag(l_comment) OVER (ORDER BY l_orderkey, l_linenumber) FROM tpch.tiny.lineitem",
        ]
        for query in queries {
            await #expect { _ = try await engine.query(query) } throws: {
                ($0 as? QueryError)?.state == .outOfMemory
            }
        }
        #expect(try await engine.query("SELECT count(*) FROM tpch.tiny.lineitem") == [["60175"]])
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
        await engine.shutdown()
    }

    @Test("a place that is not there is a typed error")
    func missingDirectory() async throws {
        let engine = try await TestEngine.start(
            memoryByteLimit: Self.memoryByteLimit, spillDirectory: "/nonexistent/directory")
        await #expect { _ = try await engine.query(Self.queries[0]) } throws: {
            ($0 as? QueryError)?.state == .ioError
        }
        await engine.shutdown()
    }
}
