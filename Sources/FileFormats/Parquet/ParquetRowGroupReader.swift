// The reader of a split: one row group, filters first, other columns only for the rows that are left.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// Reads one row group in windows of `Batch.standardRowCount` rows. Confined to one thread.
package final class ParquetRowGroupReader: BatchReader {
    private let identity: FileIdentity
    private let types: [DataType]
    /// One per projected position.
    private let readers: [ParquetColumnReader]
    private let context: ScanContext
    private let filters: [any ScanFilter]
    /// Positions that some filter reads.
    private let isFiltered: [Bool]
    /// Rows to read: ascending ranges that do not overlap.
    private var ranges: [Range<Int>]
    /// Next row.
    private var row = 0
    /// Rows that may still be given.
    private var limit: Int
    private var bytesReported = 0

    /// The file, if anything had to be read from it.
    let file: LocalFile?

    /// - Parameters:
    ///   - opened: the file if it is open already.
    ///   - columns: by projected position.
    package init(
        _ parquet: ParquetFile, opened: LocalFile? = nil, rowGroup: Int, columns: [ParquetColumn], request: ScanRequest,
        context: ScanContext
    ) throws {
        guard parquet.metadata.rowGroups.indices.contains(rowGroup) else {
            throw QueryError.corrupted("there is no row group \(rowGroup)")
        }
        let group = parquet.metadata.rowGroups[rowGroup]
        identity = parquet.identity
        types = columns.map(\.type)
        self.context = context
        filters = context.filters
        var isFiltered = [Bool](repeating: false, count: columns.count)
        for filter in context.filters {
            for position in filter.positions { isFiltered[position] = true }
        }
        self.isFiltered = isFiltered
        limit = context.filters.isEmpty && request.predicates.isEmpty ? request.limit ?? Int.max : Int.max
        for column in columns {
            if let what = column.unsupported { throw QueryError.notSupported(what) }
            if let what = group.columns[column.leaf].unsupported { throw QueryError.notSupported(what) }
        }
        let conditions = request.predicates + context.filters.compactMap(\.prunable)
        let mayMatch = conditions.allSatisfy { condition in
            Pruning.mayMatch(condition) { columns[$0].bounds(group.columns[columns[$0].leaf]) }
        }
        guard mayMatch, group.rowCount > 0 else {
            readers = []
            ranges = []
            file = opened
            return
        }
        let file = try opened ?? LocalFile(parquet.identity)
        self.file = file
        ranges = [0..<group.rowCount]
        if !conditions.isEmpty {
            ranges = try PageIndex.ranges(group, columns: columns, conditions: conditions, file: file)
        }
        let scratch = ParquetScratch.of(context)
        let sources = columns.map { ChunkSource(parquet.identity, $0, group.columns[$0.leaf]) }
        let inputs = try ParquetRowGroupReader.inputs(file, sources.map(\.range))
        readers = zip(columns.indices, inputs).map { index, input in
            ParquetColumnReader(
                columns[index], group.columns[columns[index].leaf], input: input, scratch: scratch,
                known: sources[index].dictionary, cacheKey: sources[index].cacheKey)
        }
    }

    /// Column chunks that lie within so many bytes are read at once.
    private static let smallSpanMax = 256 << 10

    private static func inputs(_ file: LocalFile, _ ranges: [Range<Int>]) throws -> [ChunkInput] {
        let start = ranges.map(\.lowerBound).min() ?? 0
        let end = ranges.map(\.upperBound).max() ?? 0
        guard ranges.count > 1, end - start <= smallSpanMax else {
            return ranges.map { ChunkInput(file, offset: $0.lowerBound, byteCount: $0.count) }
        }
        let buffer = Buffer(byteCount: end - start)
        try file.read(into: buffer.base, count: end - start, at: start)
        return ranges.map {
            ChunkInput(file, offset: $0.lowerBound, byteCount: $0.count, in: buffer, at: $0.lowerBound - start)
        }
    }

    package func next() throws -> Batch? {
        do {
            return try nextBatch()
        } catch var error as QueryError {
            if error.object == nil {
                error.object = identity.path
                error.detail = "File: \(identity.path)."
            }
            throw error
        }
    }

    private func nextBatch() throws -> Batch? {
        while let range = ranges.first, limit > 0 {
            try context.checkCancellation()
            if row < range.lowerBound { pass(range.lowerBound - row) }
            let windowMax = readers.isEmpty && filters.isEmpty ? Batch.rowCountMax : Batch.standardRowCount
            let count = min(windowMax, range.upperBound - row, limit)
            let batch = try window(count)
            row += count
            if row >= range.upperBound { ranges.removeFirst() }
            if let batch {
                limit -= batch.rowCount
                return batch
            }
        }
        return nil
    }

    private func pass(_ count: Int) {
        for reader in readers { reader.skip(count) }
        row += count
    }

    /// The next `count` rows, or `nil` if the filters leave none.
    private func window(_ count: Int) throws -> Batch? {
        if filters.isEmpty {
            let batch = Batch(
                columns: try readers.map {
                    try $0.read(count, selection: nil, prefersDictionary: $0.column.type.physical == .view)
                }, rowCount: count)
            report()
            return batch
        }
        var columns = [Vector?](repeating: nil, count: readers.count)
        var selection: Selection?
        for filter in filters {
            for position in filter.positions where columns[position] == nil {
                columns[position] = try readers[position].read(count, selection: selection, prefersDictionary: true)
            }
            let view = Batch(
                columns: columns.indices.map { columns[$0] ?? placeholder($0) }, rowCount: count, selection: selection)
            if let chosen = try filter.select(view) {
                selection = selection?.composed(with: chosen) ?? chosen
                if chosen.count == 0 {
                    for position in columns.indices where columns[position] == nil { readers[position].skip(count) }
                    return nil
                }
            }
        }
        if let chosen = selection, chosen.count == count { selection = nil }
        let batch = Batch(
            columns: try columns.indices.map { position in
                if let column = columns[position] { return column }
                let reader = readers[position]
                return try reader.read(
                    count, selection: selection, prefersDictionary: reader.column.type.physical == .view)
            }, rowCount: count, selection: selection)
        report()
        return batch
    }

    private var placeholders: [Vector?] = []
    private func placeholder(_ position: Int) -> Vector {
        if placeholders.isEmpty { placeholders = [Vector?](repeating: nil, count: types.count) }
        if let vector = placeholders[position] { return vector }
        let vector = Vector(flat: types[position], capacity: 0)
        placeholders[position] = vector
        return vector
    }

    private func report() {
        let total = readers.reduce(0) { $0 + $1.bytesRead }
        context.bytesRead += total - bytesReported
        bytesReported = total
    }
}

/// What has to be read of a column chunk.
private struct ChunkSource {
    var range: Range<Int>
    var dictionary: Vector?
    var cacheKey: DictionaryCache.Key?

    /// Chunks of fewer bytes have no dictionary that would be kept.
    private static let cachedByteCountMin = 8 << 10

    init(_ identity: FileIdentity, _ column: ParquetColumn, _ chunk: ParquetColumnChunk) {
        range = chunk.offset..<chunk.offset + chunk.compressedByteCount
        guard chunk.dictionaryPageOffset != nil, chunk.compressedByteCount >= ChunkSource.cachedByteCountMin else {
            return
        }
        let key = DictionaryCache.Key(identity: identity, offset: chunk.offset, type: column.type)
        cacheKey = key
        if let known = DictionaryCache.shared.entry(key) {
            dictionary = known.values
            range = known.end..<range.upperBound
        }
    }
}
