// The SELECT that a scan sends.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// A scan of a table, of a range of its pages, or of a query's result, as SQL.
struct ScanText {
    let table: TableDescription
    let request: ScanRequest
    /// Of the result.
    let columns: [PostgresType]
    let names: [String]
    private let stored: StoreQueryText?

    /// Throws 0A000 for columns whose types the engine has not.
    init(_ table: TableDescription, _ request: ScanRequest) throws {
        self.table = table
        self.request = request
        if let query = request.storeQuery {
            guard let text = StoreQueryText(table, request, query) else {
                throw QueryError.internalError("a query that table \"\(table.name)\" does not absorb")
            }
            stored = text
            columns = text.columns
            names = text.names
            expectedColumns = text.expectedColumns
            return
        }
        stored = nil
        columns = try request.projection.map { ordinal in
            ordinal == table.columns.count ? .place : try table.readable(ordinal)
        }
        names = request.projection.map { $0 == table.columns.count ? "ctid" : table.columns[$0].name }
        expectedColumns = request.projection.map { ordinal in
            if ordinal == table.columns.count { return .init(type: 27, modifier: -1) }
            let column = table.columns[ordinal]
            return .init(type: column.typeIdentifier, modifier: column.typeModifier)
        }
    }

    private var writer: PredicateText {
        stored?.writer ?? PredicateText(table: table, projection: request.projection)
    }

    static func from(_ table: TableDescription) -> String { SQLText.name(table.schema, table.name) }

    static func list(_ table: TableDescription, _ projection: [Int]) -> String {
        projection.map { ordinal in
            ordinal == table.columns.count ? "ctid" : SQLText.name(table.columns[ordinal].name)
        }.joined(separator: ", ")
    }

    /// What tells the types of the columns and keeps them as they are to the end of the transaction.
    var probe: String {
        if let joined = stored?.joined {
            return "SELECT \(joined.description.columns.map(\.text).joined(separator: ", ")) FROM \(joined.all) LIMIT 0"
        }
        if let stored { return "SELECT * FROM (\(stored.select)) probe LIMIT 0" }
        return "SELECT \(Self.list(table, request.projection)) FROM \(Self.from(table)) LIMIT 0"
    }

    /// The columns that `probe` must give.
    let expectedColumns: [PostgresConnection.ResultColumn]

    /// Rows of the pages from `start` up to `end`, or of all; more of them may come than satisfy `predicates`.
    func select(
        start: Int? = nil, end: Int? = nil, predicates: [Expression], members: [ScanMembers] = [],
        of known: MemberConditions = MemberConditions(), limit: Int?
    ) -> String {
        let writer = self.writer
        if let stored {
            // Of groups only those are computed whose keys are asked for.
            return stored.select(
                adding: writer.conditions(predicates.compactMap(stored.ofRows))
                    + members.compactMap(stored.ofRows).compactMap { known.text($0, writer) })
        }
        var conditions: [String] = []
        if let start, start > 0 { conditions.append("ctid >= '(\(start),0)'::tid") }
        if let end { conditions.append("ctid < '(\(end),0)'::tid") }
        conditions += writer.conditions(predicates)
        conditions += members.compactMap { known.text($0, writer) }
        var text = "SELECT \(Self.list(table, request.projection)) FROM \(Self.from(table))"
        if !conditions.isEmpty { text += " WHERE " + conditions.joined(separator: " AND ") }
        if let limit { text += " LIMIT \(limit)" }
        return text
    }

    /// Whether the server applies all that a filter says.
    func appliesAll(of filter: any ScanFilter, _ known: MemberConditions) -> Bool {
        let writer = self.writer
        if let members = filter.members {
            guard let stored else { return known.text(members, writer) != nil }
            return stored.ofRows(members).map { known.text($0, writer) != nil } ?? false
        }
        guard let condition = filter.prunable else { return false }
        guard let wanted = stored.map({ $0.ofRows(condition) }) ?? condition else { return false }
        return wanted.conjuncts.allSatisfy { writer.condition($0) != nil }
    }
}

