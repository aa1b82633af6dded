// Statements that are no queries: definitions, EXPLAIN, COPY, settings, prepared statements, transactions.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

extension StatementBinder {
    func bindStatement(_ statement: Statement) throws -> BoundStatement {
        let bound = try bindMainStatement(statement)
        switch bound {
        case .query where !steps.isEmpty, .modify where !steps.isEmpty: return .withChanges(steps, bound)
        default: return bound
        }
    }

    private func bindMainStatement(_ statement: Statement) throws -> BoundStatement {
        mayDeclareChanges = statement.with?.hasChanges ?? false
        switch statement {
        case .query(let query): return try bindTopQuery(query)
        case .explain(let explain):
            return .explain(try bindStatement(explain.statement), try explainOptions(explain.options))
        case .insert(let insert): return try bindInsert(insert)
        case .update(let update): return .modify(try bindUpdate(update))
        case .delete(let delete): return .modify(try bindDelete(delete))
        case .merge(let merge): return .modify(try bindMerge(merge))
        case .copy(let copy): return try bindCopy(copy)
        case .createTable(let create): return try bindCreateTable(create)
        case .createView(let create): return try bindCreateView(create)
        case .createSchema(let create): return try bindCreateSchema(create)
        case .createIndex(let create): return try bindCreateIndex(create)
        case .createSequence(let create): return try bindCreateSequence(create)
        case .alterSequence(let alter): return try bindAlterSequence(alter)
        case .defineType(let statement): return try bindTypeStatement(statement)
        case .alterTable(let alter): return try bindAlterTable(alter)
        case .comment(let comment): return try bindComment(comment)
        case .refresh(let refresh): return try bindRefresh(refresh)
        case .drop(let drop): return try bindDrop(drop)
        case .truncate(let truncate):
            return .truncate(
                try truncate.tables.map { try tableTarget($0, action: "truncate").0 },
                restartsIdentity: truncate.restartIdentity, cascade: truncate.cascade)
        case .analyze(let analyze):
            let tables = try analyze.tables.map { try tableTarget($0.name, action: "analyze").0 }
            guard let vacuum = analyze.vacuum else { return .analyze(tables) }
            return .vacuum(tables, analyzes: vacuum.analyzes)
        case .describe(let describe): return try bindDescribe(describe)
        case .summarize(let describe): return try bindSummarize(describe)
        case .show(let show): return try bindShow(show)
        case .prepare, .execute, .deallocate, .declareCursor, .fetch, .closeCursor:
            return try bindPreparedStatement(statement)
        case .lock: throw unsupported(statement)
        default: return try bindSessionStatement(statement)
        }
    }

    private func unsupported(_ statement: Statement) -> QueryError {
        switch statement {
        case .lock: .notSupported("LOCK TABLE")
        default: .notSupported("this statement")
        }
    }

    func bindTopQuery(_ query: Query) throws -> BoundStatement {
        let bound = try bindSettledQuery(query, parent: nil, commonTables: nil)
        return .query(bound.plan, outputNames: bound.columns.map(\.name), outputTypes: bound.columns.map(\.type))
    }

    private func bindSessionStatement(_ statement: Statement) throws -> BoundStatement {
        switch statement {
        case .set(let set):
            return .setVariable(name: set.name, values: set.values.map(\.text), isLocal: set.isLocal)
        case .alterDefaults(let change):
            let value = change.values.map(\.text).joined(separator: ", ")
            return .alterDefaults(
                user: change.user?.text, name: change.name, value: change.values.isEmpty ? nil : value)
        case .user(let statement): return .user(statement)
        case .reset(let name): return .resetVariable(name: name)
        case .setTransaction(let set): return .transaction(.setModes(set.modes, forSession: set.forSession))
        case .discard(let what): return .discard(what)
        case .begin(let modes, let isStart): return .transaction(.begin(modes, isStart: isStart))
        case .commit(let andChain): return .transaction(.commit(andChain: andChain))
        case .rollback(let andChain): return .transaction(.rollback(andChain: andChain))
        case .savepoint(let name): return .transaction(.savepoint(name.text))
        case .releaseSavepoint(let name): return .transaction(.release(name.text))
        case .rollbackToSavepoint(let name): return .transaction(.rollbackTo(name.text))
        case .drainWorker(let name): return .drainWorker(name: name.text)
        case .listen(let channel): return .listen(channel: channel.text)
        case .unlisten(let channel): return .unlisten(channel: channel?.text)
        case .notify(let channel, let payload): return .notify(channel: channel.text, payload: payload ?? "")
        default: throw unsupported(statement)
        }
    }

