// Cases about what a store is told of a scan's conditions, and what it computes itself: a plain scan is right.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// Conditions over the columns of `StandardTable` in their order, and what they mean.
enum Oracle {
    static func truth(_ expression: Expression, _ row: [ScalarValue]) -> Bool? {
        switch expression {
        case .literal(.boolean(let value), _): return value
        case .and(let operands):
            let values = operands.map { truth($0, row) }
            return values.contains(false) ? false : values.contains(nil) ? nil : true
        case .or(let operands):
            let values = operands.map { truth($0, row) }
            return values.contains(true) ? true : values.contains(nil) ? nil : false
        case .not(let operand): return truth(operand, row).map { !$0 }
        case .isNull(let operand): return value(operand, row).isNull
        case .inList(let needle, let list):
            let needle = value(needle, row)
            if needle.isNull { return nil }
            if list.contains(needle) { return true }
            return list.contains(.null) ? nil : false
        case .call(let call):
            let (left, right) = (value(call.arguments[0], row), value(call.arguments[1], row))
            if call.name == Expression.nullSafeEqualityName { return left == right }
            if call.name == Expression.nullSafeInequalityName { return left != right }
            if left.isNull || right.isNull { return nil }
            switch call.name {
            case "=": return left == right
            case "<>": return left != right
            case "<": return isLess(left, right)
            case ">": return isLess(right, left)
            case "<=": return !isLess(right, left)
            case ">=": return !isLess(left, right)
            case "~~": return matches(ArraySlice(bytes(left)), ArraySlice(bytes(right)))
            case "!~~": return !matches(ArraySlice(bytes(left)), ArraySlice(bytes(right)))
            default: return nil
            }
        default: return nil
        }
    }

    private static func bytes(_ value: ScalarValue) -> [UInt8] {
        if case .bytes(let bytes) = value { bytes } else { [] }
    }

    private static func value(_ expression: Expression, _ row: [ScalarValue]) -> ScalarValue {
        switch expression {
        case .input(let position, _): row[position]
        case .literal(let value, _): value
        default: .null
        }
    }

    static func isLess(_ a: ScalarValue, _ b: ScalarValue) -> Bool {
        switch (a, b) {
        case (.integer(let x), .integer(let y)): x < y
        case (.float(let x), .float(let y)): x < y
        case (.bytes(let x), .bytes(let y)): x.lexicographicallyPrecedes(y)
        default: false
        }
    }

    private static func matches(_ text: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        switch first {
        case UInt8(ascii: "%"):
            return (0...text.count).contains { matches(text.dropFirst($0), pattern.dropFirst()) }
        case UInt8(ascii: "_"): return !text.isEmpty && matches(text.dropFirst(), pattern.dropFirst())
        case UInt8(ascii: "\\"):
            let rest = pattern.dropFirst()
            return text.first == rest.first && matches(text.dropFirst(), rest.dropFirst())
        default: return text.first == first && matches(text.dropFirst(), pattern.dropFirst())
        }
    }
}

extension StorageConformance {
    private static let id = Expression.input(0, .int64)
    private static let category = Expression.input(1, .text)
    private static let amount = Expression.input(2, .float64)
    private static let day = Expression.input(3, .date)
    private static let note = Expression.input(4, .text)
    private static func number(_ value: Int64) -> Expression { .literal(.integer(value), .int64) }
    private static func text(_ value: String) -> Expression { .literal(.string(value), .text) }
    private static func real(_ value: Double) -> Expression { .literal(.float(value), .float64) }
    private static func date(_ offset: Int) -> Expression {
        .literal(.integer(Int64(StandardTable.firstDay + offset)), .date)
    }
    private static func like(_ value: Expression, _ pattern: String, _ name: String = "~~") -> Expression {
        .call(ScalarCall(name: name, arguments: [value, text(pattern)], type: .boolean))
    }

