// Hash aggregation against a naive reference.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import Testing
import Transport

@testable import PhysicalOps

/// Groups rows in a dictionary.
private struct Reference {
    var rows: [[ScalarValue]]

    /// Keys that are equal in SQL are equal here: floats are made canonical.
    static func canonical(_ value: ScalarValue) -> ScalarValue {
        if case .float(let number) = value {
            if number == 0 { return .float(0) }
            if number.isNaN { return .string("NaN") }
        }
        return value
    }

    /// count(*), count(c[value]), sum(c[value]) by the given columns; `filter` leaves rows out of the sum.
    func group(_ keys: [Int], value: Int, filter: Int? = nil) -> [[ScalarValue]] {
        var groups: [[ScalarValue]: (count: Int64, values: Int64, sum: Int64?)] = [:]
        for row in rows {
            let key = keys.map { Reference.canonical(row[$0]) }
            var state = groups[key] ?? (0, 0, nil)
            state.count += 1
            if case .integer(let number) = row[value] {
                state.values += 1
                if filter.map({ row[$0] == .boolean(true) }) ?? true { state.sum = (state.sum ?? 0) &+ number }
            }
            groups[key] = state
        }
        if keys.isEmpty && groups.isEmpty { groups[[]] = (0, 0, nil) }
        return groups.map { key, state in
            key + [.integer(state.count), .integer(state.values), state.sum.map { .integer($0) } ?? .null]
        }
    }
}

private func canonical(_ rows: [[ScalarValue]]) -> [[ScalarValue]] { rows.map { $0.map(Reference.canonical) } }

/// Random values of a type; every tenth or so is null.
private func randomValue(_ type: DataType, distinct: Int, nullShare: Double, random: inout TestRandom) -> ScalarValue {
    if Double(random.below(1000)) < nullShare * 1000 { return .null }
    let number = random.below(distinct)
    switch type {
    case .boolean: return .boolean(number % 2 == 0)
    case .decimal(let precision, _): return .decimal(precision > 18 ? Int128(number) << 70 : Int128(number))
    case .float64, .float32:
        return .float(number == 0 ? -0.0 : number == 1 ? 0 : number == 2 ? .nan : Double(number) / 2)
    case .text: return .string(number % 3 == 0 ? "k\(number)" : "a rather long key number \(number)")
    case .interval:
        return .interval(number % 2 == 0 ? IntervalValue(months: Int32(number)) : IntervalValue(days: Int32(number)))
    case .uuid: return .uuid(UUIDValue(high: UInt64(number % 7), low: UInt64(number)))
    default: return .integer(Int64(number))
    }
}

private func randomRows(
    _ types: [DataType], count: Int, distinct: Int, nullShare: Double = 0.1, random: inout TestRandom
) -> [[ScalarValue]] {
    (0..<count).map { _ in types.map { randomValue($0, distinct: distinct, nullShare: nullShare, random: &random) } }
}

// One test after the other: several count the same live executors.
@Suite(.serialized) struct AggregateTests {
    static let calls: @Sendable (PhysicalNode, Int) -> [AggregateCall] = { node, value in
        [
            TestFunctions.count(), TestFunctions.count(Plan.input(node, value)),
            TestFunctions.sum(Plan.input(node, value)),
        ]
    }

