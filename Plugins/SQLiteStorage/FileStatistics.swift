// What is known of a table without reading all of it.

import Columnar
import Diagnostics
import Storage

enum FileStatistics {
    /// The rows of smaller files are counted.
    private static let countedByteMaximum: Int64 = 8 << 20

    static func load(_ connection: SQLiteConnection, _ table: TableDescription) throws -> TableStatistics {
        var result = TableStatistics(columns: table.columns.map { _ in ColumnStatistics() })
        guard table.kind == .table else { return result }
        let name = SQLText.name(table.name)
        let pages = try connection.value("PRAGMA page_count").integer ?? 0
        let pageByteCount = try connection.value("PRAGMA page_size").integer ?? 4096
        let entries = try analyzed(connection, table.name)
        if pages * pageByteCount <= countedByteMaximum {
            result.rowCount = try connection.value("SELECT count(*) FROM \(name)").integer.map { Double($0) }
        } else if let known = entries.first?.counts.first {
            result.rowCount = known
        }
        if let row = table.rowName {
            let ends = try connection.rows(
                "SELECT (SELECT min(\(row)) FROM \(name)), (SELECT max(\(row)) FROM \(name))")[0]
            if let first = ends[0].integer, let last = ends[1].integer {
                if result.rowCount == nil {
                    // Numbers may have gaps; a row takes a few bytes at least.
                    let fits = Double(pages * pageByteCount) / Double(4 + 2 * table.columns.count)
                    result.rowCount = min(Double(last) - Double(first) + 1, fits)
                }
                if let column = table.rowColumn {
                    result.columns[column].minimum = .integer(first)
                    result.columns[column].maximum = .integer(last)
                }
            }
        }
        for key in table.keys where key.columns.count == 1 {
            result.columns[key.columns[0]].distinctCount = result.rowCount
        }
        for entry in entries {
            // Rows in the index, then rows for each value of its first column.
            guard let column = entry.column.flatMap({ name in table.columns.firstIndex { $0.name == name } }),
                entry.counts.count >= 2, entry.counts[1] > 0, result.columns[column].distinctCount == nil
            else { continue }
            result.columns[column].distinctCount = max(1, entry.counts[0] / entry.counts[1])
        }
        return result
    }

    /// What ANALYZE of SQLite left: numbers by index, with the index's first column.
    private static func analyzed(_ connection: SQLiteConnection, _ table: String) throws -> [(
        column: String?, counts: [Double]
    )] {
        guard try connection.value("SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_stat1'").integer != 0 else {
            return []
        }
        return try connection.rows(
            "SELECT (SELECT name FROM pragma_index_info(s.idx) WHERE seqno = 0), stat FROM sqlite_stat1 s WHERE tbl = ?1",
            [.text(table)]
        ).map { row in
            (row[0].string, (row[1].string ?? "").split(separator: " ").compactMap { Double($0) })
        }
    }
}
