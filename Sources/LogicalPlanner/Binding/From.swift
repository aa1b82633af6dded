// FROM: tables, sub-queries, joins, and what they put in sight.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

/// A part of a FROM clause: its rows and what can be named.
struct FromItem {
    var plan: LogicalPlan
    var namespace: Namespace
}

extension StatementBinder {
    /// Binds the whole clause and puts it in the scope's sight.
    func bindFrom(_ references: [TableReference], _ scope: Scope) throws -> LogicalPlan {
        var result: FromItem?
        for reference in references {
            guard let left = result else {
                result = try bindReference(reference, scope, visible: Namespace())
                continue
            }
            let usesBefore = lateralUses
            let right = try bindReference(reference, scope, visible: left.namespace)
            let isDependent = lateralUses != usesBefore && refers(right.plan, to: left.plan)
            try refuseDuplicates(left.namespace, right.namespace, at: reference.position)
            result = FromItem(
                plan: join(.inner, left.plan, right.plan, on: .true, isDependent: isDependent),
                namespace: left.namespace + right.namespace)
        }
        scope.namespace = result?.namespace ?? Namespace()
        return result?.plan ?? Self.unitPlan
    }

    private func refers(_ plan: LogicalPlan, to left: LogicalPlan) -> Bool {
        !plan.freeColumns.isDisjoint(with: left.columnIDs)
    }

    /// `visible`: what LATERAL items and functions see to their left.
    private func bindReference(_ reference: TableReference, _ scope: Scope, visible: Namespace) throws -> FromItem {
        try nested(at: reference.position) {
            if let sample = reference.sample {
                var whole = reference
                whole.sample = nil
                return try sampled(bindReference(whole, scope, visible: visible), sample, reference, scope)
            }
            switch reference.kind {
            case .table(let name, _): return try bindNamedTable(name, alias: reference.alias, scope)
            case .file(let path):
                guard let relation = relations.byPath[path] else {
                    throw QueryError(
                        .undefinedFile, "file \"\(path)\" does not exist", at: reference.position, object: path)
                }
                return try bindRelation(
                    relation, name: Self.fileStem(path), alias: reference.alias, at: reference.position)
            case .query(let query, let isLateral):
                let parent = isLateral ? lateralScope(scope, visible) : scope.parent
                let bound = try bindSettledQuery(query, parent: parent, commonTables: scope.commonTables)
                return try item(bound, name: "", table: nil, alias: reference.alias, at: reference.position)
            case .function(let function):
                return try bindTableFunction(
                    function, alias: reference.alias, lateralScope(scope, visible), at: reference.position)
            case .join(let join):
                let bound = try bindJoin(join, scope, visible: visible)
                guard reference.alias != nil else { return bound }
                // An alias hides the names within.
                let query = BoundQuery(plan: bound.plan, columns: bound.namespace.columns)
                return try item(query, name: "", table: nil, alias: reference.alias, at: reference.position)
            }
        }
    }

    /// What a LATERAL item sees: the items to its left, then the queries around.
    private func lateralScope(_ scope: Scope, _ visible: Namespace) -> Scope {
        let lateral = Scope(
            parent: scope.parent, commonTables: scope.commonTables, select: scope.select, clause: .fromClause,
            isLateral: true)
        lateral.namespace = visible
        return lateral
    }

    /// `data/lineitem.parquet` is named `lineitem`.
    private static func fileStem(_ path: String) -> String {
        let file = path.split(separator: "/").last.map(String.init) ?? path
        return file.split(separator: ".").first.map(String.init) ?? file
    }

    // MARK: - Tables

    func bindNamedTable(_ name: ObjectName, alias: TableAlias?, _ scope: Scope) throws -> FromItem {
        if name.parts.count == 1, let table = scope.commonTables?.find(name.parts[0]) {
            let bound = try bindCommonTable(table, at: name.position)
            return try item(bound, name: name.last, table: nil, alias: alias, at: name.position)
        }
        return try bindRelation(try relation(name), name: name.last, alias: alias, at: name.position)
    }