    @Test(arguments: [
        [DataType.int32], [.int64], [.text], [.boolean, .int16], [.int64, .int64], [.int64, .text], [.float64],
        [.float32, .int32], [.decimal(precision: 30, scale: 2)], [.uuid], [.interval], [.text, .text, .boolean],
        [.int64, .int64, .int64], [.int64, .uuid], [],
    ])
    func groupsLikeTheReference(keyTypes: [DataType]) throws {
        var random = TestRandom(UInt64(keyTypes.count) &* 77 &+ UInt64(keyTypes.first?.physical.rawValue ?? 9))
        let types = keyTypes + [DataType.int64]
        for (distinct, threads) in [(3, 1), (60, 2), (3000, 4)] {
            for shape in BatchShape.allCases {
                let rows = randomRows(types, count: 9000, distinct: distinct, random: &random)
                let table = TestTable(
                    types: types,
                    splits: TestData.splits(
                        rows, types: types, splits: 5, batchMax: distinct == 60 ? 100 : 6000, shape: shape,
                        random: &random))
                let scan = Plan.scan("t", types)
                let groups = keyTypes.indices.map { Plan.input(scan, $0) }
                let root = Plan.aggregate(groups: groups, Self.calls(scan, keyTypes.count), scan)
                let result = try TestTask.run(
                    root, environment: TestEnvironment(tables: ["t": table], threads: threads))
                let expected = Reference(rows: rows).group(Array(keyTypes.indices), value: keyTypes.count)
                if keyTypes == [.interval] {
                    // Equal intervals have several forms: only their number can be compared.
                    let months = Set(
                        rows.map { row -> Int128? in
                            if case .interval(let interval) = row[0] { interval.comparisonMicroseconds } else { nil }
                        })
                    #expect(result.rows.count == months.count)
                } else {
                    TestData.same(canonical(result.rows), expected)
                }
            }
        }
    }

    @Test(arguments: [1, 2]) func manyGroupsArePartitioned(threads: Int) throws {
        var random = TestRandom(5)
        for keyTypes in [[DataType.int64], [.text], [.int64, .int64]] {
            let types = keyTypes + [.int64]
            let rows = randomRows(types, count: 300_000, distinct: 120_000, nullShare: 0.001, random: &random)
            let table = TestTable(
                types: types,
                splits: TestData.splits(rows, types: types, splits: 6, batchMax: 4000, shape: .plain, random: &random))
            let scan = Plan.scan("t", types)
            let root = Plan.aggregate(
                groups: keyTypes.indices.map { Plan.input(scan, $0) }, Self.calls(scan, keyTypes.count), scan)
            let result = try TestTask.run(root, environment: TestEnvironment(tables: ["t": table], threads: threads))
            let expected = Reference(rows: rows).group(Array(keyTypes.indices), value: keyTypes.count)
            #expect(result.rows.count == expected.count)
            TestData.same(result.rows, expected)
        }
    }

    @Test func partialAndFinalGiveWhatSingleGives() throws {
        var random = TestRandom(6)
        let types: [DataType] = [.text, .int32, .int64]
        for distinct in [10, 200_000] {
            let rows = randomRows(types, count: 250_000, distinct: distinct, nullShare: 0.01, random: &random)
            let table = TestTable(
                types: types,
                splits: TestData.splits(rows, types: types, splits: 4, batchMax: 4000, shape: .plain, random: &random))
            let scan = Plan.scan("t", types)
            let calls = Self.calls(scan, 2)
            let groups = [Plan.input(scan, 0), Plan.input(scan, 1)]
            let partialTypes: [DataType] = [.text, .int32, .int64, .int64, .int64, .int64]
            let partial = Plan.aggregate(.partial, groups: groups, calls, scan, output: partialTypes)
            let first = try TestTask.run(
                partial, partitioning: .hash([0, 1]), partitions: 3, environment: TestEnvironment(tables: ["t": table]))
            var all: [[ScalarValue]] = []
            for partition in 0..<3 {
                let reader = TestReader(first.output.state.withLock { $0.batches[partition] })
                let source = Plan.node(.exchangeSource(ExchangeSourceNode(stage: StageID(1))), partialTypes)
                let final = Plan.aggregate(
                    .final, groups: [Plan.input(source, 0), Plan.input(source, 1)], calls, source)
                all += try TestTask.run(final, environment: TestEnvironment(readers: [StageID(1): [reader]])).rows
            }
            TestData.same(all, Reference(rows: rows).group([0, 1], value: 2))
        }
    }

