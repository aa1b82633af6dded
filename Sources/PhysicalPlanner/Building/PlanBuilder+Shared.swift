// Shared definitions: a stage whose rows go to several readers, each with a copy of the stream.

import Columnar
import Diagnostics
import QueryPlan

/// A stage that shared reads read.
struct SharedStage {
    var id: StageID
    /// The columns by position, under the identities of the definition.
    var columns: [PlanColumn]
    var distribution: Distribution
    var rowCount: Double
    /// Readers so far.
    var copyCount = 0
}

extension PlanBuilder {
    /// The definition as a stage of its own; then the plan that reads it.
    func build(_ node: LogicalShared, required: ColumnSet) throws -> Relation {
        var relation = try build(node.definition, required: ColumnSet(node.columns))
        if relation.columns.map(\.id) != node.columns.map(\.id) { relation = try select(node.columns, from: relation) }
        let id = StageID(stages.count)
        stages.append(
            PlanStage(id: id, root: relation.node, placement: relation.distribution.placement, output: .copies))
        estimator.learn(node, rowCount: relation.rowCount)
        sharedStages[node.number] = SharedStage(
            id: id, columns: node.columns, distribution: relation.distribution, rowCount: relation.rowCount)
        return try build(node.input, required: required)
    }

    /// A copy of the stage's rows; each task reads what the task of the same number made.
    func build(_ node: LogicalSharedRead, _ plan: LogicalPlan) throws -> Relation {
        guard let stage = sharedStages[node.number], !isInRecursion else {
            throw QueryError.internalError("a shared definition is not where it can be read")
        }
        sharedStages[node.number]?.copyCount += 1
        _ = estimator.rowCount(of: plan, inputs: [])
        var names: [ColumnID: ColumnID] = [:]
        for (source, column) in zip(node.sources, node.columns) { names[source] = column.id }
        // Columns of the stage that this read does not ask for keep their own identity.
        let columns = stage.columns.map { column in
            var renamed = column
            if let id = names[column.id] { renamed.id = id }
            return renamed
        }
        let source = makeNode(
            .exchangeSource(ExchangeSourceNode(stage: stage.id, copy: stage.copyCount)), columns: columns,
            rowCount: stage.rowCount)
        var distribution = stage.distribution
        switch distribution {
        case .single: distribution = .single(.worker)
        case .partitioned:
            distribution = distribution.mapped { set in
                var renamed = ColumnSet()
                for column in stage.columns where set.contains(column.id) {
                    renamed.insert(names[column.id] ?? column.id)
                }
                return renamed
            }
        }
        let relation = Relation(node: source, columns: columns, distribution: distribution)
        let wanted = ColumnSet(node.columns)
        return node.columns.count == columns.count ? relation : prune(relation, to: wanted)
    }
}
