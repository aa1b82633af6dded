// Views when what they read gets another name: their texts follow, for a view means the table and the column, not the names.

import Columnar
import Diagnostics
import QueryPlan
import SQLParser
import Storage

/// A table, view or column that gets another name.
package enum Renaming: Sendable {
    case relation(TableName, to: TableName)
    case column(String, of: TableName, to: String)

    var relation: TableName {
        switch self {
        case .relation(let name, _), .column(_, let name, _): name
        }
    }
}

/// Where a query names a relation's columns, one of them or all; found while the query is bound.
final class ReferenceTrace {
    let relation: TableName
    /// `nil`: every column.
    let column: String?
    /// What is written, by its offset in the text.
    private(set) var references: [Int: [String]] = [:]
    /// Whether the query depends on the names in a way that no reference shows: USING, whole rows.
    var hasHiddenUses = false

    init(relation: TableName, column: String?) {
        self.relation = relation
        self.column = column
    }

    func note(_ parts: [String], at position: SourcePosition) { references[position.offset] = parts }
}

extension Binder {
    /// Whether a view's query depends on a column of what it reads.
    package func reads(_ column: String, of relation: TableName, in view: ViewDefinition) async -> Bool {
        guard let traced = try? await trace(ReferenceTrace(relation: relation, column: column), in: view) else {
            return true
        }
        return !traced.trace.references.isEmpty || traced.trace.hasHiddenUses
    }

    /// The view with its text under the new name; 0A000 if that cannot be written.
    package func renaming(_ change: Renaming, in view: ViewDefinition, named name: TableName) async throws
        -> ViewDefinition
    {
        var column: String?
        if case .column(let old, _, _) = change { column = old }
        let wanted = ReferenceTrace(relation: change.relation, column: column)
        let (trace, binder, query) = try await trace(wanted, in: view)
        if trace.hasHiddenUses {
            throw QueryError.notSupported(
                "a new name for \(column.map { "column \"\($0)\"" } ?? "\"\(change.relation.table)\""), on whose old name view \"\(name.table)\" depends,"
            )
        }
        var walker = SelectWalker()
        walker.visit(query)
        var edits: [TextEdit] = []
        var result = view
        switch change {
        case .column(let old, _, let new):
            for (offset, parts) in trace.references {
                edits.append(.init(offset: offset, parts, parts.dropLast() + [new]))
            }
            // Outputs keep the names that they had.
            for item in walker.items {
                guard case .expression(let expression, nil) = item.kind, binder.outputName(expression) == old else {
                    continue
                }
                let start = item.position.offset
                let end = start + SyntaxPrinter.text(of: expression).unicodeScalars.count
                guard trace.references.keys.contains(where: { $0 >= start && $0 < end }) else { continue }
                edits.append(TextEdit(offset: end, old: "", new: " AS " + SyntaxPrinter.identifier(old)))
            }
        case .relation(let old, let new):
            // A name that something else in the query has would hide the table: the old one stays as its alias.
            let keepsName = new.table != old.table && walker.relationNames.contains(new.table)
            for (offset, parts) in trace.references where parts.count > 1 {
                let full = [new.catalog, new.schema, new.table, parts[parts.count - 1]]
                let written = keepsName ? [old.table, parts[parts.count - 1]] : Array(full.suffix(parts.count))
                edits.append(.init(offset: offset, parts, written))
            }
            var collector = RelationCollector()
            collector.visit(query)
            for written in collector.occurrences where !collector.commonTableNames.contains(written.parts) {
                guard binder.relations.byName[written.parts]?.name == old else { continue }
                let parts = new.catalog == catalog.defaultCatalog ? [new.schema, new.table] : new.parts
                edits.append(.init(offset: written.position.offset, written.parts, parts))
            }
            if keepsName {
                for name in walker.unaliased where binder.relations.byName[name.parts]?.name == old {
                    let end = name.position.offset + StatementBinder.spelled(name.parts).unicodeScalars.count
                    edits.append(TextEdit(offset: end, old: "", new: " AS " + SyntaxPrinter.identifier(old.table)))
                }
            }
            result.references = view.references.map { $0 == old ? new : $0 }
        }
        guard let text = TextEdit.applyingAll(edits, to: view.query) else {
            throw QueryError.notSupported("a new name for what view \"\(name.table)\" reads in this way")
        }
        result.query = text
        return result
    }

    private func trace(_ trace: ReferenceTrace, in view: ViewDefinition) async throws
        -> (trace: ReferenceTrace, binder: StatementBinder, query: Query)
    {
        let query = try StatementParser.parseQuery(view.query)
        var collector = RelationCollector()
        collector.visit(query)
        let relations = try await RelationResolver(catalog: catalog, session: session).resolve(collector)
        var session = session
        if relations.readsCatalog(registry) { session.catalogFacts = try await session.loadCatalogFacts?() }
        let binder = StatementBinder(
            catalog: catalog, registry: registry, session: session, relations: relations, rowNames: collector.rowNames)
        binder.trace = trace
        _ = try binder.bindSettledQuery(query, parent: nil, commonTables: nil)
        var walker = SelectWalker()
        walker.visit(query)
        if walker.hasStars { trace.hasHiddenUses = true }
        return (trace, binder, query)
    }
}

