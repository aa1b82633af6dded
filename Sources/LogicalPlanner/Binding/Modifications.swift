// UPDATE, DELETE and the parts that all statements that change rows share: new rows, checks, RETURNING.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

/// The table that a statement changes.
struct ModificationTarget {
    var table: TableName
    var definition: TableDefinition
    /// The name by which expressions call it.
    var name: String
    /// Whether the name may be qualified by a schema.
    var isAliased: Bool
    /// Views between the statement and the table, innermost first.
    var views: [ViewLevel] = []
    /// The columns that the statement sees: those of the outermost view, else the table's.
    var columns: [TargetColumn]

    init(table: TableName, definition: TableDefinition, name: String, isAliased: Bool) {
        self.table = table
        self.definition = definition
        self.name = name
        self.isAliased = isAliased
        columns = definition.columns.enumerated().map { TargetColumn(name: $1.field.name, ordinal: $0) }
    }

    var fields: [Field] { definition.columns.map(\.field) }
    /// The name of the view or table that the statement names.
    var relationName: String { relation.table }
    var relation: TableName { views.last?.name ?? table }

    /// A row's columns under the table's names; those of a query may have others.
    func named(_ row: [PlanColumn]) -> [ScopeColumn] {
        zip(fields, row).map { ScopeColumn(name: $0.name, id: $1.id, type: $1.type) }
    }
}

/// The rows that a statement makes, while it is bound.
struct ModifiedRows {
    var plan: LogicalPlan
    var identifier: PlanColumn?
    var condition: PlanColumn?
    /// The new row; for DELETE the old one, which only RETURNING reads.
    var row: [PlanColumn]
    var proposed: [[PlanColumn]] = []
    /// What RETURNING sees besides the row.
    var others = Namespace()
}

extension StatementBinder {
    func modificationTarget(_ name: ObjectName, alias: Identifier?, action: String) throws -> ModificationTarget {
        if case .view(let view, let query, _)? = relations.byName[name.parts], let action = ViewAction(rawValue: action)
        {
            return try viewTarget(view, query, alias: alias, written: name.last, action: action)
        }
        let (table, schema) = try tableTarget(name, action: action)
        return ModificationTarget(
            table: table, definition: relations.definitions[table] ?? TableDefinition(schema),
            name: alias?.text ?? name.last, isAliased: alias != nil)
    }

    func requireIdentifiers(_ target: ModificationTarget, _ statement: String, at position: SourcePosition)
        throws
    {
        guard relations.identified.contains(target.table) else {
            throw QueryError.notSupported(
                "\(statement) of a table in catalog \"\(target.table.catalog)\"", at: position)
        }
    }

    /// A scan of the target's table with its row identifiers.
    func identifiedScan(_ target: ModificationTarget) -> (plan: LogicalPlan, identifier: PlanColumn, row: [PlanColumn])
    {
        let row = target.fields.map { ids.column($0.name, $0.type, isNullable: $0.isNullable) }
        let identifier = ids.column("row identifier", .int64, isNullable: false)
        let scan = LogicalScan(
            table: target.table, columns: row + [identifier], ordinals: Array(0...row.count))
        return (.scan(scan), identifier, row)
    }

    func relation(_ target: ModificationTarget, _ row: [PlanColumn]) -> ScopeRelation {
        relation(target, target.named(row))
    }

    func relation(_ target: ModificationTarget, _ columns: [ScopeColumn]) -> ScopeRelation {
        var result = ScopeRelation(
            name: target.name, table: target.isAliased ? nil : target.relation, columns: columns)
        if target.views.isEmpty { result.tableIdentifier = tableIdentifier(target.table) }
        return result
    }

    // MARK: - UPDATE

