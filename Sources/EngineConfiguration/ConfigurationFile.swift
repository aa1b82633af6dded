// Reads configuration files into flat keys. YAML in its everyday form: nested mappings, lists of scalars, quoted and
// plain scalars, comments; and JSON. Anchors, tags, block scalars and several documents are refused.

import Diagnostics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

package enum ConfigurationFile {
    private static let byteCountMax = 1 << 20

    /// Keys with points between the parts, and their values; lists become texts with commas.
    package static func read(path: String) throws -> [(key: String, value: String)] {
        try parse(try text(path: path), name: path)
    }

    /// The text of a small file.
    package static func text(path: String) throws -> String {
        guard let file = fopen(path, "r") else {
            throw QueryError(
                .configurationFileError,
                "could not open configuration file \"\(path)\": \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: byteCountMax + 1)
        let count = fread(&bytes, 1, bytes.count, file)
        guard ferror(file) == 0 else { throw QueryError(.configurationFileError, "could not read \"\(path)\"") }
        guard count <= byteCountMax else {
            throw QueryError(.configurationFileError, "configuration file \"\(path)\" is longer than 1 MiB")
        }
        guard let text = String(validating: bytes[..<count], as: UTF8.self) else {
            throw QueryError(.configurationFileError, "configuration file \"\(path)\" is not UTF-8")
        }
        return text
    }

    package static func parse(_ text: String, name: String) throws -> [(key: String, value: String)] {
        let start = text.first { !$0.isWhitespace }
        if start == "{" {
            var reader = JSONReader(bytes: Array(text.utf8), name: name)
            return try reader.read()
        }
        var reader = YAMLReader(text, name: name)
        return try reader.read()
    }
}

/// YAML's everyday subset, line by line.
private struct YAMLReader {
    private struct Line {
        var number: Int
        var indent: Int
        var text: String
    }
    private let name: String
    private let lines: [String]
    private var result: [(key: String, value: String)] = []

    init(_ text: String, name: String) {
        self.name = name
        lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }.map(String.init)
    }

    private func failure(_ line: Int, _ what: String) -> QueryError {
        QueryError(.configurationFileError, "\(name), line \(line): \(what)")
    }

    mutating func read() throws -> [(key: String, value: String)] {
        /// Open mappings: the indentation of their keys and the path up to them.
        var open: [(indent: Int, path: String)] = []
        /// The last key without a value: what an indented block after it belongs to.
        var pending: (indent: Int, path: String)?
        for (index, raw) in lines.enumerated() {
            let number = index + 1
            let text = withoutComment(raw)
            let content = ConfigurationText.trimmed(text)
            if content.isEmpty || (number == 1 && content == "---") { continue }
            let indent = text.prefix { $0 == " " }.count
            if text.dropFirst(indent).first == "\t" { throw failure(number, "tabs cannot indent") }
            if content == "-" || content.hasPrefix("- ") {
                guard let list = pending, indent >= list.indent else { throw failure(number, "a list needs a key") }
                let item = try scalar(ConfigurationText.trimmed(content.dropFirst()), number)
                if let at = result.firstIndex(where: { $0.key == list.path }) {
                    result[at].value += "," + item
                } else {
                    result.append((list.path, item))
                }
                continue
            }
            if let parent = pending, indent > parent.indent {
                open.append((indent, parent.path + "."))
            } else {
                while let last = open.last, indent < last.indent { open.removeLast() }
                if open.isEmpty, indent == 0 { open.append((0, "")) }
            }
            guard let level = open.last, level.indent == indent else {
                throw failure(number, "the indentation fits no level")
            }
            let (key, value) = try split(content, number)
            pending = nil
            let path = level.path + key
            if value.isEmpty {
                pending = (indent, path)
            } else {
                guard !result.contains(where: { $0.key == path }) else { throw failure(number, "\(path) is set twice") }
                result.append((path, try value.hasPrefix("[") ? list(value, number) : scalar(value, number)))
            }
        }
        return result
    }

    private func withoutComment(_ line: String) -> String {
        var quote: Character?
        var previous: Character = " "
        for index in line.indices {
            let character = line[index]
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "\"" || character == "'" {
                quote = character
            } else if character == "#", previous.isWhitespace {
                return String(line[..<index])
            }
            previous = character
        }
        return line
    }

    private func split(_ content: String, _ number: Int) throws -> (String, String) {
        if let quote = content.first, quote == "\"" || quote == "'",
            let end = content.dropFirst().firstIndex(of: quote)
        {
            let rest = content[content.index(after: end)...]
            guard rest.first == ":" else { throw failure(number, "a key needs a colon") }
            return (
                String(content[content.index(after: content.startIndex)..<end]),
                ConfigurationText.trimmed(rest.dropFirst())
            )
        }
        var index = content.startIndex
        while index < content.endIndex {
            let next = content.index(after: index)
            if content[index] == ":", next == content.endIndex || content[next].isWhitespace {
                return (ConfigurationText.trimmed(content[..<index]), ConfigurationText.trimmed(content[next...]))
            }
            index = next
        }
        throw failure(number, "a line needs the form key: value")
    }

    private func scalar(_ text: String, _ number: Int) throws -> String {
        guard let first = text.first else { return "" }
        if first == "'" {
            guard text.count >= 2, text.last == "'" else { throw failure(number, "the quote is not closed") }
            var result = ""
            var skip = false
            for character in text.dropFirst().dropLast() {
                if skip, character == "'" {
                    skip = false
                    continue
                }
                skip = character == "'"
                result.append(character)
            }
            return result
        }
        if first == "\"" {
            guard text.count >= 2, text.last == "\"" else { throw failure(number, "the quote is not closed") }
            var result = ""
            var isEscaped = false
            for character in text.dropFirst().dropLast() {
                if isEscaped {
                    result.append(character == "n" ? "\n" : character == "t" ? "\t" : character)
                    isEscaped = false
                } else if character == "\\" {
                    isEscaped = true
                } else {
                    result.append(character)
                }
            }
            return result
        }
        if first == "&" || first == "*" || first == "!" || first == "|" || first == ">" || first == "{" {
            throw failure(number, "values that begin with \(first) are not supported; quote the value")
        }
        return text == "~" || text == "null" ? "" : text
    }

    private func list(_ text: String, _ number: Int) throws -> String {
        guard text.last == "]" else { throw failure(number, "a list in brackets must end on its line") }
        return try text.dropFirst().dropLast().split(separator: ",")
            .map { try scalar(ConfigurationText.trimmed($0), number) }.joined(separator: ",")
    }
}

/// JSON objects of objects, scalars and arrays of scalars.
private struct JSONReader {
    let bytes: [UInt8]
    let name: String
    private var at = 0
    private var result: [(key: String, value: String)] = []
    private static let depthMax = 16

    init(bytes: [UInt8], name: String) {
        self.bytes = bytes
        self.name = name
    }

    private func failure(_ what: String) -> QueryError {
        let line = bytes[..<min(at, bytes.count)].count { $0 == 0x0A } + 1
        return QueryError(.configurationFileError, "\(name), line \(line): \(what)")
    }

    mutating func read() throws -> [(key: String, value: String)] {
        try object(prefix: "", depth: 0)
        skipSpace()
        guard at == bytes.count else { throw failure("there is text after the end") }
        return result
    }

    private mutating func skipSpace() {
        while at < bytes.count, bytes[at] == 0x20 || bytes[at] >= 0x09 && bytes[at] <= 0x0D { at += 1 }
    }

    private mutating func take(_ character: Character) -> Bool {
        skipSpace()
        guard at < bytes.count, bytes[at] == character.asciiValue else { return false }
        at += 1
        return true
    }

    private mutating func object(prefix: String, depth: Int) throws {
        guard depth < JSONReader.depthMax else { throw failure("objects are nested too deep") }
        guard take("{") else { throw failure("an object was expected") }
        if take("}") { return }
        repeat {
            let key = prefix + (try string())
            guard take(":") else { throw failure("a colon was expected") }
            skipSpace()
            if at < bytes.count, bytes[at] == UInt8(ascii: "{") {
                try object(prefix: key + ".", depth: depth + 1)
            } else if take("[") {
                var items: [String] = []
                if !take("]") {
                    repeat { items.append(try scalar()) } while take(",")
                    guard take("]") else { throw failure("a closing bracket was expected") }
                }
                result.append((key, items.joined(separator: ",")))
            } else {
                result.append((key, try scalar()))
            }
        } while take(",")
        guard take("}") else { throw failure("a comma or closing brace was expected") }
    }

    private mutating func scalar() throws -> String {
        skipSpace()
        guard at < bytes.count else { throw failure("a value was expected") }
        if bytes[at] == UInt8(ascii: "\"") { return try string() }
        let start = at
        while at < bytes.count, bytes[at] > 0x20, !",]}".utf8.contains(bytes[at]) { at += 1 }
        let word = String(decoding: bytes[start..<at], as: UTF8.self)
        if word == "null" { return "" }
        guard word == "true" || word == "false" || Double(word) != nil else { throw failure("\"\(word)\" is no value") }
        return word
    }

    private mutating func string() throws -> String {
        guard take("\"") else { throw failure("a string was expected") }
        var text: [UInt8] = []
        while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
            if bytes[at] == UInt8(ascii: "\\"), at + 1 < bytes.count {
                at += 1
                switch bytes[at] {
                case UInt8(ascii: "n"): text.append(0x0A)
                case UInt8(ascii: "t"): text.append(0x09)
                case UInt8(ascii: "r"): text.append(0x0D)
                case UInt8(ascii: "u"):
                    guard at + 4 < bytes.count,
                        let code = UInt32(String(decoding: bytes[(at + 1)...(at + 4)], as: UTF8.self), radix: 16),
                        let scalar = Unicode.Scalar(code)
                    else { throw failure("a \\u escape is malformed") }
                    text.append(contentsOf: String(Character(scalar)).utf8)
                    at += 4
                default: text.append(bytes[at])
                }
            } else {
                text.append(bytes[at])
            }
            at += 1
        }
        guard at < bytes.count else { throw failure("a string is not closed") }
        at += 1
        return String(decoding: text, as: UTF8.self)
    }
}
