// Which failures a query may outlive, how often, and after which pause.

import ClusterMembership
import Diagnostics

/// What a failure says about trying again. Decided by SQLSTATE alone, which travels on every wire; texts are for people.
package enum RetryClass: String, Sendable, Hashable, CaseIterable {
    /// The statement itself, its limits or its client: another attempt would end the same way.
    case never
    /// A worker is gone with what it held.
    case workerLost
    /// Output could not be fetched from a worker that may well live.
    case fetchFailed
    /// Files or disks failed in a way that may pass.
    case transientIO
    /// A worker had no room beside its other queries.
    case insufficientResources
    /// Bytes changed on their way.
    case dataCorruption
    /// A broken promise inside the engine: one more attempt, elsewhere.
    case internalError
    /// A worker does not take tasks at the moment: draining, or without lease.
    case rejected
    /// A worker did not answer an offer in time.
    case noAnswer

    package init(_ error: QueryError) {
        switch error.state {
        case .workerLost, .adminShutdown, .crashShutdown: self = .workerLost
        case .exchangeFailed: self = .fetchFailed
        case .ioError: self = .transientIO
        case .insufficientResources: self = .insufficientResources
        case .dataCorrupted: self = .dataCorruption
        case .internalError: self = .internalError
        case .cannotConnectNow: self = .rejected
        default: self = .never
        }
    }

    /// Attempts that a query may make because of failures of this class, the first one included.
    func attemptLimit(_ options: SchedulerOptions) -> Int {
        switch self {
        case .never: 1
        case .internalError, .dataCorruption: 2
        case .transientIO, .insufficientResources, .fetchFailed: options.attemptLimit
        // These say nothing against the query: only the sum of all attempts limits them.
        case .workerLost, .rejected, .noAnswer: options.totalAttemptLimit
        }
    }
}

/// Every figure of the scheduler.
package struct SchedulerOptions: Sendable, Hashable {
    /// How long placing tasks may take, waiting for a first worker included.
    package var noWorkersLimit: Duration = .seconds(60)
    /// How long workers may take to accept all tasks.
    package var offerLimit: Duration = .seconds(10)
    /// Longest time without any sign of progress of any task.
    package var progressLimit: Duration = .seconds(300)
    /// Longest time without any request of the client for rows.
    package var clientLimit: Duration = .seconds(3600)
    /// How long final states are waited for after the last row.
    package var finishLimit: Duration = .milliseconds(500)
    /// How long a worker may take to confirm a cancel before it is told again.
    package var cancelLimit: Duration = .seconds(5)
    /// How often it is told again. After that its own housekeeping ends what nobody watches.
    package var cancelRepeatLimit = 3
    package var retryPauseInitial: Duration = .milliseconds(500)
    package var retryPauseMaximum: Duration = .seconds(30)
    package var attemptLimit = 4
    package var totalAttemptLimit = 100
    /// Deaths of workers that name the query as their cause before it is never offered again.
    package var poisonLimit = 2
    /// How long a query that has lost so many workers waits for them to come back and say why they died, before it is given to
    /// further ones.
    package var postMortemLimit: Duration = .seconds(5)

    package init() {}

    package func validate() throws(QueryError) {
        guard attemptLimit >= 1, totalAttemptLimit >= attemptLimit, poisonLimit >= 1, cancelRepeatLimit >= 0,
            retryPauseInitial > .zero, retryPauseMaximum >= retryPauseInitial, offerLimit > .zero,
            finishLimit > .zero, cancelLimit > .zero, postMortemLimit >= .zero, progressLimit > offerLimit
        else { throw QueryError(.configurationFileError, "the figures of the scheduler contradict each other") }
    }
}

/// How often a query has been tried, and why.
package struct RetryBudget: Sendable {
    package let options: SchedulerOptions
    package private(set) var total = 0
    private var counts: [RetryClass: Int] = [:]

    package init(options: SchedulerOptions) { self.options = options }

    package func count(_ cause: RetryClass) -> Int { counts[cause] ?? 0 }

    /// Notes one more attempt because of `cause`. `false`: there must not be another one.
    mutating func spend(_ cause: RetryClass) -> Bool {
        guard total + 1 < options.totalAttemptLimit, count(cause) + 1 < cause.attemptLimit(options) else {
            return false
        }
        total += 1
        counts[cause, default: 0] += 1
        return true
    }

    /// Doubling pauses with jitter over the upper half, so that the queries of a lost worker do not come back in step.
    func pause(random: inout SchedulerRandom) -> Duration {
        let exponent = min(max(0, total - 1), 16)
        let full = min(options.retryPauseMaximum, options.retryPauseInitial * (1 << exponent)).wholeNanoseconds
        return .nanoseconds(full / 2 + Int64(random.next() >> 1) % max(1, full / 2))
    }
}

/// The scheduler's randomness: seeded by its shell, so that a simulation repeats itself (SplitMix64).
package struct SchedulerRandom: Sendable {
    private var state: UInt64
    package init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
