// Commands that ask what there is: catalogues, schemas, tables, keys, and what the server can do.

import Columnar
import Coordination
import Diagnostics
import FileFormats
import GRPCCore

/// Answers them from the catalogue's own tables, as the session sees them.
struct CatalogCommands: Sendable {
    let session: FlightSession
    let limits: FlightLimits

    // MARK: - Schemas of the answers

    static func fields(_ command: FlightCommand) throws -> [ArrowField] {
        if case .sqlInfo = command { return SQLInfo.fields }
        return ArrowStreamEncoder.fields(try columns(command), as: .plain)
    }

    private static func columns(_ command: FlightCommand) throws -> [Field] {
        func text(_ name: String, isNullable: Bool = false) -> Field {
            Field(name: name, type: .text, isNullable: isNullable)
        }
        let catalog = text("catalog_name", isNullable: true)
        let schema = text("db_schema_name", isNullable: true)
        switch command {
        case .catalogs: return [text("catalog_name")]
        case .schemas: return [catalog, text("db_schema_name")]
        case .tables(let filter):
            let binary = Field(name: "table_schema", type: .bytea, isNullable: false)
            return [catalog, schema, text("table_name"), text("table_type")] + (filter.includesSchema ? [binary] : [])
        case .tableTypes: return [text("table_type")]
        case .primaryKeys:
            return [
                catalog, schema, text("table_name"), text("column_name"), text("key_name", isNullable: true),
                Field(name: "key_sequence", type: .int32, isNullable: false),
            ]
        default: throw QueryError(.protocolViolation, "the command is not one that asks what there is")
        }
    }

    // MARK: - Answers

    func send(_ command: FlightCommand, to writer: RPCWriter<OutgoingFlightData>) async throws {
        if case .sqlInfo(let numbers) = command {
            try await writer.write(OutgoingFlightData(ArrowMessage.schema(SQLInfo.fields)))
            return try await writer.write(SQLInfo.rows(numbers, limits: limits))
        }
        let columns = try Self.columns(command)
        let rows = try await session.exclusively { try await self.rows(command) }
        let encoder = ArrowStreamEncoder(columns, as: .plain, settings: TextSettings())
        try await writer.write(OutgoingFlightData(ArrowMessage.schema(encoder.fields)))
        var start = 0
        while start < rows.count {
            let part = rows[start..<min(rows.count, start + Batch.standardRowCount)]
            start = part.endIndex
            _ = try encoder.append(Batch.rows(Array(part), types: columns.map(\.type)), from: 0)
            if encoder.isFull || start == rows.count, let message = encoder.take() {
                try await writer.write(OutgoingFlightData(message))
            }
        }
    }

    private func rows(_ command: FlightCommand) async throws -> [[ScalarValue]] {
        switch command {
        case .catalogs: return try await query("SELECT current_database()::text", [])
        case .schemas(let catalog, let pattern): return try await query(Self.schemas, [catalog, pattern])
        case .tables(let filter): return try await tables(filter)
        case .tableTypes: return Self.tableTypes.sorted().map { [.bytes(Array($0.utf8))] }
        case .primaryKeys(let filter):
            return try await query(Self.primaryKeys, [filter.catalog, filter.schema, filter.table])
        default: throw QueryError(.protocolViolation, "the command is not one that asks what there is")
        }
    }

    private func query(_ sql: String, _ parameters: [String?]) async throws -> [[ScalarValue]] {
        let prepared = try await session.session.prepare(sql)
        let values = parameters.map { text in text.map { ScalarValue.bytes(Array($0.utf8)) } ?? .null }
        let result = try await session.session.execute(prepared, parameters: values)
        return try await result.collect().flatMap { batch in (0..<batch.rowCount).map { batch.row($0) } }
    }

    private func tables(_ filter: TableFilter) async throws -> [[ScalarValue]] {
        var rows = try await query(
            Self.tables, [filter.catalog, filter.schemaPattern, filter.tablePattern])
        if !filter.types.isEmpty {
            let wanted = Set(filter.types)
            rows = rows.filter { row in row[3].text.map { wanted.contains($0) } ?? false }
        }
        guard filter.includesSchema else { return rows }
        var result: [[ScalarValue]] = []
        for row in rows {
            let names = [row[1], row[2]].map { Self.quoted($0.text ?? "") }
            let prepared = try await session.session.prepare("SELECT * FROM \(names.joined(separator: "."))")
            let schema = ArrowMessage.schema(ArrowStreamEncoder.fields(prepared.fields ?? [], as: .table))
            result.append(row + [.bytes(schema.encapsulated)])
        }
        return result
    }

    private static func quoted(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    // MARK: - Statements

    private static let tableTypes = ["TABLE", "VIEW", "MATERIALIZED VIEW", "SYSTEM TABLE", "SYSTEM VIEW"]

    private static let schemas = """
        SELECT current_database()::text, n.nspname::text
        FROM pg_catalog.pg_namespace n
        WHERE ($1::text IS NULL OR current_database()::text = $1::text)
              AND ($2::text IS NULL OR n.nspname::text LIKE $2::text)
        ORDER BY 2
        """

    private static let tables = """
        SELECT current_database()::text, n.nspname::text, c.relname::text,
               CASE WHEN n.nspname IN ('pg_catalog', 'information_schema', 'system')
                    THEN CASE c.relkind WHEN 'v' THEN 'SYSTEM VIEW' ELSE 'SYSTEM TABLE' END
                    WHEN c.relkind = 'v' THEN 'VIEW' WHEN c.relkind = 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p')
              AND ($1::text IS NULL OR current_database()::text = $1::text)
              AND ($2::text IS NULL OR n.nspname::text LIKE $2::text)
              AND ($3::text IS NULL OR c.relname::text LIKE $3::text)
        ORDER BY 2, 3, 4
        """

    private static let primaryKeys = """
        SELECT current_database()::text, n.nspname::text, c.relname::text, a.attname::text, k.conname::text,
               p.place::int
        FROM pg_catalog.pg_constraint k
             JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             CROSS JOIN LATERAL unnest(k.conkey) WITH ORDINALITY AS p(number, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.number
        WHERE k.contype = 'p' AND ($1::text IS NULL OR current_database()::text = $1::text)
              AND ($2::text IS NULL OR n.nspname::text = $2::text) AND c.relname::text = $3::text
        ORDER BY 1, 2, 3, 5, 6
        """
}
