// Scalar expressions of the syntax tree.

import Diagnostics

/// A scalar expression with the place its error messages point to: an operator's symbol, a function's name, a
/// literal's first character.
package struct Expression: Hashable, Sendable {
    package var kind: Kind
    @Located package var position: SourcePosition

    package init(_ kind: Kind, at position: SourcePosition) {
        self.kind = kind
        self.position = position
    }

    package indirect enum Kind: Hashable, Sendable {
        case literal(Literal)
        /// `date '2020-01-01'`, `interval '1' day`, `numeric(4,2) '1.5'`.
        case typedLiteral(TypeName, String)
        /// A column reference of one to four parts: `column`, `table.column`, `schema.table.column`, …. Which part
        /// is what is for the binder to find out.
        case column([String])
        /// `*` or `t.*` where an expression may stand: `count(t.*)`, `ROW(t.*)`.
        case star(qualifier: [String])
        /// `$1`; numbers count from 1.
        case parameter(Int)

        /// Any prefix operator but NOT. Minus before a number is part of the literal instead.
        case unary(OperatorName, Expression)
        /// Any infix operator but AND and OR: comparison, arithmetic, `||`, `~`, user-defined ones.
        case binary(OperatorName, Expression, Expression)
        /// Two or more operands, as written without parentheses: `a AND b AND c`.
        case and([Expression])
        case or([Expression])
        case not(Expression)

        case isNull(Expression, negated: Bool)
        case isTruth(Expression, TruthValue, negated: Bool)
        /// `a IS DISTINCT FROM b`; negated is `IS NOT DISTINCT FROM`.
        case isDistinct(Expression, Expression, negated: Bool)
        case between(BetweenPredicate)
        case inList(Expression, [Expression], negated: Bool)
        case inQuery(Expression, Query, negated: Bool)
        case like(LikePredicate)
        case quantified(QuantifiedComparison)
        case exists(Query)
        case scalarQuery(Query)

        /// `ARRAY[a, b]`, also `[a, b]` within one or on its own.
        case array([Expression])
        case arrayQuery(Query)
        /// `x[1][2:3]`: all subscripts that follow one another are in one node.
        case subscripts(Expression, [Subscript])
        /// `ROW(a, b)`, or `(a, b)` with `explicit` false and at least two fields.
        case row([Expression], explicit: Bool)
        /// `(x).f`.
        case field(Expression, String)

        case caseWhen(CaseExpression)
        case cast(Expression, TypeName, CastSyntax)
        case collate(Expression, ObjectName)
        /// `value AT TIME ZONE zone`.
        case atTimeZone(Expression, zone: Expression)

        case function(FunctionCall)
        case coalesce([Expression])
        case nullIf(Expression, Expression)
        case greatest([Expression])
        case least([Expression])
        /// `GROUPING(a, b)`.
        case grouping([Expression])
        /// `CURRENT_DATE`, `LOCALTIME(2)`, `CURRENT_USER`, …; the precision is for the time values only.
        case sessionValue(SessionValue, precision: Int?)
        /// `DEFAULT` as a value of INSERT or UPDATE.
        case defaultValue
    }
}

/// A constant as written.
package enum Literal: Hashable, Sendable {
    case null
    case boolean(Bool)
    /// Any whole number within Int64, with its sign. PostgreSQL's type is `int4` where it fits, else `int8`.
    case integer(Int64)
    /// A number with a point, an exponent or too many digits, as its text with its sign (no underscores).
    case decimal(String)
    /// The content of '…', E'…', U&'…' or $$…$$ with escapes resolved; its type is still unknown.
    case string(String)
    /// The binary digits of B'…' or X'…'.
    case bits(String)
}

package enum TruthValue: String, Hashable, Sendable { case `true`, `false`, unknown }

package struct BetweenPredicate: Hashable, Sendable {
    package let value: Expression
    package let low: Expression
    package let high: Expression
    package let symmetric: Bool
    package let negated: Bool
}

package struct LikePredicate: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable { case like, ilike, similarTo = "similar to" }
    package let kind: Kind
    package let value: Expression
    package let pattern: Expression
    package let escape: Expression?
    package let negated: Bool
}

/// `left op ANY (…)` and `left op ALL (…)`; SOME is ANY. LIKE and its kin appear as `~~`, `!~~`, `~~*`, `!~~*`.
package struct QuantifiedComparison: Hashable, Sendable {
    package enum Quantifier: Hashable, Sendable { case any, all }
    package enum Right: Hashable, Sendable {
        case query(Query)
        case array(Expression)
    }
    package let left: Expression
    package let comparison: OperatorName
    package let quantifier: Quantifier
    package let right: Right
}

package enum Subscript: Hashable, Sendable {
    case index(Expression)
    case slice(lower: Expression?, upper: Expression?)
}

