// Builds operators bottom-up: each step gives an operator tree, its columns by position, and how its rows are spread.

import Columnar
import Diagnostics
import PlanStatistics
import QueryPlan
import SQLFunctions
import Storage

/// The state of planning one query; confined to it.
final class PlanBuilder {
    let registry: FunctionRegistry
    let options: PlannerOptions
    let estimator: CardinalityEstimator
    /// Finished stages, producers first.
    var stages: [PlanStage] = []
    /// Inside a recursive query everything runs in one task.
    var isInRecursion = false
    /// Positions of the groups by which the aggregation that is built next should place its rows; empty: by all.
    var placementKeys: [Int] = []
    /// Every table of the query lives in the coordinator only, so the query runs there.
    let isCoordinatorOnly: Bool
    /// Stages of shared definitions, by their number.
    var sharedStages: [Int: SharedStage] = [:]
    private var nodeCount = 0
    private var columnCount: Int

    init(registry: FunctionRegistry, options: PlannerOptions, snapshot: StatisticsSnapshot, plan: LogicalPlan) {
        self.registry = registry
        self.options = options
        estimator = CardinalityEstimator(snapshot)
        isCoordinatorOnly =
            !snapshot.tables.isEmpty && snapshot.tables.keys.allSatisfy(snapshot.coordinatorOnly.contains)
        columnCount = Self.columnLimit(of: plan)
    }

    private static func columnLimit(of plan: LogicalPlan) -> Int {
        plan.inputs.reduce(plan.columns.reduce(0) { max($0, $1.id.number + 1) }) { max($0, columnLimit(of: $1)) }
    }

    // MARK: Results

    /// The whole plan: the result in one task, in the order of the logical plan's columns; stages numbered from the result.
    func finish(_ plan: LogicalPlan) throws -> PhysicalPlan {
        let wanted = plan.columns
        var relation = try build(plan, required: ColumnSet(wanted))
        relation = gathered(relation, required: ColumnSet(wanted))
        if relation.columns.map(\.id) != wanted.map(\.id) { relation = try select(wanted, from: relation) }
        // Names and nullability are those of the logical plan, whichever operator gives the columns.
        relation.node.output = Schema(wanted.map { Field(name: $0.name, type: $0.type, isNullable: $0.isNullable) })
        let last = stages.count
        let placement = isForCoordinator(relation) ? .coordinator : relation.distribution.placement
        stages.append(PlanStage(id: StageID(last), root: relation.node, placement: placement, output: .single))
        let renumbered = stages.reversed().map { stage in
            PlanStage(
                id: StageID(last - stage.id.number), root: Self.renumber(stage.root, last: last),
                placement: stage.placement, output: stage.output)
        }
        return PhysicalPlan(stages: Array(renumbered)).withStageFilters()
    }

    /// Whether the last stage runs where the client is: it only passes rows on, which go there in any case, or works on few.
    private func isForCoordinator(_ relation: Relation) -> Bool {
        guard case .single(.worker) = relation.distribution, options.workerCount > 1 || !options.coordinatorIsWorker
        else { return false }
        func isLight(_ node: PhysicalNode) -> Bool {
            switch node.kind {
            case .exchangeSource: true
            case .project(let project): isLight(project.input)
            case .filter(let filter): isLight(filter.input)
            case .limit(let limit): isLight(limit.input)
            case .sort(let sort): sort.input.estimatedRowCount <= options.singleTaskGroupLimit && isLight(sort.input)
            case .aggregate(let aggregate):
                aggregate.input.estimatedRowCount <= options.singleTaskGroupLimit && isLight(aggregate.input)
            default: false
            }
        }
        return isLight(relation.node)
    }

    private static func renumber(_ node: PhysicalNode, last: Int) -> PhysicalNode {
        if last == 0 { return node }
        return node.mapLeaves { leaf in
            guard case .exchangeSource(var source) = leaf.kind else { return leaf }
            source.stage = StageID(last - source.stage.number)
            var copy = leaf
            copy.kind = .exchangeSource(source)
            return copy
        }
    }

    // MARK: Parts

    func makeNode(_ kind: PhysicalNode.Kind, columns: [PlanColumn], rowCount: Double) -> PhysicalNode {
        nodeCount += 1
        let schema = Schema(columns.map { Field(name: $0.name, type: $0.type, isNullable: $0.isNullable) })
        return PhysicalNode(id: nodeCount - 1, kind: kind, output: schema, estimatedRowCount: rowCount)
    }

    func newColumn(_ name: String, _ type: DataType) -> PlanColumn {
        columnCount += 1
        return PlanColumn(id: ColumnID(columnCount - 1), name: name, type: type)
    }

    /// The expression over positions of `columns`.
    func bind(_ expression: Expression, _ columns: [PlanColumn]) throws -> Expression {
        switch expression {
        case .column(let id, let type):
            guard let index = columns.firstIndex(where: { $0.id == id }) else {
                throw QueryError.internalError("column \(id) is not among the input columns of its operator")
            }
            return .input(index, type)
        case .input, .literal: return expression
        case .parameter(let index, _):
            if options.keepsParameters { return expression }
            throw QueryError(.undefinedParameter, "there is no value for parameter $\(index + 1)")
        case .subquery: throw QueryError.internalError("a sub-query was not decorrelated")
        default: return try expression.mapChildren { try bind($0, columns) }
        }
    }