    private func bindPreparedStatement(_ statement: Statement) throws -> BoundStatement {
        switch statement {
        case .prepare(let prepare):
            let types = try prepare.parameterTypes.map { try resolveType($0).type }
            // The statement must be right now; it is bound anew when it runs.
            var session = self.session
            session.parameterTypes = types
            let inner = StatementBinder(catalog: catalog, registry: registry, session: session, relations: relations)
            let result = try inner.finish(inner.bindStatement(prepare.statement))
            return .prepare(
                name: prepare.name.text, parameterTypes: result.parameterTypes, statement: prepare.statement)
        case .execute(let execute):
            let scope = Scope(parent: nil, commonTables: nil, select: nil, clause: .constant)
            let arguments = try execute.arguments.map { fold(try bind($0, scope)) }
            return .execute(name: execute.name.text, arguments: arguments)
        case .deallocate(let name): return .deallocate(name: name?.text)
        case .declareCursor(let declare):
            let bound = try bindSettledQuery(declare.query, parent: nil, commonTables: nil)
            return .declareCursor(
                name: declare.name.text, plan: bound.plan, outputNames: bound.columns.map(\.name),
                outputTypes: bound.columns.map(\.type), declare)
        case .fetch(let fetch): return .fetch(fetch)
        case .closeCursor(let name): return .closeCursor(name: name?.text)
        default: throw unsupported(statement)
        }
    }

    // MARK: - EXPLAIN, SHOW, DESCRIBE

    private func explainOptions(_ syntax: [StatementOption]) throws -> ExplainOptions {
        var options = ExplainOptions()
        for option in syntax {
            switch option.name {
            case "analyze": options.analyze = try flag(option)
            case "verbose": options.verbose = try flag(option)
            case "costs": options.costs = try flag(option)
            case "timing": options.timing = try flagOfAnalyze(option, syntax)
            case "summary": options.summary = try flag(option)
            case "wal": _ = try flagOfAnalyze(option, syntax)
            case "buffers", "settings", "generic_plan", "memory": _ = try flag(option)
            case "format":
                guard case .text(let text)? = option.value else { throw invalid(option) }
                guard let format = ExplainOptions.Format(rawValue: text) else {
                    throw QueryError.notSupported("EXPLAIN format \"\(text)\"", at: option.position)
                }
                options.format = format
            default:
                throw QueryError(
                    .syntaxError, "unrecognized EXPLAIN option \"\(option.name)\"", at: option.position,
                    object: option.name)
            }
        }
        return options
    }

    /// An option that makes sense only together with ANALYZE.
    private func flagOfAnalyze(_ option: StatementOption, _ all: [StatementOption]) throws -> Bool {
        let isOn = try flag(option)
        if isOn, try !all.contains(where: { try $0.name == "analyze" && flag($0) }) {
            throw QueryError(
                .invalidParameterValue, "EXPLAIN option \(option.name.uppercased()) requires ANALYZE",
                at: option.position)
        }
        return isOn
    }

    private func invalid(_ option: StatementOption) -> QueryError {
        QueryError(
            .invalidParameterValue, "unrecognized value for option \"\(option.name)\"", at: option.position,
            object: option.name)
    }

    private func flag(_ option: StatementOption) throws -> Bool {
        switch option.value {
        case nil: return true
        case .text(let text):
            switch text.lowercased() {
            case "true", "on", "yes", "1": return true
            case "false", "off", "no", "0": return false
            default: throw invalid(option)
            }
        case .number(let text):
            guard text == "0" || text == "1" else { throw invalid(option) }
            return text == "1"
        case .list, .star: throw invalid(option)
        }
    }

