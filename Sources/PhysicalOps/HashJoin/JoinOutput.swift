// The rows that a join gives: columns of the probe batch and of the build store, side by side.

import Columnar
import Diagnostics
import QueryPlan

/// Makes output batches. Confined to one driver.
struct JoinOutput {
    let layout: JoinLayout
    let store: RowStore

    /// The rows of the pairs.
    func joined(_ batch: Batch, _ pairs: JoinPairs) -> Batch {
        let isWhole = isIdentity(pairs, batch.rowCount)
        let columns = layout.output.map { origin -> Vector in
            switch origin {
            case .left(let index):
                isWhole ? batch.column(index) : batch.column(index).gathered(pairs.probe)
            case .stored(let position): gatherRows(store.columns[position], pairs.build, pairs.count)
            case .mark: Vector.constant(.null, type: .boolean, count: pairs.count)
            }
        }
        return Batch(columns: columns, rowCount: pairs.count)
    }

    /// What the residual sees of the pairs.
    func residualBatch(_ batch: Batch, _ pairs: JoinPairs) -> Batch {
        var columns = layout.residualLeft.map { batch.column($0).gathered(pairs.probe) }
        columns += layout.residualStored.map { gatherRows(store.columns[$0], pairs.build, pairs.count) }
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
                    values[row] = matched[row] == 1 ? 1 : 0
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
            case .stored(let column): gatherRows(store.columns[column], rows, count)
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
