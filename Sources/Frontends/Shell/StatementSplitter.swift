// Cuts text that comes line by line into statements at their semicolons, and commands of the shell at their backslashes.

/// What a script is made of.
package enum ScriptPiece: Hashable, Sendable {
    /// Without its semicolon.
    case statement(String)
    /// From the backslash to the end of its line. It may stand behind a statement that is still open.
    case command(String)
}

/// Collects text until a statement is complete. Knows quotes, dollar quotes and comments, nothing more of SQL.
package struct StatementSplitter {
    private enum Mode: Equatable {
        case plain
        case quote(UInt8, escapes: Bool)
        case dollar([UInt8])
        case lineComment
        case blockComment(depth: Int)
    }
    private var text: [UInt8] = []
    private var scanned = 0
    private var mode = Mode.plain
    private var parentheses = 0

    private let takesCommands: Bool

    /// Whether backslashes outside of quotes begin commands of the shell; there are none in SQL.
    package init(takesCommands: Bool = false) { self.takesCommands = takesCommands }

    /// Whether no statement has begun: there is at most white space and comments.
    package var isEmpty: Bool { mode == .plain && !StatementSplitter.hasContent(text[...]) }

    /// What a prompt shows: what is open, or `=` at the start of a statement.
    package var promptMark: Character {
        switch mode {
        case .plain: isEmpty ? "=" : parentheses > 0 ? "(" : "-"
        case .quote(let byte, _): Character(Unicode.Scalar(byte))
        case .dollar: "$"
        case .lineComment: "-"
        case .blockComment: "*"
        }
    }

    /// Takes more text and gives the statements that are complete now, without their semicolons.
    package mutating func append(_ more: String) -> [String] {
        feed(more)
        var statements: [String] = []
        while let piece = next() {
            if case .statement(let text) = piece { statements.append(text) }
        }
        return statements
    }

    package mutating func feed(_ more: String) { text.append(contentsOf: more.utf8) }

    /// The next piece that is complete.
    package mutating func next() -> ScriptPiece? {
        while scanned < text.count {
            let byte = text[scanned]
            if mode == .plain, byte == UInt8(ascii: ";"), parentheses <= 0 {
                let statement = text[..<scanned]
                let piece =
                    StatementSplitter.hasContent(statement) ? StatementSplitter.trimmed(statement) : nil
                text.removeFirst(scanned + 1)
                scanned = 0
                parentheses = 0
                if let piece { return .statement(piece) }
                continue
            }
            if takesCommands, mode == .plain, byte == UInt8(ascii: "\\") {
                guard let end = text[scanned...].firstIndex(of: 0x0A) else { return nil }
                let command = StatementSplitter.trimmed(text[scanned..<end])
                text.removeSubrange(scanned..<end)
                return .command(command)
            }
            guard let next = step(scanned, from: 0) else { return nil }
            scanned = next
        }
        return nil
    }

    /// What there is of the statement that is not complete.
    package var openText: String { StatementSplitter.trimmed(text[..<scanned]) }

    /// Forgets the statement that is not complete; what follows it stays.
    package mutating func dropOpenText() {
        text.removeFirst(scanned)
        scanned = 0
        mode = .plain
        parentheses = 0
    }

    /// Everything that was fed and not taken yet.
    package mutating func takeRest() -> String {
        defer { discard() }
        return String(decoding: text, as: UTF8.self)
    }

    /// The statement without a semicolon at the end of the input.
    package mutating func finish() -> String? {
        defer { discard() }
        return StatementSplitter.hasContent(text[...]) ? StatementSplitter.trimmed(text[...]) : nil
    }

    package mutating func discard() { self = StatementSplitter(takesCommands: takesCommands) }

    /// One step of the scan; `nil` when the next byte is needed to decide.
    private mutating func step(_ index: Int, from start: Int) -> Int? {
        let byte = text[index]
        let next = index + 1 < text.count ? text[index + 1] : nil
        switch mode {
        case .plain:
            switch byte {
            case UInt8(ascii: "'"), UInt8(ascii: "\""):
                let previous = index > start ? text[index - 1] : 0
                let isEscapeString = byte == UInt8(ascii: "'") && (previous | 0x20) == UInt8(ascii: "e")
                mode = .quote(byte, escapes: isEscapeString)
            case UInt8(ascii: "-"):
                guard let next else { return nil }
                if next == UInt8(ascii: "-") { mode = .lineComment }
            case UInt8(ascii: "/"):
                guard let next else { return nil }
                if next == UInt8(ascii: "*") {
                    mode = .blockComment(depth: 1)
                    return index + 2
                }
            case UInt8(ascii: "("), UInt8(ascii: "["): parentheses += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"): parentheses -= 1
            case UInt8(ascii: "$"):
                let previous = index > start ? text[index - 1] : 0
                if !StatementSplitter.isWord(previous) {
                    // A word that reaches the end of what is there may still become a tag.
                    let end = text[(index + 1)...].firstIndex { !StatementSplitter.isWord($0) }
                    if end == nil { return nil }
                    if let tag = dollarTag(index) {
                        mode = .dollar(tag)
                        return index + tag.count
                    }
                }
            default: break
            }
            return index + 1
        case .quote(let quote, let escapes):
            if escapes, byte == UInt8(ascii: "\\") { return next == nil ? nil : index + 2 }
            if byte == quote { mode = .plain }
            return index + 1
        case .dollar(let tag):
            guard byte == UInt8(ascii: "$") else { return index + 1 }
            guard index + tag.count <= text.count else { return nil }
            if Array(text[index..<(index + tag.count)]) == tag {
                mode = .plain
                return index + tag.count
            }
            return index + 1
        case .lineComment:
            if byte == 0x0A { mode = .plain }
            return index + 1
        case .blockComment(let depth):
            if byte == UInt8(ascii: "*") || byte == UInt8(ascii: "/") {
                guard let next else { return nil }
                if byte == UInt8(ascii: "*"), next == UInt8(ascii: "/") {
                    mode = depth == 1 ? .plain : .blockComment(depth: depth - 1)
                    return index + 2
                }
                if byte == UInt8(ascii: "/"), next == UInt8(ascii: "*") {
                    mode = .blockComment(depth: depth + 1)
                    return index + 2
                }
            }
            return index + 1
        }
    }

    /// `$tag$` at the position, if there is one. Parameters such as `$1` are none.
    private func dollarTag(_ index: Int) -> [UInt8]? {
        var end = index + 1
        while end < text.count, StatementSplitter.isWord(text[end]) { end += 1 }
        guard end < text.count, text[end] == UInt8(ascii: "$") else { return nil }
        let first = text[index + 1]
        guard first == UInt8(ascii: "$") || first < UInt8(ascii: "0") || first > UInt8(ascii: "9") else { return nil }
        return Array(text[index...end])
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        byte >= 0x80 || byte == UInt8(ascii: "_") || (byte >= 0x30 && byte <= 0x39)
            || ((byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z"))
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> String {
        var rest = bytes
        while let first = rest.first, isSpace(first) { rest = rest.dropFirst() }
        while let last = rest.last, isSpace(last) { rest = rest.dropLast() }
        return String(decoding: rest, as: UTF8.self)
    }

    /// Whether there is anything but white space and comments.
    private static func hasContent(_ bytes: ArraySlice<UInt8>) -> Bool {
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            let next = index + 1 < bytes.endIndex ? bytes[index + 1] : 0
            if byte == UInt8(ascii: "-"), next == byte {
                while index < bytes.endIndex, bytes[index] != 0x0A { index += 1 }
            } else if byte == UInt8(ascii: "/"), next == UInt8(ascii: "*") {
                var depth = 0
                repeat {
                    let here = bytes[index]
                    let after = index + 1 < bytes.endIndex ? bytes[index + 1] : 0
                    if here == UInt8(ascii: "/"), after == UInt8(ascii: "*") {
                        depth += 1
                        index += 2
                    } else if here == UInt8(ascii: "*"), after == UInt8(ascii: "/") {
                        depth -= 1
                        index += 2
                    } else {
                        index += 1
                    }
                } while depth > 0 && index < bytes.endIndex
            } else if isSpace(byte) {
                index += 1
            } else {
                return true
            }
        }
        return false
    }
}
