// The forms in which rows are printed, and the choice among them.

import Diagnostics

package enum OutputFormat: String, Sendable, CaseIterable {
    case table, expanded, csv, tsv, json, jsonl, markdown, html, parquet, arrow

    /// Whether statements without rows, and counts of rows, are printed: only in the forms for people.
    package var isForPeople: Bool { self == .table || self == .expanded || self == .markdown }

    /// A renderer for one result.
    package func makeRenderer(
        _ columns: [ResultColumn], output: TextOutput, style: TableStyle = TableStyle()
    ) -> any ResultRenderer {
        switch self {
        case .table: TableRenderer(columns, output, isMarkdown: false, style: style)
        case .markdown: TableRenderer(columns, output, isMarkdown: true, style: style)
        case .expanded: ExpandedRenderer(columns, output, style: style)
        case .html: HTMLRenderer(columns, output, style: style)
        case .csv: SeparatedRenderer(columns, output, style: .csv)
        case .tsv: SeparatedRenderer(columns, output, style: .tsv)
        case .json: JSONRenderer(columns, output, isLines: false)
        case .jsonl: JSONRenderer(columns, output, isLines: true)
        case .parquet: FileRenderer(columns, output, format: .parquet)
        case .arrow: FileRenderer(columns, output, format: .arrow)
        }
    }
}

/// Prints the rows of one result as they come.
package protocol ResultRenderer: AnyObject {
    func append(_ rows: ResultRows) throws
    /// After the last row.
    func finish() throws
}

/// Comma- or tab-separated values with a header.
final class SeparatedRenderer: ResultRenderer {
    enum Style { case csv, tsv }
    private let columns: [ResultColumn]
    private let output: TextOutput
    private let style: Style
    private var hasHeader = false
    private var value: [UInt8] = []

    init(_ columns: [ResultColumn], _ output: TextOutput, style: Style) {
        self.columns = columns
        self.output = output
        self.style = style
    }

    private var separator: UInt8 { style == .csv ? UInt8(ascii: ",") : UInt8(ascii: "\t") }

    private func writeHeader() {
        guard !hasHeader else { return }
        hasHeader = true
        for (index, column) in columns.enumerated() {
            if index > 0 { output.bytes.append(separator) }
            value.removeAll(keepingCapacity: true)
            value.append(contentsOf: column.name.utf8)
            writeValue(isNull: false)
        }
        output.bytes.append(0x0A)
    }

    func append(_ rows: ResultRows) throws {
        writeHeader()
        for row in 0..<rows.rowCount {
            for column in columns.indices {
                if column > 0 { output.bytes.append(separator) }
                value.removeAll(keepingCapacity: true)
                let isNull = rows.isNull(row, column)
                if !isNull { rows.append(row, column, into: &value) }
                writeValue(isNull: isNull)
            }
            output.bytes.append(0x0A)
            if row & 255 == 255 { try output.flushIfLarge() }
        }
        try output.flushIfLarge()
    }

    func finish() throws {
        writeHeader()
        try output.flushIfLarge()
    }

    /// CSV by RFC 4180, with NULL as nothing and an empty text as `""`; TSV with backslash escapes and NULL as `\N`.
    private func writeValue(isNull: Bool) {
        switch style {
        case .csv:
            if isNull { return }
            var needsQuotes = value.isEmpty
            for byte in value where byte == 0x2C || byte == 0x22 || byte == 0x0A || byte == 0x0D {
                needsQuotes = true
                break
            }
            guard needsQuotes else {
                output.bytes.append(contentsOf: value)
                return
            }
            output.bytes.append(0x22)
            for byte in value {
                if byte == 0x22 { output.bytes.append(0x22) }
                output.bytes.append(byte)
            }
            output.bytes.append(0x22)
        case .tsv:
            if isNull {
                output.bytes.append(contentsOf: [0x5C, UInt8(ascii: "N")])
                return
            }
            for byte in value {
                switch byte {
                case 0x5C: output.bytes.append(contentsOf: [0x5C, 0x5C])
                case 0x09: output.bytes.append(contentsOf: [0x5C, UInt8(ascii: "t")])
                case 0x0A: output.bytes.append(contentsOf: [0x5C, UInt8(ascii: "n")])
                case 0x0D: output.bytes.append(contentsOf: [0x5C, UInt8(ascii: "r")])
                default: output.bytes.append(byte)
                }
            }
        }
    }
}

