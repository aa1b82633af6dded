// A database file against the rules of all stores.

import Diagnostics
import EngineConfiguration
import QueryPlan
import SQLiteStorage
import Storage
import StorageConformance
import StoreServers
import Testing

@Suite(.serialized) struct SQLiteConformanceTests {
    @Test(arguments: [[:], ["split-rows": "1000", "readers": "3"]])
    func conformance(values: [String: String]) async throws {
        let file = try DatabaseFile()
        let backend = try file.backend(values.merging(["create": "true"]) { $1 })
        try await StorageConformance.fill(backend, schema: "public", table: "standard")
        let fixture = ConformanceFixture(backend, schema: "public", table: "standard")
        let report = await fixture.run(StorageConformance.readingCases + StorageConformance.writingCases)
        #expect(report.failures.isEmpty, "\(report.failures.joined(separator: "\n"))")
        #expect(report.keptCount >= 150, "\(report.skipped.joined(separator: "\n"))")
        try file.run("ANALYZE")
        let again = await fixture.run(StorageConformance.readingCases)
        #expect(again.failures.isEmpty, "\(again.failures.joined(separator: "\n"))")
    }

    /// A table whose types SQLite itself keeps, with an index, and one without the numbers of rows.
    @Test(arguments: ["STRICT", "WITHOUT ROWID", ""])
    func tablesOfOtherKinds(kind: String) async throws {
        let types =
            kind == "STRICT"
            ? "(id INTEGER PRIMARY KEY, category TEXT, amount REAL, day TEXT, note TEXT)"
            : "(id INTEGER PRIMARY KEY, category TEXT COLLATE NOCASE, amount REAL, day DATE, note TEXT)"
        let file = try DatabaseFile("CREATE TABLE standard \(types) \(kind); CREATE INDEX i ON standard (category)")
        let backend = try file.backend(["split-rows": "1000"])
        let table = try #require(try await backend.table(schema: "public", name: "STANDARD"))
        #expect(table.identifiesRows == (kind != "WITHOUT ROWID"))
        guard kind != "STRICT" else {
            #expect(table.schema.types == [.int64, .text, .float64, .text, .text])
            return
        }
        try await StorageConformance.fillExisting(backend, schema: "public", table: "standard")
        let fixture = ConformanceFixture(backend, schema: "public", table: "standard")
        let report = await fixture.run(StorageConformance.readingCases)
        #expect(report.failures.isEmpty, "\(report.failures.joined(separator: "\n"))")
    }

    @Test func configuration() throws {
        let plugin = SQLiteStoragePlugin()
        #expect(try plugin.makeStorageBackend(ConfigurationSection(name: "l", values: ["path": "/tmp/x.db"])) != nil)
        for values in [
            [:], ["path": ""], ["path": ":memory:"], ["path": "/tmp/x", "colour": "red"],
            ["path": "/tmp/x", "readers": "0"], ["path": "/tmp/x", "journal-mode": "off"],
            ["path": "/tmp/x", "create": "true", "read-only": "true"],
        ] {
            #expect(throws: QueryError.self, "\(values)") {
                try plugin.makeStorageBackend(ConfigurationSection(name: "l", values: values))
            }
        }
        for key in SQLiteOptions.keys { try key.check(key.defaultValue, origin: .byDefault) }
    }
}
