// Fields of COPY's binary form as vectors: one loop for each type.

import Columnar
import Diagnostics

/// Makes vectors of a column's fields. Errors are 08P01: the server sent something else than it said it would.
struct ColumnDecoder {
    let type: DataType
    let codec: FieldCodec
    let columnName: String
    let hasUncheckedText: Bool

    /// Microseconds and days from 1970, the engine's zero, to 2000, the server's.
    static let epochDays: Int32 = 10_957
    static let epochMicroseconds: Int64 = 946_684_800_000_000

    private var mismatch: QueryError {
        QueryError(.protocolViolation, "a value of column \"\(columnName)\" has another form than its type says")
    }

    func decode(_ fields: FieldColumn) throws -> Vector {
        switch codec {
        case .boolean: try fixed(fields, UInt8.self, 1) { $0.load(as: UInt8.self) == 0 ? 0 : 1 }
        case .int16: try fixed(fields, Int16.self, 2) { Int16(bigEndian: $0.loadUnaligned(as: Int16.self)) }
        case .int32: try fixed(fields, Int32.self, 4) { Int32(bigEndian: $0.loadUnaligned(as: Int32.self)) }
        case .int64, .time: try fixed(fields, Int64.self, 8) { Int64(bigEndian: $0.loadUnaligned(as: Int64.self)) }
        case .float32:
            try fixed(fields, Float.self, 4) {
                Float(bitPattern: UInt32(bigEndian: $0.loadUnaligned(as: UInt32.self)))
            }
        case .float64:
            try fixed(fields, Double.self, 8) {
                Double(bitPattern: UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)))
            }
        case .oid: try fixed(fields, Int64.self, 4) { Int64(UInt32(bigEndian: $0.loadUnaligned(as: UInt32.self))) }
        case .date:
            try fixed(fields, Int32.self, 4) {
                let days = Int32(bigEndian: $0.loadUnaligned(as: Int32.self))
                return days == .max || days == .min ? days : days &+ Self.epochDays
            }
        case .timestamp:
            try fixed(fields, Int64.self, 8) {
                let moment = Int64(bigEndian: $0.loadUnaligned(as: Int64.self))
                return moment == .max || moment == .min ? moment : moment &+ Self.epochMicroseconds
            }
        case .timeTZ:
            try fixed(fields, Int64.self, 12) {
                let time = Int64(bigEndian: $0.loadUnaligned(as: Int64.self))
                // The server counts seconds to the west.
                let west = Int32(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: Int32.self))
                return TimeTZValue(time: time, offset: -Int(west)).packed
            }
        case .interval:
            try fixed(fields, IntervalValue.self, 16) {
                IntervalValue(
                    months: Int32(bigEndian: $0.loadUnaligned(fromByteOffset: 12, as: Int32.self)),
                    days: Int32(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: Int32.self)),
                    microseconds: Int64(bigEndian: $0.loadUnaligned(as: Int64.self)))
            }
        case .uuid:
            try fixed(fields, UUIDValue.self, 16) {
                UUIDValue(
                    high: UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
                    low: UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
            }
        case .place:
            try fixed(fields, Int64.self, 6) {
                Int64(UInt32(bigEndian: $0.loadUnaligned(as: UInt32.self))) &<< 16
                    | Int64(UInt16(bigEndian: $0.loadUnaligned(fromByteOffset: 4, as: UInt16.self)))
            }
        case .text: try text(fields, isPadded: false)
        case .paddedText: try text(fields, isPadded: true)
        case .bytes: views(fields)
        case .decimal(let precision, let scale):
            if type.physical == .int64 {
                try decimals(fields, Int64.self, precision: precision, scale: scale)
            } else {
                try decimals(fields, Int128.self, precision: precision, scale: scale)
            }
        case .numeric: try numerics(fields)
        case .jsonb: try rebuilt(fields) { try Self.json($0) }
        case .bits: try rebuilt(fields) { try Self.bits($0) }
        case .array(let element, let identifier):
            try rebuilt(fields) { try array($0, element: element, identifier: identifier) }
        }
    }

    // MARK: Values of fixed width

    @inline(__always)
    private func fixed<T: BitwiseCopyable>(
        _ fields: FieldColumn, _: T.Type, _ width: Int32, _ read: (UnsafeRawPointer) -> T
    ) throws -> Vector {
        let vector = Vector(flat: type, capacity: fields.count)
        let values = vector.values(T.self)
        let (starts, lengths) = (fields.starts, fields.lengths)
        let bytes = UnsafeRawPointer(fields.bytes)
        var isOther: Int32 = 0
        var row = 0
        while row < fields.count {
            let length = lengths[row]
            if length < 0 {
                (vector.data + row * MemoryLayout<T>.stride).initializeMemory(
                    as: UInt8.self, repeating: 0, count: MemoryLayout<T>.stride)
                Validity.setNull(vector.ensureValidity(), row)
            } else {
                // Buffers may be read beyond their end, so a short field does no harm before it is refused.
                isOther |= length ^ width
                values[row] = read(bytes + Int(starts[row]))
            }
            row &+= 1
        }
        if isOther != 0 { throw mismatch }
        return vector
    }

    // MARK: Values of any length

    /// Views of the bytes where they are.
    private func views(_ fields: FieldColumn) -> Vector {
        let vector = Vector(flat: type, capacity: fields.count)
        let values = vector.views
        var row = 0
        while row < fields.count {
            let length = fields.lengths[row]
            if length < 0 {
                values[row] = StringView()
                Validity.setNull(vector.ensureValidity(), row)
            } else {
                values[row] = StringView(padded: fields.bytes + Int(fields.starts[row]), count: Int(length))
            }
            row &+= 1
        }
        vector.pinned = [fields.owner]
        return vector
    }

    private func text(_ fields: FieldColumn, isPadded: Bool) throws -> Vector {
        let vector = views(fields)
        let values = vector.views
        if isPadded {
            var row = 0
            while row < fields.count {
                var length = Int(fields.lengths[row])
                let start = fields.bytes + Int(fields.starts[row])
                if length > 0, start[length - 1] == 0x20 {
                    while length > 0, start[length - 1] == 0x20 { length &-= 1 }
                    values[row] = StringView(padded: start, count: length)
                }
                row &+= 1
            }
        }
        if hasUncheckedText {
            for row in 0..<fields.count where fields.lengths[row] > 0 {
                let value = UnsafeBufferPointer(
                    start: fields.bytes + Int(fields.starts[row]), count: Int(fields.lengths[row]))
                guard String(validating: value, as: UTF8.self) != nil else {
                    throw QueryError(
                        .characterNotInRepertoire,
                        "invalid byte sequence for encoding \"UTF8\" in column \"\(columnName)\"", object: columnName)
                }
            }
        }
        return vector
    }

    /// Values whose bytes are made anew, one by one: types of documents and arrays.
    private func rebuilt(_ fields: FieldColumn, _ make: (UnsafeBufferPointer<UInt8>) throws -> [UInt8]?) throws
        -> Vector
    {
        let builder = VectorBuilder(type: type, capacity: fields.count)
        for row in 0..<fields.count {
            if fields.lengths[row] < 0 {
                builder.appendNull()
                continue
            }
            let field = UnsafeBufferPointer(
                start: fields.bytes + Int(fields.starts[row]), count: Int(fields.lengths[row]))
            guard let made = try make(field) else { throw mismatch }
            builder.append(.bytes(made))
        }
        return builder.finish()
    }

    private static func json(_ field: UnsafeBufferPointer<UInt8>) throws -> [UInt8]? {
        guard field.first == 1 else { return nil }
        return try JSONText.blob(UnsafeBufferPointer(rebasing: field.dropFirst()))
    }

    /// A count of bits and the bits become digits.
    private static func bits(_ field: UnsafeBufferPointer<UInt8>) throws -> [UInt8]? {
        guard field.count >= 4, let base = field.baseAddress else { return nil }
        let count = Int(Int32(bigEndian: UnsafeRawPointer(base).loadUnaligned(as: Int32.self)))
        guard count >= 0, field.count == 4 + (count + 7) / 8 else { return nil }
        return (0..<count).map { 0x30 + (field[4 + $0 / 8] >> UInt8(7 - $0 % 8) & 1) }
    }

    private func array(_ field: UnsafeBufferPointer<UInt8>, element: FieldCodec, identifier: UInt32) throws -> [UInt8]?
    {
        guard let elementType = type.elementType, let base = field.baseAddress, field.count >= 12 else { return nil }
        let raw = UnsafeRawPointer(base)
        func word(_ at: Int) -> Int { Int(Int32(bigEndian: raw.loadUnaligned(fromByteOffset: at, as: Int32.self))) }
        let dimensionCount = word(0)
        guard (0...6).contains(dimensionCount), field.count >= 12 + dimensionCount * 8,
            UInt32(truncatingIfNeeded: word(8)) == identifier
        else { return nil }
        var dimensions: [ArrayShape.Dimension] = []
        var total = dimensionCount == 0 ? 0 : 1
        for index in 0..<dimensionCount {
            let length = word(12 + index * 8)
            guard length >= 0, length <= field.count else { return nil }
            dimensions.append(ArrayShape.Dimension(length: length, lower: word(16 + index * 8)))
            let (product, overflow) = total.multipliedReportingOverflow(by: length)
            guard !overflow, product <= field.count else { return nil }
            total = product
        }
        var at = 12 + dimensionCount * 8
        var starts: [Int32] = []
        var lengths: [Int32] = []
        for _ in 0..<total {
            guard at + 4 <= field.count else { return nil }
            let length = word(at)
            guard length >= -1, at + 4 + max(0, length) <= field.count else { return nil }
            starts.append(Int32(truncatingIfNeeded: at + 4))
            lengths.append(Int32(truncatingIfNeeded: length))
            at += 4 + max(0, length)
        }
        guard at == field.count else { return nil }
        let inner = ColumnDecoder(
            type: elementType, codec: element, columnName: columnName, hasUncheckedText: hasUncheckedText)
        // Views and padded reads need the bytes in a buffer of the engine's.
        let owner = Buffer(byteCount: field.count)
        owner.base.copyMemory(from: raw, byteCount: field.count)
        let vector = try starts.withUnsafeBufferPointer { starts in
            try lengths.withUnsafeBufferPointer { lengths -> Vector in
                guard let first = starts.baseAddress, let firstLength = lengths.baseAddress else {
                    return Vector(flat: elementType, capacity: 0)
                }
                return try inner.decode(
                    FieldColumn(
                        bytes: UnsafePointer(owner.base.assumingMemoryBound(to: UInt8.self)), starts: first,
                        lengths: firstLength, count: total, owner: owner))
            }
        }
        return ArrayBlob.encode(vector, shape: ArrayShape(dimensions))
    }
}
