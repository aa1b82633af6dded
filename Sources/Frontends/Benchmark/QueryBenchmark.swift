// Queries one after the other: how long each takes, and whether its answer is right. What TPC-H and ClickBench share.

import Diagnostics

/// One query of a suite.
struct BenchmarkQuery: Sendable {
    var name: String
    var sql: String
    /// What is run once to know the answer, where the query itself has several right ones.
    var checkedSQL: String?
    /// The right answer; `nil` if it is not known.
    var answer: ResultDigest?
}

/// How often each query is run, and by how many clients at the same time.
struct QueryBenchmark: Sendable {
    var queries: [BenchmarkQuery]
    var warmUps: Int
    var runs: Int
    var clients: Int

    private struct Outcome: Sendable {
        var histogram = LatencyHistogram()
        var errors: Int64 = 0
        var note = ""
        var digest = ResultDigest()
        var rowCount = 0
    }

    /// Adds an entry for each query. `prepare` makes the tables and gives the schema that has them (`nil`: the search path as it
    /// is); `say` gets a line now and then.
    func run(
        _ target: BenchmarkTarget, into report: inout BenchmarkReport, say: @Sendable (String) -> Void,
        prepare: (any ShellConnection) async throws -> String?
    ) async throws {
        report.startedAt = ShellText.localTime()
        var connections: [any ShellConnection] = []
        defer { for connection in connections { connection.close() } }
        for _ in 0..<clients { connections.append(try await target.open()) }
        if let schema = try await prepare(connections[0]) {
            for connection in connections {
                try await connection.run("SET search_path = \(CompletionSource.quoted(schema))") { _ in }
            }
        }
        let start = ContinuousClock.now
        for query in queries {
            let outcomes = await withTaskGroup(of: Outcome.self) { group in
                for connection in connections {
                    group.addTask { await self.repeated(query, on: connection) }
                }
                return await group.reduce(into: [Outcome]()) { $0.append($1) }
            }
            var histogram = LatencyHistogram()
            for outcome in outcomes { histogram.add(outcome.histogram) }
            var entry = BenchmarkReport.Entry(name: query.name, histogram: histogram)
            entry.errors = outcomes.reduce(0) { $0 + $1.errors }
            entry.note = outcomes.first { !$0.note.isEmpty }?.note ?? ""
            entry.rows = Int64(outcomes.first?.rowCount ?? 0)
            if entry.errors == 0, let right = query.answer {
                entry.answer = outcomes.allSatisfy { $0.digest == right } ? .right : .wrong
            }
            report.entries.append(entry)
            say("\(query.name): \(entry.errors > 0 ? entry.note : DecimalText.milliseconds(entry.median) + " ms")")
        }
        let elapsed = (ContinuousClock.now - start).components
        report.seconds = Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18
        if target.isEmbedded { report.memoryBytesPeak = ProcessMemory.peakByteCount }
    }

    private func repeated(_ query: BenchmarkQuery, on connection: any ShellConnection) async -> Outcome {
        var outcome = Outcome()
        do {
            // The first run says what the answer is; it is a warm-up if there are any.
            outcome.digest = try await connection.measure(query.checkedSQL ?? query.sql, digests: true).digest
            outcome.rowCount = outcome.digest.rowCount
            for _ in 1..<max(1, warmUps) { _ = try await connection.measure(query.sql) }
            for _ in 0..<runs { outcome.histogram.add(try await connection.measure(query.sql).microseconds) }
        } catch {
            let error = QueryError.wrapping(error)
            outcome.errors += 1
            outcome.note = "\(error.state): \(error.message)"
        }
        return outcome
    }
}
