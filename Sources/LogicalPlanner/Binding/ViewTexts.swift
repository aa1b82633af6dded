// The text of a view: what it means must not change with the search path, with temporary tables, or with columns that its
// tables get later. So names of tables are written in full, and `*` as the columns it stands for now.

import Diagnostics
import QueryPlan
import SQLParser
import Storage

/// A piece of a text to be written differently.
struct TextEdit {
    var offset: Int
    var old: String
    var new: String

    init(offset: Int, old: String, new: String) {
        self.offset = offset
        self.old = old
        self.new = new
    }

    /// A name of several parts instead of another.
    init(offset: Int, _ old: [String], _ new: [String]) {
        self.init(offset: offset, old: StatementBinder.spelled(old), new: StatementBinder.spelled(new))
    }

    func isFound(in text: String) -> Bool {
        let scalars = text.unicodeScalars
        return scalars.dropFirst(offset).starts(with: old.unicodeScalars)
    }

    /// `nil` if one of the edits does not find what it expects.
    static func applyingAll(_ edits: [TextEdit], to text: String) -> String? {
        var scalars = Array(text.unicodeScalars)
        // What is put in at an end comes before what ends there is replaced.
        for edit in edits.sorted(by: { ($0.offset, $0.old.isEmpty ? 1 : 0) > ($1.offset, $1.old.isEmpty ? 1 : 0) }) {
            let old = Array(edit.old.unicodeScalars)
            let end = edit.offset + old.count
            guard end <= scalars.count, Array(scalars[edit.offset..<end]) == old else { return nil }
            scalars.replaceSubrange(edit.offset..<end, with: Array(edit.new.unicodeScalars))
        }
        var result = String.UnicodeScalarView()
        result.append(contentsOf: scalars)
        return String(result)
    }
}

extension StatementBinder {
    /// The query as text that means the same for ever.
    func viewText(_ query: Query) throws -> String {
        // NATURAL joins by the columns that are there now.
        let text = SyntaxPrinter.text(of: query, naturalColumns: naturalColumns)
        let printed = try StatementParser.parseQuery(text)
        let observer = StatementBinder(
            catalog: catalog, registry: registry, session: session, relations: relations, rowNames: rowNames)
        observer.fullNames = [:]
        _ = try observer.bindSettledQuery(printed, parent: nil, commonTables: nil)
        var edits = (observer.fullNames ?? [:]).map(\.value)
        try expandStars(printed, outer: nil, &edits)
        qualifyNames(printed, &edits)
        // Edits that do not find what they expect are left out: the text then means what it meant before.
        return TextEdit.applyingAll(edits.filter { $0.isFound(in: text) }, to: text) ?? text
    }

    static func spelled(_ parts: [String]) -> String {
        parts.map { SyntaxPrinter.identifier($0) }.joined(separator: ".")
    }

    /// A column by the name of its relation: what the query's other tables get later must not hide it.
    func noteFullName(_ column: ScopeColumn, _ level: Scope, _ scope: Scope, at position: SourcePosition) {
        guard fullNames != nil, viewDepth == 0 else { return }
        let owner = level.namespace.relations.first { relation in
            !relation.name.isEmpty && relation.columns.contains { $0.id == column.id && $0.name == column.name }
        }
        // Another relation of that name may be nearer.
        guard let owner, let (found, place) = try? findRelation([owner.name], scope, at: position), place === level,
            found.columns.filter({ $0.name == column.name }).map(\.id) == [column.id]
        else { return }
        fullNames?[position.offset] = TextEdit(offset: position.offset, [column.name], [owner.name, column.name])
    }

    /// A type of the catalogue by its full name.
    func noteType(_ written: ObjectName, _ found: (name: TableName, type: UserType)) {
        guard viewDepth == 0 else { return }
        usedTypes.insert(found.type.identifier)
        let full = [found.name.schema, found.name.table]
        if fullNames != nil, written.parts.count == 1, found.name.catalog == catalog.defaultCatalog {
            fullNames?[written.position.offset] = TextEdit(offset: written.position.offset, written.parts, full)
        }
    }

