// Queries: WITH, set operations, VALUES, and ORDER BY and LIMIT over what is no plain SELECT.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

/// A bound query: `columns` are the plan's columns in order, under the names of the result. A column's type may still be
/// `unknown` when its expression is a literal or parameter without type; whoever uses the query settles it.
struct BoundQuery {
    var plan: LogicalPlan
    var columns: [ScopeColumn]

    /// A column as operand of type matching: the literal or parameter itself while its type is open.
    func openExpression(_ index: Int) -> Expression {
        if columns[index].type == .unknown {
            if case .project(let node) = plan, node.columns[index].id == columns[index].id {
                return node.expressions[index]
            }
            return .null(.unknown)
        }
        return columns[index].reference
    }
}

extension StatementBinder {
    static let unitPlan = LogicalPlan.values(LogicalValues(columns: [], rows: [[]]))

    /// A query whose columns all have types.
    func bindSettledQuery(_ query: Query, parent: Scope?, commonTables: CommonTableScope?) throws -> BoundQuery {
        try settled(try bindQuery(query, parent: parent, commonTables: commonTables))
    }

    func settled(_ query: BoundQuery) throws -> BoundQuery {
        var query = query
        for index in query.columns.indices where query.columns[index].type == .unknown {
            query = try retyped(query, index, to: .text, at: nil)
        }
        return query
    }

    func bindQuery(_ query: Query, parent: Scope?, commonTables: CommonTableScope?) throws -> BoundQuery {
        try nested(at: query.position) {
            if let locking = query.locking.first {
                throw QueryError.notSupported("FOR \(locking.strength.uppercased())", at: query.position)
            }
            guard let with = query.with else {
                return try bindWithoutCommonTables(query, parent: parent, commonTables: commonTables)
            }
            let declared = try declare(with, parent: parent, outer: commonTables)
            let result = try bindWithoutCommonTables(query, parent: parent, commonTables: declared.scope)
            // Those that nothing refers to must be right as well.
            try bindUnused(declared.tables)
            return result
        }
    }

    private func bindWithoutCommonTables(_ query: Query, parent: Scope?, commonTables: CommonTableScope?) throws
        -> BoundQuery
    {
        if case .select(let core) = query.body {
            return try bindSelect(core, clauses: query, parent: parent, commonTables: commonTables)
        }
        var bound = try bindBody(query.body, parent: parent, commonTables: commonTables)
        if query.orderBy.isEmpty, query.limit == nil, query.offset == nil { return bound }
        bound = try settled(bound)
        if !query.orderBy.isEmpty {
            var isSetOperation = false
            if case .setOperation = query.body { isSetOperation = true }
            let keys = try query.orderBy.flatMap { item in
                item.isEveryColumn
                    ? try bound.columns.map { try sortKey(item, $0.reference) }
                    : [
                        try outputSortKey(
                            item, bound, isSetOperation: isSetOperation, parent: parent, commonTables: commonTables)
                    ]
            }
            bound.plan = .sort(LogicalSort(keys: keys, input: bound.plan))
        }
        bound.plan = try bindLimit(query, over: bound.plan)
        return bound
    }

    func bindBody(_ body: QueryBody, parent: Scope?, commonTables: CommonTableScope?) throws -> BoundQuery {
        switch body {
        case .select(let core): return try bindSelect(core, clauses: nil, parent: parent, commonTables: commonTables)
        case .setOperation(let operation):
            return try nested(at: operation.position) {
                let left = try bindBody(operation.left, parent: parent, commonTables: commonTables)
                let right = try bindBody(operation.right, parent: parent, commonTables: commonTables)
                return try setOperation(operation, left, right)
            }
        case .values(let rows): return try bindValues(rows, parent: parent, commonTables: commonTables)
        case .table(let name):
            let scope = Scope(parent: parent, commonTables: commonTables, select: nil, clause: .fromClause)
            let item = try bindNamedTable(name, alias: nil, scope)
            let columns = item.namespace.columns.map { column in
                PlanColumn(id: column.id, name: column.name, type: column.type)
            }
            return BoundQuery(
                plan: projected(item.plan, columns, columns.map(\.reference)), columns: item.namespace.columns)
        case .nested(let query): return try bindQuery(query, parent: parent, commonTables: commonTables)
        }
    }

