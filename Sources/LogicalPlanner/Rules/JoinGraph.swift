// The graph of a group of joins: inputs, the predicates between them, and plans for sets of inputs.

import Columnar
import PlanStatistics
import QueryPlan

/// An input of the group. Semi, anti and left joins take part as inputs that must come behind those they refer to.
struct JoinInput {
    var plan: LogicalPlan
    var columns: ColumnSet
    var rowCount = 0.0
    var kind: JoinKind = .inner
    /// For kinds other than inner: the join's condition and the inputs that it refers to.
    var condition: [Expression] = []
    var isNullAware = false
    var required: UInt64 = 0
}

/// A predicate between inputs.
private struct JoinEdge {
    var predicate: Expression
    var inputs: UInt64
}

/// Chooses the order in which a group of joins is computed. Sets of inputs are bit masks.
struct JoinGraph {
    private(set) var inputs: [JoinInput]
    private var edges: [JoinEdge] = []
    /// Equal columns of different inputs: one equality of a class ties two sets.
    private var classes: [[(input: Int, column: Expression)]] = []
    /// Predicates that can only be asked when everything is joined.
    private(set) var remaining: [Expression] = []
    private var neighbours: [UInt64]
    private let estimator: CardinalityEstimator

    /// Sets up to this many inputs are searched completely.
    private static let completeSearchLimit = 12

    init(inputs: [JoinInput], conjuncts: [Expression], estimator: CardinalityEstimator) {
        self.inputs = inputs
        self.estimator = estimator
        neighbours = inputs.map { _ in 0 }
        addPredicates(conjuncts)
        for index in inputs.indices where inputs[index].kind != .inner {
            let needed = mask(of: Expression.conjunction(inputs[index].condition).columnSet) & ~(1 << UInt64(index))
            self.inputs[index].required = needed
            connect(needed, 1 << UInt64(index))
        }
    }

    private func mask(of columns: ColumnSet) -> UInt64 {
        var mask: UInt64 = 0
        for index in inputs.indices where !inputs[index].columns.isDisjoint(with: columns) {
            mask |= 1 << UInt64(index)
        }
        return mask
    }

    private mutating func connect(_ a: UInt64, _ b: UInt64) {
        for index in inputs.indices {
            if a & (1 << UInt64(index)) != 0 { neighbours[index] |= b & ~(1 << UInt64(index)) }
            if b & (1 << UInt64(index)) != 0 { neighbours[index] |= a & ~(1 << UInt64(index)) }
        }
    }

    private mutating func addPredicates(_ conjuncts: [Expression]) {
        var equivalence = EquivalenceClasses()
        let outer = inputs.indices.reduce(UInt64(0)) { inputs[$1].kind == .left ? $0 | 1 << UInt64($1) : $0 }
        for conjunct in conjuncts {
            let involved = mask(of: conjunct.columnSet)
            if involved & outer != 0 || involved.nonzeroBitCount < 2 {
                remaining.append(conjunct)
            } else if !equivalence.add(conjunct) {
                edges.append(JoinEdge(predicate: conjunct, inputs: involved))
                if involved.nonzeroBitCount == 2 { connect(involved, involved) }
            }
        }
        for members in equivalence.classes where !members.isEmpty {
            var located: [(Int, Expression)] = []
            for member in members {
                if let index = inputs.firstIndex(where: { $0.columns.contains(member.id) }) {
                    located.append((index, .column(member.id, member.type)))
                }
            }
            classes.append(located)
            let all = located.reduce(UInt64(0)) { $0 | 1 << UInt64($1.0) }
            connect(all, all)
        }
    }

    /// Two columns of one input in a class are equal to each other there; the class alone would not say so.
    func equalitiesWithinInputs() -> [[Expression]] {
        var result: [[Expression]] = inputs.map { _ in [] }
        for members in classes {
            for index in inputs.indices {
                let own = members.filter { $0.input == index }
                for other in own.dropFirst() {
                    result[index].append(.comparison("=", own[0].column, other.column))
                }
            }
        }
        return result
    }

    // MARK: Conditions

    /// The predicates that become decidable when two sets are joined.
    private func condition(_ a: UInt64, _ b: UInt64) -> [Expression] {
        var result: [Expression] = []
        // Where a class has several columns on a side, the input with the most ties is taken: keys of one table
        // together say more about the number of rows than keys of different ones.
        var ties = inputs.map { _ in 0 }
        for members in classes {
            let inA = members.filter { a & (1 << UInt64($0.input)) != 0 }
            let inB = members.filter { b & (1 << UInt64($0.input)) != 0 }
            if !inA.isEmpty, !inB.isEmpty { for member in inA + inB { ties[member.input] += 1 } }
        }
        for members in classes {
            let left = members.filter { a & (1 << UInt64($0.input)) != 0 }.max { ties[$0.input] < ties[$1.input] }
            let right = members.filter { b & (1 << UInt64($0.input)) != 0 }.max { ties[$0.input] < ties[$1.input] }
            if let left, let right { result.append(.comparison("=", left.column, right.column)) }
        }
        for edge in edges
        where edge.inputs & ~(a | b) == 0 && edge.inputs & ~a != 0 && edge.inputs & ~b != 0 {
            result.append(edge.predicate)
        }
        return result
    }

