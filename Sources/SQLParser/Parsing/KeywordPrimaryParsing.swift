// Primary expressions that begin with a keyword, and the functions that have a syntax of their own.

import Diagnostics

extension Parser {
    /// A primary expression that begins with the keyword in hand.
    @inline(never)
    mutating func parseKeywordPrimary() throws(ParseFailure) -> Expression {
        switch token.keyword {
        case .null: return try parseKeywordLiteral(.null)
        case .true: return try parseKeywordLiteral(.boolean(true))
        case .false: return try parseKeywordLiteral(.boolean(false))
        case .case: return try parseCase()
        case .cast: return try parseCast(.cast)
        case .array: return try parseArray()
        case .default:
            let position = position()
            try advance()
            return Expression(.defaultValue, at: position)
        case .currentDate, .currentTime, .currentTimestamp, .localtime, .localtimestamp, .currentRole, .currentUser,
            .sessionUser, .user, .currentCatalog:
            return try parseSessionValue()
        case .bigint, .bit, .boolean, .char, .character, .dec, .decimal, .float, .int, .integer, .interval, .national,
            .nchar, .numeric, .real, .smallint, .time, .timestamp, .varchar:
            return try parseStandardTyped()
        default: break
        }
        switch token.keyword.category {
        case .unreserved:
            if at(.double), try peek().keyword == .precision, Parser.isString(try peekSecond().kind) {
                return try parseTypedLiteral(try parseSimpleTypeName())
            }
            return try parseNamed()
        case .columnName:
            guard try peek().kind == .leftParenthesis else { return try parseNamed() }
            return try parseSpecialCall()
        case .typeOrFunction: return try parseFunctionKeyword()
        case .reserved: throw syntaxError()
        }
    }

    private mutating func parseKeywordLiteral(_ literal: Literal) throws(ParseFailure) -> Expression {
        let position = position()
        try advance()
        return Expression(.literal(literal), at: position)
    }

    @inline(never)
    private mutating func parseFunctionKeyword() throws(ParseFailure) -> Expression {
        if at(.currentSchema), try peek().kind != .leftParenthesis { return try parseSessionValue() }
        if at(.collation), try peek().keyword == .for {
            let position = position()
            try advance()
            try advance()
            try expectKind(.leftParenthesis)
            let operand = try parseExpression()
            try expectKind(.rightParenthesis)
            return call("pg_collation_for", [operand], .collationFor, at: position)
        }
        return try parseNamed()
    }

    @inline(never)
    private mutating func parseSessionValue() throws(ParseFailure) -> Expression {
        let position = position()
        let value: SessionValue
        var takesPrecision = false
        switch token.keyword {
        case .currentDate: value = .currentDate
        case .currentTime: (value, takesPrecision) = (.currentTime, true)
        case .currentTimestamp: (value, takesPrecision) = (.currentTimestamp, true)
        case .localtime: (value, takesPrecision) = (.localTime, true)
        case .localtimestamp: (value, takesPrecision) = (.localTimestamp, true)
        case .currentRole: value = .currentRole
        case .currentUser: value = .currentUser
        case .sessionUser: value = .sessionUser
        case .user: value = .user
        case .currentCatalog: value = .currentCatalog
        default: value = .currentSchema
        }
        try advance()
        var precision: Int?
        if takesPrecision, try acceptKind(.leftParenthesis) {
            precision = Int(try parseInteger())
            try expectKind(.rightParenthesis)
        }
        return Expression(.sessionValue(value, precision: precision), at: position)
    }

    /// `CAST(a AS t)`; the keyword is in hand.
    @inline(never)
    mutating func parseCast(_ syntax: CastSyntax) throws(ParseFailure) -> Expression {
        let position = position()
        try advance()
        try expectKind(.leftParenthesis)
        let operand = try parseExpression()
        try expect(.as)
        let type = try parseTypeName()
        try expectKind(.rightParenthesis)
        return try parsePostfix(after: Expression(.cast(operand, type, syntax), at: position), fields: false)
    }

    // MARK: - Functions with a syntax of their own

    private func call(
        _ name: String, _ arguments: [Expression], _ syntax: FunctionCall.Syntax, at position: SourcePosition
    ) -> Expression {
        var call = FunctionCall(
            name: ObjectName([name], at: position),
            arguments: arguments.map { FunctionArgument(name: nil, value: $0, isVariadic: false) })
        call.syntax = syntax
        return Expression(.function(call), at: position)
    }

    /// A keyword that is followed by a parenthesis and names no plain function.
    @inline(never)
    private mutating func parseSpecialCall() throws(ParseFailure) -> Expression {
        let start = token
        let position = position()
        switch start.keyword {
        case .row: return try parsePostfix(after: try parseRow(), fields: false)
        case .exists:
            try advance()
            return Expression(.exists(try parseQueryInParentheses()), at: position)
        case .xmlattributes, .xmlconcat, .xmlelement, .xmlexists, .xmlforest, .xmlnamespaces, .xmlparse, .xmlpi,
            .xmlroot, .xmlserialize, .xmltable:
            throw notSupported("XML expressions")
        case .treat: throw notSupported("TREAT")
        case .between, .inout, .out, .none, .precision, .setof, .values: throw syntaxError(at: try peek())
        default: break
        }
        try advance()
        try expectKind(.leftParenthesis)
        let result: Expression
        switch start.keyword {
        case .coalesce: result = Expression(.coalesce(try parseExpressionList()), at: position)
        case .greatest: result = Expression(.greatest(try parseExpressionList()), at: position)
        case .least: result = Expression(.least(try parseExpressionList()), at: position)
        case .grouping: result = Expression(.grouping(try parseExpressionList()), at: position)
        case .nullif:
            let first = try parseExpression()
            try expectKind(.comma)
            result = Expression(.nullIf(first, try parseExpression()), at: position)
        case .extract: result = try parseExtract(at: position)
        case .position: result = try parsePositionCall(at: position)
        case .substring: return try parseSubstring(at: position)
        case .overlay: return try parseOverlay(at: position)
        case .trim: result = try parseTrim(at: position)
        case .normalize: result = try parseNormalize(at: position)
        default: throw syntaxError(at: start)
        }
        try expectKind(.rightParenthesis)
        return try parsePostfix(after: result, fields: false)
    }

