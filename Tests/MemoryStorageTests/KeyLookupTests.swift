// Look-ups by key: which predicates lead to rows, and that versions of a table find their own rows.

import Columnar
import Diagnostics
import MemoryStorage
import QueryPlan
import Storage
import Testing

@Suite struct KeyLookupTests {
    private static let definition = TableDefinition(
        columns: [
            TableColumn(field: Field(name: "id", type: .int32, isNullable: false)),
            TableColumn(field: Field(name: "name", type: .text)),
            TableColumn(field: Field(name: "amount", type: .decimal(precision: 10, scale: 2))),
        ],
        keys: [
            UniqueKey(name: "t_pkey", kind: .primary, columns: [0]),
            UniqueKey(name: "t_name_amount_key", kind: .unique, columns: [1, 2]),
        ])
    private static let types = definition.schema.types
    private static let rowCount = 10_000

    private static func row(_ id: Int) -> [ScalarValue] {
        [.integer(Int64(id)), .string("name \(id)"), .decimal(Int128(id) * 100)]
    }

    private func filled() async throws -> MemoryBackend {
        let backend = MemoryBackend()
        try await backend.createTable(schema: "public", name: "t", definition: Self.definition)
        let writer = try await table(backend).makeWriter()
        for start in stride(from: 0, to: Self.rowCount, by: 500) {
            try writer.write(Batch.rows((start..<start + 500).map(Self.row), types: Self.types))
        }
        try writer.commit()
        return backend
    }

    private func table(_ backend: MemoryBackend) async throws -> any TableProvider {
        try #require(try await backend.table(schema: "public", name: "t"))
    }

    /// The ids of the rows that a scan with predicates reads before any filter.
    private func read(_ table: any TableProvider, _ predicates: [Expression], projection: [Int] = [0, 1, 2])
        async throws
        -> [Int]
    {
        let request = ScanRequest(projection: projection, predicates: predicates)
        var ids: [Int] = []
        for split in try await table.splits(for: request) {
            let reader = try table.makeReader(for: split, request: request, context: ScanContext())
            while let batch = try reader.next() {
                for row in 0..<batch.rowCount {
                    if case .integer(let id) = batch.column(projection.firstIndex(of: 0) ?? 0).value(at: row) {
                        ids.append(Int(id))
                    }
                }
            }
        }
        return ids
    }

    private let id = Expression.input(0, .int32)
    private let name = Expression.input(1, .text)
    private let amount = Expression.input(2, .decimal(precision: 10, scale: 2))
    private func integer(_ value: Int64, _ type: DataType = .int32) -> Expression { .literal(.integer(value), type) }

    @Test func equalityReadsOneRow() async throws {
        let table = try await table(filled())
        #expect(try await read(table, [.comparison("=", id, integer(7777))]) == [7777])
        #expect(try await read(table, [.comparison("=", integer(0), id)]) == [0])
        #expect(try await read(table, [.comparison("=", id, integer(-1))]) == [])
        let wide = Expression.cast(id, to: .int64, kind: .strict)
        #expect(try await read(table, [.comparison("=", wide, integer(42, .int64))]) == [42])
        #expect(try await read(table, [.comparison("=", wide, integer(1 << 40, .int64))]) == [])
        let exact = Expression.cast(id, to: .decimal(precision: 12, scale: 1), kind: .strict)
        let half = Expression.literal(.decimal(425), .decimal(precision: 12, scale: 1))
        #expect(try await read(table, [.comparison("=", exact, half)]) == [])
        let whole = Expression.literal(.decimal(420), .decimal(precision: 12, scale: 1))
        #expect(try await read(table, [.comparison("=", exact, whole)]) == [42])
    }

    @Test func listsReadTheirRows() async throws {
        let table = try await table(filled())
        let values: [ScalarValue] = [.integer(9_000), .integer(3), .null, .integer(3), .integer(70_000)]
        #expect(try await read(table, [.inList(id, values)]) == [3, 9_000])
        let both: [Expression] = [
            .inList(name, [.string("name 5"), .string("name 6")]),
            .inList(amount, [.decimal(500), .decimal(600), .decimal(700)]),
        ]
        #expect(try await read(table, both) == [5, 6])
        #expect(try await read(table, [.and(both)]) == [5, 6])
    }

    @Test func otherColumnsOfTheOutput() async throws {
        let table = try await table(filled())
        let second = Expression.input(1, .int32)
        #expect(try await read(table, [.comparison("=", second, integer(12))], projection: [2, 0]) == [12])
    }

