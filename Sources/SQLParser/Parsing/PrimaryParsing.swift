// Primary expressions: constants, columns, parentheses, CASE, CAST, ARRAY, ROW and what may follow them directly.

import Diagnostics

/// What a pair of parentheses held.
enum Parenthesized {
    case query(Query)
    case expression(Expression)
    /// Two or more expressions separated by commas.
    case row([Expression])
}

extension Parser {
    /// Whether a query begins at the token in hand.
    mutating func atQueryStart() throws(ParseFailure) -> Bool {
        switch token.keyword {
        case .select, .with, .table, .from: return true
        case .values: return try peek().kind == .leftParenthesis
        default: return false
        }
    }

    @inline(never)
    mutating func parsePrimary() throws(ParseFailure) -> Expression {
        switch token.kind {
        case .integer, .decimal: return try parsePostfix(after: try parseNumber(), fields: false)
        case .string, .escapeString, .unicodeString, .dollarString:
            let position = position()
            let text = try parseString()
            return try parsePostfix(after: Expression(.literal(.string(text)), at: position), fields: false)
        case .word:
            return token.keyword == .noKeyword ? try parseNamed() : try parseKeywordPrimary()
        case .quotedIdentifier, .unicodeIdentifier: return try parseNamed()
        case .leftParenthesis: return try parsePostfix(after: try parseParenthesizedPrimary(), fields: true)
        case .parameter: return try parsePostfix(after: try parseParameter(), fields: true)
        case .leftBracket: return try parsePostfix(after: try parseArrayElements(at: position()), fields: false)
        case .bitString: return try parsePostfix(after: try parseBits(), fields: false)
        default: throw syntaxError()
        }
    }

    @inline(never)
    private mutating func parseNumber() throws(ParseFailure) -> Expression {
        let position = position()
        let bytes = UnsafeBufferPointer(start: lexer.base + token.start, count: token.end - token.start)
        var literal: Literal?
        if atKind(.integer) {
            var value: Int64 = 0
            var overflow = false
            for byte in bytes {
                let (product, a) = value.multipliedReportingOverflow(by: 10)
                let (sum, b) = product.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
                value = sum
                overflow = overflow || a || b
            }
            if !overflow { literal = .integer(value) }
        }
        let text = literal == nil ? String(decoding: bytes, as: UTF8.self) : ""
        try advance()
        return Expression(.literal(literal ?? .decimal(text)), at: position)
    }

    /// `B'101'` or `X'1F'`, whose digits become binary ones.
    @inline(never)
    private mutating func parseBits() throws(ParseFailure) -> Expression {
        let position = position()
        let isHexadecimal = lexer.base[token.start] | 0x20 == UInt8(ascii: "x")
        let start = token.start + 1
        let content = lexer.plainString(Token(kind: .string, keyword: .noKeyword, start: start, end: token.end))
        var digits = ""
        for character in content.unicodeScalars {
            if isHexadecimal {
                guard character.isASCII, let value = Int(String(character), radix: 16) else {
                    throw ParseFailure(
                        .invalidTextRepresentation, "\"\(character)\" is not a valid hexadecimal digit", at: position)
                }
                for bit in [3, 2, 1, 0] { digits += value >> bit & 1 == 1 ? "1" : "0" }
            } else {
                guard character == "0" || character == "1" else {
                    throw ParseFailure(
                        .invalidTextRepresentation, "\"\(character)\" is not a valid binary digit", at: position)
                }
                digits.unicodeScalars.append(character)
            }
        }
        try advance()
        return Expression(.literal(.bits(digits)), at: position)
    }

    @inline(never)
    private mutating func parseParameter() throws(ParseFailure) -> Expression {
        let position = position()
        guard let number = Int(lexer.text(token.start + 1..<token.end)), number <= 65_535 else {
            throw ParseFailure(
                .undefinedParameter, "there is no parameter \(lexer.text(token.start..<token.end))", at: position)
        }
        try advance()
        return Expression(.parameter(number), at: position)
    }

    // MARK: - Postfix

    /// Subscripts, and where `fields` allows them also `.name`, that follow an expression directly.
    @inline(never)
    mutating func parsePostfix(after first: Expression, fields: Bool) throws(ParseFailure) -> Expression {
        var left = first
        while true {
            if atKind(.leftBracket) {
                let position = position()
                try grow()
                left = Expression(.subscripts(left, try parseSubscripts()), at: position)
            } else if fields, atKind(.dot), try peek().kind != .star {
                let position = position()
                try advance()
                try grow()
                left = Expression(.field(left, try parseLabel().text), at: position)
            } else {
                return left
            }
        }
    }

