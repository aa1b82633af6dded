// A point on a monotonic clock. The state machines of this target never read a clock: their shells pass the time in.

/// Nanoseconds since an origin that the shell chooses (process start, or zero in a simulation). Wall-clock time never
/// appears here, so a clock that jumps cannot end a lease.
package struct MonotonicInstant: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The origin of the clock.
    package static let zero = MonotonicInstant(nanoseconds: 0)

    package static func < (a: MonotonicInstant, b: MonotonicInstant) -> Bool { a.nanoseconds < b.nanoseconds }

    /// Saturates at the ends of the clock's range.
    package static func + (instant: MonotonicInstant, span: Duration) -> MonotonicInstant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(span.wholeNanoseconds)
        if overflow { return MonotonicInstant(nanoseconds: span < .zero ? .min : .max) }
        return MonotonicInstant(nanoseconds: sum)
    }

    package static func - (instant: MonotonicInstant, span: Duration) -> MonotonicInstant {
        instant + .nanoseconds(0 &- span.wholeNanoseconds)
    }

    /// The time from `earlier` to this instant; negative when `earlier` lies later.
    package func since(_ earlier: MonotonicInstant) -> Duration {
        let (difference, overflow) = nanoseconds.subtractingReportingOverflow(earlier.nanoseconds)
        return .nanoseconds(overflow ? (nanoseconds < earlier.nanoseconds ? .min : .max) : difference)
    }

    package var description: String { "\(Double(nanoseconds) / 1e9) s" }
}

extension Duration {
    /// The span in nanoseconds, saturated at 292 years.
    package var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carry) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carry ? (seconds < 0 ? .min : .max) : sum
    }

    /// The span in seconds, as a binary fraction.
    package var fractionalSeconds: Double { Double(wholeNanoseconds) / 1e9 }
}
