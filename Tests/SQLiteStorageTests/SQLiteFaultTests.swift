// Files that are locked, damaged, taken away or changed while they are read.

import Diagnostics
import EngineTestSupport
import Foundation
import SQLiteStorage
import StateStore
import StateStoreConformance
import StoreServers
import Testing

@Suite(.serialized) struct SQLiteFaultTests {
    private static let numbers = """
        PRAGMA journal_mode = wal; CREATE TABLE s (i INTEGER PRIMARY KEY, x INT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO s SELECT i, i FROM n
        """

    /// Several connections read one state, whatever others commit between their beginnings.
    @Test(arguments: ["wal", "delete"]) func statementsReadOneState(journal: String) async throws {
        let file = try DatabaseFile(Self.numbers)
        try file.run("PRAGMA journal_mode = \(journal)")
        let engine = try await file.engine(["split-rows": "1000", "readers": "6"])
        let stop = Date().addingTimeInterval(2)
        async let changing: Int = Task.detached {
            var count = 0
            let outsider = try? Outsider(file.path)
            // On a busy machine the first change may come late.
            repeat {
                // Rows move from the first split to the last and back: their number and sum stay.
                try? outsider?.run(
                    "BEGIN IMMEDIATE; UPDATE s SET x = x + 1 WHERE i < 1000; UPDATE s SET x = x - 1 WHERE i > 19001; COMMIT"
                )
                count += 1
                if journal == "delete" { usleep(20_000) }
            } while Date() < stop
            return count
        }.value
        var queries = 0
        while Date() < stop || queries < 3 {
            #expect(
                try await engine.query("SELECT count(*), sum(abs(x)) FROM lite.s WHERE length(x::text) > 0").count == 1)
            #expect(
                try await engine.query(
                    "SELECT sum(a.x) - sum(b.x) FROM lite.s a JOIN lite.s b ON a.i = b.i") == [["0"]])
            #expect(try await engine.query("SELECT sum(x + 0) FROM lite.s") == [["200010000"]])
            queries += 1
        }
        #expect(await changing > 0 && queries > 0)
        await engine.shutdown()
    }

    @Test func writersAtTheSameTimeLoseNothing() async throws {
        let file = try DatabaseFile(
            "PRAGMA journal_mode = wal; CREATE TABLE c (id INTEGER PRIMARY KEY, n INT); INSERT INTO c VALUES (1, 0)")
        let engine = try await file.engine(["busy-timeout": "20s"])
        let outsider = Task.detached {
            let connection = try Outsider(file.path)
            for _ in 0..<50 { try connection.run("UPDATE c SET n = n + 1") }
        }
        var failed = 0
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var failed = 0
                    for _ in 0..<10 {
                        let found = await state(engine, "UPDATE lite.c SET n = n + 1 WHERE id = 1")
                        // What could not be made serial is said so, and not half done.
                        if found == "40001" || found == "55P03" { failed += 1 } else { #expect(found == "none") }
                    }
                    return failed
                }
            }
            for try await count in group { failed += count }
        }
        try await outsider.value
        #expect(try file.run("SELECT n FROM c") == [["\(90 - failed)"]])
        await engine.shutdown()
    }

    @Test func lockedFiles() async throws {
        let file = try DatabaseFile("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)")
        let engine = try await file.engine(["busy-timeout": "200ms"])
        #expect(try await engine.query("SELECT a FROM lite.t") == [["1"]])
        let outsider = try Outsider(file.path)
        try outsider.run("BEGIN EXCLUSIVE")
        #expect(await state(engine, "SELECT a FROM lite.t") == "55P03")
        #expect(await state(engine, "INSERT INTO lite.t VALUES (2)") == "55P03")
        try outsider.run("COMMIT")
        #expect(await state(engine, "INSERT INTO lite.t VALUES (2)") == "none")
        try outsider.run("PRAGMA journal_mode = wal; BEGIN IMMEDIATE")
        #expect(try await engine.query("SELECT count(*) FROM lite.t") == [["2"]])
        #expect(await state(engine, "DELETE FROM lite.t") == "55P03")
        try outsider.run("COMMIT")
        #expect(await state(engine, "DELETE FROM lite.t") == "none")
        await engine.shutdown()
    }

    @Test func filesThatAreNone() async throws {
        let file = try DatabaseFile()
        let engine = try await file.engine()
        #expect(await state(engine, "SELECT * FROM lite.t") == "58P01")
        try Data("this is no database, but a text of some length that goes on".utf8).write(
            to: URL(fileURLWithPath: file.path))
        #expect(await state(engine, "SELECT * FROM lite.t") == "XX001")
        try FileManager.default.removeItem(atPath: file.path)
        try FileManager.default.createDirectory(atPath: file.path, withIntermediateDirectories: true)
        #expect(["58P01", "58030"].contains(await state(engine, "SELECT * FROM lite.t")))
        // Other catalogues go on.
        #expect(try await engine.query("SELECT 1") == [["1"]])
        await engine.shutdown()
    }

    @Test func filesThatGoAndCome() async throws {
        let file = try DatabaseFile("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)")
        let engine = try await file.engine()
        #expect(try await engine.query("SELECT a FROM lite.t") == [["1"]])
        try FileManager.default.removeItem(atPath: file.path)
        #expect(await state(engine, "SELECT a FROM lite.t") == "58P01")
        try file.run("CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('other')")
        #expect(try await engine.query("SELECT a FROM lite.t") == [["other"]])
        await engine.shutdown()
    }

    /// Every cut of the file: the rows that were there, or an error.
    @Test func filesThatAreCut() async throws {
        let file = try DatabaseFile(Self.numbers)
        try file.run("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = delete")
        let whole = try Data(contentsOf: URL(fileURLWithPath: file.path))
        var errors = 0
        for share in [
            1, 100, 512, 4095, 4096, 8192, whole.count / 3, whole.count / 2, whole.count - 4096, whole.count - 1,
        ] {
            let cut = try DatabaseFile()
            try whole.prefix(share).write(to: URL(fileURLWithPath: cut.path))
            let engine = try await cut.engine(["split-rows": "1000"])
            let found = await failure(engine, "SELECT sum(i + 0), count(x) FROM lite.s")
            if let found {
                errors += 1
                #expect(["XX001", "58030", "42P01", "40001"].contains(found.state.code), "\(share): \(found)")
            }
            await engine.shutdown()
        }
        #expect(errors >= 9)
        for offset in stride(from: 4096, to: whole.count, by: whole.count / 40) {
            var damaged = whole
            for place in offset..<min(whole.count, offset + 64) { damaged[place] = 0xA5 }
            let other = try DatabaseFile()
            try damaged.write(to: URL(fileURLWithPath: other.path))
            let engine = try await other.engine(["split-rows": "1000"])
            // The file has no checksums: values may be others, but nothing breaks.
            if let found = await failure(engine, "SELECT sum(i + 0), count(x) FROM lite.s") {
                #expect(found.state.code != "XX000", "\(offset): \(found)")
            }
            await engine.shutdown()
        }
    }

    @Test func readOnly() async throws {
        let file = try DatabaseFile("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)")
        let engine = try await file.engine(["read-only": "true"])
        #expect(try await engine.query("SELECT a FROM lite.t") == [["1"]])
        for sql in [
            "INSERT INTO lite.t VALUES (2)", "DELETE FROM lite.t", "UPDATE lite.t SET a = 2",
            "DROP TABLE lite.public.t",
            "CREATE TABLE lite.public.u (a int)", "CREATE TABLE lite.public.u AS SELECT 1 AS a",
        ] { #expect(await state(engine, sql) == "25006", "\(sql)") }
        #expect(try file.run("SELECT count(*) FROM t") == [["1"]])
        await engine.shutdown()
    }

    @Test func cancelling() async throws {
        let file = try DatabaseFile(Self.numbers)
        // A view that counts for minutes before it gives its first row.
        try file.run(
            "CREATE VIEW endless AS SELECT count(*) AS n FROM s a, s b, s c WHERE a.x + b.x + c.x = -1")
        let engine = try await file.engine()
        let start = Date()
        #expect(await state(engine, "SET statement_timeout = 300; SELECT * FROM lite.endless") == "57014")
        #expect(Date().timeIntervalSince(start) < 60)
        #expect(try await engine.query("SELECT count(*) FROM lite.s") == [["20000"]])
        await engine.shutdown()
    }
}

@Suite struct SQLiteStateStoreTests {
    @Test func conformance() async throws {
        let file = try DatabaseFile()
        try await StateStoreConformance.check { try SQLiteStateStore(path: file.path) }
        try file.run("PRAGMA user_version = 99")
        await #expect(throws: QueryError.self) { try await SQLiteStateStore(path: file.path).open() }
        try file.run("PRAGMA user_version = -1")
        await #expect(throws: QueryError.self) { try await SQLiteStateStore(path: file.path).open() }
    }

    /// What the first layout holds is kept by the steps to the last.
    @Test func olderLayout() async throws {
        let file = try DatabaseFile()
        for statement in StateLayout.steps[0] { try file.run(statement.replacing("$", with: "")) }
        try file.run(
            "PRAGMA user_version = 1; INSERT INTO queries VALUES ('q', 'SELECT 1', 'u', 'finished', 5, 6, 7, NULL, NULL, 1, 2)"
        )
        let store = try SQLiteStateStore(path: file.path)
        try await store.open()
        let found = try await store.history(limit: 5)
        #expect(found.map(\.id) == ["q"] && found[0].rowCount == 7 && found[0].plan == nil)
    }
}
