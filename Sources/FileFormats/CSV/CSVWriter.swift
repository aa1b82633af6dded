// Writes rows as CSV or in PostgreSQL's text format, in the text forms of PostgreSQL.

import Columnar
import Diagnostics
import Storage

/// Writes one file; it appears when `commit` is called.
package final class CSVWriter: TableWriter {
    /// Options of COPY … TO: `header`, `delimiter`, `null`, `quote`, `escape`, `force_quote`.
    private struct Options {
        var isText: Bool
        var hasHeader = false
        var delimiter: UInt8
        var null: [UInt8]
        var quote = UInt8(ascii: "\"")
        var escape = UInt8(ascii: "\"")
        var isQuoteForced = false

        init(_ values: [String: String], isText: Bool) throws {
            self.isText = isText
            delimiter = UInt8(ascii: isText ? "\t" : ",")
            null = Array((isText ? "\\N" : "").utf8)
            if let quote = values["quote"] {
                self.quote = try Options.byte("quote", quote)
                escape = self.quote
            }
            for (key, value) in values {
                switch key {
                case "header": hasHeader = try Options.boolean(key, value)
                case "delimiter", "delim", "sep": delimiter = try Options.byte(key, value)
                case "null", "nullstr": null = Array(value.utf8)
                case "quote", "format", "encoding", "compression": break
                case "escape": escape = try Options.byte(key, value)
                case "force_quote": isQuoteForced = true
                default: throw QueryError(.syntaxError, "option \"\(key)\" not recognized", object: key)
                }
            }
        }

        private static func boolean(_ key: String, _ value: String) throws -> Bool {
            switch value.lowercased() {
            case "true", "on", "yes", "1", "": return true
            case "false", "off", "no", "0": return false
            default: throw QueryError(.syntaxError, "\(key) requires a Boolean value", object: key)
            }
        }

        private static func byte(_ key: String, _ value: String) throws -> UInt8 {
            let text = value == "\\t" ? "\t" : value
            guard text.utf8.count == 1, let byte = text.utf8.first, byte != 10, byte != 13 else {
                throw QueryError(
                    .invalidParameterValue, "COPY \(key) must be a single one-byte character", object: key)
            }
            return byte
        }
    }

    private let file: any FileSink
    private let fields: [Field]
    private let options: Options
    private let settings: TextSettings
    private var line: [UInt8] = []
    private var value: [UInt8] = []

    /// - Parameter format: `csv`, or `text` as COPY calls it.
    package init(
        path: String, format: String, options: [String: String], columns: [Field],
        settings: TextSettings = TextSettings(), in store: any FileStore = LocalFiles.shared
    ) throws {
        fields = columns
        self.settings = settings
        self.options = try Options(options, isText: format == "text")
        file = try GzipSink.sink(path: path, compression: options["compression"]) { try store.makeFile(path: path) }
        if self.options.hasHeader {
            for (index, field) in fields.enumerated() {
                if index > 0 { line.append(self.options.delimiter) }
                value = Array(field.name.utf8)
                appendValue()
            }
            line.append(10)
        }
    }

    package func write(_ batch: Batch) throws {
        let columns = (0..<batch.columnCount).map { batch.column($0) }
        for row in 0..<batch.rowCount {
            for (index, column) in columns.enumerated() {
                if index > 0 { line.append(options.delimiter) }
                if column.isNull(row) {
                    line.append(contentsOf: options.null)
                    continue
                }
                value.removeAll(keepingCapacity: true)
                TextFormat.append(column, row: row, settings: settings, into: &value)
                appendValue()
            }
            line.append(10)
            if line.count >= 64 << 10 { try flush() }
        }
    }

    private func flush() throws {
        try file.append(line)
        line.removeAll(keepingCapacity: true)
    }

    /// Adds `value` with what the format needs around it.
    private func appendValue() {
        if options.isText {
            appendEscaped()
            return
        }
        var isQuoted = options.isQuoteForced || value.elementsEqual(options.null)
        if !isQuoted {
            for byte in value where byte == options.delimiter || byte == options.quote || byte == 10 || byte == 13 {
                isQuoted = true
                break
            }
        }
        // A lone backslash and dot would end the data for readers of the older protocol.
        if fields.count == 1 && value == [0x5C, 0x2E] { isQuoted = true }
        guard isQuoted else {
            line.append(contentsOf: value)
            return
        }
        line.append(options.quote)
        for byte in value {
            if byte == options.quote || byte == options.escape { line.append(options.escape) }
            line.append(byte)
        }
        line.append(options.quote)
    }

    private func appendEscaped() {
        for byte in value {
            switch byte {
            case 8: line.append(contentsOf: [0x5C, 0x62])
            case 9: line.append(contentsOf: [0x5C, 0x74])
            case 10: line.append(contentsOf: [0x5C, 0x6E])
            case 11: line.append(contentsOf: [0x5C, 0x76])
            case 12: line.append(contentsOf: [0x5C, 0x66])
            case 13: line.append(contentsOf: [0x5C, 0x72])
            case 0x5C: line.append(contentsOf: [0x5C, 0x5C])
            default:
                if byte == options.delimiter { line.append(0x5C) }
                line.append(byte)
            }
        }
    }

    package func commit() throws {
        try flush()
        try file.commit()
    }

    package var heldByteCount: Int { line.capacity + file.heldByteCount }

    package func abort() { file.abort() }
}
