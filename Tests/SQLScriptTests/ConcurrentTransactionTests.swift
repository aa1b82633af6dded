// Transactions of several sessions side by side: which rows they see, for what they wait, and what becomes of conflicts.

import Diagnostics
import EngineTestSupport
import Testing

@Suite struct ConcurrentTransactionTests {
    private static func withSessions(
        _ body: (any ScriptConnection, any ScriptConnection) async throws -> Void
    ) async throws {
        let engine = try await TestEngine.start()
        do {
            try await body(engine.makeConnection(), engine.makeConnection())
        } catch {
            await engine.shutdown()
            throw error
        }
        await engine.shutdown()
    }

    private static func state(_ body: () async throws -> Void) async -> SQLState? {
        do {
            try await body()
            return nil
        } catch { return (error as? QueryError)?.state }
    }

    @Test func insertsOfTwoTransactionsMeet() async throws {
        try await Self.withSessions { first, second in
            _ = try await first.run("CREATE TABLE t (i int)")
            _ = try await first.run("BEGIN; INSERT INTO t VALUES (1)")
            _ = try await second.run("BEGIN; INSERT INTO t VALUES (2)")
            #expect(try await second.run("SELECT sum(i) FROM t") == [["2"]])
            _ = try await first.run("COMMIT")
            #expect(try await second.run("SELECT sum(i) FROM t") == [["3"]])
            _ = try await second.run("INSERT INTO t VALUES (4)")
            #expect(try await first.run("SELECT sum(i) FROM t") == [["1"]])
            _ = try await second.run("COMMIT")
            #expect(try await first.run("SELECT sum(i) FROM t") == [["7"]])
        }
    }

