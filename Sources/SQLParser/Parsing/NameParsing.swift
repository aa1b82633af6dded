// Names, string constants and other small pieces that every part of the grammar uses.

import Diagnostics

extension Parser {
    /// Whether the token in hand can name a column or table (PostgreSQL's ColId).
    var atColumnName: Bool {
        switch token.kind {
        case .word: return token.keyword.category == .unreserved || token.keyword.category == .columnName
        case .quotedIdentifier, .unicodeIdentifier: return true
        default: return false
        }
    }

    /// Whether the token in hand can name a function or type.
    var atTypeOrFunctionName: Bool {
        switch token.kind {
        case .word: return token.keyword.category == .unreserved || token.keyword.category == .typeOrFunction
        case .quotedIdentifier, .unicodeIdentifier: return true
        default: return false
        }
    }

    /// Whether the token in hand is a name of any kind, keywords of every category included (ColLabel).
    var atLabel: Bool {
        token.kind == .word || token.kind == .quotedIdentifier || token.kind == .unicodeIdentifier
    }

    /// Consumes the token in hand, which must be a word or quoted identifier, and gives its name.
    @inline(never)
    mutating func takeName() throws(ParseFailure) -> String {
        let name = token
        switch name.kind {
        case .word:
            try advance()
            return lexer.foldedWord(name)
        case .quotedIdentifier:
            try advance()
            return lexer.quotedIdentifier(name)
        case .unicodeIdentifier:
            try advance()
            return try lexer.unicodeText(name, escape: try acceptUnicodeEscape())
        default: throw syntaxError()
        }
    }

    private mutating func takeIdentifier() throws(ParseFailure) -> Identifier {
        let position = position()
        return Identifier(try takeName(), at: position)
    }

    /// A name of a column, table, cursor, ….
    @inline(never)
    mutating func parseIdentifier() throws(ParseFailure) -> Identifier {
        guard atColumnName else { throw syntaxError() }
        return try takeIdentifier()
    }

    /// A name where even reserved words may stand: after AS or a dot.
    @inline(never)
    mutating func parseLabel() throws(ParseFailure) -> Identifier {
        guard atLabel else { throw syntaxError() }
        return try takeIdentifier()
    }

    /// `a.b.c`: a name of at most `limit` parts.
    mutating func parseObjectName(limit: Int = 3) throws(ParseFailure) -> ObjectName {
        guard atColumnName else { throw syntaxError() }
        return try parseQualified(limit: limit)
    }

    /// The name of a function, type or collation.
    mutating func parseAnyName(limit: Int = 3) throws(ParseFailure) -> ObjectName {
        guard atColumnName || atTypeOrFunctionName else { throw syntaxError() }
        return try parseQualified(limit: limit)
    }

    @inline(never)
    private mutating func parseQualified(limit: Int) throws(ParseFailure) -> ObjectName {
        let first = token
        let position = position()
        var parts = [try takeName()]
        while atKind(.dot) {
            try advance()
            parts.append(try parseLabel().text)
        }
        if parts.count > limit {
            var written = parts[0]
            for part in parts.dropFirst() { written += "." + part }
            throw ParseFailure(
                .syntaxError, "improper qualified name (too many dotted names): \(written)",
                at: self.position(of: first))
        }
        return ObjectName(parts, at: position)
    }

    /// `a, b, c`.
    mutating func parseIdentifierList() throws(ParseFailure) -> [Identifier] {
        var names = [try parseIdentifier()]
        while try acceptKind(.comma) { names.append(try parseIdentifier()) }
        return names
    }

    /// `(a, b, c)` if a parenthesis is there, else nothing.
    @inline(never)
    mutating func parseOptionalColumnList() throws(ParseFailure) -> [Identifier] {
        guard atKind(.leftParenthesis) else { return [] }
        return try parseColumnList()
    }

    @inline(never)
    mutating func parseColumnList() throws(ParseFailure) -> [Identifier] {
        try expectKind(.leftParenthesis)
        let names = try parseIdentifierList()
        try expectKind(.rightParenthesis)
        return names
    }

    mutating func parseObjectNameList() throws(ParseFailure) -> [ObjectName] {
        var names = [try parseObjectName()]
        while try acceptKind(.comma) { names.append(try parseObjectName()) }
        return names
    }

    // MARK: - Constants

    static func isString(_ kind: TokenKind) -> Bool {
        switch kind {
        case .string, .escapeString, .unicodeString, .dollarString: return true
        default: return false
        }
    }

    /// A string constant of any spelling.
    @inline(never)
    mutating func parseString() throws(ParseFailure) -> String {
        let string = token
        guard Parser.isString(string.kind) else { throw syntaxError() }
        try advance()
        switch string.kind {
        case .string: return lexer.plainString(string)
        case .escapeString: return try lexer.escapeString(string)
        case .dollarString: return lexer.dollarString(string)
        default: return try lexer.unicodeText(string, escape: try acceptUnicodeEscape())
        }
    }

    /// `UESCAPE 'c'` after a U& token; the escape character is otherwise a backslash.
    private mutating func acceptUnicodeEscape() throws(ParseFailure) -> UInt8 {
        guard try accept(.uescape) else { return UInt8(ascii: "\\") }
        let string = token
        guard string.kind == .string else { throw syntaxError() }
        let text = lexer.plainString(string)
        let bytes = Array(text.utf8)
        guard bytes.count == 1, bytes[0] < 0x80, ByteClass.hexValue(bytes[0]) == 255, bytes[0] != UInt8(ascii: "+"),
            bytes[0] != UInt8(ascii: "'"), bytes[0] != UInt8(ascii: "\""), !ByteClass.isSpace(bytes[0])
        else {
            throw ParseFailure(.syntaxError, "invalid Unicode escape character", at: position(of: string))
        }
        try advance()
        return bytes[0]
    }

    /// A whole number without sign that fits Int64.
    @inline(never)
    mutating func parseInteger() throws(ParseFailure) -> Int64 {
        guard atKind(.integer), let value = Int64(lexer.text(token.start..<token.end)) else { throw syntaxError() }
        try advance()
        return value
    }

    /// A whole number with an optional sign.
    mutating func parseSignedInteger() throws(ParseFailure) -> Int64 {
        if try acceptKind(.minus) {
            // The smallest number has no counterpart without its sign.
            if atKind(.decimal) || atKind(.integer), let smallest = Int64("-" + lexer.text(token.start..<token.end)) {
                try advance()
                return smallest
            }
            return -(try parseInteger())
        }
        _ = try acceptKind(.plus)
        return try parseInteger()
    }

    var atNumber: Bool { atKind(.integer) || atKind(.decimal) }

    /// The text of a number with an optional sign, or nil if no number is there.
    @inline(never)
    mutating func parseOptionalNumber() throws(ParseFailure) -> String? {
        var sign = ""
        if atKind(.minus) || atKind(.plus) {
            let next = try peek().kind
            guard next == .integer || next == .decimal else { return nil }
            sign = atKind(.minus) ? "-" : ""
            try advance()
        }
        guard atNumber else { return nil }
        let text = lexer.text(token.start..<token.end)
        try advance()
        return sign + text
    }
}
