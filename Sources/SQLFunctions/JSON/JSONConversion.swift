// SQL values as JSON: what to_json, the constructors and the aggregates make of each type.
//
//   JSONConversion     values to JSON
//   JSONAccess         -> ->> #> #>>, subscripts, paths
//   JSONPredicates     @> <@ ? ?| ?&
//   JSONModification   || - #-, jsonb_set and its kin, strip_nulls, pretty
//   JSONConstruction   to_json, build_object, build_array, object
//   JSONCasts          between JSON and other types
//   JSONTableFunctions functions that give rows
//   JSONAggregates     agg and object_agg
//   JSONPath…          evaluation of paths

import Columnar
import Diagnostics
import QueryPlan

enum JSONConversion {
    /// Appends the JSON text of a row; NULL becomes null.
    static func append(
        _ source: Vector, _ sourceRow: Int, settings: TextSettings, into text: inout [UInt8]
    ) throws {
        if source.isNull(sourceRow) {
            text.append(contentsOf: [0x6E, 0x75, 0x6C, 0x6C])
            return
        }
        let (vector, row) = source.position(sourceRow)
        switch vector.type {
        case .boolean: text.append(contentsOf: (vector.values(UInt8.self)[row] != 0 ? "true" : "false").utf8)
        case .json, .jsonb: TextFormat.append(vector, row: row, settings: settings, into: &text)
        case .array(let element):
            var index = 0
            try appendArray(
                elements(vector, row, element), ArrayBlob.shape(vector.views + row).dimensions[...], &index,
                settings: settings, into: &text)
        case .record(let fields):
            try appendRecord(vector, row, fields, separator: ",", settings: settings, into: &text)
        default:
            let shown = plainText(vector, row, settings)
            if vector.type.isNumeric, isNumber(shown) {
                text.append(contentsOf: shown)
            } else {
                JSONText.appendQuoted(shown, into: &text)
            }
        }
    }

    /// Adds a row to a jsonb blob; NULL becomes null.
    static func build(
        _ source: Vector, _ sourceRow: Int, settings: TextSettings, into builder: inout JSONBuilder
    ) throws {
        if source.isNull(sourceRow) { return builder.null() }
        let (vector, row) = source.position(sourceRow)
        switch vector.type {
        case .boolean: builder.boolean(vector.values(UInt8.self)[row] != 0)
        case .int8: builder.integer(Int64(vector.values(Int8.self)[row]))
        case .int16: builder.integer(Int64(vector.values(Int16.self)[row]))
        case .int32: builder.integer(Int64(vector.values(Int32.self)[row]))
        case .int64: builder.integer(vector.values(Int64.self)[row])
        case .jsonb: builder.node(JSONNode(at: vector.views + row))
        case .json:
            let view = vector.views + row
            let blob = try JSONText.blob(
                UnsafeBufferPointer(start: StringView.bytes(at: view), count: view.pointee.count))
            blob.withUnsafeBufferPointer { builder.node(JSONNode($0)) }
        case .array(let element):
            var index = 0
            try buildArray(
                elements(vector, row, element), ArrayBlob.shape(vector.views + row).dimensions[...], &index,
                settings: settings, into: &builder)
        case .record(let fields):
            builder.beginObject()
            for (field, value) in zip(fields, values(vector, row, fields)) {
                builder.key(field.name)
                try build(value, 0, settings: settings, into: &builder)
            }
            builder.end()
        default:
            let shown = plainText(vector, row, settings)
            if vector.type.isNumeric, isNumber(shown) {
                try shown.withUnsafeBufferPointer { try builder.number(text: $0) }
            } else {
                builder.string(shown)
            }
        }
    }

    /// Appends a row, an array, with a separator of its own between the members of its first dimension.
    static func appendArray(
        _ vector: Vector, _ row: Int, _ element: DataType, separator: String, settings: TextSettings,
        into text: inout [UInt8]
    ) throws {
        let dimensions = ArrayBlob.shape(vector.views + row).dimensions
        let elements = elements(vector, row, element)
        var index = 0
        text.append(0x5B)
        for member in 0..<(dimensions.first?.length ?? 0) {
            if member > 0 { text.append(contentsOf: separator.utf8) }
            if dimensions.count > 1 {
                try appendArray(elements, dimensions.dropFirst(), &index, settings: settings, into: &text)
            } else {
                try append(elements, index, settings: settings, into: &text)
                index += 1
            }
        }
        text.append(0x5D)
    }

