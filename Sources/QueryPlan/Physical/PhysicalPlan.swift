// Physical plans: how a query runs. Columns are positions; stages are joined by exchanges.

import Columnar
import Diagnostics

/// An operator with its inputs. `id` is unique within the query: metrics are kept by it.
package struct PhysicalNode: Hashable, Sendable {
    package var id: Int
    package var kind: Kind
    /// The schema of the rows it gives.
    package var output: Schema
    /// Rows expected over all tasks.
    package var estimatedRowCount: Double

    package init(id: Int, kind: Kind, output: Schema, estimatedRowCount: Double) {
        self.id = id
        self.kind = kind
        self.output = output
        self.estimatedRowCount = estimatedRowCount
    }

    package indirect enum Kind: Hashable, Sendable {
        case scan(ScanNode)
        case values(ValuesNode)
        case filter(FilterNode)
        case project(ProjectNode)
        case aggregate(AggregateNode)
        case hashJoin(HashJoinNode)
        case nestedLoopJoin(NestedLoopJoinNode)
        case sort(SortNode)
        case limit(LimitNode)
        case union(UnionNode)
        case window(WindowNode)
        case tableFunction(TableFunctionNode)
        case recursive(RecursiveNode)
        case workingTable(Int)
        case write(WriteNode)
        case exchangeSource(ExchangeSourceNode)
    }

    package var inputs: [PhysicalNode] {
        switch kind {
        case .scan, .values, .workingTable, .exchangeSource: []
        case .filter(let node): [node.input]
        case .project(let node): [node.input]
        case .aggregate(let node): [node.input]
        case .hashJoin(let node): [node.left, node.right]
        case .nestedLoopJoin(let node): [node.left, node.right]
        case .sort(let node): [node.input]
        case .limit(let node): [node.input]
        case .union(let node): node.inputs
        case .window(let node): [node.input]
        case .tableFunction(let node): [node.input]
        case .recursive(let node): [node.base, node.step]
        case .write(let node): [node.input]
        }
    }
}

/// Reads splits of a table.
package struct ScanNode: Hashable, Sendable {
    package var table: TableName
    /// Ordinals of the table's columns, in the order of the output.
    package var projection: [Int]
    /// Conjuncts over the output's positions. Every one is applied exactly, by the reader or behind it.
    package var predicates: [Expression]
    /// The scan may stop after this many rows a task.
    package var limit: Int?
    /// Every task of the stage reads the whole table, instead of a part of it.
    package var isReplicated: Bool
    /// What the store computes of the projection: then the output is its result, and `predicates` are none.
    package var storeQuery: StoreQuery?
    /// Ordinals of columns of which each has all rows of a value in one split. It is asked for where splits are found, which is
    /// on the coordinator: tasks, which get theirs, are not told.
    package var keptTogether: [Int]
    package init(
        table: TableName, projection: [Int], predicates: [Expression] = [], limit: Int? = nil,
        isReplicated: Bool = false, storeQuery: StoreQuery? = nil, keptTogether: [Int] = []
    ) {
        self.table = table
        self.projection = projection
        self.predicates = predicates
        self.limit = limit
        self.isReplicated = isReplicated
        self.storeQuery = storeQuery
        self.keptTogether = keptTogether
    }
}

/// Rows of expressions without inputs.
package struct ValuesNode: Hashable, Sendable {
    package var rows: [[Expression]]
    package init(rows: [[Expression]]) { self.rows = rows }
}

package struct FilterNode: Hashable, Sendable {
    package var predicate: Expression
    package var input: PhysicalNode
    package init(predicate: Expression, input: PhysicalNode) {
        self.predicate = predicate
        self.input = input
    }
}

package struct ProjectNode: Hashable, Sendable {
    package var expressions: [Expression]
    package var input: PhysicalNode
    package init(expressions: [Expression], input: PhysicalNode) {
        self.expressions = expressions
        self.input = input
    }
}

