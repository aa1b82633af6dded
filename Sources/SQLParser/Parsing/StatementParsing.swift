// Statements: which one begins here, and those of a few words.

import Diagnostics

extension Parser {
    /// Every statement up to the end of the text.
    mutating func parseStatements() throws(ParseFailure) -> [ParsedStatement] {
        var statements: [ParsedStatement] = []
        while true {
            while try acceptKind(.semicolon) {}
            if atKind(.endOfInput) { return statements }
            let start = token
            let position = position()
            let statement = try parseStatement()
            statements.append(
                ParsedStatement(statement: statement, byteRange: start.start..<previous.end, position: position))
            guard atKind(.semicolon) || atKind(.endOfInput) else { throw syntaxError() }
        }
    }

    mutating func parseStatement() throws(ParseFailure) -> Statement {
        switch token.keyword {
        case .select, .values, .table, .from: return try parseQueryStatement()
        case .with: return try parseWithStatement()
        case .insert: return .insert(try parseInsert(with: nil))
        case .update: return .update(try parseUpdate(with: nil))
        case .delete: return .delete(try parseDelete(with: nil))
        case .merge: return .merge(try parseMerge(with: nil))
        case .truncate: return .truncate(try parseTruncate())
        case .copy: return .copy(try parseCopy())
        case .create: return try parseCreate()
        case .drop: return try parseDrop()
        case .alter: return try parseAlter()
        case .comment: return try parseComment()
        case .explain: return try parseExplain()
        default: return try parseSmallStatement()
        }
    }

    private mutating func parseSmallStatement() throws(ParseFailure) -> Statement {
        switch token.keyword {
        case .show: return .show(try parseShow())
        case .set: return try parseSet()
        case .refresh: return .refresh(try parseRefresh())
        case .reset: return try parseReset()
        case .discard: return try parseDiscard()
        case .begin, .start, .commit, .end, .rollback, .abort, .savepoint, .release:
            return try parseTransaction()
        case .prepare: return try parsePrepare()
        case .execute: return try parseExecute()
        case .deallocate: return try parseDeallocate()
        case .declare: return try parseDeclare()
        case .fetch, .move: return .fetch(try parseFetch())
        case .close:
            try advance()
            return .closeCursor(try accept(.all) ? nil : try parseIdentifier())
        case .analyze, .analyse: return try parseAnalyze()
        case .vacuum: return try parseVacuum()
        case .describe, .desc: return .describe(try parseDescribe())
        case .summarize: return .summarize(try parseDescribe())
        case .listen:
            try advance()
            return .listen(try parseIdentifier())
        case .unlisten:
            try advance()
            return .unlisten(try acceptKind(.star) ? nil : try parseIdentifier())
        case .notify:
            try advance()
            let channel = try parseIdentifier()
            return .notify(channel: channel, payload: try acceptKind(.comma) ? try parseString() : nil)
        case .lock: return try parseLock()
        default:
            if atKind(.leftParenthesis) { return try parseQueryStatement() }
            throw unsupportedStatement()
        }
    }

    /// A query, or CREATE TABLE AS where it says SELECT … INTO.
    private mutating func parseQueryStatement() throws(ParseFailure) -> Statement {
        let position = position()
        return try parseQueryStatement(with: at(.with) ? try parseWith() : nil, at: position)
    }

    private mutating func parseQueryStatement(with: WithClause?, at position: SourcePosition) throws(ParseFailure)
        -> Statement
    {
        selectInto = nil
        selectIntoDepth = depth + 2
        let query = try parseQuery(with: with, at: position)
        selectIntoDepth = -1
        guard let target = selectInto else { return .query(query) }
        selectInto = nil
        return .createTable(
            CreateTable(
                name: target.name, persistence: target.persistence, orReplace: false, ifNotExists: false,
                elements: [], options: [], onCommit: nil, columnNames: [], query: query, withData: true,
                position: target.name.position))
    }

