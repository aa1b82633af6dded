// From a view's syntax to the shape that its text has: relations get names that are theirs alone, columns are qualified by
// them, positions and names of outputs become what they stand for. What is not known to be right throws: the view is then
// shown as its text is kept.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

/// The text of a view for clients.
package struct ShownView: Sendable {
    private let query: ShownQuery
    private let names: [String]?

    init(query: ShownQuery, names: [String]?) {
        self.query = query
        self.names = names
    }

    package func text(_ style: ViewTextStyle) -> String {
        var writer = ViewWriter(style: style)
        writer.write(query, names: names, showsNames: true)
        return writer.text
    }
}

extension Binder {
    /// The text of a view as clients are shown it; `nil` if its query has something whose text is not known.
    package func shownView(_ view: ViewDefinition) async -> ShownView? {
        guard let query = try? StatementParser.parseQuery(view.query) else { return nil }
        var collector = RelationCollector()
        collector.visit(query)
        let resolver = RelationResolver(catalog: catalog, session: session)
        guard let relations = try? await resolver.resolve(collector), !relations.usesObjectNames else {
            return nil
        }
        let binder = StatementBinder(
            catalog: catalog, registry: registry, session: session, relations: relations, rowNames: collector.rowNames)
        let shaper = ViewShaper(binder)
        let names = ViewShaper.Names(parent: nil, used: ["old", "new"])
        guard let shape = try? shaper.shape(query, parent: nil, commonTables: nil, names: names, types: nil) else {
            return nil
        }
        return ShownView(query: shape, names: view.columnNames)
    }
}

final class ViewShaper {
    struct Unknown: Error {}

    /// Names of relations in a query and those around it.
    final class Names {
        let parent: Names?
        private var used: Set<String>
        private var commonTables: Set<String> = []

        init(parent: Names?, used: Set<String> = []) {
            self.parent = parent
            self.used = used
        }

        private func isUsed(_ name: String) -> Bool { used.contains(name) || parent?.isUsed(name) ?? false }

        /// The name, or the name with the first number that makes it the query's own.
        func claim(_ name: String) -> String {
            var result = name
            var number = 0
            while isUsed(result) {
                number += 1
                result = "\(name)_\(number)"
            }
            used.insert(result)
            return result
        }

        func declare(_ commonTable: String) { commonTables.insert(commonTable) }
        func isCommonTable(_ name: String) -> Bool {
            commonTables.contains(name) || parent?.isCommonTable(name) ?? false
        }
    }

    /// A SELECT, and what its relations are called.
    final class Level {
        let scope: Scope
        let parent: Level?
        let names: Names
        var shown: [String] = []
        /// Relations within a join that has an alias, by the place of the alias.
        var hidden: [Int: Level] = [:]
        /// Columns that JOIN … USING made of two of different types, and the relation that stands for them.
        var merged: [ColumnID: Int] = [:]
        /// Relations that are only names of what USING made, by their place.
        var usingAliases: Set<Int> = []
        /// `nil` where every column keeps its name.
        var columnNames: ColumnNames?

        /// What a column of a relation is called.
        func columnName(_ name: String, _ relation: Int) throws -> String {
            guard let columnNames else { return name }
            let columns = scope.namespace.relations[relation].columns
            guard let place = columns.firstIndex(where: { $0.name == name }),
                place < columnNames.relations[relation].count
            else { throw Unknown() }
            return columnNames.relations[relation][place]
        }

        init(scope: Scope, parent: Level?, names: Names) {
            self.scope = scope
            self.parent = parent
            self.names = names
        }
    }

    let binder: StatementBinder

    init(_ binder: StatementBinder) { self.binder = binder }

    // MARK: - Queries

    /// `types`: what the outputs are converted to, where the query is a part of a set operation.
    func shape(
        _ query: Query, parent: Level?, commonTables: CommonTableScope?, names outer: Names, types: [DataType]?
    ) throws -> ShownQuery {
        guard query.locking.isEmpty else { throw Unknown() }
        let names = Names(parent: outer)
        let declared = try query.with.map { try binder.declare($0, parent: nil, outer: commonTables) }
        let inSight = declared?.scope ?? commonTables
        for table in declared?.tables ?? [] { names.declare(table.definition.name.text) }
        var result: ShownQuery
        switch query.body {
        case .select(let core):
            result = try shape(core, query, parent: parent, commonTables: inSight, names: names, types: types)
        case .setOperation:
            let bound = try binder.bindBody(query.body, parent: parent?.scope, commonTables: inSight)
            let types = try types ?? bound.columns.map { try binder.settled($0.reference, at: nil).type }
            result = ShownQuery(
                body: try shape(query.body, parent: parent, commonTables: inSight, names: names, types: types))
            for item in query.orderBy {
                result.orderBy.append(
                    ShownSortKey(key: .number(try outputNumber(item.expression, bound)), suffix: try suffix(item)))
            }
        case .values(let rows):
            guard query.orderBy.isEmpty else { throw Unknown() }
            result = ShownQuery(
                body: .values(try shape(rows, parent: parent, commonTables: inSight, names: names)))
        case .nested(let inner):
            guard query.orderBy.isEmpty, query.limit == nil, query.offset == nil, query.with == nil else {
                throw Unknown()
            }
            return try shape(inner, parent: parent, commonTables: inSight, names: outer, types: types)
        case .table: throw Unknown()
        }
        for table in declared?.tables ?? [] { result.commonTables.append(try shape(table, names: names)) }
        result.isRecursive = query.with?.isRecursive ?? false
        let limits = Level(
            scope: Scope(parent: parent?.scope, commonTables: inSight, select: nil, clause: .limit), parent: parent,
            names: names)
        if let limit = query.limit {
            result.limit = try rowCount(limit.count, limits)
            result.hasTies = limit.withTies
        }
        result.offset = try query.offset.map { try rowCount($0, limits) }
        return result
    }