/// Hash aggregation. Output: groups, the set index (int32) if there are several grouping sets, then per aggregate its
/// result, or for `.partial` the columns of its exported state.
package struct AggregateNode: Hashable, Sendable {
    package enum Mode: UInt8, Hashable, Sendable {
        /// Rows in, results out.
        case single
        /// Rows in, states out.
        case partial
        /// States in (groups, set index, states by position), results out.
        case final
    }
    package var mode: Mode
    /// For `.final`: inputs 0…. Single expressions elsewhere.
    package var groups: [Expression]
    package var groupingSets: [[Int]]
    /// For `.final` the arguments are those of the original call; states are read by position.
    package var aggregates: [AggregateCall]
    package var input: PhysicalNode
    package init(
        mode: Mode, groups: [Expression], groupingSets: [[Int]], aggregates: [AggregateCall], input: PhysicalNode
    ) {
        self.mode = mode
        self.groups = groups
        self.groupingSets = groupingSets
        self.aggregates = aggregates
        self.input = input
    }
    package var hasSeveralSets: Bool { groupingSets.count > 1 }
}

/// Hash join: builds on the right input, probes with the left. `residual` sees left columns, then right columns.
/// Output: left columns, then right columns (inner, left, right, full, single), left columns (semi, anti), right columns
/// (rightSemi, rightAnti), left columns and the mark (mark); then `outputColumns` picks from these. For rightSemi and
/// rightAnti the hash table marks the build rows that found a match, and they are given (or left out) at the end.
package struct HashJoinNode: Hashable, Sendable {
    package var kind: JoinKind
    package var leftKeys: [Expression]
    package var rightKeys: [Expression]
    /// Per key: whether NULL equals NULL (IS NOT DISTINCT FROM; set operations).
    package var nullsAreEqual: [Bool]
    package var residual: Expression?
    /// For `.anti` and `.mark`: a NULL in the first key makes the answer unknown (NOT IN), as SQL says. Further keys come
    /// from correlation: their NULLs simply do not match.
    package var isNullAware: Bool
    package var outputColumns: [Int]
    /// The right input is the same on every task (broadcast).
    package var isBroadcast: Bool
    package var left: PhysicalNode
    package var right: PhysicalNode
    package init(
        kind: JoinKind, leftKeys: [Expression], rightKeys: [Expression], nullsAreEqual: [Bool]? = nil,
        residual: Expression? = nil, isNullAware: Bool = false, outputColumns: [Int], isBroadcast: Bool = false,
        left: PhysicalNode, right: PhysicalNode
    ) {
        self.kind = kind
        self.leftKeys = leftKeys
        self.rightKeys = rightKeys
        self.nullsAreEqual = nullsAreEqual ?? leftKeys.map { _ in false }
        self.residual = residual
        self.isNullAware = isNullAware
        self.outputColumns = outputColumns
        self.isBroadcast = isBroadcast
        self.left = left
        self.right = right
    }
}

/// Join by an arbitrary condition over left columns, then right columns; the right input is kept in memory.
/// The output is as `HashJoinNode`'s, all columns.
package struct NestedLoopJoinNode: Hashable, Sendable {
    package var kind: JoinKind
    package var condition: Expression
    package var left: PhysicalNode
    package var right: PhysicalNode
    package init(kind: JoinKind, condition: Expression, left: PhysicalNode, right: PhysicalNode) {
        self.kind = kind
        self.condition = condition
        self.left = left
        self.right = right
    }
}

/// Sorts; with `limit`, keeps only the first `offset + limit` rows on the way and skips `offset` of them at the end.
package struct SortNode: Hashable, Sendable {
    package var keys: [SortKey]
    package var limit: Int?
    package var offset: Int
    package var withTies: Bool
    package var input: PhysicalNode
    package init(keys: [SortKey], limit: Int? = nil, offset: Int = 0, withTies: Bool = false, input: PhysicalNode) {
        self.keys = keys
        self.limit = limit
        self.offset = offset
        self.withTies = withTies
        self.input = input
    }
}

package struct LimitNode: Hashable, Sendable {
    package var limit: Int?
    package var offset: Int
    package var input: PhysicalNode
    package init(limit: Int?, offset: Int, input: PhysicalNode) {
        self.limit = limit
        self.offset = offset
        self.input = input
    }
}

/// UNION ALL.
package struct UnionNode: Hashable, Sendable {
    package var inputs: [PhysicalNode]
    package init(inputs: [PhysicalNode]) { self.inputs = inputs }
}

/// Window calls over one partitioning and ordering. Output: input columns, then calls.
package struct WindowNode: Hashable, Sendable {
    package var partitions: [Expression]
    package var ordering: [SortKey]
    package var calls: [WindowCall]
    package var input: PhysicalNode
    package init(partitions: [Expression], ordering: [SortKey], calls: [WindowCall], input: PhysicalNode) {
        self.partitions = partitions
        self.ordering = ordering
        self.calls = calls
        self.input = input
    }
}

