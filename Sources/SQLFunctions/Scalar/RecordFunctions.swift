// Records: making them, taking fields out of them, and keys that order them.

import Columnar
import Diagnostics

enum RecordFunctions {
    private static func text(_ text: String) -> FunctionDocumentation { FunctionDocumentation("Rows", text) }

    /// The place of a field, which is a literal. The value is copied out while its vector certainly lives.
    private static func place(_ argument: Vector) -> Int {
        if case .integer(let place) = argument.value(at: 0) { Int(place) } else { 0 }
    }

    static func register(in registry: FunctionRegistry) {
        registry.scalar(
            "row", [.any],
            typed: { types in
                .record(types.enumerated().map { Field(name: "f\($0.offset + 1)", type: $0.element) })
            }, isVariadic: true, isStrict: false, text("A record of its arguments: what ROW(…) makes.")
        ) { arguments, type, count, _ in
            records(arguments.map { $0.flattened() }, type, count)
        }
        registry.scalar(
            "row", [], .record([]), isStrict: false, text("The record without fields.")
        ) { _, type, count, _ in
            records([], type, count)
        }
        registry.scalar(
            "record field", [.any, .int32],
            typed: { _ in .text },
            text("A field of a record by its place, counted from 0: what (row).name stands for.")
        ) { arguments, type, count, _ in
            let index = place(arguments[1])
            let source = arguments[0].flattened()
            let result = RecordBlob.fields(index, of: source, type: type)
            result.count = count
            return result
        }
        registry.scalar(
            "record assign", [.any, .any, .int32], typed: { $0[0] }, isStrict: false,
            text("The record with the field at a place, counted from 0, replaced; a NULL gets all fields.")
        ) { arguments, type, count, _ in
            let index = place(arguments[2])
            let source = arguments[0].flattened()
            let fields = (type.recordFields ?? []).enumerated().map { place, field in
                place == index ? arguments[1].flattened() : RecordBlob.fields(place, of: source, type: field.type)
            }
            return records(fields, type, count)
        }
        registry.scalar(
            "order key", [.any], .bytea,
            text("Bytes that compare as the values do: for ordering and comparing arrays and records.")
        ) { arguments, type, count, _ in
            let source = arguments[0].flattened()
            return try Kernel.text([source], type, count) { row, output in
                if source.isNull(row) { return false }
                OrderKey.append(source, row: row, into: &output)
                return true
            }
        }
    }

    private static func records(_ fields: [Vector], _ type: DataType, _ count: Int) -> Vector {
        let result = Vector(flat: type, capacity: count)
        result.count = count
        let heap = StringHeap()
        var bytes: [UInt8] = []
        for row in 0..<count {
            bytes.removeAll(keepingCapacity: true)
            RecordBlob.append(fields, row: row, into: &bytes)
            result.views[row] = bytes.withUnsafeBufferPointer { buffer in
                buffer.baseAddress.map { heap.copy($0, count: buffer.count) } ?? StringView()
            }
        }
        result.pinned = heap.buffers
        return result
    }

    /// Records of one type as records of another: field by field.
    static func convert(
        _ records: Vector, from source: [Field], to target: DataType, _ cast: (Vector, DataType) throws -> Vector
    ) throws -> Vector {
        guard case .record(let wanted) = target, wanted.count == source.count else {
            throw QueryError(.cannotCoerce, "cannot cast type record to record")
        }
        if zip(source, wanted).allSatisfy({ $0.type == $1.type }) { return records.retyped(target) }
        let flat = records.flattened()
        var fields: [Vector] = []
        for (index, (from, to)) in zip(source, wanted).enumerated() {
            let values = RecordBlob.fields(index, of: flat, type: from.type)
            fields.append(from.type == to.type ? values : try cast(values, to.type).flattened())
        }
        let result = Self.records(fields, target, flat.count)
        if let validity = flat.validity {
            let words = result.ensureValidity()
            for row in 0..<flat.count where !Validity.isValid(validity, row) { Validity.setNull(words, row) }
        }
        return result
    }
}

