// What the operators of one task share: environment, cancellation, memory accounts.

import Diagnostics
import QueryPlan
import Synchronization

/// One task as its operators see it. Thread-safe.
package final class TaskContext: Sendable {
    package let environment: any TaskEnvironment
    package let pool: DriverPool
    /// Operators of the task that keep rows: they share the memory.
    let keeperCount: Int
    private let cancelled = Atomic<Bool>(false)
    private struct State {
        var error: QueryError?
        var memories: [Int: OperatorMemory] = [:]
    }
    private let state = Mutex(State())

    init(environment: any TaskEnvironment, pool: DriverPool, keeperCount: Int = 1) {
        self.environment = environment
        self.pool = pool
        self.keeperCount = keeperCount
    }

    /// Drivers that a pipeline has at most.
    package var threads: Int { max(1, min(environment.threads, pool.threadCount)) }

    /// Whether the task ends with an error or was cancelled.
    package var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

    /// Throws the task's error once it has one. Long loops of operators ask once a batch.
    package func checkCancellation() throws {
        if isCancelled {
            throw state.withLock { $0.error } ?? QueryError(.queryCanceled, "canceling statement due to user request")
        }
    }

    /// The memory account of a plan node.
    package func memory(for node: PhysicalNode) -> OperatorMemory {
        state.withLock { state in
            if let memory = state.memories[node.id] { return memory }
            let memory = OperatorMemory(
                parent: environment.memory, requester: "\(node.kind.operatorName) (node \(node.id))")
            state.memories[node.id] = memory
            return memory
        }
    }

    /// Keeps the first error. Returns whether this was it.
    func fail(_ error: QueryError) -> Bool {
        state.withLock { state in
            guard state.error == nil else { return false }
            state.error = error
            cancelled.store(true, ordering: .releasing)
            return true
        }
    }

    var error: QueryError? { state.withLock { $0.error } }

    /// Gives all memory back and returns the peaks by node.
    func releaseMemory() -> [Int: Int] {
        state.withLock { state in
            let peaks = state.memories.mapValues(\.peakByteCount)
            for memory in state.memories.values { memory.releaseAll() }
            state.memories = [:]
            return peaks
        }
    }
}

extension PhysicalNode {
    /// Operators of the tree that keep rows until their input ends.
    var keeperCount: Int {
        let own =
            switch kind {
            case .aggregate, .hashJoin, .sort, .window: 1
            default: 0
            }
        return inputs.reduce(own) { $0 + $1.keeperCount }
    }
}

extension PhysicalNode.Kind {
    /// The operator's name in metrics and messages.
    package var operatorName: String {
        switch self {
        case .scan: "scan"
        case .values: "values"
        case .filter: "filter"
        case .project: "project"
        case .aggregate: "aggregate"
        case .hashJoin: "hash join"
        case .nestedLoopJoin: "nested-loop join"
        case .sort: "sort"
        case .limit: "limit"
        case .union: "union"
        case .window: "window"
        case .tableFunction: "table function"
        case .recursive: "recursive"
        case .workingTable: "working table"
        case .write: "write"
        case .exchangeSource: "exchange source"
        }
    }
}
