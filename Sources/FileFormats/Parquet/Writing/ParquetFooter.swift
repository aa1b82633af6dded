// Footer and page index of a file that is written.

import Columnar
import Diagnostics

/// The metadata of a file whose row groups have their places.
struct ParquetFooter {
    struct Group {
        var rowCount: Int
        var chunks: [WrittenChunk]
    }

    let types: [ParquetColumnType]
    let codec: CompressionCodec
    var groups: [Group]

    /// The page index of all chunks, which is to lie at `offset`; notes its places.
    mutating func pageIndex(at offset: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for group in groups.indices {
            for column in types.indices {
                guard let index = ParquetFooter.columnIndex(groups[group].chunks[column], types[column]) else {
                    continue
                }
                groups[group].chunks[column].columnIndex = (offset + bytes.count, index.count)
                bytes += index
            }
        }
        for group in groups.indices {
            for column in types.indices {
                let index = ParquetFooter.offsetIndex(groups[group].chunks[column])
                groups[group].chunks[column].offsetIndex = (offset + bytes.count, index.count)
                bytes += index
            }
        }
        return bytes
    }

    /// `nil` if a page with values has no bounds.
    private static func columnIndex(_ chunk: WrittenChunk, _ type: ParquetColumnType) -> [UInt8]? {
        var bounds: [(minimum: [UInt8], maximum: [UInt8])] = []
        for page in chunk.pages {
            if page.valueCount == 0 {
                bounds.append(([], []))
            } else if let known = page.bounds.plain(type.order) {
                bounds.append((known.minimum, known.maximum))
            } else {
                return nil
            }
        }
        var writer = ThriftWriter()
        writer.element {
            $0.booleans(1, chunk.pages.map { $0.valueCount == 0 })
            $0.binaries(2, bounds.map(\.minimum))
            $0.binaries(3, bounds.map(\.maximum))
            // Nothing is said about the order of pages.
            $0.int32(4, 0)
            $0.longIntegers(5, chunk.pages.map(\.nullCount))
        }
        return writer.bytes
    }

    private static func offsetIndex(_ chunk: WrittenChunk) -> [UInt8] {
        var writer = ThriftWriter()
        writer.element {
            $0.structures(1, chunk.pages) { location, page in
                location.int64(1, page.offset)
                location.int32(2, page.byteCount)
                location.int64(3, page.firstRow)
            }
        }
        return writer.bytes
    }

    var bytes: [UInt8] {
        var writer = ThriftWriter()
        writer.element { footer in
            footer.int32(1, 2)
            // The root, then the columns.
            footer.structures(2, [nil] + types.map(Optional.some)) { element, type in
                guard let type else {
                    element.string(4, "schema")
                    element.int32(5, types.count)
                    return
                }
                type.schemaElement(&element)
            }
            footer.int64(3, groups.reduce(0) { $0 + $1.rowCount })
            footer.structures(4, groups) { group, written in
                group.structures(1, Array(zip(types, written.chunks))) { chunk, part in
                    chunk.int64(2, 0)
                    chunk.structure(3) { columnMetadata(&$0, part.0, part.1) }
                    if let index = part.1.offsetIndex {
                        chunk.int64(4, index.offset)
                        chunk.int32(5, index.byteCount)
                    }
                    if let index = part.1.columnIndex {
                        chunk.int64(6, index.offset)
                        chunk.int32(7, index.byteCount)
                    }
                }
                group.int64(2, written.chunks.reduce(0) { $0 + $1.uncompressedByteCount })
                group.int64(3, written.rowCount)
                if let first = written.chunks.first { group.int64(5, first.dictionaryOffset ?? first.dataOffset) }
                group.int64(6, written.chunks.reduce(0) { $0 + $1.compressedByteCount })
            }
            footer.string(6, "martlet")
            // Bounds are ordered as the types are.
            footer.structures(7, types) { order, _ in order.structure(1) { _ in } }
        }
        return writer.bytes
    }

    private func columnMetadata(_ writer: inout ThriftWriter, _ type: ParquetColumnType, _ chunk: WrittenChunk) {
        var encodings: [ParquetEncoding] = [.plain, .rle]
        if chunk.dictionaryPageCount > 0 { encodings.append(.rleDictionary) }
        writer.int32(1, type.physical.rawValue)
        writer.integers(2, encodings.map(\.rawValue))
        writer.strings(3, [type.field.name])
        writer.int32(4, codec.rawValue)
        writer.int64(5, chunk.valueCount)
        writer.int64(6, chunk.uncompressedByteCount)
        writer.int64(7, chunk.compressedByteCount)
        writer.int64(9, chunk.dataOffset)
        if let offset = chunk.dictionaryOffset { writer.int64(11, offset) }
        writer.structure(12) {
            $0.int64(3, chunk.nullCount)
            guard let bounds = chunk.bounds.plain(type.order) else { return }
            $0.binary(5, bounds.maximum)
            $0.binary(6, bounds.minimum)
            $0.boolean(7, bounds.isExact)
            $0.boolean(8, bounds.isExact)
        }
        let counts = [
            (PageHeader.Kind.dictionary, ParquetEncoding.plain, chunk.dictionaryOffset == nil ? 0 : 1),
            (.data, .rleDictionary, chunk.dictionaryPageCount), (.data, .plain, chunk.plainPageCount),
        ]
        writer.structures(13, counts.filter { $0.2 > 0 }) { statistics, count in
            statistics.int32(1, count.0.rawValue)
            statistics.int32(2, count.1.rawValue)
            statistics.int32(3, count.2)
        }
    }
}
