// Hints for syntax errors that a misspelt keyword may have caused.

/// Finds the keyword a word was probably meant to be.
enum SpellingHint {
    private static let statements: [String] = [
        "select", "insert", "update", "delete", "create", "drop", "alter", "explain", "show", "set", "reset", "copy",
        "truncate", "prepare", "execute", "deallocate", "begin", "start", "commit", "rollback", "savepoint", "release",
        "declare", "fetch", "close", "values", "with", "table", "analyze", "describe", "summarize", "comment",
        "discard", "listen", "notify",
    ]
    private static let clauses: [String] = [
        "from", "where", "group", "order", "having", "limit", "offset", "join", "inner", "left", "right", "outer",
        "cross", "natural", "lateral", "union", "intersect", "except", "distinct", "between", "values", "window",
        "using", "select", "table", "into", "then", "when", "else", "case", "partition", "over", "within", "returning",
        "schema", "view", "exists", "cascade", "interval", "fetch",
    ]

    /// A hint if the token in error or the one before it is nearly a keyword of the grammar.
    static func hint(for lexer: Lexer, token: Token, previous: Token) -> String? {
        let isFirst = previous.kind == .endOfInput || previous.kind == .semicolon
        if let word = plainWord(lexer, token), let match = nearest(word, in: isFirst ? statements : clauses) {
            return "Perhaps you meant \"\(match.uppercasedASCII)\"."
        }
        if !isFirst, let word = plainWord(lexer, previous), let match = nearest(word, in: clauses) {
            return "Perhaps you meant \"\(match.uppercasedASCII)\" instead of \"\(word)\"."
        }
        return nil
    }

    private static func plainWord(_ lexer: Lexer, _ token: Token) -> String? {
        guard token.kind == .word, token.keyword == .noKeyword, token.end - token.start <= 20 else { return nil }
        return lexer.foldedWord(token)
    }

    private static func nearest(_ word: String, in candidates: [String]) -> String? {
        let letters = Array(word.utf8)
        guard letters.count >= 3 else { return nil }
        // Short words have many neighbours: one slip there, two in longer ones.
        var best = letters.count <= 5 ? 2 : 3
        var result: String?
        for candidate in candidates {
            let distance = editDistance(letters, Array(candidate.utf8))
            if distance < best {
                best = distance
                result = candidate
            }
        }
        return result
    }

    /// Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other (optimal string
    /// alignment distance).
    private static func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var beforeLast = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        for i in 1...a.count {
            var current = [i] + [Int](repeating: 0, count: b.count)
            for j in 1...b.count {
                let replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
                current[j] = min(replaced, last[j] + 1, current[j - 1] + 1)
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    current[j] = min(current[j], beforeLast[j - 2] + 1)
                }
            }
            beforeLast = last
            last = current
        }
        return last[b.count]
    }
}

extension String {
    var uppercasedASCII: String {
        String(decoding: utf8.map { $0 &- UInt8(ascii: "a") < 26 ? $0 & 0xDF : $0 }, as: UTF8.self)
    }
}
