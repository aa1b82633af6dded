// A driver: a piece of work that the pool runs in quanta, and the state machine that parks and wakes it.

import CKernels
import Synchronization

/// Work for a `DriverPool`. `run` is called by one thread at a time; between calls the driver is queued, or parked until
/// `wake`. Subclasses override `run` and `didFinish`. State is guarded by the hand-over through the pool's lock and by
/// `state`, hence unchecked.
package class Driver: @unchecked Sendable {
    package enum Outcome { case yielded, blocked, finished }

    private enum State {
        static let parked: UInt8 = 0
        static let queued: UInt8 = 1
        static let running: UInt8 = 2
        /// Woken while it ran: if it is about to park it runs again instead.
        static let notified: UInt8 = 3
        static let finished: UInt8 = 4
    }

    package let group: DriverGroup
    /// Among the drivers of a group the lowest runs first.
    package let priority: Int
    private let state = Atomic<UInt8>(State.parked)

    package init(group: DriverGroup, priority: Int) {
        self.group = group
        self.priority = priority
    }

    /// Runs until `deadline` (by `monotonicNanoseconds`), or until there is nothing to do. Before it answers `.blocked` it
    /// has handed `wake` to somebody who will call it.
    package func run(until deadline: UInt64) -> Outcome { .finished }

    /// Called once, behind the last `run`.
    package func didFinish() {}

    /// Makes a parked driver run again; starts a new one. From any thread, any number of times; late calls do nothing.
    package final func wake() {
        while true {
            switch state.load(ordering: .acquiring) {
            case State.parked:
                if state.compareExchange(
                    expected: State.parked, desired: State.queued, ordering: .acquiringAndReleasing
                )
                .exchanged {
                    group.pool.enqueue(self)
                    return
                }
            case State.running:
                if state.compareExchange(
                    expected: State.running, desired: State.notified, ordering: .acquiringAndReleasing
                ).exchanged {
                    return
                }
            default: return
            }
        }
    }

    /// Runs a new driver on the calling thread until `deadline`. What is left then goes to the pool.
    final func runHere(until deadline: UInt64) {
        guard
            state.compareExchange(
                expected: State.parked, desired: State.queued, ordering: .acquiringAndReleasing
            ).exchanged
        else { return }
        runQuantum(until: deadline)
    }

    /// One quantum; called by the pool, or by the thread that starts the driver.
    final func runQuantum(until deadline: UInt64) {
        state.store(State.running, ordering: .releasing)
        ck_crash_note_subject(group.crashSubject)
        let outcome = run(until: deadline)
        ck_crash_note_subject(nil)
        switch outcome {
        case .finished:
            state.store(State.finished, ordering: .releasing)
            didFinish()
        case .yielded:
            state.store(State.queued, ordering: .releasing)
            group.pool.enqueue(self)
        case .blocked:
            let parked = state.compareExchange(
                expected: State.running, desired: State.parked, ordering: .acquiringAndReleasing
            ).exchanged
            if !parked {
                state.store(State.queued, ordering: .releasing)
                group.pool.enqueue(self)
            }
        }
    }
}
