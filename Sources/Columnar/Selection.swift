// Selections: the rows of a batch that are alive, as ascending 16-bit row numbers.

/// Row numbers in ascending order. A batch holds at most 65,536 rows, so 16 bits are enough.
package final class Selection: @unchecked Sendable {
    package let buffer: Buffer
    package var count: Int

    /// Room for `capacity` row numbers, plus the slack that branch-free writers need.
    package init(capacity: Int) {
        buffer = Buffer(byteCount: (capacity + 1) * 2)
        count = 0
    }

    @inlinable package var rows: UnsafeMutablePointer<UInt16> { buffer.base.assumingMemoryBound(to: UInt16.self) }

    /// All of `count` rows.
    package static func all(_ count: Int) -> Selection {
        let selection = Selection(capacity: count)
        var row = 0
        let rows = selection.rows
        while row < count {
            rows[row] = UInt16(truncatingIfNeeded: row)
            row &+= 1
        }
        selection.count = count
        return selection
    }

    /// The rows whose byte in `flags` (0 or 1) is set.
    package static func rows(where flags: UnsafePointer<UInt8>, count: Int) -> Selection {
        let selection = Selection(capacity: count)
        let rows = selection.rows
        var selected = 0
        var row = 0
        while row < count {
            rows[selected] = UInt16(truncatingIfNeeded: row)
            selected &+= Int(flags[row])
            row &+= 1
        }
        selection.count = selected
        return selection
    }

    /// The rows of `self` at the positions that `inner` names: a selection within a selection.
    package func composed(with inner: Selection) -> Selection {
        let result = Selection(capacity: inner.count)
        let outer = rows
        let picks = inner.rows
        let target = result.rows
        var index = 0
        while index < inner.count {
            target[index] = outer[Int(picks[index])]
            index &+= 1
        }
        result.count = inner.count
        return result
    }
}
