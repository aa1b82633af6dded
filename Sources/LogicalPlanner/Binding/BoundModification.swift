// What binding gives for INSERT, UPDATE and DELETE: a query for the changed rows, and what its columns mean.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// A condition that the new rows must not fail.
package enum RowCheck: Hashable, Sendable {
    case constraint(String)
    /// WITH CHECK OPTION of a view.
    case viewOption(String)
}

/// A statement that changes rows of one table. The plan's columns are, in this order: the identifier of the row in the table
/// (with `hasIdentifier`), a boolean that says whether the row takes part (with `hasCondition`; for MERGE the number of its
/// `MergeAction`), the new row's fields, the
/// values proposed for the arbiter keys, a boolean for each check, the columns of RETURNING.
package struct BoundModification: Sendable {
    package enum Kind: String, Sendable { case insert, update, delete, merge }
    /// What ON CONFLICT does with a row whose key was proposed before by the same statement.
    package enum Conflict: Hashable, Sendable {
        case skip
        case fail
    }
    package var kind: Kind
    package var table: TableName
    package var definition: TableDefinition
    package var plan: LogicalPlan
    package var hasIdentifier: Bool
    package var hasCondition: Bool
    /// The table's columns; 0 for DELETE.
    package var fieldCount: Int
    package var conflict: Conflict?
    /// For each arbiter key, how many columns of proposed values it has.
    package var proposedCounts: [Int]
    package var checks: [RowCheck]
    package var returningNames: [String]
    package var returningTypes: [DataType]

    package var returnsRows: Bool { !returningNames.isEmpty }
    package var checkStart: Int {
        (hasIdentifier ? 1 : 0) + (hasCondition ? 1 : 0) + fieldCount + proposedCounts.reduce(0, +)
    }
}

extension BoundModification {
    func mapPlan(_ transform: (LogicalPlan) throws -> LogicalPlan) rethrows -> BoundModification {
        var copy = self
        copy.plan = try transform(plan)
        return copy
    }
}
