// Functions that look objects of the catalogue up: names, definitions, comments, sizes, visibility.

import Columnar
import Diagnostics
import QueryPlan

enum CatalogFunctions {
    static func documentation(_ text: String, _ example: String? = nil, _ result: String? = nil)
        -> FunctionDocumentation
    {
        FunctionDocumentation("Catalog", text, example: example, result: result)
    }

    /// A function of the catalogue that is evaluated row by row. Rows with a null argument are NULL and not asked about.
    static func lookUp(
        _ registry: FunctionRegistry, _ name: String, _ parameters: [ParameterType], _ result: DataType,
        volatility: Volatility = .stable, readsCatalog: Bool = true, isStrict: Bool = true,
        _ documentation: FunctionDocumentation,
        _ body: @escaping @Sendable ([ScalarValue], EvaluationContext) throws -> ScalarValue
    ) {
        var function = ScalarFunction(
            name, parameters, resultType: { _ in result }, volatility: volatility, isStrict: isStrict, canFail: true,
            documentation: documentation
        ) { arguments, type, count, context in
            let builder = VectorBuilder(type: type, capacity: max(1, count))
            for row in 0..<count {
                let values = arguments.map { $0.value(at: row) }
                if isStrict, values.contains(.null) {
                    builder.append(.null)
                } else {
                    builder.append(try body(values, context))
                }
            }
            return builder.finish()
        }
        function.readsCatalog = readsCatalog
        registry.register(function)
    }

    static func string(_ text: String?) -> ScalarValue { text.map { .string($0) } ?? .null }
    static func number(_ value: ScalarValue) -> Int64 { if case .integer(let number) = value { number } else { 0 } }

    static let regclass = ParameterType.exact(.registered(.relation))
    static let oid = ParameterType.exact(.oid)
    static let name = ParameterType.exact(.name)

    static func register(in registry: FunctionRegistry) {
        registerTypes(in: registry)
        registerDefinitions(in: registry)
        registerComments(in: registry)
        registerVisibility(in: registry)
        registerNames(in: registry)
        registerSizes(in: registry)
        registerSettings(in: registry)
        PrivilegeFunctions.register(in: registry)
        ServerFunctions.register(in: registry)
    }

    // MARK: - Types

    private static func registerTypes(in registry: FunctionRegistry) {
        lookUp(
            registry, "format_type", [oid, .int32], .text, readsCatalog: false, isStrict: false,
            documentation(
                "The SQL name of a type by its number and modifier.", "format_type(1043, 14)",
                "character varying(10)")
        ) { arguments, context in
            if arguments[0].isNull { return .null }
            let modifier = arguments[1].isNull ? nil : number(arguments[1])
            let builtIn = BuiltInTypes.sqlName(number(arguments[0]), modifier: modifier)
            return .string(builtIn ?? context.catalogFacts?.name(of: number(arguments[0]), .type) ?? "???")
        }
        registry.scalar(
            "pg_typeof", [.any], .registered(.type), isStrict: false,
            FunctionDocumentation("General", "The type of the argument.", example: "pg_typeof(33)", result: "integer")
        ) { arguments, type, count, _ in
            .constant(.integer(typeNumber(arguments[0].type)), type: type, count: count)
        }
        lookUp(
            registry, "to_regtype", [.text], .registered(.type), readsCatalog: false,
            documentation("The type of a name; NULL if there is none.", "to_regtype('int4')", "integer")
        ) { arguments, context in
            let text = arguments[0].text ?? ""
            let found =
                try BuiltInTypes.identifier(ofSQLName: text) ?? context.catalogFacts?.identifier(of: text, .type)
            return found.map { .integer($0) } ?? .null
        }
        for parameters in [[oid], [oid, ParameterType.boolean]] {
            lookUp(
                registry, "pg_get_function_arguments", parameters, .text, documentation("The parameters of a function.")
            ) { arguments, context in
                string(try context.facts().definition(number(arguments[0]), .functionArguments))
            }
            lookUp(
                registry, "pg_get_function_identity_arguments", parameters, .text,
                documentation("The parameters of a function that tell it from others of its name.")
            ) { arguments, context in
                string(try context.facts().definition(number(arguments[0]), .functionArguments))
            }
            lookUp(registry, "pg_get_function_result", parameters, .text, documentation("The result of a function.")) {
                arguments, context in string(try context.facts().definition(number(arguments[0]), .functionResult))
            }
        }
    }

