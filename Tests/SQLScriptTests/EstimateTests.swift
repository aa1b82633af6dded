// How far the planner's row counts are from the real ones, over TPC-H in Parquet files. A change that makes estimates much
// worse fails here; docs/performance.md has the figures of larger data.

import EngineTestSupport
import Foundation
import Testing

@Suite("Estimates")
struct EstimateTests {
    /// Factors between estimate and rows: of all operators on geometric average, and for nine of ten.
    private static let meanMax = 5.0
    private static let ninetyMax = 150.0

    private static let tables = [
        "customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier",
    ]

    @Test("TPC-H: joins, aggregates and filters")
    func tpch() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("estimates-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let writer = try await TestEngine.start()
        for table in Self.tables {
            _ = try await writer.query(
                "COPY (SELECT * FROM tpch.\"sf0.01\".\(table)) TO '\(directory.path)/\(table).parquet' (FORMAT parquet)"
            )
        }
        await writer.shutdown()
        let engine = try await TestEngine.start(dataDirectory: directory.path)
        let connection = engine.makeConnection()
        var errors: [Double] = []
        for number in 1...22 {
            let name = number < 10 ? "q0\(number)" : "q\(number)"
            let sql = try String(contentsOfFile: Fixtures.path("tpch/queries/\(name).sql"), encoding: .utf8)
            errors += try await connection.run("EXPLAIN ANALYZE " + sql).compactMap { $0[0].flatMap(Self.error) }
        }
        await engine.shutdown()
        errors.sort()
        try #require(errors.count > 80)
        let mean = exp(errors.reduce(0) { $0 + log($1) } / Double(errors.count))
        let ninety = errors[Int(0.9 * Double(errors.count - 1))]
        let text =
            "q-error of \(errors.count) operators: mean \(mean), 90 % \(ninety), largest \(errors[errors.count - 1])"
        #expect(mean <= Self.meanMax, "\(text)")
        #expect(ninety <= Self.ninetyMax, "\(text)")
    }

    /// The q-error of a line of EXPLAIN ANALYZE: the factor between estimate and rows. Scans are left out, since filters
    /// that joins find out while they run take rows from them, and operators that only pass rows on.
    private static func error(_ line: String) -> Double? {
        let operators = ["HashJoin", "NestedLoopJoin", "Aggregate", "Filter", "Window", "Union"]
        let name = line.drop { $0 == " " }.prefix { $0.isLetter }
        guard operators.contains(String(name)),
            let match = line.firstMatch(of: /rows=(\d+) \(actual rows=(\d+)/),
            let estimate = Double(match.1), let rows = Double(match.2)
        else { return nil }
        let (a, b) = (max(1, estimate), max(1, rows))
        return max(a / b, b / a)
    }
}
