// Rows to the text and CSV of COPY TO.

import Columnar
import Diagnostics

/// Renders rows for the client. Confined to the task that sends them.
package struct CopyWriter: Sendable {
    private let format: CopyFormat
    private let names: [String]
    private let isQuoteForced: [Bool]

    package var columnCount: Int { names.count }

    init(_ format: CopyFormat, fields: [Field]) throws {
        self.format = format
        names = fields.map(\.name)
        for name in format.forceQuote where name != "*" && !names.contains(name) {
            throw QueryError(
                .invalidColumnReference, "FORCE_QUOTE column \"\(name)\" not referenced by COPY", object: name)
        }
        isQuoteForced = names.map { format.forceQuote.contains("*") || format.forceQuote.contains($0) }
    }

    /// The first line, if the format has one.
    package func header() -> [UInt8]? {
        guard format.header != .none else { return nil }
        var line: [UInt8] = []
        for (index, name) in names.enumerated() {
            if index > 0 { line.append(format.delimiter) }
            append(Array(name.utf8), isForced: false, isOnly: names.count == 1, to: &line)
        }
        line.append(10)
        return line
    }

    /// One row with its line end.
    package func append(_ vectors: [Vector], row: Int, settings: TextSettings, to line: inout [UInt8]) {
        var value: [UInt8] = []
        for (index, vector) in vectors.enumerated() {
            if index > 0 { line.append(format.delimiter) }
            if vector.mayHaveNulls, vector.isNull(row) {
                line += format.null
                continue
            }
            value.removeAll(keepingCapacity: true)
            TextFormat.append(vector, row: row, settings: settings, into: &value)
            append(value, isForced: isQuoteForced[index], isOnly: vectors.count == 1, to: &line)
        }
        line.append(10)
    }

    private func append(_ value: [UInt8], isForced: Bool, isOnly: Bool, to line: inout [UInt8]) {
        if format.isCSV {
            // A value that would be read as NULL or as the end of the data is quoted.
            let needsQuotes =
                isForced || value == format.null || isOnly && value == [UInt8(ascii: "\\"), UInt8(ascii: ".")]
                || value.contains { $0 == format.delimiter || $0 == format.quote || $0 == 10 || $0 == 13 }
            guard needsQuotes else {
                line += value
                return
            }
            line.append(format.quote)
            for byte in value {
                if byte == format.quote || byte == format.escape { line.append(format.escape) }
                line.append(byte)
            }
            line.append(format.quote)
            return
        }
        for byte in value {
            let letter: UInt8
            switch byte {
            case 8: letter = UInt8(ascii: "b")
            case 9: letter = UInt8(ascii: "t")
            case 10: letter = UInt8(ascii: "n")
            case 11: letter = UInt8(ascii: "v")
            case 12: letter = UInt8(ascii: "f")
            case 13: letter = UInt8(ascii: "r")
            case UInt8(ascii: "\\"), format.delimiter: letter = byte
            default:
                line.append(byte)
                continue
            }
            line.append(UInt8(ascii: "\\"))
            line.append(letter)
        }
    }
}
