// Statements that define objects: CREATE, DROP, ALTER, COMMENT.

import Diagnostics

package struct CreateTable: Hashable, Sendable {
    package enum Persistence: Hashable, Sendable { case permanent, temporary, unlogged }
    package enum OnCommit: String, Hashable, Sendable {
        case preserveRows = "preserve rows"
        case deleteRows = "delete rows"
        case drop = "drop"
    }
    package enum Element: Hashable, Sendable {
        case column(ColumnDefinition)
        case constraint(TableConstraint)
        /// `LIKE table INCLUDING …`: the options are words such as `including all`.
        case like(ObjectName, options: [String])
    }
    package let name: ObjectName
    package let persistence: Persistence
    package let orReplace: Bool
    package let ifNotExists: Bool
    /// The elements in parentheses; empty for CREATE TABLE AS.
    package let elements: [Element]
    /// `WITH (…)`.
    package let options: [StatementOption]
    package let onCommit: OnCommit?
    /// The columns named before AS.
    package let columnNames: [Identifier]
    /// `AS query`, also SELECT … INTO.
    package let query: Query?
    /// False for `WITH NO DATA`.
    package let withData: Bool
    @Located package var position: SourcePosition
}

package struct ColumnDefinition: Hashable, Sendable {
    package let name: Identifier
    package let type: TypeName
    package let collation: ObjectName?
    package let constraints: [ColumnConstraint]
}

package struct ColumnConstraint: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case notNull
        case null
        case defaultValue(Expression)
        case check(Expression)
        case primaryKey
        case unique(nullsAreEqual: Bool)
        case references(ForeignKeyTarget)
        /// `GENERATED ALWAYS AS (expression) STORED`.
        case generated(Expression)
        /// `GENERATED ALWAYS | BY DEFAULT AS IDENTITY`.
        case identity(always: Bool, SequenceSettings)
    }
    package let name: Identifier?
    package let kind: Kind
    @Located package var position: SourcePosition
}

package struct ForeignKeyTarget: Hashable, Sendable {
    package let table: ObjectName
    package let columns: [Identifier]
    /// `no action`, `restrict`, `cascade`, `set null` or `set default`; nil when not given.
    package let onDelete: String?
    package let onUpdate: String?
}

package struct TableConstraint: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case check(Expression)
        case primaryKey([Identifier])
        /// `nullsAreEqual`: NULLS NOT DISTINCT.
        case unique([Identifier], nullsAreEqual: Bool)
        case foreignKey([Identifier], ForeignKeyTarget)
    }
    package let name: Identifier?
    package let kind: Kind
    @Located package var position: SourcePosition
}

package struct CreateView: Hashable, Sendable {
    package let name: ObjectName
    package let orReplace: Bool
    package let isTemporary: Bool
    package let ifNotExists: Bool
    package let columns: [Identifier]
    package let options: [StatementOption]
    package let query: Query
    /// `WITH LOCAL | CASCADED CHECK OPTION`: `local` or `cascaded`.
    package let checkOption: String?
    package var isMaterialized = false
    /// Of a materialized view: whether the query runs at once.
    package var withData = true
    @Located package var position: SourcePosition
}

/// REFRESH MATERIALIZED VIEW.
package struct Refresh: Hashable, Sendable {
    package let name: ObjectName
    package let isConcurrent: Bool
    package let withData: Bool
}

package struct CreateSchema: Hashable, Sendable {
    /// Nil only with `AUTHORIZATION`, which then gives the name.
    package let name: ObjectName?
    package let ifNotExists: Bool
    package let authorization: Identifier?
    @Located package var position: SourcePosition
}

package struct Drop: Hashable, Sendable {
    package enum Object: String, Hashable, Sendable {
        case table, view, schema, index, sequence
        case materializedView = "materialized view"
    }
    package let object: Object
    package let names: [ObjectName]
    package let ifExists: Bool
    /// CASCADE; RESTRICT is the default.
    package let cascade: Bool
}

package struct AlterTable: Hashable, Sendable {
    package enum Object: String, Hashable, Sendable { case table, view }
    package enum Action: Hashable, Sendable {
        case addColumn(ColumnDefinition, ifNotExists: Bool)
        case dropColumn(Identifier, ifExists: Bool, cascade: Bool)
        case setType(Identifier, TypeName, using: Expression?)
        case setDefault(Identifier, Expression)
        case dropDefault(Identifier)
        case setNotNull(Identifier)
        case dropNotNull(Identifier)
        case addConstraint(TableConstraint)
        case dropConstraint(Identifier, ifExists: Bool, cascade: Bool)
        case renameColumn(Identifier, to: Identifier)
        case renameTo(Identifier)
        case renameConstraint(Identifier, to: Identifier)
        case setSchema(Identifier)
        case ownerTo(Identifier)
        case setOptions([StatementOption])
        case resetOptions([Identifier])
    }
    package let object: Object
    package let name: ObjectName
    package let ifExists: Bool
    package let actions: [Action]
    @Located package var position: SourcePosition
}

package struct Comment: Hashable, Sendable {
    package enum Object: String, Hashable, Sendable {
        case table, view, column, schema, database, index, sequence, constraint
    }
    package let object: Object
    package let name: ObjectName
    /// Nil for `IS NULL`: the comment is removed.
    package let text: String?
    @Located package var position: SourcePosition
}
