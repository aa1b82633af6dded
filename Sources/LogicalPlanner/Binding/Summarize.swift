// SUMMARIZE as a query over the summarised one.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

extension StatementBinder {
    /// A row for each column: type, extremes, different values, mean, deviation, quartiles, rows, share of NULLs. All
    /// columns are aggregated in one pass, and the one row of results is then laid out as rows.
    func bindSummarize(_ describe: Describe) throws -> BoundStatement {
        let columns = try bindSettledQuery(describe.query, parent: nil, commonTables: nil).columns
        guard !columns.isEmpty else {
            throw QueryError.notSupported("SUMMARIZE without columns", at: describe.position)
        }
        var aggregates = ["count(*) AS rows"]
        var rows: [String] = []
        for (index, column) in columns.enumerated() {
            let name = "c\(index)"
            let isOrdered = !registryLacksOrder(column.type)
            let isNumeric = column.type.isNumeric
            let hasQuantiles = isOrdered && (isNumeric || column.type.isTemporal)
            var values = [
                isOrdered ? "min(\(name))::text" : nil, isOrdered ? "max(\(name))::text" : nil,
                column.type == .json ? nil : "count(DISTINCT \(name))", isNumeric ? "avg(\(name)::float8)::text" : nil,
                isNumeric ? "stddev(\(name)::float8)::text" : nil,
            ]
            for quantile in ["0.25", "0.5", "0.75"] {
                values.append(
                    hasQuantiles ? "percentile_disc(\(quantile)) WITHIN GROUP (ORDER BY \(name))::text" : nil)
            }
            values.append("count(\(name))")
            var cells: [String] = []
            for (position, value) in values.enumerated() {
                guard let value else {
                    cells.append(position == 2 ? "NULL::bigint" : "NULL::text")
                    continue
                }
                aggregates.append("\(value) AS a\(index)_\(position)")
                cells.append("s.a\(index)_\(position)")
            }
            let filled = cells.removeLast()
            let share =
                "CASE WHEN s.rows > 0 THEN round((s.rows - \(filled)) * 100.0 / s.rows, 2)::numeric(9,2) END"
            rows.append(
                "(\(index), \(SyntaxPrinter.stringLiteral(column.name)), "
                    + "\(SyntaxPrinter.stringLiteral(column.type.sqlName)), "
                    + "\(cells.joined(separator: ", ")), s.rows, \(share))")
        }
        let names = columns.indices.map { "c\($0)" }.joined(separator: ", ")
        let text = """
            SELECT r.column_name, r.column_type, r.min, r.max, r.approx_unique, r.avg, r.std, r.q25, r.q50, r.q75, \
            r.count, r.null_percentage FROM (SELECT \(aggregates.joined(separator: ", ")) \
            FROM (\(SyntaxPrinter.text(of: describe.query))) AS source(\(names))) AS s \
            CROSS JOIN LATERAL (VALUES \(rows.joined(separator: ", "))) AS r(position, column_name, column_type, min, max, \
            approx_unique, avg, std, q25, q50, q75, count, null_percentage) ORDER BY r.position
            """
        return try bindTopQuery(StatementParser.parseQuery(text))
    }

    /// Types without smallest and largest value.
    private func registryLacksOrder(_ type: DataType) -> Bool {
        (try? registry.resolveAggregate("min", [type])) == nil
    }
}