    /// A literal that no context gave a type is of type unknown to clients, too.
    private static func typeNumber(_ type: DataType) -> Int64 { type == .unknown ? 705 : type.catalogIdentifier }

    // MARK: - Definitions

    private static func registerDefinitions(in registry: FunctionRegistry) {
        for parameters in [[.text, oid], [.text, oid, ParameterType.boolean]] {
            lookUp(
                registry, "pg_get_expr", parameters, .text, readsCatalog: false,
                documentation("The text of an expression that the catalogue holds.", "pg_get_expr('1 + 1', 0)", "1 + 1")
            ) { arguments, _ in arguments[0] }
        }
        for (name, definition) in [
            ("pg_get_constraintdef", CatalogDefinition.constraint), ("pg_get_indexdef", .index(column: 0)),
        ] {
            for parameters in [[oid], [oid, ParameterType.boolean]]
            where definition != .index(column: 0) || parameters.count == 1 {
                lookUp(registry, name, parameters, .text, documentation("The definition of an object in SQL.")) {
                    arguments, context in string(try context.facts().definition(number(arguments[0]), definition))
                }
            }
        }
        lookUp(
            registry, "pg_relation_is_updatable", [regclass, .boolean], .int32,
            documentation(
                "What changes a table or view takes: 4 for UPDATE, 8 for INSERT and 16 for DELETE, added up.")
        ) { arguments, context in
            .integer(try context.facts().changeEvents(ofRelation: number(arguments[0]), column: nil))
        }
        lookUp(
            registry, "pg_column_is_updatable", [regclass, .int16, .boolean], .boolean,
            documentation("Whether a column of a table or view can be assigned.")
        ) { arguments, context in
            let events = try context.facts().changeEvents(
                ofRelation: number(arguments[0]), column: number(arguments[1]))
            return .boolean(events & 20 == 20)
        }
        lookUp(
            registry, "pg_get_indexdef", [oid, .int32, .boolean], .text,
            documentation("The definition of an index, or of one of its columns.")
        ) { arguments, context in
            string(
                try context.facts().definition(number(arguments[0]), .index(column: Int(number(arguments[1])))))
        }
        @Sendable func style(_ arguments: [ScalarValue]) -> CatalogDefinition {
            switch arguments.count > 1 ? arguments[1] : .null {
            case .boolean(let isPretty): .view(isPretty: isPretty, wrapColumn: 0)
            case .integer(let width): .view(isPretty: true, wrapColumn: width < 0 ? nil : Int(width))
            default: .view(isPretty: false, wrapColumn: 0)
            }
        }
        for parameters in [[oid], [oid, ParameterType.boolean], [oid, .int32]] {
            lookUp(registry, "pg_get_viewdef", parameters, .text, documentation("The query of a view.")) {
                arguments, context in
                string(try context.facts().definition(number(arguments[0]), style(arguments)))
            }
        }
        for parameters in [[ParameterType.text], [.text, .boolean]] {
            lookUp(registry, "pg_get_viewdef", parameters, .text, documentation("The query of a view by its name.")) {
                arguments, context in
                let written = arguments[0].text ?? ""
                guard let identifier = try context.facts().identifier(of: written, .relation) else {
                    throw ObjectNameText.missing(written, .relation)
                }
                return string(try context.facts().definition(identifier, style(arguments)))
            }
        }
        // Objects that the engine does not have: nothing has these numbers.
        for (name, parameters) in [
            ("pg_get_triggerdef", [oid]), ("pg_get_triggerdef", [oid, .boolean]), ("pg_get_ruledef", [oid]),
            ("pg_get_ruledef", [oid, .boolean]), ("pg_get_functiondef", [oid]), ("pg_get_function_sqlbody", [oid]),
            ("pg_get_statisticsobjdef", [oid]), ("pg_get_statisticsobjdef_columns", [oid]),
            ("pg_get_partkeydef", [oid]), ("pg_get_partition_constraintdef", [oid]),
        ] {
            lookUp(
                registry, name, parameters, .text, readsCatalog: false,
                documentation("NULL: the engine has no such objects.")
            ) { _, _ in .null }
        }
        lookUp(
            registry, "pg_get_serial_sequence", [.text, .text], .text,
            documentation("The sequence behind a column; NULL if there is none.")
        ) { arguments, context in
            string(
                try context.facts().sequence(ofColumn: arguments[1].text ?? "", table: arguments[0].text ?? ""))
        }
    }

