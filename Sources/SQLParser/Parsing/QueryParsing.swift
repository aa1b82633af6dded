// Queries: WITH, SELECT, set operations, VALUES, ORDER BY, LIMIT.

import Diagnostics

extension Parser {
    /// A query without parentheses around it, or with.
    mutating func parseQuery() throws(ParseFailure) -> Query {
        let position = position()
        return try parseQuery(with: at(.with) ? try parseWith() : nil, at: position)
    }

    /// A query whose WITH clause has been read.
    mutating func parseQuery(with: WithClause?, at position: SourcePosition) throws(ParseFailure) -> Query {
        let outer = try enter()
        var query = try parseQueryBody(with: with, at: position)
        try parseQueryClauses(&query)
        try leave(outer)
        return query
    }

    /// Whether the token in hand may go on after a query in parentheses, so that this is still a query.
    var continuesQuery: Bool {
        switch token.kind {
        case .rightParenthesis: return true
        case .word:
            switch token.keyword {
            case .union, .intersect, .except, .order, .limit, .offset, .fetch, .for: return true
            default: return false
            }
        default: return false
        }
    }

    /// A query whose first operand, a query in parentheses, has been read.
    mutating func continueQuery(after first: Query) throws(ParseFailure) -> Query {
        let outer = try enter()
        try grow()
        var query = first
        if atSetOperation {
            let body = try parseSetOperations(after: Parser.operand(first), minimum: 1)
            query = Query(body: body, position: first.position)
        }
        try parseQueryClauses(&query)
        try leave(outer)
        return query
    }

    /// What a query in parentheses is as an operand: its body if it has no clauses of its own.
    private static func operand(_ query: Query) -> QueryBody {
        if query.with == nil, query.orderBy.isEmpty, query.limit == nil, query.offset == nil, query.locking.isEmpty {
            return query.body
        }
        return .nested(query)
    }

    private mutating func parseQueryBody(with: WithClause?, at position: SourcePosition) throws(ParseFailure) -> Query {
        if atKind(.leftParenthesis) {
            var first = try parseQueryInParentheses()
            if atSetOperation {
                try grow()
                let body = try parseSetOperations(after: Parser.operand(first), minimum: 1)
                return Query(with: with, body: body, position: position)
            }
            // Clauses that follow the parentheses apply to the query inside them.
            if let with {
                if first.with != nil { throw multiple("WITH", at: previous) }
                first.with = with
            }
            return first
        }
        let operand = try parseSimpleOperand()
        return Query(with: with, body: try parseSetOperations(after: operand, minimum: 1), position: position)
    }

    private mutating func multiple(_ clause: String, at token: Token) -> ParseFailure {
        ParseFailure(.syntaxError, "multiple \(clause) clauses not allowed", at: position(of: token))
    }

    // MARK: - Set operations

    private var atSetOperation: Bool {
        switch token.keyword {
        case .union, .intersect, .except: return true
        default: return false
        }
    }

    /// Chains of set operations; INTERSECT binds tighter than UNION and EXCEPT.
    @inline(never)
    private mutating func parseSetOperations(after first: QueryBody, minimum: Int) throws(ParseFailure) -> QueryBody {
        var left = first
        while true {
            let kind: SetOperation.Kind
            switch token.keyword {
            case .union: kind = .union
            case .except: kind = .except
            case .intersect: kind = .intersect
            default: return left
            }
            let level = kind == .intersect ? 2 : 1
            if level < minimum { return left }
            let position = position()
            try advance()
            var isAll = false
            if try accept(.all) { isAll = true } else { _ = try accept(.distinct) }
            var byName = false
            if at(.by), try peek().keyword == .name {
                try advance()
                try advance()
                byName = true
            }
            let operand = try parseSetOperand()
            let right = level == 2 ? operand : try parseSetOperations(after: operand, minimum: 2)
            try grow()
            left = .setOperation(
                SetOperation(
                    kind: kind, isAll: isAll, byName: byName, left: left, right: right, position: position))
        }
    }

    private mutating func parseSetOperand() throws(ParseFailure) -> QueryBody {
        if atKind(.leftParenthesis) { return Parser.operand(try parseQueryInParentheses()) }
        return try parseSimpleOperand()
    }

    private mutating func parseSimpleOperand() throws(ParseFailure) -> QueryBody {
        switch token.keyword {
        case .select: return .select(try parseSelect())
        case .values: return .values(try parseValues())
        case .table:
            try advance()
            _ = try accept(.only)
            return .table(try parseObjectName())
        case .from: return .select(try parseFromFirst())
        default: throw syntaxError()
        }
    }