    func bind(_ keys: [SortKey], _ columns: [PlanColumn]) throws -> [SortKey] {
        try keys.map { try $0.mapExpression { try bind($0, columns) } }
    }

    /// A projection to exactly these columns.
    func select(_ wanted: [PlanColumn], from relation: Relation) throws -> Relation {
        let expressions = try wanted.map { try bind($0.reference, relation.columns) }
        let node = makeNode(
            .project(ProjectNode(expressions: expressions, input: relation.node)), columns: wanted,
            rowCount: relation.rowCount)
        return Relation(node: node, columns: wanted, distribution: relation.distribution)
    }

    /// Drops columns that nobody needs, before an operator that would copy them.
    func prune(_ relation: Relation, to required: ColumnSet) -> Relation {
        let kept = relation.columns.indices.filter { required.contains(relation.columns[$0].id) }
        if kept.count == relation.columns.count { return relation }
        let columns = kept.map { relation.columns[$0] }
        let expressions = kept.map { Expression.input($0, relation.columns[$0].type) }
        let node = makeNode(
            .project(ProjectNode(expressions: expressions, input: relation.node)), columns: columns,
            rowCount: relation.rowCount)
        return Relation(node: node, columns: columns, distribution: relation.distribution)
    }

    /// An operator with one input that keeps its columns and its distribution.
    func wrap(_ input: Relation, _ kind: PhysicalNode.Kind, rowCount: Double) -> Relation {
        Relation(
            node: makeNode(kind, columns: input.columns, rowCount: rowCount), columns: input.columns,
            distribution: input.distribution)
    }

    // MARK: Dispatch

    /// Operators for a plan that give at least the required columns.
    func build(_ plan: LogicalPlan, required: ColumnSet) throws -> Relation {
        switch plan {
        case .scan(let node): return try build(node, plan, required: required)
        case .values(let node): return try build(node, plan)
        case .filter(let node): return try build(node, plan, required: required)
        case .project(let node): return try build(node, plan, required: required)
        case .aggregate(let node): return try build(node, plan)
        case .join(let node): return try build(node, plan, required: required)
        case .sort(let node): return try buildSort(node, limit: nil, plan, required: required)
        case .limit(let node): return try build(node, plan, required: required)
        case .distinct(let node): return try build(node, plan)
        case .setOperation(let node): return try build(node, plan)
        case .window(let node): return try build(node, plan, required: required)
        case .tableFunction(let node): return try build(node, plan, required: required)
        case .recursive(let node): return try build(node, plan)
        case .workingTable(let node):
            let rowCount = estimator.rowCount(of: plan, inputs: [])
            let physical = makeNode(.workingTable(node.workingTable), columns: node.columns, rowCount: rowCount)
            return Relation(node: physical, columns: node.columns, distribution: .single(.anywhere))
        case .write(let node): return try build(node, plan)
        case .shared(let node): return try build(node, required: required)
        case .sharedRead(let node): return try build(node, plan)
        }
    }
}

extension PhysicalNode {
    /// The same tree with every node that has no inputs replaced.
    func mapLeaves(_ transform: (PhysicalNode) -> PhysicalNode) -> PhysicalNode {
        var copy = self
        switch kind {
        case .scan, .values, .workingTable, .exchangeSource: return transform(self)
        case .filter(var node):
            node.input = node.input.mapLeaves(transform)
            copy.kind = .filter(node)
        case .project(var node):
            node.input = node.input.mapLeaves(transform)
            copy.kind = .project(node)
        case .aggregate(var node):
            node.input = node.input.mapLeaves(transform)
            copy.kind = .aggregate(node)
        case .hashJoin(var node):
            node.left = node.left.mapLeaves(transform)
            node.right = node.right.mapLeaves(transform)
            copy.kind = .hashJoin(node)
        case .nestedLoopJoin(var node):
            node.left = node.left.mapLeaves(transform)
            node.right = node.right.mapLeaves(transform)
            copy.kind = .nestedLoopJoin(node)
        case .sort(var node):
            node.input = node.input.mapLeaves(transform)
            copy.kind = .sort(node)
        case .limit(var node):
            node.input = node.input.mapLeaves(transform)
            copy.kind = .limit(node)
        case .union(var node):
            node.inputs = node.inputs.map { $0.mapLeaves(transform) }
            copy.kind = .union(node)
        case .window(var node):
            node.input = node.input.mapLeaves(transform)
            copy.kind = .window(node)
        case .tableFunction(var node):
            node.input = node.input.mapLeaves(transform)
            copy.kind = .tableFunction(node)
        case .recursive(var node):
            node.base = node.base.mapLeaves(transform)
            node.step = node.step.mapLeaves(transform)
            copy.kind = .recursive(node)
        case .write(var node):
            node.input = node.input.mapLeaves(transform)
            copy.kind = .write(node)
        }
        return copy
    }
}
