// How far the first rows of a sort with a limit reach, for the sort itself and for the scan below it.

import Columnar
import QueryPlan
import Storage
import Synchronization

/// The largest prefix (see `SortPrefixEncoder`) that can be among the first rows: it only falls. Shared by all drivers.
package final class SortThreshold: Sendable {
    /// Encodes the first key alone. The bits of the others are zero then, so that such a prefix is never too large.
    fileprivate let encoder: SortPrefixEncoder
    private let prefix = Atomic<UInt64>(.max)

    init(_ firstKey: SortKey) { encoder = SortPrefixEncoder([firstKey]) }

    var value: UInt64 { prefix.load(ordering: .relaxed) }

    func lower(to value: UInt64) {
        var seen = prefix.load(ordering: .relaxed)
        while value < seen {
            let (exchanged, original) = prefix.compareExchange(expected: seen, desired: value, ordering: .relaxed)
            if exchanged { return }
            seen = original
        }
    }
}

/// Drops rows behind the first ones while they are read, before their other columns are decoded. Confined to one driver.
final class FirstRowsScanFilter: ScanFilter {
    private let threshold: SortThreshold
    private let column: Int
    private var prefixBuffer = Buffer(byteCount: Batch.standardRowCount * 8)

    init(_ threshold: SortThreshold, column: Int) {
        self.threshold = threshold
        self.column = column
    }

    var positions: [Int] { [column] }
    var prunable: Expression? { nil }

    func select(_ batch: Batch) throws -> Selection? {
        let limit = threshold.value
        if limit == .max { return nil }
        let count = batch.rowCount
        if prefixBuffer.byteCount < count * 8 { prefixBuffer = Buffer(byteCount: count * 8) }
        let prefixes = prefixBuffer.base.assumingMemoryBound(to: UInt64.self)
        threshold.encoder.encode([batch.column(column).flattened()], count: count, into: prefixes)
        let selection = Selection(capacity: count)
        selection.count = SortPrefixEncoder.select(prefixes, count: count, upTo: limit, into: selection.rows)
        return selection.count == count ? nil : selection
    }
}

extension SortPrefixEncoder {
    /// The rows whose prefixes are not above `limit`; returns how many.
    static func select(
        _ prefixes: UnsafePointer<UInt64>, count: Int, upTo limit: UInt64, into rows: UnsafeMutablePointer<UInt16>
    ) -> Int {
        var selected = 0
        var row = 0
        while row < count {
            rows[selected] = UInt16(truncatingIfNeeded: row)
            selected &+= Int(unsafeBitCast(prefixes[row] <= limit, to: UInt8.self))
            row &+= 1
        }
        return selected
    }
}
