// Reads JSON documents: bodies of requests and messages of viewers.

import Diagnostics

enum JSONValue: Hashable, Sendable {
    case null
    case boolean(Bool)
    /// As it was written: no digit is lost.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    subscript(_ name: String) -> JSONValue? {
        if case .object(let members) = self { return members[name] }
        return nil
    }
    var text: String? { if case .string(let text) = self { text } else { nil } }
    var integer: Int? { if case .number(let text) = self { Int(text) } else { nil } }

    /// Reads one document. Throws 22P02.
    static func parse(_ bytes: [UInt8]) throws -> JSONValue {
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw QueryError(SQLState("22021"), "invalid byte sequence for encoding \"UTF8\"")
        }
        var reader = JSONReader(bytes: bytes)
        let value = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.isAtEnd else { throw reader.unexpected() }
        return value
    }
}

private struct JSONReader {
    private static let depthMax = 64
    let bytes: [UInt8]
    private var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position >= bytes.count }
    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    func unexpected() -> QueryError {
        QueryError(
            .invalidTextRepresentation, "the body is not JSON", detail: "Unexpected text at byte \(position + 1).")
    }

    mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    mutating func value(depth: Int) throws -> JSONValue {
        guard depth < Self.depthMax else { throw QueryError(.programLimitExceeded, "the JSON body is nested too deep") }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try object(depth)
        case UInt8(ascii: "["): return try array(depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .boolean(true))
        case UInt8(ascii: "f"): return try word("false", .boolean(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ text: String, _ value: JSONValue) throws -> JSONValue {
        guard bytes[position...].starts(with: text.utf8) else { throw unexpected() }
        position += text.utf8.count
        return value
    }

    private mutating func digits() throws {
        let start = position
        while let byte = next, byte >= 0x30, byte <= 0x39 { position += 1 }
        if position == start { throw unexpected() }
    }

    private mutating func number() throws -> JSONValue {
        let start = position
        if next == UInt8(ascii: "-") { position += 1 }
        if next == UInt8(ascii: "0") { position += 1 } else { try digits() }
        if next == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        return .number(String(decoding: bytes[start..<position], as: UTF8.self))
    }

    private mutating func array(_ depth: Int) throws -> JSONValue {
        position += 1
        var elements: [JSONValue] = []
        skipSpace()
        if next == UInt8(ascii: "]") {
            position += 1
            return .array([])
        }
        while true {
            elements.append(try value(depth: depth + 1))
            if try endsList(UInt8(ascii: "]")) { return .array(elements) }
        }
    }

    private mutating func object(_ depth: Int) throws -> JSONValue {
        position += 1
        var members: [String: JSONValue] = [:]
        skipSpace()
        if next == UInt8(ascii: "}") {
            position += 1
            return .object([:])
        }
        while true {
            skipSpace()
            let name = try string()
            skipSpace()
            guard next == UInt8(ascii: ":") else { throw unexpected() }
            position += 1
            members[name] = try value(depth: depth + 1)
            if try endsList(UInt8(ascii: "}")) { return .object(members) }
        }
    }

    /// Takes a comma or the closing bracket.
    private mutating func endsList(_ bracket: UInt8) throws -> Bool {
        skipSpace()
        guard next == bracket || next == UInt8(ascii: ",") else { throw unexpected() }
        defer { position += 1 }
        return next == bracket
    }

    private mutating func string() throws -> String {
        guard next == UInt8(ascii: "\"") else { throw unexpected() }
        position += 1
        var text: [UInt8] = []
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw unexpected()
            default: text.append(byte)
            }
        }
        throw unexpected()
    }

    private mutating func escape(into text: inout [UInt8]) throws {
        guard let byte = next else { throw unexpected() }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var value = try hexadecimal()
            if value >= 0xD800, value < 0xDC00 {
                guard next == UInt8(ascii: "\\") else { throw unexpected() }
                position += 1
                guard next == UInt8(ascii: "u") else { throw unexpected() }
                position += 1
                let low = try hexadecimal()
                guard low >= 0xDC00, low < 0xE000 else { throw unexpected() }
                value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(value) else { throw unexpected() }
            text.append(contentsOf: String(Character(scalar)).utf8)
        default: throw unexpected()
        }
    }

    private mutating func hexadecimal() throws -> UInt32 {
        guard position + 4 <= bytes.count,
            let value = UInt32(String(decoding: bytes[position..<(position + 4)], as: UTF8.self), radix: 16),
            bytes[position] != UInt8(ascii: "+"), bytes[position] != UInt8(ascii: "-")
        else { throw unexpected() }
        position += 4
        return value
    }
}
