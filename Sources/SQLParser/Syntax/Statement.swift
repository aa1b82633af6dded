// Statements of the syntax tree other than queries: data changes, cursors, prepared statements, sessions, EXPLAIN.

import Diagnostics

/// A statement with the part of the text it was read from.
package struct ParsedStatement: Hashable, Sendable {
    package let statement: Statement
    /// From the first token to the end of the last, in UTF-8 bytes of the text given to the parser.
    package let byteRange: Range<Int>
    /// Where the statement begins.
    @Located package var position: SourcePosition
}

package indirect enum Statement: Hashable, Sendable {
    case query(Query)
    case explain(Explain)
    case insert(Insert)
    case update(Update)
    case delete(Delete)
    case merge(Merge)
    case truncate(Truncate)
    case copy(Copy)

    case createTable(CreateTable)
    case createView(CreateView)
    case createSchema(CreateSchema)
    case createIndex(CreateIndex)
    case createSequence(CreateSequence)
    case alterSequence(AlterSequence)
    case refresh(Refresh)
    case defineType(TypeStatement)
    case drop(Drop)
    case alterTable(AlterTable)
    case comment(Comment)

    case show(Show)
    case set(SetSetting)
    case reset(name: String?)
    case setTransaction(SetTransaction)
    case discard(Discard)

    /// `isStart`: it was written as START TRANSACTION, which clients are told in return.
    case begin([TransactionMode], isStart: Bool)
    case commit(andChain: Bool)
    case rollback(andChain: Bool)
    case savepoint(Identifier)
    case releaseSavepoint(Identifier)
    case rollbackToSavepoint(Identifier)

    case prepare(Prepare)
    case execute(Execute)
    /// Nil for DEALLOCATE ALL.
    case deallocate(Identifier?)

    case declareCursor(DeclareCursor)
    case fetch(Fetch)
    /// Nil for CLOSE ALL.
    case closeCursor(Identifier?)

    case analyze(Analyze)
    case describe(Describe)
    case summarize(Describe)
    case listen(Identifier)
    /// Nil for UNLISTEN *.
    case unlisten(Identifier?)
    case notify(channel: Identifier, payload: String?)
    case lock(Lock)
    case alterDefaults(AlterDefaults)
    case user(UserStatement)
    /// ALTER WORKER … DRAIN.
    case drainWorker(Identifier)
}

/// A named option in parentheses: `EXPLAIN (ANALYZE, FORMAT json)`, `COPY … (FORMAT csv)`, `WITH (fillfactor = 70)`.
package struct StatementOption: Hashable, Sendable {
    package enum Value: Hashable, Sendable {
        /// A word or a string; words are folded to lower case.
        case text(String)
        case number(String)
        /// `(a, b, …)`.
        case list([String])
        /// `*`.
        case star
    }
    package let name: String
    package let value: Value?
    @Located package var position: SourcePosition
}

package struct Explain: Hashable, Sendable {
    /// The old style `EXPLAIN ANALYZE VERBOSE` appears as options without values.
    package let options: [StatementOption]
    package let statement: Statement
}

// MARK: - Data changes

package struct Insert: Hashable, Sendable {
    package enum Source: Hashable, Sendable {
        /// SELECT or VALUES; `DEFAULT` may stand as an expression in VALUES.
        case query(Query)
        case defaultValues
    }
    package var with: WithClause?
    package let table: ObjectName
    package let alias: Identifier?
    package let columns: [AssignmentTarget]
    /// `OVERRIDING SYSTEM VALUE` / `USER VALUE`: `system` or `user`.
    package let overriding: String?
    package let source: Source
    package let onConflict: OnConflict?
    package let returning: [SelectItem]
    @Located package var position: SourcePosition
}

package struct OnConflict: Hashable, Sendable {
    package enum Target: Hashable, Sendable {
        case columns([Expression], where: Expression?)
        case constraint(Identifier)
    }
    package enum Action: Hashable, Sendable {
        case doNothing
        case update([Assignment], where: Expression?)
    }
    package let target: Target?
    package let action: Action
    @Located package var position: SourcePosition
}

/// `column = value` or `(a, b) = row`.
/// A column that is assigned to, or an element or field of it.
package struct AssignmentTarget: Hashable, Sendable {
    /// Behind the column's name.
    package enum Step: Hashable, Sendable {
        case subscripts([Subscript])
        case field(Identifier)
    }
    package let column: Identifier
    package var steps: [Step] = []
}

package struct Assignment: Hashable, Sendable {
    package let targets: [AssignmentTarget]
    /// True for the form with parentheses; the value is then a row or a scalar query of as many columns.
    package let isRow: Bool
    package let value: Expression
}

package struct Update: Hashable, Sendable {
    package var with: WithClause?
    package let table: ObjectName
    package let only: Bool
    package let alias: Identifier?
    package let assignments: [Assignment]
    package let from: [TableReference]
    package let whereClause: Expression?
    package let returning: [SelectItem]
    @Located package var position: SourcePosition
}

package struct Delete: Hashable, Sendable {
    package var with: WithClause?
    package let table: ObjectName
    package let only: Bool
    package let alias: Identifier?
    package let using: [TableReference]
    package let whereClause: Expression?
    package let returning: [SelectItem]
    @Located package var position: SourcePosition
}

/// `MERGE INTO target USING source ON condition WHEN … THEN …`.
package struct Merge: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        case update([Assignment])
        case delete
        /// No values: DEFAULT VALUES.
        case insert(columns: [AssignmentTarget], overriding: String?, values: [Expression]?)
        case nothing
    }
    package struct Clause: Hashable, Sendable {
        package let isMatched: Bool
        package let condition: Expression?
        package let action: Action
        @Located package var position: SourcePosition
    }
    package var with: WithClause?
    package let table: ObjectName
    package let only: Bool
    package let alias: Identifier?
    package let source: TableReference
    package let condition: Expression
    package let clauses: [Clause]
    @Located package var position: SourcePosition
}

