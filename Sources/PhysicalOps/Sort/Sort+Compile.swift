// How a Sort node becomes pipelines: one that collects (and, with a small limit, drops early what cannot be among the
// first rows), and one that gives the rows in order.

import Columnar
import Diagnostics
import QueryPlan

extension PipelineBuilder {
    func compileSort(_ node: PhysicalNode, _ plan: SortNode) throws -> OpenPipeline {
        let layout = SortLayout(node: node, plan: plan)
        let shared = SortShared(layout: layout, task: task)
        if layout.keptRowCount != nil, let threshold = shared.threshold,
            case .input(let column, _) = plan.keys[0].expression
        {
            attach(.firstRows(threshold), toColumn: column, of: plan.input)
        }
        let open = try compile(plan.input)
        let gate = close(open, with: SortSink(node: node, shared: shared))
        return OpenPipeline(source: SortedSourceFactory(node: node, shared: shared), after: [gate])
    }
}

/// Which columns a sort keeps: the input's, then the keys that are computed.
struct SortLayout: Sendable {
    let plan: SortNode
    let storedTypes: [DataType]
    let outputCount: Int
    /// For each key, its position among the stored columns.
    let keyPositions: [Int]
    /// Keys that are computed, by key index.
    let computedKeys: [Int]
    /// Rows that a driver must keep; `nil`: all.
    let keptRowCount: Int?
    /// Beyond this, dropping early costs more than it saves.
    static let keptRowCountMax = 16_000

    init(node: PhysicalNode, plan: SortNode) {
        self.plan = plan
        let inputTypes = plan.input.output.types
        outputCount = inputTypes.count
        var positions: [Int] = []
        var computed: [Int] = []
        for (index, key) in plan.keys.enumerated() {
            if case .input(let column, _) = key.expression {
                positions.append(column)
            } else {
                positions.append(inputTypes.count + computed.count)
                computed.append(index)
            }
        }
        keyPositions = positions
        computedKeys = computed
        storedTypes = inputTypes + computed.map { plan.keys[$0].expression.type }
        if let limit = plan.limit, !plan.withTies {
            let (sum, overflow) = limit.addingReportingOverflow(plan.offset)
            keptRowCount = overflow || sum > SortLayout.keptRowCountMax ? nil : sum
        } else {
            keptRowCount = nil
        }
    }
}
