// SystemCatalog holds the catalogue as tables: pg_catalog, information_schema and system.
//
//   SystemCatalog           the storage backend: base tables over a snapshot, and views in SQL over them
//   CatalogSnapshot         what there is at a moment: schemas, relations, functions, comments
//   ObjectIdentifiers       numbers of objects, stable while the process lives
//   RelationSpecifications  names and columns of the base tables; SystemTable: one of them, as a table to scan
//   SystemRows              what the base tables hold
//   SystemViews             the views' SQL
//   StatementCatalog        the catalogue as functions of one statement see it

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import Storage
import Synchronization

/// What the engine tells of itself: rows of the tables in the schema `system`.
package protocol SystemTableSource: Sendable {
    /// Columns of the table, `nil` if it is none of the source's.
    func columns(of table: String) -> [Field]?
    var tableNames: [String] { get }
    func rows(of table: String) -> [[ScalarValue]]
    /// The columns of a view; `nil` if its query cannot be bound.
    func columns(ofView name: TableName) async -> [Field]?
    /// Which columns of a view can be assigned; `nil` if rows cannot be changed through it.
    func updatableColumns(ofView name: TableName) async -> [Bool]?
    /// The text of a view, materialized ones included; `nil` if only the one that it is kept as is known.
    func shownText(ofView name: TableName) async -> ViewText?
}

