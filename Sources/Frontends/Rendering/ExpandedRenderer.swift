// One value a line: for rows that are wider than the screen.

/// Every value on a line of its own, under a line that counts the rows.
final class ExpandedRenderer: ResultRenderer {
    private let columns: [ResultColumn]
    private let output: TextOutput
    private let style: TableStyle
    private let nameWidth: Int
    private var rowCount = 0
    private var value: [UInt8] = []

    init(_ columns: [ResultColumn], _ output: TextOutput, style: TableStyle) {
        self.columns = columns
        self.output = output
        self.style = style
        nameWidth = columns.reduce(0) { max($0, DisplayWidth.columns($1.name)) }
    }

    func append(_ rows: ResultRows) throws {
        for row in 0..<rows.rowCount {
            rowCount += 1
            if rowCount == 1, let title = style.title { output.write(title + "\n") }
            let title = "-[ RECORD \(rowCount) ]"
            output.write(title + String(repeating: "-", count: max(1, nameWidth + 12 - title.utf8.count)) + "\n")
            for (index, column) in columns.enumerated() {
                let padding = String(repeating: " ", count: nameWidth - DisplayWidth.columns(column.name))
                output.write("\(column.name)\(padding) |")
                value.removeAll(keepingCapacity: true)
                if rows.isNull(row, index) {
                    output.write(style.nullText.isEmpty ? "" : " " + style.nullText)
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
        if rowCount == 0 { output.write("(0 rows)\n") }
        if let footer = style.footer, !footer.isEmpty { output.write(footer + "\n") }
        output.write("\n")
        try output.flushIfLarge()
    }
}
