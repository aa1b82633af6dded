// Frontends: what people meet. Rendering of results, the shell, and its connections to an embedded engine or a server.
//
//   Rendering/   rows as a table, CSV, JSON and so on
//   Shell/       statements from arguments, files, pipes and the keyboard; meta-commands
//
// This file: rows as the renderers see them.

import Columnar

/// A column of a result.
package struct ResultColumn: Sendable, Hashable {
    /// How a value's text is put into JSON.
    package enum JSONForm: Sendable { case string, number, boolean, raw }

    package var name: String
    package var json: JSONForm
    package init(name: String, json: JSONForm) {
        self.name = name
        self.json = json
    }

    package init(_ field: Field) {
        name = field.name
        switch field.type {
        case .boolean: json = .boolean
        case .json, .jsonb: json = .raw
        case let type where type.isNumeric || type == .oid: json = .number
        default: json = .string
        }
    }

    /// By the type's number in PostgreSQL's catalogue, for results from a server.
    package init(name: String, postgresType: Int) {
        self.name = name
        switch postgresType {
        case 16: json = .boolean
        case 20, 21, 23, 26, 700, 701, 1700: json = .number
        case 114, 3802: json = .raw
        default: json = .string
        }
    }

    package var isRightAligned: Bool { json == .number }
}

/// Some rows of a result. Confined to one thread at a time.
package final class ResultRows {
    private enum Source {
        case vectors([Vector], TextSettings)
        /// Text of each value by row, or nothing for NULL.
        case texts([[[UInt8]?]])
    }
    private let source: Source
    package let rowCount: Int

    package init(_ batch: Batch, settings: TextSettings) {
        rowCount = batch.rowCount
        source = .vectors(batch.columns.indices.map { batch.column($0) }, settings)
    }

    package init(texts: [[[UInt8]?]]) {
        rowCount = texts.count
        source = .texts(texts)
    }

    package func isNull(_ row: Int, _ column: Int) -> Bool {
        switch source {
        case .vectors(let vectors, _): vectors[column].isNull(row)
        case .texts(let rows): rows[row][column] == nil
        }
    }

    /// Appends the text of a value that is not null.
    package func append(_ row: Int, _ column: Int, into text: inout [UInt8]) {
        switch source {
        case .vectors(let vectors, let settings):
            TextFormat.append(vectors[column], row: row, settings: settings, into: &text)
        case .texts(let rows):
            if let value = rows[row][column] { text.append(contentsOf: value) }
        }
    }
}