    private func bindRelation(
        _ relation: ResolvedRelation, name: String, alias: TableAlias?, at position: SourcePosition
    ) throws -> FromItem {
        switch relation {
        case .view(let view, let query, let columnNames):
            let bound = try bindView(view, query, columnNames, at: position)
            return try item(traced(bound, of: view), name: name, table: view, alias: alias, at: position)
        case .table(let table, let schema):
            try countRelation(at: position)
            try refuseUnpopulated(table, at: position)
            noteTable(table)
            let columns = schema.fields.map { ids.column($0.name, $0.type, isNullable: $0.isNullable) }
            for (column, field) in zip(columns, schema.fields) { columnModifiers[column.id] = field.modifier }
            let scan = LogicalPlan.scan(
                LogicalScan(table: table, columns: columns, ordinals: Array(columns.indices)))
            var bound = BoundQuery(plan: scan, columns: columns.map { ScopeColumn($0) })
            if let definition = relations.definitions[table] {
                for (index, column) in definition.columns.enumerated() where index < bound.columns.count {
                    bound.columns[index].userType = column.userType
                }
            }
            return withTableIdentifier(
                try item(traced(bound, of: table), name: name, table: table, alias: alias, at: position), table)
        }
    }

    /// A relation under its name or alias.
    func item(
        _ query: BoundQuery, name: String, table: TableName?, alias: TableAlias?, at position: SourcePosition,
        isScalar: Bool = false
    ) throws -> FromItem {
        let relationName = alias?.name?.text ?? name
        let renamed = try self.renamed(query, alias?.columns ?? [], of: relationName)
        var relation = ScopeRelation(
            name: relationName, table: alias?.name == nil ? table : nil, columns: renamed.columns)
        var plan = query.plan
        if rowNames.contains(relationName), !isScalar {
            // Made here, below any outer join: the row of a side without a match is then NULL.
            let row = ids.column(relationName, .record(renamed.columns.map { Field(name: $0.name, type: $0.type) }))
            plan = withColumn(row, recordOf(renamed.columns.map(\.reference), type: row.type), plan)
            relation.row = ScopeColumn(row)
        }
        return FromItem(plan: plan, namespace: Namespace(relations: [relation], columns: renamed.columns))
    }

    /// 42712 for a name used twice; two tables of different schemas may share theirs.
    private func refuseDuplicates(_ left: Namespace, _ right: Namespace, at position: SourcePosition) throws {
        for relation in right.relations where !relation.name.isEmpty {
            for other in left.relations where other.name == relation.name {
                if let first = relation.table, let second = other.table, first != second { continue }
                throw QueryError(
                    .duplicateAlias, "table name \"\(relation.name)\" specified more than once", at: position,
                    object: relation.name)
            }
        }
    }

    // MARK: - Joins

    /// A join node; a table function that uses the left side's columns is called for each of its rows directly.
    func join(
        _ kind: JoinKind, _ left: LogicalPlan, _ right: LogicalPlan, on condition: Expression, isDependent: Bool
    ) -> LogicalPlan {
        if isDependent, condition == .true, kind == .inner || kind == .left, case .tableFunction(var node) = right,
            node.input == Self.unitPlan
        {
            node.input = left
            node.isOuter = kind == .left
            return .tableFunction(node)
        }
        // A FROM clause that begins with a row of nothing adds nothing.
        if left == Self.unitPlan, kind == .inner, condition == .true { return right }
        return .join(
            LogicalJoin(kind: kind, condition: condition, left: left, right: right, isDependent: isDependent))
    }

    private func bindJoin(_ syntax: Join, _ scope: Scope, visible: Namespace) throws -> FromItem {
        let left = try bindReference(syntax.left, scope, visible: visible)
        let usesBefore = lateralUses
        let right = try bindReference(syntax.right, scope, visible: visible + left.namespace)
        let isDependent = lateralUses != usesBefore && refers(right.plan, to: left.plan)
        try refuseDuplicates(left.namespace, right.namespace, at: syntax.right.position)
        if isDependent, syntax.kind == .right || syntax.kind == .full {
            throw QueryError(
                .invalidColumnReference, "invalid reference to FROM-clause entry to the left of a LATERAL item",
                detail: "The combining JOIN type must be INNER or LEFT for a LATERAL reference.",
                at: syntax.right.position)
        }
        let kind: JoinKind
        switch syntax.kind {
        case .inner, .cross: kind = .inner
        case .left: kind = .left
        case .right: kind = .right
        case .full: kind = .full
        case .semi: kind = .semi
        case .anti: kind = .anti
        }
        switch syntax.condition {
        case .none:
            return FromItem(
                plan: join(kind, left.plan, right.plan, on: .true, isDependent: isDependent),
                namespace: left.namespace + right.namespace)
        case .on(let condition):
            let inner = Scope(
                parent: scope.parent, commonTables: scope.commonTables, select: scope.select, clause: .joinCondition)
            inner.namespace = left.namespace + right.namespace
            let predicate = try bindCondition(condition, inner, construct: "JOIN/ON")
            let namespace = kind == .semi || kind == .anti ? left.namespace : inner.namespace
            return FromItem(
                plan: join(kind, left.plan, right.plan, on: predicate, isDependent: isDependent), namespace: namespace)
        case .using(let names, let alias):
            return try joinUsing(names, alias: alias, kind, left, right, isDependent: isDependent, at: syntax.position)
        case .natural:
            let rightNames = Set(right.namespace.columns.map(\.name))
            let names = left.namespace.columns.filter { rightNames.contains($0.name) }.map {
                Identifier($0.name, at: syntax.position)
            }
            if viewDepth == 0 { naturalColumns[syntax.position.offset] = names.map(\.text) }
            return try joinUsing(names, alias: nil, kind, left, right, isDependent: isDependent, at: syntax.position)
        }
    }

