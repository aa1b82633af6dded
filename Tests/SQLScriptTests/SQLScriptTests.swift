// Runs every script under Fixtures/sql on the embedded engine and on a cluster of three workers in this process.

import EngineTestSupport
import Foundation
import StoreServers
import Testing

@Suite("SQL scripts")
struct SQLScriptTests {
    @Test("embedded")
    func embedded() async throws { try await runAll(workers: 1) }

    @Test("a server on its own, where sessions run simple queries themselves")
    func standalone() async throws { try await runAll(workers: 1, localRowLimit: 20_000) }

    @Test("a cluster of three workers in one process")
    func cluster() async throws { try await runAll(workers: 3) }

    private func runAll(workers: Int, localRowLimit: Int = 0) async throws {
        let all = try SQLScript.all()
        var recordCount = 0
        // SCRIPT=name runs only the scripts whose name contains that.
        let only = ProcessInfo.processInfo.environment["SCRIPT"]
        for script in all where only.map({ script.name.contains($0) }) ?? true {
            if let reason = script.stores.compactMap(TestStores.missing).first {
                print("\(script.name) is left out: \(reason)")
                continue
            }
            let stores = try TestStores(script.stores)
            // An engine of its own for every script: no script sees another's tables.
            let engine = try await TestEngine.start(
                workers: workers, localRowLimit: localRowLimit, catalogs: stores.catalogs, plugins: stores.plugins)
            let connection = engine.makeConnection()
            for failure in await ScriptRunner.run(script, on: connection, stores: stores.programs) {
                Issue.record("\(failure)")
            }
            recordCount += script.records.count
            await engine.shutdown()
        }
        print("\(recordCount) records of \(all.count) scripts with \(workers) worker(s)")
    }
}
