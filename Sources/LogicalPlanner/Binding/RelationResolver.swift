// Looks relations up in the catalogue: search path, qualified names, views, paths of files.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

/// What a name in FROM turned out to be.
enum ResolvedRelation {
    case table(TableName, Schema)
    case view(TableName, Query, columnNames: [String]?)
}

extension ResolvedRelation {
    /// Whether it describes the catalogue.
    var isOfSystem: Bool {
        switch self {
        case .table(let name, _), .view(let name, _, _): name.catalog == Catalog.systemCatalog
        }
    }
}

/// The relations of a statement by the names it uses; a name that is absent does not exist.
struct ResolvedRelations {
    var byName: [[String]: ResolvedRelation] = [:]
    var byPath: [String: ResolvedRelation] = [:]
    /// Of the tables among them.
    var definitions: [TableName: TableDefinition] = [:]
    /// Tables whose scans give row identifiers.
    var identified: Set<TableName> = []
    /// The materialized views among them.
    var materialized: [TableName: ViewDefinition.Materialization] = [:]
    /// Functions that the statement and its views call.
    var functionNames: Set<String> = []
    /// Whether the statement or one of its views names objects of the catalogue or reads its relations.
    var usesObjectNames = false

    /// Defaults and checks may ask for the catalogue, too.
    mutating func noteExpressions(of definition: TableDefinition) {
        var texts = definition.checks.map(\.expression)
        for column in definition.columns {
            switch column.source {
            case .defaultExpression(let text), .generated(let text): texts.append(text)
            case .given, .identity, .store: break
            }
        }
        var collector = RelationCollector()
        for text in texts {
            if let expression = try? StatementParser.parseExpression(text) { collector.visit(expression) }
        }
        functionNames.formUnion(collector.functionNames)
        usesObjectNames = usesObjectNames || collector.usesObjectNames
    }

    /// Whether the statement cannot be bound or run without the catalogue.
    func readsCatalog(_ registry: FunctionRegistry) -> Bool {
        usesObjectNames || functionNames.contains { registry.readsCatalog($0) }
    }
}

/// Resolves the names that a statement uses, and those of the views among them.
struct RelationResolver {
    let catalog: Catalog
    let session: BindingSession

    func resolve(_ collector: RelationCollector) async throws -> ResolvedRelations {
        var result = ResolvedRelations()
        var pending = [collector]
        while let next = pending.popLast() {
            result.functionNames.formUnion(next.functionNames)
            result.usesObjectNames = result.usesObjectNames || next.usesObjectNames
            for name in next.names where result.byName[name.parts] == nil {
                guard let relation = try await lookUp(name, &result) else { continue }
                result.byName[name.parts] = relation
                if relation.isOfSystem { result.usesObjectNames = true }
                if case .view(_, let query, _) = relation {
                    var inner = RelationCollector()
                    inner.visit(query)
                    pending.append(inner)
                }
            }
            for file in next.files where result.byPath[file.path] == nil {
                do {
                    result.byPath[file.path] = try await lookUpFile(file.path)
                } catch let error as QueryError {
                    throw error.located(at: file.position)
                }
            }
        }
        return result
    }

    /// Where an unqualified name is looked for, in order.
    var searchPath: [BindingSession.PathEntry] {
        let fallback = BindingSession.PathEntry(catalog: catalog.defaultCatalog, schema: catalog.defaultSchema)
        return session.searchPath.contains(fallback) ? session.searchPath : session.searchPath + [fallback]
    }

    private func lookUp(_ name: ObjectName, _ found: inout ResolvedRelations) async throws -> ResolvedRelation? {
        let candidates = candidates(name.parts)
        // A store that cannot be asked hides nothing that others have.
        var unreachable: QueryError?
        for candidate in candidates {
            let backend = catalog.backend(candidate.catalog)
            let own = backend?.view(schema: candidate.schema, name: candidate.table)
            let known = catalog.view(candidate) ?? own
            if let materialization = known?.materialization { found.materialized[candidate] = materialization }
            if let view = known, view.materialization == nil {
                do {
                    let query = try StatementParser.parseQuery(view.query)
                    return .view(candidate, query, columnNames: view.columnNames)
                } catch {
                    // The position lies in the view's text, not in the statement.
                    var unlocated = error
                    unlocated.position = nil
                    throw unlocated
                }
            }
            guard let backend else { continue }
            let asked: (any TableProvider)?
            do { asked = try await backend.table(schema: candidate.schema, name: candidate.table) } catch let error
                as QueryError where error.kind != .user && error.state != .queryCanceled && candidates.count > 1
            {
                unreachable = unreachable ?? error
                continue
            }
            if let table = asked {
                let definition = table.definition
                found.definitions[candidate] = definition
                found.noteExpressions(of: definition)
                if table.identifiesRows { found.identified.insert(candidate) }
                return .table(candidate, table.schema)
            }
        }
        // A quoted identifier that looks like a path is one.
        if name.parts.count == 1, name.parts[0].contains("/") || name.parts[0].contains(".") {
            if FilePath.hasScheme(name.parts[0]) { return try await lookUpFile(name.parts[0]) }
            if let file = try? await lookUpFile(name.parts[0]) { return file }
        }
        if let unreachable { throw unreachable }
        return nil
    }

