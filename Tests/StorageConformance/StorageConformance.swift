// The rules that every storage backend keeps, as checks that any test target calls in a few lines.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// A rule that was broken.
package struct ConformanceFailure: Error, CustomStringConvertible {
    package let description: String
}

/// Checks a backend that holds `StandardTable`. Every method throws `ConformanceFailure` for the first broken rule.
package struct StorageConformance {
    private let backend: any StorageBackend
    private let schema: String
    private let name: String
    private let expected = StandardTable.rows

    package init(_ backend: any StorageBackend, schema: String, table: String) {
        self.backend = backend
        self.schema = schema
        name = table
    }

    /// All rules of reading. The table stays as it is.
    package func checkReading() async throws {
        try await checkCatalogue()
        try await checkScan()
        try await checkPredicates()
        try await checkFilters()
        try await checkStatistics()
        try await checkSplits()
        try await checkLimitAndCancellation()
    }

    // MARK: Tools

    private func require(_ condition: Bool, _ rule: @autoclosure () -> String) throws {
        if !condition { throw ConformanceFailure(description: rule()) }
    }

    private func table() async throws -> any TableProvider {
        guard let table = try await backend.table(schema: schema, name: name) else {
            throw ConformanceFailure(description: "table \(schema).\(name) is not found")
        }
        return table
    }

    private func read(
        _ table: any TableProvider, _ split: Split, _ request: ScanRequest, _ filters: [any ScanFilter] = []
    ) throws -> [[ScalarValue]] {
        var rows: [[ScalarValue]] = []
        let reader = try table.makeReader(for: split, request: request, context: ScanContext(filters: filters))
        while let batch = try reader.next() {
            try require(batch.rowCount > 0, "a batch has no rows")
            try require(batch.physicalCount <= Batch.rowCountMax, "a batch is too large")
            try require(batch.columnCount == request.projection.count, "a batch has other columns than the projection")
            for (column, ordinal) in zip(batch.columns, request.projection) {
                try require(
                    column.physical == table.schema.fields[ordinal].type.physical, "a column has the wrong layout")
                try require(column.count == batch.physicalCount, "a column has the wrong number of rows")
            }
            for row in 0..<batch.rowCount { rows.append(batch.row(row)) }
        }
        try require(try reader.next() == nil, "a reader gives a batch after its end")
        return rows
    }

    private func read(_ request: ScanRequest, _ filters: [any ScanFilter] = []) async throws -> [[ScalarValue]] {
        let table = try await table()
        var rows: [[ScalarValue]] = []
        for split in try await table.splits(for: request) { rows += try read(table, split, request, filters) }
        return rows
    }

    /// Rows in the order of `id`, which is the first column.
    private func sorted(_ rows: [[ScalarValue]]) -> [[ScalarValue]] {
        rows.sorted {
            if case .integer(let a) = $0[0], case .integer(let b) = $1[0] { a < b } else { false }
        }
    }

    // MARK: Rules

    func checkCatalogue() async throws {
        try require(try await backend.schemaNames().contains(schema), "the schema is not listed")
        let names = try await backend.tableNames(schema: schema)
        try require(names == names.sorted(), "names of tables are not sorted")
        try require(names.contains(name), "the table is not listed")
        try require(try await backend.tableNames(schema: "no such schema").isEmpty, "an unknown schema has tables")
        try require(try await backend.table(schema: schema, name: "no such table") == nil, "an unknown table is found")
        try require(
            try await backend.table(schema: "no such schema", name: name) == nil, "a table is in a wrong schema")
        let fields = try await table().schema.fields
        try require(fields.map(\.name) == StandardTable.fields.map(\.name), "columns have wrong names")
        try require(fields.map(\.type) == StandardTable.fields.map(\.type), "columns have wrong types")
    }

    private func checkScan() async throws {
        let all = try await read(ScanRequest(projection: [0, 1, 2, 3, 4]))
        try require(sorted(all) == expected, "a scan of all columns gives other rows")
        let some = try await read(ScanRequest(projection: [0, 4, 0]))
        try require(sorted(some) == expected.map { [$0[0], $0[4], $0[0]] }, "a projection gives other values")
        let count = try await read(ScanRequest(projection: [])).count
        try require(count == expected.count, "an empty projection gives \(count) rows")
    }

    private func checkPredicates() async throws {
        let id = Expression.input(0, .int64)
        let category = Expression.input(1, .text)
        let day = Expression.input(2, .date)
        func number(_ value: Int64) -> Expression { .literal(.integer(value), .int64) }
        let predicates: [(Expression, ([ScalarValue]) -> Bool)] = [
            (.comparison("<", id, number(100)), { $0[0] < 100 }),
            (.comparison(">=", id, number(9990)), { $0[0] >= 9990 }),
            (.comparison("=", number(4321), id), { $0[0] == 4321 }),
            (.inList(id, [.integer(5), .null, .integer(9999)]), { $0[0] == 5 || $0[0] == 9999 }),
            (.isNull(day), { $0[2].isNull }),
            (.not(.isNull(day)), { !$0[2].isNull }),
            (.comparison("=", category, .literal(.string("category 3"), .text)), { $0[1].text == "category 3" }),
            (
                .or([.comparison("<", id, number(3)), .comparison(">", id, number(9996))]),
                { $0[0] < 3 || $0[0] > 9996 }
            ),
            (.comparison("<", id, number(-1)), { _ in false }),
        ]
        for (predicate, condition) in predicates {
            let request = ScanRequest(projection: [0, 1, 3], predicates: [predicate])
            let found = Set(try await read(request))
            let wanted = expected.map { [$0[0], $0[1], $0[3]] }.filter(condition)
            try require(wanted.allSatisfy { found.contains($0) }, "rows are lost by the predicate \(predicate)")
        }
    }

    func checkFilters() async throws {
        let even = RowFilter([0]) { $0[0] % 2 == 0 }
        let fourth = RowFilter([1]) { $0[0].text == "category 4" }
        let late = RowFilter([0, 3]) { !$0[1].isNull && $0[0] > 5000 }
        let request = ScanRequest(projection: [0, 1, 2, 3, 4])
        let found = sorted(try await read(request, [even, fourth, late]))
        let wanted = expected.filter {
            $0[0] % 2 == 0 && $0[1].text == "category 4" && !$0[3].isNull && $0[0] > 5000
        }
        try require(found == wanted, "filters give other rows")
        let few = sorted(try await read(ScanRequest(projection: [4, 0]), [RowFilter([1]) { $0[0] % 997 == 0 }]))
        try require(
            few.map { $0[0] }.count == expected.filter { $0[0] % 997 == 0 }.count, "a selective filter loses rows")
        let fewWanted = Set(expected.filter { $0[0] % 997 == 0 }.map { [$0[4], $0[0]] })
        try require(Set(few) == fewWanted, "a selective filter gives other values")
        try require(
            try await read(request, [RowFilter([0]) { _ in false }]).isEmpty, "a filter that rejects all does not")
        try require(
            try await read(request, [RowFilter([]) { _ in true }]).count == expected.count,
            "a filter without columns changes the rows")
    }

    func checkStatistics() async throws {
        let table = try await table()
        let statistics = try await table.statistics()
        try require(statistics.columns.count == table.schema.count, "statistics lack columns")
        if let rows = statistics.rowCount {
            let ratio = rows / Double(expected.count)
            try require(ratio > 0.5 && ratio < 2, "the row count is far off: \(rows)")
        }
        for (index, column) in statistics.columns.enumerated() {
            let values = expected.map { $0[index] }.filter { !$0.isNull }
            let name = table.schema.fields[index].name
            if let low = column.minimum {
                try require(values.allSatisfy { !($0 < low) }, "the minimum of \(name) is not one")
            }
            if let high = column.maximum {
                try require(values.allSatisfy { !(high < $0) }, "the maximum of \(name) is not one")
            }
            if let fraction = column.nullFraction {
                let actual = 1 - Double(values.count) / Double(expected.count)
                try require(abs(fraction - actual) < 0.05, "the share of nulls of \(name) is far off")
            }
            if let distinct = column.distinctCount {
                let actual = Double(Set(values).count)
                try require(
                    distinct >= actual / 4 && distinct <= actual * 4 + 8,
                    "the distinct values of \(name) are far off: \(distinct) for \(actual)")
            }
        }
    }

    func checkSplits() async throws {
        let table = try await table()
        let request = ScanRequest(projection: [0, 1, 2, 3, 4])
        let splits = try await table.splits(for: request)
        try require(Set(splits).count == splits.count, "two splits are the same")
        // Another node has only the payload, and its own provider.
        let other = try await self.table()
        var rows: [[ScalarValue]] = []
        for split in splits.reversed() {
            let copy = Split(payload: split.payload, estimatedRowCount: 0)
            let first = try read(other, copy, request)
            try require(try read(other, copy, request) == first, "a split gives other rows when it is read again")
            rows += first
        }
        try require(sorted(rows) == expected, "splits read on their own give other rows")
        // Readers side by side.
        if splits.count > 1 {
            let readers = try splits.map { try table.makeReader(for: $0, request: request, context: ScanContext()) }
            var count = 0
            var isGoing = true
            while isGoing {
                isGoing = false
                for reader in readers {
                    if let batch = try reader.next() {
                        count += batch.rowCount
                        isGoing = true
                    }
                }
            }
            try require(count == expected.count, "readers side by side give \(count) rows")
        }
    }

    func checkLimitAndCancellation() async throws {
        let table = try await table()
        let request = ScanRequest(projection: [0], limit: 17)
        var count = 0
        for split in try await table.splits(for: request) { count += try read(table, split, request).count }
        try require(count >= 17, "a limit gives too few rows")
        let all = ScanRequest(projection: [0, 4])
        guard let split = try await table.splits(for: all).first else {
            throw ConformanceFailure(description: "there is no split")
        }
        let context = ScanContext(checkCancellation: { throw QueryError(.queryCanceled, "canceled") })
        do {
            let reader = try table.makeReader(for: split, request: all, context: context)
            while try reader.next() != nil {}
            throw ConformanceFailure(description: "a cancelled scan goes on")
        } catch let error as QueryError {
            try require(error.state == .queryCanceled, "a cancelled scan ends with \(error.state)")
        }
    }

    /// Rules about a table that is taken away by `vanish` between planning and reading.
    package func checkVanishing(_ vanish: () async throws -> Void) async throws {
        let table = try await table()
        let request = ScanRequest(projection: [0, 4])
        let splits = try await table.splits(for: request)
        try await vanish()
        do {
            for split in splits { _ = try read(table, split, request) }
            throw ConformanceFailure(description: "a vanished table is read")
        } catch is QueryError {}
    }
}

