// One timer for the deadlines of all queries.

import Synchronization

/// Rings at deadlines. What is due later than the timer that runs is only noted: queries have deadlines of minutes, and
/// mostly end in milliseconds. Thread-safe.
final class DeadlineClock: Sendable {
    private struct State {
        var entries: [ObjectIdentifier: (due: ContinuousClock.Instant, ring: @Sendable () -> Void)] = [:]
        /// When the timer ends that runs.
        var timer: ContinuousClock.Instant?
    }
    private let state = Mutex(State())

    /// Calls `ring` at that time, once; it replaces what `owner` has set before.
    func set(_ owner: AnyObject, at due: ContinuousClock.Instant, ring: @escaping @Sendable () -> Void) {
        let isNext = state.withLock { state in
            state.entries[ObjectIdentifier(owner)] = (due, ring)
            if let timer = state.timer, timer <= due { return false }
            state.timer = due
            return true
        }
        if isNext { startTimer(due) }
    }

    /// An owner that has set something removes it before it goes.
    func remove(_ owner: AnyObject) {
        let old = state.withLock { $0.entries.removeValue(forKey: ObjectIdentifier(owner)) }
        _ = old
    }

    private func startTimer(_ end: ContinuousClock.Instant) {
        Task { [weak self] in
            try? await Task.sleep(until: end, clock: .continuous)
            self?.timerEnded(end)
        }
    }

    private func timerEnded(_ end: ContinuousClock.Instant) {
        let now = ContinuousClock.now
        let (rings, next) = state.withLock { state -> ([@Sendable () -> Void], ContinuousClock.Instant?) in
            // An earlier one has been started since, and will start the next.
            guard state.timer == end else { return ([], nil) }
            let due = state.entries.filter { $0.value.due <= now }
            for key in due.keys { state.entries[key] = nil }
            state.timer = state.entries.values.map(\.due).min()
            return (due.values.map(\.ring), state.timer)
        }
        if let next { startTimer(next) }
        for ring in rings { ring() }
    }
}
