// Rows to the text and CSV of COPY TO.

import Columnar
import Diagnostics

/// What COPY TO needs to know to write lines; the rows themselves are put together by whoever sends them.
package struct CopyWriter: Sendable {
    package let lines: LineFormat
    private let header: CopyFormat.Header
    private let names: [String]
    private let isQuoteForced: [Bool]
    private let encoding: ClientEncoding?

    package var columnCount: Int { names.count }

    init(_ format: CopyFormat, fields: [Field]) throws {
        lines = LineFormat(
            isCSV: format.isCSV, delimiter: format.delimiter, quote: format.quote, escape: format.escape,
            null: format.null)
        header = format.header
        encoding = format.encoding
        names = fields.map(\.name)
        for name in format.forceQuote where name != "*" && !names.contains(name) {
            throw QueryError(
                .invalidColumnReference, "FORCE_QUOTE column \"\(name)\" not referenced by COPY", object: name)
        }
        isQuoteForced = names.map { format.forceQuote.contains("*") || format.forceQuote.contains($0) }
    }

    /// The first line, if the format has one.
    package func headerLine() throws -> [UInt8]? {
        guard header != .none else { return nil }
        var line: [UInt8] = []
        for (index, name) in names.enumerated() {
            if index > 0 { line.append(lines.delimiter) }
            Array(name.utf8).withUnsafeBufferPointer {
                lines.append($0, isForced: false, isOnly: names.count == 1, to: &line)
            }
        }
        line.append(10)
        return try encoding?.encoded(line) ?? line
    }

    /// The rows of a batch as lines.
    package func lines(of batch: Batch, settings: TextSettings) throws -> [UInt8] {
        let columns = try batch.columns.indices.map { index in
            let column = RenderedColumn()
            column.renderText(batch.column(index), rowCount: batch.rowCount, settings: settings)
            try prepare(column, index: index, type: batch.column(index).type, rowCount: batch.rowCount)
            return column
        }
        var bytes: [UInt8] = []
        for row in 0..<batch.rowCount {
            for (index, column) in columns.enumerated() {
                if index > 0 { bytes.append(lines.delimiter) }
                let count = Int(column.counts[row])
                if count > 0 {
                    bytes.append(contentsOf: UnsafeRawBufferPointer(start: column.starts[row], count: count))
                }
            }
            bytes.append(0x0A)
        }
        return bytes
    }

    /// Brings the texts of a column's values into the form that lines have them in.
    package func prepare(_ column: RenderedColumn, index: Int, type: DataType, rowCount: Int) throws {
        lines.apply(
            to: column, isPlain: lines.isPlain(type), isForced: isQuoteForced[index], isOnly: names.count == 1,
            rowCount: rowCount)
        if let encoding { try column.recode(to: encoding, rowCount: rowCount) }
    }
}