    /// `field FROM source)`.
    @inline(never)
    private mutating func parseExtract(at position: SourcePosition) throws(ParseFailure) -> Expression {
        let fieldPosition = self.position()
        let field: String
        if Parser.isString(token.kind) {
            field = try parseString()
        } else {
            guard atColumnName else { throw syntaxError() }
            field = try takeName()
        }
        let name = Expression(.literal(.string(field)), at: fieldPosition)
        if try acceptKind(.comma) { return call("extract", [name, try parseExpression()], .extract, at: position) }
        try expect(.from)
        return call("extract", [name, try parseExpression()], .extract, at: position)
    }

    /// `a IN b)`: the plain function takes them the other way round.
    @inline(never)
    private mutating func parsePositionCall(at position: SourcePosition) throws(ParseFailure) -> Expression {
        let needle = try parseRestrictedExpression()
        try expect(.in)
        let haystack = try parseRestrictedExpression()
        return call("position", [haystack, needle], .position, at: position)
    }

    /// `x FROM a FOR b)`, `x SIMILAR p ESCAPE e)` or plain arguments.
    @inline(never)
    private mutating func parseSubstring(at position: SourcePosition) throws(ParseFailure) -> Expression {
        let name = ObjectName(["substring"], at: position)
        if atKind(.rightParenthesis) || at(.variadic) { return try finishCall(name) }
        let first = try parseArgument()
        guard first.name == nil, atAny(.from, .for) || at(.similar) else {
            return try finishCall(name, firstArgument: first)
        }
        let text = first.value
        var arguments = [text]
        var syntax = FunctionCall.Syntax.substring
        if try accept(.similar) {
            arguments.append(try parseExpression())
            try expect(.escape)
            arguments.append(try parseExpression())
            syntax = .substringSimilar
        } else {
            var from: Expression?
            var length: Expression?
            if try accept(.from) {
                from = try parseExpression()
                if try accept(.for) { length = try parseExpression() }
            } else {
                try expect(.for)
                length = try parseExpression()
                if try accept(.from) { from = try parseExpression() }
            }
            arguments.append(from ?? Expression(.literal(.integer(1)), at: position))
            if let length { arguments.append(length) }
        }
        try expectKind(.rightParenthesis)
        return try parsePostfix(after: call("substring", arguments, syntax, at: position), fields: false)
    }

    /// `x PLACING y FROM a FOR b)` or plain arguments.
    @inline(never)
    private mutating func parseOverlay(at position: SourcePosition) throws(ParseFailure) -> Expression {
        let name = ObjectName(["overlay"], at: position)
        if atKind(.rightParenthesis) || at(.variadic) { return try finishCall(name) }
        let first = try parseArgument()
        guard first.name == nil, try accept(.placing) else { return try finishCall(name, firstArgument: first) }
        var arguments = [first.value, try parseExpression()]
        try expect(.from)
        arguments.append(try parseExpression())
        if try accept(.for) { arguments.append(try parseExpression()) }
        try expectKind(.rightParenthesis)
        return try parsePostfix(after: call("overlay", arguments, .overlay, at: position), fields: false)
    }

    /// `[LEADING | TRAILING | BOTH] [characters] FROM text)` or `text, characters)`.
    @inline(never)
    private mutating func parseTrim(at position: SourcePosition) throws(ParseFailure) -> Expression {
        var name = "btrim"
        switch token.keyword {
        case .leading: name = "ltrim"
        case .trailing: name = "rtrim"
        default: break
        }
        if at(.leading) || at(.trailing) || at(.both) { try advance() }
        if try accept(.from) { return call(name, try parseExpressionList(), .trim, at: position) }
        let first = try parseExpression()
        // PostgreSQL appends the characters to the list after FROM.
        if try accept(.from) { return call(name, try parseExpressionList() + [first], .trim, at: position) }
        var arguments = [first]
        while try acceptKind(.comma) { arguments.append(try parseExpression()) }
        return call(name, arguments, .trim, at: position)
    }

    @inline(never)
    private mutating func parseNormalize(at position: SourcePosition) throws(ParseFailure) -> Expression {
        var arguments = [try parseExpression()]
        if try acceptKind(.comma) {
            switch token.keyword {
            case .nfc, .nfd, .nfkc, .nfkd: break
            default: throw syntaxError()
            }
            let formPosition = self.position()
            arguments.append(Expression(.literal(.string(try takeName().uppercasedASCII)), at: formPosition))
        }
        return call("normalize", arguments, .normalize, at: position)
    }
}
