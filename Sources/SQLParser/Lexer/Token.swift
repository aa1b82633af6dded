// Tokens: what the lexer makes of the text.

/// A token's kind, its keyword if it is one, and the bytes it stands on.
struct Token {
    var kind: TokenKind
    var keyword: Keyword
    /// Byte offsets into the text.
    var start: Int
    var end: Int
}

enum TokenKind: UInt8 {
    case endOfInput
    /// An unquoted name; also every keyword.
    case word
    case quotedIdentifier
    /// `U&"…"`.
    case unicodeIdentifier
    case integer
    /// A number with a point or an exponent.
    case decimal
    case string
    /// `E'…'`.
    case escapeString
    /// `U&'…'`.
    case unicodeString
    case dollarString
    /// `B'…'` and `X'…'`.
    case bitString
    case parameter
    /// Any operator that has no kind of its own below.
    case symbol

    case comma, leftParenthesis, rightParenthesis, leftBracket, rightBracket, dot, semicolon, colon
    case doubleColon, dotDot, colonEquals, arrow
    case plus, minus, star, slash, percent, caret
    case less, greater, equals, lessEquals, greaterEquals, notEquals
}

/// Classes of bytes.
enum ByteClass {
    @inline(__always)
    static func lowered(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    /// Letters, underscore and every byte of a character beyond ASCII.
    @inline(__always)
    static func startsWord(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "_") || byte >= 0x80
    }

    @inline(__always)
    static func continuesWord(_ byte: UInt8) -> Bool {
        startsWord(byte) || isDigit(byte) || byte == UInt8(ascii: "$")
    }

    @inline(__always)
    static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (byte &- 9 < 5)
    }

    static func isOperator(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "~"), UInt8(ascii: "!"), UInt8(ascii: "@"), UInt8(ascii: "#"), UInt8(ascii: "^"),
            UInt8(ascii: "&"), UInt8(ascii: "|"), UInt8(ascii: "`"), UInt8(ascii: "?"), UInt8(ascii: "+"),
            UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "/"), UInt8(ascii: "%"), UInt8(ascii: "<"),
            UInt8(ascii: ">"), UInt8(ascii: "="):
            return true
        default: return false
        }
    }

    /// The value of a hexadecimal digit, or 255.
    @inline(__always)
    static func hexValue(_ byte: UInt8) -> UInt8 {
        if isDigit(byte) { return byte &- UInt8(ascii: "0") }
        let letter = (byte | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? letter + 10 : 255
    }
}
