// Rows as a table of HTML.

/// One table a result, to be put into a page. Confined to one thread at a time.
final class HTMLRenderer: ResultRenderer {
    private let columns: [ResultColumn]
    private let output: TextOutput
    private let style: TableStyle
    private var hasHeader = false
    private var value: [UInt8] = []

    init(_ columns: [ResultColumn], _ output: TextOutput, style: TableStyle) {
        self.columns = columns
        self.output = output
        self.style = style
    }

    private func writeHeader() {
        guard !hasHeader else { return }
        hasHeader = true
        output.write("<table>\n")
        if let title = style.title {
            output.write("  <caption>")
            escape(Array(title.utf8))
            output.write("</caption>\n")
        }
        output.write("  <thead><tr>")
        for column in columns {
            output.write("<th>")
            escape(Array(column.name.utf8))
            output.write("</th>")
        }
        output.write("</tr></thead>\n  <tbody>\n")
    }

    func append(_ rows: ResultRows) throws {
        writeHeader()
        for row in 0..<rows.rowCount {
            output.write("    <tr>")
            for (index, column) in columns.enumerated() {
                output.write(column.isRightAligned ? "<td align=\"right\">" : "<td>")
                value.removeAll(keepingCapacity: true)
                if rows.isNull(row, index) {
                    value.append(contentsOf: style.nullText.utf8)
                } else {
                    rows.append(row, index, into: &value)
                }
                escape(value)
                output.write("</td>")
            }
            output.write("</tr>\n")
            if row & 255 == 255 { try output.flushIfLarge() }
        }
        try output.flushIfLarge()
    }

    func finish() throws {
        writeHeader()
        output.write("  </tbody>\n</table>\n")
        try output.flushIfLarge()
    }

    private func escape(_ text: [UInt8]) {
        for byte in text {
            switch byte {
            case UInt8(ascii: "<"): output.write("&lt;")
            case UInt8(ascii: ">"): output.write("&gt;")
            case UInt8(ascii: "&"): output.write("&amp;")
            case UInt8(ascii: "\""): output.write("&quot;")
            case 0x0A: output.write("<br>")
            default: output.bytes.append(byte)
            }
        }
    }
}
