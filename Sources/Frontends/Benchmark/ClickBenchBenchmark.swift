// The queries of ClickBench one after the other, over the real table `hits` or over a generated one.

import Diagnostics

package struct ClickBenchBenchmark: Sendable {
    /// Rows of the generated table.
    package var rows = 1_000_000
    /// The schema that has the table; without one it is generated, in memory.
    package var schema: String?
    /// The first query is 0.
    package var queries: [Int] = Array(0..<ClickBenchQueries.count)
    package var warmUps = 1
    package var runs = 3
    package var clients = 1

    package init() {}

    /// `say` gets a line now and then.
    package func run(_ target: BenchmarkTarget, say: @Sendable (String) -> Void) async throws -> BenchmarkReport {
        var report = BenchmarkReport(benchmark: "clickbench", target: target.name)
        report.settings = [
            schema.map { ("schema", $0) } ?? ("rows", "\(rows)"), ("runs", "\(runs)"), ("warm-up", "\(warmUps)"),
            ("clients", "\(clients)"),
        ]
        let benchmark = QueryBenchmark(
            queries: queries.map { number in
                // Nothing is known of another table.
                let answer = schema == nil ? ClickBenchAnswers.digest(number, rows: rows) : nil
                return BenchmarkQuery(
                    name: "Q\(number)", sql: ClickBenchQueries.text(number),
                    checkedSQL: answer == nil ? nil : ClickBenchQueries.orderedText(number), answer: answer)
            }, warmUps: warmUps, runs: runs, clients: clients)
        try await benchmark.run(target, into: &report, say: say) { try await prepare($0, say) }
        return report
    }

    private func prepare(_ connection: any ShellConnection, _ say: @Sendable (String) -> Void) async throws -> String? {
        if let schema { return schema }
        let name = "bench_hits_\(rows)"
        var exists = false
        try await connection.run(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = '\(name)' AND table_name = 'hits'"
        ) { event in
            if case .rows(let rows) = event, rows.rowCount > 0 { exists = true }
        }
        if exists { return name }
        say("making hits with \(rows) rows")
        try await connection.run("CREATE SCHEMA IF NOT EXISTS \(name)") { _ in }
        try await connection.run(ClickBenchData.statement(table: "\(name).hits", rows: rows)) { _ in }
        return name
    }
}
