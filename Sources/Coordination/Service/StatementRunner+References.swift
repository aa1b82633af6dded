// Foreign keys: after a statement has changed a table, queries look for rows that refer to nothing. They run within the
// statement, so a failure takes everything back.

import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLParser
import Storage

extension StatementRunner {
    /// The table's own foreign keys.
    func checkReferences(of name: TableName) async throws {
        for key in try await catalog.table(name).definition.foreignKeys {
            guard try await hasOrphans(name, key) else { continue }
            throw QueryError(
                .foreignKeyViolation,
                "insert or update on table \"\(name.table)\" violates foreign key constraint \"\(key.name)\"",
                detail: "Key (\(key.columns.joined(separator: ", "))) is not present in table \"\(key.target.table)\".",
                object: key.name)
        }
    }

    /// Foreign keys that refer to the table, after its rows were deleted or updated: their actions, or 23503.
    func followReferences(to name: TableName, hasDeletions: Bool, hasUpdates: Bool) async throws {
        for (child, key) in try await references(to: name) {
            guard try await hasOrphans(child, key) else { continue }
            let action = hasDeletions ? key.onDelete : key.onUpdate
            if hasDeletions, hasUpdates, key.onDelete != key.onUpdate {
                throw QueryError.notSupported(
                    "a statement that deletes and updates rows of a foreign key with different actions",
                    at: nil)
            }
            let columns = key.columns.map { SyntaxPrinter.identifier($0) }
            switch action {
            case .noAction, .restrict:
                throw QueryError(
                    .foreignKeyViolation,
                    "update or delete on table \"\(name.table)\" violates foreign key constraint \"\(key.name)\" on table \"\(child.table)\"",
                    detail:
                        "Key (\(key.targetColumns.joined(separator: ", "))) is still referenced from table \"\(child.table)\".",
                    object: key.name)
            case .cascade:
                try await runInternal("DELETE FROM \(Self.text(child)) AS child WHERE \(Self.orphans(key))")
            case .setNull, .setDefault:
                let value = action == .setNull ? "NULL" : "DEFAULT"
                let assignments = columns.map { "\($0) = \(value)" }.joined(separator: ", ")
                try await runInternal(
                    "UPDATE \(Self.text(child)) AS child SET \(assignments) WHERE \(Self.orphans(key))")
            }
        }
    }

    private func hasOrphans(_ child: TableName, _ key: ForeignKey) async throws -> Bool {
        let result = try await session.executeWithin(
            "SELECT 1 FROM \(Self.text(child)) AS child WHERE \(Self.orphans(key)) LIMIT 1")
        return try await !result.collect().isEmpty
    }

    private func runInternal(_ sql: String) async throws { _ = try await session.executeWithin(sql) }

    private static func text(_ name: TableName) -> String {
        [name.catalog, name.schema, name.table].map { SyntaxPrinter.identifier($0) }.joined(separator: ".")
    }

    /// Rows without a NULL in the key and without a row that it refers to.
    private static func orphans(_ key: ForeignKey) -> String {
        let columns = key.columns.map { "child." + SyntaxPrinter.identifier($0) }
        let targets = key.targetColumns.map { "parent." + SyntaxPrinter.identifier($0) }
        let given = columns.map { "\($0) IS NOT NULL" }.joined(separator: " AND ")
        let equal = zip(columns, targets).map { "\($0) = \($1)" }.joined(separator: " AND ")
        return "\(given) AND NOT EXISTS (SELECT 1 FROM \(text(key.target)) AS parent WHERE \(equal))"
    }
}

extension Session {
    /// Runs a statement of the engine's own making in the scope of the statement that runs.
    func executeWithin(_ sql: String) async throws -> StatementResult {
        guard let statement = try StatementParser.parse(sql).first?.statement else {
            throw QueryError.internalError("an empty statement")
        }
        return try await runBound(statement, sql: sql, parameters: [])
    }
}
