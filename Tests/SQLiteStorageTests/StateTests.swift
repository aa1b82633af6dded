// The state of an engine over its end, and while its store is away.

import Diagnostics
import EmbeddedCluster
import EngineConfiguration
import EngineTestSupport
import Foundation
import PluginHost
import SQLiteStorage
import StateStore
import StoreServers
import Synchronization
import Testing

@Suite struct StateTests {
    @Test func outlivesTheEngine() async throws {
        let file = try DatabaseFile()
        let state = StateConfiguration(type: "sqlite", values: ["path": file.path])
        let failures = try await StateScenario.failures(state, plugin: SQLiteStoragePlugin())
        #expect(failures.isEmpty, "\(failures.joined(separator: "\n"))")
    }

    @Test func isSharedByEngines() async throws {
        let file = try DatabaseFile()
        let state = StateConfiguration(type: "sqlite", values: ["path": file.path])
        let failures = try await SharedStateScenario.failures(state, plugin: SQLiteStoragePlugin())
        #expect(failures.isEmpty, "\(failures.joined(separator: "\n"))")
    }

    /// Verifiers of passwords are in it.
    @Test func theFileIsItsOwnersAlone() async throws {
        for isThere in [false, true] {
            let file = try DatabaseFile()
            if isThere { FileManager.default.createFile(atPath: file.path, contents: nil) }
            let store = try SQLiteStateStore(path: file.path)
            try await store.open()
            try await store.apply([.put(StateEntry(.user, "anna", "verifier"))])
            for path in [file.path, file.path + "-wal"] where FileManager.default.fileExists(atPath: path) {
                let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber
                #expect(mode?.intValue == 0o600, "\(path)")
            }
            store.close()
        }
    }

    /// While the store is away reads go on, and what it would have to keep fails; what it has is there when it is back.
    @Test func aStoreThatIsAway() async throws {
        let store = StoreInMemory()
        let before = try await start(store)
        _ = try await before.query("CREATE VIEW kept AS SELECT 1 AS x; CREATE VIEW dropped AS SELECT 2 AS x")
        await before.shutdown()
        #expect(store.names(.view).count == 2)

        store.isAway.withLock { $0 = true }
        let engine = try await start(store)
        #expect(try await engine.query("SELECT count(*) FROM tpch.tiny.nation") == [["25"]])
        _ = try await engine.query("CREATE TABLE t (x integer); INSERT INTO t VALUES (1)")
        for sql in [
            "CREATE VIEW later AS SELECT 3 AS x", "CREATE VIEW kept AS SELECT 3 AS x",
            "ALTER SYSTEM SET statement_timeout = 5000000", "ALTER ROLE anna SET work_mem = '8MB'",
            "BEGIN; INSERT INTO t VALUES (2); CREATE VIEW later AS SELECT 3 AS x; COMMIT",
            "INSERT INTO t VALUES (3); CREATE VIEW later AS SELECT 3 AS x",
        ] {
            await #expect("\(sql)") { try await engine.query(sql) } throws: { ($0 as? QueryError)?.state == .ioError }
        }
        // Nothing of a transaction stays that the store has not taken.
        #expect(try await engine.query("SELECT x FROM t") == [["1"]])
        await #expect(throws: QueryError.self) { try await engine.query("SELECT x FROM later") }
        _ = try await engine.query("CREATE TEMP VIEW own AS SELECT 4 AS x")
        #expect(try await engine.query("SELECT is_away FROM system.state_store") == [["t"]])
        let running = engine.makeConnection()
        for _ in 0..<20 { #expect(try await running.run("SELECT count(*) FROM t") == [["1"]]) }

        // The first change finds it open again, and reads what it has before it adds to it.
        store.isAway.withLock { $0 = false }
        await #expect("42P07") { try await engine.query("BEGIN; CREATE VIEW kept AS SELECT 5 AS x; COMMIT") } throws: {
            _ in true
        }
        _ = try await engine.query("DROP VIEW dropped")
        _ = try await engine.query("CREATE VIEW later AS SELECT 3 AS x")
        #expect(store.names(.view).map { $0.suffix(5) } == ["\tkept", "later"])
        #expect(try await engine.query("SELECT x FROM kept") == [["1"]])
        await #expect(throws: QueryError.self) { try await engine.query("SELECT x FROM dropped") }
        await engine.shutdown()
    }

    private func start(_ store: StoreInMemory) async throws -> TestEngine {
        try await TestEngine.start(
            plugins: [StoreInMemoryPlugin(store: store)], state: StateConfiguration(type: "in-memory", values: [:]))
    }
}

/// A store that can be away.
private final class StoreInMemory: StateStore {
    let isAway = Mutex(false)
    private let revisions = Atomic<Int64>(1)
    private let values = Mutex<[StateEntry.Kind: [String: String]]>([:])

    let place = "memory"

    private func check() throws {
        if isAway.withLock({ $0 }) { throw QueryError(.connectionFailure, "away") }
    }

    func names(_ kind: StateEntry.Kind) -> [String] { values.withLock { ($0[kind] ?? [:]).keys.sorted() } }

    func open() async throws { try check() }

    func apply(_ changes: [StateChange], at revision: Int64) async throws -> Int64? {
        try check()
        guard revisions.load(ordering: .sequentiallyConsistent) == revision else { return nil }
        try await apply(changes)
        return try await self.revision()
    }

    func revision() async throws -> Int64 {
        try check()
        return revisions.load(ordering: .sequentiallyConsistent)
    }

    func apply(_ changes: [StateChange]) async throws {
        try check()
        if changes.contains(where: { $0.key != nil }) { revisions.add(1, ordering: .sequentiallyConsistent) }
        values.withLock { values in
            for change in changes {
                switch change {
                case .put(let entry): values[entry.kind, default: [:]][entry.name] = entry.value
                case .remove(let kind, let name): values[kind, default: [:]][name] = nil
                case .query, .trimHistory: break
                }
            }
        }
    }

    func entries(_ kind: StateEntry.Kind) async throws -> [StateEntry] {
        try check()
        return values.withLock { ($0[kind] ?? [:]).sorted { $0.key < $1.key } }.map {
            StateEntry(kind, $0.key, $0.value)
        }
    }

    func history(limit: Int) async throws -> [QueryHistoryEntry] {
        try check()
        return []
    }

    func close() {}
}

private struct StoreInMemoryPlugin: EnginePlugin {
    let name = "in-memory"
    let store: StoreInMemory
    func makeStateStore(_ section: ConfigurationSection) throws -> (any StateStore)? { store }
}
