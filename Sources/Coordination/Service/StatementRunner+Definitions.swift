// Statements that change the catalogue: CREATE, COMMENT, TRUNCATE. DROP and ALTER have files of their own.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLParser
import Storage

extension StatementRunner {
    var catalog: Catalog { session.engine.catalog }

    func runDefinition(_ statement: BoundStatement) async throws -> StatementResult {
        switch statement {
        case .createTable(let table): return try await createTable(table)
        case .createTableAs(let name, let plan, let columns, let ifNotExists, let withData):
            try await makeTemporarySchema(for: name)
            if try await exists(name) { return try skipExisting(name, ifNotExists, tag: "CREATE TABLE AS") }
            return try await createTableAs(name, plan, columns, withData: withData)
        case .createView(let name, let view, let columns, let orReplace, _):
            return try await createView(name, view, columns, orReplace: orReplace)
        case .createMaterializedView(let name, let view, let plan, let columns, let ifNotExists):
            return try await createMaterializedView(name, view, plan, columns, ifNotExists: ifNotExists)
        case .refresh(let name, let withData): return try await refresh(name, withData: withData)
        case .createSchema(let catalog, let schema, let ifNotExists):
            return try await createSchema(catalog, schema, ifNotExists: ifNotExists)
        case .drop(let kind, let names, let missing, let ifExists, let cascade):
            return try await drop(kind, names, missing: missing, ifExists: ifExists, cascade: cascade)
        case .truncate(let tables, let restarts, let cascade):
            return try await truncate(tables, restartsIdentity: restarts, cascade: cascade)
        case .alterTable(let alteration): return try await alterTable(alteration)
        case .alterView(let alteration): return try await alterView(alteration)
        case .createIndex(let index): return try await createIndex(index)
        case .sequence(let change): return try await changeSequence(change)
        case .defineType(let change, let tag): return try await changeType(change, tag: tag)
        case .comment(let target, let text):
            return try await comment(target, text)
        case .nothing(let tag, let missing):
            return StatementResult(
                tag: tag, notices: [QueryError(.undefinedTable, "relation \"\(missing)\" does not exist, skipping")])
        default: throw QueryError.internalError("not a statement that changes the catalogue")
        }
    }

    func backend(_ name: String) throws -> any StorageBackend {
        guard let backend = catalog.backend(name) else {
            throw QueryError(.invalidCatalogName, "catalog \"\(name)\" does not exist", object: name)
        }
        return backend
    }

    /// Whether a relation of any kind has the name.
    func exists(_ name: TableName) async throws -> Bool {
        let objects = catalog.objects
        if objects.views[name] != nil || objects.sequences[name] != nil || objects.indexes[name] != nil { return true }
        return try await backend(name.catalog).table(schema: name.schema, name: name.table) != nil
    }

    func skipExisting(_ name: TableName, _ ifNotExists: Bool, tag: String) throws -> StatementResult {
        guard ifNotExists else {
            throw QueryError(.duplicateTable, "relation \"\(name.table)\" already exists", object: name.table)
        }
        return StatementResult(
            tag: tag, notices: [QueryError(.duplicateTable, "relation \"\(name.table)\" already exists, skipping")])
    }

    /// The schema of temporary tables is made with the first of them.
    func makeTemporarySchema(for name: TableName) async throws {
        guard name.schema == session.temporarySchema else { return }
        let target = try backend(name.catalog)
        if try await !target.schemaNames().contains(name.schema) { try await target.createSchema(name.schema) }
    }

    // MARK: - Tables

    private func createTable(_ table: BoundTable) async throws -> StatementResult {
        let name = table.name
        try await makeTemporarySchema(for: name)
        if try await exists(name) { return try skipExisting(name, table.ifNotExists, tag: "CREATE TABLE") }
        try await backend(name.catalog).createTable(schema: name.schema, name: name.table, definition: table.definition)
        createSequences(table.sequences, of: name)
        return StatementResult(tag: "CREATE TABLE")
    }

    func createSequences(_ sequences: [OwnedSequence], of table: TableName) {
        for sequence in sequences {
            let made = StoredSequence(
                name: sequence.name.table, options: sequence.options, owner: (table, sequence.column))
            catalog.change { $0.sequences[sequence.name] = made }
        }
    }