extension PostgresType {
    fileprivate init(type: DataType, codec: FieldCodec) {
        self.type = type
        self.codec = codec
    }
    /// Where a row lies: page and line, for UPDATE and DELETE.
    static let place = PostgresType(type: .int64, codec: .place)
}

/// A query that the server computes with exactly the engine's results, as SQL; `nil` for all others.
struct StoreQueryText {
    /// Without further conditions.
    var select: String { select(adding: []) }
    let writer: PredicateText
    let joined: JoinedTables?
    /// Keys of groups over the rows that are grouped, or the columns that are taken of joined rows.
    private let groups: [Expression]
    private let conditions: [String]
    /// What stands in front of the conditions and behind them.
    private let head: String
    private let tail: String
    let columns: [PostgresType]
    let names: [String]
    let expectedColumns: [PostgresConnection.ResultColumn]

    init?(_ table: TableDescription, _ request: ScanRequest, _ query: StoreQuery) {
        var joined: JoinedTables?
        if let joins = query.joins {
            // Neither is asked for, and conditions that come later would not be the same below them.
            guard query.ordering.isEmpty, query.limit == nil,
                let tables = JoinedTables(table, request.projection, joins)
            else { return nil }
            joined = tables
        }
        let table = joined?.description ?? table
        let projection = joined.map { Array($0.description.columns.indices) } ?? request.projection
        let writer = PredicateText(table: table, projection: projection)
        var conditions = joined?.conditions ?? []
        for predicate in query.predicates.flatMap(\.conjuncts) {
            guard let text = writer.condition(predicate) else { return nil }
            conditions.append(text)
        }
        var list: [String] = []
        var groups: [String] = []
        var columns: [PostgresType] = []
        var names: [String] = []
        var expectedColumns: [PostgresConnection.ResultColumn] = []
        func takeColumn(_ ordinal: Int) -> TableDescription.Column? {
            guard table.columns.indices.contains(ordinal), let type = table.columns[ordinal].type else { return nil }
            let column = table.columns[ordinal]
            columns.append(type)
            names.append(column.name)
            expectedColumns.append(.init(type: column.typeIdentifier, modifier: column.typeModifier))
            return column
        }
        if let grouping = query.grouping {
            guard query.ordering.isEmpty, query.limit == nil else { return nil }
            for group in grouping.groups {
                guard case .input(let position, _) = group, projection.indices.contains(position),
                    let column = takeColumn(projection[position]), Self.isGroupable(column, table)
                else { return nil }
                groups.append(column.text)
            }
            list = groups
            for call in grouping.aggregates {
                guard let (text, type, number) = Self.aggregate(call, writer) else { return nil }
                list.append(text)
                columns.append(type)
                names.append(call.name)
                expectedColumns.append(.init(type: number, modifier: -1))
            }
        } else {
            for ordinal in query.joins?.output ?? request.projection {
                guard let column = takeColumn(ordinal) else { return nil }
                list.append(column.text)
            }
        }
        var order: [String] = []
        for key in query.ordering {
            guard let text = writer.orderText(key.expression) else { return nil }
            order.append(
                text + (key.isDescending ? " DESC" : " ASC") + (key.nullsFirst ? " NULLS FIRST" : " NULLS LAST"))
        }
        head = "SELECT \(list.joined(separator: ", ")) FROM \(joined?.from ?? ScanText.from(table))"
        var tail = ""
        if !groups.isEmpty { tail += " GROUP BY " + groups.joined(separator: ", ") }
        if !order.isEmpty { tail += " ORDER BY " + order.joined(separator: ", ") }
        if let limit = query.limit { tail += " LIMIT \(limit)" }
        self.tail = tail
        self.conditions = conditions
        self.writer = writer
        self.joined = joined
        let output = query.joins?.output.map { Expression.input($0, table.columns[$0].type?.type ?? .text) }
        self.groups = query.grouping?.groups ?? output ?? []
        self.columns = columns
        self.names = names
        // Of several tables all columns that take part are looked at.
        self.expectedColumns = joined?.expectedColumns ?? expectedColumns
    }

