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
        if let hash = relation.distribution.hash, hash.count == keys.count,
            zip(hash, keys).allSatisfy({ $0.contains($1) })
        {
            return relation
        }
        let positions = keys.compactMap { relation.position(of: $0) }
        return exchange(relation, .hash(positions), to: .partitioned(.hash(keys.map { [$0] })))
    }

    /// Every row in each worker's task; only for inputs that another input of the same task is joined with. Rows of small
    /// tables are read by every task itself: a stage costs more than that.
    func broadcast(_ relation: Relation) -> Relation {
        var result = relation
        var scannedCount = 0.0
        if options.workerCount > 1, let node = replicated(relation.node, &scannedCount) {
            result.node = node
            result.distribution = .partitioned(.unknown)
            return result
        }
        return exchange(relation, .broadcast, to: .partitioned(.unknown))
    }

    /// The tree with scans of whole tables, if every task comes to the same rows by it and it reads few; `nil` otherwise.
    private func replicated(_ node: PhysicalNode, _ scannedCount: inout Double) -> PhysicalNode? {
        var result = node
        switch node.kind {
        case .scan(var scan):
            guard let count = estimator.snapshot.tables[scan.table]?.rowCount, scan.limit == nil,
                // Rows of other programs cross once.
                scan.storeQuery == nil, estimator.snapshot.stores[scan.table] == nil,
                !estimator.snapshot.coordinatorOnly.contains(scan.table), !scan.predicates.contains(where: \.isVolatile)
            else { return nil }
            scannedCount += count
            guard scannedCount <= options.replicationRowLimit else { return nil }
            scan.isReplicated = true
            result.kind = .scan(scan)
        case .filter(var filter):
            guard !filter.predicate.isVolatile, let input = replicated(filter.input, &scannedCount) else { return nil }
            filter.input = input
            result.kind = .filter(filter)
        case .project(var project):
            guard !project.expressions.contains(where: \.isVolatile),
                let input = replicated(project.input, &scannedCount)
            else { return nil }
            project.input = input
            result.kind = .project(project)
        case .hashJoin(var join):
            let expressions = join.leftKeys + join.rightKeys + (join.residual.map { [$0] } ?? [])
            guard !expressions.contains(where: \.isVolatile), let left = replicated(join.left, &scannedCount),
                let right = replicated(join.right, &scannedCount)
            else { return nil }
            (join.left, join.right) = (left, right)
            result.kind = .hashJoin(join)
        case .exchangeSource(let source):
            // What was sent to every task already.
            guard stages[source.stage.number].output == .broadcast else { return nil }
        default: return nil
        }
        return result
    }

    /// Rows of one task spread over the workers.
    func spread(_ relation: Relation) -> Relation {
        guard relation.distribution.isSingle else { return relation }
        return exchange(relation, .roundRobin, to: .partitioned(.unknown))
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
