// Reading a channel from a test: waiting for wake-ups with a deadline.

import Columnar
import Diagnostics
import Synchronization
import Transport

/// What a conformance case throws when the transport breaks a rule.
package struct ConformanceFailure: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

package func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
    if !condition { throw ConformanceFailure(message()) }
}

/// A wake-up that may come before anybody waits for it.
private final class WakeUp: Sendable {
    private struct State {
        var hasFired = false
        var waiter: CheckedContinuation<Void, Never>?
    }
    private let state = Mutex(State())

    func fire() {
        let waiter = state.withLock { state in
            state.hasFired = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let hasFired = state.withLock { state in
                if !state.hasFired { state.waiter = continuation }
                return state.hasFired
            }
            if hasFired { continuation.resume() }
        }
    }
}

/// Runs `body`; a `ConformanceFailure` when it takes longer than `limit`. What is left of `body` is then abandoned.
package func within<T: Sendable>(
    _ limit: Duration, _ what: String, _ body: @escaping @Sendable () async throws -> T
) async throws -> T {
    return try await withCheckedThrowingContinuation { continuation in
        let race = Race(continuation)
        let work = Task {
            do {
                race.end(.success(try await body()))
            } catch {
                race.end(.failure(error))
            }
        }
        Task {
            try? await Task.sleep(for: limit)
            if race.end(.failure(ConformanceFailure("\(what) took longer than \(limit)"))) { work.cancel() }
        }
    }
}

/// Resumes its continuation once.
private final class Race<T: Sendable>: Sendable {
    private let continuation: Mutex<CheckedContinuation<T, any Error>?>
    init(_ continuation: CheckedContinuation<T, any Error>) { self.continuation = Mutex(continuation) }

    @discardableResult
    func end(_ result: Result<T, any Error>) -> Bool {
        let taken = continuation.withLock { continuation in
            defer { continuation = nil }
            return continuation
        }
        taken?.resume(with: result)
        return taken != nil
    }
}

/// Waits until `condition` holds.
package func eventually(
    _ limit: Duration, _ what: String, _ condition: @Sendable () -> Bool
) async throws {
    let clock = ContinuousClock()
    let end = clock.now + limit
    while !condition() {
        guard clock.now < end else { throw ConformanceFailure("\(what) did not happen within \(limit)") }
        try await Task.sleep(for: .milliseconds(5))
    }
}

extension ExchangeReader {
    /// The next batch, or nil at the end.
    package func next() async throws -> Batch? {
        while true {
            let wakeUp = WakeUp()
            switch try poll(wake: { wakeUp.fire() }) {
            case .batch(let batch): return batch
            case .finished: return nil
            case .pending:
                let poke = Task {
                    // A transport whose wake-up is lost must not hang the whole suite; the case's own limit fails first.
                    try? await Task.sleep(for: .seconds(60))
                    wakeUp.fire()
                }
                await wakeUp.wait()
                poke.cancel()
            }
        }
    }

    /// The rows of all batches until the end.
    package func rows() async throws -> [[ScalarValue]] {
        var rows: [[ScalarValue]] = []
        while let batch = try await next() {
            for row in 0..<batch.rowCount { rows.append(batch.row(row)) }
        }
        return rows
    }

    /// The error that ends the channel; nil when it ends well.
    package func error() async -> QueryError? {
        do {
            while try await next() != nil {}
            return nil
        } catch {
            return QueryError.wrapping(error)
        }
    }
}
