// How late the threads of the network run what is due: a thread that is kept busy serves nobody.

import NIOCore
import Synchronization

/// Asks every event loop once a second to do nothing, and notes how late it did. Thread-safe.
final class EventLoopLag: Sendable {
    private struct State {
        /// Of the minute that runs, and of the one before.
        var highest = Duration.zero
        var before = Duration.zero
        var minuteEnd = ContinuousClock.now + .seconds(60)
        var tasks: [RepeatedTask] = []
    }
    private let state = Mutex(State())
    private static let interval = TimeAmount.seconds(1)

    /// When a loop was last heard of.
    private final class Moment: Sendable {
        private let moment = Mutex(ContinuousClock.now)
        /// The time since then.
        func advance(to now: ContinuousClock.Instant) -> Duration {
            moment.withLock { moment in
                defer { moment = now }
                return now - moment
            }
        }
    }

    func start(on group: any EventLoopGroup) {
        for loop in group.makeIterator() {
            let last = Moment()
            let wanted = Duration.nanoseconds(Self.interval.nanoseconds)
            let task = loop.scheduleRepeatedTask(initialDelay: Self.interval, delay: Self.interval) { [weak self] _ in
                let now = ContinuousClock.now
                self?.note(last.advance(to: now) - wanted, at: now)
            }
            state.withLock { $0.tasks.append(task) }
        }
    }

    func stop() { for task in state.withLock({ $0.tasks }) { task.cancel() } }

    private func note(_ lag: Duration, at now: ContinuousClock.Instant) {
        state.withLock { state in
            if now >= state.minuteEnd {
                state.before = state.highest
                state.highest = .zero
                state.minuteEnd = now + .seconds(60)
            }
            state.highest = max(state.highest, lag)
        }
    }

    /// The longest of the last one to two minutes.
    var highest: Duration { state.withLock { max($0.highest, $0.before) } }
}
