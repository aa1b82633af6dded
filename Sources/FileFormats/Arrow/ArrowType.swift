// Arrow's types: which SQL type a field is read as, and as what a column is written.

import Columnar
import Diagnostics

/// Numbers of the union of types in Arrow's schema.
enum ArrowTypeNumber: UInt8 {
    case null = 1
    case integer, floatingPoint, binary, utf8, boolean, decimal, date, time, timestamp, interval, list, structure,
        union,
        fixedSizeBinary, fixedSizeList, map, duration, largeBinary, largeUtf8, largeList, runEndEncoded, binaryView,
        utf8View
}

/// How the buffers of a field become a vector.
enum ArrowLayout: Hashable, Sendable {
    case null, bits
    /// Values of one width as they are.
    case plain
    /// Integers of `bits` that become the wider integer of the SQL type.
    case integer(bits: Int, isSigned: Bool)
    case float16
    /// Two's complement of so many bits.
    case decimal(bits: Int)
    /// Units that become microseconds (or days) by these factors.
    case scaled(bits: Int, multiplier: Int64, divisor: Int64)
    case bytes(offsetBits: Int)
    case views
    case fixedBytes(Int)
    case uuid
    case months, daysAndMilliseconds, monthsDaysNanoseconds
}

/// A top-level column of an Arrow file.
struct ArrowColumn: Hashable, Sendable {
    var name: String
    var type: DataType
    var isNullable: Bool
    var layout: ArrowLayout
    /// With a dictionary: its number, and the width of codes.
    var dictionary: Int64?
    var index: ArrowLayout?
    /// Field nodes and buffers of the columns before.
    var firstNode = 0
    var firstBuffer = 0
    /// What it is, if it cannot be read.
    var unsupported: String?
    /// Number and modifier of its SQL type, if the field says so.
    var catalogType: String?

    var field: Field { Field(name: name, type: type, isNullable: isNullable) }
}

enum ArrowSchema {
    private static let depthMax = 32

    /// Columns of a schema, with the places of their nodes and buffers.
    static func columns(_ schema: FlatTable) throws -> [ArrowColumn] {
        guard try schema.integer(0, Int16.self) == 0 else {
            throw QueryError.notSupported("an Arrow file of big-endian numbers")
        }
        var nodes = 0
        var buffers = 0
        return try schema.tables(1).map { field in
            var column = try column(field)
            column.firstNode = nodes
            column.firstBuffer = buffers
            try count(field, &nodes, &buffers, depth: 0)
            return column
        }
    }

    private static func count(_ field: FlatTable, _ nodes: inout Int, _ buffers: inout Int, depth: Int) throws {
        guard depth < depthMax else { throw FlatTable.broken() }
        nodes += 1
        if try field.table(4) != nil {
            buffers += 2
            return
        }
        switch ArrowTypeNumber(rawValue: try field.integer(2)) {
        case .null, .runEndEncoded: break
        case .structure, .fixedSizeList: buffers += 1
        case .utf8, .binary, .largeUtf8, .largeBinary: buffers += 3
        // Views have buffers of their own number, which batches say.
        case .binaryView, .utf8View: throw QueryError.notSupported("an Arrow file with a column of views")
        case .union: throw QueryError.notSupported("an Arrow file with a column of a union")
        default: buffers += 2
        }
        for child in try field.tables(5) { try count(child, &nodes, &buffers, depth: depth + 1) }
    }

    private static func column(_ field: FlatTable) throws -> ArrowColumn {
        let name = try field.string(0) ?? ""
        let isNullable = try field.integer(1, UInt8.self) != 0
        let number = try field.integer(2, UInt8.self)
        let type = try field.table(3)
        var extensionName: String?
        var catalogType: String?
        for pair in try field.tables(6) {
            switch try pair.string(0) {
            case "ARROW:extension:name": extensionName = try pair.string(1)
            case ArrowColumnForm.catalogTypeKey: catalogType = try pair.string(1)
            default: break
            }
        }
        var column = ArrowColumn(name: name, type: .text, isNullable: isNullable, layout: .null)
        column.catalogType = catalogType
        if let (sql, layout) = try mapping(ArrowTypeNumber(rawValue: number), type, extensionName) {
            column.type = sql
            column.layout = layout
        } else {
            column.unsupported = "the Arrow column \"\(name)\" of this type"
        }
        if let dictionary = try field.table(4) {
            column.dictionary = try dictionary.integer(0)
            let index = try dictionary.table(1)
            column.index = .integer(
                bits: Int(try index?.integer(0, Int32.self) ?? 32),
                isSigned: try index.map { try $0.integer(1, UInt8.self) != 0 } ?? true)
        }
        return column
    }

