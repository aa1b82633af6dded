// Rows of logical plan nodes. Column facts are kept by identity for the whole query: a column's values are those of the
// node that made it, filters and joins only choose among them.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Estimates sizes within one query's planning; confined to it.
package final class CardinalityEstimator {
    package let snapshot: StatisticsSnapshot
    private var columns: [ColumnEstimate?] = []
    /// Nodes that made columns so far.
    private var originCount = 0
    private var sharedRowCounts: [Int: Double] = [:]
    /// Of scans that were looked at: what their predicates leave of a column must not be counted again.
    private var scanRowCounts: [LogicalScan: Double] = [:]

    /// Rows of a table about which nothing is known.
    private static let unknownRowCount = 10_000.0
    /// Different values of a text column about which nothing is known.
    private static let unknownTextDistinctCount = 10.0

    package init(_ snapshot: StatisticsSnapshot) { self.snapshot = snapshot }

    package subscript(_ id: ColumnID) -> ColumnEstimate? {
        get { id.number < columns.count ? columns[id.number] : nil }
        set {
            while columns.count <= id.number { columns.append(nil) }
            columns[id.number] = newValue
        }
    }

    // MARK: Nodes

    /// Rows of a plan; also learns its columns.
    package func rowCount(_ plan: LogicalPlan) -> Double {
        if case .shared(let node) = plan {
            learn(node, rowCount: rowCount(node.definition))
            return rowCount(node.input)
        }
        return rowCount(of: plan, inputs: plan.inputs.map(rowCount))
    }

    /// Learns how many rows a shared definition has; to be called before its reads are looked at.
    package func learn(_ node: LogicalShared, rowCount: Double) { sharedRowCounts[node.number] = rowCount }

    /// Rows of a node whose inputs have so many rows; also learns the columns that the node makes.
    package func rowCount(of plan: LogicalPlan, inputs: [Double]) -> Double {
        switch plan {
        case .scan(let node): return learn(node)
        case .values(let node): return learn(node)
        case .filter(let node): return inputs[0] * selectivity(node.predicate, rowCount: inputs[0])
        case .project(let node):
            for (column, expression) in zip(node.columns, node.expressions) where self[column.id] == nil {
                self[column.id] = estimate(expression, rowCount: inputs[0])
            }
            return inputs[0]
        case .aggregate(let node): return learn(node, rowCount: inputs[0])
        case .join(let node):
            let count = joinRowCount(node, left: inputs[0], right: inputs[1])
            if let mark = node.markColumn {
                self[mark.id] = .init(distinctCount: 2, byteCount: 1, originRowCount: count)
            }
            return count
        case .sort: return inputs[0]
        case .limit(let node):
            guard let count = node.count?.literal?.axisValue(.int64) else { return inputs[0] }
            return min(inputs[0], count)
        case .distinct(let node):
            let keys = node.keys ?? node.input.columns.map(\.reference)
            return groupCount(keys, rowCount: inputs[0])
        case .setOperation(let node): return learn(node, left: inputs[0], right: inputs[1])
        case .window(let node):
            for column in node.columns {
                self[column.id] = .init(
                    distinctCount: max(1, inputs[0]), byteCount: column.type.typicalByteCount, originRowCount: inputs[0]
                )
            }
            return inputs[0]
        case .tableFunction(let node):
            let count = max(1, inputs[0]) * 10
            for column in node.columns + (node.ordinalityColumn.map { [$0] } ?? []) {
                self[column.id] = unknown(column.type, rowCount: count)
            }
            return count
        case .recursive(let node):
            let count = inputs[0] * 10
            for column in node.columns { self[column.id] = unknown(column.type, rowCount: count) }
            return count
        case .shared: return inputs[1]
        case .sharedRead(let node):
            for (column, source) in zip(node.columns, node.sources) { self[column.id] = self[source] }
            return sharedRowCounts[node.number] ?? Self.unknownRowCount
        case .workingTable(let node):
            for column in node.columns { self[column.id] = unknown(column.type, rowCount: 1_000) }
            return 1_000
        case .write(let node):
            self[node.countColumn.id] = .init(distinctCount: 1, originRowCount: 1)
            return 1
        }
    }

    private func learn(_ node: LogicalScan) -> Double {
        if let known = scanRowCounts[node] { return known }
        let statistics = snapshot.tables[node.table]
        let rowCount = statistics?.rowCount ?? Self.unknownRowCount
        originCount += 1
        let sampled = node.predicates.isEmpty ? nil : snapshot.samples?.facts(node)
        var isNew = ColumnSet()
        for (column, ordinal) in zip(node.columns, node.ordinals) where self[column.id] == nil {
            let known = statistics.flatMap { ordinal < $0.columns.count ? $0.columns[ordinal] : nil }
            self[column.id] =
                known.map { estimate($0, type: column.type, rowCount: rowCount) }
                ?? unknown(column.type, rowCount: rowCount)
            self[column.id]?.origin = originCount
            if known?.distinctCount == nil,
                let distinct = snapshot.samples?.distinctCount(node.table, ordinal: ordinal, rowCount: rowCount)
            {
                self[column.id]?.distinctCount = distinct
                self[column.id]?.isKnown = true
            }
            isNew.insert(column.id)
        }
        let guess = selectivity(.conjunction(node.predicates), rowCount: rowCount)
        var share = guess
        if let (facts, unasked) = sampled {
            share = facts.selectivity(guess: guess) * selectivity(.conjunction(unasked), rowCount: rowCount)
        }
        let visible = rowCount * share
        restrict(node, to: visible, facts: sampled?.facts, columns: isNew)
        scanRowCounts[node] = visible
        return visible
    }

    /// Narrows what is known about a scan's columns to the rows that its predicates leave.
    private func restrict(_ node: LogicalScan, to rowCount: Double, facts: SampleFacts?, columns: ColumnSet) {
        let ranges = self.ranges(node.predicates)
        for (column, ordinal) in zip(node.columns, node.ordinals) where columns.contains(column.id) {
            guard var estimate = self[column.id] else { continue }
            estimate.visibleRowCount = rowCount
            let domain = estimate.domain
            if let found = facts?.columns[ordinal] {
                estimate.unfiltered = domain
                estimate.distinctCount = found.distinctCount
                estimate.isKnown = true
                if found.minimum != nil { (estimate.minimum, estimate.maximum) = (found.minimum, found.maximum) }
                estimate.nullFraction = found.nullFraction
            } else if let range = ranges.first(where: { $0.id == column.id }), let low = estimate.minimum,
                let high = estimate.maximum
            {
                estimate.unfiltered = domain
                let (newLow, newHigh) = (max(low, range.low), min(high, range.high))
                if newLow <= newHigh {
                    let share = estimate.share(from: newLow, to: newHigh)
                    (estimate.minimum, estimate.maximum) = (newLow, newHigh)
                    estimate.distinctCount = max(1, estimate.distinctCount * share)
                }
                estimate.nullFraction = 0
            }
            self[column.id] = estimate
        }
    }

    private func estimate(_ known: ColumnStatistics, type: DataType, rowCount: Double) -> ColumnEstimate {
        var result = unknown(type, rowCount: rowCount)
        result.isDiscrete = type.isInteger || type == .date
        result.minimum = known.minimum?.axisValue(type)
        result.maximum = known.maximum?.axisValue(type)
        result.nullFraction = known.nullFraction ?? 0
        if let bytes = known.averageByteCount { result.byteCount = bytes + 4 }
        if let distinct = known.distinctCount {
            result.distinctCount = max(1, min(distinct, rowCount))
            result.isKnown = true
        } else if let low = result.minimum, let high = result.maximum, type.isInteger || type == .date {
            result.distinctCount = max(1, min(rowCount, high - low + 1))
        } else if known.minimum != nil, known.minimum == known.maximum {
            result.distinctCount = 1
        }
        return result
    }

    private func unknown(_ type: DataType, rowCount: Double) -> ColumnEstimate {
        let distinct =
            type == .boolean ? 2 : type.isString ? min(rowCount, Self.unknownTextDistinctCount) : max(1, rowCount)
        return .init(distinctCount: max(1, distinct), byteCount: type.typicalByteCount, originRowCount: rowCount)
    }

    private func learn(_ node: LogicalValues) -> Double {
        let rowCount = Double(node.rows.count)
        for (index, column) in node.columns.enumerated() {
            var estimate = unknown(column.type, rowCount: rowCount)
            estimate.distinctCount = max(1, rowCount)
            let values = node.rows.compactMap { $0[index].literal?.axisValue(column.type) }
            if values.count == node.rows.count {
                estimate.minimum = values.min()
                estimate.maximum = values.max()
            }
            self[column.id] = estimate
        }
        return rowCount
    }

    private func learn(_ node: LogicalAggregate, rowCount: Double) -> Double {
        var total = 0.0
        originCount += 1
        for set in node.groupingSets {
            total += set.isEmpty ? 1 : groupCount(set.map { node.groups[$0] }, rowCount: rowCount)
        }
        for (column, expression) in zip(node.groupColumns, node.groups) where self[column.id] == nil {
            var estimate = estimate(expression, rowCount: rowCount)
            estimate.distinctCount = min(estimate.distinctCount, max(1, total))
            // The groups are unique now: no more combinations of them than rows.
            estimate.originRowCount = total
            estimate.visibleRowCount = total
            estimate.unfiltered = nil
            estimate.origin = originCount
            self[column.id] = estimate
        }
        if let column = node.setIndexColumn {
            self[column.id] = .init(distinctCount: Double(node.groupingSets.count), byteCount: 4, originRowCount: total)
        }
        for column in node.aggregateColumns {
            var estimate = ColumnEstimate(
                distinctCount: max(1, total), byteCount: column.type.typicalByteCount, originRowCount: total)
            estimate.isAggregate = true
            self[column.id] = estimate
        }
        return total
    }

    private func learn(_ node: LogicalSetOperation, left: Double, right: Double) -> Double {
        let all = left + right
        for (column, source) in zip(node.columns, node.left.columns) {
            var estimate = self[source.id] ?? unknown(column.type, rowCount: left)
            estimate.originRowCount = all
            estimate.visibleRowCount = all
            estimate.unfiltered = nil
            if node.kind == .union { estimate.minimum = nil; estimate.maximum = nil }
            self[column.id] = estimate
        }
        switch node.kind {
        case .union: return node.keepsDuplicates ? all : groupCount(node.columns.map(\.reference), rowCount: all)
        case .intersect: return min(left, right)
        case .except: return left
        }
    }

    // MARK: Columns

    /// The column behind casts, whose statistics hold for the expression too.
    package func source(_ expression: Expression) -> ColumnID? {
        switch expression {
        case .column(let id, _): id
        case .cast(let operand, let type, _) where type.isNumeric || type.isTemporal || type.isString:
            source(operand)
        default: nil
        }
    }

    /// What is believed about an expression's values.
    package func estimate(_ expression: Expression, rowCount: Double) -> ColumnEstimate {
        if let id = source(expression), let known = self[id] {
            var result = known
            result.byteCount = expression.type.physical == .view ? known.byteCount : expression.type.typicalByteCount
            return result
        }
        if case .literal(let value, let type) = expression {
            let axis = value.axisValue(type)
            return .init(
                distinctCount: 1, isKnown: true, minimum: axis, maximum: axis, nullFraction: value.isNull ? 1 : 0,
                byteCount: type.typicalByteCount, originRowCount: rowCount)
        }
        var distinct = 1.0
        for id in expression.columnSet { distinct *= self[id]?.distinctCount ?? rowCount }
        return .init(
            distinctCount: max(1, min(distinct, max(1, rowCount))), byteCount: expression.type.typicalByteCount,
            originRowCount: rowCount)
    }

    /// Bytes of a row of these columns.
    package func byteCount(_ columns: some Sequence<PlanColumn>) -> Double {
        columns.reduce(8) { $0 + (self[$1.id]?.byteCount ?? $1.type.typicalByteCount) }
    }

    /// Different combinations of the keys among so many rows.
    package func groupCount(_ keys: [Expression], rowCount: Double) -> Double {
        guard rowCount >= 1 else { return max(rowCount, 0) }
        var covered = ColumnSet()
        // Keys from one node have no more combinations than it has rows: names of an item, say, with its number.
        var groups: [(origin: Int, product: Double, limit: Double)] = []
        for key in keys {
            // A key computed from columns that are keys themselves adds no group.
            let columns = key.columnSet
            if columns.isSubset(of: covered) { continue }
            if let id = source(key) { covered.insert(id) }
            let estimate = estimate(key, rowCount: rowCount)
            if estimate.origin > 0, let index = groups.firstIndex(where: { $0.origin == estimate.origin }) {
                groups[index].product *= estimate.distinctCount
            } else {
                groups.append((estimate.origin, estimate.distinctCount, max(1, estimate.visibleRowCount)))
            }
        }
        let combinations = groups.reduce(1.0) { product, group in
            min(1e18, product * max(1, group.origin > 0 ? min(group.product, group.limit) : group.product))
        }
        // So many of the combinations are hit by rows that fall on them at random.
        return max(1, -combinations * expm1(-rowCount / combinations))
    }
}
