// CREATE TABLE, CREATE VIEW, CREATE SCHEMA.

import Diagnostics

extension Parser {
    mutating func parseCreate() throws(ParseFailure) -> Statement {
        let position = position()
        try expect(.create)
        let orReplace = try accept(.or)
        if orReplace { try expect(.replace) }
        var persistence = CreateTable.Persistence.permanent
        if atAny(.local, .global) {
            try advance()
            guard atAny(.temp, .temporary) else { throw syntaxError() }
        }
        if atAny(.temp, .temporary) {
            try advance()
            persistence = .temporary
        } else if try accept(.unlogged) {
            persistence = .unlogged
        }
        switch token.keyword {
        case .table:
            return .createTable(try parseCreateTable(orReplace, persistence, at: position))
        case .view, .recursive:
            if persistence == .unlogged { throw syntaxError() }
            return .createView(try parseCreateView(orReplace, persistence == .temporary, at: position))
        case .materialized where persistence == .permanent && !orReplace:
            return .createView(try parseCreateMaterializedView(at: position))
        case .schema where persistence == .permanent && !orReplace:
            return .createSchema(try parseCreateSchema(at: position))
        case .index, .unique:
            if persistence != .permanent || orReplace { throw syntaxError() }
            return .createIndex(try parseCreateIndex(at: position))
        case .sequence:
            if orReplace { throw syntaxError() }
            return .createSequence(try parseCreateSequence(isTemporary: persistence == .temporary, at: position))
        case .type where persistence == .permanent && !orReplace:
            return .defineType(try parseCreateType(at: position))
        case .domain where persistence == .permanent && !orReplace:
            return .defineType(try parseCreateDomain(at: position))
        case .role where persistence == .permanent && !orReplace,
            .user where persistence == .permanent && !orReplace:
            return .user(try parseCreateUser(at: position))
        default: throw unsupportedObject("CREATE")
        }
    }

    /// The error for a statement on a kind of object that is not supported, or on a word that is none.
    mutating func unsupportedObject(_ verb: String) -> ParseFailure {
        switch token.keyword {
        case .access, .aggregate, .cast, .collation, .constraint, .conversion, .database, .default, .domain, .event,
            .extension, .foreign, .function, .group, .index, .language, .large, .materialized, .operator, .owned,
            .policy, .procedure, .publication, .role, .routine, .rule, .sequence, .server, .statistics,
            .subscription, .system, .tablespace, .text, .transform, .trigger, .trusted, .procedural, .type, .unique,
            .user, .column, .table, .view, .schema:
            return notSupported(verb + " " + lexer.foldedWord(token).uppercasedASCII)
        default: return syntaxError()
        }
    }

    // MARK: - CREATE TABLE

    private mutating func parseCreateTable(
        _ orReplace: Bool, _ persistence: CreateTable.Persistence, at position: SourcePosition
    ) throws(ParseFailure) -> CreateTable {
        try expect(.table)
        let ifNotExists = try parseIfNotExists()
        let name = try parseObjectName()
        if at(.of) { throw notSupported("CREATE TABLE OF") }
        if at(.partition) { throw notSupported("CREATE TABLE PARTITION OF") }
        var elements: [CreateTable.Element] = []
        var columnNames: [Identifier] = []
        var hasElements = false
        if atKind(.leftParenthesis) {
            let separator = try peekSecond().kind
            if separator == .comma || separator == .rightParenthesis, try peek().kind != .rightParenthesis {
                columnNames = try parseColumnList()
            } else {
                hasElements = true
                elements = try parseTableElements()
            }
        }
        if at(.inherits) { throw notSupported("table inheritance") }
        if at(.partition) { throw notSupported("PARTITION BY in CREATE TABLE") }
        if at(.using) { throw notSupported("CREATE TABLE USING") }
        var options: [StatementOption] = []
        if at(.with), try peek().kind == .leftParenthesis {
            try advance()
            options = try parseStatementOptions()
        } else if try accept(.without) {
            try expectWord("oids")
        }
        let onCommit = try parseOnCommit()
        if at(.tablespace) { throw notSupported("TABLESPACE") }
        var query: Query?
        var withData = true
        if !hasElements {
            try expect(.as)
            if at(.execute) { throw notSupported("CREATE TABLE AS EXECUTE") }
            query = try parseQuery()
            withData = try parseWithData()
        }
        return CreateTable(
            name: name, persistence: persistence, orReplace: orReplace, ifNotExists: ifNotExists, elements: elements,
            options: options, onCommit: onCommit, columnNames: columnNames, query: query, withData: withData,
            position: position)
    }

