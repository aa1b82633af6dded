// Colours of a statement while it is typed.

/// What a character of the edited text is shown as.
package enum TextStyle: Hashable, Sendable {
    case plain, keyword, function, string, number, comment, metaCommand, variable
    /// The bracket that belongs to the one at the cursor.
    case match
    /// Suggestions, behind the text or below it.
    case hint, selected, prompt

    /// What switches it on, after a reset.
    package var code: String {
        switch self {
        case .plain: ""
        case .keyword: "\u{1B}[1;34m"
        case .function: "\u{1B}[36m"
        case .string: "\u{1B}[32m"
        case .number: "\u{1B}[35m"
        case .comment, .hint: "\u{1B}[90m"
        case .metaCommand, .variable: "\u{1B}[33m"
        case .match: "\u{1B}[1;4m"
        case .selected: "\u{1B}[7m"
        case .prompt: "\u{1B}[1m"
        }
    }
    package static let reset = "\u{1B}[0m"
}

package enum SQLHighlighter {
    /// The style of every character. With a cursor behind a bracket, its partner is marked.
    package static func styles(_ characters: [Character], cursor: Int? = nil) -> [TextStyle] {
        var styles = [TextStyle](repeating: .plain, count: characters.count)
        let tokens = SQLToken.tokens(characters)
        for (index, token) in tokens.enumerated() {
            let style: TextStyle
            switch token.kind {
            case .word:
                let word = token.text(characters).uppercased()
                let next = index + 1 < tokens.count ? tokens[index + 1].text(characters) : ""
                let isQualified = index > 0 && tokens[index - 1].text(characters) == "."
                style =
                    isQualified
                    ? .plain : SQLKeywords.all.contains(word) ? .keyword : next == "(" ? .function : .plain
            case .quotedName, .symbol: style = .plain
            case .string: style = .string
            case .number: style = .number
            case .comment: style = .comment
            case .metaCommand: style = .metaCommand
            case .variable: style = .variable
            }
            if style != .plain { for at in token.range { styles[at] = style } }
        }
        if let cursor, let pair = brackets(characters, tokens, cursor) {
            styles[pair.0] = .match
            styles[pair.1] = .match
        }
        return styles
    }

    private static func brackets(_ characters: [Character], _ tokens: [SQLToken], _ cursor: Int) -> (Int, Int)? {
        var open: [Int] = []
        for token in tokens where token.kind == .symbol {
            let at = token.range.lowerBound
            switch characters[at] {
            case "(", "[": open.append(at)
            case ")", "]":
                guard let start = open.popLast() else { return nil }
                if cursor == at + 1 || cursor == start { return (start, at) }
            default: break
            }
        }
        return nil
    }
}
