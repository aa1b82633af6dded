// A table made of Parquet files.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Synchronization

/// One or more Parquet files of the same columns. Splits are row groups.
package final class ParquetTable: TableProvider {
    package let schema: Schema
    private let store: any FileStore
    private let files: [ParquetFile]
    /// All files have exactly the same columns, as a rule because one writer made them.
    private let isUniform: Bool
    private let known = Mutex<TableStatistics?>(nil)
    /// Bounds of the columns that were pruned by, for all row groups of all files in order; by ordinal.
    private let bounds = Mutex<[Int: [ColumnBounds]]>([:])
    private let knownParts = KnownParts()
    /// All splits by projection, of a table of many files.
    private let knownSplits = Mutex<[[Int]: [Split]]>([:])

    /// Reads the footers (from the cache if they were read before) and checks that the files agree.
    package init(
        name: String, files identities: [FileIdentity], in store: any FileStore = LocalFiles.shared
    ) throws {
        guard !identities.isEmpty else {
            throw QueryError(.undefinedFile, "table \"\(name)\" has no files", object: name)
        }
        let files = try ParquetFile.open(identities, in: store)
        var fields = files[0].metadata.columns.map(\.field)
        try ParquetTable.checkNames(fields, files[0].identity.path)
        for file in files.dropFirst() {
            let columns = file.metadata.columns
            for index in fields.indices {
                guard let column = columns.first(where: { $0.name == fields[index].name }),
                    column.type == fields[index].type
                else {
                    throw ParquetTable.disagreement(name, files[0], file, fields[index].name)
                }
                if column.isNullable { fields[index].isNullable = true }
            }
            if let extra = columns.first(where: { column in !fields.contains { $0.name == column.name } }) {
                throw ParquetTable.disagreement(name, files[0], file, extra.name)
            }
        }
        schema = Schema(fields)
        self.store = store
        self.files = files
        let first = files[0].metadata.columns
        isUniform = files.dropFirst().allSatisfy { $0.metadata.columns == first }
    }

    private static func checkNames(_ fields: [Field], _ path: String) throws {
        var seen: Set<String> = []
        for field in fields where !seen.insert(field.name).inserted {
            throw QueryError(.duplicateColumn, "column \"\(field.name)\" appears twice in \"\(path)\"", object: path)
        }
    }

    private static func disagreement(_ table: String, _ a: ParquetFile, _ b: ParquetFile, _ column: String)
        -> QueryError
    {
        QueryError(
            .datatypeMismatch, "the files of table \"\(table)\" do not agree about column \"\(column)\"",
            detail: "Files: \(a.identity.path), \(b.identity.path).", object: table)
    }

    /// The file's columns for table ordinals.
    private func columns(_ file: ParquetFile, _ projection: [Int]) throws -> [ParquetColumn] {
        let columns = file.metadata.columns
        return try projection.map { ordinal in
            let field = schema.fields[ordinal]
            // As a rule all files have the same order.
            let column =
                ordinal < columns.count && columns[ordinal].name == field.name
                ? columns[ordinal] : columns.first { $0.name == field.name }
            guard let column, column.type == field.type else {
                throw QueryError(
                    .ioError, "file \"\(file.identity.path)\" has other columns than its table", object: field.name)
            }
            return column
        }
    }

    /// The same, for reading.
    private func readableColumns(_ file: ParquetFile, _ projection: [Int]) throws -> [ParquetColumn] {
        let columns = try columns(file, projection)
        for column in columns { if let what = column.unsupported { throw QueryError.notSupported(what) } }
        return columns
    }

    /// The same for all files, if they do not differ.
    private func commonColumns(_ projection: [Int]) throws -> [ParquetColumn]? {
        isUniform ? try columns(files[0], projection) : nil
    }

    package func statistics() async throws -> TableStatistics {
        if let known = known.withLock({ $0 }) { return known }
        let made = try ParquetTableStatistics.make(files, try files.map { try columns($0, Array(0..<schema.count)) })
        known.withLock { $0 = made }
        return made
    }

    /// The bounds of the columns that predicates read, by position.
    private func bounds(for request: ScanRequest) throws -> [Int: [ColumnBounds]] {
        var positions: Set<Int> = []
        for predicate in request.predicates { positions.formUnion(predicate.inputs) }
        var result: [Int: [ColumnBounds]] = [:]
        for position in positions {
            let ordinal = request.projection[position]
            if let known = bounds.withLock({ $0[ordinal] }) {
                result[position] = known
                continue
            }
            var made: [ColumnBounds] = []
            for file in files {
                let column = try columns(file, [ordinal])[0]
                for group in file.metadata.rowGroups { made.append(column.bounds(group.columns[column.leaf])) }
            }
            bounds.withLock { [made] in $0[ordinal] = made }
            result[position] = made
        }
        return result
    }

    /// Row groups are put together until they have so many bytes to read, or so many rows, or their share of the table.
    private static let combinedByteCount = 1 << 20
    private static let combinedRowCount = 120_000
    private static let combinedCountMax = 64
    /// Splits that a table is made into at least, if it has so many row groups: few and unequal ones leave tasks idle.
    private static let splitCountMin = 16
    /// Rows that are worth a split of their own.
    private static let splitRowCountMin = 16 << 10
    /// Of so many files, and for so many projections, splits are kept: some 100 bytes for a file each.
    private static let keptFileCountMin = 64
    private static let keptProjectionCountMax = 8

    package func splits(for request: ScanRequest) async throws -> [Split] {
        if request.projection.isEmpty && request.predicates.isEmpty {
            // The footers know how many rows there are.
            let rows = files.reduce(0) { $0 + $1.metadata.rowCount }
            return rows == 0 ? [] : [Split(payload: RowCountPart.payload(rows), estimatedRowCount: rows)]
        }
        // The table of the plan may have been another version of this one, whose row groups lay apart.
        if try await !keepsTogether(request.keptTogether) { return try wholeTable(request) }
        let keepsSplits = request.predicates.isEmpty && files.count >= ParquetTable.keptFileCountMin
        if keepsSplits, let known = knownSplits.withLock({ $0[request.projection] }) { return known }
        var splits: [Split] = []
        var parts: [FilePart] = []
        var rows = 0
        var bytes = 0
        func finish() {
            if parts.isEmpty { return }
            splits.append(
                Split(payload: FileParts.payload(parts), estimatedRowCount: rows, estimatedByteCount: bytes))
            (parts, rows, bytes) = ([], 0, 0)
        }
        let common = try commonColumns(request.projection)
        let bounds = try bounds(for: request)
        let rowCount = files.reduce(0) { $0 + $1.metadata.rowCount }
        let combinedRowCount = min(
            ParquetTable.combinedRowCount, max(ParquetTable.splitRowCountMin, rowCount / ParquetTable.splitCountMin))
        var groupsBefore = 0
        for file in files {
            defer { groupsBefore += file.metadata.rowGroups.count }
            let columns = try common ?? columns(file, request.projection)
            for (index, group) in file.metadata.rowGroups.enumerated() where group.rowCount > 0 {
                let mayMatch = request.predicates.allSatisfy { predicate in
                    Pruning.mayMatch(predicate) { bounds[$0]?[groupsBefore + index] }
                }
                guard mayMatch else { continue }
                let groupBytes = columns.reduce(0) { $0 + group.columns[$1.leaf].compressedByteCount }
                if bytes + groupBytes > ParquetTable.combinedByteCount
                    || rows + group.rowCount > combinedRowCount
                    || parts.count == ParquetTable.combinedCountMax
                {
                    finish()
                }
                if let last = parts.last, last.identity == file.identity, last.end == index {
                    parts[parts.count - 1].end = index + 1
                } else {
                    parts.append(FilePart(identity: file.identity, start: index, end: index + 1))
                }
                rows += group.rowCount
                bytes += groupBytes
            }
        }
        finish()
        if keepsSplits {
            knownSplits.withLock { [splits] known in
                if known.count >= ParquetTable.keptProjectionCountMax { known.removeAll() }
                known[request.projection] = splits
            }
        }
        return splits
    }

    /// Whether row groups have all rows of a value for each of the columns.
    private func keepsTogether(_ ordinals: [Int]) async throws -> Bool {
        if ordinals.isEmpty { return true }
        let columns = try await statistics().columns
        return ordinals.allSatisfy { $0 < columns.count && columns[$0].isApart }
    }

    /// All rows in one split.
    private func wholeTable(_ request: ScanRequest) throws -> [Split] {
        let parts = files.compactMap { file in
            file.metadata.rowCount == 0
                ? nil : FilePart(identity: file.identity, start: 0, end: file.metadata.rowGroups.count)
        }
        if parts.isEmpty { return [] }
        return [
            Split(
                payload: FileParts.payload(parts), estimatedRowCount: files.reduce(0) { $0 + $1.metadata.rowCount },
                estimatedByteCount: files.reduce(0) { $0 + $1.identity.byteCount })
        ]
    }

    package func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        if let rows = try RowCountPart.decode(split.payload) { return RowCountReader(rows, limit: request.limit) }
        let parts = try knownParts.parts(split.payload, in: store)
        let common = isUniform ? try readableColumns(files[0], request.projection) : nil
        return try ParquetPartsReader(parts, request: request, context: context, commonColumns: common) { [self] in
            try readableColumns($0, request.projection)
        }
    }
}

/// Rows without columns.
private final class RowCountReader: BatchReader {
    private var left: Int
    init(_ count: Int, limit: Int?) { left = min(count, limit ?? count) }

    func next() throws -> Batch? {
        guard left > 0 else { return nil }
        let count = min(left, Batch.rowCountMax)
        left -= count
        return Batch(columns: [], rowCount: count)
    }
}