/// A filter from a condition on values.
package final class RowFilter: ScanFilter {
    package let positions: [Int]
    package var prunable: Expression? { nil }
    private let condition: ([ScalarValue]) -> Bool

    package init(_ positions: [Int], _ condition: @escaping ([ScalarValue]) -> Bool) {
        self.positions = positions
        self.condition = condition
    }

    package func select(_ batch: Batch) throws -> Selection? {
        let selection = Selection(capacity: batch.rowCount)
        for row in 0..<batch.rowCount where condition(positions.map { batch.column($0).value(at: row) }) {
            selection.rows[selection.count] = UInt16(row)
            selection.count += 1
        }
        return selection.count == batch.rowCount ? nil : selection
    }
}

extension ScalarValue {
    fileprivate static func < (a: ScalarValue, b: ScalarValue) -> Bool {
        switch (a, b) {
        case (.integer(let x), .integer(let y)): x < y
        case (.float(let x), .float(let y)): x < y
        case (.decimal(let x), .decimal(let y)): x < y
        case (.bytes(let x), .bytes(let y)): x.lexicographicallyPrecedes(y)
        default: false
        }
    }
    fileprivate static func < (a: ScalarValue, b: Int64) -> Bool {
        if case .integer(let x) = a { x < b } else { false }
    }
    fileprivate static func > (a: ScalarValue, b: Int64) -> Bool {
        if case .integer(let x) = a { x > b } else { false }
    }
    fileprivate static func >= (a: ScalarValue, b: Int64) -> Bool {
        if case .integer(let x) = a { x >= b } else { false }
    }
    fileprivate static func == (a: ScalarValue, b: Int64) -> Bool { a == .integer(b) }
    fileprivate static func % (a: ScalarValue, b: Int64) -> Int64 { if case .integer(let x) = a { x % b } else { -1 } }
}
