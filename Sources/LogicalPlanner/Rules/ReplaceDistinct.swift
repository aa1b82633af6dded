// DISTINCT becomes a grouping by all columns, DISTINCT ON the first row of a window.

import Columnar
import QueryPlan

struct ReplaceDistinct: LogicalRule {
    func apply(_ plan: LogicalPlan, _ environment: RuleEnvironment) throws -> LogicalPlan {
        plan.rewritten { node in
            guard case .distinct(let distinct) = node else { return node }
            let columns = distinct.input.columns
            guard let keys = distinct.keys else {
                if columns.isEmpty {
                    return .limit(
                        LogicalLimit(count: .literal(.integer(1), .int64), offset: nil, input: distinct.input))
                }
                return .aggregate(
                    LogicalAggregate(
                        groupColumns: columns, groups: columns.map(\.reference), aggregateColumns: [], aggregates: [],
                        input: distinct.input))
            }
            let number = environment.ids.column("row_number", .int64, isNullable: false)
            let call = WindowCall(
                name: "row_number", isAggregate: false, arguments: [], frame: WindowFrame(), type: .int64)
            let window = LogicalPlan.window(
                LogicalWindow(
                    partitions: keys, ordering: distinct.ordering, columns: [number], calls: [call],
                    input: distinct.input))
            return window.filtered([.comparison("=", number.reference, .literal(.integer(1), .int64))])
                .restoring(columns)
        }
    }
}
