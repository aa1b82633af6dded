// Whether a common table that is read several times is computed once or for each read.
//
// Once is not always cheaper: a copy of its own gets the predicates of its reader, the columns and the join order that fit
// them, and filters that joins find out while they run. So both plans are made and their costs compared.

import Columnar
import PlanStatistics
import QueryPlan

extension LogicalOptimizer {
    /// A plan must be so much cheaper to share a table: what joins find out at run time is in no estimate.
    private static let sharingGain = 0.75
    /// Choices for more tables than this are not looked at one by one.
    private static let choiceCountMax = 6

    func optimizeShared(_ plan: LogicalPlan, snapshot: StatisticsSnapshot) throws -> LogicalPlan {
        let optional = plan.optionalShares
        if optional.isEmpty { return try applyRules(plan, ids, snapshot) }
        var shared: Set<Int> = []
        func attempt(_ numbers: Set<Int>) throws -> (plan: LogicalPlan, cost: Double) {
            // Attempts do not see each other: each may use the same new identities.
            let own = ids.copy()
            let result = try applyRules(plan.inliningShares(except: numbers, own), own, snapshot)
            return (result, PlanCost(snapshot).cost(of: result))
        }
        var best = try attempt([])
        let steps = optional.count <= Self.choiceCountMax ? optional.map { [$0] } : [optional]
        for step in steps {
            let candidate = try attempt(shared.union(step))
            if candidate.cost < best.cost * Self.sharingGain {
                best = candidate
                shared.formUnion(step)
            }
        }
        return best.plan
    }
}

extension LogicalPlan {
    /// Numbers of the plan's definitions that may be computed for each read, those inside others last.
    fileprivate var optionalShares: [Int] {
        guard case .shared(let node) = self else { return inputs.flatMap(\.optionalShares) }
        return node.input.optionalShares + (node.isRequired ? [] : [node.number])
    }

    /// The plan with definitions in place of their reads, but for those that must or shall be shared.
    fileprivate func inliningShares(except kept: Set<Int>, _ ids: ColumnIDGenerator) -> LogicalPlan {
        guard case .shared(var node) = self else { return mapInputs { $0.inliningShares(except: kept, ids) } }
        // The definitions below read this one: they come first, so that their copies read it as well.
        node.input = node.input.inliningShares(except: kept, ids)
        if node.isRequired || kept.contains(node.number) { return .shared(node) }
        return node.input.inliningShared(node.number, node.definition, ids)
    }

    /// The plan with a definition in place of each read of it; the first read gets the definition itself.
    func inliningShared(_ number: Int, _ definition: LogicalPlan, _ ids: ColumnIDGenerator) -> LogicalPlan {
        var isUsed = false
        return mapSharedReads { read in
            guard read.number == number else { return .sharedRead(read) }
            var plan = definition
            var expressions = zip(read.sources, read.columns).map { Expression.column($0, $1.type) }
            if isUsed {
                let (copy, names) = definition.refreshed(ids)
                plan = copy
                expressions = zip(read.sources, read.columns).map { source, column in
                    names[source]?.reference ?? .column(source, column.type)
                }
            }
            isUsed = true
            return .project(LogicalProject(columns: read.columns, expressions: expressions, input: plan))
        }
    }
}

/// The work of a plan in rows, to compare plans of one query.
private struct PlanCost {
    private let estimator: CardinalityEstimator

    init(_ snapshot: StatisticsSnapshot) { estimator = CardinalityEstimator(snapshot) }

    func cost(of plan: LogicalPlan) -> Double {
        var total = 0.0
        _ = rows(plan, &total)
        return total
    }

    private func rows(_ plan: LogicalPlan, _ total: inout Double) -> Double {
        if case .shared(let node) = plan {
            let count = rows(node.definition, &total)
            estimator.learn(node, rowCount: count)
            total += count
            return rows(node.input, &total)
        }
        var inputs: [Double] = []
        for input in plan.inputs { inputs.append(rows(input, &total)) }
        let count = estimator.rowCount(of: plan, inputs: inputs)
        let read = inputs.reduce(0, +)
        switch plan {
        case .scan(let node): total += (estimator.snapshot.tables[node.table]?.rowCount ?? count) + count
        case .sharedRead: total += 0.5 * count
        case .filter: total += 0.2 * read
        case .project: total += 0.1 * read
        case .join(let node):
            let hasKey = node.condition.conjuncts.contains { $0.asEquality != nil }
            total += count + (hasKey ? read + min(inputs[0], inputs[1]) : read + inputs[0] * inputs[1])
        case .aggregate, .distinct, .setOperation: total += 2 * read + count
        case .window, .sort: total += 4 * read
        default: total += read + count
        }
        return count
    }
}
