// Rows of a result as bytes of a response.

import Columnar
import Coordination
import Diagnostics
import FileFormats
import Frontends

/// Makes a JSON document, lines of JSON, CSV or a stream of Arrow's of one result. Confined to the task of its request.
final class ResultEncoder {
    private let format: QueryRequest.Format
    private let fields: [Field]
    private let columns: [ResultColumn]
    private let settings: TextSettings
    private let text = TextOutput()
    private let renderer: (any ResultRenderer)?
    private let arrow: ArrowStreamEncoder?
    /// A record batch is sent when it has so many bytes, or at the end.
    private static let arrowByteCount = 1 << 20
    private var value: [UInt8] = []
    private(set) var rowCount = 0

    init(_ request: QueryRequest, fields: [Field], settings: TextSettings) {
        format = request.format
        self.fields = fields
        self.settings = settings
        columns = fields.map { Self.column($0, quotesNumbers: request.quotesNumbers) }
        arrow =
            format == .arrow
            ? ArrowStreamEncoder(fields, settings: settings, byteCountTarget: Self.arrowByteCount) : nil
        switch format {
        case .json, .arrow: renderer = nil
        case .jsonl: renderer = OutputFormat.jsonl.makeRenderer(columns, output: text)
        case .csv: renderer = OutputFormat.csv.makeRenderer(columns, output: text)
        }
    }

    static func column(_ field: Field, quotesNumbers: Bool) -> ResultColumn {
        let column = ResultColumn(field)
        guard quotesNumbers, column.json == .number else { return column }
        switch field.type {
        case .int16, .int32, .float32, .float64, .oid: return column
        default: return ResultColumn(name: field.name, json: .string)
        }
    }

    /// Names and types of the columns.
    static func write(_ fields: [Field], _ writer: inout JSONWriter) {
        writer.array("columns", fields) { writer, field in
            writer.object { writer in
                writer.member("name", field.name)
                writer.member("type", field.type.sqlName)
            }
        }
    }

    func begin() -> [UInt8] {
        if let arrow { return ArrowMessage.schema(arrow.fields).bytes }
        guard format == .json else { return [] }
        var writer = JSONWriter()
        writer.object { Self.write(fields, &$0) }
        return writer.bytes.dropLast() + Array(#","rows":["#.utf8)
    }

    /// The first `limit` rows of a batch.
    func rows(_ batch: Batch, limit: Int) throws -> [UInt8] {
        let batch = batch.rowCount > limit ? batch.slice(0, limit) : batch
        defer { rowCount += batch.rowCount }
        if let arrow {
            var bytes: [UInt8] = []
            var start = 0
            while start < batch.rowCount {
                start += try arrow.append(batch, from: start)
                if arrow.isFull, let message = arrow.take() { bytes += message.bytes }
            }
            return bytes
        }
        let rows = ResultRows(batch, settings: settings)
        if let renderer {
            try renderer.append(rows)
            defer { text.bytes.removeAll(keepingCapacity: true) }
            return text.bytes
        }
        return jsonRows(rows, isFirst: rowCount == 0)
    }

    /// Counts rows that were written by `jsonRows`.
    func count(_ rows: Int) { rowCount += rows }

    /// Rows as arrays, with commas between them.
    func jsonRows(_ rows: ResultRows, isFirst: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(rows.rowCount * columns.count * 8)
        for row in 0..<rows.rowCount {
            if row > 0 || !isFirst { bytes.append(contentsOf: [UInt8(ascii: ","), 0x0A]) }
            bytes.append(UInt8(ascii: "["))
            for index in columns.indices {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                if rows.isNull(row, index) {
                    bytes.append(contentsOf: "null".utf8)
                } else {
                    value.removeAll(keepingCapacity: true)
                    rows.append(row, index, into: &value)
                    JSONText.append(value, as: columns[index].json, into: &bytes)
                }
            }
            bytes.append(UInt8(ascii: "]"))
        }
        return bytes
    }

    struct Outcome {
        var tag: String
        var query: QueryID?
        var notices: [QueryError]
        var isTruncated: Bool
        var microseconds: Int64
    }

    func finish(_ outcome: Outcome) throws -> [UInt8] {
        if let arrow { return (arrow.take()?.bytes ?? []) + ArrowMessage.streamEnd }
        if let renderer {
            try renderer.finish()
            return text.bytes
        }
        return Array("],".utf8) + Self.members(outcome, rowCount: rowCount).dropFirst()
    }

    static func members(_ outcome: Outcome, rowCount: Int) -> [UInt8] {
        JSONWriter.document { writer in
            writer.member("row_count", rowCount)
            writer.member("is_truncated", outcome.isTruncated)
            writer.member("command", outcome.tag)
            writer.member("query_id", outcome.query?.text)
            writer.member("elapsed_us", outcome.microseconds)
            writer.array("notices", outcome.notices) { writer, notice in
                writer.object { ErrorResponse.write(notice, &$0) }
            }
        }
    }
}
