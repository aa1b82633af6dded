// Common table expressions, recursive ones, and views.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

extension StatementBinder {
    /// The tables of a WITH clause, in sight one after the other.
    func declare(_ with: WithClause, parent: Scope?, outer: CommonTableScope?) throws
        -> (scope: CommonTableScope?, tables: [CommonTable])
    {
        let isTop = mayDeclareChanges
        mayDeclareChanges = false
        var scope = outer
        var tables: [CommonTable] = []
        for definition in with.isRecursive ? try Self.inOrderOfUse(with.tables) : with.tables {
            if tables.contains(where: { $0.definition.name == definition.name }) {
                throw QueryError(
                    .duplicateAlias, "WITH query name \"\(definition.name)\" specified more than once",
                    at: definition.name.position)
            }
            var isRecursive = false
            if with.isRecursive {
                var collector = RelationCollector()
                collector.visit(definition.body)
                isRecursive = collector.names.contains { $0.parts == [definition.name.text] }
            }
            let table = CommonTable(definition, environment: scope, parent: parent, isRecursive: isRecursive)
            try bindChange(table, isTop: isTop)
            tables.append(table)
            scope = CommonTableScope(table, parent: scope)
        }
        return (scope, tables)
    }

    /// The tables of WITH RECURSIVE, which may refer to ones that are written after them, each behind those that it uses.
    private static func inOrderOfUse(_ tables: [CommonTableExpression]) throws -> [CommonTableExpression] {
        let names = Set(tables.map(\.name.text))
        if names.count < tables.count { return tables }
        let uses = tables.map { table -> Set<String> in
            var collector = RelationCollector()
            collector.visit(table.body)
            let used = collector.names.compactMap { $0.parts.count == 1 ? $0.parts[0] : nil }
            return names.intersection(used).subtracting([table.name.text])
        }
        var result: [CommonTableExpression] = []
        var done: Set<String> = []
        while result.count < tables.count {
            let next = tables.indices.first { !done.contains(tables[$0].name.text) && uses[$0].isSubset(of: done) }
            guard let next else {
                let name = tables.first { !done.contains($0.name.text) }?.name
                throw QueryError(
                    .featureNotSupported, "mutual recursion between WITH items is not implemented", at: name?.position)
            }
            result.append(tables[next])
            done.insert(tables[next].name.text)
        }
        return result
    }

    /// A read of the table's query, or a fresh copy of it: each reference has columns of its own.
    func bindCommonTable(_ table: CommonTable, at position: SourcePosition) throws -> BoundQuery {
        table.referenceCount += 1
        try countRelation(at: position)
        if let result = table.result { return try readResult(result, of: table.definition, at: position) }
        guard let query = table.definition.query else { throw QueryError.internalError("a WITH query without rows") }
        if let working = table.workingTable {
            let columns = ids.copies(of: working.columns)
            let plan = LogicalPlan.workingTable(LogicalWorkingTable(workingTable: working.number, columns: columns))
            table.hiddenColumns = Array(columns.suffix(table.hiddenCount))
            return BoundQuery(plan: plan, columns: columns.dropLast(table.hiddenCount).map { ScopeColumn($0) })
        }
        if table.isBindingBase {
            throw QueryError(
                .invalidRecursion,
                "recursive reference to query \"\(table.definition.name)\" must not appear within its non-recursive term",
                at: position)
        }
        if !table.isRecursive, table.definition.search != nil || table.definition.cycle != nil {
            throw QueryError(
                .syntaxError, "WITH query is not recursive", at: table.definition.name.position)
        }
        if let shared = table.shared { return read(shared) }
        var bound =
            try table.isRecursive
            ? bindRecursive(table, query)
            : bindSettledQuery(query, parent: table.parent, commonTables: table.environment)
        bound = try renamed(bound, table.definition.columns, of: table.definition.name.text)
        table.shared = share(bound, table.definition.materialization)
        return table.shared.map(read) ?? bound
    }

    /// Common tables that nothing refers to must be right as well.
    func bindUnused(_ tables: [CommonTable]) throws {
        for table in tables where table.referenceCount == 0 && table.result == nil {
            _ = try bindCommonTable(table, at: table.definition.name.position)
        }
    }

    /// Columns under the names of a column list, which may be shorter.
    func renamed(_ query: BoundQuery, _ names: [Identifier], of table: String) throws -> BoundQuery {
        var query = query
        guard names.count <= query.columns.count else {
            throw QueryError(
                .invalidColumnReference,
                "table \"\(table)\" has \(query.columns.count) columns available but \(names.count) columns specified",
                at: names[query.columns.count].position)
        }
        for (index, name) in names.enumerated() {
            query.columns[index].name = name.text
            query.columns[index].isTraced = false
        }
        return query
    }

