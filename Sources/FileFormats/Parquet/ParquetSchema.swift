// From a Parquet schema to SQL types: which type a column gets and how its bytes become that type's layout.

import Columnar
import Diagnostics

/// How plain values become the layout of the column's SQL type.
enum ParquetConversion: Sendable, Equatable {
    /// The bytes are the value.
    case identity
    /// One bit a value, least significant first.
    case booleanBits
    case int32ToInt16, int32ToInt64, uint32ToInt64, int32ToInt128
    case int64ToInt128, uint64ToInt128
    /// Milliseconds to microseconds.
    case int32Times1000, int64Times1000
    /// Nanoseconds to microseconds, rounded down.
    case int64Over1000
    case int96ToTimestamp
    case float16ToFloat
    /// Big-endian two's complement of a fixed length.
    case fixedToDecimal64, fixedToDecimal128
    case fixedToView, fixedToUUID, fixedToInterval
    case bytesToView
    case bytesToDecimal64, bytesToDecimal128
}

/// A top-level column of a Parquet file.
package struct ParquetColumn: Hashable, Sendable {
    package let name: String
    package let type: DataType
    package let isNullable: Bool
    /// Position among the leaves of the schema.
    let leaf: Int
    let physical: ParquetPhysicalType
    /// Of fixed-length byte arrays.
    let typeLength: Int
    let conversion: ParquetConversion
    /// Values of an unsigned type: old statistics, ordered as signed ones, are useless.
    let isUnsigned: Bool
    /// What it is, when it cannot be read.
    let unsupported: String?

    package var field: Field { Field(name: name, type: type, isNullable: isNullable) }
}

/// Walks the flattened schema tree.
enum ParquetSchemaTree {
    private static let depthMax = 32

    static func columns(_ elements: [ParquetSchemaElement]) throws -> (columns: [ParquetColumn], leafCount: Int) {
        guard let root = elements.first, root.childCount >= 0, root.childCount < elements.count else {
            throw QueryError.corrupted("the schema is empty or broken")
        }
        var position = 1
        var leaf = 0
        var columns: [ParquetColumn] = []
        for _ in 0..<root.childCount {
            guard position < elements.count else { throw QueryError.corrupted("the schema is broken") }
            let element = elements[position]
            let firstLeaf = leaf
            let start = position
            try skip(elements, &position, &leaf, depth: 0)
            if element.physical != nil && element.childCount == 0 && element.repetition != 2 {
                columns.append(column(element, leaf: firstLeaf))
            } else {
                columns.append(nested(elements, start, leaf: firstLeaf))
            }
        }
        guard position == elements.count else { throw QueryError.corrupted("the schema is broken") }
        return (columns, leaf)
    }

    private static func skip(
        _ elements: [ParquetSchemaElement], _ position: inout Int, _ leaf: inout Int, depth: Int
    ) throws {
        guard position < elements.count, depth < depthMax else { throw QueryError.corrupted("the schema is broken") }
        let element = elements[position]
        position += 1
        if element.childCount == 0 && element.physical != nil {
            leaf += 1
            return
        }
        guard element.childCount >= 0, element.childCount <= elements.count - position else {
            throw QueryError.corrupted("the schema is broken")
        }
        for _ in 0..<element.childCount { try skip(elements, &position, &leaf, depth: depth + 1) }
    }

    /// Lists, maps and structs: listed with a type that says what they are, but not read.
    private static func nested(_ elements: [ParquetSchemaElement], _ start: Int, leaf: Int) -> ParquetColumn {
        let element = elements[start]
        let type: DataType
        if element.repetition == 2, element.physical != nil {
            type = .array(column(element, leaf: leaf).type)
        } else if element.logicalType == .list || element.convertedType == 3, start + 2 < elements.count,
            elements[start + 1].childCount == 1, elements[start + 2].physical != nil
        {
            type = .array(column(elements[start + 2], leaf: leaf).type)
        } else {
            type = .json
        }
        return ParquetColumn(
            name: element.name, type: type, isNullable: true, leaf: leaf, physical: .byteArray, typeLength: 0,
            conversion: .bytesToView, isUnsigned: false, unsupported: "the nested Parquet column \"\(element.name)\"")
    }

    private struct Mapping {
        var type: DataType
        var conversion: ParquetConversion
        var isUnsigned = false
        var unsupported: String?
    }

    private static func column(_ element: ParquetSchemaElement, leaf: Int) -> ParquetColumn {
        let physical = element.physical ?? .byteArray
        let mapping = mapping(element, physical, logicalType(element))
        return ParquetColumn(
            name: element.name, type: mapping.type, isNullable: element.repetition != 0, leaf: leaf, physical: physical,
            typeLength: element.typeLength, conversion: mapping.conversion, isUnsigned: mapping.isUnsigned,
            unsupported: mapping.unsupported)
    }