    @inline(never)
    mutating func parseValues() throws(ParseFailure) -> [[Expression]] {
        try expect(.values)
        var rows: [[Expression]] = []
        repeat {
            try expectKind(.leftParenthesis)
            rows.append(try parseExpressionList())
            try expectKind(.rightParenthesis)
        } while try acceptKind(.comma)
        return rows
    }

    // MARK: - WITH

    @inline(never)
    mutating func parseWith() throws(ParseFailure) -> WithClause {
        let position = position()
        try expect(.with)
        let isRecursive = try accept(.recursive)
        var tables = [try parseCommonTable()]
        while try acceptKind(.comma) { tables.append(try parseCommonTable()) }
        return WithClause(isRecursive: isRecursive, tables: tables, position: position)
    }

    @inline(never)
    private mutating func parseCommonTable() throws(ParseFailure) -> CommonTableExpression {
        let name = try parseIdentifier()
        let columns = try parseOptionalColumnList()
        try expect(.as)
        var materialization: CommonTableExpression.Materialization?
        if try accept(.materialized) {
            materialization = .materialized
        } else if at(.not) {
            try advance()
            try expect(.materialized)
            materialization = .notMaterialized
        }
        guard atKind(.leftParenthesis) else { throw syntaxError() }
        var table = CommonTableExpression(
            name: name, columns: columns, materialization: materialization, body: try parseCommonTableBody())
        if at(.search) { table.search = try parseSearch() }
        if at(.cycle) { table.cycle = try parseCycle() }
        return table
    }

    private mutating func parseCommonTableBody() throws(ParseFailure) -> CommonTableExpression.Body {
        switch try peek().keyword {
        case .insert, .update, .delete, .merge, .with: break
        default: return .query(try parseQueryInParentheses())
        }
        let outer = try enter()
        try expectKind(.leftParenthesis)
        let position = position()
        let with = at(.with) ? try parseWith() : nil
        let body: CommonTableExpression.Body
        switch token.keyword {
        case .insert: body = .change(.insert(try parseInsert(with: with)))
        case .update: body = .change(.update(try parseUpdate(with: with)))
        case .delete: body = .change(.delete(try parseDelete(with: with)))
        case .merge: throw notSupported("MERGE in a WITH query")
        default: body = .query(try parseQuery(with: with, at: position))
        }
        try expectKind(.rightParenthesis)
        try leave(outer)
        return body
    }

    @inline(never)
    private mutating func parseSearch() throws(ParseFailure) -> SearchClause {
        try expect(.search)
        let isBreadthFirst = try accept(.breadth)
        if !isBreadthFirst { try expect(.depth) }
        try expect(.first)
        try expect(.by)
        let columns = try parseIdentifiers()
        try expect(.set)
        return SearchClause(isBreadthFirst: isBreadthFirst, columns: columns, sequence: try parseIdentifier())
    }

    @inline(never)
    private mutating func parseCycle() throws(ParseFailure) -> CycleClause {
        try expect(.cycle)
        let columns = try parseIdentifiers()
        try expect(.set)
        let mark = try parseIdentifier()
        var value: Expression?
        var defaultValue: Expression?
        if try accept(.to) {
            value = try parseExpression()
            try expect(.default)
            defaultValue = try parseExpression()
        }
        try expect(.using)
        return CycleClause(
            columns: columns, mark: mark, value: value, defaultValue: defaultValue, path: try parseIdentifier())
    }

    private mutating func parseIdentifiers() throws(ParseFailure) -> [Identifier] {
        var names: [Identifier] = []
        repeat { names.append(try parseIdentifier()) } while try acceptKind(.comma)
        return names
    }

    // MARK: - SELECT

    @inline(never)
    private mutating func parseSelect() throws(ParseFailure) -> SelectCore {
        let outer = try enter()
        var core = SelectCore(position: position())
        try expect(.select)
        if try accept(.distinct) {
            core.distinct = .distinct
            if try accept(.on) {
                try expectKind(.leftParenthesis)
                core.distinct = .on(try parseExpressionList())
                try expectKind(.rightParenthesis)
            }
        } else {
            _ = try accept(.all)
        }
        // Only a plain SELECT may have an empty list.
        if !atSelectListEnd || core.distinct != .all { core.items = try parseSelectItems() }
        if at(.into) { try parseInto() }
        if try accept(.from) { core.from = try parseTableReferences() }
        try parseSelectClauses(&core)
        try leave(outer)
        return core
    }

    /// `FROM t SELECT a`, or `FROM t` alone, which selects every column.
    @inline(never)
    private mutating func parseFromFirst() throws(ParseFailure) -> SelectCore {
        let outer = try enter()
        var core = SelectCore(position: position())
        try expect(.from)
        core.from = try parseTableReferences()
        if try accept(.select) {
            if try accept(.distinct) { core.distinct = .distinct }
            if !atSelectListEnd { core.items = try parseSelectItems() }
        } else {
            core.items = [SelectItem(kind: .star(StarItem(qualifier: [])), position: core.position)]
        }
        try parseSelectClauses(&core)
        try leave(outer)
        return core
    }

