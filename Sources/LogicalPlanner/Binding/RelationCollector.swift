// Finds the names of all relations that a statement refers to, so that they can be looked up before binding.

import Diagnostics
import SQLParser

/// Collects names in FROM, TABLE, INSERT and so on, sub-queries included. Names of common tables are among them: whether
/// a name means one is found out by the binder.
struct RelationCollector {
    private(set) var names: [ObjectName] = []
    private(set) var files: [(path: String, position: SourcePosition)] = []
    /// Names that may mean a whole row of a relation: `t` where a column may stand, and `t.*` within an expression.
    private(set) var rowNames: Set<String> = []
    private(set) var functionNames: Set<String> = []
    /// Whether a type is used whose values are names of the catalogue's objects.
    private(set) var usesObjectNames = false
    private var seen: Set<[String]> = []

    /// Every place where a relation is named.
    private(set) var occurrences: [ObjectName] = []
    /// Names that WITH gives somewhere.
    private(set) var commonTableNames: Set<[String]> = []

    mutating func add(_ name: ObjectName) {
        occurrences.append(name)
        if seen.insert(name.parts).inserted { names.append(name) }
    }

    mutating func visit(_ statement: Statement) {
        switch statement {
        case .query(let query): visit(query)
        case .explain(let explain): visit(explain.statement)
        case .insert(let insert):
            add(insert.table)
            visit(insert.with)
            visit(insert.columns)
            if case .query(let query) = insert.source { visit(query) }
            visit(insert.returning)
            if case .update(let assignments, let condition)? = insert.onConflict?.action {
                visit(assignments)
                visit(condition)
            }
        case .update(let update):
            add(update.table)
            visit(update.with)
            visit(update.assignments)
            update.from.forEach { visit($0) }
            visit(update.whereClause)
            visit(update.returning)
        case .delete(let delete):
            add(delete.table)
            visit(delete.with)
            delete.using.forEach { visit($0) }
            visit(delete.whereClause)
            visit(delete.returning)
        case .merge(let merge):
            add(merge.table)
            visit(merge.with)
            visit(merge.source)
            visit(merge.condition)
            for clause in merge.clauses {
                visit(clause.condition)
                switch clause.action {
                case .update(let assignments): visit(assignments)
                case .insert(let columns, _, let values):
                    visit(columns)
                    visit(values ?? [])
                case .delete, .nothing: break
                }
            }
        case .copy(let copy):
            switch copy.subject {
            case .table(let name, _): add(name)
            case .query(let query): visit(query)
            }
            visit(copy.whereClause)
        case .createTable(let create):
            add(create.name)
            for case .like(let name, _) in create.elements { add(name) }
            create.elements.forEach { visit($0) }
            if let query = create.query { visit(query) }
        case .createView(let create):
            add(create.name)
            visit(create.query)
        case .refresh(let refresh): add(refresh.name)
        case .createIndex(let create): add(create.table)
        case .defineType(let statement):
            if case .createComposite(let attributes) = statement.action {
                add(statement.name)
                for attribute in attributes where !StatementBinder.isBuiltIn(attribute.type.name.last) {
                    add(attribute.type.name)
                }
            }
        case .createSequence(let create):
            if let owner = create.settings.owner, owner.count > 1 {
                add(ObjectName(Array(owner.dropLast()), at: create.position))
            }
        case .alterTable(let alter):
            add(alter.name)
            for action in alter.actions {
                switch action {
                case .addColumn(let column, _): visit(.column(column))
                case .addConstraint(let constraint): visit(.constraint(constraint))
                default: break
                }
            }
        case .comment(let comment):
            switch comment.object {
            case .column, .constraint:
                if comment.name.parts.count > 1 {
                    add(ObjectName(Array(comment.name.parts.dropLast()), at: comment.name.position))
                }
            case .table, .view: add(comment.name)
            default: break
            }
        case .drop(let drop) where drop.object != .schema: drop.names.forEach { add($0) }
        case .truncate(let truncate): truncate.tables.forEach { add($0) }
        case .analyze(let analyze): analyze.tables.forEach { add($0.name) }
        case .describe(let describe), .summarize(let describe): visit(describe.query)
        case .show(let show): if case .columns(let name) = show.target { add(name) }
        case .declareCursor(let declare): visit(declare.query)
        case .prepare(let prepare): visit(prepare.statement)
        default: break
        }
    }

