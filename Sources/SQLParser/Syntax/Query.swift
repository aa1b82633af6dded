// Queries of the syntax tree: WITH, SELECT, set operations, VALUES, and what stands in FROM.

import Diagnostics

/// A whole query: body, and the clauses that apply to its result.
package struct Query: Hashable, Sendable {
    package var with: WithClause?
    package var body: QueryBody
    package var orderBy: [SortItem] = []
    package var limit: LimitClause?
    package var offset: Expression?
    /// `FOR UPDATE` and its kin.
    package var locking: [LockingClause] = []
    @Located package var position: SourcePosition

    /// A body without further clauses.
    package init(only body: QueryBody) { self.init(body: body, position: SourcePosition(offset: 0)) }

    init(
        with: WithClause? = nil, body: QueryBody, orderBy: [SortItem] = [], limit: LimitClause? = nil,
        offset: Expression? = nil, locking: [LockingClause] = [], position: SourcePosition
    ) {
        self.with = with
        self.body = body
        self.orderBy = orderBy
        self.limit = limit
        self.offset = offset
        self.locking = locking
        _position = Located(wrappedValue: position)
    }
}

package indirect enum QueryBody: Hashable, Sendable {
    case select(SelectCore)
    case setOperation(SetOperation)
    /// Rows of `VALUES`; every row has at least one expression. Rows of different lengths are for the binder to refuse.
    case values([[Expression]])
    /// `TABLE name`.
    case table(ObjectName)
    /// A query in parentheses that has clauses of its own and stands as operand of a set operation or under another
    /// ORDER BY or LIMIT.
    case nested(Query)
}

package struct SetOperation: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable { case union, intersect, except }
    package let kind: Kind
    /// `ALL`: keep duplicates.
    package let isAll: Bool
    /// `BY NAME`: columns are matched by name rather than by place.
    package let byName: Bool
    package let left: QueryBody
    package let right: QueryBody
    @Located package var position: SourcePosition
}

package struct WithClause: Hashable, Sendable {
    package let isRecursive: Bool
    package let tables: [CommonTableExpression]
    @Located package var position: SourcePosition
}

package struct CommonTableExpression: Hashable, Sendable {
    package enum Materialization: Hashable, Sendable { case materialized, notMaterialized }
    package enum Body: Hashable, Sendable {
        case query(Query)
        /// INSERT, UPDATE or DELETE, whose RETURNING gives the table's rows.
        case change(Statement)
    }
    package let name: Identifier
    package let columns: [Identifier]
    package let materialization: Materialization?
    package let body: Body
    package var search: SearchClause?
    package var cycle: CycleClause?

    package var query: Query? { if case .query(let query) = body { query } else { nil } }
    package var change: Statement? { if case .change(let statement) = body { statement } else { nil } }
}

/// `SEARCH DEPTH FIRST BY a, b SET sequence`: a column by which the rows come in the order of a traversal.
package struct SearchClause: Hashable, Sendable {
    package let isBreadthFirst: Bool
    package let columns: [Identifier]
    package let sequence: Identifier
}

/// `CYCLE a, b SET mark TO value DEFAULT other USING path`: rows that repeat one of their way are marked and lead nowhere.
package struct CycleClause: Hashable, Sendable {
    package let columns: [Identifier]
    package let mark: Identifier
    /// Nil for the truth values.
    package let value: Expression?
    package let defaultValue: Expression?
    package let path: Identifier
}

/// `LIMIT n` or `FETCH FIRST n ROWS`. LIMIT ALL and LIMIT NULL are no clause at all and a NULL literal.
package struct LimitClause: Hashable, Sendable {
    package let count: Expression
    /// `FETCH FIRST n ROWS WITH TIES`.
    package let withTies: Bool
}

package struct LockingClause: Hashable, Sendable {
    /// `update`, `no key update`, `share` or `key share`.
    package let strength: String
    package let tables: [ObjectName]
    /// `nowait` or `skip locked`.
    package let wait: String?
}

/// `SELECT … FROM … WHERE … GROUP BY … HAVING … WINDOW … QUALIFY …`.
package struct SelectCore: Hashable, Sendable {
    package var distinct: Distinct = .all
    /// May be empty: PostgreSQL allows a row of no columns.
    package var items: [SelectItem] = []
    /// Elements separated by commas: a cross join, but LATERAL elements see those before them.
    package var from: [TableReference] = []
    package var whereClause: Expression?
    package var groupBy: GroupByClause?
    package var having: Expression?
    package var windows: [NamedWindow] = []
    package var qualify: Expression?
    @Located package var position: SourcePosition

    package enum Distinct: Hashable, Sendable {
        /// Nothing or ALL was written.
        case all
        case distinct
        case on([Expression])
    }
}