    /// The full names that a written name may mean, in order.
    func candidates(_ written: [String]) -> [TableName] {
        var parts = written
        if parts.count > 1, parts[parts.count - 2] == "pg_temp" { parts[parts.count - 2] = session.temporarySchema }
        switch parts.count {
        case 1:
            // The catalogue's own relations go before all others, as their schema stands in front of every path.
            let system = parts[0].hasPrefix("pg_") ? [Self.systemName("pg_catalog", parts[0])] : []
            return system
                + searchPath.map {
                    Catalog.systemSchemas.contains($0.schema)
                        ? Self.systemName($0.schema, parts[0])
                        : TableName(catalog: $0.catalog, schema: $0.schema, table: parts[0])
                }
        case 2:
            if Catalog.systemSchemas.contains(parts[0]) { return [Self.systemName(parts[0], parts[1])] }
            var catalogs: [String] = []
            for entry in searchPath where !catalogs.contains(entry.catalog) { catalogs.append(entry.catalog) }
            for name in catalog.catalogNames where !catalogs.contains(name) { catalogs.append(name) }
            var result = catalogs.map { TableName(catalog: $0, schema: parts[0], table: parts[1]) }
            if catalog.backend(parts[0]) != nil {
                result += [catalog.defaultSchema, "main", "default"].map {
                    TableName(catalog: parts[0], schema: $0, table: parts[1])
                }
            }
            return result
        case 3:
            let isKnown = parts[0] == session.database || catalog.backend(parts[0]) != nil
            if isKnown, Catalog.systemSchemas.contains(parts[1]) { return [Self.systemName(parts[1], parts[2])] }
            let exact = TableName(catalog: parts[0], schema: parts[1], table: parts[2])
            // To a client a database is one: its name in front means what the name means without it.
            return parts[0] == session.database ? [exact] + candidates(Array(parts.dropFirst())) : [exact]
        default: return []
        }
    }

    private static func systemName(_ schema: String, _ table: String) -> TableName {
        TableName(catalog: Catalog.systemCatalog, schema: schema, table: table)
    }

    private func lookUpFile(_ path: String) async throws -> ResolvedRelation {
        let (name, backend) = try catalog.fileBackend(for: path, as: (any PathResolvingBackend).self)
        let (schema, table) = try await backend.resolve(path: path)
        guard let provider = try await backend.table(schema: schema, name: table) else {
            throw QueryError(.undefinedFile, "no files match \"\(path)\"", object: path)
        }
        return .table(TableName(catalog: name, schema: schema, table: table), provider.schema)
    }
}

extension StatementBinder {
    /// The relation of a written name, or 42P01.
    func relation(_ name: ObjectName) throws -> ResolvedRelation {
        if let relation = relations.byName[name.parts] { return relation }
        throw undefinedRelation(name)
    }

    func undefinedRelation(_ name: ObjectName) -> QueryError {
        let text = name.parts.joined(separator: ".")
        if name.parts.count == 3, catalog.backend(name.parts[0]) == nil {
            return QueryError(
                .undefinedTable, "relation \"\(text)\" does not exist",
                detail: "There is no catalog \"\(name.parts[0])\".", at: name.position, object: text)
        }
        return QueryError(
            .undefinedTable, "relation \"\(text)\" does not exist", at: name.position, object: text)
    }

    /// The table that a name means where only a table will do.
    func tableTarget(_ name: ObjectName, action: String) throws -> (TableName, Schema) {
        switch try relation(name) {
        case .table(let table, let schema):
            try refuseMaterialized(table, action, at: name.position)
            noteTable(table)
            return (table, schema)
        case .view(let view, _, _):
            if action == "merge into" {
                throw QueryError(
                    .featureNotSupported, "cannot execute MERGE on relation \"\(view.table)\"",
                    detail: "This operation is not supported for views.", at: name.position, object: view.table)
            }
            throw QueryError(
                .wrongObjectType, "cannot \(action) view \"\(view.table)\"", at: name.position, object: view.table)
        }
    }

    /// Where new objects go: the first schema of the path that lies in the default catalogue, else the first at all.
    var creationEntry: BindingSession.PathEntry {
        session.searchPath.first { $0.catalog == catalog.defaultCatalog && $0.schema != session.temporarySchema }
            ?? session.searchPath.first { $0.schema != session.temporarySchema }
            ?? .init(catalog: catalog.defaultCatalog, schema: catalog.defaultSchema)
    }

    /// The name under which a new object is made.
    func creationName(_ name: ObjectName, isTemporary: Bool = false) throws -> TableName {
        if isTemporary || name.schema == "pg_temp" {
            if let schema = name.schema, schema != "pg_temp", schema != session.temporarySchema {
                throw QueryError(
                    SQLState("42P16"), "cannot create temporary relation in non-temporary schema", at: name.position)
            }
            return TableName(
                catalog: catalog.defaultCatalog, schema: session.temporarySchema, table: name.last)
        }
        switch name.parts.count {
        case 1:
            let entry = creationEntry
            return TableName(catalog: entry.catalog, schema: entry.schema, table: name.parts[0])
        case 2:
            let current = creationEntry.catalog
            return TableName(catalog: current, schema: name.parts[0], table: name.parts[1])
        case 3:
            guard catalog.backend(name.parts[0]) != nil else {
                throw QueryError(
                    .invalidCatalogName, "catalog \"\(name.parts[0])\" does not exist", at: name.position)
            }
            return TableName(catalog: name.parts[0], schema: name.parts[1], table: name.parts[2])
        default:
            throw QueryError(
                .syntaxError, "improper qualified name (too many dotted names): \(name.parts.joined(separator: "."))",
                at: name.position)
        }
    }
}
