// What stands in FROM: tables, files, subqueries, functions and joins.

import Diagnostics

extension Parser {
    /// One or more table references separated by commas.
    mutating func parseTableReferences() throws(ParseFailure) -> [TableReference] {
        var list = [try parseTableReference()]
        while try acceptKind(.comma) { list.append(try parseTableReference()) }
        return list
    }

    mutating func parseTableReference() throws(ParseFailure) -> TableReference {
        let outer = try enter()
        var left = try parseTablePrimary()
        while try atJoin() { left = try parseJoin(left) }
        try leave(outer)
        return left
    }

    // MARK: - Joins

    /// Whether a join follows. SEMI and ANTI are no keywords of PostgreSQL, so JOIN must stand behind them.
    private mutating func atJoin() throws(ParseFailure) -> Bool {
        switch token.keyword {
        case .join, .inner, .left, .right, .full, .cross, .natural: return true
        case .semi, .anti: return try peek().keyword == .join
        default: return false
        }
    }

    @inline(never)
    private mutating func parseJoin(_ left: TableReference) throws(ParseFailure) -> TableReference {
        let position = position()
        let isNatural = try accept(.natural)
        var kind = Join.Kind.inner
        switch token.keyword {
        case .cross where !isNatural:
            try advance()
            kind = .cross
        case .inner: try advance()
        case .left, .right, .full:
            kind = at(.left) ? .left : at(.right) ? .right : .full
            try advance()
            _ = try accept(.outer)
            if kind == .left, atAny(.semi, .anti) {
                kind = at(.semi) ? .semi : .anti
                try advance()
            }
        case .semi, .anti:
            kind = at(.semi) ? .semi : .anti
            try advance()
        default: break
        }
        try expect(.join)
        var right = try parseTablePrimary()
        let condition: Join.Condition
        if kind == .cross {
            condition = .none
        } else if isNatural {
            condition = .natural
        } else {
            // In `a JOIN b JOIN c ON … ON …` the inner pair is the right side.
            while try atJoin() {
                let outer = try enter()
                right = try parseJoin(right)
                try leave(outer)
            }
            condition = try parseJoinCondition()
        }
        try grow()
        return TableReference(
            kind: .join(Join(kind: kind, left: left, right: right, condition: condition, position: position)),
            position: left.position)
    }

    @inline(never)
    private mutating func parseJoinCondition() throws(ParseFailure) -> Join.Condition {
        if try accept(.on) { return .on(try parseExpression()) }
        try expect(.using)
        let columns = try parseColumnList()
        let alias = try accept(.as) ? try parseIdentifier() : nil
        return .using(columns, alias: alias)
    }

    // MARK: - Single references

    @inline(never)
    private mutating func parseTablePrimary() throws(ParseFailure) -> TableReference {
        let position = position()
        switch token.kind {
        case .leftParenthesis: return try parseParenthesizedTable(lateral: false)
        case .string, .escapeString, .unicodeString, .dollarString:
            return try parseFile(at: position)
        case .word:
            switch token.keyword {
            case .lateral:
                try advance()
                if atKind(.leftParenthesis) { return try parseParenthesizedTable(lateral: true) }
                return try parseTableFunction(lateral: true, at: position)
            case .rows:
                if try peek().keyword == .from { return try parseTableFunction(lateral: false, at: position) }
            case .only: return try parseOnlyTable(at: position)
            case .xmltable: throw notSupported("XMLTABLE")
            case .values:
                guard try peek().kind == .leftParenthesis else { break }
                return try parseValuesTable(at: position)
            default: break
            }
            if try atFunctionKeyword() { return try parseTableFunction(lateral: false, at: position) }
        case .quotedIdentifier, .unicodeIdentifier: break
        default: throw syntaxError()
        }
        return try parseNamedTable(at: position)
    }

    @inline(never)
    private mutating func parseOnlyTable(at position: SourcePosition) throws(ParseFailure) -> TableReference {
        try expect(.only)
        let hasParentheses = try acceptKind(.leftParenthesis)
        let name = try parseObjectName()
        if hasParentheses { try expectKind(.rightParenthesis) }
        return try finish(.table(name, only: true), at: position)
    }

    @inline(never)
    private mutating func parseFile(at position: SourcePosition) throws(ParseFailure) -> TableReference {
        try finish(.file(try parseString()), at: position)
    }

    /// VALUES without parentheses around it.
    @inline(never)
    private mutating func parseValuesTable(at position: SourcePosition) throws(ParseFailure) -> TableReference {
        let rows = Query(body: .values(try parseValues()), position: position)
        return try finish(.query(rows, lateral: false), at: position)
    }