    // MARK: - Comments

    private static func registerComments(in registry: FunctionRegistry) {
        for name in ["obj_description", "shobj_description"] {
            lookUp(
                registry, name, [oid, CatalogFunctions.name], .text,
                documentation("The comment on an object of a catalogue relation.")
            ) { arguments, context in
                string(
                    try context.facts().comment(
                        on: number(arguments[0]), in: arguments[1].text ?? "", column: 0))
            }
        }
        lookUp(registry, "obj_description", [oid], .text, documentation("The comment on an object.")) {
            arguments, context in string(try context.facts().comment(on: number(arguments[0]), in: nil, column: 0))
        }
        lookUp(
            registry, "col_description", [oid, .int32], .text, documentation("The comment on a column of a table.")
        ) { arguments, context in
            let column = number(arguments[1])
            if column == 0 { return .null }
            return string(try context.facts().comment(on: number(arguments[0]), in: "pg_class", column: column))
        }
    }

    // MARK: - Visibility

    private static func registerVisibility(in registry: FunctionRegistry) {
        let kinds: [(String, RegisteredKind?)] = [
            ("table", .relation), ("type", .type), ("function", .function), ("operator", .operation),
            ("collation", .collation), ("opclass", nil), ("opfamily", nil), ("conversion", nil),
            ("statistics_obj", nil), ("ts_config", nil), ("ts_dict", nil), ("ts_parser", nil), ("ts_template", nil),
        ]
        for (name, kind) in kinds {
            lookUp(
                registry, "pg_\(name)_is_visible", [oid], .boolean, readsCatalog: kind != nil,
                documentation("Whether the object's name means it without a schema; NULL if there is no such object.")
            ) { arguments, context in
                guard let kind, let isVisible = try context.facts().isVisible(number(arguments[0]), kind) else {
                    return .null
                }
                return .boolean(isVisible)
            }
        }
    }

    // MARK: - Names

    private static func registerNames(in registry: FunctionRegistry) {
        for (name, kind) in [
            ("to_regclass", RegisteredKind.relation), ("to_regproc", .function), ("to_regprocedure", .procedure),
            ("to_regnamespace", .namespace), ("to_regrole", .role), ("to_regoper", .operation),
            ("to_regoperator", .operationSignature), ("to_regcollation", .collation),
        ] {
            lookUp(
                registry, name, [.text], .registered(kind),
                documentation("The object of a name; NULL if there is none.")
            ) { arguments, context in
                let written = arguments[0].text ?? ""
                if let number = Int64(written), number >= 0, number <= DataType.oidMax { return .integer(number) }
                return try context.facts().identifier(of: written, kind).map { .integer($0) } ?? .null
            }
        }
        lookUp(registry, "pg_get_userbyid", [oid], .name, documentation("The name of a role by its number.")) {
            arguments, context in
            let identifier = number(arguments[0])
            return .string(try context.facts().name(of: identifier, .role) ?? "unknown (OID=\(identifier))")
        }
    }

    // MARK: - Sizes

