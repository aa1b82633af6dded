// A hash join whose build side does not fit into memory: both sides go to disk, by partition of their keys. The join
// itself is JoinRemainder's.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization

/// What one join has spilled. Thread-safe.
final class JoinSpill: Sendable {
    /// For null-aware joins over one key: what is true of all build rows.
    private struct Facts {
        var hasRows = false
        var hasNullKeys = false
    }
    private let layout: JoinLayout
    private let task: TaskContext
    private let facts = Mutex(Facts())
    let build = SpilledInput()
    let probe = SpilledInput()
    let budget: SpillBudget

    init(layout: JoinLayout, task: TaskContext) {
        self.layout = layout
        self.task = task
        budget = SpillBudget(task)
    }

    /// Rows without a key belong to no partition.
    var isPossible: Bool { budget.canSpill && !layout.keyPositions.isEmpty }

    /// Whether the build side is on disk.
    var isActive: Bool { build.isActive }

    // MARK: - Keys

    /// The keys that say which partition a row belongs to. Rows whose first key is null must come together with those that
    /// agree in the other keys if the join has to know of them.
    func partitionKeys(_ keys: [Vector]) -> [Vector] {
        layout.plan.isNullAware && keys.count > 1 ? Array(keys.dropFirst()) : keys
    }

    func buildKeys(_ columns: [Vector]) -> [Vector] {
        partitionKeys(layout.keyPositions.map { columns[$0] })
    }

    func makeProbeKeys() throws -> [RowExpression] {
        try layout.plan.leftKeys.map { try RowExpression($0, task: task) }
    }

    /// Notes which build rows there are, for null-aware joins.
    func noteKeys(_ columns: [Vector], count: Int) {
        let key = columns[layout.keyPositions[0]]
        let hasNulls = key.mayHaveNulls && (0..<count).contains { key.isNull($0) }
        facts.withLock { facts in
            facts.hasRows = facts.hasRows || count > 0
            facts.hasNullKeys = facts.hasNullKeys || hasNulls
        }
    }

    /// For a partition of a null-aware join over one key; `nil` where the partition's own rows say all.
    var nullKeys: JoinBuild.NullKeys? {
        guard layout.keyPositions.count == 1 else { return nil }
        return facts.withLock { JoinBuild.NullKeys(isEmpty: !$0.hasRows, areThere: $0.hasNullKeys) }
    }

    // MARK: - Rows

    func makeBuildPartitions() -> SpilledPartitions {
        SpilledPartitions(types: layout.storedTypes, level: 0, budget: budget)
    }

    func addBuild(_ part: RowPart) throws {
        let partitions = makeBuildPartitions()
        try partitions.append(part, task: task, keys: buildKeys)
        _ = try partitions.seal()
        build.add(partitions)
    }

    func addBuild(_ store: RowStore) throws {
        let partitions = makeBuildPartitions()
        try partitions.append(store, task: task, keys: buildKeys)
        _ = try partitions.seal()
        build.add(partitions)
    }

    func drop() {
        build.drop()
        probe.drop()
    }
}

/// The probe side of a join whose build side was spilled: writes its rows by partition as well, and gives none.
final class JoinProbeSpiller: PushOperator {
    private let shared: JoinShared
    private let keys: [RowExpression]
    private let partitions: SpilledPartitions
    /// Keys whose NULLs match nothing, if such rows need not be kept.
    private let strictKeys: [Int]

    init(node: PhysicalNode, shared: JoinShared, downstream: PushOperator, driver: DriverContext) throws {
        self.shared = shared
        let plan = shared.layout.plan
        keys = try shared.spill.makeProbeKeys()
        partitions = SpilledPartitions(types: plan.left.output.types, level: 0, budget: shared.spill.budget)
        strictKeys = shared.layout.kind.dropsUnmatchedLeftRows ? keys.indices.filter { !plan.nullsAreEqual[$0] } : []
        super.init(node: node, downstream: downstream, driver: driver)
    }

    override func process(_ batch: Batch) throws {
        var batch = batch
        var values = try keys.map { try $0.evaluate(batch) }
        let strict = strictKeys.filter { values[$0].mayHaveNulls }.map { values[$0] }
        if !strict.isEmpty {
            let rows = Selection(capacity: batch.rowCount)
            for row in 0..<batch.rowCount where !strict.contains(where: { $0.isNull(row) }) {
                rows.rows[rows.count] = UInt16(truncatingIfNeeded: row)
                rows.count += 1
            }
            if rows.count < batch.rowCount {
                batch = batch.selecting(rows)
                values = values.map { $0.gathered(rows) }
            }
        }
        try partitions.append(
            batch.densified().columns, keys: shared.spill.partitionKeys(values), count: batch.rowCount)
    }

    override func finishInput() throws {
        counters.metrics.spilledBytes += try partitions.seal()
        shared.spill.probe.add(partitions)
    }
}
