// Headers of pages.

import Diagnostics

/// A page's header, checked against what a page may be.
struct PageHeader {
    enum Kind: Int { case data = 0, index, dictionary, dataV2 }

    var kind = Kind.data
    var uncompressedByteCount = 0
    var compressedByteCount = 0
    var checksum: UInt32?
    var valueCount = 0
    var encoding = ParquetEncoding.plain
    var definitionEncoding = ParquetEncoding.rle
    var nullCount = 0
    var definitionByteCount = 0
    var repetitionByteCount = 0
    var isCompressed = true

    /// The largest page that is accepted, decompressed.
    private static let byteCountMax = 1 << 30

    init(_ reader: inout ThriftReader) throws {
        var header = PageHeader.blank
        var hasDetails = false
        try reader.structure { reader, identifier, kind in
            switch identifier {
            case 1:
                let number = try reader.int32Field(kind)
                guard let type = Kind(rawValue: number) else {
                    throw QueryError.corrupted("there is no page type \(number)")
                }
                header.kind = type
            case 2: header.uncompressedByteCount = try reader.int32Field(kind)
            case 3: header.compressedByteCount = try reader.int32Field(kind)
            case 4: header.checksum = UInt32(truncatingIfNeeded: try reader.int32Field(kind))
            case 5:
                hasDetails = true
                try reader.structure(kind) { reader, field, kind in
                    switch field {
                    case 1: header.valueCount = try reader.int32Field(kind)
                    case 2: header.encoding = try PageHeader.encoding(&reader, kind)
                    case 3: header.definitionEncoding = try PageHeader.encoding(&reader, kind)
                    default: try reader.skip(kind)
                    }
                }
            case 7:
                hasDetails = true
                try reader.structure(kind) { reader, field, kind in
                    switch field {
                    case 1: header.valueCount = try reader.int32Field(kind)
                    case 2: header.encoding = try PageHeader.encoding(&reader, kind)
                    default: try reader.skip(kind)
                    }
                }
            case 8:
                hasDetails = true
                try reader.structure(kind) { reader, field, kind in
                    switch field {
                    case 1: header.valueCount = try reader.int32Field(kind)
                    case 2: header.nullCount = try reader.int32Field(kind)
                    case 4: header.encoding = try PageHeader.encoding(&reader, kind)
                    case 5: header.definitionByteCount = try reader.int32Field(kind)
                    case 6: header.repetitionByteCount = try reader.int32Field(kind)
                    case 7: header.isCompressed = try reader.booleanField(kind)
                    default: try reader.skip(kind)
                    }
                }
            default: try reader.skip(kind)
            }
        }
        let isSane =
            (hasDetails || header.kind == .index) && header.valueCount >= 0
            && (0...PageHeader.byteCountMax).contains(header.uncompressedByteCount) && header.compressedByteCount >= 0
            && header.definitionByteCount >= 0 && header.repetitionByteCount >= 0
        guard isSane else { throw QueryError.corrupted("a page header is impossible") }
        self = header
    }

    private init() {}
    private static var blank: PageHeader { PageHeader() }

    private static func encoding(_ reader: inout ThriftReader, _ kind: UInt8) throws -> ParquetEncoding {
        let number = try reader.int32Field(kind)
        guard let encoding = ParquetEncoding(rawValue: number) else {
            throw QueryError.corrupted("there is no encoding \(number)")
        }
        return encoding
    }
}
