// Reading batches in memory.

import Columnar
import Diagnostics
import Storage

/// Gives the batches of a split through the filters. Confined to one thread.
final class MemoryReader: BatchReader {
    private let batches: ArraySlice<MemoryBatch>
    /// Rows by batch, others are passed over; `nil` for all of all.
    private let rows: [Int: [Int]]?
    private let schemaCount: Int
    private let request: ScanRequest
    private let context: ScanContext
    private var index: Int
    private var limit: Int

    init(
        _ batches: ArraySlice<MemoryBatch>, rows: [Int: [Int]]?, schemaCount: Int, request: ScanRequest,
        context: ScanContext
    ) {
        self.batches = batches
        self.rows = rows
        self.schemaCount = schemaCount
        self.request = request
        self.context = context
        index = batches.startIndex
        limit = context.filters.isEmpty && request.predicates.isEmpty ? request.limit ?? Int.max : Int.max
    }

    func next() throws -> Batch? {
        while index < batches.endIndex, limit > 0 {
            try context.checkCancellation()
            let chosen = rows?[index]
            if rows != nil, chosen == nil {
                index += 1
                continue
            }
            var batch = batches[index].batch(request.projection, schemaCount: schemaCount, rows: chosen)
            index += 1
            for filter in context.filters where !batch.isEmpty {
                if let chosen = try filter.select(batch) { batch = batch.selecting(chosen) }
            }
            if batch.isEmpty { continue }
            if batch.rowCount > limit { batch = batch.prefix(limit) }
            limit -= batch.rowCount
            return batch
        }
        return nil
    }
}

extension MemoryBatch {
    /// Columns of a scan, of all rows or some (ascending). Own vectors and an own batch: batches are confined to a thread,
    /// vectors are not.
    func batch(_ projection: [Int], schemaCount: Int, rows: [Int]?) -> Batch {
        let columns = projection.map { $0 == schemaCount ? numbers.vector : batch.columns[$0] }
        let all = Batch(columns: columns, rowCount: batch.physicalCount)
        return rows.map { all.selecting(Selection($0)) } ?? all
    }
}

extension Selection {
    fileprivate convenience init(_ rows: [Int]) {
        self.init(capacity: rows.count)
        for (index, row) in rows.enumerated() { self.rows[index] = UInt16(truncatingIfNeeded: row) }
        count = rows.count
    }
}
