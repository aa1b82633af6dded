// Predicates that follow from others: across equalities, and out of disjunctions.

import Columnar
import QueryPlan

enum InferredPredicates {
    /// The conjuncts of a group of inner joins with those that follow from them: restrictions of a column hold for all
    /// columns that are equal to it, and a disjunction restricts each table that all its branches restrict.
    static func inferred(_ conjuncts: [Expression], leaves: [ColumnSet]) -> [Expression] {
        var all = conjuncts
        for conjunct in conjuncts {
            guard case .or(let branches) = conjunct, !conjunct.isVolatile, !conjunct.canFail else { continue }
            let columns = conjunct.columnSet
            if leaves.contains(where: { columns.isSubset(of: $0) }) { continue }
            for leaf in leaves where !leaf.isDisjoint(with: columns) {
                if let derived = restriction(of: leaf, in: branches) { all.append(derived) }
            }
        }
        var classes = EquivalenceClasses()
        for conjunct in all { classes.add(conjunct) }
        if classes.isEmpty { return all.uniqued }
        for conjunct in all {
            guard let (id, type) = restrictedColumn(conjunct), let equal = classes.members(of: id) else { continue }
            for (other, otherType) in equal where other != id && otherType == type {
                all.append(conjunct.substituting([id: .column(other, type)]))
            }
        }
        return all.uniqued
    }

    /// Restrictions on one side of an equality, for the columns of the other side.
    static func transferred(_ predicates: [Expression], across equalities: [Expression], to side: ColumnSet)
        -> [Expression]
    {
        var result: [Expression] = []
        for equality in equalities {
            guard case (let a, let b, false)? = equality.asEquality else { continue }
            for (from, to) in [(a, b), (b, a)] {
                guard let source = from.asColumn, let target = to.asColumn, side.contains(target),
                    !side.contains(source)
                else { continue }
                for predicate in predicates where restrictedColumn(predicate)?.id == source {
                    result.append(predicate.substituting([source: to]))
                }
            }
        }
        return result
    }

    /// The column of a predicate that compares one column with constants and that equal columns fulfil alike.
    private static func restrictedColumn(_ predicate: Expression) -> (id: ColumnID, type: DataType)? {
        if predicate.isVolatile || predicate.canFail { return nil }
        var found: (ColumnID, DataType)?
        func isRestriction(_ expression: Expression) -> Bool {
            switch expression {
            case .and(let operands), .or(let operands): return operands.allSatisfy(isRestriction)
            case .inList(.column(let id, let type), _): return take(id, type)
            default:
                guard let (_, left, right) = expression.asComparison else { return false }
                if case .column(let id, let type) = left, right.isLiteral { return take(id, type) }
                if case .column(let id, let type) = right, left.isLiteral { return take(id, type) }
                return false
            }
        }
        func take(_ id: ColumnID, _ type: DataType) -> Bool {
            if let found { return found.0 == id }
            found = (id, type)
            return true
        }
        return isRestriction(predicate) ? found.map { (id: $0.0, type: $0.1) } : nil
    }

    /// What the disjunction says about the columns of one input: in each branch the conjuncts over it, if all have some.
    private static func restriction(of columns: ColumnSet, in branches: [Expression]) -> Expression? {
        var result: [Expression] = []
        for branch in branches {
            let own = branch.conjuncts.filter {
                let used = $0.columnSet
                return !used.isEmpty && used.isSubset(of: columns)
            }
            if own.isEmpty { return nil }
            result.append(.conjunction(own))
        }
        return ExpressionSimplifier.simplifiedDisjunction(result)
    }
}

/// Columns that predicates say are equal.
struct EquivalenceClasses {
    private(set) var classes: [[(id: ColumnID, type: DataType)]] = []
    private var index: [ColumnID: Int] = [:]

    var isEmpty: Bool { classes.isEmpty }

    /// Whether the predicate is an equality of two columns, which is taken in then.
    @discardableResult
    mutating func add(_ predicate: Expression) -> Bool {
        guard case (let a, let b, false)? = predicate.asEquality, case .column(let left, let leftType) = a,
            case .column(let right, let rightType) = b, left != right
        else { return false }
        switch (index[left], index[right]) {
        case (.none, .none):
            index[left] = classes.count
            index[right] = classes.count
            classes.append([(left, leftType), (right, rightType)])
        case (let known?, .none):
            index[right] = known
            classes[known].append((right, rightType))
        case (.none, let known?):
            index[left] = known
            classes[known].append((left, leftType))
        case (let first?, let second?):
            if first == second { return true }
            for member in classes[second] { index[member.id] = first }
            classes[first] += classes[second]
            classes[second] = []
        }
        return true
    }

    func members(of id: ColumnID) -> [(id: ColumnID, type: DataType)]? { index[id].map { classes[$0] } }
}

extension [Expression] {
    /// Each predicate once, in order.
    var uniqued: [Expression] {
        var result: [Expression] = []
        for expression in self where !result.contains(expression) { result.append(expression) }
        return result
    }
}
