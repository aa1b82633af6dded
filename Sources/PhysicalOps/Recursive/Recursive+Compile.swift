// WITH RECURSIVE: the base once, then the step over the rows that the round before added, until a round adds none. Every
// round is a task execution of its own on the same threads; the source parks while one runs.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import Storage
import Synchronization
import Transport

extension PipelineBuilder {
    func compileRecursive(_ node: PhysicalNode, _ plan: RecursiveNode) throws -> OpenPipeline {
        OpenPipeline(source: RecursiveSourceFactory(node: node, plan: plan, task: task))
    }
}

private final class RecursiveSourceFactory: SourceFactory, Sendable {
    private let node: PhysicalNode
    private let plan: RecursiveNode
    private let task: TaskContext

    init(node: PhysicalNode, plan: RecursiveNode, task: TaskContext) {
        self.node = node
        self.plan = plan
        self.task = task
    }

    var maximumDrivers: Int { 1 }

    func makeSource(driver: DriverContext) throws -> any BatchSource {
        RecursiveSource(counters: driver.makeCounters(for: node), node: node, plan: plan, task: task)
    }
}

/// Runs rounds and gives the rows that each adds. Confined to its driver, but for `round`.
private final class RecursiveSource: BatchSource {
    /// Rounds beyond this are taken for a recursion without end.
    private static let roundCountMax = 1_000_000

    let counters: OperatorCounters
    private let plan: RecursiveNode
    private let task: TaskContext
    private let reservation: MemoryReservation
    private var seen: SeenRows?
    private var round: RecursionRound?
    private var roundCount = 0
    /// Rows of the last round that are not given yet.
    private var pending: [Batch] = []
    private var isFinished = false

    init(counters: OperatorCounters, node: PhysicalNode, plan: RecursiveNode, task: TaskContext) {
        self.counters = counters
        self.plan = plan
        self.task = task
        reservation = MemoryReservation(task.memory(for: node))
        seen = plan.keepsDuplicates ? nil : SeenRows(types: node.output.types)
    }

    func next(wake: @escaping @Sendable () -> Void) throws -> SourceEvent {
        while true {
            try task.checkCancellation()
            if !pending.isEmpty { return .batch(pending.removeFirst()) }
            if isFinished { return .finished }
            guard let round else {
                start(plan.base, workingTable: [])
                continue
            }
            guard let result = round.takeResult(wake: wake) else { return .blocked }
            try finishRound(try result.get())
        }
    }

    private func start(_ root: PhysicalNode, workingTable: [Batch]) {
        round = RecursionRound(root: root, number: plan.workingTable, workingTable: workingTable, task: task)
    }

    /// The rows that a round gave become the next round's input.
    private func finishRound(_ rows: [Batch]) throws {
        roundCount += 1
        guard roundCount <= Self.roundCountMax else {
            throw QueryError(
                .programLimitExceeded, "the recursive query took more than \(Self.roundCountMax) rounds",
                hint: "Give the recursive part a condition that ends it.")
        }
        let added = try seen.map { seen in try rows.compactMap { try seen.addingNew($0) } } ?? rows
        if let seen { try reservation.resize(to: seen.byteCount) }
        if added.allSatisfy(\.isEmpty) {
            isFinished = true
            return
        }
        // Given and kept for the next round at the same time: separate objects over the same vectors.
        pending = added.map { Batch(columns: $0.columns, rowCount: $0.rowCount) }
        start(plan.step, workingTable: added)
    }

    func close() {
        round?.cancel()
        round = nil
    }
}

/// One execution of the base or of the step. Thread-safe.
private final class RecursionRound: Sendable {
    private struct State {
        var batches: [Batch] = []
        var result: Result<Void, QueryError>?
        var wake: (@Sendable () -> Void)?
    }
    private let state = Mutex(State())
    private let execution: TaskExecution

    init(root: PhysicalNode, number: Int, workingTable: [Batch], task: TaskContext) {
        let output = RoundOutput()
        execution = TaskExecution(
            root: root, output: output,
            environment: RecursionEnvironment(task.environment, number: number, rows: workingTable), pool: task.pool)
        execution.start { [weak self] result in
            let wake = self?.state.withLock { state -> (@Sendable () -> Void)? in
                state.batches = output.take()
                state.result = result.map { _ in }
                defer { state.wake = nil }
                return state.wake
            }
            wake?()
        }
    }