    /// Whether an empty select list ends here.
    private var atSelectListEnd: Bool {
        switch token.kind {
        case .endOfInput, .semicolon, .rightParenthesis: return true
        case .word:
            switch token.keyword {
            case .from, .where, .group, .having, .window, .union, .intersect, .except, .order, .limit, .offset,
                .fetch, .for, .into:
                return true
            default: return false
            }
        default: return false
        }
    }

    /// WHERE, GROUP BY, HAVING, WINDOW and QUALIFY.
    @inline(never)
    private mutating func parseSelectClauses(_ core: inout SelectCore) throws(ParseFailure) {
        if try accept(.where) { core.whereClause = try parseExpression() }
        if at(.group) { core.groupBy = try parseGroupBy() }
        if try accept(.having) { core.having = try parseExpression() }
        if try accept(.window) {
            repeat {
                let name = try parseIdentifier()
                try expect(.as)
                core.windows.append(NamedWindow(name: name, specification: try parseWindowSpecification()))
            } while try acceptKind(.comma)
        }
        if try accept(.qualify) { core.qualify = try parseExpression() }
    }

    @inline(never)
    mutating func parseSelectItems() throws(ParseFailure) -> [SelectItem] {
        var items = [try parseSelectItem()]
        while try acceptKind(.comma) { items.append(try parseSelectItem()) }
        return items
    }

    @inline(never)
    private mutating func parseSelectItem() throws(ParseFailure) -> SelectItem {
        let position = position()
        if try acceptKind(.star) {
            return SelectItem(kind: .star(try parseStarOptions([])), position: position)
        }
        let expression = try parseExpression()
        if case .star(let qualifier) = expression.kind {
            return SelectItem(kind: .star(try parseStarOptions(qualifier)), position: position)
        }
        if atKind(.dot), try peek().kind == .star {
            try advance()
            try advance()
            return SelectItem(kind: .fieldStar(expression), position: position)
        }
        return SelectItem(
            kind: .expression(expression, alias: try parseSelectLabel()), position: position)
    }

    @inline(never)
    private mutating func parseSelectLabel() throws(ParseFailure) -> Identifier? {
        if try accept(.as) { return try parseLabel() }
        switch token.kind {
        case .quotedIdentifier, .unicodeIdentifier: return try parseLabel()
        case .word:
            return token.keyword.needsAsForLabel || at(.qualify) ? nil : try parseLabel()
        default: return nil
        }
    }

    /// EXCLUDE, REPLACE and RENAME after `*`.
    @inline(never)
    private mutating func parseStarOptions(_ qualifier: [String]) throws(ParseFailure) -> StarItem {
        var star = StarItem(qualifier: qualifier)
        if try accept(.exclude) {
            if atKind(.leftParenthesis) {
                star.exclude = try parseColumnList()
            } else {
                star.exclude = [try parseIdentifier()]
            }
        }
        if try accept(.replace) {
            try expectKind(.leftParenthesis)
            repeat {
                let expression = try parseExpression()
                try expect(.as)
                star.replace.append(StarItem.Replacement(expression: expression, column: try parseLabel()))
            } while try acceptKind(.comma)
            try expectKind(.rightParenthesis)
        }
        if try accept(.rename) {
            let hasParentheses = try acceptKind(.leftParenthesis)
            while true {
                let column = try parseIdentifier()
                try expect(.as)
                star.rename.append(StarItem.Renaming(column: column, name: try parseLabel()))
                guard hasParentheses, try acceptKind(.comma) else { break }
            }
            if hasParentheses { try expectKind(.rightParenthesis) }
        }
        return star
    }

    // MARK: - GROUP BY

    @inline(never)
    private mutating func parseGroupBy() throws(ParseFailure) -> GroupByClause {
        let position = position()
        try expect(.group)
        try expect(.by)
        let isDistinct = try accept(.distinct)
        if !isDistinct, try accept(.all), atGroupByEnd {
            return GroupByClause(isDistinct: false, isAll: true, elements: [], position: position)
        }
        var elements = [try parseGroupingElement(allowSets: true)]
        while try acceptKind(.comma) { elements.append(try parseGroupingElement(allowSets: true)) }
        return GroupByClause(isDistinct: isDistinct, isAll: false, elements: elements, position: position)
    }

    private var atGroupByEnd: Bool { atSelectListEnd || at(.qualify) }

