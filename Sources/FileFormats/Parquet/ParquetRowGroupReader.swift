// The reader of a row group: filters first, other columns only for the rows that are left.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// Reads one row group in windows of `Batch.standardRowCount` rows. Confined to one thread.
final class ParquetRowGroupReader: RowGroupReader {
    private let identity: FileIdentity
    private let types: [DataType]
    /// One per projected position.
    private let readers: [ParquetColumnReader]
    private let context: ScanContext
    private let filters: [any ScanFilter]
    /// Rows to read: ascending ranges that do not overlap.
    private var ranges: [Range<Int>]
    /// Next row.
    private var row = 0
    /// Rows that may still be given.
    private var limit: Int
    private var bytesReported = 0

    private let opened: any ReadableFile
    var file: (any ReadableFile)? { opened }

    /// - Parameters:
    ///   - columns: by projected position.
    ///   - conditions: what pages may be pruned by.
    ///   - limit: rows that are enough.
    init(
        _ parquet: ParquetFile, file: any ReadableFile, group: ParquetRowGroup, columns: [ParquetColumn],
        conditions: [Expression], context: ScanContext, limit: Int
    ) throws {
        identity = parquet.identity
        opened = file
        types = columns.map(\.type)
        self.context = context
        filters = context.filters
        self.limit = limit
        ranges = [0..<group.rowCount]
        let sources = columns.map { ChunkSource(parquet.metadata.number, $0, group.columns[$0.leaf]) }
        // Of a server's file small row groups are sooner there than their page index.
        if !conditions.isEmpty, !file.isRemote || sources.reduce(0, { $0 + $1.range.count }) > Self.indexedByteCountMin
        {
            ranges = try PageIndex.ranges(group, columns: columns, conditions: conditions, file: file)
        }
        let scratch = ParquetScratch.of(context)
        let rowsWanted = ranges.reduce(0) { $0 + $1.count }
        let inputs = try ChunkInput.inputs(
            file, sources.map(\.range), share: Double(rowsWanted) / Double(group.rowCount), context)
        readers = zip(columns.indices, inputs).map { index, input in
            ParquetColumnReader(
                columns[index], group.columns[columns[index].leaf], input: input, scratch: scratch,
                known: sources[index].dictionary, cacheKey: sources[index].cacheKey)
        }
    }

    private static let indexedByteCountMin = 4 << 20

    func next() throws -> Batch? {
        do {
            return try nextBatch()
        } catch let error as QueryError {
            throw error.about(file: identity)
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
    var cacheKey: DecodedCache.Key?

    /// Chunks of fewer bytes have no dictionary that would be kept.
    private static let cachedByteCountMin = 8 << 10

    init(_ file: Int, _ column: ParquetColumn, _ chunk: ParquetColumnChunk) {
        range = chunk.offset..<chunk.offset + chunk.compressedByteCount
        guard chunk.dictionaryPageOffset != nil, chunk.compressedByteCount >= ChunkSource.cachedByteCountMin else {
            return
        }
        let key = DecodedCache.Key(file: file, place: chunk.offset, type: column.type, part: .dictionary)
        cacheKey = key
        if let known = DecodedCache.shared.entry(key) {
            dictionary = known.values
            range = known.end..<range.upperBound
        }
    }
}
