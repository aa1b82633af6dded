// What goes wrong with a server: typed errors, recovery without help, and nothing for other catalogues to notice.

import Diagnostics
import EngineTestSupport
import Foundation
import PostgresStorage
import StoreServers
import Testing

@Suite(.enabled(if: PostgresServer.programs != nil, Comment(rawValue: PostgresServer.reason)), .serialized)
struct PostgresFaultTests {
    @Test func restartsAndRefusals() async throws {
        let server = try PostgresServer()
        server.psql("CREATE TABLE t AS SELECT i FROM generate_series(1, 100) i")
        let engine = try await startEngine(server)
        _ = try await engine.query("CREATE TABLE own AS SELECT 1 AS x")
        #expect(try await engine.query("SELECT count(*) FROM pg.t") == [["100"]])
        server.stop()
        let stopped = await state(engine, "SELECT count(*) FROM pg.t")
        #expect(stopped == "08001")
        #expect(try await engine.query("SELECT x FROM own") == [["1"]])
        #expect(try await engine.query("SELECT count(*) FROM tpch.tiny.nation") == [["25"]])
        #expect(try await engine.query("SELECT count(*) > 0 FROM pg_class") == [["t"]])
        try server.start()
        try await Task.sleep(for: .milliseconds(600))
        #expect(try await engine.query("SELECT count(*) FROM pg.t") == [["100"]])
        // Connections that died while nobody used them are not lent.
        server.stop(abruptly: true)
        try server.start()
        #expect(try await engine.query("SELECT count(*) FROM pg.t") == [["100"]])
        server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'martlet'")
        #expect(try await engine.query("SELECT count(*) FROM pg.t") == [["100"]])
        await engine.shutdown()
    }

    @Test func aServerThatDiesUnderAQuery() async throws {
        let server = try PostgresServer()
        server.psql("CREATE VIEW slow AS SELECT i, pg_sleep(0.05)::text AS s FROM generate_series(1, 1000) i")
        let engine = try await startEngine(server)
        async let outcome = state(engine, "SELECT count(s) FROM pg.slow")
        // Its rows are under way: the server copies them.
        let running = "SELECT count(*) > 0 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%COPY (%slow%'"
        for _ in 0..<600 where server.psql(running + " AND pid <> pg_backend_pid()") != "t" {
            try await Task.sleep(for: .milliseconds(50))
        }
        server.stop(abruptly: true)
        #expect(["08006", "57P01", "57P02", "08001"].contains(await outcome))
        try server.start()
        try await Task.sleep(for: .milliseconds(600))
        #expect(await state(engine, "SELECT count(*) FROM pg.slow LIMIT 0") == "none")
        await engine.shutdown()
    }

    @Test func timeLimitsAndCancellation() async throws {
        let server = try PostgresServer()
        server.psql("CREATE VIEW slow AS SELECT i, pg_sleep(0.05)::text AS s FROM generate_series(1, 1000) i")
        let limited = try await startEngine(server, values: ["statement-timeout": "300ms"])
        let ended = await state(limited, "SELECT count(s) FROM pg.slow")
        #expect(ended == "57014")
        await limited.shutdown()
        let engine = try await startEngine(server)
        #expect(await state(engine, "SET statement_timeout = '500ms'; SELECT count(s) FROM pg.slow") == "57014")
        // The server was told, too.
        let deadline = Date().addingTimeInterval(5)
        let running =
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%slow%' AND pid <> pg_backend_pid()"
        while server.psql(running) != "0", Date() < deadline { usleep(50_000) }
        #expect(server.psql(running) == "0")
        await engine.shutdown()
    }

    @Test func exhaustion() async throws {
        let server = try PostgresServer()
        server.psql("CREATE VIEW slow AS SELECT i, pg_sleep(0.01)::text AS s FROM generate_series(1, 200) i")
        server.psql("CREATE TABLE t AS SELECT 1 AS x")
        let engine = try await startEngine(server, values: ["pool-maximum": "2", "pool-wait-timeout": "400ms"])
        async let first = state(engine, "SELECT count(s) FROM pg.slow")
        try await Task.sleep(for: .milliseconds(700))
        #expect(await state(engine, "SELECT x FROM pg.t") == "53300")
        #expect(await first == "none")
        #expect(try await engine.query("SELECT x FROM pg.t") == [["1"]])
        await engine.shutdown()
        // The server has no place for a connection.
        server.stop()
        try server.start(["max_connections=1", "superuser_reserved_connections=0", "max_wal_senders=0"])
        let refused = try await startEngine(server)
        #expect(await state(refused, "SELECT x FROM pg.t") == "53300")
        await refused.shutdown()
    }

    @Test func concurrentChangesAreErrorsOrRepeated() async throws {
        let server = try PostgresServer()
        server.psql("CREATE TABLE counters (id int PRIMARY KEY, n int); INSERT INTO counters VALUES (1, 0)")
        let engine = try await startEngine(server)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<5 { _ = try await engine.query("UPDATE pg.counters SET n = n + 1 WHERE id = 1") }
                }
            }
            group.addTask {
                for _ in 0..<10 { server.psql("UPDATE counters SET n = n + 1 WHERE id = 1") }
            }
            try await group.waitForAll()
        }
        #expect(server.psql("SELECT n FROM counters") == "30")
        await engine.shutdown()
    }
}
