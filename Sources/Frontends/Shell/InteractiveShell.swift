// The shell at a terminal: the line editor between keyboard and statements.

import Diagnostics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension Shell {
    /// Reads statements until the end of input or `\q`.
    package func runInteractive() async {
        say("\(connection.summary)\nType \\? for help, \\q to quit.")
        guard let terminal = Terminal() else {
            _ = await run(script: (try? ScriptFile.read("-")) ?? "")
            return
        }
        self.terminal = terminal
        defer {
            self.terminal = nil
            terminal.close()
        }
        let reader = StatementReader(shell: self, terminal: terminal)
        var splitter = StatementSplitter(takesCommands: true)
        while !isAtEnd {
            switch await reader.read() {
            case .end:
                say("")
                return
            case .interrupted: splitter.discard()
            case .text(let text):
                interruption.clear()
                terminal.onInterrupt { [interruption, cancellation] in
                    interruption.note()
                    cancellation.cancel()
                }
                await runEntered(text, &splitter)
                terminal.onInterrupt(nil)
                if Shell.changesNames(text) { reader.completionSource.forget() }
            }
        }
    }

    /// What was entered at once: statements and commands. After an error the rest is not run.
    private func runEntered(_ text: String, _ splitter: inout StatementSplitter) async {
        await reconnectIfLost()
        splitter.feed(text + "\n")
        _ = await runPieces(&splitter)
        splitter.discard()
        await reconnectIfLost()
    }

    private func reconnectIfLost() async {
        guard connection.isLost else { return }
        do {
            try await connection.reconnect()
            say("Connected again. Settings, transactions and prepared statements of the session are gone.")
        } catch {
            say("There is no connection to the server; the next statement tries again.")
        }
    }

    private static func changesNames(_ text: String) -> Bool {
        let upper = text.uppercased()
        return ["CREATE", "DROP", "ALTER", "\\I", "SET", "ROLLBACK"].contains { upper.contains($0) }
    }

    /// Whether a text that was typed can be run: a command of the shell, or statements of which none is open.
    static func isComplete(_ text: String) -> Bool {
        var first = text[...]
        while first.first?.isWhitespace == true { first = first.dropFirst() }
        if first.first == "\\" { return true }
        // A command behind a statement, such as `\gx`, ends it too.
        var splitter = StatementSplitter(takesCommands: true)
        splitter.feed(text + "\n")
        var isBehindCommand = false
        while let piece = splitter.next() {
            if case .command = piece { isBehindCommand = true } else { isBehindCommand = false }
        }
        return isBehindCommand || splitter.isEmpty
    }
}

/// Reads what a person enters, with all that the terminal can do. Confined to the shell's task.
final class StatementReader {
    enum Input { case text(String), interrupted, end }

    let completionSource: CompletionSource
    private let shell: Shell
    private let terminal: Terminal
    private let history: StatementHistory
    private let isPlain: Bool
    private let usesColour: Bool
    private var events: AsyncStream<TerminalEvent>.Iterator
    private var decoder = KeyDecoder()
    private var editor: LineEditorInstance
    private var screen: EditorScreen
    private var pending: [Key] = []
    /// Bytes of a line, on a terminal that only knows lines.
    private var line: [UInt8] = []

    init(shell: Shell, terminal: Terminal) {
        self.shell = shell
        self.terminal = terminal
        history = StatementHistory(path: shell.historyPath)
        isPlain = !TerminalAbilities.canMoveCursor
        usesColour = TerminalAbilities.hasColour(descriptor: 1)
        events = terminal.events.makeAsyncIterator()
        editor = LineEditorInstance(history: history, isComplete: Shell.isComplete)
        screen = EditorScreen(width: terminal.size.columns, height: terminal.size.rows, usesColour: usesColour)
        completionSource = CompletionSource(shell: shell)
        shell.history = history
    }

    func read() async -> Input {
        if isPlain { return await readPlain() }
        terminal.enterRawMode()
        // Pastes come between marks, so that a pasted line end is none that was typed.
        terminal.write("\u{1B}[?2004h")
        screen.resize(width: terminal.size.columns, height: terminal.size.rows)
        screen.forget()
        paint()
        let input = await readKeys()
        terminal.write("\u{1B}[?2004l")
        switch input {
        case .text(let text): remember(text)
        case .end: terminal.leaveRawMode()
        case .interrupted: break
        }
        return input
    }

