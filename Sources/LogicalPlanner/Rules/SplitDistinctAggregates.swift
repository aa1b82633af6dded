// Aggregates over distinct values become a grouping by the values and a plain aggregate above it.

import Columnar
import QueryPlan

/// count(distinct x) by g is count(x) by g over the groups (g, x). This needs all distinct calls of the node to be over the
/// same arguments. Other calls are computed by (g, x) first and put together above; nodes with calls that cannot be put
/// together keep their distinct calls.
struct SplitDistinctAggregates: LogicalRule {
    func apply(_ plan: LogicalPlan, _ environment: RuleEnvironment) throws -> LogicalPlan {
        plan.rewritten { node in
            guard case .aggregate(let aggregate) = node else { return node }
            return split(aggregate, environment.ids) ?? node
        }
    }

    private func split(_ node: LogicalAggregate, _ ids: ColumnIDGenerator) -> LogicalPlan? {
        guard node.groupingSets == [Array(node.groups.indices)],
            let first = node.aggregates.first(where: \.isDistinct), !first.arguments.isEmpty
        else { return nil }
        let values = first.arguments.map { ids.column("value", $0.type) }
        var parts = TwoStepCalls(ids)
        var results: [Expression] = []
        for (call, column) in zip(node.aggregates, node.aggregateColumns) {
            if call.isDistinct || call.ignoresDuplicates && call.arguments == first.arguments {
                guard call.arguments == first.arguments, call.filter == nil, call.ordering.isEmpty else { return nil }
                var plain = call
                plain.isDistinct = false
                plain.arguments = values.map(\.reference)
                results.append(parts.total(plain, column.name))
            } else {
                guard let result = parts.split(call, column.name) else { return nil }
                results.append(result)
            }
        }
        let keys = ids.copies(of: node.groupColumns)
        let inner = LogicalAggregate(
            groupColumns: keys + values, groups: node.groups + first.arguments, aggregateColumns: parts.innerColumns,
            aggregates: parts.inner, input: node.input)
        let outer = LogicalAggregate(
            groupColumns: node.groupColumns, groups: keys.map(\.reference), aggregateColumns: parts.outerColumns,
            aggregates: parts.outer, input: .aggregate(inner))
        return .project(
            LogicalProject(
                columns: node.groupColumns + node.aggregateColumns,
                expressions: node.groupColumns.map(\.reference) + results, input: .aggregate(outer)))
    }
}

/// Calls of an aggregation in two steps.
private struct TwoStepCalls {
    private let ids: ColumnIDGenerator
    private(set) var inner: [AggregateCall] = []
    private(set) var innerColumns: [PlanColumn] = []
    private(set) var outer: [AggregateCall] = []
    private(set) var outerColumns: [PlanColumn] = []

    init(_ ids: ColumnIDGenerator) { self.ids = ids }

    /// The result of a call of the second step.
    mutating func total(_ call: AggregateCall, _ name: String) -> Expression {
        if let known = outer.firstIndex(of: call) { return outerColumns[known].reference }
        let column = ids.column(name, call.type)
        outer.append(call)
        outerColumns.append(column)
        return column.reference
    }

    private mutating func partial(_ call: AggregateCall, _ name: String) -> Expression {
        if let known = inner.firstIndex(of: call) { return innerColumns[known].reference }
        let column = ids.column(name, call.type)
        inner.append(call)
        innerColumns.append(column)
        return column.reference
    }

    /// The result of a call that both steps compute; `nil` if there is no way, or sums would depend on the order.
    mutating func split(_ call: AggregateCall, _ name: String) -> Expression? {
        guard !call.isDistinct, call.ordering.isEmpty, !call.expressions.contains(where: \.isVolatile) else {
            return nil
        }
        if call.ignoresDuplicates {
            var again = call
            again.arguments = [partial(call, name)]
            again.filter = nil
            return total(again, name)
        }
        switch call.name {
        case "count":
            // Without any rows there are no parts, and a sum of none is NULL.
            return .coalesce([sum(partial(call, name), name, as: .int64), .literal(.integer(0), .int64)], type: .int64)
        case "sum" where call.hasExactSum: return sum(partial(call, name), name, as: call.type)
        case "avg" where call.hasExactSum:
            var sumCall = call
            sumCall.name = "sum"
            sumCall.type = call.sumType
            var countCall = call
            countCall.name = "count"
            countCall.type = .int64
            let sum = sum(partial(sumCall, name), name, as: call.sumType)
            let count = self.sum(partial(countCall, name), name, as: .int64)
            // Without values the sum is NULL, so nothing is divided by zero.
            return .call(
                ScalarCall(
                    name: "/",
                    arguments: [sum, count].map { .cast($0, to: .anyNumeric, kind: .strict) }, type: .anyNumeric))
        default: return nil
        }
    }

    private mutating func sum(_ part: Expression, _ name: String, as type: DataType) -> Expression {
        let call = AggregateCall(name: "sum", arguments: [part], type: AggregateCall.sumType(of: part.type))
        let total = total(call, name)
        return total.type == type ? total : .cast(total, to: type, kind: .strict)
    }
}

extension AggregateCall {
    fileprivate var ignoresDuplicates: Bool { ["min", "max", "bool_and", "bool_or", "every"].contains(name) }

    /// Whether its argument is summed without rounding, in 128 bits.
    fileprivate var hasExactSum: Bool {
        switch arguments.first?.type {
        case .int16, .int32, .int64, .decimal: arguments.count == 1
        default: false
        }
    }

    fileprivate var sumType: DataType { arguments.first.map { Self.sumType(of: $0.type) } ?? type }

    /// As the registry's `sum` over exact numbers.
    fileprivate static func sumType(of type: DataType) -> DataType {
        switch type {
        case .int16, .int32: .int64
        case .decimal(_, let scale): .decimal(precision: 38, scale: scale)
        default: .decimal(precision: 38, scale: 0)
        }
    }
}