    @Test func whatMayMeanMoreReadsEverything() async throws {
        let table = try await table(filled())
        let predicates: [Expression] = [
            .comparison("<", id, integer(5)),
            .comparison("=", .cast(id, to: .int16, kind: .strict), integer(5, .int16)),
            .comparison("=", .cast(id, to: .float64, kind: .strict), .literal(.float(5), .float64)),
            // Only a part of a key.
            .comparison("=", name, .literal(.string("name 5"), .text)),
            .or([.comparison("=", id, integer(5)), .comparison("=", id, integer(6))]),
            .not(.comparison("=", id, integer(5))),
            .inList(id, (0..<1000).map { .integer($0) }),
        ]
        for predicate in predicates {
            #expect(try await read(table, [predicate]).count == Self.rowCount, "\(predicate)")
        }
        let cut = Expression.cast(name, to: .varchar(length: 6), kind: .strict)
        let pair: [Expression] = [
            .comparison("=", cut, .literal(.string("name 5"), .varchar(length: 6))),
            .comparison("=", amount, .literal(.decimal(500), .decimal(precision: 10, scale: 2))),
        ]
        #expect(try await read(table, pair).count == Self.rowCount)
    }

    @Test func versionsFindTheirOwnRows() async throws {
        let backend = try await filled()
        let before = try await table(backend)
        let identified = ScanRequest(projection: [3], predicates: [])
        #expect(try await before.splits(for: identified).count >= 1)

        // Row 5 is deleted, row 6 gets the key 5, and row 7 another amount.
        let modifier = try await before.makeModifier()
        try modifier.delete(try await identifiers(before, of: [5, 6, 7]))
        try modifier.write(
            Batch.rows(
                [[.integer(5), .string("six"), .decimal(600)], [.integer(7), .string("name 7"), .decimal(1)]],
                types: Self.types))
        try modifier.commit()

        let after = try await table(backend)
        func names(_ table: any TableProvider, _ key: Int64) async throws -> [String] {
            let request = ScanRequest(projection: [0, 1, 2], predicates: [.comparison("=", id, integer(key))])
            var names: [String] = []
            for split in try await table.splits(for: request) {
                let reader = try table.makeReader(for: split, request: request, context: ScanContext())
                while let batch = try reader.next() {
                    names += (0..<batch.rowCount).compactMap { batch.column(1).value(at: $0).text }
                }
            }
            return names
        }
        #expect(try await names(before, 5) == ["name 5"])
        #expect(try await names(before, 6) == ["name 6"])
        #expect(try await names(after, 5) == ["six"])
        #expect(try await names(after, 6) == [])
        #expect(try await names(after, 7) == ["name 7"])
        #expect(try await names(after, 9_999) == ["name 9999"])

        // A key whose row is gone may come back; one that is there may not.
        let writer = try await after.makeWriter()
        try writer.write(Batch.rows([Self.row(6)], types: Self.types))
        try writer.commit()
        #expect(try await names(table(backend), 6) == ["name 6"])
        let second = try await table(backend).makeWriter()
        try second.write(Batch.rows([Self.row(6)], types: Self.types))
        #expect { try second.commit() } throws: { ($0 as? QueryError)?.state == .uniqueViolation }
    }

    /// Keys that change again and again: the index is built anew, and stays right.
    @Test func manyUpdates() async throws {
        let backend = MemoryBackend()
        try await backend.createTable(schema: "public", name: "t", definition: Self.definition)
        let writer = try await table(backend).makeWriter()
        try writer.write(Batch.rows((0..<10).map(Self.row), types: Self.types))
        try writer.commit()
        for round in 1...600 {
            let current = try await table(backend)
            let modifier = try await current.makeModifier()
            let old = (0..<10).map { $0 + (round - 1) * 10 }
            try modifier.delete(try await identifiers(current, of: old))
            try modifier.write(Batch.rows(old.map { Self.row($0 + 10) }, types: Self.types))
            try modifier.commit()
        }
        let last = try await table(backend)
        #expect(try await read(last, [.comparison("=", id, integer(6_004))]).filter { $0 == 6_004 } == [6_004])
        #expect(try await read(last, [.comparison("=", id, integer(5_994))]).filter { $0 == 5_994 } == [])
    }

    private func identifiers(_ table: any TableProvider, of wanted: [Int]) async throws -> [Int64] {
        let request = ScanRequest(projection: [0, 3])
        var result: [Int64] = []
        for split in try await table.splits(for: request) {
            let reader = try table.makeReader(for: split, request: request, context: ScanContext())
            while let batch = try reader.next() {
                for row in 0..<batch.rowCount {
                    guard case .integer(let id) = batch.column(0).value(at: row), wanted.contains(Int(id)),
                        case .integer(let number) = batch.column(1).value(at: row)
                    else { continue }
                    result.append(number)
                }
            }
        }
        return result
    }
}
