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
}