/// `CASE operand WHEN … THEN … ELSE … END`; without an operand each `when` is a condition.
package struct CaseExpression: Hashable, Sendable {
    package struct Branch: Hashable, Sendable {
        package let when: Expression
        package let then: Expression
    }
    package let operand: Expression?
    package let branches: [Branch]
    package let otherwise: Expression?
}

/// How a cast was written. TRY_CAST gives NULL where CAST gives an error; `::` and CAST mean the same.
package enum CastSyntax: Hashable, Sendable { case cast, tryCast }

package enum SessionValue: String, Hashable, Sendable {
    case currentDate = "current_date"
    case currentTime = "current_time"
    case currentTimestamp = "current_timestamp"
    case localTime = "localtime"
    case localTimestamp = "localtimestamp"
    case currentRole = "current_role"
    case currentUser = "current_user"
    case sessionUser = "session_user"
    case user = "user"
    case currentCatalog = "current_catalog"
    case currentSchema = "current_schema"
}

/// A call of a function, an aggregate or a window function.
package struct FunctionCall: Hashable, Sendable {
    package enum NullTreatment: Hashable, Sendable { case ignoreNulls, respectNulls }

    /// Functions with a syntax of their own keep it for printing. `name` and `arguments` are always those of the plain
    /// function PostgreSQL calls for them:
    /// EXTRACT(f FROM x) is `extract('f', x)`; SUBSTRING(x FROM a FOR b) is `substring(x, a, b)`;
    /// SUBSTRING(x FOR b) is `substring(x, 1, b)`; SUBSTRING(x SIMILAR p ESCAPE e) is `substring(x, p, e)`;
    /// POSITION(a IN b) is `position(b, a)`; OVERLAY(x PLACING y FROM a FOR b) is `overlay(x, y, a, b)`;
    /// TRIM(LEADING y FROM x) is `ltrim(x, y)`, TRAILING `rtrim`, else `btrim`; NORMALIZE(x, NFC) is
    /// `normalize(x, 'NFC')`; COLLATION FOR (x) is `pg_collation_for(x)`; (a, b) OVERLAPS (c, d) is
    /// `overlaps(a, b, c, d)`; x IS NFC NORMALIZED is `is_normalized(x, 'NFC')`.
    package enum Syntax: Hashable, Sendable {
        case plain, extract, substring, substringSimilar, position, overlay, trim, normalize, collationFor, overlaps
        case isNormalized
    }

    package var name: ObjectName
    package var arguments: [FunctionArgument]
    package var syntax: Syntax = .plain
    /// `f(*)`.
    package var isStar = false
    /// `f(DISTINCT …)`.
    package var isDistinct = false
    /// `f(… ORDER BY …)`.
    package var orderBy: [SortItem] = []
    /// `WITHIN GROUP (ORDER BY …)`.
    package var withinGroup: [SortItem] = []
    /// `FILTER (WHERE …)`.
    package var filter: Expression?
    package var nullTreatment: NullTreatment?
    package var over: WindowReference?
}

package struct FunctionArgument: Hashable, Sendable {
    /// Set for `name => value` and `name := value`.
    package let name: String?
    package let value: Expression
    package let isVariadic: Bool

    package init(name: String? = nil, value: Expression, isVariadic: Bool = false) {
        self.name = name
        self.value = value
        self.isVariadic = isVariadic
    }
}

/// What follows OVER.
package enum WindowReference: Hashable, Sendable {
    case named(Identifier)
    case specification(WindowSpecification)
}

/// `(base PARTITION BY … ORDER BY … frame)`.
package struct WindowSpecification: Hashable, Sendable {
    package let base: Identifier?
    package let partitionBy: [Expression]
    package let orderBy: [SortItem]
    package let frame: WindowFrame?
    @Located package var position: SourcePosition
}

package struct WindowFrame: Hashable, Sendable {
    package enum Unit: String, Hashable, Sendable { case rows, range, groups }
    package enum Bound: Hashable, Sendable {
        case unboundedPreceding
        case preceding(Expression)
        case currentRow
        case following(Expression)
        case unboundedFollowing
    }
    package enum Exclusion: String, Hashable, Sendable {
        case currentRow = "current row"
        case group = "group"
        case ties = "ties"
        case noOthers = "no others"
    }
    package let unit: Unit
    package let start: Bound
    /// Nil where only a start was written; the frame then ends at the current row.
    package let end: Bound?
    package let exclusion: Exclusion?
    @Located package var position: SourcePosition
}

/// One element of ORDER BY.
package struct SortItem: Hashable, Sendable {
    package enum Direction: Hashable, Sendable { case ascending, descending }
    package enum Nulls: Hashable, Sendable { case first, last }
    /// `ORDER BY ALL` is one item with `.star` of an empty qualifier: every column of the result in turn.
    package let expression: Expression
    package let direction: Direction?
    /// `USING <`; `direction` is then nil.
    package let usingOperator: OperatorName?
    package let nulls: Nulls?
}