    // MARK: - ORDER BY and LIMIT

    /// A key over a result's own columns: an ordinal, a name, or an expression of names.
    private func outputSortKey(
        _ item: SortItem, _ query: BoundQuery, isSetOperation: Bool, parent: Scope?, commonTables: CommonTableScope?
    ) throws -> SortKey {
        let syntax = item.expression
        switch syntax.kind {
        case .literal(.integer(let ordinal)):
            guard ordinal >= 1, ordinal <= query.columns.count else {
                throw QueryError(
                    .invalidColumnReference, "ORDER BY position \(ordinal) is not in select list", at: syntax.position)
            }
            return try sortKey(item, query.columns[Int(ordinal) - 1].reference)
        default:
            if isSetOperation {
                guard case .column = syntax.kind else {
                    throw QueryError(
                        .featureNotSupported, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause",
                        detail: "Only result column names can be used, not expressions or functions.",
                        hint: "Add the expression/function to every SELECT, or move the UNION into a FROM clause.",
                        at: syntax.position)
                }
            }
            let scope = Scope(parent: parent, commonTables: commonTables, select: nil, clause: .orderBy)
            scope.namespace.columns = query.columns
            return try sortKey(item, bind(syntax, scope))
        }
    }

    func bindLimit(_ query: Query, over plan: LogicalPlan) throws -> LogicalPlan {
        if query.limit == nil, query.offset == nil { return plan }
        var count = try query.limit.map {
            try rowCount($0.count, "LIMIT", state: .invalidRowCountInLimitClause)
        }
        var offset = try query.offset.map {
            try rowCount($0, "OFFSET", state: .invalidRowCountInResultOffsetClause)
        }
        // LIMIT NULL is without limit.
        if count?.literal == .null { count = nil }
        if let value = offset?.literal, value == .null || value == .integer(0) { offset = nil }
        if count == nil, offset == nil { return plan }
        count = count.map(evaluatedOnce)
        offset = offset.map(evaluatedOnce)
        let withTies = query.limit?.withTies ?? false
        if count?.hasSubquery == true || offset?.hasSubquery == true {
            if withTies { throw QueryError.notSupported("WITH TIES with a sub-query", at: query.position) }
            return limitedByNumber(count, offset, plan)
        }
        if withTies, query.orderBy.isEmpty {
            throw QueryError(
                .syntaxError, "WITH TIES cannot be specified without ORDER BY clause", at: query.position)
        }
        return .limit(LogicalLimit(count: count, offset: offset, withTies: withTies, input: plan))
    }

    /// A volatile number of rows as a query of its own, so that it has one value.
    private func evaluatedOnce(_ value: Expression) -> Expression {
        guard value.isVolatile, !value.hasSubquery else { return value }
        let column = ids.column("rows", value.type)
        let plan = LogicalPlan.project(
            LogicalProject(columns: [column], expressions: [value], input: Self.unitPlan))
        return .subquery(SubqueryExpression(kind: .scalar, plan: plan, type: value.type))
    }

    /// LIMIT and OFFSET that only the query itself finds out: a filter over the rows' numbers.
    private func limitedByNumber(_ count: Expression?, _ offset: Expression?, _ plan: LogicalPlan) -> LogicalPlan {
        var keys: [SortKey] = []
        var input = plan
        if case .sort(let sort) = plan { (keys, input) = (sort.keys, sort.input) }
        func checked(_ value: Expression, isLimit: Bool) -> Expression {
            .call(
                ScalarCall(
                    name: "row count", arguments: [value, isLimit ? .true : .false], type: .int64, canFail: true))
        }
        let number = ids.column("number", .int64, isNullable: false)
        let call = WindowCall(name: "row_number", isAggregate: false, arguments: [], frame: WindowFrame(), type: .int64)
        var rows = LogicalPlan.window(
            LogicalWindow(partitions: [], ordering: keys, columns: [number], calls: [call], input: input))
        var tests: [Expression] = []
        var position = number.reference
        if let offset {
            let column = ids.column("offset", .int64)
            let value = Expression.coalesce(
                [checked(offset, isLimit: false), .literal(.integer(0), .int64)], type: .int64)
            rows = withColumn(column, value, rows)
            tests.append(.comparison(">", number.reference, column.reference))
            position = .call(
                ScalarCall(name: "-", arguments: [position, column.reference], type: .int64, canFail: true))
        }
        if let count {
            let column = ids.column("limit", .int64)
            rows = withColumn(column, checked(count, isLimit: true), rows)
            tests.append(.coalesce([.comparison("<=", position, column.reference), .true], type: .boolean))
        }
        rows = .filter(LogicalFilter(predicate: .conjunction(tests), input: rows))
        if !keys.isEmpty { rows = .sort(LogicalSort(keys: [SortKey(number.reference)], input: rows)) }
        let wanted = plan.columns
        return .project(LogicalProject(columns: wanted, expressions: wanted.map(\.reference), input: rows))
    }

