// Scans of TPC-H files, if they are there.

import Columnar
import FileFormats
import Foundation
import QueryPlan
import Storage
import Testing

private let directory = ProcessInfo.processInfo.environment["MARTLET_TPCH"] ?? ".build/tpch/sf1"

@Suite(.enabled(if: FileManager.default.fileExists(atPath: directory))) struct TPCHFileTests {
    private func table(_ name: String) throws -> ParquetTable {
        try ParquetTable(name: name, files: [FileIdentity(path: "\(directory)/\(name).parquet")])
    }

    @Test func nation() async throws {
        let nation = try table("nation")
        #expect(nation.schema.fields.map(\.name) == ["n_nationkey", "n_name", "n_regionkey", "n_comment"])
        #expect(nation.schema.types == [.int64, .text, .int64, .text])
        let all = try await rows(nation)
        #expect(all.count == 25)
        #expect(all[6][1] == .string("FRANCE"))
        #expect(all[24][3].text?.isEmpty == false)
    }

    @Test func lineitem() async throws {
        let lineitem = try table("lineitem")
        #expect(lineitem.schema.fields[5].type == .decimal(precision: 15, scale: 2))
        #expect(lineitem.schema.fields[10].type == .date)
        let total = try await lineitem.statistics().rowCount
        let request = ScanRequest(projection: [4, 5, 13])
        var sums: (quantity: Int64, price: Int64, count: Int, text: Int) = (0, 0, 0, 0)
        for split in try await lineitem.splits(for: request) {
            let reader = try lineitem.makeReader(for: split, request: request, context: ScanContext())
            while let batch = try reader.next() {
                let quantity = batch.column(0).flattened()
                let price = batch.column(1).flattened()
                let text = batch.column(2).flattened()
                for row in 0..<batch.rowCount {
                    sums.quantity += quantity.values(Int64.self)[row]
                    sums.price += price.values(Int64.self)[row]
                    sums.text += text.views[row].count
                }
                sums.count += batch.rowCount
            }
        }
        #expect(Double(sums.count) == total)
        if sums.count == 6_001_215 {
            #expect(sums.quantity == 15_307_879_500)
            #expect(sums.price == 22_957_731_090_120)
            #expect(sums.text == 72_006_409)
        }
    }
}
