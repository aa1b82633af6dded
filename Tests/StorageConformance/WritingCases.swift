// Cases about making, filling and changing tables. Each has a table of its own.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Synchronization

/// Numbers tables, so that no case meets another's.
private let lastTable = Atomic<Int>(0)

extension ConformanceFixture {
    /// A new table while `body` runs.
    func withTable(
        _ fields: [Field], _ body: (_ name: String) async throws -> Void
    ) async throws {
        let name = "case_\(lastTable.wrappingAdd(1, ordering: .relaxed).newValue)"
        do { try await backend.createTable(schema: schema, name: name, columns: fields) } catch let error as QueryError
            where error.state == .featureNotSupported
        { throw NotApplicable(reason: error.message) }
        do { try await body(name) } catch {
            try? await backend.dropTable(schema: schema, name: name)
            throw error
        }
        try await backend.dropTable(schema: schema, name: name)
    }

    func write(_ name: String, _ rows: [[ScalarValue]]) async throws {
        let table = try await provider(name)
        let writer = try await table.makeWriter()
        try writer.write(Batch.rows(rows, types: table.schema.types))
        try writer.commit()
    }

    func all(_ name: String) async throws -> [[ScalarValue]] {
        let table = try await provider(name)
        return try await rows(table, ScanRequest(projection: Array(table.schema.fields.indices)))
    }
}

extension StorageConformance {
    private static let pair = [Field(name: "a", type: .int64), Field(name: "b", type: .text)]
    private static func pairs(_ numbers: some Sequence<Int>) -> [[ScalarValue]] {
        numbers.map { [.integer(Int64($0)), $0 % 3 == 0 ? .null : .string("row \($0) in a text of some length")] }
    }

