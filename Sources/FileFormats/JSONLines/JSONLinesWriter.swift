// Writes rows as JSON lines: one object a row.

import Columnar
import Diagnostics
import Storage

/// Writes one file; it appears when `commit` is called. Values have the forms that PostgreSQL's `to_json` gives them.
package final class JSONLinesWriter: TableWriter {
    private enum Form {
        /// As its text is: numbers, truth values, JSON.
        case plain
        /// Numbers that may be no number: those are quoted.
        case floating
        case quoted
        /// Date and time have a `T` between them.
        case timestamp
        case json
    }
    private struct Column {
        /// The name in quotes, and a colon.
        var label: [UInt8]
        var form: Form
    }
    private static let flushByteCount = 64 << 10

    private let file: any FileSink
    private let columns: [Column]
    private let settings = TextSettings()
    private var line: [UInt8] = []
    private var value: [UInt8] = []

    package init(
        path: String, options: [String: String], columns: [Field], in store: any FileStore = LocalFiles.shared
    ) throws {
        for key in options.keys where !["format", "encoding", "compression"].contains(key) {
            throw QueryError(.syntaxError, "option \"\(key)\" not recognized", object: key)
        }
        self.columns = try columns.map { field in
            var label: [UInt8] = []
            JSONText.appendQuoted(Array(field.name.utf8), into: &label)
            return Column(label: label + [UInt8(ascii: ":")], form: try JSONLinesWriter.form(field))
        }
        file = try GzipSink.sink(path: path, compression: options["compression"]) { try store.makeFile(path: path) }
    }

    private static func form(_ field: Field) throws -> Form {
        switch field.type {
        case .boolean, .int8, .int16, .int32, .int64, .decimal: return .plain
        case .float32, .float64, .numeric: return .floating
        case .timestamp, .timestampTZ: return .timestamp
        case .json, .jsonb: return .json
        case .array, .record:
            throw QueryError(
                .featureNotSupported, "the type \(field.type.sqlName) cannot be written as JSON lines",
                hint: "Convert column \"\(field.name)\" by to_jsonb.", object: field.name)
        default: return .quoted
        }
    }

    package func write(_ batch: Batch) throws {
        let vectors = (0..<batch.columnCount).map { batch.column($0) }
        for row in 0..<batch.rowCount {
            line.append(UInt8(ascii: "{"))
            for (index, vector) in vectors.enumerated() {
                if index > 0 { line.append(UInt8(ascii: ",")) }
                line += columns[index].label
                append(vector, row, columns[index].form)
            }
            line.append(UInt8(ascii: "}"))
            line.append(10)
            if line.count >= JSONLinesWriter.flushByteCount { try flush() }
        }
    }

    private func append(_ vector: Vector, _ row: Int, _ form: Form) {
        if vector.isNull(row) {
            line += "null".utf8
            return
        }
        if case .boolean = vector.type {
            line += (vector.value(at: row) == .boolean(true) ? "true" : "false").utf8
            return
        }
        value.removeAll(keepingCapacity: true)
        TextFormat.append(vector, row: row, settings: settings, into: &value)
        switch form {
        case .plain: line += value
        case .floating:
            // NaN and infinity are no numbers of JSON.
            if value.contains(where: { $0 == UInt8(ascii: "N") || $0 == UInt8(ascii: "I") }) { return quote() }
            line += value
        case .timestamp:
            if let blank = value.firstIndex(of: 32) { value[blank] = UInt8(ascii: "T") }
            quote()
        case .json: for byte in value { line.append(byte == 10 || byte == 13 ? 32 : byte) }
        case .quoted: quote()
        }
    }

    private func quote() { JSONText.appendQuoted(value, into: &line) }

    private func flush() throws {
        try file.append(line)
        line.removeAll(keepingCapacity: true)
    }

    package func commit() throws {
        try flush()
        try file.commit()
    }

    package var heldByteCount: Int { line.capacity + file.heldByteCount }

    package func abort() { file.abort() }
}
