// Runs what must not run at the same time, one after the other.

import Diagnostics
import StateStore
import Synchronization

/// A queue of asynchronous changes, in the order in which they come.
final class ChangeQueue: Sendable {
    private let last = Mutex<Task<Void, Never>?>(nil)

    /// Runs `body` once everything that came before has ended, well or not, and outside of the caller's transaction.
    func run<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
        let task = last.withLock { last in
            let before = last
            let task = Task.detached {
                await before?.value
                return try await body()
            }
            last = Task.detached { _ = try? await task.value }
            return task
        }
        return try await task.value
    }
}

/// A change of what outlives the process: what the store is to keep of it, and how it takes effect afterwards.
struct KeptChange: Sendable {
    var changes: [StateChange] = []
    var takeEffect: @Sendable () -> Void = {}
    var notices: [QueryError] = []
}