    private mutating func expectWord(_ word: String) throws(ParseFailure) {
        guard atKind(.word), lexer.foldedWord(token) == word else { throw syntaxError() }
        try advance()
    }

    /// WITH DATA or WITH NO DATA.
    private mutating func parseWithData() throws(ParseFailure) -> Bool {
        guard try accept(.with) else { return true }
        let withData = !(try accept(.no))
        try expect(.data)
        return withData
    }

    private mutating func parseOnCommit() throws(ParseFailure) -> CreateTable.OnCommit? {
        guard try accept(.on) else { return nil }
        try expect(.commit)
        if try accept(.drop) { return .drop }
        let deletes = try accept(.delete)
        if !deletes { try expect(.preserve) }
        try expect(.rows)
        return deletes ? .deleteRows : .preserveRows
    }

    private mutating func parseTableElements() throws(ParseFailure) -> [CreateTable.Element] {
        try expectKind(.leftParenthesis)
        var elements: [CreateTable.Element] = []
        if try acceptKind(.rightParenthesis) { return [] }
        repeat {
            switch token.keyword {
            case .like:
                try advance()
                let source = try parseObjectName()
                elements.append(.like(source, options: try parseLikeOptions()))
            case .constraint, .check, .unique, .primary, .foreign, .exclude:
                elements.append(.constraint(try parseTableConstraint()))
            default: elements.append(.column(try parseColumnDefinition()))
            }
        } while try acceptKind(.comma)
        try expectKind(.rightParenthesis)
        return elements
    }

    private mutating func parseLikeOptions() throws(ParseFailure) -> [String] {
        var options: [String] = []
        while atAny(.including, .excluding) {
            let verb = try takeName()
            options.append(verb + " " + (try parseLabel().text))
        }
        return options
    }

    mutating func parseColumnDefinition() throws(ParseFailure) -> ColumnDefinition {
        let name = try parseIdentifier()
        let type = try parseTypeName()
        var collation: ObjectName?
        var constraints: [ColumnConstraint] = []
        while true {
            if at(.storage) || at(.compression) || at(.options) {
                throw notSupported("\(lexer.foldedWord(token).uppercasedASCII) in a column definition")
            }
            if try accept(.collate) {
                collation = try parseAnyName()
            } else if let constraint = try parseColumnConstraint() {
                constraints.append(constraint)
            } else {
                break
            }
        }
        return ColumnDefinition(name: name, type: type, collation: collation, constraints: constraints)
    }

    /// NOT VALID behind it is left to the caller if it allows that.
    mutating func parseColumnConstraint(allowsNotValid: Bool = false) throws(ParseFailure) -> ColumnConstraint? {
        let position = position()
        let name = try accept(.constraint) ? try parseIdentifier() : nil
        let kind: ColumnConstraint.Kind
        switch token.keyword {
        case .not:
            try advance()
            try expect(.null)
            kind = .notNull
        case .null:
            try advance()
            kind = .null
        case .default:
            try advance()
            kind = .defaultValue(try parseRestrictedExpression())
        case .check:
            try advance()
            kind = .check(try parseExpressionInParentheses())
        case .primary:
            try advance()
            try expect(.key)
            kind = .primaryKey
        case .unique:
            try advance()
            kind = .unique(nullsAreEqual: try parseNullsDistinct())
        case .references: kind = .references(try parseReferences())
        case .generated: kind = try parseGenerated()
        default:
            if name != nil { throw syntaxError() }
            return nil
        }
        try parseConstraintAttributes(allowsNotValid: allowsNotValid)
        return ColumnConstraint(name: name, kind: kind, position: position)
    }

