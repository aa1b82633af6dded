// The rows that a join gives: columns of the probe batch and of the build store, side by side.

import Columnar
import Diagnostics
import QueryPlan

/// Makes output batches. Confined to one driver.
struct JoinOutput {
    let layout: JoinLayout
    let store: JoinStore

    /// The rows of the pairs.
    func joined(_ batch: Batch, _ pairs: JoinPairs) -> Batch {
        let isWhole = isIdentity(pairs, batch.rowCount)
        let columns = layout.output.map { origin -> Vector in
            switch origin {
            case .left(let index):
                isWhole ? batch.column(index) : batch.column(index).gathered(pairs.probe)
            case .stored(let position): gatherStored(store.columns[position], pairs.build, pairs.count)
            case .mark: Vector.constant(.null, type: .boolean, count: pairs.count)
            }
        }
        return Batch(columns: columns, rowCount: pairs.count)
    }

    /// What the residual sees of the pairs.
    func residualBatch(_ batch: Batch, _ pairs: JoinPairs) -> Batch {
        var columns = layout.residualLeft.map { batch.column($0).gathered(pairs.probe) }
        columns += layout.residualStored.map { gatherStored(store.columns[$0], pairs.build, pairs.count) }
        return Batch(columns: columns, rowCount: pairs.count)
    }

    /// Probe rows without a match: NULLs for the build side.
    func unmatchedLeft(_ batch: Batch, _ rows: Selection) -> Batch {
        let picked = batch.selecting(rows)
        let columns = layout.output.enumerated().map { position, origin -> Vector in
            switch origin {
            case .left(let index): picked.column(index)
            case .stored, .mark: Vector.constant(.null, type: layout.outputTypes[position], count: rows.count)
            }
        }
        return Batch(columns: columns, rowCount: rows.count)
    }

    /// Probe rows as they are (semi, anti).
    func left(_ batch: Batch) -> Batch {
        batch.projecting(layout.output.map { origin in if case .left(let index) = origin { index } else { 0 } })
    }

    /// All probe rows with the mark: 1 true, 0 false, otherwise NULL.
    func marked(_ batch: Batch, matched: UnsafePointer<UInt8>) -> Batch {
        let count = batch.rowCount
        let columns = layout.output.map { origin -> Vector in
            guard case .left(let index) = origin else {
                let mark = Vector(flat: .boolean, capacity: count)
                let values = mark.values(UInt8.self)
                for row in 0..<count {
                    values[row] = matched[row] & 1
                    if matched[row] > 1 { Validity.setNull(mark.ensureValidity(), row) }
                }
                return mark
            }
            return batch.column(index)
        }
        return Batch(columns: columns, rowCount: count)
    }

    /// Build rows on their own, with NULLs for the probe side.
    func stored(_ rows: UnsafePointer<UInt32>, count: Int) -> Batch {
        let columns = layout.output.enumerated().map { position, origin -> Vector in
            switch origin {
            case .stored(let column): gatherStored(store.columns[column], rows, count)
            case .left, .mark: Vector.constant(.null, type: layout.outputTypes[position], count: count)
            }
        }
        return Batch(columns: columns, rowCount: count)
    }

    private func isIdentity(_ pairs: JoinPairs, _ rowCount: Int) -> Bool {
        guard pairs.count == rowCount else { return false }
        let rows = pairs.probe.rows
        var differences = 0
        var index = 0
        while index < rowCount {
            differences |= Int(rows[index]) ^ index
            index &+= 1
        }
        return differences == 0
    }
}

/// The given rows of a stored column as a flat vector. Strings keep pointing into the store's heaps.
func gatherStored(_ column: Vector, _ rows: UnsafePointer<UInt32>, _ count: Int) -> Vector {
    let result = Vector(flat: column.type, capacity: count)
    switch column.physical.width {
    case 1: gatherRows(column.values(UInt8.self), rows, count, result.values(UInt8.self))
    case 2: gatherRows(column.values(UInt16.self), rows, count, result.values(UInt16.self))
    case 4: gatherRows(column.values(UInt32.self), rows, count, result.values(UInt32.self))
    case 8: gatherRows(column.values(UInt64.self), rows, count, result.values(UInt64.self))
    default: gatherRows(column.values(SIMD2<UInt64>.self), rows, count, result.values(SIMD2<UInt64>.self))
    }
    // The store itself keeps every heap alive: one owner is enough.
    if column.physical == .view { result.pinned = [column] }
    if let validity = column.validity {
        let words = Validity.make(rows: count, valid: false)
        let target = words.base.assumingMemoryBound(to: UInt64.self)
        var index = 0
        while index < count {
            let row = Int(rows[index])
            target[index &>> 6] |= ((validity[row &>> 6] &>> UInt64(row & 63)) & 1) &<< UInt64(index & 63)
            index &+= 1
        }
        result.validityOwner = words
        result.validity = target
    }
    return result
}

@inline(__always)
private func gatherRows<T>(
    _ source: UnsafePointer<T>, _ rows: UnsafePointer<UInt32>, _ count: Int, _ target: UnsafeMutablePointer<T>
) {
    var index = 0
    while index < count {
        target[index] = source[Int(rows[index])]
        index &+= 1
    }
}
