// Functions about the server and the session's connection that PostgreSQL's clients call.

import Columnar
import Diagnostics

enum ServerFunctions {
    static func register(in registry: FunctionRegistry) {
        registerEncodings(in: registry)
        SleepFunctions.register(in: registry)
        SizeFunctions.register(in: registry)
        constant(
            registry, "pg_postmaster_start_time", [], .integer(DateTimeFunctions.clock()), .timestampTZ,
            "When the server was started.")
        constant(registry, "pg_is_in_recovery", [], .boolean(false), .boolean, "Whether the server recovers: never.")
        constant(
            registry, "pg_is_other_temp_schema", [CatalogFunctions.oid], .boolean(false), .boolean,
            "Whether a schema holds another session's temporary tables.")
        constant(
            registry, "pg_relation_is_publishable", [CatalogFunctions.regclass], .boolean(false), .boolean,
            "Whether a relation can be published: none can.")
        constant(
            registry, "pg_tablespace_location", [CatalogFunctions.oid], .string(""), .text,
            "The directory of a tablespace.")
        constant(
            registry, "pg_stat_get_numscans", [CatalogFunctions.oid], .integer(0), .int64,
            "How often a table was scanned: not counted.")
        constant(
            registry, "pg_index_column_has_property", [CatalogFunctions.regclass, .int32, .text], .null, .boolean,
            "A property of an index's column; indexes have none here.")
        constant(
            registry, "pg_advisory_unlock_all", [], .string(""), .text, "Releases advisory locks; there are none.")
        for (name, results) in [("inet_server_addr", DataType.text), ("inet_client_addr", .text)] {
            constant(registry, name, [], .null, results, "The address of the connection; NULL, as for local ones.")
        }
    }

    /// A function whose result depends on nothing; NULL for NULL arguments.
    private static func constant(
        _ registry: FunctionRegistry, _ name: String, _ parameters: [ParameterType], _ value: ScalarValue,
        _ type: DataType, _ text: String
    ) {
        registry.scalar(
            name, parameters, type, volatility: .stable, FunctionDocumentation("Server", text)
        ) { _, type, count, _ in .constant(value, type: type, count: count) }
    }

    private static func registerEncodings(in registry: FunctionRegistry) {
        CatalogFunctions.lookUp(
            registry, "pg_encoding_to_char", [.int32], .name, volatility: .immutable, readsCatalog: false,
            FunctionDocumentation(
                "Server", "The name of an encoding by its number.", example: "pg_encoding_to_char(6)", result: "UTF8")
        ) { arguments, _ in
            switch CatalogFunctions.number(arguments[0]) {
            case 6: .string("UTF8")
            case 0: .string("SQL_ASCII")
            case let number: .string(ClientEncoding.numbered(Int(truncatingIfNeeded: number))?.name ?? "")
            }
        }
        CatalogFunctions.lookUp(
            registry, "pg_char_to_encoding", [CatalogFunctions.name], .int32, volatility: .immutable,
            readsCatalog: false,
            FunctionDocumentation(
                "Server", "The number of an encoding by its name; -1 for one that is not known.",
                example: "pg_char_to_encoding('utf8')", result: "6")
        ) { arguments, _ in
            switch ClientEncoding.meaning(of: arguments[0].text ?? "") {
            case .unchanged(_, let number): .integer(Int64(number))
            case .converted(let encoding): .integer(Int64(encoding.number))
            case .unsupported, nil: .integer(-1)
            }
        }
        CatalogFunctions.lookUp(
            registry, "pg_client_encoding", [], .name,
            FunctionDocumentation("Server", "The encoding that the client has text in.")
        ) { _, context in .string(try context.facts().setting("client_encoding") ?? "UTF8") }
        constant(registry, "getdatabaseencoding", [], .string("UTF8"), .name, "The encoding of the database.")
    }
}
