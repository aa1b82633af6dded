// What a driver computes from each batch before it is aggregated: keys, and the arguments of every call.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions

/// Evaluates the expressions of an aggregate node. Calls with the same FILTER share its evaluation and their arguments.
/// Confined to one driver.
final class AggregateInput {
    /// The calls with one filter.
    final class CallGroup {
        fileprivate let filter: RowPredicate?
        fileprivate let expressions: RowExpressions
        /// Call index, and positions of its arguments and of its ordering's keys among `vectors`.
        let calls: [(call: Int, arguments: [Int], ordering: [Int])]
        /// The rows of the batch that pass the filter; `nil`: all.
        fileprivate(set) var selection: Selection?
        fileprivate(set) var vectors: [Vector] = []
        fileprivate(set) var count = 0

        fileprivate init(filter: RowPredicate?, expressions: RowExpressions, calls: [(Int, [Int], [Int])]) {
            self.filter = filter
            self.expressions = expressions
            self.calls = calls.map { (call: $0.0, arguments: $0.1, ordering: $0.2) }
        }
    }

    private let keys: RowExpressions
    let callGroups: [CallGroup]
    private let plan: AggregatePlan
    private(set) var keyVectors: [Vector] = []
    /// In final mode: the exported states of each call.
    private(set) var states: [[Vector]] = []
    private(set) var count = 0

    init(_ plan: AggregatePlan, task: TaskContext) throws {
        self.plan = plan
        keys = try RowExpressions(plan.groups, task: task)
        callGroups = plan.mode == .final ? [] : try AggregateInput.makeGroups(plan, task: task)
    }

    private static func makeGroups(_ plan: AggregatePlan, task: TaskContext) throws -> [CallGroup] {
        var filters: [Expression?] = []
        for call in plan.calls where !filters.contains(call.call.filter) { filters.append(call.call.filter) }
        return try filters.map { filter in
            var unique: [Expression: Int] = [:]
            var expressions: [Expression] = []
            func position(_ expression: Expression) -> Int {
                // A volatile expression is another one every time.
                if !expression.isVolatile, let known = unique[expression] { return known }
                unique[expression] = expressions.count
                expressions.append(expression)
                return expressions.count - 1
            }
            var calls: [(Int, [Int], [Int])] = []
            for (index, call) in plan.calls.enumerated() where call.call.filter == filter {
                calls.append((index, call.arguments.map(position), call.ordering.map { position($0.expression) }))
            }
            return CallGroup(
                filter: try filter.map { try RowPredicate($0, task: task) },
                expressions: try RowExpressions(expressions, task: task), calls: calls)
        }
    }

    /// Evaluates everything for a batch of at most `GroupTable.chunkRows` rows.
    func evaluate(_ batch: Batch) throws {
        count = batch.rowCount
        keyVectors = try keys.evaluate(batch)
        if plan.mode == .final {
            states = plan.calls.map { call in call.stateColumns.map { batch.column($0) } }
            return
        }
        for group in callGroups {
            group.selection = try group.filter?.select(batch)
            let rows = group.selection.map { batch.selecting($0) } ?? batch
            group.count = rows.rowCount
            group.vectors = group.count == 0 ? [] : try group.expressions.evaluate(rows)
        }
    }

    /// Calls `body` with pieces of a batch that are not too large for the tables.
    static func forEachChunk(_ batch: Batch, _ body: (Batch) throws -> Void) throws {
        let count = batch.rowCount
        if count <= GroupTable.chunkRows { return try body(batch) }
        var start = 0
        while start < count {
            try body(batch.slice(start, min(GroupTable.chunkRows, count - start)))
            start += GroupTable.chunkRows
        }
    }
}
