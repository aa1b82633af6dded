// CREATE INDEX and CREATE SEQUENCE.

import Diagnostics

package struct CreateIndex: Hashable, Sendable {
    package let isUnique: Bool
    package let ifNotExists: Bool
    /// Nil: a name is made from the table's and the columns'.
    package let name: Identifier?
    package let table: ObjectName
    /// `USING method`.
    package let method: Identifier?
    /// Columns are plain column expressions; order and operator classes are left out, they change no result.
    package let elements: [Expression]
    package let included: [Identifier]
    package let nullsAreEqual: Bool
    package let whereClause: Expression?
    @Located package var position: SourcePosition
}

/// What CREATE SEQUENCE, ALTER SEQUENCE and identity columns say about the numbers.
package struct SequenceSettings: Hashable, Sendable {
    package enum Bound: Hashable, Sendable {
        case value(Int64)
        /// `NO MINVALUE`, `NO MAXVALUE`: the type's.
        case none
    }
    package var type: TypeName?
    package var increment: Int64?
    package var minimum: Bound?
    package var maximum: Bound?
    package var start: Int64?
    package var cycles: Bool?
    package var cache: Int64?
    /// ALTER SEQUENCE … RESTART: `.none` is the start value.
    package var restart: Bound?
    /// `OWNED BY table.column`; an empty name for NONE.
    package var owner: [String]?
    package init() {}
}

package struct CreateSequence: Hashable, Sendable {
    package let name: ObjectName
    package let isTemporary: Bool
    package let ifNotExists: Bool
    package let settings: SequenceSettings
    @Located package var position: SourcePosition
}

package struct AlterSequence: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        case settings(SequenceSettings)
        case renameTo(Identifier)
        case ownerTo(Identifier)
        case setSchema(Identifier)
    }
    package let name: ObjectName
    package let ifExists: Bool
    package let action: Action
    @Located package var position: SourcePosition
}
