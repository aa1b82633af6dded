// Queries that need more memory than there is, alone and side by side: right rows or a typed error, and never a hang. The
// limit of the worker is kept at every instant, and nothing stays reserved.

import Diagnostics
import EngineTestSupport
import Foundation
import TestSupport
import Testing

@Suite("Memory pressure", .serialized)
struct MemoryPressureTests {
    private static let planCount =
        ProcessInfo.processInfo.environment["MARTLET_TEST_PLANS"].flatMap { Int($0) } ?? 30

    /// Joins, groups, windows and sorts over the orders of the smallest scale, some 1.5 MB, put together at random.
    private struct PlanGenerator {
        var random: SeededGenerator
        private let keys = ["o_custkey", "o_orderstatus", "o_orderdate", "o_clerk", "o_orderkey % 97", "o_comment"]

        init(seed: UInt64) { random = SeededGenerator(seed: seed) }

        private mutating func key() -> String { keys[Int.random(in: keys.indices, using: &random)] }

        mutating func query() -> String {
            var source = "tpch.tiny.orders"
            if Bool.random(using: &random) {
                let other = Bool.random(using: &random) ? "o_orderkey" : "o_custkey"
                let kind = ["JOIN", "LEFT JOIN", "FULL JOIN"][Int.random(in: 0...2, using: &random)]
                source = """
                    (SELECT a.*, b.o_comment AS other FROM tpch.tiny.orders a \(kind)
                    (SELECT * FROM tpch.tiny.orders WHERE o_orderkey % 3 <> 1) b ON a.o_orderkey = b.\(other))
                    """
            }
            switch Int.random(in: 0...3, using: &random) {
            case 0: return "SELECT * FROM \(source) s ORDER BY \(key()), o_orderkey"
            case 1:
                return
                    "SELECT \(key()), \(key()), count(*), sum(o_totalprice), min(o_comment) FROM \(source) s GROUP BY 1, 2"
            case 2:
                return """
                    SELECT o_orderkey, sum(o_totalprice) OVER (PARTITION BY \(key()) ORDER BY o_orderkey), o_comment
                    FROM \(source) s
                    """
            default:
                return """
                    SELECT c, count(*), max(n) FROM (
                        SELECT o_custkey AS c, \(key()) AS k, count(*) AS n FROM \(source) s GROUP BY 1, 2) t
                    GROUP BY c ORDER BY 2 DESC, 1
                    """
            }
        }
    }

    private static func sorted(_ rows: [[String?]]) -> [String] {
        rows.map { $0.map { $0 ?? "NULL" }.joined(separator: "\t") }.sorted()
    }

    private static func engine(_ memoryByteLimit: Int, threads: Int = 2) async throws -> TestEngine {
        try await TestEngine.start(
            threads: threads, memoryByteLimit: memoryByteLimit, spillDirectory: NSTemporaryDirectory())
    }

    @Test("random plans with an eighth of the memory that they would like give right rows or error 53200")
    func randomPlans() async throws {
        let large = try await TestEngine.start()
        let small = try await Self.engine(1 << 20)
        var generator = PlanGenerator(seed: 20)
        var finished = 0
        for number in 0..<Self.planCount {
            let sql = generator.query()
            do {
                let rows = try await small.query(sql)
                finished += 1
                let expected = try await large.query(sql)
                #expect(Self.sorted(rows) == Self.sorted(expected), "plan \(number): \(sql)")
            } catch let error as QueryError {
                #expect(error.state == .outOfMemory, "plan \(number): \(error) in \(sql)")
            }
            #expect(small.reservedByteCount == 0, "plan \(number) left memory behind")
        }
        print("\(finished) of \(Self.planCount) plans finished")
        #expect(finished > Self.planCount / 4)
        #expect(small.peakByteCount > 0 && small.peakByteCount <= 1 << 20)
        await small.shutdown()
        await large.shutdown()
    }

