// INSERT: the source's columns become the table's, with assignment casts, and defaults for those that are left out.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

extension StatementBinder {
    /// As a part of a larger statement its rows are counted and kept; else they may go straight to the table.
    func bindInsert(_ insert: Insert, within outer: CommonTableScope? = nil, isPart: Bool = false) throws
        -> BoundStatement
    {
        let target = try modificationTarget(insert.table, alias: insert.alias, action: "insert into")
        let table = target.table
        let inserted = try insertedColumns(insert.columns, target)
        let with = try insert.with.map { try declare($0, parent: nil, outer: outer) }
        let inSight = with?.scope ?? outer
        let source = try insertSource(insert, target, inserted, inSight)
        var rows = try insertedRows(insert, target, inserted, source, inSight)
        let scope = Scope(parent: nil, commonTables: inSight, select: SelectState(), clause: .returning)
        if let conflict = insert.onConflict {
            let (resolved, action) = try resolveConflicts(conflict, target, rows, scope)
            return .modify(
                try finish(
                    .insert, target, resolved, returning: insert.returning, scope, with?.tables ?? [],
                    conflict: action))
        }
        let isPlain =
            !isPart && steps.isEmpty && insert.returning.isEmpty && target.definition.checks.isEmpty
            && target.definition.foreignKeys.isEmpty && target.views.allSatisfy { $0.definition.checkOption == nil }
        guard isPlain else {
            return .modify(
                try finish(.insert, target, rows, returning: insert.returning, scope, with?.tables ?? []))
        }
        // Rows that nothing is to be known about but their number go to the table on the shortest way.
        try bindUnused(with?.tables ?? [])
        rows.plan = projected(rows.plan, rows.row, rows.row.map(\.reference))
        return .insert(
            .write(
                LogicalWrite(
                    target: .insert(table), countColumn: ids.column("count", .int64, isNullable: false),
                    input: rows.plan)))
    }

    /// The source's columns and defaults in the order of the table's columns.
    private func insertedRows(
        _ insert: Insert, _ target: ModificationTarget, _ inserted: [InsertedColumn], _ source: BoundQuery,
        _ commonTables: CommonTableScope?
    ) throws -> ModifiedRows {
        var columns: [PlanColumn] = []
        var expressions: [Expression] = []
        if !target.views.isEmpty {
            try refuseRepeated(inserted.prefix(source.columns.count), target, at: insert.position)
        }
        let composed = try composedColumns(inserted, target, source, commonTables)
        for (ordinal, column) in target.definition.columns.enumerated() {
            let field = column.field
            var given = inserted.firstIndex { $0.ordinal == ordinal }.flatMap { $0 < source.columns.count ? $0 : nil }
            if case .identity = column.source, insert.overriding == "user" { given = nil }
            if let value = composed[ordinal] {
                columns.append(ids.column(field.name, field.type))
                expressions.append(value)
            } else if let given {
                columns.append(source.plan.columns[given])
                expressions.append(source.columns[given].reference)
            } else {
                let value = try insertedDefault(ordinal, target, at: insert.position)
                if !field.isNullable, value.literal == .null, !column.isGenerated {
                    throw QueryError(
                        .notNullViolation,
                        "null value in column \"\(field.name)\" of relation \"\(target.table.table)\" violates "
                            + "not-null constraint", at: insert.position, object: field.name)
                }
                columns.append(ids.column(field.name, field.type))
                expressions.append(value)
            }
        }
        var rows = ModifiedRows(plan: projected(source.plan, columns, expressions), row: columns)
        try computeGenerated(target, &rows)
        return rows
    }

    /// Columns of which the statement gives parts, put together from nothing.
    private func composedColumns(
        _ inserted: [InsertedColumn], _ target: ModificationTarget, _ source: BoundQuery,
        _ commonTables: CommonTableScope?
    ) throws -> [Int: Expression] {
        guard inserted.contains(where: { $0.part != nil }) else { return [:] }
        let scope = Scope(parent: nil, commonTables: commonTables, select: nil, clause: .values)
        var values = AssignedValues()
        for (column, given) in zip(inserted, source.columns) {
            guard let part = column.part else { continue }
            try values.set(
                part, of: column.ordinal, over: .null(target.fields[column.ordinal].type), to: given.reference, self,
                scope)
        }
        return try values.finished(target, self)
    }

