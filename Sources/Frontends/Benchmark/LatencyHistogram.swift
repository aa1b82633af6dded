// Durations counted in buckets, as Gil Tene's HdrHistogram does it: the same relative precision from microseconds to hours.

/// Counts values of microseconds. Every bucket is at most one part in 128 wide, so a percentile is right to 0.8 %; minimum,
/// maximum and mean are exact. 26 KB, whatever is counted.
package struct LatencyHistogram: Sendable, Hashable {
    private static let stepBits = 7
    private static let steps = 1 << stepBits
    /// Up to 2³² microseconds, which is more than an hour.
    private static let bucketCount = (32 - stepBits + 1) * steps

    package private(set) var count: Int64 = 0
    package private(set) var minimum: Int64 = 0
    package private(set) var maximum: Int64 = 0
    private var sum = 0.0
    private var counts = [UInt32](repeating: 0, count: bucketCount)

    package init() {}

    package mutating func add(_ microseconds: Int64, times: UInt32 = 1) {
        let value = max(0, microseconds)
        counts[Self.bucket(value)] &+= times
        minimum = count == 0 ? value : min(minimum, value)
        maximum = max(maximum, value)
        count += Int64(times)
        sum += Double(value) * Double(times)
    }

    package mutating func add(_ other: LatencyHistogram) {
        guard other.count > 0 else { return }
        for index in counts.indices { counts[index] &+= other.counts[index] }
        minimum = count == 0 ? other.minimum : min(minimum, other.minimum)
        maximum = max(maximum, other.maximum)
        count += other.count
        sum += other.sum
    }

    package var mean: Double { count == 0 ? 0 : sum / Double(count) }

    /// The value that this share of all does not exceed.
    package func quantile(_ share: Double) -> Int64 {
        guard count > 0 else { return 0 }
        let rank = max(1, Int64((Double(count) * share).rounded(.up)))
        var seen: Int64 = 0
        for (index, number) in counts.enumerated() where number > 0 {
            seen += Int64(number)
            if seen >= rank { return max(minimum, min(maximum, Self.upperBound(index))) }
        }
        return maximum
    }

    /// Below 128 each value has its own bucket; above, the seven bits behind the leading one tell.
    private static func bucket(_ value: Int64) -> Int {
        guard value >= Int64(steps) else { return Int(value) }
        let shift = 63 - value.leadingZeroBitCount - stepBits
        let index = (shift + 1) * steps + Int(value >> Int64(shift)) - steps
        return min(index, bucketCount - 1)
    }

    private static func upperBound(_ bucket: Int) -> Int64 {
        guard bucket >= steps else { return Int64(bucket) }
        let shift = bucket / steps - 1
        let step = Int64(bucket % steps + steps)
        return ((step + 1) << Int64(shift)) - 1
    }
}
