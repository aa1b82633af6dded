// What binding gives for statements that define tables, indexes and sequences.

import Columnar
import Diagnostics
import QueryPlan
import SQLParser
import Storage

/// A sequence that a column brings with it.
package struct OwnedSequence: Sendable {
    package var name: TableName
    package var options: SequenceOptions
    package var column: String
}

package struct BoundTable: Sendable {
    package var name: TableName
    package var definition: TableDefinition
    package var sequences: [OwnedSequence]
    package var ifNotExists: Bool
    package var isTemporary: Bool
    package var onCommit: CreateTable.OnCommit?
}

/// ALTER TABLE as one step: another definition, and a query for the new rows where they change.
package struct BoundAlteration: Sendable {
    package var table: TableName
    package var definition: TableDefinition
    /// The new rows (with `rewrites`) and then a boolean for each new check; `nil` if neither is needed.
    package var plan: LogicalPlan?
    package var rewrites: Bool
    package var checks: [String]
    package var sequences: [OwnedSequence] = []
    /// Columns that are gone, for what depends on them.
    package var droppedColumns: [String] = []
    /// Columns that get another type.
    package var retypedColumns: [String] = []
    package var droppedKeys: [UniqueKey] = []
    package var droppedForeignKeys = false
    package var addsForeignKeys = false
    package var cascade = false
    /// The table's or the view's other name or schema.
    package var newName: TableName?
    package var renamedColumns: [String: String] = [:]
    /// Defaults of a view's columns, and its CHECK OPTION; an inner `nil` takes it away.
    package var viewDefaults: [String: String?] = [:]
    package var checkOption: ViewDefinition.CheckOption??
    package var notices: [QueryError] = []
    /// How the statement calls it: a view may be altered by ALTER TABLE, too.
    package var tag = "ALTER TABLE"
}

package struct BoundIndex: Sendable {
    package var name: TableName
    package var index: IndexDefinition
    /// With another key if the index is unique.
    package var definition: TableDefinition
    package var ifNotExists: Bool
}

package enum BoundSequenceChange: Sendable {
    case create(TableName, SequenceOptions, owner: (TableName, String)?, ifNotExists: Bool)
    case alter(TableName, SequenceSettings)
    case rename(TableName, to: TableName)
    case nothing
}
