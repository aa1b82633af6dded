// A client that stops reading: its query waits, and does not go on making rows that nobody has room for.

import Columnar
import Coordination
import Diagnostics
import EmbeddedCluster
import EngineTestSupport
import Testing

@Suite struct SlowReaderTests {
    /// Rows that operators have given once there are no more of them for a second.
    private static func settledRowCount(_ engine: TestEngine) async throws -> Int {
        var last = -1
        var times = 0
        for _ in 0..<600 where times < 10 {
            try await Task.sleep(for: .milliseconds(100))
            let rows = try await engine.query("SELECT coalesce(max(row_count), 0) FROM system.operators")
            let count = rows.first?.first.flatMap { $0.flatMap { Int($0) } } ?? 0
            times = count == last && count > 0 ? times + 1 : 0
            last = count
        }
        return last
    }

    @Test(arguments: [
        "SELECT g FROM generate_series(1, 100000000) AS s(g)",
        "SELECT t FROM generate_series(TIMESTAMP '2000-01-01', '2010-01-01', '1 second') AS s(t)",
        "SELECT generate_series(1, 100000) AS g FROM generate_series(1, 1000) AS s(h)",
    ])
    func seriesAreMadeAsTheyAreAskedFor(_ sql: String) async throws {
        let engine = try await TestEngine.start(holdBackByteLimit: 1 << 20)
        let session = engine.node.engine.makeSession()
        try await session.run(sql) { result in
            let first = try #require(try await result.next())
            let settled = try await Self.settledRowCount(engine)
            // 32 MB wait in the output's buffer, and what is held back.
            #expect(settled >= first.rowCount && settled < 20_000_000)
            result.cancel()
        }
        session.close()
        await engine.shutdown()
    }
}