    private func hasKey(_ conditions: [Expression], _ a: ColumnSet) -> Bool {
        conditions.contains { conjunct in
            guard let (left, right, _) = conjunct.asEquality else { return false }
            let (l, r) = (left.columnSet, right.columnSet)
            return !l.isEmpty && !r.isEmpty && (l.isSubset(of: a) != r.isSubset(of: a))
                && (l.isSubset(of: a) || l.isDisjoint(with: a)) && (r.isSubset(of: a) || r.isDisjoint(with: a))
        }
    }

    // MARK: Plans of sets

    /// The best plan found for a set.
    private struct Entry {
        var rowCount: Double
        var cost: Double
        /// The two sets that it is made of; zero for a single input.
        var left: UInt64 = 0
        var right: UInt64 = 0
    }

    /// How two sets are joined: as the inner join of both, or with one of them as the right side of another kind.
    private func orientation(_ a: UInt64, _ b: UInt64) -> (left: UInt64, right: UInt64, kind: JoinKind)? {
        func single(_ set: UInt64) -> JoinInput? {
            set.nonzeroBitCount == 1 ? inputs[set.trailingZeroBitCount] : nil
        }
        let (first, second) = (single(a), single(b))
        if let second, second.kind != .inner {
            if let first, first.kind != .inner { return nil }
            return second.required & ~a == 0 ? (a, b, second.kind) : nil
        }
        if let first, first.kind != .inner { return first.required & ~b == 0 ? (b, a, first.kind) : nil }
        return (a, b, .inner)
    }

    private func columns(_ set: UInt64) -> ColumnSet {
        var result = ColumnSet()
        for index in inputs.indices where set & (1 << UInt64(index)) != 0 { result.formUnion(inputs[index].columns) }
        return result
    }

    /// The entry for joining two planned sets, better than `known` if that is given.
    private func join(_ a: UInt64, _ first: Entry, _ b: UInt64, _ second: Entry, known: Entry?) -> Entry? {
        guard let (left, right, kind) = orientation(a, b) else { return nil }
        let (l, r) = left == a ? (first, second) : (second, first)
        let conditions = kind == .inner ? condition(left, right) : inputs[right.trailingZeroBitCount].condition
        let leftColumns = columns(left)
        let rowCount =
            known?.rowCount
            ?? estimator.joinRowCount(
                kind, condition: .conjunction(conditions), left: l.rowCount, right: r.rowCount,
                leftColumns: leftColumns, rightColumns: columns(right))
        let cost = l.cost + r.cost + rowCount + joinCost(l.rowCount, r.rowCount, hasKey(conditions, leftColumns))
        if let known, known.cost <= cost { return known }
        return Entry(rowCount: rowCount, cost: cost, left: left, right: right)
    }

    /// Work of one join in rows: building costs about twice what probing does; without a key all pairs are tried.
    private func joinCost(_ left: Double, _ right: Double, _ hasKey: Bool) -> Double {
        hasKey ? max(left, right) + 2 * min(left, right) : left + right + left * right
    }

    // MARK: Search

    /// A join tree over all inputs, with the remaining predicates on top.
    mutating func solve() -> LogicalPlan {
        var trees: [(set: UInt64, table: [UInt64: Entry])] = []
        var rest: UInt64 = inputs.count == 64 ? ~0 : (1 << UInt64(inputs.count)) - 1
        while rest != 0 {
            let component = connected(from: rest & (~rest &+ 1))
            rest &= ~component
            trees.append(
                (
                    component,
                    component.nonzeroBitCount <= Self.completeSearchLimit
                        ? searchCompletely(component) : searchGreedily(component)
                ))
        }
        // Parts without any predicate between them: the smallest first.
        trees.sort { ($0.table[$0.set]?.rowCount ?? 0) < ($1.table[$1.set]?.rowCount ?? 0) }
        var (set, table) = trees[0]
        for tree in trees.dropFirst() {
            table.merge(tree.table) { first, _ in first }
            if let a = table[set], let b = table[tree.set] {
                table[set | tree.set] = join(set, a, tree.set, b, known: nil)
            }
            set |= tree.set
        }
        var used: Set<Int> = []
        let plan = build(set, table, &used)
        // Predicates over three and more inputs that no join happened to bring together.
        let unused = edges.indices.filter { !used.contains($0) }.map { edges[$0].predicate }
        return plan.filtered(unused + remaining)
    }

    private func connected(from start: UInt64) -> UInt64 {
        var (reached, previous) = (start, UInt64(0))
        while reached != previous {
            previous = reached
            reached |= neighbourhood(reached)
        }
        return reached
    }

    private func neighbourhood(_ set: UInt64) -> UInt64 {
        var (result, rest) = (UInt64(0), set)
        while rest != 0 {
            result |= neighbours[rest.trailingZeroBitCount]
            rest &= rest &- 1
        }
        return result & ~set
    }