    @Test func groupingSets() throws {
        var random = TestRandom(7)
        let types: [DataType] = [.int32, .text, .int64]
        let rows = randomRows(types, count: 5000, distinct: 12, random: &random)
        let table = TestTable(
            types: types,
            splits: TestData.splits(rows, types: types, splits: 3, batchMax: 700, shape: .dictionary, random: &random))
        let scan = Plan.scan("t", types)
        let sets = [[0, 1], [1], []]
        let groups = [Plan.input(scan, 0), Plan.input(scan, 1)]
        let reference = Reference(rows: rows)
        var expected: [[ScalarValue]] = []
        for (index, set) in sets.enumerated() {
            for row in reference.group(set, value: 2) {
                let keys = [0, 1].map { column in set.firstIndex(of: column).map { row[$0] } ?? .null }
                expected.append(keys + [.integer(Int64(index))] + row[set.count...])
            }
        }
        let single = Plan.aggregate(groups: groups, sets: sets, Self.calls(scan, 2), scan)
        TestData.same(try TestTask.run(single, environment: TestEnvironment(tables: ["t": table])).rows, expected)

        let partialTypes: [DataType] = [.int32, .text, .int32, .int64, .int64, .int64, .int64]
        let partial = Plan.aggregate(
            .partial, groups: groups, sets: sets, Self.calls(scan, 2), scan, output: partialTypes)
        let final = Plan.aggregate(
            .final, groups: [Plan.input(partial, 0), Plan.input(partial, 1)], sets: sets, Self.calls(scan, 2), partial)
        TestData.same(try TestTask.run(final, environment: TestEnvironment(tables: ["t": table])).rows, expected)
    }

    @Test(arguments: [1, 3]) func filterDistinctAndOrdering(threads: Int) throws {
        var random = TestRandom(8)
        let types: [DataType] = [.int32, .int64, .boolean, .int64]
        let rows = randomRows(types, count: 6000, distinct: 40, random: &random)
        let table = TestTable(
            types: types,
            splits: TestData.splits(rows, types: types, splits: 4, batchMax: 900, shape: .selected, random: &random))
        let scan = Plan.scan("t", types)
        let value = Plan.input(scan, 1)
        let flag = Plan.input(scan, 2)
        let calls = [
            TestFunctions.count(), TestFunctions.sum(value, filter: flag), TestFunctions.count(value, distinct: true),
            TestFunctions.count(value, distinct: true, filter: flag),
            TestFunctions.list(value, ordering: [SortKey(Plan.input(scan, 3), isDescending: true), SortKey(value)]),
            TestFunctions.list(value, distinct: true, ordering: [SortKey(value)]),
        ]
        for keys in [[0], []] {
            let root = Plan.aggregate(groups: keys.map { Plan.input(scan, $0) }, calls, scan)
            let result = try TestTask.run(root, environment: TestEnvironment(tables: ["t": table], threads: threads))
            var groups: [[ScalarValue]: [[ScalarValue]]] = [:]
            for row in rows { groups[keys.map { row[$0] }, default: []].append(row) }
            let expected = groups.map { key, rows in key + Self.expectedCalls(rows) }
            TestData.same(result.rows, expected)
        }
        #expect(ListExecutor.live.load(ordering: .relaxed) == 0)
    }

    private static func expectedCalls(_ rows: [[ScalarValue]]) -> [ScalarValue] {
        func integer(_ value: ScalarValue) -> Int64? { if case .integer(let number) = value { number } else { nil } }
        let flagged = rows.filter { $0[2] == .boolean(true) }
        let sum = flagged.compactMap { integer($0[1]) }
        let ordered = rows.sorted { a, b in
            // Descending, nulls first; then ascending, nulls last.
            let (x, y) = (integer(a[3]) ?? .max, integer(b[3]) ?? .max)
            return x != y ? x > y : (integer(a[1]) ?? .max) < (integer(b[1]) ?? .max)
        }
        func text(_ values: [Int64]) -> ScalarValue { .string(values.map { "\($0)" }.joined(separator: ",")) }
        return [
            .integer(Int64(rows.count)), sum.isEmpty ? .null : .integer(sum.reduce(0, +)),
            .integer(Int64(Set(rows.compactMap { integer($0[1]) }).count)),
            .integer(Int64(Set(flagged.compactMap { integer($0[1]) }).count)),
            text(ordered.compactMap { integer($0[1]) }),
            text(Set(rows.compactMap { integer($0[1]) }).sorted()),
        ]
    }

