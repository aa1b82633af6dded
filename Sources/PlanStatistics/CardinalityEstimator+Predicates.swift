// Selectivities of predicates and sizes of joins.

import Columnar
import QueryPlan

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension CardinalityEstimator {
    private static let unknownComparison = 1.0 / 3
    private static let columnComparison = 0.4
    private static let aggregateComparison = 0.05
    private static let unknownPredicate = 0.25
    private static let containsText = 0.06
    private static let startsWithText = 0.02
    private static let smallest = 1e-9

    /// The share of rows for which a predicate is true. Ranges of one column are taken together, all else as independent.
    package func selectivity(_ predicate: Expression, rowCount: Double) -> Double {
        let conjuncts = predicate.conjuncts
        if conjuncts.isEmpty { return 1 }
        if conjuncts.count == 1 { return single(conjuncts[0], rowCount: rowCount) }
        var result = 1.0
        for conjunct in conjuncts where range(conjunct) == nil { result *= single(conjunct, rowCount: rowCount) }
        for range in ranges(conjuncts) { result *= share(range.id, low: range.low, high: range.high) }
        return max(result, Self.smallest)
    }

    /// What comparisons with constants say about columns of known extent, all those of a column together.
    func ranges(_ conjuncts: [Expression]) -> [(id: ColumnID, low: Double, high: Double)] {
        var ranges: [(id: ColumnID, low: Double, high: Double)] = []
        for conjunct in conjuncts {
            guard let (id, low, high) = range(conjunct) else { continue }
            if let index = ranges.firstIndex(where: { $0.id == id }) {
                ranges[index].low = max(ranges[index].low, low)
                ranges[index].high = min(ranges[index].high, high)
            } else {
                ranges.append((id, low, high))
            }
        }
        return ranges
    }

    /// `column op constant` as a range, for columns whose extent is known.
    private func range(_ predicate: Expression) -> (ColumnID, Double, Double)? {
        guard let (name, left, right) = predicate.asComparison, name != "=", name != "<>" else { return nil }
        var (id, constant, isLess) = (source(left), right, name == "<" || name == "<=")
        if id == nil || constant.literal == nil { (id, constant, isLess) = (source(right), left, !isLess) }
        guard let id, let value = constant.literal?.axisValue(constant.type), let known = self[id],
            known.minimum != nil,
            known.maximum != nil
        else { return nil }
        return isLess ? (id, -.infinity, value) : (id, value, .infinity)
    }

    private func share(_ id: ColumnID, low: Double, high: Double) -> Double {
        guard let column = self[id], let minimum = column.minimum, let maximum = column.maximum else {
            return Self.unknownComparison
        }
        let (from, to) = (max(low, minimum), min(high, maximum))
        if to < from { return Self.smallest }
        if maximum <= minimum { return 1 - column.nullFraction }
        let share = (to - from) / (maximum - minimum)
        return min(1, max(share, 1 / max(1, column.distinctCount))) * (1 - column.nullFraction)
    }

    private func single(_ predicate: Expression, rowCount: Double) -> Double {
        switch predicate {
        case .literal(let value, _): return value == .boolean(true) ? 1 : Self.smallest
        case .and: return selectivity(predicate, rowCount: rowCount)
        case .or(let operands):
            return min(1, 1 - operands.reduce(1) { $0 * (1 - selectivity($1, rowCount: rowCount)) })
        case .not(let operand): return max(Self.smallest, 1 - selectivity(operand, rowCount: rowCount))
        case .isNull(let operand):
            return max(0.001, source(operand).flatMap { self[$0] }?.nullFraction ?? 0.05)
        case .inList(let operand, let values):
            let column = estimate(operand, rowCount: rowCount)
            return min(0.9, Double(max(1, values.count)) / max(1, guessedDistinctCount(operand, column)))
        case .column: return 0.5
        case .call(let call): return comparison(predicate, call, rowCount: rowCount)
        default: return Self.unknownPredicate
        }
    }

    private func comparison(_ predicate: Expression, _ call: ScalarCall, rowCount: Double) -> Double {
        if let (id, low, high) = range(predicate) { return share(id, low: low, high: high) }
        guard let (name, left, right) = predicate.asComparison else {
            switch call.name {
            case "~~", "~~*", "~", "~*", "contains":
                let pattern = call.arguments.last?.literal?.text ?? "%"
                return call.name.hasPrefix("~~") && !pattern.hasPrefix("%") && !pattern.hasPrefix("_")
                    ? Self.startsWithText : Self.containsText
            case "starts_with", "^@": return Self.startsWithText
            case "!~~", "!~~*", "!~", "!~*": return 1 - Self.containsText
            default: return Self.unknownPredicate
            }
        }
        let (a, b) = (estimate(left, rowCount: rowCount), estimate(right, rowCount: rowCount))
        let isConstant = left.columnSet.isEmpty || right.columnSet.isEmpty
        switch name {
        case "=", "<>":
            var equal = 1 / max(guessedDistinctCount(left, a), guessedDistinctCount(right, b), 1)
            if isConstant, let point = left.columnSet.isEmpty ? a.minimum : b.minimum {
                let column = left.columnSet.isEmpty ? b : a
                if let low = column.minimum, let high = column.maximum, point < low || point > high {
                    equal = Self.smallest
                }
            }
            return name == "=" ? max(equal, Self.smallest) : 1 - equal
        default:
            if !isConstant { return Self.columnComparison }
            return a.isAggregate || b.isAggregate ? Self.aggregateComparison : Self.unknownComparison
        }
    }

    /// Numbers of unknown extent are not taken for unique when they are compared with a constant.
    private func guessedDistinctCount(_ expression: Expression, _ estimate: ColumnEstimate) -> Double {
        if estimate.isKnown || estimate.minimum != nil || expression.type.isString || expression.type == .boolean {
            return estimate.distinctCount
        }
        return min(estimate.distinctCount, 200)
    }

    // MARK: Joins

    /// Rows of a join of inputs with so many rows.
    package func joinRowCount(_ node: LogicalJoin, left: Double, right: Double) -> Double {
        joinRowCount(
            node.kind, condition: node.condition, left: left, right: right, leftColumns: node.left.columnSet,
            rightColumns: node.right.columnSet)
    }

    package func joinRowCount(
        _ kind: JoinKind, condition: Expression, left: Double, right: Double, leftColumns: ColumnSet,
        rightColumns: ColumnSet
    ) -> Double {
        switch kind {
        case .mark, .single: return left
        default: break
        }
        var keys: [(left: Expression, right: Expression)] = []
        var rest = 1.0
        for conjunct in condition.conjuncts {
            if let (a, b, _) = conjunct.asEquality {
                let (aColumns, bColumns) = (a.columnSet, b.columnSet)
                if !aColumns.isEmpty, !bColumns.isEmpty {
                    if aColumns.isSubset(of: leftColumns), bColumns.isSubset(of: rightColumns) {
                        keys.append((a, b))
                        continue
                    }
                    if aColumns.isSubset(of: rightColumns), bColumns.isSubset(of: leftColumns) {
                        keys.append((b, a))
                        continue
                    }
                }
            }
            rest *= selectivity(conjunct, rowCount: left * right)
        }
        switch kind {
        case .semi: return max(left * matchShare(keys, side: \.left, right, rest), min(left, 1))
        case .anti: return max(left * max(0.02, 1 - matchShare(keys, side: \.left, right, rest)), min(left, 1))
        case .rightSemi: return max(right * matchShare(keys.map { ($0.right, $0.left) }, side: \.left, left, rest), 1)
        case .rightAnti:
            return max(right * max(0.02, 1 - matchShare(keys.map { ($0.right, $0.left) }, side: \.left, left, rest)), 1)
        default: break
        }
        let meeting = KeyMatch(keys.map { match($0.left, $0.right, left: left, right: right) })
        let inner = left * meeting.leftShare * right * meeting.rightShare / meeting.domain * rest
        switch kind {
        case .left: return max(inner, left)
        case .right: return max(inner, right)
        case .full: return max(inner, left + right)
        default: return inner
        }
    }

    /// How the keys of both sides meet: one pair of keys.
    private func match(_ a: Expression, _ b: Expression, left: Double, right: Double) -> KeyMatch {
        let (a, b) = (estimate(a, rowCount: left), estimate(b, rowCount: right))
        var match = KeyMatch(
            leftShare: 1 - a.nullFraction, rightShare: 1 - b.nullFraction, domain: 1, origins: (a.origin, b.origin),
            limit: min(a.originRowCount, b.originRowCount))
        var (aValues, bValues) = (a.domain, b.domain)
        if let low = a.minimum, let high = a.maximum, let otherLow = b.minimum, let otherHigh = b.maximum,
            a.isDiscrete, b.isDiscrete
        {
            // Only values that both sides reach can meet; each side is taken to be spread evenly.
            let (from, to) = (max(low, otherLow), min(high, otherHigh))
            if from > to {
                match.leftShare = Self.smallest
                match.rightShare = Self.smallest
            } else {
                match.leftShare *= a.share(from: from, to: to)
                match.rightShare *= b.share(from: from, to: to)
                aValues.narrow(from: from, to: to)
                bValues.narrow(from: from, to: to)
            }
        }
        match.domain = Self.commonDomain((a, aValues), (b, bValues))
        return match
    }

    /// The number of values that the keys of both sides are drawn from.
    private static func commonDomain(
        _ a: (column: ColumnEstimate, values: ColumnEstimate.Domain),
        _ b: (column: ColumnEstimate, values: ColumnEstimate.Domain)
    ) -> Double {
        if a.column.isKnown, b.column.isKnown { return max(1, a.values.distinctCount, b.values.distinctCount) }
        // Upper bounds only. The side that may be a key (no more rows than its range has values) tells the domain; a
        // side that fills little of its range is a sample of the other's values.
        func mayBeKey(_ column: ColumnEstimate) -> Bool {
            guard let low = column.domain.minimum, let high = column.domain.maximum else { return true }
            return column.originRowCount <= high - low + 1
        }
        func isSample(_ column: ColumnEstimate) -> Bool {
            guard let low = column.domain.minimum, let high = column.domain.maximum else { return false }
            return column.originRowCount < 0.1 * (high - low + 1)
        }
        var candidates = [a, b].filter { mayBeKey($0.column) && !isSample($0.column) }
        if candidates.isEmpty { candidates = [a, b].filter { mayBeKey($0.column) } }
        if candidates.isEmpty { candidates = [a, b] }
        return max(1, candidates.map(\.values.distinctCount).min() ?? 1)
    }

    /// The share of rows on one side that find a match among `count` rows of the other.
    private func matchShare(
        _ keys: [(left: Expression, right: Expression)],
        side: KeyPath<(left: Expression, right: Expression), Expression>,
        _ count: Double, _ rest: Double
    ) -> Double {
        if keys.isEmpty { return count >= 1 ? min(1, 0.5 + count * rest) : count }
        let meeting = KeyMatch(keys.map { match($0.left, $0.right, left: count, right: count) })
        let values = meeting.domain
        let perValue: Double = count * meeting.rightShare * max(rest, 0.5) / values
        let foundShare: Double = -expm1(-perValue)
        return min(1, max(meeting.leftShare * foundShare, Self.smallest))
    }
}