    /// Whether the token in hand begins a function that is no plain name: CAST, COALESCE, CURRENT_DATE, ….
    private mutating func atFunctionKeyword() throws(ParseFailure) -> Bool {
        switch token.keyword {
        case .currentDate, .currentTime, .currentTimestamp, .localtime, .localtimestamp, .currentRole, .currentUser,
            .sessionUser, .user, .currentCatalog, .currentSchema, .cast:
            return true
        case .coalesce, .greatest, .least, .nullif, .extract, .overlay, .position, .substring, .trim, .normalize:
            return try peek().kind == .leftParenthesis
        case .collation: return try peek().keyword == .for
        default: return false
        }
    }

    @inline(never)
    private mutating func parseNamedTable(at position: SourcePosition) throws(ParseFailure) -> TableReference {
        let first = token
        guard atColumnName || atTypeOrFunctionName else { throw syntaxError() }
        if try peek().kind == .leftParenthesis {
            guard atTypeOrFunctionName else { throw syntaxError() }
            return try parseTableFunction(lateral: false, at: position)
        }
        var parts = [try takeName()]
        while try acceptKind(.dot) { parts.append(try parseLabel().text) }
        if atKind(.leftParenthesis) {
            return try parseTableFunction(
                try parseCallInFrom(ObjectName(parts, at: position)), lateral: false, at: position)
        }
        guard first.kind != .word || first.keyword.category != .typeOrFunction else { throw syntaxError(at: first) }
        if parts.count > 3 {
            throw ParseFailure(.syntaxError, "improper relation name (too many dotted names)", at: position)
        }
        _ = try acceptKind(.star)
        return try finish(.table(ObjectName(parts, at: position), only: false), at: position)
    }

    /// Alias and sample behind a reference.
    @inline(never)
    private mutating func finish(_ kind: TableReference.Kind, at position: SourcePosition) throws(ParseFailure)
        -> TableReference
    {
        var reference = TableReference(kind: kind, position: position)
        reference.alias = try parseTableAlias()
        if try accept(.tablesample) { reference.sample = try parseTableSample() }
        return reference
    }

    @inline(never)
    private mutating func parseTableSample() throws(ParseFailure) -> TableSample {
        let method = try parseAnyName()
        try expectKind(.leftParenthesis)
        let arguments = try parseExpressionList()
        try expectKind(.rightParenthesis)
        var repeatable: Expression?
        if try accept(.repeatable) {
            try expectKind(.leftParenthesis)
            repeatable = try parseExpression()
            try expectKind(.rightParenthesis)
        }
        return TableSample(method: method, arguments: arguments, repeatable: repeatable)
    }

    // MARK: - Aliases

    /// Whether the token in hand may be an alias without AS.
    private mutating func atBareAlias() throws(ParseFailure) -> Bool {
        guard atColumnName else { return false }
        switch token.keyword {
        case .qualify: return false
        case .semi, .anti: return try peek().keyword != .join
        default: return true
        }
    }

    @inline(never)
    mutating func parseTableAlias() throws(ParseFailure) -> TableAlias? {
        if try accept(.as) {
            let name = try parseIdentifier()
            return TableAlias(name: name, columns: try parseOptionalColumnList())
        }
        guard try atBareAlias() else { return nil }
        let name = try parseIdentifier()
        return TableAlias(name: name, columns: try parseOptionalColumnList())
    }

    // MARK: - Parentheses

    /// What a pair of parentheses in FROM held.
    private enum Content {
        case query(Query)
        case join(TableReference)
    }

    @inline(never)
    private mutating func parseParenthesizedTable(lateral: Bool) throws(ParseFailure) -> TableReference {
        let start = token
        let position = position()
        switch try parseTableContent() {
        case .query(let query): return try finish(.query(query, lateral: lateral), at: position)
        case .join(var join):
            if lateral { throw syntaxError(at: start) }
            // The alias hides the names of the joined tables, so a join that has one already keeps it inside.
            if let alias = try parseTableAlias() { join.alias = alias }
            return join
        }
    }

    /// Reads from `(` to its `)`, in the way of `parseParenthesized`.
    @inline(never)
    private mutating func parseTableContent() throws(ParseFailure) -> Content {
        let outer = try enter()
        let position = position()
        try expectKind(.leftParenthesis)
        var left: TableReference
        if try atQueryStart() {
            let query = try parseQuery()
            try expectKind(.rightParenthesis)
            try leave(outer)
            return .query(query)
        }
        if atKind(.leftParenthesis) {
            switch try parseTableContent() {
            case .query(let query):
                if continuesQuery {
                    let whole = try continueQuery(after: query)
                    try expectKind(.rightParenthesis)
                    try leave(outer)
                    return .query(whole)
                }
                left = try finish(.query(query, lateral: false), at: position)
            case .join(let join):
                left = join
                if let alias = try parseTableAlias() { left.alias = alias }
            }
        } else {
            left = try parseTablePrimary()
        }
        while try atJoin() { left = try parseJoin(left) }
        guard case .join = left.kind else { throw syntaxError() }
        try expectKind(.rightParenthesis)
        try leave(outer)
        return .join(left)
    }

