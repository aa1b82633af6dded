// Definitions of tables: the server's as the engine sees them, and the engine's as CREATE TABLE.

import Columnar
import Diagnostics
import Storage

enum DefinitionText {
    static func definition(_ table: TableDescription) -> TableDefinition {
        TableDefinition(
            columns: zip(table.columns, table.fields).map { column, field in
                var source = TableColumn.Source.given
                if column.isGenerated {
                    // The server computes it, whatever is given.
                    source = .store("it from other columns", .computed)
                } else if !column.identity.isEmpty {
                    source = .store(
                        "the next value of its identity", column.identity == "a" ? .refused : .wanted)
                } else if let text = column.defaultText {
                    source = isCommon(text) ? .defaultExpression(text) : .store(text, .wanted)
                }
                return TableColumn(field: field, source: source)
            }, keys: table.keys)
    }

    /// Whether a default means the same here: a constant, or a moment.
    private static func isCommon(_ text: String) -> Bool {
        let moments: Set<String> = ["now()", "CURRENT_TIMESTAMP", "CURRENT_DATE", "LOCALTIMESTAMP"]
        if moments.contains(text) || text == "true" || text == "false" { return true }
        if Double(text) != nil, text.utf8.allSatisfy({ $0 < 0x3A && $0 != 0x2F }) { return true }
        // 'text'::type
        guard text.hasPrefix("'") else { return false }
        let body = text.dropFirst()
        // Quotes inside are doubled.
        guard let end = body.lastIndex(of: "'"), !body[..<end].replacing("''", with: "").contains("'") else {
            return false
        }
        let names: Set<String> = [
            "text", "character varying", "bpchar", "integer", "bigint", "smallint", "numeric", "real",
            "double precision", "boolean", "date", "uuid", "jsonb", "json", "bytea",
        ]
        let rest = body[body.index(after: end)...]
        return rest.hasPrefix("::") && names.contains(String(rest.dropFirst(2)))
    }

    /// Expressions are passed on as they were written: the dialect is the server's.
    static func createTable(catalog: String, schema: String, name: String, _ definition: TableDefinition) throws
        -> String
    {
        var parts: [String] = []
        for column in definition.columns {
            guard column.userType == nil else {
                throw QueryError.notSupported("a type of its own for a column of a table of this catalogue")
            }
            var suffix = column.field.isNullable ? "" : " NOT NULL"
            switch column.source {
            case .given: break
            case .defaultExpression(let text): suffix += " DEFAULT (\(text))"
            case .generated(let text): suffix += " GENERATED ALWAYS AS (\(text)) STORED"
            default: throw QueryError.notSupported("an identity column of a table of this catalogue")
            }
            guard let type = PostgresType.name(column.field) else {
                throw QueryError(
                    .featureNotSupported,
                    "type \(column.field.typeName) of column \"\(column.field.name)\" is not supported in this catalogue",
                    object: column.field.name)
            }
            parts.append(
                SQLText.name(column.field.name) + " " + type + suffix)
        }
        for check in definition.checks {
            parts.append("CONSTRAINT \(SQLText.name(check.name)) CHECK (\(check.expression))")
        }
        for key in definition.foreignKeys {
            guard key.target.catalog == catalog else {
                throw QueryError.notSupported("a foreign key to a table of another catalogue")
            }
            func list(_ names: [String]) -> String { names.map { SQLText.name($0) }.joined(separator: ", ") }
            parts.append(
                "CONSTRAINT \(SQLText.name(key.name)) FOREIGN KEY (\(list(key.columns))) REFERENCES "
                    + "\(SQLText.name(key.target.schema, key.target.table)) (\(list(key.targetColumns))) "
                    + "ON DELETE \(key.onDelete.rawValue) ON UPDATE \(key.onUpdate.rawValue)")
        }
        for key in definition.keys {
            let columns = key.columns.map { SQLText.name(definition.columns[$0].field.name) }
            guard key.kind != .index, !key.nullsAreEqual else {
                throw QueryError.notSupported("an index of this kind in this catalogue")
            }
            parts.append(
                "CONSTRAINT \(SQLText.name(key.name)) \(key.kind == .primary ? "PRIMARY KEY" : "UNIQUE") "
                    + "(\(columns.joined(separator: ", ")))")
        }
        return "CREATE TABLE \(SQLText.name(schema, name)) (\(parts.joined(separator: ", ")))"
    }
}
