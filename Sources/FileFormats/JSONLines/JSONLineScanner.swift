// The members of one object, as positions in its line.

import Columnar
import Diagnostics

/// A value within a line.
struct JSONLineValue {
    enum Kind {
        case null, boolean, integer, number, string, array, object
    }
    var kind: Kind
    /// The text of the value; of a string without its quotes.
    var start: UnsafePointer<UInt8>
    var count: Int
    /// A string has backslashes.
    var hasEscapes = false

    /// The value with quotes, as JSON has it.
    var source: UnsafeBufferPointer<UInt8> {
        kind == .string
            ? UnsafeBufferPointer(start: start - 1, count: count + 2) : UnsafeBufferPointer(start: start, count: count)
    }

    /// The bytes of a string, escapes resolved.
    func text() throws -> [UInt8] { try JSONTextValue(source).decoded() }
}

/// What is wrong with a line, and where.
struct JSONLineError: Error {
    var message: String
    var at: UnsafePointer<UInt8>
}

/// Walks over the members of the object that a line holds. May read eight bytes past the line, which must be there. Values are
/// delimited, not checked beyond what that takes; whoever reads one checks it.
struct JSONLineScanner {
    private var at: UnsafePointer<UInt8>
    private let end: UnsafePointer<UInt8>
    private var isFirst = true

    init(_ bytes: UnsafePointer<UInt8>, count: Int) throws(JSONLineError) {
        at = bytes
        end = bytes + count
        skipBlanks()
        guard at < end, at.pointee == UInt8(ascii: "{") else {
            throw JSONLineError(message: "a JSON object was expected", at: at)
        }
        at += 1
    }

    /// Whether a line has nothing but blanks.
    static func isBlank(_ bytes: UnsafePointer<UInt8>, count: Int) -> Bool {
        for index in 0..<count where !isBlank(bytes[index]) { return false }
        return true
    }