/// Values as bytes whose order by memcmp is the values' order: NULL is the largest, an array that begins another comes
/// before it, and values that are equal have equal bytes.
package enum OrderKey {
    /// Appends the key of a value that is not null.
    package static func append(_ vector: Vector, row: Int, into key: inout [UInt8]) {
        switch vector.type {
        case .array(let element):
            let view = vector.views + row
            let elements = ArrayBlob.decode(
                StringView.bytes(at: view), byteCount: view.pointee.count, elementType: element)
            for index in 0..<elements.count { appendNullable(elements, row: index, into: &key) }
            key.append(0)
            // Of arrays with equal elements the one with fewer dimensions is less, then lengths and lower bounds decide.
            let shape = ArrayBlob.shape(view)
            key.append(UInt8(shape.dimensions.count))
            for number in shape.dimensions.map(\.length) + shape.dimensions.map({ $0.lower }) {
                let biased = UInt32(bitPattern: Int32(truncatingIfNeeded: number)) ^ 0x8000_0000
                withUnsafeBytes(of: biased.bigEndian) { key.append(contentsOf: $0) }
            }
        case .record(let fields):
            let view = vector.views + row
            // The vector is flat: its view at the row is a vector of one row.
            let single = Vector(flat: vector.type, capacity: 1)
            single.count = 1
            single.views[0] = view.pointee
            for (index, field) in fields.enumerated() {
                appendNullable(RecordBlob.fields(index, of: single, type: field.type), row: 0, into: &key)
            }
            key.append(0)
        default: appendPlain(vector, row: row, into: &key)
        }
    }

    private static func appendNullable(_ vector: Vector, row: Int, into key: inout [UInt8]) {
        if vector.isNull(row) {
            key.append(2)
        } else {
            key.append(1)
            append(vector, row: row, into: &key)
        }
    }

    private static func appendPlain(_ vector: Vector, row: Int, into key: inout [UInt8]) {
        func put<T: FixedWidthInteger>(_ value: T) {
            withUnsafeBytes(of: value.bigEndian) { key.append(contentsOf: $0) }
        }
        switch vector.physical {
        case .boolean: key.append(vector.values(UInt8.self)[row])
        case .int8: put(UInt8(bitPattern: vector.values(Int8.self)[row]) ^ 0x80)
        case .int16: put(UInt16(bitPattern: vector.values(Int16.self)[row]) ^ 1 << 15)
        case .int32: put(UInt32(bitPattern: vector.values(Int32.self)[row]) ^ 1 << 31)
        case .int64: put(UInt64(bitPattern: vector.values(Int64.self)[row]) ^ 1 << 63)
        case .int128: put(UInt128(bitPattern: vector.values(Int128.self)[row]) ^ 1 << 127)
        case .float32: put(ordered(Double(vector.values(Float.self)[row])))
        case .float64: put(ordered(vector.values(Double.self)[row]))
        case .interval:
            put(UInt128(bitPattern: vector.values(IntervalValue.self)[row].comparisonMicroseconds) ^ 1 << 127)
        case .uuid:
            put(vector.values(UUIDValue.self)[row].high)
            put(vector.values(UUIDValue.self)[row].low)
        case .view where vector.type.isNumericBlob: appendNumeric(NumericBlob.value(vector.views + row), into: &key)
        case .view where vector.type == .jsonb: JSONOrder.appendKey(JSONNode(at: vector.views + row), into: &key)
        case .view:
            let view = vector.views + row
            let bytes = StringView.bytes(at: view)
            for index in 0..<view.pointee.count {
                key.append(bytes[index])
                if bytes[index] == 0 { key.append(0xFF) }
            }
            key.append(0)
            key.append(0)
        }
    }

    /// A byte for the kind of number, then the place of the first digit and the digits, turned over for negative ones.
    private static func appendNumeric(_ value: NumericValue, into key: inout [UInt8]) {
        var text: [UInt8] = []
        value.append(into: &text)
        let isNegative = text.first == UInt8(ascii: "-")
        if isNegative { text.removeFirst() }
        switch text.first {
        case UInt8(ascii: "N"): return key.append(5)
        case UInt8(ascii: "I"): return key.append(isNegative ? 0 : 4)
        default: break
        }
        let point = text.firstIndex(of: UInt8(ascii: ".")) ?? text.count
        var digits = Array(text[..<point] + text[min(text.count, point + 1)...])
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        guard let first = digits.firstIndex(where: { $0 != UInt8(ascii: "0") }) else { return key.append(2) }
        key.append(isNegative ? 1 : 3)
        var bytes: [UInt8] = []
        let place = UInt32(bitPattern: Int32(truncatingIfNeeded: point - first)) ^ 1 << 31
        withUnsafeBytes(of: place.bigEndian) { bytes.append(contentsOf: $0) }
        bytes += digits[first...]
        bytes.append(0)
        key += isNegative ? bytes.map { ~$0 } : bytes
    }

    /// The bits of a float in its order: NaN is the largest, the zeros are one.
    private static func ordered(_ value: Double) -> UInt64 {
        let bits = (value.isNaN ? Double.nan : value == 0 ? 0 : value).bitPattern
        return bits & 1 << 63 != 0 ? ~bits : bits | 1 << 63
    }
}
