// What a table is besides its rows: columns with defaults, keys, checks and references. Expressions are kept as SQL text;
// the binder reads them again at every use, so that a back end stores and gives back nothing but text.

import Columnar
import Diagnostics
import QueryPlan

/// The definition of a table, as CREATE TABLE made it and ALTER TABLE changed it.
package struct TableDefinition: Hashable, Sendable {
    package var columns: [TableColumn]
    package var keys: [UniqueKey]
    package var checks: [CheckRule]
    package var foreignKeys: [ForeignKey]
    package init(
        columns: [TableColumn], keys: [UniqueKey] = [], checks: [CheckRule] = [], foreignKeys: [ForeignKey] = []
    ) {
        self.columns = columns
        self.keys = keys
        self.checks = checks
        self.foreignKeys = foreignKeys
    }

    /// Columns without any rule beyond their types and NOT NULL.
    package init(_ schema: Schema) { self.init(columns: schema.fields.map { TableColumn(field: $0) }) }

    package var schema: Schema { Schema(columns.map(\.field)) }
    /// Whether names, types and NOT NULL say everything.
    package var isPlain: Bool {
        keys.isEmpty && checks.isEmpty && foreignKeys.isEmpty
            && columns.allSatisfy { $0.source == .given && $0.userType == nil }
    }
    package func ordinal(of name: String) -> Int? { columns.firstIndex { $0.field.name == name } }
    /// Every constraint's name.
    package var constraintNames: [String] { keys.map(\.name) + checks.map(\.name) + foreignKeys.map(\.name) }
}

/// A column and where its values come from when a statement gives none.
package struct TableColumn: Hashable, Sendable {
    package enum Source: Hashable, Sendable {
        /// NULL.
        case given
        case defaultExpression(String)
        /// GENERATED ALWAYS AS … STORED: never given, computed from the row.
        case generated(String)
        /// GENERATED … AS IDENTITY: the next value of a sequence; `always` refuses values that a statement gives.
        case identity(always: Bool, sequence: TableName)
        /// What only the store can compute; the text is its own.
        case store(String, StoreValue)
    }
    /// Who gives the values of a column whose source is the store.
    package enum StoreValue: Hashable, Sendable {
        /// A statement must give one: the store's default is out of reach.
        case wanted
        /// As `wanted`, and only OVERRIDING lets a statement give one, as for identity columns.
        case refused
        /// The store computes it from the row, whatever is written.
        case computed
    }
    package var field: Field
    package var source: Source
    /// The number of the domain or composite type that the column was declared with.
    package var userType: Int64?
    package init(field: Field, source: Source = .given, userType: Int64? = nil) {
        self.field = field
        self.source = source
        self.userType = userType
    }
}

/// A primary key, a unique constraint or a unique index: no two rows agree in all columns unless one of them is NULL.
package struct UniqueKey: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable { case primary, unique, index }
    package var name: String
    package var kind: Kind
    /// Ordinals of the columns.
    package var columns: [Int]
    /// NULLS NOT DISTINCT: NULL equals NULL.
    package var nullsAreEqual: Bool
    package init(name: String, kind: Kind, columns: [Int], nullsAreEqual: Bool = false) {
        self.name = name
        self.kind = kind
        self.columns = columns
        self.nullsAreEqual = nullsAreEqual
    }
}

/// CHECK: the expression is not false for any row.
package struct CheckRule: Hashable, Sendable {
    package var name: String
    package var expression: String
    package init(name: String, expression: String) {
        self.name = name
        self.expression = expression
    }
}

/// FOREIGN KEY: the columns' values are those of a row of the other table's key, or one of them is NULL.
package struct ForeignKey: Hashable, Sendable {
    package enum Action: String, Hashable, Sendable {
        case noAction = "no action"
        case restrict
        case cascade
        case setNull = "set null"
        case setDefault = "set default"
    }
    package var name: String
    package var columns: [String]
    package var target: TableName
    package var targetColumns: [String]
    package var onDelete: Action
    package var onUpdate: Action
    package init(
        name: String, columns: [String], target: TableName, targetColumns: [String], onDelete: Action = .noAction,
        onUpdate: Action = .noAction
    ) {
        self.name = name
        self.columns = columns
        self.target = target
        self.targetColumns = targetColumns
        self.onDelete = onDelete
        self.onUpdate = onUpdate
    }
}

/// The errors of rules that rows break, in one wording for all back ends.
package enum RuleViolation {
    package static func notNull(_ column: String, of table: String, row: [String?] = []) -> QueryError {
        QueryError(
            .notNullViolation,
            "null value in column \"\(column)\" of relation \"\(table)\" violates not-null constraint",
            detail: failing(row), object: column)
    }

    package static func check(_ name: String, of table: String, row: [String?]) -> QueryError {
        QueryError(
            .checkViolation, "new row for relation \"\(table)\" violates check constraint \"\(name)\"",
            detail: failing(row), object: name)
    }

    package static func checkOption(_ view: String, row: [String?]) -> QueryError {
        QueryError(
            SQLState("44000"), "new row violates check option for view \"\(view)\"", detail: failing(row), object: view)
    }

    package static func duplicate(_ key: UniqueKey, columns: [String], values: [String?]) -> QueryError {
        let shown = values.map { $0 ?? "null" }.joined(separator: ", ")
        return QueryError(
            .uniqueViolation, "duplicate key value violates unique constraint \"\(key.name)\"",
            detail: "Key (\(columns.joined(separator: ", ")))=(\(shown)) already exists.", object: key.name)
    }

    private static func failing(_ row: [String?]) -> String? {
        row.isEmpty ? nil : "Failing row contains (\(row.map { $0 ?? "null" }.joined(separator: ", ")))."
    }
}
