// What can stand at the cursor: found from the words around it, without asking anybody.

/// A place in a statement for which there may be completions.
package struct CompletionContext: Hashable, Sendable {
    package enum Subject: Hashable, Sendable {
        case metaCommand
        /// Paths of files; `closing` is the quote that ends one.
        case path(closing: String)
        case setting
        /// Tables and views; `within` is what the name was qualified by so far.
        case relation(within: [String])
        /// Columns of one relation of the statement, found by name or alias, or else relations within a schema.
        case member(of: [String])
        /// Keywords that begin statements.
        case statement
        /// Columns of the statement's relations, functions, keywords, relations.
        case expression
        case functionName
        case schema
        case format
    }

    /// A relation that the statement names.
    package struct Relation: Hashable, Sendable {
        package var name: [String]
        package var alias: String?
        package init(name: [String], alias: String?) {
            self.name = name
            self.alias = alias
        }
    }

    package var subject: Subject
    /// What is written of the word, without its opening quote, and where it begins.
    package var prefix: String
    package var range: Range<Int>
    package var isQuoted = false
    package var relations: [Relation] = []

    private static let relationStarters: Set<String> = [
        "FROM", "JOIN", "INTO", "UPDATE", "TABLE", "DESCRIBE", "VIEW", "TRUNCATE", "ANALYZE", "COPY", "REFERENCES",
    ]
    /// Words that end a list of relations.
    private static let clauseStarters: Set<String> = [
        "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "OFFSET", "SET", "VALUES", "SELECT", "UNION", "EXCEPT",
        "INTERSECT", "WINDOW", "RETURNING", "ON", "USING", "FETCH", "LEFT", "RIGHT", "INNER", "FULL", "CROSS",
        "NATURAL", "JOIN", "LATERAL", "TABLESAMPLE", "FOR", "WITH", "AS", "DO",
    ]

    package init(subject: Subject, prefix: String, range: Range<Int>) {
        self.subject = subject
        self.prefix = prefix
        self.range = range
    }

    package init(_ characters: [Character], cursor: Int) {
        let statement = Self.statementStart(characters, cursor)
        let tokens = SQLToken.tokens(characters)
        var before = tokens.filter { $0.range.upperBound <= cursor && $0.range.lowerBound >= statement }
        let touched = tokens.last { $0.range.lowerBound < cursor && cursor <= $0.range.upperBound }

        // Inside a text: a path. Inside a quoted name: a name.
        if let token = touched, token.kind == .string, cursor < token.range.upperBound || !token.isClosed {
            let start = token.range.lowerBound + 1
            self.init(
                subject: .path(closing: "'"), prefix: String(characters[min(start, cursor)..<cursor]),
                range: min(start, cursor)..<cursor)
            return
        }
        if let token = tokens.first, token.kind == .metaCommand {
            self = Self.behindMetaCommand(characters, token, cursor)
            return
        }
        var prefix = ""
        var range = cursor..<cursor
        var isQuoted = false
        if let token = touched, token.kind == .word || token.kind == .quotedName, token.range.upperBound >= cursor {
            isQuoted = token.kind == .quotedName
            range = token.range.lowerBound..<cursor
            prefix = String(characters[(token.range.lowerBound + (isQuoted ? 1 : 0))..<cursor])
            before.removeAll { $0.range.upperBound > token.range.lowerBound }
        } else if let token = touched, token.kind == .number || token.kind == .comment || token.kind == .variable {
            self.init(subject: .expression, prefix: "\u{0}", range: range)
            return
        }
        let qualifiers = Self.qualifiers(characters, &before)
        let words = before.filter { $0.kind != .comment }.map { token in
            token.kind == .word ? token.text(characters).uppercased() : token.text(characters)
        }
        self.init(
            subject: Self.subject(words, qualifiers), prefix: prefix, range: range)
        self.isQuoted = isQuoted
        relations = Self.relations(characters, tokens.filter { $0.range.lowerBound >= statement })
    }

    /// The names with points behind them that stand directly before the cursor.
    private static func qualifiers(_ characters: [Character], _ before: inout [SQLToken]) -> [String] {
        var names: [String] = []
        while before.count >= 2, before[before.count - 1].text(characters) == "." {
            let name = before[before.count - 2]
            guard name.kind == .word || name.kind == .quotedName else { break }
            names.insert(unquoted(name.text(characters)), at: 0)
            before.removeLast(2)
        }
        return names
    }

    package static func unquoted(_ name: String) -> String {
        guard name.hasPrefix("\"") else { return name.lowercased() }
        return name.dropFirst().dropLast(name.count > 1 && name.hasSuffix("\"") ? 1 : 0).split(
            separator: "\"\"", omittingEmptySubsequences: false
        ).joined(separator: "\"")
    }

    private static func subject(_ words: [String], _ qualifiers: [String]) -> Subject {
        guard let last = words.last else { return qualifiers.isEmpty ? .statement : .member(of: qualifiers) }
        if last == "EXPLAIN" || (last == "ANALYZE" && words.dropLast().last == "EXPLAIN") { return .statement }
        if ["SET", "SHOW", "RESET"].contains(last), words.count == 1 { return .setting }
        if isRelationPlace(words) { return .relation(within: qualifiers) }
        return qualifiers.isEmpty ? .expression : .member(of: qualifiers)
    }

    private static func isRelationPlace(_ words: [String]) -> Bool {
        guard let last = words.last else { return false }
        if relationStarters.contains(last) { return true }
        if ["EXISTS", "ONLY"].contains(last) {
            return words.contains { $0 == "DROP" || $0 == "TABLE" || $0 == "FROM" } && !words.contains("WHERE")
        }
        guard last == "," else { return false }
        // A comma continues the list whose nearest clause at this depth of parentheses is FROM.
        var depth = 0
        for word in words.dropLast().reversed() {
            switch word {
            case ")": depth += 1
            case "(":
                depth -= 1
                if depth < 0 { return false }
            case _ where depth > 0: continue
            case "FROM": return true
            case "SELECT", "WHERE", "GROUP", "ORDER", "BY", "ON", "SET", "VALUES", "HAVING": return false
            default: continue
            }
        }
        return false
    }

    private static func statementStart(_ characters: [Character], _ cursor: Int) -> Int {
        SQLToken.tokens(characters).last {
            $0.kind == .symbol && $0.range.upperBound <= cursor && characters[$0.range.lowerBound] == ";"
        }?.range.upperBound ?? 0
    }

    /// Relations that stand behind FROM, JOIN, UPDATE or INTO anywhere in the statement, sub-queries included.
    static func relations(_ characters: [Character], _ tokens: [SQLToken]) -> [Relation] {
        var found: [Relation] = []
        var index = 0
        var isExpected = false
        func upper(_ index: Int) -> String {
            guard index < tokens.count else { return "" }
            let text = tokens[index].text(characters)
            return tokens[index].kind == .word ? text.uppercased() : text
        }
        func isName(_ index: Int) -> Bool {
            guard index < tokens.count else { return false }
            return tokens[index].kind == .quotedName
                || (tokens[index].kind == .word && !clauseStarters.contains(upper(index)))
        }
        while index < tokens.count {
            let word = upper(index)
            if tokens[index].kind == .symbol, word == ";" { break }
            if ["FROM", "JOIN", "INTO", "UPDATE", "TABLE"].contains(word) {
                isExpected = true
                index += 1
                continue
            }
            guard isExpected else {
                index += 1
                continue
            }
            guard isName(index) else {
                isExpected = ["ONLY", "LATERAL"].contains(word)
                index += 1
                continue
            }
            var name = [unquoted(tokens[index].text(characters))]
            index += 1
            while upper(index) == ".", isName(index + 1) {
                name.append(unquoted(tokens[index + 1].text(characters)))
                index += 2
            }
            var alias: String?
            if upper(index) == "AS" { index += 1 }
            if isName(index), upper(index) != "(" {
                alias = unquoted(tokens[index].text(characters))
                index += 1
            }
            found.append(Relation(name: name, alias: alias))
            isExpected = upper(index) == ","
            if isExpected { index += 1 }
        }
        return found
    }

    private static func behindMetaCommand(
        _ characters: [Character], _ command: SQLToken, _ cursor: Int
    ) -> CompletionContext {
        if cursor <= command.range.upperBound {
            return CompletionContext(
                subject: .metaCommand, prefix: String(characters[command.range.lowerBound..<cursor]),
                range: command.range.lowerBound..<cursor)
        }
        var start = cursor
        while start > command.range.upperBound, !characters[start - 1].isWhitespace { start -= 1 }
        let prefix = String(characters[start..<cursor])
        let subject: Subject
        switch command.text(characters) {
        case "\\i", "\\include", "\\o", "\\out", "\\e", "\\copy": subject = .path(closing: "")
        case "\\format": subject = .format
        case "\\df", "\\df+": subject = .functionName
        case "\\dn": subject = .schema
        case "\\h", "\\help": subject = .statement
        case "\\d", "\\d+", "\\dt", "\\dt+", "\\dv", "\\dv+": subject = .relation(within: [])
        default: subject = .expression
        }
        if case .relation = subject, let point = prefix.lastIndex(of: ".") {
            let within = prefix[..<point].split(separator: ".").map { unquoted(String($0)) }
            let rest = String(prefix[prefix.index(after: point)...])
            return CompletionContext(
                subject: .relation(within: within), prefix: rest, range: (cursor - rest.count)..<cursor)
        }
        return CompletionContext(subject: subject, prefix: prefix, range: start..<cursor)
    }
}
