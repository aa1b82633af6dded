// The reader of a row group that is no more than one batch. Its columns are kept decoded: of files of few rows, opening takes
// longer than all the rest.

import Columnar
import Diagnostics
import Storage

/// Reads one small row group after another, filters first. A file is opened when the first column is needed that is not
/// kept. Confined to one thread.
final class SmallRowGroupReader: RowGroupReader {
    /// Row groups of at most so many rows are read in this way.
    static let rowCountMax = Batch.standardRowCount

    private let parts: [OpenedPart]
    private let context: ScanContext
    private let limit: Int
    /// Which row group of which part is read.
    private var part = 0
    private var group = 0
    private var rowCount = 0
    private var columns: [ParquetColumn] = []
    private(set) var file: (any ReadableFile)?
    /// By position, as far as they were needed.
    private var vectors: [Vector?]
    private var readers: [ParquetColumnReader?] = []
    private var isAtEnd = true

    /// - Parameter limit: rows that are enough.
    init(_ parts: [OpenedPart], columnCount: Int, context: ScanContext, limit: Int) {
        self.parts = parts
        self.context = context
        self.limit = limit
        vectors = [Vector?](repeating: nil, count: columnCount)
    }

    /// Goes on with another row group, of at least one row.
    /// - Parameters:
    ///   - columns: by projected position; all can be read.
    ///   - opened: the file if it is open already.
    func restart(part: Int, group: Int, rowCount: Int, columns: [ParquetColumn], opened: (any ReadableFile)?) {
        self.part = part
        self.group = group
        self.rowCount = rowCount
        self.columns = columns
        file = opened
        for position in vectors.indices { vectors[position] = nil }
        if !readers.isEmpty { readers = [] }
        isAtEnd = false
    }

    func next() throws -> Batch? {
        if isAtEnd { return nil }
        isAtEnd = true
        try context.checkCancellation()
        do {
            return try batch()
        } catch let error as QueryError {
            throw error.about(file: parts[part].parquet.identity)
        }
    }

    private func batch() throws -> Batch? {
        var selection: Selection?
        for filter in context.filters {
            for position in filter.positions { _ = try column(position) }
            let view = Batch(
                columns: columns.indices.map { vectors[$0] ?? Vector(flat: columns[$0].type, capacity: 0) },
                rowCount: rowCount, selection: selection)
            guard let chosen = try filter.select(view) else { continue }
            if chosen.count == 0 { return nil }
            selection = selection?.composed(with: chosen) ?? chosen
        }
        if let chosen = selection, chosen.count == rowCount { selection = nil }
        let all = Batch(
            columns: try columns.indices.map { try column($0) }, rowCount: rowCount, selection: selection)
        return limit < rowCount && selection == nil ? all.prefix(limit) : all
    }

    /// All rows of a column, those too that a filter has left out: so they can be kept.
    private func column(_ position: Int) throws -> Vector {
        if let known = vectors[position] { return known }
        let type = columns[position].type
        let key = key(position)
        if let kept = DecodedCache.shared.entry(key) {
            vectors[position] = kept.values
            return kept.values
        }
        let reader = try self.reader(position)
        let vector = try reader.read(
            rowCount, selection: nil, prefersDictionary: type.physical == .view)
        DecodedCache.shared.keep(.init(values: vector), key)
        context.bytesRead += reader.bytesRead
        vectors[position] = vector
        return vector
    }

    @inline(__always)
    private func key(_ position: Int) -> DecodedCache.Key {
        DecodedCache.Key(
            file: parts[part].number, place: group << 32 | columns[position].leaf, type: columns[position].type,
            part: .allRows)
    }

    /// Asks for what is not kept. For files of a server, where that takes its time.
    func start() throws {
        if columns.indices.contains(where: { DecodedCache.shared.entry(key($0)) == nil }) { try openReaders() }
    }

    private func openReaders() throws {
        let parquet = parts[part].parquet
        let file = try file ?? parquet.store.open(parquet.identity)
        self.file = file
        let scratch = ParquetScratch.of(context)
        let chunks = columns.map { parquet.metadata.rowGroups[group].columns[$0.leaf] }
        let inputs = try ChunkInput.inputs(file, chunks.map { $0.offset..<$0.offset + $0.compressedByteCount }, context)
        readers = columns.indices.map {
            ParquetColumnReader(columns[$0], chunks[$0], input: inputs[$0], scratch: scratch)
        }
    }

    private func reader(_ position: Int) throws -> ParquetColumnReader {
        if readers.isEmpty { try openReaders() }
        guard let reader = readers[position] else { throw QueryError.internalError("a column is read twice") }
        readers[position] = nil
        return reader
    }
}