    private mutating func visit(_ assignments: [Assignment]) {
        for assignment in assignments {
            visit(assignment.targets)
            visit(assignment.value)
        }
    }

    /// Subscripts are expressions.
    private mutating func visit(_ targets: [AssignmentTarget]) {
        for target in targets {
            for case .subscripts(let subscripts) in target.steps { visit(subscripts.flatMap(\.bounds)) }
        }
    }

    mutating func visit(_ query: Query) {
        visit(query.with)
        visit(query.body)
        query.orderBy.forEach { visit($0.expression) }
        if let limit = query.limit { visit(limit.count) }
        if let offset = query.offset { visit(offset) }
    }

    mutating func visit(_ with: WithClause?) {
        with?.tables.forEach { table in
            commonTableNames.insert([table.name.text])
            visit(table.body)
        }
    }

    mutating func visit(_ body: CommonTableExpression.Body) {
        switch body {
        case .query(let query): visit(query)
        case .change(let statement): visit(statement)
        }
    }

    mutating func visit(_ body: QueryBody) {
        switch body {
        case .select(let select): visit(select)
        case .setOperation(let operation):
            visit(operation.left)
            visit(operation.right)
        case .values(let rows): rows.forEach { visit($0) }
        case .table(let name): add(name)
        case .nested(let query): visit(query)
        }
    }

    private mutating func visit(_ select: SelectCore) {
        if case .on(let keys) = select.distinct { visit(keys) }
        visit(select.items)
        select.from.forEach { visit($0) }
        visit(select.whereClause)
        select.groupBy?.elements.forEach { visit($0) }
        visit(select.having)
        select.windows.forEach { visit($0.specification) }
        visit(select.qualify)
    }

    /// The tables that foreign keys refer to.
    private mutating func visit(_ element: CreateTable.Element) {
        switch element {
        case .column(let column):
            if !StatementBinder.isBuiltIn(column.type.name.last) { add(column.type.name) }
            for constraint in column.constraints {
                if case .references(let target) = constraint.kind { add(target.table) }
            }
        case .constraint(let constraint):
            if case .foreignKey(_, let target) = constraint.kind { add(target.table) }
        case .like: break
        }
    }

    private mutating func visit(_ items: [SelectItem]) {
        for item in items {
            switch item.kind {
            case .expression(let expression, _), .fieldStar(let expression): visit(expression)
            case .star(let star): star.replace.forEach { visit($0.expression) }
            }
        }
    }

    private mutating func visit(_ element: GroupingElement) {
        switch element {
        case .expression(let expression): visit(expression)
        case .rollup(let members), .cube(let members): members.forEach { visit($0) }
        case .groupingSets(let elements): elements.forEach { visit($0) }
        case .set(let expressions): visit(expressions)
        case .empty: break
        }
    }

    private mutating func visit(_ reference: TableReference) {
        switch reference.kind {
        case .table(let name, _): add(name)
        case .file(let path):
            if !files.contains(where: { $0.path == path }) { files.append((path, reference.position)) }
        case .query(let query, _): visit(query)
        case .function(let function): function.members.forEach { visit($0.expression) }
        case .join(let join):
            visit(join.left)
            visit(join.right)
            if case .on(let condition) = join.condition { visit(condition) }
        }
    }

    private mutating func visit(_ window: WindowSpecification) {
        visit(window.partitionBy)
        window.orderBy.forEach { visit($0.expression) }
    }