    /// Each dimension is an array of arrays of the next one.
    private static func appendArray(
        _ elements: Vector, _ dimensions: ArraySlice<ArrayShape.Dimension>, _ index: inout Int, settings: TextSettings,
        into text: inout [UInt8]
    ) throws {
        text.append(0x5B)
        for member in 0..<(dimensions.first?.length ?? 0) {
            if member > 0 { text.append(0x2C) }
            if dimensions.count > 1 {
                try appendArray(elements, dimensions.dropFirst(), &index, settings: settings, into: &text)
            } else {
                try append(elements, index, settings: settings, into: &text)
                index += 1
            }
        }
        text.append(0x5D)
    }

    private static func buildArray(
        _ elements: Vector, _ dimensions: ArraySlice<ArrayShape.Dimension>, _ index: inout Int, settings: TextSettings,
        into builder: inout JSONBuilder
    ) throws {
        builder.beginArray()
        for _ in 0..<(dimensions.first?.length ?? 0) {
            if dimensions.count > 1 {
                try buildArray(elements, dimensions.dropFirst(), &index, settings: settings, into: &builder)
            } else {
                try build(elements, index, settings: settings, into: &builder)
                index += 1
            }
        }
        builder.end()
    }

    /// Appends a row as an object of its fields.
    static func appendRecord(
        _ vector: Vector, _ row: Int, _ fields: [Field], separator: String, settings: TextSettings,
        into text: inout [UInt8]
    ) throws {
        text.append(0x7B)
        for (index, value) in values(vector, row, fields).enumerated() {
            if index > 0 { text.append(contentsOf: separator.utf8) }
            JSONText.appendQuoted(Array(fields[index].name.utf8), into: &text)
            text.append(0x3A)
            try append(value, 0, settings: settings, into: &text)
        }
        text.append(0x7D)
    }

    /// The fields of a record, each as a vector of one row.
    private static func values(_ vector: Vector, _ row: Int, _ fields: [Field]) -> [Vector] {
        let record = Vector(flat: vector.type, capacity: 1)
        record.views[0] = vector.views[row]
        return fields.indices.map { RecordBlob.fields($0, of: record, type: fields[$0].type) }
    }

    static func elements(_ vector: Vector, _ row: Int, _ element: DataType) -> Vector {
        let view = vector.views + row
        return ArrayBlob.decode(StringView.bytes(at: view), byteCount: view.pointee.count, elementType: element)
    }

    /// NaN and infinities are no numbers in JSON.
    private static func isNumber(_ text: [UInt8]) -> Bool {
        guard let first = text.first else { return false }
        let next = first == 0x2D && text.count > 1 ? text[1] : first
        return next &- 0x30 <= 9
    }

    /// The text of a value, days and times in ISO 8601 whatever the session's style is.
    static func plainText(_ vector: Vector, _ row: Int, _ settings: TextSettings) -> [UInt8] {
        var text: [UInt8] = []
        switch vector.type {
        case .boolean: return Array((vector.values(UInt8.self)[row] != 0 ? "true" : "false").utf8)
        case .date: DateTimeText.appendDate(vector.values(Int32.self)[row], into: &text)
        case .timestamp:
            DateTimeText.appendTimestamp(vector.values(Int64.self)[row], into: &text)
            separateTime(&text)
        case .timestampTZ:
            DateTimeText.appendTimestampTZ(vector.values(Int64.self)[row], zone: settings.timeZone, into: &text)
            separateTime(&text)
            completeOffset(&text)
        default: TextFormat.append(vector, row: row, settings: settings, into: &text)
        }
        return text
    }

    private static func separateTime(_ text: inout [UInt8]) {
        if let blank = text.firstIndex(of: 0x20), blank + 1 < text.count, text[blank + 1] &- 0x30 <= 9 {
            text[blank] = 0x54
        }
    }

    /// An offset of whole hours gets its minutes.
    private static func completeOffset(_ text: inout [UInt8]) {
        guard let start = text.firstIndex(of: 0x54),
            let sign = text[start...].firstIndex(where: { $0 == 0x2B || $0 == 0x2D })
        else { return }
        let end = text[sign...].firstIndex(of: 0x20) ?? text.count
        if end - sign == 3 { text.insert(contentsOf: [0x3A, 0x30, 0x30], at: end) }
    }
}

extension TextSettings {
    init(_ context: EvaluationContext) {
        self.init(
            timeZoneNamed: context.timeZone, now: context.statementTimestamp, style: context.textStyle,
            objectNames: context.catalogFacts)
    }
}

