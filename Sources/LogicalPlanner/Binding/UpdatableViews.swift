// Views through which rows are changed: which ones are updatable, how a row of the table looks through them, and what
// WITH CHECK OPTION asks of new rows.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

/// A view between a statement and the table whose rows it changes.
struct ViewLevel {
    var name: TableName
    var definition: ViewDefinition
    var core: SelectCore
    /// How the view's query calls the table or view that it reads, and its columns.
    var innerName: String
    var innerTable: TableName?
    var innerColumnAliases: [Identifier]
    /// For each of the view's columns its ordinal in the table; `nil` for one that is computed.
    var ordinals: [Int?] = []

    func columnName(_ index: Int, _ own: String) -> String {
        guard let names = definition.columnNames, index < names.count else { return own }
        return names[index]
    }

    /// A column's own default, by the column's ordinal in the table.
    func defaultExpression(_ ordinal: Int) -> String? {
        for (index, own) in ordinals.enumerated() where own == ordinal {
            guard let name = definition.columnNames.flatMap({ index < $0.count ? $0[index] : nil }) else { continue }
            if let text = definition.columnDefaults[name] { return text }
        }
        return nil
    }
}

/// A column that a statement may name in its target.
struct TargetColumn {
    var name: String
    /// In the table; `nil` for a column that a view computes.
    var ordinal: Int?
}

/// What a statement does to a view's rows.
enum ViewAction: String {
    case insert = "insert into"
    case update = "update"
    case delete = "delete from"

    /// As in "cannot insert into column".
    var verb: String { self == .update ? "update" : "insert into" }
}

/// A row of a table as the views over it show it.
struct ViewedRow {
    var plan: LogicalPlan
    /// The columns of the outermost view.
    var columns: [ScopeColumn]
    /// The condition of each view, innermost first.
    var conditions: [Expression?]
}

extension Binder {
    /// Which columns of a view can be assigned; `nil` if rows cannot be changed through it.
    package func updatableColumns(ofView name: TableName) async -> [Bool]? {
        guard let view = catalog.view(name), let query = try? StatementParser.parseQuery(view.query) else { return nil }
        var collector = RelationCollector()
        collector.visit(query)
        let resolver = RelationResolver(catalog: catalog, session: session)
        guard let relations = try? await resolver.resolve(collector) else { return nil }
        let binder = StatementBinder(
            catalog: catalog, registry: registry, session: session, relations: relations, rowNames: collector.rowNames)
        let target = try? binder.viewTarget(name, query, alias: nil, written: name.table, action: .delete)
        return target.map { $0.columns.map { $0.ordinal != nil } }
    }
}

extension StatementBinder {
    // MARK: - Which views are updatable

    /// The table behind a view, reached through updatable views only; 55000 with the reason if one of them is not.
    func viewTarget(_ view: TableName, _ query: Query, alias: Identifier?, written: String, action: ViewAction) throws
        -> ModificationTarget
    {
        let (levels, table, definition) = try viewLevels(view, query) { name, reason in
            QueryError(
                .objectNotInPrerequisiteState, "cannot \(action.rawValue) view \"\(name.table)\"", detail: reason,
                hint: "Change the rows of the table behind the view instead.",
                object: name.table)
        }
        var target = ModificationTarget(
            table: table, definition: definition, name: alias?.text ?? written, isAliased: alias != nil)
        target.views = levels
        try traceColumns(&target)
        if action != .delete, let level = target.views.first(where: { $0.ordinals.allSatisfy { $0 == nil } }) {
            throw QueryError(
                .objectNotInPrerequisiteState, "cannot \(action.rawValue) view \"\(level.name.table)\"",
                detail: "Views that have no updatable columns are not automatically updatable.",
                hint: "Change the rows of the table behind the view instead.",
                object: level.name.table)
        }
        return target
    }