    private func rowCount(_ syntax: SyntaxExpression, _ clause: String, state: SQLState) throws -> Expression {
        if case .column = syntax.kind {
            throw QueryError(
                .invalidColumnReference, "argument of \(clause) must not contain variables", at: syntax.position)
        }
        let scope = Scope(parent: nil, commonTables: nil, select: nil, clause: .limit)
        let bound = try bind(syntax, scope)
        let result = fold(try coerce(bound, to: .int64, context: .assignment, at: syntax.position))
        if let value = result.literal, value.isNegative(.int64) {
            throw QueryError(state, "\(clause) must not be negative", at: syntax.position)
        }
        return result
    }

    // MARK: - Changing types of a query's columns

    /// The query with one column converted. Literals and parameters are converted where they stand.
    func retyped(_ query: BoundQuery, _ index: Int, to type: DataType, at position: SourcePosition?) throws
        -> BoundQuery
    {
        var query = query
        let column = query.columns[index]
        if column.type == type { return query }
        switch query.plan {
        case .project(var node) where node.columns[index].id == column.id:
            if let converted = try convertedInPlace(node.expressions[index], to: type, at: position) {
                node.expressions[index] = converted
                node.columns[index].type = type
                query.plan = .project(node)
                query.columns[index].type = type
                return query
            }
        case .values(var node) where node.columns[index].id == column.id:
            let cells = try node.rows.map { try convertedInPlace($0[index], to: type, at: position) }
            if cells.allSatisfy({ $0 != nil }) {
                for (row, cell) in cells.enumerated() { node.rows[row][index] = cell ?? node.rows[row][index] }
                node.columns[index].type = type
                query.plan = .values(node)
                query.columns[index].type = type
                return query
            }
        default: break
        }
        var columns = query.plan.columns
        var expressions = columns.map(\.reference)
        expressions[index] = try convert(expressions[index], to: type, at: position)
        columns[index] = ids.column(column.name, type, isNullable: columns[index].isNullable)
        query.plan = .project(LogicalProject(columns: columns, expressions: expressions, input: query.plan))
        query.columns[index] = ScopeColumn(columns[index])
        return query
    }

    private func convertedInPlace(_ expression: Expression, to type: DataType, at position: SourcePosition?) throws
        -> Expression?
    {
        switch expression {
        case .literal: try exactLiteral(expression, as: type) ?? convert(expression, to: type, at: position)
        case .parameter: try convert(expression, to: type, at: position)
        default: nil
        }
    }

    // MARK: - Set operations

