// Pipelines, drivers and the streaming operators.

import Columnar
import Diagnostics
import Dispatch
import Glibc
import QueryPlan
import SQLFunctions
import Storage
import Synchronization
import Testing
import Transport

@testable import PhysicalOps

/// Gives batches; `pendingEvery` polls one is pending first and wakes its driver from another thread.
final class TestReader: ExchangeReader {
    private struct State {
        var batches: [Batch]
        var polls = 0
        var closed = 0
    }
    private let state: Mutex<State>
    let pendingEvery: Int?
    let error: QueryError?

    init(_ batches: [Batch], pendingEvery: Int? = nil, error: QueryError? = nil) {
        state = Mutex(State(batches: batches))
        self.pendingEvery = pendingEvery
        self.error = error
    }

    var closeCount: Int { state.withLock { $0.closed } }

    func poll(wake: @escaping @Sendable () -> Void) throws -> ExchangeEvent {
        let event = state.withLock { state -> ExchangeEvent? in
            state.polls += 1
            if let pendingEvery, state.polls % pendingEvery == 0 { return .pending }
            return state.batches.isEmpty ? (error == nil ? .finished : nil) : .batch(state.batches.removeFirst())
        }
        guard let event else { throw error! }
        if case .pending = event { DispatchQueue.global().asyncAfter(deadline: .now() + 0.001) { wake() } }
        return event
    }
    func close() { state.withLock { $0.closed += 1 } }
}

final class TestWriter: TableWriter, Sendable {
    struct State {
        var rows = 0
        var committed = 0
        var aborted = 0
    }
    let state = Mutex(State())
    let failsAt: Int?
    init(failsAt: Int? = nil) { self.failsAt = failsAt }
    func write(_ batch: Batch) throws {
        let rows = state.withLock { state in
            state.rows += batch.rowCount
            return state.rows
        }
        if let failsAt, rows >= failsAt { throw QueryError(.diskFull, "no space left") }
    }
    func commit() throws { state.withLock { $0.committed += 1 } }
    func abort() { state.withLock { $0.aborted += 1 } }
}

private func integers(_ range: Range<Int>) -> [[ScalarValue]] { range.map { [.integer(Int64($0))] } }

private func table(_ count: Int, splits: Int = 4, batchMax: Int = 1000, failAt: Int? = nil) -> TestTable {
    var random = TestRandom(1)
    return TestTable(
        types: [.int64],
        splits: TestData.splits(
            integers(0..<count), types: [.int64], splits: splits, batchMax: batchMax, shape: .plain, random: &random),
        failAt: failAt)
}

@Suite struct PipelineTests {
    @Test(arguments: [1, 2, 5]) func scanProjectUnion(threads: Int) throws {
        let scan = Plan.scan("t", [.int64])
        let other = Plan.scan("u", [.int64])
        let root = Plan.project(
            [.literal(.string("x"), .text), .input(0, .int64)],
            Plan.union([scan, Plan.values(integers(90_000..<90_010), [.int64]), other]))
        let environment = TestEnvironment(
            tables: ["t": table(20_000), "u": table(500, splits: 1)], threads: threads)
        let result = try TestTask.run(root, environment: environment)
        let expected = (integers(0..<20_000) + integers(90_000..<90_010) + integers(0..<500)).map {
            [.string("x")] + $0
        }
        TestData.same(result.rows, expected)
        let metrics = Dictionary(uniqueKeysWithValues: result.metrics.map { ($0.node, $0) })
        #expect(metrics[scan.id]?.rowsOut == 20_000)
        #expect(metrics[root.id]?.rowsIn == 20_510)
        #expect(metrics[root.id]?.rowsOut == 20_510)
        #expect(result.output.state.withLock { $0.finished } == 1)
    }

    @Test func filterOnABooleanColumn() throws {
        var random = TestRandom(2)
        let types: [DataType] = [.boolean, .int64]
        let rows: [[ScalarValue]] = (0..<5000).map { index in
            [[.null, .boolean(true), .boolean(false)][random.below(3)], .integer(Int64(index))]
        }
        for shape in BatchShape.allCases {
            let splits = TestData.splits(rows, types: types, splits: 2, batchMax: 300, shape: shape, random: &random)
            let environment = TestEnvironment(tables: ["t": TestTable(types: types, splits: splits)])
            let expected = rows.filter { $0[0] == .boolean(true) }
            let behind = Plan.filter(.input(0, .boolean), Plan.scan("t", types))
            TestData.same(try TestTask.run(behind, environment: environment).rows, expected)
            let inside = Plan.scan("t", types, predicates: [.input(0, .boolean)])
            TestData.same(try TestTask.run(inside, environment: environment).rows, expected)
        }
    }

