// Time of CSV scans. Only runs when MARTLET_CSV names a file: TPC-H's lineitem with a header.

import Columnar
import FileFormats
import Foundation
import QueryPlan
import Storage
import Testing

private let file = ProcessInfo.processInfo.environment["MARTLET_CSV"]

@Suite(.enabled(if: file != nil), .serialized) struct CSVBenchmarks {
    @Test func lineitem() async throws {
        let begin = clock()
        let table = try FileTable.open(name: "l", format: .csv, files: [FileIdentity(path: file ?? "")])
        print("open", Double(clock() - begin) / Double(CLOCKS_PER_SEC) * 1000, "ms", table.schema.types)
        let plan = clock()
        let splits = try await table.splits(for: ScanRequest(projection: []))
        print("splits", splits.count, Double(clock() - plan) / Double(CLOCKS_PER_SEC) * 1000, "ms")
        for projection in [Array(0..<table.schema.count), [10, 6, 4, 5], [0], [15], []] {
            var best = Double.infinity
            var count = 0
            for _ in 0..<3 {
                let start = clock()
                count = try await countRows(table, projection)
                best = min(best, Double(clock() - start) / Double(CLOCKS_PER_SEC))
            }
            print(projection, String(format: "%.1f ms  %d rows", best * 1000, count))
        }
    }
}
