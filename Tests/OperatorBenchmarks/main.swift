// Measures operators over tables in memory: CPU nanoseconds a row. Built only with MARTLET_BENCHMARKS=1.
//
//   MARTLET_BENCHMARKS=1 MARTLET_ENGINE_ONLY=1 swift run OperatorBenchmarks [threads] [part of a name]

import Columnar
import Diagnostics
import Dispatch
import Glibc
import PhysicalOps
import QueryPlan
import SQLFunctions
import Storage
import Synchronization
import Transport

/// A table of one split for every 64 batches.
final class BenchmarkTable: TableProvider {
    let schema: Schema
    let batches: [Batch]
    private static let batchesASplit = 64

    init(types: [DataType], batches: [Batch]) {
        schema = Schema(types.enumerated().map { Field(name: "c\($0.offset)", type: $0.element) })
        self.batches = batches
    }
    func splits(for request: ScanRequest) async throws -> [Split] { splitList }
    var splitList: [Split] {
        stride(from: 0, to: batches.count, by: BenchmarkTable.batchesASplit).enumerated().map {
            Split(payload: [UInt8($0.offset & 255), UInt8($0.offset >> 8)], estimatedRowCount: 0)
        }
    }
    func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        let start = (Int(split.payload[0]) | Int(split.payload[1]) << 8) * BenchmarkTable.batchesASplit
        return Reader(batches[start..<min(batches.count, start + BenchmarkTable.batchesASplit)])
    }
    final class Reader: BatchReader {
        var left: ArraySlice<Batch>
        init(_ batches: ArraySlice<Batch>) { left = batches }
        func next() throws -> Batch? { left.popFirst().map { Batch(columns: $0.columns, rowCount: $0.rowCount) } }
    }
}

final class CountingOutput: TaskOutput {
    let rows = Atomic<Int>(0)
    var partitionCount: Int { 1 }
    func enqueue(_ batch: Batch, partition: Int) { rows.add(batch.rowCount, ordering: .relaxed) }
    func isFull(wake: @escaping @Sendable () -> Void) -> Bool { false }
    func finish() {}
    func fail(_ error: QueryError) {}
}

final class BenchmarkEnvironment: TaskEnvironment {
    let registry = FunctionRegistry.builtIn
    let evaluationContext = EvaluationContext()
    let memory = MemoryPool(name: "benchmark")
    let threads: Int
    let table: BenchmarkTable
    init(_ table: BenchmarkTable, threads: Int) {
        self.table = table
        self.threads = threads
    }
    func table(for name: TableName) throws -> any TableProvider { table }
    func splits(node: Int) throws -> any SplitSource { SplitList(table.splitList) }
    func exchangeReaders(stage: StageID, copy: Int?) throws -> [any ExchangeReader] { [] }
}

struct Random: RandomNumberGenerator {
    var state: UInt64 = 42
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Hashing.mix(state)
    }
}

func cpuNanoseconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
}

let threads = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 1 : 1
let chosen = CommandLine.arguments.count > 2 ? CommandLine.arguments[2] : ""
let rowCount = 8 << 20
let batchRows = Batch.standardRowCount
let pool = DriverPool(threadCount: threads)
MemoryAllocation.configure()

func makeBatches(_ column: (Int) -> [Vector]) -> [Batch] {
    (0..<rowCount / batchRows).map { Batch(columns: column($0), rowCount: batchRows) }
}

func integers(_ random: inout Random, below limit: UInt64) -> Vector {
    let vector = Vector(flat: .int64, capacity: batchRows)
    for row in 0..<batchRows { vector.values(Int64.self)[row] = Int64(random.next() % limit) }
    return vector
}

