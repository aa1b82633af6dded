// The queries of ClickBench over its generated table give the answers that PostgreSQL gives.

import EngineTestSupport
import Frontends
import Testing

@Suite struct ClickBenchAnswerTests {
    @Test func answersAreRight() async throws {
        let engine = try await TestEngine.start()
        var benchmark = ClickBenchBenchmark()
        benchmark.rows = 10_000
        benchmark.warmUps = 0
        benchmark.runs = 1
        let report = try await benchmark.run(.embedded(engine.node.engine)) { _ in }
        #expect(report.entries.count == 43)
        for entry in report.entries {
            #expect(entry.errors == 0 && entry.answer == .right, "\(entry.name): \(entry.note)")
        }
        await engine.shutdown()
    }

    @Test func limitsAreOrderedWhole() {
        #expect(
            ClickBenchQueries.orderedText(8)
                == "SELECT RegionID, COUNT(DISTINCT UserID) AS u FROM hits GROUP BY RegionID ORDER BY u DESC, 1 LIMIT 10"
        )
        #expect(ClickBenchQueries.orderedText(17).hasSuffix(" GROUP BY UserID, SearchPhrase ORDER BY 1, 2 LIMIT 10"))
        #expect(ClickBenchQueries.orderedText(0) == ClickBenchQueries.text(0))
    }
}
