// Types as PostgreSQL's protocol names them, and values in their binary forms.

import Columnar
import Diagnostics

/// Number, width and modifier of a type.
struct PostgresType: Sendable, Hashable {
    var oid: Int32
    /// Bytes of a value, -1 if they differ.
    var size: Int16
    var modifier: Int32

    init(_ type: DataType) {
        let number = type.catalogIdentifier
        oid = Int32(truncatingIfNeeded: number)
        size = Int16(truncatingIfNeeded: BuiltInTypes.type(number)?.byteCount ?? -1)
        modifier = Int32(clamping: type.catalogModifier)
    }

    /// Of a column of a result, which may have more to it than its type.
    init(_ field: Field) {
        self.init(field.type)
        modifier = Int32(clamping: field.catalogModifier)
    }

    /// The type of a parameter; `nil` is to be inferred.
    static func dataType(_ oid: Int32) throws -> DataType? {
        if oid == 0 || oid == 705 { return nil }
        guard let type = DataType(catalogIdentifier: Int64(oid)) else {
            throw QueryError(.undefinedObject, "type with OID \(oid) is not supported for parameters")
        }
        return type
    }

    /// Days and microseconds from 1970-01-01 to 2000-01-01, where binary dates and timestamps begin.
    private static let epochDays: Int64 = 10_957
    private static let epochMicroseconds: Int64 = 946_684_800_000_000

    // MARK: - Parameters

    static func value(
        text: [UInt8], as type: DataType, settings: TextSettings, encoding: ClientEncoding? = nil
    ) throws -> ScalarValue {
        let text = try encoding?.decoded(text) ?? text
        return try text.withUnsafeBufferPointer { try TextFormat.parse($0, as: type, settings: settings) }
    }

    /// Reads a parameter in binary. `oid` is the number that the client sent, which decides about the width.
    static func value(binary: [UInt8], as type: DataType, encoding: ClientEncoding? = nil) throws -> ScalarValue {
        if let encoding {
            if isText(type) { return try value(binary: try encoding.decoded(binary), as: type) }
            if case .array(let element) = type { return .bytes(try array(binary, of: element, encoding: encoding)) }
        }
        func integer(_ count: Int) throws -> Int64 {
            guard binary.count == count else {
                throw QueryError(SQLState("22P03"), "incorrect binary data format in bind parameter")
            }
            var bits: UInt64 = 0
            for byte in binary { bits = bits << 8 | UInt64(byte) }
            let shift = UInt64(64 - count * 8)
            return Int64(bitPattern: bits << shift) >> Int64(shift)
        }
        switch type {
        case .boolean: return .boolean(try integer(1) != 0)
        case .int8, .int16: return .integer(try integer(2))
        case .int32: return .integer(try integer(4))
        case .int64: return .integer(try integer(8))
        case .oid, .registered: return .integer(try integer(4) & DataType.oidMax)
        case .float32: return .float(Double(Float(bitPattern: UInt32(truncatingIfNeeded: try integer(4)))))
        case .float64: return .float(Double(bitPattern: UInt64(bitPattern: try integer(8))))
        case .text, .varchar, .char, .unknown, .name, .internalChar:
            guard String(validating: binary, as: UTF8.self) != nil else {
                throw QueryError(SQLState("22021"), "invalid byte sequence for encoding \"UTF8\"")
            }
            return .bytes(binary)
        case .json, .jsonb, .jsonpath: return try json(binary, type)
        case .bit, .varbit:
            let count = binary.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            guard binary.count >= 4, binary.count - 4 == (count + 7) / 8 else {
                throw QueryError(SQLState("22P03"), "incorrect binary data format in bind parameter")
            }
            try BitText.check(count, type)
            return .bytes(BitText.unpacked(binary[4...], count: count))
        case .range: throw QueryError.notSupported("a range as a binary parameter")
        case .enumeration: return try value(text: binary, as: type, settings: TextSettings())
        case .bytea: return .bytes(binary)
        case .date: return .integer(try integer(4) + epochDays)
        case .time: return .integer(try integer(8))
        case .timeTZ:
            guard binary.count == 12 else { _ = try integer(12); return .null }
            func part(_ range: Range<Int>) -> Int64 { binary[range].reduce(0) { $0 << 8 | Int64($1) } }
            let west = Int32(truncatingIfNeeded: part(8..<12))
            return .integer(TimeTZValue(time: part(0..<8), offset: -Int(west)).packed)
        case .timestamp, .timestampTZ: return .integer(try integer(8) &+ epochMicroseconds)
        case .interval:
            guard binary.count == 16 else { _ = try integer(16); return .null }
            func part(_ range: Range<Int>) -> Int64 { binary[range].reduce(0) { $0 << 8 | Int64($1) } }
            return .interval(
                IntervalValue(
                    months: Int32(truncatingIfNeeded: part(12..<16)), days: Int32(truncatingIfNeeded: part(8..<12)),
                    microseconds: part(0..<8)))
        case .uuid:
            guard binary.count == 16 else { _ = try integer(16); return .null }
            func half(_ range: Range<Int>) -> UInt64 { binary[range].reduce(0) { $0 << 8 | UInt64($1) } }
            return .uuid(UUIDValue(high: half(0..<8), low: half(8..<16)))
        case .decimal(let precision, let scale): return try decimal(binary, precision: precision, scale: scale)
        case .record: throw QueryError.notSupported("a record as a binary parameter")
        case .numeric: return try numeric(binary)
        case .array(let element): return .bytes(try array(binary, of: element))
        case .indexVector: throw QueryError.notSupported("a vector of indexes as a binary parameter")
        }
    }

