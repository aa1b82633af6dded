// The parser's core: the tokens at hand, errors, and the bounds on depth. The grammar is in the files beside this one.

import Diagnostics

/// A recursive-descent parser with one token in hand and up to two ahead. After an error it must not be used again.
struct Parser {
    var lexer: Lexer
    let limits: ParserLimits
    /// The token to be looked at next.
    private(set) var token: Token
    /// The token consumed last.
    private(set) var previous: Token
    private var ahead: (Token, Token)
    private var aheadCount = 0

    /// What INTO named in the SELECT being read, and the depth of the SELECT that may have it: the statement itself.
    var selectInto: SelectIntoTarget?
    var selectIntoDepth = -1

    private(set) var depth = 0
    /// The height of the trees finished since the innermost `enter`: an upper bound.
    private var height = 0
    private let stackStart: UInt

    init(_ lexer: Lexer, _ limits: ParserLimits) throws(ParseFailure) {
        self.lexer = lexer
        self.limits = limits
        let first = try self.lexer.next()
        token = first
        previous = Token(kind: .endOfInput, keyword: .noKeyword, start: 0, end: 0)
        ahead = (first, first)
        stackStart = Parser.stackPointer()
    }

    // MARK: - Tokens

    @inline(never)
    mutating func advance() throws(ParseFailure) {
        previous = token
        switch aheadCount {
        case 0: token = try lexer.next()
        case 1:
            token = ahead.0
            aheadCount = 0
        default:
            token = ahead.0
            ahead.0 = ahead.1
            aheadCount = 1
        }
    }

    /// The token after the one in hand.
    @inline(never)
    mutating func peek() throws(ParseFailure) -> Token {
        if aheadCount == 0 {
            ahead.0 = try lexer.next()
            aheadCount = 1
        }
        return ahead.0
    }

    /// The token two after the one in hand.
    @inline(never)
    mutating func peekSecond() throws(ParseFailure) -> Token {
        _ = try peek()
        if aheadCount == 1 {
            ahead.1 = try lexer.next()
            aheadCount = 2
        }
        return ahead.1
    }

    @inline(__always)
    func at(_ keyword: Keyword) -> Bool { token.keyword == keyword }

    @inline(__always)
    func atKind(_ kind: TokenKind) -> Bool { token.kind == kind }

    func atAny(_ a: Keyword, _ b: Keyword) -> Bool { token.keyword == a || token.keyword == b }

    mutating func accept(_ keyword: Keyword) throws(ParseFailure) -> Bool {
        guard token.keyword == keyword else { return false }
        try advance()
        return true
    }

    /// Consumes two keywords if both are there.
    mutating func accept(_ first: Keyword, _ second: Keyword) throws(ParseFailure) -> Bool {
        guard token.keyword == first, try peek().keyword == second else { return false }
        try advance()
        try advance()
        return true
    }

    mutating func acceptKind(_ kind: TokenKind) throws(ParseFailure) -> Bool {
        guard token.kind == kind else { return false }
        try advance()
        return true
    }

    mutating func expect(_ keyword: Keyword) throws(ParseFailure) {
        guard token.keyword == keyword else { throw syntaxError() }
        try advance()
    }

    mutating func expectKind(_ kind: TokenKind) throws(ParseFailure) {
        guard token.kind == kind else { throw syntaxError() }
        try advance()
    }

    mutating func expectEnd() throws(ParseFailure) {
        guard token.kind == .endOfInput else { throw syntaxError() }
    }

    /// The position of the token in hand.
    @inline(never)
    mutating func position() -> SourcePosition { lexer.position(ofByte: token.start) }

    @inline(never)
    mutating func position(of token: Token) -> SourcePosition { lexer.position(ofByte: token.start) }

    // MARK: - Errors

    /// The error for the token in hand, which nothing in the grammar allows here.
    @inline(never)
    mutating func syntaxError(hint: String? = nil) -> ParseFailure {
        syntaxError(at: token, hint: hint)
    }

    @inline(never)
    mutating func syntaxError(at token: Token, hint: String? = nil) -> ParseFailure {
        if token.kind == .endOfInput {
            return ParseFailure(
                .syntaxError, "syntax error at end of input", hint: hint, at: lexer.position(ofByte: lexer.count))
        }
        let shown = min(token.end, token.start + 200)
        let hint = hint ?? SpellingHint.hint(for: lexer, token: token, previous: previous)
        return ParseFailure(
            .syntaxError, "syntax error at or near \"\(lexer.text(token.start..<shown))\"", hint: hint,
            at: position(of: token))
    }

    @inline(never)
    mutating func notSupported(_ construct: String, at token: Token) -> ParseFailure {
        .notSupported(construct, at: position(of: token))
    }

    @inline(never)
    mutating func notSupported(_ construct: String) -> ParseFailure {
        .notSupported(construct, at: position())
    }

    // MARK: - Depth

    /// Begins a construct that may contain itself. Give the result to `leave` at its end.
    mutating func enter() throws(ParseFailure) -> Int {
        depth += 1
        if depth > limits.nesting || Int(bitPattern: stackStart &- Parser.stackPointer()) > limits.stackBytes {
            throw tooComplex()
        }
        let outer = height
        height = 0
        return outer
    }

    mutating func leave(_ outer: Int) throws(ParseFailure) {
        depth -= 1
        try grow()
        if outer > height { height = outer }
    }

    /// Counts a node that was put on top of trees finished since the innermost `enter`.
    mutating func grow() throws(ParseFailure) {
        height += 1
        if height > limits.treeHeight { throw tooComplex() }
    }

    @inline(never)
    private mutating func tooComplex() -> ParseFailure {
        ParseFailure(
            .statementTooComplex, "statement too complex",
            detail: "The statement nests its parts too deep or chains too many operators.", at: position())
    }

    /// The address of something on the stack, which grows downwards.
    @inline(never)
    private static func stackPointer() -> UInt {
        var marker: UInt8 = 0
        return withUnsafeMutablePointer(to: &marker) { UInt(bitPattern: $0) }
    }
}