    func bindUpdate(_ update: Update, within outer: CommonTableScope? = nil) throws -> BoundModification {
        let target = try modificationTarget(update.table, alias: update.alias, action: "update")
        try requireIdentifiers(target, "UPDATE", at: update.position)
        let with = try update.with.map { try declare($0, parent: nil, outer: outer) }
        let scope = Scope(parent: nil, commonTables: with?.scope ?? outer, select: SelectState(), clause: .fromClause)
        let scan = identifiedScan(target)
        let shown = try viewed(target, scan.row, over: scan.plan, filters: true)
        var plan = try joined(shown.plan, relation(target, shown.columns), update.from, scope)
        plan = try filtered(plan, update.whereClause, scope)

        scope.clause = .update
        var assigned: [Int: Expression] = [:]
        plan = try bindAssignments(update.assignments, target, scope, plan: plan, into: &assigned)
        let others = Namespace(
            relations: Array(scope.namespace.relations.dropFirst()),
            columns: Array(scope.namespace.columns.dropFirst(shown.columns.count)))
        let rows = try newRows(
            target, plan: plan, identifier: scan.identifier, old: scan.row, assigned: assigned, others: others)
        return try finish(.update, target, rows, returning: update.returning, scope, with?.tables ?? [])
    }

    /// The target beside the items of FROM or USING, all in the scope's sight.
    private func joined(
        _ plan: LogicalPlan, _ relation: ScopeRelation, _ references: [TableReference], _ scope: Scope
    ) throws -> LogicalPlan {
        let own = Namespace(relations: [relation], columns: relation.columns)
        guard !references.isEmpty else {
            scope.namespace = own
            return plan
        }
        let other = try bindFrom(references, scope)
        if let reference = references.first, scope.namespace.relations.contains(where: { $0.name == relation.name }) {
            throw QueryError(
                .duplicateAlias, "table name \"\(relation.name)\" specified more than once", at: reference.position,
                object: relation.name)
        }
        scope.namespace = own + scope.namespace
        return join(.inner, plan, other, on: .true, isDependent: false)
    }

    private func filtered(_ plan: LogicalPlan, _ condition: SyntaxExpression?, _ scope: Scope) throws -> LogicalPlan {
        guard let condition else { return plan }
        scope.clause = .whereClause
        let predicate = try bindCondition(condition, scope, construct: "WHERE")
        return predicate == .true ? plan : .filter(LogicalFilter(predicate: predicate, input: plan))
    }

    /// SET: values by ordinal, each of its column's type. A query that gives a row is joined to the plan.
    func bindAssignments(
        _ assignments: [Assignment], _ target: ModificationTarget, _ scope: Scope, plan: LogicalPlan,
        into assigned: inout [Int: Expression]
    ) throws -> LogicalPlan {
        var plan = plan
        var values = AssignedValues()
        for assignment in assignments {
            let places = try assignment.targets.map { try assignedPlace($0, target, scope, &values) }
            guard assignment.isRow else {
                try assign(assignment.value, to: places[0], target, scope, &values, at: places[0].position)
                continue
            }
            func requireCount(_ count: Int) throws {
                if count != places.count {
                    throw QueryError(
                        .syntaxError, "number of columns does not match number of values",
                        at: assignment.value.position)
                }
            }
            switch assignment.value.kind {
            case .row(let fields, _):
                try requireCount(fields.count)
                for (place, field) in zip(places, fields) {
                    try assign(field, to: place, target, scope, &values, at: field.position)
                }
            case .scalarQuery(let query):
                let bound = try bindSettledQuery(query, parent: scope, commonTables: scope.commonTables)
                try requireCount(bound.columns.count)
                let isDependent = !bound.plan.freeColumns.isDisjoint(with: plan.columnIDs)
                plan = .join(
                    LogicalJoin(
                        kind: .single, condition: .true, left: plan, right: bound.plan, isDependent: isDependent))
                for (place, column) in zip(places, bound.columns) {
                    try refuseComputed(target.definition.columns[place.ordinal], "updated", at: place.position)
                    let value = Operand(expression: column.reference, position: query.position)
                    try assign(value, to: place, target, scope, &values)
                }
            case .defaultValue where places.count == 1:
                try assign(
                    assignment.value, to: places[0], target, scope, &values, at: assignment.value.position)
            default:
                // `(a) = value` assigns a single value.
                guard places.count == 1 else {
                    throw QueryError.notSupported(
                        "assigning a row that is not written as one", at: assignment.value.position)
                }
                throw QueryError(
                    .syntaxError, "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression",
                    at: assignment.value.position)
            }
        }
        assigned = try values.finished(target, self)
        return plan
    }

