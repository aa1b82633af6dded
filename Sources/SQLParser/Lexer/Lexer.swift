// The lexer: splits UTF-8 text into tokens, one at a time, without copying. Rules are those of PostgreSQL 15
// (manual, section 4.1) with standard_conforming_strings on.

import Diagnostics

/// Reads tokens from bytes that outlive it.
struct Lexer {
    let base: UnsafePointer<UInt8>
    let count: Int
    private let keywords = KeywordTable.shared
    private var cursor = 0
    /// True when every byte is one scalar.
    private let isASCII: Bool
    /// A byte offset and its scalar offset, from which others are counted.
    private var knownByte = 0
    private var knownScalar = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>, emptyBase: UnsafePointer<UInt8>) {
        base = bytes.baseAddress ?? emptyBase
        count = bytes.count
        var union: UInt8 = 0
        for index in 0..<count { union |= base[index] }
        isASCII = union < 0x80
    }

    /// The position of a byte offset, in scalars. Fast when offsets are asked for in nearly rising order.
    mutating func position(ofByte offset: Int) -> SourcePosition {
        if isASCII { return SourcePosition(offset: offset) }
        while knownByte < offset {
            knownScalar += base[knownByte] & 0xC0 == 0x80 ? 0 : 1
            knownByte += 1
        }
        while knownByte > offset {
            knownByte -= 1
            knownScalar -= base[knownByte] & 0xC0 == 0x80 ? 0 : 1
        }
        return SourcePosition(offset: knownScalar)
    }

    func text(_ range: Range<Int>) -> String {
        String(decoding: UnsafeBufferPointer(start: base + range.lowerBound, count: range.count), as: UTF8.self)
    }

    mutating func error(_ state: SQLState, _ message: String, from start: Int) -> ParseFailure {
        ParseFailure(state, message, at: position(ofByte: start))
    }

    /// The error for a token that cannot be completed or must not touch what follows.
    mutating func malformed(_ what: String, from start: Int, to end: Int) -> ParseFailure {
        // A very long tail would only bury the message.
        let shown = min(end, start + 200)
        return error(.syntaxError, "\(what) at or near \"\(text(start..<shown))\"", from: start)
    }

    // MARK: - Tokens

    mutating func next() throws(ParseFailure) -> Token {
        try skipSpace()
        let start = cursor
        guard start < count else { return token(.endOfInput, start) }
        let byte = base[start]
        if ByteClass.startsWord(byte) { return try word(from: start) }
        if ByteClass.isDigit(byte) { return try number(from: start) }
        cursor = start + 1
        switch byte {
        case UInt8(ascii: ","): return token(.comma, start)
        case UInt8(ascii: "("): return token(.leftParenthesis, start)
        case UInt8(ascii: ")"): return token(.rightParenthesis, start)
        case UInt8(ascii: "["): return token(.leftBracket, start)
        case UInt8(ascii: "]"): return token(.rightBracket, start)
        case UInt8(ascii: ";"): return token(.semicolon, start)
        case UInt8(ascii: "'"):
            try skipString(from: start, escapes: false)
            return token(.string, start)
        case UInt8(ascii: "\""):
            try skipQuotedIdentifier(from: start)
            return token(.quotedIdentifier, start)
        case UInt8(ascii: "."):
            if cursor < count, ByteClass.isDigit(base[cursor]) {
                cursor = start
                return try number(from: start)
            }
            if accept(UInt8(ascii: ".")) { return token(.dotDot, start) }
            return token(.dot, start)
        case UInt8(ascii: ":"):
            if accept(UInt8(ascii: ":")) { return token(.doubleColon, start) }
            if accept(UInt8(ascii: "=")) { return token(.colonEquals, start) }
            return token(.colon, start)
        case UInt8(ascii: "$"): return try dollar(from: start)
        default:
            if ByteClass.isOperator(byte) { return symbol(from: start) }
            throw malformed("syntax error", from: start, to: start + 1)
        }
    }

    @inline(__always)
    private func token(_ kind: TokenKind, _ start: Int) -> Token {
        Token(kind: kind, keyword: .noKeyword, start: start, end: cursor)
    }

    @inline(__always)
    private mutating func accept(_ byte: UInt8) -> Bool {
        guard cursor < count, base[cursor] == byte else { return false }
        cursor += 1
        return true
    }

    /// Skips white space and comments.
    private mutating func skipSpace() throws(ParseFailure) {
        while cursor < count {
            let byte = base[cursor]
            if ByteClass.isSpace(byte) {
                cursor += 1
            } else if byte == UInt8(ascii: "-"), cursor + 1 < count, base[cursor + 1] == UInt8(ascii: "-") {
                skipLine()
            } else if byte == UInt8(ascii: "/"), cursor + 1 < count, base[cursor + 1] == UInt8(ascii: "*") {
                try skipBlockComment()
            } else {
                return
            }
        }
    }

    private mutating func skipLine() {
        while cursor < count, base[cursor] != 0x0A, base[cursor] != 0x0D { cursor += 1 }
    }

    private mutating func skipBlockComment() throws(ParseFailure) {
        let start = cursor
        var depth = 0
        while cursor + 1 < count {
            if base[cursor] == UInt8(ascii: "/"), base[cursor + 1] == UInt8(ascii: "*") {
                depth += 1
                cursor += 2
            } else if base[cursor] == UInt8(ascii: "*"), base[cursor + 1] == UInt8(ascii: "/") {
                depth -= 1
                cursor += 2
                if depth == 0 { return }
            } else {
                cursor += 1
            }
        }
        throw malformed("unterminated /* comment", from: start, to: count)
    }

    // MARK: - Words

    private mutating func word(from start: Int) throws(ParseFailure) -> Token {
        let first = base[start] | 0x20
        if start + 1 < count {
            let second = base[start + 1]
            if second == UInt8(ascii: "'") {
                switch first {
                case UInt8(ascii: "e"):
                    cursor = start + 2
                    try skipString(from: start, escapes: true)
                    return token(.escapeString, start)
                case UInt8(ascii: "b"), UInt8(ascii: "x"):
                    cursor = start + 2
                    try skipString(from: start, escapes: false)
                    return token(.bitString, start)
                case UInt8(ascii: "n"):
                    cursor = start + 2
                    try skipString(from: start, escapes: false)
                    return Token(kind: .string, keyword: .noKeyword, start: start + 1, end: cursor)
                default: break
                }
            } else if second == UInt8(ascii: "&"), first == UInt8(ascii: "u"), start + 2 < count {
                if base[start + 2] == UInt8(ascii: "'") {
                    cursor = start + 3
                    try skipString(from: start, escapes: false)
                    return token(.unicodeString, start)
                }
                if base[start + 2] == UInt8(ascii: "\"") {
                    cursor = start + 3
                    try skipQuotedIdentifier(from: start)
                    return token(.unicodeIdentifier, start)
                }
            }
        }
        var hash = KeywordTable.emptyHash
        var end = start
        while end < count, ByteClass.continuesWord(base[end]) {
            hash = KeywordTable.extend(hash, with: ByteClass.lowered(base[end]))
            end += 1
        }
        cursor = end
        let keyword = keywords.keyword(base + start, length: end - start, hash: hash)
        return Token(kind: .word, keyword: keyword, start: start, end: end)
    }

    private mutating func skipQuotedIdentifier(from start: Int) throws(ParseFailure) {
        let contentStart = cursor
        while cursor < count {
            if base[cursor] == UInt8(ascii: "\"") {
                cursor += 1
                if !accept(UInt8(ascii: "\"")) {
                    if cursor - 1 == contentStart {
                        throw malformed("zero-length delimited identifier", from: start, to: cursor)
                    }
                    return
                }
            } else {
                cursor += 1
            }
        }
        throw malformed("unterminated quoted identifier", from: start, to: count)
    }

    // MARK: - Numbers

    private mutating func number(from start: Int) throws(ParseFailure) -> Token {
        cursor = start
        var kind = TokenKind.integer
        skipDigits()
        // `1..2` is a whole number and a range symbol.
        if cursor < count, base[cursor] == UInt8(ascii: "."),
            !(cursor > start && cursor + 1 < count && base[cursor + 1] == UInt8(ascii: "."))
        {
            kind = .decimal
            cursor += 1
            skipDigits()
        }
        if cursor < count, base[cursor] | 0x20 == UInt8(ascii: "e") {
            var ahead = cursor + 1
            if ahead < count, base[ahead] == UInt8(ascii: "+") || base[ahead] == UInt8(ascii: "-") { ahead += 1 }
            if ahead < count, ByteClass.isDigit(base[ahead]) {
                kind = .decimal
                cursor = ahead
                skipDigits()
            }
        }
        if cursor < count, ByteClass.startsWord(base[cursor]) {
            throw junk("trailing junk after numeric literal", from: start)
        }
        return token(kind, start)
    }

    private mutating func skipDigits() {
        while cursor < count, ByteClass.isDigit(base[cursor]) { cursor += 1 }
    }

    private mutating func junk(_ what: String, from start: Int) -> ParseFailure {
        var end = cursor
        while end < count, ByteClass.continuesWord(base[end]) { end += 1 }
        return malformed(what, from: start, to: end)
    }

    // MARK: - Strings

    /// Skips the rest of a string whose opening quote has been read, with the parts that continue it on later lines.
    private mutating func skipString(from start: Int, escapes: Bool) throws(ParseFailure) {
        while true {
            guard cursor < count else { throw malformed("unterminated quoted string", from: start, to: count) }
            let byte = base[cursor]
            cursor += 1
            if byte == UInt8(ascii: "'") {
                if accept(UInt8(ascii: "'")) { continue }
                guard let continuation = Lexer.continuation(base, after: cursor, count) else { return }
                cursor = continuation
            } else if byte == UInt8(ascii: "\\"), escapes, cursor < count {
                cursor += 1
            }
        }
    }

    /// Where the text of a continued string goes on: behind the next quote, if only space with a line break and line
    /// comments stand between.
    static func continuation(_ base: UnsafePointer<UInt8>, after end: Int, _ count: Int) -> Int? {
        var cursor = end
        var sawLineBreak = false
        while cursor < count {
            let byte = base[cursor]
            if byte == 0x0A || byte == 0x0D {
                sawLineBreak = true
                cursor += 1
            } else if ByteClass.isSpace(byte) {
                cursor += 1
            } else if byte == UInt8(ascii: "-"), cursor + 1 < count, base[cursor + 1] == UInt8(ascii: "-") {
                while cursor < count, base[cursor] != 0x0A, base[cursor] != 0x0D { cursor += 1 }
            } else {
                return byte == UInt8(ascii: "'") && sawLineBreak ? cursor + 1 : nil
            }
        }
        return nil
    }

    /// `$1`, `$$…$$` and `$tag$…$tag$`.
    private mutating func dollar(from start: Int) throws(ParseFailure) -> Token {
        if cursor < count, ByteClass.isDigit(base[cursor]) {
            skipDigits()
            if cursor < count, ByteClass.startsWord(base[cursor]) {
                throw junk("trailing junk after parameter", from: start)
            }
            return token(.parameter, start)
        }
        var tagEnd = cursor
        if tagEnd < count, ByteClass.startsWord(base[tagEnd]) {
            while tagEnd < count, ByteClass.startsWord(base[tagEnd]) || ByteClass.isDigit(base[tagEnd]) {
                tagEnd += 1
            }
        }
        guard tagEnd < count, base[tagEnd] == UInt8(ascii: "$") else {
            throw malformed("syntax error", from: start, to: start + 1)
        }
        let delimiterLength = tagEnd + 1 - start
        cursor = tagEnd + 1
        while cursor + delimiterLength <= count {
            if base[cursor] == UInt8(ascii: "$"), sameBytes(cursor, start, delimiterLength) {
                cursor += delimiterLength
                return token(.dollarString, start)
            }
            cursor += 1
        }
        throw malformed("unterminated dollar-quoted string", from: start, to: count)
    }

    private func sameBytes(_ a: Int, _ b: Int, _ length: Int) -> Bool {
        for index in 0..<length where base[a + index] != base[b + index] { return false }
        return true
    }

    // MARK: - Operators

    private mutating func symbol(from start: Int) -> Token {
        var end = start
        var isSpecial = false
        while end < count, ByteClass.isOperator(base[end]) {
            if end > start, end + 1 < count {
                // A comment ends an operator.
                if base[end] == UInt8(ascii: "-"), base[end + 1] == UInt8(ascii: "-") { break }
                if base[end] == UInt8(ascii: "/"), base[end + 1] == UInt8(ascii: "*") { break }
            }
            switch base[end] {
            case UInt8(ascii: "~"), UInt8(ascii: "!"), UInt8(ascii: "@"), UInt8(ascii: "#"), UInt8(ascii: "^"),
                UInt8(ascii: "&"), UInt8(ascii: "|"), UInt8(ascii: "`"), UInt8(ascii: "?"), UInt8(ascii: "%"):
                isSpecial = true
            default: break
            }
            end += 1
        }
        // An operator of several characters ends in + or - only if it holds one of the special characters.
        if !isSpecial {
            while end - start > 1, base[end - 1] == UInt8(ascii: "+") || base[end - 1] == UInt8(ascii: "-") {
                end -= 1
            }
        }
        cursor = end
        if end - start == 1 { return token(Lexer.singleSymbol(base[start]), start) }
        if end - start == 2 {
            switch (base[start], base[start + 1]) {
            case (UInt8(ascii: "<"), UInt8(ascii: "=")): return token(.lessEquals, start)
            case (UInt8(ascii: ">"), UInt8(ascii: "=")): return token(.greaterEquals, start)
            case (UInt8(ascii: "<"), UInt8(ascii: ">")), (UInt8(ascii: "!"), UInt8(ascii: "=")):
                return token(.notEquals, start)
            case (UInt8(ascii: "="), UInt8(ascii: ">")): return token(.arrow, start)
            case (UInt8(ascii: "="), UInt8(ascii: "=")): return token(.equals, start)
            default: break
            }
        }
        return token(.symbol, start)
    }

    private static func singleSymbol(_ byte: UInt8) -> TokenKind {
        switch byte {
        case UInt8(ascii: "+"): return .plus
        case UInt8(ascii: "-"): return .minus
        case UInt8(ascii: "*"): return .star
        case UInt8(ascii: "/"): return .slash
        case UInt8(ascii: "%"): return .percent
        case UInt8(ascii: "^"): return .caret
        case UInt8(ascii: "<"): return .less
        case UInt8(ascii: ">"): return .greater
        case UInt8(ascii: "="): return .equals
        default: return .symbol
        }
    }
}