    /// `INTO [TEMP] name` of a SELECT. It belongs to the statement, so only one is allowed, outside of subqueries.
    mutating func parseInto() throws(ParseFailure) {
        let start = token
        try expect(.into)
        var persistence = CreateTable.Persistence.permanent
        if atAny(.local, .global), [.temp, .temporary].contains(try peek().keyword) { try advance() }
        if try accept(.unlogged) {
            persistence = .unlogged
        } else if atAny(.temp, .temporary) {
            try advance()
            persistence = .temporary
        }
        _ = try accept(.table)
        let name = try parseObjectName()
        guard depth == selectIntoDepth, selectInto == nil else {
            throw ParseFailure(.syntaxError, "SELECT ... INTO is not allowed here", at: position(of: start))
        }
        selectInto = SelectIntoTarget(name: name, persistence: persistence)
    }

    private mutating func parseWithStatement() throws(ParseFailure) -> Statement {
        let position = position()
        let outer = try enter()
        let with = try parseWith()
        let statement: Statement
        switch token.keyword {
        case .insert: statement = .insert(try parseInsert(with: with))
        case .update: statement = .update(try parseUpdate(with: with))
        case .delete: statement = .delete(try parseDelete(with: with))
        case .merge: statement = .merge(try parseMerge(with: with))
        default: statement = try parseQueryStatement(with: with, at: position)
        }
        try leave(outer)
        return statement
    }

    // MARK: - EXPLAIN

    private mutating func parseExplain() throws(ParseFailure) -> Statement {
        let outer = try enter()
        try expect(.explain)
        var options: [StatementOption] = []
        if atKind(.leftParenthesis), try !parenthesisBeginsQuery() {
            options = try parseStatementOptions()
        } else {
            if at(.analyze) || at(.analyse) {
                options.append(StatementOption(name: "analyze", value: nil, position: position()))
                try advance()
            }
            if at(.verbose) {
                options.append(StatementOption(name: "verbose", value: nil, position: position()))
                try advance()
            }
        }
        switch token.keyword {
        case .explain: throw syntaxError()
        default: break
        }
        let statement = try parseStatement()
        try leave(outer)
        return .explain(Explain(options: options, statement: statement))
    }

    /// Whether the parenthesis in hand is one around a query.
    mutating func parenthesisBeginsQuery() throws(ParseFailure) -> Bool {
        let next = try peek()
        switch next.keyword {
        case .select, .with, .table, .values, .from: return true
        default: return next.kind == .leftParenthesis
        }
    }

    /// `(name value, name, …)`; an `=` may stand between name and value.
    mutating func parseStatementOptions() throws(ParseFailure) -> [StatementOption] {
        try expectKind(.leftParenthesis)
        var options: [StatementOption] = []
        if try acceptKind(.rightParenthesis) { return [] }
        repeat {
            let position = position()
            var name = try parseLabel().text
            while try acceptKind(.dot) { name += "." + (try parseLabel().text) }
            _ = try acceptKind(.equals)
            options.append(StatementOption(name: name, value: try parseOptionValue(), position: position))
        } while try acceptKind(.comma)
        try expectKind(.rightParenthesis)
        return options
    }

    private mutating func parseOptionValue() throws(ParseFailure) -> StatementOption.Value? {
        if Parser.isString(token.kind) { return .text(try parseString()) }
        if let number = try parseOptionalNumber() { return .number(number) }
        if try acceptKind(.star) { return .star }
        if try acceptKind(.leftParenthesis) {
            var list: [String] = []
            repeat {
                if Parser.isString(token.kind) {
                    list.append(try parseString())
                } else if let number = try parseOptionalNumber() {
                    list.append(number)
                } else {
                    list.append(try parseLabel().text)
                }
            } while try acceptKind(.comma)
            try expectKind(.rightParenthesis)
            return .list(list)
        }
        return atLabel ? .text(try parseLabel().text) : nil
    }

    // MARK: - DESCRIBE, ANALYZE, LOCK

