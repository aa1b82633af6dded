// Operators and predicates, by precedence climbing. Chains are read in loops, so only nesting costs stack.

import Diagnostics

/// How tightly operators bind, from loosest to tightest: the table of PostgreSQL's manual, section 4.1.6.
enum Precedence {
    static let or = 1
    static let and = 2
    static let not = 3
    /// IS and its kin.
    static let test = 4
    static let comparison = 5
    /// BETWEEN, IN, LIKE, ILIKE, SIMILAR.
    static let membership = 6
    /// Every operator that has no level of its own.
    static let generic = 7
    static let additive = 8
    static let multiplicative = 9
    static let power = 10
    static let atTimeZone = 11
    static let collate = 12
    static let sign = 13
    static let cast = 14
}

extension Parser {
    mutating func parseExpression() throws(ParseFailure) -> Expression {
        try parseExpression(minimum: Precedence.or)
    }

    /// One or more expressions separated by commas.
    mutating func parseExpressionList() throws(ParseFailure) -> [Expression] {
        var list = [try parseExpression()]
        while try acceptKind(.comma) { list.append(try parseExpression()) }
        return list
    }

    /// An expression without the operators that a restricted place gives another meaning: AND, OR, NOT, IN, LIKE,
    /// BETWEEN, IS NULL, COLLATE (PostgreSQL's b_expr).
    mutating func parseRestrictedExpression() throws(ParseFailure) -> Expression {
        try parseExpression(minimum: Precedence.or, restricted: true)
    }

    /// An expression whose outermost operators bind at least as tightly as `minimum`.
    mutating func parseExpression(minimum: Int, restricted: Bool = false) throws(ParseFailure) -> Expression {
        let outer = try enter()
        let left = try parsePrefix(restricted: restricted)
        let result = try parseOperators(after: left, minimum: minimum, restricted: restricted)
        try leave(outer)
        return result
    }

    /// An expression that begins with an operand already read.
    mutating func continueExpression(after left: Expression) throws(ParseFailure) -> Expression {
        let outer = try enter()
        try grow()
        let result = try parseOperators(
            after: try parsePostfix(after: left, fields: true), minimum: Precedence.or, restricted: false)
        try leave(outer)
        return result
    }

    // MARK: - Prefix operators

    @inline(never)
    private mutating func parsePrefix(restricted: Bool) throws(ParseFailure) -> Expression {
        switch token.kind {
        case .plus, .minus, .symbol: return try parsePrefixOperator(restricted: restricted)
        case .word:
            if at(.not), !restricted {
                let position = position()
                try advance()
                return Expression(.not(try parseExpression(minimum: Precedence.not)), at: position)
            }
            if at(.operator), try peek().kind == .leftParenthesis {
                return try parsePrefixOperator(restricted: restricted)
            }
            return try parsePrimary()
        default: return try parsePrimary()
        }
    }

    @inline(never)
    private mutating func parsePrefixOperator(restricted: Bool) throws(ParseFailure) -> Expression {
        let position = position()
        let isSign = atKind(.plus) || atKind(.minus)
        let isMinus = atKind(.minus)
        let name = try parseOperatorName()
        let operand = try parseExpression(
            minimum: isSign ? Precedence.sign : Precedence.generic + 1, restricted: restricted)
        if isMinus, case .literal(let literal) = operand.kind, let negative = Parser.negated(literal) {
            return Expression(.literal(negative), at: position)
        }
        return Expression(.unary(name, operand), at: position)
    }

    private static func negated(_ literal: Literal) -> Literal? {
        switch literal {
        case .integer(let value):
            return value == .min ? .decimal("9223372036854775808") : .integer(-value)
        case .decimal(let text):
            if text.utf8.first == UInt8(ascii: "-") { return .decimal(String(text.dropFirst())) }
            // The one number that fits Int64 only with its sign.
            return text == "9223372036854775808" ? .integer(.min) : .decimal("-" + text)
        default: return nil
        }
    }