    private func startEntries(_ component: UInt64) -> [UInt64: Entry] {
        var table: [UInt64: Entry] = [:]
        for index in inputs.indices where component & (1 << UInt64(index)) != 0 {
            table[1 << UInt64(index)] = Entry(rowCount: inputs[index].rowCount, cost: 0)
        }
        return table
    }

    /// Every pair of connected sets that are connected to each other, once (DPccp: G. Moerkotte, T. Neumann, "Analysis
    /// of Two Existing and One New Dynamic Programming Algorithm", VLDB 2006).
    private func searchCompletely(_ component: UInt64) -> [UInt64: Entry] {
        var pairs: [(UInt64, UInt64)] = []
        let all = inputs.indices.filter { component & (1 << UInt64($0)) != 0 }
        for index in all.reversed() {
            let start = UInt64(1) << UInt64(index)
            let excluded = component & (start | (start &- 1))
            collectPairs(for: start, &pairs)
            forEachConnectedSuperset(of: start, excluding: excluded) { collectPairs(for: $0, &pairs) }
        }
        pairs.sort { ($0.0 | $0.1).nonzeroBitCount < ($1.0 | $1.1).nonzeroBitCount }
        var table = startEntries(component)
        for (a, b) in pairs {
            guard let first = table[a], let second = table[b] else { continue }
            if let entry = join(a, first, b, second, known: table[a | b]) { table[a | b] = entry }
        }
        return table[component] == nil ? searchGreedily(component) : table
    }

    private func forEachConnectedSuperset(of set: UInt64, excluding excluded: UInt64, _ body: (UInt64) -> Void) {
        let around = neighbourhood(set) & ~excluded
        if around == 0 { return }
        forEachSubset(of: around) { body(set | $0) }
        forEachSubset(of: around) {
            forEachConnectedSuperset(of: set | $0, excluding: excluded | around, body)
        }
    }

    private func forEachSubset(of set: UInt64, _ body: (UInt64) -> Void) {
        var subset: UInt64 = 0
        repeat {
            subset = (subset &- set) & set
            if subset != 0 { body(subset) }
        } while subset != 0
    }

    private func collectPairs(for set: UInt64, _ pairs: inout [(UInt64, UInt64)]) {
        let below = (set & (~set &+ 1)) &- 1
        let excluded = set | below | (set & (~set &+ 1))
        let around = neighbourhood(set) & ~excluded
        for index in inputs.indices.reversed() where around & (1 << UInt64(index)) != 0 {
            let start = UInt64(1) << UInt64(index)
            pairs.append((set, start))
            let others = excluded | (around & (start | (start &- 1)))
            forEachConnectedSuperset(of: start, excluding: others) { pairs.append((set, $0)) }
        }
    }

    /// Joins the two sets with the smallest result until one is left.
    private func searchGreedily(_ component: UInt64) -> [UInt64: Entry] {
        var table = startEntries(component)
        var sets = Array(table.keys).sorted()
        while sets.count > 1 {
            var best: (a: Int, b: Int, entry: Entry, isConnected: Bool)?
            for a in sets.indices {
                for b in sets.indices where b > a {
                    guard let first = table[sets[a]], let second = table[sets[b]] else { continue }
                    let isConnected = neighbourhood(sets[a]) & sets[b] != 0
                    if let best, best.isConnected, !isConnected { continue }
                    guard let entry = join(sets[a], first, sets[b], second, known: nil) else { continue }
                    let isBetter = best.map {
                        isConnected != $0.isConnected
                            ? isConnected
                            : entry.rowCount + entry.cost * 1e-3 < $0.entry.rowCount + $0.entry.cost * 1e-3
                    }
                    if isBetter ?? true { best = (a, b, entry, isConnected) }
                }
            }
            guard let found = best else { break }
            let union = sets[found.a] | sets[found.b]
            table[union] = found.entry
            sets.remove(at: found.b)
            sets[found.a] = union
        }
        return table
    }

    // MARK: Trees

    private func build(_ set: UInt64, _ table: [UInt64: Entry], _ used: inout Set<Int>) -> LogicalPlan {
        guard set.nonzeroBitCount > 1, let entry = table[set] else { return inputs[set.trailingZeroBitCount].plan }
        let left = build(entry.left, table, &used)
        let right = build(entry.right, table, &used)
        guard let (_, _, kind) = orientation(entry.left, entry.right), kind != .inner else {
            let (a, b) = (entry.left, entry.right)
            for (index, edge) in edges.enumerated()
            where edge.inputs & ~(a | b) == 0 && edge.inputs & ~a != 0 && edge.inputs & ~b != 0 { used.insert(index) }
            let isSwapped = (table[a]?.rowCount ?? 0) < (table[b]?.rowCount ?? 0)
            return .join(
                LogicalJoin(
                    kind: .inner, condition: .conjunction(condition(a, b)), left: isSwapped ? right : left,
                    right: isSwapped ? left : right))
        }
        let input = inputs[entry.right.trailingZeroBitCount]
        return .join(
            LogicalJoin(
                kind: kind, condition: .conjunction(input.condition), left: left, right: right,
                isNullAware: input.isNullAware))
    }
}
