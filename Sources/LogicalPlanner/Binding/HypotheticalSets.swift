// Hypothetical-set aggregates: rank(3) WITHIN GROUP (ORDER BY x) and its like tell where a row would stand among the
// rows of a group. They are counts of the rows before it, so they run like any count: in parts, and in any order.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

enum HypotheticalSet: String {
    case rank, denseRank = "dense_rank", percentRank = "percent_rank", cumulativeDistribution = "cume_dist"
}

extension StatementBinder {
    func bindHypothetical(
        _ function: HypotheticalSet, _ call: FunctionCall, _ scope: Scope, at position: SourcePosition
    ) throws -> Expression {
        let name = function.rawValue
        guard call.arguments.count == call.withinGroup.count else {
            throw QueryError(
                .undefinedFunction, "function \(name) with these arguments does not exist",
                hint:
                    "To use the hypothetical-set aggregate \(name), the number of hypothetical direct arguments (here "
                    + "\(call.arguments.count)) must match the number of ordering columns (here "
                    + "\(call.withinGroup.count)).", at: position, object: name)
        }
        let counts = try placed(name, scope, at: position) { try self.counts(function, call, scope, at: position) }
        let one = Operand(expression: .literal(.integer(1), .int64), position: position)
        let before = Operand(expression: counts[0], position: position)
        if function == .rank || function == .denseRank { return try callScalar("+", [before, one], at: position) }
        let all = Operand(expression: counts[1], position: position)
        func ratio(_ part: Operand, _ whole: Operand) throws -> Expression {
            let operands = try [part, whole].map { operand in
                Operand(
                    expression: try convert(operand.expression, to: .float64, at: position), position: position)
            }
            return try callScalar("/", operands, at: position)
        }
        if function == .cumulativeDistribution {
            let sums = try [before, all].map {
                Operand(expression: try callScalar("+", [$0, one], at: position), position: position)
            }
            return try ratio(sums[0], sums[1])
        }
        let isEmpty = Expression.comparison("=", counts[1], .literal(.integer(0), .int64))
        return .conditional(
            [ConditionalBranch(condition: isEmpty, result: .literal(.float(0), .float64))],
            otherwise: try ratio(before, all), type: .float64)
    }

    /// The number of rows before the hypothetical one (of different rows for dense_rank, with its peers for cume_dist), and
    /// of all rows where it matters.
    private func counts(
        _ function: HypotheticalSet, _ call: FunctionCall, _ scope: Scope, at position: SourcePosition
    ) throws -> AggregateParts {
        let direct = try call.arguments.map { try operand($0.value, scope) }
        var isBefore: Expression?
        var keys: [Expression] = []
        var given: [Expression] = []
        var nullsComeBefore = false
        let pairs = Array(zip(call.withinGroup, direct))
        for (item, argument) in pairs.reversed() {
            let value = Operand(expression: try bind(item.expression, scope), position: item.expression.position)
            let (unified, _) = try unify([value, argument], construct: "WITHIN GROUP", isShown: false)
            let settled = try unified.map { try self.settled($0, at: position) }
            if settled.contains(where: \.isVolatile) {
                throw QueryError.notSupported(
                    "a volatile argument of \(function.rawValue) WITHIN GROUP", at: argument.position)
            }
            let key = try sortKey(item, settled[0])
            let (row, own) = (Operand(expression: settled[0], position: position), settled[1])
            let less = try comparison(
                key.isDescending ? ">" : "<", row, Operand(expression: own, position: argument.position), at: position)
            // One of them is NULL.
            let nullIsBefore = Expression.and(
                key.nullsFirst
                    ? [.isNull(row.expression), .not(.isNull(own))] : [.isNull(own), .not(.isNull(row.expression))])
            let first = Expression.coalesce([less, nullIsBefore], type: .boolean)
            let equal = try comparison(
                "=", row, Operand(expression: own, position: argument.position), at: position)
            let same = Expression.coalesce(
                [equal, .and([.isNull(row.expression), .isNull(own)])], type: .boolean)
            if let rest = isBefore {
                isBefore = .or([first, .and([same, rest])])
            } else {
                isBefore = function == .cumulativeDistribution ? .or([first, same]) : first
            }
            nullsComeBefore = nullsComeBefore || key.nullsFirst
            keys.insert(settled[0], at: 0)
            given.insert(own, at: 0)
        }
        var filter: Expression?
        if let syntax = call.filter {
            filter = try coerceToBoolean(operand(syntax, scope), construct: "FILTER")
        }
        func count(_ arguments: [Expression], _ conditions: [Expression?], isDistinct: Bool = false) -> AggregateCall {
            let given = conditions.compactMap { $0 }
            return AggregateCall(
                name: "count", arguments: arguments, isDistinct: isDistinct,
                filter: given.isEmpty ? nil : .conjunction(given), type: .int64)
        }
        var calls: [AggregateCall]
        if function == .denseRank {
            // A row of the keys, because a NULL among them counts as well.
            let fields = keys.enumerated().map { Field(name: "f\($0.offset + 1)", type: $0.element.type) }
            let isPlain = keys.count == 1 && !nullsComeBefore
            let different = isPlain ? keys[0] : recordOf(keys, type: .record(fields))
            calls = [count([different], [isBefore, filter], isDistinct: true)]
        } else {
            calls = [count([], [isBefore, filter])]
            if function != .rank { calls.append(count([], [filter])) }
        }
        return AggregateParts(calls: calls, direct: given)
    }
}