    /// JSON in binary is its text; that of jsonb and jsonpath follows a version number.
    private static func json(_ binary: [UInt8], _ type: DataType) throws -> ScalarValue {
        var text = binary
        if type != .json {
            guard text.first == 1 else {
                throw QueryError(
                    .internalError, "unsupported \(type.sqlName) version number \(text.first ?? 0)")
            }
            text.removeFirst()
        }
        guard String(validating: text, as: UTF8.self) != nil else {
            throw QueryError(SQLState("22021"), "invalid byte sequence for encoding \"UTF8\"")
        }
        return try value(text: text, as: type, settings: TextSettings())
    }

    /// Base-10,000 digits: count, weight of the first, sign, scale, digits.
    private static func numeric(_ binary: [UInt8]) throws -> ScalarValue {
        func word(_ index: Int) -> Int { Int(binary[index * 2]) << 8 | Int(binary[index * 2 + 1]) }
        guard binary.count >= 8, binary.count == 8 + word(0) * 2, word(3) <= NumericValue.scaleMax else {
            throw QueryError(SQLState("22P03"), "incorrect binary data format in bind parameter")
        }
        let value: NumericValue
        switch word(2) {
        case 0xC000: value = .nan
        case 0xD000: value = .infinity
        case 0xF000: value = .minusInfinity
        case 0, 0x4000:
            let weight = Int(Int16(truncatingIfNeeded: word(1)))
            var magnitude = Magnitude.zero
            for index in 0..<word(0) {
                guard word(4 + index) < 10_000 else {
                    throw QueryError(SQLState("22P03"), "invalid digit in external \"numeric\" value")
                }
                magnitude = magnitude * 10_000 + Magnitude(UInt64(word(4 + index)))
            }
            // The last group counts units of 10^(4 × exponent).
            let exponent = (weight - word(0) + 1) * 4
            let whole =
                exponent >= 0
                ? NumericValue(isNegative: word(2) != 0, magnitude.timesPowerOfTen(exponent), scale: 0)
                : NumericValue(isNegative: word(2) != 0, magnitude, scale: -exponent)
            value = try whole.truncated(toScale: word(3)).checked()
        default: throw QueryError(SQLState("22P03"), "invalid sign in external \"numeric\" value")
        }
        return .bytes(NumericBlob.bytes(value))
    }

    private static func decimal(_ binary: [UInt8], precision: Int, scale: Int) throws -> ScalarValue {
        guard case .bytes(let blob) = try numeric(binary),
            let unscaled = NumericBlob.value(blob).unscaled(precision: precision, scale: scale)
        else { throw QueryError(.numericValueOutOfRange, "numeric field overflow") }
        return .decimal(unscaled)
    }

    // MARK: - Results

    /// Whether values of the type can be sent in binary.
    static func hasBinaryForm(_ type: DataType) -> Bool {
        if case .range = type { return false }
        if case .array(let element) = type { return hasBinaryForm(element) }
        return type.elementType == nil && type.recordFields == nil
    }

    /// Whether the binary form is text in the client's encoding.
    static func isText(_ type: DataType) -> Bool {
        switch type {
        case .text, .varchar, .char, .unknown, .name, .internalChar, .json, .jsonb, .jsonpath, .enumeration: true
        default: false
        }
    }

    /// The binary form of each value of a column. 22P05 for text that the client's encoding does not have.
    static func renderBinary(
        _ vector: Vector, rowCount: Int, encoding: ClientEncoding?, into column: RenderedColumn
    ) throws {
        var failure: (any Error)?
        column.render(vector, rowCount: rowCount) { column, source, count in
            switch source.type {
            case .boolean:
                let values = source.values(UInt8.self)
                column.renderFixed(count, width: 1) { $1.storeBytes(of: values[$0] != 0 ? 1 : 0, as: UInt8.self) }
            case .int16: renderIntegers(source.values(Int16.self), count, into: column) { $0 }
            case .int32: renderIntegers(source.values(Int32.self), count, into: column) { $0 }
            case .int64, .time: renderIntegers(source.values(Int64.self), count, into: column) { $0 }
            case .float32: renderIntegers(source.values(UInt32.self), count, into: column) { $0 }
            case .float64: renderIntegers(source.values(UInt64.self), count, into: column) { $0 }
            case .date:
                renderIntegers(source.values(Int32.self), count, into: column) {
                    Int32(truncatingIfNeeded: Int64($0) - epochDays)
                }
            case .timestamp, .timestampTZ:
                renderIntegers(source.values(Int64.self), count, into: column) { $0 &- epochMicroseconds }
            case .decimal(_, let scale) where source.physical == .int64:
                let values = source.values(Int64.self)
                let wire = NumericWire(scale: scale)
                column.renderBackwards(count, width: NumericWire.byteCountMax) {
                    wire.write(values[$0], endingAt: $1)
                }
            case .text, .varchar, .unknown, .json, .name, .internalChar, .bytea:
                column.pointAtViews(source.views, count)
            case .array(let element):
                column.renderOneByOne(source, count) { row, bytes in
                    guard case .bytes(let blob) = source.value(at: row) else { return }
                    do { try appendArray(blob, of: element, encoding: encoding, into: &bytes) } catch {
                        failure = error
                    }
                }
            default:
                column.renderOneByOne(source, count) { appendBinary(source, row: $0, into: &$1) }
            }
        }
        if let failure { throw failure }
        if let encoding, isText(vector.type) { try column.recode(to: encoding, rowCount: rowCount) }
    }