/// The catalogue `system`. Only the coordinator's process has it.
package final class SystemCatalog: StorageBackend {
    private struct State {
        var snapshot: CatalogSnapshot?
        /// Relations of catalogues that change without us, and when they were read.
        var external: [String: (readAt: ContinuousClock.Instant, relations: [RelationEntry])] = [:]
        /// Snapshots that queries may still read, by number.
        var kept: [UInt64: CatalogSnapshot] = [:]
        var nextNumber: UInt64 = 1
        var systemRelations: [RelationEntry]?
        var functions: FunctionEntries?
    }
    private static let externalLifetime = Duration.seconds(2)
    private static let keptCountMax = 256

    package let catalog: Catalog
    private let registry: FunctionRegistry
    let source: any SystemTableSource
    private let identifiers = ObjectIdentifiers()
    private let state = Mutex(State())

    package init(catalog: Catalog, registry: FunctionRegistry, source: any SystemTableSource) {
        self.catalog = catalog
        self.registry = registry
        self.source = source
    }

    // MARK: - Backend

    package var isCoordinatorOnly: Bool { true }
    package func schemaNames() async throws -> [String] { Catalog.systemSchemas }

    package func tableNames(schema: String) async throws -> [String] {
        switch schema {
        case "system": source.tableNames.sorted()
        default:
            (SystemTable.specifications.values.filter { $0.schema == schema }.map(\.name)
                + SystemViews.all.filter { $0.schema == schema }.map(\.name)).sorted()
        }
    }

    package func table(schema: String, name: String) async throws -> (any TableProvider)? {
        if schema == "system" {
            return source.columns(of: name).map { SystemTable(.engine(name), columns: $0, catalog: self) }
        }
        return SystemTable.specifications["\(schema).\(name)"].map {
            SystemTable(.catalog($0), columns: $0.columns, catalog: self)
        }
    }

    package func view(schema: String, name: String) -> ViewDefinition? {
        SystemViews.byName["\(schema).\(name)"].map { ViewDefinition(query: $0.query) }
    }

    // MARK: - Snapshots

    /// The catalogue as it is now.
    package func refresh() async throws -> CatalogSnapshot {
        var relations: [RelationEntry] = []
        for name in catalog.catalogNames {
            guard let backend = catalog.backend(name) else { continue }
            if backend.isCoordinatorOnly {
                relations += await read(backend, name)
                continue
            }
            let known = state.withLock { $0.external[name] }
            if let known, ContinuousClock.now - known.readAt < Self.externalLifetime {
                relations += known.relations
            } else {
                let read = await read(backend, name)
                state.withLock { $0.external[name] = (ContinuousClock.now, read) }
                relations += read
            }
        }
        relations += ConstraintEntries.indexes(relations, catalog.objects.indexes)
        relations += ConstraintEntries.sequences(catalog.objects.sequences)
        relations += await views(known: state.withLock { $0.snapshot }, tables: relations)
        let schemas = try await schemaNamesOfAll()
        let system = try await systemRelations()
        let functions = self.functions()
        let comments = catalog.comments()
        let types = catalog.objects.types
        return state.withLock { state in
            if let snapshot = state.snapshot, snapshot.userRelations == relations, snapshot.schemaNames == schemas,
                snapshot.comments == comments, snapshot.types == types
            {
                return snapshot
            }
            let snapshot = CatalogSnapshot(
                number: state.nextNumber, userRelations: relations, schemaNames: schemas, systemRelations: system,
                functions: functions, comments: comments, types: types,
                databaseNames: catalog.catalogNames, identifiers: identifiers)
            state.nextNumber += 1
            state.snapshot = snapshot
            state.kept[snapshot.number] = snapshot
            if state.kept.count > Self.keptCountMax {
                let oldest = snapshot.number - UInt64(Self.keptCountMax / 2)
                state.kept = state.kept.filter { $0.key >= oldest }
            }
            return snapshot
        }
    }

    /// The snapshot of a number; the newest one if it is gone.
    func snapshot(_ number: UInt64) throws -> CatalogSnapshot {
        let found = state.withLock { $0.kept[number] ?? $0.snapshot }
        guard let found else { throw QueryError.internalError("the catalogue was not read before it was scanned") }
        return found
    }

    private func schemaNamesOfAll() async throws -> [String] {
        var names: [String] = []
        for catalogName in catalog.catalogNames {
            // A store that cannot be asked now hides nothing of the others.
            for schema in (try? await catalog.backend(catalogName)?.schemaNames()) ?? [] where !names.contains(schema) {
                names.append(schema)
            }
        }
        for (view, _) in catalog.views() where !names.contains(view.schema) { names.append(view.schema) }
        return names
    }

    /// The tables of a catalogue. One that cannot be opened, as a damaged file, is left out: it must not hide the others.
    private func read(_ backend: any StorageBackend, _ catalogName: String) async -> [RelationEntry] {
        var result: [RelationEntry] = []
        for schema in (try? await backend.schemaNames()) ?? [] {
            for name in (try? await backend.tableNames(schema: schema)) ?? [] {
                guard let table = try? await backend.table(schema: schema, name: name) else { continue }
                let statistics = try? await table.statistics()
                let fullName = TableName(catalog: catalogName, schema: schema, table: name)
                let view = catalog.view(fullName)
                var entry = RelationEntry(
                    name: fullName, kind: view?.materialization == nil ? "r" : "m", columns: table.schema.fields,
                    rowCount: statistics?.rowCount, byteCount: statistics?.byteCount)
                entry.viewText = view?.query
                if view?.materialization != nil { entry.shownText = await source.shownText(ofView: fullName) }
                entry.isPopulated = view?.materialization?.isPopulated ?? true
                entry.definition = table.definition
                result.append(entry)
            }
        }
        return result
    }

    /// Views are bound for their columns; those of the last snapshot are kept while nothing else has changed.
    private func views(known: CatalogSnapshot?, tables: [RelationEntry]) async -> [RelationEntry] {
        let definitions = catalog.views().filter { $0.view.materialization == nil }
        if definitions.isEmpty { return [] }
        var old: [TableName: RelationEntry] = [:]
        if let known {
            let isSame = known.userRelations.filter { $0.kind != "v" }.elementsEqual(tables) { $0.hasSameShape(as: $1) }
            if isSame {
                for entry in known.userRelations where entry.kind == "v" { old[entry.name] = entry }
            }
        }
        var result: [RelationEntry] = []
        for (name, view) in definitions {
            if let entry = old[name], entry.view == view {
                result.append(entry)
                continue
            }
            var entry = RelationEntry(name: name, kind: "v", columns: await source.columns(ofView: name) ?? [])
            entry.viewText = view.query
            entry.view = view
            entry.shownText = await source.shownText(ofView: name)
            entry.updatableColumns = await source.updatableColumns(ofView: name)
            result.append(entry)
        }
        return result
    }

    private func systemRelations() async throws -> [RelationEntry] {
        if let known = state.withLock({ $0.systemRelations }) { return known }
        var result: [RelationEntry] = []
        for specification in SystemTable.specifications.values {
            var entry = RelationEntry(
                name: TableName(
                    catalog: Catalog.systemCatalog, schema: specification.schema, table: specification.name),
                kind: specification.kind, columns: specification.columns)
            entry.identifier = specification.identifier
            result.append(entry)
        }
        for name in source.tableNames {
            result.append(
                RelationEntry(
                    name: TableName(catalog: Catalog.systemCatalog, schema: "system", table: name), kind: "r",
                    columns: source.columns(of: name) ?? []))
        }
        for view in SystemViews.all {
            let name = TableName(catalog: Catalog.systemCatalog, schema: view.schema, table: view.name)
            var entry = RelationEntry(name: name, kind: "v", columns: await source.columns(ofView: name) ?? [])
            entry.identifier = view.identifier ?? 0
            entry.viewText = view.query
            result.append(entry)
        }
        result.sort { $0.name.description < $1.name.description }
        // Numbers below 16384 mark what belongs to the engine.
        var next: Int64 = 13_300
        for index in result.indices where result[index].identifier == 0 {
            result[index].identifier = next
            next += 1
        }
        state.withLock { [result] in $0.systemRelations = result }
        return result
    }

    private func functions() -> FunctionEntries {
        if let known = state.withLock({ $0.functions }) { return known }
        let made = FunctionEntries(registry)
        state.withLock { $0.functions = made }
        return made
    }
}
