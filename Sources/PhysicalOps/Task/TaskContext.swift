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
    package let interruption: Interruption
    private struct State {
        var memories: [Int: OperatorMemory] = [:]
    }
    private let state = Mutex(State())

    init(environment: any TaskEnvironment, pool: DriverPool, keeperCount: Int = 1) {
        self.environment = environment
        self.pool = pool
        self.keeperCount = keeperCount
        interruption = Interruption { [pool] body in pool.whileBlocked(body) }
    }

    /// Drivers that a pipeline has at most.
    package var threads: Int { max(1, min(environment.threads, pool.threadCount)) }

    /// Whether the task ends with an error or was cancelled.
    package var isCancelled: Bool { interruption.isRequested }

    /// Throws the task's error once it has one. Long loops of operators ask once a batch.
    package func checkCancellation() throws { try interruption.check() }

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
        interruption.request(error)
    }

    var error: QueryError? { interruption.error }

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