    /// The logical type, or what the older converted type says.
    private static func logicalType(_ element: ParquetSchemaElement) -> ParquetLogicalType? {
        if let type = element.logicalType { return type }
        switch element.convertedType {
        case 0: return .string
        case 4: return .enumeration
        case 5: return .decimal(scale: element.scale, precision: element.precision)
        case 6: return .date
        case 7: return .time(.milliseconds)
        case 8: return .time(.microseconds)
        case 9: return .timestamp(.milliseconds, isUTC: true)
        case 10: return .timestamp(.microseconds, isUTC: true)
        case 11: return .integer(bits: 8, isSigned: false)
        case 12: return .integer(bits: 16, isSigned: false)
        case 13: return .integer(bits: 32, isSigned: false)
        case 14: return .integer(bits: 64, isSigned: false)
        case 15: return .integer(bits: 8, isSigned: true)
        case 16: return .integer(bits: 16, isSigned: true)
        case 17: return .integer(bits: 32, isSigned: true)
        case 18: return .integer(bits: 64, isSigned: true)
        case 19: return .json
        case 20: return .bson
        default: return nil
        }
    }

    private static func mapping(
        _ element: ParquetSchemaElement, _ physical: ParquetPhysicalType, _ logical: ParquetLogicalType?
    ) -> Mapping {
        if case .decimal(let scale, let precision) = logical {
            return decimal(element, physical, precision: precision, scale: scale)
        }
        switch physical {
        case .boolean: return Mapping(type: .boolean, conversion: .booleanBits)
        case .float: return Mapping(type: .float32, conversion: .identity)
        case .double: return Mapping(type: .float64, conversion: .identity)
        case .int96: return Mapping(type: .timestamp, conversion: .int96ToTimestamp)
        case .int32:
            switch logical {
            case .date: return Mapping(type: .date, conversion: .identity)
            case .time: return Mapping(type: .time, conversion: .int32Times1000)
            case .integer(let bits, true):
                return bits <= 16
                    ? Mapping(type: .int16, conversion: .int32ToInt16) : Mapping(type: .int32, conversion: .identity)
            case .integer(let bits, false):
                if bits <= 8 { return Mapping(type: .int16, conversion: .int32ToInt16, isUnsigned: true) }
                if bits <= 16 { return Mapping(type: .int32, conversion: .identity, isUnsigned: true) }
                return Mapping(type: .int64, conversion: .uint32ToInt64, isUnsigned: true)
            default: return Mapping(type: .int32, conversion: .identity)
            }
        case .int64:
            switch logical {
            case .time(let unit):
                return Mapping(type: .time, conversion: unit == .nanoseconds ? .int64Over1000 : .identity)
            case .timestamp(let unit, let isUTC):
                let conversion: ParquetConversion =
                    switch unit {
                    case .milliseconds: .int64Times1000
                    case .microseconds: .identity
                    case .nanoseconds: .int64Over1000
                    }
                return Mapping(type: isUTC ? .timestampTZ : .timestamp, conversion: conversion)
            case .integer(_, false):
                return Mapping(
                    type: .decimal(precision: 20, scale: 0), conversion: .uint64ToInt128, isUnsigned: true)
            default: return Mapping(type: .int64, conversion: .identity)
            }
        case .byteArray:
            switch logical {
            case .string, .enumeration, .null: return Mapping(type: .text, conversion: .bytesToView)
            case .json: return Mapping(type: .json, conversion: .bytesToView)
            default: return Mapping(type: .bytea, conversion: .bytesToView)
            }
        case .fixedByteArray:
            if element.typeLength <= 0 {
                return Mapping(
                    type: .bytea, conversion: .fixedToView,
                    unsupported: "the Parquet column \"\(element.name)\" of length \(element.typeLength)")
            }
            switch (logical, element.typeLength) {
            case (.uuid, 16): return Mapping(type: .uuid, conversion: .fixedToUUID)
            case (.float16, 2): return Mapping(type: .float32, conversion: .float16ToFloat)
            case (nil, 12) where element.convertedType == 21:
                return Mapping(type: .interval, conversion: .fixedToInterval)
            default: return Mapping(type: .bytea, conversion: .fixedToView)
            }
        }
    }

    private static func decimal(
        _ element: ParquetSchemaElement, _ physical: ParquetPhysicalType, precision: Int, scale: Int
    ) -> Mapping {
        guard (1...DataType.decimalPrecisionMax).contains(precision), (0...precision).contains(scale) else {
            return Mapping(
                type: .decimal(precision: DataType.decimalPrecisionMax, scale: 0), conversion: .identity,
                unsupported: "the Parquet column \"\(element.name)\" of type decimal(\(precision),\(scale))")
        }
        let type = DataType.decimal(precision: precision, scale: scale)
        let isNarrow = type.physical == .int64
        switch physical {
        case .int32: return Mapping(type: type, conversion: isNarrow ? .int32ToInt64 : .int32ToInt128)
        case .int64: return Mapping(type: type, conversion: isNarrow ? .identity : .int64ToInt128)
        case .fixedByteArray where element.typeLength > 0:
            return Mapping(type: type, conversion: isNarrow ? .fixedToDecimal64 : .fixedToDecimal128)
        case .byteArray: return Mapping(type: type, conversion: isNarrow ? .bytesToDecimal64 : .bytesToDecimal128)
        default:
            return Mapping(
                type: type, conversion: .identity, unsupported: "the decimal Parquet column \"\(element.name)\"")
        }
    }
}