    static let tableCases: [ConformanceCase] = [
        ConformanceCase("tables and appends") { fixture in
            try await checkWriting(fixture.backend, schema: fixture.schema)
        },
        ConformanceCase("a new table is empty and listed") { fixture in
            try await fixture.withTable(pair) { name in
                try fixture.require(try await fixture.all(name).isEmpty, "it has rows")
                let names = try await fixture.backend.tableNames(schema: fixture.schema)
                try fixture.require(names.contains(name) && names == names.sorted(), "it is not listed in its place")
            }
        },
        ConformanceCase("names with quotes, blanks and capitals") { fixture in
            let fields = [
                Field(name: "a \"b\"", type: .int64), Field(name: "Select", type: .text),
                Field(name: "é'", type: .text),
            ]
            try await fixture.withTable(fields) { name in
                try await fixture.write(name, [[.integer(1), .string("x"), .null]])
                let table = try await fixture.provider(name)
                try fixture.require(table.schema.fields.map(\.name) == fields.map(\.name), "columns have other names")
                try fixture.require(try await fixture.all(name) == [[.integer(1), .string("x"), .null]], "other rows")
            }
        },
        ConformanceCase("a writer without rows") { fixture in
            try await fixture.withTable(pair) { name in
                let writer = try await fixture.provider(name).makeWriter()
                try writer.commit()
                try fixture.require(try await fixture.all(name).isEmpty, "rows came from nowhere")
            }
        },
        ConformanceCase("a batch without rows") { fixture in
            try await fixture.withTable(pair) { name in
                try await fixture.write(name, [])
                try fixture.require(try await fixture.all(name).isEmpty, "rows came from nowhere")
            }
        },
        ConformanceCase("many batches, one commit") { fixture in
            try await fixture.withTable(pair) { name in
                let table = try await fixture.provider(name)
                let writer = try await table.makeWriter()
                for start in stride(from: 0, to: 30_000, by: 1_000) {
                    try writer.write(Batch.rows(pairs(start..<start + 1_000), types: table.schema.types))
                    try await writer.drain()
                }
                try await writer.finish()
                try fixture.requireSame(try await fixture.all(name), pairs(0..<30_000), "rows of many batches")
            }
        },
        ConformanceCase("a dictionary and a constant are written as their values") { fixture in
            try await fixture.withTable(pair) { name in
                let values = Batch.rows(
                    [[.string("one")], [.null], [.string("a third text, a long one")]], types: [.text])
                let codes = Buffer(byteCount: 24)
                for row in 0..<6 { codes.base.assumingMemoryBound(to: UInt32.self)[row] = UInt32(row % 3) }
                let writer = try await fixture.provider(name).makeWriter()
                try writer.write(
                    Batch(
                        columns: [
                            Vector.constant(.integer(7), type: .int64, count: 6),
                            Vector(codes: codes, count: 6, dictionary: values.columns[0]),
                        ], rowCount: 6))
                try writer.commit()
                let wanted: [[ScalarValue]] = (0..<6).map {
                    [.integer(7), [.string("one"), .null, .string("a third text, a long one")][$0 % 3]]
                }
                try fixture.requireSame(try await fixture.all(name), wanted, "encoded vectors")
            }
        },
        ConformanceCase("an aborted writer leaves nothing") { fixture in
            try await fixture.withTable(pair) { name in
                try await fixture.write(name, pairs(0..<10))
                let table = try await fixture.provider(name)
                let writer = try await table.makeWriter()
                for start in stride(from: 0, to: 20_000, by: 1_000) {
                    try writer.write(Batch.rows(pairs(start..<start + 1_000), types: table.schema.types))
                    try await writer.drain()
                }
                writer.abort()
                try fixture.requireSame(try await fixture.all(name), pairs(0..<10), "rows of an aborted writer")
            }
        },
        ConformanceCase("a writer that is dropped leaves nothing") { fixture in
            try await fixture.withTable(pair) { name in
                do {
                    let table = try await fixture.provider(name)
                    let writer = try await table.makeWriter()
                    try writer.write(Batch.rows(pairs(0..<1_000), types: table.schema.types))
                }
                try await fixture.write(name, pairs(5..<6))
                try fixture.requireSame(try await fixture.all(name), pairs(5..<6), "rows of a dropped writer")
            }
        },
        ConformanceCase("NULL where it is forbidden") { fixture in
            let fields = [Field(name: "a", type: .int64, isNullable: false), Field(name: "b", type: .text)]
            try await fixture.withTable(fields) { name in
                try await fixture.requireFailure([.notNullViolation], "NULL is written") {
                    try await fixture.write(name, [[.integer(1), .null], [.null, .null]])
                }
                try fixture.require(try await fixture.all(name).isEmpty, "rows of a refused batch are there")
            }
        },
        ConformanceCase("writers one after the other") { fixture in
            try await fixture.withTable(pair) { name in
                for number in 0..<5 { try await fixture.write(name, pairs(number * 10..<number * 10 + 10)) }
                try fixture.requireSame(try await fixture.all(name), pairs(0..<50), "rows of several writers")
            }
        },
        ConformanceCase("writers at the same time") { fixture in
            try await fixture.withTable(pair) { name in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<6 {
                        group.addTask {
                            // A store may refuse one of two changes at the same time; then it is made again.
                            for attempt in 0... {
                                do {
                                    let table = try await fixture.provider(name)
                                    let writer = try await table.makeWriter()
                                    try writer.write(
                                        Batch.rows(
                                            pairs(number * 100..<number * 100 + 100), types: table.schema.types))
                                    return try await writer.finish()
                                } catch let error as QueryError
                                    where error.state == .serializationFailure && attempt < 100
                                {}
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                try fixture.requireSame(try await fixture.all(name), pairs(0..<600), "rows of writers at the same time")
            }
        },
        ConformanceCase("a long text and many bytes") { fixture in
            try await fixture.withTable([Field(name: "t", type: .text), Field(name: "n", type: .int64)]) { name in
                let long = ScalarValue.bytes(Array(repeating: UInt8(ascii: "x"), count: 3_000_000))
                let rows: [[ScalarValue]] = [[long, .integer(1)], [.string(""), .integer(2)], [.null, .integer(3)]]
                try await fixture.write(name, rows)
                try fixture.requireSame(try await fixture.all(name), rows, "long values")
            }
        },
        ConformanceCase("a dropped table can be made again") { fixture in
            for rows in [pairs(0..<3), pairs(3..<9)] {
                try await fixture.backend.createTable(schema: fixture.schema, name: "again", columns: pair)
                try await fixture.write("again", rows)
                try fixture.requireSame(try await fixture.all("again"), rows, "a table of a dropped one's name")
                try await fixture.backend.dropTable(schema: fixture.schema, name: "again")
            }
        },
    ]

    // MARK: Changing rows

    private static func withRows(
        _ fixture: ConformanceFixture, _ count: Int,
        _ body: (_ name: String, _ table: any TableProvider, _ identifiers: [Int64: Int64]) async throws -> Void
    ) async throws {
        try await fixture.withTable(pair) { name in
            try await fixture.write(name, pairs(0..<count))
            let table = try await fixture.provider(name)
            guard table.identifiesRows else { throw NotApplicable(reason: "rows have no identifiers") }
            var identifiers: [Int64: Int64] = [:]
            for row in try await fixture.rows(table, ScanRequest(projection: [0, table.schema.count])) {
                if case .integer(let key) = row[0], case .integer(let identifier) = row[1] {
                    identifiers[key] = identifier
                }
            }
            try fixture.require(Set(identifiers.values).count == count, "rows share identifiers")
            try await body(name, table, identifiers)
        }
    }

    static let modificationCases: [ConformanceCase] = [
        ConformanceCase("deleting some rows") { fixture in
            try await withRows(fixture, 100) { name, table, identifiers in
                let modifier = try await table.makeModifier()
                try modifier.delete((0..<50).compactMap { identifiers[Int64($0 * 2)] })
                try await modifier.finish()
                try fixture.requireSame(
                    try await fixture.all(name), pairs((0..<50).map { $0 * 2 + 1 }), "rows after a deletion")
            }
        },
        ConformanceCase("deleting all rows") { fixture in
            try await withRows(fixture, 5_000) { name, table, identifiers in
                let modifier = try await table.makeModifier()
                try modifier.delete(Array(identifiers.values))
                try await modifier.finish()
                try fixture.require(try await fixture.all(name).isEmpty, "rows are left")
            }
        },
        ConformanceCase("updating rows") { fixture in
            try await withRows(fixture, 50) { name, table, identifiers in
                let modifier = try await table.makeModifier()
                let changed = (10..<20).map { [ScalarValue.integer(Int64($0)), .string("new \($0)")] }
                try modifier.update(
                    (10..<20).compactMap { identifiers[Int64($0)] },
                    with: Batch.rows(changed, types: table.schema.types))
                try await modifier.finish()
                try fixture.requireSame(
                    try await fixture.all(name), pairs(0..<10) + changed + pairs(20..<50), "rows after an update")
            }
        },
        ConformanceCase("deleting, updating and inserting at once") { fixture in
            try await withRows(fixture, 30) { name, table, identifiers in
                let modifier = try await table.makeModifier()
                try modifier.write(Batch.rows(pairs(100..<105), types: table.schema.types))
                try modifier.delete([identifiers[3], identifiers[4]].compactMap { $0 })
                try modifier.update(
                    [identifiers[7]].compactMap { $0 },
                    with: Batch.rows([[.null, .string("seven")]], types: table.schema.types))
                try await modifier.finish()
                let wanted =
                    pairs((0..<30).filter { ![3, 4, 7].contains($0) }) + pairs(100..<105) + [[.null, .string("seven")]]
                try fixture.requireSame(try await fixture.all(name), wanted, "rows after all kinds of changes")
            }
        },
        ConformanceCase("an aborted modifier changes nothing") { fixture in
            try await withRows(fixture, 20) { name, table, identifiers in
                let modifier = try await table.makeModifier()
                try modifier.delete(Array(identifiers.values))
                try modifier.write(Batch.rows(pairs(50..<60), types: table.schema.types))
                modifier.abort()
                try fixture.requireSame(try await fixture.all(name), pairs(0..<20), "rows after an abort")
            }
        },
        ConformanceCase("rows that somebody else has deleted") { fixture in
            try await withRows(fixture, 20) { name, table, identifiers in
                let other = try await fixture.provider(name)
                let late = try await table.makeModifier()
                let reread = try await fixture.rows(other, ScanRequest(projection: [0, other.schema.count]))
                guard case .integer(let identifier)? = reread.first(where: { $0[0] == .integer(5) })?[1],
                    let known = identifiers[5]
                else { throw ConformanceFailure(description: "row 5 is not found") }
                let first = try await other.makeModifier()
                try first.delete([identifier])
                try await first.finish()
                try await fixture.requireFailure([.serializationFailure], "a row is deleted twice") {
                    try late.delete([known])
                    try await late.finish()
                }
                try fixture.requireSame(
                    try await fixture.all(name), pairs((0..<20).filter { $0 != 5 }), "rows after the conflict")
            }
        },
        ConformanceCase("a scan goes on reading what it began with") { fixture in
            try await withRows(fixture, 6_000) { name, table, _ in
                let request = ScanRequest(projection: [0])
                let splits = try await table.splits(for: request)
                try await fixture.write(name, pairs(6_000..<6_100))
                var count = 0
                for split in splits { count += try ConformanceFixture.rows(table, split, request).count }
                try fixture.require(count == 6_000, "a scan gives \(count) rows after a commit of another")
            }
        },
    ]
}
