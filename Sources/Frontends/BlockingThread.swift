// A thread for work that blocks: waiting for a person or a socket must not take a thread from the engine.

import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Runs tasks one after the other on a thread of its own, which ends with it.
package final class BlockingThread: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var isEnded = false
    }
    private final class Shared: @unchecked Sendable {
        // Pthread objects have to stay where they are.
        let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        /// Guarded by `mutex`.
        var state = State()

        init() {
            pthread_mutex_init(mutex, nil)
            pthread_cond_init(condition, nil)
        }
        deinit {
            pthread_cond_destroy(condition)
            pthread_mutex_destroy(mutex)
            condition.deallocate()
            mutex.deallocate()
        }

        func change(_ body: (inout State) -> Void) {
            pthread_mutex_lock(mutex)
            body(&state)
            pthread_cond_signal(condition)
            pthread_mutex_unlock(mutex)
        }

        /// The next job; `nil` when the thread may end.
        func next() -> UnownedJob? {
            pthread_mutex_lock(mutex)
            defer { pthread_mutex_unlock(mutex) }
            while state.jobs.isEmpty, !state.isEnded { pthread_cond_wait(condition, mutex) }
            return state.jobs.isEmpty ? nil : state.jobs.removeFirst()
        }
    }
    private let shared = Shared()

    package init() {
        let shared = self.shared
        let executor = Unmanaged.passUnretained(self)
        // Jobs hold the executor, so it is there as long as there is one.
        let reference = UnownedExecutorReference(executor)
        BlockingThread.start {
            while let job = shared.next() { reference.run(job) }
        }
    }

    deinit { shared.change { $0.isEnded = true } }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        shared.change { $0.jobs.append(job) }
    }

    /// See `init`: valid while a job is there to be run.
    private struct UnownedExecutorReference: @unchecked Sendable {
        let executor: Unmanaged<BlockingThread>
        init(_ executor: Unmanaged<BlockingThread>) { self.executor = executor }
        func run(_ job: UnownedJob) {
            job.runSynchronously(on: executor.takeUnretainedValue().asUnownedTaskExecutor())
        }
    }

    /// Starts a detached thread.
    package static func start(_ body: @escaping @Sendable () -> Void) {
        final class Work: Sendable {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        let work = Unmanaged.passRetained(Work(body))
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                #if canImport(Glibc)
                    guard let argument else { return nil }
                #endif
                Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, work.toOpaque())
        if status == 0 { pthread_detach(thread) } else { work.release() }
    }
}
