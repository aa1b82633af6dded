// Meta-commands that concern the shell itself: forms of output, files, variables, the statement that is being written.

import Diagnostics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension Shell {
    private static let includeDepthMax = 16

    /// Runs a command. Some take the statement in front of them, which is still open; without one, the last that ran.
    func runCommand(_ line: String, _ splitter: inout StatementSplitter) async -> Bool {
        guard let command = MetaCommand(line) else { return true }
        let open = splitter.openText
        let statement = open.isEmpty ? lastStatement : open
        switch command.name {
        case "g", "gx", "watch", "plan":
            if !open.isEmpty { lastStatement = open }
            splitter.dropOpenText()
            return await run(command, statement: statement)
        case "r", "reset":
            splitter.dropOpenText()
            tell("The statement is forgotten.")
            return true
        case "p", "print":
            say(statement)
            return true
        case "e", "edit":
            splitter.dropOpenText()
            return await edit(command.arguments.first, statement)
        default: return await run(command, statement: statement)
        }
    }

    private func run(_ command: MetaCommand, statement: String) async -> Bool {
        if let result = await describe(command) { return result }
        if let result = await work(command, statement: statement) { return result }
        let first = command.arguments.first
        switch command.name {
        case "q", "quit", "exit": isAtEnd = true
        case "?",
            "help" where command.arguments.isEmpty:
            say(MetaCommand.help)
        case "h", "help": return statementHelp(command.rest)
        case "x": return setExpanded(first)
        case "timing": showsTiming = toggled(showsTiming, first, "Timing")
        case "stats": showsStatistics = toggled(showsStatistics, first, "Statistics of queries")
        case "progress": showsProgress = toggled(showsProgress, first, "Progress")
        case "format": return setFormat(first)
        case "pset": return setOption(command.arguments)
        case "g", "gx": return await runAgain(command, statement)
        case "copy": return await copy(command.rest)
        case "i", "include": return await include(first)
        case "o", "out": return redirect(command.rest)
        case "echo":
            output.write(variables.interpolated(command.rest) + "\n")
            try? output.flush()
        case "set": return setVariable(command)
        case "unset": if let first { variables[first] = nil }
        case "s": return showHistory(first)
        case "!": return runProgram(command.rest.isEmpty ? Shell.variable("SHELL") ?? "sh" : command.rest) == 0
        case "cd": return changeDirectory(first)
        case "conninfo": say(connection.summary)
        case "c", "connect": return await connectAgain(command.arguments)
        default: return reportAndFail(.syntaxError, "invalid command \\\(command.name)", hint: "Try \\? for help.")
        }
        return true
    }

    // MARK: - Forms of output

    private func toggled(_ value: Bool, _ argument: String?, _ name: String) -> Bool {
        let new = argument.map { $0.lowercased() == "on" } ?? !value
        tell("\(name): \(new ? "on" : "off").")
        return new
    }

    private func setExpanded(_ argument: String?) -> Bool {
        expandsWideRows = argument == "auto"
        switch argument {
        case "auto", "off": format = .table
        case "on": format = .expanded
        default: format = format == .expanded ? .table : .expanded
        }
        tell("Expanded display: \(expandsWideRows ? "auto" : format == .expanded ? "on" : "off").")
        return true
    }

    private func setFormat(_ name: String?) -> Bool {
        guard let name else {
            say(format.rawValue)
            return true
        }
        guard let chosen = OutputFormat(rawValue: name) else {
            return reportAndFail(
                .invalidParameterValue, "there is no format \"\(name)\"",
                hint: "Formats: \(OutputFormat.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        format = chosen
        return true
    }

    private func setOption(_ arguments: [String]) -> Bool {
        let value = arguments.count > 1 ? arguments[1] : ""
        switch arguments.first {
        case nil:
            say(
                """
                null     '\(nullText)'
                border   \(table.border.rawValue)
                pager    \(pager.rawValue)
                columns  \(table.columnsMax.map(String.init) ?? "auto")
                rows     \(table.rowsMax.map(String.init) ?? "all")
                """)
        case "null": nullText = value
        case "border":
            guard let border = TableStyle.Border(rawValue: value) else {
                return reportAndFail(.invalidParameterValue, "border is ascii or unicode")
            }
            table.border = border
        case "pager":
            let names = ["on": "auto", "off": "never"]
            guard let use = PagerUse(rawValue: names[value] ?? value) else {
                return reportAndFail(.invalidParameterValue, "pager is auto, always or never")
            }
            pager = use
        case "columns": table.columnsMax = Int(value).flatMap { $0 > 0 ? $0 : nil }
        case "rows": table.rowsMax = Int(value).flatMap { $0 > 0 ? $0 : nil }
        case "format": return setFormat(value)
        case .some(let name):
            return reportAndFail(
                .invalidParameterValue, "there is no option \"\(name)\"",
                hint: "Options: null, border, pager, columns, rows.")
        }
        return true
    }

    private func redirect(_ path: String) -> Bool {
        try? output.flush()
        guard !path.isEmpty else {
            output = standardOutput
            return true
        }
        do {
            output = try TextOutput(path: Shell.unquotedPath(path))
            return true
        } catch {
            report(QueryError.wrapping(error))
            return false
        }
    }

    private static func unquotedPath(_ path: String) -> String {
        path.count > 1 && path.first == "'" && path.last == "'" ? String(path.dropFirst().dropLast()) : path
    }

    private func runAgain(_ command: MetaCommand, _ statement: String) async -> Bool {
        guard !statement.isEmpty else { return reportAndFail(.syntaxError, "\\\(command.name): there is no statement") }
        var presentation = Presentation()
        if command.name == "gx" { presentation.format = .expanded }
        if !command.rest.isEmpty {
            do { presentation.output = try TextOutput(path: Shell.unquotedPath(command.rest)) } catch {
                report(QueryError.wrapping(error))
                return false
            }
        }
        return await execute(statement, presentation: presentation)
    }

    // MARK: - Statements and scripts

    private func edit(_ path: String?, _ statement: String) async -> Bool {
        if let path {
            return runProgram("\(Shell.editor) '\(path)'") == 0
        }
        guard let edited = editInProgram(statement) else { return false }
        guard !edited.isEmpty else { return true }
        say(edited)
        return await run(script: edited)
    }

    private func include(_ path: String?) async -> Bool {
        guard let path else { return reportAndFail(.syntaxError, "\\i: a file is missing") }
        guard includeDepth < Shell.includeDepthMax else {
            return reportAndFail(.programLimitExceeded, "\\i: files include each other too deep")
        }
        do {
            let text = try ScriptFile.read(path)
            includeDepth += 1
            defer { includeDepth -= 1 }
            return await run(script: text)
        } catch {
            report(QueryError.wrapping(error))
            return false
        }
    }

    private func setVariable(_ command: MetaCommand) -> Bool {
        guard let name = command.arguments.first else {
            for (name, value) in variables.values.sorted(by: { $0.key < $1.key }) { say("\(name) = '\(value)'") }
            return true
        }
        guard ShellVariables.isName(name) else {
            return reportAndFail(.invalidParameterValue, "\"\(name)\" is no name of a variable")
        }
        variables[name] = command.arguments.dropFirst().joined()
        return true
    }

    private func showHistory(_ path: String?) -> Bool {
        let text = (history?.entries ?? []).joined(separator: "\n") + "\n"
        guard let path else {
            say(text)
            return true
        }
        do {
            let file = try TextOutput(path: path)
            file.write(text)
            try file.flush()
            return true
        } catch {
            report(QueryError.wrapping(error))
            return false
        }
    }

    private func changeDirectory(_ path: String?) -> Bool {
        let target = path ?? Shell.variable("HOME") ?? "/"
        guard chdir(target) == 0 else {
            return reportAndFail(.undefinedFile, "\(target): \(String(cString: strerror(errno)))")
        }
        return true
    }

    private func connectAgain(_ arguments: [String]) async -> Bool {
        do {
            if let first = arguments.first {
                guard let connect else { throw QueryError.notSupported("a connection to a server in this build") }
                let address = try ServerAddress(first, defaults: connection.address ?? standardAddress)
                let opened = try await connect(address)
                connection.close()
                connection = opened
            } else {
                try await connection.reconnect()
            }
            say(connection.summary)
            return true
        } catch {
            report(QueryError.wrapping(error))
            return false
        }
    }
}
