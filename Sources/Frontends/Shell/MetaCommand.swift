// Commands of the shell itself: a backslash and a name, words behind it. Which there are, and how their lines are read.

/// A line such as `\d orders`.
package struct MetaCommand: Sendable {
    package var name: String
    /// Words; quotes around one are gone if they are single ones, for paths and texts with blanks.
    package var arguments: [String]
    /// Everything behind the name as it stands there, for commands that take SQL.
    package var rest: String

    package init?(_ line: String) {
        var text = line[...]
        while text.first?.isWhitespace == true { text = text.dropFirst() }
        guard text.first == "\\" else { return nil }
        text = text.dropFirst()
        let end = text.firstIndex { $0.isWhitespace || $0 == ";" } ?? text.endIndex
        name = String(text[..<end])
        text = text[end...]
        while text.first?.isWhitespace == true { text = text.dropFirst() }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        rest = String(text)
        arguments = MetaCommand.words(text)
        // A trailing semicolon is habit.
        if name != "echo", name != "set", let last = arguments.last, last.hasSuffix(";") {
            arguments.removeLast()
            if last != ";" { arguments.append(String(last.dropLast())) }
        }
    }

    private static func words(_ text: Substring) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        for character in text {
            if let open = quote {
                if character == open { quote = nil }
                if character != open || open == "\"" { word?.append(character) }
            } else if character.isWhitespace {
                if let done = word { words.append(done) }
                word = nil
            } else if character == "'" || character == "\"" {
                quote = character
                word = (word ?? "") + (character == "\"" ? "\"" : "")
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if let word { words.append(word) }
        return words
    }

    package struct Entry: Sendable {
        /// The first is the one that help shows.
        package var names: [String]
        package var arguments: String
        package var text: String
        init(_ names: String, _ arguments: String, _ text: String) {
            self.names = names.split(separator: " ").map(String.init)
            self.arguments = arguments
            self.text = text
        }
    }

    package static let sections: [(title: String, entries: [Entry])] = [
        (
            "General",
            [
                Entry("?", "", "this help"), Entry("h help", "[STATEMENT]", "the form of a statement"),
                Entry("q quit exit", "", "leave the shell"), Entry("conninfo", "", "what the shell is connected to"),
                Entry("connect c", "[HOST:PORT]", "connect to a server, or begin a new session"),
                Entry("!", "COMMAND", "run a command of the system"), Entry("cd", "[DIR]", "change the directory"),
            ]
        ),
        (
            "What there is",
            [
                Entry("d", "[NAME]", "tables and views, or the columns and keys of one"),
                Entry("dt", "[PATTERN]", "tables"), Entry("dv", "[PATTERN]", "views"),
                Entry("dm", "[PATTERN]", "materialized views"), Entry("di", "[PATTERN]", "indexes"),
                Entry("ds", "[PATTERN]", "sequences"), Entry("dn", "[PATTERN]", "schemas"),
                Entry("df", "[PATTERN]", "functions"), Entry("dT", "[PATTERN]", "types"),
                Entry("l list", "", "catalogues"),
            ]
        ),
        (
            "Rows",
            [
                Entry("x", "[on|off|auto]", "one value a line"),
                Entry("format", "[FORMAT]", OutputFormat.allCases.map(\.rawValue).joined(separator: ", ")),
                Entry("pset", "[OPTION [VALUE]]", "null, border, pager, columns, rows"),
                Entry("o out", "[FILE]", "write rows to a file or |program, or to the terminal again"),
                Entry("g", "[FILE]", "run the statement, its rows to a file or |program"),
                Entry("gx", "", "run the statement, one value a line"),
                Entry("watch", "[SECONDS [TIMES]]", "run the statement again and again"),
                Entry("copy", "TABLE|(QUERY) FROM|TO FILE …", "COPY with a file of this side"),
            ]
        ),
        (
            "Statements",
            [
                Entry("e edit", "[FILE]", "edit the statement or a file in $EDITOR"),
                Entry("p print", "", "show the statement"),
                Entry("r reset", "", "forget the statement"), Entry("i include", "FILE", "run a file"),
                Entry("s", "[FILE]", "show the history, or write it to a file"),
                Entry("echo", "TEXT", "print a text"),
                Entry("set", "[NAME [VALUE]]", "a variable, for :NAME, :'NAME' and :\"NAME\" in statements"),
                Entry("unset", "NAME", "forget a variable"),
            ]
        ),
        (
            "Work",
            [
                Entry("timing", "[on|off]", "time of each statement"),
                Entry("stats", "[on|off]", "what each query used: times, bytes, memory, stages"),
                Entry("progress", "[on|off]", "how far a long query is"),
                Entry("plan", "[STATEMENT]", "run and show the plan with rows and times"),
                Entry("queries", "[all]", "queries that run, or those that ended too"), Entry("workers", "", "workers"),
                Entry("cancel", "QUERY", "stop a query, by the beginning of its id"),
            ]
        ),
    ]

    package static let names: [String] = sections.flatMap { $0.entries.flatMap(\.names) }.sorted()

    static var help: String {
        var text = "Statements end with a semicolon, or with \\g. Commands of the shell:\n"
        for section in sections {
            text += "\n\(section.title)\n"
            for entry in section.entries {
                let start = "  \\\(entry.names[0]) \(entry.arguments)"
                let padding = String(repeating: " ", count: max(1, 34 - DisplayWidth.columns(start)))
                text += "\(start)\(padding)\(entry.text)\n"
            }
        }
        return text
    }
}