    /// An operator's symbol or `OPERATOR(schema.symbol)`.
    @inline(never)
    mutating func parseOperatorName() throws(ParseFailure) -> OperatorName {
        if at(.operator) {
            try advance()
            try expectKind(.leftParenthesis)
            var schema: String?
            while atColumnName {
                schema = try parseIdentifier().text
                try expectKind(.dot)
            }
            guard Parser.isOperator(token.kind) else { throw syntaxError() }
            let name = OperatorName(symbolText(), schema: schema)
            try advance()
            try expectKind(.rightParenthesis)
            return name
        }
        let name = OperatorName(symbolText())
        try advance()
        return name
    }

    static func isOperator(_ kind: TokenKind) -> Bool {
        switch kind {
        case .symbol, .plus, .minus, .star, .slash, .percent, .caret, .less, .greater, .equals, .lessEquals,
            .greaterEquals, .notEquals:
            return true
        default: return false
        }
    }

    /// The symbol of the operator in hand.
    private func symbolText() -> String {
        switch token.kind {
        case .plus: return "+"
        case .minus: return "-"
        case .star: return "*"
        case .slash: return "/"
        case .percent: return "%"
        case .caret: return "^"
        case .less: return "<"
        case .greater: return ">"
        case .equals: return "="
        case .lessEquals: return "<="
        case .greaterEquals: return ">="
        case .notEquals: return "<>"
        default: return lexer.text(token.start..<token.end)
        }
    }

    // MARK: - Infix and postfix operators

    private mutating func parseOperators(
        after first: Expression, minimum: Int, restricted: Bool
    ) throws(ParseFailure) -> Expression {
        var left = first
        while true {
            let level: Int
            switch token.kind {
            case .plus, .minus: level = Precedence.additive
            case .star, .slash, .percent: level = Precedence.multiplicative
            case .caret: level = Precedence.power
            case .symbol: level = Precedence.generic
            case .less, .greater, .equals, .lessEquals, .greaterEquals, .notEquals: level = Precedence.comparison
            case .doubleColon:
                left = try parseCastOperator(left)
                continue
            case .word:
                guard let next = try parseKeywordOperator(left, minimum: minimum, restricted: restricted) else {
                    return left
                }
                left = next
                continue
            default: return left
            }
            if level < minimum { return left }
            left = try parseInfix(left, level: level, restricted: restricted)
        }
    }

    @inline(never)
    private mutating func parseCastOperator(_ left: Expression) throws(ParseFailure) -> Expression {
        let position = position()
        try advance()
        try grow()
        return Expression(.cast(left, try parseTypeName(), .cast), at: position)
    }

    /// The operator in hand and its right operand.
    @inline(never)
    private mutating func parseInfix(_ left: Expression, level: Int, restricted: Bool) throws(ParseFailure)
        -> Expression
    {
        let position = position()
        let name = try parseOperatorName()
        if at(.any) || at(.some) || at(.all) {
            return try parseQuantified(left, name, at: position)
        }
        let right = try parseExpression(minimum: level + 1, restricted: restricted)
        try grow()
        if level == Precedence.comparison { try refuseChain(of: level) }
        return Expression(.binary(name, left, right), at: position)
    }

    /// Comparisons do not associate: `a < b < c` is an error.
    @inline(never)
    private mutating func refuseChain(of level: Int) throws(ParseFailure) {
        switch token.kind {
        case .less, .greater, .equals, .lessEquals, .greaterEquals, .notEquals:
            if level == Precedence.comparison { throw syntaxError() }
        case .word where level == Precedence.membership:
            switch token.keyword {
            case .between, .in, .like, .ilike, .similar: throw syntaxError()
            default: break
            }
        default: break
        }
    }

    @inline(never)
    private mutating func parseQuantified(_ left: Expression, _ comparison: OperatorName, at position: SourcePosition)
        throws(ParseFailure) -> Expression
    {
        let quantifier: QuantifiedComparison.Quantifier = at(.all) ? .all : .any
        try advance()
        guard atKind(.leftParenthesis) else { throw syntaxError() }
        let right: QuantifiedComparison.Right
        switch try parseParenthesized() {
        case .query(let query): right = .query(query)
        case .expression(let array): right = .array(array)
        case .row: throw syntaxError(at: previous)
        }
        try grow()
        return Expression(
            .quantified(
                QuantifiedComparison(left: left, comparison: comparison, quantifier: quantifier, right: right)),
            at: position)
    }

