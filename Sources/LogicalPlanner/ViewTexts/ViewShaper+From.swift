// FROM: names of relations, their columns, joins.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

extension ViewShaper {
    /// The relations of a FROM clause one after the other.
    struct LeafReader {
        let relations: [ScopeRelation]
        var index = 0

        mutating func next() throws -> (relation: ScopeRelation, index: Int) {
            guard index < relations.count else { throw Unknown() }
            defer { index += 1 }
            return (relations[index], index)
        }
    }

    /// Gives the relations of FROM names that nothing else in sight has, in their order.
    func claimNames(_ reference: TableReference, _ level: Level) throws {
        switch reference.kind {
        case .table(let name, _):
            level.shown.append(level.names.claim(reference.alias?.name?.text ?? name.last))
        case .query:
            guard let alias = reference.alias?.name else { throw Unknown() }
            level.shown.append(level.names.claim(alias.text))
        case .function(let function):
            var name = reference.alias?.name?.text
            if name == nil, case .function(let call)? = function.members.first?.expression.kind {
                name = call.name.last
            }
            guard let name else { throw Unknown() }
            level.shown.append(level.names.claim(name))
        case .join(let join):
            if let alias = reference.alias?.name {
                // The names within are hidden; nobody else may have them, though.
                let scope = Scope(
                    parent: level.scope.parent, commonTables: level.scope.commonTables, select: level.scope.select,
                    clause: .fromClause)
                var inner = reference
                inner.alias = nil
                _ = try binder.bindFrom([inner], scope)
                let hidden = Level(scope: scope, parent: level.parent, names: level.names)
                try claimNames(inner, hidden)
                level.hidden[alias.position.offset] = hidden
                level.shown.append(level.names.claim(alias.text))
                return
            }
            try claimNames(join.left, level)
            try claimNames(join.right, level)
            if case .using(_, let alias?) = join.condition {
                level.usingAliases.insert(level.shown.count)
                level.shown.append(
                    StatementBinder.isMergedAlias(alias.text) ? alias.text : level.names.claim(alias.text))
            }
        case .file: throw Unknown()
        }
    }

    func shape(_ reference: TableReference, _ level: Level, _ leaves: inout LeafReader) throws -> ShownFrom {
        if reference.sample != nil { throw Unknown() }
        switch reference.kind {
        case .table(let name, let only):
            guard !only else { throw Unknown() }
            let (relation, index) = try leaves.next()
            let shown = level.shown[index]
            let isWritten = reference.alias?.name != nil
            let columns = level.columnNames?.relations[index] ?? relation.columns.map(\.name)
            if name.parts.count == 1, level.scope.commonTables?.find(name.parts[0]) != nil {
                let hasColumns =
                    !(reference.alias?.columns.isEmpty ?? true) || columns != relation.columns.map(\.name)
                return .commonTable(
                    name.last, alias: isWritten || hasColumns || shown != name.last ? shown : nil,
                    columns: hasColumns ? columns : [])
            }
            guard let found = binder.relations.byName[name.parts] else { throw Unknown() }
            let scope = Scope(parent: nil, commonTables: nil, select: nil, clause: .fromClause)
            let real = try binder.bindNamedTable(name, alias: nil, scope).namespace.columns.map(\.name)
            let isRenamed = real != columns
            return .table(
                schema: found.name.schema, name: found.name.table,
                isQualified: level.names.isCommonTable(found.name.table),
                alias: isWritten || isRenamed || shown != found.name.table ? shown : nil,
                columns: isRenamed ? columns : [], sample: nil)
        case .query(let query, let isLateral):
            let (relation, index) = try leaves.next()
            let parent = isLateral ? lateral(level, index) : level.parent
            let inner = try shape(
                query, parent: parent, commonTables: level.scope.commonTables, names: level.names, types: nil)
            let columns = level.columnNames?.relations[index] ?? relation.columns.map(\.name)
            let hasColumns = !(reference.alias?.columns.isEmpty ?? true) || columns != relation.columns.map(\.name)
            return .query(
                inner, isLateral: isLateral, alias: level.shown[index], columns: hasColumns ? columns : [])
        case .function(let function):
            let (relation, index) = try leaves.next()
            guard function.members.count == 1, !function.isRowsFrom, function.columnDefinitions.isEmpty else {
                throw Unknown()
            }
            let before = lateral(level, index)
            guard case .function(let call)? = function.members.first?.expression.kind else { throw Unknown() }
            let left = Set(before.scope.namespace.relations.flatMap { $0.columns.map(\.id) })
            let dependsOnLeft = try call.arguments.contains { argument in
                try !binder.bind(argument.value, before.scope).columns.isDisjoint(with: left)
            }
            return .functions(
                [try self.function(call, .unknown, before)], isRowsFrom: false, hasOrdinality: function.withOrdinality,
                isLateral: function.lateral || dependsOnLeft,
                alias: level.shown[index],
                columns: level.columnNames?.relations[index] ?? relation.columns.map(\.name))
        case .join(let join):
            guard let alias = reference.alias?.name else { return .join(try shape(join, level, &leaves)) }
            guard let hidden = level.hidden[alias.position.offset] else { throw Unknown() }
            var inner = LeafReader(relations: hidden.scope.namespace.relations)
            var result = try shape(join, hidden, &inner)
            let (relation, index) = try leaves.next()
            result.alias = level.shown[index]
            if reference.alias?.columns.isEmpty == false { result.columns = relation.columns.map(\.name) }
            return .join(result)
        case .file: throw Unknown()
        }
    }