    private mutating func parseExpressionInParentheses() throws(ParseFailure) -> Expression {
        try expectKind(.leftParenthesis)
        let expression = try parseExpression()
        try expectKind(.rightParenthesis)
        return expression
    }

    /// Attributes behind a constraint: those that state the default are skipped, others are not supported.
    private mutating func parseConstraintAttributes(allowsNotValid: Bool = false) throws(ParseFailure) {
        while true {
            switch token.keyword {
            case .deferrable: throw notSupported("a deferrable constraint")
            case .initially:
                try advance()
                if at(.deferred) { throw notSupported("a deferrable constraint") }
                try expect(.immediate)
            case .not:
                switch try peek().keyword {
                case .deferrable:
                    try advance()
                    try advance()
                case .valid:
                    if allowsNotValid { return }
                    throw notSupported("NOT VALID")
                default: return
                }
            case .no:
                guard try peek().keyword == .inherit else { return }
                throw notSupported("NO INHERIT")
            default: return
            }
        }
    }

    private mutating func parseGenerated() throws(ParseFailure) -> ColumnConstraint.Kind {
        try expect(.generated)
        let always = try accept(.always)
        if !always {
            try expect(.by)
            try expect(.default)
        }
        try expect(.as)
        if try accept(.identity) {
            var settings = SequenceSettings()
            if try acceptKind(.leftParenthesis) {
                settings = try parseSequenceSettings()
                try expectKind(.rightParenthesis)
            }
            return .identity(always: always, settings)
        }
        guard always else { throw syntaxError() }
        let expression = try parseExpressionInParentheses()
        try expect(.stored)
        return .generated(expression)
    }

    private mutating func parseReferences() throws(ParseFailure) -> ForeignKeyTarget {
        try expect(.references)
        let table = try parseObjectName()
        let columns = try parseOptionalColumnList()
        var onDelete: String?
        var onUpdate: String?
        while true {
            if at(.match), try peek().keyword != .simple { throw notSupported("MATCH in a foreign key") }
            if try accept(.match) {
                try advance()
                continue
            }
            guard at(.on) else { break }
            try advance()
            let isDelete = try accept(.delete)
            if !isDelete { try expect(.update) }
            let action: String
            if try accept(.no) {
                try expect(.action)
                action = "no action"
            } else if try accept(.set) {
                guard at(.null) || at(.default) else { throw syntaxError() }
                action = at(.null) ? "set null" : "set default"
                try advance()
            } else {
                guard at(.restrict) || at(.cascade) else { throw syntaxError() }
                action = try takeName()
            }
            if isDelete { onDelete = action } else { onUpdate = action }
        }
        return ForeignKeyTarget(table: table, columns: columns, onDelete: onDelete, onUpdate: onUpdate)
    }

    mutating func parseTableConstraint() throws(ParseFailure) -> TableConstraint {
        let position = position()
        let name = try accept(.constraint) ? try parseIdentifier() : nil
        let kind: TableConstraint.Kind
        switch token.keyword {
        case .check:
            try advance()
            kind = .check(try parseExpressionInParentheses())
        case .unique:
            try advance()
            if at(.using) { throw notSupported("USING INDEX") }
            let nullsAreEqual = try parseNullsDistinct()
            kind = .unique(try parseColumnList(), nullsAreEqual: nullsAreEqual)
        case .primary:
            try advance()
            try expect(.key)
            if at(.using) { throw notSupported("USING INDEX") }
            kind = .primaryKey(try parseColumnList())
        case .foreign:
            try advance()
            try expect(.key)
            let columns = try parseColumnList()
            kind = .foreignKey(columns, try parseReferences())
        case .exclude: throw notSupported("EXCLUDE constraint")
        default: throw syntaxError()
        }
        // Columns that an index carries along change no result.
        if try accept(.include) { _ = try parseColumnList() }
        try parseConstraintAttributes()
        return TableConstraint(name: name, kind: kind, position: position)
    }

    // MARK: - CREATE VIEW, CREATE SCHEMA

