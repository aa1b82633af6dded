// MERGE: the rows of a source beside those of the target that they match, and what becomes of each pair.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

/// What MERGE does with a row, as the plan's number for it says.
package enum MergeAction: Int, Sendable {
    case nothing, insert, update, delete
}

extension StatementBinder {
    func bindMerge(_ merge: Merge) throws -> BoundModification {
        let target = try modificationTarget(merge.table, alias: merge.alias, action: "merge into")
        try requireIdentifiers(target, "MERGE", at: merge.position)
        try refuseUnreachable(merge.clauses)
        let with = try merge.with.map { try declare($0, parent: nil, outer: nil) }
        let scope = Scope(parent: nil, commonTables: with?.scope, select: SelectState(), clause: .fromClause)
        let source = try bindFrom([merge.source], scope)
        let sourceNames = scope.namespace
        let scan = identifiedScan(target)
        if sourceNames.relations.contains(where: { $0.name == target.name }) {
            throw QueryError(
                .duplicateAlias, "name \"\(target.name)\" specified more than once",
                detail: "The name is used both as MERGE target table and data source.",
                at: merge.source.position, object: target.name)
        }
        let scanned = relation(target, scan.row)
        scope.namespace = Namespace(relations: [scanned], columns: scanned.columns) + sourceNames
        scope.clause = .joinCondition
        let condition = try bindCondition(merge.condition, scope, construct: "MERGE ON")
        let insertsRows = merge.clauses.contains { !$0.isMatched }
        var plan = join(insertsRows ? .left : .inner, source, scan.plan, on: condition, isDependent: false)

        let identifier = insertsRows ? scan.identifier.nullable : scan.identifier
        let existing = insertsRows ? scan.row.map(\.nullable) : scan.row
        let own = relation(target, existing)
        let both = Namespace(relations: [own], columns: own.columns) + sourceNames
        let number = ids.column("clause", .int32)
        let chosen = try chosenClause(merge.clauses, identifier, both: both, source: sourceNames, scope)
        plan = .project(
            LogicalProject(
                columns: plan.columns + [number], expressions: plan.columns.map(\.reference) + [chosen], input: plan))

        var values: [[Expression]?] = []
        for clause in merge.clauses {
            switch clause.action {
            case .nothing, .delete: values.append(nil)
            case .update(let assignments):
                scope.namespace = both
                scope.clause = .update
                var assigned: [Int: Expression] = [:]
                plan = try bindAssignments(assignments, target, scope, plan: plan, into: &assigned)
                values.append(existing.indices.map { assigned[$0] ?? existing[$0].reference })
            case .insert(let columns, let overriding, let given):
                scope.namespace = sourceNames
                scope.clause = .values
                values.append(try insertedValues(columns, overriding, given, target, scope, at: clause.position))
            }
        }
        return try finish(
            .merge, target, mergedRows(target, plan, identifier, number, merge.clauses, values), returning: [], scope,
            with?.tables ?? [])
    }

    private func refuseUnreachable(_ clauses: [Merge.Clause]) throws {
        for isMatched in [true, false] {
            let same = clauses.filter { $0.isMatched == isMatched }
            guard let last = same.firstIndex(where: { $0.condition == nil }), last + 1 < same.count else { continue }
            throw QueryError(
                .syntaxError, "unreachable WHEN clause specified after unconditional WHEN clause",
                at: same[last + 1].position)
        }
    }

    /// The number of the first clause whose condition a row fulfils; NULL for none. A condition is evaluated only where
    /// those before it failed.
    private func chosenClause(
        _ clauses: [Merge.Clause], _ identifier: PlanColumn, both: Namespace, source: Namespace, _ scope: Scope
    ) throws -> Expression {
        func choice(_ isMatched: Bool) throws -> Expression {
            scope.namespace = isMatched ? both : source
            scope.clause = .whereClause
            var branches: [ConditionalBranch] = []
            for (index, clause) in clauses.enumerated() where clause.isMatched == isMatched {
                let condition = try clause.condition.map { try bindCondition($0, scope, construct: "WHEN") } ?? .true
                branches.append(
                    ConditionalBranch(condition: condition, result: .literal(.integer(Int64(index)), .int32)))
            }
            if branches.isEmpty { return .null(.int32) }
            return .conditional(branches, otherwise: .null(.int32), type: .int32)
        }
        let unmatched = try choice(false)
        return .conditional(
            [ConditionalBranch(condition: .isNull(identifier.reference), result: unmatched)],
            otherwise: try choice(true), type: .int32)
    }

