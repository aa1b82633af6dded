// A view's query as its text shows it: names resolved, conversions explicit, USING instead of NATURAL. Made once; written
// with or without the parentheses that are not needed, and for any width of lines.

/// A scalar expression.
indirect enum ShownExpression: Sendable, Hashable {
    /// A column or another single word.
    case word(String)
    case constant(ShownConstant)
    /// `(x)::type`. An implicit one is hidden where the context will make it again.
    case conversion(ShownExpression, type: String, kind: Conversion, isImplicit: Bool)
    case prefix(String, ShownExpression)
    case infix(String, ShownExpression, ShownExpression)
    case and([ShownExpression])
    case or([ShownExpression])
    case not(ShownExpression)
    /// IS NULL and its kin; `hidesConversions` for those of truth values.
    case test(ShownExpression, String, hidesConversions: Bool)
    case distinct(ShownExpression, ShownExpression)
    /// `x = ANY (y)`.
    case quantified(String, ShownExpression, ShownExpression, castOfQuery: String?)
    case call(ShownCall)
    /// COALESCE, ROW, ARRAY and so on.
    case list(String, [ShownExpression], close: String)
    /// EXTRACT(x FROM y) and others with words between the arguments; conversions are hidden.
    case spelled([SpelledPart])
    case choice(operand: ShownExpression?, [ShownBranch], otherwise: ShownExpression)
    case collation(ShownExpression, String)
    case elements(ShownExpression, [ShownSubscript])
    case field(ShownExpression, String)
    case query(ShownSubquery)

    /// How a conversion is carried out, which decides about parentheses around it.
    enum Conversion: Sendable, Hashable { case function, relabelling }
}

/// A constant as a literal and the type that it needs to be read as the same again.
struct ShownConstant: Sendable, Hashable {
    var text: String
    var type: String
    var needsType: Bool
    var isNull = false
}

struct ShownBranch: Sendable, Hashable {
    var when: ShownExpression
    var then: ShownExpression
}

enum ShownSubscript: Sendable, Hashable {
    case index(ShownExpression)
    case slice(ShownExpression?, ShownExpression?)
}

enum SpelledPart: Sendable, Hashable {
    case word(String)
    case operand(ShownExpression)
    /// With the parentheses that operators need.
    case operatorOperand(ShownExpression)
}

struct ShownCall: Sendable, Hashable {
    var name: String
    var arguments: [ShownExpression] = []
    var isStar = false
    var isDistinct = false
    var orderBy: [ShownSortKey] = []
    var withinGroup: [ShownSortKey] = []
    var filter: ShownExpression?
    var window: ShownWindowReference?
}

enum ShownWindowReference: Sendable, Hashable {
    case named(String)
    case specification(ShownWindow)
}

struct ShownWindow: Sendable, Hashable {
    var base: String?
    var partitionBy: [ShownExpression] = []
    var orderBy: [ShownSortKey] = []
    var frame: ShownFrame?
}

struct ShownFrame: Sendable, Hashable {
    enum Bound: Sendable, Hashable {
        case words(String)
        case offset(ShownExpression, String)
    }
    var unit: String
    var start: Bound
    var end: Bound?
    var exclusion: String?
}

struct ShownSortKey: Sendable, Hashable {
    enum Key: Sendable, Hashable {
        case expression(ShownExpression)
        case number(Int)
    }
    var key: Key
    /// DESC, NULLS FIRST and so on, with a space in front.
    var suffix: String
}

/// A sub-query within an expression.
struct ShownSubquery: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case scalar, exists, array
        /// `x IN (…)`, `x > ALL (…)`: the words between operand and query.
        case compared([ShownExpression], isRow: Bool, String)
    }
    var kind: Kind
    var query: ShownQuery
}

struct ShownQuery: Sendable, Hashable {
    struct CommonTable: Sendable, Hashable {
        var name: String
        var columns: [String]
        var materialization: String
        var query: ShownQuery
    }
    var isRecursive = false
    var commonTables: [CommonTable] = []
    var body: ShownBody
    var orderBy: [ShownSortKey] = []
    var limit: ShownExpression?
    var hasTies = false
    var offset: ShownExpression?

    /// Whether a set operation needs parentheses around it.
    var hasClauses: Bool { !commonTables.isEmpty || !orderBy.isEmpty || limit != nil || offset != nil }
}

indirect enum ShownBody: Sendable, Hashable {
    case select(ShownSelect)
    case values([[ShownExpression]])
    case setOperation(String, isAll: Bool, ShownBody, ShownBody)
    case nested(ShownQuery)
}

struct ShownSelect: Sendable, Hashable {
    struct Item: Sendable, Hashable {
        var expression: ShownExpression
        /// The name of the output, and of the column that the expression is.
        var name: String
        var ownName: String?
    }
    enum Distinct: Sendable, Hashable {
        case none, all
        case on([ShownExpression])
    }
    var distinct = Distinct.none
    var items: [Item] = []
    var from: [ShownFrom] = []
    var condition: ShownExpression?
    var groupBy: [ShownGrouping] = []
    var groupsDistinct = false
    var having: ShownExpression?
    var windows: [(name: String, window: ShownWindow)] = []

    static func == (a: ShownSelect, b: ShownSelect) -> Bool {
        a.items == b.items && a.from == b.from && a.condition == b.condition && a.distinct == b.distinct
            && a.groupBy == b.groupBy && a.groupsDistinct == b.groupsDistinct && a.having == b.having
            && a.windows.map(\.name) == b.windows.map(\.name) && a.windows.map(\.window) == b.windows.map(\.window)
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(items)
        hasher.combine(from)
    }
}

indirect enum ShownGrouping: Sendable, Hashable {
    case expression(ShownExpression)
    case set([ShownExpression])
    case sets(String, [ShownGrouping], omitsParentheses: Bool)
}

indirect enum ShownFrom: Sendable, Hashable {
    /// A table or view of the catalogue, whose name is written as the search path needs it.
    case table(schema: String, name: String, isQualified: Bool, alias: String?, columns: [String], sample: Sample?)
    case commonTable(String, alias: String?, columns: [String])
    case query(ShownQuery, isLateral: Bool, alias: String, columns: [String])
    case functions(
        [ShownExpression], isRowsFrom: Bool, hasOrdinality: Bool, isLateral: Bool, alias: String, columns: [String])
    case join(ShownJoin)

    struct Sample: Sendable, Hashable {
        var method: String
        var arguments: [ShownExpression]
        var repeatable: ShownExpression?
    }
    var isJoin: Bool { if case .join = self { true } else { false } }
    var isAliasedJoin: Bool { if case .join(let join) = self { join.alias != nil } else { false } }
}

struct ShownJoin: Sendable, Hashable {
    var keyword: String
    var left: ShownFrom
    var right: ShownFrom
    var condition: ShownExpression?
    var using: [String] = []
    var usingAlias: String?
    var alias: String?
    var columns: [String] = []
}