    private func qualifyNames(_ query: Query, _ edits: inout [TextEdit]) {
        var collector = RelationCollector()
        collector.visit(query)
        for name in collector.occurrences where !collector.commonTableNames.contains(name.parts) {
            let full: TableName
            switch relations.byName[name.parts] {
            case .table(let table, _)?, .view(let table, _, _)?: full = table
            case nil: continue
            }
            let parts =
                full.catalog == catalog.defaultCatalog
                ? [full.schema, full.table] : [full.catalog, full.schema, full.table]
            // A file under a quoted name stays one.
            if name.parts.count == 1, full.table != name.parts[0] { continue }
            edits.append(
                TextEdit(offset: name.position.offset, old: Self.spelled(name.parts), new: Self.spelled(parts)))
        }
    }

    private func expandStars(_ query: Query, outer: CommonTableScope?, _ edits: inout [TextEdit]) throws {
        let scope = try query.with.map { try declare($0, parent: nil, outer: outer).scope } ?? outer
        try expandStars(query.body, scope, &edits)
    }

    private func expandStars(_ body: QueryBody, _ commonTables: CommonTableScope?, _ edits: inout [TextEdit]) throws {
        switch body {
        case .setOperation(let operation):
            try expandStars(operation.left, commonTables, &edits)
            try expandStars(operation.right, commonTables, &edits)
        case .nested(let query): try expandStars(query, outer: commonTables, &edits)
        case .select(let core): try expandStars(core, commonTables, &edits)
        case .table(let name):
            let scope = Scope(parent: nil, commonTables: commonTables, select: SelectState(), clause: .fromClause)
            let columns = try bindNamedTable(name, alias: nil, scope).namespace.columns
            let written = "TABLE "
            edits.append(
                TextEdit(
                    offset: name.position.offset - written.unicodeScalars.count, old: written,
                    new: "SELECT \(columns.map { Self.spelled([name.last, $0.name]) }.joined(separator: ", ")) FROM "))
        case .values: break
        }
    }

    /// Aliases that texts of views give to joins, so that columns which belong to no relation can be told apart.
    private static let mergedAlias = "merged columns "
    static func isMergedAlias(_ name: String) -> Bool { name.hasPrefix(mergedAlias) }

    /// A column that JOIN … USING computed: by an alias of the join where its name alone would mean several.
    private func mergedColumn(_ column: ScopeColumn, _ scope: Scope, _ edits: inout [TextEdit]) -> String {
        let name = SyntaxPrinter.identifier(column.name)
        guard scope.namespace.columns.count(where: { $0.name == column.name }) > 1, let end = mergedColumns[column.id]
        else { return name }
        let alias = SyntaxPrinter.identifier(Self.mergedAlias + String(end))
        let edit = TextEdit(offset: end, old: "", new: " AS " + alias)
        if !edits.contains(where: { $0.offset == edit.offset && $0.new == edit.new }) { edits.append(edit) }
        return alias + "." + name
    }

    private func expandStars(_ core: SelectCore, _ commonTables: CommonTableScope?, _ edits: inout [TextEdit]) throws {
        let stars = core.items.compactMap { item -> (StarItem, SourcePosition)? in
            guard case .star(let star) = item.kind, star.exclude.isEmpty, star.replace.isEmpty, star.rename.isEmpty
            else { return nil }
            return (star, item.position)
        }
        guard !stars.isEmpty else { return }
        let scope = Scope(parent: nil, commonTables: commonTables, select: SelectState(), clause: .fromClause)
        _ = try bindFrom(core.from, scope)
        for (star, position) in stars {
            var columns = scope.namespace.columns
            if !star.qualifier.isEmpty {
                guard let (relation, _) = try findRelation(star.qualifier[...], scope, at: position) else { continue }
                columns = relation.columns
            }
            let names = columns.map { column -> String in
                let relation = scope.namespace.relations.first { relation in
                    relation.columns.contains { $0.id == column.id }
                }
                guard let relation, !relation.name.isEmpty else {
                    return mergedColumn(column, scope, &edits)
                }
                return Self.spelled([relation.name, column.name])
            }
            let written = star.qualifier.isEmpty ? "*" : Self.spelled(star.qualifier) + ".*"
            if names.isEmpty { continue }
            edits.append(TextEdit(offset: position.offset, old: written, new: names.joined(separator: ", ")))
        }
    }
}
