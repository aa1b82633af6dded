// What there is: \d and its like. All of it is asked of pg_catalog, so that it is the same embedded, on a server of
// Martlet, and on any other server that speaks PostgreSQL's protocol.

import Diagnostics

extension Shell {
    /// Runs a command of this family; `nil` if it is none.
    func describe(_ command: MetaCommand) async -> Bool? {
        let pattern = command.arguments.first
        var name = command.name
        // A plus asks for more; everything is shown anyway.
        if name.hasSuffix("+") { name.removeLast() }
        switch name {
        case "d" where pattern != nil: return await describeRelations(pattern ?? "")
        case "d": return await listRelations("r', 'v', 'm', 'S', 'f', 'p", nil, "tables, views and sequences")
        case "dt": return await listRelations("r', 'f', 'p", pattern, "tables")
        case "dv": return await listRelations("v", pattern, "views")
        case "dm": return await listRelations("m", pattern, "materialized views")
        case "ds": return await listRelations("S", pattern, "sequences")
        case "di": return await listIndexes(pattern)
        case "dn": return await listSchemas(pattern)
        case "df": return await listFunctions(pattern)
        case "dT": return await listTypes(pattern)
        case "l", "list":
            return await show("SELECT datname AS name FROM pg_catalog.pg_database ORDER BY 1", title: "Catalogues")
        default: return nil
        }
    }

    func show(_ sql: String, title: String? = nil, footer: String? = nil, format: OutputFormat? = nil) async -> Bool {
        var presentation = Presentation()
        presentation.title = title
        presentation.footer = footer
        presentation.isQuiet = true
        presentation.format = format
        return await execute(sql, presentation: presentation)
    }

    // MARK: - Patterns

    /// `schema.name` with `*` and `?`, as conditions. Without a schema only what needs none in statements.
    private func condition(
        _ pattern: String?, schema: String, name: String, isVisible: String
    ) -> String {
        guard let pattern else { return isVisible + " AND \(schema) NOT IN ('pg_catalog', 'information_schema')" }
        let parts = Shell.nameParts(pattern)
        let last = Shell.matches(name, parts.last ?? "")
        guard parts.count > 1 else {
            return pattern.contains { $0 == "*" || $0 == "?" } ? "\(last) AND \(isVisible)" : "\(last) AND \(isVisible)"
        }
        return "\(last) AND \(Shell.matches(schema, parts[parts.count - 2]))"
    }

    /// At the points outside of quotes; folded to lower case outside of them.
    static func nameParts(_ name: String) -> [String] {
        var parts = [""]
        var isQuoted = false
        for character in name {
            switch character {
            case "\"": isQuoted.toggle()
            case "." where !isQuoted: parts.append("")
            default: parts[parts.count - 1] += isQuoted ? String(character) : character.lowercased()
            }
        }
        return parts
    }

    private static func matches(_ column: String, _ pattern: String) -> String {
        guard pattern.contains(where: { $0 == "*" || $0 == "?" }) else { return "\(column) = \(literal(pattern))" }
        var like = ""
        for character in pattern {
            switch character {
            case "*": like += "%"
            case "?": like += "_"
            case "%", "_", "\\": like += "\\\(character)"
            default: like.append(character)
            }
        }
        return "\(column) LIKE \(literal(like))"
    }

    private static let kindNames = """
        CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
        WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index' WHEN 'f' THEN 'foreign table' WHEN 'p' THEN 'partitioned table'
        ELSE c.relkind::text END
        """

    // MARK: - Lists

    private func listRelations(_ kinds: String, _ pattern: String?, _ what: String) async -> Bool {
        let condition = condition(
            pattern, schema: "n.nspname", name: "c.relname", isVisible: "pg_catalog.pg_table_is_visible(c.oid)")
        let from = """
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('\(kinds)') AND \(condition)
            """
        // Whoever asks for nothing in particular and has nothing is told where to look.
        if pattern == nil, isInteractive, (try? await connection.texts("SELECT 1 \(from) LIMIT 1"))?.isEmpty == true {
            say("There are no \(what) that need no schema in front. \\dn lists schemas, \\d SCHEMA.* what is in one.")
            return true
        }
        return await show(
            "SELECT n.nspname AS schema, c.relname AS name, \(Shell.kindNames) AS type \(from) ORDER BY 1, 2")
    }

    private func listIndexes(_ pattern: String?) async -> Bool {
        let condition = condition(
            pattern, schema: "n.nspname", name: "c.relname", isVisible: "pg_catalog.pg_table_is_visible(c.oid)")
        return await show(
            """
            SELECT n.nspname AS schema, c.relname AS name, t.relname AS table,
                CASE WHEN i.indisprimary THEN 'primary key' WHEN i.indisunique THEN 'unique' ELSE '' END AS kind
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
            WHERE c.relkind IN ('i', 'I') AND \(condition) ORDER BY 1, 2
            """)
    }

    private func listSchemas(_ pattern: String?) async -> Bool {
        let condition = pattern.map { "WHERE " + Shell.matches("nspname", Shell.nameParts($0).last ?? "") } ?? ""
        return await show("SELECT nspname AS name FROM pg_catalog.pg_namespace \(condition) ORDER BY 1")
    }

