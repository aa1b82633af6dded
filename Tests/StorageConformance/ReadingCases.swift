// Cases about reading `StandardTable`: names, projections, limits, splits, statistics.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Synchronization

extension StorageConformance {
    private static func whole(_ fixture: ConformanceFixture) -> StorageConformance {
        StorageConformance(fixture.backend, schema: fixture.schema, table: fixture.table)
    }

    static let catalogueCases: [ConformanceCase] = [
        ConformanceCase("names of schemas and tables") { try await whole($0).checkCatalogue() },
        ConformanceCase("statistics are near the truth") { try await whole($0).checkStatistics() },
        ConformanceCase("statistics are the same when asked again") { fixture in
            let table = try await fixture.provider()
            let (first, second) = (try await table.statistics(), try await table.statistics())
            try fixture.require(
                first.rowCount == second.rowCount && first.columns.map(\.minimum) == second.columns.map(\.minimum),
                "statistics change while the table does not")
        },
        ConformanceCase("an unknown table is none") { fixture in
            for name in ["", "no such table", "standard ", "\"standard\"", "a'b", "a\"b", "%"] {
                let found = try await fixture.backend.table(schema: fixture.schema, name: name)
                try fixture.require(found == nil, "table \"\(name)\" is found")
            }
        },
        ConformanceCase("a provider's definition is its schema's") { fixture in
            let table = try await fixture.provider()
            try fixture.require(
                table.definition.columns.map(\.field) == table.schema.fields, "definition and schema differ")
        },
    ]

    static let projectionCases: [ConformanceCase] = {
        let projections: [[Int]] = [
            [], [0], [1], [2], [3], [4], [0, 1], [4, 3, 2, 1, 0], [3, 0], [0, 0, 0], [2, 4, 2], [0, 1, 2, 3, 4],
        ]
        return projections.map { projection in
            ConformanceCase("projection \(projection)") { fixture in
                let found = try await fixture.rows(fixture.provider(), ScanRequest(projection: projection))
                let wanted = ConformanceFixture.expected.map { row in projection.map { row[$0] } }
                try fixture.requireSame(found, wanted, "a projection gives other rows")
            }
        }
    }()

    static let limitCases: [ConformanceCase] = [1, 17, 2048, 9_999, 10_000, 20_000].map { limit in
        ConformanceCase("limit \(limit)") { fixture in
            let request = ScanRequest(projection: [0, 4], limit: limit)
            let rows = try await fixture.rows(fixture.provider(), request)
            let all = Set(ConformanceFixture.expected.map { [$0[0], $0[4]] })
            try fixture.require(rows.count >= min(limit, all.count), "a limit gives only \(rows.count) rows")
            try fixture.require(Set(rows).count == rows.count && Set(rows).isSubset(of: all), "a limit makes up rows")
        }
    }

    static let splitCases: [ConformanceCase] = [
        ConformanceCase("splits side by side") { try await whole($0).checkSplits() },
        ConformanceCase("filters") { try await whole($0).checkFilters() },
        ConformanceCase("cancelled scans end") { try await whole($0).checkLimitAndCancellation() },
        ConformanceCase("a reader that is dropped in the middle disturbs no other") { fixture in
            let table = try await fixture.provider()
            let request = ScanRequest(projection: [0])
            for split in try await table.splits(for: request) {
                _ = try table.makeReader(for: split, request: request, context: ScanContext()).next()
            }
            let rows = try await fixture.rows(table, request)
            try fixture.require(rows.count == StandardTable.rowCount, "a later scan gives \(rows.count) rows")
        },
        ConformanceCase("scans at the same time") { fixture in
            let counts = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await fixture.rows(fixture.provider(), ScanRequest(projection: [0, 4])).count
                    }
                }
                var counts: [Int] = []
                for try await count in group { counts.append(count) }
                return counts
            }
            try fixture.require(
                counts.allSatisfy { $0 == StandardTable.rowCount }, "scans at the same time give \(counts) rows")
        },
        ConformanceCase("readers of one scan at the same time") { fixture in
            let table = try await fixture.provider()
            let request = ScanRequest(projection: [0, 1, 2, 3, 4])
            let splits = try await table.splits(for: request)
            let rows = try await withThrowingTaskGroup(of: [[ScalarValue]].self) { group in
                for split in splits { group.addTask { try ConformanceFixture.rows(table, split, request) } }
                var rows: [[ScalarValue]] = []
                for try await part in group { rows += part }
                return rows
            }
            try fixture.requireSame(rows, ConformanceFixture.expected, "readers at the same time")
        },
        ConformanceCase("estimates of splits are no negative numbers") { fixture in
            let splits = try await fixture.provider().splits(for: ScanRequest(projection: [0]))
            try fixture.require(
                splits.allSatisfy { $0.estimatedRowCount >= 0 && $0.estimatedByteCount >= 0 }, "a negative estimate")
        },
        ConformanceCase("a split of another layout is refused") { fixture in
            let table = try await fixture.provider()
            let request = ScanRequest(projection: [0])
            for payload: [UInt8] in [[], [1], [255, 255, 255], Array(repeating: 255, count: 40)] {
                do {
                    _ = try ConformanceFixture.rows(
                        table, Split(payload: payload, estimatedRowCount: 0), request)
                    throw ConformanceFailure(description: "a split of \(payload.count) made-up bytes is read")
                } catch is QueryError {}
            }
        },
        ConformanceCase("cancelling after the first batch") { fixture in
            let table = try await fixture.provider()
            let request = ScanRequest(projection: [0, 1, 4])
            guard let split = try await table.splits(for: request).first else { return }
            let isCancelled = Mutex(false)
            let context = ScanContext(checkCancellation: {
                if isCancelled.withLock({ $0 }) { throw QueryError(.queryCanceled, "canceled") }
            })
            let reader = try table.makeReader(for: split, request: request, context: context)
            _ = try reader.next()
            isCancelled.withLock { $0 = true }
            try await fixture.requireFailure([.queryCanceled], "a cancelled reader") {
                while try reader.next() != nil {}
                // A split of one batch was at its end.
                throw QueryError(.queryCanceled, "at its end")
            }
        },
    ]
}
