// Views as entries of the state store.

import QueryPlan
import StateStore
import Storage

/// What of the catalogue outlives the process.
enum KeptViews {
    /// The changes of the store that follow from those of the catalogue. `isTemporary`: whether a schema ends with its session.
    static func changes(_ changes: CatalogObjects.Changes, isTemporary: (TableName) -> Bool) -> [StateChange] {
        changes.views.sorted { $0.key.description < $1.key.description }.compactMap { name, view in
            if isTemporary(name) { return nil }
            guard let view, let value = value(of: view) else { return .remove(.view, name: self.name(of: name)) }
            return .put(StateEntry(.view, self.name(of: name), value))
        }
    }

    static func name(of view: TableName) -> String {
        var record = StateRecord()
        record.add(view.catalog, view.schema, view.table)
        return record.text
    }

    static func name(_ text: String) -> TableName? {
        guard let line = StateRecord(text)?.lines.first, line.count == 3 else { return nil }
        return TableName(catalog: line[0], schema: line[1], table: line[2])
    }

    /// `nil` for views that depend on what ends with the process: types that statements made, and rows of materialized views.
    static func value(of view: ViewDefinition) -> String? {
        guard view.materialization == nil, view.types.isEmpty, view.columnUserTypes.allSatisfy({ $0 == nil }) else {
            return nil
        }
        var record = StateRecord()
        record.add("query", view.query)
        for name in view.columnNames ?? [] { record.add("column", name) }
        for name in view.references { record.add("reference", name.catalog, name.schema, name.table) }
        if let option = view.checkOption { record.add("check", option.rawValue) }
        for (column, text) in view.columnDefaults.sorted(by: { $0.key < $1.key }) {
            record.add("default", column, text)
        }
        return record.text
    }

    static func view(_ entry: StateEntry) -> ViewDefinition? {
        guard let record = StateRecord(entry.value), let query = record.first("query") else { return nil }
        let columns = record.all("column").compactMap(\.first)
        var view = ViewDefinition(
            query: query, columnNames: columns.isEmpty ? nil : columns,
            references: record.all("reference").compactMap { fields in
                fields.count == 3 ? TableName(catalog: fields[0], schema: fields[1], table: fields[2]) : nil
            })
        view.checkOption = record.first("check").flatMap { ViewDefinition.CheckOption(rawValue: $0) }
        for fields in record.all("default") where fields.count == 2 { view.columnDefaults[fields[0]] = fields[1] }
        return view
    }
}
