// Finding out the columns of JSON lines from the first of them.

import Columnar
import Diagnostics

/// The columns of one file or of several, as far as their first lines say.
struct JSONLinesSchema {
    private static let sampleByteCount = 4 << 20
    private static let sampleLineCount = 20_480

    /// What was seen of one name.
    private struct Seen {
        var name: [UInt8]
        var booleans = false
        var integers = false
        var numbers = false
        var containers = false
        var strings = 0
        var dates = 0
        var timestamps = 0
        var zoned = 0
    }

    private var columns: [Seen] = []
    private var positions: [[UInt8]: Int] = [:]
    private(set) var lineCount = 0
    private(set) var byteCount = 0
    /// Whether the sample of the first file was all of it.
    private(set) var isWhole = true

    /// Looks at the first lines of a file. Names that are new come behind those of earlier files.
    mutating func add(_ file: any ReadableFile) throws {
        let input = try JSONLinesInput(file, 0..<file.identity.byteCount)
        var lines = 0
        var bytes = 0
        while let (line, offset) = try input.next() {
            guard let base = line.baseAddress, !JSONLineScanner.isBlank(base, count: line.count) else { continue }
            do {
                try note(base, line.count)
            } catch let error as JSONLineError {
                throw JSONLinesReader.located(error, line: base, offset: offset, in: file)
            }
            lines += 1
            bytes += line.count + 1
            if lines >= JSONLinesSchema.sampleLineCount || bytes >= JSONLinesSchema.sampleByteCount {
                isWhole = false
                break
            }
        }
        lineCount += lines
        byteCount += bytes
    }

    private mutating func note(_ bytes: UnsafePointer<UInt8>, _ count: Int) throws {
        var scanner = try JSONLineScanner(bytes, count: count)
        while let (key, value) = try scanner.next() {
            let name = key.hasEscapes ? try key.text() : Array(UnsafeBufferPointer(start: key.start, count: key.count))
            let position =
                positions[name]
                ?? {
                    columns.append(Seen(name: name))
                    positions[name] = columns.count - 1
                    return columns.count - 1
                }()
            note(value, &columns[position])
        }
    }

    private func note(_ value: JSONLineValue, _ seen: inout Seen) {
        switch value.kind {
        case .null: break
        case .boolean: seen.booleans = true
        case .integer where CSVText.integer(value.start, value.count) != nil: seen.integers = true
        case .integer, .number: seen.numbers = true
        case .array, .object: seen.containers = true
        case .string:
            seen.strings += 1
            if value.hasEscapes { return }
            if CSVText.date(value.start, value.count) != nil {
                seen.dates += 1
            } else if let timestamp = CSVText.timestamp(value.start, value.count) {
                if timestamp.hasZone { seen.zoned += 1 } else { seen.timestamps += 1 }
            }
        }
    }

    /// Names and types, in the order in which the names came.
    func fields() throws -> [Field] {
        try columns.map { seen in
            guard let name = String(validating: seen.name, as: UTF8.self) else {
                throw QueryError(.characterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\" in a name")
            }
            return Field(name: name, type: JSONLinesSchema.type(seen))
        }
    }

    private static func type(_ seen: Seen) -> DataType {
        let kinds = [seen.booleans, seen.integers || seen.numbers, seen.containers, seen.strings > 0].filter { $0 }
        // Nothing but NULLs, or values of several kinds.
        guard kinds.count == 1, !seen.containers else { return .jsonb }
        if seen.booleans { return .boolean }
        if seen.numbers { return .float64 }
        if seen.integers { return .int64 }
        if seen.dates == seen.strings { return .date }
        if seen.dates + seen.timestamps == seen.strings { return .timestamp }
        if seen.zoned == seen.strings { return .timestampTZ }
        return .text
    }
}
