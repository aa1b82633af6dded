// Constraints of tables as pg_constraint lists them, and the indexes, sequences and texts that go with them.

import Columnar
import QueryPlan
import SQLFunctions
import Storage

enum ConstraintEntries {
    static func all(
        _ relations: [RelationEntry], _ schemas: [String: Int64], _ identifiers: ObjectIdentifiers
    ) -> [ConstraintEntry] {
        var tables: [TableName: RelationEntry] = [:]
        for entry in relations where entry.definition != nil { tables[entry.name] = entry }
        var result: [ConstraintEntry] = []
        for entry in relations {
            guard let definition = entry.definition else { continue }
            func add(_ name: String, _ kind: String, _ columns: [Int], _ text: String) {
                result.append(
                    ConstraintEntry(
                        identifier: identifiers.identifier("constraint \(entry.name) \(name)"), name: name,
                        table: entry.identifier, namespace: schemas[entry.name.schema] ?? 0, kind: kind,
                        columns: columns, text: text))
            }
            for key in definition.keys where key.kind != .index {
                let names = key.columns.map { QuotedNames.quoted(definition.columns[$0].field.name) }
                let words =
                    key.kind == .primary
                    ? "PRIMARY KEY" : key.nullsAreEqual ? "UNIQUE NULLS NOT DISTINCT" : "UNIQUE"
                add(
                    key.name, key.kind == .primary ? "p" : "u", key.columns.map { $0 + 1 },
                    "\(words) (\(names.joined(separator: ", ")))")
            }
            for check in definition.checks { add(check.name, "c", [], "CHECK ((\(check.expression)))") }
            for key in definition.foreignKeys {
                let columns = key.columns.map { (definition.ordinal(of: $0) ?? -1) + 1 }
                add(key.name, "f", columns, text(of: key))
                result[result.count - 1].foreignKey = key
                guard let target = tables[key.target] else { continue }
                result[result.count - 1].target = target.identifier
                result[result.count - 1].targetColumns = key.targetColumns.map {
                    (target.definition?.ordinal(of: $0) ?? -1) + 1
                }
            }
        }
        return result
    }

    private static func text(of key: ForeignKey) -> String {
        func list(_ names: [String]) -> String { names.map { QuotedNames.quoted($0) }.joined(separator: ", ") }
        var text = "FOREIGN KEY (\(list(key.columns))) REFERENCES \(QuotedNames.quoted(key.target.table))"
        text += "(\(list(key.targetColumns)))"
        if key.onUpdate != .noAction { text += " ON UPDATE \(key.onUpdate.rawValue.uppercased())" }
        if key.onDelete != .noAction { text += " ON DELETE \(key.onDelete.rawValue.uppercased())" }
        return text
    }

    // MARK: - Indexes and sequences

    /// The indexes of the tables' keys, and those of CREATE INDEX.
    static func indexes(_ tables: [RelationEntry], _ indexes: [TableName: IndexDefinition]) -> [RelationEntry] {
        var result: [RelationEntry] = []
        var taken: Set<TableName> = []
        for entry in tables {
            guard let definition = entry.definition else { continue }
            for key in definition.keys {
                var name = entry.name
                name.table = key.name
                guard taken.insert(name).inserted else { continue }
                var index = RelationEntry(
                    name: name, kind: "i", columns: key.columns.map { definition.columns[$0].field })
                index.index = IndexEntry(
                    table: entry.name, isUnique: true, isPrimary: key.kind == .primary,
                    nullsAreEqual: key.nullsAreEqual,
                    elements: key.columns.map { QuotedNames.quoted(definition.columns[$0].field.name) },
                    columns: key.columns.map { $0 + 1 })
                result.append(index)
            }
        }
        for (name, definition) in indexes.sorted(by: { $0.key.description < $1.key.description }) {
            guard taken.insert(name).inserted, let table = tables.first(where: { $0.name == definition.table }) else {
                continue
            }
            let columns = table.definition?.columns ?? []
            let ordinals = definition.elements.map { element in
                columns.firstIndex { QuotedNames.quoted($0.field.name) == element }
            }
            // The types of expressions are not kept.
            var index = RelationEntry(
                name: name, kind: "i",
                columns: ordinals.map { $0.map { columns[$0].field } ?? Field(name: "expr", type: .text) })
            index.index = IndexEntry(
                table: definition.table, isUnique: definition.isUnique, isPrimary: false, nullsAreEqual: false,
                elements: definition.elements, columns: ordinals.map { ($0 ?? -1) + 1 })
            result.append(index)
        }
        return result
    }

    static func sequences(_ sequences: [TableName: StoredSequence]) -> [RelationEntry] {
        sequences.sorted { $0.key.description < $1.key.description }.map { name, sequence in
            var entry = RelationEntry(
                name: name, kind: "S",
                columns: [
                    Field(name: "last_value", type: .int64, isNullable: false),
                    Field(name: "log_cnt", type: .int64, isNullable: false),
                    Field(name: "is_called", type: .boolean, isNullable: false),
                ])
            entry.sequence = sequence.options
            if let owner = sequence.owner {
                entry.sequenceOwner = [owner.table.catalog, owner.table.schema, owner.table.table, owner.column]
            }
            return entry
        }
    }

    /// As pg_get_indexdef gives it.
    static func text(of index: IndexEntry, name: TableName) -> String {
        let table = QuotedNames.quoted(index.table.schema) + "." + QuotedNames.quoted(index.table.table)
        let elements = index.elements.joined(separator: ", ")
        return "CREATE \(index.isUnique ? "UNIQUE " : "")INDEX \(QuotedNames.quoted(name.table)) ON \(table) "
            + "USING btree (\(elements))" + (index.nullsAreEqual ? " NULLS NOT DISTINCT" : "")
    }
}
