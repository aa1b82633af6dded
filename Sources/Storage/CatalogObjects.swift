// What a node's catalogue knows besides the tables of its back ends: views, sequences, indexes, types and comments.

import Diagnostics
import QueryPlan

/// All objects at a moment. A value: every statement looks at one of them.
package struct CatalogObjects: Sendable {
    package var views: [TableName: ViewDefinition] = [:]
    package var sequences: [TableName: StoredSequence] = [:]
    package var indexes: [TableName: IndexDefinition] = [:]
    package var comments: [CommentTarget: String] = [:]
    package var types: [TableName: UserType] = [:]
    /// Differs whenever something above may; `nil` for a state that only an open transaction sees.
    package var version: UInt64? = 0

    /// What a transaction changed; `nil` stands for what is gone.
    package struct Changes: Sendable {
        package var views: [TableName: ViewDefinition?] = [:]
        package var sequences: [TableName: StoredSequence?] = [:]
        package var indexes: [TableName: IndexDefinition?] = [:]
        package var comments: [CommentTarget: String?] = [:]
        package var types: [TableName: UserType?] = [:]

        /// What others know of types from the moment of the commit on.
        func publish() {
            for case (let name, let type?) in types { type.publish(name: name) }
        }

        func apply(to objects: inout CatalogObjects) {
            for (name, view) in views { objects.views[name] = view }
            for (name, sequence) in sequences { objects.sequences[name] = sequence }
            for (name, index) in indexes { objects.indexes[name] = index }
            for (target, comment) in comments { objects.comments[target] = comment }
            for (name, type) in types { objects.types[name] = type }
        }
    }
}

/// An index by name. Only a unique one means anything: the table's definition then has a key of that name.
package struct IndexDefinition: Hashable, Sendable {
    package var table: TableName
    package var isUnique: Bool
    /// The columns or expressions as written.
    package var elements: [String]
    package init(table: TableName, isUnique: Bool, elements: [String]) {
        self.table = table
        self.isUnique = isUnique
        self.elements = elements
    }
}

/// What a comment is about.
package enum CommentTarget: Hashable, Sendable {
    case relation(TableName)
    case column(TableName, String)
    case constraint(TableName, String)
    case schema(catalog: String, schema: String)
    case database(String)
}