/// The loops of JSON functions.
enum JSONKernel {
    /// A jsonb value built row by row: `body` builds a row's value and says whether the row is not null. Rows that are null
    /// in an argument are skipped unless `skipsNulls` is false.
    static func build(
        _ arguments: [Vector], _ count: Int, skipsNulls: Bool = true,
        _ body: (Int, inout JSONBuilder) throws -> Bool
    ) throws -> Vector {
        let result = Vector(flat: .jsonb, capacity: count)
        let heap = StringHeap(chunkByteCount: 16 << 10)
        var builder = JSONBuilder()
        let mayHaveNulls = skipsNulls && arguments.contains { $0.mayHaveNulls }
        for row in 0..<count {
            result.views[row] = StringView()
            if mayHaveNulls, arguments.contains(where: { $0.isNull(row) }) { continue }
            builder.removeAll()
            if try body(row, &builder) {
                result.views[row] = try builder.withNode { heap.copy($0) }
            } else {
                Validity.setNull(result.ensureValidity(), row)
            }
        }
        result.pinned = heap.buffers
        return result
    }

    /// Parts of jsonb arguments: `body` gives the part that a row's result is, in place; `nil` makes it null.
    static func parts(
        _ source: Vector, _ others: [Vector], _ count: Int, _ body: (Int, JSONNode) throws -> JSONNode?
    ) rethrows -> Vector {
        let result = Vector(flat: .jsonb, capacity: count)
        let column = ViewColumn(source)
        let mayHaveNulls = source.mayHaveNulls || others.contains { $0.mayHaveNulls }
        for row in 0..<count {
            result.views[row] = StringView()
            if mayHaveNulls, source.isNull(row) || others.contains(where: { $0.isNull(row) }) { continue }
            if let part = try body(row, JSONNode(at: column.view(row))) {
                result.views[row] = StringView(part)
            } else {
                Validity.setNull(result.ensureValidity(), row)
            }
        }
        // A part of a value that lies within its view is short enough to lie within its own.
        result.pinned = source.pinned + [source.dataOwner]
        return result
    }

    /// The same, each part as text without quotes; JSON's null is NULL.
    static func partTexts(
        _ source: Vector, _ others: [Vector], _ count: Int, _ body: (Int, JSONNode) throws -> JSONNode?
    ) rethrows -> Vector {
        let result = Vector(flat: .text, capacity: count)
        let column = ViewColumn(source)
        let heap = StringHeap(chunkByteCount: 16 << 10)
        var text: [UInt8] = []
        let mayHaveNulls = source.mayHaveNulls || others.contains { $0.mayHaveNulls }
        for row in 0..<count {
            result.views[row] = StringView()
            if mayHaveNulls, source.isNull(row) || others.contains(where: { $0.isNull(row) }) { continue }
            guard let part = try body(row, JSONNode(at: column.view(row))), !part.isNull else {
                Validity.setNull(result.ensureValidity(), row)
                continue
            }
            if part.isString {
                result.views[row] = StringView(part.stringBytes)
            } else {
                text.removeAll(keepingCapacity: true)
                JSONText.append(part, into: &text)
                result.views[row] = heap.copy(text)
            }
        }
        result.pinned = source.pinned + [source.dataOwner] + heap.buffers
        return result
    }

    /// Parts of json arguments, as json or, without quotes, as text.
    static func textParts(
        _ source: Vector, _ others: [Vector], _ type: DataType, _ count: Int,
        _ body: (Int, JSONTextValue) throws -> JSONTextValue?
    ) throws -> Vector {
        let result = Vector(flat: type, capacity: count)
        let column = ViewColumn(source)
        let heap = StringHeap(chunkByteCount: 4 << 10)
        let mayHaveNulls = source.mayHaveNulls || others.contains { $0.mayHaveNulls }
        for row in 0..<count {
            result.views[row] = StringView()
            if mayHaveNulls, source.isNull(row) || others.contains(where: { $0.isNull(row) }) { continue }
            guard let part = try body(row, JSONTextValue(column.bytes(row))), type == .json || !part.isNull else {
                Validity.setNull(result.ensureValidity(), row)
                continue
            }
            if type == .text, part.isString {
                result.views[row] = heap.copy(try part.decoded())
            } else {
                result.views[row] = StringView(part.text)
            }
        }
        result.pinned = source.pinned + [source.dataOwner] + heap.buffers
        return result
    }
}

extension StringView {
    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        if let base = bytes.baseAddress { self.init(base, count: bytes.count) } else { self.init() }
    }
    init(_ node: JSONNode) { self.init(node.bytes) }
}

extension StringHeap {
    func copy(_ node: JSONNode) -> StringView {
        node.bytes.baseAddress.map { copy($0, count: node.count) } ?? StringView()
    }
}
