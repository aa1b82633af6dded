// How work that goes on for long learns that it is to stop: the client's request, a time limit, an error elsewhere.

import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The end that a statement, or a task of it, was told to come to. Whoever runs one makes it the current one of the code
/// below; loops that nothing else would end ask `Interruption.check()` every few milliseconds of work.
package final class Interruption: Sendable {
    @TaskLocal package static var current: Interruption?

    private struct State {
        var error: QueryError?
        var handlers: [@Sendable (QueryError) -> Void] = []
    }
    private let hasCome = Atomic<Bool>(false)
    private let state = Mutex(State())
    /// Runs work that keeps its thread waiting; who has few threads puts another in its place.
    private let whileBlocked: @Sendable (() -> Void) -> Void

    package init(whileBlocked: @escaping @Sendable (() -> Void) -> Void = { $0() }) {
        self.whileBlocked = whileBlocked
    }

    package var isRequested: Bool { hasCome.load(ordering: .relaxed) }
    package var error: QueryError? { state.withLock { $0.error } }

    /// Keeps the first error. Returns whether this was it.
    @discardableResult
    package func request(_ error: QueryError) -> Bool {
        let handlers = state.withLock { state -> [@Sendable (QueryError) -> Void]? in
            guard state.error == nil else { return nil }
            state.error = error
            hasCome.store(true, ordering: .releasing)
            defer { state.handlers = [] }
            return state.handlers
        }
        guard let handlers else { return false }
        for handler in handlers { handler(error) }
        return true
    }

    /// Calls the handler with the error, at once if there is one already.
    package func onRequest(_ handler: @escaping @Sendable (QueryError) -> Void) {
        let error = state.withLock { state in
            if state.error == nil { state.handlers.append(handler) }
            return state.error
        }
        if let error { handler(error) }
    }

    /// Work that goes on by itself from here on is none of the statement's.
    package func removeHandlers() { state.withLock { $0.handlers = [] } }

    package func check() throws {
        if isRequested, let error { throw error }
    }

    /// Throws the error of the current interruption, if it has come.
    package static func check() throws { try current?.check() }

    // MARK: - Waiting

    /// Runs work that keeps its thread waiting for something outside of the process, with another thread in its place
    /// where threads are few. The work itself looks at `isRequested` now and then.
    package static func whileBlocked(_ body: () -> Void) {
        if let interruption = current { interruption.whileBlocked(body) } else { body() }
    }

    /// Between two looks of a waiting thread.
    private static let pause: Duration = .milliseconds(5)

    /// Keeps the thread until the time has come or the work is to stop.
    package static func wait(until deadline: ContinuousClock.Instant) throws {
        let interruption = current
        func wait() {
            while interruption?.isRequested != true {
                let left = min(deadline - ContinuousClock.now, pause)
                if left <= .zero { return }
                let (seconds, attoseconds) = left.components
                var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
                nanosleep(&time, nil)
            }
        }
        // Short waits are not worth a thread.
        if let interruption, deadline - ContinuousClock.now > pause {
            interruption.whileBlocked(wait)
        } else {
            wait()
        }
        try check()
    }
}
