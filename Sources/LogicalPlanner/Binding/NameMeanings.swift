// What the names of a statement meant when it was bound: while they mean the same, a plan made from it is still right.

import Columnar
import Diagnostics
import QueryPlan
import SQLParser
import Storage

/// The tables that the names of a statement and of the views in it stand for, and the version of all other objects.
package struct NameMeanings: Sendable {
    private struct Meaning {
        var written: [String]
        var table: TableName
        var definition: TableDefinition
        /// When the statement was planned: a plan for few rows is no plan for many.
        var rowCount: Double
    }

    private let meanings: [Meaning]
    private let objectsVersion: UInt64
    private let resolver: RelationResolver

    /// `nil` for statements whose names may mean something else at any time: those that read the catalogue or name files.
    init?(_ relations: ResolvedRelations, _ resolver: RelationResolver) async throws {
        guard let version = resolver.catalog.objects.version, !relations.usesObjectNames, relations.byPath.isEmpty
        else {
            return nil
        }
        var meanings: [Meaning] = []
        for (written, relation) in relations.byName {
            switch relation {
            case .table(let table, _):
                guard let definition = relations.definitions[table] else { return nil }
                let rowCount = try await resolver.catalog.table(table).statistics().rowCount ?? 0
                meanings.append(Meaning(written: written, table: table, definition: definition, rowCount: rowCount))
            case .view(let view, _, _):
                // Views of other catalogues have no version.
                guard resolver.catalog.view(view) != nil else { return nil }
            }
        }
        self.meanings = meanings
        objectsVersion = version
        self.resolver = resolver
    }

    /// Whether every name still means what it did, and no table has grown out of proportion. The session's search path must
    /// be the same.
    package func hold() async throws -> Bool {
        guard resolver.catalog.objects.version == objectsVersion else { return false }
        for meaning in meanings {
            guard let (name, table) = try await resolver.table(of: meaning.written), name == meaning.table,
                table.definition == meaning.definition
            else { return false }
            let rowCount = try await table.statistics().rowCount ?? 0
            if rowCount > 2 * meaning.rowCount + Self.rowCountSlack { return false }
        }
        return true
    }

    /// Tables up to this size are planned alike.
    private static let rowCountSlack = 1000.0
}

extension RelationResolver {
    /// The first table that the name may mean. Views are not looked at.
    fileprivate func table(of written: [String]) async throws -> (TableName, any TableProvider)? {
        for candidate in candidates(written) {
            guard let backend = catalog.backend(candidate.catalog) else { continue }
            if let table = try await backend.table(schema: candidate.schema, name: candidate.table) {
                return (candidate, table)
            }
        }
        return nil
    }
}