    private func setOperation(_ syntax: SetOperation, _ left: BoundQuery, _ right: BoundQuery) throws -> BoundQuery {
        let construct = syntax.kind.rawValue.uppercased()
        var left = left
        var right = right
        if syntax.byName { (left, right) = try matchedByName(left, right) }
        guard left.columns.count == right.columns.count else {
            throw QueryError(
                .syntaxError, "each \(construct) query must have the same number of columns", at: syntax.position)
        }
        for index in left.columns.indices {
            let operands = [left.openExpression(index), right.openExpression(index)].map {
                Operand(expression: $0, position: syntax.position)
            }
            let type = try shownType(operands, construct: construct)
            if syntax.kind != .union || !syntax.isAll { try checkComparable(type, at: syntax.position) }
            left = try retyped(left, index, to: type, at: syntax.position)
            right = try retyped(right, index, to: type, at: syntax.position)
        }
        let leftColumns = left.plan.columns
        let rightColumns = right.plan.columns
        let columns = left.columns.indices.map { index in
            ids.column(
                left.columns[index].name, left.columns[index].type,
                isNullable: leftColumns[index].isNullable || rightColumns[index].isNullable)
        }
        for (index, column) in columns.enumerated() where !columnModifiers.isEmpty {
            let modifiers = [leftColumns[index], rightColumns[index]].map { columnModifiers[$0.id] }
            if modifiers[0] == modifiers[1] { columnModifiers[column.id] = modifiers[0] }
        }
        let kind: LogicalSetOperation.Kind
        switch syntax.kind {
        case .union: kind = .union
        case .intersect: kind = .intersect
        case .except: kind = .except
        }
        let plan = LogicalPlan.setOperation(
            LogicalSetOperation(
                kind: kind, keepsDuplicates: syntax.isAll, columns: columns, left: left.plan, right: right.plan))
        return BoundQuery(plan: plan, columns: columns.map { ScopeColumn($0) })
    }

    /// BY NAME: both sides with the left's columns and then those that only the right has; missing ones are NULL.
    private func matchedByName(_ left: BoundQuery, _ right: BoundQuery) throws -> (BoundQuery, BoundQuery) {
        let leftNames = left.columns.map(\.name)
        let names = leftNames + right.columns.map(\.name).filter { !leftNames.contains($0) }
        func arranged(_ query: BoundQuery) -> BoundQuery {
            var columns: [PlanColumn] = []
            var expressions: [Expression] = []
            for name in names {
                if let index = query.columns.firstIndex(where: { $0.name == name }) {
                    columns.append(query.plan.columns[index])
                    expressions.append(query.columns[index].reference)
                } else {
                    columns.append(ids.column(name, .unknown))
                    expressions.append(.null(.unknown))
                }
            }
            let plan = LogicalPlan.project(
                LogicalProject(columns: columns, expressions: expressions, input: query.plan))
            return BoundQuery(
                plan: plan, columns: zip(columns, names).map { ScopeColumn(name: $1, id: $0.id, type: $0.type) })
        }
        return (arranged(left), arranged(right))
    }

    // MARK: - VALUES

    private func bindValues(_ rows: [[SyntaxExpression]], parent: Scope?, commonTables: CommonTableScope?) throws
        -> BoundQuery
    {
        let scope = Scope(parent: parent, commonTables: commonTables, select: nil, clause: .values)
        let width = rows.first?.count ?? 0
        var cells: [[Operand]] = []
        for row in rows {
            guard row.count == width else {
                throw QueryError(
                    .syntaxError, "VALUES lists must all be the same length", at: row.first?.position)
            }
            cells.append(try row.map { try operand($0, scope) })
        }
        var bound = Array(repeating: [Expression](), count: rows.count)
        var columns: [PlanColumn] = []
        for index in 0..<width {
            let (expressions, type) = try unify(cells.map { $0[index] }, construct: "VALUES")
            for (row, expression) in expressions.enumerated() { bound[row].append(expression) }
            columns.append(ids.column("column\(index + 1)", type))
        }
        return BoundQuery(plan: valuesPlan(columns, bound), columns: columns.map { ScopeColumn($0) })
    }

    /// Rows that use outer columns or sub-queries become a union of projections.
    func valuesPlan(_ columns: [PlanColumn], _ rows: [[Expression]]) -> LogicalPlan {
        let isPlain = rows.allSatisfy { $0.allSatisfy { $0.columns.isEmpty && !$0.hasSubquery } }
        if isPlain { return .values(LogicalValues(columns: columns, rows: rows)) }
        var result: LogicalPlan?
        for (index, row) in rows.enumerated() {
            let isLast = index == rows.count - 1
            let own = rows.count == 1 ? columns : ids.copies(of: columns)
            let plan = LogicalPlan.project(LogicalProject(columns: own, expressions: row, input: Self.unitPlan))
            guard let before = result else {
                result = plan
                continue
            }
            result = .setOperation(
                LogicalSetOperation(
                    kind: .union, keepsDuplicates: true, columns: isLast ? columns : ids.copies(of: columns),
                    left: before, right: plan))
        }
        return result ?? .values(LogicalValues(columns: columns, rows: []))
    }
}
