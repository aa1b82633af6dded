// ALTER VIEW, and views when what they read changes.

import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLParser
import Storage

extension StatementRunner {
    func alterView(_ alteration: BoundAlteration) async throws -> StatementResult {
        let name = alteration.table
        guard var view = catalog.view(name) else {
            throw QueryError(.undefinedTable, "relation \"\(name.table)\" does not exist", object: name.table)
        }
        for (column, text) in alteration.viewDefaults { view.columnDefaults[column] = text }
        if let option = alteration.checkOption { view.checkOption = option }
        let readers = try await renamedViews(alteration)
        let comments = catalog.objects.comments
        for (old, new) in alteration.renamedColumns {
            view.columnNames = view.columnNames?.map { $0 == old ? new : $0 }
            if let text = view.columnDefaults.removeValue(forKey: old) { view.columnDefaults[new] = text }
            guard let comment = comments[.column(name, old)] else { continue }
            catalog.change { changes in
                changes.comments[.column(name, old)] = .some(nil)
                changes.comments[.column(name, new)] = comment
            }
        }
        catalog.setView(view, for: name)
        try await replaceViews(readers)
        if let new = alteration.newName { try await moveView(name, view, to: new) }
        return StatementResult(tag: alteration.tag)
    }

    private func moveView(_ name: TableName, _ view: ViewDefinition, to new: TableName) async throws {
        if try await exists(new) {
            throw QueryError(.duplicateTable, "relation \"\(new.table)\" already exists", object: new.table)
        }
        guard try await backend(new.catalog).schemaNames().contains(new.schema) else {
            throw QueryError(.invalidSchemaName, "schema \"\(new.schema)\" does not exist", object: new.schema)
        }
        let readers = try await renamedViews(.relation(name, to: new))
        let comments = catalog.objects.comments
        catalog.change { changes in
            changes.views[name] = .some(nil)
            changes.views[new] = view
            for (target, text) in comments {
                switch target {
                case .relation(name): changes.comments[.relation(new)] = text
                case .column(name, let column): changes.comments[.column(new, column)] = text
                default: continue
                }
                changes.comments[target] = .some(nil)
            }
        }
        try await replaceViews(readers)
    }

    // MARK: - Views that read what changes

    private func binder(for view: TableName) -> Binder {
        var binding = BindingSession(searchPath: [.init(catalog: view.catalog, schema: view.schema)])
        binding.temporarySchema = session.temporarySchema
        return Binder(catalog: catalog, registry: session.engine.registry, session: binding)
    }

    /// A column that views read must not go or change its type under them.
    func checkViews(after alteration: BoundAlteration) async throws {
        let name = alteration.table
        guard !alteration.droppedColumns.isEmpty || !alteration.retypedColumns.isEmpty else { return }
        for view in try await viewsOf(name) {
            guard let definition = catalog.view(view) else { continue }
            let binder = binder(for: view)
            for column in alteration.retypedColumns {
                guard await binder.reads(column, of: name, in: definition) else { continue }
                throw QueryError(
                    .featureNotSupported, "cannot alter type of a column used by a view or rule",
                    detail: "rule _RETURN on view \(view.table) depends on column \"\(column)\"", object: column)
            }
            for column in alteration.droppedColumns {
                guard catalog.view(view) != nil, await binder.reads(column, of: name, in: definition) else { continue }
                guard alteration.cascade else {
                    throw QueryError(
                        .dependentObjectsStillExist,
                        "cannot drop column \(column) of table \(name.table) because other objects depend on it",
                        detail: "view \(view.table) depends on column \(column) of table \(name.table)",
                        hint: "Use DROP ... CASCADE to drop the dependent objects too.", object: column)
                }
                try await dropView(view, cascade: true)
            }
        }
    }

    /// The views that read a relation, with their texts under its new name.
    func renamedViews(_ change: Renaming) async throws -> [TableName: ViewDefinition] {
        let relation: TableName
        switch change {
        case .relation(let name, _), .column(_, let name, _): relation = name
        }
        var result: [TableName: ViewDefinition] = [:]
        for view in try await viewsOf(relation) {
            guard let definition = catalog.view(view) else { continue }
            result[view] = try await binder(for: view).renaming(change, in: definition, named: view)
        }
        return result
    }

    /// The views that read a relation some of whose columns get other names.
    func renamedViews(_ alteration: BoundAlteration) async throws -> [TableName: ViewDefinition] {
        guard let (old, new) = alteration.renamedColumns.first else { return [:] }
        guard alteration.renamedColumns.count == 1 else {
            throw QueryError.notSupported("several new names of columns in one statement")
        }
        return try await renamedViews(.column(old, of: alteration.table, to: new))
    }

    /// Puts views with other texts in place of those that are there. The texts must be right.
    func replaceViews(_ views: [TableName: ViewDefinition]) async throws {
        for (name, view) in views { catalog.setView(view, for: name) }
        for (name, view) in views {
            do {
                _ = try await session.executeWithin("SELECT FROM (\(view.query)) AS view_query LIMIT 0").collect()
            } catch is QueryError {
                throw QueryError.notSupported("a new name for what view \"\(name.table)\" reads in this way")
            }
        }
    }
}
