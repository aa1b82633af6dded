// What a sample of a table says about the rows that a scan's predicates leave.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Synchronization

/// Evaluates predicates over samples: an interface, because this target knows no functions.
package protocol SamplePredicates: Sendable {
    /// For each batch the rows for which the predicate over its positions is true; `nil` means all of them.
    func select(_ predicate: Expression, from batches: [Batch]) throws -> [Selection?]
}

/// The rows of a sample that pass a scan's predicates.
struct SampleFacts: Sendable {
    struct Column: Sendable {
        var minimum: Double?
        var maximum: Double?
        var distinctCount: Double
        var nullFraction: Double
    }
    var sampledRowCount: Double
    var matchingRowCount: Double
    /// The sample is the whole table: everything is exact.
    var isWhole: Bool
    /// By table ordinal.
    var columns: [Int: Column] = [:]

    /// The share of the table's rows that match, if predicates alone would say `guess`.
    func selectivity(guess: Double) -> Double {
        if isWhole { return max(matchingRowCount, 0.5) / max(1, sampledRowCount) }
        if matchingRowCount > 0 { return matchingRowCount / sampledRowCount }
        // None of the rows: fewer than one in the sample.
        return min(guess, 0.5 / sampledRowCount)
    }
}

/// Samples of a plan's tables, with what was asked about them already. The same questions come up for every attempt.
package final class PlanSamples: Sendable {
    private struct Question: Hashable {
        var table: TableName
        var predicates: [Expression]
    }
    private let samples: [TableName: TableSample]
    private let predicates: any SamplePredicates
    private let known = Mutex<[Question: SampleFacts]>([:])

    init(_ samples: [TableName: TableSample], predicates: any SamplePredicates) {
        self.samples = samples
        self.predicates = predicates
    }

    /// The facts about a scan, and the predicates that read columns outside the sample; `nil` if all do.
    func facts(_ scan: LogicalScan) -> (facts: SampleFacts, unasked: [Expression])? {
        guard let sample = samples[scan.table] else { return nil }
        var positions: [ColumnID: Expression] = [:]
        var available = ColumnSet()
        for (column, ordinal) in zip(scan.columns, scan.ordinals) {
            guard let position = sample.ordinals.firstIndex(of: ordinal) else { continue }
            positions[column.id] = .input(position, column.type)
            available.insert(column.id)
        }
        var usable: [Expression] = []
        var unasked: [Expression] = []
        for predicate in scan.predicates {
            let isUsable = !predicate.canFail && !predicate.isVolatile && predicate.columnSet.isSubset(of: available)
            if isUsable { usable.append(predicate) } else { unasked.append(predicate) }
        }
        guard !usable.isEmpty else { return nil }
        let question = Question(table: scan.table, predicates: usable.map { $0.substituting(positions) })
        if let facts = known.withLock({ $0[question] }) { return (facts, unasked) }
        // A predicate that cannot be evaluated here is estimated as without a sample.
        guard let facts = try? makeFacts(sample, .conjunction(question.predicates)) else { return nil }
        known.withLock { $0[question] = facts }
        return (facts, unasked)
    }

    /// Different values of a column of the whole table, as far as the sample tells.
    func distinctCount(_ table: TableName, ordinal: Int, rowCount: Double) -> Double? {
        guard let sample = samples[table], let count = sample.distinctCount(ofOrdinal: ordinal) else { return nil }
        let (found, sampled) = (Double(count), Double(max(1, sample.rowCount)))
        // Few values have all been seen. Of many, as many are taken to be unseen as a geometric mean of the bounds says:
        // M. Charikar et al., "Towards Estimation Error Guarantees for Distinct Values", PODS 2000.
        if sample.isWhole || found < 0.1 * sampled { return max(1, found) }
        return min(rowCount, found * (max(1, rowCount / sampled)).squareRoot())
    }

    private func makeFacts(_ sample: TableSample, _ predicate: Expression) throws -> SampleFacts {
        var batches = sample.makeBatches()
        if predicate != .true {
            let selections = try predicates.select(predicate, from: batches)
            batches = zip(batches, selections).map { batch, selection in selection.map(batch.selecting) ?? batch }
        }
        let matching = batches.reduce(0) { $0 + $1.rowCount }
        var facts = SampleFacts(
            sampledRowCount: Double(sample.rowCount), matchingRowCount: Double(matching), isWhole: sample.isWhole)
        guard sample.isWhole else { return facts }
        for (position, ordinal) in sample.ordinals.enumerated() {
            var summary = ColumnSummary(capacity: matching)
            for batch in batches where !batch.isEmpty { summary.add(batch.column(position)) }
            facts.columns[ordinal] = summary.facts
        }
        return facts
    }
}

/// Extremes and different values of one column, vector by vector.
private struct ColumnSummary {
    private var rowCount = 0
    private var minimum: Double?
    private var maximum: Double?
    private var values: DistinctCounter

    init(capacity: Int) { values = DistinctCounter(capacity: capacity) }

    var facts: SampleFacts.Column {
        SampleFacts.Column(
            minimum: minimum, maximum: maximum, distinctCount: Double(max(1, values.distinctCount)),
            nullFraction: rowCount == 0 ? 0 : Double(values.nullCount) / Double(rowCount))
    }

    mutating func add(_ vector: Vector) {
        rowCount += vector.count
        values.add(vector)
        addExtremes(vector)
    }

    private mutating func addExtremes(_ vector: Vector) {
        let rows: (lowest: Int, highest: Int)?
        switch vector.physical {
        case .int8: rows = extremes(vector, vector.values(Int8.self))
        case .int16: rows = extremes(vector, vector.values(Int16.self))
        case .int32: rows = extremes(vector, vector.values(Int32.self))
        case .int64: rows = extremes(vector, vector.values(Int64.self))
        case .int128: rows = extremes(vector, vector.values(Int128.self))
        case .float32: rows = extremes(vector, vector.values(Float.self))
        case .float64: rows = extremes(vector, vector.values(Double.self))
        case .boolean, .interval, .uuid, .view: rows = nil
        }
        guard let rows, let low = vector.value(at: rows.lowest).axisValue(vector.type),
            let high = vector.value(at: rows.highest).axisValue(vector.type)
        else { return }
        minimum = min(minimum ?? low, low)
        maximum = max(maximum ?? high, high)
    }

    private func extremes<T: Comparable>(_ vector: Vector, _ values: UnsafePointer<T>) -> (Int, Int)? {
        var row = 0
        while row < vector.count && vector.isNull(row) { row &+= 1 }
        if row == vector.count { return nil }
        var (lowest, highest) = (row, row)
        while row < vector.count {
            if !vector.isNull(row) {
                if values[row] < values[lowest] { lowest = row }
                if values[row] > values[highest] { highest = row }
            }
            row &+= 1
        }
        return (lowest, highest)
    }
}
