// How a HashJoin node becomes pipelines.
//
//   JoinBuildSink      collects the right input, column by column, and builds the table when all of it is there
//   JoinTable          from keys to build rows: three layouts, chosen by what the keys are
//   JoinProbeOperator  looks the left input up and gives the joined rows
//   JoinRemainder      what comes behind the probe side: build rows that found no match (or, for right semi joins, those
//                      that did), or the whole join of what both sides have spilled
//   JoinSpill          both sides on disk, by partition of their keys, when the build side does not fit into memory

import CKernels
import Columnar
import Diagnostics
import QueryPlan

extension PipelineBuilder {
    func compileHashJoin(_ node: PhysicalNode, _ plan: HashJoinNode) throws -> OpenPipeline {
        guard !plan.leftKeys.isEmpty, plan.leftKeys.count == plan.rightKeys.count else {
            throw QueryError.internalError("a hash join needs keys on both sides")
        }
        return try compileJoin(node, plan)
    }

    /// A join with any number of keys; without one, every pair of rows is a candidate.
    func compileJoin(_ node: PhysicalNode, _ plan: HashJoinNode) throws -> OpenPipeline {
        let layout = JoinLayout(node: node, plan: plan)
        let shared = JoinShared(node: node, layout: layout, task: task)
        attachRuntimeFilters(plan, shared)
        shared.stageFilters = environment.stageFilters.filter { $0.isPublished && $0.filter.join == node.id }
            .map(\.filter)
        let build = try compile(plan.right)
        let gate = close(build, with: JoinBuildSink(node: node, shared: shared))
        var probe = try compile(plan.left)
        probe.wait(for: gate)
        probe.append(JoinProbeFactory(node: node, shared: shared))
        if shared.tracksMatches || shared.spill.isPossible {
            let remainder = JoinRemainderFactory(node: node, shared: shared)
            probe.union(OpenPipeline(source: remainder, after: probe.segments.map(\.done) + [gate]))
        }
        return probe
    }

    /// Rows of the probe side whose key is not on the build side can be dropped by the scan, if the join drops them anyway.
    private func attachRuntimeFilters(_ plan: HashJoinNode, _ shared: JoinShared) {
        guard plan.kind.dropsUnmatchedLeftRows else { return }
        for (index, key) in plan.leftKeys.enumerated() where !plan.nullsAreEqual[index] {
            guard case .input(let column, let type) = key else { continue }
            let filter = RuntimeFilter(type: type)
            if attach(.keys(filter), toColumn: column, of: plan.left) { shared.filters.append((index, filter)) }
        }
    }
}

/// Where the columns of a join come from: which right columns the build side keeps, and where keys and output are in them.
struct JoinLayout: Sendable {
    let kind: JoinKind
    let plan: HashJoinNode
    let leftCount: Int
    /// Right input columns that are kept, ascending; behind them come computed keys.
    let keptColumns: [Int]
    let storedTypes: [DataType]
    /// For each key: its position among the stored columns.
    let keyPositions: [Int]
    /// Keys that are computed and stored behind the kept columns, by key index.
    let computedKeys: [Int]
    /// What the residual needs of left and right, renumbered: first the left columns used, then the stored ones used.
    let residual: Expression?
    let residualLeft: [Int]
    let residualStored: [Int]
    /// The output: left columns, then stored columns (by position), in `outputColumns`' order.
    let output: [Origin]
    let outputTypes: [DataType]

    /// Whether build rows are given by whether they found a match.
    var tracksMatches: Bool {
        switch kind {
        case .right, .full, .rightSemi, .rightAnti: true
        case .inner, .left, .semi, .anti, .mark, .single: false
        }
    }

    enum Origin: Sendable {
        case left(Int)
        case stored(Int)
        case mark
    }

