// What tables there are, with their columns and types, for completion and the schema browser.

import Columnar
import Coordination
import Diagnostics

struct SchemaRoutes: Sendable {
    let engine: QueryEngine

    var routes: [Route] {
        [
            Route(
                method: .GET, path: "/v1/schema", summary: "Schemas, tables and views with their columns.",
                parameters: [
                    Route.Parameter(
                        name: "system", text: "Whether pg_catalog and information_schema are among them.",
                        schema: #"{"type":"boolean"}"#)
                ],
                responses: [
                    Route.Response(status: 200, text: "The schemas.", content: [("application/json", "Schema")])
                ],
                handler: { try await answer($0, $1) })
        ]
    }

    private static let names = """
        SELECT n.nspname, c.relname, c.relkind::text, c.reltuples::bigint, a.attname,
               format_type(a.atttypid, a.atttypmod), a.attnotnull, col_description(c.oid, a.attnum)
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p')
              AND ($1::boolean OR n.nspname NOT IN ('pg_catalog', 'information_schema'))
        ORDER BY n.nspname = 'system', n.nspname, c.relname, a.attnum
        """

    private func answer(_ request: HTTPRequest, _ writer: ResponseWriter) async throws {
        let session = engine.makeSession(user: request.user ?? "martlet", applicationName: "http")
        defer { session.close() }
        let statement = try await session.prepare(Self.names)
        let isSystemShown = request.parameter("system") == "true"
        let result = try await session.execute(statement, parameters: [.boolean(isSystemShown)])
        var rows: [[String?]] = []
        while let batch = try await result.next() {
            for row in 0..<batch.rowCount {
                rows.append(batch.columns.indices.map { Self.text(batch.column($0), row) })
            }
        }
        try await writer.send(json: Self.document(rows))
    }

    private static func text(_ vector: Vector, _ row: Int) -> String? {
        guard !vector.isNull(row) else { return nil }
        var bytes: [UInt8] = []
        TextFormat.append(vector, row: row, settings: TextSettings(), into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let kinds = ["r": "table", "v": "view", "m": "materialized view", "f": "table", "p": "table"]

    /// From rows that are sorted by schema and table, one for each column.
    private static func document(_ rows: [[String?]]) -> [UInt8] {
        JSONWriter.document { writer in
            writer.array("schemas", runs(rows, by: 0)) { writer, schema in
                writer.object { writer in
                    writer.member("name", schema.first?[0])
                    writer.array("tables", runs(Array(schema), by: 1)) { writer, table in
                        writer.object { writer in
                            writer.member("name", table.first?[1])
                            writer.member("kind", kinds[table.first?[2] ?? ""] ?? "table")
                            let count = (table.first?[3]).flatMap { Int64($0) } ?? -1
                            writer.member("estimated_rows", count < 0 ? nil : count)
                            writer.array("columns", table.filter { $0[4] != nil }) { writer, column in
                                writer.object { writer in
                                    writer.member("name", column[4])
                                    writer.member("type", column[5])
                                    writer.member("nullable", column[6] != "t")
                                    if let text = column[7] { writer.member("comment", text) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private static func runs(_ rows: [[String?]], by column: Int) -> [ArraySlice<[String?]>] {
        var result: [ArraySlice<[String?]>] = []
        var start = 0
        for index in rows.indices where index + 1 == rows.count || rows[index + 1][column] != rows[index][column] {
            result.append(rows[start...index])
            start = index + 1
        }
        return result
    }
}