    @inline(__always)
    private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 13 }

    @inline(__always)
    private mutating func skipBlanks() {
        while at < end, JSONLineScanner.isBlank(at.pointee) { at += 1 }
    }

    /// The next member, or `nil` at the end of the object.
    @inline(__always)
    mutating func next() throws(JSONLineError) -> (key: JSONLineValue, value: JSONLineValue)? {
        skipBlanks()
        if isFirst {
            isFirst = false
            if at < end, at.pointee == UInt8(ascii: "}") { return try finish() }
        } else {
            guard at < end else { throw unexpectedEnd() }
            if at.pointee == UInt8(ascii: "}") { return try finish() }
            try expect(UInt8(ascii: ","))
            skipBlanks()
        }
        guard at < end, at.pointee == UInt8(ascii: "\"") else {
            throw JSONLineError(message: "a name in quotes was expected", at: at)
        }
        let key = try string()
        skipBlanks()
        try expect(UInt8(ascii: ":"))
        skipBlanks()
        return (key, try value())
    }

    private mutating func finish() throws(JSONLineError) -> (key: JSONLineValue, value: JSONLineValue)? {
        at += 1
        skipBlanks()
        guard at == end else { throw JSONLineError(message: "there is more behind the object", at: at) }
        return nil
    }

    @inline(__always)
    private mutating func expect(_ byte: UInt8) throws(JSONLineError) {
        guard at < end else { throw unexpectedEnd() }
        guard at.pointee == byte else {
            throw JSONLineError(message: "\"\(Character(Unicode.Scalar(byte)))\" was expected", at: at)
        }
        at += 1
    }

    private func unexpectedEnd() -> JSONLineError { JSONLineError(message: "the line ends within a value", at: end) }

    @inline(__always)
    private mutating func value() throws(JSONLineError) -> JSONLineValue {
        guard at < end else { throw unexpectedEnd() }
        switch at.pointee {
        case UInt8(ascii: "\""): return try string()
        case UInt8(ascii: "{"): return try container(.object)
        case UInt8(ascii: "["): return try container(.array)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "t"): return try word("true", .boolean)
        case UInt8(ascii: "f"): return try word("false", .boolean)
        case UInt8(ascii: "n"): return try word("null", .null)
        default: throw JSONLineError(message: "a value was expected", at: at)
        }
    }

    private mutating func word(_ word: StaticString, _ kind: JSONLineValue.Kind) throws(JSONLineError) -> JSONLineValue
    {
        let count = word.utf8CodeUnitCount
        guard end - at >= count, (0..<count).allSatisfy({ at[$0] == word.utf8Start[$0] }) else {
            throw JSONLineError(message: "a value was expected", at: at)
        }
        defer { at += count }
        return JSONLineValue(kind: kind, start: at, count: count)
    }

    /// RFC 8259: no leading zeros, digits on both sides of the point.
    private mutating func number() throws(JSONLineError) -> JSONLineValue {
        let start = at
        var kind = JSONLineValue.Kind.integer
        if at.pointee == UInt8(ascii: "-") { at += 1 }
        let firstDigit = at
        var isGood = digits() > 0 && (firstDigit.pointee != UInt8(ascii: "0") || at - firstDigit == 1)
        if at < end, at.pointee == UInt8(ascii: ".") {
            kind = .number
            at += 1
            isGood = digits() > 0 && isGood
        }
        if at < end, at.pointee | 0x20 == UInt8(ascii: "e") {
            kind = .number
            at += 1
            if at < end, at.pointee == UInt8(ascii: "+") || at.pointee == UInt8(ascii: "-") { at += 1 }
            isGood = digits() > 0 && isGood
        }
        guard isGood else { throw JSONLineError(message: "a number was expected", at: start) }
        return JSONLineValue(kind: kind, start: start, count: at - start)
    }

    @inline(__always)
    private mutating func digits() -> Int {
        let start = at
        while at < end, at.pointee &- 48 <= 9 { at += 1 }
        return at - start
    }

    /// A string, from its first quote on; control characters must be escaped.
    @inline(__always)
    private mutating func string() throws(JSONLineError) -> JSONLineValue {
        let start = at + 1
        at = start
        var hasEscapes = false
        while true {
            // Eight bytes at a time while none of them is a quote, a backslash or a control character.
            while at < end {
                let word = UnsafeRawPointer(at).loadUnaligned(as: UInt64.self)
                let found = JSONLineScanner.special(word)
                if found == 0 {
                    at += 8
                } else {
                    at += found.trailingZeroBitCount >> 3
                    break
                }
            }
            guard at < end else { throw unexpectedEnd() }
            switch at.pointee {
            case UInt8(ascii: "\""):
                defer { at += 1 }
                return JSONLineValue(kind: .string, start: start, count: at - start, hasEscapes: hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                at += 2
            default: throw JSONLineError(message: "a control character within a string", at: at)
            }
        }
    }

    /// The top bits of bytes that are a quote, a backslash or below 32; exact up to the first one.
    @inline(__always)
    private static func special(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops: UInt64 = 0x8080_8080_8080_8080
        let quotes = word ^ (ones &* 0x22)
        let slashes = word ^ (ones &* 0x5C)
        let isQuote = (quotes &- ones) & ~quotes
        let isSlash = (slashes &- ones) & ~slashes
        let isControl = (word &- ones &* 0x20) & ~word
        return (isQuote | isSlash | isControl) & tops
    }

    /// An array or object with all that it holds. Whoever reads it checks what lies between the brackets.
    private mutating func container(_ kind: JSONLineValue.Kind) throws(JSONLineError) -> JSONLineValue {
        let start = at
        var depth = 0
        while at < end {
            switch at.pointee {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                at += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                at += 1
                if depth == 0 { return JSONLineValue(kind: kind, start: start, count: at - start) }
            case UInt8(ascii: "\""): _ = try string()
            default: at += 1
            }
        }
        throw unexpectedEnd()
    }
}
