// Names and places in the syntax tree.

import Diagnostics

/// A position that takes no part in comparing or hashing, so that two trees are equal when they mean the same text,
/// wherever that text stands. GROUP BY matching and the printer's tests rely on this.
@propertyWrapper
package struct Located: Hashable, Sendable {
    package var wrappedValue: SourcePosition
    package init(wrappedValue: SourcePosition) { self.wrappedValue = wrappedValue }
    package static func == (a: Located, b: Located) -> Bool { true }
    package func hash(into hasher: inout Hasher) {}
}

/// A single identifier, folded to lower case unless it was quoted.
package struct Identifier: Hashable, Sendable, CustomStringConvertible {
    package let text: String
    @Located package var position: SourcePosition
    package init(_ text: String, at position: SourcePosition) {
        self.text = text
        self.position = position
    }
    package var description: String { text }
}

/// A possibly qualified name of a table, function, type, collation or schema: `catalog.schema.name` and shorter.
package struct ObjectName: Hashable, Sendable {
    /// One or more parts, outermost first.
    package let parts: [String]
    @Located package var position: SourcePosition

    package init(_ parts: [String], at position: SourcePosition) {
        self.parts = parts
        self.position = position
    }

    /// The last part: the object's own name.
    package var last: String { parts[parts.count - 1] }
    /// The part before the last, if any.
    package var schema: String? { parts.count > 1 ? parts[parts.count - 2] : nil }
    /// The part before the schema, if any.
    package var catalog: String? { parts.count > 2 ? parts[parts.count - 3] : nil }
}

/// The name of an operator: a symbol, and a schema when written `OPERATOR(schema.symbol)`.
package struct OperatorName: Hashable, Sendable {
    package let schema: String?
    /// As written, but `!=` is `<>`.
    package let symbol: String
    package init(_ symbol: String, schema: String? = nil) {
        self.symbol = symbol
        self.schema = schema
    }
}

/// The name of a type as written. Nothing is looked up: `int4` and `integer` are different here, except that the
/// spellings of several words are brought to one name (see `name`).
package struct TypeName: Hashable, Sendable {
    /// Schema-qualified or plain. The multi-word spellings become `double precision`, `character varying`,
    /// `timestamp`, `timestamptz`, `time`, `timetz`, `bit varying`; `dec` and `national char` likewise become
    /// `decimal` and `character`. Single-word spellings stay as written (lower case).
    package let name: ObjectName
    /// True when the type was written as a quoted identifier: `"char"` is not `char`.
    package let isQuoted: Bool
    /// What stands in parentheses after the name: `numeric(10, 2)`, `varchar(5)`, `timestamp(3)`.
    package let modifiers: [Expression]
    /// One element for each `[]` or `[n]` after the name; the sizes mean nothing in PostgreSQL.
    package let arrayDimensions: [Int?]
    /// The fields of `interval year to month`, `interval day`, ….
    package let intervalFields: IntervalFields?
    /// `SETOF type`, only in column definition lists.
    package let isSetOf: Bool

    package init(
        name: ObjectName, isQuoted: Bool = false, modifiers: [Expression] = [], arrayDimensions: [Int?] = [],
        intervalFields: IntervalFields? = nil, isSetOf: Bool = false
    ) {
        self.name = name
        self.isQuoted = isQuoted
        self.modifiers = modifiers
        self.arrayDimensions = arrayDimensions
        self.intervalFields = intervalFields
        self.isSetOf = isSetOf
    }

    package var position: SourcePosition { name.position }
}

/// The fields an interval type or literal is limited to.
package enum IntervalFields: String, Hashable, Sendable {
    case year = "year"
    case month = "month"
    case day = "day"
    case hour = "hour"
    case minute = "minute"
    case second = "second"
    case yearToMonth = "year to month"
    case dayToHour = "day to hour"
    case dayToMinute = "day to minute"
    case dayToSecond = "day to second"
    case hourToMinute = "hour to minute"
    case hourToSecond = "hour to second"
    case minuteToSecond = "minute to second"
}
