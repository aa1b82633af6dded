// Batches: the unit that operators exchange.

/// Up to 65,536 rows (2,048 as a rule) of vectors, with an optional selection.
///
/// `columns` hold `physicalCount` rows each; `rowCount` of them are alive. Operators read columns with `column(_:)`, which
/// applies the selection once and keeps the dense result: a column nobody reads is never copied.
/// Confined to one thread at a time.
package final class Batch: @unchecked Sendable {
    /// Rows that a batch has as a rule: two or three columns of 8 bytes stay in the first-level cache.
    package static let standardRowCount = 2048
    package static let rowCountMax = 65_536

    package private(set) var columns: [Vector]
    /// Rows of the vectors.
    package private(set) var physicalCount: Int
    /// `nil`: every row is alive.
    package private(set) var selection: Selection?
    private var dense: [Vector?] = []

    package init(columns: [Vector], rowCount: Int, selection: Selection? = nil) {
        self.columns = columns
        physicalCount = rowCount
        self.selection = selection
    }

    /// Rows alive.
    package var rowCount: Int { selection?.count ?? physicalCount }
    package var columnCount: Int { columns.count }
    package var isEmpty: Bool { rowCount == 0 }

    /// Column `index` with the selection applied: exactly `rowCount` rows, any encoding.
    package func column(_ index: Int) -> Vector {
        guard let selection else { return columns[index] }
        if dense.isEmpty { dense = [Vector?](repeating: nil, count: columns.count) }
        if let vector = dense[index] { return vector }
        let vector = columns[index].gathered(selection)
        dense[index] = vector
        return vector
    }

    /// All columns dense.
    package func densified() -> Batch {
        guard selection != nil else { return self }
        return Batch(columns: columns.indices.map { column($0) }, rowCount: rowCount)
    }

    /// The rows of this batch that `inner` (positions among the live rows) names.
    package func selecting(_ inner: Selection) -> Batch {
        if inner.count == rowCount { return self }
        guard let selection else { return Batch(columns: columns, rowCount: physicalCount, selection: inner) }
        return Batch(columns: columns, rowCount: physicalCount, selection: selection.composed(with: inner))
    }

    /// The first `count` live rows.
    package func prefix(_ count: Int) -> Batch { slice(0, count) }

    /// `count` live rows from `start`.
    package func slice(_ start: Int, _ count: Int) -> Batch {
        if start == 0 && count >= rowCount { return self }
        let inner = Selection(capacity: count)
        let rows = inner.rows
        var index = 0
        while index < count {
            rows[index] = UInt16(truncatingIfNeeded: start &+ index)
            index &+= 1
        }
        inner.count = count
        return selecting(inner)
    }

    /// The live rows with only the given columns, in that order.
    package func projecting(_ indexes: [Int]) -> Batch {
        Batch(columns: indexes.map { columns[$0] }, rowCount: physicalCount, selection: selection)
    }

    /// A batch without rows.
    package static func empty(_ types: [DataType]) -> Batch {
        Batch(columns: types.map { Vector(flat: $0, capacity: 0) }, rowCount: 0)
    }

    /// One row as values. For tests and rendering of small results.
    package func row(_ index: Int) -> [ScalarValue] { columns.indices.map { column($0).value(at: index) } }
}

extension Batch {
    /// About the memory that the live rows take, for accounting. Bytes of shared dictionaries do not count.
    package var estimatedByteCount: Int {
        var bytes = 64
        for column in columns {
            switch column.encoding {
            case .constant: bytes += 64
            case .dictionary: bytes += rowCount * 4
            case .flat:
                bytes +=
                    rowCount * column.physical.width + column.longStringByteCount * rowCount / max(1, physicalCount)
            }
        }
        return bytes
    }
}

extension Vector {
    /// Bytes of the strings that do not fit their views; flat vectors only.
    package var longStringByteCount: Int {
        guard physical == .view, encoding == .flat else { return 0 }
        let views = self.views
        var bytes = 0
        var row = 0
        while row < count {
            let view = views[row]
            bytes &+= view.isInline ? 0 : view.count
            row &+= 1
        }
        return bytes
    }
}
