// The page index: which rows of a row group may match, by the bounds of its pages.

import Columnar
import Diagnostics
import QueryPlan

enum PageIndex {
    /// Indexes larger than this are not worth reading.
    private static let byteCountMax = 4 << 20

    /// The rows that may satisfy all conditions, as ascending ranges. A broken index prunes nothing.
    static func ranges(
        _ group: ParquetRowGroup, columns: [ParquetColumn], conditions: [Expression], file: any ReadableFile
    ) throws -> [Range<Int>] {
        var result = [0..<group.rowCount]
        var pages: [Int: [Page]] = [:]
        for condition in conditions {
            // Conditions over one column each; others are left to the filters.
            let inputs = condition.inputs
            guard inputs.count == 1, let position = inputs.first else { continue }
            let column = columns[position]
            let chunk = group.columns[column.leaf]
            if pages[position] == nil { pages[position] = try read(column, chunk, group.rowCount, file) }
            guard let known = pages[position], known.count > 1 else { continue }
            let kept = known.filter { page in Pruning.mayMatch(condition) { $0 == position ? page.bounds : nil } }
            result = intersect(result, merge(kept.map(\.rows)))
            if result.isEmpty { break }
        }
        return result
    }

    private struct Page {
        var rows: Range<Int>
        var bounds: ColumnBounds
    }

    /// The pages of a chunk with their bounds; empty if there is no usable index.
    private static func read(
        _ column: ParquetColumn, _ chunk: ParquetColumnChunk, _ rowCount: Int, _ file: any ReadableFile
    ) throws -> [Page] {
        guard let offsets = chunk.offsetIndex, let bounds = chunk.columnIndex else { return [] }
        let size = file.identity.byteCount
        for part in [offsets, bounds] {
            guard part.offset <= size, part.byteCount <= byteCountMax, part.byteCount <= size - part.offset else {
                return []
            }
        }
        let offsetBytes = Buffer(byteCount: offsets.byteCount)
        try file.read(into: offsetBytes.base, count: offsets.byteCount, at: offsets.offset)
        let boundBytes = Buffer(byteCount: bounds.byteCount)
        try file.read(into: boundBytes.base, count: bounds.byteCount, at: bounds.offset)
        guard let starts = try? firstRows(offsetBytes, offsets.byteCount),
            let index = try? columnIndex(boundBytes, bounds.byteCount)
        else { return [] }
        guard starts.first == 0, starts.count == index.minima.count, starts.count == index.maxima.count,
            starts.count == index.nullPages.count, zip(starts, starts.dropFirst()).allSatisfy({ $0 < $1 }),
            starts[starts.count - 1] < rowCount
        else { return [] }
        return starts.indices.map { page in
            let rows = starts[page]..<(page + 1 < starts.count ? starts[page + 1] : rowCount)
            if index.nullPages[page] {
                return Page(rows: rows, bounds: ColumnBounds(nullCount: rows.count, rowCount: rows.count))
            }
            let nullCount = column.isNullable ? (index.nullCounts.map { $0[page] }) : 0
            return Page(
                rows: rows,
                bounds: ColumnBounds(
                    minimum: column.bound(index.minima[page], isLower: true),
                    maximum: column.bound(index.maxima[page], isLower: false), nullCount: nullCount,
                    rowCount: rows.count))
        }
    }

    private static func firstRows(_ bytes: Buffer, _ count: Int) throws -> [Int] {
        var reader = ThriftReader(bytes.base, count: count)
        var result: [Int] = []
        try reader.structure { reader, identifier, kind in
            guard identifier == 1 else { return try reader.skip(kind) }
            try reader.list(kind, of: ThriftReader.Kind.structure) { reader in
                var row = -1
                try reader.structure { reader, field, kind in
                    if field == 3 { row = Int(try reader.integerField(kind)) } else { try reader.skip(kind) }
                }
                result.append(row)
            }
        }
        return result
    }

    private struct Bounds {
        var nullPages: [Bool] = []
        var minima: [[UInt8]] = []
        var maxima: [[UInt8]] = []
        var nullCounts: [Int]?
    }

    private static func columnIndex(_ bytes: Buffer, _ count: Int) throws -> Bounds {
        var reader = ThriftReader(bytes.base, count: count)
        var result = Bounds()
        try reader.structure { reader, identifier, kind in
            switch identifier {
            case 1:
                guard kind == ThriftReader.Kind.list else { throw QueryError.corrupted("the page index is broken") }
                let (_, count) = try reader.listHeader()
                for _ in 0..<count { result.nullPages.append(try reader.byte() == 1) }
            case 2: try reader.list(kind, of: ThriftReader.Kind.binary) { result.minima.append(try $0.array()) }
            case 3: try reader.list(kind, of: ThriftReader.Kind.binary) { result.maxima.append(try $0.array()) }
            case 5:
                var counts: [Int] = []
                try reader.list(kind, of: ThriftReader.Kind.int64) { counts.append(Int(try $0.integer())) }
                result.nullCounts = counts
            default: try reader.skip(kind)
            }
        }
        if let counts = result.nullCounts, counts.count != result.nullPages.count { result.nullCounts = nil }
        return result
    }

    /// Joins neighbours.
    private static func merge(_ ranges: [Range<Int>]) -> [Range<Int>] {
        var result: [Range<Int>] = []
        for range in ranges {
            if let last = result.last, last.upperBound == range.lowerBound {
                result[result.count - 1] = last.lowerBound..<range.upperBound
            } else {
                result.append(range)
            }
        }
        return result
    }

    static func intersect(_ a: [Range<Int>], _ b: [Range<Int>]) -> [Range<Int>] {
        var result: [Range<Int>] = []
        var i = 0
        var j = 0
        while i < a.count && j < b.count {
            let common = a[i].clamped(to: b[j])
            if !common.isEmpty { result.append(common) }
            if a[i].upperBound < b[j].upperBound { i += 1 } else { j += 1 }
        }
        return result
    }
}
