// CSV: dialects, types, quoting, splits, errors.

import Columnar
import Diagnostics
import FileFormats
import Foundation
import QueryPlan
import Storage
import Testing

@Suite struct CSVTests {
    private let scratch: ScratchDirectory
    init() throws { scratch = try ScratchDirectory() }

    private func table(
        _ text: String, _ name: String = "t.csv", _ options: [String: String] = [:]
    ) throws -> any TableProvider {
        let path = try scratch.write(name, text)
        let format = FileFormat.of(fileName: name)?.format ?? .csv
        return try FileTable.open(name: "t", format: format, files: [FileIdentity(path: path)], options: options)
    }

    @Test func typesAndHeader() async throws {
        let table = try table(
            """
            id,name,price,day,at,zoned,clock,flag,gap
            1,Anna,1.5,2024-02-29,2024-02-29 12:30:00,2024-01-01T00:00:00Z,23:59:59.5,true,
            -2,"Bo, b",2,1969-12-31,1969-12-31T23:59:59.999999,2024-01-01 02:00:00+02:00,00:00,FALSE,
            ,"say ""hi"\"",,,,,,,
            """)
        #expect(
            table.schema.fields.map(\.name) == ["id", "name", "price", "day", "at", "zoned", "clock", "flag", "gap"])
        #expect(
            table.schema.types == [
                .int64, .text, .float64, .date, .timestamp, .timestampTZ, .time, .boolean, .text,
            ])
        let all = try await rows(table)
        #expect(all.count == 3)
        #expect(
            all[0] == [
                .integer(1), .string("Anna"), .float(1.5), .integer(19782), .integer(1_709_209_800_000_000),
                .integer(1_704_067_200_000_000), .integer(86_399_500_000), .boolean(true), .null,
            ])
        #expect(
            all[1] == [
                .integer(-2), .string("Bo, b"), .float(2), .integer(-1), .integer(-1),
                .integer(1_704_067_200_000_000), .integer(0), .boolean(false), .null,
            ])
        #expect(all[2][1] == .string("say \"hi\""))
        #expect(all[2][0] == .null && all[2][3] == .null && all[2][7] == .null)
        #expect(try await rows(table, [2, 0]).map { $0[1] } == [.integer(1), .integer(-2), .null])
        #expect(try await countRows(table, []) == 3)
    }

    @Test(arguments: [",", ";", "|", "\t"]) func delimiters(_ delimiter: String) async throws {
        let text = "a\(delimiter)b\n1\(delimiter)x y\n2\(delimiter)z\n"
        let table = try table(text)
        #expect(table.schema.fields.map(\.name) == ["a", "b"])
        #expect(try await rows(table) == [[.integer(1), .string("x y")], [.integer(2), .string("z")]])
    }

    @Test func withoutHeader() async throws {
        let table = try table("1,2.5\n3,4\n")
        #expect(table.schema.fields.map(\.name) == ["column0", "column1"])
        #expect(table.schema.types == [.int64, .float64])
        #expect(try await rows(table).count == 2)
    }

    @Test func textOnly() async throws {
        #expect(try table("city,country\nOslo,Norway\nRome,Italy\n").schema.fields.map(\.name) == ["city", "country"])
        #expect(try table("Oslo,Norway\nOslo,Norway\n").schema.fields.map(\.name) == ["column0", "column1"])
        let plain = try table("1\n2\n", "u.csv", ["header": "true", "all_text": "true"])
        #expect(plain.schema.fields.map(\.name) == ["1"])
        #expect(try await rows(plain) == [[.string("2")]])
    }

    @Test func lineEndsAndEmptyLines() async throws {
        let table = try table("a,b\r\n1,x\r\n\r\n2,\r\n\n3,\"q\r\nr\"")
        #expect(
            try await rows(table) == [
                [.integer(1), .string("x")], [.integer(2), .null], [.integer(3), .string("q\r\nr")],
            ])
        let old = try self.table("a,b\r1,x\r2,y\r", "old.csv")
        #expect(try await rows(old).count == 2)
    }

    @Test func byteOrderMark() async throws {
        let table = try table("\u{FEFF}a,b\n1,2\n")
        #expect(table.schema.fields.map(\.name) == ["a", "b"])
        #expect(try await rows(table) == [[.integer(1), .integer(2)]])
        let bare = try self.table("\u{FEFF}1,2\n3,4\n", "bare.csv")
        #expect(try await rows(bare) == [[.integer(1), .integer(2)], [.integer(3), .integer(4)]])
    }

    @Test func nullText() async throws {
        let table = try table("a,b\n1,NA\nNA,x\n3,\n", "n.csv", ["null": "NA"])
        #expect(
            try await rows(table) == [
                [.integer(1), .null], [.null, .string("x")], [.integer(3), .string("")],
            ])
        let quoted = try self.table("a,b\n1,\"\"\n2,\n", "q.csv")
        #expect(try await rows(quoted) == [[.integer(1), .string("")], [.integer(2), .null]])
    }

    @Test func backslashEscapes() async throws {
        let table = try table("a,b\n1,\"x \\\"y\\\", z\"\n2,\"p\\\\q\"\n", "e.csv", ["escape": "\\"])
        #expect(try await rows(table) == [[.integer(1), .string("x \"y\", z")], [.integer(2), .string("p\\q")]])
    }

    @Test func tblFiles() async throws {
        let table = try table("1|AIR|2.50|1996-03-13|\n2|RAIL|3|1996-04-12|\n", "lineitem.tbl")
        #expect(table.schema.types == [.int64, .text, .float64, .date])
        #expect(try await rows(table).map { $0[1] } == [.string("AIR"), .string("RAIL")])
    }

    @Test func numbers() async throws {
        let table = try table(
            "a,b\n9223372036854775807,1e10\n-9223372036854775808,-0.1\n12345678,123456789.123456789\n0,.5\n+7,1.\n")
        #expect(table.schema.types == [.int64, .float64])
        let all = try await rows(table)
        #expect(all.map { $0[0] } == [.integer(.max), .integer(.min), .integer(12_345_678), .integer(0), .integer(7)])
        #expect(
            all.map { $0[1] } == [.float(1e10), .float(-0.1), .float(123456789.123456789), .float(0.5), .float(1)])
        #expect(try self.table("a\n9223372036854775808\n", "big.csv").schema.types == [.float64])
    }

    @Test func errors() async throws {
        func state(_ text: String, _ options: [String: String] = [:]) async -> (SQLState?, String?) {
            do {
                _ = try await rows(try table(text, UUID().uuidString + ".csv", options))
                return (nil, nil)
            } catch let error as QueryError {
                return (error.state, error.detail)
            } catch {
                return (nil, nil)
            }
        }
        let few = await state("a,b\n1,2\n3\n4,5\n")
        #expect(few.0 == .badCopyFileFormat && few.1?.contains("line 3") == true)
        let many = await state("a,b\n1,2\n3,4,5\n4,5\n")
        #expect(many.0 == .badCopyFileFormat && many.1?.contains("line 3") == true)
        let open = await state("a,b\n1,2\n3,\"x\n4,5\n", ["header": "true", "quote": "\"", "delimiter": ","])
        #expect(open.0 == .badCopyFileFormat)
        let bad = await state("a\n1\n2\nx\n", ["sample_rows": "2", "header": "true"])
        #expect(bad.0 == .invalidTextRepresentation && bad.1?.contains("line 4") == true)
        #expect(await state("").0 == .badCopyFileFormat)
        let path = try scratch.write("latin.csv", Data([97, 44, 98, 10, 49, 44, 0xE9, 10]))
        await #expect(throws: QueryError.self) {
            _ = try await rows(FileTable.open(name: "t", format: .csv, files: [FileIdentity(path: path)]))
        }
    }

    @Test func splitsKeepQuotedNewlines() async throws {
        var text = "id,body\n"
        var expected: [String] = []
        for id in 0..<60_000 {
            let body = "line \(id)\nwith, \"\"quotes\"\"\n" + String(repeating: "é", count: id % 200)
            text += "\(id),\"\(body)\"\n"
            expected.append(body.replacingOccurrences(of: "\"\"", with: "\""))
        }
        let table = try table(text)
        let splits = try await table.splits(for: ScanRequest(projection: [0]))
        #expect(splits.count > 1)
        let all = try await rows(table)
        #expect(all.count == 60_000)
        #expect(all.indices.allSatisfy { all[$0] == [.integer(Int64($0)), .string(expected[$0])] })
        let filtered = try await rows(
            table, filters: [ValueFilter([0]) { if case .integer(let id) = $0[0] { id % 1000 == 7 } else { false } }])
        #expect(filtered.count == 60 && filtered[1] == [.integer(1007), .string(expected[1007])])
    }

    @Test func longRows() async throws {
        let long = String(repeating: "x", count: 3_000_000)
        let table = try table("a,b\n1,\(long)\n2,y\n")
        let all = try await rows(table)
        #expect(all.count == 2 && all[0][1] == .string(long) && all[1][1] == .string("y"))
    }
}
