// ON CONFLICT: the rows to insert beside the rows of the table that have the same keys.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

extension StatementBinder {
    /// The rows with what becomes of each: a row without a counterpart is inserted; one with a counterpart is left out (DO
    /// NOTHING) or changes it (DO UPDATE). Counterparts within the statement are found when the rows are written, so the
    /// rows are numbered and stay in their order.
    func resolveConflicts(
        _ conflict: OnConflict, _ target: ModificationTarget, _ rows: ModifiedRows, _ scope: Scope
    ) throws -> (ModifiedRows, BoundModification.Conflict) {
        guard relations.identified.contains(target.table) else {
            throw QueryError.notSupported(
                "ON CONFLICT for a table in catalog \"\(target.table.catalog)\"", at: conflict.position)
        }
        let keys = try arbiters(conflict, target)
        let number = ids.column("row number", .int64, isNullable: false)
        // EXCLUDED and the table's row are seen as the view shows them, be they among its rows or not.
        let excluded = try viewed(target, rows.row, over: rows.plan)
        var plan = numbered(excluded.plan, number)
        var identifiers: [PlanColumn] = []
        var existing: [PlanColumn] = []
        var shown: [ScopeColumn] = []
        for key in keys {
            let scan = identifiedScan(target)
            let tests = key.columns.map { ordinal -> Expression in
                .comparison("=", rows.row[ordinal].reference, scan.row[ordinal].reference)
            }
            let view = try viewed(target, scan.row, over: scan.plan)
            plan = join(.left, plan, view.plan, on: .conjunction(tests), isDependent: false)
            identifiers.append(scan.identifier.nullable)
            existing = scan.row.map(\.nullable)
            shown = view.columns
        }
        var result = rows
        result.proposed = keys.map { key in key.columns.map { rows.row[$0] } }
        switch conflict.action {
        case .doNothing:
            let isFree = identifiers.map { Expression.isNull($0.reference) }
            let condition = ids.column("takes part", .boolean)
            plan = ordered(plan, by: number)
            result.plan = .project(
                LogicalProject(
                    columns: plan.columns + [condition],
                    expressions: plan.columns.map(\.reference) + [isFree.count == 1 ? isFree[0] : .conjunction(isFree)],
                    input: plan))
            result.condition = condition
            return (result, .skip)
        case .update(let assignments, let condition):
            result.plan = plan
            result.identifier = identifiers.first
            return (
                try updatedRows(
                    assignments, condition, target, result, existing: existing, number: number,
                    own: relation(target, shown),
                    excluded: ScopeRelation(name: "excluded", table: nil, columns: excluded.columns), scope),
                .fail
            )
        }
    }

    private func updatedRows(
        _ assignments: [Assignment], _ condition: SyntaxExpression?, _ target: ModificationTarget,
        _ rows: ModifiedRows, existing: [PlanColumn], number: PlanColumn, own: ScopeRelation,
        excluded: ScopeRelation, _ outer: Scope
    ) throws -> ModifiedRows {
        guard let identifier = rows.identifier else { throw QueryError.internalError("ON CONFLICT without a key") }
        let scope = Scope(parent: nil, commonTables: outer.commonTables, select: SelectState(), clause: .update)
        // Names without a table are the table's.
        scope.namespace = Namespace(relations: [own, excluded], columns: own.columns)
        var assigned: [Int: Expression] = [:]
        var plan = try bindAssignments(assignments, target, scope, plan: rows.plan, into: &assigned)
        let isNew = Expression.isNull(identifier.reference)
        var takes = Expression.true
        if let condition {
            scope.clause = .whereClause
            takes = .or([isNew, try bindCondition(condition, scope, construct: "WHERE")])
        }
        plan = ordered(plan, by: number)
        var columns = plan.columns
        var expressions = columns.map(\.reference)
        var row: [PlanColumn] = []
        for (ordinal, field) in target.fields.enumerated() {
            let changed = assigned[ordinal] ?? existing[ordinal].reference
            let column = ids.column(field.name, field.type)
            columns.append(column)
            expressions.append(
                .conditional(
                    [ConditionalBranch(condition: isNew, result: rows.row[ordinal].reference)], otherwise: changed,
                    type: field.type))
            row.append(column)
        }
        let takesPart = ids.column("takes part", .boolean)
        var result = rows
        result.condition = takesPart
        result.row = row
        result.plan = .project(
            LogicalProject(columns: columns + [takesPart], expressions: expressions + [takes], input: plan))
        try computeGenerated(target, &result)
        return result
    }

    /// The keys whose conflicts are meant; 42P10 if the columns are none.
    private func arbiters(_ conflict: OnConflict, _ target: ModificationTarget) throws -> [UniqueKey] {
        let keys = target.definition.keys
        switch conflict.target {
        case nil: return keys
        case .constraint(let name):
            guard let key = keys.first(where: { $0.name == name.text && $0.kind != .index }) else {
                throw QueryError(
                    .undefinedObject,
                    "constraint \"\(name)\" for table \"\(target.table.table)\" does not exist", at: name.position,
                    object: name.text)
            }
            return [key]
        case .columns(let expressions, let condition):
            if condition != nil {
                throw QueryError.notSupported("a partial index in ON CONFLICT", at: conflict.position)
            }
            let ordinals = try expressions.map { expression -> Int in
                guard case .column(let parts) = expression.kind, parts.count == 1 else {
                    throw QueryError.notSupported("an expression as target of ON CONFLICT", at: expression.position)
                }
                let name = Identifier(parts[0], at: expression.position)
                return try arbiterOrdinal(name, target)
            }
            let matching = keys.filter { Set($0.columns) == Set(ordinals) }
            guard let first = matching.first else {
                throw QueryError(
                    SQLState("42P10"),
                    "there is no unique or exclusion constraint matching the ON CONFLICT specification",
                    at: conflict.position)
            }
            return [first]
        }
    }

    private func arbiterOrdinal(_ name: Identifier, _ target: ModificationTarget) throws -> Int {
        guard !target.views.isEmpty else {
            return try columnOrdinals([name], target.definition.schema, of: target.table)[0]
        }
        guard let column = target.columns.first(where: { $0.name == name.text }) else {
            throw QueryError(
                .undefinedColumn, "column \"\(name)\" does not exist", at: name.position, object: name.text)
        }
        guard let ordinal = column.ordinal else {
            throw QueryError(
                SQLState("42P10"),
                "there is no unique or exclusion constraint matching the ON CONFLICT specification",
                at: name.position)
        }
        return ordinal
    }

    /// The rows with their numbers, in the order in which they come.
    private func numbered(_ plan: LogicalPlan, _ number: PlanColumn) -> LogicalPlan {
        let frame = WindowFrame(unit: .rows)
        let call = WindowCall(
            name: "row_number", isAggregate: false, arguments: [], frame: frame, type: .int64)
        return .window(LogicalWindow(partitions: [], ordering: [], columns: [number], calls: [call], input: plan))
    }

    private func ordered(_ plan: LogicalPlan, by number: PlanColumn) -> LogicalPlan {
        .sort(
            LogicalSort(
                keys: [SortKey(number.reference)], input: plan))
    }
}