extension StatementBinder {
    /// Marks the columns of a relation that the trace asks for.
    func traced(_ bound: BoundQuery, of relation: TableName) -> BoundQuery {
        guard let trace, viewDepth == 0, trace.relation == relation else { return bound }
        var result = bound
        for index in result.columns.indices where trace.column == nil || result.columns[index].name == trace.column {
            result.columns[index].isTraced = true
        }
        return result
    }

    /// Notes a reference to a column, and to a relation by its name.
    func note(_ column: ScopeColumn, _ relation: ScopeRelation?, _ parts: [String], at position: SourcePosition) {
        guard let trace, viewDepth == 0, column.isTraced else { return }
        if trace.column != nil || relation?.table == trace.relation { trace.note(parts, at: position) }
    }

    /// Notes that a relation's row is used as a whole.
    func noteRow(of relation: ScopeRelation) {
        guard let trace, viewDepth == 0, relation.columns.contains(where: \.isTraced) else { return }
        if trace.column != nil || relation.table == trace.relation { trace.hasHiddenUses = true }
    }
}

extension ResolvedRelation {
    var name: TableName {
        switch self {
        case .table(let name, _), .view(let name, _, _): name
        }
    }
}

extension TableName {
    fileprivate var parts: [String] { [catalog, schema, table] }
}

/// Every SELECT of a query, those of its sub-queries included.
private struct SelectWalker {
    var items: [SelectItem] = []
    var hasStars = false
    /// Names and aliases of everything in FROM and WITH.
    var relationNames: Set<String> = []
    /// Tables that are named without an alias.
    var unaliased: [ObjectName] = []

    mutating func visit(_ query: Query) {
        for table in query.with?.tables ?? [] {
            relationNames.insert(table.name.text)
            if let inner = table.query { visit(inner) }
        }
        visit(query.body)
        query.orderBy.forEach { visit($0.expression) }
        if let count = query.limit?.count { visit(count) }
        if let offset = query.offset { visit(offset) }
    }

    private mutating func visit(_ body: QueryBody) {
        switch body {
        case .select(let core): visit(core)
        case .setOperation(let operation):
            visit(operation.left)
            visit(operation.right)
        case .nested(let query): visit(query)
        case .values(let rows): rows.forEach { $0.forEach { visit($0) } }
        case .table: hasStars = true
        }
    }

    private mutating func visit(_ core: SelectCore) {
        if case .on(let keys) = core.distinct { keys.forEach { visit($0) } }
        for item in core.items {
            items.append(item)
            switch item.kind {
            case .expression(let expression, _), .fieldStar(let expression): visit(expression)
            case .star: hasStars = true
            }
        }
        core.from.forEach { visit($0) }
        [core.whereClause, core.having, core.qualify].forEach { if let condition = $0 { visit(condition) } }
        for element in core.groupBy?.elements ?? [] { visit(element) }
        for window in core.windows {
            window.specification.partitionBy.forEach { visit($0) }
            window.specification.orderBy.forEach { visit($0.expression) }
        }
    }

    private mutating func visit(_ element: GroupingElement) {
        switch element {
        case .expression(let expression): visit(expression)
        case .rollup(let members), .cube(let members): members.forEach { $0.forEach { visit($0) } }
        case .groupingSets(let elements): elements.forEach { visit($0) }
        case .set(let expressions): expressions.forEach { visit($0) }
        case .empty: break
        }
    }

    private mutating func visit(_ reference: TableReference) {
        if let name = reference.alias?.name { relationNames.insert(name.text) }
        switch reference.kind {
        case .table(let name, _):
            relationNames.insert(name.last)
            if reference.alias?.name == nil { unaliased.append(name) }
        case .file: break
        case .query(let query, _): visit(query)
        case .function(let function): function.members.forEach { visit($0.expression) }
        case .join(let join):
            visit(join.left)
            visit(join.right)
            if case .on(let condition) = join.condition { visit(condition) }
            if case .using(_, let alias?) = join.condition { relationNames.insert(alias.text) }
        }
    }

    private mutating func visit(_ expression: SyntaxExpression) {
        switch expression.kind {
        case .exists(let query), .scalarQuery(let query), .arrayQuery(let query), .inQuery(_, let query, _):
            visit(query)
        case .quantified(let comparison):
            if case .query(let query) = comparison.right { visit(query) }
        default: break
        }
        expression.directChildren.forEach { visit($0) }
    }
}
