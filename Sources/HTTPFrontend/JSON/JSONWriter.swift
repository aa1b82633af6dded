// Writes JSON documents as UTF-8.

import Frontends

/// Appends values one after the other and puts the commas. Whoever uses it closes what it opens.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows {
        open(UInt8(ascii: "{"))
        try body(&self)
        close(UInt8(ascii: "}"))
    }

    mutating func array<Element>(
        _ elements: some Sequence<Element>, _ body: (inout JSONWriter, Element) throws -> Void
    ) rethrows {
        open(UInt8(ascii: "["))
        for element in elements { try body(&self, element) }
        close(UInt8(ascii: "]"))
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    mutating func key(_ name: String) {
        separate()
        JSONText.append(string: Array(name.utf8), into: &bytes)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func null() { raw("null") }
    mutating func value(_ value: Bool) { raw(value ? "true" : "false") }
    mutating func value(_ value: some BinaryInteger) { raw(String(value)) }
    mutating func value(_ value: Double) { value.isFinite ? raw(String(value)) : null() }
    mutating func value(_ text: String) {
        separate()
        JSONText.append(string: Array(text.utf8), into: &bytes)
    }

    /// Text that is JSON already.
    mutating func raw(_ text: String) {
        separate()
        bytes.append(contentsOf: text.utf8)
    }

    mutating func raw(_ document: [UInt8]) {
        separate()
        bytes.append(contentsOf: document)
    }

    mutating func member(_ name: String, _ value: String?) {
        key(name)
        if let value { self.value(value) } else { null() }
    }
    mutating func member(_ name: String, _ value: (some BinaryInteger)?) {
        key(name)
        if let value { self.value(value) } else { null() }
    }
    mutating func member(_ name: String, _ value: Double?) {
        key(name)
        if let value { self.value(value) } else { null() }
    }
    mutating func member(_ name: String, _ value: Bool) {
        key(name)
        self.value(value)
    }
    mutating func object(_ name: String, _ body: (inout JSONWriter) throws -> Void) rethrows {
        key(name)
        try object(body)
    }
    mutating func array<Element>(
        _ name: String, _ elements: some Sequence<Element>, _ body: (inout JSONWriter, Element) throws -> Void
    ) rethrows {
        key(name)
        try array(elements, body)
    }

    /// One object as a document.
    static func document(_ body: (inout JSONWriter) throws -> Void) rethrows -> [UInt8] {
        var writer = JSONWriter()
        try writer.object(body)
        return writer.bytes
    }
}