    @Test("queries side by side, some of them cancelled: right rows, 53200 or 57014, and the limit holds")
    func concurrentMix() async throws {
        let queries = [
            "SELECT o_orderkey, o_comment FROM tpch.tiny.orders ORDER BY o_comment, o_orderkey",
            "SELECT o_clerk, count(*), min(o_comment) FROM tpch.tiny.orders GROUP BY 1",
            "SELECT count(*) FROM tpch.tiny.orders WHERE o_orderstatus = 'F'",
            """
            SELECT a.o_orderkey, b.o_comment FROM tpch.tiny.orders a JOIN tpch.tiny.orders b ON a.o_orderkey = b.o_custkey
            """,
            "SELECT o_comment, count(*) FROM tpch.tiny.orders GROUP BY 1",
            "SELECT o_custkey, row_number() OVER (PARTITION BY o_custkey ORDER BY o_orderkey) FROM tpch.tiny.orders",
        ]
        let oracle = try await TestEngine.start()
        var answers: [[String]] = []
        for sql in queries { answers.append(Self.sorted(try await oracle.query(sql))) }
        await oracle.shutdown()
        let expected = answers
        let limit = 3 << 20
        let engine = try await Self.engine(limit)
        let outcomes = try await withThrowingTaskGroup(of: [String: Int].self) { group in
            for client in 0..<6 {
                group.addTask {
                    var random = SeededGenerator(seed: UInt64(client) + 100)
                    var outcomes: [String: Int] = [:]
                    for _ in 0..<6 {
                        let index = Int.random(in: queries.indices, using: &random)
                        let isCut = Int.random(in: 0...3, using: &random) == 0
                        let timeout = isCut ? Int.random(in: 1...200, using: &random) : 0
                        do {
                            let rows = try await engine.query("SET statement_timeout = \(timeout); \(queries[index])")
                            #expect(Self.sorted(rows) == expected[index], "\(queries[index])")
                            outcomes["rows", default: 0] += 1
                        } catch let error as QueryError {
                            #expect(
                                error.state == .outOfMemory || (isCut && error.state == .queryCanceled),
                                "\(error) in \(queries[index])")
                            outcomes[error.state.code, default: 0] += 1
                        }
                    }
                    return outcomes
                }
            }
            return try await group.reduce(into: [:]) { $0.merge($1) { $0 + $1 } }
        }
        print("outcomes: \(outcomes.sorted { $0.key < $1.key })")
        #expect(outcomes.values.reduce(0, +) == 36)
        #expect(outcomes["rows", default: 0] > 12)
        #expect(engine.peakByteCount <= limit)
        #expect(engine.reservedByteCount == 0)
        await engine.shutdown()
    }

    @Test("one key has nine rows of ten: groups, joins and windows by it give right rows with little memory")
    func skewedKey() async throws {
        let skewed =
            "(SELECT CASE WHEN o_orderkey % 10 < 9 THEN 1 ELSE o_custkey END AS k, o_comment FROM tpch.tiny.orders)"
        let queries = [
            "SELECT k, count(*), min(o_comment) FROM \(skewed) s GROUP BY 1",
            "SELECT k, o_comment, count(*) FROM \(skewed) s GROUP BY 1, 2",
            "SELECT count(*), min(o_comment) FROM \(skewed) s JOIN (SELECT DISTINCT k FROM \(skewed) d) t USING (k)",
        ]
        let large = try await TestEngine.start()
        let small = try await Self.engine(2 << 20)
        for sql in queries {
            #expect(Self.sorted(try await small.query(sql)) == Self.sorted(try await large.query(sql)), "\(sql)")
        }
        #expect(small.peakByteCount <= 2 << 20)
        await small.shutdown()
        await large.shutdown()
    }

    @Test("two parts of a query read one producer, one of them only after the other: no deadlock with little memory")
    func sharedProducer() async throws {
        let sql = """
            WITH x AS MATERIALIZED (SELECT o_orderkey, o_custkey, o_comment FROM tpch.tiny.orders)
            SELECT count(*), min(a.o_comment) FROM x a JOIN x b ON a.o_orderkey = b.o_custkey
            """
        let large = try await TestEngine.start()
        let expected = try await large.query(sql)
        await large.shutdown()
        let small = try await TestEngine.start(
            workers: 3, memoryByteLimit: 2 << 20, spillDirectory: NSTemporaryDirectory())
        #expect(try await small.query(sql) == expected)
        #expect(small.peakByteCount <= 2 << 20)
        await small.shutdown()
    }
}
