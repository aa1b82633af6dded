// The SELECT that a scan sends.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// A scan of a table, or of a range of its pages, as SQL.
struct ScanText {
    let table: TableDescription
    let request: ScanRequest
    let columns: [PostgresType]

    /// Throws 0A000 for columns whose types the engine has not.
    init(_ table: TableDescription, _ request: ScanRequest) throws {
        self.table = table
        self.request = request
        columns = try request.projection.map { ordinal in
            ordinal == table.columns.count ? .place : try table.readable(ordinal)
        }
    }

    var from: String { SQLText.name(table.schema, table.name) }

    private var list: String {
        request.projection.map { ordinal in
            ordinal == table.columns.count ? "ctid" : SQLText.name(table.columns[ordinal].name)
        }.joined(separator: ", ")
    }

    /// What tells the types of the columns and keeps them as they are to the end of the transaction.
    var probe: String { "SELECT \(list) FROM \(from) LIMIT 0" }

    /// The columns that `probe` must give.
    var expectedColumns: [PostgresConnection.ResultColumn] {
        request.projection.map { ordinal in
            if ordinal == table.columns.count { return .init(type: 27, modifier: -1) }
            let column = table.columns[ordinal]
            return .init(type: column.typeIdentifier, modifier: column.typeModifier)
        }
    }

    /// Rows of the pages from `start` up to `end`, or of all; more of them may come than satisfy `predicates`.
    func select(start: Int? = nil, end: Int? = nil, predicates: [Expression], limit: Int?) -> String {
        var conditions: [String] = []
        if let start, start > 0 { conditions.append("ctid >= '(\(start),0)'::tid") }
        if let end { conditions.append("ctid < '(\(end),0)'::tid") }
        conditions += PredicateText(table: table, projection: request.projection).conditions(predicates)
        var text = "SELECT \(list) FROM \(from)"
        if !conditions.isEmpty { text += " WHERE " + conditions.joined(separator: " AND ") }
        if let limit { text += " LIMIT \(limit)" }
        return text
    }
}

extension PostgresType {
    private init(type: DataType, codec: FieldCodec) {
        self.type = type
        self.codec = codec
    }
    /// Where a row lies: page and line, for UPDATE and DELETE.
    static let place = PostgresType(type: .int64, codec: .place)
}