/// As `LogicalTableFunction`. Output: input columns, function columns, ordinality.
package struct TableFunctionNode: Hashable, Sendable {
    package var name: String
    package var arguments: [Expression]
    package var functionTypes: [DataType]
    package var withOrdinality: Bool
    package var isOuter: Bool
    package var input: PhysicalNode
    package init(
        name: String, arguments: [Expression], functionTypes: [DataType], withOrdinality: Bool, isOuter: Bool,
        input: PhysicalNode
    ) {
        self.name = name
        self.arguments = arguments
        self.functionTypes = functionTypes
        self.withOrdinality = withOrdinality
        self.isOuter = isOuter
        self.input = input
    }
}

/// As `LogicalRecursive`; runs in one task.
package struct RecursiveNode: Hashable, Sendable {
    package var workingTable: Int
    package var keepsDuplicates: Bool
    package var base: PhysicalNode
    package var step: PhysicalNode
    package init(workingTable: Int, keepsDuplicates: Bool, base: PhysicalNode, step: PhysicalNode) {
        self.workingTable = workingTable
        self.keepsDuplicates = keepsDuplicates
        self.base = base
        self.step = step
    }
}

/// As `LogicalWrite`; runs in one task on the coordinator.
package struct WriteNode: Hashable, Sendable {
    package var target: WriteTarget
    package var input: PhysicalNode
    package init(target: WriteTarget, input: PhysicalNode) {
        self.target = target
        self.input = input
    }
}

/// Reads this task's partition of another stage's output, from all of that stage's tasks.
package struct ExchangeSourceNode: Hashable, Sendable {
    package var stage: StageID
    /// Not empty: every producer's stream is sorted by these keys and the source merges them.
    package var mergeKeys: [SortKey]
    /// The number of this reader among those of a stage with `.copies`; `nil` for other stages.
    package var copy: Int?
    package init(stage: StageID, mergeKeys: [SortKey] = [], copy: Int? = nil) {
        self.stage = stage
        self.mergeKeys = mergeKeys
        self.copy = copy
    }
}

/// How a stage's output rows are spread over the tasks of the stage that reads them.
package enum OutputPartitioning: Hashable, Sendable {
    /// All rows to the only task.
    case single
    /// By the hash of these columns of the output.
    case hash([Int])
    /// Every row to every task.
    case broadcast
    /// Evenly, without regard to values.
    case roundRobin
    /// For several readers: all rows to each of them, from each task to the reader's task of the same number. Partitions
    /// are the readers.
    case copies
}

/// How many tasks a stage has and where they run.
package enum StagePlacement: Hashable, Sendable {
    /// A task on every worker chosen for the query.
    case workers
    /// One task on any worker.
    case anyWorker
    /// One task on the coordinator: it reads or writes what only that process has.
    case coordinator
}

/// A part of a plan that runs as parallel tasks of one shape.
package struct PlanStage: Hashable, Sendable {
    package var id: StageID
    package var root: PhysicalNode
    package var placement: StagePlacement
    package var output: OutputPartitioning
    /// Runtime filters that its joins give to other stages or that its scans get from them.
    package var filters: [StageFilter]
    package init(
        id: StageID, root: PhysicalNode, placement: StagePlacement, output: OutputPartitioning,
        filters: [StageFilter] = []
    ) {
        self.id = id
        self.root = root
        self.placement = placement
        self.output = output
        self.filters = filters
    }

    /// The stages that it reads.
    package var sources: [StageID] {
        func collect(_ node: PhysicalNode) -> [StageID] {
            if case .exchangeSource(let source) = node.kind { return [source.stage] }
            return node.inputs.flatMap(collect)
        }
        return collect(root)
    }

    /// The scans of the stage, by node id.
    package var scans: [(id: Int, scan: ScanNode)] {
        func collect(_ node: PhysicalNode) -> [(Int, ScanNode)] {
            if case .scan(let scan) = node.kind { return [(node.id, scan)] }
            return node.inputs.flatMap(collect)
        }
        return collect(root)
    }
}

/// A whole query as stages. Stage 0 gives the result in one partition; a stage comes after those that read it.
package struct PhysicalPlan: Hashable, Sendable {
    package var stages: [PlanStage]
    package init(stages: [PlanStage]) { self.stages = stages }
    package var result: Schema { stages[0].root.output }
}
