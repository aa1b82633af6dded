// The shell around admission: queries wait here for their place.

import ClusterMembership
import Diagnostics
import Synchronization

/// Thread-safe.
package final class QueryAdmission: Sendable {
    private struct State {
        var instance: AdmissionInstance
        var waiters: [QueryID: CheckedContinuation<Void, any Error>] = [:]
        var isTimerSet = false
    }
    private let state: Mutex<State>
    private let clockStart = ContinuousClock.now

    package init(options: AdmissionOptions) { state = Mutex(State(instance: AdmissionInstance(options: options))) }

    private var now: MonotonicInstant {
        MonotonicInstant(nanoseconds: (ContinuousClock.now - clockStart).wholeNanoseconds)
    }

    package var counts: (running: Int, slots: Int, queued: Int, memoryByteCount: Int) {
        state.withLock {
            ($0.instance.runningCount, $0.instance.slotCount, $0.instance.queuedCount, $0.instance.memoryByteCount)
        }
    }
    /// The most that there ever was at the same time.
    package var peaks: (slots: Int, queued: Int, memoryByteCount: Int) {
        state.withLock { ($0.instance.slotPeak, $0.instance.queuedPeak, $0.instance.memoryPeak) }
    }
    package var options: AdmissionOptions { state.withLock { $0.instance.options } }

    package func reason(_ query: QueryID) -> (reason: QueuedReason, position: Int)? {
        state.withLock { $0.instance.reason(query) }
    }

    /// Returns once the query may run; it then has to `leave`. Throws why it may not.
    package func enter(_ request: AdmissionRequest) async throws {
        if try enterAtOnce(request) { return }
        let interruption = Interruption.current
        interruption?.onRequest { [weak self] error in self?.giveUp(request.query, error) }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome = state.withLock { state -> Result<Void, any Error>? in
                    // It may have got its place between the two locks.
                    if state.instance.isRunning(request.query) { return .success(()) }
                    if let error = interruption?.error ?? (Task.isCancelled ? Self.cancelled : nil) {
                        _ = state.instance.leave(request.query)
                        return .failure(error)
                    }
                    state.waiters[request.query] = continuation
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) } else { setTimer() }
            }
        } onCancel: {
            giveUp(request.query, QueryError.wrapping(CancellationError()))
        }
    }

    private static let cancelled = QueryError(.queryCanceled, "canceling statement due to user request")

    private func enterAtOnce(_ request: AdmissionRequest) throws -> Bool {
        for directive in state.withLock({ $0.instance.request(request, now: now) }) {
            switch directive {
            case .admit: return true
            case .refuse(_, let error): throw error
            }
        }
        return false
    }

    package func leave(_ query: QueryID) { carryOut { $0.leave(query) } }

    /// Other limits from now on.
    package func change(to options: AdmissionOptions) { carryOut { $0.change(to: options) } }

    private func giveUp(_ query: QueryID, _ error: QueryError) {
        guard let waiter = state.withLock({ $0.waiters.removeValue(forKey: query) }) else { return }
        leave(query)
        waiter.resume(throwing: error)
    }

    private func carryOut(_ change: (inout AdmissionInstance) -> [AdmissionDirective]) {
        let outcomes = state.withLock { state in
            change(&state.instance).compactMap { directive -> (CheckedContinuation<Void, any Error>, QueryError?)? in
                switch directive {
                case .admit(let query): return state.waiters.removeValue(forKey: query).map { ($0, nil) }
                case .refuse(let query, let error): return state.waiters.removeValue(forKey: query).map { ($0, error) }
                }
            }
        }
        for (waiter, error) in outcomes {
            if let error { waiter.resume(throwing: error) } else { waiter.resume() }
        }
    }

    private func setTimer() {
        let due = state.withLock { state -> MonotonicInstant? in
            guard !state.isTimerSet, let deadline = state.instance.nextDeadline else { return nil }
            state.isTimerSet = true
            return deadline
        }
        guard let due else { return }
        Task { [weak self] in
            guard let wait = self.map({ due.since($0.now) }) else { return }
            try? await Task.sleep(for: max(.milliseconds(1), wait))
            guard let self else { return }
            self.state.withLock { $0.isTimerSet = false }
            self.carryOut { $0.tick(now: self.now) }
            self.setTimer()
        }
    }
}
