// What all readers of row groups have in common, and which of them reads a row group.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// Gives the rows of one row group that its filters leave.
protocol RowGroupReader: BatchReader {
    /// The file, if it was opened.
    var file: LocalFile? { get }
}

/// A row group of which statistics tell that no row is wanted.
private final class PrunedRowGroupReader: RowGroupReader {
    let file: LocalFile?
    init(file: LocalFile?) { self.file = file }
    func next() throws -> Batch? { nil }
}

enum RowGroup {
    /// - Parameters:
    ///   - opened: the file if it is open already.
    ///   - columns: by projected position; all can be read.
    ///   - used: a reader of the same scan that is at its end.
    static func makeReader(
        _ parquet: ParquetFile, opened: LocalFile?, rowGroup: Int, columns: [ParquetColumn], request: ScanRequest,
        context: ScanContext, reusing used: SmallRowGroupReader?
    ) throws -> any RowGroupReader {
        guard parquet.metadata.rowGroups.indices.contains(rowGroup) else {
            throw QueryError.corrupted("there is no row group \(rowGroup)")
        }
        let group = parquet.metadata.rowGroups[rowGroup]
        if group.hasUnsupported {
            for column in columns {
                if let what = group.columns[column.leaf].unsupported { throw QueryError.notSupported(what) }
            }
        }
        guard group.rowCount > 0 else { return PrunedRowGroupReader(file: opened) }
        var conditions: [Expression] = []
        if !context.filters.isEmpty || !request.predicates.isEmpty {
            conditions = request.predicates + context.filters.compactMap(\.prunable)
            let mayMatch = conditions.allSatisfy { condition in
                Pruning.mayMatch(condition) { columns[$0].bounds(group.columns[columns[$0].leaf]) }
            }
            guard mayMatch else { return PrunedRowGroupReader(file: opened) }
        }
        let isUnfiltered = context.filters.isEmpty && request.predicates.isEmpty
        let limit = isUnfiltered ? request.limit ?? Int.max : Int.max
        if group.rowCount <= SmallRowGroupReader.rowCountMax {
            if let used {
                used.restart(parquet, opened: opened, group: group, columns: columns)
                return used
            }
            return SmallRowGroupReader(
                parquet, opened: opened, group: group, columns: columns, context: context, limit: limit)
        }
        return try ParquetRowGroupReader(
            parquet, file: opened ?? LocalFile(parquet.identity), group: group, columns: columns,
            conditions: conditions, context: context, limit: limit)
    }
}