    private func bindShow(_ show: Show) throws -> BoundStatement {
        switch show.target {
        case .setting(let name): return .showVariable(name: name)
        case .all: return .showVariable(name: nil)
        case .tables(let schema, let all):
            let current = creationEntry
            // Without a schema: the search path, in every catalogue.
            return .showTables(catalog: schema?.schema ?? current.catalog, schema: schema?.last, all: all)
        case .schemas: return .showSchemas
        case .databases: return .showDatabases
        case .functions: return .showFunctions
        case .columns(let name):
            let scope = Scope(parent: nil, commonTables: nil, select: nil, clause: .fromClause)
            return describe(try bindNamedTable(name, alias: nil, scope))
        }
    }

    private func describe(_ item: FromItem) -> BoundStatement {
        .describe(columns: fields(BoundQuery(plan: item.plan, columns: item.namespace.columns)))
    }

    private func bindDescribe(_ describe: Describe) throws -> BoundStatement {
        .describe(columns: fields(try bindSettledQuery(describe.query, parent: nil, commonTables: nil)))
    }

    /// The result's columns as fields.
    func fields(_ query: BoundQuery) -> [Field] {
        zip(query.columns, query.plan.columns).map {
            Field(name: $0.name, type: $0.type, isNullable: $1.isNullable, modifier: columnModifiers[$0.id])
        }
    }

    // MARK: - Definitions

    func refuseExisting(_ written: ObjectName, _ name: TableName, ifNotExists: Bool) throws {
        guard !ifNotExists else { return }
        switch relations.byName[written.parts] {
        case .table(let existing, _) where existing == name, .view(let existing, _, _) where existing == name:
            throw QueryError(
                .duplicateTable, "relation \"\(name.table)\" already exists", at: written.position, object: name.table)
        default: break
        }
    }

    func refuseDuplicateColumns(_ names: [Identifier]) throws {
        var seen: Set<String> = []
        for name in names where !seen.insert(name.text).inserted {
            throw QueryError(
                .duplicateColumn, "column \"\(name)\" specified more than once", at: name.position, object: name.text)
        }
    }

    private func bindCreateView(_ create: CreateView) throws -> BoundStatement {
        var collector = RelationCollector()
        collector.visit(create.query)
        var isTemporary = create.isTemporary
        var references: [TableName] = []
        for written in collector.names {
            switch relations.byName[written.parts] {
            case .table(let table, _)?, .view(let table, _, _)?:
                references.append(table)
                // A view of something temporary is temporary itself.
                if table.schema == session.temporarySchema { isTemporary = true }
            case nil: break
            }
        }
        let name = try creationName(create.name, isTemporary: isTemporary)
        // A common table may have the view's own name.
        references.removeAll { $0 == name }
        if case .table(let existing, _)? = relations.byName[create.name.parts], existing == name, !create.ifNotExists {
            throw QueryError(
                create.orReplace ? .wrongObjectType : .duplicateTable,
                create.orReplace ? "\"\(name.table)\" is not a view" : "relation \"\(name.table)\" already exists",
                at: create.name.position, object: name.table)
        }
        try refuseExisting(create.name, name, ifNotExists: create.ifNotExists || create.orReplace)
        // The query must be right now; its plan is made anew for each use.
        let bound = try bindSettledQuery(create.query, parent: nil, commonTables: nil)
        if let parameter = parameterTypes.indices.first {
            throw QueryError(.undefinedParameter, "there is no parameter $\(parameter + 1)", at: create.position)
        }
        if create.columns.count > bound.columns.count {
            throw QueryError(
                .syntaxError, "CREATE VIEW specifies more column names than columns",
                at: create.columns[bound.columns.count].position)
        }
        let renamed = try self.renamed(bound, create.columns, of: name.table)
        let names = renamed.columns.map(\.name)
        try refuseDuplicateColumns(names.map { Identifier($0, at: create.name.position) })
        var definition = ViewDefinition(
            query: try viewText(create.query), columnNames: names, references: references)
        definition.columnUserTypes = renamed.columns.map(\.userType)
        definition.types = usedTypes.union(renamed.columns.compactMap(\.userType))
        if !create.isMaterialized { definition.checkOption = try checkOption(create) }
        if create.isMaterialized { return try materialized(create, name, renamed, definition) }
        return .createView(
            name: name, definition, columns: fields(renamed), orReplace: create.orReplace, isTemporary: isTemporary)
    }