    private static func mapping(
        _ number: ArrowTypeNumber?, _ type: FlatTable?, _ extensionName: String?
    ) throws -> (DataType, ArrowLayout)? {
        guard let number, let type else { return nil }
        switch number {
        case .null: return (.text, .null)
        case .boolean: return (.boolean, .bits)
        case .integer:
            let bits = Int(try type.integer(0, Int32.self))
            let isSigned = try type.integer(1, UInt8.self) != 0
            switch (bits, isSigned) {
            case (8, _): return (.int16, .integer(bits: 8, isSigned: isSigned))
            case (16, true): return (.int16, .plain)
            case (16, false): return (.int32, .integer(bits: 16, isSigned: false))
            case (32, true): return (.int32, .plain)
            case (32, false): return (.int64, .integer(bits: 32, isSigned: false))
            case (64, true): return (.int64, .plain)
            case (64, false): return (.decimal(precision: 20, scale: 0), .integer(bits: 64, isSigned: false))
            default: return nil
            }
        case .floatingPoint:
            switch try type.integer(0, Int16.self) {
            case 0: return (.float32, .float16)
            case 1: return (.float32, .plain)
            case 2: return (.float64, .plain)
            default: return nil
            }
        case .utf8, .largeUtf8:
            let sql: DataType = extensionName == "arrow.json" ? .json : .text
            return (sql, .bytes(offsetBits: number == .utf8 ? 32 : 64))
        case .binary: return (.bytea, .bytes(offsetBits: 32))
        case .largeBinary: return (.bytea, .bytes(offsetBits: 64))
        case .fixedSizeBinary:
            let width = Int(try type.integer(0, Int32.self))
            if width == 16 && extensionName == "arrow.uuid" { return (.uuid, .uuid) }
            return width > 0 && width < 1 << 20 ? (.bytea, .fixedBytes(width)) : nil
        case .decimal:
            let precision = Int(try type.integer(0, Int32.self))
            let scale = Int(try type.integer(1, Int32.self))
            let bits = Int(try type.integer(2, Int32.self, default: 128))
            guard (1...DataType.decimalPrecisionMax).contains(precision), (0...precision).contains(scale),
                [32, 64, 128].contains(bits)
            else { return nil }
            return (.decimal(precision: precision, scale: scale), .decimal(bits: bits))
        case .date:
            return try type.integer(0, Int16.self, default: 1) == 0
                ? (.date, .plain) : (.date, .scaled(bits: 64, multiplier: 1, divisor: 86_400_000))
        case .time:
            let unit = try type.integer(0, Int16.self, default: 1)
            let bits = Int(try type.integer(1, Int32.self, default: 32))
            return scale(unit).map { (.time, .scaled(bits: bits, multiplier: $0.0, divisor: $0.1)) }
        case .timestamp:
            let sql: DataType = try type.string(1).map { !$0.isEmpty } ?? false ? .timestampTZ : .timestamp
            return scale(try type.integer(0, Int16.self)).map {
                (sql, .scaled(bits: 64, multiplier: $0.0, divisor: $0.1))
            }
        case .interval:
            switch try type.integer(0, Int16.self) {
            case 0: return (.interval, .months)
            case 1: return (.interval, .daysAndMilliseconds)
            case 2: return (.interval, .monthsDaysNanoseconds)
            default: return nil
            }
        default: return nil
        }
    }

    /// From a unit of time to microseconds.
    private static func scale(_ unit: Int16) -> (Int64, Int64)? {
        switch unit {
        case 0: (1_000_000, 1)
        case 1: (1000, 1)
        case 2: (1, 1)
        case 3: (1, 1000)
        default: nil
        }
    }
}
