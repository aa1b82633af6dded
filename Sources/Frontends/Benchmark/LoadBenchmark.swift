// Many small statements: how long each takes with nobody else there, and how many a crowd of clients gets done.

import Diagnostics
import Synchronization

/// One kind of statement of a load.
package struct LoadStatement: Sendable {
    package var name: String
    package var sql: String
    /// How often it is taken, in comparison with the others.
    package var weight: Int
    /// `:n` in the text is a number between 1 and this.
    package var numberMax: Int64

    package init(name: String, sql: String, weight: Int = 1, numberMax: Int64 = 100_000) {
        self.name = name
        self.sql = sql
        self.weight = weight
        self.numberMax = numberMax
    }

    /// What runs when a person gives no statements of their own; the first two need no table.
    package static func standard(rowCount: Int64) -> [LoadStatement] {
        [
            LoadStatement(name: "constant", sql: "SELECT 1", weight: 20),
            LoadStatement(
                name: "lookup", sql: "SELECT id, amount, note FROM martlet_bench WHERE id = :n", weight: 60,
                numberMax: rowCount),
            LoadStatement(
                name: "range", sql: "SELECT count(*), sum(amount) FROM martlet_bench WHERE id BETWEEN :n AND :n + 1000",
                weight: 15, numberMax: rowCount),
            LoadStatement(
                name: "aggregate",
                sql: "SELECT id % 100 AS part, count(*), avg(amount) FROM martlet_bench GROUP BY 1 ORDER BY 1",
                weight: 5),
        ]
    }

    func text(_ generator: inout SplitMix) -> String {
        guard sql.contains(":n") else { return sql }
        let number = Int64(generator.next() % UInt64(max(1, numberMax))) + 1
        return sql.split(separator: ":n", omittingEmptySubsequences: false).joined(separator: String(number))
    }
}

/// Random numbers that are the same in every run.
struct SplitMix {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

package struct LoadBenchmark: Sendable {
    package var name = "load"
    package var statements: [LoadStatement]
    package var seconds = 10
    package var warmUpSeconds = 2
    package var clients = 8
    /// Statements a second of all clients together; `nil` is as many as they get done. With a rate, a statement's time
    /// counts from when it was due, so that one that waits behind a slow one is slow too.
    package var rate: Double?
    /// Whether the table of the standard statements has to be made.
    package var rowCount: Int64?

    package init(statements: [LoadStatement]) { self.statements = statements }

    private struct Tally: Sendable {
        var histograms: [LatencyHistogram]
        var errors: [Int64]
        var notes: [String]
        var rows: [Int64]
        var perSecond: [Double]
    }

    package func run(_ target: BenchmarkTarget, say: @Sendable (String) -> Void) async throws -> BenchmarkReport {
        var report = BenchmarkReport(benchmark: name, target: target.name)
        report.startedAt = ShellText.localTime()
        report.settings = [("clients", "\(clients)"), ("seconds", "\(seconds)")]
        if let rate { report.settings.append(("rate", DecimalText.short(rate))) }
        var connections: [any ShellConnection] = []
        defer { for connection in connections { connection.close() } }
        for _ in 0..<clients { connections.append(try await target.open()) }
        if let rowCount { try await makeTable(connections[0], rowCount, say) }
        if warmUpSeconds > 0 {
            say("warming up for \(warmUpSeconds) s")
            _ = await crowd(connections, seconds: warmUpSeconds)
        }
        say("running for \(seconds) s with \(clients) clients")
        let tally = await crowd(connections, seconds: seconds)
        for (index, statement) in statements.enumerated() {
            var entry = BenchmarkReport.Entry(name: statement.name, histogram: tally.histograms[index])
            entry.errors = tally.errors[index]
            entry.note = tally.notes[index]
            entry.rows = entry.runs > 0 ? tally.rows[index] / entry.runs : 0
            report.entries.append(entry)
        }
        report.throughput = tally.perSecond
        report.seconds = Double(seconds)
        if target.isEmbedded { report.memoryBytesPeak = ProcessMemory.peakByteCount }
        return report
    }

    private func makeTable(
        _ connection: any ShellConnection, _ count: Int64, _ say: @Sendable (String) -> Void
    ) async throws {
        say("making a table of \(count) rows")
        try await connection.run("DROP TABLE IF EXISTS martlet_bench") { _ in }
        try await connection.run(
            "CREATE TABLE martlet_bench (id bigint PRIMARY KEY, amount numeric(12, 2), note text)"
        ) { _ in }
        try await connection.run(
            """
            INSERT INTO martlet_bench
            SELECT g, (g * 7919 % 1000003) / 100.0, 'note ' || g FROM generate_series(1, \(count)) AS s(g)
            """
        ) { _ in }
    }

    private func crowd(_ connections: [any ShellConnection], seconds: Int) async -> Tally {
        let start = ContinuousClock.now
        return await withTaskGroup(of: Tally.self) { group in
            for (index, connection) in connections.enumerated() {
                group.addTask { await self.client(connection, index, start, seconds) }
            }
            var total = emptyTally(seconds)
            for await tally in group {
                for index in statements.indices {
                    total.histograms[index].add(tally.histograms[index])
                    total.errors[index] += tally.errors[index]
                    total.rows[index] += tally.rows[index]
                    if total.notes[index].isEmpty { total.notes[index] = tally.notes[index] }
                }
                for second in total.perSecond.indices { total.perSecond[second] += tally.perSecond[second] }
            }
            return total
        }
    }

    private func emptyTally(_ seconds: Int) -> Tally {
        Tally(
            histograms: Array(repeating: LatencyHistogram(), count: statements.count),
            errors: Array(repeating: 0, count: statements.count),
            notes: Array(repeating: "", count: statements.count), rows: Array(repeating: 0, count: statements.count),
            perSecond: Array(repeating: 0, count: seconds))
    }

    private func client(
        _ connection: any ShellConnection, _ number: Int, _ start: ContinuousClock.Instant, _ seconds: Int
    ) async -> Tally {
        var tally = emptyTally(seconds)
        var generator = SplitMix(state: UInt64(number) &* 7919 &+ 17)
        let weightSum = statements.reduce(0) { $0 + $1.weight }
        let end = start + .seconds(seconds)
        let interval = rate.map { Double(clients) / $0 }
        var due = start
        while ContinuousClock.now < end {
            if interval != nil {
                if due > ContinuousClock.now { try? await Task.sleep(until: due, clock: .continuous) }
                if due >= end { break }
            } else {
                due = ContinuousClock.now
            }
            var choice = Int(generator.next() % UInt64(max(1, weightSum)))
            let index = statements.firstIndex { statement in
                choice -= statement.weight
                return choice < 0
            }
            guard let index else { break }
            do {
                let run = try await connection.measure(statements[index].text(&generator))
                let waited = (ContinuousClock.now - due).components
                let microseconds = waited.seconds * 1_000_000 + waited.attoseconds / 1_000_000_000_000
                tally.histograms[index].add(rate == nil ? run.microseconds : microseconds)
                tally.rows[index] += Int64(run.digest.rowCount)
                let second = Int((ContinuousClock.now - start).components.seconds)
                if second < seconds { tally.perSecond[second] += 1 }
            } catch {
                let error = QueryError.wrapping(error)
                tally.errors[index] += 1
                if tally.notes[index].isEmpty { tally.notes[index] = "\(error.state): \(error.message)" }
                if connection.isLost { break }
            }
            if let interval { due += .microseconds(Int64(interval * 1_000_000)) }
        }
        return tally
    }
}