    @Test func distinctCallsAlone() throws {
        var random = TestRandom(9)
        let types: [DataType] = [.text, .int64]
        let rows = randomRows(types, count: 20_000, distinct: 300, random: &random)
        let table = TestTable(
            types: types,
            splits: TestData.splits(rows, types: types, splits: 4, batchMax: 900, shape: .plain, random: &random))
        let scan = Plan.scan("t", types)
        let value = Plan.input(scan, 1)
        let root = Plan.aggregate(
            groups: [Plan.input(scan, 0)],
            [TestFunctions.count(value, distinct: true), TestFunctions.sum(value, distinct: true)], scan)
        let result = try TestTask.run(root, environment: TestEnvironment(tables: ["t": table]))
        var groups: [ScalarValue: Set<ScalarValue>] = [:]
        for row in rows { groups[row[0], default: []].insert(row[1]) }
        let expected = groups.map { key, values -> [ScalarValue] in
            let numbers = values.compactMap { value -> Int64? in
                if case .integer(let number) = value { number } else { nil }
            }
            return [key, .integer(Int64(numbers.count)), numbers.isEmpty ? .null : .integer(numbers.reduce(0, +))]
        }
        TestData.same(result.rows, expected)
    }

    @Test func emptyInput() throws {
        let table = TestTable(types: [.int64], splits: [[]])
        let scan = Plan.scan("t", [.int64])
        let environment = TestEnvironment(tables: ["t": table])
        let calls = Self.calls(scan, 0)
        let whole = try TestTask.run(Plan.aggregate(groups: [], calls, scan), environment: environment)
        #expect(whole.rows == [[.integer(0), .integer(0), .null]])
        let grouped = try TestTask.run(
            Plan.aggregate(groups: [Plan.input(scan, 0)], calls, scan), environment: environment)
        #expect(grouped.rows.isEmpty)
    }

    @Test func memoryLimit() throws {
        var random = TestRandom(10)
        let rows = randomRows([.int64], count: 100_000, distinct: 1 << 40, random: &random)
        let table = TestTable(
            types: [.int64],
            splits: TestData.splits(rows, types: [.int64], splits: 2, batchMax: 4000, shape: .plain, random: &random))
        let scan = Plan.scan("t", [.int64])
        let root = Plan.aggregate(
            groups: [Plan.input(scan, 0)], [TestFunctions.list(Plan.input(scan, 0), ordering: [])], scan)
        let environment = TestEnvironment(tables: ["t": table], memoryLimit: 2 << 20)
        #expect { try TestTask.run(root, environment: environment) } throws: {
            ($0 as? QueryError)?.state == .outOfMemory
        }
        #expect(environment.memory.reservedByteCount == 0)
    }

    /// Every key has one of four hashes: all look-ups go through long chains of equal salts.
    @Test(arguments: [[DataType.int64], [.int64, .int64], [.text, .int64]]) func collidingHashes(types: [DataType])
        throws
    {
        var random = TestRandom(11)
        let rows = randomRows(types, count: 4000, distinct: 500, random: &random)
        let table = GroupTable(layout: GroupLayout(types: types, executors: [CountExecutor()]), hashMask: 3)
        var expected: [[ScalarValue]: Int] = [:]
        for start in stride(from: 0, to: rows.count, by: 500) {
            let piece = Array(rows[start..<start + 500])
            // Dictionary vectors of many columns have too many combinations for the array in front.
            let batch = Batch.rows(piece, types: types)
            table.find(batch.columns, count: 500)
            try table.layout.executors[0].update(
                table.groups, offset: table.layout.stateOffsets[0], arguments: [], count: 500)
            for row in piece { expected[row, default: 0] += 1 }
        }
        var found: [[ScalarValue]: Int] = [:]
        table.store.forEachChunk(partition: 0) { groups, count in
            let keys = table.readKeys(groups, count: count)
            for row in 0..<count {
                found[keys.map { $0.value(at: row) }] = groups[row].load(
                    fromByteOffset: table.layout.stateOffsets[0], as: Int.self)
            }
        }
        #expect(found == expected)
        #expect(table.groupCount == expected.count)
    }
}
