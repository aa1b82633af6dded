// Evaluates window calls partition by partition and gives the rows.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import Synchronization

final class WindowSourceFactory: SourceFactory, Sendable {
    private let node: PhysicalNode
    private let shared: WindowShared
    private let cursor = Mutex(0)

    init(node: PhysicalNode, shared: WindowShared) {
        self.node = node
        self.shared = shared
    }

    var maximumDrivers: Int { max(1, shared.bounds.count - 1) }

    func makeSource(driver: DriverContext) throws -> any BatchSource {
        guard let result = shared.result else {
            throw QueryError.internalError("the window is read before it is sorted")
        }
        return try WindowSource(
            counters: driver.makeCounters(for: node), shared: shared, result: result
        ) { [self] in takePartitions() }
    }

    /// Whole partitions, together about a batch of rows: indexes into `bounds`.
    private func takePartitions() -> Range<Int>? {
        cursor.withLock { cursor in
            let partitionCount = shared.bounds.count - 1
            guard cursor < partitionCount else { return nil }
            let first = cursor
            var rows = 0
            while cursor < partitionCount && rows < Batch.standardRowCount {
                rows += shared.bounds[cursor + 1] - shared.bounds[cursor]
                cursor += 1
            }
            return first..<cursor
        }
    }
}

private final class WindowSource: BatchSource {
    private enum Evaluator {
        case function(WindowFunction)
        case aggregate(WindowAggregate)
    }
    private struct Call {
        let layout: WindowLayout.Call
        let evaluator: Evaluator
        let startOffset: ScalarValue?
        let endOffset: ScalarValue?
    }

    let counters: OperatorCounters
    private let shared: WindowShared
    private let layout: WindowLayout
    private let result: SortResult
    private let takePartitions: () -> Range<Int>?
    private let calls: [Call]
    // What was evaluated and not given yet: rows of the sorted order, with one vector a call.
    private var position = 0
    private var first = 0
    private var end = 0
    private var results: [Vector] = []

    init(
        counters: OperatorCounters, shared: WindowShared, result: SortResult,
        takePartitions: @escaping () -> Range<Int>?
    ) throws {
        self.counters = counters
        self.shared = shared
        self.result = result
        self.takePartitions = takePartitions
        layout = shared.layout
        let registry = shared.task.environment.registry
        let task = shared.task
        calls = try shared.layout.calls.map { layout in
            let call = layout.call
            let types = call.arguments.map(\.type)
            let evaluator: Evaluator
            if call.isAggregate {
                let function = try registry.resolveAggregate(call.name, types).function
                evaluator = .aggregate(WindowAggregate(try function.makeExecutor(types, call.type)))
            } else {
                evaluator = .function(try registry.resolveWindow(call.name, types).function)
            }
            return Call(
                layout: layout, evaluator: evaluator, startOffset: try Self.offset(call.frame.start, task),
                endOffset: try Self.offset(call.frame.end, task))
        }
    }

    /// The value of a bound's expression, which has no columns.
    private static func offset(_ bound: FrameBound, _ task: TaskContext) throws -> ScalarValue? {
        switch bound {
        case .preceding(let expression), .following(let expression):
            return try RowExpression(expression, task: task).evaluate(Batch(columns: [], rowCount: 1)).value(at: 0)
        case .unboundedPreceding, .unboundedFollowing, .currentRow: return nil
        }
    }

    func next(wake: @escaping @Sendable () -> Void) throws -> SourceEvent {
        if position == end {
            guard let partitions = takePartitions() else { return .finished }
            first = shared.bounds[partitions.lowerBound]
            position = first
            end = shared.bounds[partitions.upperBound]
            try evaluate(partitions)
        }
        let count = min(Batch.standardRowCount, end - position)
        let buffer = Buffer(byteCount: count * 8)
        let rows = buffer.base.assumingMemoryBound(to: UInt32.self)
        let local = rows + count
        for index in 0..<count {
            rows[index] = result.order.entries[position + index].row
            local[index] = UInt32(truncatingIfNeeded: position - first + index)
        }
        var columns = (0..<layout.inputCount).map { gatherRows(result.store.columns[$0], rows, count) }
        columns += results.map { gatherRows($0, local, count) }
        position += count
        return .batch(Batch(columns: columns, rowCount: count))
    }

    private func evaluate(_ partitions: Range<Int>) throws {
        let builders = calls.map { VectorBuilder(type: $0.layout.call.type, capacity: max(1, end - first)) }
        for partition in partitions {
            try shared.task.checkCancellation()
            try evaluatePartition(shared.bounds[partition], shared.bounds[partition + 1], into: builders)
        }
        results = builders.map { $0.finish() }
    }

    private func evaluatePartition(_ start: Int, _ end: Int, into builders: [VectorBuilder]) throws {
        let count = end - start
        let buffer = Buffer(byteCount: count * 4)
        let rows = buffer.base.assumingMemoryBound(to: UInt32.self)
        for index in 0..<count { rows[index] = result.order.entries[start + index].row }
        let ordering = layout.ordering.map { result.store.columns[$0] }
        let peers = WindowPeers(rowCount: count) { row in
            ordering.allSatisfy { equalValues($0, Int(rows[row - 1]), $0, Int(rows[row]), true) }
        }
        for (call, builder) in zip(calls, builders) {
            let arguments = call.layout.arguments.map { gatherRows(result.store.columns[$0], rows, count) }
            switch call.evaluator {
            case .aggregate(let aggregate):
                let frames = try makeFrames(call, peers, rows, count)
                let filter = call.layout.filter.map { gatherRows(result.store.columns[$0], rows, count) }
                try aggregate.evaluate(
                    arguments, filter: filter, frames: frames, exclusion: call.layout.call.frame.exclusion,
                    peers: peers,
                    into: builder)
            case .function(let function):
                let frames = function.usesFrame ? try makeFrames(call, peers, rows, count) : nil
                var partition = WindowFunction.Partition(
                    rowCount: count, arguments: arguments, peerStart: peers.start, peerEnd: peers.end,
                    frameStart: frames?.start ?? [], frameEnd: frames?.end ?? [],
                    ignoresNulls: call.layout.call.ignoresNulls)
                if function.usesFrame { partition.exclusion = call.layout.call.frame.exclusion }
                let values = try function.evaluate(partition, call.layout.call.type)
                for row in 0..<count { builder.append(values.value(at: row)) }
            }
        }
    }

    private func makeFrames(
        _ call: Call, _ peers: WindowPeers, _ rows: UnsafePointer<UInt32>, _ count: Int
    ) throws -> WindowFrames {
        let frame = call.layout.call.frame
        var key: RangeKey?
        if frame.unit == .range, call.startOffset != nil || call.endOffset != nil, layout.ordering.count == 1 {
            key = try RangeKey(
                gatherRows(result.store.columns[layout.ordering[0]], rows, count),
                isDescending: layout.plan.ordering[0].isDescending)
        }
        return try WindowFrames(
            frame, startOffset: call.startOffset, endOffset: call.endOffset, peers: peers, orderKey: key)
    }
}
