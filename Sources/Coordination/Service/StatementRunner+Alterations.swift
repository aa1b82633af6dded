// ALTER TABLE and DROP, with what depends on the things that change.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLFunctions
import Storage

extension StatementRunner {
    // MARK: - ALTER TABLE

    func alterTable(_ alteration: BoundAlteration) async throws -> StatementResult {
        let name = alteration.table
        let target = try backend(name.catalog)
        try await checkViews(after: alteration)
        let views = try await renamedViews(alteration)
        for key in alteration.droppedKeys {
            let columns = Set(key.columns.map { ordinal in ordinal })
            let dependent = try await references(to: name).first { _, foreign in
                Set(foreign.targetColumns.compactMap { alteration.definition.ordinal(of: $0) }) == columns
                    || !alteration.definition.keys.contains { other in
                        Set(other.columns)
                            == Set(foreign.targetColumns.compactMap { alteration.definition.ordinal(of: $0) })
                    }
            }
            if let dependent {
                guard alteration.cascade else {
                    throw QueryError(
                        .dependentObjectsStillExist,
                        "cannot drop constraint \(key.name) on table \(name.table) because other objects depend on it",
                        detail: "constraint \(dependent.1.name) on table \(dependent.0.table) depends on it.",
                        hint: "Use DROP ... CASCADE to drop the dependent objects too.")
                }
                try await dropForeignKeys(to: name)
            }
        }
        if alteration.rewrites { try await checkKeyTypes(of: alteration) }
        // First the sequences: the new rows may take their numbers from them.
        createSequences(alteration.sequences, of: name)
        if let plan = alteration.plan { try await rewrite(alteration, plan) }
        if !alteration.rewrites, alteration.definition != (try await catalog.table(name)).definition {
            try await target.changeDefinition(schema: name.schema, name: name.table, to: alteration.definition)
        }
        catalog.forget(name)
        renameReferences(alteration)
        try await replaceViews(views)
        if alteration.addsForeignKeys { try await checkReferences(of: name) }
        if let new = alteration.newName { try await move(name, to: new) }
        return StatementResult(tag: "ALTER TABLE", notices: alteration.notices)
    }

    /// Columns of foreign keys and those that they refer to must stay comparable.
    private func checkKeyTypes(of alteration: BoundAlteration) async throws {
        let name = alteration.table
        func type(_ column: String, _ definition: TableDefinition) -> DataType? {
            definition.ordinal(of: column).map { definition.columns[$0].field.type }
        }
        var keys = alteration.definition.foreignKeys.map { (name, $0) }
        keys += try await references(to: name).filter { $0.0 != name }
        for (child, key) in keys {
            let referring = child == name ? alteration.definition : try await catalog.table(child).definition
            let referred = key.target == name ? alteration.definition : try await catalog.table(key.target).definition
            for (column, target) in zip(key.columns, key.targetColumns) {
                guard let first = type(column, referring), let second = type(target, referred),
                    TypeConversion.commonType([first, second]) == nil
                else { continue }
                throw QueryError(
                    .datatypeMismatch, "foreign key constraint \"\(key.name)\" cannot be implemented",
                    detail:
                        "Key columns \"\(column)\" and \"\(target)\" are of incompatible types: \(first.sqlName) and \(second.sqlName).",
                    object: key.name)
            }
        }
    }

    /// Runs the query for the new rows, looks at the checks, and puts the rows in place of the old ones.
    private func rewrite(_ alteration: BoundAlteration, _ plan: LogicalPlan) async throws {
        let name = alteration.table
        let execution = try await start(plan)
        var writer: (any TableWriter)?
        if alteration.rewrites {
            writer = try await backend(name.catalog).makeReplacement(
                schema: name.schema, name: name.table, definition: alteration.definition)
        }
        let count = alteration.rewrites ? alteration.definition.columns.count : 0
        do {
            while let batch = try await execution.rows.next() {
                for (number, check) in alteration.checks.enumerated() {
                    let column = batch.column(count + number)
                    if (0..<batch.rowCount).contains(where: { column.value(at: $0) == .boolean(false) }) {
                        throw QueryError(
                            .checkViolation,
                            "check constraint \"\(check)\" of relation \"\(name.table)\" is violated by some row",
                            object: check)
                    }
                }
                let row = Batch(columns: (0..<count).map { batch.column($0) }, rowCount: batch.rowCount)
                try writer?.write(row)
            }
            await execution.waitForEnd()
            try writer?.commit()
        } catch {
            execution.cancel()
            writer?.abort()
            throw error
        }
    }

