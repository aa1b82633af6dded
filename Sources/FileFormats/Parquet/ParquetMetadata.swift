// The footer of a Parquet file as data.

import Diagnostics
import Synchronization

/// Physical types by their number in the metadata.
enum ParquetPhysicalType: Int, Sendable {
    case boolean = 0, int32, int64, int96, float, double, byteArray, fixedByteArray

    /// Bytes of a plain value; `nil` if they vary or are bits.
    func width(typeLength: Int) -> Int? {
        switch self {
        case .boolean, .byteArray: nil
        case .int32, .float: 4
        case .int64, .double: 8
        case .int96: 12
        case .fixedByteArray: typeLength
        }
    }
}

/// Encodings by their number in the metadata.
enum ParquetEncoding: Int, Sendable {
    case plain = 0, plainDictionary = 2, rle, bitPacked, deltaBinaryPacked, deltaLengthByteArray, deltaByteArray,
        rleDictionary, byteStreamSplit
}

/// Statistics of a column chunk as they lie in the file.
struct ParquetStatistics: Sendable {
    /// Ordered as the column's logical type is; bounds, which may be truncated.
    var minimum: [UInt8]?
    var maximum: [UInt8]?
    /// Of old writers, ordered as signed values; only good for types where that is the order.
    var oldMinimum: [UInt8]?
    var oldMaximum: [UInt8]?
    var nullCount: Int?
    var distinctCount: Int?
}

/// One column of one row group.
struct ParquetColumnChunk: Sendable {
    var physical = ParquetPhysicalType.boolean
    var codec = CompressionCodec.uncompressed
    var valueCount = 0
    var compressedByteCount = 0
    var uncompressedByteCount = 0
    var dataPageOffset = 0
    var dictionaryPageOffset: Int?
    var statistics = ParquetStatistics()
    /// Every data page holds dictionary codes; `nil` if the file does not say.
    var isFullyDictionary: Bool?
    var offsetIndex: (offset: Int, byteCount: Int)?
    var columnIndex: (offset: Int, byteCount: Int)?
    /// The reason why it cannot be read, if so.
    var unsupported: String?

    /// Where its pages begin. Some writers give a dictionary offset of 0, or one behind the data, for none.
    var offset: Int {
        if let dictionaryPageOffset, dictionaryPageOffset > 0 { return min(dictionaryPageOffset, dataPageOffset) }
        return dataPageOffset
    }
}

struct ParquetRowGroup: Sendable {
    /// By leaf of the schema.
    var columns: [ParquetColumnChunk] = []
    var rowCount = 0
    var byteCount = 0
    /// Whether some column cannot be read.
    var hasUnsupported = false
}

/// An element of the schema tree, in depth-first order.
struct ParquetSchemaElement: Sendable {
    var name = ""
    var physical: ParquetPhysicalType?
    var typeLength = 0
    /// 0 required, 1 optional, 2 repeated.
    var repetition = 0
    var childCount = 0
    var convertedType: Int?
    var scale = 0
    var precision = 0
    var logicalType: ParquetLogicalType?
}

enum ParquetLogicalType: Sendable, Equatable {
    case string, map, list, enumeration, decimal(scale: Int, precision: Int), date
    case time(ParquetTimeUnit), timestamp(ParquetTimeUnit, isUTC: Bool)
    case integer(bits: Int, isSigned: Bool)
    case null, json, bson, uuid, float16
    case other(Int)
}

enum ParquetTimeUnit: Sendable { case milliseconds, microseconds, nanoseconds }