    // MARK: - Functions

    @inline(never)
    private mutating func parseTableFunction(lateral: Bool, at position: SourcePosition) throws(ParseFailure)
        -> TableReference
    {
        if at(.rows), try peek().keyword == .from {
            try advance()
            try advance()
            try expectKind(.leftParenthesis)
            var members: [TableFunction.Member] = []
            repeat {
                let call = try parseFunctionInFrom()
                var definitions: [TableFunction.ColumnDefinition] = []
                if try accept(.as) { definitions = try parseFunctionColumns() }
                members.append(TableFunction.Member(expression: call, columnDefinitions: definitions))
            } while try acceptKind(.comma)
            try expectKind(.rightParenthesis)
            return try finishFunction(members, isRowsFrom: true, lateral: lateral, at: position)
        }
        return try parseTableFunction(try parseFunctionInFrom(), lateral: lateral, at: position)
    }

    @inline(never)
    private mutating func parseTableFunction(_ call: Expression, lateral: Bool, at position: SourcePosition)
        throws(ParseFailure) -> TableReference
    {
        if case .function(let function) = call.kind, let path = function.filePath {
            return try finish(.file(path), at: position)
        }
        return try finishFunction(
            [TableFunction.Member(expression: call, columnDefinitions: [])], isRowsFrom: false, lateral: lateral,
            at: position)
    }

    private mutating func parseFunctionInFrom() throws(ParseFailure) -> Expression {
        if try atFunctionKeyword() { return try parsePrimary() }
        guard atColumnName || atTypeOrFunctionName else { throw syntaxError() }
        let position = position()
        var parts = [try takeName()]
        while try acceptKind(.dot) { parts.append(try parseLabel().text) }
        return try parseCallInFrom(ObjectName(parts, at: position))
    }

    private mutating func parseCallInFrom(_ name: ObjectName) throws(ParseFailure) -> Expression {
        guard atKind(.leftParenthesis) else { throw syntaxError() }
        let call = try parseCall(name)
        // A string behind the parentheses made it a constant.
        if case .typedLiteral = call.kind { throw syntaxError(at: previous) }
        return call
    }

    @inline(never)
    private mutating func finishFunction(
        _ members: [TableFunction.Member], isRowsFrom: Bool, lateral: Bool, at position: SourcePosition
    ) throws(ParseFailure) -> TableReference {
        var function = TableFunction(
            members: members, isRowsFrom: isRowsFrom, withOrdinality: false, lateral: lateral, columnDefinitions: [])
        if at(.with), try peek().keyword == .ordinality {
            try advance()
            try advance()
            function.withOrdinality = true
        }
        var alias: TableAlias?
        let hasAs = try accept(.as)
        if hasAs, atKind(.leftParenthesis) {
            function.columnDefinitions = try parseFunctionColumns()
            alias = TableAlias(name: nil, columns: [])
        } else if try atBareAlias() || hasAs {
            let name = try parseIdentifier()
            alias = TableAlias(name: name, columns: [])
            if atKind(.leftParenthesis) {
                // A type after the first name tells a list of definitions from a list of names.
                let separator = try peekSecond().kind
                if separator == .comma || separator == .rightParenthesis {
                    alias = TableAlias(name: name, columns: try parseColumnList())
                } else {
                    function.columnDefinitions = try parseFunctionColumns()
                }
            }
        }
        var reference = TableReference(kind: .function(function), alias: alias, position: position)
        if try accept(.tablesample) { reference.sample = try parseTableSample() }
        return reference
    }

    /// `(a int, b text)`.
    @inline(never)
    private mutating func parseFunctionColumns() throws(ParseFailure) -> [TableFunction.ColumnDefinition] {
        try expectKind(.leftParenthesis)
        var columns: [TableFunction.ColumnDefinition] = []
        repeat {
            let name = try parseIdentifier()
            let type = try parseTypeName()
            if at(.collate) { throw notSupported("COLLATE in a column definition list") }
            columns.append(TableFunction.ColumnDefinition(name: name, type: type))
        } while try acceptKind(.comma)
        try expectKind(.rightParenthesis)
        return columns
    }
}
