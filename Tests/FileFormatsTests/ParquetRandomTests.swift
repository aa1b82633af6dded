// Parquet files of random schemas and values, written and read back; and what the writer says beside the values.

import Columnar
import Diagnostics
import FileFormats
import QueryPlan
import Storage
import TestSupport
import Testing

@Suite struct ParquetRandomTests {
    private let scratch: ScratchDirectory
    init() throws { scratch = try ScratchDirectory() }

    private static let types: [DataType] = [
        .boolean, .int16, .int32, .int64, .float32, .float64, .date, .time, .timestamp, .timestampTZ, .uuid, .text,
        .bytea,
        .json, .interval, .decimal(precision: 5, scale: 2), .decimal(precision: 9, scale: 0),
        .decimal(precision: 10, scale: 3), .decimal(precision: 18, scale: 18), .decimal(precision: 19, scale: 1),
        .decimal(precision: 38, scale: 7),
    ]

    private func value(_ type: DataType, _ spread: Int, _ random: inout SeededGenerator) -> ScalarValue {
        let small = Int64.random(in: 0..<Int64(spread), using: &random)
        switch type {
        case .boolean: return .boolean(small % 2 == 0)
        case .int16: return .integer(Int64(Int16(truncatingIfNeeded: small &* 77)))
        case .int32, .date: return .integer(Int64(Int32(truncatingIfNeeded: small &* 7919)))
        case .float32: return .float(Double(Float(small) * 0.25 - 3))
        case .float64: return small % 50 == 3 ? .float(.nan) : .float(Double(small) * 0.1 - 10)
        case .uuid: return .uuid(UUIDValue(high: UInt64(small), low: .max - UInt64(small)))
        case .text: return .string(text(small))
        case .bytea: return .bytes(Array(text(small).utf8) + [0, 0xFF, UInt8(small % 251)])
        case .json: return .string("{\"a\": \(small)}")
        case .interval:
            return .interval(
                IntervalValue(
                    months: Int32(small % 7), days: Int32(small % 40), microseconds: small % 4_000_000_000 * 1000))
        case .decimal(let precision, _):
            var bound: Int128 = 1
            for _ in 0..<precision { bound *= 10 }
            let value = (Int128(small) &* 1_000_000_007_000_003 &* Int128(small + 1)) % bound
            return .decimal(small % 3 == 0 ? 0 - value : value)
        default: return .integer(small &* 1_000_003)
        }
    }

    /// Short, long, empty, and beyond ASCII.
    private func text(_ number: Int64) -> String {
        switch number % 6 {
        case 0: ""
        case 1: "w\(number)"
        case 2: "a text that is longer than twelve bytes, number \(number)"
        case 3: String(repeating: "é", count: Int(number % 90)) + "\(number)"
        case 4: String(repeating: "long ", count: Int(number % 700)) + "\(number)"
        default:
            "\u{10FFFF}\u{10FFFF}\u{10FFFF}\u{10FFFF}\u{10FFFF}\u{10FFFF}\u{10FFFF}\u{10FFFF}\u{10FFFF}\u{10FFFF}"
                + "\u{10FFFF}\u{10FFFF}\u{10FFFF}\u{10FFFF}\u{10FFFF}\u{10FFFF}\u{10FFFF}\u{10FFFF}\(number)"
        }
    }

    @Test func roundTrips() async throws {
        var random = SeededGenerator()
        let seed = random.seed
        for round in 0..<12 {
            let fields = (0..<Int.random(in: 1...6, using: &random)).map { index in
                Field(
                    name: "c\(index)", type: Self.types.randomElement(using: &random)!,
                    isNullable: Bool.random(using: &random))
            }
            let count = [0, 1, 7, 64, 2500, 21_000].randomElement(using: &random)!
            let spreads = fields.map { _ in [1, 10, 3000, 1 << 40].randomElement(using: &random)! }
            let nulls = fields.map { _ in [0, 1, 2, 10].randomElement(using: &random)! }
            let rows = (0..<count).map { row in
                fields.indices.map { column in
                    // 1: all, 2: runs, 10: some.
                    let isNull =
                        switch nulls[column] {
                        case 0: false
                        case 1: true
                        case 2: row / 100 % 2 == 0
                        default: Int.random(in: 0..<10, using: &random) == 0
                        }
                    return isNull && fields[column].isNullable
                        ? ScalarValue.null : value(fields[column].type, spreads[column], &random)
                }
            }
            let options = [
                "compression": ["snappy", "zstd", "gzip", "lz4_raw", "none"].randomElement(using: &random)!,
                "row_group_size": ["1000", "122880", "20000"].randomElement(using: &random)!,
            ]
            let path = scratch.path + "/\(round).parquet"
            let writer = try FileTable.makeWriter(path: path, format: "parquet", options: options, columns: fields)
            var start = 0
            while start < count {
                let end = min(count, start + Int.random(in: 1...2048, using: &random))
                var batch = Batch.rows(Array(rows[start..<end]), types: fields.map(\.type))
                if Bool.random(using: &random) { batch = Self.withDictionaries(batch) }
                try writer.write(batch)
                start = end
            }
            try writer.commit()
            let table = try ParquetTable(name: "t", files: [FileIdentity(path: path)])
            #expect(table.schema.types == fields.map(\.type))
            let read = try await FileFormatsTests.rows(table)
            #expect(read.count == count, "seed \(seed), round \(round)")
            let wrong = zip(read, rows).enumerated().first { !Self.same($1.0, $1.1) }
            if let wrong {
                Issue.record("seed \(seed), round \(round), row \(wrong.offset) of \(fields): \(wrong.element)")
            }
            try await checkPruning(table, fields, rows, "seed \(seed), round \(round)")
        }
    }