extension SelectCore {
    /// `SELECT * FROM name`, which is what `TABLE name` means.
    package static func everything(of name: ObjectName) -> SelectCore {
        var core = SelectCore(position: name.position)
        core.items = [SelectItem(kind: .star(StarItem(qualifier: [])), position: name.position)]
        core.from = [TableReference(kind: .table(name, only: false), position: name.position)]
        return core
    }
}

package struct SelectItem: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case expression(Expression, alias: Identifier?)
        /// `*` with an empty qualifier, or `t.*`.
        case star(StarItem)
        /// `(x).*`: the fields of a composite value.
        case fieldStar(Expression)
    }
    package let kind: Kind
    @Located package var position: SourcePosition
}

/// `* EXCLUDE (a, b) REPLACE (x + 1 AS c) RENAME (d AS e)`.
package struct StarItem: Hashable, Sendable {
    package struct Replacement: Hashable, Sendable {
        package let expression: Expression
        package let column: Identifier
    }
    package struct Renaming: Hashable, Sendable {
        package let column: Identifier
        package let name: Identifier
    }
    package let qualifier: [String]
    package var exclude: [Identifier] = []
    package var replace: [Replacement] = []
    package var rename: [Renaming] = []
}

package struct GroupByClause: Hashable, Sendable {
    /// `GROUP BY DISTINCT`: duplicate grouping sets count once.
    package let isDistinct: Bool
    /// `GROUP BY ALL` without elements: by every select item that holds no aggregate.
    package let isAll: Bool
    package let elements: [GroupingElement]
    @Located package var position: SourcePosition
}

package indirect enum GroupingElement: Hashable, Sendable {
    case expression(Expression)
    /// Each member is one or more expressions: `ROLLUP (a, (b, c))`.
    case rollup([[Expression]])
    case cube([[Expression]])
    case groupingSets([GroupingElement])
    /// `(a, b)` as one grouping set of several expressions.
    case set([Expression])
    /// `()`.
    case empty
}

package struct NamedWindow: Hashable, Sendable {
    package let name: Identifier
    package let specification: WindowSpecification
}

// MARK: - FROM

package struct TableReference: Hashable, Sendable {
    package indirect enum Kind: Hashable, Sendable {
        /// A table, view or common table expression of one to three parts. `only` is `ONLY name`.
        case table(ObjectName, only: Bool)
        /// `FROM 'data/x.parquet'`: a path or URL, possibly with wildcards.
        case file(String)
        /// Also VALUES in FROM: the query's body is then `.values`.
        case query(Query, lateral: Bool)
        case function(TableFunction)
        case join(Join)
    }
    package var kind: Kind
    package var alias: TableAlias?
    package var sample: TableSample?
    @Located package var position: SourcePosition
}

/// `AS name (column, …)`. A function may name columns with types instead: see `TableFunction.columnDefinitions`.
package struct TableAlias: Hashable, Sendable {
    /// Nil only for `AS (a int, b text)` after a function.
    package let name: Identifier?
    package let columns: [Identifier]
}

/// Functions in FROM: one, or several of `ROWS FROM (f(…), g(…))`.
package struct TableFunction: Hashable, Sendable {
    package struct ColumnDefinition: Hashable, Sendable {
        package let name: Identifier
        package let type: TypeName
    }
    package struct Member: Hashable, Sendable {
        /// A function call, or one of the special expressions that look like one (CURRENT_DATE, COALESCE, CAST, …).
        package let expression: Expression
        /// `AS (a int, …)` within ROWS FROM.
        package let columnDefinitions: [ColumnDefinition]
    }
    package var members: [Member]
    package var isRowsFrom: Bool
    package var withOrdinality: Bool
    package var lateral: Bool
    /// `f() AS t(a int, b text)`: the shape of a record result.
    package var columnDefinitions: [ColumnDefinition]
}

package struct TableSample: Hashable, Sendable {
    /// `bernoulli`, `system` or another name.
    package let method: ObjectName
    package let arguments: [Expression]
    package let repeatable: Expression?
}

package struct Join: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable { case inner, left, right, full, cross, semi, anti }
    package enum Condition: Hashable, Sendable {
        /// Only for CROSS JOIN.
        case none
        case on(Expression)
        case using([Identifier], alias: Identifier?)
        case natural
    }
    package let kind: Kind
    package let left: TableReference
    package let right: TableReference
    package let condition: Condition
    @Located package var position: SourcePosition
}
