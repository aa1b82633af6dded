// Sets of column identities as bits: the optimiser asks "does this side have these columns?" all the time.

/// A set of columns. Identities are small numbers, so a set is a few machine words.
package struct ColumnSet: Hashable, Sendable, Sequence, ExpressibleByArrayLiteral {
    /// The last word is never zero, so that equal sets are equal arrays.
    private var words: [UInt64] = []

    package init() {}
    package init(arrayLiteral elements: ColumnID...) { for id in elements { insert(id) } }
    package init(_ columns: [PlanColumn]) { for column in columns { insert(column.id) } }
    package init(_ ids: some Sequence<ColumnID>) { for id in ids { insert(id) } }

    package var isEmpty: Bool { words.isEmpty }
    package var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

    package mutating func insert(_ id: ColumnID) {
        let word = id.number >> 6
        while words.count <= word { words.append(0) }
        words[word] |= 1 << UInt64(id.number & 63)
    }

    package mutating func remove(_ id: ColumnID) {
        let word = id.number >> 6
        guard word < words.count else { return }
        words[word] &= ~(1 << UInt64(id.number & 63))
        trim()
    }

    package func contains(_ id: ColumnID) -> Bool {
        let word = id.number >> 6
        return word < words.count && words[word] & (1 << UInt64(id.number & 63)) != 0
    }

    package mutating func formUnion(_ other: ColumnSet) {
        while words.count < other.words.count { words.append(0) }
        for index in other.words.indices { words[index] |= other.words[index] }
    }
    package func union(_ other: ColumnSet) -> ColumnSet {
        var copy = self
        copy.formUnion(other)
        return copy
    }

    package mutating func subtract(_ other: ColumnSet) {
        for index in 0..<Swift.min(words.count, other.words.count) { words[index] &= ~other.words[index] }
        trim()
    }
    package func subtracting(_ other: ColumnSet) -> ColumnSet {
        var copy = self
        copy.subtract(other)
        return copy
    }

    package func intersection(_ other: ColumnSet) -> ColumnSet {
        var copy = self
        copy.words = Array(words.prefix(other.words.count))
        for index in copy.words.indices { copy.words[index] &= other.words[index] }
        copy.trim()
        return copy
    }

    package func isSubset(of other: ColumnSet) -> Bool {
        if words.count > other.words.count { return false }
        for index in words.indices where words[index] & ~other.words[index] != 0 { return false }
        return true
    }

    package func isDisjoint(with other: ColumnSet) -> Bool {
        for index in 0..<Swift.min(words.count, other.words.count) where words[index] & other.words[index] != 0 {
            return false
        }
        return true
    }

    private mutating func trim() { while words.last == 0 { words.removeLast() } }

    /// In ascending order.
    package func makeIterator() -> AnyIterator<ColumnID> {
        var word = 0
        var rest = words.first ?? 0
        return AnyIterator { [words] in
            while rest == 0 {
                word += 1
                guard word < words.count else { return nil }
                rest = words[word]
            }
            let bit = rest.trailingZeroBitCount
            rest &= rest - 1
            return ColumnID(word << 6 + bit)
        }
    }
}

extension Expression {
    /// Adds the columns that the expression reads, including those that sub-queries take from outside.
    package func collectColumns(into set: inout ColumnSet) {
        switch self {
        case .column(let id, _): set.insert(id)
        case .input, .literal, .parameter: break
        case .call(let call): for argument in call.arguments { argument.collectColumns(into: &set) }
        case .cast(let operand, _, _), .not(let operand), .isNull(let operand), .inList(let operand, _):
            operand.collectColumns(into: &set)
        case .conditional(let branches, let otherwise, _):
            for branch in branches {
                branch.condition.collectColumns(into: &set)
                branch.result.collectColumns(into: &set)
            }
            otherwise.collectColumns(into: &set)
        case .and(let operands), .or(let operands), .coalesce(let operands, _):
            for operand in operands { operand.collectColumns(into: &set) }
        case .subquery(let subquery):
            switch subquery.kind {
            case .any(let needles, _), .all(let needles, _): for needle in needles { needle.collectColumns(into: &set) }
            case .scalar, .exists, .array: break
            }
            set.formUnion(subquery.plan.outerColumns)
        }
    }

    /// The columns that the expression reads, as bits.
    package var columnSet: ColumnSet {
        var set = ColumnSet()
        collectColumns(into: &set)
        return set
    }
}

extension LogicalPlan {
    /// The columns that the node gives, as bits.
    package var columnSet: ColumnSet {
        switch self {
        case .filter(let node): return node.input.columnSet
        case .sort(let node): return node.input.columnSet
        case .limit(let node): return node.input.columnSet
        case .distinct(let node): return node.input.columnSet
        case .join(let node):
            switch node.kind {
            case .semi, .anti: return node.left.columnSet
            case .mark:
                var set = node.left.columnSet
                if let mark = node.markColumn { set.insert(mark.id) }
                return set
            case .rightSemi, .rightAnti: return node.right.columnSet
            case .inner, .left, .right, .full, .single: return node.left.columnSet.union(node.right.columnSet)
            }
        default: return ColumnSet(columns)
        }
    }

    /// The columns that the plan reads and nothing in it makes: those of outer queries.
    package var outerColumns: ColumnSet {
        var used = ColumnSet()
        var made = ColumnSet()
        collectColumns(used: &used, made: &made)
        return used.subtracting(made)
    }

    private func collectColumns(used: inout ColumnSet, made: inout ColumnSet) {
        switch self {
        case .scan(let node): for column in node.columns { made.insert(column.id) }
        case .values(let node): for column in node.columns { made.insert(column.id) }
        case .project(let node): for column in node.columns { made.insert(column.id) }
        case .aggregate(let node):
            for column in node.groupColumns { made.insert(column.id) }
            if let column = node.setIndexColumn { made.insert(column.id) }
            for column in node.aggregateColumns { made.insert(column.id) }
        case .join(let node): if let mark = node.markColumn { made.insert(mark.id) }
        case .setOperation(let node): for column in node.columns { made.insert(column.id) }
        case .window(let node): for column in node.columns { made.insert(column.id) }
        case .tableFunction(let node):
            for column in node.columns { made.insert(column.id) }
            if let column = node.ordinalityColumn { made.insert(column.id) }
        case .recursive(let node): for column in node.columns { made.insert(column.id) }
        case .workingTable(let node): for column in node.columns { made.insert(column.id) }
        case .write(let node): made.insert(node.countColumn.id)
        case .sharedRead(let node): for column in node.columns { made.insert(column.id) }
        case .filter, .sort, .limit, .distinct, .shared: break
        }
        for expression in expressions { expression.collectColumns(into: &used) }
        for input in inputs { input.collectColumns(used: &used, made: &made) }
    }
}
