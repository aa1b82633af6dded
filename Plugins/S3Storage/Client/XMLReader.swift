// The little XML that the protocol has: lists, identifiers of uploads, errors.

/// An element of a document: its name, and either text or elements.
struct XMLElement {
    var name: String
    var text = ""
    var children: [XMLElement] = []

    /// The text of the first child with this name.
    func text(of name: String) -> String? { children.first { $0.name == name }?.text }

    /// The root of a document; `nil` if it is none. Attributes, comments and instructions are passed over.
    init?(document: [UInt8]) {
        var parser = XMLParser(document)
        guard let root = parser.root() else { return nil }
        self = root
    }

    fileprivate init(name: String) { self.name = name }
}

private struct XMLParser {
    private static let depthMax = 32
    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func root() -> XMLElement? {
        while at < bytes.count {
            guard skip(to: UInt8(ascii: "<")) else { return nil }
            if isMarkup() {
                guard passMarkup() else { return nil }
                continue
            }
            return element(depth: 0)
        }
        return nil
    }

    private mutating func skip(to byte: UInt8) -> Bool {
        while at < bytes.count, bytes[at] != byte { at += 1 }
        return at < bytes.count
    }

    private func isMarkup() -> Bool {
        at + 1 < bytes.count && (bytes[at + 1] == UInt8(ascii: "?") || bytes[at + 1] == UInt8(ascii: "!"))
    }

    private mutating func passMarkup() -> Bool {
        guard skip(to: UInt8(ascii: ">")) else { return false }
        at += 1
        return true
    }

    /// At a `<`. `nil` if the document breaks off.
    private mutating func element(depth: Int) -> XMLElement? {
        guard depth < Self.depthMax else { return nil }
        at += 1
        let start = at
        guard skip(to: UInt8(ascii: ">")) else { return nil }
        let tag = bytes[start..<at]
        at += 1
        let isEmpty = tag.last == UInt8(ascii: "/")
        let name = tag.prefix { $0 != 32 && $0 != 10 && $0 != 13 && $0 != 9 && $0 != UInt8(ascii: "/") }
        var result = XMLElement(name: String(decoding: name, as: UTF8.self))
        if isEmpty { return result }
        var text: [UInt8] = []
        while at < bytes.count {
            if bytes[at] != UInt8(ascii: "<") {
                text.append(bytes[at])
                at += 1
                continue
            }
            if isMarkup() {
                guard passMarkup() else { return nil }
                continue
            }
            if at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "/") {
                guard skip(to: UInt8(ascii: ">")) else { return nil }
                at += 1
                result.text = Self.unescaped(text)
                return result
            }
            guard let child = element(depth: depth + 1) else { return nil }
            result.children.append(child)
        }
        return nil
    }

    private static func unescaped(_ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.contains("&") else { return text }
        var result = ""
        var rest = text[...]
        while let start = rest.firstIndex(of: "&") {
            result += rest[..<start]
            rest = rest[rest.index(after: start)...]
            guard let end = rest.firstIndex(of: ";") else { return result + "&" + rest }
            switch rest[..<end] {
            case "amp": result += "&"
            case "lt": result += "<"
            case "gt": result += ">"
            case "quot": result += "\""
            case "apos": result += "'"
            case let code where code.hasPrefix("#x"):
                if let scalar = UInt32(code.dropFirst(2), radix: 16).flatMap(Unicode.Scalar.init) {
                    result.unicodeScalars.append(scalar)
                }
            case let code where code.hasPrefix("#"):
                if let scalar = UInt32(code.dropFirst()).flatMap(Unicode.Scalar.init) {
                    result.unicodeScalars.append(scalar)
                }
            default: break
            }
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }
}

/// What a server says of an error.
struct ErrorDocument {
    var code: String
    var message: String
    var region: String?

    /// `nil` if the bytes are no such document.
    init?(_ bytes: [UInt8]) {
        guard !bytes.isEmpty, let root = XMLElement(document: bytes), root.name == "Error",
            let code = root.text(of: "Code")
        else { return nil }
        self.code = code
        message = root.text(of: "Message") ?? ""
        region = root.text(of: "Region")
    }
}
