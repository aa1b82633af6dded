// The reader of a split: row groups of one or more files, one after the other.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Synchronization

/// Row groups of one file that are read one after the other.
struct OpenedPart: Sendable {
    var parquet: ParquetFile
    var groups: Range<Int>
    /// `parquet.metadata.number`, and the rows of the only row group if it is small and every column of it can be read. They
    /// stand here too because footers of thousands of files do not stay in the processor's caches.
    var number: Int
    var smallRowCount: Int?

    init(_ part: FilePart, in store: any FileStore) throws {
        parquet = try ParquetFile(part.identity, in: store)
        guard part.start < part.end, part.start >= 0, part.end <= parquet.metadata.rowGroups.count else {
            throw QueryError.corrupted("there is no row group \(part.start)").about(file: part.identity)
        }
        groups = part.start..<part.end
        number = parquet.metadata.number
        let first = parquet.metadata.rowGroups[part.start]
        if groups.count == 1, !first.hasUnsupported, 1...SmallRowGroupReader.rowCountMax ~= first.rowCount {
            smallRowCount = first.rowCount
        }
    }
}

/// Splits of many small parts that were understood before: finding their footers takes longer than reading what is kept.
final class KnownParts: Sendable {
    private struct Payload: Hashable {
        var bytes: [UInt8]
        func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
    }
    private static let countMax = 512
    private let known = Mutex<[Payload: [OpenedPart]]>([:])

    func parts(_ bytes: [UInt8], in store: any FileStore) throws -> [OpenedPart] {
        let payload = Payload(bytes: bytes)
        if let found = known.withLock({ $0[payload] }) { return found }
        let parts = try FileParts.decode(bytes).map { try OpenedPart($0, in: store) }
        if parts.count > 1 {
            known.withLock { known in
                if known.count >= KnownParts.countMax { known.removeAll() }
                known[payload] = parts
            }
        }
        return parts
    }
}

/// Reads the parts of a split. Confined to one thread.
final class ParquetPartsReader: BatchReader {
    private let parts: [OpenedPart]
    private let request: ScanRequest
    private let context: ScanContext
    /// By projected position, if the columns of all files are the same.
    private let commonColumns: [ParquetColumn]?
    private let columns: (ParquetFile) throws -> [ParquetColumn]
    private let isUnfiltered: Bool
    /// Rows that are enough.
    private let limit: Int
    /// The next row group.
    private var part = 0
    private var group = 0
    private var reader: (any RowGroupReader)?
    private let small: SmallRowGroupReader
    /// Of files on a server: readers whose bytes are under way while earlier ones are read.
    private var ahead: ArraySlice<any RowGroupReader> = []
    private let isRemote: Bool
    private static let aheadCount = 6

    /// - Parameter columns: those of a file, by projected position; all can be read.
    init(
        _ parts: [OpenedPart], request: ScanRequest, context: ScanContext, commonColumns: [ParquetColumn]?,
        columns: @escaping (ParquetFile) throws -> [ParquetColumn]
    ) throws {
        self.parts = parts
        self.request = request
        self.context = context
        self.commonColumns = commonColumns
        self.columns = columns
        isUnfiltered = context.filters.isEmpty && request.predicates.isEmpty
        limit = isUnfiltered ? request.limit ?? Int.max : Int.max
        small = SmallRowGroupReader(parts, columnCount: request.projection.count, context: context, limit: limit)
        group = parts.first?.groups.lowerBound ?? 0
        isRemote = parts.first?.parquet.store.isRemote ?? false
        // A file that is not there is an error at once.
        try openNext()
    }

    func next() throws -> Batch? {
        while let reader {
            if let batch = try reader.next() { return batch }
            try openNext()
        }
        return nil
    }

    /// Opens the next row group, if there is one: the same file stays open.
    private func openNext() throws {
        if isRemote { return try openNextRemote() }
        guard part < parts.count else {
            reader = nil
            return
        }
        if isUnfiltered, let commonColumns, let rowCount = parts[part].smallRowCount {
            small.restart(part: part, group: group, rowCount: rowCount, columns: commonColumns, opened: nil)
            reader = small
        } else {
            let opened = group > parts[part].groups.lowerBound ? reader?.file : nil
            reader = try makeReader(parts[part].parquet, opened)
        }
        advance()
    }

    private func openNextRemote() throws {
        var file = (ahead.last ?? reader)?.file
        reader = nil
        while ahead.count < Self.aheadCount, part < parts.count {
            let made = try makeReader(parts[part].parquet, group > parts[part].groups.lowerBound ? file : nil)
            file = made.file
            ahead.append(made)
            advance()
        }
        reader = ahead.popFirst()
    }

    private func advance() {
        group += 1
        if group == parts[part].groups.upperBound {
            part += 1
            if part < parts.count { group = parts[part].groups.lowerBound }
        }
    }

    private func makeReader(_ parquet: ParquetFile, _ opened: (any ReadableFile)?) throws -> any RowGroupReader {
        let rowGroup = parquet.metadata.rowGroups[group]
        let columns = try commonColumns ?? columns(parquet)
        if rowGroup.hasUnsupported {
            for column in columns {
                if let what = rowGroup.columns[column.leaf].unsupported { throw QueryError.notSupported(what) }
            }
        }
        guard rowGroup.rowCount > 0 else { return PrunedRowGroupReader(file: opened) }
        var conditions: [Expression] = []
        if !isUnfiltered {
            conditions = request.predicates + context.filters.compactMap(\.prunable)
            let mayMatch = conditions.allSatisfy { condition in
                Pruning.mayMatch(condition) { columns[$0].bounds(rowGroup.columns[columns[$0].leaf]) }
            }
            guard mayMatch else { return PrunedRowGroupReader(file: opened) }
        }
        if rowGroup.rowCount <= SmallRowGroupReader.rowCountMax {
            let small =
                isRemote
                ? SmallRowGroupReader(parts, columnCount: columns.count, context: context, limit: limit) : self.small
            small.restart(part: part, group: group, rowCount: rowGroup.rowCount, columns: columns, opened: opened)
            if isRemote { try small.start() }
            return small
        }
        return try ParquetRowGroupReader(
            parquet, file: opened ?? parquet.store.open(parquet.identity), group: rowGroup, columns: columns,
            conditions: conditions, context: context, limit: limit)
    }
}

/// Gives the rows of one row group that its filters leave.
protocol RowGroupReader: BatchReader {
    /// The file, if it was opened.
    var file: (any ReadableFile)? { get }
}

/// A row group of which statistics tell that no row is wanted.
private final class PrunedRowGroupReader: RowGroupReader {
    let file: (any ReadableFile)?
    init(file: (any ReadableFile)?) { self.file = file }
    func next() throws -> Batch? { nil }
}