    /// Where SET puts a value.
    private struct AssignedPlace {
        var ordinal: Int
        var target: AssignmentTarget
        /// For parts of a column: the value before, and what the steps lead to.
        var current: (column: Expression, part: Field)?
        var position: SourcePosition { target.column.position }
    }

    private func assignedPlace(
        _ assigned: AssignmentTarget, _ target: ModificationTarget, _ scope: Scope, _ values: inout AssignedValues
    ) throws -> AssignedPlace {
        let name = assigned.column
        let shown = try targetColumn(name, target)
        var place = AssignedPlace(ordinal: try assignedOrdinal(name, target, .update), target: assigned)
        guard values.claim(place.ordinal, isPart: !assigned.steps.isEmpty) else {
            throw QueryError(
                .syntaxError, "multiple assignments to same column \"\(name)\"", at: name.position, object: name.text)
        }
        if assigned.steps.isEmpty { return place }
        try refuseComputed(target.definition.columns[place.ordinal], "updated", at: name.position)
        guard let own = scope.namespace.relations.first, shown < own.columns.count else {
            throw QueryError.internalError("the table is not in scope")
        }
        place.current = (
            own.columns[shown].reference,
            try part(of: assigned, in: target.definition.columns[place.ordinal].field.type)
        )
        return place
    }

    private func assign(
        _ syntax: SyntaxExpression, to place: AssignedPlace, _ target: ModificationTarget, _ scope: Scope,
        _ values: inout AssignedValues, at position: SourcePosition
    ) throws {
        if case .defaultValue = syntax.kind {
            if place.current != nil { throw refusedDefault(place.target) }
            return values.set(
                place.ordinal, to: try updatedDefault(place.ordinal, target, at: syntax.position))
        }
        try refuseComputed(target.definition.columns[place.ordinal], "updated", at: position)
        try assign(operand(syntax, scope), to: place, target, scope, &values)
    }

    private func assign(
        _ value: Operand, to place: AssignedPlace, _ target: ModificationTarget, _ scope: Scope,
        _ values: inout AssignedValues
    ) throws {
        guard let (column, part) = place.current else {
            return values.set(place.ordinal, to: try assigned(value, to: target.definition.columns[place.ordinal]))
        }
        try values.set(
            place.target, of: place.ordinal, over: column, to: assigned(value, to: place.target, part), self, scope)
    }

    /// Only DEFAULT may be given for a column that is always generated.
    func refuseComputed(_ column: TableColumn, _ verb: String, at position: SourcePosition) throws {
        let kind: String
        switch column.source {
        case .generated, .store(_, .computed): kind = "a generated column"
        case .identity(always: true, _), .store(_, .refused): kind = "an identity column defined as GENERATED ALWAYS"
        default: return
        }
        throw QueryError(
            SQLState("428C9"), "column \"\(column.field.name)\" can only be \(verb) to DEFAULT",
            detail: "Column \"\(column.field.name)\" is \(kind).", at: position, object: column.field.name)
    }

    // MARK: - DELETE

    func bindDelete(_ delete: Delete, within outer: CommonTableScope? = nil) throws -> BoundModification {
        let target = try modificationTarget(delete.table, alias: delete.alias, action: "delete from")
        try requireIdentifiers(target, "DELETE", at: delete.position)
        let with = try delete.with.map { try declare($0, parent: nil, outer: outer) }
        let scope = Scope(parent: nil, commonTables: with?.scope ?? outer, select: SelectState(), clause: .fromClause)
        let scan = identifiedScan(target)
        let shown = try viewed(target, scan.row, over: scan.plan, filters: true)
        var plan = try joined(shown.plan, relation(target, shown.columns), delete.using, scope)
        plan = try filtered(plan, delete.whereClause, scope)
        let rows = ModifiedRows(
            plan: plan, identifier: scan.identifier, row: scan.row,
            others: Namespace(
                relations: Array(scope.namespace.relations.dropFirst()),
                columns: Array(scope.namespace.columns.dropFirst(shown.columns.count))))
        return try finish(.delete, target, rows, returning: delete.returning, scope, with?.tables ?? [])
    }