    /// Conditions with names.
    private static let conditions: [(String, [Expression])] = {
        var result: [(String, [Expression])] = []
        let operators = ["=", "<>", "<", "<=", ">", ">="]
        let columns: [(String, Expression, Expression)] = [
            ("id", id, number(4321)), ("category", category, text("category 3")), ("amount", amount, real(1000.25)),
            ("day", day, date(500)), ("note", note, text("note number 55 in some words")),
        ]
        for (name, column, literal) in columns {
            for symbol in operators {
                result.append(("\(name) \(symbol) a literal", [.comparison(symbol, column, literal)]))
            }
            result.append(("\(name) is null", [.isNull(column)]))
            result.append(("\(name) is not null", [.not(.isNull(column))]))
            result.append(("\(name) compared with NULL", [.comparison("=", column, .null(column.type))]))
            result.append(("\(name) is not distinct", [Expression.nullSafeEquality(column, literal)]))
        }
        result += [
            ("a literal on the left", [.comparison(">", number(50), id)]),
            ("id in a list", [.inList(id, [.integer(5), .integer(9_999), .integer(70_000)])]),
            ("id in a list with NULL", [.inList(id, [.integer(5), .null])]),
            ("not in a list", [.not(.inList(category, [.string("category 1"), .string("category 2")]))]),
            ("not in a list with NULL", [.not(.inList(category, [.string("category 1"), .null]))]),
            ("day in a list", [.inList(day, [.integer(Int64(StandardTable.firstDay + 3))])]),
            ("two columns", [.comparison("<", id, number(500)), .comparison("=", category, text("category 0"))]),
            ("an alternative", [.or([.comparison("<", id, number(3)), .isNull(day)])]),
            ("an alternative of two columns", [.or([.isNull(note), .comparison(">", amount, real(2400))])]),
            ("not an alternative", [.not(.or([.comparison("<", id, number(9_000)), .isNull(day)]))]),
            ("not a comparison with nulls", [.not(.comparison("<", day, date(900)))]),
            ("not a conjunction", [.not(.and([.comparison("<", id, number(9_990)), .not(.isNull(note))]))]),
            ("a range", [.and([.comparison(">=", day, date(10)), .comparison("<", day, date(20))])]),
            ("a range without rows", [.comparison(">", id, number(5)), .comparison("<", id, number(5))]),
            ("beyond all rows", [.comparison(">", id, number(.max - 1))]),
            ("below all rows", [.comparison("<", id, number(.min + 1))]),
            ("an empty text", [.comparison("=", note, text(""))]),
            ("upper case is another text", [.comparison("=", category, text("CATEGORY 3"))]),
            ("a text with a quote", [.comparison("<>", category, text("it's \"quoted\""))]),
            ("a prefix", [like(category, "category 1%")]),
            ("upper case in a pattern", [like(category, "CATEGORY%")]),
            ("a pattern with one character", [like(note, "note number _ in%")]),
            ("a pattern that nothing matches", [like(note, "note [0-9]*")]),
            ("an escaped wildcard", [like(note, "note\\_number%")]),
            ("not a pattern", [like(note, "%7 in some words", "!~~")]),
            ("always", [.literal(.boolean(true), .boolean)]), ("never", [.literal(.boolean(false), .boolean)]),
            ("two columns of the same type", [.comparison("<", category, note)]),
        ]
        return result
    }()

    static let predicateCases: [ConformanceCase] = conditions.map { name, predicates in
        ConformanceCase("condition: \(name)") { fixture in
            let table = try await fixture.provider()
            let request = ScanRequest(projection: [0, 1, 2, 3, 4], predicates: predicates)
            let wanted = ConformanceFixture.expected.filter { row in
                predicates.allSatisfy { Oracle.truth($0, row) == true }
            }
            let pruned = try await fixture.rows(table, request)
            let all = Set(pruned)
            try fixture.require(all.count == pruned.count, "rows come twice")
            try fixture.require(wanted.allSatisfy(all.contains), "rows are lost: \(pruned.count) for \(wanted.count)")
            try fixture.require(all.isSubset(of: Set(ConformanceFixture.expected)), "rows are made up")
            let filter = RowFilter([0, 1, 2, 3, 4]) { row in predicates.allSatisfy { Oracle.truth($0, row) == true } }
            try fixture.requireSame(try await fixture.rows(table, request, [filter]), wanted, "filtered rows")
        }
    }

    // MARK: What a store computes

    private static func call(_ name: String, _ argument: Expression?, _ type: DataType) -> AggregateCall {
        AggregateCall(name: name, arguments: argument.map { [$0] } ?? [], type: type)
    }

