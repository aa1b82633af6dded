// Commands of the shell itself: lines that begin with a backslash.

import Diagnostics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A line such as `\d orders`.
struct MetaCommand {
    var name: String
    var arguments: [String]

    init?(_ line: String) {
        var words = line.split { $0.isWhitespace }.map(String.init)
        guard let first = words.first, first.hasPrefix("\\") else { return nil }
        words.removeFirst()
        name = String(first.dropFirst())
        // A trailing semicolon is habit.
        if words.last == ";" { words.removeLast() }
        if let last = words.last, last.hasSuffix(";"), name != "echo" {
            words[words.count - 1] = String(last.dropLast())
        }
        if words.isEmpty, name.hasSuffix(";") { name = String(name.dropLast()) }
        arguments = words
    }

    static let help = """
        Statements end with a semicolon. Commands of the shell:
          \\? , \\h             this help
          \\q                  quit
          \\d [NAME]           tables, or the columns of one
          \\dt  \\dv            tables and views; views
          \\dn  \\l  \\df        schemas; catalogues; functions
          \\x                  one value a line, on or off
          \\format [FORMAT]    \(OutputFormat.allCases.map(\.rawValue).joined(separator: ", "))
          \\pset null TEXT     what NULL is shown as
          \\timing [on|off]    time of each statement
          \\i FILE             run a file
          \\o [FILE]           write rows to a file, or to the terminal again
          \\echo TEXT          print a text
          \\conninfo           what the shell is connected to
        """
}

extension Shell {
    private static let includeDepthMax = 16

    /// Runs a meta-command. Returns whether it went well.
    func run(_ command: MetaCommand) async -> Bool {
        switch command.name {
        case "q", "quit": isAtEnd = true
        case "?", "h", "help": say(MetaCommand.help)
        case "d" where !command.arguments.isEmpty: return await execute("DESCRIBE \(command.arguments[0])")
        case "d", "dt", "d+", "dt+": return await execute("SHOW TABLES")
        case "dv": return await execute("SHOW TABLES", transform: Shell.onlyViews)
        case "dn": return await execute("SHOW SCHEMAS")
        case "l", "list": return await execute("SHOW DATABASES")
        case "df": return await execute("SHOW FUNCTIONS")
        case "x": toggleExpanded()
        case "timing":
            showsTiming = command.arguments.first.map { $0 == "on" } ?? !showsTiming
            if isInteractive { say("Timing is \(showsTiming ? "on" : "off").") }
        case "format": return setFormat(command.arguments.first)
        case "pset" where command.arguments.first == "null":
            nullText = command.arguments.count > 1 ? command.arguments[1] : ""
        case "i", "include": return await include(command.arguments.first)
        case "o", "out": return redirect(command.arguments.first)
        case "echo":
            output.write(command.arguments.joined(separator: " ") + "\n")
            try? output.flush()
        case "conninfo": say(connection.summary)
        default:
            report(
                QueryError(.syntaxError, "invalid command \\\(command.name)", hint: "Try \\? for help."),
                severity: "ERROR",
                sql: nil)
            return false
        }
        return true
    }

    private static func onlyViews(_ rows: ResultRows) -> ResultRows {
        var texts: [[[UInt8]?]] = []
        for row in 0..<rows.rowCount {
            let values = (0..<4).map { column -> [UInt8]? in
                var text: [UInt8] = []
                rows.append(row, column, into: &text)
                return text
            }
            if values.last == Array("view".utf8) { texts.append(values) }
        }
        return ResultRows(texts: texts)
    }

    private func toggleExpanded() {
        format = format == .expanded ? .table : .expanded
        if isInteractive { say("Expanded display is \(format == .expanded ? "on" : "off").") }
    }

    private func setFormat(_ name: String?) -> Bool {
        guard let name else {
            say(format.rawValue)
            return true
        }
        guard let chosen = OutputFormat(rawValue: name) else {
            report(
                QueryError(
                    .invalidParameterValue, "there is no format \"\(name)\"",
                    hint: "Formats: \(OutputFormat.allCases.map(\.rawValue).joined(separator: ", "))."),
                severity: "ERROR",
                sql: nil)
            return false
        }
        format = chosen
        return true
    }

    private func include(_ path: String?) async -> Bool {
        guard let path else {
            report(QueryError(.syntaxError, "\\i: a file is missing"), severity: "ERROR", sql: nil)
            return false
        }
        guard includeDepth < Shell.includeDepthMax else {
            report(
                QueryError(.programLimitExceeded, "\\i: files include each other too deep"), severity: "ERROR", sql: nil
            )
            return false
        }
        do {
            let text = try ScriptFile.read(path)
            includeDepth += 1
            defer { includeDepth -= 1 }
            return await run(script: text)
        } catch {
            report(QueryError.wrapping(error), severity: "ERROR", sql: nil)
            return false
        }
    }

    private func redirect(_ path: String?) -> Bool {
        try? output.flush()
        guard let path else {
            output = standardOutput
            return true
        }
        do {
            output = try TextOutput(path: path)
            return true
        } catch {
            report(QueryError.wrapping(error), severity: "ERROR", sql: nil)
            return false
        }
    }
}

/// Files of statements.
package enum ScriptFile {
    /// The whole text; `-` is standard input.
    package static func read(_ path: String) throws -> String {
        let descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw QueryError(.undefinedFile, "\(path): \(String(cString: strerror(errno)))", object: path)
        }
        defer { if descriptor > 0 { close(descriptor) } }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            #if canImport(Glibc)
                let count = Glibc.read(descriptor, &piece, piece.count)
            #else
                let count = Darwin.read(descriptor, &piece, piece.count)
            #endif
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw QueryError(.ioError, "\(path): \(String(cString: strerror(errno)))", object: path)
            }
            bytes.append(contentsOf: piece[..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
