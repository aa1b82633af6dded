// The catalogue: every opened backend by name, and views.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization

/// All opened catalogues of a node. Catalogues are opened at start-up and when the configuration is read again; views come and
/// go.
package final class Catalog: Sendable {
    /// What is open at a moment. A statement keeps to what it found first, so that it ends with what it began with.
    private struct Opened: Sendable {
        var backends: [String: any StorageBackend] = [:]
        var origins: [String: CatalogOrigin] = [:]
        /// In the order in which they were added, without the one that describes the others.
        var names: [String] = []
    }
    /// What `Opened` is kept under in the snapshots of statements.
    private final class OpenedKey: Sendable {}
    private let openedKey = OpenedKey()

    private struct State {
        var opened = Opened()
        var committed = CatalogObjects()
        var open: [UInt64: CatalogObjects.Changes] = [:]
        /// What ANALYZE found, by column.
        var distinctCounts: [TableName: [Double?]] = [:]
        /// What running statements know of the catalogue.
        var objectNames: [QueryID: any ObjectNames] = [:]

        mutating func commit(_ changes: CatalogObjects.Changes) {
            changes.apply(to: &committed)
            committed.version = (committed.version ?? 0) + 1
            changes.publish()
        }
    }
    private let state = Mutex(State())
    /// Of transactions on the tables and objects that they change.
    package let locks = TransactionLocks()
    /// Rows that the planner has looked at.
    package let samples = TableSamples()

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
            state.opened.origins[name] = origin
            let isNew = state.opened.backends.updateValue(backend, forKey: name) == nil
            if isNew, name != Self.systemCatalog { state.opened.names.append(name) }
        }
    }

    /// From now on these catalogues are open, in this order, besides the one that describes them. A name without a back end stays
    /// what it is. Statements that run go on with what they found.
    package func replace(
        with catalogs: [(name: String, backend: (any StorageBackend)?, origin: CatalogOrigin)]
    ) {
        state.withLock { state in
            var next = Opened()
            next.backends[Self.systemCatalog] = state.opened.backends[Self.systemCatalog]
            next.origins[Self.systemCatalog] = state.opened.origins[Self.systemCatalog]
            for catalog in catalogs {
                next.names.append(catalog.name)
                next.backends[catalog.name] = catalog.backend ?? state.opened.backends[catalog.name]
                next.origins[catalog.name] =
                    catalog.backend == nil ? state.opened.origins[catalog.name] : catalog.origin
            }
            state.opened = next
            // Names may mean something else: plans that were kept are made anew.
            state.committed.version = (state.committed.version ?? 0) + 1
        }
    }

    private var opened: Opened {
        guard let scope = StorageScope.current else { return state.withLock { $0.opened } }
        return scope.snapshot.value(of: openedKey) { state.withLock { $0.opened } }
    }

    /// Names of all catalogues but the one that describes them.
    package var catalogNames: [String] { opened.names }

    package func backend(_ name: String) -> (any StorageBackend)? { opened.backends[name] }

    /// What the catalogue was opened from.
    package func origin(_ name: String) -> CatalogOrigin? { opened.origins[name] }

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

    // MARK: Views, sequences, indexes, comments

    /// What the running statement sees.
    package var objects: CatalogObjects {
        guard let scope = StorageScope.current else { return state.withLock { $0.committed } }
        var result = scope.snapshot.value(of: self) { state.withLock { $0.committed } }
        if let changes = state.withLock({ $0.open[scope.transaction.id] }) {
            changes.apply(to: &result)
            result.version = nil
        }
        return result
    }

    /// Changes objects in the running transaction, or for good without one.
    package func change(_ body: (inout CatalogObjects.Changes) -> Void) {
        guard let scope = StorageScope.current else {
            state.withLock { state in
                var changes = CatalogObjects.Changes()
                body(&changes)
                state.commit(changes)
            }
            return
        }
        scope.transaction.join(self)
        state.withLock { state in body(&state.open[scope.transaction.id, default: CatalogObjects.Changes()]) }
    }

    /// What a transaction has changed and not yet committed.
    package func pendingChanges(of transaction: StorageTransaction) -> CatalogObjects.Changes? {
        state.withLock { $0.open[transaction.id] }
    }

    package func view(_ name: TableName) -> ViewDefinition? { objects.views[name] }
    package func setView(_ view: ViewDefinition?, for name: TableName) { change { $0.views[name] = .some(view) } }
    package func views() -> [(name: TableName, view: ViewDefinition)] {
        objects.views.map { ($0.key, $0.value) }.sorted { $0.0.description < $1.0.description }
    }
    /// The type as other transactions see it.
    package func committedType(_ name: TableName) -> UserType? { state.withLock { $0.committed.types[name] } }
    package func comments() -> [CommentTarget: String] { objects.comments }
    package func sequence(_ name: TableName) -> StoredSequence? { objects.sequences[name] }
}