    private func rowCount(_ syntax: SyntaxExpression, _ level: Level) throws -> ShownExpression {
        if case .literal(.null) = syntax.kind {
            return .constant(ShownConstant(text: "NULL", type: "bigint", needsType: true, isNull: true))
        }
        let shaped = try shape(syntax, level)
        guard shaped.type.isWholeNumber else { throw Unknown() }
        return shaped.expression
    }

    private func shape(_ table: CommonTable, names: Names) throws -> ShownQuery.CommonTable {
        let definition = table.definition
        guard let query = definition.query, definition.search == nil, definition.cycle == nil else { throw Unknown() }
        var environment = table.environment
        if table.isRecursive {
            // The name means the rows so far, whose columns are those of the result.
            let columns = try binder.bindCommonTable(table, at: definition.name.position).columns
            let working = CommonTable(
                definition, environment: table.environment, parent: table.parent, isRecursive: true)
            working.workingTable = (0, columns.map { binder.ids.column($0.name, $0.type) })
            environment = CommonTableScope(working, parent: table.environment)
        }
        let materialization: String =
            switch definition.materialization {
            case .materialized: "MATERIALIZED "
            case .notMaterialized: "NOT MATERIALIZED "
            case nil: ""
            }
        return ShownQuery.CommonTable(
            name: definition.name.text, columns: definition.columns.map(\.text), materialization: materialization,
            query: try shape(query, parent: nil, commonTables: environment, names: names, types: nil))
    }

    private func shape(
        _ body: QueryBody, parent: Level?, commonTables: CommonTableScope?, names: Names, types: [DataType]
    ) throws -> ShownBody {
        func operand(_ body: QueryBody) throws -> ShownBody {
            switch body {
            case .setOperation:
                return try shape(body, parent: parent, commonTables: commonTables, names: names, types: types)
            case .nested(let query):
                return .nested(
                    try shape(query, parent: parent, commonTables: commonTables, names: names, types: types))
            case .select, .values:
                return try shape(
                    Query(only: body), parent: parent, commonTables: commonTables, names: names, types: types
                ).body
            case .table: throw Unknown()
            }
        }
        guard case .setOperation(let operation) = body, !operation.byName else { throw Unknown() }
        return .setOperation(
            operation.kind.rawValue.uppercased(), isAll: operation.isAll, try operand(operation.left),
            try operand(operation.right))
    }

    private func outputNumber(_ syntax: SyntaxExpression, _ bound: BoundQuery) throws -> Int {
        switch syntax.kind {
        case .literal(.integer(let number)): return Int(number)
        case .column(let parts):
            guard parts.count == 1, let index = bound.columns.firstIndex(where: { $0.name == parts[0] }) else {
                throw Unknown()
            }
            return index + 1
        default: throw Unknown()
        }
    }

    private func shape(
        _ rows: [[SyntaxExpression]], parent: Level?, commonTables: CommonTableScope?, names: Names
    ) throws -> [[ShownExpression]] {
        let bound = try binder.bindSettledQuery(
            Query(only: .values(rows)), parent: parent?.scope, commonTables: commonTables)
        let level = Level(
            scope: Scope(parent: parent?.scope, commonTables: commonTables, select: nil, clause: .values),
            parent: parent, names: names)
        return try rows.map { row in
            try zip(row, bound.columns.map(\.type)).map { try shape($0, as: $1, level) }
        }
    }

    // MARK: - SELECT

