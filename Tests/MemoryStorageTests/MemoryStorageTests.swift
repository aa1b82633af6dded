// The memory backend against the rules of all backends, and its schemas.

import Columnar
import Diagnostics
import EngineConfiguration
import MemoryStorage
import PluginHost
import QueryPlan
import Storage
import StorageConformance
import Testing

@Suite struct MemoryStorageTests {
    @Test func reading() async throws {
        let backend = MemoryBackend()
        try await StorageConformance.fill(backend, schema: "public", table: "standard")
        let conformance = StorageConformance(backend, schema: "public", table: "standard")
        try await conformance.checkReading()
    }

    @Test func conformance() async throws {
        let backend = MemoryBackend()
        try await StorageConformance.fill(backend, schema: "public", table: "standard")
        let fixture = ConformanceFixture(backend, schema: "public", table: "standard")
        let report = await fixture.run(StorageConformance.readingCases + StorageConformance.writingCases)
        #expect(report.failures.isEmpty, "\(report.failures.joined(separator: "\n"))")
        #expect(report.keptCount >= 150, "\(report.skipped.joined(separator: "\n"))")
    }

    @Test func writing() async throws {
        let backend = MemoryBackend()
        try await StorageConformance.checkWriting(backend, schema: "public")
    }

    @Test func schemas() async throws {
        let backend = MemoryBackend()
        #expect(backend.isCoordinatorOnly)
        #expect(try await backend.schemaNames() == ["public"])
        try await backend.createSchema("s")
        await #expect(throws: QueryError.self) { try await backend.createSchema("s") }
        try await backend.createTable(schema: "s", name: "t", columns: StandardTable.fields)
        await #expect(throws: QueryError.self) { try await backend.dropSchema("s") }
        try await backend.dropTable(schema: "s", name: "t")
        try await backend.dropSchema("s")
        #expect(try await backend.schemaNames() == ["public"])
        await #expect(throws: QueryError.self) { try await backend.dropSchema("s") }
    }

    @Test func statisticsAreExact() async throws {
        let backend = MemoryBackend()
        try await StorageConformance.fill(backend, schema: "public", table: "standard")
        let table = try #require(try await backend.table(schema: "public", name: "standard"))
        let statistics = try await table.statistics()
        #expect(statistics.rowCount == 10_000)
        #expect(statistics.columns[0].minimum == .integer(0) && statistics.columns[0].maximum == .integer(9999))
        #expect(statistics.columns[2].maximum == .float(2499.75))
    }

    @Test func plugin() throws {
        let plugin = MemoryStoragePlugin()
        #expect(try plugin.makeStorageBackend(ConfigurationSection(name: "m")) != nil)
        #expect(throws: QueryError.self) {
            try plugin.makeStorageBackend(ConfigurationSection(name: "m", values: ["colour": "red"]))
        }
    }
}