package struct Truncate: Hashable, Sendable {
    package let tables: [ObjectName]
    package let restartIdentity: Bool
    package let cascade: Bool
}

package struct Copy: Hashable, Sendable {
    package enum Subject: Hashable, Sendable {
        case table(ObjectName, columns: [Identifier])
        case query(Query)
    }
    package enum Direction: Hashable, Sendable { case from, to }
    package enum Endpoint: Hashable, Sendable {
        case file(String)
        /// STDIN or STDOUT: the client's connection.
        case client
        case program(String)
    }
    package let subject: Subject
    package let direction: Direction
    package let endpoint: Endpoint
    /// Options of both styles under the names of the new one: `format`, `delimiter`, `null`, `header`, `quote`,
    /// `escape`, `force_quote`, `force_not_null`, `force_null`, `encoding`, `freeze`.
    package let options: [StatementOption]
    /// `COPY … FROM … WHERE`.
    package let whereClause: Expression?
    @Located package var position: SourcePosition
}

// MARK: - Prepared statements, cursors

package struct Prepare: Hashable, Sendable {
    package let name: Identifier
    package let parameterTypes: [TypeName]
    package let statement: Statement
}

package struct Execute: Hashable, Sendable {
    package let name: Identifier
    package let arguments: [Expression]
}

package struct DeclareCursor: Hashable, Sendable {
    package let name: Identifier
    package let isBinary: Bool
    /// `SCROLL` is true, `NO SCROLL` false.
    package let scroll: Bool?
    package let withHold: Bool
    package let query: Query
}

package struct Fetch: Hashable, Sendable {
    package enum Direction: Hashable, Sendable {
        /// `FORWARD n` and plain `FETCH n`; NEXT is 1, nil is all rows.
        case forward(Int64?)
        /// `BACKWARD n`; PRIOR is 1, nil is all rows.
        case backward(Int64?)
        /// `ABSOLUTE n`; FIRST is 1, LAST is -1.
        case absolute(Int64)
        case relative(Int64)
    }
    /// MOVE: the rows are skipped rather than returned.
    package let isMove: Bool
    package let direction: Direction
    package let cursor: Identifier
}

// MARK: - Session

package struct Show: Hashable, Sendable {
    package enum Target: Hashable, Sendable {
        /// A setting by its name, such as `search_path` or `my.setting`; `TIME ZONE` is `timezone`.
        case setting(String)
        /// SHOW ALL: all settings.
        case all
        /// SHOW [ALL] TABLES [FROM schema].
        case tables(schema: ObjectName?, all: Bool)
        case schemas
        case databases
        case functions
        /// SHOW COLUMNS FROM t.
        case columns(ObjectName)
    }
    package let target: Target
    @Located package var position: SourcePosition
}

/// ALTER SYSTEM and ALTER ROLE … SET and RESET: values that sessions begin with.
package struct AlterDefaults: Hashable, Sendable {
    /// Nil for ALTER SYSTEM: of all users.
    package let user: Identifier?
    /// Nil for RESET ALL.
    package let name: String?
    /// Empty for RESET and `TO DEFAULT`.
    package let values: [SetSetting.Value]
    @Located package var position: SourcePosition
}

package struct SetSetting: Hashable, Sendable {
    package enum Value: Hashable, Sendable {
        case text(String)
        case number(String)
    }
    /// `SET LOCAL`: until the end of the transaction.
    package let isLocal: Bool
    /// Lower case, `my.setting` for a custom one; `SET TIME ZONE` is `timezone`, `SET NAMES` `client_encoding`,
    /// `SET SCHEMA` `search_path`, `SET SESSION AUTHORIZATION` `session_authorization`, `SET ROLE` `role`.
    package let name: String
    /// Empty for `TO DEFAULT`.
    package let values: [Value]
    @Located package var position: SourcePosition
}

package enum TransactionMode: Hashable, Sendable {
    /// `serializable`, `repeatable read`, `read committed` or `read uncommitted`.
    case isolationLevel(String)
    case readOnly(Bool)
    case deferrable(Bool)
}

package struct SetTransaction: Hashable, Sendable {
    /// True for SET SESSION CHARACTERISTICS AS TRANSACTION, false for SET TRANSACTION.
    package let forSession: Bool
    package let modes: [TransactionMode]
}

package enum Discard: String, Hashable, Sendable { case all, plans, sequences, temporary }

package struct Analyze: Hashable, Sendable {
    /// Set for VACUUM, which may be told to analyse too. Its other options say how to clean up.
    package struct Vacuum: Hashable, Sendable {
        package let analyzes: Bool
        package let isFull: Bool
        package let isFreezing: Bool
    }
    package struct Table: Hashable, Sendable {
        package let name: ObjectName
        package let columns: [Identifier]
    }
    package let isVerbose: Bool
    /// Empty: every table.
    package let tables: [Table]
    package var vacuum: Vacuum?
}

/// DESCRIBE or SUMMARIZE of a table or a query.
package struct Describe: Hashable, Sendable {
    package let query: Query
    /// Set when a name was given; `query` is then `TABLE name`.
    package let table: ObjectName?
    @Located package var position: SourcePosition
}

package struct Lock: Hashable, Sendable {
    package let tables: [ObjectName]
    /// `access exclusive`, `share`, …; nil when not given.
    package let mode: String?
    package let nowait: Bool
}
