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
            Array(name.utf8).withUnsafeBufferPointer {
                append($0, isForced: false, isOnly: names.count == 1, to: &line)
            }
        }
        line.append(10)
        return line
    }

    /// Whether no value of the type has anything that the format escapes or quotes.
    package func isPlain(_ type: DataType) -> Bool {
        guard RenderedColumn.hasPlainText(type), format.forceQuote.isEmpty, !Self.mayBeInPlainText(format.delimiter),
            !Self.mayBeInPlainText(format.quote)
        else { return false }
        // A NULL that looks like a value makes values that look like it be quoted.
        return !format.null.allSatisfy(Self.mayBeInPlainText) || format.null.isEmpty
    }

    private static func mayBeInPlainText(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x20, 0x2B, 0x2D, 0x2E, 0x3A: true
        default: byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A || byte >= 0x30 && byte <= 0x39
        }
    }

    /// One row with its line end, from the texts of its columns. `isPlain` says of each column whether its type is.
    package func append(
        _ columns: ArraySlice<RenderedColumn>, isPlain: [Bool], row: Int, to line: inout [UInt8]
    ) {
        for (index, column) in columns.enumerated() {
            if index > 0 { line.append(format.delimiter) }
            guard let value = column.value(row) else {
                line += format.null
                continue
            }
            if isPlain[index] {
                line.append(contentsOf: value)
            } else {
                append(value, isForced: isQuoteForced[index], isOnly: columns.count == 1, to: &line)
            }
        }
        line.append(10)
    }

    private func append(_ value: UnsafeBufferPointer<UInt8>, isForced: Bool, isOnly: Bool, to line: inout [UInt8]) {
        if format.isCSV {
            // A value that would be read as NULL or as the end of the data is quoted.
            let needsQuotes =
                isForced || value.elementsEqual(format.null)
                || isOnly && value.elementsEqual([UInt8(ascii: "\\"), UInt8(ascii: ".")])
                || value.contains { $0 == format.delimiter || $0 == format.quote || $0 == 10 || $0 == 13 }
            guard needsQuotes else {
                line.append(contentsOf: value)
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
        guard value.contains(where: { $0 < 14 || $0 == UInt8(ascii: "\\") || $0 == format.delimiter }) else {
            line.append(contentsOf: value)
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