    /// The views from a table up to `view`, innermost first, and that table.
    private func viewLevels(
        _ view: TableName, _ query: Query, refusal: (TableName, String) -> QueryError
    ) throws -> ([ViewLevel], TableName, TableDefinition) {
        var levels: [ViewLevel] = []
        var current = (name: view, query: query)
        while true {
            if let reason = reasonNotUpdatable(current.query) { throw refusal(current.name, reason) }
            guard let core = Self.selectCore(current.query), case .table(let written, _)? = core.from.first?.kind,
                let relation = relations.byName[written.parts], levels.count < 100
            else { throw refusal(current.name, Self.singleTableReason) }
            let alias = core.from[0].alias
            let definition = catalog.view(current.name) ?? ViewDefinition(query: "")
            var level = ViewLevel(
                name: current.name, definition: definition, core: core,
                innerName: alias?.name?.text ?? written.last, innerColumnAliases: alias?.columns ?? [])
            switch relation {
            case .view(let inner, let query, _):
                if alias?.name == nil { level.innerTable = inner }
                levels.insert(level, at: 0)
                current = (inner, query)
            case .table(let table, let schema):
                guard relations.materialized[table] == nil else { throw refusal(current.name, Self.singleTableReason) }
                noteTable(table)
                if alias?.name == nil { level.innerTable = table }
                levels.insert(level, at: 0)
                return (levels, table, relations.definitions[table] ?? TableDefinition(schema))
            }
        }
    }

    private static let singleTableReason =
        "Views that do not select from a single table or view are not automatically updatable."

    private static func selectCore(_ query: Query) -> SelectCore? {
        switch query.body {
        case .select(let core): return core
        case .table(let name): return .everything(of: name)
        case .nested(let inner): return selectCore(inner)
        case .setOperation, .values: return nil
        }
    }

    /// Why a view with this query is not updatable; `nil` if it is.
    func reasonNotUpdatable(_ query: Query) -> String? {
        func containing(_ what: String) -> String { "Views containing \(what) are not automatically updatable." }
        if case .nested(let inner) = query.body, let reason = reasonNotUpdatable(inner) { return reason }
        if case .setOperation = query.body { return containing("UNION, INTERSECT, or EXCEPT") }
        let core = Self.selectCore(query)
        if let core {
            if core.distinct != .all { return containing("DISTINCT") }
            if core.groupBy != nil { return containing("GROUP BY") }
            if core.having != nil { return containing("HAVING") }
        }
        if query.with != nil { return containing("WITH") }
        if query.limit != nil || query.offset != nil { return containing("LIMIT or OFFSET") }
        guard let core else { return Self.singleTableReason }
        var kinds = CallKinds()
        for item in core.items {
            switch item.kind {
            case .expression(let expression, _), .fieldStar(let expression): kinds.visit(expression, registry)
            case .star(let star): star.replace.forEach { kinds.visit($0.expression, registry) }
            }
        }
        func returning(_ what: String) -> String { "Views that return \(what) are not automatically updatable." }
        if kinds.hasAggregates { return returning("aggregate functions") }
        if kinds.hasWindows || core.qualify != nil { return returning("window functions") }
        if kinds.hasSetReturning { return returning("set-returning functions") }
        guard core.from.count == 1, case .table = core.from[0].kind else { return Self.singleTableReason }
        return core.from[0].sample == nil ? nil : containing("TABLESAMPLE")
    }

    /// Follows the views' columns to the table's.
    private func traceColumns(_ target: inout ModificationTarget) throws {
        let row = target.fields.map { ids.column($0.name, $0.type) }
        let ordinals = Dictionary(uniqueKeysWithValues: row.enumerated().map { ($0.element.id, $0.offset) })
        var columns: [ScopeColumn] = target.named(row)
        for index in target.views.indices {
            let view = try shown(columns, target.views[index], over: Self.unitPlan, withCondition: false)
            target.views[index].ordinals = view.columns.map { ordinals[$0.id] }
            columns = view.columns
        }
        target.columns = columns.map { TargetColumn(name: $0.name, ordinal: ordinals[$0.id]) }
    }

    // MARK: - Rows through views

    /// What the statement sees of a row of the target's table. With `filters` only rows that all views show remain.
    func viewed(_ target: ModificationTarget, _ row: [PlanColumn], over plan: LogicalPlan, filters: Bool = false) throws
        -> ViewedRow
    {
        var result = ViewedRow(plan: plan, columns: target.named(row), conditions: [])
        for level in target.views {
            let next = try shown(result.columns, level, over: result.plan, withCondition: true)
            result.conditions += next.conditions
            result.columns = next.columns
            result.plan = next.plan
            if filters, let condition = next.conditions[0], condition != .true {
                result.plan = .filter(LogicalFilter(predicate: condition, input: result.plan))
            }
        }
        return result
    }