/// How the rows of a join's sides meet in their keys.
private struct KeyMatch {
    /// Rows of each side whose keys can meet at all.
    var leftShare = 1.0
    var rightShare = 1.0
    /// Values that the keys of these rows are drawn from.
    var domain = 1.0
    var origins = (0, 0)
    /// Combinations of keys between the same nodes at most.
    var limit = Double.infinity

    init(leftShare: Double, rightShare: Double, domain: Double, origins: (Int, Int), limit: Double) {
        self.leftShare = leftShare
        self.rightShare = rightShare
        self.domain = domain
        self.origins = origins
        self.limit = limit
    }

    /// Several keys together. Those between the same two nodes are not independent: neither node has more combinations
    /// than rows, and usually one of them is unique by the keys together.
    init(_ keys: [KeyMatch]) {
        var groups: [KeyMatch] = []
        for key in keys {
            leftShare *= key.leftShare
            rightShare *= key.rightShare
            if key.origins.0 > 0, key.origins.1 > 0, let index = groups.firstIndex(where: { $0.origins == key.origins })
            {
                groups[index].domain *= key.domain
            } else {
                groups.append(key)
            }
        }
        let isSingle = keys.count == 1
        domain = groups.reduce(1) { $0 * max(1, isSingle ? $1.domain : min($1.domain, max($1.limit, 1))) }
    }
}

extension ColumnEstimate {
    /// The share of the values' extent that a part of it has.
    func share(from low: Double, to high: Double) -> Double {
        Self.share(low, high, of: minimum, maximum, isDiscrete: isDiscrete, distinctCount: distinctCount)
    }

    fileprivate static func share(
        _ low: Double, _ high: Double, of minimum: Double?, _ maximum: Double?, isDiscrete: Bool, distinctCount: Double
    ) -> Double {
        guard let minimum, let maximum, maximum > minimum else { return 1 }
        let step = isDiscrete ? 1.0 : 0
        let share = (min(high, maximum) - max(low, minimum) + step) / (maximum - minimum + step)
        return min(1, max(share, 1 / max(1, distinctCount)))
    }
}

extension ColumnEstimate.Domain {
    /// Leaves the values of a part of the extent, of whole numbers or dates.
    fileprivate mutating func narrow(from low: Double, to high: Double) {
        let share = ColumnEstimate.share(
            low, high, of: minimum, maximum, isDiscrete: true, distinctCount: distinctCount)
        distinctCount = max(1, distinctCount * share)
    }
}