    /// What an item of FROM sees: the relations before it.
    private func lateral(_ level: Level, _ index: Int) -> Level {
        let scope = Scope(
            parent: level.scope.parent, commonTables: level.scope.commonTables, select: level.scope.select,
            clause: .fromClause)
        let relations = Array(level.scope.namespace.relations.prefix(index))
        let later = Set(level.scope.namespace.relations.dropFirst(index).flatMap { $0.columns.map(\.id) })
        scope.namespace = Namespace(
            relations: relations, columns: level.scope.namespace.columns.filter { !later.contains($0.id) })
        let result = Level(scope: scope, parent: level.parent, names: level.names)
        result.shown = Array(level.shown.prefix(index))
        result.columnNames = level.columnNames?.part(0..<index)
        result.usingAliases = level.usingAliases.filter { $0 < index }
        return result
    }

    private func shape(_ join: Join, _ level: Level, _ leaves: inout LeafReader) throws -> ShownJoin {
        let keyword: String
        switch join.kind {
        case .inner: keyword = "JOIN"
        case .cross: keyword = "CROSS JOIN"
        case .left: keyword = "LEFT JOIN"
        case .right: keyword = "RIGHT JOIN"
        case .full: keyword = "FULL JOIN"
        case .semi, .anti: throw Unknown()
        }
        let start = leaves.index
        let left = try shape(join.left, level, &leaves)
        let middle = leaves.index
        let right = try shape(join.right, level, &leaves)
        if join.kind == .inner { noteMerged(join, middle..<leaves.index, level) }
        var result = ShownJoin(keyword: keyword, left: left, right: right)
        switch join.condition {
        case .none: break
        case .on(let condition):
            // Only what is joined here is in sight.
            let scope = Scope(
                parent: level.scope.parent, commonTables: level.scope.commonTables, select: level.scope.select,
                clause: .joinCondition)
            let inner = Level(scope: scope, parent: level.parent, names: level.names)
            let range = start..<leaves.index
            let relations = Array(level.scope.namespace.relations[range])
            inner.shown = Array(level.shown[range])
            inner.columnNames = level.columnNames?.part(range)
            inner.usingAliases = Set(level.usingAliases.filter(range.contains).map { $0 - range.lowerBound })
            let ids = Set(relations.flatMap { $0.columns.map(\.id) })
            let whole = level.scope.namespace.columns
            scope.namespace = Namespace(
                relations: relations,
                columns: whole.filter { ids.contains($0.id) }
                    + relations.flatMap(\.columns).filter { column in !whole.contains { $0.id == column.id } })
            result.condition = try self.condition(condition, inner)
        case .using(let names, let alias):
            result.using = level.columnNames?.using[join.position.offset] ?? names.map(\.text)
            if let alias {
                let index = try leaves.next().index
                if !StatementBinder.isMergedAlias(alias.text) { result.usingAlias = level.shown[index] }
            }
        case .natural: throw Unknown()
        }
        return result
    }

