// Words and symbols of jsonpath texts.

import Diagnostics

struct JSONPathToken: Equatable {
    enum Kind: Equatable {
        case end
        case symbol(String)
        /// An unquoted word, a keyword perhaps.
        case word([UInt8])
        case string([UInt8])
        case variable([UInt8])
        case number(JSONNumber, isInteger: Bool)
    }
    var kind: Kind
    /// Where the token begins and ends in the text.
    var range: Range<Int>
}

struct JSONPathLexer {
    private let text: [UInt8]
    private var at = 0

    init(_ text: [UInt8]) { self.text = text }

    private static let special = Set("?%$.[]{}()|&!=<>@#,*:-+/".utf8)
    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 9 && byte <= 13) }
    private static func isOther(_ byte: UInt8) -> Bool {
        !special.contains(byte) && !isBlank(byte) && byte != 0x22 && byte != 0x5C
    }
    private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 <= 9 }

    private func peek(_ offset: Int = 0) -> UInt8? { at + offset < text.count ? text[at + offset] : nil }

    mutating func next() throws -> JSONPathToken {
        try skipBlanks()
        let start = at
        guard let byte = peek() else { return JSONPathToken(kind: .end, range: at..<at) }
        let kind: JSONPathToken.Kind
        if JSONPathLexer.isDigit(byte) || (byte == 0x2E && peek(1).map(JSONPathLexer.isDigit) == true) {
            kind = try number()
        } else if byte == 0x22 {
            at += 1
            kind = .string(try quoted(start))
        } else if byte == 0x24 {
            at += 1
            if peek() == 0x22 {
                at += 1
                kind = .variable(try quoted(start))
            } else if let next = peek(), JSONPathLexer.isOther(next) || next == 0x5C {
                kind = .variable(try word(start))
            } else {
                kind = .symbol("$")
            }
        } else if JSONPathLexer.special.contains(byte) {
            kind = .symbol(symbol())
        } else {
            kind = .word(try word(start))
        }
        return JSONPathToken(kind: kind, range: start..<at)
    }

    private mutating func skipBlanks() throws {
        while let byte = peek() {
            if JSONPathLexer.isBlank(byte) {
                at += 1
            } else if byte == 0x2F, peek(1) == 0x2A {
                let start = at
                at += 2
                while !(peek() == 0x2A && peek(1) == 0x2F) {
                    if peek() == nil { throw error("unexpected end of comment", start) }
                    at += 1
                }
                at += 2
            } else {
                return
            }
        }
    }

    private mutating func symbol() -> String {
        let pair = String(decoding: text[at..<min(at + 2, text.count)], as: UTF8.self)
        if ["&&", "||", "**", "<=", ">=", "==", "!=", "<>"].contains(pair) {
            at += 2
            return pair == "<>" ? "!=" : pair
        }
        at += 1
        return String(pair.prefix(1))
    }

    private mutating func number() throws -> JSONPathToken.Kind {
        let start = at
        var isInteger = true
        if peek() == 0x30 {
            at += 1
        } else {
            while let byte = peek(), JSONPathLexer.isDigit(byte) { at += 1 }
        }
        if peek() == 0x2E {
            isInteger = false
            at += 1
            while let byte = peek(), JSONPathLexer.isDigit(byte) { at += 1 }
        }
        if let byte = peek(), byte | 0x20 == 0x65 {
            let hasSign = peek(1) == 0x2B || peek(1) == 0x2D
            let digit = peek(hasSign ? 2 : 1)
            if let digit, JSONPathLexer.isDigit(digit) {
                isInteger = false
                at += hasSign ? 2 : 1
                while let byte = peek(), JSONPathLexer.isDigit(byte) { at += 1 }
            } else if hasSign {
                at += 2
                throw error("invalid numeric literal", start)
            }
        }
        if let byte = peek(), JSONPathLexer.isOther(byte) {
            at += 1
            throw error("trailing junk after numeric literal", start)
        }
        let number = try text[start..<at].withUnsafeBufferPointer { try JSONNumber(text: $0) }
        return .number(number, isInteger: isInteger)
    }

    private mutating func word(_ start: Int) throws -> [UInt8] {
        var result: [UInt8] = []
        while let byte = peek() {
            if byte == 0x5C {
                try escape(start, into: &result)
            } else if JSONPathLexer.isOther(byte) {
                result.append(byte)
                at += 1
            } else {
                break
            }
        }
        return result
    }

    private mutating func quoted(_ start: Int) throws -> [UInt8] {
        var result: [UInt8] = []
        while let byte = peek() {
            if byte == 0x22 {
                at += 1
                return result
            }
            if byte == 0x5C {
                try escape(start, into: &result)
            } else {
                result.append(byte)
                at += 1
            }
        }
        throw error("unterminated quoted string", start)
    }

    private mutating func escape(_ start: Int, into result: inout [UInt8]) throws {
        at += 1
        guard let byte = peek() else { throw error("unexpected end after backslash", start) }
        at += 1
        switch byte {
        case 0x62: result.append(8)
        case 0x66: result.append(12)
        case 0x6E: result.append(10)
        case 0x72: result.append(13)
        case 0x74: result.append(9)
        case 0x76: result.append(11)
        case 0x78:
            guard let high = hexDigit(), let low = hexDigit() else {
                throw error("invalid hexadecimal character sequence", start)
            }
            try append(high << 4 | low, into: &result)
        case 0x75:
            let first = try unicode(start)
            guard first & 0xFC00 == 0xD800 else {
                if first & 0xFC00 == 0xDC00 { throw JSONPathLexer.surrogate }
                return try append(first, into: &result)
            }
            guard peek() == 0x5C, peek(1) == 0x75 else { throw JSONPathLexer.surrogate }
            at += 2
            let second = try unicode(start)
            guard second & 0xFC00 == 0xDC00 else { throw JSONPathLexer.surrogate }
            try append(0x10000 + (first & 0x3FF) << 10 + second & 0x3FF, into: &result)
        default: result.append(byte)
        }
    }

    private mutating func hexDigit() -> UInt32? {
        guard let byte = peek() else { return nil }
        let value: UInt8
        switch byte {
        case 0x30...0x39: value = byte - 0x30
        case 0x41...0x46: value = byte - 0x37
        case 0x61...0x66: value = byte - 0x57
        default: return nil
        }
        at += 1
        return UInt32(value)
    }

    private mutating func unicode(_ start: Int) throws -> UInt32 {
        var value: UInt32 = 0
        if peek() == 0x7B {
            at += 1
            var count = 0
            while peek() != 0x7D {
                guard count < 6, let digit = hexDigit() else { throw error("invalid Unicode escape sequence", start) }
                value = value << 4 | digit
                count += 1
            }
            at += 1
            if count == 0 { throw error("invalid Unicode escape sequence", start) }
            return value
        }
        for _ in 0..<4 {
            guard let digit = hexDigit() else { throw error("invalid Unicode escape sequence", start) }
            value = value << 4 | digit
        }
        return value
    }

    private func append(_ code: UInt32, into result: inout [UInt8]) throws {
        if code == 0 {
            throw QueryError(
                .untranslatableCharacter, "unsupported Unicode escape sequence",
                detail: "\\u0000 cannot be converted to text.")
        }
        guard let scalar = Unicode.Scalar(code) else { throw JSONPathLexer.surrogate }
        result.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }

    private static var surrogate: QueryError {
        QueryError(
            .invalidTextRepresentation, "invalid input syntax for type jsonpath",
            detail: "Unicode low surrogate must follow a high surrogate.")
    }

    private func error(_ message: String, _ start: Int) -> QueryError {
        let near = String(decoding: text[start..<at], as: UTF8.self)
        return QueryError(.syntaxError, "\(message) at or near \"\(near)\" of jsonpath input")
    }
}
