// Plans SQL texts against declared tables: no data is read.

import Columnar
import Diagnostics
import Foundation
import LogicalPlanner
import PhysicalPlanner
import PlanStatistics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage
import TPCHStorage

/// A table with a schema and statistics, without rows.
final class DeclaredTable: TableProvider {
    let schema: Schema
    let known: TableStatistics

    init(schema: Schema, known: TableStatistics) {
        self.schema = schema
        self.known = known
    }

    func statistics() async throws -> TableStatistics { known }
    func splits(for request: ScanRequest) async throws -> [Split] { [] }
    func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        throw QueryError.notSupported("reading a declared table")
    }
}

/// TPC-H's tables with the statistics that a Parquet file has: row counts and extremes, no numbers of different values.
final class DeclaredBackend: StorageBackend {
    let isCoordinatorOnly: Bool
    private let tables: [String: DeclaredTable]

    init(_ tables: [String: DeclaredTable], isCoordinatorOnly: Bool = false) {
        self.tables = tables
        self.isCoordinatorOnly = isCoordinatorOnly
    }

    /// `apart`: names of columns no value of which is in two splits.
    static func tpch(keepsDistinctCounts: Bool, apart: Set<String> = []) async throws -> DeclaredBackend {
        let source = TPCHBackend()
        var tables: [String: DeclaredTable] = [:]
        for name in try await source.tableNames(schema: "sf1") {
            guard let table = try await source.table(schema: "sf1", name: name) else { continue }
            var statistics = try await table.statistics()
            if !keepsDistinctCounts {
                for index in statistics.columns.indices { statistics.columns[index].distinctCount = nil }
            }
            for (index, field) in table.schema.fields.enumerated() {
                statistics.columns[index].isApart = apart.contains(field.name)
            }
            tables[name] = DeclaredTable(schema: table.schema, known: statistics)
        }
        return DeclaredBackend(tables)
    }

    func schemaNames() async throws -> [String] { ["sf1"] }
    func tableNames(schema: String) async throws -> [String] { tables.keys.sorted() }
    func table(schema: String, name: String) async throws -> (any TableProvider)? { tables[name] }
}

struct PlanningBed {
    let catalog = Catalog(defaultCatalog: "tpch", defaultSchema: "sf1")
    let registry = FunctionRegistry.builtIn

    init(_ backend: any StorageBackend) { catalog.add(backend, name: "tpch", origin: CatalogOrigin(type: "tpch")) }

    func bind(_ sql: String) async throws -> (LogicalPlan, ColumnIDGenerator) {
        let statements = try StatementParser.parse(sql)
        let session = BindingSession(searchPath: [.init(catalog: "tpch", schema: "sf1")])
        let binder = Binder(catalog: catalog, registry: registry, session: session)
        let result = try await binder.bind(statements[0].statement)
        guard case .query(let plan, _, _) = result.statement else { throw QueryError.notSupported("this in a test") }
        return (plan, result.columnIDs)
    }

    func optimize(_ sql: String) async throws -> LogicalPlan {
        let (plan, ids) = try await bind(sql)
        return try await LogicalOptimizer(catalog: catalog, registry: registry, ids: ids).optimize(plan)
    }

    func plan(_ sql: String, options: PlannerOptions = PlannerOptions()) async throws -> PhysicalPlan {
        let logical = try await optimize(sql)
        return try await PhysicalPlanner(registry: registry, options: options, catalog: catalog).plan(logical)
    }
}

enum Repository {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    /// Compares with a file, or writes it if MARTLET_UPDATE_GOLDEN is set.
    static func matchesGolden(_ path: String, _ text: String) throws -> Bool {
        if ProcessInfo.processInfo.environment["MARTLET_UPDATE_GOLDEN"] == "1" {
            let url = root.appendingPathComponent(path)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: url, atomically: true, encoding: .utf8)
            return true
        }
        return try self.text(path) == text
    }
}
