// Files of the Parquet writer, read back.

import Columnar
import Diagnostics
import FileFormats
import Foundation
import QueryPlan
import Storage
import Testing

@Suite struct ParquetWriterTests {
    private let scratch: ScratchDirectory
    init() throws { scratch = try ScratchDirectory() }

    private let fields = [
        Field(name: "id", type: .int64, isNullable: false), Field(name: "small", type: .int16),
        Field(name: "few", type: .text), Field(name: "many", type: .text), Field(name: "day", type: .date),
        Field(name: "price", type: .decimal(precision: 15, scale: 2)),
        Field(name: "wide", type: .decimal(precision: 30, scale: 4)), Field(name: "x", type: .float64),
        Field(name: "y", type: .float32), Field(name: "flag", type: .boolean), Field(name: "clock", type: .time),
        Field(name: "at", type: .timestamp), Field(name: "zoned", type: .timestampTZ), Field(name: "u", type: .uuid),
        Field(name: "raw", type: .bytea), Field(name: "gone", type: .int32), Field(name: "n", type: .int32),
    ]

    private func row(_ id: Int) -> [ScalarValue] {
        func orNull(_ divisor: Int, _ value: ScalarValue) -> ScalarValue { id % divisor == 0 ? .null : value }
        return [
            .integer(Int64(id)), orNull(7, .integer(Int64(id % 300 - 150))), orNull(5, .string("value \(id % 11)")),
            .string("a text that differs \(id)"), orNull(3, .integer(Int64(id % 400))),
            .decimal(Int128(id * 31 - 5000)), orNull(4, .decimal(Int128(id - 2000) * 1_000_000_000_000_000_000_000)),
            orNull(9, .float(Double(id) * 0.5 - 3)), .float(Double(Float(id) * 0.25)), orNull(6, .boolean(id % 3 == 1)),
            .integer(Int64(id) * 1000), .integer(Int64(id) * 1_000_003), orNull(8, .integer(-Int64(id))),
            .uuid(UUIDValue(high: UInt64(id), low: .max - UInt64(id))), orNull(10, .bytes([UInt8(id % 256), 0])),
            .null, orNull(2, .integer(Int64(id % 2))),
        ]
    }

    private func write(_ path: String, _ count: Int, _ options: [String: String]) throws {
        let writer = try FileTable.makeWriter(path: path, format: "parquet", options: options, columns: fields)
        var start = 0
        while start < count {
            let end = min(count, start + 1999)
            try writer.write(Batch.rows((start..<end).map(row), types: fields.map(\.type)))
            start = end
        }
        try writer.commit()
    }

    @Test(arguments: ["snappy", "zstd", "gzip", "lz4_raw", "none"]) func roundTrip(_ codec: String) async throws {
        let path = scratch.path + "/t.parquet"
        try write(path, 45_000, ["compression": codec, "row_group_size": "25000"])
        let table = try ParquetTable(name: "t", files: [FileIdentity(path: path)])
        #expect(table.schema.fields.map(\.name) == fields.map(\.name))
        #expect(table.schema.types == fields.map(\.type))
        #expect(table.schema.fields[0].isNullable == false && table.schema.fields[1].isNullable)
        let all = try await rows(table)
        #expect(all.count == 45_000)
        if let wrong = all.indices.first(where: { all[$0] != row($0) }) {
            Issue.record("row \(wrong): \(all[wrong]) instead of \(row(wrong))")
        }
        let statistics = try await table.statistics()
        #expect(statistics.columns[0].minimum == .integer(0) && statistics.columns[0].maximum == .integer(44_999))
        #expect(statistics.columns[15].nullFraction == 1)
        #expect(statistics.columns[2].distinctCount.map { abs($0 - 11) < 1 } == true)
        let predicate = QueryPlan.Expression.comparison(">=", .input(0, .int64), .literal(.integer(30_000), .int64))
        #expect(try await table.splits(for: ScanRequest(projection: [0], predicates: [predicate])).count == 1)
        if let copy = ProcessInfo.processInfo.environment["MARTLET_KEEP"] {
            try FileManager.default.copyItem(atPath: path, toPath: copy + "/" + codec + ".parquet")
        }
    }

    @Test("a column whose row groups share no value is apart, and a scan can be held to that")
    func valuesInOneSplit() async throws {
        let path = scratch.path + "/t.parquet"
        try write(path, 45_000, ["row_group_size": "25000"])
        let table = try ParquetTable(name: "t", files: [FileIdentity(path: path)])
        let columns = try await table.statistics().columns
        // Small row groups go into one split.
        let everything = Array(fields.indices)
        // Values grow from row to row in id, clock and price only; `gone` is NULL in both row groups.
        let apart = fields.indices.filter { columns[$0].isApart }.map { fields[$0].name }
        #expect(apart == ["id", "price", "clock", "at"].filter(apart.contains) && apart.contains("id"))
        #expect(!apart.contains("gone") && !apart.contains("few") && !apart.contains("n"))
        #expect(try await table.splits(for: ScanRequest(projection: everything, keptTogether: [0])).count == 2)
        // As when the table has changed since the plan was made.
        let whole = ScanRequest(projection: everything, keptTogether: [6])
        let splits = try await table.splits(for: whole)
        #expect(splits.count == 1 && splits[0].estimatedRowCount == 45_000)
        let reader = try table.makeReader(for: splits[0], request: whole, context: ScanContext(filters: []))
        var count = 0
        while let batch = try reader.next() { count += batch.rowCount }
        #expect(count == 45_000)
    }

    @Test("a table of four row groups can be read by four, however small its columns; tiny row groups go together")
    func splitsOfSmallTables() async throws {
        let path = scratch.path + "/t.parquet"
        try write(path, 80_000, ["row_group_size": "20000"])
        let four = try ParquetTable(name: "t", files: [FileIdentity(path: path)])
        let counts = try await four.splits(for: ScanRequest(projection: [0])).map(\.estimatedRowCount)
        #expect(counts == [20_000, 20_000, 20_000, 20_000])
        let small = scratch.path + "/small.parquet"
        try write(small, 40_000, ["row_group_size": "4000"])
        let ten = try ParquetTable(name: "t", files: [FileIdentity(path: small)])
        let together = try await ten.splits(for: ScanRequest(projection: [0])).map(\.estimatedRowCount)
        #expect(together == [16_000, 16_000, 8_000])
    }

    @Test func withoutRows() async throws {
        let path = scratch.path + "/empty.parquet"
        try write(path, 0, [:])
        let table = try ParquetTable(name: "t", files: [FileIdentity(path: path)])
        #expect(table.schema.types == fields.map(\.type))
        #expect(try await rows(table).isEmpty)
    }

    @Test func refusals() throws {
        let path = scratch.path + "/no.parquet"
        func make(_ options: [String: String], _ columns: [Field]) throws {
            _ = try FileTable.makeWriter(path: path, format: "parquet", options: options, columns: columns)
        }
        #expect(throws: QueryError.self) { try make(["compression": "lzo"], fields) }
        #expect(throws: QueryError.self) { try make(["row_group_size": "0"], fields) }
        #expect(throws: QueryError.self) { try make(["colour": "red"], fields) }
        #expect(throws: QueryError.self) {
            try make([:], [Field(name: "a", type: .record([Field(name: "x", type: .int32)]))])
        }
        #expect(throws: QueryError.self) {
            try FileTable.makeWriter(path: path, format: "excel", options: [:], columns: fields)
        }
        #expect(!FileManager.default.fileExists(atPath: path))
    }
}
