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

    private static func directory() throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("spill-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    @Test("the same rows with a fraction of the memory", arguments: [1, 3])
    func sameRows(workers: Int) async throws {
        let directory = try Self.directory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let roomy = try await TestEngine.start(workers: 1)
        let tight = try await TestEngine.start(
            workers: workers, memoryByteLimit: Self.memoryByteLimit, spillDirectory: directory)
        for query in Self.queries {
            func rows(_ engine: TestEngine) async throws -> [[String?]] {
                let rows = try await engine.query(query)
                // Rows that tie in all keys may come in any order.
                return query.contains("WITH TIES") || !query.contains("ORDER BY")
                    ? rows.sorted { "\($0)" < "\($1)" } : rows
            }
            let expected = try await rows(roomy)
            let actual = try await rows(tight)
            #expect(expected.count > 10_000, "\(query)")
            #expect(expected == actual, "\(query)")
            let profile = try await tight.query("EXPLAIN ANALYZE " + query)
            #expect(profile.contains { $0[0]?.contains("spilled=") == true }, "nothing was spilled: \(query)")
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
