// Definitions of tables: the file's as the engine sees them, and the engine's as CREATE TABLE.

import Columnar
import Diagnostics
import Storage

enum DefinitionText {
    static func definition(_ table: TableDescription) -> TableDefinition {
        TableDefinition(
            columns: zip(table.columns, table.fields).map { column, field in
                var source = TableColumn.Source.given
                if column.isGenerated {
                    source = .store("it from other columns", .computed)
                } else if let text = column.defaultText, text.uppercased() != "NULL" {
                    source = isCommon(text, field.type) ? .defaultExpression(text) : .store(text, .wanted)
                }
                return TableColumn(field: field, source: source)
            }, keys: table.keys)
    }

    /// Whether a default means the same to the engine: a plain number, text, true or false.
    static func isCommon(_ text: String, _ type: DataType) -> Bool {
        switch text.lowercased() {
        case "true", "false": return type == .boolean
        default: break
        }
        if text.utf8.allSatisfy({ $0 >= 0x2D && $0 < 0x3A && $0 != 0x2F }), Double(text) != nil {
            return type.isNumeric
        }
        guard text.utf8.count >= 2, text.hasPrefix("'"), text.hasSuffix("'") else { return false }
        let body = text.dropFirst().dropLast()
        return !body.contains("'") && !body.contains("\\") && (type.isString || type == .date)
    }

    static func createTable(_ name: String, _ definition: TableDefinition) throws -> String {
        guard !name.lowercased().hasPrefix("sqlite_") else {
            throw QueryError(
                .invalidTableDefinition, "SQLite keeps names that begin with sqlite_ for itself", object: name)
        }
        guard !definition.columns.isEmpty else {
            throw QueryError.notSupported("a table without columns in this catalogue")
        }
        var parts: [String] = []
        for column in definition.columns {
            let field = column.field
            guard column.userType == nil, field.modifier == nil, let type = SQLiteType.name(field.type) else {
                throw QueryError(
                    .featureNotSupported,
                    "type \(field.typeName) of column \"\(field.name)\" is not supported in this catalogue",
                    object: field.name)
            }
            var text = SQLText.name(field.name) + " " + type
            switch column.source {
            case .given: break
            case .defaultExpression(let value) where isCommon(value, field.type): text += " DEFAULT \(value)"
            default:
                throw QueryError.notSupported(
                    "a default of column \"\(field.name)\" that is more than a number or a text in this catalogue")
            }
            parts.append(text + (field.isNullable ? "" : " NOT NULL"))
        }
        guard definition.checks.isEmpty, definition.foreignKeys.isEmpty else {
            throw QueryError.notSupported("checks and foreign keys of tables of this catalogue")
        }
        for key in definition.keys {
            let columns = key.columns.map { SQLText.name(definition.columns[$0].field.name) }
            guard key.kind != .index, !key.nullsAreEqual else {
                throw QueryError.notSupported("an index of this kind in this catalogue")
            }
            for ordinal in key.columns { try checkKey(definition.columns[ordinal].field) }
            parts.append(
                "CONSTRAINT \(SQLText.name(key.name)) \(key.kind == .primary ? "PRIMARY KEY" : "UNIQUE") "
                    + "(\(columns.joined(separator: ", ")))")
        }
        return "CREATE TABLE \(SQLText.name(name)) (\(parts.joined(separator: ", ")))"
    }

    /// Two texts that SQLite tells apart must not be equal values of the engine.
    private static func checkKey(_ field: Field) throws {
        switch field.type {
        case .int8, .int16, .int32, .int64, .text, .varchar, .bytea, .date, .boolean, .uuid, .float32, .float64: return
        case .decimal(let precision, _) where precision <= SQLiteType.exactDigits: return
        default:
            throw QueryError.notSupported(
                "a key with column \"\(field.name)\" of type \(field.typeName) in this catalogue")
        }
    }

    /// The description of a table that is not made yet.
    static func description(_ name: String, _ definition: TableDefinition) -> TableDescription {
        TableDescription(
            name: name, kind: .table,
            columns: definition.columns.map { column in
                let declared = SQLiteType.name(column.field.type) ?? ""
                return TableDescription.Column(
                    name: column.field.name, declared: declared, type: SQLiteType(declared: declared),
                    isNullable: column.field.isNullable, defaultText: nil, isGenerated: false, isByteOrdered: true,
                    isGuaranteed: false)
            }, keys: definition.keys, rowName: nil, rowColumn: nil, hasTriggers: false, isUTF8: true)
    }
}
