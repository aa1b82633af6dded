// The shell: takes statements and meta-commands, runs them, prints what comes back.

import Diagnostics

/// What the shell is asked to do at its start.
package struct ShellOptions: Sendable {
    package var format: OutputFormat
    package var showsTiming: Bool
    /// Whether a person types: prompts, greeting, errors do not end the shell.
    package var isInteractive: Bool
    package var historyPath: String?
    package init(format: OutputFormat, showsTiming: Bool, isInteractive: Bool, historyPath: String? = nil) {
        self.format = format
        self.showsTiming = showsTiming
        self.isInteractive = isInteractive
        self.historyPath = historyPath
    }
}

/// Confined to one task.
package final class Shell {
    let connection: any ShellConnection
    var format: OutputFormat
    var showsTiming: Bool
    var nullText = ""
    let isInteractive: Bool
    var historyPath: String?
    /// Where rows go: standard output, or the file of `\o`.
    var output: TextOutput
    let standardOutput: TextOutput
    let errors: TextOutput
    /// Set by `\q`.
    var isAtEnd = false
    /// Nesting of `\i`.
    var includeDepth = 0

    package init(
        connection: any ShellConnection, options: ShellOptions, output: TextOutput = TextOutput(descriptor: 1),
        errors: TextOutput = TextOutput(descriptor: 2)
    ) {
        self.connection = connection
        format = options.format
        showsTiming = options.showsTiming
        isInteractive = options.isInteractive
        historyPath = options.historyPath
        self.output = output
        standardOutput = output
        self.errors = errors
    }

    /// Runs a text of statements and meta-commands; the first error ends it. Returns whether all went well.
    package func run(script: String) async -> Bool {
        var splitter = StatementSplitter()
        var rest = script[...]
        while !rest.isEmpty, !isAtEnd {
            let end = rest.utf8.firstIndex(of: 0x0A).map { rest.utf8.index(after: $0) } ?? rest.endIndex
            let line = String(rest[..<end])
            rest = rest[end...]
            if !(await take(line: line, &splitter)), !isInteractive { return false }
        }
        if !isAtEnd, let last = splitter.finish() { return await execute(last) }
        return true
    }

    /// Takes one line: part of a statement, or a meta-command.
    func take(line: String, _ splitter: inout StatementSplitter) async -> Bool {
        if splitter.isEmpty, let command = MetaCommand(line) {
            splitter.discard()
            return await run(command)
        }
        for statement in splitter.append(line) where !(await execute(statement)) { return false }
        return true
    }

    /// Runs one statement and prints its result. Returns whether it went well.
    func execute(_ sql: String) async -> Bool {
        await execute(sql, transform: nil)
    }

    func execute(_ sql: String, transform: ((ResultRows) -> ResultRows)?) async -> Bool {
        let clock = ContinuousClock()
        let start = clock.now
        var renderer: (any ResultRenderer)?
        do {
            let output = self.output
            let format = self.format
            let nullText = self.nullText
            try await connection.run(sql) { event in
                switch event {
                case .notice(let notice): report(notice, severity: "NOTICE", sql: sql)
                case .columns(let columns):
                    renderer = format.makeRenderer(columns, output: output, nullText: nullText)
                case .rows(let rows): try renderer?.append(transform.map { $0(rows) } ?? rows)
                case .done(let tag):
                    if let current = renderer {
                        try current.finish()
                        renderer = nil
                    } else if format.isForPeople, !tag.isEmpty {
                        output.write(tag + "\n")
                    }
                    try output.flushIfLarge()
                }
            }
            try output.flush()
            reportTime(clock.now - start)
            return true
        } catch {
            try? output.flush()
            report(QueryError.wrapping(error), severity: "ERROR", sql: sql)
            if isInteractive { reportTime(clock.now - start) }
            return false
        }
    }

    // MARK: - Reports

    private func reportTime(_ duration: Duration) {
        guard showsTiming else { return }
        let parts = duration.components
        let microseconds = parts.seconds * 1_000_000 + parts.attoseconds / 1_000_000_000_000
        let fraction = String(1000 + microseconds % 1000).dropFirst()
        let line = "Time: \(microseconds / 1000).\(fraction) ms\n"
        let target = isInteractive ? standardOutput : errors
        target.write(line)
        try? target.flush()
    }

    /// Prints an error as psql does, with the line and a mark under the place.
    func report(_ error: QueryError, severity: String, sql: String?) {
        errors.write(ErrorText.format(error, severity: severity, sql: sql))
        try? errors.flush()
    }

    func say(_ text: String) {
        standardOutput.write(text + "\n")
        try? standardOutput.flush()
    }
}

/// Errors as text for people.
package enum ErrorText {
    private static let lineWidthMax = 100

    package static func format(_ error: QueryError, severity: String = "ERROR", sql: String? = nil) -> String {
        var text = "\(severity):  \(error.message)\n"
        if let sql, let position = error.position, let place = mark(sql, position.offset) { text += place }
        if let detail = error.detail { text += "DETAIL:  \(detail)\n" }
        if let hint = error.hint { text += "HINT:  \(hint)\n" }
        return text
    }

    /// `LINE 2: …` and a caret below the place; long lines are cut on both sides.
    private static func mark(_ sql: String, _ offset: Int) -> String? {
        let scalars = Array(sql.unicodeScalars)
        guard offset >= 0, offset <= scalars.count else { return nil }
        var line = 1
        var start = 0
        for index in 0..<offset where scalars[index] == "\n" {
            line += 1
            start = index + 1
        }
        var end = offset
        while end < scalars.count, scalars[end] != "\n", scalars[end] != "\r" { end += 1 }
        var prefix = "LINE \(line): "
        var column = offset - start
        if end - start > lineWidthMax {
            let from = max(start, min(offset - lineWidthMax / 2, end - lineWidthMax))
            if from > start { prefix += "..." }
            column = offset - from
            let to = min(end, from + lineWidthMax)
            let suffix = to < end ? "..." : ""
            start = from
            end = to
            return prefix + string(scalars[start..<end]) + suffix + "\n"
                + caret(prefix, scalars[start..<(start + column)])
        }
        return prefix + string(scalars[start..<end]) + "\n" + caret(prefix, scalars[start..<(start + column)])
    }

    private static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars.lazy.map { $0 == "\t" ? " " : $0 })
        return String(view)
    }

    private static func caret(_ prefix: String, _ before: ArraySlice<Unicode.Scalar>) -> String {
        String(repeating: " ", count: prefix.count + DisplayWidth.columns(string(before))) + "^\n"
    }
}
