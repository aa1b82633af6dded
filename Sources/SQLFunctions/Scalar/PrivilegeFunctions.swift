// has_table_privilege and its kin. Every user may do everything; what they check is that objects and privileges exist.

import Columnar
import Diagnostics

enum PrivilegeFunctions {
    /// A kind of object: its function, how a name finds it, and what one may do with it.
    private struct Family {
        var name: String
        var kind: RegisteredKind?
        var privileges: Set<String>
    }

    private static let tablePrivileges: Set<String> = [
        "select", "insert", "update", "delete", "truncate", "references", "trigger",
    ]

    private static let families: [Family] = [
        Family(name: "has_table_privilege", kind: .relation, privileges: tablePrivileges),
        Family(
            name: "has_any_column_privilege", kind: .relation,
            privileges: ["select", "insert", "update", "references"]),
        Family(name: "has_sequence_privilege", kind: .relation, privileges: ["usage", "select", "update"]),
        Family(name: "has_schema_privilege", kind: .namespace, privileges: ["create", "usage"]),
        Family(name: "has_database_privilege", kind: nil, privileges: ["create", "connect", "temporary", "temp"]),
        Family(name: "has_function_privilege", kind: .procedure, privileges: ["execute"]),
        Family(name: "has_type_privilege", kind: .type, privileges: ["usage"]),
        Family(name: "has_tablespace_privilege", kind: nil, privileges: ["create"]),
        Family(name: "has_language_privilege", kind: nil, privileges: ["usage"]),
        Family(name: "pg_has_role", kind: .role, privileges: ["member", "usage"]),
    ]

    static func register(in registry: FunctionRegistry) {
        for family in families {
            for object in [ParameterType.text, CatalogFunctions.oid] {
                for user in [nil, CatalogFunctions.name, CatalogFunctions.oid] {
                    CatalogFunctions.lookUp(
                        registry, family.name, (user.map { [$0] } ?? []) + [object, .text], .boolean,
                        CatalogFunctions.documentation(
                            "Whether a user has a privilege on an object: always, if both exist.")
                    ) { arguments, context in
                        if arguments.count > 2 { try checkRole(arguments[0], context) }
                        return try check(family, Array(arguments.suffix(2)), context)
                    }
                }
            }
        }
        for object in [ParameterType.text, CatalogFunctions.oid] {
            for user in [nil, CatalogFunctions.name, CatalogFunctions.oid] {
                CatalogFunctions.lookUp(
                    registry, "has_column_privilege", (user.map { [$0] } ?? []) + [object, .text, .text], .boolean,
                    CatalogFunctions.documentation("Whether a user has a privilege on a column: always, if both exist.")
                ) { arguments, context in
                    if arguments.count > 3 { try checkRole(arguments[0], context) }
                    let last = Array(arguments.suffix(3))
                    let family = Family(
                        name: "has_column_privilege", kind: .relation,
                        privileges: ["select", "insert", "update", "references"])
                    guard case .boolean = try check(family, [last[0], last[2]], context) else { return .null }
                    let facts = try context.facts()
                    let relation = try identifier(last[0], .relation, facts) ?? 0
                    let column = last[1].text ?? ""
                    guard facts.columnExists(column, relation: relation) else {
                        throw QueryError(
                            .undefinedColumn,
                            "column \"\(column)\" of relation \"\(facts.name(of: relation, .relation) ?? "")\" does not exist",
                            object: column)
                    }
                    return .boolean(true)
                }
            }
        }
    }

    /// The object by its name or number; the number of none is NULL.
    private static func identifier(_ value: ScalarValue, _ kind: RegisteredKind, _ facts: any CatalogFacts) throws
        -> Int64?
    {
        if case .integer(let number) = value { return facts.exists(number, kind) ? number : nil }
        let written = value.text ?? ""
        guard let found = try facts.identifier(of: written, kind) else {
            throw ObjectNameText.missing(written, kind)
        }
        return found
    }

    /// A role that nobody has made has no answer: error 42704.
    private static func checkRole(_ value: ScalarValue, _ context: EvaluationContext) throws {
        if let name = value.text, name != "public" { _ = try identifier(value, .role, context.facts()) }
    }

    private static func check(_ family: Family, _ arguments: [ScalarValue], _ context: EvaluationContext) throws
        -> ScalarValue
    {
        for part in (arguments[1].text ?? "").lowercased().split(separator: ",", omittingEmptySubsequences: false) {
            var words = part.split(separator: " ").map(String.init)
            if words.count > 3, words.suffix(3) == ["with", "grant", "option"] { words.removeLast(3) }
            guard words.count == 1, family.privileges.contains(words[0]) else {
                throw QueryError(
                    .invalidParameterValue, "unrecognized privilege type: \"\(arguments[1].text ?? "")\"")
            }
        }
        let facts = try context.facts()
        guard let kind = family.kind else {
            if family.name == "has_database_privilege", let name = arguments[0].text,
                facts.byteCount(ofDatabase: name) == nil
            {
                throw QueryError(.invalidCatalogName, "database \"\(name)\" does not exist", object: name)
            }
            return .boolean(true)
        }
        return try identifier(arguments[0], kind, facts) == nil ? .null : .boolean(true)
    }
}