    private func bindRecursive(_ table: CommonTable, _ query: Query) throws -> BoundQuery {
        let name = table.definition.name
        guard case .setOperation(let operation) = query.body, operation.kind == .union, !operation.byName else {
            throw QueryError(
                .invalidRecursion,
                "recursive query \"\(name)\" does not have the form non-recursive-term UNION [ALL] recursive-term",
                at: name.position)
        }
        if let item = query.orderBy.first {
            throw QueryError.notSupported("ORDER BY in a recursive query", at: item.expression.position)
        }
        if query.limit != nil || query.offset != nil {
            throw QueryError.notSupported("LIMIT in a recursive query", at: query.position)
        }
        var environment = table.environment
        if let with = query.with { environment = try declare(with, parent: table.parent, outer: environment).scope }

        let guarded = CommonTable(
            table.definition, environment: environment, parent: table.parent, isRecursive: true)
        guarded.isBindingBase = true
        let baseScope = CommonTableScope(guarded, parent: environment)
        var base = try settled(bindBody(operation.left, parent: table.parent, commonTables: baseScope))
        base = try renamed(base, table.definition.columns, of: name.text)
        // Decimals may grow with each step.
        for index in base.columns.indices where base.columns[index].type.isDecimal {
            base = try retyped(base, index, to: .anyNumeric, at: operation.position)
        }

        let traversal = try bindTraversal(table.definition, base)
        if let traversal { base = traversal.base(base) }

        let number = workingTableCount
        workingTableCount += 1
        let names = base.columns.map(\.name) + (traversal?.columns.map(\.name) ?? [])
        let workingColumns = zip(base.plan.columns, names).map { ids.column($1, $0.type) }
        let working = CommonTable(table.definition, environment: environment, parent: table.parent, isRecursive: true)
        working.workingTable = (number, workingColumns)
        working.hiddenCount = traversal?.columns.count ?? 0
        let stepScope = CommonTableScope(working, parent: environment)
        var step = try bindBody(operation.right, parent: table.parent, commonTables: stepScope)
        var collector = RelationCollector()
        collector.visit(operation.right)
        let referenceCount = collector.occurrences.count { $0.parts == [name.text] }
        if referenceCount > 1 || (traversal != nil && working.referenceCount > 1) {
            throw QueryError(
                .invalidRecursion, "recursive reference to query \"\(name)\" must not appear more than once",
                at: name.position)
        }
        // What a WITH query within the step makes of the working table is free.
        if collector.commonTableNames.isEmpty, let construct = Self.refusedRecursion(step.plan, number) {
            throw QueryError(
                .invalidRecursion, "recursive reference to query \"\(name)\" must not appear within \(construct)",
                at: name.position)
        }
        if traversal != nil { step = try carrying(working.hiddenColumns, step, at: operation.position) }
        guard step.columns.count == base.columns.count else {
            throw QueryError(
                .syntaxError, "each UNION query must have the same number of columns", at: operation.position)
        }
        for index in step.columns.indices {
            let (wanted, actual) = (base.columns[index].type, step.columns[index].type)
            guard TypeConversion.canCast(from: actual, to: wanted, context: .implicit) else {
                let names = (TypeConversion.displayName(wanted), TypeConversion.displayName(actual))
                throw QueryError(
                    .datatypeMismatch,
                    "recursive query \"\(name)\" column \(index + 1) has type \(names.0) in non-recursive term but type "
                        + "\(names.1) overall", hint: "Cast the output of the non-recursive term to the correct type.",
                    at: operation.position)
            }
            try refuseOtherModifier(
                base.columns[index], step.columns[index], index + 1, of: "\(name)", at: operation.position)
            step = try retyped(step, index, to: wanted, at: operation.position)
        }
        if let traversal { step = try traversal.step(step, working.hiddenColumns, self) }
        let columns = zip(base.plan.columns, names).map { ids.column($1, $0.type) }
        let plan = LogicalPlan.recursive(
            LogicalRecursive(
                workingTable: number, keepsDuplicates: operation.isAll, columns: columns, base: base.plan,
                step: step.plan))
        return BoundQuery(plan: plan, columns: columns.map { ScopeColumn($0) })
    }

    /// What the working table stands in, if its result is not known before the recursion ends.
    private static func refusedRecursion(_ plan: LogicalPlan, _ number: Int) -> String? {
        for (index, input) in plan.inputs.enumerated() where reads(input, number) {
            switch plan {
            case .aggregate(let aggregate) where !aggregate.aggregates.isEmpty:
                return "the input of an aggregate function"
            case .join(let join):
                switch join.kind {
                case .left where index == 1, .right where index == 0, .full: return "an outer join"
                default: break
                }
            case .setOperation(let operation) where operation.kind == .except && index == 1: return "EXCEPT"
            default: break
            }
            if let construct = refusedRecursion(input, number) { return construct }
        }
        return nil
    }

    private static func reads(_ plan: LogicalPlan, _ number: Int) -> Bool {
        if case .workingTable(let table) = plan { return table.workingTable == number }
        return plan.inputs.contains { reads($0, number) }
    }

    // MARK: - Views

    func bindView(_ name: TableName, _ query: Query, _ columnNames: [String]?, at position: SourcePosition) throws
        -> BoundQuery
    {
        try countRelation(at: position)
        viewDepth += 1
        var collector = RelationCollector()
        collector.visit(query)
        rowNames.formUnion(collector.rowNames)
        defer { viewDepth -= 1 }
        guard viewDepth <= 100 else {
            throw QueryError(
                .statementTooComplex, "views nest too deeply", detail: "View \"\(name.table)\" may refer to itself.",
                at: position, object: name.table)
        }
        do {
            var bound = try bindSettledQuery(query, parent: nil, commonTables: nil)
            if let columnNames {
                for (index, name) in columnNames.enumerated() where index < bound.columns.count {
                    bound.columns[index].name = name
                }
                // Columns that the view's tables got later are none of the view's.
                if bound.columns.count > columnNames.count, !columnNames.isEmpty {
                    let kept = Array(bound.plan.columns.prefix(columnNames.count))
                    bound.plan = projected(bound.plan, kept, kept.map(\.reference))
                    bound.columns = Array(bound.columns.prefix(columnNames.count))
                }
            }
            return bound
        } catch var error as QueryError {
            // The position lies in the view's text, not in the statement.
            error.position = position
            throw error
        }
    }
}
