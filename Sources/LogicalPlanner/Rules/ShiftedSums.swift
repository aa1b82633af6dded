// Many sums of one column with different constants added: the column is summed once.

import Columnar
import Diagnostics
import QueryPlan

/// sum(x + 1), sum(x + 2), … are sum(x) + 1 * count(x), sum(x) + 2 * count(x), … for integers. `x + c` may overflow for some
/// row: it does exactly if it does for the largest x (the smallest, for a negative c), so that is computed too.
struct ShiftedSums: LogicalRule {
    /// With fewer sums there is nothing to gain: four calls take their place.
    private static let callCountMin = 5

    func apply(_ plan: LogicalPlan, _ environment: RuleEnvironment) throws -> LogicalPlan {
        plan.rewritten { node in
            guard case .aggregate(let aggregate) = node else { return node }
            return rewritten(aggregate, environment.ids) ?? node
        }
    }

    private struct Shifted {
        var base: Expression
        var constant: Int64
        /// `x + c` with something else for x.
        var call: ScalarCall

        /// `nil` for anything but a sum of `x + c` in 32 bits.
        init?(_ call: AggregateCall) {
            guard call.name == "sum", !call.isDistinct, call.ordering.isEmpty, call.arguments.count == 1,
                case .call(let addition) = call.arguments[0], addition.name == "+", addition.type == .int32,
                addition.arguments.count == 2, addition.arguments[0].type == .int32,
                case .literal(.integer(let constant), .int32) = addition.arguments[1],
                !addition.arguments[0].isLiteral, !addition.arguments[0].isVolatile
            else { return nil }
            base = addition.arguments[0]
            self.constant = constant
            self.call = addition
        }
    }

    private func rewritten(_ node: LogicalAggregate, _ ids: ColumnIDGenerator) -> LogicalPlan? {
        let shifted = node.aggregates.map { Shifted($0) }
        // The first column that occurs often enough; others stay.
        guard
            let index = shifted.indices.first(where: { index in
                guard let one = shifted[index] else { return false }
                let filter = node.aggregates[index].filter
                return shifted.indices.count { shifted[$0]?.base == one.base && node.aggregates[$0].filter == filter }
                    >= Self.callCountMin
            }), let base = shifted[index]?.base
        else { return nil }
        let filter = node.aggregates[index].filter
        var result = node
        result.aggregates = []
        result.aggregateColumns = []
        func add(_ name: String, _ type: DataType) -> Expression {
            let column = ids.column(name, type)
            result.aggregates.append(AggregateCall(name: name, arguments: [base], filter: filter, type: type))
            result.aggregateColumns.append(column)
            return column.reference
        }
        let sum = add("sum", .int64)
        let count = add("count", .int64)
        let smallest = add("min", .int32)
        let largest = add("max", .int32)
        func arithmetic(_ name: String, _ left: Expression, _ right: Expression) -> Expression {
            .call(ScalarCall(name: name, arguments: [left, right], type: .int64))
        }
        var expressions: [Expression] = []
        for (position, call) in node.aggregates.enumerated() {
            guard let one = shifted[position], one.base == base, call.filter == filter else {
                result.aggregates.append(call)
                result.aggregateColumns.append(node.aggregateColumns[position])
                expressions.append(node.aggregateColumns[position].reference)
                continue
            }
            let constant = Expression.literal(.integer(one.constant), .int64)
            var extreme = one.call
            extreme.arguments[0] = one.constant < 0 ? smallest : largest
            let check = arithmetic(
                "*", .literal(.integer(0), .int64), .cast(.call(extreme), to: .int64, kind: .strict))
            expressions.append(arithmetic("+", arithmetic("+", sum, arithmetic("*", constant, count)), check))
        }
        let keys = node.groupColumns + (node.setIndexColumn.map { [$0] } ?? [])
        return .project(
            LogicalProject(
                columns: keys + node.aggregateColumns, expressions: keys.map(\.reference) + expressions,
                input: .aggregate(result)))
    }
}
