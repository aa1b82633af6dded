// CREATE INDEX, sequences, COMMENT.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

extension StatementBinder {
    /// An index changes no result; a unique one is a rule, and only one over plain columns can be kept.
    func bindCreateIndex(_ create: CreateIndex) throws -> BoundStatement {
        let target = try modificationTarget(create.table, alias: nil, action: "create index on")
        let scope = Scope(parent: nil, commonTables: nil, select: nil, clause: .check)
        let row = target.fields.map { ids.column($0.name, $0.type) }
        let own = relation(target, row)
        scope.namespace = Namespace(relations: [own], columns: own.columns)
        var names: [String] = []
        var ordinals: [Int] = []
        for element in create.elements {
            if case .column(let parts) = element.kind, parts.count == 1 {
                let name = Identifier(parts[0], at: element.position)
                ordinals.append(try columnOrdinals([name], target.definition.schema, of: target.table)[0])
                names.append(parts[0])
            } else {
                _ = try bind(element, scope)
                names.append("expr")
            }
        }
        if let condition = create.whereClause { _ = try bindCondition(condition, scope, construct: "WHERE") }
        _ = try columnOrdinals(create.included, target.definition.schema, of: target.table)
        let builder = DefinitionBuilder(table: target.table, definition: target.definition)
        let taken = Set(
            catalog.objects.indexes.keys.filter {
                $0.catalog == target.table.catalog && $0.schema == target.table.schema
            }.map(\.table))
        var name = target.table
        name.table = create.name?.text ?? builder.constraintName(names, "idx", taken: taken)
        var definition = target.definition
        let exists = taken.contains(name.table) || definition.keys.contains { $0.name == name.table }
        if exists, !create.ifNotExists {
            throw QueryError(
                .duplicateTable, "relation \"\(name.table)\" already exists", at: create.name?.position,
                object: name.table)
        }
        if create.isUnique, !exists {
            if create.whereClause != nil {
                throw QueryError.notSupported("a unique index over a part of the rows", at: create.position)
            }
            guard ordinals.count == create.elements.count else {
                throw QueryError.notSupported("a unique index over expressions", at: create.position)
            }
            definition.keys.append(
                UniqueKey(name: name.table, kind: .index, columns: ordinals, nullsAreEqual: create.nullsAreEqual))
        }
        let index = IndexDefinition(
            table: target.table, isUnique: create.isUnique,
            elements: create.elements.map { SyntaxPrinter.text(of: $0) })
        return .createIndex(
            BoundIndex(name: name, index: index, definition: definition, ifNotExists: create.ifNotExists))
    }

    // MARK: - Sequences

    func bindCreateSequence(_ create: CreateSequence) throws -> BoundStatement {
        let name = try creationName(create.name, isTemporary: create.isTemporary)
        let settings = create.settings
        let type = try settings.type.map { try resolveType($0).type } ?? .int64
        guard type.isInteger else {
            throw QueryError(
                .invalidParameterValue, "sequence type must be smallint, integer, or bigint", at: create.position)
        }
        let options = Self.sequenceOptions(settings, type: type)
        try check(options, at: create.position)
        var owner: (TableName, String)?
        if let parts = settings.owner, parts.count > 1 {
            owner = (try ownerTable(Array(parts.dropLast()), at: create.position), parts[parts.count - 1])
        }
        return .sequence(.create(name, options, owner: owner, ifNotExists: create.ifNotExists))
    }

    private func ownerTable(_ parts: [String], at position: SourcePosition) throws -> TableName {
        try tableTarget(ObjectName(parts, at: position), action: "own").0
    }

    func check(_ options: SequenceOptions, at position: SourcePosition) throws {
        func refuse(_ message: String) -> QueryError { QueryError(.invalidParameterValue, message, at: position) }
        if options.increment == 0 { throw refuse("INCREMENT must not be zero") }
        if options.minimum >= options.maximum {
            throw refuse("MINVALUE (\(options.minimum)) must be less than MAXVALUE (\(options.maximum))")
        }
        if options.start < options.minimum {
            throw refuse("START value (\(options.start)) cannot be less than MINVALUE (\(options.minimum))")
        }
        if options.start > options.maximum {
            throw refuse("START value (\(options.start)) cannot be greater than MAXVALUE (\(options.maximum))")
        }
    }