    /// An inner join shows the right column for one that it makes of two of different types.
    private func noteMerged(_ join: Join, _ right: Range<Int>, _ level: Level) {
        guard case .using(let names, _) = join.condition else { return }
        let namespace = level.scope.namespace
        for name in names {
            let owners = right.filter { index in
                namespace.relations[index].columns.contains { $0.name == name.text }
            }
            for column in namespace.columns where column.name == name.text {
                let isOwned = namespace.relations.contains { $0.columns.contains { $0.id == column.id } }
                if !isOwned, owners.count == 1 { level.merged[column.id] = owners[0] }
            }
        }
    }

    // MARK: - Columns

    /// A column as it is written: with the name of its relation, unless FULL JOIN … USING made it.
    func word(_ parts: [String], _ level: Level) throws -> String {
        let (relation, name) = try column(parts, level)
        return (relation.map { QuotedNames.quoted($0) + "." } ?? "") + QuotedNames.quoted(name)
    }

    func column(_ parts: [String], _ level: Level) throws -> (relation: String?, name: String) {
        guard let name = parts.last else { throw Unknown() }
        var current: Level? = level
        while let place = current {
            let namespace = place.scope.namespace
            if parts.count > 1 {
                let found = namespace.relations.indices.filter { namespace.relations[$0].matches(parts.dropLast()) }
                if found.count > 1 { throw Unknown() }
                if let index = found.first, index < place.shown.count {
                    guard place.usingAliases.contains(index) else {
                        return (place.shown[index], try place.columnName(name, index))
                    }
                    return try usingColumn(name, index, place, level)
                }
            } else {
                let found = namespace.columns.filter { $0.name == name }
                if found.count > 1 { throw Unknown() }
                if let column = found.first {
                    let owner =
                        place.merged[column.id]
                        ?? namespace.relations.indices.first { index in
                            !place.usingAliases.contains(index)
                                && namespace.relations[index].columns.contains { $0.id == column.id && $0.name == name }
                        }
                    guard let owner else { return (nil, try mergedName(name, place, level)) }
                    guard owner < place.shown.count else { throw Unknown() }
                    return (place.shown[owner], try place.columnName(name, owner))
                }
            }
            current = place.parent
        }
        throw Unknown()
    }

    /// A column by the alias of a join's USING: the column that it is, or the one that the join made.
    private func usingColumn(_ name: String, _ alias: Int, _ place: Level, _ level: Level) throws -> (
        relation: String?, name: String
    ) {
        let namespace = place.scope.namespace
        guard let column = namespace.relations[alias].columns.first(where: { $0.name == name }) else { throw Unknown() }
        let owner =
            place.merged[column.id]
            ?? namespace.relations.indices.first { index in
                !place.usingAliases.contains(index)
                    && namespace.relations[index].columns.contains { $0.id == column.id }
            }
        if let owner {
            guard owner < place.shown.count else { throw Unknown() }
            return (place.shown[owner], try place.columnName(name, owner))
        }
        // A query within may have another column of that name.
        guard place === level, place.columnNames != nil else { throw Unknown() }
        return (nil, try place.columnName(name, alias))
    }

    private func mergedName(_ name: String, _ place: Level, _ level: Level) throws -> String {
        if let names = place.columnNames {
            guard place === level, let shown = names.merged[name], shown.count == 1, let only = shown.first else {
                throw Unknown()
            }
            return only
        }
        // Within a join that has an alias; other columns of that name would have to give way.
        let count = place.scope.namespace.relations.count { $0.columns.contains { $0.name == name } }
        guard count == 2, place.parent == nil else { throw Unknown() }
        return name
    }
}