    private static func registerSizes(in registry: FunctionRegistry) {
        for name in ["pg_relation_size", "pg_table_size", "pg_total_relation_size"] {
            lookUp(
                registry, name, [regclass], .int64,
                documentation("Bytes that a table occupies, as far as they are known.")
            ) { arguments, context in
                try context.facts().byteCount(ofRelation: number(arguments[0])).map { .integer($0) } ?? .null
            }
        }
        lookUp(
            registry, "pg_relation_size", [regclass, .text], .int64,
            documentation("Bytes of a part of a table: all of them are in the part main.")
        ) { arguments, context in
            guard ["main", "fsm", "vm", "init"].contains(arguments[1].text ?? "") else {
                throw QueryError(.invalidParameterValue, "invalid fork name")
            }
            guard let count = try context.facts().byteCount(ofRelation: number(arguments[0])) else { return .null }
            return .integer(arguments[1].text == "main" ? count : 0)
        }
        lookUp(registry, "pg_indexes_size", [regclass], .int64, documentation("Bytes of a table's indexes.")) {
            arguments, context in
            try context.facts().exists(number(arguments[0]), .relation) ? .integer(0) : .null
        }
        lookUp(registry, "pg_database_size", [name], .int64, documentation("Bytes of a database's tables.")) {
            arguments, context in
            let name = arguments[0].text ?? ""
            guard let count = try context.facts().byteCount(ofDatabase: name) else {
                throw QueryError(.invalidCatalogName, "database \"\(name)\" does not exist", object: name)
            }
            return .integer(count)
        }
        lookUp(registry, "pg_database_size", [oid], .int64, documentation("Bytes of a database's tables.")) {
            arguments, context in
            let facts = try context.facts()
            return facts.databaseName(number(arguments[0])).flatMap { facts.byteCount(ofDatabase: $0) }
                .map { .integer($0) } ?? .null
        }
    }

    // MARK: - Settings

    private static func registerSettings(in registry: FunctionRegistry) {
        for parameters in [[ParameterType.text], [.text, .boolean]] {
            lookUp(
                registry, "current_setting", parameters, .text,
                FunctionDocumentation("Session", "The value of a setting; with true, NULL if there is no such setting.")
            ) { arguments, context in
                let name = arguments[0].text ?? ""
                if let value = try context.facts().setting(name) { return .string(value) }
                if arguments.count == 2, arguments[1] == .boolean(true) { return .null }
                throw QueryError(
                    .undefinedObject, "unrecognized configuration parameter \"\(name)\"", object: name)
            }
        }
        lookUp(
            registry, "pg_my_temp_schema", [], .oid,
            FunctionDocumentation("Session", "The schema of the session's temporary tables; 0 is none.")
        ) { _, context in .integer(try context.facts().temporarySchema) }
        lookUp(
            registry, "pg_cancel_backend", [.int32], .boolean, volatility: .volatile,
            FunctionDocumentation("Session", "Stops what a session runs; whether there is such a session.")
        ) { arguments, context in
            .boolean(try context.facts().cancel(session: number(arguments[0])))
        }
        for parameters in [[ParameterType.int32], [.int32, .int64]] {
            lookUp(
                registry, "pg_terminate_backend", parameters, .boolean, volatility: .volatile,
                FunctionDocumentation(
                    "Session", "Ends a session and its connection; whether there was such a session.")
            ) { arguments, context in
                .boolean(try context.facts().terminate(session: number(arguments[0])))
            }
        }
        lookUp(
            registry, "cancel_query", [.text], .boolean, volatility: .volatile,
            FunctionDocumentation("Session", "Stops a query by its id; whether it was there to be stopped.")
        ) { arguments, context in
            .boolean(try context.facts().cancel(query: arguments[0].text ?? ""))
        }
        lookUp(
            registry, "set_config", [.text, .text, .boolean], .text, volatility: .volatile,
            FunctionDocumentation("Session", "Changes a setting of the session and gives its new value.")
        ) { arguments, context in
            .string(try context.facts().changeSetting(arguments[0].text ?? "", to: arguments[1].text ?? ""))
        }
    }
}
