// Runs a connection's task on the event loop that its bytes arrive on.

import NIOCore

/// The jobs of a task as work of an event loop. What the loop's handlers give to the task, and what the task writes, then
/// changes no thread: two wake-ups of a thread cost more than a look-up by key. Work that may take long leaves the loop by
/// `offLoop`.
final class EventLoopTaskExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// Runs work that may take longer than a loop's other connections should wait.
func offLoop<Result>(_ work: () async throws -> Result) async throws -> Result {
    try await withTaskExecutorPreference(globalConcurrentExecutor) { try await work() }
}
