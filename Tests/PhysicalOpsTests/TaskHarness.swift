// Runs small PhysicalNode trees over tables in memory.

import Columnar
import Diagnostics
import Dispatch
import QueryPlan
import SQLFunctions
import Storage
import Synchronization
import Testing
import Transport

@testable import PhysicalOps

/// A table whose splits are lists of batches.
final class TestTable: TableProvider {
    let schema: Schema
    let batches: [[Batch]]
    /// Batches read so far.
    let readCount = Atomic<Int>(0)
    /// Thrown by the reader before batch number `failAt` of any split.
    let failAt: Int?

    init(types: [DataType], splits: [[Batch]], failAt: Int? = nil) {
        schema = Schema(types.enumerated().map { Field(name: "c\($0.offset)", type: $0.element) })
        batches = splits
        self.failAt = failAt
    }

    func splits(for request: ScanRequest) async throws -> [Split] { splitList }

    var splitList: [Split] {
        batches.indices.map { Split(payload: [UInt8($0 & 255), UInt8($0 >> 8)], estimatedRowCount: 0) }
    }

    func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        Reader(
            table: self, split: Int(split.payload[0]) | Int(split.payload[1]) << 8, request: request, context: context)
    }

    private final class Reader: BatchReader {
        let table: TestTable
        let batches: [Batch]
        let request: ScanRequest
        let context: ScanContext
        var position = 0

        init(table: TestTable, split: Int, request: ScanRequest, context: ScanContext) {
            self.table = table
            batches = table.batches[split]
            self.request = request
            self.context = context
        }

        func next() throws -> Batch? {
            while position < batches.count {
                try context.checkCancellation()
                if position == table.failAt { throw QueryError(.ioError, "the disk is gone") }
                let source = batches[position]
                position += 1
                table.readCount.add(1, ordering: .relaxed)
                // A batch belongs to one thread: this one gets an object of its own.
                var batch = Batch(columns: source.columns, rowCount: source.physicalCount, selection: source.selection)
                    .projecting(request.projection)
                for filter in context.filters {
                    if let selection = try filter.select(batch) { batch = batch.selecting(selection) }
                }
                if !batch.isEmpty { return batch }
            }
            return nil
        }
    }
}

/// Collects rows by partition; can be full for a while.
final class TestOutput: TaskOutput {
    struct State {
        var batches: [[Batch]]
        var finished = 0
        var failed = 0
        var isFull = false
        var wakes: [@Sendable () -> Void] = []
    }
    let partitionCount: Int
    let state: Mutex<State>

    init(partitions: Int = 1) {
        partitionCount = partitions
        state = Mutex(State(batches: Array(repeating: [], count: partitions)))
    }

    func enqueue(_ batch: Batch, partition: Int) { state.withLock { $0.batches[partition].append(batch) } }
    func isFull(wake: @escaping @Sendable () -> Void) -> Bool {
        state.withLock { state in
            if state.isFull { state.wakes.append(wake) }
            return state.isFull
        }
    }
    func finish() { state.withLock { $0.finished += 1 } }
    func fail(_ error: QueryError) { state.withLock { $0.failed += 1 } }

    func setFull(_ isFull: Bool) {
        let wakes = state.withLock { state in
            state.isFull = isFull
            defer { if !isFull { state.wakes = [] } }
            return isFull ? [] : state.wakes
        }
        for wake in wakes { wake() }
    }

    func rows(partition: Int = 0) -> [[ScalarValue]] {
        state.withLock { state in
            state.batches[partition].flatMap { batch in (0..<batch.rowCount).map { batch.row($0) } }
        }
    }
    var allRows: [[ScalarValue]] { (0..<partitionCount).flatMap { rows(partition: $0) } }
}

final class TestEnvironment: TaskEnvironment {
    let registry: FunctionRegistry
    let evaluationContext = EvaluationContext()
    let memory: MemoryPool
    let threads: Int
    let tables: [String: TestTable]
    let readers: [StageID: [any ExchangeReader]]
    let writer: TestWriter?

    init(
        tables: [String: TestTable] = [:], readers: [StageID: [any ExchangeReader]] = [:], threads: Int = 2,
        memoryLimit: Int = .max, writer: TestWriter? = nil
    ) {
        registry = TestFunctions.registry
        self.tables = tables
        self.readers = readers
        self.threads = threads
        memory = MemoryPool(name: "test", limit: memoryLimit)
        self.writer = writer
    }

