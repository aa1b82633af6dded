// The reader of a split of JSON lines.

import CKernels
import Columnar
import Diagnostics
import Storage

/// Reads the lines of a byte range into batches; filters are applied to whole batches. Confined to one thread.
final class JSONLinesReader: BatchReader {
    private let identity: FileIdentity
    private let input: JSONLinesInput
    private let columns: [JSONLinesColumn]
    /// All names of the table, in order, and where they are found.
    private let names: [[UInt8]]
    private let ordinals: [[UInt8]: Int]
    /// The names as a column of text: comparing with it needs no array.
    private let nameViews: Vector
    /// By name: the place among `columns`, if it is read.
    private let places: [Int?]
    private let context: ScanContext
    private let file: any ReadableFile
    private var limit: Int
    private var bytesReported = 0

    init(
        _ part: FilePart, in store: any FileStore, schema: Schema, request: ScanRequest, context: ScanContext
    ) throws {
        identity = part.identity
        file = try store.open(part.identity)
        input = try JSONLinesInput(file, part.start..<part.end, held: HeldBytes(context))
        self.context = context
        columns = request.projection.map { JSONLinesColumn(schema.fields[$0].type) }
        names = schema.fields.map { Array($0.name.utf8) }
        var ordinals: [[UInt8]: Int] = [:]
        for (ordinal, name) in names.enumerated() { ordinals[name] = ordinal }
        self.ordinals = ordinals
        let builder = VectorBuilder(type: .text, capacity: names.count)
        for field in schema.fields { builder.append(string: field.name) }
        nameViews = builder.finish()
        var places = [Int?](repeating: nil, count: names.count)
        for (place, ordinal) in request.projection.enumerated() { places[ordinal] = place }
        self.places = places
        limit = context.filters.isEmpty && request.predicates.isEmpty ? request.limit ?? .max : .max
    }

    func next() throws -> Batch? {
        while limit > 0 {
            try context.checkCancellation()
            let count = try fill(min(limit, Batch.standardRowCount))
            context.bytesRead += input.bytesRead - bytesReported
            bytesReported = input.bytesRead
            if count == 0 { return nil }
            if let batch = try filtered(columns.map { $0.finish(count) }, count) {
                limit -= batch.rowCount
                return batch
            }
        }
        return nil
    }

    private func fill(_ rowMax: Int) throws -> Int {
        for column in columns { column.begin() }
        var row = 0
        while row < rowMax, let (line, offset) = try input.next() {
            guard let base = line.baseAddress, !JSONLineScanner.isBlank(base, count: line.count) else { continue }
            do {
                try read(base, line.count, row)
            } catch let error as JSONLineError {
                throw JSONLinesReader.located(error, line: base, offset: offset, in: file)
            } catch var error as QueryError {
                let place = JSONLinesReader.place(offset, file)
                error.detail = (error.detail.map { $0 + " " } ?? "") + place
                if error.object == nil { error.object = identity.path }
                throw error
            }
            row += 1
        }
        return row
    }

    private func read(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ row: Int) throws {
        var scanner = try JSONLineScanner(bytes, count: count)
        // Members come in the same order in each line, as a rule.
        var expected = 0
        while let (key, value) = try scanner.next() {
            guard let ordinal = try ordinal(of: key, expected: expected) else { continue }
            expected = ordinal + 1 == names.count ? 0 : ordinal + 1
            guard let place = places[ordinal] else { continue }
            do { try columns[place].set(value, row) } catch let error as JSONLineError {
                throw QueryError(
                    .invalidTextRepresentation, error.message,
                    hint: "The type was found out from the first lines.",
                    object: String(decoding: names[ordinal], as: UTF8.self))
            }
        }
    }

    @inline(__always)
    private func ordinal(of key: JSONLineValue, expected: Int) throws -> Int? {
        if expected < names.count, !key.hasEscapes, nameViews.views[expected].count == key.count,
            memcmp(StringView.bytes(at: nameViews.views + expected), key.start, key.count) == 0
        {
            return expected
        }
        return ordinals[
            key.hasEscapes ? try key.text() : Array(UnsafeBufferPointer(start: key.start, count: key.count))]
    }

    private func filtered(_ vectors: [Vector], _ count: Int) throws -> Batch? {
        var selection: Selection?
        for filter in context.filters {
            if let chosen = try filter.select(Batch(columns: vectors, rowCount: count, selection: selection)) {
                selection = selection?.composed(with: chosen) ?? chosen
                if chosen.count == 0 { return nil }
            }
        }
        if let chosen = selection, chosen.count == count { selection = nil }
        return Batch(columns: vectors, rowCount: count, selection: selection)
    }

