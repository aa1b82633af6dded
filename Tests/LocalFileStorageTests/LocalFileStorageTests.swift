// Directories and paths of files against the rules of all backends, and what is special about files.

import Columnar
import Diagnostics
import EngineConfiguration
import Foundation
import LocalFileStorage
import PluginHost
import QueryPlan
import Storage
import StorageConformance
import Testing

@Suite struct LocalFileStorageTests {
    private let directory: String
    private let manager = FileManager.default

    init() throws {
        directory = NSTemporaryDirectory() + "martlet-files-" + UUID().uuidString
        try manager.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures").path

    private func write(_ name: String, _ text: String) throws {
        let path = directory + "/" + name
        try manager.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    private func backend(_ values: [String: String] = [:]) throws -> any StorageBackend {
        let section = ConfigurationSection(
            name: "f", values: values.merging(["directory": directory]) { first, _ in first })
        return try #require(try LocalFileStoragePlugin().makeStorageBackend(section))
    }

    private func ids(_ backend: any StorageBackend, _ schema: String, _ name: String) async throws -> [ScalarValue] {
        let table = try #require(try await backend.table(schema: schema, name: name))
        let request = ScanRequest(projection: [0])
        var result: [ScalarValue] = []
        for split in try await table.splits(for: request) {
            let reader = try table.makeReader(for: split, request: request, context: ScanContext())
            while let batch = try reader.next() { for row in 0..<batch.rowCount { result.append(batch.row(row)[0]) } }
        }
        return result
    }

    /// Reading of one table, and writing beside it in a directory of its own.
    private func conformance(_ backend: any StorageBackend, _ table: String) async throws {
        let fixture = ConformanceFixture(backend, schema: "public", table: table)
        let report = await fixture.run(StorageConformance.readingCases)
        #expect(report.failures.isEmpty, "\(report.failures.joined(separator: "\n"))")
        #expect(report.keptCount >= 100, "\(report.skipped.joined(separator: "\n"))")
    }

    @Test(arguments: ["csv", "parquet"]) func cases(format: String) async throws {
        if format == "csv" {
            try write("standard.csv", StandardTable.csv)
        } else {
            try manager.copyItem(
                atPath: Self.fixtures + "/parquet/standard.parquet", toPath: directory + "/standard.parquet")
        }
        try await conformance(try backend(), "standard")
    }

    @Test func csv() async throws {
        try write("Standard.csv", StandardTable.csv)
        let conformance = StorageConformance(try backend(), schema: "public", table: "standard")
        try await conformance.checkReading()
        try await conformance.checkVanishing { try manager.removeItem(atPath: directory + "/Standard.csv") }
    }

    @Test func parquet() async throws {
        try manager.copyItem(
            atPath: Self.fixtures + "/parquet/standard.parquet", toPath: directory + "/standard.parquet")
        let conformance = StorageConformance(try backend(), schema: "public", table: "standard")
        try await conformance.checkReading()
        try await conformance.checkVanishing { try manager.removeItem(atPath: directory + "/standard.parquet") }
    }

    @Test func severalFiles() async throws {
        let lines = StandardTable.csv.split(separator: "\n")
        for part in 0..<4 {
            let body = lines[(1 + part * 2500)..<(1 + (part + 1) * 2500)].joined(separator: "\n")
            try write("standard/part-\(part).csv", lines[0] + "\n" + body + "\n")
            try write("numbered-\(part).csv", lines[0] + "\n" + body + "\n")
        }
        let backend = try backend()
        #expect(try await backend.tableNames(schema: "public") == ["numbered", "standard"])
        try await StorageConformance(backend, schema: "public", table: "standard").checkReading()
        try await StorageConformance(backend, schema: "public", table: "numbered").checkReading()
        try await conformance(backend, "numbered")
    }

    @Test func changedFile() async throws {
        try write("t.csv", "a\n1\n2\n")
        let backend = try backend()
        let table = try #require(try await backend.table(schema: "public", name: "t"))
        let request = ScanRequest(projection: [0])
        let splits = try await table.splits(for: request)
        try write("t.csv", "a\n1\n2\n3\n")
        do {
            for split in splits { _ = try table.makeReader(for: split, request: request, context: ScanContext()) }
            Issue.record("a changed file is read")
        } catch let error as QueryError {
            #expect(error.state == .ioError)
        }
        #expect(try await ids(backend, "public", "t").count == 3)
        try manager.removeItem(atPath: directory + "/t.csv")
        #expect(try await backend.table(schema: "public", name: "t") == nil)
    }

    /// What is kept of a directory never hides what has changed in it: files that come, go, or are written in place.
    @Test func keptListings() async throws {
        try write("t/a.csv", "n\n1\n")
        let backend = try backend()
        // Directories that changed a moment ago are not kept; an hour ago they did not change.
        func settle() throws {
            for path in [directory, directory + "/t"] {
                try manager.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -3600)], ofItemAtPath: path)
            }
        }
        for _ in 0..<2 {
            try settle()
            #expect(try await ids(backend, "public", "t") == [.integer(1)])
        }
        try Data("n\n1\n5\n".utf8).write(to: URL(fileURLWithPath: directory + "/t/a.csv"), options: [])
        #expect(try await ids(backend, "public", "t") == [.integer(1), .integer(5)])
        try write("t/b.csv", "n\n7\n")
        #expect(try await ids(backend, "public", "t") == [.integer(1), .integer(5), .integer(7)])
        try manager.removeItem(atPath: directory + "/t/a.csv")
        #expect(try await ids(backend, "public", "t") == [.integer(7)])
        try write("u.csv", "n\n9\n")
        #expect(try await ids(backend, "public", "u") == [.integer(9)])
    }

    @Test func disagreement() async throws {
        try write("t/a.csv", "a,b\n1,2\n")
        try write("t/b.csv", "a,c\n1,2\n")
        await #expect(throws: QueryError.self) { try await backend().table(schema: "public", name: "t") }
        try write("u.csv", "a\n1\n")
        try write("u.tsv", "a\n1\n")
        await #expect(throws: QueryError.self) { try await backend().tableNames(schema: "public") }
        #expect(try await backend(["format": "tsv"]).tableNames(schema: "public") == ["u"])
    }

    @Test func paths() async throws {
        for year in 2020...2022 {
            for month in 1...2 { try write("y\(year)/m\(month)/data.csv", "id,v\n\(year * 100 + month),x\n") }
        }
        let files = PathBackend()
        func find(_ pattern: String) async throws -> [Int64] {
            let (schema, name) = try await files.resolve(path: directory + pattern)
            return try await ids(files, schema, name).compactMap { if case .integer(let id) = $0 { id } else { nil } }
        }
        #expect(try await find("/y2020/m1/data.csv") == [202001])
        #expect(try await find("/y2020/m1") == [202001])
        #expect(try await find("/y202[01]/m2/*.csv") == [202002, 202102])
        #expect(try await find("/*/m?/d*.csv").count == 6)
        #expect(try await find("/**/data.csv").count == 6)
        #expect(try await find("/y2021/**").count == 2)
        #expect(try await find("/y2020/../y2022/./m1/data.csv") == [202201])
        for pattern in ["/nothing.csv", "/*.parquet", "/y2020/m1/data.txt"] {
            do {
                _ = try await files.resolve(path: directory + pattern)
                Issue.record("\(pattern) is found")
            } catch let error as QueryError {
                #expect(error.state == .undefinedFile)
            }
        }
    }

    @Test func writing() async throws {
        let files = PathBackend()
        let rows: [[ScalarValue]] = [
            [.integer(1), .string("plain"), .float(1.5), .boolean(true)],
            [.null, .string("with, \"all\"\nof it"), .null, .boolean(false)],
            [.integer(-3), .string(""), .float(1e300), .null],
            [.integer(4), .null, .float(0.1), .null],
        ]
        let fields = [
            Field(name: "a", type: .int64), Field(name: "b, c", type: .text), Field(name: "d", type: .float64),
            Field(name: "e", type: .boolean),
        ]
        func write(_ name: String, _ format: String, _ options: [String: String]) throws -> String {
            let path = directory + "/" + name
            let writer = try files.makeFileWriter(path: path, format: format, options: options, columns: fields)
            try writer.write(Batch.rows(rows, types: fields.map(\.type)))
            #expect(!manager.fileExists(atPath: path))
            try writer.commit()
            return try String(contentsOfFile: path, encoding: .utf8)
        }
        #expect(
            try write("o.csv", "csv", ["header": "true"])
                == "a,\"b, c\",d,e\n1,plain,1.5,t\n,\"with, \"\"all\"\"\nof it\",,f\n-3,\"\",1e+300,\n4,,0.1,\n")
        #expect(
            try write("o.txt", "text", [:])
                == "1\tplain\t1.5\tt\n\\N\twith, \"all\"\\nof it\t\\N\tf\n-3\t\t1e+300\t\\N\n4\t\\N\t0.1\t\\N\n")
        let (schema, name) = try await files.resolve(path: directory + "/o.csv")
        let table = try #require(try await files.table(schema: schema, name: name))
        #expect(table.schema.fields.map(\.name) == ["a", "b, c", "d", "e"])
        #expect(try await ids(files, schema, name) == [.integer(1), .null, .integer(-3), .integer(4)])
        let aborted = try files.makeFileWriter(path: directory + "/p.csv", format: "csv", options: [:], columns: fields)
        aborted.abort()
        #expect(try manager.contentsOfDirectory(atPath: directory).sorted() == ["o.csv", "o.txt"])
        #expect(throws: QueryError.self) {
            try files.makeFileWriter(path: "/no/such/place/x.csv", format: "csv", options: [:], columns: fields)
        }
        #expect(throws: QueryError.self) {
            try files.makeFileWriter(path: directory + "/x", format: "csv", options: ["colour": "1"], columns: fields)
        }
    }

    @Test func configuration() {
        func open(_ values: [String: String]) throws {
            _ = try LocalFileStoragePlugin().makeStorageBackend(ConfigurationSection(name: "f", values: values))
        }
        #expect(throws: Never.self) { try open([:]) }
        #expect(throws: QueryError.self) { try open(["directory": "/tmp", "format": "excel"]) }
        #expect(throws: QueryError.self) { try open(["directory": "/tmp", "delimiter": "ab"]) }
        #expect(throws: QueryError.self) { try open(["directory": "/tmp", "delimeter": ","]) }
        #expect(throws: Never.self) { try open(["path": "/tmp", "delimiter": ";", "header": "true"]) }
    }

    // MARK: Writing

    private let columns = [Field(name: "a", type: .int64), Field(name: "b", type: .text)]

    private func fill(_ table: any TableProvider, _ range: Range<Int>) async throws -> any TableWriter {
        let writer = try await table.makeWriter()
        try writer.write(Batch.rows(range.map { [.integer(Int64($0)), .string("b\($0)")] }, types: [.int64, .text]))
        return writer
    }

    /// Names in the directory, hidden ones too.
    private func names(_ path: String = "") throws -> [String] {
        try manager.contentsOfDirectory(atPath: directory + path).sorted()
    }

    @Test func tablesAreMadeFilledAndDropped() async throws {
        let backend = try backend(["writable": "true"])
        try await backend.createTable(schema: "public", name: "t", columns: columns)
        #expect(try await ids(backend, "public", "t").isEmpty)
        let table = try #require(try await backend.table(schema: "public", name: "t"))
        let writer = try await fill(table, 0..<10)
        #expect(try await ids(backend, "public", "t").isEmpty)
        try writer.commit()
        #expect(try await ids(backend, "public", "t").count == 10)
        let other = try await fill(table, 10..<20)
        other.abort()
        #expect(try await ids(backend, "public", "t").count == 10)
        #expect(try names("/t").count == 2)
        await #expect(throws: QueryError.self) {
            try await backend.createTable(schema: "public", name: "t", columns: columns)
        }
        try await backend.dropTable(schema: "public", name: "t")
        #expect(try names().isEmpty)
    }

    @Test func aPreparedTableAppearsWithItsRows() async throws {
        let backend = try backend(["writable": "true"])
        let definition = TableDefinition(Schema(columns))
        try await backend.prepareTable(schema: "public", name: "t", definition: definition)
        await #expect(throws: QueryError.self) {
            try await backend.prepareTable(schema: "public", name: "t", definition: definition)
        }
        #expect(try await backend.tableNames(schema: "public").isEmpty)
        let table = try #require(try await backend.table(schema: "public", name: "t"))
        let writer = try await fill(table, 0..<3)
        #expect(try await backend.tableNames(schema: "public").isEmpty)
        try writer.commit()
        #expect(try await ids(backend, "public", "t").count == 3)
        // Given up: nothing is left.
        try await backend.prepareTable(schema: "public", name: "u", definition: definition)
        let given = try #require(try await backend.table(schema: "public", name: "u"))
        try await fill(given, 0..<3).abort()
        try await backend.dropTable(schema: "public", name: "u")
        #expect(try names() == ["t"])
    }

    @Test func filesOfTheDirectoryItselfGetCompany() async throws {
        let backend = try backend(["writable": "true"])
        try await backend.createTable(schema: "public", name: "t", columns: columns)
        try manager.moveItem(atPath: directory + "/t/data-0.parquet", toPath: directory + "/single.parquet")
        let table = try #require(try await backend.table(schema: "public", name: "single"))
        try await fill(table, 0..<5).commit()
        #expect(try await ids(backend, "public", "single").count == 5)
    }

    @Test func writingIsRefused() async throws {
        let reading = try backend()
        await #expect(throws: QueryError.self) {
            try await reading.createTable(schema: "public", name: "t", columns: columns)
        }
        let backend = try backend(["writable": "true"])
        for name in ["A", "a/b", ".a", "_a", ""] {
            await #expect(throws: QueryError.self) {
                try await backend.createTable(schema: "public", name: name, columns: columns)
            }
        }
        await #expect(throws: QueryError.self) {
            try await backend.createTable(
                schema: "public", name: "t", columns: [Field(name: "a", type: .bit(length: 3))])
        }
        try write("c.csv", "a\n1\n")
        let csv = try #require(try await backend.table(schema: "public", name: "c"))
        await #expect(throws: QueryError.self) { _ = try await csv.makeWriter() }
        #expect(try names() == ["c.csv"])
    }

    @Test func rootsLimitPaths() async throws {
        try write("in/a.csv", "a\n1\n")
        try write("out/b.csv", "a\n1\n")
        try manager.createSymbolicLink(atPath: directory + "/in/link", withDestinationPath: directory + "/out")
        let section = ConfigurationSection(name: "files", values: ["roots": directory + "/in"])
        let made = try LocalFileStoragePlugin().makeStorageBackend(section)
        let files = try #require(made as? any PathResolvingBackend & FileWritingBackend & FileReadingBackend)
        _ = try await files.resolve(path: directory + "/in/a.csv")
        _ = try files.openFile(path: directory + "/in/a.csv")
        for path in ["/out/b.csv", "/in/../out/b.csv", "/in/link/b.csv"] {
            await #expect(throws: QueryError.self) { _ = try await files.resolve(path: directory + path) }
            #expect(throws: QueryError.self) { _ = try files.openFile(path: directory + path) }
        }
        func copy(_ path: String) throws {
            try files.makeFileWriter(path: directory + path, format: "csv", options: [:], columns: columns).abort()
        }
        try copy("/in/new.csv")
        for path in ["/new.csv", "/in/../new.csv", "/in/link/new.csv", "/inside.csv"] {
            #expect(throws: QueryError.self) { try copy(path) }
        }
        // Without any root nothing is written, and everything read.
        let none = try LocalFileStoragePlugin().makeStorageBackend(
            ConfigurationSection(name: "files", values: ["roots": ""]))
        let reader = try #require(none as? any PathResolvingBackend & FileWritingBackend)
        _ = try await reader.resolve(path: directory + "/out/b.csv")
        #expect(throws: QueryError.self) {
            _ = try reader.makeFileWriter(path: directory + "/new.csv", format: "csv", options: [:], columns: columns)
        }
    }
}
