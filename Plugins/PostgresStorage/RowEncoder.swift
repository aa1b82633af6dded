// Rows of vectors in COPY's binary form.

import Columnar
import Diagnostics

/// Collects rows as bytes. Columns that the server computes are left out by who makes it.
struct RowEncoder {
    private(set) var bytes: [UInt8] = []
    private let columns: [FieldCodec]

    init(_ columns: [FieldCodec]) {
        self.columns = columns
        bytes = [0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00, 0, 0, 0, 0, 0, 0, 0, 0]
    }

    mutating func takeBytes() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    mutating func finish() { append(Int16(-1)) }

    @inline(__always)
    private mutating func append<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    /// A field of fixed width.
    @inline(__always)
    private mutating func field<T: FixedWidthInteger>(_ value: T) {
        append(Int32(MemoryLayout<T>.size))
        append(value)
    }

    mutating func append(_ vectors: [Vector], rowCount: Int) throws {
        let flat = vectors.map { $0.flattened() }
        bytes.reserveCapacity(bytes.count + rowCount * (2 + columns.count * 12))
        for row in 0..<rowCount {
            append(Int16(columns.count))
            for (index, vector) in flat.enumerated() {
                if let validity = vector.validity, !Validity.isValid(validity, row) {
                    append(Int32(-1))
                } else {
                    try append(vector, row, columns[index])
                }
            }
        }
    }

    private mutating func append(_ vector: Vector, _ row: Int, _ codec: FieldCodec) throws {
        switch codec {
        case .boolean: field(vector.values(UInt8.self)[row])
        case .int16: field(vector.values(Int16.self)[row])
        case .int32: field(vector.values(Int32.self)[row])
        case .int64, .time: field(vector.values(Int64.self)[row])
        case .float32: field(vector.values(Float.self)[row].bitPattern)
        case .float64: field(vector.values(Double.self)[row].bitPattern)
        case .oid: field(UInt32(truncatingIfNeeded: vector.values(Int64.self)[row]))
        case .date: field(try Self.serverDate(vector.values(Int32.self)[row]))
        case .timestamp: field(try Self.serverMoment(vector.values(Int64.self)[row]))
        case .timeTZ:
            let value = TimeTZValue(packed: vector.values(Int64.self)[row])
            append(Int32(12))
            append(value.time)
            append(Int32(truncatingIfNeeded: -value.offset))
        case .interval:
            let value = vector.values(IntervalValue.self)[row]
            append(Int32(16))
            append(value.microseconds)
            append(value.days)
            append(value.months)
        case .uuid:
            let value = vector.values(UUIDValue.self)[row]
            append(Int32(16))
            append(value.high)
            append(value.low)
        case .place:
            let value = vector.values(Int64.self)[row]
            append(Int32(6))
            append(UInt32(truncatingIfNeeded: value >> 16))
            append(UInt16(truncatingIfNeeded: value))
        case .text, .paddedText, .bytes:
            let view = vector.views + row
            append(Int32(truncatingIfNeeded: view.pointee.count))
            bytes.append(contentsOf: UnsafeBufferPointer(start: StringView.bytes(at: view), count: view.pointee.count))
        case .decimal(_, let scale):
            let unscaled =
                vector.physical == .int64 ? Int128(vector.values(Int64.self)[row]) : vector.values(Int128.self)[row]
            appendNumeric(NumericValue(unscaled, scale: scale))
        case .numeric: appendNumeric(NumericBlob.value(vector.views + row))
        case .jsonb:
            var text: [UInt8] = []
            JSONText.append(JSONNode(at: vector.views + row), into: &text)
            append(Int32(truncatingIfNeeded: text.count + 1))
            bytes.append(1)
            bytes.append(contentsOf: text)
        case .bits:
            let digits = StringView.array(at: vector.views + row)
            append(Int32(truncatingIfNeeded: 4 + (digits.count + 7) / 8))
            append(Int32(truncatingIfNeeded: digits.count))
            var packed = [UInt8](repeating: 0, count: (digits.count + 7) / 8)
            for (index, digit) in digits.enumerated() where digit == 0x31 {
                packed[index / 8] |= 0x80 >> UInt8(index % 8)
            }
            bytes.append(contentsOf: packed)
        case .array(let element, let identifier): try appendArray(vector, row, element, identifier)
        }
    }

