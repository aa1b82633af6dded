// Aggregate states of a window call, and for each row the state that holds its result.

import Columnar
import Diagnostics
import SQLFunctions

/// A block of states of one executor. Confined to one driver.
final class WindowStates {
    let executor: any AggregateExecutor
    let count: Int
    private let memory: UnsafeMutableRawPointer
    /// One pointer a state.
    let states: UnsafeMutablePointer<UnsafeMutableRawPointer>

    init(_ executor: any AggregateExecutor, count: Int) {
        self.executor = executor
        self.count = count
        let stride = Self.stride(executor)
        memory = .allocate(byteCount: max(1, count) * stride, alignment: 16)
        states = .allocate(capacity: max(1, count))
        for index in 0..<count { states[index] = memory + index * stride }
        executor.initialize(states, offset: 0, count: count)
    }

    deinit {
        if executor.needsDestroy { executor.destroy(states, offset: 0, count: count) }
        states.deallocate()
        memory.deallocate()
    }

    private static func stride(_ executor: any AggregateExecutor) -> Int { (max(8, executor.stateByteCount) + 7) & ~7 }

    static func byteCount(_ executor: any AggregateExecutor, count: Int) -> Int { count * (stride(executor) + 8) }
}

/// Results of a call over the rows of some partitions.
enum WindowResult {
    /// Flat, one value a row.
    case vector(Vector)
    /// States to be finished when the rows are given; several rows may share one.
    case states(UnsafeMutablePointer<UnsafeMutableRawPointer>, owners: [WindowStates], memory: Buffer)

    /// The results of `count` rows from `start` on, which is a multiple of 64.
    func values(from start: Int, count: Int) throws -> Vector {
        switch self {
        case .vector(let vector):
            let slice = Vector(
                type: vector.type, encoding: .flat, count: count, data: vector.data + start * vector.physical.width,
                dataOwner: vector, pinned: vector.pinned)
            slice.validity = vector.validity.map { $0 + start >> 6 }
            slice.validityOwner = vector
            return slice
        case .states(let rows, let owners, _):
            return try owners[0].executor.finalize(rows + start, offset: 0, count: count)
        }
    }
}
