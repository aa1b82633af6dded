// Whole queries over tables and files of a store: conformance, formats, TPC-H, faults, commits that break off.

import Columnar
import Diagnostics
import EngineConfiguration
import EngineTestSupport
import FileFormats
import Foundation
import QueryPlan
import Storage
import StorageConformance
import StoreServers
import Synchronization
import Testing

@testable import S3Storage

@Suite(.enabled(if: S3Server.program != nil, Comment(rawValue: S3Server.reason)), .serialized)
struct S3EngineTests {
    /// An engine with a catalogue "lake" of tables, and "s3" for paths.
    private func start(_ root: String, workers: Int = 1, memory: Int = 2 << 30, _ values: [String: String] = [:])
        async throws
        -> TestEngine
    {
        let server = try S3Server.shared()
        return try await TestEngine.start(
            workers: workers, memoryByteLimit: memory,
            catalogs: [
                ("lake", "s3", server.values(["root": root, "writable": "true"].merging(values) { $1 })),
                ("s3", "s3", server.values(values)),
            ], plugins: [S3StoragePlugin()])
    }

    private func code(_ engine: TestEngine, _ sql: String) async -> String {
        await state { _ = try await engine.query(sql) }
    }

    @Test func conformance() async throws {
        let server = try S3Server.shared()
        let backend = try server.backend(["root": S3Server.prefix("conformance"), "writable": "true"])
        try await StorageConformance.fill(backend, schema: "public", table: "standard")
        let conformance = StorageConformance(backend, schema: "public", table: "standard")
        try await conformance.checkReading()
        // Files of other formats, without versions.
        let root = S3Server.prefix("plain")
        let store = try server.store()
        let path = try #require(ObjectPath(root))
        _ = try store.put(path.appending("/standard.csv"), Array(StandardTable.csv.utf8), ifAbsent: false)
        let plain = try server.backend(["root": root])
        #expect(try await plain.tableNames(schema: "public") == ["standard"])
        try await StorageConformance(plain, schema: "public", table: "standard").checkReading()
        try await conformance.checkVanishing { try await backend.dropTable(schema: "public", name: "standard") }
    }

