// Words, names, texts and comments of a statement that is still being written: nothing in it is an error.

/// A piece of a statement, for colours and completion. Positions count characters.
package struct SQLToken: Hashable, Sendable {
    package enum Kind: Sendable {
        case word, quotedName, string, number, comment, symbol, variable, metaCommand
    }
    package var kind: Kind
    package var range: Range<Int>
    /// Whether its closing quote or mark is there; always true of those that have none.
    package var isClosed = true

    package func text(_ characters: [Character]) -> String { String(characters[range]) }

    /// All tokens; white space is between them.
    package static func tokens(_ characters: [Character]) -> [SQLToken] {
        var scanner = SQLTokenScanner(characters)
        return scanner.scan()
    }
}

private struct SQLTokenScanner {
    let characters: [Character]
    var at = 0
    var tokens: [SQLToken] = []

    init(_ characters: [Character]) { self.characters = characters }

    private func peek(_ offset: Int = 0) -> Character? {
        at + offset < characters.count ? characters[at + offset] : nil
    }

    mutating func scan() -> [SQLToken] {
        while let character = peek(), character.isWhitespace { at += 1 }
        if peek() == "\\" { word(.metaCommand) }
        while let character = peek() {
            switch character {
            case _ where character.isWhitespace: at += 1
            case "'": quoted("'", .string, from: at)
            case "\"": quoted("\"", .quotedName, from: at)
            case "e", "E", "b", "B", "x", "X":
                if peek(1) == "'" {
                    let start = at
                    at += 1
                    quoted("'", .string, from: start, escapes: character == "e" || character == "E")
                } else {
                    word(.word)
                }
            case "-" where peek(1) == "-": until(.comment) { $0 == "\n" }
            case "/" where peek(1) == "*": blockComment()
            case "$": dollar()
            case ":" where peek(1).map(Self.isNameStart) == true && (at == 0 || characters[at - 1] != ":"):
                at += 1
                word(.variable, from: at - 1)
            case "0"..."9": number()
            case ".": if peek(1)?.isNumber == true, !isBehindName { number() } else { symbol() }
            case _ where Self.isNameStart(character): word(.word)
            default: symbol()
            }
        }
        return tokens
    }

    private static func isNameStart(_ character: Character) -> Bool { character == "_" || character.isLetter }
    private static func isName(_ character: Character) -> Bool {
        isNameStart(character) || character.isNumber || character == "$"
    }
    private var isBehindName: Bool {
        guard let last = tokens.last, last.range.upperBound == at else { return false }
        return last.kind == .word || last.kind == .quotedName
    }

    private mutating func add(_ kind: SQLToken.Kind, from start: Int, isClosed: Bool = true) {
        tokens.append(SQLToken(kind: kind, range: start..<at, isClosed: isClosed))
    }

    private mutating func symbol() {
        at += 1
        add(.symbol, from: at - 1)
    }

    private mutating func word(_ kind: SQLToken.Kind, from start: Int? = nil) {
        let start = start ?? at
        at += 1
        while let next = peek(), kind == .metaCommand ? !next.isWhitespace : Self.isName(next) { at += 1 }
        add(kind, from: start)
    }

    private mutating func number() {
        let start = at
        while let next = peek(), next.isNumber || next.isLetter || next == "." || next == "_" {
            let isExponent = (next == "e" || next == "E") && (peek(1) == "-" || peek(1) == "+")
            at += isExponent ? 2 : 1
        }
        at = min(at, characters.count)
        add(.number, from: start)
    }

    private mutating func until(_ kind: SQLToken.Kind, _ isEnd: (Character) -> Bool) {
        let start = at
        while let next = peek(), !isEnd(next) { at += 1 }
        add(kind, from: start)
    }

    private mutating func quoted(_ quote: Character, _ kind: SQLToken.Kind, from start: Int, escapes: Bool = false) {
        at += 1
        while let next = peek() {
            if escapes, next == "\\", peek(1) != nil {
                at += 2
            } else if next == quote, peek(1) == quote {
                at += 2
            } else if next == quote {
                at += 1
                return add(kind, from: start)
            } else {
                at += 1
            }
        }
        add(kind, from: start, isClosed: false)
    }

    private mutating func blockComment() {
        let start = at
        var depth = 0
        repeat {
            if peek() == "/", peek(1) == "*" {
                depth += 1
                at += 2
            } else if peek() == "*", peek(1) == "/" {
                depth -= 1
                at += 2
            } else {
                at += 1
            }
        } while depth > 0 && at < characters.count
        at = min(at, characters.count)
        add(.comment, from: start, isClosed: depth == 0)
    }

    /// A parameter, or a text between dollar quotes.
    private mutating func dollar() {
        let start = at
        at += 1
        while let next = peek(), Self.isName(next), next != "$" { at += 1 }
        let isParameter = at > start + 1 && characters[(start + 1)..<at].allSatisfy(\.isNumber)
        guard !isParameter, peek() == "$" else { return add(isParameter ? .variable : .symbol, from: start) }
        at += 1
        let tag = Array(characters[start..<at])
        while at < characters.count {
            if at + tag.count <= characters.count, characters[at] == "$",
                characters[at..<(at + tag.count)].elementsEqual(tag)
            {
                at += tag.count
                return add(.string, from: start)
            }
            at += 1
        }
        add(.string, from: start, isClosed: false)
    }
}
