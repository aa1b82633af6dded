// Values of Parquet files against what their writer put in: every encoding, codec, page version and type.

import Columnar
import Diagnostics
import FileFormats
import Foundation
import QueryPlan
import Storage
import Testing

@Suite struct ParquetValueTests {
    private static let matrix: [String] = ["none", "snappy", "gzip", "zstd", "lz4", "brotli"].flatMap {
        ["\($0)_v1", "\($0)_v2"]
    }

    private func table(_ name: String) throws -> ParquetTable {
        try ParquetTable(name: name, files: [FileIdentity(path: "\(fixtures)/parquet/\(name).parquet")])
    }

    private let expected: [String: [Any]] = {
        let data = try? Data(contentsOf: URL(fileURLWithPath: "\(fixtures)/parquet/matrix/expected.json"))
        let object = data.flatMap { try? JSONSerialization.jsonObject(with: $0) }
        return object as? [String: [Any]] ?? [:]
    }()

    /// The expected value in the form that a column of the type has.
    private static func scalar(_ value: Any, _ type: DataType) -> ScalarValue {
        if value is NSNull { return .null }
        switch type {
        case .boolean: return .boolean((value as? NSNumber)?.boolValue ?? false)
        case .int32, .int64: return .integer((value as? NSNumber)?.int64Value ?? 0)
        case .float32, .float64: return .float((value as? NSNumber)?.doubleValue ?? 0)
        case .decimal:
            if let text = value as? String { return .decimal(Int128(text) ?? 0) }
            return .decimal(Int128((value as? NSNumber)?.int64Value ?? 0))
        case .bytea:
            let digits = Array((value as? String ?? "").utf8)
            return .bytes(
                stride(from: 0, to: digits.count, by: 2).map {
                    UInt8(String(decoding: digits[$0..<($0 + 2)], as: UTF8.self), radix: 16) ?? 0
                })
        default: return .string(value as? String ?? "")
        }
    }

    @Test(arguments: matrix) func everyEncoding(_ name: String) async throws {
        let table = try table("matrix/" + name)
        #expect(table.schema.count == expected.count && table.schema.count > 50)
        let all = try await rows(table)
        #expect(all.count == 700)
        for (index, field) in table.schema.fields.enumerated() {
            let wanted = (expected[field.name] ?? []).map { Self.scalar($0, field.type) }
            let found = all.map { $0[index] }
            if found != wanted {
                let row = zip(found, wanted).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? -1
                Issue.record("\(field.name) differs at row \(row): \(found[row]) instead of \(wanted[row])")
            }
        }
        // The same through filters: few rows of each batch are left.
        let picked = try await rows(
            table, filters: [ValueFilter([4]) { if case .integer(let x) = $0[0] { x % 16 == 0 } else { false } }])
        let wanted = all.filter { if case .integer(let x) = $0[4] { x % 16 == 0 } else { false } }
        #expect(picked == wanted && !wanted.isEmpty)
    }

