// What engines that run over one store of state see of each other, for every kind of store.

import Coordination
import Diagnostics
import EmbeddedCluster
import PluginHost
import Synchronization

package enum SharedStateScenario {
    /// Takes users as they come, and lets everybody be an administrator.
    private final class Authority: AccountAuthority {
        let accounts = Mutex<[UserAccount]>([])
        let configuredUsers: [UserFacts] = []
        func verifier(ofPassword text: String) throws -> String { "verifier of \(text)" }
        func take(_ accounts: [UserAccount]) { self.accounts.withLock { $0 = accounts } }
        func isAdministrator(_ user: String) -> Bool { true }
        var names: [String] { accounts.withLock { $0.map(\.name) } }
        func verifier(of name: String) -> String? { accounts.withLock { $0.first { $0.name == name }?.verifier } }
    }

    /// Starts two engines over the same store; a line for each thing that one does not see of the other.
    package static func failures(_ configuration: StateConfiguration, plugin: any EnginePlugin) async throws -> [String]
    {
        var failures: [String] = []
        var state = configuration
        state.options.followInterval = .milliseconds(50)
        let authorities = (Authority(), Authority())
        let first = try await TestEngine.start(plugins: [plugin], state: state, accounts: authorities.0)
        let second = try await TestEngine.start(plugins: [plugin], state: state, accounts: authorities.1)
        func wait(_ what: String, until condition: () async -> Bool) async throws {
            let deadline = ContinuousClock.now + .seconds(60)
            while await !condition() {
                if ContinuousClock.now > deadline { return failures.append("is not seen: \(what)") }
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        func rows(_ engine: TestEngine, _ sql: String) async -> [[String?]]? { try? await engine.query(sql) }
        func code(_ engine: TestEngine, _ sql: String) async -> String {
            do {
                _ = try await engine.query(sql)
                return "00000"
            } catch { return QueryError.wrapping(error).state.code }
        }

        _ = try await first.query("CREATE SCHEMA shared; CREATE VIEW shared.v AS SELECT 1 AS x")
        try await wait("a view") { await rows(second, "SELECT x FROM shared.v") == [["1"]] }
        _ = try await second.query("CREATE OR REPLACE VIEW shared.v AS SELECT 2 AS x")
        try await wait("a view that was replaced") { await rows(first, "SELECT x FROM shared.v") == [["2"]] }
        // What ends with its engine stays there.
        _ = try await second.query("CREATE MATERIALIZED VIEW own AS SELECT 3 AS x")
        _ = try await first.query("CREATE VIEW own AS SELECT 4 AS x; DROP VIEW shared.v")
        try await wait("a view that was dropped") { await code(second, "SELECT x FROM shared.v") == "42P01" }
        if await rows(second, "SELECT x FROM own") != [["3"]] { failures.append("a materialized view was replaced") }

        // Who has looked before the other one made it cannot make it again.
        let block = second.makeConnection()
        _ = try await block.run("BEGIN")
        _ = try await block.run("CREATE VIEW late AS SELECT 1 AS x")
        _ = try await first.query("CREATE VIEW late AS SELECT 2 AS x")
        try await wait("a view beside a transaction") { await rows(second, "SELECT x FROM late") == [["2"]] }
        do {
            _ = try await block.run("COMMIT")
            failures.append("a view of the other engine is replaced unseen")
        } catch {
            let code = QueryError.wrapping(error).state.code
            if code != "40001" { failures.append("a view that is made twice: \(code)") }
        }
        if await rows(second, "SELECT x FROM late") != [["2"]] { failures.append("a failed change has an effect") }

        _ = try await first.query("ALTER SYSTEM SET statement_timeout = '7min'")
        try await wait("a setting") { await rows(second, "SHOW statement_timeout") == [["7min"]] }
        _ = try await second.query("ALTER SYSTEM RESET statement_timeout")
        try await wait("a setting that was taken back") { await rows(first, "SHOW statement_timeout") == [["0"]] }

        _ = try await first.query("CREATE USER anna PASSWORD 'one'")
        // A statement about users looks before it begins, however long the last look is ago.
        if await code(second, "CREATE USER anna PASSWORD 'two'") != "42710" { failures.append("a user is made twice") }
        _ = try await second.query("ALTER USER anna PASSWORD 'three'; ")
        _ = try await second.query("CREATE USER bert PASSWORD 'four'")
        try await wait("a password and a user") {
            authorities.0.names == ["anna", "bert"] && authorities.0.verifier(of: "anna") == "verifier of three"
        }
        _ = try await first.query("DROP USER bert")
        try await wait("a user that was dropped") { authorities.1.names == ["anna"] }

        // Changes at the same time: every one is kept, and both know all of them.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<12 {
                group.addTask {
                    let engine = number % 2 == 0 ? first : second
                    _ = try await engine.query("ALTER ROLE u\(number) SET timezone = 'Asia/Tokyo'")
                    _ = try await engine.query("CREATE VIEW w\(number) AS SELECT \(number) AS x")
                }
            }
            try await group.waitForAll()
        }
        for engine in [first, second] {
            try await wait("all views") {
                await rows(engine, "SELECT count(*) FROM information_schema.views WHERE table_name LIKE 'w%'")
                    == [["12"]]
            }
            for number in 0..<12 {
                let zone = try await engine.makeConnection(user: "u\(number)").run("SHOW timezone")
                if zone != [["Asia/Tokyo"]] { failures.append("the setting of u\(number): \(zone)") }
            }
        }
        await first.shutdown()
        await second.shutdown()
        return failures
    }
}