    /// Comments and sequences follow a column to its new name and go with it.
    private func renameReferences(_ alteration: BoundAlteration) {
        let objects = catalog.objects
        let kept = Set(alteration.definition.columns.map(\.field.name))
        catalog.change { changes in
            for (name, sequence) in objects.sequences {
                guard let owner = sequence.owner, owner.table == alteration.table else { continue }
                if alteration.retypedColumns.contains(owner.column),
                    let ordinal = alteration.definition.ordinal(of: owner.column),
                    case .identity = alteration.definition.columns[ordinal].source
                {
                    let type = alteration.definition.columns[ordinal].field.type
                    changes.sequences[name] = StoredSequence(
                        sequence, options: sequence.options.bounded(by: type), owner: owner)
                }
                if let new = alteration.renamedColumns[owner.column] {
                    changes.sequences[name] = StoredSequence(sequence, owner: (owner.table, new))
                } else if !kept.contains(owner.column) {
                    changes.sequences[name] = .some(nil)
                }
            }
            for (target, text) in objects.comments {
                guard case .column(alteration.table, let column) = target else { continue }
                if let new = alteration.renamedColumns[column] {
                    changes.comments[target] = .some(nil)
                    changes.comments[.column(alteration.table, new)] = text
                } else if !kept.contains(column) {
                    changes.comments[target] = .some(nil)
                }
            }
            for (name, index) in objects.indexes where index.table == alteration.table && index.isUnique {
                if !alteration.definition.keys.contains(where: { $0.name == name.table }) {
                    changes.indexes[name] = .some(nil)
                }
            }
        }
    }

    private func move(_ name: TableName, to new: TableName) async throws {
        if try await exists(new) {
            throw QueryError(.duplicateTable, "relation \"\(new.table)\" already exists", object: new.table)
        }
        let views = try await renamedViews(.relation(name, to: new))
        try await backend(name.catalog).moveTable(
            schema: name.schema, name: name.table, toSchema: new.schema, toName: new.table)
        let objects = catalog.objects
        catalog.change { changes in
            for (sequenceName, sequence) in objects.sequences {
                if let owner = sequence.owner, owner.table == name {
                    changes.sequences[sequenceName] = StoredSequence(sequence, owner: (new, owner.column))
                }
            }
            for (indexName, index) in objects.indexes where index.table == name {
                var moved = index
                moved.table = new
                if new.schema == indexName.schema {
                    changes.indexes[indexName] = moved
                } else {
                    changes.indexes[indexName] = .some(nil)
                    changes.indexes[TableName(catalog: new.catalog, schema: new.schema, table: indexName.table)] = moved
                }
            }
            for (target, text) in objects.comments {
                switch target {
                case .relation(name): changes.comments[.relation(new)] = text
                case .column(name, let column): changes.comments[.column(new, column)] = text
                case .constraint(name, let constraint): changes.comments[.constraint(new, constraint)] = text
                default: continue
                }
                changes.comments[target] = .some(nil)
            }
        }
        for (child, _) in try await references(to: name) {
            let table = child == name ? new : child
            var definition = try await catalog.table(table).definition
            for index in definition.foreignKeys.indices where definition.foreignKeys[index].target == name {
                definition.foreignKeys[index].target = new
            }
            try await backend(table.catalog).changeDefinition(
                schema: table.schema, name: table.table, to: definition)
        }
        try await replaceViews(views)
    }

    // MARK: - What depends on what

    /// Views that read a table or view, directly.
    func viewsOf(_ name: TableName) async throws -> [TableName] {
        catalog.objects.views.filter { $0.value.references.contains(name) }.map(\.key).sorted {
            $0.description < $1.description
        }
    }