    private static func same(_ a: [ScalarValue], _ b: [ScalarValue]) -> Bool {
        zip(a, b).allSatisfy { x, y in
            if case .float(let p) = x, case .float(let q) = y { return p == q || (p.isNaN && q.isNaN) }
            return x == y
        }
    }

    /// The same rows behind codes: every second row has an entry of its own, null entries too.
    private static func withDictionaries(_ batch: Batch) -> Batch {
        let columns = (0..<batch.columnCount).map { index -> Vector in
            let flat = batch.column(index).flattened()
            let codes = Buffer(byteCount: max(1, flat.count) * 4)
            for row in 0..<flat.count { codes.base.assumingMemoryBound(to: UInt32.self)[row] = UInt32(row) }
            return Vector(codes: codes, count: flat.count, dictionary: flat)
        }
        return Batch(columns: columns, rowCount: batch.rowCount)
    }

    /// Bounds never hide a row that is there.
    private func checkPruning(
        _ table: ParquetTable, _ fields: [Field], _ rows: [[ScalarValue]], _ what: Comment
    ) async throws {
        guard let row = rows.last else { return }
        for (column, field) in fields.enumerated() where !row[column].isNull {
            switch field.type {
            case .json, .interval, .uuid: continue
            default: break
            }
            let predicate = QueryPlan.Expression.comparison(
                "=", .input(0, field.type), .literal(row[column], field.type))
            let request = ScanRequest(projection: [column], predicates: [predicate])
            var found = false
            for split in try await table.splits(for: request) {
                let reader = try table.makeReader(for: split, request: request, context: ScanContext())
                while let batch = try reader.next() {
                    for position in 0..<batch.rowCount
                    where Self.same([batch.column(0).value(at: position)], [row[column]]) {
                        found = true
                    }
                }
            }
            #expect(found, what)
        }
    }

    @Test func parts() async throws {
        let path = scratch.path + "/parts.parquet"
        let fields = [Field(name: "a", type: .int64, isNullable: false), Field(name: "b", type: .text)]
        let writer = try FileTable.makeWriter(
            path: path, format: "parquet", options: ["row_group_size": "500"], columns: fields)
        let partitioned = try #require(writer as? any PartitionedTableWriter)
        #expect(partitioned.acceptsParts)
        let parts = [try partitioned.makePart(), try partitioned.makePart()]
        for start in stride(from: 0, to: 4000, by: 100) {
            let rows = (start..<(start + 100)).map { [ScalarValue.integer(Int64($0)), .string("row \($0)")] }
            try parts[start / 100 % 2].write(Batch.rows(rows, types: fields.map(\.type)))
        }
        for part in parts { try part.finish() }
        try writer.commit()
        let table = try ParquetTable(name: "t", files: [FileIdentity(path: path)])
        let read = try await FileFormatsTests.rows(table)
        #expect(Set(read) == Set((0..<4000).map { [ScalarValue.integer(Int64($0)), .string("row \($0)")] }))
    }

    @Test func nullInAColumnWithoutNulls() throws {
        let path = scratch.path + "/required.parquet"
        let fields = [Field(name: "a", type: .int64, isNullable: false)]
        let writer = try FileTable.makeWriter(path: path, format: "parquet", options: [:], columns: fields)
        #expect(throws: QueryError.self) { try writer.write(Batch.rows([[.integer(1)], [.null]], types: [.int64])) }
        writer.abort()
    }
}