    /// The new row of an INSERT clause: given values, and defaults for the rest.
    private func insertedValues(
        _ columns: [AssignmentTarget], _ overriding: String?, _ given: [SyntaxExpression]?,
        _ target: ModificationTarget,
        _ scope: Scope, at position: SourcePosition
    ) throws -> [Expression] {
        let inserted = try insertedColumns(columns, target)
        let given = given ?? []
        if given.count > inserted.count {
            throw QueryError(
                .syntaxError, "INSERT has more expressions than target columns", at: given[inserted.count].position)
        }
        if given.count < inserted.count, !columns.isEmpty {
            throw QueryError(
                .syntaxError, "INSERT has more target columns than expressions",
                at: columns[given.count].column.position)
        }
        var assigned = AssignedValues()
        for (place, syntax) in zip(inserted, given) {
            let ordinal = place.ordinal
            let column = target.definition.columns[ordinal]
            if let part = place.part {
                try refuseGiven(overriding, column, at: syntax.position)
                let value = try self.assigned(syntax, to: part, place.field, scope)
                try assigned.set(part, of: ordinal, over: .null(column.field.type), to: value, self, scope)
                continue
            }
            if case .defaultValue = syntax.kind { continue }
            try refuseGiven(overriding, column, at: syntax.position)
            if case .identity = column.source, overriding == "user" { continue }
            assigned.set(ordinal, to: try self.assigned(operand(syntax, scope), to: column))
        }
        let values = try assigned.finished(target, self)
        return try target.definition.columns.enumerated().map { try values[$0.offset] ?? defaultValue($0.element) }
    }

    /// The rows with their actions. Values of a clause are computed only for its rows.
    private func mergedRows(
        _ target: ModificationTarget, _ plan: LogicalPlan, _ identifier: PlanColumn, _ number: PlanColumn,
        _ clauses: [Merge.Clause], _ values: [[Expression]?]
    ) throws -> ModifiedRows {
        func branches(_ result: (Int) -> Expression?) -> [ConditionalBranch] {
            clauses.indices.compactMap { index in
                result(index).map { value in
                    ConditionalBranch(
                        condition: .comparison("=", number.reference, .literal(.integer(Int64(index)), .int32)),
                        result: value)
                }
            }
        }
        let action = ids.column("action", .int32)
        var columns = plan.columns + [action]
        var expressions = plan.columns.map(\.reference)
        expressions.append(
            .conditional(
                branches { .literal(.integer(Int64(clauses[$0].action.number.rawValue)), .int32) },
                otherwise: .literal(.integer(0), .int32), type: .int32))
        var row: [PlanColumn] = []
        for (ordinal, field) in target.fields.enumerated() {
            let column = ids.column(field.name, field.type)
            let cases = branches { values[$0]?[ordinal] }
            columns.append(column)
            expressions.append(
                cases.isEmpty
                    ? .null(field.type) : .conditional(cases, otherwise: .null(field.type), type: field.type))
            row.append(column)
        }
        var rows = ModifiedRows(
            plan: .project(LogicalProject(columns: columns, expressions: expressions, input: plan)),
            identifier: identifier, condition: action, row: row)
        try computeGenerated(target, &rows)
        return rows
    }
}

extension Merge.Action {
    fileprivate var number: MergeAction {
        switch self {
        case .nothing: .nothing
        case .insert: .insert
        case .update: .update
        case .delete: .delete
        }
    }
}
