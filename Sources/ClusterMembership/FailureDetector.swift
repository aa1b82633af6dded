// How suspicious the silence of a peer is, judged from the rhythm of its earlier heartbeats.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The φ-accrual failure detector (Hayashibara et al., 2004): φ = −log₁₀ of the probability that a heartbeat is merely
/// late, with intervals taken as normally distributed.
package struct FailureDetector: Sendable {
    private let capacity: Int
    private let minimumDeviation: Double
    private let acceptablePause: Double
    /// Distance from the mean, in deviations, at which φ reaches the threshold.
    private let thresholdDistance: Double

    private var samples: [Double] = []
    private var next = 0
    private var sum: Double
    private var sumOfSquares: Double
    package private(set) var lastHeartbeat: MonotonicInstant

    package init(options: MembershipOptions, now: MonotonicInstant) {
        capacity = options.sampleCapacity
        minimumDeviation = options.minimumDeviation.fractionalSeconds
        acceptablePause = options.acceptablePause.fractionalSeconds
        thresholdDistance = Self.distance(ofSuspicion: options.suspicionThreshold)
        lastHeartbeat = now
        let interval = options.heartbeatInterval.fractionalSeconds
        samples = [interval]
        sum = interval
        sumOfSquares = interval * interval
    }

    /// Records a heartbeat. Intervals longer than the acceptable pause are left out: an outage that has passed must
    /// not make the detector tolerant of the next one.
    package mutating func heartbeat(now: MonotonicInstant) {
        let interval = max(0, now.since(lastHeartbeat).fractionalSeconds)
        lastHeartbeat = max(lastHeartbeat, now)
        guard interval <= mean + acceptablePause else { return }
        if samples.count < capacity {
            samples.append(interval)
        } else {
            let old = samples[next]
            sum -= old
            sumOfSquares -= old * old
            samples[next] = interval
            next = (next + 1) % capacity
        }
        sum += interval
        sumOfSquares += interval * interval
    }

    private var mean: Double { sum / Double(samples.count) }

    private var deviation: Double {
        let average = mean
        let variance = max(0, sumOfSquares / Double(samples.count) - average * average)
        return max(minimumDeviation, variance.squareRoot())
    }

    /// The suspicion at `now`, from 0 upwards.
    package func suspicion(now: MonotonicInstant) -> Double {
        let elapsed = now.since(lastHeartbeat).fractionalSeconds
        return Self.suspicion(atDistance: (elapsed - mean - acceptablePause) / deviation)
    }

    /// When the suspicion will reach the threshold if no heartbeat comes before.
    package var suspectAt: MonotonicInstant {
        let silence = mean + acceptablePause + thresholdDistance * deviation
        return lastHeartbeat + .nanoseconds(Int64(min(silence, 1e9) * 1e9))
    }

    /// φ at a distance from the mean in standard deviations; the normal distribution's tail by a logistic function.
    private static func suspicion(atDistance y: Double) -> Double {
        let exponent = y * (1.5976 + 0.070566 * y * y)
        // log₁₀(1 + eˣ) without overflow for large x.
        let softplus = exponent > 0 ? exponent + log1p(exp(-exponent)) : log1p(exp(exponent))
        return softplus / 2.302585092994046
    }

    private static func distance(ofSuspicion threshold: Double) -> Double {
        var low = -10.0
        var high = 100.0
        for _ in 0..<80 {
            let middle = (low + high) / 2
            if suspicion(atDistance: middle) < threshold { low = middle } else { high = middle }
        }
        return high
    }
}
