// Values of type json: parts of their text, found without building anything. The texts have passed `JSONText.validate`;
// others give wrong parts, but are never read beyond their end.

import Diagnostics

/// A value within a JSON text, without white space at its ends.
package struct JSONTextValue {
    package let text: UnsafeBufferPointer<UInt8>

    package init(_ text: UnsafeBufferPointer<UInt8>) {
        var from = 0
        var to = text.count
        while from < to, JSONTextValue.isSpace(text[from]) { from += 1 }
        while to > from, JSONTextValue.isSpace(text[to - 1]) { to -= 1 }
        self.text = UnsafeBufferPointer(rebasing: text[from..<to])
    }

    @inline(__always)
    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 9 || byte == 10 || byte == 13 }

    package var kind: JSONNode.Kind {
        switch text.first {
        case 0x7B: .object
        case 0x5B: .array
        case 0x22: .string
        case 0x74: .true
        case 0x66: .false
        case 0x6E, nil: .null
        default: .decimal
        }
    }
    package var isArray: Bool { text.first == 0x5B }
    package var isObject: Bool { text.first == 0x7B }
    package var isString: Bool { text.first == 0x22 }
    package var isNull: Bool { kind == .null }
    package var isContainer: Bool { isArray || isObject }

    package var typeName: String {
        switch kind {
        case .null: "null"
        case .true, .false: "boolean"
        case .integer, .decimal: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    // MARK: - Scanning

    private func skipSpace(_ at: inout Int) { while at < text.count, JSONTextValue.isSpace(text[at]) { at &+= 1 } }

    private func skipString(_ at: inout Int) {
        at += 1
        while at < text.count, text[at] != 0x22 { at &+= text[at] == 0x5C ? 2 : 1 }
        at = min(at + 1, text.count)
    }

    private func skipValue(_ at: inout Int) {
        guard at < text.count else { return }
        switch text[at] {
        case 0x22: skipString(&at)
        case 0x5B, 0x7B:
            var depth = 0
            while at < text.count {
                switch text[at] {
                case 0x22:
                    skipString(&at)
                    continue
                case 0x5B, 0x7B: depth += 1
                case 0x5D, 0x7D: depth -= 1
                default: break
                }
                at += 1
                if depth == 0 { return }
            }
        default:
            while at < text.count, text[at] != 0x2C, text[at] != 0x5D, text[at] != 0x7D, text[at] != 0x3A,
                !JSONTextValue.isSpace(text[at])
            { at &+= 1 }
        }
    }

    private func part(_ from: Int, _ to: Int) -> JSONTextValue {
        JSONTextValue(UnsafeBufferPointer(rebasing: text[min(from, to)..<to]))
    }

    /// Calls `body` with each element of an array until it says false.
    package func forEachElement(_ body: (JSONTextValue) throws -> Bool) rethrows {
        guard isArray else { return }
        var at = 1
        skipSpace(&at)
        while at < text.count, text[at] != 0x5D {
            let start = at
            skipValue(&at)
            if at == start { return }
            if try !body(part(start, at)) { return }
            skipSpace(&at)
            if at < text.count, text[at] == 0x2C { at += 1 }
            skipSpace(&at)
        }
    }

    /// Calls `body` with each key, still in quotes, and value of an object in their order, duplicates too.
    package func forEachMember(_ body: (JSONTextValue, JSONTextValue) throws -> Void) rethrows {
        guard isObject else { return }
        var at = 1
        skipSpace(&at)
        while at < text.count, text[at] == 0x22 {
            let keyStart = at
            skipString(&at)
            let key = part(keyStart, at)
            skipSpace(&at)
            if at < text.count, text[at] == 0x3A { at += 1 }
            skipSpace(&at)
            let start = at
            skipValue(&at)
            if at == start { return }
            try body(key, part(start, at))
            skipSpace(&at)
            if at < text.count, text[at] == 0x2C { at += 1 }
            skipSpace(&at)
        }
    }

    package var elementCount: Int {
        var count = 0
        forEachElement { _ in
            count += 1
            return true
        }
        return count
    }

    /// The last member with a key.
    package func member(_ name: UnsafeBufferPointer<UInt8>) throws -> JSONTextValue? {
        var found: JSONTextValue?
        try forEachMember { key, value in
            if try key.isEqual(to: name) { found = value }
        }
        return found
    }

    package func element(atSubscript position: Int) -> JSONTextValue? {
        guard isArray else { return nil }
        let wanted = position < 0 ? position + elementCount : position
        if wanted < 0 { return nil }
        var index = 0
        var found: JSONTextValue?
        forEachElement { element in
            if index == wanted { found = element }
            index += 1
            return found == nil
        }
        return found
    }

    // MARK: - Strings

    /// The characters of a string value. Errors: 22P02 and 22P05 for escapes that stand for no character.
    package func decoded() throws -> [UInt8] {
        guard isString, text.count >= 2 else { return Array(text) }
        let inner = UnsafeBufferPointer(rebasing: text[1..<(text.count - 1)])
        if !inner.contains(0x5C) { return Array(inner) }
        return try JSONText.blob(text).withUnsafeBufferPointer { Array(JSONNode($0).stringBytes) }
    }

    private func isEqual(to name: UnsafeBufferPointer<UInt8>) throws -> Bool {
        guard text.count >= 2 else { return false }
        let inner = UnsafeBufferPointer(rebasing: text[1..<(text.count - 1)])
        if inner.contains(0x5C) { return try decoded().elementsEqual(name) }
        return inner.count == name.count && inner.elementsEqual(name)
    }
}
