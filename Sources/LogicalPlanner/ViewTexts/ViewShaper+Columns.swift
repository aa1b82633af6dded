// Names of columns where JOIN … USING makes one that belongs to no relation: it is written without a relation's name, so no
// other column of the query may have its name. Others give way by a number, as aliases of their relations' columns.

import Columnar
import SQLFunctions
import SQLParser

extension ViewShaper {
    /// What the columns of a SELECT's relations are called, by the relation's place.
    struct ColumnNames {
        var relations: [[String]]
        /// Of joins with USING, by the join's place in the text.
        var using: [Int: [String]] = [:]
        /// Of the columns that USING made, by what the query calls them.
        var merged: [String: Set<String>] = [:]

        /// Those of some of the relations.
        func part(_ range: Range<Int>) -> ColumnNames {
            var result = self
            result.relations = Array(relations[range])
            return result
        }
    }

    /// An item of FROM while its columns get names.
    private final class Item {
        enum Kind {
            case relation(Int)
            /// For every column its places in the two inputs.
            case join(Item, Item, [(left: Int?, right: Int?)], using: Int, position: Int, alias: Int?)
        }
        let kind: Kind
        let original: [String]
        let types: [DataType]
        var names: [String?]
        /// Names of USING around it.
        var outer: [String] = []

        init(_ kind: Kind, _ original: [String], _ types: [DataType]) {
            self.kind = kind
            self.original = original
            self.types = types
            names = original.map { _ in nil }
        }
    }

    /// Gives the level's columns names if some join makes a column that is neither input's.
    func nameColumns(_ references: [TableReference], _ level: Level) throws {
        var leaves = LeafReader(relations: level.scope.namespace.relations)
        var makesColumns = false
        let items = try references.map { try item($0, &leaves, &makesColumns) }
        guard makesColumns else { return }
        guard level.hidden.isEmpty else { throw Unknown() }
        var naming = Naming(result: ColumnNames(relations: leaves.relations.map { $0.columns.map(\.name) }))
        for item in items { naming.nameMerged(item) }
        for item in items { naming.nameOthers(item) }
        level.columnNames = naming.result
    }

    private func item(_ reference: TableReference, _ leaves: inout LeafReader, _ makesColumns: inout Bool) throws
        -> Item
    {
        guard case .join(let join) = reference.kind, reference.alias?.name == nil else {
            let (relation, index) = try leaves.next()
            return Item(.relation(index), relation.columns.map(\.name), relation.columns.map(\.type))
        }
        let left = try item(join.left, &leaves, &makesColumns)
        let right = try item(join.right, &leaves, &makesColumns)
        var using: [String] = []
        var alias: Int?
        if case .using(let names, let written) = join.condition {
            using = names.map(\.text)
            if written != nil { alias = try leaves.next().index }
        }
        var sources: [(left: Int?, right: Int?)] = []
        var types: [DataType] = []
        for name in using {
            guard let l = left.original.firstIndex(of: name), let r = right.original.firstIndex(of: name),
                let common = TypeConversion.commonType([left.types[l], right.types[r]])
            else { throw Unknown() }
            let isLeft = Self.isSame(left.types[l], common)
            let isRight = Self.isSame(right.types[r], common)
            switch join.kind {
            case .full: makesColumns = true
            case .left: if !isLeft { makesColumns = true }
            case .right: if !isRight { makesColumns = true }
            default: break
            }
            sources.append((l, r))
            types.append(common)
        }
        var original = using
        for (index, name) in left.original.enumerated() where !using.contains(name) {
            original.append(name)
            types.append(left.types[index])
            sources.append((index, nil))
        }
        for (index, name) in right.original.enumerated() where !using.contains(name) {
            original.append(name)
            types.append(right.types[index])
            sources.append((nil, index))
        }
        return Item(
            .join(left, right, sources, using: using.count, position: join.position.offset, alias: alias), original,
            types)
    }

    private struct Naming {
        var result: ColumnNames
        private var taken: Set<String> = []

        init(result: ColumnNames) { self.result = result }

        private func unique(_ name: String, _ item: Item) -> String {
            var found = name
            var number = 0
            while taken.contains(found) || item.outer.contains(found) || item.names.contains(found) {
                number += 1
                found = "\(name)_\(number)"
            }
            return found
        }

        /// Columns of USING first, from the outermost join down: both inputs have them under the join's name.
        mutating func nameMerged(_ item: Item) {
            guard case .join(let left, let right, let sources, let usingCount, let position, let alias) = item.kind
            else {
                return
            }
            func pass(_ index: Int) {
                if let place = sources[index].left { left.names[place] = item.names[index] }
                if let place = sources[index].right { right.names[place] = item.names[index] }
            }
            for index in sources.indices where item.names[index] != nil { pass(index) }
            var using: [String] = []
            for index in 0..<usingCount {
                let name = item.names[index] ?? unique(item.original[index], item)
                taken.insert(name)
                item.names[index] = name
                pass(index)
                using.append(name)
                result.merged[item.original[index], default: []].insert(name)
            }
            if usingCount > 0 { result.using[position] = using }
            if let alias { result.relations[alias] = using }
            for input in [left, right] {
                input.outer = item.outer + using
                nameMerged(input)
            }
        }

        mutating func nameOthers(_ item: Item) {
            switch item.kind {
            case .join(let left, let right, _, _, _, _):
                nameOthers(left)
                nameOthers(right)
            case .relation(let index):
                for place in item.names.indices where item.names[place] == nil {
                    item.names[place] = unique(item.original[place], item)
                }
                result.relations[index] = item.names.compactMap { $0 }
            }
        }
    }
}
