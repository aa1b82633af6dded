// Rows in columns for people, as psql prints them or as Markdown, and one value a line.

/// Columns as wide as their widest value. The first rows decide on the widths; later ones that are wider stick out.
final class TableRenderer: ResultRenderer {
    enum Style { case lines, markdown }
    private static let measuredRowCount = 10_000

    private let columns: [ResultColumn]
    private let output: TextOutput
    private let style: Style
    private let nullText: [UInt8]
    private var widths: [Int]
    /// Rows that wait until the widths are known: texts of all values, one after the other, and where each ends.
    private var texts: [UInt8] = []
    private var ends: [Int] = []
    private var waitingRowCount = 0
    private var rowCount = 0
    private var hasHeader = false

    init(_ columns: [ResultColumn], _ output: TextOutput, style: Style, nullText: String) {
        self.columns = columns
        self.output = output
        self.style = style
        self.nullText = Array(nullText.utf8)
        widths = columns.map { max(style == .markdown ? 3 : 0, DisplayWidth.columns($0.name)) }
    }

    func append(_ rows: ResultRows) throws {
        for row in 0..<rows.rowCount {
            for column in columns.indices {
                let start = texts.count
                if rows.isNull(row, column) {
                    texts.append(contentsOf: nullText)
                } else {
                    rows.append(row, column, into: &texts)
                    if style == .markdown { escapeForMarkdown(from: start) }
                }
                if !hasHeader {
                    for line in texts[start...].split(separator: 0x0A, omittingEmptySubsequences: false) {
                        widths[column] = max(widths[column], DisplayWidth.columns(line))
                    }
                }
                ends.append(texts.count)
            }
            waitingRowCount += 1
            rowCount += 1
            if waitingRowCount >= TableRenderer.measuredRowCount || (hasHeader && waitingRowCount >= 256) {
                try printWaiting()
            }
        }
    }

    func finish() throws {
        try printWaiting()
        if style == .lines { output.write(rowCount == 1 ? "(1 row)\n\n" : "(\(rowCount) rows)\n\n") }
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
            printHeader()
        }
        var start = 0
        var at = 0
        for _ in 0..<waitingRowCount {
            var cells: [ArraySlice<UInt8>] = []
            cells.reserveCapacity(columns.count)
            for _ in columns.indices {
                cells.append(texts[start..<ends[at]])
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

    private func printHeader() {
        if style == .markdown {
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
        for (index, column) in columns.enumerated() {
            if index > 0 { output.write("|") }
            let room = widths[index] - DisplayWidth.columns(column.name)
            blanks(1 + room / 2)
            output.write(column.name)
            blanks(1 + room - room / 2)
        }
        output.write("\n")
        for index in columns.indices {
            if index > 0 { output.write("+") }
            output.bytes.append(contentsOf: repeatElement(UInt8(ascii: "-"), count: widths[index] + 2))
        }
        output.write("\n")
    }

    private func printRow(_ cells: [ArraySlice<UInt8>]) {
        if style == .markdown {
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
                if index > 0 { output.write("|") }
                output.write(" ")
                let isLastColumn = index == cells.count - 1
                let continues = line + 1 < lines[index].count
                printAligned(
                    line < lines[index].count ? lines[index][line] : [], index, padsEnd: !isLastColumn || continues)
                // A plus says that the value goes on in the next line.
                if continues { output.write("+") } else if !isLastColumn { output.write(" ") }
            }
            output.write("\n")
        }
    }

    private func printAligned(_ text: ArraySlice<UInt8>, _ column: Int, padsEnd: Bool) {
        let room = widths[column] - DisplayWidth.columns(text)
        if columns[column].isRightAligned { blanks(room) }
        output.bytes.append(contentsOf: text)
        if !columns[column].isRightAligned, padsEnd { blanks(room) }
    }
}

/// Every value on a line of its own, under a line that counts the rows.
final class ExpandedRenderer: ResultRenderer {
    private let columns: [ResultColumn]
    private let output: TextOutput
    private let nullText: String
    private let nameWidth: Int
    private var rowCount = 0
    private var value: [UInt8] = []

    init(_ columns: [ResultColumn], _ output: TextOutput, nullText: String) {
        self.columns = columns
        self.output = output
        self.nullText = nullText
        nameWidth = columns.reduce(0) { max($0, DisplayWidth.columns($1.name)) }
    }

    func append(_ rows: ResultRows) throws {
        for row in 0..<rows.rowCount {
            rowCount += 1
            let title = "-[ RECORD \(rowCount) ]"
            output.write(title + String(repeating: "-", count: max(1, nameWidth + 12 - title.utf8.count)) + "\n")
            for (index, column) in columns.enumerated() {
                let padding = String(repeating: " ", count: nameWidth - DisplayWidth.columns(column.name))
                output.write("\(column.name)\(padding) |")
                value.removeAll(keepingCapacity: true)
                if rows.isNull(row, index) {
                    output.write(nullText.isEmpty ? "" : " " + nullText)
                } else {
                    rows.append(row, index, into: &value)
                    let margin = "\n" + String(repeating: " ", count: nameWidth) + " | "
                    let lines = value.split(separator: 0x0A, omittingEmptySubsequences: false)
                    for (number, line) in lines.enumerated() {
                        output.write(number == 0 ? " " : margin)
                        output.bytes.append(contentsOf: line)
                    }
                }
                output.write("\n")
            }
            try output.flushIfLarge()
        }
    }

    func finish() throws {
        output.write(rowCount == 0 ? "(0 rows)\n\n" : "\n")
        try output.flushIfLarge()
    }
}
