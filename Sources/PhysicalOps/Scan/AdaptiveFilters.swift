// The filters of a scan in the order in which they pay.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// All filters of one driver's scan. Begins with an order by estimated cost; from the second split on it goes by measured
/// cost and pass rate: the filter that gets rid of most rows for the least time comes first.
final class AdaptiveFilters {
    private var filters: [MeasuredFilter] = []

    init(predicates: [Expression], runtimeTests: [AttachedRuntimeTest], task: TaskContext) throws {
        for predicate in predicates.flatMap(\.conjuncts) {
            filters.append(
                MeasuredFilter(try PredicateFilter(predicate, task: task), cost: PredicateCost.estimate(predicate)))
        }
        for attached in runtimeTests { add(attached) }
    }

    /// Adds a test whose content is known.
    func add(_ attached: AttachedRuntimeTest) {
        switch attached.test {
        case .keys(let filter):
            var cost = 2.0
            switch filter.content {
            case .everything: return
            case .hashes: cost = 4
            case .nothing: cost = 0
            case .integers: break
            }
            filters.append(MeasuredFilter(RuntimeScanFilter(filter, column: attached.column), cost: cost))
        case .firstRows(let threshold):
            filters.append(MeasuredFilter(FirstRowsScanFilter(threshold, column: attached.column), cost: 3))
        }
    }

    /// The filters in the order that is best by what is known now.
    func ordered() -> [any ScanFilter] {
        filters.removeAll { ($0.filter as? RuntimeScanFilter)?.isDropped ?? false }
        filters.sort { $0.rank < $1.rank }
        return filters
    }
}

/// Estimated costs of predicates, about cycles a row.
enum PredicateCost {
    static func estimate(_ expression: Expression) -> Double {
        var cost = 0.0
        expression.visit { part in
            switch part {
            case .call(let call):
                let isText = call.arguments.contains { $0.type.physical == .view }
                switch call.name {
                case "=", "<>", "<", "<=", ">", ">=": cost += isText ? 6 : 1
                case "~~", "!~~": cost += 30
                case "~~*", "!~~*", "~", "!~", "~*", "!~*": cost += 100
                default: cost += isText ? 20 : 3
                }
            case .cast: cost += 4
            case .inList(let needle, let values):
                cost += (needle.type.physical == .view ? 8 : 2) + Double(min(values.count, 16)) / 4
            case .conditional, .coalesce: cost += 4
            case .isNull, .not, .and, .or: cost += 0.5
            case .column, .input, .literal, .parameter, .subquery: break
            }
        }
        return cost
    }
}

/// Times and counts a filter.
private final class MeasuredFilter: ScanFilter {
    private static let sampleRows = 8_192
    let filter: any ScanFilter
    private let cost: Double
    private var rowsIn = 0
    private var rowsOut = 0
    private var nanoseconds: UInt64 = 0

    init(_ filter: any ScanFilter, cost: Double) {
        self.filter = filter
        self.cost = cost
    }

    var positions: [Int] { filter.positions }
    var prunable: Expression? { filter.prunable }
    var members: ScanMembers? { filter.members }

    /// Cost for each row got rid of; low is good.
    var rank: Double {
        if rowsIn < MeasuredFilter.sampleRows { return cost }
        let dropped = max(0.001, 1 - Double(rowsOut) / Double(rowsIn))
        // About three cycles a nanosecond; the estimates count in cycles.
        return Double(nanoseconds) * 3 / Double(rowsIn) / dropped
    }

    func select(_ batch: Batch) throws -> Selection? {
        let start = monotonicNanoseconds()
        let selection = try filter.select(batch)
        nanoseconds &+= monotonicNanoseconds() &- start
        rowsIn += batch.rowCount
        rowsOut += selection?.count ?? batch.rowCount
        return selection
    }
}

/// One conjunct of a scan.
private final class PredicateFilter: ScanFilter {
    let positions: [Int]
    let prunable: Expression?
    private let predicate: RowPredicate

    init(_ expression: Expression, task: TaskContext) throws {
        positions = expression.inputs.sorted()
        prunable = expression
        predicate = try RowPredicate(expression, task: task)
    }

    func select(_ batch: Batch) throws -> Selection? { try predicate.select(batch) }
}