    /// Foreign keys of other tables (and its own) that refer to a table.
    func references(to name: TableName) async throws -> [(TableName, ForeignKey)] {
        guard let backend = catalog.backend(name.catalog), backend is any TransactionalBackend else { return [] }
        var result: [(TableName, ForeignKey)] = []
        for schema in try await backend.schemaNames() {
            for table in try await backend.tableNames(schema: schema) {
                guard let provider = try await backend.table(schema: schema, name: table) else { continue }
                for key in provider.definition.foreignKeys where key.target == name {
                    result.append((TableName(catalog: name.catalog, schema: schema, table: table), key))
                }
            }
        }
        return result
    }

    private func dropForeignKeys(to name: TableName, except: TableName? = nil) async throws {
        for (child, _) in try await references(to: name) where child != except {
            var definition = try await catalog.table(child).definition
            definition.foreignKeys.removeAll { $0.target == name }
            try await backend(child.catalog).changeDefinition(
                schema: child.schema, name: child.table, to: definition)
        }
    }

    // MARK: - DROP

    func drop(
        _ kind: DropKind, _ names: [TableName], missing: [String], ifExists: Bool, cascade: Bool
    ) async throws -> StatementResult {
        var notices = missing.map { name in
            QueryError(.undefinedTable, "\(kind.rawValue) \"\(name)\" does not exist, skipping", object: name)
        }
        for name in names {
            switch kind {
            case .table: try await dropTable(name, cascade: cascade, together: names)
            case .view, .materializedView: try await dropView(name, cascade: cascade, together: names)
            case .index: try await dropIndex(name)
            case .sequence: try await dropSequence(name, cascade: cascade)
            case .schema: notices += try await dropSchema(name, ifExists: ifExists, cascade: cascade)
            }
        }
        return StatementResult(tag: "DROP \(kind.rawValue.uppercased())", notices: notices)
    }

    private static func dependent(_ what: String, _ detail: String) -> QueryError {
        QueryError(
            .dependentObjectsStillExist, "cannot drop \(what) because other objects depend on it", detail: detail,
            hint: "Use DROP ... CASCADE to drop the dependent objects too.")
    }

    private func dropTable(_ name: TableName, cascade: Bool, together: [TableName] = []) async throws {
        for view in try await viewsOf(name) {
            guard cascade else {
                throw Self.dependent("table \(name.table)", "view \(view.table) depends on table \(name.table)")
            }
            try await dropView(view, cascade: true)
        }
        let children = try await references(to: name).filter { $0.0 != name && !together.contains($0.0) }
        if let (child, key) = children.first, !cascade {
            throw Self.dependent(
                "table \(name.table)",
                "constraint \(key.name) on table \(child.table) depends on table \(name.table)")
        }
        try await dropForeignKeys(to: name, except: name)
        try await backend(name.catalog).dropTable(schema: name.schema, name: name.table)
        catalog.forget(name)
        let objects = catalog.objects
        catalog.change { changes in
            for (sequence, object) in objects.sequences where object.owner?.table == name {
                changes.sequences[sequence] = .some(nil)
            }
            for (index, object) in objects.indexes where object.table == name { changes.indexes[index] = .some(nil) }
            for target in objects.comments.keys where target.table == name { changes.comments[target] = .some(nil) }
        }
    }

    func dropView(_ name: TableName, cascade: Bool, together: [TableName] = []) async throws {
        for view in try await viewsOf(name) where !together.contains(view) {
            guard cascade else {
                throw Self.dependent("view \(name.table)", "view \(view.table) depends on view \(name.table)")
            }
            try await dropView(view, cascade: true)
        }
        let isMaterialized = catalog.view(name)?.materialization != nil
        catalog.setView(nil, for: name)
        if isMaterialized { return try await dropTable(name, cascade: cascade) }
        let objects = catalog.objects
        catalog.change { changes in
            for target in objects.comments.keys where target.table == name { changes.comments[target] = .some(nil) }
        }
    }

