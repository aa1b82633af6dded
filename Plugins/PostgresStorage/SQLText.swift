// Pieces of the SQL that is sent: names and literals.

import Columnar
import Diagnostics

enum SQLText {
    static func name(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
    static func name(_ schema: String, _ name: String) -> String { self.name(schema) + "." + self.name(name) }

    static func string(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
    }

    /// A literal that the server reads as the same value of the same type; `nil` for types whose values are not sent.
    static func literal(_ value: ScalarValue, _ type: DataType) -> String? {
        guard let typeName = literalTypeName(type) else { return nil }
        if value.isNull { return "NULL::\(typeName)" }
        let text = TextFormat.text(of: value, type: type)
        if text.utf8.contains(0) { return nil }
        return string(text) + "::" + typeName
    }

    private static func literalTypeName(_ type: DataType) -> String? {
        switch type {
        case .boolean: "bool"
        case .int16: "int2"
        case .int32: "int4"
        case .int64: "int8"
        case .float32: "float4"
        case .float64: "float8"
        case .decimal, .numeric: "numeric"
        case .text, .varchar, .char, .unknown: "text"
        case .bytea: "bytea"
        case .date: "date"
        case .time: "time"
        case .timestamp: "timestamp"
        case .timestampTZ: "timestamptz"
        case .uuid: "uuid"
        case .oid: "oid"
        default: nil
        }
    }
}
