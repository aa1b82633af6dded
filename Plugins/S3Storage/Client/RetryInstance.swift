// When a request is tried again. No clock, no network: the transfer loop tells what happened and when.

/// What became of one attempt.
enum AttemptOutcome: Sendable, Hashable {
    /// The server is busy or asks for fewer requests (503, 429).
    case throttled
    /// The server failed (500, 502, 504), or the connection did: refused, reset, stalled, cut short.
    case transient
    /// The answer is final.
    case final
}

/// Tries that all requests to one server have in common: while most of them fail, few are repeated.
struct RetryBudget: Sendable {
    static let capacity = 500
    private static let cost = 5
    private(set) var tokens = RetryBudget.capacity

    mutating func take() -> Bool {
        guard tokens >= Self.cost else { return false }
        tokens -= Self.cost
        return true
    }

    mutating func giveBack() { tokens = min(Self.capacity, tokens + Self.cost + 1) }
    mutating func noteSuccess() { tokens = min(Self.capacity, tokens + 1) }
}

/// One request's tries. Times are nanoseconds of any steady clock.
struct RetryInstance: Sendable {
    struct Limits: Sendable, Hashable {
        var attemptMax = 8
        /// From the first attempt to the begin of the last one.
        var deadline: UInt64 = 120_000_000_000
        var firstPause: UInt64 = 50_000_000
        /// After a server asked for fewer requests.
        var firstThrottledPause: UInt64 = 250_000_000
        var pauseMax: UInt64 = 10_000_000_000
    }

    enum Decision: Hashable, Sendable {
        case again(at: UInt64)
        case giveUp
    }

    private let limits: Limits
    private let start: UInt64
    private(set) var attemptCount = 0

    init(_ limits: Limits, start: UInt64) {
        self.limits = limits
        self.start = start
    }

    mutating func noteAttempt() { attemptCount += 1 }

    /// - Parameters:
    ///   - chance: in 0..<1. The pause is drawn from all lengths up to the one that doubles each time, so that requests that
    ///     failed together do not come back together.
    ///   - advised: what the server has asked for, nanoseconds.
    func decide(
        _ outcome: AttemptOutcome, now: UInt64, chance: Double, advised: UInt64?, budget: inout RetryBudget
    ) -> Decision {
        guard outcome != .final, attemptCount < limits.attemptMax else { return .giveUp }
        let first = outcome == .throttled ? limits.firstThrottledPause : limits.firstPause
        let doubled = Double(first) * Double(1 << min(attemptCount, 20))
        let pause = max(
            UInt64(min(doubled, Double(limits.pauseMax)) * max(chance, 0.05)), min(advised ?? 0, limits.pauseMax))
        let next = now + pause
        guard next < start + limits.deadline, budget.take() else { return .giveUp }
        return .again(at: next)
    }
}
