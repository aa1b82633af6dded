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

    private struct Outcome: Sendable {
        var histogram = LatencyHistogram()
        var errors: Int64 = 0
        var note = ""
        var digest = ResultDigest()
    }

    /// `say` gets a line now and then.
    package func run(_ target: BenchmarkTarget, say: @Sendable (String) -> Void) async throws -> BenchmarkReport {
        var report = BenchmarkReport(benchmark: "tpch", target: target.name)
        report.startedAt = ShellText.localTime()
        report.settings = [
            ("scale", DecimalText.short(scale)), ("runs", "\(runs)"), ("warm-up", "\(warmUps)"),
            ("clients", "\(clients)"),
        ]
        var connections: [any ShellConnection] = []
        defer { for connection in connections { connection.close() } }
        for _ in 0..<clients { connections.append(try target.open()) }
        let schema = try await prepare(connections[0], say)
        if let schema {
            for connection in connections {
                try await connection.run("SET search_path = \(CompletionSource.quoted(schema))") { _ in }
            }
        }
        let start = ContinuousClock.now
        for number in queries {
            let sql = TPCHQueries.text(number, scale: scale)
            let outcomes = await withTaskGroup(of: Outcome.self) { group in
                for connection in connections {
                    group.addTask { await self.repeated(sql, on: connection) }
                }
                return await group.reduce(into: [Outcome]()) { $0.append($1) }
            }
            var histogram = LatencyHistogram()
            for outcome in outcomes { histogram.add(outcome.histogram) }
            var entry = BenchmarkReport.Entry(name: "Q\(number)", histogram: histogram)
            entry.errors = outcomes.reduce(0) { $0 + $1.errors }
            entry.note = outcomes.first { !$0.note.isEmpty }?.note ?? ""
            entry.rows = Int64(outcomes.first?.digest.rowCount ?? 0)
            if entry.errors == 0, let right = TPCHAnswers.digest(number, scale: scale) {
                entry.answer = outcomes.allSatisfy { $0.digest == right } ? .right : .wrong
            }
            report.entries.append(entry)
            say("Q\(number): \(entry.errors > 0 ? entry.note : DecimalText.milliseconds(entry.median) + " ms")")
        }
        let elapsed = (ContinuousClock.now - start).components
        report.seconds = Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18
        if target.isEmbedded { report.memoryBytesPeak = ProcessMemory.peakByteCount }
        return report
    }

    private func repeated(_ sql: String, on connection: any ShellConnection) async -> Outcome {
        var outcome = Outcome()
        do {
            // The first run says what the answer is; it is a warm-up if there are any.
            outcome.digest = try await connection.measure(sql, digests: true).digest
            for _ in 1..<max(1, warmUps) { _ = try await connection.measure(sql) }
            for _ in 0..<runs { outcome.histogram.add(try await connection.measure(sql).microseconds) }
        } catch {
            let error = QueryError.wrapping(error)
            outcome.errors += 1
            outcome.note = "\(error.state): \(error.message)"
        }
        return outcome
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
