// Reading JSON texts (RFC 8259) with PostgreSQL's verdicts and messages.

import Diagnostics

/// One pass over a text. Nested containers are kept on a stack of its own, so depth costs memory only.
struct JSONTextParser<Sink: JSONSink> {
    private let text: UnsafeBufferPointer<UInt8>
    private var at = 0
    private var tokenStart = 0
    private var sink: Sink
    /// Whether strings are decoded; then escapes must stand for characters.
    private let decodes: Bool
    private var scratch: [UInt8] = []
    private var isObject: [Bool] = []

    private enum Token: Equatable {
        case end, beginObject, endObject, beginArray, endArray, comma, colon, string, number, `true`, `false`, null
    }

    init(_ text: UnsafeBufferPointer<UInt8>, into sink: Sink, decodes: Bool) {
        self.text = text
        self.sink = sink
        self.decodes = decodes
    }

    /// Errors: 22P02 syntax; 22P05 for \u0000 and 22003 for numbers out of range where values are decoded.
    mutating func parse() throws -> Sink {
        var token = try next()
        while true {
            // A value begins with `token`.
            switch token {
            case .beginObject:
                sink.beginObject()
                token = try next()
                if token == .endObject {
                    sink.end()
                } else {
                    isObject.append(true)
                    guard token == .string else { throw expected("string or \"}\"", token) }
                    token = try memberValue()
                    continue
                }
            case .beginArray:
                sink.beginArray()
                token = try next()
                if token == .endArray {
                    sink.end()
                } else {
                    isObject.append(false)
                    continue
                }
            case .string: emitString(asKey: false)
            case .number: try sink.number(text: UnsafeBufferPointer(rebasing: text[tokenStart..<at]))
            case .true: sink.boolean(true)
            case .false: sink.boolean(false)
            case .null: sink.null()
            default: throw expected("JSON value", token)
            }
            // A value has ended: so may containers.
            var isNextValue = false
            while let inObject = isObject.last {
                token = try next()
                if inObject {
                    if token == .comma {
                        token = try next()
                        guard token == .string else { throw expected("string", token) }
                        token = try memberValue()
                        isNextValue = true
                        break
                    }
                    guard token == .endObject else { throw expected("\",\" or \"}\"", token) }
                } else {
                    if token == .comma {
                        token = try next()
                        isNextValue = true
                        break
                    }
                    guard token == .endArray else { throw expected("\",\" or \"]\"", token) }
                }
                isObject.removeLast()
                sink.end()
            }
            if isNextValue { continue }
            token = try next()
            guard token == .end else { throw expected("end of input", token) }
            return sink
        }
    }

    /// Behind the string that is a key: its colon and the first token of its value.
    private mutating func memberValue() throws -> Token {
        emitString(asKey: true)
        let token = try next()
        guard token == .colon else { throw expected("\":\"", token) }
        return try next()
    }

    private mutating func emitString(asKey: Bool) {
        if hasEscapes {
            scratch.withUnsafeBufferPointer { asKey ? sink.key($0) : sink.string($0) }
        } else {
            let inner = UnsafeBufferPointer(rebasing: text[(tokenStart + 1)..<(at - 1)])
            if asKey { sink.key(inner) } else { sink.string(inner) }
        }
    }
    /// Whether the last string had escapes; then `scratch` has its characters.
    private var hasEscapes = false

    // MARK: - Tokens