    func select(adding more: [String]) -> String {
        let all = conditions + more
        return head + (all.isEmpty ? "" : " WHERE " + all.joined(separator: " AND ")) + tail
    }

    /// A condition over the keys of groups, as one over the rows that are grouped; `nil` for others.
    func ofRows(_ condition: Expression) -> Expression? {
        var isOfKeys = true
        let result = condition.rewritten { part in
            guard case .input(let position, _) = part else { return part }
            guard groups.indices.contains(position) else {
                isOfKeys = false
                return part
            }
            return groups[position]
        }
        return isOfKeys ? result : nil
    }

    func ofRows(_ members: ScanMembers) -> ScanMembers? {
        guard groups.indices.contains(members.position), case .input(let position, _) = groups[members.position] else {
            return nil
        }
        return members.at(position)
    }

    /// Types of which equal values look the same, so that it does not matter which one stands for its group.
    private static func isGroupable(_ column: TableDescription.Column, _ table: TableDescription) -> Bool {
        switch column.type?.type {
        case .boolean, .int16, .int32, .int64, .decimal, .date, .time, .timestamp, .timestampTZ, .uuid, .oid, .bytea:
            true
        case .text, .varchar, .char: column.isDeterministic
        default: false
        }
    }

    /// The call as SQL, the type of its result, and that type's number.
    private static func aggregate(_ call: AggregateCall, _ writer: PredicateText) -> (String, PostgresType, UInt32)? {
        guard !call.isDistinct, call.filter == nil, call.ordering.isEmpty, call.arguments.count <= 1 else { return nil }
        guard let argument = call.arguments.first else {
            return call.name == "count" && call.type == .int64
                ? ("count(*)", PostgresType(type: .int64, codec: .int64), 20) : nil
        }
        func numeric() -> PostgresType? {
            switch call.type {
            case .decimal(let precision, let scale):
                PostgresType(type: call.type, codec: .decimal(precision: precision, scale: scale))
            case .numeric: PostgresType(type: call.type, codec: .numeric)
            default: nil
            }
        }
        guard case .input(let position, let type) = argument else {
            guard call.name == "sum", argument.type.isDecimal, let text = writer.exactNumber(argument),
                let result = numeric()
            else { return nil }
            return ("sum(\(text))", result, 1700)
        }
        guard let column = writer.readable(position, type) else { return nil }
        let name = column.text
        switch (call.name, type) {
        case ("count", _) where call.type == .int64:
            return ("count(\(name))", PostgresType(type: .int64, codec: .int64), 20)
        case ("sum", .int16), ("sum", .int32):
            guard call.type == .int64 else { return nil }
            return ("sum(\(name))", PostgresType(type: .int64, codec: .int64), 20)
        case ("sum", .int64), ("sum", .decimal), ("sum", .numeric), ("avg", .int16), ("avg", .int32), ("avg", .int64),
            ("avg", .decimal), ("avg", .numeric):
            guard let result = numeric() else { return nil }
            // An average in a fixed scale would be rounded where the engine rounds otherwise.
            if call.name == "avg", call.type.isDecimal { return nil }
            return ("\(call.name)(\(name))", result, 1700)
        case ("min", _), ("max", _): return extremum(call, column, name, type, writer.table)
        default: return nil
        }
    }

    private static func extremum(
        _ call: AggregateCall, _ column: TableDescription.Column, _ name: String, _ type: DataType,
        _ table: TableDescription
    ) -> (String, PostgresType, UInt32)? {
        guard let known = column.type else { return nil }
        switch type {
        case .int16, .int32, .int64, .date, .time, .timestamp, .timestampTZ, .decimal:
            guard call.type == type else { return nil }
            return ("\(call.name)(\(name))", known, column.typeIdentifier)
        case .text, .varchar:
            guard call.type == .text || call.type == type, table.isUTF8, column.isDeterministic else { return nil }
            let collation = column.isByteOrdered ? "" : " COLLATE \"C\""
            return ("\(call.name)(\(name)::text\(collation))", PostgresType(type: call.type, codec: .text), 25)
        default: return nil
        }
    }
}
