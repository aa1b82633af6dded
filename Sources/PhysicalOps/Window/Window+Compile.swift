// How a Window node becomes pipelines: one collects the rows, which are spread by their partition keys; drivers of another
// take part after part, sort it, and evaluate the calls for many partitions at a time.
//
//   WindowSink         collects and spreads, or sorts what is one partition
//   WindowPartitioner  rows by the hash of their partition keys
//   WindowSpill        rows on disk, by partition of their partition keys, when they do not fit into memory
//   WindowSort         the order within a part
//   WindowBlock        sorted partitions, and where partitions and peers begin
//   WindowSource       evaluates the calls of whole partitions and gives the rows
//   WindowFrames       which rows belong to each row's frame
//   WindowAggregate    aggregates over frames

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions

extension PipelineBuilder {
    func compileWindow(_ node: PhysicalNode, _ plan: WindowNode) throws -> OpenPipeline {
        let layout = WindowLayout(plan: plan)
        let shared = WindowShared(layout: layout, task: task)
        let open = try compile(plan.input)
        let gate = close(open, with: WindowSink(node: node, shared: shared))
        return OpenPipeline(source: WindowSourceFactory(node: node, shared: shared), after: [gate])
    }
}

/// Which columns a window operator keeps: the input's, then computed partition keys, sort keys, arguments and filters.
struct WindowLayout: Sendable {
    struct Call: Sendable {
        let call: WindowCall
        let arguments: [Int]
        let filter: Int?
    }
    let plan: WindowNode
    let inputCount: Int
    let storedTypes: [DataType]
    let computed: [Expression]
    let partitions: [Int]
    let ordering: [Int]
    let calls: [Call]

    init(plan: WindowNode) {
        self.plan = plan
        let inputTypes = plan.input.output.types
        inputCount = inputTypes.count
        var computed: [Expression] = []
        func position(_ expression: Expression) -> Int {
            if case .input(let column, _) = expression { return column }
            if let known = computed.firstIndex(of: expression) { return inputTypes.count + known }
            computed.append(expression)
            return inputTypes.count + computed.count - 1
        }
        partitions = plan.partitions.map(position)
        ordering = plan.ordering.map { position($0.expression) }
        calls = plan.calls.map { call in
            Call(call: call, arguments: call.arguments.map(position), filter: call.filter.map(position))
        }
        self.computed = computed
        storedTypes = inputTypes + computed.map(\.type)
    }
}

/// What the operators of one window node share. The gate behind the sink orders the accesses, hence unchecked.
final class WindowShared: @unchecked Sendable {
    let layout: WindowLayout
    let task: TaskContext
    var store: RowStore?
    /// Rows by part, if there are partition keys; else all rows as one partition.
    var partitioner: WindowPartitioner?
    var whole: WindowBlock?
    var reservation: MemoryReservation?
    /// All rows, if they did not fit into memory.
    let spilled = SpilledInput()
    let budget: SpillBudget

    init(layout: WindowLayout, task: TaskContext) {
        self.layout = layout
        self.task = task
        budget = SpillBudget(task)
    }

    func drop() {
        spilled.drop()
        store = nil
        partitioner = nil
        whole = nil
        reservation = nil
    }
}