    func createTableAs(
        _ name: TableName, _ plan: LogicalPlan, _ columns: [TableColumn], withData: Bool
    ) async throws -> StatementResult {
        let target = try backend(name.catalog)
        // The query reads what is there before: the table is not among it.
        let definition = TableDefinition(columns: columns)
        guard withData else {
            try await target.createTable(schema: name.schema, name: name.table, definition: definition)
            return StatementResult(tag: "CREATE TABLE AS")
        }
        try await target.prepareTable(schema: name.schema, name: name.table, definition: definition)
        let count = PlanColumn(id: ids.next(), name: "count", type: .int64, isNullable: false)
        let write = LogicalPlan.write(LogicalWrite(target: .insert(name), countColumn: count, input: plan))
        do {
            return StatementResult(tag: "SELECT \(try await runWrite(write))")
        } catch {
            // Without transactions the table goes again here.
            if !(target is any TransactionalBackend) {
                try? await target.dropTable(schema: name.schema, name: name.table)
            }
            throw error
        }
    }

    private func truncate(
        _ names: [TableName], restartsIdentity: Bool, cascade: Bool
    ) async throws -> StatementResult {
        var all = names
        var index = 0
        while index < all.count {
            for (name, key) in try await references(to: all[index]) where !all.contains(name) {
                guard cascade else {
                    throw QueryError(
                        .featureNotSupported, "cannot truncate a table referenced in a foreign key constraint",
                        detail: "Table \"\(name.table)\" references \"\(key.target.table)\".",
                        hint: "Truncate table \"\(name.table)\" at the same time, or use TRUNCATE ... CASCADE.")
                }
                all.append(name)
            }
            index += 1
        }
        for name in all {
            let table = try await catalog.table(name)
            let writer = try await backend(name.catalog).makeReplacement(
                schema: name.schema, name: name.table, definition: table.definition)
            try writer.commit()
            catalog.forget(name)
            guard restartsIdentity else { continue }
            for sequence in catalog.objects.sequences.values where sequence.owner?.table == name { sequence.restart() }
        }
        return StatementResult(tag: "TRUNCATE TABLE")
    }

    // MARK: - Views, schemas, indexes

    private func createView(
        _ name: TableName, _ view: ViewDefinition, _ columns: [Field], orReplace: Bool
    ) async throws -> StatementResult {
        try await makeTemporarySchema(for: name)
        if let existing = catalog.view(name) {
            guard orReplace else {
                throw QueryError(.duplicateTable, "relation \"\(name.table)\" already exists", object: name.table)
            }
            // What others read of the view stays as it is: columns may only be added at the end.
            var before = existing.columnTypes
            // A view that another process made: its types follow from what it reads, if that is there.
            if before.isEmpty {
                let place = [name.catalog, name.schema, name.table].map(SyntaxPrinter.identifier).joined(separator: ".")
                let result = try? await session.executeWithin("SELECT * FROM \(place) LIMIT 0")
                _ = try? await result?.collect()
                before = result?.fields?.map(\.type) ?? []
            }
            for (index, old) in (existing.columnNames ?? []).enumerated() {
                guard index < columns.count else {
                    throw QueryError(SQLState("42P16"), "cannot drop columns from view", object: name.table)
                }
                if columns[index].name != old {
                    throw QueryError(
                        SQLState("42P16"),
                        "cannot change name of view column \"\(old)\" to \"\(columns[index].name)\"", object: old)
                }
                if index < before.count, columns[index].type != before[index] {
                    throw QueryError(
                        SQLState("42P16"),
                        "cannot change data type of view column \"\(old)\" from \(before[index].sqlName) to \(columns[index].type.sqlName)",
                        object: old)
                }
            }
        } else if try await exists(name) {
            throw QueryError(.duplicateTable, "relation \"\(name.table)\" already exists", object: name.table)
        }
        guard try await backend(name.catalog).schemaNames().contains(name.schema) else {
            throw QueryError(.invalidSchemaName, "schema \"\(name.schema)\" does not exist", object: name.schema)
        }
        var stored = view
        stored.columnTypes = columns.map(\.type)
        stored.columnDefaults = catalog.view(name)?.columnDefaults ?? [:]
        catalog.setView(stored, for: name)
        return StatementResult(tag: "CREATE VIEW")
    }