    private func readKeys() async -> Input {
        while true {
            while !pending.isEmpty {
                for directive in editor.handle(pending.removeFirst()) {
                    if let input = await carryOut(directive) { return input }
                }
            }
            paint()
            switch await events.next() {
            case .bytes(let bytes): pending += decoder.decode(bytes)
            case .pause: pending += decoder.flush()
            case .interrupted: pending.append(.control("c"))
            case .resized: screen.resize(width: terminal.size.columns, height: terminal.size.rows)
            case .continued: screen.forget()
            case .end, nil: return .end
            }
        }
    }

    private func carryOut(_ directive: LineEditorInstance.Directive) async -> Input? {
        switch directive {
        case .submit(let text):
            paintFinal(text)
            return .text(text)
        case .interrupted(let text):
            paintFinal(text)
            return .interrupted
        case .end:
            terminal.write(screen.erase())
            return .end
        case .complete(let context):
            let found = await completionSource.completions(for: context)
            for directive in editor.offer(found, for: context) { _ = await carryOut(directive) }
        case .bell: terminal.write("\u{07}")
        case .clearScreen:
            terminal.write("\u{1B}[H\u{1B}[2J")
            screen.forget()
        case .suspend:
            terminal.write(screen.leave())
            terminal.suspend()
        case .editElsewhere(let text):
            terminal.write(screen.erase())
            if let edited = shell.editInProgram(text) { editor.replaceText(edited) }
        }
        return nil
    }

    /// One entry for each statement.
    private func remember(_ text: String) {
        guard text.first != " " else { return }
        var splitter = StatementSplitter()
        let statements = splitter.append(text + "\n")
        if statements.count > 1, text.first != "\\", splitter.isEmpty {
            for statement in statements { history.add(statement + ";") }
        } else {
            history.add(text)
        }
    }

    // MARK: - What is seen

    private func paint() {
        var view = EditorView()
        view.characters = editor.buffer.characters
        view.cursor = editor.buffer.cursor
        view.prompt = shell.prompt(mark: "=")
        view.continuationPrompt = shell.prompt(mark: "-")
        if usesColour { view.styles = SQLHighlighter.styles(view.characters, cursor: view.cursor) }
        switch editor.mode {
        case .editing: view.hint = editor.hint
        case .menu(let menu):
            view.menu = menu.items
            view.selected = menu.selected
        case .searching(let text, let found):
            view.prompt = "(\(found == nil && !text.isEmpty ? "no match" : "search") '\(text)'): "
        }
        terminal.write(screen.paint(view))
    }

    /// The text as it stays on the screen: without hints and menus.
    private func paintFinal(_ text: String) {
        var view = EditorView()
        view.characters = Array(text)
        view.cursor = view.characters.count
        view.prompt = shell.prompt(mark: "=")
        view.continuationPrompt = shell.prompt(mark: "-")
        if usesColour { view.styles = SQLHighlighter.styles(view.characters) }
        terminal.write(screen.paint(view) + screen.leave())
    }

    // MARK: - Terminals that only know lines

    private func readPlain() async -> Input {
        var text = ""
        while true {
            terminal.write(shell.prompt(mark: text.isEmpty ? "=" : "-"))
            switch await readLine() {
            case .text(let line):
                text += (text.isEmpty ? "" : "\n") + line
                guard Shell.isComplete(text) else { continue }
                remember(text)
                return .text(text)
            case .interrupted:
                terminal.write("\n")
                return .interrupted
            case .end: return .end
            }
        }
    }

    private func readLine() async -> Input {
        while true {
            if let end = line.firstIndex(of: 0x0A) {
                let text = String(decoding: line[..<end], as: UTF8.self)
                line.removeFirst(end + 1)
                return .text(text)
            }
            switch await events.next() {
            case .bytes(let bytes): line += bytes
            case .interrupted:
                line = []
                return .interrupted
            case .end, nil: return .end
            case .pause, .resized, .continued: continue
            }
        }
    }
}

/// What the terminal is able to do, by what its environment says.
package enum TerminalAbilities {
    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    package static var canMoveCursor: Bool {
        guard let kind = variable("TERM") else { return false }
        return kind != "dumb"
    }

    /// https://no-color.org: any value of NO_COLOR switches colours off.
    package static func hasColour(descriptor: Int32) -> Bool {
        isatty(descriptor) == 1 && canMoveCursor && variable("NO_COLOR") == nil
    }

    package static var hasUnicode: Bool {
        let value = variable("LC_ALL") ?? variable("LC_CTYPE") ?? variable("LANG") ?? ""
        let upper = value.uppercased()
        return upper.contains("UTF-8") || upper.contains("UTF8")
    }
}
