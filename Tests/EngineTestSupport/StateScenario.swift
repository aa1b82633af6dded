// What outlives an engine in its store of state, for every kind of store.

import Diagnostics
import EmbeddedCluster
import PluginHost

package enum StateScenario {
    /// Starts engines one after the other over the same store; a line for each thing that is not as it was left.
    package static func failures(_ state: StateConfiguration, plugin: any EnginePlugin) async throws -> [String] {
        var failures: [String] = []
        func start() async throws -> TestEngine { try await TestEngine.start(plugins: [plugin], state: state) }
        func check(_ engine: TestEngine, _ sql: String, _ expected: [[String?]], user: String = "martlet") async throws
        {
            let actual = try await engine.makeConnection(user: user).run(sql)
            if actual != expected { failures.append("\(sql): \(actual) instead of \(expected)") }
        }
        func checkFailure(_ engine: TestEngine, _ sql: String, _ code: String) async {
            do {
                _ = try await engine.query(sql)
                failures.append("\(sql) succeeds instead of \(code)")
            } catch let error as QueryError where error.state.code == code {} catch {
                failures.append("\(sql): \(error) instead of \(code)")
            }
        }

        let first = try await start()
        for sql in [
            "CREATE VIEW big (key, text) AS SELECT n_nationkey, n_name || E'\t\\\\\n' FROM tpch.tiny.nation WHERE n_nationkey > 20",
            "CREATE SCHEMA reports",
            "CREATE VIEW reports.few AS SELECT key FROM big WHERE key < 23 WITH LOCAL CHECK OPTION",
            "CREATE VIEW gone AS SELECT 1 AS x", "DROP VIEW gone",
            "CREATE VIEW before AS SELECT 1 AS x", "ALTER VIEW before RENAME TO after",
            "CREATE VIEW rolled AS SELECT 1 AS x; ROLLBACK",
            "CREATE TEMPORARY VIEW mine AS SELECT 1 AS x",
            "CREATE MATERIALIZED VIEW stored AS SELECT 1 AS x",
            "CREATE TYPE mood AS ENUM ('sad')", "CREATE VIEW moody AS SELECT 'sad'::mood AS m",
            "CREATE TABLE own (a int)", "CREATE VIEW over AS SELECT a FROM own",
            "ALTER SYSTEM SET statement_timeout = '7min'", "ALTER SYSTEM SET datestyle TO SQL, DMY",
            "ALTER SYSTEM SET work_mem = '64MB'", "ALTER SYSTEM RESET work_mem",
            "ALTER ROLE anna SET timezone = 'Europe/Berlin'", "ALTER USER anna SET statement_timeout = '8min'",
            "ALTER ROLE bert SET timezone = 'Asia/Tokyo'", "ALTER ROLE bert RESET ALL",
        ] {
            do { _ = try await first.query(sql.hasSuffix("ROLLBACK") ? "BEGIN; \(sql)" : sql) } catch {
                failures.append("\(sql): \(error)")
            }
        }
        try await check(first, "SHOW statement_timeout", [["7min"]])
        await first.shutdown()

        let second = try await start()
        try await check(second, "SELECT key, text FROM big WHERE key = 21", [["21", "VIETNAM\t\\\n"]])
        try await check(second, "SELECT key FROM reports.few ORDER BY 1", [["21"], ["22"]])
        try await check(second, "SELECT x FROM after", [["1"]])
        for name in ["gone", "before", "rolled", "mine", "stored", "moody"] {
            await checkFailure(second, "SELECT * FROM \(name)", "42P01")
        }
        // The table was in memory.
        await checkFailure(second, "SELECT * FROM over", "42P01")
        _ = try await second.query("CREATE TABLE own (a int); INSERT INTO own VALUES (5)")
        try await check(second, "SELECT a FROM over", [["5"]])
        // What is known of a view is known again: what it reads, and of which types its columns are.
        await checkFailure(second, "DROP TABLE own", "2BP01")
        await checkFailure(second, "CREATE OR REPLACE VIEW after AS SELECT 'x' AS x", "42P16")
        _ = try await second.query("CREATE OR REPLACE VIEW after AS SELECT 2 AS x, 3 AS y")
        try await check(
            second, "SELECT check_option FROM information_schema.views WHERE table_name = 'few'", [["LOCAL"]])
        try await check(second, "SHOW statement_timeout", [["7min"]])
        try await check(second, "SHOW datestyle", [["SQL, DMY"]])
        try await check(second, "SHOW work_mem", [["4MB"]])
        try await check(second, "SHOW timezone", [["Europe/Berlin"]], user: "anna")
        try await check(second, "SHOW statement_timeout", [["8min"]], user: "anna")
        try await check(second, "SHOW timezone", [["UTC"]], user: "bert")
        try await check(
            second, "SET timezone = 'UTC'; RESET timezone; SHOW timezone", [["Europe/Berlin"]], user: "anna")
        _ = try await second.query("ALTER SYSTEM RESET ALL")
        await second.shutdown()

        let third = try await start()
        try await check(third, "SELECT x, y FROM after", [["2", "3"]])
        try await check(third, "SHOW statement_timeout", [["0"]])
        try await check(third, "SHOW statement_timeout", [["8min"]], user: "anna")
        await third.shutdown()
        return failures
    }
}