extension Catalog: TransactionParticipant {
    package func commit(_ transaction: StorageTransaction) {
        state.withLock { state in
            if let changes = state.open.removeValue(forKey: transaction.id) { state.commit(changes) }
        }
    }
    package func rollback(_ transaction: StorageTransaction) {
        state.withLock { state in _ = state.open.removeValue(forKey: transaction.id) }
    }
    package func checkpoint(_ transaction: StorageTransaction) -> any Sendable {
        state.withLock { $0.open[transaction.id] ?? CatalogObjects.Changes() }
    }
    package func restore(_ transaction: StorageTransaction, to checkpoint: (any Sendable)?) {
        state.withLock { $0.open[transaction.id] = checkpoint as? CatalogObjects.Changes }
    }
}

extension Catalog {
    // MARK: Statistics

    /// What ANALYZE found, when the table goes or changes.
    package func forget(_ table: TableName) { state.withLock { $0.distinctCounts[table] = nil } }

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
    /// The tables and views that the query names, for DROP.
    package var references: [TableName]
    package var columnTypes: [DataType] = []
    /// The domains and composite types of its columns, and all types that its query names.
    package var columnUserTypes: [Int64?] = []
    package var types: Set<Int64> = []
    /// What WITH CHECK OPTION says of rows that go through the view: that it shows them, alone or with all below it.
    package enum CheckOption: String, Hashable, Sendable { case local, cascaded }
    package var checkOption: CheckOption?
    /// Defaults of the view's own, by column.
    package var columnDefaults: [String: String] = [:]
    /// Of a materialized view, whose rows are in a table of the same name.
    package struct Materialization: Hashable, Sendable {
        /// Whether its query has run; before that it cannot be read.
        package var isPopulated: Bool
        package init(isPopulated: Bool) { self.isPopulated = isPopulated }
    }
    package var materialization: Materialization?
    package init(query: String, columnNames: [String]? = nil, references: [TableName] = []) {
        self.query = query
        self.columnNames = columnNames
        self.references = references
    }
}

/// A backend of files that are named by their paths.
package protocol FilePathBackend: StorageBackend {
    /// How much the path is the backend's own: the length of what it knows of the path. `nil`: it is not.
    func claim(on path: String) -> Int?
}

/// A path with the name of a protocol in front: s3://….
package enum FilePath {
    package static func hasScheme(_ path: String) -> Bool {
        guard let colon = path.firstIndex(of: ":"), path[colon...].hasPrefix("://") else { return false }
        return colon != path.startIndex && path[..<colon].allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
    }
}

extension FilePathBackend {
    /// Files of the local system.
    package func claim(on path: String) -> Int? { FilePath.hasScheme(path) ? nil : 0 }
}

extension Catalog {
    /// The backend that a path belongs to, and the name of its catalogue; of several the one that knows most of it.
    package func fileBackend<Backend>(for path: String, as kind: Backend.Type) throws -> (
        name: String, backend: Backend
    ) {
        var best: (name: String, backend: Backend, claim: Int)?
        for name in catalogNames {
            guard let backend = backend(name), let able = backend as? Backend,
                let claim = (backend as? any FilePathBackend)?.claim(on: path), claim > best?.claim ?? -1
            else { continue }
            best = (name, able, claim)
        }
        if let best { return (best.name, best.backend) }
        throw QueryError.notSupported(
            "the file \"\(path)\": no catalogue is open that knows such paths",
            hint: FilePath.hasScheme(path) ? "Object stores are catalogues of type s3." : nil)
    }
}

/// A backend that turns a path in FROM ('file.parquet', 'dir/*.csv') into a table.
package protocol PathResolvingBackend: FilePathBackend {
    /// The schema and name under which `table(schema:name:)` finds the path, on every node; throws 58P01 if nothing matches.
    func resolve(path: String) async throws -> (schema: String, name: String)
}

/// A backend that can write single files: COPY … TO.
package protocol FileWritingBackend: FilePathBackend {
    /// A writer for a new or replaced file; it appears whole when the writer commits.
    func makeFileWriter(path: String, format: String, options: [String: String], columns: [Field]) throws
        -> any TableWriter
}

/// A backend that can read single files as they are: COPY … FROM.
package protocol FileReadingBackend: FilePathBackend {
    func openFile(path: String) throws -> any FileStream
}

/// A file, piece by piece.
package protocol FileStream: AnyObject {
    /// The next bytes, `nil` at the end.
    func next() throws -> [UInt8]?
}
