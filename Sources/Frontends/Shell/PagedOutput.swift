// Rows that do not fit on the screen go through a pager.

import Diagnostics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

enum PagerUse: String, CaseIterable {
    case automatic = "auto"
    case always, never
}

/// Holds back what is printed until it is known whether the screen has room for it. When it has not, a pager gets it and
/// everything that follows; the pager has the terminal until the person leaves it. Confined to the shell.
final class PagedOutput {
    private final class Pages {
        var held: [UInt8] = []
        var lineCount = 0
        var columnsOfLine = 0
        var pager: UnsafeMutablePointer<FILE>?
        var isClosed = false
    }

    /// Where to print to.
    let output: TextOutput
    private let pages = Pages()
    private let terminal: Terminal
    private let target: TextOutput

    init(terminal: Terminal, target: TextOutput, rows: Int, columns: Int, always: Bool) {
        self.terminal = terminal
        self.target = target
        let pages = self.pages
        output = TextOutput { bytes in
            if pages.pager == nil, !pages.isClosed {
                pages.held.append(contentsOf: bytes)
                guard always || PagedOutput.exceeds(pages, bytes, rows: rows, columns: columns) else { return }
                try target.flush()
                PagedOutput.start(pages, terminal)
                try PagedOutput.write(pages, pages.held)
                pages.held = []
            } else {
                try PagedOutput.write(pages, bytes)
            }
        }
    }

    /// Whether the person has left the pager while there was more to come.
    var isClosedByReader: Bool { pages.isClosed }

    /// Everything is printed.
    func finish() throws {
        try output.flush()
        end()
    }

    /// An error ended what was to be printed; what came before it is shown.
    func abandon() {
        try? output.flush()
        end()
    }

    private func end() {
        if let pager = pages.pager {
            pclose(pager)
            pages.pager = nil
            signal(SIGPIPE, SIG_DFL)
            terminal.endLending()
        }
        target.bytes.append(contentsOf: pages.held)
        pages.held = []
        try? target.flush()
    }

    /// Counts lines, and columns where they might be too many.
    private static func exceeds(_ pages: Pages, _ bytes: [UInt8], rows: Int, columns: Int) -> Bool {
        for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast() {
            pages.lineCount += 1
            // The prompt takes a line too.
            if pages.lineCount >= rows { return true }
            if line.count > columns, DisplayWidth.columns(line) > columns { return true }
        }
        return false
    }

    private static func start(_ pages: Pages, _ terminal: Terminal) {
        terminal.beginLending()
        // A person who leaves the pager early closes its input; that is no reason to die.
        signal(SIGPIPE, SIG_IGN)
        pages.pager = popen(Shell.variable("PAGER") ?? "less -SRX", "w")
        pages.isClosed = pages.pager == nil
        if pages.isClosed { terminal.endLending() }
    }

    private static func write(_ pages: Pages, _ bytes: [UInt8]) throws {
        guard let pager = pages.pager, !pages.isClosed else { throw CancellationError() }
        let written = bytes.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, pager) }
        guard written == bytes.count, fflush(pager) == 0 else {
            pages.isClosed = true
            throw CancellationError()
        }
    }
}