    private mutating func parseGroupingElement(allowSets: Bool) throws(ParseFailure) -> GroupingElement {
        switch token.keyword {
        case .rollup, .cube:
            guard try peek().kind == .leftParenthesis else { break }
            let isRollup = at(.rollup)
            try advance()
            try expectKind(.leftParenthesis)
            var members: [[Expression]] = []
            repeat { members.append(try parseGroupingMember()) } while try acceptKind(.comma)
            try expectKind(.rightParenthesis)
            return isRollup ? .rollup(members) : .cube(members)
        case .grouping:
            guard try peek().keyword == .sets else { break }
            let outer = try enter()
            try advance()
            try advance()
            try expectKind(.leftParenthesis)
            var sets: [GroupingElement] = []
            repeat { sets.append(try parseGroupingElement(allowSets: true)) } while try acceptKind(.comma)
            try expectKind(.rightParenthesis)
            try leave(outer)
            return .groupingSets(sets)
        default: break
        }
        if atKind(.leftParenthesis), try peek().kind == .rightParenthesis {
            try advance()
            try advance()
            return .empty
        }
        let expression = try parseExpression()
        if case .row(let fields, explicit: false) = expression.kind { return .set(fields) }
        return .expression(expression)
    }

    private mutating func parseGroupingMember() throws(ParseFailure) -> [Expression] {
        let expression = try parseExpression()
        if case .row(let fields, explicit: false) = expression.kind { return fields }
        return [expression]
    }

    // MARK: - ORDER BY, LIMIT, FOR UPDATE

    /// The clauses after a query's body, each at most once.
    @inline(never)
    private mutating func parseQueryClauses(_ query: inout Query) throws(ParseFailure) {
        if at(.order) {
            if !query.orderBy.isEmpty { throw multiple("ORDER BY", at: token) }
            query.orderBy = try parseOrderBy()
        }
        var sawLimit = query.limit != nil
        while true {
            switch token.keyword {
            case .limit:
                if sawLimit { throw multiple("LIMIT", at: token) }
                sawLimit = true
                query.limit = try parseLimit()
            case .fetch:
                if sawLimit { throw multiple("LIMIT", at: token) }
                sawLimit = true
                query.limit = try parseFetchFirst(hasOrder: !query.orderBy.isEmpty)
            case .offset:
                if query.offset != nil { throw multiple("OFFSET", at: token) }
                try advance()
                query.offset = try parseExpression()
                if !(try accept(.rows)) { _ = try accept(.row) }
            case .for: try parseLocking(&query)
            default: return
            }
        }
    }

    private mutating func parseLimit() throws(ParseFailure) -> LimitClause? {
        try expect(.limit)
        if try accept(.all) { return nil }
        let count = try parseExpression()
        if atKind(.comma) {
            throw ParseFailure(
                .syntaxError, "LIMIT #,# syntax is not supported",
                hint: "Use separate LIMIT and OFFSET clauses.", at: position())
        }
        return LimitClause(count: count, withTies: false)
    }

    /// FETCH FIRST n ROWS ONLY or WITH TIES.
    @inline(never)
    private mutating func parseFetchFirst(hasOrder: Bool) throws(ParseFailure) -> LimitClause {
        let start = token
        try advance()
        guard at(.first) || at(.next) else { throw syntaxError() }
        try advance()
        let count: Expression
        if at(.row) || at(.rows) {
            count = Expression(.literal(.integer(1)), at: position())
        } else {
            count = try parseExpression(minimum: Precedence.sign)
        }
        if !(try accept(.rows)) { try expect(.row) }
        if try accept(.only) { return LimitClause(count: count, withTies: false) }
        try expect(.with)
        try expect(.ties)
        if !hasOrder {
            throw ParseFailure(
                .syntaxError, "WITH TIES cannot be specified without ORDER BY clause", at: position(of: start))
        }
        return LimitClause(count: count, withTies: true)
    }

    @inline(never)
    private mutating func parseLocking(_ query: inout Query) throws(ParseFailure) {
        try expect(.for)
        let strength: String
        switch token.keyword {
        case .update: strength = "update"
        case .share: strength = "share"
        case .no:
            try advance()
            try expect(.key)
            strength = "no key update"
        case .key:
            try advance()
            strength = "key share"
        case .read:
            // FOR READ ONLY says nothing at all.
            try advance()
            return try expect(.only)
        default: throw syntaxError()
        }
        guard at(.update) || at(.share) else { throw syntaxError() }
        try advance()
        let tables = try accept(.of) ? try parseObjectNameList() : []
        var wait: String?
        if try accept(.nowait) {
            wait = "nowait"
        } else if try accept(.skip) {
            try expect(.locked)
            wait = "skip locked"
        }
        query.locking.append(LockingClause(strength: strength, tables: tables, wait: wait))
    }
}
