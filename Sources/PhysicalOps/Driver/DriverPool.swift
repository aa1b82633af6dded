// The threads that run drivers.

import CKernels
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The drivers of one task. The pool takes turns between groups, so that a task with many drivers gets no more of it.
package final class DriverGroup: @unchecked Sendable {
    package let pool: DriverPool
    /// Runnable drivers by ascending priority, first come first served among equals. Guarded by the pool's lock.
    fileprivate var runnable: [Driver] = []
    /// Turns that drivers of the group have begun and ended: how others see that it moves.
    fileprivate let begunTurns = Atomic<Int>(0)
    fileprivate let endedTurns = Atomic<Int>(0)

    /// For whom its drivers work, as a crash would tell it (`CrashNotes`); lives as long as the group.
    let crashSubject: UnsafeMutablePointer<CChar>?

    package init(pool: DriverPool, crashSubject: String? = nil) {
        self.pool = pool
        self.crashSubject = crashSubject.map { text in
            let bytes = text.utf8CString
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
            for (index, byte) in bytes.enumerated() { copy[index] = byte }
            return copy
        }
    }

    deinit { crashSubject?.deallocate() }

    /// How many turns its drivers have had, and whether one has its turn now.
    package var turns: (count: Int, isRunning: Bool) {
        let ended = endedTurns.load(ordering: .acquiring)
        let begun = begunTurns.load(ordering: .acquiring)
        return (begun, begun > ended)
    }
}

/// A fixed number of threads. An idle thread spins for a moment before it parks: waking a parked one costs about 150 µs.
///
/// The queue is guarded by `mutex`; quanta are milliseconds long, so the lock is hardly ever contended.
package final class DriverPool: @unchecked Sendable {
    /// Length of a quantum: long enough that switching costs nothing, short enough that a new query gets its turn.
    private static let quantumNanoseconds: UInt64 = 4_000_000
    private static let spinNanoseconds: UInt64 = 40_000

    package let threadCount: Int
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// Groups with runnable drivers, in the order of their turns.
    private var turns: [DriverGroup] = []
    private var parkedCount = 0
    private var isStopping = false
    /// Drivers in the queue, for spinning threads to look at without the lock.
    private let runnableCount = Atomic<Int>(0)
    private var threads: [pthread_t] = []
    /// Threads that wait within a driver and have another in their place, and how many threads are now too many.
    private var substituteCount = 0
    private var retiringCount = 0

    package init(threadCount: Int) {
        self.threadCount = max(1, threadCount)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        for _ in 0..<self.threadCount { startThread().map { threads.append($0) } }
        precondition(!threads.isEmpty, "no thread could be started")
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Ends the threads when the queue is empty and waits for them. Not to be called from a driver. The pool lives until
    /// this was called.
    package func shutdown() {
        pthread_mutex_lock(mutex)
        let joined = threads
        threads = []
        isStopping = true
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
        for thread in joined { pthread_join(thread, nil) }
    }

    /// What a new thread is given.
    private final class ThreadStart {
        let pool: DriverPool
        let isSubstitute: Bool
        init(_ pool: DriverPool, isSubstitute: Bool) {
            self.pool = pool
            self.isSubstitute = isSubstitute
        }
        func run() { pool.runThread(isSubstitute: isSubstitute) }
    }

    private func startThread(isSubstitute: Bool = false) -> pthread_t? {
        let argument = Unmanaged.passRetained(ThreadStart(self, isSubstitute: isSubstitute)).toOpaque()
        #if canImport(Glibc)
            var thread = pthread_t()
            let result = pthread_create(
                &thread, nil,
                { argument in
                    Unmanaged<ThreadStart>.fromOpaque(argument.unsafelyUnwrapped).takeRetainedValue().run()
                    return nil
                }, argument)
        #else
            var thread: pthread_t?
            let result = pthread_create(
                &thread, nil,
                { argument in
                    Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue().run()
                    return nil
                }, argument)
        #endif
        if result == 0 { return thread }
        Unmanaged<ThreadStart>.fromOpaque(argument).release()
        return nil
    }

    /// Threads that stand in for waiting ones at most; more that wait take a thread of the pool each.
    private static let substitutesMax = 256

    /// Runs something that keeps this thread waiting, with another thread in its place meanwhile. Called by drivers.
    func whileBlocked(_ body: () -> Void) {
        pthread_mutex_lock(mutex)
        let isReplaced = substituteCount < DriverPool.substitutesMax && !isStopping
        if isReplaced { substituteCount += 1 }
        // One that was about to end stays.
        let isAtHand = isReplaced && retiringCount > 0
        if isAtHand { retiringCount -= 1 }
        pthread_mutex_unlock(mutex)
        let hasStarted = isReplaced && (isAtHand || startThread(isSubstitute: true).map { pthread_detach($0) } != nil)
        body()
        guard isReplaced else { return }
        pthread_mutex_lock(mutex)
        substituteCount -= 1
        if hasStarted { retiringCount += 1 }
        pthread_mutex_unlock(mutex)
        if hasStarted { pthread_cond_broadcast(condition) }
    }

    /// Whether a driver waits within its turn, for a lock or a time.
    package var hasWaitingDrivers: Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return substituteCount > 0
    }

    /// Puts a driver into the queue. Called by `Driver` only.
    func enqueue(_ driver: Driver) {
        let group = driver.group
        pthread_mutex_lock(mutex)
        if group.runnable.isEmpty { turns.append(group) }
        var position = group.runnable.count
        while position > 0 && group.runnable[position - 1].priority > driver.priority { position -= 1 }
        group.runnable.insert(driver, at: position)
        runnableCount.add(1, ordering: .releasing)
        let wakes = parkedCount > 0
        pthread_mutex_unlock(mutex)
        if wakes { pthread_cond_signal(condition) }
    }

    private func runThread(isSubstitute: Bool) {
        ck_crash_note_enter_thread()
        defer { ck_crash_note_leave_thread() }
        while let driver = nextDriver(isSubstitute: isSubstitute) {
            let group = driver.group
            group.begunTurns.wrappingAdd(1, ordering: .relaxed)
            driver.runQuantum(until: monotonicNanoseconds() &+ DriverPool.quantumNanoseconds)
            group.endedTurns.wrappingAdd(1, ordering: .releasing)
        }
    }

    /// The next driver by turns; waits for one. `nil`: the pool is stopping, or has a thread too many.
    private func nextDriver(isSubstitute: Bool) -> Driver? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        var hasSpun = false
        while true {
            if isSubstitute, retiringCount > 0 {
                retiringCount -= 1
                return nil
            }
            if !turns.isEmpty {
                let group = turns.removeFirst()
                let driver = group.runnable.removeFirst()
                if !group.runnable.isEmpty { turns.append(group) }
                runnableCount.subtract(1, ordering: .relaxed)
                return driver
            }
            if isStopping { return nil }
            if !hasSpun {
                hasSpun = true
                pthread_mutex_unlock(mutex)
                spin()
                pthread_mutex_lock(mutex)
                continue
            }
            parkedCount += 1
            pthread_cond_wait(condition, mutex)
            parkedCount -= 1
            hasSpun = false
        }
    }

    private func spin() {
        let end = monotonicNanoseconds() &+ DriverPool.spinNanoseconds
        while monotonicNanoseconds() < end {
            var round = 0
            while round < 64 {
                if runnableCount.load(ordering: .relaxed) > 0 { return }
                round += 1
            }
        }
    }
}