    private func bindCreateSchema(_ create: CreateSchema) throws -> BoundStatement {
        let current = creationEntry.catalog
        guard let name = create.name else {
            return .createSchema(
                catalog: current, schema: create.authorization?.text ?? session.user, ifNotExists: create.ifNotExists)
        }
        return .createSchema(catalog: name.schema ?? current, schema: name.last, ifNotExists: create.ifNotExists)
    }

    private func bindDrop(_ drop: Drop) throws -> BoundStatement {
        var names: [TableName] = []
        var missing: [String] = []
        let kind: DropKind
        switch drop.object {
        case .table: kind = .table
        case .view: kind = .view
        case .schema: kind = .schema
        case .index: kind = .index
        case .sequence: kind = .sequence
        case .materializedView: kind = .materializedView
        }
        for name in drop.names {
            if kind == .schema {
                let current = creationEntry.catalog
                names.append(TableName(catalog: name.schema ?? current, schema: name.last, table: ""))
                continue
            }
            if kind == .index || kind == .sequence {
                if let found = try droppedObject(kind, name, ifExists: drop.ifExists) {
                    names.append(found)
                } else {
                    missing.append(name.last)
                }
                continue
            }
            switch (relations.byName[name.parts], kind) {
            case (let relation?, _) where relation.isOfSystem:
                throw QueryError(
                    .insufficientPrivilege, "permission denied: \"\(name.last)\" is a system catalog",
                    at: name.position, object: name.last)
            case (.table(let table, _)?, .table) where relations.materialized[table] == nil: names.append(table)
            case (.table(let table, _)?, .materializedView) where relations.materialized[table] != nil:
                names.append(table)
            case (.view(let view, _, _)?, .view): names.append(view)
            case (nil, _):
                if drop.ifExists {
                    missing.append(name.last)
                    continue
                }
                throw QueryError(
                    .undefinedTable, "\(kind.rawValue) \"\(name.last)\" does not exist", at: name.position,
                    object: name.last)
            default:
                throw QueryError(
                    .wrongObjectType, "\"\(name.last)\" is not a \(kind.rawValue)",
                    hint: "Use DROP \(droppableKind(relations.byName[name.parts])) to remove it.", at: name.position,
                    object: name.last)
            }
        }
        return .drop(kind, names: names, missing: missing, ifExists: drop.ifExists, cascade: drop.cascade)
    }

    private func droppableKind(_ relation: ResolvedRelation?) -> String {
        guard case .table(let table, _)? = relation else { return "VIEW" }
        return relations.materialized[table] == nil ? "TABLE" : "MATERIALIZED VIEW"
    }

    private func droppedObject(_ kind: DropKind, _ name: ObjectName, ifExists: Bool) throws -> TableName? {
        let objects = catalog.objects
        let candidates = RelationResolver(catalog: catalog, session: session).candidates(name.parts)
        let found = candidates.first {
            kind == .index ? objects.indexes[$0] != nil : objects.sequences[$0] != nil
        }
        if found == nil, kind == .index, let key = keyIndex(name.last) {
            throw QueryError(
                .dependentObjectsStillExist,
                "cannot drop index \(name.last) because constraint \(name.last) on table \(key.table) requires it",
                hint: "You can drop constraint \(name.last) on table \(key.table) instead.", at: name.position)
        }
        if found == nil, !ifExists {
            if relations.byName[name.parts] != nil {
                throw QueryError(
                    .wrongObjectType, "\"\(name.last)\" is not \(kind == .index ? "an index" : "a sequence")",
                    at: name.position, object: name.last)
            }
            throw QueryError(
                kind == .index ? .undefinedObject : .undefinedTable,
                "\(kind.rawValue) \"\(name.last)\" does not exist", at: name.position, object: name.last)
        }
        return found
    }

    /// The table whose constraint has that name, among those that the statement's names found.
    private func keyIndex(_ name: String) -> TableName? {
        relations.definitions.first { $0.value.keys.contains { $0.name == name && $0.kind != .index } }?.key
    }
}

extension SetSetting.Value {
    fileprivate var text: String {
        switch self {
        case .text(let text), .number(let text): text
        }
    }
}