    private mutating func parseCreateView(_ orReplace: Bool, _ isTemporary: Bool, at position: SourcePosition)
        throws(ParseFailure) -> CreateView
    {
        let isRecursive = try accept(.recursive)
        try expect(.view)
        let ifNotExists = try parseIfNotExists()
        let name = try parseObjectName()
        let columns = isRecursive ? try parseColumnList() : try parseOptionalColumnList()
        let options = try accept(.with) ? try parseStatementOptions() : []
        try expect(.as)
        let query = try parseQuery()
        var checkOption: String?
        if try accept(.with) {
            checkOption = try accept(.local) ? "local" : "cascaded"
            if checkOption == "cascaded" { _ = try accept(.cascaded) }
            try expect(.check)
            try expect(.option)
        }
        if isRecursive, checkOption != nil { throw notSupported("WITH CHECK OPTION of a recursive view", at: previous) }
        return CreateView(
            name: name, orReplace: orReplace, isTemporary: isTemporary, ifNotExists: ifNotExists, columns: columns,
            options: options, query: isRecursive ? Self.recursive(query, name, columns) : query,
            checkOption: checkOption,
            position: position)
    }

    /// `CREATE RECURSIVE VIEW v (a) AS q` is a view of `WITH RECURSIVE v (a) AS (q) SELECT a FROM v`.
    private static func recursive(_ query: Query, _ name: ObjectName, _ columns: [Identifier]) -> Query {
        let position = query.position
        let table = CommonTableExpression(
            name: Identifier(name.last, at: name.position), columns: columns, materialization: nil, body: .query(query))
        var core = SelectCore(position: position)
        core.items = columns.map { column in
            SelectItem(
                kind: .expression(Expression(.column([column.text]), at: column.position), alias: nil),
                position: column.position)
        }
        core.from = [
            TableReference(kind: .table(ObjectName([name.last], at: name.position), only: false), position: position)
        ]
        return Query(
            with: WithClause(isRecursive: true, tables: [table], position: position), body: .select(core),
            position: position)
    }

    private mutating func parseCreateMaterializedView(at position: SourcePosition) throws(ParseFailure) -> CreateView {
        try expect(.materialized)
        try expect(.view)
        let ifNotExists = try parseIfNotExists()
        let name = try parseObjectName()
        let columns = try parseOptionalColumnList()
        if at(.using) { throw notSupported("CREATE MATERIALIZED VIEW USING") }
        let options = try accept(.with) ? try parseStatementOptions() : []
        if at(.tablespace) { throw notSupported("TABLESPACE") }
        try expect(.as)
        let query = try parseQuery()
        return CreateView(
            name: name, orReplace: false, isTemporary: false, ifNotExists: ifNotExists,
            columns: columns, options: options, query: query, checkOption: nil, isMaterialized: true,
            withData: try parseWithData(), position: position)
    }

    mutating func parseRefresh() throws(ParseFailure) -> Refresh {
        try expect(.refresh)
        try expect(.materialized)
        try expect(.view)
        let isConcurrent = try accept(.concurrently)
        let name = try parseObjectName()
        return Refresh(name: name, isConcurrent: isConcurrent, withData: try parseWithData())
    }

    private mutating func parseCreateSchema(at position: SourcePosition) throws(ParseFailure) -> CreateSchema {
        try expect(.schema)
        let ifNotExists = try parseIfNotExists()
        let name = at(.authorization) ? nil : try parseObjectName(limit: 2)
        var owner: Identifier?
        if try accept(.authorization) { owner = try parseRole() }
        if at(.create) || at(.grant) { throw notSupported("CREATE SCHEMA with schema elements") }
        return CreateSchema(name: name, ifNotExists: ifNotExists, authorization: owner, position: position)
    }

    /// The name of a role; CURRENT_USER and its kin are names here.
    mutating func parseRole() throws(ParseFailure) -> Identifier {
        switch token.keyword {
        case .currentUser, .sessionUser, .currentRole: return try parseLabel()
        default: return try parseIdentifier()
        }
    }
}
