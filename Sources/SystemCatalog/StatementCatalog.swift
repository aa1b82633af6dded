// The catalogue as the functions of one statement see it: names by the session's search path, definitions, comments.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import Storage

/// Facts of a snapshot for one session.
package final class StatementCatalog: CatalogFacts {
    private let snapshot: CatalogSnapshot
    /// Schemas in which names are looked up, `pg_catalog` included.
    private let searchPath: [String]
    private let user: String
    private let database: String
    private let roles: [String: Int64]
    private let settings: @Sendable (String) -> String?
    private let change: @Sendable (String, String) throws -> String
    private let stopping: Stopping

    /// Stops what runs. Each says whether there was anything of that number or id, and throws 42501 if it is not the user's.
    package struct Stopping: Sendable {
        let cancelSession: @Sendable (Int64) throws -> Bool
        let cancelQuery: @Sendable (String) throws -> Bool
        let terminateSession: @Sendable (Int64) throws -> Bool

        package init(
            cancelSession: @escaping @Sendable (Int64) throws -> Bool,
            cancelQuery: @escaping @Sendable (String) throws -> Bool,
            terminateSession: @escaping @Sendable (Int64) throws -> Bool
        ) {
            self.cancelSession = cancelSession
            self.cancelQuery = cancelQuery
            self.terminateSession = terminateSession
        }
    }

    /// `settings` gives a setting of the session, `change` changes a setting of the session and gives its new value.
    package init(
        snapshot: CatalogSnapshot, searchPath: [String], user: String, database: String,
        roles: [(name: String, number: Int64)],
        settings: @escaping @Sendable (String) -> String?,
        change: @escaping @Sendable (String, String) throws -> String,
        stopping: Stopping
    ) {
        self.snapshot = snapshot
        self.searchPath = searchPath.contains("pg_catalog") ? searchPath : ["pg_catalog"] + searchPath
        self.user = user
        self.database = database
        // Everything belongs to whoever looks.
        self.roles = Dictionary(roles.map { ($0.name, $0.number) }, uniquingKeysWith: { first, _ in first })
            .merging([user: SystemRows.owner]) { $1 }
        self.settings = settings
        self.change = change
        self.stopping = stopping
    }

    package var temporarySchema: Int64 {
        guard let name = searchPath.first(where: { $0.hasPrefix("pg_temp_") }) else { return 0 }
        return snapshot.schemas.first { $0.name == name }?.identifier ?? 0
    }
    package func cancel(session number: Int64) throws -> Bool { try stopping.cancelSession(number) }
    package func cancel(query identifier: String) throws -> Bool { try stopping.cancelQuery(identifier) }
    package func terminate(session number: Int64) throws -> Bool { try stopping.terminateSession(number) }

    // MARK: - Names

    package func name(of identifier: Int64, _ kind: RegisteredKind) -> String? {
        switch kind {
        case .relation:
            guard let entry = snapshot.relation(identifier) else { return nil }
            let name = QuotedNames.quoted(entry.name.table)
            return isVisible(entry) ? name : QuotedNames.quoted(entry.name.schema) + "." + name
        case .type: return BuiltInTypes.sqlName(identifier) ?? userTypeName(identifier)
        case .function, .operation: return snapshot.functions.byIdentifier[identifier].map(\.name)
        case .procedure, .operationSignature: return snapshot.functions.byIdentifier[identifier].map(\.signature)
        case .namespace:
            return snapshot.schemas.first { $0.identifier == identifier }.map { QuotedNames.quoted($0.name) }
        case .role: return roles.first { $0.value == identifier }.map { QuotedNames.quoted($0.key) }
        case .collation: return Self.collations.first { $0.value == identifier }.map { QuotedNames.quoted($0.key) }
        }
    }

    private static let collations: [String: Int64] = ["default": 100, "C": 950, "POSIX": 951]

    package func identifier(of text: String, _ kind: RegisteredKind) throws -> Int64? {
        switch kind {
        case .type: return try BuiltInTypes.identifier(ofSQLName: text) ?? userType(text)
        case .procedure, .operationSignature: return signature(text, kind)
        default: break
        }
        let parts = try Self.parts(text)
        guard let last = parts.last else { return nil }
        switch kind {
        case .relation: return relation(parts)?.identifier
        case .function, .operation:
            guard parts.count == 1 || parts[parts.count - 2] == "pg_catalog" else { return nil }
            let found =
                kind == .function ? snapshot.functions.byName[last] : snapshot.functions.operatorsByName[last]
            if let found, found.count > 1 {
                throw QueryError(
                    .ambiguousFunction,
                    "more than one \(kind == .function ? "function" : "operator") named \"\(text)\"",
                    object: text)
            }
            return found?.first
        case .namespace: return parts.count == 1 ? snapshot.schemaIdentifiers[last] : nil
        case .role: return parts.count == 1 ? roles[last] : nil
        case .collation: return Self.collations[last]
        case .type, .procedure, .operationSignature: return nil
        }
    }

    private func userTypeName(_ identifier: Int64) -> String? {
        guard let (name, _, isArray) = snapshot.type(identifier) else { return nil }
        let isVisible =
            searchPath.first { schema in
                snapshot.types.keys.contains { $0.schema == schema && $0.table == name.table }
            } == name.schema
        let plain = QuotedNames.quoted(name.table)
        return (isVisible ? plain : QuotedNames.quoted(name.schema) + "." + plain) + (isArray ? "[]" : "")
    }

    /// The number of a type that a statement made, or of its array type.
    private func userType(_ text: String) throws -> Int64? {
        if snapshot.types.isEmpty { return nil }
        var plain = Substring(text)
        while plain.last == " " { plain.removeLast() }
        let isArray = plain.hasSuffix("[]")
        while plain.hasSuffix("[]") { plain.removeLast(2) }
        let parts = try Self.parts(String(plain))
        guard let last = parts.last else { return nil }
        let schemas = parts.count > 1 ? [parts[parts.count - 2]] : searchPath
        for schema in schemas {
            let found = snapshot.types.first { $0.key.schema == schema && $0.key.table == last }
            if let found { return found.value.identifier + (isArray ? 1 : 0) }
        }
        return nil
    }

    /// The relation of a name: by the search path, or of a schema. A catalogue in front must be the relation's own or the
    /// session's database.
    private func relation(_ parts: [String]) -> RelationEntry? {
        switch parts.count {
        case 1:
            for schema in searchPath {
                if let entry = snapshot.relation(schema: schema, name: parts[0]) { return entry }
            }
            return nil
        case 2: return snapshot.relation(schema: parts[0], name: parts[1])
        case 3:
            let entry = snapshot.relation(schema: parts[1], name: parts[2])
            return entry.flatMap { $0.name.catalog == parts[0] || database == parts[0] ? $0 : nil }
        default: return nil
        }
    }

    /// A function or operator by its name and the types of its parameters.
    private func signature(_ text: String, _ kind: RegisteredKind) -> Int64? {
        guard let open = text.firstIndex(of: "("), text.hasSuffix(")") else { return nil }
        var name = String(text[..<open]).filter { $0 != " " }
        if name.hasPrefix("pg_catalog.") { name = String(name.dropFirst("pg_catalog.".count)) }
        let inner = text[text.index(after: open)...].dropLast()
        let parts = inner.split(separator: ",").map(String.init)
        var types: [Int64] = []
        for part in parts {
            guard let type = BuiltInTypes.identifier(ofSQLName: part) else { return nil }
            types.append(type)
        }
        let found = kind == .procedure ? snapshot.functions.byName[name] : snapshot.functions.operatorsByName[name]
        return found?.first { snapshot.functions.byIdentifier[$0]?.argumentTypes == types }
    }

    /// The parts of a name, folded to lower case unless quoted. 42602 for what is no name.
    static func parts(_ text: String) throws -> [String] {
        var parts: [String] = []
        var current = ""
        var isQuoted = false
        var wasQuoted = false
        let invalid = QueryError(SQLState("42602"), "invalid name syntax")
        var rest = Substring(text)
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        while let character = rest.popFirst() {
            if isQuoted {
                if character != "\"" {
                    current.append(character)
                } else if rest.first == "\"" {
                    current.append(rest.removeFirst())
                } else {
                    isQuoted = false
                }
            } else if character == "\"" {
                guard current.isEmpty, !wasQuoted else { throw invalid }
                isQuoted = true
                wasQuoted = true
            } else if character == "." {
                guard !current.isEmpty || wasQuoted else { throw invalid }
                parts.append(current)
                current = ""
                wasQuoted = false
            } else {
                guard !wasQuoted, !character.isWhitespace else { throw invalid }
                current += character.lowercased()
            }
        }
        guard !isQuoted, !current.isEmpty || wasQuoted else { throw invalid }
        parts.append(current)
        return parts
    }

    // MARK: - Facts

    private func isVisible(_ entry: RelationEntry) -> Bool {
        relation([entry.name.table])?.identifier == entry.identifier
    }

    package func isVisible(_ identifier: Int64, _ kind: RegisteredKind) -> Bool? {
        if kind == .relation { return snapshot.relation(identifier).map { isVisible($0) } }
        return exists(identifier, kind) ? true : nil
    }

    package func exists(_ identifier: Int64, _ kind: RegisteredKind) -> Bool { name(of: identifier, kind) != nil }

    package func definition(_ identifier: Int64, _ definition: CatalogDefinition) -> String? {
        switch definition {
        case .view(let isPretty, let wrapColumn): viewText(identifier, isPretty: isPretty, wrapColumn: wrapColumn)
        case .functionArguments: snapshot.functions.byIdentifier[identifier]?.arguments
        case .functionResult: snapshot.functions.byIdentifier[identifier]?.result
        case .constraint: snapshot.constraints.first { $0.identifier == identifier }?.text
        case .index(let column):
            snapshot.relation(identifier).flatMap { entry in
                entry.index.map { index in
                    if column == 0 { return ConstraintEntries.text(of: index, name: entry.name) }
                    return column >= 1 && column <= index.elements.count ? index.elements[column - 1] : ""
                }
            }
        }
    }

    private func viewText(_ identifier: Int64, isPretty: Bool, wrapColumn: Int?) -> String? {
        guard let entry = snapshot.relation(identifier) else { return nil }
        guard let shown = entry.shownText else { return entry.viewText.map { " \($0);" } }
        let text = shown.text(isPretty, wrapColumn) { [self] schema, name in
            let found = snapshot.relation(schema: schema, name: name)
            let isVisible = found.map { self.isVisible($0) } ?? false
            return (isVisible ? "" : QuotedNames.quoted(schema) + ".") + QuotedNames.quoted(name)
        }
        return text + ";"
    }

    package func changeEvents(ofRelation identifier: Int64, column: Int64?) -> Int64 {
        guard let entry = snapshot.relation(identifier) else { return 0 }
        let (update, insert, delete): (Int64, Int64, Int64) = (1 << 2, 1 << 3, 1 << 4)
        if entry.kind == "r" { return update | insert | delete }
        guard let columns = entry.updatableColumns else { return 0 }
        guard let column else { return columns.contains(true) ? update | insert | delete : delete }
        return column >= 1 && column <= columns.count && columns[Int(column) - 1] ? update | insert | delete : delete
    }

    package func comment(on identifier: Int64, in catalogRelation: String?, column: Int64) -> String? {
        if catalogRelation == nil || catalogRelation == "pg_class", let entry = snapshot.relation(identifier) {
            if column == 0 { return snapshot.comments[.relation(entry.name)] }
            guard column >= 1, column <= entry.columns.count else { return nil }
            return snapshot.comments[.column(entry.name, entry.columns[Int(column) - 1].name)]
        }
        if catalogRelation == nil || catalogRelation == "pg_namespace",
            let schema = snapshot.schemas.first(where: { $0.identifier == identifier })
        {
            return Self.comment(onSchema: schema.name, snapshot)
        }
        if catalogRelation == "pg_database" {
            return databaseName(identifier).flatMap { snapshot.comments[.database($0)] }
        }
        if catalogRelation == nil || catalogRelation == "pg_proc" || catalogRelation == "pg_operator",
            let function = snapshot.functions.byIdentifier[identifier], !function.text.isEmpty
        {
            return function.text
        }
        return nil
    }

    static func comment(onSchema name: String, _ snapshot: CatalogSnapshot) -> String? {
        for database in snapshot.databases {
            if let comment = snapshot.comments[.schema(catalog: database.name, schema: name)] { return comment }
        }
        switch name {
        case "pg_catalog": return "The catalogue as clients of PostgreSQL read it"
        case "information_schema": return "The catalogue as the SQL standard has it"
        case "system": return "What the engine is doing: queries, workers, settings"
        default: return nil
        }
    }

    package func sequence(ofColumn column: String, table text: String) throws -> String? {
        guard let table = relation(try Self.parts(text)) else {
            throw QueryError(.undefinedTable, "relation \"\(text)\" does not exist", object: text)
        }
        guard table.columns.contains(where: { $0.name == column }) else {
            throw QueryError(
                .undefinedColumn, "column \"\(column)\" of relation \"\(table.name.table)\" does not exist",
                object: column)
        }
        let owner = [table.name.catalog, table.name.schema, table.name.table, column]
        return snapshot.relations.first { $0.sequenceOwner == owner }.map {
            QuotedNames.quoted($0.name.schema) + "." + QuotedNames.quoted($0.name.table)
        }
    }

    package func byteCount(ofRelation identifier: Int64) -> Int64? {
        snapshot.relation(identifier).map { Int64($0.byteCount ?? 0) }
    }

    package func columnExists(_ name: String, relation identifier: Int64) -> Bool {
        snapshot.relation(identifier)?.columns.contains { $0.name == name } ?? false
    }

    package func byteCount(ofDatabase name: String) -> Int64? {
        let isKnown = name == database || snapshot.databases.contains { $0.name == name }
        guard isKnown else { return nil }
        return snapshot.relations.reduce(0) { $1.name.catalog == name ? $0 + Int64($1.byteCount ?? 0) : $0 }
    }

    package func databaseName(_ identifier: Int64) -> String? {
        snapshot.databases.first { $0.identifier == identifier }?.name
    }

    package func setting(_ name: String) -> String? { settings(name) }

    package func changeSetting(_ name: String, to value: String) throws -> String { try change(name, value) }
}