    // MARK: - New rows

    /// The row after assignments, generated columns computed from it.
    func newRows(
        _ target: ModificationTarget, plan: LogicalPlan, identifier: PlanColumn?, old: [PlanColumn],
        assigned: [Int: Expression], others: Namespace
    ) throws -> ModifiedRows {
        var columns: [PlanColumn] = []
        var row: [PlanColumn] = []
        var expressions: [Expression] = []
        // Others pass through: RETURNING and generated columns are computed above this projection.
        for column in plan.columns {
            columns.append(column)
            expressions.append(column.reference)
        }
        for (ordinal, field) in target.fields.enumerated() {
            if let value = assigned[ordinal] {
                let column = ids.column(field.name, field.type)
                columns.append(column)
                expressions.append(value)
                row.append(column)
            } else {
                row.append(old[ordinal])
            }
        }
        var result = ModifiedRows(
            plan: .project(LogicalProject(columns: columns, expressions: expressions, input: plan)),
            identifier: identifier, row: row, others: others)
        try computeGenerated(target, &result)
        return result
    }

    /// Computes GENERATED … STORED columns from the others of the row.
    func computeGenerated(_ target: ModificationTarget, _ rows: inout ModifiedRows) throws {
        var row = rows.row
        var added: [(PlanColumn, Expression)] = []
        for (ordinal, column) in target.definition.columns.enumerated() {
            guard case .generated(let text) = column.source else { continue }
            let value = try storedExpression(text, target, rows.row, clause: .generated)
            let result = ids.column(column.field.name, column.field.type)
            added.append((result, try assigned(value, to: column)))
            row[ordinal] = result
        }
        guard !added.isEmpty else { return }
        let input = rows.plan.columns
        rows.plan = .project(
            LogicalProject(
                columns: input + added.map(\.0), expressions: input.map(\.reference) + added.map(\.1),
                input: rows.plan))
        rows.row = row
    }

    /// An expression of the table's definition over a row of it.
    func storedExpression(_ text: String, _ target: ModificationTarget, _ row: [PlanColumn], clause: Clause) throws
        -> Operand
    {
        do {
            let syntax = try StatementParser.parseExpression(text)
            let scope = Scope(parent: nil, commonTables: nil, select: nil, clause: clause)
            // Expressions were written before the statement gave the table an alias.
            let columns = target.named(row)
            scope.namespace = Namespace(
                relations: [ScopeRelation(name: target.table.table, table: target.table, columns: columns)],
                columns: columns)
            return try operand(syntax, scope)
        } catch var error as QueryError {
            error.position = nil
            throw error
        }
    }

    /// What a column gets when a statement gives nothing.
    func defaultValue(_ column: TableColumn) throws -> Expression {
        var source = column.source
        if source == .given, let identifier = column.userType {
            source = domainDefault(identifier).map { .defaultExpression($0) } ?? .given
        }
        switch source {
        case .given:
            let null = Expression.null(column.field.type)
            guard let identifier = column.userType else { return null }
            return try typed(null, userType: identifier, at: nil)
        case .generated: return .null(column.field.type)
        case .defaultExpression(let text):
            do {
                let syntax = try StatementParser.parseExpression(text)
                let scope = Scope(parent: nil, commonTables: nil, select: nil, clause: .defaultExpression)
                return try assigned(operand(syntax, scope), to: column)
            } catch var error as QueryError {
                error.position = nil
                throw error
            }
        case .store(_, .computed): return .null(column.field.type)
        case .store(let text, _):
            throw QueryError(
                .featureNotSupported,
                "leaving the value of column \"\(column.field.name)\" to its store is not supported",
                detail: "The store computes \(text).", hint: "Give a value.", object: column.field.name)
        case .identity(_, let sequence):
            let name = [sequence.catalog, sequence.schema, sequence.table].map { SyntaxPrinter.identifier($0) }
            let next = try callScalar(
                "nextval",
                [
                    Operand(
                        expression: .literal(.string(name.joined(separator: ".")), .text),
                        position: SourcePosition(offset: 0))
                ], at: SourcePosition(offset: 0))
            return try convert(next, to: column.field.type, kind: .assignment, at: nil)
        }
    }

