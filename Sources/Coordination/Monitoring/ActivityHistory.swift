// How much a cluster has done lately, second by second: queries started and ended, and how long they took.

/// One second of the engine's work.
package struct ActivitySample: Sendable, Hashable {
    /// Seconds since 1970 UTC.
    package var second: Int64
    package var started = 0
    package var finished = 0
    /// Failed and cancelled ones.
    package var failed = 0
    package var running = 0
    package var queued = 0
    /// Microseconds that queries which ended took: median, 95th and 99th of a hundred; `nil` if none ended.
    package var median: Int64?
    package var percentile95: Int64?
    package var percentile99: Int64?
}

/// Counts durations in buckets, each at most an eighth wider than the one before.
package struct DurationHistogram: Sendable {
    private static let stepsPerDoubling = 8
    private static let bucketCount = 40 * stepsPerDoubling
    private var counts = [UInt32](repeating: 0, count: bucketCount)
    package private(set) var total = 0

    package init() {}

    package mutating func add(_ microseconds: Int64) {
        counts[Self.bucket(microseconds)] &+= 1
        total += 1
    }

    package mutating func removeAll() {
        guard total > 0 else { return }
        for index in counts.indices { counts[index] = 0 }
        total = 0
    }

    /// The duration that this share of the counted ones does not exceed, up to the width of a bucket.
    package func quantile(_ share: Double) -> Int64? {
        guard total > 0 else { return nil }
        let rank = max(1, Int((Double(total) * share).rounded(.up)))
        var seen = 0
        for (index, count) in counts.enumerated() where count > 0 {
            seen += Int(count)
            if seen >= rank { return Self.upperBound(index) }
        }
        return nil
    }

    /// Below eight microseconds each has its own bucket; above, the three bits behind the leading one tell.
    private static func bucket(_ microseconds: Int64) -> Int {
        let value = UInt64(max(0, microseconds))
        if value < UInt64(stepsPerDoubling) { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount
        let step = Int((value >> UInt64(exponent - 3)) & 7)
        return min(bucketCount - 1, (exponent - 2) * stepsPerDoubling + step)
    }

    private static func upperBound(_ bucket: Int) -> Int64 {
        if bucket < stepsPerDoubling { return Int64(bucket) }
        let exponent = bucket / stepsPerDoubling + 2
        let step = Int64(bucket % stepsPerDoubling)
        return (Int64(8) + step + 1) << Int64(exponent - 3) - 1
    }
}

/// The last quarter of an hour in seconds. Holds no clock.
package struct ActivityHistory: Sendable {
    package static let sampleCountMax = 900

    private var samples: [ActivitySample] = []
    private var open = ActivitySample(second: 0)
    private var durations = DurationHistogram()

    package init() {}

    package mutating func noteStart() { open.started += 1 }

    package mutating func noteEnd(microseconds: Int64, failed: Bool) {
        if failed { open.failed += 1 } else { open.finished += 1 }
        durations.add(microseconds)
    }

    /// A second is over.
    package mutating func close(second: Int64, running: Int, queued: Int) {
        open.second = second
        open.running = running
        open.queued = queued
        open.median = durations.quantile(0.5)
        open.percentile95 = durations.quantile(0.95)
        open.percentile99 = durations.quantile(0.99)
        samples.append(open)
        if samples.count > Self.sampleCountMax { samples.removeFirst(samples.count - Self.sampleCountMax) }
        open = ActivitySample(second: 0)
        durations.removeAll()
    }

    /// Oldest first, younger than the given second.
    package func samples(after second: Int64 = .min) -> [ActivitySample] {
        var start = samples.count
        while start > 0, samples[start - 1].second > second { start -= 1 }
        return Array(samples[start...])
    }
}