    private mutating func next() throws -> Token {
        while at < text.count, text[at] == 0x20 || text[at] &- 9 <= 1 || text[at] == 0x0D { at &+= 1 }
        tokenStart = at
        guard at < text.count else { return .end }
        let byte = text[at]
        switch byte {
        case 0x7B: at += 1; return .beginObject
        case 0x7D: at += 1; return .endObject
        case 0x5B: at += 1; return .beginArray
        case 0x5D: at += 1; return .endArray
        case 0x2C: at += 1; return .comma
        case 0x3A: at += 1; return .colon
        case 0x22:
            try string()
            return .string
        case 0x2D, 0x30...0x39:
            try number()
            return .number
        default:
            while at < text.count, JSONTextParser.isWord(text[at]) { at += 1 }
            if at == tokenStart { at += 1 }
            switch String(decoding: text[tokenStart..<at], as: UTF8.self) {
            case "true": return .true
            case "false": return .false
            case "null": return .null
            default: throw invalidToken()
            }
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        let lower = byte | 0x20
        return (lower >= 0x61 && lower <= 0x7A) || byte &- 0x30 <= 9 || byte == 0x5F || byte >= 0x80
    }

    private mutating func digits() -> Bool {
        let start = at
        while at < text.count, text[at] &- 0x30 <= 9 { at &+= 1 }
        return at > start
    }

    private mutating func number() throws {
        if text[at] == 0x2D { at += 1 }
        var isValid = true
        if at < text.count, text[at] == 0x30 { at += 1 } else { isValid = digits() }
        if isValid, at < text.count, text[at] == 0x2E {
            at += 1
            isValid = digits()
        }
        if isValid, at < text.count, text[at] | 0x20 == 0x65 {
            at += 1
            if at < text.count, text[at] == 0x2B || text[at] == 0x2D { at += 1 }
            isValid = digits()
        }
        while at < text.count, JSONTextParser.isWord(text[at]) {
            at += 1
            isValid = false
        }
        if !isValid { throw invalidToken() }
    }

    private mutating func string() throws {
        at += 1
        hasEscapes = false
        var from = at
        while at < text.count {
            let byte = text[at]
            if byte == 0x22 {
                if hasEscapes { scratch.append(contentsOf: text[from..<at]) }
                at += 1
                return
            }
            if byte < 0x20 {
                throw syntax("Character with value 0x\(hex2(byte)) must be escaped.")
            }
            if byte != 0x5C {
                at &+= 1
                continue
            }
            if decodes {
                if !hasEscapes { scratch.removeAll(keepingCapacity: true) }
                hasEscapes = true
                scratch.append(contentsOf: text[from..<at])
            }
            try escape()
            from = at
        }
        throw invalidToken()
    }

    private mutating func escape() throws {
        at += 1
        guard at < text.count else { throw invalidToken() }
        let byte = text[at]
        at += 1
        switch byte {
        case 0x22, 0x5C, 0x2F: if decodes { scratch.append(byte) }
        case 0x62: if decodes { scratch.append(8) }
        case 0x66: if decodes { scratch.append(12) }
        case 0x6E: if decodes { scratch.append(10) }
        case 0x72: if decodes { scratch.append(13) }
        case 0x74: if decodes { scratch.append(9) }
        case 0x75: try unicodeEscape()
        default:
            let shown = String(decoding: text[(at - 1)...].prefix(4), as: UTF8.self).prefix(1)
            throw syntax("Escape sequence \"\\\(shown)\" is invalid.")
        }
    }

    private mutating func unicodeEscape() throws {
        let first = try codeUnit()
        if !decodes { return }
        if first == 0 { throw JSONTextParser.zeroCharacter }
        if first & 0xFC00 == 0xDC00 { throw syntax("Unicode low surrogate must follow a high surrogate.") }
        guard first & 0xFC00 == 0xD800 else { return append(Unicode.Scalar(first)) }
        guard at + 1 < text.count, text[at] == 0x5C, text[at + 1] == 0x75 else {
            throw syntax("Unicode low surrogate must follow a high surrogate.")
        }
        at += 2
        let second = try codeUnit()
        guard second & 0xFC00 == 0xDC00 else {
            throw syntax(
                second & 0xFC00 == 0xD800
                    ? "Unicode high surrogate must not follow a high surrogate."
                    : "Unicode low surrogate must follow a high surrogate.")
        }
        append(Unicode.Scalar(0x10000 + (first & 0x3FF) << 10 + second & 0x3FF))
    }

    private mutating func append(_ scalar: Unicode.Scalar?) {
        guard let scalar else { return }
        scratch.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }

    private mutating func codeUnit() throws -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard at < text.count, let digit = JSONTextParser.hexDigit(text[at]) else {
                throw syntax("\"\\u\" must be followed by four hexadecimal digits.")
            }
            value = value << 4 | UInt32(digit)
            at += 1
        }
        return value
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    private func hex2(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

    // MARK: - Errors

    static var zeroCharacter: QueryError {
        QueryError(
            .untranslatableCharacter, "unsupported Unicode escape sequence",
            detail: "\\u0000 cannot be converted to text.")
    }

    private func syntax(_ detail: String) -> QueryError {
        QueryError(.invalidTextRepresentation, "invalid input syntax for type json", detail: detail)
    }
    private var tokenText: String { String(decoding: text[tokenStart..<at], as: UTF8.self) }
    private func invalidToken() -> QueryError { syntax("Token \"\(tokenText)\" is invalid.") }
    private func expected(_ what: String, _ token: Token) -> QueryError {
        if token == .end { return syntax("The input string ended unexpectedly.") }
        return syntax("Expected \(what), but found \"\(tokenText)\".")
    }
}

/// Takes a text's parts and keeps nothing.
private struct JSONVerdict: JSONSink {
    mutating func beginArray() {}
    mutating func beginObject() {}
    mutating func end() {}
    mutating func key(_ bytes: UnsafeBufferPointer<UInt8>) {}
    mutating func string(_ bytes: UnsafeBufferPointer<UInt8>) {}
    mutating func number(text: UnsafeBufferPointer<UInt8>) throws {}
    mutating func boolean(_ value: Bool) {}
    mutating func null() {}
}

package enum JSONText {
    /// Whether a text is a value of type json. Errors: 22P02.
    package static func validate(_ text: UnsafeBufferPointer<UInt8>) throws {
        var parser = JSONTextParser(text, into: JSONVerdict(), decodes: false)
        _ = try parser.parse()
    }

    /// The jsonb blob of a text. Errors: 22P02, 22P05, 22003, 54000.
    package static func blob(_ text: UnsafeBufferPointer<UInt8>) throws -> [UInt8] {
        var parser = JSONTextParser(text, into: JSONBuilder(), decodes: true)
        var builder = try parser.parse()
        return try builder.finish()
    }
    package static func blob(_ text: [UInt8]) throws -> [UInt8] { try text.withUnsafeBufferPointer { try blob($0) } }
}