    /// Node ids of scans are the table's position among the sorted names, see `Plan.scan`.
    func table(for name: TableName) throws -> any TableProvider {
        guard let table = tables[name.table] else { throw QueryError(.undefinedTable, "no table \(name)") }
        return table
    }
    let scanTables = Mutex<[Int: String]>([:])
    func splits(node: Int) throws -> any SplitSource {
        guard let name = scanTables.withLock({ $0[node] }), let table = tables[name] else {
            throw QueryError.internalError("no scan \(node)")
        }
        return SplitList(table.splitList)
    }
    func exchangeReaders(stage: StageID, copy: Int?) throws -> [any ExchangeReader] { readers[stage] ?? [] }
    func writer(for target: WriteTarget) throws -> any TableWriter {
        guard let writer else { throw QueryError.internalError("no writer") }
        return writer
    }
}

/// Makes nodes with fresh ids.
enum Plan {
    private static let counter = Atomic<Int>(0)
    static func node(_ kind: PhysicalNode.Kind, _ types: [DataType]) -> PhysicalNode {
        PhysicalNode(
            id: counter.wrappingAdd(1, ordering: .relaxed).newValue, kind: kind,
            output: Schema(types.enumerated().map { Field(name: "c\($0.offset)", type: $0.element) }),
            estimatedRowCount: 1000)
    }
    static func scan(_ name: String, _ types: [DataType], predicates: [Expression] = [], limit: Int? = nil)
        -> PhysicalNode
    {
        node(
            .scan(
                ScanNode(
                    table: TableName(catalog: "test", schema: "public", table: name), projection: Array(types.indices),
                    predicates: predicates, limit: limit)), types)
    }
    static func input(_ node: PhysicalNode, _ index: Int) -> Expression { .input(index, node.output.types[index]) }
    static func filter(_ predicate: Expression, _ input: PhysicalNode) -> PhysicalNode {
        node(.filter(FilterNode(predicate: predicate, input: input)), input.output.types)
    }
    static func project(_ expressions: [Expression], _ input: PhysicalNode) -> PhysicalNode {
        node(.project(ProjectNode(expressions: expressions, input: input)), expressions.map(\.type))
    }
    static func limit(_ count: Int?, offset: Int = 0, _ input: PhysicalNode) -> PhysicalNode {
        node(.limit(LimitNode(limit: count, offset: offset, input: input)), input.output.types)
    }
    static func union(_ inputs: [PhysicalNode]) -> PhysicalNode {
        node(.union(UnionNode(inputs: inputs)), inputs[0].output.types)
    }
    static func values(_ rows: [[ScalarValue]], _ types: [DataType]) -> PhysicalNode {
        node(.values(ValuesNode(rows: rows.map { zip($0, types).map { .literal($0, $1) } })), types)
    }
    static func aggregate(
        _ mode: AggregateNode.Mode = .single, groups: [Expression], sets: [[Int]]? = nil, _ calls: [AggregateCall],
        _ input: PhysicalNode, output: [DataType]? = nil
    ) -> PhysicalNode {
        let sets = sets ?? [Array(groups.indices)]
        let types = output ?? groups.map(\.type) + (sets.count > 1 ? [.int32] : []) + calls.map(\.type)
        return node(
            .aggregate(AggregateNode(mode: mode, groups: groups, groupingSets: sets, aggregates: calls, input: input)),
            types)
    }
}

/// A finished run.
struct TaskResult {
    var rows: [[ScalarValue]]
    var metrics: [PhysicalOps.OperatorMetrics]
    var output: TestOutput
}

enum TestTask {
    static func scans(_ node: PhysicalNode) -> [(Int, String)] {
        if case .scan(let scan) = node.kind { return [(node.id, scan.table.table)] }
        return node.inputs.flatMap(scans)
    }

    static func make(
        _ root: PhysicalNode, partitioning: OutputPartitioning = .single, output: TestOutput,
        environment: TestEnvironment,
        pool: DriverPool
    ) -> TaskExecution {
        environment.scanTables.withLock { $0 = Dictionary(uniqueKeysWithValues: scans(root)) }
        return TaskExecution(
            root: root, partitioning: partitioning, output: output, environment: environment, pool: pool)
    }