    @Test(arguments: [1, 4]) func limitStopsTheScan(threads: Int) throws {
        let source = table(200_000, splits: 8, batchMax: 100)
        let root = Plan.limit(70, offset: 30, Plan.scan("t", [.int64]))
        let result = try TestTask.run(root, environment: TestEnvironment(tables: ["t": source], threads: threads))
        #expect(result.rows.count == 70)
        #expect(Set(result.rows).count == 70)
        #expect(source.readCount.load(ordering: .relaxed) < 1000)
        let none = try TestTask.run(
            Plan.limit(0, Plan.scan("t", [.int64])),
            environment: TestEnvironment(tables: ["t": source], threads: threads))
        #expect(none.rows.isEmpty)
        let behind = try TestTask.run(
            Plan.limit(nil, offset: 199_990, Plan.scan("t", [.int64])),
            environment: TestEnvironment(tables: ["t": source], threads: threads))
        #expect(behind.rows.count == 10)
    }

    @Test func scanLimit() throws {
        let source = table(200_000, splits: 1, batchMax: 100)
        let result = try TestTask.run(
            Plan.scan("t", [.int64], limit: 50), environment: TestEnvironment(tables: ["t": source]))
        #expect(result.rows.count >= 50 && result.rows.count < 1000)
    }

    @Test func errorsEndTheTaskOnce() throws {
        let scan = Plan.scan("t", [.int64])
        let root = Plan.union([scan, Plan.scan("u", [.int64])])
        let environment = TestEnvironment(tables: ["t": table(50_000, failAt: 3), "u": table(50_000)])
        let pool = DriverPool(threadCount: 2)
        defer { pool.shutdown() }
        let output = TestOutput()
        let done = Completion()
        TestTask.make(root, output: output, environment: environment, pool: pool).start { done.complete($0) }
        guard case .failure(let error) = done.wait() else {
            Issue.record("the task succeeded")
            return
        }
        #expect(error.state == .ioError)
        usleep(20_000)
        #expect(done.count == 1)
        #expect(output.state.withLock { $0.failed } == 1)
        #expect(output.state.withLock { $0.finished } == 0)
    }

    @Test func cancelWakesParkedDrivers() throws {
        /// Never answers.
        final class SilentReader: ExchangeReader {
            let closed = Atomic<Int>(0)
            func poll(wake: @escaping @Sendable () -> Void) throws -> ExchangeEvent { .pending }
            func close() { closed.add(1, ordering: .relaxed) }
        }
        let reader = SilentReader()
        let source = Plan.node(.exchangeSource(ExchangeSourceNode(stage: StageID(1))), [.int64])
        let environment = TestEnvironment(readers: [StageID(1): [reader]])
        let pool = DriverPool(threadCount: 2)
        defer { pool.shutdown() }
        let done = Completion()
        let execution = TestTask.make(
            Plan.aggregate(groups: [Plan.input(source, 0)], [], source), output: TestOutput(), environment: environment,
            pool: pool)
        execution.start { done.complete($0) }
        usleep(20_000)
        #expect(done.count == 0)
        execution.cancel(QueryError(.queryCanceled, "canceled"))
        execution.cancel(QueryError(.internalError, "too late"))
        guard case .failure(let error) = done.wait(seconds: 5) else {
            Issue.record("the task succeeded")
            return
        }
        #expect(error.state == .queryCanceled)
        #expect(reader.closed.load(ordering: .relaxed) == 1)
    }

