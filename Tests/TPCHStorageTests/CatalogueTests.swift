// The catalogue: schema names, statistics that hold, splits that cover the table, pruning and filters.

import Columnar
import Diagnostics
import EngineConfiguration
import QueryPlan
import Storage
import TPCHData
import TPCHStorage
import Testing

@Suite struct CatalogueTests {
    private func provider(_ table: String, schema: String = "tiny") async throws -> any TableProvider {
        try #require(try await TPCHBackend().table(schema: schema, name: table))
    }

    /// All rows of a scan over all its splits.
    private func read(_ table: any TableProvider, _ request: ScanRequest, filters: [any ScanFilter] = []) async throws
        -> [Batch]
    {
        var batches: [Batch] = []
        for split in try await table.splits(for: request) {
            let context = ScanContext(filters: filters)
            let reader = try table.makeReader(for: split, request: request, context: context)
            while let batch = try reader.next() { batches.append(batch) }
        }
        return batches
    }

    @Test func schemasAreScaleFactors() async throws {
        let backend = TPCHBackend()
        #expect(try await backend.schemaNames().contains("sf0.1"))
        #expect(try TPCHBackend.scale(ofSchema: "tiny")?.factor == 0.01)
        #expect(try TPCHBackend.scale(ofSchema: "sf1")?.factor == 1)
        #expect(try TPCHBackend.scale(ofSchema: "sf2.5")?.factor == 2.5)
        for name in ["public", "sf", "sf1e3", "sf-1", "sf1x", "SF1", "sf1.2.3", "sf.5", "sfnan"] {
            #expect(try TPCHBackend.scale(ofSchema: name) == nil, "\(name)")
        }
        #expect(try await backend.tableNames(schema: "sf7").count == 8)
        #expect(try await backend.tableNames(schema: "public").isEmpty)
        #expect(try await backend.table(schema: "sf1", name: "customers") == nil)
        for name in ["sf0", "sf0.0001", "sf100000"] {
            let error = await #expect(throws: QueryError.self) { try await backend.table(schema: name, name: "orders") }
            #expect(error?.state == .invalidParameterValue)
        }
    }