    // MARK: - Checks and RETURNING

    /// Puts the columns together that `BoundModification` promises.
    func finish(
        _ kind: BoundModification.Kind, _ target: ModificationTarget, _ rows: ModifiedRows, returning: [SelectItem],
        _ scope: Scope, _ commonTables: [CommonTable], conflict: BoundModification.Conflict? = nil
    ) throws -> BoundModification {
        var columns: [PlanColumn] = []
        var expressions: [Expression] = []
        func add(_ column: PlanColumn) {
            columns.append(ids.column(column.name, column.type, isNullable: column.isNullable))
            expressions.append(column.reference)
        }
        if let identifier = rows.identifier { add(identifier) }
        if let condition = rows.condition { add(condition) }
        var checks: [RowCheck] = []
        let shown = try viewed(target, rows.row, over: rows.plan)
        if kind != .delete {
            rows.row.forEach(add)
            rows.proposed.forEach { $0.forEach(add) }
            for check in target.definition.checks.sorted(by: { $0.name < $1.name }) {
                let value = try storedExpression(check.expression, target, rows.row, clause: .check)
                columns.append(ids.column(check.name, .boolean))
                expressions.append(try coerceToBoolean(value, construct: "CHECK"))
                checks.append(.constraint(check.name))
            }
            for check in viewChecks(target, shown) {
                columns.append(ids.column(check.view, .boolean))
                expressions.append(check.condition)
                checks.append(.viewOption(check.view))
            }
        }
        scope.clause = .returning
        let own = relation(target, shown.columns)
        scope.namespace = Namespace(relations: [own], columns: own.columns) + rows.others
        var names: [String] = []
        var types: [DataType] = []
        for (name, value) in try returning.flatMap({ try returned($0, scope) }) {
            let settled = try self.settled(value, at: nil)
            names.append(name)
            types.append(settled.type)
            columns.append(ids.column(name, settled.type))
            expressions.append(settled)
        }
        // Common tables that nothing refers to must be right as well.
        try bindUnused(commonTables)
        return BoundModification(
            kind: kind, table: target.table, definition: target.definition,
            plan: .project(LogicalProject(columns: columns, expressions: expressions, input: shown.plan)),
            hasIdentifier: rows.identifier != nil, hasCondition: rows.condition != nil,
            fieldCount: kind == .delete ? 0 : rows.row.count, conflict: conflict,
            proposedCounts: kind == .delete ? [] : rows.proposed.map(\.count), checks: checks,
            returningNames: names, returningTypes: types)
    }

    private func returned(_ item: SelectItem, _ scope: Scope) throws -> [(String, Expression)] {
        switch item.kind {
        case .expression(let syntax, let alias):
            return [(alias?.text ?? outputName(syntax), try bind(syntax, scope))]
        case .fieldStar: throw QueryError.notSupported("fields of composite values", at: item.position)
        case .star(let star):
            guard star.exclude.isEmpty, star.replace.isEmpty, star.rename.isEmpty else {
                throw QueryError.notSupported("EXCLUDE, REPLACE and RENAME in RETURNING", at: item.position)
            }
            if star.qualifier.isEmpty { return scope.namespace.columns.map { ($0.name, $0.reference) } }
            guard let (relation, _) = try findRelation(star.qualifier[...], scope, at: item.position) else {
                throw missingRelation(star.qualifier[...], at: item.position)
            }
            return relation.columns.map { ($0.name, $0.reference) }
        }
    }
}