    /// A limit that one driver reaches ends those that wait for rows, though the rows never come.
    @Test func limitsEndDriversThatWait() throws {
        final class LateReader: ExchangeReader {
            let state = Mutex<(batch: Batch?, wake: (@Sendable () -> Void)?)>((nil, nil))
            let isClosed = Atomic<Bool>(false)
            func poll(wake: @escaping @Sendable () -> Void) throws -> ExchangeEvent {
                state.withLock { state in
                    defer { state.batch = nil }
                    if let batch = state.batch { return .batch(batch) }
                    state.wake = wake
                    return .pending
                }
            }
            func give(_ batch: Batch) {
                let wake = state.withLock { state in
                    state.batch = batch
                    return state.wake
                }
                wake?()
            }
            func close() { isClosed.store(true, ordering: .relaxed) }
            var wasClosed: Bool { isClosed.load(ordering: .relaxed) }
        }
        let readers = [LateReader(), LateReader()]
        let source = Plan.node(.exchangeSource(ExchangeSourceNode(stage: StageID(1))), [.int64])
        let environment = TestEnvironment(readers: [StageID(1): readers])
        let pool = DriverPool(threadCount: 2)
        defer { pool.shutdown() }
        let done = Completion()
        let output = TestOutput()
        let execution = TestTask.make(
            Plan.limit(1, source), output: output, environment: environment, pool: pool)
        execution.start { done.complete($0) }
        usleep(20_000)
        readers[0].give(Batch.rows([[.integer(7)]], types: [.int64]))
        _ = try done.wait(seconds: 10).get()
        #expect(output.allRows == [[.integer(7)]])
        for reader in readers { #expect(reader.wasClosed) }
    }

    @Test(arguments: [1, 3]) func slowReadersParkDrivers(threads: Int) throws {
        var expected: [[ScalarValue]] = []
        let readers = (0..<4).map { reader -> TestReader in
            let rows = integers(reader * 1000..<reader * 1000 + 800)
            expected += rows
            let batches = stride(from: 0, to: 800, by: 100).map {
                Batch.rows(Array(rows[$0..<$0 + 100]), types: [.int64])
            }
            return TestReader(batches, pendingEvery: reader + 2)
        }
        let source = Plan.node(.exchangeSource(ExchangeSourceNode(stage: StageID(1))), [.int64])
        let result = try TestTask.run(
            source, environment: TestEnvironment(readers: [StageID(1): readers], threads: threads))
        TestData.same(result.rows, expected)
        for reader in readers { #expect(reader.closeCount == 1) }
    }

    @Test func readerErrors() throws {
        let reader = TestReader([], error: QueryError(.workerLost, "gone"))
        let source = Plan.node(.exchangeSource(ExchangeSourceNode(stage: StageID(1))), [.int64])
        #expect { try TestTask.run(source, environment: TestEnvironment(readers: [StageID(1): [reader]])) } throws: {
            ($0 as? QueryError)?.state == .workerLost
        }
        #expect(reader.closeCount == 1)
    }

    @Test(arguments: [true, false]) func mergingKeepsTheOrder(descending: Bool) throws {
        var random = TestRandom(3)
        let types: [DataType] = [.text, .int64]
        let key = SortKey(.input(0, .text), isDescending: descending)
        let comparator = RowComparator([key])
        var all: [[ScalarValue]] = []
        let readers = (0..<5).map { index -> TestReader in
            let rows: [[ScalarValue]] = (0..<3000).map { row in
                [random.below(20) == 0 ? .null : .string("some key \(random.below(50))"), .integer(Int64(row))]
            }
            let whole = Batch.rows(rows, types: types)
            let keys = RowKeys([whole.columns[0]])
            let order = (0..<3000).sorted { comparator.compare(keys, $0, keys, $1) < 0 }
            let sorted = order.map { rows[$0] }
            all += sorted
            let batches = stride(from: 0, to: 3000, by: 250).map {
                Batch.rows(Array(sorted[$0..<$0 + 250]), types: types)
            }
            return TestReader(batches, pendingEvery: index == 0 ? nil : index + 1)
        }
        let source = Plan.node(.exchangeSource(ExchangeSourceNode(stage: StageID(1), mergeKeys: [key])), types)
        let result = try TestTask.run(source, environment: TestEnvironment(readers: [StageID(1): readers]))
        TestData.same(result.rows, all)
        let keys = RowKeys([Batch.rows(result.rows.prefix(60_000).map { [$0[0]] }, types: [.text]).columns[0]])
        for row in 1..<result.rows.count { #expect(comparator.compare(keys, row - 1, keys, row) <= 0) }
    }

    @Test func fullOutputParksDrivers() throws {
        let environment = TestEnvironment(tables: ["t": table(50_000)])
        let pool = DriverPool(threadCount: 2)
        defer { pool.shutdown() }
        let output = TestOutput()
        output.setFull(true)
        let done = Completion()
        let root = Plan.scan("t", [.int64])
        TestTask.make(root, output: output, environment: environment, pool: pool).start { done.complete($0) }
        usleep(20_000)
        #expect(output.allRows.isEmpty)
        output.setFull(false)
        _ = try done.wait().get()
        #expect(output.allRows.count == 50_000)
    }

    @Test func partitioning() throws {
        var random = TestRandom(4)
        let types: [DataType] = [.int32, .text]
        let rows: [[ScalarValue]] = (0..<10_000).map { _ in
            let number = random.below(300)
            return [number == 0 ? .null : .integer(Int64(number)), .string("value of some length \(number)")]
        }
        for shape in BatchShape.allCases {
            let splits = TestData.splits(rows, types: types, splits: 3, batchMax: 3000, shape: shape, random: &random)
            let environment = TestEnvironment(tables: ["t": TestTable(types: types, splits: splits)])
            let scan = Plan.scan("t", types)
            let hashed = try TestTask.run(scan, partitioning: .hash([0]), partitions: 5, environment: environment)
            TestData.same(hashed.rows, rows)
            let keys = (0..<5).map { Set(hashed.output.rows(partition: $0).map { $0[0] }) }
            for first in 0..<5 { for second in 0..<first { #expect(keys[first].isDisjoint(with: keys[second])) } }
            let broadcast = try TestTask.run(scan, partitioning: .broadcast, partitions: 3, environment: environment)
            for partition in 0..<3 {
                TestData.same(broadcast.output.rows(partition: partition), rows)
            }
            let turns = try TestTask.run(scan, partitioning: .roundRobin, partitions: 3, environment: environment)
            TestData.same(turns.rows, rows)
        }
    }

    @Test func writing() throws {
        let target = WriteTarget.insert(TableName(catalog: "c", schema: "s", table: "t"))
        func root() -> PhysicalNode {
            Plan.node(.write(WriteNode(target: target, input: Plan.scan("t", [.int64]))), [.int64])
        }
        let writer = TestWriter()
        let result = try TestTask.run(root(), environment: TestEnvironment(tables: ["t": table(5000)], writer: writer))
        #expect(result.rows == [[.integer(5000)]])
        #expect(writer.state.withLock { ($0.rows, $0.committed, $0.aborted) } == (5000, 1, 0))
        let failing = TestWriter(failsAt: 3000)
        #expect {
            try TestTask.run(root(), environment: TestEnvironment(tables: ["t": table(5000)], writer: failing))
        } throws: {
            ($0 as? QueryError)?.state == .diskFull
        }
        #expect(failing.state.withLock { ($0.committed, $0.aborted) } == (0, 1))
        let unread = TestWriter()
        let environment = TestEnvironment(tables: ["t": table(5000, failAt: 0)], writer: unread)
        #expect(throws: QueryError.self) { try TestTask.run(root(), environment: environment) }
        #expect(unread.state.withLock { $0.committed } == 0)
    }

    @Test func manyTasksShareThePool() throws {
        let pool = DriverPool(threadCount: 2)
        defer { pool.shutdown() }
        let source = table(30_000)
        let running = (0..<20).map { _ -> (Completion, TestOutput) in
            let scan = Plan.scan("t", [.int64])
            let root = Plan.aggregate(groups: [Plan.input(scan, 0)], [TestFunctions.count()], scan)
            let output = TestOutput()
            let done = Completion()
            TestTask.make(root, output: output, environment: TestEnvironment(tables: ["t": source]), pool: pool)
                .start { done.complete($0) }
            return (done, output)
        }
        for (done, output) in running {
            _ = try done.wait().get()
            #expect(output.allRows.count == 30_000)
        }
    }

    @Test func runtimeFilters() throws {
        let types: [DataType] = [.int64]
        let rows = integers(0..<20_000)
        let set = try #require(IntegerSet(minimum: 100, maximum: 10_000))
        for value in stride(from: Int64(100), through: 10_000, by: 7) { set.insert(value) }
        let bloom = BloomFilter(expectedCount: 100)
        var hashes = [UInt64](repeating: 0, count: 100)
        Hashing.hash(Batch.rows(Array(rows[500..<600]), types: types).columns[0], into: &hashes, combining: false)
        for hash in hashes { bloom.insert(hash) }
        func passed(_ content: RuntimeFilter.Content, shape: BatchShape) throws -> Set<Int64> {
            let filter = RuntimeFilter(type: .int64)
            filter.publish(content)
            let scan = RuntimeScanFilter(filter, column: 0)
            var result: Set<Int64> = []
            for start in stride(from: 0, to: rows.count, by: 1000) {
                let batch = TestData.batch(Array(rows[start..<start + 1000]), types: types, shape: shape)
                let kept = try scan.select(batch).map { batch.selecting($0) } ?? batch
                for row in 0..<kept.rowCount { if case .integer(let value) = kept.row(row)[0] { result.insert(value) } }
            }
            return result
        }
        for shape in BatchShape.allCases {
            #expect(try passed(.nothing, shape: shape).isEmpty)
            #expect(try passed(.everything, shape: shape).count == rows.count)
            #expect(try passed(.integers(minimum: 5, maximum: 9, set: nil), shape: shape) == Set(5...9))
            #expect(
                try passed(.integers(minimum: 100, maximum: 10_000, set: set), shape: shape)
                    == Set(stride(from: Int64(100), through: 10_000, by: 7)))
            let found = try passed(.hashes(bloom), shape: shape)
            #expect(found.isSuperset(of: 500..<600))
            #expect(found.count < 2000)
        }
    }
}