    /// USING and NATURAL: equal columns appear once, before all others.
    private func joinUsing(
        _ names: [Identifier], alias: Identifier?, _ kind: JoinKind, _ left: FromItem, _ right: FromItem,
        isDependent: Bool, at position: SourcePosition
    ) throws -> FromItem {
        var tests: [Expression] = []
        var merged: [ScopeColumn] = []
        var extra: [(column: PlanColumn, expression: Expression)] = []
        var mergedIDs: Set<ColumnID> = []
        for (index, name) in names.enumerated() {
            if names[..<index].contains(where: { $0.text == name.text }) {
                throw QueryError(
                    SQLState("42701"), "column name \"\(name)\" appears more than once in USING clause",
                    at: name.position, object: name.text)
            }
            let first = try usingColumn(name, left.namespace, side: "left")
            let second = try usingColumn(name, right.namespace, side: "right")
            let (a, b) = try align(
                Operand(expression: first.reference, position: name.position),
                Operand(expression: second.reference, position: name.position), comparison: "=", at: name.position)
            tests.append(.comparison("=", a, b))
            mergedIDs.formUnion([first.id, second.id])
            if let trace, viewDepth == 0, trace.column != nil, first.isTraced || second.isTraced {
                trace.hasHiddenUses = true
            }
            let value: Expression
            switch kind {
            case .right: value = b
            case .full: value = .coalesce([a, b], type: a.type)
            default: value = a
            }
            if case .column(let id, let type) = value {
                merged.append(ScopeColumn(name: name.text, id: id, type: type))
            } else {
                let column = ids.column(name.text, value.type)
                extra.append((column, value))
                merged.append(ScopeColumn(column))
                if viewDepth == 0, alias == nil, let last = names.last {
                    let spelled = SyntaxPrinter.identifier(last.text) + ")"
                    mergedColumns[column.id] = last.position.offset + spelled.unicodeScalars.count
                }
            }
        }
        var plan = join(kind, left.plan, right.plan, on: .conjunction(tests), isDependent: isDependent)
        if !extra.isEmpty {
            let passed = plan.columns
            plan = .project(
                LogicalProject(
                    columns: passed + extra.map(\.column),
                    expressions: passed.map(\.reference) + extra.map(\.expression), input: plan))
        }
        let rest = (kind == .semi || kind == .anti ? left.namespace : left.namespace + right.namespace).columns
        var relations = left.namespace.relations
        if kind != .semi, kind != .anti { relations += right.namespace.relations }
        if let alias { relations.append(ScopeRelation(name: alias.text, table: nil, columns: merged)) }
        return FromItem(
            plan: plan,
            namespace: Namespace(relations: relations, columns: merged + rest.filter { !mergedIDs.contains($0.id) }))
    }

    private func usingColumn(_ name: Identifier, _ namespace: Namespace, side: String) throws -> ScopeColumn {
        let found = namespace.columns.filter { $0.name == name.text }
        if found.count > 1 {
            throw QueryError(
                .ambiguousColumn, "common column name \"\(name)\" appears more than once in \(side) table",
                at: name.position, object: name.text)
        }
        guard let column = found.first else {
            throw QueryError(
                .undefinedColumn, "column \"\(name)\" specified in USING clause does not exist in \(side) table",
                at: name.position, object: name.text)
        }
        return column
    }
}
