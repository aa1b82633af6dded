// A real server against the rules of all stores.

import Diagnostics
import EngineConfiguration
import PostgresStorage
import QueryPlan
import Storage
import StorageConformance
import StoreServers
import Testing

@Suite(.enabled(if: PostgresServer.programs != nil, Comment(rawValue: PostgresServer.reason)), .serialized)
struct PostgresConformanceTests {
    @Test func conformance() async throws {
        let server = try PostgresServer()
        // Splits of one page: many of them.
        for values in [[:], ["split-size": "64kB"]] {
            let backend = try server.backend(values)
            try await StorageConformance.fill(backend, schema: "public", table: "standard")
            let conformance = StorageConformance(backend, schema: "public", table: "standard")
            try await conformance.checkReading()
            server.psql("ANALYZE standard")
            try await conformance.checkReading()
            try await StorageConformance.checkWriting(backend, schema: "public")
            let fixture = ConformanceFixture(backend, schema: "public", table: "standard")
            let report = await fixture.run(StorageConformance.readingCases + StorageConformance.writingCases)
            #expect(report.failures.isEmpty, "\(report.failures.joined(separator: "\n"))")
            #expect(report.keptCount >= 150, "\(report.skipped.joined(separator: "\n"))")
            try await conformance.checkVanishing { try await backend.dropTable(schema: "public", name: "standard") }
        }
    }

    @Test func tablesComeAndGo() async throws {
        let server = try PostgresServer()
        let backend = try server.backend()
        #expect(try await backend.table(schema: "public", name: "later") == nil)
        server.psql("CREATE TABLE later (a int); CREATE SCHEMA other; CREATE VIEW other.v AS SELECT 1 AS x")
        #expect(try await backend.table(schema: "public", name: "later")?.schema.types == [.int32])
        #expect(try await backend.schemaNames() == ["other", "public"])
        #expect(try await backend.tableNames(schema: "other") == ["v"])
        server.psql("ALTER TABLE later ALTER a TYPE text")
        #expect(try await backend.table(schema: "public", name: "later")?.schema.types == [.text])
        let table = try await backend.table(schema: "public", name: "later")
        let request = ScanRequest(projection: [0])
        let split = try #require(try await table?.splits(for: request).first)
        // A type that changes under a query is an error, not another reading of the bytes.
        server.psql("ALTER TABLE later ALTER a TYPE varchar(3)")
        #expect(throws: QueryError.self) {
            try table?.makeReader(for: split, request: request, context: ScanContext()).next()
        }
        server.psql("DROP TABLE later")
        #expect(try await backend.table(schema: "public", name: "later") == nil)
    }

    @Test func configuration() throws {
        let plugin = PostgresStoragePlugin()
        #expect(try plugin.makeStorageBackend(ConfigurationSection(name: "p")) != nil)
        for values in [
            ["colour": "red"], ["pool-maximum": "1"], ["pool-minimum": "20"], ["dsn": "no keyword"],
            ["pool-wait-timeout": "soon"],
        ] {
            #expect(throws: QueryError.self, "\(values)") {
                try plugin.makeStorageBackend(ConfigurationSection(name: "p", values: values))
            }
        }
        for key in PostgresOptions.keys { try key.check(key.defaultValue, origin: .byDefault) }
    }
}
