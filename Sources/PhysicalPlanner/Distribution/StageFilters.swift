// Which joins tell which scans of other stages about their keys.
//
// Within a stage operators find out by themselves when they are compiled. Where an exchange lies between a join and the
// scan of its probe side, the plan says so: the join's tasks send the keys they have to every task of the scan's stage.

import Diagnostics
import QueryPlan

extension PhysicalPlan {
    /// Build sides that are expected to be larger are not sent.
    private static let buildRowCountMax = 4_000_000.0

    /// The plan with filters between its stages.
    func withStageFilters() -> PhysicalPlan {
        guard stages.count > 1 else { return self }
        var filters: [StageFilter] = []
        for stage in stages { collect(stage.root, of: stage, into: &filters) }
        var plan = self
        for index in plan.stages.indices {
            let id = plan.stages[index].id
            plan.stages[index].filters = filters.filter { $0.publisher == id || $0.reader == id }
        }
        return plan
    }

    private func collect(_ node: PhysicalNode, of stage: PlanStage, into filters: inout [StageFilter]) {
        // Rounds of a recursive query read their input again and again; what one round finds is not the whole.
        if case .recursive = node.kind { return }
        if case .hashJoin(let join) = node.kind, join.kind.dropsUnmatchedLeftRows,
            join.right.estimatedRowCount <= PhysicalPlan.buildRowCountMax
        {
            for (index, key) in join.leftKeys.enumerated() where !join.nullsAreEqual[index] {
                guard case .input(let column, _) = key,
                    let (reader, scan, source) = scan(below: join.left, column: column), reader.id != stage.id
                else { continue }
                filters.append(
                    StageFilter(
                        number: filters.count, publisher: stage.id, join: node.id, key: index, reader: reader.id,
                        scan: scan.id, column: source))
            }
        }
        for input in node.inputs { collect(input, of: stage, into: &filters) }
    }

    /// The scan in another stage that a column comes from. A stage with several readers is none: what is of no use to one
    /// of them may be to another.
    private func scan(below node: PhysicalNode, column: Int) -> (stage: PlanStage, scan: PhysicalNode, column: Int)? {
        guard let (leaf, source) = node.filterLeaf(ofColumn: column, acrossBreakers: true),
            case .exchangeSource(let exchange) = leaf.kind,
            let stage = stages.first(where: { $0.id == exchange.stage }), stage.output != .copies,
            let (next, nextColumn) = stage.root.filterLeaf(ofColumn: source, acrossBreakers: true)
        else { return nil }
        switch next.kind {
        case .scan(let scan): return scan.limit == nil ? (stage, next, nextColumn) : nil
        case .exchangeSource: return self.scan(below: next, column: nextColumn)
        default: return nil
        }
    }
}