    /// The rows when the round has ended; else `nil`, and `wake` is called once when it has.
    func takeResult(wake: @escaping @Sendable () -> Void) -> Result<[Batch], QueryError>? {
        state.withLock { state in
            guard let result = state.result else {
                state.wake = wake
                return nil
            }
            return result.map { state.batches }
        }
    }

    func cancel() { execution.cancel(QueryError(.queryCanceled, "canceling statement due to user request")) }
}

/// Collects the rows of a round. Thread-safe.
private final class RoundOutput: TaskOutput, Sendable {
    private let batches = Mutex<[Batch]>([])
    var partitionCount: Int { 1 }
    func enqueue(_ batch: Batch, partition: Int) {
        let dense = batch.densified()
        batches.withLock { $0.append(Batch(columns: dense.columns, rowCount: dense.rowCount)) }
    }
    func isFull(wake: @escaping @Sendable () -> Void) -> Bool { false }
    func finish() {}
    func fail(_ error: QueryError) {}
    func take() -> [Batch] {
        batches.withLock { batches in
            defer { batches = [] }
            return batches
        }
    }
}

/// The task's environment with one more working table.
private final class RecursionEnvironment: TaskEnvironment, @unchecked Sendable {
    // Immutable; the batches are handed out as new objects by the source that reads them.
    private let outer: any TaskEnvironment
    private let number: Int
    private let rows: [Batch]

    init(_ outer: any TaskEnvironment, number: Int, rows: [Batch]) {
        self.outer = outer
        self.number = number
        self.rows = rows
    }

    var registry: FunctionRegistry { outer.registry }
    var evaluationContext: EvaluationContext { outer.evaluationContext }
    var memory: MemoryPool { outer.memory }
    var threads: Int { outer.threads }
    func table(for name: TableName) throws -> any TableProvider { try outer.table(for: name) }
    func splits(node: Int) throws -> any SplitSource { try outer.splits(node: node) }
    func exchangeReaders(stage: StageID, copy: Int?) throws -> [any ExchangeReader] {
        try outer.exchangeReaders(stage: stage, copy: copy)
    }
    func writer(for target: WriteTarget) throws -> any TableWriter { try outer.writer(for: target) }
    func workingTable(_ number: Int) throws -> [Batch] {
        number == self.number ? rows : try outer.workingTable(number)
    }
}

/// All rows that a recursion has given: UNION without ALL gives each only once. Confined to one driver.
private final class SeenRows {
    private let types: [DataType]
    /// Row numbers by hash of all columns.
    private var byHash: [UInt64: [Int32]] = [:]
    private var chunks: [[Vector]] = []
    private var rows: [(chunk: Int32, row: Int32)] = []
    private(set) var byteCount = 0

    init(types: [DataType]) { self.types = types }

    /// The rows of the batch that were not seen before, or `nil`.
    func addingNew(_ batch: Batch) throws -> Batch? {
        let columns = batch.columns.indices.map { batch.column($0).flattened() }
        let hashBuffer = Buffer(byteCount: max(1, batch.rowCount) * 8)
        let hashes = hashBuffer.base.assumingMemoryBound(to: UInt64.self)
        hashes.update(repeating: 0, count: batch.rowCount)
        for (index, column) in columns.enumerated() { Hashing.hash(column, into: hashes, combining: index > 0) }
        let chunk = Int32(chunks.count)
        chunks.append(columns)
        let fresh = Selection(capacity: batch.rowCount)
        for row in 0..<batch.rowCount {
            let known = byHash[hashes[row], default: []]
            if known.contains(where: { isEqual(Int($0), columns, row) }) { continue }
            byHash[hashes[row], default: []].append(Int32(rows.count))
            rows.append((chunk, Int32(row)))
            fresh.rows[fresh.count] = UInt16(truncatingIfNeeded: row)
            fresh.count += 1
        }
        withExtendedLifetime(hashBuffer) {}
        byteCount += columns.reduce(0) { $0 + $1.count * $1.physical.width + $1.longStringByteCount } + fresh.count * 48
        return fresh.count == 0 ? nil : Batch(columns: columns, rowCount: batch.rowCount).selecting(fresh).densified()
    }

    private func isEqual(_ number: Int, _ columns: [Vector], _ row: Int) -> Bool {
        let known = rows[number]
        let stored = chunks[Int(known.chunk)]
        return columns.indices.allSatisfy { equalValues(stored[$0], Int(known.row), columns[$0], row, true) }
    }
}
