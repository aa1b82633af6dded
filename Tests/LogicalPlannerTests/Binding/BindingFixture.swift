// What binding tests share: a catalogue without data, a few functions without kernels, and short ways to bind.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

/// Tables that have a schema and no rows.
final class SchemaOnlyBackend: StorageBackend {
    private let tables: [String: SchemaOnlyTable]
    init(_ tables: [String: [Field]]) { self.tables = tables.mapValues { SchemaOnlyTable(Schema($0)) } }
    func schemaNames() async throws -> [String] { ["public"] }
    func tableNames(schema: String) async throws -> [String] { tables.keys.sorted() }
    func table(schema: String, name: String) async throws -> (any TableProvider)? {
        schema == "public" ? tables[name] : nil
    }
}

final class SchemaOnlyTable: TableProvider {
    let schema: Schema
    init(_ schema: Schema) { self.schema = schema }
    func splits(for request: ScanRequest) async throws -> [Split] { [] }
    func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        throw QueryError.notSupported("reading")
    }
}

enum BindingFixture {
    static let tables: [String: [Field]] = [
        "t": [Field(name: "a", type: .int32), Field(name: "b", type: .text), Field(name: "c", type: .float64)],
        "u": [Field(name: "a", type: .int64), Field(name: "d", type: .date), Field(name: "e", type: .timestamp)],
        "m": [
            Field(name: "id", type: .int32, isNullable: false),
            Field(name: "price", type: .decimal(precision: 15, scale: 2)),
            Field(name: "name", type: .varchar(length: 5)), Field(name: "flag", type: .boolean),
            Field(name: "list", type: .array(.int32)),
        ],
    ]

    static func catalog() -> Catalog {
        let catalog = Catalog()
        catalog.add(SchemaOnlyBackend(tables), name: "martlet", origin: CatalogOrigin(type: "memory"))
        catalog.setView(
            ViewDefinition(query: "select a, b from t where a > 0", columnNames: ["x", "y"]),
            for: TableName(catalog: "martlet", schema: "public", table: "v"))
        return catalog
    }

    static let session = BindingSession(
        searchPath: [.init(catalog: "martlet", schema: "public")], settings: ["search_path": "public"])

    static func bind(_ sql: String, session: BindingSession = session) async throws -> BindingResult {
        let statements = try StatementParser.parse(sql)
        let binder = Binder(catalog: catalog(), registry: TestFunctions.registry, session: session)
        return try await binder.bind(statements[0].statement)
    }

    /// The plan's text.
    static func plan(_ sql: String) async throws -> String {
        guard case .query(let plan, _, _) = try await bind(sql).statement else { return "no query" }
        return LogicalPlanPrinter.text(plan)
    }

    /// `name type` of each result column.
    static func columns(_ sql: String) async throws -> [String] {
        guard case .query(let plan, let names, let types) = try await bind(sql).statement else { return [] }
        guard plan.columns.map(\.type) == types, Set(plan.columns.map(\.id)).count == types.count else {
            return ["columns of the plan do not match"]
        }
        return zip(names, types).map { "\($0) \($1.sqlName)" }
    }

    /// The error of a statement in which `^` marks the place where it should be found.
    static func failure(_ marked: String) async -> (state: SQLState?, isPlaced: Bool) {
        let expected = marked.unicodeScalars.firstIndex(of: "^").map {
            marked.unicodeScalars.distance(from: marked.unicodeScalars.startIndex, to: $0)
        }
        do {
            _ = try await bind(marked.filter { $0 != "^" })
            return (nil, false)
        } catch {
            let error = QueryError.wrapping(error)
            return (error.state, error.position?.offset == expected)
        }
    }
}
