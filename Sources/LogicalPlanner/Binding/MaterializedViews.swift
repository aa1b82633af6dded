// Materialized views: a table with the rows that a view's query gave, and the view's definition beside it.

import Columnar
import Diagnostics
import QueryPlan
import SQLParser
import Storage

extension StatementBinder {
    /// What a materialized view keeps: as a view, and its rows.
    func materialized(_ create: CreateView, _ name: TableName, _ bound: BoundQuery, _ definition: ViewDefinition) throws
        -> BoundStatement
    {
        if definition.references.contains(where: { $0.schema == session.temporarySchema }) {
            throw QueryError(
                .featureNotSupported, "materialized views must not use temporary tables or views", at: create.position)
        }
        var definition = definition
        definition.materialization = ViewDefinition.Materialization(isPopulated: create.withData)
        return .createMaterializedView(
            name: name, definition, plan: bound.plan, columns: fields(bound), ifNotExists: create.ifNotExists)
    }

    func bindRefresh(_ refresh: Refresh) throws -> BoundStatement {
        guard let found = relations.byName[refresh.name.parts] else { throw undefinedRelation(refresh.name) }
        guard case .table(let name, _) = found, relations.materialized[name] != nil else {
            throw QueryError(
                .featureNotSupported, "\"\(refresh.name.last)\" is not a materialized view", at: refresh.name.position,
                object: refresh.name.last)
        }
        if refresh.isConcurrent {
            guard relations.materialized[name]?.isPopulated == true else {
                throw QueryError(
                    .featureNotSupported,
                    "CONCURRENTLY cannot be used when the materialized view is not populated",
                    at: refresh.name.position, object: name.table)
            }
            if !refresh.withData {
                throw QueryError(
                    .syntaxError, "REFRESH options CONCURRENTLY and WITH NO DATA cannot be used together",
                    at: refresh.name.position)
            }
            guard relations.definitions[name]?.keys.isEmpty == false else {
                throw QueryError(
                    .objectNotInPrerequisiteState,
                    "cannot refresh materialized view \"\(name.schema).\(name.table)\" concurrently",
                    hint: "Create a unique index with no WHERE clause on one or more columns of the materialized view.",
                    at: refresh.name.position, object: name.table)
            }
        }
        return .refresh(name, withData: refresh.withData)
    }

    /// Its rows come from its query alone.
    func refuseMaterialized(_ name: TableName, _ action: String, at position: SourcePosition) throws {
        guard relations.materialized[name] != nil else { return }
        switch action {
        case "insert into", "update", "delete from", "merge into":
            throw QueryError(
                .wrongObjectType, "cannot change materialized view \"\(name.table)\"", at: position, object: name.table)
        case "analyze", "own", "create index on", "comment on": return
        default:
            throw QueryError(
                .wrongObjectType, "\"\(name.table)\" is not a table", at: position, object: name.table)
        }
    }

    func refuseUnpopulated(_ name: TableName, at position: SourcePosition) throws {
        guard let materialization = relations.materialized[name], !materialization.isPopulated else { return }
        throw QueryError(
            .objectNotInPrerequisiteState, "materialized view \"\(name.table)\" has not been populated",
            hint: "Use the REFRESH MATERIALIZED VIEW command.", at: position, object: name.table)
    }
}
