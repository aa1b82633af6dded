// The 22 queries of TPC-H at scale factor 0.01, generated as they are read.

import EngineTestSupport
import Testing

@Suite("TPC-H answers")
struct TPCHAnswerTests {
    @Test("embedded")
    func embedded() async throws { try await runAll(workers: 1) }

    @Test("a cluster of three workers in one process")
    func cluster() async throws { try await runAll(workers: 3) }

    private func runAll(workers: Int) async throws {
        let engine = try await TestEngine.start(workers: workers)
        let failures = try await TPCHQueries.failures(engine, searchPath: "sf0.01")
        #expect(failures.isEmpty, "\(failures.joined(separator: "\n"))")
        await engine.shutdown()
    }
}
