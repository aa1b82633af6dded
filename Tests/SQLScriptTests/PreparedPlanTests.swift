// Which prepared statements keep their plan; that the rows stay right is in statements/prepared-plans.slt.

import Columnar
import Coordination
import EngineTestSupport
import Testing

@Suite("Plans of prepared statements")
struct PreparedPlanTests {
    /// Whether the plan is kept after two executions.
    private func keepsPlan(_ sql: String, _ parameters: [ScalarValue] = [], engine: TestEngine) async throws -> Bool {
        let session = engine.node.engine.makeSession()
        let prepared = try await session.prepare(sql)
        for _ in 0..<2 { _ = try await session.execute(prepared, parameters: parameters).collect() }
        return prepared.keepsPlan
    }

    @Test("queries of few rows keep it, those that depend on more than their tables do not")
    func keeping() async throws {
        let engine = try await TestEngine.start()
        _ = try await engine.query("CREATE TABLE item (id int, name text)")
        _ = try await engine.query("INSERT INTO item VALUES (1, 'one'), (2, 'two')")
        #expect(try await keepsPlan("SELECT 1", engine: engine))
        #expect(try await keepsPlan("SELECT name FROM item WHERE id = $1", [.integer(1)], engine: engine))
        #expect(
            try await keepsPlan("SELECT now(), count(*) FROM item a JOIN item b USING (id)", engine: engine))
        #expect(try await !keepsPlan("SELECT relname FROM pg_class", engine: engine))
        #expect(try await !keepsPlan("SELECT l_orderkey FROM tpch.sf1.lineitem LIMIT 1", engine: engine))
        #expect(try await !keepsPlan("INSERT INTO item VALUES (3, 'three')", engine: engine))
        await engine.shutdown()
    }
}
