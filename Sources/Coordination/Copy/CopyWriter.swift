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

    /// Brings the texts of a column's values into the form that lines have them in.
    package func prepare(_ column: RenderedColumn, index: Int, type: DataType, rowCount: Int) throws {
        lines.apply(
            to: column, isPlain: lines.isPlain(type), isForced: isQuoteForced[index], isOnly: names.count == 1,
            rowCount: rowCount)
        if let encoding { try column.recode(to: encoding, rowCount: rowCount) }
    }
}