    private static let storeQueries: [(String, StoreQuery)] = {
        func groups(_ keys: [Expression], _ calls: [AggregateCall], _ predicates: [Expression] = []) -> StoreQuery {
            StoreQuery(predicates: predicates, grouping: .init(groups: keys, aggregates: calls))
        }
        let count = call("count", nil, .int64)
        return [
            ("count of rows", groups([], [count])),
            ("counts of columns", groups([], [call("count", day, .int64), call("count", note, .int64)])),
            ("extremes of numbers", groups([], [call("min", id, .int64), call("max", id, .int64)])),
            ("extremes of dates", groups([], [call("min", day, .date), call("max", day, .date)])),
            ("extremes of texts", groups([], [call("min", note, .text), call("max", category, .text)])),
            ("a count under a condition", groups([], [count], [.comparison("<", id, number(77))])),
            ("a count under a condition that nothing fulfils", groups([], [count], [.comparison("<", id, number(-1))])),
            ("an extreme of nothing", groups([], [call("max", day, .date)], [.comparison("<", id, number(-1))])),
            ("groups by text", groups([category], [count, call("max", id, .int64)])),
            ("groups by a date with nulls", groups([day], [count], [.comparison("<", id, number(3_000))])),
            ("groups by two columns", groups([category, day], [count])),
            ("groups of nothing", groups([category], [count], [.isNull(id)])),
            ("first rows", StoreQuery(predicates: [], ordering: [SortKey(id)], limit: 10)),
            ("last rows", StoreQuery(predicates: [], ordering: [SortKey(id, isDescending: true)], limit: 10)),
            (
                "first rows by a date, nulls first",
                StoreQuery(predicates: [], ordering: [SortKey(day, nullsFirst: true), SortKey(id)], limit: 25)
            ),
            (
                "first rows by a date, nulls last",
                StoreQuery(predicates: [], ordering: [SortKey(day), SortKey(id)], limit: 25)
            ),
            (
                "first rows by text",
                StoreQuery(predicates: [.not(.isNull(note))], ordering: [SortKey(note), SortKey(id)], limit: 7)
            ),
            ("any rows under a condition", StoreQuery(predicates: [.comparison("<", id, number(5))], limit: 100)),
        ]
    }()

    static let storeQueryCases: [ConformanceCase] = storeQueries.map { name, query in
        ConformanceCase("computed by the store: \(name)") { fixture in
            let table = try await fixture.provider()
            let projection = [0, 1, 2, 3, 4]
            guard table.absorbs(query, projection: projection) else {
                throw NotApplicable(reason: "the engine computes it")
            }
            let found = try await fixture.rows(table, ScanRequest(projection: projection, storeQuery: query))
            let kept = ConformanceFixture.expected.filter { row in
                query.predicates.allSatisfy { Oracle.truth($0, row) == true }
            }
            if let grouping = query.grouping {
                return try fixture.requireSame(found, groups(kept, grouping), "groups differ")
            }
            guard !query.ordering.isEmpty else { return try fixture.requireSame(found, kept, "rows differ") }
            let sorted = kept.sorted { isBefore($0, $1, query.ordering) }
            try fixture.require(found == Array(sorted.prefix(query.limit ?? .max)), "the first rows differ")
        }
    }

    private static func position(_ expression: Expression) -> Int {
        if case .input(let position, _) = expression { position } else { 0 }
    }

    private static func groups(_ rows: [[ScalarValue]], _ grouping: StoreQuery.Grouping) -> [[ScalarValue]] {
        var groups: [[ScalarValue]: [[ScalarValue]]] = [:]
        for row in rows { groups[grouping.groups.map { row[position($0)] }, default: []].append(row) }
        if grouping.groups.isEmpty, groups.isEmpty { groups[[]] = [] }
        return groups.map { key, members in
            key
                + grouping.aggregates.map { call -> ScalarValue in
                    let values = call.arguments.first.map { argument in
                        members.map { $0[position(argument)] }.filter { !$0.isNull }
                    }
                    switch call.name {
                    case "min": return values?.min(by: Oracle.isLess) ?? .null
                    case "max": return values?.max(by: Oracle.isLess) ?? .null
                    default: return .integer(Int64(values?.count ?? members.count))
                    }
                }
        }
    }

    private static func isBefore(_ a: [ScalarValue], _ b: [ScalarValue], _ keys: [SortKey]) -> Bool {
        for key in keys {
            let (x, y) = (a[position(key.expression)], b[position(key.expression)])
            if x == y { continue }
            if x.isNull || y.isNull { return x.isNull == key.nullsFirst }
            return Oracle.isLess(x, y) != key.isDescending
        }
        return false
    }
}
