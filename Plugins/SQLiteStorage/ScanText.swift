// The SELECT of a scan.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// A statement with its parameters.
struct BoundText: Hashable {
    var text: String
    var values: [SQLiteValue] = []

    /// For people: parameters in their places.
    var shown: String {
        var result = ""
        var left = values[...]
        var quote: Character?
        for character in text {
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "'" || character == "\"" {
                quote = character
            } else if character == "?", let value = left.popFirst() {
                result += SQLText.shown(value)
                continue
            }
            result.append(character)
        }
        return result
    }
}

/// A scan of a table, of a range of its rows, or of a query's result.
struct ScanText {
    let table: TableDescription
    let request: ScanRequest
    /// Of the result, for decoding.
    let columns: [ResultColumn]
    private let stored: StoreQueryText?

    struct ResultColumn: Hashable {
        var name: String
        var declared: String
        var type: SQLiteType
    }

    init(_ table: TableDescription, _ request: ScanRequest) throws {
        self.table = table
        self.request = request
        if let query = request.storeQuery {
            guard let text = StoreQueryText(table, request, query) else {
                throw QueryError.internalError("a query that table \"\(table.name)\" does not absorb")
            }
            stored = text
            columns = []
            return
        }
        stored = nil
        columns = request.projection.map { ordinal in
            ordinal == table.columns.count
                ? ResultColumn(name: "rowid", declared: "INTEGER", type: .rowIdentifier)
                : ResultColumn(table.columns[ordinal])
        }
    }

    var storeQuery: StoreQueryText? { stored }

    /// Rows whose numbers are in the range, or all; more of them may come than satisfy `predicates`. The number of the row
    /// is the last column, where rows have one.
    func select(range: ClosedRange<Int64>? = nil, predicates: [Expression], limit: Int?) -> BoundText {
        if let stored { return stored.select }
        var list = request.projection.map { ordinal in
            ordinal == table.columns.count ? table.rowName ?? "NULL" : SQLText.name(table.columns[ordinal].name)
        }
        if let row = table.rowName { list.append(row) }
        if list.isEmpty { list = ["1"] }
        var result = BoundText(text: "SELECT \(list.joined(separator: ", ")) FROM \(SQLText.name(table.name))")
        var conditions: [String] = []
        if let range, let row = table.rowName {
            conditions.append("\(row) BETWEEN ? AND ?")
            result.values += [.integer(range.lowerBound), .integer(range.upperBound)]
        }
        for condition in PredicateText(table: table, projection: request.projection).conditions(predicates) {
            conditions.append(condition.text)
            result.values += condition.values
        }
        if !conditions.isEmpty { result.text += " WHERE " + conditions.joined(separator: " AND ") }
        if let limit { result.text += " LIMIT \(limit)" }
        return result
    }
}

extension ScanText.ResultColumn {
    init(_ column: TableDescription.Column) {
        self.init(name: column.name, declared: column.declared, type: column.type)
    }
}

/// A query that SQLite computes with exactly the engine's results; `nil` for all others.
///
/// Values that their columns' types have no place for are errors here too: groups and extremes are decoded as any value is,
/// and what goes into a count or a sum is checked by columns of the result that count such values.
struct StoreQueryText {
    /// One column of the result, and of how many columns of SQLite's it is made.
    enum Output: Hashable {
        case column(ScanText.ResultColumn)
        /// Upper and lower half of 64-bit numbers added up, and how many there are.
        case wideSum(DataType)
        var width: Int { if case .wideSum = self { 3 } else { 1 } }
    }
    var select: BoundText
    var outputs: [Output] = []
    /// Columns behind the outputs: ordinals of columns whose misfits are counted there.
    var checked: [Int] = []
    /// Ordinals of columns that must have no misfits anywhere: the order of rows does not show them.
    var preconditions: [Int] = []
    /// The condition that finds misfits of a column.
    let writer: PredicateText