    @inline(never)
    mutating func parseSubscripts() throws(ParseFailure) -> [Subscript] {
        var subscripts: [Subscript] = []
        while try acceptKind(.leftBracket) {
            var lower: Expression?
            if !atKind(.colon) { lower = try parseExpression() }
            if try acceptKind(.colon) {
                let upper = atKind(.rightBracket) ? nil : try parseExpression()
                subscripts.append(.slice(lower: lower, upper: upper))
            } else if let lower {
                subscripts.append(.index(lower))
            }
            try expectKind(.rightBracket)
        }
        return subscripts
    }

    // MARK: - Parentheses

    /// Reads from `(` to its `)`. Whether a query, an expression or a row stands inside is found without looking back:
    /// an inner pair of parentheses is read first, and what follows it decides.
    mutating func parseParenthesized() throws(ParseFailure) -> Parenthesized {
        let outer = try enter()
        let result = try parseParenthesizedContent()
        try leave(outer)
        return result
    }

    private mutating func parseParenthesizedContent() throws(ParseFailure) -> Parenthesized {
        try expectKind(.leftParenthesis)
        if try atQueryStart() {
            let query = try parseQuery()
            try expectKind(.rightParenthesis)
            return .query(query)
        }
        let first: Expression
        if atKind(.leftParenthesis) {
            let start = position()
            let inner = try parseParenthesized()
            if case .query(let query) = inner, continuesQuery {
                let whole = try continueQuery(after: query)
                try expectKind(.rightParenthesis)
                return .query(whole)
            }
            first = try continueExpression(after: Parser.primary(inner, at: start))
        } else {
            first = try parseExpression()
        }
        if try acceptKind(.rightParenthesis) { return .expression(first) }
        guard atKind(.comma) else { throw syntaxError() }
        var elements = [first]
        while try acceptKind(.comma) { elements.append(try parseExpression()) }
        try expectKind(.rightParenthesis)
        return .row(elements)
    }

    @inline(never)
    private static func primary(_ content: Parenthesized, at position: SourcePosition) -> Expression {
        switch content {
        case .query(let query): return Expression(.scalarQuery(query), at: position)
        case .expression(let expression): return expression
        case .row(let elements): return Expression(.row(elements, explicit: false), at: position)
        }
    }

    private mutating func parseParenthesizedPrimary() throws(ParseFailure) -> Expression {
        let start = position()
        return Parser.primary(try parseParenthesized(), at: start)
    }

    /// `(query)`, possibly in further parentheses.
    mutating func parseQueryInParentheses() throws(ParseFailure) -> Query {
        let start = token
        guard atKind(.leftParenthesis) else { throw syntaxError() }
        let next = try peek()
        guard case .query(let query) = try parseParenthesized() else {
            throw syntaxError(at: next.kind == .leftParenthesis ? start : next)
        }
        return query
    }

    // MARK: - Names

    /// A column reference, a function call, or a constant with the name of its type before it.
    @inline(never)
    mutating func parseNamed() throws(ParseFailure) -> Expression {
        let start = token
        let position = position()
        let first = try takeName()
        switch token.kind {
        case .dot: return try parseQualifiedNamed(first, start, at: position)
        case .leftParenthesis:
            guard start.keyword.category != .columnName else { throw syntaxError() }
            return try parseCall(ObjectName([first], at: position), isQuoted: start.kind != .word)
        case .string, .escapeString, .unicodeString, .dollarString:
            return try parseTypedLiteral(
                TypeName(name: ObjectName([first], at: position), isQuoted: start.kind != .word))
        case .leftBracket:
            return try parsePostfix(after: Expression(.column([first]), at: position), fields: true)
        default:
            // Words that name functions but no columns need their parenthesis.
            guard start.keyword.category != .typeOrFunction else { throw syntaxError() }
            return Expression(.column([first]), at: position)
        }
    }

    @inline(never)
    private mutating func parseQualifiedNamed(_ first: String, _ start: Token, at position: SourcePosition)
        throws(ParseFailure) -> Expression
    {
        guard start.keyword.category != .typeOrFunction else { throw syntaxError() }
        var parts = [first]
        var isQuoted = false
        while atKind(.dot) {
            if try peek().kind == .star {
                try advance()
                try advance()
                return Expression(.star(qualifier: parts), at: position)
            }
            try advance()
            isQuoted = token.kind != .word
            parts.append(try parseLabel().text)
            if parts.count > 64 { throw syntaxError() }
        }
        switch token.kind {
        case .leftParenthesis: return try parseCall(ObjectName(parts, at: position), isQuoted: isQuoted)
        case .string, .escapeString, .unicodeString, .dollarString:
            return try parseTypedLiteral(TypeName(name: ObjectName(parts, at: position), isQuoted: isQuoted))
        case .leftBracket:
            return try parsePostfix(after: Expression(.column(parts), at: position), fields: true)
        default: return Expression(.column(parts), at: position)
        }
    }

