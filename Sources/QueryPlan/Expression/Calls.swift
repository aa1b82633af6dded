// Aggregate and window calls, and orderings: the parts of nodes that are more than a scalar expression.

import Columnar

/// One key of an ordering.
package struct SortKey: Hashable, Sendable {
    package var expression: Expression
    package var isDescending: Bool
    package var nullsFirst: Bool
    /// PostgreSQL's default: nulls sort as the largest value.
    package init(_ expression: Expression, isDescending: Bool = false, nullsFirst: Bool? = nil) {
        self.expression = expression
        self.isDescending = isDescending
        self.nullsFirst = nullsFirst ?? isDescending
    }
}

/// A call of an aggregate function.
package struct AggregateCall: Hashable, Sendable {
    /// The registry's name; count(*) is "count" without arguments.
    package var name: String
    package var arguments: [Expression]
    package var isDistinct: Bool
    /// Rows for which this is not true are left out.
    package var filter: Expression?
    /// ORDER BY within the call or WITHIN GROUP.
    package var ordering: [SortKey]
    package var type: DataType

    package init(
        name: String, arguments: [Expression], isDistinct: Bool = false, filter: Expression? = nil,
        ordering: [SortKey] = [], type: DataType
    ) {
        self.name = name
        self.arguments = arguments
        self.isDistinct = isDistinct
        self.filter = filter
        self.ordering = ordering
        self.type = type
    }
}

/// A bound of a window frame.
package enum FrameBound: Hashable, Sendable {
    case unboundedPreceding, unboundedFollowing, currentRow
    case preceding(Expression)
    case following(Expression)
}

package struct WindowFrame: Hashable, Sendable {
    package enum Unit: UInt8, Hashable, Sendable { case rows, range, groups }
    package enum Exclusion: UInt8, Hashable, Sendable { case none, currentRow, group, ties }
    package var unit: Unit
    package var start: FrameBound
    package var end: FrameBound
    package var exclusion: Exclusion
    package init(
        unit: Unit = .range, start: FrameBound = .unboundedPreceding, end: FrameBound = .currentRow,
        exclusion: Exclusion = .none
    ) {
        self.unit = unit
        self.start = start
        self.end = end
        self.exclusion = exclusion
    }
}

/// A window function, or an aggregate used as one.
package struct WindowCall: Hashable, Sendable {
    package var name: String
    package var isAggregate: Bool
    package var arguments: [Expression]
    package var filter: Expression?
    package var ignoresNulls: Bool
    package var frame: WindowFrame
    package var type: DataType
    package init(
        name: String, isAggregate: Bool, arguments: [Expression], filter: Expression? = nil, ignoresNulls: Bool = false,
        frame: WindowFrame, type: DataType
    ) {
        self.name = name
        self.isAggregate = isAggregate
        self.arguments = arguments
        self.filter = filter
        self.ignoresNulls = ignoresNulls
        self.frame = frame
        self.type = type
    }
}
