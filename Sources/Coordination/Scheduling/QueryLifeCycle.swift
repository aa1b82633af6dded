// The states of a query, a stage and a task attempt as the coordinator sees them, and the transitions that exist.

/// A query from its acceptance to its end.
package enum QueryState: String, Sendable, Hashable, CaseIterable {
    /// Waits for admission.
    case queued
    /// Its tasks are being placed and offered to workers.
    case starting
    /// Every task was accepted.
    case running
    /// An attempt has failed before the client saw a row; the next one starts after a pause.
    case retrying
    /// The result was read to its end; the last states of tasks are awaited.
    case finishing
    case finished
    case failed
    case cancelled

    package var isTerminal: Bool { self == .finished || self == .failed || self == .cancelled }

    /// The transitions that exist; all others are a defect.
    package func mayBecome(_ next: QueryState) -> Bool {
        switch (self, next) {
        case (.queued, .starting), (.starting, .running), (.starting, .retrying), (.starting, .finishing),
            (.running, .retrying), (.running, .finishing), (.retrying, .starting), (.finishing, .finished):
            return true
        case (_, .failed), (_, .cancelled): return !isTerminal
        default: return false
        }
    }
}

/// A stage within the current attempt of its query.
package enum StageState: String, Sendable, Hashable, CaseIterable {
    case planned
    /// Its tasks are offered.
    case ready
    case running
    /// Every task has made all of its output; some of it may not have been read yet.
    case flushing
    case succeeded
    /// The attempt is given up; the stage starts again with the next one.
    case rollingBack
    case failed
    /// Its readers wanted no more before it had ended.
    case abandoned

    package var isTerminal: Bool { self == .succeeded || self == .failed || self == .abandoned }

    package func mayBecome(_ next: StageState) -> Bool {
        switch (self, next) {
        case (.planned, .ready), (.ready, .running), (.running, .flushing), (.flushing, .succeeded),
            (.ready, .rollingBack), (.running, .rollingBack), (.flushing, .rollingBack), (.succeeded, .rollingBack),
            (.rollingBack, .ready), (.ready, .abandoned), (.running, .abandoned), (.flushing, .abandoned):
            return true
        case (_, .failed): return !isTerminal
        default: return false
        }
    }
}

/// One attempt to run one task.
package enum AttemptState: String, Sendable, Hashable, CaseIterable {
    /// Sent to a worker that has not answered.
    case offered
    /// The worker does not take it: it is draining, or holds no lease.
    case rejected
    case running
    /// All output is made; it may not have been read yet.
    case flushing
    /// All output is made and read.
    case finished
    case failed
    case cancelled
    /// Its worker is gone.
    case lost
    /// The one attempt of its task whose output is part of the result.
    case selected
    /// Its output must not be used.
    case discarded

    package var isTerminal: Bool {
        switch self {
        case .offered, .running, .flushing, .finished: false
        case .rejected, .failed, .cancelled, .lost, .selected, .discarded: true
        }
    }

    package func mayBecome(_ next: AttemptState) -> Bool {
        switch (self, next) {
        case (.offered, .rejected), (.offered, .running), (.running, .flushing), (.flushing, .finished),
            (.finished, .selected), (.finished, .discarded):
            return true
        case (.offered, .failed), (.offered, .cancelled), (.offered, .lost), (.running, .failed),
            (.running, .cancelled), (.running, .lost), (.flushing, .failed), (.flushing, .cancelled),
            (.flushing, .lost):
            return true
        default: return false
        }
    }
}
