// What there is at a moment, with numbers.

import Columnar
import QueryPlan
import SQLFunctions
import Storage
import Synchronization

/// A view's text as clients are shown it, for any way of writing it.
package struct ViewText: Sendable, Equatable {
    /// What the text is made of: the same view has the same text.
    package var view: ViewDefinition
    /// `relationName` gives the name of a table or view by its schema and name. Lines are broken behind `wrapColumn` bytes;
    /// `nil` is never.
    package var text:
        @Sendable (
            _ isPretty: Bool, _ wrapColumn: Int?, _ relationName: @escaping @Sendable (String, String) -> String
        ) -> String

    package init(
        view: ViewDefinition,
        text: @escaping @Sendable (Bool, Int?, @escaping @Sendable (String, String) -> String) -> String
    ) {
        self.view = view
        self.text = text
    }
    package static func == (a: ViewText, b: ViewText) -> Bool { a.view == b.view }
}

/// A table, view, sequence or index.
package struct RelationEntry: Sendable, Equatable {
    package var name: TableName
    /// `r` table, `v` view, `S` sequence, `i` index.
    package var kind: String
    package var columns: [Field]
    package var rowCount: Double?
    package var byteCount: Double?
    package var viewText: String?
    /// Of a view, and which of its columns can be assigned if rows can be changed through it.
    package var view: ViewDefinition?
    package var updatableColumns: [Bool]?
    /// `nil`: the text that it is kept as.
    package var shownText: ViewText?
    /// Of a materialized view: whether it can be read.
    package var isPopulated = true
    /// Of a table of the user.
    package var definition: TableDefinition?
    package var sequence: SequenceOptions?
    /// The column that a sequence belongs to.
    package var sequenceOwner: [String] = []
    package var index: IndexEntry?
    /// Of the catalogue's own relations; others get theirs in the snapshot.
    package var identifier: Int64 = 0

    init(name: TableName, kind: String, columns: [Field], rowCount: Double? = nil, byteCount: Double? = nil) {
        self.name = name
        self.kind = kind
        self.columns = columns
        self.rowCount = rowCount
        self.byteCount = byteCount
    }

    func hasSameShape(as other: RelationEntry) -> Bool {
        name == other.name && columns == other.columns && definition == other.definition && viewText == other.viewText
    }
}

/// What an index is over.
package struct IndexEntry: Sendable, Equatable {
    package var table: TableName
    package var isUnique: Bool
    package var isPrimary: Bool
    package var nullsAreEqual: Bool
    /// Columns and expressions as SQL writes them.
    package var elements: [String]
    /// Numbers of columns from 1 on, 0 for expressions.
    package var columns: [Int]
}

/// A constraint of a table.
struct ConstraintEntry: Sendable {
    var identifier: Int64
    var name: String
    var table: Int64
    var namespace: Int64
    /// `p`, `u`, `c` or `f`.
    var kind: String
    var columns: [Int]
    var target: Int64 = 0
    var targetColumns: [Int] = []
    var foreignKey: ForeignKey?
    /// As pg_get_constraintdef gives it.
    var text: String
}

/// Numbers of objects from 16384 on. An object keeps its number while the process lives.
final class ObjectIdentifiers: Sendable {
    private static let first: Int64 = 16_384
    private let state = Mutex<[String: Int64]>([:])

    func identifier(_ key: String) -> Int64 {
        state.withLock { state in
            if let known = state[key] { return known }
            let identifier = Self.first + Int64(state.count)
            state[key] = identifier
            return identifier
        }
    }
}

/// The catalogue at a moment. Relations are what names of two parts mean: the schemas of all catalogues are one, and where
/// two catalogues have a relation of the same schema and name, the first one in the order of catalogues is meant.
package final class CatalogSnapshot: Sendable {
    package let number: UInt64
    let userRelations: [RelationEntry]
    let schemaNames: [String]
    let comments: [CommentTarget: String]
    let functions: FunctionEntries
    /// Types that statements made.
    let types: [TableName: UserType]
    let databases: [(identifier: Int64, name: String)]
    let schemas: [(identifier: Int64, name: String)]
    let schemaIdentifiers: [String: Int64]
    /// With numbers, the engine's own included.
    package let relations: [RelationEntry]
    let relationIndex: [Int64: Int]
    let relationsByName: [String: [String: Int]]
    let constraints: [ConstraintEntry]
    /// Rows of base tables, made when they are first asked for.
    private let tables = Mutex<[String: [[Vector]]]>([:])

    private static let knownSchemas: [String: Int64] = [
        "pg_catalog": 11, "public": 2200, "information_schema": 13_207, "system": 13_208,
    ]

    init(
        number: UInt64, userRelations: [RelationEntry], schemaNames: [String], systemRelations: [RelationEntry],
        functions: FunctionEntries, comments: [CommentTarget: String], types: [TableName: UserType],
        databaseNames: [String],
        identifiers: ObjectIdentifiers
    ) {
        self.number = number
        self.userRelations = userRelations
        self.schemaNames = schemaNames
        self.comments = comments
        self.functions = functions
        self.types = types
        databases = databaseNames.map { (identifiers.identifier("database \($0)"), $0) }
        let allSchemas = Catalog.systemSchemas + schemaNames.filter { !Catalog.systemSchemas.contains($0) }
        schemas = allSchemas.map { (Self.knownSchemas[$0] ?? identifiers.identifier("schema \($0)"), $0) }
        schemaIdentifiers = Dictionary(
            schemas.map { ($0.name, $0.identifier) }, uniquingKeysWith: { first, _ in first })
        var relations: [RelationEntry] = []
        var byName: [String: [String: Int]] = [:]
        for var entry in systemRelations + userRelations {
            if byName[entry.name.schema]?[entry.name.table] != nil { continue }
            if entry.identifier == 0 { entry.identifier = identifiers.identifier("relation \(entry.name)") }
            byName[entry.name.schema, default: [:]][entry.name.table] = relations.count
            relations.append(entry)
        }
        self.relations = relations
        relationsByName = byName
        relationIndex = Dictionary(
            relations.indices.map { (relations[$0].identifier, $0) }, uniquingKeysWith: { first, _ in first })
        constraints = ConstraintEntries.all(relations, schemaIdentifiers, identifiers)
    }

    func relation(_ identifier: Int64) -> RelationEntry? { relationIndex[identifier].map { relations[$0] } }
    func relation(schema: String, name: String) -> RelationEntry? {
        relationsByName[schema]?[name].map { relations[$0] }
    }

    func type(_ identifier: Int64) -> (name: TableName, type: UserType, isArray: Bool)? {
        for (name, type) in types where type.identifier == identifier || type.identifier + 1 == identifier {
            return (name, type, type.identifier != identifier)
        }
        return nil
    }

    /// The rows of a base table, in pieces of a batch's size.
    func rows(of specification: SystemTable.Specification) -> [[Vector]] {
        if let made = tables.withLock({ $0[specification.fullName] }) { return made }
        let sink = RowSink(columns: specification.columns, requiredNames: specification.requiredNames)
        SystemRows.fill(specification.fullName, self, sink)
        let pieces = sink.finish()
        tables.withLock { $0[specification.fullName] = pieces }
        return pieces
    }
}