    private func createSchema(_ catalogName: String, _ schema: String, ifNotExists: Bool) async throws
        -> StatementResult
    {
        let target = try backend(catalogName)
        if schema.hasPrefix("pg_") {
            throw QueryError(
                SQLState("42939"), "unacceptable schema name \"\(schema)\"",
                detail: "The prefix \"pg_\" is reserved for system schemas.", object: schema)
        }
        if try await target.schemaNames().contains(schema) {
            guard ifNotExists else {
                throw QueryError(.duplicateSchema, "schema \"\(schema)\" already exists", object: schema)
            }
            return StatementResult(
                tag: "CREATE SCHEMA",
                notices: [QueryError(.duplicateSchema, "schema \"\(schema)\" already exists, skipping")])
        }
        try await target.createSchema(schema)
        return StatementResult(tag: "CREATE SCHEMA")
    }

    private func createIndex(_ index: BoundIndex) async throws -> StatementResult {
        if try await exists(index.name) {
            return try skipExisting(index.name, index.ifNotExists, tag: "CREATE INDEX")
        }
        let table = index.index.table
        if index.index.isUnique {
            try await backend(table.catalog).changeDefinition(
                schema: table.schema, name: table.table, to: index.definition)
        }
        catalog.change { $0.indexes[index.name] = index.index }
        return StatementResult(tag: "CREATE INDEX")
    }

    // MARK: - Sequences

    private func changeSequence(_ change: BoundSequenceChange) async throws -> StatementResult {
        switch change {
        case .create(let name, let options, let owner, let ifNotExists):
            try await makeTemporarySchema(for: name)
            if try await exists(name) { return try skipExisting(name, ifNotExists, tag: "CREATE SEQUENCE") }
            guard try await backend(name.catalog).schemaNames().contains(name.schema) else {
                throw QueryError(.invalidSchemaName, "schema \"\(name.schema)\" does not exist", object: name.schema)
            }
            let sequence = StoredSequence(
                name: name.table, options: options, owner: owner.map { ($0.0, $0.1) })
            catalog.change { $0.sequences[name] = sequence }
            return StatementResult(tag: "CREATE SEQUENCE")
        case .alter(let name, let settings):
            guard let sequence = catalog.sequence(name) else {
                throw QueryError(.undefinedTable, "relation \"\(name.table)\" does not exist", object: name.table)
            }
            try alter(sequence, name, settings)
            return StatementResult(tag: "ALTER SEQUENCE")
        case .rename(let name, let new):
            if try await exists(new) {
                throw QueryError(.duplicateTable, "relation \"\(new.table)\" already exists", object: new.table)
            }
            guard let sequence = catalog.sequence(name) else {
                throw QueryError(.undefinedTable, "relation \"\(name.table)\" does not exist", object: name.table)
            }
            if sequence.owner != nil {
                throw QueryError.notSupported("renaming a sequence that a column owns")
            }
            catalog.change { changes in
                changes.sequences[name] = .some(nil)
                changes.sequences[new] = StoredSequence(sequence, name: new.table, owner: nil)
            }
            return StatementResult(tag: "ALTER SEQUENCE")
        case .nothing: return StatementResult(tag: "ALTER SEQUENCE")
        }
    }

    private func alter(_ sequence: StoredSequence, _ name: TableName, _ settings: SequenceSettings) throws {
        var options = sequence.options
        func apply(_ bound: SequenceSettings.Bound?, none: Int64, to value: inout Int64) {
            switch bound {
            case nil: break
            case .value(let given)?: value = given
            case SequenceSettings.Bound.none?: value = none
            }
        }
        if let increment = settings.increment { options.increment = increment }
        apply(settings.minimum, none: options.increment > 0 ? 1 : .min, to: &options.minimum)
        apply(settings.maximum, none: options.increment > 0 ? .max : -1, to: &options.maximum)
        if let start = settings.start { options.start = start }
        if let cycles = settings.cycles { options.cycles = cycles }
        guard options.increment != 0, options.minimum < options.maximum, options.start >= options.minimum,
            options.start <= options.maximum
        else {
            throw QueryError(.invalidParameterValue, "the options of sequence \"\(name.table)\" contradict each other")
        }
        if settings.owner != nil { throw QueryError.notSupported("ALTER SEQUENCE OWNED BY") }
        let changed = StoredSequence(sequence, options: options, owner: sequence.owner)
        switch settings.restart {
        case nil: break
        case .value(let value)?: try changed.set(value, isCalled: false)
        case SequenceSettings.Bound.none?: try changed.set(options.start, isCalled: false)
        }
        catalog.change { $0.sequences[name] = changed }
    }
}
