// The list of aggregate functions whose states have a fixed size. Each family has its own file.
//
//   Count, Sum, Average, MinimumMaximum, BooleanAggregates, Variance

import Columnar
import Diagnostics
import QueryPlan

extension FunctionRegistry {
    /// Adds count, sum, avg, min, max, bool_and, bool_or, every, any_value, and the variance family.
    func registerFixedSizeAggregates() {
        for function in countFunctions() { register(function) }
        for function in sumFunctions() { register(function) }
        for function in averageFunctions() { register(function) }
        for function in minimumMaximumFunctions() { register(function) }
        for function in booleanAggregateFunctions() { register(function) }
        for function in varianceFunctions() { register(function) }
    }
}

/// Addresses of the states of a batch's rows.
typealias StatePointers = UnsafePointer<UnsafeMutableRawPointer>

/// Whether row `row` of a flat vector is not null.
@inline(__always)
func isPresent(_ validity: UnsafeMutablePointer<UInt64>?, _ row: Int) -> Bool {
    guard let validity else { return true }
    return Validity.isValid(validity, row)
}