    @Test func pluginTakesNoOptions() throws {
        #expect(try TPCHPlugin().makeStorageBackend(ConfigurationSection(name: "tpch")) != nil)
        #expect(throws: QueryError.self) {
            try TPCHPlugin().makeStorageBackend(ConfigurationSection(name: "tpch", values: ["scale": "1"]))
        }
    }

    @Test(arguments: TPCHTable.allCases)
    func rowCountsAreExact(_ table: TPCHTable) async throws {
        for schema in ["tiny", "sf0.037", "sf0.1"] {
            let provider = try await provider(table.rawValue, schema: schema)
            let statistics = try await provider.statistics()
            let batches = try await read(provider, ScanRequest(projection: []))
            #expect(statistics.rowCount == Double(batches.reduce(0) { $0 + $1.rowCount }))
        }
    }

    @Test func lineCountsOfLargeScalesAreKnown() throws {
        #expect(TPCHTable.lineitem.rowCount(.one) == (6_001_215, true))
        #expect(TPCHTable.lineitem.rowCount(try TPCHScale(1000)) == (5_999_989_709, true))
        #expect(TPCHTable.lineitem.rowCount(try TPCHScale(1.5)).isExact)
        #expect(!TPCHTable.lineitem.rowCount(try TPCHScale(77)).isExact)
        #expect(TPCHTable.partsupp.rowCount(try TPCHScale(10)) == (8_000_000, true))
    }

    @Test(arguments: TPCHTable.allCases)
    func statisticsHold(_ table: TPCHTable) async throws {
        let provider = try await provider(table.rawValue)
        let statistics = try await provider.statistics()
        let all = Array(provider.schema.fields.indices)
        let batches = try await read(provider, ScanRequest(projection: all))
        for ordinal in all {
            let facts = statistics.columns[ordinal]
            let name = provider.schema.fields[ordinal].name
            var values: Set<ScalarValue> = []
            var byteCount = 0
            for batch in batches {
                let column = batch.column(ordinal)
                for row in 0..<batch.rowCount {
                    let value = column.value(at: row)
                    #expect(value != .null)
                    if case .bytes(let bytes) = value { byteCount += bytes.count }
                    values.insert(value)
                }
            }
            for value in values {
                if let minimum = facts.minimum { #expect(!ascends(value, minimum), "\(name) \(value) \(minimum)") }
                if let maximum = facts.maximum { #expect(!ascends(maximum, value), "\(name) \(value) \(maximum)") }
            }
            #expect(facts.nullFraction == 0)
            let distinct = try #require(facts.distinctCount)
            #expect(
                distinct > 0.7 * Double(values.count) && distinct < 1.4 * Double(values.count) + 2,
                "\(name) \(values.count)")
            if provider.schema.fields[ordinal].type == .text, let rowCount = statistics.rowCount {
                let average = try #require(facts.averageByteCount)
                #expect(abs(average - Double(byteCount) / rowCount) < 0.15 * average + 1, "\(name)")
            }
        }
    }

    /// Whether `a` comes before `b`, for values of one kind.
    private func ascends(_ a: ScalarValue, _ b: ScalarValue) -> Bool {
        switch (a, b) {
        case (.integer(let a), .integer(let b)): a < b
        case (.decimal(let a), .decimal(let b)): a < b
        case (.bytes(let a), .bytes(let b)): a.lexicographicallyPrecedes(b)
        default: false
        }
    }

    @Test(arguments: TPCHTable.allCases)
    func splitsCoverTheTableOnce(_ table: TPCHTable) async throws {
        let provider = try await provider(table.rawValue)
        let batches = try await read(provider, ScanRequest(projection: [0]))
        let whole = table.makeGenerator(.tiny, units: 0..<table.unitCount(.tiny))
        var expected: [ScalarValue] = []
        while let batch = whole.nextBatch([0]) {
            expected += (0..<batch.rowCount).map { batch.column(0).value(at: $0) }
        }
        #expect(batches.flatMap { batch in (0..<batch.rowCount).map { batch.column(0).value(at: $0) } } == expected)
    }

    @Test func keyPredicatesLeaveOutSplits() async throws {
        let orders = try await provider("orders", schema: "sf1")
        let key = Expression.input(1, .int64)
        func rows(_ predicates: [Expression]) async throws -> Int {
            let request = ScanRequest(projection: [4, 0], predicates: predicates)
            return try await orders.splits(for: request).reduce(0) { $0 + $1.estimatedRowCount }
        }
        func literal(_ value: Int64) -> Expression { .literal(.integer(value), .int64) }
        #expect(try await rows([]) == 1_500_000)
        #expect(try await rows([.comparison("=", key, literal(39))]) == 1)
        #expect(try await rows([.comparison("=", key, literal(8))]) == 0)
        #expect(try await rows([.comparison("<", key, literal(33))]) == 8)
        #expect(try await rows([.comparison("<=", literal(5_999_968), key)]) == 9)
        #expect(try await rows([.inList(key, [.integer(7), .integer(1), .null])]) == 7)
        #expect(try await rows([.comparison(">", key, literal(.max))]) == 0)
        // Other columns and other forms leave everything.
        #expect(try await rows([.comparison("=", .input(0, .date), literal(39))]) == 1_500_000)
        #expect(try await rows([.comparison("<>", key, literal(39))]) == 1_500_000)
    }

    @Test func everyKeyIsFoundByItsPredicate() async throws {
        for (table, key) in [
            ("lineitem", Int64(59_975)), ("partsupp", 1777), ("customer", 1500), ("nation", 0), ("region", 4),
        ] {
            let provider = try await provider(table)
            let predicate = Expression.comparison("=", .input(0, .int64), .literal(.integer(key), .int64))
            let batches = try await read(provider, ScanRequest(projection: [0], predicates: [predicate]))
            let rows = batches.flatMap { batch in (0..<batch.rowCount).map { batch.column(0).value(at: $0) } }
            #expect(!rows.isEmpty && rows.allSatisfy { $0 == .integer(key) }, "\(table)")
        }
    }

    /// Keeps the rows whose decimal or integer at one position is below a bound.
    private final class BelowFilter: ScanFilter {
        let positions: [Int]
        let prunable: Expression?
        private let bound: Int64
        init(position: Int, bound: Int64, prunable: Expression? = nil) {
            positions = [position]
            self.bound = bound
            self.prunable = prunable
        }
        func select(_ batch: Batch) throws -> Selection? {
            let column = batch.column(positions[0])
            let selection = Selection(capacity: batch.rowCount)
            for row in 0..<batch.rowCount where column.values(Int64.self)[row] < bound {
                selection.rows[selection.count] = UInt16(row)
                selection.count += 1
            }
            return selection
        }
    }

    @Test func filtersAreExact() async throws {
        let lines = try await provider("lineitem")
        let request = ScanRequest(projection: [15, 4, 6, 0])
        let everything = try await read(lines, request)
        let range = Expression.comparison("<", .input(3, .int64), .literal(.integer(20_000), .int64))
        let filters: [any ScanFilter] = [
            BelowFilter(position: 1, bound: 2400), BelowFilter(position: 2, bound: 3),
            BelowFilter(position: 3, bound: 20_000, prunable: range),
        ]
        let kept = try await read(lines, request, filters: filters)
        let expected = everything.flatMap { batch in (0..<batch.rowCount).map { batch.row($0) } }.filter { row in
            guard case .decimal(let quantity) = row[1], case .decimal(let discount) = row[2],
                case .integer(let key) = row[3]
            else { return false }
            return quantity < 2400 && discount < 3 && key < 20_000
        }
        #expect(!expected.isEmpty)
        #expect(kept.flatMap { batch in (0..<batch.rowCount).map { batch.row($0) } } == expected)
    }

    @Test func limitNeedsFewSplits() async throws {
        let lines = try await provider("lineitem", schema: "sf10")
        let request = ScanRequest(projection: [0], limit: 10)
        #expect(try await lines.splits(for: request).count == 1)
        let batches = try await read(lines, request)
        #expect((10...Batch.standardRowCount).contains(batches.reduce(0) { $0 + $1.rowCount }))
    }

    @Test func foreignSplitsAreRefused() async throws {
        let lines = try await provider("lineitem")
        let request = ScanRequest(projection: [0])
        for payload in [[], [UInt8](repeating: 255, count: 16), [UInt8](repeating: 1, count: 16)] {
            #expect(throws: QueryError.self) {
                try lines.makeReader(
                    for: Split(payload: payload, estimatedRowCount: 0), request: request, context: ScanContext())
            }
        }
    }
}
