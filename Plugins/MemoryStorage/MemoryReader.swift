// Reading batches in memory.

import Columnar
import Diagnostics
import Storage

/// Gives the batches of a split through the filters. Confined to one thread.
final class MemoryReader: BatchReader {
    private let batches: ArraySlice<Batch>
    private let schemaCount: Int
    private let request: ScanRequest
    private let context: ScanContext
    private var index: Int
    private var limit: Int

    init(_ batches: ArraySlice<Batch>, schemaCount: Int, request: ScanRequest, context: ScanContext) {
        self.batches = batches
        self.schemaCount = schemaCount
        self.request = request
        self.context = context
        index = batches.startIndex
        limit = context.filters.isEmpty && request.predicates.isEmpty ? request.limit ?? Int.max : Int.max
    }

    func next() throws -> Batch? {
        while index < batches.endIndex, limit > 0 {
            try context.checkCancellation()
            let stored = batches[index]
            // Own vectors and an own batch: batches are confined to a thread, vectors are not.
            let columns = request.projection.map {
                $0 == schemaCount ? identifiers(batch: index, count: stored.physicalCount) : stored.columns[$0]
            }
            index += 1
            var batch = Batch(columns: columns, rowCount: stored.physicalCount)
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

    private func identifiers(batch: Int, count: Int) -> Vector {
        let vector = Vector(flat: .int64, capacity: count)
        let values = vector.values(Int64.self)
        var row = 0
        while row < count {
            values[row] = RowIdentifier.make(batch: batch, row: row)
            row &+= 1
        }
        vector.count = count
        return vector
    }
}
