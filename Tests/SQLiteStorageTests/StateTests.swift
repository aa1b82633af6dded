// The state of an engine over its end, and while its store is away.

import Diagnostics
import EmbeddedCluster
import EngineConfiguration
import EngineTestSupport
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

    /// Reads and changes go on while the store is away; what it has and what it lacks is made up for when it is back.
    @Test func aStoreThatIsAway() async throws {
        let store = StoreInMemory()
        let before = try await start(store)
        _ = try await before.query("CREATE VIEW kept AS SELECT 1 AS x; CREATE VIEW dropped AS SELECT 2 AS x")
        await before.shutdown()
        #expect(store.names(.view).count == 2)

        store.isAway.withLock { $0 = true }
        let engine = try await start(store)
        #expect(try await engine.query("SELECT count(*) FROM tpch.tiny.nation") == [["25"]])
        _ = try await engine.query("CREATE VIEW later AS SELECT 3 AS x; CREATE VIEW dropped AS SELECT 4 AS x")
        _ = try await engine.query("DROP VIEW dropped; ALTER SYSTEM SET statement_timeout = 5000000")
        #expect(try await engine.query("SELECT x FROM later") == [["3"]])
        #expect(try await engine.query("SELECT is_away FROM system.state_store") == [["t"]])
        let running = engine.makeConnection()
        for _ in 0..<20 { #expect(try await running.run("SELECT count(*) FROM later") == [["1"]]) }

        store.isAway.withLock { $0 = false }
        for _ in 0..<600 where store.names(.setting).isEmpty { try await Task.sleep(for: .milliseconds(100)) }
        #expect(store.names(.view).map { $0.suffix(5) } == ["\tkept", "later"])
        #expect(try await engine.query("SELECT x FROM kept") == [["1"]])
        #expect(try await engine.query("SELECT x FROM later") == [["3"]])
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
    private let values = Mutex<[StateEntry.Kind: [String: String]]>([:])

    let place = "memory"

    private func check() throws {
        if isAway.withLock({ $0 }) { throw QueryError(.connectionFailure, "away") }
    }

    func names(_ kind: StateEntry.Kind) -> [String] { values.withLock { ($0[kind] ?? [:]).keys.sorted() } }

    func open() async throws { try check() }

    func apply(_ changes: [StateChange]) async throws {
        try check()
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