    /// The table's columns by name, all of them without names.
    func columnOrdinals(_ names: [Identifier], _ schema: Schema, of table: TableName) throws -> [Int] {
        if names.isEmpty { return Array(schema.fields.indices) }
        var ordinals: [Int] = []
        for name in names {
            guard let ordinal = schema.index(of: name.text) else {
                throw QueryError(
                    .undefinedColumn, "column \"\(name)\" of relation \"\(table.table)\" does not exist",
                    at: name.position, object: name.text)
            }
            if ordinals.contains(ordinal) {
                throw QueryError(
                    .duplicateColumn, "column \"\(name)\" specified more than once", at: name.position,
                    object: name.text)
            }
            ordinals.append(ordinal)
        }
        return ordinals
    }

    /// The rows to insert, each column already of its target's type.
    private func insertSource(
        _ insert: Insert, _ target: ModificationTarget, _ inserted: [InsertedColumn],
        _ commonTables: CommonTableScope?
    ) throws -> BoundQuery {
        guard case .query(let query) = insert.source else {
            // DEFAULT VALUES: no column is given.
            return BoundQuery(plan: Self.unitPlan, columns: [])
        }
        let isPlainValues =
            query.with == nil && query.orderBy.isEmpty && query.limit == nil && query.offset == nil
        if case .values(let rows) = query.body, isPlainValues {
            return try insertValues(rows, insert, target, inserted, commonTables)
        }
        var bound = try bindQuery(query, parent: nil, commonTables: commonTables)
        try checkCount(bound.columns.count, insert, target, inserted, at: query.position)
        for index in bound.columns.indices {
            let field = inserted[index].field
            let column = target.definition.columns[inserted[index].ordinal]
            try refuseGiven(insert.overriding, column, at: query.position)
            let value = Operand(expression: bound.openExpression(index), position: query.position)
            let converted = try assigned(value, to: inserted[index], target)
            if converted == bound.columns[index].reference { continue }
            let isTyped = inserted[index].part == nil && column.userType != nil || field.modifier != nil
            if !isTyped, value.type == .unknown || value.expression.isLiteral {
                bound = try retyped(bound, index, to: field.type, at: query.position)
            } else {
                var columns = bound.plan.columns
                var expressions = columns.map(\.reference)
                expressions[index] = converted
                columns[index] = ids.column(field.name, field.type)
                bound.plan = .project(LogicalProject(columns: columns, expressions: expressions, input: bound.plan))
                bound.columns[index] = ScopeColumn(columns[index])
            }
        }
        return bound
    }

    private func checkCount(
        _ count: Int, _ insert: Insert, _ target: ModificationTarget, _ inserted: [InsertedColumn],
        at position: SourcePosition
    ) throws {
        if count > inserted.count {
            if insert.columns.isEmpty, count <= target.columns.count {
                throw notAssignable(target.columns[inserted.count].name, target, .insert, at: position)
            }
            throw QueryError(.syntaxError, "INSERT has more expressions than target columns", at: position)
        }
        // Without a column list fewer values are allowed; the rest is NULL.
        if count < inserted.count, !insert.columns.isEmpty {
            throw QueryError(
                .syntaxError, "INSERT has more target columns than expressions",
                at: insert.columns[count].column.position)
        }
    }

