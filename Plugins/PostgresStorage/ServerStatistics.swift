// What the server's ANALYZE knows of a table.

import Columnar
import Diagnostics
import Storage

enum ServerStatistics {
    /// Tables of fewer bytes are counted if nobody has analysed them yet.
    private static let countedByteMaximum = 16 << 20
    private static let separator = "\u{1F}"

    static func load(_ connection: PostgresConnection, _ table: TableDescription) throws -> TableStatistics {
        var result = TableStatistics(columns: table.columns.map { _ in ColumnStatistics() })
        guard table.kind != .view, table.kind != .foreign else { return result }
        let rows = try connection.rows(
            """
            SELECT attname, null_frac, n_distinct, avg_width,
                pg_catalog.array_to_string(histogram_bounds::text::text[], E'\\x1f'),
                pg_catalog.array_to_string(most_common_vals::text::text[], E'\\x1f')
            FROM pg_catalog.pg_stats WHERE schemaname = $1 AND tablename = $2 AND inherited = $3::bool
            """, [table.schema, table.name, table.hasChildren || table.kind == .partitioned ? "t" : "f"])
        let sizes = try connection.rows(
            "SELECT pg_catalog.pg_table_size(\(table.identifier)::oid::regclass), "
                + "pg_catalog.pg_relation_size(\(table.identifier)::oid::regclass)"
        ).first
        let byteCount = sizes?[0].flatMap(Double.init) ?? 0
        let pageCount = (sizes?[1].flatMap(Double.init) ?? 0) / 8192
        result.byteCount = byteCount
        if table.rowEstimate >= 0, table.pageEstimate > 0 {
            result.rowCount = table.rowEstimate / table.pageEstimate * pageCount
        } else if table.rowEstimate > 0 {
            result.rowCount = table.rowEstimate
        } else if table.kind.hasPages, byteCount <= Double(countedByteMaximum) {
            let name = SQLText.name(table.schema, table.name)
            // Whoever may not read the table learns that when it is read.
            result.rowCount = try? connection.rows("SELECT count(*) FROM \(name)").first?[0].flatMap(Double.init)
        }
        for row in rows {
            guard let index = table.columns.firstIndex(where: { $0.name == row[0] }) else { continue }
            var column = ColumnStatistics(nullFraction: row[1].flatMap(Double.init))
            if let distinct = row[2].flatMap(Double.init) {
                // Negative numbers are shares of the rows.
                column.distinctCount = distinct > 0 ? distinct : result.rowCount.map { max(1, -distinct * $0) }
                if distinct == 0 { column.distinctCount = nil }
            }
            column.averageByteCount = row[3].flatMap(Double.init)
            if let type = table.columns[index].type?.type {
                (column.minimum, column.maximum) = bounds(row[4], row[5], type)
            }
            result.columns[index] = column
        }
        return result
    }

    /// The least and the greatest value among those that the statistics name.
    private static func bounds(_ histogram: String?, _ common: String?, _ type: DataType) -> (
        ScalarValue?, ScalarValue?
    ) {
        switch type {
        case .int16, .int32, .int64, .decimal, .float32, .float64, .date, .timestamp, .timestampTZ: break
        default: return (nil, nil)
        }
        var texts: [Substring] = []
        let bounds = (histogram ?? "").split(separator: separator)
        if let first = bounds.first, let last = bounds.last { texts = [first, last] }
        texts += (common ?? "").split(separator: separator)
        // A column without statistics on its values, not a table without rows.
        let values = texts.compactMap { try? TextFormat.parse(String($0), as: type) }
        guard values.count == texts.count, var low = values.first else { return (nil, nil) }
        var high = low
        for value in values {
            if isLess(value, low) { low = value }
            if isLess(high, value) { high = value }
        }
        return (low, high)
    }

    private static func isLess(_ a: ScalarValue, _ b: ScalarValue) -> Bool {
        switch (a, b) {
        case (.integer(let x), .integer(let y)): x < y
        case (.decimal(let x), .decimal(let y)): x < y
        case (.float(let x), .float(let y)): x < y
        default: false
        }
    }
}
