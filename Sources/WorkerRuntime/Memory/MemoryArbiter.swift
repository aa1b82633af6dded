// The shell around the arbiter: it keeps the threads that wait for memory, asks queries to spill, and ends them.

import ClusterMembership
import Diagnostics
import PhysicalOps
import Synchronization

/// Arbitrates the memory of one worker.
final class MemoryArbiter: MemoryArbitration {
    private struct State {
        var instance: MemoryArbiterInstance
        /// The pool of the whole worker.
        weak var root: MemoryPool?
        var nextRequest = 0
        /// The pools of the queries that have tasks here.
        var pools: [(query: QueryID, pool: MemoryPool)] = []
        /// Wakes the drivers of a query, so that those that wait for rows give memory back as well.
        var wake: (@Sendable (QueryID) -> Void)?
        var end: (@Sendable (QueryID, QueryError) -> Void)?

        var holders: [MemoryHolder] {
            pools.map {
                MemoryHolder(
                    query: $0.query, reservedByteCount: $0.pool.reservedByteCount,
                    revocableByteCount: $0.pool.revocableByteCount)
            }
        }
    }

    private let state: Mutex<State>
    private let clockStart = ContinuousClock.now
    /// Between two looks of a thread that waits.
    private static let pause: Duration = .milliseconds(6)

    init(name: String, limit: Int, options: MemoryArbiterOptions = MemoryArbiterOptions()) {
        state = Mutex(State(instance: MemoryArbiterInstance(name: name, limit: limit, options: options)))
    }

    /// The worker's pool, how a query is woken, and how it is ended.
    func connect(
        _ root: MemoryPool, wake: @escaping @Sendable (QueryID) -> Void,
        end: @escaping @Sendable (QueryID, QueryError) -> Void
    ) {
        state.withLock { state in
            state.root = root
            state.wake = wake
            state.end = end
        }
    }

    func add(_ query: QueryID, _ pool: MemoryPool) { state.withLock { $0.pools.append((query, pool)) } }

    func remove(_ query: QueryID) {
        state.withLock { state in
            state.pools.removeAll { $0.query == query }
            state.instance.forget(query)
        }
    }

    private var now: MonotonicInstant {
        MonotonicInstant(nanoseconds: (ContinuousClock.now - clockStart).wholeNanoseconds)
    }

    func makeRoom(_ count: Int, for member: MemoryPool, mayWait: Bool) throws {
        guard let query = state.withLock({ state in state.pools.first { $0.pool === member }?.query }) else {
            throw Self.noRoom(count)
        }
        guard mayWait else {
            let asking = state.withLock { $0.instance.ask(count, for: query, holders: $0.holders, now: now) }
            revoke(asking)
            throw Self.noRoom(count)
        }
        let request = state.withLock { state in
            state.nextRequest += 1
            return state.nextRequest
        }
        defer { state.withLock { $0.instance.leave(request) } }
        while true {
            let decision = state.withLock { state in
                state.instance.decide(
                    request, count, for: query, used: state.root?.reservedByteCount ?? 0, holders: state.holders,
                    now: now)
            }
            switch decision {
            case .retry: return
            case .refuse(let error): throw error
            case .end(let victim, let error): state.withLock { $0.end }?(victim, error)
            case .wait(let asking): revoke(asking)
            }
            try Interruption.wait(until: .now + Self.pause)
        }
    }

    private func revoke(_ queries: [QueryID]) {
        guard !queries.isEmpty else { return }
        let (pools, wake) = state.withLock { state in
            (state.pools.filter { queries.contains($0.query) }, state.wake)
        }
        for entry in pools {
            entry.pool.requestRevocation()
            wake?(entry.query)
        }
    }

    private static func noRoom(_ count: Int) -> QueryError {
        QueryError(
            .outOfMemory, "out of memory", detail: "There are no \(count) bytes left on the worker.",
            hint: "Raise the memory limit, or make the query smaller.")
    }
}
