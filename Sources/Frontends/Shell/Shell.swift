// The shell: takes statements and meta-commands, runs them, prints what comes back.
//
//   Shell                 state, scripts, pieces of scripts
//   Shell+Execution       one statement: rows, errors, times
//   Shell+Commands        meta-commands
//   Shell+Describe        what there is: \d and its like
//   Shell+Work            queries, workers, plans, statistics
//   Shell+Files, Shell+Programs    files, editors, pagers
//   InteractiveShell      the keyboard

import Diagnostics
import Synchronization

/// What the shell is asked to do at its start.
package struct ShellOptions: Sendable {
    package var format: OutputFormat
    package var showsTiming: Bool
    package var showsStatistics = false
    /// Whether a person types: prompts, greeting, errors do not end the shell.
    package var isInteractive: Bool
    /// Whether a script goes on behind an error.
    package var continuesAfterErrors = false
    package var historyPath: String?
    package var variables = ShellVariables()
    /// Opens the connections of `\\connect`; where an address leaves something out, it is that of `address`.
    package var connect: ServerConnector?
    package var address = ServerAddress.standard(.flightSQL)
    package init(format: OutputFormat, showsTiming: Bool, isInteractive: Bool, historyPath: String? = nil) {
        self.format = format
        self.showsTiming = showsTiming
        self.isInteractive = isInteractive
        self.historyPath = historyPath
    }
}

