// How SQL types are written: physical and logical type, and the form that values get before they are staged.

import Columnar
import Diagnostics

/// What the schema says about a column, and how its values become plain ones.
struct ParquetColumnType: Sendable {
    /// Plain values of one width, bits, or bytes with a length in front.
    enum Layout: Sendable { case bits, four, eight, fixed, bytes }
    /// How the bounds of a column compare; `none` has no bounds.
    enum Order: Sendable { case none, boolean, int32, int64, float, double, bytes, signedBytes, text }
    enum Preparation: Sendable {
        case identity
        case int8, int16
        /// Decimals of at most nine digits.
        case decimal32
        /// 128 bits, big-endian, as short as the precision allows.
        case decimal128
        case uuid, interval
        case jsonb
        /// As the type's text is: types that Parquet does not have.
        case text
        case label(EnumeratedType)
    }

    let field: Field
    let physical: ParquetPhysicalType
    /// Of fixed-length byte arrays.
    let typeLength: Int
    let layout: Layout
    let order: Order
    let preparation: Preparation

    /// Throws for types that cannot be written.
    init(_ field: Field) throws {
        self.field = field
        var length = 0
        var preparation = Preparation.identity
        switch field.type {
        case .boolean: (physical, layout, order) = (.boolean, .bits, .boolean)
        case .int8: (physical, layout, order, preparation) = (.int32, .four, .int32, .int8)
        case .int16: (physical, layout, order, preparation) = (.int32, .four, .int32, .int16)
        case .int32, .date: (physical, layout, order) = (.int32, .four, .int32)
        case .int64, .time, .timestamp, .timestampTZ, .oid: (physical, layout, order) = (.int64, .eight, .int64)
        case .float32: (physical, layout, order) = (.float, .four, .float)
        case .float64: (physical, layout, order) = (.double, .eight, .double)
        case .decimal(let precision, _):
            if precision <= 9 {
                (physical, layout, order, preparation) = (.int32, .four, .int32, .decimal32)
            } else if precision <= 18 {
                (physical, layout, order) = (.int64, .eight, .int64)
            } else {
                (physical, layout, order, preparation) = (.fixedByteArray, .fixed, .signedBytes, .decimal128)
                length = ParquetColumnType.byteCount(ofDigits: precision)
            }
        case .uuid:
            (physical, layout, order, preparation) = (.fixedByteArray, .fixed, .bytes, .uuid)
            length = 16
        case .interval:
            (physical, layout, order, preparation) = (.fixedByteArray, .fixed, .none, .interval)
            length = 12
        case .unknown, .text, .varchar, .char, .name, .internalChar:
            (physical, layout, order) = (.byteArray, .bytes, .text)
        case .bytea: (physical, layout, order) = (.byteArray, .bytes, .bytes)
        case .json: (physical, layout, order) = (.byteArray, .bytes, .none)
        case .jsonb: (physical, layout, order, preparation) = (.byteArray, .bytes, .none, .jsonb)
        case .enumeration(let type): (physical, layout, order, preparation) = (.byteArray, .bytes, .text, .label(type))
        case .timeTZ, .bit, .varbit, .range, .jsonpath:
            (physical, layout, order, preparation) = (.byteArray, .bytes, .text, .text)
        case .array, .record, .numeric, .registered, .indexVector:
            throw QueryError(
                .featureNotSupported,
                "a column of type \(field.type.sqlName) cannot be written to a Parquet file",
                hint: "Convert column \"\(field.name)\" to text or by to_jsonb.", object: field.name)
        }
        typeLength = length
        self.preparation = preparation
    }

    /// Bytes of the shortest two's complement that holds every number of so many digits.
    static func byteCount(ofDigits digits: Int) -> Int {
        var bound: UInt128 = 1
        for _ in 0..<min(digits, DataType.decimalPrecisionMax) { bound *= 10 }
        return (128 - (bound - 1).leadingZeroBitCount) / 8 + 1
    }

    /// Bytes of a staged value; 0 where they vary.
    var width: Int {
        switch layout {
        case .bits: 1
        case .four: 4
        case .eight: 8
        case .fixed: typeLength
        case .bytes: 0
        }
    }

    // MARK: Schema

    func schemaElement(_ element: inout ThriftWriter) {
        element.int32(1, physical.rawValue)
        if typeLength > 0 { element.int32(2, typeLength) }
        element.int32(3, field.isNullable ? 1 : 0)
        element.string(4, field.name)
        if let convertedType { element.int32(6, convertedType) }
        if case .decimal(let precision, let scale) = field.type {
            element.int32(7, scale)
            element.int32(8, precision)
        }
        logicalType(&element)
    }

    /// What older readers know of the type.
    private var convertedType: Int? {
        switch field.type {
        case .unknown, .text, .varchar, .char, .name, .internalChar, .timeTZ, .bit, .varbit, .range, .jsonpath: 0
        case .enumeration: 4
        case .decimal: 5
        case .date: 6
        case .time: 8
        case .timestampTZ: 10
        case .int8: 15
        case .int16: 16
        case .json, .jsonb: 19
        case .interval: 21
        default: nil
        }
    }

