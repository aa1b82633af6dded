// The splits of a scan that gets them bit by bit, as it asks for them.

import Diagnostics
import PhysicalOps
import Storage
import Synchronization

/// Splits of one scan of one task. Drivers take them; when few are left the coordinator is asked for more, so that a task on a
/// slow node reads fewer than the others. Thread-safe.
package final class LateSplits: SplitSource {
    private struct State {
        var splits: [Split]
        var next = 0
        /// How often more have come.
        var grantCount = 0
        var hasAsked = false
        var isComplete = false
        var waiting: [@Sendable () -> Void] = []
    }
    private let state: Mutex<State>
    /// Asked for more when no more than so many are left: others are read meanwhile.
    private let lowWater: Int
    private let ask: @Sendable (_ number: Int) -> Void

    package init(_ splits: [Split], lowWater: Int, ask: @escaping @Sendable (_ number: Int) -> Void) {
        state = Mutex(State(splits: splits))
        self.lowWater = lowWater
        self.ask = ask
    }

    package var remainingCount: Int? {
        state.withLock { $0.isComplete ? $0.splits.count - $0.next : nil }
    }

    package func next(wake: @escaping @Sendable () -> Void) throws -> SplitEvent {
        let (event, wish) = state.withLock { state -> (SplitEvent, Int?) in
            var event = SplitEvent.finished
            if state.next < state.splits.count {
                event = .split(state.splits[state.next])
                state.next += 1
            } else if !state.isComplete {
                event = .pending
                state.waiting.append(wake)
            }
            guard !state.isComplete, !state.hasAsked, state.splits.count - state.next <= lowWater else {
                return (event, nil)
            }
            state.hasAsked = true
            return (event, state.grantCount)
        }
        if let wish { ask(wish) }
        return event
    }

    /// Takes in what was granted; `false` if it has come before.
    package func take(_ splits: [Split], number: Int, isLast: Bool) -> Bool {
        let waiting = state.withLock { state -> [@Sendable () -> Void]? in
            guard number == state.grantCount, !state.isComplete else { return nil }
            state.splits = Array(state.splits[state.next...]) + splits
            state.next = 0
            state.grantCount += 1
            state.hasAsked = false
            state.isComplete = isLast
            defer { state.waiting = [] }
            return state.waiting
        }
        guard let waiting else { return false }
        for wake in waiting { wake() }
        return true
    }
}
