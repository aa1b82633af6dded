// Batches of another size or encoding with the same rows, for tests: see ExecutionVariation.

import Columnar
import QueryPlan

/// Cuts and encodes the batches that enter a pipeline. Not for hot code: it runs only when a session asks for it.
struct BatchVariation {
    private let rowCount: Int
    private let encoding: ExecutionVariation.Encoding?

    init?(_ variation: ExecutionVariation) {
        guard variation.changesBatches else { return nil }
        encoding = variation.encoding
        // A batch of one row is constant in every column.
        rowCount = variation.encoding == .constant ? 1 : max(1, variation.batchRowCount ?? Batch.rowCountMax)
    }

    /// The batch in parts, in order.
    func parts(of batch: Batch) -> [Batch] {
        var parts: [Batch] = []
        var start = 0
        while start < batch.rowCount {
            let count = min(rowCount, batch.rowCount - start)
            parts.append(encoded(batch.slice(start, count).densified()))
            start += count
        }
        return parts
    }

    private func encoded(_ batch: Batch) -> Batch {
        guard let encoding else { return batch }
        let count = batch.rowCount
        let columns = batch.columns.map { column -> Vector in
            switch encoding {
            case .constant: Vector.constant(column.value(at: 0), type: column.type, count: count)
            case .dictionary: Self.dictionary(column, count)
            }
        }
        return Batch(columns: columns, rowCount: count)
    }

    /// The values as entries of a dictionary, in reverse, so that codes are not positions.
    private static func dictionary(_ column: Vector, _ count: Int) -> Vector {
        if column.encoding == .dictionary { return column }
        let reversed = Selection(capacity: count)
        for row in 0..<count { reversed.rows[row] = UInt16(truncatingIfNeeded: count - 1 - row) }
        reversed.count = count
        let entries = column.flattened().gathered(reversed)
        let codes = Buffer(byteCount: count * 4)
        let values = codes.base.assumingMemoryBound(to: UInt32.self)
        for row in 0..<count { values[row] = UInt32(truncatingIfNeeded: count - 1 - row) }
        return Vector(codes: codes, count: count, dictionary: entries)
    }
}