    /// One view over the columns of what it reads.
    private func shown(_ columns: [ScopeColumn], _ level: ViewLevel, over plan: LogicalPlan, withCondition: Bool) throws
        -> ViewedRow
    {
        viewDepth += 1
        defer { viewDepth -= 1 }
        do {
            let state = SelectState()
            let scope = Scope(parent: nil, commonTables: nil, select: state, clause: .whereClause)
            var named = columns
            for (index, alias) in level.innerColumnAliases.enumerated() where index < named.count {
                named[index].name = alias.text
            }
            scope.namespace = Namespace(
                relations: [ScopeRelation(name: level.innerName, table: level.innerTable, columns: named)],
                columns: named)
            let condition =
                withCondition
                ? try level.core.whereClause.map { try bindCondition($0, scope, construct: "WHERE") } : nil
            scope.clause = .select
            var select = SelectBinding(core: level.core, scope: scope, state: state, plan: plan)
            try bindItems(&select)
            var computed: [(column: PlanColumn, value: Expression)] = []
            var result: [ScopeColumn] = []
            for (index, output) in select.outputs.enumerated() {
                let name = level.columnName(index, output.name)
                // Columns that the table got later are none of the view's.
                if let names = level.definition.columnNames, index >= names.count { break }
                if case .column(let id, _) = output.expression, let source = named.first(where: { $0.id == id }) {
                    var column = source
                    column.name = name
                    result.append(column)
                } else {
                    let value = try settled(output.expression, at: output.position)
                    let column = ids.column(name, value.type)
                    computed.append((column, value))
                    result.append(ScopeColumn(column))
                }
            }
            guard !computed.isEmpty else { return ViewedRow(plan: plan, columns: result, conditions: [condition]) }
            let passed = plan.columns
            return ViewedRow(
                plan: .project(
                    LogicalProject(
                        columns: passed + computed.map(\.column),
                        expressions: passed.map(\.reference) + computed.map(\.value), input: plan)),
                columns: result, conditions: [condition])
        } catch var error as QueryError {
            // The position lies in the view's text, not in the statement.
            error.position = nil
            throw error
        }
    }

    /// What WITH CHECK OPTION asks of a new row, inner views first: a condition that is not true is a violation.
    func viewChecks(_ target: ModificationTarget, _ row: ViewedRow) -> [(view: String, condition: Expression)] {
        var result: [(String, Expression)] = []
        var isCascaded = false
        for (level, condition) in zip(target.views, row.conditions).reversed() {
            let option = level.definition.checkOption
            if isCascaded || option != nil, let condition {
                result.insert(
                    (level.name.table, .coalesce([condition, .literal(.boolean(false), .boolean)], type: .boolean)),
                    at: 0)
            }
            isCascaded = isCascaded || option == .cascaded
        }
        return result
    }

    // MARK: - Columns of a target

    /// The place of a column among those that the statement sees of its target.
    func targetColumn(_ name: Identifier, _ target: ModificationTarget) throws -> Int {
        guard let index = target.columns.firstIndex(where: { $0.name == name.text }) else {
            throw QueryError(
                .undefinedColumn, "column \"\(name)\" of relation \"\(target.relationName)\" does not exist",
                at: name.position, object: name.text)
        }
        return index
    }

    /// The table's column that a name of the target stands for; 0A000 for a column that a view computes.
    func assignedOrdinal(_ name: Identifier, _ target: ModificationTarget, _ action: ViewAction) throws -> Int {
        let column = target.columns[try targetColumn(name, target)]
        guard let ordinal = column.ordinal else { throw notAssignable(column.name, target, action, at: name.position) }
        return ordinal
    }

    func notAssignable(
        _ column: String, _ target: ModificationTarget, _ action: ViewAction, at position: SourcePosition
    ) -> QueryError {
        QueryError(
            .featureNotSupported, "cannot \(action.verb) column \"\(column)\" of view \"\(target.relationName)\"",
            detail: "View columns that are not columns of their base relation are not updatable.", at: position,
            object: column)
    }

    /// The table's columns that an INSERT names; without names as many of the target's first ones as can be assigned.
    func insertedColumns(_ targets: [AssignmentTarget], _ target: ModificationTarget) throws -> [InsertedColumn] {
        if targets.isEmpty {
            let ordinals = target.columns.prefix { $0.ordinal != nil }.compactMap(\.ordinal)
            return ordinals.map { InsertedColumn(ordinal: $0, field: target.fields[$0]) }
        }
        var parts: [String: Bool] = [:]
        return try targets.map { given in
            let (name, isPart) = (given.column, !given.steps.isEmpty)
            let ordinal = try assignedOrdinal(name, target, .insert)
            if let known = parts.updateValue(isPart, forKey: name.text), !(known && isPart) {
                throw QueryError(
                    .duplicateColumn, "column \"\(name)\" specified more than once", at: name.position,
                    object: name.text)
            }
            let field = target.fields[ordinal]
            guard isPart else { return InsertedColumn(ordinal: ordinal, field: field) }
            return InsertedColumn(ordinal: ordinal, field: try part(of: given, in: field.type), part: given)
        }
    }