    /// The operator that the keyword in hand is, applied to `left`; nil if it is none or binds too loosely.
    @inline(never)
    private mutating func parseKeywordOperator(_ left: Expression, minimum: Int, restricted: Bool) throws(ParseFailure)
        -> Expression?
    {
        switch token.keyword {
        case .and:
            if restricted || minimum > Precedence.and { return nil }
            return try parseConjunction(left)
        case .or:
            if restricted || minimum > Precedence.or { return nil }
            return try parseDisjunction(left)
        case .is:
            if minimum > Precedence.test { return nil }
            return try parseTest(left, restricted: restricted)
        case .isnull, .notnull:
            if restricted || minimum > Precedence.test { return nil }
            let negated = at(.notnull)
            let position = position()
            try advance()
            try grow()
            return Expression(.isNull(left, negated: negated), at: position)
        case .between, .in, .like, .ilike, .similar:
            if restricted || minimum > Precedence.membership { return nil }
            // SUBSTRING(x SIMILAR p ESCAPE e) has the word without TO.
            if at(.similar), try peek().keyword != .to { return nil }
            return try parseMembership(left, negated: false, at: position())
        case .not:
            if restricted || minimum > Precedence.membership { return nil }
            switch try peek().keyword {
            case .between, .in, .like, .ilike, .similar: break
            default: return nil
            }
            let position = position()
            try advance()
            return try parseMembership(left, negated: true, at: position)
        case .at:
            if minimum > Precedence.atTimeZone { return nil }
            return try parseAtTimeZone(left)
        case .collate:
            if restricted || minimum > Precedence.collate { return nil }
            let position = position()
            try advance()
            try grow()
            return Expression(.collate(left, try parseAnyName()), at: position)
        case .operator:
            if minimum > Precedence.generic { return nil }
            guard try peek().kind == .leftParenthesis else { return nil }
            return try parseInfix(left, level: Precedence.generic, restricted: restricted)
        case .overlaps:
            if minimum > Precedence.generic { return nil }
            return try parseOverlaps(left)
        default: return nil
        }
    }

    @inline(never)
    private mutating func parseConjunction(_ first: Expression) throws(ParseFailure) -> Expression {
        let position = position()
        var operands = [first]
        while at(.and) {
            try advance()
            operands.append(try parseExpression(minimum: Precedence.not))
        }
        try grow()
        return Expression(.and(operands), at: position)
    }

    @inline(never)
    private mutating func parseDisjunction(_ first: Expression) throws(ParseFailure) -> Expression {
        let position = position()
        var operands = [first]
        while at(.or) {
            try advance()
            operands.append(try parseExpression(minimum: Precedence.and))
        }
        try grow()
        return Expression(.or(operands), at: position)
    }

    /// IS [NOT] NULL, TRUE, FALSE, UNKNOWN, DISTINCT FROM, NORMALIZED.
    @inline(never)
    private mutating func parseTest(_ left: Expression, restricted: Bool) throws(ParseFailure) -> Expression? {
        let position = position()
        if restricted {
            let next = try peek().keyword
            let isDistinct =
                next == .not ? try peekSecond().keyword == .distinct : next == .distinct
            guard isDistinct else { return nil }
        }
        try advance()
        let negated = try accept(.not)
        let keyword = token.keyword
        switch keyword {
        case .null:
            try advance()
            try grow()
            return Expression(.isNull(left, negated: negated), at: position)
        case .true, .false, .unknown:
            try advance()
            try grow()
            let value: TruthValue = keyword == .true ? .true : keyword == .false ? .false : .unknown
            return Expression(.isTruth(left, value, negated: negated), at: position)
        case .distinct:
            try advance()
            try expect(.from)
            let right = try parseExpression(minimum: Precedence.test + 1, restricted: restricted)
            try grow()
            return Expression(.isDistinct(left, right, negated: negated), at: position)
        case .normalized, .nfc, .nfd, .nfkc, .nfkd:
            return try parseIsNormalized(left, negated: negated, at: position)
        case .document: throw notSupported("IS DOCUMENT")
        default: throw syntaxError()
        }
    }

