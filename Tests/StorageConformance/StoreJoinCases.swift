// Cases about joins that a store computes: the standard table with itself, against a loop over all pairs of rows.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// A join of some rows of the standard table with some of the same: conditions refer to the columns of the first, then to those
/// of the second and third.
private struct StoreJoin {
    enum Kind { case inner, left, semi, anti, groups, extendedGroups, three, extendedTwice }
    var name: String
    var kind: Kind
    var condition: Expression
    /// Rows of either side, by the first numbers of `id`.
    var leftCount = 60
    var rightCount = 90
}

extension StorageConformance {
    private static let width = StandardTable.fields.count
    private static func column(_ table: Int, _ ordinal: Int) -> Expression {
        .input(table * width + ordinal, StandardTable.fields[ordinal].type)
    }
    private static func equal(_ ordinal: Int, _ other: Int = 1) -> Expression {
        .comparison("=", column(0, ordinal), column(other, ordinal))
    }

    private static let storeJoins: [StoreJoin] = {
        var joins: [StoreJoin] = []
        for (ordinal, field) in StandardTable.fields.enumerated() {
            joins.append(StoreJoin(name: "rows of equal \(field.name)", kind: .inner, condition: equal(ordinal)))
            joins.append(
                StoreJoin(name: "rows, of equal \(field.name) or none", kind: .left, condition: equal(ordinal)))
            joins.append(StoreJoin(name: "rows with an equal \(field.name)", kind: .semi, condition: equal(ordinal)))
            joins.append(StoreJoin(name: "rows without an equal \(field.name)", kind: .anti, condition: equal(ordinal)))
        }
        let note = Expression.nullSafeEquality(column(0, 4), column(1, 4))
        let differs = Expression.comparison("<>", column(0, 0), column(1, 0))
        joins += [
            StoreJoin(name: "rows of the same note or none", kind: .inner, condition: note),
            StoreJoin(name: "rows without the same note or none", kind: .anti, condition: note),
            StoreJoin(
                name: "rows of an equal category and another id", kind: .inner, condition: .and([equal(1), differs])),
            StoreJoin(
                name: "rows with an equal category and another id", kind: .semi, condition: .and([equal(1), differs])),
            StoreJoin(
                name: "rows without an equal day and another id", kind: .anti, condition: .and([equal(3), differs])),
            StoreJoin(
                name: "rows with a smaller text", kind: .semi,
                condition: .and([equal(1), .comparison(">", column(0, 4), column(1, 4))])),
            StoreJoin(
                name: "an alternative over both sides", kind: .inner,
                condition: .and([
                    equal(1), .or([.isNull(column(0, 3)), .comparison("<", column(1, 0), column(0, 0))]),
                ])),
            StoreJoin(
                name: "rows without an earlier day, an unknown one being none", kind: .anti,
                condition: .and([equal(1), .not(.comparison(">=", column(1, 3), column(0, 3)))])),
            StoreJoin(name: "nothing on the other side", kind: .inner, condition: equal(0), rightCount: 0),
            StoreJoin(name: "rows without one where there are none", kind: .anti, condition: equal(0), rightCount: 0),
            StoreJoin(name: "rows and nothing on the other side", kind: .left, condition: equal(0), rightCount: 0),
            StoreJoin(
                name: "rows and those of an equal category and a known day", kind: .left,
                condition: .and([equal(1), differs, .not(.isNull(column(0, 3)))])),
            StoreJoin(name: "groups of rows, extended", kind: .extendedGroups, condition: equal(3)),
            StoreJoin(
                name: "rows extended by what extends them", kind: .extendedTwice,
                condition: .and([equal(3), differs]), leftCount: 20),
            StoreJoin(name: "groups of joined rows", kind: .groups, condition: equal(1)),
            StoreJoin(name: "groups of no rows", kind: .groups, condition: equal(1), rightCount: 0),
            StoreJoin(name: "three tables", kind: .three, condition: .and([equal(1), equal(0, 2)]), leftCount: 20),
        ]
        return joins
    }()

    private static let secondCondition = Expression.comparison("=", column(1, 1), column(2, 0))
    private static let lateOrMissing = Expression.or([
        .isNull(column(1, 0)), .comparison(">", column(1, 0), .literal(.integer(40), .int64)),
    ])

    private static func below(_ count: Int, _ table: Int) -> Expression {
        .comparison("<", column(table, 0), .literal(.integer(Int64(count)), .int64))
    }