    /// Runs a tree to its end; throws its error.
    static func run(
        _ root: PhysicalNode, partitioning: OutputPartitioning = .single, partitions: Int = 1,
        environment: TestEnvironment, poolThreads: Int? = nil
    ) throws -> TaskResult {
        let pool = DriverPool(threadCount: poolThreads ?? environment.threads)
        defer { pool.shutdown() }
        let output = TestOutput(partitions: partitions)
        let execution = make(root, partitioning: partitioning, output: output, environment: environment, pool: pool)
        let done = Completion()
        execution.start { done.complete($0) }
        let metrics = try done.wait().get()
        if environment.memory.reservedByteCount != 0 { throw QueryError.internalError("memory was not given back") }
        return TaskResult(rows: output.allRows, metrics: metrics, output: output)
    }
}

/// Waits for a completion on a thread of the test.
final class Completion: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let state = Mutex<(result: Result<[PhysicalOps.OperatorMetrics], QueryError>?, count: Int)>((nil, 0))

    func complete(_ result: Result<[PhysicalOps.OperatorMetrics], QueryError>) {
        state.withLock {
            $0.result = result
            $0.count += 1
        }
        semaphore.signal()
    }
    func wait(seconds: Double = 60) -> Result<[PhysicalOps.OperatorMetrics], QueryError> {
        if semaphore.wait(timeout: .now() + seconds) == .timedOut {
            return .failure(QueryError(.internalError, "the task did not end"))
        }
        return state.withLock { $0.result! }
    }
    var count: Int { state.withLock { $0.count } }
}

/// A deterministic source of random numbers (splitmix64).
struct TestRandom: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
}

/// How the batches of random data look.
enum BatchShape: CaseIterable, Sendable { case plain, selected, dictionary }

enum TestData {
    /// Splits over `rows`, with random batch sizes up to `batchMax`, in the given shape.
    static func splits(
        _ rows: [[ScalarValue]], types: [DataType], splits: Int, batchMax: Int, shape: BatchShape,
        random: inout TestRandom
    ) -> [[Batch]] {
        var result: [[Batch]] = Array(repeating: [], count: splits)
        var start = 0
        var turn = 0
        while start < rows.count {
            let count = min(rows.count - start, 1 + random.below(batchMax))
            result[turn % splits].append(batch(Array(rows[start..<start + count]), types: types, shape: shape))
            start += count
            turn += 1
        }
        return result
    }

    static func batch(_ rows: [[ScalarValue]], types: [DataType], shape: BatchShape) -> Batch {
        switch shape {
        case .plain: return .rows(rows, types: types)
        case .selected:
            // Every live row has a dead one, of the same values in another order, before it.
            let doubled = zip(rows.reversed(), rows).flatMap { [$0, $1] }
            let batch = Batch.rows(doubled, types: types)
            let selection = Selection(capacity: rows.count)
            for row in rows.indices { selection.rows[row] = UInt16(2 * row + 1) }
            selection.count = rows.count
            return batch.selecting(selection)
        case .dictionary:
            let columns = types.indices.map { column in
                dictionary(rows.map { $0[column] }, type: types[column])
            }
            return Batch(columns: columns, rowCount: rows.count)
        }
    }

    private static func dictionary(_ values: [ScalarValue], type: DataType) -> Vector {
        var codes: [ScalarValue: UInt32] = [:]
        let entries = VectorBuilder(type: type)
        let buffer = Buffer(byteCount: values.count * 4)
        for (row, value) in values.enumerated() {
            let code = codes[value] ?? UInt32(codes.count)
            if codes[value] == nil {
                codes[value] = code
                entries.append(value)
            }
            buffer.base.storeBytes(of: code, toByteOffset: row * 4, as: UInt32.self)
        }
        return Vector(codes: buffer, count: values.count, dictionary: entries.finish())
    }

    /// Whether both hold the same rows, whatever their order. Reports the first difference only: the rows are many.
    static func same(
        _ actual: [[ScalarValue]], _ expected: [[ScalarValue]], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        func counted(_ rows: [[ScalarValue]]) -> [[ScalarValue]: Int] {
            var result: [[ScalarValue]: Int] = [:]
            for row in rows { result[row, default: 0] += 1 }
            return result
        }
        if actual.count == expected.count, counted(actual) == counted(expected) { return }
        let (a, b) = (actual.map { "\($0)" }.sorted(), expected.map { "\($0)" }.sorted())
        let position = zip(a, b).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? min(a.count, b.count)
        func text(_ rows: [String]) -> String {
            rows[min(position, rows.count)..<min(position + 3, rows.count)].joined(separator: " ")
                .replacing("Columnar.ScalarValue.", with: "")
        }
        Issue.record(
            "\(a.count) rows instead of \(b.count); from \(position): \(text(a)) instead of \(text(b))",
            sourceLocation: sourceLocation)
    }
}
