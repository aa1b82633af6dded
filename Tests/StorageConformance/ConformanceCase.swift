// The rules of all stores as single cases with names, so that a store says which of them it breaks and how many it keeps.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// One rule.
package struct ConformanceCase: Sendable, CustomStringConvertible {
    package let name: String
    let check: @Sendable (ConformanceFixture) async throws -> Void
    package var description: String { name }

    init(_ name: String, _ check: @escaping @Sendable (ConformanceFixture) async throws -> Void) {
        self.name = name
        self.check = check
    }
}

/// What a store cannot do at all: the case says nothing about it.
struct NotApplicable: Error {
    var reason: String
}

/// What came of a run.
package struct ConformanceReport: Sendable {
    package var keptCount = 0
    /// Names with reasons.
    package var skipped: [String] = []
    package var failures: [String] = []
}

/// A store with `StandardTable` in it.
package struct ConformanceFixture: Sendable {
    package let backend: any StorageBackend
    package let schema: String
    package let table: String
    static let expected = StandardTable.rows

    package init(_ backend: any StorageBackend, schema: String, table: String) {
        self.backend = backend
        self.schema = schema
        self.table = table
    }

    package func run(_ cases: [ConformanceCase]) async -> ConformanceReport {
        var report = ConformanceReport()
        for item in cases {
            do {
                try await item.check(self)
                report.keptCount += 1
            } catch let reason as NotApplicable {
                report.skipped.append("\(item.name): \(reason.reason)")
            } catch { report.failures.append("\(item.name): \(error)") }
        }
        return report
    }

    // MARK: Tools

    func require(_ condition: Bool, _ rule: @autoclosure () -> String) throws {
        if !condition { throw ConformanceFailure(description: rule()) }
    }

    func provider(_ name: String? = nil) async throws -> any TableProvider {
        guard let found = try await backend.table(schema: schema, name: name ?? table) else {
            throw ConformanceFailure(description: "table \(schema).\(name ?? table) is not found")
        }
        return found
    }

    /// All rows of a scan, in the order of its splits.
    func rows(_ table: any TableProvider, _ request: ScanRequest, _ filters: [any ScanFilter] = []) async throws
        -> [[ScalarValue]]
    {
        var rows: [[ScalarValue]] = []
        for split in try await table.splits(for: request) { rows += try Self.rows(table, split, request, filters) }
        return rows
    }

    static func rows(
        _ table: any TableProvider, _ split: Split, _ request: ScanRequest, _ filters: [any ScanFilter] = []
    ) throws -> [[ScalarValue]] {
        var rows: [[ScalarValue]] = []
        let reader = try table.makeReader(for: split, request: request, context: ScanContext(filters: filters))
        while let batch = try reader.next() {
            for row in 0..<batch.rowCount { rows.append(batch.row(row)) }
        }
        return rows
    }

    /// The same rows, whatever their order.
    func requireSame(_ found: [[ScalarValue]], _ wanted: [[ScalarValue]], _ rule: String) throws {
        if found.count == wanted.count {
            var counts: [[ScalarValue]: Int] = [:]
            for row in wanted { counts[row, default: 0] += 1 }
            for row in found { counts[row, default: 0] -= 1 }
            if counts.values.allSatisfy({ $0 == 0 }) { return }
        }
        throw ConformanceFailure(
            description: "\(rule): \(found.count) rows for \(wanted.count), the first are \(found.prefix(3)) for "
                + "\(wanted.prefix(3))")
    }

    func requireFailure(_ states: [SQLState], _ rule: String, _ body: () async throws -> Void) async throws {
        do { try await body() } catch let error as QueryError {
            return try require(states.contains(error.state), "\(rule): fails with \(error)")
        }
        throw ConformanceFailure(description: "\(rule): does not fail")
    }
}

extension StorageConformance {
    /// The rules of reading, for every store.
    package static var readingCases: [ConformanceCase] {
        catalogueCases + projectionCases + predicateCases + limitCases + splitCases + storeQueryCases + storeJoinCases
    }
    /// The rules of stores that tables can be made in.
    package static var writingCases: [ConformanceCase] { tableCases + typeCases + modificationCases }
}
