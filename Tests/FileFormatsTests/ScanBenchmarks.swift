// Cycles a row of scans over TPC-H files. Only runs when MARTLET_TPCH names the directory of the files.

import Columnar
import FileFormats
import Foundation
import QueryPlan
import Storage
import Testing

private let directory = ProcessInfo.processInfo.environment["MARTLET_TPCH"]

/// A filter over the entries of dictionaries: each entry is judged once.
private final class RangeFilter: ScanFilter {
    let positions: [Int]
    let range: ClosedRange<Int64>
    var prunable: QueryPlan.Expression? { nil }
    private var dictionary: Vector?
    private var verdicts: [UInt8] = []
    init(_ position: Int, _ range: ClosedRange<Int64>) {
        positions = [position]
        self.range = range
    }
    func select(_ batch: Batch) throws -> Selection? {
        let vector = batch.column(positions[0])
        let buffer = Buffer(byteCount: vector.count)
        let flags = buffer.base.assumingMemoryBound(to: UInt8.self)
        defer { withExtendedLifetime(buffer) {} }
        if let entries = vector.dictionary {
            if dictionary !== entries {
                dictionary = entries
                verdicts = [UInt8](repeating: 0, count: entries.count)
                for index in 0..<entries.count { verdicts[index] = judge(entries, index) }
            }
            verdicts.withUnsafeBufferPointer { verdicts in
                for row in 0..<vector.count { flags[row] = verdicts[Int(vector.codes[row])] }
            }
        } else {
            for row in 0..<vector.count { flags[row] = judge(vector, row) }
        }
        return Selection.rows(where: flags, count: vector.count)
    }
    private func judge(_ vector: Vector, _ index: Int) -> UInt8 {
        let value =
            vector.physical == .int32 ? Int64(vector.values(Int32.self)[index]) : vector.values(Int64.self)[index]
        return range.contains(value) ? 1 : 0
    }
}

@Suite(.enabled(if: directory != nil), .serialized) struct ScanBenchmarks {
    @Test func lineitem() async throws {
        let table = try ParquetTable(
            name: "lineitem", files: [FileIdentity(path: (directory ?? "") + "/lineitem.parquet")])
        func measure(_ name: String, _ projection: [Int], _ filters: () -> [any ScanFilter] = { [] }) async throws {
            var best = Double.infinity
            var count = 0
            for _ in 0..<5 {
                let start = clock()
                count = try await countRows(table, projection, filters: filters())
                best = min(best, Double(clock() - start) / Double(CLOCKS_PER_SEC))
            }
            let rows = Double(try await table.statistics().rowCount ?? 1)
            let line = String(format: "%.1f ms  %.2f ns/row  %d rows", best * 1000, best * 1e9 / rows, count)
            print(name.padding(toLength: 28, withPad: " ", startingAt: 0), line)
        }
        // Year 1994, discount 0.05 to 0.07, quantity below 24.
        try await measure("Q6 columns, filters", [10, 6, 4, 5]) {
            [RangeFilter(0, 8766...9130), RangeFilter(1, 5...7), RangeFilter(2, 0...2399)]
        }
        try await measure("Q6 columns", [10, 6, 4, 5])
        try await measure("Q1 columns", [8, 9, 10, 4, 5, 6, 7])
        for (index, field) in table.schema.fields.enumerated() { try await measure(field.name, [index]) }
        try await measure("count", [])
        let statistics = try await table.statistics()
        for (field, column) in zip(table.schema.fields, statistics.columns) {
            print(field.name, column.distinctCount ?? -1, column.averageByteCount ?? -1)
        }
    }
}