    @inline(__always)
    private static func renderIntegers<Value: FixedWidthInteger>(
        _ values: UnsafePointer<Value>, _ count: Int, into column: RenderedColumn, _ convert: (Value) -> Value
    ) {
        column.renderFixed(count, width: MemoryLayout<Value>.size) {
            $1.storeBytes(of: convert(values[$0]).bigEndian, as: Value.self)
        }
    }

    /// Appends a value that is not null in binary.
    static func appendBinary(_ source: Vector, row sourceRow: Int, into bytes: inout [UInt8]) {
        func put<T: FixedWidthInteger>(_ value: T) {
            withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
        }
        switch source.value(at: sourceRow) {
        case .null: break
        case .boolean(let flag): bytes.append(flag ? 1 : 0)
        case .integer(let value):
            switch source.type {
            case .enumeration: TextFormat.append(source, row: sourceRow, settings: TextSettings(), into: &bytes)
            case .int8, .int16: put(Int16(truncatingIfNeeded: value))
            case .int32, .oid, .registered: put(Int32(truncatingIfNeeded: value))
            case .date: put(Int32(truncatingIfNeeded: value - epochDays))
            case .timestamp, .timestampTZ: put(value &- epochMicroseconds)
            case .timeTZ:
                let time = TimeTZValue(packed: value)
                put(time.time)
                put(Int32(truncatingIfNeeded: -time.offset))
            default: put(value)
            }
        case .float(let value):
            if source.type == .float32 { put(Float(value).bitPattern) } else { put(value.bitPattern) }
        case .decimal(let value): appendNumeric(NumericValue(value, scale: source.type.scale), into: &bytes)
        case .bytes(let value) where source.type.isNumericBlob: appendNumeric(NumericBlob.value(value), into: &bytes)
        case .bytes(let value):
            switch source.type {
            case .array(let element): try? appendArray(value, of: element, encoding: nil, into: &bytes)
            case .jsonb:
                bytes.append(1)
                value.withUnsafeBufferPointer { JSONText.append(JSONNode($0), into: &bytes) }
            case .bit, .varbit:
                put(Int32(truncatingIfNeeded: value.count))
                bytes.append(contentsOf: BitText.packed(value))
            case .jsonpath:
                bytes.append(1)
                TextFormat.append(source, row: sourceRow, settings: TextSettings(), into: &bytes)
            default: bytes.append(contentsOf: value)
            }
        case .interval(let value):
            put(value.microseconds)
            put(value.days)
            put(value.months)
        case .uuid(let value):
            put(value.high)
            put(value.low)
        }
    }

    private static func appendNumeric(_ value: NumericValue, into bytes: inout [UInt8]) {
        func put(_ value: Int) {
            withUnsafeBytes(of: Int16(truncatingIfNeeded: value).bigEndian) { bytes.append(contentsOf: $0) }
        }
        guard value.isFinite else {
            for word in [0, 0, value.isNaN ? 0xC000 : value.signum > 0 ? 0xD000 : 0xF000, 0] { put(word) }
            return
        }
        // Decimal digits, filled up with zeros to whole groups of four on both sides of the point.
        var digits: [UInt8] = []
        let fraction = (value.scale + 3) / 4
        value.magnitude.appendDigits(minimum: value.scale + 1, into: &digits)
        digits.append(contentsOf: repeatElement(0x30, count: fraction * 4 - value.scale))
        let missing = (4 - digits.count % 4) % 4
        digits.insert(contentsOf: repeatElement(0x30, count: missing), at: 0)
        var groups = stride(from: 0, to: digits.count, by: 4).map { at in
            digits[at..<at + 4].reduce(0) { $0 * 10 + Int($1 - 0x30) }
        }
        var weight = groups.count - fraction - 1
        let leading = groups.prefix { $0 == 0 }.count
        groups.removeFirst(leading)
        weight -= leading
        while groups.last == 0 { groups.removeLast() }
        put(groups.count)
        put(groups.isEmpty ? 0 : weight)
        put(value.isNegative ? 0x4000 : 0)
        put(value.scale)
        for group in groups { put(group) }
    }
}