    /// Two columns of a view may be the same one of the table.
    func refuseRepeated(
        _ inserted: ArraySlice<InsertedColumn>, _ target: ModificationTarget, at position: SourcePosition
    )
        throws
    {
        var values = AssignedValues()
        for column in inserted where !values.claim(column.ordinal, isPart: column.part != nil) {
            let name = target.fields[column.ordinal].name
            throw QueryError(
                .syntaxError, "multiple assignments to same column \"\(name)\"", at: position, object: name)
        }
    }

    /// What INSERT puts into a column of the table when it gives nothing: the outermost view's default goes first.
    func insertedDefault(_ ordinal: Int, _ target: ModificationTarget, at position: SourcePosition) throws -> Expression
    {
        var column = target.definition.columns[ordinal]
        if let text = target.views.reversed().lazy.compactMap({ $0.defaultExpression(ordinal) }).first {
            try refuseGiven(nil, column, at: position)
            column.source = .defaultExpression(text)
        }
        return try defaultValue(column)
    }

    /// DEFAULT in UPDATE. Through a view it is the view's own default, else NULL: the table's defaults are not looked at.
    func updatedDefault(_ ordinal: Int, _ target: ModificationTarget, at position: SourcePosition) throws -> Expression
    {
        var column = target.definition.columns[ordinal]
        if let view = target.views.last {
            try refuseComputed(column, "updated", at: position)
            column.source = view.defaultExpression(ordinal).map { .defaultExpression($0) } ?? .given
        }
        return try defaultValue(column)
    }

    // MARK: - CREATE VIEW and ALTER VIEW

    /// The options in WITH (…) and the CHECK OPTION clause.
    func checkOption(_ create: CreateView) throws -> ViewDefinition.CheckOption? {
        let named = create.checkOption.flatMap { ViewDefinition.CheckOption(rawValue: $0) }
        if named != nil { try requireUpdatable(create.query, at: create.position) }
        return try checkOption(create.options, create.query) ?? named
    }

    private func requireUpdatable(_ query: Query, at position: SourcePosition) throws {
        guard let reason = reasonNotUpdatable(query) else { return }
        throw QueryError(
            .featureNotSupported, "WITH CHECK OPTION is supported only on automatically updatable views", hint: reason,
            at: position)
    }

    func checkOption(_ options: [StatementOption], _ query: Query) throws -> ViewDefinition.CheckOption? {
        var result: ViewDefinition.CheckOption?
        for option in options {
            switch option.name {
            case "check_option":
                guard case .text(let text)? = option.value, let named = ViewDefinition.CheckOption(rawValue: text)
                else {
                    throw QueryError(
                        .invalidParameterValue, "invalid value for enum option \"check_option\"",
                        detail: "Valid values are \"local\" and \"cascaded\".", at: option.position,
                        object: option.name)
                }
                try requireUpdatable(query, at: option.position)
                result = named
            case "security_barrier", "security_invoker": break
            default:
                throw QueryError(
                    .invalidParameterValue, "unrecognized parameter \"\(option.name)\"", at: option.position,
                    object: option.name)
            }
        }
        return result
    }
}

/// Which kinds of calls an expression has; queries within it are others' concern.
private struct CallKinds {
    var hasAggregates = false
    var hasWindows = false
    var hasSetReturning = false

    mutating func visit(_ syntax: SyntaxExpression, _ registry: FunctionRegistry) {
        if case .grouping = syntax.kind { hasAggregates = true }
        if case .function(let call) = syntax.kind {
            let name = call.name.last
            if call.over != nil {
                hasWindows = true
            } else if !registry.aggregateOverloads(name).isEmpty {
                hasAggregates = true
            } else if registry.scalarOverloads(name).isEmpty, !registry.tableOverloads(name).isEmpty {
                hasSetReturning = true
            }
        }
        for child in syntax.directChildren { visit(child, registry) }
    }
}
