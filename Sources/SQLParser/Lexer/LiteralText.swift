// The values of string and identifier tokens: quotes removed, escapes resolved.

import Diagnostics

extension Lexer {
    /// The name a word token gives: folded to lower case in ASCII, other letters as they are.
    func foldedWord(_ token: Token) -> String {
        let length = token.end - token.start
        let bytes = base + token.start
        return String(unsafeUninitializedCapacity: length) { buffer in
            for index in 0..<length { buffer[index] = ByteClass.lowered(bytes[index]) }
            return length
        }
    }

    /// The name between double quotes.
    func quotedIdentifier(_ token: Token) -> String {
        undoubled(token.start + 1..<token.end - 1, quote: UInt8(ascii: "\""))
    }

    private func undoubled(_ range: Range<Int>, quote: UInt8) -> String {
        var found = false
        for index in range where base[index] == quote {
            found = true
            break
        }
        if !found { return text(range) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        var cursor = range.lowerBound
        while cursor < range.upperBound {
            bytes.append(base[cursor])
            cursor += base[cursor] == quote ? 2 : 1
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The content of `$tag$…$tag$`.
    func dollarString(_ token: Token) -> String {
        var tagEnd = token.start + 1
        while base[tagEnd] != UInt8(ascii: "$") { tagEnd += 1 }
        let length = tagEnd + 1 - token.start
        return text(token.start + length..<token.end - length)
    }

    /// The content of a plain string, its continued parts joined.
    func plainString(_ token: Token) -> String {
        let segments = stringSegments(token, firstQuote: token.start, escapes: false)
        if segments.count == 1 { return undoubled(segments[0], quote: UInt8(ascii: "'")) }
        var result = ""
        for segment in segments { result += undoubled(segment, quote: UInt8(ascii: "'")) }
        return result
    }

    /// The ranges between the quotes of a string token: one, and one more for each continued line.
    private func stringSegments(_ token: Token, firstQuote: Int, escapes: Bool) -> [Range<Int>] {
        var segments: [Range<Int>] = []
        var start = firstQuote + 1
        var cursor = start
        while cursor < token.end {
            let byte = base[cursor]
            if byte == UInt8(ascii: "'") {
                if cursor + 1 < token.end, base[cursor + 1] == UInt8(ascii: "'") {
                    cursor += 2
                    continue
                }
                segments.append(start..<cursor)
                guard cursor + 1 < token.end,
                    let next = Lexer.continuation(base, after: cursor + 1, token.end)
                else { break }
                start = next
                cursor = next
            } else {
                cursor += escapes && byte == UInt8(ascii: "\\") ? 2 : 1
            }
        }
        return segments
    }

    // MARK: - E'…'

    /// The content of `E'…'`. Throws 22025 for a bad Unicode escape and 22021 for bytes that are no UTF-8.
    mutating func escapeString(_ token: Token) throws(ParseFailure) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(token.end - token.start)
        // Bytes given by \x and \ooo may make up ill-formed text; nothing else can.
        var needsValidation = false
        for segment in stringSegments(token, firstQuote: token.start + 1, escapes: true) {
            var cursor = segment.lowerBound
            while cursor < segment.upperBound {
                let byte = base[cursor]
                if byte == UInt8(ascii: "'") {
                    bytes.append(byte)
                    cursor += 2
                } else if byte != UInt8(ascii: "\\") || cursor + 1 >= segment.upperBound {
                    bytes.append(byte)
                    cursor += 1
                } else {
                    cursor = try appendEscape(
                        at: cursor, limit: segment.upperBound, to: &bytes, needsValidation: &needsValidation)
                }
            }
        }
        guard needsValidation else { return String(decoding: bytes, as: UTF8.self) }
        guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
            throw error(
                .characterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\"", from: token.start)
        }
        return text
    }

    /// Appends what the escape at `start` (a backslash) means; returns the offset behind it.
    private mutating func appendEscape(
        at start: Int, limit: Int, to bytes: inout [UInt8], needsValidation: inout Bool
    ) throws(ParseFailure) -> Int {
        var cursor = start + 2
        let letter = base[start + 1]
        switch letter {
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "v"): bytes.append(0x0B)
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            var value = Int(letter - UInt8(ascii: "0"))
            while cursor < limit, cursor < start + 4, base[cursor] &- UInt8(ascii: "0") < 8 {
                value = value * 8 + Int(base[cursor] - UInt8(ascii: "0"))
                cursor += 1
            }
            bytes.append(UInt8(truncatingIfNeeded: value))
            needsValidation = true
        case UInt8(ascii: "x"):
            var value: UInt8 = 0
            var digits = 0
            while cursor < limit, digits < 2, ByteClass.hexValue(base[cursor]) != 255 {
                value = value << 4 | ByteClass.hexValue(base[cursor])
                cursor += 1
                digits += 1
            }
            bytes.append(digits == 0 ? letter : value)
            needsValidation = true
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            return try appendUnicode(at: start, limit: limit, to: &bytes)
        default:
            // A character beyond ASCII after the backslash goes on with its further bytes in the caller's loop.
            bytes.append(letter)
        }
        return cursor
    }

