// Text and CSV of COPY FROM to rows, in pieces of any size.

import Columnar
import Diagnostics

/// Takes bytes and collects typed rows. Errors name the line, and the column where there is one.
final class CopyParser {
    private let format: CopyFormat
    private let table: String
    private let fields: [Field]
    private let settings: TextSettings
    private let forcesNotNull: [Bool]
    private let forcesNull: [Bool]

    private var builders: [VectorBuilder]
    private(set) var batches: [Batch] = []
    private(set) var rowCount = 0
    private var pending: [UInt8] = []
    private var lineNumber: Int64 = 0
    /// What errors show of the line.
    private var lineStart: [UInt8] = []
    private var isAtHeader: Bool
    /// `\.` was read: what follows is ignored.
    private var hasEnded = false
    private var values: [[UInt8]?] = []

    /// `columns`: all of the table's, by name.
    init(
        _ format: CopyFormat, table: String, columns: [String], fields: [Field], settings: TextSettings
    ) throws {
        self.format = format
        self.table = table
        self.fields = fields
        self.settings = settings
        isAtHeader = format.header != .none
        for name in format.forceNotNull.union(format.forceNull)
        where name != "*" && !fields.contains(where: { $0.name == name }) {
            throw QueryError(
                columns.contains(name) ? .invalidColumnReference : .undefinedColumn,
                "column \"\(name)\" of FORCE_NULL or FORCE_NOT_NULL is not referenced by COPY",
                object: name)
        }
        forcesNotNull = fields.map { format.forceNotNull.contains($0.name) || format.forceNotNull.contains("*") }
        forcesNull = fields.map { format.forceNull.contains($0.name) || format.forceNull.contains("*") }
        builders = fields.map { VectorBuilder(type: $0.type) }
    }

    func feed(_ bytes: [UInt8]) throws {
        if hasEnded { return }
        pending += try format.encoding?.decoded(bytes) ?? bytes
        var start = 0
        while !hasEnded, let end = try lineEnd(from: start) {
            try line(pending[start..<end.contentEnd])
            start = end.next
        }
        pending.removeFirst(start)
    }

    /// The rest of the input, and the last batch.
    func finish() throws -> [Batch] {
        if !hasEnded, !pending.isEmpty {
            let rest = pending
            pending = []
            if format.isCSV, try quotesAreOpen(rest[...]) {
                lineNumber += 1
                lineStart = Array(rest.prefix(100))
                throw failure("unterminated CSV quoted field")
            }
            try line(rest.last == 13 ? rest[..<(rest.count - 1)] : rest[...])
        }
        seal()
        return batches
    }

    // MARK: Lines

    /// Where the line that begins at `start` ends; `nil`: more is needed. In CSV line ends within quotes belong to values.
    private func lineEnd(from start: Int) throws -> (contentEnd: Int, next: Int)? {
        var index = start
        var isQuoted = false
        while index < pending.count {
            let byte = pending[index]
            if format.isCSV {
                if isQuoted, byte == format.escape, format.escape != format.quote {
                    index += 2
                    continue
                }
                if byte == format.quote { isQuoted.toggle() }
                if byte == 10, !isQuoted { break }
            } else if byte == UInt8(ascii: "\\") {
                // An escaped line end belongs to the value.
                index += 2
                continue
            } else if byte == 10 {
                break
            }
            index += 1
        }
        guard index < pending.count else { return nil }
        let hasReturn = index > start && pending[index - 1] == 13
        return (hasReturn ? index - 1 : index, index + 1)
    }

    private func quotesAreOpen(_ bytes: ArraySlice<UInt8>) throws -> Bool {
        var isQuoted = false
        var index = bytes.startIndex
        while index < bytes.endIndex {
            if isQuoted, bytes[index] == format.escape, format.escape != format.quote {
                index += 2
                continue
            }
            if bytes[index] == format.quote { isQuoted.toggle() }
            index += 1
        }
        return isQuoted
    }

    private func line(_ bytes: ArraySlice<UInt8>) throws {
        lineNumber += 1
        lineStart = Array(bytes.prefix(100))
        if bytes.elementsEqual([UInt8(ascii: "\\"), UInt8(ascii: ".")]) {
            hasEnded = true
            return
        }
        values.removeAll(keepingCapacity: true)
        if format.isCSV { try splitCSV(bytes) } else { try splitText(bytes) }
        // Quoted line ends count.
        if format.isCSV { lineNumber += Int64(bytes.reduce(0) { $0 + ($1 == 10 ? 1 : 0) }) }
        if isAtHeader {
            isAtHeader = false
            if format.header == .match { try checkHeader() }
            return
        }
        // A line with nothing on it is a row of nothing only where that can be.
        if fields.isEmpty {
            if values.count == 1, values[0]?.isEmpty ?? true { values = [] }
        }
        if values.count < fields.count {
            throw failure("missing data for column \"\(fields[values.count].name)\"")
        }
        if values.count > fields.count { throw failure("extra data after last expected column") }
        for (index, field) in fields.enumerated() { try append(values[index], field, to: builders[index]) }
        rowCount += 1
        if fields.isEmpty {
            batches.append(Batch(columns: [], rowCount: 1))
        } else if builders[0].count == Batch.standardRowCount {
            seal()
        }
    }