    private mutating func note(_ expression: SyntaxExpression) {
        switch expression.kind {
        case .function(let call):
            functionNames.insert(call.name.last)
            note(call.name.last)
        case .cast(_, let type, _), .typedLiteral(let type, _):
            note(type.name.last)
            // The rows of a table are a type of its name.
            if !StatementBinder.isBuiltIn(type.name.last) { add(type.name) }
        default: break
        }
    }

    /// Types are called like functions, too.
    private mutating func note(_ typeName: String) {
        if typeName.hasPrefix("reg") || typeName.hasPrefix("_reg") { usesObjectNames = true }
    }

    private mutating func visit(_ expressions: [SyntaxExpression]) { expressions.forEach { visit($0) } }

    private mutating func visit(_ expression: SyntaxExpression?) {
        if let expression { visit(expression) }
    }

    mutating func visit(_ expression: SyntaxExpression) {
        switch expression.kind {
        case .column(let parts):
            if parts.count == 1 { rowNames.insert(parts[0]) }
            if parts.last == StatementBinder.tableIdentifierName {
                rowNames.insert(StatementBinder.tableIdentifierName)
                usesObjectNames = true
            }
        case .star(let qualifier):
            if let name = qualifier.last { rowNames.insert(name) }
        case .inQuery(let operand, let query, _):
            visit(operand)
            visit(query)
        case .exists(let query), .scalarQuery(let query), .arrayQuery(let query): visit(query)
        case .quantified(let comparison):
            visit(comparison.left)
            switch comparison.right {
            case .query(let query): visit(query)
            case .array(let array): visit(array)
            }
        default:
            note(expression)
            expression.directChildren.forEach { visit($0) }
        }
    }
}

extension Subscript {
    fileprivate var bounds: [SyntaxExpression] {
        switch self {
        case .index(let index): [index]
        case .slice(let lower, let upper): [lower, upper].compactMap { $0 }
        }
    }
}

extension SyntaxExpression {
    /// The operands as written; queries are not entered.
    var directChildren: [SyntaxExpression] {
        switch kind {
        case .literal, .typedLiteral, .column, .star, .parameter, .sessionValue, .defaultValue, .exists, .scalarQuery,
            .arrayQuery:
            []
        case .unary(_, let operand), .not(let operand), .isNull(let operand, _), .isTruth(let operand, _, _),
            .field(let operand, _), .cast(let operand, _, _), .collate(let operand, _), .inQuery(let operand, _, _):
            [operand]
        case .binary(_, let left, let right), .isDistinct(let left, let right, _), .nullIf(let left, let right):
            [left, right]
        case .atTimeZone(let value, let zone): [value, zone]
        case .and(let operands), .or(let operands), .array(let operands), .row(let operands, _),
            .coalesce(let operands), .greatest(let operands), .least(let operands), .grouping(let operands):
            operands
        case .between(let predicate): [predicate.value, predicate.low, predicate.high]
        case .inList(let operand, let list, _): [operand] + list
        case .like(let predicate):
            [predicate.value, predicate.pattern] + (predicate.escape.map { [$0] } ?? [])
        case .quantified(let comparison):
            if case .array(let array) = comparison.right { [comparison.left, array] } else { [comparison.left] }
        case .subscripts(let operand, let subscripts):
            [operand] + subscripts.flatMap(\.bounds)
        case .caseWhen(let expression):
            (expression.operand.map { [$0] } ?? []) + expression.branches.flatMap { [$0.when, $0.then] }
                + (expression.otherwise.map { [$0] } ?? [])
        case .function(let call):
            call.arguments.map(\.value) + (call.orderBy + call.withinGroup).map(\.expression)
                + (call.filter.map { [$0] } ?? []) + windowChildren(call.over)
        }
    }

    private func windowChildren(_ window: WindowReference?) -> [SyntaxExpression] {
        guard case .specification(let specification) = window else { return [] }
        return specification.partitionBy + specification.orderBy.map(\.expression)
    }
}