    private func listTypes(_ pattern: String?) async -> Bool {
        let condition = condition(
            pattern, schema: "n.nspname", name: "t.typname", isVisible: "pg_catalog.pg_type_is_visible(t.oid)")
        return await show(
            """
            SELECT n.nspname AS schema, pg_catalog.format_type(t.oid, NULL) AS name,
                CASE t.typtype WHEN 'b' THEN 'base' WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'c' THEN 'composite'
                WHEN 'r' THEN 'range' ELSE t.typtype::text END AS kind
            FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
            WHERE t.typname NOT LIKE '\\_%' AND (t.typrelid = 0 OR t.typtype <> 'c') AND \(condition) ORDER BY 1, 2
            """)
    }

    private func listFunctions(_ pattern: String?) async -> Bool {
        if connection.isMartlet {
            let condition = pattern.map { "WHERE " + Shell.matches("name", Shell.nameParts($0).last ?? "") } ?? ""
            return await show(
                """
                SELECT name, kind, arguments, result, description FROM system.functions \(condition) ORDER BY 1, 3
                """)
        }
        let condition = condition(
            pattern, schema: "n.nspname", name: "p.proname", isVisible: "pg_catalog.pg_function_is_visible(p.oid)")
        return await show(
            """
            SELECT p.proname AS name, pg_catalog.pg_get_function_arguments(p.oid) AS arguments,
                pg_catalog.pg_get_function_result(p.oid) AS result
            FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
            WHERE \(condition) ORDER BY 1, 2
            """)
    }

    // MARK: - One relation

    private func describeRelations(_ pattern: String) async -> Bool {
        let condition = condition(
            pattern, schema: "n.nspname", name: "c.relname", isVisible: "pg_catalog.pg_table_is_visible(c.oid)")
        let found: [[String]]
        do {
            found = try await connection.texts(
                """
                SELECT c.oid, n.nspname, c.relname, \(Shell.kindNames), c.relkind
                FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE \(condition) ORDER BY 2, 3
                """)
        } catch {
            report(QueryError.wrapping(error))
            return false
        }
        if pattern.contains(where: { $0 == "*" || $0 == "?" }), found.count > 1 {
            return await listRelations("r', 'v', 'm', 'S', 'f', 'p', 'i", pattern, "relations")
        }
        guard !found.isEmpty else {
            // Names with a catalogue in front, and files, are known to the engine only.
            if connection.isMartlet { return await show("DESCRIBE \(pattern)") }
            return reportAndFail(.undefinedTable, "did not find any relation named \"\(pattern)\"")
        }
        for relation in found {
            guard await describe(oid: relation[0], schema: relation[1], name: relation[2], kind: relation[3]) else {
                return false
            }
        }
        return true
    }

    private func describe(oid: String, schema: String, name: String, kind: String) async -> Bool {
        let columns = """
            SELECT a.attname AS column, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
                CASE WHEN a.attnotnull THEN 'not null' ELSE '' END AS nullable,
                coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') AS default
            FROM pg_catalog.pg_attribute a
            LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attrelid = \(oid) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
            """
        let title = "\(kind.prefix(1).uppercased())\(kind.dropFirst()) \"\(schema).\(name)\""
        var notes: [String] = []
        if kind == "view" || kind == "materialized view" {
            let text = try? await connection.texts("SELECT pg_catalog.pg_get_viewdef(\(oid)::oid, true)")
            if let definition = text?.first?.first { notes.append("Definition:\n\(definition)") }
        } else {
            notes += await keys(oid)
        }
        return await show(columns, title: title, footer: notes.joined(separator: "\n"))
    }

    /// Keys, other constraints, and indexes that belong to none.
    private func keys(_ oid: String) async -> [String] {
        var notes: [String] = []
        let constraints = try? await connection.texts(
            """
            SELECT conname, pg_catalog.pg_get_constraintdef(oid), contype FROM pg_catalog.pg_constraint
            WHERE conrelid = \(oid) ORDER BY contype <> 'p', contype, conname
            """)
        if let constraints, !constraints.isEmpty {
            notes.append("Constraints:")
            notes += constraints.map { "    \"\($0[0])\" \($0[1])" }
        }
        let indexes = try? await connection.texts(
            """
            SELECT pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index i
            WHERE i.indrelid = \(oid) AND NOT EXISTS
                (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid)
            ORDER BY 1
            """)
        if let indexes, !indexes.isEmpty {
            notes.append("Indexes:")
            notes += indexes.map { "    \($0[0])" }
        }
        let references = try? await connection.texts(
            """
            SELECT c.relname, k.conname, pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k
            JOIN pg_catalog.pg_class c ON c.oid = k.conrelid WHERE k.confrelid = \(oid) AND k.contype = 'f' ORDER BY 1, 2
            """)
        if let references, !references.isEmpty {
            notes.append("Referenced by:")
            notes += references.map { "    TABLE \"\($0[0])\" CONSTRAINT \"\($0[1])\" \($0[2])" }
        }
        return notes
    }
}