    private func insertValues(
        _ rows: [[SyntaxExpression]], _ insert: Insert, _ target: ModificationTarget, _ inserted: [InsertedColumn],
        _ commonTables: CommonTableScope?
    ) throws -> BoundQuery {
        let scope = Scope(parent: nil, commonTables: commonTables, select: nil, clause: .values)
        let width = rows.first?.count ?? 0
        var bound: [[Expression]] = []
        for row in rows {
            guard row.count == width else {
                throw QueryError(.syntaxError, "VALUES lists must all be the same length", at: row.first?.position)
            }
            try checkCount(
                width, insert, target, inserted,
                at: row.indices.contains(inserted.count)
                    ? row[inserted.count].position : row.first?.position ?? insert.position)
            var cells: [Expression] = []
            for (index, syntax) in row.enumerated() {
                let (field, ordinal) = (inserted[index].field, inserted[index].ordinal)
                let column = target.definition.columns[ordinal]
                if case .defaultValue = syntax.kind {
                    if let part = inserted[index].part { throw refusedDefault(part) }
                    cells.append(try insertedDefault(ordinal, target, at: syntax.position))
                    if column.isGenerated { continue }
                } else {
                    try refuseGiven(insert.overriding, column, at: syntax.position)
                    cells.append(try assigned(operand(syntax, scope), to: inserted[index], target))
                }
                if !field.isNullable, inserted[index].part == nil, cells[index].literal == .null {
                    throw QueryError(
                        .notNullViolation,
                        "null value in column \"\(field.name)\" of relation \"\(target.table.table)\" violates "
                            + "not-null constraint", at: syntax.position, object: field.name)
                }
            }
            bound.append(cells)
        }
        let columns = (0..<width).map { ids.column(inserted[$0].field.name, inserted[$0].field.type) }
        return BoundQuery(plan: valuesPlan(columns, bound), columns: columns.map { ScopeColumn($0) })
    }

    private func assigned(_ value: Operand, to inserted: InsertedColumn, _ target: ModificationTarget) throws
        -> Expression
    {
        if let part = inserted.part { return try assigned(value, to: part, inserted.field) }
        return try assigned(value, to: target.definition.columns[inserted.ordinal])
    }

    /// A value for a column that makes its own is an error, unless OVERRIDING says what to do with it.
    func refuseGiven(_ overriding: String?, _ column: TableColumn, at position: SourcePosition) throws {
        switch column.source {
        case .identity(always: true, _) where overriding == nil, .store(_, .refused) where overriding == nil:
            throw QueryError(
                SQLState("428C9"), "cannot insert a non-DEFAULT value into column \"\(column.field.name)\"",
                detail: "Column \"\(column.field.name)\" is an identity column defined as GENERATED ALWAYS.",
                hint: "Use OVERRIDING SYSTEM VALUE to override.", at: position, object: column.field.name)
        case .generated, .store(_, .computed):
            throw QueryError(
                SQLState("428C9"), "cannot insert a non-DEFAULT value into column \"\(column.field.name)\"",
                detail: "Column \"\(column.field.name)\" is a generated column.", at: position,
                object: column.field.name)
        default: return
        }
    }

    /// A value as it is stored in a column: 42804 if its type does not go there, 22001 if a text is too long.
    func assigned(_ value: Operand, to field: Field) throws -> Expression {
        if case .literal(let literal, let type) = value.expression, type.isString, let text = literal.text {
            try checkLength(text, field.type, at: value.position)
        }
        if let modifier = field.modifier {
            if let read = try intervalRead(value, field.type, modifier) { return read }
            var plain = field
            plain.modifier = nil
            return try limited(assigned(value, to: plain), field.type, modifier, at: value.position)
        }
        if value.type == field.type { return value.expression }
        guard TypeConversion.canCast(from: value.type, to: field.type, context: .assignment) else {
            let names = (TypeConversion.displayName(field.type), TypeConversion.displayName(value.type))
            throw QueryError(
                .datatypeMismatch,
                "column \"\(field.name)\" is of type \(names.0) but expression is of type \(names.1)",
                hint: "You will need to rewrite or cast the expression.", at: value.position, object: field.name)
        }
        if let exact = exactLiteral(value.expression, as: field.type) { return exact }
        return try convert(value.expression, to: field.type, kind: .assignment, at: value.position)
    }

    /// Only blanks may be cut off.
    private func checkLength(_ text: String, _ type: DataType, at position: SourcePosition) throws {
        let limit: Int
        switch type {
        case .varchar(let length?): limit = length
        case .char(let length): limit = length
        default: return
        }
        let scalars = text.unicodeScalars
        guard scalars.count > limit, scalars.dropFirst(limit).contains(where: { $0 != " " }) else { return }
        throw QueryError(.stringDataRightTruncation, "value too long for type \(type.sqlName)", at: position)
    }
}

/// A column that an INSERT gives values for, or a part of one.
struct InsertedColumn {
    var ordinal: Int
    /// The column, or what the steps behind its name lead to.
    var field: Field
    var part: AssignmentTarget?
}

extension TableColumn {
    var isGenerated: Bool {
        switch source {
        case .generated, .store(_, .computed): true
        default: false
        }
    }
}
