// Rows in columns for people: as psql prints them, or as Markdown.

/// Columns as wide as their widest value, or as the terminal has room for. The first rows decide on the widths; later ones
/// that are wider stick out, or are cut where values are cut.
final class TableRenderer: ResultRenderer {
    private static let measuredRowCount = 10_000

    private let columns: [ResultColumn]
    private let output: TextOutput
    private let isMarkdown: Bool
    private let style: TableStyle
    private let nullText: [UInt8]
    private var widths: [Int]
    /// Columns that have a place, from the left.
    private var shownCount: Int
    private var isCut = false
    /// Rows that wait until the widths are known: texts of all values, one after the other, and where each ends.
    private var texts: [UInt8] = []
    private var ends: [Int] = []
    private var waitingRowCount = 0
    private var rowCount = 0
    private var hasHeader = false
    /// Takes over when rows are too wide for a table and are wanted whole.
    private var expanded: ExpandedRenderer?
    private var waitingRows: [ResultRows] = []

    init(_ columns: [ResultColumn], _ output: TextOutput, isMarkdown: Bool, style: TableStyle) {
        self.columns = columns
        self.output = output
        self.isMarkdown = isMarkdown
        self.style = style
        nullText = Array(style.nullText.utf8)
        widths = columns.map { max(isMarkdown ? 3 : 0, DisplayWidth.columns($0.name)) }
        shownCount = columns.count
    }

    func append(_ rows: ResultRows) throws {
        if let expanded { return try expanded.append(rows) }
        if style.expandsWideRows, !hasHeader { waitingRows.append(rows) }
        for row in 0..<rows.rowCount {
            rowCount += 1
            if let rowsMax = style.rowsMax, rowCount > rowsMax { continue }
            for column in columns.indices {
                let start = texts.count
                if rows.isNull(row, column) {
                    texts.append(contentsOf: nullText)
                } else {
                    rows.append(row, column, into: &texts)
                    if isMarkdown { escapeForMarkdown(from: start) }
                }
                if !hasHeader {
                    for line in texts[start...].split(separator: 0x0A, omittingEmptySubsequences: false) {
                        widths[column] = max(widths[column], DisplayWidth.columns(line))
                    }
                }
                ends.append(texts.count)
            }
            waitingRowCount += 1
            if waitingRowCount >= TableRenderer.measuredRowCount || (hasHeader && waitingRowCount >= 256) {
                try printWaiting()
                // What was printed expanded holds the rest of these rows too.
                if expanded != nil { return }
            }
        }
    }

    func finish() throws {
        if expanded == nil { try printWaiting() }
        if let expanded { return try expanded.finish() }
        guard !isMarkdown else { return try output.flushIfLarge() }
        if let footer = style.footer {
            output.write(footer.isEmpty ? "\n" : footer + "\n\n")
        } else {
            var note = rowCount == 1 ? "1 row" : "\(rowCount) rows"
            if let rowsMax = style.rowsMax, rowCount > rowsMax { note += ", \(rowsMax) shown" }
            output.write("(\(note))\n")
            if shownCount < columns.count {
                output.write("(\(shownCount) of \(columns.count) columns shown; \\x shows them all)\n")
            } else if isCut {
                output.write("(long values are cut; \\x shows them whole)\n")
            }
            output.write("\n")
        }
        try output.flushIfLarge()
    }

    private func escapeForMarkdown(from start: Int) {
        guard texts[start...].contains(where: { $0 == UInt8(ascii: "|") || $0 == 0x0A }) else { return }
        let value = Array(texts[start...])
        texts.removeSubrange(start...)
        for byte in value {
            if byte == UInt8(ascii: "|") { texts.append(0x5C) }
            texts.append(contentsOf: byte == 0x0A ? Array("<br>".utf8) : [byte])
        }
    }

    private func blanks(_ count: Int) {
        if count > 0 { output.bytes.append(contentsOf: repeatElement(0x20, count: count)) }
    }