    @Test func tablesComeAndGo() async throws {
        let root = S3Server.prefix("tables")
        let engine = try await start(root)
        let other = try await start(root, workers: 3)
        _ = try await engine.query(
            "CREATE TABLE lake.public.t AS SELECT i AS a, 'x' || i AS b FROM generate_series(1, 1000) g(i)")
        #expect(try await other.query("SELECT count(*), sum(a) FROM lake.t") == [["1000", "500500"]])
        _ = try await other.query("INSERT INTO lake.public.t VALUES (-1, NULL)")
        #expect(
            try await engine.query("SELECT count(*), count(b), sum(a) FROM lake.t") == [["1001", "1000", "500499"]])
        #expect(try await engine.query("SELECT min(a) FROM '\(root)/t'") == [["-1"]])
        #expect(await code(other, "CREATE TABLE lake.public.t (a int)") == "42P07")
        #expect(await code(engine, "CREATE TABLE lake.public.v (a varchar(3))") == "0A000")
        #expect(await code(engine, "CREATE TABLE lake.public.\"V\" (a int)") == "42602")
        #expect(
            await code(engine, "CREATE TABLE lake.public.v AS SELECT 1 / (i - 1) FROM generate_series(1, 2) g(i)")
                == "22012")
        _ = try await engine.query("CREATE TABLE lake.public.u (a int, b numeric(10,2), c timestamptz)")
        #expect(try await other.query("SELECT * FROM lake.u") == [])
        _ = try await other.query("DROP TABLE lake.public.t")
        #expect(await code(engine, "SELECT * FROM lake.t") == "42P01")
        #expect(await code(engine, "DROP TABLE lake.public.t") == "42P01")
        _ = try await engine.query("CREATE TABLE lake.public.t AS SELECT 5 AS z")
        #expect(try await other.query("SELECT z FROM lake.t") == [["5"]])
        // Nothing but versions and the files that they list is left.
        let store = try S3Server.shared().store()
        let left = try store.list(try #require(ObjectPath(root + "/t/")), isDeep: true, limit: nil).objects
        #expect(left.filter { $0.path.contains("/_data/") }.count == 1)
        #expect(left.filter { $0.path.contains("/_manifest/") }.count == 4)
        #expect(left.count == 5)
        await engine.shutdown()
        await other.shutdown()
    }

    /// Versions of files had the address of their server with them once: they are read, at whatever address the server is now,
    /// and stay what they are when rows are added.
    @Test func tablesOfBeforeAreRead() async throws {
        let root = S3Server.prefix("before")
        let store = try S3Server.shared().store()
        let table = try #require(ObjectPath(root + "/t/"))
        func put(_ fixture: String, _ path: ObjectPath) throws {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: Fixtures.path(fixture)))
            _ = try store.put(path, Array(bytes), ifAbsent: true)
        }
        for name in ["part-0-first", "part-0-second"] {
            try put("parquet/decimal_int.parquet", table.appending("_data/\(name).parquet"))
        }
        let manifest = TableManifest.path(table, number: 2)
        try put("tables/addresses.manifest", manifest)
        let read = try TableManifest(text: try #require(try store.get(manifest)), path: manifest)
        let etag = "\"5f089ccb7de328b95a5ea19378e855ea\""
        #expect(read.entries.map(\.version) == ["http://10.0.0.1:9000 " + etag, etag])

        let engine = try await start(root)
        #expect(
            try await engine.query("SELECT count(*), count(a), sum(b) FROM lake.t") == [["4", "2", "-246913578.24"]])
        _ = try await engine.query("INSERT INTO lake.public.t VALUES (2.5, 1)")
        #expect(
            try await engine.query("SELECT count(*), sum(a), sum(b) FROM lake.t") == [["5", "5.5", "-246913577.24"]])
        let next = TableManifest.path(table, number: 3)
        let written = try TableManifest(text: try #require(try store.get(next)), path: next)
        #expect(written.entries.prefix(2) == read.entries[...] && written.entries.count == 3)
        await engine.shutdown()
    }

    @Test func filesOfAllFormats() async throws {
        let root = S3Server.prefix("files")
        let engine = try await start(root, ["part-size": "5MiB"])
        let query =
            "SELECT i AS a, CASE WHEN i % 7 > 0 THEN 'text \"' || i || E'\\n' END AS b, i * 0.25 AS c, "
            + "date '2020-01-01' + i % 1000 AS d FROM generate_series(1, 20000) g(i)"
        let sums = "count(*), sum(a), count(b), sum(length(b)), sum((c * 4)::bigint), max(d)"
        let expected = try await engine.query("SELECT \(sums) FROM (\(query)) q")
        for (name, options) in [
            ("a.parquet", ""), ("b.parquet", "(COMPRESSION zstd, ROW_GROUP_SIZE 1000)"), ("c.arrow", ""),
            ("d.csv", "(HEADER)"), ("e.csv.gz", "(HEADER)"), ("f.jsonl", ""), ("g.jsonl.gz", ""),
        ] {
            _ = try await engine.query("COPY (\(query)) TO '\(root)/\(name)' \(options)")
            for engine in [engine] {
                #expect(try await engine.query("SELECT \(sums) FROM '\(root)/\(name)'") == expected, "\(name)")
                #expect(try await engine.query("SELECT a FROM '\(root)/\(name)' WHERE a = 777") == [["777"]], "\(name)")
            }
        }
        #expect(try await engine.query("SELECT count(*) FROM '\(root)/[ab].parquet'") == [["40000"]])
        #expect(try await engine.query("SELECT count(*) FROM '\(root)/**/*.csv.gz'") == [["20000"]])
        #expect(await code(engine, "SELECT * FROM '\(root)/z*.parquet'") == "58P01")
        #expect(await code(engine, "SELECT * FROM '\(root)/*'") == "42P07")
        #expect(await code(engine, "SELECT * FROM '\(root)/z.parquet'") == "58P01")
        #expect(await code(engine, "COPY (SELECT 1) TO '\(root)/many' (FORMAT parquet, PER_THREAD_OUTPUT)") == "0A000")
        _ = try await engine.query("CREATE TABLE target (a int, b text, c numeric, d date)")
        _ = try await engine.query("COPY target FROM '\(root)/d.csv' (FORMAT csv, HEADER)")
        #expect(try await engine.query("SELECT \(sums) FROM target") == expected)
        _ = try await engine.query("COPY target FROM '\(root)/e.csv.gz' (FORMAT csv, HEADER)")
        #expect(try await engine.query("SELECT count(*) FROM target") == [["40000"]])
        // A copy that fails leaves what was there.
        #expect(
            await code(
                engine, "COPY (SELECT 1 / (20000 - i) AS a FROM generate_series(1, 20000) g(i)) TO '\(root)/d.csv'")
                == "22012")
        #expect(try await engine.query("SELECT \(sums) FROM '\(root)/d.csv'") == expected)
        await engine.shutdown()
    }

    @Test func limitsOfWhatIsNamed() async throws {
        let server = try S3Server.shared()
        let root = S3Server.prefix("limits")
        let inside = root + "/in"
        let engine = try await TestEngine.start(
            catalogs: [
                ("lake", "s3", server.values(["root": root + "/lake"])),
                ("s3", "s3", server.values(["roots": "/tmp,\(inside)"])),
            ], plugins: [S3StoragePlugin()])
        #expect(await code(engine, "COPY (SELECT 1 AS a) TO '\(inside)/a.parquet'") == "none")
        #expect(await code(engine, "SELECT * FROM '\(inside)/a.parquet'") == "none")
        #expect(await code(engine, "COPY (SELECT 1 AS a) TO '\(root)/a.parquet'") == "42501")
        #expect(await code(engine, "COPY (SELECT 1 AS a) TO '\(inside)more/a.parquet'") == "42501")
        #expect(await code(engine, "SELECT * FROM '\(root)/*/a.parquet'") == "42501")
        #expect(await code(engine, "COPY (SELECT 1 AS a) TO '\(root)/lake/a.parquet'") == "42501")
        #expect(await code(engine, "CREATE TABLE lake.public.a (a int)") == "42501")
        #expect(await code(engine, "SELECT * FROM 'gs://bucket/a.parquet'") == "0A000")
        #expect(await code(engine, "SELECT * FROM 's3://'") == "0A000")
        await engine.shutdown()
    }

    @Test func tpch() async throws {
        let root = S3Server.prefix("tpch")
        let engine = try await start(root)
        try await TPCHQueries.fill(engine) { "lake.public.\($0)" }
        let cluster = try await start(root, workers: 3)
        for engine in [engine, cluster] {
            try await TPCHQueries.makeViews(engine) { "lake.public.\($0)" }
            let failures = try await TPCHQueries.failures(engine, searchPath: "public")
            #expect(failures.isEmpty, "\(failures.joined(separator: "\n"))")
            await engine.shutdown()
        }
    }

    // MARK: Faults

    /// Right rows or an error, with one request in twenty spoilt in each way.
    @Test func queriesThroughFaults() async throws {
        let server = try S3Server.shared()
        let proxy = try FaultProxy(upstream: server.port)
        defer { proxy.stop() }
        let root = S3Server.prefix("through")
        let engine = try await start(
            root, ["endpoint": proxy.endpoint, "stall-timeout": "1s", "part-size": "5MiB"])
        _ = try await engine.query("CREATE TABLE lake.public.l AS SELECT * FROM tpch.\"sf0.01\".lineitem")
        let sql = "SELECT count(*), sum(l_quantity), sum(l_orderkey), max(l_comment) FROM"
        let expected = try await engine.query("\(sql) tpch.\"sf0.01\".lineitem")
        for fault in [Fault.busy, .broken, .reset, .stall(1.2), .cut, .lost] {
            proxy.spoil { _, _, number in number % 20 == 3 ? fault : .none }
            for round in 0..<4 {
                let name = "c\(round)"
                _ = try await engine.query("CREATE TABLE lake.public.\(name) AS SELECT * FROM lake.public.l")
                #expect(try await engine.query("\(sql) lake.public.\(name)") == expected, "\(fault)")
                _ = try await engine.query("INSERT INTO lake.public.\(name) SELECT * FROM lake.public.l LIMIT 10")
                #expect(try await engine.query("SELECT count(*) FROM lake.public.\(name)") == [["60185"]], "\(fault)")
                _ = try await engine.query("DROP TABLE lake.public.\(name)")
                #expect(await code(engine, "SELECT * FROM lake.public.\(name)") == "42P01")
            }
        }
        await engine.shutdown()
    }

    /// The writer is cut off from the store before each of its requests and after each: others see all of a statement or
    /// nothing, and a statement that was told to have succeeded has.
    @Test func commitsThatBreakOff() async throws {
        let server = try S3Server.shared()
        for loses in [false, true] {
            var isComplete = false
            var number = 0
            while !isComplete {
                let proxy = try FaultProxy(upstream: server.port)
                defer { proxy.stop() }
                let root = S3Server.prefix("broken")
                let reader = try await start(root)
                _ = try await reader.query("CREATE TABLE lake.public.old AS SELECT 1 AS a")
                let writer = try await start(root, ["endpoint": proxy.endpoint, "attempts": "1"])
                let limit = number
                // The last request that arrives may have its effect, with its answer lost.
                proxy.spoil { _, _, number in number < limit ? .none : number == limit && loses ? .lost : .reset }
                let made = await code(
                    writer, "CREATE TABLE lake.public.new AS SELECT i AS a FROM generate_series(1, 50) g(i)")
                let seen = (try? await reader.query("SELECT count(*) FROM lake.public.new")) ?? []
                #expect(seen == [] || seen == [["50"]])
                if made == "none" { #expect(seen == [["50"]]) }
                if made != "none" && made != "08007" { #expect(seen == [], "\(made) after \(number)") }
                proxy.spoil { _, _, number in number < limit ? .none : number == limit && loses ? .lost : .reset }
                let added = await code(writer, "INSERT INTO lake.public.old VALUES (2), (3)")
                let rows = try await reader.query("SELECT count(*) FROM lake.public.old")
                #expect(rows == [["1"]] || rows == [["3"]])
                if added == "none" { #expect(rows == [["3"]]) }
                if added != "none" && added != "08007" { #expect(rows == [["1"]], "\(added) after \(number)") }
                proxy.spoil { _, _, number in number < limit ? .none : number == limit && loses ? .lost : .reset }
                let dropped = await code(writer, "DROP TABLE lake.public.old")
                let left = await code(reader, "SELECT * FROM lake.public.old")
                #expect(left == "none" || left == "42P01")
                if dropped == "none" { #expect(left == "42P01") }
                if dropped != "none" && dropped != "08007" { #expect(left == "none", "\(dropped) after \(number)") }
                // What is left over is in nobody's way.
                if left == "42P01" { _ = try await reader.query("CREATE TABLE lake.public.old AS SELECT 1 AS a") }
                _ = try await reader.query("INSERT INTO lake.public.old VALUES (9)")
                if seen == [] { _ = try await reader.query("CREATE TABLE lake.public.new AS SELECT 1 AS a") }
                isComplete = made == "none" && added == "none" && dropped == "none"
                number += 1
                #expect(number < 60)
                await reader.shutdown()
                await writer.shutdown()
            }
        }
    }

    /// A store has several addresses, and may move: tables belong to none of them.
    @Test func tablesAreReadByAnotherAddress() async throws {
        let server = try S3Server.shared()
        let root = S3Server.prefix("addresses")
        let first = try await start(root)
        _ = try await first.query("CREATE TABLE lake.public.t AS SELECT i AS a FROM generate_series(1, 5000) g(i)")
        let proxy = try FaultProxy(upstream: server.port)
        defer { proxy.stop() }
        let second = try await start(root, ["endpoint": proxy.endpoint])
        #expect(try await second.query("SELECT count(a), sum(a) FROM lake.t") == [["5000", "12502500"]])
        _ = try await second.query("INSERT INTO lake.public.t VALUES (-1)")
        #expect(try await first.query("SELECT min(a), max(a) FROM lake.t") == [["-1", "5000"]])
        await first.shutdown()
        await second.shutdown()
    }

    /// Many writers of one table: every row that was said to be written is there once.
    @Test func writersOfOneTable() async throws {
        let root = S3Server.prefix("writers")
        let first = try await start(root)
        _ = try await first.query("CREATE TABLE lake.public.t (a int)")
        let second = try await start(root)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, engine) in [first, second, first, second].enumerated() {
                group.addTask {
                    for number in 0..<5 {
                        _ = try await engine.query("INSERT INTO lake.public.t VALUES (\(index * 10 + number))")
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await second.query("SELECT count(*), count(DISTINCT a) FROM lake.public.t") == [["20", "20"]])
        // Only one of two makes a table.
        let codes = await withTaskGroup(of: String.self) { group in
            for engine in [first, second, first, second] {
                group.addTask { await code(engine, "CREATE TABLE lake.public.one (a int)") }
            }
            return await group.reduce(into: [String]()) { $0.append($1) }
        }
        #expect(codes.filter { $0 == "none" }.count == 1)
        #expect(codes.filter { $0 == "42P07" }.count == 3)
        await first.shutdown()
        await second.shutdown()
    }

    @Test func memoryIsTheQuerys() async throws {
        let root = S3Server.prefix("memory")
        let engine = try await start(root)
        let wide = "SELECT i AS a, repeat(md5(i::text), 20) AS b FROM generate_series(1, 60000) g(i)"
        _ = try await engine.query("COPY (\(wide)) TO '\(root)/wide.parquet' (COMPRESSION none)")
        let small = try await start(root, memory: 24 << 20)
        #expect(await code(small, "COPY (\(wide)) TO '\(root)/other.parquet' (COMPRESSION none)") == "53200")
        #expect(await code(small, "SELECT * FROM '\(root)/other.parquet'") == "58P01")
        await engine.shutdown()
        await small.shutdown()
    }
}