    private func logicalType(_ element: inout ThriftWriter) {
        /// A time unit: microseconds.
        func microseconds(_ writer: inout ThriftWriter, isUTC: Bool) {
            writer.boolean(1, isUTC)
            writer.structure(2) { $0.structure(2) { _ in } }
        }
        func integer(_ writer: inout ThriftWriter, bits: UInt8) {
            writer.structure(10) {
                $0.int8(1, bits)
                $0.boolean(2, true)
            }
        }
        switch field.type {
        case .unknown, .text, .varchar, .char, .name, .internalChar, .timeTZ, .bit, .varbit, .range, .jsonpath:
            element.structure(10) { $0.structure(1) { _ in } }
        case .enumeration: element.structure(10) { $0.structure(4) { _ in } }
        case .decimal(let precision, let scale):
            element.structure(10) {
                $0.structure(5) {
                    $0.int32(1, scale)
                    $0.int32(2, precision)
                }
            }
        case .date: element.structure(10) { $0.structure(6) { _ in } }
        case .time: element.structure(10) { $0.structure(7) { microseconds(&$0, isUTC: false) } }
        case .timestamp: element.structure(10) { $0.structure(8) { microseconds(&$0, isUTC: false) } }
        case .timestampTZ: element.structure(10) { $0.structure(8) { microseconds(&$0, isUTC: true) } }
        case .int8: element.structure(10) { integer(&$0, bits: 8) }
        case .int16: element.structure(10) { integer(&$0, bits: 16) }
        case .json, .jsonb: element.structure(10) { $0.structure(12) { _ in } }
        case .uuid: element.structure(10) { $0.structure(14) { _ in } }
        default: break
        }
    }

    // MARK: Values

    /// The values in the form that is staged: integers of 4 or 8 bytes, bytes of fixed length one behind the other, views.
    /// Takes a flat vector; validity stays.
    func prepared(_ vector: Vector) throws -> Vector {
        switch preparation {
        case .identity: return vector
        case .int8: return widened(vector) { Int32(vector.values(Int8.self)[$0]) }
        case .int16: return widened(vector) { Int32(vector.values(Int16.self)[$0]) }
        case .decimal32: return widened(vector) { Int32(truncatingIfNeeded: vector.values(Int64.self)[$0]) }
        case .decimal128:
            return fixed(vector) { row, target in
                var value = vector.values(Int128.self)[row].bigEndian
                withUnsafeBytes(of: &value) {
                    target.copyMemory(from: $0.baseAddress! + 16 - typeLength, byteCount: typeLength)
                }
            }
        case .uuid:
            return fixed(vector) { row, target in
                let value = vector.values(UUIDValue.self)[row]
                target.storeBytes(of: value.high.bigEndian, as: UInt64.self)
                target.storeBytes(of: value.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
        case .interval:
            return try fixed(vector) { row, target in
                try interval(vector.isNull(row) ? IntervalValue() : vector.values(IntervalValue.self)[row], target)
            }
        case .jsonb: return JSONText.shown(vector)
        case .text, .label: return try rendered(vector)
        }
    }

    @inline(__always)
    private func widened(_ vector: Vector, _ value: (Int) -> Int32) -> Vector {
        let result = Vector(flat: .int32, capacity: vector.count)
        let target = result.values(Int32.self)
        var row = 0
        while row < vector.count {
            target[row] = value(row)
            row &+= 1
        }
        return withValidity(of: vector, result)
    }

    private func withValidity(of vector: Vector, _ result: Vector) -> Vector {
        result.validity = vector.validity
        result.validityOwner = vector.validityOwner
        return result
    }

    /// Values of `typeLength` bytes; the vector's type has wider ones, so they fit.
    @inline(__always)
    private func fixed(_ vector: Vector, _ store: (Int, UnsafeMutableRawPointer) throws -> Void) rethrows -> Vector {
        let result = Vector(flat: .uuid, capacity: vector.count)
        var row = 0
        while row < vector.count {
            try store(row, result.data + row &* typeLength)
            row &+= 1
        }
        return withValidity(of: vector, result)
    }

    /// Parquet's intervals are three unsigned numbers: months, days, milliseconds.
    private func interval(_ value: IntervalValue, _ target: UnsafeMutableRawPointer) throws {
        let (milliseconds, rest) = value.microseconds.quotientAndRemainder(dividingBy: 1000)
        guard rest == 0, value.months >= 0, value.days >= 0, let unsigned = UInt32(exactly: milliseconds) else {
            throw QueryError(
                .numericValueOutOfRange,
                "interval \(TextFormat.text(of: .interval(value), type: .interval)) of column \"\(field.name)\" cannot be "
                    + "written to a Parquet file",
                detail: "Parquet has intervals of whole milliseconds that are not negative.",
                hint: "Convert the column to text.", object: field.name)
        }
        target.storeBytes(of: UInt32(value.months), as: UInt32.self)
        target.storeBytes(of: UInt32(value.days), toByteOffset: 4, as: UInt32.self)
        target.storeBytes(of: unsigned, toByteOffset: 8, as: UInt32.self)
    }

    private func rendered(_ vector: Vector) throws -> Vector {
        let builder = VectorBuilder(type: .text, capacity: vector.count)
        let settings = TextSettings()
        var text: [UInt8] = []
        for row in 0..<vector.count {
            if vector.isNull(row) {
                builder.appendNull()
                continue
            }
            text.removeAll(keepingCapacity: true)
            if case .label(let type) = preparation {
                guard let label = type.label(of: vector.values(Int64.self)[row]) else {
                    throw QueryError.internalError("a value of type \(type.name) without a label")
                }
                text += label.utf8
            } else {
                TextFormat.append(vector, row: row, settings: settings, into: &text)
            }
            text.withUnsafeBufferPointer {
                if let start = $0.baseAddress {
                    builder.append(bytes: start, count: $0.count)
                } else {
                    builder.append(string: "")
                }
            }
        }
        return builder.finish()
    }
}