    private static func query(_ join: StoreJoin, _ table: StoreQuery.Table) -> StoreQuery {
        let left = below(join.leftCount, 0)
        let right = below(join.rightCount, 1)
        switch join.kind {
        case .inner:
            return StoreQuery(
                joins: .init(tables: [table], restrictions: [], output: [0, 3, 4, width, width + 4]),
                predicates: [left, right, join.condition])
        case .left:
            return StoreQuery(
                joins: .init(
                    tables: [], extensions: [.init(tables: [table], predicates: [right, join.condition])],
                    restrictions: [], output: [0, 3, 4, width, width + 4]), predicates: [left])
        case .extendedTwice:
            // Rows whose first extension is missing or late stay.
            return StoreQuery(
                joins: .init(
                    tables: [],
                    extensions: [
                        .init(tables: [table], predicates: [right, join.condition]),
                        .init(tables: [table], predicates: [below(15, 2), secondCondition]),
                    ], restrictions: [], output: [0, width, 2 * width]), predicates: [left, lateOrMissing])
        case .extendedGroups:
            return StoreQuery(
                joins: .init(
                    tables: [], extensions: [.init(tables: [table], predicates: [right, join.condition])],
                    restrictions: [], output: []), predicates: [left],
                grouping: .init(
                    groups: [column(1, 1)],
                    aggregates: [
                        AggregateCall(name: "count", arguments: [], type: .int64),
                        AggregateCall(name: "count", arguments: [column(1, 0)], type: .int64),
                    ]))
        case .semi, .anti:
            return StoreQuery(
                joins: .init(
                    tables: [],
                    restrictions: [
                        .init(isNegated: join.kind == .anti, tables: [table], predicates: [right, join.condition])
                    ], output: [0, 3, 4]), predicates: [left])
        case .groups:
            return StoreQuery(
                joins: .init(tables: [table], restrictions: [], output: []),
                predicates: [left, right, join.condition],
                grouping: .init(
                    groups: [column(0, 3), column(1, 1)],
                    aggregates: [
                        AggregateCall(name: "count", arguments: [], type: .int64),
                        AggregateCall(name: "max", arguments: [column(1, 0)], type: .int64),
                    ]))
        case .three:
            return StoreQuery(
                joins: .init(tables: [table, table], restrictions: [], output: [0, width, 2 * width + 3]),
                predicates: [left, right, below(15, 2), join.condition])
        }
    }

    private static func expected(_ join: StoreJoin) -> [[ScalarValue]] {
        let left = (0..<join.leftCount).map(StandardTable.row)
        let right = (0..<join.rightCount).map(StandardTable.row)
        func pairs(_ row: [ScalarValue]) -> [[ScalarValue]] {
            right.map { row + $0 }.filter { Oracle.truth(join.condition, $0) == true }
        }
        let nothing = Array(repeating: ScalarValue.null, count: width)
        func extended(_ row: [ScalarValue]) -> [[ScalarValue]] {
            let found = pairs(row)
            return found.isEmpty ? [row + nothing] : found
        }
        switch join.kind {
        case .inner:
            return left.flatMap(pairs).map { row -> [ScalarValue] in
                [row[0], row[3], row[4], row[width], row[width + 4]]
            }
        case .left:
            return left.flatMap(extended).map { row -> [ScalarValue] in
                [row[0], row[3], row[4], row[width], row[width + 4]]
            }
        case .extendedTwice:
            return left.flatMap(extended).flatMap { row -> [[ScalarValue]] in
                let found = (0..<15).map { row + StandardTable.row($0) }.filter {
                    Oracle.truth(secondCondition, $0) == true
                }
                return found.isEmpty ? [row + nothing] : found
            }.filter { Oracle.truth(lateOrMissing, $0) == true }.map { row -> [ScalarValue] in
                [row[0], row[width], row[2 * width]]
            }
        case .extendedGroups:
            var counts: [ScalarValue: (Int64, Int64)] = [:]
            for row in left.flatMap(extended) {
                counts[row[width + 1], default: (0, 0)].0 += 1
                if row[width] != .null { counts[row[width + 1], default: (0, 0)].1 += 1 }
            }
            return counts.map { key, both -> [ScalarValue] in [key, .integer(both.0), .integer(both.1)] }
        case .semi, .anti:
            let kept = left.filter { pairs($0).isEmpty == (join.kind == .anti) }
            return kept.map { row -> [ScalarValue] in [row[0], row[3], row[4]] }
        case .groups:
            var groups: [[ScalarValue]: [[ScalarValue]]] = [:]
            for row in left.flatMap(pairs) {
                let key: [ScalarValue] = [row[3], row[width + 1]]
                groups[key, default: []].append(row)
            }
            return groups.map { key, rows -> [ScalarValue] in
                let last = rows.map { $0[width] }.max(by: Oracle.isLess) ?? ScalarValue.null
                return key + [ScalarValue.integer(Int64(rows.count)), last]
            }
        case .three:
            var rows: [[ScalarValue]] = []
            for row in left {
                for other in right {
                    for id in 0..<15 {
                        let joined: [ScalarValue] = row + other + StandardTable.row(id)
                        guard Oracle.truth(join.condition, joined) == true else { continue }
                        rows.append([joined[0], joined[width], joined[2 * width + 3]])
                    }
                }
            }
            return rows
        }
    }

    static let storeJoinCases: [ConformanceCase] = storeJoins.map { join in
        ConformanceCase("joined by the store: \(join.name)") { fixture in
            let table = try await fixture.provider()
            let projection = Array(0..<width)
            guard let text = table.joinDescription(projection: projection) else {
                throw NotApplicable(reason: "the engine joins")
            }
            let name = TableName(catalog: "c", schema: fixture.schema, table: fixture.table)
            let query = query(join, StoreQuery.Table(name: name, description: text, columnCount: width))
            guard table.absorbs(query, projection: projection) else {
                throw NotApplicable(reason: "the engine joins these")
            }
            let found = try await fixture.rows(table, ScanRequest(projection: projection, storeQuery: query))
            try fixture.requireSame(found, expected(join), "joined rows differ")
        }
    }
}