    init?(_ table: TableDescription, _ request: ScanRequest, _ query: StoreQuery) {
        guard table.kind == .table else { return nil }
        writer = PredicateText(table: table, projection: request.projection)
        select = BoundText(text: "")
        var conditions: [ScanCondition] = []
        for predicate in query.predicates.flatMap(\.conjuncts) {
            guard let condition = writer.guarded(predicate) else { return nil }
            conditions.append(condition)
        }
        var list: [String] = []
        var groups: [String] = []
        var doubtful = conditions.reduce(into: Set<Int>()) { $0.formUnion($1.doubtful) }
        if let grouping = query.grouping {
            guard query.ordering.isEmpty, query.limit == nil else { return nil }
            for group in grouping.groups {
                guard let (ordinal, text) = writer.comparable(group) else { return nil }
                groups.append(text)
                list.append(SQLText.name(table.columns[ordinal].name))
                outputs.append(.column(.init(table.columns[ordinal])))
            }
            for call in grouping.aggregates {
                guard let (texts, output, ordinal) = Self.aggregate(call, writer) else { return nil }
                list += texts
                outputs.append(output)
                if let ordinal { doubtful.insert(ordinal) }
            }
            for ordinal in doubtful.sorted() {
                guard let misfit = writer.misfit(ordinal) else { continue }
                checked.append(ordinal)
                list.append("max(coalesce(\(misfit), 0))")
            }
        } else {
            for ordinal in request.projection {
                guard table.columns.indices.contains(ordinal) else { return nil }
                list.append(SQLText.name(table.columns[ordinal].name))
                outputs.append(.column(.init(table.columns[ordinal])))
            }
        }
        var order: [String] = []
        for key in query.ordering {
            guard let (ordinal, text) = writer.comparable(key.expression) else { return nil }
            if writer.misfit(ordinal) != nil { preconditions.append(ordinal) }
            order.append(
                text + (key.isDescending ? " DESC" : " ASC") + (key.nullsFirst ? " NULLS FIRST" : " NULLS LAST"))
        }
        if list.isEmpty { list = ["1"] }
        select.text = "SELECT \(list.joined(separator: ", ")) FROM \(SQLText.name(table.name))"
        if !conditions.isEmpty { select.text += " WHERE " + conditions.map(\.text).joined(separator: " AND ") }
        select.values = conditions.flatMap(\.values)
        if !groups.isEmpty { select.text += " GROUP BY " + groups.joined(separator: ", ") }
        if !order.isEmpty { select.text += " ORDER BY " + order.joined(separator: ", ") }
        if let limit = query.limit { select.text += " LIMIT \(limit)" }
    }

    /// The call as SQL, what its columns make, and the column whose values it looks at without showing them.
    private static func aggregate(_ call: AggregateCall, _ writer: PredicateText) -> ([String], Output, Int?)? {
        guard !call.isDistinct, call.filter == nil, call.ordering.isEmpty, call.arguments.count <= 1 else { return nil }
        func column(_ type: SQLiteType, _ name: String) -> Output {
            .column(.init(name: name, declared: "", type: type))
        }
        let count = SQLiteType(.int64, .integer(minimum: .min, maximum: .max), .integer)
        guard let argument = call.arguments.first else {
            return call.name == "count" && call.type == .int64 ? (["count(*)"], column(count, "count"), nil) : nil
        }
        guard let (ordinal, text) = writer.comparable(argument) else { return nil }
        let known = writer.table.columns[ordinal]
        let name = SQLText.name(known.name)
        switch (call.name, known.type.type) {
        case ("count", _) where call.type == .int64: return (["count(\(name))"], column(count, "count"), ordinal)
        case ("sum", .int16) where call.type == .int64, ("sum", .int32) where call.type == .int64:
            return (["sum(\(name))"], column(count, "sum"), ordinal)
        case ("sum", .int64) where call.type.isExactNumeric:
            // The sum of the numbers themselves could overflow.
            return (
                ["sum(\(name) >> 32)", "sum(\(name) & 4294967295)", "count(\(name))"], .wideSum(call.type), ordinal
            )
        case ("min", let type), ("max", let type):
            guard call.type == type || type.isString && call.type == .text, !type.isFloat, type != .boolean,
                type != .bytea
            else { return nil }
            var result = known.type
            result.type = call.type
            return (
                ["\(call.name)(\(text))"],
                .column(.init(name: known.name, declared: known.declared, type: result)), ordinal
            )
        default: return nil
        }
    }
}
