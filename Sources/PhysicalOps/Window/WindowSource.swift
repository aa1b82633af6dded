// Evaluates window calls over whole partitions and gives the rows.

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

    var maximumDrivers: Int {
        shared.spilled.isActive ? SpilledPartitions.partitionCount : max(1, shared.partitioner?.partCount ?? 1)
    }

    func makeSource(driver: DriverContext) throws -> any BatchSource {
        let counters = driver.makeCounters(for: node)
        if shared.spilled.isActive {
            let reader = SpilledWindowReader(
                shared: shared, memory: driver.task.memory(for: node), counters: counters
            ) { [self] in takeNumber() }
            return try WindowSource(node: node, counters: counters, shared: shared) { try reader.next() }
        }
        guard let store = shared.store else {
            throw QueryError.internalError("the window is read before its rows are in")
        }
        return try WindowSource(node: node, counters: counters, shared: shared) { [self] in takePart(store) }
    }

    private func takeNumber() -> Int {
        cursor.withLock { cursor in
            defer { cursor += 1 }
            return cursor
        }
    }

    /// The next part, sorted; `nil` when there is none left.
    private func takePart(_ store: RowStore) -> WindowPart? {
        while true {
            let number = takeNumber()
            guard let partitioner = shared.partitioner else {
                return number == 0 ? shared.whole.map { WindowPart(store: store, block: $0) } : nil
            }
            if number >= partitioner.partCount || store.rowCount == 0 { return nil }
            if let block = partitioner.sortedBlock(number, of: store, shared.layout) {
                return WindowPart(store: store, block: block)
            }
        }
    }
}

/// Sorted partitions with the rows that they point to.
struct WindowPart {
    let store: RowStore
    let block: WindowBlock
}

extension WindowPartitioner {
    /// The partitions of a part in their order; `nil` if it has no rows.
    func sortedBlock(_ part: Int, of store: RowStore, _ layout: WindowLayout) -> WindowBlock? {
        let start = partStarts[part]
        let count = partStarts[part + 1] - start
        if count == 0 { return nil }
        let sort = WindowSort(
            partitions: layout.partitions.map { store.columns[$0] },
            ordering: layout.ordering.map { store.columns[$0] }, orderKeys: layout.plan.ordering)
        return sort.sorted(rows + start, hashes: hashes, count: count)
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
    /// Rows that are evaluated together, about: several batches, so that small partitions cost little each.
    private static let evaluatedRows = 4 * Batch.standardRowCount

    let counters: OperatorCounters
    private let shared: WindowShared
    private let layout: WindowLayout
    private let takePart: () throws -> WindowPart?
    private let calls: [Call]
    private let reservation: MemoryReservation
    private var part: WindowPart?
    /// The next partition of the part's block.
    private var partition = 0
    // What was evaluated and not given yet: rows of the block's order, with one result a call.
    private var position = 0
    private var first = 0
    private var end = 0
    private var results: [WindowResult] = []

    init(
        node: PhysicalNode, counters: OperatorCounters, shared: WindowShared,
        takePart: @escaping () throws -> WindowPart?
    ) throws {
        self.counters = counters
        self.shared = shared
        self.takePart = takePart
        layout = shared.layout
        reservation = MemoryReservation(shared.task.memory(for: node))
        let registry = shared.task.environment.registry
        let task = shared.task
        let hasOrder = !shared.layout.ordering.isEmpty
        calls = try shared.layout.calls.map { layout in
            let call = layout.call
            let types = call.arguments.map(\.type)
            let evaluator: Evaluator
            if call.isAggregate {
                let function = try registry.resolveAggregate(call.name, types).function
                evaluator = .aggregate(try WindowAggregate(function, layout, hasOrder: hasOrder))
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
        if position == end, try !evaluateNext() { return .finished }
        guard let part else { return .finished }
        let count = min(Batch.standardRowCount, end - position)
        let rows = part.block.rows + position
        var columns = (0..<layout.inputCount).map { gatherRows(part.store.columns[$0], rows, count) }
        for result in results { columns.append(try result.values(from: position - first, count: count)) }
        position += count
        return .batch(Batch(columns: columns, rowCount: count))
    }

    /// Evaluates the calls for the next partitions; `false` at the end.
    private func evaluateNext() throws -> Bool {
        results = []
        while part.map({ partition >= $0.block.partitionCount }) ?? true {
            try shared.task.checkCancellation()
            // The last part's rows need not be there beside the next one's.
            part = nil
            guard let next = try takePart() else { return false }
            part = next
            partition = 0
        }
        guard let part else { return false }
        let block = part.block
        let start = partition
        var rowCount = 0
        while partition < block.partitionCount && rowCount < Self.evaluatedRows {
            rowCount += block.bounds[partition + 1] - block.bounds[partition]
            partition += 1
        }
        first = block.bounds[start]
        position = first
        end = block.bounds[partition]
        try reserve(rowCount, block)
        let input = WindowInput(
            store: part.store, rows: UnsafePointer(block.rows + first),
            geometry: WindowGeometry(block, partitions: start..<partition))
        results = try calls.map { try evaluate($0, input) }
        return true
    }

    private func reserve(_ rowCount: Int, _ block: WindowBlock) throws {
        var bytes = WindowSort.byteCount(rows: block.count)
        for call in calls {
            switch call.evaluator {
            case .aggregate(let aggregate): bytes += aggregate.byteCount(rows: rowCount)
            case .function: bytes += rowCount * (call.layout.call.type.physical.width + 32)
            }
        }
        try reservation.resize(to: bytes)
    }

    private func evaluate(_ call: Call, _ input: WindowInput) throws -> WindowResult {
        let geometry = input.geometry
        switch call.evaluator {
        case .aggregate(let aggregate):
            return try aggregate.evaluate(input) { try makeFrames(call, input) }
        case .function(let function):
            let frames = function.usesFrame ? try makeFrames(call, input) : nil
            let arguments = call.layout.arguments.map {
                gatherRows(input.store.columns[$0], input.rows, geometry.rowCount)
            }
            let rows = WindowFunction.Rows(
                rowCount: geometry.rowCount, arguments: arguments, partitionStart: geometry.partitionStart,
                partitionEnd: geometry.partitionEnd, peerStart: geometry.peerStart, peerEnd: geometry.peerEnd,
                frameStart: frames?.start ?? [], frameEnd: frames?.end ?? [],
                exclusion: call.layout.call.frame.exclusion, ignoresNulls: call.layout.call.ignoresNulls)
            return .vector(try function.evaluate(rows, call.layout.call.type).flattened())
        }
    }

    private func makeFrames(_ call: Call, _ input: WindowInput) throws -> WindowFrames {
        let frame = call.layout.call.frame
        var key: RangeKey?
        if frame.unit == .range, call.startOffset != nil || call.endOffset != nil, layout.ordering.count == 1 {
            key = try RangeKey(
                gatherRows(input.store.columns[layout.ordering[0]], input.rows, input.geometry.rowCount),
                isDescending: layout.plan.ordering[0].isDescending)
        }
        return try WindowFrames(
            frame, startOffset: call.startOffset, endOffset: call.endOffset, geometry: input.geometry, orderKey: key)
    }
}