/// One JSON array of objects, or one object a line.
final class JSONRenderer: ResultRenderer {
    private let columns: [ResultColumn]
    private let names: [[UInt8]]
    private let output: TextOutput
    private let isLines: Bool
    private var rowCount = 0
    private var value: [UInt8] = []

    init(_ columns: [ResultColumn], _ output: TextOutput, isLines: Bool) {
        self.columns = columns
        self.output = output
        self.isLines = isLines
        names = columns.map { column in
            var bytes: [UInt8] = []
            JSONText.append(string: Array(column.name.utf8), into: &bytes)
            bytes.append(UInt8(ascii: ":"))
            return bytes
        }
    }

    func append(_ rows: ResultRows) throws {
        for row in 0..<rows.rowCount {
            if !isLines { output.write(rowCount == 0 ? "[" : ",\n ") }
            output.bytes.append(UInt8(ascii: "{"))
            for (index, column) in columns.enumerated() {
                if index > 0 { output.bytes.append(UInt8(ascii: ",")) }
                output.bytes.append(contentsOf: names[index])
                if rows.isNull(row, index) {
                    output.write("null")
                } else {
                    value.removeAll(keepingCapacity: true)
                    rows.append(row, index, into: &value)
                    JSONText.append(value, as: column.json, into: &output.bytes)
                }
            }
            output.bytes.append(UInt8(ascii: "}"))
            if isLines { output.bytes.append(0x0A) }
            rowCount += 1
            if row & 255 == 255 { try output.flushIfLarge() }
        }
        try output.flushIfLarge()
    }

    func finish() throws {
        if !isLines { output.write(rowCount == 0 ? "[]\n" : "]\n") }
        try output.flushIfLarge()
    }
}

/// Pieces of JSON.
package enum JSONText {
    package static func append(_ value: [UInt8], as form: ResultColumn.JSONForm, into bytes: inout [UInt8]) {
        switch form {
        case .raw: bytes.append(contentsOf: value)
        case .boolean: bytes.append(contentsOf: (value.first == UInt8(ascii: "t") ? "true" : "false").utf8)
        case .number:
            // NaN and the infinities are no numbers in JSON.
            let last = value.last ?? 0
            if last >= UInt8(ascii: "0"), last <= UInt8(ascii: "9") {
                bytes.append(contentsOf: value)
            } else {
                append(string: value, into: &bytes)
            }
        case .string: append(string: value, into: &bytes)
        }
    }

    package static func append(string value: [UInt8], into bytes: inout [UInt8]) {
        bytes.append(0x22)
        for byte in value {
            switch byte {
            case 0x22, 0x5C: bytes.append(contentsOf: [0x5C, byte])
            case 0x0A: bytes.append(contentsOf: [0x5C, UInt8(ascii: "n")])
            case 0x0D: bytes.append(contentsOf: [0x5C, UInt8(ascii: "r")])
            case 0x09: bytes.append(contentsOf: [0x5C, UInt8(ascii: "t")])
            case 0..<0x20:
                let hex = Array("0123456789abcdef".utf8)
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(contentsOf: [hex[Int(byte >> 4)], hex[Int(byte & 15)]])
            default: bytes.append(byte)
            }
        }
        bytes.append(0x22)
    }

    package static func string(_ text: String) -> String {
        var bytes: [UInt8] = []
        append(string: Array(text.utf8), into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