    private mutating func parseDescribe() throws(ParseFailure) -> Describe {
        let position = position()
        try advance()
        if try atQueryStart() || atKind(.leftParenthesis) {
            return Describe(query: try parseQuery(), table: nil, position: position)
        }
        if Parser.isString(token.kind) {
            let filePosition = self.position()
            var core = SelectCore(position: filePosition)
            core.items = [SelectItem(kind: .star(StarItem(qualifier: [])), position: filePosition)]
            core.from = [TableReference(kind: .file(try parseString()), position: filePosition)]
            return Describe(query: Query(body: .select(core), position: filePosition), table: nil, position: position)
        }
        let name = try parseObjectName()
        return Describe(query: Query(body: .table(name), position: name.position), table: name, position: position)
    }

    private mutating func parseAnalyze() throws(ParseFailure) -> Statement {
        try advance()
        var isVerbose = try accept(.verbose)
        if atKind(.leftParenthesis) {
            for option in try parseStatementOptions() where option.name == "verbose" {
                isVerbose = option.value != .text("false") && option.value != .text("off")
            }
        }
        return .analyze(Analyze(isVerbose: isVerbose, tables: try parseAnalyzedTables()))
    }

    private mutating func parseAnalyzedTables() throws(ParseFailure) -> [Analyze.Table] {
        var tables: [Analyze.Table] = []
        if atColumnName {
            repeat {
                let name = try parseObjectName()
                tables.append(Analyze.Table(name: name, columns: try parseOptionalColumnList()))
            } while try acceptKind(.comma)
        }
        return tables
    }

    /// `VACUUM [(OPTION, …) | FULL FREEZE VERBOSE ANALYZE] [table, …]`.
    private mutating func parseVacuum() throws(ParseFailure) -> Statement {
        try advance()
        var words: Set<String> = []
        if atKind(.leftParenthesis) {
            for option in try parseStatementOptions() {
                let isOff = option.value == .text("false") || option.value == .text("off")
                if !isOff { words.insert(option.name == "analyse" ? "analyze" : option.name) }
            }
        } else {
            if try accept(.full) { words.insert("full") }
            if try accept(.freeze) { words.insert("freeze") }
            if try accept(.verbose) { words.insert("verbose") }
            let isAnalyzing = at(.analyze) || at(.analyse)
            if isAnalyzing {
                try advance()
                words.insert("analyze")
            }
        }
        var vacuum = Analyze(isVerbose: words.contains("verbose"), tables: try parseAnalyzedTables())
        vacuum.vacuum = Analyze.Vacuum(
            analyzes: words.contains("analyze"), isFull: words.contains("full"), isFreezing: words.contains("freeze"))
        return .analyze(vacuum)
    }

    private mutating func parseLock() throws(ParseFailure) -> Statement {
        try advance()
        _ = try accept(.table)
        _ = try accept(.only)
        let tables = try parseObjectNameList()
        var mode: String?
        if try accept(.in) {
            var words = ""
            while !at(.mode) {
                guard [.access, .row, .share, .update, .exclusive].contains(token.keyword) else { throw syntaxError() }
                words += words.isEmpty ? "" : " "
                words += try takeName()
            }
            try expect(.mode)
            mode = words
        }
        return .lock(Lock(tables: tables, mode: mode, nowait: try accept(.nowait)))
    }

    // MARK: - What is not supported

    /// The error for a token that begins no supported statement: 0A000 for PostgreSQL's other statements.
    private mutating func unsupportedStatement() -> ParseFailure {
        switch token.keyword {
        case .call, .checkpoint, .cluster, .do, .grant, .import, .load, .reassign, .reindex, .revoke,
            .security:
            return notSupported(lexer.foldedWord(token).uppercasedASCII)
        default: return syntaxError()
        }
    }
}

/// The table that SELECT … INTO makes.
struct SelectIntoTarget {
    let name: ObjectName
    let persistence: CreateTable.Persistence
}