    private func shape(
        _ core: SelectCore, _ query: Query, parent: Level?, commonTables: CommonTableScope?, names: Names,
        types: [DataType]?
    ) throws -> ShownQuery {
        guard core.qualify == nil else { throw Unknown() }
        let scope = Scope(
            parent: parent?.scope, commonTables: commonTables, select: SelectState(), clause: .fromClause)
        _ = try binder.bindFrom(core.from, scope)
        let level = Level(scope: scope, parent: parent, names: names)
        var select = ShownSelect()
        var leaves = LeafReader(relations: scope.namespace.relations)
        for reference in core.from { try claimNames(reference, level) }
        guard level.shown.count == scope.namespace.relations.count else { throw Unknown() }
        try nameColumns(core.from, level)
        for reference in core.from { select.from.append(try shape(reference, level, &leaves)) }
        scope.clause = .whereClause
        select.condition = try core.whereClause.map { try condition($0, level) }
        scope.clause = .select
        try declareWindows(core, &select, level)
        for (index, item) in core.items.enumerated() {
            guard case .expression(let syntax, let alias) = item.kind else { throw Unknown() }
            // Set operations give types only to literals without one.
            var wanted: DataType?
            switch syntax.kind {
            case .literal(.string), .literal(.null): wanted = types.flatMap { index < $0.count ? $0[index] : nil }
            default: break
            }
            var own: String?
            if case .column(let parts) = syntax.kind { own = try column(parts, level).name }
            select.items.append(
                .init(
                    expression: try output(syntax, wanted, level), name: alias?.text ?? binder.outputName(syntax),
                    ownName: own))
        }
        switch core.distinct {
        case .all: break
        case .distinct: select.distinct = .all
        case .on(let keys): select.distinct = .on(try keys.map { try key($0, core, select, level) })
        }
        if let groupBy = core.groupBy {
            guard !groupBy.isAll else { throw Unknown() }
            scope.clause = .groupBy
            select.groupsDistinct = groupBy.isDistinct
            select.groupBy = try groupBy.elements.map { try grouping($0, core, select, level) }
        }
        if let having = core.having {
            scope.clause = .having
            select.having = try condition(having, level)
        }
        scope.clause = .orderBy
        let orderBy = try query.orderBy.map { item in
            ShownSortKey(key: .expression(try key(item.expression, core, select, level)), suffix: try suffix(item))
        }
        return ShownQuery(body: .select(select), orderBy: orderBy)
    }

    private func output(_ syntax: SyntaxExpression, _ wanted: DataType?, _ level: Level) throws -> ShownExpression {
        try shape(syntax, as: wanted ?? binder.settled(binder.bind(syntax, level.scope), at: nil).type, level)
    }

    func condition(_ syntax: SyntaxExpression, _ level: Level) throws -> ShownExpression {
        let shaped = try shape(syntax, level)
        guard shaped.type == .boolean else { throw Unknown() }
        return shaped.expression
    }

    private func declareWindows(_ core: SelectCore, _ select: inout ShownSelect, _ level: Level) throws {
        guard let state = level.scope.select else { return }
        for window in core.windows {
            state.namedWindows[window.name.text] = try binder.inherited(window.specification, state.namedWindows)
            select.windows.append((window.name.text, try shape(window.specification, level)))
        }
    }

    /// A key of GROUP BY, ORDER BY or DISTINCT ON: positions and names of outputs stand for their expressions.
    private func key(_ syntax: SyntaxExpression, _ core: SelectCore, _ select: ShownSelect, _ level: Level) throws
        -> ShownExpression
    {
        if case .literal(let literal) = syntax.kind {
            guard case .integer(let number) = literal, number >= 1, number <= select.items.count else {
                throw Unknown()
            }
            return select.items[Int(number) - 1].expression
        }
        if case .column(let parts) = syntax.kind, parts.count == 1 {
            let isInput = level.scope.namespace.columns.contains { $0.name == parts[0] }
            let isGrouping = level.scope.clause == .groupBy
            let matches = select.items.filter { $0.name == parts[0] }
            if !matches.isEmpty, !isGrouping || !isInput {
                guard Set(matches.map(\.expression)).count == 1 else { throw Unknown() }
                return matches[0].expression
            }
        }
        for (item, shown) in zip(core.items, select.items) {
            if case .expression(syntax, _) = item.kind { return shown.expression }
        }
        return try output(syntax, nil, level)
    }

    func suffix(_ item: SortItem) throws -> String {
        guard item.usingOperator == nil else { throw Unknown() }
        let isDescending = item.direction == .descending
        let order = isDescending ? " DESC" : ""
        // Where nulls come by default is not said.
        switch item.nulls {
        case .first? where !isDescending: return order + " NULLS FIRST"
        case .last? where isDescending: return order + " NULLS LAST"
        default: return order
        }
    }

    private func grouping(_ element: GroupingElement, _ core: SelectCore, _ select: ShownSelect, _ level: Level) throws
        -> ShownGrouping
    {
        func set(_ members: [SyntaxExpression]) throws -> ShownGrouping {
            .set(try members.map { try key($0, core, select, level) })
        }
        switch element {
        case .expression(let syntax):
            if case .row(let fields, explicit: false) = syntax.kind { return try set(fields) }
            return .expression(try key(syntax, core, select, level))
        case .set(let members): return try set(members)
        case .empty: return .set([])
        case .rollup(let members): return .sets("ROLLUP(", try members.map(set), omitsParentheses: true)
        case .cube(let members): return .sets("CUBE(", try members.map(set), omitsParentheses: true)
        case .groupingSets(let elements):
            return .sets(
                "GROUPING SETS (", try elements.map { try grouping($0, core, select, level) }, omitsParentheses: false)
        }
    }
}

extension DataType {
    var isWholeNumber: Bool { self == .int16 || self == .int32 || self == .int64 }
}
