// The queries of TPC-H one after the other: how long each takes, and whether its answer is right.

import Diagnostics

package struct TPCHBenchmark: Sendable {
    package var scale = 0.1
    /// The schema that has the tables; without one they are made of the generator's rows, in memory.
    package var schema: String?
    package var queries: [Int] = Array(1...TPCHQueries.count)
    package var warmUps = 1
    package var runs = 5
    package var clients = 1

    package init() {}

    /// `say` gets a line now and then.
    package func run(_ target: BenchmarkTarget, say: @Sendable (String) -> Void) async throws -> BenchmarkReport {
        var report = BenchmarkReport(benchmark: "tpch", target: target.name)
        report.settings = [
            ("scale", DecimalText.short(scale)), ("runs", "\(runs)"), ("warm-up", "\(warmUps)"),
            ("clients", "\(clients)"),
        ]
        let benchmark = QueryBenchmark(
            queries: queries.map { number in
                BenchmarkQuery(
                    name: "Q\(number)", sql: TPCHQueries.text(number, scale: scale),
                    answer: TPCHAnswers.digest(number, scale: scale))
            }, warmUps: warmUps, runs: runs, clients: clients)
        try await benchmark.run(target, into: &report, say: say) { try await prepare($0, say) }
        return report
    }

    /// Where the tables are; `nil` is the search path as it is.
    private func prepare(_ connection: any ShellConnection, _ say: @Sendable (String) -> Void) async throws -> String? {
        if let schema { return schema }
        guard connection.isMartlet else { return nil }
        let source = "sf\(DecimalText.short(scale))"
        let name = "bench_\(source)"
        try await connection.run("CREATE SCHEMA IF NOT EXISTS \(CompletionSource.quoted(name))") { _ in }
        for table in ["region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem"] {
            say("making \(table) at scale \(DecimalText.short(scale))")
            try await connection.run(
                """
                CREATE TABLE IF NOT EXISTS \(CompletionSource.quoted(name)).\(table) AS
                TABLE tpch.\(CompletionSource.quoted(source)).\(table)
                """
            ) { _ in }
        }
        return name
    }
}

extension DecimalText {
    /// Without zeros at the end: `1`, `0.01`.
    static func short(_ value: Double) -> String {
        var text = fixed(value, digits: 6)
        while text.contains("."), text.last == "0" || text.last == "." {
            let isPoint = text.last == "."
            text.removeLast()
            if isPoint { break }
        }
        return text
    }
}
