// One statement: its rows on their way to the terminal, a file or a program; its errors and times; how far it is.

import Diagnostics

/// How the rows of one statement are shown, where it differs from the shell's.
struct Presentation {
    var format: OutputFormat?
    var output: TextOutput?
    /// Stands above the rows.
    var title: String?
    /// Stands below them, in place of their number.
    var footer: String?
    var isQuiet = false
}

extension Shell {
    /// Runs one statement and prints its result. Returns whether it went well.
    @discardableResult
    func execute(
        _ text: String, input: CopyInput? = nil, copyOutput: TextOutput? = nil,
        presentation: Presentation = Presentation()
    ) async -> Bool {
        let sql = variables.interpolated(text)
        let start = ContinuousClock.now
        let sink = ResultSink(shell: self, presentation: presentation, copyOutput: copyOutput, sql: sql)
        let monitor = showsProgress && !presentation.isQuiet ? ProgressMonitor(connection, output: standardOutput) : nil
        monitor?.start()
        do {
            try await connection.run(sql, input: input) { event in
                switch event {
                case .rows, .copyData: monitor?.hide()
                default: break
                }
                try sink.take(event)
            }
            await monitor?.stop()
            try sink.close()
            variables["ROW_COUNT"] = String(sink.rowCount)
            variables["SQLSTATE"] = "00000"
            if !presentation.isQuiet { await reportWork(ContinuousClock.now - start, sink) }
            return true
        } catch {
            await monitor?.stop()
            if sink.abandon() { return true }
            let error = QueryError.wrapping(error)
            variables["SQLSTATE"] = error.state.description
            variables["LAST_ERROR_MESSAGE"] = error.message
            report(error, sql: sql)
            if isInteractive, !presentation.isQuiet { reportTime(ContinuousClock.now - start) }
            return false
        }
    }

    private func reportWork(_ duration: Duration, _ sink: ResultSink) async {
        reportTime(duration)
        if showsStatistics, sink.hasRows { await reportStatistics() }
    }

    func reportTime(_ duration: Duration) {
        guard showsTiming else { return }
        let target = isInteractive ? standardOutput : errors
        target.write("Time: \(ShellText.milliseconds(duration)) ms\n")
        try? target.flush()
    }
}

/// Takes the events of one statement and prints them. Confined to the shell.
private final class ResultSink {
    private let shell: Shell
    private let presentation: Presentation
    private let copyOutput: TextOutput?
    private let sql: String
    private let output: TextOutput
    private var renderer: (any ResultRenderer)?
    private var paging: PagedOutput?
    private(set) var rowCount = 0
    private(set) var hasRows = false

    init(shell: Shell, presentation: Presentation, copyOutput: TextOutput?, sql: String) {
        self.shell = shell
        self.presentation = presentation
        self.copyOutput = copyOutput
        self.sql = sql
        output = presentation.output ?? shell.output
    }

    func take(_ event: ShellEvent) throws {
        let format = presentation.format ?? shell.format
        switch event {
        case .notice(let notice): shell.report(notice, severity: "NOTICE", sql: sql)
        case .columns(let columns):
            hasRows = true
            renderer = makeRenderer(columns, format)
        case .rows(let rows):
            rowCount += rows.rowCount
            try renderer?.append(rows)
        case .copyData(let bytes):
            let target = copyOutput ?? output
            target.bytes.append(contentsOf: bytes)
            try target.flushIfLarge()
        case .done(let tag):
            if let current = renderer {
                try current.finish()
                renderer = nil
                try paging?.finish()
                paging = nil
            } else if format.isForPeople, !tag.isEmpty, !presentation.isQuiet {
                output.write(tag + "\n")
            }
            try output.flushIfLarge()
        }
    }

    func close() throws {
        try copyOutput?.flush()
        try output.flush()
    }

    /// Returns whether the person has left the pager, which is no error.
    func abandon() -> Bool {
        let isClosed = paging?.isClosedByReader ?? false
        paging?.abandon()
        try? output.flush()
        return isClosed
    }

    private func makeRenderer(_ columns: [ResultColumn], _ format: OutputFormat) -> any ResultRenderer {
        var style = shell.table
        style.nullText = shell.nullText
        style.title = presentation.title
        style.footer = presentation.footer
        var target = output
        if output.isTerminal {
            let size = Terminal.size(of: output.descriptor)
            style.fit(toTerminal: size.columns)
            style.expandsWideRows = shell.expandsWideRows
            if shell.pager != .never, format.isForPeople, let terminal = shell.terminal {
                let pages = PagedOutput(
                    terminal: terminal, target: output, rows: size.rows, columns: size.columns,
                    always: shell.pager == .always)
                paging = pages
                target = pages.output
            }
        }
        return format.makeRenderer(columns, output: target, style: style)
    }
}

/// Pieces of text of several commands.
enum ShellText {
    /// With three decimals.
    static func milliseconds(_ duration: Duration) -> String {
        let parts = duration.components
        return milliseconds(microseconds: parts.seconds * 1_000_000 + parts.attoseconds / 1_000_000_000_000)
    }

    static func milliseconds(microseconds: Int64) -> String {
        "\(microseconds / 1000).\(String(1000 + microseconds % 1000).dropFirst())"
    }

    /// As people say it: `420 ms`, `3.2 s`, `2:05`.
    static func span(milliseconds: Int64) -> String {
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        if milliseconds < 60_000 { return "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s" }
        let seconds = milliseconds / 1000
        let two = { (value: Int64) in value < 10 ? "0\(value)" : "\(value)" }
        return seconds < 3600
            ? "\(seconds / 60):\(two(seconds % 60))"
            : "\(seconds / 3600):\(two(seconds / 60 % 60)):\(two(seconds % 60))"
    }

    /// `950`, `12.3 K`, `4.1 M`.
    static func count(_ value: Int64) -> String { scaled(value, step: 1000, units: ["", "K", "M", "G", "T"]) }
    static func bytes(_ value: Int64) -> String {
        scaled(value, step: 1024, units: ["B", "KiB", "MiB", "GiB", "TiB", "PiB"])
    }

    private static func scaled(_ value: Int64, step: Double, units: [String]) -> String {
        var amount = Double(value)
        var unit = 0
        while amount >= step, unit + 1 < units.count {
            amount /= step
            unit += 1
        }
        let text = unit == 0 || amount >= 100 ? "\(Int64(amount.rounded()))" : "\((amount * 10).rounded() / 10)"
        return units[unit].isEmpty ? text : "\(text) \(units[unit])"
    }
}
