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

    /// The type of a parameter; `nil` is to be inferred.
    static func dataType(_ oid: Int32) throws -> DataType? {
        switch oid {
        case 0, 705: nil
        case 16: .boolean
        case 21: .int16
        case 23: .int32
        case 20: .int64
        case 26, 28, 29: .oid
        case 700: .float32
        case 701: .float64
        // Without a modifier: wide enough on both sides of the point.
        case 1700: .decimal(precision: 38, scale: 10)
        case 25: .text
        case 18: .internalChar
        case 19: .name
        case 22: .indexVector(.int16)
        case 30: .indexVector(.oid)
        case 1002: .array(.internalChar)
        case 1003: .array(.name)
        case 1028: .array(.oid)
        case 24, 2202...2206, 4089, 4096, 4191:
            RegisteredKind.allCases.first { $0.catalogIdentifier == Int64(oid) }.map { .registered($0) }
        case 1043: .varchar(length: nil)
        case 1042: .text
        case 17: .bytea
        case 1082: .date
        case 1083: .time
        case 1266: .timeTZ
        case 1114: .timestamp
        case 1184: .timestampTZ
        case 1186: .interval
        case 2950: .uuid
        case 114: .json
        case 3802: .jsonb
        case 4072: .jsonpath
        case 1000: .array(.boolean)
        case 1005: .array(.int16)
        case 1007: .array(.int32)
        case 1016: .array(.int64)
        case 1021: .array(.float32)
        case 1022: .array(.float64)
        case 1009, 1015: .array(.text)
        default: throw QueryError(.undefinedObject, "type with OID \(oid) is not supported for parameters")
        }
    }

    /// Days and microseconds from 1970-01-01 to 2000-01-01, where binary dates and timestamps begin.
    private static let epochDays: Int64 = 10_957
    private static let epochMicroseconds: Int64 = 946_684_800_000_000

    // MARK: - Parameters

    static func value(text: [UInt8], as type: DataType, settings: TextSettings) throws -> ScalarValue {
        try text.withUnsafeBufferPointer { try TextFormat.parse($0, as: type, settings: settings) }
    }

    /// Reads a parameter in binary. `oid` is the number that the client sent, which decides about the width.
    static func value(binary: [UInt8], as type: DataType) throws -> ScalarValue {
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
        case .array, .indexVector: throw QueryError.notSupported("an array as a binary parameter")
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
    private static func decimal(_ binary: [UInt8], precision: Int, scale: Int) throws -> ScalarValue {
        func word(_ index: Int) -> Int { Int(binary[index * 2]) << 8 | Int(binary[index * 2 + 1]) }
        guard binary.count >= 8, binary.count == 8 + word(0) * 2 else {
            throw QueryError(SQLState("22P03"), "incorrect binary data format in bind parameter")
        }
        let weight = Int(Int16(truncatingIfNeeded: word(1)))
        guard word(2) == 0 || word(2) == 0x4000 else {
            throw QueryError(.numericValueOutOfRange, "numeric parameters cannot be NaN or infinite")
        }
        var text = word(2) == 0x4000 ? "-" : ""
        if weight < 0 { text += "0" }
        for position in stride(from: 0, through: max(weight, -1), by: 1) {
            let digit = position < word(0) ? String(word(4 + position)) : "0"
            text += position == 0 ? digit : String(repeating: "0", count: 4 - min(4, digit.count)) + digit
        }
        text += "."
        if weight < -1 { text += String(repeating: "0000", count: min(10, -1 - weight)) }
        for position in max(0, weight + 1)..<max(max(0, weight + 1), word(0)) {
            let digit = String(word(4 + position))
            text += String(repeating: "0", count: 4 - min(4, digit.count)) + digit
        }
        return try TextFormat.parse(text + "0", as: .decimal(precision: precision, scale: scale))
    }

    // MARK: - Results

    /// Whether values of the type can be sent in binary.
    static func hasBinaryForm(_ type: DataType) -> Bool {
        type.elementType == nil && type.recordFields == nil
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
        case .decimal(let value): appendDecimal(value, scale: source.type.scale, into: &bytes)
        case .bytes(let value):
            switch source.type {
            case .jsonb:
                bytes.append(1)
                value.withUnsafeBufferPointer { JSONText.append(JSONNode($0), into: &bytes) }
            case .jsonpath:
                bytes.append(1)
                bytes.append(contentsOf: value)
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

    private static func appendDecimal(_ value: Int128, scale: Int, into bytes: inout [UInt8]) {
        func put(_ value: Int) {
            withUnsafeBytes(of: Int16(truncatingIfNeeded: value).bigEndian) { bytes.append(contentsOf: $0) }
        }
        // Digits in groups of four on both sides of the point.
        let fraction = (scale + 3) / 4
        var rest = value.magnitude
        var factor: UInt128 = 1
        for _ in 0..<(fraction * 4 - scale) { factor *= 10 }
        // The lowest group may be partly of zeros that the value does not have; it is split off first to stay in range.
        var groups: [Int] = []
        if factor > 1 {
            let unit = UInt128(10_000) / factor
            groups.append(Int(rest % unit * factor))
            rest /= unit
        }
        while rest > 0 {
            groups.append(Int(rest % 10_000))
            rest /= 10_000
        }
        while groups.count < fraction { groups.append(0) }
        var weight = groups.count - fraction - 1
        groups.reverse()
        while let first = groups.first, first == 0 {
            groups.removeFirst()
            weight -= 1
        }
        while let last = groups.last, last == 0 { groups.removeLast() }
        put(groups.count)
        put(groups.isEmpty ? 0 : weight)
        put(value < 0 ? 0x4000 : 0)
        put(scale)
        for group in groups { put(group) }
    }
}