    // MARK: Errors

    static func located(
        _ error: JSONLineError, line: UnsafePointer<UInt8>, offset: Int, in file: any ReadableFile
    ) -> QueryError {
        QueryError(
            .invalidTextRepresentation, "invalid input syntax for type json: \(error.message)",
            detail: "Character \(error.at - line + 1). \(place(offset, file))", object: file.identity.path)
    }

    private static func place(_ offset: Int, _ file: any ReadableFile) -> String {
        let line = (try? CSVLines.line(of: offset, in: file, newline: 10)) ?? nil
        return "File: \(file.identity.path)" + (line.map { ", line \($0)" } ?? "") + "."
    }
}

/// The values of one column while a batch is filled.
private final class JSONLinesColumn {
    private let type: DataType
    private var vector: Vector
    private var valid = Validity.make(rows: Batch.standardRowCount, valid: false)
    private var heap = StringHeap()

    init(_ type: DataType) {
        self.type = type
        vector = Vector(flat: type, capacity: 0)
    }

    /// All rows are NULL until they are set.
    func begin() {
        vector = Vector(flat: type, capacity: Batch.standardRowCount)
        vector.data.initializeMemory(
            as: UInt8.self, repeating: 0, count: Batch.standardRowCount * type.physical.width)
        valid = Validity.make(rows: Batch.standardRowCount, valid: false)
        heap = StringHeap()
    }

    func finish(_ count: Int) -> Vector {
        let words = valid.base.assumingMemoryBound(to: UInt64.self)
        let hasNulls = BitRange.count(words, 0, count: count) < count
        return Vector(
            type: type, encoding: .flat, count: count, data: vector.data, dataOwner: vector.dataOwner,
            validity: hasNulls ? valid : nil, pinned: type.physical == .view ? heap.buffers as [any AnyObject] : [])
    }

    private func wrong(_ value: JSONLineValue) -> JSONLineError {
        let text = String(decoding: value.source.prefix(100), as: UTF8.self)
        return JSONLineError(message: "invalid input syntax for type \(type.sqlName): \(text)", at: value.start)
    }

    func set(_ value: JSONLineValue, _ row: Int) throws {
        let words = valid.base.assumingMemoryBound(to: UInt64.self)
        if value.kind == .null {
            words[row >> 6] &= ~(1 << UInt64(row & 63))
            return
        }
        switch type {
        case .boolean:
            guard value.kind == .boolean else { throw wrong(value) }
            vector.values(UInt8.self)[row] = value.count == 4 ? 1 : 0
        case .int64:
            guard value.kind == .integer, let number = CSVText.integer(value.start, value.count) else {
                throw wrong(value)
            }
            vector.values(Int64.self)[row] = number
        case .float64:
            guard value.kind == .integer || value.kind == .number,
                let number = CSVText.double(value.start, value.count, CSVText.powersOfTen)
                    ?? CSVText.anyDouble(value.start, value.count)
            else { throw wrong(value) }
            vector.values(Double.self)[row] = number
        case .date:
            guard value.kind == .string, let days = CSVText.date(value.start, value.count) else { throw wrong(value) }
            vector.values(Int32.self)[row] = days
        case .timestamp, .timestampTZ:
            guard value.kind == .string else { throw wrong(value) }
            if let time = CSVText.timestamp(value.start, value.count), !time.hasZone || type == .timestampTZ {
                vector.values(Int64.self)[row] = time.value
            } else if type == .timestamp, let days = CSVText.date(value.start, value.count) {
                vector.values(Int64.self)[row] = Int64(days) * 86_400_000_000
            } else {
                throw wrong(value)
            }
        case .jsonb:
            try checkEncoding(value)
            vector.views[row] = heap.copy(try JSONText.blob(value.source))
        default: try setText(value, row)
        }
        words[row >> 6] |= 1 << UInt64(row & 63)
    }

    /// What is no string comes as it is written.
    private func setText(_ value: JSONLineValue, _ row: Int) throws {
        try checkEncoding(value)
        if value.hasEscapes {
            vector.views[row] = heap.copy(try value.text())
            return
        }
        vector.views[row] = heap.copy(value.start, count: value.count)
    }

    private func checkEncoding(_ value: JSONLineValue) throws {
        guard ck_utf8_invalid(value.start, value.count) < 0 else {
            throw QueryError(.characterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\"")
        }
    }
}

extension StringHeap {
    fileprivate func copy(_ bytes: [UInt8]) -> StringView {
        bytes.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { copy($0, count: buffer.count) } ?? StringView()
        }
    }
}
