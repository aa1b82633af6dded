// An aggregate node, resolved: executors, grouping sets, and which expressions feed which call.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions

/// One call. Shared by all drivers of the task.
struct AggregateCallPlan: Sendable {
    let call: AggregateCall
    let executor: any AggregateExecutor
    /// What the executor takes: arguments, and behind those of an ordered-set call its ordering's expressions.
    let arguments: [Expression]
    /// Sorted by these before they reach the executor.
    let ordering: [SortKey]
    /// In final mode: the input columns that hold the exported state.
    let stateColumns: Range<Int>
    /// Whether the function's result depends on the order of rows.
    let isOrderSensitive: Bool

    /// Whether rows are kept until the end: DISTINCT and ORDER BY.
    var isCollected: Bool { call.isDistinct || !ordering.isEmpty }
}

/// A node with everything resolved. Shared by all drivers of the task.
final class AggregatePlan: Sendable {
    let node: PhysicalNode
    let mode: AggregateNode.Mode
    let groups: [Expression]
    /// Key expressions of each set, as indexes into `groups`. In final mode with several sets there is one, of all groups
    /// and the set index: the rows of different sets differ in it.
    let sets: [[Int]]
    let calls: [AggregateCallPlan]
    /// One layout a set.
    let layouts: [GroupLayout]
    /// Sets that follow from others; none where rows must be added to each.
    let derived: DerivedSets
    /// Whether the output has a column of set indexes that the source adds.
    let addsSetIndex: Bool
    /// Number of group columns of the output, with the set index where that is a group.
    let groupTypes: [DataType]

    var hasCollectedCalls: Bool { calls.contains(where: \.isCollected) }

    init(node: PhysicalNode, plan: AggregateNode, registry: FunctionRegistry) throws {
        self.node = node
        mode = plan.mode
        let severalSets = plan.hasSeveralSets
        if plan.mode == .final && severalSets {
            groups = plan.groups + [.input(plan.groups.count, .int32)]
            sets = [Array(groups.indices)]
            addsSetIndex = false
        } else {
            groups = plan.groups
            sets = plan.groupingSets
            addsSetIndex = severalSets
        }
        groupTypes = groups.map(\.type)
        var column = plan.groups.count + (severalSets ? 1 : 0)
        calls = try plan.aggregates.map { call in
            let made = try AggregatePlan.resolve(call, registry: registry, stateColumn: column)
            column = made.stateColumns.upperBound
            if plan.mode != .single && made.isCollected {
                throw QueryError.internalError(
                    "\(call.name) with DISTINCT or ORDER BY needs all rows of a group in one place")
            }
            return made
        }
        let executors = calls.map(\.executor)
        let types = groupTypes
        layouts = sets.map { set in GroupLayout(types: set.map { types[$0] }, executors: executors) }
        derived = Self.isAssociative(calls) ? DerivedSets(sets: sets) : DerivedSets.none
    }

    private static func resolve(_ call: AggregateCall, registry: FunctionRegistry, stateColumn: Int) throws
        -> AggregateCallPlan
    {
        // The arguments of an ordered-set call end with the expressions of its ordering.
        let arguments = call.arguments
        let types = arguments.map(\.type)
        let function = try registry.resolveAggregate(call.name, types).function
        let executor = try function.makeExecutor(types, call.type)
        let width = executor.exportedTypes.count
        // The order of rows is nothing to a call that does not look at it.
        let needsOrder = function.isOrderSensitive || function.isOrderedSet
        return AggregateCallPlan(
            call: call, executor: executor, arguments: arguments, ordering: needsOrder ? call.ordering : [],
            stateColumns: stateColumn..<stateColumn + width, isOrderSensitive: needsOrder)
    }

    /// Output columns for one chunk of groups: keys (NULL where the set leaves them out), the set index, then `results`.
    func outputColumns(set: Int, keys: [Vector], results: [Vector], count: Int) -> [Vector] {
        var columns: [Vector] = []
        columns.reserveCapacity(groupTypes.count + results.count + 1)
        for index in groupTypes.indices {
            if let position = sets[set].firstIndex(of: index) {
                columns.append(keys[position])
            } else {
                columns.append(Vector.constant(.null, type: groupTypes[index], count: count))
            }
        }
        if addsSetIndex { columns.append(Vector.constant(.integer(Int64(set)), type: .int32, count: count)) }
        return columns + results
    }
}