    @Test func differentRowsChangeSideBySide() async throws {
        try await Self.withSessions { first, second in
            _ = try await first.run("CREATE TABLE t (i int, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
            _ = try await first.run("BEGIN; UPDATE t SET v = v || '1' WHERE i = 1")
            _ = try await second.run("BEGIN; UPDATE t SET v = v || '2' WHERE i = 2; DELETE FROM t WHERE i = 3")
            _ = try await first.run("UPDATE t SET v = v || '!' WHERE i = 1; COMMIT")
            #expect(try await second.run("SELECT v FROM t ORDER BY i") == [["a1!"], ["b2"]])
            _ = try await second.run("ROLLBACK")
            #expect(try await second.run("SELECT v FROM t ORDER BY i") == [["a1!"], ["b"], ["c"]])
        }
    }

    @Test func sameRowWaitsAndSeesWhatWasCommitted() async throws {
        try await Self.withSessions { first, second in
            _ = try await first.run("CREATE TABLE t (i int, n int); INSERT INTO t VALUES (1, 10)")
            _ = try await first.run("BEGIN; UPDATE t SET n = n + 1 WHERE i = 1")
            async let waiting = second.run("UPDATE t SET n = n * 2 WHERE n >= 10 RETURNING n")
            _ = try await first.run("COMMIT")
            #expect(try await waiting == [["22"]])
            _ = try await first.run("BEGIN; UPDATE t SET n = 7 WHERE i = 1")
            async let rolledBack = second.run("UPDATE t SET n = n + 100 WHERE i = 1")
            _ = try await first.run("ROLLBACK")
            _ = try await rolledBack
            #expect(try await first.run("SELECT n > 100 FROM t") == [["t"]])
        }
    }

    @Test func repeatableReadRefusesRowsThatOthersChanged() async throws {
        try await Self.withSessions { first, second in
            _ = try await first.run("CREATE TABLE t (i int, n int); INSERT INTO t VALUES (1, 0), (2, 0)")
            _ = try await first.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM t")
            _ = try await second.run("UPDATE t SET n = 5 WHERE i = 1")
            #expect(try await first.run("UPDATE t SET n = 6 WHERE i = 2 RETURNING n") == [["6"]])
            #expect(try await first.run("SELECT n FROM t ORDER BY i") == [["0"], ["6"]])
            #expect(await Self.state { _ = try await first.run("UPDATE t SET n = 6 WHERE i = 1") } == SQLState("40001"))
            _ = try await first.run("ROLLBACK")
            #expect(try await first.run("SELECT n FROM t ORDER BY i") == [["5"], ["0"]])
        }
    }

    @Test func circlesEnd() async throws {
        try await Self.withSessions { first, second in
            _ = try await first.run("CREATE TABLE t (i int, n int); INSERT INTO t VALUES (1, 0), (2, 0)")
            _ = try await first.run("BEGIN; UPDATE t SET n = 1 WHERE i = 1")
            _ = try await second.run("BEGIN; UPDATE t SET n = 2 WHERE i = 2")
            async let one = Self.state { _ = try await first.run("UPDATE t SET n = 1 WHERE i = 2; COMMIT") }
            async let two = Self.state { _ = try await second.run("UPDATE t SET n = 2 WHERE i = 1; COMMIT") }
            let states = await [one, two]
            #expect(states.contains(SQLState("40P01")))
            #expect(states.contains(nil))
            _ = try await first.run("ROLLBACK")
            _ = try await second.run("ROLLBACK")
        }
    }

    @Test func waitsEndAtTheirLimits() async throws {
        try await Self.withSessions { first, second in
            _ = try await first.run("CREATE TABLE t (i int); INSERT INTO t VALUES (1)")
            _ = try await first.run("BEGIN; UPDATE t SET i = 2")
            _ = try await second.run("SET lock_timeout = '20ms'")
            #expect(await Self.state { _ = try await second.run("DELETE FROM t") } == SQLState("55P03"))
            _ = try await second.run("SET lock_timeout = 0; SET statement_timeout = '20ms'")
            #expect(await Self.state { _ = try await second.run("DROP TABLE t") } == SQLState("57014"))
            _ = try await first.run("COMMIT")
            _ = try await second.run("SET statement_timeout = 0; DROP TABLE t")
        }
    }

    @Test func definitionsWaitForWriters() async throws {
        try await Self.withSessions { first, second in
            _ = try await first.run("CREATE TABLE t (i int); INSERT INTO t VALUES (1)")
            _ = try await first.run("BEGIN; INSERT INTO t VALUES (2)")
            async let altered = second.run("ALTER TABLE t ADD COLUMN j int DEFAULT 7; SELECT count(*), sum(j) FROM t")
            _ = try await first.run("INSERT INTO t VALUES (3); COMMIT")
            #expect(try await altered == [["3", "21"]])
        }
    }

    @Test func keysOfTwoTransactionsMeet() async throws {
        try await Self.withSessions { first, second in
            _ = try await first.run("CREATE TABLE t (i int PRIMARY KEY)")
            _ = try await first.run("BEGIN; INSERT INTO t VALUES (1)")
            async let duplicate = Self.state { _ = try await second.run("INSERT INTO t VALUES (1)") }
            _ = try await first.run("COMMIT")
            #expect(await duplicate == SQLState("23505"))
        }
    }

    @Test func savepointsTakeBackRows() async throws {
        try await Self.withSessions { first, second in
            _ = try await first.run("CREATE TABLE t (i int); INSERT INTO t VALUES (1), (2), (3)")
            _ = try await first.run("BEGIN; DELETE FROM t WHERE i = 1; SAVEPOINT s; DELETE FROM t WHERE i = 2")
            _ = try await second.run("INSERT INTO t VALUES (4)")
            #expect(try await first.run("SELECT array_agg(i ORDER BY i) FROM t") == [["{3,4}"]])
            _ = try await first.run("ROLLBACK TO s; UPDATE t SET i = i * 10 WHERE i > 3; COMMIT")
            #expect(try await second.run("SELECT array_agg(i ORDER BY i) FROM t") == [["{2,3,40}"]])
        }
    }

    @Test func manyWritersLoseNothing() async throws {
        let engine = try await TestEngine.start()
        _ = try await engine.query(
            "CREATE TABLE t (w int, n int); INSERT INTO t SELECT w, 0 FROM generate_series(0, 3) w")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    let session = engine.makeConnection()
                    for round in 0..<8 {
                        _ = try await session.run("UPDATE t SET n = n + 1 WHERE w = \((writer + round) % 4)")
                        _ = try await session.run("INSERT INTO t VALUES (\(writer + 10), \(round))")
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await engine.query("SELECT sum(n) FROM t WHERE w < 4") == [["32"]])
        #expect(try await engine.query("SELECT count(*) FROM t WHERE w >= 10") == [["32"]])
        await engine.shutdown()
    }
}
