// Exchanges: where one stage ends and the stage that reads it begins.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions

extension PlanBuilder {
    /// Ends a stage: its rows go to the next one as `output` says.
    func exchange(
        _ relation: Relation, _ output: OutputPartitioning, to distribution: Distribution, mergeKeys: [SortKey] = []
    ) -> Relation {
        let id = StageID(stages.count)
        stages.append(
            PlanStage(
                id: id, root: relation.node, placement: relation.distribution.placement, output: output))
        var result = relation
        result.node = makeNode(
            .exchangeSource(ExchangeSourceNode(stage: id, mergeKeys: mergeKeys)), columns: relation.columns,
            rowCount: relation.rowCount)
        result.distribution = distribution
        return result
    }

    /// All rows in one task.
    func gathered(_ relation: Relation, required: ColumnSet? = nil) -> Relation {
        if relation.distribution.isSingle { return relation }
        let pruned = required.map { prune(relation, to: $0) } ?? relation
        return exchange(pruned, .single, to: .single(.worker))
    }

    /// All rows in one task of the coordinator's process.
    func atCoordinator(_ relation: Relation) -> Relation {
        let single = gathered(relation)
        guard case .single(.worker) = single.distribution, !options.coordinatorIsWorker || options.workerCount > 1
        else { return single }
        return exchange(single, .single, to: .single(.coordinator))
    }

    /// Rows that agree in the keys in one task. The keys must be columns of the relation.
    func hashed(_ relation: Relation, by keys: [ColumnID]) -> Relation {
        if case .partitioned(let hash?) = relation.distribution, hash.count == keys.count,
            zip(hash, keys).allSatisfy({ $0.contains($1) })
        {
            return relation
        }
        let positions = keys.compactMap { relation.position(of: $0) }
        return exchange(relation, .hash(positions), to: .partitioned(hash: keys.map { [$0] }))
    }

    /// Every row in each worker's task; only for inputs that another input of the same task is joined with.
    func broadcast(_ relation: Relation) -> Relation {
        exchange(relation, .broadcast, to: .partitioned(hash: nil))
    }

    /// Rows of one task spread over the workers.
    func spread(_ relation: Relation) -> Relation {
        guard relation.distribution.isSingle else { return relation }
        return exchange(relation, .roundRobin, to: .partitioned(hash: nil))
    }

    /// The relation with a column for every key: plain columns are taken as they are, others are computed.
    func materialize(_ keys: [Expression], in relation: Relation) throws -> (Relation, [ColumnID]) {
        var ids: [ColumnID] = []
        var added: [(PlanColumn, Expression)] = []
        for key in keys {
            if let id = key.asColumn {
                ids.append(id)
            } else {
                let column = newColumn("key", key.type)
                added.append((column, key))
                ids.append(column.id)
            }
        }
        if added.isEmpty { return (relation, ids) }
        let kept = relation.columns.enumerated().map { Expression.input($0.offset, $0.element.type) }
        let computed = try added.map { try bind($0.1, relation.columns) }
        let columns = relation.columns + added.map(\.0)
        let node = makeNode(
            .project(ProjectNode(expressions: kept + computed, input: relation.node)), columns: columns,
            rowCount: relation.rowCount)
        return (Relation(node: node, columns: columns, distribution: relation.distribution), ids)
    }
}

extension Expression {
    /// Whether it calls a function that only the coordinator's process can compute.
    var needsCoordinator: Bool {
        contains { if case .call(let call) = $0 { SequenceFunctions.names.contains(call.name) } else { false } }
    }
}