    private static func serverDate(_ days: Int32) throws -> Int32 {
        if days == .max || days == .min { return days }
        let (value, overflow) = days.subtractingReportingOverflow(ColumnDecoder.epochDays)
        if overflow { throw QueryError(.datetimeFieldOverflow, "date out of range") }
        return value
    }

    private static func serverMoment(_ moment: Int64) throws -> Int64 {
        if moment == .max || moment == .min { return moment }
        let (value, overflow) = moment.subtractingReportingOverflow(ColumnDecoder.epochMicroseconds)
        if overflow { throw QueryError(.datetimeFieldOverflow, "timestamp out of range") }
        return value
    }

    private mutating func appendNumeric(_ value: NumericValue) {
        func head(_ encoder: inout RowEncoder, _ groups: [UInt16], weight: Int, sign: UInt16, scale: Int) {
            encoder.append(Int32(truncatingIfNeeded: 8 + groups.count * 2))
            encoder.append(Int16(truncatingIfNeeded: groups.count))
            encoder.append(Int16(truncatingIfNeeded: weight))
            encoder.append(sign)
            encoder.append(UInt16(truncatingIfNeeded: scale))
            for group in groups { encoder.append(group) }
        }
        switch value.kind {
        case .nan: return head(&self, [], weight: 0, sign: 0xC000, scale: 0)
        case .infinity: return head(&self, [], weight: 0, sign: 0xD000, scale: 0)
        case .minusInfinity: return head(&self, [], weight: 0, sign: 0xF000, scale: 0)
        case .finite: break
        }
        // Zeros fill the last group of the fraction.
        let fractionGroups = (value.scale + 3) / 4
        var digits: [UInt8] = []
        value.magnitude.timesPowerOfTen(fractionGroups * 4 - value.scale).appendDigits(minimum: 1, into: &digits)
        if digits.count % 4 != 0 { digits = [UInt8](repeating: 0x30, count: 4 - digits.count % 4) + digits }
        var groups = stride(from: 0, to: digits.count, by: 4).map { at in
            digits[at..<at + 4].reduce(UInt16(0)) { $0 * 10 + UInt16($1 - 0x30) }
        }
        var weight = groups.count - fractionGroups - 1
        while groups.first == 0 {
            groups.removeFirst()
            weight -= 1
        }
        while groups.last == 0 { groups.removeLast() }
        if groups.isEmpty { weight = 0 }
        head(&self, groups, weight: weight, sign: value.isNegative ? 0x4000 : 0, scale: value.scale)
    }

    private mutating func appendArray(_ vector: Vector, _ row: Int, _ element: FieldCodec, _ identifier: UInt32) throws
    {
        guard let elementType = vector.type.elementType else {
            throw QueryError.internalError("an array without elements' type")
        }
        let view = vector.views + row
        let shape = ArrayBlob.shape(view)
        let elements = ArrayBlob.decode(
            StringView.bytes(at: view), byteCount: view.pointee.count, elementType: elementType)
        let start = bytes.count
        append(Int32(0))
        append(Int32(truncatingIfNeeded: shape.dimensions.count))
        append(Int32(elements.validity == nil ? 0 : 1))
        append(identifier)
        for dimension in shape.dimensions {
            append(Int32(truncatingIfNeeded: dimension.length))
            append(Int32(truncatingIfNeeded: dimension.lower))
        }
        for index in 0..<elements.count {
            if elements.isNull(index) { append(Int32(-1)) } else { try append(elements, index, element) }
        }
        let length = Int32(truncatingIfNeeded: bytes.count - start - 4).bigEndian
        withUnsafeBytes(of: length) { source in
            for (index, byte) in source.enumerated() { bytes[start + index] = byte }
        }
    }
}