    @inline(never)
    private mutating func parseIsNormalized(_ left: Expression, negated: Bool, at position: SourcePosition)
        throws(ParseFailure) -> Expression
    {
        var arguments = [FunctionArgument(name: nil, value: left, isVariadic: false)]
        if !at(.normalized) {
            let form = Expression(.literal(.string(try takeName().uppercasedASCII)), at: position)
            arguments.append(FunctionArgument(name: nil, value: form, isVariadic: false))
        }
        try expect(.normalized)
        try grow()
        var call = FunctionCall(name: ObjectName(["is_normalized"], at: position), arguments: arguments)
        call.syntax = .isNormalized
        let test = Expression(.function(call), at: position)
        try grow()
        return negated ? Expression(.not(test), at: position) : test
    }

    /// BETWEEN, IN, LIKE, ILIKE, SIMILAR TO; a NOT before them has been consumed.
    @inline(never)
    private mutating func parseMembership(_ left: Expression, negated: Bool, at position: SourcePosition)
        throws(ParseFailure) -> Expression
    {
        let keyword = token.keyword
        try advance()
        let result: Expression.Kind
        switch keyword {
        case .between:
            let symmetric = try accept(.symmetric)
            if !symmetric { _ = try accept(.asymmetric) }
            let low = try parseRestrictedExpression()
            try expect(.and)
            let high = try parseExpression(minimum: Precedence.membership + 1)
            result = .between(
                BetweenPredicate(value: left, low: low, high: high, symmetric: symmetric, negated: negated))
            try refuseChain(of: Precedence.membership)
        case .in:
            guard atKind(.leftParenthesis) else { throw syntaxError() }
            switch try parseParenthesized() {
            case .query(let query): result = .inQuery(left, query, negated: negated)
            case .expression(let element): result = .inList(left, [element], negated: negated)
            case .row(let elements): result = .inList(left, elements, negated: negated)
            }
        default: return try parseLike(left, keyword, negated: negated, at: position)
        }
        try grow()
        return Expression(result, at: position)
    }

    @inline(never)
    private mutating func parseLike(
        _ left: Expression, _ keyword: Keyword, negated: Bool, at position: SourcePosition
    ) throws(ParseFailure) -> Expression {
        if keyword == .similar {
            try expect(.to)
        } else if at(.any) || at(.some) || at(.all) {
            let symbol = keyword == .like ? (negated ? "!~~" : "~~") : (negated ? "!~~*" : "~~*")
            return try parseQuantified(left, OperatorName(symbol), at: position)
        }
        let pattern = try parseExpression(minimum: Precedence.membership + 1)
        var escape: Expression?
        if try accept(.escape) { escape = try parseExpression(minimum: Precedence.membership + 1) }
        try refuseChain(of: Precedence.membership)
        try grow()
        let kind: LikePredicate.Kind = keyword == .like ? .like : keyword == .ilike ? .ilike : .similarTo
        return Expression(
            .like(LikePredicate(kind: kind, value: left, pattern: pattern, escape: escape, negated: negated)),
            at: position)
    }

    @inline(never)
    private mutating func parseAtTimeZone(_ left: Expression) throws(ParseFailure) -> Expression? {
        guard try peek().keyword == .time else { return nil }
        let position = position()
        try advance()
        try advance()
        try expect(.zone)
        let zone = try parseExpression(minimum: Precedence.atTimeZone + 1)
        try grow()
        return Expression(.atTimeZone(left, zone: zone), at: position)
    }

    /// `(a, b) OVERLAPS (c, d)`.
    @inline(never)
    private mutating func parseOverlaps(_ left: Expression) throws(ParseFailure) -> Expression? {
        guard case .row(let first, _) = left.kind else { return nil }
        let position = position()
        try advance()
        let right = try parseExpression(minimum: Precedence.generic + 1)
        guard first.count == 2 else {
            throw ParseFailure(
                .syntaxError, "wrong number of parameters on left side of OVERLAPS expression", at: position)
        }
        guard case .row(let second, _) = right.kind, second.count == 2 else {
            throw ParseFailure(
                .syntaxError, "wrong number of parameters on right side of OVERLAPS expression", at: position)
        }
        try grow()
        var call = FunctionCall(
            name: ObjectName(["overlaps"], at: position),
            arguments: (first + second).map { FunctionArgument(name: nil, value: $0, isVariadic: false) })
        call.syntax = .overlaps
        return Expression(.function(call), at: position)
    }
}