    private func checkHeader() throws {
        guard values.count == fields.count else {
            throw failure("wrong number of fields in header line: got \(values.count), expected \(fields.count)")
        }
        for (index, field) in fields.enumerated() {
            let name = values[index].map { String(decoding: $0, as: UTF8.self) }
            if name != field.name {
                throw failure(
                    "column name mismatch in header line field \(index + 1): got \(name.map { "\"\($0)\"" } ?? "null value"), expected \"\(field.name)\""
                )
            }
        }
    }

    private func append(_ value: [UInt8]?, _ field: Field, to builder: VectorBuilder) throws {
        guard let value else { return builder.appendNull() }
        do {
            guard let text = String(validating: value, as: UTF8.self) else {
                throw QueryError(
                    SQLState("22021"), "invalid byte sequence for encoding \"UTF8\"", object: field.name)
            }
            if value.contains(0) {
                throw QueryError(
                    SQLState("22021"), "invalid byte sequence for encoding \"UTF8\": 0x00", object: field.name)
            }
            builder.append(try read(text, field))
        } catch var error as QueryError {
            let shown = String(decoding: value.prefix(100), as: UTF8.self)
            error.context = "COPY \(table), line \(lineNumber), column \(field.name): \"\(shown)\""
            error.position = nil
            throw error
        }
    }

    private func read(_ text: String, _ field: Field) throws -> ScalarValue {
        // The fields of an interval's type say what a bare number is.
        guard let qualifier = field.modifier?.qualifier, field.type == .interval else {
            return try TextFormat.parse(text, as: field.type, settings: settings)
        }
        return try Array(text.utf8).withUnsafeBufferPointer {
            .interval(try IntervalText.parse($0, qualifier: qualifier, style: settings.style))
        }
    }

    private func seal() {
        guard let count = builders.first?.count, count > 0 else { return }
        batches.append(Batch(columns: builders.map { $0.finish() }, rowCount: count))
        builders = fields.map { VectorBuilder(type: $0.type) }
    }

    private func failure(_ message: String) -> QueryError {
        var error = QueryError(.badCopyFileFormat, message)
        error.context = "COPY \(table), line \(lineNumber): \"\(String(decoding: lineStart, as: UTF8.self))\""
        return error
    }

    // MARK: Values

    private func splitText(_ bytes: ArraySlice<UInt8>) throws {
        var raw: [UInt8] = []
        var value: [UInt8] = []
        func finish() {
            values.append(raw == format.null ? nil : value)
            raw.removeAll(keepingCapacity: true)
            value.removeAll(keepingCapacity: true)
        }
        if bytes.isEmpty, fields.isEmpty { return }
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            if byte == format.delimiter {
                finish()
                index += 1
                continue
            }
            if byte == 13 { throw failure("literal carriage return found in data") }
            guard byte == UInt8(ascii: "\\"), index + 1 < bytes.endIndex else {
                raw.append(byte)
                value.append(byte)
                index += 1
                continue
            }
            let start = index
            index += 2
            value.append(Self.unescaped(bytes, &index))
            raw += bytes[start..<index]
        }
        finish()
    }

    /// The byte that an escape stands for; `index` is behind its first character and moves to its end.
    private static func unescaped(_ bytes: ArraySlice<UInt8>, _ index: inout Int) -> UInt8 {
        let first = bytes[index - 1]
        func digit(_ byte: UInt8, base: UInt8) -> UInt8? {
            let value: UInt8
            switch byte {
            case 0x30...0x39: value = byte - 0x30
            case 0x41...0x46: value = byte - 0x41 + 10
            case 0x61...0x66: value = byte - 0x61 + 10
            default: return nil
            }
            return value < base ? value : nil
        }
        switch first {
        case UInt8(ascii: "b"): return 8
        case UInt8(ascii: "f"): return 12
        case UInt8(ascii: "n"): return 10
        case UInt8(ascii: "r"): return 13
        case UInt8(ascii: "t"): return 9
        case UInt8(ascii: "v"): return 11
        case 0x30...0x37:
            var value = first - 0x30
            var count = 1
            while count < 3, index < bytes.endIndex, let next = digit(bytes[index], base: 8) {
                value = value &* 8 &+ next
                index += 1
                count += 1
            }
            return value
        case UInt8(ascii: "x"):
            guard index < bytes.endIndex, var value = digit(bytes[index], base: 16) else { return first }
            index += 1
            if index < bytes.endIndex, let next = digit(bytes[index], base: 16) {
                value = value * 16 + next
                index += 1
            }
            return value
        default: return first
        }
    }

    private func splitCSV(_ bytes: ArraySlice<UInt8>) throws {
        var value: [UInt8] = []
        var wasQuoted = false
        var isQuoted = false
        func finish() {
            let column = values.count
            let isForced = column < fields.count
            let matches = value == format.null
            let isNull =
                matches
                && (wasQuoted ? isForced && forcesNull[column] : !(isForced && forcesNotNull[column]))
            values.append(isNull ? nil : value)
            value.removeAll(keepingCapacity: true)
            wasQuoted = false
        }
        if bytes.isEmpty, fields.isEmpty { return }
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            if isQuoted {
                if byte == format.escape, index + 1 < bytes.endIndex,
                    bytes[index + 1] == format.quote || bytes[index + 1] == format.escape
                {
                    value.append(bytes[index + 1])
                    index += 2
                    continue
                }
                if byte == format.quote { isQuoted = false } else { value.append(byte) }
            } else if byte == format.delimiter {
                finish()
            } else if byte == format.quote {
                isQuoted = true
                wasQuoted = true
            } else {
                value.append(byte)
            }
            index += 1
        }
        if isQuoted { throw failure("unterminated CSV quoted field") }
        finish()
    }
}