/// A parsed footer: immutable, shared by all readers of the file.
package final class ParquetMetadata: Sendable {
    /// Top-level columns in file order.
    package let columns: [ParquetColumn]
    let rowGroups: [ParquetRowGroup]
    /// First row of every row group, then the total.
    package let rowCount: Int
    /// Tells parsed footers apart, as long as the process lives: caches of what was read from the file go by it.
    let number = ParquetMetadata.count.add(1, ordering: .relaxed).newValue
    private static let count = Atomic<Int>(0)

    package var rowGroupCount: Int { rowGroups.count }

    /// Parses the footer's bytes. `fileByteCount` bounds every offset.
    init(footer: UnsafeRawPointer, count: Int, fileByteCount: Int) throws {
        var reader = ThriftReader(footer, count: count)
        var elements: [ParquetSchemaElement] = []
        var groups: [ParquetRowGroup] = []
        try reader.structure { reader, identifier, kind in
            switch identifier {
            case 2: try reader.list(kind, of: ThriftReader.Kind.structure) { elements.append(try Self.element(&$0)) }
            case 4: try reader.list(kind, of: ThriftReader.Kind.structure) { groups.append(try Self.rowGroup(&$0)) }
            case 8: throw QueryError.notSupported("an encrypted Parquet file")
            default: try reader.skip(kind)
            }
        }
        let (columns, leafCount) = try ParquetSchemaTree.columns(elements)
        var total = 0
        for group in groups {
            guard group.columns.count == leafCount, group.rowCount >= 0 else {
                throw QueryError.corrupted("a row group does not have the columns of the schema")
            }
            let (sum, overflow) = total.addingReportingOverflow(group.rowCount)
            guard !overflow else { throw QueryError.corrupted("the row counts are impossible") }
            total = sum
            for column in columns where column.unsupported == nil {
                try Self.check(group.columns[column.leaf], column, group, fileByteCount)
            }
        }
        self.columns = columns
        rowGroups = groups
        rowCount = total
    }

    private static func check(
        _ chunk: ParquetColumnChunk, _ column: ParquetColumn, _ group: ParquetRowGroup, _ fileByteCount: Int
    ) throws {
        guard chunk.unsupported == nil else { return }
        guard chunk.physical == column.physical else {
            throw QueryError.corrupted("column \"\(column.name)\" has another type than the schema says")
        }
        guard chunk.valueCount == group.rowCount else {
            throw QueryError.corrupted("column \"\(column.name)\" does not have the rows of its row group")
        }
        guard chunk.offset >= 0, chunk.compressedByteCount >= 0, chunk.offset <= fileByteCount,
            chunk.compressedByteCount <= fileByteCount - chunk.offset
        else { throw QueryError.corrupted("column \"\(column.name)\" lies outside of the file") }
    }

    private static func element(_ reader: inout ThriftReader) throws -> ParquetSchemaElement {
        var element = ParquetSchemaElement()
        try reader.structure { reader, identifier, kind in
            switch identifier {
            case 1:
                let number = try reader.int32Field(kind)
                guard let type = ParquetPhysicalType(rawValue: number) else {
                    throw QueryError.corrupted("there is no physical type \(number)")
                }
                element.physical = type
            case 2: element.typeLength = try reader.int32Field(kind)
            case 3: element.repetition = try reader.int32Field(kind)
            case 4: element.name = String(decoding: try reader.arrayField(kind), as: UTF8.self)
            case 5: element.childCount = try reader.int32Field(kind)
            case 6: element.convertedType = try reader.int32Field(kind)
            case 7: element.scale = try reader.int32Field(kind)
            case 8: element.precision = try reader.int32Field(kind)
            case 10: element.logicalType = try logicalType(&reader, kind)
            default: try reader.skip(kind)
            }
        }
        return element
    }

    private static func logicalType(_ reader: inout ThriftReader, _ kind: UInt8) throws -> ParquetLogicalType? {
        var result: ParquetLogicalType?
        try reader.structure(kind) { reader, identifier, kind in
            var scale = 0
            var precision = 0
            var isUTC = false
            var unit = ParquetTimeUnit.microseconds
            var bits = 32
            var isSigned = true
            try reader.structure(kind) { reader, field, kind in
                switch (identifier, field) {
                case (5, 1): scale = try reader.int32Field(kind)
                case (5, 2): precision = try reader.int32Field(kind)
                case (7, 1), (8, 1): isUTC = try reader.booleanField(kind)
                case (7, 2), (8, 2):
                    try reader.structure(kind) { reader, choice, kind in
                        unit = choice == 1 ? .milliseconds : choice == 2 ? .microseconds : .nanoseconds
                        try reader.skip(kind)
                    }
                case (10, 1):
                    guard kind == ThriftReader.Kind.byte else {
                        throw QueryError.corrupted("the metadata cannot be parsed")
                    }
                    bits = Int(try reader.byte())
                case (10, 2): isSigned = try reader.booleanField(kind)
                default: try reader.skip(kind)
                }
            }
            switch identifier {
            case 1: result = .string
            case 2: result = .map
            case 3: result = .list
            case 4: result = .enumeration
            case 5: result = .decimal(scale: scale, precision: precision)
            case 6: result = .date
            case 7: result = .time(unit)
            case 8: result = .timestamp(unit, isUTC: isUTC)
            case 10: result = .integer(bits: bits, isSigned: isSigned)
            case 11: result = .null
            case 12: result = .json
            case 13: result = .bson
            case 14: result = .uuid
            case 15: result = .float16
            default: result = .other(identifier)
            }
        }
        return result
    }

    private static func rowGroup(_ reader: inout ThriftReader) throws -> ParquetRowGroup {
        var group = ParquetRowGroup()
        try reader.structure { reader, identifier, kind in
            switch identifier {
            case 1: try reader.list(kind, of: ThriftReader.Kind.structure) { group.columns.append(try chunk(&$0)) }
            case 2: group.byteCount = Int(try reader.integerField(kind))
            case 3: group.rowCount = Int(try reader.integerField(kind))
            default: try reader.skip(kind)
            }
        }
        group.hasUnsupported = group.columns.contains { $0.unsupported != nil }
        return group
    }

    private static func chunk(_ reader: inout ThriftReader) throws -> ParquetColumnChunk {
        var chunk = ParquetColumnChunk()
        var hasMetadata = false
        var offsetIndex = (offset: 0, byteCount: 0)
        var columnIndex = (offset: 0, byteCount: 0)
        try reader.structure { reader, identifier, kind in
            switch identifier {
            case 1:
                try reader.skip(kind)
                chunk.unsupported = "a Parquet file whose columns lie in other files"
            case 3:
                hasMetadata = true
                try columnMetadata(&reader, kind, &chunk)
            case 4: offsetIndex.offset = Int(try reader.integerField(kind))
            case 5: offsetIndex.byteCount = try reader.int32Field(kind)
            case 6: columnIndex.offset = Int(try reader.integerField(kind))
            case 7: columnIndex.byteCount = try reader.int32Field(kind)
            case 8, 9:
                chunk.unsupported = "an encrypted Parquet column"
                try reader.skip(kind)
            default: try reader.skip(kind)
            }
        }
        if offsetIndex.offset > 0 && offsetIndex.byteCount > 0 { chunk.offsetIndex = offsetIndex }
        if columnIndex.offset > 0 && columnIndex.byteCount > 0 { chunk.columnIndex = columnIndex }
        guard hasMetadata || chunk.unsupported != nil else {
            throw QueryError.corrupted("a column has no metadata")
        }
        return chunk
    }

    private static func columnMetadata(
        _ reader: inout ThriftReader, _ kind: UInt8, _ chunk: inout ParquetColumnChunk
    ) throws {
        var result = chunk
        try reader.structure(kind) { reader, identifier, kind in
            switch identifier {
            case 1:
                let number = try reader.int32Field(kind)
                guard let type = ParquetPhysicalType(rawValue: number) else {
                    throw QueryError.corrupted("there is no physical type \(number)")
                }
                result.physical = type
            case 4:
                let number = try reader.int32Field(kind)
                guard let codec = CompressionCodec(rawValue: number) else {
                    throw QueryError.corrupted("there is no compression codec \(number)")
                }
                result.codec = codec
            case 5: result.valueCount = Int(try reader.integerField(kind))
            case 6: result.uncompressedByteCount = Int(try reader.integerField(kind))
            case 7: result.compressedByteCount = Int(try reader.integerField(kind))
            case 9: result.dataPageOffset = Int(try reader.integerField(kind))
            case 11: result.dictionaryPageOffset = Int(try reader.integerField(kind))
            case 12: result.statistics = try statistics(&reader, kind)
            case 13: result.isFullyDictionary = try isFullyDictionary(&reader, kind)
            default: try reader.skip(kind)
            }
        }
        chunk = result
    }

    private static func isFullyDictionary(_ reader: inout ThriftReader, _ kind: UInt8) throws -> Bool {
        var dictionaryPages = 0
        var otherPages = 0
        try reader.list(kind, of: ThriftReader.Kind.structure) { reader in
            var page = 0
            var encoding = 0
            var count = 0
            try reader.structure { reader, identifier, kind in
                switch identifier {
                case 1: page = try reader.int32Field(kind)
                case 2: encoding = try reader.int32Field(kind)
                case 3: count = try reader.int32Field(kind)
                default: try reader.skip(kind)
                }
            }
            guard page == 0 || page == 3 else { return }
            if encoding == ParquetEncoding.plainDictionary.rawValue
                || encoding == ParquetEncoding.rleDictionary.rawValue
            {
                dictionaryPages &+= count
            } else {
                otherPages &+= count
            }
        }
        return dictionaryPages > 0 && otherPages == 0
    }

    private static func statistics(_ reader: inout ThriftReader, _ kind: UInt8) throws -> ParquetStatistics {
        var statistics = ParquetStatistics()
        try reader.structure(kind) { reader, identifier, kind in
            switch identifier {
            case 1: statistics.oldMaximum = try reader.arrayField(kind)
            case 2: statistics.oldMinimum = try reader.arrayField(kind)
            case 3: statistics.nullCount = Int(try reader.integerField(kind))
            case 4: statistics.distinctCount = Int(try reader.integerField(kind))
            case 5: statistics.maximum = try reader.arrayField(kind)
            case 6: statistics.minimum = try reader.arrayField(kind)
            default: try reader.skip(kind)
            }
        }
        return statistics
    }
}