    init(node: PhysicalNode, plan: HashJoinNode) {
        kind = plan.kind
        self.plan = plan
        leftCount = plan.left.output.count
        let leftCount = plan.left.output.count
        var kept: Set<Int> = []
        var origins: [(isLeft: Bool, index: Int, isMark: Bool)] = []
        for position in plan.outputColumns {
            switch plan.kind {
            case .semi, .anti: origins.append((true, position, false))
            case .rightSemi, .rightAnti: origins.append((false, position, false))
            case .mark: origins.append((true, position, position >= leftCount))
            case .inner, .left, .right, .full, .single:
                origins.append((position < leftCount, position < leftCount ? position : position - leftCount, false))
            }
        }
        for origin in origins where !origin.isLeft { kept.insert(origin.index) }
        var computed: [Int] = []
        for (index, key) in plan.rightKeys.enumerated() {
            if case .input(let column, _) = key { kept.insert(column) } else { computed.append(index) }
        }
        let residualInputs = plan.residual?.inputs ?? []
        for input in residualInputs where input >= leftCount { kept.insert(input - leftCount) }
        let keptColumns = kept.sorted()
        var positions: [Int: Int] = [:]
        for (position, column) in keptColumns.enumerated() { positions[column] = position }
        self.keptColumns = keptColumns
        computedKeys = computed
        storedTypes = keptColumns.map { plan.right.output.fields[$0].type } + computed.map { plan.rightKeys[$0].type }
        keyPositions = plan.rightKeys.enumerated().map { index, key in
            if case .input(let column, _) = key { return positions[column] ?? 0 }
            return keptColumns.count + (computed.firstIndex(of: index) ?? 0)
        }
        output = origins.map { origin in
            origin.isMark ? .mark : origin.isLeft ? .left(origin.index) : .stored(positions[origin.index] ?? 0)
        }
        outputTypes = node.output.types
        let usedLeft = residualInputs.filter { $0 < leftCount }.sorted()
        let usedRight = residualInputs.filter { $0 >= leftCount }.sorted()
        residualLeft = usedLeft
        residualStored = usedRight.map { positions[$0 - leftCount] ?? 0 }
        residual = plan.residual?.rewritten { expression in
            guard case .input(let index, let type) = expression else { return expression }
            if let position = usedLeft.firstIndex(of: index) { return .input(position, type) }
            return .input(usedLeft.count + (usedRight.firstIndex(of: index) ?? 0), type)
        }
    }
}

/// What the operators of one join share. The gate behind the build side orders the accesses: `build` is set before any
/// probe starts, hence unchecked.
final class JoinShared: @unchecked Sendable {
    let layout: JoinLayout
    let task: TaskContext
    let memory: OperatorMemory
    let spill: JoinSpill
    /// By key index.
    var filters: [(key: Int, filter: RuntimeFilter)] = []
    /// What scans of other stages are told.
    var stageFilters: [StageFilter] = []
    /// `nil` when the build side was spilled.
    var build: JoinBuild?

    init(node: PhysicalNode, layout: JoinLayout, task: TaskContext) {
        self.layout = layout
        self.task = task
        memory = task.memory(for: node)
        spill = JoinSpill(layout: layout, task: task)
    }

    var tracksMatches: Bool { layout.tracksMatches }
}

/// Build rows in memory and what the probe side needs to look them up. Flags are written by many drivers, always with the
/// same value, hence unchecked.
final class JoinBuild: @unchecked Sendable {
    let store: RowStore
    let table: JoinTable
    /// One byte a build row: whether some probe row matched it. Only for joins that give build rows by that.
    let matched: Buffer?
    let nulls: NullKeys?

    /// The table is empty until its insert tasks have run. `nulls`: for null-aware joins of which `store` is only a part.
    init(store: RowStore, layout: JoinLayout, memory: OperatorMemory, nulls: NullKeys? = nil) throws {
        self.store = store
        self.nulls = layout.plan.isNullAware ? nulls ?? NullKeys(store: store, layout: layout) : nil
        table = try JoinTable.make(store: store, layout: layout, memory: memory)
        if layout.tracksMatches {
            let flags = Buffer(byteCount: max(1, store.rowCount))
            memset(flags.base, 0, max(1, store.rowCount))
            matched = flags
        } else {
            matched = nil
        }
    }

    /// Build rows whose first key is null, as far as NOT IN and mark joins must know: they make comparisons unknown.
    struct NullKeys: Sendable {
        /// Whether there is any build row at all.
        let isEmpty: Bool
        /// Whether some first key is null.
        let areThere: Bool
        /// Those of the store; with one key nobody looks at them one by one.
        let rows: [Int]

        init(isEmpty: Bool, areThere: Bool) {
            self.isEmpty = isEmpty
            self.areThere = areThere
            rows = []
        }

        init(store: RowStore, layout: JoinLayout) {
            let key = store.columns[layout.keyPositions[0]]
            isEmpty = store.rowCount == 0
            rows = key.validity == nil ? [] : (0..<store.rowCount).filter { key.isNull($0) }
            areThere = !rows.isEmpty
        }
    }
}