    @Test func types() async throws {
        let table = try table("types")
        let names = table.schema.fields.map(\.name)
        func column(_ name: String) async throws -> [ScalarValue] {
            try await rows(table, [try #require(names.firstIndex(of: name))]).map { $0[0] }
        }
        let types = Dictionary(uniqueKeysWithValues: table.schema.fields.map { ($0.name, $0.type) })
        #expect(try await column("i8") == [.integer(-128), .integer(127), .null] && types["i8"] == .int16)
        #expect(try await column("i16") == [.integer(-32768), .integer(32767), .null] && types["i16"] == .int16)
        #expect(try await column("u8") == [.integer(0), .integer(255), .null] && types["u8"] == .int16)
        #expect(try await column("u16") == [.integer(0), .integer(65535), .null] && types["u16"] == .int32)
        #expect(try await column("u32") == [.integer(0), .integer(4_294_967_295), .null] && types["u32"] == .int64)
        #expect(try await column("u64") == [.decimal(0), .decimal(18_446_744_073_709_551_615), .null])
        #expect(try await column("f16") == [.float(1.5), .float(-0.00006103515625), .null])
        #expect(try await column("day") == [.integer(-25567), .integer(19782), .null] && types["day"] == .date)
        #expect(
            try await column("ms") == [.integer(-1000), .integer(1_709_209_800_000_000), .null]
                && types["ms"] == .timestamp)
        #expect(
            try await column("us") == [.integer(-1000), .integer(1_709_209_800_000_000), .null]
                && types["us"] == .timestampTZ)
        #expect(try await column("ns") == [.integer(-1), .integer(1_700_000_000_123_456), .null])
        #expect(try await column("t_ms") == [.integer(0), .integer(86_399_999_000), .null] && types["t_ms"] == .time)
        #expect(try await column("t_us") == [.integer(0), .integer(1), .null])
        #expect(try await column("t_ns") == [.integer(0), .integer(86_399_999_999), .null])
        #expect(try await column("bin") == [.bytes([]), .bytes([0, 255]), .null] && types["bin"] == .bytea)
        #expect(try await column("none") == [.null, .null, .null] && types["none"] == .text)
        #expect(try await column("d38").first == .decimal(-1))
        #expect(
            try await column("u") == [
                .uuid(UUIDValue(high: 0, low: 1)), .uuid(UUIDValue(high: .max, low: .max)), .null,
            ])
        #expect(types["list"] == .array(.int64))
        #expect(try await column("last") == [.integer(1), .integer(2), .integer(3)])
        for nested in ["list", "record"] {
            do {
                _ = try await column(nested)
                Issue.record("\(nested) is read")
            } catch let error as QueryError {
                #expect(error.state == .featureNotSupported)
            }
        }
    }

    @Test func oldTypes() async throws {
        let moments = try await rows(try table("int96"))
        #expect(moments.map { $0[0] } == [.integer(-1000), .integer(1_709_209_800_000_000), .null])
        let decimals = try table("decimal_int")
        #expect(decimals.schema.types == [.decimal(precision: 4, scale: 1), .decimal(precision: 15, scale: 2)])
        #expect(try await rows(decimals) == [[.decimal(15), .decimal(-12_345_678_912)], [.null, .null]])
    }

    @Test func dictionaryGivenUp() async throws {
        let table = try table("fallback")
        func row(_ id: Int) -> [ScalarValue] {
            [.integer(Int64(id)), id % 17 == 0 ? .null : .string("name of row \(id * id)"), .integer(Int64(id / 100))]
        }
        #expect(try await rows(table) == (0..<6000).map(row))
        for divisor: Int64 in [2, 3, 50, 701] {
            let picked = try await rows(
                table,
                filters: [ValueFilter([0]) { if case .integer(let x) = $0[0] { x % divisor == 0 } else { false } }])
            #expect(picked == (0..<6000).filter { $0 % Int(divisor) == 0 }.map(row))
        }
        // A filter on the column itself, which changes its form.
        let named = try await rows(table, filters: [ValueFilter([1]) { $0[0].text?.hasSuffix("4") == true }])
        #expect(named == (0..<6000).map(row).filter { $0[1].text?.hasSuffix("4") == true })
    }

    @Test(arguments: ["text_dictionary", "text_plain"]) func text(_ name: String) async throws {
        let words = ["", "ascii", "ünïcödé und mehr als zwölf", "日本語のテキスト", "🚀"]
        #expect(try await rows(try table(name)).map { $0[0] } == (0..<100).map { .string(words[$0 % 5]) })
        do {
            _ = try await rows(try table(name + "_broken"))
            Issue.record("broken text is read")
        } catch let error as QueryError {
            #expect(error.state == .characterNotInRepertoire)
        }
    }

    /// Rows that come without exact filters: what pruning leaves.
    @Test func pruning() async throws {
        let table = try table("pages")
        func left(_ predicate: QueryPlan.Expression) async throws -> [[ScalarValue]] {
            try await rows(table, predicates: [predicate])
        }
        func id(_ name: String, _ value: Int64) -> QueryPlan.Expression {
            .comparison(name, .input(0, .int64), .literal(.integer(value), .int64))
        }
        #expect(try await rows(table).count == 8000)
        let equal = try await left(id("=", 4711))
        #expect(equal.contains { $0[0] == .integer(4711) } && equal.count < 300)
        let low = try await left(id("<", 250))
        #expect(low.prefix(250).count == 250 && low.count < 600)
        #expect(try await left(id(">", 9000)).isEmpty)
        #expect(try await left(.conjunction([id(">=", 3990), id("<", 4010)])).count < 600)
        let bucket = QueryPlan.Expression.input(1, .int32)
        let nulls = try await left(.isNull(bucket))
        #expect(nulls.filter { $0[1] == .null }.count == 1000 && nulls.count < 1500)
        #expect(try await left(.not(.isNull(bucket))).filter { $0[1] != .null }.count == 7000)
        let inList = try await left(.inList(.input(0, .int64), [.integer(1), .integer(7999)]))
        #expect(inList.contains { $0[0] == .integer(1) } && inList.contains { $0[0] == .integer(7999) })
        #expect(inList.count < 600)
        let text = try await left(.comparison("=", .input(2, .text), .literal(.string("01234"), .text)))
        #expect(text.contains { $0[0] == .integer(1234) } && text.count < 300)
        // A filter's prunable part prunes as well.
        let filter = ValueFilter([0], prunable: id("=", 4711)) { $0[0] == .integer(4711) }
        #expect(try await rows(table, [0, 2], filters: [filter]) == [[.integer(4711), .string("04711")]])
    }

    @Test func statistics() async throws {
        let statistics = try await table("pages").statistics()
        #expect(statistics.rowCount == 8000)
        #expect(statistics.columns[0].minimum == .integer(0) && statistics.columns[0].maximum == .integer(7999))
        #expect(statistics.columns[1].nullFraction == 0.125)
        #expect(statistics.columns[2].minimum == .string("00000"))
        #expect(statistics.columns[2].averageByteCount.map { abs($0 - 5) < 1 } == true)
    }
}
