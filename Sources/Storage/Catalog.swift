// The catalogue: every opened backend by name, and views.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization

/// All opened catalogues of a node. Catalogues are added at start-up; views come and go.
package final class Catalog: Sendable {
    private struct State {
        var backends: [String: any StorageBackend] = [:]
        var origins: [String: CatalogOrigin] = [:]
        /// In the order in which they were added.
        var names: [String] = []
        var views: [TableName: ViewDefinition] = [:]
        var comments: [CatalogObject: String] = [:]
        /// What ANALYZE found, by column.
        var distinctCounts: [TableName: [Double?]] = [:]
        /// What running statements know of the catalogue.
        var objectNames: [QueryID: any ObjectNames] = [:]
    }
    private let state = Mutex(State())

    /// Where unqualified names are looked up, in this order, after the session's own search path.
    package let defaultCatalog: String
    package let defaultSchema: String

    /// The name of the catalogue that describes all others.
    package static let systemCatalog = "system"
    /// Its schemas: these names mean them whatever stands in front.
    package static let systemSchemas = ["pg_catalog", "information_schema", "system"]

    package init(defaultCatalog: String = "martlet", defaultSchema: String = "public") {
        self.defaultCatalog = defaultCatalog
        self.defaultSchema = defaultSchema
    }

    package func add(_ backend: any StorageBackend, name: String, origin: CatalogOrigin) {
        state.withLock { state in
            state.origins[name] = origin
            let isNew = state.backends.updateValue(backend, forKey: name) == nil
            if isNew, name != Self.systemCatalog { state.names.append(name) }
        }
    }

    /// Names of all catalogues but the one that describes them.
    package var catalogNames: [String] { state.withLock { $0.names } }

    package func backend(_ name: String) -> (any StorageBackend)? { state.withLock { $0.backends[name] } }

    /// What the catalogue was opened from.
    package func origin(_ name: String) -> CatalogOrigin? { state.withLock { $0.origins[name] } }

    /// The table, or an error that names what is missing.
    package func table(_ name: TableName) async throws -> any TableProvider {
        guard let backend = backend(name.catalog) else {
            throw QueryError(.invalidCatalogName, "catalog \"\(name.catalog)\" does not exist")
        }
        guard let table = try await backend.table(schema: name.schema, name: name.table) else {
            throw QueryError(.undefinedTable, "relation \"\(name.schema).\(name.table)\" does not exist")
        }
        return table
    }

    package func view(_ name: TableName) -> ViewDefinition? { state.withLock { $0.views[name] } }
    package func setView(_ view: ViewDefinition?, for name: TableName) { state.withLock { $0.views[name] = view } }
    package func views() -> [(name: TableName, view: ViewDefinition)] {
        state.withLock { state in
            state.views.map { ($0.key, $0.value) }.sorted { $0.0.description < $1.0.description }
        }
    }

    // MARK: Comments

    package func comment(on object: CatalogObject) -> String? { state.withLock { $0.comments[object] } }
    package func setComment(_ text: String?, on object: CatalogObject) { state.withLock { $0.comments[object] = text } }
    /// Comments of a table or view and of its columns, and what ANALYZE found, when it goes.
    package func forget(_ table: TableName) {
        state.withLock { state in
            state.distinctCounts[table] = nil
            state.comments = state.comments.filter { object, _ in
                switch object {
                case .relation(let name), .column(let name, _): name != table
                case .schema, .database: true
                }
            }
        }
    }
    package func comments() -> [CatalogObject: String] { state.withLock { $0.comments } }

    // MARK: Statistics

    /// Different values of each column, as ANALYZE counted them; `nil` forgets them.
    package func setDistinctCounts(_ counts: [Double?]?, of table: TableName) {
        state.withLock { $0.distinctCounts[table] = counts }
    }

    /// The statistics with what ANALYZE found added where the table itself knows nothing.
    package func completing(_ statistics: TableStatistics, of table: TableName) -> TableStatistics {
        guard let counts = state.withLock({ $0.distinctCounts[table] }), counts.count == statistics.columns.count else {
            return statistics
        }
        var result = statistics
        for (index, count) in counts.enumerated() where result.columns[index].distinctCount == nil {
            result.columns[index].distinctCount = count
        }
        return result
    }

    // MARK: What statements know

    /// Lends the tasks of a query what its statement knows of the catalogue, while it runs.
    package func lend(_ names: (any ObjectNames)?, to query: QueryID) {
        state.withLock { $0.objectNames[query] = names }
    }
    package func objectNames(of query: QueryID) -> (any ObjectNames)? { state.withLock { $0.objectNames[query] } }
}

/// What a comment is on.
package enum CatalogObject: Hashable, Sendable {
    case relation(TableName)
    case column(TableName, String)
    case schema(String)
    case database(String)
}

/// What a catalogue was opened from: the same origin opens the same catalogue on another node.
package struct CatalogOrigin: Hashable, Sendable {
    /// The storage plug-in's name.
    package var type: String
    package var values: [String: String]
    package init(type: String, values: [String: String] = [:]) {
        self.type = type
        self.values = values
    }
}

/// A view: the text of its query and the names of its columns.
package struct ViewDefinition: Sendable, Hashable {
    package var query: String
    package var columnNames: [String]?
    package init(query: String, columnNames: [String]? = nil) {
        self.query = query
        self.columnNames = columnNames
    }
}

/// A backend that turns a path in FROM ('file.parquet', 'dir/*.csv') into a table. At most one is registered.
package protocol PathResolvingBackend: StorageBackend {
    /// The schema and name under which `table(schema:name:)` finds the path, on every node; throws 58P01 if nothing matches.
    func resolve(path: String) async throws -> (schema: String, name: String)
}

/// A backend that can write single files: COPY … TO.
package protocol FileWritingBackend: StorageBackend {
    /// A writer for a new or replaced file; it appears whole when the writer commits.
    func makeFileWriter(path: String, format: String, options: [String: String], columns: [Field]) throws
        -> any TableWriter
}