    private mutating func appendUnicode(at start: Int, limit: Int, to bytes: inout [UInt8]) throws(ParseFailure) -> Int
    {
        let digits = base[start + 1] == UInt8(ascii: "u") ? 4 : 8
        guard let value = hexNumber(at: start + 2, digits: digits, limit: limit) else {
            throw ParseFailure(
                .invalidEscapeSequence, "invalid Unicode escape",
                hint: "Unicode escapes must be \\uXXXX or \\UXXXXXXXX.", at: position(ofByte: start))
        }
        var end = start + 2 + digits
        var scalar = value
        if value & 0xFFFF_FC00 == 0xD800 {
            guard end + 1 < limit, base[end] == UInt8(ascii: "\\"), base[end + 1] | 0x20 == UInt8(ascii: "u") else {
                throw error(.syntaxError, "invalid Unicode surrogate pair", from: start)
            }
            let lowDigits = base[end + 1] == UInt8(ascii: "u") ? 4 : 8
            guard let low = hexNumber(at: end + 2, digits: lowDigits, limit: limit), low & 0xFFFF_FC00 == 0xDC00 else {
                throw error(.syntaxError, "invalid Unicode surrogate pair", from: start)
            }
            scalar = 0x10000 + (value & 0x3FF) << 10 + (low & 0x3FF)
            end += 2 + lowDigits
        }
        try append(scalar: scalar, to: &bytes, from: start)
        return end
    }

    private func hexNumber(at start: Int, digits: Int, limit: Int) -> UInt32? {
        guard start + digits <= limit else { return nil }
        var value: UInt32 = 0
        for index in start..<start + digits {
            let digit = ByteClass.hexValue(base[index])
            if digit == 255 { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    private mutating func append(scalar: UInt32, to bytes: inout [UInt8], from start: Int) throws(ParseFailure) {
        guard scalar != 0, let unicode = Unicode.Scalar(scalar) else {
            throw error(.syntaxError, "invalid Unicode escape value", from: start)
        }
        bytes.append(contentsOf: UTF8.encode(unicode) ?? UTF8.encodedReplacementCharacter)
    }

    // MARK: - U&'…' and U&"…"

    /// The content of `U&'…'` or `U&"…"` with the given escape character.
    mutating func unicodeText(_ token: Token, escape: UInt8) throws(ParseFailure) -> String {
        let quote = token.kind == .unicodeString ? UInt8(ascii: "'") : UInt8(ascii: "\"")
        let segments =
            token.kind == .unicodeString
            ? stringSegments(token, firstQuote: token.start + 2, escapes: false) : [token.start + 3..<token.end - 1]
        var bytes: [UInt8] = []
        for segment in segments {
            var cursor = segment.lowerBound
            var highSurrogate: UInt32?
            while cursor < segment.upperBound {
                let byte = base[cursor]
                guard byte == escape else {
                    if highSurrogate != nil {
                        throw error(.syntaxError, "invalid Unicode surrogate pair", from: cursor)
                    }
                    bytes.append(byte)
                    cursor += byte == quote ? 2 : 1
                    continue
                }
                if cursor + 1 < segment.upperBound, base[cursor + 1] == escape {
                    bytes.append(escape)
                    cursor += 2
                    continue
                }
                let isLong = cursor + 1 < segment.upperBound && base[cursor + 1] == UInt8(ascii: "+")
                let digitsStart = cursor + (isLong ? 2 : 1)
                let digits = isLong ? 6 : 4
                guard let value = hexNumber(at: digitsStart, digits: digits, limit: segment.upperBound) else {
                    throw ParseFailure(
                        .syntaxError, "invalid Unicode escape",
                        hint: "Unicode escapes must be \\XXXX or \\+XXXXXX.", at: position(ofByte: cursor))
                }
                if let high = highSurrogate {
                    guard value & 0xFFFF_FC00 == 0xDC00 else {
                        throw error(.syntaxError, "invalid Unicode surrogate pair", from: cursor)
                    }
                    let scalar = 0x10000 + (high & 0x3FF) << 10 + (value & 0x3FF)
                    try append(scalar: scalar, to: &bytes, from: cursor)
                    highSurrogate = nil
                } else if value & 0xFFFF_FC00 == 0xD800 {
                    highSurrogate = value
                } else {
                    try append(scalar: value, to: &bytes, from: cursor)
                }
                cursor = digitsStart + digits
            }
            if highSurrogate != nil {
                throw error(.syntaxError, "invalid Unicode surrogate pair", from: token.start)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
