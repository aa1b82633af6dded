// Telling workers that finished tasks can be forgotten, for many queries at once.

import Diagnostics
import Logging
import Synchronization
import Transport

/// Collects finished tasks by worker and tells each worker of them a moment later, in one call: for a small query a call of
/// its own costs as much as the query. Tasks that still run are stopped at once instead, not through this. Thread-safe.
final class TaskReleases: Sendable {
    private struct Pending {
        var connection: any WorkerConnection
        var attempts: [TaskAttemptID] = []
        var confirmations: [@Sendable () -> Void] = []
    }

    private static let delay: Duration = .milliseconds(20)
    private let pending = Mutex<[WorkerID: Pending]>([:])
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    /// `confirmed` is called when the worker has heard it; not at all if it cannot be reached.
    func add(_ attempts: [TaskAttemptID], on handle: WorkerHandle, confirmed: @escaping @Sendable () -> Void) {
        let isFirst = pending.withLock { pending in
            let isFirst = pending.isEmpty
            var entry = pending[handle.id] ?? Pending(connection: handle.connection)
            // A worker that came back is reached by its new connection.
            entry.connection = handle.connection
            entry.attempts += attempts
            entry.confirmations.append(confirmed)
            pending[handle.id] = entry
            return isFirst
        }
        guard isFirst else { return }
        Task {
            try? await Task.sleep(for: Self.delay)
            let due = self.pending.withLock { pending in
                defer { pending = [:] }
                return pending
            }
            for (worker, entry) in due {
                Task(executorPreference: entry.connection.executor) { await self.tell(worker, entry) }
            }
        }
    }

    private func tell(_ worker: WorkerID, _ entry: Pending) async {
        do {
            try await QueryExecution.reaching { try await entry.connection.cancelTasks(entry.attempts) }
            for confirmed in entry.confirmations { confirmed() }
        } catch {
            logger.info("cannot release tasks", metadata: ["worker": "\(worker)", "error": "\(error)"])
        }
    }
}
