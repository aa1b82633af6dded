// Keys ascend with the units of a table, so a predicate on the key says which units can match.

import Columnar
import QueryPlan
import TPCHData

/// Finds the units of a table whose keys (column 0) can satisfy predicates.
struct KeyRange {
    private let table: TPCHTable
    private let unitCount: Int

    init(_ table: TPCHTable, _ scale: TPCHScale) {
        self.table = table
        unitCount = table.unitCount(scale)
    }

    /// The part of `units` that conjuncts over output positions leave. Conjuncts of other forms are passed over.
    func units(_ units: Range<Int>, _ predicates: [Expression], _ projection: [Int]) -> Range<Int> {
        var low = Int64.min
        var high = Int64.max
        func isKey(_ expression: Expression) -> Bool {
            if case .input(let position, _) = expression, projection.indices.contains(position) {
                return projection[position] == 0
            }
            return false
        }
        for predicate in predicates.flatMap(\.conjuncts) {
            if case .inList(let operand, let values) = predicate, isKey(operand) {
                let keys = values.compactMap(\.integerValue)
                // NULLs of the list match nothing; anything else unknown could.
                guard keys.count + values.count(where: \.isNull) == values.count else { continue }
                low = max(low, keys.min() ?? Int64.max)
                high = min(high, keys.max() ?? Int64.min)
                continue
            }
            guard let (name, left, right) = predicate.asComparison else { continue }
            if isKey(left), let key = right.literal?.integerValue {
                restrict(name, key, &low, &high)
            } else if isKey(right), let key = left.literal?.integerValue {
                restrict(KeyRange.mirrored(name), key, &low, &high)
            }
        }
        if low > high { return units.lowerBound..<units.lowerBound }
        let first = max(units.lowerBound, unitsBelow(low))
        let end = min(units.upperBound, high == Int64.max ? unitCount : unitsBelow(high + 1))
        return first < end ? first..<end : units.lowerBound..<units.lowerBound
    }

    private func restrict(_ name: String, _ key: Int64, _ low: inout Int64, _ high: inout Int64) {
        switch name {
        case "=":
            low = max(low, key)
            high = min(high, key)
        case "<=": high = min(high, key)
        case ">=": low = max(low, key)
        case "<": high = min(high, key == Int64.min ? key : key - 1)
        case ">": low = max(low, key == Int64.max ? key : key + 1)
        default: break
        }
    }

    private static func mirrored(_ name: String) -> String {
        switch name {
        case "<": ">"
        case ">": "<"
        case "<=": ">="
        case ">=": "<="
        default: name
        }
    }

    /// Units whose keys are below `key`.
    private func unitsBelow(_ key: Int64) -> Int {
        switch table {
        case .region, .nation: min(unitCount, Int(max(0, key)))
        case .orders, .lineitem: min(unitCount, max(0, TPCHKeys.ordersBelow(key)))
        case .supplier, .customer, .part, .partsupp: min(unitCount, Int(max(1, key)) - 1)
        }
    }
}

extension ScalarValue {
    fileprivate var integerValue: Int64? { if case .integer(let value) = self { value } else { nil } }
}