func run(_ name: String, types: [DataType], batches: [Batch], keys: [Int], values: [Int]) {
    if !chosen.isEmpty && !name.contains(chosen) { return }
    let table = BenchmarkTable(types: types, batches: batches)
    let scan = PhysicalNode(
        id: 1,
        kind: .scan(
            ScanNode(table: TableName(catalog: "b", schema: "b", table: "b"), projection: Array(types.indices))),
        output: table.schema, estimatedRowCount: Double(rowCount))
    var calls: [AggregateCall] = [AggregateCall(name: "count", arguments: [], type: .int64)]
    for value in values {
        let argument = Expression.input(value, types[value])
        let type = try? FunctionRegistry.builtIn.resolveAggregate("sum", [types[value]]).resultType
        calls.append(AggregateCall(name: "sum", arguments: [argument], type: type ?? .int64))
    }
    let groups = keys.map { Expression.input($0, types[$0]) }
    let root = PhysicalNode(
        id: 2,
        kind: .aggregate(
            AggregateNode(
                mode: .single, groups: groups, groupingSets: [Array(keys.indices)], aggregates: calls, input: scan)),
        output: Schema((groups.map(\.type) + calls.map(\.type)).map { Field(name: "c", type: $0) }),
        estimatedRowCount: 1)
    var best = Double.infinity
    var bestWall = Double.infinity
    var rows = 0
    for _ in 0..<3 {
        let output = CountingOutput()
        let execution = TaskExecution(
            root: root, output: output, environment: BenchmarkEnvironment(table, threads: threads), pool: pool)
        let done = DispatchSemaphore(value: 0)
        let start = cpuNanoseconds()
        let wall = monotonicNanoseconds()
        execution.start { result in
            if case .failure(let error) = result { print("failed: \(error)") }
            done.signal()
        }
        done.wait()
        best = min(best, cpuNanoseconds() - start)
        bestWall = min(bestWall, Double(monotonicNanoseconds() - wall))
        rows = output.rows.load(ordering: .relaxed)
    }
    func text(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
    print(
        "\(name): \(text(best / Double(rowCount))) ns/row CPU, \(text(bestWall / Double(rowCount))) ns/row wall, \(rows) groups"
    )
}

nonisolated(unsafe) var random = Random()
for limit: UInt64 in [10, 10_000, 100_000, 1_000_000, 8_000_000] {
    let batches = makeBatches { _ in [integers(&random, below: limit), integers(&random, below: 1000)] }
    run("int64 key, \(limit) values, sum and count", types: [.int64, .int64], batches: batches, keys: [0], values: [1])
    if limit == 10_000 {
        // The same values far apart: no direct array.
        for batch in batches {
            for row in 0..<batchRows { batch.columns[0].values(Int64.self)[row] &*= 1_000_003 }
        }
        run("int64 key, \(limit) sparse values", types: [.int64, .int64], batches: batches, keys: [0], values: [1])
    }
}
let clustered = makeBatches { number in
    let vector = Vector(flat: .int64, capacity: batchRows)
    for row in 0..<batchRows { vector.values(Int64.self)[row] = Int64((number * batchRows + row) / 4 * 7) }
    return [vector, integers(&random, below: 50)]
}
run("int64 key, 4 rows each in order (Q18)", types: [.int64, .int64], batches: clustered, keys: [0], values: [1])
let entries = VectorBuilder(type: .text)
for text in ["A", "N", "R", "O"] { entries.append(string: text) }
let dictionary = entries.finish()
func codes(_ limit: UInt64) -> Vector {
    let buffer = Buffer(byteCount: batchRows * 4)
    for row in 0..<batchRows {
        buffer.base.storeBytes(of: UInt32(random.next() % limit), toByteOffset: row * 4, as: UInt32.self)
    }
    return Vector(codes: buffer, count: batchRows, dictionary: dictionary)
}
let decimal = DataType.decimal(precision: 15, scale: 2)
let first = makeBatches { _ in
    [codes(3), codes(2)] + (0..<4).map { _ in integers(&random, below: 100_000).retyped(.int64) }
}
run(
    "two dictionary keys, 4 sums (Q1)", types: [.text, .text, .int64, .int64, .int64, .int64], batches: first,
    keys: [0, 1],
    values: [2, 3, 4, 5])
let decimals = first.map { batch in
    Batch(
        columns: [batch.columns[0], batch.columns[1]]
            + batch.columns[2...].map { column in
                Vector(
                    type: decimal, encoding: .flat, count: batchRows, data: column.data, dataOwner: column.dataOwner)
            }, rowCount: batchRows)
}
run(
    "two dictionary keys, 4 decimal sums", types: [.text, .text, decimal, decimal, decimal, decimal], batches: decimals,
    keys: [0, 1], values: [2, 3, 4, 5])
let texts = makeBatches { _ in
    let builder = VectorBuilder(type: .text, capacity: batchRows)
    for _ in 0..<batchRows { builder.append(string: "Customer#\(random.next() % 10_000)") }
    return [builder.finish(), integers(&random, below: 1000)]
}
run("text key of 14 bytes, 10000 values", types: [.text, .int64], batches: texts, keys: [0], values: [1])
run("no key", types: [.int64, .int64], batches: clustered, keys: [], values: [1])
pool.shutdown()