    private func dropIndex(_ name: TableName) async throws {
        guard let index = catalog.objects.indexes[name] else { return }
        if index.isUnique {
            var definition = try await catalog.table(index.table).definition
            definition.keys.removeAll { $0.kind == .index && $0.name == name.table }
            try await backend(index.table.catalog).changeDefinition(
                schema: index.table.schema, name: index.table.table, to: definition)
        }
        catalog.change { $0.indexes[name] = .some(nil) }
    }

    private func dropSequence(_ name: TableName, cascade: Bool) async throws {
        guard let sequence = catalog.sequence(name) else { return }
        if let owner = sequence.owner {
            guard cascade else {
                throw Self.dependent(
                    "sequence \(name.table)",
                    "default value for column \(owner.column) of table \(owner.table.table) depends on it")
            }
            var definition = try await catalog.table(owner.table).definition
            if let ordinal = definition.ordinal(of: owner.column) { definition.columns[ordinal].source = .given }
            try await backend(owner.table.catalog).changeDefinition(
                schema: owner.table.schema, name: owner.table.table, to: definition)
        }
        catalog.change { $0.sequences[name] = .some(nil) }
    }

    /// Everything temporary of the session.
    func dropTemporaryObjects() async throws {
        let schema = TableName(catalog: catalog.defaultCatalog, schema: session.temporarySchema, table: "")
        _ = try await dropSchema(schema, ifExists: true, cascade: true)
    }

    private func dropSchema(_ name: TableName, ifExists: Bool, cascade: Bool) async throws -> [QueryError] {
        let target = try backend(name.catalog)
        guard try await target.schemaNames().contains(name.schema) else {
            let error = QueryError(
                .invalidSchemaName, "schema \"\(name.schema)\" does not exist", object: name.schema)
            guard ifExists else { throw error }
            return [QueryError(.invalidSchemaName, error.message + ", skipping")]
        }
        func isWithin(_ other: TableName) -> Bool { other.catalog == name.catalog && other.schema == name.schema }
        let tables = try await target.tableNames(schema: name.schema)
        let views = catalog.objects.views.keys.filter(isWithin)
        let sequences = catalog.objects.sequences.filter { isWithin($0.key) && $0.value.owner == nil }.keys
        let types = catalog.objects.types.keys.filter(isWithin)
        if !cascade, !tables.isEmpty || !views.isEmpty || !sequences.isEmpty || !types.isEmpty {
            throw Self.dependent(
                "schema \(name.schema)",
                (tables + (views + sequences + types).map(\.table)).sorted().joined(separator: ", "))
        }
        for view in views where catalog.view(view) != nil { try await dropView(view, cascade: true) }
        for table in try await target.tableNames(schema: name.schema) {
            try await dropTable(
                TableName(catalog: name.catalog, schema: name.schema, table: table), cascade: true)
        }
        for sequence in sequences { try await dropSequence(sequence, cascade: true) }
        for type in types { try await dropType(type, cascade: true, with: types) }
        try await target.dropSchema(name.schema)
        catalog.change { $0.comments[.schema(catalog: name.catalog, schema: name.schema)] = .some(nil) }
        return []
    }
}

extension SequenceOptions {
    /// Bounds that were those of the old type of the column become those of the new one.
    fileprivate func bounded(by type: DataType) -> SequenceOptions {
        let bounds: (Int64, Int64)
        switch type {
        case .int16: bounds = (Int64(Int16.min), Int64(Int16.max))
        case .int32: bounds = (Int64(Int32.min), Int64(Int32.max))
        default: bounds = (.min, .max)
        }
        var result = self
        if [Int64(Int16.min), Int64(Int32.min), .min].contains(minimum) { result.minimum = bounds.0 }
        if [Int64(Int16.max), Int64(Int32.max), .max].contains(maximum) { result.maximum = bounds.1 }
        return result
    }
}

extension CommentTarget {
    fileprivate var table: TableName? {
        switch self {
        case .relation(let name), .column(let name, _), .constraint(let name, _): name
        case .schema, .database: nil
        }
    }
}
