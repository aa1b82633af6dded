// How values are spread, for metrics.

/// Counts values by ranges. A value type of a few words; recording one takes a look at the bounds.
package struct Histogram: Sendable, Hashable {
    /// Where ranges end, ascending; behind the last one is a range without end.
    package let bounds: [Double]
    /// How many values lie in each range: one more than there are bounds.
    package private(set) var counts: [UInt64]
    /// Of all values.
    package private(set) var sum = 0.0

    package init(bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    /// What somebody else has counted; `nil` if that was by other ranges.
    package init?(bounds: [Double], counts: [UInt64], sum: Double) {
        guard counts.count == bounds.count + 1, sum.isFinite, sum >= 0 else { return nil }
        self.bounds = bounds
        self.counts = counts
        self.sum = sum
    }

    /// A bound belongs to the range that it ends.
    package mutating func record(_ value: Double) {
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] &+= 1
        sum += value
    }

    package var count: UInt64 { counts.reduce(0, &+) }

    /// How many values lie at or below each bound.
    package var cumulativeCounts: [UInt64] {
        var total: UInt64 = 0
        return counts.prefix(bounds.count).map { count in
            total &+= count
            return total
        }
    }
}
