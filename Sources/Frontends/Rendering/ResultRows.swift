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
    /// What values are in files that have types.
    package var type = DataType.text

    package init(name: String, json: JSONForm) {
        self.name = name
        self.json = json
    }

    package init(_ field: Field) {
        name = field.name
        type = field.type
        switch field.type {
        case .boolean: json = .boolean
        case .json, .jsonb: json = .raw
        case let type where type.isNumeric || type == .oid: json = .number
        default: json = .string
        }
    }

    /// By the type's number in PostgreSQL's catalogue, for results of a server.
    package init(name: String, postgresType: Int, modifier: Int = -1) {
        self.name = name
        type = Self.type(postgresType, modifier: modifier)
        switch postgresType {
        case 16: json = .boolean
        case 20, 21, 23, 26, 700, 701, 1700: json = .number
        case 114, 3802: json = .raw
        default: json = .string
        }
    }

    /// The type of a number in PostgreSQL's catalogue; text for those that files have no type for.
    private static func type(_ number: Int, modifier: Int) -> DataType {
        switch number {
        case 16: .boolean
        case 17: .bytea
        case 20: .int64
        case 21: .int16
        case 23: .int32
        case 26: .oid
        case 114: .json
        case 700: .float32
        case 701: .float64
        case 1082: .date
        case 1083: .time
        case 1114: .timestamp
        case 1184: .timestampTZ
        case 1186: .interval
        case 1700 where modifier >= 4 && (modifier - 4) >> 16 <= DataType.decimalPrecisionMax:
            .decimal(precision: (modifier - 4) >> 16, scale: (modifier - 4) & 0xFFFF)
        case 1700: .anyNumeric
        case 2950: .uuid
        case 3802: .jsonb
        default: array(number) ?? .text
        }
    }

    /// Arrays of what files have types for.
    private static func array(_ number: Int) -> DataType? {
        guard let type = DataType(catalogIdentifier: Int64(number)), case .array(let element) = type else { return nil }
        switch element {
        case .internalChar, .name, .oid: return nil
        default: return type
        }
    }

    package var isRightAligned: Bool { json == .number }
}

/// Some rows of a result. Confined to one thread at a time.
package final class ResultRows {
    enum Source {
        case vectors([Vector], TextSettings)
        /// Text of each value by row, or nothing for NULL.
        case texts([[[UInt8]?]])
    }
    let source: Source
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