    /// The sequence of a written name.
    func sequenceName(_ name: ObjectName) -> TableName? {
        let objects = catalog.objects
        let resolver = RelationResolver(catalog: catalog, session: session)
        return resolver.candidates(name.parts).first { objects.sequences[$0] != nil }
    }

    func bindAlterSequence(_ alter: AlterSequence) throws -> BoundStatement {
        guard let name = sequenceName(alter.name) else {
            if alter.ifExists { return .nothing(tag: "ALTER SEQUENCE", missing: alter.name.last) }
            throw undefinedRelation(alter.name)
        }
        switch alter.action {
        case .settings(let settings): return .sequence(.alter(name, settings))
        case .renameTo(let new):
            return .sequence(
                .rename(name, to: TableName(catalog: name.catalog, schema: name.schema, table: new.text)))
        case .setSchema(let schema):
            return .sequence(
                .rename(name, to: TableName(catalog: name.catalog, schema: schema.text, table: name.table)))
        case .ownerTo: return .sequence(.nothing)
        }
    }

    // MARK: - COMMENT

    func bindComment(_ comment: Comment) throws -> BoundStatement {
        let name = comment.name
        switch comment.object {
        case .table, .view:
            switch try relation(name) {
            case .table(let table, _):
                guard comment.object == .table else {
                    throw QueryError(.wrongObjectType, "\"\(name.last)\" is not a view", at: name.position)
                }
                return .comment(.relation(table), comment.text)
            case .view(let view, _, _):
                guard comment.object == .view else {
                    throw QueryError(.wrongObjectType, "\"\(name.last)\" is not a table", at: name.position)
                }
                return .comment(.relation(view), comment.text)
            }
        case .column:
            guard name.parts.count > 1 else {
                throw QueryError(.syntaxError, "column name must be qualified", at: name.position)
            }
            let owner = ObjectName(Array(name.parts.dropLast()), at: name.position)
            let scope = Scope(parent: nil, commonTables: nil, select: nil, clause: .fromClause)
            let item = try bindNamedTable(owner, alias: nil, scope)
            guard item.namespace.columns.contains(where: { $0.name == name.last }) else {
                throw QueryError(
                    .undefinedColumn, "column \"\(name.last)\" of relation \"\(owner.last)\" does not exist",
                    at: name.position, object: name.last)
            }
            let table: TableName
            switch try relation(owner) {
            case .table(let found, _), .view(let found, _, _): table = found
            }
            return .comment(.column(table, name.last), comment.text)
        case .schema:
            return .comment(
                .schema(catalog: name.schema ?? creationEntry.catalog, schema: name.last), comment.text)
        case .database: return .comment(.database(name.last), comment.text)
        case .sequence:
            guard let sequence = sequenceName(name) else { throw undefinedRelation(name) }
            return .comment(.relation(sequence), comment.text)
        case .index:
            let resolver = RelationResolver(catalog: catalog, session: session)
            let objects = catalog.objects
            guard let index = resolver.candidates(name.parts).first(where: { objects.indexes[$0] != nil }) else {
                throw undefinedRelation(name)
            }
            return .comment(.relation(index), comment.text)
        case .constraint:
            let owner = ObjectName(Array(name.parts.dropLast()), at: name.position)
            let target = try modificationTarget(owner, alias: nil, action: "comment on")
            guard target.definition.constraintNames.contains(name.last) else {
                throw QueryError(
                    .undefinedObject,
                    "constraint \"\(name.last)\" for table \"\(owner.last)\" does not exist", at: name.position,
                    object: name.last)
            }
            return .comment(.constraint(target.table, name.last), comment.text)
        }
    }
}