    /// The string after the name of a type.
    @inline(never)
    mutating func parseTypedLiteral(_ type: TypeName) throws(ParseFailure) -> Expression {
        Expression(.typedLiteral(type, try parseString()), at: type.position)
    }

    /// A keyword of the SQL standard's types: a constant of that type if a string follows, else a column of that name.
    @inline(never)
    mutating func parseStandardTyped() throws(ParseFailure) -> Expression {
        let next = try peek()
        switch next.kind {
        case .string, .escapeString, .unicodeString, .dollarString, .leftParenthesis: break
        case .integer where at(.interval): return try parseIntervalOfNumber()
        case .word:
            switch (token.keyword, next.keyword) {
            case (_, .varying), (.national, .character), (.national, .char), (.time, .with), (.time, .without),
                (.timestamp, .with), (.timestamp, .without):
                break
            default: return try parseNamed()
            }
        default: return try parseNamed()
        }
        if at(.interval) { return try parseIntervalLiteral() }
        let type = try parseSimpleTypeName()
        return try parseTypedLiteral(type)
    }

    /// `INTERVAL '…' fields` and `INTERVAL(p) '…'`.
    private mutating func parseIntervalLiteral() throws(ParseFailure) -> Expression {
        let name = ObjectName(["interval"], at: position())
        try advance()
        if atKind(.leftParenthesis) { return try parseTypedLiteral(try parseIntervalType(name)) }
        let text = try parseString()
        let (fields, modifiers) = try parseIntervalFields()
        let type = TypeName(name: name, modifiers: modifiers, intervalFields: fields)
        return Expression(.typedLiteral(type, text), at: name.position)
    }

    /// `INTERVAL 3 DAY`: the same as `INTERVAL '3 day'`.
    private mutating func parseIntervalOfNumber() throws(ParseFailure) -> Expression {
        let name = ObjectName(["interval"], at: position())
        try advance()
        let number = lexer.text(token.start..<token.end)
        try advance()
        let unit = token
        guard unit.kind == .word else { throw syntaxError() }
        let word = lexer.foldedWord(unit)
        switch word.utf8.last == UInt8(ascii: "s") ? String(word.dropLast()) : word {
        case "year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond",
            "decade", "centurie", "century", "millennium":
            try advance()
        default: throw syntaxError()
        }
        return Expression(.typedLiteral(TypeName(name: name), number + " " + word), at: name.position)
    }

    // MARK: - ARRAY, ROW, CASE

    /// ARRAY[…] or ARRAY(query); the keyword is in hand.
    @inline(never)
    mutating func parseArray() throws(ParseFailure) -> Expression {
        let position = position()
        try advance()
        if atKind(.leftParenthesis) {
            let query = try parseQueryInParentheses()
            return try parsePostfix(after: Expression(.arrayQuery(query), at: position), fields: false)
        }
        guard atKind(.leftBracket) else { throw syntaxError() }
        return try parsePostfix(after: try parseArrayElements(at: position), fields: false)
    }

    /// `[a, b]`, where the elements may be such lists themselves.
    private mutating func parseArrayElements(at position: SourcePosition) throws(ParseFailure) -> Expression {
        let outer = try enter()
        try expectKind(.leftBracket)
        var elements: [Expression] = []
        if !atKind(.rightBracket) {
            repeat {
                if atKind(.leftBracket) {
                    elements.append(try parseArrayElements(at: self.position()))
                } else {
                    elements.append(try parseExpression())
                }
            } while try acceptKind(.comma)
        }
        try expectKind(.rightBracket)
        try leave(outer)
        return Expression(.array(elements), at: position)
    }

    /// `ROW(a, b)`; the keyword is in hand.
    @inline(never)
    mutating func parseRow() throws(ParseFailure) -> Expression {
        let position = position()
        try advance()
        try expectKind(.leftParenthesis)
        let elements = atKind(.rightParenthesis) ? [] : try parseExpressionList()
        try expectKind(.rightParenthesis)
        return Expression(.row(elements, explicit: true), at: position)
    }

    @inline(never)
    mutating func parseCase() throws(ParseFailure) -> Expression {
        let outer = try enter()
        let position = position()
        try expect(.case)
        let operand = at(.when) ? nil : try parseExpression()
        var branches: [CaseExpression.Branch] = []
        repeat {
            try expect(.when)
            let when = try parseExpression()
            try expect(.then)
            branches.append(CaseExpression.Branch(when: when, then: try parseExpression()))
        } while at(.when)
        let otherwise = try accept(.else) ? try parseExpression() : nil
        try expect(.end)
        try leave(outer)
        return Expression(
            .caseWhen(CaseExpression(operand: operand, branches: branches, otherwise: otherwise)), at: position)
    }
}