/// Confined to one task.
package final class Shell {
    package internal(set) var connection: any ShellConnection {
        didSet { cancellation.set(connection) }
    }
    /// What Ctrl-C stops.
    let cancellation: CancellationTarget
    var format: OutputFormat
    /// `\x auto`: rows wider than the terminal are shown expanded.
    var expandsWideRows = false
    var showsTiming: Bool
    var showsStatistics: Bool
    var showsProgress: Bool
    var nullText = ""
    var table: TableStyle
    var pager: PagerUse
    var variables: ShellVariables
    let isInteractive: Bool
    let continuesAfterErrors: Bool
    let connect: ServerConnector?
    let standardAddress: ServerAddress
    var historyPath: String?
    /// Where rows go: standard output, or the file of `\o`.
    var output: TextOutput
    let standardOutput: TextOutput
    let errors: TextOutput
    /// Set by `\q`.
    var isAtEnd = false
    /// Whether any statement or command failed.
    package internal(set) var hasFailed = false
    /// Nesting of `\i`.
    var includeDepth = 0
    /// Where a person types, while one does.
    var terminal: Terminal?
    var history: StatementHistory?
    /// What was run last, for `\e`, `\g` and their like.
    var lastStatement = ""
    /// Set by Ctrl-C.
    let interruption = InterruptionNote()

    package init(
        connection: any ShellConnection, options: ShellOptions, output: TextOutput = TextOutput(descriptor: 1),
        errors: TextOutput = TextOutput(descriptor: 2)
    ) {
        self.connection = connection
        cancellation = CancellationTarget(connection)
        format = options.format
        showsTiming = options.showsTiming
        showsStatistics = options.showsStatistics
        isInteractive = options.isInteractive
        continuesAfterErrors = options.continuesAfterErrors
        connect = options.connect
        standardAddress = options.address
        historyPath = options.historyPath
        variables = options.variables
        showsProgress = options.isInteractive
        table = TableStyle()
        if output.isTerminal, TerminalAbilities.hasUnicode { table.border = .unicode }
        pager = options.isInteractive ? .automatic : .never
        self.output = output
        standardOutput = output
        self.errors = errors
    }

    // MARK: - Scripts

    /// Runs a text of statements and meta-commands; unless told otherwise the first error ends it. Returns whether all
    /// went well.
    package func run(script: String) async -> Bool {
        var splitter = StatementSplitter(takesCommands: true)
        splitter.feed(script.hasSuffix("\n") ? script : script + "\n")
        var succeeded = await runPieces(&splitter)
        if !isAtEnd, succeeded || continuesAfterErrors, let last = splitter.finish() {
            if !(await runStatement(last)) { succeeded = false }
        }
        return succeeded
    }

    /// Runs what is complete.
    func runPieces(_ splitter: inout StatementSplitter) async -> Bool {
        var succeeded = true
        while !isAtEnd, let piece = splitter.next() {
            let isWell: Bool
            switch piece {
            case .statement(let sql): isWell = await runStatement(sql, &splitter)
            case .command(let line): isWell = await runCommand(line, &splitter)
            }
            guard !isWell else { continue }
            succeeded = false
            if !continuesAfterErrors || connection.isLost { break }
        }
        return succeeded
    }

    private func runStatement(_ sql: String) async -> Bool {
        var none = StatementSplitter(takesCommands: true)
        return await runStatement(sql, &none)
    }

    private func runStatement(_ sql: String, _ splitter: inout StatementSplitter) async -> Bool {
        lastStatement = sql
        guard Shell.readsInput(sql) else { return await execute(sql) }
        // The lines behind COPY FROM STDIN, up to `\.`, are its data.
        let rest = splitter.takeRest()
        let (data, behind) = Shell.copyLines(rest)
        splitter.feed(behind)
        return await execute(sql, input: CopyInput(bytes: data))
    }

    /// Whether it is COPY … FROM STDIN.
    static func readsInput(_ sql: String) -> Bool {
        let characters = Array(sql)
        let words = SQLToken.tokens(characters).filter { $0.kind == .word }.map { $0.text(characters).uppercased() }
        guard words.first == "COPY", let from = words.lastIndex(of: "FROM"), from + 1 < words.count else {
            return false
        }
        return words[from + 1] == "STDIN"
    }

    private static func copyLines(_ text: String) -> (data: [UInt8], behind: String) {
        var data: [UInt8] = []
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
        // The rest of the line of the statement itself.
        if let first = lines.first, first.allSatisfy(\.isWhitespace) { lines = lines.dropFirst() }
        while let line = lines.first {
            lines = lines.dropFirst()
            if line == "\\." || line == "\\.\r" { return (data, lines.joined(separator: "\n")) }
            if lines.isEmpty, line.isEmpty { break }
            data += Array(line.utf8) + [0x0A]
        }
        return (data, "")
    }

    // MARK: - What people read

    /// What stands in front of what a person types: `*` within a transaction, `!` within a failed one, `?` without a
    /// connection.
    func prompt(mark: Character) -> String {
        let status = connection.transactionStatus
        let state = connection.isLost ? "?" : status == .inTransaction ? "*" : status == .failed ? "!" : ""
        return "martlet\(mark)\(state)> "
    }

    /// Prints an error as psql does, with the line and a mark under the place.
    func report(_ error: QueryError, severity: String = "ERROR", sql: String? = nil) {
        if severity == "ERROR" { hasFailed = true }
        errors.write(ErrorText.format(error, severity: severity, sql: sql))
        try? errors.flush()
    }

    /// For commands: `false` behind the report.
    func reportAndFail(_ state: SQLState, _ message: String, hint: String? = nil) -> Bool {
        report(QueryError(state, message, hint: hint))
        return false
    }

    func say(_ text: String) {
        standardOutput.write(text + "\n")
        try? standardOutput.flush()
    }

    /// What a command answers a person; scripts do not want it.
    func tell(_ text: String) {
        if isInteractive { say(text) }
    }
}

/// Whether the person has asked to stop since the statement began. Set from the thread that hears Ctrl-C.
final class InterruptionNote: Sendable {
    private let isSet = Atomic(false)
    func note() { isSet.store(true, ordering: .sequentiallyConsistent) }
    func clear() { isSet.store(false, ordering: .sequentiallyConsistent) }
    var isNoted: Bool { isSet.load(ordering: .sequentiallyConsistent) }
}

/// The connection whose statement is to be stopped; asked from the thread that hears Ctrl-C.
final class CancellationTarget: Sendable {
    private let connection: Mutex<any ShellConnection>
    init(_ connection: any ShellConnection) { self.connection = Mutex(connection) }
    func set(_ new: any ShellConnection) { connection.withLock { $0 = new } }
    func cancel() { connection.withLock { $0 }.cancel() }
}