    private func printWaiting() throws {
        if !hasHeader {
            hasHeader = true
            if !isMarkdown {
                let fitted = style.fitted(widths, isCuttable: columns.map { !$0.isRightAligned })
                if style.expandsWideRows, fitted.isCut || fitted.shown < columns.count {
                    let renderer = ExpandedRenderer(columns, output, style: style)
                    expanded = renderer
                    for rows in waitingRows { try renderer.append(rows) }
                    waitingRows = []
                    return
                }
                (widths, shownCount, isCut) = fitted
            }
            waitingRows = []
            printHeader()
        }
        var start = 0
        var at = 0
        for _ in 0..<waitingRowCount {
            var cells: [ArraySlice<UInt8>] = []
            cells.reserveCapacity(columns.count)
            for column in columns.indices {
                if column < shownCount { cells.append(texts[start..<ends[at]]) }
                start = ends[at]
                at += 1
            }
            printRow(cells)
            try output.flushIfLarge()
        }
        texts.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        waitingRowCount = 0
    }

    // MARK: - Lines

    private var isUnicode: Bool { style.border == .unicode }
    private var bar: String { isUnicode ? "│" : "|" }
    /// Stands for columns that have no place.
    private var moreMark: String { shownCount < columns.count ? (isUnicode ? " …" : " ..") : "" }

    private func printHeader() {
        if isMarkdown {
            output.write("|")
            for (column, width) in zip(columns, widths) {
                output.write(" \(column.name)")
                blanks(width - DisplayWidth.columns(column.name))
                output.write(" |")
            }
            output.write("\n|")
            for (column, width) in zip(columns, widths) {
                output.write(
                    " " + String(repeating: "-", count: width - 1) + (column.isRightAligned ? ":" : "-") + " |")
            }
            output.write("\n")
            return
        }
        if let title = style.title { output.write(title + "\n") }
        for index in 0..<shownCount {
            if index > 0 { output.write(bar) }
            let name = cut(ArraySlice(columns[index].name.utf8), to: widths[index])
            let room = widths[index] - DisplayWidth.columns(name)
            blanks(1 + room / 2)
            output.bytes.append(contentsOf: name)
            blanks(1 + room - room / 2)
        }
        if !moreMark.isEmpty { output.write(bar + moreMark) }
        output.write("\n")
        for index in 0..<shownCount {
            if index > 0 { output.write(isUnicode ? "┼" : "+") }
            output.write(String(repeating: isUnicode ? "─" : "-", count: widths[index] + 2))
        }
        output.write("\n")
    }

    private func printRow(_ cells: [ArraySlice<UInt8>]) {
        if isMarkdown {
            output.write("|")
            for (index, cell) in cells.enumerated() {
                output.write(" ")
                printAligned(cell, index, padsEnd: true)
                output.write(" |")
            }
            output.write("\n")
            return
        }
        let lines = cells.map { $0.split(separator: 0x0A, omittingEmptySubsequences: false) }
        let height = lines.reduce(1) { max($0, $1.count) }
        for line in 0..<height {
            for index in cells.indices {
                if index > 0 { output.write(bar) }
                output.write(" ")
                let isLastColumn = index == cells.count - 1 && moreMark.isEmpty
                let continues = line + 1 < lines[index].count
                let text = line < lines[index].count ? lines[index][line] : []
                printAligned(
                    isCut ? cut(text, to: widths[index]) : text, index, padsEnd: !isLastColumn || continues)
                // A mark says that the value goes on in the next line.
                if continues { output.write(isUnicode ? "↵" : "+") } else if !isLastColumn { output.write(" ") }
            }
            if !moreMark.isEmpty { output.write(bar + moreMark) }
            output.write("\n")
        }
    }

    /// What has room, with dots in place of the rest.
    private func cut(_ text: ArraySlice<UInt8>, to width: Int) -> ArraySlice<UInt8> {
        guard text.count > width, DisplayWidth.columns(text) > width else { return text }
        let mark = isUnicode ? "…" : ".."
        let room = width - DisplayWidth.columns(mark)
        var used = 0
        var result = ""
        for character in String(decoding: text, as: UTF8.self) {
            used += DisplayWidth.columns(character)
            guard used <= room else { break }
            result.append(character)
        }
        return Array((result + mark).utf8)[...]
    }

    private func printAligned(_ text: ArraySlice<UInt8>, _ column: Int, padsEnd: Bool) {
        let room = widths[column] - DisplayWidth.columns(text)
        if columns[column].isRightAligned { blanks(room) }
        output.bytes.append(contentsOf: text)
        if !columns[column].isRightAligned, padsEnd { blanks(room) }
    }
}
